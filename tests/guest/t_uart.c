/* SPDX-License-Identifier: BSD-2-Clause */
/* The UART driver, from the place of the server above it: serve=uart serve=t_uart. Nothing is typed here. */
#include <errno.h>
#include <quire/uart.h>
#include <string.h>

#include "tap.h"

static int64_t ask(struct q_call *c) {
  CHECK_EQ(q_call(P_HANDLE_BELOW, c), 0);
  return (int64_t)c->label;
}

static uint64_t sent(void) {
  struct q_call c = {.label = UART_stats};
  CHECK_EQ(ask(&c), 0);
  CHECK_EQ(c.word[0] + c.word[1] + c.word[2], 0); /* nobody types */
  return c.word[3];
}

/* Whoever waits for the room that a dead driver promised would wait for ever. */
static void tells_that_it_has_begun(void) {
  struct q_received m;
  q_recv(P_HANDLE_OWN, &m);
  CHECK_EQ(m.kind, Q_MSG_NOTIFY);
  CHECK_EQ(m.word[0], P_BIT_BELOW);
}

static void unknown_requests(void) {
  char byte = 0;
  for (uint64_t label = 0; label <= 300; label++)
    if (!label || label > UART_stats) {
      struct q_call c = {.label = label, .word = {~0ul, 1, 2, 3}, .read = &byte, .read_bytes = 1, .write = &byte};
      CHECK_EQ(ask(&c), ENOSYS);
    }
  CHECK_EQ(byte, 0);
}

static void bad_buffers(void) {
  static const uint64_t places[] = {0, 8, P_STACK_BASE, Q_USER_TOP, 0xffffffff80000000, ~0ul};
  uint64_t before = sent();
  for (unsigned i = 0; i < sizeof places / sizeof *places; i++) {
    struct q_call c = {.label = UART_write, .read = (void *)places[i], .read_bytes = 1};
    CHECK_EQ(ask(&c), EFAULT);
    c = (struct q_call){.label = UART_write, .read = (void *)places[i], .read_bytes = ~0ul};
    CHECK_EQ(ask(&c), EFAULT);
    c = (struct q_call){.label = UART_write, .read = (void *)places[i]};
    CHECK_EQ(ask(&c), 0);
    CHECK_EQ(c.word[0], 0);
    c = (struct q_call){.label = UART_read, .write = (void *)places[i], .write_bytes = 1};
    CHECK_EQ(ask(&c), 0); /* there is nothing to read */
    CHECK_EQ(c.word[0], 0);
  }
  CHECK_EQ(sent(), before);
}

/* All of a long text comes out, however little is taken at a time, and each byte once. */
static void more_than_it_holds(void) {
  static char text[4 * UART_OUTPUT];
  for (unsigned i = 0; i < sizeof text; i += 64) {
    memset(text + i, '.', 64);
    memcpy(text + i, "# ", 2);
    memcpy(text + i + 62, "\r\n", 2);
  }
  uint64_t done = 0, before = sent();
  while (done < sizeof text) {
    struct q_call c = {.label = UART_write, .read = text + done, .read_bytes = sizeof text - done};
    CHECK_EQ(ask(&c), 0);
    CHECK(c.word[0] <= UART_OUTPUT);
    done += c.word[0];
    if (done < sizeof text) {
      struct q_received m;
      q_recv(P_HANDLE_OWN, &m); /* it says when there is room */
      CHECK_EQ(m.word[0], P_BIT_BELOW);
    }
  }
  for (unsigned i = 0; i < 100 && sent() < before + sizeof text; i++)
    q_sleep_until(q_time() + 100000);
  CHECK_EQ(sent(), before + sizeof text);
}

static const struct test tests[] = {
    {"it tells that it has begun", tells_that_it_has_begun},
    {"unknown requests", unknown_requests},
    {"bad buffers", bad_buffers},
    {"more than it holds", more_than_it_holds},
};

/* Nobody's log goes through the driver meanwhile: what it has sent is counted. */
void tap_before(bool first) {
  (void)first;
}
void tap_after(void) {
}

int main(void) {
  return TAP_RUN("uart", tests);
}
