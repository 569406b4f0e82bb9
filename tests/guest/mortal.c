/* SPDX-License-Identifier: BSD-2-Clause */
/* The programs that t_death.c kills: one role for each state, the busy mix, and the bystander that must notice nothing. The
 * gift of each is an endpoint of the test. */
#include "tap.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAGE 4096ul
#define FOREVER ~0ul

static char *fresh(unsigned pages) { /* memory that is not there yet */
  return (char *)p_sbrk_bytes((int64_t)(pages * PAGE), 0);
}

static int rest(void) {
  for (;;)
    q_sleep_until(FOREVER);
  return 0;
}

/* ---- One state each ---------------------------------------------------------------------------------------------------- */
static int do_spin(char **argv) { /* with floating-point registers that are its own */
  (void)argv;
  __asm__ volatile("li t0, -1\n fmv.d.x ft0, t0\n fmv.d.x fs0, t0\n fmv.d.x fa7, t0\n fmv.d.x ft11, t0\n fsrmi 3" ::
                       : "t0", "ft0", "fs0", "fa7", "ft11");
  for (;;)
    __asm__ volatile("");
  return 0;
}

static int do_clean(char **argv) { /* status 0: whoever spun left nothing in the registers */
  (void)argv;
  uint64_t any, rounding;
  __asm__ volatile("fmv.x.d %0, ft0\n fmv.x.d t0, fs0\n or %0, %0, t0\n fmv.x.d t0, fa7\n or %0, %0, t0\n"
                   "fmv.x.d t0, ft11\n or %0, %0, t0\n frrm %1"
                   : "=&r"(any), "=&r"(rounding)::"t0");
  return any || rounding;
}

static int do_yield(char **argv) {
  (void)argv;
  for (;;)
    q_yield();
  return 0;
}

static int do_sleep(char **argv) {
  q_sleep_until(strtoul(argv[0], NULL, 0));
  return 0;
}

static int do_hold(char **argv) { /* receives that many calls and answers none */
  struct q_received m;
  for (int i = atoi(argv[0]); i; i--)
    q_recv(P_HANDLE_GIFT, &m);
  return rest();
}

/* Two endpoints of its own: it holds a call of one, and lets the test wait at the other. */
static int do_own(char **argv) {
  (void)argv;
  q_handle sends, receives;
  struct q_received m;
  q_endpoint_create(&sends);
  q_endpoint_create(&receives);
  q_call(P_HANDLE_GIFT, &(struct q_call){.label = 1, .handle = sends});
  q_call(P_HANDLE_GIFT, &(struct q_call){.label = 2, .handle = receives});
  q_recv(sends, &m);
  return rest();
}

/* Takes a call and begins to copy from the caller's page, which is refused. "heard": waits to be told so. */
static int do_copier(char **argv) {
  struct q_received m;
  uint64_t done;
  char own[10];
  q_recv(P_HANDLE_GIFT, &m);
  if (q_copy(m.token, Q_COPY_FROM, 0, own, 10, &done) != -Q_E_PENDING)
    return 1;
  if (strcmp(argv[0], "heard"))
    return rest();
  q_recv(P_HANDLE_GIFT, &m);
  if (m.kind != Q_MSG_COPY_FAILED)
    return 1;
  return rest();
}

/* Two children call the test, a third has ended and is not reaped; the test is told their numbers. */
static int do_nest(char **argv) {
  (void)argv;
  static const char *const ended[] = {"victim", "exit", "0", 0};
  static const char *const calls[] = {"victim", "call", "read", "heap", "0", "4096", 0};
  struct q_call c = {.label = 3};
  p_spawn_program(ended, P_SPAWN_QUIET, 0);
  for (unsigned i = 0; i < 2; i++)
    c.word[i] = (uint64_t)p_spawn_program(calls, P_SPAWN_QUIET, P_HANDLE_GIFT);
  q_call(P_HANDLE_GIFT, &c);
  return rest();
}

/* Ends before its child does. */
static int do_leave(char **argv) {
  char until[24];
  snprintf(until, sizeof until, "%lu", (unsigned long)(q_time() + 1000000));
  const char *const child[] = {"mortal", "sleep", until, 0};
  (void)argv;
  return p_spawn_program(child, P_SPAWN_QUIET, 0) < 0;
}

