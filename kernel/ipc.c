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

static q_token token_of(struct wait *wait) {
  uint64_t index = ((uint64_t)wait_thread(wait) - PHYSMAP - kernel.ram_base) >> 10;
  return wait->sequence << kernel.token_shift | index << 1 | wait->slot;
}

static struct wait *token_find(q_token token) {
  uint64_t name = token & ((1ul << kernel.token_shift) - 1), index = name >> 1;
  pa_t pa = kernel.ram_base + (index << 10);
  const struct frame *frame = frame_of(pa); /* NULL for a name that is no RAM */
  if (!frame || !(index & 3) || (frame->kind != FRAME_TASK && frame->kind != FRAME_THREADS))
    return NULL;
  struct wait *wait = &((struct thread *)pa_to_va(pa))->wait[name & 1];
  bool match = wait->state == WAIT_HELD && wait->server == current->task &&
               wait->sequence << kernel.token_shift == token - name;
  return match ? wait : NULL;
}

static void wait_open(struct wait *wait, unsigned message, uint64_t badge) {
  ASSERT_DEBUG(wait->state == WAIT_NONE && !wait->queued);
  wait->sequence = ++wait_thread(wait)->sequence;
  wait->badge = badge;
  wait->message = (uint8_t)message;
  wait->state = WAIT_SENT;
}

static inline void wait_hold(struct wait *wait, struct endpoint *endpoint, struct task *server) {
  wait->state = WAIT_HELD;
  wait->endpoint = endpoint;
  wait->server = server;
  server->received = true;
  endpoint->object.held = 1;
}

/* ---- Queues ------------------------------------------------------------------------------------------------------ */
static void enqueue(struct endpoint *endpoint, struct wait *wait) {
  ASSERT(!wait->queued);
  wait->endpoint = endpoint;
  wait->queued = 1;
  wait->next = NULL;
  wait->prev = endpoint->queue.tail;
  *(wait->prev ? &wait->prev->next : &endpoint->queue.head) = wait;
  endpoint->queue.tail = wait;
}

static void wait_unqueue(struct wait *wait) {
  if (!wait->queued)
    return;
  struct queue *queue = &wait->endpoint->queue;
  *(wait->next ? &wait->next->prev : &queue->tail) = wait->prev;
  *(wait->prev ? &wait->prev->next : &queue->head) = wait->next;
  wait->queued = 0;
}

void wait_cancel(struct wait *wait) {
  wait_unqueue(wait);
  wait->state = WAIT_NONE;
  wait->copying = 0;
}

static void receiver_queue(struct endpoint *endpoint, struct thread *thread) {
  thread->state = THREAD_RECEIVE;
  thread->receiving = endpoint;
  thread->next = NULL;
  thread->prev = endpoint->receivers_tail;
  *(thread->prev ? &thread->prev->next : &endpoint->receivers) = thread;
  endpoint->receivers_tail = thread;
}

