/* SPDX-License-Identifier: BSD-2-Clause */
/* Files and directories as POSIX.1-2017 has them: what xv6's usertests are known by (their names stand in brackets), and
 * the edges beyond. All of it runs on Linux too. serve=uart serve=posix:t_tree */
#include "scratch.h"

#define FILES_ENOUGH 40

static char text[65536], back[65536];

static off_t size_of(const char *path) {
  struct stat s;
  return stat(path, &s) ? -1 : s.st_size;
}

static int64_t links_of(const char *path) {
  struct stat s;
  return stat(path, &s) ? -1 : (int64_t)s.st_nlink;
}

static uint64_t inode_of(const char *path) {
  struct stat s = {0};
  CHECK_EQ(stat(path, &s), 0);
  return s.st_ino;
}

static bool is_there(const char *path) {
  return !access(path, F_OK);
}

/* That the file holds exactly these bytes. */
static void holds(const char *path, const char *bytes, size_t count) {
  static char got[65536];
  int fd = open(path, O_RDONLY);
  CHECK(fd >= 0);
  CHECK_EQ(read(fd, got, sizeof got), count);
  CHECK(!memcmp(got, bytes, count));
  CHECK_EQ(close(fd), 0);
}

static void holds_text(const char *path, const char *words) {
  holds(path, words, strlen(words));
}

static bool is_dots(const char *name) {
  return !strcmp(name, ".") || !strcmp(name, "..");
}

/* Entries beside `.` and `..`, which must be there once each. */
static unsigned names_in(const char *path) {
  unsigned names = 0, dots = 0;
  DIR *directory = opendir(path);
  CHECK(directory != NULL);
  for (struct dirent *d; directory && (d = readdir(directory));)
    ++*(is_dots(d->d_name) ? &dots : &names);
  CHECK_EQ(directory ? closedir(directory) : 0, 0);
  CHECK_EQ(dots, 2);
  return names;
}

static char *name(const char *prefix, unsigned number) {
  static char text[32];
  snprintf(text, sizeof text, "%s%u", prefix, number);
  return text;
}

/* ---- Openings, ends and offsets ----------------------------------------------------------------------------------------- */
static void cut_while_open(void) {
  int writer = make("f", ""), reader = open("f", O_RDONLY);
  CHECK_EQ(write(writer, "abcd", 4), 4);
  CHECK_EQ(read(reader, back, 32), 4);
  int cutter = open("f", O_WRONLY | O_TRUNC), late = open("f", O_RDONLY);
  CHECK_EQ(read(reader, back, 32), 0); /* its offset lies behind the end */
  CHECK_EQ(read(late, back, 32), 0);
  CHECK_EQ(write(cutter, "efghij", 6), 6);
  CHECK_EQ(read(late, back, 32), 6);
  CHECK(!memcmp(back, "efghij", 6));
  CHECK_EQ(read(reader, back, 32), 2);
  CHECK(!memcmp(back, "ij", 2));
  close(writer), close(reader), close(cutter), close(late);
  CHECK_EQ(unlink("f"), 0);
}

static void written_behind_the_cut(void) {
  int writer = make("f", "abcd"), cutter = open("f", O_WRONLY | O_TRUNC);
  CHECK_EQ(size_of("f"), 0);
  CHECK_EQ(write(writer, "x", 1), 1);
  holds("f", "\0\0\0\0x", 5);
  close(writer), close(cutter);
  CHECK_EQ(unlink("f"), 0);
}

static void opening(void) {
  make_closed("there", "x");
  int fd = open("there", O_RDONLY);
  CHECK(fd >= 0);
  close(fd);
  FAILS(open("not there", O_RDONLY), ENOENT);
  FAILS(open("", O_RDONLY), ENOENT);
  FAILS(open("", O_RDWR | O_CREAT, 0644), ENOENT);
  FAILS(open("no/there", O_RDWR | O_CREAT, 0644), ENOENT);
  FAILS(open("there/x", O_RDWR | O_CREAT, 0644), ENOTDIR);
  FAILS(open("there/", O_RDONLY), ENOTDIR);
  FAILS(open("new/", O_RDWR | O_CREAT, 0644), ENOENT); /* or ENOTDIR, says POSIX */
  CHECK(!is_there("new"));
  CHECK_EQ(unlink("there"), 0);
}

static void small_writes(void) {
  int fd = make("small", "");
  for (unsigned i = 0; i < 100; i++) {
    CHECK_EQ(write(fd, "aaaaaaaaaa", 10), 10);
    CHECK_EQ(write(fd, "bbbbbbbbbb", 10), 10);
  }
  close(fd);
  fd = open("small", O_RDONLY);
  CHECK_EQ(read(fd, back, 4000), 2000);
  for (unsigned i = 0; i < 2000; i++)
    if (back[i] != (i / 10 % 2 ? 'b' : 'a'))
      CHECK_EQ(i, -1);
  CHECK_EQ(read(fd, back, 1), 0);
  close(fd);
  CHECK_EQ(unlink("small"), 0);
}

/* 8 MiB, each page with its number. */
static void large_file(void) {
  int fd = make("large", "");
  for (unsigned i = 0; i < 2048; i++) {
    memcpy(text, &i, sizeof i);
    CHECK_EQ(write(fd, text, 4096), 4096);
  }
  CHECK_EQ(size_of("large"), 8 << 20);
  CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
  for (unsigned i = 0, got; i < 2048; i++) {
    CHECK_EQ(read(fd, back, 4096), 4096);
    memcpy(&got, back, sizeof got);
    CHECK_EQ(got, i);
  }
  CHECK_EQ(read(fd, back, 4096), 0);
  close(fd);
  CHECK_EQ(unlink("large"), 0);
}

static void many_files(void) {
  for (unsigned i = 0; i < 52; i++)
    make_closed(name("a", i), name("a", i));
  CHECK_EQ(names_in("."), 52);
  for (unsigned i = 0; i < 52; i++)
    holds_text(name("a", i), name("a", i));
  for (unsigned i = 0; i < 52; i++)
    CHECK_EQ(unlink(name("a", i)), 0);
  CHECK_EQ(names_in("."), 0);
}

/* Writes of every size to 64 KiB, most of them across pages, twice each. */
static void odd_sizes(void) {
  for (unsigned i = 0; i < sizeof text; i++)
    text[i] = (char)(i * 7 + i / 251);
  for (unsigned size = 499; size < sizeof text; size += 1471) {
    int fd = make("odd", "");
    CHECK_EQ(write(fd, text, size), size);
    CHECK_EQ(write(fd, text, size), size);
    CHECK_EQ(size_of("odd"), 2 * size);
    for (unsigned half = 0; half < 2; half++) {
      memset(back, 0, size);
      CHECK_EQ(pread(fd, back, size, half * size), size);
      CHECK(!memcmp(back, text, size));
    }
    close(fd);
    CHECK_EQ(unlink("odd"), 0);
  }
}

/* Reads that are half as long as the writes were. */
static void read_in_halves(void) {
  int fd = make("big", "");
  for (int i = 0; i < 20; i++) {
    memset(text, i, 600);
    CHECK_EQ(write(fd, text, 600), 600);
  }
  CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
  for (int i = 0; i < 40; i++) {
    CHECK_EQ(read(fd, back, 300), 300);
    CHECK(back[0] == i / 2 && back[299] == i / 2);
  }
  CHECK_EQ(read(fd, back, 300), 0);
  close(fd);
  CHECK_EQ(unlink("big"), 0);
}

