/* SPDX-License-Identifier: BSD-2-Clause */
/* The system calls but for messages (ipc.c): each validates its arguments, then acts. And what a trap does first. A call
 * that has more to do than fits one entry restarts: it leaves the thread at its ecall. */
#include "kernel.h"
#include "vm.h"

typedef uint64_t word;
struct ret sys_reply_recv(word a0, word label, word w0, word w1, word w2, word w3, word token);
struct ret sys_call(word a0, word label);
struct ret sys_copy(word token, word direction, word offset, word own, word bytes, word done, word other_offset);
struct ret sys_notify(word a0, word bits);
struct object machine = {.type = OBJECT_MACHINE};

/* ---- Leaving a call ---------------------------------------------------------------------------------------------- */
_Noreturn void restart(void) {
  struct hart *hart = this_hart();
  if (current == &hart->idle) /* the thread that was current has ended */
    schedule();
  if (!hart->resched)
    resume();
  preempt();
}

_Noreturn void finish(int64_t a0, word a1, word a2, word a3) {
  thread_result(current, a0, a1);
  current->x[REG_A2] = a2;
  current->x[REG_A3] = a3;
  restart();
}

/* The next three are called by trap.S. */
_Noreturn void syscall_preempted(int64_t a0, word a1) {
  finish(a0, a1, 0, 0);
}

struct ret syscall_unknown(void) {
  return fail(Q_E_CALL);
}

_Noreturn void trap_other(word cause, word value) {
  if (cause == SCAUSE_TIMER) {
    timer_interrupt();
  } else if (cause == SCAUSE_SOFTWARE) {
    software_interrupt();
  } else if (cause == SCAUSE_EXTERNAL) {
    plic_interrupt();
  } else if (cause == SCAUSE_LOAD || cause == SCAUSE_STORE || cause == SCAUSE_FETCH) {
    unsigned kind = cause == SCAUSE_LOAD ? Q_FAULT_READ : cause == SCAUSE_STORE ? Q_FAULT_WRITE : Q_FAULT_EXECUTE;
    if (vm_fault(current->task, value, kind) != VM_SPURIOUS)
      fault_program(value, kind);
    kernel.info.spurious++;
  } else if (cause != SCAUSE_ILLEGAL || !fp_switch()) {
    exception_self(cause, value, 0);
  }
  restart();
}

/* ---- Memory: on a task that the pager pages, and on pages of the user's half --------------------------------------- */
static struct task *paged_task(q_handle value, const struct object *pager, int *error) {
  const struct handle *handle = handle_check(value, OBJECT_TASK, 0, error);
  struct task *task = handle ? container_of(handle->object, struct task, object) : NULL;
  if (task && &task->pager->object != pager)
    *error = Q_E_OWNER;
  return *error ? NULL : task;
}

static struct ret memory_map(struct task *task, uva_t va, word frame_prot, word pages, word expected) {
  struct mapping mapping = {va, frame_prot, pages, expected, ~0ul};
  return fail(vm_map(task, &mapping));
}

static struct ret memory_unmap(struct task *task, uva_t va, word pages, uva_t array, word entries) {
  if (!entries)
    return pages == 1 ? ok(vm_unmap_page(task, va)) : fail(Q_E_ARG);
  struct range range = {va, va + pages * Q_PAGE_SIZE, 0, 0};
  int error = vm_unmap(task, &range, array, entries & ~Q_UNMAP_LAST, entries & Q_UNMAP_LAST);
  if (error)
    return fail(error);
  thread_result(current, 0, range.written);
  current->x[REG_A2] = range.va;
  current->x[REG_A3] = (range.end - range.va) >> Q_PAGE_SHIFT;
  current->x[REG_A4] = range.removed;
  restart();
}

