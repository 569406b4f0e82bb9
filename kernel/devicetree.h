/* SPDX-License-Identifier: BSD-2-Clause */
/* What the kernel wants to know from a flattened device tree (Devicetree Specification v0.4). Also builds on the host. */
#ifndef DEVICETREE_H
#define DEVICETREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FDT_MEMORIES 8
#define FDT_RESERVED 32
#define DEVICETREE_HARTS 32
#define FDT_VIRTIO 8 /* further ones are left out */

struct fdt_range {
  uint64_t base, bytes;
};

struct fdt_hart {
  uint64_t id;          /* as SBI names it */
  uint32_t phandle;     /* of its interrupt controller; 0 none */
  int32_t plic_context; /* of its supervisor mode; -1 none */
};

struct fdt_device {
  struct fdt_range registers;
  uint32_t irq; /* source of the PLIC; 0: none */
};

struct machine {
  uint32_t bytes; /* of the tree itself */
  struct fdt_range memory[FDT_MEMORIES];
  struct fdt_range reserved[FDT_RESERVED + 2]; /* the last two are left for the tree itself and the initrd */
  unsigned memories, reserves;
  struct fdt_hart hart[DEVICETREE_HARTS];
  unsigned harts;
  bool sstc;                   /* every hart has stimecmp */
  uint64_t zero_block;         /* bytes that cbo.zero zeroes (Zicboz), on every hart alike; 0: it cannot be used */
  uint32_t timebase;           /* ticks a second */
  uint64_t initrd, initrd_end; /* both 0: none */
  const char *bootargs;        /* never NULL; NUL-terminated, in the tree */
  struct fdt_range uart, plic; /* bytes 0: none */
  uint32_t uart_irq, plic_sources;
  struct fdt_device virtio[FDT_VIRTIO]; /* "virtio,mmio" nodes: places for a device, of which some may have none */
  unsigned virtios;
};

/* Reads the tree at blob, of which `available` bytes may be read (~0: as many as its header says). NULL if it is good;
 * else what is wrong with it. */
const char *fdt_read(const void *blob, size_t available, struct machine *out);
#endif
