/* SPDX-License-Identifier: BSD-2-Clause */
/* See pool.h. The kernel's tables stay the truth about what is mapped and written: a page is evicted by taking it out of them, which
 * says whether it was written, and only then is it decided what becomes of it. */
#include "pool.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "absent.h"
#include "ask.h"
#include "slab.h"

/* Of each frame; where is 0 while it is in no pool. */
struct page {
  uint64_t
      where; /* its address, from bit PROCESS_SHIFT on which of the spaces, and in the low bits for whom it came; MODIFIED */
  uint32_t index : 30, accessed : 1,
      used : 1;  /* it was, and what asked then cleared its bit: one for each who asks */
  uint32_t slot; /* which has what it was when it was read from there, number + 1; 0: none has */
};
#define PROCESS_SHIFT 40
#define MODIFIED 1ul /* it is neither zeros nor what the image says, though its dirty bit may not tell */

uint64_t pool_pages, pool_seed = 1;
bool pool_of_all, pool_again;
uint64_t pool_turn;
static struct page *pages;
static struct pool *of_all, *all;
static struct slab slab = {.bytes = (sizeof(struct pool) + 15) & ~15ul};

#define WHOM 0xffeul
_Static_assert(MODIFIED + WHOM == Q_PAGE_SIZE - 1, "the low bits of a page's address");

static uint64_t where_of(const struct space *space, uint64_t page) {
  return page | (space->badge % P_PROCESSES) << PROCESS_SHIFT;
}

static struct space *space_of(uint64_t where) {
  return spaces[where >> PROCESS_SHIFT];
}

static uint64_t address_of(uint64_t where) {
  return PAGE_OF(where & ((1ul << PROCESS_SHIFT) - 1));
}

static uint64_t frame_of(const struct pool *pool, uint32_t index) {
  return frames.base + ((uint64_t)(pool->frame[index] - 1) << Q_PAGE_SHIFT);
}

static struct page *page_of(uint64_t frame) {
  return &pages[frame_number(frame)];
}

/* The frame is in a pool, as this program's. */
static struct page *member(const struct space *space, uint64_t frame) {
  uint64_t n = frame_number(frame);
  struct page *page = n < frames.count && pages ? &pages[n] : NULL;
  bool is = page && page->where && page->where >> PROCESS_SHIFT == space->badge % P_PROCESSES;
  return is ? page : NULL;
}

/* ---- What policies may ask --------------------------------------------------------------------------------------------------- */
static struct pool *pool_of(const struct policy_pool *about) {
  return (struct pool *)(void *)about; /* its first member */
}

static bool is_there(const struct policy_pool *about, uint32_t index) {
  return index < about->size && pool_of(about)->frame[index];
}

struct policy_page policy_page(const struct policy_pool *about, uint32_t index) {
  if (!is_there(about, index))
    return (struct policy_page){0};
  uint64_t where = page_of(frame_of(pool_of(about), index))->where;
  return (struct policy_page){space_of(where)->badge, address_of(where)};
}

static struct backend_pages look(const struct policy_pool *about, uint64_t where, bool clear) {
  asked_pages++;
  asked_size = about->size;
  return backend_look(space_of(where), address_of(where), 1, clear);
}

/* Replacement and allocation ask for themselves, and the page has one bit. The bits of pages around it are cleared with its own only
 * if it is alone that is asked for: so one at a time. */
static struct page *look_and_clear(const struct policy_pool *about, uint32_t index) {
  struct page *page = page_of(frame_of(pool_of(about), index));
  bool accessed = look(about, page->where, true).accessed;
  page->accessed |= accessed;
  page->used |= accessed;
  return page;
}

bool policy_accessed(struct policy_pool *about, uint32_t index) {
  struct page *page = is_there(about, index) ? look_and_clear(about, index) : NULL;
  bool accessed = page && page->accessed;
  if (page)
    page->accessed = false;
  return accessed;
}

bool policy_dirty(struct policy_pool *about, uint32_t index) {
  if (!is_there(about, index))
    return false;
  uint64_t where = page_of(frame_of(pool_of(about), index))->where;
  return where & MODIFIED || look(about, where, false).dirty;
}

uint64_t policy_random(
    struct policy_pool *about) { /* Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014 */
  uint64_t z = pool_of(about)->random += 0x9e3779b97f4a7c15;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
  z = (z ^ z >> 27) * 0x94d049bb133111eb;
  return z ^ z >> 31;
}

/* ---- Whose turn it is ------------------------------------------------------------------------------------------------------ */
/* With a store that takes its time, many threads on few frames would take each other's pages before anyone has all that an
 * instruction needs. So one of them, in turn, keeps what came for it while anything is on its way (Jiang and Zhang, "Token-ordered
 * LRU", Performance Evaluation 60, 2005). When nothing is, that one runs, or could. */

