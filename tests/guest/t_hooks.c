/* SPDX-License-Identifier: BSD-2-Clause */
/* Hooks of policies that have to do with whole programs: advice, admission, pressure, figures. Booted with several policies, and with
 * an argument for each of these. */
#include "unix.h"

#include <spawn.h>
#include <sys/mman.h>

/* So many times a budget of 32. */
static void drive_out(void) {
  char *scratch = map_pages(100);
  for (long i = 0; i < 100; i++)
    *(volatile char *)(scratch + i * PAGE) = 1;
  unmap_pages(scratch, 100);
}

static uint64_t faults(void) {
  struct p_stats s = own_stats();
  return s.faults[0] + s.faults[1] + s.faults[2];
}

static bool has_word(const char *word) {
  struct p_figures f;
  return !p_figures_of(0, &f) && strstr(f.words, word);
}

/* ---- Advice: what it must not do, and what it does -------------------------------------------------------------------------- */
static void advice_errors(void) {
  char *at = map_pages(9);
  fill(at, 9 * PAGE, 1);
  FAILS(madvise(at + 1, PAGE, MADV_DONTNEED), EINVAL);
  FAILS(madvise(at, PAGE, 5), EINVAL);
  FAILS(madvise(at, PAGE, -1), EINVAL);
  FAILS(madvise(at, PAGE, 1 << 30), EINVAL);
  FAILS(madvise(at, (size_t)-PAGE, MADV_DONTNEED), ENOMEM);
  FAILS(madvise(at, SIZE_MAX, MADV_DONTNEED), ENOMEM);
  FAILS(madvise((void *)(Q_USER_TOP - PAGE), PAGE, MADV_WILLNEED), ENOMEM);
  FAILS(madvise((void *)Q_USER_TOP, PAGE, MADV_WILLNEED), ENOMEM);
  FAILS(madvise((void *)-PAGE, PAGE, MADV_DONTNEED), ENOMEM);
  FAILS(madvise(NULL, PAGE, MADV_COLD), ENOMEM);
  CHECK_EQ(madvise(at, 0, MADV_DONTNEED), 0);
  errno = 7;
  CHECK_EQ(posix_madvise(at + 1, PAGE, POSIX_MADV_DONTNEED), EINVAL);
  CHECK_EQ(posix_madvise(at, PAGE, 5), EINVAL);
  CHECK_EQ(posix_madvise(at, PAGE, MADV_COLD), EINVAL); /* which is Linux's */
  CHECK_EQ(posix_madvise(NULL, PAGE, POSIX_MADV_WILLNEED), ENOMEM);
  CHECK_EQ(errno, 7);
  CHECK(filled(at, 9 * PAGE, 1));
  unmap_pages(at, 9);
}

/* The rest is done. */
static void holes(void) {
  char *at = map_pages(9);
  fill(at, 9 * PAGE, 1);
  unmap_pages(at + 3 * PAGE, 2);
  FAILS(madvise(at, 6 * PAGE, MADV_DONTNEED), ENOMEM);
  CHECK(zero(at, 3 * PAGE) && zero(at + 5 * PAGE, PAGE) && !zero(at + 6 * PAGE, 3 * PAGE));
  for (int advice = MADV_NORMAL; advice < MADV_DONTNEED; advice++)
    FAILS(madvise(at, 9 * PAGE, advice), ENOMEM);
  CHECK(!zero(at + 6 * PAGE, 3 * PAGE));
  unmap_pages(at, 3), unmap_pages(at + 5 * PAGE, 4);
}

