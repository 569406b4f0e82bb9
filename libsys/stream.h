/* SPDX-License-Identifier: BSD-2-Clause */
/* Streams: picolibc's struct of a buffered one, with functions of ours. picolibc's own lose what a pipe has delivered when they
 * seek, do not know terminals, and take a call for each byte of an unbuffered stream. */
#ifndef STREAM_H
#define STREAM_H

#include <stdbool.h>
#include <stdio.h>

#include <stdio-bufio.h>

/* In bflags, beside picolibc's. */
#define STREAM_END 0x20 /* what it writes goes to the file's end */
#define STREAM_NEW 0x40 /* nothing was written yet: by line if it turns out to be a terminal */
#define STREAM_NOW 0x80 /* unbuffered: what a function has put is written when it returns */

#define STREAM(descriptor, bytes, most, directions, how)                                                             \
  {                                                                                                                  \
    .xfile = FDEV_SETUP_EXT(stream_put, stream_get, stream_flush, stream_close, stream_seek, stream_setvbuf,         \
                            (directions) | __SBUF),                                                                  \
    .fd = (descriptor), .bflags = (how), .buf = (bytes), .size = (most)                                              \
  }

static inline struct __file_bufio *buffered(FILE *file) { /* NULL: its bytes go to memory */
  return file->flags & __SBUF ? (struct __file_bufio *)file : NULL;
}

/* ---- buffer.c ---- */
int stream_put(char c, FILE *file);
int stream_get(FILE *file);
int stream_flush(FILE *file);
int stream_close(FILE *file); /* only the descriptor */
off_t stream_seek(FILE *file, off_t offset, int whence);
int stream_setvbuf(FILE *file, char *buffer, int mode, size_t size);
size_t stream_write(FILE *file, const char *from, size_t bytes); /* how many were taken */
bool stream_hold(FILE *file);                                    /* an unbuffered one, for the time of a function */
void stream_release(FILE *file, bool held);
#endif
