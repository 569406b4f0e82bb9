/* SPDX-License-Identifier: BSD-2-Clause */
/* Read-write locks and barriers, made of mutexes and conditions. */
#include <errno.h>
#include <stdbool.h>

#include "futex.h"
#include "threads.h"

/* ---- Read-write locks ------------------------------------------------------------------------------------------------------------ */
int pthread_rwlock_init(pthread_rwlock_t *restrict lock, const pthread_rwlockattr_t *restrict attributes) {
  (void)attributes;
  *lock = (pthread_rwlock_t)PTHREAD_RWLOCK_INITIALIZER;
  return 0;
}

int pthread_rwlock_destroy(pthread_rwlock_t *lock) {
  return lock->__readers || lock->__written ? EBUSY : 0;
}

static bool busy(const pthread_rwlock_t *lock, bool write) {
  return lock->__written || (write && lock->__readers);
}

/* until NULL: as long as it takes. */
static int wait_for(pthread_rwlock_t *lock, bool write, const struct timespec *until) {
  pthread_cond_t *condition = write ? &lock->__writers_go : &lock->__readers_go;
  int error = 0;
  while (!error && busy(lock, write))
    error = until ? pthread_cond_timedwait(condition, &lock->__mutex, until)
                  : pthread_cond_wait(condition, &lock->__mutex);
  return busy(lock, write) ? error : 0;
}

static int take(pthread_rwlock_t *lock, bool write, bool wait, const struct timespec *until) {
  pthread_mutex_lock(&lock->__mutex);
  int error = !busy(lock, write) ? 0 : wait ? wait_for(lock, write, until) : EBUSY;
  if (!error && write)
    lock->__written = 1;
  else if (!error)
    lock->__readers++;
  pthread_mutex_unlock(&lock->__mutex);
  return error;
}

int pthread_rwlock_rdlock(pthread_rwlock_t *lock) {
  return take(lock, false, true, NULL);
}

int pthread_rwlock_tryrdlock(pthread_rwlock_t *lock) {
  return take(lock, false, false, NULL);
}

int pthread_rwlock_timedrdlock(pthread_rwlock_t *restrict lock, const struct timespec *restrict until) {
  return take(lock, false, true, until);
}

int pthread_rwlock_wrlock(pthread_rwlock_t *lock) {
  return take(lock, true, true, NULL);
}

int pthread_rwlock_trywrlock(pthread_rwlock_t *lock) {
  return take(lock, true, false, NULL);
}

int pthread_rwlock_timedwrlock(pthread_rwlock_t *restrict lock, const struct timespec *restrict until) {
  return take(lock, true, true, until);
}

int pthread_rwlock_unlock(pthread_rwlock_t *lock) {
  pthread_mutex_lock(&lock->__mutex);
  if (lock->__written)
    pthread_cond_broadcast(&lock->__readers_go);
  if (lock->__written || lock->__readers == 1)
    pthread_cond_signal(&lock->__writers_go);
  lock->__readers -= !lock->__written;
  lock->__written = 0;
  pthread_mutex_unlock(&lock->__mutex);
  return 0;
}

/* ---- Barriers ---------------------------------------------------------------------------------------------------------------------- */
int pthread_barrier_init(pthread_barrier_t *restrict barrier, const pthread_barrierattr_t *restrict attributes,
                         unsigned count) {
  (void)attributes;
  *barrier = (pthread_barrier_t){PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, count, 0, 0, 0};
  return count ? 0 : EINVAL;
}

/* Whoever has passed may destroy it while others have yet to leave. */
int pthread_barrier_destroy(pthread_barrier_t *barrier) {
  pthread_mutex_lock(&barrier->__mutex);
  while (barrier->__leaving)
    pthread_cond_wait(&barrier->__go, &barrier->__mutex);
  bool waited_for = barrier->__there;
  pthread_mutex_unlock(&barrier->__mutex);
  return waited_for ? EBUSY : 0;
}

int pthread_barrier_wait(pthread_barrier_t *barrier) {
  pthread_mutex_lock(&barrier->__mutex);
  unsigned round = barrier->__round;
  bool last = ++barrier->__there == barrier->__wanted;
  if (last) {
    barrier->__leaving += barrier->__there - 1;
    barrier->__there = 0;
    barrier->__round++;
    pthread_cond_broadcast(&barrier->__go);
  }
  while (barrier->__round == round)
    pthread_cond_wait(&barrier->__go, &barrier->__mutex);
  if (!last && !--barrier->__leaving)
    pthread_cond_broadcast(&barrier->__go);
  pthread_mutex_unlock(&barrier->__mutex);
  return last ? PTHREAD_BARRIER_SERIAL_THREAD : 0;
}
