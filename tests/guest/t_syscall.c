/* SPDX-License-Identifier: BSD-2-Clause */
/* The system-call boundary itself: what a call keeps, clears and refuses, whatever its registers hold. Knows no object but
 * as something to name wrongly. */
#include "access.h"
#include "tap.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum { A0, A1, A2, A3, A4, A5, A6, A7, T0, T1, T2, T3, T4, T5, T6, REGISTERS };
unsigned long raw_call(uint64_t r[REGISTERS]);
void find_registers(uint64_t words[2]);

static q_handle endpoint;

/* ---- Registers ------------------------------------------------------------------------------------------------------ */
/* Calls with junk in every register that is no argument; checks that only the first `results` come back other than 0. */
static void check_call(uint64_t number, const uint64_t a[6], int64_t expected, unsigned results) {
  uint64_t r[REGISTERS];
  for (unsigned i = 0; i < REGISTERS; i++)
    r[i] = i < 6 ? a[i] : 0x7700000000000077ul + i;
  r[A7] = number;
  CHECK_EQ(raw_call(r), 0);
  CHECK_EQ(r[A0], expected);
  for (unsigned i = results; i < REGISTERS; i++)
    if (r[i])
      printf("# call %lu: register %u is %lx\n", (unsigned long)number, i, (unsigned long)r[i]);
  for (unsigned i = results; i < REGISTERS; i++)
    CHECK_EQ(r[i], 0);
}
#define CALL(number, expected, results, ...) check_call(number, (const uint64_t[6]){__VA_ARGS__}, expected, results)

static void kept_and_scrubbed(void) {
  uint64_t info = (uint64_t)malloc(1024), now = q_time();
  info = (info + 511) & ~511ul;
  CALL(Q_SYS_null, 0, 1, 1, 2, 3, 4, 5, 6);
  CALL(Q_SYS_sleep, 0, 1, 0, 2, 3, 4, 5, 6);
  CALL(Q_SYS_sleep, 0, 1, now + 100000, 2, 3, 4, 5, 6);
  CALL(Q_SYS_notify, -Q_E_HANDLE, 1, 0x7777, 2, 3, 4, 5, 6);
  CALL(Q_SYS_notify, 0, 1, endpoint, 0, 3, 4, 5, 6);
  CALL(Q_SYS_map, -Q_E_TYPE, 1, endpoint, 2, 3, 4, 5, 6);
  CALL(Q_SYS_unmap, -Q_E_TYPE, 1, endpoint, 2, 3, 4, 5, 6);
  CALL(Q_SYS_protect, -Q_E_TYPE, 1, endpoint, 2, 3, 4, 5, 6);
  CALL(Q_SYS_harvest, -Q_E_TYPE, 1, endpoint, 2, 3, 4, 5, 6);
  CALL(Q_SYS_copy, -Q_E_TOKEN, 1, 5, 0, 3, 4, 5, 0);
  CALL(Q_SYS_reply_recv, -Q_E_HANDLE, 7, 0x7777, 2, 3, 4, 5, 6);
  CALL(Q_SYS_reply_recv, -Q_E_TOKEN, 7, 0, 2, 3, 4, 5, 6);      /* a6 is junk */
  CALL(Q_SYS_call, -Q_E_ARG, 1, P_HANDLE_PAGER, 1, 3, 4, 5, 6); /* t0 is junk */
  CALL(Q_SYS_machine, 0, 1, P_HANDLE_MACHINE, Q_machine_info, info, 4, 5, 6);
  CALL(Q_SYS_machine, 0, 1, P_HANDLE_MACHINE, Q_machine_write, info, 0, 5, 6);
  CALL(Q_SYS_machine, -Q_E_FAULT, 1, P_HANDLE_MACHINE, Q_machine_write, 8, 1, 5, 6); /* after a fault message */
  CALL(Q_SYS_handle, -Q_E_HANDLE, 1, 0x7777, Q_handle_dup, 3, 4, 5, 6);
  CALL(Q_SYS_object, -Q_E_RIGHTS, 1, P_HANDLE_MACHINE, Q_object_irq, 3, endpoint, 5, 6);
  CALL(Q_SYS_COUNT, -Q_E_CALL, 1, 1, 2, 3, 4, 5, 6);
}

