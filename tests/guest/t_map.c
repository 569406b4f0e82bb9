/* SPDX-License-Identifier: BSD-2-Clause */
/* The edges of map, unmap, protect, fork and exec, by plain requests to the pager: what would wrap, what would take long, what
 * runs in two programs at once, and a page that changes sides. */
#include "tap.h"

#include <errno.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>

#define PAGE 4096ul
#define RW (Q_PROT_READ | Q_PROT_WRITE)
#define RX (Q_PROT_READ | Q_PROT_EXECUTE)
#define LONG 20000000 /* instructions: what one request may take at most */

int64_t fork_here(int64_t (*ask)(void *pc, void *sp));

static int64_t ask(uint64_t label, uint64_t a, uint64_t b, uint64_t c, uint64_t d) {
  struct q_call call = {.label = label, .word = {a, b, c, d}};
  CHECK_EQ(q_call(P_HANDLE_PAGER, &call), 0);
  return call.label ? -(int64_t)call.label : (int64_t)call.word[0];
}

static int64_t map_at(uint64_t at, uint64_t bytes, uint64_t flags) {
  return ask(P_map, at, bytes, flags, 0);
}

static volatile uint64_t *map(uint64_t bytes, uint64_t flags) {
  int64_t at = map_at(0, bytes, flags);
  CHECK(at > 0);
  return (volatile uint64_t *)at;
}

static int64_t unmap(volatile void *at, uint64_t bytes) {
  int64_t error = ask(P_unmap, (uint64_t)at, bytes, 0, 0);
  return error < 0 ? error : 0;
}

static int64_t protect(volatile void *at, uint64_t bytes, uint64_t prot) {
  int64_t error = ask(P_protect, (uint64_t)at, bytes, prot, 0);
  return error < 0 ? error : 0;
}

static int64_t ask_fork(void *pc, void *sp) {
  return ask(P_fork, 0, (uint64_t)pc, (uint64_t)sp, 0);
}

static _Noreturn void leave(uint64_t status) {
  for (;;)
    ask(P_exit, status, 0, 0, 0);
}

static void ends_with(int64_t id, uint64_t status) {
  struct p_death death;
  CHECK(id > 0);
  CHECK_EQ(p_wait_for((uint64_t)id, &death), id);
  CHECK_EQ(death.reason, P_REASON_EXIT);
  CHECK_EQ(death.status, status);
}

/* ---- Arguments --------------------------------------------------------------------------------------------------------------- */
static void ranges_that_wrap(void) {
  static const uint64_t odd[] = {
      0,          1,         PAGE - 1,        1ul << 38,       P_BREAK_MAX, P_BREAK_MAX + PAGE,
      Q_USER_TOP, 1ul << 63, ~0ul - PAGE + 1, ~0ul - PAGE + 2, ~0ul};
  volatile uint64_t *page = map(PAGE, RW);
  *page = 5;
  for (unsigned i = 0; i < sizeof odd / sizeof *odd; i++)
    for (unsigned j = 0; j < sizeof odd / sizeof *odd; j++) {
      bool whole = odd[i] <= (uint64_t)page && odd[j] >= (uint64_t)page + PAGE - odd[i];
      if (whole && odd[i] >= PAGE)
        continue; /* that is no error */
      CHECK(ask(P_unmap, odd[i], odd[j], 0, 0) < 0);
      CHECK(ask(P_protect, odd[i], odd[j], Q_PROT_READ, 0) < 0);
      CHECK(ask(P_map, odd[i], odd[j], RW | P_MAP_FIXED, 0) < 0);
    }
  for (unsigned i = 4; i < sizeof odd / sizeof *odd; i++) {
    CHECK(map_at(0, odd[i], RW) < 0);
    CHECK(map_at(0, odd[i], RW | P_MAP_SHARED) < 0);
    CHECK(map_at(0, PAGE, odd[i] & ~(uint64_t)RW) < 0);
    CHECK(unmap((char *)page, odd[i]) < 0);
    CHECK(protect((char *)page, odd[i], Q_PROT_READ) < 0);
  }
  CHECK_EQ(map_at(0, PAGE, RW | Q_PROT_EXECUTE), -EINVAL);
  CHECK_EQ(map_at(0, PAGE, Q_PROT_WRITE), -EINVAL);
  CHECK_EQ(*page, 5);
  CHECK_EQ(unmap(page, PAGE), 0);
}

