/* SPDX-License-Identifier: BSD-2-Clause */
/* Paths: what <unistd.h>, <fcntl.h>, <sys/stat.h>, <stdlib.h> and <dirent.h> have beside files.c. There are no symbolic
 * links. */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>
#include <utime.h>

#include "request.h"

#define PATH_ROOM 1024 /* a path's bytes with its NUL */

int creat(const char *path, mode_t mode) {
  return open(path, O_WRONLY | O_CREAT | O_TRUNC, mode);
}

int truncate(const char *path, off_t size) {
  int fd = open(path, O_WRONLY), error = fd < 0 ? -1 : ftruncate(fd, size), number = errno;
  if (fd >= 0)
    close(fd);
  errno = number;
  return error;
}

int pipe2(int fds[2], int flags) {
  if (flags & ~(O_CLOEXEC | O_NONBLOCK))
    return (int)or_errno(-EINVAL);
  if (pipe(fds))
    return -1;
  for (int i = 0; i < 2; i++) {
    fcntl(fds[i], F_SETFD, flags & O_CLOEXEC ? FD_CLOEXEC : 0);
    if (flags & O_NONBLOCK)
      fcntl(fds[i], F_SETFL, O_NONBLOCK);
  }
  return 0;
}

int dup3(int fd, int to, int flags) {
  if (fd == to || flags & ~O_CLOEXEC)
    return (int)or_errno(-EINVAL);
  int made = dup2(fd, to);
  if (made >= 0)
    fcntl(made, F_SETFD, flags ? FD_CLOEXEC : 0);
  return made;
}

/* ---- Modes -------------------------------------------------------------------------------------------------------------------- */
mode_t umask(mode_t mask) {
  int64_t old = ask_server(&(struct q_call){.label = POSIX_umask, .word = {mask}});
  return old < 0 ? 0 : (mode_t)old;
}

int chmod(const char *path, mode_t mode) {
  char text[PATH_BYTES];
  int64_t bytes = path_take(path, text);
  return (int)or_errno(
      bytes < 0 ? bytes
                : ask_server(&(struct q_call){
                      .label = POSIX_chmod, .word = {0, mode}, .read = text, .read_bytes = (size_t)bytes}));
}

int fchmod(int fd, mode_t mode) {
  return (int)or_errno(ask_server(&(struct q_call){.label = POSIX_chmod, .word = {(uint64_t)(int64_t)fd, mode}}));
}

int fchdir(int fd) {
  return (int)or_errno(ask_server(&(struct q_call){.label = POSIX_chdir, .word = {(uint64_t)(int64_t)fd}}));
}

/* ---- What is not there -------------------------------------------------------------------------------------------------------- */
int lstat(const char *restrict path, struct stat *restrict out) {
  return stat(path, out);
}

ssize_t readlink(const char *restrict path, char *restrict to, size_t bytes) {
  struct stat s;
  (void)to, (void)bytes;
  return stat(path, &s) ? -1 : or_errno(-EINVAL); /* it is none */
}

int symlink(const char *to, const char *path) {
  (void)to, (void)path;
  return (int)or_errno(-ENOSYS);
}

int mkfifo(const char *path, mode_t mode) {
  (void)path, (void)mode;
  return (int)or_errno(-ENOSYS);
}

/* ---- Paths that begin at a directory's descriptor: one goes there and comes back, so other threads must not use paths then. -- */
static int enter(int fd, const char *path) {
  int back = fd == AT_FDCWD || *path == '/' ? AT_FDCWD : open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (back < 0 || !fchdir(fd))
    return back;
  int number = errno;
  close(back);
  errno = number;
  return -1;
}

#define NOWHERE(back) ((back) < 0 && (back) != AT_FDCWD)

static int leave(int back, int result) {
  int number = errno;
  if (back != AT_FDCWD) {
    fchdir(back);
    close(back);
  }
  errno = number;
  return result;
}

int openat(int fd, const char *path, int flags, ...) {
  va_list list;
  va_start(list, flags);
  unsigned mode = flags & O_CREAT ? va_arg(list, unsigned) : 0;
  va_end(list);
  int back = enter(fd, path);
  return NOWHERE(back) ? -1 : leave(back, open(path, flags, mode));
}

int fstatat(int fd, const char *restrict path, struct stat *restrict out, int flags) {
  (void)flags; /* there are no links to follow or not */
  int back = enter(fd, path);
  return NOWHERE(back) ? -1 : leave(back, stat(path, out));
}

