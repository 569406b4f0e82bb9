/* SPDX-License-Identifier: BSD-2-Clause */
/* The line discipline under any typing, reading, writing and sending, against a second implementation that holds a list of
 * lines (POSIX.1-2017, 11.1.6 and 11.1.9), and against a terminal of one row: what it shows must be what was typed. In raw mode the second holds bytes. */
#include "tty.h"

#include <stdlib.h>
#include <string.h>

#define MUST(condition)                                                                                              \
  do {                                                                                                               \
    if (!(condition))                                                                                                \
      abort();                                                                                                       \
  } while (0)

#define CTRL(letter) ((letter)&31)
#define ROW 32768

/* ---- The second implementation -------------------------------------------------------------------------------------- */
struct line {
  char text[POSIX_LINE];
  unsigned bytes, read;
  bool marked; /* ended by Ctrl-D, which takes a place too */
};
static struct line lines[TTY_IN], now; /* whole ones, oldest first; the one being typed */
static unsigned count;
static uint64_t dropped;

static unsigned places(void) {
  unsigned sum = now.bytes;
  for (unsigned i = 0; i < count; i++)
    sum += lines[i].bytes - lines[i].read + lines[i].marked;
  return sum;
}

static void take_character(void) {
  while (now.bytes && (now.text[--now.bytes] & 0xc0) == 0x80)
    ;
}

static bool ends_blank(void) {
  return now.text[now.bytes - 1] == ' ' || now.text[now.bytes - 1] == '\t';
}

static void take_word(void) {
  while (now.bytes && ends_blank())
    take_character();
  while (now.bytes && !ends_blank())
    take_character();
}

static void end_line(bool marked) {
  if (places() == TTY_IN) {
    dropped++;
    return;
  }
  if (!marked)
    now.text[now.bytes++] = '\n';
  now.marked = marked;
  lines[count++] = now;
  now.bytes = 0;
}

static void add(char c) {
  if (now.bytes == POSIX_LINE - 1 || places() >= TTY_IN - 1)
    dropped++;
  else
    now.text[now.bytes++] = c;
}

static char flat[TTY_IN]; /* in raw mode, instead of lines */
static unsigned flat_bytes, mode;

static unsigned readable(void) {
  return mode & POSIX_TERMINAL_RAW ? flat_bytes : count;
}

static void model_line_typed(unsigned char c);

static void model_typed(unsigned char c) {
  if (c == CTRL('C') && !(mode & POSIX_TERMINAL_PLAIN))
    count = now.bytes = flat_bytes = 0;
  else if (!(mode & POSIX_TERMINAL_RAW))
    model_line_typed(c);
  else if (flat_bytes >= TTY_IN - 1)
    dropped++;
  else
    flat[flat_bytes++] = c == '\r' ? '\n' : (char)c;
}

static void flatten(const struct line *line) {
  memcpy(flat + flat_bytes, line->text + line->read, line->bytes - line->read);
  flat_bytes += line->bytes - line->read;
  if (line->marked)
    flat[flat_bytes++] = CTRL('D');
}

static void model_mode(unsigned wanted) {
  bool was = mode & POSIX_TERMINAL_RAW, raw = wanted & POSIX_TERMINAL_RAW;
  mode = wanted;
  if (raw && !was) {
    now.marked = false;
    for (unsigned i = 0; i < count; i++)
      flatten(&lines[i]);
    flatten(&now);
    count = now.bytes = 0;
  }
  for (unsigned i = 0; was && !raw && i < flat_bytes; i++)
    model_line_typed((unsigned char)flat[i]);
  flat_bytes = raw ? flat_bytes : 0;
}

static void model_line_typed(unsigned char c) {
  if (c == CTRL('D'))
    end_line(true);
  else if (c == '\r' || c == '\n')
    end_line(false);
  else if (c == CTRL('U'))
    now.bytes = 0;
  else if (c == CTRL('W'))
    take_word();
  else if (c == '\b' || c == 127)
    take_character();
  else
    add((char)c);
}