static void bad_writes(void) {
  for (unsigned i = 0; i < 600; i++) {
    int fd = open("bad", O_CREAT | O_WRONLY, 0644);
    CHECK(fd >= 0);
    FAILS(write(fd, BAD, 1), EFAULT);
    CHECK_EQ(close(fd), 0);
  }
  CHECK_EQ(size_of("bad"), 0);
  CHECK_EQ(unlink("bad"), 0);
}

static void opening_flags(void) {
  int fd = open("f", O_RDWR | O_CREAT | O_EXCL, 0640);
  CHECK(fd >= 0);
  CHECK_EQ(write(fd, "abc", 3), 3);
  close(fd);
  FAILS(open("f", O_RDWR | O_CREAT | O_EXCL, 0640), EEXIST);
  FAILS(open("f", O_RDWR | O_CREAT | O_EXCL | O_TRUNC, 0640), EEXIST);
  holds_text("f", "abc"); /* what failed has cut nothing */
  close(open("f", O_RDWR | O_CREAT, 0600));
  holds_text("f", "abc");
  FAILS(open("f", O_RDONLY | O_DIRECTORY), ENOTDIR);
  FAILS(open("none", O_RDONLY | O_DIRECTORY), ENOENT);
  CHECK_EQ(mkdir("d", 0755), 0);
  FAILS(open("d", O_WRONLY), EISDIR);
  FAILS(open("d", O_RDWR), EISDIR);
  FAILS(open("d", O_RDWR | O_TRUNC), EISDIR);
  FAILS(open("d", O_RDWR | O_CREAT | O_EXCL, 0644), EEXIST);
  fd = open("d", O_RDONLY | O_DIRECTORY);
  CHECK(fd >= 0);
  FAILS(read(fd, back, 1), EISDIR);
  FAILS(write(fd, "x", 1), EBADF);
  close(fd);
  CHECK_EQ(rmdir("d"), 0);
  CHECK_EQ(unlink("f"), 0);
}

static void appending(void) {
  int one = make("f", "ab"), end = open("f", O_WRONLY | O_APPEND), other = open("f", O_RDWR | O_APPEND);
  CHECK_EQ(write(end, "c", 1), 1);
  CHECK_EQ(lseek(end, 0, SEEK_CUR), 3);
  CHECK_EQ(write(other, "d", 1), 1);
  CHECK_EQ(write(one, "e", 1), 1); /* at its own offset, 2 */
  CHECK_EQ(lseek(other, 0, SEEK_SET), 0);
  CHECK_EQ(read(other, back, 2), 2); /* only writing goes to the end */
  CHECK(!memcmp(back, "ab", 2));
  CHECK_EQ(write(other, "f", 1), 1);
  CHECK_EQ(ftruncate(one, 1), 0);
  CHECK_EQ(write(end, "g", 1), 1);
  holds_text("f", "ag");
#ifndef __linux__ /* where pwrite appends, against POSIX */
  CHECK_EQ(pwrite(end, "h", 1, 0), 1);
  holds_text("f", "hg");
#endif
  close(one), close(end), close(other);
  CHECK_EQ(unlink("f"), 0);
}

static void wrong_direction(void) {
  int in = open("f", O_RDONLY | O_CREAT, 0644), out = open("f", O_WRONLY);
  FAILS(write(in, "x", 1), EBADF);
  FAILS(pwrite(in, "x", 1, 0), EBADF);
  FAILS(read(out, back, 1), EBADF);
  FAILS(pread(out, back, 1, 0), EBADF);
  FAILS_OR(ftruncate(in, 0), EINVAL, EBADF);
  close(in), close(out);
  FAILS(read(in, back, 1), EBADF);
  FAILS(write(out, "x", 1), EBADF);
  FAILS(lseek(in, 0, SEEK_SET), EBADF);
  FAILS(ftruncate(out, 0), EBADF);
  FAILS(close(in), EBADF);
  struct stat s;
  FAILS(fstat(in, &s), EBADF);
  CHECK_EQ(unlink("f"), 0);
}

static void seeking(void) {
  int fd = make("f", "0123456789"), ends[2];
  CHECK_EQ(lseek(fd, 4, SEEK_SET), 4);
  CHECK_EQ(lseek(fd, -3, SEEK_CUR), 1);
  CHECK_EQ(lseek(fd, -1, SEEK_END), 9);
  CHECK_EQ(read(fd, back, 5), 1);
  FAILS(lseek(fd, -11, SEEK_END), EINVAL);
  FAILS(lseek(fd, -1, SEEK_SET), EINVAL);
  FAILS(lseek(fd, 0, 99), EINVAL);
  FAILS_OR(lseek(fd, INT64_MAX, SEEK_CUR), EOVERFLOW, EINVAL);
  CHECK_EQ(lseek(fd, 0, SEEK_CUR), 10); /* none of that moved it */
  CHECK_EQ(lseek(fd, 90, SEEK_END), 100);
  CHECK_EQ(read(fd, back, 1), 0);
  CHECK_EQ(size_of("f"), 10); /* only a write makes the file longer */
  CHECK_EQ(write(fd, "", 0), 0);
  CHECK_EQ(size_of("f"), 10);
  CHECK_EQ(write(fd, "x", 1), 1);
  CHECK_EQ(size_of("f"), 101);
  CHECK_EQ(pread(fd, back, 91, 10), 91);
  for (unsigned i = 0; i < 90; i++)
    CHECK_EQ(back[i], 0);
  CHECK_EQ(pipe(ends), 0);
  FAILS(lseek(ends[0], 0, SEEK_CUR), ESPIPE);
  close(ends[0]), close(ends[1]), close(fd);
  CHECK_EQ(unlink("f"), 0);
}

static void at_an_offset(void) {
  int fd = make("f", "0123456789"), ends[2];
  CHECK_EQ(lseek(fd, 5, SEEK_SET), 5);
  CHECK_EQ(pread(fd, back, 4, 8), 2);
  CHECK_EQ(pread(fd, back, 4, 10), 0);
  CHECK_EQ(pread(fd, back, 4, 1000), 0);
  CHECK_EQ(pread(fd, back, 0, 0), 0);
  CHECK_EQ(pwrite(fd, "ab", 2, 9), 2);
  CHECK_EQ(pwrite(fd, "", 0, 5000), 0);
  CHECK_EQ(size_of("f"), 11);
  FAILS(pread(fd, back, 1, -1), EINVAL);
  FAILS(pwrite(fd, "x", 1, -1), EINVAL);
  FAILS(pread(fd, BAD, 1, 0), EFAULT);
  CHECK_EQ(lseek(fd, 0, SEEK_CUR), 5); /* the offset is its own */
  CHECK_EQ(pwrite(fd, "z", 1, 4096 * 3), 1);
  CHECK_EQ(size_of("f"), 4096 * 3 + 1);
  CHECK_EQ(pread(fd, back, 3, 4096 * 3 - 2), 3);
  CHECK(!back[0] && !back[1] && back[2] == 'z');
  CHECK_EQ(pipe(ends), 0);
  FAILS(pread(ends[0], back, 1, 0), ESPIPE);
  FAILS(pwrite(ends[1], "x", 1, 0), ESPIPE);
  close(ends[0]), close(ends[1]), close(fd);
  CHECK_EQ(unlink("f"), 0);
}

