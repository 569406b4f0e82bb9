/* SPDX-License-Identifier: BSD-2-Clause */
/* Numbers that assembly and C must agree on: the kernel's address space and the offsets of what trap.S touches.
 * object.h asserts each offset. */
#ifndef LAYOUT_H
#define LAYOUT_H

#define KERNEL_BASE 0xffffffff80000000 /* the image, in 4 KiB pages */
#define PHYSMAP 0xffffffc000000000     /* all RAM and the PLIC: physical address p is at PHYSMAP + p */
#define PHYSMAP_BYTES 0x2000000000     /* 128 GiB: what the window holds too */
#define STACK_BYTES 8192               /* one a hart */

#define THREAD_REGS 0 /* pc, then x1..x31: x[n] at 8 n */
#define THREAD_FP 256 /* f0..f31, fcsr */
#define THREAD_HART 520
#define HART_LOCK 0 /* at its start, since amoswap has no offset */
#define HART_OTHERS 4
#define HART_RESCHED 5
#define HART_STACK 8
#define HART_CONTENDED 16
#define HART_ENTERED 24

#endif
