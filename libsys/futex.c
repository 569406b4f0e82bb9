/* SPDX-License-Identifier: BSD-2-Clause */
/* See futex.h; and picolibc's own locks, made of that. */
#include "futex.h"

#include <stddef.h>
#include <sys/lock.h>

#include "request.h"

#define WAIT_TICKS                                                                                                   \
  1000 /* Asleep, not yielding: whoever is waited for may be of a lower priority and must get to run. */
#define SECOND 1000000000ul

uint64_t futex_deadline(const struct timespec *until) {
  uint64_t rate = p_timebase();
  if (until->tv_sec < 0)
    return 0;
  if ((uint64_t)until->tv_sec >= UINT64_MAX / rate - 1)
    return FUTEX_NEVER;
  return (uint64_t)until->tv_sec * rate + ((uint64_t)until->tv_nsec * rate + SECOND - 1) / SECOND;
}

static int sleep_a_little(uint64_t deadline) {
  uint64_t now = q_time();
  if (now >= deadline)
    return ETIMEDOUT;
  q_sleep_until(deadline - now < WAIT_TICKS ? deadline : now + WAIT_TICKS);
  return 0;
}

int futex_wait(const unsigned *word, unsigned expected, uint64_t deadline) {
  int64_t error = ask_server(&(struct q_call){.label = POSIX_futex_wait,
                                              .word = {(uint64_t)word, expected, deadline},
                                              .read = word,
                                              .read_bytes = sizeof *word});
  if (error == 0 || error == -ETIMEDOUT)
    return (int)-error;
  return __atomic_load_n(word, __ATOMIC_RELAXED) == expected ? sleep_a_little(deadline) : 0;
}

void futex_wake(const unsigned *word, unsigned threads) {
  if (p_server)
    ask_server(&(struct q_call){.label = POSIX_futex_wake, .word = {(uint64_t)word, threads}});
}

int lock_wait(unsigned *lock, uint64_t deadline) {
  while (__atomic_exchange_n(lock, LOCK_WANTED, __ATOMIC_ACQUIRE) != LOCK_FREE)
    if (futex_wait(lock, LOCK_WANTED, deadline) == ETIMEDOUT)
      return ETIMEDOUT;
  return 0;
}

/* ---- picolibc's ---------------------------------------------------------------------------------------------------------------- */
struct __lock __lock___libc_recursive_mutex;

static const void *self(void) {
  return __builtin_thread_pointer();
}

static bool own(const struct __lock *lock) { /* only this thread can have written itself there */
  return __atomic_load_n(&lock->owner, __ATOMIC_RELAXED) == self();
}

int __retarget_lock_try_acquire_recursive(_LOCK_T lock) {
  if (!own(lock)) {
    if (!lock_try(&lock->word))
      return 0;
    __atomic_store_n(&lock->owner, self(), __ATOMIC_RELAXED);
  }
  lock->depth++;
  return 1;
}

void __retarget_lock_acquire_recursive(_LOCK_T lock) {
  if (__retarget_lock_try_acquire_recursive(lock))
    return;
  lock_wait(&lock->word, FUTEX_NEVER);
  __atomic_store_n(&lock->owner, self(), __ATOMIC_RELAXED);
  lock->depth = 1;
}

void __retarget_lock_release_recursive(_LOCK_T lock) {
  if (--lock->depth)
    return;
  __atomic_store_n(&lock->owner, NULL, __ATOMIC_RELAXED);
  lock_give(&lock->word);
}

/* A plain lock may be a recursive one: picolibc takes none twice. */
int __retarget_lock_try_acquire(_LOCK_T lock) {
  return __retarget_lock_try_acquire_recursive(lock);
}

void __retarget_lock_acquire(_LOCK_T lock) {
  __retarget_lock_acquire_recursive(lock);
}

void __retarget_lock_release(_LOCK_T lock) {
  __retarget_lock_release_recursive(lock);
}

/* Locks made at run time are all this one: it may be taken again by its owner, so they never wait for each other. */
void __retarget_lock_init(_LOCK_T *lock) {
  *lock = &__lock___libc_recursive_mutex;
}

void __retarget_lock_init_recursive(_LOCK_T *lock) {
  __retarget_lock_init(lock);
}

void __retarget_lock_close(_LOCK_T lock) {
  (void)lock;
}

void __retarget_lock_close_recursive(_LOCK_T lock) {
  (void)lock;
}
