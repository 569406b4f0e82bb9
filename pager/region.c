/* SPDX-License-Identifier: BSD-2-Clause */
/* Mappings: regions between the break and the gap below the stack. What can fail is done first: a region that has to be
 * divided is, and only then anything changes. */
#include <assert.h>
#include <errno.h>

#include "slab.h"
#include "pool.h"
#include "space.h"

static struct slab slab = {.bytes = (sizeof(struct region) + 15) & ~15ul};

struct region *region_find(const struct space *space, uint64_t va) {
  struct region *region = region_after(space, va);
  return region && region->start <= va ? region : NULL;
}

static uint64_t pages_of(const struct region *region) {
  return (region->end - region->start) >> Q_PAGE_SHIFT;
}

/* What it has promised is to be told before and after it changes. */
static void count_pages(struct space *space, const struct region *region, bool more) {
  uint64_t pages = region->counted ? pages_of(region) : 0;
  space->counted += more ? pages : -pages;
}

static void insert(struct space *space, struct region *region) {
  region_enter(space, region);
  count_pages(space, region, true);
}

/* For the space's list, which it does not stand on yet. */
static struct region *region_copy(struct space *space, const struct region *from) {
  struct region *region = space->region_count < REGIONS_MAX ? slab_take(&slab) : NULL;
  if (region) {
    space->region_count++;
    *region = *from;
    if (region->object)
      object_hold(region->object);
  }
  return region;
}

static void region_free(struct space *space, struct region *region) {
  space->region_count--;
  if (region->object)
    space_drop_object(region->object);
  slab_give(&slab, region);
}

/* No region goes across the address any more. */
static bool divide(struct space *space, uint64_t at) {
  struct region *region = region_find(space, at);
  if (!region || region->start == at)
    return true;
  struct region *rest = region_copy(space, region);
  if (!rest)
    return false;
  count_pages(space, region, false);
  rest->offset += (at - region->start) >> Q_PAGE_SHIFT;
  rest->start = region->end = at;
  count_pages(space, region, true);
  insert(space, rest);
  return true;
}

/* Divided at both ends. */
static void remove_range(struct space *space, uint64_t start, uint64_t end) {
  for (struct region *region = region_from(space, start), *next; region && region->start < end; region = next) {
    next = region->next;
    give_back(space, region->start, region->end);
    count_pages(space, region, false);
    region_leave(space, region);
    region_free(space, region);
  }
}

static bool range_good(const struct space *space, uint64_t start, uint64_t bytes) {
  return start % Q_PAGE_SIZE == 0 && bytes && start >= PAGE_UP(space->brk) && start < P_BREAK_MAX &&
         bytes <= P_BREAK_MAX - start;
}

/* The tree as it is, and the list behind *last. Of what it returns the caller has all, though it may be less: *good says. */
static struct region *tree_copy(struct space *child, const struct region *from, struct region **last, bool *good) {
  if (!from)
    return NULL;
  struct region *left = tree_copy(child, from->child[0], last, good), *copy = *good ? region_copy(child, from) : NULL;
  if (!(*good = copy))
    return NULL;
  copy->child[0] = left;
  copy->prev = *last;
  copy->next = NULL;
  *(*last ? &(*last)->next : &child->regions) = copy;
  *last = copy;
  copy->child[1] = tree_copy(child, from->child[1], last, good);
  return copy;
}

bool regions_copy(const struct space *parent, struct space *child) {
  struct region *last = NULL;
  bool good = true;
  child->tree = tree_copy(child, parent->tree, &last, &good);
  child->counted = parent->counted;
  if (!good)
    regions_drop(child);
  return good;
}

void regions_drop(struct space *space) {
  while (space->regions) {
    struct region *region = space->regions;
    space->regions = region->next;
    region_free(space, region);
  }
  space->tree = NULL;
  space->counted = 0;
}

/* ---- Map ------------------------------------------------------------------------------------------------------------------ */
static bool is_free(const struct space *space, uint64_t start, uint64_t bytes) {
  const struct region *region = region_after(space, start);
  return range_good(space, start, bytes) && (!region || region->start >= start + bytes);
}

static int64_t choose_place(struct space *space, const struct map_request *wanted, uint64_t bytes) {
  uint64_t hint = wanted->address & ~(Q_PAGE_SIZE - 1ul), place = 0;
  if (wanted->flags & P_MAP_FIXED) {
    if (!range_good(space, wanted->address, bytes))
      return wanted->address % Q_PAGE_SIZE ? -EINVAL : -EEXIST;
    if (!divide(space, wanted->address) || !divide(space, wanted->address + bytes))
      return -ENOMEM;
    return (int64_t)wanted->address;
  }
  place = hint && is_free(space, hint, bytes) ? hint : highest_gap(space, bytes);
  return place ? (int64_t)place : -ENOMEM;
}

static bool prot_good(unsigned prot) {
  bool writes_code = prot & Q_PROT_WRITE && prot & Q_PROT_EXECUTE;
  return !prot || (prot <= (Q_PROT_READ | Q_PROT_WRITE | Q_PROT_EXECUTE) && prot & Q_PROT_READ && !writes_code);
}

