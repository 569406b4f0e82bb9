/* SPDX-License-Identifier: BSD-2-Clause */
/* See pool.h: threads that get nowhere. */
#include "pool.h"

#include <string.h>

#define ENOUGH 16 /* faults in a row on the same few pages: an instruction that gets on never has so many */
#define IDLE 64   /* faults of others after which one is forgotten */

bool stuck_alone(const struct stuck *stuck) {
  return stuck->repeats >= ENOUGH;
}

/* One thread is watched at a time: one that repeats itself before one that does not. */
static bool watches(struct stuck *stuck, uint64_t thread, uint64_t now) {
  if (stuck->thread != thread && stuck->repeats && now - stuck->last < IDLE)
    return false;
  if (stuck->thread != thread)
    *stuck = (struct stuck){.thread = thread};
  stuck->last = now;
  return true;
}

void stuck_note(struct stuck *stuck, uint64_t thread, uint64_t page, uint64_t now) {
  unsigned at = 0;
  if (!watches(stuck, thread, now))
    return;
  while (at < POOL_LEAST - 1 && stuck->page[at] != page)
    at++;
  stuck->repeats = stuck->page[at] == page ? stuck->repeats + 1 : 0;
  memmove(stuck->page + 1, stuck->page, at * sizeof *stuck->page);
  stuck->page[0] = page;
}

bool stuck_keeps(const struct stuck *stuck, uint64_t page) {
  bool is = false;
  for (unsigned i = 0; i < POOL_LEAST && stuck_alone(stuck); i++)
    is |= stuck->page[i] == page;
  return is;
}

bool stuck_let_go(struct stuck *stuck) {
  bool kept = stuck_alone(stuck);
  stuck->repeats = 0;
  return kept;
}
