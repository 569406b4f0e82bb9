/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of the posix server offer each other. A request that cannot be finished is kept, and run again from its
 * start when what it waits for has happened; so a handler changes nothing before it can finish, but its request's own
 * progress. */
#ifndef SERVER_H
#define SERVER_H

#include <errno.h>
#include <quire/posix.h>
#include <quire/proc.h>
#include <stdbool.h>

#include "list.h"

struct file;
struct inode;

struct request {
  struct q_received m;
  struct process *caller;
  uint64_t progress;        /* bytes done */
  uint64_t base;            /* of a file's bytes: where its buffer begins */
  struct link *queue;       /* what it waits in; NULL: a copy is pending, of which the kernel tells */
  struct link queued, kept; /* there, and among its caller's */
  struct link timed;        /* among those that wait for no longer than some time */
  struct file *file;        /* of a descriptor that another thread has closed meanwhile; else NULL */
  char *strings;            /* spawn and exec, with progress: what has been read so far */
  struct arrived {
    q_token here, from; /* its own, and the writer's; 0: the pipe's ring */
    uint64_t at,
        bytes; /* of it, from that position on, so many are in the buffer, though nobody has parted with them yet */
  } arrived;
  bool further; /* kept beyond the first of its caller, for which there always is room */
};

struct descriptor {
  struct file *file;
  bool closes; /* when a new program begins (FD_CLOEXEC) */
};

struct process {
  uint64_t badge; /* of its calls: slot and a number that tells it from those before; 0: the slot is free */
  unsigned slot;
  uint64_t pid, job;      /* the pager's id of it; of its job's leader */
  struct process *next;   /* with the same low bits of the pid; or the next free one */
  struct process *parent; /* NULL: it is the first */
  struct link children, ended_children, sibling;
  struct link all;  /* of those with a pid, in its order */
  bool orphan;      /* it was left to the first process, which need not wait for it */
  bool ended;       /* and nobody has waited for it */
  bool interrupted; /* Ctrl-C came: what it waits in, or the next that it would wait in, ends with EINTR */
  unsigned signal;  /* that kill named */
  struct p_death death;
  struct inode *directory;       /* the working one */
  struct descriptor *descriptor; /* a table that grows */
  unsigned descriptors;          /* its entries */
  unsigned mask;                 /* permissions that what it makes has not (umask) */
  unsigned requests[2];          /* kept ones; those that wait for another thread apart */
  struct link kept;
  struct link waiting;   /* of these the ones that wait for a child */
  struct link futexes;   /* and for another of its threads, the first ones first */
  struct request *spare; /* there always is room for one: NULL while that is kept */
};

/* Results of a handler beside errno values. */
#define AGAIN (-1)     /* the request is kept */
#define NO_ANSWER (-2) /* there is nobody any more to hear it */
#define NOT_NOW (-3)   /* hand_over(): the other, which is out of its line now, can't take part */

