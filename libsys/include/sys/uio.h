/* SPDX-License-Identifier: BSD-2-Clause */
/* Vectors of buffers (POSIX.1-2017, sys/uio.h). Up to 4 KiB are written together; else one buffer goes after
 * the other, and others' bytes may come between. */
#ifndef QUIRE_UIO_H
#define QUIRE_UIO_H

#include <sys/types.h>

#define IOV_MAX 1024

struct iovec {
  void *iov_base;
  size_t iov_len;
};

ssize_t readv(int fd, const struct iovec *vector, int count);
ssize_t writev(int fd, const struct iovec *vector, int count);
#endif
