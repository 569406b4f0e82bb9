/* SPDX-License-Identifier: BSD-2-Clause */
/* In the UART driver's place below the posix server: serve=driver:MODE. It prints what it is given, but takes little at a
 * time, and its thread says later that there is room. "mortal": it dies now and then instead of answering. "loop": it is
 * typed on, too: a line "@TEXT" that is written is not printed but comes back as input, where ^A to ^Z are control
 * characters and $ the end of a line; of the rest it prints only what the judge is to see. */
#include <quire/proc.h>
#include <quire/uart.h>

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define ROOM 700         /* bytes it takes at a time */
#define RECOVERY 3000    /* ticks until it takes as many again */
#define LONG_LIFE 250000 /* bytes that a mortal one prints */

static bool mortal, loop;
static volatile uint64_t room = ROOM;
static volatile bool starved;
static uint64_t printed;
static char typed[4096], line[4096];
static uint64_t in_read, in_written, line_used;

/* ---- What is printed --------------------------------------------------------------------------------------------------- */
static void print(const char *text, uint64_t bytes) { /* the kernel adds the carriage returns */
  static char plain[sizeof line];
  uint64_t n = 0;
  for (uint64_t i = 0; i < bytes; i++)
    if (text[i] != '\r')
      plain[n++] = text[i];
  q_machine_write(P_HANDLE_MACHINE, plain, n);
  printed += bytes;
}

static void type(char c) {
  typed[in_written++ % sizeof typed] = c;
}

static void type_line(const char *text, const char *end) {
  for (; text < end; text++)
    if (*text == '^' && text + 1 < end)
      type(*++text & 31);
    else
      type(*text == '$' ? '\n' : *text);
  q_notify(P_HANDLE_ABOVE, P_BIT_BELOW);
}

static _Noreturn void die(void) {
  for (;;)
    __asm__ volatile("ebreak");
}

static void line_written(void) {
  static const char *const shown[] = {"# ", "ok ", "not ok ", "1.."};
  if (line[0] == '@') {
    type_line(line + 1, line + line_used - 2); /* without the line's end, \r\n */
    return;
  }
  for (unsigned i = 0; i < sizeof shown / sizeof *shown; i++)
    if (!strncmp(line, shown[i], strlen(shown[i])))
      print(line, line_used);
}

static void look_at(const char *text, uint64_t bytes) {
  for (uint64_t i = 0; i < bytes; i++) {
    if (line_used < sizeof line)
      line[line_used++] = text[i];
    if (text[i] != '\n')
      continue;
    line_written();
    line_used = 0;
  }
}

/* ---- Requests ----------------------------------------------------------------------------------------------------------- */
static int do_write(const struct q_received *m, struct q_reply *r) {
  static char text[ROOM];
  uint64_t n = m->read_bytes < room ? m->read_bytes : room, done;
  if (mortal && printed > LONG_LIFE)
    die();
  if (q_copy(m->token, Q_COPY_FROM, 0, text, n, &done) < 0)
    return EFAULT;
  if (loop)
    look_at(text, n);
  else
    print(text, n);
  room -= n;
  starved = starved || n < m->read_bytes;
  r->word[0] = n;
  return 0;
}

static int do_read(const struct q_received *m, struct q_reply *r) {
  uint64_t n = 0, done;
  for (char c; n < m->write_bytes && in_read != in_written; n++) {
    c = typed[in_read++ % sizeof typed];
    if (q_copy(m->token, Q_COPY_TO, n, &c, 1, &done) < 0)
      return EFAULT;
  }
  r->word[0] = n;
  return 0;
}

static int do_stats(const struct q_received *m, struct q_reply *r) {
  (void)m;
  r->word[0] = in_read;
  r->word[3] = printed;
  return 0;
}

typedef int handler(const struct q_received *m, struct q_reply *r);
static handler *const handlers[] = {
#define X(n, name) [n] = do_##name,
    UART_REQUESTS(X)
#undef X
};

/* ---- The device that it does not have ------------------------------------------------------------------------------------- */
static void recover(void *argument) {
  (void)argument;
  for (;;) {
    q_sleep_until(q_time() + RECOVERY);
    room = ROOM;
    q_sleep_until(q_time() + RECOVERY); /* whoever asks meanwhile is before those who wait to be told */
    if (!starved)
      continue;
    starved = false;
    q_notify(P_HANDLE_ABOVE, P_BIT_BELOW);
  }
}

int main(int argc, char **argv) {
  static struct p_thread thread;
  struct q_received m;
  mortal = argc > 1 && !strcmp(argv[1], "mortal");
  loop = argc > 1 && !strcmp(argv[1], "loop");
  if (p_thread_start(&thread, recover, NULL, Q_PRIORITY_SERVER))
    return 1;
  q_notify(P_HANDLE_ABOVE, P_BIT_BELOW); /* to whom one that died had said to wait */
  for (;;) {
    struct q_reply r = {0};
    q_recv(P_HANDLE_OWN, &m);
    if (m.kind == Q_MSG_NOTIFY && m.word[0] & P_BIT_CLOSE)
      return 0;
    if (m.kind != Q_MSG_CALL)
      continue;
    bool known = m.label < sizeof handlers / sizeof *handlers && handlers[m.label];
    r.label = (uint64_t)(known ? handlers[m.label](&m, &r) : ENOSYS);
    r.token = m.token;
    q_reply(&r);
  }
}
