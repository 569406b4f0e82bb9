/* SPDX-License-Identifier: BSD-2-Clause */
/* What scripts/run boots to: memory that appears page by page, each fault shown as the pager answered it. Every
 * number is measured; if one is not what it must be, the demo says so and ends with status 1. */
#include <quire/proc.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAGE 4096
#define MIB (1l << 20)
#define GIB (1l << 30)
#define TOUCHED 8 /* pages whose faults are shown one by one */

static int wrong;
static uint64_t counting; /* what reading the counter itself adds to a measurement */
static struct p_trace entries[P_TRACE_RING];

/* A page of the program's file that nobody has read when a system call is given its address. */
#define UNREAD                                                                                                       \
  "  the console, given a page of this program's file that nobody had read, wrote what lies there: this line\n"
static const char unread[PAGE] __attribute__((aligned(PAGE))) = UNREAD;

static void expect(bool good, const char *what) {
  if (good)
    return;
  wrong++;
  printf("  !! expected: %s\n", what);
}

static void *grow(long bytes) {
  void *old = sbrk(bytes);
  if (old != (void *)-1)
    return old;
  printf("  !! expected: sbrk(%ld) to be granted\n", bytes);
  exit(1);
}

/* With the caches dropped, and what the kernel was given counted as free: it comes back when it is not needed. So does, for
 * this, what has come to describe frames that had never been used. */
static uint64_t free_now(void) {
  struct p_system system = {0};
  expect(p_system_stats(P_SYSTEM_DROP, &system) == 0, "statistics from the pager");
  return system.free + system.donated + system.tables;
}

static struct p_stats own_stats(void) {
  struct p_stats stats = {0};
  expect(p_stats_of(0, &stats) == 0, "statistics of this program");
  return stats;
}

/* Frames that are this program's alone. */
static uint64_t resident(void) {
  return own_stats().resident;
}

static void watch(bool on) {
  p_trace_ring(on ? P_TRACE_START : P_TRACE_STOP, 0, NULL, 0, NULL);
}

static void show_fault(const struct p_trace *t, uint64_t cost) {
  printf("    %-7s 0x%-10lx pc 0x%-6lx by %-13s", p_kind_text(t->kind), (unsigned long)t->address,
         (unsigned long)t->pc, t->kind & Q_FAULT_COPY ? "a kernel copy" : "the program");
  printf(" %6lu instructions -> %s\n", (unsigned long)cost, t->answer ? p_reason_text(t->answer) : "one frame");
}

/* Prints the faults that the pager answered since watch(true), which must be as many as their costs. */
static void show_faults(const uint64_t *costs, unsigned count) {
  int64_t n = p_trace_ring(P_TRACE_READ, 0, entries, P_TRACE_RING, NULL);
  watch(false);
  for (int64_t i = 0; i < n && i < count; i++)
    show_fault(&entries[i], costs[i]);
  expect(n == count, "one fault in the pager's trace for each page touched");
}

/* Instructions of one store, of any fault in it and of all that the kernel and the pager do to answer it. */
static uint64_t store_cost(volatile char *at) {
  uint64_t start, end;
  __asm__ volatile("rdinstret %0\n\tsb %2, (%3)\n\trdinstret %1"
                   : "=&r"(start), "=&r"(end)
                   : "r"(1), "r"(at)
                   : "memory");
  return end - start - counting;
}

/* The counter counts instructions only under QEMU's -icount; there, the same work counts the same each time. */
static bool counter_is_exact(void) {
  bool same = true;
  for (unsigned i = 0; i < 64; i++) {
    uint64_t start = q_instret();
    uint64_t found = q_instret() - start;
    same = same && (i == 0 || found == counting);
    counting = found;
  }
  return same;
}

/* Touches what the demo itself needs later, so that the frames it counts are those it shows. */
static void settle(void) {
  volatile char stack[2 * P_SPAWN_MAX + 4 * PAGE];
  for (unsigned i = 0; i < sizeof stack; i += PAGE)
    stack[i] = 0;
  memset(entries, 0, sizeof entries);
  p_spawn_program((const char *const[]){"no such program", NULL}, P_SPAWN_QUIET, 0);
}

