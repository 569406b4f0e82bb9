# SPDX-License-Identifier: BSD-2-Clause
# int64_t fork_here(int64_t (*ask)(void *pc, void *sp)): what ask returns; in the child 0. What the ABI keeps across a call lies
# on the stack meanwhile, of which the child has a copy; its thread begins with all registers zero. Nothing tells whether the
# program ever used its floating-point registers, so they are read; the child only writes those that are not zero, and so stays
# without floating point if its parent was.
.text
.globl fork_here
fork_here:
  addi sp, sp, -224
  sd ra, 0(sp)
  sd s0, 8(sp)
  sd s1, 16(sp)
  sd s2, 24(sp)
  sd s3, 32(sp)
  sd s4, 40(sp)
  sd s5, 48(sp)
  sd s6, 56(sp)
  sd s7, 64(sp)
  sd s8, 72(sp)
  sd s9, 80(sp)
  sd s10, 88(sp)
  sd s11, 96(sp)
  sd gp, 104(sp)
  sd tp, 112(sp)
  .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
    fsd fs\n, 120 + 8 * \n(sp)
  .endr
  frcsr t0
  sd t0, 216(sp)
  mv t0, a0
  la a0, child
  mv a1, sp
  jalr t0
  ld ra, 0(sp)
  addi sp, sp, 224
  ret
child:
  ld ra, 0(sp)
  ld s0, 8(sp)
  ld s1, 16(sp)
  ld s2, 24(sp)
  ld s3, 32(sp)
  ld s4, 40(sp)
  ld s5, 48(sp)
  ld s6, 56(sp)
  ld s7, 64(sp)
  ld s8, 72(sp)
  ld s9, 80(sp)
  ld s10, 88(sp)
  ld s11, 96(sp)
  ld gp, 104(sp)
  ld tp, 112(sp)
  .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
    ld t0, 120 + 8 * \n(sp)
    beqz t0, 1f
    fmv.d.x fs\n, t0
1:
  .endr
  ld t0, 216(sp)
  beqz t0, 1f
  fscsr t0
1:
  li a0, 0
  addi sp, sp, 224
  ret
