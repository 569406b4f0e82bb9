/* SPDX-License-Identifier: BSD-2-Clause */
/* Want of memory, of frames and of kernel objects: an error or a death for whoever asked, nothing for the neighbours. */
#include "tap.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static void eater_ends(void) {
  for (unsigned i = 0; i < 20; i++) {
    uint64_t frames = free_frames();
    uint64_t neighbour = spawn(0, ARGV("victim", "work", "200"));
    struct p_death death = run_victim(ARGV("victim", "eat"));
    CHECK_EQ(death.reason, P_REASON_NOFRAME);
    CHECK_EQ(death.kind, Q_FAULT_WRITE);
    CHECK(p_wait_for(neighbour, &death) > 0);
    /* The neighbour may be the one that asked when there was none: that is the rule. Else it found its memory right. */
    CHECK(death.reason == P_REASON_NOFRAME || (death.reason == P_REASON_EXIT && death.status == 0));
    CHECK_EQ(free_frames(), frames);
  }
}

/* One that is promised its memory gets it, though another has eaten all the rest in between. */
static void promised_beside_an_eater(void) {
  struct p_death death;
  struct q_received m;
  q_handle endpoint;
  CHECK_EQ(q_endpoint_create(&endpoint), 0);
  int64_t id = p_spawn_program(ARGV("victim", "promised", "50000000"), P_SPAWN_QUIET | P_SPAWN_STRICT, endpoint);
  q_recv(endpoint, &m);
  CHECK_EQ(m.word[0], 1);
  CHECK_EQ(run_victim(ARGV("victim", "eat")).reason, P_REASON_NOFRAME);
  CHECK_EQ(q_reply(&(struct q_reply){.token = m.token}), 0);
  CHECK_EQ(p_wait_for((uint64_t)id, &death), id);
  CHECK_EQ(death.reason + death.status, 0);
  CHECK(death.peak > 50000000 / 4096);
  id = p_spawn_program(ARGV("victim", "promised", "150000000"), P_SPAWN_QUIET | P_SPAWN_STRICT, endpoint);
  q_recv(endpoint, &m);
  CHECK_EQ(m.word[0], 0); /* there never is as much */
  CHECK_EQ(q_reply(&(struct q_reply){.token = m.token}), 0);
  CHECK_EQ(p_wait_for((uint64_t)id, &death), id);
  CHECK_EQ(q_handle_destroy(endpoint), 0);
}

static void thousand_programs(void) {
  struct q_info before = kernel_info();
  uint64_t frames = free_frames();
  for (unsigned i = 0; i < 1000; i++)
    CHECK_EQ(run_victim(ARGV("victim", "exit", "0")).reason, P_REASON_EXIT);
  struct q_info after = kernel_info();
  CHECK_EQ(free_frames(), frames);
  CHECK_EQ(before.tasks + before.threads + before.handles + before.tables + before.endpoints,
           after.tasks + after.threads + after.handles + after.tables + after.endpoints);
}

static void many_at_once(void) {
  uint64_t id[100];
  struct p_death death;
  for (unsigned i = 0; i < 100; i++)
    id[i] = spawn(0, ARGV("victim", "work", "20"));
  for (unsigned i = 0; i < 100; i++) {
    CHECK_EQ(p_wait_for(id[i], &death), id[i]);
    CHECK_EQ(death.reason + death.status, 0);
  }
}

/* One that has ended is found though a younger one lives. */
static void reap_before_the_living(void) {
  struct p_death death;
  struct p_stats stats;
  uint64_t first = spawn(0, ARGV("victim", "exit", "3"));
  while (!p_stats_of(first, &stats))
    q_yield();
  uint64_t second = spawn(0, ARGV("victim", "sleep"));
  CHECK_EQ(p_reap_child(second, &death), -EAGAIN);
  CHECK_EQ(p_reap_child(0, &death), first);
  CHECK_EQ(death.status, 3);
  CHECK_EQ(p_reap_child(0, &death), -EAGAIN);
  CHECK_EQ(p_kill_program(second), 0);
  CHECK_EQ(p_reap_child(0, &death), second);
  CHECK_EQ(p_reap_child(0, &death), -ECHILD);
}

static int64_t reap_one(uint64_t *more) {
  struct p_death death;
  struct q_call c = {.label = P_reap, .write = &death, .write_bytes = sizeof death};
  CHECK_EQ(q_call(P_HANDLE_PAGER, &c), 0);
  *more = c.word[1];
  return c.label ? -(int64_t)c.label : (int64_t)c.word[0];
}

static void reap_says_if_there_are_more(void) {
  uint64_t id[3], more, sum = 0;
  struct p_stats stats;
  for (unsigned i = 0; i < 3; i++) {
    id[i] = spawn(0, ARGV("victim", "exit", "0"));
    while (!p_stats_of(id[i], &stats))
      q_yield();
  }
  for (unsigned i = 0; i < 3; i++) {
    sum += (uint64_t)reap_one(&more);
    CHECK_EQ(more, i < 2);
  }
  CHECK_EQ(sum, id[0] + id[1] + id[2]);
  CHECK_EQ(reap_one(&more), -ECHILD);
}

