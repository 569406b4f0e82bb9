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
  return task->generation == kernel.asid_generation;
}

/* ---- Fences ------------------------------------------------------------------------------------------------------ */
#ifdef CHECK_INVARIANTS
static struct {
  struct task *task; /* NULL: nothing is to be fenced */
  uva_t va;          /* ~0: anything of it */
  uint64_t harts;    /* where it is to be */
} unfenced;

static void ledger_add(struct task *task, uva_t va) {
  if (!has_asid(task) || !task->harts)
    return;
  ASSERT(!unfenced.task || unfenced.task == task);
  unfenced.va = unfenced.task && unfenced.va != va ? ~0ul : va;
  unfenced.task = task;
  unfenced.harts |= task->harts;
}

static void ledger_fenced(struct task *task, uva_t va, uint64_t harts) {
  if (unfenced.task != task || (va != ~0ul && va != unfenced.va))
    return;
  unfenced.harts &= ~harts;
  if (!unfenced.harts)
    unfenced.task = NULL;
}

void ledger_assert_clean(void) {
  ASSERT(!unfenced.task);
}
#else
#define ledger_add(task, va) ((void)(va))
#define ledger_fenced(task, va, harts) ((void)(harts))
#endif

static void space_know(struct task *task, struct hart *hart) {
  *hart_own(hart, task->good_on) = kernel.asid_generation;
  task->harts |= (uint8_t)hart->bit;
}

static void space_forget(struct task *task, struct hart *hart) {
  *hart_own(hart, task->good_on) = 0;
  task->harts &= (uint8_t)~hart->bit;
}

/* Of the other harts that may have cached something of the task's, those that run it now. The rest is forgotten: what they
 * have cached is fenced when they run it again (vm_switch_slow). */
static uint64_t running_elsewhere(struct task *task) {
  uint64_t running = 0;
  EACH_HART (hart) {
    if (hart == this_hart())
      continue;
    if (hart->current->task == task)
      running |= hart->bit;
    else
      space_forget(task, hart);
  }
  return running & task->harts;
}

static __attribute__((noinline)) void fence_others(struct task *task, uva_t va) {
  uint64_t before = task->harts & ~(uint64_t)this_hart()->bit, running = running_elsewhere(task);
  if (running)
    harts_fence(running, va == ~0ul ? 0 : va, va == ~0ul ? ~0ul : Q_PAGE_SIZE, task->asid);
  ledger_fenced(task, va, before);
}

/* A leaf has become valid, or allows more, or with va = ~0 a table is there: what another hart has cached of how it was costs it
 * faults, the last of which finds it so (vm_fault). */
static inline void fence_here(const struct task *task, uva_t va) {
  if (has_asid(task) && va == ~0ul)
    fence_asid(task->asid);
  else if (has_asid(task))
    fence_page(va, task->asid);
}

/* Makes the change of one leaf, or with va = ~0 of anything in the space, visible on all harts that ran it. */
static inline void fence(struct task *task, uva_t va) {
  uint64_t own = this_hart()->bit;
  if (!has_asid(task))
    return;
  if (va == ~0ul)
    fence_asid(task->asid);
  else
    fence_page(va, task->asid);
  ledger_fenced(task, va, own);
  if (task->harts & ~own)
    fence_others(task, va);
}

/* What the pager wrote through its window is to be run by the task. */
static void fence_instructions(struct task *task) {
  fence_code();
  if (!this_hart()->others)
    return;
  EACH_HART (hart)
    hart->code_stale = hart != this_hart();
  uint64_t running = running_elsewhere(task);
  if (running)
    harts_fence_code(running);
}

/* Two ASIDs a hart, and the kernel's, are the fewest to get on with: each hart keeps the one it runs with. */
static bool too_few_asids(void) {
  return kernel.asid_count <= 2 * kernel.hart_count;
}

static bool asid_in_use(uint64_t asid) {
  for (unsigned i = 0; i < kernel.hart_count; i++)
    if (kernel.harts[i].current->task && kernel.harts[i].current->task->asid == asid)
      return true;
  return false;
}

void asid_generation_begin(void) {
  kernel.asid_generation++;
  kernel.asid_next = !too_few_asids(); /* 0 is for the boot table, if there are others */
  EACH_HART (hart) {
    struct task *task = hart->current->task;
    hart->generation = kernel.asid_generation;
    if (!task)
      continue;
    if (!has_asid(task))
      task->harts = 0;
    task->generation = kernel.asid_generation;
    space_know(task, hart);
  }
  harts_fence_all();
}

