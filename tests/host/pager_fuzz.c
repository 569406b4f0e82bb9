/* SPDX-License-Identifier: BSD-2-Clause */
/* The pager's core under random requests, against a model that is as simple as can be: for each space, an array of pages.
 * The model is also the backend, so it sees every mapping. It fails on purpose now and then, as the kernel may. */
#include "ask.h"
#include "space.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK 512 /* frames */
#define RAM_FRAMES (3 * BLOCK)
#define RAM_BASE 0x80000000ul
#define USABLE 140 /* frames given to the core, in the first block: few, so that they run out */
#define MODEL_SPACES 4
#define PAGES 200      /* of one space that the model has room for */
#define MODEL_PAGES 96 /* heap pages looked at */
#define WRITABLE 2
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define SHADOWED 128 /* pages of mappings whose content the model knows */
#define MADE 6
#define OBJECT_MOST 8

static bool losing; /* hooks do not return, as far as the pager can tell */
static void choose_any(void);

#define MUST(condition)                                                                                              \
  do {                                                                                                               \
    if (!(condition))                                                                                                \
      abort();                                                                                                       \
  } while (0)

struct page {
  uint64_t va, frame; /* frame 0: none */
  unsigned prot;
  bool accessed;
};
static struct model {
  struct space *space;
  struct page page[PAGES];
  uint64_t brk;
  uint8_t shadow[SHADOWED]; /* what each page of a mapping begins with, from the top down */
  uint64_t untouched;       /* pages that went and never were accessed */
} models[MODEL_SPACES + 1]; /* the last: what another is to become */
#define SERVER (&models[0]) /* whose pages become objects', and who is not forked */
#define NEXT (&models[MODEL_SPACES])
static struct made { /* objects */
  uint64_t id, creator;
  uint8_t content[OBJECT_MOST]; /* what each page begins with */
} made[MADE];
static uint8_t written;        /* the byte that the last page was filled with */
static uint64_t hoard[USABLE]; /* frames that somebody else has */
static unsigned hoarded;
static char *ram, tables[1 << 14] __attribute__((aligned(4096)));
static unsigned fail_in, maps;
static uint64_t sp_now; /* no page below its own is brought in; 0: it is not in the stack's region */
static int fail_with;
static bool clearing;                           /* a page may be mapped again, with what a program wrote */
static enum { KERNELS, EMPTY, OURS } blocks[2]; /* the two others: the kernel's at first */
static bool had[2];                             /* was ours at some time, and so counts */
static uint64_t total;
static unsigned mapped[RAM_FRAMES];
static uint8_t sides[RAM_FRAMES]; /* as in the kernel: the ways it is or was mapped, since nobody had it */

static struct model *model_of(const struct space *space) {
  for (unsigned i = 0; i <= MODEL_SPACES; i++)
    if (models[i].space == space)
      return &models[i];
  abort();
}

static bool is_common_frame(uint64_t frame) {
  enum frame_state state = frames.state[frame_number(frame)];
  return state == STATE_CACHED || state == STATE_OBJECT;
}

static struct page *find(struct model *m, uint64_t va) {
  for (unsigned i = 0; i < PAGES; i++)
    if (m->page[i].frame && m->page[i].va == va)
      return &m->page[i];
  return NULL;
}

static uint8_t expected_byte(uint64_t va);

/* ---- The backend ---- */
static void check_new(const struct space *space, uint64_t va, uint64_t frame_prot) {
  const uint8_t *bytes = frame_data(frame_prot & ~4095ul);
  MUST(va < P_STACK_BASE || va >= (sp_now & ~4095ul));
  if (va >= space->brk && va < P_BREAK_MAX) {
    const struct region *region = region_find(space, va);
    MUST(region && !((frame_prot & 4095) & ~(uint64_t)region->prot));
    return;
  }
  unsigned all = va < 0x12000 ? Q_PROT_READ | Q_PROT_EXECUTE : Q_PROT_READ | Q_PROT_WRITE;
  MUST((frame_prot & 4095) == all || (clearing && (frame_prot & 4095) == Q_PROT_READ));
  static const uint8_t zero[4096];
  MUST(clearing || va < 0x14000 || !memcmp(bytes, zero, sizeof zero));
  for (unsigned i = 0; !clearing && va < 0x14000 && i < 4096; i++)
    MUST(bytes[i] == expected_byte(va + i));
}

static void set(struct page *page, uint64_t va, uint64_t frame, unsigned prot) {
  if (page->frame && !--mapped[frame_number(page->frame)])
    sides[frame_number(page->frame)] = 0;
  *page = (struct page){va, frame, prot, true};
  if (!frame)
    return;
  mapped[frame_number(frame)]++;
  sides[frame_number(frame)] |= prot;
}

static bool clashes(uint64_t frame, unsigned prot) {
  unsigned side = sides[frame_number(frame)];
  return (prot & WRITABLE && side & Q_PROT_EXECUTE) || (prot & Q_PROT_EXECUTE && side & WRITABLE);
}

static struct page *room(struct model *m) {
  for (unsigned i = 0; i < PAGES; i++)
    if (!m->page[i].frame)
      return &m->page[i];
  return NULL;
}

/* As the kernel: all of it is checked before any of it is done. */
static int map_one(struct space *space, uint64_t va, uint64_t frame_prot) {
  struct model *m = model_of(space);
  uint64_t frame = frame_prot & ~4095ul;
  MUST(va % 4096 == 0 && frame >= RAM_BASE && frame < RAM_BASE + RAM_FRAMES * 4096);
  if (find(m, va))
    return Q_E_EXISTS;
  check_new(space, va, frame_prot);
  if (clashes(frame, frame_prot & 15)) { /* only where another program has made the page it shares the other kind */
    const struct region *region = region_find(space, va);
    MUST(region && region->shared);
    return Q_E_WX;
  }
  maps++;
  if (!room(m))
    return Q_E_NOMEM;
  set(room(m), va, frame, frame_prot & 15);
  return 0;
}

static unsigned rooms(const struct model *m) {
  unsigned count = 0;
  for (unsigned i = 0; i < PAGES; i++)
    count += !m->page[i].frame;
  return count;
}

/* The core asks for a run only where it knows that nothing is. */
int backend_map_run(struct space *space, uint64_t va, uint64_t frame_prot, unsigned pages) {
  struct model *m = model_of(space);
  if (fail_in && !--fail_in)
    return fail_with;
  MUST(pages && pages <= Q_MAP_MAX);
  if (pages > rooms(m))
    return Q_E_NOMEM;
  for (unsigned i = 0; i < pages && pages > 1; i++)
    MUST(!find(m, va + i * 4096ul));
  int error = 0;
  for (unsigned i = 0; i < pages && !error; i++)
    error = map_one(space, va + i * 4096ul, frame_prot + i * 4096ul);
  MUST(!error || pages == 1);
  return error;
}

int backend_map(struct space *space, uint64_t va, uint64_t frame_prot) {
  return backend_map_run(space, va, frame_prot, 1);
}

struct backend_pages backend_look(const struct space *space, uint64_t va, unsigned pages, bool clear) {
  struct backend_pages there = {0};
  MUST(pages && pages <= 64);
  for (unsigned i = 0; i < PAGES; i++) {
    struct page *page = &model_of(space)->page[i];
    uint64_t bit =
        page->frame && page->va >= va && (page->va - va) >> 12 < pages ? 1ul << ((page->va - va) >> 12) : 0;
    there.present |= bit;
    there.accessed |= page->accessed ? bit : 0;
    page->accessed = page->accessed && !(bit && clear);
  }
  return there;
}

void backend_clean(const struct space *space, uint64_t va) { /* which only programs with a budget need */
  (void)space, (void)va;
  MUST(false);
}

void backend_unmap(struct space *space, uint64_t va, uint64_t pages,
                   void (*removed)(struct space *, const uint64_t *, uint64_t)) {
  struct model *m = model_of(space);
  uint64_t entries[PAGES], count = 0;
  for (unsigned i = 0; i < PAGES; i++)
    if (m->page[i].frame && m->page[i].va >= va && (m->page[i].va - va) >> 12 < pages) {
      uint64_t frame = m->page[i].frame;
      m->untouched += !m->page[i].accessed;
      set(&m->page[i], 0, 0, 0);
      entries[count++] = frame | !mapped[frame_number(frame)];
    }
  removed(space, entries, count);
}

