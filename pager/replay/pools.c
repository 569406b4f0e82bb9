/* SPDX-License-Identifier: BSD-2-Clause */
/* Drives the pager's policies: pools of frames, the services of policy.h over the bits of the frames, and what the pager does at
 * a fault: the policy proposes and the pool disposes. At a fault come, in this order: tick, budget, fault, victims with
 * unmapped, mapped. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "run.h"

#define PAGE 4096
#define AHEAD 16 /* references */

struct pool {
  struct policy_pool about; /* first: what a policy is given a pointer to */
  struct run *run;
  uint32_t base;         /* the run's frame of index 0 */
  uint32_t *free, frees; /* indices, the next one last */
  uint32_t high;         /* no index was ever in use from here on */
  uint32_t hand;         /* the last choice that was made for the policy */
  bool changing;         /* a hook is told of a page that comes or goes */
  uint64_t random;
};

struct program {
  struct policy_area area;
  struct policy_need need;
  struct pool *pool;
  size_t last_fault; /* references before it */
};

struct machine {
  struct pool *pool;
  struct program *program;
  uint32_t pools;
  uint64_t clock_ns; /* that looking at the clock twice takes */
};

/* ---- Services ------------------------------------------------------------------------------------------------------------ */
static uint8_t *bits_of(const struct policy_pool *about, uint32_t index) {
  const struct pool *pool = (const struct pool *)about;
  return index < about->size ? &pool->run->bits[pool->base + index] : NULL;
}

bool policy_accessed(struct policy_pool *about, uint32_t index) {
  uint8_t *bits = bits_of(about, index);
  bool accessed = bits && *bits & ACCESSED;
  if (accessed)
    *bits &= (uint8_t)~ACCESSED;
  return accessed;
}

bool policy_dirty(struct policy_pool *about, uint32_t index) {
  const uint8_t *bits = bits_of(about, index);
  return bits && *bits & DIRTY;
}

bool policy_write(struct policy_pool *about, uint32_t index) {
  const struct pool *pool = (const struct pool *)about;
  bool there = bits_of(about, index) && !pool->changing;
  if (there)
    run_write(pool->run, pool->base + index);
  return there;
}

struct policy_page policy_page(const struct policy_pool *about, uint32_t index) {
  const struct pool *pool = (const struct pool *)about;
  const struct trace *trace = pool->run->trace;
  uint32_t page = index < about->size ? pool->run->page[pool->base + index] : TRACE_NONE;
  if (page == TRACE_NONE)
    return (struct policy_page){0, 0};
  return (struct policy_page){trace->process[trace_process_of(trace, page)], trace_number_of(trace, page) * PAGE};
}

uint64_t policy_random(struct policy_pool *about) { /* splitmix64: Steele, Lea and Flood, OOPSLA 2014 */
  uint64_t z = ((struct pool *)about)->random += 0x9e3779b97f4a7c15u;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return z ^ z >> 31;
}

/* A program that has a policy of allocation is alone in its pool. */
static uint32_t used(const struct policy_need *need) {
  const struct program *program = (const void *)((const char *)need - offsetof(struct program, need));
  const struct pool *pool = program->pool;
  uint8_t *bits = pool->run->bits + pool->base;
  uint32_t count = 0;
  for (uint32_t i = 0; i < pool->high; i++) {
    count += (bits[i] & USED) != 0;
    bits[i] &= (uint8_t)~USED;
  }
  return count;
}

