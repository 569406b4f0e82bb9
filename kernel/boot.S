/* SPDX-License-Identifier: BSD-2-Clause */
/* Entry from the firmware (SBI: a0 hart, a1 device tree; MMU off). Position-independent until early_map() has mapped the
 * image where it is linked; then main() takes over. Other harts stay with the firmware (HSM "stopped"). */
#include "layout.h"

.section .text.boot, "ax"
.globl _start
_start:
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
  li t0, KERNEL_BASE
  sub t0, t0, s3 /* from where it is to where it is linked */
  la t1, 2f
  add t1, t1, t0
  add sp, sp, t0
  csrw stvec, t1 /* the next fetch faults or not: both end at 2 */
  sfence.vma
  csrw satp, a0
  jr t1
.balign 4
2:
  la t0, trap_entry
  csrw stvec, t0
  csrw sscratch, zero
  mv a0, s0
  mv a1, s1
  mv a2, s3
  mv a3, s2
  call main

.section .bss
.balign 16
boot_stack:
  .skip STACK_BYTES
.globl boot_stack_top
boot_stack_top:
