/* SPDX-License-Identifier: BSD-2-Clause */
/* The beginning and end of a program and of its threads. Thread-local variables lie where tp points (RISC-V ELF psABI,
 * variant I with the block at tp). */
#include <quire/proc.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TLS_MAX 512 /* of the first thread; p_thread_start() takes what is needed */
#define STACK_BYTES 65536

extern char __tls_source[], __tls_data_size[], __tls_size[];
char __first_tls[TLS_MAX] __attribute__((aligned(64)));
void __libc_init_array(void);
int main(int argc, char **argv, char **envp);
_Noreturn void program_start(long argc, char **argv);
_Noreturn void thread_start(struct p_thread *thread);
void thread_entry(void);

static void tls_init(char *block) {
  memcpy(block, __tls_source, (size_t)__tls_data_size);
}

_Noreturn void program_start(long argc, char **argv) {
  if ((size_t)__tls_size > TLS_MAX)
    p_exit_now(127);
  tls_init(__first_tls);
  __libc_init_array();
  exit(main((int)argc, argv, argv + argc + 1));
}

_Noreturn void thread_start(struct p_thread *thread) {
  thread->entry(thread->argument);
  p_thread_exit();
}

int64_t p_thread_start(struct p_thread *thread, void (*entry)(void *), void *argument, unsigned priority) {
  char *memory = aligned_alloc(64, STACK_BYTES + (((size_t)__tls_size + 63) & ~(size_t)63));
  *thread = (struct p_thread){0, entry, argument, memory};
  if (!memory)
    return -ENOMEM;
  memset(memory + STACK_BYTES, 0, (size_t)__tls_size);
  tls_init(memory + STACK_BYTES);
  int64_t error = q_thread_create(P_HANDLE_TASK, priority, &thread->handle);
  if (!error)
    error = q_thread_start(thread->handle, (uint64_t)thread_entry, (uint64_t)memory + STACK_BYTES, (uint64_t)thread);
  if (error) {
    free(memory);
    return -ENOMEM;
  }
  return 0;
}

_Noreturn void p_thread_exit(void) {
  for (;;) /* nobody wakes it: whoever started it destroys it */
    q_sleep_until(UINT64_MAX);
}

void p_thread_free(struct p_thread *thread) {
  q_handle_destroy(thread->handle);
  free(thread->memory);
}
