/* SPDX-License-Identifier: BSD-2-Clause */
/* Policies, as a program sees them: what comes with a fault, what comes before any, what is counted; and the ready frames.
 * Booted with policy=window and with policy=eager, each with count=untouched and a small pool. */
#include "tap.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096ul
#define WINDOW 16
#define LOW 16 /* ready=16,64 */
#define HIGH 64

static bool eager;

static struct p_system system_now(void) {
  struct p_system system;
  CHECK_EQ(p_system_stats(0, &system), 0);
  return system;
}

static uint64_t faults(void) {
  struct p_stats s = own_stats();
  return s.faults[0] + s.faults[1] + s.faults[2];
}

/* The next break that a window begins at. */
static char *aligned_heap(uint64_t pages) {
  uint64_t brk = (uint64_t)sbrk(0), bytes = -brk & (WINDOW * PAGE - 1);
  sbrk((intptr_t)bytes);
  return sbrk((intptr_t)(pages * PAGE));
}

/* All the faults that touching so many new pages from here on costs, in steps. */
static void check_walk(char *at, uint64_t pages, uint64_t step) {
  struct p_stats before = own_stats();
  uint64_t old = faults();
  for (uint64_t i = 0; i < pages; i += step) {
    CHECK_EQ(at[i * PAGE], 0);
    at[i * PAGE] = 1;
  }
  uint64_t had = faults() - old;
  if (eager)
    CHECK_EQ(had, 0);
  else /* a window is cut where no frames lie in a row, as where some are just being zeroed by another hart */
    CHECK(had >= pages / WINDOW && had <= (harts() > 1 ? pages - 1 : pages / WINDOW + 4));
  CHECK_EQ(own_stats().ahead - before.ahead, eager ? 0 : pages - had);
  CHECK_EQ(own_stats().resident - before.resident, eager ? 0 : pages);
}

static void heap(void) {
  uint64_t resident = own_stats().resident;
  char *base = aligned_heap(64), *old = base;
  if (eager)
    CHECK(own_stats().resident - resident >= 64);
  check_walk(base, 64, 1);
  sbrk((intptr_t)(old - (char *)sbrk(0)));
}

static void mapping(void) {
  char *base = mmap(NULL, 96 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  char *at = (char *)(((uint64_t)base + WINDOW * PAGE - 1) & ~(WINDOW * PAGE - 1));
  CHECK(base != MAP_FAILED);
  check_walk(at, 64, 1);
  CHECK_EQ(munmap(base, 96 * PAGE), 0);
}

/* Nothing that is there is brought in again, and no page is left out. */
static void holes(void) {
  char *base = mmap(NULL, 96 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  char *at = (char *)(((uint64_t)base + WINDOW * PAGE - 1) & ~(WINDOW * PAGE - 1));
  for (unsigned i = 0; i < 16; i++)
    at[i * PAGE] = (char)(i + 1);
  CHECK_EQ(munmap(at + 5 * PAGE, PAGE), 0);
  CHECK_EQ(mmap(at + 5 * PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
               at + 5 * PAGE,
           true);
  for (unsigned i = 0; i < 16; i++)
    CHECK_EQ(at[i * PAGE], i == 5 ? 0 : i + 1);
  CHECK_EQ(munmap(base, 96 * PAGE), 0);
}

static void untouched(void) {
  struct p_stats before = own_stats();
  char *base = aligned_heap(32), *end = sbrk(0);
  base[3 * PAGE] = 1;
  (void)*(volatile char *)(base + 7 * PAGE);
  uint64_t came = own_stats().resident - before.resident;
  CHECK(came == (eager ? 32 : WINDOW) || (harts() > 1 && !eager)); /* else as in check_walk() */
  CHECK_EQ(own_stats().untouched - before.untouched, came - 2);
  sbrk(-(intptr_t)(32 * PAGE));
  CHECK_EQ(own_stats().untouched - before.untouched, came - 2);
  CHECK(sbrk(0) == end - 32 * PAGE);
}

static void stack(void) {
  volatile char large[40 * PAGE];
  uint64_t resident = own_stats().resident;
  large[20 * PAGE] = 1;
  CHECK_EQ(own_stats().resident - resident, large[20 * PAGE]);
}

static bool enough_ready(void) {
  return system_now().ready >= (harts() == 1 ? HIGH - 16 : LOW);
}

/* While this sleeps there is nothing else to do. */
static void sleep_until_ready(void) {
  CHECK_EQ(q_sleep_until(q_time() + 100000), 0);
  if (harts() > 1) /* which take turns as the host lets them, and begin again at LOW */
    WAIT_FOR(enough_ready());
  else
    CHECK(enough_ready());
}

static void touch(char *base, uint64_t pages) {
  for (uint64_t i = 0; i < pages; i++)
    base[i * PAGE] = 1;
}

static void ready(void) {
  sleep_until_ready();
  struct p_system before = system_now();
  CHECK(before.ready <= before.free);
  touch(sbrk(8 * (intptr_t)PAGE), 8);
  struct p_system after = system_now();
  CHECK(after.ready_hits - before.ready_hits >= 8);
  uint64_t more = after.ready + 200; /* blocks that the kernel gave back are ready, too */
  touch(sbrk((intptr_t)(more * PAGE)), more);
  if (harts() == 1) { /* else another zeroes meanwhile */
    CHECK_EQ(after.ready_misses, before.ready_misses);
    CHECK(system_now().ready_misses > after.ready_misses);
  }
  sleep_until_ready();
  sbrk(-(intptr_t)((more + 8) * PAGE));
}

static const struct test tests[] = {
    {"the heap, walked", heap},           {"a mapping, walked", mapping},
    {"a hole in a window", holes},        {"what is never touched is counted", untouched},
    {"the stack comes on demand", stack}, {"frames are zeroed while nothing else runs", ready},
};

int main(void) {
  eager = !strcmp(system_now().policy, "eager");
  CHECK(eager || !strcmp(system_now().policy, "window"));
  return TAP_RUN("policy", tests);
}