static void take_turn(struct pool *pool, const struct space *space, uint64_t sp) {
  uint64_t now = backend_time(), key = ((sp >> 6) + space->badge) * 0x9e3779b97f4a7c15;
  pool->faulter = (key >> 52 | 2) & WHOM;
  if (pool->turn && now - pool->turn_began < pool_turn)
    return;
  pool->turn = pool->faulter;
  pool->turn_began = now;
}

static bool is_kept(const struct pool *pool, const struct page *page) {
  return absent_moving && pool->faulter != pool->turn && (page->where & WHOM) == pool->turn;
}

/* ---- In and out ---------------------------------------------------------------------------------------------------------- */
static void leave(struct pool *pool, struct page *page, uint64_t frame, enum policy_reason reason) {
  uint32_t index = page->index;
  assert(pool->frame[index] == frame_number(frame) + 1);
  pool->changing = true;
  if (pool->policy->unmapped)
    ASK(pool->policy, unmapped, &pool->about, index, reason);
  pool->changing = false;
  page->where = 0;
  pool->frame[index] = 0;
  pool->next_free[index] = pool->free;
  pool->free = index + 1;
  pool->about.resident--;
}

static bool enter(struct pool *pool, uint64_t where, uint64_t frame, uint32_t slot, enum policy_reason reason) {
  uint32_t index = pool->free - 1;
  if (!pool->free)
    return false;
  pool->free = pool->next_free[index];
  pool->frame[index] = (uint32_t)frame_number(frame) + 1;
  memset(pool->about.notes + index * pool->about.note_bytes, 0, pool->about.note_bytes);
  pool->about.resident++;
  *page_of(frame) = (struct page){.where = where | pool->faulter, .index = index, .slot = slot};
  absent_forget(space_of(where), address_of(where));
  pool->changing = true;
  if (pool->policy->mapped)
    ASK(pool->policy, mapped, &pool->about, index, reason);
  pool->changing = false;
  pool->about.refault = 0;
  return true;
}

static struct absent *find_ahead(const struct space *space, uint64_t page) {
  struct absent *absent = absent_moving ? absent_find(space, page) : NULL;
  return absent && absent->state == ABSENT_AHEAD ? absent : NULL;
}

static void stop_ahead(const struct space *space, uint64_t page) {
  struct absent *absent = find_ahead(space, page);
  if (absent)
    absent_drop(absent);
}

void pool_forget_frame(struct space *space, uint64_t frame, enum policy_reason reason) {
  struct page *page = member(space, frame);
  if (!page)
    return;
  slot_give(page->slot);
  stop_ahead(space, address_of(page->where));
  leave(space->pool, page, frame, reason);
}

/* What backend_unmap_page() has taken, as it was: an object's page stays read-only, whoever else has it. */
static void put_back(struct space *space, uint64_t page, uint64_t entry) {
  unsigned prot = page_prot(space, page);
  bool own = entry & 1 && frame_state(PAGE_OF(entry)) == STATE_USED;
  int error = backend_map(space, page, PAGE_OF(entry) | (own ? prot : prot & ~(unsigned)Q_PROT_WRITE));
  assert(!error); /* its page tables were there a moment ago */
  (void)error;
}

void pool_modified(struct space *space, uint64_t frame) {
  struct page *page = member(space, frame);
  if (page)
    page->where |= MODIFIED;
}

/* With other threads of the pager it may have gone, and be another page, since the message that names it was received. */
static bool is_still_there(struct space *space, uint64_t page, uint64_t frame) {
  uint64_t entry = frames.stock_count > 1 ? backend_unmap_page(space, page) : frame;
  if (frames.stock_count > 1 && entry) {
    put_back(space, page, entry);
    pool_modified(space, PAGE_OF(entry));
  }
  return PAGE_OF(entry) == frame;
}

/* A write has made its own of what it shared, or has found it its own already. There was room for one at least. */
void pool_replace(struct space *space, uint64_t page, uint64_t old, uint64_t now) {
  const struct page *there = member(space, old);
  if (old != now && there && address_of(there->where) == page)
    pool_forget_frame(space, old, POLICY_COPY);
  if (frame_state(now) != STATE_USED || member(space, now) || (old == now && !is_still_there(space, page, now)))
    return;
  pool_room(space, page);
  /* Written, whatever its new entry says; if there is no place, it stays until it goes by itself. */
  enter(space->pool, where_of(space, page) | MODIFIED, now, 0, POLICY_COPY);
}

/* ---- Eviction ------------------------------------------------------------------------------------------------------------- */
/* A frame with the page's content that nobody writes while it is on its way; 0: none. */
static uint64_t still(uint64_t frame, bool last) {
  uint64_t copy = last ? frame : frame_get(false);
  if (copy && !last)
    copy_page(frame_data(copy), frame_data(frame));
  return copy;
}

static void written(struct absent *absent, int error) {
  if (error) { /* it has not been lost: the frame has it */
    slot_give(absent->slot);
    absent->slot = 0;
    absent->state = ABSENT_HERE;
    return;
  }
  give_moved(absent->frame);
  absent->state = ABSENT_AWAY;
}

