/* SPDX-License-Identifier: BSD-2-Clause */
/* The pager's life: takes over all memory, starts the programs that the boot options name, then answers one message after
 * another. The common fault stays in this loop's registers from message to reply. */
#include "shell.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpio.h"

const struct q_boot *boot;
const struct policy *policy = &policy_demand;
bool strict;
const char *policy_words = "demand";
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

#define MISSING_SERVER "a server is missing"
static _Noreturn void give_up(const char *why) {
  say("cannot start: %s", why);
  for (;;)
    q_machine_off(boot->machine, 1);
}

/* ---- Taking over ------------------------------------------------------------------------------------------------------ */
#define LINKS                                                                                                        \
  0x50000000 /* of the frame table: 256 MiB, between its image and the window, are enough for all of that */

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

static void read_images(char *memory) {
  uint32_t *cache = (uint32_t *)memory;
  size_t offset = 0;
  struct cpio_file file;
  while (next_file(&offset, &file))
    if (strcmp(file.name, "pager") &&
        !strchr(file.name, '/')) /* else it is a file, which the pager knows nothing of */
      image_read(&images[image_count++], file.name, file.data, file.bytes, file.bytes, &cache);
}

static void take_over(void) {
  struct q_range ranges[Q_BOOT_RANGES];
  uint64_t ram = boot->ram_end - boot->ram_base;
  memcpy(ranges, boot->free, sizeof ranges);
  char *tables = claim(ranges, frames_memory(ram));
  unsigned files = count_files();
  uint64_t cache_bytes = image_cache_bytes(boot->initrd_bytes) + files * SEGMENTS_MAX * 8ul;
  images = (struct image *)claim(ranges, files * sizeof *images);
  char *cache = claim(ranges, cache_bytes);
  for (uint64_t at = 0; at < cache_bytes; at += Q_PAGE_SIZE)
    zero_page(cache + at);
  frames_init((char *)Q_WINDOW, boot->ram_base, boot->ram_end, tables, (struct link *)LINKS);
  for (unsigned i = 0; i < boot->free_count; i++)
    frames_add(ranges[i].base, ranges[i].bytes);
  frames_reserve();
  read_images(cache);
}

/* ---- Boot options ------------------------------------------------------------------------------------------------------ */
static void choose_policy(const char *words) {
  static char chosen[sizeof((struct p_system *)0)->policy];
  policy = policy_choose(words);
  if (!policy || strlen(words) >= sizeof chosen) {
    say("the boot option policy=%s is none of:", words);
    for (unsigned i = 0; policies[i]; i++)
      say("  policy=%s", policies[i]->usage);
    give_up("there is no such policy");
  }
  policy_words = strcpy(chosen, words);
}

/* "prog:arg:arg" */
static bool run(char *words) {
  uint64_t bytes = strlen(words) + 1;
  for (char *p = words; *p; p++)
    if (*p == ':')
      *p = 0;
  int64_t id = process_spawn(&(struct spawn){.text = words, .bytes = bytes});
  if (id < 0)
    say("cannot run '%s': %s", words, spawn_error(id));
  return id > 0;
}

/* first: what must be known before a program starts. */
static unsigned read_option(char *word, bool first) {
  static const char *const kernels[] = {"deadline=", "asid_bits="};
  if (!strncmp(word, "run=", 4))
    return first ? 0 : run(word + 4);
  if (!strncmp(word, "serve=", 6)) {
    if (first && !server_add(word + 6)) {
      say("cannot start the server '%s': no name, too long a one, or too many servers", word + 6);
      give_up(MISSING_SERVER);
    }
    return 0;
  }
  if (!strncmp(word, "policy=", 7)) {
    if (first)
      choose_policy(word + 7);
    return 0;
  }
  if (!strncmp(word, "ready=", 6)) {
    if (first && !idle_option(word + 6)) {
      say("the boot option %s is not: ready=LOW,HIGH frames with LOW < HIGH, or ready=0", word);
      give_up("it cannot be understood");
    }
    return 0;
  }
  if (!strcmp(word, "count=untouched")) {
    count_untouched = true;
    return 0;
  }
  if (!strcmp(word, "memory=strict") || !strcmp(word, "memory=lazy")) {
    strict = word[7] == 's';
    return 0;
  }
  if (!strncmp(word, "processes=", 10)) {
    unsigned long most = strtoul(word + 10, NULL, 10);
    space_limit = most && most < P_PROCESSES ? (unsigned)most : P_PROCESSES - 1;
    return 0;
  }
  for (unsigned i = 0; i < sizeof kernels / sizeof *kernels; i++)
    if (!strncmp(word, kernels[i], strlen(kernels[i])))
      return 0;
  if (first)
    say("warning: unknown boot option '%s'", word);
  return 0;
}

static unsigned read_options(bool first) {
  char text[sizeof boot->arguments];
  unsigned started = 0;
  memcpy(text, boot->arguments, sizeof text);
  for (char *word = text, *end; *word; word = end) {
    end = word + strcspn(word, " ");
    if (*end)
      *end++ = 0;
    if (*word)
      started += read_option(word, first);
  }
  return started;
}

/* ---- Answering ------------------------------------------------------------------------------------------------------- */
static uint64_t last_fault; /* whose fault was answered last; 0: what was answered was none */
static bool last_first;     /* the frame that it was answered with was mapped nowhere before */

/* The reply could not be carried out, and is in *m once more. Nothing may be lost: not the frame, and not the thread that
 * waits. */
