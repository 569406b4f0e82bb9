/* SPDX-License-Identifier: BSD-2-Clause */
/* Pools on the build machine: a processor that touches pages as it is told, a backend that is two page tables, and policies that know
 * what they must be told. TAP. */
#include <stdlib.h>
#include <string.h>

#include "absent.h"
#include "ask.h"
#include "check.h"
#include "pool.h"
#include "ram.h"
#include "space.h"

#define PAGE 4096ul
#define BASE 0x80000000ul
#define FRAMES 2048ul
#define OWN 600 /* frames at the start that are others' */
#define HEAP 0x14000ul
#define PAGES 256
#define BUDGET 8
#define SLOTS 80

/* ---- The machine ----------------------------------------------------------------------------------------------------------- */
struct entry {
  uint64_t frame;
  unsigned prot;
  bool accessed, dirty;
};
static struct entry tables[2][PAGES + HEAP / PAGE];
static struct space *programs[2];
static unsigned sharers[FRAMES];
static char *ram;
static struct link links[FRAMES];

static struct entry *table_of(const struct space *space) {
  return tables[space != programs[0]];
}

static struct entry *entry_of(const struct space *space, uint64_t va) {
  static struct entry none;
  none = (struct entry){0};
  return va / PAGE < PAGES + HEAP / PAGE ? &table_of(space)[va / PAGE] : &none;
}

static uint64_t removed(struct entry *entry) {
  uint64_t frame = entry->frame, dirty = entry->dirty ? 2 : 0;
  *entry = (struct entry){0};
  return frame ? frame | dirty | !--sharers[frame_number(frame)] : 0;
}

int backend_map_run(struct space *space, uint64_t va, uint64_t frame_prot, unsigned pages) {
  for (unsigned i = 0; i < pages; i++) {
    struct entry *entry = entry_of(space, va + i * PAGE);
    if (entry->frame)
      return Q_E_EXISTS;
    *entry = (struct entry){PAGE_OF(frame_prot) + i * PAGE, frame_prot & 7, true, false};
    sharers[frame_number(entry->frame)]++;
  }
  return 0;
}

int backend_map(struct space *space, uint64_t va, uint64_t frame_prot) {
  return backend_map_run(space, va, frame_prot, 1);
}

struct backend_pages backend_look(const struct space *space, uint64_t va, unsigned pages, bool clear) {
  struct backend_pages there = {0};
  for (unsigned i = 0; i < pages; i++) {
    struct entry *entry = entry_of(space, va + i * PAGE);
    there.present |= (uint64_t)(entry->frame != 0) << i;
    there.accessed |= (uint64_t)entry->accessed << i;
    there.dirty |= (uint64_t)entry->dirty << i;
    entry->accessed = entry->accessed && !clear;
  }
  return there;
}

void backend_clean(const struct space *space, uint64_t va) {
  entry_of(space, va)->dirty = false;
}

uint64_t backend_unmap_page(struct space *space, uint64_t va) {
  return removed(entry_of(space, va));
}

void backend_unmap(struct space *space, uint64_t va, uint64_t pages,
                   void (*tell)(struct space *, const uint64_t *, uint64_t)) {
  for (uint64_t i = 0; i < pages; i++) {
    uint64_t entry = removed(entry_of(space, va + i * PAGE));
    if (entry)
      tell(space, &entry, 1);
  }
}

uint64_t backend_drop(struct space *space, uint64_t va, uint64_t pages,
                      void (*tell)(struct space *, const uint64_t *, uint64_t)) {
  uint64_t gone = 0;
  for (uint64_t i = 0; i < pages && va / PAGE + i < PAGES + HEAP / PAGE; i++) {
    uint64_t entry = removed(entry_of(space, va + i * PAGE));
    gone += entry != 0;
    if (entry & 1)
      tell(space, &entry, 1);
  }
  return gone;
}

uint64_t backend_take(struct space *space, uint64_t *va, uint64_t end) {
  for (; *va < end; *va += PAGE)
    if (entry_of(space, *va)->frame)
      return removed(entry_of(space, *va));
  return 0;
}

int backend_protect(struct space *space, uint64_t va, uint64_t pages, unsigned prot) {
  for (uint64_t i = 0; i < pages; i++)
    entry_of(space, va + i * PAGE)->prot = prot;
  return 0;
}

