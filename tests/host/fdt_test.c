/* SPDX-License-Identifier: BSD-2-Clause */
/* fdt_test TREE: reads the tree with the kernel's reader and with libfdt and prints where they differ; the expectations
 * about single trees are fdt_test.py's, which reads this program's output. */
#include "devicetree.h"

#include <inttypes.h>
#include <libfdt.h>
#include <stdio.h>
#include <string.h>

static uint64_t cells(const fdt32_t *p, int count) {
  uint64_t value = 0;
  while (count--)
    value = value << 32 | fdt32_to_cpu(*p++);
  return value;
}

/* All memory, as libfdt sees it, against what the reader found. */
static int compare_memory(const void *tree, const struct machine *m) {
  unsigned found = 0;
  int address = fdt_address_cells(tree, 0), size = fdt_size_cells(tree, 0), node, length;
  fdt_for_each_subnode(node, tree, 0) {
    const char *type = fdt_getprop(tree, node, "device_type", NULL);
    const fdt32_t *reg = fdt_getprop(tree, node, "reg", &length);
    if (!type || strcmp(type, "memory") || !reg)
      continue;
    for (int i = 0; i < length / 4 / (address + size); i++, found++) {
      const fdt32_t *entry = reg + i * (address + size);
      if (found >= m->memories || m->memory[found].base != cells(entry, address) ||
          m->memory[found].bytes != cells(entry + address, size))
        return printf("memory differs from libfdt\n");
    }
  }
  return found == m->memories ? 0 : printf("memory differs from libfdt\n");
}

static int compare_harts(const void *tree, const struct machine *m) {
  int cpus = fdt_path_offset(tree, "/cpus"), node;
  unsigned found = 0;
  fdt_for_each_subnode(node, tree, cpus) {
    const char *status = fdt_getprop(tree, node, "status", NULL);
    const fdt32_t *reg = fdt_getprop(tree, node, "reg", NULL);
    const char *type = fdt_getprop(tree, node, "device_type", NULL);
    if (!type || strcmp(type, "cpu") || (status && strcmp(status, "okay")))
      continue;
    if (found >= m->harts || m->hart[found].id != cells(reg, fdt_address_cells(tree, cpus)))
      return printf("harts differ from libfdt\n");
    found++;
  }
  return found == m->harts ? 0 : printf("harts differ from libfdt\n");
}

static void show(const struct machine *m) {
  printf("memory %u reserved %u harts %u timebase %u sstc %d initrd %" PRIx64 "-%" PRIx64 " uart %" PRIx64
         " irq %u plic %" PRIx64 " sources %u contexts",
         m->memories, m->reserves, m->harts, m->timebase, m->sstc, m->initrd, m->initrd_end, m->uart.base,
         m->uart_irq, m->plic.base, m->plic_sources);
  for (unsigned i = 0; i < m->harts; i++)
    printf(" %d", m->hart[i].plic_context);
  printf(" bootargs '%s'\n", m->bootargs);
}

int main(int argc, char **argv) {
  static char tree[1 << 20];
  FILE *file = argc > 1 ? fopen(argv[1], "rb") : NULL;
  if (!file)
    return 2;
  size_t bytes = fread(tree, 1, sizeof tree, file);
  fclose(file);
  struct machine m;
  const char *error = fdt_read(tree, bytes, &m);
  if (error)
    return printf("%s\n", error) < 0;
  if (compare_memory(tree, &m) || compare_harts(tree, &m))
    return 1;
  show(&m);
  return 0;
}
