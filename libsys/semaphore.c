/* SPDX-License-Identifier: BSD-2-Clause */
/* <semaphore.h>: a word of memory, the low half of which is the value that whoever waits looks at; above it, how many wait. Both
 * are changed at once, so whoever posts does not touch it afterwards, when it may be gone. One in memory that processes share
 * wakes nobody: whoever waits there asks again, asleep. */
#include <semaphore.h>

#include <stdbool.h>
#include <stdint.h>

#include "futex.h"
#include "request.h"

#define WAITER (1ul << 32)
#define WAIT_TICKS 1000

int sem_init(sem_t *semaphore, int shared, unsigned value) {
  if (value > SEM_VALUE_MAX)
    return (int)or_errno(-EINVAL);
  *semaphore = (sem_t){value, shared};
  return 0;
}

int sem_destroy(sem_t *semaphore) {
  (void)semaphore; /* there is nothing to give back */
  return 0;
}

int sem_getvalue(sem_t *restrict semaphore, int *restrict value) {
  *value = (int)(unsigned)__atomic_load_n(&semaphore->state, __ATOMIC_RELAXED);
  return 0;
}

int sem_post(sem_t *semaphore) {
  uint64_t state = __atomic_load_n(&semaphore->state, __ATOMIC_RELAXED);
  do
    if ((unsigned)state == SEM_VALUE_MAX)
      return (int)or_errno(-EOVERFLOW);
  while (
      !__atomic_compare_exchange_n(&semaphore->state, &state, state + 1, true, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));
  if (state / WAITER)
    futex_wake((const unsigned *)semaphore, 1);
  return 0;
}

static bool take(sem_t *semaphore) {
  uint64_t state = __atomic_load_n(&semaphore->state, __ATOMIC_RELAXED);
  while ((unsigned)state)
    if (__atomic_compare_exchange_n(&semaphore->state, &state, state - 1, true, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
      return true;
  return false;
}

int sem_trywait(sem_t *semaphore) {
  return take(semaphore) ? 0 : (int)or_errno(-EAGAIN);
}

static int wait_shared(sem_t *semaphore, uint64_t deadline) {
  while (!take(semaphore)) {
    uint64_t now = q_time();
    if (now >= deadline)
      return ETIMEDOUT;
    q_sleep_until(deadline - now < WAIT_TICKS ? deadline : now + WAIT_TICKS);
  }
  return 0;
}

static int wait_until(sem_t *semaphore, uint64_t deadline) {
  int error = 0;
  if (semaphore->shared)
    return wait_shared(semaphore, deadline);
  __atomic_add_fetch(&semaphore->state, WAITER, __ATOMIC_SEQ_CST);
  bool taken;
  while (!(taken = take(semaphore)) && error != ETIMEDOUT)
    error = futex_wait((const unsigned *)semaphore, 0, deadline);
  __atomic_sub_fetch(&semaphore->state, WAITER, __ATOMIC_RELAXED);
  return taken ? 0 : error;
}

int sem_wait(sem_t *semaphore) {
  return take(semaphore) ? 0 : wait_until(semaphore, FUTEX_NEVER);
}

/* A time that cannot be is an error only for those who have to wait (POSIX). */
int sem_timedwait(sem_t *restrict semaphore, const struct timespec *restrict until) {
  if (take(semaphore))
    return 0;
  if (!time_good(until))
    return (int)or_errno(-EINVAL);
  int error = wait_until(semaphore, futex_deadline(until));
  return error ? (int)or_errno(-error) : 0;
}