static bool model_read_flat(char *to, size_t bytes, size_t *got) {
  for (*got = 0; *got < bytes && *got < flat_bytes; ++*got)
    if ((to[*got] = flat[*got]) == '\n') {
      ++*got;
      break;
    }
  flat_bytes -= *got;
  memmove(flat, flat + *got, flat_bytes);
  return *got;
}

static bool model_read(char *to, size_t bytes, size_t *got) {
  if (mode & POSIX_TERMINAL_RAW)
    return model_read_flat(to, bytes, got);
  if (!count)
    return false;
  size_t left = lines[0].bytes - lines[0].read;
  *got = bytes < left ? bytes : left;
  memcpy(to, lines[0].text + lines[0].read, *got);
  lines[0].read += *got;
  if (*got == left)
    memmove(lines, lines + 1, --count * sizeof *lines);
  return true;
}

/* ---- A terminal of one row ------------------------------------------------------------------------------------------ */
struct row {
  char cell[ROW];       /* of a character of UTF-8, its first byte */
  unsigned cursor, end; /* from there on, all is blank */
};
static struct row screen, wanted,
    prompt;       /* what is shown; what should be; and what it shows before the line being typed */
static bool sure; /* nothing was written into the line being typed, and no echo was lost */

static void show(struct row *row, char c) {
  if (c == '\n' || c == '\r')
    row->cursor = 0;
  else if (c == '\b')
    row->cursor -= row->cursor > 0;
  else if (c == '\t')
    row->cursor = row->cursor / 8 * 8 + 8;
  else if ((unsigned char)c >= ' ' && (c & 0xc0) != 0x80)
    row->cell[row->cursor++] = c;
  if (c == '\n')
    memset(row->cell, ' ', row->end), row->end = 0;
  row->end = row->cursor > row->end ? row->cursor : row->end;
  MUST(row->end < ROW - 8);
}

static void copy_row(struct row *to, const struct row *from) {
  unsigned end = to->end > from->end ? to->end : from->end;
  memcpy(to->cell, from->cell, end);
  to->cursor = from->cursor;
  to->end = from->end;
}

static bool same_row(const struct row *a, const struct row *b) {
  return a->cursor == b->cursor && !memcmp(a->cell, b->cell, a->end > b->end ? a->end : b->end);
}

static void check_screen(void) {
  if (!sure)
    return;
  copy_row(&wanted, &prompt);
  for (unsigned i = 0; i < now.bytes; i++) {
    char c = now.text[i];
    if ((unsigned char)c < ' ' && c != '\t')
      show(&wanted, '^'), c += '@';
    show(&wanted, c);
  }
  MUST(same_row(&wanted, &screen));
}

/* ---- Steps ---------------------------------------------------------------------------------------------------------- */
static struct tty tty;
static uint64_t seen; /* output looked at */

static size_t space_left(void) {
  return TTY_OUT - (size_t)(tty.written - tty.sent);
}

static void look(void) {
  MUST(tty.written - tty.sent <= TTY_OUT && seen <= tty.written);
  for (; seen < tty.written; seen++)
    show(&screen, tty.out[seen % TTY_OUT]);
}

static void type(unsigned char c) {
  sure = sure &&
         space_left() > 8 * POSIX_LINE; /* taking back a line of control characters: 3 bytes for each of 2 columns */
  unsigned before = readable();
  enum tty_event event = tty_typed(&tty, c);
  model_typed(c);
  MUST((event == TTY_INTERRUPT) == (c == CTRL('C') && !(mode & POSIX_TERMINAL_PLAIN)));
  MUST((event == TTY_LINE) == (readable() > before));
  look();
  sure = !mode && (sure || (event && !screen.cursor));
  if (event) /* after Ctrl-D the next line begins where this one ended */
    copy_row(&prompt, &screen);
  MUST(tty.dropped == dropped);
}

