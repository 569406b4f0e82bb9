/* SPDX-License-Identifier: BSD-2-Clause */
/* The programs that t_posix.c and t_console.c start under the posix server: one role each. What a role finds wrong it says
 * with its exit status. */
#include <quire/proc.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hash.h"

#define PAGE 4096ul
#define WORKER(...) ((const char *const[]){"worker", __VA_ARGS__, 0})

static char *fresh(unsigned pages) { /* memory that is not there yet */
  return (char *)p_sbrk_bytes((int64_t)(pages * PAGE), 0);
}

static int rest(void) {
  for (;;)
    q_sleep_until(~0ul);
  return 0;
}

static int start(const char *const argv[]) {
  return (int)px_spawn(argv, NULL, 0);
}

/* ---- What arrives ---------------------------------------------------------------------------------------------------- */
static int do_hash(char **argv) {
  return (int)(hash_strings(hash_strings(HASH_START, argv - 2), environ) & 0x7fffffff);
}

static int do_exit(char **argv) {
  return atoi(argv[0]);
}

/* ---- One state each ---------------------------------------------------------------------------------------------------- */
static int do_open(char **argv) { /* 0: of the two descriptors the first is open, and the second is not */
  return fcntl(atoi(argv[0]), F_GETFD) < 0 ? 1 : fcntl(atoi(argv[1]), F_GETFD) >= 0 ? 2 : 0;
}

static int do_spin(char **argv) {
  (void)argv;
  for (;;)
    __asm__ volatile("");
  return 0;
}

static int do_sleep(char **argv) {
  (void)argv;
  return rest();
}

static int do_wait(char **argv) { /* for a child that is blocked, too */
  (void)argv;
  return start(WORKER("sleep")) < 0 ? 1 : (int)px_wait(0, 0, NULL);
}

static int do_read(char **argv) { /* 0: the end of input; else 1 + bytes, or 100 + errno */
  (void)argv;
  char text[64];
  ssize_t got = read(0, text, sizeof text);
  return got < 0 ? 100 + errno : got ? 1 + (int)got : 0;
}

static int do_write(char **argv) { /* more than the console ever takes at once; nothing that is seen */
  (void)argv;
  static char text[64 * 1024];
  for (unsigned i = 0; i < sizeof text; i++)
    text[i] = i % 64 == 63 ? '\n' : i % 64 ? '.' : '#';
  for (unsigned i = 1; i < sizeof text; i += 64)
    text[i] = ' ';
  for (;;)
    write(1, text, sizeof text);
  return 0;
}

static int do_pager(char **argv) { /* calls the pager for ever, with a buffer that is not there */
  (void)argv;
  for (;;)
    if (p_stats_of(0, (struct p_stats *)fresh(2)) || p_sbrk_bytes(-2 * (int64_t)PAGE, 0) < 0)
      return 1;
  return 0;
}

static int do_fault(char **argv) {
  (void)argv;
  __asm__ volatile("sb zero, 16(zero)" ::: "memory");
  return 0;
}

static int do_illegal(char **argv) {
  (void)argv;
  __asm__ volatile(".word 0");
  return 0;
}

/* ---- Families ---------------------------------------------------------------------------------------------------------- */
static int do_leave(char **argv) { /* that many children that outlive it, and one that has ended */
  for (int i = atoi(argv[0]); i; i--)
    if (start(WORKER("nap", "3000000", "7")) < 0)
      return 1;
  if (start(WORKER("exit", "9")) < 0)
    return 2;
  q_sleep_until(q_time() + 1000000);
  return 8;
}

static int do_nap(char **argv) {
  q_sleep_until(q_time() + strtoul(argv[0], NULL, 0));
  return atoi(argv[1]);
}

static int do_storm(char **argv) { /* two more of itself, and those the same, until there is room for no more */
  (void)argv;
  for (unsigned i = 0; i < 2; i++) {
    int pid = start(WORKER("storm"));
    if (pid < 0 && pid != -EAGAIN && pid != -ENOMEM)
      return 1;
  }
  return rest();
}

