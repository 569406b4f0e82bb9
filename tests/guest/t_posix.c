/* SPDX-License-Identifier: BSD-2-Clause */
/* The posix server, from its first process: serve=uart serve=posix:t_posix. The children are worker.c's. Each test ends with
 * every process, frame and object back. serve=posix:t_posix:SEED:CALLS makes only the hostile requests of that seed. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "hash.h"
#include "tap.h"

#define PAGE 4096ul
#define SETTLE 200000 /* ticks: 20 ms. Whoever can run has run */
#define WORKER(...) ARGV("worker", __VA_ARGS__)

static void settle(void) {
  q_sleep_until(q_time() + SETTLE);
}

static uint64_t start(const char *const argv[]) {
  int64_t pid = px_spawn(argv, NULL, 0);
  CHECK(pid > 0);
  return (uint64_t)pid;
}

static void ends_with(uint64_t pid, int64_t status) {
  struct p_death death = {0};
  CHECK_EQ(px_wait(pid, 0, &death), pid);
  CHECK_EQ(death.id, pid);
  CHECK_EQ(death.reason, P_REASON_EXIT);
  CHECK_EQ(death.status, status);
}

static void kill_it(uint64_t pid) {
  struct p_death death = {0};
  CHECK_EQ(px_kill(pid, 9), 0);
  CHECK_EQ(px_wait(pid, 0, &death), pid);
  CHECK_EQ(death.reason, P_REASON_KILLED);
  CHECK_EQ(px_kill(pid, 0), -ESRCH);
}

/* A request as it is; the answer's label. */
static int64_t ask(struct q_call c) {
  CHECK_EQ(q_call(p_server, &c), 0);
  return (int64_t)c.label;
}

static uint64_t own_pid(void) {
  return (uint64_t)getpid();
}

/* Calls `each` for every process. A list is by process id, which says nothing of age. */
static unsigned for_processes(void (*each)(const struct posix_process *process)) {
  struct posix_process list[32];
  unsigned count = 0;
  uint64_t first = 0;
  for (int64_t got; (got = px_list(first, list, 32)) > 0; first = list[got - 1].pid + 1)
    for (int64_t i = 0; i < got; i++, count++)
      if (each)
        each(&list[i]);
  return count;
}

static unsigned processes(void) {
  return for_processes(NULL);
}

static uint64_t wanted_parent, wanted_job, found_pid, found_count;

static void look(const struct posix_process *process) {
  if (process->ended || (wanted_parent && process->parent != wanted_parent) ||
      (wanted_job && process->job != wanted_job))
    return;
  found_pid = process->pid;
  found_count++;
}

/* How many live, of that parent and that job (0: any); found_pid is the last. */
static uint64_t living(uint64_t parent, uint64_t job) {
  wanted_parent = parent, wanted_job = job, found_count = 0;
  for_processes(look);
  return found_count;
}

static void kill_other(const struct posix_process *process) {
  if (process->pid != own_pid())
    px_kill(process->pid, 9);
}

static void end_all_but_me(void) {
  while (for_processes(kill_other) > 1)
    while (px_wait(0, POSIX_WAIT_NOHANG, NULL) > 0)
      ;
}

static char *fresh(unsigned pages) { /* memory that is not there yet; give_back() it */
  return (char *)p_sbrk_bytes((int64_t)(pages * PAGE), 0);
}

static void give_back(unsigned pages) {
  CHECK(p_sbrk_bytes(-(int64_t)(pages * PAGE), 0) > 0);
}

/* ---- Starting ---------------------------------------------------------------------------------------------------------- */
static void strings_arrive(void) {
  static char *const environments[][4] = {
      {NULL}, {"A=1", NULL}, {"A=1", "B=", "EMPTY", NULL}, {"", "=", "\xc3\xa9=\x01\x7f\xff", NULL}};
  static char *const arguments[][6] = {{"worker", "hash", NULL},
                                       {"worker", "hash", "", "", "", NULL},
                                       {"worker", "hash", "a b", "\t\n", "-", NULL},
                                       {"worker", "hash", "\x01\x80\xff", "=", "A=1", NULL}};
  for (unsigned i = 0; i < 16; i++) {
    char *const *argv = arguments[i / 4], *const *envp = environments[i % 4];
    int64_t pid = px_spawn((const char *const *)argv, (const char *const *)envp, 0);
    ends_with((uint64_t)pid, hash_strings(hash_strings(HASH_START, argv), envp) & 0x7fffffff);
  }
}

/* "worker\0exit\0" and an argument that fills up the rest. */
static int64_t spawn_of(const char *text, uint64_t bytes, uint64_t buffer, uint64_t flags, uint64_t environment) {
  struct q_call c = {.label = POSIX_spawn, .word = {bytes, flags, environment}, .read = text, .read_bytes = buffer};
  CHECK_EQ(q_call(p_server, &c), 0);
  return c.label ? -(int64_t)c.label : (int64_t)c.word[0];
}

static void as_long_as_can_be(void) {
  static char text[P_SPAWN_MAX + 1] = "worker\0exit";
  memset(text + 12, '0', P_SPAWN_MAX - 13);
  text[P_SPAWN_MAX - 2] = '5';
  ends_with((uint64_t)spawn_of(text, P_SPAWN_MAX, P_SPAWN_MAX, 0, 0), 5);
  CHECK_EQ(spawn_of(text, P_SPAWN_MAX + 1, P_SPAWN_MAX + 1, 0, 0), -E2BIG);
  CHECK_EQ(spawn_of(text, ~0ul, P_SPAWN_MAX + 1, 0, 0), -E2BIG);
  text[P_SPAWN_MAX - 1] = 'x';
  CHECK_EQ(spawn_of(text, P_SPAWN_MAX, P_SPAWN_MAX, 0, 0), -EINVAL);
  memset(text + 12, 0, P_SPAWN_MAX - 12);
  CHECK_EQ(spawn_of(text, P_SPAWN_MAX, P_SPAWN_MAX, 0, 0), -E2BIG); /* too many strings */
}

