/* SPDX-License-Identifier: BSD-2-Clause */
/* The pager's frames under random requests, against a model that holds one word for each frame. RAM is a few blocks, the
 * last one not whole; what is free at boot is a few ranges, in any order; some blocks are the kernel's from the start. */
#include "frames.h"

#include <sanitizer/asan_interface.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK 512u
#define RAM_FRAMES (5 * BLOCK + 100)
#define RAM_BASE 0x80000000ul

#define MUST(condition)                                                                                              \
  do {                                                                                                               \
    if (!(condition))                                                                                                \
      abort();                                                                                                       \
  } while (0)

enum what { NOT_OURS, OURS_FREE, OURS_USED, LINKS, KERNELS }; /* KERNELS: may come back as a whole block */
static uint8_t what[RAM_FRAMES], *ram;
static uint64_t had;                  /* frames that were ours at some time */
static bool lent[RAM_FRAMES / BLOCK]; /* a block of the kernel's that was ours before */

static uint64_t address(unsigned n) {
  return RAM_BASE + n * 4096ul;
}

static unsigned count(enum what kind) {
  unsigned sum = 0;
  for (unsigned n = 0; n < RAM_FRAMES; n++)
    sum += what[n] == kind;
  return sum;
}

static bool whole(unsigned block, enum what kind) {
  for (unsigned n = block * BLOCK; n < (block + 1) * BLOCK; n++)
    if (n >= RAM_FRAMES || what[n] != kind)
      return false;
  return true;
}

/* ---- What must hold ---- */
static unsigned check_list(uint32_t head, enum frame_state state) {
  unsigned length = 0;
  for (uint32_t at = head, before = 0; at; before = at, at = frames.link[at - 1].next, length++) {
    MUST(at <= RAM_FRAMES && length < RAM_FRAMES);
    MUST(frames.state[at - 1] == state && frames.link[at - 1].prev == before);
  }
  return length;
}

/* What holds links now is no longer to be had; there is at most one frame for each block, and those set aside. */
static void learn_tables(void) {
  unsigned tables = 0;
  for (unsigned n = 0; n < RAM_FRAMES; n++) {
    if (frames.state[n] == STATE_OWN && what[n] == OURS_FREE)
      what[n] = LINKS;
    tables += what[n] == LINKS;
    MUST((what[n] == LINKS) == (frames.state[n] == STATE_OWN));
  }
  MUST(tables == frames.tables && frames.own == tables && tables <= RAM_FRAMES / BLOCK + 1 + 7);
}

static void check(void) {
  learn_tables();
  unsigned states[STATE_DONATED + 1] = {0}, in_block[RAM_FRAMES / BLOCK + 1] = {0};
  bool reserve = false, hot[RAM_FRAMES] = {false};
  for (const struct stock *stock = stocks; stock < stocks + frames.stock_count; stock++) {
    MUST(stock->hot - stock->hot_stack <= FRAMES_HOT && stock->cold - stock->cold_stack <= FRAMES_HOT);
    for (const uint64_t *pa = stock->hot; *pa; pa--)
      hot[frame_number(*pa)] = true;
    for (const uint64_t *pa = stock->cold; *pa; pa--)
      hot[frame_number(*pa)] = true;
  }
  for (unsigned n = 0; n < RAM_FRAMES; n++) {
    enum frame_state state = frames.state[n];
    bool spare = state == STATE_VIRGIN || state == STATE_FREE || state == STATE_READY;
    MUST(state <= STATE_DONATED);
    states[state]++;
    in_block[n / BLOCK] += spare;
    MUST((spare || state == STATE_RESERVE || hot[n]) == (what[n] == OURS_FREE));
    MUST((state == STATE_USED || state == STATE_CACHED) == (what[n] == OURS_USED || hot[n]));
    MUST(state != STATE_VIRGIN || n >= frames.virgin);
    if (state == STATE_RESERVE)
      MUST(frames.reserve == address(n / BLOCK * BLOCK));
    reserve = reserve || state == STATE_RESERVE;
  }
  for (unsigned block = 0; block <= RAM_FRAMES / BLOCK; block++)
    MUST(frames.block_free[block] == in_block[block]);
  MUST(check_list(frames.free, STATE_FREE) == states[STATE_FREE]);
  MUST(check_list(frames.ready, STATE_READY) == states[STATE_READY]);
  MUST(states[STATE_RESERVE] == (reserve ? BLOCK : 0) && reserve == (frames.reserve != 0));
  MUST(frames_available() == count(OURS_FREE) && frames.total == had);
  MUST(frames.zeroed == states[STATE_READY] && frames.made_ready >= frames_hot() + frames.zeroed + frames.idly);
}

static void check_zero(uint64_t pa) {
  static const uint8_t zero[4096];
  MUST(!memcmp(frame_data(pa), zero, sizeof zero));
}

