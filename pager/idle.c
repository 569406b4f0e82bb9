/* SPDX-License-Identifier: BSD-2-Clause */
/* Frames are zeroed while the hart has nothing else to do. A thread of the lowest priority calls the pager again and again;
 * for each call the pager zeroes one frame. The answer is held back while enough are ready, or none is left to zero: then
 * the thread waits, and so does the hart. Nobody but who has all of the pager's locks sees a list, so there is nothing to
 * race for; what a fault may have to wait is one frame's zeroing. */
#include "shell.h"

#include <stdlib.h>

uint64_t idle_low = 64;
static uint64_t high = 256;
q_token idle_parked;
extern char idle_thread[]; /* start.S; needs no stack */

static bool number(const char **text, uint64_t *value) {
  char *end;
  *value = strtoul(*text, &end, 10);
  bool good = end != *text && **text >= '0' && **text <= '9';
  *text = end;
  return good;
}

bool idle_option(const char *text) {
  bool good = number(&text, &idle_low);
  high = idle_low;
  if (good && *text == ',') {
    text++;
    good = number(&text, &high);
  }
  return good && !*text && (idle_low < high || !high);
}

bool idle_start(void) {
  q_handle thread;
  if (!high)
    return true;
  if (q_thread_create(boot->task, 0, &thread) < 0)
    return false;
  int64_t error = q_thread_start(thread, (uint64_t)idle_thread, 0, boot->endpoint);
  q_handle_close(thread);
  return !error;
}

void idle_go_on(void) {
  struct q_reply r = {.token = idle_parked};
  idle_parked = 0;
  frames.wanted = NULL;
  q_reply(&r);
}

void idle_call(const struct q_received *m, struct q_reply *r) {
  if (frames.zeroed < high && frame_prepare()) {
    r->token = m->token;
    return;
  }
  idle_parked = m->token;
  frames.wanted = idle_go_on;
}
