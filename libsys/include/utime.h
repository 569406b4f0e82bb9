/* SPDX-License-Identifier: BSD-2-Clause */
/* Times of files (POSIX.1-2017, utime.h). */
#ifndef QUIRE_UTIME_H
#define QUIRE_UTIME_H

#include <sys/types.h>

struct utimbuf {
  time_t actime, modtime;
};

int utime(const char *path, const struct utimbuf *times);
#endif
