/* SPDX-License-Identifier: BSD-2-Clause */
/* <pthread.h> and <semaphore.h> between threads: plain POSIX, which runs on Linux too. Each test is named by what could go wrong. */
#include "unix.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdio.h>
#include <time.h>

#define MANY 100
static pthread_t thread[MANY];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static unsigned count;

static void *number(unsigned long n) {
  return (void *)n;
}

static void start(unsigned n, void *(*run)(void *)) {
  for (unsigned i = 0; i < n; i++)
    CHECK_EQ(pthread_create(&thread[i], NULL, run, number(i)), 0);
}

static void join(unsigned n) {
  for (unsigned i = 0; i < n; i++)
    CHECK_EQ(pthread_join(thread[i], NULL), 0);
}

static struct timespec in(long ms) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  t.tv_nsec += ms % 1000 * 1000000;
  t.tv_sec += ms / 1000 + t.tv_nsec / 1000000000;
  t.tv_nsec %= 1000000000;
  return t;
}

/* ---- Beginning and end --------------------------------------------------------------------------------------------------------- */
static void *give_back(void *argument) {
  return argument;
}

static void *leave_early(void *argument) {
  pthread_exit(argument);
}

static void join_returns_the_value(void) {
  void *value;
  for (unsigned i = 0; i < 2; i++) {
    CHECK_EQ(pthread_create(&thread[0], NULL, i ? leave_early : give_back, number(7 + i)), 0);
    CHECK_EQ(pthread_join(thread[0], &value), 0);
    CHECK_EQ((unsigned long)value, 7 + i);
  }
}

static void join_after_its_end(void) {
  void *value;
  start(1, give_back);
  pause_for(50);
  CHECK_EQ(pthread_join(thread[0], &value), 0);
  CHECK(!value);
}

static void join_in_any_order(void) {
  void *value;
  start(MANY, give_back);
  for (unsigned i = 0; i < MANY; i++) {
    unsigned which = i * 37 % MANY;
    CHECK_EQ(pthread_join(thread[which], &value), 0);
    CHECK_EQ((unsigned long)value, which);
  }
}

static void *join_other(void *other) {
  void *value;
  CHECK_EQ(pthread_join(*(pthread_t *)other, &value), 0);
  return value;
}

static void join_by_another(void) {
  void *value;
  CHECK_EQ(pthread_create(&thread[0], NULL, give_back, number(3)), 0);
  CHECK_EQ(pthread_create(&thread[1], NULL, join_other, &thread[0]), 0);
  CHECK_EQ(pthread_join(thread[1], &value), 0);
  CHECK_EQ((unsigned long)value, 3);
  CHECK_EQ(pthread_join(pthread_self(), NULL), EDEADLK);
}

static void *count_one(void *argument) {
  pthread_mutex_lock(&mutex);
  count++;
  pthread_mutex_unlock(&mutex);
  return argument;
}

static void await(unsigned wanted) {
  for (bool there = false; !there; sched_yield()) {
    pthread_mutex_lock(&mutex);
    there = count == wanted;
    pthread_mutex_unlock(&mutex);
  }
}

/* Before it ends, after it has, from within, and by attribute. */
static void *detach_self(void *argument) {
  CHECK_EQ(pthread_detach(pthread_self()), 0);
  return count_one(argument);
}

static void detached(void) {
  pthread_attr_t attributes;
  CHECK_EQ(pthread_attr_init(&attributes), 0);
  CHECK_EQ(pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED), 0);
  count = 0;
  for (unsigned i = 0; i < 200; i += 4) {
    start(2, count_one);
    CHECK_EQ(pthread_detach(thread[0]), 0);
    CHECK_EQ(pthread_create(&thread[2], &attributes, count_one, NULL), 0);
    CHECK_EQ(pthread_create(&thread[2], NULL, detach_self, NULL), 0);
    await(i + 4);
    CHECK_EQ(pthread_detach(thread[1]), 0);
  }
  pthread_attr_destroy(&attributes);
  pause_for(20);       /* the last ones have counted, but not left */
  start(1, give_back); /* Linux keeps a stack until somebody wants one */
  join(1);
}

/* errno and other thread-local variables are each thread's. */
static _Thread_local unsigned long own = 5;
static void *use_own(void *argument) {
  for (unsigned i = 0; i < 20; i++) {
    if (own != (i ? (unsigned long)argument : 5))
      return number(1);
    own = (unsigned long)argument;
    close(-1 - (int)own);
    errno = (int)own;
    sched_yield();
    if (errno != (int)own)
      return number(2);
  }
  return NULL;
}

