/* SPDX-License-Identifier: BSD-2-Clause */
/* Pipes (POSIX.1-2017, pipe, read, write): a ring of bytes between whoever holds its two ends. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "file.h"

struct pipe {
  char ring[POSIX_PIPE];
  uint64_t read, written; /* positions only grow */
  bool has_reader, has_writer;
  struct link waiting; /* on either side */
};

struct pipe *pipe_new(void) {
  struct pipe *pipe = malloc(sizeof *pipe);
  if (!pipe)
    return NULL;
  pipe->read = pipe->written = 0;
  pipe->has_reader = pipe->has_writer = true;
  list_init(&pipe->waiting);
  return pipe;
}

static void changed(struct pipe *pipe) {
  requests_wake(&pipe->waiting);
  poll_changed();
}

void pipe_release(struct pipe *pipe, bool writer) {
  *(writer ? &pipe->has_writer : &pipe->has_reader) = false;
  changed(pipe);
  if (!pipe->has_reader && !pipe->has_writer)
    free(pipe);
}

/* In at most two pieces, since the ring goes round. What was taken in the first is only gone when both have arrived. */
int pipe_read(struct request *q, struct pipe *pipe, bool wait, struct q_reply *r) {
  uint64_t waiting = pipe->written - pipe->read, n = q->m.write_bytes < waiting ? q->m.write_bytes : waiting;
  if (!n && q->m.write_bytes && pipe->has_writer)
    return wait ? wait_in(q, &pipe->waiting) : EAGAIN;
  for (uint64_t done = 0; done < n;) {
    uint64_t at = (pipe->read + done) % POSIX_PIPE, piece = n - done < POSIX_PIPE - at ? n - done : POSIX_PIPE - at;
    int error = store_at(q, done, pipe->ring + at, piece);
    if (error)
      return error;
    done += piece;
  }
  pipe->read += n;
  if (n)
    changed(pipe);
  r->word[0] = n;
  return 0;
}

/* All n together: they are the pipe's only when the last has arrived. */
static int take_in(struct request *q, struct pipe *pipe, uint64_t n) {
  for (uint64_t done = 0; done < n;) {
    uint64_t at = (pipe->written + done) % POSIX_PIPE,
             piece = n - done < POSIX_PIPE - at ? n - done : POSIX_PIPE - at;
    int error = load(q, q->progress + done, pipe->ring + at, piece);
    if (error)
      return error;
    done += piece;
  }
  pipe->written += n;
  q->progress += n;
  changed(pipe);
  return 0;
}

/* Up to POSIX_PIPE_ATOMIC bytes go in together or not at all. */
int pipe_write(struct request *q, struct pipe *pipe, bool wait, struct q_reply *r) {
  while (q->progress < q->m.read_bytes) {
    uint64_t left = q->m.read_bytes - q->progress, room = POSIX_PIPE - (pipe->written - pipe->read);
    bool whole = !q->progress && left <= POSIX_PIPE_ATOMIC;
    if (!pipe->has_reader)
      return EPIPE;
    if (!room || (whole && room < left)) {
      if (!wait && !q->progress)
        return EAGAIN;
      if (!wait)
        break;
      return wait_in(q, &pipe->waiting);
    }
    int error = take_in(q, pipe, left < room ? left : room);
    if (error)
      return error;
  }
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