static void mend(const struct q_received *m) {
  struct space *space = space_find(last_fault);
  int64_t error = m->kind;
  struct answer answer = {.page = m->word[0],
                          .frame_prot = m->word[1],
                          .expected = m->word[3],
                          .first = last_first,
                          .pages = (uint8_t)m->word[2]};
  struct q_reply again = {m->label, {m->word[0], m->word[1], m->word[2], m->word[3]}, m->token, 0}, *r = &again;
  if (!last_fault)
    return; /* the answer to a request: whoever asked is gone */
  while (error == -Q_E_NOMEM && donate())
    error = q_reply(r);
  if (error >= 0)
    return;
  if (space && r->label == Q_REPLY_MAP)
    space_undo(space, &answer);
  if (error == -Q_E_TOKEN)
    return;                                                         /* the faulter is gone */
  r->label = error == -Q_E_EXISTS ? Q_REPLY_RETRY : Q_REPLY_REFUSE; /* another of its threads was first */
  r->word[0] = Q_E_NOFRAME;
  q_reply(r);
}

static __attribute__((noinline)) void fault_unusual(struct space *space, const struct q_received *m,
                                                    const struct answer *answer, struct q_reply *r) {
  if (watched)
    trace_fault(space, m, answer);
  if (!answer->reason) {
    r->label = answer->frame_prot ? Q_REPLY_MAP : Q_REPLY_RETRY;
    return;
  }
  *r = (struct q_reply){0};
  if (m->label & Q_FAULT_COPY)
    *r = (struct q_reply){.label = Q_REPLY_REFUSE,
                          .word = {answer->reason == P_REASON_NOFRAME ? Q_E_NOFRAME : Q_E_FAULT},
                          .token = m->token};
  else
    fault_refused(space, m, answer->reason);
}

static __attribute__((noinline)) void answer_fault(const struct q_received *m, struct q_reply *r) {
  struct space *space = space_find(m->badge);
  struct answer answer;
  *r = (struct q_reply){0};
  if (!space || space->state != SPACE_ALIVE)
    return; /* its task is being destroyed */
  space_fault(space, m->word[0], m->label & Q_FAULT_KIND, m->word[2], m->word[3], &answer);
  space->stats.copies += m->label >> 2 & 1;
  *r = (struct q_reply){Q_REPLY_MAP, {answer.page, answer.frame_prot, answer.pages, answer.expected}, m->token, 0};
  last_first = answer.first;
  if (answer.reason | watched | !answer.frame_prot)
    fault_unusual(space, m, &answer, r);
}

/* Answers one plain fault after the other, from registers to registers. The first message that is something else is left in
 * *m; *badge is whose fault was answered last, if any was. */
static inline __attribute__((always_inline)) void answer_plain(q_handle endpoint, struct q_received *m,
                                                               uint64_t *badge) {
  while (m->kind == Q_MSG_FAULT) {
    struct space *space = space_find(m->badge);
    uint64_t frame = space ? space_fault_plain(space, m->word[0], m->label, m->word[3]) : 0;
    if (__builtin_expect(!frame, 0))
      break;
    uint64_t page = m->word[0] & ~(Q_PAGE_SIZE - 1ul);
    struct q_reply r = {Q_REPLY_MAP, {page, frame | Q_PROT_READ | Q_PROT_WRITE, 1, 0}, m->token, 0};
    *badge = m->badge;
    q_reply_recv(endpoint, &r, m);
  }
}

static __attribute__((noinline)) void answer_other(struct q_received *m, struct q_reply *r) {
  struct space *space = space_find(m->badge);
  *r = (struct q_reply){0};
  if (m->kind == Q_MSG_CALL && !m->badge) {
    idle_call(m, r);
    return;
  }
  if (m->kind == Q_MSG_EXCEPTION && space && space->state == SPACE_ALIVE)
    exception(space, m);
  bool asks = m->kind == Q_MSG_CALL || m->kind == Q_MSG_COPY_READY || m->kind == Q_MSG_COPY_FAILED;
  bool dead = m->kind == Q_MSG_COPY_FAILED && m->error == Q_E_DEAD;
  if (!asks)
    return;
  if (m->kind != Q_MSG_CALL && space)
    m->handle = gift_take(space, m->token);
  int result = space && space->state == SPACE_ALIVE && !dead ? request(space, m, r) : HEARD;
  if (m->handle)
    q_handle_close(m->handle); /* nobody kept it */
  if (result == DEFER || result == HEARD)
    return;
  r->label = (uint64_t)result;
  r->token = m->token;
}

static __attribute__((noinline)) void answer_one(struct q_received *m, struct q_reply *r) {
  if (m->kind == Q_MSG_FAULT) {
    answer_fault(m, r);
  } else if (m->kind < 0) {
    mend(m);
    *r = (struct q_reply){0};
  } else {
    answer_other(m, r);
    idle_look();
  }
}

_Noreturn void pager_main(const struct q_boot *info) {
  boot = info;
  take_over();
  read_options(true);
  say("Quire pager, policy %s, %lu MiB free", policy_words, (unsigned long)(frames_available() >> 8));
  if (!servers_start())
    give_up(MISSING_SERVER);
  if (!idle_start())
    give_up("no kernel memory for a thread");
  if (!read_options(false) && !servers_count())
    give_up("no program runs; name one with the boot option run=PROGRAM or serve=PROGRAM");
  struct q_received m = {0};
  struct q_reply r = {0};
  for (;;) {
    struct q_received now; /* in registers, unlike m */
    uint64_t badge = m.kind == Q_MSG_FAULT ? m.badge : 0;
    q_reply_recv(boot->endpoint, &r, &now);
    last_first |= now.kind >= 0; /* it was carried out; those that are plain are so */
    answer_plain(boot->endpoint, &now, &badge);
    last_fault = badge;
    m = now;
    answer_one(&m, &r);
  }
}
