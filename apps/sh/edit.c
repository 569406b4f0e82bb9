/* SPDX-License-Identifier: BSD-2-Clause */
/* Line editing with history, at a terminal that understands three sequences of ECMA-48: erase to the end of the row (EL),
 * cursor forward (CUF), and what its arrows send. A line longer than the row scrolls sideways. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sh.h"

#define CONTROL(letter) ((letter)&31)
#define ESCAPE 27
#define DELETE 127
#define ROW 80
#define MOST 1023 /* bytes of a line */
#define HISTORY 64
#define CONTINUES(c) (((c)&0xc0) == 0x80) /* a byte of UTF-8 after the first of a character */

struct edit {
  struct text *line;
  size_t at; /* of the cursor, in bytes */
  const char *prompt;
  unsigned shown; /* line of the history; `lines`: what was typed */
  bool scrolled;
};
static char *history[HISTORY]; /* by number modulo HISTORY */
static unsigned lines;         /* that were ever kept */
static struct text typed;      /* while a line of the history is shown */

/* ---- What is seen --------------------------------------------------------------------------------------------------------- */
static size_t columns(const char *text, size_t bytes) {
  size_t n = 0;
  for (size_t i = 0; i < bytes; i++)
    n += !CONTINUES(text[i]);
  return n;
}

static struct text output; /* what goes out before somebody is waited for */

static void put(const char *text, size_t bytes) {
  text_append(&output, text, bytes);
}

static void put_out(void) {
  write(1, output.at, output.used);
  output.used = 0;
}

/* From the first character on from which the cursor is in the row. */
static void draw(struct edit *e) {
  char right[32], start[32];
  size_t room = ROW - 1 - strlen(e->prompt), first = 0, n = 0;
  while (columns(e->line->at + first, e->at - first) > room)
    for (first++; CONTINUES(e->line->at[first]);)
      first++;
  snprintf(start, sizeof start, "\r\033[%zuC", strlen(e->prompt));
  put(start, strlen(start));
  for (size_t i = first; i < e->line->used; i++) {
    char c = e->line->at[i];
    n += !CONTINUES(c);
    if (n <= room)
      text_add(&output, (unsigned char)c < ' ' || c == DELETE ? '?' : c);
  }
  size_t column = strlen(e->prompt) + columns(e->line->at + first, e->at - first);
  snprintf(right, sizeof right, "\033[K\r\033[%zuC", column);
  put(right, strlen(right));
  e->scrolled = first > 0;
}

/* ---- What is done --------------------------------------------------------------------------------------------------------- */
static void insert(struct edit *e, char c) {
  struct text *line = e->line;
  if (line->used == MOST) {
    put("\a", 1);
    return;
  }
  text_add(line, 0);
  memmove(line->at + e->at + 1, line->at + e->at, line->used - 1 - e->at);
  line->at[e->at++] = c;
  bool plain_end = e->at == line->used && (unsigned char)c >= ' ' && c != DELETE && !e->scrolled;
  if (plain_end && columns(line->at, line->used) < ROW - strlen(e->prompt))
    put(&c, 1);
  else
    draw(e);
}

static void cut(struct edit *e, size_t from, size_t to) {
  struct text *line = e->line;
  bool end = to == line->used && e->at == to && columns(line->at + from, to - from) == 1 && !e->scrolled;
  memmove(line->at + from, line->at + to, line->used - to + 1);
  line->used -= to - from;
  e->at = from;
  if (end)
    put("\b \b", 3);
  else if (to > from)
    draw(e);
}

static size_t before(const struct edit *e, size_t at) {
  at -= at > 0;
  while (at && CONTINUES(e->line->at[at]))
    at--;
  return at;
}

static size_t behind(const struct edit *e, size_t at) {
  at += at < e->line->used;
  while (at < e->line->used && CONTINUES(e->line->at[at]))
    at++;
  return at;
}

static void go(struct edit *e, size_t at) {
  bool moves = at != e->at;
  e->at = at;
  if (moves)
    draw(e);
}

static void cut_word(struct edit *e) {
  size_t from = e->at;
  while (from && e->line->at[from - 1] == ' ')
    from--;
  while (from && e->line->at[from - 1] != ' ')
    from--;
  cut(e, from, e->at);
}