int backend_share(struct space *parent, struct space *child, uint64_t va, uint64_t pages, unsigned prot) {
  (void)prot;
  for (uint64_t i = 0; i < pages && va / PAGE + i < PAGES + HEAP / PAGE; i++) {
    struct entry *entry = entry_of(parent, va + i * PAGE);
    entry->prot &= ~(unsigned)Q_PROT_WRITE;
    if (entry->frame)
      backend_map(child, va + i * PAGE, entry->frame | entry->prot);
  }
  return 0;
}

static const char *lost; /* the hook's name */
static unsigned losses;
void backend_lost(const struct policy *policy, const char *hook_name) {
  CHECK(policy_is_lost(policy));
  lost = hook_name;
  losses++;
}

void backend_end(struct space *space) { /* no policy of pressure is chosen here */
  (void)space;
  abort();
}

bool backend_reclaim(uint64_t *block) {
  (void)block;
  return false;
}

uint64_t backend_time(void) {
  return 0;
}

void frames_back(void *page, uint64_t frame) {
  (void)frame;
  memset(page, 0, PAGE);
}

void backend_back(void *page, uint64_t frame) {
  (void)frame;
  memset(page, 0, PAGE);
}

/* ---- What policies must be told ------------------------------------------------------------------------------------------------ */
static uint64_t gone[PAGES], order[PAGES],
    dropped; /* when each page went, and of those that were never written in which order */
static bool was_written[PAGES];
static uint64_t arrival[PAGES], arrivals; /* with `needed` not 0, of the pages from there on the oldest goes */
static unsigned needed;

static unsigned page_of(const struct policy_pool *pool, uint32_t index) {
  return (unsigned)((policy_page(pool, index).address - HEAP) / PAGE);
}

/* Of pages that were dropped the oldest is forgotten if they are more than the pool has frames. */
static void forget_oldest(void) {
  unsigned known = 0, oldest = PAGES;
  for (unsigned i = 0; i < PAGES; i++) {
    bool is = !was_written[i] && gone[i];
    known += is;
    if (is && (oldest == PAGES || order[i] < order[oldest]))
      oldest = i;
  }
  if (known > BUDGET)
    gone[oldest] = 0;
}

static void went(struct policy_pool *pool, uint32_t index, enum policy_reason reason) {
  unsigned page = page_of(pool, index);
  if (reason != POLICY_EVICTED)
    return;
  gone[page] = pool->now;
  order[page] = ++dropped;
  forget_oldest();
}

static unsigned touched; /* the page that faults, and when it went */
static uint64_t gone_before;

static void came(struct policy_pool *pool, uint32_t index, enum policy_reason reason) {
  unsigned page = page_of(pool, index);
  arrival[page] = ++arrivals;
  uint64_t when = page == touched ? gone_before : gone[page]; /* what went for it may have been noted in its place */
  CHECK(pool->refault == (reason == POLICY_DEMAND && when ? pool->now - when : 0));
  gone[page] = 0;
}

static uint32_t victims(struct policy_pool *pool, uint32_t *victim, uint32_t most) {
  (void)most;
  *victim = (uint32_t)(policy_random(pool) % pool->size);
  for (uint32_t i = 0, oldest = 0; needed && i < pool->size; i++)
    if (policy_page(pool, i).address >= HEAP + needed * PAGE && (!oldest || arrival[page_of(pool, i)] < oldest)) {
      oldest = (uint32_t)arrival[page_of(pool, i)];
      *victim = i;
    }
  return 1;
}

static void fault_around(const struct policy_area *area, uint64_t page, struct policy_range *range) {
  unsigned i = (unsigned)((page - HEAP) / PAGE);
  uint64_t now = programs[0]->pool->about.now;
  CHECK(area->refault == (gone[i] ? now - gone[i] : 0));
  *range = policy_window_of(page, 4);
}

static const struct policy witness = {.name = "witness", .mapped = came, .unmapped = went, .victims = victims};
static const struct policy_set alone = {"witness", .fetch = {.policy = &policy_demand},
                                        .replace = {.policy = &witness}};
static const struct policy around = {.name = "around", .fault = fault_around};
static const struct policy_set greedy = {"greedy", .fetch = {.policy = &around}, .replace = {.policy = &witness}};

/* A budget that is large and small in turn, so that several pages go at once; and which pages were touched is asked twice. */
static uint32_t shown, most_asked;
static uint32_t breathes(struct policy_need *need) {
  struct policy_pool *pool = &programs[0]->pool->about;
  uint32_t used = need->used(need), accessed = 0;
  for (uint32_t i = 0; i < pool->size; i++)
    accessed += policy_accessed(pool, i);
  CHECK(used == accessed);
  shown += used;
  return pool->now % 50 < 25 ? pool->size : POLICY_LEAST;
}

