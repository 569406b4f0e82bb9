/* SPDX-License-Identifier: BSD-2-Clause */
/* The driver of a disk, from the place above it, which otherwise is the pager's: serve=blk serve=t_blk[:readonly|:errors|:mortal].
 * tests/disk.py makes the disks. */
#include <errno.h>
#include <quire/blk.h>
#include <string.h>

#include "random.h"
#include "tap.h"

#define PAGES 64 /* of its own area: the first half is written from, the second read into */
#define HALF (PAGES / 2)
#define SECTORS 8192 /* of the disk that disk.py makes */
#define IDS 256
#define BAD_SECTOR 800 /* that errors.conf has fail */

static struct blk_ring *ring;
static char *pages;
static uint64_t pages_at; /* physical */
static uint32_t end, read, life;
static unsigned lives, repeated;
static struct {
  struct blk_request request;
  bool out;
  uint64_t error;
} flights[IDS];

/* ---- The pager's part ------------------------------------------------------------------------------------------------- */
static void go(void) {
  __atomic_store_n(&ring->requests_end, end, __ATOMIC_RELEASE);
  CHECK_EQ(q_notify(P_HANDLE_BELOW, P_BIT_ABOVE), 0);
}

static void send(unsigned id) {
  flights[id].out = true;
  flights[id].error = ~0ul;
  ring->request[end++ % BLK_ENTRIES] = flights[id].request;
}

static void add(unsigned id, unsigned write, uint64_t sector, unsigned page, uint32_t bytes) {
  flights[id].request = (struct blk_request){id, sector, pages_at + page * 4096ul, bytes, write};
  send(id);
}

static void driver_begins(void) {
  life = ring->life;
  lives++;
  end = read = 0;
  ring->requests_end = ring->completions_read = 0;
  __atomic_store_n(&ring->heard, life, __ATOMIC_RELEASE);
  for (unsigned id = 0; id < IDS; id++)
    if (flights[id].out) {
      send(id);
      repeated++;
    }
  go();
}

static void hear(void) {
  struct q_received m;
  q_recv(P_HANDLE_OWN, &m);
  CHECK_EQ(m.kind, Q_MSG_NOTIFY);
  CHECK_EQ(m.word[0], P_BIT_BELOW);
  if (__atomic_load_n(&ring->life, __ATOMIC_ACQUIRE) != life) {
    driver_begins();
    return;
  }
  for (uint32_t there = __atomic_load_n(&ring->completions_end, __ATOMIC_ACQUIRE); read != there;) {
    struct blk_completion c = ring->completion[read++ % BLK_ENTRIES];
    CHECK(c.id < IDS && flights[c.id].out);
    flights[c.id % IDS].out = false;
    flights[c.id % IDS].error = c.error;
  }
  ring->completions_read = read;
}

static bool all_done(void) {
  for (unsigned id = 0; id < IDS; id++)
    if (flights[id].out)
      return false;
  return true;
}

static void finish(void) {
  go();
  while (!all_done())
    hear();
}

static uint64_t one(unsigned write, uint64_t sector, unsigned page, uint32_t bytes) {
  add(0, write, sector, page, bytes);
  finish();
  return flights[0].error;
}

static void begin(void) {
  struct q_call c = {.label = P_area, .word = {PAGES}};
  struct q_received m;
  CHECK_EQ(q_call(P_HANDLE_PAGER, &c), 0);
  CHECK_EQ(c.label, 0);
  pages = (char *)c.word[0];
  pages_at = c.word[1];
  q_recv(P_HANDLE_OWN, &m); /* it has begun, so that its area is there */
  CHECK_EQ(m.word[0], P_BIT_BELOW);
  c = (struct q_call){.label = P_area, .word = {0, 1}};
  CHECK_EQ(q_call(P_HANDLE_PAGER, &c), 0);
  CHECK_EQ(c.label, 0);
  ring = (struct blk_ring *)c.word[0];
  driver_begins();
}

/* ---- What is on the disk ---------------------------------------------------------------------------------------------- */
/* The same in disk.py. */
static uint64_t word_of(uint64_t sector, unsigned word, uint64_t seed) {
  return (sector * 64 + word + seed) * 0x9e3779b97f4a7c15;
}

static void fill(void *at, uint64_t sector, unsigned count, uint64_t seed) {
  for (unsigned i = 0; i < count * 64; i++)
    ((uint64_t *)at)[i] = word_of(sector + i / 64, i % 64, seed);
}

static bool is_filled(const void *at, uint64_t sector, unsigned count, uint64_t seed) {
  for (unsigned i = 0; i < count * 64; i++)
    if (((const uint64_t *)at)[i] != word_of(sector + i / 64, i % 64, seed))
      return false;
  return true;
}

static char *page(unsigned number) {
  return pages + number * 4096ul;
}

/* ---- Tests ------------------------------------------------------------------------------------------------------------ */
static void says_what_it_is(void) {
  CHECK_EQ(lives, 1);
  CHECK_EQ(ring->sectors, SECTORS);
  CHECK_EQ(ring->flags, 0);
}

