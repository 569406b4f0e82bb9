/* SPDX-License-Identifier: BSD-2-Clause */
/* Whole-state checks, in builds with check_invariants: what must hold of all tables together, recounted from nothing. And
 * how long the kernel keeps interrupts off. Other builds hold none of it. */
#include "boot.h"

#ifdef CHECK_INVARIANTS
static uint32_t *counted; /* mappings found of each frame; bit 31 writable, bit 30 executable */
#define SEEN_WRITABLE (1u << 31)
#define SEEN_EXECUTABLE (1u << 30)
#define SEEN_COUNT (SEEN_EXECUTABLE - 1)

uint64_t check_memory(void *memory) {
  counted = memory;
  return ALIGN_UP(kernel.frame_count * sizeof *counted, Q_PAGE_SIZE);
}

static void count_leaf(struct task *task, uva_t va, pte_t pte) {
  struct frame *frame = frame_of(pte_pa(pte));
  if (!frame)
    return; /* a device */
  uint32_t *seen = &counted[frame - kernel.frames];
  ++*seen;
  *seen |= (pte & PTE_W ? SEEN_WRITABLE : 0) | (pte & PTE_X ? SEEN_EXECUTABLE : 0);
  if (frame->kind != FRAME_USER || frame->owner != task->pager->number || !(pte & PTE_U))
    panic("page %lx of task %lx maps frame %lx: kind %ld, owner %ld", va, task->badge, frame_pa(frame),
          (uint64_t)frame->kind, (uint64_t)frame->owner);
}

static void check_frame(const struct frame *frame, uint32_t seen, uint64_t *kinds) {
  kinds[frame->kind]++;
  if (frame->kind != FRAME_USER)
    return;
  ASSERT(frame->count == (seen & SEEN_COUNT));
  ASSERT(!(seen & SEEN_WRITABLE) || !(seen & SEEN_EXECUTABLE)); /* W^X over all live tables */
  ASSERT(!(seen & SEEN_WRITABLE) || frame->flags & FRAME_WRITABLE);
  ASSERT(!(seen & SEEN_EXECUTABLE) || frame->flags & FRAME_EXECUTABLE);
  ASSERT(pagers[frame->owner]);
}

static void check_handle(const struct handle *handle) {
  if (handle->type != OBJECT_NONE && !handle->object->dying)
    ASSERT(handle->object->type == handle->type);
}

/* A slot without a thread is zero, as page_free() takes it to be. */
static void check_slot(struct page_header *page, unsigned slot) {
  const uint64_t *words = (const uint64_t *)((char *)page + slot * 1024);
  uint64_t any = 0;
  for (unsigned i = 0; i < 1024 / 8 && page->kind == FRAME_THREADS && !page_thread(page, slot); i++)
    any |= words[i];
  ASSERT(!any);
}

static void check_task(struct task *task) {
  unsigned threads = 0;
  for (unsigned i = 0; i < INLINE_HANDLES; i++)
    check_handle(&task->handles[i]);
  for (unsigned page = 0; page < task->handle_page_count; page++)
    for (unsigned i = 1; i < 128; i++)
      check_handle((struct handle *)*handle_page(task, page) + i);
  for (struct page_header *page = &task->header; page; page = page->next)
    for (unsigned slot = 1; slot < 4; slot++) {
      check_slot(page, slot);
      threads += page_thread(page, slot) != NULL;
    }
  ASSERT(threads == task->threads);
}

static void check_totals(const uint64_t *kinds) {
  uint64_t owned = 0, donated = 0, donated_free = 0, total = 0;
  for (unsigned i = 1; i < PAGERS; i++) {
    if (!pagers[i])
      continue;
    ASSERT(pagers[i]->donated_free >= pagers[i]->promised);
    owned += pagers[i]->owned, donated += pagers[i]->donated, donated_free += pagers[i]->donated_free;
  }
  for (unsigned kind = FRAME_FREE; kind <= FRAME_PAGER; kind++)
    total += kinds[kind];
  ASSERT(kinds[FRAME_USER] == owned);
  ASSERT(total == donated && kinds[FRAME_FREE] == donated_free);
  ASSERT(kinds[FRAME_TABLE] == kernel.info.tables);
  ASSERT(owned + donated + kernel.info.reserved_frames + kernel.info.kernel_frames == kernel.info.ram_frames);
}

/* Each ready thread stands in the queue of its priority, the bits say which queues hold any, and nobody who is ready is
 * above the running thread for longer than it takes to leave the kernel. */
static void check_queues(const struct hart *hart) {
  for (unsigned p = 0; p < Q_PRIORITIES; p++) {
    const struct link *before = NULL;
    ASSERT((hart->ready_mask >> p & 1) == (hart->ready[p].head != NULL));
    for (const struct link *link = hart->ready[p].head; link; before = link, link = link->next) {
      const struct thread *t = container_of(link, struct thread, link);
      ASSERT(link->list == &hart->ready[p] && t->state == THREAD_READY && t->priority == p && link->prev == before);
    }
    ASSERT(hart->ready[p].tail == before);
  }
  ASSERT(hart->resched || hart->current == &hart->idle || !(hart->ready_mask >> hart->current->priority >> 1));
  ASSERT(hart->current->hart == hart && (!hart->fpu || hart->fpu->hart == hart));
  for (const struct thread *t = hart->sleepers; t; t = t->right) /* its spine, which is short */
    ASSERT(t->state == THREAD_SLEEP && (!t->left || t->left->deadline >= t->deadline) &&
           (!t->right || t->right->deadline >= t->deadline));
}

void check_state(void) {
  uint64_t start = csr_read(instret), kinds[FRAME_PAGER + 1] = {0}, tasks = 0;
  order_assert_alone();
  memset(counted, 0, kernel.frame_count * sizeof *counted);
  for (unsigned i = 1; i < PAGERS; i++)
    for (struct task *task = pagers[i] ? pagers[i]->tasks : NULL; task; task = task->next, tasks++) {
      vm_check(task, count_leaf);
      check_task(task);
    }
  for (uint64_t i = 0; i < kernel.frame_count; i++)
    check_frame(&kernel.frames[i], counted[i], kinds);
  ASSERT(tasks == kernel.info.tasks);
  check_totals(kinds);
  EACH_HART (hart)
    check_queues(hart);
  kernel.info.checks++;
  this_hart()->entered += csr_read(instret) - start; /* this is no part of the kernel's own time */
}

static void check_alone(void) {
  if (this_hart()->others)
    exclude();
  check_state();
  if (this_hart()->others)
    let_others();
}

/* On every way out of the kernel, with the hart's own lock alone. */
void exit_checks(void);
void exit_checks(void) {
  ledger_assert_clean();
  struct hart *hart = this_hart();
  uint64_t spent = csr_read(instret) - hart->entered;
  if (hart->entered && spent > kernel.info.irq_off_max)
    kernel.info.irq_off_max = spent;
  hart->entered = 0;
  if (++hart->exits % 4096 == 0)
    check_alone();
  order_leaving(hart);
}
#else
uint64_t check_memory(void *memory) {
  (void)memory;
  return 0;
}
void check_state(void) {
}
#endif
