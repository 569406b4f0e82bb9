/* SPDX-License-Identifier: BSD-2-Clause */
/* Accessed and dirty bits: kernel/vm.c as it is, on harts that are played here. These raise a page fault where one of the bits is to
 * be set (Svade), or set it (Svadu); and they keep what they have once seen of a page table until they are told to forget it. The
 * machine is written from the ISA manual, volume II, and names the bits as that does. TAP. */
#include <stdlib.h>

#include "check.h"
#include "vm.h"

#define PAGE 4096ul
#define PAGES 24
#define CODE 16                        /* pages from there on may be run, the others written */
#define BASE (0x1000000ul - 12 * PAGE) /* so they lie in two tables */
#define TABLES 10
#define HARTS 2
#define SPACES 2
#define ASIDS 8
#define OPERATIONS 60000

/* ---- The machine ------------------------------------------------------------------------------------------------- */
enum { V = 1, R = 2, W = 4, X = 8, U = 16, A = 64, D = 128 }; /* figure 4.21 */
#define PPN ((1ul << 44) - 1)

static char ram[PAGES + TABLES][PAGE] __attribute__((aligned(4096)));
static struct {
  uint64_t satp;
  struct cached {
    bool there;
    uint64_t entry; /* one that is not good, too */
  } cached[ASIDS][PAGES];
  bool no_table[ASIDS][2]; /* an entry above the leaf that was not valid */
} machine[HARTS];
static bool traps;       /* Svade */
static unsigned trapped; /* page faults that there were */

/* sfence.vma (4.2.1): with an address it is of leaf entries only. */
static void forget(unsigned hart, uint64_t va, uint64_t asid) {
  for (unsigned i = 0; i < ASIDS; i++) {
    if (asid != ~0ul && asid != i)
      continue;
    for (unsigned page = 0; page < PAGES; page++)
      machine[hart].cached[i][page].there &= va != ~0ul && va != BASE + page * PAGE;
    machine[hart].no_table[i][0] &= va != ~0ul;
    machine[hart].no_table[i][1] &= va != ~0ul;
  }
}

/* What table 4.5 says of X, W and R, for a load, a store and a fetch (MXR is 0); and it is the user's. */
static bool allowed(uint64_t entry, unsigned kind) {
  static const bool allows[8][3] = {
      {false, false, false}, /* pointer to next level of page table */
      {true, false, false},  /* read-only page */
      {false, false, false}, /* reserved */
      {true, true, false},   /* read-write page */
      {false, false, true},  /* execute-only page */
      {true, false, true},   /* read-execute page */
      {false, false, false}, /* reserved */
      {true, true, true},    /* read-write-execute page */
  };
  return entry & V && entry & U && allows[entry >> 1 & 7][kind];
}

/* 4.3.2, steps 1 to 4, of pages of 4 KiB. NULL: there is no table. */
static uint64_t *walk(uint64_t satp, uint64_t va) {
  uint64_t *table = pa_to_va((satp & PPN) * PAGE);
  for (int i = 2; i > 0; i--) {
    uint64_t entry = table[va >> (12 + 9 * i) & 511];
    if ((entry & (V | R | W | X)) != V)
      return NULL;
    table = pa_to_va((entry >> 10 & PPN) * PAGE);
  }
  return &table[va >> 12 & 511];
}

/* Step 7: if pte.a = 0, or if the access is a store and pte.d = 0. */
static uint64_t bits_of(unsigned kind) {
  return kind == Q_FAULT_WRITE ? A | D : A;
}

/* An instruction that accesses the page. false: it raised a page fault. */
static bool reach(unsigned hart, uint64_t va, unsigned kind) {
  uint64_t satp = machine[hart].satp, asid = satp >> 44 & 0xffff, *entry = walk(satp, va), bits = bits_of(kind);
  struct cached *cached = &machine[hart].cached[asid][(va - BASE) / PAGE];
  bool *no_table = &machine[hart].no_table[asid][(va >> 21) - (BASE >> 21)];
  *no_table |= !entry;
  if (*no_table)
    return false;
  if (!cached->there)
    *cached = (struct cached){true, *entry};
  if (!allowed(cached->entry, kind))
    return false;
  if ((cached->entry & bits) == bits)
    return true;
  if (traps || !allowed(*entry, kind))
    return false;
  cached->entry = *entry |= bits;
  return true;
}

