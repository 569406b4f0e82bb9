/* SPDX-License-Identifier: BSD-2-Clause */
/* Programs in the boot image: their segments, and a cache of their read-only pages that all instances share. */
#ifndef IMAGE_H
#define IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SEGMENTS_MAX 4

struct segment {
  uint64_t start, end;   /* page addresses */
  uint64_t vaddr, bytes; /* what the file fills */
  uint64_t offset;       /* in the file */
  unsigned prot;         /* Q_PROT_* */
  uint32_t *cache;       /* of the boot image, read-only: physical page number of each page, 0 not cached */
};

struct object;
struct image {
  const char *name;
  const char *file;      /* in the boot image, or: */
  struct object *object; /* what it was read from */
  uint64_t entry, heap;  /* heap: the page after the last segment */
  unsigned segments;
  struct segment segment[SEGMENTS_MAX];
  bool good; /* else it cannot be run */
};

/* Reads the ELF executable, whose headers lie in the first `head` of its bytes; *memory is where its cache may lie and moves
 * on; NULL: it gets none. */
void image_read(struct image *image, const char *name, const void *file, size_t head, size_t bytes,
                uint32_t **memory);
/* Bytes of cache that all read-only pages of an executable need at most, however malformed it is. */
size_t image_cache_bytes(size_t file_bytes);
void image_fill(const struct image *image, const struct segment *segment, uint64_t page,
                void *to); /* the file's bytes, into a zeroed page */
/* The page of the object that is just what the segment has there; false: there is none such. */
bool image_page(const struct image *image, const struct segment *segment, uint64_t page, uint64_t *index);
#endif