/* All that POSIX has changes nothing, whatever it is said of. */
static void nothing_changes(void) {
  static const int said[] = {POSIX_MADV_NORMAL, POSIX_MADV_RANDOM, POSIX_MADV_SEQUENTIAL, POSIX_MADV_WILLNEED,
                             POSIX_MADV_DONTNEED};
  static char data[20 * PAGE] __attribute__((aligned(4096)));
  char *heap = fresh(20), *mapping = map_pages(40), stack[3 * PAGE];
  char *at[] = {data, heap, mapping, (char *)(((uintptr_t)stack + PAGE - 1) & ~(uintptr_t)(PAGE - 1))};
  long pages[] = {20, 20, 40, 2};
  for (unsigned i = 0; i < 4; i++)
    fill(at[i], pages[i] * PAGE, i);
  for (unsigned n = 0; n < 5; n++) {
    if (n % 2)
      drive_out();
    for (unsigned i = 0; i < 4; i++)
      CHECK_EQ(posix_madvise(at[i], (size_t)(pages[i] * PAGE), said[n]), 0);
    CHECK_EQ(posix_madvise((char *)((uintptr_t)map_pages & ~(uintptr_t)(PAGE - 1)), PAGE, said[n]), 0);
    for (unsigned i = 0; i < 4; i++)
      CHECK(filled(at[i], pages[i] * PAGE, i));
  }
  unmap_pages(mapping, 40);
  drop(20);
}

static void discard(void) {
  static char data[4 * PAGE] __attribute__((aligned(4096))) = {1};
  char *heap = fresh(6), *mapping = map_pages(20);
  fill(heap, 6 * PAGE, 1), fill(mapping, 20 * PAGE, 2), fill(data, 4 * PAGE, 3);
  drive_out();
  uint64_t resident = own_stats().resident;
  fill(heap, 6 * PAGE, 1);
  fill(mapping, 10 * PAGE, 2);
  CHECK_EQ(madvise(heap + PAGE, 2 * PAGE, MADV_DONTNEED), 0);
  CHECK_EQ(madvise(mapping + 5 * PAGE, 12 * PAGE - 5, MADV_DONTNEED), 0);
  CHECK_EQ(madvise(data, 4 * PAGE, MADV_DONTNEED), 0);
  CHECK(own_stats().resident < resident + 20);
  CHECK(zero(heap + PAGE, 2 * PAGE) && filled(heap, PAGE, 1));
  CHECK(filled(mapping, 5 * PAGE, 2) && zero(mapping + 5 * PAGE, 12 * PAGE));
  CHECK(data[0] == 1 && zero(data + 1, 4 * PAGE - 1)); /* as it stands in the file */
  drive_out();
  CHECK(zero(heap + PAGE, 2 * PAGE) && zero(mapping + 5 * PAGE, 12 * PAGE) && filled(mapping, 5 * PAGE, 2));
  fill(heap, 6 * PAGE, 4);
  CHECK(filled(heap, 6 * PAGE, 4));
  unmap_pages(mapping, 20);
  drop(6);
}

/* Files show what is in them, shared memory keeps it, and what PROT_NONE had taken is gone. */
static void discard_mappings(void) {
  static char text[3 * PAGE];
  fill(text, sizeof text, 5);
  int fd = make_file("advised", text, sizeof text);
  char *file = mmap(NULL, sizeof text, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0), *parked = map_pages(8);
  char *shared = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(file != MAP_FAILED && shared != MAP_FAILED);
  fill(file, sizeof text, 6), fill(shared, 2 * PAGE, 7), fill(parked, 8 * PAGE, 8);
  CHECK_EQ(madvise(file, sizeof text, MADV_DONTNEED), 0);
  CHECK(!memcmp(file, text, sizeof text));
  CHECK_EQ(madvise(shared, 2 * PAGE, MADV_DONTNEED), 0);
  CHECK(filled(shared, 2 * PAGE, 7));
  CHECK_EQ(mprotect(parked, 8 * PAGE, PROT_NONE), 0);
  CHECK_EQ(madvise(parked, 2 * PAGE, MADV_DONTNEED), 0);
  CHECK_EQ(mprotect(parked, 8 * PAGE, PROT_READ | PROT_WRITE), 0);
  CHECK(zero(parked, 2 * PAGE));
  CHECK_EQ(madvise(parked + 6 * PAGE, 2 * PAGE, MADV_DONTNEED), 0);
  CHECK(zero(parked + 6 * PAGE, 2 * PAGE));
  char *as_filled = map_pages(8);
  fill(as_filled, 8 * PAGE, 8);
  CHECK(!memcmp(parked + 2 * PAGE, as_filled + 2 * PAGE, 4 * PAGE));
  unmap_pages(as_filled, 8), unmap_pages(parked, 8), unmap_pages(file, 3), unmap_pages(shared, 2);
  close(fd), unlink("advised");
}

