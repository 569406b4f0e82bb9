/* SPDX-License-Identifier: BSD-2-Clause */
/* Processes: fork, exec, wait, exit and kill, among them what usertests of the teaching kernel xv6 is known to provoke, whose
 * names stand before the hazards here. Plain POSIX, so that Linux runs it too (unix.h). This program is the first process,
 * to whom orphans come. */
#include "unix.h"

#include <spawn.h>
#include <sys/stat.h>

extern char **environ;

static void nothing(void) {
}

static void spin(void) {
  for (volatile unsigned long i = 0;; i++)
    ;
}

static void sleeps(void) {
  for (;;)
    sleep(1000);
}

static void exit_given(void) {
  _exit((int)given);
}

static void kill_it(pid_t pid) {
  CHECK_EQ(kill(pid, SIGKILL), 0);
  dies(pid, SIGKILL);
}

/* ---- Ends and statuses ------------------------------------------------------------------------------------------------------- */
static void statuses(void) {
  for (uintptr_t status = 0; status < 256; status++)
    exits(begin_on(exit_given, status), (int)status);
  exits(begin_on(exit_given, 256 + 7), 7); /* POSIX: the low eight bits */
  exits(begin_on(exit_given, (uintptr_t)-1), 255);
}

static void exitwait(void) {
  for (uintptr_t i = 0; i < 100; i++) {
    pid_t pid = begin_on(exit_given, i);
    int status = -1;
    CHECK_EQ(wait(&status), pid);
    CHECK_EQ(WEXITSTATUS(status), i);
  }
}

static void signals(void) {
  static const int signal[] = {SIGKILL, SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGALRM};
  for (unsigned i = 0; i < sizeof signal / sizeof *signal; i++) {
    pid_t pid = begin(spin);
    CHECK_EQ(kill(pid, 0), 0);
    CHECK_EQ(kill(pid, signal[i]), 0);
    dies(pid, signal[i]);
    FAILS(kill(pid, 0), ESRCH);
  }
}

static void write_null(void) {
  *(volatile char *)given = 1;
}

static void illegal(void) {
#ifdef __riscv
  __asm__ volatile("unimp");
#else
  __asm__ volatile("ud2");
#endif
}

static void kill_self(void) {
  kill(getpid(), (int)given);
  MUST(false);
}

static void own_fault(void) {
  dies(begin_on(write_null, 0), SIGSEGV);
  dies(begin_on(write_null, 0xffffffff80000000), SIGSEGV);
  dies(begin(illegal), SIGILL);
  dies(begin_on(kill_self, SIGKILL), SIGKILL);
  dies(begin_on(kill_self, SIGTERM), SIGTERM);
}

static void killstatus(void) {
  for (unsigned i = 0; i < 100; i++) {
    pid_t pid = begin(spin);
    pause_for(1);
    kill_it(pid);
  }
}

static void alarm_rings(void) {
  alarm(1);
  spin();
}

static void alarm_called_off(void) {
  MUST_EQ(alarm(1), 0);
  MUST_EQ(alarm(0), 1);
  MUST_EQ(alarm(0), 0);
  pause_for(1500);
}

static void alarm_moved(void) {
  alarm(1000);
  unsigned left = alarm(1);
  MUST(left > 900 && left <= 1000);
  sleeps();
}

static void alarm_not_inherited(void) {
  alarm(1000);
  dies(begin(alarm_rings), SIGALRM);
  exits(begin(alarm_called_off), 0);
  MUST(alarm(0) > 900);
}

static void alarms(void) {
  dies(begin(alarm_rings), SIGALRM);
  exits(begin(alarm_called_off), 0);
  dies(begin(alarm_moved), SIGALRM);
  exits(begin(alarm_not_inherited), 0);
}

static void wrong_kills(void) {
  pid_t pid = begin(sleeps);
  FAILS(kill(1 << 29, SIGKILL), ESRCH);
  FAILS(kill(pid, 1000), EINVAL);
  FAILS(kill(pid, -1), EINVAL);
  kill_it(pid);
}

