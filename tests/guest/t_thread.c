/* SPDX-License-Identifier: BSD-2-Clause */
/* Threads of one program: their beginning and end, and faults on one page at once. How they share the processor is t_share's. */
#include "tap.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define THREADS 4
static struct p_thread threads[THREADS];
static volatile uint64_t count[THREADS];
static volatile unsigned finished;

static void start_all(void (*entry)(void *), unsigned priority) {
  finished = 0;
  for (unsigned i = 0; i < THREADS; i++) {
    count[i] = 0;
    CHECK_EQ(p_thread_start(&threads[i], entry, (void *)(uintptr_t)i, priority), 0);
  }
}

static void free_all(void) {
  for (unsigned i = 0; i < THREADS; i++)
    p_thread_free(&threads[i]);
}

/* ---- Faults beside each other ------------------------------------------------------------------------------------------------ */
#define PAGE 4096
#define AREA 256 /* pages that each of them touches, or all together */
static volatile unsigned ready, go, leave;
static volatile char *area;

static volatile char *grow(uint64_t pages) {
  int64_t at = p_sbrk_bytes((int64_t)(pages * PAGE), 0);
  CHECK(at > 0);
  return (volatile char *)at;
}

static void shrink(uint64_t pages) {
  CHECK(p_sbrk_bytes(-(int64_t)(pages * PAGE), 0) > 0);
}

/* It begins at a page. While it is there malloc() is not to be called: that would go on behind it. */
static void area_make(uint64_t pages) {
  uint64_t part = (uint64_t)sbrk(0) % PAGE;
  CHECK(p_sbrk_bytes((int64_t)((PAGE - part) % PAGE), 0) > 0);
  area = grow(pages);
}

/* On its hart, if that is for a moment only. */
static void await(const volatile unsigned *word, unsigned value) {
  for (unsigned i = 0; *word != value; i++)
    if (i % 2000 == 1999)
      q_sleep_until(q_time() + NAP);
}

/* They have touched their stacks when they are ready, and touch the area when they may go. */
static void wait_ready(void) {
  __atomic_add_fetch(&ready, 1, __ATOMIC_SEQ_CST);
  await(&go, 1);
}

static void done(void) {
  __atomic_add_fetch(&finished, 1, __ATOMIC_SEQ_CST);
  await(&leave, 1);
}

static void touch_own(void *argument) {
  uint64_t number = (uintptr_t)argument;
  wait_ready();
  for (uint64_t i = 0; i < AREA; i++) { /* in turns beside the others' pages, and far from them */
    volatile char *at = area + (i % 2 ? i * THREADS + number : THREADS * AREA + number * 512 + i) * PAGE;
    count[number] += *at != 0;
    *at = (char)i;
  }
  done();
}

static void touch_all(void *argument) {
  wait_ready();
  for (uint64_t i = 0; i < AREA; i++)
    __atomic_add_fetch((uint64_t *)(area + i * PAGE), 1 + ((uintptr_t)argument << 8), __ATOMIC_SEQ_CST);
  done();
}

/* All stand where they may go. */
static void start_ready(void (*entry)(void *), uint64_t pages) {
  ready = go = leave = 0;
  start_all(entry, Q_PRIORITY_PROGRAM);
  await(&ready, THREADS);
  area_make(pages);
}

/* What they cost while they do that: pages, the most there were over those in the end, and faults. */
static struct p_stats cost_of(void (*entry)(void *), uint64_t pages) {
  start_ready(entry, pages);
  struct p_stats was = own_stats();
  go = 1;
  await(&finished, THREADS);
  struct p_stats is = own_stats(), cost = {.resident = is.resident - was.resident,
                                           .peak = is.peak > was.peak ? is.peak - is.resident : 0,
                                           .faults = {is.faults[0] - was.faults[0], is.faults[1] - was.faults[1]}};
  leave = 1;
  return cost;
}