/* To the slot that it came from, if that is this program's alone. false: it stays, for want of room or because the store failed. */
static bool write_out(struct absent *absent, uint32_t slot, uint64_t frame, bool last) {
  uint32_t to = slot && !slot_is_shared(slot) ? slot : slot_take();
  absent->slot = to;
  absent->frame = to ? still(frame, last) : 0;
  absent->state = ABSENT_WRITING;
  if (absent->frame)
    set_moving(absent->frame, true);
  int error = absent->frame ? store->write(to - 1, absent->frame, absent) : ENOSPC;
  if (error == STORE_LATER)
    absent_moving++;
  else if (!error)
    written(absent, 0);
  bool good = !error || error == STORE_LATER;
  if (!good && absent->frame && last)
    set_moving(frame, false);
  else if (!good && absent->frame)
    give_moved(absent->frame);
  if (to && to != slot)
    slot_give(good ? slot : to);
  return good;
}

/* Just this content is being written. */
static bool write_on(struct absent *ahead, uint64_t frame, bool last) {
  ahead->state = ABSENT_WRITING;
  ahead->evicted = ahead->space->pool->about.now;
  if (last)
    frame_give(frame);
  return true;
}

/* It was taken out of the page table: its content goes where it can be had again. false: nowhere. */
static bool keep_content(struct space *space, const struct page *page, uint64_t entry) {
  const struct pool *pool = space->pool;
  bool dirty = entry & 2 || page->where & MODIFIED, last = entry & 1;
  uint64_t frame = PAGE_OF(entry);
  struct absent *ahead = find_ahead(space, address_of(page->where));
  if (ahead)
    return !dirty && write_on(ahead, frame, last);
  struct absent *absent = dirty || page->slot ? absent_new(space, address_of(page->where)) : NULL;
  if (!absent && (dirty || page->slot))
    return false;
  if (absent)
    absent->evicted = pool->about.now;
  if (dirty && !write_out(absent, page->slot, frame, last)) {
    absent_free(absent);
    return false;
  }
  space->stats.written += dirty;
  if (dirty)
    return true;
  if (absent)
    absent->slot = page->slot; /* where it still is: ABSENT_AWAY */
  else
    absent_remember(space, address_of(page->where), pool->about.now, pool->about.size / pool->users);
  if (last)
    frame_give(frame);
  return true;
}

static bool evict(struct pool *pool, uint32_t index) {
  uint64_t frame = frame_of(pool, index);
  struct page *page = page_of(frame);
  struct space *space = space_of(page->where);
  uint64_t where = page->where & ~(MODIFIED | WHOM), va = address_of(where);
  bool stays = where == pool->held || is_kept(pool, page) || stuck_keeps(&pool->stuck, where);
  uint64_t entry = stays ? 0 : backend_unmap_page(space, va);
  if (!entry)
    return false; /* or it is just being answered with */
  struct page before = *page;
  if (!keep_content(space, &before, entry)) {
    page->where |= entry & 2 ? MODIFIED : 0; /* its new entry does not say so */
    put_back(space, va, entry);
    return false;
  }
  space->stats.resident--;
  space->stats.evicted++;
  leave(pool, page, frame, POLICY_EVICTED);
  return true;
}

/* ---- Writing ahead of need ------------------------------------------------------------------------------------------------ */
static void written_ahead(struct absent *absent, int error) {
  struct page *page = page_of(absent->evicted);
  give_moved(absent->frame);
  if (error) {
    slot_give(absent->slot);
    page->where |= MODIFIED;
  } else {
    page->slot = absent->slot;
  }
  absent_free(absent);
}

/* The page stays. It is clean before its copy is made, so what is written from then on shows. */
static void write_ahead(struct pool *pool, uint32_t index) {
  uint64_t frame = frame_of(pool, index);
  struct page *page = page_of(frame);
  struct space *space = space_of(page->where);
  struct absent *absent = promise_allows(space) ? absent_new(space, address_of(page->where)) : NULL;
  uint32_t slot = page->slot;
  if (!absent)
    return;
  backend_clean(space, absent->page);
  page->slot = 0;
  page->where &= ~MODIFIED;
  bool good = write_out(absent, slot, frame, false);
  space->stats.written += good;
  if (good && absent->state == ABSENT_WRITING) {
    absent->state = ABSENT_AHEAD;
    absent->evicted = frame;
    return;
  }
  page->slot = good ? absent->slot : slot;
  page->where |= good ? 0 : MODIFIED;
  absent_free(absent);
}

static bool begin_write(struct policy_pool *about, uint32_t index) {
  if (pool_of(about)->changing)
    return false; /* its slot may be given back already, or its frame not be mapped yet */
  if (!policy_dirty(about, index))
    return is_there(about, index);
  const struct page *page = page_of(frame_of(pool_of(about), index));
  if (!absent_find(space_of(page->where), address_of(page->where)))
    write_ahead(pool_of(about), index);
  return !policy_dirty(about, index);
}

