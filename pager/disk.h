/* SPDX-License-Identifier: BSD-2-Clause */
/* The disk as a store: what goes through the ring to its driver (quire/blk.h), and comes back. Nothing here waits, or makes a
 * system call, or believes what the driver says. */
#ifndef DISK_H
#define DISK_H

#include <quire/blk.h>
#include <stdbool.h>

#include "store.h"

#define DISK_FLIGHTS                                                                                                 \
  256 /* requests at a time, half of them writes at most; BLK_ENTRIES are in the ring. Beyond that: EAGAIN */
#define DISK_MEMORY 8192 /* that these need */
#define DISK_TRIES 3     /* a request that was with the driver when it died so often fails with EIO */

extern struct store store_disk; /* slots are to be set first; what is begun before the driver has waits for it */
void disk_begin(void *memory);  /* zeros; once */
void disk_heard(struct blk_ring *ring); /* the driver has notified; the ring is where it said, the same each time */
void disk_driver_ended(void);
void disk_given_up(void); /* there will be no driver any more: what is under way fails, and whatever comes later */
extern uint64_t disk_answers; /* completions of requests, so far */

/* Given by the shell (server.c), or a test. */
void disk_wake(void);                /* notifies the driver */
void disk_too_small(uint64_t pages); /* it has no more; then nothing is done on it */
void disk_distrust(const char *why); /* the driver has written rubbish: it is to end, and to be started again */
#endif
