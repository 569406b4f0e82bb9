/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages: calls, faults and exceptions on their way to a receiver, the one-shot tokens that answer them, notifications,
 * and copying between the two parties of a call. What a blocked sender said lies in its own registers, so a message is
 * never stored twice. Does not know what any message means. */
#include "kernel.h"
#include "vm.h"

/* ---- Tokens: which thread and slot in the low bits, and a sequence number that never goes back ----------------------- */
static struct thread *wait_thread(struct wait *wait) {
  return container_of(wait - wait->slot, struct thread, wait[0]);
}

void wait_init(struct thread *thread, enum wait_slot slot) {
  uint64_t index = ((uint64_t)thread - PHYSMAP - kernel.ram_base) >> 10;
  thread->wait[slot].slot = slot;
  thread->wait[slot].token = kernel.sequence_epoch << kernel.token_shift | index << 1 | slot;
}

static struct wait *token_search(q_token token) {
  uint64_t name = token & ((1ul << kernel.token_shift) - 1), index = name >> 1;
  pa_t pa = kernel.ram_base + (index << 10);
  const struct frame *frame = frame_of(pa); /* NULL for a name that is no RAM */
  if (!frame || !(index & 3) || (frame->kind != FRAME_TASK && frame->kind != FRAME_THREADS))
    return NULL;
  struct wait *wait = &((struct thread *)pa_to_va(pa))->wait[name & 1];
  bool match = wait->state == WAIT_HELD && wait->server == current->task && wait->token == token;
  return match ? wait : NULL;
}

/* What is likely to be answered next. A fast path answers it, so it must be of this hart (hart.c). */
static inline void expect(struct wait *wait) {
  if (wait_thread(wait)->hart == this_hart())
    this_hart()->delivered = wait;
}

/* The same if it is of the message that came last, which it mostly is. */
static inline struct wait *token_delivered(q_token token) {
  struct wait *wait = this_hart()->delivered;
  bool match = wait->token == token && wait->server == current->task && wait->state == WAIT_HELD;
  return match ? wait : NULL;
}

static inline struct wait *token_find(q_token token) {
  struct wait *wait = token_delivered(token);
  return wait ? wait : token_search(token);
}

static void wait_open(struct thread *thread, enum wait_slot slot, unsigned message, uint64_t badge) {
  struct wait *wait = &thread->wait[slot];
  ASSERT_DEBUG(wait->state == WAIT_NONE && !wait->link.list);
  wait->token += 1ul << kernel.token_shift;
  wait->badge = badge;
  wait->message = (uint8_t)message;
  wait->state = WAIT_SENT;
}

/* ---- Queues ------------------------------------------------------------------------------------------------------ */
static bool pending(const struct endpoint *endpoint) {
  return endpoint->bits || endpoint->queue.head;
}

/* After every change of one of these. */
static void endpoint_note(struct endpoint *endpoint) {
  endpoint->attention = pending(endpoint) || endpoint->object.dying;
}

static void wait_unqueue(struct wait *wait) {
  if (!wait->link.list)
    return;
  list_remove(&wait->link);
  endpoint_note(wait->endpoint);
}

void wait_cancel(struct wait *wait) {
  wait_unqueue(wait);
  wait->state = WAIT_NONE;
  wait->copying = 0;
}

/* In its hart's place, where what it has used last is in the caches; else behind the others. */
static void receiver_queue(struct endpoint *endpoint, struct thread *thread) {
  struct thread **place = hart_own(thread->hart, endpoint->receiver);
  thread->state = THREAD_RECEIVE;
  thread->receives = endpoint;
  if (*place)
    list_add(&endpoint->others, &thread->link, false);
  else
    *place = thread;
  endpoint_note(endpoint);
}

void receiver_unqueue(struct thread *thread) {
  struct endpoint *endpoint = thread->receives;
  struct thread **place = hart_own(thread->hart, endpoint->receiver);
  ASSERT(thread->state == THREAD_RECEIVE && (*place == thread || thread->link.list == &endpoint->others));
  if (*place == thread)
    *place = NULL;
  else
    list_remove(&thread->link);
  thread->state = THREAD_READY;
  endpoint_note(endpoint);
}

/* Who gets what is sent from here: this hart's own, else who waits longest, else another hart's, who comes here for it. */
static struct thread *receiver_next(struct endpoint *endpoint) {
  struct thread *next = *hart_own(this_hart(), endpoint->receiver);
  if (!next)
    next = list_first(&endpoint->others, struct thread, link);
  for (unsigned i = 0; !next && i < kernel.hart_count; i++)
    next = endpoint->receiver[i];
  return next;
}

