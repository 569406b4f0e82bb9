/* SPDX-License-Identifier: BSD-2-Clause */
/* <termios.h>, and the terminal's part of <unistd.h> and <sys/ioctl.h>. There is one terminal, the console, with a mode of three
 * bits (quire/posix.h); all else is as servers/posix/tty.c does it, and stays so. */
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "request.h"

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
  int64_t mode = px_terminal(fd, POSIX_TERMINAL_ASK);
  if (mode < 0 || !may_write(to, sizeof *to))
    return (int)or_errno(mode < 0 ? mode : -EFAULT);
  *to = console;
  to->c_lflag &= ~(tcflag_t)(mode & POSIX_TERMINAL_RAW ? ICANON : 0);
  to->c_lflag &= ~(tcflag_t)(mode & POSIX_TERMINAL_QUIET ? ECHO | ECHOE | ECHOK : 0);
  to->c_lflag &= ~(tcflag_t)(mode & POSIX_TERMINAL_PLAIN ? ISIG : 0);
  return 0;
}

/* What of it the console cannot do is left as it is, as POSIX has it: who must know asks afterwards. */
int tcsetattr(int fd, int when, const struct termios *wanted) {
  if (when != TCSANOW && when != TCSADRAIN && when != TCSAFLUSH)
    return (int)or_errno(-EINVAL);
  if (!may_read(wanted, sizeof *wanted))
    return (int)or_errno(-EFAULT);
  uint64_t mode = (wanted->c_lflag & ICANON ? 0 : POSIX_TERMINAL_RAW) |
                  (wanted->c_lflag & ECHO ? 0 : POSIX_TERMINAL_QUIET) |
                  (wanted->c_lflag & ISIG ? 0 : POSIX_TERMINAL_PLAIN);
  if (when == TCSAFLUSH && tcflush(fd, TCIFLUSH))
    return -1;
  int64_t error = px_terminal(fd, mode);
  return (int)or_errno(error < 0 ? error : 0);
}

void cfmakeraw(struct termios *t) {
  t->c_iflag &= ~(tcflag_t)(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
  t->c_oflag &= ~(tcflag_t)OPOST;
  t->c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ICANON | ISIG | IEXTEN);
  t->c_cflag = (t->c_cflag & ~(tcflag_t)(CSIZE | PARENB)) | CS8;
}

static int of_terminal(int fd, int64_t result) {
  int64_t mode = px_terminal(fd, POSIX_TERMINAL_ASK);
  return (int)or_errno(mode < 0 ? mode : result);
}

int tcdrain(int fd) {
  return of_terminal(fd, 0);
}

int tcflow(int fd, int action) {
  (void)action;
  return of_terminal(fd, -ENOSYS);
}

/* What was typed is read, as bytes, while there is any; what was written is on its way. */
int tcflush(int fd, int queue) {
  char typed[256];
  if (queue != TCIFLUSH && queue != TCOFLUSH && queue != TCIOFLUSH)
    return (int)or_errno(-EINVAL);
  int64_t mode = px_terminal(fd, POSIX_TERMINAL_ASK), error = mode;
  if (mode >= 0 && queue != TCOFLUSH && (error = px_terminal(fd, (uint64_t)mode | POSIX_TERMINAL_RAW)) >= 0) {
    while (poll(&(struct pollfd){fd, POLLIN, 0}, 1, 0) > 0 && read(fd, typed, sizeof typed) > 0)
      ;
    error = px_terminal(fd, (uint64_t)mode);
  }
  return (int)or_errno(error < 0 ? error : 0);
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

/* ---- Its size, which nobody knows: that of a terminal of old, if the environment says nothing ---------------------------------- */
static unsigned short from_environment(const char *name, unsigned short otherwise) {
  const char *text = getenv(name);
  long value = text ? strtol(text, NULL, 10) : 0;
  return value > 0 && value < 10000 ? (unsigned short)value : otherwise;
}

int ioctl(int fd, unsigned long request, ...) {
  va_list list;
  va_start(list, request);
  struct winsize *size = request == TIOCGWINSZ ? va_arg(list, struct winsize *) : NULL;
  va_end(list);
  if (request != TIOCGWINSZ || !isatty(fd))
    return fcntl(fd, F_GETFD) < 0 ? -1 : (int)or_errno(-ENOTTY);
  if (!may_write(size, sizeof *size))
    return (int)or_errno(-EFAULT);
  *size = (struct winsize){.ws_row = from_environment("LINES", 24), .ws_col = from_environment("COLUMNS", 80)};
  return 0;
}

/* ---- Process groups, which are jobs --------------------------------------------------------------------------------------------- */
pid_t tcgetpgrp(int fd) {
  struct q_call c = {.label = POSIX_terminal, .word = {(uint64_t)(int64_t)fd, POSIX_TERMINAL_ASK}};
  int64_t error = ask_server(&c);
  return (pid_t)or_errno(error < 0 ? error : (int64_t)c.word[1]);
}

int tcsetpgrp(int fd, pid_t group) {
  int64_t error = px_terminal(fd, POSIX_TERMINAL_ASK);
  return (int)or_errno(error < 0 ? error : group <= 0 ? -EINVAL : px_foreground((uint64_t)group));
}

pid_t getpgid(pid_t pid) {
  struct posix_process process;
  int64_t error = pid < 0 ? -ESRCH : px_identity((uint64_t)pid, &process);
  return (pid_t)or_errno(error < 0 ? error : (int64_t)process.job);
}

pid_t getpgrp(void) {
  return getpgid(0);
}

int setpgid(pid_t pid, pid_t group) {
  if (pid < 0 || group < 0)
    return (int)or_errno(-EINVAL);
  struct posix_process process;
  int64_t found = px_identity((uint64_t)pid, &process);
  pid_t own = getpid();
  bool mine = found >= 0 && (process.pid == (uint64_t)own || process.parent == (uint64_t)own);
  if (mine && process.job == (group ? (uint64_t)group : process.pid))
    return 0; /* it is there already */
  return (int)or_errno(px_job((uint64_t)pid, group == pid ? 0 : (uint64_t)group, 0));
}

int setpgrp(void) {
  return setpgid(0, 0);
}

/* A session is no more than the job that begins it: its processes keep the console that all have. */
pid_t setsid(void) {
  pid_t own = getpid();
  if (getpgrp() == own)
    return (pid_t)or_errno(-EPERM);
  return setpgid(0, 0) ? -1 : own;
}
