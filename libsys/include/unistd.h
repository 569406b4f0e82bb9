/* SPDX-License-Identifier: BSD-2-Clause */
/* What programs expect in <unistd.h> beyond picolibc's. */
#include_next <unistd.h>
#ifndef QUIRE_UNISTD_H
#define QUIRE_UNISTD_H

/* What programs decide by whether to expect POSIX at all; docs/limits.md says what is missing. */
#ifndef _POSIX_VERSION
#define _POSIX_VERSION 200809L
#endif

#ifndef _POSIX_THREADS
#define _POSIX_THREADS 200809L
#endif

#define F_ULOCK 0
#define F_LOCK 1
#define F_TLOCK 2
#define F_TEST 3

int lockf(int fd, int operation, off_t bytes);
int brk(void *end);
int pipe2(int fds[2], int flags);
int dup3(int fd, int to, int flags);
int getlogin_r(char *name, size_t bytes);
#endif
