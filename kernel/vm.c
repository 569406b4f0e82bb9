/* SPDX-License-Identifier: BSD-2-Clause */
/* Sv39 page tables (ISA manual, volume II, 4.4): mapping, removing, looking up, ASIDs and fences. Does not know why a
 * page is mapped. A change of an entry goes through set_pte(), which keeps the counts and fences it; many pages of one
 * table at once through remove_pages() and protect_pages(), with one fence for all. Builds with check_invariants keep a
 * ledger of what still has to be fenced, since QEMU would not notice. */
#include "vm.h"

#define LEAF (PTE_R | PTE_W | PTE_X)
#define SHIFT(level) (12 + 9 * (level)) /* of what one entry covers */
#define INDEX(va, level) ((va) >> SHIFT(level) & 511)

static pte_t *table_at(pte_t pte) {
  return pa_to_va(pte_pa(pte));
}

static struct frame *table_frame(const void *entry) {
  return frame_of(va_to_pa((void *)((uint64_t)entry & ~(Q_PAGE_SIZE - 1ul))));
}

static bool is_table(pte_t pte) {
  return (pte & (PTE_V | LEAF)) == PTE_V;
}

/* No hart can have cached anything of a space whose ASID is of an older generation: that ended with a full fence. */
static bool has_asid(const struct task *task) {
  return task->asid_tag / HARTS_MAX == kernel.asid_generation;
}

/* ---- Fences ------------------------------------------------------------------------------------------------------ */
#ifdef CHECK_INVARIANTS
static struct {
  struct task *task; /* NULL: nothing is to be fenced */
  uva_t va;          /* ~0: anything of it */
} unfenced;

static void ledger_add(struct task *task, uva_t va) {
  if (!has_asid(task))
    return;
  ASSERT(!unfenced.task || unfenced.task == task);
  unfenced.va = unfenced.task && unfenced.va != va ? ~0ul : va;
  unfenced.task = task;
}

static void ledger_fenced(struct task *task, uva_t va) {
  if (unfenced.task == task && (va == ~0ul || va == unfenced.va))
    unfenced.task = NULL;
}

void ledger_assert_clean(void) {
  ASSERT(!unfenced.task);
}
#else
#define ledger_add(task, va) ((void)(va))
#define ledger_fenced(task, va) ((void)0)
#endif

/* Makes the change of one leaf, or with va = ~0 of anything in the space, visible on all harts that ran it. */
static inline void fence(struct task *task, uva_t va) {
  if (!has_asid(task))
    return;
  if (va == ~0ul)
    fence_asid(task->asid);
  else
    fence_page(va, task->asid);
  uint32_t others = task->harts & ~this_hart()->bit;
  if (others)
    sbi_call(SBI_RFENCE, SBI_RFENCE_SFENCE_ASID, others, 0, va == ~0ul ? 0 : va, va == ~0ul ? ~0ul : Q_PAGE_SIZE,
             task->asid);
  ledger_fenced(task, va);
}

void asid_generation_begin(void) {
  kernel.asid_generation++;
  kernel.asid_next = kernel.asid_count > 1; /* 0 is for the boot table, if there are others */
  for (unsigned i = 0; i < kernel.hart_count; i++)
    kernel.harts[i].asid_tag = kernel.asid_generation * HARTS_MAX + i;
}

static void asid_assign(struct task *task) {
  if (kernel.asid_next == kernel.asid_count)
    asid_generation_begin();
  ASSERT(kernel.asid_next < kernel.asid_count);
  task->harts = 0;
  task->asid = kernel.asid_next++;
  task->satp = (task->satp & ~(SATP_ASID_MASK << SATP_ASID_SHIFT)) | task->asid << SATP_ASID_SHIFT;
}

void vm_switch_slow(struct task *task) {
  uint64_t generation = kernel.asid_generation;
  if (!has_asid(task))
    asid_assign(task);
  csr_write(satp, task->satp);
  if (generation != kernel.asid_generation) /* after satp: nothing of the old space can be cached again */
    fence_all();
  task->harts |= this_hart()->bit;
  task->asid_tag = this_hart()->asid_tag;
}

