/* SPDX-License-Identifier: BSD-2-Clause */
/* The pager's life: takes over all memory, starts the programs that the boot options name, then answers one message after
 * another. The common fault stays in this loop's registers from message to reply. */
#include "shell.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cpio.h"
#include "absent.h"
#include "ask.h"
#include "pool.h"

const struct q_boot *boot;
struct policy_set policy = {.words = "demand", .fetch = {.policy = &policy_demand}};
const struct policy_set policy_none = {.words = "demand", .fetch = {.policy = &policy_demand}};
bool strict;
_Noreturn void pager_main(const struct q_boot *info);
_Noreturn void __assert_func(const char *file, int line, const char *function, const char *expression);

void say(const char *format, ...) {
  char line[256] = "pager: ";
  va_list list;
  va_start(list, format);
  int n = vsnprintf(line + 7, sizeof line - 8, format, list);
  va_end(list);
  n = n < (int)sizeof line - 8 ? n : (int)sizeof line - 9;
  line[7 + n] = '\n';
  q_machine_write(boot->machine, line, 8 + (uint64_t)n);
}

_Noreturn void __assert_func(const char *file, int line, const char *function, const char *expression) {
  say("panic: %s:%d: %s: %s", file, line, function, expression);
  for (;;)
    q_machine_off(boot->machine, 1);
}

_Noreturn void give_up(const char *why) {
  say("cannot start: %s", why);
  for (;;)
    q_machine_off(boot->machine, 1);
}

/* ---- Taking over ------------------------------------------------------------------------------------------------------ */
#define LINKS                                                                                                        \
  0x50000000 /* of the frame table: 256 MiB, between its image and the window, are enough for all of that */

/* A page of zeros in all places of the table, until a space comes there. */
static void spaces_place(void) {
  uint64_t zeros = frame_get_own();
  for (uint64_t at = PLACE_SPACES; at < PLACE_STRINGS; at += Q_PAGE_SIZE)
    if (!zeros || q_map(boot->pager, boot->task, at, zeros | Q_PROT_READ, 1, 0))
      give_up("not enough memory for its tables");
  spaces_begin((struct space **)PLACE_SPACES);
}

/* Its own tables come out of the first free range that holds them. */
static char *claim(struct q_range *ranges, uint64_t bytes) {
  bytes = (bytes + Q_PAGE_SIZE - 1) & ~(Q_PAGE_SIZE - 1ul);
  for (unsigned i = 0; i < boot->free_count; i++)
    if (ranges[i].bytes >= bytes) {
      uint64_t base = ranges[i].base;
      ranges[i].base += bytes;
      ranges[i].bytes -= bytes;
      return (char *)Q_WINDOW + base;
    }
  give_up("not enough memory for its tables");
}

static bool next_file(size_t *offset, struct cpio_file *file) {
  const char *initrd = (const char *)Q_WINDOW + boot->initrd_base;
  return !cpio_next(initrd, boot->initrd_bytes, offset, file) && file->name;
}

static unsigned count_files(void) {
  struct cpio_file file;
  unsigned count = 0;
  for (size_t offset = 0; next_file(&offset, &file);)
    count++;
  return count;
}

/* The whole pages of the pager's own file, which nobody reads any more. */
static uint64_t own_file, own_file_end;

bool is_own_file(uint64_t frame) {
  return frame >= own_file && frame < own_file_end;
}

static void own_file_free(const struct cpio_file *file) {
  uint64_t start = (uint64_t)((const char *)file->data - (const char *)Q_WINDOW);
  own_file = (start + Q_PAGE_SIZE - 1) & ~(Q_PAGE_SIZE - 1ul);
  own_file_end = (start + file->bytes) & ~(Q_PAGE_SIZE - 1ul);
  if (own_file < own_file_end)
    frames_add(own_file, own_file_end - own_file);
}

static void read_images(char *memory) {
  uint32_t *cache = (uint32_t *)memory;
  size_t offset = 0;
  struct cpio_file file;
  while (next_file(&offset, &file))
    if (!strcmp(file.name, "pager") && !own_file)
      own_file_free(&file);
    else if (!strchr(file.name, '/')) /* else it is a file, which the pager knows nothing of */
      image_read(&images[image_count++], file.name, file.data, file.bytes, file.bytes, &cache);
}

static void refuse_boot(const char *wrong) {
  if (!wrong)
    return;
  say("boot options: %s", wrong);
  give_up("they cannot be understood");
}

