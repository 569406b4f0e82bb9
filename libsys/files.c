/* SPDX-License-Identifier: BSD-2-Clause */
/* Files and directories: the functions of <fcntl.h>, <unistd.h>, <sys/stat.h>, <dirent.h> and <stdio.h>, each of which is a
 * request to the posix server (POSIX.1-2017 says what they do). */
#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "files.h"
#include "request.h"

/* A request about a descriptor, or about nothing. */
static int64_t of(uint64_t label, int64_t word0, int64_t word1, int64_t word2) {
  return or_errno(
      ask_server(&(struct q_call){.label = label, .word = {(uint64_t)word0, (uint64_t)word1, (uint64_t)word2}}));
}

static int64_t of_path(uint64_t label, const char *path, int64_t word0, int64_t word1) {
  char text[PATH_BYTES];
  int64_t bytes = path_take(path, text);
  return or_errno(bytes < 0 ? bytes
                            : ask_server(&(struct q_call){.label = label,
                                                          .word = {(uint64_t)word0, (uint64_t)word1},
                                                          .read = text,
                                                          .read_bytes = (size_t)bytes}));
}

static int of_two_paths(uint64_t label, const char *from, const char *to) {
  char text[2 * PATH_BYTES];
  int64_t first = path_take(from, text), second = first < 0 ? first : path_take(to, text + first);
  return (int)or_errno(second < 0 ? second
                                  : ask_server(&(struct q_call){
                                        .label = label, .read = text, .read_bytes = (size_t)(first + second)}));
}

/* ---- Descriptors --------------------------------------------------------------------------------------------------------- */
int open(const char *path, int flags, ...) {
  va_list list;
  va_start(list, flags);
  unsigned mode = flags & O_CREAT ? va_arg(list, unsigned) : 0;
  va_end(list);
  return (int)of_path(POSIX_open, path, flags, mode);
}

int close(int fd) {
  return (int)of(POSIX_close, fd, 0, 0);
}

off_t lseek(int fd, off_t offset, int whence) {
  return of(POSIX_seek, fd, offset, whence);
}

ssize_t pread(int fd, void *to, size_t bytes, off_t offset) {
  struct q_call c = {
      .label = POSIX_read, .word = {(uint64_t)fd, (uint64_t)offset}, .write = to, .write_bytes = bytes};
  return or_errno(offset < 0 ? -EINVAL : ask_server(&c));
}

ssize_t pwrite(int fd, const void *from, size_t bytes, off_t offset) {
  struct q_call c = {
      .label = POSIX_write, .word = {(uint64_t)fd, (uint64_t)offset}, .read = from, .read_bytes = bytes};
  return or_errno(offset < 0 ? -EINVAL : ask_server(&c));
}

int dup(int fd) {
  return (int)of(POSIX_dup, fd, 0, 0);
}

int dup2(int fd, int to) {
  return (int)of(POSIX_dup, fd, to, POSIX_DUP_EXACT);
}

int fcntl(int fd, int operation, ...) {
  va_list list;
  va_start(list, operation);
  bool locks = operation == F_GETLK || operation == F_SETLK || operation == F_SETLKW;
  struct flock *lock = locks ? va_arg(list, struct flock *) : NULL;
  int argument = locks || operation == F_GETFD || operation == F_GETFL ? 0 : va_arg(list, int);
  va_end(list);
  if (operation == F_DUPFD || operation == F_DUPFD_CLOEXEC)
    return (int)of(POSIX_dup, fd, argument, operation == F_DUPFD ? 0 : POSIX_DUP_CLOSE);
  return locks ? lock_range(fd, operation, lock) : (int)of(POSIX_control, fd, operation, argument);
}

int pipe(int fds[2]) {
  struct q_call c = {.label = POSIX_pipe};
  int64_t error = or_errno(may_write(fds, 2 * sizeof *fds) ? ask_server(&c) : -EFAULT);
  if (error >= 0)
    fds[0] = (int)c.word[0], fds[1] = (int)c.word[1];
  return error < 0 ? -1 : 0;
}

int ftruncate(int fd, off_t size) {
  return (int)of(POSIX_truncate, fd, size, 0);
}

/* ---- Paths ----------------------------------------------------------------------------------------------------------------- */
/* Of a path, or without one of a descriptor. */
static int64_t describe(const char *path, int fd, struct posix_stat *s) {
  char text[PATH_BYTES];
  int64_t bytes = path ? path_take(path, text) : 0;
  return or_errno(bytes < 0 ? bytes
                            : ask_server(&(struct q_call){.label = POSIX_stat,
                                                          .word = {(uint64_t)(int64_t)fd},
                                                          .read = text,
                                                          .read_bytes = (size_t)bytes,
                                                          .write = s,
                                                          .write_bytes = sizeof *s}));
}