static void write_all(uint64_t seed) {
  for (uint64_t sector = 0; sector < SECTORS; sector += HALF * 8) {
    for (unsigned i = 0; i < HALF; i++) {
      fill(page(i), sector + i * 8, 8, seed);
      add(i, BLK_WRITE, sector + i * 8, i, 4096);
    }
    finish();
    for (unsigned i = 0; i < HALF; i++)
      CHECK_EQ(flights[i].error, 0);
  }
}

/* As many as the ring holds, at once. */
static void read_all(uint64_t seed) {
  for (uint64_t sector = 0; sector < SECTORS; sector += PAGES * 8) {
    memset(pages, 0, PAGES * 4096);
    for (unsigned i = 0; i < PAGES; i++)
      add(i, BLK_READ, sector + i * 8, i, 4096);
    finish();
    for (unsigned i = 0; i < PAGES; i++) {
      CHECK_EQ(flights[i].error, 0);
      CHECK(is_filled(page(i), sector + i * 8, 8, seed));
    }
  }
}

static void all_of_it_read_again(void) {
  write_all(1);
  read_all(1);
}

/* Reads and writes on their way together, of parts of the disk that have nothing in common. */
static void all_sizes_together(void) {
  static uint64_t seed[HALF];
  random_begin(3);
  for (unsigned part = 0; part < HALF; part++)
    seed[part] = 1;
  for (unsigned round = 0; round < 300; round++) {
    unsigned count[HALF], from[HALF];
    bool write[HALF];
    for (unsigned part = 0; part < HALF; part++) {
      uint64_t start = part * 8;
      count[part] = 1 + below(8), from[part] = below(9 - count[part]), write[part] = below(2) && count[part] == 8;
      if (write[part])
        fill(page(part), start, 8, seed[part] = round + 2);
      add(part, write[part], start + from[part], write[part] ? part : HALF + part, count[part] * BLK_SECTOR);
    }
    finish();
    for (unsigned part = 0; part < HALF; part++) {
      CHECK_EQ(flights[part].error, 0);
      CHECK(write[part] || is_filled(page(HALF + part), part * 8 + from[part], count[part], seed[part]));
    }
  }
  for (unsigned part = 0; part < HALF; part++) {
    fill(page(part), part * 8, 8, 1);
    add(part, BLK_WRITE, part * 8, part, 4096);
  }
  finish();
}

static void the_longest(void) {
  CHECK_EQ(one(BLK_READ, 256, HALF, BLK_BYTES), 0);
  CHECK(is_filled(page(HALF), 256, BLK_BYTES / BLK_SECTOR, 1));
}

static void outside_the_disk(void) {
  static const uint64_t sectors[] = {SECTORS, SECTORS - 7, SECTORS + 1, 1ul << 55, (1ul << 55) - 8, ~0ul, ~0ul - 7};
  memset(page(HALF), 0x55, 4096);
  for (unsigned i = 0; i < sizeof sectors / sizeof *sectors; i++) {
    CHECK_EQ(one(BLK_READ, sectors[i], HALF, 4096), ENXIO);
    CHECK_EQ(one(BLK_WRITE, sectors[i], HALF, 4096), ENXIO);
  }
  for (unsigned i = 0; i < 4096; i++)
    CHECK_EQ(page(HALF)[i], 0x55);
  CHECK_EQ(one(BLK_READ, SECTORS - 8, HALF, 4096), 0);
  CHECK(is_filled(page(HALF), SECTORS - 8, 8, 1));
}

static void requests_that_are_none(void) {
  static const uint32_t bytes[] = {0, 1, 511, 513, BLK_BYTES + 512, 0xfffffe00, ~0u};
  for (unsigned i = 0; i < sizeof bytes / sizeof *bytes; i++)
    CHECK_EQ(one(BLK_READ, 0, HALF, bytes[i]), EINVAL);
  for (unsigned what = 2; what < 16; what++)
    CHECK_EQ(one(what, 0, HALF, 512), EINVAL);
  flights[0].request = (struct blk_request){0, 0, ~0ul - 511, 4096, BLK_READ};
  send(0);
  finish();
  CHECK_EQ(flights[0].error, EINVAL);
}

/* Nothing is taken from a ring whose ends can't be, and all goes on when they can. */
static void ends_that_cannot_be(void) {
  uint32_t ends[] = {end + BLK_ENTRIES + 1, end - 1, end + 0x80000000}, reads[] = {read + 1, read - BLK_ENTRIES - 1};
  uint64_t refused = ring->refused;
  for (unsigned i = 0; i < 3; i++) {
    ring->requests_end = ends[i];
    q_notify(P_HANDLE_BELOW, P_BIT_ABOVE);
    refused++;
    WAIT_FOR(ring->refused == refused);
  }
  ring->requests_end = end;
  for (unsigned i = 0; i < 2; i++) {
    ring->completions_read = reads[i];
    q_notify(P_HANDLE_BELOW, P_BIT_ABOVE);
    refused++;
    WAIT_FOR(ring->refused == refused);
  }
  ring->completions_read = read;
  CHECK_EQ(ring->completions_end, read);
  CHECK_EQ(one(BLK_READ, 8, HALF, 4096), 0);
  CHECK(is_filled(page(HALF), 8, 8, 1));
}