/* From the last on, the first of them twice. */
static uint32_t many(struct policy_pool *pool, uint32_t *victim, uint32_t most) {
  uint32_t n = 0;
  for (uint32_t i = pool->size; i-- && n < most;)
    if (policy_page(pool, i).address)
      victim[n++] = i;
  if (most > 1)
    victim[1] = victim[0];
  most_asked = most > most_asked ? most : most_asked;
  return n;
}

static const struct policy breathing = {.name = "breathing", .victims = many, .budget = breathes};
static const struct policy_set lungs = {"breathing", .fetch = {.policy = &policy_demand},
                                        .replace = {.policy = &breathing}, .allocate = {.policy = &breathing}};

/* One that does not return, as far as the pager can tell, from one of its hooks, the third time. */
static const char *losing;
static unsigned asked;
static void lose(const char *name) {
  CHECK(!losses);
  if (strcmp(name, losing) || ++asked < 3)
    return;
  asked_otherwise = 5;
  CHECK(ask_left() == 5 && !strcmp(lost, strcmp(name, "carried") ? name : "unmapped"));
}

static void fading_begun(struct policy_pool *pool) {
  (void)pool;
  lose("begun");
}

static void fading_mapped(struct policy_pool *pool, uint32_t index, enum policy_reason reason) {
  (void)pool, (void)index, (void)reason;
  lose("mapped");
}

static void fading_unmapped(struct policy_pool *pool, uint32_t index, enum policy_reason reason) {
  (void)pool, (void)index;
  lose(reason == POLICY_CARRIED ? "carried" : "unmapped");
}

static uint32_t fading_victims(struct policy_pool *pool, uint32_t *victim, uint32_t most) {
  lose("victims");
  *victim = pool->size + most;
  return 0;
}

static void fading_tick(struct policy_pool *pool) {
  (void)pool;
  lose("tick");
}

static uint32_t fading_budget(struct policy_need *need) {
  lose("budget");
  return need->budget;
}

const struct policy policy_fading = {.name = "fading",
                                     .begun = fading_begun,
                                     .mapped = fading_mapped,
                                     .unmapped = fading_unmapped,
                                     .victims = fading_victims,
                                     .tick = fading_tick,
                                     .budget = fading_budget};

/* One whose author forgot to say what it is called. */
const struct policy policy_nameless = {.victims = many};

static void nameless(void) {
  struct policy_set set;
  CHECK(!policy_choose("nameless", &set) && !policy_choose("", &set) && policy_choose("clock", &set));
  report("a policy without a name is no policy");
}

/* ---- Programs ---------------------------------------------------------------------------------------------------------------- */
static struct entry *there(unsigned program, unsigned page) {
  return entry_of(programs[program], HEAP + page * PAGE);
}

static bool is_there(unsigned program, unsigned page, bool write) {
  const struct entry *entry = there(program, page);
  return entry->frame && (!write || entry->prot & Q_PROT_WRITE);
}

static void fault(unsigned program, unsigned page, bool write) {
  struct answer answer;
  struct entry *entry = there(program, page);
  touched = page;
  gone_before = gone[page];
  uint64_t old = entry->frame, sole = old && sharers[frame_number(old)] == 1 ? Q_FAULT_SOLE : 0;
  space_fault(programs[program], HEAP + page * PAGE, write ? Q_FAULT_WRITE : Q_FAULT_READ, 0, old | sole, &answer);
  CHECK(!answer.reason && !answer.later);
  if (!answer.frame_prot)
    return;
  if (old)
    removed(entry);
  CHECK(!backend_map_run(programs[program], answer.page, answer.frame_prot, answer.pages));
}

static void touch(unsigned program, unsigned page, bool write) {
  while (!is_there(program, page, write))
    fault(program, page, write);
  struct entry *entry = there(program, page);
  entry->accessed = true;
  entry->dirty |= write;
  was_written[page] |= write;
  if (write)
    *(unsigned *)frame_data(entry->frame) = page + 1;
  CHECK(*(unsigned *)frame_data(entry->frame) == (was_written[page] ? page + 1 : 0));
}

