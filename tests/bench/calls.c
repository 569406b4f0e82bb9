/* SPDX-License-Identifier: BSD-2-Clause */
/* Processes that do nothing but call the posix server, each a file or a pipe of its own: calls KIND PROCESSES CALLS. They begin together.
 * Prints how long that took all of them, and what the kernel counted meanwhile; smp.py reads it. */
#include "../guest/tap.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096
#define MOST 8 /* at once */

static char block[PAGE] __attribute__((aligned(PAGE)));
static int fd, pipes[2];

static void read_page(void) {
  CHECK_EQ(pread(fd, block, PAGE, 0), PAGE);
}

static void read_some(void) {
  CHECK_EQ(pread(fd, block, 64, 0), 64);
}

static void write_page(void) {
  CHECK_EQ(pwrite(fd, block, PAGE, 0), PAGE);
}

static void status(void) {
  struct stat out;
  CHECK_EQ(fstat(fd, &out), 0);
}

static void identity(void) {
  CHECK(getppid() > 0);
}

static void open_and_close(void) {
  int other = open("/tmp/calls", O_RDONLY);
  CHECK(other > fd);
  CHECK_EQ(close(other), 0);
}

static void through_pipe(void) {
  CHECK_EQ(write(pipes[1], block, 64), 64);
  CHECK_EQ(read(pipes[0], block, 64), 64);
}

static const struct kind {
  const char *name;
  void (*call)(void);
} kinds[] = {{"read4096", read_page}, {"read64", read_some},    {"write4096", write_page}, {"stat", status},
             {"identity", identity},  {"open", open_and_close}, {"pipe", through_pipe}};

static int open_own(unsigned i) {
  char name[] = "/tmp/calls0";
  name[sizeof name - 2] = (char)('0' + i);
  int opened = open(name, O_RDWR | O_CREAT, 0600);
  CHECK_EQ(write(opened, block, PAGE), PAGE);
  return opened;
}

/* Ready, it says so, and begins when it is told to. */
static void work(const struct kind *kind, unsigned i, unsigned long calls, int ready, int go) {
  char byte = 0;
  fd = open_own(i);
  CHECK_EQ(pipe(pipes), 0);
  for (unsigned warm = 0; warm < 16; warm++)
    kind->call();
  CHECK_EQ(write(ready, &byte, 1), 1);
  CHECK_EQ(read(go, &byte, 1), 1);
  while (calls--)
    kind->call();
  _exit(0);
}

void count_begin(void);
void count_end(void);
__attribute__((noinline)) void count_begin(void) {
  __asm__ volatile("");
}
__attribute__((noinline)) void count_end(void) {
  __asm__ volatile("nop");
}

static const struct kind *kind_of(const char *name) {
  for (unsigned i = 0; i < sizeof kinds / sizeof *kinds; i++)
    if (!strcmp(kinds[i].name, name))
      return &kinds[i];
  return NULL;
}

static void transfer(ssize_t (*move)(int, char *, size_t), int end, unsigned count) {
  char bytes[MOST] = {0};
  for (unsigned n = 0; n < count; n++)
    CHECK_EQ(move(end, bytes, 1), 1);
}

static ssize_t give(int end, char *bytes, size_t n) {
  return write(end, bytes, n);
}

static ssize_t take(int end, char *bytes, size_t n) {
  return read(end, bytes, n);
}

int main(int argc, char **argv) {
  const struct kind *kind = argc == 4 ? kind_of(argv[1]) : NULL;
  unsigned count = kind ? (unsigned)atoi(argv[2]) : 0;
  int ready[2], go[2];
  if (!kind || !count || count > MOST) {
    printf("usage: calls KIND PROCESSES CALLS, PROCESSES at most %d\n", MOST);
    return 2;
  }
  fd = open("/tmp/calls", O_RDWR | O_CREAT, 0600);
  CHECK(fd >= 0 && !pipe(ready) && !pipe(go));
  for (unsigned i = 0; i < count; i++)
    if (!fork())
      work(kind, i, strtoul(argv[3], NULL, 0), ready[1], go[0]);
  transfer(take, ready[0], count);
  struct q_info before = kernel_info(), after;
  count_begin();
  uint64_t start = q_time();
  transfer(give, go[1], count);
  for (unsigned i = 0; i < count; i++) {
    int result;
    CHECK(wait(&result) > 0 && !result);
  }
  uint64_t ticks = q_time() - start;
  count_end();
  after = kernel_info();
#define SINCE(field) (unsigned long)(after.field - before.field)
  printf("# calls {\"ticks\": %lu, \"harts\": %lu, \"contended\": %lu, \"exclusive\": %lu, \"kicks\": %lu, "
         "\"shootdowns\": %lu, \"moves\": %lu}\n",
         (unsigned long)ticks, (unsigned long)after.harts, SINCE(contended), SINCE(exclusive), SINCE(kicks),
         SINCE(shootdowns), SINCE(moves));
  return 0;
}
