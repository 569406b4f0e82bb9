/* SPDX-License-Identifier: BSD-2-Clause */
/* Tasks, threads and pager objects: how they begin and how they end. Ending is done in bounded steps, each of which
 * leaves a state from which the next call goes on; a function that returns false wants to be called again. */
#include "kernel.h"
#include "vm.h"

struct task *task_create(struct pager *pager, uint64_t badge, uint64_t quota) {
  struct task *task = page_alloc(pager, FRAME_TASK);
  if (!task)
    return NULL;
  task->pager = pager;
  task->badge = badge;
  task->quota = (uint16_t)quota;
  if (vm_create(task)) {
    page_free(task);
    return NULL;
  }
  task->object.type = OBJECT_TASK;
  for (unsigned i = INLINE_HANDLES - 1; i; i--) { /* slot 0 is no handle */
    task->handles[i].next = task->free_handle;
    task->free_handle = (uint16_t)i;
  }
  task->next = pager->tasks;
  if (task->next)
    task->next->prev = task;
  pager->tasks = task;
  kernel.info.tasks++;
  return task;
}

struct thread *thread_create(struct task *task, unsigned priority) {
  struct thread *thread = slot_alloc(task, FRAME_THREADS);
  if (!thread)
    return NULL;
  thread->object.type = OBJECT_THREAD;
  thread->task = task;
  thread->hart = this_hart();
  thread->priority = (uint8_t)priority;
  thread->state = THREAD_NEW;
  thread->sequence = kernel.sequence_epoch;
  thread->wait[SLOT_FAULT].slot = SLOT_FAULT;
  task->threads++;
  kernel.info.threads++;
  return thread;
}

/* ---- The end of a thread ----------------------------------------------------------------------------------------- */
static bool task_free_pages(struct task *task) {
  for (unsigned budget = 8; task->pages; budget--) {
    if (!budget)
      return false;
    struct page_header *page = task->pages;
    task->pages = page->next;
    page_free(page);
  }
  page_free(task);
  return true;
}

static void slot_clear(struct thread *thread) {
  struct task *task = thread->task;
  if (thread == current) { /* it ends itself: the kernel goes on as nobody */
    struct hart *hart = this_hart();
    current = &hart->idle;
    hart->resched |= RESCHED_HIGHER; /* no way out leads back to it */
  }
  ASSERT(task->threads && !thread->queued);
  memset(thread, 0, sizeof *thread);
  if (--task->threads == 0 && task->orphan)
    while (!task_free_pages(task)) /* a task that was destroyed: no call is there to be restarted */
      ;
}

void zombie_told(struct thread *thread) {
  slot_clear(thread);
}

static void leave_queues(struct thread *thread) {
  if (thread->state == THREAD_READY)
    thread_unready(thread);
  else if (thread->state == THREAD_RECEIVE)
    receiver_unqueue(thread);
  else if (thread->state == THREAD_SLEEP)
    sleep_cancel(thread);
}

bool thread_end(struct thread *thread) {
  struct wait *call = &thread->wait[SLOT_CALL];
  leave_queues(thread);
  thread->state = THREAD_NEW; /* it can't run any more, whatever follows: */
  thread->object.dying = 1;   /* nobody can start it again before the last of its handles is void */
  if (!object_void_handles(&thread->object))
    return false;
  bool pending = call->copying || (call->state == WAIT_HELD && call->queued);
  fp_forget(thread);
  wait_cancel(&thread->wait[SLOT_FAULT]);
  kernel.sequence_epoch = MAX(kernel.sequence_epoch, thread->sequence);
  kernel.info.threads--;
  if (!pending) {
    wait_cancel(call);
    slot_clear(thread);
    return true;
  }
  thread->state = THREAD_ZOMBIE; /* until its server has been told */
  copy_orphaned(thread);
  return true;
}

/* Ends up to `budget` threads of a page's three. */
static bool page_stop(void *page, unsigned *budget) {
  for (unsigned i = 1; i < 4; i++) {
    struct thread *thread = (struct thread *)((char *)page + i * 1024);
    if (thread->object.type != OBJECT_THREAD || thread->state == THREAD_ZOMBIE)
      continue;
    if (!*budget || !thread_end(thread))
      return false;
    --*budget;
  }
  return true;
}

