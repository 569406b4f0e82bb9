/* SPDX-License-Identifier: BSD-2-Clause */
/* Pipes (POSIX.1-2017, pipe, read, write): a ring of bytes between whoever holds its two ends. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "file.h"

#define MIN(a, b) ((a) < (b) ? (a) : (b))

struct pipe {
  uint64_t read, written; /* positions only grow */
  bool has_reader, has_writer;
  struct link readers, writers; /* that wait */
  char ring[POSIX_PIPE];
};

struct pipe *pipe_new(void) {
  struct pipe *pipe = malloc(sizeof *pipe);
  if (!pipe)
    return NULL;
  pipe->read = pipe->written = 0;
  pipe->has_reader = pipe->has_writer = true;
  list_init(&pipe->readers);
  list_init(&pipe->writers);
  return pipe;
}

void pipe_release(struct pipe *pipe, bool writer) {
  *(writer ? &pipe->has_writer : &pipe->has_reader) = false;
  requests_wake(&pipe->readers);
  requests_wake(&pipe->writers);
  poll_changed();
  if (!pipe->has_reader && !pipe->has_writer)
    free(pipe);
}

static uint64_t filled(const struct pipe *pipe) {
  return pipe->written - pipe->read;
}

static uint64_t left(const struct request *writer) {
  return writer->m.read_bytes - writer->progress;
}

/* Up to POSIX_PIPE_ATOMIC bytes go on together or not at all. */
static bool whole(const struct request *writer) {
  return !writer->progress && left(writer) <= POSIX_PIPE_ATOMIC;
}

static bool fits(const struct request *writer, const struct pipe *pipe) {
  return POSIX_PIPE - filled(pipe) >= (whole(writer) ? left(writer) : 1);
}

static __attribute__((noinline)) void wake_waiting(struct pipe *pipe) {
  struct request *reader = request_first(&pipe->readers), *writer = request_first(&pipe->writers);
  if (reader && filled(pipe))
    request_wake(reader);
  if (writer && fits(writer, pipe))
    request_wake(writer);
}

/* The first in either line goes on if it can. Whatever becomes of it, it ends here, too, so none is forgotten. */
static inline void wake_next(struct pipe *pipe) {
  if (!list_empty(&pipe->readers) || !list_empty(&pipe->writers))
    wake_waiting(pipe);
}

/* ---- Reading ------------------------------------------------------------------------------------------------------------ */
/* In at most two pieces, since the ring goes round. It is only gone when all has arrived. */
static int take_out(struct request *q, struct pipe *pipe) {
  uint64_t n = MIN(q->m.write_bytes, filled(pipe)), had = arrived(q, 0, pipe->read, n), done = 0;
  uint64_t at = (pipe->read + had) % POSIX_PIPE, first = MIN(n - had, POSIX_PIPE - at);
  int error = store_some(q, had, pipe->ring + at, first, &done);
  if (!error && had + first < n) {
    had += first;
    error = store_some(q, had, pipe->ring, n - had, &done);
  }
  if (error == AGAIN)
    q->arrived = (struct arrived){q->m.token, 0, pipe->read, had + done};
  if (error)
    return error;
  pipe->read += n;
  q->progress = n;
  poll_changed();
  return 0;
}

/* The ring is empty: from the buffer of a writer that waits. */
static __attribute__((noinline)) int take_from_writer(struct request *q, struct pipe *pipe) {
  int error = 0;
  uint64_t n;
  struct request *writer;
  do {
    uint64_t size = q->m.write_bytes - q->progress;
    writer = request_first(&pipe->writers);
    if (!writer || (whole(writer) && left(writer) > size))
      return 0;
    n = MIN(MIN(left(writer), size), POSIX_PIPE);
    error = hand_over(writer, q, n, writer);
  } while (error == NOT_NOW);
  if (error)
    return error;
  q->progress += n;
  writer->progress += n;
  if (!left(writer))
    request_done(writer, writer->progress);
  return 0;
}

int pipe_read(struct request *q, struct pipe *pipe, bool wait, struct q_reply *r) {
  int error = copy_error(q);
  if (!error && filled(pipe))
    error = take_out(q, pipe);
  if (!error && q->progress < q->m.write_bytes && !list_empty(&pipe->writers))
    error = take_from_writer(q, pipe);
  wake_next(pipe);
  if (error && !q->progress)
    return error;
  if (!q->progress && q->m.write_bytes && pipe->has_writer)
    return wait ? wait_in(q, &pipe->readers) : EAGAIN;
  r->word[0] = q->progress;
  return 0;
}

/* ---- Writing ------------------------------------------------------------------------------------------------------------ */
/* What goes on together is the pipe's only when the last has arrived; of more than that, what has, since the rest may only come when
 * the first is away again. */
static int take_in(struct request *q, struct pipe *pipe) {
  uint64_t n = MIN(left(q), POSIX_PIPE - filled(pipe)), at = pipe->written % POSIX_PIPE,
           first = MIN(n, POSIX_PIPE - at), before = 0, done = 0;
  int error = load_some(q, q->progress, pipe->ring + at, first, &done);
  if (!error && first < n) {
    before = first;
    error = load_some(q, q->progress + first, pipe->ring, n - first, &done);
  }
  if (error == AGAIN && !whole(q))
    n = before + done;
  else if (error)
    return error;
  pipe->written += n;
  q->progress += n;
  poll_changed();
  return error;
}

static __attribute__((noinline)) int give_to_reader(struct request *q, struct request *reader) {
  uint64_t n = MIN(MIN(left(q), reader->m.write_bytes), POSIX_PIPE);
  int error = hand_over(q, reader, n, reader);
  if (error)
    return error == NOT_NOW ? 0 : error;
  q->progress += n;
  request_done(reader, n);
  return 0;
}

static int write_some(struct request *q, struct pipe *pipe, bool wait) {
  struct request *reader = filled(pipe) ? NULL : request_first(&pipe->readers);
  if (!pipe->has_reader)
    return EPIPE;
  if (reader && (!whole(q) || left(q) <= reader->m.write_bytes))
    return give_to_reader(q, reader);
  if (fits(q, pipe))
    return take_in(q, pipe);
  return wait ? wait_in(q, &pipe->writers) : EAGAIN;
}

/* What went on before an error is the result. */
int pipe_write(struct request *q, struct pipe *pipe, bool wait, struct q_reply *r) {
  int error = copy_error(q);
  while (!error && left(q))
    error = write_some(q, pipe, wait);
  wake_next(pipe);
  if (error == AGAIN || (error && !q->progress))
    return error;
  r->word[0] = q->progress;
  return 0;
}

/* A writer is ready when so much fits as goes in together. */
short pipe_ready(const struct pipe *pipe, bool writer) {
  uint64_t waiting = pipe->written - pipe->read;
  if (writer)
    return !pipe->has_reader ? POLLERR : POSIX_PIPE - waiting >= POSIX_PIPE_ATOMIC ? POLLOUT | POLLWRNORM : 0;
  return (short)((waiting ? POLLIN | POLLRDNORM : 0) | (pipe->has_writer ? 0 : POLLHUP));
}