static struct ret memory_protect(struct task *task, uva_t va, word pages, word prot, q_handle with) {
  struct range range = {va, va + pages * Q_PAGE_SIZE, 0, 0};
  int error = prot > Q_PROT_MASK ? Q_E_ARG : 0;
  struct task *to = with && !error ? paged_task(with, &task->pager->object, &error) : NULL;
  if (!error)
    error = vm_protect(task, to, &range, (unsigned)prot);
  if (error || range.va == range.end)
    return fail(error);
  current->x[REG_A2] = range.va;
  current->x[REG_A3] = (range.end - range.va) >> Q_PAGE_SHIFT;
  restart();
}

static struct ret memory_harvest(struct task *task, uva_t va, word pages, word clear) {
  word out[3] = {0};
  if (pages > 64 || clear > 3)
    return fail(Q_E_ARG);
  vm_harvest(task, va, pages, clear, out);
  finish(0, out[0], out[1], out[2]);
}

/* ---- New objects and handles ------------------------------------------------------------------------------------- */
static struct ret handle_new(struct task *task, struct object *object, unsigned rights, word badge) {
  q_handle value = 0;
  int error = handle_add(task, object, rights, badge, &value);
  return error ? fail(error) : ok(value);
}

/* The caller's handle to an object that it has created. If there is no room for it, the object goes again. */
static struct ret hand_over(struct object *object) {
  struct ret handle = handle_new(current->task, object, Q_RIGHT_ALL, 0);
  if (handle.a0)
    object_undo(object);
  return handle;
}

/* ---- Tasks ------------------------------------------------------------------------------------------------------- */
#define QUOTA_MAX 64 /* bounds the searches for a free slot */

static struct ret task_op_create(struct pager *pager, word badge, word quota) {
  if (quota > QUOTA_MAX)
    return fail(Q_E_ARG);
  struct task *task = task_create(pager, badge, quota);
  return task ? hand_over(&task->object) : fail(Q_E_NOMEM);
}

static struct ret task_op_quota(struct pager *pager, const struct handle *to, word pages) {
  struct task *task = container_of(to->object, struct task, object);
  if (task->pager != pager)
    return fail(Q_E_OWNER);
  if (pages > QUOTA_MAX - (word)task->granted)
    return fail(Q_E_ARG);
  return task_grant(task, (unsigned)pages) ? ok(0) : fail(Q_E_NOMEM);
}

static struct ret task_op_stop(struct task *task) {
  if (!task_stop(task))
    restart();
  return ok(0);
}

static struct ret task_op_give(struct task *to, const struct handle *from, word rights, word badge) {
  if (!(from->rights & Q_RIGHT_DUP) || from->object->dying)
    return fail(Q_E_RIGHTS);
  return handle_new(to, from->object, (unsigned)(from->rights & rights), from->badge ? from->badge : badge);
}

static struct ret task_op_supervise(struct task *task, const struct handle *to, word badge) {
  handle_void(&task->supervisor);
  handle_bind(&task->supervisor, to->object, Q_RIGHT_SEND, to->badge ? to->badge : badge);
  return ok(0);
}

/* ---- Threads ----------------------------------------------------------------------------------------------------- */
static struct ret thread_op_start(struct thread *thread, word pc, word sp, word argument) {
  if (pc & 1)
    return fail(Q_E_ARG);
  if (thread->task->stopped)
    return fail(Q_E_DEAD);
  if (thread->state != THREAD_NEW)
    return fail(Q_E_BUSY);
  thread->evicted = false; /* whoever wanted it stopped may be gone; who ends it tells its hart once more */
  if (pc) {
    thread->x[REG_PC] = pc;
    thread->x[REG_SP] = sp;
    thread->x[REG_A0] = argument;
  }
  thread_ready(thread);
  return ok(0);
}

/* What it did when its hart was told to leave it may have been a call, in which it waits now. */
static struct ret thread_op_stop(struct thread *thread) {
  if (thread == current)
    return fail(Q_E_ARG);
  if (thread_evict(thread))
    restart();
  thread->evicted = false;
  if (thread->state == THREAD_READY) {
    thread_unready(thread);
    thread->state = THREAD_NEW;
  }
  return thread->state == THREAD_NEW ? ok(0) : fail(Q_E_BUSY);
}