static void pages_of_their_own(void) {
  uint64_t pages = THREADS * AREA + THREADS * 512;
  for (unsigned round = 0; round < 10; round++) {
    struct p_stats cost = cost_of(touch_own, pages);
    CHECK_EQ(cost.resident, THREADS * AREA);
    CHECK_EQ(cost.faults[Q_FAULT_READ] + cost.faults[Q_FAULT_WRITE], THREADS * AREA);
    CHECK_EQ(cost.peak, 0);
    CHECK_EQ(count[0] + count[1] + count[2] + count[3], 0);
    uint64_t before = own_stats().resident;
    shrink(pages);
    CHECK_EQ(own_stats().resident, before - THREADS * AREA);
    free_all();
  }
}

static void touch_in_turns(void *argument) {
  wait_ready();
  for (unsigned i = 0; i < 200; i++) {
    volatile char *at = area + i * PAGE + (uintptr_t)argument * 8;
    if (*at)
      count[(uintptr_t)argument] = 1;
    *at = 1;
    q_yield();
  }
  done();
}

static void one_page_at_once(void) {
  cost_of(touch_in_turns, 200);
  CHECK_EQ(count[0] + count[1] + count[2] + count[3], 0);
  for (unsigned i = 0; i < 200; i++)
    for (unsigned t = 0; t < THREADS; t++)
      CHECK_EQ(area[i * PAGE + t * 8], 1);
  shrink(200);
  free_all();
}

/* Whoever comes second gives its frame back. */
static void pages_of_all(void) {
  for (unsigned round = 0; round < 20; round++) {
    struct p_stats cost = cost_of(touch_all, AREA);
    CHECK_EQ(cost.resident, AREA);
    CHECK(cost.peak <= THREADS);
    CHECK(cost.faults[Q_FAULT_READ] + cost.faults[Q_FAULT_WRITE] >= AREA);
    for (unsigned i = 0; i < AREA; i++)
      CHECK_EQ(*(volatile uint64_t *)(area + i * PAGE), THREADS + (0 + 1 + 2 + 3) * 256);
    shrink(AREA);
    free_all();
  }
}

/* ---- What goes beside a fault ------------------------------------------------------------------------------------------------- */
static void touch_on_and_on(void *argument) {
  uint64_t number = (uintptr_t)argument;
  wait_ready();
  for (uint64_t i = 0;; i++)
    area[(number * AREA + i % AREA) * PAGE] = 1;
}

static void for_a_while(unsigned round) {
  for (uint64_t end = q_time() + round * 37 % 500; q_time() < end;)
    ;
}

#define ALL (THREADS * AREA)

/* A page that such a thread was still to get is nowhere: neither charged, nor there when the break comes back. */
static void faulters_end(void) {
  for (unsigned round = 0; round < 80; round++) {
    start_ready(touch_on_and_on, ALL);
    uint64_t before = own_stats().resident;
    go = 1;
    for_a_while(round);
    for (unsigned i = 0; i < THREADS; i++)
      CHECK_EQ(q_handle_destroy(threads[i].handle), 0);
    shrink(ALL);
    grow(ALL);
    unsigned found = 0;
    for (unsigned i = round % 8; i < ALL; i += 8)
      found += area[i * PAGE];
    CHECK_EQ(found, 0);
    shrink(ALL);
    WAIT_FOR(own_stats().resident == before); /* the pager's thread has to hear that its answer came too late */
    for (unsigned i = 0; i < THREADS; i++)
      free(threads[i].memory);
  }
}

static void touch_one(void *argument) {
  (void)argument;
  wait_ready();
  for (;;)
    *area = 1;
}

/* Where the break was, nothing can be touched: whatever answer was on its way, the program ends. */
static int shrinks(unsigned round) {
  start_ready(touch_one, 1);
  go = 1;
  for_a_while(round);
  shrink(1);
  q_sleep_until(q_time() + WAIT_TICKS);
  return 1;
}

static void break_moves(void) {
  for (unsigned round = 0; round < 80; round++) {
    char number[8];
    snprintf(number, sizeof number, "%u", round);
    struct p_death death = run_victim(ARGV("t_thread", "shrinks", number));
    CHECK_EQ(death.reason, P_REASON_BREAK);
  }
}

int64_t fork_here(int64_t (*ask)(void *pc, void *sp));
static int64_t ask_fork(void *pc, void *sp) {
  struct q_call call = {.label = P_fork, .word = {0, (uint64_t)pc, (uint64_t)sp, 0}};
  CHECK_EQ(q_call(P_HANDLE_PAGER, &call), 0);
  return call.label ? -(int64_t)call.label : (int64_t)call.word[0];
}