/* ---- What the kernel has around vm.c ------------------------------------------------------------------------------- */
struct kernel kernel;
struct thread *current;
const struct last_handle no_handle;
static struct pager pager = {.number = 1};
static struct hart harts[HARTS];
static unsigned hart_count = HARTS;
static struct task tasks[SPACES];
static struct thread threads[HARTS][SPACES];
static struct frame frames[PAGES + TABLES];

static unsigned this_number(void) {
  return (unsigned)(this_hart() - harts);
}

void machine_satp(uint64_t value) {
  machine[this_number()].satp = value;
}

void machine_fence(uint64_t va, uint64_t asid) {
  forget(this_number(), va, asid);
}

void harts_fence(uint64_t which, uva_t va, uint64_t bytes, uint64_t asid) {
  for (unsigned i = 0; i < HARTS; i++)
    if (which >> i & 1)
      forget(i, bytes == ~0ul ? ~0ul : va, asid);
}

void harts_fence_all(void) {
  for (unsigned i = 0; i < HARTS; i++)
    forget(i, ~0ul, ~0ul);
}

void harts_fence_code(uint64_t which) {
  (void)which;
}

void *page_alloc(struct pager *of, enum frame_kind kind) {
  struct frame *frame = &frames[PAGES];
  while (frame->kind != FRAME_FREE)
    if (++frame == &frames[PAGES + TABLES])
      return NULL;
  *frame = (struct frame){.owner = of->number, .kind = kind};
  return ram[frame - frames];
}

void page_free(void *page) {
  struct frame *frame = frame_of(va_to_pa(page));
  CHECK(frame->kind == FRAME_TABLE && !frame->count);
  frame->kind = FRAME_FREE;
}

bool block_owned(const struct pager *of, pa_t block) {
  (void)of, (void)block;
  return false;
}

void thread_move(struct thread *thread, struct hart *to) {
  (void)thread, (void)to;
  abort(); /* each thread has a hart */
}

void panic(const char *format, ...) {
  printf("Bail out! panic: %s\n", format);
  exit(1);
}

/* ---- What is expected: of each page, as a machine would have it whose bits are always right ------------------------------ */
static struct page {
  bool present, accessed, dirty;
  unsigned prot;
} model[SPACES][PAGES];

static uint64_t state;

static unsigned draw(unsigned below) {
  state = state * 6364136223846793005 + 1442695040888963407; /* Knuth, volume 2, 3.3.4 */
  return (unsigned)(state >> 33) % below;
}

static pa_t frame_at(unsigned page) {
  return va_to_pa(ram[page]);
}

static uva_t va_of(unsigned page) {
  return BASE + page * PAGE;
}

/* In how many of the spaces. */
static unsigned mappings(unsigned page) {
  return model[0][page].present + model[1][page].present;
}

static bool good(const struct page *page, unsigned kind) {
  return page->present && page->prot & (unsigned[]){Q_PROT_READ, Q_PROT_WRITE, Q_PROT_EXECUTE}[kind];
}

static void used(struct page *page, unsigned kind) {
  page->accessed = true;
  page->dirty |= kind == Q_FAULT_WRITE;
}

/* As the kernel goes on from the current hart's thread to one of that hart and that space. */
static void run(unsigned hart, unsigned space) {
  current = harts[hart].current;
  thread_switch(&threads[hart][space]);
}

/* What an access by the current thread comes to, as trap_other() has it. true: it is made; else what the pager is told. One fault is
 * enough for the kernel to make it good, whatever this hart has seen before. */
static bool access(uva_t va, unsigned kind, uint64_t *told) {
  for (unsigned faults = 0; !reach(this_number(), va, kind); faults++) {
    trapped++;
    *told = vm_fault(current->task, va + 8, kind);
    if (*told != VM_SPURIOUS)
      return false;
    CHECK(!faults);
    if (faults)
      exit(1); /* it would go on so for ever */
  }
  return true;
}