static void resizing(void) {
  int fd = make("f", ""), ends[2];
  memset(text, 'x', sizeof text);
  CHECK_EQ(write(fd, text, 10000), 10000);
  CHECK_EQ(ftruncate(fd, 5000), 0);
  CHECK_EQ(lseek(fd, 0, SEEK_CUR), 10000);
  CHECK_EQ(ftruncate(fd, 9000), 0);
  CHECK_EQ(pread(fd, back, 10000, 0), 9000);
  for (unsigned i = 0; i < 9000; i++)
    if (back[i] != (i < 5000 ? 'x' : 0)) /* what was cut off does not come back */
      CHECK_EQ(i, -1);
  CHECK_EQ(ftruncate(fd, 0), 0);
  CHECK_EQ(ftruncate(fd, 4097), 0);
  CHECK_EQ(pread(fd, back, 10000, 0), 4097);
  CHECK(!back[0] && !back[4096]);
  FAILS(ftruncate(fd, -1), EINVAL);
  CHECK_EQ(size_of("f"), 4097);
  CHECK_EQ(pipe(ends), 0);
  FAILS(ftruncate(ends[1], 0), EINVAL);
  close(ends[0]), close(ends[1]), close(fd);
  CHECK_EQ(unlink("f"), 0);
}

/* ---- Descriptors -------------------------------------------------------------------------------------------------------- */
static void duplicates(void) {
  int fd = make("f", "0123456789"), same = dup(fd), other = open("f", O_RDONLY);
  CHECK_EQ(lseek(fd, 3, SEEK_SET), 3);
  CHECK_EQ(read(same, back, 2), 2);
  CHECK(!memcmp(back, "34", 2));
  CHECK_EQ(lseek(fd, 0, SEEK_CUR), 5);
  CHECK_EQ(read(other, back, 1), 1);
  CHECK_EQ(back[0], '0');
  CHECK_EQ(dup2(fd, other), other); /* which closes what that was */
  CHECK_EQ(read(other, back, 1), 1);
  CHECK_EQ(back[0], '5');
  CHECK_EQ(dup2(fd, fd), fd);
  CHECK_EQ(close(fd), 0);
  FAILS(dup(fd), EBADF);
  FAILS(dup2(fd, fd), EBADF);
  FAILS(dup2(fd, other), EBADF);
  CHECK_EQ(read(other, back, 1), 1); /* a dup2 that failed closed nothing */
  CHECK_EQ(back[0], '6');
  FAILS(dup2(other, -1), EBADF);
  FAILS(dup2(other, 1 << 20), EBADF);
  FAILS(dup2(-1, other), EBADF);
  CHECK_EQ(dup(other), fd); /* the lowest that is free */
  close(fd), close(same), close(other);
  CHECK_EQ(unlink("f"), 0);
}

static void controlling(void) {
  int fd = open("f", O_RDWR | O_CREAT | O_EXCL | O_TRUNC | O_CLOEXEC, 0644), same = dup(fd);
  CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
  CHECK_EQ(fcntl(same, F_GETFD), 0); /* that is the descriptor's, not the file's */
  CHECK_EQ(fcntl(fd, F_SETFD, 0), 0);
  CHECK_EQ(fcntl(fd, F_GETFD), 0);
  CHECK_EQ(fcntl(fd, F_GETFL) & (O_ACCMODE | O_APPEND | O_NONBLOCK | O_CREAT | O_EXCL | O_TRUNC), O_RDWR);
  CHECK_EQ(fcntl(fd, F_SETFL, O_APPEND | O_WRONLY), 0);
  CHECK_EQ(fcntl(same, F_GETFL) & (O_ACCMODE | O_APPEND), O_RDWR | O_APPEND);
  CHECK_EQ(fcntl(fd, F_DUPFD, 20), 20);
  CHECK_EQ(fcntl(fd, F_DUPFD_CLOEXEC, 20), 21);
  CHECK_EQ(fcntl(20, F_GETFD), 0);
  CHECK_EQ(fcntl(21, F_GETFD), FD_CLOEXEC);
  CHECK_EQ(dup2(21, 22), 22);
  CHECK_EQ(fcntl(22, F_GETFD), 0);
  FAILS(fcntl(fd, F_DUPFD, -1), EINVAL);
  FAILS(fcntl(fd, F_DUPFD, 1 << 20), EINVAL);
  FAILS(fcntl(fd, 7777), EINVAL);
  close(20), close(21), close(22), close(fd), close(same);
  FAILS(fcntl(fd, F_GETFD), EBADF);
  FAILS(fcntl(fd, F_GETFL), EBADF);
  FAILS(fcntl(fd, F_DUPFD, 0), EBADF);
  FAILS(fcntl(-1, F_GETFD), EBADF);
  CHECK_EQ(unlink("f"), 0);
}

static void terminals(void) {
  int fd = make("f", ""), null = open("/dev/null", O_RDWR), zero = open("/dev/zero", O_RDWR), ends[2];
  CHECK_EQ(pipe(ends), 0);
  int none[] = {fd, null, zero, ends[0], ends[1]};
  for (unsigned i = 0; i < 5; i++) {
    errno = 0;
    CHECK_EQ(isatty(none[i]), 0);
    CHECK_EQ(errno, ENOTTY);
    CHECK_EQ(close(none[i]), 0);
  }
  errno = 0;
  CHECK_EQ(isatty(fd), 0);
  CHECK_EQ(errno, EBADF);
#ifndef __linux__
  CHECK(isatty(0) && isatty(1) && isatty(2));
#endif
  CHECK_EQ(unlink("f"), 0);
}

/* ---- What stat and access say ------------------------------------------------------------------------------------------- */
static void describing(void) {
  struct stat s, t;
  int fd = open("f", O_RDWR | O_CREAT, 0640), ends[2];
  CHECK_EQ(write(fd, "abc", 3), 3);
  CHECK(!fstat(fd, &s) && !stat("f", &t));
  CHECK(S_ISREG(s.st_mode) && !S_ISDIR(s.st_mode));
  CHECK_EQ(s.st_mode & 0777, 0640);
  CHECK_EQ(s.st_size, 3);
  CHECK_EQ(s.st_nlink, 1);
  CHECK(s.st_ino == t.st_ino && s.st_dev == t.st_dev && s.st_mode == t.st_mode && t.st_size == 3);
  CHECK_EQ(mkdir("d", 0750), 0);
  CHECK(!stat("d", &s) && S_ISDIR(s.st_mode));
  CHECK_EQ(s.st_mode & 0777, 0750);
  CHECK(s.st_ino != t.st_ino);
  CHECK(!stat("d/.", &t) && s.st_ino == t.st_ino);
  CHECK(!stat("d/..", &t) && inode_of(".") == t.st_ino);
  CHECK(!stat("/dev/null", &s) && S_ISCHR(s.st_mode));
  CHECK(!pipe(ends) && !fstat(ends[0], &s) && S_ISFIFO(s.st_mode));
  CHECK(!fstat(ends[1], &s) && S_ISFIFO(s.st_mode));
  FAILS(stat("none", &s), ENOENT);
  FAILS(stat("", &s), ENOENT);
  FAILS(stat("f/", &s), ENOTDIR);
  FAILS(stat("f/x", &s), ENOTDIR);
  close(ends[0]), close(ends[1]), close(fd);
  CHECK_EQ(rmdir("d"), 0);
  CHECK_EQ(unlink("f"), 0);
}

static void allowed(void) {
  make_closed("f", "");
  close(open("x", O_CREAT | O_WRONLY, 0755));
  CHECK_EQ(access("f", F_OK), 0);
  CHECK_EQ(access("f", R_OK | W_OK), 0);
  FAILS(access("f", X_OK), EACCES);
  CHECK_EQ(access("x", R_OK | X_OK), 0);
  CHECK_EQ(access(".", X_OK), 0);
  FAILS(access("none", F_OK), ENOENT);
  FAILS(access("f/x", F_OK), ENOTDIR);
  FAILS(access("", F_OK), ENOENT);
  FAILS(access("f", 0x70), EINVAL);
  CHECK_EQ(unlink("f") | unlink("x"), 0);
}

