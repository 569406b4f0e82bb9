/* SPDX-License-Identifier: BSD-2-Clause */
/* What the shell asks of its system, on the build machine: nobody types here, and there are no jobs. */
#include "../../apps/sh/sh.h"

#include <sys/wait.h>
#include <unistd.h>

const char system_help[] = "";

pid_t system_wait(pid_t pid, bool waits, struct ending *ending) {
  int status;
  pid_t got = waitpid(pid ? pid : -1, &status, waits ? 0 : WNOHANG);
  if (got > 0)
    *ending = (struct ending){.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
                              .exited = WIFEXITED(status),
                              .text = "killed"};
  return got;
}

void system_join(pid_t pid, pid_t leader, bool foreground) {
  (void)pid, (void)leader, (void)foreground;
}

bool system_foreground(pid_t job) {
  (void)job;
  return false;
}

bool system_has_jobs(void) {
  return false;
}

bool system_interrupted(void) {
  return false;
}

void system_greet(void) {
}

unsigned long system_instructions(void) {
  return 0;
}

ssize_t edit_line(const char *prompt, struct text *line) {
  (void)prompt, (void)line;
  return 0;
}
