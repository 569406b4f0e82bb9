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

void handle_void(struct handle *handle) {
  if (handle->type == OBJECT_NONE)
    return;
  ASSERT(handle->object && kernel.info.handles);
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
static struct handle *handle_slot(struct task *task, unsigned slot) {
  if (slot < INLINE_HANDLES)
    return &task->handles[slot];
  unsigned page = (slot - INLINE_HANDLES) >> 7, index = (slot - INLINE_HANDLES) & 127;
  return page < task->handle_page_count && index ? (struct handle *)task->handle_pages[page] + index : NULL;
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

/* A page for objects of the task, as long as its quota lasts. */
static struct page_header *page_add(struct task *task, enum frame_kind kind) {
  if (!task->quota)
    return NULL;
  struct page_header *page = page_alloc(task->pager, kind);
  task->quota--;
  *page = (struct page_header){task, task->pages};
  task->pages = page;
  return page;
}

static int handle_page_add(struct task *task) {
  if (task->handle_page_count == HANDLE_PAGES)
    return Q_E_FULL;
  struct page_header *page = page_add(task, FRAME_HANDLES);
  if (!page)
    return Q_E_NOMEM;
  unsigned number = task->handle_page_count++;
  task->handle_pages[number] = page;
  for (unsigned i = 127; i; i--) {
    ((struct handle *)page)[i].next = task->free_handle;
    task->free_handle = (uint16_t)EXTRA_HANDLE(number, i);
  }
  return 0;
}

int handle_add(struct task *task, struct object *object, unsigned rights, uint64_t badge, q_handle *value) {
  int error = task->free_handle ? 0 : handle_page_add(task);
  if (error)
    return error;
  unsigned slot = task->free_handle;
  struct handle *handle = handle_slot(task, slot);
  task->free_handle = (uint16_t)handle->next;
  handle_bind(handle, object, rights, badge);
  *value = slot | (uint64_t)handle->generation << 16;
  return 0;
}

static unsigned handle_number(struct task *task, const struct handle *handle) {
  if (handle >= task->handles && handle < task->handles + INLINE_HANDLES)
    return (unsigned)(handle - task->handles);
  const struct page_header *page = (void *)((uint64_t)handle & ~(Q_PAGE_SIZE - 1ul));
  for (unsigned i = 0; i < task->handle_page_count; i++)
    if (task->handle_pages[i] == page)
      return (unsigned)EXTRA_HANDLE(i, (unsigned)(handle - (const struct handle *)page));
  return 0; /* embedded in an object: no slot of a table */
}

static void slot_release(struct task *task, struct handle *handle) {
  unsigned slot = handle_number(task, handle);
  handle_void(handle);
  if (!slot)
    return;
  handle->generation++;
  handle->next = task->free_handle;
  task->free_handle = (uint16_t)slot;
}

void handle_close(struct task *task, struct handle *handle) {
  struct object *object = handle->object;
  unsigned type = handle->type;
  slot_release(task, handle);
  if (object->handles || object->dying)
    return;
  /* Nobody can name it any more. A thread or a task lives on without a name. */
  if (type == OBJECT_IRQ)
    irq_destroy((struct irq *)object); /* at once, without a handle to it */
  else if (type == OBJECT_ENDPOINT && in_objects_page(object))
    endpoint_abandon((struct endpoint *)object);
}

struct task *object_task(const void *object) {
  struct page_header *page = (void *)((uint64_t)object & ~(Q_PAGE_SIZE - 1ul));
  return frame_of(va_to_pa(object))->kind == FRAME_TASK ? (struct task *)page : page->task;
}

struct handle *object_keep;
unsigned work_left;

bool object_void_handles(struct object *object) {
  for (;;) {
    struct handle *handle = handle_at(object->handles);
    if (handle && handle == object_keep)
      handle = handle_at(handle->next);
    if (!handle)
      return true;
    if (!work(100))
      return false;
    slot_release(object_task(handle), handle);
  }
}

void handle_forget(struct task *task, struct handle *handle) {
  static struct object gone;
  handle->object = &gone;
  handle->next = handle->prev = 0;
  slot_release(task, handle);
}

bool in_objects_page(const struct object *object) {
  const struct frame *frame = frame_of(va_to_pa(object));
  return frame && frame->kind == FRAME_OBJECTS;
}

/* ---- Slots for threads (1 KiB) and small objects (128 bytes) --------------------------------------------------------- */
static void *slot_in(char *page, unsigned size, unsigned type_offset) {
  for (char *slot = page + size; slot < page + Q_PAGE_SIZE; slot += size)
    if (((struct object *)(slot + type_offset))->type == OBJECT_NONE)
      return slot;
  return NULL;
}

void *slot_alloc(struct task *task, enum frame_kind kind) {
  bool thread = kind == FRAME_THREADS;
  unsigned size = thread ? 1024 : 128, offset = thread ? offsetof(struct thread, object) : 0;
  void *slot = thread ? slot_in((char *)task, size, offset) : NULL;
  for (struct page_header *page = task->pages; page && !slot; page = page->next)
    if (frame_of(va_to_pa(page))->kind == kind)
      slot = slot_in((char *)page, size, offset);
  if (slot)
    return slot;
  struct page_header *page = page_add(task, kind);
  return page ? (char *)page + size : NULL;
}
