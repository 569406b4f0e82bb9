/* SPDX-License-Identifier: BSD-2-Clause */
/* Driver of a 16550-compatible UART (National Semiconductor PC16550D data sheet), and of the kernel's log, which goes out
 * between the lines of the server above. Knows nothing of what the bytes mean but where a line ends. */
#include <quire/proc.h>
#include <quire/uart.h>

#include <errno.h>
#include <stdbool.h>

enum { DATA, INTERRUPTS, FIFO, LINE_CONTROL, MODEM, STATUS }; /* registers, a byte each */
#define INTERRUPT_RECEIVE 1
#define INTERRUPT_SEND 2
#define FIFO_ENABLE_AND_CLEAR 7
#define LINE_8N1 3
#define MODEM_DTR_RTS_OUT2 11
#define STATUS_DATA 1
#define STATUS_OVERRUN 2
#define STATUS_ROOM 0x20 /* the FIFO is empty */
#define STATUS_IDLE 0x40 /* and so is the shift register */
#define FIFO_WORKS 0xc0  /* as the FIFO register reads then */

#define BIT_IRQ 1
#define BIT_LOG 2

struct ring {
  char *bytes;
  uint64_t size, read, written; /* positions only grow */
};
static char in_bytes[UART_INPUT], out_bytes[UART_OUTPUT];
static struct ring in = {in_bytes, sizeof in_bytes, 0, 0}, out = {out_bytes, sizeof out_bytes, 0, 0};
static volatile uint8_t *registers;
static q_handle irq, log_irq;
static uint64_t lost, overruns;
static unsigned burst;   /* bytes that the device takes when it has room */
static bool starved;     /* the server above was told that there is no room */
static bool log_waiting; /* something may be in the log */

static uint64_t ring_room(const struct ring *ring) {
  return ring->size - (ring->written - ring->read);
}

static void ring_put(struct ring *ring, char c) {
  ring->bytes[ring->written++ % ring->size] = c;
}

/* ---- The device --------------------------------------------------------------------------------------------------- */
/* Reading the register clears what it says of an overrun. */
static uint8_t status(void) {
  uint8_t now = registers[STATUS];
  overruns += (now & STATUS_OVERRUN) != 0;
  return now;
}

static void receive(void) {
  uint64_t before = in.written;
  while (status() & STATUS_DATA) {
    char c = (char)registers[DATA];
    if (ring_room(&in))
      ring_put(&in, c);
    else
      lost++;
  }
  if (in.written != before)
    q_notify(P_HANDLE_ABOVE, P_BIT_BELOW);
}

/* Sends what the device takes now, within bounds; it interrupts when it takes more. */
static void send(void) {
  uint64_t waiting = out.written - out.read, end = out.read + (waiting < UART_TURN ? waiting : UART_TURN);
  while (out.read != end && status() & STATUS_ROOM)
    for (unsigned i = 0; i < burst && out.read != end; i++)
      registers[DATA] = (uint8_t)out.bytes[out.read++ % out.size];
  registers[INTERRUPTS] = INTERRUPT_RECEIVE | (out.read != out.written ? INTERRUPT_SEND : 0);
}

static bool start_device(void) {
  struct q_call c = {.label = P_device};
  if (q_call(P_HANDLE_PAGER, &c) < 0 || c.label)
    return false;
  registers = (volatile uint8_t *)c.word[0];
  registers[INTERRUPTS] = 0;
  registers[LINE_CONTROL] = LINE_8N1;
  registers[FIFO] = FIFO_ENABLE_AND_CLEAR;
  burst = (registers[FIFO] & FIFO_WORKS) == FIFO_WORKS ? 16 : 1;
  registers[MODEM] = MODEM_DTR_RTS_OUT2;
  q_handle signal;
  if (q_handle_dup(P_HANDLE_OWN, Q_RIGHT_NOTIFY, BIT_IRQ | BIT_LOG, &signal) < 0 ||
      q_irq_create(P_HANDLE_MACHINE, c.word[2], signal, BIT_IRQ, &irq) < 0 ||
      q_irq_create(P_HANDLE_MACHINE, 0, signal, BIT_LOG, &log_irq) < 0)
    return false;
  registers[INTERRUPTS] = INTERRUPT_RECEIVE;
  return true;
}

/* ---- Output: of two sources, whose lines do not mix ------------------------------------------------------------------- */
enum source { ABOVE, LOG };
static enum source last_source;
static char last = '\n';
#define LOG_CHUNK 1024

