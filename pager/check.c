/* SPDX-License-Identifier: BSD-2-Clause */
/* The pager's whole state, walked now and then in builds with check_invariants: what the tables say of each other. */
#include <assert.h>

#include "absent.h"
#include "pool.h"

#ifdef CHECK_INVARIANTS
static void check_regions(const struct space *space) {
  uint64_t end = PAGE_UP(space->brk), counted = 0;
  for (const struct region *r = space->regions; r; end = r->end, r = r->next) {
    assert(region_from(space, r->start) == r && region_after(space, r->start) == r &&
           (!r->next || r->next->prev == r));
    counted += r->counted ? (r->end - r->start) >> Q_PAGE_SHIFT : 0;
    uint64_t pages = (r->end - r->start) >> Q_PAGE_SHIFT;
    assert(r->start >= end && r->end > r->start && r->end <= P_BREAK_MAX);
    assert((r->start | r->end) % Q_PAGE_SIZE == 0 && (!r->object || r->object->holders));
    assert(!r->shared || r->offset + pages <= r->object->pages);
  }
  assert(counted == space->counted);
}

static void check_children(const struct space *space, const struct space *first, enum space_state state) {
  for (const struct space *child = first; child; child = child->next)
    assert(child->parent == space && child->state == state && (!child->next || child->next->prev == child));
}

static void check_space(const struct space *space) {
  const struct p_stats *stats = &space->stats;
  assert(space->threads && (space->threads == 1) == !space->thread_list);
  assert(space->heap <= space->brk && space->brk <= P_BREAK_MAX && stats->peak >= stats->resident);
  assert(space->state == SPACE_ALIVE || (!stats->resident && !stats->shared && !space->regions && !space->promised));
  assert(!space->hook || (space->memory && space->memory->heap.end == PAGE_UP(space->brk)));
  check_regions(space);
  assert(space->pool || !(space->absents.count + space->dropped.count));
  if (space->pool)
    pool_check(space), absents_check(space);
  check_children(space, space->children, SPACE_ALIVE);
  check_children(space, space->ended, SPACE_ENDED);
}

static void check_frames(uint64_t resident) {
  frames_cool();
  uint64_t count[STATE_DONATED + 1] = {0};
  for (uint64_t n = 0; n < frames.count; n++) {
    enum frame_state state = frames.state[n];
    assert(state <= STATE_DONATED && (state != STATE_OBJECT || frames.link[n].prev));
    count[state]++;
  }
  assert(count[STATE_READY] == frames.zeroed);
  assert(count[STATE_OWN] == frames.own && count[STATE_DONATED] == frames.donated);
  assert(frames_available() == count[STATE_VIRGIN] + count[STATE_FREE] + count[STATE_READY] + count[STATE_RESERVE]);
  assert(count[STATE_USED] < resident + frames.stock_count); /* each is in somebody's memory, or on its way there */
}

static void check_pager(void) {
  uint64_t resident = 0, promises = 0;
  unsigned found = 0;
  for (unsigned i = 0; i < P_PROCESSES; i++) {
    const struct space *space = spaces[i];
    if (!space)
      continue;
    assert(space->badge % P_PROCESSES == i);
    check_space(space);
    resident += space->stats.resident;
    promises += space->promised;
    found++;
  }
  assert(found == space_count && promises == promised);
  check_frames(resident);
}

#define CHECK_EVERY 64
void check_sometimes(void) {
  static unsigned asked;
  if (asked++ % CHECK_EVERY == 0)
    check_pager();
}
#endif
