/* SPDX-License-Identifier: BSD-2-Clause */
/* Programs killed in every state that a thread can be in (mortal.c has a role for each). Whatever they held or waited for
 * must be as if they had never been: tokens void, queues in order, endpoints of use to others, and (tap_after) every frame
 * and object back. Then very many kills at random moments of a busy mix: run=t_death:SEED:KILLS
 * does those alone. The machine counts instructions for time, so each way of starting repeats to the instruction. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tap.h"

#define SETTLE 300000                /* ticks: 30 ms. Three slices: whoever can run has run */
#define SETTLE_HARTS 1500000         /* where harts run as the host lets them */
#define DEAD_STATUS (200 + Q_E_DEAD) /* of a victim whose call failed so */
#define MORTAL(...) ARGV("mortal", __VA_ARGS__)

static q_handle endpoint;
static uint64_t badge = 100; /* the latest client's: each has its own */

static uint64_t settling(void) {
  return harts() > 1 ? SETTLE_HARTS : SETTLE;
}

static void settle(void) {
  q_sleep_until(q_time() + settling());
}

/* A program with rights to an endpoint of the test, under a badge of its own. */
static uint64_t start_at(q_handle at, unsigned rights, const char *const argv[]) {
  q_handle gift;
  CHECK_EQ(q_handle_dup(at, rights | Q_RIGHT_DUP, ++badge, &gift), 0);
  uint64_t id = spawn(gift, argv);
  q_handle_close(gift);
  return id;
}

static uint64_t start_server(const char *role, const char *how) {
  return start_at(endpoint, Q_RIGHT_RECV, MORTAL(role, how));
}

/* Calls with a readable buffer of one page that is not there. Its status is the answer's label or DEAD_STATUS. */
static uint64_t start_client(void) {
  return start_at(endpoint, Q_RIGHT_SEND, ARGV("victim", "call", "read", "heap", "0", "4096"));
}

/* The same with a page that the pager refuses to whoever copies it. */
static uint64_t start_refused(void) {
  return start_at(endpoint, Q_RIGHT_SEND, ARGV("victim", "call", "read", "null", "0", "4096"));
}

static void kill(uint64_t id) {
  struct p_death death = {0};
  CHECK_EQ(p_kill_program(id), 0);
  CHECK_EQ(p_wait_for(id, &death), id);
  CHECK_EQ(death.reason, P_REASON_KILLED);
  CHECK_EQ(p_kill_program(id), -ESRCH);
}

static void ends_with(uint64_t id, uint64_t status) {
  struct p_death death = {0};
  CHECK_EQ(p_wait_for(id, &death), id);
  CHECK_EQ(death.reason, P_REASON_EXIT);
  CHECK_EQ(death.status, status);
}

static struct q_received receive(int64_t kind) {
  struct q_received m;
  q_recv(endpoint, &m);
  CHECK_EQ(m.kind, kind);
  return m;
}

static q_token receive_call(uint64_t from) {
  struct q_received m = receive(Q_MSG_CALL);
  CHECK_EQ(m.badge, from);
  return m.token;
}

static int64_t reply(q_token token, uint64_t label) {
  return q_reply(&(struct q_reply){.label = label, .token = token});
}

static int64_t copy(q_token token) {
  uint64_t done;
  char byte;
  return q_copy(token, Q_COPY_FROM, 0, &byte, 1, &done);
}

static void is_void(q_token token) {
  CHECK_EQ(reply(token, 1), -Q_E_TOKEN);
  CHECK_EQ(copy(token), -Q_E_TOKEN);
}

/* A new client is the first to be received, so nothing of the dead is queued; and it is served, the old token being void
 * while its own is out. */
static void endpoint_works(q_token old) {
  uint64_t id = start_client();
  q_token token = receive_call(badge);
  CHECK(token != old);
  if (old)
    is_void(old);
  CHECK_EQ(reply(token, 7), 0);
  ends_with(id, 7);
}

/* ---- Not waiting for anybody ----------------------------------------------------------------------------------------- */
static void spinning(void) {
  uint64_t id = spawn(0, MORTAL("spin"));
  settle();
  kill(id);
  ends_with(spawn(0, MORTAL("clean")), 0); /* the floating-point registers were the dead one's */
}

static void ready(void) {
  struct p_stats stats;
  for (unsigned i = 0; i < 20; i++) {
    uint64_t id = spawn(0, MORTAL("spin"));
    CHECK_EQ(p_stats_of(id, &stats), 0);
    CHECK(harts() > 1 || !stats.faults[Q_FAULT_EXECUTE]); /* not one instruction */
    kill(id);
    id = spawn(0, MORTAL("yield"));
    for (unsigned turns = i; turns; turns--)
      q_yield();
    kill(id);
  }
}

