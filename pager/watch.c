/* SPDX-License-Identifier: BSD-2-Clause */
/* A hook of a policy that does not return must not stop the pager. A thread of the pager's own priority looks ten times a second
 * whether a hook is being asked that it has seen there before: it runs between the slices of the one that asks, or on another hart.
 * After two seconds of that the asking thread is stopped. They do not count while the hook asks of the pool's pages, each a few
 * times at most: with many pages and a slow machine that may take longer. If it is in that hook still, it begins where the hook is left:
 *   - in the place of the hook's return, where all locks are held (ask.h);
 *   - or, since a plain fault's hook is asked with nothing decided and nothing taken (answer_asked(), main.c), anew: with the
 *     faulter told to try again. What such a thread had on its stack and in its registers is no loss then.
 * Nothing here waits for a lock, calls what could, or changes what the others see but by that. */
#include "shell.h"

#include "ask.h"

#define LOOKS 10 /* a second */
#define PATIENCE (2 * LOOKS)
#define QUESTIONS 8 /* about each page of the pool: more is no way to get on */

extern char watch_thread[], ask_abandon[]; /* ask.S */
_Noreturn void watch_for_ever(void);
static char stack[1024] __attribute__((aligned(16)));

/* What was there when it was last looked, and how often it was so. */
struct seen {
  uint64_t what;
  unsigned looks;
};

static bool too_long(struct seen *seen, uint64_t what) {
  seen->looks = what && seen->what == what ? seen->looks + 1 : 0;
  seen->what = what;
  return seen->looks >= PATIENCE;
}

static void look_at_plain(unsigned number, struct seen *seen) {
  const q_token *token = &stocks[number].asked.token;
  q_handle thread = thread_of(number);
  if (!too_long(seen, __atomic_load_n(token, __ATOMIC_RELAXED)) || q_thread_stop(thread))
    return;
  if (__atomic_load_n(token, __ATOMIC_RELAXED) == seen->what)
    q_thread_start(thread, (uint64_t)pager_again, stack_of(number), number);
  else
    q_thread_resume(thread);
}

/* A hook that has been seen has a mark, which the next one has not. */
static uint64_t mark(void) {
  uint64_t sp = __atomic_load_n(&asked_sp, __ATOMIC_RELAXED);
  if (sp & 1)
    return sp;
  if (sp)
    __atomic_compare_exchange_n(&asked_sp, &sp, sp | 1, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
  return 0;
}

/* The thread stands still. */
static void leave(q_handle thread, uint64_t what) {
  bool same = __atomic_load_n(&asked_sp, __ATOMIC_RELAXED) == what;
  asked_late = same && asked_inside; /* else it may just have been about to see that it is */
  if (same && !asked_inside)
    q_thread_start(thread, (uint64_t)ask_abandon, what & ~1ul, 0);
  else
    q_thread_resume(thread);
}

/* It has asked since the last look, and not too often since the first. */
static bool asks_on(const struct seen *seen) {
  static uint64_t first, last;
  uint64_t now = __atomic_load_n(&asked_pages, __ATOMIC_RELAXED), before = last;
  last = now;
  first = seen->looks ? first : now;
  return now != before && now - first < QUESTIONS * asked_size;
}

static void look_at_others(struct seen *seen) {
  unsigned number = boot->harts > 1 ? (unsigned)(frames.stock - stocks) : 0;
  q_handle thread = thread_of(number);
  bool late = too_long(seen, mark());
  if (asks_on(seen))
    seen->looks = seen->looks ? 1 : 0;
  else if (late && !q_thread_stop(thread))
    leave(thread, seen->what);
}

_Noreturn void watch_for_ever(void) {
  static struct seen plain[STOCKS], others;
  for (;;) {
    q_sleep_until(q_time() + boot->timebase / LOOKS);
    for (unsigned i = 0; i < frames.stock_count; i++)
      look_at_plain(i, &plain[i]);
    look_at_others(&others);
  }
}

static q_handle watcher;

bool watch_start(void) {
  return !q_thread_create(boot->task, Q_PRIORITY_PAGER, &watcher);
}

void watch_begin(void) {
  q_thread_start(watcher, (uint64_t)watch_thread, (uint64_t)(stack + sizeof stack), 0); /* once: else it is E_BUSY */
}

void backend_lost(const struct policy *policy, const char *hook_name) {
  say("policy %s: %s() has not returned for two seconds: it is asked no more, and all goes on without it",
      policy->name, hook_name);
}
