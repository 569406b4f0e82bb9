/* SPDX-License-Identifier: BSD-2-Clause */
/* Many processes at once, and much memory in one: how many and how much the argument says, or what a small machine has. */
#include "unix.h"

#include <stdio.h>

static unsigned processes = 1000;
static long pages = 16 * MIB / PAGE;

/* ---- Processes ---------------------------------------------------------------------------------------------------------- */
static struct gate go;
static int answers[2];

/* What only the process of that number has in a page of its own. */
static uint64_t mark(unsigned number) {
  return 0x9e3779b97f4a7c15ul * (number + 1);
}

/* Touches memory of its own before it waits, and says its number if that still holds the mark afterwards. */
static void child(unsigned number) {
  volatile uint64_t *own = (uint64_t *)fresh(1), *last = own + PAGE / 8 - 1;
  *own = *last = mark(number);
  gate_pass(&go);
  bool good = *own == mark(number) && *last == mark(number);
  _exit(!good || write(answers[1], &number, sizeof number) != sizeof number);
}

static unsigned fork_all(pid_t *pid) {
  unsigned count = 0;
  for (; count < processes; count++) {
    if (!(pid[count] = fork()))
      child(count);
    if (pid[count] < 0)
      break;
  }
  return count;
}

static void hear_all(unsigned count) {
  bool *heard = calloc(count, sizeof *heard);
  unsigned number;
  for (unsigned i = 0; i < count; i++) {
    CHECK_EQ(read(answers[0], &number, sizeof number), sizeof number);
    CHECK(number < count && !heard[number]);
    heard[number] = true;
  }
  free(heard);
}

/* Frames: the kernel's objects and page tables; the pager's own; pages of programs and servers. */
struct frames {
  uint64_t kernel, pager, programs;
};

static struct frames frames_used(void) {
  struct p_system system;
  struct q_info info = kernel_info();
  CHECK_EQ(p_system_stats(0, &system), 0);
  return (struct frames){info.donated_pages - info.donated_free, system.own, system.user};
}

static void tell(const struct frames *before, unsigned count) {
  struct frames now = frames_used();
  double kernel = (double)(now.kernel - before->kernel), pager = (double)(now.pager - before->pager);
  double programs = (double)(now.programs - before->programs);
  printf(
      "# %u processes at once; frames of each: %.2f in the kernel, %.2f in the pager, %.2f in programs and servers\n",
      count, kernel / count, pager / count, programs / count);
}

static void crowd(void) {
  pid_t *pid = malloc(processes * sizeof *pid);
  gate_make(&go);
  CHECK_EQ(pipe(answers), 0);
  struct frames before = frames_used();
  unsigned count = fork_all(pid);
  CHECK_EQ(count, processes);
  tell(&before, count);
  struct p_system system;
  CHECK_EQ(p_system_stats(0, &system), 0);
  CHECK(system.processes > count);
  for (unsigned i = 0; i < count; i++)
    gate_open(&go);
  hear_all(count);
  for (unsigned i = 0; i < count; i++)
    exits(pid[i], 0);
  FAILS(waitpid(-1, NULL, 0), ECHILD);
  gate_close(&go);
  close(answers[0]);
  close(answers[1]);
  free(pid);
}

/* ---- Memory -------------------------------------------------------------------------------------------------------------- */
static volatile uint64_t *memory;

static bool holds(long first, uint64_t seed) {
  long bad = 0;
  for (long i = first; i < pages; i++)
    bad += memory[i * PAGE / 8] != seed + (uint64_t)i || memory[(i + 1) * PAGE / 8 - 1] != ~(uint64_t)i;
  return !bad;
}

static void write_page(long i, uint64_t seed) {
  memory[i * PAGE / 8] = seed + (uint64_t)i;
  memory[(i + 1) * PAGE / 8 - 1] = ~(uint64_t)i;
}

/* Sees what its parent had, though that goes on writing, and writes some of its own. */
static void heir(void) {
  gate_pass(&go);
  MUST(holds(0, 1));
  for (long i = 0; i < pages; i += 64)
    write_page(i, 3);
  MUST_EQ(memory[64 * PAGE / 8], 3 + 64);
  MUST_EQ(memory[65 * PAGE / 8], 1 + 65);
}

static void resident(void) {
  char *start = fresh(pages);
  memory = (volatile uint64_t *)start;
  for (long i = 0; i < pages; i++)
    write_page(i, 1);
  CHECK(own_stats().resident >= (uint64_t)pages);
  CHECK(holds(0, 1));
  gate_make(&go);
  pid_t pid = begin(heir);
  for (long i = 0; i < pages; i += 128)
    write_page(i, 2);
  gate_open(&go);
  exits(pid, 0);
  CHECK_EQ(memory[128 * PAGE / 8], 2 + 128);
  CHECK_EQ(memory[64 * PAGE / 8], 1 + 64);
  CHECK_EQ(memory[129 * PAGE / 8], 1 + 129);
  gate_close(&go);
  drop(pages);
  CHECK(own_stats().resident < 1000);
}

static const struct test tests[] = {{"many processes alive at once", crowd},
                                    {"a large memory, all of it touched", resident}};

/* [PROCESSES [MIB]] */
int main(int argc, char **argv) {
  if (argc > 1)
    processes = (unsigned)strtoul(argv[1], NULL, 10);
  if (argc > 2)
    pages = strtol(argv[2], NULL, 10) * (MIB / PAGE);
  unix_begin(argv[0]);
  crowd(); /* what is set up for so many, and kept, is set up now */
  return TAP_RUN("t_scale", tests);
}
