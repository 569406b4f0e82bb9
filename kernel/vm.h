/* SPDX-License-Identifier: BSD-2-Clause */
/* Page tables. Nothing here knows why a page is mapped; sizes and policies are the pager's. */
#ifndef VM_H
#define VM_H

#include "kernel.h"

#define PTE_V 1
#define PTE_R 2
#define PTE_W 4
#define PTE_X 8
#define PTE_U 16
#define PTE_G 32
#define PTE_A 64
#define PTE_D 128
#define PTE_WINDOW 256 /* of the bits left to software: not counted in the frame table */
#define PTE_DEVICE 512 /* another: not RAM, so not in the frame table */

static inline pa_t pte_pa(pte_t pte) { /* pte_make() leaves the bits above the address zero */
  return pte << 2 & ~(Q_PAGE_SIZE - 1ul);
}
static inline pte_t pte_make(pa_t pa, uint64_t bits) {
  return pa >> 2 | bits;
}

#define PTE_KIND (PTE_V | PTE_U | PTE_WINDOW)
static inline bool is_page(pte_t pte) { /* mapped by a pager, not by the window */
  return (pte & PTE_KIND) == (PTE_V | PTE_U);
}
static inline void frame_unmapped(struct frame *frame) {
  ASSERT_DEBUG(frame->count);
  if (__builtin_expect(--frame->count == 0, 0))
    frame->flags &= FRAME_BUSY;
}

struct mapping {
  uva_t va;
  uint64_t frame_prot; /* frame address | Q_PROT_* */
  uint64_t pages;
  uint64_t expected; /* frame address | Q_EXPECT* to replace, or 0 */
  uva_t written;     /* the page that is being written: it starts dirty; ~0 none */
};
struct range {
  uva_t va, end; /* what remains */
  uint64_t written, removed;
};

int vm_create(struct task *task);
bool vm_destroy(struct task *task); /* false: bounded work was done, call again */
void vm_kernel(void);               /* the hart runs nobody's */
void asid_generation_begin(void);   /* at boot, and when all ASIDs are used */
int vm_map(struct task *task, const struct mapping *mapping);
/* The byte's address in the kernel's view if the task may access it so (Q_FAULT_*), with its accessed and dirty bits set
 * as such an access sets them; else NULL. Good to the end of the page. */
void *vm_resolve(struct task *task, uva_t va, unsigned kind);
/* The same of a page of RAM that lies near the last one looked up, and has these bits already; NULL: ask vm_resolve(). */
static inline void *vm_resident(const struct task *task, uva_t va, unsigned kind) {
  const pte_t need = kind == Q_FAULT_WRITE ? PTE_V | PTE_U | PTE_W | PTE_A | PTE_D : PTE_V | PTE_U | PTE_R | PTE_A;
  if (__builtin_expect(va >> 21 != task->leaf_tag, 0))
    return NULL;
  pte_t pte = task->leaf[va >> Q_PAGE_SHIFT & 511];
  bool good = (pte & need) == need && frame_of(pte_pa(pte));
  return __builtin_expect(good, 1) ? (char *)pa_to_va(pte_pa(pte)) + va % Q_PAGE_SIZE : NULL;
}
/* A fault. Either the page table does not justify it (any more); or it is to be reported, with what this returns in a5. */
uint64_t vm_fault(struct task *task, uva_t va, unsigned kind);
#define VM_SPURIOUS ~0ul
/* Removes what is there, and stores what it was into the caller's array; with `last` only what is mapped nowhere any more.
 * E_FAULT: the array is not resident. */
int vm_unmap(struct task *task, struct range *range, uva_t array, uint64_t entries, bool last);
uint64_t vm_unmap_page(struct task *task, uva_t va); /* one page, as the array would say it; 0: nothing was there */
/* Page by page: an error leaves those before it changed. `to`, if not NULL, gets them too; then without a protection each keeps
 * its own but the right to write. */
int vm_protect(struct task *task, struct task *to, struct range *range, unsigned prot);
/* out: one bit a page that was accessed; dirty; present. */
void vm_harvest(struct task *task, uva_t va, uint64_t pages, uint64_t clear, uint64_t out[3]);
int vm_window(struct pager *pager, struct task *task, bool *done);
int vm_window_block(struct pager *pager, pa_t block, bool visible);
void vm_revoke(struct pager *pager, pa_t block); /* unmaps some of the block: call until nothing is mapped */

/* At boot. */
/* The kernel's half in final form; its tables are some of these zeroed pages at kernel.root_pa. Where the others begin. */
pa_t vm_boot(pa_t image);
#define VM_BOOT_TABLES 12 /* two levels for either end of RAM and of the PLIC, and for the image twice */
void vm_check(struct task *task, void (*leaf)(struct task *, uva_t, pte_t)); /* every leaf but the window's */
#endif
