/* SPDX-License-Identifier: BSD-2-Clause */
/* How programs begin and end, and the backend that the core asks for page tables: all of it in system calls. */
#include "pool.h"
#include "shell.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define UNMAP_ENTRIES 256
#define TASK_QUOTA 16      /* kernel pages for a program's own handles, threads and endpoints, */
#define TASK_LEAST 1       /* and when so many live that these would add up to a 32nd of all memory */
#define SERVER_STACK 16384 /* resident */

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

/* Page tables for this are there from the start (frames_init). */
void frames_back(void *page, uint64_t frame) {
  int64_t error =
      WITH_MEMORY(q_map(boot->pager, boot->task, (uint64_t)page, frame | Q_PROT_READ | Q_PROT_WRITE, 1, 0));
  assert(!error);
  (void)error;
}

void backend_back(void *page, uint64_t frame) {
  uint64_t entry;
  q_unmap_page(boot->pager, boot->task, (uint64_t)page, &entry);
  frames_back(page, frame);
}

bool place_back(uint64_t place, uint64_t *there, uint64_t bytes) {
  for (uint64_t frame; *there < bytes; *there += Q_PAGE_SIZE) {
    if (!(frame = frame_get_own()))
      return false;
    frames_back((char *)place + *there, frame);
    frames.tables++;
  }
  return true;
}

/* ---- Backend -------------------------------------------------------------------------------------------------------------- */
int backend_map_run(struct space *space, uint64_t va, uint64_t frame_prot, unsigned pages) {
  return (int)-WITH_MEMORY(q_map(boot->pager, space->task, va, frame_prot, pages, 0));
}

int backend_map(struct space *space, uint64_t va, uint64_t frame_prot) {
  return backend_map_run(space, va, frame_prot, 1);
}

struct backend_pages backend_look(const struct space *space, uint64_t va, unsigned pages, bool clear) {
  struct q_harvested there = {0};
  q_harvest(boot->pager, space->task, va, pages, clear ? Q_HARVEST_ACCESSED : 0, &there);
  return (struct backend_pages){there.present, there.accessed, there.dirty};
}

void backend_clean(const struct space *space, uint64_t va) {
  struct q_harvested there = {0};
  q_harvest(boot->pager, space->task, va, 1, Q_HARVEST_DIRTY, &there);
}

void backend_unmap(struct space *space, uint64_t va, uint64_t pages,
                   void (*removed)(struct space *, const uint64_t *entries, uint64_t count)) {
  static uint64_t entries[UNMAP_ENTRIES];
  struct q_unmapped done = {.next = va, .remain = pages};
  while (done.remain) {
    if (q_unmap(boot->pager, space->task, done.next, done.remain, entries, UNMAP_ENTRIES, &done) < 0)
      return;
    removed(space, entries, done.written);
  }
}

uint64_t backend_drop(struct space *space, uint64_t va, uint64_t pages,
                      void (*removed)(struct space *, const uint64_t *entries, uint64_t count)) {
  static uint64_t entries[UNMAP_ENTRIES];
  struct q_unmapped done = {.next = va, .remain = pages};
  uint64_t gone = 0;
  while (done.remain) {
    if (q_unmap(boot->pager, space->task, done.next, done.remain, entries, UNMAP_ENTRIES | Q_UNMAP_LAST, &done) < 0)
      break;
    gone += done.removed;
    if (done.written)
      removed(space, entries, done.written);
  }
  return gone;
}

uint64_t backend_take(struct space *space, uint64_t *va, uint64_t end) {
  static uint64_t entry;
  struct q_unmapped done = {.next = *va, .remain = (end - *va) >> Q_PAGE_SHIFT};
  while (done.remain && !done.written)
    if (q_unmap(boot->pager, space->task, done.next, done.remain, &entry, 1, &done) < 0)
      return 0;
  *va = done.next - Q_PAGE_SIZE;
  return done.written ? PAGE_OF(entry) | (entry & 1) : 0;
}

uint64_t backend_unmap_page(struct space *space, uint64_t va) {
  uint64_t entry;
  return q_unmap_page(boot->pager, space->task, va, &entry) < 0 ? 0 : entry;
}

int backend_protect(struct space *space, uint64_t va, uint64_t pages, unsigned prot) {
  return (int)-q_protect(boot->pager, space->task, va, pages, prot);
}

int backend_share(struct space *parent, struct space *child, uint64_t va, uint64_t pages, unsigned prot) {
  return (int)-WITH_MEMORY(q_share(boot->pager, parent->task, child->task, va, pages, prot));
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
  if (!error && spawn->badge)
    error = give(space, server_endpoint(spawn->parent->server), Q_RIGHT_SEND, spawn->badge);
  else if (!error && spawn->gift)
    error = give(space, spawn->gift, space->client ? Q_RIGHT_SEND : Q_RIGHT_ALL, 0);
  if (!error && spawn->server)
    error = server_handles(space, spawn->server);
  return error;
}

