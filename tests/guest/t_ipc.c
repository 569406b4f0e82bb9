/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages, badges, rights, handles, tokens, notifications; between threads of one program, which is enough for the
 * kernel: only t_copy's clients and the pager's need spaces of their own. */
#include "tap.h"

#include <string.h>

#define SETTLE 300000     /* ticks: 30 ms */
static q_handle endpoint; /* all rights */

/* A client thread: one call, whose result it leaves here. */
struct client {
  struct p_thread thread;
  q_handle endpoint;
  struct q_call call;
  volatile int64_t result;
  volatile bool begins, done;
};

static void client_main(void *argument) {
  struct client *client = argument;
  client->begins = true;
  client->result = q_call(client->endpoint, &client->call);
  client->done = true;
}

static void start(struct client *client, q_handle to, uint64_t label, q_handle passed) {
  memset(client, 0, sizeof *client);
  client->endpoint = to;
  client->call = (struct q_call){.label = label, .word = {label, 2, 3, 4}, .handle = passed};
  CHECK_EQ(p_thread_start(&client->thread, client_main, client, Q_PRIORITY_PROGRAM), 0);
}

/* It has come to its call when other threads have had a while for theirs. */
static void settle(struct client *client) {
  WAIT_FOR(client->begins);
  q_sleep_until(q_time() + SETTLE);
}

static void end(struct client *client) {
  WAIT_FOR(client->done);
  p_thread_free(&client->thread);
}

static q_handle with(unsigned rights, uint64_t badge) {
  q_handle handle = 0;
  CHECK_EQ(q_handle_dup(endpoint, rights, badge, &handle), 0);
  return handle;
}

static struct q_received receive(void) {
  struct q_received m;
  q_recv(endpoint, &m);
  return m;
}

static struct client a, b;

static void words_and_badge(void) {
  q_handle to = with(Q_RIGHT_SEND, 77);
  start(&a, to, 9, 0);
  struct q_received m = receive();
  CHECK_EQ(m.kind, Q_MSG_CALL);
  CHECK_EQ(m.label, 9);
  CHECK_EQ(m.badge, 77);
  CHECK(m.word[0] == 9 && m.word[1] == 2 && m.word[2] == 3 && m.word[3] == 4);
  struct q_reply r = {.label = 100, .word = {5, 6, 7, 8}, .token = m.token};
  CHECK_EQ(q_reply(&r), 0);
  end(&a);
  CHECK_EQ(a.result, 0);
  CHECK_EQ(a.call.label, 100);
  CHECK(a.call.word[0] == 5 && a.call.word[1] == 6 && a.call.word[2] == 7 && a.call.word[3] == 8);
  q_handle_close(to);
}

static void tokens_work_once(void) {
  start(&a, endpoint, 1, 0);
  struct q_received m = receive();
  struct q_reply r = {.token = m.token};
  for (unsigned bit = 0; bit < 64; bit++) {
    struct q_reply forged = {.token = m.token ^ 1ul << bit};
    CHECK_EQ(q_reply(&forged), forged.token ? -Q_E_TOKEN : 0);
  }
  CHECK_EQ(q_reply(&r), 0);
  CHECK_EQ(q_reply(&r), -Q_E_TOKEN);
  end(&a);
  CHECK_EQ(q_reply(&r), -Q_E_TOKEN);
  start(&b, endpoint, 1, 0); /* the same slot again has another token */
  struct q_received again = receive();
  CHECK(again.token != m.token);
  CHECK_EQ(q_reply(&r), -Q_E_TOKEN);
  CHECK_EQ(q_reply(&(struct q_reply){.token = again.token}), 0);
  end(&b);
}

static void out_of_order(void) {
  start(&a, endpoint, 1, 0);
  start(&b, endpoint, 2, 0);
  struct q_received first = receive(), second = receive();
  if (harts() > 1 && first.label == 2) { /* its hart was faster */
    struct q_received m = first;
    first = second, second = m;
  }
  CHECK(first.label == 1 && second.label == 2);
  CHECK_EQ(q_reply(&(struct q_reply){.label = 20, .token = second.token}), 0);
  end(&b);
  CHECK(!a.done);
  CHECK_EQ(q_reply(&(struct q_reply){.label = 10, .token = first.token}), 0);
  end(&a);
  CHECK(a.call.label == 10 && b.call.label == 20);
}

