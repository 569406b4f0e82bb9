/* SPDX-License-Identifier: BSD-2-Clause */
/* A process has 256 descriptors (quire/posix.h), and picolibc's sets only 64 if they are not told. */
#ifndef FD_SETSIZE
#define FD_SETSIZE 256
#endif
#include_next <sys/select.h>
