/* SPDX-License-Identifier: BSD-2-Clause */
/* Under each policy, with a handful of frames: programs that check every byte they ever wrote come out right, and print what they print
 * with all the frames they want. Booted with budget=0. ":all" runs all of them with each number of frames, else they take turns.
 * ":hostile" is for the pager that has the policies of tests/host/hostile.c. */
#include "unix.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define TEXT 160
#define WORDS 8
#define LEAST 4 /* pager/pool.h */
static const unsigned frames[] = {4, 5, 8, 16};
#define FRAMES (sizeof frames / sizeof *frames)

static const char *const honest[] = {POLICY_WORDS}; /* the build says which: tests/policy_words.py */
static const char *const hostile[] = {"hostile",
                                      "hostile,1",
                                      "hostile,2",
                                      "hostile,3",
                                      "hostile,4",
                                      "hostile,5",
                                      "hostile,6",
                                      "glutton+fifo",
                                      "glutton+hostile,6",
                                      "grasping+clock",
                                      "glutton+grasping+hostile",
                                      "scribbler",
                                      "scribbler+grasping",
                                      "slow",
                                      "glutton+nosy",
                                      "eager+hostile,6"};

/* Each pattern of the workloads, small. */
static const char *const programs[][WORDS] = {{"workload", "-p", "12", "-n", "200", "scan"},
                                              {"workload", "-p", "17", "-n", "200", "loop"},
                                              {"workload", "-p", "24", "-n", "200", "zipf"},
                                              {"workload", "-p", "24", "-n", "200", "scans"},
                                              {"workload", "-p", "24", "-n", "200", "phases"},
                                              {"workload", "-p", "20", "-n", "100", "chase"},
                                              {"workload", "-p", "20", "-n", "100", "stack"},
                                              {"workload", "-p", "20", "-n", "200", "heap"},
                                              {"workload", "-p", "10", "-n", "60", "fork"},
                                              {"workload", "-p", "12", "-n", "200", "hash"},
                                              {"workload", "-p", "3", "matrix"},
                                              {"workload", "-p", "3", "blocks"},
                                              {"workload", "-p", "3", "sort"}};
#define PROGRAMS (sizeof programs / sizeof *programs)

static char expected[PROGRAMS][TEXT];
static const char *const *policies;
static unsigned policy,
    each = 4; /* the one that is tested now; one of so many programs is run with a number of frames */

