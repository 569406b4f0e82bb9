/* SPDX-License-Identifier: BSD-2-Clause */
/* LIRS (S. Jiang and X. Zhang, LIRS: an efficient low inter-reference recency set replacement policy, SIGMETRICS 2002): what
 * counts is how many other pages came between the last two references to a page. The stack has the pages with low numbers
 * (LIR), at its bottom always one of these, and those referenced since; the queue has the others (HIR) that are there, a
 * hundredth of all. The stack remembers pages that went without bound, as in the paper. */
#include "model.h"

enum { HIR, LIR };

struct lirs {
  struct rings stack, queue; /* one ring each: a page can be in both */
  uint8_t *lir, *in_stack, *in_queue;
  uint32_t lirs, most_lirs;
};

static void push(struct lirs *l, uint32_t page) {
  if (l->in_stack[page])
    ring_remove(&l->stack, 0, page);
  ring_add(&l->stack, 0, page);
  l->in_stack[page] = true;
}

static void enqueue(struct lirs *l, uint32_t page) {
  if (l->in_queue[page])
    ring_remove(&l->queue, 0, page);
  ring_add(&l->queue, 0, page);
  l->in_queue[page] = true;
}

static void dequeue(struct lirs *l, uint32_t page) {
  if (l->in_queue[page])
    ring_remove(&l->queue, 0, page);
  l->in_queue[page] = false;
}

/* Until its bottom is LIR. */
static void prune(struct lirs *l) {
  while (l->stack.length[0] && !l->lir[ring_oldest(&l->stack, 0)])
    l->in_stack[ring_take_oldest(&l->stack, 0)] = false;
}

/* The page becomes LIR; if these are too many then, the one at the stack's bottom becomes HIR. */
static void promote(struct lirs *l, uint32_t page) {
  dequeue(l, page);
  push(l, page);
  l->lir[page] = LIR;
  if (++l->lirs <= l->most_lirs)
    return;
  uint32_t bottom = ring_oldest(&l->stack, 0);
  l->lir[bottom] = HIR;
  l->lirs--;
  enqueue(l, bottom);
  prune(l);
}

static void hit(struct run *run, uint32_t page) {
  struct lirs *l = run->own;
  if (l->lir[page]) {
    push(l, page);
    prune(l);
  } else if (l->in_stack[page] && l->most_lirs) {
    promote(l, page);
  } else {
    push(l, page);
    enqueue(l, page);
  }
}

static uint32_t miss(struct run *run, uint32_t page) {
  struct lirs *l = run->own;
  uint32_t victim = TRACE_NONE;
  if (run->resident == run->frames)
    dequeue(l, victim = ring_oldest(&l->queue, 0));
  if (l->lirs < l->most_lirs || (l->in_stack[page] && l->most_lirs)) {
    promote(l, page);
  } else {
    push(l, page);
    enqueue(l, page);
  }
  return model_room(run, victim);
}

static void begin(struct run *run) {
  struct lirs *l = zeros(1, sizeof *l);
  uint32_t pages = run->trace->pages, hirs = run->frames / 100 ? run->frames / 100 : 1;
  run_begin(run, run->frames);
  l->most_lirs = run->frames - hirs;
  l->lir = zeros(pages, 1);
  l->in_stack = zeros(pages, 1);
  l->in_queue = zeros(pages, 1);
  rings_begin(&l->stack, pages, 1);
  rings_begin(&l->queue, pages, 1);
  run->own = l;
}

static void replay(struct run *run, size_t until) {
  model_replay(run, until, hit, miss);
}

static void end(struct run *run) {
  struct lirs *l = run->own;
  rings_end(&l->stack);
  rings_end(&l->queue);
  free(l->lir);
  free(l->in_stack);
  free(l->in_queue);
  free(l);
}

const struct engine engine_lirs = {
    .name = "lirs", .source = "Jiang and Zhang 2002", .begin = begin, .replay = replay, .end = end};