/* ---- Delivery ---------------------------------------------------------------------------------------------------- */
void thread_result(struct thread *thread, int64_t a0, uint64_t a1) {
  for (unsigned i = REG_T0; i <= REG_T2; i++)
    thread->x[i] = 0;
  for (unsigned i = REG_A2; i <= REG_A7; i++)
    thread->x[i] = 0;
  for (unsigned i = REG_T3; i <= REG_T6; i++)
    thread->x[i] = 0;
  thread->x[REG_A0] = (uint64_t)a0;
  thread->x[REG_A1] = a1;
  thread->x[REG_PC] += 4; /* past the ecall */
}

/* A copy of the sender's handle for the receiver, if it may be passed on and there is room; else 0. */
static q_handle handle_pass(struct task *from, q_handle value, struct task *to, int *error) {
  struct handle *handle = handle_find(from, value);
  q_handle passed = 0;
  *error = !handle || !(handle->rights & Q_RIGHT_DUP) || handle->object->dying
               ? Q_E_ARG
               : handle_add(to, handle->object, handle->rights, handle->badge, &passed);
  return passed;
}

static void fill_call(struct thread *receiver, struct thread *sender, unsigned message) {
  uint64_t *x = receiver->x, *from = sender->x;
  int error;
  for (unsigned i = REG_A2; i <= REG_A5; i++)
    x[i] = from[i];
  x[REG_T1] = from[REG_T2];
  x[REG_T2] = from[REG_T4];
  if (message == Q_MSG_CALL && from[REG_T0])
    x[REG_T0] = handle_pass(sender->task, from[REG_T0], receiver->task, &error);
}

/* ---- A thread that ended while a server copied from it: it stays until the server has been told -------------------- */
#define UNHEARD_MAX 16 /* for all endpoints of one task: a server that does not listen can't keep more of the dead */

/* Whose page it lies in; NULL: a pager object's, which is trusted to receive. */
static struct task *host_of(const struct endpoint *endpoint) {
  return in_objects_page(&endpoint->object) ? object_task(endpoint) : NULL;
}

static void orphan_told(struct thread *sender) {
  struct wait *wait = &sender->wait[SLOT_CALL];
  struct task *host = host_of(wait->endpoint);
  if (host)
    host->unheard--;
  wait_cancel(wait);
  thread_forget(sender);
}

/* What is there now: that may have changed while the message was under way. */
static uint64_t fault_page(const struct thread *sender) {
  uint64_t there = vm_fault(sender->task, sender->fault_address, sender->fault_kind & Q_FAULT_KIND);
  return there == VM_SPURIOUS ? 0 : there;
}

/* The receiver's reply_recv returns this message. */
static void fill(struct thread *receiver, struct endpoint *endpoint, struct wait *wait) {
  struct thread *sender = wait_thread(wait);
  uint64_t *x = receiver->x;
  bool fault = wait->slot == SLOT_FAULT;
  uint64_t threads = wait->message == Q_MSG_FAULT && sender->task->threads > 1 ? Q_FAULT_THREADS : 0;
  thread_result(receiver, wait->message, fault ? sender->fault_kind | threads : sender->x[REG_A1]);
  if (fault) {
    x[REG_A2] = sender->fault_address;
    x[REG_A3] = sender->x[REG_PC];
    x[REG_A4] = sender->x[REG_SP];
    x[REG_A5] = wait->message == Q_MSG_FAULT ? fault_page(sender) : sender->fault_reason;
  } else {
    fill_call(receiver, sender, wait->message);
  }
  x[REG_A6] = wait->token;
  x[REG_A7] = wait->badge;
  x[REG_T3] = wait->message == Q_MSG_COPY_FAILED ? wait->error : 0;
  wait->state = WAIT_HELD;
  wait->endpoint = endpoint;
  wait->server = receiver->task;
  expect(wait);
  if (sender->object.dying)
    orphan_told(sender);
}

/* Notifications come before messages. */
static void fill_next(struct thread *receiver, struct endpoint *endpoint) {
  struct wait *wait = list_first(&endpoint->queue, struct wait, link);
  if (endpoint->bits) {
    thread_result(receiver, Q_MSG_NOTIFY, 0);
    receiver->x[REG_A2] = endpoint->bits;
    endpoint->bits = 0;
    endpoint_note(endpoint);
  } else {
    wait_unqueue(wait);
    fill(receiver, endpoint, wait);
  }
}

/* Something came: nothing is pending where a receiver waits. */
static void arrived(struct endpoint *endpoint) {
  struct thread *receiver = receiver_next(endpoint);
  endpoint_note(endpoint);
  if (!receiver || !pending(endpoint))
    return;
  receiver_unqueue(receiver);
  fill_next(receiver, endpoint);
  thread_ready(receiver);
}

