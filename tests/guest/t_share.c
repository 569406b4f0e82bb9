/* SPDX-License-Identifier: BSD-2-Clause */
/* Sharing the machine: how the processor's time is divided between programs and threads, who comes first, when sleepers
 * wake, and whose the floating-point registers are. Under -icount an instruction takes a nanosecond, so all bounds are
 * exact. Several harts run in the host's time, which it gives them as it likes: bounds are generous then. */
#include "tap.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAGE 4096
#define SLICES_PER_SECOND 100 /* the kernel's (kernel/sched.c) */
#define PROMPT 5000           /* instructions from a deadline to the sleeper's next: interrupt, wake-up and switch */
static uint64_t timebase, slice; /* ticks a second, ticks a slice */
static bool checked; /* whole-state checks, which take a third of a slice each, delay what should be prompt */

static uint64_t ticks(uint64_t instructions) {
  return instructions * timebase / 1000000000 + 1;
}

static uint64_t prompt(void) {
  if (harts() > 1)
    return timebase;
  return ticks(PROMPT) + (checked ? slice / 2 : 0);
}

static void read_machine(void) {
  checked = kernel_info().irq_off_max;
  timebase = p_timebase();
  slice = timebase / SLICES_PER_SECOND;
}

static uint64_t random_below(uint64_t limit) {
  static uint64_t state = 88172645463325252; /* xorshift64, Marsaglia 2003 */
  state ^= state << 13, state ^= state >> 7, state ^= state << 17;
  return state % limit;
}

/* ---- Workers: threads of this program or programs, which measure what time they get -------------------------------- */
static void step_spin(q_handle gift) {
  (void)gift;
  for (unsigned i = 0; i < 500; i++)
    __asm__ volatile("");
}

static void step_yield(q_handle gift) {
  step_spin(gift);
  q_yield();
}

static void step_nap(q_handle gift) {
  step_spin(gift);
  q_sleep_until(q_time() + slice / 100);
}

static void step_fault(q_handle gift) {
  (void)gift;
  static _Thread_local volatile char *base;
  static _Thread_local unsigned page;
  if (!base)
    base = sbrk(0); /* of a program: threads of one share the break */
  if (page % 64 == 0)
    sbrk(64 * PAGE);
  base[page++ % 64 * PAGE] = 1;
  if (page % 64 == 0)
    sbrk(-64 * PAGE);
}

static void step_ask(q_handle gift) {
  (void)gift;
  own_stats();
}

static void step_call(q_handle gift) {
  step_spin(gift);
  q_call(gift, &(struct q_call){.label = 1});
}

static void step_call_late(q_handle gift) { /* when most of a slice is used up */
  static uint64_t next;
  step_spin(gift);
  if (q_time() < next)
    return;
  q_call(gift, &(struct q_call){.label = 1});
  next = q_time() + slice * 9 / 10;
}

static const struct {
  char letter;
  void (*step)(q_handle gift);
} kinds[] = {{'s', step_spin}, {'y', step_yield}, {'n', step_nap},      {'f', step_fault},
             {'a', step_ask},  {'c', step_call},  {'l', step_call_late}};

struct share {
  uint64_t ran, gap; /* ticks it had the processor, itself or by whom it called; the longest time it had not */
};

static struct share work(char letter, uint64_t start, uint64_t end, q_handle gift) {
  struct share share = {0};
  unsigned kind = 0;
  while (kinds[kind].letter != letter)
    kind++;
  while (q_time() < start)
    step_spin(gift);
  for (uint64_t last = start, now = start; now < end; last = now) {
    kinds[kind].step(gift);
    now = q_time();
    if (now >= end) /* others may have run since */
      break;
    if (now - last < slice * 3 / 4 && last != start)
      share.ran += now - last;
    else if (now - last > share.gap)
      share.gap = now - last;
  }
  return share;
}

#define WORKERS 24
static struct worker {
  char letter;
  bool finished;
  uint64_t start, end, id;
  q_handle gift;
  struct share share;
  struct p_thread thread;
} workers[WORKERS];

static void work_thread(void *argument) {
  struct worker *w = argument;
  w->share = work(w->letter, w->start, w->end, w->gift);
  w->finished = true;
}