/* Too few: each has 0, and only the harts that run it now have cached anything. */
static void asid_assign(struct task *task) {
  while (!too_few_asids() && asid_in_use(kernel.asid_next))
    kernel.asid_next++;
  if (kernel.asid_next >= kernel.asid_count) {
    asid_generation_begin();
    while (asid_in_use(kernel.asid_next))
      kernel.asid_next++;
  }
  ASSERT(kernel.asid_next < kernel.asid_count);
  task->asid = too_few_asids() ? 0 : kernel.asid_next++;
  task->satp = (task->satp & ~(SATP_ASID_MASK << SATP_ASID_SHIFT)) | task->asid << SATP_ASID_SHIFT;
  task->harts = 0;
  task->generation = kernel.asid_generation;
}

static void space_leave(struct hart *hart) {
  if (too_few_asids() && hart->loaded)
    space_forget(hart->loaded, hart);
  hart->loaded = NULL;
}

void vm_switch_slow(struct task *task) {
  struct hart *hart = this_hart();
  space_leave(hart);
  if (!has_asid(task))
    asid_assign(task);
  csr_write(satp, task->satp);
  if (too_few_asids())
    fence_all();
  else
    fence_asid(task->asid); /* what was cached while its bit was not set, or by who had this ASID before */
  if (hart->code_stale)
    fence_code();
  hart->code_stale = false;
  hart->loaded = task;
  space_know(task, hart);
}

void vm_kernel(void) {
  csr_write(satp, SATP_SV39 | (kernel.root_pa >> Q_PAGE_SHIFT));
  space_leave(this_hart());
  if (too_few_asids())
    fence_all();
}

/* ---- Tables ------------------------------------------------------------------------------------------------------ */
static uint8_t flags_of(pte_t pte) {
  return (pte & PTE_W ? FRAME_WRITABLE : 0) | (pte & PTE_X ? FRAME_EXECUTABLE : 0);
}

/* A hart that runs the space may set an entry's accessed and dirty bits at any moment (volume II, 4.3.1), so what was there
 * last is only known by taking it. */
static inline pte_t swap(pte_t *slot, pte_t value) {
  return __atomic_exchange_n(slot, value, __ATOMIC_RELAXED);
}

/* A change of an entry, with all that hangs on it: the counts of the table and of the frames, and the fence. With
 * va = ~0 anything in the space may have been reached through the entry. What was there. */
static inline __attribute__((always_inline)) pte_t set_in(struct task *task, struct frame *table, pte_t *slot,
                                                          pte_t value, uva_t va) {
  pte_t old = *slot;
  struct frame *before = is_page(old) ? frame_of(pte_pa(old)) : NULL; /* NULL: a device, too */
  struct frame *after = is_page(value) ? frame_of(pte_pa(value)) : NULL;
  table->count += (uint32_t)(value & PTE_V) - (uint32_t)(old & PTE_V);
  if (before)
    frame_unmapped(before);
  if (after) {
    after->count++;
    after->flags |= flags_of(value);
  }
  if (!old) {
    *slot = value;
    fence_here(task, va);
    return 0;
  }
  ledger_add(task, va);
  old = swap(slot, value);
  fence(task, va);
  return old;
}

