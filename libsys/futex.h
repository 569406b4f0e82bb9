/* SPDX-License-Identifier: BSD-2-Clause */
/* What all that threads wait for is made of: a word of memory, and a call to the posix server only for those who have to wait,
 * or have somebody to wake. The word of a lock says which: U. Drepper, "Futexes Are Tricky", 2011, the third mutex there. */
#ifndef FUTEX_H
#define FUTEX_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#define FUTEX_NEVER UINT64_MAX

/* Returns after a wake, or before, perhaps at once: the caller looks again. 0, or ETIMEDOUT after the deadline (ticks). In a program
 * of no server nobody tells of a wake: it sleeps for a while. */
int futex_wait(const unsigned *word, unsigned expected, uint64_t deadline);
/* Up to so many threads. The word need not be there any more. */
void futex_wake(const unsigned *word, unsigned threads);
uint64_t futex_deadline(const struct timespec *until); /* in ticks, not before */
static inline bool time_good(const struct timespec *time) {
  return time->tv_nsec >= 0 && time->tv_nsec < 1000000000;
}

enum { LOCK_FREE, LOCK_TAKEN, LOCK_WANTED };

static inline bool lock_try(unsigned *lock) {
  unsigned expected = LOCK_FREE;
  return __atomic_compare_exchange_n(lock, &expected, LOCK_TAKEN, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

int lock_wait(unsigned *lock, uint64_t deadline); /* 0 with the lock, or ETIMEDOUT */

static inline void lock_take(unsigned *lock) {
  if (!lock_try(lock))
    lock_wait(lock, FUTEX_NEVER);
}

/* Afterwards the lock may be gone: whoever has it next may free it. */
static inline void lock_give(unsigned *lock) {
  if (__atomic_exchange_n(lock, LOCK_FREE, __ATOMIC_RELEASE) == LOCK_WANTED)
    futex_wake(lock, 1);
}

/* One of picolibc's (its sys/lock.h), which are all recursive. A thread is known by its thread-local block. */
struct __lock {
  unsigned word, depth;
  const void *owner;
};

/* In a child of fork there is one thread: what others had taken is free. */
static inline void lock_forked(struct __lock *lock) {
  if (lock->owner != __builtin_thread_pointer())
    *lock = (struct __lock){LOCK_FREE, 0, 0};
}
#endif