/* A status is 64 bits wide to the pager. */
static _Noreturn void exit_with(uint64_t status) {
  for (;;)
    q_call(P_HANDLE_PAGER, &(struct q_call){.label = P_exit, .word = {status}});
}

static _Noreturn void work_program(char **argv) {
  slice = strtoull(argv[3], NULL, 10);
  struct share share = work(argv[0][0], strtoull(argv[1], NULL, 10), strtoull(argv[2], NULL, 10), P_HANDLE_GIFT);
  exit_with(share.ran << 32 | share.gap);
}

static void hire(struct worker *w, unsigned priority) {
  char letter[2] = {(char)(w->letter | 32)}, start[24], end[24], length[24];
  if (w->letter == letter[0]) {
    CHECK_EQ(p_thread_start(&w->thread, work_thread, w, priority), 0);
    return;
  }
  snprintf(start, sizeof start, "%lu", (unsigned long)w->start);
  snprintf(end, sizeof end, "%lu", (unsigned long)w->end);
  snprintf(length, sizeof length, "%lu", (unsigned long)slice);
  w->id = spawn(w->gift, ARGV("t_share", "work", letter, start, end, length));
}

static void pay_off(struct worker *w) {
  struct p_death death;
  if (!w->id) {
    WAIT_FOR(w->finished);
    p_thread_free(&w->thread);
    return;
  }
  CHECK_EQ(p_wait_for(w->id, &death), w->id);
  CHECK_EQ(death.reason, P_REASON_EXIT);
  w->share = (struct share){death.status >> 32, (uint32_t)death.status};
}

/* One worker a letter, a program for a capital and else a thread of that priority, for so many slices. */
static void contest(const char *letters, unsigned priority, unsigned slices, q_handle gift) {
  unsigned n = (unsigned)strlen(letters);
  uint64_t start = q_time() + (n + 3) * slice, end = start + slices * slice;
  for (unsigned i = 0; i < n; i++) {
    workers[i] = (struct worker){.letter = letters[i], .start = start, .end = end, .gift = gift};
    hire(&workers[i], priority);
  }
  q_sleep_until(end + (n + 3) * slice);
  for (unsigned i = 0; i < n; i++)
    pay_off(&workers[i]);
}

static bool is_spinner(const struct worker *w) {
  return (w->letter | 32) == 's';
}

/* Each of them had between `least` and `most` percent of its equal share, and never waited longer than all others' turns. */
static void check_shares(unsigned n, uint64_t least, uint64_t most, bool spinners_only) {
  uint64_t total = workers[0].end - workers[0].start, turn = checked ? slice * 3 / 2 : slice;
  if (checked)
    least = least * 3 / 4, most = most * 5 / 4;
  for (unsigned i = 0; i < n; i++) {
    const struct worker *w = &workers[i];
    tap_check(w->share.gap <= n * (turn + ticks(PROMPT)), __FILE_NAME__, w->letter, "gap", (long long)w->share.gap,
              i);
    if (spinners_only && !is_spinner(w))
      continue;
    tap_check(w->share.ran * n * 100 >= total * least && w->share.ran * n * 100 <= total * most, __FILE_NAME__,
              w->letter, "share of the time, of all", (long long)w->share.ran, (long long)(total / n));
  }
}

/* ---- Shares -------------------------------------------------------------------------------------------------------- */
static void two_programs(void) {
  contest("SS", 0, 20, 0);
  check_shares(2, 90, 110, false);
}

static void twenty_spin(void) {
  contest("ssssssssssSSSSSSSSSS", Q_PRIORITY_PROGRAM, 100, 0);
  check_shares(20, 90, 110, false);
}

static void some_sleep_or_yield(void) { /* what those leave is the others' */
  contest("ssssSSSSyyyYYYnnnNNN", Q_PRIORITY_PROGRAM, 60, 0);
  check_shares(20, 150, 300, true);
}

static void a_faulter(void) {
  contest("SsFF", Q_PRIORITY_PROGRAM, 28, 0);
  check_shares(4, 90, 110, false);
}

static void one_that_asks(void) {
  contest("SsAA", Q_PRIORITY_PROGRAM, 28, 0);
  check_shares(4, 90, 110, false);
}