/* The disk's registers: a driver of a bus master is trusted, and so is who stands above it here. */
static volatile uint32_t *find_device(void) {
  for (uint64_t which = 1; which <= Q_BOOT_VIRTIO; which++) {
    struct q_call c = {.label = P_device, .word = {which}};
    if (!q_call(P_HANDLE_PAGER, &c) && !c.label && ((volatile uint32_t *)c.word[0])[2] == 2)
      return (volatile uint32_t *)c.word[0];
  }
  return NULL;
}

/* What was asked of it fails, and then it works again. */
static void device_resets_itself(void) {
  volatile uint32_t *device = find_device();
  CHECK(device != NULL);
  for (unsigned round = 0; device && round < 10; round++) {
    for (unsigned i = 0; i < 10; i++)
      add(i, BLK_READ, i * 8, HALF + i, 4096);
    if (round % 2)
      go();
    device[BLK_RESET / 4] = 0;
    finish();
    CHECK_EQ(lives, 1);
    for (unsigned i = 0; i < 10; i++)
      CHECK(flights[i].error == 0 || flights[i].error == EIO);
    CHECK_EQ(one(BLK_READ, 16, HALF, 4096), 0);
    CHECK(is_filled(page(HALF), 16, 8, 1));
  }
}

static void calls_are_refused(void) {
  struct q_call c = {.label = 1};
  CHECK_EQ(q_call(P_HANDLE_BELOW, &c), 0);
  CHECK_EQ(c.label, ENOSYS);
}

static void areas(void) {
  static const uint64_t wrong[] = {0, P_AREA_MAX + 1, PAGES - 1, ~0ul};
  for (unsigned i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    struct q_call c = {.label = P_area, .word = {wrong[i]}};
    CHECK_EQ(q_call(P_HANDLE_PAGER, &c), 0);
    CHECK_EQ(c.label, EINVAL);
  }
  struct q_call c = {.label = P_area, .word = {PAGES}};
  CHECK_EQ(q_call(P_HANDLE_PAGER, &c), 0);
  CHECK_EQ(c.label, 0);
  CHECK_EQ(c.word[0], pages);
  CHECK_EQ(c.word[1], pages_at);
  c = (struct q_call){.label = P_device, .word = {Q_BOOT_VIRTIO + 1}};
  CHECK_EQ(q_call(P_HANDLE_PAGER, &c), 0);
  CHECK_EQ(c.label, ENODEV);
}

static const struct test tests[] = {
    {"it says what it is", says_what_it_is},      {"all of it written and read again", all_of_it_read_again},
    {"all sizes together", all_sizes_together},   {"the longest request", the_longest},
    {"outside the disk", outside_the_disk},       {"requests that are none", requests_that_are_none},
    {"ends that cannot be", ends_that_cannot_be}, {"a device that resets itself", device_resets_itself},
    {"calls are refused", calls_are_refused},     {"areas and devices that are not there", areas},
};

/* ---- Other disks, and another driver ---------------------------------------------------------------------------------- */
static void writes_are_refused(void) {
  CHECK_EQ(ring->flags, BLK_READ_ONLY);
  CHECK_EQ(one(BLK_WRITE, 0, 0, 4096), EROFS);
  read_all(1);
}

static const struct test readonly[] = {{"a disk that is only to be read", writes_are_refused}};

/* The others of the same batch are done. (QEMU makes one request of neighbours, which then fails as a whole.) */
static void one_sector_fails(void) {
  for (unsigned write = 0; write < 2; write++) {
    for (unsigned i = 0; i < HALF; i++) {
      uint64_t sector = BAD_SECTOR - 160 + i * 16;
      fill(page(i), sector, 8, 1);
      add(i, write, sector, write ? i : HALF + i, 4096);
    }
    finish();
    for (unsigned i = 0; i < HALF; i++) {
      bool bad = i == 10;
      CHECK_EQ(flights[i].error, bad ? EIO : 0);
      CHECK(bad || write || is_filled(page(HALF + i), BAD_SECTOR - 160 + i * 16, 8, 1));
    }
  }
}

static const struct test errors[] = {{"a sector that fails", one_sector_fails}};

/* It dies in the midst of it, four times (mortal_blk.c); what was not answered then is asked once more. */
static void driver_dies(void) {
  write_all(5);
  for (unsigned round = 0; round < 5; round++)
    read_all(5);
  CHECK_EQ(lives, 5);
  CHECK(repeated > 0);
  printf("# %u requests were repeated\n", repeated);
}

static const struct test mortal[] = {{"a driver that dies", driver_dies}};

void tap_before(bool first) {
  (void)first;
}
void tap_after(void) {
}

int main(int argc, char **argv) {
  const char *which = argc > 1 ? argv[1] : "";
  begin();
  return !strcmp(which, "readonly") ? TAP_RUN("blk", readonly)
         : !strcmp(which, "errors") ? TAP_RUN("blk", errors)
         : !strcmp(which, "mortal") ? TAP_RUN("blk", mortal)
                                    : TAP_RUN("blk", tests);
}
