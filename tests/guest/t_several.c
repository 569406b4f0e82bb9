/* SPDX-License-Identifier: BSD-2-Clause */
/* What several processes or threads do to the same files, and calls that fail half-way. Run as the first process of the posix
 * server. */
#include "unix.h"

#include <dirent.h>
#include <sys/mman.h>
#include <sys/stat.h>

static off_t size_of(const char *path) {
  struct stat s;
  return stat(path, &s) ? -1 : s.st_size;
}

/* ---- Writers ---------------------------------------------------------------------------------------------------------- */
#define LONG (1 << 20) /* goes on in turns */
#define RECORDS 300

static unsigned count(int fd, char wanted) {
  static char text[16384];
  unsigned n = 0;
  ssize_t got;
  for (off_t at = 0; (got = pread(fd, text, sizeof text, at)) > 0; at += got)
    for (ssize_t i = 0; i < got; i++)
      n += text[i] == wanted;
  if (got < 0)
    printf("# errno %d at %d free %lu\n", errno, (int)n, free_frames());
  return n;
}

/* One writes long pieces, the other short ones meanwhile: all of their bytes are in the file. */
static void write_beside(int mine, int childs) {
  int status, wrong = 0;
  pid_t pid = fork();
  if (!pid) {
    char *text = sbrk(LONG);
    memset(text, 'a', LONG);
    _exit(write(childs, text, LONG) != LONG || write(childs, text, LONG) != LONG);
  }
  for (unsigned i = 0; i < RECORDS; i++, q_yield())
    wrong += write(mine, "bbbbbbbbbb", 10) != 10;
  CHECK_EQ(waitpid(pid, &status, 0), pid);
  CHECK_EQ(status | wrong, 0);
  CHECK_EQ(size_of("/tmp/f"), 2 * LONG + 10 * RECORDS);
  CHECK_EQ(count(mine, 'a'), 2 * LONG);
  CHECK_EQ(count(mine, 'b'), 10 * RECORDS);
}

static void two_append(void) {
  int mine = open("/tmp/f", O_CREAT | O_RDWR | O_APPEND, 0644), childs = open("/tmp/f", O_WRONLY | O_APPEND);
  write_beside(mine, childs);
  close(mine), close(childs);
  CHECK_EQ(unlink("/tmp/f"), 0);
}

static void shared_offset(void) {
  int fd = open("/tmp/f", O_CREAT | O_RDWR, 0644);
  write_beside(fd, fd);
  close(fd);
  CHECK_EQ(unlink("/tmp/f"), 0);
}

/* ---- Calls that fail half-way ------------------------------------------------------------------------------------------- */
static void no_descriptor(void) {
  int fds[POSIX_DESCRIPTORS], n = 0, fd = open("/tmp/f", O_CREAT | O_RDWR, 0644);
  CHECK_EQ(write(fd, "kept", 4), 4);
  while ((fds[n] = dup(fd)) >= 0)
    n++;
  FAILS(open("/tmp/f", O_RDWR | O_TRUNC), EMFILE);
  FAILS(open("/tmp/new", O_CREAT | O_RDWR, 0644), EMFILE);
  CHECK_EQ(size_of("/tmp/f"), 4);
  CHECK_EQ(size_of("/tmp/new"), -1);
  while (n)
    close(fds[--n]);
  FAILS(open("/tmp", O_CREAT | O_RDONLY, 0644), EISDIR);
  FAILS(open("/tmp/f", O_DIRECTORY | O_TRUNC | O_RDWR), ENOTDIR);
  CHECK_EQ(size_of("/tmp/f"), 4);
  CHECK_EQ(dup(fd), fds[0]); /* the failed ones took none */
  close(fd), close(fds[0]);
  CHECK_EQ(unlink("/tmp/f"), 0);
}

/* Of a file of 64 GiB that is all hole: what the pager has no object for is refused, and costs the server nothing for good. */
static void huge_mapping(void) {
  int fd = open("/tmp/f", O_CREAT | O_RDWR, 0644);
  uint64_t before = free_frames();
  for (off_t size = 1l << 36; size > 1l << 20; size /= 2) {
    CHECK_EQ(ftruncate(fd, size), 0);
    uint64_t began = q_instret();
    char *at = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE, fd, 4096);
    CHECK(harts() > 1 || q_instret() - began < 50000000);
    CHECK(at == MAP_FAILED ? errno == ENOMEM : !at[4096]);
    if (at != MAP_FAILED)
      munmap(at, 8192);
    CHECK(size <= 1l << 28 || at == MAP_FAILED);
  }
  close(fd);
  CHECK_EQ(unlink("/tmp/f"), 0);
  CHECK(before - free_frames() < 1200); /* KEPT groups of the server's */
}

/* ---- Large directories -------------------------------------------------------------------------------------------------- */
#define MANY 10000

static void each_of_many(int (*call)(const char *), const char *what) {
  char name[32];
  int wrong = 0;
  uint64_t began = q_instret();
  for (unsigned i = 0; i < MANY; i++) {
    snprintf(name, sizeof name, "/tmp/many/%u", i * 7919 % MANY);
    wrong |= call(name);
  }
  CHECK_EQ(wrong, 0);
  CHECK(harts() > 1 || (q_instret() - began) / MANY < 30000); /* however many there are */
  printf("# %s: %lu instructions each\n", what, (unsigned long)(q_instret() - began) / MANY);
}
static int make(const char *path) {
  int fd = open(path, O_CREAT | O_EXCL | O_WRONLY, 0644);
  return fd < 0 || close(fd);
}
static int look(const char *path) {
  return access(path, F_OK);
}
static int move(const char *path) {
  return rename(path, "/tmp/moved") || rename("/tmp/moved", path);
}

static void many_entries(void) {
  unsigned n = 0;
  CHECK_EQ(mkdir("/tmp/many", 0755), 0);
  each_of_many(make, "create");
  each_of_many(look, "look up");
  each_of_many(move, "rename twice");
  uint64_t began = q_instret();
  DIR *directory = opendir("/tmp/many");
  while (readdir(directory))
    n++;
  closedir(directory);
  printf("# read: %lu instructions each\n", (unsigned long)(q_instret() - began) / MANY);
  CHECK(harts() > 1 || (q_instret() - began) / MANY < 10000);
  CHECK_EQ(n, MANY + 2);
  FAILS(rmdir("/tmp/many"), ENOTEMPTY);
  each_of_many(unlink, "unlink");
  CHECK_EQ(rmdir("/tmp/many"), 0);
}

static const struct test tests[] = {
    {"two append to one file", two_append},
    {"two write by one offset", shared_offset},
    {"no descriptor is left for open", no_descriptor},
    {"a mapping of a huge file", huge_mapping},
    {"a directory of 10,000 names", many_entries},
};

/* What the server keeps is had before anything is counted: first for as many processes as will be, then for the rest. */
int main(void) {
  tap_before(true);
  for (unsigned i = 0; i < 2 * (sizeof tests / sizeof *tests); i++)
    tests[i % (sizeof tests / sizeof *tests)].run();
  return TAP_RUN("several", tests);
}
