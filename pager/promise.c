/* SPDX-License-Identifier: BSD-2-Clause */
/* Commit accounting. A strict program is refused a growth that could not be honoured; what it was granted is withheld from
 * everybody else until it is touched. Withheld are the pages promised to all strict programs, less the frames that they
 * have already, each counted once however many of them share it since a fork: so a page that is copied when it is written
 * has its frame, too. */
#include <assert.h>

#include "space.h"

#define STACK 16                /* pages of its stack that a program is promised */
uint64_t promise_margin = 1024; /* for page tables and for what the pager needs for itself */
uint64_t promised;
static uint64_t used;

static void promise_all(uint64_t sum) {
  bool first_or_last = !promised != !sum;
  promised = sum;
  if (first_or_last)
    spaces_note();
}

uint64_t promises_withheld(void) {
  return promised > used ? promised - used : 0;
}

void promises_used(int64_t frames) {
  used += (uint64_t)frames;
}

static uint64_t pages(uint64_t start, uint64_t end) {
  return (end - start) >> Q_PAGE_SHIFT;
}

/* Of memory that it may write, and of its image. A mapping that may be written no more has its frames still. */
static uint64_t promise_of(const struct space *space) {
  return STACK + pages(space->image->segment[0].start, PAGE_UP(space->brk)) + space->counted;
}

bool promise_room(uint64_t more) {
  uint64_t need = promises_withheld() + more + promise_margin + links_to_come();
  if (more < frames.total && frames_available() < need)
    cache_drop();
  return more < frames.total && frames_available() >= need;
}

bool promise_spare(void) {
  if (frames_available() <= promises_withheld() + links_to_come())
    cache_drop();
  return frames_available() > promises_withheld() + links_to_come();
}

void promise_update(struct space *space) {
  uint64_t now = space->strict ? promise_of(space) : 0;
  promise_all(promised + now - space->promised);
  space->promised = now;
}

void promise_end(struct space *space) {
  promise_all(promised - space->promised);
  space->promised = 0;
}

bool promise_first(struct space *space) {
  if (!promise_fits(space, promise_of(space)))
    return false;
  promise_update(space);
  return true;
}
