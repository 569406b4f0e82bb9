/* SPDX-License-Identifier: BSD-2-Clause */
/* A ring of the latest faults and how they were answered, for whoever wants to watch. Costs nothing while it is off. */
#include "shell.h"

bool trace_on;
static struct p_trace ring[P_TRACE_RING];
static uint64_t written, wanted;

void trace_control(unsigned operation, uint64_t id) {
  trace_on = operation == P_TRACE_START;
  if (trace_on) {
    wanted = id;
    written = 0;
  }
}

void trace_fault(const struct space *space, const struct q_received *m, const struct answer *answer) {
  if (wanted && wanted != space->badge)
    return;
  ring[written++ % P_TRACE_RING] = (struct p_trace){.id = space->badge,
                                                    .address = m->word[0],
                                                    .pc = m->word[1],
                                                    .kind = (uint32_t)m->label,
                                                    .answer = answer->reason,
                                                    .pages = !answer->reason,
                                                    .instret = q_instret()};
}

unsigned trace_count(uint64_t *lost) {
  *lost = written > P_TRACE_RING ? written - P_TRACE_RING : 0;
  return (unsigned)(written - *lost);
}

const struct p_trace *trace_at(unsigned i) {
  uint64_t first = written > P_TRACE_RING ? written - P_TRACE_RING : 0;
  return &ring[(first + i) % P_TRACE_RING];
}

void trace_clear(void) {
  written = 0;
}
