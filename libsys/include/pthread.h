/* SPDX-License-Identifier: BSD-2-Clause */
/* Threads (POSIX.1-2017). What is missing is not declared: cancellation, scheduling, locks between processes. */
#ifndef QUIRE_PTHREAD_H
#define QUIRE_PTHREAD_H

#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/types.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifndef PTHREAD_STACK_MIN
#define PTHREAD_STACK_MIN 16384
#endif
#define PTHREAD_KEYS_MAX 128
#define PTHREAD_DESTRUCTOR_ITERATIONS 4
#define PTHREAD_THREADS_MAX 129

/* ---- Threads ---- */
typedef unsigned long pthread_t; /* 0: none */
typedef struct {
  size_t stack, guard;
  int detached;
} pthread_attr_t;
#define PTHREAD_CREATE_JOINABLE 0
#define PTHREAD_CREATE_DETACHED 1
#define PTHREAD_SCOPE_SYSTEM 0
#define PTHREAD_SCOPE_PROCESS 1

int pthread_create(pthread_t *__restrict thread, const pthread_attr_t *__restrict attributes, void *(*start)(void *),
                   void *__restrict argument);
int pthread_join(pthread_t thread, void **value);
int pthread_detach(pthread_t thread);
__attribute__((noreturn)) void pthread_exit(void *value);
pthread_t pthread_self(void);
int pthread_equal(pthread_t a, pthread_t b);
int pthread_sigmask(int how, const sigset_t *__restrict set, sigset_t *__restrict old);
int pthread_attr_init(pthread_attr_t *attributes);
int pthread_attr_destroy(pthread_attr_t *attributes);
int pthread_attr_setdetachstate(pthread_attr_t *attributes, int state);
int pthread_attr_getdetachstate(const pthread_attr_t *attributes, int *state);
int pthread_attr_setstacksize(pthread_attr_t *attributes, size_t bytes);
int pthread_attr_getstacksize(const pthread_attr_t *__restrict attributes, size_t *__restrict bytes);
int pthread_attr_setguardsize(pthread_attr_t *attributes, size_t bytes);
int pthread_attr_getguardsize(const pthread_attr_t *__restrict attributes, size_t *__restrict bytes);
int pthread_attr_setscope(pthread_attr_t *attributes, int scope);

/* What is to be done if the thread ends between the two, which stand in one block. */
struct __pthread_cleanup {
  struct __pthread_cleanup *next;
  void (*run)(void *);
  void *argument;
};
void __pthread_cleanup_push(struct __pthread_cleanup *cleanup);
void __pthread_cleanup_pop(int execute);
#define pthread_cleanup_push(function, value)                                                                        \
  {                                                                                                                  \
    struct __pthread_cleanup __cleanup = {0, function, value};                                                       \
    __pthread_cleanup_push(&__cleanup)
#define pthread_cleanup_pop(execute)                                                                                 \
  __pthread_cleanup_pop(execute);                                                                                    \
  }

/* ---- Mutexes ---- */
typedef struct {
  int type;
} pthread_mutexattr_t;
typedef struct {
  unsigned __lock, __depth;
  int __type;
  pthread_t __owner;
} pthread_mutex_t;
#define PTHREAD_MUTEX_NORMAL 0
#define PTHREAD_MUTEX_DEFAULT 0
#define PTHREAD_MUTEX_RECURSIVE 1
#define PTHREAD_MUTEX_ERRORCHECK 2
#define PTHREAD_PROCESS_PRIVATE 0
#define PTHREAD_PROCESS_SHARED 1
#define PTHREAD_MUTEX_INITIALIZER                                                                                    \
  { 0, 0, PTHREAD_MUTEX_NORMAL, 0 }
#define PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP                                                                       \
  { 0, 0, PTHREAD_MUTEX_RECURSIVE, 0 }
#define PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP                                                                      \
  { 0, 0, PTHREAD_MUTEX_ERRORCHECK, 0 }

int pthread_mutexattr_init(pthread_mutexattr_t *attributes);
int pthread_mutexattr_destroy(pthread_mutexattr_t *attributes);
int pthread_mutexattr_settype(pthread_mutexattr_t *attributes, int type);
int pthread_mutexattr_gettype(const pthread_mutexattr_t *__restrict attributes, int *__restrict type);
int pthread_mutexattr_setpshared(pthread_mutexattr_t *attributes,
                                 int shared); /* ENOTSUP for PTHREAD_PROCESS_SHARED */