static void discard_given(void) {
  MUST(filled((char *)given, 10 * PAGE, 1));
  MUST_EQ(madvise((char *)given, 5 * PAGE, MADV_DONTNEED), 0);
  MUST(zero((char *)given, 5 * PAGE));
  drive_out();
  MUST(zero((char *)given, 5 * PAGE));
}

static void discard_after_fork(void) {
  char *at = map_pages(10);
  fill(at, 10 * PAGE, 1);
  drive_out();
  pid_t pid = begin_on(discard_given, (uintptr_t)at);
  exits(pid, 0);
  CHECK(filled(at, 10 * PAGE, 1));
  unmap_pages(at, 10);
}

/* All of the half of addresses, again and again: bounded work, whatever it says. */
static void everything(void) {
  char *at = map_pages(40);
  fill(at, 40 * PAGE, 1);
  for (int advice = MADV_NORMAL; advice <= MADV_WILLNEED; advice++)
    FAILS(madvise(NULL, (size_t)Q_USER_TOP, advice), ENOMEM);
  FAILS(madvise(NULL, (size_t)Q_USER_TOP, MADV_COLD), ENOMEM);
  CHECK(filled(at, 40 * PAGE, 1));
  unmap_pages(at, 40);
}

/* ---- Advice: what policies make of it ------------------------------------------------------------------------------------- */
static uint64_t faults_of_walk(int advice) {
  char *at = map_pages(256);
  CHECK_EQ(posix_madvise(at, 256 * PAGE, advice), 0);
  uint64_t before = faults();
  for (long i = 0; i < 256; i++)
    *(volatile char *)(at + i * PAGE) = 1;
  uint64_t count = faults() - before;
  unmap_pages(at, 256);
  return count;
}

static void walks(void) {
  uint64_t normal = faults_of_walk(POSIX_MADV_NORMAL), sequential = faults_of_walk(POSIX_MADV_SEQUENTIAL),
           random = faults_of_walk(POSIX_MADV_RANDOM), again = faults_of_walk(POSIX_MADV_NORMAL);
  printf("# faults on 256 pages: %lu, sequential %lu, random %lu\n", (unsigned long)normal, (unsigned long)sequential,
         (unsigned long)random);
  if (own_stats().budget || !has_word("readahead"))
    return;
  uint64_t few = harts() > 1 ? 200 : 20; /* which have a stock each, so that fewer frames lie in a row */
  CHECK(sequential <= few && random >= 256 && normal <= few && again <= few);
  CHECK(harts() > 1 || sequential < normal);
}

static void will_need(void) {
  char *at = map_pages(256);
  struct p_stats before = own_stats();
  CHECK_EQ(posix_madvise(at + PAGE, 255 * PAGE, POSIX_MADV_WILLNEED), 0);
  bool comes = has_word("readahead") && !before.budget;
  CHECK_EQ(own_stats().ahead - before.ahead, comes ? 32 : 0);
  uint64_t count = faults();
  for (long i = 1; i < 33; i++)
    CHECK_EQ(at[i * PAGE], 0);
  CHECK(comes ? faults() == count : faults() > count);
  at[33 * PAGE] = 1;                                      /* and it goes on there */
  CHECK(!comes || own_stats().ahead - before.ahead > 32); /* as many as lie in a row */
  unmap_pages(at, 256);
}

/* Memory that is there is not brought in again. */
static void will_need_twice(void) {
  char *at = map_pages(20);
  at[3 * PAGE] = 3, at[11 * PAGE] = 11;
  for (unsigned i = 0; i < 3; i++)
    CHECK_EQ(posix_madvise(at, 20 * PAGE, POSIX_MADV_WILLNEED), 0);
  CHECK(at[3 * PAGE] == 3 && at[11 * PAGE] == 11 && zero(at, 3 * PAGE) && zero(at + 12 * PAGE, 8 * PAGE));
  unmap_pages(at, 20);
}

