/* SPDX-License-Identifier: BSD-2-Clause */
/* See tty.h. */
#include "tty.h"

#define CONTROL(letter) ((letter)&31)
#define DELETE 127
#define TTY_END 256

/* ---- What is written ---------------------------------------------------------------------------------------------- */
size_t tty_room(const struct tty *tty) {
  return TTY_OUT - (size_t)(tty->written - tty->sent);
}

#define TAB 8
#define CONTINUES(c) (((c)&0xc0) == 0x80) /* a byte of UTF-8 after the first of a character */

/* Where the cursor is, as far as one can tell from here; so that a tab can be taken back. */
static unsigned column_after(unsigned column, unsigned c) {
  if (c == '\n' || c == '\r')
    return 0;
  if (c == '\b')
    return column - (column > 0);
  if (c == '\t')
    return (column / TAB + 1) * TAB;
  return column + (c >= ' ' && !CONTINUES(c));
}

static void put(struct tty *tty, char c) {
  tty->out[tty->written++ % TTY_OUT] = c;
  tty->column = column_after(tty->column, (unsigned char)c);
}

/* What of it comes next that moves the cursor by one each, in one piece. */
static size_t put_plain(struct tty *tty, const char *text, size_t bytes) {
  size_t n = 0, at = tty->written % TTY_OUT, most = bytes < TTY_OUT - at ? bytes : TTY_OUT - at;
  for (char *to = tty->out + at; n < most && (unsigned char)(text[n] - ' ') <= DELETE - ' '; n++)
    to[n] = text[n];
  tty->written += n;
  tty->column += (unsigned)n;
  return n;
}

size_t tty_write(struct tty *tty, const char *text, size_t bytes) {
  size_t n = 0;
  while (n < bytes && tty_room(tty) >= 2) {
    size_t room = tty_room(tty) - 1, plain = put_plain(tty, text + n, bytes - n < room ? bytes - n : room);
    n += plain;
    if (plain)
      continue;
    if (text[n] == '\n')
      put(tty, '\r');
    put(tty, text[n++]);
  }
  return n;
}

size_t tty_pending(const struct tty *tty, const char **bytes) {
  size_t from = tty->sent % TTY_OUT, n = (size_t)(tty->written - tty->sent);
  *bytes = tty->out + from;
  return n < TTY_OUT - from ? n : TTY_OUT - from;
}

void tty_sent(struct tty *tty, size_t bytes) {
  tty->sent += bytes;
}

/* ---- What is typed ------------------------------------------------------------------------------------------------ */
/* An echo that finds no room is no loss: the line itself is kept. */
static void echo(struct tty *tty, const char *text) {
  while (*text)
    tty_write(tty, text++, 1);
}

static void echo_typed(struct tty *tty, unsigned c) {
  if (tty->mode & POSIX_TERMINAL_QUIET || tty->typed <= tty->echoed)
    return;
  if (c < ' ' && c != '\n' && c != '\t')
    echo(tty, (char[]){'^', (char)(c + '@'), 0});
  else if (c && c != TTY_END)
    echo(tty, (char[]){(char)c, 0});
}

static uint16_t last(const struct tty *tty) {
  return tty->in[(tty->typed - 1) % TTY_IN];
}

/* Columns that the last character takes: a tab goes on to the next multiple of 8, from where the others end. */
static unsigned width(const struct tty *tty) {
  unsigned column = tty->start, before = column;
  for (uint64_t i = tty->lines; i < tty->typed; i++) {
    unsigned c = tty->in[i % TTY_IN];
    if (!CONTINUES(c))
      before = column;
    column = c < ' ' && c != '\t' ? column + 2 : column_after(column, c);
  }
  return column - before;
}

/* Takes back one character: of UTF-8, its first byte and those that continue it. */
static void erase(struct tty *tty) {
  uint16_t c;
  for (unsigned columns = tty->mode & POSIX_TERMINAL_QUIET ? 0 : width(tty); columns; columns--)
    echo(tty, last(tty) == '\t' ? "\b" : "\b \b");
  do
    c = last(tty), tty->typed--;
  while (CONTINUES(c) && tty->typed > tty->lines);
}

static bool blank(uint16_t c) {
  return c == ' ' || c == '\t';
}

static void erase_word(struct tty *tty) {
  while (tty->typed > tty->lines && blank(last(tty)))
    erase(tty);
  while (tty->typed > tty->lines && !blank(last(tty)))
    erase(tty);
}

static enum tty_event add(struct tty *tty, uint16_t c, bool ends) {
  bool too_long = !ends && tty->typed - tty->lines >= POSIX_LINE - 1;
  if (too_long ||
      tty->typed - tty->read >= (ends ? TTY_IN : TTY_IN - 1)) { /* a place is kept for the end of the line */
    tty->dropped++;
    echo(tty, "\a");
    return TTY_NOTHING;
  }
  if (tty->typed == tty->lines)
    tty->start = tty->column;
  tty->in[tty->typed++ % TTY_IN] = c;
  echo_typed(tty, c);
  if (!ends)
    return TTY_NOTHING;
  tty->lines = tty->typed;
  return TTY_LINE;
}

