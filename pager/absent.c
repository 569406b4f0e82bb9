/* SPDX-License-Identifier: BSD-2-Clause */
/* See absent.h. */
#include "absent.h"

#include "pool.h"

#include <assert.h>

#include "slab.h"

const struct store *store;
uint64_t absent_moving;
uint16_t *slot_users;                           /* programs that have a page in it */
static uint32_t *slot_next, first_free, virgin; /* a list of those given back; none was used from `virgin` on */
static struct absent **chains;
static uint64_t chain_mask;
static struct slab slab = {.bytes = (sizeof(struct absent) + 15) & ~15ul, .tables = true};

static uint64_t chain_count(const struct store *of) {
  uint64_t count = 64;
  while (count < of->slots)
    count *= 2;
  return count;
}

uint64_t absents_memory(const struct store *of) {
  return chain_count(of) * sizeof *chains + of->slots * (sizeof *slot_next + sizeof *slot_users);
}

void absents_begin(const struct store *of, void *memory) {
  store = of;
  chains = memory;
  chain_mask = chain_count(of) - 1;
  slot_next = (uint32_t *)(chains + chain_mask + 1);
  slot_users = (uint16_t *)(slot_next + of->slots);
  zero_pages(memory, PAGE_UP(absents_memory(of)) >> Q_PAGE_SHIFT);
}

/* ---- Frames on their way ---------------------------------------------------------------------------------------------------- */
void set_moving(uint64_t frame, bool moving) {
  frames.state[frame_number(frame)] = moving ? STATE_OWN : STATE_USED;
  frames.own += moving ? 1 : -1ul;
  frames.tables += moving ? 1 : -1ul; /* free as soon as the store is done */
}

void give_moved(uint64_t frame) {
  set_moving(frame, false);
  frame_give(frame);
}

/* ---- Slots ---------------------------------------------------------------------------------------------------------------- */
uint32_t slot_take(void) {
  uint32_t slot = first_free;
  if (slot)
    first_free = slot_next[slot - 1];
  else if (virgin < store->slots)
    slot = ++virgin;
  if (slot)
    slot_users[slot - 1] = 1;
  return slot;
}

bool slots_are_gone(void) {
  return !first_free && virgin == store->slots;
}

void slot_give(uint32_t slot) {
  assert(!slot || slot_users[slot - 1]);
  if (!slot || --slot_users[slot - 1])
    return;
  slot_next[slot - 1] = first_free;
  first_free = slot;
}

/* ---- By program and address ------------------------------------------------------------------------------------------------ */
static struct absent **chain_of(const struct space *space, uint64_t page) {
  uint64_t key =
      (page >> Q_PAGE_SHIFT) + space->badge * 0x9e3779b97f4a7c15; /* the golden ratio: Knuth, volume 3, 6.4 */
  return &chains[(key ^ key >> 32) & chain_mask];
}

static struct absent *find(const struct space *space, uint64_t page) {
  struct absent *absent = *chain_of(space, page);
  while (absent && (absent->page != page || absent->space != space))
    absent = absent->chain;
  return absent;
}

struct absent *absent_find(const struct space *space, uint64_t page) {
  struct absent *absent = space->absents.count ? find(space, page) : NULL;
  return absent && absent->state != ABSENT_DROPPED ? absent : NULL;
}

static struct absents *list_of(const struct absent *absent) {
  return absent->state == ABSENT_DROPPED ? &absent->space->dropped : &absent->space->absents;
}

static struct absent *enlist(struct absent *absent, struct space *space, uint64_t page, enum absent_state state) {
  struct absent **chain = chain_of(space, page);
  *absent = (struct absent){.chain = *chain, .space = space, .page = page, .keep = Q_PAGE_SIZE, .state = state};
  struct absents *list = list_of(absent);
  absent->next = list->newest;
  *(absent->next ? &absent->next->prev : &list->oldest) = absent;
  *chain = list->newest = absent;
  list->count++;
  return absent;
}

static void unlink_absent(struct absent *absent) {
  struct absents *list = list_of(absent);
  struct absent **chain = chain_of(absent->space, absent->page);
  while (*chain != absent)
    chain = &(*chain)->chain;
  *chain = absent->chain;
  *(absent->prev ? &absent->prev->next : &list->newest) = absent->next;
  *(absent->next ? &absent->next->prev : &list->oldest) = absent->prev;
  list->count--;
}

struct absent *absent_new(struct space *space, uint64_t page) {
  struct absent *absent = slab_take(&slab);
  if (!absent && (absent = space->dropped.oldest))
    unlink_absent(absent);
  return absent ? enlist(absent, space, page, ABSENT_AWAY) : NULL;
}