static void read_some(size_t bytes, unsigned char more) {
  static char got[POSIX_LINE], again[POSIX_LINE], expected[POSIX_LINE];
  size_t n = 0, m = 0, k = 0;
  bytes = bytes % POSIX_LINE + 1;
  bool any = tty_peek(&tty, got, bytes, &n);
  if (more % 4 == 0 && more != CTRL('C'))
    type(more); /* while the bytes are on their way to the reader */
  if (any) {
    MUST(tty_peek(&tty, again, bytes, &m) && (m == n || (mode & POSIX_TERMINAL_RAW && m > n)) &&
         !memcmp(got, again, n));
    tty_consume(&tty, n);
    MUST(model_read(expected, mode & POSIX_TERMINAL_RAW ? n : bytes, &k) && k == n && !memcmp(got, expected, n));
  }
  MUST(tty_peek(&tty, again, 1, &m) == (readable() > 0));
}

static void write_some(const char *text, size_t bytes) {
  static char expected[2 * TTY_OUT];
  size_t n = 0, length = 0, room = space_left();
  for (; n < bytes && room - length >= 2; n++) {
    if (text[n] == '\n')
      expected[length++] = '\r';
    expected[length++] = text[n];
  }
  uint64_t from = tty.written;
  MUST(tty_write(&tty, text, bytes) == n && tty.written - from == length);
  for (size_t i = 0; i < length; i++)
    MUST(tty.out[(from + i) % TTY_OUT] == expected[i]);
  MUST(tty_room(&tty) == space_left());
  look();
  sure = sure && (!now.bytes || !n);
  if (!now.bytes)
    copy_row(&prompt, &screen);
}

static void send(size_t bytes) {
  const char *from;
  size_t n = tty_pending(&tty, &from);
  MUST((n != 0) == (tty.sent != tty.written) && n <= tty.written - tty.sent);
  MUST(from >= tty.out && from + n <= tty.out + TTY_OUT);
  MUST(!n || (from == tty.out + tty.sent % TTY_OUT));
  tty_sent(&tty, bytes < n ? bytes : n);
}

static void send_all(void) {
  while (tty.sent != tty.written)
    send(TTY_OUT);
}

/* A terminal that showed nothing, or what others wrote, is not compared until a line begins. */
static void set_mode(unsigned wanted) {
  model_mode(wanted);
  MUST(tty_set_mode(&tty, wanted) == (readable() > 0));
  look();
  sure = false;
  MUST(tty.dropped == dropped);
}

/* ---- Named: each a hazard --------------------------------------------------------------------------------------------- */
static void start(void) {
  memset(&tty, 0, sizeof tty);
  show(&screen, '\n');
  show(&prompt, '\n');
  count = now.bytes = flat_bytes = mode = 0;
  dropped = seen = 0;
  sure = true;
}

static void type_all(const char *text) {
  while (*text)
    type((unsigned char)*text++);
  send_all();
}

static void expect_read(size_t bytes, const char *text) {
  char got[POSIX_LINE];
  size_t n;
  MUST(tty_peek(&tty, got, bytes, &n) && n == strlen(text) && !memcmp(got, text, n));
  read_some(bytes - 1, 1);
}

static void expect_nothing(void) {
  char got[1];
  size_t n;
  MUST(!tty_peek(&tty, got, 1, &n));
}

static void expect_row(const char *text) {
  check_screen();
  for (size_t i = 0; i < strlen(text) + 8; i++)
    MUST(screen.cell[i] == (i < strlen(text) ? text[i] : ' '));
  MUST(screen.cursor == strlen(text));
}

static void a_line_ended_by_ctrl_d_is_one_read(void) {
  start();
  type_all("half\4more\n");
  expect_read(100, "half");
  expect_read(100, "more\n");
  expect_nothing();
}