static uint64_t quota(const struct space *space) {
  return space->server || space_count * TASK_QUOTA < frames.total / 32 ? TASK_QUOTA : TASK_LEAST;
}

/* Its exceptions go where its faults do. */
static bool make_task(struct space *space, const struct spawn *spawn) {
  return !WITH_MEMORY(q_task_create(boot->pager, space->badge, quota(space), &space->task)) &&
         !give_handles(space, spawn);
}

/* The first thread has its place in the task itself. */
static void start(const struct space *space, uint64_t pc, uint64_t sp) {
  if (__builtin_expect(traced, 0))
    trace_begun(space);
  unsigned priority = space->server ? Q_PRIORITY_SERVER : Q_PRIORITY_PROGRAM;
  int64_t error = q_thread_begin(space->task, priority, pc, sp, space->client ? P_HANDLE_GIFT : 0);
  assert(!error);
  (void)error;
}

/* The program's stack pointer, or a negated errno value. */
static int64_t build(struct space *space, const struct spawn *spawn) {
  if (!make_task(space, spawn))
    return -ENOMEM;
  if (!promise_first(space))
    return -ENOMEM;
  uint64_t name = spawn->flags & P_SPAWN_NAMED ? strlen(spawn->text) + 1 : 0;
  int64_t sp = space_arguments(space, spawn->text + name, spawn->bytes - name, spawn->environment);
  if (sp > 0 && spawn->server && !space_populate(space, SERVER_STACK))
    return -ENOMEM;
  return sp;
}

static unsigned free_programs; /* that live, are no server and belong to none */
static void count_program(const struct space *space, int more) {
  free_programs += space->server || space->client ? 0u : (unsigned)more;
}

/* The threads first, so that none of them sees the memory go. */
static void task_end(q_handle task) {
  if (task)
    q_handle_destroy(task);
}

static void tear_down(struct space *space) {
  count_program(space, -1);
  if (space->task)
    q_task_stop(space->task);
  sent_forget(space);
  space_end(space);
  task_end(space->task);
  space->task = 0;
  threads_forget(space);
  if (space->watch)
    q_handle_close(space->watch);
  space->watch = 0;
  gift_drop(space);
  if (space->strings)
    strings_drop_all(space);
}

static int find_program(const struct spawn *spawn, const struct image **image) {
  if (!spawn->bytes || spawn->text[spawn->bytes - 1])
    return EINVAL;
  *image = spawn->object ? object_image(spawn->object, spawn->text) : find_image(spawn->text);
  if (!*image)
    return spawn->object ? ENOEXEC : ENOENT;
  return (*image)->good ? 0 : ENOEXEC;
}

/* A space with what all children inherit or are told. */
static int64_t space_for(const struct spawn *spawn, const struct image *image, struct space **space) {
  *space = space_new(image, spawn->server ? &policy_none : &policy);
  if (!*space)
    return space_count == space_limit ? -EAGAIN : -ENOMEM;
  struct space *parent = spawn->parent;
  if (parent)
    space_adopt(parent, *space);
  (*space)->quiet = spawn->flags & P_SPAWN_QUIET;
  (*space)->client = spawn->flags & P_SPAWN_CLIENT;
  (*space)->strict = !spawn->server && (strict || spawn->flags & P_SPAWN_STRICT || (parent && parent->strict));
  (*space)->server = spawn->server;
  count_program(*space, 1);
  return 0;
}

static int64_t failed(struct space *space, int64_t error) {
  tear_down(space);
  space_free(space);
  return error;
}

int64_t process_spawn(const struct spawn *spawn) {
  const struct image *image;
  struct space *space;
  int64_t error = -find_program(spawn, &image);
  if (!error && !spawn->server && !space_admits(&policy, POLICY_SPAWN, spawn->parent))
    error = -EAGAIN;
  if (error || (error = space_for(spawn, image, &space)))
    return error;
  int64_t sp = space_policy(space, space->policy) && pool_join(space, NULL) ? build(space, spawn) : -ENOMEM;
  if (sp < 0)
    return failed(space, sp);
  space_begun(space);
  start(space, image->entry, (uint64_t)sp);
  return (int64_t)space->badge;
}

int64_t process_fork(struct space *original, const struct spawn *spawn, uint64_t pc, uint64_t sp) {
  struct space *space;
  if (!space_admits(original->policy, POLICY_FORK, original))
    return -EAGAIN;
  int64_t error = space_for(spawn, original->image, &space);
  if (error)
    return error;
  space->strict = original->strict;
  if (!space_policy_copy(original, space) || !pool_join(space, original) || !make_task(space, spawn) ||
      space_fork(original, space))
    return failed(space, -ENOMEM);
  start(space, pc, sp);
  return (int64_t)space->badge;
}

