/* SPDX-License-Identifier: BSD-2-Clause */
/* Processes: who is whose child, which job each is of, and how each ended. The pager makes and ends them; to it they are
 * all children of this server. */
#include "file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define SLOTS 256
static struct process processes[SLOTS]; /* slot 0 is none's */
static uint64_t first, foreground; /* the first process, whose job is the shell's; the job that has the console */
static uint64_t generation;
static unsigned count;

struct process *process_of(uint64_t badge) {
  struct process *process = &processes[badge % SLOTS];
  return badge && process->badge == badge && !process->ended ? process : NULL;
}

struct process *process_named(uint64_t pid) {
  for (unsigned i = 1; i < SLOTS; i++)
    if (processes[i].badge && processes[i].pid == pid)
      return &processes[i];
  return NULL;
}

bool in_foreground(const struct process *process) {
  return process->job == foreground;
}

bool interrupted(struct process *process) {
  bool was = process->interrupted;
  process->interrupted = false;
  return was;
}

/* ---- Beginning ------------------------------------------------------------------------------------------------------ */
static struct process *process_new(void) {
  if (count == POSIX_PROCESSES)
    return NULL;
  for (unsigned i = 1; i < SLOTS; i++)
    if (!processes[i].badge) {
      processes[i] = (struct process){.badge = ++generation * SLOTS + i};
      count++;
      return &processes[i];
    }
  return NULL;
}

static void process_free(struct process *process) {
  process->badge = 0;
  count--;
}

/* The pager's answer: its id, or a negated errno value. */
static int64_t start(struct process *process, const char *program, const char *strings, uint64_t bytes,
                     uint64_t environment) {
  static char text[P_NAME_MAX + P_SPAWN_MAX];
  q_handle server;
  size_t name = strlen(program) + 1;
  if (name > P_NAME_MAX)
    return -ENAMETOOLONG;
  memcpy(text, program, name);
  memcpy(text + name, strings, bytes);
  if (q_handle_dup(P_HANDLE_OWN, Q_RIGHT_SEND | Q_RIGHT_DUP, process->badge, &server))
    return -ENOMEM;
  struct q_call c = {.label = P_spawn,
                     .word = {name + bytes, P_SPAWN_CLIENT | P_SPAWN_QUIET | P_SPAWN_NAMED, environment},
                     .handle = server,
                     .read = text,
                     .read_bytes = name + bytes};
  int64_t error = q_call(P_HANDLE_PAGER, &c);
  q_handle_close(server);
  return error ? -EIO : c.label ? -(int64_t)c.label : (int64_t)c.word[0];
}

bool processes_start(char **argv) {
  char text[P_SPAWN_MAX];
  uint64_t used = 0;
  struct process *process = process_new();
  if (!files_start(process)) {
    printf("posix: no memory for the files of the boot image\n");
    return false;
  }
  for (; *argv; argv++) {
    size_t bytes = strlen(*argv) + 1;
    if (bytes > sizeof text - used)
      return false;
    memcpy(text + used, *argv, bytes);
    used += bytes;
  }
  int64_t pid = start(process, text, text, used, 0);
  if (pid < 0)
    printf("posix: cannot start '%s': %s\n", text, strerror((int)-pid));
  process->pid = process->job = first = foreground = (uint64_t)pid;
  return pid > 0;
}

/* What can be said of a spawn before its strings are read. */
static int check_spawn(const struct request *q) {
  uint64_t bytes = q->m.word[0], flags = q->m.word[1], job = q->m.word[3];
  bool joins = flags & POSIX_SPAWN_JOIN;
  const struct process *leader = joins ? process_named(job) : NULL;
  if (bytes > P_SPAWN_MAX)
    return E2BIG;
  if (!bytes || bytes > q->m.read_bytes ||
      flags & ~(uint64_t)(POSIX_SPAWN_JOB | POSIX_SPAWN_FOREGROUND | POSIX_SPAWN_JOIN))
    return EINVAL;
  if (flags & POSIX_SPAWN_FOREGROUND && !in_foreground(q->caller) && !(joins && foreground == job))
    return EPERM;
  return joins && (!leader || leader->parent != q->caller->pid || leader->job != leader->pid) ? ESRCH : 0;
}

/* A job that has lost its leader can be joined, but gets no console: nobody's end would give it back. */
static void enter_job(struct process *child, const struct process *parent, uint64_t flags, uint64_t job) {
  bool joins = flags & POSIX_SPAWN_JOIN;
  child->job = joins ? job : flags ? child->pid : parent->job;
  if (flags & POSIX_SPAWN_FOREGROUND && !(joins && process_named(job)->ended))
    foreground = child->job;
}

int do_spawn(struct request *q, struct q_reply *r) {
  static char text[P_SPAWN_MAX];
  uint64_t bytes = q->m.word[0];
  int error = check_spawn(q);
  if (error)
    return error;
  error = load(q, 0, text, bytes);
  if (error)
    return error;
  const char *program;
  if (text[bytes - 1])
    return EINVAL;
  error = program_find(q->caller, text, &program);
  if (error)
    return error;
  struct process *child = process_new();
  if (!child)
    return EAGAIN;
  files_inherit(q->caller, child);
  int64_t pid = start(child, program, text, bytes, q->m.word[2]);
  if (pid < 0) {
    files_close(child);
    process_free(child);
    return (int)-pid;
  }
  child->pid = (uint64_t)pid;
  child->parent = q->caller->pid;
  enter_job(child, q->caller, q->m.word[1], q->m.word[3]);
  r->word[0] = child->pid;
  return 0;
}