uint64_t backend_time(void) {
  return 0;
}

uint64_t backend_unmap_page(struct space *space, uint64_t va) {
  struct model *m = model_of(space);
  struct page *page = find(m, va);
  uint64_t frame = page ? page->frame : 0;
  if (!page)
    return 0;
  m->untouched += !page->accessed;
  set(page, 0, 0, 0);
  return frame | !mapped[frame_number(frame)];
}

uint64_t backend_drop(struct space *space, uint64_t va, uint64_t pages,
                      void (*removed)(struct space *, const uint64_t *, uint64_t)) {
  struct model *m = model_of(space);
  uint64_t entries[PAGES], count = 0, gone = 0;
  for (unsigned i = 0; i < PAGES; i++)
    if (m->page[i].frame && m->page[i].va >= va && (m->page[i].va - va) >> 12 < pages) {
      uint64_t frame = m->page[i].frame;
      m->untouched += !m->page[i].accessed;
      set(&m->page[i], 0, 0, 0);
      gone++;
      if (!mapped[frame_number(frame)])
        entries[count++] = frame | 1;
    }
  removed(space, entries, count);
  return gone;
}

uint64_t backend_take(struct space *space, uint64_t *va, uint64_t end) {
  struct page *first = NULL;
  for (unsigned i = 0; i < PAGES; i++) {
    struct page *page = &model_of(space)->page[i];
    if (page->frame && page->va >= *va && page->va < end && (!first || page->va < first->va))
      first = page;
  }
  if (!first)
    return 0;
  uint64_t frame = first->frame;
  *va = first->va;
  set(first, 0, 0, 0);
  return frame | !mapped[frame_number(frame)];
}

static bool in(const struct page *page, uint64_t va, uint64_t pages) {
  return page->frame && page->va >= va && (page->va - va) >> 12 < pages;
}

int backend_protect(struct space *space, uint64_t va, uint64_t pages, unsigned prot) {
  struct model *m = model_of(space);
  for (unsigned i = 0; i < PAGES; i++) {
    if (!in(&m->page[i], va, pages))
      continue;
    uint64_t n = frame_number(m->page[i].frame);
    if (clashes(m->page[i].frame, prot) && mapped[n] > 1)
      return Q_E_WX;
    sides[n] = (uint8_t)((mapped[n] == 1 ? 0 : sides[n]) | prot);
    m->page[i].prot = prot;
  }
  return 0;
}

