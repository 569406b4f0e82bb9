/* SPDX-License-Identifier: BSD-2-Clause */
/* The standard streams, and the function under exit(). */
#include <quire/proc.h>
#include <unistd.h>

#include "request.h"
#include "stream.h"

void _exit(int status) {
  p_exit_now(status);
}

static char in[BUFSIZ], out[BUFSIZ], messages[512];
static struct __file_bufio input = STREAM(STDIN_FILENO, in, sizeof in, __SRD, 0);
static struct __file_bufio output = STREAM(STDOUT_FILENO, out, sizeof out, __SWR, STREAM_NEW);
static struct __file_bufio error = STREAM(STDERR_FILENO, messages, sizeof messages, __SWR, STREAM_NOW);
FILE *const stdin = &input.xfile.cfile.file;
FILE *const stdout = &output.xfile.cfile.file;
FILE *const stderr = &error.xfile.cfile.file;

void (*flush_streams)(void);

/* Whoever reads on at standard input's descriptor goes on where this program has stopped. */
__attribute__((destructor)) static void flush_at_exit(void) {
  if (flush_streams)
    flush_streams();
  stdout->flush(stdout);
  stderr->flush(stderr);
  stream_flush(stdin);
}
