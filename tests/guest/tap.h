/* SPDX-License-Identifier: BSD-2-Clause */
/* The guest's side of tests/judge.py: named tests in a table, TAP with a checksum, and after each test a count of frames
 * and kernel objects, which must be what it was before. */
#ifndef TAP_H
#define TAP_H

#include <stdbool.h>
#include <stdio.h>
#ifndef __linux__
#include <quire/proc.h>
#endif

struct test {
  const char *name; /* the hazard */
  void (*run)(void);
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
/* Runs a program to its end. */
struct p_death run_victim(const char *const argv[]);
uint64_t spawn(q_handle gift, const char *const argv[]);
#endif
#define ARGV(...) ((const char *const[]){__VA_ARGS__, 0})
#endif