static void set_up(void) {
  static char memory[1 << 16] __attribute__((aligned(PAGE))), pools[1 << 16] __attribute__((aligned(PAGE)));
  static char store[1 << 16] __attribute__((aligned(PAGE))), slots[SLOTS * PAGE] __attribute__((aligned(PAGE)));
  static struct space *spaces_table[P_PROCESSES] __attribute__((aligned(PAGE)));
  static struct image image = {.name = "p", .file = "data", .heap = HEAP, .segments = 1, .good = true};
  image.segment[0] = (struct segment){HEAP - PAGE, HEAP, HEAP - PAGE, 4, 0, Q_PROT_READ | Q_PROT_WRITE, NULL};
  images = &image;
  image_count = 1;
  frames_init(ram - BASE, BASE, BASE + FRAMES * PAGE, memory, links);
  frames_add(BASE + OWN * PAGE, (FRAMES - OWN) * PAGE);
  spaces_begin(spaces_table);
  pools_begin(pools, FRAMES * PAGE);
  ram_store.slots = SLOTS;
  ram_begin(slots, 0);
  absents_begin(&ram_store, store);
  pool_pages = BUDGET;
}

static void begin(void) {
  programs[0] = space_new(images, &alone);
  CHECK(pool_join(programs[0], NULL) && programs[0]->pool && space_sbrk(programs[0], PAGES * PAGE, 0) > 0);
}

static void end(unsigned program) {
  space_end(programs[program]);
  space_free(programs[program]);
}

static void forget_model(unsigned from, unsigned to) {
  for (unsigned i = from; i < to; i++)
    gone[i] = 0, was_written[i] = false;
}

static unsigned draw(unsigned below) {
  static uint64_t state = 1;
  state = state * 6364136223846793005 + 1442695040888963407; /* Knuth, volume 2, 3.3.4 */
  return (unsigned)(state >> 33) % below;
}

/* Only every other page is ever written. */
static void refer(unsigned times) {
  for (unsigned i = 0; i < times; i++) {
    unsigned page = draw(draw(3) ? 20 : 60);
    touch(0, page, page % 2 && !draw(6));
  }
}

/* ---- Tests ------------------------------------------------------------------------------------------------------------------- */
static void distances(void) {
  refer(20000);
  report("the refault distance: known of what was written, and of the last that were dropped");
}

static void distances_around(void) {
  CHECK(!pool_change(programs[0], &greedy, 0));
  refer(20000);
  CHECK(programs[0]->stats.ahead && !pool_change(programs[0], &alone, 0));
  report("the same with pages that come besides, and another policy");
}

static void given_back(void) {
  for (unsigned i = 0; i < 300; i++) {
    unsigned kept = draw(60);
    CHECK(space_sbrk(programs[0], -(int64_t)((PAGES - kept) * PAGE), 0) > 0);
    CHECK(space_sbrk(programs[0], (PAGES - kept) * PAGE, 0) > 0);
    forget_model(kept, PAGES);
    for (unsigned step = 0; step < 40; step++)
      touch(0, draw(60), !draw(4));
  }
  report("what was given back is new");
}

/* The parent's distances go on, the child's begin. */
static void forked(void) {
  uint64_t parent_gone[PAGES], parent_order[PAGES];
  memcpy(parent_gone, gone, sizeof gone);
  memcpy(parent_order, order, sizeof order);
  programs[1] = space_new(programs[0]->image, programs[0]->policy);
  CHECK(space_policy_copy(programs[0], programs[1]) && pool_join(programs[1], programs[0]));
  CHECK(!space_fork(programs[0], programs[1]));
  memset(gone, 0, sizeof gone);
  for (unsigned i = 0; i < 2000; i++)
    touch(1, draw(60), false);
  end(1);
  memcpy(gone, parent_gone, sizeof gone);
  memcpy(order, parent_order, sizeof order);
  for (unsigned i = 0; i < 500; i++)
    touch(0, draw(60), false);
  report("a child's begins with it");
}

static void more_than_fit(void) {
  for (unsigned pages = 2; pages <= POOL_LEAST; pages++) {
    needed = 100 + pages * 10;
    uint64_t wrong = programs[0]->stats.wrong;
    unsigned faults = 0, there_now = 0, next = 0;
    CHECK(!pool_change(programs[0], pages % 2 ? &greedy : &alone, POOL_LEAST));
    for (; faults < 100 && there_now < pages; next = (next + 1) % pages) {
      there_now = is_there(0, needed + next, false) ? there_now + 1 : 0;
      if (!there_now)
        fault(0, needed + next, false), faults++;
    }
    CHECK(there_now == pages && faults < 20 * pages && faults > 16);
    CHECK(programs[0]->stats.wrong > wrong); /* in the end they stay, though they are proposed */
  }
  needed = 0;
  report("as many pages as an instruction needs come together, though just these go first");
}