static int do_burst(char **argv) { /* two more of itself, and those the same, so many times; it ends before they do */
  char number[16];
  for (unsigned i = 0; i < 2 && atoi(argv[0]); i++)
    start(WORKER("burst", itoa(atoi(argv[0]) - 1, number, 10)));
  return 5;
}

static int do_middle(char **argv) { /* in a job of its own: leaves a child of that job, which starts another job */
  (void)argv;
  bool good = start(WORKER("late")) > 0;
  q_sleep_until(q_time() + 300000);
  return !good;
}

static int do_late(char **argv) {
  (void)argv;
  px_spawn(WORKER("nap", "1000000", "0"), NULL, POSIX_SPAWN_JOB | POSIX_SPAWN_FOREGROUND);
  return rest();
}

static int do_reader(char **argv) { /* leaves a child of its job that reads */
  (void)argv;
  bool good = start(WORKER("read")) > 0;
  q_sleep_until(q_time() + 100000);
  return !good;
}

static int do_type(char **argv) { /* what the driver then says was typed */
  q_sleep_until(q_time() + strtoul(argv[0], NULL, 0));
  printf("@%s\n", argv[1]);
  return 0;
}

/* ---- Threads ------------------------------------------------------------------------------------------------------------- */
#define THREADS (POSIX_REQUESTS_EACH + 2)
static struct p_thread threads[THREADS];
static volatile int64_t results[THREADS];
static volatile uint64_t child;

static void thread_waits(void *argument) {
  results[(uintptr_t)argument] = px_wait(child, 0, NULL);
}

static bool start_thread(unsigned i, void (*entry)(void *)) {
  results[i] = 1;
  return !p_thread_start(&threads[i], entry, (void *)(uintptr_t)i, Q_PRIORITY_PROGRAM);
}

static void settle(void) {
  q_sleep_until(q_time() + 200000);
}

static unsigned count_results(int64_t value) {
  unsigned count = 0;
  for (unsigned i = 0; i < THREADS; i++)
    count += results[i] == value;
  return count;
}

/* With several harts that takes as long as the host lets them. */
static void settle_until(int64_t value, unsigned count) {
  settle();
  for (unsigned i = 0; i < 250 && count_results(value) != count; i++)
    settle();
}

/* All wait for one child: as many as may are kept, the others hear EAGAIN at once; one gets it, and the others ECHILD. */
static int do_threads(char **argv) {
  (void)argv;
  child = (uint64_t)start(WORKER("sleep"));
  for (unsigned i = 0; i < THREADS; i++)
    if (!start_thread(i, thread_waits))
      return 20;
  settle_until(-EAGAIN, THREADS - POSIX_REQUESTS_EACH);
  if (count_results(-EAGAIN) != THREADS - POSIX_REQUESTS_EACH || count_results(1) != POSIX_REQUESTS_EACH)
    return 21;
  if (px_wait(child, 0, NULL) != -EAGAIN) /* the first thread, too */
    return 22;
  if (px_wait(child, POSIX_WAIT_NOHANG, NULL) != 0 || px_kill(child, 9))
    return 23;
  settle_until(-ECHILD, THREADS - 3);
  return count_results((int64_t)child) != 1      ? 24
         : count_results(-ECHILD) != THREADS - 3 ? 25 /* but the one, and the two */
                                                 : 0;
}

/* A thread that is destroyed while its request is kept gives back the place, and takes no child with it. */
static int do_gone(char **argv) {
  (void)argv;
  child = (uint64_t)start(WORKER("sleep"));
  for (unsigned round = 0; round < 3 * POSIX_REQUESTS_EACH; round++) {
    if (!start_thread(0, thread_waits))
      return 30;
    settle();
    if (results[0] != 1)
      return 31;
    p_thread_free(&threads[0]);
  }
  px_kill(child, 9);
  settle();
  return px_wait(child, 0, NULL) == (int64_t)child ? 0 : 32;
}

static int do_crowd(char **argv) { /* as many requests kept as one process may have, then rests */
  (void)argv;
  child = (uint64_t)start(WORKER("sleep"));
  for (unsigned i = 0; i < POSIX_REQUESTS_EACH; i++)
    if (!start_thread(i, thread_waits))
      return 40;
  return rest();
}

