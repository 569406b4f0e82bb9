/* SPDX-License-Identifier: BSD-2-Clause */
/* Processes: fork, exec, wait and posix_spawn (POSIX.1-2017). A name without a slash is that of a program in /bin where POSIX
 * would search PATH. */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/lock.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "request.h"

/* ---- fork -------------------------------------------------------------------------------------------------------------------- */
int64_t fork_here(int64_t (*ask)(void *pc, void *sp));

static int64_t ask_fork(void *pc, void *sp) {
  if (p_server)
    return ask_server(&(struct q_call){.label = POSIX_fork, .word = {(uint64_t)pc, (uint64_t)sp}});
  return ask_of(P_HANDLE_PAGER, &(struct q_call){.label = P_fork, .word = {0, (uint64_t)pc, (uint64_t)sp}});
}

void (*threads_forked)(void);

/* No other thread is in the C library meanwhile: the child would find its lock taken, and nobody there to give it back. Where
 * there has been no other, the lock is left alone: both would copy its page to give it back. What others have taken of streams
 * is free in the child. */
pid_t fork(void) {
  bool locked = p_threaded;
  if (locked)
    __LIBC_LOCK();
  int64_t pid = fork_here(ask_fork);
  if (locked)
    __LIBC_UNLOCK();
  if (!pid)
    p_forked();
  if (!pid && locked) /* other threads are not in the child; what need not be written is not copied */
    streams_forked();
  if (!pid && threads_forked)
    threads_forked();
  return (pid_t)or_errno(pid);
}

pid_t vfork(void) {
  return fork();
}

/* ---- exec -------------------------------------------------------------------------------------------------------------------- */
/* The strings that POSIX_exec and POSIX_spawn want, with the path apart from argv[0]; a negated errno value or how many of them
 * are the environment. */
static int64_t strings(const char *path, bool search, char *const argv[], char *const envp[], char *text,
                       size_t *used) {
  char name[PATH_BYTES];
  const size_t most = P_SPAWN_MAX + PATH_BYTES;
  int64_t bytes = path_take(path, name);
  if (bytes < 0)
    return bytes;
  if (!*name)
    return -ENOENT;
  const char *here = search || strchr(name, '/') ? "" : "./";
  if (strlen(here) + (size_t)bytes > PATH_BYTES)
    return -ENAMETOOLONG;
  *used = (size_t)(stpcpy(stpcpy(text, here), name) + 1 - text);
  int64_t arguments = strings_join((const char *const *)argv, text, most, used);
  if (arguments <= 0)
    return arguments < 0 ? arguments : -EINVAL;
  return strings_join((const char *const *)envp, text, most, used);
}

static int exec(const char *path, bool search, char *const argv[], char *const envp[]) {
  char text[P_SPAWN_MAX + PATH_BYTES];
  size_t used;
  int64_t variables = strings(path, search, argv, envp, text, &used);
  if (variables >= 0)
    variables = ask_server(&(struct q_call){.label = POSIX_exec,
                                            .word = {used, (uint64_t)variables, POSIX_SPAWN_NAMED},
                                            .read = text,
                                            .read_bytes = used});
  return (int)or_errno(variables);
}

int execve(const char *path, char *const argv[], char *const envp[]) {
  return exec(path, false, argv, envp);
}

int execv(const char *path, char *const argv[]) {
  return exec(path, false, argv, environ);
}

int execvp(const char *file, char *const argv[]) {
  return exec(file, true, argv, environ);
}

int execvpe(const char *file, char *const argv[], char *const envp[]) {
  return exec(file, true, argv, envp);
}

/* The arguments of a call as an array, and the environment behind them if it is given. */
#define EXEC_LIST(name, search, has_environment)                                                                     \
  int name(const char *path, const char *argument, ...) {                                                            \
    char *argv[P_SPAWN_STRINGS + 1] = {(char *)argument}, **envp = environ;                                          \
    unsigned count = 0;                                                                                              \
    va_list list;                                                                                                    \
    va_start(list, argument);                                                                                        \
    while (argv[count] && count < P_SPAWN_STRINGS)                                                                   \
      argv[++count] = va_arg(list, char *);                                                                          \
    if (has_environment)                                                                                             \
      envp = va_arg(list, char **);                                                                                  \
    va_end(list);                                                                                                    \
    return argv[count] ? (int)or_errno(-E2BIG) : exec(path, search, argv, envp);                                     \
  }
EXEC_LIST(execl, false, false)
EXEC_LIST(execlp, true, false)
EXEC_LIST(execle, false, true)