void vm_kernel(void) {
  csr_write(satp, SATP_SV39 | (kernel.root_pa >> Q_PAGE_SHIFT));
  if (kernel.asid_count == 1)
    fence_all();
}

/* ---- Tables ------------------------------------------------------------------------------------------------------ */
static uint8_t flags_of(pte_t pte) {
  return (pte & PTE_W ? FRAME_WRITABLE : 0) | (pte & PTE_X ? FRAME_EXECUTABLE : 0);
}

/* A change of an entry, with all that hangs on it: the counts of the table and of the frames, and the fence. With
 * va = ~0 anything in the space may have been reached through the entry. */
static inline __attribute__((always_inline)) void set_pte(struct task *task, pte_t *slot, pte_t value, uva_t va) {
  pte_t old = *slot;
  struct frame *before = is_page(old) ? frame_of(pte_pa(old)) : NULL; /* NULL: a device, too */
  struct frame *after = is_page(value) ? frame_of(pte_pa(value)) : NULL;
  table_frame(slot)->count += (uint32_t)(value & PTE_V) - (uint32_t)(old & PTE_V);
  if (before)
    frame_unmapped(before);
  if (after) {
    after->count++;
    after->flags |= flags_of(value);
  }
  ledger_add(task, va);
  *slot = value;
  fence(task, va);
}

/* The table below an entry; made if it is not there and there is memory. */
static pte_t *table_below(struct task *task, pte_t *entry, bool make) {
  if (*entry & PTE_V)
    return *entry & LEAF ? NULL : table_at(*entry);
  pte_t *table = make ? page_alloc(task->window ? task->window : task->pager, FRAME_TABLE) : NULL;
  if (!table)
    return NULL;
  kernel.info.tables++;
  set_pte(task, entry, pte_make(va_to_pa(table), PTE_V), ~0ul);
  return table;
}

/* The entry for va in the table of that level; NULL if there is no such table. */
static pte_t *entry_at(struct task *task, uva_t va, unsigned level, bool make) {
  pte_t *table = va < Q_USER_TOP ? task->root : NULL;
  for (unsigned above = 2; table && above > level; above--)
    table = table_below(task, &table[INDEX(va, above)], make);
  return table ? &table[INDEX(va, level)] : NULL;
}

/* RAM's bounds are those of blocks, so a table lies within the window or without. */
static bool in_window(const struct task *task, uva_t va, uva_t end) {
  return task->window && end > Q_WINDOW + kernel.ram_base && va < Q_WINDOW + kernel.ram_end;
}

static __attribute__((noinline)) pte_t *find_leaf(struct task *task, uva_t va, bool make) {
  pte_t *slot = entry_at(task, va, 0, make);
  if (slot && !in_window(task, va, va + 1)) { /* so that a fast path need not know of windows */
    task->leaf_tag = va >> 21;
    task->leaf = slot - INDEX(va, 0);
    task->leaf_frame = table_frame(slot);
  }
  return slot;
}

/* The same for a page, by way of the table that the last one was in. */
static inline pte_t *leaf_at(struct task *task, uva_t va, bool make) {
  return va >> 21 == task->leaf_tag ? &task->leaf[INDEX(va, 0)] : find_leaf(task, va, make);
}

/* Frees the tables of va that have become empty. */
static void tables_trim(struct task *task, uva_t va) {
  for (unsigned level = 1; level <= 2; level++) {
    pte_t *slot = entry_at(task, va, level, false), *table = slot && is_table(*slot) ? table_at(*slot) : NULL;
    if (!table || table_frame(table)->count)
      continue;
    task->leaf_tag = ~0ul;
    kernel.info.tables--;
    set_pte(task, slot, 0, ~0ul); /* fenced before the page can become anything else */
    page_free(table);
  }
}

/* How many of these entries come before the first that is valid. One that is not is zero, so eight are looked at in one. */
static uint64_t holes_at(const pte_t *slot, uint64_t most) {
  uint64_t n = 0;
  for (; n + 8 <= most; n += 8) {
    const pte_t *s = &slot[n];
    if (s[0] | s[1] | s[2] | s[3] | s[4] | s[5] | s[6] | s[7])
      break;
  }
  while (n < most && !slot[n])
    n++;
  return n;
}

