/* SPDX-License-Identifier: BSD-2-Clause */
/* What scripts/run boots to: memory that appears page by page, each fault shown as the pager answered it. Every number is
 * measured; if one is not what it must be, the demo says so and ends with status 1. */
#include <quire/proc.h>

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PAGE 4096
#define GIB (1l << 30)

static int wrong;
static struct p_trace entries[P_TRACE_RING];

static void expect(bool good, const char *what) {
  if (good)
    return;
  wrong++;
  printf("  !! expected: %s\n", what);
}

static uint64_t free_now(void) {
  struct p_system system = {0};
  expect(p_system_stats(P_SYSTEM_DROP, &system) == 0, "statistics from the pager");
  return system.free + system.donated;
}

static uint64_t resident(void) {
  struct p_stats stats = {0};
  expect(p_stats_of(0, &stats) == 0, "statistics of this program");
  return stats.resident;
}

static void watch(bool on) {
  p_trace_ring(on ? P_TRACE_START : P_TRACE_STOP, 0, NULL, 0, NULL);
}

/* Prints the faults that the pager answered since watch(true), at most `most`. */
static void show_faults(unsigned most) {
  int64_t n = p_trace_ring(P_TRACE_READ, 0, entries, P_TRACE_RING, NULL);
  watch(false);
  for (int64_t i = 0; i < n && i < most; i++) {
    const struct p_trace *t = &entries[i];
    printf("    %-7s 0x%-12lx pc 0x%-6lx by %-16s -> %s\n", p_kind_text(t->kind), (unsigned long)t->address,
           (unsigned long)t->pc, t->kind & Q_FAULT_COPY ? "a kernel copy" : "the program",
           t->answer ? p_reason_text(t->answer) : "one frame");
  }
  if (n > most)
    printf("    ... and %ld more\n", (long)(n - most));
}

/* Instructions that a store takes, from before it to after it. */
static uint64_t store_cost(volatile char *at) {
  uint64_t start = q_instret();
  *at = 1;
  uint64_t end = q_instret();
  return end - start - 1;
}

static void lazy_growth(void) {
  printf("\n1. Growing changes a number, touching takes a frame.\n");
  uint64_t before = free_now();
  char *base = sbrk(256 * PAGE);
  printf("  sbrk(1 MiB): break 0x%lx -> 0x%lx, free frames %lu -> %lu\n", (unsigned long)base,
         (unsigned long)(base + 256 * PAGE), (unsigned long)before, (unsigned long)free_now());
  expect(free_now() == before, "no frame taken");
  uint64_t own = resident(), cost[8];
  char *page = (char *)(((uint64_t)base + PAGE - 1) & ~(PAGE - 1ul));
  watch(true);
  for (unsigned i = 0; i < 8; i++)
    cost[i] = store_cost(page + i * 3 * PAGE + 17);
  show_faults(8);
  printf("  instructions of each store, fault and all:");
  for (unsigned i = 0; i < 8; i++)
    printf(" %lu", (unsigned long)cost[i]);
  printf("; once more: %lu\n", (unsigned long)store_cost(page + 17));
  printf("  frames taken: %lu\n", (unsigned long)(resident() - own));
  expect(resident() - own == 8, "8 frames for 8 pages");
  sbrk(-256 * PAGE);
  printf("  sbrk(-1 MiB): frames held %lu, as before\n", (unsigned long)resident());
  expect(resident() == own, "all 8 given back");
}

static void sparse_gigabyte(void) {
  printf("\n2. A gigabyte in a machine that has less: only what is touched exists.\n");
  uint64_t own = resident(), bad = 0;
  volatile uint64_t *base = sbrk(GIB);
  for (long i = 0; i < GIB / 8; i += 64 * PAGE / 8)
    base[i] = (uint64_t)i ^ 0x5a5a;
  for (long i = 0; i < GIB / 8; i += 64 * PAGE / 8)
    bad += base[i] != ((uint64_t)i ^ 0x5a5a) || base[i + 1] != 0;
  uint64_t taken = resident() - own;
  printf("  every 64th page written and read back: %lu wrong, %lu frames (%lu MiB) for 1024 MiB\n",
         (unsigned long)bad, (unsigned long)taken, (unsigned long)(taken >> 8));
  expect(!bad && taken == GIB / PAGE / 64, "4096 frames, all values right");
  sbrk(-GIB);
  printf("  given back: frames held %lu\n", (unsigned long)resident());
  expect(resident() == own, "all given back");
}