static void each_has_its_own(void) {
  void *value;
  errno = 77;
  start(20, use_own);
  for (unsigned i = 0; i < 20; i++) {
    CHECK_EQ(pthread_join(thread[i], &value), 0);
    CHECK(!value);
  }
  CHECK_EQ(errno, 77);
  CHECK_EQ(own, 5);
}

static void *deep(void *argument) {
  char here[3000];
  memset(here, (int)(unsigned long)argument, sizeof here);
  return number((unsigned long)argument ? (unsigned long)deep(number((unsigned long)argument - 1)) + (here[2000] != 0)
                                        : 0);
}

static void stack_size(void) {
  pthread_attr_t attributes;
  size_t bytes;
  void *value;
  CHECK_EQ(pthread_attr_init(&attributes), 0);
  CHECK_EQ(pthread_attr_setstacksize(&attributes, 100), EINVAL);
  CHECK_EQ(pthread_attr_setstacksize(&attributes, 4 << 20), 0);
  CHECK_EQ(pthread_attr_getstacksize(&attributes, &bytes), 0);
  CHECK_EQ(bytes, 4 << 20);
  CHECK_EQ(pthread_create(&thread[0], &attributes, deep, number(1000)), 0);
  CHECK_EQ(pthread_join(thread[0], &value), 0);
  CHECK_EQ((unsigned long)value, 1000 - 1000 / 256);
  pthread_attr_destroy(&attributes);
}

/* A pointer to the first thread's stack, below where that has ever been. */
static void *fill_it(void *at) {
  memset(at, 1, 100000);
  return NULL;
}

static void stack_of_another(void) {
  char there[100000];
  CHECK_EQ(pthread_create(&thread[0], NULL, fill_it, there), 0);
  CHECK_EQ(pthread_join(thread[0], NULL), 0);
  CHECK_EQ(there[0] + there[99999], 2);
}

/* ---- Mutexes -------------------------------------------------------------------------------------------------------------------- */
#define TURNS 200
static void *take_turns(void *argument) {
  for (unsigned i = 0; i < TURNS; i++) {
    pthread_mutex_lock(&mutex);
    unsigned before = count;
    if (i % 8 == 0)
      sched_yield();
    count = before + 1;
    pthread_mutex_unlock(&mutex);
  }
  return argument;
}

static void mutex_handover(void) {
  count = 0;
  start(16, take_turns);
  join(16);
  CHECK_EQ(count, 16 * TURNS);
}

static int of_type(int type, pthread_mutex_t *made) {
  pthread_mutexattr_t attributes;
  int found;
  CHECK_EQ(pthread_mutexattr_init(&attributes), 0);
  CHECK_EQ(pthread_mutexattr_settype(&attributes, type), 0);
  CHECK_EQ(pthread_mutexattr_gettype(&attributes, &found), 0);
  CHECK_EQ(found, type);
  return pthread_mutex_init(made, &attributes) | pthread_mutexattr_destroy(&attributes);
}

static void *try_it(void *other) {
  unsigned long busy = pthread_mutex_trylock(other) == EBUSY;
  struct timespec until = in(10);
  busy += pthread_mutex_timedlock(other, &until) == ETIMEDOUT;
  return number(busy + (pthread_mutex_unlock(other) == EPERM));
}

static unsigned long tried(pthread_mutex_t *other) {
  void *value;
  CHECK_EQ(pthread_create(&thread[0], NULL, try_it, other), 0);
  CHECK_EQ(pthread_join(thread[0], &value), 0);
  return (unsigned long)value;
}