static void failed_reply_keeps_token(void) {
  start(&a, endpoint, 1, 0);
  struct q_received m = receive();
  struct q_reply bad = {.token = m.token, .handle = 0x7777}, good = {.token = m.token};
  struct q_received other;
  CHECK_EQ(q_reply(&bad), -Q_E_ARG);
  q_reply_recv(0x7777, &good, &other); /* the endpoint is decoded before the reply is done */
  CHECK_EQ(other.kind, -Q_E_HANDLE);
  CHECK(!a.done);
  CHECK_EQ(q_reply(&good), 0);
  end(&a);
}

static void handles_travel(void) {
  q_handle passed = with(Q_RIGHT_NOTIFY | Q_RIGHT_DUP, 6), none = with(Q_RIGHT_NOTIFY, 0);
  start(&a, endpoint, 1, none);
  end(&a);
  CHECK_EQ(a.result, -Q_E_ARG); /* may not be passed on */
  start(&a, endpoint, 1, passed);
  struct q_received m = receive();
  CHECK(m.handle && m.handle != passed);
  CHECK_EQ(q_notify(m.handle, 15), 0);
  struct q_received n = receive();
  CHECK(n.kind == Q_MSG_NOTIFY && n.word[0] == 6);
  CHECK_EQ(q_reply(&(struct q_reply){.token = m.token, .handle = passed}), 0);
  end(&a);
  CHECK(a.call.handle && a.call.handle != passed);
  q_handle_close(a.call.handle);
  q_handle_close(m.handle);
  CHECK_EQ(q_handle_close(m.handle), -Q_E_HANDLE);
  CHECK_EQ(q_notify(m.handle, 1), -Q_E_HANDLE);
  q_handle_close(passed);
  q_handle_close(none);
}

static void stale_handles(void) {
  q_handle old = with(Q_RIGHT_SEND, 1);
  q_handle_close(old);
  q_handle fresh = with(Q_RIGHT_SEND, 1);
  CHECK((old & 0xffff) == (fresh & 0xffff) && old != fresh); /* the same slot, a new generation */
  CHECK_EQ(q_handle_close(old), -Q_E_HANDLE);
  CHECK_EQ(q_handle_close(fresh), 0);
  CHECK_EQ(q_handle_close(0), -Q_E_HANDLE);
  CHECK_EQ(q_handle_close(~0ul), -Q_E_HANDLE);
}

/* A server takes a handle with each request, and can't serve for long if one used often enough is lost to it. */
static void slots_are_used_again(void) {
  q_handle first = with(Q_RIGHT_SEND, 1), handle = first;
  for (unsigned i = 0; i < 0x10010; i++) {
    q_handle_close(handle);
    if (q_handle_dup(endpoint, Q_RIGHT_SEND, 1, &handle) || (handle ^ first) & 0xffff || handle == first)
      break;
    if (i % 0x1000 == 0)
      CHECK_EQ(q_handle_close(first), -Q_E_HANDLE);
  }
  CHECK_EQ(handle - first, 0x10010ul << 16);
  CHECK_EQ(q_handle_close(handle | 1ul << 48), -Q_E_HANDLE);
  CHECK_EQ(q_handle_close(handle & 0xffffffff), -Q_E_HANDLE);
  CHECK_EQ(q_handle_close(handle), 0);
}

