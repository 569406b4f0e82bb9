/* SPDX-License-Identifier: BSD-2-Clause */
/* Processes: who is whose child, which job each is of, and how each ended. The pager makes and ends them; to it they are
 * all children of this server. */
#include "file.h"
#include "harts.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LISTS 64
struct process **process_chunk;
unsigned process_slots;
static struct process *free_slots;
static struct process **named; /* by the low bits of the pid, as many lists as there are slots or more */
static unsigned lists;
static struct process *first; /* whose job is the shell's */
uint64_t foreground;
static uint64_t generation;
static unsigned count; /* of the slots, those in use */
static struct link all = LIST_HEAD(all);
static struct link *reached = &all; /* where somebody read on last */

static struct process **list_of(uint64_t pid) {
  return &named[pid % lists];
}

struct process *process_named(uint64_t pid) {
  struct process *process = named ? *list_of(pid) : NULL;
  while (process && process->pid != pid)
    process = process->next;
  return process;
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
static void list_enter(struct process *process) {
  struct process **list = list_of(process->pid);
  process->next = *list;
  *list = process;
}

/* Twice as many lists, or the first ones. */
static bool lists_double(void) {
  struct process **old = named, **new = calloc(lists ? 2 * lists : LISTS, sizeof *new);
  unsigned olds = lists;
  if (!new)
    return false;
  named = new;
  lists = olds ? 2 * olds : LISTS;
  for (unsigned i = 0; i < olds; i++)
    for (struct process *process = old[i], *next; process; process = next) {
      next = process->next;
      list_enter(process);
    }
  free(old);
  return true;
}

/* As many more places for chunks as there are, when all are taken. */
static bool chunk_places(void) {
  unsigned chunks = process_slots / SLOTS;
  if (chunks & (chunks - 1))
    return true;
  struct process **more = realloc(process_chunk, (chunks ? 2 * chunks : 1) * sizeof *more);
  process_chunk = more ? more : process_chunk;
  return more;
}

static bool slots_make(void) {
  bool room = process_slots < P_PROCESSES && (process_slots < lists || lists_double()) && chunk_places();
  struct process *made = room ? calloc(SLOTS, sizeof *made) : NULL;
  if (!made)
    return false;
  process_chunk[process_slots / SLOTS] = made;
  for (unsigned i = SLOTS; i-- > 0; free_slots = &made[i])
    made[i] = (struct process){.slot = process_slots + i, .next = free_slots};
  process_slots += SLOTS;
  return true;
}

/* It has no name yet. */
static struct process *process_new(void) {
  if (count == POSIX_PROCESSES || (!free_slots && !slots_make()))
    return NULL;
  struct process *process = free_slots;
  if (!process->spare && !(process->spare = calloc(1, sizeof *process->spare)))
    return NULL;
  free_slots = process->next;
  *process = (struct process){
      .slot = process->slot, .spare = process->spare, .badge = ++generation * P_PROCESSES + process->slot};
  list_init(&process->children);
  list_init(&process->ended_children);
  list_init(&process->sibling);
  list_init(&process->all);
  list_init(&process->kept);
  list_init(&process->waiting);
  list_init(&process->futexes);
  count++;
  return process;
}

static void process_free(struct process *process) {
  struct process **place = list_of(process->pid);
  while (*place && *place != process)
    place = &(*place)->next;
  if (*place)
    *place = process->next;
  if (reached == &process->all)
    reached = process->all.previous;
  list_remove(&process->all);
  list_remove(&process->sibling);
  process->badge = 0;
  process->next = free_slots;
  free_slots = process;
  count--;
}

static void process_begins(struct process *process, struct process *parent, uint64_t pid) {
  process->pid = pid;
  list_enter(process);
  list_add(&all, &process->all); /* the pager's ids only grow */
  process->parent = parent;
  if (parent)
    list_add(&parent->children, &process->sibling);
}

/* The pager's answer to a request with a handle that makes whoever gets it this process. */
static int64_t ask_with_badge(const struct process *process, struct q_call *c) {
  if (q_handle_dup(P_HANDLE_OWN, Q_RIGHT_SEND | Q_RIGHT_DUP, process->badge, &c->handle))
    return -ENOMEM;
  q_handle own = c->handle;
  int64_t result = ask_pager(c);
  q_handle_close(own);
  return result;
}

/* What the pager is to make a program of. */
#define LOAD_PIECE 4096
struct strings {
  char *memory;     /* they lie in */
  const char *text; /* the program's name, arguments, environment */
  uint64_t bytes, environment, object;
};

static int64_t start(const struct process *process, const struct strings *strings) {
  return ask_with_badge(process,
                        &(struct q_call){.label = P_spawn,
                                         .word = {strings->bytes, P_SPAWN_CLIENT | P_SPAWN_QUIET | P_SPAWN_NAMED,
                                                  strings->environment, strings->object},
                                         .read = strings->text,
                                         .read_bytes = strings->bytes});
}

static uint64_t put(char *to, const char *string) {
  return (uint64_t)(stpcpy(to, string) + 1 - to);
}

bool processes_start(char **argv) {
  static char text[1024 + P_NAME_MAX]; /* longer ones do not fit into the boot options */
  struct strings strings = {.text = text, .bytes = put(text, argv[0])};
  first = process_new();
  if (!first || !files_start(first)) {
    printf("posix: no memory for the files of the boot image\n");
    return false;
  }
  for (; *argv; argv++) {
    if (strlen(*argv) >= sizeof text - strings.bytes)
      return false;
    strings.bytes += put(text + strings.bytes, *argv);
  }
  int64_t pid = start(first, &strings);
  if (pid < 0)
    printf("posix: cannot start '%s': %s\n", text, strerror((int)-pid));
  process_begins(first, NULL, (uint64_t)pid);
  first->job = foreground = (uint64_t)pid;
  return pid > 0;
}

void strings_drop(struct request *q) {
  if ((q->m.label == POSIX_spawn || q->m.label == POSIX_exec) && q->progress)
    free(q->strings);
}

/* Page by page, and what has been read is kept while the next one is awaited: it might go again meanwhile (policies.md). */
static int load_all(struct request *q, char *memory, uint64_t bytes) {
  int error = 0;
  while (q->progress < bytes && !error) {
    uint64_t left = bytes - q->progress, n = left < LOAD_PIECE ? left : LOAD_PIECE;
    error = load(q, q->progress, memory + P_NAME_MAX + q->progress, n);
    q->progress += error ? 0 : n;
  }
  return error;
}

/* The caller's strings, with the name by which the pager knows the program before them. strings_free() them in any case. */
static int strings_load(struct request *q, uint64_t environment, bool path_only, struct strings *strings) {
  uint64_t bytes = q->m.word[0];
  *strings = (struct strings){.environment = environment};
  if (bytes > P_SPAWN_MAX + (path_only ? TREE_PATH_MAX : 0))
    return E2BIG;
  if (!bytes || bytes > q->m.read_bytes)
    return EINVAL;
  if (!(strings->memory = q->progress ? q->strings : malloc(P_NAME_MAX + bytes)))
    return ENOMEM;
  char *path = strings->memory + P_NAME_MAX, *end = path + bytes;
  int error = load_all(q, strings->memory, bytes);
  q->strings = strings->memory;
  if (error == AGAIN && q->progress)
    strings->memory = NULL; /* it stays the request's */
  if (error)
    return error;
  if (end[-1])
    return EINVAL;
  char name[P_NAME_MAX] = {0};
  error = program_find(q->caller, path, name, &strings->object);
  if (error)
    return error;
  char *arguments = path + (path_only ? strlen(path) + 1 : 0), *at = arguments - strlen(name) - 1;
  if (arguments == end)
    return EINVAL;
  if (end - arguments > P_SPAWN_MAX)
    return E2BIG;
  put(at, name);
  strings->text = at;
  strings->bytes = (uint64_t)(end - at);
  return 0;
}

static void strings_free(struct request *q, struct strings *strings) {
  if (strings->memory)
    q->progress = 0;
  free(strings->memory);
}

/* What can be said of a spawn before its strings are read. */
static int check_spawn(const struct request *q) {
  uint64_t flags = q->m.word[1], job = q->m.word[3];
  bool joins = flags & POSIX_SPAWN_JOIN;
  const struct process *leader = joins ? process_named(job) : NULL;
  if (flags & ~(uint64_t)(POSIX_SPAWN_JOB | POSIX_SPAWN_FOREGROUND | POSIX_SPAWN_JOIN | POSIX_SPAWN_NAMED))
    return EINVAL;
  if (flags & POSIX_SPAWN_FOREGROUND && !in_foreground(q->caller) && !(joins && foreground == job))
    return EPERM;
  return joins && (!leader || leader->parent != q->caller || leader->job != leader->pid) ? ESRCH : 0;
}

/* A job that has lost its leader can be joined, but gets no console: nobody's end would give it back. */
static void enter_job(struct process *child, const struct process *parent, uint64_t flags, uint64_t job) {
  bool joins = flags & POSIX_SPAWN_JOIN;
  child->job = joins ? job : flags & ~(uint64_t)POSIX_SPAWN_NAMED ? child->pid : parent->job;
  if (flags & POSIX_SPAWN_FOREGROUND && !(joins && process_named(job)->ended))
    foreground = child->job;
}

/* A child that has all that the caller has to give, but does not run. */
static int child_new(struct process *parent, bool forked, struct process **child) {
  *child = process_new();
  if (!*child)
    return EAGAIN;
  if (files_inherit(parent, *child, forked))
    return 0;
  process_free(*child);
  return ENOMEM;
}

static void child_undo(struct process *child) {
  files_close(child);
  process_free(child);
}

static int spawn(struct request *q, const struct strings *strings, struct q_reply *r) {
  struct process *child;
  int error = child_new(q->caller, false, &child);
  if (error)
    return error;
  int64_t pid = start(child, strings);
  if (pid < 0) {
    child_undo(child);
    return (int)-pid;
  }
  process_begins(child, q->caller, (uint64_t)pid);
  enter_job(child, q->caller, q->m.word[1], q->m.word[3]);
  r->word[0] = child->pid;
  return 0;
}

int do_spawn(struct request *q, struct q_reply *r) {
  struct strings strings;
  int error = check_spawn(q);
  if (error)
    return error;
  error = strings_load(q, q->m.word[2], q->m.word[1] & POSIX_SPAWN_NAMED, &strings);
  if (!error)
    error = spawn(q, &strings, r);
  strings_free(q, &strings);
  return error;
}

int do_fork(struct request *q, struct q_reply *r) {
  struct process *child;
  int error = child_new(q->caller, true, &child);
  if (error)
    return error;
  struct q_call c = {.label = P_fork, .word = {q->caller->pid, q->m.word[0], q->m.word[1], child->badge}};
  int64_t pid = ask_pager(&c);
  if (pid < 0) {
    child_undo(child);
    return (int)-pid;
  }
  process_begins(child, q->caller, (uint64_t)pid);
  child->job = q->caller->job;
  r->word[0] = child->pid;
  return 0;
}

/* What the caller's other threads had asked goes with them, and so does this call. */
static int become(struct request *q, const struct strings *strings) {
  struct q_call c = {.label = P_exec,
                     .word = {q->caller->pid, strings->bytes, strings->environment, strings->object},
                     .read = strings->text,
                     .read_bytes = strings->bytes};
  int64_t error = ask_with_badge(q->caller, &c);
  if (error < 0)
    return (int)-error;
  doubt_received();
  files_exec(q->caller);
  requests_drop(q->caller, q);
  q->caller->interrupted = false;
  return NO_ANSWER;
}

int do_exec(struct request *q, struct q_reply *r) {
  (void)r;
  struct strings strings;
  if (q->m.word[2] & ~(uint64_t)POSIX_SPAWN_NAMED)
    return EINVAL;
  int error = strings_load(q, q->m.word[1], q->m.word[2] & POSIX_SPAWN_NAMED, &strings);
  if (!error)
    error = become(q, &strings);
  strings_free(q, &strings);
  return error;
}

/* ---- Ending --------------------------------------------------------------------------------------------------------- */
/* Those that have ended already are nobody's concern; the others become the first process's. It need not wait for them: their
 * end is forgotten by itself, as that of children whose parent ignores SIGCHLD (POSIX.1-2017, 2.4.3). */
static void orphan_children(struct process *parent) {
  struct link *link;
  while ((link = list_first(&parent->ended_children)))
    process_free(LIST_ITEM(link, struct process, sibling));
  while ((link = list_first(&parent->children))) {
    struct process *child = LIST_ITEM(link, struct process, sibling);
    child->parent = first;
    child->orphan = true;
    list_add(&first->children, link);
  }
}

/* The console goes to a job that somebody leads, or it would never come back: the parent's may have lost its leader. */
static void job_leader_ended(const struct process *process) {
  if (foreground != process->pid)
    return;
  const struct process *leader = process->parent ? process_named(process->parent->job) : NULL;
  foreground = leader && !leader->ended ? leader->pid : first->pid;
}

static void first_ended(const struct p_death *death) {
  console_drain();
  p_exit_now(death->reason == P_REASON_EXIT ? (int)death->status : 1);
}

static void process_ended(struct process *process, const struct p_death *death) {
  if (process == first)
    first_ended(death);
  process->death = *death;
  process->ended = true;
  files_close(process);
  requests_drop(process, NULL);
  orphan_children(process);
  job_leader_ended(process);
  requests_wake(&process->parent->waiting);
  if (process->orphan)
    process_free(process);
  else
    list_add(&process->parent->ended_children, &process->sibling);
}

void processes_reap(void) {
  struct p_death death;
  uint64_t had_console = foreground;
  bool more;
  do {
    struct q_call c = {.label = P_reap, .write = &death, .write_bytes = sizeof death};
    int64_t pid = ask_pager(&c);
    struct process *process = pid > 0 ? process_named((uint64_t)pid) : NULL;
    if (process)
      process_ended(process, &death);
    more = pid > 0 && c.word[1];
  } while (more);
  if (foreground != had_console) {
    requests_wake(&input_queue); /* readers of that job hear EIO */
    poll_changed();
  }
}

/* The first of that job, which is named by a negative number, or of any. */
static struct process *first_child(const struct link *list, int64_t job) {
  for (struct link *link = list->next; link != list; link = link->next) {
    struct process *child = LIST_ITEM(link, struct process, sibling);
    if (!job || child->job == (uint64_t)-job)
      return child;
  }
  return NULL;
}

/* One that has ended, of that name, job or any; else NULL, and in *error whether there will be one. */
static struct process *ended_child(const struct process *parent, int64_t who, int *error) {
  struct process *child;
  if (who > 0) {
    child = process_named((uint64_t)who);
    *error = child && child->parent == parent ? AGAIN : ECHILD;
    return *error == AGAIN && child->ended ? child : NULL;
  }
  child = first_child(&parent->ended_children, who);
  *error = child || first_child(&parent->children, who) ? AGAIN : ECHILD;
  return child;
}

/* As <sys/wait.h> has it. */
static uint64_t wait_status(const struct process *process) {
  static const unsigned char exceptions[] = {SIGBUS, SIGBUS, SIGILL, SIGTRAP, SIGBUS, SIGBUS, SIGBUS, SIGBUS};
  const struct p_death *death = &process->death;
  switch (death->reason) {
  case P_REASON_EXIT:
    return (death->status & 0xff) << 8;
  case P_REASON_KILLED:
    return process->signal ? process->signal : SIGKILL;
  case P_REASON_NOFRAME:
  case P_REASON_CHOSEN:
  case P_REASON_FULL:
    return SIGKILL;
  case P_REASON_EXCEPTION:
    return death->status < sizeof exceptions ? exceptions[death->status] : SIGILL;
  default:
    return SIGSEGV;
  }
}

int do_wait(struct request *q, struct q_reply *r) {
  int error;
  if (q->m.word[1] & ~(uint64_t)POSIX_WAIT_NOHANG)
    return EINVAL;
  struct process *child = ended_child(q->caller, (int64_t)q->m.word[0], &error);
  if (!child && error == AGAIN && q->m.word[1] & POSIX_WAIT_NOHANG)
    return 0;
  if (!child && error == AGAIN)
    return interrupted(q->caller) ? EINTR : wait_in(q, &q->caller->waiting);
  if (!child)
    return error;
  error = q->m.write_bytes ? store(q, &child->death, sizeof child->death) : 0;
  if (error)
    return error;
  r->word[0] = child->pid;
  r->word[1] = child->death.status;
  r->word[2] = child->death.reason;
  r->word[3] = wait_status(child);
  process_free(child);
  return 0;
}

static void process_kill(struct process *process, unsigned signal) {
  if (!process->signal)
    process->signal = signal;
  p_kill_program(process->pid);
  doubt_received();
}

/* All but the first process; how many. */
static unsigned job_kill(uint64_t job, unsigned signal) {
  unsigned killed = 0;
  for (struct link *link = all.next; link != &all; link = link->next) {
    struct process *process = LIST_ITEM(link, struct process, all);
    if (process->ended || process->job != job || process == first)
      continue;
    killed++;
    if (signal)
      process_kill(process, signal);
  }
  return killed;
}

int do_kill(struct request *q, struct q_reply *r) {
  (void)r;
  int64_t who = (int64_t)q->m.word[0];
  if (who <= 0 && q->m.word[1] > 31)
    return EINVAL;
  if (who <= 0)
    return job_kill(who ? (uint64_t)-who : q->caller->job, (unsigned)q->m.word[1]) ? 0 : ESRCH;
  struct process *victim = process_named(q->m.word[0]);
  if (!victim)
    return ESRCH;
  if (q->m.word[1] > 31)
    return EINVAL;
  if (victim == first)
    return EPERM;
  if (q->m.word[1] && !victim->ended)
    process_kill(victim, (unsigned)q->m.word[1]);
  return 0;
}

void job_interrupt(void) {
  if (foreground != first->pid)
    job_kill(foreground, SIGINT);
  for (struct link *link = all.next; link != &all && foreground == first->pid; link = link->next) {
    struct process *process = LIST_ITEM(link, struct process, all);
    if (process->ended || !in_foreground(process))
      continue;
    process->interrupted = true;
    requests_wake(&process->waiting);
  }
  requests_wake(&input_queue);
  poll_changed();
}

/* ---- Asking ----------------------------------------------------------------------------------------------------------- */
int do_identity(struct request *q, struct q_reply *r) {
  const struct process *process = q->m.word[0] ? process_named(q->m.word[0]) : q->caller;
  if (!process)
    return ESRCH;
  r->word[0] = process->pid;
  r->word[1] = process->parent ? process->parent->pid : 0;
  r->word[2] = process->job;
  return 0;
}

int do_foreground(struct request *q, struct q_reply *r) {
  (void)r;
  const struct process *leader = process_named(q->m.word[0]);
  if (!leader || leader->ended || leader->job != leader->pid)
    return ESRCH;
  if (!in_foreground(q->caller) && q->caller != first)
    return EPERM;
  foreground = leader->job;
  requests_wake(&input_queue); /* its readers may read now, and others no more */
  poll_changed();
  return 0;
}

/* A leader stays, or its job would be one that nobody leads, and might have the console. */
static int check_job(const struct request *q, const struct process *process, const struct process *leader) {
  const struct process *caller = q->caller;
  if (!process || process->ended || (process != caller && process->parent != caller) || !leader ||
      (leader != process && leader->job != leader->pid))
    return ESRCH;
  if (leader != process && leader->parent != caller && leader->parent != caller->parent)
    return ESRCH;
  if (q->m.word[2] & ~(uint64_t)POSIX_SPAWN_FOREGROUND)
    return EINVAL;
  if (process->job == process->pid && leader != process)
    return EPERM;
  return q->m.word[2] && !in_foreground(caller) && foreground != leader->pid ? EPERM : 0;
}

int do_job(struct request *q, struct q_reply *r) {
  (void)r;
  struct process *process = q->m.word[0] ? process_named(q->m.word[0]) : q->caller;
  const struct process *leader = q->m.word[1] ? process_named(q->m.word[1]) : process;
  int error = check_job(q, process, leader);
  if (error)
    return error;
  process->job = leader->pid;
  if (q->m.word[2] && !leader->ended)
    foreground = leader->pid;
  requests_wake(&input_queue); /* who waits for a line there may be in another job now */
  poll_changed();
  return 0;
}

static uint64_t least(uint64_t a, uint64_t b) {
  return a < b ? a : b;
}

int do_probe(struct request *q, struct q_reply *r) {
  static char text[TREE_PAGE];
  uint64_t bytes = least(q->m.read_bytes, sizeof text);
  int error = load(q, 0, text, bytes);
  if (!error)
    error = store(q, text, least(bytes, q->m.write_bytes));
  r->word[0] = strnlen(text, bytes);
  return error;
}

static struct posix_process entry(const struct process *process) {
  struct posix_process e = {.pid = process->pid,
                            .parent = process->parent ? process->parent->pid : 0,
                            .job = process->job,
                            .ended = process->ended};
  requests_waiting(process, &e.waits);
  return e;
}

#define LISTED 32

/* Those with the least pids from that one on, in order; how many. */
static unsigned collect(uint64_t from, const struct process *found[LISTED]) {
  unsigned n = 0;
  if (reached == &all || LIST_ITEM(reached, struct process, all)->pid >= from)
    reached = &all;
  for (struct link *link = reached->next; link != &all && n < LISTED; link = link->next) {
    const struct process *process = LIST_ITEM(link, struct process, all);
    if (process->pid >= from)
      found[n++] = process;
    reached = link;
  }
  return n;
}

int do_list(struct request *q, struct q_reply *r) {
  static struct posix_process list[LISTED];
  const struct process *found[LISTED];
  uint64_t n = 0, all = collect(q->m.word[0], found);
  for (; n < all && n < q->m.write_bytes / sizeof *list; n++)
    list[n] = entry(found[n]);
  r->word[0] = n;
  return store(q, list, n * sizeof *list);
}
