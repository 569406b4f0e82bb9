/* SPDX-License-Identifier: BSD-2-Clause */
/* Hostile programs, each a child of this one, while a neighbour checks its own memory and the pager is asked for something
 * all the time. Expected: error codes, and nothing else that anyone but the child notices. The boot option
 * run=t_hostile:seed:N replays with another seed than the usual one. */
#include "hostile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define POLL_TICKS 20000
#define PATIENCE 250
#define FUZZ_SETS 100000
#define FUZZ_CALLS 2000

static uint64_t first_seed = 1;
static q_handle endpoint; /* where children call and notify */

/* ---- The neighbour and the pager -------------------------------------------------------------------------------------------- */
static uint64_t neighbour, worked;

static uint64_t neighbour_work(void) {
  struct p_stats stats = {0};
  CHECK_EQ(p_stats_of(neighbour, &stats), 0); /* it lives, so its checks saw nothing */
  return stats.faults[Q_FAULT_READ];
}

static void neighbour_begin(void) {
  neighbour = spawn(0, ARGV("t_hostile", "neighbour"));
  for (unsigned i = 0; i < PATIENCE && !neighbour_work(); i++)
    q_sleep_until(q_time() + POLL_TICKS);
  worked = neighbour_work();
}

static void neighbour_end(void) {
  struct p_death death;
  q_sleep_until(q_time() + 5 * POLL_TICKS);
  CHECK(neighbour_work() > worked);
  CHECK_EQ(p_kill_program(neighbour), 0);
  CHECK_EQ(p_wait_for(neighbour, &death), neighbour);
  CHECK_EQ(death.reason, P_REASON_KILLED);
}

static uint64_t slowest;

static void pager_answers(void) {
  struct p_system system;
  uint64_t start = q_time();
  own_stats();
  CHECK_EQ(p_system_stats(0, &system), 0);
  if (q_time() - start > slowest)
    slowest = q_time() - start;
}

static void kill_child(uint64_t id, struct p_death *death) {
  CHECK_EQ(p_kill_program(id), 0);
  CHECK_EQ(p_wait_for(id, death), id);
}

/* To its end; a child that waits for what never comes, or has lost its own thread, is ended. */
static struct p_death watch_child(uint64_t id) {
  struct p_death death = {0};
  for (unsigned i = 0; i < PATIENCE * harts() * harts(); i++) { /* which, of a host, may be slower than one */
    pager_answers();
    if (p_reap_child(id, &death) > 0)
      return death;
    q_sleep_until(q_time() + POLL_TICKS);
  }
  kill_child(id, &death);
  return death;
}

static void attack(q_handle gift, const char *const argv[]) {
  struct p_death death = watch_child(spawn(gift, argv));
  if (death.reason != P_REASON_EXIT || death.status)
    printf("# %s: %s, status %ld, address %lx, pc %lx\n", argv[1], p_reason_text(death.reason), (long)death.status,
           (unsigned long)death.address, (unsigned long)death.pc);
  CHECK_EQ(death.reason, P_REASON_EXIT);
  CHECK_EQ(death.status, 0);
}

static q_handle with(unsigned rights, uint64_t badge) {
  q_handle handle = 0;
  CHECK_EQ(q_handle_dup(endpoint, rights, badge, &handle), 0);
  return handle;
}

static struct q_received receive_call(void) {
  struct q_received m;
  do
    q_recv(endpoint, &m);
  while (m.kind == Q_MSG_NOTIFY || m.kind == Q_MSG_COPY_FAILED); /* what earlier children left */
  CHECK(m.kind == Q_MSG_CALL || m.kind == Q_MSG_COPY_READY);
  return m;
}

/* ---- System calls ------------------------------------------------------------------------------------------------------------- */
static void random_system_calls(void) {
  unsigned whole = 0, child = 0;
  char seed[24], first[24];
  q_handle gift = with(Q_RIGHT_SEND | Q_RIGHT_NOTIFY | Q_RIGHT_DUP, 6);
  neighbour_begin();
  printf("# seed %lu\n", (unsigned long)first_seed);
  for (; whole * FUZZ_CALLS < FUZZ_SETS && child < 200; child++) {
    snprintf(seed, sizeof seed, "%lu", (unsigned long)first_seed + child);
    snprintf(first, sizeof first, "%u", child * FUZZ_CALLS / 2);
    struct p_death death = watch_child(spawn(gift, ARGV("t_hostile", "calls", seed, first)));
    whole += death.reason == P_REASON_EXIT && death.status == 0;
    if (death.reason == P_REASON_EXIT && death.status)
      printf("# seed %s, numbers from %s: status %ld\n", seed, first, (long)death.status);
    CHECK(death.reason != P_REASON_EXIT || death.status == 0);
  }
  printf("# %u of %u children made all of their %u calls\n", whole, child, FUZZ_CALLS);
  CHECK(whole * FUZZ_CALLS >= FUZZ_SETS);
  CHECK_EQ(p_trace_ring(P_TRACE_STOP, 0, NULL, 0, NULL), 0); /* one of them may have asked for it */
  neighbour_end();
  q_handle_close(gift);
}

