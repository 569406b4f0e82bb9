/* SPDX-License-Identifier: BSD-2-Clause */
/* Files, directories, descriptors and pipes, run as the first process of the posix server. What a path means is tested on the
 * host beside another file system (tests/host/tree_test.c); here it is the way through the server. */
#include "unix.h"

#include <dirent.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

#define BAD ((char *)0xffffffff80000000)

/* Opened at its end. */
static int make(const char *path, const char *text) {
  int fd = make_file(path, text, strlen(text));
  lseek(fd, 0, SEEK_END);
  return fd;
}

/* ---- Files ------------------------------------------------------------------------------------------------------------ */
static void offsets(void) {
  char back[16] = {0};
  int fd = make("/tmp/f", "0123456789"), same = dup(fd), other = open("/tmp/f", O_RDONLY);
  CHECK_EQ(lseek(fd, 3, SEEK_SET), 3);
  CHECK_EQ(read(same, back, 2), 2); /* a duplicate shares the offset */
  CHECK(!memcmp(back, "34", 2));
  CHECK_EQ(lseek(fd, 0, SEEK_CUR), 5);
  CHECK_EQ(read(other, back, 16), 10); /* another open file does not */
  CHECK_EQ(read(other, back, 16), 0);
  CHECK_EQ(pread(fd, back, 3, 7), 3);
  CHECK(!memcmp(back, "789", 3));
  CHECK_EQ(pwrite(fd, "ab", 2, 9), 2);
  CHECK_EQ(lseek(fd, 0, SEEK_CUR), 5);
  CHECK_EQ(lseek(fd, -1, SEEK_END), 10);
  FAILS(lseek(fd, -1, SEEK_SET), EINVAL);
  FAILS(lseek(fd, 0, 7), EINVAL);
  FAILS(pread(fd, back, 1, -1), EINVAL);
  FAILS(write(other, "x", 1), EBADF);
  close(fd), close(same), close(other);
  CHECK_EQ(unlink("/tmp/f"), 0);
}

static void holes_and_ends(void) {
  struct stat s;
  char *back = fresh(3);
  int fd = make("/tmp/f", "x");
  CHECK_EQ(pwrite(fd, "y", 1, 100000), 1);
  CHECK(!fstat(fd, &s) && s.st_size == 100001);
  CHECK_EQ(pread(fd, back, 12288, 90000), 10001); /* into pages that are not there yet */
  CHECK(back[0] == 0 && back[9999] == 0 && back[10000] == 'y');
  CHECK_EQ(ftruncate(fd, 99999), 0);
  CHECK_EQ(ftruncate(fd, 100002), 0);
  CHECK_EQ(pread(fd, back, 10, 99995), 7);
  CHECK(back[5] == 0); /* what was cut off does not come back */
  FAILS(ftruncate(fd, -1), EINVAL);
  FAILS(pwrite(fd, "x", 1, 1l << 41), EFBIG);
  FAILS(pwrite(fd, "x", 1, INT64_MAX), EFBIG);
  FAILS(ftruncate(fd, 1l << 41), EFBIG);
  FAILS(lseek(fd, 1l << 41, SEEK_SET), EINVAL);
  CHECK_EQ(lseek(fd, 1l << 36, SEEK_SET), 1l << 36);
  FAILS(lseek(fd, 1, SEEK_CUR), EINVAL);
  FAILS(write(fd, "x", 1), EFBIG);
  close(fd);
  CHECK_EQ(unlink("/tmp/f"), 0);
  free(NULL);
  sbrk(-3 * 4096);
}

/* One byte, far out: it costs its page and two tables, and reads back. */
static void sparse(void) {
  char back[2] = "zz";
  int fd = make("/tmp/f", "a");
  uint64_t before = free_frames();
  CHECK_EQ(pwrite(fd, "b", 1, (1l << 36) - 1), 1);
  CHECK(before - free_frames() < 100);
  CHECK_EQ(pread(fd, back, 2, (1l << 36) - 2), 2);
  CHECK(back[0] == 0 && back[1] == 'b');
  CHECK_EQ(ftruncate(fd, 1), 0);
  close(fd);
  CHECK_EQ(unlink("/tmp/f"), 0);
}

