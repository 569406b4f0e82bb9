/* SPDX-License-Identifier: BSD-2-Clause */
/* The standard streams, and the function under exit(). */
#include <quire/proc.h>
#include <unistd.h>

#include "request.h"
#include "stream.h"

void _exit(int status) {
  p_exit_now(status);
}

#define LAST __attribute__((section(".bss.~buffers"))) /* program.ld */
static char in[BUFSIZ] LAST, out[BUFSIZ] LAST, messages[512] LAST;
static struct __file_bufio input, output, error;
FILE *const stdin = &input.xfile.cfile.file;
FILE *const stdout = &output.xfile.cfile.file;
FILE *const stderr = &error.xfile.cfile.file;

__attribute__((constructor(101))) static void begin(void) { /* before those of the program */
  stream_make(&input, STDIN_FILENO, in, sizeof in, __SRD, 0);
  stream_make(&output, STDOUT_FILENO, out, sizeof out, __SWR, STREAM_NEW);
  stream_make(&error, STDERR_FILENO, messages, sizeof messages, __SWR, STREAM_NOW);
}

void (*flush_streams)(void);

/* A program that has used none does not touch what does it. */
static void finish(FILE *file) {
  if (buffered(file)->len || file->flush != stream_flush)
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