/* It has ended, but its status is still to be had: kill finds it, and changes nothing. */
static void kill_zombie(void) {
  pid_t pid = begin_on(exit_given, 3);
  pause_for(20);
  CHECK_EQ(kill(pid, 0), 0);
  CHECK_EQ(kill(pid, SIGKILL), 0);
  exits(pid, 3);
}

/* ---- Waiting --------------------------------------------------------------------------------------------------------------- */
static struct gate go, hung, full;

static void passes(void) {
  gate_pass(&go);
  _exit(9);
}

static void no_hang(void) {
  int status = 77;
  gate_make(&go);
  pid_t pid = begin(passes);
  CHECK_EQ(waitpid(pid, &status, WNOHANG), 0);
  CHECK_EQ(waitpid(-1, &status, WNOHANG), 0);
  CHECK_EQ(status, 77);
  gate_open(&go);
  pid_t got = 0;
  while (!(got = waitpid(-1, &status, WNOHANG)))
    pause_for(1);
  CHECK_EQ(got, pid);
  CHECK_EQ(WEXITSTATUS(status), 9);
  FAILS(waitpid(-1, &status, WNOHANG), ECHILD);
  gate_close(&go);
}

static void particular(void) {
  gate_make(&go);
  pid_t late = begin(passes), first = begin_on(exit_given, 1), second = begin_on(exit_given, 2);
  exits(second, 2);
  CHECK_EQ(waitpid(late, NULL, WNOHANG), 0);
  exits(first, 1);
  gate_open(&go);
  exits(late, 9);
  gate_close(&go);
}

static void waits_for_given(void) {
  MUST_FAIL(waitpid((pid_t)given, NULL, 0), ECHILD);
  MUST_FAIL(waitpid(-1, NULL, 0), ECHILD);
  MUST_FAIL(wait(NULL), ECHILD);
}

static void nobodys_child(void) {
  FAILS(waitpid(-1, NULL, 0), ECHILD);
  FAILS(waitpid(getpid(), NULL, 0), ECHILD);
  FAILS(waitpid(1 << 29, NULL, 0), ECHILD);
  pid_t other = begin(sleeps);
  exits(begin_on(waits_for_given, (uintptr_t)other), 0); /* a sibling */
  exits(begin_on(waits_for_given, (uintptr_t)getpid()), 0);
  FAILS(waitpid(other, NULL, 0x4000), EINVAL);
  kill_it(other);
  FAILS(waitpid(other, NULL, 0), ECHILD); /* just once */
}

static void twochildren(void) {
  for (unsigned i = 0; i < 500; i++) {
    pid_t one = begin(nothing), two = begin(nothing), got = wait(NULL);
    CHECK(got == one || got == two);
    CHECK_EQ(wait(NULL), got == one ? two : one);
  }
}

/* ---- Trees ----------------------------------------------------------------------------------------------------------------- */
static void two_hundred(void) {
  for (unsigned i = 0; i < 200; i++)
    MUST_EQ(status_of(begin(nothing)), 0);
}

static void forkfork(void) {
  pid_t one = begin(two_hundred), two = begin(two_hundred);
  exits(one, 0);
  exits(two, 0);
}

/* All that are there fork, until there are a thousand or one cannot. */
static void forks_and_forks(void) {
  for (unsigned depth = 0; depth < 10 && access("stop", F_OK); depth++)
    if (fork() < 0)
      close(open("stop", O_CREAT | O_RDWR, 0666));
  while (access("stop", F_OK))
    pause_for(10);
}

static void forkforkfork(void) {
  pid_t pid = begin(forks_and_forks);
  pause_for(300);
  close(open("stop", O_CREAT | O_RDWR, 0666));
  exits(pid, 0);
  drain(); /* its children, and theirs */
  CHECK_EQ(unlink("stop"), 0);
  exits(begin(nothing), 0);
}

#define MANY 1000

static void until_let_go(void) {
  char byte;
  close(hung.fd[1]);
  MUST_EQ(read(hung.fd[0], &byte, 1), 0);
}