/* What a write had copied when it failed is nobody's to see, though its page is there. */
static void failed_write(void) {
  char back[64] = "x", *page = fresh(1);
  int fd = make("/tmp/f", "a");
  memset(page + 4096 - 32, 's', 32);
  FAILS(pwrite(fd, page + 4096 - 32, 64, 1), EFAULT); /* its second half lies at the break */
  FAILS(pwrite(fd, page + 4096 - 32, 64, 100000), EFAULT);
  CHECK_EQ(ftruncate(fd, 200000), 0);
  CHECK_EQ(pread(fd, back, 33, 0), 33);
  for (unsigned i = 1; i < 33; i++)
    CHECK_EQ(back[i], 0);
  CHECK_EQ(pread(fd, back, 32, 100000), 32);
  for (unsigned i = 0; i < 32; i++)
    CHECK_EQ(back[i], 0);
  close(fd);
  sbrk(-4096);
  CHECK_EQ(unlink("/tmp/f"), 0);
}

static void appending(void) {
  char back[8];
  int fd = make("/tmp/f", "ab"), end = open("/tmp/f", O_WRONLY | O_APPEND);
  CHECK_EQ(lseek(end, 0, SEEK_SET), 0);
  CHECK_EQ(write(end, "cd", 2), 2);
  CHECK_EQ(pread(fd, back, 8, 0), 4);
  CHECK(!memcmp(back, "abcd", 4));
  CHECK_EQ(fcntl(end, F_GETFL) & O_APPEND, O_APPEND);
  close(end);
  FAILS(open("/tmp/f", O_CREAT | O_EXCL | O_RDWR, 0600), EEXIST);
  end = open("/tmp/f", O_TRUNC | O_WRONLY);
  CHECK_EQ(pread(fd, back, 8, 0), 0);
  close(end), close(fd);
  CHECK_EQ(unlink("/tmp/f"), 0);
}

/* It stays usable, and its memory is free when the last descriptor is closed. */
static void unlinked_while_open(void) {
  static char text[65536];
  char back[4];
  for (unsigned round = 0; round < 3; round++) {
    int fd = make("/tmp/gone", "abcd");
    CHECK_EQ(write(fd, text, sizeof text), sizeof text);
    CHECK_EQ(unlink("/tmp/gone"), 0);
    FAILS(open("/tmp/gone", O_RDONLY), ENOENT);
    CHECK_EQ(pread(fd, back, 4, 0), 4);
    CHECK(!memcmp(back, "abcd", 4));
    close(fd);
  }
}

static void bad_pointers(void) {
  int fd = make("/tmp/f", "abc");
  FAILS(write(fd, BAD, 3), EFAULT);
  FAILS(pread(fd, BAD, 3, 0), EFAULT);
  FAILS(pread(fd, (void *)"text", 3, 0), EFAULT);
  int64_t page = (int64_t)fresh(1);
  CHECK_EQ(pwrite(fd, (char *)page + 4090, 100, 0) > 100, 0); /* past the break: not all of it */
  struct q_call c = {.label = POSIX_open, .read = BAD, .read_bytes = 5};
  CHECK_EQ(q_call(p_server, &c), 0);
  CHECK_EQ(c.label, EFAULT);
  c = (struct q_call){.label = POSIX_unlink, .read = "/tmp/f", .read_bytes = 6}; /* no NUL */
  CHECK_EQ(q_call(p_server, &c), 0);
  CHECK_EQ(c.label, EINVAL);
  c = (struct q_call){.label = POSIX_rename, .read = "/tmp/f", .read_bytes = 7}; /* one path */
  CHECK_EQ(q_call(p_server, &c), 0);
  CHECK_EQ(c.label, EINVAL);
  close(fd);
  CHECK_EQ(unlink("/tmp/f"), 0);
  sbrk(-4096);
}

