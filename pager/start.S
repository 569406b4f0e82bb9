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

# The same of a thread for another hart: a0 says which, and what lies above sp is for thread-local variables.
.section .text
.globl pager_thread
pager_thread:
  .option push
  .option norelax
  la gp, __global_pointer$
  .option pop
  mv tp, sp
  call pager_serve

.macro call_pager endpoint, label # without words, data or a handle
  mv a0, \endpoint
  li a1, \label
  li a6, 0
  li a7, 1 # Q_SYS_call
  .irp register, t0, t1, t2, t3, t4
  li \register, 0
  .endr
  ecall
.endm

# a0: the pager's endpoint, which the kernel keeps in no register over a call.
.section .text
.globl idle_thread
idle_thread:
  mv s0, a0
1:
  call_pager s0, 0
  j 1b

# The same of the store's clock: it calls, and sleeps until the time that the answer names.
.globl clock_thread
clock_thread:
  mv s0, a0
1:
  call_pager s0, 1
  mv a0, a2
  li a7, 14 # Q_SYS_sleep
  ecall
  j 1b

.section .bss
.balign 64
tls_block:
  .skip 512
