/* SPDX-License-Identifier: BSD-2-Clause */
/* One virtio block device behind virtio-mmio (Virtual I/O Device version 1.2, 4.2 and 5.2), with one split queue (2.7). Knows
 * nothing of rings and notifications, and makes no calls but to the two below: it also builds on the host. */
#ifndef VIRTIO_H
#define VIRTIO_H

#include <quire/blk.h>
#include <stdbool.h>

/* The registers, by their offset; main.c, or a model of a device. */
uint32_t device_get(unsigned offset);
void device_put(unsigned offset, uint32_t value);

#define VIRTIO_QUEUE 256 /* descriptors, at most */
#define VIRTIO_FLIGHTS 64
#define VIRTIO_MEMORY (2 * Q_PAGE_SIZE)

typedef void virtio_done(uint64_t id, int error);

/* Resets the device and makes it ready, with so much memory for the queue. 0; ENODEV: there is no block device, ENOTSUP: a
 * legacy one, EIO: it does not do as it should. */
int virtio_begin(void *memory, uint64_t physical);
uint64_t virtio_sectors(void);
bool virtio_read_only(void);
bool virtio_room(void);                                /* for one more request */
void virtio_submit(const struct blk_request *request); /* a good one; with room */
void virtio_go(void);                                  /* tells the device of those submitted */
/* Takes what the device has done. NULL, or what is wrong with the device: then virtio_begin() and virtio_abandon(). */
const char *virtio_collect(virtio_done *done);
void virtio_abandon(virtio_done *done); /* EIO for all that was submitted before the device began */
#endif