/* Out of every place of the heap of sleepers; the others wake. */
static void asleep(void) {
  enum { SLEEPERS = 7 };
  uint64_t id[SLEEPERS], end = 0;
  for (unsigned dead = 0; dead < SLEEPERS; dead++) {
    uint64_t now = q_time();
    for (unsigned i = 0; i < SLEEPERS; i++) {
      char until[24];
      end = now + 2 * settling() + 10000 * ((i * 3 + dead) % SLEEPERS);
      snprintf(until, sizeof until, "%lu", (unsigned long)end);
      id[i] = spawn(0, MORTAL("sleep", until));
    }
    settle();
    kill(id[dead]);
    for (unsigned i = 0; i < SLEEPERS; i++)
      if (i != dead)
        ends_with(id[i], 0);
    CHECK(q_time() >= now + 2 * settling() && (harts() > 1 || q_time() < now + 3 * settling()));
  }
}

static void half_ended(void) {
  ends_with(spawn(0, MORTAL("half")), 0);
}

/* ---- Callers and servers ----------------------------------------------------------------------------------------------- */
static void call_is_held(void) {
  uint64_t id = start_client();
  q_token token = receive_call(badge);
  kill(id);
  is_void(token);
  endpoint_works(token);
}

static void queued(void) {
  for (unsigned dead = 0; dead < 3; dead++) {
    uint64_t id[3], first = badge + 1;
    for (unsigned i = 0; i < 3; i++) {
      id[i] = start_client();
      wait_state(id[i], Q_STATE_CALL, QUEUED);
    }
    kill(id[dead]);
    for (unsigned i = 0; i < 3; i++)
      if (i != dead) {
        CHECK_EQ(reply(receive_call(first + i), 20 + i), 0);
        ends_with(id[i], 20 + i);
      }
    endpoint_works(0);
  }
}

/* The server's clients are told; who is still queued is the next receiver's. */
static void holds_tokens(void) {
  uint64_t server = start_server("hold", "2"), id[3];
  for (unsigned i = 0; i < 3; i++) {
    id[i] = start_client();
    wait_state(id[i], Q_STATE_CALL, i < 2 ? server : QUEUED);
  }
  wait_state(server, Q_STATE_SLEEP, 0);
  kill(server);
  ends_with(id[0], DEAD_STATUS);
  ends_with(id[1], DEAD_STATUS);
  CHECK_EQ(reply(receive_call(badge), 5), 0);
  ends_with(id[2], 5);
  endpoint_works(0);
}

static void receives(void) {
  uint64_t server = start_server("hold", "1");
  wait_state(server, Q_STATE_RECEIVE, 0);
  kill(server);
  endpoint_works(0);
}

struct user { /* a thread of the test that waits at somebody else's endpoint */
  struct p_thread thread;
  q_handle at;
  bool calls;
  volatile int64_t result;
};

static void user_main(void *argument) {
  struct user *user = argument;
  struct q_call c = {.label = 1};
  struct q_received m;
  if (user->calls)
    user->result = q_call(user->at, &c);
  else
    q_recv(user->at, &m), user->result = m.kind;
}

/* Both endpoints go with the program, and with them whoever is held, queued or receiving there. */
static void owns_endpoints(void) {
  static struct user users[3];
  q_handle at[2];
  uint64_t id = start_at(endpoint, Q_RIGHT_SEND, MORTAL("own"));
  for (unsigned i = 0; i < 2; i++) {
    struct q_received m = receive(Q_MSG_CALL);
    at[i] = m.handle;
    CHECK_EQ(reply(m.token, 0), 0);
  }
  for (unsigned i = 0; i < 3; i++) {
    users[i] = (struct user){.at = at[i / 2], .calls = i < 2, .result = 1};
    CHECK_EQ(p_thread_start(&users[i].thread, user_main, &users[i], Q_PRIORITY_PROGRAM), 0);
    settle();
  }
  CHECK_EQ(users[0].result + users[1].result + users[2].result, 3);
  kill(id);
  settle();
  for (unsigned i = 0; i < 3; i++) {
    CHECK_EQ(users[i].result, -Q_E_DEAD);
    p_thread_free(&users[i].thread);
  }
  CHECK_EQ(q_call(at[0], &(struct q_call){.label = 1}), -Q_E_HANDLE);
  CHECK_EQ(q_handle_close(at[0]), -Q_E_HANDLE);
  CHECK_EQ(q_handle_close(at[1]), -Q_E_HANDLE);
}

/* ---- In the middle of a copy ------------------------------------------------------------------------------------------- */
/* The client has called, and the server does no more than that. */
static void wait_copier(uint64_t server, uint64_t client) {
  wait_state(client, Q_STATE_CALL, server);
  wait_state(server, Q_STATE_SLEEP, 0);
}

