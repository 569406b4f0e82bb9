/* SPDX-License-Identifier: BSD-2-Clause */
/* Very many kills at random moments of a busy tree of processes: serve=uart serve=posix:t_storm[:full or
 * :SEED:KILLS]. Thirty workers
 * fork children that fault their memory in, run pipelines, write and remove files, grow and shrink, sleep, start programs
 * and kill each other. A worker that finds anything wrong ends with the number of the line here. In the end every process,
 * descriptor, pipe, file, frame and object is back, and a neighbour has seen nothing. Each seed repeats to the
 * instruction. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "random.h"
#include "tap.h"

#define PAGE 4096ul
#define WORKERS 30
#define DEPTH 2       /* so many generations below a worker */
#define BAD_PLACE 16l /* where a process faults when it is to */
#define PATTERN(i) ((char)((i) % 251))

/* What a worker finds wrong it says with its status. */
#define WANT(good)                                                                                                   \
  do {                                                                                                               \
    if (!(good))                                                                                                     \
      return __LINE__;                                                                                               \
  } while (0)

enum role { WORKER, MEMBER, WRITER, FILTER, FAULTER, TOUCHER, NEIGHBOUR };
static _Noreturn void become(enum role role, uint64_t seed, int a, int b);
static int depth;

/* ---- Children ---------------------------------------------------------------------------------------------------------- */
static int64_t start(enum role role, int a, int b) {
  char text[4][24];
  uint64_t seed = next_random();
  if (!chance(4)) {
    pid_t pid = fork();
    if (!pid)
      become(role, seed, a, b);
    return pid < 0 ? -errno : pid;
  }
  snprintf(text[0], sizeof text[0], "%d", (int)role);
  snprintf(text[1], sizeof text[1], "%lu", (unsigned long)seed);
  snprintf(text[2], sizeof text[2], "%d", a);
  snprintf(text[3], sizeof text[3], "%d", b);
  return px_spawn(ARGV("t_storm", "role", text[0], text[1], text[2], text[3]), NULL, 0);
}

/* Whether it may have ended so: by itself, by a kill, or where it was to. */
static bool is_good(const struct p_death *death) {
  return death->reason == P_REASON_KILLED || (death->reason == P_REASON_EXIT && !death->status) ||
         (death->reason == P_REASON_NULL && death->address == BAD_PLACE);
}

static void name_of(uint64_t pid, char name[40], const char *suffix) {
  snprintf(name, 40, "/tmp/storm/%lu%s", (unsigned long)pid, suffix);
}

static void remove_files(uint64_t pid) {
  char name[40];
  name_of(pid, name, "");
  unlink(name);
  name_of(pid, name, "r");
  unlink(name);
}

static int wait_for(int64_t pid, struct p_death *death) {
  WANT(px_wait((uint64_t)pid, 0, death) == pid);
  remove_files((uint64_t)pid);
  if (!is_good(death))
    return death->reason == P_REASON_EXIT ? (int)death->status : __LINE__;
  return 0;
}

static int run(enum role role, int a) {
  struct p_death death;
  int64_t pid = start(role, a, -1);
  WANT(pid > 0);
  return wait_for(pid, &death);
}

/* ---- What a worker does -------------------------------------------------------------------------------------------------- */
static int nap(void) {
  q_sleep_until(q_time() + below(chance(3) ? 1000000 : 20000));
  return 0;
}

static int grow(void) {
  size_t bytes = (1 + below(40)) * PAGE;
  char *memory = sbrk((intptr_t)bytes);
  WANT(memory != (char *)-1);
  for (unsigned i = 0; i < 20; i++) {
    volatile char *byte = memory + below(bytes);
    WANT(*byte == 0 || *byte == 7);
    *byte = 7;
  }
  WANT(sbrk(-(intptr_t)bytes) == memory + bytes);
  return 0;
}

static int files(void) {
  static char text[20000], back[20000];
  char name[40], other[40];
  size_t bytes = 1 + below(sizeof text);
  char fill = (char)next_random();
  name_of((uint64_t)getpid(), name, "");
  name_of((uint64_t)getpid(), other, "r");
  int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0644);
  WANT(fd >= 0);
  memset(text, fill, bytes);
  WANT(write(fd, text, bytes) == (ssize_t)bytes);
  WANT(!rename(name, other));
  WANT(pread(fd, back, sizeof back, 0) == (ssize_t)bytes && !memcmp(text, back, bytes));
  WANT(!ftruncate(fd, (off_t)bytes / 2));
  if (chance(2))
    WANT(!unlink(other));
  WANT(pread(fd, back, sizeof back, 0) == (ssize_t)bytes / 2 && !memcmp(text, back, bytes / 2));
  WANT(!close(fd));
  unlink(other);
  return 0;
}

