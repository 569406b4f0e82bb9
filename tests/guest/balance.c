/* SPDX-License-Identifier: BSD-2-Clause */
/* For tests under the pager: programs to run, and what there is of everything before and after a test. */
#include "tap.h"

struct p_stats own_stats(void) {
  struct p_stats stats;
  CHECK_EQ(p_stats_of(0, &stats), 0);
  return stats;
}

uint64_t free_frames(void) {
  struct p_system system;
  CHECK_EQ(p_system_stats(P_SYSTEM_DROP, &system), 0);
  return system.free + system.donated + system.tables; /* dropping has taken back what the kernel does not need */
}

/* What it is at for a moment only, as in a call of the pager that another hart makes just now, is not seen three times. */
void wait_state(uint64_t id, uint64_t state, uint64_t whom) {
  struct p_stats stats = {0};
  unsigned seen = 0;
  bool lives = true;
  WAIT_FOR(!(lives = !p_stats_of(id, &stats)) ||
           (seen = stats.state == state && stats.waits_for == whom ? seen + 1 : 0) == 3);
  CHECK(lives);
}

uint64_t spawn(q_handle gift, const char *const argv[]) {
  int64_t id = p_spawn_program(argv, P_SPAWN_QUIET, gift);
  CHECK(id > 0);
  return (uint64_t)id;
}

struct p_death run_victim(const char *const argv[]) {
  struct p_death death = {0};
  uint64_t id = spawn(0, argv);
  CHECK_EQ(p_wait_for(id, &death), id);
  return death;
}

static struct balance {
  uint64_t frames; /* free ones and the tester's own: its stack and text may have grown */
  uint64_t tasks, threads, endpoints, irqs, pagers, handles, tables;
  uint64_t pages; /* of the kernel's donations in use */
} before;
static uint64_t begun; /* before.pages, of the first test */

static struct balance balance(void) {
  struct q_info info = kernel_info();
  uint64_t frames = free_frames();
  struct p_stats own = own_stats();
  return (struct balance){frames + own.resident + own.shared,
                          info.tasks,
                          info.threads,
                          info.endpoints,
                          info.irqs,
                          info.pagers,
                          info.handles,
                          info.tables,
                          info.donated_pages - info.donated_free};
}

/* What is set up by the first use is set up now: pages for the handles of as many programs as there may be, and for a few
 * threads of the tester, which both stay. */
static void grow_tables(void) {
  static uint64_t id[700];
  struct p_death death;
  q_handle thread[6];
  unsigned count = 0;
  int64_t got;
  while (count < sizeof id / sizeof *id && (got = p_spawn_program(ARGV("victim", "sleep"), P_SPAWN_QUIET, 0)) > 0)
    id[count++] = (uint64_t)got;
  while (count && !p_kill_program(id[--count]))
    p_wait_for(id[count], &death);
  CHECK_EQ(count, 0);
  for (; count < 6; count++)
    CHECK_EQ(q_thread_create(P_HANDLE_TASK, 1, &thread[count]), 0);
  while (count)
    CHECK_EQ(q_handle_destroy(thread[--count]), 0);
}

void tap_before(bool first) {
  if (first)
    grow_tables();
  before = balance();
  begun = first ? before.pages : begun;
}

#define SETTLE 50000000 /* ticks: 5 s */

/* On another hart a thread of the pager may be about to take back what a program got that has just been ended. */
static struct balance settled(void) {
  struct balance now = balance();
  for (uint64_t end = q_time() + SETTLE; harts() > 1 && now.frames != before.frames && q_time() < end;
       now = balance())
    q_sleep_until(q_time() + NAP);
  return now;
}

/* Of the tester's own page tables some go when all of its pages are away; and how many handles the pager and the servers had at most
 * is chance with several harts, but what their tables grew by stays. */
#define SLACK 3
static void near(uint64_t a, uint64_t b, bool exact) {
  if (exact)
    CHECK_EQ(a, b);
  else
    CHECK(a + SLACK >= b && b + SLACK >= a);
}

void tap_after(void) {
  struct balance after = settled();
  bool budget = own_stats().budget;
  CHECK_EQ(before.frames, after.frames);
  CHECK_EQ(before.tasks, after.tasks);
  CHECK_EQ(before.threads, after.threads);
  CHECK_EQ(before.endpoints, after.endpoints);
  CHECK_EQ(before.irqs, after.irqs);
  CHECK_EQ(before.pagers, after.pagers);
  CHECK_EQ(before.handles, after.handles);
  near(before.tables, after.tables, !budget);
  near(before.pages, after.pages, !budget && harts() == 1);
  CHECK(budget || after.pages <= begun + 2 * SLACK || harts() == 1); /* nor are they lost test by test */
}
