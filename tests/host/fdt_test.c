/* SPDX-License-Identifier: BSD-2-Clause */
/* fdt_test TREE: reads the tree with the kernel's reader and with libfdt and prints where they differ; the expectations
 * about single trees are fdt_test.py's, which reads this program's output.
 * fdt_test TREE sweep: each 32-bit word of it in turn is each of some awkward values. What the reader still takes must make
 * sense, and it may read nothing outside. */
#include "devicetree.h"

#include <inttypes.h>
#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
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
         " irq %u plic %" PRIx64 " sources %u zero %" PRIu64 " contexts",
         m->memories, m->reserves, m->harts, m->timebase, m->sstc, m->initrd, m->initrd_end, m->uart.base,
         m->uart_irq, m->plic.base, m->plic_sources, m->zero_block);
  for (unsigned i = 0; i < m->harts; i++)
    printf(" %d", m->hart[i].plic_context);
  for (unsigned i = 0; i < m->virtios; i++)
    printf(" virtio %" PRIx64 "+%" PRIx64 ":%u", m->virtio[i].registers.base, m->virtio[i].registers.bytes,
           m->virtio[i].irq);
  printf(" bootargs '%s'\n", m->bootargs);
}

/* ---- The sweep ----------------------------------------------------------------------------------------------------- */
static const char *bad_range(const struct fdt_range *list, unsigned count, bool empty) {
  for (unsigned i = 0; i < count; i++) {
    if (list[i].base + list[i].bytes < list[i].base)
      return "a range goes round the end of 64 bits";
    if (!list[i].bytes && !empty)
      return "an empty range of memory";
  }
  return NULL;
}

/* What is wrong with a machine that the reader found good. */
static const char *nonsense(const struct machine *m, const char *tree, size_t bytes) {
  if (!m->memories || m->memories > FDT_MEMORIES || m->reserves > FDT_RESERVED || !m->harts ||
      m->harts > DEVICETREE_HARTS)
    return "a count outside its array";
  if (m->initrd > m->initrd_end || !m->timebase)
    return "an initrd that ends before it starts, or no timebase";
  if (m->zero_block && 4096 % m->zero_block)
    return "blocks to be zeroed that do not divide a page";
  size_t at = (size_t)(m->bootargs - tree);
  if (*m->bootargs && (at >= bytes || !memchr(m->bootargs, 0, bytes - at)))
    return "boot arguments that do not end";
  for (unsigned i = 0; i < m->harts; i++)
    if (m->hart[i].plic_context < -1 || m->hart[i].plic_context > (int)(bytes / 8))
      return "a PLIC context that no list can name";
  const char *bad = bad_range(m->memory, m->memories, false);
  bad = bad ? bad : bad_range(m->reserved, m->reserves, true);
  bad = bad ? bad : bad_range(&m->uart, 1, true);
  if (m->virtios > FDT_VIRTIO)
    return "more virtio devices than there is room for";
  for (unsigned i = 0; i < m->virtios; i++)
    bad = bad ? bad : bad_range(&m->virtio[i].registers, 1, true);
  return bad ? bad : bad_range(&m->plic, 1, true);
}

static void put(uint8_t *p, uint32_t value) {
  for (unsigned i = 0; i < 4; i++)
    p[i] = (uint8_t)(value >> (24 - 8 * i));
}

static int sweep(const char *tree, size_t bytes) {
  static const uint32_t values[] = {0, 1, 3, 4, 8, 9, 0x7fffffff, 0x80000000, 0xffffffff};
  static const int changes[] = {1, -1, 4, -4};
  unsigned taken = 0, refused = 0, each = sizeof values / sizeof *values, all = each + 4;
  char *copy = malloc(bytes); /* nothing after it may be read */
  const char *bad = NULL;
  memcpy(copy, tree, bytes);
  for (size_t at = 0; !bad && at + 4 <= bytes; at += 4)
    for (unsigned i = 0; !bad && i < all; i++) {
      struct machine m;
      uint32_t old = fdt32_ld((const fdt32_t *)(tree + at));
      put((uint8_t *)copy + at, i < each ? values[i] : old + (uint32_t)changes[i - each]);
      const char *error = fdt_read(copy, bytes, &m);
      bad = error ? NULL : nonsense(&m, copy, bytes);
      if (bad)
        printf("word %zu as 0x%x: %s\n", at, fdt32_ld((const fdt32_t *)(copy + at)), bad);
      taken += !error;
      refused += error != NULL;
      memcpy(copy + at, tree + at, 4);
    }
  free(copy);
  if (!bad)
    printf("swept %zu bytes: %u taken, %u refused\n", bytes, taken, refused);
  return bad || !taken || !refused;
}

int main(int argc, char **argv) {
  static char tree[1 << 20];
  FILE *file = argc > 1 ? fopen(argv[1], "rb") : NULL;
  if (!file)
    return 2;
  size_t bytes = fread(tree, 1, sizeof tree, file);
  fclose(file);
  if (argc > 2)
    return sweep(tree, bytes);
  struct machine m;
  const char *error = fdt_read(tree, bytes, &m);
  if (error)
    return printf("%s\n", error) < 0;
  if (compare_memory(tree, &m) || compare_harts(tree, &m))
    return 1;
  show(&m);
  return 0;
}