bool task_stop(struct task *task) {
  unsigned budget = 8;
  task->stopped = true;
  if (!page_stop(task, &budget))
    return false;
  for (struct page_header *page = task->pages; page; page = page->next)
    if (frame_of(va_to_pa(page))->kind == FRAME_THREADS && !page_stop(page, &budget))
      return false;
  return true;
}

/* ---- The end of a task ------------------------------------------------------------------------------------------- */
static bool object_end(struct object *object) {
  if (object->type == OBJECT_IRQ)
    irq_destroy((struct irq *)object);
  return object->type != OBJECT_ENDPOINT || endpoint_destroy((struct endpoint *)object);
}

static bool objects_end(struct task *task) {
  unsigned budget = 6; /* each with its handles and its queue */
  for (struct page_header *page = task->pages; page; page = page->next) {
    if (frame_of(va_to_pa(page))->kind != FRAME_OBJECTS)
      continue;
    for (char *slot = (char *)page + 128; slot < (char *)page + Q_PAGE_SIZE; slot += 128) {
      struct object *object = (struct object *)slot;
      if (object->type == OBJECT_NONE)
        continue;
      if (!budget-- || !object_end(object))
        return false;
    }
  }
  return true;
}

static void handles_void(struct handle *first, unsigned count) {
  for (unsigned i = 1; i < count; i++)
    handle_void(&first[i]);
}

/* Its table: the handles in its own page, then a page a call. */
static bool handles_end(struct task *task) {
  handles_void(task->handles, INLINE_HANDLES);
  task->free_handle = 0;
  if (!task->handle_page_count)
    return true;
  handles_void((struct handle *)task->handle_pages[--task->handle_page_count], 128);
  return !task->handle_page_count;
}

static void task_unlink(struct task *task) {
  struct pager *pager = task->pager;
  ASSERT(!task->root && task->stopped);
  if (pager->revoke_task == task) {
    pager->revoke_task = task->next;
    pager->revoke_va = 0;
  }
  *(task->prev ? &task->prev->next : &pager->tasks) = task->next;
  if (task->next)
    task->next->prev = task->prev;
}

/* In an order that lets each step find what it needs. Handles to it go last: until then another holder can go on with
 * what one that died has begun. */
bool task_destroy(struct task *task) {
  task->object.dying = 1;
  if (!task_stop(task) || !objects_end(task) || !handles_end(task))
    return false;
  handle_void(&task->supervisor);
  if (task->received && !wait_sweep(task, NULL, &task->cursor))
    return false;
  if (task->root) {
    vm_destroy(task);
    return false;
  }
  if (!object_void_handles(&task->object))
    return false;
  if (!task->orphan) {
    task_unlink(task);
    kernel.info.tasks--;
    task->orphan = true;
  }
  return task->threads || task_free_pages(task);
}

/* ---- Pager objects ----------------------------------------------------------------------------------------------- */
struct pager *pager_create(struct pager *parent, int *error) {
  unsigned number = 1;
  while (number < PAGERS && pagers[number])
    number++;
  *error = number == PAGERS ? Q_E_FULL : Q_E_NOMEM;
  struct pager *pager = number < PAGERS ? page_alloc(parent, FRAME_PAGER) : NULL;
  if (!pager)
    return NULL;
  *pager = (struct pager){.object.type = OBJECT_PAGER, .endpoint.object.type = OBJECT_ENDPOINT};
  pager->number = (uint16_t)number;
  pagers[number] = pager;
  kernel.info.pagers++;
  kernel.info.endpoints++;
  return pager;
}

/* Only one that holds nothing can go: its frames and tasks would be nobody's. */
int pager_destroy(struct pager *pager, bool *done) {
  if (pager->owned || pager->donated || pager->tasks || pager->server)
    return Q_E_BUSY;
  pager->object.dying = 1;
  *done = object_void_handles(&pager->object) && endpoint_empty(&pager->endpoint);
  if (!*done)
    return 0;
  pagers[pager->number] = NULL;
  kernel.info.pagers--;
  kernel.info.endpoints--;
  page_free(pager);
  return 0;
}