/* Spawns for ever; every other child is left unreaped. The words lie on a page that the first call has to fault in. */
static char words[PAGE] __attribute__((aligned(4096))) = "victim\0exit\0005";
static int do_spawner(char **argv) {
  (void)argv;
  struct p_death death;
  for (bool waits = false;; waits = !waits) {
    struct q_call c = {.label = P_spawn, .word = {14, P_SPAWN_QUIET}, .handle = P_HANDLE_GIFT};
    c.read = words;
    c.read_bytes = 14;
    if (q_call(P_HANDLE_PAGER, &c))
      return 1;
    if (waits && !c.label)
      p_wait_for(c.word[0], &death);
  }
  return 0;
}

/* ---- Hoards ---------------------------------------------------------------------------------------------------------- */
static int do_names(char **argv) {
  bool threads = !strcmp(argv[0], "threads");
  q_handle object, name;
  for (unsigned i = 0; i < (threads ? 8 : 14); i++) {
    if (threads ? q_thread_create(P_HANDLE_TASK, 3, &object) : q_endpoint_create(&object))
      return 1;
    for (unsigned j = 0; j < (threads ? 110 : 64) && !q_handle_dup(object, Q_RIGHT_ALL, 0, &name); j++)
      ;
  }
  return rest();
}

static int
do_sender(char **argv) { /* with all the threads that it may have; its buffer is refused to whoever copies it */
  (void)argv;
  q_handle thread;
  while (!q_thread_create(P_HANDLE_TASK, 3, &thread))
    q_handle_close(thread);
  return (int)q_call(P_HANDLE_GIFT, &(struct q_call){.label = 1, .read = NULL, .read_bytes = 64});
}

/* At that time: takes what threads it can have, and says how many. */
static int do_eater(char **argv) {
  q_handle thread;
  struct q_call c = {0};
  q_sleep_until(strtoul(argv[0], NULL, 0));
  for (; !q_thread_create(P_HANDLE_TASK, 3, &thread); c.label++)
    q_handle_close(thread);
  q_call(P_HANDLE_GIFT, &c);
  return rest();
}

/* ---- Half dead ------------------------------------------------------------------------------------------------------ */
/* A thread of the lowest priority ends another, whose handles are so many that it takes several rounds; this thread comes
 * in between at a different moment each time, and may neither start the victim again nor answer its call. */
static struct {
  q_handle endpoint, thread; /* the victim's */
  volatile uint64_t begins;
  volatile bool returned, ended;
} half;

static void half_dead(void *argument) {
  (void)argument;
  q_call(half.endpoint, &(struct q_call){.label = 1});
  half.returned = true;
  rest();
}

static void half_ender(void *argument) {
  (void)argument;
  q_handle copy = 0, next;
  while (!q_handle_dup(half.thread, Q_RIGHT_ALL, 0, &next))
    copy = next;
  half.begins = q_time();
  q_handle_destroy(copy);
  half.ended = true;
  rest();
}

/* So long after it began; on several harts both run, and on one only a sleeper lets the other. */
static void come_between(uint64_t after) {
  while (!half.begins)
    if (harts() == 1)
      q_sleep_until(q_time() + 20);
  if (harts() == 1)
    q_sleep_until(half.begins + after);
  while (q_time() < half.begins + after)
    ;
}

/* Status 1: it never came between; 2, 3: it could do what it may not. */
static int do_half(char **argv) {
  (void)argv;
  unsigned between = 0;
  q_endpoint_create(&half.endpoint);
  for (unsigned round = 0; round < 200; round++) {
    struct p_thread victim, ender;
    struct q_received m = {0};
    half.begins = half.ended = half.returned = false;
    if (p_thread_start(&victim, half_dead, NULL, 1))
      return 4;
    half.thread = victim.handle;
    q_sleep_until(q_time() + 3000); /* it calls */
    if (round % 2)
      q_recv(half.endpoint, &m);
    if (p_thread_start(&ender, half_ender, NULL, 1))
      return 4;
    come_between(round * 7);
    if (!half.ended && q_thread_priority(half.thread, 2) == -Q_E_HANDLE) {
      between++;
      if (m.token && q_reply(&(struct q_reply){.token = m.token}) != -Q_E_TOKEN)
        return 2;
    }
    if (q_thread_start(half.thread, (uint64_t)half_dead, 0, 0) == 0)
      return 3;
    while (!half.ended)
      q_sleep_until(q_time() + 1000);
    if (half.returned)
      return 2;
    free(victim.memory);
    p_thread_free(&ender);
  }
  return between <
         (harts() == 1 ? 20 : 1); /* among several it is the host's when another gets the kernel in between */
}