static void refused_spawns(void) {
  static const char text[] = "worker\0exit\0004";
  uint64_t brk = (uint64_t)p_sbrk_bytes(0, 0);
  unsigned before = processes();
  CHECK_EQ(px_spawn(ARGV("nothing-of-this-name"), NULL, 0), -ENOENT);
  CHECK_EQ(px_spawn(ARGV("pager"), NULL, 0), -ENOENT);
  CHECK_EQ(px_spawn(ARGV(""), NULL, 0), -ENOENT);
  CHECK_EQ(px_spawn(ARGV("garbage"), NULL, 0), -ENOEXEC);
  CHECK_EQ(spawn_of(text, 0, sizeof text, 0, 0), -EINVAL);
  CHECK_EQ(spawn_of(text, sizeof text, sizeof text - 1, 0, 0), -EINVAL);
  CHECK_EQ(spawn_of(text, sizeof text - 1, sizeof text, 0, 0), -EINVAL); /* no NUL */
  CHECK_EQ(spawn_of(text, sizeof text, sizeof text, 16, 0), -EINVAL);
  CHECK_EQ(spawn_of(text, sizeof text, sizeof text, ~0ul, 0), -EINVAL);
  CHECK_EQ(spawn_of(text, sizeof text, sizeof text, 0, 3), -EINVAL); /* not even a name */
  CHECK_EQ(spawn_of(text, sizeof text, sizeof text, 0, ~0ul), -EINVAL);
  CHECK_EQ(spawn_of(NULL, 14, 14, 0, 0), -EFAULT);
  CHECK_EQ(spawn_of((const char *)Q_USER_TOP, 14, 14, 0, 0), -EFAULT);
  CHECK_EQ(spawn_of((const char *)~0ul, 14, 14, 0, 0), -EFAULT);
  CHECK_EQ(spawn_of((const char *)brk, 14, 14, 0, 0), -EFAULT);
  CHECK_EQ(processes(), before);
  char *page = fresh(2);
  CHECK_EQ(spawn_of(page + PAGE - 4, 14, 14, 0, 0), -ENOENT); /* absent pages: a program named "" */
  memcpy(page + 2 * PAGE - 10, text, 10);
  CHECK_EQ(spawn_of(page + 2 * PAGE - 10, 14, 14, 0, 0), -EFAULT); /* the end lies beyond the break */
  memcpy(page + PAGE - 10, text, sizeof text);
  ends_with((uint64_t)spawn_of(page + PAGE - 10, sizeof text, sizeof text, 0, 0), 4);
  give_back(2);
  CHECK_EQ(processes(), before);
}

/* ---- Waiting ----------------------------------------------------------------------------------------------------------- */
static void statuses(void) {
  char number[16];
  for (int status = 0; status < 256; status++)
    ends_with(start(WORKER("exit", itoa(status, number, 10))), status);
  static const int odd[] = {-1, -128, 256, 65536, INT_MAX, INT_MIN};
  for (unsigned i = 0; i < sizeof odd / sizeof *odd; i++)
    ends_with(start(WORKER("exit", itoa(odd[i], number, 10))), odd[i]);
  struct q_call c = {.label = POSIX_wait, .word = {start(WORKER("exit", "-3"))}};
  CHECK_EQ(q_call(p_server, &c), 0);
  CHECK_EQ(c.word[1], -3);
  CHECK_EQ(c.word[2], P_REASON_EXIT);
}

static void other_ends(void) {
  struct p_death death;
  uint64_t pid = start(WORKER("fault"));
  CHECK_EQ(px_wait(pid, 0, &death), pid);
  CHECK_EQ(death.reason, P_REASON_NULL);
  CHECK_EQ(death.address, 16);
  CHECK_EQ(death.kind, Q_FAULT_WRITE);
  pid = start(WORKER("illegal"));
  CHECK_EQ(px_wait(pid, 0, &death), pid);
  CHECK_EQ(death.reason, P_REASON_EXCEPTION);
  CHECK_EQ(death.status, 2);
  kill_it(start(WORKER("sleep")));
}

static void whom_to_wait_for(void) {
  CHECK_EQ(px_wait(0, 0, NULL), -ECHILD);
  CHECK_EQ(px_wait(0, POSIX_WAIT_NOHANG, NULL), -ECHILD);
  CHECK_EQ(px_wait(0, 2, NULL), -EINVAL);
  CHECK_EQ(px_wait(0, ~0u, NULL), -EINVAL);
  uint64_t parent = start(WORKER("wait"));
  settle();
  CHECK_EQ(living(parent, 0), 1);
  uint64_t child = found_pid;
  CHECK_EQ(px_wait(child, 0, NULL), -ECHILD);
  CHECK_EQ(px_wait(own_pid(), 0, NULL), -ECHILD);
  CHECK_EQ(px_wait(~0ul, 0, NULL), -ECHILD);
  CHECK_EQ(px_wait(parent, POSIX_WAIT_NOHANG, NULL), 0);
  CHECK_EQ(px_wait(0, POSIX_WAIT_NOHANG, NULL), 0);
  uint64_t other = start(WORKER("nap", "100000", "3"));
  ends_with(other, 3); /* though an older one lives */
  CHECK_EQ(px_kill(child, 9), 0);
  struct p_death death;
  CHECK_EQ(px_wait(0, 0, &death), parent);
  CHECK_EQ(death.status, child);
  CHECK_EQ(px_wait(0, 0, NULL), -ECHILD);
}

static int64_t wait_into(uint64_t pid, void *record, uint64_t bytes) {
  return ask((struct q_call){.label = POSIX_wait, .word = {pid}, .write = record, .write_bytes = bytes});
}

