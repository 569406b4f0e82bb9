/* SPDX-License-Identifier: BSD-2-Clause */
/* What the algorithms that see each reference have in common: their loop. Each says what a hit and a miss do with page numbers;
 * model_room() then takes the page that goes out of its frame. */
#ifndef MODEL_H
#define MODEL_H

#include "ring.h"

/* The frame for a page that comes: of `victim`, if all are taken. */
static inline uint32_t model_room(struct run *run, uint32_t victim) {
  if (run->resident < run->frames)
    return run->resident;
  uint32_t frame = run->where[victim].frame;
  run_leave(run, frame, (uint32_t)run->counts.misses);
  return frame;
}

static inline void model_replay(struct run *run, size_t until, void (*hit)(struct run *run, uint32_t page),
                                uint32_t (*miss)(struct run *run, uint32_t page)) {
  for (; run->at < until; run->at++) {
    uint32_t reference = run->trace->reference[run->at], page = reference >> 1, frame = run->where[page].frame;
    if (frame != TRACE_NONE) {
      run->bits[frame] |= (uint8_t)HIT(reference);
      hit(run, page);
      continue;
    }
    run_miss(run, page, (uint32_t)run->counts.misses + 1);
    run_enter(run, page, miss(run, page), (uint8_t)HIT(reference));
  }
}
#endif
