/* SPDX-License-Identifier: BSD-2-Clause */
/* What programs of tests on the build machine check, and how they report it. */
#ifndef CHECK_H
#define CHECK_H

#include <stdio.h>

static unsigned failures, number;

#define CHECK(what)                                                                                                  \
  do {                                                                                                               \
    if (!(what) && ++failures <= 20)                                                                                 \
      printf("# line %d: %s\n", __LINE__, #what);                                                                    \
  } while (0)

/* The checks since the last report were this test. */
static inline void report(const char *name) {
  static unsigned before;
  printf("%s %u - %s\n", failures == before ? "ok" : "not ok", ++number, name);
  before = failures;
}
#endif
