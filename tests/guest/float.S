# SPDX-License-Identifier: BSD-2-Clause
# A computation in all floating-point registers at once. For callers that keep nothing in them: not even the callee-saved
# ones are kept.
.section .text
# unsigned long fp_any(void): the OR of all bits of all registers and fcsr, which a new thread finds to be 0
.globl fp_any
fp_any:
  csrr a0, fcsr
  .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
  fmv.x.d t0, f\n
  or a0, a0, t0
  .endr
  ret

# void fp_start(unsigned long base, unsigned long fcsr): f0 = 1, fn = base + n
.globl fp_start
fp_start:
  csrwi fcsr, 0
  li t0, 1
  fcvt.d.l f0, t0
  .irp n, 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
  addi t0, a0, \n
  fcvt.d.l f\n, t0
  .endr
  csrw fcsr, a1
  ret

# void fp_step(void): fn += f0; exact, so that no rounding mode changes it and no flag is raised
.globl fp_step
fp_step:
  .irp n, 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
  fadd.d f\n, f\n, f0
  .endr
  ret

# unsigned long fp_wrong(unsigned long base, unsigned long fcsr): bit n for each fn that is not base + n (f0: 1), bit 32
# for fcsr
.globl fp_wrong
fp_wrong:
  csrr t2, fcsr
  xor t2, t2, a1
  snez t2, t2
  slli t2, t2, 32
  fcvt.l.d t0, f0
  addi t0, t0, -1
  snez t0, t0
  or t2, t2, t0
  .irp n, 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
  fcvt.l.d t0, f\n
  addi t1, a0, \n
  xor t0, t0, t1
  snez t0, t0
  slli t0, t0, \n
  or t2, t2, t0
  .endr
  mv a0, t2
  ret