void receiver_unqueue(struct thread *thread) {
  struct endpoint *endpoint = thread->receiving;
  ASSERT(thread->state == THREAD_RECEIVE);
  *(thread->next ? &thread->next->prev : &endpoint->receivers_tail) = thread->prev;
  *(thread->prev ? &thread->prev->next : &endpoint->receivers) = thread->next;
  thread->state = THREAD_READY;
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

static void fill_fault(struct thread *receiver, struct thread *sender) {
  receiver->x[REG_A2] = sender->fault_address;
  receiver->x[REG_A3] = sender->x[REG_PC];
  receiver->x[REG_A4] = sender->x[REG_SP];
  receiver->x[REG_A5] = sender->fault_reason;
}

/* ---- A thread that ended while a server copied from it: it stays until the server has been told -------------------- */
#define UNHEARD_MAX 16 /* for all endpoints of one task: a server that does not listen can't keep more of the dead */

static struct task *
host_of(const struct endpoint *endpoint) { /* NULL: a pager object's, which is trusted to receive */
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

/* The receiver's reply_recv returns this message. */
static void fill(struct thread *receiver, struct endpoint *endpoint, struct wait *wait) {
  struct thread *sender = wait_thread(wait);
  bool fault = wait->slot == SLOT_FAULT;
  thread_result(receiver, wait->message, fault ? sender->fault_kind : sender->x[REG_A1]);
  if (fault)
    fill_fault(receiver, sender);
  else
    fill_call(receiver, sender, wait->message);
  receiver->x[REG_A6] = token_of(wait);
  receiver->x[REG_A7] = wait->badge;
  receiver->x[REG_T3] = wait->message == Q_MSG_COPY_FAILED ? wait->error : 0;
  wait_hold(wait, endpoint, receiver->task);
  if (sender->object.dying)
    orphan_told(sender);
}

static void send(struct endpoint *endpoint, struct wait *wait) {
  struct thread *receiver = endpoint->receivers;
  if (!receiver)
    return enqueue(endpoint, wait);
  receiver_unqueue(receiver);
  fill(receiver, endpoint, wait);
  thread_ready(receiver);
}

static void fill_bits(struct thread *receiver, struct endpoint *endpoint) {
  thread_result(receiver, Q_MSG_NOTIFY, 0);
  receiver->x[REG_A2] = endpoint->bits;
  endpoint->bits = 0;
}

void endpoint_signal(struct endpoint *endpoint, uint64_t bits) {
  struct thread *receiver = endpoint->receivers;
  endpoint->bits |= bits;
  if (!receiver || !endpoint->bits)
    return;
  receiver_unqueue(receiver);
  fill_bits(receiver, endpoint);
  thread_ready(receiver);
}

/* Straight to a receiver that waits: neither the scheduler nor a queue is touched, and its time is the sender's. */
static inline bool direct(const struct thread *receiver) {
  return receiver && receiver->priority >= current->priority;
}

static inline void take(struct endpoint *endpoint, struct wait *wait, struct thread *receiver) {
  ASSERT_DEBUG(receiver->state == THREAD_RECEIVE && receiver->receiving == endpoint && !receiver->prev);
  endpoint->receivers = receiver->next;
  *(receiver->next ? &receiver->next->prev : &endpoint->receivers_tail) = NULL;
  receiver->state = THREAD_READY;
  wait_hold(wait, endpoint, receiver->task);
  thread_switch(receiver);
}

/* Current has sent that and is blocked. Its slice goes to a receiver that waits, or is kept for it. */
static _Noreturn void send_and_wait(struct endpoint *endpoint, struct wait *wait) {
  struct thread *receiver = endpoint->receivers;
  if (!direct(receiver) || this_hart()->ready_mask >> receiver->priority >> 1) {
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
static bool serves_itself(const struct task *task) {
  return task->window == task->pager;
}

static void fault_open(struct thread *thread, uva_t va, unsigned kind) {
  thread->fault_address = va;
  thread->fault_kind = kind;
  thread->fault_reason = 0;
  wait_open(&thread->wait[SLOT_FAULT], Q_MSG_FAULT, thread->task->badge);
}

_Noreturn void fault_program(uva_t va, unsigned kind) {
  struct thread *thread = current;
  if (__builtin_expect(serves_itself(thread->task), 0))
    exception_self(kind == Q_FAULT_WRITE ? SCAUSE_STORE : kind == Q_FAULT_READ ? SCAUSE_LOAD : SCAUSE_FETCH, va, 0);
  struct wait *wait = &thread->wait[SLOT_FAULT];
  struct endpoint *endpoint = &thread->task->pager->endpoint;
  struct thread *receiver = endpoint->receivers;
  fault_open(thread, va, kind);
  thread->state = THREAD_FAULT;
  if (direct(receiver)) {
    take(endpoint, wait, receiver);
    deliver(Q_MSG_FAULT, kind, va, thread->x[REG_PC], thread->x[REG_SP], 0, token_of(wait), wait->badge);
  }
  send_and_wait(endpoint, wait);
}

struct ret fault_self(uva_t va, unsigned kind) {
  if (serves_itself(current->task))
    return fail(Q_E_FAULT);
  fault_open(current, va, kind | Q_FAULT_COPY);
  current->state = THREAD_FAULT;
  send_and_wait(&current->task->pager->endpoint, &current->wait[SLOT_FAULT]);
}

/* Where the thread's exception is to be sent. */
static struct endpoint *exception_open(struct thread *thread) {
  struct task *task = thread->task;
  struct handle *supervisor = &task->supervisor;
  bool has = supervisor->type == OBJECT_ENDPOINT && !supervisor->object->dying;
  if (!has && serves_itself(task)) {
    print("quire: the first program stopped: scause %lx, stval %lx, pc %lx\n", thread->fault_kind,
          thread->fault_address, thread->x[REG_PC]);
    machine_off(true);
  }
  wait_open(&thread->wait[SLOT_FAULT], Q_MSG_EXCEPTION, has ? supervisor->badge : task->badge);
  return has ? (struct endpoint *)supervisor->object : &task->pager->endpoint;
}

static void exception_send(struct thread *thread) {
  struct endpoint *endpoint = exception_open(thread);
  send(endpoint, &thread->wait[SLOT_FAULT]);
}

_Noreturn void exception_self(uint64_t cause, uint64_t value, uint64_t reason) {
  current->fault_address = value;
  current->fault_kind = cause;
  current->fault_reason = reason;
  current->state = THREAD_FAULT;
  struct endpoint *endpoint = exception_open(current);
  send_and_wait(endpoint, &current->wait[SLOT_FAULT]);
}

/* ---- Answers ----------------------------------------------------------------------------------------------------- */
/* A copy that was PENDING can go on or has failed: the server that holds the call gets the message once more. */
static void copy_settled(struct thread *owner, int error) {
  struct wait *wait = &owner->wait[SLOT_CALL];
  if (!wait->copying)
    return;
  ASSERT(wait->state == WAIT_HELD);
  wait_unqueue(wait); /* a second copy may have begun before the server heard of the first */
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
  if (host && host->unheard >= UNHEARD_MAX && !endpoint->receivers)
    return;
  if (host)
    host->unheard++;
  wait->message = Q_MSG_COPY_FAILED;
  wait->error = Q_E_DEAD;
  wait->state = WAIT_SENT;
  send(endpoint, wait);
}

static struct thread *refuse(struct thread *thread, int reason) {
  static const uint8_t cause[] = {SCAUSE_LOAD, SCAUSE_STORE, SCAUSE_FETCH};
  if (thread->fault_kind & Q_FAULT_COPY) { /* its call fails; a copy says how far it came */
    thread_result(thread, -reason, thread->x[REG_A7] == Q_SYS_copy ? thread->x[REG_A5] : 0);
    return thread;
  }
  thread->fault_kind = cause[thread->fault_kind];
  thread->fault_reason = (uint64_t)reason;
  exception_send(thread);
  return NULL;
}

static int map_answer(struct thread *thread, const uint64_t *word) {
  bool write = (thread->fault_kind & Q_FAULT_KIND) == Q_FAULT_WRITE;
  struct mapping mapping = {word[0], word[1], word[2], word[3],
                            write ? thread->fault_address & ~(Q_PAGE_SIZE - 1ul) : ~0ul};
  return vm_map(thread->task->pager, thread->task, &mapping);
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
  wait_cancel(wait);
  if (wait->slot == SLOT_CALL) {
    wait_cancel(&thread->wait[SLOT_FAULT]);
    thread_result(thread, -Q_E_DEAD, 0);
    thread_ready(thread);
  } else if (wait->message == Q_MSG_EXCEPTION) {
    exception_send(thread);
  } else {
    wait_open(wait, Q_MSG_FAULT, thread->task->badge);
    send(&thread->task->pager->endpoint, wait);
  }
}

/* ---- Receiving --------------------------------------------------------------------------------------------------- */
static _Noreturn void proceed(void) {
  if (!this_hart()->resched)
    resume();
  preempt();
}

static _Noreturn void receive_now(struct endpoint *endpoint) {
  if (endpoint->bits) {
    fill_bits(current, endpoint);
  } else {
    struct wait *wait = endpoint->queue.head;
    wait_unqueue(wait);
    fill(current, endpoint, wait);
  }
  proceed();
}

/* The receiver waits, and others than the thread it woke come first. */
static void wake_later(struct thread *wake) {
  if (this_hart()->slice_class <= wake->priority)
    slice_keep(wake); /* the receiver ran on it */
  thread_continue(wake);
}

static _Noreturn void receive(struct endpoint *endpoint, struct thread *wake) {
  if (endpoint->bits || endpoint->queue.head) {
    if (wake)
      thread_continue(wake); /* the slice that runs stays with the receiver */
    receive_now(endpoint);
  }
  current->x[REG_A6] = 0; /* the token is spent, whatever becomes of the receive */
  receiver_queue(endpoint, current);
  if (!wake || this_hart()->rivals >> wake->priority >> 1) {
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

/* The words of the answer lie in the thread's saved registers. */
struct ret sys_reply_recv(uint64_t a0, uint64_t label, uint64_t w0, uint64_t w1, uint64_t w2, uint64_t w3,
                          q_token token) {
  (void)w0, (void)w1, (void)w2, (void)w3;
  struct thread *wake = NULL;
  struct handle *handle = NULL;
  int error = 0;
  if (a0)
    handle = handle_check(a0, OBJECT_ENDPOINT, Q_RIGHT_RECV, &error);
  if (!error && token)
    error = answer(token, label, &current->x[REG_A2], &wake);
  if (error)
    return fail(error);
  if (handle)
    receive((struct endpoint *)handle->object, wake);
  if (wake)
    thread_ready(wake);
  return ok(0);
}

struct ret sys_call(uint64_t a0, uint64_t label, uint64_t w0, uint64_t w1, uint64_t w2, uint64_t w3) {
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
  struct wait *wait = &client->wait[SLOT_CALL];
  struct thread *receiver = endpoint->receivers;
  wait_open(wait, Q_MSG_CALL, handle->badge);
  client->state = THREAD_CALL;
  if (direct(receiver) && !(x[REG_T0] | x[REG_T2] | x[REG_T4])) {
    take(endpoint, wait, receiver);
    deliver(Q_MSG_CALL, label, w0, w1, w2, w3, token_of(wait), wait->badge);
  }
  send_and_wait(endpoint, wait);
}

struct ret sys_notify(uint64_t a0, uint64_t bits) {
  int error;
  const struct handle *any = handle_find(current->task, a0);
  if (any && any->type == OBJECT_IRQ) {
    struct handle *irq = handle_check(a0, OBJECT_IRQ, Q_RIGHT_MANAGE, &error);
    if (irq)
      irq_ack((struct irq *)irq->object);
    return fail(error);
  }
  struct handle *handle = handle_check(a0, OBJECT_ENDPOINT, Q_RIGHT_NOTIFY, &error);
  if (!handle)
    return fail(error);
  endpoint_signal((struct endpoint *)handle->object, bits & handle->badge);
  return ok(0);
}

/* ---- Copying between the parties of a call ------------------------------------------------------------------------- */
#define COPY_BUDGET 2048 /* bytes that one entry copies one by one: bounds the time without interrupts */
#define COPY_STEP 256    /* what a step costs at least, in such bytes; a page by whole words costs that, too */

static struct ret copy_pending(struct thread *owner, uva_t va, unsigned kind, uint64_t done) {
  owner->wait[SLOT_CALL].copying = 1;
  if (owner->wait[SLOT_FAULT].state == WAIT_NONE) {
    fault_open(owner, va, kind | Q_FAULT_COPY);
    send(&owner->task->pager->endpoint, &owner->wait[SLOT_FAULT]);
  }
  return (struct ret){-Q_E_PENDING, done};
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

struct ret sys_copy(q_token token, uint64_t direction, uint64_t offset, uva_t own, uint64_t bytes, uint64_t done) {
  struct wait *wait = token_find(token);
  if (!wait || wait->slot != SLOT_CALL)
    return fail(Q_E_TOKEN);
  struct thread *owner = wait_thread(wait);
  bool to = direction == Q_COPY_TO;
  uva_t base = owner->x[to ? REG_T3 : REG_T1];
  uint64_t size = owner->x[to ? REG_T4 : REG_T2];
  if (direction > Q_COPY_TO || offset > size || bytes > size - offset)
    return fail(Q_E_ARG);
  for (uint64_t budget = COPY_BUDGET; bytes && budget;) {
    uint64_t n = copy_step(base + offset, own, bytes, &budget);
    char *theirs = vm_resolve(owner->task, base + offset, to ? Q_FAULT_WRITE : Q_FAULT_READ);
    if (!theirs)
      return copy_pending(owner, base + offset, to ? Q_FAULT_WRITE : Q_FAULT_READ, done);
    char *mine = vm_resolve(current->task, own, to ? Q_FAULT_READ : Q_FAULT_WRITE);
    if (!mine)
      return fault_self(own, to ? Q_FAULT_READ : Q_FAULT_WRITE);
    memcpy(to ? theirs : mine, to ? mine : theirs, n);
    current->x[REG_A2] = offset += n;
    current->x[REG_A3] = own += n;
    current->x[REG_A4] = bytes -= n;
    current->x[REG_A5] = done += n;
  }
  if (bytes)
    restart();
  return ok(done);
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
  while (*cursor < kernel.frame_count) {
    if (*cursor % 512 == 0 && !kernel.blocks[*cursor / 512].owner) {
      *cursor += 512;
      continue;
    }
    const struct frame *frame = &kernel.frames[*cursor];
    bool threads = frame->kind == FRAME_TASK || frame->kind == FRAME_THREADS;
    if (!work(threads ? 800 : 20))
      return false;
    ++*cursor;
    if (!threads)
      continue;
    struct thread *page = pa_to_va(frame_pa(frame)); /* its slot 0 holds no thread */
    for (unsigned i = 1; i < 4; i++)
      sweep_thread((struct thread *)((char *)page + i * 1024), server, endpoint);
  }
  return true;
}

static void queue_dissolve(struct wait *wait) {
  struct thread *sender = wait_thread(wait);
  wait_unqueue(wait);
  if (sender->object.dying)
    orphan_told(sender);
  else
    wait_orphan(wait);
}

static void endpoint_free(struct endpoint *endpoint) {
  ASSERT(!endpoint->queue.head && !endpoint->receivers);
  kernel.info.endpoints--;
  memset(endpoint, 0, sizeof *endpoint);
}

bool endpoint_empty(struct endpoint *endpoint) {
  endpoint->object.dying = 1;
  while (endpoint->queue.head || endpoint->receivers) {
    if (!work(PAGE_WORK)) /* the last zombie of a page frees it */
      return false;
    if (endpoint->queue.head) {
      queue_dissolve(endpoint->queue.head);
      continue;
    }
    struct thread *receiver = endpoint->receivers;
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
  if (!endpoint->object.held && !endpoint->queue.head && !endpoint->receivers)
    endpoint_free(endpoint);
}