bool policy_write(struct policy_pool *about, uint32_t index) {
  asked_inside = true;
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  bool clean = begin_write(about, index);
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  asked_inside = false;
  if (!asked_late)
    return clean;
  asked_late = false;
  ask_leave();
  return clean;
}

/* ---- Whom it meets ------------------------------------------------------------------------------------------------------- */
/* Whatever the policy says, if anything can go it does. */
static bool evict_any(struct pool *pool) {
  do
    for (uint32_t i = 0; i < pool->about.size; i++) {
      uint32_t index = pool->hand = (pool->hand + 1) % pool->about.size;
      if (pool->frame[index] && evict(pool, index))
        return true;
    }
  while (stuck_let_go(&pool->stuck));
  return false;
}

/* One page at least, and up to so many. The proposals of a policy are not believed: an index may be out of range, of no page, one that
 * was named before, or of a page that has to stay just now. How many went. */
static uint32_t evict_some(struct pool *pool, struct space *space, uint32_t most) {
  uint32_t victim[POLICY_VICTIMS] = {0}, asked = most < POLICY_VICTIMS ? most : POLICY_VICTIMS, gone = 0;
  uint32_t n = ASK_OR(0, pool->policy, victims, &pool->about, victim, asked);
  space->stats.wrong += n > asked;
  for (uint32_t i = 0; i < n && i < asked; i++) {
    bool good = is_there(&pool->about, victim[i]) && evict(pool, victim[i]);
    space->stats.wrong += !good;
    gone += good;
  }
  return gone ? gone : evict_any(pool);
}

static bool shrink_to(struct pool *pool, struct space *space, uint32_t most) {
  while (pool->about.resident > most)
    if (!evict_some(pool, space, pool->about.resident - most))
      return false;
  return true;
}

static bool make_room(struct pool *pool, struct space *space) {
  return shrink_to(pool, space, pool->about.budget - 1);
}

bool pool_room(struct space *space, uint64_t page) {
  struct pool *pool = space->pool;
  pool->held = where_of(space, page);
  bool good = make_room(pool, space);
  pool->held = 0;
  return good;
}

static uint32_t squeeze_shared(struct space *space, uint32_t pages) {
  struct pool *pool = space->pool;
  uint32_t own = 0, gone = 0;
  for (uint32_t i = 0; i < pool->about.size; i++)
    own += pool->frame[i] && space_of(page_of(frame_of(pool, i))->where) == space;
  for (uint32_t i = 0; i < pool->about.size && gone < pages && own - gone > POOL_LEAST; i++) {
    uint32_t index = pool->hand = (pool->hand + 1) % pool->about.size;
    bool is_own = pool->frame[index] && space_of(page_of(frame_of(pool, index))->where) == space;
    gone += is_own && evict(pool, index);
  }
  return gone;
}

uint32_t pool_squeeze(struct space *space, uint32_t pages) {
  struct pool *pool = space->pool;
  uint32_t gone = 0;
  if (pool->users > 1)
    return squeeze_shared(space, pages);
  for (uint32_t more = 1; more && gone < pages && pool->about.resident > POOL_LEAST; gone += more) {
    uint32_t most = pool->about.resident - POOL_LEAST;
    more = evict_some(pool, space, pages - gone < most ? pages - gone : most);
  }
  return gone;
}

void pool_cold(struct space *space, struct extent run) {
  struct pool *pool = space->pool;
  for (uint32_t i = 0; i < pool->about.size && pool->policy->cold; i++) {
    uint64_t where = pool->frame[i] ? page_of(frame_of(pool, i))->where : 0, at = address_of(where);
    if (where && space_of(where) == space && at >= run.start && at < run.end)
      ASK(pool->policy, cold, &pool->about, i);
  }
}

/* ---- Time, and how much ------------------------------------------------------------------------------------------------- */
struct need {
  struct policy_need about; /* the first member */
  struct space *space;
};

static uint32_t used(const struct policy_need *about) {
  struct space *space = ((const struct need *)(const void *)about)->space;
  struct pool *pool = space->pool;
  uint32_t count = 0;
  for (uint32_t i = 0; i < pool->about.size; i++) {
    struct page *page = pool->frame[i] ? look_and_clear(&pool->about, i) : NULL;
    count += page && page->used;
    if (page)
      page->used = false;
  }
  return count;
}

/* What the program may have from now on. */
static void allocate(struct space *space) {
  struct pool *pool = space->pool;
  const struct policy_choice *choice = &space->policy->allocate;
  uint64_t now = backend_time(), last = space->memory->last_fault;
  struct need need = {{.id = space->badge,
                       .options = choice->options,
                       .process = space->memory->allocate,
                       .ticks = last ? now - last : 0,
                       .resident = pool->about.resident,
                       .budget = pool->about.budget,
                       .most = pool->about.size,
                       .used = used},
                      space};
  uint32_t wanted = ASK_OR(pool->about.budget, choice->policy, budget, &need.about), most = pool->about.size;
  space->memory->last_fault = now;
  pool->about.budget = wanted < POOL_LEAST ? POOL_LEAST : wanted > most ? most : wanted;
  shrink_to(pool, space, pool->about.budget);
}