static void take_over(void) {
  struct q_range ranges[Q_BOOT_RANGES];
  uint64_t ram = boot->ram_end - boot->ram_base;
  const char *wrong = pressure_options(ram);
  memcpy(ranges, boot->free, sizeof ranges);
  refuse_boot(wrong);
  char *tables = claim(ranges, frames_memory(ram));
  unsigned files = count_files();
  uint64_t cache_bytes = image_cache_bytes(boot->initrd_bytes) + files * SEGMENTS_MAX * 8ul;
  images = (struct image *)claim(ranges, files * sizeof *images);
  char *cache = claim(ranges, cache_bytes);
  for (uint64_t at = 0; at < cache_bytes; at += Q_PAGE_SIZE)
    zero_page(cache + at);
  frames_init((char *)Q_WINDOW, boot->ram_base, boot->ram_end, tables, (struct link *)LINKS);
  frames_zero_by(boot->zero_block);
  char *threads = boot->harts > 1 ? claim(ranges, harts_memory()) : NULL;
  char *pressure = pressure_memory(ram) ? claim(ranges, pressure_memory(ram)) : NULL;
  for (unsigned i = 0; i < boot->free_count; i++)
    frames_add(ranges[i].base, ranges[i].bytes);
  frames_reserve();
  if (pressure)
    pressure_begin(pressure, ram);
  if (threads && !harts_start(threads))
    give_up("no kernel memory for a thread on each hart");
  spaces_place();
  read_images(cache);
}

/* ---- Answering ------------------------------------------------------------------------------------------------------- */
/* What was answered last. */
struct last {
  uint64_t fault; /* of whom; 0: it was no fault */
  bool first;     /* the frame that it was answered with was mapped nowhere before */
};

/* Of a plain answer that came to nothing when what it was counted as is gone (harts.c): only the frame is to be had yet. */
static void frame_unsent(const struct answer *answer) {
  uint64_t frame = PAGE_OF(answer->frame_prot);
  if (frame != PAGE_OF(answer->expected))
    frame_give(frame);
}

/* The reply could not be carried out. Nothing may be lost: not the frame, and not the thread that waits. late: others may have
 * done something since it was decided on. */
static __attribute__((noinline)) void mend(struct q_reply *r, int64_t error, const struct last *last, bool late) {
  struct space *space = space_find(last->fault);
  struct answer answer = {.page = r->word[0],
                          .frame_prot = r->word[1],
                          .expected = r->word[3],
                          .first = last->first,
                          .pages = (uint8_t)r->word[2]};
  if (!last->fault)
    return; /* the answer to a request: whoever asked is gone */
  while (error == -Q_E_NOMEM && donate())
    error = q_reply(r);
  if (error >= 0)
    return;
  if (r->label == Q_REPLY_MAP && late && sent_gone(r->token, error))
    frame_unsent(&answer);
  else if (r->label == Q_REPLY_MAP && space)
    space_undo(space, &answer);
  if (error == -Q_E_TOKEN)
    return;                                                         /* the faulter is gone */
  r->label = error == -Q_E_EXISTS ? Q_REPLY_RETRY : Q_REPLY_REFUSE; /* another of its threads was first */
  r->word[0] = Q_E_NOFRAME;
  q_reply(r);
}

/* No frame was to be had: a policy may know of one. */
static void relieved(struct space *space, const struct q_received *m, struct answer *answer, struct q_reply *r,
                     struct last *last) {
  enum relief relief = RELIEF_SOME;
  for (unsigned i = 0; i < RELIEF_ROUNDS && relief == RELIEF_SOME && answer->reason == P_REASON_NOFRAME; i++) {
    relief = relieve(space);
    if (relief == RELIEF_SELF)
      answer->reason = P_REASON_CHOSEN;
    if (relief != RELIEF_SOME)
      return;
    bool again = pool_again;
    pool_again = true;
    space->stats.refused--;
    space_fault(space, m->word[0], m->label & Q_FAULT_KIND, m->word[2], m->word[3], answer);
    pool_again = again;
  }
  *r =
      (struct q_reply){Q_REPLY_MAP, {answer->page, answer->frame_prot, answer->pages, answer->expected}, m->token, 0};
  last->first = answer->first;
}

/* Frames there are, but no page of its pool can go to make room for another. */
static bool store_is_full(const struct space *space) {
  return space->pool && slots_are_gone() && frames_available();
}