static void the_mark_of_a_line_is_no_end_of_input(void) {
  start();
  type_all("half\4");
  expect_read(2, "ha");
  expect_read(2, "lf");
  expect_nothing();
  type_all("half\4\4next\n\4");
  expect_read(100, "half");
  expect_read(100, "");
  expect_read(5, "next\n");
  expect_read(100, "");
  expect_nothing();
}

static void what_is_taken_back_is_gone_from_the_screen(void) {
  start();
  write_some("$ ", 2);
  type_all("a\tb\tc");
  expect_row("$ a     b       c");
  type_all("\177\177");
  expect_row("$ a     b");
  type_all("\177\177");
  expect_row("$ a");
  type_all("\1\33x\177\177");
  expect_row("$ a^A");
  type_all("\xc3\xa9\xe2\x82\xac");
  MUST(screen.cursor == 7);
  type_all("\177\177");
  expect_row("$ a^A");
  type_all(" one \ttwo\t \27\25");
  expect_row("$ ");
  type_all("\177\27\25\n");
  expect_read(100, "\n");
}

static void what_is_read_cannot_be_taken_back(void) {
  start();
  type_all("one\4\177\177\25\27two\n");
  expect_read(100, "one");
  expect_read(100, "two\n");
}

static void a_long_line_can_be_ended(void) {
  for (const char *end = "\n\4\r"; *end; end++) {
    char last = 0;
    start();
    for (unsigned i = 0; i < 3000; i++)
      type('x'), send_all();
    type((unsigned char)*end);
    MUST(dropped == 3000 - (POSIX_LINE - 1) && count == 1);
    for (size_t n; tty_peek(&tty, &last, 1, &n); tty_consume(&tty, n))
      MUST(n == 1);
    MUST(last == (*end == 4 ? 'x' : '\n'));
  }
}

static void full_buffers_lose_no_line(void) {
  char got[POSIX_LINE];
  size_t n, reads = 0;
  start();
  for (unsigned i = 0; i < TTY_IN; i++)
    type(i % 2 ? '\n' : '\4');
  type('\n');
  type('\4');
  type('x');
  MUST(dropped == 3 && count == TTY_IN);
  for (; tty_peek(&tty, got, sizeof got, &n); tty_consume(&tty, n))
    MUST(n == reads++ % 2);
  MUST(reads == TTY_IN);
}

static void a_line_that_fills_the_buffer_can_be_ended(void) {
  for (const char *end = "\n\4"; *end; end++) {
    start();
    for (unsigned i = 0; i < TTY_IN + 100; i++)
      type(i < TTY_IN / 2 ? '\n' : i % 1000 ? 'x' : '\n');
    unsigned before = count;
    type((unsigned char)*end);
    MUST(count == before + 1 && places() == TTY_IN);
  }
}

static void an_echo_without_room_is_no_loss(void) {
  static char flood[TTY_OUT];
  start();
  memset(flood, 'x', sizeof flood);
  MUST(tty_write(&tty, flood, sizeof flood) == sizeof flood - 1);
  for (const char *c = "kept\n"; *c; c++)
    MUST(tty_typed(&tty, (unsigned char)*c) == (*c == '\n' ? TTY_LINE : TTY_NOTHING));
  MUST(tty_peek(&tty, flood, sizeof flood, &(size_t){0}) && !memcmp(flood, "kept\n", 5));
}

static void interrupts_forget(void) {
  start();
  type_all("one\ntwo\4three\3");
  expect_nothing();
  type_all("four\n");
  expect_read(100, "four\n");
}

static void a_line_being_typed_is_read_in_raw_mode(void) {
  start();
  type_all("one\nhalf");
  set_mode(POSIX_TERMINAL_RAW | POSIX_TERMINAL_QUIET);
  expect_read(100, "one\n"); /* not what follows the line */
  expect_read(2, "ha");
  expect_read(100, "lf");
  type_all("\177\4\25");
  expect_read(100, "\177\4\25");
  expect_nothing();
}