/* ---- Names and links ---------------------------------------------------------------------------------------------------- */
static void links(void) {
  make_closed("one", "hello");
  CHECK_EQ(link("one", "two"), 0);
  CHECK_EQ(links_of("one"), 2);
  CHECK_EQ(inode_of("one"), inode_of("two"));
  CHECK_EQ(unlink("one"), 0);
  FAILS(open("one", O_RDONLY), ENOENT);
  holds_text("two", "hello");
  CHECK_EQ(links_of("two"), 1);
  FAILS(link("two", "two"), EEXIST);
  FAILS(link("two", "no/three"), ENOENT);
  FAILS(link("two", "two/three"), ENOTDIR);
  FAILS(link(".", "dots"), EPERM);
  FAILS(link("two", ""), ENOENT);
  CHECK_EQ(links_of("two"), 1);
  CHECK_EQ(unlink("two"), 0);
  FAILS(link("two", "one"), ENOENT);
  FAILS(unlink("two"), ENOENT);
  CHECK_EQ(names_in("."), 0);
}

/* A name that came again is another file. */
static void without_a_name(void) {
  struct stat s;
  int old = make("f", "hello"), new;
  CHECK_EQ(unlink("f"), 0);
  CHECK(!fstat(old, &s) && s.st_nlink == 0);
  new = make("f", "yyy");
  CHECK_EQ(pread(old, back, 100, 0), 5);
  CHECK(!memcmp(back, "hello", 5));
  CHECK_EQ(write(old, "again", 5), 5);
  CHECK_EQ(ftruncate(old, 20000), 0);
  CHECK_EQ(pread(old, back, 100, 19990), 10);
  holds_text("f", "yyy");
  CHECK_EQ(lseek(new, 0, SEEK_CUR), 3);
  close(old), close(new);
  CHECK_EQ(unlink("f"), 0);
}

static void many_links(void) {
  make_closed("f", "");
  for (unsigned i = 0; i < 500; i++)
    CHECK_EQ(link("f", name("x", i)), 0);
  CHECK_EQ(links_of("x77"), 501);
  CHECK_EQ(unlink("f"), 0);
  for (unsigned i = 0; i < 500; i++)
    CHECK_EQ(unlink(name("x", i)), 0);
  CHECK_EQ(names_in("."), 0);
}

/* A name of 255 bytes counts to its last one; one of 256 is no name, not a shorter one. */
static void longest_names(void) {
  static char longest[300], other[300];
  struct stat s;
  memset(longest, 'n', 256);
  FAILS(open(longest, O_CREAT | O_RDWR, 0644), ENAMETOOLONG);
  FAILS(open(longest, O_RDONLY), ENAMETOOLONG);
  FAILS(mkdir(longest, 0755), ENAMETOOLONG);
  FAILS(stat(longest, &s), ENAMETOOLONG);
  FAILS(unlink(longest), ENAMETOOLONG);
  FAILS(chdir(longest), ENAMETOOLONG);
  make_closed("f", "");
  FAILS(link("f", longest), ENAMETOOLONG);
  FAILS(rename("f", longest), ENAMETOOLONG);
  memcpy(longest + 256, "/x", 3);
  FAILS(open(longest, O_CREAT | O_RDWR, 0644), ENAMETOOLONG);
  longest[255] = 0;
  memcpy(other, longest, 256);
  other[254] = 'o';
  CHECK_EQ(mkdir(longest, 0755), 0);
  CHECK_EQ(rename("f", other), 0);
  CHECK_EQ(names_in("."), 2);
  CHECK(inode_of(longest) != inode_of(other));
  other[254] = 'p';
  FAILS(stat(other, &s), ENOENT);
  other[254] = 'o';
  CHECK_EQ(unlink(other), 0);
  CHECK_EQ(rmdir(longest), 0);
}

static void longest_paths(void) {
  static char path[2 * PATH_LIMIT];
  for (unsigned i = 0; i < sizeof path; i++)
    path[i] = i % 2 ? '/' : '.';
  make_closed("f", "x");
  unsigned most = PATH_LIMIT - 1; /* without the NUL */
  memcpy(path + most - 2, "/f", 3);
  int fd = open(path, O_RDONLY);
  CHECK(fd >= 0);
  close(fd);
  CHECK_EQ(rename(path, "g"), 0);
  CHECK_EQ(rename("g", path), 0);
  memcpy(path + most - 2, "//f", 4);
  FAILS(open(path, O_RDONLY), ENAMETOOLONG);
  FAILS(link(path, "g"), ENAMETOOLONG);
  FAILS(rename("f", path), ENAMETOOLONG);
  FAILS(mkdir(path, 0755), ENAMETOOLONG);
  memset(path + most - 2, '/', PATH_LIMIT);
  path[sizeof path - 1] = 0;
  FAILS(open(path, O_RDONLY), ENAMETOOLONG);
  FAILS(rename(path, path), ENAMETOOLONG);
  CHECK_EQ(unlink("f"), 0);
}

/* ---- Renaming ----------------------------------------------------------------------------------------------------------- */
static void renamed_files(void) {
  make_closed("a", "aa"), make_closed("b", "bb");
  int old = open("b", O_RDONLY);
  CHECK_EQ(rename("a", "b"), 0);
  CHECK(!is_there("a"));
  holds_text("b", "aa");
  CHECK_EQ(read(old, back, 10), 2); /* what it replaced lives on while it is open */
  CHECK(!memcmp(back, "bb", 2));
  CHECK_EQ(close(old), 0);
  CHECK_EQ(rename("b", "b"), 0);
  CHECK_EQ(link("b", "c"), 0);
  CHECK_EQ(rename("b", "c"), 0); /* two names of one file: both stay */
  CHECK(is_there("b") && is_there("c"));
  FAILS(rename("none", "c"), ENOENT);
  FAILS(rename("b", "no/c"), ENOENT);
  FAILS(rename("b", "c/d"), ENOTDIR);
  FAILS(rename("b/", "d"), ENOTDIR);
  FAILS(rename("b", "d/"), ENOTDIR);
  FAILS(rename("b", ""), ENOENT);
  FAILS(rename("", "b"), ENOENT);
  CHECK_EQ(mkdir("d", 0755), 0);
  FAILS(rename("b", "d"), EISDIR);
  CHECK_EQ(rename("b", "d/b"), 0);
  CHECK_EQ(rename("d/b", "./c"), 0);
  CHECK(is_there("d/b") && links_of("c") == 2);
  CHECK_EQ(unlink("d/b") | unlink("c") | rmdir("d"), 0);
}