/* With a budget of 32 pages a quarter of it comes back at a time. */
static void evicted_come_back(void) {
  char *at = map_pages(40);
  fill(at, 40 * PAGE, 1);
  drive_out();
  uint64_t refaults = own_stats().refaults;
  CHECK_EQ(posix_madvise(at, 40 * PAGE, POSIX_MADV_WILLNEED), 0);
  CHECK_EQ(own_stats().refaults - refaults, 8);
  uint64_t before = faults();
  for (long i = 0; i < 8; i++)
    (void)*(volatile char *)(at + i * PAGE);
  CHECK(faults() - before <= 2);
  CHECK(filled(at, 40 * PAGE, 1));
  unmap_pages(at, 40);
}

/* Of 12 pages that are there, one that is said to be cold goes before all others: the next new page is in its place. */
static void cold_goes_first(void) {
  char *at = map_pages(12), *others = map_pages(70);
  memset(others, 1, 60 * PAGE);
  for (unsigned n = 2; n < 12; n += 3) {
    fill(at, 12 * PAGE, n);
    uint64_t evicted = own_stats().evicted;
    CHECK_EQ(posix_madvise(at + n * PAGE, PAGE, POSIX_MADV_DONTNEED), 0);
    others[(60 + n / 3) * PAGE] = 1;
    struct p_stats before = own_stats();
    CHECK_EQ(before.evicted, evicted + 1);
    (void)*(volatile char *)(at + (n + 1) % 12 * PAGE);
    CHECK_EQ(own_stats().refaults, before.refaults);
    (void)*(volatile char *)(at + n * PAGE);
    CHECK_EQ(own_stats().refaults, before.refaults + 1);
    CHECK(filled(at, 12 * PAGE, n));
  }
  unmap_pages(at, 12), unmap_pages(others, 70);
}

/* ---- Figures --------------------------------------------------------------------------------------------------------------- */
static uint64_t figure(const char *name) {
  struct p_figures f;
  MUST_EQ(p_figures_of(0, &f), 0);
  for (uint64_t i = 0; i < f.count; i++)
    if (!strcmp(f.figure[i].name, name))
      return f.figure[i].value;
  return UINT64_MAX;
}

static void figures(void) {
  struct p_figures f;
  struct q_call c = {.label = P_figures, .write = &f, .write_bytes = sizeof f - 1};
  CHECK_EQ(p_figures_of(0, &f), 0);
  CHECK(f.count <= P_FIGURES && f.words[0]);
  CHECK_EQ(p_figures_of(99999, &f), -ESRCH);
  CHECK(!q_call(P_HANDLE_PAGER, &c) && c.label == EINVAL);
  c = (struct q_call){.label = P_figures, .write = (void *)8, .write_bytes = sizeof f};
  CHECK(!q_call(P_HANDLE_PAGER, &c) && c.label == EFAULT);
  uint64_t followed = figure("followed");
  CHECK((followed == UINT64_MAX) == !has_word("readahead"));
  faults_of_walk(POSIX_MADV_NORMAL);
  CHECK(!has_word("readahead") || figure("followed") > followed);
  pid_t parent = getpid(), pid = fork();
  if (!pid)
    _exit(p_figures_of((uint64_t)parent, &f) || !f.words[0]);
  exits(pid, 0);
}

/* ---- Admission: 16 pages each, 64 for all, and the first program has 16 already ------------------------------------------------ */
static struct gate gate;

static void wait_at_gate(void) {
  gate_pass(&gate);
}

static void exec_body(void) {
  gate_pass(&gate);
  execl(own_program, "t_hooks", "nothing", NULL);
  _exit(errno == EAGAIN ? 7 : 8);
}

static void release(pid_t *pid, unsigned count, int status) {
  for (unsigned i = 0; i < count; i++)
    gate_open(&gate);
  for (unsigned i = 0; i < count; i++)
    exits(pid[i], status);
}

