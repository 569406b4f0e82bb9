/* SPDX-License-Identifier: BSD-2-Clause */
/* What t_server.c may ask of crasher.c below it. */
#ifndef CRASHER_H
#define CRASHER_H

enum crasher_request {
  CRASHER_PING = 1, /* -> a2 its process id, a3 the requests of this life, with this one */
  CRASHER_HOLD,     /* no answer */
  CRASHER_DIE,
  CRASHER_DIE_LATER,   /* others ask it meanwhile */
  CRASHER_DIE_COPYING, /* while a page of its client is on its way */
  CRASHER_DIE_RICH /* with children, the console's device and its interrupt; answered with what went wrong, if that did */
};
#define CRASHER_LATER 100000 /* ticks */
#define CRASHER_CHILDREN 3
#endif
