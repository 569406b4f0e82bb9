/* SPDX-License-Identifier: BSD-2-Clause */
/* The pager's core under random requests, against a model that is as simple as can be: for each space, an array of pages.
 * The model is also the backend, so it sees every mapping. It fails on purpose now and then, as the kernel may. */
#include "space.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK 512 /* frames */
#define RAM_FRAMES (3 * BLOCK)
#define RAM_BASE 0x80000000ul
#define USABLE 120 /* frames given to the core, in the first block: few, so that they run out */
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
static unsigned fail_in, maps;
static uint64_t sp_now; /* no page below its own is brought in; 0: it is not in the stack's region */
static int fail_with;
static bool clearing;                           /* a page may be mapped again, with what a program wrote */
static enum { KERNELS, EMPTY, OURS } blocks[2]; /* the two others: the kernel's at first */
static bool had[2];                             /* was ours at some time, and so counts */
static uint64_t total;

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

static uint8_t expected_byte(uint64_t va);

/* ---- The backend ---- */
static void check_new(uint64_t va, uint64_t frame_prot) {
  const uint8_t *bytes = frame_data(frame_prot & ~4095ul);
  MUST(va < P_STACK_BASE || va >= (sp_now & ~4095ul));
  MUST((frame_prot & 4095) == (va < 0x12000 ? Q_PROT_READ | Q_PROT_EXECUTE : Q_PROT_READ | Q_PROT_WRITE));
  static const uint8_t zero[4096];
  MUST(clearing || va < 0x14000 || !memcmp(bytes, zero, sizeof zero));
  for (unsigned i = 0; va < 0x14000 && i < 4096; i++)
    MUST(bytes[i] == expected_byte(va + i));
}

int backend_map(struct space *space, uint64_t va, uint64_t frame_prot) {
  struct model *m = model_of(space);
  uint64_t frame = frame_prot & ~4095ul;
  if (fail_in && !--fail_in)
    return fail_with;
  MUST(va % 4096 == 0 && frame >= RAM_BASE && frame < RAM_BASE + RAM_FRAMES * 4096);
  if (find(m, va))
    return Q_E_EXISTS;
  check_new(va, frame_prot);
  maps++;
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
  for (unsigned i = 0; i < 2; i++)
    if (blocks[i] == EMPTY) {
      total += had[i] ? 0 : BLOCK;
      had[i] = true;
      blocks[i] = OURS;
      *block = RAM_BASE + (i + 1) * Q_BLOCK_SIZE;
      memset(ram + (i + 1) * Q_BLOCK_SIZE, 0, Q_BLOCK_SIZE);
      return true;
    }
  return false;
}

/* The kernel wants memory. */
static void donate(void) {
  uint64_t block;
  if (block_take(&block))
    blocks[(block - RAM_BASE) / Q_BLOCK_SIZE - 1] = KERNELS;
}

/* ---- What must hold ---- */
static void check_one(struct model *m, uint32_t *owner) {
  uint64_t resident = 0, shared = 0;
  for (unsigned i = 0; i < PAGES; i++) {
    const struct page *page = &m->page[i];
    if (!page->frame)
      continue;
    uint64_t n = frame_number(page->frame);
    bool cached = frames.state[n] == STATE_CACHED;
    MUST(cached || frames.state[n] == STATE_USED);
    MUST(cached || !owner[n]); /* a private frame is in one place */
    owner[n]++;
    shared += cached;
    resident += !cached;
    MUST(!space_refusal(m->space, page->va, Q_FAULT_READ, 0)); /* what is mapped is legal */
  }
  MUST(m->space->stats.resident == resident && m->space->stats.shared == shared);
  MUST(m->space->stats.peak >= resident);
  MUST(m->space->brk == m->brk && m->brk >= m->space->heap && m->brk <= P_BREAK_MAX);
}

static void check_all(void) {
  static uint32_t owner[RAM_FRAMES];
  uint64_t used = 0, cached = 0;
  memset(owner, 0, sizeof owner);
  for (unsigned i = 0; i < MODEL_SPACES; i++)
    if (models[i].space)
      check_one(&models[i], owner);
  for (unsigned n = 0; n < RAM_FRAMES; n++) {
    bool taken = frames.state[n] == STATE_USED || frames.state[n] == STATE_CACHED;
    MUST(taken || !owner[n]);
    MUST(owner[n] || frames.state[n] != STATE_USED); /* nothing is lost */
    MUST(frames.state[n] != STATE_CACHED || frames.link[n].next == owner[n]);
    used += taken;
    cached += frames.state[n] == STATE_CACHED;
  }
  uint64_t lent = 0;
  for (unsigned i = 0; i < 2; i++)
    lent += had[i] && blocks[i] != OURS ? BLOCK : 0;
  MUST(used + frames.available + lent == frames.total && frames.total == total && cached == cache_pages());
}