/* As many as there can be, all of them alive; then none. */
static unsigned fork_many(unsigned most) {
  unsigned count = 0;
  gate_make(&hung);
  for (; count < most; count++) {
    pid_t pid = fork();
    if (!pid) {
      until_let_go();
      _exit(0);
    }
    if (pid < 0)
      break;
  }
  CHECK(count == most || errno == EAGAIN || errno == ENOMEM);
  close(hung.fd[1]);
  for (unsigned i = 0; i < count; i++) {
    int status = -1;
    CHECK(wait(&status) > 0);
    CHECK_EQ(status, 0);
  }
  close(hung.fd[0]);
  return count;
}

static void forktest(void) {
  unsigned count = fork_many(MANY);
  CHECK_EQ(count, MANY); /* there is memory for so many */
  FAILS(wait(NULL), ECHILD);
  CHECK_EQ(fork_many(MANY), count); /* what the first ones had is there again */
}

static void parent_of_one(void) {
  MUST(fork() >= 0);
}

static void reparent_body(void) {
  for (unsigned i = 0; i < 200; i++)
    MUST_EQ(status_of(begin(parent_of_one)), 0);
}

static void reparent(void) {
  exits(begin(reparent_body), 0);
  drain();
}

static void parent_of_two(void) {
  MUST(fork() >= 0);
  MUST(fork() >= 0);
}

static void reparent2(void) {
  for (unsigned i = 0; i < 200; i++)
    CHECK(status_of(begin(parent_of_two)) == 0);
  drain();
}

static pid_t first_process;

static void orphan(void) {
  pid_t parent = (pid_t)given;
  MUST_EQ(getppid(), parent);
  gate_open(&hung);
  while (getppid() == parent)
    pause_for(1);
  gate_pass(&go);
  MUST_EQ(getppid(), first_process);
  gate_open(&hung);
}

static void leaves_orphan(void) {
  begin_on(orphan, (uintptr_t)getpid());
  gate_pass(&hung);
}

/* The first process is the parent of whoever has lost theirs. */
static void orphans(void) {
  gate_make(&go), gate_make(&hung);
  first_process = getpid();
  exits(begin(leaves_orphan), 0);
  FAILS(waitpid(1 << 29, NULL, 0), ECHILD);
  CHECK_EQ(waitpid(-1, NULL, WNOHANG), 0); /* it lives, and is this one's child now */
  gate_open(&go);
  gate_pass(&hung);
  drain();
  gate_close(&go), gate_close(&hung);
}

static void tells_parent(void) {
  MUST_EQ(getppid(), given);
  MUST(getpid() != (pid_t)given);
}

static void parents(void) {
  exits(begin_on(tells_parent, (uintptr_t)getpid()), 0);
}

static void leaves_zombies(void) {
  for (uintptr_t i = 0; i < 50; i++)
    begin_on(exit_given, i);
  pause_for(50);
}

/* Children that ended before a parent that did not wait for them. */
static void zombies(void) {
  for (unsigned i = 0; i < 20; i++) {
    exits(begin(leaves_zombies), 0);
    drain();
  }
}

static void preempt_pipe(void) {
  gate_open(&go);
  spin();
}

/* Nobody can keep the processor. */
static void preempt(void) {
  gate_make(&go);
  pid_t one = begin(spin), two = begin(spin), three = begin(preempt_pipe);
  gate_pass(&go);
  kill_it(one), kill_it(two), kill_it(three);
  gate_close(&go);
}

/* ---- exec ------------------------------------------------------------------------------------------------------------------ */
static int counter = 5;
static char path_of_file[] = "exec";

/* What exec begins; argv[1] says what it is to look at, the status whether that is so. */
static int role_status(char **argv) {
  return atoi(argv[2]);
}

static int role_echo(char **argv) {
  size_t bytes = strlen(argv[2]);
  return write(1, argv[2], bytes) != (ssize_t)bytes;
}

static int role_fresh(char **argv) {
  return counter != 5 || getpid() != atoi(argv[2]) || getppid() != atoi(argv[3]);
}