/* The whole half of the user, but for what is not there to be mapped: little work, however much it is. */
static void ranges_that_are_huge(void) {
  uint64_t bytes = 200ul << 30, before = q_instret();
  volatile uint64_t *all = map(bytes, 0);
  CHECK_EQ(protect(all, bytes, RW), 0);
  all[0] = 1;
  all[bytes / 8 - 1] = 2;
  CHECK_EQ(protect(all, bytes, Q_PROT_READ), 0);
  CHECK_EQ(all[bytes / 8 - 1], 2);
  CHECK_EQ(protect(all, bytes, 0), -ENOMEM); /* too much to keep pages of */
  CHECK_EQ(all[0] + all[bytes / 8 - 1], 3);
  int64_t child = fork_here(ask_fork);
  if (!child)
    leave(all[0] + all[bytes / 8 - 1]);
  ends_with(child, 3);
  CHECK_EQ(unmap((char *)all + PAGE, bytes - 2 * PAGE), 0);
  CHECK_EQ(unmap(all, bytes), 0);
  volatile uint64_t *none = map(bytes, RW);
  CHECK_EQ(protect(none, bytes, 0), 0);
  CHECK_EQ(unmap(none, bytes), 0);
  uint64_t took = q_instret() - before;
  CHECK(harts() > 1 || took < LONG);
  printf("# huge ranges: %lu instructions\n", (unsigned long)took);
}

/* ---- Many regions ----------------------------------------------------------------------------------------------------------- */
static void as_many_regions_as_there_may_be(void) {
  uint64_t before = q_instret(), count = 0, place = P_BREAK_MAX, worst = 0;
  for (int64_t at = 1; at > 0 && count < 10000;) {
    uint64_t start = q_instret();
    at = map_at(place -= 2 * PAGE, PAGE, RW | P_MAP_FIXED);
    worst = q_instret() - start > worst ? q_instret() - start : worst;
    count += at > 0;
  }
  CHECK_EQ(count, 8192);
  printf("# %lu regions: %lu instructions, the longest request %lu\n", (unsigned long)count,
         (unsigned long)(q_instret() - before), (unsigned long)worst);
  CHECK(harts() > 1 || worst < LONG);
  before = q_instret();
  *(volatile char *)(P_BREAK_MAX - 2 * PAGE) = 1;
  printf("# a fault in the last: %lu\n", (unsigned long)(q_instret() - before));
  before = q_instret();
  CHECK_EQ(protect((void *)(P_BREAK_MAX - 2 * PAGE), PAGE, 0), 0);
  CHECK_EQ(protect((void *)(P_BREAK_MAX - 2 * PAGE), PAGE, RW), 0);
  printf("# protecting it, twice: %lu\n", (unsigned long)(q_instret() - before));
  before = q_instret();
  int64_t child = fork_here(ask_fork);
  if (!child)
    leave(*(volatile char *)(P_BREAK_MAX - 2 * PAGE));
  printf("# a fork: %lu\n", (unsigned long)(q_instret() - before));
  CHECK(harts() > 1 || q_instret() - before < LONG);
  ends_with(child, 1);
  before = q_instret();
  CHECK_EQ(unmap((void *)place, P_BREAK_MAX - place), 0);
  printf("# unmapping them: %lu\n", (unsigned long)(q_instret() - before));
  CHECK(harts() > 1 || q_instret() - before < LONG);
}

/* ---- What is in a page ------------------------------------------------------------------------------------------------------ */
#define SOME 40ul /* pages */

static void fill(volatile uint64_t *pages, uint64_t value) {
  for (uint64_t i = 0; i < SOME; i++)
    pages[i * PAGE / 8] = value + i;
}

static uint64_t sum_is(volatile uint64_t *pages, uint64_t value) {
  for (uint64_t i = 0; i < SOME; i++)
    if (pages[i * PAGE / 8] != value + i)
      return 0;
  return 1;
}

