/* SPDX-License-Identifier: BSD-2-Clause */
/* The requests of programs, one handler each in a table made from the contract's own list. A handler does its copies
 * first: one that waits for the program's own page returns DEFER and runs again from its start when the page is there, so
 * nothing may have happened before. */
#include "pool.h"
#include "shell.h"

#include <errno.h>
#include <string.h>

#define READY_FRAMES 2048 /* what P_SYSTEM_READY prepares */

int transfer_some(struct q_received *m, unsigned direction, uint64_t offset, const void *own, uint64_t bytes,
                  uint64_t *done) {
  if (m->kind == Q_MSG_COPY_FAILED)
    return m->error == Q_E_NOFRAME ? ENOMEM : EFAULT;
  int64_t error = q_copy(m->token, direction, offset, own, bytes, done);
  if (error == -Q_E_PENDING)
    return DEFER;
  return error == -Q_E_TOKEN ? HEARD : error == -Q_E_ARG ? EINVAL : error ? EFAULT : 0;
}

int transfer(struct q_received *m, unsigned direction, uint64_t offset, const void *own, uint64_t bytes) {
  uint64_t done;
  return transfer_some(m, direction, offset, own, bytes, &done);
}

static int store(struct q_received *m, const void *own, uint64_t bytes) {
  return m->write_bytes < bytes ? EINVAL : transfer(m, Q_COPY_TO, 0, own, bytes);
}

int do_exit(struct space *caller, struct q_received *m, struct q_reply *r) {
  (void)r;
  process_end(caller, &(struct p_death){.id = caller->badge, .reason = P_REASON_EXIT, .status = m->word[0]});
  return HEARD;
}

/* A call's handle comes with the first delivery only; it waits in the caller's space for the others. */
q_handle gift_take(struct space *caller, q_token token) {
  q_handle gift = caller->gift_token == token ? caller->gift : 0;
  if (gift)
    caller->gift = 0;
  return gift;
}

void gift_drop(struct space *caller) {
  if (caller->gift)
    q_handle_close(caller->gift);
  caller->gift = 0;
}

static int gift_keep(struct space *caller, struct q_received *m) {
  if (!m->handle)
    return DEFER;
  if (caller->gift)
    return EAGAIN; /* another of its threads is at the same */
  caller->gift = m->handle;
  caller->gift_token = m->token;
  m->handle = 0;
  return DEFER;
}

#define STRINGS (P_NAME_MAX + P_SPAWN_MAX)
_Static_assert(STRINGS <= PLACE_RING - PLACE_STRINGS, "they have room");

/* The name, arguments and environment of a program to be, and its handle; with 0 they are there. */
static int load_strings(struct space *caller, struct q_received *m, struct spawn *spawn, uint64_t object) {
  static uint64_t there;
  spawn->text = (char *)PLACE_STRINGS;
  spawn->gift = m->handle;
  spawn->object = object ? object_find(object, caller->badge) : NULL;
  if (spawn->bytes > (spawn->flags & P_SPAWN_NAMED ? STRINGS : P_SPAWN_MAX))
    return E2BIG;
  if (!spawn->bytes || spawn->bytes > m->read_bytes || (spawn->flags & P_SPAWN_CLIENT && !spawn->gift) ||
      (object && !spawn->object))
    return EINVAL;
  if (!place_back(PLACE_STRINGS, &there, spawn->bytes))
    return ENOMEM;
  int error = caller->pool ? strings_read(caller, m, (char *)PLACE_STRINGS, spawn->bytes)
                           : transfer(m, Q_COPY_FROM, 0, spawn->text, spawn->bytes);
  if (error == DEFER && (error = gift_keep(caller, m)) != DEFER)
    strings_drop(caller, m->token);
  return error;
}

int do_spawn(struct space *caller, struct q_received *m, struct q_reply *r) {
  struct spawn spawn = {
      .parent = caller, .bytes = m->word[0], .environment = m->word[2], .flags = (unsigned)m->word[1]};
  if (caller->client)
    return EPERM;
  if (m->word[1] & ~(uint64_t)(P_SPAWN_QUIET | P_SPAWN_CLIENT | P_SPAWN_NAMED | P_SPAWN_STRICT))
    return EINVAL;
  int error = load_strings(caller, m, &spawn, m->word[3]);
  if (error)
    return error;
  int64_t id = process_spawn(&spawn);
  r->word[0] = (uint64_t)id;
  return id < 0 ? (int)-id : 0;
}