/* It is charged for what it has: without the area that is what the parent had. */
static _Noreturn void child_leaves(uint64_t before) {
  struct p_stats stats;
  p_sbrk_bytes(-ALL * PAGE, 0);
  int64_t error = p_stats_of(0, &stats);
  p_exit_now(error || stats.resident != before);
}

static void forks(void) {
  for (unsigned round = 0; round < 40; round++) {
    struct p_death death;
    start_ready(touch_on_and_on, ALL);
    uint64_t before = own_stats().resident;
    go = 1;
    for_a_while(round);
    int64_t child = fork_here(ask_fork);
    if (!child)
      child_leaves(before);
    CHECK(child > 0);
    CHECK_EQ(p_wait_for((uint64_t)child, &death), child);
    CHECK(death.reason == P_REASON_EXIT && !death.status);
    for (unsigned i = 0; i < THREADS; i++)
      q_handle_destroy(threads[i].handle);
    shrink(ALL);
    for (unsigned i = 0; i < THREADS; i++)
      free(threads[i].memory);
  }
}

static _Noreturn void touches(void) {
  start_ready(touch_on_and_on, ALL);
  go = 1;
  for (;;)
    q_yield();
}

/* So many times, each so many ticks later in what this program does. */
static void kill_again_and_again(const char *what, unsigned times, uint64_t first, uint64_t step) {
  struct p_death death;
  for (unsigned i = 0; i < times; i++) {
    uint64_t id = spawn(0, ARGV("t_thread", what));
    q_sleep_until(q_time() + first + i * step);
    CHECK_EQ(p_kill_program(id), 0);
    CHECK_EQ(p_wait_for(id, &death), id);
    CHECK_EQ(death.reason, P_REASON_KILLED);
  }
}

static void faulters_killed(void) {
  kill_again_and_again("touches", 50, 2000, 377);
}

/* What one reads, all others may overwrite before it writes, but for the semaphore. */
#define TURNS 50
static sem_t turn;
static volatile unsigned sum;
static void counter(void *argument) {
  (void)argument;
  for (unsigned i = 0; i < TURNS; i++) {
    sem_wait(&turn);
    unsigned before = sum;
    q_yield();
    sum = before + 1;
    sem_post(&turn);
    q_yield();
  }
  __atomic_add_fetch(&finished, 1, __ATOMIC_SEQ_CST);
}

static void semaphores(void) {
  int value;
  sum = 0;
  CHECK_EQ(sem_init(&turn, 0, 1), 0);
  start_all(counter, Q_PRIORITY_PROGRAM);
  while (finished < THREADS)
    q_sleep_until(q_time() + 1000);
  CHECK_EQ(sum, THREADS * TURNS);
  CHECK_EQ(sem_getvalue(&turn, &value), 0);
  CHECK_EQ(value, 1);
  CHECK_EQ(sem_destroy(&turn), 0);
  free_all();
}

static void semaphores_at_their_limits(void) {
  struct timespec until, now;
  CHECK(sem_init(&turn, 0, SEM_VALUE_MAX + 1u) == -1 && errno == EINVAL);
  CHECK_EQ(sem_init(&turn, 0, SEM_VALUE_MAX), 0);
  CHECK(sem_post(&turn) == -1 && errno == EOVERFLOW);
  CHECK_EQ(sem_init(&turn, 0, 1), 0);
  CHECK_EQ(sem_timedwait(&turn, &(struct timespec){0, -1}), 0);
  CHECK(sem_trywait(&turn) == -1 && errno == EAGAIN);
  CHECK(sem_timedwait(&turn, &(struct timespec){0, 1000000000}) == -1 && errno == EINVAL);
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_nsec = (until.tv_nsec + 3000000) % 1000000000;
  until.tv_sec += until.tv_nsec < 3000000;
  CHECK(sem_timedwait(&turn, &until) == -1 && errno == ETIMEDOUT);
  clock_gettime(CLOCK_REALTIME, &now);
  CHECK(now.tv_sec > until.tv_sec || (now.tv_sec == until.tv_sec && now.tv_nsec >= until.tv_nsec));
}

