/* SPDX-License-Identifier: BSD-2-Clause */
/* Threads of one program: priorities, round robin, sleep, floating-point state, and faults on one page at once. */
#include "tap.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define THREADS 4
static struct p_thread threads[THREADS];
static volatile uint64_t count[THREADS];
static volatile bool stop;
static volatile unsigned finished;

static void start_all(void (*entry)(void *), unsigned priority) {
  finished = 0;
  stop = false;
  for (unsigned i = 0; i < THREADS; i++) {
    count[i] = 0;
    CHECK_EQ(p_thread_start(&threads[i], entry, (void *)(uintptr_t)i, priority), 0);
  }
}

static void free_all(void) {
  for (unsigned i = 0; i < THREADS; i++)
    p_thread_free(&threads[i]);
}

static void counter(void *argument) {
  while (!stop)
    count[(uintptr_t)argument]++;
  finished++;
}

/* Nobody gives way of his own will: only the tick can share the processor. */
static void round_robin(void) {
  start_all(counter, Q_PRIORITY_PROGRAM);
  q_sleep_until(q_time() + 5000000); /* half a second */
  stop = true;
  while (finished < THREADS)
    q_yield();
  for (unsigned i = 0; i < THREADS; i++)
    CHECK(count[i] > count[0] / 2 && count[i] < count[0] * 2);
  free_all();
}

static void lower_waits(void) {
  start_all(counter, 1);
  for (unsigned i = 0; i < 100; i++)
    q_yield(); /* they are ready, and run only when this thread does not */
  CHECK_EQ(count[0] + count[1] + count[2] + count[3], 0);
  q_sleep_until(q_time() + 1000000);
  CHECK(count[0] > 0);
  stop = true;
  q_sleep_until(q_time() + 1000000);
  CHECK_EQ(finished, THREADS);
  free_all();
}

static uint64_t woken[THREADS];
static void sleeper(void *argument) {
  uintptr_t i = (uintptr_t)argument;
  q_sleep_until(woken[i]);
  count[i] = ++finished;
}

static void sleepers_wake_in_order(void) {
  static const unsigned order[THREADS] = {3, 1, 4, 2};
  uint64_t now = q_time();
  for (unsigned i = 0; i < THREADS; i++)
    woken[i] = now + 200000 * order[i];
  start_all(sleeper, Q_PRIORITY_PROGRAM);
  q_sleep_until(now + 2000000);
  for (unsigned i = 0; i < THREADS; i++)
    CHECK_EQ(count[i], order[i]);
  free_all();
}

static void floater(void *argument) {
  double mine = 1.0 + (double)(uintptr_t)argument, sum = 0;
  for (unsigned i = 0; i < 2000; i++) {
    __asm__ volatile("fsrmi %0" ::"i"(0));
    sum += mine;
    if (i % 16 == 0)
      q_yield();
    uint64_t rounding;
    __asm__ volatile("fsrm %0, %1" : "=r"(rounding) : "r"((uintptr_t)argument));
    q_yield();
    __asm__ volatile("frrm %0" : "=r"(rounding));
    if (rounding != (uintptr_t)argument)
      count[(uintptr_t)argument] = 1;
  }
  __asm__ volatile("fsrmi %0" ::"i"(0));
  if (sum != mine * 2000)
    count[(uintptr_t)argument] = 2;
  finished++;
}

static void floating_point(void) {
  double kept = 3.25;
  __asm__ volatile("" : "+f"(kept));
  start_all(floater, Q_PRIORITY_PROGRAM);
  while (finished < THREADS)
    q_yield();
  __asm__ volatile("" : "+f"(kept));
  CHECK(kept == 3.25);
  CHECK_EQ(count[0] + count[1] + count[2] + count[3], 0);
  free_all();
}

static char *shared;
static void toucher(void *argument) {
  for (unsigned i = 0; i < 200; i++) {
    volatile char *at = shared + i * 4096 + (uintptr_t)argument * 8;
    if (*at)
      count[(uintptr_t)argument] = 1;
    *at = 1;
    q_yield();
  }
  finished++;
}

static void one_page_at_once(void) {
  shared = sbrk(201 * 4096);
  start_all(toucher, Q_PRIORITY_PROGRAM);
  while (finished < THREADS)
    q_yield();
  CHECK_EQ(count[0] + count[1] + count[2] + count[3], 0);
  for (unsigned i = 0; i < 200; i++)
    for (unsigned t = 0; t < THREADS; t++)
      CHECK_EQ(shared[i * 4096 + t * 8], 1);
  free_all();
  sbrk(-201 * 4096);
}

static void ender(void *argument) {
  finished++;
  q_handle_destroy(((struct p_thread *)argument)->handle);
  finished = 100;
}

static void ends_itself(void) {
  struct p_thread thread;
  finished = 0;
  CHECK_EQ(p_thread_start(&thread, ender, &thread, Q_PRIORITY_PROGRAM), 0);
  for (unsigned i = 0; i < 10; i++)
    q_yield();
  CHECK_EQ(finished, 1);
  CHECK_EQ(q_handle_destroy(thread.handle), -Q_E_HANDLE);
  free(thread.memory);
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
  struct p_death death;
  for (unsigned i = 0; i < 5; i++) {
    uint64_t id = spawn(0, ARGV("t_thread", "crowd"));
    q_sleep_until(q_time() + 300000 + i * 37777);
    CHECK_EQ(p_kill_program(id), 0);
    CHECK_EQ(p_wait_for(id, &death), id);
    CHECK_EQ(death.reason, P_REASON_KILLED);
  }
}

static const struct test tests[] = {
    {"a program of 30 threads is killed", many_threads_killed},
    {"a thread ends itself", ends_itself},
    {"threads that never give way share the time", round_robin},
    {"a lower priority waits", lower_waits},
    {"sleepers wake in order", sleepers_wake_in_order},
    {"floating-point state is each thread's own", floating_point},
    {"threads fault on one page at once", one_page_at_once},
};

int main(int argc, char **argv) {
  (void)argv;
  if (argc > 1)
    return crowd();
  free(malloc(300000)); /* the heap that threads' stacks come from is there before anything is counted */
  return TAP_RUN("thread", tests);
}