/* The answer to a call fills a1-a5 and t0; nothing of the server's or the kernel's may be in the rest. */
static void answers_carry_nothing_else(void) {
  uint64_t r[REGISTERS];
  for (unsigned i = 0; i < REGISTERS; i++)
    r[i] = 0x77000077 + i;
  r[A0] = P_HANDLE_PAGER, r[A1] = 999, r[A7] = Q_SYS_call, r[T0] = r[T1] = r[T2] = r[T3] = r[T4] = 0;
  CHECK_EQ(raw_call(r), 0);
  CHECK_EQ(r[A0], 0);
  CHECK(r[A1] != 0); /* ENOSYS */
  for (unsigned i = A2; i < REGISTERS; i++)
    CHECK_EQ(r[i], 0);
}

static q_handle probe(uint64_t words[2]) {
  q_handle thread = 0;
  words[0] = ~0ul, words[1] = 0;
  CHECK_EQ(q_thread_create(P_HANDLE_TASK, Q_PRIORITY_PROGRAM, &thread), 0);
  CHECK_EQ(q_thread_start(thread, (uint64_t)find_registers, 0, (uint64_t)words), 0);
  WAIT_FOR(words[1]);
  q_sleep_until(q_time() + NAP); /* it leaves its ones */
  return thread;
}

/* Twice in the same memory: the first leaves ones in every register. */
static void threads_start_clean(void) {
  for (unsigned i = 0; i < 3; i++) {
    static volatile uint64_t words[2];
    double kept = 1.5; /* so that this thread owns the floating-point unit */
    __asm__ volatile("" : "+f"(kept));
    q_handle thread = probe((uint64_t *)words);
    __asm__ volatile("" : "+f"(kept));
    CHECK(kept == 1.5);
    CHECK_EQ(words[0], 0);
    CHECK_EQ(words[1], 1);
    CHECK_EQ(q_handle_destroy(thread), 0);
  }
}

/* ---- Names of nothing ------------------------------------------------------------------------------------------------ */
static void unknown_calls(void) {
  static const uint64_t numbers[] = {16, 17, 31, 32, 255, 256, 1ul << 32, (1ul << 32) + 1, 1ul << 63, ~0ul};
  static const uint64_t calls[][2] = {{Q_SYS_task, 5},   {Q_SYS_thread, 4}, {Q_SYS_pager, 5},
                                      {Q_SYS_handle, 4}, {Q_SYS_object, 2}, {Q_SYS_machine, 4}};
  for (unsigned i = 0; i < sizeof numbers / sizeof *numbers; i++)
    CALL(numbers[i], -Q_E_CALL, 1, P_HANDLE_MACHINE, 0, 0, 0, 0, 0);
  for (unsigned i = 0; i < sizeof calls / sizeof *calls; i++) {
    CALL(calls[i][0], -Q_E_CALL, 1, P_HANDLE_MACHINE, calls[i][1], 0, 0, 0, 0);
    for (unsigned j = 0; j < sizeof numbers / sizeof *numbers; j++)
      CALL(calls[i][0], -Q_E_CALL, 1, P_HANDLE_MACHINE, numbers[j], 0, 0, 0, 0);
  }
}