int backend_share(struct space *parent, struct space *child, uint64_t va, uint64_t pages, unsigned prot) {
  struct model *m = model_of(parent), *c = model_of(child);
  for (unsigned i = 0; i < PAGES; i++) {
    struct page *page = &m->page[i];
    if (!in(page, va, pages))
      continue;
    if (fail_in && !--fail_in)
      return Q_E_NOMEM;
    unsigned both = prot ? prot : page->prot & ~WRITABLE;
    MUST(!find(c, page->va));
    MUST(!clashes(page->frame, both) || mapped[frame_number(page->frame)] == 1);
    if (mapped[frame_number(page->frame)] == 1)
      sides[frame_number(page->frame)] = (uint8_t)both;
    page->prot = both;
    set(room(c), page->va, page->frame, both);
  }
  return 0;
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

static struct link links[RAM_FRAMES];
void frames_back(void *page, uint64_t frame) {
  MUST(frame && ((char *)page - (char *)links) % 4096 == 0);
  memset(page, 0, 4096);
}

static unsigned indexed; /* frames that the table of spaces has taken, and keeps */
static struct space *table_of_spaces[P_PROCESSES] __attribute__((aligned(4096)));
void backend_back(void *page, uint64_t frame) {
  MUST(frame && ((char *)page - (char *)table_of_spaces) % 4096 == 0);
  indexed++;
  memset(page, 0, 4096);
}

static void end(struct model *m);
static const struct space *asking; /* for a frame */
static unsigned ends;              /* that a policy of pressure chose */

void backend_end(struct space *space) {
  MUST(space != asking && !space->server && !space->strict);
  ends++;
  end(model_of(space));
}

/* The kernel wants memory. */
static void donate(void) {
  uint64_t block;
  if (block_take(&block))
    blocks[(block - RAM_BASE) / Q_BLOCK_SIZE - 1] = KERNELS;
}

/* ---- What must hold ---- */
static uint8_t *shadow(struct model *m, uint64_t va) {
  uint64_t n = (P_BREAK_MAX - 1 - va) >> 12;
  return va < P_BREAK_MAX && n < SHADOWED ? &m->shadow[n] : NULL;
}

/* What is promised, less the frames that those have to whom it is, each once. */
static void check_promises(void) {
  static bool theirs[RAM_FRAMES];
  uint64_t sum = 0, used = 0;
  memset(theirs, 0, sizeof theirs);
  for (unsigned i = 0; i < MODEL_SPACES; i++) {
    struct model *m = &models[i];
    if (!m->space || !m->space->strict)
      continue;
    uint64_t least = 16 + ((PAGE_UP(m->brk) - 0x10000) >> 12);
    for (const struct region *r = m->space->regions; r; r = r->next)
      least += r->prot & WRITABLE ? (r->end - r->start) >> 12 : 0;
    MUST(m->space->promised >= least);
    sum += m->space->promised;
    for (unsigned j = 0; j < PAGES; j++)
      if (m->page[j].frame && frame_state(m->page[j].frame) == STATE_USED)
        theirs[frame_number(m->page[j].frame)] = true;
  }
  for (unsigned n = 0; n < RAM_FRAMES; n++)
    used += theirs[n];
  MUST(promises_withheld() == (sum > used ? sum - used : 0));
  MUST(promised == sum);
}

/* The largest gap before a region below: what each node says. */
static uint64_t check_room(const struct region *r) {
  if (!r)
    return 0;
  uint64_t room = r->prev ? r->start - r->prev->end : 0;
  for (unsigned side = 0; side < 2; side++) {
    uint64_t below = check_room(r->child[side]);
    room = below > room ? below : room;
    MUST(!r->child[side] || r->child[side]->rank <= r->rank);
  }
  MUST(r->room == room);
  return room;
}

static void check_gap(const struct space *space, uint64_t bytes) {
  uint64_t gap = PAGE_UP(space->brk), found = 0;
  for (const struct region *r = space->regions; r; gap = r->end, r = r->next)
    found = r->start - gap >= bytes ? r->start - bytes : found;
  MUST(highest_gap(space, bytes) == (P_BREAK_MAX - gap >= bytes ? P_BREAK_MAX - bytes : found));
}

/* The tree says what the list does. */
static void check_tree(const struct space *space) {
  uint64_t gap = PAGE_UP(space->brk), counted = 0;
  unsigned count = 0;
  const struct region *last = NULL;
  for (const struct region *r = space->regions; r; gap = r->end, last = r, r = r->next, count++) {
    MUST(r->start >= gap && r->end > r->start && r->end <= P_BREAK_MAX && (!r->shared || r->object) &&
         r->prev == last);
    MUST(region_after(space, gap) == r && region_from(space, gap) == r && region_after(space, r->end - 1) == r);
    counted += r->counted ? (r->end - r->start) >> 12 : 0;
  }
  MUST(!region_after(space, gap) && !region_from(space, gap));
  check_room(space->tree);
  for (unsigned pages = 1; pages < 5; pages++) /* most gaps are a few pages */
    check_gap(space, pages * 4096);
  check_gap(space, 4096ul << (space->badge + space->region_count) % 24);
  MUST(count == space->region_count && counted == space->counted);
}

static void check_one(struct model *m) {
  uint64_t resident = 0, shared = 0, untouched = 0;
  for (unsigned i = 0; i < PAGES; i++) {
    const struct page *page = &m->page[i];
    if (!page->frame)
      continue;
    untouched += !page->accessed;
    uint64_t n = frame_number(page->frame);
    bool common = is_common_frame(page->frame);
    const struct region *region = region_find(m->space, page->va);
    MUST(common || frames.state[n] == STATE_USED);
    MUST(!(page->prot & WRITABLE) || mapped[n] == 1 || (region && region->shared)); /* nobody sees another's writes */
    MUST(!(page->prot & WRITABLE) || !common || (region && region->shared));
    shared += common;
    resident += !common;
    MUST(!space_refusal(m->space, page->va, Q_FAULT_READ, 0)); /* what is mapped is legal */
    const struct extent *touched = page->va < m->space->heap   ? NULL
                                   : page->va < m->space->brk  ? &m->space->heap_touched
                                   : region && !region->object ? &region->touched
                                                               : NULL;
    MUST(!touched || !m->space->policy->fetch.policy->fault ||
         (page->va >= touched->start && page->va < touched->end));
    MUST(!region || region->shared || !shadow(m, page->va) || m == SERVER ||
         *(uint8_t *)frame_data(page->frame) == *shadow(m, page->va)); /* and is what was written there */
  }
  MUST(m->space->stats.resident == resident && m->space->stats.shared == shared);
  static unsigned now_and_then;
  MUST(now_and_then++ % 16 || untouched_in_all(m->space) == untouched);
  MUST(m->space->stats.untouched == m->untouched);
  MUST(m->space->stats.ahead >= untouched + m->untouched);
  MUST(m->space->stats.peak >= resident);
  MUST(m->space->brk == m->brk && m->brk >= m->space->heap && m->brk <= P_BREAK_MAX);
  check_tree(m->space);
}

static void check_all(void) {
  uint64_t taken = 0, cached = 0, own = 0;
  if ((frames_hot() + frames_cold()) % 2) /* else it would never be otherwise */
    frames_cool();
  uint64_t hot = frames_hot() + frames_cold(), lost = 0;
  for (unsigned i = 0; i < MODEL_SPACES; i++)
    if (models[i].space)
      check_one(&models[i]);
  for (unsigned n = 0; n < RAM_FRAMES; n++) {
    unsigned state = frames.state[n];
    bool common = state == STATE_CACHED || state == STATE_OBJECT;
    MUST(state == STATE_USED || common || !mapped[n]);
    lost += !mapped[n] && state == STATE_USED;
    MUST(!common || !frames.link[n].next == !mapped[n]);
    taken += state == STATE_USED || common || state == STATE_OWN;
    cached += state == STATE_CACHED;
    own += state == STATE_OWN;
  }
  MUST(lost == hot); /* nothing is */
  uint64_t lent = 0;
  for (unsigned i = 0; i < 2; i++)
    lent += had[i] && blocks[i] != OURS ? BLOCK : 0;
  MUST(taken - hot + frames_available() + lent == frames.total && frames.total == total && cached == cache_pages());
  MUST(frames.own == own);
  check_promises();
}

/* "No frame" is true only when there is none, however it could be had. */
static void check_exhausted(void) {
  if (promised)
    return; /* or when others have been promised it */
  MUST(blocks[0] != EMPTY && blocks[1] != EMPTY);
  for (unsigned n = 0; n < RAM_FRAMES; n++) {
    unsigned state = frames.state[n];
    MUST(state != STATE_VIRGIN && state != STATE_FREE && state != STATE_READY);
    MUST(state != STATE_CACHED || frames.link[n].next);
  }
}

/* ---- The machine and its one program ---- */
#define TEXT 5000 /* bytes of its file, and after them: */
#define DATA 3000
static char program[TEXT + DATA];

static void set_up(void) {
  static bool done;
  if (!done)
    ram = aligned_alloc(4096, RAM_FRAMES * 4096);
  done = true;
  memset(ram + 100 * 4096, 0xaa, USABLE * 4096);
  memset(program, 0x11, TEXT);
  memset(program + TEXT, 0x22, DATA);
  memset(models, 0, sizeof models);
  memset(mapped, 0, sizeof mapped);
  memset(sides, 0, sizeof sides);
  memset(made, 0, sizeof made);
  promise_margin = 20;
  hoarded = 0;
  pressing = NULL;
  static uint32_t cache[2];
  memset(cache, 0, sizeof cache);
  frames_init(ram - RAM_BASE, RAM_BASE, RAM_BASE + RAM_FRAMES * 4096, tables, links);
  frames_add(RAM_BASE + 100 * 4096, USABLE * 4096);
  memset(table_of_spaces, 0, sizeof table_of_spaces);
  spaces_begin(table_of_spaces);
  choose_any();
  losing = false;
  indexed = 0;
  memset(blocks, 0, sizeof blocks);
  memset(had, 0, sizeof had);
  total = USABLE;
  static struct image image;
  images = &image;
  image_count = 1;
  images[0] =
      (struct image){.name = "p", .file = program, .entry = 0x10000, .heap = 0x14000, .segments = 2, .good = true};
  images[0].segment[0] = (struct segment){0x10000, 0x12000, 0x10000, TEXT, 0, 5, cache};
  images[0].segment[1] = (struct segment){0x12000, 0x14000, 0x12010, DATA, TEXT, 3, NULL};
  fail_in = 0;
}

/* ---- A policy that wants whatever the input says ---- */
extern const struct policy policy_any;
static void want(const struct policy_area *area, uint64_t page, struct policy_range *range);
static uint64_t wanted_page;
static unsigned wanted_pages;

static unsigned losses;
void backend_lost(const struct policy *policy, const char *hook_name) {
  MUST(!strcmp(policy->name, "any") && policy_is_lost(policy));
  MUST(!strcmp(hook_name, "fault") || !strcmp(hook_name, "made") || !strcmp(hook_name, "advice"));
  losses++;
}

static void lose(const void *hook) {
  const struct space *space;
  asked_hook = (uint64_t)(uintptr_t)hook;
  asked_otherwise = 7;
  if (losing)
    MUST(ask_left() == 7);
  for (uint64_t at = 0; losing && (space = space_from(&at));)
    MUST(strcmp(space->policy->fetch.policy->name, "any") && space->hook != want);
}

static unsigned hook_calls;
static void want(const struct policy_area *area, uint64_t page, struct policy_range *range) {
  MUST(area->start <= page && page < area->end && !((page | area->start | area->end) % 4096));
  MUST(range->page == page && range->pages == 1);
  const struct space *space = space_find(area->id);
  MUST(space && area->process == space->memory->fetch && area->options == space->policy->fetch.options);
  MUST(area->kind != POLICY_HEAP ||
       (area->start == PAGE_UP(space->heap) && area->end == PAGE_UP(space->brk) && !area->refault));
  hook_calls++;
  *(char *)area->process = 1; /* what it keeps */
  range->page = wanted_page;
  range->pages = wanted_pages;
  lose(want);
}

static void want_made(const struct policy_area *area, struct policy_range *range) {
  MUST(range->page == area->start && range->pages == (area->end - area->start) >> 12);
  range->page = wanted_page;
  range->pages = wanted_pages;
  lose(want_made);
}

static void want_advised(const struct policy_area *area, enum policy_advice advice, struct policy_range *range) {
  MUST(advice <= POLICY_WILLNEED && range->page >= area->start && range->pages &&
       range->pages <= (area->end - range->page) >> 12);
  range->page = wanted_page;
  range->pages = wanted_pages;
  lose(want_advised);
}

const struct policy policy_any = {
    .name = "any", .usage = "any", .process_bytes = 1, .fault = want, .made = want_made, .advice = want_advised};
static const struct policy_set none = {.fetch = {.policy = &policy_demand}};

static struct policy_set chosen[8];
static void choose_any(void) {
  chosen[6] = chosen[7] = (struct policy_set){.fetch = {.policy = &policy_any}};
}

static const struct policy_set *choose(uint8_t number) {
  static const char *const words[] = {"demand", "window", "window,2", "leap", "eager", "readahead,8+ws"};
  unsigned n = number % 8;
  MUST(n > 5 || policy_choose(words[n], &chosen[n]));
  return &chosen[n];
}

/* ---- A policy of pressure that says whatever the input says ---- */
static struct policy_verdict verdict;

static void press(const struct policy_shortage *shortage, struct policy_verdict *said) {
  MUST(shortage->count <= MODEL_SPACES && said->relief == POLICY_NONE);
  for (uint32_t i = 0; i < shortage->count; i++) {
    const struct space *space = space_find(shortage->candidate[i].id);
    for (uint32_t before = 0; before < i; before++)
      MUST(shortage->candidate[before].id != space->badge);
    MUST(space && !space->server && !space->strict && shortage->candidate[i].resident == space->stats.resident);
  }
  *said = verdict;
  if (verdict.id < MODEL_SPACES)
    said->id = models[verdict.id].space ? models[verdict.id].space->badge : 0;
}

static const struct policy policy_press = {.name = "press", .usage = "press", .pressure = press};
static const struct policy_choice pressure = {.policy = &policy_press};

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
  m->space = space_new(&images[0], m == SERVER ? &none : choose(op[2] >> 2));
  if (!m->space)
    return;
  MUST(space_find(m->space->badge) == m->space);
  m->brk = m->space->brk;
  if (!space_policy(m->space, m->space->policy))
    return end(m);
  m->space->server = m == SERVER ? (void *)m : NULL;
  m->space->strict = m != SERVER && op[2] % 4 == 3;
  m->untouched = 0;
  if (!promise_first(m->space))
    return end(m);
  arguments(m, op);
  space_begun(m->space);
}

