/* SPDX-License-Identifier: BSD-2-Clause */
/* The system's name, its limits, and terminals, of which there is one that cannot be changed. */
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <termios.h>
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
  *usage = (struct rusage){0};
  return (int)or_errno(who == RUSAGE_SELF || who == RUSAGE_CHILDREN ? 0 : -EINVAL);
}

int getpriority(int which, id_t who) {
  (void)which, (void)who;
  return 0;
}

int setpriority(int which, id_t who, int priority) {
  (void)which, (void)who;
  return (int)or_errno(priority ? -EACCES : 0);
}

/* ---- Terminals: what servers/posix/tty.c does --------------------------------------------------------------------------------- */
static const struct termios console = {
    .c_iflag = ICRNL,
    .c_oflag = OPOST | ONLCR,
    .c_cflag = CS8 | CREAD | CLOCAL,
    .c_lflag = ECHO | ECHOE | ECHOK | ICANON | ISIG,
    .c_cc = {[VEOF] = 4, [VERASE] = 127, [VINTR] = 3, [VKILL] = 21, [VMIN] = 1},
    .c_ispeed = B115200,
    .c_ospeed = B115200,
};

int tcgetattr(int fd, struct termios *to) {
  if (!isatty(fd))
    return -1;
  *to = console;
  return 0;
}

int tcsetattr(int fd, int when, const struct termios *wanted) {
  (void)when;
  if (!isatty(fd))
    return -1;
  return (int)or_errno(memcmp(wanted, &console, sizeof console) ? -EINVAL : 0);
}

static int of_terminal(int fd, int64_t result) {
  return isatty(fd) ? (int)or_errno(result) : -1;
}

int tcdrain(int fd) {
  return of_terminal(fd, 0);
}

int tcflow(int fd, int action) {
  (void)action;
  return of_terminal(fd, -ENOSYS);
}

int tcflush(int fd, int queue) {
  (void)queue;
  return of_terminal(fd, -ENOSYS);
}

int tcsendbreak(int fd, int duration) {
  (void)duration;
  return of_terminal(fd, -ENOSYS);
}

speed_t cfgetispeed(const struct termios *t) {
  return t->c_ispeed;
}

speed_t cfgetospeed(const struct termios *t) {
  return t->c_ospeed;
}

int cfsetispeed(struct termios *t, speed_t speed) {
  t->c_ispeed = speed;
  return 0;
}

int cfsetospeed(struct termios *t, speed_t speed) {
  t->c_ospeed = speed;
  return 0;
}

int ttyname_r(int fd, char *name, size_t bytes) {
  static const char console_name[] = "/dev/console";
  if (!isatty(fd))
    return errno;
  if (bytes < sizeof console_name)
    return ERANGE;
  strcpy(name, console_name);
  return 0;
}

char *ttyname(int fd) {
  static char name[16];
  errno = ttyname_r(fd, name, sizeof name);
  return errno ? NULL : name;
}

int ioctl(int fd, unsigned long request, ...) {
  struct stat s;
  (void)request;
  return fstat(fd, &s) ? -1 : (int)or_errno(-ENOTTY);
}
