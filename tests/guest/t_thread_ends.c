/* SPDX-License-Identifier: BSD-2-Clause */
/* Threads of programs of the posix server: how they end together, and what Quire has below <pthread.h>. */
#include "unix.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <sys/mman.h>
#include <time.h>

static void *number(unsigned long n) {
  return (void *)n;
}

/* There may be so many for a moment that one more is one too many. */
static pthread_t make(void *(*run)(void *), void *argument) {
  pthread_t thread;
  while (pthread_create(&thread, NULL, run, argument))
    sched_yield();
  return thread;
}

/* ---- A crowd: a thread in each state that it can be in ---------------------------------------------------------------------------- */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER, held = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static sem_t never;
static int empty[2], full[2];

static void *runs(void *argument) {
  for (;; pause_for(1)) /* most of the time */
    for (unsigned i = 0; i < 100000; i++)
      __asm__ volatile("");
  return argument;
}

static void *faults(void *argument) {
  for (;; pause_for(1)) {
    char *at = mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (long i = 0; i < 64; i++)
      at[i * PAGE] = 1;
    munmap(at, 64 * PAGE);
  }
  return argument;
}

static void *waits_for_mutex(void *argument) {
  pthread_mutex_lock(&held);
  return argument;
}

static void *waits_for_condition(void *argument) {
  pthread_mutex_lock(&mutex);
  for (;;)
    pthread_cond_wait(&condition, &mutex);
  return argument;
}

static void *waits_with_a_limit(void *argument) {
  struct timespec until;
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += argument ? 1000 : 0;
  pthread_mutex_lock(&mutex);
  for (;; pause_for(1))
    pthread_cond_timedwait(&condition, &mutex, &until);
  return argument;
}

static void *waits_for_semaphore(void *argument) {
  sem_wait(&never);
  return argument;
}

static void *reads(void *argument) {
  char byte;
  read(empty[0], &byte, 1);
  return argument;
}

static void *writes(void *argument) {
  static char text[100000];
  write(full[1], text, sizeof text);
  return argument;
}

static void *polls(void *argument) {
  poll(&(struct pollfd){empty[0], POLLIN, 0}, 1, -1);
  return argument;
}

static pid_t child;
static void *waits_for_child(void *argument) {
  waitpid(child, NULL, 0);
  return argument;
}

static void *sleeps(void *argument) {
  sleep(1000);
  return argument;
}

static void *ends(void *argument) {
  return argument;
}

static void *joins(void *argument) {
  pthread_join(make(sleeps, NULL), NULL);
  return argument;
}

static void *makes_more(void *argument) {
  pthread_t other;
  for (;; pause_for(1))
    if (!pthread_create(&other, NULL, ends, NULL))
      pthread_detach(other);
  return argument;
}

static void *prints(void *argument) {
  FILE *file = fopen("/tmp/printed", "w");
  for (;; pause_for(1))
    rewind(file), fprintf(file, "%d\n", 1);
  return argument;
}

static void *(*const states[])(void *) = {runs,
                                          faults,
                                          waits_for_mutex,
                                          waits_for_condition,
                                          waits_with_a_limit,
                                          waits_for_semaphore,
                                          reads,
                                          writes,
                                          polls,
                                          waits_for_child,
                                          sleeps,
                                          ends,
                                          joins,
                                          prints,
                                          makes_more};
#define STATES (sizeof states / sizeof *states)

static void sleep_long(void) {
  sleep(1000);
}

/* Its child is the grandchild that a thread waits for. */
static void crowd_make(void) {
  child = begin(sleep_long);
  MUST_EQ(sem_init(&never, 0, 0), 0);
  MUST_EQ(pipe(empty) | pipe(full), 0);
  MUST_EQ(pthread_mutex_lock(&held), 0);
  for (unsigned i = 0; i < 2 * STATES; i++)
    make(states[i / 2], number(i % 2));
  write((int)given, &child, sizeof child);
}

static void crowd_stays(void) {
  crowd_make();
  for (;;)
    sched_yield();
}

static pid_t grandchild(int fd) {
  pid_t pid = 0;
  CHECK_EQ(read(fd, &pid, sizeof pid), sizeof pid);
  return pid;
}

static void killed_in_every_state(void) {
  int ends[2];
  CHECK_EQ(pipe(ends), 0);
  for (unsigned i = 0; i < 5; i++) {
    pid_t pid = begin_on(crowd_stays, (uintptr_t)ends[1]), other = grandchild(ends[0]);
    pause_for(i * 11);
    CHECK_EQ(kill(pid, SIGKILL), 0);
    dies(pid, SIGKILL);
    CHECK_EQ(kill(other, SIGKILL), 0);
    while (!kill(other, 0))
      pause_for(1);
  }
  close(ends[0]), close(ends[1]);
  CHECK_EQ(unlink("/tmp/printed"), 0);
}

