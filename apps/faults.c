/* SPDX-License-Identifier: BSD-2-Clause */
/* faults [PID]: the faults of a process, or of all, as the pager answers them, until the process ends (or Ctrl-C). */
#include <quire/proc.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct p_trace entries[P_TRACE_RING];

static void show(uint64_t own) {
  uint64_t lost = 0;
  int64_t n = p_trace_ring(P_TRACE_READ, 0, entries, P_TRACE_RING, &lost);
  if (lost)
    printf("... %lu more\n", (unsigned long)lost);
  for (int64_t i = 0; i < n; i++) {
    const struct p_trace *t = &entries[i];
    if (t->id != own)
      printf("%5lu %-7s 0x%-10lx pc 0x%-8lx by %-13s -> %s\n", (unsigned long)t->id, p_kind_text(t->kind),
             (unsigned long)t->address, (unsigned long)t->pc,
             t->kind & Q_FAULT_COPY ? "a kernel copy" : "the program",
             t->answer ? p_reason_text(t->answer) : "one frame");
  }
}

int main(int argc, char **argv) {
  char *end;
  uint64_t pid = argc > 1 ? strtoull(argv[1], &end, 10) : 0;
  struct p_stats stats;
  if (argc > 2 || (argc == 2 && (*end || !pid || p_stats_of(pid, &stats)))) {
    printf("usage: faults [PID]; 'ps' lists the processes\n");
    return 2;
  }
  p_trace_ring(P_TRACE_START, pid, NULL, 0, NULL);
  do {
    show((uint64_t)getpid());
    q_sleep_until(q_time() + 100000);
  } while (!pid || !p_stats_of(pid, &stats));
  show(0);
  p_trace_ring(P_TRACE_STOP, 0, NULL, 0, NULL);
  return 0;
}