static void end(struct model *m) {
  if (!m->space)
    return;
  uint64_t badge = m->space->badge;
  fail_in = 0;
  space_end(m->space);
  for (unsigned i = 0; i < PAGES; i++)
    MUST(!m->page[i].frame);
  space_free(m->space);
  MUST(!space_find(badge));
  m->space = NULL;
}

static uint8_t expected_byte(uint64_t va) {
  if (va >= 0x10000 && va < 0x10000 + TEXT)
    return 0x11;
  return va >= 0x12010 && va < 0x12010 + DATA ? 0x22 : 0;
}

/* What the kernel does with the answer. */
static bool carry_out(struct model *m, const struct answer *answer, uint64_t there) {
  uint64_t frame = PAGE_OF(answer->frame_prot);
  if (!answer->expected)
    return !backend_map_run(m->space, answer->page, answer->frame_prot, answer->pages);
  MUST(answer->pages == 1);
  MUST(PAGE_OF(answer->expected) == PAGE_OF(there));
  bool shared = answer->expected & Q_EXPECT_SHARED;
  if ((mapped[frame_number(PAGE_OF(there))] > 1) != shared)
    return false;
  MUST(!clashes(frame, answer->frame_prot & 15) || (frame == PAGE_OF(there) && there & Q_FAULT_SOLE));
  if (fail_in && !--fail_in)
    return false;
  set(find(m, answer->page), answer->page, frame, answer->frame_prot & 15);
  return true;
}

/* As the pager's loop does it. */
static void answer_fault(struct space *space, uint64_t va, unsigned kind, uint64_t sp, uint64_t there,
                         struct answer *answer) {
  hook_calls = 0;
  uint64_t frame = !there                  ? space_fault_plain(space, va, kind, frames.stock)
                   : kind == Q_FAULT_WRITE ? space_copy_plain(space, va, sp, there, frames.stock)
                                           : 0;
  for (unsigned i = 0; i < 2 && !frame && !there && (!i || space_is_hooked(space)); i++) /* it may be tried again */
    frame = space_fault_hooked(space, va, kind, 1, frames.stock);
  if (!frame && space->memory && policy_is_lost(&policy_any))
    space->memory->open = false; /* of a hook that is left nothing comes */
  enum relief relief = RELIEF_SOME;
  if (frame)
    *answer = (struct answer){PAGE_OF(va),
                              frame | Q_PROT_READ | Q_PROT_WRITE,
                              there ? PAGE_OF(there) | Q_EXPECT | (there & Q_FAULT_SOLE ? 0 : Q_EXPECT_SHARED) : 0,
                              0,
                              true,
                              1};
  else
    space_fault(space, va, kind, sp, there, answer);
  MUST(hook_calls <= 1 && (!space->memory || !space->memory->open));
  for (unsigned i = 0; !frame && pressing && answer->reason == P_REASON_NOFRAME && relief == RELIEF_SOME && i < 4;
       i++) {
    asking = space;
    relief = relieve(space);
    asking = NULL;
    if (relief == RELIEF_SELF)
      answer->reason = P_REASON_CHOSEN;
    else if (relief == RELIEF_SOME)
      space_fault(space, va, kind, sp, PAGE_OF(there) | (there && mapped[frame_number(PAGE_OF(there))] == 1), answer);
  }
}

static void fault(struct model *m, uint64_t va, unsigned kind, uint64_t sp) {
  struct answer answer;
  bool heap = va >= m->space->heap && va < m->brk, image = va >= 0x10000 && va < 0x14000;
  bool stack = va >= P_STACK_BASE && va < P_STACK_TOP && va >= (sp & ~4095ul);
  const struct region *region = region_find(m->space, va);
  static const unsigned needed[] = {1, 2, 4};
  struct page *page = find(m, PAGE_OF(va));
  if (page)
    page->accessed = true;
  if (page && page->prot & needed[kind])
    return; /* it does not fault */
  uint64_t there = page ? page->frame | (mapped[frame_number(page->frame)] == 1) : 0;
  char before[4096];
  if (page)
    memcpy(before, frame_data(page->frame), 4096);
  maps = 0;
  sp_now = sp;
  answer_fault(m->space, va, kind, sp, there, &answer);
  MUST(maps <= FAULT_PAGES);
  bool exec = image && va < 0x12000;
  bool legal = kind == Q_FAULT_EXECUTE ? exec : kind == Q_FAULT_WRITE && exec ? false : heap || image || stack;
  legal = region ? region->prot & needed[kind] : legal;
  bool lack = answer.reason == P_REASON_NOFRAME || answer.reason == P_REASON_CHOSEN;
  MUST(legal ? !answer.reason || lack : answer.reason && !lack);
  if (answer.reason == P_REASON_CHOSEN)
    return end(m);
  if (answer.reason == P_REASON_NOFRAME && !(region && region->shared)) /* which takes one more, for a table */
    check_exhausted();
  if (answer.reason)
    return;
  MUST(answer.page <= va && va - answer.page < answer.pages * 4096ul);
  MUST(answer.frame_prot && answer.frame_prot & needed[kind]);
  clearing = page; /* has content */
  bool done = carry_out(m, &answer, there);
  clearing = false;
  if (!done) {
    space_undo(m->space, &answer);
    return;
  }
  if (there)
    MUST(!memcmp(before, frame_data(find(m, PAGE_OF(va))->frame), 4096));
  if (kind != Q_FAULT_WRITE)
    return;
  written = (uint8_t)(written % 255 + 1); /* the program writes it, and puts it right where the model will look */
  memset(frame_data(find(m, PAGE_OF(va))->frame), written, heap || region ? 4096 : 0);
  if (shadow(m, va))
    *shadow(m, va) = written;
}

static uint64_t any_frame(uint64_t from, bool common) {
  uint64_t n = from % frames.count;
  for (uint64_t i = 0; common && i < frames.count && frames.state[n] != STATE_CACHED; i++)
    n = (n + 1) % frames.count;
  return frames.base + n * 4096;
}

/* What a message says is there had been replaced before it was looked at, for another thread of the program: it may name any frame. */
static void late_fault(struct model *m, uint64_t va, uint64_t there) {
  struct p_stats before = m->space->stats;
  struct answer answer;
  const struct page *page = find(m, PAGE_OF(va));
  if (space_refusal(m->space, va, Q_FAULT_WRITE, va) || (page && page->frame == PAGE_OF(there)))
    return;
  space_fault(m->space, va, Q_FAULT_WRITE, va, there, &answer);
  if (answer.frame_prot)
    space_undo(m->space, &answer);
  MUST(m->space->stats.resident == before.resident && m->space->stats.shared == before.shared);
}