static void ender(void *argument) {
  __atomic_add_fetch(&finished, 1, __ATOMIC_SEQ_CST);
  q_handle_destroy(((struct p_thread *)argument)->handle);
  finished = 100;
}

static void ends_itself(void) {
  struct p_thread thread;
  uint64_t before = kernel_info().threads;
  finished = 0;
  CHECK_EQ(p_thread_start(&thread, ender, &thread, Q_PRIORITY_PROGRAM), 0);
  WAIT_FOR(finished && kernel_info().threads == before);
  CHECK_EQ(finished, 1);
  CHECK_EQ(q_handle_destroy(thread.handle), -Q_E_HANDLE);
  free(thread.memory);
}

/* In a program of no server nobody tells of a wake: whoever waits looks again. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static void *take_turns(void *argument) {
  for (unsigned i = 0; i < TURNS; i++) {
    pthread_mutex_lock(&mutex);
    while (sum % THREADS != (uintptr_t)argument)
      pthread_cond_wait(&condition, &mutex);
    sum++;
    pthread_cond_broadcast(&condition);
    pthread_mutex_unlock(&mutex);
  }
  return argument;
}

static void without_a_server(void) {
  pthread_t made[THREADS];
  void *value;
  sum = 0;
  for (uintptr_t i = 0; i < THREADS; i++)
    CHECK_EQ(pthread_create(&made[i], NULL, take_turns, (void *)i), 0);
  for (uintptr_t i = 0; i < THREADS; i++) {
    CHECK_EQ(pthread_join(made[i], &value), 0);
    CHECK_EQ((uintptr_t)value, i);
  }
  CHECK_EQ(sum, THREADS * TURNS);
}

/* A program of many threads is killed while they all want to run. */
static void spin(void *argument) {
  (void)argument;
  for (;;)
    __asm__ volatile("");
}

static int crowd(void) {
  static struct p_thread many[30];
  for (unsigned i = 0; i < 30; i++)
    p_thread_start(&many[i], spin, NULL, 1 + i % 3);
  for (;;)
    q_yield();
  return 0;
}

static void many_threads_killed(void) {
  kill_again_and_again("crowd", 5, 300000, 37777);
}

/* ---- Stopped, and started once more ------------------------------------------------------------------------------------------ */
static volatile uint64_t wakes_at;
static void count_up(void *argument) {
  for (;;)
    count[(uintptr_t)argument]++;
}

static void sleep_long(void *argument) {
  finished = 1;
  q_sleep_until(wakes_at);
  finished = 2;
  count_up(argument);
}

static bool counts(unsigned i) {
  uint64_t before = count[i];
  for (unsigned n = 0; n < 40 && count[i] == before; n++)
    q_sleep_until(q_time() + 40 * NAP);
  return count[i] != before;
}

static void stopped_and_resumed(void) {
  start_all(count_up, 2);
  for (unsigned i = 0; i < THREADS; i++) {
    CHECK(counts(i));
    CHECK_EQ(q_thread_start(threads[i].handle, 0, 0, 0), -Q_E_BUSY);
    CHECK_EQ(q_thread_stop(threads[i].handle), 0);
    CHECK(!counts(i));
    CHECK_EQ(q_thread_stop(threads[i].handle), 0); /* it is */
    CHECK_EQ(q_thread_start(threads[i].handle, 1, 0, 0), -Q_E_ARG);
    CHECK_EQ(q_thread_resume(threads[i].handle), 0);
    CHECK(counts(i));
    CHECK_EQ(q_thread_resume(threads[i].handle), -Q_E_BUSY);
  }
  free_all();
}

/* The same stack and thread-local variables, from the start. */
static void stopped_and_started_anew(void) {
  static char stack[4096] __attribute__((aligned(16)));
  start_all(count_up, 2);
  CHECK_EQ(q_thread_stop(threads[0].handle), 0);
  CHECK_EQ(q_thread_start(threads[0].handle, (uint64_t)count_up, (uint64_t)(stack + sizeof stack), THREADS - 1), 0);
  CHECK_EQ(q_thread_stop(threads[THREADS - 1].handle), 0);
  CHECK(counts(THREADS - 1)); /* the first does it now */
  CHECK(!counts(0));
  free_all();
}