static enum tty_event interrupt(struct tty *tty) {
  tty->read = tty->lines = tty->typed;
  echo(tty, "^C\n");
  return TTY_INTERRUPT;
}

static enum tty_event line_typed(struct tty *tty, unsigned char c) {
  switch (c) {
  case CONTROL('D'): /* what is typed so far is a line; if that is nothing, it is the end of input */
    return add(tty, TTY_END, true);
  case CONTROL('U'):
    while (tty->typed > tty->lines)
      erase(tty);
    return TTY_NOTHING;
  case CONTROL('W'):
    erase_word(tty);
    return TTY_NOTHING;
  case DELETE:
  case '\b':
    if (tty->typed > tty->lines)
      erase(tty);
    return TTY_NOTHING;
  case '\r':
  case '\n':
    return add(tty, '\n', true);
  default:
    return add(tty, c, false);
  }
}

/* A place is kept for the end of a line, which is wanted if the mode changes. */
static enum tty_event raw_typed(struct tty *tty, unsigned char c) {
  if (tty->typed - tty->read >= TTY_IN - 1) {
    tty->dropped++;
    return TTY_NOTHING;
  }
  tty->in[tty->typed++ % TTY_IN] = c == '\r' ? '\n' : c;
  echo_typed(tty, c == '\r' ? '\n' : c);
  if (!(tty->mode & POSIX_TERMINAL_QUIET) && tty->echoed + 1 == tty->typed)
    tty->echoed = tty->typed;
  tty->lines = tty->typed;
  return TTY_LINE;
}

enum tty_event tty_typed(struct tty *tty, unsigned char c) {
  if (c == CONTROL('C') && !(tty->mode & POSIX_TERMINAL_PLAIN))
    return interrupt(tty);
  return tty->mode & POSIX_TERMINAL_RAW ? raw_typed(tty, c) : line_typed(tty, c);
}

/* In place: no byte becomes more than one. */
static void retype(struct tty *tty) {
  uint64_t end = tty->typed, echoed = tty->echoed;
  tty->typed = tty->lines = tty->read;
  for (uint64_t i = tty->read; i < end; i++) {
    uint16_t c = tty->in[i % TTY_IN];
    tty->echoed = i < echoed ? tty->typed + 1 : tty->read;
    if (c == TTY_END)
      add(tty, TTY_END, true);
    else
      line_typed(tty, (unsigned char)c);
  }
  tty->echoed = tty->read;
}

bool tty_set_mode(struct tty *tty, unsigned mode) {
  bool was_raw = tty->mode & POSIX_TERMINAL_RAW, raw = mode & POSIX_TERMINAL_RAW;
  if (!(tty->mode & POSIX_TERMINAL_QUIET) && !was_raw)
    tty->echoed = tty->typed;
  tty->mode = mode;
  if (raw)
    tty->lines = tty->typed;
  else if (was_raw)
    retype(tty);
  else if (!(mode & POSIX_TERMINAL_QUIET))
    tty->echoed = tty->read;
  return tty->read < tty->lines;
}

/* In raw mode the end of input is the byte that makes it. A line's end is a read's end there, too: whoever edits lines does not
 * take what is typed for whoever reads next. */
static size_t peek_raw(const struct tty *tty, char *to, size_t bytes) {
  size_t n = 0;
  while (n < bytes && tty->read + n < tty->lines) {
    uint16_t c = tty->in[(tty->read + n) % TTY_IN];
    to[n++] = c == TTY_END ? CONTROL('D') : (char)c;
    if (c == '\n')
      break;
  }
  return n;
}

bool tty_peek(const struct tty *tty, char *to, size_t bytes, size_t *got) {
  size_t n = 0;
  bool end = false;
  if (tty->mode & POSIX_TERMINAL_RAW) {
    *got = peek_raw(tty, to, bytes);
    return tty->read < tty->lines;
  }
  for (; n < bytes && tty->read + n < tty->lines && !end; n++) {
    uint16_t c = tty->in[(tty->read + n) % TTY_IN];
    if (c == TTY_END)
      break;
    to[n] = (char)c;
    end = c == '\n';
  }
  *got = n;
  return tty->read < tty->lines;
}

/* The end that Ctrl-D makes of a line that is not empty goes with the line's last byte. */
void tty_consume(struct tty *tty, size_t got) {
  tty->read += got;
  if (tty->mode & POSIX_TERMINAL_RAW)
    return;
  bool whole = got && tty->in[(tty->read - 1) % TTY_IN] == '\n';
  if (!whole && tty->read < tty->lines && tty->in[tty->read % TTY_IN] == TTY_END)
    tty->read++;
}