/* "No frame" is true only when there is none, however it could be had. */
static void check_exhausted(void) {
  MUST(blocks[0] != EMPTY && blocks[1] != EMPTY);
  for (unsigned n = 0; n < RAM_FRAMES; n++) {
    unsigned state = frames.state[n];
    MUST(state != STATE_VIRGIN && state != STATE_FREE && state != STATE_READY);
    MUST(state != STATE_CACHED || frames.link[n].next);
  }
}

/* ---- The machine and its one program ---- */
static char text[5000], data_bytes[3000];

static void set_up(void) {
  static bool done;
  if (!done)
    ram = malloc(RAM_FRAMES * 4096);
  done = true;
  memset(ram + 100 * 4096, 0xaa, USABLE * 4096);
  memset(text, 0x11, sizeof text);
  memset(data_bytes, 0x22, sizeof data_bytes);
  memset(models, 0, sizeof models);
  memset(spaces, 0, sizeof spaces);
  static uint32_t cache[2];
  memset(cache, 0, sizeof cache);
  frames_init(ram - RAM_BASE, RAM_BASE, RAM_BASE + RAM_FRAMES * 4096, tables);
  frames_add(RAM_BASE + 100 * 4096, USABLE * 4096);
  memset(blocks, 0, sizeof blocks);
  memset(had, 0, sizeof had);
  total = USABLE;
  image_count = 1;
  images[0] = (struct image){.name = "p", .entry = 0x10000, .heap = 0x14000, .segments = 2, .good = true};
  images[0].segment[0] = (struct segment){0x10000, 0x12000, 0x10000, sizeof text, text, 5, cache};
  images[0].segment[1] = (struct segment){0x12000, 0x14000, 0x12010, sizeof data_bytes, data_bytes, 3, NULL};
  fail_in = 0;
}

/* ---- A policy that wants whatever the input says ---- */
static uint64_t wanted_page;
static unsigned wanted_pages;

static void want(const struct policy_fault *fault, struct policy_range *range) {
  MUST(fault->start <= fault->page && fault->page < fault->end && !(fault->page % 4096));
  MUST(range->page == fault->page && range->pages == 1);
  range->page = wanted_page;
  range->pages = wanted_pages;
}

static const struct policy policy_any = {"any", want};

/* ---- Requests ---- */
static void arguments(struct model *m, const uint8_t *op) {
  char words[64];
  unsigned bytes = 1 + op[2] % 60, count = 0;
  for (unsigned i = 0; i < bytes; i++)
    words[i] = i % (1 + op[3] % 16) == op[3] % 7u ? 0 : 'a';
  words[bytes - 1] = 0;
  unsigned strings = 0;
  for (unsigned i = 0; i < bytes; i++)
    strings += !words[i];
  unsigned variables = op[2] / 60 % (strings + 1); /* as many as there are strings: not even a name */
  int64_t sp = space_arguments(m->space, words, bytes, variables);
  MUST(variables < strings ? sp > 0 || sp == -ENOMEM : sp == -EINVAL);
  if (sp < 0)
    return;
  uint64_t page = P_STACK_TOP - 4096;
  const char *at = (const char *)frame_data(find(m, page)->frame) - page;
  const uint64_t *word = (const uint64_t *)(at + sp);
  MUST(sp % 16 == 0 && (uint64_t)sp >= page);
  MUST(*word++ == strings - variables);
  for (unsigned i = 0; i < bytes; i += (unsigned)strlen(words + i) + 1, count++, word++) {
    if (count == strings - variables)
      MUST(!*word++);
    MUST(*word < P_STACK_TOP && !strcmp(at + *word, words + i));
  }
  MUST(!word[0] && (variables || !word[1]));
}

