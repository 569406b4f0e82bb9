/* SPDX-License-Identifier: BSD-2-Clause */
/* Objects: what a mapping shows when it is not memory of one program's own - the bytes of a file as they were at one moment, or
 * memory that programs share. An object holds frames; one that it does not hold (yet) is a page of zeros. */
#ifndef OBJECT_H
#define OBJECT_H

#include <quire/pager.h>

#include "frames.h"
#include "image.h"

#define OBJECTS 1024      /* that servers have made, at a time */
#define OBJECT_LEAVES 384 /* of 1,024 pages each */
#define OBJECT_PAGES_MAX (OBJECT_LEAVES * 1024ul)

struct object {
  uint64_t id;      /* of a server's: generation * OBJECTS + index. 0: memory that programs share */
  uint64_t creator; /* badge of the server */
  uint32_t holders; /* mappings, programs that run it, and its id */
  uint64_t bytes, pages;
  struct image image; /* once it was run */
  char name[64];
  uint32_t *leaf[OBJECT_LEAVES]; /* tables of physical page numbers; 0: not there */
};
_Static_assert(OBJECT_PAGES_MAX *Q_PAGE_SIZE == P_OBJECT_MAX, "the contract");
_Static_assert(sizeof(struct object) <= Q_PAGE_SIZE, "one frame");

struct object *object_new(uint64_t bytes); /* held once. NULL: no memory, or too large */
struct object *object_find(uint64_t id, uint64_t creator);
bool object_name(struct object *object, uint64_t creator); /* gives it an id. false: too many */
bool object_reserve(struct object *object);                /* all its tables: then object_put() can't fail */
static inline void object_hold(struct object *object) {
  object->holders++;
}
/* Returns how many of its frames are mapped still, in its creator's memory, and now just that one's: they are USED. */
uint64_t object_drop(struct object *object);
uint64_t object_frame(const struct object *object, uint64_t page); /* 0: zeros */
/* A frame, USED or of another object, becomes its page. false: no memory for its table, and nothing has changed. */
bool object_put(struct object *object, uint64_t page, uint64_t frame);
void object_read(const struct object *object, uint64_t offset, void *to, uint64_t bytes);
void object_unname(struct object *object);  /* its id goes; the hold that came with that is the caller's to drop */
struct object *object_of(uint64_t creator); /* any that has an id; NULL: none */
const struct image *object_image(struct object *object, const char *name); /* NULL: it is no program */
#endif