static void rights(void) {
  q_handle send = with(Q_RIGHT_SEND, 1), recv = with(Q_RIGHT_RECV, 1), copy;
  struct q_call c = {0};
  struct q_received m;
  CHECK_EQ(q_call(recv, &c), -Q_E_RIGHTS);
  q_recv(send, &m);
  CHECK_EQ(m.kind, -Q_E_RIGHTS);
  CHECK_EQ(q_notify(send, 1), -Q_E_RIGHTS);
  CHECK_EQ(q_handle_dup(send, Q_RIGHT_ALL, 0, &copy), -Q_E_RIGHTS);
  CHECK_EQ(q_handle_destroy(send), -Q_E_RIGHTS);
  CHECK_EQ(q_machine_off(P_HANDLE_MACHINE, 0), -Q_E_RIGHTS);
  CHECK_EQ(q_irq_create(P_HANDLE_MACHINE, 1, endpoint, 1, &copy), -Q_E_RIGHTS);
  CHECK_EQ(q_task_stop(P_HANDLE_TASK), -Q_E_RIGHTS);
  CHECK_EQ(q_call(P_HANDLE_TASK, &c), -Q_E_TYPE);
  CHECK_EQ(q_thread_create(endpoint, 1, &copy), -Q_E_TYPE);
  CHECK_EQ(q_map(endpoint, P_HANDLE_TASK, 0, 0, 1, 0), -Q_E_TYPE);
  CHECK_EQ(q_machine_write(endpoint, "", 1), -Q_E_TYPE);
  CHECK_EQ(q_irq_ack(P_HANDLE_TASK), -Q_E_TYPE);
  struct q_task_state state;
  CHECK_EQ(q_task_info(endpoint, &state), -Q_E_TYPE);
  CHECK_EQ(q_task_info(P_HANDLE_TASK, &state), 0);
  CHECK_EQ(state.threads, 1);
  CHECK_EQ(state.state, Q_STATE_READY);
  c.label = 1 << 16;
  CHECK_EQ(q_call(send, &c), -Q_E_ARG);
  q_handle_close(send);
  q_handle_close(recv);
}

/* A badge, once given, can't be changed by whoever holds the handle. */
static void badges_stay(void) {
  q_handle first = with(Q_RIGHT_NOTIFY | Q_RIGHT_DUP, 1), second;
  CHECK_EQ(q_handle_dup(first, Q_RIGHT_NOTIFY, 0xff, &second), 0);
  CHECK_EQ(q_notify(second, 0xff), 0);
  struct q_received m = receive();
  CHECK(m.kind == Q_MSG_NOTIFY && m.word[0] == 1);
  q_handle_close(first);
  q_handle_close(second);
}

static void notifications_gather(void) {
  q_handle signal = with(Q_RIGHT_NOTIFY, ~0ul);
  CHECK_EQ(q_notify(signal, 1), 0);
  CHECK_EQ(q_notify(signal, 4), 0);
  struct q_received m = receive();
  CHECK(m.kind == Q_MSG_NOTIFY && m.word[0] == 5);
  q_handle_close(signal);
}

static void endpoint_dies(void) {
  q_handle doomed;
  CHECK_EQ(q_endpoint_create(&doomed), 0);
  start(&a, doomed, 1, 0); /* will be held */
  struct q_received m;
  q_recv(doomed, &m);
  start(&b, doomed, 2, 0); /* will be queued */
  settle(&b);
  CHECK_EQ(q_handle_destroy(doomed), 0);
  end(&a);
  end(&b);
  CHECK(a.result == -Q_E_DEAD && b.result == -Q_E_DEAD);
  CHECK_EQ(q_reply(&(struct q_reply){.token = m.token}), -Q_E_TOKEN);
  CHECK_EQ(q_handle_close(doomed), -Q_E_HANDLE);
}

static void receiver_main(void *argument) {
  struct client *client = argument;
  struct q_received m;
  client->begins = true;
  q_recv(client->endpoint, &m);
  client->result = m.kind;
  client->done = true;
}

static void receiver_is_told(void) {
  q_handle doomed;
  CHECK_EQ(q_endpoint_create(&doomed), 0);
  memset(&a, 0, sizeof a);
  a.endpoint = doomed;
  CHECK_EQ(p_thread_start(&a.thread, receiver_main, &a, Q_PRIORITY_PROGRAM), 0);
  settle(&a);
  CHECK_EQ(q_handle_destroy(doomed), 0);
  end(&a);
  CHECK_EQ(a.result, -Q_E_DEAD);
}