static void copies(void) {
  static const char *const how[] = {"unheard", "heard"};
  for (unsigned i = 0; i < 2; i++) {
    uint64_t server = start_server("copier", how[i]), client = start_refused();
    wait_copier(server, client);
    kill(server);
    ends_with(client, DEAD_STATUS);
    endpoint_works(0);
  }
}

static void copy_failed(q_token token) {
  struct q_received m = receive(Q_MSG_COPY_FAILED);
  CHECK_EQ(m.error, Q_E_DEAD);
  if (token)
    CHECK_EQ(m.token, token);
  is_void(m.token);
}

static void is_copied_from(void) {
  uint64_t id = start_refused();
  q_token token = receive_call(badge);
  CHECK_EQ(copy(token), -Q_E_PENDING);
  kill(id);
  copy_failed(token);
  endpoint_works(token);
  id = start_client(); /* once more, with a page that comes */
  token = receive_call(badge);
  while (copy(token) == -Q_E_PENDING && harts() > 1) /* the pager may be at work for somebody on another */
    token = receive(Q_MSG_COPY_READY).token;
  CHECK_EQ(copy(token), 0);
  kill(id);
  is_void(token);
  endpoint_works(token);
}

/* What the dead client's server should hear it no longer can: another receiver hears it, or nobody. */
static void both_of_a_copy(void) {
  uint64_t server = start_server("copier", "unheard"), client = start_refused();
  wait_copier(server, client);
  kill(client);
  kill(server);
  copy_failed(0);
  endpoint_works(0);
  server = start_server("copier", "unheard"), client = start_refused();
  wait_copier(server, client);
  kill(client);
  kill(server);
  CHECK_EQ(q_handle_destroy(endpoint), 0);
  CHECK_EQ(q_endpoint_create(&endpoint), 0);
  endpoint_works(0);
}

/* ---- Many threads, many programs ------------------------------------------------------------------------------------------ */
static void every_state_at_once(void) {
  for (unsigned i = 0; i < 6; i++) {
    uint64_t id = start_at(endpoint, Q_RIGHT_SEND, MORTAL("crowd"));
    q_token token = receive_call(badge);
    if (i > 1)
      q_sleep_until(q_time() + i * 3001);
    else
      settle();
    if (i % 2) { /* it ends itself */
      CHECK_EQ(reply(token, 3), 0);
      ends_with(id, 3);
    } else {
      kill(id);
      is_void(token);
    }
    endpoint_works(token);
  }
}

static void storm(void) {
  uint64_t id[4] = {0}, faults = 0, random = 1;
  for (unsigned round = 0; round < 100 || (harts() > 1 && faults <= 2000 && round < 10000); round++) {
    unsigned victim = (unsigned)((random = random * 6364136223846793005 + 1442695040888963407) >> 62);
    struct p_stats stats = {0};
    if (id[victim]) {
      CHECK_EQ(p_stats_of(id[victim], &stats), 0);
      faults += stats.faults[Q_FAULT_WRITE];
      kill(id[victim]);
    }
    id[victim] = spawn(0, MORTAL("storm"));
    q_sleep_until(q_time() + (random >> 40) % 4000);
  }
  for (unsigned i = 0; i < 4; i++)
    if (id[i])
      kill(id[i]);
  CHECK(faults > 2000);
}

static uint64_t programs(void) {
  struct p_system system;
  CHECK_EQ(p_system_stats(0, &system), 0);
  return system.processes;
}

/* Those that nobody can kill or reap any more come to their end by themselves. */
static void wait_for_orphans(uint64_t others) {
  for (unsigned i = 0; i < 100 && programs() > others; i++)
    settle();
  CHECK_EQ(programs(), others);
}

/* Its children go on without it: those that call are still answered; those that ended are forgotten. */
static void parent_with_children(void) {
  uint64_t id = start_at(endpoint, Q_RIGHT_SEND, MORTAL("nest")), child[2] = {0}, others = programs() - 1;
  struct p_stats stats;
  q_token token[3];
  for (unsigned i = 0, calls = 0; i < 3; i++) {
    struct q_received m = receive(Q_MSG_CALL);
    if (m.label == 3)
      child[0] = m.word[0], child[1] = m.word[1], token[2] = m.token;
    else
      token[calls++ % 2] = m.token;
  }
  kill(id);
  is_void(token[2]);
  for (unsigned i = 0; i < 2; i++) {
    CHECK_EQ(p_stats_of(child[i], &stats), 0);
    CHECK_EQ(stats.parent, 0);
    CHECK_EQ(p_kill_program(child[i]), -EPERM); /* not the test's own */
  }
  for (unsigned i = 0; i < 2; i++) /* whichever called first */
    CHECK_EQ(reply(token[i], i), 0);
  wait_for_orphans(others);
  endpoint_works(token[0]);
}

