/* SPDX-License-Identifier: BSD-2-Clause */
/* The standard streams, and the function under exit(). */
#include <quire/proc.h>
#include <unistd.h>

#include "futex.h"
#include "request.h"
#include "stream.h"

void _exit(int status) {
  p_exit_now(status);
}

#define LAST __attribute__((section(".bss.~buffers"))) /* program.ld */
static char in[BUFSIZ] LAST, out[BUFSIZ] LAST, messages[512] LAST;
static struct __file_bufio input, output, error;
static struct __lock locks[3];
FILE *const stdin = &input.xfile.cfile.file;
FILE *const stdout = &output.xfile.cfile.file;
FILE *const stderr = &error.xfile.cfile.file;

__attribute__((constructor(101))) static void begin(void) { /* before those of the program */
  stream_make(&input, STDIN_FILENO, in, sizeof in, __SRD, 0, &locks[0]);
  stream_make(&output, STDOUT_FILENO, out, sizeof out, __SWR, STREAM_NEW, &locks[1]);
  stream_make(&error, STDERR_FILENO, messages, sizeof messages, __SWR, STREAM_NOW, &locks[2]);
}

void (*flush_streams)(void);
void (*unlock_streams)(void);

void streams_forked(void) {
  for (unsigned i = 0; i < sizeof locks / sizeof *locks; i++)
    lock_forked(&locks[i]);
  if (unlock_streams)
    unlock_streams();
}

/* A program that has used none does not touch what does it. Another thread that waits for input has it for as long as that
 * takes. */
static void finish(FILE *file) {
  struct __file_bufio *b = buffered(file);
  if ((!b->len && file->flush == stream_flush) || (b->dir == __SRD && !__lock_try_acquire_recursive(b->lock)))
    return;
  file->flush(file);
}

/* Whoever reads on at standard input's descriptor goes on where this program has stopped. */
__attribute__((destructor)) static void flush_at_exit(void) {
  if (flush_streams)
    flush_streams();
  finish(stdout);
  finish(stderr);
  finish(stdin);
}
