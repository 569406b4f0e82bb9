/* SPDX-License-Identifier: BSD-2-Clause */
/* What <stdio.h> has of POSIX.1-2017 and picolibc has not: lines of any length, and printing to descriptors. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stream.h"

static int grow(char **line, size_t *size, size_t wanted) {
  if (*line && wanted <= *size)
    return 0;
  size_t next = wanted < 128 ? 128 : wanted + wanted / 2;
  char *made = realloc(*line, next);
  if (!made)
    return -1;
  *line = made;
  *size = next;
  return 0;
}

static ssize_t take_line(char **line, size_t *size, int end, FILE *file) {
  size_t used = 0;
  int c = 0;
  while (c != end || !used) {
    c = getc(file);
    if (c == EOF)
      break;
    if (grow(line, size, used + 2))
      return -1;
    (*line)[used++] = (char)c;
    if (c == end)
      break;
  }
  if (!used)
    return -1;
  (*line)[used] = 0;
  return (ssize_t)used;
}

ssize_t getdelim(char **line, size_t *size, int end, FILE *file) {
  if (!line || !size) {
    errno = EINVAL;
    return -1;
  }
  stream_lock(file);
  ssize_t used = take_line(line, size, end, file);
  stream_unlock(file);
  return used;
}

ssize_t getline(char **line, size_t *size, FILE *file) {
  return getdelim(line, size, '\n', file);
}

int vdprintf(int fd, const char *format, va_list list) {
  char *text;
  int bytes = vasprintf(&text, format, list);
  if (bytes < 0)
    return -1;
  ssize_t done = write(fd, text, (size_t)bytes);
  free(text);
  return done < 0 ? -1 : bytes;
}

int dprintf(int fd, const char *format, ...) {
  va_list list;
  va_start(list, format);
  int bytes = vdprintf(fd, format, list);
  va_end(list);
  return bytes;
}

/* ---- Streams for more than one function (POSIX.1-2017, flockfile) -------------------------------------------------------------- */
void flockfile(FILE *file) {
  stream_lock(file);
}

int ftrylockfile(FILE *file) {
  return !buffered(file) || __lock_try_acquire_recursive(buffered(file)->lock) ? 0 : EBUSY;
}

void funlockfile(FILE *file) {
  stream_unlock(file);
}

int(getc_unlocked)(FILE *file) {
  return getc(file);
}

int(getchar_unlocked)(void) {
  return getchar();
}

int(putc_unlocked)(int c, FILE *file) {
  return putc(c, file);
}

int(putchar_unlocked)(int c) {
  return putchar(c);
}
