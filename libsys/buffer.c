/* SPDX-License-Identifier: BSD-2-Clause */
/* The buffers of streams. What is read ahead goes back to a file when its stream turns to writing, seeks or is flushed. */
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "request.h"
#include "stream.h"

static bool failed(FILE *file) {
  file->flags |= __SERR;
  return true;
}

/* ---- Writing ---------------------------------------------------------------------------------------------------------------- */
/* What cannot be written is dropped, or the stream would never come to its end. */
static bool write_out(struct __file_bufio *b) {
  for (int done = 0; done < b->len;) {
    ssize_t n = write(b->fd, b->buf + done, (size_t)(b->len - done));
    if (n <= 0) {
      b->len = 0;
      return !failed((FILE *)b);
    }
    done += (int)n;
  }
  b->len = 0;
  return true;
}

/* What comes from a pipe or a terminal cannot go back, and stays. */
static void give_back(struct __file_bufio *b) {
  int number = errno;
  if (b->off < b->len && lseek(b->fd, b->off - b->len, SEEK_CUR) >= 0)
    b->off = b->len = 0;
  errno = number;
}

int stream_flush(FILE *file) {
  struct __file_bufio *b = buffered(file);
  bool good = true;
  stream_lock(file);
  if (b->dir == __SWR)
    good = write_out(b);
  else
    give_back(b);
  stream_unlock(file);
  return good ? 0 : EOF;
}

/* Without a server there is only the console. */
static bool is_terminal(int fd) {
  int number = errno;
  bool is = !p_server || isatty(fd);
  errno = number;
  return is;
}

static void begin_writing(struct __file_bufio *b) {
  if (b->dir == __SRD)
    give_back(b);
  b->off = b->len = 0;
  b->dir = __SWR;
  if (b->bflags & STREAM_NEW && is_terminal(b->fd))
    b->bflags |= __BLBF;
  if (b->bflags & STREAM_END)
    lseek(b->fd, 0, SEEK_END);
  b->bflags &= (uint8_t)~STREAM_NEW;
}

int stream_put(char c, FILE *file) {
  struct __file_bufio *b = buffered(file);
  bool good = true;
  stream_lock(file);
  if (b->dir != __SWR)
    begin_writing(b);
  b->buf[b->len++] = c;
  if (b->len == b->size || b->bflags & STREAM_NOW || (c == '\n' && b->bflags & __BLBF))
    good = write_out(b);
  stream_unlock(file);
  return good ? (unsigned char)c : _FDEV_ERR;
}

/* As many as go together; what fills a whole buffer needs none. */
static ssize_t put_some(struct __file_bufio *b, const char *from, size_t bytes) {
  size_t room = (size_t)(b->size - b->len);
  if (!b->len && bytes >= room) {
    ssize_t n = write(b->fd, from, bytes);
    return n <= 0 && failed((FILE *)b) ? -1 : n;
  }
  size_t n = bytes < room ? bytes : room;
  memcpy(b->buf + b->len, from, n);
  b->len += (int)n;
  return b->len == b->size && !write_out(b) ? -1 : (ssize_t)n;
}

size_t stream_write(FILE *file, const char *from, size_t bytes) {
  struct __file_bufio *b = buffered(file);
  size_t done = 0;
  stream_lock(file);
  if (b->dir != __SWR)
    begin_writing(b);
  for (ssize_t n = 0; done < bytes && n >= 0; done += n > 0 ? (size_t)n : 0)
    n = put_some(b, from + done, bytes - done);
  bool due = b->bflags & STREAM_NOW || (b->bflags & __BLBF && memchr(from, '\n', done));
  if (due && !write_out(b))
    done = 0;
  stream_unlock(file);
  return done;
}

bool stream_hold(FILE *file) {
  struct __file_bufio *b = buffered(file);
  bool held = b && b->bflags & STREAM_NOW;
  if (held)
    b->bflags &= (uint8_t)~STREAM_NOW;
  return held;
}

void stream_release(FILE *file, bool held) {
  if (!held)
    return;
  ((struct __file_bufio *)file)->bflags |= STREAM_NOW;
  file->flush(file);
}

/* ---- Reading ---------------------------------------------------------------------------------------------------------------- */
/* What a prompt says is seen before it waits. */
static ssize_t read_in(struct __file_bufio *b, char *to, size_t bytes) {
  FILE *file = (FILE *)b;
  if (b->dir == __SWR && !write_out(b))
    return -1;
  b->off = b->len = 0;
  b->dir = __SRD;
  if (file == stdin && buffered(stdout)->bflags & __BLBF)
    fflush(stdout);
  return read(b->fd, to, bytes);
}

