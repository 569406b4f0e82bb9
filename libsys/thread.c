/* SPDX-License-Identifier: BSD-2-Clause */
/* Further threads of a program, and the locks that keep them apart inside picolibc. The locks must stay in this file: it
 * is linked only where p_thread_start() is used, and all other programs get picolibc's own locks, which do nothing. */
#include <quire/proc.h>

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/lock.h>

#include "stream.h"

#define STACK_BYTES 65536
#define TLS_ALIGN 64 /* program.ld refuses more */

extern char __tls_source[], __tls_data_size[], __tls_size[];
_Noreturn void thread_begin(struct p_thread *thread);
void thread_entry(void);

_Noreturn void thread_begin(struct p_thread *thread) {
  thread->entry(thread->argument);
  p_thread_exit();
}

/* The thread-local block, above the stack that starts at memory. */
static char *tls_new(char *memory) {
  char *block = memory + STACK_BYTES;
  memset(block, 0, (size_t)__tls_size);
  return memcpy(block, __tls_source, (size_t)__tls_data_size);
}

/* ---- Output: a line goes out whole, so each thread has lines of its own for the two streams --------------------------------- */
static _Thread_local struct line {
  char text[256];
  unsigned used;
} lines[2];

static int line_end(FILE *file) {
  struct line *line = &lines[file == stderr];
  size_t done = stream_write(file, line->text, line->used), wanted = line->used;
  line->used = 0;
  return done == wanted ? 0 : _FDEV_ERR;
}

static int line_put(char c, FILE *file) {
  struct line *line = &lines[file == stderr];
  line->text[line->used++] = c;
  bool ends = c == '\n' || line->used == sizeof line->text;
  return ends && line_end(file) ? _FDEV_ERR : (unsigned char)c;
}

static int line_flush(FILE *file) {
  int error = line_end(file);
  return stream_flush(file) ? EOF : error;
}

int64_t p_thread_start(struct p_thread *thread, void (*entry)(void *), void *argument, unsigned priority) {
  size_t tls_bytes = ((size_t)__tls_size + TLS_ALIGN - 1) & ~(size_t)(TLS_ALIGN - 1);
  char *memory = aligned_alloc(TLS_ALIGN, STACK_BYTES + tls_bytes);
  *thread = (struct p_thread){0, entry, argument, memory};
  stdout->put = stderr->put = line_put;
  stdout->flush = stderr->flush = line_flush;
  if (!memory)
    return -ENOMEM;
  uint64_t sp = (uint64_t)tls_new(memory);
  int64_t error = q_thread_create(P_HANDLE_TASK, priority, &thread->handle);
  if (!error && (error = q_thread_start(thread->handle, (uint64_t)thread_entry, sp, (uint64_t)thread)))
    q_handle_destroy(thread->handle);
  if (!error)
    return 0;
  free(memory);
  return error == -Q_E_NOMEM || error == -Q_E_FULL ? -ENOMEM : -EINVAL;
}

_Noreturn void p_thread_exit(void) {
  fflush(stdout);
  for (;;) /* nobody wakes it: whoever started it destroys it */
    q_sleep_until(UINT64_MAX);
}

void p_thread_free(struct p_thread *thread) {
  q_handle_destroy(thread->handle);
  free(thread->memory);
}

/* ---- picolibc's locks (its sys/lock.h). A thread is known by its thread-local block. ------------------------------ */
struct __lock {
  bool taken;
  const void *owner;
  unsigned depth;
};
struct __lock __lock___libc_recursive_mutex;

#define WAIT_TICKS 1000 /* Asleep, not yielding: the owner may be of a lower priority and must get to run. */

static const void *self(void) {
  return __builtin_thread_pointer();
}

int __retarget_lock_try_acquire_recursive(_LOCK_T lock) {
  if (__atomic_load_n(&lock->owner, __ATOMIC_RELAXED) !=
      self()) { /* only this thread can have written itself there */
    if (__atomic_test_and_set(&lock->taken, __ATOMIC_ACQUIRE))
      return 0;
    __atomic_store_n(&lock->owner, self(), __ATOMIC_RELAXED);
  }
  lock->depth++;
  return 1;
}

void __retarget_lock_acquire_recursive(_LOCK_T lock) {
  while (!__retarget_lock_try_acquire_recursive(lock))
    q_sleep_until(q_time() + WAIT_TICKS);
}

void __retarget_lock_release_recursive(_LOCK_T lock) {
  if (--lock->depth)
    return;
  __atomic_store_n(&lock->owner, NULL, __ATOMIC_RELAXED);
  __atomic_clear(&lock->taken, __ATOMIC_RELEASE);
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