struct operation {
  uint64_t call, operation;
  bool endpoint; /* an endpoint is what it wants */
};
static const struct operation operations[] = {
    {Q_SYS_call, 0, true},
    {Q_SYS_reply_recv, 0, true},
    {Q_SYS_notify, 0, true},
    {Q_SYS_map, 0, false},
    {Q_SYS_unmap, 0, false},
    {Q_SYS_protect, 0, false},
    {Q_SYS_harvest, 0, false},
    {Q_SYS_task, Q_task_create, false},
    {Q_SYS_task, Q_task_stop, false},
    {Q_SYS_task, Q_task_give, false},
    {Q_SYS_task, Q_task_supervise, false},
    {Q_SYS_task, Q_task_quota, false},
    {Q_SYS_thread, Q_thread_create, false},
    {Q_SYS_thread, Q_thread_start, false},
    {Q_SYS_thread, Q_thread_priority, false},
    {Q_SYS_thread, Q_thread_stop, false},
    {Q_SYS_pager, Q_pager_create, false},
    {Q_SYS_pager, Q_pager_window, false},
    {Q_SYS_pager, Q_pager_donate, false},
    {Q_SYS_pager, Q_pager_reclaim, false},
    {Q_SYS_pager, Q_pager_grant, false},
    {Q_SYS_object, Q_object_irq, false},
    {Q_SYS_machine, Q_machine_write, false},
    {Q_SYS_machine, Q_machine_off, false},
    {Q_SYS_machine, Q_machine_info, false},
    {Q_SYS_machine, Q_machine_log, false},
};

static int64_t attempt(const struct operation *o, q_handle handle) {
  uint64_t r[REGISTERS] = {handle, o->operation};
  r[A7] = o->call;
  CHECK_EQ(raw_call(r), 0);
  return (int64_t)r[A0];
}

/* Every operation that takes a handle, given none, a closed one, one of another generation, and another object's. */
static void wrong_handles(void) {
  q_handle closed;
  CHECK_EQ(q_handle_dup(endpoint, Q_RIGHT_ALL, 0, &closed), 0);
  q_handle_close(closed);
  for (unsigned i = 0; i < sizeof operations / sizeof *operations; i++) {
    const struct operation *o = &operations[i];
    q_handle other = o->endpoint ? P_HANDLE_MACHINE : endpoint;
    if (o->call != Q_SYS_reply_recv) /* there 0 says not to receive */
      CHECK_EQ(attempt(o, 0), -Q_E_HANDLE);
    CHECK_EQ(attempt(o, closed), -Q_E_HANDLE);
    CHECK_EQ(attempt(o, endpoint + (1ul << 16)), -Q_E_HANDLE);
    CHECK_EQ(attempt(o, endpoint | 1ul << 63), -Q_E_HANDLE);
    CHECK_EQ(attempt(o, 0xffff), -Q_E_HANDLE);
    CHECK_EQ(attempt(o, other), -Q_E_TYPE);
  }
}

/* ---- Garbage ---------------------------------------------------------------------------------------------------------- */
#define GARBAGE_CALLS 2000
#define GARBAGE_CHILDREN 64
static uint64_t seed;
static uint64_t found[8]; /* handles that calls have returned */
static uint64_t spare[2];

static uint64_t next_random(void) {
  seed = seed * 6364136223846793005 + 1442695040888963407; /* Knuth, MMIX */
  return seed >> 33 | seed << 31;
}

static uint64_t garbage_value(const uint64_t *r) {
  static const char *const places[] = {"break", "null",     "guard",  "text", "heap",
                                       "stack", "user-top", "kernel", "last"};
  uint64_t v = next_random();
  switch (v >> 8 & 15) {
  case 0:
  case 1:
  case 2:
    return v & 7;
  case 3:
    return v & 0xff;
  case 4:
    return v >> 16 & 0xffff;
  case 5:
  case 6:
    return found[v % 8];
  case 7:
    return (uint64_t)r;
  case 8:
    return 1ul << (v & 63);
  case 9:
    return -(v & 0xfff);
  case 10:
    return place(places[v % (sizeof places / sizeof *places)]);
  case 11:
    return P_HANDLE_TASK;
  default:
    return v;
  }
}

