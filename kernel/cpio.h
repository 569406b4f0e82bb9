/* SPDX-License-Identifier: BSD-2-Clause */
/* Boot images: "newc" cpio archives (cpio(5)). Also builds on the host, and the pager uses it too. */
#ifndef CPIO_H
#define CPIO_H

#include <stddef.h>
#include <stdint.h>

struct cpio_file {
  const char *name; /* without leading "./" or "/" */
  const void *data;
  size_t bytes;
  uint32_t mode;
};

/* The entry at *offset, which moves on to the next. NULL, with out->name NULL at the end; else what is wrong. */
const char *cpio_next(const void *image, size_t bytes, size_t *offset, struct cpio_file *out);
/* The file of that name; out->data is NULL if there is none. */
const char *cpio_find(const void *image, size_t bytes, const char *name, struct cpio_file *out);
#endif