static void caller_ended(void) {
  start(&a, endpoint, 1, 0);
  struct q_received m = receive();
  p_thread_free(&a.thread);
  CHECK_EQ(q_reply(&(struct q_reply){.token = m.token}), -Q_E_TOKEN);
}

/* Every call and operation, known or not, with arguments from a fixed sequence. The kernel stays up, and what a call
 * promises to keep it keeps: the program goes on to its end. Handles that could end it are left out. */
static int garbage_child(void) {
  uint64_t seed = 1;
  for (unsigned i = 0; i < 30000; i++) {
    uint64_t r[6];
    for (unsigned j = 0; j < 6; j++) {
      seed = seed * 6364136223846793005 + 1442695040888963407;
      unsigned shape = seed >> 60;
      r[j] = shape < 8 ? seed >> 56 : shape < 12 ? seed >> 33 : shape < 14 ? (uint64_t)r : seed;
    }
    uint64_t number = (seed >> 40) % 20;
    bool sleeps = number == Q_SYS_sleep || number == Q_SYS_reply_recv || number == Q_SYS_call;
    bool prints = number == Q_SYS_machine && r[1] == Q_machine_write;
    bool ends = (number == Q_SYS_task || number == Q_SYS_handle) && r[0] <= P_HANDLE_GIFT + 4;
    if (!sleeps && !prints && !ends)
      q_syscall(number, (struct q_args){r[0], r[1], r[2], r[3], r[4], r[5]});
  }
  return (int)q_null();
}

static void garbage(void) {
  struct p_death death = run_victim(ARGV("t_ipc", "garbage"));
  CHECK_EQ(death.reason, P_REASON_EXIT);
  CHECK_EQ(death.status, 0);
  CHECK_EQ(q_syscall(16, (struct q_args){0}).a0, -Q_E_CALL);
  CHECK_EQ(q_syscall(~0ul, (struct q_args){0}).a0, -Q_E_CALL);
  CHECK_EQ(q_syscall(Q_SYS_task, (struct q_args){0, 99}).a0, -Q_E_CALL);
}

static void registers_are_kept_and_scrubbed(void) {
  uint64_t kept, rest;
  __asm__ volatile(
      "li s2, 1234\n li s11, 5678\n li t0, 1\n li t3, 1\n li t6, 1\n li a2, 1\n li a6, 1\n li a7, 0\n ecall\n"
      "add %0, s2, s11\n or %1, t0, t3\n or %1, %1, t6\n or %1, %1, a2\n or %1, %1, a6\n or %1, %1, a7\n"
      "or %1, %1, t5\n or %1, %1, a5\n"
      : "=&r"(kept), "=&r"(rest)::"s2", "s11", "t0", "t1", "t2", "t3", "t4", "t5", "t6", "a0", "a1", "a2", "a3", "a4",
        "a5", "a6", "a7", "memory");
  CHECK_EQ(kept, 1234 + 5678);
  CHECK_EQ(rest, 0);
}

static const struct test tests[] = {
    {"words and badge arrive", words_and_badge},
    {"a token answers once; forged ones never", tokens_work_once},
    {"answers out of order", out_of_order},
    {"a failed reply keeps its token", failed_reply_keeps_token},
    {"handles travel both ways", handles_travel},
    {"stale handles are errors", stale_handles},
    {"slots of handles are used again and again", slots_are_used_again},
    {"rights and types are checked", rights},
    {"badges can't be changed", badges_stay},
    {"notifications gather", notifications_gather},
    {"callers of a dead endpoint are told", endpoint_dies},
    {"receivers of a dead endpoint are told", receiver_is_told},
    {"the caller has ended", caller_ended},
    {"30000 calls of garbage", garbage},
    {"registers are kept or scrubbed", registers_are_kept_and_scrubbed},
};

int main(int argc, char **argv) {
  (void)argv;
  if (argc > 1)
    return garbage_child();
  if (q_endpoint_create(&endpoint))
    return 1;
  return TAP_RUN("ipc", tests);
}