static void mutex_types(void) {
  pthread_mutex_t recursive, check;
  CHECK_EQ(of_type(PTHREAD_MUTEX_RECURSIVE, &recursive), 0);
  CHECK_EQ(of_type(PTHREAD_MUTEX_ERRORCHECK, &check), 0);
  for (unsigned i = 0; i < 3; i++)
    CHECK_EQ(i % 2 ? pthread_mutex_trylock(&recursive) : pthread_mutex_lock(&recursive), 0);
  for (unsigned i = 0; i < 3; i++) {
    CHECK_EQ(tried(&recursive), 3);
    CHECK_EQ(pthread_mutex_unlock(&recursive), 0);
  }
  CHECK_EQ(pthread_mutex_unlock(&recursive), EPERM);
  CHECK_EQ(pthread_mutex_lock(&check), 0);
  CHECK_EQ(pthread_mutex_lock(&check), EDEADLK);
  CHECK_EQ(pthread_mutex_trylock(&check), EBUSY);
  CHECK_EQ(tried(&check), 3);
  CHECK_EQ(pthread_mutex_unlock(&check), 0);
  CHECK_EQ(pthread_mutex_unlock(&check), EPERM);
  CHECK_EQ(pthread_mutex_destroy(&check) | pthread_mutex_destroy(&recursive), 0);
}

/* Some give up while others are woken: no wake goes to one that has left. */
static void *try_for_a_while(void *argument) {
  for (unsigned i = 0; i < 50; i++) {
    struct timespec until = in((unsigned long)argument % 3);
    if (pthread_mutex_timedlock(&mutex, &until))
      continue;
    count++;
    sched_yield();
    pthread_mutex_unlock(&mutex);
  }
  return NULL;
}

static void mutex_with_time_limits(void) {
  start(12, try_for_a_while);
  join(12);
  CHECK_EQ(pthread_mutex_trylock(&mutex), 0);
  CHECK_EQ(pthread_mutex_timedlock(&mutex, &(struct timespec){1, -1}), EINVAL);
  uint64_t began = milliseconds();
  struct timespec until = in(30);
  CHECK_EQ(pthread_mutex_timedlock(&mutex, &until), ETIMEDOUT);
  CHECK(milliseconds() - began >= 29);
  CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
}

/* ---- Conditions ----------------------------------------------------------------------------------------------------------------- */
static unsigned turn;
static void *wait_for_turn(void *argument) {
  for (unsigned i = 0; i < 100; i++) {
    pthread_mutex_lock(&mutex);
    while (turn % 2 != (unsigned long)argument)
      pthread_cond_wait(&condition, &mutex);
    turn++;
    pthread_cond_signal(&condition);
    pthread_mutex_unlock(&mutex);
  }
  return NULL;
}

static void lost_wakeup(void) {
  turn = 0;
  start(2, wait_for_turn);
  join(2);
  CHECK_EQ(turn, 200);
}

/* A signal that nobody waits for is nobody's. */
static void wake_before_wait(void) {
  struct timespec until = in(20);
  CHECK_EQ(pthread_cond_signal(&condition), 0);
  CHECK_EQ(pthread_cond_broadcast(&condition), 0);
  CHECK_EQ(pthread_mutex_lock(&mutex), 0);
  CHECK_EQ(pthread_cond_timedwait(&condition, &mutex, &until), ETIMEDOUT);
  until = in(-1000);
  CHECK_EQ(pthread_cond_timedwait(&condition, &mutex, &until), ETIMEDOUT);
  CHECK_EQ(pthread_cond_timedwait(&condition, &mutex, &(struct timespec){1, 1000000000}), EINVAL);
  CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
}

static unsigned generation;
static void *wait_for_generation(void *argument) {
  pthread_mutex_lock(&mutex);
  for (unsigned i = 1; i <= 20; i++) {
    count++;
    while (generation < i)
      pthread_cond_wait(&condition, &mutex);
  }
  pthread_mutex_unlock(&mutex);
  return argument;
}

static void broadcast_storm(void) {
  count = generation = 0;
  start(40, wait_for_generation);
  for (unsigned i = 1; i <= 20; i++) {
    await(40 * i);
    pthread_mutex_lock(&mutex);
    generation = i;
    pthread_cond_broadcast(&condition);
    pthread_mutex_unlock(&mutex);
  }
  join(40);
}

/* One signal, one waiter. */
static void *wait_for_a_signal(void *argument) {
  pthread_mutex_lock(&mutex);
  count++;
  while (!turn)
    pthread_cond_wait(&condition, &mutex);
  turn--;
  count--;
  pthread_mutex_unlock(&mutex);
  return argument;
}

static void signal_one_by_one(void) {
  count = turn = 0;
  start(10, wait_for_a_signal);
  await(10);
  for (unsigned i = 10; i; i--) {
    pthread_mutex_lock(&mutex);
    turn = 1;
    pthread_mutex_unlock(&mutex);
    pthread_cond_signal(&condition);
    await(i - 1);
  }
  join(10);
}

