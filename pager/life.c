/* SPDX-License-Identifier: BSD-2-Clause */
/* How spaces begin, double, become others and end, and who is whose child. */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "slab.h"
#include "space.h"

struct space *spaces[P_PROCESSES];
unsigned space_count, space_limit = P_PROCESSES - 1;
static struct slab slab = {.bytes = (sizeof(struct space) + 15) & ~15ul};

void space_begin(struct space *space, uint64_t badge, const struct image *image, const struct policy *policy) {
  *space = (struct space){.badge = badge,
                          .heap = image->heap,
                          .brk = image->heap,
                          .image = image,
                          .policy = policy,
                          .state = SPACE_ALIVE};
  if (image->object)
    object_hold(image->object);
}

/* Round and round, so that an id is not used again. */
struct space *space_new(const struct image *image, const struct policy *policy) {
  static uint64_t next = 1;
  struct space *space = space_count < space_limit ? slab_take(&slab) : NULL;
  if (!space)
    return NULL;
  while (!(next % P_PROCESSES) || spaces[next % P_PROCESSES])
    next++;
  space_begin(space, next++, image, policy);
  spaces[space->badge % P_PROCESSES] = space;
  space_count++;
  return space;
}

void space_clear(struct space *space) {
  if (count_untouched)
    space->stats.untouched += untouched_in_all(space);
  backend_unmap(space, 0, Q_USER_TOP >> Q_PAGE_SHIFT, space_removed);
  assert(space->stats.resident == 0 && space->stats.shared == 0);
  promise_end(space);
  regions_drop(space);
  if (space->image->object)
    space_drop_object(space->image->object);
}

void space_end(struct space *space) {
  struct object *object;
  assert(space->state == SPACE_ALIVE);
  space_clear(space);
  space->state = SPACE_ENDED;
  while (space->server && (object = object_of(space->badge))) {
    object_unname(object);
    space_drop_object(object);
  }
}

void space_free(struct space *space) {
  assert(space->state == SPACE_ENDED && !space->children && !space->ended);
  if (space->parent)
    space_disown(space);
  spaces[space->badge % P_PROCESSES] = NULL;
  space_count--;
  slab_give(&slab, space);
}

/* ---- Families ------------------------------------------------------------------------------------------------------------ */
void space_adopt(struct space *parent, struct space *child) {
  struct space **list = child->state == SPACE_ENDED ? &parent->ended : &parent->children;
  child->parent = parent;
  child->prev = NULL;
  child->next = *list;
  if (child->next)
    child->next->prev = child;
  *list = child;
}

void space_disown(struct space *child) {
  struct space *parent = child->parent, **list = parent->children == child ? &parent->children : &parent->ended;
  *(child->prev ? &child->prev->next : list) = child->next;
  if (child->next)
    child->next->prev = child->prev;
  child->parent = NULL;
}

/* ---- Fork ---------------------------------------------------------------------------------------------------------------- */
static int share(struct space *parent, struct space *child, uint64_t start, uint64_t end, unsigned prot) {
  return prot && start < end ? backend_share(parent, child, start, (end - start) >> Q_PAGE_SHIFT, prot) : 0;
}

/* In ranges, whose untouched pages cost nothing. What may be written is written by nobody any more before it is copied. */
static int share_all(struct space *parent, struct space *child) {
  const struct image *image = parent->image;
  int error = 0;
  for (unsigned i = 0; i < image->segments && !error; i++)
    error = share(parent, child, image->segment[i].start, image->segment[i].end,
                  image->segment[i].prot & ~(unsigned)Q_PROT_WRITE);
  if (!error)
    error = share(parent, child, parent->heap, PAGE_UP(parent->brk), Q_PROT_READ);
  for (const struct region *r = parent->regions; r && !error; r = r->next)
    error = share(parent, child, r->start, r->end, r->shared ? r->prot : r->prot & ~(unsigned)Q_PROT_WRITE);
  return error ? error : share(parent, child, P_STACK_BASE, P_STACK_TOP, Q_PROT_READ);
}

/* The parent has all that a fork which failed had shared. */
static void unshared(struct space *space, uint64_t frame, bool last) {
  (void)space, (void)frame, (void)last;
  assert(!last);
}

int space_fork(struct space *parent, struct space *child) {
  assert(!child->regions && !child->stats.resident);
  child->brk = parent->brk;
  child->heap_touched = parent->heap_touched;
  if (!regions_copy(parent, child) || !promise_first(child))
    return ENOMEM;
  if (share_all(parent, child)) {
    backend_unmap(child, 0, Q_USER_TOP >> Q_PAGE_SHIFT, unshared);
    return ENOMEM;
  }
  child->stats.resident = child->stats.peak = parent->stats.resident;
  child->stats.shared = parent->stats.shared;
  return 0;
}

/* ---- Exec ---------------------------------------------------------------------------------------------------------------- */
void space_become(struct space *space, struct space *next) {
  space_clear(space);
  struct p_stats stats = space->stats;
  stats.ahead += next->stats.ahead;
  stats.resident = next->stats.resident;
  stats.shared = next->stats.shared;
  stats.peak = stats.peak > next->stats.peak ? stats.peak : next->stats.peak;
  space->stats = stats;
  space->heap = next->heap;
  space->brk = next->brk;
  space->heap_touched = next->heap_touched;
  space->image = next->image;
  space->task = next->task;
  space->promised = next->promised;
}