static void send(struct endpoint *endpoint, struct wait *wait) {
  ASSERT(!wait->link.list);
  wait->endpoint = endpoint;
  list_add(&endpoint->queue, &wait->link, false);
  arrived(endpoint);
}

void endpoint_signal(struct endpoint *endpoint, uint64_t bits) {
  endpoint->bits |= bits;
  arrived(endpoint);
}

/* Current has sent that and is blocked. Its slice goes to a receiver that waits, or is kept for it. */
static _Noreturn void send_and_wait(struct endpoint *endpoint, struct wait *wait) {
  struct thread *receiver = receiver_next(endpoint);
  if (!receiver || !thread_movable(receiver) || this_hart()->ready_mask >> receiver->priority >> 1 ||
      receiver->priority < current->priority) {
    slice_keep(current);
    send(endpoint, wait);
    schedule();
  }
  receiver_unqueue(receiver);
  fill(receiver, endpoint, wait);
  thread_switch(receiver);
  resume();
}

/* ---- Faults and exceptions --------------------------------------------------------------------------------------- */
static const uint8_t cause_of[] = {
    [Q_FAULT_READ] = SCAUSE_LOAD, [Q_FAULT_WRITE] = SCAUSE_STORE, [Q_FAULT_EXECUTE] = SCAUSE_FETCH};

static void fault_open(struct thread *thread, uva_t va, unsigned kind) {
  thread->fault_address = va;
  thread->fault_kind = kind;
  thread->fault_reason = 0;
  wait_open(thread, SLOT_FAULT, Q_MSG_FAULT, thread->task->badge);
}

static _Noreturn void fault_send(uva_t va, unsigned kind) {
  fault_open(current, va, kind);
  current->state = THREAD_FAULT;
  send_and_wait(current->task->faults, &current->wait[SLOT_FAULT]);
}

_Noreturn void fault_program(uva_t va, unsigned kind) {
  if (!current->task->faults)
    exception_self(cause_of[kind], va, 0);
  fault_send(va, kind);
}

struct ret fault_self(uva_t va, unsigned kind) {
  if (!current->task->faults)
    return fail(Q_E_FAULT);
  fault_send(va, kind | Q_FAULT_COPY);
}

/* Where the thread's exception is to be sent. */
static struct endpoint *exception_open(struct thread *thread) {
  struct task *task = thread->task;
  struct handle *supervisor = &task->supervisor;
  bool has = supervisor->type == OBJECT_ENDPOINT && !supervisor->object->dying;
  if (!has && !task->faults) {
    print("quire: the first program stopped: scause %lx, stval %lx, pc %lx\n", thread->fault_kind,
          thread->fault_address, thread->x[REG_PC]);
    machine_off(true);
  }
  wait_open(thread, SLOT_FAULT, Q_MSG_EXCEPTION, has ? supervisor->badge : task->badge);
  return has ? (struct endpoint *)supervisor->object : task->faults;
}

_Noreturn void exception_self(uint64_t cause, uint64_t value, uint64_t reason) {
  current->fault_address = value;
  current->fault_kind = cause;
  current->fault_reason = reason;
  current->state = THREAD_FAULT;
  send_and_wait(exception_open(current), &current->wait[SLOT_FAULT]);
}

/* ---- Answers ----------------------------------------------------------------------------------------------------- */
/* A copy that was PENDING can go on or has failed: the server that holds the call gets the message once more. One that will
 * just run again (ask_at_once) need not be told that it can. */
static void copy_settled(struct thread *owner, int error) {
  struct wait *wait = &owner->wait[SLOT_CALL];
  if (!wait->copying && !error)
    return;
  ASSERT(wait->state == WAIT_HELD);
  wait->copying = 0;
  wait->message = error ? Q_MSG_COPY_FAILED : Q_MSG_COPY_READY;
  wait->error = (uint8_t)error;
  send(wait->endpoint, wait);
}

void copy_orphaned(struct thread *owner) {
  struct wait *wait = &owner->wait[SLOT_CALL];
  struct endpoint *endpoint = wait->endpoint;
  struct task *host = host_of(endpoint);
  wait_cancel(wait); /* the token is void */
  if (host && host->unheard >= UNHEARD_MAX && !receiver_next(endpoint))
    return;
  if (host)
    host->unheard++;
  wait->message = Q_MSG_COPY_FAILED;
  wait->error = Q_E_DEAD;
  wait->state = WAIT_SENT;
  send(endpoint, wait);
}

