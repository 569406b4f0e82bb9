/* SPDX-License-Identifier: BSD-2-Clause */
/* Faults and how they were answered: a ring of the latest for whoever wants to watch in the guest, and all of them for the host
 * (tell.h). Costs nothing while both are off. */
#include "shell.h"
#include "tell.h"

#include <string.h>

_Static_assert(P_TRACE_RING * sizeof(struct p_trace) <= PLACES_END - PLACE_RING, "it has room");
static struct p_trace *const ring = (struct p_trace *)PLACE_RING;
static uint64_t written, consumed; /* entries since it was started */
static uint64_t wanted, recorder;
static bool ring_on, telling, telling_faults;
bool traced;

static void watch(void) {
  bool changes = watched != (ring_on || telling_faults);
  watched = ring_on || telling_faults;
  traced = ring_on || telling;
  if (changes)
    spaces_note();
}

/* ---- To the host --------------------------------------------------------------------------------------------------------- */
extern const volatile uint8_t __image_start[]; /* more than TELL_WHOLE bytes are there */
void tell(const void *record, uint64_t bytes);

/* One function of that name, for the plug-in. */
__attribute__((noinline, used)) void tell(const void *record, uint64_t bytes) {
  for (uint64_t i = 0; i < bytes; i++)
    (void)__image_start[((const uint8_t *)record)[i]];
  (void)__image_start[TELL_WHOLE];
}

bool tell_option(const char *words) {
  telling_faults = !strcmp(words, "faults");
  telling = telling_faults || !strcmp(words, "ends");
  watched = telling_faults; /* there is no space yet */
  return traced = telling;
}

static struct tell_head head(enum tell_what what, const struct space *space) {
  return (struct tell_head){what, space->badge, q_time(), q_instret()};
}

static void tell_fault(enum tell_what what, const struct space *space, const struct q_received *m, uint64_t answer) {
  const struct p_stats *s = &space->stats;
  struct tell_fault record = {.head = head(what, space),
                              .address = m->word[0],
                              .pc = m->word[1],
                              .kind = m->label & (Q_FAULT_KIND | Q_FAULT_COPY),
                              .answer = answer,
                              .evicted = s->evicted,
                              .written = s->written,
                              .refaults = s->refaults};
  tell(&record, sizeof record);
}

void trace_begun(const struct space *space) {
  if (!telling)
    return;
  struct tell_begin record = {.head = head(TELL_BEGIN, space),
                              .parent = space->parent ? space->parent->badge : 0,
                              .timebase = boot->timebase};
  strncpy(record.name, space->image->name, sizeof record.name - 1);
  tell(&record, sizeof record);
}

static void tell_end(const struct space *space) {
  const struct p_stats *s = &space->stats;
  struct tell_end record = {.head = head(TELL_END, space),
                            .reason = space->death.reason,
                            .status = space->death.status,
                            .faults = space->death.faults,
                            .copies = s->copies,
                            .refused = s->refused,
                            .ahead = s->ahead,
                            .evicted = s->evicted,
                            .written = s->written,
                            .refaults = s->refaults,
                            .wrong = s->wrong,
                            .peak = s->peak};
  tell(&record, sizeof record);
}

/* ---- The ring ------------------------------------------------------------------------------------------------------------ */
bool trace_control(unsigned operation, uint64_t owner, uint64_t id) {
  static uint64_t there;
  if (operation == P_TRACE_START && !place_back(PLACE_RING, &there, P_TRACE_RING * sizeof *ring))
    return false;
  ring_on = operation == P_TRACE_START;
  watch();
  if (ring_on) {
    recorder = owner;
    wanted = id;
    written = consumed = 0;
  }
  return true;
}

static void record_fault(const struct space *space, const struct q_received *m, const struct answer *answer) {
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
  uint64_t waiting = written - consumed, over = waiting > P_TRACE_RING ? waiting - P_TRACE_RING : 0;
  *lost += over;
  consumed += over;
  return (unsigned)(written - consumed);
}

const struct p_trace *trace_next(void) {
  return &ring[consumed % P_TRACE_RING];
}

void trace_consumed(void) {
  consumed++;
}

/* ---- Both ---------------------------------------------------------------------------------------------------------------- */
void trace_waits(const struct space *space, const struct q_received *m) {
  if (telling_faults)
    tell_fault(TELL_WAITS, space, m, 0);
}

void trace_fault(const struct space *space, const struct q_received *m, const struct answer *answer) {
  uint64_t how = answer->reason       ? answer->reason
                 : answer->expected   ? TELL_COPIED
                 : answer->frame_prot ? 0
                                      : TELL_AGAIN;
  if (telling_faults)
    tell_fault(TELL_FAULT, space, m, how);
  if (ring_on)
    record_fault(space, m, answer);
}

void trace_ended(const struct space *space) {
  ring_on = ring_on && recorder != space->badge;
  watch();
  if (telling)
    tell_end(space);
}