/* The copy fails, or the program ends. */
static void refuse(struct space *space, const struct q_received *m, unsigned reason, struct q_reply *r) {
  uint64_t error = reason == P_REASON_NOFRAME || reason == P_REASON_FULL ? Q_E_NOFRAME : Q_E_FAULT;
  *r = (struct q_reply){0};
  if (m->label & Q_FAULT_COPY && reason != P_REASON_CHOSEN)
    *r = (struct q_reply){.label = Q_REPLY_REFUSE, .word = {error}, .token = m->token};
  else if (!(space->several && fault_gone(m)))
    fault_refused(space, m, reason);
}

static __attribute__((noinline)) void fault_unusual(struct space *space, const struct q_received *m,
                                                    struct answer *answer, struct q_reply *r, struct last *last) {
  if (answer->reason == P_REASON_NOFRAME && absent_moving) { /* there will be one when something has been written */
    answer->reason = 0;
    answer->later = true;
    space->stats.refused--;
  }
  if (answer->reason == P_REASON_NOFRAME && pressing)
    relieved(space, m, answer, r, last);
  if (answer->later && hold(m)) {
    if (watched && !pool_again)
      trace_waits(space, m);
    *r = (struct q_reply){0};
    return;
  }
  if (answer->reason == P_REASON_NOFRAME && store_is_full(space))
    answer->reason = P_REASON_FULL;
  if (watched && !answer->later)
    trace_fault(space, m, answer);
  if (answer->reason)
    refuse(space, m, answer->reason, r);
  else
    r->label = answer->frame_prot ? Q_REPLY_MAP : Q_REPLY_RETRY;
}

static __attribute__((noinline)) void answer_fault(const struct q_received *m, struct q_reply *r, struct last *last) {
  struct space *space = space_find(m->badge);
  struct answer answer;
  if (!space || space->state != SPACE_ALIVE) {
    *r = (struct q_reply){0}; /* its task is being destroyed */
    return;
  }
  if (m->label & Q_FAULT_THREADS && !space->several) {
    space->several = true;
    space_note(space);
  }
  space_fault(space, m->word[0], m->label & Q_FAULT_KIND, m->word[2], m->word[3], &answer);
  space->stats.copies += m->label >> 2 & 1;
  *r = (struct q_reply){Q_REPLY_MAP, {answer.page, answer.frame_prot, answer.pages, answer.expected}, m->token, 0};
  *last = (struct last){m->badge, answer.first};
  if (answer.reason | watched | !answer.frame_prot)
    fault_unusual(space, m, &answer, r, last);
}

/* A plain fault's answer, and the next message. With other threads beside this one the stock is locked, and is so in the end. */
static inline __attribute__((always_inline)) void answer_with(uint64_t frame, uint64_t expected, q_handle endpoint,
                                                              struct stock *stock, bool alone, struct q_received *m) {
  uint64_t page = m->word[0] & ~(Q_PAGE_SIZE - 1ul);
  struct q_reply r = {Q_REPLY_MAP, {page, frame | Q_PROT_READ | Q_PROT_WRITE, 1, expected}, m->token, 0};
  if (!alone)
    release(&stock->lock);
  q_reply_recv(endpoint, &r, m);
  if (!alone)
    take(&stock->lock);
}

/* Answers one plain fault after the other, from registers to registers. The first message that is something else is left in
 * *m. Whose fault was answered last; 0: none was. */
static inline __attribute__((always_inline)) uint64_t answer_plain(q_handle endpoint, struct stock *stock, bool alone,
                                                                   struct q_received *m) {
  uint64_t badge = 0;
  while (m->kind == Q_MSG_FAULT && (alone || __builtin_expect(!stock->doubt, 1))) {
    struct space *space = space_find(m->badge);
    uint64_t there = m->word[3], frame = 0;
    if (__builtin_expect(!space, 0))
      break;
    if (__builtin_expect(!there, 1))
      frame = space_fault_plain(space, m->word[0], m->label, stock);
    else if (m->label == Q_FAULT_WRITE)
      frame = space_copy_plain(space, m->word[0], m->word[2], there, stock),
      there = PAGE_OF(there) | Q_EXPECT | (there & Q_FAULT_SOLE ? 0 : Q_EXPECT_SHARED);
    if (__builtin_expect(!frame, 0)) {
      if (there || !(frame = space_fault_several(space, m->word[0], m->label & ~(uint64_t)Q_FAULT_THREADS, stock)))
        break;
      stock->sent = (struct sent){m->badge, m->token, false};
    }
    badge = m->badge;
    answer_with(frame, there, endpoint, stock, alone, m);
  }
  return badge;
}

