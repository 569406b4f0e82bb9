/* SPDX-License-Identifier: BSD-2-Clause */
/* Further threads of a program that have a priority of their own, and those of servers. pthread.c has the others. */
#include <quire/proc.h>

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "request.h"
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
  p_threaded = true;
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

/* Whoever started it may see that its work is done and destroy it just now, so it takes no lock if it has nothing to say. */
_Noreturn void p_thread_exit(void) {
  if (lines[0].used)
    fflush(stdout);
  for (;;) /* nobody wakes it: whoever started it destroys it */
    q_sleep_until(UINT64_MAX);
}

void p_thread_free(struct p_thread *thread) {
  q_handle_destroy(thread->handle);
  free(thread->memory);
}
