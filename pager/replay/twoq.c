/* SPDX-License-Identifier: BSD-2-Clause */
/* 2Q, full version (T. Johnson and D. Shasha, 2Q: a low overhead high performance buffer management replacement algorithm, VLDB
 * 1994): a page that is new goes through a queue of a quarter of the frames; if it comes back while the numbers of those that
 * left that, of half as many as there are frames, are remembered, it enters an LRU list. */
#include "model.h"

enum { A1IN, A1OUT, AM, RINGS };

struct twoq {
  struct rings rings;
  uint8_t *in; /* ring + 1 of each page; 0: none */
};

static void put(struct twoq *q, unsigned ring, uint32_t page) {
  ring_add(&q->rings, ring, page);
  q->in[page] = (uint8_t)(ring + 1);
}

static uint32_t take_oldest(struct twoq *q, unsigned ring) {
  uint32_t page = ring_take_oldest(&q->rings, ring);
  q->in[page] = 0;
  return page;
}

static void hit(struct run *run, uint32_t page) {
  struct twoq *q = run->own;
  if (q->in[page] != AM + 1)
    return;
  ring_remove(&q->rings, AM, page);
  ring_add(&q->rings, AM, page);
}

static uint32_t at_least_one(uint32_t count) {
  return count ? count : 1;
}

/* "reclaimfor" of the paper. */
static uint32_t reclaim(struct run *run, struct twoq *q) {
  uint32_t victim;
  if (run->resident < run->frames)
    return TRACE_NONE;
  if (q->rings.length[A1IN] <= at_least_one(run->frames / 4) && q->rings.length[AM])
    return take_oldest(q, AM);
  victim = take_oldest(q, A1IN);
  put(q, A1OUT, victim);
  if (q->rings.length[A1OUT] > at_least_one(run->frames / 2))
    take_oldest(q, A1OUT);
  return victim;
}

static uint32_t miss(struct run *run, uint32_t page) {
  struct twoq *q = run->own;
  bool back = q->in[page] == A1OUT + 1;
  if (back)
    ring_remove(&q->rings, A1OUT, page);
  uint32_t victim = reclaim(run, q);
  put(q, back ? AM : A1IN, page);
  return model_room(run, victim);
}

static void begin(struct run *run) {
  struct twoq *q = zeros(1, sizeof *q);
  run_begin(run, run->frames);
  q->in = zeros(run->trace->pages, 1);
  rings_begin(&q->rings, run->trace->pages, RINGS);
  run->own = q;
}

static void replay(struct run *run, size_t until) {
  model_replay(run, until, hit, miss);
}

static void end(struct run *run) {
  struct twoq *q = run->own;
  rings_end(&q->rings);
  free(q->in);
  free(q);
}

const struct engine engine_twoq = {
    .name = "2q", .source = "Johnson and Shasha 1994", .begin = begin, .replay = replay, .end = end};
