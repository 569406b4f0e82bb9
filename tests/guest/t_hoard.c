/* SPDX-License-Identifier: BSD-2-Clause */
/* Programs that collect as much of one thing as their quota allows (mortal.c: roles names, sender and eater), and then end: what
 * they had goes in small steps, so that interrupts are not off for long (irq_off.py), and the dead keep little. */
#include "tap.h"

#include <stdlib.h>
#include <string.h>

#define MORTAL(...) ARGV("mortal", __VA_ARGS__)
#define SENDERS 40
#define EATERS 60
#define UNHEARD 16 /* of the dead, for one task's endpoints (kernel/ipc.c) */

static void settle(void) {
  q_sleep_until(q_time() + 300000);
}

static void kill(uint64_t id) {
  struct p_death death = {0};
  CHECK_EQ(p_kill_program(id), 0);
  CHECK_EQ(p_wait_for(id, &death), id);
  CHECK_EQ(death.reason, P_REASON_KILLED);
}

static void names_of(const char *what) {
  uint64_t before = kernel_info().handles, id = spawn(0, MORTAL("names", what));
  settle();
  CHECK(kernel_info().handles > before + 700);
  kill(id);
}

static void names_of_endpoints(void) {
  names_of("endpoints");
}

static void names_of_threads(void) {
  names_of("threads");
}

static uint64_t kernel_pages(void) {
  struct q_info info = kernel_info();
  return info.donated_pages - info.donated_free;
}

/* Children die when a page of theirs that was to be copied was refused, and their server does not listen. Of each only a
 * page may stay, and of all no more than so many. How many that were. */
static unsigned bury(q_handle endpoint) {
  static uint64_t id[SENDERS];
  static q_token token[SENDERS];
  uint64_t before = kernel_pages(), done;
  char data[64];
  for (unsigned i = 0; i < SENDERS; i++) {
    struct q_received m;
    id[i] = spawn(endpoint, MORTAL("sender"));
    q_recv(endpoint, &m);
    CHECK_EQ(m.kind, Q_MSG_CALL);
    token[i] = m.token;
  }
  CHECK(kernel_pages() > before + 10 * SENDERS);
  for (unsigned i = 0; i < SENDERS; i++)
    CHECK_EQ(q_copy(token[i], Q_COPY_FROM, 0, data, sizeof data, &done), -Q_E_PENDING);
  for (unsigned i = 0; i < SENDERS; i++)
    kill(id[i]);
  for (unsigned i = 0; i < SENDERS; i++)
    CHECK_EQ(q_reply(&(struct q_reply){.token = token[i]}), -Q_E_TOKEN);
  CHECK(kernel_pages() <= before + UNHEARD);
  return (unsigned)(kernel_pages() - before);
}

static void unheard_dead(void) {
  q_handle endpoint;
  CHECK_EQ(q_endpoint_create(&endpoint), 0);
  for (unsigned round = 0; round < 2; round++) { /* who is heard makes room */
    CHECK_EQ(bury(endpoint), UNHEARD);
    for (unsigned i = 0; i < UNHEARD; i++) {
      struct q_received m;
      q_recv(endpoint, &m);
      CHECK(m.kind == Q_MSG_COPY_FAILED && m.error == Q_E_DEAD);
    }
  }
  CHECK_EQ(bury(endpoint), UNHEARD);
  CHECK_EQ(q_handle_destroy(endpoint), 0);
}

/* All programs take all of their quotas, when it is too late for the pager to do anything about it. */
static void quotas_are_there(void) {
  static uint64_t id[EATERS];
  q_handle endpoint, last;
  char when[24];
  uint64_t most = 0;
  CHECK_EQ(q_endpoint_create(&endpoint), 0);
  snprintf(when, sizeof when, "%lu", (unsigned long)q_time() + 20000000);
  for (unsigned i = 0; i < EATERS; i++)
    id[i] = spawn(endpoint, MORTAL("eater", when));
  for (unsigned i = 0; i < EATERS; i++) {
    struct q_received m;
    q_recv(endpoint, &m);
    CHECK_EQ(m.kind, Q_MSG_CALL);
    most = most ? most : m.label;
    CHECK_EQ(m.label, most);
  }
  CHECK(most > 3 * 12);
  CHECK_EQ(q_endpoint_create(&last), 0);
  for (unsigned i = 0; i < EATERS; i++)
    kill(id[i]);
  CHECK_EQ(q_handle_destroy(last), 0);
  CHECK_EQ(q_handle_destroy(endpoint), 0);
}

static const struct test tests[] = {
    {"many names of endpoints", names_of_endpoints},
    {"many names of threads", names_of_threads},
    {"many dead of whom the server does not hear", unheard_dead},
    {"all of everybody's quota at once", quotas_are_there},
};

int main(void) {
  return TAP_RUN("hoard", tests);
}