static _Noreturn void serve(void) {
  struct q_reply r = {0};
  for (;;) {
    struct q_received m;
    q_reply_recv(P_HANDLE_GIFT, &r, &m);
    step_spin(0);
    r = (struct q_reply){.token = m.token};
  }
}

/* Callers and a server of their class share turns; whoever calls nobody gets his. */
static void callers(void) {
  q_handle endpoint;
  CHECK_EQ(q_endpoint_create(&endpoint), 0);
  uint64_t id = spawn(endpoint, ARGV("t_share", "serve"));
  struct p_death death;
  contest("SC", 0, 24, endpoint);
  check_shares(2, 66, 134, false);
  contest("SCC", 0, 30, endpoint);
  check_shares(3, 75, 300, true);
  CHECK_EQ(p_kill_program(id), 0);
  CHECK_EQ(p_wait_for(id, &death), id);
  CHECK_EQ(q_handle_destroy(endpoint), 0);
}

/* A server above its clients that wakes by itself must not lend them its slices for ever. */
static volatile bool stop;
static void napping_server(void *argument) {
  q_handle endpoint = *(q_handle *)argument;
  struct q_reply r = {0};
  while (!stop) {
    struct q_received m;
    q_sleep_until(q_time() + slice / 50);
    q_reply_recv(endpoint, &r, &m);
    r = (struct q_reply){.token = m.token};
  }
  q_reply(&r);
}

static void clients_of_a_napper(void) {
  q_handle endpoint;
  struct p_thread server;
  CHECK_EQ(q_endpoint_create(&endpoint), 0);
  stop = false;
  CHECK_EQ(p_thread_start(&server, napping_server, &endpoint, Q_PRIORITY_PROGRAM), 0);
  contest("sl", 2, 50, endpoint);
  check_shares(2, 90, 130, true);
  p_thread_free(&server);
  CHECK_EQ(q_handle_destroy(endpoint), 0);
}

/* Whoever is preempted goes on with what is left of his slice, not with a new one. */
static void ticker(void *argument) {
  while (!stop)
    q_sleep_until(q_time() + (uint64_t)(uintptr_t)argument);
}

static void preempted_often(void) {
  static const uint64_t parts[] = {3, 30, 1000};
  for (unsigned i = 0; i < 3; i++) {
    struct p_thread thread;
    stop = false;
    CHECK_EQ(p_thread_start(&thread, ticker, (void *)(uintptr_t)(slice / parts[i]), Q_PRIORITY_PROGRAM), 0);
    contest("sss", 2, 30, 0);
    check_shares(3, 80, 120, false);
    p_thread_free(&thread);
  }
}

/* With whatever harts there are: whoever can run does before long, wherever the others are. */
static void nobody_starves(void) {
  unsigned n = 3 * harts() < WORKERS ? 3 * harts() : WORKERS;
  char letters[WORKERS + 1] = "";
  for (unsigned i = 0; i < n; i++)
    letters[i] = i % 2 ? 's' : 'S';
  contest(letters, Q_PRIORITY_PROGRAM, 100, 0);
  for (unsigned i = 0; i < n; i++)
    tap_check(workers[i].share.ran > slice / 10, __FILE_NAME__, __LINE__, "ran, gap", (long long)workers[i].share.ran,
              (long long)workers[i].share.gap);
}

/* ---- The pager ----------------------------------------------------------------------------------------------------- */
/* Instructions from a fault or a request for a page to the program's next, one that finds the pager out of hot frames and the
 * kernel without fast paths among them. Whoever has to wait for a slice of others waits for 10,000,000. */
#define ANSWER 4000

