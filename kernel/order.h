/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether locks are taken in their order, for builds with checks: the kernel's (kernel/hart.c), the pager's (pager/harts.c) and the posix server's (servers/posix/harts.c).
 * Each lock has a rank, the one before them all 0; who takes one may hold none of that rank or a higher one. `held` has a bit
 * for the rank of each lock that a hart, or a thread of one of those, has taken. */
#ifndef ORDER_H
#define ORDER_H
#include <stdbool.h>
#include <stdint.h>

/* False, as from the other: that may not be. */
static inline bool order_take(uint32_t *held, unsigned rank) {
  bool good = !(*held >> rank);
  *held |= 1u << rank;
  return good;
}

static inline bool order_release(uint32_t *held, unsigned rank) {
  bool good = *held >> rank & 1;
  *held &= ~(1u << rank);
  return good;
}
#endif
