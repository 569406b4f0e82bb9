/* SPDX-License-Identifier: BSD-2-Clause */
/* The contract between the driver of a disk and whoever is above it: the pager (store=disk), or the server named after it.
 * Work goes through a ring in memory that both have, and neither ever waits for the other: who has added something
 * notifies. Each takes what it finds for what it is, copies it first and checks it then, since the other may be broken. */
#ifndef QUIRE_BLK_H
#define QUIRE_BLK_H

#include <quire/pager.h>

#define BLK_ENTRIES 64 /* requests that are added and whose completions are not read yet: no more than that */
#define BLK_SECTOR 512
#define BLK_BYTES 65536 /* of one request, at most */
#define BLK_READ 0      /* from the disk */
#define BLK_WRITE 1

struct blk_request {
  uint64_t id;      /* comes back with the completion */
  uint64_t sector;  /* the first one */
  uint64_t address; /* physical; the frames there stay the device's until the completion is there */
  uint32_t bytes;   /* whole sectors, in a row */
  uint32_t write;   /* BLK_* */
};

/* error: 0, or an errno value: EIO (the device says so, or failed), ENXIO (not all of it on the disk), EROFS, EINVAL (anything
 * else that is wrong with the request), ENOTSUP. */
struct blk_completion {
  uint64_t id, error;
};

/* In the first page of the driver's area (P_area). Ends and reads only grow, and wrap; an entry's place is its number
 * modulo BLK_ENTRIES. An end is stored after the entries before it (release), and loaded before them (acquire).
 *
 * There is no order between requests that are on their way at the same time.
 *
 * The driver begins: it resets the device, which then is done with whatever one before it was told; sets sectors, flags and
 * completions_end (0), increments life, and notifies. It looks at no request until the other has seen that: that one sets
 * requests_end and completions_read to 0, adds again whatever was not answered, sets heard to life, and notifies. */
struct blk_ring {
  uint32_t requests_end, completions_read, heard; /* stored by the one above */
  uint32_t completions_end, life;                 /* stored by the driver, as the next two */
  uint32_t flags;
  uint64_t sectors;
  uint64_t refused; /* looks at a ring whose ends can't be: nothing was taken from it */
  struct blk_request request[BLK_ENTRIES];
  struct blk_completion completion[BLK_ENTRIES];
};
_Static_assert(sizeof(struct blk_ring) <= Q_PAGE_SIZE, "one page");
#define BLK_READ_ONLY 1 /* flags */

/* What the driver exits with if there is nothing to drive: */
#define BLK_NO_DISK 19 /* ENODEV: no virtio block device on virtio-mmio */
#define BLK_LEGACY 95  /* EOPNOTSUPP: there is one, of the layout before virtio 1.0 */

/* Where its registers are, a device of which nobody has a driver any more is silenced by this: 0 to the 32 bits at */
#define BLK_RESET 0x70

/* Notifications: to the driver's endpoint P_BIT_ABOVE when requests were added, from it P_BIT_BELOW when completions were, and
 * when it has begun. */
#endif
