/* SPDX-License-Identifier: BSD-2-Clause */
/* The system calls of xv6, by what libsys has of POSIX and the posix server. What user/user.h does not rename is libsys's own.
 * A pointer that is not the program's is an error here, and not its end. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../request.h"
#include "kernel/file.h"
#include "kernel/fs.h"
#include "kernel/param.h"
#include "kernel/vm.h"
#define stat xv6_status /* two structs have the name */
#include "kernel/stat.h"
#undef stat

_Static_assert(NOFILE == POSIX_DESCRIPTORS && NPROC == POSIX_PROCESSES && MAXARG == P_SPAWN_STRINGS &&
                   USERSTACK == P_STACK_BYTES / Q_PAGE_SIZE && sizeof(struct dirent) == 16,
               "these are the same");

enum { CREATE = 0x200, TRUNC = 0x400 }; /* kernel/fcntl.h, whose names are POSIX's too */

/* ---- What the program gives --------------------------------------------------------------------------------------------------- */
/* The server is asked to read a byte there, as a path that is empty or has no end. */
static bool readable(const void *at) {
  int64_t error = ask_server(&(struct q_call){.label = POSIX_stat, .read = at, .read_bytes = 1});
  return error == -ENOENT || error == -EINVAL;
}

/* The first of a row, or the first on its page: is it there? Those between are if that is. */
static bool there(const void *first, const void *at) {
  return (at != first && (uintptr_t)at % Q_PAGE_SIZE) || readable(at);
}

static bool is_string(const char *text, size_t most) {
  for (const char *at = text; at < text + most && there(text, at); at++)
    if (!*at)
      return true;
  return false;
}

static bool are_strings(char **argv) {
  for (char **at = argv; there(argv, at); at++)
    if (!*at)
      return true;
    else if (!is_string(*at, P_SPAWN_MAX))
      return false;
  return false;
}

/* Names are cut at DIRSIZ, but for those of a file that is there and has a longer one. */
static bool load_path(const char *given, char path[MAXPATH]) {
  unsigned length = 0;
  char *to = path;
  if (!is_string(given, MAXPATH))
    return false;
  for (const char *from = given; *from; from++) {
    length = *from == '/' ? 0 : length + 1;
    if (length <= DIRSIZ)
      *to++ = *from;
  }
  *to = 0;
  if (strcmp(given, path) && !access(given, F_OK))
    strcpy(path, given);
  return true;
}

/* ---- Processes ---------------------------------------------------------------------------------------------------------------- */
_Noreturn void xv6_exit(int status) {
  p_exit_now(status);
}

int xv6_wait(int *status) {
  struct p_death death;
  if (status && !readable(status))
    return -1;
  int64_t pid = px_wait(0, 0, &death);
  if (pid > 0 && status)
    *status = death.reason == P_REASON_EXIT ? (int)death.status : -1;
  return pid < 0 ? -1 : (int)pid;
}

int xv6_kill(int pid) {
  return pid <= 0 || px_kill((uint64_t)pid, 9) < 0 ? -1 : 0;
}

/* Programs lie in / there, and in /bin here. */
int xv6_exec(const char *given, char **argv) {
  char path[MAXPATH];
  if (!load_path(given, path) || !are_strings(argv))
    return -1;
  execv(path, argv);
  const char *name = path + (*path == '/');
  return errno == ENOENT && !strchr(name, '/') ? execvp(name, argv) : -1;
}

/* ---- Memory and time ---------------------------------------------------------------------------------------------------------- */
char *xv6_sys_sbrk(int bytes, int type) {
  int64_t old = p_sbrk_bytes(bytes, bytes > 0 && type == SBRK_EAGER ? P_SBRK_POPULATE : 0);
  return old < 0 ? (char *)-1 : (char *)old;
}

int xv6_pause(int ticks) {
  if (ticks > 0)
    q_sleep_until(q_time() + (uint64_t)ticks * p_timebase() / 10);
  return 0;
}

int xv6_uptime(void) {
  return (int)(q_time() / (p_timebase() / 10));
}

