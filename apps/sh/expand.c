/* SPDX-License-Identifier: BSD-2-Clause */
/* Expansion of words (POSIX.1-2017, 2.6). A field is built as a pattern: quoted characters that a pattern could mean have a
 * backslash before them. */
#include <ctype.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sh.h"

struct expansion {
  struct text now;   /* the field at hand */
  bool some;         /* it is one even if nothing is in it */
  bool splits;       /* unquoted values become fields */
  bool after_blank;  /* a blank has ended a field: a separator that is none belongs to it */
  bool no_arguments; /* "$@" stands for no field */
  struct word *first, **last;
};

static void expand(struct expansion *e, const char **at, bool quoted, bool document);

/* ---- Fields ------------------------------------------------------------------------------------------------------------- */
static void put_literal(struct expansion *e, char c) {
  if (strchr("*?[]\\-!^", c))
    text_add(&e->now, '\\');
  text_add(&e->now, c);
}

static void end_field(struct expansion *e) {
  if (e->now.used || e->some) {
    struct word *word = take(&sh.memory, sizeof *word);
    word->text = take_text(&sh.memory, e->now.used ? e->now.at : "", e->now.used);
    *e->last = word;
    e->last = &word->next;
  }
  e->now.used = 0;
  e->some = false;
}

static void split_at(struct expansion *e, char c) {
  bool blank = isspace((unsigned char)c), field = e->now.used || e->some;
  if (!blank && !e->after_blank)
    e->some = true; /* an empty field between two separators */
  end_field(e);
  e->after_blank = blank && (field || e->after_blank);
}

static void put_value(struct expansion *e, const char *value, bool quoted) {
  const char *separators = variable("IFS");
  if (!separators)
    separators = " \t\n";
  for (; *value; value++) {
    if (quoted || *value == '\\')
      put_literal(e, *value);
    else if (e->splits && strchr(separators, *value)) {
      split_at(e, *value);
      continue;
    } else
      text_add(&e->now, *value);
    e->after_blank = false;
  }
}

/* $@ and $*. Within quotes $@ has a field for each, and $* is one, with the first separator between. */
static void put_arguments(struct expansion *e, char which, bool quoted) {
  const char *separators = variable("IFS");
  e->no_arguments = which == '@' && !sh.arguments.count;
  for (unsigned i = 0; i < sh.arguments.count; i++) {
    bool joins = (quoted && which == '*') || !e->splits;
    if (i && joins && (!separators || *separators))
      put_literal(e, separators && which == '*' ? *separators : ' ');
    else if (i && !joins)
      end_field(e);
    put_value(e, sh.arguments.arg[i], quoted);
    e->some = e->some || (quoted && !joins);
  }
}

/* ---- Parameters --------------------------------------------------------------------------------------------------------- */
const char *value_of(const char *name) {
  char text[24];
  if (isdigit((unsigned char)*name)) {
    unsigned long n = strtoul(name, NULL, 10);
    return !n ? sh.name : n <= sh.arguments.count ? sh.arguments.arg[n - 1] : NULL;
  }
  long number = sh.arguments.count;
  if (*name != '#')
    number = *name == '?' ? sh.status : *name == '$' ? sh.pid : sh.background;
  if (*name == '-')
    return sh.errexit ? "e" : "";
  if (!strchr("?$!#", *name))
    return variable(name);
  if (*name == '!' && !sh.background)
    return NULL;
  snprintf(text, sizeof text, "%ld", number);
  return take_text(&sh.memory, text, strlen(text));
}

static size_t name_bytes(const char *at) {
  size_t n = 0;
  if (isdigit((unsigned char)*at) || (*at && strchr("?$!#-@*", *at)))
    return 1;
  while (at[n] == '_' || isalnum((unsigned char)at[n]))
    n++;
  return n;
}

static int leave_with(const char *name, const char *why) {
  complain("sh", name, why);
  sh.status = 2;
  sh.leaving = sh.interactive ? INTERRUPTED : EXIT;
  return 2;
}