static void renamed_directories(void) {
  CHECK_EQ(mkdir("a", 0755) | mkdir("b", 0755) | mkdir("a/in", 0755), 0);
  make_closed("f", "");
  FAILS(rename("a", "f"), ENOTDIR);
  FAILS(rename("a", "a/in/a"), EINVAL);
  FAILS(rename("a", "a/x"), EINVAL);
  FAILS_OR(rename("b", "a"), ENOTEMPTY, EEXIST);
  FAILS_OR(rename("a/in", "a"), ENOTEMPTY, EEXIST);
  FAILS_OR(rename("a/.", "c"), EINVAL, EBUSY);
  FAILS_OR(rename("a/in/..", "c"), EINVAL, EBUSY);
  FAILS_OR(rename("a", "b/."), EINVAL, EBUSY);
  CHECK_EQ(rename("a", "a"), 0);
  CHECK_EQ(rename("a", "b"), 0); /* over an empty one */
  CHECK(!is_there("a") && is_there("b/in"));
  CHECK_EQ(rename("b/in", "in/"), 0);
  CHECK_EQ(inode_of("in/.."), inode_of("."));
  CHECK_EQ(rename("in", "b/in"), 0);
  CHECK_EQ(inode_of("b/in/.."), inode_of("b"));
  CHECK_EQ(links_of("b"), 3);
  CHECK_EQ(chdir("b/in"), 0);
  CHECK_EQ(rename("../../b", "../../z"), 0); /* above whoever works in it */
  make_closed("../../z/in/g", "");
  CHECK(is_there("g"));
  CHECK(getcwd(back, sizeof back) && !strcmp(back + strlen(scratch), "/z/in"));
  CHECK_EQ(chdir(scratch), 0);
  CHECK_EQ(unlink("z/in/g") | rmdir("z/in") | rmdir("z") | unlink("f"), 0);
}

/* ---- Directories -------------------------------------------------------------------------------------------------------- */
static void in_and_out(void) {
  CHECK_EQ(mkdir("d", 0755), 0);
  CHECK_EQ(chdir("d"), 0);
  CHECK_EQ(names_in("."), 0);
  CHECK_EQ(chdir(".."), 0);
  CHECK_EQ(rmdir("d"), 0);
  FAILS(chdir("d"), ENOENT);
  FAILS(rmdir("d"), ENOENT);
}

static void subdirectory_files(void) {
  make_closed("ff", "");
  CHECK_EQ(unlink("ff"), 0);
  CHECK_EQ(mkdir("dd", 0755), 0);
  make_closed("dd/ff", "ff");
  FAILS_OR(unlink("dd"), EPERM, EISDIR);
  FAILS(rmdir("dd"), ENOTEMPTY);
  CHECK_EQ(mkdir("dd/dd", 0755), 0);
  make_closed("dd/dd/ff", "FF");
  holds_text("dd/dd/../ff", "ff");
  CHECK_EQ(link("dd/dd/ff", "dd/dd/ffff"), 0);
  CHECK_EQ(unlink("dd/dd/ff"), 0);
  FAILS(open("dd/dd/ff", O_RDONLY), ENOENT);
  CHECK_EQ(chdir("dd"), 0);
  CHECK_EQ(chdir("dd/../../dd"), 0);
  CHECK_EQ(chdir("../dd/./dd//"), 0);
  CHECK_EQ(chdir("./.."), 0);
  holds_text("dd/ffff", "FF");
  CHECK_EQ(chdir(scratch), 0);
}

static void subdirectory_errors(void) {
  FAILS(open("dd/ff/ff", O_CREAT | O_RDWR, 0644), ENOTDIR);
  FAILS(open("dd/xx/ff", O_CREAT | O_RDWR, 0644), ENOENT);
  FAILS(open("dd", O_WRONLY), EISDIR);
  FAILS(link("dd/ff/ff", "dd/dd/xx"), ENOTDIR);
  FAILS(link("dd/xx/ff", "dd/dd/xx"), ENOENT);
  FAILS(link("dd/ff", "dd/dd/ffff"), EEXIST);
  FAILS(mkdir("dd/ff/ff", 0755), ENOTDIR);
  FAILS(mkdir("dd/xx/ff", 0755), ENOENT);
  FAILS(mkdir("dd/dd/ffff", 0755), EEXIST);
  FAILS(mkdir("dd/dd", 0755), EEXIST);
  FAILS(mkdir("dd/dd/", 0755), EEXIST);
  FAILS(unlink("dd/xx/ff"), ENOENT);
  FAILS(unlink("dd/ff/ff"), ENOTDIR);
  FAILS(chdir("dd/ff"), ENOTDIR);
  FAILS(chdir("dd/xx"), ENOENT);
  FAILS(rmdir("dd/ff"), ENOTDIR);
  CHECK_EQ(unlink("dd/dd/ffff"), 0);
  CHECK_EQ(unlink("dd/ff"), 0);
  FAILS(rmdir("dd"), ENOTEMPTY);
  CHECK_EQ(rmdir("dd/dd"), 0);
  CHECK_EQ(rmdir("dd/"), 0);
}

static void subdirectories(void) {
  subdirectory_files();
  subdirectory_errors();
  CHECK_EQ(names_in("."), 0);
}

static void removed_dots(void) {
  CHECK_EQ(mkdir("d", 0755), 0);
  CHECK_EQ(chdir("d"), 0);
  FAILS(rmdir("."), EINVAL);
  FAILS_OR(rmdir(".."), ENOTEMPTY, EINVAL);
  FAILS_OR(unlink("."), EPERM, EISDIR);
  FAILS_OR(unlink(".."), EPERM, EISDIR);
  FAILS(mkdir(".", 0755), EEXIST);
  FAILS(mkdir("..", 0755), EEXIST);
  FAILS(mkdir("/", 0755), EEXIST);
  CHECK_EQ(chdir(scratch), 0);
  FAILS(rmdir("d/."), EINVAL);
  FAILS_OR(rmdir("d/.."), ENOTEMPTY, EINVAL);
  FAILS_OR(rmdir("/"), EBUSY, ENOTEMPTY);
  FAILS(mkdir("none/.", 0755), ENOENT);
  CHECK_EQ(rmdir("d"), 0);
}

static void a_file_as_directory(void) {
  make_closed("f", "");
  FAILS(chdir("f"), ENOTDIR);
  FAILS(open("f/x", O_RDONLY), ENOTDIR);
  FAILS(open("f/x", O_CREAT | O_RDWR, 0644), ENOTDIR);
  FAILS(open("f/.", O_RDONLY), ENOTDIR);
  FAILS(open("f/..", O_RDONLY), ENOTDIR);
  FAILS(mkdir("f/x", 0755), ENOTDIR);
  FAILS(unlink("f/x"), ENOTDIR);
  FAILS(rmdir("f/x"), ENOTDIR);
  FAILS(link("f", "f/x"), ENOTDIR);
  FAILS(rename("f", "f/x"), ENOTDIR);
  CHECK(!opendir("f") && errno == ENOTDIR);
  CHECK_EQ(unlink("f"), 0);
  FAILS(open(".", O_RDWR), EISDIR);
  int fd = open(".", O_RDONLY);
  FAILS(write(fd, "x", 1), EBADF);
  CHECK_EQ(close(fd), 0);
}

/* What finds no name changes nothing, however often, and however deep. */
static void empty_names(void) {
  for (unsigned i = 0; i < FILES_ENOUGH; i++) {
    CHECK_EQ(mkdir("deep", 0755), 0);
    CHECK_EQ(chdir("deep"), 0);
    FAILS(mkdir("", 0755), ENOENT);
    FAILS(link("/dev/null", ""), ENOENT);
    FAILS(open("", O_CREAT | O_RDWR, 0644), ENOENT);
    FAILS(chdir(""), ENOENT);
    FAILS(unlink(""), ENOENT);
    FAILS(rmdir(""), ENOENT);
    CHECK(close(open("xx", O_CREAT | O_RDWR, 0644)) == 0);
    CHECK_EQ(unlink("xx"), 0);
    FAILS(unlink("xx"), ENOENT);
  }
  for (unsigned i = 0; i < FILES_ENOUGH; i++) {
    CHECK_EQ(chdir(".."), 0);
    CHECK_EQ(rmdir("deep"), 0);
  }
  CHECK_EQ(inode_of(scratch), inode_of("."));
}