/* ---- When a page went that was dropped -------------------------------------------------------------------------------------- */
#define SCARCE 64 /* frames: with so few none is taken for this */

void absent_remember(struct space *space, uint64_t page, uint64_t now, uint64_t most) {
  struct absent *absent = NULL, *oldest = space->dropped.oldest;
  if (now && space->dropped.count < most && (slab.room || frames_available() > SCARCE))
    absent = slab_take(&slab);
  if (now && !absent && oldest)
    unlink_absent(absent = oldest);
  if (absent)
    enlist(absent, space, page, ABSENT_DROPPED)->evicted = now;
}

uint64_t absent_dropped(const struct space *space, uint64_t page) {
  const struct absent *absent = space->dropped.count ? find(space, page) : NULL;
  return absent && absent->state == ABSENT_DROPPED ? absent->evicted : 0;
}

void absent_forget(struct space *space, uint64_t page) {
  if (absent_dropped(space, page))
    absent_free(find(space, page));
}

void absent_free(struct absent *absent) {
  if (absent->state != ABSENT_ORPHAN)
    unlink_absent(absent);
  slab_give(&slab, absent);
}

static bool is_moving(const struct absent *absent) {
  return absent->state == ABSENT_WRITING || absent->state == ABSENT_READING || absent->state == ABSENT_AHEAD;
}

void absent_drop(struct absent *absent) {
  if (is_moving(absent)) {
    unlink_absent(absent);
    absent->state = ABSENT_ORPHAN;
    return;
  }
  if (absent->state == ABSENT_HERE)
    give_moved(absent->frame);
  slot_give(absent->slot);
  absent_free(absent);
}

static void drop_all(const struct absents *list, uint64_t start, uint64_t end) {
  for (struct absent *next = list->newest, *absent; (absent = next);) {
    next = absent->next;
    if (absent->page >= start && absent->page < end)
      absent_drop(absent);
  }
}

/* Page by page, or entry by entry: whichever is less. */
void absent_drop_range(struct space *space, uint64_t start, uint64_t end) {
  struct absent *absent;
  if ((end - start) >> Q_PAGE_SHIFT >= space->absents.count + space->dropped.count) {
    drop_all(&space->absents, start, end);
    drop_all(&space->dropped, start, end);
    return;
  }
  for (uint64_t page = start; page < end; page += Q_PAGE_SIZE)
    if ((absent = find(space, page)))
      absent_drop(absent);
}

void absent_cut(struct space *space, uint64_t from) {
  struct absent *absent = absent_find(space, PAGE_OF(from));
  uint16_t keep = from % Q_PAGE_SIZE;
  if (absent && keep < absent->keep)
    absent->keep = keep;
}

/* What is in a frame only is there twice then. */
static bool copy_content(const struct absent *from, struct absent *to) {
  if (from->slot && slot_users[from->slot - 1] == UINT16_MAX)
    return false;
  if (from->state == ABSENT_HERE) {
    if (!(to->frame = frame_get(false)))
      return false;
    set_moving(to->frame, true);
    copy_page(frame_data(to->frame), frame_data(from->frame));
  }
  to->slot = from->slot;
  to->state = from->state;
  if (to->slot)
    slot_users[to->slot - 1]++;
  return true;
}

bool absents_moving(const struct space *space) {
  const struct absent *absent = absent_moving ? space->absents.newest : NULL;
  while (absent && !is_moving(absent))
    absent = absent->next;
  return absent;
}

/* Without when they went: the child's pool has a time of its own. */
bool absent_copy(const struct space *from, struct space *to) {
  for (const struct absent *absent = from->absents.newest; absent; absent = absent->next) {
    struct absent *copy = absent_new(to, absent->page);
    if (!copy)
      return false;
    copy->keep = absent->keep;
    if (!copy_content(absent, copy)) {
      absent_free(copy);
      return false;
    }
  }
  return true;
}

#ifdef CHECK_INVARIANTS
static void check_list(const struct space *space, const struct absents *list) {
  const struct absent *last = NULL;
  uint64_t count = 0;
  for (const struct absent *absent = list->newest; absent; last = absent, absent = absent->next, count++) {
    assert(absent->space == space && find(space, absent->page) == absent && absent->keep <= Q_PAGE_SIZE);
    assert(list_of(absent) == list && absent->prev == last);
    if (absent->state == ABSENT_DROPPED)
      assert(absent->evicted && !absent->slot && !absent->frame);
    else
      assert(absent->slot ? slot_users[absent->slot - 1] : absent->state == ABSENT_HERE);
  }
  assert(count == list->count && last == list->oldest);
}

void absents_check(const struct space *space) {
  check_list(space, &space->absents);
  check_list(space, &space->dropped);
}
#endif