/* Of its pages one that a write would replace, if it has one: rather one of an object that others have, too. */
static const struct page *kept_page(const struct model *m, unsigned from) {
  const struct page *any = NULL;
  for (unsigned i = 0; i < PAGES; i++) {
    const struct page *page = &m->page[(from + i) % PAGES];
    if (!page->frame || page->prot & WRITABLE || space_refusal(m->space, page->va, Q_FAULT_WRITE, page->va))
      continue;
    any = any ? any : page;
    if (is_common_frame(page->frame) && mapped[frame_number(page->frame)] > 1)
      return page;
  }
  return any;
}

/* What it says is there is, but another program has got the page since, or has it no more. */
static void overtaken_fault(struct model *m, unsigned from) {
  struct p_stats before = m->space->stats;
  struct answer answer;
  const struct page *page = kept_page(m, from);
  if (!page)
    return;
  uint64_t n = frame_number(page->frame), there = page->frame | (mapped[n] == 1 ? 0 : Q_FAULT_SOLE);
  space_fault(m->space, page->va, Q_FAULT_WRITE, page->va, there, &answer);
  if (!answer.frame_prot)
    return;
  MUST(!carry_out(m, &answer, there));
  space_undo(m->space, &answer);
  MUST(!is_common_frame(page->frame) || frames.link[n].next); /* mapped, as it was */
  MUST(m->space->stats.resident == before.resident && m->space->stats.shared == before.shared);
}

/* ---- Fork, mappings ---- */
static void double_up(struct model *m, struct model *c) {
  if (!m->space || c == m || m == SERVER || c == SERVER)
    return;
  end(c);
  c->space = space_new(m->space->image, m->space->policy);
  if (!c->space)
    return;
  c->brk = c->space->brk;
  c->untouched = 0;
  if (!space_policy_copy(m->space, c->space))
    return end(c);
  c->space->strict = m->space->strict;
  if (space_fork(m->space, c->space)) {
    c->brk = c->space->brk;
    for (unsigned i = 0; i < PAGES; i++)
      MUST(!c->page[i].frame);
    end(c);
    return;
  }
  c->brk = m->brk;
  memcpy(c->shadow, m->shadow, sizeof c->shadow);
  for (unsigned i = 0; i < PAGES; i++) /* all of it is there, and none of it is to be written */
    if (m->page[i].frame) {
      const struct page *page = find(c, m->page[i].va);
      const struct region *region = region_find(m->space, m->page[i].va);
      MUST(page && page->frame == m->page[i].frame);
      MUST(!(page->prot & WRITABLE) || region->shared);
    }
}

/* ---- Objects ---- */
/* Some pages of the server's heap, where there are any, become an object. */
static void freeze(const uint8_t *op) {
  struct model *m = SERVER;
  struct made *new = &made[op[2] % MADE];
  struct object *object = new->id || !m->space ? NULL : object_new((1 + op[3] % OBJECT_MOST) * 4096ul - op[2] % 99);
  if (!object)
    return;
  object->creator = m->space->badge;
  int error = object_reserve(object) ? 0 : ENOMEM;
  for (uint64_t i = 0; i < object->pages && !error; i++) {
    uint64_t va = m->space->heap + (op[2] / 8 + i * (op[3] / 8 % 4)) % MODEL_PAGES * 4096;
    if (op[1] & 32 && va < m->brk)
      fault(m, va, Q_FAULT_WRITE, 0);
    clearing = true;
    const struct page *page = find(m, va);
    new->content[i] = page && !(op[0] >> i & 1) ? *(uint8_t *)frame_data(page->frame) : 0;
    error = op[0] >> i & 1 ? 0 : space_freeze(m->space, va, object, i);
    MUST(error == (page || op[0] >> i & 1 ? 0 : EFAULT));
  }
  if (!error && object_name(object, m->space->badge)) {
    new->id = object->id;
    new->creator = object->creator;
  } else {
    space_drop_object(object);
  }
}

static void drop(const uint8_t *op) {
  struct made *old = &made[op[2] % MADE];
  struct object *object = object_find(old->id, old->creator);
  MUST(!object == !(old->id && space_find(old->creator)));
  MUST(!object_find(old->id, old->creator + 1));
  old->id = 0;
  if (!object)
    return;
  object_unname(object);
  space_drop_object(object);
}

static void thaw(struct model *m, uint64_t number) {
  uint64_t va = m->space->heap + number % MODEL_PAGES * 4096;
  const struct page *page = find(m, va);
  uint8_t before[4096];
  if (page)
    memcpy(before, frame_data(page->frame), sizeof before);
  if (va >= m->space->brk || space_thaw(m->space, va))
    return;
  const struct page *now = find(m, va);
  MUST(!page == !now);
  MUST(!now || (now->prot & WRITABLE && mapped[frame_number(now->frame)] == 1 &&
                frame_state(now->frame) == STATE_USED && !memcmp(before, frame_data(now->frame), sizeof before)));
}

static void objects(const uint8_t *op, uint64_t number) {
  clearing = true;
  if (op[1] & 16)
    freeze(op);
  else if (op[1] & 32 && SERVER->space)
    thaw(SERVER, number);
  else
    drop(op);
  clearing = false;
}

/* ---- Exec ---- */
static void become(struct model *m, const uint8_t *op) {
  static struct space next;
  if (m == SERVER)
    return;
  space_begin(&next, m->space->badge, m->space->image, m->space->policy);
  NEXT->untouched = 0;
  next.memory = m->space->memory;
  next.strict = m->space->strict;
  NEXT->space = &next;
  NEXT->brk = next.brk;
  uint64_t faults = m->space->stats.faults[1];
  bool granted = promise_first(&next);
  if (granted) {
    arguments(NEXT, op);
    space_begun(&next);
  }
  fail_in = 0;
  if (!granted || op[3] % 4 == 0) { /* something fails */
    space_clear(&next);
    MUST(!NEXT->page[0].frame);
  } else {
    space_become(m->space, &next);
    for (unsigned i = 0; i < PAGES; i++)
      MUST(!m->page[i].frame);
    memcpy(m->page, NEXT->page, sizeof m->page);
    MUST(!NEXT->untouched);
    m->brk = next.brk;
    MUST(m->space->stats.faults[1] == faults && !m->space->regions);
    MUST(!m->space->memory || !m->space->memory->fetch[0]);
  }
  memset(NEXT, 0, sizeof *NEXT);
}

/* Somebody else takes all frames but a few, or gives them back. */
static void hoard_all_but(unsigned few) {
  while (hoarded)
    frame_give(hoard[--hoarded]);
  uint64_t frame;
  while (few && hoarded < USABLE && frames_available() > few && (frame = frame_get_own()))
    hoard[hoarded++] = frame;
}

static void map(struct model *m, uint64_t number, const uint8_t *op) {
  static const uint8_t prots[] = {0, 1, 3, 3, 5, 7, 2, 3};
  bool fixed = op[0] & 4;
  struct map_request wanted = {.address = fixed ? P_BREAK_MAX - (number % 40 + 1) * 4096 : 0,
                               .bytes = 1 + number % (20 * 4096),
                               .flags =
                                   prots[op[3] % 8] | (op[0] & 8 ? P_MAP_SHARED : 0) | (fixed ? P_MAP_FIXED : 0)};
  const struct made *of = &made[(op[1] >> 4) % MADE];
  for (unsigned i = 0; i < MADE && !of->id; i++)
    of = &made[i];
  bool shows = op[0] & 16 && !(op[0] & 8) && of->id;
  wanted.object = shows ? object_find(of->id, of->creator) : NULL;
  wanted.offset = wanted.object ? op[2] % 3 * 4096ul : 0;
  int64_t at = space_map(m->space, &wanted);
  unsigned prot = prots[op[3] % 8];
  MUST((at == -EINVAL) == (prot == 7 || prot == 2));
  MUST(at < 0 || !fixed || (uint64_t)at == wanted.address);
  if (at < 0)
    return;
  for (uint64_t va = (uint64_t)at; va < (uint64_t)at + wanted.bytes; va += 4096) {
    const struct region *region = region_find(m->space, va);
    MUST(region && region->prot == prot && (!find(m, va) || m->space->policy->fetch.policy->made));
    uint64_t index = (wanted.offset + va - (uint64_t)at) >> 12;
    if (shadow(m, va))
      *shadow(m, va) = wanted.object && index < wanted.object->pages ? of->content[index] : 0;
  }
}

