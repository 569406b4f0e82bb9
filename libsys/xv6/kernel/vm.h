/* SPDX-License-Identifier: BSD-2-Clause */
/* How sys_sbrk gets memory. */
#ifndef XV6_VM_H
#define XV6_VM_H

#define SBRK_EAGER 1
#define SBRK_LAZY 2
#endif