static struct ret thread_op_create(struct task *task, word priority, word pc, word sp, word argument) {
  if (priority > current->priority || pc & 1)
    return fail(Q_E_ARG);
  if (task->stopped)
    return fail(Q_E_DEAD);
  struct thread *thread = thread_create(task, (unsigned)priority);
  if (!thread)
    return fail(Q_E_NOMEM);
  return pc ? thread_op_start(thread, pc, sp, argument) : hand_over(&thread->object);
}

static struct ret thread_op_priority(struct thread *thread, word priority) {
  if (priority > current->priority)
    return fail(Q_E_ARG);
  struct hart *hart = thread->hart;
  bool queued = thread->state == THREAD_READY && thread->link.list;
  if (queued)
    thread_unready(thread);
  thread->priority = (uint8_t)priority;
  if (queued)
    thread_ready(thread);
  else if (thread == hart->current && hart->ready_mask >> priority >> 1)
    hart->resched |= RESCHED_HIGHER;
  timer_arm(this_hart()); /* it may have equals now, and its slice be over */
  hart_kick(hart);        /* the same there */
  return ok(0);
}

/* ---- Pager objects ----------------------------------------------------------------------------------------------- */
static struct ret pager_op_create(struct pager *parent) {
  int error;
  struct pager *pager = pager_create(parent, &error);
  struct ret handle = pager ? hand_over(&pager->object) : fail(error);
  if (handle.a0)
    return handle;
  struct ret endpoint = handle_new(current->task, &pager->endpoint.object, Q_RIGHT_ALL, 0);
  if (!endpoint.a0)
    finish(0, handle.a1, endpoint.a1, 0);
  object_undo(&pager->object);
  return endpoint;
}

static struct ret pager_op_window(struct pager *pager, const struct handle *handle) {
  struct task *task = container_of(handle->object, struct task, object);
  if ((pager->server && pager->server != task) || (task->window && task->window != pager) || task->pager == pager)
    return fail(Q_E_BUSY);
  bool done = false;
  int error = vm_window(pager, task, &done);
  if (!error && !done)
    restart();
  return fail(error);
}

static struct ret pager_op_donate(struct pager *pager, pa_t block) {
  return fail(block_donate(pager, block));
}

static struct ret pager_op_reclaim(struct pager *pager) {
  pa_t block = 0;
  int error = block_reclaim(pager, &block);
  return error ? fail(error) : ok(block);
}

static struct ret pager_op_grant(struct pager *from, q_handle to, pa_t block) {
  if (!block_owned(from, block))
    return fail(Q_E_OWNER);
  int error;
  const struct handle *receiver = handle_check(to, OBJECT_PAGER, Q_RIGHT_CREATE, &error);
  if (!receiver) { /* it may have gone between two rounds */
    block_keep(from, block);
    return fail(error);
  }
  if (!block_revoke(from, block))
    restart();
  return fail(block_move(from, (struct pager *)receiver->object, block));
}

/* ---- Handles and small objects ------------------------------------------------------------------------------------ */
static struct ret handle_op_dup(const struct handle *from, word rights, word badge) {
  return task_op_give(current->task, from, rights, badge);
}

static struct ret handle_op_close(struct handle *handle) {
  handle_close(handle);
  return ok(0);
}

static struct ret handle_op_destroy(struct handle *handle) {
  if (handle->type == OBJECT_MACHINE || !(handle->rights & Q_RIGHT_MANAGE))
    return fail(handle->type == OBJECT_MACHINE ? Q_E_TYPE : Q_E_RIGHTS);
  if (object_busy(handle->object))
    return fail(Q_E_BUSY);
  object_last = handle;
  bool done = object_destroy(handle->object);
  object_last = NULL;
  if (!done)
    restart();
  return ok(0);
}