static int role_strings(char **argv) {
  return strcmp(argv[2], "") || strcmp(argv[3], "two words") || strcmp(argv[4], "\x01\xff=") || argv[5] ||
         strcmp(environ[0], "A=1") || strcmp(environ[1], "B=") || environ[2];
}

static int role_descriptors(char **argv) {
  char text[4];
  int kept = atoi(argv[2]), closed = atoi(argv[3]);
  if (read(kept, text, 3) != 3 || memcmp(text, "def", 3)) /* at the offset it had */
    return 1;
  return fcntl(closed, F_GETFD) != -1 || errno != EBADF ? 2 : fcntl(kept, F_GETFD) != 0;
}

static int role_folder(char **argv) {
  char now[256];
  return !getcwd(now, sizeof now) || strcmp(now, argv[2]);
}

static int role_again(char **argv) {
  char number[16];
  int left = atoi(argv[2]);
  snprintf(number, sizeof number, "%d", left - 1);
  return left ? execv(own_program, (char *[]){argv[0], argv[1], number, NULL}) : 0;
}

static const struct role {
  const char *name;
  int (*run)(char **argv);
} roles[] = {
    {"status", role_status},           {"echo", role_echo},     {"fresh", role_fresh}, {"strings", role_strings},
    {"descriptors", role_descriptors}, {"folder", role_folder}, {"again", role_again}};

static int play(char **argv) {
  for (unsigned i = 0; i < sizeof roles / sizeof *roles; i++)
    if (!strcmp(roles[i].name, argv[1]))
      return roles[i].run(argv);
  return 99;
}

#define EXEC(...) execv(own_program, (char *[]){"t_process", __VA_ARGS__, NULL})

static void exec_echo(void) {
  close(1);
  MUST_EQ(open(path_of_file, O_CREAT | O_WRONLY | O_TRUNC, 0644), 1);
  EXEC("echo", "OK");
  _exit(7);
}

static void exectest(void) {
  char back[4] = "";
  exits(begin(exec_echo), 0);
  int fd = open(path_of_file, O_RDONLY);
  CHECK_EQ(read(fd, back, 4), 2);
  CHECK(!strcmp(back, "OK"));
  close(fd);
  CHECK_EQ(unlink(path_of_file), 0);
}

static void exec_status(void) {
  char number[16];
  snprintf(number, sizeof number, "%d", (int)given);
  EXEC("status", number);
}

static void exec_statuses(void) {
  for (uintptr_t i = 0; i < 256; i += 15)
    exits(begin_on(exec_status, i), (int)i);
}

static void exec_fresh(void) {
  char own[16], parent[16];
  snprintf(own, sizeof own, "%d", (int)getpid());
  snprintf(parent, sizeof parent, "%d", (int)getppid());
  counter = 6;
  fill(fresh(1000), 1000 * PAGE, 1);
  EXEC("fresh", own, parent);
}

static void exec_strings(void) {
  execve(own_program, (char *[]){"t_process", "strings", "", "two words", "\x01\xff=", NULL},
         (char *[]){"A=1", "B=", NULL});
}

static void exec_again(void) {
  EXEC("again", "50");
}

static void exec_keeps(void) {
  exits(begin(exec_fresh), 0);
  exits(begin(exec_strings), 0);
  exits(begin(exec_again), 0);
}

static void exec_descriptors(void) {
  char one[16], two[16];
  int kept = make_file(path_of_file, "abcdef", 6), closed = open(path_of_file, O_RDONLY | O_CLOEXEC);
  int later = dup(kept);
  MUST_EQ(fcntl(later, F_SETFD, FD_CLOEXEC), 0);
  MUST_EQ(lseek(kept, 3, SEEK_SET), 3);
  snprintf(one, sizeof one, "%d", kept);
  snprintf(two, sizeof two, "%d", given ? closed : later);
  EXEC("descriptors", one, two);
}

static void descriptors_over_exec(void) {
  exits(begin_on(exec_descriptors, 0), 0);
  exits(begin_on(exec_descriptors, 1), 0);
  CHECK_EQ(unlink(path_of_file), 0);
}

