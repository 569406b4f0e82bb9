/* SPDX-License-Identifier: BSD-2-Clause */
/* The posix server: processes and the console for ordinary programs. One thread does all of it and never waits for a
 * client: a request that cannot be finished is kept until what it waits for has happened. */
#include "server.h"

#include <errno.h>
#include <stdio.h>

#define BIT_CHILD 1
#define REQUESTS 512

static struct request requests[REQUESTS]; /* in no order; the ticket tells who came first */
static uint64_t tickets[REQUESTS], next_ticket;
static unsigned further; /* kept ones beyond the first of their process, for which there always is room */

typedef int handler(struct request *q, struct q_reply *r);
static handler *const handlers[] = {
#define X(n, name) [n] = do_##name,
    POSIX_REQUESTS(X)
#undef X
};

/* ---- Copies -------------------------------------------------------------------------------------------------------- */
static int transfer(struct request *q, unsigned direction, uint64_t offset, const void *own, uint64_t bytes) {
  uint64_t done;
  if (q->m.kind == Q_MSG_COPY_FAILED)
    return q->m.error == Q_E_NOFRAME ? ENOMEM : EFAULT;
  int64_t error = q_copy(q->m.token, direction, offset, own, bytes, &done);
  return error == -Q_E_PENDING ? AGAIN_COPY : error == -Q_E_ARG ? EINVAL : error ? EFAULT : 0;
}

int load(struct request *q, uint64_t offset, void *own, uint64_t bytes) {
  return transfer(q, Q_COPY_FROM, offset, own, bytes);
}

int store(struct request *q, const void *own, uint64_t bytes) {
  return bytes > q->m.write_bytes ? EINVAL : transfer(q, Q_COPY_TO, 0, own, bytes);
}

/* ---- Kept requests --------------------------------------------------------------------------------------------------- */
static struct request *kept(q_token token) {
  for (unsigned i = 0; i < REQUESTS; i++)
    if (requests[i].again && requests[i].m.token == token)
      return &requests[i];
  return NULL;
}

static void drop(struct request *q) {
  further -= --q->caller->requests > 0;
  q->again = 0;
}

/* Whoever asked is no more, though its process may be: a thread can be destroyed by another. Of that nobody tells. */
static bool gone(const struct request *q) {
  uint64_t done;
  return q_copy(q->m.token, Q_COPY_FROM, 0, NULL, 0, &done) == -Q_E_TOKEN;
}

static void drop_gone(const struct process *caller) {
  for (unsigned i = 0; i < REQUESTS; i++)
    if (requests[i].again && requests[i].caller == caller && gone(&requests[i]))
      drop(&requests[i]);
}

void requests_drop(const struct process *caller) {
  for (unsigned i = 0; i < REQUESTS; i++)
    if (requests[i].again && requests[i].caller == caller)
      drop(&requests[i]);
}

bool requests_waiting(const struct process *caller, uint64_t *label) {
  for (unsigned i = 0; i < REQUESTS; i++)
    if (requests[i].again && requests[i].caller == caller) {
      *label = requests[i].m.label;
      return true;
    }
  return false;
}

/* Runs it; an answer goes out at once. A failed reply means that the caller is gone. */
static int run(struct request *q) {
  struct q_reply r = {.token = q->m.token};
  bool known = q->m.label < sizeof handlers / sizeof *handlers && handlers[q->m.label];
  int result = known ? handlers[q->m.label](q, &r) : ENOSYS;
  if (result < 0)
    return result;
  r.label = (uint64_t)result;
  q_reply(&r);
  return 0;
}

static struct request *oldest(int again, uint64_t before) {
  struct request *found = NULL;
  uint64_t first = before;
  for (unsigned i = 0; i < REQUESTS; i++)
    if (requests[i].again == again && tickets[i] < first) {
      found = &requests[i];
      first = tickets[i];
    }
  return found;
}

/* Those that go on waiting get in line behind, in the order they had. */
void requests_run(int again) {
  uint64_t end = next_ticket;
  for (struct request *q; (q = oldest(again, end));) {
    tickets[q - requests] = next_ticket++;
    int result = gone(q) ? 0 : run(q); /* a child or a line is not for the dead */
    if (!result)
      drop(q);
    else
      q->again = result;
  }
}

static bool may_keep(const struct process *caller) {
  return !caller->requests || (caller->requests < POSIX_REQUESTS_EACH && further < REQUESTS - POSIX_PROCESSES);
}

static void keep(struct request *q, int again) {
  struct request *slot = requests;
  if (!may_keep(q->caller))
    drop_gone(q->caller);
  if (!may_keep(q->caller)) {
    q_reply(&(struct q_reply){.label = EAGAIN, .token = q->m.token});
    return;
  }
  while (slot->again)
    slot++;
  *slot = *q;
  slot->again = again;
  further += slot->caller->requests++ > 0;
  tickets[slot - requests] = next_ticket++;
}

/* ---- Messages -------------------------------------------------------------------------------------------------------- */
static void called(const struct q_received *m) {
  struct request q = {.m = *m, .caller = process_of(m->badge)};
  if (m->handle)
    q_handle_close(m->handle); /* no request takes one */
  if (!q.caller)
    return; /* its task is being destroyed */
  int result = run(&q);
  if (result)
    keep(&q, result);
}

/* A copy can go on, or has failed; or its caller is no more. */
static void copy_settled(const struct q_received *m) {
  struct request *q = kept(m->token);
  if (!q)
    return;
  q->m = *m;
  bool dead = m->kind == Q_MSG_COPY_FAILED && m->error == Q_E_DEAD;
  int result = dead ? 0 : run(q);
  if (result)
    q->again = result;
  else
    drop(q);
}

static void notified(uint64_t bits) {
  if (bits & BIT_CHILD)
    processes_reap();
  if (bits & P_BIT_BELOW)
    console_event();
}

/* ---- Turns: a long write goes on in the time of a second thread, which is one among the programs'. So it shuts out neither
 * the calls that wait here nor those who wait for the processor, however fast the device is. ------------------------------ */
static q_token
    turn; /* the second thread's call: answered when somebody can go on writing, who does when it calls again */

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
  requests_run(AGAIN_ROOM);
}

static void end_turn(void) {
  if (!turn || !console_owes())
    return;
  q_reply(&(struct q_reply){.token = turn});
  turn = 0;
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
    struct q_received m;
    q_recv(P_HANDLE_OWN, &m);
    if (m.kind == Q_MSG_NOTIFY)
      notified(m.word[0]);
    else if (m.kind == Q_MSG_CALL && !m.badge)
      take_turn(m.token);
    else if (m.kind == Q_MSG_CALL)
      called(&m);
    else if (m.kind == Q_MSG_COPY_READY || m.kind == Q_MSG_COPY_FAILED)
      copy_settled(&m);
    console_push();
    end_turn();
  }
}