static void admission(void) {
  char *const argv[] = {"t_hooks", "nothing", NULL}, *const envp[] = {NULL};
  pid_t pid[3], another;
  gate_make(&gate);
  for (unsigned round = 0; round < 3; round++) {
    for (unsigned i = 0; i < 3; i++)
      CHECK((pid[i] = begin(wait_at_gate)) > 0);
    FAILS(fork(), EAGAIN);
    CHECK_EQ(posix_spawn(&another, own_program, NULL, NULL, argv, envp), EAGAIN);
    release(pid, 3, 0);
    CHECK_EQ(posix_spawn(&another, own_program, NULL, NULL, argv, envp), 0);
    exits(another, 0);
  }
  gate_close(&gate);
}

/* Who has become larger meanwhile leaves no room to others that want to begin, though what is there goes on. */
static void admission_of_exec(void) {
  pid_t pid[3];
  gate_make(&gate);
  for (unsigned i = 0; i < 2; i++) {
    CHECK((pid[0] = begin(exec_body)) > 0);
    CHECK((pid[1] = begin(exec_body)) > 0);
    CHECK_EQ(p_policy(0, NULL, i ? 64 : 16), 0);
    release(pid, 2, i ? 7 : 0);
    CHECK_EQ(p_policy(0, NULL, 16), 0);
  }
  gate_close(&gate);
}

/* ---- Pressure -------------------------------------------------------------------------------------------------------------- */
static uint64_t free_pages(void) {
  struct p_system s;
  MUST_EQ(p_system_stats(P_SYSTEM_DROP, &s), 0);
  return s.free;
}

static void take_given(void) {
  char *at = map_pages((long)given);
  for (uintptr_t i = 0; i < given; i++)
    *(uintptr_t *)(at + i * PAGE) = i;
  gate_pass(&gate);
  for (uintptr_t i = 0; i < given; i++)
    MUST_EQ(*(uintptr_t *)(at + i * PAGE), i);
}

static pid_t taker(uint64_t pages) {
  pid_t pid = begin_on(take_given, pages);
  struct p_stats s;
  for (unsigned i = 0; i < 2000 && !p_stats_of((uint64_t)pid, &s) && s.faults[Q_FAULT_WRITE] < pages; i++)
    usleep(5000);
  return pid;
}

static void is_chosen(pid_t pid) {
  struct p_death death = {0};
  CHECK_EQ(px_wait((uint64_t)pid, 0, &death), pid);
  CHECK_EQ(death.reason, P_REASON_CHOSEN);
}

/* The largest ends, whoever asks: another, and in the end the one that takes all itself. All others have what they had. */
static void largest(void) {
  for (unsigned round = 0; round < 3; round++) {
    gate_make(&gate);
    char *own = map_pages(50);
    fill(own, 50 * PAGE, round);
    uint64_t pages = free_pages();
    pid_t small = taker(pages / 10), large = taker(pages * 6 / 10), medium = taker(pages / 2);
    is_chosen(large);
    pid_t all = begin_on(take_given, 2 * pages);
    is_chosen(medium); /* the largest for a while yet */
    is_chosen(all);
    gate_open(&gate);
    exits(small, 0);
    CHECK(filled(own, 50 * PAGE, round));
    unmap_pages(own, 50);
    gate_close(&gate);
  }
}

/* A server's copy wants the page: as any other, the program that is chosen for it ends, and only that. */
static struct gate filled_up;

static void read_given(void) {
  int fd[2];
  MUST_EQ(pipe(fd), 0);
  gate_pass(&filled_up);
  char *at = map_pages((long)given);
  for (uintptr_t i = 0; i < given; i++) {
    MUST_EQ(write(fd[1], "x", 1), 1);
    MUST_EQ(read(fd[0], at + i * PAGE, 1), 1);
  }
}

static void largest_in_copy(void) {
  uint64_t pages = free_pages();
  gate_make(&gate);
  gate_make(&filled_up);
  pid_t reader = begin_on(read_given, pages / 5); /* while the frames for its pool lie in a row */
  pid_t large = taker(pages * 9 / 10);
  gate_open(&filled_up);
  is_chosen(large);
  exits(reader, 0);
  gate_close(&filled_up);
  gate_close(&gate);
}

