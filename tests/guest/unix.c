/* SPDX-License-Identifier: BSD-2-Clause */
/* See unix.h. */
#include "unix.h"

#include <sys/mman.h>
#include <time.h>

uintptr_t given;
const char *own_program;

void must(bool good, const char *file, int line, const char *what, long long a, long long b) {
  if (good)
    return;
  tap_check(false, file, line, what, a, b);
  fflush(stdout);
  _exit(1);
}

static void leave(void) {
}

/* What the first use sets up, and keeps, is set up before anything is counted: in the C library, and in the posix server for
 * many processes, descriptors and pages of files. */
static void warm_up(void) {
  struct gate gate[8];
  pid_t pid[64];
  void *volatile first = malloc(1);
  free(first);
  for (unsigned i = 0; i < 8; i++)
    gate_make(&gate[i]);
  for (unsigned i = 0; i < 64; i++)
    pid[i] = begin(leave);
  for (unsigned i = 0; i < 64; i++)
    exits(pid[i], 0);
  for (unsigned i = 0; i < 8; i++)
    gate_close(&gate[i]);
  int fd = make_file("warm_up", "", 0);
  for (long i = 0; i < 256; i++)
    CHECK_EQ(pwrite(fd, "x", 1, i * PAGE), 1);
  close(fd);
  CHECK_EQ(unlink("warm_up"), 0);
}

void unix_begin(const char *name) {
  static char path[64];
  snprintf(path, sizeof path, "/bin/%s", name);
  own_program = path;
#ifdef __linux__ /* a test program is not installed */
  own_program = "/proc/self/exe";
#endif
  CHECK_EQ(chdir("/tmp"), 0);
  warm_up();
  drop((fresh(1), 1));
}

pid_t begin(body *run) {
  pid_t pid = fork();
  if (!pid) {
    run();
    _exit(0);
  }
  CHECK(pid > 0);
  return pid;
}

pid_t begin_on(body *run, uintptr_t what) {
  given = what;
  return begin(run);
}

int status_of(pid_t pid) {
  int status = -1;
  CHECK_EQ(waitpid(pid, &status, 0), pid);
  return status;
}

void exits(pid_t pid, int expected) {
  int status = status_of(pid);
  CHECK(WIFEXITED(status));
  CHECK(!WIFSIGNALED(status));
  CHECK_EQ(WEXITSTATUS(status), expected);
}

void dies(pid_t pid, int signal) {
  int status = status_of(pid);
  CHECK(!WIFEXITED(status));
  CHECK(WIFSIGNALED(status));
  CHECK_EQ(WTERMSIG(status), signal);
}

unsigned drain(void) {
  unsigned count = 0;
  while (waitpid(-1, NULL, 0) > 0)
    count++;
  CHECK_EQ(errno, ECHILD);
  return count;
}

void gate_make(struct gate *gate) {
  CHECK_EQ(pipe(gate->fd), 0);
}

void gate_open(const struct gate *gate) {
  MUST_EQ(write(gate->fd[1], "", 1), 1);
}

void gate_pass(const struct gate *gate) {
  char byte;
  MUST_EQ(read(gate->fd[0], &byte, 1), 1);
}

void gate_close(const struct gate *gate) {
  CHECK_EQ(close(gate->fd[0]), 0);
  CHECK_EQ(close(gate->fd[1]), 0);
}

/* malloc() moves the break too, and on Quire by as little as it needs. */
char *fresh(long pages) {
  sbrk((intptr_t)(-(uintptr_t)sbrk(0) & (PAGE - 1)));
  char *at = sbrk(pages * PAGE);
  MUST(at != (char *)-1);
  MUST_EQ((uintptr_t)at % PAGE, 0);
  return at;
}

void drop(long pages) {
  MUST(sbrk(-pages * PAGE) != (void *)-1);
}

char *map_pages(long pages) {
  char *at = mmap(NULL, (size_t)(pages * PAGE), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  MUST(at != MAP_FAILED);
  return at;
}

void unmap_pages(char *at, long pages) {
  MUST_EQ(munmap(at, (size_t)(pages * PAGE)), 0);
}

static char content(long at, unsigned seed) {
  return (char)((unsigned long)at * 31 + (unsigned long)at / 4096 * 7 + seed * 101 + 1);
}

void fill(char *at, long bytes, unsigned seed) {
  for (long i = 0; i < bytes; i++)
    at[i] = content(i, seed);
}

bool filled(const char *at, long bytes, unsigned seed) {
  for (long i = 0; i < bytes; i++)
    if (at[i] != content(i, seed))
      return false;
  return true;
}

bool zero(const char *at, long bytes) {
  for (long i = 0; i < bytes; i++)
    if (at[i])
      return false;
  return true;
}

int make_file(const char *path, const char *text, size_t bytes) {
  int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0644);
  MUST(fd >= 0);
  MUST_EQ(write(fd, text, bytes), bytes);
  MUST_EQ(lseek(fd, 0, SEEK_SET), 0);
  return fd;
}

#ifdef __linux__ /* which has no such clock as q_time() */
uint64_t milliseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}
#else
uint64_t milliseconds(void) {
  return q_time() / (p_timebase() / 1000);
}
#endif

void pause_for(unsigned ms) {
  usleep(ms * 1000);
}