/* What would hurt the judging and not the kernel is left out: console output, ending by request, sleeping for ever. */
static void tame(uint64_t r[REGISTERS]) {
  bool writes = r[A7] == Q_SYS_machine && r[A1] == Q_machine_write;
  if (writes)
    r[A2] = 8;
  if (r[A7] == Q_SYS_call && r[A1] == P_exit)
    r[A1] = P_stats;
  if (r[A7] == Q_SYS_sleep)
    r[A0] &= 1;
  if (r[A7] == Q_SYS_handle && r[A1] == Q_handle_close && r[A0] <= P_HANDLE_TASK)
    r[A0] = found[0]; /* without the pager's endpoint it could not even exit */
  if (next_random() % 64 == 0)
    return; /* now and then it may wait for ever after all, or run wild */
  if (r[A7] == Q_SYS_reply_recv)
    r[A0] = 0;
  if (r[A7] == Q_SYS_call && r[A0] > 0xffff)
    r[A0] = P_HANDLE_PAGER;
  if (r[A7] == Q_SYS_thread && r[A1] == Q_thread_start)
    r[A2] = (uint64_t)find_registers, r[A4] = (uint64_t)spare;
}

static int garbage_child(const char *number) {
  seed = strtoul(number, NULL, 0) * 7919;
  for (unsigned i = 0; i < GARBAGE_CALLS; i++) {
    static uint64_t r[REGISTERS];
    for (unsigned j = 0; j < REGISTERS; j++)
      r[j] = garbage_value(r);
    r[A7] = r[A7] % 18;
    r[A1] = r[A7] >= Q_SYS_task && next_random() % 4 ? r[A1] % 7 : r[A1];
    tame(r);
    bool makes = r[A7] >= Q_SYS_task && r[A7] <= Q_SYS_object;
    if (raw_call(r))
      return 1;
    if (makes && !r[A0])
      found[next_random() % 8] = r[A1];
  }
  return 0;
}

/* A child that waits for a message that never comes, or has lost its own thread, is ended. */
static struct p_death wait_a_while(uint64_t id) {
  struct p_death death;
  for (unsigned i = 0; i < 50; i++) {
    if (p_reap_child(id, &death) > 0)
      return death;
    q_sleep_until(q_time() + 200000);
  }
  CHECK_EQ(p_kill_program(id), 0);
  CHECK_EQ(p_wait_for(id, &death), id);
  return death;
}

static void garbage(void) {
  char number[8];
  unsigned whole = 0, lost = 0;
  for (unsigned i = 1; i <= GARBAGE_CHILDREN; i++) {
    snprintf(number, sizeof number, "%u", i);
    struct p_death death = wait_a_while(spawn(0, ARGV("t_syscall", number)));
    whole += death.reason == P_REASON_EXIT && death.status == 0;
    lost += death.reason == P_REASON_EXIT && death.status != 0; /* a register was not kept */
  }
  printf("# %u of %u children made all of their %u calls\n", whole, GARBAGE_CHILDREN, GARBAGE_CALLS);
  CHECK_EQ(lost, 0);
  CHECK(whole * GARBAGE_CALLS >= 20000);
  CHECK_EQ(p_trace_ring(P_TRACE_STOP, 0, NULL, 0, NULL), 0); /* one of them may have asked for it */
}

static const struct test tests[] = {
    {"registers are kept or scrubbed by every call", kept_and_scrubbed},
    {"an answer carries nothing but itself", answers_carry_nothing_else},
    {"a thread starts with clean registers", threads_start_clean},
    {"unknown calls and operations", unknown_calls},
    {"every operation on a wrong handle", wrong_handles},
    {"garbage in every register", garbage},
};

int main(int argc, char **argv) {
  if (argc > 1)
    return garbage_child(argv[1]);
  if (q_endpoint_create(&endpoint))
    return 1;
  free(malloc(4096)); /* the heap is there before anything is counted */
  return TAP_RUN("syscall", tests);
}