static void big_files(void) {
  static char text[16384], back[16384];
  int fd = make("/tmp/big", "");
  for (unsigned i = 0; i < 64; i++) {
    memset(text, (int)('a' + i % 26), sizeof text);
    CHECK_EQ(write(fd, text, sizeof text), sizeof text);
  }
  char *all = fresh(MIB / PAGE);
  CHECK_EQ(pread(fd, all, 1 << 20, 0), 1 << 20); /* in turns */
  for (unsigned i = 0; i < 64; i++)
    CHECK(all[i * 16384] == (char)('a' + i % 26) && all[i * 16384 + 16383] == (char)('a' + i % 26));
  CHECK_EQ(pwrite(fd, all, 1 << 20, 5), 1 << 20);
  CHECK_EQ(pread(fd, back, 10, 1 << 20), 5);
  int zero = open("/dev/zero", O_RDONLY);
  CHECK_EQ(read(zero, all, 1 << 20), 1 << 20);
  CHECK(!all[0] && !all[(1 << 20) - 1]);
  close(zero), close(fd);
  sbrk(-(1 << 20));
  CHECK_EQ(unlink("/tmp/big"), 0);
}

/* What went before the bad page is the result; what came with it is not the file's. */
static void half_good_buffers(void) {
  char back[4], *page = fresh(3);
  struct stat s;
  int fd = make("/tmp/f", "");
  memset(page, 'x', 3 * 4096);
  CHECK_EQ(write(fd, page, 4 * 4096), 3 * 4096);
  CHECK_EQ(lseek(fd, 0, SEEK_CUR), 3 * 4096);
  CHECK(!fstat(fd, &s) && s.st_size == 3 * 4096);
  CHECK_EQ(pwrite(fd, page, 3 * 4096, 3 * 4096), 3 * 4096);
  CHECK_EQ(pread(fd, page, 5 * 4096, 0), 3 * 4096);
  FAILS(pread(fd, page + 3 * 4096, 4, 0), EFAULT);
  CHECK_EQ(pread(fd, back, 4, 6 * 4096 - 2), 2);
  close(fd);
  sbrk(-3 * 4096);
  CHECK_EQ(unlink("/tmp/f"), 0);
}

/* ---- Mappings ----------------------------------------------------------------------------------------------------------- */
static char *map_file(const char *path, size_t bytes, int prot, off_t offset) {
  int fd = open(path, O_RDONLY);
  char *at = mmap(NULL, bytes, prot, MAP_PRIVATE, fd, offset);
  close(fd);
  return at;
}

/* It has what the file held then, whatever happens to the file, and what is written there is not the file's. */
static void mapped_files(void) {
  char back[8] = "";
  int fd = make("/tmp/f", "one");
  CHECK_EQ(pwrite(fd, "two", 3, 2 * 4096), 3);
  char *all = map_file("/tmp/f", 3 * 4096, PROT_READ | PROT_WRITE, 0),
       *last = map_file("/tmp/f", 4096, PROT_READ, 8192);
  CHECK(all != MAP_FAILED && last != MAP_FAILED);
  CHECK_EQ(pwrite(fd, "ONE", 3, 0), 3);
  CHECK_EQ(ftruncate(fd, 4), 0);
  CHECK(!strcmp(all, "one") && !all[4096] && !strcmp(all + 8192, "two") && !strcmp(last, "two"));
  strcpy(all, "private");
  CHECK_EQ(pread(fd, back, 8, 0), 4);
  CHECK(!strcmp(back, "ONE"));
  char *later = map_file("/tmp/f", 4096, PROT_READ, 0);
  CHECK(!strcmp(later, "ONE"));
  close(fd);
  CHECK_EQ(unlink("/tmp/f"), 0);
  CHECK(!strcmp(all, "private") && !strcmp(later, "ONE"));
  CHECK_EQ(munmap(all, 3 * 4096) | munmap(last, 4096) | munmap(later, 4096), 0);
}

static void mapped_image(void) { /* whose file has pages and an object from then on, until it goes */
  char *image = map_file("/bin/wc", 4096, PROT_READ, 0);
  CHECK(!memcmp(image, "\177ELF", 4));
  CHECK_EQ(unlink("/bin/wc"), 0);
  CHECK_EQ(munmap(image, 4096), 0);
}