/* The next valid leaf in [*va, end), with *va at it; NULL when there is none or steps are used up. Those of the window
 * only if asked for. An entry without a leaf costs one step, which a leaf or a table to look into costs LOOK of. */
#define LOOK 8
static __attribute__((noinline)) pte_t *find_next(struct task *task, uva_t *va, uva_t end, int *steps, bool window) {
  if (!task->root || !table_frame(task->root)->count) /* on its way out, or empty */
    *va = end;
  while (*va<end && * steps> 0) {
    unsigned level = 2;
    pte_t *slot = &task->root[INDEX(*va, 2)];
    while (level && is_table(*slot))
      level--, slot = &table_at(*slot)[INDEX(*va, level)];
    *steps -= LOOK;
    if (*slot & PTE_V && (window || !(*slot & PTE_WINDOW)))
      return slot;
    uint64_t here = *va >> SHIFT(level), most = MIN(((end - 1) >> SHIFT(level)) - here + 1, 512 - here % 512),
             holes = 1 + holes_at(slot + 1, most - 1);
    *steps -= (int)holes;
    *va = (here + holes) << SHIFT(level);
  }
  *va = MIN(*va, end);
  return NULL;
}

/* The same; a page of the table that the last one was in is found at once. That table is never the window's. */
static inline pte_t *next_leaf(struct task *task, uva_t *va, uva_t end, int *steps, bool window) {
  if (*va >= end || *steps <= 0)
    return NULL;
  pte_t *slot = *va >> 21 == task->leaf_tag ? &task->leaf[INDEX(*va, 0)] : NULL;
  if (!slot || !*slot)
    return find_next(task, va, end, steps, window);
  *steps -= LOOK;
  return slot;
}

/* ---- Mapping ----------------------------------------------------------------------------------------------------- */
/* The frame, if it is one that the pager may map. */
static inline struct frame *user_frame(const struct pager *pager, pa_t pa) {
  struct frame *frame = frame_of(pa);
  return frame && frame->owner == pager->number && frame->kind == FRAME_USER ? frame : NULL;
}

/* A frame is not both writable and executable, in whatever spaces. */
static bool clashes(const struct frame *frame, unsigned prot) {
  return (prot & Q_PROT_WRITE && frame->flags & FRAME_EXECUTABLE) ||
         (prot & Q_PROT_EXECUTE && frame->flags & FRAME_WRITABLE);
}

static int check_prot(unsigned prot) {
  if ((prot & (Q_PROT_READ | Q_PROT_WRITE)) == Q_PROT_WRITE || !(prot & ~Q_PROT_DEVICE))
    return Q_E_ARG; /* writable without readable is reserved in Sv39 */
  return (prot & Q_PROT_WRITE) && (prot & Q_PROT_EXECUTE) ? Q_E_WX : 0;
}

static int check_device(const struct pager *pager, pa_t pa, unsigned prot) {
  if (!pager->devices || frame_of(pa) || (pa >= kernel.plic && pa < kernel.plic_end))
    return Q_E_OWNER;
  return pa >> 56 || prot & Q_PROT_EXECUTE ? Q_E_ARG : 0;
}

static inline int check_frame(const struct pager *pager, pa_t pa, unsigned prot) {
  if (prot & Q_PROT_DEVICE)
    return check_device(pager, pa, prot);
  const struct frame *frame = user_frame(pager, pa);
  if (!frame || frame->flags & FRAME_BUSY)
    return Q_E_OWNER;
  return clashes(frame, prot) ? Q_E_WX : 0;
}

static int check_slot(struct task *task, uva_t va, uint64_t expected) {
  pte_t *slot = leaf_at(task, va, false), pte = slot ? *slot : 0;
  bool good = expected ? pte & PTE_V && pte_pa(pte) == (expected & ~1ul) : !(pte & PTE_V);
  return good ? 0 : Q_E_EXISTS;
}

/* The frame's only mapping, which is replaced by one of the same frame, may change sides, as with protect. */
static bool replaces_itself(const struct mapping *m) {
  const struct frame *frame = frame_of(m->expected & ~1ul);
  return frame && frame->count == 1 && (m->frame_prot & ~(Q_PAGE_SIZE - 1ul)) == (m->expected & ~1ul);
}