/* A fault of this pool's: time goes on. */
static void count_fault(struct space *space) {
  struct pool *pool = space->pool;
  if (pool_again)
    return;
  pool->about.now++;
  if (pool->policy->tick)
    ASK(pool->policy, tick, &pool->about);
  if (space->policy->allocate.policy && pool->users == 1)
    allocate(space);
}

static bool come_back(struct space *space, struct absent *absent, enum policy_reason reason);

/* ---- Faults ---------------------------------------------------------------------------------------------------------------- */
static void come_unasked(struct pool *pool, struct absent *absent) {
  uint64_t faulter = pool->faulter;
  pool->faulter = 0;
  if (make_room(pool, absent->space))
    come_back(absent->space, absent, POLICY_AROUND);
  pool->faulter = faulter;
}

/* What nobody waits for comes back by itself; if there is no room, when it is touched. */
static void arrived(struct absent *absent, int error) {
  struct space *space = absent->space;
  absent->state = error ? ABSENT_LOST : ABSENT_HERE;
  if (error)
    give_moved(absent->frame);
  else if (absent->ahead)
    come_unasked(space->pool, absent);
}

/* No frame is to be had: another program makes place for this page, or one of its own does. */
bool pool_give_way(struct space *space, uint64_t page, struct answer *answer) {
  enum relief relief = pressing ? relieve(space) : RELIEF_NONE;
  if (relief == RELIEF_SELF)
    answer->reason = P_REASON_CHOSEN;
  if (relief != RELIEF_NONE)
    return relief == RELIEF_SOME;
  space->pool->held = where_of(space, page);
  bool good = evict_some(space->pool, space, 1);
  space->pool->held = 0;
  return good;
}

/* There will be one when something has been written, or there is none. */
static void no_frame(struct answer *answer) {
  if (answer->reason)
    return; /* the program is to end */
  answer->later = absent_moving;
  answer->reason = absent_moving ? 0 : P_REASON_NOFRAME;
}

static void begin_reading(struct absent *absent, struct answer *answer) {
  struct space *space = absent->space;
  uint64_t frame = promise_allows(space) ? frame_get(false) : 0;
  if (!frame && !absent->ahead && pool_give_way(space, absent->page, answer))
    frame = frame_get(false);
  if (!frame) {
    no_frame(answer);
    return;
  }
  set_moving(frame, true);
  absent->frame = frame;
  absent->state = ABSENT_READING;
  int error = store->read(absent->slot - 1, frame, absent);
  if (error == STORE_LATER) {
    absent_moving++;
  } else if (error == EAGAIN) {
    absent->state = ABSENT_AWAY;
    give_moved(frame);
  } else {
    arrived(absent, error);
  }
}

/* In faults, since it went then. 0: it never did. */
static uint64_t distance(const struct pool *pool, uint64_t went) {
  return went ? pool->about.now - went : 0;
}

/* The page's content is in the frame. It is mapped here and not by the answer, which may fail: the content is to be lost by no
 * means. */
static bool come_back(struct space *space, struct absent *absent, enum policy_reason reason) {
  uint64_t frame = absent->frame, modified = 0;
  if (absent->keep < Q_PAGE_SIZE) {
    memset((char *)frame_data(frame) + absent->keep, 0, Q_PAGE_SIZE - absent->keep);
    absent->keep = Q_PAGE_SIZE;
    modified = MODIFIED;
  }
  if (backend_map(space, absent->page, frame | page_prot(space, absent->page)))
    return false;
  uint32_t slot = absent->slot;
  if (!slot || slot_is_shared(slot)) {
    slot_give(slot);
    slot = 0;
    modified = MODIFIED;
  }
  set_moving(frame, false);
  charge(space, 1);
  stack_note(space, absent->page);
  space->stats.refaults++;
  if (reason == POLICY_AROUND) {
    space->stats.ahead++;
    backend_look(space, absent->page, 1, true); /* mapped, and not touched */
  }
  space->pool->about.refault = reason == POLICY_DEMAND ? distance(space->pool, absent->evicted) : 0;
  enter(space->pool, where_of(space, absent->page) | modified, frame, slot, reason);
  absent_free(absent);
  return true;
}

/* As far as they are away. */
static void read_range(struct space *space, struct extent run, uint64_t but) {
  uint32_t left = stuck_alone(&space->pool->stuck) ? 0 : space->pool->about.budget / POLICY_BESIDE;
  for (uint64_t at = run.start; at < run.end && left; at += Q_PAGE_SIZE) {
    struct absent *other = at == but ? NULL : absent_find(space, at);
    struct answer unused = {0};
    if (!other || other->state != ABSENT_AWAY ||
        !page_prot(space, at)) /* nobody may touch it: it would be in no pool */
      continue;
    other->ahead = true;
    begin_reading(other, &unused);
    left--;
  }
}