static void exec_folder(void) {
  char now[256];
  MUST_EQ(chdir("sub"), 0);
  MUST(getcwd(now, sizeof now) != NULL);
  EXEC("folder", now);
}

static void folder_over_exec(void) {
  CHECK_EQ(mkdir("sub", 0755), 0);
  exits(begin(exec_folder), 0);
  CHECK_EQ(rmdir("sub"), 0);
}

static int exec_of(const char *path, char *argument) {
  return execv(path, (char *[]){"x", argument, NULL});
}

/* The caller goes on as it was: memory, descriptors (those to be closed too), process id. */
static void exec_fails(void) {
  static char long_argument[MIB], long_name[300];
  pid_t own = getpid();
  int kept = open("program", O_RDONLY | O_CLOEXEC);
  char *memory = fresh(10);
  fill(memory, 10 * PAGE, 3);
  memset(long_argument, 'x', sizeof long_argument - 1);
  memset(long_name, 'y', sizeof long_name - 1);
  MUST_FAIL(exec_of("nothing", ""), ENOENT);
  MUST_FAIL(exec_of("", ""), ENOENT);
  MUST_FAIL(exec_of("program/x", ""), ENOTDIR);
  MUST_FAIL(exec_of(".", ""), EACCES);
  MUST_FAIL(exec_of("program", ""), ENOEXEC);
  MUST_FAIL(exec_of("empty", ""), ENOEXEC);
  MUST_FAIL(exec_of("plain", ""), EACCES);
  MUST_FAIL(exec_of(long_name, ""), ENAMETOOLONG);
  MUST_FAIL(exec_of(own_program, long_argument), E2BIG);
  MUST(filled(memory, 10 * PAGE, 3) && counter == 5);
  MUST_EQ(fcntl(kept, F_GETFD), FD_CLOEXEC);
  MUST_EQ(getpid(), own);
  EXEC("status", "11");
}

static void failed_exec(void) {
  close(make_file("program", "garbage, and more garbage than a header is long: .........................", 70));
  close(open("empty", O_CREAT | O_RDWR, 0755));
  close(make_file("plain", "garbage", 7));
  unlink("program");
  int fd = open("program", O_CREAT | O_RDWR, 0755);
  CHECK_EQ(write(fd, "\177ELFgarbage", 11), 11);
  close(fd);
  exits(begin(exec_fails), 11);
  CHECK(!unlink("program") && !unlink("empty") && !unlink("plain"));
}

/* Shared since fork when exec gives it up. */
static void exec_gives_up(void) {
  fill((char *)given, 50 * PAGE, 2);
  EXEC("status", "12");
}

static void exec_while_shared(void) {
  char *memory = fresh(100);
  fill(memory, 100 * PAGE, 1);
  for (unsigned i = 0; i < 20; i++)
    exits(begin_on(exec_gives_up, (uintptr_t)memory), 12);
  CHECK(filled(memory, 100 * PAGE, 1));
  drop(100);
}

/* ---- posix_spawn ------------------------------------------------------------------------------------------------------------- */
static pid_t spawn_with(const posix_spawn_file_actions_t *actions, const char *role, char *argument) {
  pid_t pid = -1;
  CHECK_EQ(
      posix_spawn(&pid, own_program, actions, NULL, (char *[]){"t_process", (char *)role, argument, NULL}, environ),
      0);
  return pid;
}

static void spawning(void) {
  pid_t pid = -5;
  char *argv[] = {"t_process", "status", "4", NULL};
  exits(spawn_with(NULL, "status", "200"), 200);
  CHECK_EQ(posix_spawn(&pid, "nothing", NULL, NULL, argv, environ), ENOENT);
  CHECK_EQ(posix_spawn(&pid, ".", NULL, NULL, argv, environ), EACCES);
  CHECK_EQ(posix_spawn(NULL, own_program, NULL, NULL, argv, environ), 0);
  CHECK_EQ(drain(), 1);
  CHECK_EQ(posix_spawn(&pid, own_program, NULL, NULL, (char *[]){"x", "strings", "", "two words", "\x01\xff=", NULL},
                       (char *[]){"A=1", "B=", NULL}),
           0);
  exits(pid, 0);
}