static uint64_t fork_error(uint64_t pc, uint64_t badge) {
  struct q_call c = {.label = P_fork, .word = {0, pc, 0, badge}};
  CHECK_EQ(q_call(P_HANDLE_PAGER, &c), 0);
  return c.label;
}

static void forks_that_fail(void) {
  uint64_t pc = (uint64_t)forks_that_fail;
  CHECK_EQ(fork_error(0, 0), EINVAL);
  CHECK_EQ(fork_error(pc | 1, 0), EINVAL);
  CHECK_EQ(fork_error(pc, 5), EINVAL); /* only a server has an endpoint of its own */
}

static void too_many_programs(void) {
  static uint64_t id[P_PROCESSES + 1];
  unsigned n = 0;
  int64_t error = 0;
  struct p_death death;
  for (; n <= P_PROCESSES && error >= 0; n++) {
    error = p_spawn_program(ARGV("victim", "sleep"), P_SPAWN_QUIET, 0);
    id[n] = (uint64_t)error;
  }
  CHECK_EQ(error, -EAGAIN);
  CHECK(n > 500); /* processes=600 */
  for (unsigned i = 0; i + 1 < n; i++) {
    bool lived = !p_kill_program(id[i]); /* else it had no frame for its first page */
    CHECK_EQ(p_wait_for(id[i], &death), id[i]);
    CHECK_EQ(death.reason, lived ? P_REASON_KILLED : P_REASON_NOFRAME);
  }
}

/* Objects until the quota is used up: an error, and the death of the task gives everything back. */
static void object_exhaustion(void) {
  struct p_death death = run_victim(ARGV("t_memory", "endpoints"));
  CHECK_EQ(death.status, 6); /* E_NOMEM */
  death = run_victim(ARGV("t_memory", "handles"));
  CHECK(death.status == 5 || death.status == 6 || death.status == 15);
  death = run_victim(ARGV("t_memory", "threads"));
  CHECK(death.status == 6 || death.status == 15);
}

static int exhaust(const char *what) {
  q_handle handle = 0, first;
  int64_t error = q_endpoint_create(&first);
  for (unsigned i = 0; i < 100000 && error >= 0; i++) {
    if (!strcmp(what, "endpoints"))
      error = q_endpoint_create(&handle);
    else if (!strcmp(what, "handles"))
      error = q_handle_dup(first, Q_RIGHT_ALL, 0, &handle);
    else
      error = q_thread_create(P_HANDLE_TASK, 1, &handle);
  }
  return (int)-error;
}

static void spawn_errors(void) {
  char big[P_SPAWN_MAX + 2];
  memset(big, 'a', sizeof big - 1);
  big[sizeof big - 1] = 0;
  CHECK_EQ(p_spawn_program(ARGV("nothing"), 0, 0), -ENOENT);
  CHECK_EQ(p_spawn_program(ARGV("garbage"), 0, 0), -ENOEXEC);
  CHECK_EQ(p_spawn_program(ARGV(big), 0, 0), -E2BIG);
  CHECK_EQ(p_kill_program(12345), -ESRCH);
  CHECK_EQ(p_kill_program(own_stats().id), -EPERM);
  struct p_death death;
  CHECK_EQ(p_reap_child(12345, &death), -ECHILD);
  struct q_call c = {.label = 77};
  CHECK_EQ(q_call(P_HANDLE_PAGER, &c), 0);
  CHECK(c.label != 0); /* ENOSYS */
}

/* Every frame is somebody's: the sum is what the device tree says there is. */
static void all_accounted_for(void) {
  struct p_system s;
  CHECK_EQ(p_system_stats(0, &s), 0);
  struct q_info info = kernel_info();
  CHECK_EQ(info.ram_frames, info.reserved_frames + info.kernel_frames + info.owned_frames + info.donated_pages);
  CHECK_EQ(s.free + s.cached + s.user + s.own, info.owned_frames);
}

static const struct test tests[] = {
    {"20 programs eat all memory beside a neighbour", eater_ends},
    {"a program that is promised its memory", promised_beside_an_eater},
    {"1000 programs leave everything as it was", thousand_programs},
    {"100 programs at once", many_at_once},
    {"a child that has ended beside one that lives", reap_before_the_living},
    {"reap says if there are more", reap_says_if_there_are_more},
    {"forks that fail", forks_that_fail},
    {"more programs than there is room for", too_many_programs},
    {"kernel objects until there are no more", object_exhaustion},
    {"requests that cannot be met", spawn_errors},
    {"all frames are accounted for", all_accounted_for},
};

int main(int argc, char **argv) {
  return argc > 1 ? exhaust(argv[1]) : TAP_RUN("memory", tests);
}