/* The pages that the policy wants beside this one. */
static void read_ahead(struct space *space, const struct absent *absent, uint64_t sp) {
  uint64_t page = absent->page;
  struct extent run = ahead_wanted(space, page, sp, distance(space->pool, absent->evicted));
  read_range(space, run, page);
}

void pool_need(struct space *space, struct extent run) {
  read_range(space, run, Q_USER_TOP);
}

/* Pages that nothing is known of, around this one. */
static struct extent cut(struct space *space, uint64_t page, struct extent run) {
  uint64_t most = (space->pool->about.budget / POLICY_BESIDE + 1) * Q_PAGE_SIZE, at;
  if (!ahead_cut(space, page, &run))
    return (struct extent){page,
                           page + Q_PAGE_SIZE}; /* it came meanwhile: the answer will fail, and be to try again */
  for (at = page; at > run.start && !absent_find(space, at - Q_PAGE_SIZE); at -= Q_PAGE_SIZE)
    ;
  run.start = at;
  for (at = page + Q_PAGE_SIZE; at < run.end && !absent_find(space, at); at += Q_PAGE_SIZE)
    ;
  run.end = at;
  if (run.end - run.start > most)
    run = (struct extent){page, run.end - page < most ? run.end : page + most};
  return run;
}

/* Zeros, mapped now and made to look untouched. false: no more of them. */
static bool bring_beside(struct space *space, uint64_t at) {
  struct answer one = {.page = at};
  if (!make_room(space->pool, space) || !bring_in(space, Q_FAULT_READ, &one))
    return false;
  if (backend_map(space, at, one.frame_prot)) {
    space_undo(space, &one);
    return false;
  }
  space->stats.ahead++;
  backend_look(space, at, 1, true);
  enter(space->pool, where_of(space, at), PAGE_OF(one.frame_prot), 0, POLICY_AROUND);
  return true;
}

/* The pages that the policy wants beside this one, which has not come yet. */
static void bring_all_beside(struct space *space, uint64_t page, uint64_t sp, uint64_t refault) {
  struct pool *pool = space->pool;
  uint64_t faulter = pool->faulter;
  struct extent run = ahead_wanted(space, page, sp, refault);
  if (run.end - run.start == Q_PAGE_SIZE || stuck_alone(&pool->stuck))
    return;
  run = cut(space, page, run);
  pool->faulter = 0;
  for (uint64_t at = run.start; at < run.end && (at == page || bring_beside(space, at)); at += Q_PAGE_SIZE)
    ;
  pool->faulter = faulter;
}

/* As a page comes first, or again if it had nothing to remember. */
static void come_new(struct space *space, unsigned kind, uint64_t sp, struct answer *answer) {
  struct pool *pool = space->pool;
  bool covered = ahead_covers(space, answer->page, sp);
  uint64_t dropped = absent_dropped(space, answer->page); /* what comes besides may be remembered in its place */
  if (covered)
    count_fault(space);
  if (covered && !pool_again)
    bring_all_beside(space, answer->page, sp, distance(pool, dropped));
  bool came =
      bring_in(space, kind, answer) || (pool_give_way(space, answer->page, answer) && bring_in(space, kind, answer));
  uint64_t frame = PAGE_OF(answer->frame_prot);
  if (!came) {
    no_frame(answer);
    return;
  }
  if (frame_state(frame) != STATE_USED)
    return;
  if (!covered)
    count_fault(space);
  if (pool_room(space, answer->page)) {
    pool->about.refault = distance(pool, dropped);
    enter(pool, where_of(space, answer->page), frame, 0, POLICY_DEMAND);
    return;
  }
  space_removed(space, frame, true);
  answer->frame_prot = 0;
  no_frame(answer);
}

static void come_again(struct space *space, struct absent *absent, uint64_t sp, struct answer *answer) {
  if (absent->state == ABSENT_AWAY) {
    count_fault(space);
    absent->ahead = false; /* it may have been wanted in vain */
    begin_reading(absent, answer);
    read_ahead(space, absent, sp);
  }
  if (absent->state == ABSENT_LOST)
    answer->reason = P_REASON_STORE;
  else if (absent->state == ABSENT_HERE && pool_room(space, absent->page) && come_back(space, absent, POLICY_DEMAND))
    return;
  else if (absent->state == ABSENT_HERE && !absent_moving)
    answer->reason = P_REASON_NOFRAME;
  else
    answer->later = !answer->reason;
}

/* Nothing can have been answered since the message that is being answered was received. */
static bool is_fresh(void) {
  return !pool_again && frames.stock_count == 1;
}

static void adopt_late(struct space *space);

void pool_fault(struct space *space, unsigned kind, uint64_t sp, struct answer *answer) {
  if (space->pool->late)
    adopt_late(space);
  struct absent *absent = absent_find(space, answer->page);
  take_turn(space->pool, space, sp);
  if (absent && absent->state == ABSENT_AHEAD)
    return; /* it came meanwhile: try again */
  if (!pool_again)
    stuck_note(&space->pool->stuck, sp ^ space->badge << 48, where_of(space, answer->page), space->pool->about.now);
  if (absent)
    come_again(space, absent, sp, answer);
  else if (is_fresh() || !backend_look(space, answer->page, 1, false).present) /* else likewise */
    come_new(space, kind, sp, answer);
}