/* ---- wait -------------------------------------------------------------------------------------------------------------------- */
static int64_t wait_for(pid_t pid, int *status, int options, struct p_death *death) {
  struct posix_process own = {0};
  int64_t who = pid == -1 ? 0 : pid, error = pid ? 0 : px_identity(0, &own);
  if (error < 0 || options & ~(WNOHANG | WUNTRACED))
    return error < 0 ? error : -EINVAL;
  if (status && !may_write(status, sizeof *status))
    return -EFAULT;
  uint64_t flags = options & WNOHANG ? POSIX_WAIT_NOHANG : 0, how;
  int64_t got = px_wait_status((uint64_t)(pid ? who : -(int64_t)own.job), (unsigned)flags, death, &how);
  if (got > 0 && status)
    *status = (int)how;
  return got;
}

pid_t waitpid(pid_t pid, int *status, int options) {
  return (pid_t)or_errno(wait_for(pid, status, options, NULL));
}

pid_t wait4(pid_t pid, int *status, int options, struct rusage *usage) {
  struct p_death death;
  if (usage && !may_write(usage, sizeof *usage))
    return (pid_t)or_errno(-EFAULT);
  int64_t got = wait_for(pid, status, options, &death);
  if (got >= 0 && usage)
    *usage = (struct rusage){0};
  if (got > 0 && usage) {
    usage->ru_maxrss = (long)(death.peak * Q_PAGE_SIZE / 1024);
    usage->ru_minflt = (long)death.faults;
  }
  return (pid_t)or_errno(got);
}

pid_t wait3(int *status, int options, struct rusage *usage) {
  return wait4(-1, status, options, usage);
}

pid_t wait(int *status) {
  return waitpid(-1, status, 0);
}

/* ---- posix_spawn ------------------------------------------------------------------------------------------------------------- */
struct action {
  struct action *next;
  int fd, from; /* to be made; a duplicate of it, or -1 to open the path, or -2 to close */
  int flags, mode;
  char path[];
};

struct __posix_spawn_file_actions {
  struct action *first, **last;
};

struct __posix_spawnattr {
  short flags;
  pid_t group;
};

int posix_spawn_file_actions_init(posix_spawn_file_actions_t *actions) {
  *actions = malloc(sizeof **actions);
  if (!*actions)
    return ENOMEM;
  (*actions)->first = NULL;
  (*actions)->last = &(*actions)->first;
  return 0;
}

int posix_spawn_file_actions_destroy(posix_spawn_file_actions_t *actions) {
  for (struct action *next, *action = (*actions)->first; action; action = next) {
    next = action->next;
    free(action);
  }
  free(*actions);
  return 0;
}

static int add(posix_spawn_file_actions_t *actions, struct action wanted, const char *path) {
  if (wanted.fd < 0 || wanted.fd >= POSIX_DESCRIPTORS)
    return EBADF;
  struct action *action = malloc(sizeof *action + strlen(path) + 1);
  if (!action)
    return ENOMEM;
  *action = wanted;
  strcpy(action->path, path);
  *(*actions)->last = action;
  (*actions)->last = &action->next;
  return 0;
}

int posix_spawn_file_actions_addopen(posix_spawn_file_actions_t *restrict actions, int fd, const char *restrict path,
                                     int flags, mode_t mode) {
  char text[PATH_BYTES];
  int64_t bytes = path_take(path, text);
  return bytes < 0 ? (int)-bytes
                   : add(actions, (struct action){.fd = fd, .from = -1, .flags = flags, .mode = (int)mode}, text);
}

int posix_spawn_file_actions_adddup2(posix_spawn_file_actions_t *actions, int from, int fd) {
  return from < 0 ? EBADF : add(actions, (struct action){.fd = fd, .from = from}, "");
}

int posix_spawn_file_actions_addclose(posix_spawn_file_actions_t *actions, int fd) {
  return add(actions, (struct action){.fd = fd, .from = -2}, "");
}

int posix_spawnattr_init(posix_spawnattr_t *attributes) {
  *attributes = calloc(1, sizeof **attributes);
  return *attributes ? 0 : ENOMEM;
}

int posix_spawnattr_destroy(posix_spawnattr_t *attributes) {
  free(*attributes);
  return 0;
}

/* Signals have neither masks nor handlers that would be inherited, and there are no other users: these are true anyway. */
#define ACCEPTED (POSIX_SPAWN_RESETIDS | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK)

int posix_spawnattr_setflags(posix_spawnattr_t *attributes, short flags) {
  if (flags & ~(ACCEPTED | POSIX_SPAWN_SETPGROUP))
    return EINVAL;
  (*attributes)->flags = flags;
  return 0;
}

int posix_spawnattr_getflags(const posix_spawnattr_t *restrict attributes, short *restrict flags) {
  *flags = (*attributes)->flags;
  return 0;
}