static void dots(void) {
  CHECK_EQ(inode_of("/"), inode_of("/.."));
  CHECK_EQ(inode_of("/"), inode_of("/../../."));
  CHECK_EQ(inode_of("//"), inode_of("/"));
  CHECK_EQ(mkdir("d", 0755) | mkdir("d/e", 0755), 0);
  CHECK_EQ(inode_of("d/e/../.././d/e/.."), inode_of("d"));
  CHECK_EQ(chdir("d/e"), 0);
  CHECK(getcwd(back, sizeof back) && !strcmp(back + strlen(scratch), "/d/e"));
  size_t length = strlen(back);
  CHECK(getcwd(back, length + 1) != NULL);
  CHECK(!getcwd(back, length) && errno == ERANGE);
  CHECK(!getcwd(back, 0) && errno == EINVAL);
  CHECK(!getcwd(BAD, 4096) && errno == EFAULT);
  CHECK_EQ(chdir("/"), 0);
  CHECK(getcwd(back, 2) && !strcmp(back, "/"));
  CHECK_EQ(chdir(scratch), 0);
  CHECK_EQ(links_of("d"), 3);
  CHECK_EQ(rmdir("d/e"), 0);
  CHECK_EQ(links_of("d"), 2);
  CHECK_EQ(rmdir("d"), 0);
}

/* Whoever works in a directory that is gone can make nothing there, and can go elsewhere. */
static void removed_under_us(void) {
  for (unsigned i = 0; i < FILES_ENOUGH; i++) {
    CHECK_EQ(mkdir("d", 0755), 0);
    CHECK_EQ(chdir("d"), 0);
    DIR *directory = opendir(".");
    CHECK_EQ(rmdir("../d"), 0);
    for (struct dirent *d; (d = readdir(directory));)
      CHECK(is_dots(d->d_name));
    CHECK(!getcwd(back, sizeof back) && errno == ENOENT);
    FAILS(open("x", O_CREAT | O_RDWR, 0644), ENOENT);
    FAILS(mkdir("x", 0755), ENOENT);
    CHECK_EQ(closedir(directory), 0);
    CHECK_EQ(close(open("/dev/null", O_RDONLY)), 0);
    CHECK_EQ(chdir(scratch), 0);
  }
}

/* Each name that was there all the time comes once, whatever else comes and goes; from the start once more after a rewind. */
static void read_while_changing(void) {
  static unsigned char seen[100];
  memset(seen, 0, sizeof seen);
  for (unsigned i = 0; i < 100; i++)
    make_closed(name("n", i), "");
  DIR *directory = opendir(".");
  for (unsigned round = 0; round < 2; round++, rewinddir(directory))
    for (struct dirent *d; (d = readdir(directory));) {
      unsigned i = (unsigned)atoi(d->d_name + 1);
      seen[i] += d->d_name[0] == 'n';
      if (d->d_name[0] == 'n' && i % 3 == 1)
        CHECK_EQ(unlink(d->d_name), 0);
      if (d->d_name[0] == 'n' && i % 10 == 0) {
        make_closed("other", "");
        CHECK_EQ(unlink("other"), 0);
      }
    }
  CHECK_EQ(closedir(directory), 0);
  for (unsigned i = 0; i < 100; i++) {
    CHECK_EQ(seen[i], i % 3 == 1 ? 1 : 2);
    CHECK_EQ(unlink(name("n", i)), i % 3 == 1 ? -1 : 0);
  }
  CHECK_EQ(names_in("."), 0);
}

/* ---- Several processes at it -------------------------------------------------------------------------------------------- */
#ifdef HAVE_FORK
static bool create(const char *path, const char *bytes, size_t count) {
  int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0644);
  bool good = fd >= 0 && write(fd, bytes, count) == (ssize_t)count;
  return !close(fd) && good;
}

static void cutting_child(int n) {
  (void)n;
  for (unsigned i = 0; i < 100; i++) {
    EXPECT(create("f", "1234567890", 10));
    int fd = open("f", O_RDONLY);
    ssize_t got = read(fd, back, 32);
    EXPECT(got == 0 || got == 3 || got == 10);
    EXPECT(!close(fd));
  }
}

static void cut_by_another(void) {
  make_closed("f", "");
  pid_t pid = start(cutting_child, 0);
  for (unsigned i = 0; i < 150; i++)
    CHECK(create("f", "xxx", 3));
  ends_well(pid);
  CHECK(size_of("f") == 3 || size_of("f") == 10);
  CHECK_EQ(unlink("f"), 0);
}

static void ending_in_a_removed_directory(int n) {
  char path[32];
  snprintf(path, sizeof path, "../d%d", n);
  EXPECT(!mkdir(path + 3, 0755) && !chdir(path + 3));
  EXPECT(!rmdir(path));
  EXPECT(!getcwd(back, sizeof back) && errno == ENOENT);
}

static void ended_where_nothing_is(void) {
  for (unsigned i = 0; i < 5; i++)
    together(ending_in_a_removed_directory, 4);
  CHECK_EQ(names_in("."), 0);
}

static void opening_child(int n) {
  (void)n;
  for (unsigned i = 0; i < 50; i++) {
    int fd = open("d", O_RDWR);
    EXPECT(fd < 0 && (errno == EISDIR || errno == ENOENT));
    usleep(10);
  }
}

static void removed_while_opened(void) {
  for (unsigned i = 0; i < 5; i++) {
    CHECK_EQ(mkdir("d", 0755), 0);
    pid_t pid = start(opening_child, 0);
    usleep(100);
    CHECK_EQ(rmdir("d"), 0);
    ends_well(pid);
  }
}

static int gate[2]; /* its children go on when the writing end is closed */
static void working_child(int n) {
  (void)n;
  close(gate[1]);
  EXPECT(!chdir("d"));
  EXPECT(read(gate[0], back, 1) == 0);
  EXPECT(open("x", O_CREAT | O_RDWR, 0644) < 0 && errno == ENOENT);
  EXPECT(!chdir(scratch) && is_there("here"));
}

static void removed_by_another(void) {
  CHECK_EQ(mkdir("d", 0755), 0);
  make_closed("here", "");
  CHECK_EQ(pipe(gate), 0);
  pid_t pid = start(working_child, 0);
  usleep(20000);
  CHECK_EQ(rmdir("d"), 0);
  close(gate[0]), close(gate[1]);
  ends_well(pid);
  CHECK_EQ(unlink("here"), 0);
}

/* Of the names n0 to n19 the first ten go again. */
static void creating_and_deleting(int n) {
  char path[32];
  for (int i = 0; i < 20; i++) {
    snprintf(path, sizeof path, "p%d.%d", n, i);
    EXPECT(create(path, path, strlen(path)));
    snprintf(path, sizeof path, "p%d.%d", n, i / 2);
    EXPECT(i % 2 == 0 || !unlink(path));
  }
}

static void created_and_deleted(void) {
  char path[32];
  together(creating_and_deleting, 4);
  CHECK_EQ(names_in("."), 40);
  for (unsigned n = 0; n < 4; n++)
    for (unsigned i = 0; i < 20; i++) {
      snprintf(path, sizeof path, "p%u.%u", n, i);
      CHECK_EQ(is_there(path), i >= 10);
      if (i >= 10) {
        holds_text(path, path);
        CHECK_EQ(unlink(path), 0);
      }
    }
}

