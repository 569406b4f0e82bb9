/* SPDX-License-Identifier: BSD-2-Clause */
/* The pager's thin shell: messages in, system calls out. All decisions are the core's (space.h). */
#ifndef SHELL_H
#define SHELL_H

#include <quire/sys.h>

#include "space.h"

#define DEFER (-1)    /* a handler's result: no answer now; the message comes again */
#define HEARD (-2)    /* no answer at all */
#define TASK_QUOTA 16 /* kernel pages for a program's own handles, threads and endpoints */

extern const struct q_boot *boot;
extern const struct policy *policy;
extern const char *policy_words; /* with its option */
extern bool strict;              /* all programs are */

/* requests.c: an errno value for the label of the reply, whose words it fills; or DEFER or HEARD. */
int request(struct space *caller, struct q_received *m, struct q_reply *r);
/* The handlers, which return the same. */
#define X(n, name) int do_##name(struct space *caller, struct q_received *m, struct q_reply *r);
P_REQUESTS(X)
#undef X
/* 0, DEFER, or an errno value. */
int transfer(struct q_received *m, unsigned direction, uint64_t offset, const void *own, uint64_t bytes);
/* The caller itself (0), or a child of it, if it may have that done. 0 or an errno value. */
int request_target(struct space *caller, uint64_t id, struct space **space);
q_handle gift_take(struct space *caller, q_token token); /* what came with the call when it came first; 0: nothing */
void gift_drop(struct space *caller);

/* process.c */
struct spawn {
  struct space *parent; /* NULL: the boot options */
  const char *text;     /* strings: name, arguments, environment */
  uint64_t bytes, environment;
  unsigned flags; /* P_SPAWN_* */
  q_handle gift;
  struct object *object; /* that is the program; NULL: one of the boot image */
  struct server *server; /* NULL: an ordinary program */
};
int64_t process_spawn(const struct spawn *spawn);                                                  /* id or -errno */
int64_t process_fork(struct space *original, const struct spawn *spawn, uint64_t pc, uint64_t sp); /* the same */
int process_exec(struct space *space, const struct spawn *spawn); /* 0 or an errno value */
extern struct p_death ended;                                      /* faults, ahead and untouched of all that ended */
const char *spawn_error(int64_t error);                           /* of a program of the boot options */
void process_end(struct space *space,
                 const struct p_death *death); /* prints what is worth printing, tells its parent */
void fault_refused(struct space *space, const struct q_received *m, unsigned reason);
void exception(struct space *space, const struct q_received *m);
bool donate(void); /* a block for the kernel's objects */
void process_kill(struct space *space);
int64_t give(struct space *space, q_handle handle, uint64_t rights, uint64_t badge);

/* idle.c: frames zeroed beforehand */
bool idle_option(const char *text); /* "LOW,HIGH", or "0"; false: it is neither */
bool idle_start(void);
void idle_call(const struct q_received *m, struct q_reply *r); /* of the idle thread, whose badge is 0 */
extern q_token idle_parked;                                    /* the call that is not answered yet */
void idle_go_on(void);
extern uint64_t idle_low;
/* After messages that may have made ready frames scarce, or frames free. */
static inline void idle_look(void) {
  if (idle_parked && frames.zeroed < idle_low && frames.unzeroed)
    idle_go_on();
}

/* server.c: the programs that serve= names */
bool server_add(const char *words);
unsigned servers_count(void);
bool servers_start(void);                                           /* all of them; else it has said why not */
int64_t server_handles(struct space *space, struct server *server); /* those of P_HANDLE_OWN and on */
void server_ended(struct server *server, const struct p_death *death);
void close_down(uint64_t status); /* the machine is off once the first server has exited; at once if there is none */
int server_initrd(struct space *space, uint64_t *words);
int server_device(struct space *space, uint64_t which, uint64_t *words);

/* trace.c */
extern bool trace_on;
void trace_control(unsigned operation, uint64_t owner, uint64_t id);
void trace_fault(const struct space *space, const struct q_received *m, const struct answer *answer);
unsigned trace_count(uint64_t *lost);
const struct p_trace *trace_at(unsigned i); /* oldest first */
void trace_consumed(unsigned count);
void trace_ended(uint64_t id); /* that process records no more */

__attribute__((format(printf, 1, 2))) void say(const char *format, ...); /* one line to the console */
#endif