static void several_at_once(void) {
  forget_model(0, PAGES);
  begin();
  CHECK(!pool_change(programs[0], &lungs, 3 * BUDGET));
  refer(2000);
  CHECK(shown > 1000 && most_asked == POLICY_VICTIMS && programs[0]->stats.wrong > 10);
  end(0);
  report("several pages go at once, each once; allocation and replacement see what was touched, each for itself");
}

static uint32_t only_looks(struct policy_need *need) {
  need->used(need);
  return need->most;
}

static void use_is_carried(void) {
  static const struct policy looking = {.name = "looking", .victims = many, .budget = only_looks};
  static const struct policy_set looks = {"looking", .fetch = {.policy = &policy_demand},
                                          .replace = {.policy = &looking}, .allocate = {.policy = &looking}};
  uint32_t accessed = 0;
  forget_model(0, PAGES);
  begin();
  CHECK(!pool_change(programs[0], &looks, BUDGET));
  refer(500);
  CHECK(!pool_change(programs[0], &alone, BUDGET));
  struct policy_pool *pool = &programs[0]->pool->about;
  for (uint32_t i = 0; i < pool->size; i++)
    accessed += policy_accessed(pool, i);
  CHECK(accessed == BUDGET && pool->resident == BUDGET);
  end(0);
  report("another policy knows which pages were used, though allocation has asked before");
}

/* Nothing of it is asked again, in no pool, and all goes on. */
static void left(void) {
  static const char *const hooks[] = {"begun", "mapped", "unmapped", "victims", "tick", "budget"};
  for (unsigned i = 0; i < sizeof hooks / sizeof *hooks; i++) {
    struct policy_set set = {"fading", .fetch = {.policy = &policy_demand}, .replace = {.policy = &policy_fading}};
    set.allocate = set.replace;
    forget_model(0, PAGES);
    policies_begin();
    losing = hooks[i], losses = asked = 0;
    begin();
    for (unsigned n = 0; n < 3; n++) { /* begun is asked at each change */
      CHECK(!pool_change(programs[0], &set, BUDGET));
      refer(100);
    }
    CHECK(losses == 1 && set.lost && !set.allocate.policy && set.replace.policy == &policy_null);
    CHECK(programs[0]->pool->policy == &policy_null);
    end(0);
  }
  policies_begin();
  report("a hook that does not return is left, and nothing of its policy is asked again");
}

/* The pool that is left for another one is no program's. */
static void left_while_changed(void) {
  struct policy_set set = {"fading", .fetch = {.policy = &policy_demand}, .replace = {.policy = &policy_fading}};
  forget_model(0, PAGES);
  losing = "carried", losses = asked = 0;
  begin();
  CHECK(!pool_change(programs[0], &set, BUDGET));
  refer(100);
  CHECK(!losses && !pool_change(programs[0], &alone, BUDGET) && losses == 1);
  end(0);
  policies_begin();
  report("so it is while its pages go to another policy");
}

/* Of a page of the image no policy of fetching is asked. How far it comes back from, though when it went is forgotten meanwhile. */
#define DATA (HEAP - PAGE)
extern const struct policy policy_fifo;
static uint64_t data_went, data_came;

static void data_comes(struct policy_pool *pool, uint32_t index, enum policy_reason reason) {
  policy_fifo.mapped(pool, index, reason);
  if (policy_page(pool, index).address != DATA)
    return;
  CHECK(pool->refault == (data_went ? pool->now - data_went : 0));
  data_came++;
}

static void data_goes(struct policy_pool *pool, uint32_t index, enum policy_reason reason) {
  policy_fifo.unmapped(pool, index, reason);
  if (policy_page(pool, index).address == DATA && reason == POLICY_EVICTED)
    data_went = pool->now;
}

static void touch_data(void) {
  struct answer answer;
  space_fault(programs[0], DATA, Q_FAULT_READ, 0, 0, &answer);
  CHECK(!answer.reason && answer.frame_prot && !backend_map(programs[0], DATA, answer.frame_prot));
}

