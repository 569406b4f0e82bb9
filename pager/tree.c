/* SPDX-License-Identifier: BSD-2-Clause */
/* The regions of a space by address, and its gaps by size, so that neither a fault nor a mapping walks them all: a treap (Seidel
 * and Aragon, 1996) beside the list. Each node knows the largest gap before any region below it; the one before the first is
 * not among these, as the break moves. */
#include "space.h"

static uint64_t gap_before(const struct region *region) {
  return region->prev ? region->start - region->prev->end : 0;
}

static uint64_t room_of(const struct region *root) {
  return root ? root->room : 0;
}

static void update(struct region *root) {
  uint64_t left = room_of(root->child[0]), right = room_of(root->child[1]), room = gap_before(root);
  room = left > room ? left : room;
  root->room = right > room ? right : room;
}

static struct region *rotate(struct region *root, bool side) {
  struct region *up = root->child[side];
  root->child[side] = up->child[!side];
  up->child[!side] = root;
  update(root);
  update(up);
  return up;
}

static struct region *enter(struct region *root, struct region *region) {
  if (!root) {
    update(region);
    return region;
  }
  bool side = region->start > root->start;
  root->child[side] = enter(root->child[side], region);
  if (root->child[side]->rank > root->rank)
    return rotate(root, side);
  update(root);
  return root;
}

static struct region *leave(struct region *root, const struct region *region) {
  bool side = region->start > root->start;
  if (root == region) {
    if (!root->child[0] || !root->child[1])
      return root->child[!root->child[0]];
    side = root->child[1]->rank > root->child[0]->rank;
    root = rotate(root, side);
    side = !side;
  }
  root->child[side] = leave(root->child[side], region);
  update(root);
  return root;
}

/* The gap before it has changed. */
static void refresh(struct region *root, const struct region *region) {
  if (root != region)
    refresh(root->child[region->start > root->start], region);
  update(root);
}

static uint32_t random_rank(void) {
  static uint32_t x = 2463534242; /* Marsaglia, Xorshift RNGs, 2003 */
  x ^= x << 13;
  x ^= x >> 17;
  return x ^= x << 5;
}

struct region *region_from(const struct space *space, uint64_t at) {
  struct region *found = NULL;
  for (struct region *r = space->tree; r; r = r->child[r->start < at])
    found = r->start >= at ? r : found;
  return found;
}

struct region *region_after(const struct space *space, uint64_t va) {
  struct region *found = NULL;
  for (struct region *r = space->tree; r; r = r->child[r->end <= va])
    found = r->end > va ? r : found;
  return found;
}

static struct region *last_of(const struct space *space) {
  struct region *last = space->tree;
  while (last && last->child[1])
    last = last->child[1];
  return last;
}

void region_enter(struct space *space, struct region *region) {
  struct region *next = region_from(space, region->start), *prev = next ? next->prev : last_of(space);
  region->next = next;
  region->prev = prev;
  *(prev ? &prev->next : &space->regions) = region;
  if (next)
    next->prev = region;
  region->child[0] = region->child[1] = NULL;
  region->rank = random_rank();
  space->tree = enter(space->tree, region); /* the next one's gap has changed, too: it stands above */
}

void region_leave(struct space *space, struct region *region) {
  struct region *next = region->next, *prev = region->prev;
  space->tree = leave(space->tree, region);
  *(prev ? &prev->next : &space->regions) = next;
  if (!next)
    return;
  next->prev = prev;
  refresh(space->tree, next);
}

uint64_t highest_gap(const struct space *space, uint64_t bytes) {
  const struct region *last = last_of(space), *r = space->tree;
  uint64_t brk = PAGE_UP(space->brk);
  if (P_BREAK_MAX - (last ? last->end : brk) >= bytes)
    return P_BREAK_MAX - bytes;
  while (room_of(r) >= bytes) {
    if (room_of(r->child[1]) < bytes && gap_before(r) >= bytes)
      return r->start - bytes;
    r = r->child[room_of(r->child[1]) >= bytes];
  }
  return last && space->regions->start - brk >= bytes ? space->regions->start - bytes : 0;
}
