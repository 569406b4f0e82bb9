/* SPDX-License-Identifier: BSD-2-Clause */
/* See tty.h. */
#include "tty.h"

#define CONTROL(letter) ((letter)&31)
#define DELETE 127
#define TTY_END 256

/* ---- What is written ---------------------------------------------------------------------------------------------- */
static size_t room(const struct tty *tty) {
  return TTY_OUT - (size_t)(tty->written - tty->sent);
}

bool tty_room(const struct tty *tty) {
  return room(tty) >= 2; /* a newline takes two */
}

static void put(struct tty *tty, char c) {
  tty->out[tty->written++ % TTY_OUT] = c;
}

size_t tty_write(struct tty *tty, const char *text, size_t bytes) {
  size_t n = 0;
  for (; n < bytes && tty_room(tty); n++) {
    if (text[n] == '\n')
      put(tty, '\r');
    put(tty, text[n]);
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
  if (c < ' ' && c != '\n' && c != '\t')
    echo(tty, (char[]){'^', (char)(c + '@'), 0});
  else if (c && c != TTY_END)
    echo(tty, (char[]){(char)c, 0});
}

static uint16_t last(const struct tty *tty) {
  return tty->in[(tty->typed - 1) % TTY_IN];
}

/* Takes back one character: of UTF-8, its first byte and those that continue it. */
static void erase(struct tty *tty) {
  uint16_t c;
  do
    c = last(tty), tty->typed--;
  while ((c & 0xc0) == 0x80 && tty->typed > tty->lines);
  echo(tty, c < ' ' && c != '\t' ? "\b \b\b \b" : "\b \b");
}

static void erase_word(struct tty *tty) {
  while (tty->typed > tty->lines && last(tty) == ' ')
    erase(tty);
  while (tty->typed > tty->lines && last(tty) != ' ')
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

enum tty_event tty_typed(struct tty *tty, unsigned char c) {
  bool line = tty->typed > tty->lines;
  switch (c) {
  case CONTROL('C'):
    return interrupt(tty);
  case CONTROL('D'): /* what is typed so far is to be read now; if that is nothing, it is the end of input */
    if (!line)
      return add(tty, TTY_END, true);
    tty->lines = tty->typed;
    return TTY_LINE;
  case CONTROL('U'):
    while (tty->typed > tty->lines)
      erase(tty);
    return TTY_NOTHING;
  case CONTROL('W'):
    erase_word(tty);
    return TTY_NOTHING;
  case DELETE:
  case '\b':
    if (line)
      erase(tty);
    return TTY_NOTHING;
  case '\r':
  case '\n':
    return add(tty, '\n', true);
  default:
    return add(tty, c, false);
  }
}

bool tty_peek(const struct tty *tty, char *to, size_t bytes, size_t *got) {
  size_t n = 0;
  bool end = false;
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

void tty_consume(struct tty *tty, size_t got) {
  tty->read += got ? got : tty->in[tty->read % TTY_IN] == TTY_END;
}
