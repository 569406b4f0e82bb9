/* SPDX-License-Identifier: BSD-2-Clause */
/* One run: a trace, so many frames, and what decides which pages are in them. All that is counted is counted here, the same way
 * for a policy of the pager (pools.c) and for what only the host can have (lru.c, twoq.c, arc.c, lirs.c, opt.c): these see every
 * reference, a policy only faults and accessed bits. */
#ifndef RUN_H
#define RUN_H

#include "../policy.h"
#include "trace.h"

/* Bits of a frame. */
#define TOUCHED 1  /* since the page came */
#define ACCESSED 2 /* since the policy asked */
#define USED 4     /* the same, for what asks how many */
#define DIRTY 8
#define HIT(reference) (TOUCHED | ACCESSED | USED | ((reference)&1) * DIRTY)

#define FIGURES_MOST (3 * POLICY_FIGURES)

#define REFAULTS 33 /* 1, 2-3, 4-7, and so on */

/* Of a page, in one line of the cache: a miss has to look at two of these. */
struct where {
  uint32_t frame; /* TRACE_NONE: in none */
  uint32_t left;  /* the fault of its pool at which it was evicted; 0: it was not, since it came last */
};
#define NEVER_TOUCHED 0x80000000 /* in `left`: nor was it referenced before */

struct counts {
  uint64_t misses;
  uint64_t cold;    /* of these, first references to a page */
  uint64_t written; /* evicted dirty, or written ahead of that */
  uint64_t
      returned; /* came back from where they had been written to, at a miss or beside one; others are zeros again */
  uint64_t fetched;      /* came beside the page that was referenced */
  uint64_t untouched;    /* of these: not referenced before they went, or at all */
  uint64_t wrong;        /* proposals that could not be done */
  uint64_t chosen;       /* victims that were chosen for the policy, which had proposed none that could be */
  uint64_t resident_sum; /* pages in frames, added up over all references */
  uint64_t refault[REFAULTS];
  uint64_t ns, policy_ns; /* of all, and in hooks; 0: not measured */
  struct {
    const char *name; /* NULL: no more */
    uint64_t value;
  } own[FIGURES_MOST + 1]; /* what the policies say of themselves at the end, added up over all pools and processes */
};

/* Memory of a program that is one piece: numbers of pages. */
struct area {
  uint64_t first, end;
};

struct run {
  struct trace *trace;
  const char *words; /* of the policy, as they were given */
  const struct engine *engine;
  struct policy_set set; /* of a policy */
  uint32_t frames;
  uint64_t seed;
  bool enter_set, pool_each, time_hooks;
  const struct area *areas; /* where policies are asked what comes; */
  size_t areas_n;           /* 0: of each program all from its lowest page to its highest */
  struct counts counts;

  size_t at;           /* references done */
  size_t counted;      /* of these, those that are in resident_sum */
  uint32_t resident;   /* pages in frames */
  uint32_t slots;      /* frames have numbers below; with a pool for each process more than there are frames */
  uint32_t *page;      /* in each frame; TRACE_NONE */
  uint8_t *bits;       /* of each frame */
  uint32_t pages;      /* `where` has room for */
  struct where *where; /* of each page */
  uint8_t *stored;     /* of each page: it was written back once */
  void *own;           /* of the engine */
};

struct engine {
  const char *name, *source;
  void (*begin)(struct run *run);
  void (*replay)(struct run *run, size_t until); /* from run->at on */
  void (*end)(struct run *run);                  /* frees `own` */
};
extern const struct engine engine_policy, engine_lru, engine_twoq, engine_arc, engine_lirs, engine_opt;
extern const struct engine *const engines[]; /* that have a name: those of the host; then NULL */

/* Memory of zeros, or the program ends. */
void *zeros(size_t count, size_t bytes);
/* What `words` name: sets engine and set. false: none. */
bool run_choose(struct run *run, const char *words);
void run_begin(struct run *run, uint32_t slots); /* called by engine->begin */
void run_reserve(struct run *run);               /* the trace has got more pages */
void run_all(struct run *run, bool timed);       /* begin, replay, end, and what is counted at the end */
void run_finish(struct run *run);

/* Around each hook. One that does not return within ten seconds of the processor's time ends the program, which says so: without its
 * answer the rest would be no figures of that policy's. */
#define ASK(call)                                                                                                    \
  do {                                                                                                               \
    run_asked++;                                                                                                     \
    call;                                                                                                            \
    run_asked++;                                                                                                     \
  } while (0)
extern volatile unsigned run_asked;       /* odd: a hook is being asked, */
extern const char *volatile run_asked_of; /* of these words */
void run_watch(void);                     /* from now on */

/* A miss on the page, at a fault of that number, 1 and up. How many faults ago it was evicted; 0: it was not. */
uint32_t run_miss(struct run *run, uint32_t page, uint32_t fault);
void run_enter(struct run *run, uint32_t page, uint32_t frame, uint8_t bits);
void run_write(struct run *run, uint32_t frame); /* its page, if it is dirty: clean then */
void run_leave(struct run *run, uint32_t frame, uint32_t fault);

/* The bits with which a page enters that is referenced. */
static inline uint8_t run_entering(const struct run *run, uint32_t reference) {
  return (uint8_t)(HIT(reference) & (run->enter_set ? 0xffu : 0xffu - ACCESSED));
}
#endif
