/* SPDX-License-Identifier: BSD-2-Clause */
/* Processes: their memory and faults, what each is at, and whom it waits for. */
#include <quire/proc.h>

#include <stdio.h>

static const char *request_text(uint64_t label) {
  static const char *const text[] = {
#define X(n, name) [n] = #name,
      POSIX_REQUESTS(X)
#undef X
  };
  return label < sizeof text / sizeof *text && text[label] ? text[label] : "?";
}

static const char *state_text(uint64_t state) {
  static const char *const text[] = {
#define X(n, name, words) [n] = words,
      Q_STATES(X)
#undef X
  };
  return state < sizeof text / sizeof *text ? text[state] : "?";
}

/* "fault: pager", "read: posix", "call: 7", "sleep". */
static void waiting(const struct posix_process *p, const struct p_stats *s, char *text, size_t size) {
  struct p_stats server = {.name = "pager"};
  const char *what = p->waits ? request_text(p->waits) : state_text(s->state);
  if (s->state != Q_STATE_CALL && s->state != Q_STATE_FAULT)
    snprintf(text, size, "%s", what);
  else if (s->waits_for == ~0ul)
    snprintf(text, size, "%s: not heard yet", what);
  else if (s->waits_for && p_stats_of(s->waits_for, &server))
    snprintf(text, size, "%s: %lu", what, (unsigned long)s->waits_for);
  else
    snprintf(text, size, "%s: %s", what, server.name);
}

static void show(const struct posix_process *p) {
  struct p_stats s = {0};
  char text[48];
  if (p->ended) {
    printf("%5lu %6lu %5lu %10s %10s %8s  %-16s\n", (unsigned long)p->pid, (unsigned long)p->parent,
           (unsigned long)p->job, "-", "-", "-", "ended");
    return;
  }
  if (p_stats_of(p->pid, &s))
    return; /* it ended meanwhile */
  waiting(p, &s, text, sizeof text);
  printf("%5lu %6lu %5lu %10lu %10lu %8lu  %-16s %s\n", (unsigned long)p->pid, (unsigned long)p->parent,
         (unsigned long)p->job, (unsigned long)s.size / 1024, (unsigned long)s.resident * 4,
         (unsigned long)(s.faults[0] + s.faults[1] + s.faults[2]), text, s.name);
}

int main(void) {
  static struct posix_process list[32];
  uint64_t next = 0;
  printf("  PID PARENT   JOB   SIZE KiB    RES KiB   FAULTS  STATE            NAME\n");
  for (int64_t n; (n = px_list(next, list, sizeof list / sizeof *list)) > 0;) {
    for (int64_t i = 0; i < n; i++)
      show(&list[i]);
    next = list[n - 1].pid + 1;
  }
  return 0;
}
