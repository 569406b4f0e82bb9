/* SPDX-License-Identifier: BSD-2-Clause */
/* The system calls but for messages (ipc.c): each validates its arguments, then acts. And what a trap does first. A call
 * that has more to do than fits one entry restarts: it leaves the thread at its ecall. */
#include "kernel.h"
#include "vm.h"

typedef uint64_t word;
#define task_of(handle) container_of((handle)->object, struct task, object)
struct ret sys_reply_recv(word a0, word label, word w0, word w1, word w2, word w3, word token);
struct ret sys_call(word a0, word label, word w0, word w1, word w2, word w3);
struct ret sys_copy(word token, word direction, word offset, uva_t own, word bytes, word done);
struct ret sys_notify(word a0, word bits);
struct object machine = {.type = OBJECT_MACHINE};

/* ---- Leaving a call ---------------------------------------------------------------------------------------------- */
static _Noreturn void go_on(void) {
  struct hart *hart = this_hart();
  if (current == &hart->idle) /* the thread that was current has ended */
    schedule();
  if (!hart->resched)
    resume();
  preempt();
}

/* The thread is still at its ecall; a pending interrupt comes first, since user mode takes it before any instruction. */
_Noreturn void restart(void) {
  go_on();
}

static _Noreturn void finish(int64_t a0, word a1, word a2, word a3) {
  thread_result(current, a0, a1);
  current->x[REG_A2] = a2;
  current->x[REG_A3] = a3;
  go_on();
}

_Noreturn void syscall_preempted(int64_t a0, word a1);
_Noreturn void syscall_preempted(int64_t a0, word a1) {
  if (current == &this_hart()->idle)
    schedule();
  finish(a0, a1, 0, 0);
}

struct ret syscall_unknown(void);
struct ret syscall_unknown(void) {
  return fail(Q_E_CALL);
}

_Noreturn void trap_other(word cause, word value);
_Noreturn void trap_other(word cause, word value) {
  if (cause == SCAUSE_TIMER) {
    timer_interrupt();
  } else if (cause == SCAUSE_EXTERNAL) {
    plic_interrupt();
  } else if (cause == SCAUSE_LOAD || cause == SCAUSE_STORE || cause == SCAUSE_FETCH) {
    unsigned kind = cause == SCAUSE_LOAD ? Q_FAULT_READ : cause == SCAUSE_STORE ? Q_FAULT_WRITE : Q_FAULT_EXECUTE;
    kernel.info.faults++;
    if (!vm_spurious(current->task, value, kind))
      fault_program(value, kind);
    kernel.info.spurious++;
  } else if (cause != SCAUSE_ILLEGAL || !fp_switch()) {
    exception_self(cause, value, 0);
  }
  go_on();
}

/* ---- Memory ------------------------------------------------------------------------------------------------------ */
struct space {
  struct pager *pager;
  struct task *task;
};

static int space_find(q_handle pager, q_handle task, struct space *out) {
  int error;
  struct handle *p = handle_check(pager, OBJECT_PAGER, Q_RIGHT_MAP, &error);
  struct handle *t = p ? handle_check(task, OBJECT_TASK, 0, &error) : NULL;
  if (!t)
    return error;
  *out = (struct space){(struct pager *)p->object, task_of(t)};
  return out->task->pager == out->pager ? 0 : Q_E_OWNER;
}

static int range_check(uva_t va, word pages, struct range *range) {
  if (va % Q_PAGE_SIZE || va > Q_USER_TOP || pages > (Q_USER_TOP - va) >> Q_PAGE_SHIFT)
    return Q_E_ARG;
  *range = (struct range){va, va + pages * Q_PAGE_SIZE, 0};
  return 0;
}

static struct ret sys_null(void) {
  return ok(0);
}

static struct ret sys_map(word a0, word a1, uva_t va, word frame_prot, word pages, word expected) {
  struct space space;
  struct mapping mapping = {va, frame_prot, pages, expected, ~0ul};
  int error = space_find(a0, a1, &space);
  return fail(error ? error : vm_map(space.pager, space.task, &mapping));
}

static struct ret sys_unmap(word a0, word a1, uva_t va, word pages, uva_t array, word entries) {
  struct space space;
  struct range range;
  int error = space_find(a0, a1, &space);
  if (!error)
    error = range_check(va, pages, &range);
  if (!error)
    error = vm_unmap(space.task, &range, array, entries);
  if (error)
    return fail(error);
  finish(0, range.written, range.va, (range.end - range.va) >> Q_PAGE_SHIFT);
}

