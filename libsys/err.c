/* SPDX-License-Identifier: BSD-2-Clause */
/* <err.h>. Alone in its file: many a program has a warn() or an err() of its own. */
#include <err.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void say(const char *format, va_list list, int error) {
  fprintf(stderr, "%s: ", getprogname());
  vfprintf(stderr, format, list);
  if (error)
    fprintf(stderr, ": %s", strerror(error));
  putc('\n', stderr);
}

#define SAY(error)                                                                                                   \
  int number = error;                                                                                                \
  va_list list;                                                                                                      \
  va_start(list, format);                                                                                            \
  say(format, list, number);                                                                                         \
  va_end(list)

void warn(const char *format, ...) {
  SAY(errno);
}

void warnx(const char *format, ...) {
  SAY(0);
}

void err(int status, const char *format, ...) {
  SAY(errno);
  exit(status);
}

void errx(int status, const char *format, ...) {
  SAY(0);
  exit(status);
}