static void put_parameter(struct expansion *e, const char *name, bool quoted) {
  const char *value = NULL;
  if (*name == '@' || *name == '*') {
    put_arguments(e, *name, quoted);
    return;
  }
  value = value_of(name);
  if (value)
    put_value(e, value, quoted);
  else if (sh.unset_is_error)
    leave_with(name, "is not set");
}

/* The value without what the pattern matches: its beginning (#) or end (%), the longest (twice) or shortest. */
static char *trim(const char *value, const char *op, const char *pattern) {
  size_t all = strlen(value);
  bool front = *op == '#', longest = op[1] == *op;
  for (size_t i = 0; i <= all; i++) {
    size_t cut = longest ? all - i : i;
    char *part = front ? take_text(&sh.memory, value, cut) : take_text(&sh.memory, value + all - cut, cut);
    if (!fnmatch(pattern, part, 0))
      return front ? take_text(&sh.memory, value + cut, all - cut) : take_text(&sh.memory, value, all - cut);
  }
  return take_text(&sh.memory, value, all);
}

/* ${name OP word} */
static void put_with(struct expansion *e, const char *name, const char *op, bool quoted) {
  bool colon = *op == ':';
  const char *word = op + colon + 1,
             *value = *name == '@' || *name == '*' ? (sh.arguments.count ? "x" : NULL) : value_of(name);
  bool there = value && (*value || !colon);
  switch (op[colon]) {
  case '-':
  case '+':
    if (there == (op[colon] == '+'))
      expand(e, &word, quoted, false);
    else if (there)
      put_parameter(e, name, quoted);
    return;
  case '=':
    if (!there)
      variable_set(name, expand_string(word));
    put_parameter(e, name, quoted);
    return;
  case '?':
    if (there)
      put_parameter(e, name, quoted);
    else
      leave_with(name, *word ? expand_string(word) : "is not set");
    return;
  case '#':
  case '%':
    if (value)
      put_value(e, trim(value, op, expand_pattern(word + (word[0] == op[0]))), quoted);
    return;
  default:
    leave_with(name, "what is that in ${}?");
  }
}

static void put_braces(struct expansion *e, const char *inner, bool quoted) {
  char length[24];
  size_t n = name_bytes(inner), counts = *inner == '#' && inner[1] && !strchr("-=?+:%#", inner[1]);
  if (counts || isdigit((unsigned char)*inner))
    n = counts + strspn(inner + counts, "_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@*?");
  char *name = take_text(&sh.memory, inner + counts, n - counts);
  if (counts) {
    const char *value = *name == '@' || *name == '*' ? NULL : value_of(name);
    snprintf(length, sizeof length, "%zu",
             value                          ? strlen(value)
             : *name == '@' || *name == '*' ? sh.arguments.count
                                            : 0);
    put_value(e, length, quoted);
  } else if (!inner[n] && n)
    put_parameter(e, name, quoted);
  else
    put_with(e, name, inner + n, quoted);
}

static void put_arithmetic(struct expansion *e, char *text, bool quoted) {
  char number[24];
  long value;
  text[strlen(text) - 1] = 0; /* the inner parentheses */
  const char *plain = expand_string(text + 1);
  if (!arithmetic(plain, &value)) {
    leave_with(plain, "that is no arithmetic");
    return;
  }
  snprintf(number, sizeof number, "%ld", value);
  put_value(e, number, quoted);
}

/* After the $. */
static void dollar(struct expansion *e, const char **at, bool quoted) {
  size_t n = name_bytes(*at);
  if (**at == '(') {
    char *inner = nested_text(at);
    if (*inner == '(' && inner[strlen(inner) - 1] == ')')
      put_arithmetic(e, inner, quoted);
    else
      put_value(e, capture(inner), quoted);
  } else if (**at == '{')
    put_braces(e, nested_text(at), quoted);
  else if (n) {
    put_parameter(e, take_text(&sh.memory, *at, n), quoted);
    *at += n;
  } else
    put_literal(e, '$');
}