static void random_requests(void) {
  char seed[24];
  neighbour_begin();
  for (unsigned i = 0; i < 4; i++) {
    printf("# seed %lu\n", (unsigned long)first_seed + i);
    snprintf(seed, sizeof seed, "%lu", (unsigned long)first_seed + i);
    attack(0, ARGV("t_hostile", "requests", seed));
  }
  CHECK_EQ(p_trace_ring(P_TRACE_STOP, 0, NULL, 0, NULL), 0);
  neighbour_end();
}

/* ---- Names ---------------------------------------------------------------------------------------------------------------------- */
static void forged_handles(void) {
  neighbour_begin();
  attack(0, ARGV("t_hostile", "handles"));
  attack(0, ARGV("t_hostile", "generations"));
  neighbour_end();
}

/* A token of a client of this program, whose very number the hostile program is told. */
static void forged_tokens(void) {
  char token[24];
  q_handle to = with(Q_RIGHT_SEND | Q_RIGHT_DUP, 3);
  struct p_death death;
  neighbour_begin();
  uint64_t client = spawn(to, ARGV("victim", "call", "write", "heap", "0", "64"));
  struct q_received m = receive_call();
  snprintf(token, sizeof token, "%lu", (unsigned long)m.token);
  attack(0, ARGV("t_hostile", "tokens", token));
  CHECK_EQ(q_reply(&(struct q_reply){.label = 44, .token = m.token}), 0);
  CHECK_EQ(q_reply(&(struct q_reply){.label = 44, .token = m.token}), -Q_E_TOKEN);
  CHECK_EQ(p_wait_for(client, &death), client);
  CHECK_EQ(death.status, 44);
  attack(0, ARGV("t_hostile", "tokens", token)); /* used */
  neighbour_end();
  q_handle_close(to);
}

/* Every mask of rights on an endpoint: what it lacks is refused, with E_RIGHTS and nothing else. */
static void wrong_rights(void) {
  struct q_received m;
  for (unsigned rights = 0; rights < 256; rights++) {
    q_handle handle = with(rights, 1), copy = 0;
    struct q_call c = {.label = 1};
    if (!(rights & Q_RIGHT_SEND))
      CHECK_EQ(q_call(handle, &c), -Q_E_RIGHTS);
    CHECK_EQ(q_notify(handle, 1), rights & Q_RIGHT_NOTIFY ? 0 : -Q_E_RIGHTS);
    if (!(rights & Q_RIGHT_NOTIFY))
      q_notify(endpoint, 1);
    if (!(rights & Q_RIGHT_RECV) || rights & Q_RIGHT_NOTIFY) {
      q_recv(handle, &m);
      CHECK_EQ(m.kind, rights & Q_RIGHT_RECV ? Q_MSG_NOTIFY : -Q_E_RIGHTS);
    }
    CHECK_EQ(q_handle_dup(handle, Q_RIGHT_ALL, 0, &copy), rights & Q_RIGHT_DUP ? 0 : -Q_E_RIGHTS);
    if (!(rights & Q_RIGHT_MANAGE))
      CHECK_EQ(q_handle_destroy(handle), -Q_E_RIGHTS);
    q_handle_close(copy);
    q_handle_close(handle);
  }
  attack(0, ARGV("t_hostile", "rights"));
}

/* ---- Exhaustion ----------------------------------------------------------------------------------------------------------------- */
static void exhausted_quota(void) {
  static const char *const what[] = {"endpoints", "copies", "threads", "sleepers", "everything"};
  char seed[24];
  neighbour_begin();
  for (unsigned i = 0; i < sizeof what / sizeof *what; i++) {
    snprintf(seed, sizeof seed, "%lu", (unsigned long)first_seed);
    attack(0, ARGV("t_hostile", "exhaust", what[i], seed));
  }
  neighbour_end();
}

/* Children that spawn children until no more can be had report here, deepest last, and wait. */
static void fork_bomb(void) {
  static uint64_t id[256], depth[256];
  struct p_system system;
  struct p_death death;
  unsigned count = 0, deepest = 0, limits = 0;
  q_handle gift = with(Q_RIGHT_SEND | Q_RIGHT_DUP, 9);
  neighbour_begin();
  CHECK_EQ(p_system_stats(0, &system), 0);
  uint64_t before = system.processes, bomb = spawn(gift, ARGV("t_hostile", "bomb", "0"));
  do {
    struct q_received m = receive_call();
    pager_answers();
    id[count] = m.word[0], depth[count] = m.word[1];
    limits += m.word[2] == EAGAIN || m.word[2] == ENOMEM;
    deepest = m.word[1] > deepest ? (unsigned)m.word[1] : deepest;
    count++;
    p_system_stats(0, &system);
  } while (count < 255 && count < system.processes - before);
  printf("# %u programs, %u generations, %u met the limit\n", count, deepest + 1, limits);
  CHECK(count > 100 && limits == count);
  CHECK_EQ(p_spawn_program(ARGV("victim", "exit", "0"), P_SPAWN_QUIET, 0), -EAGAIN);
  for (int d = (int)deepest; d >= 0; d--) /* one whose parent has ended is nobody's to kill */
    for (unsigned i = 0; i < count; i++)
      if (depth[i] == (unsigned)d)
        CHECK_EQ(p_kill_program(id[i]), 0);
  CHECK_EQ(p_wait_for(bomb, &death), bomb);
  neighbour_end();
  q_handle_close(gift);
}

