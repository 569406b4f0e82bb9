/* SPDX-License-Identifier: BSD-2-Clause */
/* A server that dies on request (crasher.h): serve=crasher serve=t_server. serve=crasher:start dies at once, whenever it is
 * started. */
#include "crasher.h"

#include <quire/proc.h>

#include <stdbool.h>
#include <string.h>

static uint64_t requests;

static _Noreturn void die(void) {
  for (;;)
    __asm__ volatile("ebreak");
}

static int64_t start(const char *const argv[], q_handle gift) {
  return p_spawn_program(argv, P_SPAWN_QUIET, gift);
}

/* A client of its own calls with a page that is not there; it begins to copy from that. */
/* The message of how the copy ended, which it is owed, is under way. */
static uint64_t die_copying(void) {
  static const char *const client[] = {"victim", "call", "read", "null", "0", "4096", 0};
  q_handle gift;
  struct q_received m;
  uint64_t done;
  char byte;
  if (q_handle_dup(P_HANDLE_OWN, Q_RIGHT_SEND | Q_RIGHT_DUP, 77, &gift) || start(client, gift) < 0)
    return 1;
  do
    q_recv(P_HANDLE_OWN, &m);
  while (m.badge != 77);
  if (q_copy(m.token, Q_COPY_FROM, 0, &byte, 1, &done) != -Q_E_PENDING)
    return 2;
  die();
}

static uint64_t die_rich(void) {
  static const char *const child[] = {"victim", "sleep", 0};
  q_handle signal, irq;
  for (unsigned i = 0; i < CRASHER_CHILDREN; i++)
    if (start(child, 0) < 0)
      return 1;
  struct q_call c = {.label = P_device};
  if (q_call(P_HANDLE_PAGER, &c) || c.label)
    return 2;
  *(volatile char *)(c.word[0] + 7); /* the scratch register */
  if (q_handle_dup(P_HANDLE_OWN, Q_RIGHT_NOTIFY, 1, &signal) ||
      q_irq_create(P_HANDLE_MACHINE, c.word[2], signal, 1, &irq))
    return 3;
  die();
}

static void answer(const struct q_received *m) {
  struct q_reply r = {.token = m->token};
  requests++;
  switch (m->label) {
  case CRASHER_PING: {
    struct p_stats own;
    r.label = p_stats_of(0, &own) != 0;
    r.word[0] = own.id;
    r.word[1] = requests;
    break;
  }
  case CRASHER_HOLD:
    return;
  case CRASHER_DIE_LATER:
    q_sleep_until(q_time() + CRASHER_LATER);
    die();
  case CRASHER_DIE_COPYING:
    r.label = die_copying();
    break;
  case CRASHER_DIE_RICH:
    r.label = die_rich();
    break;
  default:
    die();
  }
  q_reply(&r);
}

int main(int argc, char **argv) {
  if (argc > 1 && !strcmp(argv[1], "start"))
    die();
  for (;;) {
    struct q_received m;
    q_recv(P_HANDLE_OWN, &m);
    if (m.kind == Q_MSG_NOTIFY && m.word[0] & P_BIT_CLOSE)
      return 0;
    if (m.kind == Q_MSG_CALL)
      answer(&m);
  }
}