void store_done(void *cookie, int error) {
  struct absent *absent = cookie;
  bool wrote = absent->state == ABSENT_WRITING;
  assert(absent_moving);
  absent_moving--;
  if (absent->state == ABSENT_ORPHAN) {
    give_moved(absent->frame);
    slot_give(absent->slot);
    absent_free(absent);
  } else if (absent->state == ABSENT_AHEAD) {
    written_ahead(absent, error);
  } else if (wrote) {
    written(absent, error);
  } else {
    arrived(absent, error);
  }
}

/* ---- Beginning and end --------------------------------------------------------------------------------------------------- */
uint64_t pools_memory(uint64_t ram_bytes) {
  return PAGE_UP((ram_bytes >> Q_PAGE_SHIFT) * sizeof *pages);
}

void pools_begin(void *memory, uint64_t ram_bytes) {
  zero_pages(memory, pools_memory(ram_bytes) >> Q_PAGE_SHIFT);
  pages = memory;
}

/* Its tables lie in a row: those of the policy first, which want to be aligned. */
static void lay_out(struct pool *pool, const struct policy *policy, uint32_t size, char *memory) {
  size_t state = (policy->state_bytes + policy->each_bytes * size + 7) & ~7ul;
  pool->policy = policy;
  pool->about.size = pool->about.budget = size;
  pool->about.state = memory;
  pool->about.notes = memory + state;
  pool->about.note_bytes = policy->note_bytes;
  pool->frame = (uint32_t *)(void *)(pool->about.notes + ((policy->note_bytes * size + 7) & ~7ul));
  pool->next_free = pool->frame + size;
  pool->random = pool_seed;
  for (uint32_t i = 0; i < size; i++)
    pool->next_free[i] = i + 1 < size ? i + 2 : 0;
  pool->free = 1;
  pool->hand = size - 1;
  if (policy->begun)
    ASK(policy, begun, &pool->about);
}

/* Frames in a row for the tables of so many pages; 0: there are none. */
static uint64_t take_tables(const struct policy *policy, uint32_t size, uint64_t *count) {
  uint64_t bytes = policy->state_bytes + (policy->each_bytes + policy->note_bytes + 2 * sizeof(uint32_t)) * size + 24;
  *count = PAGE_UP(bytes) >> Q_PAGE_SHIFT;
  return *count > POOL_FRAMES ? 0 : frames_get_row(*count);
}

static struct pool *pool_new(const struct policy_set *set, uint32_t size) {
  struct pool *pool = slab_take(&slab);
  uint64_t count, memory = pool ? take_tables(set->replace.policy, size, &count) : 0;
  if (memory) {
    *pool = (struct pool){.memory = memory, .frames = count, .users = 1, .options = set->replace, .next = all};
    all = pool;
    pool->about.options = pool->options.options;
    lay_out(pool, set->replace.policy, size, frame_data(memory));
  } else if (pool) {
    slab_give(&slab, pool);
  }
  return memory ? pool : NULL;
}

static void pool_drop(struct pool *pool) {
  struct pool **at = &all;
  if (--pool->users)
    return;
  while (*at != pool)
    at = &(*at)->next;
  *at = pool->next;
  of_all = of_all == pool ? NULL : of_all;
  assert(!pool->about.resident);
  for (uint64_t i = 0; i < pool->frames; i++)
    frame_give(pool->memory + i * Q_PAGE_SIZE);
  slab_give(&slab, pool);
}

void pools_mend(void) {
  for (struct pool *pool = all; pool; pool = pool->next)
    if (policy_is_lost(pool->policy))
      pool->policy = &policy_null;
}

bool pool_join(struct space *space, const struct space *original) {
  const struct policy_set *set = space->policy;
  uint64_t budget = !original ? pool_pages : original->pool ? original->pool->about.size : 0;
  if (!budget || space->server || space->strict || !set->replace.policy)
    return true;
  if (of_all)
    of_all->users++;
  space->pool = of_all ? of_all : pool_new(set, (uint32_t)budget);
  if (space->pool && pool_of_all)
    of_all = space->pool;
  if (space->pool)
    pool_begins(space->pool, space, original);
  space_note(space);
  return space->pool;
}

/* None of its pages is in the pool any more, wherever it still is. */
static void leave_all(struct space *space, enum policy_reason reason) {
  struct pool *pool = space->pool;
  for (uint32_t i = 0; i < pool->about.size && pool->about.resident; i++) {
    struct page *page = pool->frame[i] ? page_of(frame_of(pool, i)) : NULL;
    if (!page || space_of(page->where) != space)
      continue;
    slot_give(page->slot);
    leave(pool, page, frame_of(pool, i), reason);
  }
}