/* ---- Many threads -------------------------------------------------------------------------------------------------- */
static q_handle shared; /* an endpoint of the program's own */
static char *region;

static void thread_spins(void *argument) {
  (void)argument;
  do_spin(NULL);
}

static void thread_rests(void *argument) {
  (void)argument;
  rest();
}

static void thread_calls(void *argument) { /* an answer ends the program */
  (void)argument;
  struct q_call c = {.label = 1, .read = fresh(1), .read_bytes = PAGE};
  if (!q_call(P_HANDLE_GIFT, &c))
    p_exit_now((int)c.label);
  rest();
}

static void thread_calls_own(void *argument) {
  (void)argument;
  struct q_call c = {.label = 1, .read = fresh(1), .read_bytes = PAGE};
  q_call(shared, &c);
  rest();
}

static void thread_copies(void *argument) { /* from its sibling, and does not hear that the page has come */
  (void)argument;
  struct q_received m;
  uint64_t done;
  char byte;
  q_recv(shared, &m);
  q_copy(m.token, Q_COPY_FROM, 0, &byte, 1, &done);
  rest();
}

static void thread_receives(void *argument) {
  (void)argument;
  q_handle own;
  struct q_received m;
  q_endpoint_create(&own);
  q_recv(own, &m);
}

static void thread_faults(void *argument) {
  volatile char *at = region + (uintptr_t)argument * 1024 * PAGE;
  for (unsigned i = 0; i < 1024; i++)
    at[i * PAGE] = 1;
  rest();
}

static int do_crowd(char **argv) {
  (void)argv;
  static void (*const entry[])(void *) = {thread_calls,     thread_calls,    thread_rests,  thread_spins,
                                          thread_calls_own, thread_copies,   thread_faults, thread_faults,
                                          thread_receives,  thread_calls_own};
  static struct p_thread threads[sizeof entry / sizeof *entry];
  q_handle never_started;
  q_endpoint_create(&shared);
  q_thread_create(P_HANDLE_TASK, 1, &never_started);
  region = fresh(3 * 1024);
  for (unsigned i = 0; i < sizeof entry / sizeof *entry; i++) {
    bool busy = entry[i] == thread_spins || entry[i] == thread_faults;
    if (p_thread_start(&threads[i], entry[i], (void *)(uintptr_t)(i % 3), busy ? 1 : 2))
      return 1;
  }
  return rest();
}

/* Nothing but faults, by three threads that do not give way. */
static int do_storm(char **argv) {
  (void)argv;
  static struct p_thread threads[3];
  region = fresh(3 * 1024);
  for (unsigned i = 0; i < 3; i++)
    if (p_thread_start(&threads[i], thread_faults, (void *)(uintptr_t)i, 1))
      return 1;
  return rest();
}

/* ---- The mix: up to three actors at once, each with memory of its own that it knows by heart ------------------------- */
#define ACTORS 3
#define ARENA 48 /* pages */
static char arena[ACTORS][ARENA * PAGE] __attribute__((aligned(4096)));
static uint64_t known[ACTORS][ARENA]; /* first and last word of each page */
static struct actor {
  struct p_thread thread;
  uint64_t random;
  unsigned number;
} actors[ACTORS];
void thread_entry(void); /* libsys/thread.S */
static bool brief;       /* it has no gift, and ends by itself */

enum { WRONG_MEMORY = 40, WRONG_BREAK, WRONG_ANSWER, WRONG_SERVICE };

static uint64_t next(uint64_t *random) { /* xorshift64 (Marsaglia 2003) */
  *random ^= *random << 13;
  *random ^= *random >> 7;
  *random ^= *random << 17;
  return *random >> 11;
}

