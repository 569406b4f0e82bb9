/* SPDX-License-Identifier: BSD-2-Clause */
/* What programs of UNIX do most: reading, pipes, fork, exec, and the copying that a fork puts off. */
#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "measure.h"

static char block[PAGE] __attribute__((aligned(PAGE)));

static int file(void) {
  int fd = open("/tmp/bench", O_RDWR | O_CREAT, 0600);
  memset(block, 'b', sizeof block);
  CHECK_EQ(write(fd, block, sizeof block), PAGE);
  return fd;
}

/* The server's tables grow to what a file needs, and stay so. */
void unix_warm_up(void) {
  for (unsigned i = 0; i < 8; i++) {
    int fd = file();
    for (unsigned j = 0; j < 64; j++)
      pread(fd, (char *)sbrk(2 * PAGE) + PAGE, 1, 0); /* which has to wait */
    close(fd);
    unlink("/tmp/bench");
  }
  sbrk(-8 * 64 * 2 * PAGE);
}

void unix_files(void) {
  int fd = file();
  MEASURE("file.read4096", lseek(fd, 0, SEEK_SET), read(fd, block, PAGE));
  char *at = sbrk((ITERATIONS + WARM_UP + 2) * PAGE);
  at = (char *)(((uint64_t)at + PAGE - 1) & ~(PAGE - 1ul)) - PAGE;
  MEASURE("file.read4096_fresh", (lseek(fd, 0, SEEK_SET), at += PAGE), read(fd, at, PAGE));
  CHECK_EQ(at[PAGE - 1], 'b');
  sbrk(-(ITERATIONS + WARM_UP + 2) * PAGE);
  close(fd);
  CHECK_EQ(unlink("/tmp/bench"), 0);
}

/* A child that echoes bytes, or writes blocks, until its pipe ends. */
static pid_t start(int in, int out, int not_in, int not_out, bool blocks) {
  char byte;
  pid_t pid = fork();
  if (pid)
    return pid;
  close(not_in);
  close(not_out);
  if (blocks)
    while (write(out, block, PAGE) == PAGE)
      ;
  else
    while (read(in, &byte, 1) == 1)
      write(out, &byte, 1);
  _exit(0);
}

static void end(pid_t pid, int *to, int *from) {
  int status;
  close(to[1]);
  close(from[0]);
  CHECK_EQ(waitpid(pid, &status, 0), pid);
  close(to[0]);
  close(from[1]);
}

void unix_pipes(void) {
  int to[2], from[2];
  char byte = 1;
  CHECK_EQ(pipe(to) | pipe(from), 0);
  pid_t pid = start(to[0], from[1], to[1], from[0], false);
  MEASURE("pipe.pingpong", , (write(to[1], &byte, 1), read(from[0], &byte, 1)));
  end(pid, to, from);
  CHECK_EQ(pipe(to) | pipe(from), 0);
  pid = start(to[0], from[1], to[1], from[0], true);
  close(from[1]);
  parts = 32;
  MEASURE("pipe.block4096", , ({
            for (unsigned i = 0; i < 32; i++)
              read(from[0], block, PAGE);
          }));
  parts = 1;
  close(from[0]);
  int status;
  CHECK_EQ(waitpid(pid, &status, 0), pid);
  close(to[0]);
  close(to[1]);
}

static void fork_and_wait(void) {
  int status;
  pid_t pid = fork();
  if (!pid)
    _exit(0);
  waitpid(pid, &status, 0);
}

static void fork_exec_and_wait(void) {
  static char *const argv[] = {"victim", "exit", "0", NULL};
  int status;
  pid_t pid = fork();
  if (!pid) {
    execv("/bin/victim", argv);
    _exit(1);
  }
  waitpid(pid, &status, 0);
}

/* Pages of the heap until the program has so many of its own. */
static void make_resident(uint64_t pages) {
  while (own_stats().resident < pages)
    *(volatile char *)sbrk(PAGE) = 1;
}

static void copies(void) {
  int hold[2];
  char byte;
  uint64_t bytes = (ITERATIONS + WARM_UP + 1) * PAGE;
  volatile char *base = (volatile char *)(((uint64_t)sbrk(PAGE) + PAGE - 1) & ~(PAGE - 1ul)), *at = base;
  sbrk((ptrdiff_t)bytes);
  for (uint64_t i = 0; i < bytes; i += PAGE)
    base[i] = 1;
  CHECK_EQ(pipe(hold), 0);
  pid_t pid = fork();
  if (!pid) {
    close(hold[1]);
    read(hold[0], &byte, 1);
    _exit(0);
  }
  MEASURE("fault.cow", at += PAGE, *at = 2);
  end(pid, hold, hold);
  fork_and_wait();
  at = base;
  MEASURE("fault.cow_last", at += PAGE, *at = 3);
  sbrk(-(ptrdiff_t)bytes - PAGE);
}

void unix_forks(void) {
  char *heap = sbrk(0);
  MEASURE("fork_exec_wait", , fork_exec_and_wait());
  copies();
  make_resident(16);
  MEASURE("fork.p16", , fork_and_wait());
  make_resident(256);
  MEASURE("fork.p256", , fork_and_wait());
  sbrk(1l << 30); /* a lazy gibibyte, which costs nothing */
  MEASURE("fork.p256_lazy", , fork_and_wait());
  sbrk(-(1l << 30));
  make_resident(4096);
  MEASURE("fork.p4096", , fork_and_wait());
  sbrk(heap - (char *)sbrk(0));
}
