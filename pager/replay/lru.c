/* SPDX-License-Identifier: BSD-2-Clause */
/* Least recently used, exactly: a stack algorithm (R. L. Mattson et al., Evaluation techniques for storage hierarchies, IBM
 * Systems Journal 9(2), 1970), so that more frames never mean more misses. */
#include "model.h"

static void hit(struct run *run, uint32_t page) {
  ring_remove(run->own, 0, page);
  ring_add(run->own, 0, page);
}

static uint32_t miss(struct run *run, uint32_t page) {
  struct rings *rings = run->own;
  uint32_t victim = run->resident == run->frames ? ring_take_oldest(rings, 0) : TRACE_NONE;
  ring_add(rings, 0, page);
  return model_room(run, victim);
}

static void begin(struct run *run) {
  run_begin(run, run->frames);
  run->own = zeros(1, sizeof(struct rings));
  rings_begin(run->own, run->trace->pages, 1);
}

static void replay(struct run *run, size_t until) {
  model_replay(run, until, hit, miss);
}

static void end(struct run *run) {
  rings_end(run->own);
  free(run->own);
}

const struct engine engine_lru = {.name = "lru", .source = "exact", .begin = begin, .replay = replay, .end = end};