int request_target(struct space *caller, uint64_t id, struct space **space) {
  *space = id ? space_find(id) : caller;
  if (!*space || (*space)->state != SPACE_ALIVE)
    return ESRCH;
  bool may = id ? (*space)->parent == caller : !caller->client;
  return may && !(*space)->server ? 0 : EPERM;
}

int do_fork(struct space *caller, struct q_received *m, struct q_reply *r) {
  struct space *original;
  int error = request_target(caller, m->word[0], &original);
  if (error)
    return error;
  if (!settle(original, m))
    return HEARD; /* a page may be on its way that the child would be charged for */
  struct spawn spawn = {.parent = caller,
                        .flags = (original->quiet ? P_SPAWN_QUIET : 0) | (original->client ? P_SPAWN_CLIENT : 0),
                        .gift = m->handle,
                        .badge = m->word[3]};
  if ((original->client && !spawn.gift && !spawn.badge) || (spawn.badge && !caller->server) || !m->word[1] ||
      m->word[1] & 1)
    return EINVAL;
  if (absents_moving(original)) { /* what is on its way has to be somewhere first */
    if (!hold(m))
      return ENOMEM;
    m->handle = 0;
    return HEARD;
  }
  int64_t id = process_fork(original, &spawn, m->word[1], m->word[2]);
  r->word[0] = (uint64_t)id;
  return id < 0 ? (int)-id : 0;
}

int do_exec(struct space *caller, struct q_received *m, struct q_reply *r) {
  (void)r;
  struct space *space;
  int error = request_target(caller, m->word[0], &space);
  if (error)
    return error;
  struct spawn spawn = {
      .bytes = m->word[1], .environment = m->word[2], .flags = P_SPAWN_NAMED | (space->client ? P_SPAWN_CLIENT : 0)};
  error = load_strings(caller, m, &spawn, m->word[3]);
  if (error)
    return error;
  error = process_exec(space, &spawn);
  return !error && space == caller ? HEARD : error;
}

int do_watch(struct space *caller, struct q_received *m, struct q_reply *r) {
  (void)r;
  if (caller->client)
    return EPERM;
  if (caller->watch)
    q_handle_close(caller->watch);
  caller->watch = m->handle;
  caller->watch_bits = m->word[0];
  m->handle = 0;
  return 0;
}

static struct space *ended_child(const struct space *parent, uint64_t id, int *error) {
  struct space *any = parent->ended ? parent->ended : parent->children, *child = id ? space_find(id) : any;
  *error = ECHILD;
  if (!child || child->parent != parent)
    return NULL;
  *error = EAGAIN;
  return child->state == SPACE_ENDED ? child : NULL;
}

int do_reap(struct space *caller, struct q_received *m, struct q_reply *r) {
  int error;
  if (caller->client)
    return EPERM;
  struct space *child = ended_child(caller, m->word[0], &error);
  if (!child)
    return error;
  error = store(m, &child->death, sizeof child->death);
  if (error)
    return error;
  r->word[0] = child->badge;
  space_free(child);
  r->word[1] = caller->ended != NULL;
  return 0;
}

bool descends(const struct space *space, const struct space *from) {
  for (; space; space = space->parent)
    if (space->parent == from)
      return true;
  return false;
}

int do_kill(struct space *caller, struct q_received *m, struct q_reply *r) {
  (void)r;
  struct space *victim = m->word[0] ? space_find(m->word[0]) : NULL;
  if (!victim || victim->state != SPACE_ALIVE)
    return ESRCH;
  if (caller->client || !descends(victim, caller))
    return EPERM;
  process_kill(victim);
  return 0;
}