static void while_it_spawns(void) {
  uint64_t others = programs();
  for (unsigned i = 0; i < 100; i++) {
    uint64_t id = start_at(endpoint, Q_RIGHT_SEND, MORTAL("spawner"));
    q_sleep_until(q_time() + i * 47);
    kill(id);
  }
  wait_for_orphans(others);
  endpoint_works(0);
}

/* ---- At random moments ------------------------------------------------------------------------------------------------- */
#define CROWD 6
static uint64_t seed = 20240229, kills;

static uint64_t next(uint64_t *random) { /* xorshift64 (Marsaglia 2003) */
  *random ^= *random << 13;
  *random ^= *random >> 7;
  *random ^= *random << 17;
  return *random >> 11;
}

static uint64_t start_mix(uint64_t *random) {
  char number[24];
  snprintf(number, sizeof number, "%lu", (unsigned long)next(random));
  return start_at(endpoint, Q_RIGHT_SEND | Q_RIGHT_RECV, MORTAL("mix", number));
}

/* False: it was not there to be killed, having found something wrong. */
static bool killed(uint64_t id) {
  struct p_death death = {0};
  bool good = !p_kill_program(id);
  good = p_wait_for(id, &death) == (int64_t)id && death.reason == P_REASON_KILLED && good;
  if (!good)
    printf("# program %lu: reason %lu, status %ld\n", (unsigned long)id, (unsigned long)death.reason,
           (long)death.status);
  return good;
}

static void kill_many(uint64_t *random) {
  uint64_t id[CROWD], n = 0;
  bool good = true;
  for (unsigned i = 0; i < CROWD; i++)
    id[i] = start_mix(random);
  for (; n < kills && good; n++) {
    uint64_t draw = next(random);
    unsigned slot = (unsigned)(draw % CROWD);
    q_sleep_until(q_time() + (draw & 0x70000 ? (draw >> 20) % 600 : (draw >> 20) % 10000));
    good = killed(id[slot]);
    id[slot] = start_mix(random);
    if (n % 32 == 0)
      kernel_info(); /* checks the whole state where that is built in */
  }
  CHECK_EQ(n, kills);
  for (unsigned i = 0; i < CROWD; i++)
    CHECK(killed(id[i]) || !good);
}

static void random_moments(void) {
  uint64_t random = seed * 0x9e3779b97f4a7c15 | 1, others = programs();
  q_handle looks;
  struct q_received m;
  CHECK_EQ(q_endpoint_create(&looks), 0);
  uint64_t bystander = start_at(looks, Q_RIGHT_NOTIFY, MORTAL("bystander"));
  printf("# %lu kills, seed %lu\n", (unsigned long)kills, (unsigned long)seed);
  kill_many(&random);
  CHECK_EQ(q_handle_destroy(endpoint), 0); /* and with it whatever waits there */
  CHECK_EQ(q_endpoint_create(&endpoint), 0);
  wait_for_orphans(others + 1);
  q_recv(looks, &m);
  CHECK_EQ(m.kind, Q_MSG_NOTIFY); /* it did look */
  kill(bystander);
  q_handle_destroy(looks);
  endpoint_works(0);
}

static const struct test tests[] = {
    {"killed while it spins", spinning},
    {"killed while it is ready", ready},
    {"killed while it sleeps", asleep},
    {"started or answered while it is being ended", half_ended},
    {"killed in a call that a server holds", call_is_held},
    {"killed while it is queued", queued},
    {"killed while it receives", receives},
    {"killed while it holds tokens of others", holds_tokens},
    {"killed while others wait at its endpoints", owns_endpoints},
    {"killed while it copies", copies},
    {"killed while it is copied from", is_copied_from},
    {"killed on both sides of a copy", both_of_a_copy},
    {"killed with threads in every state", every_state_at_once},
    {"killed in a storm of faults", storm},
    {"killed with living children", parent_with_children},
    {"killed while it spawns", while_it_spawns},
    {"killed at random moments", random_moments},
};
static const struct test replay[] = {{"killed at random moments", random_moments}};

int main(int argc, char **argv) {
  free(malloc(300000)); /* the heap that threads' stacks come from is there before anything is counted */
  if (q_endpoint_create(&endpoint))
    return 1;
  kills = kernel_info().checks ? 3000 : 10000; /* fewer in builds that check the whole state */
  if (argc > 1)
    seed = strtoul(argv[1], NULL, 0);
  if (argc > 2)
    kills = strtoul(argv[2], NULL, 0);
  return argc > 1 ? TAP_RUN("death", replay) : TAP_RUN("death", tests);
}
