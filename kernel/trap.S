/* SPDX-License-Identifier: BSD-2-Clause */
/* Into the kernel and out of it. In user mode sscratch holds the running thread; in the kernel it is 0 and tp is the
 * thread, so that a trap in the kernel is told from one in user mode without trusting any register of the user. What of
 * the user's registers must outlive a switch goes to the thread, so no blocked thread holds kernel stack.
 *
 *   what comes in      is saved before C code runs                          C code                     instructions
 *   null               nothing                                              none                       13 in, 21 out
 *   call               ra, sp, gp, tp, s0-s11, t0-t4                        fast_call, fast.c          36
 *   reply_recv         ra, sp, gp, tp, s0, t0; s1-s11 are lost to the user  fast_reply, fast.c         23
 *   fault, interrupt   all                                                  fast_fault, fast.c         47
 *   any other call     all                                                  its function, syscall.c
 *                                                                           (of several harts a copy: first copy_beside, ipc.c)
 *
 * C code ends in one of:
 *   syscall_slow(a0-a7)    fast.c: not a case for a fast path. The same call as any other, with nothing changed so far
 *   trap_slow(a0, a2)      the same of a trap: scause, stval
 *   a return (a0, a1)      the result of a system call of the same thread; callee-saved registers were never changed
 *   deliver(a0-a7, t1, t2) the result of a system call of the thread in tp: ra, sp, gp, s0-s11 come from memory (27 instructions)
 *   resume()               all registers of the thread in tp come from memory (40 instructions); resume_fast() from a
 *                          fast path, which holds its own lock alone (36) */
#include "layout.h"
#include "riscv.h"

#define X(n) (8 * (n))

.macro registers op, numbers:vararg
  .irp n, \numbers
  \op x\n, X(\n)(tp)
  .endr
.endm

.macro saved op /* what the calling convention keeps, but for tp */
  registers \op, 1,2,3,8,9,18,19,20,21,22,23,24,25,26,27
.endm

.macro arguments op
  registers \op, 10,11,12,13,14,15,16,17
.endm

.macro temporaries op
  registers \op, 5,6,7,28,29,30,31
.endm

.macro scrub numbers:vararg
  .irp n, \numbers
  li x\n, 0
  .endr
.endm

/* The hart's own lock, which is all that a fast path needs (hart.c). t5 and t6 are nobody's. */
.macro lock
  ld t5, THREAD_HART(tp)
1:
  li t6, 1
  amoswap.w.aq t6, t6, (t5)
  bnez t6, 2f
  .subsection 2
2:
  ld t6, HART_CONTENDED(t5)
  addi t6, t6, 1
  sd t6, HART_CONTENDED(t5)
3:
  lw t6, (t5)
  bnez t6, 3b
  j 1b
  .previous
#ifdef CHECK_INVARIANTS
  csrr t6, instret
  sd t6, HART_ENTERED(t5)
#endif
.endm

/* Not for a fast path: the hart's stack, and the locks of all harts. Calls a C function then, if there are others; with
 * again, what it may have used of the caller's comes back. */
.macro exclusive first, again:vararg
  ld t5, THREAD_HART(tp)
  lbu t6, HART_OTHERS(t5)
  ld sp, HART_STACK(t5)
  bnez t6, 2f
  .subsection 1
2:
  \first
  call exclude
  \again
  j 3f
  .previous
3:
.endm

.macro try_beside
#ifdef FAST_PATHS
  li t6, 3 /* Q_SYS_copy */
  beq a7, t6, beside
not_beside:
#endif
.endm

.macro leave skip /* for user mode, at the thread's pc or so many bytes behind; t5: the hart */
#ifdef CHECK_INVARIANTS /* measures, and asserts the ledger */
  ld t5, THREAD_HART(tp)
  ld sp, HART_STACK(t5)
  addi sp, sp, -96
  .irp n, 6,7,10,11,12,13,14,15,16,17
  sd x\n, 8*(\n-6)(sp)
  .endr
  call exit_checks
  .irp n, 6,7,10,11,12,13,14,15,16,17
  ld x\n, 8*(\n-6)(sp)
  .endr
  ld t5, THREAD_HART(tp)
#endif
  ld t0, THREAD_REGS(tp)
  .if \skip
  addi t0, t0, \skip
  .endif
  csrw sepc, t0
  amoswap.w.rl zero, zero, (t5)
  csrw sscratch, tp
.endm

.option arch, +d /* only fp_save and fp_load name the registers; the user owns them */
.section .text.trap, "ax"
.subsection 2
.globl entry_wait /* to the end of this file: waiting for the hart's own lock */
entry_wait:
.previous
.balign 4
.globl trap_entry
trap_entry:
  csrrw tp, sscratch, tp
  beqz tp, kernel_trap
  sd t0, X(5)(tp)
  csrrw t0, sscratch, zero
  sd t0, X(4)(tp)
  csrr t0, scause
  addi t0, t0, -SCAUSE_ECALL
  bnez t0, other_trap
