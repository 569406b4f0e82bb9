# SPDX-License-Identifier: BSD-2-Clause
# The program that t_kernel.c runs in spaces that it pages itself. One page, position-independent. a0 is an address or 0:
# stores there, then calls handle 1 with label 1 and the address as word, for ever.
.section .rodata
.balign 8
.globl alarm_clock, client_start, client_end, client_illegal, client_call_buffer, client_after, client_receive, client_copy, client_stop
client_start:
  beqz a0, 1f
  sd a0, (a0)
client_after:
1:
  mv s0, a0
client_say:
  li a0, 1
  li a1, 1
  mv a2, s0
  li a3, 0
  li a4, 0
  li a5, 0
  li t0, 0
  li t1, 0
  li t2, 0
  li t3, 0
  li t4, 0
  li a7, 1 # call
  ecall
  j client_say
client_illegal:
  .word 0
  j client_start
client_call_buffer: # a0: a readable and writable buffer of 64 bytes; says how the call ended
  mv t1, a0
  li a0, 1
  li a1, 2
  li t0, 0
  li t2, 64
  mv t3, a0
  li t4, 64
  li a7, 1
  ecall
  mv s0, a0
  j client_say
client_receive: # takes one message from handle 2, and says so
  li a0, 2
  li a6, 0
  li t0, 0
  li a7, 2
  ecall
  li a0, 0
  j client_start
client_copy: # takes one message from handle 2, copies 8 bytes of its buffer to a0, and says how that ended
  mv s0, a0
  li a0, 2
  li a6, 0
  li t0, 0
  li a7, 2
  ecall
  mv a0, a6
  li a1, 0
  li a2, 0
  mv a3, s0
  li a4, 8
  li a5, 0
  li a7, 3 # copy
  ecall
  mv s0, a0
  j client_say
client_stop: # handle 2 is its own task
  li a0, 2
  li a1, 1 # stop
  li a7, 9
  ecall
  li a0, 0
  j client_start
client_end:

# A thread of the first program's own, without a stack: every 300 ticks it notifies bit 0 at the endpoint whose handle lies
# at a0, unless 0 lies there.
.text
alarm_clock:
  mv s0, a0
1:
  rdtime a0
  addi a0, a0, 300
  li a7, 14 # sleep
  ecall
  ld a0, (s0)
  beqz a0, 1b
  li a1, 1
  li a7, 4 # notify
  ecall
  j 1b

# Threads of the first program's own: one begins with nothing but its stack.
.irp name, share, grant
.globl \name\()_start
\name\()_start:
  .option push
  .option norelax
  la gp, __global_pointer$
  .option pop
  tail \name\()_main
.endr
