/* SPDX-License-Identifier: BSD-2-Clause */
/* Belady's optimum, MIN: the page goes whose next reference is farthest away (Belady 1966), which no demand paging can better
 * (Mattson et al. 1970). Frames are a heap by that. */
#include "model.h"

struct opt {
  const uint32_t *next; /* of each reference */
  uint32_t *key;        /* of each frame: its page's next reference */
  uint32_t *heap;       /* of frames, the farthest first */
  uint32_t *place;      /* of each frame in the heap */
  uint32_t frames;
};

static void set(struct opt *o, uint32_t place, uint32_t frame) {
  o->heap[place] = frame;
  o->place[frame] = place;
}

/* A frame's key is greater than it was. */
static void up(struct opt *o, uint32_t frame) {
  uint32_t at = o->place[frame];
  for (; at && o->key[o->heap[(at - 1) / 2]] < o->key[frame]; at = (at - 1) / 2)
    set(o, at, o->heap[(at - 1) / 2]);
  set(o, at, frame);
}

/* The frame at the top has another key. */
static void down(struct opt *o) {
  uint32_t frame = o->heap[0], at = 0, child;
  for (; (child = 2 * at + 1) < o->frames; at = child) {
    child += child + 1 < o->frames && o->key[o->heap[child + 1]] > o->key[o->heap[child]];
    if (o->key[o->heap[child]] <= o->key[frame])
      break;
    set(o, at, o->heap[child]);
  }
  set(o, at, frame);
}

static void hit(struct run *run, uint32_t page) {
  struct opt *o = run->own;
  uint32_t frame = run->where[page].frame;
  o->key[frame] = o->next[run->at];
  up(o, frame);
}

static uint32_t miss(struct run *run, uint32_t page) {
  struct opt *o = run->own;
  bool full = run->resident == run->frames;
  uint32_t frame = model_room(run, full ? run->page[o->heap[0]] : TRACE_NONE);
  (void)page;
  o->key[frame] = o->next[run->at];
  if (full) {
    down(o);
  } else {
    set(o, o->frames++, frame);
    up(o, frame);
  }
  return frame;
}

static void begin(struct run *run) {
  struct opt *o = zeros(1, sizeof *o);
  run_begin(run, run->frames);
  o->next = trace_next(run->trace);
  o->key = zeros(run->frames, sizeof *o->key);
  o->heap = zeros(run->frames, sizeof *o->heap);
  o->place = zeros(run->frames, sizeof *o->place);
  run->own = o;
}

static void replay(struct run *run, size_t until) {
  model_replay(run, until, hit, miss);
}

static void end(struct run *run) {
  struct opt *o = run->own;
  free(o->key);
  free(o->heap);
  free(o->place);
  free(o);
}

const struct engine engine_opt = {
    .name = "opt", .source = "Belady's optimum", .begin = begin, .replay = replay, .end = end};