static void faulting_copy(void) {
  printf("\n3. A system call given memory that is not there yet faults through the same pager.\n");
  struct p_stats *absent = sbrk(4 * PAGE);
  watch(true);
  int64_t error = p_stats_of(0, absent);
  show_faults(4);
  printf("  the pager wrote this program's statistics there: name '%s', error %ld\n", absent->name, (long)error);
  expect(!error && !strcmp(absent->name, "demo"), "the copy to go on once the page was there");
  watch(true);
  struct q_info *info = (struct q_info *)((char *)absent + 2 * PAGE);
  error = q_machine_info(P_HANDLE_MACHINE, info);
  show_faults(4);
  printf("  the kernel wrote its own there: %lu tasks, %lu threads\n", (unsigned long)info->tasks,
         (unsigned long)info->threads);
  int64_t refused = q_machine_write(P_HANDLE_MACHINE, (void *)0xffffffff80000000, 1);
  printf("  a pointer into the kernel: \"%s\"; the program goes on\n", q_error_text(refused));
  expect(!error && refused == -Q_E_FAULT, "an error for a bad pointer");
  sbrk(-4 * PAGE);
}

static void refused(const char *how) {
  struct p_death death = {0};
  int64_t id = p_spawn_program((const char *const[]){"demo", how, NULL}, 0, 0);
  expect(id > 0 && p_wait_for((uint64_t)id, &death) == id, "a child that ends");
  printf("  %-12s %s at 0x%lx: %s (pc 0x%lx)\n", how, p_kind_text(death.kind), (unsigned long)death.address,
         p_reason_text(death.reason), (unsigned long)death.pc);
  expect(death.reason != P_REASON_EXIT, "its end by the pager");
}

static void refusals(void) {
  printf("\n4. What a program may not touch ends it; the pager says why, and its parent is told.\n");
  uint64_t before = free_now();
  static const char *const ways[] = {"null", "text", "break", "guard", "below-sp", "heap-code", "kernel"};
  for (unsigned i = 0; i < sizeof ways / sizeof *ways; i++)
    refused(ways[i]);
  printf("  free frames %lu -> %lu\n", (unsigned long)before, (unsigned long)free_now());
  expect(free_now() == before, "everything back");
}

static int misbehave(const char *how) {
  volatile char *at = NULL;
  if (!strcmp(how, "text"))
    at = (char *)P_IMAGE_BASE;
  else if (!strcmp(how, "break"))
    at = sbrk(0);
  else if (!strcmp(how, "guard"))
    at = (char *)P_STACK_BASE - 8;
  else if (!strcmp(how, "below-sp"))
    at = (char *)__builtin_frame_address(0) - 64 * PAGE;
  else if (!strcmp(how, "kernel"))
    at = (char *)0xffffffff80000000;
  else if (!strcmp(how, "heap-code"))
    ((void (*)(void))sbrk(PAGE))();
  __asm__ volatile("sb zero, (%0)" ::"r"(at) : "memory");
  return 0;
}

int main(int argc, char **argv) {
  if (argc > 1)
    return misbehave(argv[1]);
  struct p_system system = {0};
  p_system_stats(0, &system);
  printf("\nA process that lives on demand. Pager policy: %s; %lu frames of 4 KiB free.\n", system.policy,
         (unsigned long)system.free);
  lazy_growth();
  sparse_gigabyte();
  faulting_copy();
  refusals();
  printf("\n%s\n", wrong ? "Something was not as it must be." : "All as it must be.");
  return wrong != 0;
}