static struct ret sys_protect(word a0, word a1, uva_t va, word pages, word prot) {
  struct space space;
  struct range range;
  int error = space_find(a0, a1, &space);
  if (!error)
    error = prot > Q_PROT_MASK ? Q_E_ARG : range_check(va, pages, &range);
  if (!error)
    error = vm_protect(space.task, &range, (unsigned)prot);
  if (error || range.va == range.end)
    return fail(error);
  current->x[REG_A2] = range.va;
  current->x[REG_A3] = (range.end - range.va) >> Q_PAGE_SHIFT;
  restart();
}

static struct ret sys_harvest(word a0, word a1, uva_t va, word pages, word clear) {
  struct space space;
  struct range range;
  struct harvest harvest;
  int error = space_find(a0, a1, &space);
  if (!error)
    error = pages > 64 || clear > 3 ? Q_E_ARG : range_check(va, pages, &range);
  if (error)
    return fail(error);
  vm_harvest(space.task, va, pages, clear, &harvest);
  finish(0, harvest.accessed, harvest.dirty, harvest.present);
}

/* ---- Tasks ------------------------------------------------------------------------------------------------------- */
#define QUOTA_MAX 64 /* bounds the searches for a free slot */

static struct ret task_op_create(word a0, word a1, word badge, word quota) {
  (void)a1;
  int error;
  struct handle *pager = handle_check(a0, OBJECT_PAGER, Q_RIGHT_CREATE, &error);
  if (!pager || quota > QUOTA_MAX)
    return fail(pager ? Q_E_ARG : error);
  q_handle value;
  struct task *task = task_create((struct pager *)pager->object, badge, quota);
  if (!task)
    return fail(Q_E_NOMEM);
  error = handle_add(current->task, &task->object, Q_RIGHT_ALL, 0, &value);
  if (!error)
    return ok(value);
  do /* it is empty: one round or two */
    work_left = WORK;
  while (!task_destroy(task));
  return fail(error);
}

static struct ret task_op_stop(word a0) {
  int error;
  struct handle *task = handle_check(a0, OBJECT_TASK, Q_RIGHT_MANAGE, &error);
  if (!task)
    return fail(error);
  work_left = WORK;
  if (!task_stop(task_of(task)))
    restart();
  return ok(0);
}

static int handle_copy(struct handle *from, struct task *to, word rights, word badge, q_handle *value) {
  if (!(from->rights & Q_RIGHT_DUP) || from->object->dying)
    return Q_E_RIGHTS;
  return handle_add(to, from->object, (unsigned)(from->rights & rights), from->badge ? from->badge : badge, value);
}

static struct ret task_op_give(word a0, word a1, q_handle given, word rights, word badge) {
  (void)a1;
  int error;
  struct handle *task = handle_check(a0, OBJECT_TASK, Q_RIGHT_MANAGE, &error);
  struct handle *from = handle_find(current->task, given);
  if (!task || !from)
    return fail(task ? Q_E_HANDLE : error);
  q_handle value = 0;
  error = handle_copy(from, task_of(task), rights, badge, &value);
  return error ? fail(error) : ok(value);
}

static struct ret task_op_supervise(word a0, word a1, q_handle endpoint, word badge) {
  (void)a1;
  int error;
  struct handle *task = handle_check(a0, OBJECT_TASK, Q_RIGHT_MANAGE, &error);
  struct handle *to = task ? handle_check(endpoint, OBJECT_ENDPOINT, Q_RIGHT_SEND, &error) : NULL;
  if (!to)
    return fail(error);
  struct handle *supervisor = &(task_of(task))->supervisor;
  handle_void(supervisor);
  handle_bind(supervisor, to->object, Q_RIGHT_SEND, to->badge ? to->badge : badge);
  return ok(0);
}

/* ---- Threads ----------------------------------------------------------------------------------------------------- */
static struct ret thread_op_create(word a0, word a1, word priority) {
  (void)a1;
  int error;
  struct handle *handle = handle_check(a0, OBJECT_TASK, Q_RIGHT_THREAD, &error);
  if (!handle || priority > current->priority)
    return fail(handle ? Q_E_ARG : error);
  struct task *task = task_of(handle);
  if (task->stopped)
    return fail(Q_E_DEAD);
  struct thread *thread = thread_create(task, (unsigned)priority);
  if (!thread)
    return fail(Q_E_NOMEM);
  q_handle value;
  error = handle_add(current->task, &thread->object, Q_RIGHT_ALL, 0, &value);
  if (!error)
    return ok(value);
  thread_end(thread);
  return fail(error);
}

