/* SPDX-License-Identifier: BSD-2-Clause */
/* alarm(): a thread of the program sleeps until then and kills it. In a file of its own, because it is linked with real locks
 * (thread.c), which programs without an alarm need not pay for. As with every signal that is sent, no handler runs. */
#include <quire/proc.h>

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "request.h"

static struct p_thread sleeper;
static pid_t owner;       /* the process that the sleeper is of: in a child of fork there is none */
static uint64_t deadline; /* in ticks; 0 if no alarm is set */

static void sleep_and_kill(void *unused) {
  (void)unused;
  q_sleep_until(deadline);
  kill(getpid(), SIGALRM);
  _exit(128 + SIGALRM); /* the first process cannot be killed */
}

/* Ends the sleeper; the seconds that it had left, begun ones counted whole. */
static unsigned cancel(void) {
  uint64_t now = q_time(), rate = p_timebase(), until = deadline;
  bool own = owner == getpid();
  if (until && own)
    p_thread_free(&sleeper);
  else if (until) /* only the parent's memory came along */
    free(sleeper.memory);
  deadline = 0; /* not before it has ended: it may not have read it yet */
  if (!until || !own)
    return 0;
  return until > now ? (unsigned)((until - now + rate - 1) / rate) : 1;
}

/* POSIX knows no failure. Without memory for the sleeper the alarm cannot be kept, so the program ends as if by it. */
unsigned alarm(unsigned seconds) {
  unsigned left = cancel();
  if (!seconds)
    return left;
  owner = getpid();
  deadline = q_time() + seconds * p_timebase();
  if (p_thread_start(&sleeper, sleep_and_kill, NULL, Q_PRIORITY_PROGRAM))
    raise(SIGALRM);
  return left;
}