int mkdirat(int fd, const char *path, mode_t mode) {
  int back = enter(fd, path);
  return NOWHERE(back) ? -1 : leave(back, mkdir(path, mode));
}

int unlinkat(int fd, const char *path, int flags) {
  int back = enter(fd, path);
  return NOWHERE(back) ? -1 : leave(back, flags & AT_REMOVEDIR ? rmdir(path) : unlink(path));
}

int faccessat(int fd, const char *path, int mode, int flags) {
  (void)flags;
  int back = enter(fd, path);
  return NOWHERE(back) ? -1 : leave(back, access(path, mode));
}

int fchmodat(int fd, const char *path, mode_t mode, int flags) {
  (void)flags;
  int back = enter(fd, path);
  return NOWHERE(back) ? -1 : leave(back, chmod(path, mode));
}

ssize_t readlinkat(int fd, const char *restrict path, char *restrict to, size_t bytes) {
  int back = enter(fd, path);
  return NOWHERE(back) ? -1 : leave(back, (int)readlink(path, to, bytes));
}

/* ---- Times -------------------------------------------------------------------------------------------------------------------- */
static bool time_wanted(const struct timespec *from, int64_t *wanted) {
  const int64_t second = 1000000000, most = INT64_MAX / second - 1;
  bool special = from->tv_nsec == UTIME_NOW || from->tv_nsec == UTIME_OMIT;
  if (!special && (from->tv_nsec < 0 || from->tv_nsec >= second || from->tv_sec > most || from->tv_sec < -most))
    return false;
  *wanted = from->tv_nsec == UTIME_NOW    ? POSIX_TIME_NOW
            : from->tv_nsec == UTIME_OMIT ? POSIX_TIME_KEPT
                                          : from->tv_sec * second + from->tv_nsec;
  return true;
}

/* Of a path, or without one of a descriptor. */
static int set_times(int fd, const char *path, const struct timespec times[2]) {
  char text[PATH_BYTES];
  int64_t accessed = POSIX_TIME_NOW, changed = POSIX_TIME_NOW, bytes = path ? path_take(path, text) : 0;
  if (times && !may_read(times, 2 * sizeof *times))
    return (int)or_errno(-EFAULT);
  if (times && (!time_wanted(&times[0], &accessed) || !time_wanted(&times[1], &changed)))
    return (int)or_errno(-EINVAL);
  struct q_call c = {.label = POSIX_times, .word = {(uint64_t)(int64_t)fd, (uint64_t)accessed, (uint64_t)changed}};
  c.read = text;
  c.read_bytes = (size_t)bytes;
  return (int)or_errno(bytes < 0 ? bytes : ask_server(&c));
}

int futimens(int fd, const struct timespec times[2]) {
  return set_times(fd, NULL, times);
}

int utimensat(int fd, const char *path, const struct timespec times[2], int flags) {
  (void)flags; /* there are no links to follow or not */
  int back = enter(fd, path);
  return NOWHERE(back) ? -1 : leave(back, set_times(-1, path, times));
}

int utimes(const char *path, const struct timeval times[2]) {
  struct timespec exact[2];
  if (times && !may_read(times, 2 * sizeof *times))
    return (int)or_errno(-EFAULT);
  for (int i = 0; times && i < 2; i++)
    exact[i] = (struct timespec){times[i].tv_sec, times[i].tv_usec < 1000000 ? times[i].tv_usec * 1000 : 1000000000};
  return set_times(-1, path, times ? exact : NULL);
}

int utime(const char *path, const struct utimbuf *times) {
  if (times && !may_read(times, sizeof *times))
    return (int)or_errno(-EFAULT);
  struct timespec exact[2] = {{times ? times->actime : 0, 0}, {times ? times->modtime : 0, 0}};
  return set_times(-1, path, times ? exact : NULL);
}

/* ---- realpath ------------------------------------------------------------------------------------------------------------------ */
/* Takes the first name off *path and applies it to the absolute path in `to`. */
static int step(const char **path, char *to) {
  size_t length = strcspn(*path, "/"), used = strlen(to);
  const char *name = *path;
  *path += length + strspn(*path + length, "/");
  if (!length || (length == 1 && *name == '.'))
    return 0;
  if (length == 2 && !memcmp(name, "..", 2)) {
    char *slash = strrchr(to, '/');
    *slash = 0;
    return 0;
  }
  if (used + length + 2 > PATH_ROOM)
    return ENAMETOOLONG;
  to[used] = '/';
  memcpy(to + used + 1, name, length);
  to[used + 1 + length] = 0;
  struct stat s;
  if (stat(to, &s))
    return errno;
  return **path && !S_ISDIR(s.st_mode) ? ENOTDIR : 0;
}