/* What comes out of the end of the pipeline is the beginning of the pattern. */
static int64_t read_pattern(int fd) {
  static char text[4096];
  uint64_t at = 0;
  for (ssize_t got; (got = read(fd, text, 1 + below(sizeof text)));)
    for (ssize_t i = 0; i < got || got < 0; i++, at++)
      if (got < 0 || text[i] != PATTERN(at))
        return -1;
  return (int64_t)at;
}

/* A writer, two filters, and this process, with a pipe between each two. */
static int pipeline(void) {
  int64_t pid[3], got;
  int in = -1;
  bool whole = true;
  struct p_death death;
  for (unsigned i = 0; i < 3; i++) {
    int ends[2];
    WANT(!pipe(ends));
    pid[i] = start(i ? FILTER : WRITER, i ? in : ends[1], ends[1]);
    WANT(pid[i] > 0);
    close(ends[1]);
    if (in >= 0)
      close(in);
    in = ends[0];
  }
  got = read_pattern(in);
  close(in);
  WANT(got >= 0);
  for (unsigned i = 0; i < 3; i++) {
    int wrong = wait_for(pid[i], &death);
    whole &= death.reason == P_REASON_EXIT;
    if (wrong)
      return wrong;
  }
  WANT(!whole || got >= 1000);
  return 0;
}

static int family(void) {
  return run(depth < DEPTH ? MEMBER : TOUCHER, depth + 1);
}

/* Each has its own copy of what both had. */
static int copy_on_write(void) {
  static char shared[16 * PAGE];
  struct p_death death;
  char before = (char)next_random(), after = (char)~before;
  memset(shared, before, sizeof shared);
  pid_t pid = fork();
  WANT(pid >= 0);
  for (unsigned i = 0; i < 16; i++) {
    WANT(shared[i * PAGE] == before && shared[i * PAGE + PAGE - 1] == before);
    shared[i * PAGE] = pid ? after : 0;
  }
  if (!pid)
    _exit(0);
  for (unsigned i = 0; i < 16; i++)
    WANT(shared[i * PAGE] == after);
  return wait_for(pid, &death);
}

static int program(void) {
  static char *const argv[] = {"worker", "exit", "0", NULL};
  struct p_death death;
  pid_t pid = fork();
  if (!pid) {
    execv("/bin/worker", argv);
    _exit(errno == ENOMEM ? 0 : __LINE__);
  }
  WANT(pid > 0);
  return wait_for(pid, &death);
}

static int fault(void) {
  return run(FAULTER, -1);
}

static int kill_own(void) {
  struct p_death death;
  int64_t pid = start(MEMBER, DEPTH, -1);
  WANT(pid > 0);
  q_sleep_until(q_time() + below(5000));
  int64_t error = px_kill((uint64_t)pid, 9);
  WANT(!error || error == -ESRCH);
  return wait_for(pid, &death);
}

static int leave_one(void) { /* it outlives this process, or is a zombie until then */
  int64_t pid = start(TOUCHER, 0, -1);
  WANT(pid > 0);
  return 0;
}

static int some_activities(unsigned count) {
  static int (*const all[])(void) = {nap,           grow,    files, pipeline, family,   nap,
                                     copy_on_write, program, fault, kill_own, leave_one};
  int wrong = 0;
  while (count-- && !wrong)
    wrong = all[below(sizeof all / sizeof *all)]();
  return wrong;
}

/* ---- Roles ---------------------------------------------------------------------------------------------------------------- */
static int be_worker(int a, int b) {
  (void)a, (void)b;
  return some_activities(5 + (unsigned)below(40));
}

static int be_member(int a, int b) {
  (void)b;
  depth = a;
  return some_activities(1 + (unsigned)below(3));
}

static int put_all(int fd, const char *text, size_t bytes) { /* whoever reads it may be gone */
  ssize_t done = write(fd, text, bytes);
  if (done < 0 && errno == EPIPE)
    _exit(0);
  WANT(done == (ssize_t)bytes);
  return 0;
}

static int be_writer(int a, int b) {
  static char text[40000];
  size_t all = 1000 + below(sizeof text - 1000), piece;
  (void)a;
  for (unsigned i = 0; i < all; i++)
    text[i] = PATTERN(i);
  for (size_t at = 0; at < all; at += piece) {
    piece = 1 + below(9000);
    piece = piece < all - at ? piece : all - at;
    int wrong = put_all(b, text + at, piece);
    if (wrong)
      return wrong;
  }
  return 0;
}

