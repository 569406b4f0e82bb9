/* SPDX-License-Identifier: BSD-2-Clause */
/* Page faults that the kernel answers by itself, and those that a process answers for itself in a handler for SIGSEGV. */
#include "measure.h"
#include <asm/siginfo.h>

#define READ_WRITE (PROT_READ | PROT_WRITE)
#define BATCH 16

static void anonymous(void) {
  char *at = window_open((OPERATIONS + 1) * PAGE, READ_WRITE);
  MEASURE("fault.zero.kernel", at += PAGE, *(volatile char *)at = 1);
  window_close("fault.zero.kernel", OPERATIONS);
  at = window_open((OPERATIONS + 1) * PAGE, READ_WRITE);
  MEASURE("fault.read.kernel", at += PAGE, (void)*(volatile char *)at);
  window_close("fault.read.kernel", OPERATIONS);
}

/* Each sixteen follow the last ones, so the kernel has one area that grows. */
static void populated(void) {
  char *at = window_open((OPERATIONS + 1) * BATCH * PAGE, PROT_NONE);
  CHECK(!munmap(at, (OPERATIONS + 1) * BATCH * PAGE));
  parts = BATCH;
  MEASURE("fault.zero_batch16.populate", at += BATCH * PAGE,
          my_syscall6(__NR_mmap, at, BATCH * PAGE, READ_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_POPULATE,
                      -1, 0));
  parts = 1;
  at[BATCH * PAGE - 1] = 1; /* no fault */
  window_close("fault.zero_batch16.populate", 0);
}

static void given_back(void) {
  char *at = window_open(2 * PAGE, READ_WRITE);
  at[PAGE] = 1; /* the table of the page that comes and goes stays */
  MEASURE("page.dontneed", *(volatile char *)at = 1, my_syscall3(__NR_madvise, at, PAGE, MADV_DONTNEED));
  window_close("page.dontneed", OPERATIONS + 1);
}

static void page_in(int signal, siginfo_t *info, void *context) {
  (void)signal, (void)context;
  my_syscall3(__NR_mprotect, (unsigned long)info->si_addr & -PAGE, PAGE, READ_WRITE);
}

/* The window grows from one end, so the kernel has two areas, as if the process had one break. */
static void signalled(void) {
  struct sigaction action = {.sa_handler = (__sighandler_t)(void *)page_in, .sa_flags = SA_SIGINFO};
  CHECK(!my_syscall4(__NR_rt_sigaction, SIGSEGV, &action, NULL, sizeof action.sa_mask));
  char *at = window_open((OPERATIONS + 1) * PAGE, PROT_NONE);
  MEASURE("fault.zero.sigsegv", at += PAGE, *(volatile char *)at = 1);
  window_close("fault.zero.sigsegv", 2ul * OPERATIONS);
}

void hold(int *pipe_ends) {
  char byte;
  close(pipe_ends[1]);
  read(pipe_ends[0], &byte, 1);
  exit(0);
}

/* A page that a child has too, then one whose child has ended. */
static void copies(void) {
  int ends[2];
  char *at = window_open((OPERATIONS + 1) * PAGE, READ_WRITE), *base = at;
  CHECK(!my_syscall3(__NR_madvise, base, (OPERATIONS + 1) * PAGE, MADV_POPULATE_WRITE));
  CHECK(!my_syscall2(__NR_pipe2, ends, 0));
  pid_t pid = fork();
  if (!pid)
    hold(ends);
  MEASURE("fault.cow", at += PAGE, *(volatile char *)at = 2);
  close(ends[1]);
  CHECK(waitpid(pid, NULL, 0) == pid);
  close(ends[0]);
  pid = fork();
  if (!pid)
    exit(0);
  CHECK(waitpid(pid, NULL, 0) == pid);
  at = base;
  MEASURE("fault.cow_last_sharer", at += PAGE, *(volatile char *)at = 3);
  window_close("fault.cow and fault.cow_last_sharer", 2ul * OPERATIONS);
}

void faults(void) {
  anonymous();
  populated();
  given_back();
  signalled();
  copies();
}
