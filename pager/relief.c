/* SPDX-License-Identifier: BSD-2-Clause */
/* A page is wanted and no frame is to be had: a policy says which program gives up some of its pages, or ends. What it says is not
 * believed: it may name a server, a program whose memory is promised, or nobody. Then all is as without it. */
#include "absent.h"
#include "ask.h"
#include "pool.h"
#include "space.h"

const struct policy_choice *pressing;
static uint64_t kept; /* a frame of the pager's own: a page that is written when it goes has to be remembered */

static void keep_one(void) {
  kept = frame_get_own();
  frames.tables += kept != 0;
}

static void give_kept(void) {
  if (!kept)
    return;
  frames.tables--;
  frame_give(kept);
  kept = 0;
}

void relief_begin(const struct policy_choice *choice) {
  pressing = choice;
  keep_one();
}

void relief_mend(void) {
  if (!pressing || !policy_is_lost(pressing->policy))
    return;
  pressing = NULL;
  give_kept();
}

static bool is_candidate(const struct space *space) {
  return space->state == SPACE_ALIVE && !space->server && !space->strict;
}

static struct policy_candidate candidate_of(const struct space *space) {
  const struct p_stats *stats = &space->stats;
  return (struct policy_candidate){.id = space->badge,
                                   .resident = stats->resident,
                                   .budget = space->pool ? space->pool->about.budget : 0,
                                   .faults = stats->faults[0] + stats->faults[1] + stats->faults[2],
                                   .refaults = stats->refaults,
                                   .evictable = space->pool};
}

/* In place of the smallest, if there are too many; but not of the first `asking`. How many there are then. */
static uint32_t add(struct policy_candidate *list, uint32_t count, uint32_t asking, const struct space *space) {
  uint32_t smallest = asking;
  if (count < POLICY_CANDIDATES) {
    list[count] = candidate_of(space);
    return count + 1;
  }
  for (uint32_t i = asking + 1; i < count; i++)
    smallest = list[i].resident < list[smallest].resident ? i : smallest;
  if (list[smallest].resident < space->stats.resident)
    list[smallest] = candidate_of(space);
  return count;
}

static void ask(const struct space *asks, struct policy_verdict *verdict) {
  struct policy_candidate list[POLICY_CANDIDATES];
  const struct space *space;
  uint32_t asking = is_candidate(asks) ? add(list, 0, 0, asks) : 0, count = asking;
  for (uint64_t at = 0; (space = space_from(&at));)
    if (space != asks && is_candidate(space))
      count = add(list, count, asking, space);
  struct policy_shortage shortage = {pressing->options, asks->badge, list, count};
  ASK(pressing->policy, pressure, &shortage, verdict);
  if (!pressing)
    *verdict = (struct policy_verdict){0}; /* it was lost */
}

static bool is_good(const struct policy_verdict *verdict, const struct space *space) {
  if (!space || !is_candidate(space))
    return false;
  return verdict->relief == POLICY_END || (verdict->relief == POLICY_SQUEEZE && space->pool && verdict->pages);
}

static enum relief carry_out(struct space *asks, const struct policy_verdict *verdict) {
  struct space *space = space_find(verdict->id);
  if (verdict->relief == POLICY_NONE)
    return RELIEF_NONE;
  if (!is_good(verdict, space)) {
    asks->stats.wrong++;
    return RELIEF_NONE;
  }
  if (verdict->relief == POLICY_SQUEEZE)
    return pool_squeeze(space, verdict->pages < POLICY_SQUEEZED ? verdict->pages : POLICY_SQUEEZED) ? RELIEF_SOME
                                                                                                    : RELIEF_NONE;
  if (space == asks)
    return RELIEF_SELF;
  backend_end(space);
  return RELIEF_SOME;
}

/* Some frame is there, in the cache perhaps, or will be when it has been written. */
static bool is_to_be_had(const struct space *asks) {
  uint64_t frame = promise_allows(asks) ? frame_get(false) : 0;
  if (frame)
    frame_give(frame);
  return frame || absent_moving;
}

enum relief relieve(struct space *asks) {
  enum relief relief = RELIEF_SOME;
  if (is_to_be_had(asks))
    return RELIEF_NONE; /* it wants something else: room in the store, say */
  give_kept();
  for (unsigned round = 0; round < RELIEF_ROUNDS && relief == RELIEF_SOME && pressing; round++) {
    struct policy_verdict verdict = {0};
    ask(asks, &verdict);
    relief = carry_out(asks, &verdict);
    if (!kept && pressing)
      keep_one();
    if (relief == RELIEF_SOME && is_to_be_had(asks))
      return RELIEF_SOME;
  }
  return relief == RELIEF_SELF ? RELIEF_SELF : RELIEF_NONE;
}
