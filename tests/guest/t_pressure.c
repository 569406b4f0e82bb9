/* SPDX-License-Identifier: BSD-2-Clause */
/* Programs with fewer frames than pages: whatever becomes of a page that is away, nothing that was written is lost and nothing
 * that was given back is seen again. Booted with several budgets and policies; ":full" with a store of few pages, ":later" with
 * budget=0, ":none" without any. */
#include "unix.h"

#include <pthread.h>
#include <sys/mman.h>

#define SCRATCH 160
static char *scratch; /* pages whose touch drives others out, if the budget is half of them or less */
static uint64_t own_budget;
static uint64_t random_state;

static uint64_t next_random(uint64_t below) {
  random_state = random_state * 6364136223846793005 + 1442695040888963407; /* Knuth, volume 2, 3.3.4 */
  return (random_state >> 33) % below;
}

static void drive_out(void) {
  for (long i = 0; i < SCRATCH; i++)
    *(volatile char *)(scratch + i * PAGE) = 1;
}

/* ---- Every byte ------------------------------------------------------------------------------------------------------------ */
static void churn(char *at, long pages, unsigned steps) {
  unsigned version[64] = {0};
  for (unsigned i = 0; i < steps; i++) {
    long n = (long)next_random((uint64_t)pages);
    char *page = at + n * PAGE;
    MUST(version[n] ? filled(page, PAGE, version[n]) : zero(page, PAGE));
    if (next_random(2))
      fill(page, PAGE, version[n] = i + 1);
  }
  for (long n = 0; n < pages; n++)
    MUST(version[n] ? filled(at + n * PAGE, PAGE, version[n]) : zero(at + n * PAGE, PAGE));
}

static void churn_body(void) {
  static const uint64_t budgets[] = {4, 5, 7, 16, 64};
  char *heap = fresh(40), *mapping = map_pages(40);
  for (unsigned i = 0; i < 5; i++) {
    MUST_EQ(own_budget ? p_policy(0, NULL, budgets[i]) : 0, 0);
    memset(heap, 0, 40 * PAGE);
    random_state = budgets[i];
    churn(heap, 40, 150);
    churn(mapping, 40, 100);
    memset(mapping, 0, 40 * PAGE);
  }
}

static void every_byte(void) {
  uint64_t evicted = own_stats().evicted;
  if (own_stats().budget == 0)
    return;
  exits(begin(churn_body), 0);
  char *at = map_pages(100);
  fill(at, 100 * PAGE, 1);
  CHECK(filled(at, 100 * PAGE, 1));
  CHECK(own_budget > 100 || own_stats().evicted - evicted > 100 - own_budget);
  unmap_pages(at, 100);
}

/* A budget holds at every moment, though what a fork shares does not count. */
static void budget_holds(void) {
  char *at = map_pages(100);
  for (long i = 0; i < 100; i++) {
    at[i * PAGE] = 1;
    struct p_stats s = own_stats();
    CHECK(s.budget == own_budget);
    CHECK(s.peak < 40 + own_budget); /* arguments, and what came before the fork that warmed this up */
  }
  unmap_pages(at, 100);
}

/* ---- The break --------------------------------------------------------------------------------------------------------------- */
static void break_body(void) {
  char *at = fresh(20);
  for (long cut = 0; cut < 20; cut += 3) {
    fill(at, 20 * PAGE, 1);
    drive_out();
    long down = (20 - cut) * PAGE - 100;
    MUST(sbrk(-down) == at + 20 * PAGE);
    MUST(sbrk(down) == at + cut * PAGE + 100);
    MUST(filled(at, cut * PAGE + 100, 1));
    MUST(zero(at + cut * PAGE + 100, down));
  }
}

static void break_away(void) {
  exits(begin(break_body), 0);
}

/* Cut twice while it is away, less the second time; then it goes out and comes back as it was cut. */
static void tail_twice_body(void) {
  char *at = fresh(1);
  fill(at, PAGE, 7);
  drive_out();
  sbrk(-PAGE + 50);
  sbrk(1000);
  sbrk(-500);
  sbrk(PAGE - 550);
  MUST(filled(at, 50, 7) && zero(at + 50, PAGE - 50));
  drive_out();
  MUST(filled(at, 50, 7) && zero(at + 50, PAGE - 50));
  at[PAGE - 1] = 9;
  drive_out();
  MUST(filled(at, 50, 7) && zero(at + 50, PAGE - 51) && at[PAGE - 1] == 9);
}

static void tail_twice(void) {
  exits(begin(tail_twice_body), 0);
}

