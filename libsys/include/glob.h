/* SPDX-License-Identifier: BSD-2-Clause */
/* Names that match a pattern (POSIX.1-2017, glob.h), which picolibc declares as 4.4BSD did. */
#ifndef QUIRE_GLOB_H
#define QUIRE_GLOB_H

#include <stddef.h>

#define GLOB_APPEND 1
#define GLOB_DOOFFS 2
#define GLOB_ERR 4
#define GLOB_MARK 8
#define GLOB_NOCHECK 16
#define GLOB_NOSORT 32
#define GLOB_NOESCAPE 64

#define GLOB_NOSPACE 1
#define GLOB_ABORTED 2
#define GLOB_NOMATCH 3

typedef struct {
  size_t gl_pathc;
  char **gl_pathv;
  size_t gl_offs;
} glob_t;

int glob(const char *restrict pattern, int flags, int (*on_error)(const char *path, int error),
         glob_t *restrict found);
void globfree(glob_t *found); /* with gl_offs as it was for glob(), and 0 without GLOB_DOOFFS */
#endif