/* They are done in order, in the child alone. */
static void file_actions(void) {
  posix_spawn_file_actions_t actions;
  char back[8] = "";
  int fds[2];
  CHECK_EQ(pipe(fds), 0);
  CHECK_EQ(posix_spawn_file_actions_init(&actions), 0);
  CHECK_EQ(posix_spawn_file_actions_addopen(&actions, 20, path_of_file, O_CREAT | O_RDWR | O_TRUNC, 0644), 0);
  CHECK_EQ(posix_spawn_file_actions_adddup2(&actions, 20, 1), 0);
  CHECK_EQ(posix_spawn_file_actions_addclose(&actions, 20), 0);
  exits(spawn_with(&actions, "echo", "file"), 0);
  FAILS(fcntl(20, F_GETFD), EBADF);
  int fd = open(path_of_file, O_RDONLY);
  CHECK(read(fd, back, 8) == 4 && !memcmp(back, "file", 4));
  close(fd);
  CHECK_EQ(posix_spawn_file_actions_adddup2(&actions, fds[1], 1), 0); /* the later one holds */
  exits(spawn_with(&actions, "echo", "pipe"), 0);
  CHECK(read(fds[0], back, 8) == 4 && !memcmp(back, "pipe", 4));
  CHECK_EQ(posix_spawn_file_actions_destroy(&actions), 0);
  close(fds[0]), close(fds[1]);
  CHECK_EQ(unlink(path_of_file), 0);
}

static void refused_action(void) {
  posix_spawn_file_actions_t actions;
  pid_t pid = -1;
  CHECK_EQ(posix_spawn_file_actions_init(&actions), 0);
  CHECK_EQ(posix_spawn_file_actions_addopen(&actions, 1, "no/such/file", O_RDONLY, 0), 0);
  int error = posix_spawn(&pid, own_program, &actions, NULL, (char *[]){"t_process", "status", "3", NULL}, environ);
  if (error) /* POSIX: an error, or a child that ends with 127 */
    CHECK_EQ(error, ENOENT);
  else
    exits(pid, 127);
  CHECK_EQ(posix_spawn_file_actions_destroy(&actions), 0);
}

/* ---- Killed wherever they are ---------------------------------------------------------------------------------------------- */
static void reads_empty_pipe(void) {
  char byte;
  read(hung.fd[0], &byte, 1);
}

static void writes_full_pipe(void) {
  static char much[4 * MIB];
  for (;;)
    MUST(write(full.fd[1], much, sizeof much) > 0);
}

static void waits(void) {
  begin(until_let_go);
  wait(NULL);
}

static void faults(void) {
  for (;;) {
    char *at = fresh(2000);
    for (long i = 0; i < 2000; i++)
      at[i * PAGE] = 1;
    drop(2000);
  }
}

static void copies(void) { /* pages shared with a child */
  char *at = fresh(200);
  for (unsigned round = 0;; round++) {
    fill(at, 10 * PAGE, round);
    pid_t pid = begin(nothing);
    fill(at, 200 * PAGE, round);
    waitpid(pid, NULL, 0);
  }
}

static void forks(void) {
  for (;;)
    waitpid(begin(nothing), NULL, 0);
}

static void execs(void) {
  EXEC("again", "1000000");
}

static void spawns(void) {
  for (;;)
    waitpid(spawn_with(NULL, "status", "0"), NULL, 0);
}

static void opens_files(void) {
  for (unsigned i = 0;; i++)
    close(open("killed", O_CREAT | O_RDWR, 0644));
}

static void writes_file(void) {
  static char text[64 * 1024];
  int fd = open("killed", O_CREAT | O_RDWR, 0644);
  for (;;)
    pwrite(fd, text, sizeof text, 0);
}

static void makes_pipes(void) {
  for (int fd[2];;) {
    MUST_EQ(pipe(fd), 0);
    close(fd[0]), close(fd[1]);
  }
}

