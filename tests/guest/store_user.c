/* SPDX-License-Identifier: BSD-2-Clause */
/* Linked into a pager (store_pager): a user of the store disk, who writes all of it, reads it again, compares, says what came out,
 * and turns the machine off. He begins when the driver has (--wrap=disk_heard), and asks again for what fails. */
#include <errno.h>

#include "disk.h"
#include "shell.h"

#define FRAMES 300 /* more than can be on their way */

void __real_disk_heard(struct blk_ring *ring);
void __wrap_disk_heard(struct blk_ring *ring);
void __wrap_store_done(void *cookie, int error); /* in place of the pools' */

static struct use {
  uint64_t frame;
  uint32_t slot;
} uses[FRAMES], *spare[FRAMES];
static uint32_t next, again[FRAMES]; /* slots */
static unsigned spares, agains, underway, full, failed, wrong;
static bool reading;

/* As in t_blk.c and disk.py. */
static uint64_t word_of(uint32_t slot, unsigned word) {
  return (slot * 512ul + word + 1) * 0x9e3779b97f4a7c15;
}

static void fill(const struct use *use) {
  uint64_t *words = frame_data(use->frame);
  for (unsigned i = 0; i < 512; i++)
    words[i] = reading ? 0 : word_of(use->slot, i);
}

static bool is_filled(const struct use *use) {
  const uint64_t *words = frame_data(use->frame);
  for (unsigned i = 0; i < 512; i++)
    if (words[i] != word_of(use->slot, i))
      return false;
  return true;
}

static int begin(uint32_t slot) {
  struct use *use = spare[spares - 1];
  use->slot = slot;
  fill(use);
  int error = (reading ? store_disk.read : store_disk.write)(slot, use->frame, use);
  if (error != STORE_LATER) {
    again[agains++] = slot;
    return error;
  }
  spares--;
  underway++;
  return 0;
}

static void begin_all(void) {
  int error = 0;
  while (!error && spares && (agains || next < store_disk.slots))
    error = begin(agains ? again[--agains] : next++);
  full += error == EAGAIN;
  wrong += error && error != EAGAIN;
}

static void go_on(void) {
  begin_all();
  if (underway)
    return;
  if (!reading && !wrong) {
    reading = true;
    next = 0;
    begin_all();
    return;
  }
  say("store: %u pages written and read, %s, %s, %u wrong", store_disk.slots, full ? "full at times" : "never full",
      failed ? "some failed first" : "none failed", wrong);
  for (;;)
    q_machine_off(boot->machine, wrong != 0);
}

void __wrap_store_done(void *cookie, int error) {
  struct use *use = cookie;
  underway--;
  spare[spares++] = use;
  if (error)
    again[agains++] = use->slot;
  else
    wrong += reading && !is_filled(use);
  failed += error != 0;
  go_on();
}

void __wrap_disk_heard(struct blk_ring *ring) {
  __real_disk_heard(ring);
  if (uses[0].frame)
    return;
  for (spares = 0; spares < FRAMES; spares++) {
    uses[spares].frame = frame_get_own();
    spare[spares] = &uses[spares];
  }
  go_on();
}
