/* SPDX-License-Identifier: BSD-2-Clause */
/* The guest's side of tests/judge.py: named tests in a table, TAP with a checksum, and after each test a count of frames
 * and kernel objects, which must be what it was before. */
#ifndef TAP_H
#define TAP_H

#include <stdbool.h>
#include <stdio.h>
#ifndef __linux__
#include <quire/proc.h>

/* Waits for what others have to do first, however many harts they have for it and however long these take. */
#define WAIT_TICKS 600000000 /* ticks: 60 s */
#define NAP 1000             /* 0.1 ms */
#define WAIT_FOR(condition)                                                                                          \
  do {                                                                                                               \
    uint64_t end_ = q_time() + WAIT_TICKS;                                                                           \
    bool came_;                                                                                                      \
    while (!(came_ = (condition)) && q_time() < end_)                                                                \
      q_sleep_until(q_time() + NAP);                                                                                 \
    tap_check(came_, __FILE_NAME__, __LINE__, #condition " came", 0, 0);                                             \
  } while (0)
#endif

struct test {
  const char *name; /* the hazard */
  void (*run)(void);
  enum { ANY_HARTS, ONE_HART, MANY_HARTS } harts; /* with how many it says anything */
};

int tap_run(const char *group, const struct test *tests, unsigned count);
void tap_check(bool good, const char *file, int line, const char *what, long long a, long long b);
#define TAP_RUN(group, tests) tap_run(group, tests, sizeof(tests) / sizeof *(tests))
#define CHECK(condition) tap_check(condition, __FILE_NAME__, __LINE__, #condition, 0, 0)
#define CHECK_EQ(a, b)                                                                                               \
  do {                                                                                                               \
    long long a_ = (long long)(a), b_ = (long long)(b);                                                              \
    tap_check(a_ == b_, __FILE_NAME__, __LINE__, #a " == " #b, a_, b_);                                              \
  } while (0)

/* Around each test; balance.c has them for tests under the pager. Where a test runs on Linux, tests/host/unix_tap.c has all
 * of the above. */
void tap_before(bool first);
void tap_after(void);

#ifndef __linux__
uint64_t free_frames(void); /* with the caches dropped */
struct p_stats own_stats(void);
struct q_info kernel_info(void);
unsigned harts(void); /* that take part */
/* Until the program's first thread is at that (Q_STATE_*), and waits for that one (struct p_stats) if for anybody. */
#define QUEUED ~0ul
void wait_state(uint64_t id, uint64_t state, uint64_t whom);
/* Runs a program to its end. */
struct p_death run_victim(const char *const argv[]);
uint64_t spawn(q_handle gift, const char *const argv[]);
#endif
#define ARGV(...) ((const char *const[]){__VA_ARGS__, 0})
#endif
