# SPDX-License-Identifier: BSD-2-Clause
# A thread of pthread_create() starts here: a0 is its struct thread; sp points at the thread-local block, above the stack.
.text
.globl pthread_entry
pthread_entry:
  .option push
  .option norelax
  la gp, __global_pointer$
  .option pop
  mv tp, sp
  call pthread_begin
