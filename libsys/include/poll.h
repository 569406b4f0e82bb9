/* SPDX-License-Identifier: BSD-2-Clause */
/* Waiting for one of several descriptors (POSIX.1-2017, poll.h), which picolibc leaves to the system. */
#ifndef QUIRE_POLL_H
#define QUIRE_POLL_H

#include <sys/types.h>
#include <time.h>

#define POLLIN 1
#define POLLPRI 2
#define POLLOUT 4
#define POLLERR 8   /* nobody reads the pipe */
#define POLLHUP 16  /* nobody writes the pipe */
#define POLLNVAL 32 /* no such descriptor */
#define POLLRDNORM 64
#define POLLRDBAND 128
#define POLLWRNORM 256
#define POLLWRBAND 512

typedef unsigned nfds_t;

struct pollfd {
  int fd;
  short events, revents;
};

int poll(struct pollfd *fds, nfds_t count, int milliseconds);
int ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask);
#endif
