/* SPDX-License-Identifier: BSD-2-Clause */
/* The pager's core under random requests, against a model that is as simple as can be: for each space, an array of pages.
 * The model is also the backend, so it sees every mapping. It fails on purpose now and then, as the kernel may. */
#include "space.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define RAM_FRAMES 512
#define RAM_BASE 0x80000000ul
#define USABLE 120 /* frames given to the core: few, so that they run out */
#define MODEL_SPACES 4
#define PAGES 160      /* of one space that the model has room for */
#define MODEL_PAGES 96 /* heap pages looked at */

#define MUST(condition)                                                                                              \
  do {                                                                                                               \
    if (!(condition))                                                                                                \
      abort();                                                                                                       \
  } while (0)

struct page {
  uint64_t va, frame; /* frame 0: none */
};
static struct model {
  struct space *space;
  struct page page[PAGES];
  uint64_t brk;
} models[MODEL_SPACES];
static char *ram, tables[1 << 14] __attribute__((aligned(4096)));
static unsigned fail_in;
static int fail_with;

static struct model *model_of(const struct space *space) {
  for (unsigned i = 0; i < MODEL_SPACES; i++)
    if (models[i].space == space)
      return &models[i];
  abort();
}

static struct page *find(struct model *m, uint64_t va) {
  for (unsigned i = 0; i < PAGES; i++)
    if (m->page[i].frame && m->page[i].va == va)
      return &m->page[i];
  return NULL;
}

/* ---- The backend ---- */
int backend_map(struct space *space, uint64_t va, uint64_t frame_prot) {
  struct model *m = model_of(space);
  uint64_t frame = frame_prot & ~4095ul;
  if (fail_in && !--fail_in)
    return fail_with;
  MUST(va % 4096 == 0 && frame >= RAM_BASE && frame < RAM_BASE + RAM_FRAMES * 4096);
  if (find(m, va))
    return Q_E_EXISTS;
  for (unsigned i = 0; i < PAGES; i++)
    if (!m->page[i].frame) {
      m->page[i] = (struct page){va, frame};
      return 0;
    }
  return Q_E_NOMEM;
}

void backend_unmap(struct space *space, uint64_t va, uint64_t pages, void (*removed)(struct space *, uint64_t)) {
  struct model *m = model_of(space);
  for (unsigned i = 0; i < PAGES; i++)
    if (m->page[i].frame && m->page[i].va >= va && (m->page[i].va - va) >> 12 < pages) {
      uint64_t frame = m->page[i].frame;
      m->page[i].frame = 0;
      removed(space, frame);
    }
}

bool backend_reclaim(uint64_t *block) {
  (void)block;
  return false;
}

/* ---- What must hold ---- */
static void check_one(struct model *m, uint8_t *owner) {
  uint64_t resident = 0, shared = 0;
  for (unsigned i = 0; i < PAGES; i++) {
    const struct page *page = &m->page[i];
    if (!page->frame)
      continue;
    uint64_t n = frame_number(page->frame);
    bool cached = frames.state[n] == STATE_CACHED;
    MUST(cached || frames.state[n] == STATE_USED);
    MUST(cached || !owner[n]); /* a private frame is in one place */
    owner[n] = 1;
    shared += cached;
    resident += !cached;
    MUST(!space_refusal(m->space, page->va, Q_FAULT_READ, 0)); /* what is mapped is legal */
  }
  MUST(m->space->stats.resident == resident && m->space->stats.shared == shared);
  MUST(m->space->brk == m->brk && m->brk >= m->space->heap && m->brk <= P_BREAK_MAX);
}

static void check_all(void) {
  static uint8_t owner[RAM_FRAMES];
  uint64_t used = 0;
  memset(owner, 0, sizeof owner);
  for (unsigned i = 0; i < MODEL_SPACES; i++)
    if (models[i].space)
      check_one(&models[i], owner);
  for (unsigned n = 0; n < RAM_FRAMES; n++) {
    bool taken = frames.state[n] == STATE_USED || frames.state[n] == STATE_CACHED;
    MUST(taken || !owner[n]);
    MUST(owner[n] || frames.state[n] != STATE_USED); /* nothing is lost */
    used += taken;
  }
  MUST(used + frames.available == frames.total);
}

/* ---- The machine and its one program ---- */
static char text[5000], data_bytes[3000];

static void set_up(void) {
  static bool done;
  if (!done)
    ram = malloc(RAM_FRAMES * 4096);
  done = true;
  memset(ram, 0xaa, RAM_FRAMES * 4096);
  memset(text, 0x11, sizeof text);
  memset(data_bytes, 0x22, sizeof data_bytes);
  memset(models, 0, sizeof models);
  memset(spaces, 0, sizeof spaces);
  static uint32_t cache[2];
  memset(cache, 0, sizeof cache);
  frames_init(ram - RAM_BASE, RAM_BASE, RAM_BASE + RAM_FRAMES * 4096, tables);
  frames_add(RAM_BASE + 100 * 4096, USABLE * 4096);
  image_count = 1;
  images[0] = (struct image){.name = "p", .entry = 0x10000, .heap = 0x14000, .segments = 2, .good = true};
  images[0].segment[0] = (struct segment){0x10000, 0x12000, 0x10000, sizeof text, text, 5, cache};
  images[0].segment[1] = (struct segment){0x12000, 0x14000, 0x12010, sizeof data_bytes, data_bytes, 3, NULL};
  fail_in = 0;
}

