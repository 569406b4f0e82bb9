/* SPDX-License-Identifier: BSD-2-Clause */
/* The hostile programs of t_hostile, one function an attack. They print nothing; their exit status is the line of the check
 * that failed, or 0. */
#include "hostile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "access.h"
#include "random.h"

enum { A0, A1, A2, A3, A4, A5, A6, A7, T0, T1, T2, T3, T4, T5, T6, REGISTERS };
unsigned long raw_call(uint64_t r[REGISTERS]);
void find_registers(uint64_t words[2]);

#define EXPECT(condition)                                                                                            \
  do {                                                                                                               \
    if (!(condition))                                                                                                \
      p_exit_now(__LINE__);                                                                                          \
  } while (0)
#define COUNT(array) (sizeof(array) / sizeof *(array))

static uint64_t number_of(const char *text) {
  return strtoul(text, NULL, 0);
}

/* ---- The neighbour -------------------------------------------------------------------------------------------------------------- */
#define NEIGHBOUR_WORDS (8 * 512)

static int neighbour(char **argv) {
  static uint64_t kept[NEIGHBOUR_WORDS];
  (void)argv;
  for (uint64_t i = 0; i < NEIGHBOUR_WORDS; i++)
    kept[i] = i * 0x9e3779b97f4a7c15;
  for (uint64_t round = 1;; round++) {
    uint64_t *p = sbrk(8 * 4096);
    EXPECT(p != (void *)-1);
    for (unsigned i = 0; i < NEIGHBOUR_WORDS; i += 64) {
      EXPECT(p[i] == 0);
      p[i] = round + i;
    }
    for (unsigned i = 0; i < NEIGHBOUR_WORDS; i += 64)
      EXPECT(p[i] == round + i && kept[i] == i * 0x9e3779b97f4a7c15);
    EXPECT(sbrk(-8 * 4096) != (void *)-1);
    EXPECT(q_sleep_until(q_time() + 10000) == 0);
  }
}

/* ---- Random words ----------------------------------------------------------------------------------------------------------------- */
static uint64_t found[8];    /* handles that calls have returned */
static uint64_t spare[4096]; /* pointers go into its first part, and the longest answer is of 14 KiB */

static uint64_t some_pointer(void) {
  static const char *const bad[] = {"break",    "null",   "near-null",     "guard",   "below-sp",
                                    "text",     "rodata", "heap",          "big",     "above-stack",
                                    "user-top", "kernel", "non-canonical", "physmap", "last"};
  return below(3) ? (uint64_t)spare + below(512) : place(bad[below(COUNT(bad))]) + below(3) * 8;
}

static uint64_t some_handle(void) {
  uint64_t handle = chance(3) ? 1 + below(4) : found[below(COUNT(found))];
  unsigned how = (unsigned)below(8);
  return how == 0 ? handle ^ 1ul << below(64) : how == 1 ? handle + (1ul << 16) : how == 2 ? handle - 1 : handle;
}

static uint64_t some_word(void) {
  switch (below(10)) {
  case 0:
    return 0;
  case 1:
    return below(8);
  case 2:
    return below(256);
  case 3:
    return next_random() & 0xffff;
  case 4:
    return 1ul << below(64);
  case 5:
    return -below(4096);
  case 6:
    return some_pointer();
  case 7:
  case 8:
    return some_handle();
  default:
    return next_random();
  }
}

/* ---- System calls ------------------------------------------------------------------------------------------------------------------ */
#define CALLS 2000

/* What would hurt the judging and not the kernel is left out: console output, an end by request, waiting for ever. */
static void tame(uint64_t r[REGISTERS]) {
  if (r[A7] == Q_SYS_machine && r[A1] == Q_machine_write)
    r[A2] = 8;
  if (r[A7] == Q_SYS_call && r[A1] == P_exit)
    r[A1] = P_stats;
  if (r[A7] == Q_SYS_call && r[A1] == P_sbrk)
    r[A3] &= ~(uint64_t)P_SBRK_POPULATE; /* it may have all memory, and then its neighbours end */
  if (r[A7] == Q_SYS_sleep)
    r[A0] &= 1;
  if (r[A7] == Q_SYS_handle && r[A1] == Q_handle_close && r[A0] <= P_HANDLE_GIFT)
    r[A0] = found[0]; /* without the pager's endpoint it could not even exit */
  if (chance(2048))
    return; /* now and then it may wait for ever after all, or run wild */
  if (r[A7] == Q_SYS_reply_recv)
    r[A0] = 0;
  if (r[A7] == Q_SYS_call && r[A0] != P_HANDLE_PAGER)
    r[A0] |= 1ul << 40;
  if (r[A7] == Q_SYS_thread && r[A1] == Q_thread_start)
    r[A2] = (uint64_t)find_registers, r[A4] = (uint64_t)spare;
}

/* argv: seed, first number */
static int calls(char **argv) {
  uint64_t number = number_of(argv[1]);
  random_begin(number_of(argv[0]));
  for (unsigned i = 0; i < CALLS; i++) {
    uint64_t r[REGISTERS];
    for (unsigned j = 0; j < REGISTERS; j++)
      r[j] = some_word();
    r[A7] = i % 2 ? below(Q_SYS_COUNT) : number++ % 1001;
    uint64_t call = r[A7];
    if (call >= Q_SYS_task && !chance(4))
      r[A1] = below(7);
    tame(r);
    EXPECT(raw_call(r) == 0);
    EXPECT(call < Q_SYS_COUNT || (r[A0] == (uint64_t)-Q_E_CALL && !r[A1] && !r[A2] && !r[T0]));
    if (call >= Q_SYS_task && call <= Q_SYS_object && !r[A0] && r[A1])
      found[below(COUNT(found))] = r[A1];
  }
  return 0;
}

/* ---- Requests ---------------------------------------------------------------------------------------------------------------------- */
static const char known_text[] = "victim\0exit\0000";

static void some_buffers(struct q_call *c) {
  c->read = (void *)some_pointer();
  c->read_bytes = chance(4) ? some_word() : below(2200);
  c->write = (void *)some_pointer();
  c->write_bytes = chance(4) ? some_word() : below(512);
}

/* Where a child that a fork really makes begins: it ends, and needs no stack for that. */
static __attribute__((naked)) void end_at_once(void) {
  __asm__("1: li a0, %0; li a1, %1; li t0, 0; li t1, 0; li t2, 0; li t3, 0; li t4, 0; li a7, %2; ecall; j 1b" ::"i"(
              P_HANDLE_PAGER),
          "i"(P_exit), "i"(Q_SYS_call));
}

static void ask(uint64_t label) {
  struct q_call c = {.label = label};
  for (unsigned i = 0; i < 4; i++)
    c.word[i] = some_word();
  some_buffers(&c);
  if (chance(4))
    c.handle = found[0];
  if (label == P_exit)
    return;
  if (label == P_sbrk && c.word[1] & P_SBRK_POPULATE)
    c.word[0] &= 0xffff;
  if (label == P_sbrk && (int64_t)c.word[0] < 0)
    c.word[0] = 0; /* its own heap stays */
  if (label == P_spawn && chance(2))
    c.read = known_text, c.word[0] = sizeof known_text, c.read_bytes = below(2) ? sizeof known_text : c.read_bytes;
  if (label == P_spawn && !chance(8))
    c.word[1] = P_SPAWN_QUIET;
  if (label == P_fork)
    c.word[1] = (uint64_t)end_at_once, c.word[3] = chance(2) ? 0 : c.word[3];
  if (label == P_thread)
    c.word[0] |= 1; /* nothing begins there */
  int64_t error = q_call(P_HANDLE_PAGER, &c);
  EXPECT(label < 65536 ? error == 0 : error == -Q_E_ARG);
  EXPECT(error || label == 0 || label < P_REQUESTS_END || c.label == ENOSYS);
}

/* argv: seed. Every small label often, the others in steps, and what is no label. */
static int requests(char **argv) {
  random_begin(number_of(argv[0]));
  EXPECT(q_endpoint_create(&found[0]) == 0);
  for (unsigned i = 0; i < 1500; i++)
    ask(below(P_REQUESTS_END + 1));
  for (uint64_t label = 0; label < 65536; label += 1 + (label > 256 ? below(200) : 0))
    ask(label);
  for (unsigned i = 0; i < 64; i++)
    ask(65536 + (1ul << i));
  return 0;
}

/* ---- Handles ------------------------------------------------------------------------------------------------------------------------ */
static int64_t operate(uint64_t call, uint64_t operation, q_handle handle) {
  uint64_t r[REGISTERS] = {handle, operation};
  r[A7] = call;
  EXPECT(raw_call(r) == 0);
  return (int64_t)r[A0];
}

/* Every operation on a handle, which is none. */
static void expect_no_handle(q_handle handle) {
  static const uint8_t operations[Q_SYS_COUNT] = {
      [Q_SYS_call] = 1,   [Q_SYS_reply_recv] = 1, [Q_SYS_notify] = 1,  [Q_SYS_map] = 1,
      [Q_SYS_unmap] = 1,  [Q_SYS_protect] = 1,    [Q_SYS_harvest] = 1, [Q_SYS_task] = 4,
      [Q_SYS_thread] = 3, [Q_SYS_pager] = 5,      [Q_SYS_handle] = 4,  [Q_SYS_machine] = 4};
  for (unsigned call = 0; call < Q_SYS_COUNT; call++)
    for (unsigned operation = 0; operation < operations[call]; operation++)
      EXPECT(operate(call, operation, handle) == -Q_E_HANDLE);
  EXPECT(operate(Q_SYS_object, Q_object_irq, handle) == -Q_E_HANDLE);
}

/* It has four handles at most; every other value of slot and generation is none. */
static int handles(char **argv) {
  q_handle copy;
  (void)argv;
  for (uint64_t value = 0; value < 4ul << 16; value++) {
    bool mine = value >= P_HANDLE_PAGER && value <= P_HANDLE_TASK;
    EXPECT(q_handle_dup(value, Q_RIGHT_ALL, 0, &copy) == (mine ? -Q_E_RIGHTS : -Q_E_HANDLE));
  }
  random_begin(1);
  for (unsigned i = 0; i < 2000; i++) {
    uint64_t value = (1 + below(3)) ^ 1ul << (2 + below(62));
    expect_no_handle(chance(2) ? value : next_random() | 4);
  }
  return 0;
}

/* A slot that is used until its generations are used up: no old name ever works again. */
static int generations(char **argv) {
  q_handle first = 0, last = 0, handle;
  (void)argv;
  for (unsigned i = 0; i < 70000; i++) {
    EXPECT(q_endpoint_create(&handle) == 0);
    if (!first)
      first = handle;
    EXPECT(handle != last && handle != 0 && (i == 0 || handle != first));
    EXPECT((i & 1 ? q_handle_close(handle) : q_handle_destroy(handle)) == 0);
    EXPECT(q_handle_close(handle) == -Q_E_HANDLE);
    if (i % 1000 == 0) {
      expect_no_handle(handle);
      expect_no_handle(first);
      EXPECT(last == 0 || q_notify(last, 1) == -Q_E_HANDLE);
    }
    last = handle;
  }
  return 0;
}

/* Its own handles are not enough for anything but what they are for. */
static int rights(char **argv) {
  q_handle there;
  static struct q_info info __attribute__((aligned(512)));
  (void)argv;
  EXPECT(q_notify(P_HANDLE_PAGER, 1) == -Q_E_RIGHTS);
  struct q_received m;
  q_recv(P_HANDLE_PAGER, &m);
  EXPECT(m.kind == -Q_E_RIGHTS);
  EXPECT(q_task_stop(P_HANDLE_TASK) == -Q_E_RIGHTS);
  EXPECT(q_task_give(P_HANDLE_TASK, P_HANDLE_MACHINE, Q_RIGHT_ALL, 0, &there) == -Q_E_RIGHTS);
  EXPECT(q_task_supervise(P_HANDLE_TASK, P_HANDLE_PAGER, 0) == -Q_E_RIGHTS);
  for (uint64_t handle = P_HANDLE_PAGER; handle <= P_HANDLE_TASK; handle++) {
    EXPECT(q_handle_dup(handle, Q_RIGHT_ALL, 0, &there) == -Q_E_RIGHTS);
    EXPECT(q_handle_destroy(handle) == (handle == P_HANDLE_MACHINE ? -Q_E_TYPE : -Q_E_RIGHTS));
    EXPECT(q_pager_create(handle, &there, &there) == -Q_E_TYPE);
    EXPECT(q_task_create(handle, 1, 1, &there) == -Q_E_TYPE);
    struct q_call c = {.label = P_watch, .handle = handle};
    EXPECT(q_call(P_HANDLE_PAGER, &c) == -Q_E_ARG); /* may not be passed on */
  }
  EXPECT(q_machine_off(P_HANDLE_MACHINE, 0) == -Q_E_RIGHTS);
  EXPECT(q_irq_create(P_HANDLE_MACHINE, 10, P_HANDLE_PAGER, 1, &there) == -Q_E_RIGHTS);
  EXPECT(q_machine_info(P_HANDLE_MACHINE, &info) == 0);
  EXPECT(q_thread_create(P_HANDLE_TASK, Q_PRIORITY_PAGER, &there) == -Q_E_ARG);
  EXPECT(q_thread_create(P_HANDLE_TASK, Q_PRIORITY_PROGRAM + 1, &there) == -Q_E_ARG);
  return 0;
}