/* ---- Time of hooks ------------------------------------------------------------------------------------------------------- */
static uint64_t clock_ns(const struct run *run) {
  struct timespec now;
  if (!run->time_hooks)
    return 0;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void clock_add(struct run *run, uint64_t from) {
  const struct machine *machine = run->own;
  uint64_t ns = clock_ns(run) - from;
  run->counts.policy_ns += ns > machine->clock_ns ? ns - machine->clock_ns : 0;
}

#define TIMED(run, call)                                                                                             \
  do {                                                                                                               \
    uint64_t timed_from = clock_ns(run);                                                                             \
    ASK(call);                                                                                                       \
    clock_add(run, timed_from);                                                                                      \
  } while (0)

static uint64_t clock_cost(const struct run *run) {
  enum { TIMES = 1000 };
  uint64_t from = clock_ns(run);
  for (unsigned i = 0; i < TIMES; i++)
    clock_ns(run);
  return (clock_ns(run) - from) / TIMES;
}

/* ---- Going --------------------------------------------------------------------------------------------------------------- */
static const struct policy *replacement(const struct pool *pool) {
  return pool->run->set.replace.policy;
}

static void evict(struct pool *pool, uint32_t index) {
  run_leave(pool->run, pool->base + index, (uint32_t)pool->about.now);
  pool->about.resident--;
  pool->free[pool->frees++] = index;
  pool->changing = true;
  if (replacement(pool)->unmapped)
    TIMED(pool->run, replacement(pool)->unmapped(&pool->about, index, POLICY_EVICTED));
  pool->changing = false;
}

static bool is_there(const struct pool *pool, uint32_t index) {
  return index < pool->about.size && pool->run->page[pool->base + index] != TRACE_NONE;
}

/* The next that is there, round and round: not the one that has just come. */
static uint32_t choose(struct pool *pool) {
  do
    pool->hand = (pool->hand + 1) % pool->about.size;
  while (!is_there(pool, pool->hand));
  return pool->hand;
}

/* One page at least goes, and at most so many. */
static void evict_some(struct pool *pool, uint32_t most) {
  uint32_t victim[POLICY_VICTIMS] = {0}, asked = most < POLICY_VICTIMS ? most : POLICY_VICTIMS, n, gone = 0;
  TIMED(pool->run, n = replacement(pool)->victims(&pool->about, victim, asked));
  pool->run->counts.wrong += n > asked;
  for (uint32_t i = 0; i < n && i < asked; i++) {
    bool good = is_there(pool, victim[i]);
    pool->run->counts.wrong += !good;
    gone += good;
    if (good)
      evict(pool, victim[i]);
  }
  if (gone)
    return;
  pool->run->counts.chosen++;
  evict(pool, choose(pool));
}

static void shrink_to(struct pool *pool, uint32_t most) {
  while (pool->about.resident > most)
    evict_some(pool, pool->about.resident - most);
}

/* ---- Coming -------------------------------------------------------------------------------------------------------------- */
static void bring_in(struct pool *pool, uint32_t page, uint8_t bits, enum policy_reason reason) {
  shrink_to(pool, pool->about.budget - 1);
  uint32_t index = pool->free[--pool->frees];
  pool->high = index < pool->high ? pool->high : index + 1;
  const struct policy *policy = replacement(pool);
  run_enter(pool->run, page, pool->base + index, bits);
  pool->about.resident++;
  memset(pool->about.notes + index * pool->about.note_bytes, 0, pool->about.note_bytes);
  pool->changing = true;
  if (policy->mapped)
    TIMED(pool->run, policy->mapped(&pool->about, index, reason));
  pool->changing = false;
}

struct extent {
  uint64_t first, pages; /* numbers of pages */
};

/* false: of such memory nobody is asked. */
static bool find_area(const struct run *run, struct program *program, uint64_t number) {
  for (size_t i = 0; i < run->areas_n; i++)
    if (number >= run->areas[i].first && number < run->areas[i].end) {
      program->area.start = run->areas[i].first * PAGE;
      program->area.end = run->areas[i].end * PAGE;
      return true;
    }
  return !run->areas_n;
}

/* What the policy of fetching wants, cut to POLICY_RANGE pages and to the area; the page is in it. */
static struct extent wanted(struct run *run, struct program *program, uint64_t number, uint32_t refault) {
  const struct policy *policy = run->set.fetch.policy;
  struct policy_range range = {number * PAGE, 1};
  struct extent alone = {number, 1};
  if (!policy->fault || !find_area(run, program, number))
    return alone;
  program->area.refault = refault;
  TIMED(run, policy->fault(&program->area, number * PAGE, &range));
  uint64_t pages = range.pages < POLICY_RANGE ? range.pages : POLICY_RANGE, before = number - range.page / PAGE;
  if (before >= pages) {
    run->counts.wrong++;
    return alone;
  }
  uint64_t most_before = number - program->area.start / PAGE, most_after = program->area.end / PAGE - number,
           after = pages - before;
  before = before < most_before ? before : most_before;
  return (struct extent){number - before, before + (after < most_after ? after : most_after)};
}

/* Neither there nor in the store, or not there and in it. */
static bool is_absent(struct run *run, uint32_t process, uint64_t number, bool stored) {
  uint32_t page = trace_page(run->trace, process, number);
  run_reserve(run);
  return run->where[page].frame == TRACE_NONE && run->stored[page] == stored;
}

/* Of zeros those around this page of which nothing is known; cut as in the pager. */
static struct extent cut(struct run *run, uint32_t process, uint64_t number, struct extent wanted, uint32_t budget) {
  uint64_t first = number, end = number + 1, most = budget / POLICY_BESIDE + 1;
  while (first > wanted.first && is_absent(run, process, first - 1, false))
    first--;
  while (end < wanted.first + wanted.pages && is_absent(run, process, end, false))
    end++;
  if (end - first <= most)
    return (struct extent){first, end - first};
  return (struct extent){number, end - number < most ? end - number : most};
}

/* ---- A fault ------------------------------------------------------------------------------------------------------------- */
static uint32_t others_budgets(const struct machine *machine, const struct pool *pool) {
  uint32_t sum = 0;
  for (uint32_t i = 0; i < machine->pools; i++)
    sum += &machine->pool[i] == pool ? 0 : machine->pool[i].about.budget;
  return sum;
}

static void allocate(struct run *run, struct program *program) {
  struct pool *pool = program->pool;
  struct policy_need *need = &program->need;
  uint32_t budget;
  need->ticks = run->at - program->last_fault;
  program->last_fault = run->at;
  if (!run->set.allocate.policy)
    return;
  need->resident = pool->about.resident;
  need->budget = pool->about.budget;
  need->most = run->frames - others_budgets(run->own, pool);
  TIMED(run, budget = run->set.allocate.policy->budget(need));
  budget = budget < POLICY_LEAST ? POLICY_LEAST : budget;
  pool->about.budget = budget < need->most ? budget : need->most;
  shrink_to(pool, pool->about.budget);
}

/* What comes with a page, and before it: zeros if that comes as such, else what is in the store as it is. */
static void bring_in_beside(struct run *run, const struct program *program, uint32_t process, uint32_t page,
                            struct extent come) {
  uint64_t number = trace_number_of(run->trace, page);
  uint32_t left = program->pool->about.budget / POLICY_BESIDE;
  bool stored = run->stored[page];
  if (!stored)
    come = cut(run, process, number, come, program->pool->about.budget);
  for (uint64_t at = come.first; at < come.first + come.pages && left; at++) {
    if (at == number || !is_absent(run, process, at, stored))
      continue;
    bring_in(program->pool, trace_page(run->trace, process, at), 0, POLICY_AROUND);
    left--;
  }
}

static void fault(struct run *run, uint32_t reference) {
  struct machine *machine = run->own;
  uint32_t process = trace_process_of(run->trace, reference >> 1);
  uint64_t number = trace_number_of(run->trace, reference >> 1);
  struct program *program = &machine->program[process];
  struct pool *pool = program->pool;
  uint32_t refault = run_miss(run, reference >> 1, (uint32_t)++pool->about.now);
  if (replacement(pool)->tick)
    TIMED(run, replacement(pool)->tick(&pool->about));
  allocate(run, program);
  struct extent come = wanted(run, program, number, refault);
  if (come.pages > 1)
    bring_in_beside(run, program, process, reference >> 1, come);
  pool->about.refault = refault;
  bring_in(pool, reference >> 1, run_entering(run, reference), POLICY_DEMAND);
  pool->about.refault = 0;
  assert(pool->about.resident <= pool->about.budget && pool->frees == pool->about.size - pool->about.resident);
}

/* Nearly all references are hits, which cost two loads and a store; where the page is that will be referenced soon is loaded
 * meanwhile. */
static void replay(struct run *run, size_t until) {
  for (; run->at < until; run->at++) {
    const uint32_t *references = run->trace->reference;
    uint32_t reference = references[run->at], frame = run->where[reference >> 1].frame;
    __builtin_prefetch(&run->where[references[run->at + AHEAD < until ? run->at + AHEAD : run->at] >> 1]);
    if (frame != TRACE_NONE)
      run->bits[frame] |= (uint8_t)HIT(reference);
    else
      fault(run, reference);
  }
}

/* ---- Begin and end ------------------------------------------------------------------------------------------------------- */
static void begin_pool(struct run *run, struct pool *pool, uint32_t base, uint32_t budget) {
  const struct policy_choice *choice = &run->set.replace;
  const struct policy *policy = choice->policy;
  pool->about = (struct policy_pool){
      .size = run->frames, .budget = budget, .options = choice->options, .note_bytes = policy->note_bytes};
  pool->about.state = zeros(1, policy->state_bytes + policy->each_bytes * run->frames + 1);
  pool->about.notes = zeros(run->frames, policy->note_bytes + 1);
  pool->run = run;
  pool->base = base;
  pool->random = run->seed;
  pool->hand = run->frames - 1;
  pool->free = zeros(run->frames, sizeof *pool->free);
  for (uint32_t index = run->frames; index--;)
    pool->free[pool->frees++] = index;
  if (policy->begun)
    ASK(policy->begun(&pool->about));
}

static void *process_bytes(const struct policy *policy) {
  return policy && policy->process_bytes ? zeros(1, policy->process_bytes) : NULL;
}

static void begin_program(struct run *run, uint32_t process) {
  struct machine *machine = run->own;
  struct program *program = &machine->program[process];
  uint32_t id = run->trace->process[process];
  program->pool = &machine->pool[machine->pools > 1 ? process : 0];
  program->area =
      (struct policy_area){.id = id, .kind = POLICY_HEAP, .start = UINT64_MAX, .options = run->set.fetch.options};
  program->area.process = process_bytes(run->set.fetch.policy);
  program->need = (struct policy_need){.id = id, .options = run->set.allocate.options, .used = used};
  program->need.process = process_bytes(run->set.allocate.policy);
}

/* A trace does not say what areas there are: a program's is from its lowest page to its highest. */
static void find_areas(const struct run *run) {
  const struct machine *machine = run->own;
  for (uint32_t page = 0; page < run->trace->pages; page++) {
    struct policy_area *area = &machine->program[trace_process_of(run->trace, page)].area;
    uint64_t address = trace_number_of(run->trace, page) * PAGE;
    area->start = address < area->start ? address : area->start;
    area->end = address + PAGE > area->end ? address + PAGE : area->end;
  }
}

/* There is none before the trace begins, and all end after it. */
static void start_programs(struct run *run) {
  const struct machine *machine = run->own;
  const struct policy *policy = run->set.replace.policy;
  for (uint32_t i = 0; policy->started && i < run->trace->processes; i++)
    ASK(policy->started(&machine->program[i].pool->about, run->trace->process[i]));
}

static void begin(struct run *run) {
  struct machine *machine = zeros(1, sizeof *machine);
  uint32_t processes = run->trace->processes;
  machine->pools = run->pool_each || run->set.allocate.policy ? processes : 1;
  if (machine->pools > run->frames)
    fail("%s: %u frames are too few for %u processes with a pool each: --frames %u", run->words, run->frames,
         processes, processes);
  run->own = machine;
  run_begin(run, machine->pools * run->frames);
  machine->pool = zeros(machine->pools, sizeof *machine->pool);
  machine->program = zeros(processes, sizeof *machine->program);
  for (uint32_t i = 0; i < machine->pools; i++)
    begin_pool(run, &machine->pool[i], i * run->frames, run->frames / machine->pools);
  for (uint32_t i = 0; i < processes; i++)
    begin_program(run, i);
  find_areas(run);
  start_programs(run);
  machine->clock_ns = clock_cost(run);
}

static void add_figures(struct counts *counts, const struct policy *policy, const struct policy_asked *asked) {
  uint64_t value[POLICY_FIGURES] = {0};
  if (!policy || !policy->statistics)
    return;
  ASK(policy->statistics(asked, value));
  for (unsigned i = 0; i < POLICY_FIGURES && policy->figures[i]; i++) {
    unsigned at = 0;
    while (counts->own[at].name && counts->own[at].name != policy->figures[i])
      at++;
    counts->own[at].name = policy->figures[i];
    counts->own[at].value += value[i];
  }
}

static void ask_figures(struct run *run) {
  const struct machine *machine = run->own;
  const struct policy_set *set = &run->set;
  for (uint32_t i = 0; i < run->trace->processes; i++) {
    const struct program *program = &machine->program[i];
    add_figures(&run->counts, set->fetch.policy,
                &(struct policy_asked){set->fetch.options, NULL, program->area.process});
    add_figures(&run->counts, set->allocate.policy,
                &(struct policy_asked){set->allocate.options, NULL, program->need.process});
  }
  for (uint32_t i = 0; i < machine->pools; i++)
    add_figures(&run->counts, set->replace.policy,
                &(struct policy_asked){set->replace.options, &machine->pool[i].about, NULL});
}

/* As a program ends in the pager: its pages go, then it is gone. */
static void end_programs(struct run *run) {
  const struct machine *machine = run->own;
  const struct policy *policy = run->set.replace.policy;
  for (uint32_t slot = 0; policy->unmapped && slot < run->slots; slot++)
    if (run->page[slot] != TRACE_NONE)
      ASK(policy->unmapped(&machine->pool[slot / run->frames].about, slot % run->frames, POLICY_EXIT));
  for (uint32_t i = 0; policy->ended && i < run->trace->processes; i++)
    ASK(policy->ended(&machine->program[i].pool->about, run->trace->process[i]));
}

static void end(struct run *run) {
  struct machine *machine = run->own;
  ask_figures(run);
  end_programs(run);
  for (uint32_t i = 0; i < machine->pools; i++) {
    free(machine->pool[i].about.state);
    free(machine->pool[i].about.notes);
    free(machine->pool[i].free);
  }
  for (uint32_t i = 0; i < run->trace->processes; i++) {
    free(machine->program[i].area.process);
    free(machine->program[i].need.process);
  }
  free(machine->pool);
  free(machine->program);
  free(machine);
}

const struct engine engine_policy = {.begin = begin, .replay = replay, .end = end};
