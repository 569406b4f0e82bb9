/* SPDX-License-Identifier: BSD-2-Clause */
/* A thread of the server for each hart, and its locks (harts.c). With one hart there is one thread, and no lock is taken. */
#ifndef HARTS_H
#define HARTS_H

#include "server.h"

struct worker { /* a thread; its lock guards nothing of this, but what the requests look at */
  uint32_t lock;
  bool doubt;              /* what it has received may be of a thread that is no more */
  struct request *at_hand; /* what it receives into; the rest: its answers (main.c) */
  struct q_reply replies[2], *spare, *due;
  uint32_t held;         /* its locks, for builds with checks (kernel/order.h) */
  const uint64_t *guard; /* the last word of its stack; NULL: the first thread's, which the pager guards */
} __attribute__((aligned(64)));

extern uint64_t workers; /* one for each hart */
struct worker *
workers_make(void);       /* the first, for the thread that calls this, which has all locks; NULL: no memory */
bool workers_start(void); /* the others begin to serve, and all locks are given up; false: no memory */
_Noreturn void worker_serve(struct worker *own); /* main.c */
void worker_take(struct worker *own); /* its own lock, to look at all and to change nothing but as beside.c says */
void worker_release(struct worker *own);
/* All locks, to change anything; it has none before. What is its thread's is what the statics of main.c say until it gives them up. */
void take_all(struct worker *own);
void release_all(struct worker *own);
/* Somebody's threads have been ended: what the others have received, and not looked at, may be theirs. With all locks. */
void doubt_received(void);

/* ---- beside.c ---- */
static inline bool may_be_beside(uint64_t label) { /* else the next need not be asked */
  const uint64_t labels = 1ul << POSIX_read | 1ul << POSIX_seek | 1ul << POSIX_stat | 1ul << POSIX_identity;
  return label < 64 && labels >> label & 1;
}
/* Without all locks: the answer, if it can be had so. False: nothing has changed, and it is to be done with all of them. */
bool done_beside(struct request *q, struct q_reply *r);
#endif
