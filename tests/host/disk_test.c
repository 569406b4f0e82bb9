/* SPDX-License-Identifier: BSD-2-Clause */
/* disk_test [STEPS]: pager/disk.c against a model of the driver, which is honest, or dies, or writes rubbish; and of the store's user,
 * who begins as much as he can. Whatever happens, each request ends once, and none of an honest driver's goes wrong. TAP. */
#include "check.h"
#include "disk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../guest/random.h"

#define SLOTS 500
#define FRAMES 400
#define FRAME(i) (0x80000000ul + (i)*4096ul)
#define NOBODY ~0u

static struct blk_ring ring;

/* ---- The user: a frame is at most once on its way, and so is a slot --------------------------------------------------- */
static struct use {
  bool busy, write;
  uint32_t slot;
  unsigned seen; /* by how many drivers */
} uses[FRAMES];
static bool slot_busy[SLOTS];
static uint32_t content[FRAMES], on_disk[SLOTS], wanted[SLOTS]; /* wanted: what was last written, 0: not known */
static unsigned busy, ended, failed;
static bool lies; /* completions may be made up */
static uint32_t fresh;

static int begin_some(void) {
  unsigned f = (unsigned)below(FRAMES);
  uint32_t slot = (uint32_t)below(SLOTS);
  bool write = below(2);
  if (uses[f].busy || slot_busy[slot])
    return 0;
  content[f] = write ? ++fresh : 0xdead;
  int result = (write ? store_disk.write : store_disk.read)(slot, FRAME(f), &uses[f]);
  if (result != STORE_LATER)
    return result;
  uses[f] = (struct use){.busy = true, .write = write, .slot = slot};
  slot_busy[slot] = true;
  busy++;
  return 0;
}

void store_done(void *cookie, int error) {
  struct use *use = cookie;
  unsigned f = (unsigned)(use - uses);
  CHECK(use->busy);
  use->busy = slot_busy[use->slot] = false;
  busy--;
  ended++;
  failed += error != 0;
  CHECK(error >= 0 && error < 256);
  if (error || lies)
    wanted[use->slot] = 0;
  else if (use->write)
    wanted[use->slot] = content[f];
  else
    CHECK(!wanted[use->slot] || content[f] == wanted[use->slot]);
  if (below(2))
    begin_some(); /* from within */
}

/* ---- The driver ------------------------------------------------------------------------------------------------------- */
static struct blk_request held[BLK_ENTRIES];
static unsigned holds, wakes;
static uint32_t taken, done, life;
static bool lives, begun;
static const char *distrusted;

void disk_wake(void) {
  wakes++;
}

static void die(void) {
  lives = begun = false;
  holds = 0;
  disk_driver_ended();
}

static uint64_t too_small;
void disk_too_small(uint64_t pages) {
  too_small = pages;
  disk_given_up();
}

void disk_distrust(const char *why) {
  distrusted = why;
  die();
}

static void driver_begin(uint64_t sectors) {
  ring.sectors = sectors;
  ring.flags = 0;
  ring.completions_end = taken = done = 0;
  life = ++ring.life;
  lives = begun = true;
  disk_heard(&ring);
}

static void take(void) {
  if (ring.heard != life)
    return;
  CHECK(ring.requests_end - ring.completions_read <= BLK_ENTRIES);
  while (taken != ring.requests_end && holds < BLK_ENTRIES) {
    struct blk_request r = ring.request[taken++ % BLK_ENTRIES];
    unsigned f = (unsigned)((r.address - FRAME(0)) / 4096);
    CHECK(r.address % 4096 == 0 && f < FRAMES && r.bytes == 4096 && r.sector % 8 == 0 && r.sector / 8 < SLOTS);
    CHECK(uses[f].busy && uses[f].write == r.write && uses[f].slot == r.sector / 8);
    CHECK(++uses[f].seen <= DISK_TRIES);
    held[holds++] = r;
  }
}

static void put_done(uint64_t id, uint64_t error) {
  ring.completion[done++ % BLK_ENTRIES] = (struct blk_completion){id, error};
  ring.completions_end = done;
}