/* ---- Requests ---- */
static bool take(bool slow, bool zero, unsigned spare) {
  uint64_t tables = frames.tables, pa = slow ? frame_take_slow(zero) : frame_take_zeroed();
  MUST(spare ? pa || frames.tables - tables >= spare : !pa);
  if (!pa)
    return false;
  MUST(pa % 4096 == 0 && frame_number(pa) < RAM_FRAMES && what[frame_number(pa)] == OURS_FREE);
  if (!slow || zero)
    check_zero(pa);
  memset(frame_data(pa), 0x55, 4096);
  what[frame_number(pa)] = OURS_USED;
  return true;
}

static bool to_be_had(unsigned n) { /* free, and neither set aside nor hot */
  return what[n] == OURS_FREE && frames.state[n] != STATE_RESERVE && frames.state[n] != STATE_USED &&
         frames.linked[n / BLOCK];
}

static void take_run(unsigned most) {
  unsigned spare = count(OURS_FREE) - (frames.reserve ? BLOCK : 0);
  uint64_t pa;
  uint64_t tables = frames.tables;
  bool ready = frames.ready || frames_hot();
  unsigned got = frames_take_run(most, &pa);
  learn_tables();
  MUST(got <= most && (spare ? got || frames.tables - tables >= spare : !got));
  for (unsigned i = 0; i < got; i++) {
    unsigned n = (unsigned)frame_number(pa) + i;
    MUST(what[n] == OURS_FREE && frames.state[n] == STATE_USED);
    check_zero(address(n));
    what[n] = OURS_USED;
  }
  if (!got)
    return;
  if (ready) /* of those alone */
    return;
  unsigned first = (unsigned)frame_number(pa), end = first + got; /* a short run has no neighbour to be had */
  MUST(got == most || !first || !to_be_had(first - 1));
  MUST(got == most || end == RAM_FRAMES || !to_be_had(end));
  memset(frame_data(pa), 0x55, got * 4096ul);
}

static bool has_fresh_block(void) {
  for (unsigned first = 0, n; first + BLOCK <= RAM_FRAMES; first += BLOCK) {
    for (n = first; n < first + BLOCK && what[n] == OURS_FREE && frames.state[n] == STATE_VIRGIN; n++)
      ;
    if (n == first + BLOCK && !frames.linked[first / BLOCK])
      return true;
  }
  return false;
}

/* Found wherever there is one, of whatever is to be had; in a block that was never used there is. */
static void take_row(unsigned count) {
  unsigned run = 0;
  uint64_t tables = frames.tables;
  frames_cool();
  for (unsigned n = 0; n < RAM_FRAMES && run < count; n++)
    run = to_be_had(n) ? run + 1 : 0;
  uint64_t pa = frames_take_row(count);
  learn_tables();
  MUST(pa || run < count || frames.tables > tables);
  MUST(pa || !has_fresh_block());
  for (unsigned i = 0; pa && i < count; i++) {
    unsigned n = (unsigned)frame_number(pa) + i;
    MUST(what[n] == OURS_FREE && frames.state[n] == STATE_USED);
    check_zero(address(n));
    what[n] = OURS_USED;
    memset(frame_data(address(n)), 0x55, 4096);
  }
}

/* Many at a time, so that blocks come to be whole or empty. */
static void take_some(unsigned wanted, bool slow, bool zero) {
  for (; wanted--; learn_tables())
    if (!take(slow, zero, (unsigned)frames_available() - (frames.reserve ? BLOCK : 0)))
      return;
}

static bool give(unsigned from) {
  for (unsigned i = 0; i < RAM_FRAMES; i++) {
    unsigned n = (from + i) % RAM_FRAMES;
    if (what[n] != OURS_USED)
      continue;
    if (from & 1) {
      frames.state[n] = STATE_CACHED;
      frames.link[n].next = from; /* it counts mappings there, and no list may come to believe it */
    }
    frame_give(address(n));
    what[n] = OURS_FREE;
    return true;
  }
  return false;
}

static void donate(void) {
  uint64_t base = 0;
  bool any = false, other = false;
  for (unsigned block = 0; block < RAM_FRAMES / BLOCK; block++)
    if (whole(block, OURS_FREE)) {
      any = true;
      other = other || address(block * BLOCK) != frames.reserve;
    }
  uint64_t reserve = frames.reserve;
  MUST(block_take(&base) == any);
  if (!any)
    return;
  MUST(base % Q_BLOCK_SIZE == 0 && whole((unsigned)(frame_number(base) / BLOCK), OURS_FREE));
  MUST(!other || base != reserve); /* the reserve comes last */
  memset(what + frame_number(base), KERNELS, BLOCK);
  lent[frame_number(base) / BLOCK] = true;
}

static void come_back(unsigned from) {
  for (unsigned i = 0; i < RAM_FRAMES / BLOCK; i++) {
    unsigned block = (from + i) % (RAM_FRAMES / BLOCK);
    if (!whole(block, KERNELS))
      continue;
    had += lent[block] ? 0 : BLOCK;
    memset(frame_data(address(block * BLOCK)), 0, Q_BLOCK_SIZE);
    block_return(address(block * BLOCK));
    memset(what + block * BLOCK, OURS_FREE, BLOCK);
    MUST(frames.reserve);
    return;
  }
}