static struct ret thread_op_start(word a0, word a1, word pc, word sp, word argument) {
  (void)a1;
  int error;
  struct handle *handle = handle_check(a0, OBJECT_THREAD, Q_RIGHT_MANAGE, &error);
  if (!handle || pc & 1)
    return fail(handle ? Q_E_ARG : error);
  struct thread *thread = container_of(handle->object, struct thread, object);
  if (thread->state != THREAD_NEW)
    return fail(Q_E_BUSY);
  thread->x[REG_PC] = pc;
  thread->x[REG_SP] = sp;
  thread->x[REG_A0] = argument;
  thread_ready(thread);
  return ok(0);
}

static struct ret thread_op_priority(word a0, word a1, word priority) {
  (void)a1;
  int error;
  struct handle *handle = handle_check(a0, OBJECT_THREAD, Q_RIGHT_MANAGE, &error);
  if (!handle || priority > current->priority)
    return fail(handle ? Q_E_ARG : error);
  struct thread *thread = container_of(handle->object, struct thread, object);
  bool queued = thread->link.list;
  thread_unready(thread);
  thread->priority = (uint8_t)priority;
  if (queued)
    thread_ready(thread);
  else if (thread == current && this_hart()->ready_mask >> priority >> 1)
    this_hart()->resched |= RESCHED_HIGHER;
  timer_arm(this_hart()); /* it may have equals now, and its slice be over */
  return ok(0);
}

/* ---- Pager objects ----------------------------------------------------------------------------------------------- */
static struct pager *pager_find(q_handle value, unsigned rights, int *error) {
  struct handle *handle = handle_check(value, OBJECT_PAGER, rights, error);
  return handle ? (struct pager *)handle->object : NULL;
}

static struct ret pager_op_create(word a0) {
  int error;
  struct pager *parent = pager_find(a0, Q_RIGHT_CREATE, &error);
  struct pager *pager = parent ? pager_create(parent, &error) : NULL;
  if (!pager)
    return fail(error);
  q_handle value, endpoint;
  bool done;
  error = handle_add(current->task, &pager->object, Q_RIGHT_ALL, 0, &value);
  if (!error)
    error = handle_add(current->task, &pager->endpoint.object, Q_RIGHT_ALL, 0, &endpoint);
  if (error) {
    work_left = WORK;
    pager_destroy(pager, &done);
    return fail(error);
  }
  finish(0, value, endpoint, 0);
}

static struct ret pager_op_window(word a0, word a1, q_handle value) {
  (void)a1;
  int error;
  struct pager *pager = pager_find(a0, Q_RIGHT_MAP, &error);
  struct handle *handle = pager ? handle_check(value, OBJECT_TASK, Q_RIGHT_MANAGE, &error) : NULL;
  if (!handle)
    return fail(error);
  struct task *task = task_of(handle);
  if ((pager->server && pager->server != task) || (task->window && task->window != pager) || task->pager == pager)
    return fail(Q_E_BUSY);
  bool done = false;
  error = vm_window(pager, task, &done);
  if (!error && !done)
    restart();
  return fail(error);
}

static struct ret pager_op_donate(word a0, word a1, pa_t block) {
  (void)a1;
  int error;
  struct pager *pager = pager_find(a0, Q_RIGHT_MAP, &error);
  return fail(pager ? block_donate(pager, block) : error);
}

static struct ret pager_op_reclaim(word a0) {
  int error;
  pa_t block = 0;
  struct pager *pager = pager_find(a0, Q_RIGHT_MAP, &error);
  if (pager)
    error = block_reclaim(pager, &block);
  return error ? fail(error) : ok(block);
}

static struct ret pager_op_grant(word a0, word a1, q_handle to, pa_t block) {
  (void)a1;
  int error;
  struct pager *from = pager_find(a0, Q_RIGHT_MAP, &error);
  if (!from)
    return fail(error);
  if (!block_owned(from, block))
    return fail(Q_E_OWNER);
  struct pager *receiver = pager_find(to, Q_RIGHT_CREATE, &error);
  if (!receiver) { /* it may have gone between two rounds */
    block_keep(from, block);
    return fail(error);
  }
  if (!block_revoke(from, block))
    restart();
  return fail(block_move(from, receiver, block));
}

