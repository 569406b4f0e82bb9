/* SPDX-License-Identifier: BSD-2-Clause */
/* Streams of files. picolibc keeps no list of those that are open, so what was written to one that is never closed would be
 * lost at exit, and fflush(NULL) would fault; here they are in a list. The standard streams are stdio.c's, buffers buffer.c's. */
#include <fcntl.h>
#include <stdlib.h>
#include <stdio_ext.h>
#include <string.h>
#include <unistd.h>

#include "futex.h"
#include "request.h"
#include "stream.h"

struct stream {
  struct __file_bufio bufio; /* first: the FILE */
  struct stream *next;
  struct __lock lock;
  char buffer[BUFSIZ];
};

static struct stream *streams;
static struct __lock list_lock; /* may be taken before a stream's, never while one is held */

static void flush_all(void) {
  __lock_acquire_recursive(&list_lock);
  for (struct stream *stream = streams; stream; stream = stream->next)
    if (stream->bufio.dir == __SWR)
      stream_flush((FILE *)stream);
  __lock_release_recursive(&list_lock);
}

static void unlock_all(void) {
  lock_forked(&list_lock);
  for (struct stream *stream = streams; stream; stream = stream->next)
    lock_forked(&stream->lock);
}

int fflush(FILE *file) {
  if (file)
    return file->flush ? file->flush(file) : 0;
  flush_all();
  return fflush(stdout) | fflush(stderr);
}

static int stream_end(FILE *file) {
  struct stream **place = &streams;
  __lock_acquire_recursive(&list_lock);
  while (*place && (FILE *)*place != file)
    place = &(*place)->next;
  if (*place)
    *place = (*place)->next;
  __lock_release_recursive(&list_lock);
  int error = stream_close(file);
  free(file);
  return error;
}

static void stream_open(struct stream *stream) {
  __lock_acquire_recursive(&list_lock);
  stream->next = streams;
  streams = stream;
  flush_streams = flush_all;
  unlock_streams = unlock_all;
  __lock_release_recursive(&list_lock);
}

static int open_flags(const char *mode) {
  int flags = *mode == 'r' ? 0 : *mode == 'w' ? O_CREAT | O_TRUNC : O_CREAT | O_APPEND;
  for (const char *c = mode + (*mode != 0); *c; c++)
    flags |= *c == 'x' ? O_EXCL : *c == 'e' ? O_CLOEXEC : 0;
  return flags | (strchr(mode, '+') ? O_RDWR : *mode == 'r' ? O_RDONLY : O_WRONLY);
}

static uint8_t directions(int flags) {
  return (flags & O_ACCMODE) == O_RDWR ? __SRD | __SWR : (flags & O_ACCMODE) == O_RDONLY ? __SRD : __SWR;
}

FILE *fdopen(int fd, const char *mode) {
  if (!strchr("rwa", *mode) || !*mode) {
    errno = EINVAL;
    return NULL;
  }
  struct stream *stream = malloc(sizeof *stream);
  if (!stream)
    return NULL;
  memset(stream, 0, offsetof(struct stream, buffer));
  stream_make(&stream->bufio, fd, stream->buffer, sizeof stream->buffer, directions(open_flags(mode)), STREAM_NEW,
              &stream->lock);
  stream->bufio.xfile.cfile.close = stream_end;
  if (*mode == 'a')
    stream->bufio.bflags |= STREAM_END;
  if (*mode == 'a' && !(stream->bufio.xfile.cfile.file.flags & __SRD))
    lseek(fd, 0, SEEK_END);
  stream_open(stream);
  return (FILE *)stream;
}

FILE *fopen(const char *path, const char *mode) {
  int fd = *mode && strchr("rwa", *mode) ? open(path, open_flags(mode), 0666) : (int)or_errno(-EINVAL);
  FILE *file = fd < 0 ? NULL : fdopen(fd, mode);
  if (!file && fd >= 0)
    close(fd);
  return file;
}

int fileno(FILE *file) {
  struct __file_bufio *b = buffered(file);
  return b ? b->fd : (int)or_errno(-EBADF);
}

/* The stream keeps its descriptor, which names the other file then. */
FILE *freopen(const char *path, const char *mode, FILE *file) {
  fflush(file);
  int fd = path ? open(path, open_flags(mode), 0666) : (int)or_errno(-EBADF), own = fileno(file);
  if (fd < 0 || own < 0 || dup2(fd, own) < 0)
    return NULL;
  if (fd != own)
    close(fd);
  struct __file_bufio *bufio = buffered(file);
  file->unget = 0;
  file->flags &= (uint8_t) ~(__SERR | __SEOF);
  if (bufio) {
    file->flags = (uint8_t)((file->flags & ~(__SRD | __SWR)) | directions(open_flags(mode)));
    bufio->bflags |= bufio->bflags & STREAM_NOW ? 0 : STREAM_NEW;
    bufio->len = bufio->off = 0;
    bufio->dir = 0;
  }
  return file;
}

/* ---- <stdio_ext.h> ------------------------------------------------------------------------------------------------------------ */
size_t __fbufsize(FILE *file) {
  return buffered(file) ? (size_t)buffered(file)->size : 0;
}

size_t __fpending(FILE *file) {
  const struct __file_bufio *bufio = buffered(file);
  return bufio && bufio->dir == __SWR ? (size_t)bufio->len : 0;
}

size_t __freadahead(FILE *file) {
  const struct __file_bufio *bufio = buffered(file);
  return (bufio && bufio->dir == __SRD ? (size_t)(bufio->len - bufio->off) : 0) + (file->unget != 0);
}

int __freading(FILE *file) {
  const struct __file_bufio *bufio = buffered(file);
  return !(file->flags & __SWR) || (bufio && bufio->dir == __SRD);
}

int __fwriting(FILE *file) {
  const struct __file_bufio *bufio = buffered(file);
  return !(file->flags & __SRD) || (bufio && bufio->dir == __SWR);
}

int __freadable(FILE *file) {
  return file->flags & __SRD;
}

int __fwritable(FILE *file) {
  return (file->flags & __SWR) != 0;
}

int __flbf(FILE *file) {
  return !buffered(file) || buffered(file)->bflags & __BLBF;
}

void __fpurge(FILE *file) {
  struct __file_bufio *bufio = buffered(file);
  file->unget = 0;
  if (bufio)
    bufio->len = bufio->off = 0;
}

void __fseterr(FILE *file) {
  file->flags |= __SERR;
}