/* ---- Descriptors -------------------------------------------------------------------------------------------------------------- */
int xv6_pipe(int *fds) {
  return readable(fds) ? pipe(fds) : -1;
}

int xv6_write(int fd, const void *from, int bytes) {
  return bytes < 0 ? -1 : (int)write(fd, from, (size_t)bytes);
}

/* 1; 0 at the directory's end, or -1. */
static int64_t read_entry(int fd, struct dirent *to) {
  struct posix_entry e;
  int64_t got = ask_server(
      &(struct q_call){.label = POSIX_entry, .word = {(uint64_t)fd}, .write = &e, .write_bytes = sizeof e});
  if (got <= 0)
    return got;
  to->inum = (unsigned short)e.number ? (unsigned short)e.number : 0xffff; /* 0 would be no entry */
  memset(to->name, 0, DIRSIZ);
  memcpy(to->name, e.name, strnlen(e.name, DIRSIZ));
  return 1;
}

/* Whole entries: how many bytes. */
static int read_directory(int fd, struct dirent *to, int bytes) {
  int done = 0;
  if (bytes < (int)sizeof *to || !readable(to) || !readable((char *)to + bytes - 1))
    return bytes ? -1 : 0;
  while (bytes - done >= (int)sizeof *to && read_entry(fd, to++) > 0)
    done += (int)sizeof *to;
  return done;
}

int xv6_read(int fd, void *to, int bytes) {
  ssize_t got = bytes < 0 ? -1 : read(fd, to, (size_t)bytes);
  return bytes >= 0 && got < 0 && errno == EISDIR ? read_directory(fd, to, bytes) : (int)got;
}

/* Of a pipe there is none. */
static int tell(int error, const struct stat *s, struct xv6_status *to) {
  if (error || S_ISFIFO(s->st_mode) || !readable(to))
    return -1;
  bool directory = S_ISDIR(s->st_mode);
  *to = (struct xv6_status){.dev = ROOTDEV,
                            .ino = (unsigned)s->st_ino,
                            .type = directory             ? T_DIR
                                    : S_ISCHR(s->st_mode) ? T_DEVICE
                                                          : T_FILE,
                            .nlink = (short)(s->st_nlink - directory),
                            .size = (uint64_t)s->st_size};
  return 0;
}

int xv6_fstat(int fd, struct xv6_status *to) {
  struct stat s;
  return tell(fstat(fd, &s), &s, to);
}

int xv6_stat(const char *given, struct xv6_status *to) {
  char path[MAXPATH];
  struct stat s;
  return load_path(given, path) ? tell(stat(path, &s), &s, to) : -1;
}

/* ---- Paths -------------------------------------------------------------------------------------------------------------------- */
/* Every file is a program there, if it holds one. */
int xv6_open(const char *given, int mode) {
  char path[MAXPATH];
  int flags = (mode & O_ACCMODE) | (mode & CREATE ? O_CREAT : 0) | (mode & TRUNC ? O_TRUNC : 0);
  return load_path(given, path) ? open(path, flags, 0777) : -1;
}

/* A second name for what is the device. */
int xv6_mknod(const char *given, short major, short minor) {
  char path[MAXPATH];
  (void)minor;
  return major == CONSOLE && load_path(given, path) ? link("/dev/console", path) : -1;
}

/* Also an empty directory. */
int xv6_unlink(const char *given) {
  char path[MAXPATH];
  if (!load_path(given, path))
    return -1;
  int error = unlink(path);
  return error && errno == EPERM ? rmdir(path) : error;
}

int xv6_link(const char *from, const char *to) {
  char old[MAXPATH], new[MAXPATH];
  return load_path(from, old) && load_path(to, new) ? link(old, new) : -1;
}

int xv6_mkdir(const char *given) {
  char path[MAXPATH];
  return load_path(given, path) ? mkdir(path, 0755) : -1;
}

int xv6_chdir(const char *given) {
  char path[MAXPATH];
  return load_path(given, path) ? chdir(path) : -1;
}