/* Refused again and again, before and after it has ended; then it is waited for all the same. */
static void bad_records(void) {
  char *page = fresh(2);
  struct p_death *record = (struct p_death *)(page + PAGE - 8); /* on two pages that are not there */
  for (unsigned late = 0; late < 2; late++) {
    uint64_t pid = start(WORKER("nap", late ? "0" : "100000", "6"));
    if (late)
      settle();
    CHECK_EQ(wait_into(pid, NULL, sizeof *record), EFAULT);
    CHECK_EQ(wait_into(pid, (void *)(uintptr_t)settle, sizeof *record), EFAULT);
    CHECK_EQ(wait_into(pid, (void *)"read-only", sizeof *record), EFAULT);
    CHECK_EQ(wait_into(pid, page + 2 * PAGE - 8, sizeof *record), EFAULT);
    CHECK_EQ(wait_into(pid, (void *)0xffffffff80000000, sizeof *record), EFAULT);
    CHECK_EQ(wait_into(pid, page, sizeof *record - 1), EINVAL);
    CHECK_EQ(px_wait(pid, 0, record), pid);
    CHECK_EQ(record->status, 6);
    give_back(2);
    CHECK_EQ((uint64_t)fresh(2), page);
  }
  give_back(2);
}

/* They are this one's to see, and end without being waited for; whoever waits hears when the last has. */
static void orphans(void) {
  ends_with(start(WORKER("leave", "5")), 8);
  CHECK_EQ(processes(), 6); /* the one that had ended is nobody's concern */
  CHECK_EQ(living(own_pid(), 0), 5);
  CHECK_EQ(px_wait(0, POSIX_WAIT_NOHANG, NULL), 0);
  CHECK_EQ(px_wait(found_pid, 0, NULL), -ECHILD); /* after a while */
  CHECK_EQ(px_wait(0, 0, NULL), -ECHILD);
  CHECK_EQ(processes(), 1);
  uint64_t pid = start(WORKER("leave", "3"));
  struct p_death death;
  CHECK_EQ(px_wait(0, 0, &death), pid);
  CHECK_EQ(px_wait(0, 0, NULL), -ECHILD);
  CHECK_EQ(processes(), 1);
}

static void too_many(void) {
  static uint64_t pid[POSIX_PROCESSES];
  struct p_death death;
  unsigned count = 0;
  int64_t got;
  while ((got = px_spawn(WORKER("exit", "1"), NULL, 0)) > 0)
    pid[count++] = (uint64_t)got;
  CHECK_EQ(got, -EAGAIN);
  CHECK_EQ(count, POSIX_PROCESSES - 1);
  settle(); /* all have ended */
  CHECK_EQ(px_spawn(WORKER("exit", "1"), NULL, 0), -EAGAIN);
  CHECK_EQ(processes(), POSIX_PROCESSES);
  CHECK_EQ(px_wait(pid[100], 0, &death), pid[100]);
  pid[100] = start(WORKER("exit", "1"));
  CHECK_EQ(px_spawn(WORKER("exit", "1"), NULL, 0), -EAGAIN);
  while (count--)
    ends_with(pid[count], 1);
  CHECK_EQ(px_wait(0, 0, NULL), -ECHILD);
}

/* ---- Killing ------------------------------------------------------------------------------------------------------------ */
static void whom_to_kill(void) {
  uint64_t pid = start(WORKER("sleep"));
  CHECK_EQ(px_kill(pid, 0), 0);
  CHECK_EQ(px_kill(pid, 32), -EINVAL);
  CHECK_EQ(px_kill(pid, -1), -EINVAL);
  CHECK_EQ(px_kill(pid, INT_MIN), -EINVAL);
  CHECK_EQ(px_kill(own_pid(), 9), -EPERM);
  CHECK_EQ(px_kill((uint64_t) - (int64_t)pid, 9), -ESRCH); /* leads no job */
  CHECK_EQ(px_kill(1, 9), -ESRCH);                         /* the driver, and the server itself */
  CHECK_EQ(px_kill(2, 9), -ESRCH);
  CHECK_EQ(px_kill(~0ul, 9), -ESRCH);
  CHECK_EQ(px_wait(pid, POSIX_WAIT_NOHANG, NULL), 0);
  CHECK_EQ(px_kill(pid, 9), 0);
  settle();
  CHECK_EQ(px_kill(pid, 9), 0); /* it is still there to be waited for */
  CHECK_EQ(px_wait(pid, 0, NULL), pid);
  CHECK_EQ(px_kill(pid, 9), -ESRCH);
}

static void every_state(void) {
  static const char *const roles[] = {"spin", "sleep", "wait", "pager"};
  for (unsigned i = 0; i < sizeof roles / sizeof *roles; i++)
    for (unsigned round = 0; round < 6; round++) {
      uint64_t pid = start(WORKER(roles[i]));
      q_sleep_until(q_time() + round * 40001);
      kill_it(pid);
      end_all_but_me(); /* the child of the one that waits */
    }
}

static void unwelcome_readers(void) {
  uint64_t pid[2];
  for (unsigned i = 0; i < 2; i++)
    pid[i] = (uint64_t)px_spawn(WORKER("read"), NULL, POSIX_SPAWN_JOB);
  for (unsigned i = 0; i < 2; i++)
    ends_with(pid[i], 100 + EIO);
  uint64_t reader = start(WORKER("read")); /* in the foreground; killed while it waits for a line */
  settle();
  struct posix_process entry;
  CHECK_EQ(px_list(reader, &entry, 1), 1);
  CHECK_EQ(entry.waits, POSIX_read);
  kill_it(reader);
}

/* ---- Asking ------------------------------------------------------------------------------------------------------------ */
static int64_t list_into(uint64_t first, void *to, uint64_t bytes, uint64_t *entries) {
  struct q_call c = {.label = POSIX_list, .word = {first}, .write = to, .write_bytes = bytes};
  CHECK_EQ(q_call(p_server, &c), 0);
  *entries = c.word[0];
  return (int64_t)c.label;
}