static void do_one(void) {
  unsigned i = (unsigned)below(holds), f = (unsigned)((held[i].address - FRAME(0)) / 4096);
  uint64_t slot = held[i].sector / 8, error = chance(20) ? EIO : 0;
  if (!error && held[i].write)
    on_disk[slot] = content[f];
  else if (!error)
    content[f] = on_disk[slot];
  put_done(held[i].id, error);
  held[i] = held[--holds];
}

static void honest(void) {
  take();
  for (uint64_t n = below(40); n && holds; n--)
    do_one();
  disk_heard(&ring);
}

static void drain(void) {
  lies = false;
  if (!lives)
    driver_begin(SLOTS * 8);
  for (unsigned i = 0; i < 10000 && busy; i++) {
    take();
    while (holds)
      do_one();
    disk_heard(&ring);
  }
  CHECK(!busy);
}

/* ---- Tests ------------------------------------------------------------------------------------------------------------ */
static void before_the_driver(void) {
  CHECK(store_disk.read(0, FRAME(0), NULL) == ENXIO && store_disk.write(0, FRAME(0), NULL) == ENXIO);
  store_disk.slots = SLOTS;
  while (busy < 10)
    CHECK(!begin_some());
  driver_begin(SLOTS * 8 + 7);
  CHECK(ring.requests_end == 10);
  drain();
  CHECK(store_disk.read(SLOTS, FRAME(0), NULL) == ENXIO && store_disk.read(~0u, FRAME(0), NULL) == ENXIO);
  report("what is begun before the driver has waits");
}

static void as_many_as_there_is_room(void) {
  unsigned tries = 0, full = 0;
  for (; tries < 100000; tries++) {
    int result = begin_some();
    CHECK(!result || (result == EAGAIN && busy >= DISK_FLIGHTS / 2));
    full += result == EAGAIN;
  }
  CHECK(full && busy == DISK_FLIGHTS && wakes);
  CHECK(ring.requests_end - ring.completions_read == BLK_ENTRIES);
  drain();
  report("as many as there is room for");
}

static void an_honest_driver(unsigned steps) {
  unsigned before = ended;
  for (unsigned i = 0; i < steps; i++) {
    for (unsigned n = 0; n < 20; n++)
      begin_some();
    honest();
  }
  drain();
  CHECK(ended - before > steps);
  report("an honest driver");
}

/* An answer that the one before it owed, to a request that is there again; and what comes after that is not looked at. */
static void an_answer_from_a_former_life(void) {
  while (busy < 2)
    begin_some();
  take();
  uint64_t old = held[0].id;
  die();
  driver_begin(SLOTS * 8);
  take();
  distrusted = NULL;
  unsigned before = ended;
  CHECK(holds == busy);
  put_done(old, 0);
  disk_heard(&ring);
  CHECK(distrusted && ended == before);
  disk_heard(&ring);
  CHECK(ended == before);
  driver_begin(SLOTS * 8);
  drain();
  report("an answer from a former life");
}

/* What it took back before it died must not make the next one look like the one before. */
static void one_that_lies_about_its_life(void) {
  while (busy < BLK_ENTRIES)
    begin_some();
  ring.life = life - 1;
  die();
  driver_begin(SLOTS * 8);
  drain();
  report("one that lies about its life");
}

/* Nothing of that counts: the next one says what has been done. */
static void what_was_said_beside_rubbish(void) {
  while (busy < 2)
    begin_some();
  take();
  unsigned before = ended;
  put_done(~0ul, 0);
  disk_heard(&ring);
  for (unsigned i = 0; i < BLK_ENTRIES; i++)
    ring.completion[i] = (struct blk_completion){held[0].id, 0};
  disk_heard(&ring);
  CHECK(ended == before);
  driver_begin(SLOTS * 8);
  drain();
  report("what is said beside rubbish");
}

/* One that dies is followed by another; what it had begun may be done or not, which is the same to a page. */
static void one_that_dies(unsigned steps) {
  unsigned before = ended, deaths = 0;
  for (unsigned i = 0; i < steps; i++) {
    for (unsigned n = 0; n < 20; n++)
      begin_some();
    if (chance(4)) {
      take();
      die();
      deaths++;
      for (uint64_t n = below(3); n; n--)
        begin_some();
      disk_heard(&ring); /* what it had said before it died */
      driver_begin(SLOTS * 8);
    }
    honest();
  }
  drain();
  CHECK(ended - before > steps && deaths);
  report("one that dies");
}