/* Right after the broadcast, the condition and its memory are gone. */
struct short_lived {
  pthread_mutex_t mutex;
  pthread_cond_t condition;
  bool go;
  unsigned waiting;
};

static void *wait_shortly(void *argument) {
  struct short_lived *s = argument;
  pthread_mutex_lock(&s->mutex);
  s->waiting++;
  while (!s->go)
    pthread_cond_wait(&s->condition, &s->mutex);
  s->waiting--;
  pthread_mutex_unlock(&s->mutex);
  return NULL;
}

static void condition_is_destroyed(void) {
  for (unsigned round = 0; round < 20; round++) {
    struct short_lived *s = calloc(1, sizeof *s);
    pthread_mutex_init(&s->mutex, NULL), pthread_cond_init(&s->condition, NULL);
    for (unsigned i = 0; i < 4; i++)
      CHECK_EQ(pthread_create(&thread[i], NULL, wait_shortly, s), 0);
    for (bool all = false; !all; sched_yield()) {
      pthread_mutex_lock(&s->mutex);
      s->go = all = s->waiting == 4;
      if (all)
        pthread_cond_broadcast(&s->condition);
      pthread_mutex_unlock(&s->mutex);
    }
    CHECK_EQ(pthread_cond_destroy(&s->condition), 0);
    join(4);
    CHECK_EQ(s->waiting, 0);
    free(s);
  }
}

/* ---- Semaphores, barriers, read-write locks --------------------------------------------------------------------------------------- */
static sem_t items, room;
static unsigned sum;
static void *consume(void *argument) {
  for (unsigned i = 0; i < 100; i++) {
    sem_wait(&items);
    __atomic_add_fetch(&sum, 1, __ATOMIC_RELAXED);
    sem_post(&room);
  }
  return argument;
}

static void *produce(void *argument) {
  for (unsigned i = 0; i < 100; i++) {
    sem_wait(&room);
    sem_post(&items);
  }
  return argument;
}

static void semaphores(void) {
  int value;
  sum = 0;
  CHECK_EQ(sem_init(&items, 0, 0) | sem_init(&room, 0, 2), 0);
  for (unsigned i = 0; i < 8; i++)
    CHECK_EQ(pthread_create(&thread[i], NULL, i % 2 ? produce : consume, NULL), 0);
  join(8);
  CHECK_EQ(sum, 400);
  CHECK_EQ(sem_getvalue(&items, &value), 0);
  CHECK_EQ(value, 0);
  struct timespec until = in(20);
  FAILS(sem_timedwait(&items, &until), ETIMEDOUT);
  FAILS(sem_trywait(&items), EAGAIN);
  CHECK_EQ(sem_getvalue(&room, &value), 0);
  CHECK_EQ(value, 2);
}

static pthread_barrier_t barrier;
static unsigned passed[10];
static void *meet(void *argument) {
  unsigned long serial = 0, early = 0;
  for (unsigned i = 0; i < 10; i++) {
    __atomic_add_fetch(&passed[i], 1, __ATOMIC_SEQ_CST);
    serial += pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD;
    early += __atomic_load_n(&passed[i], __ATOMIC_SEQ_CST) != 8;
  }
  (void)argument;
  return number(serial + 100 * early);
}

static void barriers(void) {
  unsigned long serial = 0;
  void *value;
  memset(passed, 0, sizeof passed);
  CHECK_EQ(pthread_barrier_init(&barrier, NULL, 0), EINVAL);
  CHECK_EQ(pthread_barrier_init(&barrier, NULL, 8), 0);
  start(8, meet);
  for (unsigned i = 0; i < 8; i++) {
    CHECK_EQ(pthread_join(thread[i], &value), 0);
    serial += (unsigned long)value;
  }
  CHECK_EQ(serial, 10);
  CHECK_EQ(pthread_barrier_destroy(&barrier), 0);
}

static pthread_rwlock_t guard = PTHREAD_RWLOCK_INITIALIZER;
static unsigned pair[2];
static void *read_and_write(void *argument) {
  unsigned long wrong = 0;
  for (unsigned i = 0; i < 100; i++) {
    bool write = (i + (unsigned long)argument) % 4 == 0;
    wrong += (write ? pthread_rwlock_wrlock : pthread_rwlock_rdlock)(&guard) != 0;
    pair[0] += write;
    if (i % 10 == 0)
      sched_yield();
    pair[1] += write;
    wrong += pair[0] != pair[1];
    wrong += pthread_rwlock_unlock(&guard) != 0;
  }
  return number(wrong);
}

