/* SPDX-License-Identifier: BSD-2-Clause */
/* The requests about memory: the break, mappings, and a server's objects. */
#include "shell.h"

#include <errno.h>

static inline __attribute__((always_inline)) int move_break(struct space *caller, struct q_received *m,
                                                            struct q_reply *r) {
  unsigned flags = (unsigned)m->word[1] | (caller->server ? P_SBRK_POPULATE : 0);
  int64_t old = m->word[1] >> 32 ? -EINVAL : space_sbrk(caller, (int64_t)m->word[0], flags);
  if (old < 0)
    return (int)-old;
  r->word[0] = (uint64_t)old;
  return 0;
}

static __attribute__((noinline)) int move_break_down(struct space *caller, struct q_received *m, struct q_reply *r) {
  return settle(caller, m) ? move_break(caller, m, r) : HEARD; /* a page of what would go may be on its way */
}

int do_sbrk(struct space *caller, struct q_received *m, struct q_reply *r) {
  return (int64_t)m->word[0] < 0 ? move_break_down(caller, m, r) : move_break(caller, m, r);
}

/* ---- Mappings ------------------------------------------------------------------------------------------------------------ */
int do_map(struct space *caller, struct q_received *m, struct q_reply *r) {
  struct p_mapped file = {0};
  struct map_request wanted = {m->word[0], m->word[1], (unsigned)m->word[2], NULL, 0};
  struct space *space = caller;
  int error = m->read_bytes ? transfer(m, Q_COPY_FROM, 0, &file, sizeof file) : 0;
  if (!error && m->read_bytes)
    error = caller->server ? request_target(caller, file.id, &space) : EPERM;
  if (error)
    return error;
  wanted.object = file.object ? object_find(file.object, caller->badge) : NULL;
  wanted.offset = file.offset;
  if (m->word[2] >> 32 || (file.object && !wanted.object) || space->server)
    return EINVAL;
  int64_t address = space_map(space, &wanted);
  r->word[0] = (uint64_t)address;
  return address < 0 ? (int)-address : 0;
}

int do_unmap(struct space *caller, struct q_received *m, struct q_reply *r) {
  (void)r;
  return space_unmap(caller, m->word[0], m->word[1]);
}

int do_protect(struct space *caller, struct q_received *m, struct q_reply *r) {
  (void)r;
  return m->word[2] >> 32 ? EINVAL : space_protect(caller, m->word[0], m->word[1], (unsigned)m->word[2]);
}

/* Pages may go, or come, which must not be on their way. */
int do_advise(struct space *caller, struct q_received *m, struct q_reply *r) {
  (void)r;
  if (m->word[2] >> 32 || caller->server)
    return EINVAL;
  return settle(caller, m) ? space_advise(caller, m->word[0], m->word[1], (unsigned)m->word[2]) : HEARD;
}

/* ---- Objects -------------------------------------------------------------------------------------------------------------- */
/* A server's memory is resident, so that its buffer can be read piece by piece. */
static int fill(struct space *caller, struct q_received *m, struct object *object) {
  static uint64_t pages[64];
  int error = 0;
  for (uint64_t i = 0; i < object->pages && !error; i += 64) {
    uint64_t n = object->pages - i < 64 ? object->pages - i : 64;
    error = transfer(m, Q_COPY_FROM, i * sizeof *pages, pages, n * sizeof *pages);
    for (uint64_t j = 0; j < n && !error; j++)
      error = pages[j] ? space_freeze(caller, PAGE_OF(pages[j]), object, i + j) : 0;
  }
  return error == DEFER ? EFAULT : error;
}

static int make_object(struct space *caller, struct q_received *m, uint64_t *id) {
  struct object *object = object_new(m->word[0]);
  if (!object)
    return ENOMEM;
  object->creator = caller->badge;
  int error = object_reserve(object) ? fill(caller, m, object) : ENOMEM;
  if (!error && !object_name(object, caller->badge))
    error = ENFILE;
  *id = object->id;
  if (error)
    space_drop_object(object);
  return error;
}

int do_object(struct space *caller, struct q_received *m, struct q_reply *r) {
  struct object *object = m->word[1] ? object_find(m->word[1], caller->badge) : NULL;
  if (!caller->server)
    return EPERM;
  if (m->word[1] ? !object : !m->word[0] || m->word[0] > P_OBJECT_MAX)
    return EINVAL;
  if (!object)
    return make_object(caller, m, &r->word[0]);
  object_unname(object);
  space_drop_object(object);
  return 0;
}

int do_thaw(struct space *caller, struct q_received *m, struct q_reply *r) {
  (void)r;
  if (!caller->server)
    return EPERM;
  return m->word[0] % Q_PAGE_SIZE || m->word[0] < caller->heap || m->word[0] >= caller->brk
             ? EINVAL
             : space_thaw(caller, m->word[0]);
}
