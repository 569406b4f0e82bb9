/* SPDX-License-Identifier: BSD-2-Clause */
/* <semaphore.h>: a word of memory and nothing else, so one in shared memory works between processes. Whoever has to wait asks
 * again every WAIT_TICKS, asleep: whoever posts may be of a lower priority and must get to run. */
#include <semaphore.h>

#include <stdbool.h>
#include <stdint.h>

#include "request.h"

#define WAIT_TICKS 1000
#define SECOND 1000000000l /* nanoseconds */

int sem_init(sem_t *semaphore, int shared, unsigned value) {
  (void)shared;
  if (value > SEM_VALUE_MAX)
    return (int)or_errno(-EINVAL);
  semaphore->value = value;
  return 0;
}

int sem_destroy(sem_t *semaphore) {
  (void)semaphore; /* there is nothing to give back */
  return 0;
}

int sem_getvalue(sem_t *restrict semaphore, int *restrict value) {
  *value = (int)__atomic_load_n(&semaphore->value, __ATOMIC_RELAXED);
  return 0;
}

int sem_post(sem_t *semaphore) {
  unsigned value = __atomic_load_n(&semaphore->value, __ATOMIC_RELAXED);
  do
    if (value == SEM_VALUE_MAX)
      return (int)or_errno(-EOVERFLOW);
  while (
      !__atomic_compare_exchange_n(&semaphore->value, &value, value + 1, true, __ATOMIC_RELEASE, __ATOMIC_RELAXED));
  return 0;
}

static bool take(sem_t *semaphore) {
  unsigned value = __atomic_load_n(&semaphore->value, __ATOMIC_RELAXED);
  while (value)
    if (__atomic_compare_exchange_n(&semaphore->value, &value, value - 1, true, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
      return true;
  return false;
}

int sem_trywait(sem_t *semaphore) {
  return take(semaphore) ? 0 : (int)or_errno(-EAGAIN);
}

int sem_wait(sem_t *semaphore) {
  while (!take(semaphore))
    q_sleep_until(q_time() + WAIT_TICKS);
  return 0;
}

static bool is_over(const struct timespec *until) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return now.tv_sec > until->tv_sec || (now.tv_sec == until->tv_sec && now.tv_nsec >= until->tv_nsec);
}

/* A time that cannot be is an error only for those who have to wait (POSIX). */
int sem_timedwait(sem_t *restrict semaphore, const struct timespec *restrict until) {
  while (!take(semaphore)) {
    if (until->tv_nsec < 0 || until->tv_nsec >= SECOND)
      return (int)or_errno(-EINVAL);
    if (is_over(until))
      return (int)or_errno(-ETIMEDOUT);
    q_sleep_until(q_time() + WAIT_TICKS);
  }
  return 0;
}