static struct thread *refuse(struct thread *thread, int reason) {
  if (thread->fault_kind & Q_FAULT_COPY) { /* its call fails; a copy says how far it came */
    thread_result(thread, -reason, thread->x[REG_A7] == Q_SYS_copy ? thread->x[REG_A5] : 0);
    return thread;
  }
  thread->fault_kind = cause_of[thread->fault_kind];
  thread->fault_reason = (uint64_t)reason;
  send(exception_open(thread), &thread->wait[SLOT_FAULT]);
  return NULL;
}

static int map_answer(struct thread *thread, const uint64_t *word) {
  bool write = (thread->fault_kind & Q_FAULT_KIND) == Q_FAULT_WRITE;
  struct mapping mapping = {word[0], word[1], word[2], word[3],
                            write ? thread->fault_address & ~(Q_PAGE_SIZE - 1ul) : ~0ul};
  return vm_map(thread->task, &mapping);
}

static int exception_answer(struct thread *thread, uint64_t label, uint64_t pc, struct thread **wake) {
  if (label != Q_REPLY_RESUME || pc & 1)
    return Q_E_ARG;
  wait_cancel(&thread->wait[SLOT_FAULT]);
  thread->x[REG_PC] = pc;
  *wake = thread;
  return 0;
}

/* *wake is the thread that goes on, if one does. */
static int fault_answer(struct thread *thread, uint64_t label, const uint64_t *word, struct thread **wake) {
  struct wait *wait = &thread->wait[SLOT_FAULT];
  if (wait->message == Q_MSG_EXCEPTION)
    return exception_answer(thread, label, word[0], wake);
  bool refused = label == Q_REPLY_REFUSE;
  if (label - 1 >= Q_REPLY_REFUSE || (refused && word[0] != Q_E_FAULT && word[0] != Q_E_NOFRAME))
    return Q_E_ARG;
  int error = label == Q_REPLY_MAP ? map_answer(thread, word) : 0;
  if (error)
    return error;
  /* Decoded: the token is spent. */
  wait_cancel(wait);
  if (thread->state != THREAD_FAULT) { /* the fault was a server's copy, in the name of this thread */
    copy_settled(thread, !refused ? 0 : word[0] == Q_E_FAULT ? Q_E_PEER : Q_E_NOFRAME);
    return 0;
  }
  *wake = refused ? refuse(thread, (int)word[0]) : thread;
  return 0;
}

static int call_answer(struct thread *client, uint64_t label, const uint64_t *word) {
  q_handle passed = 0;
  int error = 0;
  if (current->x[REG_T0])
    passed = handle_pass(current->task, current->x[REG_T0], client->task, &error);
  if (error)
    return error;
  /* Decoded: the token is spent. A fault that a copy caused is nobody's any more. */
  wait_cancel(&client->wait[SLOT_CALL]);
  wait_cancel(&client->wait[SLOT_FAULT]);
  thread_result(client, 0, label);
  for (unsigned i = 0; i < 4; i++)
    client->x[REG_A2 + i] = word[i];
  client->x[REG_T0] = passed;
  return 0;
}

void wait_orphan(struct wait *wait) {
  struct thread *thread = wait_thread(wait);
  uint8_t copying = wait->copying;
  if (thread->object.dying)
    return orphan_told(thread);
  wait_cancel(wait);
  if (wait->slot == SLOT_CALL) {
    wait_cancel(&thread->wait[SLOT_FAULT]);
    thread_result(thread, -Q_E_DEAD, 0);
    thread_ready(thread);
  } else if (wait->message == Q_MSG_EXCEPTION) {
    send(exception_open(thread), wait);
  } else {
    wait_open(thread, SLOT_FAULT, Q_MSG_FAULT, thread->task->badge);
    wait->copying = copying;
    send(thread->task->faults, wait);
  }
}

/* ---- Receiving --------------------------------------------------------------------------------------------------- */
/* The receiver waits, and others than the thread it woke come first. */
static void wake_later(struct thread *wake) {
  if (this_hart()->slice_class <= wake->priority)
    slice_keep(wake); /* the receiver ran on it */
  thread_continue(wake);
}

/* A thread whose copy waits for just this receiver, and is the next anyhow, goes on with the slice that runs, like one that
 * the receiver's answer wakes. NULL: there is none. The pointer may be of one that is no more: then it is not the next, or
 * has become another that is. */
static struct thread *copier_next(struct hart *hart) {
  struct thread *copier = hart->copier;
  if (!copier)
    return NULL;
  hart->copier = NULL;
  unsigned p = Q_PRIORITIES - 1;
  while (p && !(hart->ready_mask >> p & 1))
    p--;
  const struct list *queue = &hart->ready[p];
  if (queue->head != &copier->link || (hart->slice_class > p && queue->tail != queue->head))
    return NULL;
  thread_unready(copier);
  copier->slice = 0;
  return copier;
}

