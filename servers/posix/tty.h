/* SPDX-License-Identifier: BSD-2-Clause */
/* The line discipline of a terminal (POSIX.1-2017, chapter 11): what is typed becomes lines, or in raw mode bytes, and what is
 * written becomes bytes for the device. Makes no calls, so that the host's tests drive it too. */
#ifndef TTY_H
#define TTY_H

#include <quire/posix.h>
#include <stdbool.h>
#include <stddef.h>

#define TTY_IN 4096
#define TTY_OUT 16384

struct tty {
  uint16_t in[TTY_IN];         /* bytes, or TTY_END: typed as Ctrl-D, it ends a line, or the input */
  uint64_t read, lines, typed; /* positions only grow: read up to, whole lines up to, the line being typed up to */
  uint64_t echoed;             /* in raw mode: up to here it was when it was typed, in canonical mode */
  unsigned mode;               /* POSIX_TERMINAL_* */
  char out[TTY_OUT];
  uint64_t sent, written;
  unsigned column, start; /* of the cursor; where the line being typed began */
  uint64_t dropped;       /* bytes typed for which there was no room */
};

/* What nobody has read yet becomes bytes (raw mode), or is taken as if it were typed now, but shown only once (canonical
 * mode). True: there may be more to read. */
bool tty_set_mode(struct tty *tty, unsigned mode);

enum tty_event { TTY_NOTHING, TTY_LINE, TTY_INTERRUPT };

/* A byte was typed. LINE: there is more to read. INTERRUPT (Ctrl-C): all that was typed is forgotten. */
enum tty_event tty_typed(struct tty *tty, unsigned char c);
/* Copies up to `bytes` of the oldest line, or in raw mode of all that is there, to `to`, which tty_consume() then takes away. False: there is no whole line.
 * *got 0: the end of input, which is taken away too. */
bool tty_peek(const struct tty *tty, char *to, size_t bytes, size_t *got);
void tty_consume(struct tty *tty, size_t got);
size_t tty_room(const struct tty *tty);                            /* bytes; a newline takes two */
size_t tty_write(struct tty *tty, const char *text, size_t bytes); /* bytes for which there was room */
/* The oldest bytes for the device, in one piece; tty_sent() takes them away. */
size_t tty_pending(const struct tty *tty, const char **bytes);
void tty_sent(struct tty *tty, size_t bytes);
#endif
