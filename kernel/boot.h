/* SPDX-License-Identifier: BSD-2-Clause */
/* What only boot needs. */
#ifndef BOOT_H
#define BOOT_H

#include "cpio.h"
#include "devicetree.h"
#include "kernel.h"
#include "vm.h"

#define KERNEL_POOL (256 * Q_PAGE_SIZE) /* at least so much is left for objects in the kernel's own blocks */

extern struct machine board;
void require(bool holds, const char *otherwise); /* else the boot ends with that message */
/* Loads the ELF file as the first program, ready to run. */
struct thread *load_first(struct pager *pager, const struct cpio_file *file);
static inline bool frame_unused(const struct frame *frame) {
  return frame->kind == FRAME_USER && !(frame->flags & FRAME_BUSY);
}
uint64_t check_memory(void *memory); /* there lies what check_state() needs: so many bytes */
#endif