/* Queues of this program's endpoint, of the pager's, of its own, full of messages, faults and copies, when it ends. */
static void full_queues(void) {
  q_handle gift = with(Q_RIGHT_SEND | Q_RIGHT_NOTIFY | Q_RIGHT_DUP, ~0ul);
  char seed[24], data[64];
  uint64_t done;
  neighbour_begin();
  for (unsigned i = 0; i < 6; i++) {
    struct q_received m = {0};
    struct p_death death;
    printf("# seed %lu\n", (unsigned long)first_seed + i);
    snprintf(seed, sizeof seed, "%lu", (unsigned long)first_seed + i);
    uint64_t child = spawn(gift, ARGV("t_hostile", "queues", seed));
    for (unsigned k = 0; k < 10 * i; k++) { /* some calls are held, and of some a copy is on its way, when it ends */
      q_recv(endpoint, &m);
      if (m.kind == Q_MSG_CALL && k % 3)
        q_copy(m.token, k % 3 == 1 ? Q_COPY_FROM : Q_COPY_TO, 0, data, sizeof data, &done);
      if (m.kind == Q_MSG_CALL && k % 4 == 3)
        q_reply(&(struct q_reply){.token = m.token});
      if (m.handle)
        q_handle_close(m.handle);
    }
    for (unsigned k = 0; k < 10; k++) {
      pager_answers();
      q_sleep_until(q_time() + POLL_TICKS / 10);
    }
    kill_child(child, &death);
    CHECK_EQ(death.reason, P_REASON_KILLED);
    CHECK_EQ(q_reply(&(struct q_reply){.token = m.token}), m.token ? -Q_E_TOKEN : 0);
    q_notify(gift, 1ul << 63); /* whatever is left of it comes before or with this */
    do {
      q_recv(endpoint, &m);
      CHECK(m.kind == Q_MSG_NOTIFY || m.kind == Q_MSG_COPY_FAILED);
    } while (m.kind != Q_MSG_NOTIFY || !(m.word[0] >> 63));
  }
  neighbour_end();
  q_handle_close(gift);
}

/* Each of its calls is answered at once, in time that is its own: it may not have more of that than the others. */
static void calls_without_end(void) {
  uint64_t child[2];
  struct p_death death;
  neighbour_begin();
  for (unsigned i = 0; i < 2; i++)
    child[i] = spawn(0, ARGV("t_hostile", "pester"));
  uint64_t start = q_time();
  for (unsigned i = 0; i < 10; i++) {
    pager_answers();
    q_sleep_until(q_time() + 1);
  }
  CHECK(q_time() - start < 10 * 4 * 100000); /* slices of 10 ms, of three others */
  for (unsigned i = 0; i < 2; i++)
    kill_child(child[i], &death);
  neighbour_end();
}

/* A thread with so many handles that ending it takes several entries is started again between two of them. */
static void ending_and_starting(void) {
  neighbour_begin();
  attack(0, ARGV("t_hostile", "revive"));
  neighbour_end();
  printf("# the slowest two answers of the pager took %lu ticks, other programs' slices included\n",
         (unsigned long)slowest);
}

static const struct test tests[] = {
    {"random arguments for every system-call number", random_system_calls},
    {"random requests of every label to the pager", random_requests},
    {"stale and forged handles", forged_handles},
    {"forged, guessed and used tokens", forged_tokens},
    {"wrong rights", wrong_rights},
    {"a program uses up its quota", exhausted_quota},
    {"a program that spawns all the programs there can be", fork_bomb},
    {"a program fills every queue it can reach", full_queues},
    {"programs that call the pager without end", calls_without_end},
    {"a thread is started while it is being ended", ending_and_starting},
};

int main(int argc, char **argv) {
  if (argc > 1 && strcmp(argv[1], "seed"))
    return hostile(argc, argv);
  if (argc > 2)
    first_seed = strtoul(argv[2], NULL, 0);
  if (q_endpoint_create(&endpoint))
    return 1;
  free(malloc(4096)); /* the heap is there before anything is counted */
  int status = TAP_RUN("hostile", tests);
  return status;
}
