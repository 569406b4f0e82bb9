/* SPDX-License-Identifier: BSD-2-Clause */
/* Entry from the firmware (SBI: a0 hart, a1 device tree; MMU off). Position-independent until early_map() has mapped the
 * image where it is linked; then main() takes over. Other harts stay with the firmware (HSM "stopped") until
 * harts_start(). */
#include "layout.h"

.macro map_on /* a0: satp; s3: where the image is. Goes on where it is linked, t0 from there */
  li t0, KERNEL_BASE
  sub t0, t0, s3
  la t1, 9f
  add t1, t1, t0
  csrw stvec, t1 /* the next fetch faults or not: both end at 9 */
  sfence.vma
  csrw satp, a0
  jr t1
.balign 4
9:
  la t1, trap_entry
  csrw stvec, t1
  csrw sscratch, zero
.endm

.section .text.boot, "ax"
.globl _start
_start:
  li t0, 1
  la t1, boot_taken
  amoswap.w t0, t0, (t1)
  bnez t0, hart_entry /* see there */
  csrw sie, zero
  csrw satp, zero
  la t0, image_bss /* PC-relative: the load address */
  la t1, image_end
1:
  sd zero, (t0)
  addi t0, t0, 8
  bltu t0, t1, 1b
  la sp, boot_stack_top
  mv s0, a0
  mv s1, a1
  csrr s2, instret
  la s3, image_start
  mv a0, s3
  call early_map /* -> satp value */
  map_on
  add sp, sp, t0
  mv a0, s0
  mv a1, s1
  mv a2, s3
  mv a3, s2
  call main

/* Another hart (SBI: a0 hart; MMU off). The first map is still there: its entries are needed just until hart_main() has
 * another. OpenSBI 1.1 says that a hart is to start before it says where: one that looks just then comes in at _start, and
 * with another a1 than it was given. So the hart's number is all that is used. */
.balign 4
.globl hart_entry
hart_entry:
  csrw sie, zero
  csrw satp, zero
  mv s0, a0
  la s3, image_start
  la a0, boot_root
  srli a0, a0, 12
  li t0, 8 /* SATP_SV39 */
  slli t0, t0, 60
  or a0, a0, t0
  map_on
  la t0, hart_idle
1:
  ld t1, (t0)
  ld tp, 8(t0)
  addi t0, t0, 16
  bne t1, s0, 1b
  ld t0, THREAD_HART(tp)
  ld sp, HART_STACK(t0)
  call hart_main

.section .data
.balign 4
boot_taken:
  .word 0 /* not of the bss, which is zeroed once it is taken */

.section .bss
.balign 16
boot_stack:
  .skip STACK_BYTES
.globl boot_stack_top
boot_stack_top:
