/* SPDX-License-Identifier: BSD-2-Clause */
/* Sv39 page tables (ISA manual, volume II, 4.4): mapping, removing, looking up, ASIDs and fences. Does not know why a
 * page is mapped. Every change of a valid entry goes through set_pte() and is followed by a fence before user code runs
 * again; builds with check_invariants keep a ledger of what still has to be fenced, since QEMU would not notice. */
#include "vm.h"

#define LEAF (PTE_R | PTE_W | PTE_X)
#define INDEX(va, level) ((va) >> (12 + 9 * (level)) & 511)

static pte_t *table_at(pte_t pte) {
  return pa_to_va(pte_pa(pte));
}

static struct frame *table_frame(const void *entry) {
  return frame_of(va_to_pa((void *)((uint64_t)entry & ~(Q_PAGE_SIZE - 1ul))));
}

/* ---- Fences ------------------------------------------------------------------------------------------------------ */
#ifdef CHECK_INVARIANTS
#define LEDGER 32
static struct {
  struct task *task;
  uva_t va; /* ~0: anything of it */
} ledger[LEDGER];
static unsigned ledger_used;

static void ledger_add(struct task *task, uva_t va) {
  if (ledger_used == LEDGER) { /* too many to tell apart: only a fence of the whole space will do */
    ASSERT(ledger[0].task == task);
    va = ~0ul, ledger_used = 0;
  }
  ledger[ledger_used].task = task;
  ledger[ledger_used++].va = va;
}

static void ledger_fenced(struct task *task, uva_t va) {
  unsigned kept = 0;
  for (unsigned i = 0; i < ledger_used; i++)
    if (ledger[i].task != task || (va != ~0ul && ledger[i].va != va))
      ledger[kept++] = ledger[i];
  ledger_used = kept;
}

void ledger_assert_clean(void) {
  ASSERT(ledger_used == 0);
}
#else
#define ledger_add(task, va) ((void)(va))
#define ledger_fenced(task, va) ((void)0)
#endif

static uint64_t asid_of(const struct task *task) {
  return task->satp >> SATP_ASID_SHIFT & SATP_ASID_MASK;
}

/* No hart can have cached anything of a space whose ASID is of an older generation: that ended with a full fence. */
static bool has_asid(const struct task *task) {
  return task->asid_generation == kernel.asid_generation;
}

static void set_pte(struct task *task, pte_t *slot, pte_t value, uva_t va) {
  if (has_asid(task))
    ledger_add(task, va);
  *slot = value;
}

/* Makes the change of one leaf, or with va = ~0 of anything in the space, visible on all harts that ran it. */
static inline void fence(struct task *task, uva_t va) {
  if (!has_asid(task))
    return;
  if (va == ~0ul)
    fence_asid(asid_of(task));
  else
    fence_page(va, asid_of(task));
  uint32_t others = task->harts & ~this_hart()->bit;
  if (others)
    sbi_call(SBI_RFENCE, SBI_RFENCE_SFENCE_ASID, others, 0, va == ~0ul ? 0 : va, va == ~0ul ? ~0ul : Q_PAGE_SIZE,
             asid_of(task));
  ledger_fenced(task, va);
}

static void asid_assign(struct task *task) {
  if (kernel.asid_next == kernel.asid_count) {
    kernel.asid_generation++;
    kernel.asid_next = kernel.asid_count > 1; /* 0 is for the boot table, if there are others */
  }
  ASSERT(kernel.asid_next < kernel.asid_count);
  task->asid_generation = kernel.asid_generation;
  task->harts = 0;
  task->satp = (task->satp & ~(SATP_ASID_MASK << SATP_ASID_SHIFT)) | kernel.asid_next++ << SATP_ASID_SHIFT;
}

void vm_switch_slow(struct task *task) {
  uint64_t generation = kernel.asid_generation;
  if (!has_asid(task))
    asid_assign(task);
  csr_write(satp, task->satp);
  if (generation != kernel.asid_generation) /* after satp: nothing of the old space can be cached again */
    fence_all();
  task->harts |= this_hart()->bit;
}

void vm_kernel(void) {
  csr_write(satp, SATP_SV39 | (kernel.root_pa >> Q_PAGE_SHIFT));
  if (kernel.asid_count == 1)
    fence_all();
}

/* ---- Tables ------------------------------------------------------------------------------------------------------ */
/* The table below an entry; made if it is not there and there is memory. */
static pte_t *table_below(struct task *task, pte_t *entry, bool make) {
  if (*entry & PTE_V)
    return *entry & LEAF ? NULL : table_at(*entry);
  pte_t *table = make ? page_alloc(task->window ? task->window : task->pager, FRAME_TABLE) : NULL;
  if (!table)
    return NULL;
  kernel.info.tables++;
  table_frame(entry)->count++;
  set_pte(task, entry, pte_make(va_to_pa(table), PTE_V), ~0ul);
  fence(task, ~0ul);
  return table;
}

/* The leaf table that holds va, remembered for the next time. */
static __attribute__((noinline)) pte_t *find_leaf_table(struct task *task, uva_t va, bool make) {
  if (va >= Q_USER_TOP)
    return NULL;
  pte_t *middle = table_below(task, &task->root[INDEX(va, 2)], make);
  pte_t *leaf = middle ? table_below(task, &middle[INDEX(va, 1)], make) : NULL;
  if (leaf) {
    task->leaf_tag = va >> 21;
    task->leaf = leaf;
  }
  return leaf;
}

static inline pte_t *leaf_table(struct task *task, uva_t va, bool make) {
  return va >> 21 == task->leaf_tag ? task->leaf : find_leaf_table(task, va, make);
}

static void table_free(struct task *task, pte_t *entry) {
  pte_t *table = table_at(*entry);
  ASSERT(table_frame(table)->count == 0 && table_frame(entry)->count);
  set_pte(task, entry, 0, ~0ul);
  table_frame(entry)->count--;
  kernel.info.tables--;
  task->leaf_tag = ~0ul;
  fence(task, ~0ul); /* before the page can become anything else */
  page_free(table);
}

/* Frees the tables of va that have become empty. */
static void tables_trim(struct task *task, uva_t va) {
  pte_t *top = &task->root[INDEX(va, 2)];
  if (!(*top & PTE_V))
    return;
  pte_t *middle = &table_at(*top)[INDEX(va, 1)];
  if ((*middle & (PTE_V | LEAF)) == PTE_V && table_frame(table_at(*middle))->count == 0)
    table_free(task, middle);
  if (table_frame(middle)->count == 0)
    table_free(task, top);
}

/* Moves *va on to the next page of which the table of that level has a valid entry, or to the table's end, or to `end`.
 * What it costs, in steps. */
static unsigned skip_holes(const pte_t *table, unsigned level, uva_t *va, uva_t end) {
  uint64_t size = 1ul << (12 + 9 * level), first = *va & ~(size * 512 - 1);
  unsigned from = INDEX(*va, level), index = from,
           last = end - first < size * 512 ? (unsigned)((end - first + size - 1) / size) : 512;
  while (index < last && !(table[index] & PTE_V))
    index++;
  *va = first + index * size;
  return (index - from) / 8;
}

static bool is_table(pte_t pte) {
  return (pte & (PTE_V | LEAF)) == PTE_V;
}

/* The next valid leaf in [*va, end) but for the window's, with *va at it; NULL when there is none or steps are used up.
 * Holes are skipped a table at a time, which counts as a step too. */
static pte_t *next_leaf(struct task *task, uva_t *va, uva_t end, unsigned *steps) {
  if (!task->root) /* on its way out: its tables are gone already */
    *va = end;
  for (unsigned cost = 1; *va < end && *steps; cost = 1) {
    pte_t top = task->root[INDEX(*va, 2)], middle = top & PTE_V ? table_at(top)[INDEX(*va, 1)] : 0;
    pte_t *slot = is_table(middle) ? &table_at(middle)[INDEX(*va, 0)] : &middle;
    if (slot != &middle && *slot & PTE_V && !(*slot & PTE_WINDOW)) {
      --*steps;
      return slot;
    }
    if (*slot & PTE_V) /* of the window: a page, or a whole block */
      *va = slot == &middle ? (*va | (Q_BLOCK_SIZE - 1)) + 1 : *va + Q_PAGE_SIZE;
    else if (slot != &middle)
      cost += skip_holes(table_at(middle), 0, va, end);
    else
      cost += skip_holes(top & PTE_V ? table_at(top) : task->root, top & PTE_V ? 1 : 2, va, end);
    *steps -= MIN(*steps, cost);
  }
  *va = MIN(*va, end);
  return NULL;
}

/* ---- Mapping ----------------------------------------------------------------------------------------------------- */
static void frame_unmapped(pte_t pte) {
  struct frame *frame = frame_of(pte_pa(pte));
  if (!frame)
    return; /* a device */
  ASSERT_DEBUG(frame->count);
  kernel.info.mapped--;
  if (--frame->count == 0)
    frame->flags &= FRAME_BUSY;
}

static bool in_window(const struct task *task, uva_t va) {
  return task->window && va >= Q_WINDOW + kernel.ram_base && va < Q_WINDOW + kernel.ram_end;
}

static int check_device(const struct pager *pager, pa_t pa, unsigned prot) {
  if (!pager->devices || frame_of(pa) || (pa >= kernel.plic && pa < kernel.plic_end))
    return Q_E_OWNER;
  return pa >> 56 || prot & Q_PROT_EXECUTE ? Q_E_ARG : 0;
}

static int check_frame(const struct pager *pager, pa_t pa, unsigned prot) {
  if (prot & Q_PROT_DEVICE)
    return check_device(pager, pa, prot);
  const struct frame *frame = frame_of(pa);
  if (!frame || frame->owner != pager->number || frame->kind != FRAME_USER || frame->flags & FRAME_BUSY)
    return Q_E_OWNER;
  if ((prot & Q_PROT_WRITE && frame->flags & FRAME_EXECUTABLE) ||
      (prot & Q_PROT_EXECUTE && frame->flags & FRAME_WRITABLE))
    return Q_E_WX;
  return 0;
}

static int check_slot(struct task *task, uva_t va, uint64_t expected) {
  pte_t *leaf = leaf_table(task, va, false);
  pte_t pte = leaf ? leaf[INDEX(va, 0)] : 0;
  if (!expected)
    return pte & PTE_V ? Q_E_EXISTS : 0;
  return pte & PTE_V && pte_pa(pte) == (expected & ~1ul) ? 0 : Q_E_EXISTS;
}

static int check_prot(unsigned prot) {
  if ((prot & (Q_PROT_READ | Q_PROT_WRITE)) == Q_PROT_WRITE || !(prot & ~Q_PROT_DEVICE))
    return Q_E_ARG; /* writable without readable is reserved in Sv39 */
  return (prot & Q_PROT_WRITE) && (prot & Q_PROT_EXECUTE) ? Q_E_WX : 0;
}

static int check_map(struct pager *pager, struct task *task, const struct mapping *m) {
  if (m->pages - 1 >= Q_MAP_MAX || (m->expected && m->pages != 1) || m->va % Q_PAGE_SIZE || m->va >= Q_USER_TOP ||
      m->pages > (Q_USER_TOP - m->va) >> Q_PAGE_SHIFT || in_window(task, m->va))
    return Q_E_ARG;
  if (task->pager != pager)
    return Q_E_OWNER;
  int error = check_prot(m->frame_prot & Q_PROT_MASK);
  for (uint64_t i = 0; i < m->pages && !error; i++) {
    error = check_frame(pager, (m->frame_prot & ~(Q_PAGE_SIZE - 1ul)) + i * Q_PAGE_SIZE, m->frame_prot & Q_PROT_MASK);
    if (!error)
      error = check_slot(task, m->va + i * Q_PAGE_SIZE, m->expected);
  }
  return error;
}

static void map_page(struct task *task, uva_t va, pa_t pa, unsigned prot, bool dirty) {
  pte_t *slot = &leaf_table(task, va, false)[INDEX(va, 0)];
  bool replaces = *slot & PTE_V;
  if (replaces)
    frame_unmapped(*slot);
  else
    table_frame(slot)->count++;
  /* Q_PROT_READ, WRITE and EXECUTE are the entry's own R, W and X, one bit lower. */
  set_pte(task, slot, pte_make(pa, (prot & 7) << 1 | PTE_V | PTE_U | PTE_A | (dirty ? PTE_D : 0)), va);
  fence(task, va);
  struct frame *frame = frame_of(pa);
  if (!frame)
    return;
  frame->count++;
  frame->flags |= (prot & Q_PROT_WRITE ? FRAME_WRITABLE : 0) | (prot & Q_PROT_EXECUTE ? FRAME_EXECUTABLE : 0);
  kernel.info.mapped++;
}

static __attribute__((noinline)) int map_slow(struct pager *pager, struct task *task, const struct mapping *m) {
  int error = check_map(pager, task, m);
  if (error)
    return error;
  uva_t last = m->va + (m->pages - 1) * Q_PAGE_SIZE;
  if (!leaf_table(task, m->va, true) || !leaf_table(task, last, true)) {
    tables_trim(task, m->va);
    tables_trim(task, last);
    return Q_E_NOMEM;
  }
  /* Decoded: nothing fails from here. */
  unsigned prot = m->frame_prot & Q_PROT_MASK;
  for (uint64_t i = 0; i < m->pages; i++) {
    uva_t va = m->va + i * Q_PAGE_SIZE;
    map_page(task, va, (m->frame_prot & ~(Q_PAGE_SIZE - 1ul)) + i * Q_PAGE_SIZE, prot,
             prot & Q_PROT_WRITE && va == m->written);
  }
  if (prot & Q_PROT_EXECUTE)
    fence_code(); /* what the pager wrote through its window */
  return 0;
}

/* One page of plain memory where a table is at hand and nothing is mapped, which is what nearly every fault's answer asks
 * for: all of the checks of check_map() in a form that needs no loop. False: not such a case, and nothing was done. */
static inline bool map_common(struct pager *pager, struct task *task, const struct mapping *m) {
  uint64_t offset = m->frame_prot - kernel.ram_base, prot = m->frame_prot & (Q_PAGE_SIZE - 1);
  pte_t *slot = &task->leaf[INDEX(m->va, 0)];
  if (m->va >> 21 != task->leaf_tag || m->va % Q_PAGE_SIZE || m->pages != 1 || m->expected ||
      offset >> Q_PAGE_SHIFT >= kernel.frame_count || (prot & ~Q_PROT_WRITE) != Q_PROT_READ || *slot || task->window)
    return false;
  struct frame *frame = &kernel.frames[offset >> Q_PAGE_SHIFT];
  bool write = prot & Q_PROT_WRITE;
  if (task->pager != pager || frame->owner != pager->number || frame->kind != FRAME_USER ||
      frame->flags & (FRAME_BUSY | (write ? FRAME_EXECUTABLE : 0)))
    return false;
  table_frame(slot)->count++;
  set_pte(
      task, slot,
      pte_make(m->frame_prot - prot, prot << 1 | PTE_V | PTE_U | PTE_A | (write && m->va == m->written ? PTE_D : 0)),
      m->va);
  fence(task, m->va);
  frame->count++;
  frame->flags |= write ? FRAME_WRITABLE : 0;
  kernel.info.mapped++;
  return true;
}

int vm_map(struct pager *pager, struct task *task, const struct mapping *m) {
  if (__builtin_expect(map_common(pager, task, m), 1))
    return 0;
  return map_slow(pager, task, m);
}

/* ---- Looking up -------------------------------------------------------------------------------------------------- */
static const uint8_t needed[] = {PTE_R | PTE_A, PTE_W | PTE_A | PTE_D, PTE_X | PTE_A};

/* The entry if it allows the access, with the bits set that the access sets. */
static pte_t *touch(struct task *task, uva_t va, unsigned kind) {
  pte_t *leaf = leaf_table(task, va, false);
  if (!leaf)
    return NULL;
  pte_t *slot = &leaf[INDEX(va, 0)];
  unsigned permission = needed[kind] & LEAF;
  if ((*slot & (PTE_V | PTE_U | permission)) != (PTE_V | PTE_U | permission))
    return NULL;
  *slot |= needed[kind]; /* only adds rights: a cached entry without them is at worst a spurious fault */
  return slot;
}

bool vm_spurious(struct task *task, uva_t va, unsigned kind) {
  if (!touch(task, va, kind))
    return false;
  fence(task, va & ~(Q_PAGE_SIZE - 1ul));
  return true;
}

void *vm_resolve(struct task *task, uva_t va, unsigned kind) {
  if (in_window(task, va)) {
    struct frame *frame = frame_of(va - Q_WINDOW);
    bool visible = frame && frame->kind == FRAME_USER && frame->owner == task->window->number;
    return visible && kind != Q_FAULT_EXECUTE ? pa_to_va(va - Q_WINDOW) : NULL;
  }
  pte_t *slot = touch(task, va, kind);
  if (!slot || !frame_of(pte_pa(*slot)))
    return NULL; /* not there, or a device */
  return (char *)pa_to_va(pte_pa(*slot)) + va % Q_PAGE_SIZE;
}

/* ---- Ranges: bounded work; the range says what remains --------------------------------------------------------------- */
#define STEPS 160 /* of some 25 instructions, three times that in builds with checks */
#define REMOVAL 8 /* what removing a page costs beside looking at it, in steps */

static pte_t remove_leaf(struct task *task, pte_t *slot, uva_t va, unsigned *steps) {
  pte_t old = *slot;
  *steps -= MIN(*steps, REMOVAL);
  set_pte(task, slot, 0, va);
  frame_unmapped(old);
  fence(task, va);
  if (--table_frame(slot)->count == 0)
    tables_trim(task, va);
  return old;
}

static uint64_t unmapped_entry(pte_t pte) {
  struct frame *frame = frame_of(pte_pa(pte));
  return pte_pa(pte) | (frame && !frame->count) | (pte & PTE_D ? 2 : 0);
}

int vm_unmap(struct task *task, struct range *range, uva_t array, uint64_t entries) {
  unsigned steps = STEPS;
  range->written = 0;
  for (pte_t *slot; (slot = next_leaf(task, &range->va, range->end, &steps)) && range->written < entries;) {
    uint64_t *out = array % 8 ? NULL : vm_resolve(current->task, array + 8 * range->written, Q_FAULT_WRITE);
    if (!out)
      return range->written ? 0 : Q_E_FAULT;
    *out = unmapped_entry(remove_leaf(task, slot, range->va, &steps));
    range->written++;
    range->va += Q_PAGE_SIZE;
  }
  return 0;
}

static int check_protect(pte_t pte, unsigned prot) {
  struct frame *frame = frame_of(pte_pa(pte));
  if (!frame)
    return prot & Q_PROT_EXECUTE ? Q_E_ARG : 0;
  bool shared = frame->count > 1; /* its only mapping may change from one to the other */
  bool clash = (prot & Q_PROT_WRITE && frame->flags & FRAME_EXECUTABLE) ||
               (prot & Q_PROT_EXECUTE && frame->flags & FRAME_WRITABLE);
  return shared && clash ? Q_E_WX : 0;
}

static void protect_leaf(struct task *task, pte_t *slot, uva_t va, unsigned prot) {
  struct frame *frame = frame_of(pte_pa(*slot));
  unsigned flags = (prot & Q_PROT_WRITE ? FRAME_WRITABLE : 0) | (prot & Q_PROT_EXECUTE ? FRAME_EXECUTABLE : 0);
  if (frame)
    frame->flags = (frame->count > 1 ? frame->flags : frame->flags & FRAME_BUSY) | flags;
  set_pte(task, slot, (*slot & ~(uint64_t)LEAF) | (prot & 7) << 1, va);
  fence(task, va);
}

int vm_protect(struct task *task, struct range *range, unsigned prot) {
  int error = check_prot(prot);
  uva_t end = MIN(range->va + Q_MAP_MAX * Q_PAGE_SIZE, range->end), va = range->va;
  unsigned steps = STEPS;
  for (pte_t *slot; !error && (slot = next_leaf(task, &va, end, &steps)); va += Q_PAGE_SIZE)
    error = check_protect(*slot, prot);
  if (error)
    return error;
  /* Decoded for these pages: the rest of the range is the next entry's. */
  for (pte_t *slot; (slot = next_leaf(task, &range->va, end, &steps)); range->va += Q_PAGE_SIZE)
    protect_leaf(task, slot, range->va, prot);
  if (prot & Q_PROT_EXECUTE)
    fence_code();
  return 0;
}

void vm_harvest(struct task *task, uva_t va, uint64_t pages, uint64_t clear, struct harvest *out) {
  uva_t end = va + pages * Q_PAGE_SIZE;
  unsigned steps = STEPS;
  pte_t bits = (clear & Q_HARVEST_ACCESSED ? PTE_A : 0) | (clear & Q_HARVEST_DIRTY ? PTE_D : 0);
  *out = (struct harvest){0};
  for (uva_t at = va;; at += Q_PAGE_SIZE) {
    pte_t *slot = next_leaf(task, &at, end, &steps);
    if (!slot)
      return;
    uint64_t bit = 1ul << ((at - va) >> Q_PAGE_SHIFT);
    out->present |= bit;
    out->accessed |= *slot & PTE_A ? bit : 0;
    out->dirty |= *slot & PTE_D ? bit : 0;
    if (*slot & bits) {
      set_pte(task, slot, *slot & ~bits, at);
      fence(task, at);
    }
  }
}

/* ---- The window, revocation, the end of a space -------------------------------------------------------------------- */
#define WINDOW_BITS (PTE_V | PTE_R | PTE_W | PTE_U | PTE_A | PTE_D | PTE_WINDOW)

static bool window_owns(const struct pager *pager, pa_t pa) {
  const struct frame *frame = frame_of(pa);
  return frame->kind == FRAME_USER && frame->owner == pager->number;
}

/* A block of which only some frames are the pager's: page by page. */
static int window_partial(struct task *task, const struct pager *pager, pa_t block) {
  for (pa_t pa = block; pa < block + Q_BLOCK_SIZE; pa += Q_PAGE_SIZE) {
    if (!window_owns(pager, pa))
      continue;
    pte_t *leaf = leaf_table(task, Q_WINDOW + pa, true);
    if (!leaf)
      return Q_E_NOMEM;
    pte_t *slot = &leaf[INDEX(Q_WINDOW + pa, 0)];
    if (*slot && !(*slot & PTE_WINDOW))
      return Q_E_EXISTS; /* the task has a page of its own there */
    if (!*slot)
      table_frame(slot)->count++;
    set_pte(task, slot, pte_make(pa, WINDOW_BITS), Q_WINDOW + pa);
    fence(task, Q_WINDOW + pa);
  }
  return 0;
}

static int window_whole(struct task *task, pa_t block) {
  pte_t *middle = table_below(task, &task->root[INDEX(Q_WINDOW + block, 2)], true);
  if (!middle)
    return Q_E_NOMEM;
  pte_t *slot = &middle[INDEX(Q_WINDOW + block, 1)];
  if (*slot && !(*slot & PTE_WINDOW))
    return Q_E_EXISTS;
  if (!*slot)
    table_frame(slot)->count++;
  set_pte(task, slot, pte_make(block, WINDOW_BITS), Q_WINDOW + block);
  fence(task, Q_WINDOW + block);
  return 0;
}

/* The task has no page of its own where the window will be; from then on it can get none. */
static bool window_free(struct task *task) {
  uva_t va = Q_WINDOW + kernel.ram_base, end = Q_WINDOW + kernel.ram_end;
  unsigned steps = 512; /* more than it takes to pass one table at each edge, and the root */
  return !next_leaf(task, &va, end, &steps) && va == end;
}

int vm_window(struct pager *pager, struct task *task, bool *done) {
  if (!task->window && !window_free(task))
    return Q_E_EXISTS;
  pager->server = task;
  task->window = pager;
  for (unsigned budget = 1; budget && pager->window_next < kernel.block_count; budget--, pager->window_next++) {
    pa_t block = kernel.ram_base + pager->window_next * Q_BLOCK_SIZE;
    int error = block_owned(pager, block) ? window_whole(task, block) : window_partial(task, pager, block);
    if (error)
      return error;
  }
  *done = pager->window_next == kernel.block_count;
  return 0;
}

int vm_window_block(struct pager *pager, pa_t block, bool visible) {
  struct task *task = pager->server;
  if (!task)
    return 0;
  if (visible)
    return window_whole(task, block);
  pte_t *top = &task->root[INDEX(Q_WINDOW + block, 2)];
  pte_t *slot = *top & PTE_V ? &table_at(*top)[INDEX(Q_WINDOW + block, 1)] : NULL;
  if (slot && *slot) {
    ASSERT(*slot & PTE_WINDOW);
    set_pte(task, slot, 0, Q_WINDOW + block);
    fence(task, Q_WINDOW + block);
    table_frame(slot)->count--;
  }
  return 0;
}

static void window_clear_table(struct task *task, pte_t *entry) {
  pte_t *table = table_at(*entry);
  memset(table, 0, Q_PAGE_SIZE);
  table_frame(table)->count = 0;
  table_free(task, entry);
}

/* Takes down the part of the window that one entry of the root covers. */
static void window_clear(struct task *task, pte_t *top) {
  pte_t *middle = table_at(*top);
  for (unsigned i = 0; i < 512; i++) {
    if (middle[i] & LEAF) {
      set_pte(task, &middle[i], 0, ~0ul);
      table_frame(middle)->count--;
    } else if (middle[i] & PTE_V) {
      window_clear_table(task, &middle[i]);
    }
  }
  fence(task, ~0ul);
}

void vm_revoke(struct pager *pager, pa_t block) {
  unsigned steps = STEPS / 2; /* the block's frames have been looked at, too */
  if (pager->revoke_block != block || !pager->revoke_task) {
    pager->revoke_block = block;
    pager->revoke_task = pager->tasks;
    pager->revoke_va = 0;
  }
  while (pager->revoke_task) {
    struct task *task = pager->revoke_task;
    uva_t va = pager->revoke_va;
    for (pte_t *slot; (slot = next_leaf(task, &va, Q_USER_TOP, &steps)); va += Q_PAGE_SIZE)
      if (pte_pa(*slot) - block < Q_BLOCK_SIZE)
        remove_leaf(task, slot, va, &steps);
    pager->revoke_va = va;
    if (va < Q_USER_TOP)
      return;
    pager->revoke_task = task->next;
    pager->revoke_va = 0;
  }
}

int vm_create(struct task *task) {
  task->root = page_alloc(task->pager, FRAME_TABLE);
  if (!task->root)
    return Q_E_NOMEM;
  kernel.info.tables++;
  for (unsigned i = 256; i < 512; i++)
    if (kernel.root[i])
      task->root[i] = kernel.root[i];
  task->satp = SATP_SV39 | va_to_pa(task->root) >> Q_PAGE_SHIFT;
  task->leaf_tag = ~0ul;
  return 0;
}

bool vm_destroy(struct task *task) {
  unsigned steps = STEPS;
  for (pte_t *slot; (slot = next_leaf(task, &task->teardown, Q_USER_TOP, &steps)); task->teardown += Q_PAGE_SIZE)
    remove_leaf(task, slot, task->teardown, &steps);
  if (task->teardown < Q_USER_TOP || steps < STEPS / 2)
    return false; /* the window is taken down in entries of its own */
  for (unsigned i = 0; i < 256; i++)
    if (task->root[i] & PTE_V) { /* only a window is left */
      window_clear(task, &task->root[i]);
      table_free(task, &task->root[i]);
      return false;
    }
  if (task->window)
    task->window->server = NULL, task->window->window_next = 0;
  memset(&task->root[256], 0, Q_PAGE_SIZE / 2);
  kernel.info.tables--;
  page_free(task->root);
  task->root = NULL;
  return true;
}

#ifdef CHECK_INVARIANTS
void vm_check(struct task *task, void (*leaf)(struct task *, uva_t, pte_t)) {
  for (uva_t va = 0; va < Q_USER_TOP; va += Q_PAGE_SIZE) {
    unsigned steps = ~0u;
    pte_t *slot = next_leaf(task, &va, Q_USER_TOP, &steps);
    if (slot)
      leaf(task, va, *slot);
  }
}
#endif
