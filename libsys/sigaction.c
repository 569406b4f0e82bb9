/* SPDX-License-Identifier: BSD-2-Clause */
/* What <signal.h> and <sched.h> have beside signal.c. No signal reaches a handler but by raise(), so masks change nothing; they
 * are kept for those who ask. */
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include "request.h"

#undef sigemptyset
#undef sigfillset
#undef sigaddset
#undef sigdelset
#undef sigismember

static struct sigaction actions[NSIG];
static sigset_t blocked;

int sigaction(int number, const struct sigaction *wanted, struct sigaction *old) {
  if (number <= 0 || number >= NSIG)
    return (int)or_errno(-EINVAL);
  struct sigaction before = actions[number];
  if (wanted && signal(number, wanted->sa_handler) == SIG_ERR)
    return -1;
  if (wanted)
    actions[number] = *wanted;
  if (old)
    *old = before;
  return 0;
}

int sigprocmask(int how, const sigset_t *set, sigset_t *old) {
  sigset_t before = blocked;
  if (set && how != SIG_BLOCK && how != SIG_UNBLOCK && how != SIG_SETMASK)
    return (int)or_errno(-EINVAL);
  if (set)
    blocked = how == SIG_BLOCK ? blocked | *set : how == SIG_UNBLOCK ? blocked & ~*set : *set;
  if (old)
    *old = before;
  return 0;
}

int sigpending(sigset_t *set) {
  *set = 0;
  return 0;
}

int sigemptyset(sigset_t *set) {
  *set = 0;
  return 0;
}

int sigfillset(sigset_t *set) {
  *set = ~(sigset_t)0;
  return 0;
}

int sigaddset(sigset_t *set, const int number) {
  *set |= (sigset_t)1 << number;
  return 0;
}

int sigdelset(sigset_t *set, const int number) {
  *set &= ~((sigset_t)1 << number);
  return 0;
}

int sigismember(const sigset_t *set, int number) {
  return (*set >> number & 1) != 0;
}

int sched_yield(void) {
  q_yield();
  return 0;
}