/* The boot, but for the kernel's half. */
static void begin(uint64_t asids) {
  uint64_t harts_begin = 0;
  kernel = (struct kernel){.frames = frames, .frame_count = PAGES + TABLES, .harts = harts, .hart_count = hart_count};
  kernel.ram_base = frame_at(0);
  kernel.ram_end = frame_at(PAGES + TABLES);
  kernel.asid_count = asids;
  pager.fresh = frame_fresh(pager.number);
  for (unsigned i = 0; i < PAGES + TABLES; i++)
    frames[i] = (struct frame){.owner = i < PAGES ? pager.number : 0, .kind = i < PAGES ? FRAME_USER : FRAME_FREE};
  for (unsigned i = 0; i < HARTS; i++, harts_begin += sizeof(tasks[0].good_on[0])) {
    harts[i] = (struct hart){
        .others = hart_count > 1, .bit = (uint8_t)(1 << i), .place = harts_begin, .current = &harts[i].idle};
    harts[i].idle = (struct thread){.hart = &harts[i]};
    for (unsigned space = 0; space < SPACES; space++)
      threads[i][space] = (struct thread){.hart = &harts[i], .task = &tasks[space]};
  }
  current = harts[0].current;
  asid_generation_begin();
  for (unsigned i = 0; i < SPACES; i++) {
    tasks[i] = (struct task){.pager = &pager, .threads = hart_count};
    CHECK(!vm_create(&tasks[i]));
  }
}

static void end(void) {
  for (unsigned i = 0; i < SPACES; i++)
    while (!vm_destroy(&tasks[i]))
      continue;
  for (unsigned i = 0; i < PAGES + TABLES; i++)
    CHECK(!frames[i].count && frames[i].kind == (i < PAGES ? FRAME_USER : FRAME_FREE));
  for (unsigned i = 0; i < PAGES; i++)
    model[0][i] = model[1][i] = (struct page){0};
}

/* ---- Each entry that there can be, and each access -------------------------------------------------------------------- */
struct one {
  uint64_t *slot, before, after; /* after: as the access leaves it */
  unsigned kind;
  bool allowed, in_ram;
  uint64_t told; /* if it is not allowed */
};

static void write_entry(const struct one *one) {
  *one->slot = one->before;
  forget(0, ~0ul, ~0ul);
  trapped = 0;
}

static void one_fault(const struct one *one) {
  write_entry(one);
  CHECK(vm_fault(&tasks[0], va_of(0) + 8, one->kind) == (one->allowed ? VM_SPURIOUS : one->told));
  CHECK(*one->slot == one->after);
}

static void one_access(const struct one *one) {
  uint64_t told = 0;
  write_entry(one);
  CHECK(access(va_of(0), one->kind, &told) == one->allowed && (one->allowed || told == one->told));
  CHECK(*one->slot == one->after && trapped == (!one->allowed || one->before != one->after));
  trapped = 0;
  CHECK(!one->allowed || (access(va_of(0), one->kind, &told) && !trapped && *one->slot == one->after));
}

/* By the kernel itself; it reaches nothing but RAM. */
static void one_copy(const struct one *one) {
  void *there = one->allowed && one->in_ram ? ram[0] + 8 : NULL;
  write_entry(one);
  CHECK(vm_resolve(&tasks[0], va_of(0) + 8, one->kind) == there);
  CHECK(*one->slot == one->after || !one->in_ram);
  write_entry(one);
  bool set = one->before == one->after;
  if (one->kind != Q_FAULT_EXECUTE)
    CHECK(vm_resident(&tasks[0], va_of(0) + 8, one->kind) == (set ? there : NULL) && *one->slot == one->before);
}

/* What the manual reserves, a kernel may do with as it likes; this one lets no such entry be. */
static bool reserved(uint64_t entry) {
  return (entry & (R | W)) == W;
}

static void none_reserved(void) {
  for (unsigned prot = 0; prot < 8; prot++) {
    struct range range = {.va = va_of(0), .end = va_of(1)};
    if (!reserved(prot << 1))
      continue;
    CHECK(vm_map(&tasks[0], &(struct mapping){va_of(1), frame_at(1) | prot, 1, 0, ~0ul}) == Q_E_ARG);
    CHECK(vm_protect(&tasks[0], NULL, &range, prot) == Q_E_ARG);
  }
}

