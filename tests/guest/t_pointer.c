/* SPDX-License-Identifier: BSD-2-Clause */
/* Pointers that a program hands to the functions of POSIX: bad ones are EFAULT, never its end; good ones work wherever they
 * lie, at the last byte of memory and in pages that are not there yet. Run as the first process of the posix server. */
#include "unix.h"

#include <dirent.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/times.h>
#include <time.h>

/* A string whose last byte, the NUL unless `open`, is the last of memory. */
static char *at_the_end(const char *text, bool open) {
  size_t bytes = strlen(text) + !open;
  return memcpy((char *)sbrk(0) - bytes, text, bytes);
}

/* ---- Paths ------------------------------------------------------------------------------------------------------------ */
static const char *const no_words[] = {NULL};
#define WORDS ((char *const *)ARGV("echo", "# here"))
#define NO_WORDS ((char *const *)no_words)

static int do_open(const char *path) {
  return open(path, O_RDONLY);
}
static int do_stat(const char *path) {
  struct stat s;
  return stat(path, &s);
}
static int do_access(const char *path) {
  return access(path, R_OK);
}
static int link_from(const char *path) {
  return link(path, "/tmp/to");
}
static int link_to(const char *path) {
  return link("/tmp/from", path);
}
static int rename_from(const char *path) {
  return rename(path, "/tmp/to");
}
static int rename_to(const char *path) {
  return rename("/tmp/from", path);
}
static int do_mkdir(const char *path) {
  return mkdir(path, 0755);
}
static int do_exec(const char *path) {
  return execve(path, WORDS, NO_WORDS);
}
static int do_execvp(const char *path) {
  return execvp(path, WORDS);
}
static int errno_is(int error) {
  errno = error;
  return error ? -1 : 0;
}
static int do_spawn(const char *path) {
  return errno_is(posix_spawn(NULL, path, NULL, NULL, WORDS, NO_WORDS));
}
static int do_opendir(const char *path) {
  return opendir(path) ? 0 : -1;
}

static int (*const of_path[])(const char *) = {
    do_open, do_stat,  do_access, unlink,    rmdir,       chdir,     link_from,  link_to,
    do_exec, do_spawn, do_mkdir,  do_execvp, rename_from, rename_to, do_opendir,
};
#define EACH(i, list)                                                                                                \
  unsigned i = 0;                                                                                                    \
  i < sizeof list / sizeof *list;                                                                                    \
  i++

