/* SPDX-License-Identifier: BSD-2-Clause */
/* The beginning and end of a program. Thread-local variables lie where tp points (RISC-V ELF psABI, variant I with the
 * block at tp); the first thread's block is part of the image (program.ld). */
#include <quire/proc.h>

#include <stdlib.h>
#include <string.h>

extern char __first_tls[], __tls_source[], __tls_data_size[];
void __libc_init_array(void);
int main(int argc, char **argv, char **envp);
_Noreturn void program_start(long argc, char **argv, q_handle server);
extern char **environ;
q_handle p_server;

static const char *invoked = "";

const char *getprogname(void) {
  const char *slash = strrchr(invoked, '/');
  return slash ? slash + 1 : invoked;
}

void setprogname(const char *name) {
  invoked = name;
}

_Noreturn void program_start(long argc, char **argv, q_handle server) {
  memcpy(__first_tls, __tls_source, (size_t)__tls_data_size);
  p_server = server;
  environ = argv + argc + 1;
  if (argc)
    setprogname(argv[0]);
  __libc_init_array();
  exit(main((int)argc, argv, environ));
}
