# SPDX-License-Identifier: BSD-2-Clause
# Where the first program starts: a0 points at struct q_boot, sp at the end of a mapped stack. It has no thread-local
# variables but what picolibc may touch.
.section .text.start, "ax"
.globl _start
_start:
  .option push
  .option norelax
  la gp, __global_pointer$
  .option pop
  la tp, tls_block
  call pager_main

.section .bss
.balign 64
tls_block:
  .skip 512
