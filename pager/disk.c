/* SPDX-License-Identifier: BSD-2-Clause */
/* See disk.h. A flight is one request of a store's user, from its beginning until store_done(). It waits in a list or is out in
 * the ring; when the driver dies, those that are out wait again, until the next instance has reset the device. */
#include "disk.h"

#include <assert.h>
#include <errno.h>

enum { FREE, WAITING, OUT };
#define SECTORS (Q_PAGE_SIZE / BLK_SECTOR)

static struct flight {
  void *cookie;
  uint64_t frame, id; /* the id is new each time it goes out; its low bits are its place here */
  uint32_t slot;
  uint8_t state, tries;
  bool write;
  uint8_t next; /* WAITING, FREE */
} * flights;
_Static_assert(DISK_FLIGHTS * sizeof *flights <= DISK_MEMORY && DISK_FLIGHTS == 256, "room, and `next` names any");

static struct blk_ring *ring;
static bool up; /* a driver lives, and has begun */
static uint32_t life, end, read;
static unsigned waiting, used;     /* flights */
static uint8_t first, last, spare; /* the first that waits, the last one; the first that is FREE */
static bool read_only, gone;
uint64_t disk_answers;

static int disk_write(uint32_t slot, uint64_t frame, void *cookie);
static int disk_read(uint32_t slot, uint64_t frame, void *cookie);
struct store store_disk = {.name = "disk", .write = disk_write, .read = disk_read};

void disk_begin(void *memory) {
  flights = memory;
  for (unsigned i = 0; i < DISK_FLIGHTS; i++)
    flights[i].next = (uint8_t)(i + 1);
}

/* ---- Out -------------------------------------------------------------------------------------------------------------- */
static void wait_in_line(struct flight *flight) {
  uint8_t i = (uint8_t)(flight - flights);
  flight->state = WAITING;
  if (waiting++)
    flights[last].next = i;
  else
    first = i;
  last = i;
}

static void send(struct flight *flight) {
  static uint64_t number;
  flight->state = OUT;
  flight->id = ++number * DISK_FLIGHTS + (uint64_t)(flight - flights);
  ring->request[end++ % BLK_ENTRIES] = (struct blk_request){.id = flight->id,
                                                            .sector = (uint64_t)flight->slot * SECTORS,
                                                            .address = flight->frame,
                                                            .bytes = Q_PAGE_SIZE,
                                                            .write = flight->write ? BLK_WRITE : BLK_READ};
}

/* As many as have room in the ring. */
static void send_all(void) {
  uint32_t before = end;
  while (up && waiting && end - read < BLK_ENTRIES) {
    struct flight *flight = &flights[first];
    first = flight->next;
    waiting--;
    send(flight);
  }
  if (end == before)
    return;
  __atomic_store_n(&ring->requests_end, end, __ATOMIC_RELEASE);
  disk_wake();
}

static int disk_go(uint32_t slot, uint64_t frame, void *cookie, bool write) {
  if (gone)
    return EIO;
  if (slot >= store_disk.slots)
    return ENXIO;
  if (write && read_only)
    return EROFS;
  if (used >= (write ? DISK_FLIGHTS / 2 : DISK_FLIGHTS))
    return EAGAIN;
  struct flight *flight = &flights[spare];
  spare = flight->next;
  used++;
  *flight = (struct flight){.cookie = cookie, .frame = frame, .slot = slot, .write = write};
  wait_in_line(flight);
  send_all();
  return STORE_LATER;
}

static int disk_write(uint32_t slot, uint64_t frame, void *cookie) {
  return disk_go(slot, frame, cookie, true);
}

static int disk_read(uint32_t slot, uint64_t frame, void *cookie) {
  return disk_go(slot, frame, cookie, false);
}

/* ---- Back ------------------------------------------------------------------------------------------------------------- */
/* Last: whoever hears of it may begin the next one. */
static void finish(struct flight *flight, int error) {
  flight->state = FREE;
  flight->next = spare;
  spare = (uint8_t)(flight - flights);
  used--;
  store_done(flight->cookie, error);
}

static void distrust(const char *why) {
  up = false;
  disk_distrust(why);
}

/* What it says may be changing still: one look at each thing. */
static bool take_one(void) {
  const volatile struct blk_completion *entry = &ring->completion[read % BLK_ENTRIES];
  uint64_t id = entry->id, error = entry->error;
  struct flight *flight = &flights[id % DISK_FLIGHTS];
  if (flight->state != OUT || flight->id != id)
    return false;
  __atomic_store_n(&ring->completions_read, ++read, __ATOMIC_RELEASE);
  disk_answers++;
  finish(flight, error < 256 ? (int)error : EIO);
  return true;
}

static void take_all_there_are(void) {
  uint32_t there = __atomic_load_n(&ring->completions_end, __ATOMIC_ACQUIRE);
  if (there - read > end - read)
    return distrust("it has answered more than it was asked");
  while (read != there)
    if (!take_one())
      return distrust("it has answered what it was not asked");
}

/* Those that were out wait again, in no particular order, unless they have died with the driver too often. */
static void bring_back(void) {
  for (struct flight *flight = flights; flight < flights + DISK_FLIGHTS; flight++)
    if (flight->state == OUT && ++flight->tries < DISK_TRIES)
      wait_in_line(flight);
}

static void fail_rest(void) {
  for (struct flight *flight = flights; flight < flights + DISK_FLIGHTS; flight++)
    if (flight->state == OUT)
      finish(flight, EIO);
}

static void driver_begins(uint32_t now) {
  uint64_t slots = ring->sectors / SECTORS;
  life = now;
  if (slots < store_disk.slots) {
    disk_too_small(slots);
    return;
  }
  read_only = ring->flags & BLK_READ_ONLY;
  end = read = 0;
  ring->completions_read = ring->requests_end = 0;
  __atomic_store_n(&ring->heard, life, __ATOMIC_RELEASE);
  bring_back();
  fail_rest(); /* before anything is out again */
  up = true;
}

void disk_heard(struct blk_ring *where) {
  ring = where;
  uint32_t now = __atomic_load_n(&ring->life, __ATOMIC_ACQUIRE);
  if (gone)
    return;
  if (now != life)
    driver_begins(now);
  else if (up)
    take_all_there_are();
  send_all();
}

void disk_driver_ended(void) {
  up = false;
  if (ring)
    ring->life = life; /* whatever it wrote there: the next one's is another */
}

void disk_given_up(void) {
  gone = true;
  up = false;
  waiting = 0;
  for (struct flight *flight = flights; flight < flights + DISK_FLIGHTS; flight++)
    if (flight->state != FREE)
      finish(flight, EIO);
}
