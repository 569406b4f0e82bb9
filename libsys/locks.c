/* SPDX-License-Identifier: BSD-2-Clause */
/* Advisory locks: those of fcntl(), flock(), lockf(). */
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "files.h"
#include "request.h"

/* The first and the last byte that a lock means. */
static int64_t range_of(int fd, const struct flock *lock, int64_t *first, int64_t *last) {
  struct stat s = {0};
  off_t base = lock->l_whence == SEEK_CUR ? lseek(fd, 0, SEEK_CUR) : 0;
  if (base < 0 || (lock->l_whence == SEEK_END && fstat(fd, &s)))
    return -errno;
  if (lock->l_whence != SEEK_SET && lock->l_whence != SEEK_CUR && lock->l_whence != SEEK_END)
    return -EINVAL;
  if (__builtin_add_overflow(base + s.st_size, lock->l_start, first))
    return -EOVERFLOW;
  if (lock->l_len < 0 && __builtin_add_overflow(*first, lock->l_len, first))
    return -EINVAL;
  if (!lock->l_len)
    *last = INT64_MAX;
  else if (__builtin_add_overflow(*first, lock->l_len < 0 ? -lock->l_len - 1 : lock->l_len - 1, last))
    return -EOVERFLOW;
  return *first < 0 ? -EINVAL : 0;
}

static int64_t lock_as(int fd, int operation, struct flock *lock) {
  int64_t first = 0, last = 0, error = range_of(fd, lock, &first, &last);
  unsigned how = lock->l_type == F_WRLCK ? POSIX_LOCK_ALONE : lock->l_type == F_UNLCK ? POSIX_LOCK_NONE : 0;
  if (error || (lock->l_type != F_RDLCK && !how) || (operation == F_GETLK && how == POSIX_LOCK_NONE))
    return error ? error : -EINVAL;
  how |= operation == F_GETLK ? POSIX_LOCK_ASK : operation == F_SETLKW ? POSIX_LOCK_WAIT : 0;
  struct q_call c = {.label = POSIX_lock, .word = {(uint64_t)(int64_t)fd, how, (uint64_t)first, (uint64_t)last}};
  int64_t found = ask_server(&c);
  if (found < 0 || operation != F_GETLK)
    return found < 0 ? found : 0;
  if (found == POSIX_LOCK_NONE)
    lock->l_type = F_UNLCK;
  else
    *lock = (struct flock){.l_type = found ? F_WRLCK : F_RDLCK,
                           .l_whence = SEEK_SET,
                           .l_start = (off_t)c.word[1],
                           .l_len = c.word[2] == INT64_MAX ? 0 : (off_t)(c.word[2] - c.word[1] + 1),
                           .l_pid = (pid_t)c.word[3]};
  return 0;
}

int lock_range(int fd, int operation, struct flock *lock) {
  return (int)or_errno(may_write(lock, sizeof *lock) ? lock_as(fd, operation, lock) : -EFAULT);
}

int flock(int fd, int operation) {
  unsigned how = POSIX_LOCK_FILE | (operation & LOCK_NB ? 0 : POSIX_LOCK_WAIT);
  int kind = operation & ~LOCK_NB;
  if (kind != LOCK_SH && kind != LOCK_EX && kind != LOCK_UN)
    return (int)or_errno(-EINVAL);
  how |= kind == LOCK_EX ? POSIX_LOCK_ALONE : kind == LOCK_UN ? POSIX_LOCK_NONE : 0;
  int64_t error =
      ask_server(&(struct q_call){.label = POSIX_lock, .word = {(uint64_t)(int64_t)fd, how, 0, INT64_MAX}});
  return (int)or_errno(error < 0 ? error : 0);
}

int lockf(int fd, int operation, off_t bytes) {
  struct flock lock = {.l_type = operation == F_ULOCK ? F_UNLCK : F_WRLCK, .l_whence = SEEK_CUR, .l_len = bytes};
  if (operation != F_TEST)
    return operation < F_ULOCK || operation > F_TLOCK
               ? (int)or_errno(-EINVAL)
               : lock_range(fd, operation == F_LOCK ? F_SETLKW : F_SETLK, &lock);
  if (lock_range(fd, F_GETLK, &lock))
    return -1;
  return lock.l_type == F_UNLCK ? 0 : (int)or_errno(-EACCES);
}
