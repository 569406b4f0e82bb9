/* SPDX-License-Identifier: BSD-2-Clause */
/* malloc(): Doug Lea's (version 2.6.5, in the public domain) as newlib has it, compiled here as it is: it comes from
 * Debian's package newlib-source at build time. picolibc's own is smaller, but looks for every block through a list of all that
 * are free. Here is how it is set up, and what it leaves to its caller. Servers keep picolibc's: this one takes large blocks
 * from mmap(), and a server's memory is resident. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/lock.h>
#include <sys/mman.h>
#include <unistd.h>

#include <quire/abi.h>

/* Its functions get names of their own, so that the compiler does not take what it does with a block's head for writing past an
 * object, and that the checks that it lacks can stand before it. */
#define malloc lea_malloc
#define calloc lea_calloc
#define realloc lea_realloc
#define free lea_free
#define memalign lea_memalign
#define valloc lea_valloc
#define pvalloc lea_pvalloc
#define cfree lea_cfree
#define mallinfo lea_mallinfo /* its int fields are too short */

#define MALLOC_ALIGNMENT 16 /* RISC-V ELF psABI: what the largest type wants */
#define MALLOC_LOCK __LIBC_LOCK()
#define MALLOC_UNLOCK __LIBC_UNLOCK()
#define malloc_getpagesize Q_PAGE_SIZE
#define DEFAULT_TOP_PAD (64 * 1024) /* costs nothing until it is touched, and saves most calls of sbrk() */
#define DEFAULT_TRIM_THRESHOLD (256 * 1024)
/* It refuses what is larger than INT_MAX. Larger than all addresses is large enough, and no sum of its overflows yet. */
#undef INT_MAX
#define INT_MAX Q_USER_TOP

#include <mallocr.h>

_Static_assert(INT_MAX == Q_USER_TOP, "mallocr.c must not define INT_MAX again");
#undef malloc
#undef calloc
#undef realloc
#undef free
#undef memalign
#undef valloc
#undef pvalloc
#undef cfree
#undef mallinfo

void *malloc(size_t bytes) __attribute__((alias("lea_malloc")));
void free(void *block) __attribute__((alias("lea_free")));
void cfree(void *block) __attribute__((alias("lea_free")));
void *valloc(size_t bytes) __attribute__((alias("lea_valloc")));
void *pvalloc(size_t bytes) __attribute__((alias("lea_pvalloc")));

static void *no_memory(void) {
  errno = ENOMEM;
  return NULL;
}

/* Lea's multiplies without a look. */
void *calloc(size_t count, size_t size) {
  size_t bytes;
  return __builtin_mul_overflow(count, size, &bytes) ? no_memory() : lea_calloc(1, bytes);
}

/* Lea's keeps its lock when it refuses a size. Of no bytes it is free(), as in picolibc and glibc. */
void *realloc(void *block, size_t bytes) {
  if (bytes > Q_USER_TOP)
    return no_memory();
  if (bytes || !block)
    return lea_realloc(block, bytes);
  lea_free(block);
  return NULL;
}

static bool power_of_two(size_t n) {
  return n && !(n & (n - 1));
}

/* Lea's takes any alignment for a good one. */
void *memalign(size_t alignment, size_t bytes) {
  if (power_of_two(alignment))
    return lea_memalign(alignment, bytes);
  errno = EINVAL;
  return NULL;
}

void *aligned_alloc(size_t alignment, size_t bytes) {
  return memalign(alignment, bytes);
}

int posix_memalign(void **block, size_t alignment, size_t bytes) {
  if (!power_of_two(alignment) || alignment < sizeof(void *))
    return EINVAL;
  void *made = lea_memalign(alignment, bytes);
  if (!made)
    return ENOMEM;
  *block = made;
  return 0;
}

struct mallinfo mallinfo(void) {
  struct lea_mallinfo m = lea_mallinfo();
  return (struct mallinfo){.arena = (unsigned)m.arena,
                           .ordblks = (unsigned)m.ordblks,
                           .hblks = (unsigned)m.hblks,
                           .hblkhd = (unsigned)m.hblkhd,
                           .uordblks = (unsigned)m.uordblks,
                           .fordblks = (unsigned)m.fordblks,
                           .keepcost = (unsigned)m.keepcost};
}
