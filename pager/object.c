/* SPDX-License-Identifier: BSD-2-Clause */
/* See object.h. */
#include "object.h"

#include <assert.h>
#include <string.h>

#include "space.h"

static struct object *table[OBJECTS];
static uint64_t next_id = 1;

struct object *object_new(uint64_t bytes) {
  uint64_t pages = bytes / Q_PAGE_SIZE + (bytes % Q_PAGE_SIZE != 0);
  uint64_t frame = pages <= OBJECT_PAGES_MAX ? frame_get_own() : 0;
  if (!frame)
    return NULL;
  struct object *object = frame_data(frame);
  object->holders = 1;
  object->bytes = bytes;
  object->pages = pages;
  return object;
}

struct object *object_find(uint64_t id, uint64_t creator) {
  struct object *object = table[id % OBJECTS];
  return id && object && object->id == id && object->creator == creator ? object : NULL;
}

bool object_name(struct object *object, uint64_t creator) {
  for (unsigned tried = 0; tried < OBJECTS; tried++, next_id++)
    if (next_id % OBJECTS && !table[next_id % OBJECTS]) {
      object->id = next_id++;
      object->creator = creator;
      table[object->id % OBJECTS] = object;
      return true;
    }
  return false;
}

/* ---- Its pages -------------------------------------------------------------------------------------------------------- */
static uint32_t *slot_of(const struct object *object, uint64_t page) {
  assert(page < object->pages);
  uint32_t *leaf = object->leaf[page / 1024];
  return leaf ? &leaf[page % 1024] : NULL;
}

static bool leaf_make(struct object *object, uint64_t page) {
  uint64_t frame = object->leaf[page / 1024] ? 0 : frame_get_own();
  if (frame)
    object->leaf[page / 1024] = frame_data(frame);
  return object->leaf[page / 1024];
}

bool object_reserve(struct object *object) {
  for (uint64_t page = 0; page < object->pages; page += 1024)
    if (!leaf_make(object, page))
      return false;
  return true;
}

uint64_t object_frame(const struct object *object, uint64_t page) {
  const uint32_t *slot = page < object->pages ? slot_of(object, page) : NULL;
  return slot ? (uint64_t)*slot << Q_PAGE_SHIFT : 0;
}

/* An object less for the frame. */
static bool let_go(uint64_t frame) {
  struct link *link = &frames.link[frame_number(frame)];
  assert(frame_state(frame) == STATE_OBJECT && link->prev);
  if (--link->prev)
    return false;
  bool mapped = link->next;
  if (mapped)
    frames.state[frame_number(frame)] = STATE_USED;
  else
    frame_give(frame);
  return mapped;
}

bool object_put(struct object *object, uint64_t page, uint64_t frame) {
  if (!leaf_make(object, page))
    return false;
  struct link *link = &frames.link[frame_number(frame)];
  if (frame_state(frame) != STATE_OBJECT)
    *link = (struct link){0, 0};
  frames.state[frame_number(frame)] = STATE_OBJECT;
  link->prev++;
  uint32_t *slot = slot_of(object, page);
  if (*slot)
    let_go((uint64_t)*slot << Q_PAGE_SHIFT);
  *slot = (uint32_t)(frame >> Q_PAGE_SHIFT);
  return true;
}

void object_read(const struct object *object, uint64_t offset, void *to, uint64_t bytes) {
  for (char *out = to; bytes;) {
    uint64_t frame = object_frame(object, offset / Q_PAGE_SIZE), at = offset % Q_PAGE_SIZE, n = Q_PAGE_SIZE - at;
    n = n < bytes ? n : bytes;
    if (frame)
      memcpy(out, (char *)frame_data(frame) + at, n);
    else
      memset(out, 0, n);
    out += n, offset += n, bytes -= n;
  }
}

/* ---- Its end ---------------------------------------------------------------------------------------------------------- */
static uint64_t leaf_end(uint32_t *leaf) {
  uint64_t mapped = 0;
  for (unsigned i = 0; i < 1024; i++)
    mapped += leaf[i] && let_go((uint64_t)leaf[i] << Q_PAGE_SHIFT);
  frame_give((uint64_t)((char *)leaf - frames.window));
  return mapped;
}

uint64_t object_drop(struct object *object) {
  uint64_t mapped = 0;
  assert(object->holders);
  if (--object->holders)
    return 0;
  for (unsigned i = 0; i < OBJECT_LEAVES; i++)
    mapped += object->leaf[i] ? leaf_end(object->leaf[i]) : 0;
  assert(!object->id);
  frame_give((uint64_t)((char *)object - frames.window));
  return mapped;
}

void object_unname(struct object *object) {
  table[object->id % OBJECTS] = NULL;
  object->id = 0;
}

struct object *object_of(uint64_t creator) {
  for (unsigned i = 1; i < OBJECTS; i++)
    if (table[i] && table[i]->creator == creator)
      return table[i];
  return NULL;
}

/* ---- As a program ------------------------------------------------------------------------------------------------------- */
const struct image *object_image(struct object *object, const char *name) {
  uint64_t head = object_frame(object, 0);
  uint32_t *memory = NULL; /* its pages are cached here already */
  if (!object->image.name && head) {
    strncpy(object->name, name, sizeof object->name - 1);
    image_read(&object->image, object->name, frame_data(head),
               object->bytes < Q_PAGE_SIZE ? object->bytes : Q_PAGE_SIZE, object->bytes, &memory);
    object->image.file = NULL;
    object->image.object = object;
  }
  return object->image.good ? &object->image : NULL;
}