static void readers_and_writers(void) {
  void *value;
  pair[0] = pair[1] = 0;
  start(8, read_and_write);
  for (unsigned i = 0; i < 8; i++) {
    CHECK_EQ(pthread_join(thread[i], &value), 0);
    CHECK(!value);
  }
  CHECK_EQ(pair[0], 200);
  CHECK_EQ(pthread_rwlock_rdlock(&guard), 0);
  CHECK_EQ(pthread_rwlock_rdlock(&guard), 0);
  CHECK_EQ(pthread_rwlock_trywrlock(&guard), EBUSY);
  struct timespec until = in(10);
  CHECK_EQ(pthread_rwlock_timedwrlock(&guard, &until), ETIMEDOUT);
  CHECK_EQ(pthread_rwlock_unlock(&guard) | pthread_rwlock_unlock(&guard), 0);
  CHECK_EQ(pthread_rwlock_trywrlock(&guard), 0);
  CHECK_EQ(pthread_rwlock_tryrdlock(&guard), EBUSY);
  CHECK_EQ(pthread_rwlock_unlock(&guard), 0);
}

/* ---- Once, keys, cleaning up --------------------------------------------------------------------------------------------------------- */
static pthread_once_t once;
static void first(void) {
  pause_for(10);
  count++;
}

static void *only_once(void *argument) {
  (void)argument;
  pthread_once(&once, first);
  return number(count);
}

static void once_by_many(void) {
  void *value;
  count = 0;
  once = (pthread_once_t)PTHREAD_ONCE_INIT;
  start(20, only_once);
  for (unsigned i = 0; i < 20; i++) {
    CHECK_EQ(pthread_join(thread[i], &value), 0);
    CHECK_EQ((unsigned long)value, 1);
  }
}

static pthread_key_t key[2];
static unsigned destroyed[2], again;
static void destroy(void *value) {
  __atomic_add_fetch(&destroyed[(unsigned long)value % 2], 1, __ATOMIC_RELAXED);
}

static void destroy_again(void *value) {
  destroy(value);
  if ((unsigned long)value > 2)
    pthread_setspecific(key[1], number((unsigned long)value - 2));
}

static void *use_keys(void *argument) {
  if (pthread_getspecific(key[0]) || pthread_getspecific(key[1]))
    return number(1);
  pthread_setspecific(key[0], number((unsigned long)argument * 2 + 2));
  pthread_setspecific(key[1], number(5));
  sched_yield();
  return number((unsigned long)pthread_getspecific(key[0]) != (unsigned long)argument * 2 + 2);
}

static void keys(void) {
  void *value;
  destroyed[0] = destroyed[1] = again = 0;
  CHECK_EQ(pthread_key_create(&key[0], destroy) | pthread_key_create(&key[1], destroy_again), 0);
  CHECK_EQ(pthread_setspecific(key[0], &value), 0);
  start(10, use_keys);
  for (unsigned i = 0; i < 10; i++) {
    CHECK_EQ(pthread_join(thread[i], &value), 0);
    CHECK(!value);
  }
  CHECK_EQ(destroyed[0], 10);
  CHECK_EQ(destroyed[1], 30); /* 5, 3, 1 */
  CHECK(pthread_getspecific(key[0]) == &value);
  CHECK_EQ(pthread_key_delete(key[0]), 0);
  CHECK_EQ(pthread_key_create(&key[0], NULL), 0);
  CHECK(!pthread_getspecific(key[0])); /* what was set for another key of that number */
  CHECK_EQ(pthread_key_delete(key[0]) | pthread_key_delete(key[1]), 0);
}

static void add(void *argument) {
  count = count * 10 + (unsigned)(unsigned long)argument;
}

static void *clean(void *argument) {
  pthread_cleanup_push(add, number(1));
  pthread_cleanup_push(add, number(2));
  pthread_cleanup_push(add, number(3));
  pthread_cleanup_pop(0);
  pthread_exit(argument);
  pthread_cleanup_pop(0);
  pthread_cleanup_pop(0);
  return argument;
}

static void cleaning_up(void) {
  count = 0;
  start(1, clean);
  join(1);
  CHECK_EQ(count, 21);
}