/* The same where a policy is asked, which takes a call: so this loop has registers of its own, and keeps in them no more than a
 * fault's message says. */
static inline __attribute__((always_inline)) uint64_t answer_asked(q_handle endpoint, struct stock *stock, bool alone,
                                                                   struct q_received *m) {
  struct q_received now = *m;
  struct space *space;
  uint64_t frame;
  stock->asked.badge = 0;
  while (now.kind == Q_MSG_FAULT && !now.word[3] && (alone || !stock->doubt) && (space = space_find(now.badge))) {
    struct q_received fault = {.kind = Q_MSG_FAULT,
                               .label = now.label,
                               .word = {now.word[0], now.word[1], now.word[2], 0},
                               .token = now.token,
                               .badge = space->badge};
    frame = space_fault_hooked(space, fault.word[0], fault.label, fault.token, stock);
    now = fault;
    if (!frame)
      break;
    answer_with(frame, 0, endpoint, stock, alone, &now);
  }
  *m = now;
  return stock->asked.badge;
}

/* With one thread of the pager, and beside others. */
static __attribute__((noinline)) uint64_t asked_alone(q_handle endpoint, struct q_received *m) {
  return answer_asked(endpoint, &stocks[0], true, m);
}

static __attribute__((noinline)) uint64_t asked_beside(q_handle endpoint, struct stock *stock, struct q_received *m) {
  return answer_asked(endpoint, stock, false, m);
}

/* If it is a first touch that a policy has a say in, and it is worth trying. */
static __attribute__((noinline)) uint64_t answer_hooked(q_handle endpoint, struct stock *stock, bool alone,
                                                        struct q_received *m) {
  const struct space *space = m->word[3] || m->label >> 1 ? NULL : space_find(m->badge);
  if (!space || !space_is_hooked(space))
    return 0;
  return alone ? asked_alone(endpoint, m) : asked_beside(endpoint, stock, m);
}

/* All faults that are as simple as that, with a policy or without. *m and *now become the first message that is something else; *now is in registers. */
static inline __attribute__((always_inline)) void answer_faults(q_handle endpoint, struct stock *stock, bool alone,
                                                                struct q_received *now, struct q_received *m,
                                                                struct last *last) {
  for (;;) {
    uint64_t badge = answer_plain(endpoint, stock, alone, now);
    if (badge)
      *last = (struct last){badge, true};
    *m = *now;
    if (now->kind != Q_MSG_FAULT || !(badge = answer_hooked(endpoint, stock, alone, m)))
      return;
    *last = (struct last){badge, true};
    *now = *m;
  }
}

/* A request of a program that lives. */
static inline void answer_request(struct space *caller, struct q_received *m, struct q_reply *r) {
  *r = (struct q_reply){0};
  int result = request(caller, m, r);
  r->label = (uint64_t)result;
  r->token = result < 0 ? 0 : m->token; /* DEFER, HEARD */
  if (__builtin_expect(m->handle != 0, 0))
    q_handle_close(m->handle); /* nobody kept it */
}

/* Not a fault, nor a call of a program. */
static __attribute__((noinline)) void answer_other(struct q_received *m, struct q_reply *r) {
  struct space *space = space_find(m->badge);
  bool alive = space && space->state == SPACE_ALIVE,
       asks = m->kind == Q_MSG_COPY_READY || m->kind == Q_MSG_COPY_FAILED;
  if (m->kind == Q_MSG_NOTIFY)
    disk_notified();
  else if (m->kind == Q_MSG_CALL && !m->badge && m->label)
    clock_call(m);
  else if (m->kind == Q_MSG_CALL && !m->badge)
    idle_call(m, r);
  else if (m->kind == Q_MSG_EXCEPTION && alive)
    exception(space, m);
  if (asks && space)
    m->handle = gift_take(space, m->token);
  if (asks && space && m->kind == Q_MSG_COPY_FAILED && m->error == Q_E_DEAD)
    strings_drop(space, m->token);
  if (asks && alive && !(m->kind == Q_MSG_COPY_FAILED && m->error == Q_E_DEAD))
    answer_request(space, m, r);
  else if ((asks || m->kind == Q_MSG_CALL) && m->handle)
    q_handle_close(m->handle);
}