int pthread_mutex_init(pthread_mutex_t *__restrict mutex, const pthread_mutexattr_t *__restrict attributes);
int pthread_mutex_destroy(pthread_mutex_t *mutex);
int pthread_mutex_lock(pthread_mutex_t *mutex);
int pthread_mutex_trylock(pthread_mutex_t *mutex);
int pthread_mutex_timedlock(pthread_mutex_t *__restrict mutex, const struct timespec *__restrict until);
int pthread_mutex_unlock(pthread_mutex_t *mutex);

/* ---- Conditions ---- */
typedef struct {
  clockid_t clock;
} pthread_condattr_t;
typedef struct {
  unsigned __sequence, __waiters;
} pthread_cond_t;
#define PTHREAD_COND_INITIALIZER                                                                                     \
  { 0, 0 }

int pthread_condattr_init(pthread_condattr_t *attributes);
int pthread_condattr_destroy(pthread_condattr_t *attributes);
int pthread_condattr_setclock(pthread_condattr_t *attributes, clockid_t clock);
int pthread_condattr_getclock(const pthread_condattr_t *__restrict attributes, clockid_t *__restrict clock);
int pthread_cond_init(pthread_cond_t *__restrict condition, const pthread_condattr_t *__restrict attributes);
int pthread_cond_destroy(pthread_cond_t *condition);
int pthread_cond_wait(pthread_cond_t *__restrict condition, pthread_mutex_t *__restrict mutex);
int pthread_cond_timedwait(pthread_cond_t *__restrict condition, pthread_mutex_t *__restrict mutex,
                           const struct timespec *__restrict until);
int pthread_cond_signal(pthread_cond_t *condition);
int pthread_cond_broadcast(pthread_cond_t *condition);

/* ---- Read-write locks: a writer waits until nobody reads, so a thread may read twice ---- */
typedef struct {
  int unused;
} pthread_rwlockattr_t;
typedef struct {
  pthread_mutex_t __mutex;
  pthread_cond_t __readers_go, __writers_go;
  unsigned __readers;
  int __written;
} pthread_rwlock_t;
#define PTHREAD_RWLOCK_INITIALIZER                                                                                   \
  { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0 }

int pthread_rwlock_init(pthread_rwlock_t *__restrict lock, const pthread_rwlockattr_t *__restrict attributes);
int pthread_rwlock_destroy(pthread_rwlock_t *lock);
int pthread_rwlock_rdlock(pthread_rwlock_t *lock);
int pthread_rwlock_tryrdlock(pthread_rwlock_t *lock);
int pthread_rwlock_timedrdlock(pthread_rwlock_t *__restrict lock, const struct timespec *__restrict until);
int pthread_rwlock_wrlock(pthread_rwlock_t *lock);
int pthread_rwlock_trywrlock(pthread_rwlock_t *lock);
int pthread_rwlock_timedwrlock(pthread_rwlock_t *__restrict lock, const struct timespec *__restrict until);
int pthread_rwlock_unlock(pthread_rwlock_t *lock);

/* ---- Barriers ---- */
typedef struct {
  int unused;
} pthread_barrierattr_t;
typedef struct {
  pthread_mutex_t __mutex;
  pthread_cond_t __go;
  unsigned __wanted, __there, __round, __leaving;
} pthread_barrier_t;
#define PTHREAD_BARRIER_SERIAL_THREAD (-1)

int pthread_barrier_init(pthread_barrier_t *__restrict barrier, const pthread_barrierattr_t *__restrict attributes,
                         unsigned count);
int pthread_barrier_destroy(pthread_barrier_t *barrier);
int pthread_barrier_wait(pthread_barrier_t *barrier);

/* ---- Once, and each thread's own ---- */
typedef unsigned pthread_once_t;
#define PTHREAD_ONCE_INIT 0
typedef unsigned pthread_key_t;

int pthread_once(pthread_once_t *once, void (*run)(void));
int pthread_key_create(pthread_key_t *key, void (*destructor)(void *));
int pthread_key_delete(pthread_key_t key);
void *pthread_getspecific(pthread_key_t key);
int pthread_setspecific(pthread_key_t key, const void *value);

#ifdef __cplusplus
}
#endif
#endif