static volatile uint64_t *page_of(const struct actor *a, unsigned page) {
  return (volatile uint64_t *)(arena[a->number] + page * PAGE);
}

static void act_touch(struct actor *a) {
  unsigned page = (unsigned)(next(&a->random) % ARENA);
  volatile uint64_t *at = page_of(a, page);
  if (at[0] != known[a->number][page] || at[511] != known[a->number][page])
    p_exit_now(WRONG_MEMORY);
  at[0] = at[511] = known[a->number][page] = next(&a->random);
}

/* The server reads the first word of one page and writes it to both ends of another, in two requests. */
static void act_call(struct actor *a) {
  unsigned from = (unsigned)(next(&a->random) % ARENA), to = (unsigned)(next(&a->random) % ARENA);
  uint64_t *here = &known[a->number][to], is = known[a->number][from];
  struct q_call c = {.label = 1, .read = (void *)page_of(a, from), .read_bytes = 8};
  c.write = (void *)page_of(a, to);
  c.write_bytes = PAGE;
  int64_t error = q_call(P_HANDLE_GIFT, &c);
  volatile uint64_t *at = page_of(a, to);
  if (error ? error != -Q_E_DEAD && error != -Q_E_HANDLE : c.label != 1 || at[0] != is || at[511] != is)
    p_exit_now(WRONG_ANSWER);
  for (unsigned i = 0; i < 512; i += 511) /* a server that died may have come half-way */
    if (at[i] != *here && at[i] != is)
      p_exit_now(WRONG_ANSWER);
  at[0] = at[511] = *here = is;
}

static void act_sleep(struct actor *a) {
  q_sleep_until(q_time() + next(&a->random) % 500);
}

static void act_spin(struct actor *a) {
  for (volatile uint64_t i = next(&a->random) % 500; i; i--)
    ;
}

static void act_thread(struct actor *a) { /* one that never starts */
  q_handle thread;
  if (next(&a->random) % 4 || q_thread_create(P_HANDLE_TASK, 1, &thread))
    return;
  q_handle_destroy(thread);
}

static void act_break(struct actor *a) { /* the first actor's alone; the pager's own copy faults, too */
  int64_t bytes = (int64_t)(1 + next(&a->random) % 8) * (int64_t)PAGE;
  struct p_stats *stats = (struct p_stats *)p_sbrk_bytes(bytes, 0);
  if ((int64_t)stats < 0 || p_stats_of(0, stats) || !stats->id)
    p_exit_now(WRONG_BREAK);
  for (int64_t i = (int64_t)PAGE; i < bytes; i += (int64_t)PAGE)
    if (((char *)stats)[i]++)
      p_exit_now(WRONG_BREAK);
  if (p_sbrk_bytes(-bytes, 0) < 0)
    p_exit_now(WRONG_BREAK);
}

static void act_spawn(struct actor *a) {
  char seed[24];
  struct p_death death;
  static const char *argv[] = {"mortal", "brief", 0, 0};
  argv[2] = utoa((unsigned)next(&a->random) | 1, seed, 10);
  int64_t id = p_spawn_program(argv, P_SPAWN_QUIET, 0);
  if (id > 0 && next(&a->random) % 2)
    p_wait_for((uint64_t)id, &death);
}

static void act(struct actor *a) {
  static void (*const everybody[])(struct actor *) = {act_touch, act_touch, act_call,  act_call,
                                                      act_spin,  act_sleep, act_thread};
  uint64_t choice = next(&a->random) % 16;
  if (choice >= 14 && a->number == 0 && !brief)
    act_spawn(a);
  else if (choice >= 12 && a->number == 0)
    act_break(a);
  else if (!brief || everybody[choice % 7] != act_call)
    everybody[choice % 7](a);
}

static void act_for_ever(void *argument) {
  for (;;)
    act(argument);
}

/* One step of a request, which is taken from its start again when a page has come. */
static void serve(struct actor *a, const struct q_received *m) {
  uint64_t done, *own = (uint64_t *)page_of(a, (unsigned)(next(&a->random) % ARENA));
  int64_t error = q_copy(m->token, Q_COPY_FROM, 0, own, 8, &done);
  if (!error)
    error = q_copy(m->token, Q_COPY_TO, 0, own, 8, &done);
  if (!error)
    error = q_copy(m->token, Q_COPY_TO, PAGE - 8, own, 8, &done);
  if (!error)
    error = q_reply(&(struct q_reply){.label = 1, .token = m->token});
  if (error && error != -Q_E_PENDING && error != -Q_E_TOKEN)
    p_exit_now(WRONG_SERVICE);
}

