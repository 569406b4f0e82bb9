/* SPDX-License-Identifier: BSD-2-Clause */
/* Process groups: who is of which, and what is meant for all of one. Plain POSIX, see unix.h. */
#include "unix.h"

#include <sys/resource.h>

static struct gate told, go;

static void start(void) {
  gate_make(&told);
  gate_make(&go);
}

static void end(void) {
  gate_close(&go);
  gate_close(&told);
}

static void wait_to_end(void) {
  gate_open(&told);
  gate_pass(&go);
}

static void lead(void) {
  MUST_EQ(getpgrp(), getpgid(getppid()));
  MUST_EQ(setpgid(0, 0), 0);
  MUST_EQ(getpgrp(), getpid());
  MUST_EQ(setpgid(0, 0), 0); /* once more */
  wait_to_end();
}

static void joined(void) {
  start();
  pid_t leader = begin(lead);
  gate_pass(&told);
  CHECK_EQ(getpgid(leader), leader);
  pid_t member = begin(wait_to_end);
  gate_pass(&told);
  CHECK_EQ(getpgid(member), getpgrp());
  CHECK_EQ(setpgid(member, leader), 0);
  CHECK_EQ(getpgid(member), leader);
  CHECK_EQ(setpgid(member, leader), 0);
  CHECK_EQ(kill(-leader, 0), 0);
  CHECK_EQ(killpg(leader, SIGKILL), 0);
  dies(member, SIGKILL);
  dies(leader, SIGKILL);
  FAILS(kill(-leader, SIGKILL), ESRCH);
  end();
}

static void move_parent(void) {
  MUST_FAIL(setpgid(getppid(), 0), ESRCH);
}

static void refused(void) {
  start();
  exits(begin(move_parent), 0);
  FAILS(setpgid(-1, 0), EINVAL);
  FAILS(setpgid(0, -1), EINVAL);
  FAILS(getpgid(999999), ESRCH);
  FAILS(kill(-999999, SIGKILL), ESRCH);
  FAILS(waitpid(-999999, NULL, 0), ECHILD);
  end();
}

static void stay(void) {
  gate_open(&told);
  pause_for(10000);
}

static void kill_own_group(void) {
  MUST_EQ(setpgid(0, 0), 0);
  begin(stay);
  begin(stay);
  gate_pass(&go);
  kill(0, SIGKILL);
  pause_for(10000);
}

static void own(void) {
  start();
  pid_t leader = begin(kill_own_group);
  gate_pass(&told);
  gate_pass(&told);
  gate_open(&go);
  dies(leader, SIGKILL);
  close(go.fd[1]); /* held by nobody: an end that its readers would see */
  close(told.fd[1]);
  char byte;
  CHECK_EQ(read(told.fd[0], &byte, 1), 0);
  close(go.fd[0]);
  close(told.fd[0]);
  drain();
}

static void waits(void) {
  int status;
  start();
  pid_t leader = begin(lead), other = begin(wait_to_end);
  gate_pass(&told);
  gate_pass(&told);
  CHECK_EQ(waitpid(-leader, &status, WNOHANG), 0);
  CHECK_EQ(waitpid(0, &status, WNOHANG), 0);
  CHECK_EQ(kill(leader, SIGKILL), 0);
  CHECK_EQ(waitpid(-leader, &status, 0), leader);
  CHECK_EQ(WTERMSIG(status), SIGKILL);
  FAILS(waitpid(-leader, &status, 0), ECHILD);
  CHECK_EQ(waitpid(0, &status, WNOHANG), 0);
  gate_open(&go);
  CHECK_EQ(waitpid(0, &status, 0), other);
  FAILS(waitpid(0, &status, 0), ECHILD);
  end();
}

static void begin_session(void) {
  MUST_EQ(setsid(), getpid());
  MUST_EQ(getpgrp(), getpid());
  MUST_FAIL(setsid(), EPERM);
}

static void session(void) {
  exits(begin(begin_session), 0);
}

static void touch_pages(void) {
  char *at = fresh(500);
  for (long i = 0; i < 500; i++)
    at[i * PAGE] = 1;
  struct rusage usage;
  MUST_EQ(getrusage(RUSAGE_SELF, &usage), 0);
  MUST(usage.ru_maxrss >= 2000);
}

static void used(void) {
  struct rusage usage;
  int status = 1;
  pid_t pid = begin(touch_pages);
  CHECK_EQ(wait4(pid, &status, 0, &usage), pid);
  CHECK_EQ(status, 0);
  CHECK(usage.ru_maxrss >= 2000 && usage.ru_maxrss < 100000);
  CHECK(usage.ru_minflt >= 500 && usage.ru_minflt < 5000);
  pid = begin(touch_pages);
  CHECK_EQ(wait3(NULL, 0, &usage), pid);
  FAILS(wait4(-1, &status, WNOHANG, &usage), ECHILD);
}

static const struct test tests[] = {
    {"leading and joining", joined}, {"what cannot be", refused}, {"a group kills itself", own},
    {"waiting for a group", waits},  {"a session", session},      {"what a child used", used},
};

int main(void) {
  unix_begin("t_groups");
  return TAP_RUN("groups", tests);
}