/* ---- Handles and small objects ------------------------------------------------------------------------------------ */
static struct ret handle_op_dup(word a0, word a1, word rights, word badge) {
  (void)a1;
  struct handle *from = handle_find(current->task, a0);
  q_handle value = 0;
  int error = from ? handle_copy(from, current->task, rights, badge, &value) : Q_E_HANDLE;
  return error ? fail(error) : ok(value);
}

static struct ret handle_op_close(word a0) {
  struct handle *handle = handle_find(current->task, a0);
  if (!handle)
    return fail(Q_E_HANDLE);
  handle_close(current->task, handle);
  return ok(0);
}

static int destroy(struct object *object, bool *done) {
  *done = true;
  switch (object->type) {
  case OBJECT_TASK:
    if (object == &current->task->object)
      return Q_E_BUSY; /* it may stop itself; its pager clears up */
    *done = task_destroy(container_of(object, struct task, object));
    return 0;
  case OBJECT_THREAD:
    *done = thread_end(container_of(object, struct thread, object));
    return 0;
  case OBJECT_ENDPOINT:
    if (!in_objects_page(object))
      return Q_E_BUSY; /* a pager object's own: goes with it */
    *done = endpoint_destroy((struct endpoint *)object);
    return 0;
  case OBJECT_IRQ:
    *done = irq_destroy((struct irq *)object);
    return 0;
  case OBJECT_PAGER:
    return pager_destroy((struct pager *)object, done);
  default:
    return Q_E_TYPE;
  }
}

static struct ret handle_op_destroy(word a0) {
  struct task *task = current->task;
  struct handle *handle = handle_find(task, a0);
  bool done;
  if (!handle || !(handle->rights & Q_RIGHT_MANAGE) || handle->type == OBJECT_MACHINE)
    return fail(!handle ? Q_E_HANDLE : handle->type == OBJECT_MACHINE ? Q_E_TYPE : Q_E_RIGHTS);
  work_left = WORK;
  object_keep = handle; /* a call that restarts needs its handle until the end */
  int error = destroy(handle->object, &done);
  object_keep = NULL;
  if (error)
    return fail(error);
  if (!done)
    restart();
  handle_forget(task, handle);
  return ok(0);
}

/* Whom the thread waits for: the badge of the task that holds its message. */
static word waits_for(const struct thread *thread) {
  const struct wait *wait = &thread->wait[thread->state == THREAD_FAULT ? SLOT_FAULT : SLOT_CALL];
  return wait->state == WAIT_HELD ? wait->server->badge : wait->state == WAIT_SENT ? ~0ul : 0;
}

static _Noreturn void task_info(const struct task *task) {
  static const struct thread none;
  const struct thread *thread = &none;
  for (unsigned i = 1; i < 4 && thread->state == THREAD_FREE; i++)
    thread = (const struct thread *)((const char *)task + i * 1024);
  finish(0, task->threads, thread->state, waits_for(thread));
}

static struct ret handle_op_info(word a0) {
  struct handle *handle = handle_find(current->task, a0);
  if (!handle || handle->object->dying)
    return fail(Q_E_HANDLE);
  if (handle->type == OBJECT_TASK)
    task_info(task_of(handle));
  if (handle->type != OBJECT_PAGER)
    return fail(Q_E_TYPE);
  const struct pager *pager = (const struct pager *)handle->object;
  finish(0, pager->owned, pager->donated, pager->donated_free);
}

static struct ret object_op_endpoint(void) {
  struct task *task = current->task;
  q_handle value;
  struct endpoint *endpoint = slot_alloc(task, FRAME_OBJECTS);
  if (!endpoint)
    return fail(Q_E_NOMEM);
  endpoint->object.type = OBJECT_ENDPOINT;
  int error = handle_add(task, &endpoint->object, Q_RIGHT_ALL, 0, &value);
  if (error) {
    endpoint->object.type = OBJECT_NONE;
    return fail(error);
  }
  kernel.info.endpoints++;
  return ok(value);
}

