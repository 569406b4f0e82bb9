/* SPDX-License-Identifier: BSD-2-Clause */
/* Mutexes and conditions. Neither makes a call where nobody has to wait or be woken. */
#include <errno.h>

#include "futex.h"
#include "threads.h"

/* ---- Mutexes ------------------------------------------------------------------------------------------------------------------- */
int pthread_mutexattr_init(pthread_mutexattr_t *attributes) {
  attributes->type = PTHREAD_MUTEX_DEFAULT;
  return 0;
}

int pthread_mutexattr_destroy(pthread_mutexattr_t *attributes) {
  (void)attributes;
  return 0;
}

int pthread_mutexattr_settype(pthread_mutexattr_t *attributes, int type) {
  if (type < PTHREAD_MUTEX_NORMAL || type > PTHREAD_MUTEX_ERRORCHECK)
    return EINVAL;
  attributes->type = type;
  return 0;
}

int pthread_mutexattr_gettype(const pthread_mutexattr_t *restrict attributes, int *restrict type) {
  *type = attributes->type;
  return 0;
}

int pthread_mutexattr_setpshared(pthread_mutexattr_t *attributes, int shared) {
  (void)attributes;
  return shared == PTHREAD_PROCESS_PRIVATE ? 0 : shared == PTHREAD_PROCESS_SHARED ? ENOTSUP : EINVAL;
}

int pthread_mutex_init(pthread_mutex_t *restrict mutex, const pthread_mutexattr_t *restrict attributes) {
  *mutex = (pthread_mutex_t){.__type = attributes ? attributes->type : PTHREAD_MUTEX_DEFAULT};
  return 0;
}

int pthread_mutex_destroy(pthread_mutex_t *mutex) {
  return __atomic_load_n(&mutex->__lock, __ATOMIC_RELAXED) == LOCK_FREE ? 0 : EBUSY;
}

static bool own(const pthread_mutex_t *mutex) { /* only this thread can have written itself there */
  return __atomic_load_n(&mutex->__owner, __ATOMIC_RELAXED) == pthread_self();
}

static int taken(pthread_mutex_t *mutex) {
  __atomic_store_n(&mutex->__owner, pthread_self(), __ATOMIC_RELAXED);
  return 0;
}

/* By its owner, who has it already. */
static int again(pthread_mutex_t *mutex, int otherwise) {
  if (mutex->__type != PTHREAD_MUTEX_RECURSIVE)
    return otherwise;
  if (mutex->__depth == ~0u)
    return EAGAIN;
  mutex->__depth++;
  return 0;
}

static int lock_until(pthread_mutex_t *mutex, uint64_t deadline) {
  if (mutex->__type != PTHREAD_MUTEX_NORMAL && own(mutex))
    return again(mutex, EDEADLK);
  int error = lock_try(&mutex->__lock) ? 0 : lock_wait(&mutex->__lock, deadline);
  return error ? error : taken(mutex);
}

int pthread_mutex_lock(pthread_mutex_t *mutex) {
  return lock_until(mutex, FUTEX_NEVER);
}

int pthread_mutex_trylock(pthread_mutex_t *mutex) {
  if (lock_try(&mutex->__lock))
    return taken(mutex);
  return own(mutex) ? again(mutex, EBUSY) : EBUSY;
}

/* A time that cannot be is an error only for those who have to wait (POSIX). */
int pthread_mutex_timedlock(pthread_mutex_t *restrict mutex, const struct timespec *restrict until) {
  int error = pthread_mutex_trylock(mutex);
  if (error != EBUSY)
    return error;
  return time_good(until) ? lock_until(mutex, futex_deadline(until)) : EINVAL;
}

int pthread_mutex_unlock(pthread_mutex_t *mutex) {
  if (mutex->__type != PTHREAD_MUTEX_NORMAL && !own(mutex))
    return EPERM;
  if (mutex->__depth) {
    mutex->__depth--;
    return 0;
  }
  __atomic_store_n(&mutex->__owner, 0, __ATOMIC_RELAXED);
  lock_give(&mutex->__lock);
  return 0;
}

/* ---- Conditions: whoever waits has looked at the sequence while it had the mutex, so a later signal finds it changed or waiting -- */
int pthread_condattr_init(pthread_condattr_t *attributes) {
  attributes->clock = CLOCK_REALTIME;
  return 0;
}

int pthread_condattr_destroy(pthread_condattr_t *attributes) {
  (void)attributes;
  return 0;
}

/* They are the same here (time.c). */
int pthread_condattr_setclock(pthread_condattr_t *attributes, clockid_t clock) {
  if (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC)
    return EINVAL;
  attributes->clock = clock;
  return 0;
}

int pthread_condattr_getclock(const pthread_condattr_t *restrict attributes, clockid_t *restrict clock) {
  *clock = attributes->clock;
  return 0;
}

int pthread_cond_init(pthread_cond_t *restrict condition, const pthread_condattr_t *restrict attributes) {
  (void)attributes;
  *condition = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
  return 0;
}

/* Those that were woken may not have left yet. Of a lower priority there are none. */
int pthread_cond_destroy(pthread_cond_t *condition) {
  while (__atomic_load_n(&condition->__waiters, __ATOMIC_ACQUIRE))
    sched_yield();
  return 0;
}

static int wait_until(pthread_cond_t *condition, pthread_mutex_t *mutex, uint64_t deadline) {
  if (mutex->__type != PTHREAD_MUTEX_NORMAL && !own(mutex))
    return EPERM;
  unsigned sequence = __atomic_load_n(&condition->__sequence, __ATOMIC_RELAXED), depth = mutex->__depth;
  __atomic_add_fetch(&condition->__waiters, 1, __ATOMIC_SEQ_CST);
  mutex->__depth = 0;
  pthread_mutex_unlock(mutex);
  int error = futex_wait(&condition->__sequence, sequence, deadline);
  __atomic_sub_fetch(&condition->__waiters, 1, __ATOMIC_RELEASE);
  pthread_mutex_lock(mutex);
  mutex->__depth = depth;
  return error;
}

int pthread_cond_wait(pthread_cond_t *restrict condition, pthread_mutex_t *restrict mutex) {
  return wait_until(condition, mutex, FUTEX_NEVER);
}

int pthread_cond_timedwait(pthread_cond_t *restrict condition, pthread_mutex_t *restrict mutex,
                           const struct timespec *restrict until) {
  return time_good(until) ? wait_until(condition, mutex, futex_deadline(until)) : EINVAL;
}

static int wake(pthread_cond_t *condition, unsigned threads) {
  if (!__atomic_load_n(&condition->__waiters, __ATOMIC_SEQ_CST))
    return 0;
  __atomic_add_fetch(&condition->__sequence, 1, __ATOMIC_SEQ_CST);
  futex_wake(&condition->__sequence, threads);
  return 0;
}

int pthread_cond_signal(pthread_cond_t *condition) {
  return wake(condition, 1);
}

int pthread_cond_broadcast(pthread_cond_t *condition) {
  return wake(condition, ~0u);
}
