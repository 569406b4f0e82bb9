/* SPDX-License-Identifier: BSD-2-Clause */
/* Further threads of programs. The handles stay here, so that it is known how many a space has; a program names a thread by the
 * argument that it gave it. */
#include "shell.h"

#include <errno.h>

#include "slab.h"

struct thread {
  struct thread *next; /* of its space */
  uint64_t name;
  q_handle handle;
};

static struct slab slab = {.bytes = (sizeof(struct thread) + 15) & ~15ul};
static unsigned all;

/* Where the thread of that name is linked, or would be. */
static struct thread **find(struct space *space, uint64_t name) {
  struct thread **place = &space->thread_list;
  while (*place && (*place)->name != name)
    place = &(*place)->next;
  return place;
}

static void forget(struct space *space, struct thread **place) {
  struct thread *thread = *place;
  *place = thread->next;
  slab_give(&slab, thread);
  space->threads--;
  all--;
}

void threads_forget(struct space *space) {
  while (space->thread_list)
    forget(space, &space->thread_list);
}

/* The quota that a task begins with is not for so many: it grows with them, page by page. */
static int64_t make(const struct space *space, q_handle *handle) {
  int64_t error;
  do
    error = q_thread_create(space->task, Q_PRIORITY_PROGRAM, handle);
  while (error == -Q_E_NOMEM && !WITH_MEMORY(q_task_quota(boot->pager, space->task, 1)));
  return error;
}

static int begin(struct thread *thread, const struct q_received *m) {
  int64_t error = q_thread_start(thread->handle, m->word[0], m->word[1], m->word[2]);
  if (error)
    q_handle_destroy(thread->handle);
  return error ? EINVAL : 0;
}

int do_thread(struct space *caller, struct q_received *m, struct q_reply *r) {
  (void)r;
  struct thread **place = find(caller, m->word[2]);
  if (caller->server)
    return EPERM;
  if (*place)
    return EEXIST;
  struct thread *thread = caller->threads <= P_THREADS && all < P_THREADS_ALL ? slab_take(&slab) : NULL;
  if (!thread)
    return EAGAIN;
  int error = make(caller, &thread->handle) ? EAGAIN : begin(thread, m);
  if (error) {
    slab_give(&slab, thread);
    return error;
  }
  thread->name = m->word[2];
  thread->next = NULL;
  *place = thread;
  caller->threads++;
  all++;
  return 0;
}

int do_thread_end(struct space *caller, struct q_received *m, struct q_reply *r) {
  (void)r;
  struct thread **place = find(caller, m->word[0]);
  if (!*place)
    return ESRCH;
  q_handle_destroy((*place)->handle);
  doubt_received(); /* a fault of it on what is unmapped now */
  forget(caller, place);
  return m->word[2] ? space_unmap(caller, m->word[1], m->word[2]) : 0;
}