static inline __attribute__((always_inline)) void set_pte(struct task *task, pte_t *slot, pte_t value, uva_t va) {
  set_in(task, table_frame(slot), slot, value, va);
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

/* The leaf table that the task used last. Never the window's, so that a fast path need not know of windows. */
static pte_t *remember(struct task *task, pte_t *slot, uva_t va) {
  task->leaf_tag = va >> 21;
  task->leaf = slot - INDEX(va, 0);
  task->leaf_frame = table_frame(slot);
  return slot;
}

static __attribute__((noinline)) pte_t *find_leaf(struct task *task, uva_t va, bool make) {
  pte_t *slot = entry_at(task, va, 0, make);
  return slot && !in_window(task, va, va + 1) ? remember(task, slot, va) : slot;
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
    if (*slot & PTE_V && !(*slot & PTE_WINDOW))
      return level ? slot : remember(task, slot, *va);
    if (*slot & PTE_V && window)
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
  bool good = expected ? pte & PTE_V && pte_pa(pte) == (expected & ~3ul) : !(pte & PTE_V);
  const struct frame *frame = expected ? frame_of(expected) : NULL;
  bool shared = expected & Q_EXPECT_SHARED;
  return good && (!frame || (frame->count > 1) == shared) ? 0 : Q_E_EXISTS;
}

/* The frame's only mapping, which is replaced by one of the same frame, may change sides, as with protect. */
static bool replaces_itself(const struct mapping *m) {
  const struct frame *frame = m->expected ? frame_of(m->expected) : NULL;
  return frame && (m->frame_prot ^ m->expected) < Q_PAGE_SIZE && frame->count == 1;
}

static int check_map(struct task *task, const struct mapping *m) {
  if (m->pages - 1 >= Q_MAP_MAX || (m->expected && m->pages != 1) || m->va % Q_PAGE_SIZE || m->va >= Q_USER_TOP ||
      m->pages > (Q_USER_TOP - m->va) >> Q_PAGE_SHIFT || in_window(task, m->va, m->va + m->pages * Q_PAGE_SIZE))
    return Q_E_ARG;
  int error = check_prot(m->frame_prot & Q_PROT_MASK);
  for (uint64_t at = 0; at < m->pages * Q_PAGE_SIZE && !error; at += Q_PAGE_SIZE) {
    error = check_frame(task->pager, (m->frame_prot & ~(Q_PAGE_SIZE - 1ul)) + at, m->frame_prot & Q_PROT_MASK);
    if (error == Q_E_WX && replaces_itself(m))
      error = 0;
    if (!error)
      error = check_slot(task, m->va + at, m->expected);
  }
  return error;
}

/* Q_PROT_READ, WRITE and EXECUTE are the entry's own R, W and X, one bit lower. */
static inline pte_t page_pte(uint64_t frame_prot, bool written) {
  pte_t dirty = written && frame_prot & Q_PROT_WRITE ? PTE_D : 0;
  pte_t device = frame_prot & Q_PROT_DEVICE ? PTE_DEVICE : 0;
  return pte_make(frame_prot & ~(Q_PAGE_SIZE - 1ul), (frame_prot & 7) << 1 | PTE_V | PTE_U | PTE_A | dirty | device);
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
  /* Decoded. What the frames hold is there before a hart can see the entries. */
  __atomic_thread_fence(__ATOMIC_RELEASE);
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
  __atomic_thread_fence(__ATOMIC_RELEASE);
  for (uva_t va = m->va, frame_prot = m->frame_prot; va <= last; va += Q_PAGE_SIZE, frame_prot += Q_PAGE_SIZE)
    set_pte(task, leaf_at(task, va, false), page_pte(frame_prot, va == m->written), va);
  if (m->frame_prot & Q_PROT_EXECUTE)
    fence_instructions(task);
  return 0;
}

/* ---- Looking up -------------------------------------------------------------------------------------------------- */
static const uint8_t needed[] = {PTE_R | PTE_A, PTE_W | PTE_A | PTE_D, PTE_X | PTE_A};

/* Whether the entry allows the access; then it gets the bits that the access sets. */
static inline bool touch(pte_t *slot, unsigned kind) {
  pte_t least = PTE_V | PTE_U | (needed[kind] & LEAF);
  if ((*slot & least) != least)
    return false;
  /* It only adds rights: a cached entry without them is at worst a spurious fault. */
  __atomic_fetch_or(slot, needed[kind], __ATOMIC_RELAXED);
  return true;
}

uint64_t vm_fault(struct task *task, uva_t va, unsigned kind) {
  pte_t *slot = leaf_at(task, va, false);
  if (!slot || !*slot)
    return 0;
  if (touch(slot, kind)) {
    /* Another hart may have made the table after this one had cached that there is none, which the page's fence leaves. */
    fence_here(task, this_hart()->others ? ~0ul : va & ~(Q_PAGE_SIZE - 1ul));
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
#define PAGE LOOK          /* what removing or sharing a page costs at most */
#define TRIM (8 * LOOK)    /* what it costs if tables go or come, too */

/* How many entries of a range to take together: those of one leaf table, and as many as there are steps for. */
static uint64_t stretch(uva_t va, uva_t end, int steps) {
  uint64_t most = MIN(512 - INDEX(va, 0), (uint64_t)MAX(steps, 0) / PAGE + 1);
  return MIN((end - va) >> Q_PAGE_SHIFT, most);
}

#define RAM_KIND (PTE_KIND | PTE_DEVICE)
static inline bool is_ram(pte_t pte) { /* a page whose frame stands in the frame table */
  return (pte & RAM_KIND) == (PTE_V | PTE_U);
}

/* For loops over many entries of that kind: where the frame of physical address 0 would stand in the frame table. A page's
 * number is in bits 10 and up of its entry, and a frame has 8 bytes there. */
static inline char *frames_at_zero(void) {
  char *frames = (char *)kernel.frames - (kernel.ram_base >> Q_PAGE_SHIFT) * sizeof(struct frame);
  __asm__("" : "+r"(frames)); /* one register: the loop adds once */
  return frames;
}
static inline struct frame *frame_in(char *frames, pte_t pte) {
  return (struct frame *)(frames + (pte >> 7 & ~7ul));
}

/* Entries of one leaf table that are removed, the first of which is valid. */
struct removal {
  struct task *task;
  pte_t *slot;
  uva_t va;
  uint64_t most;                                /* entries to go through; then: that were */
  enum { TELL_NONE, TELL_LAST, TELL_ALL } tell; /* of which frames: those that are mapped nowhere any more, or all */
  uint64_t *out, *end;                          /* where to, and where the room ends; with TELL_ALL it is enough */
  uint64_t removed;
};

static inline uint64_t told(pte_t old, bool last) {
  return pte_pa(old) | last | (old & PTE_D ? 2 : 0);
}

/* Removes pages of RAM up to the first entry that is none, or whose frame there is no room to tell of. Most have been others',
 * too: that is told apart by the fewest instructions. How far it came. */
static inline __attribute__((always_inline)) uint64_t remove_run(struct removal *r, uint64_t i, unsigned tell) {
  char *const frames = frames_at_zero();
  uint64_t *out = r->out;
  pte_t *const slot = r->slot;
  const uint64_t most = r->most;
#pragma GCC unroll 2
  for (; i < most; i++) {
    pte_t old = slot[i];
    if (!is_ram(old))
      break;
    struct frame *frame = frame_in(frames, old);
    if (__builtin_expect(frame->count == 1, 0)) {
      if (tell == TELL_LAST && out == r->end)
        break;
      frame->flags &= FRAME_BUSY;
      if (tell == TELL_LAST)
        *out++ = told(swap(&slot[i], 0), true);
    }
    frame->count--;
    if (tell == TELL_ALL)
      *out++ = told(swap(&slot[i], 0), !frame->count);
    else
      slot[i] = 0;
    ledger_add(r->task, r->va + i * Q_PAGE_SIZE);
  }
  r->out = out;
  return i;
}

static uint64_t remove_next(struct removal *r, uint64_t i) {
  uint64_t n = r->tell == TELL_ALL    ? remove_run(r, i, TELL_ALL)
               : r->tell == TELL_LAST ? remove_run(r, i, TELL_LAST)
                                      : remove_run(r, i, TELL_NONE);
  if (n > i || !is_page(r->slot[n]) || is_ram(r->slot[n]))
    return n;
  if (r->tell == TELL_ALL) /* a device's: nobody counts those */
    *r->out++ = told(r->slot[n], false);
  r->slot[n] = 0;
  ledger_add(r->task, r->va + n * Q_PAGE_SIZE);
  return n + 1;
}

/* It ends early where the table is empty, or there is no room to tell of the next. */
static __attribute__((noinline)) void remove_many(struct removal *r) {
  struct frame *table = table_frame(r->slot);
  uint64_t i = 0;
  for (uint64_t from, valid = table->count; i < r->most && r->removed < valid; r->removed += i - from) {
    from = i + holes_at(r->slot + i, r->most - i);
    i = from < r->most ? remove_next(r, from) : from;
    if (i == from)
      break;
  }
  fence(r->task, r->removed == 1 ? r->va : ~0ul);
  table->count -= (uint32_t)r->removed;
  r->most = table->count ? i : r->most;
}

/* One page, which is there: what the array is told. */
static inline __attribute__((always_inline)) uint64_t remove_page(struct task *task, struct frame *table, pte_t *slot,
                                                                  uva_t va) {
  pte_t old = set_in(task, table, slot, 0, va);
  const struct frame *frame = frame_of(pte_pa(old));
  return told(old, frame && !frame->count);
}

static inline void remove_one(struct removal *r) {
  uint64_t what = remove_page(r->task, table_frame(r->slot), r->slot, r->va);
  if (r->tell == TELL_ALL || (r->tell == TELL_LAST && what & 1))
    *r->out++ = what;
  r->removed = 1;
}

static void remove_pages(struct removal *r, int *steps) {
  if (r->most == 1)
    remove_one(r);
  else
    remove_many(r);
  *steps -= TRIM + (int)(r->removed * PAGE + (r->most - r->removed));
  if (!table_frame(r->slot)->count)
    tables_trim(r->task, r->va);
}

uint64_t vm_unmap_page(struct task *task, uva_t va) {
  pte_t *slot = leaf_at(task, va, false);
  if (!slot || !is_page(*slot))
    return 0;
  struct frame *table = task->leaf_frame; /* leaf_at() */
  uint64_t what = remove_page(task, table, slot, va);
  if (!table->count)
    tables_trim(task, va);
  return what;
}

int vm_unmap(struct task *task, struct range *range, uva_t array, uint64_t entries, bool last) {
  int steps = STEPS;
  for (pte_t *slot; range->written < entries && (slot = next_leaf(task, &range->va, range->end, &steps, false));) {
    uva_t at = array + 8 * range->written;
    uint64_t *out = array % 8 ? NULL : vm_resolve(current->task, at, Q_FAULT_WRITE);
    if (!out)
      return range->removed ? 0 : Q_E_FAULT;
    uint64_t room = MIN(entries - range->written, (Q_PAGE_SIZE - at % Q_PAGE_SIZE) / 8);
    uint64_t most = stretch(range->va, range->end, steps);
    struct removal r = {.task = task, .slot = slot, .va = range->va, .out = out, .end = out + room};
    r.tell = last ? TELL_LAST : TELL_ALL;
    r.most = last ? most : MIN(room, most);
    remove_pages(&r, &steps);
    range->written += (uint64_t)(r.out - out);
    range->removed += r.removed;
    range->va += r.most * Q_PAGE_SIZE;
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
  uint64_t most;        /* entries to go through; then: that were */
  pte_t mask, bits;     /* what an entry keeps, and what it gets */
  uint64_t seen, added; /* pages; and of these, that the other lacked */
  bool changed;
};

static inline pte_t copied(pte_t value) {
  return (value | PTE_A) & ~(pte_t)PTE_D;
}

static inline void set_changed(struct change *c, uint64_t i, pte_t value) {
  pte_t kept = swap(&c->slot[i], value) & PTE_D & ~value;
  if (__builtin_expect(kept != 0, 0)) /* it was set just now */
    __atomic_fetch_or(&c->slot[i], kept, __ATOMIC_RELAXED);
  ledger_add(c->task, c->va + i * Q_PAGE_SIZE);
  c->changed = true;
}

/* What stands in the frame table for frames that are as most are: as the protection leaves them, or mapped once and writable.
 * Nothing of what check_protect() looks for can be wrong with these. */
struct usual {
  uint64_t after, sole; /* after: without a mapping */
};

static inline struct usual usual(const struct change *c, pte_t leaf) {
  uint64_t fresh = frame_fresh(c->task->pager->number);
  return (struct usual){fresh | (uint64_t)flags_of(leaf) << 56, (fresh | (uint64_t)FRAME_WRITABLE << 56) + 1};
}

/* A mapping more of the frame, if it is one of these. */
static inline __attribute__((always_inline)) bool share_frame(struct frame *frame, struct usual usual) {
  uint64_t word = frame->word;
  if (__builtin_expect(word >> 32 != usual.after >> 32, 0)) {
    if (word != usual.sole)
      return false;
    word = usual.after + 1;
  }
  frame->word = word + 1;
  return true;
}

/* Shares pages up to the first that gets another protection than this one, or whose frame is not as most are. How far it came.
 * Those that have that protection already, as after another fork, are told apart by the fewest instructions. */
static __attribute__((noinline)) uint64_t share_run(struct change *c, uint64_t i) {
  char *const frames = frames_at_zero();
  pte_t *const slot = c->slot, *const copy = c->copy;
  const pte_t mask = c->mask, bits = c->bits, leaf = ((slot[i] & mask) | bits) & LEAF;
  const struct usual frame = usual(c, leaf);
  const uint64_t first = i, most = c->most;
#pragma GCC unroll 2
  for (; i < most; i++) {
    pte_t old = slot[i], value = (old & mask) | bits;
    if (copy[i])
      break;
    if (__builtin_expect((old & (RAM_KIND | LEAF)) == (PTE_V | PTE_U | leaf), 1)) {
      if (!share_frame(frame_in(frames, old), frame))
        break;
      copy[i] = copied(old);
    } else {
      if (!is_ram(old) || (value & LEAF) != leaf || !share_frame(frame_in(frames, old), frame))
        break;
      copy[i] = copied(value);
      set_changed(c, i, value);
    }
  }
  c->added += i - first;
  return i;
}

static int protect_page(struct change *c, uint64_t i) {
  pte_t old = c->slot[i], there = c->copy[i], value = (old & c->mask) | c->bits;
  struct frame *frame = frame_of(pte_pa(old));
  int error = check_protect(old, frame, there, (value & LEAF) >> 1, c->copy != c->slot);
  if (error)
    return error;
  if (frame)
    frame->flags = (frame->count == 1 ? frame->flags & FRAME_BUSY : frame->flags) | flags_of(value);
  if (value != old)
    set_changed(c, i, value);
  if (!there) {
    c->copy[i] = copied(value);
    frame->count++;
    c->added++;
  }
  return 0;
}

static int protect_run(struct change *c, uint64_t *i) {
  int error = 0;
  if (c->copy != c->slot)
    *i = share_run(c, *i);
  while (!error && *i < c->most && is_page(c->slot[*i]) && !(error = protect_page(c, *i))) {
    ++*i;
    if (c->copy != c->slot)
      break; /* the next may be as most are */
  }
  return error;
}

/* Each page is checked before it is touched; an error ends it, with most at that page. */
static int protect_pages(struct change *c) {
  uint64_t i = 0, valid = table_frame(c->slot)->count;
  int error = 0;
  for (uint64_t from; !error && i < c->most && c->seen < valid; c->seen += i - from) {
    from = i += holes_at(c->slot + i, c->most - i);
    if (i < c->most)
      error = protect_run(c, &i);
  }
  table_frame(c->copy)->count += (uint32_t)c->added;
  if (c->changed) /* what was not valid before needs no fence: at worst there is a spurious fault */
    fence(c->task, c->seen == 1 ? c->va : ~0ul);
  c->most = !error && c->seen == valid ? c->most : i;
  return error;
}

/* Without a protection each page keeps its own, but the right to write. */
int vm_protect(struct task *task, struct task *to, struct range *range, unsigned prot) {
  bool keeps = to && !prot;
  int error = keeps ? 0 : check_prot(prot), steps = STEPS;
  if (to && (to == task || in_window(to, range->va, range->end)))
    return Q_E_ARG;
  for (pte_t *slot; !error && (slot = next_leaf(task, &range->va, range->end, &steps, false));) {
    struct change change = {.task = task, .slot = slot, .va = range->va, .bits = (prot & 7) << 1};
    change.mask = ~(keeps ? (pte_t)PTE_W : (pte_t)LEAF);
    change.most = stretch(range->va, range->end, steps);
    change.copy = to ? leaf_at(to, range->va, true) : slot;
    error = change.copy ? protect_pages(&change) : Q_E_NOMEM;
    if (error && to)
      tables_trim(to, range->va); /* which may have been made for nothing */
    steps -= (to ? 4 : 1) * TRIM + (int)(change.seen * PAGE + (change.most - change.seen));
    range->va += (change.copy ? change.most : 0) * Q_PAGE_SIZE;
  }
  if (prot & Q_PROT_EXECUTE)
    fence_instructions(task);
  if (to && this_hart()->others)
    fence_instructions(to); /* without a protection pages of code go there as they are */
  return error;
}

void vm_harvest(struct task *task, uva_t va, uint64_t pages, uint64_t clear, uint64_t out[3]) {
  pte_t bits = (clear & Q_HARVEST_ACCESSED ? PTE_A : 0) | (clear & Q_HARVEST_DIRTY ? PTE_D : 0);
  uva_t at = va, end = va + pages * Q_PAGE_SIZE;
  int steps = STEPS;
  for (pte_t *slot; (slot = next_leaf(task, &at, end, &steps, false)); at += Q_PAGE_SIZE) {
    uint64_t bit = 1ul << ((at - va) >> Q_PAGE_SHIFT);
    pte_t old = *slot & bits ? __atomic_fetch_and(slot, ~bits, __ATOMIC_RELAXED) : *slot;
    out[0] |= old & PTE_A ? bit : 0;
    out[1] |= old & PTE_D ? bit : 0;
    out[2] |= bit;
    if (old & bits)
      fence(task, at);
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
        remove_pages(&(struct removal){.task = task, .slot = slot, .va = *va, .most = 1}, &steps);
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
    task->faults = NULL, task->plain = no_handle.endpoint;
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
      struct removal r = {.task = task, .slot = slot, .va = *va, .most = stretch(*va, Q_USER_TOP, steps)};
      remove_pages(&r, &steps);
      *va += r.most * Q_PAGE_SIZE;
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