/* Its status, and what it prints first. */
static int run(const char *const program[WORDS], const char *words, unsigned budget, char text[TEXT]) {
  int fd = make_file("printed", "", 0);
  pid_t pid = fork();
  if (!pid) {
    char path[64];
    if (words && p_policy(0, words, budget))
      _exit(99);
    snprintf(path, sizeof path, "/bin/%s", program[0]);
    dup2(fd, 1);
    execv(path, (char **)(uintptr_t)program);
    _exit(98);
  }
  int status = status_of(pid);
  ssize_t got = pread(fd, text, TEXT - 1, 0);
  text[got > 0 ? got : 0] = 0;
  close(fd), unlink("printed");
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void complain(const char *const program[WORDS], unsigned budget, int status, const char *text) {
  printf("# with %u frames", budget);
  for (unsigned i = 0; i < WORDS && program[i]; i++)
    printf(" %s", program[i]);
  printf(": status %d, %.40s\n", status, text);
}

static void run_one(unsigned p, unsigned budget) {
  char text[TEXT];
  int status = run(programs[p], policies[policy], budget, text);
  bool good = !status && !strcmp(text, expected[p]);
  CHECK(good);
  if (!good)
    complain(programs[p], budget, status, text);
}

static void run_all(void) {
  for (unsigned i = 0; i < FRAMES; i++)
    for (unsigned p = (policy + i) % each; p < PROGRAMS; p += each)
      run_one(p, frames[i]);
}

static void under_policy(void) {
  run_all();
  policy++;
}

/* Every byte, again and again. */
static void honest_body(void) {
  char *at = fresh(20);
  MUST_EQ(p_policy(0, "clock", 8), 0);
  for (unsigned round = 0;; round++) {
    fill(at, 20 * PAGE, round);
    MUST(filled(at, 20 * PAGE, round));
  }
}

/* Alone, and beside a program with an honest one, which finds all that it writes. */
static void under_hostile(void) {
  run_all();
  struct p_stats stats = {.wrong = 1};
  pid_t pid = begin(honest_body);
  for (unsigned p = policy % each; p < PROGRAMS; p += each)
    run_one(p, frames[policy % FRAMES]);
  CHECK_EQ(p_stats_of((uint64_t)pid, &stats), 0);
  CHECK_EQ(stats.wrong, 0);
  CHECK_EQ(waitpid(pid, NULL, WNOHANG), 0);
  kill(pid, SIGKILL);
  dies(pid, SIGKILL);
  policy++;
}

/* What is proposed and can't be is counted; what nobody proposes is not. */
static void wrong_body(void) {
  static const struct {
    const char *words;
    bool wrong;
  } step[] = {{"hostile,1", true}, {"hostile,3", true},    {"hostile,5", false},    {"hostile,6", false},
              {"scribbler", true}, {"glutton+fifo", true}, {"grasping+fifo", false}};
  char *at = fresh(20);
  for (unsigned i = 0; i < sizeof step / sizeof *step; i++) {
    uint64_t before = own_stats().wrong;
    MUST_EQ(p_policy(0, step[i].words, 6), 0);
    fill(at, 20 * PAGE, i);
    MUST(filled(at, 20 * PAGE, i));
    MUST_EQ(own_stats().wrong > before, step[i].wrong);
  }
}

static void wrong_counted(void) {
  exits(begin(wrong_body), 0);
}

/* What declares more memory than a policy may have is refused, not asked. */
static void too_wide(void) {
  static const char *const words[] = {"wide_process", "wide_state", "wide_note", "clock+wide_each", "wide_both"};
  for (unsigned i = 0; i < sizeof words / sizeof *words; i++) {
    char wrong[P_POLICY_WRONG] = "";
    CHECK_EQ(p_policy_told(0, words[i], 8, wrong), -EINVAL);
    CHECK(strstr(wrong, "cannot be used: it declares "));
  }
}

/* One instruction, or one copy of a call, needs two pages, and what came last is what goes. */
static void two_at_once_body(void) {
  char *at = fresh(20);
  MUST_EQ(p_policy(0, given ? "glutton+hostile,6" : "hostile,6", LEAST), 0);
  for (uint64_t i = 1; i < 20; i++) {
    uint64_t back;
    char *word = at + (long)i * PAGE - 4;
    __asm__ volatile("sd %2, 0(%1)\n ld %0, 0(%1)" : "=&r"(back) : "r"(word), "r"(i << 32 | i) : "memory");
    MUST_EQ(back, i << 32 | i);
    strcpy(word - 1, "/tmp/none");
    MUST_FAIL(open(word - 1, O_RDONLY), ENOENT);
  }
}

static void two_at_once(void) {
  exits(begin_on(two_at_once_body, false), 0);
  exits(begin_on(two_at_once_body, true), 0);
}

/* ---- Hooks that do not return --------------------------------------------------------------------------------------------- */
static const struct {
  const char *words;
  unsigned budget;
} endless[] = {{"endless_fault", 0},  {"asking", 8},
               {"writing", 8},        {"again", 0},
               {"endless_made", 0},   {"endless_advice", 0},
               {"endless_admit", 0},  {"endless_budget+fifo", 8},
               {"endless_begun", 8},  {"endless_mapped", 8},
               {"endless_cold", 8},   {"endless_unmapped", 8},
               {"endless_tick", 8},   {"endless_victims", 8},
               {"endless_ended", 8},  {"endless_started", 8},
               {"endless_forked", 8}, {"endless_statistics", 8}};
#define FEW 4 /* of all ways in which hooks are asked: one of a plain fault, two others, and that again */

static void *fill_more(void *argument) {
  char *at = argument;
  for (unsigned i = 0; i < 5; i++)
    fill(at + i * PAGE, PAGE, i);
  return NULL;
}

/* All that any of them is asked of; what was written is there. */
static void everything(void) {
  char *at = fresh(30);
  for (unsigned round = 0; round < 3; round++) {
    fill(at, 20 * PAGE, round);
    MUST(filled(at, 20 * PAGE, round));
  }
  pthread_t thread;
  MUST_EQ(pthread_create(&thread, NULL, fill_more, at + 22 * PAGE), 0);
  fill(at + 28 * PAGE, PAGE, 1);
  MUST_EQ(pthread_join(thread, NULL), 0);
  for (unsigned i = 0; i < 5; i++)
    MUST(filled(at + (22 + i) * PAGE, PAGE, i));
  for (unsigned n = 0; n < 2; n++) {
    MUST_EQ(madvise(at, 20 * PAGE, MADV_COLD), 0);
    MUST_EQ(madvise(at, 20 * PAGE, MADV_WILLNEED), 0);
  }
  pid_t pid = fork();
  if (!pid)
    _exit(!filled(at, 20 * PAGE, 2));
  MUST_EQ(status_of(pid), 0);
  MUST(filled(at, 20 * PAGE, 2));
}

/* Three at a time do so: for one of them the policy may be lost before it begins. */
static void endless_body(void) {
  struct p_figures f;
  const char *words = endless[policy].words;
  bool chosen = false;
  for (unsigned n = 0; n < 2; n++) { /* the second time some hook does not return */
    int64_t error = p_policy(0, words, endless[policy].budget);
    MUST(!error || error == -ENOTRECOVERABLE);
    chosen |= !error;
    if (!n)
      fork() ? (void)wait(NULL) : everything();
  }
  everything();
  for (unsigned n = 0; n < 2; n++)
    MUST_EQ(p_figures_of(0, &f), 0);
  MUST_EQ(f.lost, chosen);
  MUST_EQ(p_policy(0, words, endless[policy].budget), -ENOTRECOVERABLE);
  MUST_EQ(p_policy(0, "fifo", 8), 0);
  everything();
  MUST_EQ(p_figures_of(0, &f), 0);
  MUST_EQ(f.lost, 0);
}

/* What cannot be read is not understood; then it is known why. */
static void endless_option(void) {
  MUST_EQ(p_policy(0, "endless_option,1", 8), 0);
  MUST_EQ(p_policy(0, "endless_option,2", 8), -EINVAL);
  for (unsigned n = 0; n < 2; n++)
    MUST_EQ(p_policy(0, n ? "endless_option,2" : "endless_option,3", 8), -ENOTRECOVERABLE);
  everything();
}

static void under_endless_option(void) {
  exits(begin(endless_option), 0);
}

/* It is left; beside it another program goes on. */
static void under_endless(void) {
  pid_t honest = begin(honest_body);
  pid_t several[3] = {begin(endless_body), begin(endless_body), begin(endless_body)};
  for (unsigned i = 0; i < 3; i++)
    exits(several[i], 0);
  CHECK_EQ(waitpid(honest, NULL, WNOHANG), 0);
  kill(honest, SIGKILL);
  dies(honest, SIGKILL);
  policy++;
}

static void thorough_body(void) {
  struct p_figures f;
  char *at = fresh(70);
  MUST_EQ(p_policy(0, "thorough", 60), 0);
  uint64_t from = q_time();
  fill(at, 70 * PAGE, 1);
  MUST(filled(at, 70 * PAGE, 1) && !p_figures_of(0, &f));
  MUST(q_time() - from > 25 * 1000 * NAP); /* else it says nothing */
  MUST_EQ(f.lost, 0);
}

/* It asks of one page after the other. */
static void takes_its_time(void) {
  exits(begin(thorough_body), 0);
}

static int all_endless(bool few) {
  static struct test tests[sizeof endless / sizeof *endless + 2];
  unsigned n = 0, count = few ? FEW : sizeof endless / sizeof *endless;
  for (; n < count; n++)
    tests[n] = (struct test){endless[n].words, under_endless};
  tests[n++] = (struct test){"endless_option", under_endless_option};
  if (!few)
    tests[n++] = (struct test){"one that takes long, and asks", takes_its_time};
  return tap_run("policies", tests, n);
}

int main(int argc, char **argv) {
  static struct test tests[(sizeof honest > sizeof hostile ? sizeof honest : sizeof hostile) / sizeof *honest + 3];
  const char *which = argc > 1 ? argv[1] : "";
  bool bad = !strcmp(which, "hostile");
  unsigned n = 0, count = bad ? sizeof hostile / sizeof *hostile : sizeof honest / sizeof *honest;
  unix_begin("t_policies");
  if (!strcmp(which, "endless"))
    return all_endless(argc > 2);
  policies = bad ? hostile : honest;
  each = !strcmp(which, "all") ? 1 : each;
  for (unsigned p = 0; p < PROGRAMS; p++)
    if (run(programs[p], NULL, 0, expected[p]) || !expected[p][0])
      return 1;
  for (; n < count; n++)
    tests[n] = (struct test){policies[n], bad ? under_hostile : under_policy};
  if (bad) {
    tests[n++] = (struct test){"wrong proposals are counted", wrong_counted};
    tests[n++] = (struct test){"more memory than there is", too_wide};
    tests[n++] = (struct test){"two pages at once, of which one always goes", two_at_once};
  }
  return tap_run("policies", tests, n);
}