static void what_is_typed_ahead_is_edited_and_shown_when_lines_are_wanted(void) {
  start();
  type_all("x");
  set_mode(POSIX_TERMINAL_RAW | POSIX_TERMINAL_QUIET);
  type_all("ab\177c\nend\4open");
  expect_row("x");
  set_mode(0);
  expect_read(100, "xac\n");
  expect_read(100, "end");
  expect_nothing();
  MUST(screen.cursor == strlen("endopen") && !memcmp(screen.cell, "endopen", 7));
  set_mode(POSIX_TERMINAL_RAW);
  expect_read(100, "open");
  type_all("y");
  set_mode(0);
  MUST(screen.cursor == strlen("endopeny")); /* once */
  type_all("\n");
  expect_read(100, "y\n");
}

static void ctrl_c_can_be_a_byte(void) {
  start();
  set_mode(POSIX_TERMINAL_RAW | POSIX_TERMINAL_QUIET | POSIX_TERMINAL_PLAIN);
  type_all("a\3b");
  set_mode(0);
  type_all("\n");
  expect_read(100, "a\3b\n");
}

static void quiet_lines_are_edited_unseen(void) {
  start();
  set_mode(POSIX_TERMINAL_QUIET);
  type_all("sek\177cret\n");
  MUST(!screen.cursor && !screen.end);
  expect_read(100, "secret\n");
}

static void nul_is_a_byte(void) {
  char got[8];
  size_t n;
  start();
  type('a'), type(0), type(0), type(127), type('\n');
  MUST(tty_peek(&tty, got, sizeof got, &n) && n == 3 && !memcmp(got, "a\0\n", 3));
}

static void named(void) {
  a_line_ended_by_ctrl_d_is_one_read();
  the_mark_of_a_line_is_no_end_of_input();
  what_is_taken_back_is_gone_from_the_screen();
  what_is_read_cannot_be_taken_back();
  a_long_line_can_be_ended();
  full_buffers_lose_no_line();
  a_line_that_fills_the_buffer_can_be_ended();
  an_echo_without_room_is_no_loss();
  interrupts_forget();
  nul_is_a_byte();
  a_line_being_typed_is_read_in_raw_mode();
  what_is_typed_ahead_is_edited_and_shown_when_lines_are_wanted();
  ctrl_c_can_be_a_byte();
  quiet_lines_are_edited_unseen();
}

/* ---- Any -------------------------------------------------------------------------------------------------------------- */
/* An operation, a byte, and a number. Most are keys; some are a key held down. */
static void step(const uint8_t *op) {
  static const unsigned char keys[] = {CTRL('C'), CTRL('D'), CTRL('U'), CTRL('W'), '\r', '\n',
                                       '\b',      127,       '\t',      ' ',       0,    27};
  static char text[3 * 256];
  unsigned char c = op[0] & 8 ? op[1] : keys[op[1] % sizeof keys];
  if (op[0] >= 240) {
    set_mode(op[1] % 8);
    return;
  }
  switch (op[0] % 8) {
  case 0:
  case 1:
    return type(c);
  case 2:
    for (unsigned i = 0; i < op[2] * 5u; i++)
      type(c);
    return;
  case 3:
    for (unsigned i = 0; i < 8; i++)
      type("ab \xc3\xa9\t\1x"[(op[1] + i) % 8]);
    return;
  case 4:
    return read_some(op[1] % 8 ? op[1] : op[2] * 8u, op[2]);
  case 5:
    memset(text, op[1], sizeof text);
    return write_some(text, op[2] * 3u);
  case 6:
    return send(op[2] * 32u);
  default:
    return send_all();
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
  static bool done;
  if (!done) {
    memset(screen.cell, ' ', ROW), memset(prompt.cell, ' ', ROW), memset(wanted.cell, ' ', ROW);
    named();
    done = true;
  }
  start();
  for (size_t at = 0; at + 3 <= bytes && at < 300; at += 3) {
    step(data + at);
    check_screen();
    if (screen.cursor > ROW / 8)
      send_all(), write_some("\n", 1);
  }
  return 0;
}
