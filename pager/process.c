/* SPDX-License-Identifier: BSD-2-Clause */
/* How programs begin and end, and the backend that the core asks for page tables: all of it in system calls. */
#include "shell.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define UNMAP_ENTRIES 256
#define SERVER_STACK 65536 /* resident */

/* ---- Kernel memory ---------------------------------------------------------------------------------------------------- */
bool donate(void) {
  uint64_t block;
  if (!block_take(&block))
    return false;
  int64_t error = q_pager_donate(boot->pager, block);
  assert(!error); /* a block that is all free is the pager's, and mapped nowhere */
  (void)error;
  return true;
}

/* Whatever wants kernel memory is tried again after each donation. */
#define WITH_MEMORY(call)                                                                                            \
  ({                                                                                                                 \
    int64_t result_;                                                                                                 \
    do                                                                                                               \
      result_ = (call);                                                                                              \
    while (result_ == -Q_E_NOMEM && donate());                                                                       \
    result_;                                                                                                         \
  })

/* ---- Backend -------------------------------------------------------------------------------------------------------------- */
int backend_map(struct space *space, uint64_t va, uint64_t frame_prot) {
  return (int)-WITH_MEMORY(q_map(boot->pager, space->task, va, frame_prot, 1, 0));
}

void backend_unmap(struct space *space, uint64_t va, uint64_t pages, void (*removed)(struct space *, uint64_t)) {
  static uint64_t entries[UNMAP_ENTRIES];
  struct q_unmapped done = {0, va, pages};
  while (done.remain) {
    if (q_unmap(boot->pager, space->task, done.next, done.remain, entries, UNMAP_ENTRIES, &done) < 0)
      return;
    for (uint64_t i = 0; i < done.written; i++)
      removed(space, entries[i] & ~(Q_PAGE_SIZE - 1ul));
  }
}

bool backend_reclaim(uint64_t *block) {
  return q_pager_reclaim(boot->pager, block) == 0;
}

/* ---- Beginning -------------------------------------------------------------------------------------------------------------- */
static const struct image *find_image(const char *name) {
  for (unsigned i = 0; i < image_count; i++)
    if (!strcmp(images[i].name, name))
      return &images[i];
  return NULL;
}

int64_t give(struct space *space, q_handle handle, uint64_t rights, uint64_t badge) {
  q_handle there;
  return WITH_MEMORY(q_task_give(space->task, handle, rights, badge, &there));
}

/* The handles that every program starts with, in the order of P_HANDLE_*. */
static int64_t give_handles(struct space *space, const struct spawn *spawn) {
  int64_t error = give(space, boot->endpoint, Q_RIGHT_SEND, space->badge);
  if (!error)
    error = give(space, boot->machine, Q_RIGHT_DEBUG | (spawn->server ? Q_RIGHT_IRQ : 0), 0);
  if (!error)
    error = give(space, space->task, Q_RIGHT_THREAD, 0);
  if (!error && spawn->gift)
    error = give(space, spawn->gift, space->client ? Q_RIGHT_SEND : Q_RIGHT_ALL, 0);
  if (!error && spawn->server)
    error = server_handles(space, spawn->server);
  if (!error)
    error = q_task_supervise(space->task, boot->endpoint, space->badge);
  return error;
}

static int64_t start_thread(struct space *space, uint64_t sp) {
  q_handle thread;
  unsigned priority = space->server ? Q_PRIORITY_SERVER : Q_PRIORITY_PROGRAM;
  int64_t error = WITH_MEMORY(q_thread_create(space->task, priority, &thread));
  if (error)
    return error;
  error = q_thread_start(thread, space->image->entry, sp, space->client ? P_HANDLE_GIFT : 0);
  q_handle_close(thread);
  return error;
}

static int64_t build(struct space *space, const struct spawn *spawn) {
  int64_t error = WITH_MEMORY(q_task_create(boot->pager, space->badge, TASK_QUOTA, &space->task));
  if (error)
    return -ENOMEM;
  error = give_handles(space, spawn);
  int64_t sp = error ? -ENOMEM : space_arguments(space, spawn->text, spawn->bytes, spawn->environment);
  if (sp < 0)
    return sp;
  if (spawn->server && !space_populate(space, SERVER_STACK))
    return -ENOMEM;
  return start_thread(space, (uint64_t)sp) ? -ENOMEM : 0;
}

static void tear_down(struct space *space) {
  if (space->task) {
    q_task_stop(space->task);
    space_end(space);
    q_handle_destroy(space->task);
  } else {
    space_end(space);
  }
  space->task = 0;
  if (space->watch)
    q_handle_close(space->watch);
  if (space->gift)
    q_handle_close(space->gift);
  space->watch = space->gift = 0;
}

int64_t process_spawn(const struct spawn *spawn) {
  if (!spawn->bytes || spawn->text[spawn->bytes - 1])
    return -EINVAL;
  const struct image *image = find_image(spawn->text);
  if (!image || !image->good)
    return image ? -ENOEXEC : -ENOENT;
  struct space *space = space_new(image, policy);
  if (!space)
    return -EAGAIN;
  space->parent = spawn->parent;
  space->quiet = spawn->flags & P_SPAWN_QUIET;
  space->client = spawn->flags & P_SPAWN_CLIENT;
  space->server = spawn->server;
  int64_t error = build(space, spawn);
  if (!error)
    return (int64_t)space->badge;
  tear_down(space);
  space_free(space);
  return error;
}