static void serve_for_ever(struct actor *a) {
  static struct q_received held[4];
  for (;;) {
    struct q_received m;
    unsigned slot = next(&a->random) % 4;
    q_recv(P_HANDLE_GIFT, &m);
    if (m.kind < 0)
      p_exit_now(0); /* the test is over */
    if (m.kind == Q_MSG_COPY_FAILED && m.error != Q_E_DEAD)
      p_exit_now(WRONG_SERVICE);
    if (held[slot].token)
      serve(a, &held[slot]);
    held[slot].token = 0;
    if (m.kind == Q_MSG_CALL && next(&a->random) % 4 == 0)
      held[slot] = m;
    else if (m.kind != Q_MSG_COPY_FAILED)
      serve(a, &m);
  }
}

/* Without malloc(), which clears what it gives: 300,000 instructions for each stack would be most of the mix. */
static bool start_actor(struct actor *a, unsigned priority) {
  static char stacks[ACTORS][4 * PAGE] __attribute__((aligned(64)));
  char *block = stacks[a->number] + 3 * PAGE; /* thread-local variables, none of which is initialised or used */
  a->thread = (struct p_thread){0, act_for_ever, a, NULL};
  return !q_thread_create(P_HANDLE_TASK, priority, &a->thread.handle) &&
         !q_thread_start(a->thread.handle, (uint64_t)thread_entry, (uint64_t)block, (uint64_t)&a->thread);
}

static int do_mix(char **argv) {
  uint64_t random = strtoul(argv[0], NULL, 0) * 0x9e3779b97f4a7c15 | 1;
  unsigned further = next(&random) % ACTORS;
  bool serves = next(&random) % 4 == 0;
  for (unsigned i = 0; i < ACTORS; i++) {
    actors[i].number = i;
    actors[i].random = next(&random) | 1;
  }
  for (unsigned i = 1; i <= further; i++) /* below the test's priority: interrupted anywhere */
    if (!start_actor(&actors[i], i))
      return 1;
  if (serves)
    serve_for_ever(&actors[0]);
  for (;;) {
    act(&actors[0]);
    q_yield();
  }
  return 0;
}

static int do_brief(char **argv) {
  brief = true;
  actors[0].random = strtoul(argv[0], NULL, 0) | 1;
  for (unsigned i = next(&actors[0].random) % 8; i; i--)
    act(&actors[0]);
  return 0;
}

/* Knows all of its memory and looks at it again and again; says so after each hundred times. */
static int do_bystander(char **argv) {
  (void)argv;
  static uint64_t memory[16 * 512];
  for (uint64_t round = 0;; round++) {
    for (unsigned i = 0; i < 16 * 512; i++) {
      if (memory[i] != (round ? round ^ i : 0))
        return 1;
      memory[i] = (round + 1) ^ i;
    }
    q_sleep_until(q_time() + 5000);
    if (round % 100 == 99 && q_notify(P_HANDLE_GIFT, ~0ul))
      return 2;
  }
  return 0;
}

static const struct {
  const char *name;
  int (*run)(char **argv);
} roles[] = {{"spin", do_spin},   {"clean", do_clean},     {"yield", do_yield},         {"sleep", do_sleep},
             {"hold", do_hold},   {"own", do_own},         {"copier", do_copier},       {"nest", do_nest},
             {"crowd", do_crowd}, {"spawner", do_spawner}, {"storm", do_storm},         {"mix", do_mix},
             {"leave", do_leave}, {"brief", do_brief},     {"bystander", do_bystander}, {"half", do_half},
             {"names", do_names}, {"sender", do_sender},   {"eater", do_eater}};

int main(int argc, char **argv) {
  for (unsigned i = 0; argc > 1 && i < sizeof roles / sizeof *roles; i++)
    if (!strcmp(argv[1], roles[i].name))
      return roles[i].run(argv + 2);
  return 99;
}