/* ---- Requests ---- */
static void begin(struct model *m) {
  if (m->space)
    return;
  m->space = space_new(&images[0], &policy_demand);
  MUST(m->space && space_find(m->space->badge) == m->space);
  m->brk = m->space->brk;
}

static void end(struct model *m) {
  if (!m->space)
    return;
  uint64_t badge = m->space->badge;
  space_end(m->space);
  for (unsigned i = 0; i < PAGES; i++)
    MUST(!m->page[i].frame);
  space_free(m->space);
  MUST(!space_find(badge));
  m->space = NULL;
}

static uint8_t expected_byte(uint64_t va) {
  if (va >= 0x10000 && va < 0x10000 + sizeof text)
    return 0x11;
  return va >= 0x12010 && va < 0x12010 + sizeof data_bytes ? 0x22 : 0;
}

static void fault(struct model *m, uint64_t va, unsigned kind) {
  struct answer answer;
  bool heap = va >= m->space->heap && va < m->brk, image = va >= 0x10000 && va < 0x14000;
  bool stack = va >= P_STACK_BASE && va < P_STACK_TOP;
  space_fault(m->space, va, kind, 0, &answer);
  bool exec = image && va < 0x12000;
  bool legal = kind == Q_FAULT_EXECUTE ? exec : kind == Q_FAULT_WRITE && exec ? false : heap || image || stack;
  MUST(legal ? !answer.reason || answer.reason == P_REASON_NOFRAME
             : answer.reason && answer.reason != P_REASON_NOFRAME);
  if (answer.reason)
    return;
  MUST(answer.page == (va & ~4095ul));
  if (backend_map(m->space, answer.page, answer.frame_prot)) {
    space_undo(m->space, &answer);
    return;
  }
  const uint8_t *bytes = frame_data(answer.frame_prot & ~4095ul);
  for (unsigned i = 0; i < 4096; i++)
    MUST(bytes[i] == expected_byte(answer.page + i));
  if (answer.frame_prot & Q_PROT_WRITE) /* the program writes it, and puts it right where the model will look */
    memset(frame_data(answer.frame_prot & ~4095ul), 0x77, heap ? 4096 : 0);
}

static void change_break(struct model *m, int64_t bytes, unsigned flags) {
  int64_t old = space_sbrk(m->space, bytes, flags);
  uint64_t wanted = m->brk + (uint64_t)bytes;
  bool inside = bytes < 0 ? -(uint64_t)bytes <= m->brk - m->space->heap : (uint64_t)bytes <= P_BREAK_MAX - m->brk;
  MUST(inside || old == (bytes < 0 ? -EINVAL : -ENOMEM));
  MUST(old < 0 ? flags || !inside : (uint64_t)old == m->brk);
  if (old >= 0)
    m->brk = wanted;
  for (unsigned i = 0; i < PAGES; i++) { /* what came back zeroed stays so, and nothing above the break is mapped */
    struct page *page = &m->page[i];
    if (!page->frame || page->va < m->space->heap || page->va >= P_BREAK_MAX)
      continue;
    MUST(page->va < m->brk);
    const uint8_t *data = frame_data(page->frame);
    for (uint64_t at = old >= 0 && bytes < 0 && page->va + 4096 > m->brk ? m->brk - page->va : 4096; at < 4096; at++)
      MUST(!data[at]);
  }
}

static void step(const uint8_t *op) {
  struct model *m = &models[op[0] % MODEL_SPACES];
  uint64_t number = (uint64_t)op[2] << 8 | op[3];
  begin(m);
  fail_in = op[1] >> 6 == 3 ? 1 + op[3] % 4 : 0;
  fail_with = op[2] & 1 ? Q_E_NOMEM : Q_E_EXISTS;
  switch (op[1] % 8) {
  case 0:
    fault(m, m->space->heap + number * 64 % (MODEL_PAGES * 4096), op[1] >> 3 & 1);
    break;
  case 1:
    fault(m, 0xf000 + number % 0x6000, op[1] >> 3 & 1 ? 2 : op[1] >> 4 & 1);
    break;
  case 2:
    fault(m, P_STACK_TOP - number * 16, op[1] >> 3 & 1);
    break;
  case 3:
    fail_in = 0;
    change_break(m, (int64_t)(number * 5), 0);
    break;
  case 4:
    fail_in = 0;
    change_break(m, -(int64_t)(number * 5), 0);
    break;
  case 5:
    fail_with = Q_E_NOMEM;
    change_break(m, (int64_t)number, P_SBRK_POPULATE);
    break;
  case 6:
    op[2] & 1 ? cache_drop() : (void)frames_prepare(op[3] % 16);
    break;
  default:
    end(m);
    break;
  }
  fail_in = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
  set_up();
  for (size_t at = 0; at + 4 <= bytes && at < 400; at += 4) {
    step(data + at);
    check_all();
  }
  for (unsigned i = 0; i < MODEL_SPACES; i++)
    end(&models[i]);
  cache_drop();
  MUST(frames.available == USABLE);
  return 0;
}