/* ---- Quotes ------------------------------------------------------------------------------------------------------------- */
static void backquotes(struct expansion *e, const char **at, bool quoted) {
  struct text inner = {0};
  text_append(&inner, "", 0);
  for (; **at && **at != '`'; ++*at) {
    if (**at == '\\' && (*at)[1] && strchr("$`\\", (*at)[1]))
      ++*at;
    text_add(&inner, **at);
  }
  *at += **at == '`';
  char *text = take_text(&sh.memory, inner.at, inner.used);
  text_free(&inner);
  put_value(e, capture(text), quoted);
}

static void backslash(struct expansion *e, const char **at, bool quoted, bool document) {
  char c = **at;
  bool special = !quoted || (c && strchr(document ? "$`\\\n" : "$`\"\\\n", c));
  if (!special || !c)
    put_literal(e, '\\');
  else if (*(*at)++ != '\n')
    put_literal(e, c);
}

static void apostrophes(struct expansion *e, const char **at) {
  e->some = true;
  for (; **at && **at != '\''; ++*at)
    put_literal(e, **at);
  *at += **at == '\'';
}

static void quotation(struct expansion *e, const char **at) {
  bool some = e->some;
  size_t used = e->now.used;
  e->some = true;
  e->no_arguments = false;
  expand(e, at, true, false);
  if (e->no_arguments && e->now.used == used)
    e->some = some;
}

/* Up to the end, or within double quotes up to the one that closes them. */
static void expand(struct expansion *e, const char **at, bool quoted, bool document) {
  while (**at) {
    char c = *(*at)++;
    if (c == '"' && !document && quoted)
      return;
    if (c == '\\')
      backslash(e, at, quoted, document);
    else if (c == '\'' && !quoted)
      apostrophes(e, at);
    else if (c == '"' && !document)
      quotation(e, at);
    else if (c == '$')
      dollar(e, at, quoted);
    else if (c == '`')
      backquotes(e, at, quoted);
    else if (quoted)
      put_literal(e, c);
    else
      text_add(&e->now, c);
    e->after_blank = e->after_blank && (c == '$' || c == '`');
  }
}

/* ---- Results ------------------------------------------------------------------------------------------------------------ */
char *plain(char *pattern) {
  char *to = pattern;
  for (const char *from = pattern; *from; from++)
    *to++ = *from == '\\' && from[1] ? *++from : *from;
  *to = 0;
  return pattern;
}

bool means_files(const char *pattern) {
  for (; *pattern; pattern++)
    if (*pattern == '\\' && pattern[1])
      pattern++;
    else if (strchr("*?[", *pattern))
      return true;
  return false;
}

struct word *expand_fields(const struct word *words) {
  struct word *result = NULL, **tail = &result;
  for (; words && !sh.leaving; words = words->next) {
    struct expansion e = {.splits = true, .last = &e.first};
    const char *at = words->text;
    expand(&e, &at, false, false);
    end_field(&e);
    text_free(&e.now);
    for (struct word *next, *field = e.first; field; field = next) {
      struct word **before = tail;
      next = field->next;
      if (means_files(field->text))
        find_files(field->text, &tail);
      if (tail != before)
        continue;
      plain(field->text);
      field->next = NULL;
      *tail = field;
      tail = &field->next;
    }
  }
  return result;
}

static char *one(const char *raw, bool document) {
  struct expansion e = {.last = &e.first};
  expand(&e, &raw, document, document);
  char *result = take_text(&sh.memory, e.now.used ? e.now.at : "", e.now.used);
  text_free(&e.now);
  return result;
}

char *expand_string(const char *raw) {
  return plain(one(raw, false));
}

char *expand_pattern(const char *raw) {
  return one(raw, false);
}

char *expand_document(const char *raw) {
  return plain(one(raw, true));
}