static void stop_itself(void *argument) {
  count[0] = (uint64_t)-q_thread_stop(((struct p_thread *)argument)->handle);
  finished = 1;
  p_thread_exit();
}

static void not_to_be_stopped(void) {
  q_handle weak;
  count[0] = 0, finished = 0;
  CHECK_EQ(p_thread_start(&threads[0], stop_itself, &threads[0], 2), 0);
  WAIT_FOR(finished);
  CHECK_EQ(count[0], Q_E_ARG);
  p_thread_free(&threads[0]);
  CHECK_EQ(q_thread_stop(0), -Q_E_HANDLE);
  CHECK_EQ(q_thread_stop(P_HANDLE_TASK), -Q_E_TYPE);
  finished = 0, wakes_at = q_time() + 100 * NAP;
  CHECK_EQ(p_thread_start(&threads[0], sleep_long, NULL, Q_PRIORITY_PROGRAM), 0);
  WAIT_FOR(finished);
  q_yield();
  CHECK_EQ(q_handle_dup(threads[0].handle, Q_RIGHT_DUP, 0, &weak), 0);
  CHECK_EQ(q_thread_stop(weak), -Q_E_RIGHTS);
  CHECK_EQ(q_handle_close(weak), 0);
  while (finished == 1) { /* it waits, but for the moments before and after */
    int64_t error = q_thread_stop(threads[0].handle);
    CHECK(error == -Q_E_BUSY || !q_thread_resume(threads[0].handle));
    q_sleep_until(q_time() + NAP);
  }
  CHECK_EQ(finished, 2); /* though somebody wanted to stop it */
  p_thread_free(&threads[0]);
}

/* Each stops the next, if that can be, and lets it go on. */
static void stop_the_next(void *argument) {
  unsigned i = (unsigned)(uintptr_t)argument, next = (i + 1) % THREADS;
  await(&go, 1);
  for (; count[i] < 300; count[i]++) {
    int64_t error = q_thread_stop(threads[next].handle);
    if (error && error != -Q_E_BUSY)
      break;
    q_thread_resume(threads[next].handle);
    if (count[i] % 16 == i)
      q_sleep_until(q_time() + 1);
  }
  __atomic_add_fetch(&finished, 1, __ATOMIC_SEQ_CST);
  p_thread_exit();
}

/* If all have stopped each other, who looks on wakes them. */
static void stop_each_other(void) {
  go = 0;
  start_all(stop_the_next, 2);
  go = 1;
  for (unsigned n = 0; n < 10000 && finished < THREADS; n++) {
    q_sleep_until(q_time() + 4 * NAP);
    for (unsigned i = 0; i < THREADS; i++)
      q_thread_resume(threads[i].handle);
  }
  CHECK_EQ(finished, THREADS);
  for (unsigned i = 0; i < THREADS; i++)
    CHECK_EQ(count[i], 300);
  free_all();
}

static const struct test tests[] = {
    {"a thread is stopped, and goes on", stopped_and_resumed},
    {"a thread is stopped, and begins anew", stopped_and_started_anew},
    {"a thread that waits can't be stopped, nor the caller", not_to_be_stopped},
    {"threads stop each other", stop_each_other},
    {"a program of 30 threads is killed", many_threads_killed},
    {"a thread ends itself", ends_itself},
    {"semaphores", semaphores},
    {"semaphores at their limits", semaphores_at_their_limits},
    {"pthreads without a server", without_a_server},
    {"threads fault on one page at once", one_page_at_once},
    {"threads fault on pages of their own: each counts once", pages_of_their_own},
    {"threads fault on the same pages: each is there once", pages_of_all},
    {"threads are ended while they fault, and their memory goes", faulters_end},
    {"the break moves while threads fault", break_moves},
    {"a fork while threads fault", forks},
    {"a program is killed while its threads fault", faulters_killed},
};

int main(int argc, char **argv) {
  if (argc > 2)
    return shrinks((unsigned)atoi(argv[2]));
  if (argc > 1 && !strcmp(argv[1], "touches"))
    touches();
  if (argc > 1)
    return crowd();
  return TAP_RUN("thread", tests);
}