static void linking_and_unlinking(int n) {
  uint32_t seed = 1 + (uint32_t)n * 97;
  for (unsigned i = 0; i < 200; i++)
    switch (random_next(&seed) % 3) {
    case 0:
      EXPECT(!close(open("x", O_RDWR | O_CREAT, 0644)));
      break;
    case 1:
      EXPECT(!link("cat", "x") || errno == EEXIST);
      break;
    default:
      EXPECT(!unlink("x") || errno == ENOENT);
    }
}

static void linked_and_unlinked(void) {
  make_closed("cat", "meow");
  together(linking_and_unlinking, 3);
  bool same = is_there("x") && inode_of("x") == inode_of("cat");
  CHECK_EQ(links_of("cat"), same ? 2 : 1);
  CHECK(unlink("x") == 0 || !same);
  holds_text("cat", "meow");
  CHECK_EQ(unlink("cat"), 0);
  CHECK_EQ(names_in("."), 0);
}

/* Each counts in the pipe what it was the first to do. */
static int tally[2];
static void creating_the_same(int n) {
  char path[32];
  for (int i = 0; i < FILES_ENOUGH; i++) {
    snprintf(path, sizeof path, "c%d", (i + 7 * n) % FILES_ENOUGH);
    int fd = open(path, O_CREAT | O_EXCL | O_WRONLY, 0644);
    EXPECT(fd >= 0 || errno == EEXIST);
    EXPECT(fd < 0 || (write(tally[1], "c", 1) == 1 && !close(fd)));
  }
}

static void removing_the_same(int n) {
  char path[32];
  for (int i = 0; i < FILES_ENOUGH; i++) {
    snprintf(path, sizeof path, "c%d", (i + 11 * n) % FILES_ENOUGH);
    int error = unlink(path);
    EXPECT(!error || errno == ENOENT);
    EXPECT(error || write(tally[1], "u", 1) == 1);
  }
}

static void one_of_many_succeeds(void) {
  CHECK_EQ(pipe(tally), 0);
  together(creating_the_same, 4);
  CHECK_EQ(read(tally[0], back, 1000), FILES_ENOUGH);
  CHECK_EQ(names_in("."), FILES_ENOUGH);
  together(removing_the_same, 4);
  CHECK_EQ(read(tally[0], back, 1000), FILES_ENOUGH);
  CHECK_EQ(names_in("."), 0);
  close(tally[0]), close(tally[1]);
}

static void writing_one_of_four(int n) {
  char path[2] = {(char)('a' + n), 0};
  int fd = open(path, O_CREAT | O_RDWR, 0644);
  memset(text, path[0], 500);
  for (unsigned i = 0; i < 12; i++)
    EXPECT(write(fd, text, 500) == 500);
  EXPECT(!close(fd));
}

static void four_files(void) {
  together(writing_one_of_four, 4);
  for (int n = 0; n < 4; n++) {
    char path[2] = {(char)('a' + n), 0};
    memset(text, path[0], 6000);
    holds(path, text, 6000);
    CHECK_EQ(unlink(path), 0);
  }
}

/* 10 bytes of one letter at a time; counted by letter. */
static int shared;
static void writing_records(int n) {
  char record[10];
  memset(record, 'a' + n, sizeof record);
  for (unsigned i = 0; i < 500; i++)
    EXPECT(write(shared, record, sizeof record) == sizeof record);
}

static void count_records(const char *path, int writers) {
  unsigned count[4] = {0}, torn = 0;
  char record[10];
  int fd = open(path, O_RDONLY);
  CHECK_EQ(size_of(path), writers * 5000);
  while (read(fd, record, sizeof record) == sizeof record) {
    count[(record[0] - 'a') & 3]++;
    for (unsigned i = 0; i < sizeof record; i++)
      torn += record[i] != record[0];
  }
  CHECK_EQ(torn, 0);
  for (int n = 0; n < writers; n++)
    CHECK_EQ(count[n], 500);
  close(fd);
  CHECK_EQ(unlink(path), 0);
}

static void shared_descriptor(void) {
  shared = make("f", "");
  together(writing_records, 4);
  CHECK_EQ(lseek(shared, 0, SEEK_CUR), 20000); /* the offset is one for all */
  close(shared);
  count_records("f", 4);
}

static void appending_records(int n) {
  shared = open("f", O_WRONLY | O_APPEND);
  writing_records(n);
}

static void appended_by_many(void) {
  make_closed("f", "");
  together(appending_records, 4);
  count_records("f", 4);
}

static void writing_and_removing(int n) {
  char path[2] = {(char)('a' + n), 0};
  memset(text, path[0], sizeof text);
  for (size_t i = 1; i <= 20; i++) {
    EXPECT(create(path, text, i * 3001));
    int fd = open(path, O_RDONLY);
    EXPECT(read(fd, back, sizeof back) == (ssize_t)i * 3001 && !memcmp(back, text, i * 3001));
    EXPECT(!close(fd) && !unlink(path));
  }
}

static void many_writers(void) {
  together(writing_and_removing, 4);
  CHECK_EQ(names_in("."), 0);
}

static void replacing(int n) {
  (void)n;
  for (unsigned i = 0; i < 200; i++) {
    EXPECT(create("next", i % 2 ? "odd" : "even", i % 2 ? 3 : 4));
    EXPECT(!rename("next", "now"));
  }
}

/* Whoever opens the name finds the old file or the new one, never none and never half. */
static void replaced_at_once(void) {
  make_closed("now", "even");
  pid_t pid = start(replacing, 0);
  for (unsigned i = 0; i < 200; i++) {
    int fd = open("now", O_RDONLY);
    CHECK(fd >= 0);
    ssize_t got = read(fd, back, 10);
    CHECK((got == 3 && !memcmp(back, "odd", 3)) || (got == 4 && !memcmp(back, "even", 4)));
    CHECK_EQ(close(fd), 0);
  }
  ends_well(pid);
  CHECK_EQ(unlink("now"), 0);
}

static void coming_and_going(int n) {
  (void)n;
  for (unsigned i = 0; i < 200; i++) {
    EXPECT(create(name("t", i), "", 0));
    EXPECT(i < 5 || !unlink(name("t", i - 5)));
  }
}

static void read_while_others_change(void) {
  for (unsigned i = 0; i < 10; i++)
    make_closed(name("k", i), "");
  pid_t pid = start(coming_and_going, 0);
  for (unsigned round = 0; round < 30; round++) {
    unsigned kept = 0;
    DIR *directory = opendir(".");
    for (struct dirent *d; (d = readdir(directory));)
      kept += d->d_name[0] == 'k';
    CHECK_EQ(kept, 10);
    CHECK_EQ(closedir(directory), 0);
  }
  ends_well(pid);
  CHECK_EQ(names_in("."), 15);
  for (unsigned i = 0; i < 10; i++)
    CHECK_EQ(unlink(name("k", i)), 0);
  for (unsigned i = 195; i < 200; i++)
    CHECK_EQ(unlink(name("t", i)), 0);
}
#endif

/* ---- Memory full -------------------------------------------------------------------------------------------------------- */
#ifdef __linux__ /* where a full disk is only asked for if it is a small one */
#include <sys/statvfs.h>
static bool can_be_filled(void) {
  struct statvfs s;
  return !statvfs(".", &s) && s.f_blocks * s.f_frsize < 100 << 20;
}
#else
static bool can_be_filled(void) {
  return true;
}
#endif