/* ---- Ending --------------------------------------------------------------------------------------------------------- */
/* Its children become the first process's; those that have ended already are nobody's concern. */
static void orphan_children(uint64_t parent) {
  for (unsigned i = 1; i < SLOTS; i++) {
    struct process *child = &processes[i];
    if (!child->badge || child->parent != parent)
      continue;
    child->parent = first;
    if (child->ended)
      process_free(child);
  }
}

/* The console goes to a job that somebody leads, or it would never come back: the parent's may have lost its leader. */
static void job_leader_ended(const struct process *process) {
  if (foreground != process->pid)
    return;
  const struct process *parent = process_named(process->parent);
  const struct process *leader = parent ? process_named(parent->job) : NULL;
  foreground = leader && !leader->ended ? leader->pid : first;
}

static void process_ended(struct process *process, const struct p_death *death) {
  process->death = *death;
  process->ended = true;
  files_close(process);
  requests_drop(process);
  orphan_children(process->pid);
  job_leader_ended(process);
  if (process->pid != first)
    return;
  console_drain();
  p_exit_now(death->reason == P_REASON_EXIT ? (int)death->status : 1);
}

void processes_reap(void) {
  struct p_death death;
  uint64_t had_console = foreground;
  for (int64_t pid; (pid = p_reap_child(0, &death)) > 0;) {
    struct process *process = process_named((uint64_t)pid);
    if (process)
      process_ended(process, &death);
  }
  requests_run(AGAIN_CHILD);
  if (foreground != had_console)
    requests_run(AGAIN_INPUT); /* readers of that job hear EIO */
}

static struct process *ended_child(uint64_t parent, uint64_t pid, int *error) {
  *error = ECHILD;
  for (unsigned i = 1; i < SLOTS; i++) {
    struct process *child = &processes[i];
    if (!child->badge || child->parent != parent || (pid && child->pid != pid))
      continue;
    *error = AGAIN_CHILD;
    if (child->ended)
      return child;
  }
  return NULL;
}

int do_wait(struct request *q, struct q_reply *r) {
  int error;
  if (q->m.word[1] & ~(uint64_t)POSIX_WAIT_NOHANG)
    return EINVAL;
  struct process *child = ended_child(q->caller->pid, q->m.word[0], &error);
  if (!child && error == AGAIN_CHILD && q->m.word[1] & POSIX_WAIT_NOHANG)
    return 0;
  if (!child)
    return error == AGAIN_CHILD && interrupted(q->caller) ? EINTR : error;
  error = q->m.write_bytes ? store(q, &child->death, sizeof child->death) : 0;
  if (error)
    return error;
  r->word[0] = child->pid;
  r->word[1] = child->death.status;
  r->word[2] = child->death.reason;
  process_free(child);
  return 0;
}

int do_kill(struct request *q, struct q_reply *r) {
  (void)r;
  struct process *victim = process_named(q->m.word[0]);
  if (!victim)
    return ESRCH;
  if (q->m.word[1] > 31)
    return EINVAL;
  if (victim->pid == first)
    return EPERM;
  if (q->m.word[1] && !victim->ended)
    p_kill_program(victim->pid);
  return 0;
}

void job_interrupt(void) {
  for (unsigned i = 1; i < SLOTS; i++) {
    struct process *process = &processes[i];
    if (!process->badge || process->ended || !in_foreground(process))
      continue;
    if (foreground == first)
      process->interrupted = true;
    else
      p_kill_program(process->pid);
  }
  requests_run(AGAIN_INPUT);
  requests_run(AGAIN_CHILD);
}

/* ---- Asking ----------------------------------------------------------------------------------------------------------- */
int do_identity(struct request *q, struct q_reply *r) {
  const struct process *process = q->m.word[0] ? process_named(q->m.word[0]) : q->caller;
  if (!process)
    return ESRCH;
  r->word[0] = process->pid;
  r->word[1] = process->parent;
  r->word[2] = process->job;
  return 0;
}

int do_foreground(struct request *q, struct q_reply *r) {
  (void)r;
  const struct process *leader = process_named(q->m.word[0]);
  if (!leader || leader->ended || leader->job != leader->pid)
    return ESRCH;
  if (!in_foreground(q->caller) && q->caller->pid != first)
    return EPERM;
  foreground = leader->job;
  requests_run(AGAIN_INPUT); /* its readers may read now, and others no more */
  return 0;
}

static struct posix_process entry(const struct process *process) {
  struct posix_process e = {
      .pid = process->pid, .parent = process->parent, .job = process->job, .ended = process->ended};
  requests_waiting(process, &e.waits);
  return e;
}

static const struct process *next_after(uint64_t pid) {
  const struct process *found = NULL;
  for (unsigned i = 1; i < SLOTS; i++)
    if (processes[i].badge && processes[i].pid >= pid && (!found || processes[i].pid < found->pid))
      found = &processes[i];
  return found;
}

int do_list(struct request *q, struct q_reply *r) {
  static struct posix_process list[32];
  uint64_t n = 0, most = q->m.write_bytes / sizeof *list;
  const struct process *process = next_after(q->m.word[0]);
  for (; process && n < most && n < sizeof list / sizeof *list; process = next_after(process->pid + 1))
    list[n++] = entry(process);
  r->word[0] = n;
  return store(q, list, n * sizeof *list);
}

#define NOT_YET(name)                                                                                                \
  int do_##name(struct request *q, struct q_reply *r) {                                                              \
    (void)q, (void)r;                                                                                                \
    return ENOSYS;                                                                                                   \
  }
NOT_YET(fork) NOT_YET(exec) NOT_YET(map)
