/* SPDX-License-Identifier: BSD-2-Clause */
/* Leap: the stride that most of the last faults had, by Boyer and Moore's vote over the last 4, 8 and then 16, is followed; more
 * pages while the faults go along with it, fewer when they do not (H. Al Maruf and M. Chowdhury, Effectively prefetching remote
 * memory with Leap, USENIX ATC 2020). A range has no gaps, so of longer strides than SPAN only the page itself comes. */
#include "../policy.h"

#define HISTORY 16
#define SPAN 2 /* pages */
#define MOST 8 /* strides in a fault, as in the paper */

struct state {
  uint64_t last; /* the last page that a fault brought in along its stride */
  uint32_t at, strides;
  int16_t delta[HISTORY];
};

/* 0: none has more than half of the last `faults`. */
static int vote(const struct state *s, unsigned faults) {
  int candidate = 0, count = 0;
  for (unsigned i = 1; i <= faults; i++) {
    int delta = s->delta[(s->at - i) % HISTORY];
    candidate = count ? candidate : delta;
    count += delta == candidate ? 1 : -1;
  }
  count = 0;
  for (unsigned i = 1; i <= faults; i++)
    count += s->delta[(s->at - i) % HISTORY] == candidate;
  return 2 * (unsigned)count > faults ? candidate : 0;
}

static int trend(const struct state *s) {
  int stride = 0;
  for (unsigned faults = 4; faults <= HISTORY && !stride; faults *= 2)
    stride = vote(s, faults);
  return stride;
}

static int delta_of(const struct state *s, uint64_t page) {
  int64_t pages = (int64_t)(page - s->last) / 4096;
  return pages == (int16_t)pages ? (int)pages : 0;
}

static void fault(const struct policy_area *area, uint64_t page, struct policy_range *range) {
  struct state *s = area->process;
  int delta = delta_of(s, page), stride;
  s->delta[s->at++ % HISTORY] = (int16_t)delta;
  s->last = page;
  stride = trend(s);
  if (!stride || stride > SPAN || stride < -SPAN) {
    s->strides /= 2;
    return;
  }
  s->strides = delta != stride ? s->strides / 2 : !s->strides ? 1 : s->strides < MOST ? 2 * s->strides : MOST;
  uint64_t pages = s->strides * (uint64_t)(stride < 0 ? -stride : stride);
  if (stride < 0 && pages > (page - area->start) / 4096)
    pages = (page - area->start) / 4096;
  range->page = stride < 0 ? page - pages * 4096 : page;
  range->pages = pages + 1;
  s->last = stride < 0 ? range->page : page + pages * 4096;
}

const struct policy policy_leap = {
    .name = "leap", .usage = "leap", .process_bytes = sizeof(struct state), .fault = fault};
