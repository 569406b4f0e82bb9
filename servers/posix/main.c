/* SPDX-License-Identifier: BSD-2-Clause */
/* The posix server: processes and the console for ordinary programs. One thread does all of it and never waits for a
 * client: a request that cannot be finished is kept until what it waits for has happened. */
#include "server.h"
#include "tree.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define BIT_CHILD 1
#define FURTHER 1024 /* kept requests beyond the first of their process, for which there always is room */

struct link input_queue = LIST_HEAD(input_queue), room_queue = LIST_HEAD(room_queue),
            turn_queue = LIST_HEAD(turn_queue);
static struct link woken = LIST_HEAD(woken);
static unsigned further;

typedef int handler(struct request *q, struct q_reply *r);
static handler *const handlers[] = {
#define X(n, name) [n] = do_##name,
    POSIX_REQUESTS(X)
#undef X
};

/* ---- Kept requests --------------------------------------------------------------------------------------------------- */
static struct request *next_kept(const struct process *caller, const struct link *after) {
  return after->next == &caller->kept ? NULL : LIST_ITEM(after->next, struct request, kept);
}

static struct request *kept(const struct process *caller, q_token token) {
  struct request *q = next_kept(caller, &caller->kept);
  while (q && q->m.token != token)
    q = next_kept(caller, &q->kept);
  return q;
}

static void drop(struct request *q) {
  struct process *caller = q->caller;
  list_remove(&q->queued);
  list_remove(&q->kept);
  caller->requests--;
  q->caller = NULL;
  if (q == &caller->one)
    return;
  free(q);
  further--;
}

/* Whoever asked is no more, though its process may be: a thread can be destroyed by another. Of that nobody tells. */
static bool gone(const struct request *q) {
  uint64_t done;
  return q_copy(q->m.token, Q_COPY_FROM, 0, NULL, 0, &done) == -Q_E_TOKEN;
}

static void drop_if(struct process *caller, const struct request *but, bool only_gone) {
  struct request *next, *q = next_kept(caller, &caller->kept);
  for (; q; q = next) {
    next = next_kept(caller, &q->kept);
    if (q != but && (!only_gone || gone(q)))
      drop(q);
  }
}

void requests_drop(struct process *caller, const struct request *but) {
  drop_if(caller, but, false);
}

bool requests_waiting(const struct process *caller, uint64_t *label) {
  const struct request *q = next_kept(caller, &caller->kept);
  if (q)
    *label = q->m.label;
  return q;
}

static void leave_line(struct request *q) {
  list_remove(&q->queued);
  q->queue = NULL; /* a copy is pending, of which the kernel tells */
}

/* ---- Answers --------------------------------------------------------------------------------------------------------- */
static struct q_reply replies[2], *spare = &replies[0];
static struct q_reply *due = &replies[1]; /* goes out with the next receive, if it has a token */

static inline struct q_reply *fresh_reply(void) {
  *spare = (struct q_reply){0};
  return spare;
}

/* The first for a message waits for the receive: so whoever waited goes on before the one whose call has ended the wait. A failed
 * reply means that its caller is gone. */
static inline void answer(struct q_reply *r, q_token token) {
  r->token = token;
  if (due->token) {
    q_reply(r);
  } else {
    spare = due;
    due = r;
  }
}

/* The spare one belongs to the handler that calls this. */
void request_done(struct request *q, uint64_t bytes) {
  struct q_reply r = {.word = {bytes}, .token = q->m.token};
  if (due->token)
    q_reply(&r);
  else
    *due = r;
  drop(q);
}

/* False: it is to be kept. */
static bool run(struct request *q) {
  struct q_reply *r = fresh_reply();
  bool known = q->m.label < sizeof handlers / sizeof *handlers && handlers[q->m.label];
  q->queue = NULL;
  int result = known ? handlers[q->m.label](q, r) : ENOSYS;
  if (result >= 0) {
    r->label = (uint64_t)result;
    answer(r, q->m.token);
  }
  return result != AGAIN;
}

/* ---- Waiting and waking ------------------------------------------------------------------------------------------------ */
static void line_up(struct request *q) {
  if (q->queue)
    list_add(q->queue, &q->queued);
}

static void run_kept(struct request *q) {
  list_remove(&q->queued);
  if (run(q))
    drop(q);
  else
    line_up(q);
}

/* A child or a line is not for the dead. */
void requests_wake(struct link *queue) {
  for (struct request *q; (q = request_first(queue));)
    if (gone(q))
      drop(q);
    else
      list_add(&woken, &q->queued);
}

void request_wake(struct request *q) {
  list_add(&woken, &q->queued);
}

/* Those that go on waiting get in line behind, in the order they had. */
void requests_run(void) {
  for (struct request *q; (q = request_first(&woken));)
    run_kept(q);
}

/* Beyond the first of its process. */
static struct request *further_place(const struct process *caller) {
  if (caller->requests >= POSIX_REQUESTS_EACH || further == FURTHER)
    return NULL;
  struct request *place = malloc(sizeof *place);
  further += place != NULL;
  return place;
}

static struct request *place_for(struct process *caller) {
  struct request *place = caller->one.caller ? further_place(caller) : &caller->one;
  if (place)
    return place;
  drop_if(caller, NULL, true);
  return caller->one.caller ? further_place(caller) : &caller->one;
}

static void keep(struct request *q) {
  struct process *caller = q->caller;
  struct request *place = place_for(caller);
  if (!place) {
    struct q_reply *r = fresh_reply();
    r->label = EAGAIN;
    answer(r, q->m.token);
    return;
  }
  *place = *q;
  list_init(&place->queued);
  list_init(&place->kept);
  list_add(&caller->kept, &place->kept);
  caller->requests++;
  line_up(place);
}

