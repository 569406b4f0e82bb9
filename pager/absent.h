/* SPDX-License-Identifier: BSD-2-Clause */
/* Pages that were evicted, by program and address, and where their content is. Of a page that was only zeros or what its image says,
 * which comes again as it came first, it is only known when it went, for policies that ask (refault): of the last so many of each
 * program as its pool has frames for it; of older ones nothing is known. That is given up with the memory, at exec and at exit; the
 * child of a fork begins without. Where frames are scarce it takes none. */
#ifndef ABSENT_H
#define ABSENT_H

#include "space.h"
#include "store.h"

enum absent_state {
  ABSENT_AWAY,    /* the slot has it */
  ABSENT_WRITING, /* the frame has it, which is being written to the slot */
  ABSENT_READING, /* the slot has it, and it is being read into the frame */
  ABSENT_HERE,    /* the frame has it. slot 0: it only */
  ABSENT_LOST,    /* the store failed to read it */
  ABSENT_DROPPED, /* nothing has it: only when it went is known */
  ABSENT_AHEAD,   /* it is not absent at all: it is there, and a copy in the frame is being written to the slot */
  ABSENT_ORPHAN   /* nobody's: its program has unmapped it while it was on its way */
};

struct absent {
  struct absent *chain, *next, *prev; /* of its hash, and of its program's */
  struct space *space;
  uint64_t page, frame;
  uint64_t evicted; /* its pool's time, 0: not known; of ABSENT_AHEAD, the frame where the page is */
  uint32_t slot;    /* number + 1 */
  uint16_t keep;    /* bytes of it that count: behind them it is zeros */
  uint8_t state;
  bool ahead; /* nobody waits for it: a policy wants it */
};

extern const struct store *store;
extern uint64_t absent_moving;                      /* that are being written or read */
uint64_t absents_memory(const struct store *store); /* bytes that absents_begin() needs */
void absents_begin(const struct store *store, void *memory);
struct absent *absent_find(const struct space *space, uint64_t page); /* whose content is to come from here */
struct absent *absent_new(struct space *space, uint64_t page);        /* NULL: no memory */
void absent_remember(struct space *space, uint64_t page, uint64_t now,
                     uint64_t most);                               /* that it was dropped, and that many */
uint64_t absent_dropped(const struct space *space, uint64_t page); /* when; 0: not known */
void absent_forget(struct space *space, uint64_t page);            /* it is there again */
void absent_free(struct absent *absent);                           /* but not its slot or frame */
/* It stands for nobody any more: what it has is given back, now or when it has arrived. */
void absent_drop(struct absent *absent);
void absent_drop_range(struct space *space, uint64_t start, uint64_t end);
void absent_cut(struct space *space,
                uint64_t from); /* of the page that holds this address, what is behind is zeros */
bool absent_copy(const struct space *from, struct space *to); /* at a fork, when none is moving. false: no memory */

/* A frame that is in nobody's memory, but on its way. */
void set_moving(uint64_t frame, bool moving);
void give_moved(uint64_t frame); /* it has arrived, or nobody wants it */
uint32_t slot_take(void);        /* number + 1; 0: the store is full */
void slot_give(uint32_t slot);
bool slots_are_gone(void); /* the next slot_take() returns 0 */
extern uint16_t *slot_users;
static inline bool slot_is_shared(uint32_t slot) {
  return slot_users[slot - 1] > 1;
}
void absents_check(const struct space *space); /* in builds with checks */
#endif