static int check_map(struct task *task, const struct mapping *m) {
  if (m->pages - 1 >= Q_MAP_MAX || (m->expected && m->pages != 1) || m->va % Q_PAGE_SIZE || m->va >= Q_USER_TOP ||
      m->pages > (Q_USER_TOP - m->va) >> Q_PAGE_SHIFT || in_window(task, m->va, m->va + m->pages * Q_PAGE_SIZE))
    return Q_E_ARG;
  int error = check_prot(m->frame_prot & Q_PROT_MASK);
  for (uint64_t at = 0; at < m->pages * Q_PAGE_SIZE && !error; at += Q_PAGE_SIZE) {
    error = check_frame(task->pager, (m->frame_prot & ~(Q_PAGE_SIZE - 1ul)) + at, m->frame_prot & Q_PROT_MASK);
    if (error == Q_E_WX && m->expected && replaces_itself(m))
      error = 0;
    if (!error)
      error = check_slot(task, m->va + at, m->expected);
  }
  return error;
}

/* Q_PROT_READ, WRITE and EXECUTE are the entry's own R, W and X, one bit lower. */
static inline pte_t page_pte(uint64_t frame_prot, bool written) {
  pte_t dirty = written && frame_prot & Q_PROT_WRITE ? PTE_D : 0;
  return pte_make(frame_prot & ~(Q_PAGE_SIZE - 1ul), (frame_prot & 7) << 1 | PTE_V | PTE_U | PTE_A | dirty);
}

/* What a policy asks for most: new pages in one table, of frames in a row that are mapped nowhere. false: it is not that.
 * What was not valid before needs no fence here: at worst another access to it faults once more. */
static bool map_run(struct task *task, const struct mapping *m) {
  uint64_t prot = m->frame_prot % Q_PAGE_SIZE, fresh = task->pager->fresh, n = m->pages, first = INDEX(m->va, 0);
  struct frame *frame = frame_of(m->frame_prot), *last = frame_of(m->frame_prot + (n - 1) * Q_PAGE_SIZE);
  if (n - 1 >= Q_MAP_MAX || m->va >> 21 != task->leaf_tag || m->va % Q_PAGE_SIZE || m->expected || first + n > 512 ||
      (prot | Q_PROT_WRITE) != (Q_PROT_READ | Q_PROT_WRITE) || !frame || !last)
    return false;
  pte_t *slot = &task->leaf[first], pte = page_pte(m->frame_prot, false);
  for (uint64_t i = 0; i < n; i++)
    if (slot[i] | (frame[i].word ^ fresh))
      return false;
  /* Decoded. */
  uint64_t word = fresh + 1 + ((uint64_t)flags_of(pte) << 56);
  for (uint64_t i = 0; i < n; i++, pte += Q_PAGE_SIZE >> 2) {
    slot[i] = pte;
    frame[i].word = word;
  }
  if (m->written - m->va < n * Q_PAGE_SIZE && prot & Q_PROT_WRITE)
    slot[(m->written - m->va) >> Q_PAGE_SHIFT] |= PTE_D;
  task->leaf_frame->count += (uint32_t)n;
  return true;
}

int vm_map(struct task *task, const struct mapping *m) {
  if (map_run(task, m))
    return 0;
  int error = check_map(task, m);
  if (error)
    return error;
  uva_t last = m->va + (m->pages - 1) * Q_PAGE_SIZE;
  if (!leaf_at(task, m->va, true) || !leaf_at(task, last, true)) {
    tables_trim(task, m->va);
    tables_trim(task, last);
    return Q_E_NOMEM;
  }
  /* Decoded: nothing fails from here. */
  for (uva_t va = m->va, frame_prot = m->frame_prot; va <= last; va += Q_PAGE_SIZE, frame_prot += Q_PAGE_SIZE)
    set_pte(task, leaf_at(task, va, false), page_pte(frame_prot, va == m->written), va);
  if (m->frame_prot & Q_PROT_EXECUTE)
    fence_code(); /* what the pager wrote through its window */
  return 0;
}

/* ---- Looking up -------------------------------------------------------------------------------------------------- */
static const uint8_t needed[] = {PTE_R | PTE_A, PTE_W | PTE_A | PTE_D, PTE_X | PTE_A};