const char *spawn_error(int64_t error) {
  return error == -ENOENT ? "not in the boot image" : error == -ENOEXEC ? "not an executable" : "no memory";
}

/* ---- Ending ----------------------------------------------------------------------------------------------------------------- */
static const char *cause_text(uint64_t cause) {
  static const char *const text[] = {
      "misaligned fetch", "fetch access fault", "illegal instruction",     "breakpoint",
      "misaligned load",  "load access fault",  "misaligned store or AMO", "store or AMO access fault"};
  return cause < sizeof text / sizeof *text ? text[cause] : "exception";
}

static const char *reason_text(uint64_t reason) {
  static const char *const text[] = {
#define X(n, name, words) [n] = words,
      P_REASONS(X)
#undef X
  };
  return text[reason];
}

static void diagnose(const struct space *space, const struct p_death *d) {
  static const char *const kind[] = {"read", "write", "execute", "access"};
  const char *name = space->image->name;
  unsigned long id = d->id, address = d->address, pc = d->pc, sp = d->sp;
  if (d->reason == P_REASON_EXIT) {
    if (d->status)
      say("%s (%lu) exited with status %ld", name, id, (long)d->status);
  } else if (d->reason == P_REASON_KILLED) {
    say("%s (%lu) was killed", name, id);
  } else if (d->reason == P_REASON_EXCEPTION) {
    say("%s (%lu) ended: %s, value 0x%lx; pc 0x%lx sp 0x%lx", name, id, cause_text(d->status), address, pc, sp);
  } else if (d->reason == P_REASON_NOFRAME) {
    say("%s (%lu) ended: %s at 0x%lx: out of memory, %lu frames resident, %lu free; pc 0x%lx sp 0x%lx", name, id,
        kind[d->kind & 3], address, (unsigned long)space->stats.resident, (unsigned long)frames.available, pc, sp);
  } else {
    say("%s (%lu) ended: %s at 0x%lx refused: %s; pc 0x%lx sp 0x%lx", name, id, kind[d->kind & 3], address,
        reason_text(d->reason), pc, sp);
  }
}

/* Children of a program that ended are nobody's: their records are forgotten, now or when they end. */
static void orphan_children(uint64_t parent) {
  for (unsigned i = 1; i < SPACES; i++)
    if (spaces[i].state != SPACE_FREE && spaces[i].parent == parent) {
      spaces[i].parent = 0;
      spaces[i].orphan = true;
      if (spaces[i].state == SPACE_ENDED)
        space_free(&spaces[i]);
    }
}

static uint64_t run_failed; /* some boot program did not end with status 0 */

static void off_if_last(void) {
  for (unsigned i = 1; i < SPACES; i++)
    if (spaces[i].state == SPACE_ALIVE && !spaces[i].server && !spaces[i].client)
      return;
  close_down(run_failed);
}

void process_kill(struct space *space) {
  process_end(space, &(struct p_death){.id = space->badge, .reason = P_REASON_KILLED});
}

void process_kill_children(uint64_t parent) {
  for (unsigned i = 1; i < SPACES; i++)
    if (spaces[i].state == SPACE_ALIVE && spaces[i].parent == parent) {
      process_kill_children(spaces[i].badge);
      spaces[i].quiet = true;
      process_kill(&spaces[i]);
    }
}

void process_end(struct space *space, const struct p_death *death) {
  space->death = *death;
  space->death.faults = space->stats.faults[0] + space->stats.faults[1] + space->stats.faults[2];
  space->death.peak = space->stats.peak;
  trace_ended(space->badge);
  if (!space->quiet)
    diagnose(space, death);
  struct space *parent = space_find(space->parent);
  uint64_t id = space->badge;
  struct server *server = space->server;
  bool boot_program = !space->parent && !space->orphan && !server;
  tear_down(space);
  if (server)
    process_kill_children(id);
  orphan_children(id);
  if (boot_program && (death->reason != P_REASON_EXIT || death->status))
    run_failed = 1;
  if (!space->parent)
    space_free(space);
  else if (parent && parent->watch)
    q_notify(parent->watch, parent->watch_bits);
  if (server)
    server_ended(server, death);
  else if (!space->parent && !space->client) /* a program of the boot options, or the orphan of one */
    off_if_last();
}

void fault_refused(struct space *space, const struct q_received *m, unsigned reason) {
  process_end(space, &(struct p_death){.id = space->badge,
                                       .reason = reason,
                                       .kind = m->label & Q_FAULT_KIND,
                                       .address = m->word[0],
                                       .pc = m->word[1],
                                       .sp = m->word[2]});
}

void exception(struct space *space, const struct q_received *m) {
  bool frames_lack = m->word[3] == Q_E_NOFRAME; /* a fault that the kernel had no memory for */
  process_end(space, &(struct p_death){.id = space->badge,
                                       .reason = frames_lack ? P_REASON_NOFRAME : P_REASON_EXCEPTION,
                                       .status = m->label,
                                       .kind = m->label == 15 ? Q_FAULT_WRITE : Q_FAULT_READ,
                                       .address = m->word[0],
                                       .pc = m->word[1],
                                       .sp = m->word[2]});
}