/* ---- The C library -------------------------------------------------------------------------------------------------------------------- */
static void *allocate(void *argument) {
  unsigned char *block[20] = {0};
  unsigned long wrong = 0;
  for (unsigned i = 0; i < 2000; i++) {
    unsigned char **b = &block[i * 7 % 20], mark = (unsigned char)((unsigned long)argument + i * 7 % 20);
    wrong += *b && (**b != mark || (*b)[i * 7 % 20 * 100] != mark);
    free(*b);
    *b = malloc(i * 7 % 20 * 100 + 1);
    **b = (*b)[i * 7 % 20 * 100] = mark;
  }
  for (unsigned i = 0; i < 20; i++)
    free(block[i]);
  return number(wrong);
}

static void memory_of_many(void) {
  pid_t pid = fork(); /* the heap of a child: on Linux each thread keeps one of its own */
  if (!pid) {
    void *value;
    for (unsigned i = 0; i < 8; i++)
      MUST_EQ(pthread_create(&thread[i], NULL, allocate, number(i)), 0);
    for (unsigned i = 0; i < 8; i++) {
      MUST_EQ(pthread_join(thread[i], &value), 0);
      MUST(!value);
    }
    _exit(0);
  }
  exits(pid, 0);
}

#define LINES 50
static FILE *together;
static void *print_lines(void *argument) {
  for (unsigned i = 0; i < LINES; i++)
    fprintf(together, "%c%s-%lu-%u\n", 'a', "bcdefghijklmnopqrstuvwxyz", (unsigned long)argument, i);
  return NULL;
}

/* Each in one piece, each once; and two lines between flockfile() and funlockfile() stay together. */
static void *print_pairs(void *argument) {
  for (unsigned i = 0; i < LINES; i++) {
    flockfile(together);
    fprintf(together, "first %lu %u\n", (unsigned long)argument, i);
    sched_yield();
    fprintf(together, "second %lu %u\n", (unsigned long)argument, i);
    funlockfile(together);
  }
  return NULL;
}

static void check_lines(void) {
  char line[100], other[100], rest[100];
  unsigned long who, which;
  unsigned lines = 0, pairs = 0;
  rewind(together);
  while (fgets(line, sizeof line, together)) {
    if (sscanf(line, "abcdefghijklmnopqrstuvwxyz-%lu-%lu%[^\n]", &who, &which, rest) == 2) {
      lines++;
      continue;
    }
    MUST_EQ(sscanf(line, "first %[^\n]", rest), 1);
    MUST(fgets(other, sizeof other, together));
    MUST(!strncmp(other, "second ", 7) && !strncmp(other + 7, rest, strlen(rest)));
    pairs++;
  }
  MUST_EQ(lines, 4 * LINES);
  MUST_EQ(pairs, 4 * LINES);
}

static void lines_of_many(void) {
  pid_t pid = fork();
  if (!pid) {
    together = fopen("lines", "w+");
    MUST(together);
    for (unsigned i = 0; i < 8; i++)
      MUST_EQ(pthread_create(&thread[i], NULL, i % 2 ? print_lines : print_pairs, number(i)), 0);
    for (unsigned i = 0; i < 8; i++)
      MUST_EQ(pthread_join(thread[i], NULL), 0);
    check_lines();
    _exit(0);
  }
  exits(pid, 0);
  CHECK_EQ(unlink("lines"), 0);
}

/* ---- Calls that wait, of several threads at once ------------------------------------------------------------------------------------------ */
static int to[2], from[2];
static void *echo(void *argument) {
  char text[100];
  ssize_t n;
  while ((n = read(to[0], text, sizeof text)) > 0)
    if (write(from[1], text, (size_t)n) != n)
      return number(1);
  return n ? number(2) : argument;
}

static void *flood(void *argument) {
  char text[1000] = {0};
  for (unsigned i = 0; i < 100; i++)
    if (write(to[1], text, sizeof text) != sizeof text)
      return number(3);
  return (void *)((unsigned long)argument & 0);
}

static void *wait_for_child(void *pid) {
  int status;
  return number(waitpid(*(pid_t *)pid, &status, 0) != *(pid_t *)pid || status != 3 << 8);
}

static void end_at_the_gate(void) {
  struct gate *gate = (struct gate *)given;
  gate_pass(gate);
  _exit(3);
}