static void *exits_all(void *status) {
  exit((int)(unsigned long)status);
}

static void crowd_exits(void) {
  crowd_make();
  pause_for(20);
  pthread_join(make(exits_all, number(9)), NULL);
}

static void *execs(void *status) {
  execl(own_program, "t_thread_ends", "exec", (char *)NULL);
  return status;
}

static void crowd_execs(void) {
  crowd_make();
  pause_for(20);
  pthread_join(make(execs, NULL), NULL);
}

/* By a thread that is not the first: all others end with it. */
static void one_ends_all(body *end, int status) {
  int ends[2];
  CHECK_EQ(pipe(ends), 0);
  pid_t pid = begin_on(end, (uintptr_t)ends[1]), other = grandchild(ends[0]);
  exits(pid, status);
  CHECK_EQ(kill(other, SIGKILL), 0);
  while (!kill(other, 0))
    pause_for(1);
  close(ends[0]), close(ends[1]);
  CHECK_EQ(unlink("/tmp/printed"), 0);
}

static void exit_by_one(void) {
  one_ends_all(crowd_exits, 9);
}

static void exec_by_one(void) {
  one_ends_all(crowd_execs, 21);
}

static void *ends_late(void *argument) {
  pause_for(30);
  printf("%s", (const char *)argument); /* is flushed when the last one ends */
  return NULL;
}

static void first_leaves(void) {
  pthread_t thread;
  dup2((int)given, 1);
  MUST_EQ(pthread_create(&thread, NULL, ends_late, "late"), 0);
  pthread_exit(NULL);
}

static void last_thread_ends_it(void) {
  int ends[2];
  char text[8] = {0};
  CHECK_EQ(pipe(ends), 0);
  exits(begin_on(first_leaves, (uintptr_t)ends[1]), 0);
  CHECK_EQ(read(ends[0], text, sizeof text), 4);
  CHECK(!strcmp(text, "late"));
  close(ends[0]), close(ends[1]);
}

/* ---- A stack that is too small ------------------------------------------------------------------------------------------------------- */
static void *recurse(void *depth) {
  volatile char here[1000];
  here[0] = 1;
  if ((unsigned long)depth == 1000000) /* it does not come so far */
    return NULL;
  return number((unsigned long)recurse(number((unsigned long)depth + 1)) + (unsigned long)here[0]);
}

static void overflow(void) {
  pthread_t thread;
  pthread_create(&thread, NULL, recurse, NULL);
  pthread_join(thread, NULL);
}

static void stack_overflow(void) {
  struct p_death death = {0};
  pid_t pid = begin(overflow);
  CHECK_EQ(px_wait((uint64_t)pid, 0, &death), pid);
  CHECK_EQ(death.reason, P_REASON_GUARD);
  CHECK_EQ(death.kind, Q_FAULT_WRITE);
}

/* ---- fork ------------------------------------------------------------------------------------------------------------------------------- */
static pthread_mutex_t of_child = PTHREAD_MUTEX_INITIALIZER; /* another may be taken, by a thread that it has not */
static void *waits_in_child(void *argument) {
  pthread_mutex_lock(&of_child);
  pthread_mutex_unlock(&of_child);
  return argument;
}

/* Only the caller is there, which has all that the C library offers, threads too. */
static void *forks(void *argument) {
  pid_t pid = fork();
  if (!pid) {
    struct q_task_state state;
    pthread_t thread;
    void *value, *block = malloc(100000);
    MUST(!q_task_info(P_HANDLE_TASK, &state) && state.threads == 1);
    MUST(block && fopen("/tmp/printed", "r"));
    pthread_mutex_lock(&of_child);
    MUST_EQ(pthread_create(&thread, NULL, waits_in_child, number(4)), 0);
    pthread_mutex_unlock(&of_child);
    MUST(!pthread_join(thread, &value) && (unsigned long)value == 4);
    MUST(!q_task_info(P_HANDLE_TASK, &state) && state.threads == 1);
    if (argument)
      pthread_exit(NULL);
    _exit(0);
  }
  MUST(pid > 0);
  exits(pid, 0);
  return NULL;
}

static void fork_in_a_crowd(void) {
  crowd_make();
  for (unsigned i = 0; i < 4; i++) {
    MUST_EQ(pthread_join(make(forks, number(i % 2)), NULL), 0);
  }
  forks(NULL);
  _exit(0);
}

static void fork_with_threads(void) {
  one_ends_all(fork_in_a_crowd, 0);
}

/* ---- Limits ------------------------------------------------------------------------------------------------------------------------------ */
static void *waits_for_never(void *argument) {
  sem_wait(&never);
  return argument;
}

