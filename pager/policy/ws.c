/* SPDX-License-Identifier: BSD-2-Clause */
/* Working set: a program may have as many pages as it used in the last window of time, and is admitted only if its pages fit
 * beside the working sets of all others (P. J. Denning, The working set model for program behavior, CACM 11(5), 1968). The set
 * is seen by samples a window apart: between them each fault is a page of it that the last sample did not know. Which pages go is
 * the replacement's choice. */
#include "../policy.h"

enum { WINDOW, FRAMES }; /* options: ticks; frames that the sets of all may take */

struct program {
  uint64_t elapsed; /* ticks since the last sample */
  uint64_t set;     /* pages, as of that; 0: there was none yet */
};

static bool option(const char *text, void *options) {
  uint64_t *number = options;
  number[WINDOW] = 100000;
  number[FRAMES] = 1u << 30;
  return policy_numbers(text, 1, 1u << 30, number);
}

static uint32_t budget(struct policy_need *need) {
  struct program *program = need->process;
  program->elapsed += need->ticks;
  if (program->elapsed < ((const uint64_t *)need->options)[WINDOW])
    return need->resident < need->budget ? need->budget : need->budget + 1;
  program->elapsed = 0;
  program->set = need->used(need) + 1; /* the page that faults */
  return (uint32_t)program->set;
}

/* The first always, or there would never be any. */
static bool admit(const struct policy_admission *admission) {
  uint64_t most = ((const uint64_t *)admission->options)[FRAMES];
  uint64_t frames = most < admission->frames ? most : admission->frames;
  return !admission->programs || admission->wanted + admission->budget <= frames;
}

static void statistics(const struct policy_asked *asked, uint64_t *figure) {
  const struct program *program = asked->process;
  figure[0] = program ? program->set : 0;
  figure[1] = program ? program->elapsed : 0;
}

const struct policy policy_ws = {
    .name = "ws",
    .usage = "ws[,TICKS[,FRAMES]] (a window of the time counter, else 100000; the most that all sets may take)",
    .option = option,
    .process_bytes = sizeof(struct program),
    .budget = budget,
    .admit = admit,
    .statistics = statistics,
    .figures = {"working_set", "elapsed"}};
