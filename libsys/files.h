/* SPDX-License-Identifier: BSD-2-Clause */
/* Parts of fcntl(). */
#ifndef FILES_H
#define FILES_H

#include <fcntl.h>

int lock_range(int fd, int operation, struct flock *lock); /* F_GETLK, F_SETLK, F_SETLKW */
#endif