/* ---- main.c ---- */
#define BIT_CHILD 1             /* what it is notified of, beside P_BIT_*: a child has ended */
#define BIT_TIME 2              /* futex_times() */
extern struct link input_queue; /* requests that wait for a line */
extern struct link room_queue;  /* for output to be sent */
extern struct link turn_queue;  /* for others to have their turn */
extern struct link poll_queue;  /* for a descriptor to be ready */
static inline int wait_in(struct request *q, struct link *queue) { /* AGAIN */
  q->queue = queue;
  return AGAIN;
}
void requests_wake(struct link *queue);               /* those that wait there run once the request at hand is done */
void request_wake(struct request *q);                 /* that one, though its caller may be gone */
void request_done(struct request *q, uint64_t bytes); /* a kept one that another has done: its answer, and its end */
static inline struct request *request_first(const struct link *queue) { /* NULL: none waits there */
  return list_empty(queue) ? NULL : LIST_ITEM(queue->next, struct request, queued);
}
/* The same with an errno value, and with nothing put off: true if its caller has heard. */
bool request_answer(struct request *q, int error);
void requests_run(void); /* now: not from a handler */
void requests_drop(struct process *caller, const struct request *but);
void strings_drop(struct request *q); /* of a request that is kept (process.c) */
/* A descriptor of it will name another file, or none: whoever waits to read or write there goes on with this one. */
void requests_keep_file(struct process *caller, uint64_t fd, struct file *file);
bool requests_waiting(const struct process *caller, uint64_t *label); /* and the request, POSIX_* */
/* 0, AGAIN, or an errno value. */
int load(struct request *q, uint64_t offset, void *own, uint64_t bytes);
int store(struct request *q, const void *own, uint64_t bytes);
int store_at(struct request *q, uint64_t offset, const void *own, uint64_t bytes);
static inline int copy_error(const struct request *q) { /* of a copy that was pending */
  return q->m.kind != Q_MSG_COPY_FAILED ? 0 : q->m.error == Q_E_NOFRAME ? ENOMEM : EFAULT;
}
/* The same, and how much of it is done if it is AGAIN: that need not be done again, for all of it may never be there at once. */
int load_some(struct request *q, uint64_t offset, void *own, uint64_t bytes, uint64_t *done);
int store_some(struct request *q, uint64_t offset, const void *own, uint64_t bytes, uint64_t *done);
/* What a pending copy has left of that in the buffer, for a call that began before: up to so many bytes. */
static inline uint64_t arrived(const struct request *q, q_token from, uint64_t at, uint64_t most) {
  const struct arrived *a = &q->arrived;
  uint64_t bytes = a->here == q->m.token && a->from == from && a->at == at ? a->bytes : 0;
  return bytes < most ? bytes : most;
}
/* From one request's buffer to another's, each from its progress on. One of the two is kept, the other runs. 0: all bytes have
 * arrived; AGAIN, or an errno value: of the one that runs; NOT_NOW. */
int hand_over(const struct request *from, struct request *to, uint64_t bytes, struct request *kept);
int64_t ask_pager(struct q_call *c); /* word 0 of the answer, or a negated errno value */

/* ---- memory.c: for the time of a request, as malloc() would keep it for ever ---- */
void *memory_borrow(uint64_t bytes); /* not zeroed; NULL: no memory */
void memory_return(void *memory, uint64_t bytes);

/* ---- process.c ---- */
bool processes_start(char **argv); /* the first process */
void processes_reap(void);         /* some may have ended */
#define SLOTS 16                   /* slots that are made together */
extern struct process **process_chunk;
extern unsigned process_slots;                             /* in all */
static inline struct process *process_of(uint64_t badge) { /* NULL: none, or its task is being destroyed */
  uint64_t slot = badge % P_PROCESSES;
  struct process *process = slot < process_slots ? process_chunk[slot / SLOTS] + slot % SLOTS : NULL;
  return process && badge && process->badge == badge && !process->ended ? process : NULL;
}
struct process *process_named(uint64_t pid);
void job_interrupt(void);   /* Ctrl-C */
extern uint64_t foreground; /* the job that has the console */
bool in_foreground(const struct process *process);
bool interrupted(struct process *process); /* and not any more */

/* ---- console.c ---- */
void console_event(void);                         /* the driver has input or room */
extern bool console_busy;                         /* else the next two have nothing to do */
bool console_owes(void);                          /* there is room again that somebody waits for; says so once */
void console_push(void);                          /* gives the driver what it takes */
void console_drain(void);                         /* all of it */
bool console_ready(const struct process *reader); /* there is something to read */

/* ---- wait.c ---- */
void futex_lined_up(struct request *q); /* it waits, from now on */
void futex_times(void);                 /* some may have waited long enough */

/* ---- The handlers: an errno value for the label of the reply, whose words they fill; or one of the above ---- */
#define X(n, name) int do_##name(struct request *q, struct q_reply *r);
POSIX_REQUESTS(X)
#undef X
#endif
