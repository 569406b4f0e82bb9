/* SPDX-License-Identifier: BSD-2-Clause */
/* Linux's first process: says what booting took, then runs each room in a process of its own, and turns the machine off. */
#include "measure.h"
#include <linux/futex.h>
#include <linux/sysinfo.h>

static const struct room {
  const char *name;
  void (*run)(void);
} rooms[] = {{"calls", calls}, {"faults", faults}, {"uffd", uffd}, {"files", files}, {"forks", forks}};
#define ROOMS (sizeof rooms / sizeof *rooms)

/* ---- Calls and switches ---------------------------------------------------------------------------------------------- */

static void eventfds(void) {
  unsigned long value = 1;
  int to = (int)my_syscall2(__NR_eventfd2, 0, 0), from = (int)my_syscall2(__NR_eventfd2, 0, 0);
  pid_t pid = fork();
  while (!pid) {
    my_syscall3(__NR_read, to, &value, sizeof value);
    my_syscall3(__NR_write, from, &value, sizeof value);
  }
  MEASURE("ipc.call_reply.eventfd", , ({
            my_syscall3(__NR_write, to, &value, sizeof value);
            my_syscall3(__NR_read, from, &value, sizeof value);
          }));
  kill(pid, SIGKILL);
  CHECK(waitpid(pid, NULL, 0) == pid);
}

struct turn {
  volatile int whose, done;
};

/* Gives the turn to the other process and waits until it comes back. */
static inline __attribute__((always_inline)) void give(struct turn *turn, int own) {
  turn->whose = !own;
  my_syscall4(__NR_futex, &turn->whose, FUTEX_WAKE, 1, NULL);
  while (turn->whose != own)
    my_syscall4(__NR_futex, &turn->whose, FUTEX_WAIT, !own, NULL);
}

static struct turn *shared(void) {
  struct turn *turn = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(turn != MAP_FAILED);
  *turn = (struct turn){0};
  return turn;
}

static void futexes(void) {
  struct turn *turn = shared();
  pid_t pid = fork();
  if (!pid)
    while (turn->whose != 1)
      my_syscall4(__NR_futex, &turn->whose, FUTEX_WAIT, 0, NULL);
  while (!pid)
    give(turn, 1);
  MEASURE("ipc.call_reply.futex", , give(turn, 0));
  kill(pid, SIGKILL);
  CHECK(waitpid(pid, NULL, 0) == pid);
}

/* To another process and back is two switches. Counts those of the other, so that a call that returns at once is seen. */
static void yields(void) {
  struct turn *turn = shared();
  pid_t pid = fork();
  while (!pid) {
    turn->done++;
    my_syscall0(__NR_sched_yield);
  }
  while (!turn->done)
    sched_yield();
  int before = turn->done;
  parts = 2;
  MEASURE("switch.yield", , my_syscall0(__NR_sched_yield));
  parts = 1;
  int there = turn->done - before;
  kill(pid, SIGKILL);
  CHECK(waitpid(pid, NULL, 0) == pid);
  printf("# %d yields, %d of the other process\n", (int)OPERATIONS, there);
  CHECK(there >= OPERATIONS * 9 / 10 && there <= OPERATIONS); /* the median is of those that switched */
}

void calls(void) {
  MEASURE("syscall.null", , my_syscall0(__NR_getpid));
  eventfds();
  futexes();
  yields();
}

/* ---- The first process ----------------------------------------------------------------------------------------------- */

static bool run(const struct room *room) {
  char *const argv[] = {"/init", (char *)room->name, NULL}, *const envp[] = {NULL};
  int status;
  pid_t pid = fork();
  if (!pid) {
    execve("/init", argv, envp);
    exit(1);
  }
  return waitpid(pid, &status, 0) == pid && !status;
}

static _Noreturn void init(unsigned long at_start) {
  struct sysinfo memory;
  CHECK(!my_syscall1(__NR_sysinfo, &memory));
  once("boot.init_with_firmware", at_start);
  once("mem.init_free_bytes", memory.freeram * memory.mem_unit);
  CHECK(!mkdir("/proc", 0700) && !mount("proc", "/proc", "proc", 0, NULL));
  unsigned good = 0;
  while (good < ROOMS && run(&rooms[good]))
    good++;
  if (good == ROOMS)
    printf("# end\n");
  reboot(LINUX_REBOOT_CMD_POWER_OFF);
  for (;;)
    ;
}

int main(int argc, char **argv) {
  unsigned long at_start = instret();
  if (argc < 2)
    init(at_start);
  measure_overhead();
  for (unsigned i = 0; i < ROOMS; i++)
    if (!strcmp(argv[1], rooms[i].name)) {
      windows_of(i);
      rooms[i].run();
    }
  return 0;
}
