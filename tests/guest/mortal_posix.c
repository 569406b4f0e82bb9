/* SPDX-License-Identifier: BSD-2-Clause */
/* The posix server, linked with these in place of two of its handlers: it dies when it is asked for it, with all of its locks
 * (umask) or with one thread's (identity). */
#include "../../servers/posix/server.h"
#include "mortal_posix.h"

int __real_do_umask(struct request *q, struct q_reply *r);
int __real_do_identity(struct request *q, struct q_reply *r);
int __wrap_do_umask(struct request *q, struct q_reply *r);
int __wrap_do_identity(struct request *q, struct q_reply *r);

static void die(void) {
  *(volatile char *)0 = 1;
}

int __wrap_do_umask(struct request *q, struct q_reply *r) {
  if (q->m.word[0] == DEADLY)
    die();
  return __real_do_umask(q, r);
}

int __wrap_do_identity(struct request *q, struct q_reply *r) {
  if (q->m.word[0] == DEADLY)
    die();
  return __real_do_identity(q, r);
}