/* A child's pages are its parent's, too, so that little comes of its end: another one ends then. */
static void fork_given(void) {
  char *at = map_pages((long)given);
  memset(at, 1, (size_t)given * PAGE);
  pid_t pid = fork();
  MUST(pid >= 0);
  memset(at, 2, (size_t)given * PAGE);
  while (pid && waitpid(pid, NULL, 0) != pid)
    ;
}

static void largest_shares(void) {
  char *own = map_pages(50);
  fill(own, 50 * PAGE, 3);
  uint64_t pages = free_pages();
  pid_t pid = begin_on(fork_given, pages * 3 / 5);
  struct p_death death = {0};
  CHECK_EQ(px_wait((uint64_t)pid, 0, &death), pid);
  CHECK(death.reason == P_REASON_CHOSEN || death.reason == P_REASON_EXIT);
  while (free_pages() < pages * 9 / 10) /* the other's end may take a moment more */
    usleep(5000);
  CHECK(filled(own, 50 * PAGE, 3));
  unmap_pages(own, 50);
}

/* Nobody ends, though two want more than there is: who has most gives some up. */
static void squeeze(void) {
  gate_make(&gate);
  uint64_t pages = free_pages();
  pid_t one = taker(pages * 11 / 20), other = taker(pages * 11 / 20);
  struct p_stats s;
  CHECK(!p_stats_of((uint64_t)one, &s) && s.evicted > 0 && s.wrong == 0);
  gate_open(&gate), gate_open(&gate);
  exits(one, 0), exits(other, 0);
  gate_close(&gate);
}

/* Whatever a policy of pressure says (tests/host/meddling.c): who goes on has what it wrote, and who ends was told why. */
static void pressed(void) {
  gate_make(&gate);
  char *own = map_pages(50);
  fill(own, 50 * PAGE, 1);
  uint64_t pages = free_pages();
  pid_t pid[4];
  for (unsigned i = 0; i < 4; i++)
    pid[i] = begin_on(take_given, pages * 2 / 5);
  for (unsigned i = 0; i < 4; i++)
    gate_open(&gate);
  for (unsigned i = 0; i < 4; i++) {
    struct p_death death = {0};
    CHECK_EQ(px_wait((uint64_t)pid[i], 0, &death), pid[i]);
    CHECK(death.reason == P_REASON_CHOSEN || death.reason == P_REASON_NOFRAME || death.reason == P_REASON_FULL ||
          (death.reason == P_REASON_EXIT && !death.status));
  }
  CHECK(filled(own, 50 * PAGE, 1));
  printf("# %lu wrong\n", (unsigned long)own_stats().wrong);
  unmap_pages(own, 50);
  gate_close(&gate);
}

/* What a policy of pressure had in mind when it was left (tests/host/endless.c) is not done: who asks ends, as without one. */
static void left(void) {
  struct p_figures f;
  struct p_death death = {0};
  gate_make(&gate);
  uint64_t pages = free_pages();
  pid_t large = taker(pages / 2), asks = begin_on(take_given, pages);
  CHECK_EQ(px_wait((uint64_t)asks, 0, &death), asks);
  CHECK_EQ(death.reason, P_REASON_NOFRAME);
  CHECK(!p_figures_of((uint64_t)large, &f) && f.lost);
  gate_open(&gate);
  exits(large, 0);
  gate_close(&gate);
}

static void bad_words(void) {
  CHECK_EQ(p_policy(0, "largest", 0), -EINVAL); /* the boot's, for all */
  CHECK_EQ(p_policy(0, "clock+squeeze,4", 0), -EINVAL);
  CHECK_EQ(p_policy(0, "squeeze,65", 0), -EINVAL);
  CHECK_EQ(p_policy(0, "ws,1,2,3", 0), -EINVAL);
  CHECK_EQ(p_policy(0, "ws,1,", 0), -EINVAL);
}

/* ---- Shares: 60 pages for all ------------------------------------------------------------------------------------------------ */
static void go_round(void) {
  char *at = map_pages(200);
  for (;;)
    for (long i = 0; i < 200; i++)
      *(volatile char *)(at + i * PAGE) = 1;
}

