/* SPDX-License-Identifier: BSD-2-Clause */
/* A thread of the server for each hart, so that a call is answered where it was made. The locks are the kernel's and the pager's once
 * more (kernel/hart.c, pager/harts.c): what only looks, or changes one word of its own (beside.c), is done under the lock of the thread
 * that does it; everything else holds all of them, and then nobody else is at anything of the server's. Order: `lock`, then the
 * threads' by number. Who holds its own gives that up before it takes them all. Builds with checks assert the order, and that who gives
 * up a lock has it.
 *
 * A thread that has all locks may ask the pager or a driver, neither of which ever asks the server. What can come between a message and
 * the lock that its receiver waits for is what another thread does with all of them:
 *   - the process that asked has ended: process_of() knows none of that badge any more;
 *   - it runs another program, or is being ended: whoever does that says so (doubt_received()), and its message is dropped if the kernel
 *     does not know its token any more;
 *   - a copy has become ready before the request that waits for it is kept: a request is kept under the locks under which it was
 *     found to wait. What is done beside others is never kept, but done once more with all locks.
 * The answer to a request goes out when the locks are free again; if nobody waits for it any more it comes to nothing. When one call
 * answers several, as a write to a pipe does its reader, the others go out before. */
#include "harts.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "order.h"

#define STACK (16 * 1024)
#define GUARD 0x6b63617473646e65 /* at its end, where nothing comes if it is large enough */
#define TLS_ALIGN 64             /* program.ld refuses more */
#define SPINS 1000 /* before it lets others have the processor: who has the lock may wait, or wait for this hart */
#define NAP 50000  /* of these to a second, then; twice as long each time */
#define NAPS 5     /* but so often */

extern char __tls_source[], __tls_data_size[], __tls_size[];
extern char worker_entry[]; /* start.S */

static uint32_t lock = 1; /* the first thread has all until it serves */
static struct worker *worker;
static uint64_t nap; /* ticks */
uint64_t workers;

void worker_wait(uint32_t *word);
__attribute__((noinline)) void
worker_wait(uint32_t *word) { /* a function of its own, so that waiting can be counted */
  unsigned spins = 0, naps = 0;
  while (__atomic_load_n(word, __ATOMIC_RELAXED) || __atomic_exchange_n(word, 1, __ATOMIC_ACQUIRE))
    if (++spins % SPINS == 0)
      q_sleep_until(q_time() + (nap << (naps < NAPS ? naps++ : NAPS)));
}

#ifdef CHECK_INVARIANTS
static unsigned rank(const uint32_t *word) {
  return word == &lock ? 0 : 1 + (unsigned)((const struct worker *)word - worker);
}
#define ORDER_TAKE(own, word) assert(order_take(&(own)->held, rank(word)))
#define ORDER_RELEASE(own, word) assert(order_release(&(own)->held, rank(word)))
#define STACK_KEPT(own) assert(!(own)->guard || *(own)->guard == GUARD)
#else
#define ORDER_TAKE(own, word) ((void)(own))
#define ORDER_RELEASE(own, word) ((void)(own))
#define STACK_KEPT(own) ((void)(own))
#endif

static inline void take(struct worker *own, uint32_t *word) {
  ORDER_TAKE(own, word);
  if (__builtin_expect(__atomic_exchange_n(word, 1, __ATOMIC_ACQUIRE), 0))
    worker_wait(word);
}

static inline void release(struct worker *own, uint32_t *word) {
  ORDER_RELEASE(own, word);
  __atomic_store_n(word, 0, __ATOMIC_RELEASE);
}

void worker_take(struct worker *own) {
  take(own, &own->lock);
}

void worker_release(struct worker *own) {
  release(own, &own->lock);
}

static struct worker *holder; /* of all locks */

void all_taken(struct worker *own);
__attribute__((noinline)) void
all_taken(struct worker *own) { /* a function of its own, so that what is done with all locks can be counted */
  holder = own;
}

void take_all(struct worker *own) {
  struct worker *const end = worker + workers;
  take(own, &lock);
  for (struct worker *each = worker; each < end; each++)
    take(own, &each->lock);
  all_taken(own);
}

__attribute__((noinline)) void release_all(struct worker *own) {
  struct worker *const end = worker + workers;
  STACK_KEPT(own);
  for (struct worker *each = worker; each < end; each++)
    release(own, &each->lock);
  release(own, &lock);
}

void doubt_received(void) {
  for (unsigned i = 0; workers > 1 && i < workers; i++)
    worker[i].doubt |= &worker[i] != holder;
}

/* ---- Beginning ------------------------------------------------------------------------------------------------------- */
struct worker *workers_make(void) {
  struct p_system system;
  if (p_system_stats(0, &system) || !(worker = aligned_alloc(_Alignof(struct worker), system.harts * sizeof *worker)))
    return NULL;
  workers = system.harts;
  nap = p_timebase() > NAP ? p_timebase() / NAP : 1;
  holder = worker;
  for (unsigned i = 0; i < workers; i++) {
    struct worker *made = &worker[i];
    *made = (struct worker){.lock = 1, .at_hand = calloc(1, sizeof *made->at_hand)};
    made->spare = &made->replies[0];
    made->due = &made->replies[1];
    if (!made->at_hand)
      return NULL;
  }
  worker->held = (2u << workers) - 1;
  return worker;
}

static int64_t begin(struct worker *own) {
  size_t tls = ((size_t)__tls_size + TLS_ALIGN - 1) & ~(size_t)(TLS_ALIGN - 1);
  char *memory = aligned_alloc(TLS_ALIGN, STACK + tls), *block = memory + STACK;
  if (!memory)
    return -Q_E_NOMEM;
  own->guard = memcpy(memory, &(uint64_t){GUARD}, sizeof(uint64_t));
  memset(block, 0, tls);
  memcpy(block, __tls_source, (size_t)__tls_data_size);
  return q_thread_begin(P_HANDLE_TASK, Q_PRIORITY_SERVER, (uint64_t)worker_entry, (uint64_t)block, (uint64_t)own);
}

bool workers_start(void) {
  int64_t error = 0;
  for (unsigned i = 1; i < workers && !error; i++)
    error = begin(&worker[i]);
  release_all(worker);
  return !error;
}
