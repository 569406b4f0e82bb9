/* SPDX-License-Identifier: BSD-2-Clause */
/* Threads of one program: their beginning and end, and faults on one page at once. How they share the processor is t_share's. */
#include "tap.h"

#include <errno.h>
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
  finished++;
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
    {"semaphores", semaphores},
    {"semaphores at their limits", semaphores_at_their_limits},
    {"threads fault on one page at once", one_page_at_once},
};

int main(int argc, char **argv) {
  (void)argv;
  if (argc > 1)
    return crowd();
  free(malloc(300000)); /* the heap that threads' stacks come from is there before anything is counted */
  return TAP_RUN("thread", tests);
}
