/* SPDX-License-Identifier: BSD-2-Clause */
/* A ring of the latest faults and how they were answered, for whoever wants to watch. Costs nothing while it is off. */
#include "shell.h"

bool trace_on;
static struct p_trace ring[P_TRACE_RING];
static uint64_t written, consumed; /* entries since it was started */
static uint64_t wanted, recorder;

void trace_control(unsigned operation, uint64_t owner, uint64_t id) {
  trace_on = operation == P_TRACE_START;
  if (trace_on) {
    recorder = owner;
    wanted = id;
    written = consumed = 0;
  }
}

void trace_ended(uint64_t id) {
  trace_on = trace_on && recorder != id;
}

void trace_fault(const struct space *space, const struct q_received *m, const struct answer *answer) {
  if (wanted && wanted != space->badge)
    return;
  ring[written++ % P_TRACE_RING] =
      (struct p_trace){.id = space->badge,
                       .address = m->word[0],
                       .pc = m->word[1],
                       .kind = (uint32_t)m->label,
                       .answer = answer->reason,
                       .pages = answer->reason || !answer->frame_prot ? 0 : answer->pages,
                       .instret = q_instret()};
}

unsigned trace_count(uint64_t *lost) {
  uint64_t waiting = written - consumed;
  *lost = waiting > P_TRACE_RING ? waiting - P_TRACE_RING : 0;
  consumed += *lost;
  return (unsigned)(written - consumed);
}

const struct p_trace *trace_at(unsigned i) {
  return &ring[(consumed + i) % P_TRACE_RING];
}

void trace_consumed(unsigned count) {
  consumed += count;
}