static void as_many_as_there_may_be(void) {
  static pthread_t thread[P_THREADS + 1];
  unsigned n = 0;
  int error = 0;
  CHECK_EQ(sem_init(&never, 0, 0), 0);
  while (n <= P_THREADS && !(error = pthread_create(&thread[n], NULL, waits_for_never, NULL)))
    n++;
  CHECK_EQ(n, P_THREADS);
  CHECK_EQ(error, EAGAIN);
  for (unsigned i = 0; i < n; i++)
    CHECK_EQ(sem_post(&never), 0);
  while (n)
    CHECK_EQ(pthread_join(thread[--n], NULL), 0);
}

static void *grow(void *wrong) {
  for (unsigned i = 0; i < 200; i++) {
    volatile unsigned long *at = sbrk(PAGE); /* never less: what is there is another's */
    *(unsigned *)wrong += at == (void *)-1 || *at;
    *at = 1;
  }
  return NULL;
}

static void grow_together(void) {
  pthread_t thread[4];
  unsigned wrong[4] = {0};
  char *before = sbrk(0);
  for (unsigned i = 0; i < 4; i++)
    MUST_EQ(pthread_create(&thread[i], NULL, grow, &wrong[i]), 0);
  for (unsigned i = 0; i < 4; i++)
    MUST_EQ(pthread_join(thread[i], NULL) | (int)wrong[i], 0);
  MUST_EQ((char *)sbrk(0) - before, 800 * PAGE);
}

static void break_by_four(void) {
  exits(begin(grow_together), 0);
}

/* ---- What lies below --------------------------------------------------------------------------------------------------------------------- */
static int64_t ask(q_handle server, uint64_t label, uint64_t a, uint64_t b, uint64_t c, void *read, uint64_t bytes) {
  struct q_call call = {.label = label, .word = {a, b, c}, .read = read, .read_bytes = bytes};
  CHECK_EQ(q_call(server, &call), 0);
  return call.label ? -(int64_t)call.label : (int64_t)call.word[0];
}

static int64_t wait_at(unsigned *word, unsigned expected, uint64_t ticks) {
  return ask(p_server, POSIX_futex_wait, (uint64_t)word, expected, ticks ? q_time() + ticks : ~0ul, word, 4);
}

static int64_t wake_at(const unsigned *word, unsigned threads) {
  return ask(p_server, POSIX_futex_wake, (uint64_t)word, threads, 0, NULL, 0);
}

static void waits_and_wakes(void) {
  unsigned *word = (unsigned *)fresh(2), value = 7; /* not there yet */
  CHECK_EQ(wait_at(word, 0, 1), -ETIMEDOUT);
  CHECK_EQ(wait_at(word + 1024, 1, 0), 0);
  CHECK_EQ(wait_at(&value, 6, 0), 0);
  CHECK_EQ(wake_at(&value, 1), 0);
  CHECK_EQ(wait_at((unsigned *)16, 0, 0), -EFAULT);
  CHECK_EQ(ask(p_server, POSIX_futex_wait, 0, 7, ~0ul, &value, 3), -EINVAL);
  for (uint64_t ticks = 1; ticks < 1000000; ticks *= 10) {
    uint64_t began = q_time();
    CHECK_EQ(wait_at(&value, 7, ticks), -ETIMEDOUT);
    CHECK(q_time() - began >= ticks);
  }
  drop(2);
}

static unsigned words[3];
static uint64_t limit;  /* of the first two; 0: none */
static unsigned waited; /* threads that wait no more */
static void *wait_raw(void *argument) {
  unsigned *word = &words[(unsigned long)argument % 2];
  __atomic_add_fetch(&words[2], 1, __ATOMIC_SEQ_CST);
  int64_t error = wait_at(word, 0, (unsigned long)argument < 2 ? limit : 0);
  __atomic_add_fetch(&waited, 1, __ATOMIC_SEQ_CST);
  return number((unsigned long)-error);
}

static void start_raw(pthread_t thread[6], uint64_t ticks) {
  words[2] = waited = 0;
  limit = ticks;
  for (unsigned i = 0; i < 6; i++)
    CHECK_EQ(pthread_create(&thread[i], NULL, wait_raw, number(i)), 0);
  while (__atomic_load_n(&words[2], __ATOMIC_SEQ_CST) < 6)
    sched_yield();
  pause_for(5);
}

/* Three wait at each of two words; of these the first gives up. */
static void wakes_at_two_words(void) {
  pthread_t thread[6];
  void *value;
  start_raw(thread, 200000);
  while (__atomic_load_n(&waited, __ATOMIC_SEQ_CST) < 2)
    pause_for(1);
  CHECK_EQ(wake_at(&words[0], 1), 1);
  CHECK_EQ(wake_at(&words[0], 9), 1);
  CHECK_EQ(wake_at(&words[0], 9), 0);
  CHECK_EQ(wake_at(&words[1], ~0u), 2);
  for (unsigned i = 0; i < 6; i++) {
    CHECK_EQ(pthread_join(thread[i], &value), 0);
    CHECK_EQ((unsigned long)value, i < 2 ? ETIMEDOUT : 0);
  }
}