int64_t space_map(struct space *space, const struct map_request *wanted) {
  unsigned prot = wanted->flags & ~(unsigned)(P_MAP_SHARED | P_MAP_FIXED);
  bool shared = wanted->flags & P_MAP_SHARED;
  if (!wanted->bytes || wanted->bytes > P_BREAK_MAX || wanted->offset % Q_PAGE_SIZE || !prot_good(prot) ||
      (shared && wanted->object))
    return -EINVAL;
  uint64_t bytes = PAGE_UP(wanted->bytes);
  struct region plain = {.object = wanted->object,
                         .offset = wanted->offset >> Q_PAGE_SHIFT,
                         .prot = (uint8_t)prot,
                         .shared = shared,
                         .counted = prot & Q_PROT_WRITE};
  struct region *region = region_copy(space, &plain);
  if (region && shared)
    region->object = object_new(bytes);
  bool fits = !(prot & Q_PROT_WRITE) || promise_fits(space, bytes >> Q_PAGE_SHIFT);
  int64_t place = fits && region && (!shared || region->object) ? choose_place(space, wanted, bytes) : -ENOMEM;
  if (place < 0) {
    if (region)
      region_free(space, region);
    return place;
  }
  remove_range(space, (uint64_t)place, (uint64_t)place + bytes);
  region->start = (uint64_t)place;
  region->end = region->start + bytes;
  insert(space, region);
  promise_update(space);
  ahead_of_touch(space, region->start, region->end);
  return place;
}

int space_unmap(struct space *space, uint64_t start, uint64_t bytes) {
  if (!range_good(space, start, bytes))
    return EINVAL;
  uint64_t end = start + PAGE_UP(bytes);
  if (!divide(space, start) || !divide(space, end))
    return ENOMEM;
  remove_range(space, start, end);
  promise_update(space);
  return 0;
}

/* ---- Protect -------------------------------------------------------------------------------------------------------------- */
/* A page table has no entry for a page that nobody may touch: what is there becomes an object's, which the region shows again
 * when it may be. */
static struct object *park_object(const struct region *region) {
  uint64_t pages = pages_of(region);
  struct object *object = object_new(pages << Q_PAGE_SHIFT);
  bool good = object && object_reserve(object);
  if (good && region->object)
    object->creator = region->object->creator; /* whose pages may be among those */
  for (uint64_t i = 0; good && region->object && i < pages; i++) {
    uint64_t frame = object_frame(region->object, region->offset + i);
    good = !frame || object_put(object, i, frame);
  }
  if (good || !object)
    return object;
  space_drop_object(object);
  return NULL;
}

/* Just as it was: it may run, too. */
static void put_back(struct space *space, const struct region *region, uint64_t va, uint64_t frame) {
  int error = backend_map(space, va, frame | (region->prot & ~(unsigned)Q_PROT_WRITE));
  assert(!error);
  (void)error;
  if (space->pool)
    pool_modified(space, frame);
}

/* A page that was taken becomes the object's. false: it is as it was, for want of memory. */
static bool park_page(struct space *space, const struct region *region, struct object *object, uint64_t va,
                      uint64_t entry) {
  uint64_t frame = PAGE_OF(entry), last = entry & 1, parked = frame;
  if (frame_state(frame) != STATE_USED) { /* the object has it already */
    space_removed(space, frame, last);
    return true;
  }
  if (!last) { /* it is another program's, too, since a fork */
    if (!(parked = promise_allows(space) ? frame_get(false) : 0)) {
      put_back(space, region, va, frame);
      return false;
    }
    copy_page(frame_data(parked), frame_data(frame));
  }
  space->stats.resident--;
  if (space->pool)
    pool_forget_frame(space, frame, POLICY_GIVEN);
  promises_use(space, last ? -1 : 0); /* it is the object's now, and promised anew */
  return object_put(object, (va - region->start) >> Q_PAGE_SHIFT, parked);
}

/* From page to page that is there. Though it fails half-way, what was parked is found in the object. */
static int park(struct space *space, struct region *region) {
  if (region->shared)
    give_back(space, region->start, region->end);
  uint64_t va = region->start, entry = region->shared ? 0 : backend_take(space, &va, region->end);
  if (!entry)
    return 0;
  struct object *object = park_object(region), *old = region->object;
  if (!object) {
    put_back(space, region, va, PAGE_OF(entry));
    return ENOMEM;
  }
  bool good = true;
  for (; entry && good; entry = good ? backend_take(space, &va, region->end) : 0) {
    good = park_page(space, region, object, va, entry);
    va += Q_PAGE_SIZE;
  }
  region->object = object;
  region->offset = 0;
  if (old)
    space_drop_object(old);
  return good ? 0 : ENOMEM;
}

/* What may be written again is so when it is written: the page may be one of several programs'. */
static int change(struct space *space, struct region *region, unsigned prot) {
  uint64_t pages = pages_of(region);
  bool writable = prot & Q_PROT_WRITE, more = writable && !region->counted;
  unsigned now = region->shared ? prot : prot & ~(unsigned)Q_PROT_WRITE;
  if (more && !promise_fits(space, pages))
    return ENOMEM;
  int error = prot ? backend_protect(space, region->start, pages, now) : park(space, region);
  if (error && prot) {
    backend_protect(space, region->start, pages, region->prot & ~(unsigned)Q_PROT_WRITE);
    return error == Q_E_WX ? EACCES : ENOMEM;
  }
  if (!error) {
    region->prot = (uint8_t)prot;
    count_pages(space, region, false);
    region->counted = writable || (prot && region->counted && !region->shared);
    count_pages(space, region, true);
  }
  promise_update(space);
  return error;
}

int space_protect(struct space *space, uint64_t start, uint64_t bytes, unsigned prot) {
  if (!range_good(space, start, bytes) || !prot_good(prot))
    return EINVAL;
  uint64_t end = start + PAGE_UP(bytes);
  if (!divide(space, start) || !divide(space, end))
    return ENOMEM;
  struct region *first = region_from(space, start), *region = first;
  for (uint64_t at = start; at < end; at = region->end, region = region->next)
    if (!region || region->start != at)
      return ENOMEM; /* a hole */
  int error = 0;
  for (region = first; region && region->start < end && !error; region = region->next)
    error = change(space, region, prot);
  return error;
}
