/* SPDX-License-Identifier: BSD-2-Clause */
/* What programs expect in <unistd.h> beyond picolibc's. */
#include_next <unistd.h>
#ifndef QUIRE_UNISTD_H
#define QUIRE_UNISTD_H

/* What programs decide by whether to expect POSIX at all; docs/limits.md says what is missing. */
#ifndef _POSIX_VERSION
#define _POSIX_VERSION 200809L
#endif

int brk(void *end);
int pipe2(int fds[2], int flags);
int dup3(int fd, int to, int flags);
int getlogin_r(char *name, size_t bytes);
#endif
