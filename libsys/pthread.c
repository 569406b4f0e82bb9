/* SPDX-License-Identifier: BSD-2-Clause */
/* Threads: how they begin and end. One is a mapping - a gap that nobody may touch, the stack, and above it the thread-local block,
 * of which what is known of the thread is part - and a thread that the pager makes for it. The mapping goes with the thread: when
 * it is joined, or by itself if nobody is to join it. */
#include "threads.h"

#include <stdlib.h>
#include <string.h>
#include <sys/lock.h>
#include <sys/mman.h>
#include <unistd.h>

#include "futex.h"
#include "request.h"

#define TLS_ALIGN 64 /* program.ld refuses more */
#define STACK_BYTES (1 << 20)
#define GUARD_BYTES (1 << 16) /* costs nothing, and few functions have so much on the stack */
#define PAGES_UP(bytes) (((bytes) + Q_PAGE_SIZE - 1) & ~(Q_PAGE_SIZE - 1ul))

/* What is to become of it. JOINED: somebody waits for it. */
enum { JOINABLE, JOINED, DETACHED, ENDED };
struct thread {
  struct thread *next, *previous;
  void *(*start)(void *);
  void *argument, *value;
  char *memory; /* the mapping; NULL: of the first thread */
  size_t bytes;
  struct __pthread_cleanup *cleanup;
  unsigned state;
};

static _Thread_local struct thread own;
static struct thread *threads; /* but the first; under picolibc's lock */
static unsigned living = 1;
void (*keys_destroy)(void);

extern char __tls_source[], __tls_data_size[], __tls_size[];
_Noreturn void pthread_begin(struct thread *thread);
void pthread_entry(void);

static struct thread *of(pthread_t thread) {
  return (struct thread *)thread;
}

pthread_t pthread_self(void) {
  return (pthread_t)&own;
}

int pthread_equal(pthread_t a, pthread_t b) {
  return a == b;
}

/* ---- All of them: a child of fork has the memory of those that it has not ------------------------------------------------- */
static void enlist(struct thread *thread) {
  __LIBC_LOCK();
  thread->next = threads;
  if (threads)
    threads->previous = thread;
  threads = thread;
  __LIBC_UNLOCK();
}

static void delist(struct thread *thread) {
  __LIBC_LOCK();
  if (thread->next)
    thread->next->previous = thread->previous;
  *(thread->previous ? &thread->previous->next : &threads) = thread->next;
  __LIBC_UNLOCK();
}

static void forked(void) {
  struct thread *next, *all = threads;
  threads = NULL;
  living = 1;
  for (; all; all = next) {
    next = all->next;
    if (all != &own)
      munmap(all->memory, all->bytes);
  }
  own.next = own.previous = NULL;
  if (own.memory)
    threads = &own;
}

/* ---- Beginning --------------------------------------------------------------------------------------------------------------- */
/* A thread that is known by what lies at the top of its own memory, of which its creator fills in the thread-local block. */
static struct thread *thread_new(size_t stack, size_t guard) {
  size_t tls = ((size_t)__tls_size + TLS_ALIGN - 1) & ~(size_t)(TLS_ALIGN - 1);
  size_t bytes = guard + PAGES_UP(stack + tls);
  char *memory = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED)
    return NULL;
  if (mprotect(memory + guard, bytes - guard, PROT_READ | PROT_WRITE)) {
    munmap(memory, bytes);
    return NULL;
  }
  char *block = memory + bytes - tls;
  memcpy(block, __tls_source, (size_t)__tls_data_size);
  struct thread *thread = (struct thread *)(block + ((char *)&own - (char *)__builtin_thread_pointer()));
  *thread = (struct thread){.memory = memory, .bytes = bytes};
  return thread;
}

static uint64_t block_of(const struct thread *thread) {
  return (uint64_t)thread - (uint64_t)((char *)&own - (char *)__builtin_thread_pointer());
}

static int64_t ask_begin(const struct thread *thread) {
  return ask_of(
      P_HANDLE_PAGER,
      &(struct q_call){.label = P_thread, .word = {(uint64_t)pthread_entry, block_of(thread), (uint64_t)thread}});
}

int pthread_create(pthread_t *restrict made, const pthread_attr_t *restrict attributes, void *(*start)(void *),
                   void *restrict argument) {
  const pthread_attr_t usual = {STACK_BYTES, GUARD_BYTES, PTHREAD_CREATE_JOINABLE},
                       *how = attributes ? attributes : &usual;
  int error = errno;
  struct thread *thread = thread_new(how->stack, how->guard);
  errno = error; /* which no function of these sets */
  if (!thread)
    return EAGAIN;
  thread->start = start;
  thread->argument = argument;
  thread->state = how->detached ? DETACHED : JOINABLE;
  threads_forked = forked;
  p_threaded = true;
  *made = (pthread_t)thread; /* the new one may read it */
  enlist(thread);
  __atomic_add_fetch(&living, 1, __ATOMIC_RELAXED);
  if (ask_begin(thread) >= 0)
    return 0;
  __atomic_sub_fetch(&living, 1, __ATOMIC_RELAXED);
  delist(thread);
  munmap(thread->memory, thread->bytes);
  return EAGAIN;
}

