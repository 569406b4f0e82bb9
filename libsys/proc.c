/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests to the pager. What a program that belongs to a posix server may not ask of the pager itself, it asks of that. */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "request.h"

/* The pager is the one server that cannot die for its programs: an error of the call itself is a bug of ours. */
static int64_t request(struct q_call *c) {
  return request_to(P_HANDLE_PAGER, c);
}

static int64_t ask(struct q_call *c) {
  return ask_of(P_HANDLE_PAGER, c);
}

int64_t p_sbrk_bytes(int64_t bytes, unsigned flags) {
  return ask(&(struct q_call){.label = P_sbrk, .word = {(uint64_t)bytes, flags}});
}

_Noreturn void p_exit_now(int status) {
  for (;;)
    request(&(struct q_call){.label = P_exit, .word = {(uint64_t)(int64_t)status}});
}

int64_t p_spawn_program(const char *const argv[], unsigned flags, q_handle gift) {
  char text[P_SPAWN_MAX];
  size_t used = 0;
  if (p_server)
    return gift ? -EINVAL : px_spawn(argv, NULL, 0);
  int64_t count = strings_join(argv, text, sizeof text, &used);
  struct q_call c = {.label = P_spawn, .word = {used, flags}, .handle = gift, .read = text, .read_bytes = used};
  return count < 0 ? count : ask(&c);
}

int64_t p_watch_children(q_handle endpoint, uint64_t bits) {
  return request(&(struct q_call){.label = P_watch, .word = {bits}, .handle = endpoint});
}

int64_t p_reap_child(uint64_t id, struct p_death *death) {
  if (p_server) {
    int64_t pid = px_wait(id, POSIX_WAIT_NOHANG, death);
    return pid ? pid : -EAGAIN;
  }
  return ask(&(struct q_call){.label = P_reap, .word = {id}, .write = death, .write_bytes = sizeof *death});
}

int64_t p_kill_program(uint64_t id) {
  if (p_server)
    return px_kill(id, SIGKILL);
  return request(&(struct q_call){.label = P_kill, .word = {id}});
}

int64_t p_stats_of(uint64_t id, struct p_stats *stats) {
  return request(&(struct q_call){.label = P_stats, .word = {id}, .write = stats, .write_bytes = sizeof *stats});
}

int64_t p_policy_told(uint64_t id, const char *words, uint64_t budget, char *wrong) {
  return request(&(struct q_call){.label = P_policy,
                                  .word = {id, budget},
                                  .read = words,
                                  .read_bytes = words ? strlen(words) : 0,
                                  .write = wrong,
                                  .write_bytes = wrong ? P_POLICY_WRONG : 0});
}

int64_t p_policy(uint64_t id, const char *words, uint64_t budget) {
  return p_policy_told(id, words, budget, NULL);
}

int64_t p_figures_of(uint64_t id, struct p_figures *figures) {
  return request(
      &(struct q_call){.label = P_figures, .word = {id}, .write = figures, .write_bytes = sizeof *figures});
}

int64_t p_system_stats(unsigned flags, struct p_system *stats) {
  return request(&(struct q_call){.label = P_system, .word = {flags}, .write = stats, .write_bytes = sizeof *stats});
}

uint64_t p_timebase(void) {
  static uint64_t timebase;
  struct p_system system;
  if (!timebase && !p_system_stats(0, &system))
    timebase = system.timebase;
  return timebase;
}

int64_t p_trace_ring(unsigned operation, uint64_t id, struct p_trace *entries, uint64_t count, uint64_t *lost) {
  struct q_call c = {
      .label = P_trace, .word = {operation, id}, .write = entries, .write_bytes = count * sizeof *entries};
  int64_t got = ask(&c);
  if (lost)
    *lost = c.word[1];
  return got;
}

/* Has the bit 1 notified at the endpoint whenever a child ends. */
static int64_t watch_at(q_handle endpoint) {
  q_handle signal; /* a badge says which bits may be notified */
  if (q_handle_dup(endpoint, Q_RIGHT_NOTIFY | Q_RIGHT_DUP, 1, &signal) < 0)
    return -ENOMEM;
  int64_t error = p_watch_children(signal, 1);
  q_handle_close(signal);
  return error;
}

bool p_threaded;
static q_handle endpoint; /* that hears of children */

void p_forked(void) {
  if (endpoint) /* the parent's; else the page need not be written, and so not be copied */
    endpoint = 0;
}

/* Made once, and only kept if it will hear of them: else a wait would not end. */
static int64_t children(q_handle *result) {
  if (!endpoint) {
    q_handle made;
    if (q_endpoint_create(&made) < 0)
      return -ENOMEM;
    int64_t error = watch_at(made);
    if (error) {
      q_handle_destroy(made);
      return error;
    }
    endpoint = made;
  }
  *result = endpoint;
  return 0;
}

int64_t p_wait_for(uint64_t id, struct p_death *death) {
  q_handle endpoint;
  if (p_server)
    return px_wait(id, 0, death);
  int64_t got = children(&endpoint);
  if (got)
    return got;
  while ((got = p_reap_child(id, death)) == -EAGAIN) {
    struct q_received m;
    q_recv(endpoint, &m);
    if (m.kind < 0)
      return -EIO;
  }
  return got;
}

const char *p_reason_text(uint64_t reason) {
  static const char *const text[] = {
#define X(n, name, words) [n] = words,
      P_REASONS(X)
#undef X
  };
  return reason < sizeof text / sizeof *text ? text[reason] : "unknown";
}

const char *p_kind_text(uint64_t kind) {
  static const char *const text[] = {"read", "write", "execute", "?"};
  return text[kind & Q_FAULT_KIND];
}

const char *q_error_text(int64_t error) {
  static const char *const text[] = {
#define X(n, name, words) [n] = words,
      Q_ERRORS(X)
#undef X
  };
  if (!error)
    return "no error";
  return error < 0 && -error < (int64_t)(sizeof text / sizeof *text) ? text[-error] : "unknown";
}
