/* SPDX-License-Identifier: BSD-2-Clause */
/* What the tests of plain POSIX behaviour share. They know nothing of Quire, so that Linux can be asked the same: there
 * they compile with a tap of their own, and run in a directory of their own. */
#ifndef SCRATCH_H
#define SCRATCH_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"

#if __has_include(<sys/mman.h>) /* until fork is there, which comes with it */
#define HAVE_FORK 1
#endif
#ifdef __linux__
#define PATH_LIMIT 4096 /* with the NUL */
#else
#define PATH_LIMIT 1024
#endif

#define FAILS_OR(call, error, other)                                                                                 \
  do {                                                                                                               \
    errno = 0;                                                                                                       \
    CHECK_EQ(call, -1);                                                                                              \
    int error_ = errno;                                                                                              \
    CHECK_EQ(error_, error_ == (other) ? (other) : (error));                                                         \
  } while (0)
#define FAILS(call, error) FAILS_OR(call, error, error)
#define BAD ((char *)0xffffffff80000000) /* nobody's address */

static char scratch[256] = "/tmp/scratch";

/* The first test: where the others come back to. */
static void scratch_path(void) {
  struct stat here, there;
  CHECK(getcwd(scratch, sizeof scratch) != NULL);
  CHECK_EQ(scratch[0], '/');
  CHECK(!stat(".", &here) && !stat(scratch, &there) && here.st_ino == there.st_ino);
}

/* The break moves once and for all, to a page's start. */
static inline void break_settle(void) {
  free(malloc(100000));
  closedir(opendir("."));
  uintptr_t now = (uintptr_t)sbrk(0);
  sbrk((intptr_t)(-now & 4095));
  free(malloc(100000));
  closedir(opendir("."));
}

#define SCRATCH_RUN(group, tests) scratch_run(group, tests, sizeof(tests) / sizeof *(tests))

#ifdef __linux__
/* The tap goes to a place of its own. */
static inline int scratch_run(const char *group, const struct test *tests, unsigned count) {
  umask(0);
  signal(SIGPIPE, SIG_IGN);
  break_settle();
  return tap_run(group, tests, count);
}
#else
/* All tests run before they count: what the server needs once and keeps, it has then, and what it keeps ready lies where it
 * will lie. */
static inline int scratch_run(const char *group, const struct test *tests, unsigned count) {
  CHECK_EQ(mkdir(scratch, 0755), 0);
  CHECK_EQ(chdir(scratch), 0);
  break_settle();
  for (unsigned i = 0; i < 2 * count; i++) {
    if (i % count == 0)
      tap_before(true);
    tests[i % count].run();
  }
  int status = tap_run(group, tests, count);
  CHECK(!chdir("/") && !rmdir(scratch));
  return status;
}
#endif

/* Whole pages that nothing was done to yet. */
static inline char *absent(size_t bytes) {
  return sbrk((intptr_t)bytes);
}

static inline int make(const char *path, const char *text) {
  int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0644);
  CHECK(fd >= 0);
  CHECK_EQ(write(fd, text, strlen(text)), strlen(text));
  return fd;
}

static inline void make_closed(const char *path, const char *text) {
  CHECK_EQ(close(make(path, text)), 0);
}

static inline uint32_t random_next(uint32_t *seed) { /* xorshift (Marsaglia 2003) */
  *seed ^= *seed << 13;
  *seed ^= *seed >> 17;
  return *seed ^= *seed << 5;
}

#ifdef HAVE_FORK
static int wrong; /* in a child: what its status says */
#define EXPECT(condition) ((condition) ? (void)0 : expected(__LINE__, #condition))

static inline void expected(int line, const char *what) {
  printf("# in a child, line %d: %s (errno %d)\n", line, what, errno);
  wrong++;
}

/* A child that runs `body` and ends with 0 if nothing was wrong. */
static inline pid_t start(void (*body)(int), int argument) {
  fflush(stdout);
  pid_t pid = fork();
  CHECK(pid >= 0);
  if (pid)
    return pid;
  wrong = 0;
  body(argument);
  fflush(stdout);
  _exit(wrong != 0);
}

static inline int status_of(pid_t pid) {
  int status = -1;
  CHECK_EQ(waitpid(pid, &status, 0), pid);
  return status;
}

static inline void ends_well(pid_t pid) {
  int status = status_of(pid);
  CHECK(WIFEXITED(status));
  CHECK_EQ(WEXITSTATUS(status), 0);
}

static inline void kill_it(pid_t pid) {
  CHECK_EQ(kill(pid, SIGKILL), 0);
  int status = status_of(pid);
  CHECK(WIFSIGNALED(status));
  CHECK_EQ(WTERMSIG(status), SIGKILL);
}

/* Children 0 to count - 1 at the same time. */
static inline void start_all(void (*body)(int), int count, pid_t *pid) {
  for (int i = 0; i < count; i++)
    pid[i] = start(body, i);
}

static inline void together(void (*body)(int), int count) {
  pid_t pid[32];
  start_all(body, count, pid);
  for (int i = 0; i < count; i++)
    ends_well(pid[i]);
}
#endif
#endif