#define BLOCK 512 /* what st_blocks counts */

static struct timespec time_of(int64_t nanoseconds) {
  const int64_t second = 1000000000;
  int64_t seconds = nanoseconds / second - (nanoseconds % second < 0);
  return (struct timespec){seconds, nanoseconds - seconds * second};
}

static int status(const char *path, int fd, struct stat *out) {
  struct posix_stat s;
  if (describe(path, fd, &s) < 0)
    return -1;
  if (!may_write(out, sizeof *out))
    return (int)or_errno(-EFAULT);
  *out = (struct stat){.st_ino = (ino_t)s.number,
                       .st_mode = (mode_t)s.mode,
                       .st_nlink = (nlink_t)s.links,
                       .st_size = (off_t)s.size,
                       .st_atim = time_of(s.accessed),
                       .st_mtim = time_of(s.modified),
                       .st_ctim = time_of(s.changed),
                       .st_blksize = Q_PAGE_SIZE,
                       .st_blocks = (blkcnt_t)((s.size + BLOCK - 1) / BLOCK)};
  return 0;
}

int stat(const char *restrict path, struct stat *restrict out) {
  return path ? status(path, -1, out) : (int)or_errno(-EFAULT);
}

int fstat(int fd, struct stat *out) {
  return status(NULL, fd, out);
}

int isatty(int fd) {
  struct posix_stat s;
  if (describe(NULL, fd, &s) < 0)
    return 0;
  if (s.terminal)
    return 1;
  errno = ENOTTY;
  return 0;
}

int access(const char *path, int mode) {
  struct stat s;
  if (mode & ~(R_OK | W_OK | X_OK))
    return (int)or_errno(-EINVAL);
  if (stat(path, &s))
    return -1;
  if (!(mode & X_OK) || s.st_mode & 0111)
    return 0;
  errno = EACCES;
  return -1;
}

int unlink(const char *path) {
  return (int)of_path(POSIX_unlink, path, 0, 0);
}

int rmdir(const char *path) {
  return (int)of_path(POSIX_rmdir, path, 0, 0);
}

int mkdir(const char *path, mode_t mode) {
  return (int)of_path(POSIX_mkdir, path, mode, 0);
}

int chdir(const char *path) {
  return (int)of_path(POSIX_chdir, path, 0, 0);
}

int link(const char *from, const char *to) {
  return of_two_paths(POSIX_link, from, to);
}

int rename(const char *from, const char *to) {
  return of_two_paths(POSIX_rename, from, to);
}

/* NULL: it is allocated, of that size or, with 0, as long as it must be. */
char *getcwd(char *path, size_t size) {
  char found[1024];
  if (!path)
    return getcwd(found, size && size < sizeof found ? size : sizeof found) ? strdup(found) : NULL;
  struct q_call c = {.label = POSIX_getcwd, .write = path, .write_bytes = size};
  int64_t error = or_errno(size ? ask_server(&c) : -EINVAL);
  return error < 0 ? NULL : path;
}

/* ---- Directories ----------------------------------------------------------------------------------------------------------- */
struct DIR {
  int fd;
  struct dirent entry;
};

DIR *fdopendir(int fd) {
  DIR *directory = malloc(sizeof *directory);
  if (directory)
    directory->fd = fd;
  return directory;
}

int dirfd(DIR *directory) {
  return directory->fd;
}

DIR *opendir(const char *path) {
  int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *directory = fd < 0 ? NULL : fdopendir(fd);
  if (!directory && fd >= 0)
    close(fd);
  return directory;
}

struct dirent *readdir(DIR *directory) {
  static const unsigned char types[] = {DT_REG, DT_DIR, DT_CHR};
  struct posix_entry e;
  int64_t got = or_errno(ask_server(&(struct q_call){
      .label = POSIX_entry, .word = {(uint64_t)directory->fd}, .write = &e, .write_bytes = sizeof e}));
  if (got <= 0)
    return NULL;
  directory->entry = (struct dirent){.d_ino = (ino_t)e.number, .d_type = types[e.type]};
  strcpy(directory->entry.d_name, e.name);
  return &directory->entry;
}

void rewinddir(DIR *directory) {
  lseek(directory->fd, 0, SEEK_SET);
}

int closedir(DIR *directory) {
  int error = close(directory->fd);
  free(directory);
  return error;
}