static int be_filter(int a, int b) {
  static char text[5000];
  for (ssize_t got; (got = read(a, text, 1 + below(sizeof text)));) {
    WANT(got > 0);
    int wrong = put_all(b, text, (size_t)got);
    if (wrong)
      return wrong;
  }
  return 0;
}

static int be_faulter(int a, int b) {
  (void)a, (void)b;
  grow();
  __asm__ volatile("sb zero, 0(%0)" : : "r"(BAD_PLACE) : "memory");
  return __LINE__;
}

static int be_toucher(int a, int b) {
  (void)a, (void)b;
  for (unsigned i = 0; i < 4; i++) {
    int wrong = grow();
    if (wrong)
      return wrong;
  }
  return nap();
}

/* Memory and a file that it knows by heart, until it is told to end; its status is the number of rounds. */
static int be_neighbour(int a, int b) {
  static uint64_t memory[16 * 512], back[512];
  int rounds = 0, fd = open("/tmp/neighbour", O_RDWR | O_CREAT | O_TRUNC, 0644);
  (void)a, (void)b;
  WANT(fd >= 0);
  for (uint64_t round = 0; access("/tmp/stop", F_OK); round++, rounds++) {
    for (unsigned i = 0; i < 16 * 512; i++) {
      WANT(memory[i] == (round ? round ^ i : 0));
      memory[i] = (round + 1) ^ i;
    }
    WANT(pwrite(fd, memory, sizeof back, 0) == sizeof back);
    q_sleep_until(q_time() + 10000);
    WANT(pread(fd, back, sizeof back, 0) == sizeof back && !memcmp(back, memory, sizeof back));
  }
  close(fd);
  return 100000 + rounds;
}

/* Nobody keeps open what is not its own, or a pipeline would not come to its end. */
static void become(enum role role, uint64_t seed, int a, int b) {
  static int (*const roles[])(int, int) = {be_worker,  be_member,  be_writer,   be_filter,
                                           be_faulter, be_toucher, be_neighbour};
  for (int fd = 3; fd < 12; fd++)
    if ((role != WRITER && role != FILTER) || (fd != a && fd != b))
      close(fd);
  random_begin(seed);
  _exit(roles[role](a, b));
}

/* ---- The first process ------------------------------------------------------------------------------------------------------ */
static uint64_t seed = 20261121, kills;
static uint64_t neighbour, worker[WORKERS];
static struct posix_process list[POSIX_PROCESSES];
static unsigned living;
static uint64_t peak; /* processes at a time */

/* Who may be killed now. */
static unsigned look(void) {
  uint64_t first = 0, own = (uint64_t)getpid(), count = 0;
  living = 0;
  for (int64_t got; (got = px_list(first, list + living, POSIX_PROCESSES - living)) > 0;) {
    first = list[living + got - 1].pid + 1;
    count += (uint64_t)got;
    for (unsigned i = living, end = living + (unsigned)got; i < end; i++)
      if (!list[i].ended && list[i].pid != own && list[i].pid != neighbour)
        list[living++] = list[i];
  }
  peak = peak > count ? peak : count;
  return living;
}

static void reap(void) {
  struct p_death death;
  for (int64_t pid; (pid = px_wait(0, POSIX_WAIT_NOHANG, &death)) > 0;) {
    if (!is_good(&death))
      printf("# process %lu: %s, status or line %ld, address %lx, pc %lx\n", (unsigned long)pid,
             p_reason_text(death.reason), (long)death.status, (unsigned long)death.address, (unsigned long)death.pc);
    CHECK(is_good(&death));
    remove_files((uint64_t)pid);
    for (unsigned i = 0; i < WORKERS; i++)
      worker[i] = worker[i] == (uint64_t)pid ? 0 : worker[i];
  }
}

static void top_up(void) {
  for (unsigned i = 0; i < WORKERS; i++)
    if (!worker[i]) {
      int64_t pid = start(WORKER, 0, 0);
      CHECK(pid > 0);
      worker[i] = pid > 0 ? (uint64_t)pid : 0;
    }
}

static void kill_one(uint64_t *done) {
  if (!look())
    return;
  int64_t error = px_kill(list[below(living)].pid, 9);
  CHECK(!error || error == -ESRCH);
  *done += !error;
}

static void kill_many(void) {
  for (uint64_t done = 0; done < kills;) {
    top_up();
    q_sleep_until(q_time() + (chance(16) ? below(50000) : below(4000)));
    for (uint64_t n = 1 + below(10); n; n--)
      kill_one(&done);
    reap();
    if (done % 32 == 0)
      kernel_info(); /* checks the whole state where that is built in */
  }
}

