/* SPDX-License-Identifier: BSD-2-Clause */
/* The shell's children: started, waited for, and reported if somebody types. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sh.h"

struct child {
  struct child *next;
  pid_t pid, leader;
  bool ended;
  int status;
  char name[32];
};
static struct child *children, **last = &children; /* in the order they were started */
static struct ending ending;

static struct child **place_of(pid_t pid) {
  struct child **place = &children;
  while (*place && (*place)->pid != pid)
    place = &(*place)->next;
  return place;
}

static void forget(struct child **place) {
  struct child *child = *place;
  *place = child->next;
  if (last == &child->next)
    last = place;
  free(child);
}

static void remember(pid_t pid, pid_t leader, const char *name) {
  struct child *child = calloc(1, sizeof *child);
  if (!child)
    return; /* it runs, but is not listed */
  *child = (struct child){.pid = pid, .leader = leader, .status = 127};
  snprintf(child->name, sizeof child->name, "%s", name);
  *last = child;
  last = &child->next;
}

/* What it is not: the parent of the others, one that somebody types to. */
static void be_child(void) {
  while (children)
    forget(&children);
  sh.interactive = sh.jobs = false;
  free(sh.exit_trap);
  sh.exit_trap = NULL;
}

/* Both enter the child into its job: whoever comes first. */
pid_t fork_child(pid_t leader, bool foreground, const char *name) {
  fflush(stdout);
  fflush(stderr);
  pid_t pid = fork();
  if (pid < 0) {
    complain("cannot start", name, strerror(errno));
    return -1;
  }
  if (sh.jobs)
    system_join(pid, leader ? leader : pid, foreground);
  if (pid)
    remember(pid, leader ? leader : pid, name);
  else
    be_child();
  return pid;
}

static void report(const struct child *child, bool background) {
  if (ending.exited && (!sh.jobs || (!ending.status && !background)))
    return;
  fprintf(stderr, "%s (%ld): %s\n", child->name, (long)child->pid, ending.text);
}

/* A child has ended, or -1 and errno. */
static pid_t hear(pid_t pid, bool waits) {
  pid_t got = system_wait(pid, waits, &ending);
  struct child *child = got > 0 ? *place_of(got) : NULL;
  if (child) {
    child->ended = true;
    child->status = ending.status;
    report(child, !waits);
  }
  return got;
}

static bool kill_job(pid_t leader) {
  for (const struct child *child = children; child; child = child->next)
    if (child->leader == leader && !child->ended)
      kill(child->pid, SIGINT);
  sh.leaving = sh.interactive ? INTERRUPTED : EXIT;
  sh.status = 128 + SIGINT;
  return true;
}

int wait_child(pid_t pid) {
  struct child **place = place_of(pid);
  if (!*place)
    return 127;
  pid_t leader = (*place)->leader;
  while (!(*place)->ended)
    if (hear(pid, true) < 0 && (errno != EINTR || !kill_job(leader)))
      break;
  place = place_of(pid);
  int status = (*place)->status;
  if (status == 128 + SIGINT && sh.interactive) /* whoever types it means the whole line */
    sh.leaving = INTERRUPTED;
  forget(place);
  return status;
}

void wait_all(void) {
  while (children && !sh.leaving)
    wait_child(children->pid);
}

const struct ending *last_ending(void) {
  return &ending;
}

void report_ended(void) {
  while (hear(0, false) > 0)
    ;
  for (struct child **place = &children; *place;)
    if ((*place)->ended && (*place)->pid != sh.background) /* that may be waited for yet */
      forget(place);
    else
      place = &(*place)->next;
}

void jobs_show(void) {
  for (const struct child *child = children; child; child = child->next)
    if (!child->ended)
      printf("[%ld] %s\n", (long)child->pid, child->name);
}

bool is_job(pid_t pid) {
  const struct child *child = *place_of(pid);
  return child && !child->ended;
}