/* Whom the thread waits for: the badge of the task that holds its message. */
static word waits_for(const struct thread *thread) {
  const struct wait *wait = &thread->wait[thread->state == THREAD_FAULT ? SLOT_FAULT : SLOT_CALL];
  return wait->state == WAIT_HELD ? wait->server->badge : wait->state == WAIT_SENT ? ~0ul : 0;
}

static _Noreturn void task_info(struct task *task) {
  const struct thread *thread = NULL;
  for (unsigned slot = 1; slot < 4 && !thread; slot++)
    thread = page_thread(&task->header, slot);
  finish(0, task->threads, thread ? thread->state : THREAD_FREE, thread ? waits_for(thread) : 0);
}

static struct ret handle_op_info(const struct handle *handle) {
  if (handle->object->dying)
    return fail(Q_E_HANDLE);
  if (handle->type == OBJECT_TASK)
    task_info(container_of(handle->object, struct task, object));
  if (handle->type != OBJECT_PAGER)
    return fail(Q_E_TYPE);
  const struct pager *pager = (const struct pager *)handle->object;
  finish(0, pager->owned, pager->donated, pager->donated_free);
}

static struct ret object_op_endpoint(void) {
  struct endpoint *endpoint = slot_alloc(current->task, FRAME_OBJECTS);
  if (!endpoint)
    return fail(Q_E_NOMEM);
  endpoint->object.type = OBJECT_ENDPOINT;
  kernel.info.endpoints++;
  return hand_over(&endpoint->object);
}

static struct ret object_op_irq(UNUSED struct object *machine, word source, const struct handle *endpoint,
                                word bits) {
  struct irq *irq = slot_alloc(current->task, FRAME_OBJECTS);
  int error = irq ? irq_bind(irq, source) : Q_E_NOMEM;
  if (error)
    return fail(error); /* the slot must be as it was: all zero */
  irq->bits = bits & endpoint->badge;
  struct ret handle = hand_over(&irq->object);
  if (handle.a0)
    return handle;
  handle_bind(&irq->endpoint, endpoint->object, Q_RIGHT_NOTIFY, endpoint->badge);
  irq_ack(irq);
  return handle;
}

/* ---- Time and the machine ----------------------------------------------------------------------------------------- */
static struct ret sys_sleep(word until) {
  if (until && until <= csr_read(time))
    return ok(0);
  if (until) {
    sleep_until(current, until);
  } else {
    thread_result(current, 0, 0);
    thread_ready(current);
  }
  schedule();
}

#define CONSOLE_CHUNK 40 /* the firmware takes some 350 instructions a character */
#define LOG_CHUNK 1024

static struct ret machine_op_write(UNUSED struct object *machine, uva_t text, word bytes) {
  if (!bytes)
    return ok(0);
  bool log = log_taken();
  if (!log && log_flush(CONSOLE_CHUNK)) /* what its last holder left comes first, bit by bit */
    restart();
  word n = MIN(MIN(bytes, log ? LOG_CHUNK : CONSOLE_CHUNK), Q_PAGE_SIZE - text % Q_PAGE_SIZE);
  const char *from = vm_resolve(current->task, text, Q_FAULT_READ);
  if (!from)
    return fault_self(text, Q_FAULT_READ);
  if (!log)
    console_write(from, n);
  else if (log_write(from, n))
    log_interrupt();
  else
    return (struct ret){-Q_E_FULL, bytes};
  if (n == bytes)
    return ok(0);
  current->x[REG_A2] = text + n;
  current->x[REG_A3] = bytes - n;
  restart();
}

static struct ret machine_op_log(UNUSED struct object *machine, uva_t out, word bytes) {
  char *to = vm_resolve(current->task, out, Q_FAULT_WRITE);
  if (!to)
    return fault_self(out, Q_FAULT_WRITE);
  return ok(log_read(to, MIN(MIN(bytes, LOG_CHUNK), Q_PAGE_SIZE - out % Q_PAGE_SIZE)));
}

