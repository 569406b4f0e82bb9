/* SPDX-License-Identifier: BSD-2-Clause */
/* Handles, and slots for objects in a task's pages. Knows nothing of what the objects do. */
#include "kernel.h"

/* ---- The list of all handles to an object, by 32-bit references so that a handle stays 32 bytes --------------------- */
static uint32_t handle_ref(const struct handle *handle) {
  return handle ? (uint32_t)((va_to_pa(handle) - kernel.ram_base) / sizeof *handle) : 0;
}

static struct handle *handle_at(uint32_t ref) {
  return ref ? pa_to_va(kernel.ram_base + (uint64_t)ref * sizeof(struct handle)) : NULL;
}

void handle_bind(struct handle *handle, struct object *object, unsigned rights, uint64_t badge) {
  ASSERT(handle->type == OBJECT_NONE && object->type != OBJECT_NONE);
  handle->object = object;
  handle->badge = badge;
  handle->type = object->type;
  handle->rights = (uint8_t)rights;
  handle->prev = 0;
  handle->next = object->handles;
  if (handle->next)
    handle_at(handle->next)->prev = handle_ref(handle);
  object->handles = handle_ref(handle);
  kernel.info.handles++;
}

/* Whoever names the value that stands for none meets an endpoint where nobody may wait or receive. */
static struct endpoint nowhere = {.object = {.type = OBJECT_ENDPOINT, .dying = 1}, .attention = 1};
const struct last_handle no_handle = {~0ul, &nowhere, 0};

static void last_handles_forget(struct task *task, const struct object *object) {
  if (task && (struct object *)task->received.endpoint == object)
    task->received = no_handle;
  if (task && (struct object *)task->called.endpoint == object)
    task->called = no_handle;
}

void handle_void(struct handle *handle) {
  if (handle->type == OBJECT_NONE)
    return;
  ASSERT(handle->object && kernel.info.handles);
  last_handles_forget(object_task(handle), handle->object);
  if (handle->next)
    handle_at(handle->next)->prev = handle->prev;
  if (handle->prev)
    handle_at(handle->prev)->next = handle->next;
  else
    handle->object->handles = handle->next;
  handle->type = OBJECT_NONE;
  handle->next = 0;
  handle->object = NULL;
  kernel.info.handles--;
}

/* ---- A task's table: some slots in the task itself, then pages of 127 ----------------------------------------------- */
struct page_header **handle_page(struct task *task, unsigned page) {
  return page < HANDLE_PAGES ? &task->handle_pages[page] : &task->index[page];
}

static struct handle *handle_slot(struct task *task, unsigned slot) {
  if (slot < INLINE_HANDLES)
    return &task->handles[slot];
  unsigned page = (slot - INLINE_HANDLES) >> 7, index = (slot - INLINE_HANDLES) & 127;
  return page < task->handle_page_count && index ? (struct handle *)*handle_page(task, page) + index : NULL;
}

struct handle *handle_find(struct task *task, q_handle value) {
  struct handle *handle = handle_slot(task, value & 0xffff);
  return handle && handle->type != OBJECT_NONE && handle->generation == value >> 16 ? handle : NULL;
}

struct handle *handle_check(q_handle value, enum object_type type, unsigned rights, int *error) {
  struct handle *handle = handle_find(current->task, value);
  *error = !handle || handle->object->dying      ? Q_E_HANDLE
           : handle->type != type                ? Q_E_TYPE
           : (handle->rights & rights) != rights ? Q_E_RIGHTS
                                                 : 0;
  return *error ? NULL : handle;
}

/* Makes slots of the table free: those behind the first, which is no handle. Its number is `number`. */
void handles_free(struct task *task, struct handle *first, unsigned count, unsigned number) {
  for (unsigned i = count - 1; i; i--) {
    first[i].slot = (uint16_t)(number + i);
    first[i].next = task->free_handle;
    task->free_handle = first[i].slot;
  }
}

