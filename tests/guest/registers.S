# SPDX-License-Identifier: BSD-2-Clause
# System calls with every register chosen, and what a thread finds in its registers when it starts. Knows no call.
.section .text
# unsigned long raw_call(unsigned long r[15]): a0-a7 and t0-t6 in and out; the result has a bit set for each register that a
# call must keep and did not. reply_recv need not keep s1-s11, but they hold nothing of the kernel's: no address of it.
.globl raw_call
raw_call:
  addi sp, sp, -112
  .irp n, 0,1,2,3,4,5,6,7,8,9,10,11
  sd s\n, 8*\n(sp)
  .endr
  sd ra, 96(sp)
  mv s0, a0
  la t0, before
  sd sp, (t0)
  sd gp, 8(t0)
  sd tp, 16(t0)
  ld t1, 56(s0)
  sd t1, 24(t0)
  .irp n, 1,2,3,4,5,6,7,8,9,10,11
  li s\n, 0x5a5a0000 + \n
  .endr
  addi t1, t1, -2 # Q_SYS_reply_recv
  bnez t1, 4f
  li a0, 0
  li a7, 14 # Q_SYS_sleep: what it comes back with is of the last time that all was saved: of now, so that it is known
  ecall
4:
  la ra, 1f # no call of ours is pending: ra is a register like any other
  .irp n, 1,2,3,4,5,6,7
  ld a\n, 8*\n(s0)
  .endr
  .irp n, 0,1,2,3,4,5,6
  ld t\n, 64+8*\n(s0)
  .endr
  ld a0, (s0)
  ecall
1:
  .irp n, 0,1,2,3,4,5,6,7
  sd a\n, 8*\n(s0)
  .endr
  .irp n, 0,1,2,3,4,5,6
  sd t\n, 64+8*\n(s0)
  .endr
  li a0, 0
  la t0, 1b
  xor t0, t0, ra
  snez a0, t0
  la t2, before
  ld t0, (t2)
  xor t0, t0, sp
  ld t1, 8(t2)
  xor t1, t1, gp
  or t0, t0, t1
  ld t1, 16(t2)
  xor t1, t1, tp
  or t0, t0, t1
  snez t0, t0
  slli t0, t0, 1
  or a0, a0, t0
  ld t0, 24(t2)
  addi t0, t0, -2 # Q_SYS_reply_recv
  beqz t0, 3f
  .irp n, 4,5,6,7,8,9,10,11
  li t1, 0x5a5a0000 + \n
  xor t1, t1, s\n
  snez t1, t1
  slli t1, t1, \n
  or a0, a0, t1
  .endr
2:
  .irp n, 0,1,2,3,4,5,6,7,8,9,10,11
  ld s\n, 8*\n(sp)
  .endr
  ld ra, 96(sp)
  addi sp, sp, 112
  ret
3:
  .irp n, 1,2,3,4,5,6,7,8,9,10,11
  srai t1, s\n, 38
  addi t1, t1, 1
  seqz t1, t1 # the kernel's half, where
  li t0, -0x1000000 # small negative numbers of the program's own are, too
  sltu t0, s\n, t0
  and t1, t1, t0
  slli t1, t1, \n
  or a0, a0, t1
  .endr
  j 2b

.section .bss
.balign 8
before:
  .skip 32
.section .text

# A thread's entry. a0: two words; the first becomes the OR of all other integer registers but sp, the second of all
# floating-point ones and fcsr, with bit 0 set so that it is known to have been written. Then it fills them all and sleeps.
.globl find_registers
find_registers:
  or ra, ra, gp
  .irp r, tp,t0,t1,t2,t3,t4,t5,t6,s0,s1,s2,s3,s4,s5,s6,s7,s8,s9,s10,s11,a1,a2,a3,a4,a5,a6,a7
  or ra, ra, \r
  .endr
  sd ra, (a0)
  csrr t1, fcsr
  .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
  fmv.x.d t0, f\n
  or t1, t1, t0
  .endr
  ori t1, t1, 1
  sd t1, 8(a0)
  li t0, -1
  .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
  fmv.d.x f\n, t0
  .endr
  li t1, 0x7f
  csrw fcsr, t1
  .irp r, ra,sp,gp,tp,t1,t2,t3,t4,t5,t6,s0,s1,s2,s3,s4,s5,s6,s7,s8,s9,s10,s11,a1,a2,a3,a4,a5,a6
  mv \r, t0
  .endr
1:
  mv a0, t0
  li a7, 14 # sleep, for ever
  ecall
  li t0, -1
  j 1b