void pool_clear(struct space *space) {
  if (!space->pool)
    return;
  leave_all(space, POLICY_EXIT);
  absent_drop_range(space, 0, Q_USER_TOP);
}

void pool_leave(struct space *space) {
  if (!space->pool)
    return;
  pool_ends(space->pool, space);
  pool_drop(space->pool);
  space->pool = NULL;
}

/* ---- Another policy while a program runs ------------------------------------------------------------------------------- */
/* A page that is there goes into the pool, if it is in none. What it holds its new entry does not tell. */
static void adopt_page(struct space *space, uint64_t va) {
  uint64_t entry = backend_unmap_page(space, va), frame = PAGE_OF(entry);
  if (!entry)
    return;
  put_back(space, va, entry);
  pool_modified(space, frame);
  if (frame_state(frame) == STATE_USED && entry & 1 && !member(space, frame) && make_room(space->pool, space))
    enter(space->pool, where_of(space, va) | MODIFIED, frame, 0, POLICY_CARRIED);
}

static void adopt_range(struct space *space, uint64_t start, uint64_t end) {
  for (uint64_t at = start; at < end; at += 64 * Q_PAGE_SIZE) {
    uint64_t n = (end - at) >> Q_PAGE_SHIFT,
             present = backend_look(space, at, n < 64 ? (unsigned)n : 64, false).present;
    for (; present; present &= present - 1)
      adopt_page(space, at + (uint64_t)__builtin_ctzl(present) * Q_PAGE_SIZE);
  }
}

static void adopt_all(struct space *space) {
  for (unsigned i = 0; i < space->image->segments; i++)
    if (space->image->segment[i].prot & Q_PROT_WRITE)
      adopt_range(space, space->image->segment[i].start, space->image->segment[i].end);
  adopt_range(space, PAGE_UP(space->heap), PAGE_UP(space->brk));
  for (const struct region *r = space->regions; r; r = r->next)
    if (r->prot && !r->shared)
      adopt_range(space, r->start, r->end);
  adopt_range(space, space->stack, P_STACK_TOP);
}

/* With other threads of the pager a plain answer of before may be on its way. The program's thread, the only one (else see settle()),
 * waits for it, so at the next fault its page is there. */
static void adopt_late(struct space *space) {
  space->pool->late = false;
  adopt_all(space);
}

/* All that fits: the rest is evicted first, as the old policy says. */
static void carry(struct space *space, struct pool *from, struct pool *to) {
  from->about.budget = to->about.size;
  to->about.now = from->about.now;
  to->late = from->late;
  shrink_to(from, space, to->about.size);
  for (uint32_t i = 0; i < from->about.size; i++) {
    if (!from->frame[i])
      continue;
    uint64_t frame = frame_of(from, i);
    struct page page = *page_of(frame);
    leave(from, page_of(frame), frame, POLICY_CARRIED);
    to->faulter = page.where & WHOM;
    if (enter(to, page.where & ~WHOM, frame, page.slot, POLICY_CARRIED)) {
      page_of(frame)->accessed = page.accessed;
      page_of(frame)->used = page.used;
      continue;
    }
    slot_give(page.slot);
    stop_ahead(space, address_of(page.where));
  }
}

int pool_change(struct space *space, const struct policy_set *set, uint64_t budget) {
  struct pool *old = space->pool, *new;
  if (!set->replace.policy && (old || budget))
    return EINVAL; /* what is to go? */
  budget = budget || !old ? budget : old->about.size;
  if (budget && (!pages || pool_of_all || space->strict || space->server))
    return ENOTSUP;
  if (budget && (budget < POOL_LEAST || budget > POOL_MOST))
    return EINVAL;
  if (!(new = budget ? pool_new(set, (uint32_t)budget) : NULL) && budget)
    return ENOMEM;
  if (!space_policy(space, set)) {
    if (new)
      pool_drop(new);
    return ENOMEM;
  }
  space->pool = new ? new : old;
  if (new)
    pool_begins(new, space, NULL);
  if (new &&old) {
    carry(space, old, new);
    pool_ends(old, space);
    pool_drop(old);
  } else if (new) {
    adopt_all(space);
    new->late = frames.stock_count > 1;
  }
  space_note(space);
  return 0;
}

#ifdef CHECK_INVARIANTS
/* What a frame says of its page and what the page's pool says are the same. */
uint64_t pool_check(const struct space *space) {
  const struct pool *pool = space->pool;
  uint32_t resident = 0;
  for (uint32_t i = 0; i < pool->about.size; i++) {
    const struct page *page = pool->frame[i] ? page_of(frame_of(pool, i)) : NULL;
    resident += page != NULL;
    assert(!page || (page->where && page->index == i && space_of(page->where)->pool == pool));
    assert(!page || frame_state(frame_of(pool, i)) == STATE_USED);
    assert(!page || !page->slot || slot_users[page->slot - 1] == 1);
  }
  assert(resident == pool->about.resident && resident <= pool->about.size);
  return resident;
}
#endif
