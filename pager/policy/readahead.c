/* SPDX-License-Identifier: BSD-2-Clause */
/* Adaptive sequential read-ahead: a fault that goes on where an earlier one's pages ended brings in twice as many, up to a
 * most; any other fault brings in its page alone and may begin a walk. Several walks at once are told apart (F. Wu, H. Xi, C.
 * Xu, On the design of a new Linux readahead framework, ACM SIGOPS Operating Systems Review 42(5), 2008). Where a program has
 * said that it goes through its memory in order the most comes at once, and where it said the contrary the page alone. */
#include "../policy.h"

#define WALKS 4
#define ADVISED 3 /* ranges that are remembered */

struct walk {
  uint64_t start, pages; /* what the last of its faults brought in; pages 0: none */
};

struct advised {
  uint64_t start, pages_advice; /* pages * 4 + POLICY_NORMAL, _RANDOM or _SEQUENTIAL; 0: none */
};

struct program {
  struct walk walk[WALKS];
  struct advised advised[ADVISED]; /* the last first */
  uint64_t followed, others;       /* faults that were of a walk, or not */
};

static bool option(const char *text, void *options) {
  return policy_number(text, 2, 64, 32, options);
}

/* The walk that gets to the page: it is the one after what came last, or of that, if less came than was asked for. */
static unsigned find(const struct walk *walk, uint64_t page) {
  for (unsigned i = 0; i < WALKS; i++)
    if (page > walk[i].start && page - walk[i].start <= walk[i].pages * 4096)
      return i;
  return WALKS;
}

/* In place of this one, which is forgotten. */
static void remember(struct walk *walk, unsigned found, struct walk now) {
  for (unsigned i = found < WALKS ? found : WALKS - 1; i; i--)
    walk[i] = walk[i - 1]; /* the one that was used longest ago is forgotten */
  *walk = now;
}

static enum policy_advice said_of(const struct program *program, uint64_t page) {
  for (unsigned i = 0; i < ADVISED; i++)
    if (page - program->advised[i].start < program->advised[i].pages_advice / 4 * 4096)
      return (enum policy_advice)(program->advised[i].pages_advice % 4);
  return POLICY_NORMAL;
}

static void fault(const struct policy_area *area, uint64_t page, struct policy_range *range) {
  struct program *program = area->process;
  enum policy_advice said = said_of(program, page);
  uint64_t most = *(const uint64_t *)area->options;
  unsigned found = said == POLICY_RANDOM ? WALKS : find(program->walk, page);
  *(found < WALKS ? &program->followed : &program->others) += 1;
  if (found < WALKS)
    range->pages = 2 * program->walk[found].pages < most ? 2 * program->walk[found].pages : most;
  if (said == POLICY_SEQUENTIAL)
    range->pages = most;
  if (said != POLICY_RANDOM)
    remember(program->walk, found, (struct walk){page, range->pages});
}

static void advice(const struct policy_area *area, enum policy_advice advice, struct policy_range *range) {
  struct program *program = area->process;
  uint64_t most = *(const uint64_t *)area->options;
  if (advice == POLICY_WILLNEED) { /* the rest when the program gets there */
    range->pages = range->pages < most ? range->pages : most;
    remember(program->walk, find(program->walk, range->page), (struct walk){range->page, range->pages});
    return;
  }
  for (unsigned i = ADVISED - 1; i; i--)
    program->advised[i] = program->advised[i - 1];
  program->advised[0] = (struct advised){range->page, range->pages * 4 + advice};
}

static void statistics(const struct policy_asked *asked, uint64_t *figure) {
  const struct program *program = asked->process;
  figure[0] = program ? program->followed : 0;
  figure[1] = program ? program->others : 0;
}

const struct policy policy_readahead = {.name = "readahead",
                                        .usage = "readahead[,PAGES] (at most so many, 2 to 64; else 32)",
                                        .option = option,
                                        .process_bytes = sizeof(struct program),
                                        .fault = fault,
                                        .advice = advice,
                                        .statistics = statistics,
                                        .figures = {"followed", "others"}};
