/* SPDX-License-Identifier: BSD-2-Clause */
/* Into the kernel and out of it. In user mode sscratch holds the running thread; in the kernel it is 0 and tp is the
 * thread, so that a trap in the kernel is told from one in user mode without trusting any register of the user. All of
 * the user's registers go to the thread, so no blocked thread holds kernel stack. C code ends in one of:
 *   a return (a0, a1)      the result of a system call of the same thread; callee-saved registers were never changed
 *   deliver(a0-a7)         the result of a system call of the thread in tp: t1, t2 and s0-s11 come from memory, others are 0
 *   resume()               all registers of the thread in tp come from memory */
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

.macro leave skip /* for user mode, at the thread's pc or so many bytes behind */
#ifdef CHECK_INVARIANTS /* measures, and asserts the ledger */
  addi sp, sp, -64
  .irp n, 0,1,2,3,4,5,6,7
  sd a\n, 8*\n(sp)
  .endr
  call exit_checks
  .irp n, 0,1,2,3,4,5,6,7
  ld a\n, 8*\n(sp)
  .endr
#endif
  ld t0, THREAD_REGS(tp)
  .if \skip
  addi t0, t0, \skip
  .endif
  csrw sepc, t0
  fence rw, w
  sw zero, kernel_lock, t6
  csrw sscratch, tp
.endm

.option arch, +d /* only fp_save and fp_load name the registers; the user owns them */
.section .text.trap, "ax"
.balign 4
.globl trap_entry
trap_entry:
  csrrw tp, sscratch, tp
  beqz tp, kernel_trap
  saved sd
  arguments sd
  temporaries sd
  csrrw t0, sscratch, zero
  sd t0, X(4)(tp)
  csrr t1, sepc
  sd t1, THREAD_REGS(tp)
  ld t2, THREAD_HART(tp)
  ld sp, HART_STACK(t2)
#ifdef CHECK_INVARIANTS
  csrr t3, instret
  sd t3, HART_ENTERED(t2)
#endif
  la t3, kernel_lock
  li t4, 1
1:
  amoswap.w.aq t5, t4, (t3)
  bnez t5, 1b
  csrr t0, scause
  li t1, SCAUSE_ECALL
  bne t0, t1, 2f
  li t1, 16 /* Q_SYS_COUNT */
  bgeu a7, t1, 3f
  la t0, syscall_table
  slli t1, a7, 3
  add t0, t0, t1
  ld t0, (t0)
  jalr t0
syscall_return:
  ld t0, THREAD_HART(tp)
  lbu t0, HART_RESCHED(t0)
  bnez t0, 4f
  leave 4
  ld ra, X(1)(tp)
  ld sp, X(2)(tp)
  ld gp, X(3)(tp)
  scrub 12,13,14,15,16,17,5,6,7,28,29,30,31
  ld tp, X(4)(tp)
  sret
2:
  mv a0, t0
  csrr a1, stval
  tail trap_other
3:
  call syscall_unknown
  j syscall_return
4:
  tail syscall_preempted

.globl deliver
deliver:
  leave 4
  saved ld
  registers ld, 6,7
  scrub 5,28,29,30,31
  ld tp, X(4)(tp)
  sret

.globl resume
resume:
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