static void lists(void) {
  static struct posix_process list[64];
  uint64_t pid[40], n, base;
  for (unsigned i = 0; i < 40; i++)
    pid[i] = start(WORKER("sleep"));
  CHECK_EQ(processes(), 41);
  n = (uint64_t)px_list(0, list, 64);
  CHECK(n > 1 && n <= 41);
  base = list[0].pid;
  for (unsigned size = 1; size < 8; size += 3) { /* in small pieces: each once, in order */
    unsigned seen = 0;
    uint64_t first = 0;
    for (int64_t got; (got = px_list(first, list, size)) > 0; seen += (unsigned)got) {
      CHECK(list[0].pid >= first && got <= size);
      for (int64_t i = 1; i < got; i++)
        CHECK(list[i].pid > list[i - 1].pid);
      first = list[got - 1].pid + 1;
    }
    CHECK_EQ(seen, 41);
  }
  CHECK_EQ(list_into(0, list, sizeof *list - 1, &n), 0);
  CHECK_EQ(n, 0);
  CHECK_EQ(list_into(~0ul, list, sizeof list, &n), 0);
  CHECK_EQ(n, 0);
  CHECK_EQ(list_into(0, NULL, 0, &n), 0);
  CHECK_EQ(list_into(0, NULL, sizeof *list, &n), EFAULT);
  CHECK_EQ(list_into(0, (void *)~0ul, sizeof *list, &n), EFAULT);
  CHECK_EQ(list_into(0, (void *)(uintptr_t)settle, sizeof *list, &n), EFAULT);
  char *page = fresh(2);
  CHECK_EQ(list_into(base, page + PAGE - 8, sizeof *list, &n), 0);
  CHECK_EQ(n, 1);
  CHECK_EQ(((struct posix_process *)(page + PAGE - 8))->pid, base);
  give_back(2);
  for (unsigned i = 0; i < 40; i++)
    kill_it(pid[i]);
}

static void identities(void) {
  struct posix_process own, other;
  CHECK(px_identity(0, &own) > 0);
  CHECK_EQ(getpid(), own.pid);
  CHECK_EQ(own.parent, 0);
  CHECK_EQ(own.job, own.pid);
  uint64_t pid = start(WORKER("sleep")), job = (uint64_t)px_spawn(WORKER("sleep"), NULL, POSIX_SPAWN_JOB);
  CHECK_EQ(px_identity(pid, &other), pid);
  CHECK_EQ(other.parent, own.pid);
  CHECK_EQ(other.job, own.pid);
  CHECK_EQ(px_identity(job, &other), job);
  CHECK_EQ(other.job, job);
  CHECK_EQ(px_identity(~0ul, &other), -ESRCH);
  CHECK_EQ(px_identity(1, &other), -ESRCH);
  kill_it(pid);
  kill_it(job);
  CHECK_EQ(px_identity(pid, &other), -ESRCH);
}

static void who_has_the_console(void) {
  struct posix_process own;
  uint64_t member = start(WORKER("sleep")), job = (uint64_t)px_spawn(WORKER("sleep"), NULL, POSIX_SPAWN_JOB);
  CHECK_EQ(px_foreground(member), -ESRCH); /* leads no job */
  CHECK_EQ(px_foreground(0), -ESRCH);
  CHECK_EQ(px_foreground(~0ul), -ESRCH);
  CHECK_EQ(px_foreground(own_pid()), 0);
  CHECK_EQ(px_foreground(job), 0);
  char byte;
  errno = 0;
  CHECK_EQ(read(0, &byte, 1), -1); /* the one who gave it away is in the background */
  CHECK_EQ(errno, EIO);
  CHECK_EQ(px_foreground(own_pid()), 0); /* only the first process may take it back */
  CHECK_EQ(px_foreground(job), 0);
  CHECK_EQ(px_spawn(WORKER("exit", "0"), NULL, POSIX_SPAWN_JOB | POSIX_SPAWN_FOREGROUND), -EPERM);
  kill_it(job); /* and with its end it is back */
  CHECK_EQ(read(0, &byte, 0), 0);
  job = (uint64_t)px_spawn(WORKER("read"), NULL, POSIX_SPAWN_FOREGROUND);
  errno = 0;
  CHECK_EQ(read(0, &byte, 1), -1);
  CHECK_EQ(errno, EIO);
  settle();
  CHECK_EQ(px_identity(job, &own), job);
  CHECK_EQ(own.job, job);
  kill_it(job);
  CHECK_EQ(read(0, &byte, 0), 0);
  kill_it(member);
}

static void terminal_attributes(void) {
  struct termios before, raw, now;
  struct winsize size = {0};
  int pipe_fds[2];
  CHECK_EQ(tcgetattr(0, &before), 0);
  CHECK_EQ(before.c_lflag & (ICANON | ECHO | ISIG), ICANON | ECHO | ISIG);
  raw = before;
  raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
  CHECK_EQ(tcsetattr(0, TCSANOW, &raw), 0);
  CHECK_EQ(px_terminal(0, POSIX_TERMINAL_ASK), POSIX_TERMINAL_RAW | POSIX_TERMINAL_QUIET);
  CHECK_EQ(tcgetattr(0, &now), 0);
  CHECK_EQ(now.c_lflag & (ICANON | ECHO | ISIG), ISIG);
  cfmakeraw(&raw);
  CHECK_EQ(tcsetattr(0, TCSADRAIN, &raw), 0);
  CHECK_EQ(px_terminal(0, POSIX_TERMINAL_ASK), POSIX_TERMINAL_RAW | POSIX_TERMINAL_QUIET | POSIX_TERMINAL_PLAIN);
  CHECK_EQ(tcsetattr(0, TCSAFLUSH, &before), 0);
  CHECK_EQ(px_terminal(0, POSIX_TERMINAL_ASK), 0);
  CHECK_EQ(tcsetattr(0, 77, &before), -1);
  CHECK_EQ(tcsetattr(0, TCSANOW, (void *)8), -1);
  CHECK_EQ(errno, EFAULT);
  CHECK_EQ(ioctl(0, TIOCGWINSZ, &size), 0);
  CHECK(size.ws_row == 24 && size.ws_col == 80);
  CHECK_EQ(pipe(pipe_fds), 0);
  CHECK_EQ(tcgetattr(pipe_fds[0], &now), -1);
  CHECK_EQ(errno, ENOTTY);
  CHECK_EQ(ioctl(pipe_fds[0], TIOCGWINSZ, &size), -1);
  CHECK_EQ(errno, ENOTTY);
  close(pipe_fds[0]);
  close(pipe_fds[1]);
}