static void begin(enum source source) {
  if (source != last_source && last != '\n') {
    ring_put(&out, '\r');
    ring_put(&out, '\n');
  }
  last_source = source;
}

static void put(char c) {
  ring_put(&out, c);
  last = c;
}

/* The log waits for the end of a line, or until all that was written before is sent. It leaves half of the room to the
 * server above, and its own lines get the carriage return that they lack. */
static bool log_may_go(void) {
  bool between = last == '\n' || last_source == LOG;
  return out.read == out.written || (between && ring_room(&out) >= UART_OUTPUT / 2 + 2 * LOG_CHUNK + 2);
}

static void send_log(void) {
  static char text[LOG_CHUNK];
  uint64_t got;
  while (log_waiting && log_may_go()) {
    if (q_machine_log(P_HANDLE_MACHINE, text, sizeof text, &got) < 0 || !got) {
      log_waiting = false;
      q_irq_ack(log_irq);
      return;
    }
    begin(LOG);
    for (uint64_t i = 0; i < got; i++) {
      if (text[i] == '\n')
        put('\r');
      put(text[i]);
    }
    send();
  }
}

static void go_on_sending(void) {
  send();
  send_log();
  if (!starved || ring_room(&out) < UART_OUTPUT / 2)
    return;
  starved = false;
  q_notify(P_HANDLE_ABOVE, P_BIT_BELOW);
}

/* ---- Requests: each is answered at once --------------------------------------------------------------------------------- */
static int do_write(const struct q_received *m, struct q_reply *r) {
  static char text[UART_OUTPUT];
  uint64_t room = ring_room(&out) - 2; /* begin() may take two */
  uint64_t n = m->read_bytes < room ? m->read_bytes : room, done;
  if (ring_room(&out) <= 2)
    n = 0;
  if (q_copy(m->token, Q_COPY_FROM, 0, text, n, &done) < 0)
    return EFAULT;
  if (n)
    begin(ABOVE);
  for (uint64_t i = 0; i < n; i++)
    put(text[i]);
  starved = starved || n < m->read_bytes;
  r->word[0] = n;
  return 0;
}

static int do_read(const struct q_received *m, struct q_reply *r) {
  static char text[UART_INPUT];
  uint64_t waiting = in.written - in.read, n = m->write_bytes < waiting ? m->write_bytes : waiting, done;
  for (uint64_t i = 0; i < n; i++)
    text[i] = in.bytes[(in.read + i) % in.size];
  if (q_copy(m->token, Q_COPY_TO, 0, text, n, &done) < 0)
    return EFAULT;
  in.read += n;
  r->word[0] = n;
  return 0;
}

static int do_stats(const struct q_received *m, struct q_reply *r) {
  (void)m;
  r->word[0] = in.written + lost;
  r->word[1] = lost;
  r->word[2] = overruns;
  r->word[3] = out.read;
  return 0;
}

typedef int handler(const struct q_received *m, struct q_reply *r);
static handler *const handlers[] = {
#define X(n, name) [n] = do_##name,
    UART_REQUESTS(X)
#undef X
};

static void answer(const struct q_received *m, struct q_reply *r) {
  bool known = m->label < sizeof handlers / sizeof *handlers && handlers[m->label];
  if (m->handle)
    q_handle_close(m->handle);
  r->label = (uint64_t)(known ? handlers[m->label](m, r) : ENOSYS);
  r->token = m->token;
}

static _Noreturn void close_down(void) {
  log_waiting = true;
  while (log_waiting || out.read != out.written || !(status() & STATUS_IDLE)) {
    send();
    send_log();
  }
  p_exit_now(0);
}

static void notified(uint64_t bits) {
  if (bits & BIT_IRQ) {
    receive();
    send();
    q_irq_ack(irq);
  }
  if (bits & BIT_LOG)
    log_waiting = true;
  if (bits & P_BIT_CLOSE)
    close_down();
}

int main(void) {
  struct q_received m;
  struct q_reply r = {0};
  if (!start_device())
    return 1;
  log_waiting = true;
  q_notify(P_HANDLE_ABOVE, P_BIT_BELOW); /* the driver before this one may have owed it */
  for (;;) {
    q_reply_recv(P_HANDLE_OWN, &r, &m);
    r = (struct q_reply){0};
    if (m.kind == Q_MSG_NOTIFY)
      notified(m.word[0]);
    else if (m.kind == Q_MSG_CALL)
      answer(&m, &r); /* the one who asked may die meanwhile: then the reply fails, and nobody misses it */
    go_on_sending();
  }
}