static off_t fill(int fd) {
  off_t all = 0;
  ssize_t got;
  errno = 0;
  while ((got = write(fd, text, sizeof text)) > 0)
    all += got;
  CHECK_EQ(got, -1);
  CHECK_EQ(errno, ENOSPC);
  return all;
}

/* With `fd` grown until nothing is left: what is there can be read, changed, cut and removed. */
static void used_while_full(int fd, off_t all) {
  struct stat s;
  CHECK_EQ(size_of("full"), all);
  FAILS(write(fd, text, 4096), ENOSPC);
  CHECK_EQ(size_of("full"), all);
  CHECK_EQ(pread(fd, back, 4096, all - 4096), 4096);
  CHECK_EQ(pwrite(fd, "y", 1, all - 1), 1);
  CHECK_EQ(pread(fd, back, 10, all - 1), 1);
  CHECK_EQ(back[0], 'y');
  CHECK(!fstat(fd, &s) && s.st_size == all);
  CHECK_EQ(chdir("d"), 0);
  CHECK_EQ(chdir(".."), 0);
  CHECK_EQ(unlink("d/small"), 0);
  CHECK_EQ(ftruncate(fd, all - 65536 * 2), 0);
  CHECK_EQ(lseek(fd, 0, SEEK_END), all - 65536 * 2);
  CHECK_EQ(write(fd, text, 65536), 65536);
  make_closed("d/small", "again");
  holds_text("d/small", "again");
}

static void fill_and_empty(void) {
  int fd = make("full", "");
  CHECK(fill(fd) > 0);
  CHECK_EQ(close(fd), 0);
  CHECK_EQ(unlink("full"), 0);
}

#ifdef HAVE_FORK
static void using_memory(int n) {
  (void)n;
  char *memory = absent(8 << 20);
  for (unsigned i = 0; i < 8 << 20; i += 4096)
    memory[i] = 1;
}
#endif

/* What files had is free for programs again, in the count of frames after each test too. */
static void filled_and_emptied(void) {
  if (!can_be_filled())
    return;
  fill_and_empty();
#ifdef HAVE_FORK
  ends_well(start(using_memory, 0));
#endif
}

static void filled(void) {
  off_t all[2] = {0, 0};
  if (!can_be_filled())
    return;
  for (unsigned round = 0; round < 2; round++) {
    CHECK_EQ(mkdir("d", 0755), 0);
    make_closed("d/small", "small");
    int fd = make("full", "");
    all[round] = fill(fd);
    used_while_full(fd, all[round]);
    close(fd);
    CHECK_EQ(unlink("full") | unlink("d/small") | rmdir("d"), 0);
  }
  CHECK(all[1] >= all[0] - 65536); /* it has all come back */
}

/* Files of a page until there is no room for one more. */
static unsigned fill_with_files(void) {
  unsigned count = 0;
  for (;; count++) {
    int fd = open(name("i", count), O_CREAT | O_EXCL | O_WRONLY, 0644);
    if (fd < 0)
      break;
    ssize_t got = write(fd, "inode", 5);
    CHECK(got == 5 || (got < 0 && errno == ENOSPC));
    CHECK_EQ(close(fd), 0);
    if (got < 0) {
      CHECK_EQ(size_of(name("i", count)), 0);
      CHECK_EQ(unlink(name("i", count)), 0);
      return count;
    }
  }
  CHECK_EQ(errno, ENOSPC);
  CHECK(!is_there(name("i", count)));
  return count;
}

static void filled_with_files(void) {
  if (!can_be_filled())
    return;
  int fd = make("full", "");
  off_t all = fill(fd);
  CHECK_EQ(ftruncate(fd, all - 40 * 4096), 0);
  for (unsigned round = 0; round < 3; round++) {
    unsigned count = fill_with_files();
    CHECK(count >= 15 && count <= 80); /* a small file may cost a page beside its own */
    CHECK_EQ(names_in("."), count + 1);
    for (unsigned i = 0; i < count; i++) {
      holds_text(name("i", i), "inode");
      CHECK_EQ(unlink(name("i", i)), 0);
    }
  }
  CHECK_EQ(lseek(fd, 0, SEEK_END), all - 40 * 4096);
  CHECK_EQ(write(fd, text, 65536), 65536);
  CHECK_EQ(close(fd), 0);
  CHECK_EQ(unlink("full"), 0);
  CHECK_EQ(names_in("."), 0);
}

static const struct test tests[] = {
    {"a place to work in", scratch_path},
    {"a file is cut while others have it open (truncate1)", cut_while_open},
    {"a write behind an end that was cut leaves a hole (truncate2)", written_behind_the_cut},
    {"names that are not there, or no files (opentest)", opening},
    {"many small writes (writetest)", small_writes},
    {"a file of 8 MiB (writebig)", large_file},
    {"many files (createtest)", many_files},
    {"writes of every size (bigwrite)", odd_sizes},
    {"reads shorter than the writes (bigfile)", read_in_halves},
    {"writes from nowhere leave nothing behind (badwrite)", bad_writes},
    {"flags of open: create, exclusive, cut, directory", opening_flags},
    {"appending goes to the end, wherever that is", appending},
    {"reading what is for writing, and what is closed", wrong_direction},
    {"the edges of lseek", seeking},
    {"the edges of pread and pwrite", at_an_offset},
    {"cut and grown files read as zero", resizing},
    {"duplicates share one offset; a dup2 that fails closes nothing", duplicates},
    {"flags of descriptors and of open files", controlling},
    {"a device is not a terminal", terminals},
    {"what stat says", describing},
    {"what access says", allowed},
    {"a file with two names (linktest)", links},
    {"a file without a name (unlinkread)", without_a_name},
    {"500 names of one file (bigdir)", many_links},
    {"names of 255 bytes, and of 256 (fourteen)", longest_names},
    {"paths up to the limit, and past it", longest_paths},
    {"renaming files over each other", renamed_files},
    {"renaming directories over and into each other", renamed_directories},
    {"into a directory and out again (dirtest)", in_and_out},
    {"paths through directories (subdir)", subdirectories},
    {"dots cannot be removed (rmdot)", removed_dots},
    {"a file is no directory (dirfile)", a_file_as_directory},
    {"empty names, deep down (iref)", empty_names},
    {"dots lead where they should", dots},
    {"a directory is removed under us (iput)", removed_under_us},
    {"a directory changes while it is read", read_while_changing},
#ifdef HAVE_FORK
    {"a file is cut by another process (truncate3)", cut_by_another},
    {"a process ends in a directory that is gone (exitiput)", ended_where_nothing_is},
    {"a directory is removed while others try to open it (openiput)", removed_while_opened},
    {"a directory is removed under another process", removed_by_another},
    {"four processes create and remove (createdelete)", created_and_deleted},
    {"links and unlinks of one name (linkunlink)", linked_and_unlinked},
    {"many create and remove the same, one succeeds (concreate)", one_of_many_succeeds},
    {"four processes write four files (fourfiles)", four_files},
    {"four processes write by one descriptor (sharedfd)", shared_descriptor},
    {"four processes append to one file", appended_by_many},
    {"four processes write and remove (manywrites)", many_writers},
    {"a name is replaced in one step", replaced_at_once},
    {"a directory is changed by another process while it is read", read_while_others_change},
#endif
    {"memory that files had is the programs' again", filled_and_emptied},
    {"no memory for one more page of a file (diskfull)", filled},
    {"no memory for one more file (outofinodes)", filled_with_files},
};

int main(void) {
  memset(back, 0, sizeof back);
  return SCRATCH_RUN("tree", tests);
}