static _Noreturn void receive(struct endpoint *endpoint, struct thread *wake) {
  if (pending(endpoint)) {
    if (wake)
      thread_continue(wake); /* the slice that runs stays with the receiver */
    fill_next(current, endpoint);
    if (this_hart()->resched)
      preempt();
    resume();
  }
  current->x[REG_A6] = 0; /* the token is spent, whatever becomes of the receive */
  receiver_queue(endpoint, current);
  if (!wake)
    wake = copier_next(this_hart());
  if (!wake || this_hart()->rivals >> wake->priority || !thread_movable(wake)) {
    if (wake)
      wake_later(wake);
    schedule();
  }
  wake->state = THREAD_READY;
  thread_switch(wake);
  resume();
}

static int answer(q_token token, uint64_t label, const uint64_t *word, struct thread **wake) {
  struct wait *wait = token_find(token);
  if (!wait)
    return Q_E_TOKEN;
  struct thread *thread = wait_thread(wait);
  if (wait->slot == SLOT_FAULT)
    return fault_answer(thread, label, word, wake);
  *wake = thread;
  return call_answer(thread, label, word);
}

/* With what it was to say still in its registers, so that it can be mended. */
static _Noreturn void reply_failed(int error) {
  uint64_t *x = current->x, kept[] = {x[REG_A2], x[REG_A3], x[REG_A4], x[REG_A5], x[REG_A6]};
  thread_result(current, -error, x[REG_A1]);
  for (unsigned i = 0; i < 5; i++)
    x[REG_A2 + i] = kept[i];
  restart();
}

static int receives_at(q_handle value, struct endpoint **endpoint) {
  const struct last_handle *last = &current->task->received;
  int error = 0;
  const struct handle *handle = value == last->value && !last->endpoint->object.dying
                                    ? NULL
                                    : handle_check(value, OBJECT_ENDPOINT, Q_RIGHT_RECV, &error);
  *endpoint = handle ? (struct endpoint *)handle->object : last->endpoint;
  return error;
}

/* The words of the answer lie in the thread's saved registers. */
struct ret sys_reply_recv(uint64_t a0, uint64_t label, UNUSED uint64_t w0, UNUSED uint64_t w1, UNUSED uint64_t w2,
                          UNUSED uint64_t w3, q_token token) {
  struct thread *wake = NULL;
  struct endpoint *endpoint = NULL;
  int error = a0 ? receives_at(a0, &endpoint) : 0;
  if (!error && token)
    error = answer(token, label, &current->x[REG_A2], &wake);
  if (error)
    reply_failed(error);
  if (endpoint) {
    current->task->received = (struct last_handle){a0, endpoint, 0};
    current->task->serves = true;
    endpoint->object.held = 1;
    receive(endpoint, wake);
  }
  if (wake)
    thread_ready(wake);
  return ok(0);
}

struct ret sys_call(uint64_t a0, uint64_t label) {
  struct thread *client = current;
  const uint64_t *x = client->x;
  int error;
  struct handle *handle = handle_check(a0, OBJECT_ENDPOINT, Q_RIGHT_SEND, &error);
  if (!handle)
    return fail(error);
  struct handle *passed = x[REG_T0] ? handle_find(client->task, x[REG_T0]) : NULL;
  if (label >> 16 || (x[REG_T0] && !(passed && passed->rights & Q_RIGHT_DUP)))
    return fail(Q_E_ARG);
  /* Decoded. */
  struct endpoint *endpoint = (struct endpoint *)handle->object;
  client->task->called = (struct last_handle){a0, endpoint, handle->badge};
  wait_open(client, SLOT_CALL, Q_MSG_CALL, handle->badge);
  client->state = THREAD_CALL;
  send_and_wait(endpoint, &client->wait[SLOT_CALL]);
}

struct ret sys_notify(uint64_t a0, uint64_t bits) {
  int error;
  const struct handle *any = handle_find(current->task, a0);
  bool irq = any && any->type == OBJECT_IRQ;
  struct handle *handle =
      handle_check(a0, irq ? OBJECT_IRQ : OBJECT_ENDPOINT, irq ? Q_RIGHT_MANAGE : Q_RIGHT_NOTIFY, &error);
  if (!handle)
    return fail(error);
  if (irq)
    irq_ack((struct irq *)handle->object);
  else
    endpoint_signal((struct endpoint *)handle->object, bits & handle->badge);
  return ok(0);
}

