/* SPDX-License-Identifier: BSD-2-Clause */
/* Threads of one process that wait for each other: at an address, until another one wakes it (H. Franke, R. Russell, M. Kirkwood,
 * "Fuss, Futexes and Furwocks", Ottawa Linux Symposium 2002). No wake is lost, since whoever wakes has changed the bytes before:
 * its request comes after the wait, which it finds in the list, or before, and then the bytes are not as expected. */
#include "server.h"

#define NEVER UINT64_MAX

/* ---- Time limits: a second thread sleeps until the first of them is over --------------------------------------------------- */
static struct link timed = LIST_HEAD(timed); /* by deadline */
static struct timer {
  uint64_t until; /* NEVER: it sleeps no more */
  q_handle thread, signal;
} timer = {.until = NEVER};

static uint64_t deadline(const struct request *q) {
  return q->m.word[2];
}

/* It needs no more than a little stack: neither the C library nor a variable but this. */
static void sleeper(const struct timer *own) {
  q_sleep_until(own->until);
  q_notify(own->signal, BIT_TIME);
  for (;;)
    q_sleep_until(NEVER);
}

/* One that sleeps already cannot be told to sleep less: there is a new one. */
static bool timer_set(uint64_t until) {
  static char stack[512] __attribute__((aligned(16)));
  if (!timer.signal && q_handle_dup(P_HANDLE_OWN, Q_RIGHT_NOTIFY, BIT_TIME, &timer.signal))
    return false;
  if (timer.thread)
    q_handle_destroy(timer.thread);
  timer.thread = 0;
  timer.until = NEVER;
  if (q_thread_create(P_HANDLE_TASK, Q_PRIORITY_SERVER, &timer.thread))
    return false;
  timer.until = until;
  return !q_thread_start(timer.thread, (uint64_t)sleeper, (uint64_t)(stack + sizeof stack), (uint64_t)&timer);
}

/* A wait that nobody would end returns now, as any wait may. */
void futex_lined_up(struct request *q) {
  struct link *before = timed.previous;
  if (deadline(q) == NEVER)
    return;
  while (before != &timed && deadline(LIST_ITEM(before, struct request, timed)) > deadline(q))
    before = before->previous;
  list_add(before->next, &q->timed);
  if (deadline(q) < timer.until && !timer_set(deadline(q)))
    request_answer(q, 0);
}

void futex_times(void) {
  timer.until = NEVER;
  while (!list_empty(&timed)) {
    struct request *q = LIST_ITEM(timed.next, struct request, timed);
    if (deadline(q) > q_time()) {
      if (timer_set(deadline(q)))
        return;
      request_answer(q, 0);
    } else
      request_answer(q, ETIMEDOUT);
  }
}

/* ---- Requests ---------------------------------------------------------------------------------------------------------------- */
int do_futex_wait(struct request *q, struct q_reply *r) {
  (void)r;
  uint32_t value;
  int error = q->m.read_bytes == sizeof value ? load(q, 0, &value, sizeof value) : EINVAL;
  if (error || value != (uint32_t)q->m.word[1])
    return error;
  return deadline(q) <= q_time() ? ETIMEDOUT : wait_in(q, &q->caller->futexes);
}

/* One that is no more, because another has ended it, does not count. */
int do_futex_wake(struct request *q, struct q_reply *r) {
  struct link *next, *head = &q->caller->futexes;
  for (struct link *link = head->next; link != head && r->word[0] < q->m.word[1]; link = next) {
    struct request *waiter = LIST_ITEM(link, struct request, queued);
    next = link->next;
    if (waiter->m.word[0] == q->m.word[0])
      r->word[0] += request_answer(waiter, 0);
  }
  return 0;
}