/* A process is woken by its own threads only, wherever the word lies. */
static void wake_shared(void) {
  MUST_EQ(wake_at((const unsigned *)given, ~0u), 0);
}

static void another_process(void) {
  pthread_t thread[6];
  start_raw(thread, 0);
  exits(begin_on(wake_shared, (uintptr_t)&words[0]), 0);
  CHECK_EQ(wake_at(&words[0], ~0u), 3);
  CHECK_EQ(wake_at(&words[1], ~0u), 3);
  for (unsigned i = 0; i < 6; i++)
    CHECK_EQ(pthread_join(thread[i], NULL), 0);
}

/* Below the C library: a thread with a stack, and no more. */
static unsigned word;
static void raw(unsigned *argument) {
  struct q_call call = {
      .label = POSIX_futex_wait, .word = {(uint64_t)argument, 0, ~0ul}, .read = argument, .read_bytes = 4};
  q_call(P_HANDLE_GIFT, &call);
  for (;;)
    q_sleep_until(~0ul);
}

static int64_t raw_thread(uint64_t pc, uint64_t sp, void *name) {
  return ask(P_HANDLE_PAGER, P_thread, pc, sp, (uint64_t)name, NULL, 0);
}

static int64_t raw_end(const void *name, void *memory, uint64_t bytes) {
  return ask(P_HANDLE_PAGER, P_thread_end, (uint64_t)name, (uint64_t)memory, bytes, NULL, 0);
}

/* A waiter that another has ended is no waiter. */
static void ended_by_another(void) {
  char *stack = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK_EQ(raw_thread((uint64_t)raw | 1, 0, &word), -EINVAL);
  CHECK_EQ(raw_end(&word, NULL, 0), -ESRCH);
  CHECK_EQ(raw_thread((uint64_t)raw, (uint64_t)stack + 4 * PAGE, &word), 0);
  CHECK_EQ(raw_thread((uint64_t)raw, (uint64_t)stack + 4 * PAGE, &word), -EEXIST);
  pause_for(5);
  CHECK_EQ(raw_end(&word, stack + 1, PAGE), -EINVAL); /* it has ended, though */
  CHECK_EQ(raw_end(&word, NULL, 0), -ESRCH);
  CHECK_EQ(wake_at(&word, 1), 0);
  CHECK_EQ(raw_thread((uint64_t)raw, (uint64_t)stack + 4 * PAGE, &word), 0);
  pause_for(5);
  CHECK_EQ(wake_at(&word, 2), 1);
  CHECK_EQ(raw_end(&word, stack, 4 * PAGE), 0);
  CHECK_EQ(wait_at((unsigned *)stack, 0, 1), -EFAULT); /* it is gone */
}

/* Where nobody waits, a mutex and its like cost some instructions, and no call. QEMU counts them with one hart only. */
static void no_call_without_need(void) {
  sem_t semaphore;
  CHECK_EQ(sem_init(&semaphore, 0, 1), 0);
  uint64_t least = UINT64_MAX;
  for (unsigned i = 0; i < 100; i++) {
    uint64_t began = q_instret();
    pthread_mutex_lock(&mutex);
    pthread_cond_signal(&condition);
    pthread_mutex_unlock(&mutex);
    sem_wait(&semaphore);
    sem_post(&semaphore);
    least = q_instret() - began < least ? q_instret() - began : least;
  }
  printf("# a mutex, a condition and a semaphore: %lu instructions\n", (unsigned long)least);
  CHECK(least < 200 || kernel_info().harts > 1);
}

static const struct test tests[] = {
    {"killed with threads in every state", killed_in_every_state},
    {"exit by one of many", exit_by_one},
    {"exec by one of many", exec_by_one},
    {"the first leaves, the last ends it", last_thread_ends_it},
    {"a stack that overflows", stack_overflow},
    {"fork with threads in every state", fork_with_threads},
    {"one thread too many", as_many_as_there_may_be},
    {"the break, by four", break_by_four},
    {"waits of all kinds", waits_and_wakes},
    {"wakes at two words", wakes_at_two_words},
    {"a wake by another process", another_process},
    {"a waiter is ended by another", ended_by_another},
    {"no call without need", no_call_without_need},
};

int main(int argc, char **argv) {
  (void)argv;
  if (argc > 1) {
    struct q_task_state state;
    return q_task_info(P_HANDLE_TASK, &state) || state.threads != 1 ? 1 : 21;
  }
  unix_begin("t_thread_ends");
  as_many_as_there_may_be();
  killed_in_every_state();
  waits_and_wakes();
  return TAP_RUN("thread_ends", tests);
}