/* ---- Copying between the parties of a call, or between two callers ------------------------------------------------- */
#define COPY_BUDGET 2048 /* bytes that one entry copies one by one: bounds the time without interrupts */
#define COPY_STEP 256    /* what a step costs at least, in such bytes; a page by whole words costs that, too */

struct side { /* current's own memory, or a buffer of a caller that waits for it */
  struct thread *thread;
  uva_t va;
  q_token token; /* the caller's */
};

static inline int side_of_wait(struct side *side, struct wait *wait, bool writable, uint64_t offset, uint64_t bytes) {
  if (!wait || wait->slot != SLOT_CALL)
    return Q_E_TOKEN;
  struct thread *owner = container_of(wait, struct thread, wait[SLOT_CALL]);
  uint64_t size = owner->x[REG_T2], va = owner->x[REG_T1];
  if (writable)
    size = owner->x[REG_T4], va = owner->x[REG_T3];
  *side = (struct side){owner, va + offset, wait->token};
  return offset > size || bytes > size - offset ? Q_E_ARG : 0;
}

static int side_of_caller(struct side *side, q_token token, bool writable, uint64_t offset, uint64_t bytes) {
  return side_of_wait(side, token_find(token), writable, offset, bytes);
}

/* A pager that waits, and comes before current, gets the fault now; current stands ready at its ecall. When it runs again,
 * the page is there, or the fault is refused or still out: each is for the copy to find. Not twice for the same side, so that a
 * server is not kept from its other callers by one page that never stays. Returns if it is none of that. */
static void ask_at_once(struct endpoint *endpoint, struct wait *fault, unsigned side) {
  struct thread *receiver = receiver_next(endpoint), *copier = current;
  if (copier->asked & side || !receiver || !thread_movable(receiver) || receiver->priority <= copier->priority)
    return;
  copier->asked |= (uint8_t)side;
  slice_keep(copier);
  receiver_unqueue(receiver);
  fill(receiver, endpoint, fault);
  thread_switch(receiver); /* on the copier's slice, which is the caller's for whom it copies */
  this_hart()->copier = copier;
  /* Which the copier names again, first to copy and then to answer. */
  expect(&container_of(fault, struct thread, wait[SLOT_FAULT])->wait[SLOT_CALL]);
  thread_continue(copier);
  resume();
}

/* The fault goes out in the name of the page's owner; if it is out already, or a message of how that went is on its way,
 * its pager is not asked again. */
static struct ret copy_absent(const struct side *side, unsigned kind, uint64_t done) {
  struct thread *owner = side->thread;
  struct wait *call = &owner->wait[SLOT_CALL], *fault = &owner->wait[SLOT_FAULT];
  if (owner == current)
    return fault_self(side->va, kind);
  if (!owner->task->faults)
    return fail(Q_E_PEER);
  if (!call->link.list && fault->state == WAIT_NONE) {
    fault_open(owner, side->va, kind | Q_FAULT_COPY);
    fault->copying = 1;
    ask_at_once(owner->task->faults, fault, 1u << kind);
    send(owner->task->faults, fault);
  }
  call->copying = !call->link.list;
  current->asked = 0;
  finish(-Q_E_PENDING, done, side->token, 0);
}

/* How much can be copied in one go. */
static uint64_t copy_step(uva_t a, uva_t b, uint64_t bytes, uint64_t *budget) {
  uint64_t n = MIN(bytes, Q_PAGE_SIZE - MAX(a % Q_PAGE_SIZE, b % Q_PAGE_SIZE)), cost = COPY_STEP;
  if ((a ^ b) & 7) {
    n = MIN(n, *budget);
    cost = MAX(n, COPY_STEP);
  }
  *budget -= MIN(*budget, cost);
  return n;
}

static struct ret copy(struct side *from, struct side *to, uint64_t bytes, uint64_t done, unsigned other) {
  uint64_t *x = current->x;
  for (uint64_t budget = COPY_BUDGET; bytes && budget;) {
    uint64_t n = copy_step(from->va, to->va, bytes, &budget);
    const char *source = vm_resolve(from->thread->task, from->va, Q_FAULT_READ);
    if (!source)
      return copy_absent(from, Q_FAULT_READ, done);
    char *target = vm_resolve(to->thread->task, to->va, Q_FAULT_WRITE);
    if (!target)
      return copy_absent(to, Q_FAULT_WRITE, done);
    memcpy(target, source, n);
    current->asked = 0;
    from->va += n;
    to->va += n;
    x[REG_A2] += n;
    x[other] += n; /* the other side's address or offset */
    x[REG_A4] = bytes -= n;
    x[REG_A5] = done += n;
  }
  if (bytes)
    restart();
  return ok(done);
}

