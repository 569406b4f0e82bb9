/* SPDX-License-Identifier: BSD-2-Clause */
/* The boot options that the pager heeds. Those of memory pressure are read before there is any memory (pressure.c). */
#include "shell.h"

#include <stdlib.h>
#include <string.h>

#include "tell.h"

/* ---- What must be known before a program starts -------------------------------------------------------------------------- */
static bool serve(char *words) {
  if (!server_add(words)) {
    say("cannot start the server '%s': no name, too long a one, or too many servers", words);
    give_up(MISSING_SERVER);
  }
  return true;
}

static bool choose_policy(char *words) {
  static char chosen[sizeof((struct p_system *)0)->policy];
  watch_begin();
  bool fits = strlen(words) < sizeof chosen;
  if (fits && policy_choose(strcpy(chosen, words), &policy))
    return true;
  say("the boot option policy=%s: %s%s", words, fits ? policy_wrong.text : "its words are longer than 47 characters",
      policy_wrong.unknown ? "; there are:" : "");
  for (unsigned i = 0; policy_wrong.unknown && policies[i]; i++)
    say("  policy=%s", policies[i]->usage);
  give_up("it cannot be understood");
}

static bool ready_frames(char *words) {
  return idle_option(words);
}

static bool trace(char *words) {
  return tell_option(words);
}

static bool count(char *words) {
  count_untouched = true;
  return !strcmp(words, "untouched");
}

static bool memory(char *words) {
  strict = !strcmp(words, "strict");
  return strict || !strcmp(words, "lazy");
}

static bool processes(char *words) {
  char *end;
  unsigned long most = strtoul(words, &end, 10);
  space_limit = most < P_PROCESSES ? (unsigned)most : P_PROCESSES - 1;
  return *words >= '0' && *words <= '9' && !*end && most;
}

static bool idle(char *words) {
  return !strcmp(words, "poll");
}

static const struct option {
  const char *name;
  bool (*read)(char *words); /* false: they are not understood. NULL: they are another's */
  const char *takes;
} options[] = {{"serve=", serve, NULL},
               {"policy=", choose_policy, NULL},
               {"ready=", ready_frames, "ready=LOW,HIGH frames with LOW < HIGH, or ready=0"},
               {"trace=", trace, "trace=faults or trace=ends"},
               {"count=", count, "count=untouched"},
               {"memory=", memory, "memory=strict or memory=lazy"},
               {"processes=", processes, "processes=NUMBER"},
               {"run=", NULL, NULL}, /* once all others are known */
               {"budget=", NULL, NULL},
               {"seed=", NULL, NULL},
               {"store=", NULL, NULL},
               {"idle=", idle, "idle=poll"},
               {"deadline=", NULL, NULL}, /* the kernel's, as is idle=poll */
               {"asid_bits=", NULL, NULL},
               {"harts=", NULL, NULL}};

static void read_option(char *word) {
  const struct option *option = options, *end = options + sizeof options / sizeof *options;
  while (option < end && strncmp(word, option->name, strlen(option->name)))
    option++;
  if (option == end) {
    say("warning: unknown boot option '%s'", word);
  } else if (option->read && !option->read(word + strlen(option->name))) {
    say("the boot option %s is not: %s", word, option->takes);
    give_up("it cannot be understood");
  }
}

/* Each word of the text in turn. */
static void each_word(void (*word_is)(char *word)) {
  char text[sizeof boot->arguments];
  memcpy(text, boot->arguments, sizeof text);
  for (char *word = text, *end; *word; word = end) {
    end = word + strcspn(word, " ");
    if (*end)
      *end++ = 0;
    if (*word)
      word_is(word);
  }
}

void options_read(void) {
  each_word(read_option);
}

/* ---- The programs -------------------------------------------------------------------------------------------------------- */
static bool started;

/* "run=prog:arg:arg" */
static void run(char *word) {
  if (strncmp(word, "run=", 4))
    return;
  word += 4;
  uint64_t bytes = strlen(word) + 1;
  for (char *p = word; *p; p++)
    if (*p == ':')
      *p = 0;
  int64_t id = process_spawn(&(struct spawn){.text = word, .bytes = bytes});
  if (id < 0)
    say("cannot run '%s': %s", word, spawn_error(id));
  started = started || id > 0;
}

bool options_run(void) {
  each_word(run);
  return started;
}