static void each_entry(void (*test)(const struct one *), const char *name) {
  begin(64);
  run(0, 0);
  CHECK(!vm_map(&tasks[0], &(struct mapping){va_of(0), frame_at(0) | Q_PROT_READ, 1, 0, ~0ul}));
  struct one one = {.slot = walk(machine[0].satp, va_of(0))};
  uint64_t was = *one.slot;
  traps = true;
  none_reserved();
  for (unsigned i = 0; i < 1024 * 3 * 2; i++) { /* the bits that have a name, or are left to software */
    unsigned bits = i % 1024, sole = i / 1024 % 2;
    pa_t pa = bits & PTE_DEVICE ? 0x10000000 : frame_at(0);
    one.before = pa >> 2 | bits;
    one.kind = i / 2048;
    one.allowed = allowed(one.before, one.kind);
    one.after = one.before | (one.allowed ? bits_of(one.kind) : 0);
    one.in_ram = !(bits & PTE_DEVICE);
    one.told = (bits & V) && (bits & U) && !(bits & PTE_WINDOW) && one.in_ram ? pa | sole : 0;
    frames[0].count = sole ? 1 : 2;
    if (!reserved(bits))
      test(&one);
  }
  *one.slot = was;
  frames[0].count = 1;
  end();
  report(name);
}

/* ---- Anything in any order -------------------------------------------------------------------------------------------- */
static unsigned drawn_prot(unsigned page) {
  static const unsigned data[] = {Q_PROT_READ, Q_PROT_READ | Q_PROT_WRITE, Q_PROT_READ | Q_PROT_WRITE},
                        code[] = {Q_PROT_READ, Q_PROT_EXECUTE, Q_PROT_READ | Q_PROT_EXECUTE};
  return (page < CODE ? data : code)[draw(3)];
}

static void try_access(unsigned space, unsigned page) {
  struct page *expected = &model[space][page];
  unsigned kind = draw(3);
  uint64_t told = 0, frame = expected->present ? frame_at(page) | (mappings(page) == 1) : 0;
  bool made = good(expected, kind);
  CHECK(access(va_of(page), kind, &told) == made && (made || told == frame));
  if (made)
    used(expected, kind);
}

/* As copies do: by the entry as it is, if that will do. */
static void try_copy(unsigned space, unsigned page) {
  struct page *expected = &model[space][page];
  unsigned kind = draw(2);
  bool set = good(expected, kind) && expected->accessed && (kind == Q_FAULT_READ || expected->dirty);
  void *there = good(expected, kind) ? ram[page] : NULL, *at = vm_resident(&tasks[space], va_of(page), kind);
  CHECK(!at || (set && at == there));
  CHECK(vm_resolve(&tasks[space], va_of(page), kind) == there);
  if (there)
    used(expected, kind);
}

static void try_map(unsigned space, unsigned page) {
  unsigned pages = 1 + draw(MIN(4, (page < CODE ? CODE : PAGES) - page)), prot = drawn_prot(page), there = 0;
  uva_t written = draw(2) ? va_of(page + draw(pages)) : ~0ul;
  for (unsigned i = page; i < page + pages; i++)
    there += model[space][i].present;
  int error = vm_map(&tasks[space], &(struct mapping){va_of(page), frame_at(page) | prot, pages, 0, written});
  CHECK(error == (there ? Q_E_EXISTS : 0));
  for (unsigned i = page; !there && i < page + pages; i++)
    model[space][i] = (struct page){true, true, written == va_of(i) && prot & Q_PROT_WRITE, prot};
}

/* As after a fault for writing: the same frame, with another protection. */
static void try_replace(unsigned space, unsigned page) {
  unsigned prot = drawn_prot(page), written = draw(2);
  bool there = model[space][page].present;
  struct mapping mapping = {va_of(page), frame_at(page) | prot, 1, .written = written ? va_of(page) : ~0ul};
  mapping.expected = frame_at(page) | Q_EXPECT | (mappings(page) > 1 ? Q_EXPECT_SHARED : 0);
  CHECK(vm_map(&tasks[space], &mapping) == (there ? 0 : Q_E_EXISTS));
  if (there)
    model[space][page] = (struct page){true, true, written && prot & Q_PROT_WRITE, prot};
}

