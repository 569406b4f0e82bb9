/* SPDX-License-Identifier: BSD-2-Clause */
/* <signal.h>. A signal ends the process that it is sent to; only one that a program raises itself can be handled, by a function
 * or not at all. */
#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "request.h"

int kill(pid_t pid, int signal) {
  return (int)or_errno(pid != -1 ? px_kill((uint64_t)(int64_t)pid, signal) : -EPERM);
}

int killpg(pid_t group, int signal) {
  return group > 1 ? kill(-group, signal) : (int)or_errno(-EINVAL);
}

static _sig_func_ptr handlers[NSIG];

_sig_func_ptr signal(int number, _sig_func_ptr handler) {
  if (number <= 0 || number >= NSIG || number == SIGKILL || number == SIGSTOP) {
    errno = EINVAL;
    return SIG_ERR;
  }
  _sig_func_ptr old = handlers[number];
  handlers[number] = handler;
  return old;
}

/* The first process cannot be killed, and a program of no server can kill nobody: they exit as a shell would say it. */
int raise(int number) {
  if (number <= 0 || number >= NSIG)
    return (int)or_errno(-EINVAL);
  _sig_func_ptr handler = handlers[number];
  if (handler == SIG_IGN)
    return 0;
  if (handler == SIG_DFL) {
    kill(getpid(), number);
    _exit(128 + number);
  }
  handlers[number] = SIG_DFL;
  handler(number);
  return 0;
}