char *realpath(const char *restrict given, char *restrict resolved) {
  const char *path = given;
  char to[PATH_ROOM] = "";
  int error = !path ? EINVAL : *path ? 0 : ENOENT;
  if (!error && *path != '/' && !getcwd(to, sizeof to))
    return NULL;
  if (!strcmp(to, "/"))
    *to = 0;
  while (!error && *path)
    error = step(&path, to);
  if (error) {
    errno = error;
    return NULL;
  }
  const char *result = *to ? to : "/";
  return resolved ? strcpy(resolved, result) : strdup(result);
}

char *mkdtemp(char *path) {
  static unsigned number;
  size_t length = strlen(path);
  if (length < 6 || strcmp(path + length - 6, "XXXXXX")) {
    errno = EINVAL;
    return NULL;
  }
  for (int tries = 0; tries < 1000; tries++) {
    snprintf(path + length - 6, 7, "%06x", ((unsigned)getpid() << 10 ^ number++) & 0xffffff);
    if (!mkdir(path, 0700))
      return path;
    if (errno != EEXIST)
      return NULL;
  }
  return NULL;
}

/* ---- Vectors: one buffer after the other ------------------------------------------------------------------------------------- */
static ssize_t each(int fd, const struct iovec *vector, int count, bool writes) {
  ssize_t all = 0;
  if (count <= 0 || count > IOV_MAX)
    return or_errno(-EINVAL);
  for (int i = 0; i < count; i++) {
    size_t bytes = vector[i].iov_len;
    ssize_t done = !bytes ? 0 : writes ? write(fd, vector[i].iov_base, bytes) : read(fd, vector[i].iov_base, bytes);
    if (done < 0)
      return all ? all : -1;
    all += done;
    if ((size_t)done < bytes)
      break;
  }
  return all;
}

ssize_t readv(int fd, const struct iovec *vector, int count) {
  return each(fd, vector, count, false);
}

/* So much as a pipe takes together goes out together. */
ssize_t writev(int fd, const struct iovec *vector, int count) {
  char text[POSIX_PIPE_ATOMIC];
  size_t used = 0;
  for (int i = 0; i < count; i++) {
    if (vector[i].iov_len > sizeof text - used)
      return each(fd, vector, count, true);
    memcpy(text + used, vector[i].iov_base, vector[i].iov_len);
    used += vector[i].iov_len;
  }
  return count <= 0 || count > IOV_MAX ? or_errno(-EINVAL) : write(fd, text, used);
}

/* ---- Directories --------------------------------------------------------------------------------------------------------------- */
long telldir(DIR *directory) {
  return (long)lseek(dirfd(directory), 0, SEEK_CUR);
}

void seekdir(DIR *directory, long place) {
  lseek(dirfd(directory), place, SEEK_SET);
}

int alphasort(const struct dirent **a, const struct dirent **b) {
  return strcmp((*a)->d_name, (*b)->d_name);
}

static int add(struct dirent ***list, int count, const struct dirent *entry) {
  struct dirent **longer = realloc(*list, (size_t)(count + 1) * sizeof *longer);
  if (!longer)
    return -1;
  *list = longer;
  if (!(longer[count] = malloc(sizeof *entry)))
    return -1;
  *longer[count] = *entry;
  return count + 1;
}

typedef int order(const void *, const void *);

int scandir(const char *path, struct dirent ***list, int (*wanted)(const struct dirent *),
            int (*compare)(const struct dirent **, const struct dirent **)) {
  DIR *directory = opendir(path);
  int count = 0, next = 0;
  *list = NULL;
  if (!directory)
    return -1;
  for (struct dirent *entry; next >= 0 && (entry = readdir(directory));)
    if ((!wanted || wanted(entry)) && (next = add(list, count, entry)) >= 0)
      count = next;
  closedir(directory);
  if (next >= 0) {
    if (compare)
      qsort(*list, (size_t)count, sizeof **list, (order *)compare);
    return count;
  }
  while (count--)
    free((*list)[count]);
  free(*list);
  return -1;
}