/* Without access, and after a fork: both find what they had, and none what the other writes. */
static void no_access_and_back(void) {
  volatile uint64_t *pages = map(SOME * PAGE, RW);
  fill(pages, 100);
  CHECK_EQ(protect(pages, SOME * PAGE, 0), 0);
  int64_t child = fork_here(ask_fork);
  if (!child) {
    bool good = !protect(pages, SOME * PAGE, RW) && sum_is(pages, 100);
    fill(pages, 200);
    leave(good && !protect(pages, SOME * PAGE, 0) && !protect(pages, SOME * PAGE, RX) && sum_is(pages, 200));
  }
  CHECK_EQ(protect(pages + PAGE / 8, PAGE, Q_PROT_READ), 0);
  CHECK_EQ(pages[PAGE / 8], 101);
  CHECK_EQ(protect(pages, SOME * PAGE, RW), 0);
  CHECK(sum_is(pages, 100));
  fill(pages, 300);
  ends_with(child, 1);
  CHECK(sum_is(pages, 300));
  CHECK_EQ(map_at((uint64_t)pages + PAGE, PAGE, RW | P_MAP_FIXED), (int64_t)pages + (int64_t)PAGE);
  CHECK_EQ(pages[PAGE / 8], 0);
  CHECK_EQ(pages[0], 300);
  CHECK_EQ(pages[2 * PAGE / 8], 302);
  CHECK_EQ(unmap(pages, SOME * PAGE), 0);
}

/* A page that was made executable by one of two programs that share it can be written by the other when it is gone. */
static void a_page_that_changes_sides(void) {
  volatile uint64_t *pages = map(SOME * PAGE, RW);
  for (unsigned round = 0; round < 3; round++) {
    fill(pages, round);
    CHECK_EQ(protect(pages, SOME * PAGE, RX), 0);
    CHECK_EQ(protect(pages, SOME * PAGE, RW), 0);
    int64_t child = fork_here(ask_fork);
    if (!child)
      leave(!protect(pages, SOME * PAGE, RX) && sum_is(pages, round));
    ends_with(child, 1);
    CHECK(sum_is(pages, round));
    fill(pages, 7);
    CHECK(sum_is(pages, 7));
  }
  CHECK_EQ(unmap(pages, SOME * PAGE), 0);
}

/* In a child, which has no endpoint to be notified at. */
static void await(uint64_t id) {
  struct p_death death;
  struct q_call call;
  do {
    q_sleep_until(q_time() + 10000);
    call = (struct q_call){.label = P_reap, .word = {id}, .write = &death, .write_bytes = sizeof death};
  } while (q_call(P_HANDLE_PAGER, &call) || call.label == EAGAIN);
}

static void shared_by_three(void) {
  volatile uint64_t *pages = map(SOME * PAGE, RW | P_MAP_SHARED), *own = map(PAGE, RW);
  *own = 1;
  int64_t child = fork_here(ask_fork);
  if (!child) {
    int64_t grandchild = fork_here(ask_fork);
    if (!grandchild) {
      fill(pages, 1000);
      leave(*own = 9);
    }
    await((uint64_t)grandchild);
    bool good = sum_is(pages, 1000) && *own == 1 && !protect(pages, SOME * PAGE, 0) && !unmap(pages, PAGE);
    leave(good);
  }
  ends_with(child, 1);
  CHECK(sum_is(pages, 1000));
  CHECK_EQ(protect(pages, SOME * PAGE, Q_PROT_READ), 0);
  CHECK_EQ(protect(pages, SOME * PAGE, 0), 0);
  CHECK_EQ(protect(pages, SOME * PAGE, RW), 0);
  CHECK(sum_is(pages, 1000));
  CHECK_EQ(unmap(pages, SOME * PAGE), 0);
  CHECK_EQ(unmap(own, PAGE), 0);
}

static void semaphores_of_two_programs(void) {
  sem_t *turn = (sem_t *)map(PAGE, RW | P_MAP_SHARED);
  volatile uint64_t *value = (volatile uint64_t *)(turn + 2);
  CHECK_EQ(sem_init(&turn[0], 1, 0) + sem_init(&turn[1], 1, 0), 0);
  int64_t child = fork_here(ask_fork);
  if (!child) {
    for (unsigned i = 0; i < 100; i++) {
      sem_wait(&turn[0]);
      *value = *value * 2 % 1009;
      sem_post(&turn[1]);
    }
    leave(100);
  }
  *value = 1;
  uint64_t expected = 1;
  for (unsigned i = 0; i < 100; i++) {
    sem_post(&turn[0]);
    sem_wait(&turn[1]);
    *value += i;
    expected = expected * 2 % 1009 + i;
  }
  CHECK_EQ(*value, expected);
  ends_with(child, 100);
  CHECK_EQ(unmap(turn, PAGE), 0);
}

/* ---- Exec -------------------------------------------------------------------------------------------------------------------- */
static int64_t exec(uint64_t id, const char *text, uint64_t bytes, uint64_t environment) {
  struct q_call call = {.label = P_exec, .word = {id, bytes, environment}, .read = text, .read_bytes = bytes};
  CHECK_EQ(q_call(P_HANDLE_PAGER, &call), 0);
  return -(int64_t)call.label;
}

