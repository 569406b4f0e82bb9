/* SPDX-License-Identifier: BSD-2-Clause */
/* Tasks, threads and pager objects: how they begin and how they end. Ending is done in bounded steps, each of which
 * leaves a state from which the next call goes on; a function that returns false wants to be called again. */
#include "kernel.h"
#include "vm.h"

struct task *task_create(struct pager *pager, uint64_t badge, uint64_t quota) {
  if (pager->donated_free < pager->promised + quota + 2)
    return NULL;
  /* Decoded: there is a page for it and one for its page table. */
  struct task *task = page_alloc(pager, FRAME_TASK);
  task->header = (struct page_header){.task = task, .kind = FRAME_THREADS};
  task->object.type = OBJECT_TASK;
  task->pager = pager;
  task->faults = &pager->endpoint;
  task->received = task->called = no_handle;
  task->badge = badge;
  task->quota = task->granted = (uint16_t)quota;
  pager->promised += quota;
  task->inline_used = 1; /* the first is no handle */
  int error = vm_create(task);
  ASSERT(!error);
  task->next = pager->tasks;
  if (task->next)
    task->next->prev = task;
  pager->tasks = task;
  kernel.info.tasks++;
  return task;
}

bool task_grant(struct task *task, unsigned pages) {
  struct pager *pager = task->pager;
  if (pager->donated_free < pager->promised + pages)
    return false;
  task->quota = (uint16_t)(task->quota + pages);
  task->granted = (uint16_t)(task->granted + pages);
  pager->promised += pages;
  return true;
}

static void threads_count(struct task *task, int more) {
  task->threads = (uint16_t)(task->threads + more);
  task->plain = task->threads == 1 && task->faults ? task->faults : no_handle.endpoint;
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
  wait_init(thread, SLOT_CALL);
  wait_init(thread, SLOT_FAULT);
  threads_count(task, 1);
  kernel.info.threads++;
  return thread;
}

/* ---- The end of a thread ----------------------------------------------------------------------------------------- */
#define THREAD_WORK 600

/* A page of a task that is gone: freed, or left to the zombies in it. */
static void page_release(struct page_header *page) {
  bool zombies = false;
  for (unsigned slot = 1; slot < 4; slot++) {
    struct thread *thread = page_thread(page, slot);
    if (!thread)
      continue;
    ASSERT(thread->state == THREAD_ZOMBIE);
    if (thread->task)
      threads_count(thread->task, -1);
    thread->task = NULL;
    zombies = true;
  }
  if (!zombies)
    page_free(page);
}

/* A fast path trusts what is remembered there. */
static void delivered_forget(const struct thread *thread) {
  if ((uint64_t)(thread->hart->delivered - thread->wait) < 2)
    thread->hart->delivered = &nothing_delivered;
}

static void slot_clear(struct thread *thread) {
  struct task *task = thread->task;
  if (thread == current) { /* it ends itself: the kernel goes on as nobody */
    struct hart *hart = this_hart();
    set_current(hart, &hart->idle);
    hart->resched |= RESCHED_HIGHER; /* no way out leads back to it */
  }
  ASSERT(!thread->link.list);
  delivered_forget(thread);
  memset(thread, 0, sizeof *thread);
  if (task)
    threads_count(task, -1);
  else
    page_release((void *)((uint64_t)thread & ~(Q_PAGE_SIZE - 1ul)));
}