/* What the program becomes is built beside it, so that it goes on if that fails. */
int process_exec(struct space *space, const struct spawn *spawn) {
  static struct space next;
  const struct image *image;
  q_handle task = space->task;
  int error = find_program(spawn, &image);
  if (!error && !space_admits(space->policy, POLICY_EXEC, space))
    error = EAGAIN;
  if (error)
    return error;
  space_begin(&next, space->badge, image, space->policy);
  next.client = space->client;
  next.strict = space->strict;
  int64_t sp = build(&next, spawn);
  if (sp < 0) {
    space_clear(&next);
    task_end(next.task);
    return (int)-sp;
  }
  q_task_stop(task);
  sent_forget(space);
  space_become(space, &next);
  doubt_received();
  task_end(task);
  threads_forget(space);
  gift_drop(space); /* of requests of its threads that are no more */
  if (space->strings)
    strings_drop_all(space);
  space_begun(space);
  start(space, image->entry, (uint64_t)sp);
  return 0;
}

const char *spawn_error(int64_t error) {
  return error == -ENOENT    ? "not in the boot image"
         : error == -ENOEXEC ? "not an executable"
         : error == -EAGAIN  ? "too many programs, or the policy admits no more"
                             : "no memory";
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
  } else if (d->reason == P_REASON_CHOSEN) {
    say("%s (%lu) ended: %s, %lu frames resident", name, id, reason_text(d->reason),
        (unsigned long)space->stats.resident);
  } else if (d->reason == P_REASON_EXCEPTION) {
    say("%s (%lu) ended: %s, value 0x%lx; pc 0x%lx sp 0x%lx", name, id, cause_text(d->status), address, pc, sp);
  } else if (d->reason == P_REASON_NOFRAME || d->reason == P_REASON_FULL) {
    say("%s (%lu) ended: %s at 0x%lx: %s, %lu frames resident, %lu free; pc 0x%lx sp 0x%lx", name, id,
        kind[d->kind & 3], address, reason_text(d->reason), (unsigned long)space->stats.resident,
        (unsigned long)frames_available(), pc, sp);
  } else {
    say("%s (%lu) ended: %s at 0x%lx refused: %s; pc 0x%lx sp 0x%lx", name, id, kind[d->kind & 3], address,
        reason_text(d->reason), pc, sp);
  }
}

/* Children of a program that ended are nobody's: their records are forgotten, now or when they end. */
static void orphan_children(struct space *parent) {
  for (struct space *child; (child = parent->children);) {
    space_disown(child);
    child->orphan = true;
  }
  while (parent->ended)
    space_free(parent->ended);
}

static uint64_t run_failed; /* some boot program did not end with status 0 */

static void off_if_last(void) {
  if (!free_programs)
    close_down(run_failed);
}

void process_kill(struct space *space) {
  process_end(space, &(struct p_death){.id = space->badge, .reason = P_REASON_KILLED});
}

void backend_end(struct space *space) {
  process_end(space, &(struct p_death){.id = space->badge, .reason = P_REASON_CHOSEN});
}

/* And theirs: those without children first, so that there is no need to remember a way back. */
static void kill_children(struct space *parent) {
  while (parent->children) {
    struct space *last = parent->children;
    while (last->children)
      last = last->children;
    last->quiet = true;
    process_kill(last);
  }
}

/* Its parent hears of it; what nobody can ask for is forgotten. */
static void leave_record(struct space *space) {
  struct space *parent = space->parent;
  if (!parent) {
    space_free(space);
    return;
  }
  space_disown(space);
  space_adopt(parent, space); /* among those that have ended */
  if (parent->watch)
    q_notify(parent->watch, parent->watch_bits);
}

struct p_death ended;
static void count_ended(struct space *space) {
  space->death.ahead = space->stats.ahead;
  space->death.untouched = space->stats.untouched;
  ended.faults += space->death.faults;
  ended.ahead += space->death.ahead;
  ended.untouched += space->death.untouched;
}

void process_end(struct space *space, const struct p_death *death) {
  space->death = *death;
  space->death.faults = space->stats.faults[0] + space->stats.faults[1] + space->stats.faults[2];
  space->death.peak = space->stats.peak;
  if (__builtin_expect(traced, 0))
    trace_ended(space);
  if (!space->quiet)
    diagnose(space, death);
  struct server *server = space->server;
  bool of_boot = !space->parent && !space->orphan && !server; /* named by the boot options */
  bool may_be_last = !space->parent && !server && !space->client;
  tear_down(space);
  count_ended(space);
  if (server)
    kill_children(space);
  orphan_children(space);
  if (of_boot && (death->reason != P_REASON_EXIT || death->status))
    run_failed = 1;
  leave_record(space);
  if (server)
    server_ended(server, death);
  else if (may_be_last)
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
