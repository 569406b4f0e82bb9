/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of the posix server offer each other. A request that cannot be finished is kept, and run again from its
 * start when what it waits for has happened; so a handler changes nothing before it can finish, but its request's own
 * progress. */
#ifndef SERVER_H
#define SERVER_H

#include <quire/posix.h>
#include <quire/proc.h>
#include <stdbool.h>

struct process {
  uint64_t badge; /* of its calls: slot and a number that tells it from those before; 0: the slot is free */
  uint64_t pid;   /* the pager's id of it */
  uint64_t parent, job;
  bool ended;        /* and nobody has waited for it */
  unsigned requests; /* kept ones */
  bool interrupted;  /* Ctrl-C came: what it waits in, or the next that it would wait in, ends with EINTR */
  struct p_death death;
};

/* Results of a handler beside errno values. */
#define AGAIN_COPY (-1)  /* a copy is pending: the kernel delivers the request again */
#define AGAIN_CHILD (-2) /* when a process has ended */
#define AGAIN_INPUT (-3) /* when a line was typed */
#define AGAIN_ROOM (-4)  /* when output was sent */

struct request {
  struct q_received m;
  struct process *caller;
  uint64_t progress; /* of a write: bytes done */
  int again;         /* AGAIN_*; 0: the slot is free */
};

/* ---- main.c ---- */
void requests_run(int again); /* all that wait for this */
void requests_drop(const struct process *caller);
bool requests_waiting(const struct process *caller, uint64_t *label); /* and the request, POSIX_* */
/* 0, AGAIN_COPY, or an errno value. */
int load(struct request *q, uint64_t offset, void *own, uint64_t bytes);
int store(struct request *q, const void *own, uint64_t bytes);

/* ---- process.c ---- */
bool processes_start(char **argv); /* the first process */
void processes_reap(void);         /* some may have ended */
struct process *process_of(uint64_t badge);
struct process *process_named(uint64_t pid);
void job_interrupt(void); /* Ctrl-C */
bool in_foreground(const struct process *process);
bool interrupted(struct process *process); /* and not any more */

/* ---- console.c ---- */
void console_event(void); /* the driver has input or room */
bool console_owes(void);  /* there is room again that somebody waits for; says so once */
void console_push(void);  /* gives the driver what it takes */
void console_drain(void); /* all of it */

/* ---- The handlers: an errno value for the label of the reply, whose words they fill; or AGAIN_* ---- */
#define X(n, name) int do_##name(struct request *q, struct q_reply *r);
POSIX_REQUESTS(X)
#undef X
#endif