/* Spends one question after another; how many were not answered in time. */
static unsigned unanswered(unsigned questions) {
  unsigned late = 0, bound = checked ? 3 * ANSWER : ANSWER;
  char *start = sbrk(0);
  do
    sbrk((int64_t)(PAGE - (uint64_t)sbrk(0) % PAGE)); /* to a page's end: no tail is to be cleared */
  while ((uint64_t)sbrk(0) % Q_BLOCK_SIZE == 0);
  ((volatile char *)sbrk(0))[-1] = 1; /* the table of the page that comes and goes stays */
  for (unsigned i = 0; i < questions; i++) {
    uint64_t before = q_instret();
    volatile char *page = sbrk(PAGE);
    uint64_t asked = q_instret();
    page[PAGE - 1] = 1;
    uint64_t touched = q_instret();
    sbrk(-PAGE);
    late += (asked - before > bound) + (touched - asked > bound) + (q_instret() - touched > bound);
    if (i % 20 == 0)
      q_yield();
  }
  sbrk(start - (char *)sbrk(0));
  return late;
}

static void pager_answers(void) {
  char length[24];
  uint64_t ids[3], begin = q_time(), checks = kernel_info().checks;
  struct p_death death;
  snprintf(length, sizeof length, "%lu", (unsigned long)slice);
  for (unsigned i = 0; i < 3; i++)
    ids[i] = spawn(0, ARGV("t_share", "work", "s", "0", "18446744073709551615", length));
  unsigned late = unanswered(400);
  uint64_t slices = (q_time() - begin) / slice;
  CHECK(slices >= 50); /* they did spin */
  checks = kernel_info().checks - checks;
  tap_check(late <= slices / 3 + checks, __FILE_NAME__, __LINE__, "late answers, slices", late, (long long)slices);
  for (unsigned i = 0; i < 3; i++) {
    CHECK_EQ(p_kill_program(ids[i]), 0);
    CHECK_EQ(p_wait_for(ids[i], &death), ids[i]);
  }
}

/* ---- Priorities ---------------------------------------------------------------------------------------------------- */
static struct entrant {
  struct p_thread thread;
  unsigned place;
} entrants[12];
static volatile unsigned places;

static void start_entrant(unsigned i, void (*entry)(void *), unsigned priority) {
  entrants[i].place = 0;
  CHECK_EQ(p_thread_start(&entrants[i].thread, entry, &entrants[i], priority), 0);
}

static void free_entrants(unsigned n) {
  for (unsigned i = 0; i < n; i++)
    p_thread_free(&entrants[i].thread);
}

static void spin_for(uint64_t length) {
  for (uint64_t end = q_time() + length; q_time() < end;)
    step_spin(0);
}

static void run_then_place(void *argument) {
  spin_for(2 * slice);
  ((struct entrant *)argument)->place = ++places;
}

static void higher_first(void) {
  places = 0;
  for (unsigned i = 0; i < 12; i++)
    start_entrant(i, run_then_place, i * 7 % 3);
  for (unsigned i = 0; i < 100; i++)
    q_yield(); /* they are ready, and run only when this thread does not */
  CHECK_EQ(places, 0);
  q_sleep_until(q_time() + 12 * 3 * slice);
  CHECK_EQ(places, 12);
  for (unsigned i = 0; i < 12; i++)
    CHECK_EQ((entrants[i].place - 1) / 4, 2 - i * 7 % 3);
  free_entrants(12);
}

static void place(void *argument) {
  ((struct entrant *)argument)->place = ++places;
}

static void lower_oneself(void *argument) {
  struct entrant *own = argument;
  q_thread_priority(own->thread.handle, 1);
  own->place = ++places;
}

static void lowering(void) {
  places = 0;
  start_entrant(0, lower_oneself, 3);
  start_entrant(1, place, 2);
  start_entrant(2, place, 1); /* its equal then: not at once */
  start_entrant(3, place, 0);
  q_sleep_until(q_time() + slice);
  CHECK_EQ(entrants[1].place, 1);
  CHECK_EQ(entrants[0].place, 2);
  CHECK_EQ(entrants[2].place, 3);
  CHECK_EQ(entrants[3].place, 4);
  free_entrants(4);
}

static void raising(void) { /* of one that waits in its queue */
  places = 0;
  for (unsigned i = 0; i < 4; i++)
    start_entrant(i, run_then_place, 1);
  CHECK_EQ(q_thread_priority(entrants[3].thread.handle, 2), 0);
  q_sleep_until(q_time() + slice);
  CHECK_EQ(q_thread_priority(entrants[1].thread.handle, 3), 0);
  CHECK_EQ(q_thread_priority(entrants[0].thread.handle, 0), 0);
  q_sleep_until(q_time() + 12 * slice);
  CHECK_EQ(entrants[1].place, 1);
  CHECK_EQ(entrants[3].place, 2);
  CHECK_EQ(entrants[2].place, 3);
  CHECK_EQ(entrants[0].place, 4);
  free_entrants(4);
}

