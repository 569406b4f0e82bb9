/* SPDX-License-Identifier: BSD-2-Clause */
/* Pages, and what of the machine a program can see. */
#ifndef XV6_RISCV_H
#define XV6_RISCV_H

#define PGSIZE 4096
#define PGSHIFT 12
#define PGROUNDUP(size) (((size) + PGSIZE - 1) & ~(PGSIZE - 1))
#define PGROUNDDOWN(address) ((address) & ~(PGSIZE - 1))

#define MAXVA (1l << 38) /* the user's half of Sv39 */

static inline unsigned long r_sp(void) {
  unsigned long sp;
  __asm__ volatile("mv %0, sp" : "=r"(sp));
  return sp;
}

static inline unsigned long r_time(void) {
  unsigned long time;
  __asm__ volatile("rdtime %0" : "=r"(time));
  return time;
}
#endif