static struct ret object_op_irq(word a0, word a1, word source, q_handle to, word bits) {
  (void)a1;
  int error;
  struct handle *handle = handle_check(a0, OBJECT_MACHINE, Q_RIGHT_IRQ, &error);
  struct handle *endpoint = handle ? handle_check(to, OBJECT_ENDPOINT, Q_RIGHT_NOTIFY, &error) : NULL;
  if (!endpoint)
    return fail(error);
  struct irq *irq = slot_alloc(current->task, FRAME_OBJECTS);
  if (!irq)
    return fail(Q_E_NOMEM);
  q_handle value;
  error = irq_bind(irq, source);
  if (error)
    return fail(error); /* the slot must be as it was: all zero */
  irq->bits = bits & endpoint->badge;
  error = handle_add(current->task, &irq->object, Q_RIGHT_ALL, 0, &value);
  if (error) {
    irq_destroy(irq);
    return fail(error);
  }
  handle_bind(&irq->endpoint, endpoint->object, Q_RIGHT_NOTIFY, endpoint->badge);
  irq_ack(irq);
  return ok(value);
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

static struct ret machine_op_write(word a0, word a1, uva_t text, word bytes) {
  (void)a1;
  int error;
  if (!handle_check(a0, OBJECT_MACHINE, Q_RIGHT_DEBUG, &error))
    return fail(error);
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

static struct ret machine_op_log(word a0, word a1, uva_t out, word bytes) {
  (void)a1;
  int error;
  if (!handle_check(a0, OBJECT_MACHINE, Q_RIGHT_IRQ, &error))
    return fail(error);
  char *to = vm_resolve(current->task, out, Q_FAULT_WRITE);
  if (!to)
    return fault_self(out, Q_FAULT_WRITE);
  return ok(log_read(to, MIN(MIN(bytes, LOG_CHUNK), Q_PAGE_SIZE - out % Q_PAGE_SIZE)));
}

static struct ret machine_op_off(word a0, word a1, word status) {
  (void)a1;
  int error;
  if (!handle_check(a0, OBJECT_MACHINE, Q_RIGHT_POWER, &error))
    return fail(error);
  if (kernel.info.irq_off_max)
    print("quire: interrupts were off for at most %ld instructions\n", kernel.info.irq_off_max);
  print("quire: off, status %ld\n", status);
  machine_off(status != 0);
}

static struct ret machine_op_info(word a0, word a1, uva_t out) {
  (void)a1;
  int error;
  if (!handle_check(a0, OBJECT_MACHINE, Q_RIGHT_DEBUG, &error))
    return fail(error);
  if (out % 8 || out % Q_PAGE_SIZE + sizeof(struct q_info) > Q_PAGE_SIZE)
    return fail(Q_E_ARG); /* one page, so that the report is of one moment */
  struct q_info *info = vm_resolve(current->task, out, Q_FAULT_WRITE);
  if (!info)
    return fault_self(out, Q_FAULT_WRITE);
  check_state();
  *info = kernel.info;
  for (unsigned i = 1; i < PAGERS; i++)
    if (pagers[i]) {
      info->owned_frames += pagers[i]->owned;
      info->donated_pages += pagers[i]->donated;
      info->donated_free += pagers[i]->donated_free;
    }
  return ok(0);
}

/* ---- The tables: one row a call, one an operation ------------------------------------------------------------------ */
typedef struct ret (*operation)(word a0, word a1, word a2, word a3, word a4, word a5);

#define OPERATIONS(call, ...)                                                                                        \
  static struct ret sys_##call(word a0, word a1, word a2, word a3, word a4, word a5) {                               \
    static const operation table[] = {__VA_ARGS__};                                                                  \
    return a1 < sizeof table / sizeof *table ? table[a1](a0, a1, a2, a3, a4, a5) : fail(Q_E_CALL);                   \
  }
#define OP(function) (operation)(void *) function
OPERATIONS(task, OP(task_op_create), OP(task_op_stop), OP(task_op_give), OP(task_op_supervise))
OPERATIONS(thread, OP(thread_op_create), OP(thread_op_start), OP(thread_op_priority))
OPERATIONS(pager, OP(pager_op_create), OP(pager_op_window), OP(pager_op_donate), OP(pager_op_reclaim),
           OP(pager_op_grant))
OPERATIONS(handle, OP(handle_op_dup), OP(handle_op_close), OP(handle_op_destroy), OP(handle_op_info))
OPERATIONS(object, OP(object_op_endpoint), OP(object_op_irq))
OPERATIONS(machine, OP(machine_op_write), OP(machine_op_off), OP(machine_op_info), OP(machine_op_log))

extern const void *const syscall_table[Q_SYS_COUNT];
const void *const syscall_table[Q_SYS_COUNT] = {
#define X(n, name) [n] = (const void *)sys_##name,
    Q_SYSCALLS(X)
#undef X
};