/* Its slice is long over when it comes down to its equals. */
static void spin_and_lower(void *argument) {
  spin_for(3 * slice);
  q_thread_priority(((struct entrant *)argument)->thread.handle, 1);
  run_then_place(argument);
}

static void lowering_late(void) {
  places = 0;
  start_entrant(0, spin_and_lower, 2);
  start_entrant(1, place, 1);
  q_sleep_until(q_time() + 8 * slice);
  CHECK_EQ(entrants[1].place, 1);
  CHECK_EQ(entrants[0].place, 2);
  free_entrants(2);
}

/* ---- Sleep --------------------------------------------------------------------------------------------------------- */
/* Never early, and at most so many ticks late; naps up to three slices long. */
static void nap_and_check(unsigned naps, uint64_t late) {
  for (unsigned i = 0; i < naps; i++) {
    uint64_t deadline = q_time() + random_below(3 * slice);
    CHECK_EQ(q_sleep_until(deadline), 0);
    uint64_t now = q_time();
    CHECK(now >= deadline);
    tap_check(now <= deadline + late, __FILE_NAME__, __LINE__, "ticks late, allowed", (long long)(now - deadline),
              (long long)late);
  }
}

static void spin_until_stop(void *argument) {
  while (!stop)
    step_spin((q_handle)(uintptr_t)argument);
}

static void wakes_on_time(void) {
  char start[2] = "0", length[24];
  struct p_death death;
  nap_and_check(50, prompt()); /* idle */
  stop = false;
  start_entrant(0, spin_until_stop, 2);
  nap_and_check(20, prompt()); /* below a sleeper */
  free_entrants(1);
  snprintf(length, sizeof length, "%lu", (unsigned long)slice);
  uint64_t id = spawn(0, ARGV("t_share", "work", "s", start, "18446744073709551615", length));
  nap_and_check(20, slice + prompt()); /* beside one */
  CHECK_EQ(p_kill_program(id), 0);
  CHECK_EQ(p_wait_for(id, &death), id);
}

#define SLEEPERS 34 /* in each of three programs */
static struct sleeper {
  struct p_thread thread;
  uint64_t deadline, woke;
} sleepers[SLEEPERS];

static void sleeper(void *argument) {
  struct sleeper *own = argument;
  q_sleep_until(own->deadline);
  own->woke = q_time();
}

/* Sleeps with 34 threads; how many woke early, late or, on one hart, before one with an earlier deadline. */
static unsigned sleep_together(uint64_t from, uint64_t seed) {
  unsigned wrong = 0;
  while (seed--)
    random_below(1);
  for (unsigned i = 0; i < SLEEPERS; i++) {
    sleepers[i].deadline = from + random_below(20 * slice);
    sleepers[i].woke = 0;
    wrong += p_thread_start(&sleepers[i].thread, sleeper, &sleepers[i], Q_PRIORITY_PROGRAM) != 0;
  }
  q_sleep_until(from + 22 * slice);
  for (unsigned i = 0; i < SLEEPERS; i++)
    WAIT_FOR(sleepers[i].woke);
  for (unsigned i = 0; i < SLEEPERS; i++) {
    const struct sleeper *a = &sleepers[i];
    wrong += a->woke < a->deadline || a->woke > a->deadline + 3 * prompt();
    for (unsigned j = 0; j < SLEEPERS && harts() == 1; j++)
      wrong += a->deadline < sleepers[j].deadline && a->woke >= sleepers[j].woke;
  }
  for (unsigned i = 0; i < SLEEPERS; i++)
    p_thread_free(&sleepers[i].thread);
  return wrong;
}