/* The same, or a page of some region, if the input says so. */
static uint64_t place_in_region(struct model *m, const uint8_t *op, uint64_t start) {
  const struct region *region = op[0] & 192 ? m->space->regions : NULL;
  for (unsigned i = op[3] % 4; i && region && region->next; i--)
    region = region->next;
  return region ? region->start + op[2] % 8 * 4096ul % (region->end - region->start) : start;
}

static void unmap_or_protect(struct model *m, uint64_t number, const uint8_t *op) {
  static const uint8_t prots[] = {0, 1, 3, 5};
  uint64_t start = place_in_region(m, op, P_BREAK_MAX - (number % 60 + 1) * 4096),
           bytes = (op[0] >> 2) % 24 * 4096 + 1;
  const struct region *region = op[0] & 192 ? region_find(m->space, start) : NULL;
  if (region && bytes > region->end - start)
    bytes = region->end - start;
  if (bytes > P_BREAK_MAX - start)
    bytes = P_BREAK_MAX - start;
  if (op[1] & 8) {
    clearing = true;
    int error = space_protect(m->space, start, bytes, prots[op[1] >> 4 & 3]);
    clearing = false;
    MUST(!error || error == ENOMEM || error == EACCES);
    for (uint64_t va = start; !error && va < start + bytes; va += 4096)
      MUST(region_find(m->space, va)->prot == prots[op[1] >> 4 & 3] && (prots[op[1] >> 4 & 3] || !find(m, va)));
    return;
  }
  int error = space_unmap(m->space, start, bytes);
  MUST(!error || error == ENOMEM);
  for (uint64_t va = start; !error && va < start + bytes; va += 4096)
    MUST(!region_find(m->space, va) && !find(m, va));
}

/* What a private mapping shows where nothing was written: of what PROT_NONE took nothing. */
static uint8_t unwritten(const struct region *region, uint64_t va) {
  uint64_t index = region->offset + ((va - region->start) >> 12);
  bool file = region->object && region->object->creator;
  uint64_t frame = file ? object_frame(region->object, index) : 0;
  return frame ? *(uint8_t *)frame_data(frame) : 0;
}

/* All of it is the program's, if no error says otherwise. */
static void check_discarded(struct model *m, uint64_t start, uint64_t end, int error) {
  for (uint64_t va = start; va < end && va - start < 200 * 4096; va += 4096) {
    const struct region *region = va >= m->brk ? region_find(m->space, va) : NULL;
    bool kept = region && region->object && !region->shared && !region->object->creator;
    MUST(error || !kept);
    if (region && !region->shared && !kept && shadow(m, va))
      *shadow(m, va) = unwritten(region, va);
    MUST(error || !find(m, va) || m->space->policy->fetch.policy->made);
  }
}

/* It is one piece, or several without a gap; of what is longer than the model, the first of it. */
static bool is_whole(const struct model *m, uint64_t start, uint64_t end) {
  for (uint64_t va = start; va < end && va - start < 200 * 4096; va += 4096)
    if (!((va >= 0x10000 && va < PAGE_UP(m->brk)) || region_find(m->space, va) ||
          (va >= P_STACK_BASE && va < P_STACK_TOP)))
      return false;
  return true;
}

static unsigned pages_outside(const struct model *m, uint64_t start, uint64_t bytes) {
  unsigned count = 0;
  for (unsigned i = 0; i < PAGES; i++)
    count += m->page[i].frame && m->page[i].va - start >= PAGE_UP(bytes);
  return count;
}

static void advise(struct model *m, uint64_t number, const uint8_t *op) {
  static const uint8_t advices[] = {0, 1, 2, 3, 4, 4, 20, 3};
  uint64_t bases[] = {P_BREAK_MAX - (number % 60 + 1) * 4096, m->space->heap, 0x10000,
                      P_STACK_TOP - number % 20 * 4096};
  uint64_t start = op[0] & 192 ? place_in_region(m, op, bases[0]) : bases[op[2] % 4], bytes = number % (40 * 4096);
  unsigned advice = advices[op[1] >> 3 & 7];
  if (op[3] == 7)
    start++;
  if (op[3] % 16 == 8)
    bytes = op[3] & 16 ? Q_USER_TOP - PAGE_OF(start) : 0ul - bytes;
  maps = 0;
  bool inside = !(start % 4096) && bytes <= Q_USER_TOP - start, whole = inside && is_whole(m, start, start + bytes);
  unsigned others = pages_outside(m, start, bytes);
  int error = space_advise(m->space, start, bytes, advice);
  MUST(error == 0 || error == ENOMEM || (error == EINVAL && start % 4096));
  MUST(start % 4096 == 0 || error == EINVAL);
  MUST(whole || error);
  MUST(!error || !whole || advice == P_ADVICE_DISCARD || bytes > 200 * 4096);
  MUST(maps <= P_ADVISED + PAGES && (!maps || advice == P_ADVICE_WILLNEED || m->space->policy->fetch.policy->made));
  MUST(advice != P_ADVICE_DISCARD || pages_outside(m, start, bytes) == others);
  if (advice == P_ADVICE_DISCARD && inside)
    check_discarded(m, start, start + bytes, error);
}

