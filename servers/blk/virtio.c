/* SPDX-License-Identifier: BSD-2-Clause */
/* See virtio.h; numbers in brackets are sections of the specification. Each request has three descriptors of its own: header,
 * data, status. What the device says is checked against what it was given, and never used as an address. */
#include "virtio.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

enum { /* registers [4.2.2] */
       MAGIC = 0x000,
       VERSION = 0x004,
       DEVICE_ID = 0x008,
       DEVICE_FEATURES = 0x010,
       DEVICE_FEATURES_SEL = 0x014,
       DRIVER_FEATURES = 0x020,
       DRIVER_FEATURES_SEL = 0x024,
       QUEUE_SEL = 0x030,
       QUEUE_NUM_MAX = 0x034,
       QUEUE_NUM = 0x038,
       QUEUE_READY = 0x044,
       QUEUE_NOTIFY = 0x050,
       INTERRUPT_STATUS = 0x060,
       INTERRUPT_ACK = 0x064,
       STATUS = 0x070,
       QUEUE_DESC = 0x080, /* each 64 bits, the lower half first */
       QUEUE_DRIVER = 0x090,
       QUEUE_DEVICE = 0x0a0,
       CONFIG_GENERATION = 0x0fc,
       CAPACITY = 0x100 /* [5.2.4] */
};
#define MAGIC_VALUE 0x74726976
#define ID_BLOCK 2
#define ACKNOWLEDGE 1 /* status [2.1] */
#define DRIVER 2
#define DRIVER_OK 4
#define FEATURES_OK 8
#define RUNNING (ACKNOWLEDGE | DRIVER | DRIVER_OK | FEATURES_OK)
#define FEATURE_RO (1u << 5)          /* [5.2.3] */
#define FEATURE_VERSION_1_HIGH 1u     /* bit 32 [6] */
#define PATIENCE 1000000              /* reads until a reset is over, or the capacity stands still */
enum { NEXT = 1, DEVICE_WRITES = 2 }; /* descriptors [2.7.5] */

struct descriptor {
  uint64_t address;
  uint32_t bytes;
  uint16_t flags, next;
};
struct header { /* [5.2.6] */
  uint32_t type, reserved;
  uint64_t sector;
};
struct queue {
  struct descriptor table[VIRTIO_QUEUE];
  struct {
    uint16_t flags, index, ring[VIRTIO_QUEUE];
  } available;
  struct {
    uint16_t flags, index;
    struct {
      uint32_t id, bytes;
    } ring[VIRTIO_QUEUE];
  } used __attribute__((aligned(4)));
  struct header header[VIRTIO_FLIGHTS];
  uint8_t status[VIRTIO_FLIGHTS];
};
_Static_assert(sizeof(struct queue) <= VIRTIO_MEMORY && VIRTIO_FLIGHTS * 3 <= VIRTIO_QUEUE, "it has room");

static struct flight {
  uint64_t id;
  uint32_t device_bytes; /* that the device has to write */
  bool busy;
} flights[VIRTIO_FLIGHTS];
static struct queue *queue;
static uint64_t queue_at; /* physical */
static unsigned size, limit, busy;
static uint16_t added, seen;
static uint64_t sectors;
static bool read_only;

/* ---- Beginning [3.1.1] ------------------------------------------------------------------------------------------------ */
static void put64(unsigned offset, uint64_t value) {
  device_put(offset, (uint32_t)value);
  device_put(offset + 4, (uint32_t)(value >> 32));
}

static bool reset(void) {
  device_put(STATUS, 0);
  for (unsigned i = 0; i < PATIENCE; i++)
    if (!device_get(STATUS))
      return true;
  return false;
}

static uint32_t offered(unsigned half) {
  device_put(DEVICE_FEATURES_SEL, half);
  return device_get(DEVICE_FEATURES);
}

static void accept(unsigned half, uint32_t features) {
  device_put(DRIVER_FEATURES_SEL, half);
  device_put(DRIVER_FEATURES, features);
}

static bool negotiate(void) {
  device_put(STATUS, ACKNOWLEDGE);
  device_put(STATUS, ACKNOWLEDGE | DRIVER);
  if (!(offered(1) & FEATURE_VERSION_1_HIGH))
    return false;
  uint32_t features = offered(0) & FEATURE_RO;
  read_only = features;
  accept(0, features);
  accept(1, FEATURE_VERSION_1_HIGH);
  device_put(STATUS, ACKNOWLEDGE | DRIVER | FEATURES_OK);
  return device_get(STATUS) == (ACKNOWLEDGE | DRIVER | FEATURES_OK);
}

