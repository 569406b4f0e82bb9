/* SPDX-License-Identifier: BSD-2-Clause */
/* What programs say of their memory: madvise() and posix_madvise(). But for P_ADVICE_DISCARD it changes nothing that they see. */
#include <errno.h>

#include "pool.h"
#include "space.h"

/* The first piece of memory that ends behind this address. false: there is none. */
static bool piece_after(const struct space *space, uint64_t at, struct extent *piece) {
  for (unsigned i = 0; i < space->image->segments; i++) {
    const struct segment *segment = &space->image->segment[i];
    *piece = (struct extent){segment->start, segment->end};
    if (at < piece->end)
      return true;
  }
  *piece = (struct extent){PAGE_UP(space->heap), PAGE_UP(space->brk)};
  if (at < piece->end && piece->start < piece->end)
    return true;
  const struct region *region = region_after(space, at);
  *piece = region ? (struct extent){region->start, region->end} : (struct extent){P_STACK_BASE, P_STACK_TOP};
  return at < piece->end;
}

/* Pages that PROT_NONE has made an object's are no more in the region's place if that is mapped anew; a file's are not told from
 * those that it was written over with. */
static int discard(struct space *space, struct extent part) {
  const struct region *region = part.start >= space->brk ? region_find(space, part.start) : NULL;
  bool parked = region && region->object && !region->shared && !region->object->creator;
  if (!parked) {
    give_back(space, part.start, part.end);
    return 0;
  }
  struct map_request again = {
      .address = part.start, .bytes = part.end - part.start, .flags = region->prot | P_MAP_FIXED};
  int64_t at = space_map(space, &again);
  return at < 0 ? (int)-at : 0;
}

static void will_need(struct space *space, struct extent run, bool asked) {
  uint64_t most = P_ADVISED * Q_PAGE_SIZE;
  run.end = run.end - run.start < most ? run.end : run.start + most;
  if (space->pool)
    pool_need(space, run);
  else if (asked)
    ahead_bring(space, run);
}

/* Of what is so far from where it begins nothing comes. */
static int advise_part(struct space *space, struct extent part, unsigned advice, bool is_far) {
  if (advice == P_ADVICE_DISCARD)
    return discard(space, part);
  if (advice == P_ADVICE_COLD)
    return 0;
  bool asked = ahead_advised(space, advice, &part);
  if (advice == P_ADVICE_WILLNEED && !is_far)
    will_need(space, part, asked);
  return 0;
}

int space_advise(struct space *space, uint64_t start, uint64_t bytes, unsigned advice) {
  if (start % Q_PAGE_SIZE || (advice > P_ADVICE_DISCARD && advice != P_ADVICE_COLD))
    return EINVAL;
  if (start > Q_USER_TOP || bytes > Q_USER_TOP - start)
    return ENOMEM;
  uint64_t end = start + PAGE_UP(bytes), at = start;
  struct extent piece;
  int error = 0;
  bool hole = false;
  for (; at < end && !error && piece_after(space, at, &piece) && piece.start < end; at = piece.end) {
    hole |= piece.start > at;
    struct extent part = {at > piece.start ? at : piece.start, end < piece.end ? end : piece.end};
    error = advise_part(space, part, advice, part.start - start >= P_ADVISED * Q_PAGE_SIZE);
  }
  if (advice == P_ADVICE_COLD && space->pool)
    pool_cold(space, (struct extent){start, end});
  return error ? error : hole || at < end ? ENOMEM : 0;
}
_Static_assert(P_ADVICE_NORMAL == (int)POLICY_NORMAL && P_ADVICE_RANDOM == (int)POLICY_RANDOM &&
                   P_ADVICE_SEQUENTIAL == (int)POLICY_SEQUENTIAL && P_ADVICE_WILLNEED == (int)POLICY_WILLNEED,
               "they have the contract's numbers");