/* The common case: on either side it lies in one page, which is where the last one was, and has been accessed so. */
static inline __attribute__((always_inline)) bool copy_at_once(const struct side *from, const struct side *to,
                                                               uint64_t bytes) {
  uint64_t most = MIN(-(from->va | -Q_PAGE_SIZE), -(to->va | -Q_PAGE_SIZE));
  const char *source = vm_resident(from->thread->task, from->va, Q_FAULT_READ);
  char *target = vm_resident(to->thread->task, to->va, Q_FAULT_WRITE);
  if (!source || !target || bytes - 1 >= most || (bytes > COPY_BUDGET && (from->va ^ to->va) & 7))
    return false;
  memcpy(target, source, bytes);
  current->asked = 0;
  return true;
}

static __attribute__((noinline)) struct ret copy_slow(q_token token, uint64_t direction, uint64_t offset,
                                                      uint64_t own, uint64_t bytes, uint64_t done,
                                                      uint64_t other_offset) {
  struct side caller, other = {current, own, 0};
  bool to = direction == Q_COPY_TO, between = direction == Q_COPY_BETWEEN;
  int error = side_of_caller(&caller, token, to, offset, bytes);
  if (!error && between)
    error = side_of_caller(&other, own, true, other_offset, bytes);
  if (!error && direction > Q_COPY_BETWEEN)
    error = Q_E_ARG;
  if (error)
    return fail(error);
  return copy(to ? &other : &caller, to ? &caller : &other, bytes, done, between ? REG_A6 : REG_A3);
}

/* The caller who waited is the next to be answered by the receive, like one whose message came last. */
static __attribute__((noinline)) struct ret copy_between(q_token token, uint64_t direction, uint64_t offset,
                                                         uint64_t own, uint64_t bytes, uint64_t done,
                                                         uint64_t other_offset) {
  struct side from, to;
  struct wait *source = token_delivered(token), *target = source ? token_search(own) : NULL;
  if (!target || side_of_wait(&from, source, false, offset, bytes) ||
      side_of_wait(&to, target, true, other_offset, bytes) || !copy_at_once(&from, &to, bytes))
    return copy_slow(token, direction, offset, own, bytes, done, other_offset);
  expect(target);
  return ok(done + bytes);
}

/* Needs no more than the registers that a function may use freely, and knows the rest from the thread's. */
struct ret sys_copy(q_token token, uint64_t direction, uint64_t offset, uint64_t own, uint64_t bytes, uint64_t done,
                    uint64_t other_offset) {
  struct side caller, server = {current, own, 0};
  if (direction <= Q_COPY_TO &&
      !side_of_wait(&caller, token_delivered(token), direction == Q_COPY_TO, offset, bytes)) {
    bool to = direction == Q_COPY_TO;
    struct side from = to ? server : caller, target = to ? caller : server;
    if (copy_at_once(&from, &target, bytes))
      return ok(current->x[REG_A5] + current->x[REG_A4]);
  }
  if (direction == Q_COPY_BETWEEN)
    return copy_between(token, direction, offset, own, bytes, done, other_offset);
  return copy_slow(token, direction, offset, own, bytes, done, other_offset);
}

/* ---- Copying beside other harts ------------------------------------------------------------------------------------ */
/* The table of leaves for that address; NULL: there is none, or a large page. Changes nothing, so it may be asked with one's own
 * hart's lock alone. */
static const pte_t *leaf_of(const struct task *task, uva_t va) {
  if (va >> 21 == task->leaf_tag)
    return task->leaf;
  const pte_t *table = va < Q_USER_TOP ? task->root : NULL;
  for (unsigned shift = 30; table && shift > 12; shift -= 9) {
    pte_t pte = table[va >> shift & 511];
    table = (pte & (PTE_V | PTE_R | PTE_X)) == PTE_V ? pa_to_va(pte_pa(pte)) : NULL;
  }
  return table;
}

/* Where the byte is, as vm_resident() says it, wherever in the space that may be. */
static const char *resident_at(const struct task *task, uva_t va, unsigned kind) {
  const pte_t need = kind == Q_FAULT_WRITE ? PTE_V | PTE_U | PTE_W | PTE_A | PTE_D : PTE_V | PTE_U | PTE_R | PTE_A;
  const pte_t *leaf = leaf_of(task, va);
  pte_t pte = leaf ? __atomic_load_n(&leaf[va >> Q_PAGE_SHIFT & 511], __ATOMIC_ACQUIRE) : 0;
  bool good = (pte & need) == need && frame_of(pte_pa(pte));
  return good ? (const char *)pa_to_va(pte_pa(pte)) + va % Q_PAGE_SIZE : NULL;
}

