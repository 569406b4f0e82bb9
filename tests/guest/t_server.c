/* SPDX-License-Identifier: BSD-2-Clause */
/* Servers that die, from the one above: serve=crasher serve=t_server. Who was being served hears of it; who asks next is
 * served by the next instance at the same endpoint; and nothing is left of the dead one. It dies as often as a server may
 * and no more. */
#include <stdlib.h>

#include "crasher.h"
#include "tap.h"

#define SETTLE 200000 /* ticks */

static void settle(void) {
  q_sleep_until(q_time() + SETTLE);
}

static int64_t ask(uint64_t label, struct q_call *c) {
  *c = (struct q_call){.label = label};
  return q_call(P_HANDLE_BELOW, c);
}

static uint64_t life; /* the instance that answered last: its process id */

static void is_reborn(uint64_t requests) {
  struct q_call c;
  CHECK_EQ(ask(CRASHER_PING, &c), 0);
  CHECK_EQ(c.label, 0);
  CHECK(c.word[0] != life);
  CHECK_EQ(c.word[1], requests);
  life = c.word[0];
}

static uint64_t programs(void) {
  struct p_system system;
  CHECK_EQ(p_system_stats(0, &system), 0);
  return system.processes;
}

static void dies(uint64_t label) {
  struct q_call c;
  uint64_t before = programs();
  CHECK_EQ(ask(label, &c), -Q_E_DEAD);
  CHECK_EQ(c.label, 0);
  is_reborn(1);
  CHECK_EQ(programs(), before);
}

static void in_a_call(void) {
  dies(CRASHER_DIE);
}

struct user {
  struct p_thread thread;
  uint64_t label;
  volatile int64_t result;
  struct q_call c;
};

static void user_main(void *argument) {
  struct user *user = argument;
  user->result = ask(user->label, &user->c);
}

/* Two calls that it holds, one that it dies of, and one that is queued: that is the next one's. */
static void with_calls_held_and_queued(void) {
  static struct user users[] = {
      {.label = CRASHER_HOLD}, {.label = CRASHER_HOLD}, {.label = CRASHER_DIE_LATER}, {.label = CRASHER_PING}};
  for (unsigned i = 0; i < 4; i++) {
    users[i].result = 1;
    CHECK_EQ(p_thread_start(&users[i].thread, user_main, &users[i], Q_PRIORITY_SERVER), 0);
    q_sleep_until(q_time() + CRASHER_LATER / 10);
  }
  for (unsigned i = 0; i < 4; i++)
    CHECK_EQ(users[i].result, 1);
  settle();
  for (unsigned i = 0; i < 4; i++) {
    CHECK_EQ(users[i].result, i < 3 ? -Q_E_DEAD : 0);
    p_thread_free(&users[i].thread);
  }
  CHECK(users[3].c.word[0] != life);
  CHECK_EQ(users[3].c.word[1], 1);
  is_reborn(2);
}

static void in_a_copy(void) {
  dies(CRASHER_DIE_COPYING);
}

static void with_children_and_a_device(void) {
  dies(CRASHER_DIE_RICH);
}

static const struct test tests[] = {
    {"dies in a call", in_a_call},
    {"dies with calls held and queued", with_calls_held_and_queued},
    {"dies before it hears how a copy went", in_a_copy},
    {"dies with children, a device and an interrupt", with_children_and_a_device},
};

int main(void) {
  struct q_call c;
  free(malloc(300000)); /* the heap that threads' stacks come from is there before anything is counted */
  if (ask(CRASHER_PING, &c))
    return 1;
  life = c.word[0];
  return TAP_RUN("server", tests);
}
