/* SPDX-License-Identifier: BSD-2-Clause */
/* How spaces begin, double, become others and end, and who is whose child. */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "slab.h"
#include "absent.h"
#include "pool.h"
#include "space.h"

#define TOGETHER (Q_PAGE_SIZE / sizeof(struct space *)) /* spaces that a page of the table names */
struct space **spaces;
static bool backed[P_PROCESSES / TOGETHER];
bool watched;
unsigned space_count, space_limit = P_PROCESSES - 1;
static struct slab slab = {.bytes = (sizeof(struct space) + 15) & ~15ul};

void space_begin(struct space *space, uint64_t badge, const struct image *image, const struct policy_set *policy) {
  *space = (struct space){.badge = badge,
                          .heap = image->heap,
                          .brk = image->heap,
                          .stack = P_STACK_TOP,
                          .image = image,
                          .policy = policy,
                          .threads = 1,
                          .state = SPACE_ALIVE};
  space_note(space);
  if (image->object)
    object_hold(image->object);
}

void spaces_begin(struct space **table) {
  spaces = table;
  memset(backed, 0, sizeof backed);
  policies_begin();
}

void spaces_note(void) {
  for (unsigned i = 0; i < P_PROCESSES; i += backed[i / TOGETHER] ? 1 : TOGETHER)
    if (spaces[i])
      space_note(spaces[i]);
}

struct space *space_from(uint64_t *index) {
  for (; *index < P_PROCESSES; *index += backed[*index / TOGETHER] ? 1 : TOGETHER)
    if (spaces[*index])
      return spaces[(*index)++];
  return NULL;
}

/* That entry can be written. false: no memory. */
static bool entry_back(uint64_t index) {
  bool *there = &backed[index / TOGETHER];
  uint64_t frame = *there ? 0 : frame_get_own();
  if (frame) {
    backend_back(&spaces[index & ~(TOGETHER - 1)], frame);
    frames.tables++;
    *there = true;
  }
  return *there;
}

/* Round and round, so that an id is not used again. */
struct space *space_new(const struct image *image, const struct policy_set *policy) {
  static uint64_t next = 1;
  if (space_count == space_limit)
    return NULL;
  while (!(next % P_PROCESSES) || spaces[next % P_PROCESSES])
    next++;
  struct space *space = entry_back(next % P_PROCESSES) ? slab_take(&slab) : NULL;
  if (!space)
    return NULL;
  space_begin(space, next++, image, policy);
  spaces[space->badge % P_PROCESSES] = space;
  space_count++;
  return space;
}

static uint64_t drop_range(struct space *space, uint64_t start, uint64_t end,
                           void (*removed)(struct space *, const uint64_t *, uint64_t)) {
  return start < end ? backend_drop(space, start, (end - start) >> Q_PAGE_SHIFT, removed) : 0;
}

/* By ranges, so that the kernel need not look where nothing can be. A server has the initial archive and a device's registers
 * elsewhere. How many pages there were. */
static uint64_t drop_all(struct space *space, void (*removed)(struct space *, const uint64_t *, uint64_t)) {
  uint64_t end = PAGE_UP(space->brk), pages;
  if (space->server)
    return drop_range(space, 0, Q_USER_TOP, removed);
  pages = drop_range(space, space->image->segment[0].start, end, removed);
  for (const struct region *r = space->regions; r; r = r->next)
    end = r->end;
  pages += drop_range(space, regions_start(space), end, removed);
  return pages + drop_range(space, space->stack, P_STACK_TOP, removed);
}

void space_clear(struct space *space) {
  if (count_untouched)
    space->stats.untouched += untouched_in_all(space);
  pool_clear(space);
  uint64_t pages = drop_all(space, space_dropped);
  uint64_t counted = space->stats.resident + space->stats.shared;
  bool unsent =
      frames.stock_count > 1 && pages < counted; /* an answer that its thread did not live to get: harts.c */
  assert(pages == counted || unsent || (space->server && pages > counted));
  space->stats.resident = space->stats.shared = 0;
  promise_end(space);
  regions_drop(space);
  if (space->image->object)
    space_drop_object(space->image->object);
}

void space_end(struct space *space) {
  struct object *object;
  assert(space->state == SPACE_ALIVE);
  space_clear(space);
  pool_leave(space);
  space_policy_drop(space);
  space->state = SPACE_ENDED;
  space_note(space);
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
#define OWN 0 /* what each page has, but the right to write */

static int share(struct space *parent, struct space *child, uint64_t start, uint64_t end, unsigned prot) {
  return start < end ? backend_share(parent, child, start, (end - start) >> Q_PAGE_SHIFT, prot) : 0;
}

/* Regions beside each other are shared together, whatever lies between: nothing does. Where nobody has access, nothing is. */
static int share_regions(struct space *parent, struct space *child) {
  int error = 0;
  for (const struct region *r = parent->regions, *last; r && !error; r = last->next) {
    for (last = r; !r->shared && last->next && !last->next->shared;)
      last = last->next;
    error = share(parent, child, r->start, last->end, r->shared ? r->prot : OWN);
  }
  return error;
}

/* In ranges, whose untouched pages cost nothing. What may be written is written by nobody any more before it is copied. */
static int share_all(struct space *parent, struct space *child) {
  int error = share(parent, child, parent->image->segment[0].start, PAGE_UP(parent->brk), OWN);
  if (!error)
    error = share_regions(parent, child);
  return error ? error : share(parent, child, parent->stack, P_STACK_TOP, OWN);
}

/* The parent has all that a fork which failed had shared. */
static void unshared(struct space *space, const uint64_t *entries, uint64_t count) {
  (void)space;
  (void)entries;
  assert(!count);
}

int space_fork(struct space *parent, struct space *child) {
  assert(!child->regions && !child->stats.resident);
  space_set_break(child, parent->brk);
  child->stack = parent->stack;
  child->heap_touched = parent->heap_touched;
  if (!regions_copy(parent, child) || !promise_first(child))
    return ENOMEM;
  if (share_all(parent, child) || (parent->pool && !absent_copy(parent, child))) {
    drop_all(child, unshared);
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
  if (space->pool) {
    pool_ends(space->pool, space);
    pool_begins(space->pool, space, NULL);
  }
  space->heap = next->heap;
  space->brk = next->brk;
  space->stack = next->stack;
  space->heap_touched = next->heap_touched;
  space->image = next->image;
  space->several = false;
  space_note(space);
  space_policy_begin(space); /* which looks at what it has become */
  space->task = next->task;
  space->promised = next->promised;
}