static uint64_t sleep_in_three(void) {
  char from[24];
  uint64_t at = q_time() + 6 * slice, ids[2];
  struct p_death death[2];
  snprintf(from, sizeof from, "%lu", (unsigned long)at);
  for (unsigned i = 0; i < 2; i++)
    ids[i] = spawn(0, ARGV("t_share", "sleep", from, i ? "101" : "202"));
  uint64_t wrong = sleep_together(at, 0);
  for (unsigned i = 0; i < 2; i++)
    CHECK_EQ(p_wait_for(ids[i], &death[i]), ids[i]);
  return wrong | death[0].reason | death[1].reason | death[0].status | death[1].status;
}

static void hundred_sleepers(void) {
  CHECK_EQ(sleep_in_three(), 0);
}

static void odd_deadlines(void) {
  const uint64_t now = q_time(), past[] = {1, now / 2, now - 1, now},
                 future[] = {1ul << 63, ~0ul, (1ul << 63) - 1, ~0ul >> 4, ~1ul};
  uint64_t start = q_time();
  for (unsigned i = 0; i < 4; i++)
    CHECK_EQ(q_sleep_until(past[i]), 0);
  CHECK(q_time() - start < 4 * prompt());
  for (unsigned i = 0; i < 5; i++) {
    sleepers[i].deadline = future[i];
    sleepers[i].woke = 0;
    CHECK_EQ(p_thread_start(&sleepers[i].thread, sleeper, &sleepers[i], Q_PRIORITY_PROGRAM), 0);
    nap_and_check(10, prompt()); /* it disturbs nobody */
    struct share own = work('s', q_time(), q_time() + 3 * slice, 0);
    CHECK(harts() > 1 || (own.ran >= 2 * slice && own.gap < slice / 8));
  }
  for (unsigned i = 0; i < 5; i++) {
    CHECK_EQ(sleepers[i].woke, 0);
    p_thread_free(&sleepers[i].thread);
  }
}

/* ---- Floating point ------------------------------------------------------------------------------------------------ */
uint64_t fp_any(void); /* float.S */
void fp_start(uint64_t base, uint64_t fcsr);
void fp_step(void);
uint64_t fp_wrong(uint64_t base, uint64_t fcsr);

/* Computes until then, each value another for each `who`; which registers were ever wrong. */
static uint64_t compute(uint64_t who, uint64_t end, uint64_t nap) {
  uint64_t base = who * 1000000007, fcsr = who % 5 << 5 | who * 7 % 32, wrong = 0;
  fp_start(base, fcsr);
  while (q_time() < end) {
    fp_step();
    wrong |= fp_wrong(++base, fcsr);
    if (nap)
      q_sleep_until(q_time() + nap);
  }
  return wrong;
}

static struct floater {
  struct p_thread thread;
  uint64_t who, late, end, nap, wrong; /* late: ticks that it computes without floating point before */
  bool finished;
} floaters[8];

static void float_thread(void *argument) {
  struct floater *own = argument;
  spin_for(own->late);
  own->wrong = fp_any(); /* a new thread's are zero, whoever's are in the unit */
  own->wrong |= compute(own->who, own->end, own->nap);
  own->finished = true;
}

static void start_floater(unsigned i, struct floater value, unsigned priority) {
  floaters[i] = value;
  floaters[i].who = i + 1;
  CHECK_EQ(p_thread_start(&floaters[i].thread, float_thread, &floaters[i], priority), 0);
}

static void end_floater(unsigned i) {
  WAIT_FOR(floaters[i].finished);
  CHECK_EQ(floaters[i].wrong, 0);
  p_thread_free(&floaters[i].thread);
}

static uint64_t spawn_floater(unsigned who, uint64_t end) {
  char name[24], until[24];
  snprintf(name, sizeof name, "%u", who);
  snprintf(until, sizeof until, "%lu", (unsigned long)end);
  return spawn(0, ARGV("t_share", "float", name, until));
}

static void everybody_computes(void) {
  uint64_t end = q_time() + 60 * slice, ids[4];
  struct p_death death;
  for (unsigned i = 0; i < 4; i++) {
    ids[i] = spawn_floater(101 + i, end);
    start_floater(i, (struct floater){.end = end, .late = i == 3 ? slice / 2 : 0}, Q_PRIORITY_PROGRAM);
  }
  CHECK_EQ(compute(99, end, slice / 7), 0);
  q_sleep_until(end + 10 * slice);
  for (unsigned i = 0; i < 4; i++) {
    end_floater(i);
    CHECK_EQ(p_wait_for(ids[i], &death), ids[i]);
    CHECK_EQ(death.reason, P_REASON_EXIT);
    CHECK_EQ(death.status, 0);
  }
}

