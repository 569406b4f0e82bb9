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

/* requests.c: an errno value for the label of the reply, whose words it fills; or DEFER or HEARD. */
int request(struct space *caller, struct q_received *m, struct q_reply *r);

/* process.c */
int64_t process_spawn(uint64_t parent, const char *text, uint64_t bytes, unsigned flags,
                      q_handle gift); /* id or -errno */
void process_end(struct space *space,
                 const struct p_death *death); /* prints what is worth printing, tells its parent */
void fault_refused(struct space *space, const struct q_received *m, unsigned reason);
void exception(struct space *space, const struct q_received *m);
bool donate(void); /* a block for the kernel's objects */

/* trace.c */
extern bool trace_on;
void trace_control(unsigned operation, uint64_t id);
void trace_fault(const struct space *space, const struct q_received *m, const struct answer *answer);
unsigned trace_count(uint64_t *lost);
const struct p_trace *trace_at(unsigned i); /* oldest first */
void trace_clear(void);

__attribute__((format(printf, 1, 2))) void say(const char *format, ...); /* one line to the console */
#endif
