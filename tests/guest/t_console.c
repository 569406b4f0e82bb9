/* SPDX-License-Identifier: BSD-2-Clause */
/* Who reads what is typed, and whom Ctrl-C meets: serve=driver:loop serve=posix:t_console. A line "@TEXT" that is written
 * comes back from the driver as typed (driver.c). The children are worker.c's. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tap.h"

#define SETTLE 200000 /* ticks */
#define SOON "100000"
#define JOB POSIX_SPAWN_JOB
#define FOREGROUND (POSIX_SPAWN_JOB | POSIX_SPAWN_FOREGROUND)
#define WORKER(...) ARGV("worker", __VA_ARGS__)

static void settle(void) {
  q_sleep_until(q_time() + SETTLE);
}

static uint64_t start(const char *const argv[], unsigned flags) {
  int64_t pid = px_spawn(argv, NULL, flags);
  CHECK(pid > 0);
  return (uint64_t)pid;
}

static struct p_death wait_for(uint64_t pid) {
  struct p_death death = {0};
  CHECK_EQ(px_wait(pid, 0, &death), pid ? pid : death.id);
  return death;
}

static void type(const char *text) {
  printf("@%s\n", text);
  settle();
}

/* By a program that is not in the foreground, so that Ctrl-C does not meet it. */
static uint64_t type_soon(const char *text) {
  return start(WORKER("type", SOON, text), JOB);
}

static void reads(const char *expected) {
  char line[64] = "";
  ssize_t got = read(0, line, sizeof line - 1);
  CHECK_EQ(got, strlen(expected));
  CHECK(!strcmp(line, expected));
}

static unsigned members(uint64_t job) {
  struct posix_process list[32];
  int64_t got = px_list(0, list, 32);
  unsigned count = 0;
  for (int64_t i = 0; i < got; i++)
    count += list[i].job == job && !list[i].ended;
  return count;
}

static void lines(void) {
  char bytes[4] = "";
  type("one$two$");
  reads("one\n");
  reads("two\n");
  type("abcde$");
  CHECK_EQ(read(0, bytes, 2), 2);
  CHECK_EQ(read(0, bytes + 2, 2), 2);
  CHECK(!memcmp(bytes, "abcd", 4));
  reads("e\n");
  type("^D");
  reads("");
  uint64_t typist = type_soon("late$");
  reads("late\n");
  wait_for(typist);
}

static void bad_buffers(void) {
  static const uint64_t places[] = {0, P_STACK_BASE, Q_USER_TOP, ~0ul, (uint64_t)bad_buffers};
  type("kept$");
  for (unsigned i = 0; i < sizeof places / sizeof *places; i++) {
    errno = 0;
    CHECK_EQ(read(0, (void *)places[i], 3), -1);
    CHECK_EQ(errno, EFAULT);
  }
  char *absent = (char *)p_sbrk_bytes(8192, 0) + 4094;
  CHECK_EQ(read(0, absent, 100), 5);
  CHECK(!memcmp(absent, "kept\n", 5));
  p_sbrk_bytes(-8192, 0);
}

static void a_killed_reader(void) {
  uint64_t reader = start(WORKER("read"), 0);
  settle();
  CHECK_EQ(px_kill(reader, 9), 0);
  wait_for(reader);
  type("mine$");
  reads("mine\n");
}

static void readers_take_turns(void) {
  uint64_t one = start(WORKER("read"), 0);
  settle();
  uint64_t two = start(WORKER("read"), 0);
  settle();
  type("1$");
  CHECK_EQ(wait_for(one).status, 3);
  CHECK_EQ(px_wait(two, POSIX_WAIT_NOHANG, NULL), 0);
  type("22$");
  CHECK_EQ(wait_for(two).status, 4);
}

static void a_job_in_the_foreground(void) {
  uint64_t job = start(WORKER("read"), FOREGROUND), typist = type_soon("four$");
  CHECK_EQ(wait_for(job).status, 6);
  wait_for(typist);
  type("me$");
  reads("me\n");
}

/* The leader ends, and its child that reads is in the background from then on. */
static void a_reader_left_behind(void) {
  uint64_t job = start(WORKER("reader"), FOREGROUND);
  CHECK_EQ(wait_for(job).status, 0);
  settle();
  CHECK_EQ(members(job), 0);
  CHECK_EQ(px_wait(0, 0, NULL), -ECHILD); /* it heard EIO and ended; nobody had to wait for it */
  type("me$");
  reads("me\n");
}

static void interrupts_a_job(void) {
  static const char *const roles[] = {"spin", "sleep", "wait", "read", "pager"};
  for (unsigned i = 0; i < sizeof roles / sizeof *roles; i++) {
    uint64_t job = start(WORKER(roles[i]), FOREGROUND), typist = type_soon("^C");
    CHECK_EQ(wait_for(job).reason, P_REASON_KILLED);
    settle();
    CHECK_EQ(members(job), 0);
    CHECK_EQ(wait_for(typist).reason, P_REASON_EXIT);
    while (px_wait(0, POSIX_WAIT_NOHANG, NULL) > 0) /* whose parent was one of it */
      ;
  }
  type("still here$");
  reads("still here\n");
}

static void interrupts_the_first(void) {
  char byte;
  uint64_t child = start(WORKER("sleep"), JOB), typist = type_soon("^C");
  errno = 0;
  CHECK_EQ(read(0, &byte, 1), -1);
  CHECK_EQ(errno, EINTR);
  wait_for(typist);
  typist = type_soon("^C");
  CHECK_EQ(px_wait(child, 0, NULL), -EINTR);
  wait_for(typist);
  type("lost^C"); /* it waits for nothing: nothing is interrupted later, and what was typed is forgotten */
  type("found$");
  reads("found\n");
  CHECK_EQ(px_kill(child, 9), 0);
  CHECK_EQ(px_wait(child, 0, NULL), child);
}

static void killed_while_it_writes(void) {
  for (unsigned round = 0; round < 8; round++) {
    uint64_t writer = start(WORKER("write"), JOB);
    q_sleep_until(q_time() + 30001 * round);
    CHECK_EQ(px_kill(writer, 9), 0);
    CHECK_EQ(wait_for(writer).reason, P_REASON_KILLED);
  }
  settle();
}

static const struct test tests[] = {
    {"lines, whole and in pieces, typed before and after", lines},
    {"a buffer that is bad loses no line", bad_buffers},
    {"a reader that is killed takes no line with it", a_killed_reader},
    {"readers take turns", readers_take_turns},
    {"a job in the foreground reads, and gives the console back", a_job_in_the_foreground},
    {"a reader that its job's leader leaves behind", a_reader_left_behind},
    {"Ctrl-C ends a whole job in every state", interrupts_a_job},
    {"Ctrl-C interrupts what the first process waits in", interrupts_the_first},
    {"killed while it writes to a full console", killed_while_it_writes},
};

int main(void) {
  free(malloc(4096)); /* the heap is there before anything is counted */
  return TAP_RUN("console", tests);
}
