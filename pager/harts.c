/* SPDX-License-Identifier: BSD-2-Clause */
/* A thread of the pager for each hart, so that a fault is answered where it happened. The locks are the kernel's once more
 * (kernel/hart.c): a plain fault is decided under the lock of the thread's own stock of frames; everything else holds all
 * of them, and then nobody else is at anything of the pager's. Order: `lock`, then the stocks by number. Who holds its own
 * gives that up before it takes them all. Builds with checks assert the order, and that who gives up a lock has it.
 *
 * A plain answer is on its way to the kernel when its lock is free again, and another thread may have changed something
 * meanwhile. If it is one to a program of one thread, which waits for it, that can only be:
 *   - the program has ended, or runs another. Its threads were ended first, so the answer fails, and the frame comes back
 *     (mend()); what ends it finds a page less than was counted (space_clear());
 *   - another program has got a copy of its own of a page that both had. The answer says that it counts on the other to keep
 *     the page (Q_EXPECT_SHARED), so the last of them does not leave it to nobody;
 *   - another program has given it a budget: the page is in no pool, and is looked for at the next fault (adopt_late()).
 * A program of several threads may do anything meanwhile, so the stock remembers its last answer to one (struct sent):
 *   - what must not be overtaken by a page that was decided on before, a break that goes down, a fork or a budget, takes it back first
 *     (settle()): it says RETRY to the same token, of which the kernel takes one answer only;
 *   - another of its threads got that page first: the answer fails, and says RETRY instead (mend());
 *   - that thread was ended: the answer fails, and is undone then, unless its program went with it (sent_forget()). A fork just
 *     before that charges the child for the page, too.
 * Other threads of the pager count in the same space at that moment, by atomic operations: from the first such fault on, for good,
 * since one of its messages may be in somebody's hands yet when the program has one thread again (space->several).
 * Any other answer that maps something is carried out before the locks are free. */
#include "shell.h"

#include <assert.h>
#include <string.h>

#include "order.h"

#define STACK (16 * 1024)
#define TLS 512 /* picolibc's, above the stack: start.S */

static uint32_t lock = 1; /* the first thread has it until it serves */
static q_handle threads[STOCKS];
static uint64_t stacks[STOCKS];
extern char pager_thread[]; /* start.S */
uint64_t contended;

void lock_wait(uint32_t *word) {
  __atomic_fetch_add(&contended, 1, __ATOMIC_RELAXED);
  while (__atomic_load_n(word, __ATOMIC_RELAXED) || __atomic_exchange_n(word, 1, __ATOMIC_ACQUIRE))
    ;
}

#ifdef CHECK_INVARIANTS
static __thread uint32_t held;

static unsigned rank(const uint32_t *word) {
  return word == &lock ? 0 : 1 + (unsigned)((const struct stock *)word - stocks);
}

void order_taking(const uint32_t *word) {
  assert(order_take(&held, rank(word)));
}

void order_releasing(const uint32_t *word) {
  assert(order_release(&held, rank(word)));
}

/* The thread-local variables of another thread, and that the first one has all locks. */
static void order_begin(char *block) {
  memset(block, 0, TLS);
  held = (2u << frames.stock_count) - 1;
}
#else
static void order_begin(const char *block) {
  (void)block;
}
#endif

void take_all(struct stock *own) {
  release(&own->lock);
  take(&lock);
  for (unsigned i = 0; i < frames.stock_count; i++)
    take(&stocks[i].lock);
  frames.stock = own;
}

void release_all(void) {
  for (unsigned i = 0; i < frames.stock_count; i++)
    release(&stocks[i].lock);
  release(&lock);
}

/* ---- What was received before a program became another ------------------------------------------------------------------- */
/* Another thread may have a message of one of its threads, and wait for a lock. The message is of nobody then, though the
 * process is there. */
void doubt_received(void) {
  for (unsigned i = 0; i < frames.stock_count; i++)
    stocks[i].doubt = &stocks[i] != frames.stock;
}

static bool call_gone(const struct q_received *m) {
  uint64_t done;
  return q_copy(m->token, Q_COPY_FROM, 0, NULL, 0, &done) == -Q_E_TOKEN;
}

bool fault_gone(const struct q_received *m) {
  return q_reply(&(struct q_reply){.label = UINT64_MAX, .token = m->token}) == -Q_E_TOKEN;
}

/* Whether nobody waits for the answer to the message that this thread has received. The two calls change nothing. */
bool nobody_waits(struct stock *own, const struct q_received *m) {
  if (!own->doubt)
    return false;
  own->doubt = false;
  if (m->kind == Q_MSG_FAULT || m->kind == Q_MSG_EXCEPTION)
    return fault_gone(m);
  bool call = m->kind == Q_MSG_CALL || m->kind == Q_MSG_COPY_READY || m->kind == Q_MSG_COPY_FAILED;
  return call && call_gone(m);
}

/* ---- Plain answers to programs of several threads -------------------------------------------------------------------------- */
bool sent_gone(q_token token, int64_t error) {
  struct sent *sent = &frames.stock->sent;
  if (sent->token != token)
    return error == -Q_E_TOKEN;
  bool gone = !sent->badge;
  sent->badge = 0;
  return gone;
}

void sent_forget(const struct space *space) {
  for (unsigned i = 0; space->several && i < frames.stock_count; i++)
    if (stocks[i].sent.badge == space->badge)
      stocks[i].sent.badge = 0;
}

/* The first to answer is who counts: the kernel spends the token once. If it is void already the other answer is carried out,
 * or its thread was ended, and then mend() undoes it. */
static void recall(struct space *space, struct sent *sent) {
  sent->spent = true;
  if (q_reply(&(struct q_reply){.label = Q_REPLY_RETRY, .token = sent->token}) < 0)
    return;
  assert(space->stats.resident);
  space->stats.resident--;
  sent->badge = 0;
}

bool settle(struct space *space, const struct q_received *m) {
  if (frames.stock_count == 1)
    return true;
  for (unsigned i = 0; space->several && i < frames.stock_count; i++)
    if (&stocks[i] != frames.stock && stocks[i].sent.badge == space->badge && !stocks[i].sent.spent)
      recall(space, &stocks[i].sent);
  return !call_gone(m);
}

/* ---- Beginning ----------------------------------------------------------------------------------------------------------- */
uint64_t harts_memory(void) {
  return (boot->harts - 1) * STACK;
}

static int64_t begin(uint64_t number, uint64_t stack) {
  stacks[number] = stack;
  int64_t error = q_thread_create(boot->task, Q_PRIORITY_PAGER, &threads[number]);
  return error ? error : q_thread_start(threads[number], (uint64_t)pager_thread, stack, number);
}

bool harts_start(char *memory) {
  int64_t error = 0;
  frames_share((unsigned)boot->harts);
  for (uint64_t i = 0; i < boot->harts; i++)
    stocks[i].lock = 1;
  for (uint64_t i = 1; i < boot->harts && !error; i++) {
    char *block = memory + i * STACK - TLS;
    order_begin(block);
    error = begin(i, (uint64_t)block);
  }
  return !error;
}

void harts_first(uint64_t stack) {
  threads[0] = boot->thread;
  stacks[0] = stack;
}

q_handle thread_of(uint64_t number) {
  return threads[number];
}

uint64_t stack_of(uint64_t number) {
  return stacks[number];
}
