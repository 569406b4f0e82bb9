/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory pressure: programs with fewer frames than they have pages. A pool is the pages that compete for the same frames, those
 * of one program or of all, and a policy of replacement that knows them by index. Only pages of a program's own are in one, and
 * not text, files, or what a child has not written since the fork. absent.c knows where what was evicted is.
 *
 * All of it is there only if the boot option budget= is, and is done under all of the pager's locks. */
#ifndef POOL_H
#define POOL_H

#include "space.h"
#include "store.h"

#define POOL_LEAST POLICY_LEAST

/* ---- stuck.c: a thread that gets nowhere ---- */
/* What one instruction, or one copy of a system call, needs at once are so few pages that there is room for them; but what a policy
 * evicts, or what comes besides, may be just these, again and again. That shows as faults of one thread in a row that are all on the
 * same POOL_LEAST pages. After 16 of them these pages stay, and nothing comes besides, until it faults elsewhere. */
struct stuck {
  uint64_t thread, last;     /* who is watched, and when it faulted last */
  uint64_t page[POOL_LEAST]; /* its last ones, newest first */
  uint32_t repeats;          /* faults in a row that were on these */
};
void stuck_note(struct stuck *stuck, uint64_t thread, uint64_t page, uint64_t now); /* it faults there */
bool stuck_keeps(const struct stuck *stuck, uint64_t page);
bool stuck_alone(const struct stuck *stuck); /* nothing is to come besides */
bool stuck_let_go(struct stuck *stuck);      /* nothing else can go. false: nothing was kept */

/* ---- pool.c ---- */
struct pool {
  struct policy_pool about; /* the first member */
  struct pool *next;        /* of all there are */
  const struct policy *policy;
  struct policy_choice options;
  uint32_t *frame;                    /* of each index: frame number + 1; 0: none */
  uint32_t *next_free;                /* of an index without a page, as index + 1 */
  uint32_t free, hand;                /* index + 1; where the next safe choice begins */
  uint32_t users;                     /* programs whose pages are in it */
  bool changing;                      /* a hook is told of a page that comes or goes */
  bool late;                          /* a page of before may come yet that is in no pool */
  uint64_t faulter, turn, turn_began; /* who faults now, who keeps what came for it, and since when */
  uint64_t held;                      /* the page that is being answered for: it stays */
  struct stuck stuck;
  uint64_t memory; /* of its tables: physical address, and how many frames */
  uint64_t frames;
  uint64_t random;
};

/* Something of it is being written to the store or read (absent.c). */
bool absents_moving(const struct space *space);
extern bool pool_again;     /* what is being answered has been seen before: it is no new fault */
extern uint64_t pool_pages; /* each program may have, or all; 0: there are no pools */
extern bool pool_of_all;    /* one for all */
extern uint64_t pool_seed;
extern uint64_t pool_turn; /* ticks that a turn takes */
#define POOL_MOST 65536
#define POOL_FRAMES 512 /* of its tables */

/* Bytes that pools_begin() needs, in whole pages. */
uint64_t pools_memory(uint64_t ram_bytes);
void pools_begin(void *memory, uint64_t ram_bytes);
/* As its policy and the boot options say; as the child of a fork it has what its parent has now, some of whose pages, which
 * become its own, may be away. false: no memory. */
bool pool_join(struct space *space, const struct space *original);
void pool_clear(struct space *space); /* its pages are about to go, and what was evicted of it is forgotten */
void pool_leave(struct space *space); /* after that */
/* Nothing is mapped at answer's page, which may be touched: brings it in, or says why not, as space_fault() does. */
void pool_fault(struct space *space, unsigned kind, uint64_t sp, struct answer *answer);
/* One more page may come in beside this one, which stays. false: none can go. */
bool pool_room(struct space *space, uint64_t page);
/* No frame is to be had: something makes place for this page. false: nothing can; answer's reason may say more. */
bool pool_give_way(struct space *space, uint64_t page, struct answer *answer);
/* A write has put one frame in another's place there, or made the old one writable. */
void pool_replace(struct space *space, uint64_t page, uint64_t old, uint64_t now);
/* So many of the program's pages go, if they can, but not the last few: how many did. */
uint32_t pool_squeeze(struct space *space, uint32_t pages);
/* What was evicted of these pages comes back, as far as that is a part of the budget. */
void pool_need(struct space *space, struct extent run);
void pool_cold(struct space *space, struct extent run); /* the policy hears that they are not needed soon */
/* The frame is not mapped any more. */
void pool_forget_frame(struct space *space, uint64_t frame, enum policy_reason reason);
/* It holds something that its dirty bit does not tell of. */
void pool_modified(struct space *space, uint64_t frame);
/* Another policy and another budget (pages; 0: as it is), while it runs: what it has carries over. EINVAL: a budget out of bounds, or
 * no policy of replacement; ENOTSUP: no pools, one for all, or a program that none is for; ENOMEM. Nothing has changed then. */
int pool_change(struct space *space, const struct policy_set *set, uint64_t budget);
/* hooks.c: a program's pages will be in the pool, the original's double if there is one; they are no more in it. */
void pool_begins(struct pool *pool, const struct space *space, const struct space *original);
void pool_ends(struct pool *pool, const struct space *space);
uint64_t pool_check(const struct space *space); /* in builds with checks: how many pages are in its pool */
#endif
