/* SPDX-License-Identifier: BSD-2-Clause */
/* A store in memory: it saves none, but makes pressure that can be measured. Its slots lie in a row, set aside at boot. With a
 * latency it takes so long for each page, however many are on their way: the content moves at once, the end is told later. */
#include "ram.h"

#include <assert.h>
#include <errno.h>

#include "space.h"

#define FLIGHTS 64 /* at a time */

static char *slots;
static uint64_t latency; /* ticks */
static struct flight {
  void *cookie;
  uint64_t due;
} flights[FLIGHTS];
static uint64_t begun, done; /* positions only grow */

static int go(uint32_t slot, uint64_t frame, void *cookie, bool write) {
  char *page = slots + (uint64_t)slot * Q_PAGE_SIZE;
  assert(slot < ram_store.slots);
  if (begun - done == FLIGHTS)
    return EAGAIN;
  if (write)
    copy_page(page, frame_data(frame));
  else
    copy_page(frame_data(frame), page);
  if (!latency)
    return 0;
  flights[begun++ % FLIGHTS] = (struct flight){cookie, backend_time() + latency};
  return STORE_LATER;
}

static int write(uint32_t slot, uint64_t frame, void *cookie) {
  return go(slot, frame, cookie, true);
}

static int read(uint32_t slot, uint64_t frame, void *cookie) {
  return go(slot, frame, cookie, false);
}

struct store ram_store = {.name = "ram", .write = write, .read = read};

void ram_begin(char *memory, uint64_t ticks) {
  slots = memory;
  latency = ticks;
}

uint64_t ram_due(void) {
  return begun == done ? 0 : flights[done % FLIGHTS].due;
}

bool ram_look(void) {
  uint64_t before = done, now = backend_time();
  while (begun != done && flights[done % FLIGHTS].due <= now)
    store_done(flights[done++ % FLIGHTS].cookie, 0);
  return done != before;
}