int posix_spawnattr_setpgroup(posix_spawnattr_t *attributes, pid_t group) {
  (*attributes)->group = group;
  return group < 0 ? EINVAL : 0;
}

int posix_spawnattr_getpgroup(const posix_spawnattr_t *restrict attributes, pid_t *restrict group) {
  *group = (*attributes)->group;
  return 0;
}

int posix_spawnattr_setsigdefault(posix_spawnattr_t *restrict attributes, const sigset_t *restrict set) {
  (void)attributes, (void)set;
  return 0;
}

int posix_spawnattr_setsigmask(posix_spawnattr_t *restrict attributes, const sigset_t *restrict set) {
  (void)attributes, (void)set;
  return 0;
}

static int act(const struct action *action) {
  if (action->from == -2) {
    close(action->fd); /* one that is not open is no error */
    return 0;
  }
  int fd = action->from >= 0 ? action->from : open(action->path, action->flags, action->mode);
  if (fd == action->fd)
    return fcntl(fd, F_SETFD, 0);
  if (fd < 0 || dup2(fd, action->fd) < 0)
    return -1;
  return action->from >= 0 ? 0 : close(fd);
}

struct spawning {
  const char *path;
  bool search;
  const struct __posix_spawn_file_actions *actions;
  char *const *argv, *const *envp;
};

/* In the child. The actions may close or take the pipe's descriptor: it is kept above those that they name. */
static _Noreturn void become(const struct spawning *s, int tell) {
  int error = 0;
  for (const struct action *action = s->actions->first; action && !error; action = action->next) {
    if (action->fd == tell)
      tell = fcntl(tell, F_DUPFD_CLOEXEC, tell + 1);
    error = act(action);
  }
  if (!error)
    exec(s->path, s->search, s->argv, s->envp);
  write(tell, &errno, sizeof errno);
  _exit(127);
}

/* A pipe tells what went wrong; it closes by itself when nothing did. */
static int64_t spawn_by_fork(const struct spawning *s) {
  int ends[2], error = 0;
  if (pipe(ends))
    return -errno;
  fcntl(ends[0], F_SETFD, FD_CLOEXEC);
  fcntl(ends[1], F_SETFD, FD_CLOEXEC);
  pid_t pid = fork();
  int64_t result = pid < 0 ? -errno : pid;
  if (!pid)
    become(s, ends[1]);
  close(ends[1]);
  if (pid > 0 && read(ends[0], &error, sizeof error) == sizeof error) {
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
      ;
    result = -error;
  }
  close(ends[0]);
  return result;
}

/* A process group is a job. */
static int64_t spawn_at_once(const struct spawning *s, const struct __posix_spawnattr *attributes) {
  char text[P_SPAWN_MAX + PATH_BYTES];
  size_t used;
  bool groups = attributes && attributes->flags & POSIX_SPAWN_SETPGROUP;
  uint64_t flags = !groups ? 0 : attributes->group ? POSIX_SPAWN_JOIN : POSIX_SPAWN_JOB;
  int64_t variables = strings(s->path, s->search, s->argv, s->envp, text, &used);
  if (variables < 0)
    return variables;
  return ask_server(&(struct q_call){
      .label = POSIX_spawn,
      .word = {used, flags | POSIX_SPAWN_NAMED, (uint64_t)variables, groups ? (uint64_t)attributes->group : 0},
      .read = text,
      .read_bytes = used});
}

static int spawn(pid_t *pid, const struct spawning *s, const posix_spawnattr_t *attributes) {
  bool acts = s->actions && s->actions->first;
  if (pid && !may_write(pid, sizeof *pid))
    return EFAULT;
  if (acts && attributes && (*attributes)->flags & POSIX_SPAWN_SETPGROUP)
    return ENOTSUP; /* a child that runs cannot change its job */
  int64_t result = acts ? spawn_by_fork(s) : spawn_at_once(s, attributes ? *attributes : NULL);
  if (result > 0 && pid)
    *pid = (pid_t)result;
  return result < 0 ? (int)-result : 0;
}

int posix_spawn(pid_t *restrict pid, const char *restrict path, const posix_spawn_file_actions_t *actions,
                const posix_spawnattr_t *restrict attributes, char *const argv[], char *const envp[]) {
  return spawn(pid, &(struct spawning){path, false, actions ? *actions : NULL, argv, envp}, attributes);
}

int posix_spawnp(pid_t *restrict pid, const char *restrict file, const posix_spawn_file_actions_t *actions,
                 const posix_spawnattr_t *restrict attributes, char *const argv[], char *const envp[]) {
  return spawn(pid, &(struct spawning){file, true, actions ? *actions : NULL, argv, envp}, attributes);
}