/* ---- Output ------------------------------------------------------------------------------------------------------------ */
#define WRITERS 12
#define LINES 150

/* Lines of many lengths, several in one write now and then. */
static int do_writer(char **argv) {
  static char text[4096];
  unsigned number = (unsigned)atoi(argv[0]), used = 0;
  for (unsigned i = 0; i < LINES; i++) {
    unsigned length = (number * 131 + i * 37) % 900;
    used += (unsigned)sprintf(text + used, "# writer %u line %u of %u: ", number, i, length);
    memset(text + used, 'a' + (int)number, length);
    used += length;
    text[used++] = '\n';
    if (i % 4 == number % 4 || used > 2048 || i + 1 == LINES) {
      if (write(1, text, used) != (ssize_t)used)
        return 1;
      used = 0;
    }
  }
  return 0;
}

static int do_writers(char **argv) { /* they are the machine's only programs, and the judge reads all */
  (void)argv;
  char number[4];
  struct p_death death;
  for (unsigned i = 0; i < WRITERS; i++)
    if (start(WORKER("writer", utoa(i, number, 10))) < 0)
      return 1;
  for (unsigned i = 0; i < WRITERS; i++)
    if (px_wait(0, 0, &death) <= 0 || death.reason != P_REASON_EXIT || death.status)
      return 2;
  return 0;
}

/* ---- Requests as no library would make them ------------------------------------------------------------------------------ */
static uint64_t state;

static uint64_t next(void) { /* xorshift64 (Marsaglia 2003) */
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state >> 11;
}

static uint64_t place(void) {
  uint64_t brk = (uint64_t)p_sbrk_bytes(0, 0);
  uint64_t places[] = {0,
                       8,
                       (uint64_t)&state,
                       (uint64_t)do_fault, /* read-only */
                       brk,
                       brk - 16, /* ends beyond the break */
                       (uint64_t)&brk,
                       P_STACK_BASE,
                       Q_USER_TOP,
                       0xffffffff80000000,
                       (uint64_t)fresh(1) + PAGE - 8 * (next() % 512),
                       next()};
  return places[next() % (sizeof places / sizeof *places)];
}

static uint64_t word(void) {
  switch (next() % 8) {
  case 0:
    return 0;
  case 1:
    return ~0ul - next() % 4;
  case 2:
    return next() % 4096;
  case 3:
    return 1ul << next() % 64;
  case 4:
    return next();
  default:
    return next() % 8;
  }
}

/* What would write to the console, end the neighbours or wait for ever is left out or made harmless. */
static void tame(bool pager, struct q_call *c) {
  uint64_t label = c->label;
  if (pager && label == P_exit)
    c->label = 0;
  if (pager && label == P_sbrk && (int64_t)c->word[0] > 1 << 20)
    c->word[0] = 4096;
  if (pager && label == P_sbrk && (int64_t)c->word[0] < -4096)
    c->word[0] = 0;
  if (!pager && label == POSIX_write)
    c->read_bytes = c->read_bytes % 2 ? 0 : c->read_bytes, c->word[0] |= 4;
  if (!pager && label == POSIX_read)
    c->write_bytes = 0; /* the console, or a pipe of its own, would be waited for */
  if (!pager && (label == POSIX_close || label == POSIX_dup) && c->word[0] < 3)
    c->word[0] = 99; /* it prints yet */
  if (!pager && label == POSIX_dup)
    c->word[2] = 0;
  if (!pager && label == POSIX_write && c->word[0] > 2)
    c->read_bytes = 0; /* a pipe that nobody reads */
  if (!pager && label == POSIX_kill)
    c->word[1] = c->word[0] % 2 ? 0 : 32;
  if (!pager && label == POSIX_wait)
    c->word[1] |= POSIX_WAIT_NOHANG;
  if (!pager && label == POSIX_poll)
    c->word[1] = 0;
  if (!pager && label == POSIX_futex_wait)
    c->word[2] = c->word[2] % 8; /* which is past */
  if (pager && label == P_thread)
    c->word[0] |= 1; /* nothing begins there */
}