/* ---- Tokens ------------------------------------------------------------------------------------------------------------------------- */
static void expect_no_token(q_token token) {
  char data[8];
  uint64_t done;
  struct q_reply r = {.label = Q_REPLY_MAP, .word = {P_IMAGE_BASE, 0x80200003, 1, 0}, .token = token};
  if (!token)
    return;
  EXPECT(q_reply(&r) == -Q_E_TOKEN);
  r.label = Q_REPLY_REFUSE;
  EXPECT(q_reply(&r) == -Q_E_TOKEN);
  EXPECT(q_copy(token, Q_COPY_FROM, 0, data, sizeof data, &done) == -Q_E_TOKEN);
  EXPECT(q_copy(token, Q_COPY_TO, 0, data, sizeof data, &done) == -Q_E_TOKEN);
}

/* argv: a token that is another server's */
static int token_attack(char **argv) {
  q_token token = number_of(argv[0]);
  random_begin(token);
  expect_no_token(token);
  for (unsigned a = 0; a < 64; a++)
    for (unsigned b = a; b < 64; b++)
      expect_no_token(token ^ 1ul << a ^ 1ul << b);
  for (int64_t i = -2000; i < 2000; i++)
    expect_no_token(token + (uint64_t)i);
  for (uint64_t i = 0; i < 4000; i++) /* the same sequence number of every thread */
    expect_no_token((token & ~0x3fffful) | (i * 0x3f & 0x3ffff));
  for (unsigned i = 0; i < 4000; i++)
    expect_no_token(next_random());
  return 0;
}

/* Never waits, and never lets the pager rest. */
static int pester(char **argv) {
  struct p_stats stats;
  (void)argv;
  for (;;)
    EXPECT(p_stats_of(0, &stats) == 0);
}

/* ---- Exhaustion ----------------------------------------------------------------------------------------------------------------------- */
static bool at_limit(int64_t error) {
  EXPECT(error == 0 || error == -Q_E_NOMEM || error == -Q_E_FULL);
  return error != 0;
}

static unsigned more_endpoints(void) {
  q_handle handle;
  unsigned n = 0;
  while (!at_limit(q_endpoint_create(&handle)))
    n++;
  return n;
}

static unsigned more_copies(void) {
  q_handle first, handle;
  unsigned n = 0;
  if (at_limit(q_endpoint_create(&first)))
    return 0;
  while (!at_limit(q_handle_dup(first, Q_RIGHT_ALL, 7, &handle)))
    n++;
  return n;
}

static q_handle thread[64];

static unsigned more_threads(bool start) {
  unsigned n = 0;
  while (n < COUNT(thread) && !at_limit(q_thread_create(P_HANDLE_TASK, below(Q_PRIORITY_PROGRAM + 1), &thread[n]))) {
    if (start)
      EXPECT(q_thread_start(thread[n], (uint64_t)find_registers, 0, (uint64_t)spare) == 0);
    n++;
  }
  return n;
}

void sleeper(uint64_t until); /* sleeps until then again and again */
__asm__(".text\nsleeper:\n mv s0, a0\n1: mv a0, s0\n li a7, 14\n ecall\n li t0, 500\n add s0, s0, t0\n j 1b\n");

