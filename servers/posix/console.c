/* SPDX-License-Identifier: BSD-2-Clause */
/* The console: between the programs' reads and writes, the line discipline (tty.h) and the driver below. */
#include "file.h"

#include <errno.h>
#include <quire/uart.h>
#include <string.h>

#include "tty.h"

#define CHUNK POSIX_WHOLE

static struct tty tty;
static bool room_wanted;
bool console_busy;

/* A driver that dies is started again at the same endpoint, and what it was asked is asked again. False: there is none. */
static bool ask_driver(struct q_call *c) {
  struct q_call again = *c;
  int64_t error;
  while ((error = q_call(P_HANDLE_BELOW, c)) == -Q_E_DEAD)
    *c = again;
  return !error;
}

/* Without a driver, output goes to the log, whose reader puts in the carriage returns. */
static void give_log(const char *bytes, size_t n) {
  for (const char *end = bytes + n; bytes < end; bytes++) {
    const char *cr = memchr(bytes, '\r', (size_t)(end - bytes)), *stop = cr ? cr : end;
    q_machine_write(P_HANDLE_MACHINE, bytes, (size_t)(stop - bytes));
    bytes = stop;
  }
}

static size_t give_driver(const char *bytes, size_t n) {
  struct q_call c = {.label = UART_write, .read = bytes, .read_bytes = n};
  if (ask_driver(&c))
    return c.label ? 0 : c.word[0];
  give_log(bytes, n);
  return n;
}

void console_push(void) {
  const char *bytes;
  for (size_t n; (n = tty_pending(&tty, &bytes));) {
    size_t taken = give_driver(bytes, n);
    tty_sent(&tty, taken);
    if (taken < n)
      return;
  }
  console_busy = room_wanted;
}

void console_drain(void) {
  const char *bytes;
  for (console_push(); tty_pending(&tty, &bytes); console_push())
    q_sleep_until(q_time() + 1000);
}

static void typed(const char *bytes, size_t n) {
  console_busy = true;
  for (size_t i = 0; i < n; i++)
    if (tty_typed(&tty, (unsigned char)bytes[i]) == TTY_INTERRUPT)
      job_interrupt();
}

void console_event(void) {
  static char bytes[CHUNK];
  for (;;) {
    struct q_call c = {.label = UART_read, .write = bytes, .write_bytes = sizeof bytes};
    if (!ask_driver(&c) || c.label || !c.word[0])
      break;
    typed(bytes, c.word[0]);
    poll_changed();
    requests_wake(&input_queue);
    requests_run();
  }
}

bool console_ready(const struct process *reader) {
  char first;
  size_t got;
  return !in_foreground(reader) || tty_peek(&tty, &first, 1, &got); /* EIO is something, too */
}

static int console_read(struct request *q, struct q_reply *r) {
  static char line[POSIX_LINE];
  size_t got, most = q->m.write_bytes < sizeof line ? q->m.write_bytes : sizeof line;
  if (interrupted(q->caller))
    return EINTR;
  if (!in_foreground(q->caller))
    return EIO;
  if (!most)
    return 0;
  if (!tty_peek(&tty, line, most, &got))
    return wait_in(q, &input_queue);
  int error = store(q, line, got);
  if (error)
    return error;
  tty_consume(&tty, got);
  r->word[0] = got;
  return 0;
}

/* How much of a longer text goes out at once: whole lines if it has any, so that others' come between lines only. */
static size_t whole_lines(const char *text, size_t bytes) {
  size_t n = bytes;
  while (n && text[n - 1] != '\n')
    n--;
  return n ? n : bytes;
}

bool console_owes(void) {
  bool owes = room_wanted && tty_room(&tty) >= 2 * CHUNK;
  room_wanted = room_wanted && !owes;
  return owes;
}

/* A chunk goes out as one piece, and no more of them at once than there is room for: others are heard before it goes on. */
static int console_write(struct request *q, struct q_reply *r) {
  static char text[CHUNK];
  console_busy = true;
  if (!(tty.mode & POSIX_TERMINAL_RAW))
    interrupted(q->caller); /* Ctrl-C before a prompt is not meant for the read after it; one just after it is */
  else if (q->caller->interrupted && !q->progress)
    return EINTR; /* an echo of what the Ctrl-C took away; the read after it has to hear of that, too */
  while (q->progress < q->m.read_bytes) {
    uint64_t left = q->m.read_bytes - q->progress, n = left < sizeof text ? left : sizeof text;
    if (tty_room(&tty) < 2 * n) {
      room_wanted = true;
      return wait_in(q, &room_queue);
    }
    int error = load(q, q->progress, text, n);
    if (error)
      return error;
    q->progress += tty_write(&tty, text, n < left ? whole_lines(text, n) : n);
  }
  r->word[0] = q->progress;
  return 0;
}

const struct device console_device = {console_read, console_write};

int do_terminal(struct request *q, struct q_reply *r) {
  const struct file *file = file_of(q->caller, q->m.word[0]);
  uint64_t mode = q->m.word[1];
  if (!file)
    return EBADF;
  if (!file->inode || file->inode->device != &console_device)
    return ENOTTY;
  if (mode != POSIX_TERMINAL_ASK && mode > (POSIX_TERMINAL_RAW | POSIX_TERMINAL_QUIET | POSIX_TERMINAL_PLAIN))
    return EINVAL;
  if (mode != POSIX_TERMINAL_ASK && !in_foreground(q->caller))
    return EIO;
  r->word[0] = tty.mode;
  r->word[1] = foreground;
  console_busy = true; /* what was typed ahead may be shown now */
  if (mode == POSIX_TERMINAL_ASK)
    return 0;
  if (mode & POSIX_TERMINAL_RAW)
    interrupted(q->caller); /* a Ctrl-C before is not meant for what it reads then */
  if (tty_set_mode(&tty, (unsigned)mode)) {
    poll_changed();
    requests_wake(&input_queue);
  }
  return 0;
}

int do_console(struct request *q, struct q_reply *r) {
  (void)r;
  struct q_call c = {.label = UART_stats};
  if (!ask_driver(&c))
    return ENODEV;
  struct posix_console counts = {c.word[0], c.word[1], c.word[2], c.word[3], tty.dropped};
  return store(q, &counts, sizeof counts);
}