static void anything(bool pager, uint64_t label) {
  struct q_call c = {.label = label, .word = {word(), word(), word(), word()}};
  c.handle = next() % 8 ? 0 : next() % 6;
  c.read = (const void *)place();
  c.read_bytes = word();
  c.write = (void *)place();
  c.write_bytes = word();
  if (next() % 4 == 0)
    c.read_bytes = 0;
  if (next() % 4 == 0)
    c.write_bytes = 0;
  tame(pager, &c);
  if (c.write_bytes) /* not over its own variables: a scratch page, or something that is refused */
    c.write = (uint64_t)c.write == (uint64_t)&state || (uint64_t)c.write > P_STACK_BASE ? fresh(2) : c.write;
  q_call(pager ? P_HANDLE_PAGER : P_HANDLE_GIFT, &c);
}

static int do_hostile(char **argv) { /* a seed, and how many random calls after one with each label */
  unsigned long calls = strtoul(argv[1], NULL, 0);
  state = strtoul(argv[0], NULL, 0) * 0x9e3779b97f4a7c15 | 1;
  for (uint64_t label = 0; label <= 300; label++)
    anything(false, label), anything(true, label);
  for (unsigned long i = 0; i < calls; i++)
    anything(next() % 2, next() % 4 ? next() % 12 : next() & 0xffff);
  return 0;
}

/* A client may not ask the pager for what it must ask the server for. */
static int do_forbidden(char **argv) {
  static const char text[] = "worker\0exit\0000";
  uint64_t other = strtoul(argv[0], NULL, 0);
  struct p_death death;
  struct q_call calls[] = {{.label = P_spawn, .word = {sizeof text}, .read = text, .read_bytes = sizeof text},
                           {.label = P_watch, .word = {1}},
                           {.label = P_reap, .write = &death, .write_bytes = sizeof death},
                           {.label = P_kill, .word = {other}},
                           {.label = P_kill, .word = {(uint64_t)getpid()}},
                           {.label = P_device},
                           {.label = P_device, .word = {1}},
                           {.label = P_area, .word = {1}},
                           {.label = P_area, .word = {0, 1}},
                           {.label = P_initrd}};
  for (unsigned i = 0; i < sizeof calls / sizeof *calls; i++)
    if (q_call(P_HANDLE_PAGER, &calls[i]) || calls[i].label != EPERM)
      return 50 + (int)i;
  return 0;
}

static int do_neighbour(char **argv) { /* memory that it knows by heart, for so many rounds */
  static uint64_t memory[8 * 512];
  for (unsigned long round = 0, rounds = strtoul(argv[0], NULL, 0); round < rounds; round++) {
    for (unsigned i = 0; i < 8 * 512; i++) {
      if (memory[i] != (round ? round ^ i : 0))
        return 1;
      memory[i] = (round + 1) ^ i;
    }
    q_yield();
  }
  return 0;
}

static const struct {
  const char *name;
  int (*run)(char **argv);
} roles[] = {{"hash", do_hash},       {"exit", do_exit},           {"spin", do_spin},
             {"sleep", do_sleep},     {"wait", do_wait},           {"read", do_read},
             {"write", do_write},     {"pager", do_pager},         {"fault", do_fault},
             {"illegal", do_illegal}, {"leave", do_leave},         {"nap", do_nap},
             {"storm", do_storm},     {"burst", do_burst},         {"middle", do_middle},
             {"late", do_late},       {"threads", do_threads},     {"gone", do_gone},
             {"crowd", do_crowd},     {"writer", do_writer},       {"writers", do_writers},
             {"hostile", do_hostile}, {"forbidden", do_forbidden}, {"neighbour", do_neighbour},
             {"open", do_open},       {"reader", do_reader},       {"type", do_type}};

int main(int argc, char **argv) {
  for (unsigned i = 0; argc > 1 && i < sizeof roles / sizeof *roles; i++)
    if (!strcmp(argv[1], roles[i].name))
      return roles[i].run(argv + 2);
  return 99;
}
