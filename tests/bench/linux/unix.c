/* SPDX-License-Identifier: BSD-2-Clause */
/* What programs do most: reading, pipes, the break, fork and exec. The same steps as in ../unix.c. */
#include "measure.h"
#include <linux/sched.h>

static char block[PAGE] __attribute__((aligned(4096)));

static void reads(void) {
  int fd = open("/file", O_RDWR | O_CREAT, 0600);
  memset(block, 'b', sizeof block);
  CHECK(write(fd, block, PAGE) == (long)PAGE);
  MEASURE("file.read4096", lseek(fd, 0, SEEK_SET), my_syscall3(__NR_read, fd, block, PAGE));
  char *at = window_open((OPERATIONS + 1) * PAGE, PROT_READ | PROT_WRITE);
  MEASURE("file.read4096_fresh", (lseek(fd, 0, SEEK_SET), at += PAGE), my_syscall3(__NR_read, fd, at, PAGE));
  CHECK(at[PAGE - 1] == 'b');
  window_close("file.read4096_fresh", OPERATIONS);
  close(fd);
}

/* ---- Pipes: a child that echoes bytes, or writes blocks, until it is killed ------------------------------------------ */

static void ping_pong(void) {
  int to[2], from[2];
  char byte = 1;
  CHECK(!my_syscall2(__NR_pipe2, to, 0) && !my_syscall2(__NR_pipe2, from, 0));
  pid_t pid = fork();
  while (!pid) {
    my_syscall3(__NR_read, to[0], &byte, 1);
    my_syscall3(__NR_write, from[1], &byte, 1);
  }
  MEASURE("pipe.pingpong", , ({
            my_syscall3(__NR_write, to[1], &byte, 1);
            my_syscall3(__NR_read, from[0], &byte, 1);
          }));
  kill(pid, SIGKILL);
  CHECK(waitpid(pid, NULL, 0) == pid);
}

static void blocks(void) {
  int from[2];
  CHECK(!my_syscall2(__NR_pipe2, from, 0));
  pid_t pid = fork();
  while (!pid)
    my_syscall3(__NR_write, from[1], block, PAGE);
  parts = 32;
  MEASURE("pipe.block4096", , ({
            for (unsigned i = 0; i < 32; i++)
              CHECK(my_syscall3(__NR_read, from[0], block, PAGE) == (long)PAGE);
          }));
  parts = 1;
  kill(pid, SIGKILL);
  CHECK(waitpid(pid, NULL, 0) == pid);
}

/* ---- The break ------------------------------------------------------------------------------------------------------- */

/* The new break, or for 0 the one that is. */
static char *set_break(char *end) {
  return (char *)my_syscall1(__NR_brk, end);
}

static void breaks(void) {
  char *begin = set_break(NULL), *end = begin + PAGE;
  CHECK(set_break(end) == end);
  *begin = 1; /* the area and the table of the page that comes and goes stay */
  MEASURE("sbrk.grow", end += PAGE, set_break(end));
  CHECK(set_break(NULL) == end);
  end = begin + PAGE;
  MEASURE("sbrk.shrink_resident", (set_break(end + PAGE), *(volatile char *)end = 1), set_break(end));
  CHECK(set_break(NULL) == end);
}

void files(void) {
  reads();
  ping_pong();
  blocks();
  breaks();
}

/* ---- Processes ------------------------------------------------------------------------------------------------------- */

/* Pages of its own, not those of its file: the second and third number of statm. */
static unsigned long resident(void) {
  char text[64], *at = text;
  int fd = open("/proc/self/statm", O_RDONLY);
  long bytes = read(fd, text, sizeof text - 1);
  CHECK(bytes > 0);
  text[bytes] = 0;
  close(fd);
  at = strchr(at, ' ') + 1;
  return (unsigned long)(atol(at) - atol(strchr(at, ' ') + 1));
}

static void make_resident(unsigned long pages) {
  for (char *end = set_break(NULL); resident() < pages; end += PAGE) {
    CHECK(set_break(end + PAGE) == end + PAGE);
    *(volatile char *)end = 1;
  }
  CHECK(resident() == pages);
}

static inline __attribute__((always_inline)) void fork_and_wait(void) {
  int status;
  long pid = my_syscall5(__NR_clone, SIGCHLD, 0, 0, 0, 0);
  if (!pid)
    my_syscall1(__NR_exit_group, 0);
  my_syscall4(__NR_wait4, pid, &status, 0, NULL);
}

/* With CLONE_VM the child runs on the parent's stack, so it must not return from here. */
static inline __attribute__((always_inline)) void execute_and_wait(unsigned long flags) {
  static char *const argv[] = {"/exit", NULL}, *const envp[] = {NULL};
  int status;
  long pid = my_syscall5(__NR_clone, flags | SIGCHLD, 0, 0, 0, 0);
  if (!pid) {
    my_syscall3(__NR_execve, argv[0], argv, envp);
    my_syscall1(__NR_exit_group, 1);
  }
  my_syscall4(__NR_wait4, pid, &status, 0, NULL);
  CHECK(!status);
}

void forks(void) {
  MEASURE("fork_exec_wait", , execute_and_wait(0));
  MEASURE("spawn_exit_wait", , execute_and_wait(CLONE_VM | CLONE_VFORK));
  make_resident(16);
  MEASURE("fork.p16", , fork_and_wait());
  make_resident(256);
  MEASURE("fork.p256", , fork_and_wait());
  make_resident(4096);
  MEASURE("fork.p4096", , fork_and_wait());
}