static _Noreturn void machine_op_off(UNUSED struct object *machine, word status) {
  if (kernel.info.irq_off_max)
    print("quire: interrupts were off for at most %ld instructions\n", kernel.info.irq_off_max);
  print("quire: off, status %ld\n", status);
  machine_off(status != 0);
}

static struct ret machine_op_info(UNUSED struct object *machine, uva_t out) {
  if (out % 8 || out % Q_PAGE_SIZE + sizeof(struct q_info) > Q_PAGE_SIZE)
    return fail(Q_E_ARG); /* one page, so that the report is of one moment */
  struct q_info *info = vm_resolve(current->task, out, Q_FAULT_WRITE);
  if (!info)
    return fault_self(out, Q_FAULT_WRITE);
  check_state();
  *info = kernel.info;
  EACH_HART (hart) {
    info->harts += hart->online;
    info->contended += hart->contended;
    info->exclusive += hart->exclusive;
    info->kicks += hart->kicks;
    info->shootdowns += hart->shootdowns;
    info->moves += hart->moves;
  }
  for (unsigned i = 1; i < PAGERS; i++)
    if (pagers[i]) {
      info->owned_frames += pagers[i]->owned;
      info->donated_pages += pagers[i]->donated;
      info->donated_free += pagers[i]->donated_free;
    }
  return ok(0);
}

/* ---- The tables: one row a call, one an operation ------------------------------------------------------------------ */
/* What stands in a0 and a2 to a5, with handles replaced: by the object, where a row names the type that a0 must be of,
 * and by a pointer to the handle elsewhere. */
typedef struct ret (*action)(void *first, word a2, word a3, word a4, word a5);
#define ACTION(function) (action)(void *) function

static const struct operation {
  action act;
  uint8_t type, rights;                   /* of the handle in a0, if it takes one */
  uint8_t place, place_type, place_right; /* of another handle, in a2 or a3 */
} operations[Q_SYS_COUNT][5] = {
#define ROW(call, name, ...) [Q_SYS_##call][Q_##call##_##name] = {ACTION(call##_op_##name), __VA_ARGS__}
    ROW(task, create, OBJECT_PAGER, Q_RIGHT_CREATE),
    ROW(task, stop, OBJECT_TASK, Q_RIGHT_MANAGE),
    ROW(task, give, OBJECT_TASK, Q_RIGHT_MANAGE, 2, OBJECT_ANY),
    ROW(task, supervise, OBJECT_TASK, Q_RIGHT_MANAGE, 2, OBJECT_ENDPOINT, Q_RIGHT_SEND),
    ROW(task, quota, OBJECT_PAGER, Q_RIGHT_CREATE, 2, OBJECT_TASK, Q_RIGHT_MANAGE),
    ROW(thread, create, OBJECT_TASK, Q_RIGHT_THREAD),
    ROW(thread, start, OBJECT_THREAD, Q_RIGHT_MANAGE),
    ROW(thread, priority, OBJECT_THREAD, Q_RIGHT_MANAGE),
    ROW(thread, stop, OBJECT_THREAD, Q_RIGHT_MANAGE),
    ROW(pager, create, OBJECT_PAGER, Q_RIGHT_CREATE),
    ROW(pager, window, OBJECT_PAGER, Q_RIGHT_MAP, 2, OBJECT_TASK, Q_RIGHT_MANAGE),
    ROW(pager, donate, OBJECT_PAGER, Q_RIGHT_MAP),
    ROW(pager, reclaim, OBJECT_PAGER, Q_RIGHT_MAP),
    ROW(pager, grant, OBJECT_PAGER, Q_RIGHT_MAP),
    ROW(handle, dup, OBJECT_ANY),
    ROW(handle, close, OBJECT_ANY),
    ROW(handle, destroy, OBJECT_ANY),
    ROW(handle, info, OBJECT_ANY),
    ROW(object, endpoint, OBJECT_NONE),
    ROW(object, irq, OBJECT_MACHINE, Q_RIGHT_IRQ, 3, OBJECT_ENDPOINT, Q_RIGHT_NOTIFY),
    ROW(machine, write, OBJECT_MACHINE, Q_RIGHT_DEBUG),
    ROW(machine, off, OBJECT_MACHINE, Q_RIGHT_POWER),
    ROW(machine, info, OBJECT_MACHINE, Q_RIGHT_DEBUG),
    ROW(machine, log, OBJECT_MACHINE, Q_RIGHT_IRQ),
#undef ROW
};