static void terminal_groups(void) {
  uint64_t job = (uint64_t)px_spawn(WORKER("sleep"), NULL, POSIX_SPAWN_JOB);
  CHECK_EQ(tcgetpgrp(0), getpid());
  CHECK_EQ(tcsetpgrp(0, (pid_t)job), 0);
  CHECK_EQ(tcgetpgrp(0), job);
  CHECK_EQ(tcsetpgrp(0, getpid()), 0);
  CHECK_EQ(tcsetpgrp(0, 999999), -1);
  CHECK_EQ(tcsetpgrp(99, getpid()), -1);
  CHECK_EQ(errno, EBADF);
  kill_it(job);
}

/* A process enters a job after it was made: what a shell does with those that it forks. */
static void jobs_entered_later(void) {
  struct posix_process other;
  uint64_t a = start(WORKER("sleep")), b = start(WORKER("sleep"));
  uint64_t led = (uint64_t)px_spawn(WORKER("sleep"), NULL, POSIX_SPAWN_JOB);
  CHECK_EQ(px_job(~0ul, 0, 0), -ESRCH);
  CHECK_EQ(px_job(1, 0, 0), -ESRCH);
  CHECK_EQ(px_job(a, b, 0), -ESRCH); /* leads no job */
  CHECK_EQ(px_job(a, ~0ul, 0), -ESRCH);
  CHECK_EQ(px_job(a, 0, ~0u), -EINVAL);
  CHECK_EQ(px_job(led, own_pid(), 0), -EPERM);
  CHECK_EQ(px_job(led, led, 0), 0);
  CHECK_EQ(px_job(a, 0, 0), 0);
  CHECK_EQ(px_job(a, led, 0), -EPERM); /* who leads stays */
  CHECK_EQ(px_job(0, a, 0), -EPERM);
  CHECK_EQ(px_job(b, a, POSIX_SPAWN_FOREGROUND), 0);
  CHECK_EQ(px_identity(b, &other), b);
  CHECK_EQ(other.job, a);
  CHECK_EQ(px_job(a, a, POSIX_SPAWN_FOREGROUND), 0); /* it is there already, though the caller is not */
  CHECK_EQ(px_job(led, led, POSIX_SPAWN_FOREGROUND), -EPERM);
  CHECK_EQ(read(0, NULL, 0), -1);
  kill_it(a); /* the console is back */
  CHECK_EQ(read(0, NULL, 0), 0);
  kill_it(b);
  CHECK_EQ(px_job(b, 0, 0), -ESRCH);
  kill_it(led);
}

static void modes_of_the_console(void) {
  int ends[2];
  uint64_t job = (uint64_t)px_spawn(WORKER("sleep"), NULL, POSIX_SPAWN_JOB);
  CHECK_EQ(px_terminal(0, POSIX_TERMINAL_ASK), 0);
  CHECK_EQ(px_terminal(0, POSIX_TERMINAL_RAW), 0);
  CHECK_EQ(px_terminal(1, POSIX_TERMINAL_ASK), POSIX_TERMINAL_RAW);
  CHECK_EQ(px_terminal(1, 8), -EINVAL);
  CHECK_EQ(px_terminal(99, 0), -EBADF);
  CHECK_EQ(pipe(ends), 0);
  CHECK_EQ(px_terminal(ends[0], 0), -ENOTTY);
  close(ends[0]), close(ends[1]);
  CHECK_EQ(px_foreground(job), 0);
  CHECK_EQ(px_terminal(0, 0), -EIO);
  CHECK_EQ(px_terminal(0, POSIX_TERMINAL_ASK), POSIX_TERMINAL_RAW);
  kill_it(job);
  CHECK_EQ(px_terminal(0, 0), POSIX_TERMINAL_RAW);
  CHECK_EQ(px_terminal(0, 0), 0);
}

/* The leader of the foreground job ends; a child of that job lives on, and starts a job in the foreground before. When that
 * ends, nobody leads the job of its parent: the console is the first process's again. */
static void a_job_without_a_leader(void) {
  char byte;
  uint64_t leader = (uint64_t)px_spawn(WORKER("middle"), NULL, POSIX_SPAWN_JOB | POSIX_SPAWN_FOREGROUND);
  settle(); /* the job of its child has the foreground now */
  ends_with(leader, 0);
  CHECK_EQ(living(0, leader), 1);
  uint64_t late = found_pid;
  CHECK_EQ(living(late, 0), 1);
  CHECK_EQ(read(0, &byte, 0), -1);
  for (unsigned i = 0; i < 10 && living(late, 0); i++)
    settle();
  CHECK_EQ(living(late, 0), 0);
  CHECK_EQ(read(0, &byte, 0), 0);
  CHECK_EQ(px_kill(late, 9), 0);
  CHECK_EQ(px_wait(late, 0, NULL), -ECHILD);
  CHECK_EQ(read(0, &byte, 0), 0);
}

/* ---- The console ---------------------------------------------------------------------------------------------------------- */
static int64_t write_of(uint64_t descriptor, const void *text, uint64_t bytes, uint64_t *done) {
  struct q_call c = {.label = POSIX_write, .word = {descriptor}, .read = text, .read_bytes = bytes};
  CHECK_EQ(q_call(p_server, &c), 0);
  *done = c.word[0];
  return (int64_t)c.label;
}

static uint64_t sent(void) { /* once the driver has come to rest */
  struct posix_console counts = {0};
  uint64_t before = ~0ul;
  for (unsigned i = 0; i < 50 && before != counts.sent; i++) {
    before = counts.sent;
    settle();
    CHECK_EQ(px_console(&counts), 0);
  }
  return counts.sent;
}