/* Whether the entry allows the access; then it gets the bits that the access sets. */
static inline bool touch(pte_t *slot, unsigned kind) {
  pte_t least = PTE_V | PTE_U | (needed[kind] & LEAF);
  if ((*slot & least) != least)
    return false;
  *slot |= needed[kind]; /* only adds rights: a cached entry without them is at worst a spurious fault */
  return true;
}

uint64_t vm_fault(struct task *task, uva_t va, unsigned kind) {
  pte_t *slot = leaf_at(task, va, false);
  if (!slot || !*slot)
    return 0;
  if (touch(slot, kind)) {
    fence(task, va & ~(Q_PAGE_SIZE - 1ul));
    return VM_SPURIOUS;
  }
  const struct frame *frame = is_page(*slot) ? frame_of(pte_pa(*slot)) : NULL;
  return frame ? pte_pa(*slot) | (frame->count == 1 ? Q_FAULT_SOLE : 0) : 0;
}

void *vm_resolve(struct task *task, uva_t va, unsigned kind) {
  bool cached = va >> 21 == task->leaf_tag; /* which a window's is never */
  if (__builtin_expect(!cached, 0) && in_window(task, va, va + 1))
    return user_frame(task->window, va - Q_WINDOW) && kind != Q_FAULT_EXECUTE ? pa_to_va(va - Q_WINDOW) : NULL;
  pte_t *slot = leaf_at(task, va, false);
  if (!slot || !touch(slot, kind) || !frame_of(pte_pa(*slot)))
    return NULL; /* not there, or a device */
  return (char *)pa_to_va(pte_pa(*slot)) + va % Q_PAGE_SIZE;
}

/* ---- Ranges: bounded work; the range says what remains --------------------------------------------------------------- */
#define STEPS (160 * LOOK) /* a LOOK is some 25 instructions, three times that in builds with checks */
#define PAGE LOOK          /* what removing or sharing a page costs */
#define TRIM (8 * LOOK)    /* what it costs if tables go or come, too */

/* How many pages of a range to take together: entries of one leaf table, and as many as there are steps for. */
static uint64_t stretch(uva_t va, uva_t end, int steps) {
  uint64_t most = MIN(512 - INDEX(va, 0), (uint64_t)MAX(steps, 0) / PAGE + 1);
  return MIN((end - va) >> Q_PAGE_SHIFT, most);
}

/* The frame table as a loop needs it that goes over many entries: in registers. */
struct ram {
  struct frame *frames;
  uint64_t base, count;
};

static inline struct ram ram(void) {
  return (struct ram){kernel.frames, kernel.ram_base, kernel.frame_count};
}

/* Where a page's frame stands in the table; not below its count: the page is a device's. */
static inline uint64_t number_in(const struct ram *ram, pte_t pte) {
  return (pte_pa(pte) - ram->base) >> Q_PAGE_SHIFT;
}

/* Removes the pages from this entry on to the first hole, but not more than that; how many. Says what they were, if there
 * is somewhere to. Most are not dirty, and have been others' too: that is told apart by the fewest instructions. */
static inline __attribute__((always_inline)) uint64_t remove_run(UNUSED struct task *task, pte_t *slot,
                                                                 UNUSED uva_t va, uint64_t most, uint64_t *out) {
  const struct ram in = ram();
  pte_t *at = slot;
  for (const pte_t *end = slot + most; at < end && is_page(*at); at++) {
    pte_t old = *at;
    uint64_t number = number_in(&in, old), what = pte_pa(old);
    *at = 0;
    ledger_add(task, va + (uint64_t)(at - slot) * Q_PAGE_SIZE);
    if (__builtin_expect(number < in.count, 1)) {
      frame_unmapped(&in.frames[number]);
      if (__builtin_expect(!in.frames[number].count, 0))
        what |= 1;
    }
    if (__builtin_expect(old & PTE_D, 0))
      what |= 2;
    if (out)
      *out++ = what;
  }
  return (uint64_t)(at - slot);
}