static void sleepers(void) {
  unsigned n = more_threads(false);
  EXPECT(n > 20);
  for (unsigned i = 0; i < n; i++)
    EXPECT(q_thread_start(thread[i], (uint64_t)sleeper, 0, chance(4) ? ~0ul - below(9) : q_time() + below(20000)) ==
           0);
  for (unsigned round = 0; round < 3000; round++) {
    unsigned i = (unsigned)below(n);
    EXPECT(q_handle_destroy(thread[i]) == 0);
    EXPECT(q_thread_create(P_HANDLE_TASK, below(4), &thread[i]) == 0);
    EXPECT(q_thread_start(thread[i], (uint64_t)sleeper, 0, chance(4) ? ~0ul - below(9) : q_time() + below(20000)) ==
           0);
    if (chance(20))
      q_sleep_until(q_time() + below(300));
  }
}

static void everything(void) {
  for (unsigned round = 0; round < 30; round++) {
    q_handle e, copy;
    int64_t error = q_endpoint_create(&e);
    EXPECT(error == 0 || error == -Q_E_NOMEM || error == -Q_E_FULL);
    for (unsigned i = 0; i < 40 && !error; i++)
      error = q_handle_dup(e, Q_RIGHT_ALL, below(3), &copy);
    EXPECT(error == 0 || error == -Q_E_NOMEM || error == -Q_E_FULL);
    q_thread_create(P_HANDLE_TASK, 1, &thread[0]);
  }
  more_endpoints(), more_threads(true), more_copies();
}

/* argv: of what, seed. Ends without giving anything back. */
static int exhaust(char **argv) {
  random_begin(number_of(argv[1]));
  if (!strcmp(argv[0], "endpoints"))
    EXPECT(more_endpoints() > 200);
  else if (!strcmp(argv[0], "copies"))
    EXPECT(more_copies() > 900);
  else if (!strcmp(argv[0], "threads"))
    EXPECT(more_threads(true) > 20);
  else if (!strcmp(argv[0], "sleepers"))
    sleepers();
  else
    everything();
  return 0;
}

/* argv: depth */
static int bomb(char **argv) {
  uint64_t depth = number_of(argv[0]);
  char next[24];
  int64_t id;
  snprintf(next, sizeof next, "%lu", (unsigned long)depth + 1);
  while ((id = p_spawn_program(ARGV("t_hostile", "bomb", next), P_SPAWN_QUIET, P_HANDLE_GIFT)) > 0)
    ;
  struct p_stats stats;
  EXPECT(p_stats_of(0, &stats) == 0);
  struct q_call c = {.label = 1, .word = {stats.id, depth, (uint64_t)-id}};
  q_call(P_HANDLE_GIFT, &c);
  return 0;
}

/* ---- Queues ------------------------------------------------------------------------------------------------------------------------- */
#define QUEUE_THREADS 24
#define FRESH_PAGES 4096 /* not all memory: else its neighbours end */
static q_handle own;
static uint64_t fresh;

static uint64_t fresh_page(unsigned pages) {
  static unsigned used;
  unsigned first = used;
  used = (used + pages) % (FRESH_PAGES - 4);
  return fresh + first * 4096;
}

static void call_with_buffers(q_handle to, uint64_t label) {
  uint64_t page = fresh_page(3); /* a copy must ask for it */
  struct q_call c = {.label = label,
                     .word = {below(4096), 0},
                     .handle = chance(3) ? own : 0,
                     .read = (void *)page,
                     .read_bytes = 4096,
                     .write = (void *)(page + 8192 - below(32)),
                     .write_bytes = 600};
  q_call(to, &c);
}

static void fill_queues(void *argument) {
  struct q_received m;
  uint64_t kind = (uint64_t)argument % 6;
  for (;;) {
    if (kind == 0)
      call_with_buffers(own, 1);
    else if (kind <= 2)
      call_with_buffers(P_HANDLE_GIFT, 2);
    else if (kind == 3)
      call_with_buffers(P_HANDLE_PAGER, chance(2) ? P_stats : P_spawn);
    else if (kind == 4)
      *(volatile char *)fresh_page(1) = 1;
    else
      q_recv(own, &m);
    q_notify(P_HANDLE_GIFT, next_random() >> 1);
  }
}

