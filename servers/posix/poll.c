/* SPDX-License-Identifier: BSD-2-Clause */
/* poll: which descriptors a read or a write would not wait for (POSIX.1-2017, poll). */
#include <errno.h>
#include <poll.h>

#include "file.h"

struct link poll_queue = LIST_HEAD(poll_queue);

/* Files, directories and other devices are always ready. */
static short state(const struct process *caller, const struct file *file) {
  if (file->pipe)
    return pipe_ready(file->pipe, file_writes(file));
  bool empty = file->inode->device == &console_device && !console_ready(caller);
  return (short)((file_reads(file) && !empty ? POLLIN | POLLRDNORM : 0) |
                 (file_writes(file) ? POLLOUT | POLLWRNORM : 0));
}

static short result(const struct process *caller, const struct pollfd *p) {
  const struct file *file = p->fd < 0 ? NULL : file_of(caller, (uint64_t)p->fd);
  if (!file)
    return p->fd < 0 ? 0 : POLLNVAL;
  return (short)(state(caller, file) & (p->events | POLLERR | POLLHUP));
}

int do_poll(struct request *q, struct q_reply *r) {
  static struct pollfd fds[POSIX_DESCRIPTORS];
  uint64_t count = q->m.word[0], ready = 0;
  if (count > POSIX_DESCRIPTORS || q->m.read_bytes < count * sizeof *fds)
    return EINVAL;
  int error = load(q, 0, fds, count * sizeof *fds);
  if (error)
    return error;
  for (uint64_t i = 0; i < count; i++)
    ready += (fds[i].revents = result(q->caller, &fds[i])) != 0;
  if (!ready && q->m.word[1])
    return interrupted(q->caller) ? EINTR : wait_in(q, &poll_queue);
  r->word[0] = ready;
  return store(q, fds, count * sizeof *fds);
}
