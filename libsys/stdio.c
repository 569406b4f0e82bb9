/* SPDX-License-Identifier: BSD-2-Clause */
/* The standard streams of picolibc, by line, and the function under exit(). */
#include <quire/proc.h>
#include <stdio.h>
#include <sys/lock.h>
#include <unistd.h>

#include "request.h"

void _exit(int status) {
  p_exit_now(status);
}

/* A line goes out in one call, and each thread has a line of its own for each stream. The kernel may switch threads within
 * a long one, so the threads of a program also take turns; the lock does nothing where there is just one (thread.c). */
static _Thread_local struct {
  char text[256];
  unsigned used;
} lines[2];
static FILE output, error;

static int console_flush(FILE *file) {
  unsigned stream = file == &error, bytes = lines[stream].used;
  lines[stream].used = 0;
  if (!bytes)
    return 0;
  __LIBC_LOCK();
  ssize_t done = write(stream ? 2 : 1, lines[stream].text, bytes);
  __LIBC_UNLOCK();
  return done < 0 ? EOF : 0;
}

static int console_put(char c, FILE *file) {
  unsigned stream = file == &error;
  lines[stream].text[lines[stream].used++] = c;
  if (c == '\n' || lines[stream].used == sizeof lines[stream].text)
    return console_flush(file) ? EOF : (unsigned char)c;
  return (unsigned char)c;
}

/* What was written so far, a prompt for one, is seen before the program waits. */
static int console_get(FILE *file) {
  (void)file;
  static unsigned char typed[256];
  static ssize_t got, next;
  if (next == got) {
    console_flush(&output);
    next = 0;
    got = read(0, typed, sizeof typed);
    if (got <= 0) {
      ssize_t result = got;
      got = 0;
      return result < 0 ? _FDEV_ERR : _FDEV_EOF;
    }
  }
  return typed[next++];
}

static FILE output = FDEV_SETUP_STREAM(console_put, NULL, console_flush, _FDEV_SETUP_WRITE);
static FILE error = FDEV_SETUP_STREAM(console_put, NULL, console_flush, _FDEV_SETUP_WRITE);
static FILE input = FDEV_SETUP_STREAM(NULL, console_get, NULL, _FDEV_SETUP_READ);
FILE *const stdin = &input;
FILE *const stdout = &output;
FILE *const stderr = &error;

void (*flush_streams)(void);

__attribute__((destructor)) static void flush_at_exit(void) {
  if (flush_streams)
    flush_streams();
  console_flush(&output);
  console_flush(&error);
}
