/* SPDX-License-Identifier: BSD-2-Clause */
/* The kernel's own half of the address space: first coarse, so that the kernel can run where it is linked; then, once the
 * device tree has told where RAM is, in final form. There the image has a protection for each of its parts, and the
 * physical map holds no writable alias of the kernel's text or read-only data. */
#include "vm.h"

#define BYTES(level) ((uint64_t)Q_PAGE_SIZE << 9 * (level)) /* what one entry covers */
#define INDEX(va, level) ((va) / BYTES(level) % 512)
#define READ (PTE_V | PTE_G | PTE_A | PTE_D | PTE_R)

extern char image_start[], image_rodata[], image_data[], image_end[];
extern pte_t boot_root[512]; /* boot.S brings the other harts in by it */
pte_t boot_root[512] __attribute__((aligned(4096)));
static pte_t boot_middle[512] __attribute__((aligned(4096)));
static pa_t next_table;

uint64_t early_map(pa_t image);
/* Runs where the image was loaded, with the MMU off: the addresses of its variables are physical ones here. */
uint64_t early_map(pa_t image) {
  boot_middle[INDEX(KERNEL_BASE, 1)] = pte_make(image, READ | PTE_W | PTE_X);
  boot_root[INDEX(KERNEL_BASE, 2)] = pte_make((pa_t)boot_middle, PTE_V);
  for (uint64_t pa = 0; pa < PHYSMAP_BYTES; pa += BYTES(2))
    boot_root[INDEX(PHYSMAP + pa, 2)] = pte_make(pa, READ | PTE_W);
  return SATP_SV39 | (pa_t)boot_root >> Q_PAGE_SHIFT;
}

/* New tables are filled through the old map, which is still in force. */
static pte_t *table_below(pte_t *entry) {
  if (!*entry) {
    ASSERT(next_table < kernel.root_pa + VM_BOOT_TABLES * Q_PAGE_SIZE);
    *entry = pte_make(next_table, PTE_V);
    next_table += Q_PAGE_SIZE;
  }
  return pa_to_va(pte_pa(*entry));
}

/* Maps the physical pages from pa to `end`, each piece by the largest page that fits. */
static void map(uint64_t va, pa_t pa, pa_t end, uint64_t bits) {
  unsigned level;
  for (; pa < end; va += BYTES(level), pa += BYTES(level)) {
    pte_t *entry = &kernel.root[INDEX(va, 2)];
    for (level = 2; (va | pa) % BYTES(level) || end - pa < BYTES(level); level--)
      entry = &table_below(entry)[INDEX(va, level - 1)];
    *entry = pte_make(pa, bits);
  }
}

pa_t vm_boot(pa_t image) {
  pa_t rodata = image + (pa_t)(image_rodata - image_start), data = image + (pa_t)(image_data - image_start);
  pa_t plic = kernel.plic & ~(Q_PAGE_SIZE - 1ul);
  next_table = kernel.root_pa + Q_PAGE_SIZE;
  kernel.root = pa_to_va(kernel.root_pa);
  map(KERNEL_BASE, image, rodata, READ | PTE_X);
  map((uint64_t)image_rodata, rodata, data, READ);
  map((uint64_t)image_data, data, image + (pa_t)(image_end - image_start), READ | PTE_W);
  map(PHYSMAP + kernel.ram_base, kernel.ram_base, image, READ | PTE_W);
  map(PHYSMAP + image, image, data, READ);
  map(PHYSMAP + data, data, kernel.ram_end, READ | PTE_W);
  if (!frame_of(plic)) /* one in a hole of RAM is mapped already */
    map(PHYSMAP + plic, plic, ALIGN_UP(kernel.plic_end, Q_PAGE_SIZE), READ | PTE_W);
  vm_kernel();
  fence_all();
  return next_table;
}