/* One waits in read, one in write, one for a child, and the first thread for all their output. */
static void wait_in_everything(void) {
  struct gate gate;
  char text[777];
  unsigned long got = 0;
  void *value;
  gate_make(&gate);
  pid_t pid = begin_on(end_at_the_gate, (uintptr_t)&gate);
  CHECK_EQ(pipe(to) | pipe(from), 0);
  CHECK_EQ(pthread_create(&thread[0], NULL, echo, NULL), 0);
  CHECK_EQ(pthread_create(&thread[1], NULL, flood, NULL), 0);
  CHECK_EQ(pthread_create(&thread[2], NULL, wait_for_child, &pid), 0);
  for (ssize_t n; got < 100000 && (n = read(from[0], text, sizeof text)) > 0;)
    got += (unsigned long)n;
  CHECK_EQ(got, 100000);
  gate_open(&gate);
  close(to[1]);
  for (unsigned i = 0; i < 3; i++) {
    CHECK_EQ(pthread_join(thread[i], &value), 0);
    CHECK(!value);
  }
  close(to[0]), close(from[0]), close(from[1]);
  gate_close(&gate);
}

/* Whoever waits in a file has it until it is done, whatever its descriptor names meanwhile. */
static int closing[2];
static void *reads_a_byte(void *argument) {
  char byte = 0;
  ssize_t n = read(closing[0], &byte, 1);
  return n == 1 ? number((unsigned char)byte) : argument;
}

static pthread_t read_from_closed(void) {
  pthread_t thread;
  CHECK_EQ(pipe(closing), 0);
  CHECK_EQ(pthread_create(&thread, NULL, reads_a_byte, NULL), 0);
  pause_for(20); /* it waits */
  CHECK_EQ(close(closing[0]), 0);
  return thread;
}

static void closed_by_another(void) {
  void *value;
  pthread_t thread = read_from_closed();
  int other = open("/dev/zero", O_RDONLY);
  CHECK_EQ(other, closing[0]);
  CHECK_EQ(write(closing[1], "x", 1), 1);
  CHECK_EQ(pthread_join(thread, &value), 0);
  CHECK_EQ((unsigned long)value, 'x');
  struct pollfd writer = {closing[1], POLLOUT, 0};
  CHECK_EQ(poll(&writer, 1, 0), 1);
  CHECK(writer.revents & POLLERR); /* it was the last reader */
  close(other), close(closing[1]);
  thread = read_from_closed();
  close(closing[1]);
  CHECK_EQ(pthread_join(thread, &value), 0);
  CHECK(!value);
}

static void ends_with_a_closed_file(void) {
  read_from_closed();
  close(closing[1]), read_from_closed(); /* in it, too, somebody waits */
}

static void closed_files_go(void) {
  for (unsigned i = 0; i < 3; i++)
    exits(begin(ends_with_a_closed_file), 0);
}

static const struct test tests[] = {
    {"the value of a join", join_returns_the_value},
    {"a join after the end", join_after_its_end},
    {"a hundred, joined in any order", join_in_any_order},
    {"a join by another, and of oneself", join_by_another},
    {"detached before, after, from within", detached},
    {"errno and thread-local variables", each_has_its_own},
    {"the size of a stack", stack_size},
    {"a pointer into another's stack", stack_of_another},
    {"a mutex under contention", mutex_handover},
    {"kinds of mutexes", mutex_types},
    {"a mutex, for a while only", mutex_with_time_limits},
    {"a wake-up that is lost", lost_wakeup},
    {"a wake before the wait", wake_before_wait},
    {"a storm of broadcasts", broadcast_storm},
    {"a signal for one", signal_one_by_one},
    {"a condition is destroyed behind those it has woken", condition_is_destroyed},
    {"semaphores", semaphores},
    {"barriers", barriers},
    {"readers and writers", readers_and_writers},
    {"once by many", once_by_many},
    {"keys and their destructors", keys},
    {"cleaning up", cleaning_up},
    {"malloc by many", memory_of_many},
    {"lines of many", lines_of_many},
    {"threads wait in everything at once", wait_in_everything},
    {"a file is closed under whoever waits for it", closed_by_another},
    {"a process ends with such files", closed_files_go},
};

/* As many as there will be: what is kept for them is had before anything is counted. */
int main(void) {
  unix_begin("t_threads");
  join_in_any_order();
  join_returns_the_value();
  for (unsigned i = 0; i < 2; i++)
    wait_in_everything(), broadcast_storm(), semaphores(), once_by_many();
  return TAP_RUN("threads", tests);
}