static void lazy_growth(void) {
  printf("\n1. Growing changes a number, touching takes a frame.\n");
  uint64_t before = free_now(), own = resident(), cost[TOUCHED];
  uint64_t start = q_instret();
  char *base = grow(MIB);
  uint64_t grown = q_instret() - start - counting, after = free_now();
  printf("  sbrk(1 MiB): break 0x%lx -> 0x%lx in %lu instructions; free frames %lu -> %lu\n", (unsigned long)base,
         (unsigned long)(base + MIB), (unsigned long)grown, (unsigned long)before, (unsigned long)after);
  expect(after == before, "no frame taken");
  watch(true);
  for (unsigned i = 0; i < TOUCHED; i++)
    cost[i] = store_cost(base + i * 3 * PAGE + 17);
  show_faults(cost, TOUCHED);
  printf("    the same store once more: %lu instruction\n", (unsigned long)store_cost(base + 17));
  printf("  %u pages touched: %lu frames taken\n", TOUCHED, (unsigned long)(resident() - own));
  expect(resident() - own == TOUCHED, "a frame for each page touched, and no other");
  grow(-MIB);
  printf("  sbrk(-1 MiB): %lu frames kept; free frames %lu\n", (unsigned long)(resident() - own),
         (unsigned long)free_now());
  expect(resident() == own, "all frames given back");
}

static void eager_growth(void) {
  uint64_t own = resident(), start = q_instret();
  int64_t error = p_sbrk_bytes(MIB, P_SBRK_POPULATE);
  uint64_t cost = q_instret() - start - counting, taken = resident() - own;
  printf("  beside it, populated at once: %lu instructions, %lu frames, touched or not\n", (unsigned long)cost,
         (unsigned long)taken);
  expect(error >= 0 && taken == MIB / PAGE, "every page to have its frame");
  grow(-MIB);
}

static void sparse_gigabyte(void) {
  printf("\n2. A gigabyte, in a machine that may have less: only what is touched exists.\n");
  uint64_t own = resident(), cost[TOUCHED], bad = 0;
  char *base = grow(GIB);
  watch(true);
  for (long i = 0; i < TOUCHED; i++)
    cost[i] = store_cost(base + i * (GIB / TOUCHED));
  show_faults(cost, TOUCHED);
  uint64_t start = q_instret();
  for (long at = 0; at < GIB; at += 64 * PAGE)
    *(volatile uint64_t *)(base + at) = (uint64_t)at ^ 0x5a5a;
  uint64_t spent = q_instret() - start - counting, taken = resident() - own;
  for (long at = 0; at < GIB; at += 64 * PAGE) {
    volatile uint64_t *word = (volatile uint64_t *)(base + at);
    bad += word[0] != ((uint64_t)at ^ 0x5a5a) || word[1] != 0;
  }
  printf("  then every 64th page written: %lu instructions a page; read back, %lu of 4096 are wrong\n",
         (unsigned long)(spent / (taken - TOUCHED)), (unsigned long)bad);
  printf("  %lu frames (%lu MiB) hold what is in these 1024 MiB\n", (unsigned long)taken,
         (unsigned long)(taken >> 8));
  expect(!bad && taken == GIB / PAGE / 64, "4096 frames, all values right, the rest of each page zero");
  grow(-GIB);
  printf("  sbrk(-1 GiB): %lu frames kept; free frames %lu\n", (unsigned long)(resident() - own),
         (unsigned long)free_now());
  expect(resident() == own, "all frames given back");
}

static int64_t ask_pager(char *page, unsigned turn) {
  (void)turn;
  return p_stats_of(0, (struct p_stats *)page);
}

static int64_t ask_kernel(char *page, unsigned turn) {
  (void)turn;
  return q_machine_info(P_HANDLE_MACHINE, (struct q_info *)page);
}

/* Half of the line at each turn, so that both turns cost the same but for the fault. */
static int64_t ask_console(char *page, unsigned turn) {
  unsigned half = (sizeof UNREAD - 1) / 2;
  return q_machine_write(P_HANDLE_MACHINE, page + turn * half, half);
}

/* Gives the call a page that is not there; then the same page again. What the second saves is what the fault cost. */
static void copy_absent(int64_t (*call)(char *, unsigned), char *page) {
  uint64_t times[3];
  int64_t errors = 0;
  watch(true);
  for (unsigned i = 0; i < 2; i++) {
    times[i] = q_instret();
    errors |= call(page, i);
    times[i + 1] = q_instret();
  }
  uint64_t first = times[1] - times[0], second = times[2] - times[1];
  uint64_t cost = first > second ? first - second : 0;
  show_faults(&cost, 1);
  expect(!errors && entries[0].kind & Q_FAULT_COPY && entries[0].address / PAGE == (uint64_t)page / PAGE,
         "the fault of a kernel copy at that page, and a call that goes on");
}

