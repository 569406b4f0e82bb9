/* SPDX-License-Identifier: BSD-2-Clause */
/* What a program for xv6 can know of tap.h, which needs the C library's headers. */
#ifndef XV6_TAP_H
#define XV6_TAP_H

struct test {
  const char *name; /* the hazard */
  void (*run)(void);
  enum { ANY_HARTS, ONE_HART, MANY_HARTS } harts; /* with how many it says anything */
};

int tap_run(const char *group, const struct test *tests, unsigned count);
void tap_check(_Bool good, const char *file, int line, const char *what, long long a, long long b);
#define CHECK(condition) tap_check(condition, __FILE_NAME__, __LINE__, #condition, 0, 0)
#define CHECK_EQ(a, b)                                                                                               \
  do {                                                                                                               \
    long long a_ = (long long)(a), b_ = (long long)(b);                                                              \
    tap_check(a_ == b_, __FILE_NAME__, __LINE__, #a " == " #b, a_, b_);                                              \
  } while (0)
#endif