/* ---- Mappings ---------------------------------------------------------------------------------------------------------------- */
static void unmap_away(void) {
  char *at = map_pages(30);
  fill(at, 30 * PAGE, 2);
  drive_out();
  unmap_pages(at + 10 * PAGE, 10);
  CHECK(mmap(at + 10 * PAGE, 10 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
        at + 10 * PAGE);
  CHECK(filled(at, 10 * PAGE, 2));
  CHECK(zero(at + 10 * PAGE, 10 * PAGE));
  drive_out();
  CHECK(mmap(at, 5 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == at);
  CHECK(zero(at, 5 * PAGE));
  char *copy = map_pages(30);
  fill(copy, 30 * PAGE, 2);
  CHECK(!memcmp(at + 5 * PAGE, copy + 5 * PAGE, 5 * PAGE) && !memcmp(at + 20 * PAGE, copy + 20 * PAGE, 10 * PAGE));
  unmap_pages(copy, 30);
  unmap_pages(at, 30);
}

static void read_given(void) {
  (void)*(volatile char *)given;
}

static void protect_away(void) {
  char *at = map_pages(24);
  fill(at, 24 * PAGE, 3);
  drive_out();
  CHECK(filled(at, 3 * PAGE, 3)); /* some are there, some are not */
  CHECK_EQ(mprotect(at, 24 * PAGE, PROT_NONE), 0);
  dies(begin_on(read_given, (uintptr_t)at + 20 * PAGE), SIGSEGV);
  drive_out();
  CHECK_EQ(mprotect(at, 24 * PAGE, PROT_READ), 0);
  CHECK(filled(at, 24 * PAGE, 3));
  drive_out();
  CHECK_EQ(mprotect(at, 24 * PAGE, PROT_READ | PROT_WRITE), 0);
  CHECK(filled(at, 24 * PAGE, 3));
  fill(at, 24 * PAGE, 4);
  drive_out();
  CHECK(filled(at, 24 * PAGE, 4));
  unmap_pages(at, 24);
}

/* What was read and never written comes again from where it came: zeros, or the file. */
static void clean_pages(void) {
  static char text[3 * PAGE];
  uint64_t written = own_stats().written;
  fill(text, sizeof text, 5);
  int fd = make_file("clean", text, sizeof text);
  char *file = mmap(NULL, sizeof text, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0), *at = map_pages(50);
  CHECK(file != MAP_FAILED);
  for (unsigned round = 0; round < 3; round++) {
    for (long i = 0; i < 50; i++)
      CHECK_EQ(at[i * PAGE], 0);
    CHECK(!memcmp(file, text, sizeof text));
    drive_out();
  }
  file[PAGE] = 1;
  drive_out();
  CHECK(file[PAGE] == 1 && !memcmp(file, text, PAGE));
  CHECK(own_stats().written - written <= 4 * SCRATCH + 60);
  unmap_pages(at, 50), unmap_pages(file, 3);
  close(fd), unlink("clean");
}

/* ---- Fork ------------------------------------------------------------------------------------------------------------------- */
#define SHARED_PAGES 24
static char *shared;

static void child_body(void) {
  MUST(filled(shared, SHARED_PAGES * PAGE, 6));
  for (unsigned seed = 0; seed < 2; seed++) {
    fill(shared, SHARED_PAGES * PAGE, (unsigned)given + seed);
    drive_out();
    MUST(filled(shared, SHARED_PAGES * PAGE, (unsigned)given + seed));
  }
  _exit(own_stats().budget == own_budget ? 0 : 5);
}

static void both_write(void) {
  shared = map_pages(SHARED_PAGES);
  fill(shared, SHARED_PAGES * PAGE, 6);
  drive_out();
  CHECK(filled(shared, 4 * PAGE, 6)); /* these are there and clean, the others away */
  pid_t pid = begin_on(child_body, 100);
  fill(shared + 2 * PAGE, (SHARED_PAGES - 2) * PAGE, 8);
  drive_out();
  CHECK(filled(shared + 2 * PAGE, (SHARED_PAGES - 2) * PAGE, 8));
  CHECK(filled(shared, 2 * PAGE, 6));
  exits(pid, 0);
  CHECK(filled(shared + 2 * PAGE, (SHARED_PAGES - 2) * PAGE, 8));
  unmap_pages(shared, SHARED_PAGES);
}

static void twenty_children(void) {
  pid_t pid[20];
  shared = map_pages(SHARED_PAGES);
  fill(shared, SHARED_PAGES * PAGE, 6);
  drive_out();
  for (unsigned i = 0; i < 20; i++)
    pid[i] = begin_on(child_body, 10 + 3 * i);
  for (unsigned i = 0; i < 20; i++)
    exits(pid[i], 0);
  CHECK(filled(shared, SHARED_PAGES * PAGE, 6));
  unmap_pages(shared, SHARED_PAGES);
}

/* What a generation leaves, the next one finds, whoever has gone meanwhile. */
static void generations_body(void) {
  for (unsigned i = 0; i < 8; i++) {
    MUST(filled(shared, SHARED_PAGES * PAGE, i ? 50 + i - 1 : 6));
    fill(shared, SHARED_PAGES * PAGE, 50 + i);
    if (i % 2)
      drive_out();
    pid_t pid = fork();
    MUST(pid >= 0);
    if (pid) {
      int status;
      MUST_EQ(waitpid(pid, &status, 0), pid);
      _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 9);
    }
  }
}

static void generations(void) {
  shared = map_pages(SHARED_PAGES);
  fill(shared, SHARED_PAGES * PAGE, 6);
  exits(begin(generations_body), 0);
  CHECK(filled(shared, SHARED_PAGES * PAGE, 6));
  unmap_pages(shared, SHARED_PAGES);
}

/* ---- Exec and the end --------------------------------------------------------------------------------------------------------- */
/* As much as may be passed: nine pages of strings, which the server and the pager must see at once or in pieces. */
static void exec_body(void) {
  char *large = fresh(8);
  memset(large, 'x', 30000);
  large[30000] = 0;
  drive_out();
  execl(own_program, "t_pressure", "exec", large, NULL);
}

static int after_exec(char *argument) {
  char *at = fresh(30);
  fill(at, 30 * PAGE, 1);
  return !(strspn(argument, "x") == 30000 && !argument[30000] && filled(at, 30 * PAGE, 1));
}

static void exec_away(void) {
  exits(begin(exec_body), 0);
}

static void exit_body(void) {
  fill(map_pages(30), 30 * PAGE, 1);
  drive_out();
}

static void exit_away(void) {
  for (unsigned i = 0; i < 5; i++)
    exits(begin(exit_body), 0);
}

static struct gate busy;

static void churn_for_ever(void) {
  char *at = map_pages(40);
  gate_open(&busy);
  for (;;) {
    memset(at, 0, 40 * PAGE);
    churn(at, 40, 100);
  }
}

/* So many times, each a moment later in what it does. */
static void kill_again_and_again(body *run, unsigned times, useconds_t first, useconds_t step) {
  gate_make(&busy);
  for (unsigned i = 0; i < times; i++) {
    pid_t pid = begin(run);
    gate_pass(&busy);
    usleep(first + i * step);
    kill(pid, SIGKILL);
    dies(pid, SIGKILL);
  }
  gate_close(&busy);
}

static void kill_while_pages_move(void) {
  kill_again_and_again(churn_for_ever, 10, 2000, 777);
}

/* ---- System calls whose buffers are away ------------------------------------------------------------------------------------- */
static void calls_away(void) {
  char *at = map_pages(20);
  strcpy(at + PAGE - 3, "away"); /* across two pages */
  drive_out();
  int fd = open(at + PAGE - 3, O_RDWR | O_CREAT | O_TRUNC, 0644);
  CHECK(fd >= 0);
  fill(at + 2 * PAGE, 10 * PAGE, 1);
  drive_out();
  CHECK_EQ(write(fd, at + 2 * PAGE, 10 * PAGE), 10 * PAGE);
  fill(at + 2 * PAGE, 10 * PAGE, 2);
  drive_out();
  CHECK_EQ(pread(fd, at + 2 * PAGE + 7, 10 * PAGE - 7, 0), 10 * PAGE - 7);
  drive_out();
  char *copy = map_pages(10);
  fill(copy, 10 * PAGE, 1);
  CHECK(!memcmp(at + 2 * PAGE + 7, copy, 10 * PAGE - 7));
  CHECK_EQ(write(fd, copy, PAGE), PAGE); /* which has come back, and is clean */
  CHECK(filled(copy, PAGE, 1));
  drive_out();
  CHECK_EQ(unlink(at + PAGE - 3), 0);
  close(fd);
  unmap_pages(copy, 10), unmap_pages(at, 20);
}

static void write_given(void) {
  MUST_EQ(write((int)given, shared, 8 * PAGE), 8 * PAGE);
}

/* Both sides' pages go while it is done. */
static void pipe_away(void) {
  int fd[2];
  shared = map_pages(8);
  fill(shared, 8 * PAGE, 1);
  CHECK_EQ(pipe(fd), 0);
  drive_out();
  pid_t pid = begin_on(write_given, (uintptr_t)fd[1]);
  char *at = map_pages(8);
  for (long got = 0; got < 8 * PAGE; drive_out()) {
    ssize_t n = read(fd[0], at + got, (size_t)(8 * PAGE - got));
    MUST(n > 0);
    got += n;
  }
  CHECK(filled(at, 8 * PAGE, 1));
  exits(pid, 0);
  close(fd[0]), close(fd[1]);
  unmap_pages(at, 8), unmap_pages(shared, 8);
}

/* As much as a pipe holds at once, which lies in a page more than the fewest frames. */
#define FULL (4 * PAGE)
static void write_full(void) {
  int fd = (int)given;
  char *at = map_pages(5) + 7;
  fill(at, FULL, 2);
  drive_out();
  MUST_EQ(write(fd, at, FULL), FULL); /* into the pipe */
  MUST_EQ(write(fd, at, FULL), FULL); /* or to who reads meanwhile */
}

static void pipe_full(void) {
  int fd[2];
  char *at = map_pages(5) + 7, *copy = map_pages(4);
  fill(copy, FULL, 2);
  CHECK_EQ(pipe(fd), 0);
  pid_t pid = begin_on(write_full, (uintptr_t)fd[1]);
  for (unsigned i = 0; i < 2; i++) {
    memset(at, 0, FULL);
    drive_out();
    for (long got = 0, n; got < FULL; got += n)
      MUST((n = read(fd[0], at + got, (size_t)(FULL - got))) > 0);
    MUST(!memcmp(at, copy, FULL));
  }
  exits(pid, 0);
  close(fd[0]), close(fd[1]);
  unmap_pages(at - 7, 5), unmap_pages(copy, 4);
}

/* The pager's own requests, too, which want all of their buffer at once. */
static void trace_away(void) {
  static struct p_trace trace[P_TRACE_RING];
  uint64_t lost = 0;
  CHECK_EQ(p_trace_ring(P_TRACE_START, (uint64_t)getpid(), NULL, 0, NULL), 0);
  drive_out();
  drive_out();
  CHECK_EQ(p_trace_ring(P_TRACE_STOP, 0, NULL, 0, NULL), 0);
  int64_t got = p_trace_ring(P_TRACE_READ, 0, trace, P_TRACE_RING, &lost);
  CHECK(own_budget > SCRATCH / 2 ? got >= 0 : got > P_TRACE_RING / 8);
  for (int64_t i = 0; i < got; i++)
    CHECK(trace[i].id == (uint64_t)getpid() && !trace[i].answer);
}

/* Words that the program itself does not look at. */
static int64_t policy_at(const char *words, uint64_t bytes) {
  struct q_call c = {.label = P_policy, .read = words, .read_bytes = bytes};
  MUST_EQ(q_call(P_HANDLE_PAGER, &c), 0);
  return -(int64_t)c.label;
}

static void bad_pointers(void) {
  char *at = map_pages(4);
  int fd = make_file("bad", "0123456789", 10);
  fill(at, 4 * PAGE, 1);
  drive_out();
  unmap_pages(at + 2 * PAGE, 2);
  FAILS(pread(fd, at + 2 * PAGE, 10, 0), EFAULT);
  FAILS(pread(fd, at + 3 * PAGE - 5, 10, 0), EFAULT);
  FAILS(open(at + 2 * PAGE, O_RDONLY), EFAULT);
  CHECK_EQ(policy_at(at + 3 * PAGE, 4), -EFAULT);
  CHECK_EQ(mprotect(at, PAGE, PROT_READ), 0);
  FAILS(pread(fd, at, 10, 0), EFAULT); /* away or not, it is read-only */
  drive_out();
  FAILS(pread(fd, at, 10, 0), EFAULT);
  CHECK(filled(at, 2 * PAGE, 1));
  unmap_pages(at, 2);
  close(fd), unlink("bad");
}

/* ---- Threads ------------------------------------------------------------------------------------------------------------------ */
#define THREADS 6
#define THREAD_PAGES 30
static char *common;
static unsigned long wrong;
static pthread_barrier_t start;

static bool threads_share; /* with a child, again and again, whose end leaves the pages to them */

static unsigned long fork_once(void) {
  int status = 1;
  pid_t pid = fork();
  if (!pid)
    _exit(0);
  return pid < 0 || waitpid(pid, &status, 0) != pid || status;
}

/* All fault on the same page at once, each has a word of it. */
static void *touch_all(void *argument) {
  unsigned long own = (unsigned long)argument, bad = 0;
  for (unsigned long round = 0; round < 20; round++) {
    pthread_barrier_wait(&start);
    if (threads_share && own == round % THREADS)
      bad += fork_once();
    for (long i = 0; i < THREAD_PAGES; i++) {
      volatile unsigned long *word = (unsigned long *)(common + i * PAGE) + own * 8;
      bad += *word != round * (unsigned long)(i + 1);
      *word = (round + 1) * (unsigned long)(i + 1);
    }
  }
  __atomic_fetch_add(&wrong, bad, __ATOMIC_RELAXED);
  return NULL;
}

static void threads_body(void) {
  pthread_t thread[THREADS];
  common = map_pages(THREAD_PAGES);
  MUST_EQ(pthread_barrier_init(&start, NULL, THREADS), 0);
  for (unsigned long i = 0; i < THREADS; i++)
    MUST_EQ(pthread_create(&thread[i], NULL, touch_all, (void *)i), 0);
  for (unsigned i = 0; i < THREADS; i++)
    MUST_EQ(pthread_join(thread[i], NULL), 0);
  MUST_EQ(wrong, 0);
}

static void threads_at_once(void) {
  for (unsigned i = 0; i < 3; i++)
    exits(begin(threads_body), 0);
}

static void threads_sharing(void) {
  threads_share = true;
  threads_at_once();
  threads_share = false;
}

/* While some write, others fork, and give pages back. */
static void *fork_some(void *argument) {
  unsigned long own = (unsigned long)argument;
  for (unsigned i = 0; i < 10; i++) {
    char *at = map_pages(3);
    fill(at, 3 * PAGE, (unsigned)own);
    pid_t pid = fork();
    if (!pid)
      _exit(filled(at, 3 * PAGE, (unsigned)own) ? 3 : 4);
    int status = 0;
    bool good = pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 3;
    good = good && filled(at, 3 * PAGE, (unsigned)own);
    unmap_pages(at, 3);
    if (!good)
      __atomic_fetch_add(&wrong, 1, __ATOMIC_RELAXED);
  }
  return NULL;
}

static void forking_threads_body(void) {
  pthread_t thread[4];
  for (unsigned long i = 0; i < 4; i++)
    MUST_EQ(pthread_create(&thread[i], NULL, fork_some, (void *)(i + 20)), 0);
  for (unsigned i = 0; i < 4; i++)
    MUST_EQ(pthread_join(thread[i], NULL), 0);
  MUST_EQ(wrong, 0);
}

static void threads_fork(void) {
  exits(begin(forking_threads_body), 0);
}

/* Ended from outside, amid everything. */
static void threads_for_ever(void) {
  gate_open(&busy);
  for (;;)
    threads_body(), wrong = 0;
}

static void threads_killed(void) {
  kill_again_and_again(threads_for_ever, 6, 3000, 1777);
}

/* ---- The request ------------------------------------------------------------------------------------------------------------- */
static void request_errors(void) {
  char words[100];
  CHECK_EQ(p_policy(0, "nothing", 0), -EINVAL);
  CHECK_EQ(p_policy(0, "fifo,1", 0), -EINVAL);
  CHECK_EQ(p_policy(0, "fifo+", 0), -EINVAL);
  CHECK_EQ(p_policy(0, "window,5+fifo", 0), -EINVAL);
  memset(words, 'x', sizeof words);
  words[P_POLICY_MAX] = 0;
  CHECK_EQ(p_policy(0, words, 0), -EINVAL);
  words[P_POLICY_MAX - 1] = 0;
  CHECK_EQ(p_policy(0, words, 0), -EINVAL);
  CHECK_EQ(p_policy(0, "demand", 4), -EINVAL); /* what is to go? */
  CHECK_EQ(p_policy(0, "fifo", 3), -EINVAL);
  CHECK_EQ(p_policy(0, "fifo", 65537), -EINVAL);
  CHECK_EQ(p_policy(0, "fifo", UINT64_MAX), -EINVAL);
  CHECK_EQ(p_policy(0, "fifo", 1ul << 32 | 4), -EINVAL);
  CHECK_EQ(p_policy(99999, "fifo", 8), -ESRCH);
  CHECK_EQ(p_policy(UINT64_MAX, "fifo", 8), -ESRCH);
  CHECK_EQ(p_policy(own_stats().parent, "fifo", 8), -EPERM); /* the server */
  CHECK_EQ(policy_at((const char *)8, 4), -EFAULT);
  CHECK_EQ(policy_at((const char *)8, P_POLICY_MAX), -EINVAL);
  CHECK_EQ(own_stats().budget, own_budget);
}

/* What is wrong comes where there is room for it, which may have to come itself. */
static void request_told(void) {
  static const struct {
    const char *words;
    uint64_t pages;
    const char *wrong;
  } wrongs[] = {{"fifo+nothing,1", 8, "'nothing' is no policy"},
                {"window,5+fifo", 8, "the option of 'window,5' is not understood: write window[,PAGES] "},
                {"fifo,1", 8, "the option of 'fifo,1' is not understood: write fifo"},
                {"clock+window+fifo", 8, "'clock' and 'fifo' both say what goes: write one of them"},
                {"largest", 8, "only by the boot option policy="},
                {"demand", 8, "none of these words says what goes"},
                {"fifo", 3, "PAGES is not 4 to 65536"},
                {"fifofifofifofifofifofifofifofifofifofifofifofifo", 8, "longer than 47 characters"}};
  char *at = map_pages(1);
  for (unsigned i = 0; i < sizeof wrongs / sizeof *wrongs; i++) {
    CHECK_EQ(p_policy_told(0, wrongs[i].words, wrongs[i].pages, at), -EINVAL);
    CHECK(strstr(at, wrongs[i].wrong));
  }
  unmap_pages(at, 1);
  CHECK_EQ(p_policy_told(0, "nothing", 8, (char *)8), -EFAULT);
  CHECK_EQ(own_stats().budget, own_budget);
}

/* It has the same budget, or what is away would be lost to it. */
static void check_child(char *at, uint64_t budget, unsigned seed) {
  pid_t pid = fork();
  if (!pid)
    _exit(own_stats().budget == budget && filled(at, 50 * PAGE, seed) ? 0 : 1);
  MUST_EQ(status_of(pid), 0);
}

static void changes_body(void) {
  static const struct {
    const char *words;
    uint64_t pages;
  } step[] = {{"fifo", 4},  {"clock", 0}, {NULL, 30}, {"fifo", 0},         {"clock", 64},
              {"fifo", 5},  {NULL, 4},    {NULL, 4},  {"clock+demand", 9}, {"window,4+fifo", 1000},
              {"clock", 4}, {"fifo", 16}};
  char *at = fresh(50);
  uint64_t budget = own_budget;
  fill(at, 50 * PAGE, 0);
  for (unsigned i = 0; i < sizeof step / sizeof *step; i++) {
    MUST_EQ(p_policy(0, step[i].words, step[i].pages), 0);
    budget = step[i].pages ? step[i].pages : budget;
    MUST_EQ(own_stats().budget, budget);
    MUST(filled(at, 50 * PAGE, i));
    fill(at, 50 * PAGE, i + 1);
    check_child(at, budget, i + 1);
  }
}

static void changes(void) {
  exits(begin(changes_body), 0);
}

/* A sibling may do it, at any moment. */
static void change_another(void) {
  gate_make(&busy);
  pid_t pid = begin(churn_for_ever);
  gate_pass(&busy);
  struct p_stats s;
  for (unsigned i = 0; i < 40; i++) {
    CHECK_EQ(p_policy((uint64_t)pid, i % 3 ? "clock" : "fifo", 4 + i * 7 % 30), 0);
    CHECK_EQ(p_stats_of((uint64_t)pid, &s), 0);
    CHECK_EQ(s.budget, 4 + i * 7 % 30);
    usleep(500);
  }
  CHECK_EQ(waitpid(pid, NULL, WNOHANG), 0);
  kill(pid, SIGKILL);
  dies(pid, SIGKILL);
  CHECK_EQ(p_policy((uint64_t)pid, "fifo", 4), -ESRCH);
  gate_close(&busy);
}

/* A program that writes all the time while others change it. */
static void *change_much(void *argument) {
  for (unsigned i = 0; i < 60; i++)
    if (p_policy(0, i % 2 ? "clock" : "fifo", 4 + i % 23))
      wrong++;
  return argument;
}

static void changes_beside_body(void) {
  pthread_t changer;
  MUST_EQ(pthread_create(&changer, NULL, change_much, NULL), 0);
  char *at = map_pages(40);
  churn(at, 40, 300);
  MUST_EQ(pthread_join(changer, NULL), 0);
  MUST_EQ(wrong, 0);
}

static void changes_beside(void) {
  exits(begin(changes_beside_body), 0);
}

/* Last: what was chosen stays on the list. */
static void too_many_words(void) {
  char words[P_POLICY_MAX];
  struct p_system system;
  CHECK_EQ(p_system_stats(0, &system), 0);
  int64_t error = p_policy(0, system.policy, 0);
  CHECK_EQ(error, 0);
  for (unsigned i = 0; i < 81 && !error; i++) {
    snprintf(words, sizeof words, "aging,%u", i + 1);
    error = p_policy(0, words, 0);
  }
  CHECK_EQ(error, -ENFILE);
  CHECK_EQ(p_policy(0, "fifo", 0), 0);
  CHECK_EQ(p_policy(0, words, 0), -ENFILE);
  CHECK_EQ(p_policy(0, system.policy, 0), 0); /* the boot's may keep something of this program */
}

/* ---- Exactly what it would evict ----------------------------------------------------------------------------------------------- */
#define STRING(...)                                                                                                  \
  {                                                                                                                  \
    sizeof((uint8_t[]){__VA_ARGS__}), {                                                                              \
      __VA_ARGS__                                                                                                    \
    }                                                                                                                \
  }
struct string {
  size_t count;
  uint8_t page[24];
};
static const struct string none = {0, {0}};
static const struct string belady = STRING(1, 2, 3, 4, 1, 2, 5, 1, 2, 3, 4, 5);
static const struct string silberschatz = STRING(7, 0, 1, 2, 0, 3, 0, 4, 2, 3, 0, 3, 2, 1, 2, 0, 1, 7, 0, 1);
static const struct string textbook = STRING(1, 2, 3, 4, 2, 1, 5, 6, 2, 1, 2, 3, 7, 6, 3, 2, 1, 2, 3, 6);

/* Registers only, so that it refers to nothing else that could be evicted. Before and after the string twice as many pages as
 * there are frames, so that nothing else is there, and nothing of the string remains. */
static __attribute__((noinline)) void refer(const struct string *string, volatile char *pages, volatile char *others,
                                            bool write) {
  for (unsigned i = 0; i < 16; i++)
    (void)others[i * PAGE];
  for (size_t i = 0; i < string->count; i++) {
    volatile char *page = pages + string->page[i] * PAGE;
    write ? (void)(*page = 1) : (void)*page;
  }
  for (unsigned i = 16; i < 32; i++)
    (void)others[i * PAGE];
}

static struct p_stats refer_once(const struct string *string, char *pages, bool write) {
  char *others = map_pages(32);
  struct p_stats before = own_stats();
  refer(string, pages, others, write);
  struct p_stats after = own_stats();
  unmap_pages(others, 32);
  for (unsigned i = 0; i < 3; i++)
    after.faults[i] -= before.faults[i];
  after.evicted -= before.evicted;
  after.written -= before.written;
  after.refaults -= before.refaults;
  return after;
}

static uint64_t total(const struct p_stats *s) {
  return s->faults[0] + s->faults[1] + s->faults[2];
}

/* Against the same without the string, which has all other faults, too. The pages are clean at first. */
static void exact_of(const struct string *string, char *pages, bool write, uint64_t faults) {
  uint64_t distinct = 0;
  for (unsigned page = 0; page < 8; page++)
    distinct += memchr(string->page, (int)page, string->count) != NULL;
  refer_once(&none, pages, write); /* so that both begin with the same pages */
  struct p_stats with = refer_once(string, pages, write), without = refer_once(&none, pages, write);
  MUST_EQ(total(&with) - total(&without), faults);
  MUST_EQ(with.evicted - without.evicted, faults);
  MUST_EQ(with.written - without.written, write ? faults : 0);
  MUST_EQ(with.refaults - without.refaults, write ? faults - distinct : 0);
}

static void exact(const struct string *string, uint64_t frames, uint64_t faults) {
  MUST_EQ(p_policy(0, "fifo", frames), 0);
  for (int write = 0; write < 2; write++) {
    char *pages = map_pages(8);
    exact_of(string, pages, write, faults);
    unmap_pages(pages, 8);
  }
}

static void exact_body(void) {
  exact(&belady, 4, 10);
  exact(&belady, 5, 5);
  exact(&silberschatz, 4, 10);
  exact(&textbook, 4, 14);
  exact(&textbook, 5, 10);
  exact(&textbook, 6, 10);
  exact(&textbook, 7, 7);
}

static void exact_strings(void) {
  exits(begin(exact_body), 0);
}

/* Data of the program's file, which differs on each page. Nobody touches it but children, each for the first time. */
#define CONTENT(page) [(page)*PAGE...((page) + 1) * PAGE - 1] = 'a' + (page)
static char image[8 * PAGE] __attribute__((aligned(PAGE))) = {CONTENT(0), CONTENT(1), CONTENT(2), CONTENT(3),
                                                              CONTENT(4), CONTENT(5), CONTENT(6), CONTENT(7)};

static void check_image(const struct string *string, bool written) {
  for (long i = 0; i < 8 * PAGE; i++) {
    bool first = i % PAGE == 0 && memchr(string->page, (int)(i / PAGE), string->count);
    MUST_EQ(image[i], written && first ? 1 : 'a' + i / PAGE);
  }
}

/* Read only, none is ever written: they come from the file again, each time. Once written they are as any other page. */
static void image_body(void) {
  const struct string *string = given ? &textbook : &belady;
  MUST_EQ(p_policy(0, "fifo", 4), 0);
  for (int write = 0; write < 2; write++) {
    exact_of(string, image, write, given ? 14 : 10);
    check_image(string, write);
  }
}

static void image_pages(void) {
  drive_out(); /* those that an eager policy has brought */
  exits(begin_on(image_body, false), 0);
  exits(begin_on(image_body, true), 0);
}

/* wsclock writes several pages for one that goes. */
static void ahead_of_need_body(void) {
  char *at = map_pages(40);
  uint64_t most = 0;
  MUST_EQ(p_policy(0, "wsclock,1", 24), 0);
  struct p_stats before = own_stats();
  for (unsigned i = 0; i < 200; i++) {
    fill(at + i % 40 * PAGE, PAGE, i + 1);
    struct p_stats now = own_stats();
    uint64_t written = now.written - before.written, evicted = now.evicted - before.evicted;
    most = written > evicted && written - evicted > most ? written - evicted : most;
  }
  MUST(most >= 3);
  for (unsigned i = 0; i < 40; i++)
    MUST(filled(at + i * PAGE, PAGE, i + 161));
}

static void ahead_of_need(void) {
  exits(begin(ahead_of_need_body), 0);
}

/* ---- A store that is full ------------------------------------------------------------------------------------------------------ */
static void fill_store(void) {
  char *at = map_pages(60);
  fill(at, 60 * PAGE, 1);
}

static void full_store(void) {
  char *at = map_pages(3);
  fill(at, 3 * PAGE, 9);
  for (unsigned i = 0; i < 30; i++) {
    struct p_death death = {0};
    pid_t pid = begin(fill_store);
    CHECK_EQ(px_wait((uint64_t)pid, 0, &death), pid);
    CHECK_EQ(death.reason, P_REASON_FULL);
    CHECK(filled(at, 3 * PAGE, 9));
  }
  unmap_pages(at, 3);
}

static void read_much(void) {
  volatile char *at = map_pages(200);
  for (long i = 0; i < 200; i++)
    MUST_EQ(at[i * PAGE], 0);
}

/* With a budget above what there is, one's own page makes place for the next. */
static void take_all(void) {
  MUST_EQ(p_policy(0, NULL, 65536), 0);
  uint64_t evicted = own_stats().evicted;
  char *first = map_pages(60000);
  for (char *at = first; own_stats().evicted == evicted; at += PAGE)
    *at = 1;
  MUST(own_stats().resident < 60000 && *first == 1);
}

static void short_of_frames(void) {
  char *at = map_pages(40);
  fill(at, 40 * PAGE, 1);
  for (unsigned i = 0; i < 3; i++) {
    exits(begin(take_all), 0);
    CHECK(filled(at, 40 * PAGE, 1));
  }
  unmap_pages(at, 40);
}

/* Where nothing can be written there still is what need not be. */
static void full_but_clean(void) {
  exits(begin(read_much), 0);
}

static void few_dirty_body(void) {
  char *at = map_pages(12);
  uint64_t written = own_stats().written;
  MUST_EQ(p_policy(0, NULL, 9), 0);
  for (unsigned i = 0; i < 20; i++) {
    fill(at, 12 * PAGE, i);
    MUST(filled(at, 12 * PAGE, i));
  }
  MUST(own_stats().written > written);
}

/* Slots that were given back are there again: as many pages as just fit, many times. */
static void slots_come_back(void) {
  for (unsigned i = 0; i < 30; i++)
    exits(begin(few_dirty_body), 0);
}

/* ---- No budget at boot, or none at all ---------------------------------------------------------------------------------------- */
static void later_body(void) {
  char *at = fresh(40), *mapping = map_pages(30);
  int fd = make_file("later", "", 0);
  MUST_EQ(ftruncate(fd, 10 * PAGE), 0);
  char *file = mmap(NULL, 10 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  MUST(file != MAP_FAILED && zero(file, 10 * PAGE));
  fill(at, 40 * PAGE, 1), fill(mapping, 30 * PAGE, 2), fill(file, 5 * PAGE, 3);
  MUST_EQ(own_stats().budget, 0);
  MUST_EQ(p_policy(0, "fifo", (uint64_t)given), 0);
  MUST_EQ(own_stats().budget, given);
  MUST(filled(at, 40 * PAGE, 1) && filled(mapping, 30 * PAGE, 2));
  MUST(filled(file, 5 * PAGE, 3) && zero(file + 5 * PAGE, 5 * PAGE));
  MUST(own_stats().resident < given + 10); /* arguments */
  own_budget = given;
  drive_out();
  MUST_EQ(own_stats().budget, given);
  pid_t pid = fork();
  bool good = own_stats().budget == given && filled(at, 40 * PAGE, 1) && filled(mapping, 30 * PAGE, 2);
  if (!pid)
    _exit(good ? 0 : 3);
  MUST(good);
  MUST_EQ(status_of(pid), 0);
  fill(file, 10 * PAGE, 4);
  char buffer[100];
  MUST(pread(fd, buffer, sizeof buffer, 5 * PAGE) == sizeof buffer && zero(buffer, sizeof buffer));
  close(fd), unlink("later");
}

static void given_later(void) {
  exits(begin_on(later_body, 4), 0);
  exits(begin_on(later_body, 32), 0);
}

/* It gets one at any moment of its first touches, by one thread or by several, which write all that they touch. */
#define AMID 300
static char *amid;

static void *touch_first(void *argument) {
  char *at = amid + (uintptr_t)argument * AMID * PAGE;
  for (long i = 0; i < AMID; i++)
    at[i * PAGE] = (char)(i + 1);
  return argument;
}

static void amid_body(void) {
  pthread_t thread[4];
  uint64_t resident = own_stats().resident;
  amid = fresh((long)given * AMID);
  gate_open(&busy);
  for (uintptr_t i = 1; i < given; i++)
    MUST_EQ(pthread_create(&thread[i], NULL, touch_first, (void *)i), 0);
  touch_first(NULL);
  for (uintptr_t i = 1; i < given; i++)
    MUST_EQ(pthread_join(thread[i], NULL), 0);
  while (own_stats().budget != 8)
    sched_yield();
  for (long i = 0; i < (long)given * AMID; i++)
    MUST_EQ(amid[i * PAGE], (char)(i % AMID + 1));
  MUST(own_stats().resident <= resident + 8);
}

static void given_amid(void) {
  gate_make(&busy);
  for (unsigned i = 0; i < 24; i++) {
    pid_t pid = begin_on(amid_body, i % 2 ? 4 : 1);
    gate_pass(&busy);
    usleep(i * 97 % 1500);
    CHECK_EQ(p_policy((uint64_t)pid, i % 3 ? "clock" : "window,4+fifo", 8), 0);
    exits(pid, 0);
  }
  gate_close(&busy);
}

/* Pages that a region shows of an object of its own, which PROT_NONE has made, are read-only until they are copied: to whom the
 * object is shown later sees what it held. */
static void parked_body(void) {
  char *at = map_pages(6);
  fill(at, 6 * PAGE, 1);
  MUST_EQ(mprotect(at, 6 * PAGE, PROT_NONE), 0);
  MUST_EQ(mprotect(at, 6 * PAGE, PROT_READ | PROT_WRITE), 0);
  MUST(filled(at, 6 * PAGE, 1));
  struct p_stats before = own_stats();
  MUST_EQ(p_policy(0, "fifo", 30), 0);
  struct p_stats after = own_stats();
  MUST_EQ(before.shared, after.shared);
  fill(at, 6 * PAGE, 2);
  MUST(own_stats().resident >= after.resident + 6); /* each was copied */
  MUST(filled(at, 6 * PAGE, 2));
}

static void parked(void) {
  char byte;
  exits(begin_on(parked_body, (uintptr_t)&byte), 0);
}

/* Shared since a fork when its child gets a budget, or it itself. */
static void sharer_body(void) {
  struct gate *gates = (struct gate *)given;
  gate_pass(&gates[0]);
  MUST(filled(shared, SHARED_PAGES * PAGE, 6));
  fill(shared, SHARED_PAGES * PAGE, 7);
  MUST(filled(shared, SHARED_PAGES * PAGE, 7));
}

static void shared_when_given_body(void) {
  struct gate gates[1];
  gate_make(gates);
  for (unsigned i = 0; i < 2; i++) {
    shared = map_pages(SHARED_PAGES);
    fill(shared, SHARED_PAGES * PAGE, 6);
    pid_t pid = begin_on(sharer_body, (uintptr_t)gates);
    MUST_EQ(p_policy(i ? 0 : (uint64_t)pid, "clock", 6), 0);
    gate_open(gates);
    MUST_EQ(status_of(pid), 0);
    MUST(filled(shared, SHARED_PAGES * PAGE, 6));
    fill(shared, SHARED_PAGES * PAGE, 8);
    MUST(filled(shared, SHARED_PAGES * PAGE, 8));
    unmap_pages(shared, SHARED_PAGES);
  }
}

static void shared_when_given(void) {
  exits(begin(shared_when_given_body), 0);
}

static void none_possible(void) {
  CHECK_EQ(p_policy(0, "fifo", 8), -ENOTSUP);
  CHECK_EQ(p_policy(0, "demand", 8), -EINVAL);
  CHECK_EQ(p_policy(0, "window,4+fifo", 0), -EINVAL); /* nothing would go */
  CHECK_EQ(p_policy(0, "pff", 0), -EINVAL);
  CHECK_EQ(p_policy(0, "window,4", 0), 0);
  CHECK_EQ(p_policy(0, NULL, 0), 0);
  CHECK_EQ(p_policy(0, NULL, 8), -EINVAL);
  CHECK_EQ(p_policy(0, "demand", 0), 0);
  CHECK_EQ(own_stats().budget, 0);
}

static const struct test tests[] = {
    {"every byte written is read back", every_byte},
    {"a budget holds", budget_holds},
    {"what sbrk gave back reads zero, though it was away", break_away},
    {"a page cut twice while it is away", tail_twice},
    {"munmap of pages that are away, mmap over them", unmap_away},
    {"PROT_NONE over pages that are away", protect_away},
    {"what was never written", clean_pages},
    {"fork with pages away: both write", both_write},
    {"fork with pages away: twenty children", twenty_children},
    {"fork with pages away: eight generations", generations},
    {"exec with more arguments than there are frames", exec_away},
    {"exit with pages away", exit_away},
    {"kill while pages move", kill_while_pages_move},
    {"files: buffers and paths that are away", calls_away},
    {"pipes: both buffers are away", pipe_away},
    {"pipes: as much as one holds, and more than there are frames", pipe_full},
    {"a request to the pager with a buffer of several pages", trace_away},
    {"bad pointers beside pages that are away", bad_pointers},
    {"threads fault on one page that is away at once", threads_at_once},
    {"threads write what a child has left to them", threads_sharing},
    {"threads that fork", threads_fork},
    {"threads killed while their pages move", threads_killed},
    {"policy: bad requests", request_errors},
    {"policy: what is wrong with a request", request_told},
    {"policy: another one and another budget", changes},
    {"policy: of another program", change_another},
    {"policy: while another thread writes", changes_beside},
    {"exactly FIFO's evictions", exact_strings},
    {"pages of the program's file that are not written never go to the store", image_pages},
    {"pages written before they have to go", ahead_of_need},
    {"policy: too many words", too_many_words},
};
static const struct test short_of[] = {{"no frame is free, and the budget not used up", short_of_frames}};
static const struct test full[] = {
    {"a full store ends who wants more", full_store},
    {"a full store and pages that were only read", full_but_clean},
    {"slots come back", slots_come_back},
    {"a full store again", full_store},
};
static const struct test later[] = {
    {"a budget for a program that runs", given_later},
    {"a budget for a program amid its faults", given_amid},
    {"a budget for a program with pages that PROT_NONE had taken", parked},
    {"a budget for one of two that share", shared_when_given},
};
static const struct test nothing[] = {{"without the boot option", none_possible}};

int main(int argc, char **argv) {
  const char *which = argc > 1 ? argv[1] : "";
  if (!strcmp(which, "exec"))
    return after_exec(argv[2]);
  unix_begin("t_pressure");
  own_budget = own_stats().budget;
  scratch = fresh(SCRATCH); /* where a page table always is */
  if (!strcmp(which, "full"))
    return TAP_RUN("pressure_full", full);
  if (!strcmp(which, "short"))
    return TAP_RUN("pressure_short", short_of);
  if (!strcmp(which, "later"))
    return TAP_RUN("pressure_later", later);
  return *which ? TAP_RUN("pressure_none", nothing) : TAP_RUN("pressure", tests);
}