static void change_break(struct model *m, int64_t bytes, unsigned flags) {
  int64_t old = space_sbrk(m->space, bytes, flags);
  uint64_t wanted = m->brk + (uint64_t)bytes;
  bool inside =
      bytes < 0 ? -(uint64_t)bytes <= m->brk - m->space->heap : (uint64_t)bytes <= regions_start(m->space) - m->brk;
  MUST(inside || old == (bytes < 0 ? -EINVAL : -ENOMEM));
  MUST(old < 0 ? flags || !inside || bytes < 0 || m->space->strict : (uint64_t)old == m->brk);
  if (old >= 0)
    m->brk = wanted;
  for (unsigned i = 0; i < PAGES; i++) { /* what came back zeroed stays so, and nothing above the break is mapped */
    struct page *page = &m->page[i];
    if (!page->frame || page->va < m->space->heap || page->va >= P_BREAK_MAX || region_find(m->space, page->va))
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
  if (!m->space)
    return;
  wanted_page = m->space->heap + (op[0] >> 2) * 4096ul;
  wanted_page = op[0] & 64 ? P_STACK_TOP - (op[0] >> 2) % 16 * 4096ul : op[0] & 128 ? 0ul - number : wanted_page;
  wanted_pages = 1 + op[3] % 40;
  losing = op[3] % 251 == 250;
  fail_in = op[1] >> 6 == 3 ? 1 + op[3] % 4 : 0;
  fail_with = op[2] & 1 ? Q_E_NOMEM : Q_E_EXISTS;
  verdict = (struct policy_verdict){(enum policy_relief)(op[2] % 5), op[3] % 7 == 6 ? number : op[3] % 7, op[2]};
  switch (op[1] % 19) { /* prime to the bits that say more */
  case 8:
    double_up(m, &models[(op[0] >> 2) % MODEL_SPACES]);
    break;
  case 9:
  case 16:
    if (m != SERVER)
      map(m, number, op);
    break;
  case 10:
    fail_in = 0;
    if (m != SERVER)
      unmap_or_protect(m, number, op);
    break;
  case 17:
  case 18:
    fail_in = 0;
    if (m != SERVER)
      advise(m, number, op);
    break;
  case 12:
  case 13:
    fail_in = 0;
    objects(op, number);
    break;
  case 14:
    become(m, op);
    break;
  case 15:
    hoard_all_but(op[2] & 3 ? op[3] % 16 : 0);
    break;
  case 11:
    fault(m, place_in_region(m, op, P_BREAK_MAX - 1 - number * 4 % (60 * 4096)), (op[1] >> 4) % 3, 0);
    break;
  case 0:
    fault(m, m->space->heap + number * 64 % MIN(m->brk - m->space->heap + 8192, MODEL_PAGES * 4096ul), op[1] >> 3 & 1,
          0);
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
    change_break(m, -(int64_t)(op[0] & 128 ? number * 5 : number * 5 % (m->brk - m->space->heap + 1)), 0);
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
    if (op[2] % 4 == 1)
      late_fault(m, m->space->heap + op[3] * 4096ul,
                 any_frame(number * 37, op[0] & 64) | (op[0] & 128 ? Q_FAULT_SOLE : 0));
    else if (op[2] % 4 == 2)
      overtaken_fault(m, op[3]);
    else if (op[2] % 4)
      fault(m, place_in_region(m, op, m->space->heap), (op[1] >> 4) % 2, 0);
    else
      end(m);
    break;
  }
  fail_in = 0;
  sp_now = 0;
}

/* The frame that was there is the next that is taken. */
static void late_by_one(void) {
  static const uint8_t start[4] = {0, 0, 0, 0};
  struct model *m = &models[0];
  set_up();
  begin(m, start);
  change_break(m, 4096, 0);
  fault(m, m->space->heap, Q_FAULT_WRITE, 0);
  uint64_t frame = find(m, m->space->heap)->frame;
  change_break(m, -4096, 0);
  change_break(m, 4096, 0);
  uint64_t available = frames_available();
  late_fault(m, m->space->heap, frame);
  MUST(frames_available() == available);
  end(m);
}

/* Out of frames, with two whole blocks to be had back: the first may become the reserve, the program gets of the second. */
static void run_out(void) {
  static const uint8_t start[4] = {0, 0, 0, 0};
  struct model *m = &models[0];
  set_up();
  begin(m, start);
  change_break(m, MODEL_PAGES * 4096, 0);
  for (unsigned i = 0; frames_available(); i++)
    i < MODEL_PAGES ? fault(m, m->space->heap + i * 4096, Q_FAULT_WRITE, 0)
                    : fault(m, P_STACK_TOP - 4096 * (i - MODEL_PAGES + 1), Q_FAULT_WRITE, 0);
  blocks[0] = blocks[1] = EMPTY;
  fault(m, P_STACK_TOP - 64 * 4096, Q_FAULT_READ, 0);
  MUST(find(m, P_STACK_TOP - 64 * 4096) && blocks[0] == OURS && blocks[1] == OURS);
  check_all();
  end(m);
}

/* ---- What is too rare to be left to chance -------------------------------------------------------------------------------- */
static struct space *program_of(struct model *m, bool is_strict) {
  static const uint8_t plain[4] = {0, 0, 0, 0}, other[4] = {0, 0, 3, 0};
  begin(m, is_strict ? other : plain);
  MUST(m->space && m->space->strict == is_strict);
  return m->space;
}

static uint64_t map_some(struct model *m, uint64_t pages, unsigned prot, struct object *object) {
  struct map_request wanted = {.bytes = pages * 4096, .flags = prot, .object = object};
  int64_t at = space_map(m->space, &wanted);
  MUST(at > 0);
  for (uint64_t i = 0; i < pages; i++)
    *shadow(m, (uint64_t)at + i * 4096) = 0;
  return (uint64_t)at;
}

static int protect(struct model *m, uint64_t at, uint64_t pages, unsigned prot) {
  clearing = true;
  int error = space_protect(m->space, at, pages * 4096, prot);
  clearing = false;
  check_all();
  return error;
}

static uint8_t first_byte(struct model *m, uint64_t va, unsigned kind) {
  fault(m, va, kind, 0);
  check_all();
  const struct page *page = find(m, va);
  MUST(page && page->prot & (kind == Q_FAULT_EXECUTE ? Q_PROT_EXECUTE : Q_PROT_READ));
  return *(uint8_t *)frame_data(page->frame);
}

static void bad_ranges(void) {
  struct model *m = &models[1];
  set_up();
  struct space *space = program_of(m, false);
  uint64_t at = map_some(m, 4, 3, NULL);
  MUST(space_unmap(space, at, 0ul - at) == EINVAL && space_unmap(space, at, 0ul - 4096) == EINVAL);
  MUST(space_unmap(space, 0x10000, 4096) == EINVAL && space_protect(space, P_STACK_BASE, 4096, 1) == EINVAL);
  struct map_request wanted = {.address = 0x10000, .bytes = 4096, .flags = 3 | P_MAP_FIXED};
  MUST(space_map(space, &wanted) == -EEXIST);
  MUST(space_protect(space, at, 5 * 4096, 1) == EINVAL && space_protect(space, at - 4096, 4096, 1) == ENOMEM);
  check_all();
  end(m);
}

/* The server's pages 0 and 1, of which a program has written one and parks both, in two parts, and shares them by a fork. */
static void parked_twice(void) {
  struct model *m = &models[1], *c = &models[2];
  set_up();
  program_of(SERVER, false);
  program_of(m, true);
  change_break(SERVER, 4 * 4096, 0);
  struct object *object = object_new(4 * 4096);
  MUST(object && object_reserve(object) && object_name(object, SERVER->space->badge));
  for (uint64_t i = 0; i < 4; i++) {
    fault(SERVER, SERVER->space->heap + i * 4096, Q_FAULT_WRITE, 0);
    clearing = true;
    MUST(!space_freeze(SERVER->space, SERVER->space->heap + i * 4096, object, i));
    clearing = false;
  }
  uint8_t first = (uint8_t)(written - 3);
  uint64_t at = map_some(m, 4, 3, object);
  for (uint64_t i = 0; i < 4; i++)
    *shadow(m, at + i * 4096) = (uint8_t)(first + i);
  fault(m, at + 4096, Q_FAULT_WRITE, 0);
  uint8_t own = written;
  MUST(!protect(m, at + 2 * 4096, 1, 1)); /* divides it */
  for (uint64_t i = 0; i < 4; i++)
    MUST(first_byte(m, at + i * 4096, Q_FAULT_READ) == (i == 1 ? own : first + i));
  MUST(!protect(m, at, 4, 0) && !protect(m, at, 4, 5));
  for (uint64_t i = 0; i < 4; i++)
    MUST(first_byte(m, at + i * 4096, Q_FAULT_EXECUTE) == (i == 1 ? own : first + i));
  MUST(!protect(m, at, 4, 3));
  fault(m, at, Q_FAULT_WRITE, 0);
  own = written;
  double_up(m, c);
  MUST(c->space && !protect(m, at, 4, 0) && !protect(c, at, 4, 0) && !protect(c, at, 4, 5));
  MUST(first_byte(c, at, Q_FAULT_EXECUTE) == own);
  object_unname(object);
  space_drop_object(object);
  check_all();
  end(m);
  MUST(first_byte(c, at + 3 * 4096, Q_FAULT_READ) == first + 3);
  end(c);
  check_all();
  end(SERVER);
  cache_drop();
  MUST(frames_available() == USABLE - indexed && !promised);
}

/* Of pages that the server has written: the first byte of each is one more than that of the one before. */
static struct object *server_object(uint64_t pages, uint8_t *first) {
  program_of(SERVER, false);
  change_break(SERVER, (int64_t)(pages * 4096), 0);
  struct object *object = object_new(pages * 4096);
  MUST(object && object_reserve(object) && object_name(object, SERVER->space->badge));
  object->creator = SERVER->space->badge;
  for (uint64_t i = 0; i < pages; i++) {
    fault(SERVER, SERVER->space->heap + i * 4096, Q_FAULT_WRITE, 0);
    clearing = true;
    MUST(!space_freeze(SERVER->space, SERVER->space->heap + i * 4096, object, i));
    clearing = false;
  }
  *first = (uint8_t)(written - pages + 1);
  return object;
}

/* What is discarded comes as it came first: of a file, or zeros, though PROT_NONE had taken what was written. */
static void discarded(void) {
  struct model *m = &models[1];
  set_up();
  program_of(m, false);
  uint8_t in_file;
  struct object *object = server_object(1, &in_file);
  uint64_t file = map_some(m, 1, 3, object), zeros = map_some(m, 3, 3, NULL);
  *shadow(m, file) = in_file;
  for (unsigned i = 0; i < 3; i++)
    fault(m, zeros + i * 4096, Q_FAULT_WRITE, 0);
  fault(m, file, Q_FAULT_WRITE, 0);
  MUST(!protect(m, zeros, 3, 0) && !protect(m, zeros, 3, 3));
  MUST(!space_advise(m->space, zeros + 4096, 4096, P_ADVICE_DISCARD) &&
       !space_advise(m->space, file, 1, P_ADVICE_DISCARD));
  *shadow(m, zeros + 4096) = 0;
  *shadow(m, file) = in_file;
  MUST(first_byte(m, zeros + 4096, Q_FAULT_READ) == 0 && first_byte(m, zeros, Q_FAULT_READ) != 0);
  MUST(first_byte(m, file, Q_FAULT_READ) == in_file && space_advise(m->space, file, 8192, P_ADVICE_COLD) == ENOMEM);
  MUST(space_advise(m->space, file, 4096, P_ADVICE_DISCARD + 1) == EINVAL);
  object_unname(object);
  space_drop_object(object);
  end(m);
  end(SERVER);
  cache_drop();
  MUST(frames_available() == USABLE - indexed);
}

/* Without memory for what must be made, all is as it was. */
static void parked_without_memory(void) {
  struct model *m = &models[1], *c = &models[2];
  set_up();
  program_of(m, false);
  uint64_t at = map_some(m, 4, 3, NULL);
  for (uint64_t i = 0; i < 4; i++)
    fault(m, at + i * 4096, Q_FAULT_WRITE, 0);
  MUST(!protect(m, at, 4, 5));
  fail_in = 3;
  double_up(m, c); /* which looks at what is left of it */
  MUST(!c->space && !fail_in);
  check_all();
  double_up(m, c);
  for (unsigned few = 0; few < 5; few++) {
    while (frames_available() > few)
      hoard[hoarded++] = frame_get_own();
    MUST(protect(m, at, 4, 0) == ENOMEM);
    MUST(first_byte(m, at + 3 * 4096, Q_FAULT_EXECUTE) == written);
    hoard_all_but(0);
  }
  MUST(!protect(m, at, 4, 0) && !protect(m, at, 4, 1));
  for (uint64_t i = 0; i < 4; i++)
    first_byte(m, at + i * 4096, Q_FAULT_READ);
  end(m);
  end(c);
  cache_drop();
  MUST(frames_available() == USABLE - indexed);
}

/* What a program has been promised and has written is not promised to another when it may be written no more. */
static void promised_once(void) {
  struct model *m = &models[1], *c = &models[2];
  set_up();
  program_of(m, true);
  uint64_t at = map_some(m, 20, 3, NULL), withheld = promises_withheld();
  for (uint64_t i = 0; i < 20; i++)
    fault(m, at + i * 4096, Q_FAULT_WRITE, 0);
  MUST(promises_withheld() == withheld - 20);
  MUST(!protect(m, at, 20, 1) && promises_withheld() == withheld - 20);
  MUST(!protect(m, at, 20, 0) && promises_withheld() == withheld - 20);
  program_of(c, false);
  change_break(c, 96 * 4096, 0);
  for (unsigned i = 0; i < 96; i++)
    fault(c, c->space->heap + i * 4096, Q_FAULT_WRITE, 0);
  check_all();
  MUST(frames_available() == promises_withheld() + links_to_come());
  end(c);
  end(m);
  MUST(!promised);
}

/* A fork shares what programs share with the right to write, and what lies beside it without. */
static void forked_beside_shared(void) {
  struct model *m = &models[1], *c = &models[2];
  set_up();
  program_of(m, false);
  for (unsigned i = 0; i < 5; i++) {
    uint64_t at = map_some(m, 2, i % 2 ? 3 | P_MAP_SHARED : 3, NULL);
    fault(m, at, Q_FAULT_WRITE, 0);
  }
  check_all();
  double_up(m, c); /* which looks at every page */
  MUST(c->space);
  check_all();
  end(m);
  end(c);
  cache_drop();
  MUST(frames_available() == USABLE - indexed);
}

/* What a policy says in the short way is what comes, in the long way too; and a program that becomes another is new to it. */
static void asked_once(void) {
  static const uint8_t start[4] = {0, 0, 24, 0}, other[4] = {0, 0, 0, 1};
  struct model *m = &models[1];
  set_up();
  begin(m, start);
  MUST(m->space->policy->fetch.policy == &policy_any);
  change_break(m, 8 * 4096, 0);
  uint64_t heap = wanted_page = m->space->heap;
  for (wanted_pages = 1; wanted_pages < 5; wanted_pages += 3, wanted_page += 4096) {
    fault(m, wanted_page, Q_FAULT_WRITE, 0);
    MUST(hook_calls == 1 && find(m, wanted_page) && !find(m, wanted_page + wanted_pages * 4096));
    check_all();
  }
  MUST(find(m, heap + 4 * 4096) && m->space->memory->fetch[0]);
  become(m, other);
  end(m);
  cache_drop();
  MUST(frames_available() == USABLE - indexed);
}

/* What it says of memory that shows a file brings no zeros. */
static void asked_of_a_file(void) {
  static const uint8_t start[4] = {0, 0, 24, 0};
  struct model *m = &models[1];
  uint8_t first;
  set_up();
  begin(m, start);
  struct object *object = server_object(4, &first);
  uint64_t at = wanted_page = map_some(m, 4, 3, object);
  wanted_pages = 4;
  for (uint64_t i = 0; i < 4; i++)
    *shadow(m, at + i * 4096) = (uint8_t)(first + i);
  for (uint64_t i = 0; i < 4; i++)
    MUST(first_byte(m, at + i * 4096, Q_FAULT_READ) == (uint8_t)(first + i));
  object_unname(object);
  space_drop_object(object);
  end(m);
  end(SERVER);
  cache_drop();
  MUST(frames_available() == USABLE - indexed);
}

/* A hook that does not return is left, and nothing of its policy is asked again: not of those that have it, nor of those that get it. */
static void left(void) {
  static const uint8_t start[4] = {0, 0, 24, 0}, other[4] = {0, 0, 28, 0}, advice[4] = {0, 24, 1, 0};
  struct model *m = &models[1], *second = &models[2];
  for (unsigned hook = 0; hook < 3; hook++) {
    set_up();
    begin(m, start);
    begin(second, start);
    losses = 0;
    losing = hook == 1;
    change_break(m, 8 * 4096, 0);
    wanted_page = m->space->heap;
    wanted_pages = 3;
    losing = hook == 0;
    MUST(hook == 1 || (second->space->hook == want && m->space->hook == want));
    fault(m, wanted_page, Q_FAULT_WRITE, 0);
    losing = hook == 2;
    if (hook == 2)
      advise(m, 4 * 4096, advice);
    MUST(losses == 1 && !second->space->hook && policy_is_lost(&policy_any));
    end(second);
    begin(second, other);
    MUST(!second->space->hook && second->space->policy->fetch.policy == &policy_demand &&
         second->space->policy->lost);
    change_break(second, 8 * 4096, 0);
    fault(second, second->space->heap, Q_FAULT_WRITE, 0);
    MUST(losses == 1);
    check_all();
    end(m);
    end(second);
    cache_drop();
    MUST(frames_available() == USABLE - indexed);
  }
}

/* Ids are not used again, though slots are. */
static void come_and_go(void) {
  static uint64_t ids[2000];
  set_up();
  for (unsigned i = 0; i < sizeof ids / sizeof *ids; i++) {
    struct space *space = space_new(&images[0], &none);
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
  late_by_one();
  run_out();
  bad_ranges();
  parked_twice();
  discarded();
  parked_without_memory();
  promised_once();
  forked_beside_shared();
  asked_once();
  left();
  asked_of_a_file();
  come_and_go();
  return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
  set_up();
  count_untouched = bytes && data[0] & 4;
  if (bytes && data[0] & 8)
    relief_begin(&pressure);
  for (size_t at = 0; at + 4 <= bytes && at < 400; at += 4) {
    step(data + at);
    check_all();
  }
  for (unsigned i = 0; i < MODEL_SPACES; i++)
    end(&models[i]);
  hoard_all_but(0);
  cache_drop();
  MUST(!promised);
  MUST(frames_available() + frames.tables ==
       USABLE + (blocks[0] == OURS ? BLOCK : 0) + (blocks[1] == OURS ? BLOCK : 0));
  return 0;
}