static int fill(struct __file_bufio *b) {
  if (((FILE *)b)->flags & __SEOF)
    return _FDEV_EOF; /* until somebody clears it: a terminal may go on after its end */
  ssize_t n = read_in(b, b->buf, (size_t)b->size);
  if (n > 0)
    b->len = (int)n;
  return n > 0 ? 0 : n < 0 ? _FDEV_ERR : _FDEV_EOF;
}

int stream_get(FILE *file) {
  struct __file_bufio *b = buffered(file);
  stream_lock(file);
  int result = b->dir == __SRD && b->off < b->len ? 0 : fill(b);
  if (!result)
    result = (unsigned char)b->buf[b->off++];
  stream_unlock(file);
  return result;
}

/* What lies in the buffer, or past it as much as fills one. */
static size_t get_some(struct __file_bufio *b, char *to, size_t bytes) {
  size_t n = b->dir == __SRD ? (size_t)(b->len - b->off) : 0;
  if (n) {
    n = n < bytes ? n : bytes;
    memcpy(to, b->buf + b->off, n);
    b->off += (int)n;
    return n;
  }
  if (bytes < (size_t)b->size || ((FILE *)b)->flags & __SEOF)
    return 0;
  ssize_t got = read_in(b, to, bytes);
  ((FILE *)b)->flags |= got ? 0 : __SEOF;
  return got > 0 ? (size_t)got : 0; /* after an error getc() tries again, and says it */
}

/* ---- Both ------------------------------------------------------------------------------------------------------------------- */
off_t stream_seek(FILE *file, off_t offset, int whence) {
  struct __file_bufio *b = buffered(file);
  stream_lock(file);
  off_t result = lseek(b->fd, 0, SEEK_CUR);
  if (result >= 0 && whence == SEEK_CUR && !offset)
    result += b->dir == __SWR ? b->len : b->off - b->len;
  else if (result >= 0)
    result = stream_flush(file) ? -1 : lseek(b->fd, offset, whence);
  stream_unlock(file);
  return result;
}

int stream_close(FILE *file) {
  int error = file->flush(file);
  return close(buffered(file)->fd) || error ? EOF : 0;
}

static void set_buffer(struct __file_bufio *b, char *buffer, int mode, size_t size) {
  if (buffer && size && mode != _IONBF) {
    b->buf = buffer;
    b->size = (int)size;
  }
  b->bflags &= STREAM_END;
  b->bflags |= mode == _IOLBF ? __BLBF : mode == _IONBF ? STREAM_NOW : 0;
}

/* Without a buffer of the caller's the stream keeps its own, of whatever size; an unbuffered one has it for what one function
 * writes. */
int stream_setvbuf(FILE *file, char *buffer, int mode, size_t size) {
  struct __file_bufio *b = buffered(file);
  if ((mode != _IOFBF && mode != _IOLBF && mode != _IONBF) || size > INT32_MAX)
    return (int)or_errno(-EINVAL);
  stream_lock(file);
  bool used = file->flush(file) || b->off < b->len;
  if (!used)
    set_buffer(b, buffer, mode, size);
  stream_unlock(file);
  return used ? EOF : 0;
}

/* ---- <stdio.h>: picolibc moves each byte by a call of its own ---------------------------------------------------------------- */
static size_t put_all(FILE *file, const char *from, size_t bytes) {
  if (!(file->flags & __SWR))
    return 0;
  if (file->put == stream_put)
    return stream_write(file, from, bytes);
  size_t done = 0;
  while (done < bytes && file->put(from[done], file) >= 0)
    done++;
  return done;
}

size_t fwrite(const void *from, size_t size, size_t count, FILE *file) {
  size_t bytes = size * count, done = bytes ? put_all(file, from, bytes) : 0;
  return done == bytes && bytes ? count : size ? done / size : 0;
}

int fputs(const char *text, FILE *file) {
  size_t bytes = strlen(text);
  return put_all(file, text, bytes) == bytes && file->flags & __SWR ? 0 : EOF;
}

int puts(const char *text) {
  stream_lock(stdout);
  bool held = stream_hold(stdout);
  int result = fputs(text, stdout) | putchar('\n');
  stream_release(stdout, held);
  stream_unlock(stdout);
  return result < 0 ? EOF : 0;
}

/* What getc() reads brings a buffer of it. */
size_t fread(void *to, size_t size, size_t count, FILE *file) {
  bool direct = buffered(file) && file->flags & __SRD;
  size_t bytes = size * count, done = 0;
  stream_lock(file);
  while (done < bytes) {
    size_t n = direct && !file->unget ? get_some(buffered(file), (char *)to + done, bytes - done) : 0;
    int c = n ? 0 : getc(file);
    if (c == EOF)
      break;
    if (!n)
      ((char *)to)[done] = (char)c;
    done += n ? n : 1;
  }
  stream_unlock(file);
  return size ? done / size : 0;
}