static bool make_queue(void) {
  device_put(QUEUE_SEL, 0);
  uint32_t most = device_get(QUEUE_NUM_MAX);
  if (device_get(QUEUE_READY) || most < 4)
    return false;
  for (size = VIRTIO_QUEUE; size > most;)
    size /= 2;
  limit = size / 3 < VIRTIO_FLIGHTS ? size / 3 : VIRTIO_FLIGHTS;
  memset(queue, 0, sizeof *queue);
  added = seen = 0;
  device_put(QUEUE_NUM, size);
  put64(QUEUE_DESC, queue_at + offsetof(struct queue, table));
  put64(QUEUE_DRIVER, queue_at + offsetof(struct queue, available));
  put64(QUEUE_DEVICE, queue_at + offsetof(struct queue, used));
  device_put(QUEUE_READY, 1);
  return true;
}

/* Its two halves belong together if the generation was the same before and after [4.2.2.2]. */
static bool read_capacity(void) {
  for (unsigned i = 0; i < PATIENCE; i++) {
    uint32_t generation = device_get(CONFIG_GENERATION);
    sectors = device_get(CAPACITY) | (uint64_t)device_get(CAPACITY + 4) << 32;
    if (device_get(CONFIG_GENERATION) == generation)
      return true;
  }
  return false;
}

int virtio_begin(void *memory, uint64_t physical) {
  queue = memory;
  queue_at = physical;
  if (device_get(MAGIC) != MAGIC_VALUE || device_get(DEVICE_ID) != ID_BLOCK)
    return ENODEV;
  if (device_get(VERSION) != 2)
    return ENOTSUP;
  if (!reset() || !negotiate() || !make_queue() || !read_capacity())
    return EIO;
  device_put(STATUS, RUNNING);
  return device_get(STATUS) == RUNNING ? 0 : EIO;
}

uint64_t virtio_sectors(void) {
  return sectors;
}

bool virtio_read_only(void) {
  return read_only;
}

/* ---- Requests --------------------------------------------------------------------------------------------------------- */
bool virtio_room(void) {
  return busy < limit;
}

static struct descriptor part(uint64_t offset, uint32_t bytes, unsigned flags, unsigned next) {
  return (struct descriptor){queue_at + offset, bytes, (uint16_t)flags, (uint16_t)next};
}

void virtio_submit(const struct blk_request *r) {
  unsigned i = 0;
  while (flights[i].busy)
    i++;
  struct descriptor *d = &queue->table[3 * i];
  bool write = r->write == BLK_WRITE;
  flights[i] = (struct flight){r->id, write ? 1 : r->bytes + 1, true};
  busy++;
  queue->header[i] = (struct header){r->write, 0, r->sector}; /* BLK_* are its types */
  queue->status[i] = 0xff;
  d[0] = part(offsetof(struct queue, header) + i * sizeof *queue->header, sizeof *queue->header, NEXT, 3 * i + 1);
  d[1] = (struct descriptor){r->address, r->bytes, write ? NEXT : NEXT | DEVICE_WRITES, (uint16_t)(3 * i + 2)};
  d[2] = part(offsetof(struct queue, status) + i, 1, DEVICE_WRITES, 0);
  queue->available.ring[added++ % size] = (uint16_t)(3 * i);
  __atomic_store_n(&queue->available.index, added, __ATOMIC_RELEASE);
}

void virtio_go(void) {
  device_put(QUEUE_NOTIFY, 0);
}

/* ---- Answers ---------------------------------------------------------------------------------------------------------- */
/* [5.2.6]: 0 done, 1 failed, 2 not supported. Anything else, or less written than was asked for, is no answer. */
static int result(const struct flight *flight, uint8_t status, uint32_t written) {
  return status == 2 ? ENOTSUP : status || written < flight->device_bytes ? EIO : 0;
}

static void finish(unsigned i, int error, virtio_done *done) {
  flights[i].busy = false;
  busy--;
  done(flights[i].id, error);
}

const char *virtio_collect(virtio_done *done) {
  uint32_t why = device_get(INTERRUPT_STATUS);
  if (why)
    device_put(INTERRUPT_ACK, why);
  if (device_get(STATUS) != RUNNING)
    return "has reset itself, or asks to be reset";
  uint16_t end = __atomic_load_n(&queue->used.index, __ATOMIC_ACQUIRE);
  if ((uint16_t)(end - seen) > busy)
    return "has done more than it was asked to";
  for (; seen != end; seen++) {
    uint32_t id = queue->used.ring[seen % size].id, bytes = queue->used.ring[seen % size].bytes, i = id / 3;
    if (id % 3 || i >= limit || !flights[i].busy)
      return "has done what it was not asked to";
    finish(i, result(&flights[i], queue->status[i], bytes), done);
  }
  return why & 2 && !read_capacity() ? "cannot tell its size" : NULL;
}

void virtio_abandon(virtio_done *done) {
  for (unsigned i = 0; i < VIRTIO_FLIGHTS; i++)
    if (flights[i].busy)
      finish(i, EIO, done);
}