static void end_all(void) {
  while (look()) {
    for (unsigned i = 0; i < living; i++)
      px_kill(list[i].pid, 9);
    q_sleep_until(q_time() + 1000);
    reap();
  }
  reap();
}

static unsigned names(const char *path, bool removes) {
  char name[300];
  unsigned n = 0;
  DIR *directory = opendir(path);
  CHECK(directory != NULL);
  for (const struct dirent *entry; directory && (entry = readdir(directory)); n++) {
    snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
    if (removes && entry->d_name[0] != '.')
      CHECK_EQ(unlink(name), 0);
  }
  closedir(directory);
  return n;
}

static unsigned descriptors(void) {
  unsigned n = 0;
  for (int fd = 0; fd < POSIX_DESCRIPTORS; fd++)
    n += fcntl(fd, F_GETFD) >= 0;
  return n;
}

static void neighbour_ends(void) {
  struct p_death death;
  close(open("/tmp/stop", O_CREAT | O_WRONLY, 0644));
  CHECK_EQ(px_wait(neighbour, 0, &death), neighbour);
  CHECK_EQ(death.reason, P_REASON_EXIT);
  CHECK(death.status > 100000 + kills / 20); /* else it is a line */
  printf("# the neighbour: %ld rounds, %s\n", (long)death.status - 100000, p_reason_text(death.reason));
  CHECK_EQ(unlink("/tmp/stop") | unlink("/tmp/neighbour"), 0);
}

/* The server gives back the pages of files, but for a few that the next ones are taken from, and its heap. After this the few
 * are there, so that more frames are in use afterwards only if the heap has grown. */
static void fill_server(void) {
  static char text[16384];
  int fd = open("/tmp/fill", O_RDWR | O_CREAT, 0644);
  for (unsigned i = 0; i < 512; i++)
    CHECK_EQ(write(fd, text, sizeof text), sizeof text);
  CHECK_EQ(close(fd) | unlink("/tmp/fill"), 0);
}

/* A heap of 1.5 MiB, which is more than a storm ever needs at a time, but less than what it uses in all. */
static void grow_server(void) {
  enum { PIPES = 96 };
  int ends[PIPES][2];
  for (unsigned i = 0; i < PIPES; i++)
    CHECK_EQ(pipe(ends[i]), 0);
  for (unsigned i = 0; i < PIPES; i++)
    CHECK_EQ(close(ends[i][0]) | close(ends[i][1]), 0);
  tap_before(true); /* as many processes as there will be */
  fill_server();
}

static void one_storm(void) {
  random_begin(seed);
  CHECK_EQ(mkdir("/tmp/storm", 0755), 0);
  neighbour = (uint64_t)start(NEIGHBOUR, 0, 0);
  kill_many();
  end_all();
  neighbour_ends();
  neighbour = 0;
  names("/tmp/storm", true);
  CHECK_EQ(rmdir("/tmp/storm"), 0);
  fill_server();
}

static void storm(void) {
  struct p_death death;
  unsigned open_before = descriptors();
  uint64_t began = q_time();
  printf("# %lu kills, seed %lu\n", (unsigned long)kills, (unsigned long)seed);
  one_storm();
  CHECK_EQ(names("/tmp", false), 2);
  CHECK_EQ(descriptors(), open_before);
  CHECK_EQ(look(), 0);
  CHECK_EQ(px_wait(0, 0, &death), -ECHILD);
  printf("# at most %lu processes at a time; %lu ms\n", (unsigned long)peak,
         (unsigned long)((q_time() - began) / 10000));
}

static void still_served(void) {
  struct p_death death;
  int64_t pid = px_spawn(ARGV("worker", "exit", "3"), NULL, 0);
  CHECK_EQ(px_wait((uint64_t)pid, 0, &death), pid);
  CHECK_EQ(death.status, 3);
}

static const struct test tests[] = {{"killed at random moments of a busy tree", storm},
                                    {"the server answers afterwards", still_served}};

int main(int argc, char **argv) {
  if (argc == 6 && !strcmp(argv[1], "role"))
    become((enum role)atoi(argv[2]), strtoul(argv[3], NULL, 0), atoi(argv[4]), atoi(argv[5]));
  free(malloc(8192)); /* the heap is there before anything is counted */
  kills = (kernel_info().checks ? 200 : 1000) * (argc == 2 ? 10 : 1); /* fewer in builds that check the whole state */
  if (argc > 2)
    seed = strtoul(argv[1], NULL, 0);
  if (argc > 2)
    kills = strtoul(argv[2], NULL, 0);
  grow_server();
  return TAP_RUN("storm", tests);
}
