/* SPDX-License-Identifier: BSD-2-Clause */
/* errno for compilers without thread-local variables (tcc): with -D__PICOLIBC_ERRNO_FUNCTION=__errno, <errno.h> uses this. */
#include <errno.h>

int *__errno(void);

int *__errno(void) {
  return &errno;
}
