/* SPDX-License-Identifier: BSD-2-Clause */
/* ARC (N. Megiddo and D. S. Modha, ARC: a self-tuning, low overhead replacement cache, FAST 2003, figure 4): pages seen once and
 * pages seen more often are two LRU lists, and what each has lost lately says how long they are to be. */
#include "model.h"

enum { T1, T2, B1, B2, RINGS };

struct arc {
  struct rings rings;
  uint8_t *in;   /* ring + 1 of each page; 0: none */
  double target; /* of T1: p in the paper */
};

static void put(struct arc *a, unsigned ring, uint32_t page) {
  ring_add(&a->rings, ring, page);
  a->in[page] = (uint8_t)(ring + 1);
}

static uint32_t take_oldest(struct arc *a, unsigned ring) {
  uint32_t page = ring_take_oldest(&a->rings, ring);
  a->in[page] = 0;
  return page;
}

static void hit(struct run *run, uint32_t page) {
  struct arc *a = run->own;
  ring_remove(&a->rings, a->in[page] - 1u, page);
  put(a, T2, page);
}

/* REPLACE of the paper: the victim, which is remembered. */
static uint32_t replace(struct arc *a, bool in_b2) {
  uint32_t t1 = a->rings.length[T1];
  bool from_t1 = t1 && (t1 > a->target || (in_b2 && t1 == a->target) || !a->rings.length[T2]);
  uint32_t victim = take_oldest(a, from_t1 ? T1 : T2);
  put(a, from_t1 ? B1 : B2, victim);
  return victim;
}

/* Cases II and III: the list that lost it is to be longer. */
static uint32_t come_back(struct run *run, struct arc *a, bool in_b2) {
  double b1 = a->rings.length[B1], b2 = a->rings.length[B2], ratio = in_b2 ? b1 / b2 : b2 / b1,
         step = ratio > 1 ? ratio : 1;
  double target = in_b2 ? a->target - step : a->target + step;
  a->target = target < 0 ? 0 : target > run->frames ? run->frames : target;
  return run->resident == run->frames ? replace(a, in_b2) : TRACE_NONE;
}

/* Case IV. */
static uint32_t come_new(struct run *run, struct arc *a) {
  const uint32_t *length = a->rings.length;
  uint32_t all = length[T1] + length[T2] + length[B1] + length[B2];
  if (length[T1] + length[B1] == run->frames) {
    if (length[T1] == run->frames)
      return take_oldest(a, T1); /* B1 is empty: nobody remembers it */
    take_oldest(a, B1);
  } else if (all >= 2 * (uint64_t)run->frames) {
    take_oldest(a, B2);
  }
  return run->resident == run->frames ? replace(a, false) : TRACE_NONE;
}

static uint32_t miss(struct run *run, uint32_t page) {
  struct arc *a = run->own;
  unsigned in = a->in[page];
  uint32_t victim = in ? come_back(run, a, in == B2 + 1) : come_new(run, a);
  if (in)
    ring_remove(&a->rings, in - 1, page);
  put(a, in ? T2 : T1, page);
  return model_room(run, victim);
}

static void begin(struct run *run) {
  struct arc *a = zeros(1, sizeof *a);
  run_begin(run, run->frames);
  a->in = zeros(run->trace->pages, 1);
  rings_begin(&a->rings, run->trace->pages, RINGS);
  run->own = a;
}

static void replay(struct run *run, size_t until) {
  model_replay(run, until, hit, miss);
}

static void end(struct run *run) {
  struct arc *a = run->own;
  rings_end(&a->rings);
  free(a->in);
  free(a);
}

const struct engine engine_arc = {
    .name = "arc", .source = "Megiddo and Modha 2003", .begin = begin, .replay = replay, .end = end};