static uint64_t remove_pages(struct task *task, pte_t *slot, uva_t va, uint64_t most, uint64_t *out, int *steps) {
  struct frame *table = table_frame(slot);
  uint64_t n = out ? remove_run(task, slot, va, most, out) : remove_run(task, slot, va, most, NULL);
  fence(task, n == 1 ? va : ~0ul);
  *steps -= TRIM + (int)n * PAGE;
  table->count -= (uint32_t)n;
  if (!table->count)
    tables_trim(task, va);
  return n;
}

int vm_unmap(struct task *task, struct range *range, uva_t array, uint64_t entries) {
  int steps = STEPS;
  range->written = 0;
  for (pte_t *slot; range->written < entries && (slot = next_leaf(task, &range->va, range->end, &steps, false));) {
    uva_t at = array + 8 * range->written;
    uint64_t *out = array % 8 ? NULL : vm_resolve(current->task, at, Q_FAULT_WRITE);
    if (!out)
      return range->written ? 0 : Q_E_FAULT;
    uint64_t room = MIN(entries - range->written, (Q_PAGE_SIZE - at % Q_PAGE_SIZE) / 8);
    uint64_t most = MIN(room, stretch(range->va, range->end, steps));
    uint64_t n = remove_pages(task, slot, range->va, most, out, &steps);
    range->written += n;
    range->va += n * Q_PAGE_SIZE;
  }
  return 0;
}

/* `there`: what stands in the place where it is to be, too. */
static inline int check_protect(pte_t pte, const struct frame *frame, pte_t there, unsigned prot, bool share) {
  if (!frame)
    return share || prot & Q_PROT_EXECUTE ? Q_E_ARG : 0;
  if (there && pte_pa(there) != pte_pa(pte))
    return Q_E_EXISTS;
  if (share && frame->flags & FRAME_BUSY)
    return Q_E_OWNER;
  return clashes(frame, prot) && frame->count > 1 ? Q_E_WX : 0; /* an only mapping may change from one to the other */
}

/* Entries of one table that get a protection, and the same ones of another, which is given what it lacks of them. */
struct change {
  struct task *task;
  pte_t *slot, *copy; /* copy: another task's, or the same */
  uva_t va;
  uint64_t most, bits, added;
  bool changed;
};

static inline pte_t copied(pte_t value) {
  return (value | PTE_A) & ~(pte_t)PTE_D;
}

static inline void set_changed(struct change *c, uint64_t i, pte_t value) {
  c->slot[i] = value;
  ledger_add(c->task, c->va + i * Q_PAGE_SIZE);
  c->changed = true;
}

/* Shares pages up to the first whose frame is not as most are: it stands in the frame table as the protection leaves it, or
 * mapped once and writable. Nothing of what check_protect() looks for can be wrong with these. How far it came. */
static __attribute__((noinline)) uint64_t share_run(struct change *c, uint64_t i) {
  const struct ram in = ram();
  const uint64_t fresh = frame_fresh(c->task->pager->number), bits = c->bits, first = i, most = c->most;
  const uint64_t after = fresh | (uint64_t)flags_of(bits) << 56, sole = (fresh | (uint64_t)FRAME_WRITABLE << 56) + 1;
  pte_t *const slot = c->slot, *const copy = c->copy;
  for (; i < most; i++) {
    pte_t old = slot[i], value = old;
    uint64_t number = number_in(&in, old);
    if (__builtin_expect((old & (PTE_KIND | LEAF)) != (PTE_V | PTE_U | bits), 0)) {
      if (!is_page(old))
        break;
      value = (old & ~(pte_t)LEAF) | bits;
    }
    if (copy[i] || number >= in.count)
      break;
    uint64_t word = in.frames[number].word;
    if (__builtin_expect(word >> 32 != after >> 32, 0)) {
      if (word != sole)
        break;
      word = after + 1;
    }
    in.frames[number].word = word + 1;
    copy[i] = copied(value);
    if (value != old)
      set_changed(c, i, value);
  }
  c->added += i - first;
  return i;
}

static int protect_page(struct change *c, uint64_t i, unsigned prot) {
  pte_t old = c->slot[i], there = c->copy[i], value = (old & ~(pte_t)LEAF) | c->bits;
  struct frame *frame = frame_of(pte_pa(old));
  int error = check_protect(old, frame, there, prot, c->copy != c->slot);
  if (error)
    return error;
  if (frame)
    frame->flags = (frame->count == 1 ? frame->flags & FRAME_BUSY : frame->flags) | flags_of(c->bits);
  if (value != old)
    set_changed(c, i, value);
  if (!there) {
    c->copy[i] = copied(value);
    frame->count++;
    c->added++;
  }
  return 0;
}

