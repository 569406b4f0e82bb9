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

# a0: the pager's endpoint, which the kernel keeps in no register over a call.
.section .text
.globl idle_thread
idle_thread:
  mv s0, a0
1:
  mv a0, s0
  li a1, 0
  li a6, 0
  li a7, 1 # Q_SYS_call
  li t0, 0
  li t1, 0
  li t2, 0
  li t3, 0
  li t4, 0
  ecall
  j 1b

.section .bss
.balign 64
tls_block:
  .skip 512