static void page_of_image(void) {
  static struct policy data;
  static const struct policy_set of_data = {"data", .fetch = {.policy = &policy_demand},
                                            .replace = {.policy = &data}};
  data = policy_fifo;
  data.mapped = data_comes;
  data.unmapped = data_goes;
  forget_model(0, PAGES);
  begin();
  CHECK(!pool_change(programs[0], &of_data, BUDGET));
  for (unsigned far = 0; far < BUDGET; far++) {
    touch_data();
    for (unsigned i = 0; i < BUDGET + far; i++)
      touch(0, far * 2 * BUDGET + i, false);
    CHECK(!entry_of(programs[0], DATA)->frame);
  }
  CHECK(data_came == BUDGET && data_went);
  end(0);
  report("a page of the image comes back from where it went");
}

static unsigned count_there(unsigned program) {
  unsigned n = 0;
  for (unsigned i = 0; i < PAGES; i++)
    n += is_there(program, i, false);
  return n;
}

/* A page that another thread of the pager has answered with, before there was a budget, is mapped when there is one. What has come
 * back meanwhile, and was written, stays known as that. */
static void comes_late(void) {
  static const struct policy_set plain = {"demand", .fetch = {.policy = &policy_demand}};
  const unsigned late = 100, back = 0;
  struct answer answer;
  frames_share(2);
  forget_model(0, PAGES);
  programs[0] = space_new(images, &plain);
  CHECK(space_sbrk(programs[0], PAGES * PAGE, 0) > 0);
  for (unsigned i = 0; i < 2 * BUDGET; i++)
    touch(0, i, true);
  space_fault(programs[0], HEAP + late * PAGE, Q_FAULT_WRITE, 0, 0, &answer);
  CHECK(!answer.reason && !pool_change(programs[0], &alone, BUDGET) && programs[0]->pool->late);
  CHECK(!backend_map(programs[0], answer.page, answer.frame_prot) && count_there(0) == BUDGET + 1);
  CHECK(!is_there(0, back, false));
  pool_need(programs[0], (struct extent){HEAP + back * PAGE, HEAP + (back + 1) * PAGE});
  CHECK(is_there(0, back, true));
  *(unsigned *)frame_data(there(0, back)->frame) = 77;
  there(0, back)->dirty = true;
  for (unsigned i = 2 * BUDGET; i < 5 * BUDGET; i++) {
    touch(0, i, true);
    CHECK(count_there(0) <= BUDGET);
  }
  CHECK(!is_there(0, late, false) && !is_there(0, back, false) && !programs[0]->pool->late);
  while (!is_there(0, back, false))
    fault(0, back, false);
  CHECK(*(unsigned *)frame_data(there(0, back)->frame) == 77);
  end(0);
  frames_share(1);
  report("a page that comes late is in the pool, too");
}

/* A copy is decided on for the only program that shows an object's page, which another gets before the answer is carried out. */
static void overtaken(void) {
  begin();
  touch(0, 3, true);
  struct object *object = object_new(PAGE);
  CHECK(object && object_reserve(object) && !space_freeze(programs[0], HEAP + 3 * PAGE, object, 0));
  object->creator = programs[0]->badge;
  uint64_t frame = there(0, 3)->frame;
  struct p_stats before = programs[0]->stats;
  struct answer answer;
  space_fault(programs[0], HEAP + 3 * PAGE, Q_FAULT_WRITE, 0, frame | Q_FAULT_SOLE, &answer);
  CHECK(answer.expected == (frame | Q_EXPECT) && PAGE_OF(answer.frame_prot) != frame);
  CHECK(!frames.link[frame_number(frame)].next);
  space_undo(programs[0], &answer);
  CHECK(frames.link[frame_number(frame)].next); /* somebody shows it */
  CHECK(programs[0]->stats.resident == before.resident && programs[0]->stats.shared == before.shared);
  space_drop_object(object);
  end(0);
  forget_model(0, PAGES);
  report("an answer that is overtaken leaves an object's page mapped");
}

static void all_back(void) {
  uint64_t before = frames_available() + frames.tables;
  for (unsigned i = 0; i < 10; i++) {
    forget_model(0, PAGES);
    begin();
    for (unsigned step = 0; step < 200; step++)
      touch(0, draw(60), !draw(4));
    end(0);
  }
  CHECK(before == frames_available() + frames.tables && !absent_moving);
  report("all memory comes back");
}

int main(void) {
  ram = aligned_alloc(1 << 21, FRAMES * PAGE);
  printf("1..14\n");
  set_up();
  begin();
  distances();
  distances_around();
  given_back();
  forked();
  more_than_fit();
  end(0);
  several_at_once();
  use_is_carried();
  left();
  left_while_changed();
  nameless();
  page_of_image();
  comes_late();
  overtaken();
  all_back();
  free(ram);
  return failures != 0;
}
