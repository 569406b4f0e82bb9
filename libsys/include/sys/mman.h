/* SPDX-License-Identifier: BSD-2-Clause */
/* Mappings (POSIX.1-2017, sys/mman.h), which picolibc leaves to the system. Anonymous ones may be shared, with children made by
 * fork; those of a file are private, with what the file holds when it is mapped. */
#ifndef QUIRE_MMAN_H
#define QUIRE_MMAN_H

#include <sys/types.h>

#define PROT_NONE 0
#define PROT_READ 1
#define PROT_WRITE 2
#define PROT_EXEC 4

#define MAP_SHARED 1
#define MAP_PRIVATE 2
#define MAP_FIXED 16
#define MAP_ANONYMOUS 32
#define MAP_ANON MAP_ANONYMOUS
#define MAP_FAILED ((void *)-1)

#define MS_ASYNC 1
#define MS_INVALIDATE 2
#define MS_SYNC 4

#define MADV_NORMAL 0
#define MADV_RANDOM 1
#define MADV_SEQUENTIAL 2
#define MADV_WILLNEED 3
#define MADV_DONTNEED                                                                                                \
  4 /* the content goes at once, as on Linux: zeros or the file come again. POSIX_MADV_DONTNEED keeps it */
#define MADV_COLD 20
#define POSIX_MADV_NORMAL MADV_NORMAL
#define POSIX_MADV_RANDOM MADV_RANDOM
#define POSIX_MADV_SEQUENTIAL MADV_SEQUENTIAL
#define POSIX_MADV_WILLNEED MADV_WILLNEED
#define POSIX_MADV_DONTNEED MADV_DONTNEED

void *mmap(void *address, size_t bytes, int prot, int flags, int fd, off_t offset);
int munmap(void *address, size_t bytes);
int mprotect(void *address, size_t bytes, int prot); /* ENOTSUP: PROT_WRITE and PROT_EXEC together, as for mmap */
int msync(void *address, size_t bytes, int flags);
int madvise(void *address, size_t bytes, int advice);
int posix_madvise(void *address, size_t bytes, int advice); /* 0 or an error, not errno */
#endif