int do_stats(struct space *caller, struct q_received *m, struct q_reply *r) {
  (void)r;
  struct space *space = m->word[0] ? space_find(m->word[0]) : caller;
  if (!space || space->state != SPACE_ALIVE)
    return ESRCH;
  struct p_stats stats = space->stats;
  stats.untouched += count_untouched ? untouched_in_all(space) : 0;
  stats.id = space->badge;
  stats.parent = space->parent ? space->parent->badge : 0;
  stats.size = space->brk - space->heap;
  stats.heap = space->heap;
  stats.budget = space->pool ? space->pool->about.budget : 0;
  struct q_task_state state;
  q_task_info(space->task, &state);
  stats.threads = state.threads;
  stats.state = state.state;
  stats.waits_for = state.waits_for;
  strncpy(stats.name, space->image->name, sizeof stats.name - 1);
  return store(m, &stats, sizeof stats);
}

static void drop_caches(void) {
  uint64_t block;
  cache_drop();
  while (backend_reclaim(&block))
    block_return(block);
}

int do_system(struct space *caller, struct q_received *m, struct q_reply *r) {
  (void)r, (void)caller;
  if (m->word[0] & ~(uint64_t)(P_SYSTEM_DROP | P_SYSTEM_READY))
    return EINVAL;
  if (m->word[0] & P_SYSTEM_DROP)
    drop_caches();
  if (m->word[0] & P_SYSTEM_READY)
    frames_prepare(READY_FRAMES);
  struct q_pager_frames kernel;
  struct p_system s = {.frames = frames.total,
                       .free = frames_available(),
                       .cached = cache_pages(),
                       .processes = space_count,
                       .tables = frames.tables,
                       .faults = ended.faults,
                       .ahead = ended.ahead,
                       .untouched = ended.untouched,
                       .ready = frames_hot() + frames.zeroed,
                       .ready_hits = frames.made_ready - frames_hot() - frames.zeroed - frames.idly,
                       .ready_misses = frames_missed(),
                       .timebase = boot->timebase,
                       .harts = boot->harts};
  q_pager_info(boot->pager, &kernel);
  s.donated = kernel.donated;
  s.donated_free = kernel.donated_free;
  s.user = frames.total - frames_available() - frames.donated - frames.own - s.cached;
  s.own = kernel.owned - s.free - s.cached - s.user;
  strncpy(s.policy, policy.words, sizeof s.policy - 1);
  return store(m, &s, sizeof s);
}

/* What has arrived is gone from the ring: it is not written again if the call has to wait for the rest of its buffer, of which not
 * all may be there at once. */
static int read_trace(struct q_received *m, struct q_reply *r) {
  static struct {
    q_token token;
    uint64_t count, lost;
  } call;
  const uint64_t bytes = sizeof(struct p_trace);
  int error = 0;
  if (call.token != m->token)
    call.token = m->token, call.count = call.lost = 0;
  while (!error && (call.count + 1) * bytes <= m->write_bytes && trace_count(&call.lost))
    if (!(error = transfer(m, Q_COPY_TO, call.count * bytes, trace_next(), bytes))) {
      trace_consumed();
      call.count++;
    }
  if (error && (error < 0 || !call.count))
    return error;
  r->word[0] = call.count;
  r->word[1] = call.lost;
  return 0;
}

int do_trace(struct space *caller, struct q_received *m, struct q_reply *r) {
  if (m->word[0] > P_TRACE_READ)
    return EINVAL;
  if (m->word[0] == P_TRACE_READ)
    return read_trace(m, r);
  return trace_control((unsigned)m->word[0], caller->badge, m->word[1]) ? 0 : ENOMEM;
}

int do_device(struct space *caller, struct q_received *m, struct q_reply *r) {
  return server_device(caller, m->word[0], r->word);
}

int do_area(struct space *caller, struct q_received *m, struct q_reply *r) {
  return server_area(caller, m->word[0], m->word[1], r->word);
}

int do_initrd(struct space *caller, struct q_received *m, struct q_reply *r) {
  (void)m;
  return server_initrd(caller, r->word);
}

typedef int handler(struct space *caller, struct q_received *m, struct q_reply *r);
static handler *const handlers[] = {
#define X(n, name) [n] = do_##name,
    P_REQUESTS(X)
#undef X
};

int request(struct space *caller, struct q_received *m, struct q_reply *r) {
  check_sometimes();
  bool known = m->label < sizeof handlers / sizeof *handlers && handlers[m->label];
  return known ? handlers[m->label](caller, m, r) : ENOSYS;
}
