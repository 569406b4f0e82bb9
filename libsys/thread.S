# SPDX-License-Identifier: BSD-2-Clause
# A further thread starts here: a0 is its struct p_thread; sp points at the thread-local block, above the stack.
.text
.globl thread_entry
thread_entry:
  .option push
  .option norelax
  la gp, __global_pointer$
  .option pop
  mv tp, sp
  call thread_begin
