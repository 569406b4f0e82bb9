/* SPDX-License-Identifier: BSD-2-Clause */
/* What programs expect in <sys/stat.h> beyond picolibc's. */
#include_next <sys/stat.h>
#ifndef QUIRE_STAT_H
#define QUIRE_STAT_H

#define UTIME_NOW (-2l) /* in place of nanoseconds */
#define UTIME_OMIT (-1l)

int lstat(const char *__restrict path, struct stat *__restrict out); /* as stat(): there are no symbolic links */
#endif