/* The pages up to the first hole. Each is checked before it is touched; an error ends it, with most at that page. */
static int protect_pages(struct change *c, unsigned prot) {
  uint64_t i = 0;
  int error = 0;
  for (;;) {
    if (c->copy != c->slot)
      i = share_run(c, i);
    if (i == c->most || !is_page(c->slot[i]) || (error = protect_page(c, i, prot)))
      break;
    i++;
  }
  table_frame(c->copy)->count += (uint32_t)c->added;
  if (c->changed) /* what was not valid before needs no fence: at worst there is a spurious fault */
    fence(c->task, i == 1 ? c->va : ~0ul);
  c->most = i;
  return error;
}

int vm_protect(struct task *task, struct task *to, struct range *range, unsigned prot) {
  int error = check_prot(prot), steps = STEPS;
  if (to && (to == task || in_window(to, range->va, range->end)))
    return Q_E_ARG;
  for (pte_t *slot; !error && (slot = next_leaf(task, &range->va, range->end, &steps, false));) {
    uint64_t n = stretch(range->va, range->end, steps);
    pte_t *copy = to ? leaf_at(to, range->va, true) : slot;
    struct change change = {task, slot, copy, range->va, n, (prot & 7) << 1, 0, false};
    error = copy ? protect_pages(&change, prot) : Q_E_NOMEM;
    if (error && to)
      tables_trim(to, range->va); /* which may have been made for nothing */
    steps -= (to ? 4 : 1) * TRIM + (int)n * PAGE;
    range->va += (copy ? change.most : 0) * Q_PAGE_SIZE;
  }
  if (prot & Q_PROT_EXECUTE)
    fence_code();
  return error;
}

void vm_harvest(struct task *task, uva_t va, uint64_t pages, uint64_t clear, uint64_t out[3]) {
  pte_t bits = (clear & Q_HARVEST_ACCESSED ? PTE_A : 0) | (clear & Q_HARVEST_DIRTY ? PTE_D : 0);
  uva_t at = va, end = va + pages * Q_PAGE_SIZE;
  int steps = STEPS;
  for (pte_t *slot; (slot = next_leaf(task, &at, end, &steps, false)); at += Q_PAGE_SIZE) {
    uint64_t bit = 1ul << ((at - va) >> Q_PAGE_SHIFT);
    out[0] |= *slot & PTE_A ? bit : 0;
    out[1] |= *slot & PTE_D ? bit : 0;
    out[2] |= bit;
    if (*slot & bits)
      set_pte(task, slot, *slot & ~bits, at);
  }
}

/* Each call goes on where the last one stopped. */
void vm_revoke(struct pager *pager, pa_t block) {
  int steps = STEPS / 2; /* the block's frames have been looked at, too */
  uva_t *va = &pager->revoke_va;
  if (pager->revoke_block != block || !pager->revoke_task) {
    pager->revoke_block = block;
    pager->revoke_task = pager->tasks;
    *va = 0;
  }
  for (struct task *task; (task = pager->revoke_task); pager->revoke_task = task->next, *va = 0) {
    for (pte_t *slot; (slot = next_leaf(task, va, Q_USER_TOP, &steps, false)); *va += Q_PAGE_SIZE)
      if (pte_pa(*slot) - block < Q_BLOCK_SIZE)
        remove_pages(task, slot, *va, 1, NULL, &steps);
    if (*va < Q_USER_TOP)
      return;
  }
}

/* ---- The window, and a space's beginning and end -------------------------------------------------------------------- */
#define WINDOW_BITS (PTE_V | PTE_R | PTE_W | PTE_U | PTE_A | PTE_D | PTE_WINDOW)