/* A page for objects of the task, as long as its quota lasts. */
static struct page_header *page_add(struct task *task, enum frame_kind kind) {
  if (!task->quota)
    return NULL;
  struct page_header *page = page_alloc(task->pager, kind);
  task->quota--;
  *page = (struct page_header){task, task->header.next, kind};
  task->header.next = page;
  return page;
}

/* The table of a task that serves its own pager object is not held to the quota: it gets what nobody else was promised. */
static bool table_quota(struct task *task, unsigned pages) {
  struct pager *pager = task->pager;
  for (unsigned i = 0; i < pages && task->window == pager && pager->promised < pager->donated_free; i++)
    task->quota++, pager->promised++;
  return task->quota >= pages;
}

static void inline_slot_add(struct task *task) {
  task->handles[task->inline_used].slot = task->inline_used;
  task->free_handle = task->inline_used++;
}

static int handle_page_add(struct task *task) {
  unsigned number = task->handle_page_count;
  bool indexed = number < HANDLE_PAGES || task->index;
  if (number == HANDLE_PAGES_MAX)
    return Q_E_FULL;
  if (!table_quota(task, indexed ? 1 : 2))
    return Q_E_NOMEM;
  if (!indexed)
    task->index = (struct page_header **)page_add(task, FRAME_INDEX);
  struct page_header *page = page_add(task, FRAME_HANDLES);
  handles_free(task, (struct handle *)page, 128, INLINE_HANDLES + 128u * number);
  *handle_page(task, number) = page;
  task->handle_page_count++;
  return 0;
}

int handle_add(struct task *task, struct object *object, unsigned rights, uint64_t badge, q_handle *value) {
  int error = 0;
  if (!task->free_handle && task->inline_used < INLINE_HANDLES)
    inline_slot_add(task);
  else if (!task->free_handle)
    error = handle_page_add(task);
  if (error)
    return error;
  unsigned slot = task->free_handle;
  struct handle *handle = handle_slot(task, slot);
  task->free_handle = (uint16_t)handle->next;
  handle_bind(handle, object, rights, badge);
  *value = slot | (uint64_t)handle->generation << 16;
  return 0;
}

struct task *object_task(const void *object) {
  return ((struct page_header *)((uint64_t)object & ~(Q_PAGE_SIZE - 1ul)))->task;
}

static void slot_release(struct handle *handle) {
  struct task *task = object_task(handle);
  handle_void(handle);
  if (!handle->slot)
    return;
  handle->generation++;
  handle->next = task->free_handle;
  task->free_handle = handle->slot;
}

void handle_close(struct handle *handle) {
  struct object *object = handle->object;
  slot_release(handle);
  if (object->handles || object->dying)
    return;
  /* Nobody can name it any more. A thread or a task lives on without a name. */
  if (object->type == OBJECT_IRQ)
    irq_destroy((struct irq *)object); /* at once, without a handle to it */
  else if (object->type == OBJECT_ENDPOINT && in_objects_page(object))
    endpoint_abandon((struct endpoint *)object);
}

struct handle *object_last;
unsigned work_left;

bool object_void_handles(struct object *object) {
  for (struct handle *handle; (handle = handle_at(object->handles));) {
    if (handle == object_last && handle->next)
      handle = handle_at(handle->next);
    if (!work(100))
      return false;
    slot_release(handle);
  }
  return true;
}

bool in_objects_page(const struct object *object) {
  const struct frame *frame = frame_of(va_to_pa(object));
  return frame && frame->kind == FRAME_OBJECTS;
}

/* ---- Slots for threads (1 KiB) and small objects (128 bytes) --------------------------------------------------------- */
void *slot_alloc(struct task *task, enum frame_kind kind) {
  bool thread = kind == FRAME_THREADS;
  unsigned size = thread ? 1024 : 128, offset = thread ? offsetof(struct thread, object) : 0;
  struct page_header *page = &task->header;
  for (; page; page = page->next)
    for (char *slot = (char *)page + size; page->kind == kind && slot < (char *)page + Q_PAGE_SIZE; slot += size)
      if (((struct object *)(slot + offset))->type == OBJECT_NONE)
        return slot;
  page = page_add(task, kind);
  return page ? (char *)page + size : NULL;
}