static void try_unmap(unsigned space, unsigned page) {
  struct page *expected = &model[space][page];
  uint64_t told = frame_at(page) | (mappings(page) == 1) | (expected->dirty ? 2 : 0);
  CHECK(vm_unmap_page(&tasks[space], va_of(page)) == (expected->present ? told : 0));
  *expected = (struct page){0};
}

/* So that tables go and come. */
static void try_clear(unsigned space, unsigned page) {
  for (unsigned i = 0; i < PAGES && page < 2; i++)
    try_unmap(space, i);
}

static void try_protect(unsigned space, unsigned page) {
  unsigned prot = drawn_prot(page);
  struct range range = {.va = va_of(page), .end = va_of(page + 1)};
  CHECK(!vm_protect(&tasks[space], NULL, &range, prot) && range.va == range.end);
  if (model[space][page].present)
    model[space][page].prot = prot;
}

/* As fork does. */
static void try_share(unsigned space, unsigned page) {
  unsigned end = page + 1 + draw(PAGES - page);
  struct range range = {.va = va_of(page), .end = va_of(end)};
  CHECK(!vm_protect(&tasks[space], &tasks[!space], &range, 0) && range.va == range.end);
  for (; page < end; page++) {
    struct page *from = &model[space][page], *to = &model[!space][page];
    from->prot &= ~(unsigned)Q_PROT_WRITE;
    if (from->present && !to->present)
      *to = (struct page){true, true, false, from->prot};
  }
}

static void harvest(unsigned space, unsigned page, unsigned pages, unsigned clear) {
  uint64_t out[3] = {0}, expected[3] = {0};
  vm_harvest(&tasks[space], va_of(page), pages, clear, out);
  for (unsigned i = 0; i < pages; i++) {
    struct page *at = &model[space][page + i];
    expected[0] |= (uint64_t)at->accessed << i;
    expected[1] |= (uint64_t)at->dirty << i;
    expected[2] |= (uint64_t)at->present << i;
    at->accessed &= !(clear & Q_HARVEST_ACCESSED);
    at->dirty &= !(clear & Q_HARVEST_DIRTY);
  }
  CHECK(out[0] == expected[0] && out[1] == expected[1] && out[2] == expected[2]);
}

static void try_harvest(unsigned space, unsigned page) {
  harvest(space, page, 1 + draw(PAGES - page), draw(4));
}

/* How many page faults there were. */
static unsigned anything(bool with_traps, uint64_t asids) {
  static void (*const others[])(unsigned, unsigned) = {try_copy,  try_map,     try_map,   try_replace, try_unmap,
                                                       try_clear, try_protect, try_share, try_harvest, try_harvest};
  begin(asids);
  traps = with_traps;
  trapped = 0;
  state = 1;
  for (unsigned i = 0; i < OPERATIONS; i++) {
    run(draw(hart_count), draw(SPACES)); /* an operation is another program's as often as the own */
    if (draw(2))
      try_access((unsigned)(current->task - tasks), draw(PAGES));
    else
      others[draw(sizeof(others) / sizeof(*others))](draw(SPACES), draw(PAGES));
    ledger_assert_clean();
  }
  for (unsigned space = 0; space < SPACES; space++)
    harvest(space, 0, PAGES, 0);
  end();
  return trapped;
}

static void anything_in_any_order(uint64_t asids, const char *name) {
  unsigned set = anything(false, asids);
  CHECK(anything(true, asids) > set + OPERATIONS / 50);
  report(name);
}

int main(void) {
  printf("1..6\n");
  each_entry(one_fault,
             "a fault sets what the access sets where the entry allows it, and nothing else; else the pager is told");
  each_entry(one_access, "an access that traps for its bits is made after one fault, and the next without one");
  each_entry(one_copy, "the kernel's own accesses set what a program's would, in RAM only");
  anything_in_any_order(64, "harts that trap and harts that set bits agree with what was accessed and written");
  anything_in_any_order(1, "so they do without ASIDs");
  hart_count = 1;
  anything_in_any_order(64, "and one hart, which is told of single pages");
  return failures != 0;
}
