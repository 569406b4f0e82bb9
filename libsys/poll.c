/* SPDX-License-Identifier: BSD-2-Clause */
/* <poll.h> and <sys/select.h>. The server waits for as long as it takes; a time limit is kept here, by asking again. */
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/select.h>

#include "request.h"

static int64_t ready(struct pollfd *fds, nfds_t count, bool wait) {
  struct q_call c = {.label = POSIX_poll, .word = {count, wait}, .read = fds, .write = fds};
  c.read_bytes = c.write_bytes = count * sizeof *fds;
  return count > POSIX_DESCRIPTORS ? -EINVAL : ask_server(&c);
}

/* Ever longer pauses, of 1 to 8 ms. */
static int64_t ready_until(struct pollfd *fds, nfds_t count, uint64_t end) {
  uint64_t step = p_timebase() / 1000, most = 8 * step;
  for (;;) {
    uint64_t now = q_time();
    int64_t n = ready(fds, count, false);
    if (n || now >= end)
      return n;
    q_sleep_until(end - now < step ? end : now + step);
    step = step < most ? 2 * step : most;
  }
}

int ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask) {
  const uint64_t second = 1000000000;
  (void)mask; /* no signal ends a wait */
  if (!timeout)
    return (int)or_errno(ready(fds, count, true));
  if (timeout->tv_sec < 0 || (uint64_t)timeout->tv_nsec >= second)
    return (int)or_errno(-EINVAL);
  uint64_t rate = p_timebase(), most = UINT64_MAX / 4 / rate, seconds = (uint64_t)timeout->tv_sec;
  uint64_t ticks = (seconds < most ? seconds : most) * rate + (uint64_t)timeout->tv_nsec * rate / second;
  return (int)or_errno(ticks ? ready_until(fds, count, q_time() + ticks) : ready(fds, count, false));
}

int poll(struct pollfd *fds, nfds_t count, int milliseconds) {
  struct timespec timeout = {milliseconds / 1000, milliseconds % 1000 * 1000000l};
  return ppoll(fds, count, milliseconds < 0 ? NULL : &timeout, NULL);
}

static bool in(const fd_set *set, int fd) {
  return set && FD_ISSET(fd, set);
}

static nfds_t collect(int count, const fd_set *readers, const fd_set *writers, const fd_set *others,
                      struct pollfd *fds) {
  nfds_t n = 0;
  for (int fd = 0; fd < count; fd++) {
    int events = (in(readers, fd) ? POLLIN : 0) | (in(writers, fd) ? POLLOUT : 0) | (in(others, fd) ? POLLPRI : 0);
    if (events)
      fds[n++] = (struct pollfd){.fd = fd, .events = (short)events};
  }
  return n;
}

/* Those of the set that have one of the events remain; how many. */
static int keep(fd_set *set, const struct pollfd *fds, nfds_t n, int event, int means) {
  int kept = 0;
  if (!set)
    return 0;
  FD_ZERO(set);
  for (nfds_t i = 0; i < n; i++)
    if (fds[i].events & event && fds[i].revents & means) {
      FD_SET(fds[i].fd, set);
      kept++;
    }
  return kept;
}

int pselect(int count, fd_set *readers, fd_set *writers, fd_set *others, const struct timespec *timeout,
            const sigset_t *mask) {
  struct pollfd fds[POSIX_DESCRIPTORS];
  if (count < 0 || count > POSIX_DESCRIPTORS)
    return (int)or_errno(-EINVAL);
  nfds_t n = collect(count, readers, writers, others, fds);
  if (ppoll(fds, n, timeout, mask) < 0)
    return -1;
  for (nfds_t i = 0; i < n; i++)
    if (fds[i].revents & POLLNVAL)
      return (int)or_errno(-EBADF);
  return keep(readers, fds, n, POLLIN, POLLIN | POLLHUP) + keep(writers, fds, n, POLLOUT, POLLOUT | POLLERR) +
         keep(others, fds, n, POLLPRI, POLLPRI);
}

int select(int count, fd_set *readers, fd_set *writers, fd_set *others, struct timeval *timeout) {
  struct timespec exact;
  if (timeout)
    exact = (struct timespec){timeout->tv_sec, timeout->tv_usec * 1000};
  return pselect(count, readers, writers, others, timeout ? &exact : NULL, NULL);
}