static void faulting_copy(void) {
  printf("\n3. A system call given memory that is not there yet faults through the same pager.\n");
  uint64_t own = resident();
  char *absent = grow(2 * PAGE);
  copy_absent(ask_pager, absent);
  const struct p_stats *stats = (const struct p_stats *)absent;
  printf("  the pager's own copy to its client went on after that; it wrote: '%s', %lu faults\n", stats->name,
         (unsigned long)(stats->faults[0] + stats->faults[1] + stats->faults[2]));
  expect(!strcmp(stats->name, "demo"), "this program's own statistics");
  copy_absent(ask_kernel, absent + PAGE);
  const struct q_info *info = (const struct q_info *)(absent + PAGE);
  printf("  the kernel began the caller's call again after that; it wrote: %lu tasks, %lu threads\n",
         (unsigned long)info->tasks, (unsigned long)info->threads);
  expect(resident() - own == 2, "a frame for each of the two pages");
  grow(-2 * PAGE);
}

static void faulting_source(void) {
  _Static_assert((sizeof UNREAD - 1) % 2 == 0, "two halves of one length");
  copy_absent(ask_console, (char *)unread);
  expect((entries[0].kind & Q_FAULT_KIND) == Q_FAULT_READ, "a page that is read");
  int64_t refused = q_machine_write(P_HANDLE_MACHINE, (void *)0xffffffff80000000, 1);
  printf("  a pointer into the kernel instead: \"%s\"; the program goes on\n", q_error_text(refused));
  expect(refused == -Q_E_FAULT, "an error for a bad pointer");
}

static void refused(const char *how, uint64_t reason) {
  struct p_death death = {0};
  watch(true);
  int64_t id = p_spawn_program((const char *const[]){"demo", how, NULL}, 0, 0);
  expect(id > 0 && p_wait_for((uint64_t)id, &death) == id, "a child that ends");
  uint64_t told = q_instret(), mapped = 0, refused_at = 0;
  int64_t n = p_trace_ring(P_TRACE_READ, 0, entries, P_TRACE_RING, NULL);
  watch(false);
  for (int64_t i = 0; i < n; i++) {
    mapped += entries[i].id == (uint64_t)id && !entries[i].answer;
    if (entries[i].id == (uint64_t)id && entries[i].answer == reason)
      refused_at = entries[i].instret;
  }
  printf("    %-9s %s: %s; %lu pages until then; told %lu instructions later, that line included\n", how,
         p_kind_text(death.kind), p_reason_text(death.reason), (unsigned long)mapped,
         (unsigned long)(told - refused_at));
  expect(death.reason == reason && refused_at, p_reason_text(reason));
}

static void refusals(void) {
  static const struct {
    const char *how;
    uint64_t reason;
  } ways[] = {{"null", P_REASON_NULL},    {"text", P_REASON_TEXT},         {"break", P_REASON_BREAK},
              {"guard", P_REASON_GUARD},  {"below-sp", P_REASON_BELOW_SP}, {"heap-code", P_REASON_NOEXEC},
              {"kernel", P_REASON_KERNEL}};
  printf("\n4. What a program may not touch ends it; the pager says why, and its parent is told.\n");
  uint64_t before = free_now();
  for (unsigned i = 0; i < sizeof ways / sizeof *ways; i++)
    refused(ways[i].how, ways[i].reason);
  uint64_t after = free_now();
  printf("  free frames before and after these seven programs: %lu, %lu\n", (unsigned long)before,
         (unsigned long)after);
  expect(after == before, "everything back");
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

static void opening(void) {
  struct p_system system = {0};
  expect(p_system_stats(0, &system) == 0, "statistics from the pager");
  printf("\nA process that lives on demand. Pager policy: %s; %lu frames of 4 KiB, %lu of them free.\n",
         system.policy, (unsigned long)system.frames, (unsigned long)system.free);
  if (!counter_is_exact())
    printf(
        "This machine's counter follows its clock: read \"instructions\" below as ticks (QEMU: -icount counts).\n");
}

static void walk(void) {
  lazy_growth();
  eager_growth();
  sparse_gigabyte();
  faulting_copy();
  faulting_source();
  refusals();
}

int main(int argc, char **argv) {
  if (argc > 1)
    return misbehave(argv[1]);
  settle();
  opening();
  struct p_stats first = own_stats();
  uint64_t before = free_now();
  walk();
  struct p_stats last = own_stats();
  uint64_t after = free_now();
  printf("\n5. What was taken is back.\n");
  printf("  at the start: %lu frames free, %lu of its own, %lu pages of its file (shared)\n", (unsigned long)before,
         (unsigned long)first.resident, (unsigned long)first.shared);
  printf("  at the end:   %lu frames free, %lu of its own, %lu pages of its file (shared)\n", (unsigned long)after,
         (unsigned long)last.resident, (unsigned long)last.shared);
  expect(last.resident == first.resident && after + last.shared == before + first.shared, "everything given back");
  printf("\n%s\n", wrong ? "Something was not as it must be." : "All as it must be.");
  return wrong != 0;
}
