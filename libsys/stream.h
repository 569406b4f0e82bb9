/* SPDX-License-Identifier: BSD-2-Clause */
/* Streams: picolibc's struct of a buffered one, with functions of ours. picolibc's own lose what a pipe has delivered when they
 * seek, do not know terminals, and take a call for each byte of an unbuffered stream. */
#ifndef STREAM_H
#define STREAM_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/lock.h>

#include <stdio-bufio.h>

/* In bflags, beside picolibc's. */
#define STREAM_END 0x20 /* what it writes goes to the file's end */
#define STREAM_NEW 0x40 /* nothing was written yet: by line if it turns out to be a terminal */
#define STREAM_NOW 0x80 /* unbuffered: what a function has put is written when it returns */

static inline struct __file_bufio *buffered(FILE *file) { /* NULL: its bytes go to memory */
  return file->flags & __SBUF ? (struct __file_bufio *)file : NULL;
}

/* A function has a stream for itself (POSIX.1-2017, flockfile), however long it waits for a file. */
static inline void stream_lock(FILE *file) {
  if (buffered(file))
    __lock_acquire_recursive(buffered(file)->lock);
}

static inline void stream_unlock(FILE *file) {
  if (buffered(file))
    __lock_release_recursive(buffered(file)->lock);
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

/* A new one, all zero: what is set by a program costs it less than what the pager copies for it. */
static inline void stream_make(struct __file_bufio *b, int fd, char *buffer, int size, uint8_t directions,
                               uint8_t how, _LOCK_T lock) {
  struct __file_ext *x = &b->xfile;
  x->cfile.file.flags = directions | __SCLOSE | __SEXT | __SBUF;
  x->cfile.file.put = stream_put;
  x->cfile.file.get = stream_get;
  x->cfile.file.flush = stream_flush;
  x->cfile.close = stream_close;
  x->seek = stream_seek;
  x->setvbuf = stream_setvbuf;
  b->fd = fd;
  b->buf = buffer;
  b->size = size;
  b->bflags = how;
  b->lock = lock;
}
#endif