/* ---- Copies -------------------------------------------------------------------------------------------------------- */
static int transfer(struct request *q, unsigned direction, uint64_t offset, const void *own, uint64_t bytes) {
  uint64_t done;
  if (q->m.kind == Q_MSG_COPY_FAILED)
    return copy_error(q);
  int64_t error = q_copy(q->m.token, direction, offset, own, bytes, &done);
  return error == -Q_E_PENDING ? AGAIN : error == -Q_E_ARG ? EINVAL : error ? EFAULT : 0;
}

int load(struct request *q, uint64_t offset, void *own, uint64_t bytes) {
  return transfer(q, Q_COPY_FROM, offset, own, bytes);
}

int store_at(struct request *q, uint64_t offset, const void *own, uint64_t bytes) {
  return transfer(q, Q_COPY_TO, offset, own, bytes);
}

int store(struct request *q, const void *own, uint64_t bytes) {
  return bytes > q->m.write_bytes ? EINVAL : transfer(q, Q_COPY_TO, 0, own, bytes);
}

int hand_over(const struct request *from, const struct request *to, uint64_t bytes, struct request *kept) {
  struct q_copied copied;
  int64_t error = q_copy_between(from->m.token, from->progress, to->m.token, to->progress, bytes, &copied);
  if (!error)
    return 0;
  if (error == -Q_E_PENDING && copied.pending != kept->m.token)
    return AGAIN;
  if (error == -Q_E_PENDING)
    leave_line(kept);
  else if (gone(kept))
    drop(kept);
  else
    return EFAULT;
  return NOT_NOW;
}

int64_t ask_pager(struct q_call *c) {
  int64_t error = q_call(P_HANDLE_PAGER, c);
  return error ? -EIO : c->label ? -(int64_t)c->label : (int64_t)c->word[0];
}

/* ---- Messages -------------------------------------------------------------------------------------------------------- */
static struct request at_hand; /* where a message is received, and done or else kept */

static inline void called(struct request *q) {
  struct process *caller = process_of(q->m.badge);
  if (q->m.handle)
    q_handle_close(q->m.handle); /* no request takes one */
  if (!caller)
    return; /* its task is being destroyed */
  q->caller = caller;
  q->progress = 0; /* all else is set where it is used */
  if (!run(q))
    keep(q);
}

/* A copy can go on, or has failed; or its caller is no more. */
static void copy_settled(const struct q_received *m) {
  const struct process *caller = process_of(m->badge);
  struct request *q = caller ? kept(caller, m->token) : NULL;
  if (!q)
    return;
  if (m->error == Q_E_DEAD)
    return drop(q);
  q->m = *m;
  run_kept(q);
}

int64_t tree_now(void) {
  const uint64_t second = 1000000000;
  uint64_t rate = p_timebase(), ticks = q_time();
  return (int64_t)(ticks / rate * second + ticks % rate * second / rate);
}

static void notified(uint64_t bits) {
  if (bits & BIT_CHILD)
    processes_reap();
  if (bits & P_BIT_BELOW)
    console_event();
}

/* ---- Turns: a long transfer goes on in the time of a second thread, which is one among the programs'. So it shuts out neither
 * the calls that wait here nor those who wait for the processor, however fast the device is. ------------------------------ */
static q_token turn; /* the second thread's call: answered when somebody can go on, who does when it calls again */

static void pace(void) {
  while (!q_call(P_HANDLE_OWN, &(struct q_call){0}))
    ;
}

/* It needs no more than a little stack: neither the C library nor a thread-local variable. */
static bool start_pacer(void) {
  static char stack[512] __attribute__((aligned(16)));
  q_handle thread;
  return !q_thread_create(P_HANDLE_TASK, Q_PRIORITY_PROGRAM, &thread) &&
         !q_thread_start(thread, (uint64_t)pace, (uint64_t)(stack + sizeof stack), 0);
}

static void take_turn(q_token token) {
  turn = token;
  requests_wake(&room_queue);
  requests_wake(&turn_queue);
}

static void end_turn(void) {
  if (!((console_busy && console_owes()) | !list_empty(&turn_queue)))
    return;
  q_reply(&(struct q_reply){.token = turn});
  turn = 0;
}

/* A message that is no request. */
static void heard(const struct q_received *m) {
  if (m->kind == Q_MSG_NOTIFY)
    notified(m->word[0]);
  else if (m->kind == Q_MSG_CALL)
    take_turn(m->token);
  else if (m->kind == Q_MSG_COPY_READY || m->kind == Q_MSG_COPY_FAILED)
    copy_settled(m);
}

static bool watch_children(void) {
  q_handle signal;
  return !q_handle_dup(P_HANDLE_OWN, Q_RIGHT_NOTIFY | Q_RIGHT_DUP, BIT_CHILD, &signal) &&
         !p_watch_children(signal, BIT_CHILD);
}

int main(int argc, char **argv) {
  if (argc < 2) {
    printf("posix: name the first program: serve=posix:PROGRAM\n");
    return 1;
  }
  if (!start_pacer() || !watch_children() || !processes_start(argv + 1))
    return 1;
  for (;;) {
    q_reply_recv(P_HANDLE_OWN, due, &at_hand.m);
    due->token = 0;
    if (at_hand.m.kind == Q_MSG_CALL && at_hand.m.badge)
      called(&at_hand);
    else
      heard(&at_hand.m);
    if (!list_empty(&woken))
      requests_run();
    if (console_busy)
      console_push();
    if (turn)
      end_turn();
  }
}