void thread_forget(struct thread *thread) {
  if (thread->state == THREAD_ZOMBIE) /* else whoever ends it goes on with that */
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

/* It runs no more, no answer that is still out can wake it, and nobody can name it to start it again. */
static void thread_halt(struct thread *thread) {
  struct wait *call = &thread->wait[SLOT_CALL];
  leave_queues(thread);
  thread->state = THREAD_NEW;
  thread->object.dying = 1;
  fp_forget(thread);
  wait_cancel(&thread->wait[SLOT_FAULT]);
  uint64_t token = MAX(call->token, thread->wait[SLOT_FAULT].token);
  kernel.sequence_epoch = MAX(kernel.sequence_epoch, token >> kernel.token_shift);
  kernel.info.threads--;
  if (call->copying || (call->state == WAIT_HELD && call->link.list))
    copy_orphaned(thread);
  else
    wait_cancel(call);
}

/* One that ends itself runs on until its handles are void: it has to come back for the next round. */
bool thread_end(struct thread *thread) {
  if (thread_evict(thread))
    return false;
  if (thread != current && !thread->object.dying)
    thread_halt(thread);
  if (!object_void_handles(&thread->object))
    return false;
  if (!thread->object.dying)
    thread_halt(thread);
  if (thread->wait[SLOT_CALL].state == WAIT_NONE)
    slot_clear(thread);
  else
    thread->state = THREAD_ZOMBIE; /* until its server has been told */
  return true;
}

static bool page_stop(struct page_header *page) {
  for (unsigned slot = 1; slot < 4; slot++) {
    struct thread *thread = page_thread(page, slot);
    if (!thread || thread->state == THREAD_ZOMBIE || thread == current)
      continue;
    if (!work(THREAD_WORK) || !thread_end(thread))
      return false;
  }
  return true;
}

bool task_stop(struct task *task) {
  task->stopped = true;
  for (struct page_header *page = &task->header; page; page = page->next)
    if (!page_stop(page))
      return false;
  return current->task != task || thread_end(current); /* last, since it is who comes back for the next round */
}

/* ---- The end of a task ------------------------------------------------------------------------------------------- */
static void handles_void(struct handle *first, unsigned count) {
  for (unsigned i = 1; i < count; i++)
    handle_void(&first[i]);
}

/* What lies in one page of a task without threads. */
static bool page_end(struct page_header *page) {
  if (page->kind == FRAME_HANDLES) {
    if (!work(127 * 50))
      return false;
    handles_void((struct handle *)page, 128);
  }
  for (char *slot = (char *)page + 128; page->kind == FRAME_OBJECTS && slot < (char *)page + Q_PAGE_SIZE;
       slot += 128) {
    struct object *object = (struct object *)slot;
    if (object->type != OBJECT_NONE && !(work(200) && object_destroy(object)))
      return false;
  }
  return true;
}

static bool pages_end(struct task *task) {
  task->free_handle = task->handle_page_count = 0; /* its table is no more: nobody adds to it */
  handles_void(task->handles, task->inline_used);
  for (struct page_header *page; (page = task->header.next);) {
    if (!page_end(page) || !work(PAGE_WORK))
      return false;
    task->header.next = page->next;
    page_release(page);
  }
  return true;
}

static void task_unlink(struct task *task) {
  struct pager *pager = task->pager;
  ASSERT(!task->root && task->stopped);
  if (pager->revoke_task == task) {
    pager->revoke_task = task->next;
    pager->revoke_va = 0;
  }
  pager->promised -= task->quota;
  *(task->prev ? &task->prev->next : &pager->tasks) = task->next;
  if (task->next)
    task->next->prev = task->prev;
}

/* In an order that lets each step find what it needs. Handles to it go last: until then another holder can go on with
 * what one that died has begun. */
static bool task_destroy(struct task *task) {
  task->object.dying = 1;
  if (!task_stop(task) || !pages_end(task))
    return false;
  handle_void(&task->supervisor);
  if (task->serves && !wait_sweep(task, NULL, &task->cursor))
    return false;
  if (task->root && !(work(WORK / 2) && vm_destroy(task)))
    return false;
  if (!object_void_handles(&task->object))
    return false;
  task_unlink(task);
  kernel.info.tasks--;
  page_release(&task->header);
  return true;
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
  pager->fresh = frame_fresh(pager->number);
  pagers[number] = pager;
  kernel.info.pagers++;
  kernel.info.endpoints++;
  return pager;
}

static bool pager_destroy(struct pager *pager) {
  pager->object.dying = 1;
  if (!endpoint_empty(&pager->endpoint) || !object_void_handles(&pager->object))
    return false;
  pagers[pager->number] = NULL;
  kernel.info.pagers--;
  kernel.info.endpoints--;
  page_free(pager);
  return true;
}

/* ---- The end of any object --------------------------------------------------------------------------------------- */
bool object_busy(const struct object *object) {
  const struct pager *pager = (const struct pager *)object;
  if (object->type == OBJECT_PAGER) /* its frames and tasks would be nobody's */
    return pager->owned || pager->donated || pager->tasks || pager->server;
  if (object->type == OBJECT_ENDPOINT)
    return !in_objects_page(object);       /* a pager object's own: goes with it */
  return object == &current->task->object; /* it may stop itself; its pager clears up */
}

bool object_destroy(struct object *object) {
  switch (object->type) {
  case OBJECT_TASK:
    return task_destroy(container_of(object, struct task, object));
  case OBJECT_THREAD:
    return thread_end(container_of(object, struct thread, object));
  case OBJECT_ENDPOINT:
    return endpoint_destroy((struct endpoint *)object);
  case OBJECT_IRQ:
    return irq_destroy((struct irq *)object);
  default:
    ASSERT(object->type == OBJECT_PAGER);
    return pager_destroy((struct pager *)object);
  }
}

void object_undo(struct object *object) {
  do /* it is new and empty: one round or two */
    work_left = WORK;
  while (!object_destroy(object));
}