/* The block's part of the window: one entry if it is whole, else one for each page that is the pager's. bits 0: none. */
static int window_set(struct pager *pager, pa_t block, bool whole, pte_t bits) {
  struct task *task = pager->server;
  pte_t *first = NULL; /* made when it is needed: an empty table would never go */
  for (pa_t pa = block; task && pa < block + Q_BLOCK_SIZE; pa += whole ? Q_BLOCK_SIZE : Q_PAGE_SIZE) {
    if (!whole && !user_frame(pager, pa))
      continue;
    if (!first && !(first = entry_at(task, Q_WINDOW + block, whole, bits)))
      return Q_E_NOMEM;
    pte_t *slot = &first[(pa - block) >> Q_PAGE_SHIFT];
    ASSERT(!*slot || *slot & PTE_WINDOW); /* window_free() */
    set_pte(task, slot, bits ? pte_make(pa, bits) : 0, Q_WINDOW + pa);
  }
  return 0;
}

int vm_window_block(struct pager *pager, pa_t block, bool visible) {
  return window_set(pager, block, true, visible ? WINDOW_BITS : 0);
}

/* The task has no page of its own where the window will be; from then on it can get none. */
static bool window_free(struct task *task) {
  uva_t va = Q_WINDOW + kernel.ram_base, end = Q_WINDOW + kernel.ram_end;
  int steps = 512 * LOOK; /* more than it takes to pass one table at each edge, and the root */
  return !next_leaf(task, &va, end, &steps, true) && va == end;
}

int vm_window(struct pager *pager, struct task *task, bool *done) {
  if (!task->window && !window_free(task))
    return Q_E_EXISTS;
  pager->server = task;
  task->window = pager;
  if (task->pager == pager)
    task->faults = NULL;
  if (pager->window_next < kernel.block_count) {
    pa_t block = kernel.ram_base + pager->window_next * Q_BLOCK_SIZE;
    int error = window_set(pager, block, block_owned(pager, block), WINDOW_BITS);
    if (error)
      return error;
    pager->window_next++;
  }
  *done = pager->window_next == kernel.block_count;
  return 0;
}

/* Of a root, the entries of the kernel's half that vm_boot() may have made: as they are in another, or none. */
static void kernel_half(pte_t *root, const pte_t *from) {
  uint64_t first = INDEX(PHYSMAP, 2), last = INDEX(PHYSMAP + MAX(kernel.ram_end, kernel.plic_end), 2),
           image = INDEX(KERNEL_BASE, 2);
  for (uint64_t i = first; i <= last; i++)
    root[i] = from ? from[i] : 0;
  root[image] = from ? from[image] : 0;
}

int vm_create(struct task *task) {
  task->root = page_alloc(task->pager, FRAME_TABLE);
  if (!task->root)
    return Q_E_NOMEM;
  kernel.info.tables++;
  kernel_half(task->root, kernel.root);
  task->satp = SATP_SV39 | va_to_pa(task->root) >> Q_PAGE_SHIFT;
  task->leaf_tag = ~0ul;
  return 0;
}

bool vm_destroy(struct task *task) {
  int steps = STEPS;
  uva_t *va = &task->teardown;
  for (pte_t *slot; (slot = next_leaf(task, va, Q_USER_TOP, &steps, true));) {
    if (is_page(*slot)) {
      *va += Q_PAGE_SIZE * remove_pages(task, slot, *va, stretch(*va, Q_USER_TOP, steps), NULL, &steps);
    } else {
      steps -= TRIM;
      set_pte(task, slot, 0, *va);
      if (table_frame(slot)->count == 0)
        tables_trim(task, *va);
    }
  }
  if (*va < Q_USER_TOP || steps < STEPS / 2)
    return false;
  if (task->window) {
    for (uva_t part = Q_WINDOW; part < Q_WINDOW + kernel.ram_end; part += 1ul << SHIFT(2))
      tables_trim(task, part); /* of blocks that left the window */
    task->window->server = NULL;
    task->window->window_next = 0;
  }
  kernel_half(task->root, NULL);
  kernel.info.tables--;
  page_free(task->root);
  task->root = NULL;
  return true;
}

#ifdef CHECK_INVARIANTS
void vm_check(struct task *task, void (*leaf)(struct task *, uva_t, pte_t)) {
  int steps = INT32_MAX;
  uva_t va = 0;
  for (pte_t *slot; (slot = next_leaf(task, &va, Q_USER_TOP, &steps, false)); va += Q_PAGE_SIZE)
    leaf(task, va, *slot);
}
#endif