#ifdef FAST_PATHS
  addi t0, a7, -1 /* Q_SYS_call */
  beqz t0, call_entry
  addi t0, a7, -2 /* Q_SYS_reply_recv */
  beqz t0, reply_entry
#endif
  beqz a7, null_entry
  registers sd, 1,2,3,8,9,18,19,20,21,22,23,24,25,26,27,6,7,28,29
  arguments sd
  csrr t0, sepc
  sd t0, THREAD_REGS(tp)
  lock
  j dispatch

/* A call that turned out not to be for a fast path. Its saved registers are in memory but for a0-a7. */
.globl syscall_slow
syscall_slow:
  arguments sd
  registers ld, 9,18,19,20,21,22,23,24,25,26,27 /* a fast path may have used them */
dispatch:
  exclusive try_beside, arguments ld
  li t1, 16 /* Q_SYS_COUNT */
  bgeu a7, t1, 3f
  la t0, syscall_table
  slli t1, a7, 3
  add t0, t0, t1
  ld t0, (t0)
  jalr t0
syscall_return:
  ld t5, THREAD_HART(tp)
  lbu t1, HART_OTHERS(t5)
  lbu t0, HART_RESCHED(t5)
  bnez t0, 4f
  bnez t1, 5f
6:
  leave 4
  registers ld, 1,2,3
  scrub 12,13,14,15,16,17,5,6,7,28,29,30,31
  ld tp, X(4)(tp)
  sret
3:
  call syscall_unknown
  j syscall_return
4:
  tail syscall_preempted
#ifdef FAST_PATHS
beside: /* a copy, of several harts: if it needs no more than its own lock it is done then */
  call copy_beside
  ld t5, THREAD_HART(tp)
  beqz a0, 6b
  j not_beside
#endif
5:
  addi sp, sp, -16
  sd a0, (sp)
  sd a1, 8(sp)
  call let_others
  ld a0, (sp)
  ld a1, 8(sp)
  ld t5, THREAD_HART(tp)
  j 6b

null_entry: /* changes nothing, so it needs no lock */
  csrr t0, sepc
  addi t0, t0, 4
  csrw sepc, t0
  csrw sscratch, tp
  ld tp, X(4)(tp)
  scrub 10,11,12,13,14,15,16,17,5,6,7,28,29,30,31
  sret

#ifdef FAST_PATHS
call_entry:
  saved sd
  registers sd, 6,7,28,29
  csrr t0, sepc
  sd t0, THREAD_REGS(tp)
  lock
  j fast_call

reply_entry:
  registers sd, 1,2,3,8
  csrr t0, sepc
  sd t0, THREAD_REGS(tp)
  lock
  j fast_reply
#endif

other_trap:
  saved sd
  arguments sd
  registers sd, 6,7,28,29,30,31
  csrr a3, sepc
  sd a3, THREAD_REGS(tp)
  lock
  csrr a0, scause
  csrr a2, stval
#ifdef FAST_PATHS
  mv a4, sp
  j fast_fault /* a2 to a4 are what they are in the message */
#endif

.globl trap_slow
trap_slow:
  mv s1, a0
  mv s2, a2
  exclusive
  mv a0, s1
  mv a1, s2
  tail trap_other

.globl deliver
deliver:
  leave 4
  saved ld
  scrub 5,28,29,30,31
  ld tp, X(4)(tp)
  sret

.globl resume
resume:
  ld t5, THREAD_HART(tp)
  lbu t6, HART_OTHERS(t5)
  beqz t6, resume_fast
  ld sp, HART_STACK(t5)
  call let_others
  ld t5, THREAD_HART(tp)
.globl resume_fast
resume_fast:
  leave 0
  saved ld
  arguments ld
  temporaries ld
  ld tp, X(4)(tp)
  sret

kernel_trap: /* tp and sscratch were swapped: sscratch holds the kernel's tp */
  la sp, panic_stack_top
  csrr a0, scause
  csrr a1, sepc
  csrr a2, stval
  mv a3, ra
  tail panic_trap

.globl fp_save /* a0: thread */
fp_save:
  addi a0, a0, THREAD_FP
  .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
  fsd f\n, 8*\n(a0)
  .endr
  csrr t0, fcsr
  sd t0, 256(a0)
  ret

.globl fp_load /* a0: thread */
fp_load:
  addi a0, a0, THREAD_FP
  .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
  fld f\n, 8*\n(a0)
  .endr
  ld t0, 256(a0)
  csrw fcsr, t0
  ret

.section .bss
.balign 16
panic_stack:
  .skip STACK_BYTES
panic_stack_top:
