/* SPDX-License-Identifier: BSD-2-Clause */
/* What happens once for all threads, and what each has for itself. */
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/lock.h>

#include "futex.h"
#include "threads.h"

/* ---- Once ---------------------------------------------------------------------------------------------------------------------- */
enum { NOT_YET = PTHREAD_ONCE_INIT, RUNS, AWAITED, DONE };

static void run_once(pthread_once_t *once, void (*run)(void)) {
  run();
  if (__atomic_exchange_n(once, DONE, __ATOMIC_RELEASE) == AWAITED)
    futex_wake(once, ~0u);
}

int pthread_once(pthread_once_t *once, void (*run)(void)) {
  for (;;) {
    unsigned state = NOT_YET;
    if (__atomic_compare_exchange_n(once, &state, RUNS, false, __ATOMIC_ACQUIRE, __ATOMIC_ACQUIRE)) {
      run_once(once, run);
      return 0;
    }
    if (state == DONE)
      return 0;
    if (state == AWAITED ||
        __atomic_compare_exchange_n(once, &state, AWAITED, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
      futex_wait(once, AWAITED, FUTEX_NEVER);
  }
}

/* ---- Keys: what a thread has for one counts if it is of the same use of its number ------------------------------------------------ */
static struct key {
  unsigned use; /* odd: it is in use */
  void (*destructor)(void *);
} keys[PTHREAD_KEYS_MAX];

static _Thread_local struct {
  unsigned use;
  const void *value;
} values[PTHREAD_KEYS_MAX];

static bool good(pthread_key_t key) {
  return key < PTHREAD_KEYS_MAX && __atomic_load_n(&keys[key].use, __ATOMIC_ACQUIRE) & 1;
}

void *pthread_getspecific(pthread_key_t key) {
  return good(key) && values[key].use == keys[key].use ? (void *)values[key].value : NULL;
}

int pthread_setspecific(pthread_key_t key, const void *value) {
  if (!good(key))
    return EINVAL;
  values[key].use = keys[key].use;
  values[key].value = value;
  return 0;
}

/* True: there was one that was not NULL. Its destructor may give it another. */
static bool destroy(pthread_key_t key) {
  void *value = pthread_getspecific(key);
  void (*destructor)(void *) = value ? keys[key].destructor : NULL;
  if (!value)
    return false;
  values[key].value = NULL;
  if (destructor)
    destructor(value);
  return true;
}

static void destroy_all(void) {
  bool any = true;
  for (unsigned round = 0; any && round < PTHREAD_DESTRUCTOR_ITERATIONS; round++) {
    any = false;
    for (pthread_key_t key = 0; key < PTHREAD_KEYS_MAX; key++)
      any |= destroy(key);
  }
}

int pthread_key_create(pthread_key_t *made, void (*destructor)(void *)) {
  int error = EAGAIN;
  __LIBC_LOCK();
  for (pthread_key_t key = 0; error && key < PTHREAD_KEYS_MAX; key++) {
    if (keys[key].use & 1)
      continue;
    keys[key].destructor = destructor;
    __atomic_add_fetch(&keys[key].use, 1, __ATOMIC_RELEASE);
    *made = key;
    error = 0;
  }
  keys_destroy = destroy_all;
  __LIBC_UNLOCK();
  return error;
}

int pthread_key_delete(pthread_key_t key) {
  __LIBC_LOCK();
  bool was = good(key);
  if (was)
    __atomic_add_fetch(&keys[key].use, 1, __ATOMIC_RELEASE);
  __LIBC_UNLOCK();
  return was ? 0 : EINVAL;
}