/* What is copied in vain, since a page is not there, is just copied again. */
static bool copy_resident(struct side *from, struct side *to, uint64_t bytes) {
  if (bytes > Q_PAGE_SIZE || ((from->va ^ to->va) & 7 && bytes > COPY_BUDGET))
    return false;
  while (bytes) {
    uint64_t n = MIN(bytes, Q_PAGE_SIZE - MAX(from->va % Q_PAGE_SIZE, to->va % Q_PAGE_SIZE));
    const char *source = resident_at(from->thread->task, from->va, Q_FAULT_READ);
    char *target = (char *)resident_at(to->thread->task, to->va, Q_FAULT_WRITE);
    if (!source || !target)
      return false;
    memcpy(target, source, n);
    from->va += n;
    to->va += n;
    bytes -= n;
  }
  return true;
}

/* With its own hart's lock alone (hart.c), between the caller of the message that came last and current: both are of this hart, so
 * nobody answers, moves or ends them. Of either's pages none can go meanwhile: a fast path elsewhere adds pages, and replaces one only if
 * the task is good on that hart alone. Current's is good here, since it runs; the caller's must be. What the caller gets is not
 * negative: E_CALL if it is not that, and then nothing has changed, as system calls see it. */
struct ret copy_beside(q_token token, uint64_t direction, uint64_t offset, uint64_t own, uint64_t bytes,
                       uint64_t done) {
  const struct hart *hart = this_hart();
  struct wait *wait = token_delivered(token);
  struct side caller, server = {current, own, 0};
  bool to = direction == Q_COPY_TO;
  if (!wait || direction > Q_COPY_TO || side_of_wait(&caller, wait, to, offset, bytes))
    return (struct ret){Q_E_CALL, 0};
  ASSERT_DEBUG(caller.thread->hart == hart);
  if (*hart_own(hart, caller.thread->task->good_on) != hart->generation ||
      !copy_resident(to ? &server : &caller, to ? &caller : &server, bytes))
    return (struct ret){Q_E_CALL, 0};
  current->asked = 0;
  return ok(done + bytes);
}

/* ---- The end of endpoints and servers ------------------------------------------------------------------------------ */
static void sweep_thread(struct thread *thread, const struct task *server, const struct endpoint *endpoint) {
  for (unsigned slot = SLOT_CALL; slot <= SLOT_FAULT; slot++) {
    struct wait *wait = &thread->wait[slot];
    if (wait->state == WAIT_HELD && (wait->server == server || wait->endpoint == endpoint))
      wait_orphan(wait);
  }
}

bool wait_sweep(const struct task *server, const struct endpoint *endpoint, uint32_t *cursor) {
  for (; *cursor < kernel.frame_count; ++*cursor) {
    const struct frame *frame = &kernel.frames[*cursor];
    bool threads = frame->kind == FRAME_TASK || frame->kind == FRAME_THREADS;
    if (!work(threads ? 800 : 20))
      return false;
    for (unsigned i = 1; threads && i < 4; i++) /* slot 0 holds no thread */
      sweep_thread(pa_to_va(frame_pa(frame) + i * 1024), server, endpoint);
    if (*cursor % 512 == 0 && !kernel.blocks[*cursor / 512].owner)
      *cursor += 511;
  }
  return true;
}

static void endpoint_free(struct endpoint *endpoint) {
  ASSERT(!endpoint->queue.head && !receiver_next(endpoint));
  kernel.info.endpoints--;
  memset(endpoint, 0, sizeof *endpoint);
}

bool endpoint_empty(struct endpoint *endpoint) {
  endpoint->object.dying = 1;
  endpoint_note(endpoint);
  for (struct thread *receiver; (receiver = receiver_next(endpoint)) || endpoint->queue.head;) {
    if (!work(PAGE_WORK)) /* the last zombie of a page frees it */
      return false;
    if (endpoint->queue.head) {
      wait_orphan(list_first(&endpoint->queue, struct wait, link));
      continue;
    }
    receiver_unqueue(receiver);
    thread_result(receiver, -Q_E_DEAD, 0);
    thread_ready(receiver);
  }
  if (endpoint->object.held && !wait_sweep(NULL, endpoint, &endpoint->cursor))
    return false;
  return object_void_handles(&endpoint->object);
}

bool endpoint_destroy(struct endpoint *endpoint) {
  if (!endpoint_empty(endpoint))
    return false;
  endpoint_free(endpoint);
  return true;
}

void endpoint_abandon(struct endpoint *endpoint) {
  if (!endpoint->object.held && !endpoint->queue.head && !receiver_next(endpoint))
    endpoint_free(endpoint);
}