static const struct state {
  const char *name;
  body *run;
} states[] = {{"reading an empty pipe", reads_empty_pipe},
              {"writing to a full pipe", writes_full_pipe},
              {"waiting", waits},
              {"sleeping", sleeps},
              {"running", spin},
              {"faulting", faults},
              {"copying shared pages", copies},
              {"in fork", forks},
              {"in exec", execs},
              {"in posix_spawn", spawns},
              {"opening files", opens_files},
              {"writing to a file", writes_file},
              {"making pipes", makes_pipes}};

static void killed_in(const struct state *state, unsigned ms) {
  gate_make(&hung), gate_make(&full);
  pid_t pid = begin(state->run);
  pause_for(ms);
  int killed = kill(pid, SIGKILL), status = status_of(pid);
  bool good = !killed && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
  if (!good)
    printf("# killed %s: %d, status %x\n", state->name, killed, (unsigned)status);
  CHECK(good);
  gate_close(&hung), gate_close(&full);
  drain();
}

static void killed_anywhere(void) {
  for (unsigned i = 0; i < sizeof states / sizeof *states; i++)
    for (unsigned ms = 0; ms < 16; ms += 3)
      killed_in(&states[i], ms);
  unlink("killed");
}

/* All at a time, in another order than they began. */
static void killed_together(void) {
  enum { STATES = sizeof states / sizeof *states };
  pid_t pid[STATES];
  gate_make(&hung), gate_make(&full);
  for (unsigned i = 0; i < STATES; i++)
    pid[i] = begin(states[i].run);
  pause_for(50);
  for (unsigned i = 0; i < STATES; i++)
    CHECK_EQ(kill(pid[i * 5 % STATES], SIGKILL), 0);
  for (unsigned i = 0; i < STATES; i++)
    dies(pid[i], SIGKILL);
  gate_close(&hung), gate_close(&full);
  drain();
  unlink("killed");
}

static const struct test tests[] = {
    {"exit statuses, 0 to 255 and beyond", statuses},
    {"exitwait: a hundred statuses", exitwait},
    {"statuses of signals", signals},
    {"statuses of faults, and of killing oneself", own_fault},
    {"killstatus: a spinning child", killstatus},
    {"kill: nobody, and no signal", wrong_kills},
    {"alarm: rings, is moved, is called off, is nobody else's", alarms},
    {"kill: one that has ended keeps its status", kill_zombie},
    {"waitpid: WNOHANG", no_hang},
    {"waitpid: a particular child", particular},
    {"waitpid: nobody's child, a sibling, and twice", nobodys_child},
    {"twochildren: in either order", twochildren},
    {"forkfork: two that fork", forkfork},
    {"forkforkfork: all of them fork", forkforkfork},
    {"forktest: a thousand, or until it fails cleanly", forktest},
    {"reparent: orphans of one that ends", reparent},
    {"reparent2: two orphans each", reparent2},
    {"an orphan's parent is the first process", orphans},
    {"getpid and getppid", parents},
    {"zombies that nobody waited for", zombies},
    {"preempt: nobody keeps the processor", preempt},
    {"exectest: output to a file", exectest},
    {"exec: statuses", exec_statuses},
    {"exec: process ids stay, memory goes, strings arrive", exec_keeps},
    {"exec: descriptors but for FD_CLOEXEC", descriptors_over_exec},
    {"exec: the working directory", folder_over_exec},
    {"exec: a failure leaves the caller as it was", failed_exec},
    {"exec: gives up memory that is shared", exec_while_shared},
    {"posix_spawn: errors and strings", spawning},
    {"posix_spawn: file actions", file_actions},
    {"posix_spawn: a file action fails", refused_action},
    {"killed wherever it is", killed_anywhere},
    {"killed all at a time", killed_together},
};

int main(int argc, char **argv) {
#ifdef __linux__
  own_program = "/proc/self/exe";
#else
  own_program = "/bin/t_process";
#endif
  if (argc > 1)
    return play(argv);
  unix_begin("t_process");
  fork_many(MANY + 100); /* what the first use of so many sets up is there then */
  return TAP_RUN("process", tests);
}
