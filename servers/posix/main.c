/* SPDX-License-Identifier: BSD-2-Clause */
/* The posix server: processes and the console for ordinary programs. One thread for each hart does all of it (harts.c) and never waits
 * for a client: a request that cannot be finished is kept until what it waits for has happened. */
#include "file.h"
#include "harts.h"
#include "server.h"
#include "tree.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* What the loops do (main(), worker_serve()): in line, since whoever receives has all registers to spare. */
#define INLINE static inline __attribute__((always_inline))
#define FURTHER 1024 /* kept requests beyond the first of their process, for which there always is room */

struct link input_queue = LIST_HEAD(input_queue), room_queue = LIST_HEAD(room_queue),
            turn_queue = LIST_HEAD(turn_queue);
static struct link woken = LIST_HEAD(woken);
static unsigned further[2]; /* as they are counted in a process */
static const unsigned further_most[2] = {FURTHER, 2 * FURTHER},
                      each_most[2] = {POSIX_REQUESTS_EACH, POSIX_FUTEX_WAITS};

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

static unsigned kind(const struct request *q) {
  return q->m.label == POSIX_futex_wait;
}

static void drop(struct request *q) {
  struct process *caller = q->caller;
  list_remove(&q->queued);
  list_remove(&q->kept);
  list_remove(&q->timed);
  caller->requests[kind(q)]--;
  if (q->file)
    file_give_up(q->file);
  strings_drop(q);
  if (q->further) {
    further[kind(q)]--;
    free(q);
  } else {
    caller->spare = q;
  }
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

void requests_keep_file(struct process *caller, uint64_t fd, struct file *file) {
  for (struct request *q = next_kept(caller, &caller->kept); q; q = next_kept(caller, &q->kept))
    if ((q->m.label == POSIX_read || q->m.label == POSIX_write) && q->m.word[0] == fd && !q->file) {
      q->file = file;
      file->users++;
    }
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
static struct q_reply *spare, *due; /* the latter goes out with the next receive, if it has a token */

static inline struct q_reply *fresh_reply(void) {
  *spare = (struct q_reply){0};
  return spare;
}

/* Of its own, since it leaves no register to its caller. */
static __attribute__((noinline)) void reply_now(const struct q_reply *r) {
  q_reply(r);
}

/* The first for a message waits for the receive: so whoever waited goes on before the one whose call has ended the wait. A failed
 * reply means that its caller is gone. */
static inline void answer(struct q_reply *r, q_token token) {
  r->token = token;
  if (due->token) {
    reply_now(r);
  } else {
    spare = due;
    due = r;
  }
}

/* The spare one belongs to the handler that calls this. */
void request_done(struct request *q, uint64_t bytes) {
  struct q_reply r = {.word = {bytes}, .token = q->m.token};
  if (due->token)
    reply_now(&r);
  else
    *due = r;
  drop(q);
}

bool request_answer(struct request *q, int error) {
  struct q_reply r = {.label = (uint64_t)error, .token = q->m.token};
  bool heard = q_reply(&r) >= 0;
  drop(q);
  return heard;
}

/* False: it is to be kept. */
INLINE bool run(struct request *q) {
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
/* It stands in no line. */
static void line_up(struct request *q) {
  if (!q->queue)
    return list_init(&q->queued);
  list_append(q->queue, &q->queued);
  if (q->m.label == POSIX_futex_wait)
    futex_lined_up(q);
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

/* A message is received where it will be kept, so keeping it takes another place for the next. */
static struct request *at_hand;

/* Beyond the first of its process. */
static struct request *further_place(const struct process *caller, unsigned kind) {
  if (caller->requests[kind] >= each_most[kind] || further[kind] == further_most[kind])
    return NULL;
  struct request *place = calloc(1, sizeof *place);
  if (!place)
    return NULL;
  further[kind]++;
  place->further = true;
  return place;
}

static struct request *spare_place(struct process *caller, unsigned kind) {
  struct request *place = caller->spare;
  caller->spare = NULL;
  return place ? place : further_place(caller, kind);
}

static struct request *place_for(struct process *caller, unsigned kind) {
  struct request *place = spare_place(caller, kind);
  if (place)
    return place;
  drop_if(caller, NULL, true);
  return spare_place(caller, kind);
}

INLINE void keep(struct request *q) {
  struct process *caller = q->caller;
  struct request *place = place_for(caller, kind(q));
  if (!place) {
    strings_drop(q);
    struct q_reply *r = fresh_reply();
    r->label = EAGAIN;
    answer(r, q->m.token);
    return;
  }
  at_hand = place;
  q->further = place->further;
  list_append(&caller->kept, &q->kept);
  list_init(&q->timed);
  caller->requests[kind(q)]++;
  line_up(q);
}

/* ---- Copies -------------------------------------------------------------------------------------------------------- */
static inline int transfer(struct request *q, unsigned direction, uint64_t offset, const void *own, uint64_t bytes,
                           uint64_t *done) {
  if (q->m.kind == Q_MSG_COPY_FAILED)
    return copy_error(q);
  int64_t error = q_copy(q->m.token, direction, offset, own, bytes, done);
  return error == -Q_E_PENDING ? AGAIN : error == -Q_E_ARG ? EINVAL : error ? EFAULT : 0;
}

int load_some(struct request *q, uint64_t offset, void *own, uint64_t bytes, uint64_t *done) {
  return transfer(q, Q_COPY_FROM, offset, own, bytes, done);
}

int store_some(struct request *q, uint64_t offset, const void *own, uint64_t bytes, uint64_t *done) {
  return transfer(q, Q_COPY_TO, offset, own, bytes, done);
}

int load(struct request *q, uint64_t offset, void *own, uint64_t bytes) {
  uint64_t done;
  return load_some(q, offset, own, bytes, &done);
}

int store_at(struct request *q, uint64_t offset, const void *own, uint64_t bytes) {
  uint64_t done;
  return store_some(q, offset, own, bytes, &done);
}

int store(struct request *q, const void *own, uint64_t bytes) {
  return bytes > q->m.write_bytes ? EINVAL : store_at(q, 0, own, bytes);
}

static __attribute__((noinline)) int not_handed(const struct request *from, struct request *to,
                                                const struct q_copied *copied, struct request *kept, int64_t error) {
  if (error == -Q_E_PENDING)
    to->arrived = (struct arrived){to->m.token, from->m.token, from->progress, copied->done};
  if (error == -Q_E_PENDING && copied->pending != kept->m.token)
    return AGAIN;
  if (error == -Q_E_PENDING)
    leave_line(kept);
  else if (gone(kept))
    drop(kept);
  else
    return EFAULT;
  return NOT_NOW;
}

static inline __attribute__((always_inline)) int hand_from(const struct request *from, struct request *to,
                                                           uint64_t before, uint64_t bytes, struct request *kept) {
  struct q_copied copied;
  int64_t error = q_copy_between(from->m.token, from->progress + before, to->m.token, to->progress + before,
                                 bytes - before, &copied);
  if (__builtin_expect(!error, 1))
    return 0;
  copied.done += before;
  return not_handed(from, to, &copied, kept, error);
}

static __attribute__((noinline)) int hand_rest(const struct request *from, struct request *to, uint64_t bytes,
                                               struct request *kept) {
  return hand_from(from, to, arrived(to, from->m.token, from->progress, bytes), bytes, kept);
}

int hand_over(const struct request *from, struct request *to, uint64_t bytes, struct request *kept) {
  return to->arrived.here == to->m.token ? hand_rest(from, to, bytes, kept) : hand_from(from, to, 0, bytes, kept);
}

int64_t ask_pager(struct q_call *c) {
  int64_t error = q_call(P_HANDLE_PAGER, c);
  return error ? -EIO : c->label ? -(int64_t)c->label : (int64_t)c->word[0];
}

/* ---- Messages -------------------------------------------------------------------------------------------------------- */
INLINE void called(struct request *q) {
  struct process *caller = process_of(q->m.badge);
  if (q->m.handle)
    q_handle_close(q->m.handle); /* no request takes one */
  if (!caller)
    return; /* its task is being destroyed */
  q->caller = caller;
  q->file = NULL;
  q->progress = 0; /* all else is set where it is used */
  if (!run(q))
    keep(q);
}

/* A copy can go on, or has failed; or its caller is no more. */
INLINE void copy_settled(const struct q_received *m) {
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

INLINE void notified(uint64_t bits) {
  if (bits & BIT_CHILD)
    processes_reap();
  if (bits & BIT_TIME)
    futex_times();
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

INLINE void take_turn(q_token token) {
  turn = token;
  requests_wake(&room_queue);
  requests_wake(&turn_queue);
}

INLINE void end_turn(void) {
  if (!((console_busy && console_owes()) | !list_empty(&turn_queue)))
    return;
  q_reply(&(struct q_reply){.token = turn});
  turn = 0;
}

/* A message that is no request. */
INLINE void heard(const struct q_received *m) {
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

/* ---- The threads (harts.c) --------------------------------------------------------------------------------------------- */
/* Whatever came. */
INLINE void handle(struct request *q) {
  if (q->m.kind == Q_MSG_CALL && q->m.badge)
    called(q);
  else
    heard(&q->m);
  if (files_unused)
    files_bury();
  if (!list_empty(&woken))
    requests_run();
  if (console_busy)
    console_push();
  if (turn)
    end_turn();
}

static bool answered_beside(struct worker *own, struct request *q) {
  if (q->m.kind != Q_MSG_CALL || !q->m.badge || !may_be_beside(q->m.label))
    return false;
  worker_take(own);
  bool done = !own->doubt && done_beside(q, own->due);
  worker_release(own);
  return done;
}

/* Whoever asked may have been ended since its message was received. */
static bool nobody_waits(struct worker *own, const struct request *q) {
  bool doubt = own->doubt;
  own->doubt = false;
  if (!doubt || q->m.kind != Q_MSG_CALL || !q->m.badge || !gone(q))
    return false;
  if (q->m.handle)
    q_handle_close(q->m.handle);
  return true;
}

static void handle_alone(struct worker *own, struct request *q) {
  take_all(own);
  at_hand = q, spare = own->spare, due = own->due;
  if (!nobody_waits(own, q))
    handle(q);
  own->at_hand = at_hand, own->spare = spare, own->due = due;
  release_all(own);
}

_Noreturn void worker_serve(struct worker *own) {
  for (;;) {
    struct request *q = own->at_hand;
    q_reply_recv(P_HANDLE_OWN, own->due, &q->m);
    own->due->token = 0;
    if (!answered_beside(own, q))
      handle_alone(own, q);
  }
}

int main(int argc, char **argv) {
  if (argc < 2) {
    printf("posix: name the first program: serve=posix:PROGRAM\n");
    return 1;
  }
  struct worker *own = workers_make();
  if (!own || !start_pacer() || !watch_children() || !processes_start(argv + 1) || !workers_start())
    return 1;
  if (workers > 1)
    worker_serve(own);
  at_hand = own->at_hand, spare = own->spare, due = own->due;
  for (;;) { /* as it would be, with nobody to lock out */
    struct request *q = at_hand;
    q_reply_recv(P_HANDLE_OWN, due, &q->m);
    due->token = 0;
    handle(q);
  }
}