/* ---- History -------------------------------------------------------------------------------------------------------------- */
static void remember(const struct text *line) {
  const char *last = lines ? history[(lines - 1) % HISTORY] : "";
  char *copy = line->used > 1 && strcmp(line->at, last) ? strdup(line->at) : NULL;
  if (!copy)
    return;
  free(history[lines % HISTORY]);
  history[lines++ % HISTORY] = copy;
}

static bool is_kept(unsigned number) {
  return number < lines && lines - number <= HISTORY;
}

static void show(struct edit *e, unsigned number) {
  if (number != lines && !is_kept(number))
    return;
  if (e->shown == lines) {
    typed.used = 0;
    text_append(&typed, e->line->at, e->line->used);
  }
  const char *text = number == lines ? typed.at : history[number % HISTORY];
  e->shown = number;
  e->line->used = 0;
  text_append(e->line, text, strcspn(text, "\n"));
  e->at = e->line->used;
  draw(e);
}

/* The last line before the one shown that begins with what is before the cursor. */
static void search(struct edit *e) {
  size_t bytes = e->at;
  for (unsigned number = e->shown; is_kept(--number);)
    if (!strncmp(history[number % HISTORY], e->line->at, bytes)) {
      show(e, number);
      e->at = bytes;
      draw(e);
      return;
    }
  put("\a", 1);
}

/* ---- Keys ----------------------------------------------------------------------------------------------------------------- */
/* The next one; 1, or as read(). A read ends with a newline at the latest: what follows is for whatever the line starts. */
static ssize_t take_key(char *c) {
  static char keys[64];
  static size_t next, all;
  if (next == all) {
    put_out();
    ssize_t got = read(0, keys, sizeof keys);
    next = 0;
    all = got > 0 ? (size_t)got : 0;
    if (got <= 0)
      return got;
  }
  *c = keys[next++];
  return 1;
}

/* Behind ESCAPE: the control character that the sequence stands for, or ESCAPE again: nothing. 1, or as read(). */
static ssize_t take_sequence(char *c) {
  static const char names[] = "ABCDHF17348", keys[] = "PNFBAEAADEE";
  char number = 0;
  ssize_t got = take_key(c);
  bool begins = got == 1 && (*c == '[' || *c == 'O');
  while (begins && (got = take_key(c)) == 1 && *c < '@')
    number = *c;
  const char *key = begins && got == 1 ? strchr(names, *c == '~' ? number : *c) : NULL;
  *c = key && *key ? CONTROL(keys[key - names]) : ESCAPE;
  return got;
}

static void edit(struct edit *e, char c) {
  switch (c) {
  case CONTROL('A'):
    return go(e, 0);
  case CONTROL('E'):
    return go(e, e->line->used);
  case CONTROL('B'):
    return go(e, before(e, e->at));
  case CONTROL('F'):
    return go(e, behind(e, e->at));
  case CONTROL('D'):
    return cut(e, e->at, behind(e, e->at));
  case CONTROL('H'):
  case DELETE:
    return cut(e, before(e, e->at), e->at);
  case CONTROL('K'):
    return cut(e, e->at, e->line->used);
  case CONTROL('U'):
    return cut(e, 0, e->at);
  case CONTROL('W'):
    return cut_word(e);
  case CONTROL('L'):
    return draw(e);
  case CONTROL('P'):
    return show(e, e->shown - 1);
  case CONTROL('N'):
    return show(e, e->shown + 1);
  case CONTROL('R'):
    return search(e);
  default:
    return insert(e, c);
  }
}

/* Up to the end of the line: bytes, or as edit_line. */
static ssize_t edit_keys(struct edit *e) {
  char c;
  ssize_t got;
  while ((got = take_key(&c)) == 1 && (c != CONTROL('D') || e->line->used)) {
    if (c == '\n') {
      put("\n", 1);
      text_add(e->line, c);
      remember(e->line);
      return (ssize_t)e->line->used;
    }
    if (c == ESCAPE && (got = take_sequence(&c)) != 1)
      break;
    if (c != ESCAPE)
      edit(e, c);
  }
  return got < 0 ? got : 0;
}

/* In raw mode from before the prompt on: nothing that is typed is shown twice, or taken for a key of canonical mode. */
ssize_t edit_line(const char *prompt, struct text *line) {
  struct edit e = {.line = line, .prompt = prompt, .shown = lines};
  text_append(line, "", 0);
  fflush(stdout);
  system_raw(true);
  put(prompt, strlen(prompt));
  ssize_t got = edit_keys(&e);
  int error = errno;
  put_out();
  system_raw(false);
  errno = error;
  return got;
}
