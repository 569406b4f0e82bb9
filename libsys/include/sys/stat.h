/* SPDX-License-Identifier: BSD-2-Clause */
/* What programs expect in <sys/stat.h> beyond picolibc's. */
#include_next <sys/stat.h>
#ifndef QUIRE_STAT_H
#define QUIRE_STAT_H

/* Nanoseconds for utimensat() and futimens() that stand for the time of the call, and for no change. */
#ifndef UTIME_NOW
#define UTIME_NOW 0x3fffffffl
#define UTIME_OMIT 0x3ffffffel
#endif

int lstat(const char *__restrict path, struct stat *__restrict out); /* as stat(): there are no symbolic links */
#endif
