/* SPDX-License-Identifier: BSD-2-Clause */
/* In picolibc's struct flock a process id is a short. */
#define flock __picolibc_flock
#include_next <sys/_default_fcntl.h>
#undef flock
#ifndef QUIRE_DEFAULT_FCNTL_H
#define QUIRE_DEFAULT_FCNTL_H

#include <sys/types.h>

struct flock {
  short l_type, l_whence;
  off_t l_start, l_len;
  pid_t l_pid;
};

int flock(int fd, int operation);
#endif