static void preempted_computing(void) { /* anywhere, not only at the ends of slices */
  uint64_t end = q_time() + 25 * slice;
  for (unsigned i = 0; i < 6; i++)
    start_floater(i,
                  (struct floater){.end = end, .nap = i < 2 ? slice / (40 + 13 * i) : 0, .late = i == 5 ? slice : 0},
                  i < 2 ? 3 : 2);
  q_sleep_until(end + 10 * slice);
  for (unsigned i = 0; i < 6; i++)
    end_floater(i);
}

static void owner_killed(void) {
  uint64_t end = q_time() + 55 * slice;
  struct p_death death;
  start_floater(0, (struct floater){.end = end}, 2);
  for (unsigned i = 0; i < 6; i++) {
    start_floater(1, (struct floater){.end = ~0ul}, 3); /* has the unit all the time, and then is no more */
    q_sleep_until(q_time() + slice + slice / 3);
    p_thread_free(&floaters[1].thread);
    start_floater(2, (struct floater){.end = q_time() + slice}, 3); /* in the same place */
    q_sleep_until(q_time() + 2 * slice);
    end_floater(2);
    uint64_t id = spawn_floater(50 + i, ~0ul);
    q_sleep_until(q_time() + slice + slice / 3);
    CHECK_EQ(p_kill_program(id), 0);
    CHECK_EQ(p_wait_for(id, &death), id);
    start_floater(2, (struct floater){.end = q_time() + slice}, 3);
    q_sleep_until(q_time() + 2 * slice);
    end_floater(2);
  }
  q_sleep_until(end + slice);
  end_floater(0);
}

static const struct test tests[] = {
    {"two spinning programs share the time", two_programs, ONE_HART},
    {"twenty that spin each get their share", twenty_spin, ONE_HART},
    {"those that sleep or yield all the time neither starve nor cheat", some_sleep_or_yield, ONE_HART},
    {"a program that faults all the time pays for the pager's", a_faulter, ONE_HART},
    {"a program that asks the pager all the time pays too", one_that_asks, ONE_HART},
    {"callers and their server starve nobody", callers, ONE_HART},
    {"a server that naps lends nobody its slices", clients_of_a_napper, ONE_HART},
    {"whoever is preempted goes on with the rest of his slice", preempted_often, ONE_HART},
    {"three that spin on each hart all run", nobody_starves, MANY_HARTS},
    {"the pager answers while others spin", pager_answers, ONE_HART},
    {"a higher priority comes first", higher_first, ONE_HART},
    {"lowering oneself lets others run at once", lowering, ONE_HART},
    {"raising and lowering others counts at once", raising, ONE_HART},
    {"lowering oneself with a slice used up", lowering_late, ONE_HART},
    {"a sleeper wakes never early and on time", wakes_on_time},
    {"a hundred sleepers wake in order", hundred_sleepers},
    {"deadlines past, now and far away", odd_deadlines},
    {"floating-point state is each thread's own", everybody_computes},
    {"floating-point state survives preemption anywhere", preempted_computing},
    {"the owner of the floating-point unit is killed", owner_killed},
};

int main(int argc, char **argv) {
  if (argc > 1 && !strcmp(argv[1], "work"))
    work_program(argv + 2);
  if (argc > 1 && !strcmp(argv[1], "float"))
    exit_with(compute(strtoull(argv[2], NULL, 10), strtoull(argv[3], NULL, 10), 0));
  if (argc > 1 && !strcmp(argv[1], "serve"))
    serve();
  read_machine();
  if (argc > 1) /* sleep */
    return sleep_together(strtoull(argv[2], NULL, 10), strtoull(argv[3], NULL, 10)) != 0;
  sleep_in_three(); /* has the kernel be given a block, which costs the window a table, before anything is counted */
  return TAP_RUN("share", tests);
}
