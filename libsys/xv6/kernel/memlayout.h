/* SPDX-License-Identifier: BSD-2-Clause */
/* Where things lie, with Quire's addresses (quire/pager.h, docs/architecture.md). */
#ifndef XV6_MEMLAYOUT_H
#define XV6_MEMLAYOUT_H

#define KERNBASE 0xffffffc000000000ul /* from here on the kernel's: no program may touch it */
#define TRAMPOLINE (MAXVA - PGSIZE)   /* the last page of the user's half, never mapped; the stack lies below it */
#endif