static void bad_paths(void) {
  char *hole = mmap(NULL, 3 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  munmap(hole + PAGE, PAGE);
  mprotect(hole + 2 * PAGE, PAGE, PROT_NONE);
  char *page = fresh(2);
  memset(page + PAGE, 'x', PAGE); /* ends without a NUL, which no path that is read may run off */
  const char *bad[] = {
      NULL,        (char *)1,       page + 2 * PAGE,        page + 2 * PAGE - 5, at_the_end("/tmp/from", true),
      hole + PAGE, hole + 2 * PAGE, (char *)Q_USER_TOP - 1, (char *)Q_USER_TOP,  (char *)0xffffffff80200000,
      (char *)-1};
  close(open("/tmp/from", O_CREAT | O_RDWR, 0644));
  for (EACH(call, of_path))
    for (EACH(i, bad))
      FAILS(of_path[call](bad[i]), EFAULT);
  FAILS(access("/tmp/to", F_OK), ENOENT);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  CHECK_EQ(posix_spawn_file_actions_addopen(&actions, 5, hole + PAGE, O_RDONLY, 0), EFAULT);
  posix_spawn_file_actions_destroy(&actions);
  CHECK_EQ(unlink("/tmp/from"), 0);
  munmap(hole, 3 * PAGE);
  sbrk(-2 * PAGE);
}

static void paths_at_the_end(void) {
  char path[1025];
  fresh(1);
  memset(path, '/', sizeof path);
  strcpy(path + 1023 - 7, "tmp/dir");
  CHECK_EQ(mkdir(at_the_end("/tmp/dir", false), 0755), 0);
  CHECK_EQ(chdir(at_the_end("/tmp/dir", false)), 0);
  CHECK_EQ(chdir(at_the_end("/", false)), 0);
  CHECK_EQ(access(at_the_end(path, false), F_OK), 0); /* of 1,023 bytes, the longest */
  strcpy(path + 1024 - 7, "tmp/dir");
  FAILS(access(at_the_end(path, false), F_OK), ENAMETOOLONG);
  FAILS(access(at_the_end(path, true), F_OK), ENAMETOOLONG);
  FAILS(rename("/tmp/dir", at_the_end(path, false)), ENAMETOOLONG);
  FAILS(execv(at_the_end(path, false), WORDS), ENAMETOOLONG);
  CHECK_EQ(rename(at_the_end("/tmp/dir", false), "/tmp/other"), 0);
  CHECK_EQ(rename("/tmp/other", at_the_end("/tmp/dir", false)), 0);
  CHECK_EQ(rmdir(at_the_end("/tmp/dir", false)), 0);
  sbrk(-PAGE);
}

/* The NUL, and nothing else, lies in a page that is not there yet; or all of it does, and is the empty string. */
static void paths_into_absent_pages(void) {
  static const char name[] = {'/', 't', 'm', 'p', '/', 'x'};
  for (unsigned call = 0; call < 3; call++) {
    char *page = fresh(3), *path = memcpy(page + PAGE - sizeof name, name, sizeof name);
    if (call == 0)
      CHECK_EQ(mkdir(path, 0755), 0);
    if (call == 1)
      CHECK_EQ(rename(path, "/tmp/y") | rename("/tmp/y", path), 0);
    if (call == 2)
      CHECK_EQ(rmdir(path), 0);
    FAILS(access(page + 2 * PAGE, F_OK), ENOENT);
    sbrk(-3 * PAGE);
  }
}

/* The program lies at the longest path there is. */
static void exec_of_long_paths(void) {
  char path[1024];
  int status;
  memset(path, '/', sizeof path);
  strcpy(path + 1023 - 8, "bin/echo");
  pid_t pid = fork();
  if (!pid) {
    execv(path, (char *const *)ARGV("echo", "# by a path of 1,023 bytes"));
    _exit(1);
  }
  CHECK_EQ(waitpid(pid, &status, 0), pid);
  CHECK_EQ(status, 0);
}

/* ---- Arguments -------------------------------------------------------------------------------------------------------- */
/* Each as arguments and as environment, of exec and of spawn. */
static void refused_arguments(char *const *words) {
  FAILS(execve("/bin/echo", words, NO_WORDS), EFAULT);
  FAILS(execve("/bin/echo", WORDS, words), EFAULT);
  CHECK_EQ(posix_spawn(NULL, "/bin/echo", NULL, NULL, words, NO_WORDS), EFAULT);
  CHECK_EQ(posix_spawn(NULL, "/bin/echo", NULL, NULL, WORDS, words), EFAULT);
}

static void bad_arguments(void) {
  char *page = fresh(1), *end = page + PAGE;
  char *words[3] = {"echo", NULL};
  memset(page, 'x', PAGE);
  char *const bad[] = {(char *)1, end, end - 5, (char *)Q_USER_TOP - 1, (char *)0xffffffff80200000, (char *)-1};
  for (EACH(i, bad)) {
    words[1] = bad[i];
    refused_arguments(words);
    refused_arguments((char *const *)bad[i]);
  }
  refused_arguments(NULL);
  char **list = (char **)end - 2; /* which no NULL ends */
  list[0] = list[1] = "echo";
  refused_arguments(list);
  sbrk(-PAGE);
}

/* The array and its strings cross into pages that are not there, and end where memory does. */
static void arguments_anywhere(void) {
  int status;
  char *page = fresh(3);
  char **list = (char **)(page + PAGE) - 2;
  list[0] = strcpy(page + PAGE - 16 - 8, "echo");
  list[1] = memcpy(page + 2 * PAGE - 7, "# here,", 7); /* its NUL is in the third page, list[2] in the second */
  pid_t pid = fork();
  if (!pid) {
    execve("/bin/echo", list, (char *const *)((char *)sbrk(0) - sizeof(char *)));
    _exit(1);
  }
  CHECK_EQ(waitpid(pid, &status, 0), pid);
  CHECK_EQ(status, 0);
  sbrk(-3 * PAGE);
}

/* ---- Results ---------------------------------------------------------------------------------------------------------- */
static int into_stat(void *to) {
  return stat("/", to);
}
static int into_fstat(void *to) {
  return fstat(0, to);
}
static int into_pipe(void *to) {
  return pipe(to);
}
static int into_clock(void *to) {
  return clock_gettime(CLOCK_MONOTONIC, to);
}
static int into_resolution(void *to) {
  return clock_getres(CLOCK_MONOTONIC, to);
}
static int into_day(void *to) {
  return gettimeofday(to, NULL);
}
static int into_times(void *to) {
  return times(to) == (clock_t)-1 ? -1 : 0;
}
static int into_left(void *to) {
  return nanosleep(&(struct timespec){0, 1}, to);
}
static int into_cwd(void *to) {
  return getcwd(to, 64) ? 0 : -1;
}
static int into_wait(void *to) {
  return waitpid(-1, to, 0) > 0 ? 0 : -1;
}
static int into_pid(void *to) {
  return errno_is(posix_spawn(to, "/bin/echo", NULL, NULL, WORDS, NO_WORDS));
}

static int (*const into[])(void *) = {into_stat,  into_fstat, into_pipe, into_clock, into_resolution, into_day,
                                      into_times, into_left,  into_cwd,  into_wait,  into_pid};

static bool is_small(int (*call)(void *)) { /* its result fits into four bytes */
  return call == into_wait || call == into_pid || call == into_cwd;
}

/* A failed pipe leaves no descriptors, a failed wait the child, a failed spawn none. */
static void bad_results(void) {
  char *page = fresh(1), *fixed = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  void *const bad[] = {(void *)8,      page + PAGE,         page + PAGE - 4,          fixed,
                       (void *)"text", (void *)bad_results, (void *)(Q_USER_TOP - 8), (void *)0xffffffff80200000,
                       (void *)-8};
  int status, next = dup(0);
  pid_t pid = fork();
  if (!pid)
    _exit(42);
  close(next);
  for (EACH(call, into))
    for (EACH(i, bad))
      if (bad[i] != page + PAGE - 4 || !is_small(into[call]))
        FAILS(into[call](bad[i]), EFAULT);
  FAILS(stat("/", NULL), EFAULT);
  FAILS(pipe(NULL), EFAULT);
  FAILS(nanosleep(NULL, NULL), EFAULT);
  FAILS(nanosleep((void *)-8, NULL), EFAULT);
  CHECK_EQ(dup(0), next);
  close(next);
  CHECK_EQ(waitpid(-1, &status, 0), pid);
  CHECK_EQ(WEXITSTATUS(status), 42);
  FAILS(waitpid(-1, &status, WNOHANG), ECHILD);
  munmap(fixed, PAGE);
  sbrk(-PAGE);
}

static void results_in_absent_pages(void) {
  char *page = fresh(2);
  int *fds = (int *)(page + PAGE) - 1; /* one in each page */
  CHECK_EQ(pipe(fds), 0);
  CHECK_EQ(write(fds[1], "x", 1), 1);
  close(fds[0]), close(fds[1]);
  sbrk(-2 * PAGE);
  page = fresh(2);
  struct stat *s = (struct stat *)(page + PAGE - 8);
  CHECK_EQ(stat("/", s), 0);
  CHECK(S_ISDIR(s->st_mode) && s->st_blksize == PAGE);
  sbrk(-2 * PAGE);
  int *status = (int *)fresh(1);
  pid_t pid = fork();
  if (!pid)
    _exit(7);
  CHECK_EQ(waitpid(pid, status, 0), pid);
  CHECK_EQ(WEXITSTATUS(*status), 7);
  sbrk(-PAGE);
}

static const struct test tests[] = {
    {"a bad path is EFAULT for every call", bad_paths},
    {"a path may end where memory ends", paths_at_the_end},
    {"a path may run into a page that is not there", paths_into_absent_pages},
    {"a program is run by the longest path", exec_of_long_paths},
    {"bad arguments are EFAULT", bad_arguments},
    {"arguments may lie anywhere", arguments_anywhere},
    {"a bad place for a result is EFAULT, and nothing has happened", bad_results},
    {"results may go into pages that are not there", results_in_absent_pages},
};

/* What the server keeps is had before anything is counted: first for as many processes as will be, then for the rest. */
int main(void) {
  tap_before(true);
  for (unsigned i = 0; i < sizeof tests / sizeof *tests; i++)
    tests[i].run();
  return TAP_RUN("pointer", tests);
}