static void odd_writes(void) {
  uint64_t done, brk = (uint64_t)p_sbrk_bytes(0, 0), before = sent();
  CHECK_EQ(write_of(1, NULL, 0, &done), 0);
  CHECK_EQ(done, 0);
  static const uint64_t descriptors[] = {3, 4, 64, 1ul << 32 | 1, ~0ul};
  for (unsigned i = 0; i < sizeof descriptors / sizeof *descriptors; i++)
    CHECK_EQ(write_of(descriptors[i], "# x\n", 4, &done), EBADF);
  CHECK_EQ(write_of(1, NULL, 1, &done), EFAULT);
  CHECK_EQ(write_of(2, (void *)brk, 1, &done), EFAULT);
  CHECK_EQ(write_of(2, (void *)Q_USER_TOP, 1ul << 62, &done), EFAULT);
  CHECK_EQ(write_of(1, (void *)~0ul, 1, &done), EFAULT);
  CHECK_EQ(write_of(1, NULL, ~0ul, &done), EFAULT);
  char byte;
  CHECK_EQ(ask((struct q_call){.label = POSIX_read, .word = {3}, .write = &byte, .write_bytes = 1}), EBADF);
  CHECK_EQ(ask((struct q_call){.label = POSIX_read, .word = {~0ul}, .write = &byte, .write_bytes = 1}), EBADF);
  CHECK_EQ(ask((struct q_call){.label = POSIX_console, .write = &byte, .write_bytes = 1}), EINVAL);
  CHECK_EQ(ask((struct q_call){.label = POSIX_console, .write = NULL, .write_bytes = 40}), EFAULT);
  CHECK_EQ(sent(), before);
}

/* Comment lines over many pages of a file that nobody has touched yet: each page comes in the middle of the copy. */
static const char huge[32 * PAGE] = {
#define ROW "# ...........................................................\n"
#define ROWS8 ROW ROW ROW ROW ROW ROW ROW ROW
#define ROWS64 ROWS8 ROWS8 ROWS8 ROWS8 ROWS8 ROWS8 ROWS8 ROWS8
    ROWS64 ROWS64 ROWS64 ROWS64 ROWS64 ROWS64 ROWS64 ROWS64};

static void a_huge_write(void) {
  uint64_t done, before = sent(), bytes = 512 * (sizeof ROW - 1);
  CHECK_EQ(write_of(1, huge, bytes, &done), 0);
  CHECK_EQ(done, bytes);
  CHECK_EQ(sent() - before, bytes + 512); /* a carriage return each */
  char *text = fresh(3);
  memcpy(text + 3 * PAGE - 4, "# x\n", 4);
  before = sent();
  CHECK_EQ(write_of(1, text + 3 * PAGE - 4, 5, &done), EFAULT); /* it ends beyond the break */
  CHECK_EQ(sent(), before);
  give_back(3);
}

/* ---- Many requests of one process ----------------------------------------------------------------------------------------- */
static void many_threads(void) {
  ends_with(start(WORKER("threads")), 0);
}

static void threads_that_are_gone(void) {
  ends_with(start(WORKER("gone")), 0);
}

/* Forty programs fill the server with requests; others still can wait. */
static void crowds(void) {
  enum { CROWDS = 40 };
  uint64_t pid[CROWDS];
  for (unsigned i = 0; i < CROWDS; i++)
    pid[i] = start(WORKER("crowd"));
  settle();
  ends_with(start(WORKER("nap", "100000", "3")), 3);
  for (unsigned i = 0; i < CROWDS; i++)
    CHECK_EQ(px_kill(pid[i], 9), 0);
  for (unsigned i = 0; i < CROWDS; i++)
    CHECK_EQ(px_wait(pid[i], 0, NULL), pid[i]);
  end_all_but_me(); /* their children */
}

/* ---- Storms ---------------------------------------------------------------------------------------------------------------- */
static void storm(void) {
  start(WORKER("storm"));
  unsigned before = 0;
  while (processes() > before && processes() < POSIX_PROCESSES) {
    before = processes();
    settle();
  }
  if (harts() > 1) /* where none may have come while that slept */
    WAIT_FOR(processes() > 500);
  CHECK(processes() > 500);
  int64_t refused; /* though some that had no frame have ended, and left room */
  while ((refused = px_spawn(ARGV("victim", "sleep"), NULL, 0)) > 0)
    ;
  CHECK(refused == -EAGAIN || refused == -ENOMEM);
  end_all_but_me();
  CHECK_EQ(px_wait(0, 0, NULL), -ECHILD);
}

static void brief_storm(void) { /* whose parents end before their children: all become this one's */
  ends_with(start(WORKER("burst", "9")), 5);
  CHECK_EQ(px_wait(0, 0, NULL), -ECHILD);
  CHECK_EQ(processes(), 1);
}

/* ---- fork, exec, posix_spawn ----------------------------------------------------------------------------------------------- */
static int status_of(pid_t pid) {
  int status = -1;
  CHECK_EQ(waitpid(pid, &status, 0), pid);
  return status;
}