static void refused_mappings(void) {
  int fd = make("/tmp/f", "x"), out = open("/tmp/f", O_WRONLY), p[2];
  CHECK_EQ(pipe(p), 0);
#define NO_MAP(error, ...)                                                                                           \
  do {                                                                                                               \
    errno = 0;                                                                                                       \
    CHECK(mmap(__VA_ARGS__) == MAP_FAILED);                                                                          \
    CHECK_EQ(errno, error);                                                                                          \
  } while (0)
  NO_MAP(EBADF, NULL, 4096, PROT_READ, MAP_PRIVATE, 99, 0);
  NO_MAP(EACCES, NULL, 4096, PROT_READ, MAP_PRIVATE, out, 0);
  NO_MAP(ENODEV, NULL, 4096, PROT_READ, MAP_PRIVATE, p[0], 0);
  NO_MAP(ENODEV, NULL, 4096, PROT_READ, MAP_PRIVATE, 0, 0);
  NO_MAP(ENXIO, NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 4096);
  NO_MAP(EINVAL, NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 1);
  NO_MAP(EINVAL, NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
  NO_MAP(EINVAL, NULL, 4096, PROT_READ, 0, fd, 0);
  NO_MAP(EINVAL, NULL, 0, PROT_READ, MAP_PRIVATE, fd, 0);
  NO_MAP(ENOTSUP, NULL, 4096, PROT_WRITE | PROT_EXEC, MAP_PRIVATE, fd, 0);
  NO_MAP(ENOMEM, NULL, 1ul << 40, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  NO_MAP(EINVAL, (void *)((uintptr_t)refused_mappings & ~4095ul), 4096, PROT_READ,
         MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  close(fd), close(out), close(p[0]), close(p[1]);
  CHECK_EQ(unlink("/tmp/f"), 0);
}

static void anonymous_mappings(void) {
  char *at = mmap(NULL, 16 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(at != MAP_FAILED);
  for (unsigned i = 0; i < 16; i++)
    CHECK_EQ(at[i * 4096]++, 0);
  CHECK_EQ(mprotect(at, 4096, PROT_READ), 0);
  FAILS(pread(open("/dev/zero", O_RDONLY), at, 1, 0), EFAULT);
  close(3);
  CHECK_EQ(munmap(at + 4096, 14 * 4096), 0);
  CHECK_EQ(at[0] + at[15 * 4096], 2);
  CHECK_EQ(munmap(at, 16 * 4096), 0);
  FAILS(munmap(at + 1, 4096), EINVAL);
}

/* More files with objects than are kept, each mapped and gone. */
static void many_mapped_files(void) {
  char name[32];
  for (unsigned i = 0; i < 200; i++) {
    snprintf(name, sizeof name, "/tmp/m%u", i);
    close(make(name, name));
    char *at = map_file(name, 4096, PROT_READ, 0);
    CHECK(at != MAP_FAILED && !strcmp(at, name));
    CHECK_EQ(munmap(at, 4096), 0);
  }
  for (unsigned i = 0; i < 200; i++) {
    snprintf(name, sizeof name, "/tmp/m%u", i);
    CHECK_EQ(unlink(name), 0);
  }
}

/* Files take at most half of the memory, and then everything else still works; when they are gone all of it is back. */
static void full(void) {
  static char text[65536];
  struct p_death death;
  uint64_t before = free_frames(), kept;
  int fd = make("/tmp/full", "");
  ssize_t got;
  while ((got = write(fd, text, sizeof text)) > 0)
    ;
  CHECK_EQ(errno, ENOSPC);
  kept = free_frames();
  CHECK(before - kept > before / 3 && kept > before / 3);
  int other = open("/tmp/other", O_CREAT | O_RDWR, 0644);
  FAILS(write(other, "x", 1), ENOSPC);
  close(other);
  CHECK_EQ(unlink("/tmp/other"), 0);
  int64_t pid = px_spawn(ARGV("echo", "# still there"), NULL, 0);
  CHECK_EQ(px_wait((uint64_t)pid, 0, &death), pid);
  CHECK_EQ(ftruncate(fd, 4096), 0);
  close(fd);
  CHECK_EQ(unlink("/tmp/full"), 0);
}

/* ---- Time ----------------------------------------------------------------------------------------------------------------- */
static void clocks(void) {
  struct timespec a, b;
  CHECK_EQ(clock_gettime(CLOCK_MONOTONIC, &a), 0);
  CHECK_EQ(nanosleep(&(struct timespec){0, 20000000}, &b), 0);
  CHECK_EQ(clock_gettime(CLOCK_MONOTONIC, &b), 0);
  int64_t slept = (b.tv_sec - a.tv_sec) * 1000000000 + b.tv_nsec - a.tv_nsec;
  CHECK(slept >= 20000000 && slept < 1000000000);
  FAILS(nanosleep(&(struct timespec){0, 1000000000}, NULL), EINVAL);
  FAILS(nanosleep(&(struct timespec){-1, 0}, NULL), EINVAL);
  FAILS(clock_gettime((clockid_t)77, &a), EINVAL);
  CHECK(!clock_getres(CLOCK_REALTIME, &a) && a.tv_nsec >= 1);
  CHECK_EQ(sysconf(_SC_PAGESIZE), 4096);
  CHECK_EQ(sysconf(_SC_OPEN_MAX), POSIX_DESCRIPTORS);
  CHECK_EQ(sysconf(_SC_NPROCESSORS_ONLN), harts());
  CHECK_EQ(sysconf(_SC_NPROCESSORS_CONF), harts());
  FAILS(sysconf(-5), EINVAL);
  CHECK(time(NULL) >= 0 && time(NULL) < 1000);
}

/* ---- Descriptors ------------------------------------------------------------------------------------------------------ */
static void descriptors(void) {
  int fds[POSIX_DESCRIPTORS], n = 0, fd;
  while ((fd = open("/dev/null", O_RDWR)) >= 0)
    fds[n++] = fd;
  CHECK_EQ(errno, EMFILE);
  CHECK_EQ(n, POSIX_DESCRIPTORS - 3);
  FAILS(dup(0), EMFILE);
  int ends[2];
  FAILS(pipe(ends), EMFILE);
  close(fds[5]);
  FAILS(pipe(ends), EMFILE);                     /* one is too few, and is not lost */
  CHECK_EQ(open("/dev/null", O_RDONLY), fds[5]); /* the lowest */
  CHECK_EQ(dup2(fds[0], fds[1]), fds[1]);
  CHECK_EQ(dup2(fds[0], fds[0]), fds[0]);
  FAILS(dup2(fds[0], POSIX_DESCRIPTORS), EBADF);
  FAILS(dup2(-1, 3), EBADF);
  for (int i = 0; i < n; i++)
    CHECK_EQ(close(fds[i]), 0);
  FAILS(close(fds[0]), EBADF);
  FAILS(close(-1), EBADF);
  FAILS(read(63, &fd, 1), EBADF);
  CHECK_EQ(fcntl(0, F_DUPFD, 20), 20);
  CHECK_EQ(fcntl(20, F_GETFD), 0);
  CHECK_EQ(fcntl(20, F_SETFD, FD_CLOEXEC), 0);
  CHECK_EQ(fcntl(20, F_GETFD), FD_CLOEXEC);
  FAILS(fcntl(20, 77), EINVAL);
  CHECK(isatty(20));
  close(20);
}

static void inherited(void) {
  struct p_death death;
  char back[16] = {0};
  int fd = make("/tmp/out", ""), saved = fcntl(1, F_DUPFD_CLOEXEC, 10);
  dup2(fd, 1);
  int64_t pid = px_spawn(ARGV("echo", "one"), NULL, 0);
  dup2(saved, 1);
  close(saved);
  CHECK_EQ(px_wait((uint64_t)pid, 0, &death), pid);
  CHECK_EQ(pread(fd, back, 15, 0), 4);
  CHECK(!strcmp(back, "one\n"));
  CHECK_EQ(lseek(fd, 0, SEEK_CUR), 4); /* the offset is shared with the child */
  close(fd);
  CHECK_EQ(unlink("/tmp/out"), 0);
}

/* ---- Pipes ------------------------------------------------------------------------------------------------------------- */
static void pipes(void) {
  int p[2];
  char back[8];
  CHECK_EQ(pipe(p), 0);
  CHECK_EQ(write(p[1], "hello", 5), 5);
  CHECK_EQ(read(p[0], back, 3), 3);
  CHECK_EQ(read(p[0], back, 8), 2);
  CHECK(!memcmp(back, "lo", 2));
  FAILS(write(p[0], "x", 1), EBADF);
  FAILS(read(p[1], back, 1), EBADF);
  FAILS(lseek(p[0], 0, SEEK_SET), ESPIPE);
  FAILS(pread(p[0], back, 1, 0), ESPIPE);
  CHECK_EQ(read(p[0], back, 0), 0);
  CHECK_EQ(close(p[1]), 0);
  CHECK_EQ(read(p[0], back, 8), 0); /* nobody can write any more */
  close(p[0]);
  CHECK_EQ(pipe(p), 0);
  close(p[0]);
  FAILS(write(p[1], "x", 1), EPIPE);
  close(p[1]);
}

static int pump[2];
static volatile ssize_t pumped;
static void writer(void *argument) {
  (void)argument;
  static char text[100000];
  for (unsigned i = 0; i < sizeof text; i++)
    text[i] = (char)(i % 251);
  pumped = write(pump[1], text, sizeof text);
}

/* More than it holds: the writer waits for the reader, and the other way round. */
static void full_and_empty(void) {
  struct p_thread thread;
  static char back[1000];
  unsigned at = 0, wrong = 0;
  CHECK_EQ(pipe(pump), 0);
  pumped = 0;
  CHECK_EQ(p_thread_start(&thread, writer, NULL, Q_PRIORITY_PROGRAM), 0);
  while (at < 100000) {
    ssize_t got = read(pump[0], back, at % 3 ? 1000 : 7);
    CHECK(got > 0);
    if (got <= 0)
      break;
    for (ssize_t i = 0; i < got; i++, at++)
      wrong += back[i] != (char)(at % 251);
  }
  CHECK_EQ(wrong, 0);
  q_sleep_until(q_time() + 100000);
  CHECK_EQ(pumped, 100000);
  p_thread_free(&thread);
  close(pump[0]), close(pump[1]);
}

/* A reader that is killed while it waits takes its end with it. */
static void the_other_end_dies(void) {
  struct p_death death;
  int p[2], saved = fcntl(0, F_DUPFD_CLOEXEC, 10);
  CHECK_EQ(pipe(p), 0);
  fcntl(p[1], F_SETFD, FD_CLOEXEC);
  dup2(p[0], 0);
  close(p[0]);
  int64_t pid = px_spawn(ARGV("cat"), NULL, 0);
  dup2(saved, 0);
  close(saved);
  q_sleep_until(q_time() + 100000);
  CHECK_EQ(px_kill((uint64_t)pid, 9), 0);
  CHECK_EQ(px_wait((uint64_t)pid, 0, &death), pid);
  FAILS(write(p[1], "x", 1), EPIPE);
  close(p[1]);
}

/* ---- Directories -------------------------------------------------------------------------------------------------------- */
static unsigned names(const char *path) {
  unsigned n = 0;
  DIR *directory = opendir(path);
  CHECK(directory != NULL);
  while (directory && readdir(directory))
    n++;
  closedir(directory);
  return n;
}

static void directories(void) {
  char path[64], longest[300];
  CHECK_EQ(mkdir("/tmp/d", 0755), 0);
  CHECK_EQ(names("/tmp/d"), 2);
  FAILS(mkdir("/tmp/d", 0755), EEXIST);
  CHECK_EQ(chdir("/tmp/d"), 0);
  close(make("a", "x"));
  CHECK_EQ(link("a", "b"), 0);
  CHECK_EQ(rename("b", "c"), 0);
  CHECK_EQ(names("."), 4);
  CHECK(getcwd(path, sizeof path) && !strcmp(path, "/tmp/d"));
  CHECK(!getcwd(path, 6) && errno == ERANGE);
  FAILS(rmdir("/tmp/d"), ENOTEMPTY);
  FAILS(unlink("/tmp/d"), EPERM);
  FAILS(open("a/b", O_RDONLY), ENOTDIR);
  FAILS(open("/tmp", O_WRONLY), EISDIR);
  FAILS(open("", O_RDONLY), ENOENT);
  FAILS(chdir("a"), ENOTDIR);
  memset(longest, 'n', sizeof longest);
  longest[256] = 0;
  FAILS(mkdir(longest, 0755), ENAMETOOLONG);
  longest[255] = 0;
  CHECK_EQ(mkdir(longest, 0755), 0);
  CHECK_EQ(rmdir(longest), 0);
  CHECK_EQ(unlink("a") | unlink("c"), 0);
  CHECK_EQ(rmdir("../d"), 0);
  CHECK(!getcwd(path, sizeof path) && errno == ENOENT); /* it is gone, and we are in it */
  FAILS(open("x", O_CREAT | O_RDWR, 0644), ENOENT);
  CHECK_EQ(chdir("/"), 0);
  int fd = open("/tmp", O_RDONLY);
  FAILS(read(fd, path, 1), EISDIR);
  close(fd);
}

/* Entries may be made and removed while it is read: each that was there all the time comes once. */
static void reading_while_changing(void) {
  char name[270];
  unsigned seen = 0;
  for (unsigned i = 0; i < 20; i++) {
    snprintf(name, sizeof name, "/tmp/%u", i);
    close(make(name, ""));
  }
  DIR *directory = opendir("/tmp");
  for (struct dirent *d; (d = readdir(directory));) {
    snprintf(name, sizeof name, "/tmp/%s", d->d_name);
    seen += d->d_name[0] != '.' && !unlink(name);
  }
  closedir(directory);
  CHECK_EQ(seen, 20);
  CHECK_EQ(names("/tmp"), 2);
}

/* The first leaves the server's memory as the warming up did; the others need no more than it keeps. */
static const struct test tests[] = {
    {"no memory left for files", full},
    {"offsets of files, duplicates and other openings", offsets},
    {"holes, and ends that were cut off", holes_and_ends},
    {"one byte at the end of the largest file", sparse},
    {"a write that fails shows nothing", failed_write},
    {"appending, creating and cutting", appending},
    {"a file without a name stays while it is open", unlinked_while_open},
    {"bad pointers, paths without an end", bad_pointers},
    {"a megabyte in one call", big_files},
    {"a buffer that ends half-way", half_good_buffers},
    {"a mapped file, and what becomes of it", mapped_files},
    {"a mapped file of the boot image", mapped_image},
    {"mappings that are refused", refused_mappings},
    {"anonymous mappings in pieces", anonymous_mappings},
    {"more mapped files than the pager has objects for", many_mapped_files},
    {"clocks and sleeps", clocks},
    {"every descriptor in use", descriptors},
    {"a child's descriptors are its parent's", inherited},
    {"pipes, and ends that are closed", pipes},
    {"a pipe that is full, and empty", full_and_empty},
    {"a reader is killed", the_other_end_dies},
    {"directories, and one that is removed under us", directories},
    {"a directory changes while it is read", reading_while_changing},
};

/* The server keeps the memory that it has had once; so it gets more of it here than any test needs. */
static void warm_up(void) {
  static char text[16384];
  int fd = make("/tmp/warm", "");
  for (unsigned i = 0; i < 256; i++)
    CHECK_EQ(write(fd, text, sizeof text), sizeof text);
  close(fd);
  unlink("/tmp/warm");
  many_mapped_files();
  sparse();
  full();
}

int main(void) {
  free(malloc(4096));
  warm_up();
  return TAP_RUN("files", tests);
}
