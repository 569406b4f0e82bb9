/* SPDX-License-Identifier: BSD-2-Clause */
/* The system's name, and its limits. */
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "request.h"

int uname(struct utsname *name) {
  *name = (struct utsname){"Quire", "quire", "0.1.0", "1", "riscv64"};
  return 0;
}

int gethostname(char *name, size_t bytes) {
  strncpy(name, "quire", bytes);
  return (int)or_errno(bytes > strlen("quire") ? 0 : -ENAMETOOLONG);
}

int getpagesize(void) {
  return Q_PAGE_SIZE;
}

int getdtablesize(void) {
  return POSIX_DESCRIPTORS;
}

long pathconf(const char *path, int name) {
  struct stat s;
  if (stat(path, &s))
    return -1;
  switch (name) {
  case _PC_NAME_MAX:
    return 255;
  case _PC_PATH_MAX:
    return 1024;
  case _PC_PIPE_BUF:
    return POSIX_PIPE_ATOMIC;
  case _PC_LINK_MAX:
    return INT32_MAX;
  default:
    return or_errno(-EINVAL);
  }
}

long fpathconf(int fd, int name) {
  struct stat s;
  return fstat(fd, &s) ? -1 : pathconf("/", name);
}

/* Files are in memory: there is nothing to wait for. */
int fsync(int fd) {
  struct stat s;
  return fstat(fd, &s);
}

int fdatasync(int fd) {
  return fsync(fd);
}

void sync(void) {
}

/* ---- Limits ------------------------------------------------------------------------------------------------------------------- */
int getrlimit(int resource, struct rlimit *limit) {
  static const rlim_t limits[] = {[RLIMIT_CPU] = RLIM_INFINITY,
                                  [RLIMIT_FSIZE] = 64ul << 30,
                                  [RLIMIT_DATA] = RLIM_INFINITY,
                                  [RLIMIT_STACK] = P_STACK_BYTES,
                                  [RLIMIT_CORE] = 0,
                                  [5] = RLIM_INFINITY,
                                  [RLIMIT_NPROC] = POSIX_PROCESSES,
                                  [RLIMIT_NOFILE] = POSIX_DESCRIPTORS,
                                  [8] = RLIM_INFINITY,
                                  [RLIMIT_AS] = RLIM_INFINITY};
  if (resource < 0 || resource > RLIMIT_AS)
    return (int)or_errno(-EINVAL);
  *limit = (struct rlimit){limits[resource], limits[resource]};
  return 0;
}

/* They cannot be lowered, and nobody may have more. */
int setrlimit(int resource, const struct rlimit *limit) {
  struct rlimit now;
  if (getrlimit(resource, &now))
    return -1;
  bool same = limit->rlim_cur == now.rlim_cur && limit->rlim_max == now.rlim_max;
  return (int)or_errno(same ? 0 : limit->rlim_max > now.rlim_max ? -EPERM : -ENOSYS);
}

int getrusage(int who, struct rusage *usage) {
  struct p_stats stats = {0};
  int64_t error = who == RUSAGE_SELF ? p_stats_of(0, &stats) : who == RUSAGE_CHILDREN ? 0 : -EINVAL;
  if (error || !may_write(usage, sizeof *usage))
    return (int)or_errno(error ? error : -EFAULT);
  *usage = (struct rusage){.ru_maxrss = (long)(stats.peak * Q_PAGE_SIZE / 1024),
                           .ru_minflt = (long)(stats.faults[0] + stats.faults[1] + stats.faults[2])};
  return 0;
}

int getpriority(int which, id_t who) {
  (void)which, (void)who;
  return 0;
}

int setpriority(int which, id_t who, int priority) {
  (void)which, (void)who;
  return (int)or_errno(priority ? -EACCES : 0);
}