static void begin(struct model *m, const uint8_t *op) {
  if (m->space)
    return;
  m->space = space_new(&images[0], op[1] & 32 ? &policy_any : &policy_demand);
  MUST(m->space && space_find(m->space->badge) == m->space);
  m->brk = m->space->brk;
  arguments(m, op);
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

static void fault(struct model *m, uint64_t va, unsigned kind, uint64_t sp) {
  struct answer answer;
  bool heap = va >= m->space->heap && va < m->brk, image = va >= 0x10000 && va < 0x14000;
  bool stack = va >= P_STACK_BASE && va < P_STACK_TOP && va >= (sp & ~4095ul);
  maps = 0;
  sp_now = sp;
  space_fault(m->space, va, kind, sp, &answer);
  MUST(maps <= FAULT_PAGES);
  bool exec = image && va < 0x12000;
  bool legal = kind == Q_FAULT_EXECUTE ? exec : kind == Q_FAULT_WRITE && exec ? false : heap || image || stack;
  MUST(legal ? !answer.reason || answer.reason == P_REASON_NOFRAME
             : answer.reason && answer.reason != P_REASON_NOFRAME);
  if (answer.reason == P_REASON_NOFRAME)
    check_exhausted();
  if (answer.reason)
    return;
  MUST(answer.page == (va & ~4095ul));
  if (backend_map(m->space, answer.page, answer.frame_prot)) {
    space_undo(m->space, &answer);
    return;
  }
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

static void other(unsigned which, unsigned number) {
  if (which == 0)
    cache_drop();
  else if (which == 1)
    frames_prepare(number % 16);
  else if (which == 2)
    donate();
  else if (blocks[number % 2] == KERNELS)
    blocks[number % 2] = EMPTY;
}

static void step(const uint8_t *op) {
  struct model *m = &models[op[0] % MODEL_SPACES];
  uint64_t number = (uint64_t)op[2] << 8 | op[3];
  begin(m, op);
  wanted_page = m->space->heap + (op[0] >> 2) * 4096ul;
  wanted_page = op[0] & 64 ? P_STACK_TOP - (op[0] >> 2) % 16 * 4096ul : op[0] & 128 ? 0ul - number : wanted_page;
  wanted_pages = 1 + op[3] % 40;
  fail_in = op[1] >> 6 == 3 ? 1 + op[3] % 4 : 0;
  fail_with = op[2] & 1 ? Q_E_NOMEM : Q_E_EXISTS;
  switch (op[1] % 8) {
  case 0:
    fault(m, m->space->heap + number * 64 % (MODEL_PAGES * 4096), op[1] >> 3 & 1, 0);
    break;
  case 1:
    fault(m, 0xf000 + number % 0x6000, op[1] >> 3 & 1 ? 2 : op[1] >> 4 & 1, 0);
    break;
  case 2:
    fault(m, P_STACK_TOP - number % 4096 * 16, op[1] >> 3 & 1, op[1] & 16 ? P_STACK_TOP - number / 16 * 16 : 0);
    break;
  case 3:
    fail_in = 0;
    change_break(m, (int64_t)(number * 5), 0);
    break;
  case 4:
    fail_in = 0;
    clearing = true;
    change_break(m, -(int64_t)(number * 5), 0);
    clearing = false;
    break;
  case 5:
    fail_with = Q_E_NOMEM;
    change_break(m, (int64_t)(number * 8), P_SBRK_POPULATE);
    break;
  case 6:
    other(op[2] % 4, op[3]);
    break;
  default:
    end(m);
    break;
  }
  fail_in = 0;
  sp_now = 0;
}

/* Out of frames, with two whole blocks to be had back: the first may become the reserve, the program gets of the second. */
static void run_out(void) {
  static const uint8_t start[4] = {0, 0, 0, 0};
  struct model *m = &models[0];
  set_up();
  begin(m, start);
  change_break(m, MODEL_PAGES * 4096, 0);
  for (unsigned i = 0; frames.available; i++)
    i < MODEL_PAGES ? fault(m, m->space->heap + i * 4096, Q_FAULT_WRITE, 0)
                    : fault(m, P_STACK_TOP - 4096 * (i - MODEL_PAGES + 1), Q_FAULT_WRITE, 0);
  blocks[0] = blocks[1] = EMPTY;
  fault(m, P_STACK_TOP - 64 * 4096, Q_FAULT_READ, 0);
  MUST(find(m, P_STACK_TOP - 64 * 4096) && blocks[0] == OURS && blocks[1] == OURS);
  check_all();
}

/* Ids are not used again, though slots are. */
static void come_and_go(void) {
  static uint64_t ids[3 * SPACES];
  set_up();
  for (unsigned i = 0; i < 3 * SPACES; i++) {
    struct space *space = space_new(&images[0], &policy_demand);
    MUST(space && space->badge);
    models[0].space = space;
    ids[i] = space->badge;
    for (unsigned old = 0; old < i; old++)
      MUST(!space_find(ids[old]));
    space_end(space);
    space_free(space);
  }
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv) {
  (void)argc, (void)argv;
  run_out();
  come_and_go();
  return 0;
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
  MUST(frames.available == USABLE + (blocks[0] == OURS ? BLOCK : 0) + (blocks[1] == OURS ? BLOCK : 0));
  return 0;
}