static __attribute__((noinline)) void answer_one(struct q_received *m, struct q_reply *r, struct last *last) {
  if (m->kind == Q_MSG_FAULT) {
    answer_fault(m, r, last);
    return;
  }
  if (m->kind < 0) /* what the last reply said is in its registers once more */
    mend(&(struct q_reply){m->label, {m->word[0], m->word[1], m->word[2], m->word[3]}, m->token, 0}, m->kind, last,
         frames.stock_count > 1);
  last->fault = 0;
  *r = (struct q_reply){0};
  if (m->kind >= 0)
    answer_other(m, r);
}

/* Among several threads what an answer maps is mapped before another decides anything (harts.c). */
static void carry_out(struct q_reply *r, struct last *last) {
  if (r->label != Q_REPLY_MAP || !last->fault || !r->token)
    return;
  int64_t error = q_reply(r);
  if (error < 0)
    mend(r, error, last, false);
  last->fault = 0;
  *r = (struct q_reply){0};
}

/* Each may have to wait again. */
void answer_held(void) {
  pool_again = true;
  for (unsigned n = held_count; n; n--) {
    struct q_received m;
    struct q_reply r = {0};
    struct last last = {0};
    unhold(&m);
    struct space *caller = m.kind == Q_MSG_CALL ? space_find(m.badge) : NULL;
    if (caller && caller->state == SPACE_ALIVE)
      answer_request(caller, &m, &r);
    else
      answer_one(&m, &r, &last);
    int64_t error = r.token ? q_reply(&r) : 0;
    if (error < 0)
      mend(&r, error, &last, false);
  }
  pool_again = false;
}

static inline __attribute__((always_inline)) _Noreturn void serve(struct stock *stock, bool alone) {
  struct q_received m = {0};
  struct q_reply r = {0};
  struct last last = {0};
  const q_handle endpoint = boot->endpoint;
  for (;;) {
    struct q_received now;
    q_reply_recv(endpoint, &r, &now);
    if (!alone)
      take(&stock->lock);
    answer_faults(endpoint, stock, alone, &now, &m, &last);
    if (!alone) {
      take_all(stock);
      if (nobody_waits(stock, &m)) {
        r = (struct q_reply){0};
        release_all();
        continue;
      }
    }
    struct space *caller = now.kind == Q_MSG_CALL ? space_find(now.badge) : NULL;
    if (caller && caller->state == SPACE_ALIVE) {
      last.fault = 0;
      answer_request(caller, &m, &r);
    } else {
      answer_one(&m, &r, &last);
    }
    idle_look();
    clock_look();
    if (!alone) {
      carry_out(&r, &last);
      release_all();
    }
  }
}

static __attribute__((noinline)) _Noreturn void serve_alone(void) {
  serve(stocks, true);
}

_Noreturn void pager_serve(uint64_t number) {
  if (boot->harts == 1)
    serve_alone();
  serve(&stocks[number], false);
}

/* The policy of a program did not answer (watch.c). Until the locks are given up for a moment, that program is there. */
_Noreturn void pager_again(uint64_t number) {
  struct stock *stock = &stocks[number];
  struct q_reply r = {.label = Q_REPLY_RETRY, .token = stock->asked.token};
  uint64_t hook = (uint64_t)space_find(stock->asked.badge)->hook;
  stock->asked.token = 0;
  if (boot->harts > 1)
    take_all(stock);
  asked_hook = hook;
  ask_left();
  q_reply(&r);
  if (boot->harts > 1)
    release_all();
  pager_serve(number);
}

_Noreturn void pager_main(const struct q_boot *info) {
  boot = info;
  harts_first((uint64_t)__builtin_frame_address(0));
  take_over();
  if (!watch_start())
    give_up("no kernel memory for a thread");
  options_read();
  refuse_boot(pressure_lacks());
  if (policy.press.policy)
    relief_begin(&policy.press);
  say("Quire pager, policy %s, %lu MiB free", policy.words, (unsigned long)(frames_available() >> 8));
  if (!servers_start())
    give_up(MISSING_SERVER);
  if (!idle_start() || !clock_start())
    give_up("no kernel memory for a thread");
  if (!options_run() && !servers_count())
    give_up("no program runs; name one with the boot option run=PROGRAM or serve=PROGRAM");
  if (boot->harts > 1)
    release_all();
  pager_serve(0);
}