static void one_that_dies_of_everything(void) {
  while (busy < BLK_ENTRIES / 2)
    begin_some();
  unsigned bad = failed, there = busy;
  for (unsigned i = 0; i < DISK_TRIES; i++) {
    CHECK(failed == bad);
    take();
    CHECK(holds == there);
    die();
    driver_begin(SLOTS * 8);
  }
  CHECK(failed == bad + there);
  drain();
  report("a request fails with the third driver that it kills");
}

static void rubbish(void) {
  uint8_t *bytes = (uint8_t *)&ring;
  switch (below(6)) {
  case 0:
    ring.completions_end = (uint32_t)next_random();
    break;
  case 1:
    put_done(next_random(), next_random());
    break;
  case 2:
    put_done(holds ? held[0].id : 0, next_random() << below(64)); /* and once more later */
    break;
  case 3:
    put_done(holds ? held[0].id ^ 1ull << below(64) : 1, 0);
    break;
  case 4:
    bytes[below(sizeof ring)] ^= (uint8_t)(1 << below(8));
    break;
  default:
    for (unsigned i = 0; i < sizeof ring; i++)
      bytes[i] = (uint8_t)next_random();
  }
  disk_heard(&ring);
}

static void one_that_writes_rubbish(unsigned steps) {
  unsigned noticed = 0;
  for (unsigned i = 0; i < steps; i++) {
    lies = true;
    distrusted = NULL;
    for (unsigned n = 0; n < 20; n++)
      begin_some();
    take();
    for (unsigned f = 0; f < FRAMES; f++)
      uses[f].seen = 0; /* what it says of its life is rubbish, too */
    rubbish();
    noticed += distrusted != NULL;
    if (lives)
      die();
    driver_begin(SLOTS * 8);
    if (chance(8))
      drain();
  }
  CHECK(noticed > steps / 4);
  drain();
  report("one that writes rubbish");
}

static void two_kinds_of_rubbish(void) {
  distrusted = NULL;
  ring.completions_end += BLK_ENTRIES + 1;
  disk_heard(&ring);
  CHECK(distrusted && strstr(distrusted, "more than"));
  driver_begin(SLOTS * 8);
  while (!busy)
    begin_some();
  distrusted = NULL;
  put_done(12345, 0);
  disk_heard(&ring);
  CHECK(distrusted && strstr(distrusted, "not asked"));
  drain();
  report("what is said of rubbish");
}

static void a_disk_that_is_only_to_be_read(void) {
  die();
  ring.sectors = SLOTS * 8;
  ring.completions_end = taken = done = 0;
  ring.flags = BLK_READ_ONLY;
  life = ++ring.life;
  disk_heard(&ring);
  CHECK(store_disk.write(0, FRAME(0), &uses[0]) == EROFS);
  die();
  driver_begin(SLOTS * 8);
  report("a disk that is only to be read");
}

static void no_driver_any_more(void) {
  while (busy < BLK_ENTRIES + BLK_ENTRIES / 2)
    begin_some();
  unsigned bad = failed, there = busy;
  die();
  driver_begin(SLOTS * 8 - 1);
  CHECK(too_small == SLOTS - 1);
  CHECK(!busy && failed == bad + there);
  CHECK(store_disk.read(0, FRAME(0), &uses[0]) == EIO);
  disk_heard(&ring);
  report("a disk that is smaller than it should be, and no driver any more");
}

int main(int argc, char **argv) {
  unsigned steps = argc > 1 ? (unsigned)atoi(argv[1]) : 20000;
  random_begin(1);
  printf("1..12\n");
  disk_begin(calloc(1, DISK_MEMORY));
  before_the_driver();
  as_many_as_there_is_room();
  an_honest_driver(steps);
  one_that_dies(steps);
  one_that_dies_of_everything();
  an_answer_from_a_former_life();
  one_that_lies_about_its_life();
  what_was_said_beside_rubbish();
  one_that_writes_rubbish(steps);
  two_kinds_of_rubbish();
  a_disk_that_is_only_to_be_read();
  no_driver_any_more();
  return failures != 0;
}
