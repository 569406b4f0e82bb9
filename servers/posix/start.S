# SPDX-License-Identifier: BSD-2-Clause
# A further thread of the server: a0 is its struct worker, what lies above sp its thread-local variables.
.text
.globl worker_entry
worker_entry:
  .option push
  .option norelax
  la gp, __global_pointer$
  .option pop
  mv tp, sp
  call worker_serve