/* The handle, or NULL: *error says why. */
static struct handle *needed(q_handle value, enum object_type type, unsigned rights, int *error) {
  if (type != OBJECT_ANY)
    return handle_check(value, type, rights, error);
  *error = Q_E_HANDLE;
  return handle_find(current->task, value);
}

static void *object_of(const struct handle *handle) {
  if (!handle)
    return NULL;
  if (handle->type == OBJECT_TASK)
    return container_of(handle->object, struct task, object);
  if (handle->type == OBJECT_THREAD)
    return container_of(handle->object, struct thread, object);
  return handle->object;
}

/* Handles are replaced by what they name: decoding; the operation checks its other arguments. */
static struct ret sys_operation(word a0, word a1, word a2, word a3, word a4, word a5, UNUSED word a6, word call) {
  if (a1 >= sizeof *operations / sizeof **operations || !operations[call][a1].act)
    return fail(Q_E_CALL);
  const struct operation *o = &operations[call][a1];
  int error;
  struct handle *handle = o->type == OBJECT_NONE ? NULL : needed(a0, o->type, o->rights, &error);
  if (o->type != OBJECT_NONE && !handle)
    return fail(error);
  word *place = o->place == 2 ? &a2 : &a3;
  if (o->place) {
    struct handle *other = needed(*place, o->place_type, o->place_right, &error);
    if (!other)
      return fail(error);
    *place = (word)other;
  }
  work_left = WORK;
  return o->act(o->type == OBJECT_ANY ? handle : object_of(handle), a2, a3, a4, a5);
}

static __attribute__((noinline)) struct ret memory_task(q_handle of, q_handle task) {
  int error;
  const struct handle *pager = handle_check(of, OBJECT_PAGER, Q_RIGHT_MAP, &error);
  word found = pager ? (word)paged_task(task, pager->object, &error) : 0;
  return found ? ok(found) : fail(error);
}

static struct ret sys_memory(word a0, word a1, word a2, word a3, word a4, word a5, UNUSED word a6, word call) {
  static const action table[] = {ACTION(memory_map), ACTION(memory_unmap), ACTION(memory_protect),
                                 ACTION(memory_harvest)};
  struct ret task = memory_task(a0, a1);
  if (task.a0)
    return task;
  if (call != Q_SYS_map && (a2 % Q_PAGE_SIZE || a2 > Q_USER_TOP || a3 > (Q_USER_TOP - a2) >> Q_PAGE_SHIFT))
    return fail(Q_E_ARG);
  return table[call - Q_SYS_map]((void *)task.a1, a2, a3, a4, a5);
}

static struct ret sys_null(void) {
  return ok(0);
}

const void *const syscall_table[Q_SYS_COUNT] = {
    [Q_SYS_null] = sys_null,
    [Q_SYS_call] = sys_call,
    [Q_SYS_reply_recv] = sys_reply_recv,
    [Q_SYS_copy] = sys_copy,
    [Q_SYS_notify] = sys_notify,
    [Q_SYS_map... Q_SYS_harvest] = sys_memory,
    [Q_SYS_task... Q_SYS_object] = sys_operation,
    [Q_SYS_sleep] = sys_sleep,
    [Q_SYS_machine] = sys_operation,
};