_Noreturn void pthread_begin(struct thread *thread) {
  pthread_exit(thread->start(thread->argument));
}

/* ---- Ending ------------------------------------------------------------------------------------------------------------------ */
/* Nobody needs it any more: it stops wherever it is, and its memory goes. It may be the caller, who does not return then. A child
 * of fork began otherwise: the pager knows no such thread there. */
static void reclaim(struct thread *thread) {
  char *memory = thread->memory;
  size_t bytes = thread->bytes;
  if (!memory)
    return;
  delist(thread);
  int64_t error = ask_of(
      P_HANDLE_PAGER, &(struct q_call){.label = P_thread_end, .word = {(uint64_t)thread, (uint64_t)memory, bytes}});
  if (error == -ESRCH && thread != &own)
    munmap(memory, bytes);
}

static void clean_up(void) {
  while (own.cleanup)
    __pthread_cleanup_pop(1);
  if (keys_destroy)
    keys_destroy();
}

_Noreturn void pthread_exit(void *value) {
  clean_up();
  own.value = value;
  if (__atomic_sub_fetch(&living, 1, __ATOMIC_ACQ_REL) == 0)
    exit(0);
  unsigned was = __atomic_exchange_n(&own.state, ENDED, __ATOMIC_ACQ_REL);
  if (was == JOINED)
    futex_wake(&own.state, 1); /* whoever joins it may end it during this */
  if (was == DETACHED)
    reclaim(&own);
  for (;;)
    q_sleep_until(UINT64_MAX);
}

int pthread_join(pthread_t name, void **value) {
  struct thread *thread = of(name);
  unsigned state = JOINABLE;
  if (thread == &own)
    return EDEADLK;
  if (!__atomic_compare_exchange_n(&thread->state, &state, JOINED, false, __ATOMIC_ACQUIRE, __ATOMIC_ACQUIRE) &&
      state != ENDED)
    return EINVAL; /* it is detached, or another one joins it */
  while (__atomic_load_n(&thread->state, __ATOMIC_ACQUIRE) != ENDED)
    futex_wait(&thread->state, JOINED, FUTEX_NEVER);
  if (value)
    *value = thread->value;
  reclaim(thread);
  return 0;
}

int pthread_detach(pthread_t name) {
  struct thread *thread = of(name);
  unsigned state = JOINABLE;
  if (__atomic_compare_exchange_n(&thread->state, &state, DETACHED, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
    return 0;
  if (state != ENDED)
    return EINVAL;
  reclaim(thread);
  return 0;
}

void __pthread_cleanup_push(struct __pthread_cleanup *cleanup) {
  cleanup->next = own.cleanup;
  own.cleanup = cleanup;
}

void __pthread_cleanup_pop(int execute) {
  struct __pthread_cleanup *cleanup = own.cleanup;
  own.cleanup = cleanup->next;
  if (execute)
    cleanup->run(cleanup->argument);
}

/* There is one mask for all, which has no effect. */
int pthread_sigmask(int how, const sigset_t *restrict set, sigset_t *restrict old) {
  return sigprocmask(how, set, old) ? errno : 0;
}

/* ---- Attributes -------------------------------------------------------------------------------------------------------------- */
int pthread_attr_init(pthread_attr_t *attributes) {
  *attributes = (pthread_attr_t){STACK_BYTES, GUARD_BYTES, PTHREAD_CREATE_JOINABLE};
  return 0;
}

int pthread_attr_destroy(pthread_attr_t *attributes) {
  (void)attributes;
  return 0;
}

int pthread_attr_setdetachstate(pthread_attr_t *attributes, int state) {
  if (state != PTHREAD_CREATE_JOINABLE && state != PTHREAD_CREATE_DETACHED)
    return EINVAL;
  attributes->detached = state;
  return 0;
}

int pthread_attr_getdetachstate(const pthread_attr_t *attributes, int *state) {
  *state = attributes->detached;
  return 0;
}

int pthread_attr_setstacksize(pthread_attr_t *attributes, size_t bytes) {
  if (bytes < PTHREAD_STACK_MIN || bytes > Q_USER_TOP)
    return EINVAL;
  attributes->stack = bytes;
  return 0;
}

int pthread_attr_getstacksize(const pthread_attr_t *restrict attributes, size_t *restrict bytes) {
  *bytes = attributes->stack;
  return 0;
}

int pthread_attr_setguardsize(pthread_attr_t *attributes, size_t bytes) {
  if (bytes > Q_USER_TOP)
    return EINVAL;
  attributes->guard = PAGES_UP(bytes);
  return 0;
}

int pthread_attr_getguardsize(const pthread_attr_t *restrict attributes, size_t *restrict bytes) {
  *bytes = attributes->guard;
  return 0;
}

int pthread_attr_setscope(pthread_attr_t *attributes, int scope) {
  (void)attributes;
  return scope == PTHREAD_SCOPE_SYSTEM ? 0 : scope == PTHREAD_SCOPE_PROCESS ? ENOTSUP : EINVAL;
}