/* argv: seed. Until it is killed. */
static int queues(char **argv) {
  static struct p_thread threads[QUEUE_THREADS];
  random_begin(number_of(argv[0]));
  fresh = ((uint64_t)sbrk(FRESH_PAGES * 4096) + 4095) & ~4095ul;
  EXPECT(q_endpoint_create(&own) == 0);
  for (unsigned i = 0; i < QUEUE_THREADS; i++)
    if (p_thread_start(&threads[i], fill_queues, (void *)(uint64_t)(i < 6 ? i : below(6)), 1 + below(2)))
      break;
  for (unsigned round = 0;; round++) {
    unsigned i = (unsigned)below(QUEUE_THREADS);
    q_sleep_until(q_time() + 1000);
    q_notify(P_HANDLE_GIFT, 1);                          /* its parent waits for something */
    if (round < 200 && chance(4) && threads[i].handle) { /* its calls, copies and faults lose their thread */
      q_handle_destroy(threads[i].handle);
      threads[i].handle = 0;
    }
  }
}

/* ---- A thread that is ended and started ----------------------------------------------------------------------------------------------- */
static volatile q_handle victim, last_copy;
static volatile uint64_t start_at, started;

void caller(q_handle to); /* calls there, again and again */
__asm__(".text\ncaller:\n mv s0, a0\n1: mv a0, s0\n li a1, 1\n li t0, 0\n li t1, 0\n li t2, 0\n li t3, 0\n li t4, 0\n"
        " li a7, 1\n ecall\n j 1b\n");

static void reviver(void *argument) {
  (void)argument;
  for (;;) {
    while (!start_at)
      q_sleep_until(q_time() + 50);
    q_sleep_until(start_at);
    for (q_handle copy = last_copy; copy; copy = 0)
      started += q_thread_start(copy, (uint64_t)caller, 0, own) == 0;
    started += q_thread_start(victim, (uint64_t)caller, 0, own) == 0;
    start_at = 0;
  }
}

/* The thread has called, and 600 names: ending it takes several entries, and in between a timer wakes the reviver. */
static void end_once(uint64_t delay) {
  q_handle made, copy;
  EXPECT(q_thread_create(P_HANDLE_TASK, 1, &made) == 0);
  for (unsigned i = 0; i < 600; i++) {
    EXPECT(q_handle_dup(made, Q_RIGHT_ALL, 0, &copy) == 0);
    if (i == 0)
      last_copy = copy; /* the oldest goes last */
  }
  victim = made;
  EXPECT(q_thread_start(made, (uint64_t)caller, 0, own) == 0);
  q_sleep_until(q_time() + 200); /* it calls, and waits in the queue */
  start_at = q_time() + 100 + delay;
  q_sleep_until(q_time() + 90);
  EXPECT(q_handle_destroy(copy) == 0);
  q_sleep_until(q_time() + 2000);
  while (start_at) /* on another hart it may be late */
    q_sleep_until(q_time() + 100);
  EXPECT(q_handle_close(made) == -Q_E_HANDLE && q_handle_close(last_copy) == -Q_E_HANDLE);
}

static volatile bool ended;

static void ender(void *argument) {
  (void)argument;
  for (uint64_t delay = 0; delay < 1200; delay += 30)
    end_once(delay);
  ended = true;
  p_thread_exit();
}

static int revive(char **argv) {
  static struct p_thread high, low;
  (void)argv;
  EXPECT(q_endpoint_create(&own) == 0);
  EXPECT(p_thread_start(&high, reviver, NULL, Q_PRIORITY_PROGRAM) == 0);
  EXPECT(p_thread_start(&low, ender, NULL, Q_PRIORITY_PROGRAM - 1) == 0);
  while (!ended)
    q_sleep_until(q_time() + 5000);
  EXPECT(started == 0); /* one that is being ended can't be named */
  return 0;
}

/* ---- Which ---------------------------------------------------------------------------------------------------------------------------- */
static const struct {
  const char *name;
  int (*run)(char **argv);
  int arguments;
} attacks[] = {{"neighbour", neighbour, 0}, {"calls", calls, 2},     {"requests", requests, 1},
               {"handles", handles, 0},     {"rights", rights, 0},   {"generations", generations, 0},
               {"tokens", token_attack, 1}, {"exhaust", exhaust, 2}, {"bomb", bomb, 1},
               {"queues", queues, 1},       {"pester", pester, 0},   {"pester", pester, 0},
               {"revive", revive, 0}};

int hostile(int argc, char **argv) {
  for (unsigned i = 0; i < COUNT(attacks); i++)
    if (!strcmp(argv[1], attacks[i].name) && argc - 2 == attacks[i].arguments)
      return attacks[i].run(argv + 2);
  return 99;
}