static int exits(pid_t pid) { /* with that; -1: it did not exit */
  int status = status_of(pid);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* What the compiler keeps in registers across the call, whole and floating, and what lies in memory. */
static void forks(void) {
  static volatile int shared;
  double f = (double)getpid() / 3;
  long a = getpid() + 1, b = a * 3, c = b ^ 5;
  shared = 1;
  pid_t pid = fork();
  if (!pid) {
    struct posix_process own;
    bool same = f == (double)(a - 1) / 3 && b == a * 3 && c == (b ^ 5) && shared == 1;
    shared = 2;
    px_identity(0, &own);
    _exit(same && getppid() == a - 1 && own.job == own.parent && own.pid != own.parent ? 7 : 8);
  }
  CHECK(pid > 0);
  CHECK_EQ(exits(pid), 7);
  CHECK(f == (double)(a - 1) / 3 && b == a * 3 && c == (b ^ 5));
  CHECK_EQ(shared, 1);
}

static void statuses_of_signals(void) {
  static const int signals[] = {SIGHUP, SIGINT, SIGTERM, SIGKILL, SIGUSR1};
  for (unsigned i = 0; i < sizeof signals / sizeof *signals; i++) {
    uint64_t pid = start(WORKER("sleep"));
    CHECK_EQ(kill((pid_t)pid, signals[i]), 0);
    int status = status_of((pid_t)pid);
    CHECK(WIFSIGNALED(status) && !WIFEXITED(status));
    CHECK_EQ(WTERMSIG(status), signals[i]);
  }
  CHECK_EQ(WTERMSIG(status_of((pid_t)start(WORKER("fault")))), SIGSEGV);
  CHECK_EQ(WTERMSIG(status_of((pid_t)start(WORKER("illegal")))), SIGILL);
  pid_t pid = fork();
  if (!pid)
    abort();
  CHECK_EQ(WTERMSIG(status_of(pid)), SIGABRT);
  CHECK_EQ(exits((pid_t)start(WORKER("exit", "300"))), 300 & 255);
  errno = 0;
  CHECK_EQ(wait(NULL), -1);
  CHECK_EQ(errno, ECHILD);
}

static char *const exit_9[] = {"any name", "exit", "9", NULL};

static int child_of_exec(const char *path, char *const argv[]) {
  pid_t pid = fork();
  if (pid)
    return exits(pid);
  execve(path, argv, environ);
  _exit(errno);
}

static void execs(void) {
  CHECK_EQ(child_of_exec("/bin/worker", exit_9), 9);
  CHECK_EQ(child_of_exec("/bin/nothing", exit_9), ENOENT);
  CHECK_EQ(child_of_exec("/bin/garbage", exit_9), ENOEXEC);
  CHECK_EQ(child_of_exec("/bin", exit_9), EACCES);
  CHECK_EQ(child_of_exec("worker", exit_9), ENOENT); /* not here */
  CHECK_EQ(child_of_exec("", exit_9), ENOENT);
  pid_t pid = fork();
  if (!pid) {
    int kept = dup(1), closed = fcntl(1, F_DUPFD_CLOEXEC, 10);
    execve("/bin/garbage", exit_9, environ); /* nothing has changed */
    if (kept != 3 || fcntl(closed, F_GETFD) != FD_CLOEXEC)
      _exit(1);
    execlp("worker", "worker", "open", "3", "10", NULL);
    _exit(2);
  }
  CHECK_EQ(exits(pid), 0);
}

/* Of a process whose other threads wait in the server, and run. */
static void thread_of_exec(void *argument) {
  if (argument)
    px_wait(0, 0, NULL);
  for (;;)
    ;
}

static void exec_of_many_threads(void) {
  static struct p_thread threads[4];
  pid_t pid = fork();
  if (!pid) {
    start(WORKER("nap", "3000000", "0"));
    for (unsigned i = 0; i < 4; i++)
      p_thread_start(&threads[i], thread_of_exec, (void *)(uintptr_t)(i % 2), Q_PRIORITY_PROGRAM);
    settle();
    execv("/bin/worker", exit_9);
    _exit(1);
  }
  CHECK_EQ(exits(pid), 9);
  CHECK_EQ(px_wait(0, 0, NULL), -ECHILD);
}

static void copy_of_worker(const char *to, mode_t mode) {
  static char page[4096];
  int in = open("/bin/worker", O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_TRUNC, mode);
  for (ssize_t got; (got = read(in, page, sizeof page)) > 0;)
    CHECK_EQ(write(out, page, (size_t)got), got);
  close(in), close(out);
}

/* A program that was written; it runs on while its file is written again, cut and removed. */
static void written_programs(void) {
  char *const nap[] = {"x", "nap", "1500000", "6", NULL};
  copy_of_worker("/tmp/x", 0755);
  CHECK_EQ(child_of_exec("/tmp/x", exit_9), 9);
  pid_t pid = fork();
  if (!pid) {
    execv("/tmp/x", nap);
    _exit(1);
  }
  settle();
  int fd = open("/tmp/x", O_WRONLY);
  CHECK_EQ(pwrite(fd, "nonsense", 8, 0), 8);
  CHECK_EQ(child_of_exec("/tmp/x", exit_9), ENOEXEC);
  CHECK_EQ(pwrite(fd, "nonsense", 8, 0x2000), 8);
  CHECK_EQ(ftruncate(fd, 100), 0);
  close(fd);
  CHECK_EQ(unlink("/tmp/x"), 0);
  CHECK_EQ(exits(pid), 6);
  copy_of_worker("/tmp/x", 0644);
  CHECK_EQ(child_of_exec("/tmp/x", exit_9), EACCES);
  CHECK_EQ(unlink("/tmp/x"), 0);
}

static void spawned(void) {
  pid_t pid;
  char back[32] = "";
  posix_spawn_file_actions_t actions;
  char *const hello[] = {"echo", "hello", NULL};
  CHECK_EQ(posix_spawn(&pid, "/bin/worker", NULL, NULL, exit_9, environ), 0);
  CHECK_EQ(exits(pid), 9);
  CHECK_EQ(posix_spawnp(&pid, "worker", NULL, NULL, exit_9, environ), 0);
  CHECK_EQ(exits(pid), 9);
  CHECK_EQ(posix_spawn(&pid, "worker", NULL, NULL, exit_9, environ), ENOENT);
  CHECK_EQ(posix_spawn_file_actions_init(&actions), 0);
  CHECK_EQ(posix_spawn_file_actions_addopen(&actions, 1, "/tmp/out", O_WRONLY | O_CREAT, 0600), 0);
  CHECK_EQ(posix_spawn_file_actions_addclose(&actions, 3), 0);
  CHECK_EQ(posix_spawnp(&pid, "echo", &actions, NULL, hello, environ), 0);
  CHECK_EQ(exits(pid), 0);
  CHECK_EQ(posix_spawnp(&pid, "nothing", &actions, NULL, hello, environ), ENOENT);
  CHECK_EQ(posix_spawn_file_actions_adddup2(&actions, 77, 0), 0);
  CHECK_EQ(posix_spawnp(&pid, "echo", &actions, NULL, hello, environ), EBADF);
  CHECK_EQ(posix_spawn_file_actions_destroy(&actions), 0);
  int fd = open("/tmp/out", O_RDONLY);
  CHECK_EQ(read(fd, back, sizeof back), 6);
  CHECK(!strcmp(back, "hello\n"));
  close(fd);
  CHECK_EQ(unlink("/tmp/out"), 0);
  CHECK_EQ(px_wait(0, 0, NULL), -ECHILD);
}

/* Generations that end before their children, more than one of them at a time. */
static void forks_of_forks(void) {
  for (unsigned i = 0; i < 20; i++) {
    pid_t pid = fork();
    if (!pid) {
      while (fork() == 0 && fork() == 0 && i++ < 23)
        ;
      _exit(0);
    }
    CHECK_EQ(exits(pid), 0);
  }
  CHECK_EQ(px_wait(0, 0, NULL), -ECHILD);
  CHECK_EQ(processes(), 1);
}

/* ---- Hostile ------------------------------------------------------------------------------------------------------------- */
static uint64_t seed = 1, seeds = 12, calls = 1500;

static void hostile(void) {
  char number[2][24];
  for (uint64_t i = 0; i < seeds; i++) {
    struct p_death death = {0};
    snprintf(number[0], sizeof *number, "%lu", (unsigned long)(seed + i));
    snprintf(number[1], sizeof *number, "%lu", (unsigned long)calls);
    uint64_t neighbour = start(WORKER("neighbour", "20"));
    uint64_t pid = start(WORKER("hostile", number[0], number[1]));
    while (px_wait(pid, 0, &death) != (int64_t)pid)
      ;
    if (death.reason != P_REASON_EXIT || death.status)
      printf("# seed %s: reason %lu status %ld pc %lx address %lx\n", number[0], (unsigned long)death.reason,
             (long)death.status, (unsigned long)death.pc, (unsigned long)death.address);
    CHECK_EQ(death.reason, P_REASON_EXIT);
    CHECK_EQ(death.status, 0);
    ends_with(neighbour, 0);
    end_all_but_me();
  }
  printf("# seeds %lu to %lu, %lu calls each\n", (unsigned long)seed, (unsigned long)(seed + seeds - 1),
         (unsigned long)(602 + calls));
  CHECK_EQ(p_trace_ring(P_TRACE_STOP, 0, NULL, 0, NULL), 0); /* one of them may have asked for it */
}

static void not_the_pagers_business(void) {
  char number[24];
  uint64_t other = start(WORKER("sleep"));
  snprintf(number, sizeof number, "%lu", (unsigned long)other);
  ends_with(start(WORKER("forbidden", number)), 0);
  kill_it(other);
}

static const struct test tests[] = {
    {"arguments and environment arrive byte by byte", strings_arrive},
    {"arguments as long as can be, and longer", as_long_as_can_be},
    {"spawns that are refused leave nothing", refused_spawns},
    {"every status arrives", statuses},
    {"ends by a fault, an exception, a kill", other_ends},
    {"waiting for any, for one, for nobody", whom_to_wait_for},
    {"a death record that cannot be written loses no child", bad_records},
    {"orphans are the first process's", orphans},
    {"as many processes as can be, ended ones among them", too_many},
    {"killing nobody, the first process, with no signal", whom_to_kill},
    {"killed in every state", every_state},
    {"readers in the background, and one killed while it reads", unwelcome_readers},
    {"lists in pieces, into bad buffers", lists},
    {"identities", identities},
    {"the foreground is given only by who has it", who_has_the_console},
    {"a job entered after the process was made", jobs_entered_later},
    {"attributes of the terminal", terminal_attributes},
    {"process groups at the terminal", terminal_groups},
    {"modes of the console, asked and set by whom", modes_of_the_console},
    {"a foreground job whose parent's job has no leader", a_job_without_a_leader},
    {"writes of nothing, of what is not there, to what is not there", odd_writes},
    {"a huge write", a_huge_write},
    {"more threads that wait than may", many_threads},
    {"threads destroyed while they wait", threads_that_are_gone},
    {"programs with many requests leave room for others", crowds},
    {"a storm of spawns to the limit", storm},
    {"a storm of spawns that ends by itself", brief_storm},
    {"a client may not ask the pager to spawn, watch, reap or kill", not_the_pagers_business},
    {"fork: registers, memory, who is whose", forks},
    {"statuses of exits and signals", statuses_of_signals},
    {"exec, and execs that are refused change nothing", execs},
    {"exec while other threads wait and run", exec_of_many_threads},
    {"a program that was written; its file changes while it runs", written_programs},
    {"posix_spawn with and without actions", spawned},
    {"forks of forks, orphans of orphans", forks_of_forks},
    {"hostile requests to the server and the pager", hostile},
};
static const struct test replay[] = {{"hostile requests to the server and the pager", hostile}};

/* The server keeps the memory that it has had once: hostile requests make files, and more of it is had here than they need. */
/* All that it is of, so that it does not end for want of memory when others have taken it all. */
static void settle_in(void) {
  extern char __image_start[], __data_start[], __image_end[];
  volatile char stack[65536];
  for (volatile char *at = __image_start; at < __image_end; at += PAGE)
    *(at < __data_start ? &stack[0] : at) = *at;
  for (unsigned i = 0; i < sizeof stack; i += PAGE)
    stack[i] = 0;
}

static void warm_up(void) {
  settle_in();
  too_many();
  storm();
  static char text[16384];
  int fd = open("/tmp/warm", O_WRONLY | O_CREAT, 0600);
  for (unsigned i = 0; i < 256; i++)
    CHECK_EQ(write(fd, text, sizeof text), sizeof text);
  close(fd);
  CHECK_EQ(unlink("/tmp/warm"), 0);
  p_system_stats(P_SYSTEM_DROP, &(struct p_system){0});
}

int main(int argc, char **argv) {
  free(malloc(4096)); /* the heap is there before anything is counted */
  if (argc < 3)
    warm_up();
  return TAP_RUN("posix", tests);
  seed = strtoul(argv[1], NULL, 0);
  calls = strtoul(argv[2], NULL, 0);
  seeds = 1;
  return TAP_RUN("posix", replay);
}