static void prepare(unsigned wanted) {
  unsigned spare = count(OURS_FREE) - (frames.reserve ? BLOCK : 0);
  uint64_t tables = frames.tables;
  bool done = frames_prepare(wanted);
  spare -= (unsigned)(frames.tables - tables);
  MUST(done == (spare >= wanted));
  unsigned ready = check_list(frames.ready, STATE_READY);
  MUST(ready >= (wanted < spare ? wanted : spare));
  for (uint32_t at = frames.ready; at; at = frames.link[at - 1].next)
    check_zero(address(at - 1));
}

static void step(const uint8_t *op) {
  unsigned number = (unsigned)op[1] << 8 | op[2];
  switch (op[0] % 8) {
  case 0:
    if (op[0] & 16)
      take_row(1 + number % 64);
    else if (op[0] & 8)
      take_run(1 + number % 64);
    else
      take_some(1, false, true);
    break;
  case 1:
    take_some(1, true, op[0] & 8);
    break;
  case 2:
    take_some(number % 1024, op[0] & 8, true);
    break;
  case 3:
    for (unsigned i = 0; i < number % 1024 && give(op[0] & 8 ? number : number + i); i++)
      ;
    break;
  case 4:
    give(number);
    break;
  case 5:
    donate();
    break;
  case 6:
    come_back(number);
    break;
  default:
    if (op[0] & 8)
      frames_reserve();
    else
      prepare(number % 64);
    break;
  }
}

/* ---- Blocks of every size that divides a page, and not a byte beside the pages ---- */
static void check_blocks(void) {
  static char pages[4 * 4096], around[4096];
  memset(around, 0x55, sizeof around);
  for (uint64_t bytes = 1; bytes <= 4096; bytes *= 2) {
    memset(pages, 0x55, sizeof pages);
    zero_blocks(pages + 4096, 2, bytes);
    MUST(!memcmp(pages, around, 4096) && !memcmp(pages + 3 * 4096, around, 4096));
    for (unsigned i = 4096; i < 3 * 4096; i++)
      MUST(!pages[i]);
  }
}

/* ---- The machine ---- */
static void add(unsigned from, unsigned to) {
  if (from >= to)
    return;
  frames_add(address(from), (to - from) * 4096ul);
  memset(what + from, OURS_FREE, to - from);
  had += to - from;
}

static struct link links[(RAM_FRAMES / BLOCK + 1) * BLOCK];
void frames_back(void *page, uint64_t frame) {
  MUST(frame && ((char *)page - (char *)links) % 4096 == 0);
  ASAN_UNPOISON_MEMORY_REGION(page, 4096);
  if (frame - RAM_BASE < RAM_FRAMES * 4096ul) /* else of what it was given at the start */
    check_zero(frame);
  memset(page, 0, 4096);
}

static void set_up(const uint8_t *data) {
  static uint64_t *tables;
  ASAN_POISON_MEMORY_REGION(links, sizeof links);
  size_t bytes = (frames_memory(RAM_FRAMES * 4096ul) + 4095) & ~4095ul;
  if (!ram)
    ram = malloc(RAM_FRAMES * 4096ul), tables = malloc(bytes), memset(ram, 0xaa, RAM_FRAMES * 4096ul);
  memset(tables, 0xff, bytes);
  memset(what, NOT_OURS, sizeof what);
  memset(lent, 0, sizeof lent);
  had = 0;
  frames_init((char *)ram - RAM_BASE, RAM_BASE, RAM_BASE + RAM_FRAMES * 4096ul, tables, links);
  frames_zero_by(data[0] & 1 ? 64u << data[1] % 7 : 0); /* what it holds is right either way */
  unsigned middle = data[0] * 4u, hole = middle + data[1];
  unsigned kernels = 4 * BLOCK; /* the fifth block is the kernel's; what is left of the sixth is too little for one */
  if (data[2] & 1)
    add(hole, kernels), add(0, middle);
  else
    add(0, middle), add(hole, kernels);
  memset(what + kernels, KERNELS, BLOCK);
  add(5 * BLOCK + data[2] / 4, RAM_FRAMES);
}

/* Zeroed ahead of need, and taken in a row: of those alone. */
static void check_ready(void) {
  set_up((const uint8_t[3]){0, 0, 0});
  prepare(40);
  check();
  take_run(30);
  check();
}

/* What every block has had in use and given back is free in a row from block to block. */
int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv) {
  (void)argc, (void)argv;
  check_blocks();
  check_ready();
  set_up((const uint8_t[3]){0, 0, 0});
  while (take(true, false, count(OURS_FREE) - (frames.reserve ? BLOCK : 0)))
    learn_tables();
  for (unsigned n = 0; n < RAM_FRAMES; n++)
    if (what[n] == OURS_USED)
      frame_give(address(n)), what[n] = OURS_FREE;
  check();
  for (unsigned before = 0; before != count(OURS_FREE); check()) {
    before = count(OURS_FREE);
    take_run(60);
  }
  return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
  if (bytes < 3)
    return 0;
  set_up(data);
  check();
  for (size_t at = 3; at + 3 <= bytes && at < 60; at += 3) {
    step(data + at);
    check();
  }
  return 0;
}