static void busy(void *unused) { /* faults, asks and forgets */
  (void)unused;
  for (;;) {
    int64_t at = map_at(0, 8 * PAGE, RW);
    for (uint64_t i = 0; at > 0 && i < 8; i++)
      ((volatile char *)at)[i * PAGE] = 1;
    p_stats_of(0, (struct p_stats *)(at + (int64_t)PAGE));
    ask(P_unmap, (uint64_t)at, 8 * PAGE, 0, 0);
  }
}

/* Threads of the program before are in faults, calls and copies when it becomes another. */
static void exec_among_threads(void) {
  static const char good[] = "victim\0victim\0exit\000021", bad[] = "nobody\0nobody";
  for (unsigned round = 0; round < 8; round++) {
    int64_t child = fork_here(ask_fork);
    if (!child) {
      static struct p_thread thread[3];
      for (unsigned i = 0; i < 3; i++)
        if (p_thread_start(&thread[i], busy, NULL, Q_PRIORITY_PROGRAM))
          leave(1);
      q_sleep_until(q_time() + 20000 + round * 7777);
      if (exec(0, bad, sizeof bad, 0) != -ENOENT)
        leave(2);
      exec(0, good, sizeof good, 0);
      leave(3);
    }
    ends_with(child, 21);
  }
}

static void exec_of_a_child(void) {
  static const char sleep[] = "victim\0victim\0sleep", good[] = "victim\0victim\0exit\00017";
  int64_t child = (int64_t)spawn(0, ARGV("victim", "spin"));
  for (unsigned i = 0; i < 20; i++) {
    q_sleep_until(q_time() + 5000);
    CHECK_EQ(exec((uint64_t)child, sleep, sizeof sleep, 0), 0);
  }
  CHECK_EQ(exec((uint64_t)child, good, sizeof good - 1, 0), -EINVAL); /* it does not end */
  CHECK_EQ(exec((uint64_t)child, good, sizeof good, 0), 0);
  ends_with(child, 17);
  CHECK_EQ(exec((uint64_t)child, good, sizeof good, 0), -ESRCH);
}

/* The most bytes, the most strings, and one more. */
static void arguments_as_long_as_may_be(void) {
  static char text[P_NAME_MAX + P_SPAWN_MAX + 1];
  static const char name[] = "victim\0victim\0exit\0009";
  int64_t child = (int64_t)spawn(0, ARGV("victim", "sleep"));
  uint64_t head = sizeof name, first = sizeof "victim", all = first + P_SPAWN_MAX;
  memset(text, 'a', sizeof text);
  memcpy(text, name, head);
  text[all] = 0;
  CHECK_EQ(exec((uint64_t)child, text, all + 1, 0), -E2BIG);
  text[all] = 'a', text[all - 1] = 0;
  CHECK_EQ(exec((uint64_t)child, text, all, 1ul << 63), -EINVAL);
  CHECK_EQ(exec((uint64_t)child, text, all, 4), -EINVAL);
  CHECK_EQ(exec((uint64_t)child, text, all, 1), 0);
  ends_with(child, 9);
  child = (int64_t)spawn(0, ARGV("victim", "sleep"));
  memset(text + head, 0, P_SPAWN_STRINGS); /* empty strings: with the three that there are, too many */
  CHECK_EQ(exec((uint64_t)child, text, head + P_SPAWN_STRINGS - 2, 0), -E2BIG);
  CHECK_EQ(exec((uint64_t)child, text, head + P_SPAWN_STRINGS - 3, 0), 0);
  ends_with(child, 9);
}

static const struct test tests[] = {
    {"ranges that wrap", ranges_that_wrap},
    {"ranges that are huge", ranges_that_are_huge},
    {"as many regions as there may be", as_many_regions_as_there_may_be},
    {"no access and back, after a fork", no_access_and_back},
    {"a page that changes sides", a_page_that_changes_sides},
    {"shared by three", shared_by_three},
    {"semaphores of two programs", semaphores_of_two_programs},
    {"exec among threads", exec_among_threads},
    {"exec of a child", exec_of_a_child},
    {"arguments as long as may be", arguments_as_long_as_may_be},
};

int main(void) {
  free(malloc(300000)); /* for the threads' stacks */
  return TAP_RUN("map", tests);
}