/* A program of its own, with few pages. It says how often one had to be read back. */
static int few(void) {
  char *at = map_pages(6);
  fill(at, 6 * PAGE, 1);
  uint64_t before = own_stats().refaults;
  for (unsigned i = 0; i < 25; i++) {
    usleep(8000);
    if (!filled(at, 6 * PAGE, 1))
      return 255;
  }
  uint64_t refaults = own_stats().refaults - before;
  return refaults < 250 ? (int)refaults : 250;
}

static void exec_few(void) {
  execl(own_program, "t_hooks", "few", NULL);
}

static void shares(void) {
  uint64_t programs = figure("programs");
  pid_t hog[4], pid;
  for (unsigned i = 0; i < 4; i++)
    hog[i] = begin(go_round); /* all of them of this one's family */
  CHECK_EQ(figure("programs"), programs == UINT64_MAX ? programs : programs + 4);
  pid = begin(exec_few);
  int status = status_of(pid);
  printf("# read back: %d\n", WEXITSTATUS(status));
  CHECK(WIFEXITED(status) && (has_word("fair") ? WEXITSTATUS(status) < 30 : WEXITSTATUS(status) >= 60));
  CHECK(WEXITSTATUS(status) != 255);
  for (unsigned i = 0; i < 4; i++) {
    kill(hog[i], SIGKILL);
    dies(hog[i], SIGKILL);
  }
  CHECK_EQ(figure("programs"), programs);
}

static const struct test advice_tests[] = {
    {"madvise: bad requests", advice_errors},
    {"madvise: holes", holes},
    {"madvise: what POSIX has changes nothing", nothing_changes},
    {"madvise: what is discarded comes anew", discard},
    {"madvise: mappings of files, shared ones, PROT_NONE", discard_mappings},
    {"madvise: a child discards what it shares", discard_after_fork},
    {"madvise: of all addresses", everything},
    {"madvise: in order, or not", walks},
    {"madvise: will be needed", will_need},
    {"madvise: will be needed, and is there", will_need_twice},
    {"figures", figures},
    {"words of policy", bad_words},
};
static const struct test budget_tests[] = {
    {"madvise: what was evicted comes back", evicted_come_back},
    {"madvise: what is not needed goes first", cold_goes_first},
};
static const struct test admission_tests[] = {
    {"as many programs as fit, and again when they have ended", admission},
    {"exec is admitted, or the old program goes on", admission_of_exec},
};
static const struct test largest_tests[] = {
    {"the largest ends, and no other", largest},
    {"the largest ends, though a server asks", largest_in_copy},
    {"the largest shares its pages", largest_shares},
};
static const struct test squeeze_tests[] = {{"the largest gives up some", squeeze}};
static const struct test pressed_tests[] = {{"whatever a policy of pressure says", pressed}};
static const struct test left_tests[] = {{"a policy of pressure that does not return", left}};
static const struct test share_tests[] = {{"a family has a share", shares}};

int main(int argc, char **argv) {
  const char *which = argc > 1 ? argv[1] : "";
  if (!strcmp(which, "nothing"))
    return 0;
  if (!strcmp(which, "few"))
    return few();
  unix_begin("t_hooks");
  if (!strcmp(which, "cold"))
    return TAP_RUN("hooks_cold", budget_tests);
  if (!strcmp(which, "admission"))
    return TAP_RUN("hooks_admission", admission_tests);
  if (!strcmp(which, "largest"))
    return TAP_RUN("hooks_largest", largest_tests);
  if (!strcmp(which, "squeeze"))
    return TAP_RUN("hooks_squeeze", squeeze_tests);
  if (!strcmp(which, "pressed"))
    return TAP_RUN("hooks_pressed", pressed_tests);
  if (!strcmp(which, "left"))
    return TAP_RUN("hooks_left", left_tests);
  if (!strcmp(which, "shares"))
    return TAP_RUN("hooks_shares", share_tests);
  return TAP_RUN("hooks", advice_tests);
}
