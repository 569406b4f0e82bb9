/* SPDX-License-Identifier: BSD-2-Clause */
/* <time.h>, <sys/time.h>, <sys/times.h>. There is no clock that knows the date: all clocks count from the machine's start. */
#include <stdbool.h>
#include <sys/time.h>
#include <sys/times.h>
#include <time.h>
#include <unistd.h>

#include "request.h"

#define SECOND 1000000000ul /* nanoseconds */

int clock_gettime(clockid_t clock, struct timespec *now) {
  uint64_t rate = p_timebase(), ticks = q_time();
  if (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC)
    return (int)or_errno(-EINVAL);
  if (!may_write(now, sizeof *now))
    return (int)or_errno(-EFAULT);
  *now = (struct timespec){(time_t)(ticks / rate), (long)(ticks % rate * SECOND / rate)};
  return 0;
}

int clock_getres(clockid_t clock, struct timespec *resolution) {
  if (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC)
    return (int)or_errno(-EINVAL);
  if (resolution && !may_write(resolution, sizeof *resolution))
    return (int)or_errno(-EFAULT);
  if (resolution)
    *resolution = (struct timespec){0, (long)((SECOND + p_timebase() - 1) / p_timebase())};
  return 0;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  struct timespec exact;
  (void)zone;
  clock_gettime(CLOCK_REALTIME, &exact);
  if (!may_write(now, sizeof *now))
    return (int)or_errno(-EFAULT);
  *now = (struct timeval){exact.tv_sec, exact.tv_nsec / 1000};
  return 0;
}

/* In units of CLOCKS_PER_SEC. How long a process has run is not counted. */
clock_t times(struct tms *times) {
  if (!may_write(times, sizeof *times))
    return (clock_t)or_errno(-EFAULT);
  *times = (struct tms){0};
  uint64_t rate = p_timebase(), ticks = q_time();
  return (clock_t)(ticks / rate * CLOCKS_PER_SEC + ticks % rate * CLOCKS_PER_SEC / rate);
}

/* ---- Sleeping: no signal ends it early ------------------------------------------------------------------------------------ */
static void sleep_for(uint64_t seconds, uint64_t nanoseconds) {
  uint64_t rate = p_timebase(), now = q_time();
  bool ends = seconds < (UINT64_MAX - now) / rate - 1;
  q_sleep_until(ends ? now + seconds * rate + (nanoseconds * rate + SECOND - 1) / SECOND : UINT64_MAX);
}

int nanosleep(const struct timespec *wanted, struct timespec *left) {
  if (!may_read(wanted, sizeof *wanted) || (left && !may_write(left, sizeof *left)))
    return (int)or_errno(-EFAULT);
  if (wanted->tv_sec < 0 || (uint64_t)wanted->tv_nsec >= SECOND)
    return (int)or_errno(-EINVAL);
  sleep_for((uint64_t)wanted->tv_sec, (uint64_t)wanted->tv_nsec);
  if (left)
    *left = (struct timespec){0};
  return 0;
}

unsigned sleep(unsigned seconds) {
  sleep_for(seconds, 0);
  return 0;
}

int usleep(useconds_t microseconds) {
  sleep_for(microseconds / 1000000, microseconds % 1000000 * 1000ul);
  return 0;
}

/* ---- What the system has ---------------------------------------------------------------------------------------------------- */
/* Those that Quire runs on: none comes later, and of what it leaves to the firmware no program has anything. */
static long processors(void) {
  struct p_system system;
  int64_t error = p_system_stats(0, &system);
  return error ? or_errno(error) : (long)system.harts;
}

long sysconf(int name) {
  switch (name) {
  case _SC_PAGESIZE:
    return Q_PAGE_SIZE;
  case _SC_OPEN_MAX:
    return POSIX_DESCRIPTORS;
  case _SC_ARG_MAX:
    return P_SPAWN_MAX;
  case _SC_CHILD_MAX:
    return POSIX_PROCESSES - 1;
  case _SC_CLK_TCK:
    return CLOCKS_PER_SEC;
  case _SC_NPROCESSORS_CONF:
  case _SC_NPROCESSORS_ONLN:
    return processors();
  default:
    return or_errno(-EINVAL);
  }
}
