/* SPDX-License-Identifier: BSD-2-Clause */
/* The kernel's own half of the address space: first coarse, so that the kernel can run where it is linked; then, once the
 * device tree has told where RAM is, in final form. The image is in 4 KiB pages with a protection each; the physical map
 * never holds a writable alias of the kernel's text or read-only data. */
#include "vm.h"

#define INDEX(va, level) ((va) >> (12 + 9 * (level)) & 511)
#define KERNEL_BITS (PTE_V | PTE_G | PTE_A | PTE_D)
#define GIB (1ul << 30)

extern char image_start[], image_rodata[], image_data[], image_end[];
static pte_t boot_root[512] __attribute__((aligned(4096)));
static pte_t boot_middle[512] __attribute__((aligned(4096)));
static pte_t boot_leaf[512] __attribute__((aligned(4096)));

uint64_t early_map(pa_t image);
/* Runs where the image was loaded, with the MMU off: the addresses of its variables are physical ones here. */
uint64_t early_map(pa_t image) {
  uint64_t text = (uint64_t)(image_rodata - image_start), rodata = (uint64_t)(image_data - image_start);
  for (uint64_t at = 0; at < (uint64_t)(image_end - image_start); at += Q_PAGE_SIZE)
    boot_leaf[at >> Q_PAGE_SHIFT] = pte_make(image + at, KERNEL_BITS | PTE_R |
                                                             (at < text     ? PTE_X
                                                              : at < rodata ? 0
                                                                            : PTE_W));
  boot_middle[INDEX(KERNEL_BASE, 1)] = pte_make((pa_t)boot_leaf, PTE_V);
  boot_root[INDEX(KERNEL_BASE, 2)] = pte_make((pa_t)boot_middle, PTE_V);
  for (uint64_t pa = 0; pa < PHYSMAP_BYTES; pa += GIB)
    boot_root[INDEX(PHYSMAP + pa, 2)] = pte_make(pa, KERNEL_BITS | PTE_R | PTE_W);
  return SATP_SV39 | (pa_t)boot_root >> Q_PAGE_SHIFT;
}

static pa_t next_table;

static pte_t *table_below(pte_t *entry) {
  if (!(*entry & PTE_V)) {
    memset(pa_to_va(next_table), 0, Q_PAGE_SIZE);
    *entry = pte_make(next_table, PTE_V);
    next_table += Q_PAGE_SIZE;
  }
  return pa_to_va(pte_pa(*entry));
}

/* The new table is filled through the old map, which is still in force. */
static void map_block(pte_t *root, pa_t pa) {
  pte_t *middle = table_below(&root[INDEX(PHYSMAP + pa, 2)]);
  middle[INDEX(PHYSMAP + pa, 1)] = pte_make(pa, KERNEL_BITS | PTE_R | PTE_W);
}

static void split_image(pte_t *root, pa_t image) {
  pte_t *slot = &table_below(&root[INDEX(PHYSMAP + image, 2)])[INDEX(PHYSMAP + image, 1)];
  *slot = 0;
  pte_t *leaf = table_below(slot);
  uint64_t constant = (uint64_t)(image_data - image_start); /* text and read-only data */
  for (uint64_t at = 0; at < Q_BLOCK_SIZE; at += Q_PAGE_SIZE)
    leaf[at >> Q_PAGE_SHIFT] = pte_make(image + at, KERNEL_BITS | PTE_R | (at < constant ? 0 : PTE_W));
}

void vm_boot(pa_t image, pa_t tables) {
  pte_t *root = pa_to_va(tables);
  next_table = tables + Q_PAGE_SIZE;
  memset(root, 0, Q_PAGE_SIZE);
  root[INDEX(KERNEL_BASE, 2)] = boot_root[INDEX(KERNEL_BASE, 2)];
  for (pa_t pa = kernel.ram_base; pa < kernel.ram_end;) {
    bool whole = pa % GIB == 0 && kernel.ram_end - pa >= GIB && image - pa >= GIB;
    if (whole)
      root[INDEX(PHYSMAP + pa, 2)] = pte_make(pa, KERNEL_BITS | PTE_R | PTE_W);
    else
      map_block(root, pa);
    pa += whole ? GIB : Q_BLOCK_SIZE;
  }
  split_image(root, image);
  for (pa_t pa = kernel.plic & ~(Q_BLOCK_SIZE - 1ul); pa < kernel.plic_end; pa += Q_BLOCK_SIZE)
    map_block(root, pa);
  ASSERT(next_table <= tables + VM_BOOT_TABLES * Q_PAGE_SIZE);
  kernel.root = root;
  kernel.root_pa = tables;
  vm_kernel();
  fence_all();
}
