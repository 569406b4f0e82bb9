/* SPDX-License-Identifier: BSD-2-Clause */
/* What all runs count, whoever decides. */
#include "run.h"

#include <assert.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

const struct engine *const engines[] = {&engine_lru, &engine_twoq, &engine_arc, &engine_lirs, &engine_opt, NULL};

void *zeros(size_t count, size_t bytes) {
  void *memory = calloc(count ? count : 1, bytes);
  if (!memory)
    fail("there is no memory for %zu MiB", count * bytes >> 20);
  return memory;
}

static void *more(void *array, size_t from, size_t to, size_t bytes, int fill) {
  array = realloc(array, to * bytes);
  if (!array)
    fail("there is no memory for %zu MiB", to * bytes >> 20);
  memset((char *)array + from * bytes, fill, (to - from) * bytes);
  return array;
}

void run_reserve(struct run *run) {
  uint32_t from = run->pages, to = run->trace->pages;
  if (to <= from)
    return;
  to += from ? to / 2 : 0;
  run->where = more(run->where, from, to, sizeof *run->where, 0);
  run->stored = more(run->stored, from, to, 1, 0);
  for (uint32_t page = from; page < to; page++)
    run->where[page] = (struct where){TRACE_NONE, NEVER_TOUCHED};
  run->pages = to;
}

void run_begin(struct run *run, uint32_t slots) {
  run->slots = slots;
  run->page = more(NULL, 0, slots, sizeof *run->page, 0xff);
  run->bits = zeros(slots, 1);
  run_reserve(run);
}

/* ---- Hooks that do not return -------------------------------------------------------------------------------------------- */
#ifndef PATIENCE
#define PATIENCE 10 /* seconds */
#endif
volatile unsigned run_asked;
const char *volatile run_asked_of = "";

static void look(int number) {
  static unsigned seen, looks;
  static const char text[] = ": a hook of this policy has not returned for too long\n";
  (void)number;
  looks = run_asked == seen ? looks + 1 : 0;
  seen = run_asked;
  if (looks < PATIENCE || seen % 2 == 0)
    return;
  const char *words = run_asked_of;
  bool said =
      write(2, "replay: ", 8) == 8 && write(2, words, strlen(words)) > 0 && write(2, text, sizeof text - 1) > 0;
  _exit(said ? 2 : 3);
}

void run_watch(void) {
  const struct timeval second = {.tv_sec = 1};
  signal(SIGVTALRM, look);
  setitimer(ITIMER_VIRTUAL, &(struct itimerval){second, second}, NULL);
}

bool policy_option(const struct policy *policy, const char *text, void *options) {
  bool good;
  ASK(good = policy->option(text, options));
  return good;
}

bool run_choose(struct run *run, const char *words) {
  run->words = run_asked_of = words;
  run->engine = &engine_policy;
  for (const struct engine *const *engine = engines; *engine; engine++)
    if (!strcmp((*engine)->name, words)) {
      run->engine = *engine;
      return true;
    }
  return policy_choose(words, &run->set);
}

/* ---- Counting ------------------------------------------------------------------------------------------------------------ */
static void count_resident(struct run *run) {
  run->counts.resident_sum += (run->at - run->counted) * run->resident;
  run->counted = run->at;
}

uint32_t run_miss(struct run *run, uint32_t page, uint32_t fault) {
  uint32_t left = run->where[page].left, when = left & ~NEVER_TOUCHED, refault = when ? fault - when : 0;
  count_resident(run);
  run->counts.misses++;
  run->counts.cold += left >= NEVER_TOUCHED;
  if (refault)
    run->counts.refault[31 - __builtin_clz(refault)]++;
  return refault;
}

void run_enter(struct run *run, uint32_t page, uint32_t frame, uint8_t bits) {
  bool touched = bits & TOUCHED;
  run->where[page] = (struct where){frame, touched ? 0 : run->where[page].left & NEVER_TOUCHED};
  run->page[frame] = page;
  run->bits[frame] = bits;
  run->counts.fetched += !touched;
  run->counts.returned += run->stored[page];
  run->resident++;
}

void run_write(struct run *run, uint32_t frame) {
  if (!(run->bits[frame] & DIRTY))
    return;
  run->counts.written++;
  run->stored[run->page[frame]] = 1;
  run->bits[frame] &= (uint8_t)~DIRTY;
}

void run_leave(struct run *run, uint32_t frame, uint32_t fault) {
  uint32_t page = run->page[frame];
  uint8_t bits = run->bits[frame];
  bool touched = bits & TOUCHED;
  run_write(run, frame);
  run->counts.untouched += !touched;
  run->where[page] = (struct where){TRACE_NONE, fault | (touched ? 0 : run->where[page].left & NEVER_TOUCHED)};
  run->page[frame] = TRACE_NONE;
  run->bits[frame] = 0;
  run->resident--;
}

/* What is in a frame is known by the page, and so many are. */
static void check(const struct run *run) {
  uint32_t resident = 0;
  for (uint32_t frame = 0; frame < run->slots; frame++) {
    assert(run->page[frame] == TRACE_NONE || run->where[run->page[frame]].frame == frame);
    resident += run->page[frame] != TRACE_NONE;
  }
  assert(resident == run->resident && resident <= run->frames);
}

void run_finish(struct run *run) {
  check(run);
  count_resident(run);
  for (uint32_t frame = 0; frame < run->slots; frame++)
    run->counts.untouched += run->page[frame] != TRACE_NONE && !(run->bits[frame] & TOUCHED);
  run->engine->end(run);
  free(run->page);
  free(run->bits);
  free(run->where);
  free(run->stored);
}

/* ---- Time ---------------------------------------------------------------------------------------------------------------- */
/* Of the processor: what others run on it meanwhile does not count. */
static uint64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static struct run once(struct run run) {
  run_asked_of = run.words;
  run.engine->begin(&run);
  uint64_t from = now_ns();
  run.engine->replay(&run, run.trace->references);
  run.counts.ns = now_ns() - from;
  run_finish(&run);
  return run;
}

/* Looking at the clock takes longer than most hooks, so the time of all is measured in a run without it. */
void run_all(struct run *run, bool timed) {
  struct run first = once(*run), second = first;
  if (timed) {
    run->time_hooks = true;
    second = once(*run);
  }
  run->counts = first.counts;
  run->counts.ns = timed ? first.counts.ns : 0;
  run->counts.policy_ns = second.counts.policy_ns;
}
