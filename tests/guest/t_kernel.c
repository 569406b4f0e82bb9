/* SPDX-License-Identifier: BSD-2-Clause */
/* The kernel's rules, met directly: this program takes the pager's place, makes spaces of its own and answers their faults
 * as no good pager would. */
#include <stdlib.h>
#include <string.h>

#include "authority.h"

#define CODE 0x10000ul
#define DATA_PAGE 0x200000ul
#define FRAME(n) (frames + (n)*4096ul)
#define RW (Q_PROT_READ | Q_PROT_WRITE)
#define RX (Q_PROT_READ | Q_PROT_EXECUTE)

extern const char client_start[], client_end[], client_illegal[], client_call_buffer[], client_after[],
    client_receive[], client_copy[], client_stop[];
_Noreturn void pager_main(const struct q_boot *info);
void __libc_init_array(void);

static const struct q_boot *boot;
static uint64_t frames; /* the first of many free ones, at a block's start */
static q_handle task, thread;
static struct q_info before;

static struct q_info info_now(void) {
  static struct q_info info __attribute__((aligned(512)));
  CHECK_EQ(q_machine_info(boot->machine, &info), 0);
  return info;
}

unsigned harts(void) {
  return (unsigned)boot->harts;
}

void tap_before(bool first) {
  (void)first;
  before = info_now();
}

void tap_after(void) {
  struct q_info after = info_now();
  CHECK_EQ(before.tasks + before.threads * 100 + before.endpoints * 10000,
           after.tasks + after.threads * 100 + after.endpoints * 10000);
  CHECK_EQ(before.handles, after.handles);
  CHECK_EQ(before.tables, after.tables);
  CHECK_EQ(before.pagers + before.irqs * 100, after.pagers + after.irqs * 100);
  CHECK_EQ(after.ram_frames, after.reserved_frames + after.kernel_frames + after.owned_frames + after.donated_pages);
}

static char *window(uint64_t frame) {
  return (char *)Q_WINDOW + frame;
}

static int64_t map(uint64_t va, uint64_t frame_prot) {
  return q_map(boot->pager, task, va, frame_prot, 1, 0);
}

/* A space with the client's code in frame 0, and a thread that is not started. */
static void make_client(uint64_t badge) {
  q_handle there;
  memcpy(window(FRAME(0)), client_start, (size_t)(client_end - client_start));
  CHECK_EQ(q_task_create(boot->pager, badge, 4, &task), 0);
  CHECK_EQ(q_task_give(task, boot->endpoint, Q_RIGHT_SEND, badge, &there), 0);
  CHECK_EQ(there, 1);
  CHECK_EQ(map(CODE, FRAME(0) | RX), 0);
  CHECK_EQ(q_thread_create(task, 3, &thread), 0);
}

static void run(const char *from, uint64_t argument) {
  CHECK_EQ(q_thread_start(thread, CODE + (uint64_t)(from - client_start), 0, argument), 0);
}

static void destroy_client(void) {
  CHECK_EQ(q_handle_destroy(task), 0);
  CHECK_EQ(q_handle_close(thread), -Q_E_HANDLE);
}

static struct q_received receive(void) {
  struct q_received m;
  q_recv(boot->endpoint, &m);
  return m;
}

/* Until the client's thread has done what brings it there. */
static void client_at(uint64_t state) {
  struct q_task_state now;
  WAIT_FOR(q_task_info(task, &now) == 0 && now.state == state);
}

/* Others run meanwhile: on several harts beside this one, and how soon one of them is told to is the host's. */
static void pass(uint64_t until) {
  if (harts() == 1)
    q_sleep_until(until);
  while (q_time() < until)
    ;
}

static struct q_received expect_fault(uint64_t address, uint64_t kind) {
  struct q_received m = receive();
  CHECK_EQ(m.kind, Q_MSG_FAULT);
  CHECK_EQ(m.label, kind);
  CHECK_EQ(m.word[0], address);
  return m;
}

static void expect_call(uint64_t word) {
  struct q_received m = receive();
  CHECK_EQ(m.kind, Q_MSG_CALL);
  CHECK_EQ(m.word[0], word);
}

static int64_t answer(q_token token, uint64_t label, uint64_t a, uint64_t b, uint64_t c, uint64_t d) {
  return q_reply(&(struct q_reply){.label = label, .word = {a, b, c, d}, .token = token});
}

static void fault_is_answered(void) {
  make_client(7);
  run(client_start, DATA_PAGE + 8);
  struct q_received m = expect_fault(DATA_PAGE + 8, Q_FAULT_WRITE);
  CHECK_EQ(m.badge, 7);
  CHECK_EQ(m.word[1], CODE + 2); /* pc of the store */
  CHECK_EQ(m.word[3], 0);
  CHECK_EQ(answer(m.token, Q_REPLY_MAP, DATA_PAGE, FRAME(1) | RW, 1, 0), 0);
  CHECK_EQ(answer(m.token, Q_REPLY_RETRY, 0, 0, 0, 0), -Q_E_TOKEN);
  expect_call(DATA_PAGE + 8);
  CHECK_EQ(*(uint64_t *)(window(FRAME(1)) + 8), DATA_PAGE + 8);
  destroy_client();
}

static void unmap_one(q_handle from, uint64_t va) {
  static uint64_t removed[1];
  struct q_unmapped u;
  CHECK_EQ(q_unmap(boot->pager, from, va, 1, removed, 1, &u), 0);
  CHECK_EQ(u.written, 1);
}

/* What is there when the message is received: not when it was sent. */
static void fault_names_the_frame(void) {
  make_client(7);
  q_handle other;
  CHECK_EQ(q_task_create(boot->pager, 8, 4, &other), 0);
  run(client_start, DATA_PAGE);
  client_at(Q_STATE_FAULT); /* the message waits in the queue */
  CHECK_EQ(map(DATA_PAGE, FRAME(1) | Q_PROT_READ), 0);
  struct q_received m = expect_fault(DATA_PAGE, Q_FAULT_WRITE);
  CHECK_EQ(m.word[3], FRAME(1) | Q_FAULT_SOLE);
  CHECK_EQ(q_map(boot->pager, other, DATA_PAGE, FRAME(1) | Q_PROT_READ, 1, 0), 0);
  CHECK_EQ(answer(m.token, Q_REPLY_RETRY, 0, 0, 0, 0), 0);
  m = expect_fault(DATA_PAGE, Q_FAULT_WRITE);
  CHECK_EQ(m.word[3], FRAME(1));
  unmap_one(task, DATA_PAGE);
  CHECK_EQ(map(DATA_PAGE, 0x18000000 | Q_PROT_READ | Q_PROT_DEVICE), 0);
  CHECK_EQ(answer(m.token, Q_REPLY_RETRY, 0, 0, 0, 0), 0);
  m = expect_fault(DATA_PAGE, Q_FAULT_WRITE);
  CHECK_EQ(m.word[3], 0); /* a device's */
  unmap_one(task, DATA_PAGE);
  CHECK_EQ(answer(m.token, Q_REPLY_RETRY, 0, 0, 0, 0), 0);
  client_at(Q_STATE_FAULT);
  CHECK_EQ(map(DATA_PAGE, FRAME(1) | RW), 0);
  m = expect_fault(DATA_PAGE, Q_FAULT_WRITE);
  CHECK_EQ(m.word[3], 0); /* by now it allows it */
  CHECK_EQ(answer(m.token, Q_REPLY_RETRY, 0, 0, 0, 0), 0);
  expect_call(DATA_PAGE);
  CHECK_EQ(q_handle_destroy(other), 0);
  destroy_client();
}

static void failed_map_keeps_the_token(void) {
  make_client(7);
  run(client_start, DATA_PAGE);
  q_token token = expect_fault(DATA_PAGE, Q_FAULT_WRITE).token;
  CHECK_EQ(answer(token, Q_REPLY_MAP, DATA_PAGE + 1, FRAME(1) | RW, 1, 0), -Q_E_ARG);
  CHECK_EQ(answer(token, Q_REPLY_MAP, DATA_PAGE, FRAME(1) | RW, 0, 0), -Q_E_ARG);
  CHECK_EQ(answer(token, Q_REPLY_MAP, DATA_PAGE, FRAME(1) | RW, 65, 0), -Q_E_ARG);
  CHECK_EQ(answer(token, Q_REPLY_MAP, DATA_PAGE, FRAME(1) | Q_PROT_WRITE, 1, 0), -Q_E_ARG);
  CHECK_EQ(answer(token, Q_REPLY_MAP, DATA_PAGE, FRAME(1), 1, 0), -Q_E_ARG);
  CHECK_EQ(answer(token, Q_REPLY_MAP, Q_USER_TOP, FRAME(1) | RW, 1, 0), -Q_E_ARG);
  CHECK_EQ(answer(token, Q_REPLY_MAP, Q_USER_TOP - 4096, FRAME(1) | RW, 2, 0), -Q_E_ARG);
  CHECK_EQ(answer(token, Q_REPLY_MAP, DATA_PAGE, FRAME(1) | RW | Q_PROT_EXECUTE, 1, 0), -Q_E_WX);
  CHECK_EQ(answer(token, Q_REPLY_MAP, DATA_PAGE, FRAME(0) | RW, 1, 0), -Q_E_WX);      /* it is text elsewhere */
  CHECK_EQ(answer(token, Q_REPLY_MAP, DATA_PAGE, 0x80200000 | RW, 1, 0), -Q_E_OWNER); /* the kernel */
  CHECK_EQ(answer(token, Q_REPLY_MAP, DATA_PAGE, 0x80000000 | RW, 1, 0), -Q_E_OWNER); /* the firmware */
  CHECK_EQ(answer(token, Q_REPLY_MAP, DATA_PAGE, 0x0c000000 | RW | Q_PROT_DEVICE, 1, 0), -Q_E_OWNER); /* the PLIC */
  CHECK_EQ(answer(token, Q_REPLY_MAP, DATA_PAGE, FRAME(1) | RW | Q_PROT_DEVICE, 1, 0), -Q_E_OWNER);   /* RAM */
  CHECK_EQ(answer(token, Q_REPLY_MAP, CODE, FRAME(1) | RW, 1, 0), -Q_E_EXISTS);
  CHECK_EQ(answer(token, Q_REPLY_MAP, CODE - 4096, FRAME(2) | RW, 2, 0), -Q_E_EXISTS); /* a list is checked whole */
  CHECK_EQ(map(CODE - 4096, FRAME(2) | RW), 0);
  CHECK_EQ(answer(token, Q_REPLY_REFUSE, 99, 0, 0, 0), -Q_E_ARG);
  CHECK_EQ(answer(token, 0, 0, 0, 0, 0), -Q_E_ARG);
  CHECK_EQ(answer(token, Q_REPLY_RESUME, CODE, 0, 0, 0), -Q_E_ARG);
  CHECK_EQ(answer(token, Q_REPLY_MAP, DATA_PAGE, FRAME(1) | RW, 1, 0), 0);
  expect_call(DATA_PAGE);
  destroy_client();
}

static void retry_and_refuse(void) {
  make_client(7);
  CHECK_EQ(q_task_supervise(task, boot->endpoint, 55), 0);
  run(client_start, DATA_PAGE);
  struct q_received m = expect_fault(DATA_PAGE, Q_FAULT_WRITE);
  CHECK_EQ(answer(m.token, Q_REPLY_RETRY, 0, 0, 0, 0), 0);
  m = expect_fault(DATA_PAGE, Q_FAULT_WRITE); /* it was not there after all */
  CHECK_EQ(answer(m.token, Q_REPLY_REFUSE, Q_E_FAULT, 0, 0, 0), 0);
  m = receive();
  CHECK(m.kind == Q_MSG_EXCEPTION && m.label == 15 && m.badge == 55 && m.word[0] == DATA_PAGE &&
        m.word[3] == Q_E_FAULT);
  CHECK_EQ(answer(m.token, Q_REPLY_RETRY, 0, 0, 0, 0), -Q_E_ARG);
  CHECK_EQ(answer(m.token, Q_REPLY_RESUME, CODE + 1, 0, 0, 0), -Q_E_ARG);
  CHECK_EQ(answer(m.token, Q_REPLY_RESUME, CODE + (uint64_t)(client_after - client_start), 0, 0, 0), 0);
  expect_call(DATA_PAGE);
  destroy_client();
}

static void exception_without_supervisor(void) {
  make_client(9);
  run(client_illegal, 0);
  struct q_received m = receive();
  CHECK(m.kind == Q_MSG_EXCEPTION && m.label == 2 && m.badge == 9);
  CHECK_EQ(answer(m.token, Q_REPLY_RESUME, m.word[1] + 4, 0, 0, 0), 0);
  expect_call(0);
  destroy_client();
}

/* A device page where there is no device: the bus refuses. */
static void access_fault(void) {
  make_client(9);
  CHECK_EQ(map(DATA_PAGE, 0x18000000 | RW | Q_PROT_DEVICE), 0);
  run(client_start, DATA_PAGE);
  struct q_received m = receive();
  CHECK(m.kind == Q_MSG_EXCEPTION && m.label == 7 && m.word[0] == DATA_PAGE);
  CHECK_EQ(answer(m.token, Q_REPLY_RESUME, CODE + (uint64_t)(client_after - client_start), 0, 0, 0), 0);
  expect_call(DATA_PAGE);
  destroy_client();
}

static void replace_what_is_expected(void) {
  make_client(7);
  CHECK_EQ(map(DATA_PAGE, FRAME(1) | Q_PROT_READ), 0);
  CHECK_EQ(map(DATA_PAGE, FRAME(2) | RW), -Q_E_EXISTS);
  CHECK_EQ(q_map(boot->pager, task, DATA_PAGE, FRAME(2) | RW, 1, FRAME(3) | 1), -Q_E_EXISTS);
  CHECK_EQ(q_map(boot->pager, task, DATA_PAGE + 4096, FRAME(2) | RW, 1, FRAME(1) | 1), -Q_E_EXISTS);
  CHECK_EQ(q_map(boot->pager, task, DATA_PAGE, FRAME(2) | RW, 2, FRAME(1) | 1), -Q_E_ARG);
  CHECK_EQ(q_map(boot->pager, task, DATA_PAGE, FRAME(2) | RW, 1, FRAME(1) | 1), 0);
  run(client_start, DATA_PAGE);
  expect_call(DATA_PAGE);
  CHECK_EQ(*(uint64_t *)window(FRAME(2)), DATA_PAGE);
  uint64_t page = DATA_PAGE + 4096;
  CHECK_EQ(map(page, FRAME(3) | Q_PROT_READ), 0);
  CHECK_EQ(map(page + 4096, FRAME(3) | Q_PROT_READ),
           0); /* a fork, after a fault had found that nobody shares the page */
  CHECK_EQ(q_map(boot->pager, task, page, FRAME(3) | RW, 1, FRAME(3) | Q_EXPECT), -Q_E_EXISTS);
  CHECK_EQ(q_map(boot->pager, task, page, FRAME(3) | Q_PROT_READ, 1, FRAME(3) | Q_EXPECT), -Q_E_EXISTS);
  CHECK_EQ(q_map(boot->pager, task, page, FRAME(4) | RW, 1, FRAME(3) | Q_EXPECT), -Q_E_EXISTS);
  CHECK_EQ(q_map(boot->pager, task, page, FRAME(3) | RW, 1, FRAME(3) | Q_EXPECT | Q_EXPECT_SHARED), 0);
  destroy_client();
}

/* Answered by a call that also receives: so the shortest ways refuse it, too. */
static int64_t replace_by(uint64_t frame, const struct q_received *m, uint64_t expected, struct q_received *next) {
  struct q_reply r = {Q_REPLY_MAP, {DATA_PAGE, frame | RW, 1, expected}, m->token, 0};
  q_reply_recv(boot->endpoint, &r, next);
  return next->kind;
}

/* Since the fault another has got the page, or has it no more: the answer was decided upon for something else. */
static void answer_that_is_overtaken(void) {
  struct q_received m, next;
  make_client(7);
  CHECK_EQ(map(DATA_PAGE, FRAME(1) | Q_PROT_READ), 0);
  run(client_start, DATA_PAGE);
  m = expect_fault(DATA_PAGE, Q_FAULT_WRITE);
  CHECK_EQ(m.word[3], FRAME(1) | Q_FAULT_SOLE);
  CHECK_EQ(replace_by(FRAME(2), &m, FRAME(1) | Q_EXPECT | Q_EXPECT_SHARED, &next), -Q_E_EXISTS);
  CHECK_EQ(replace_by(FRAME(1), &m, FRAME(1) | Q_EXPECT | Q_EXPECT_SHARED, &next), -Q_E_EXISTS);
  CHECK_EQ(map(DATA_PAGE + 4096, FRAME(1) | Q_PROT_READ), 0);
  CHECK_EQ(replace_by(FRAME(2), &m, FRAME(1) | Q_EXPECT, &next), -Q_E_EXISTS);
  CHECK_EQ(replace_by(FRAME(2), &m, FRAME(1) | Q_EXPECT | Q_EXPECT_SHARED, &next), Q_MSG_CALL);
  CHECK_EQ(next.word[0], DATA_PAGE);
  destroy_client();
  make_client(7);
  CHECK_EQ(map(DATA_PAGE, FRAME(1) | Q_PROT_READ), 0);
  run(client_start, DATA_PAGE);
  m = expect_fault(DATA_PAGE, Q_FAULT_WRITE);
  CHECK_EQ(replace_by(FRAME(2), &m, FRAME(1) | Q_EXPECT, &next), Q_MSG_CALL);
  destroy_client();
}

static void accessed_and_dirty(void) {
  struct q_harvested h;
  make_client(7);
  CHECK_EQ(map(DATA_PAGE, FRAME(1) | RW), 0);
  CHECK_EQ(map(DATA_PAGE + 8192, FRAME(2) | RW), 0);
  CHECK_EQ(q_harvest(boot->pager, task, DATA_PAGE, 4, 3, &h), 0);
  CHECK(h.present == 5 && h.accessed == 5 && h.dirty == 0);
  run(client_start, DATA_PAGE); /* a cached entry without the bits is no fault message */
  expect_call(DATA_PAGE);
  CHECK_EQ(q_harvest(boot->pager, task, DATA_PAGE, 4, 0, &h), 0);
  CHECK(h.present == 5 && h.accessed == 1 && h.dirty == 1);
  CHECK_EQ(q_harvest(boot->pager, task, DATA_PAGE, 65, 0, &h), -Q_E_ARG);
  CHECK_EQ(q_harvest(boot->pager, task, DATA_PAGE + 1, 1, 0, &h), -Q_E_ARG);
  destroy_client();
}

static void ranges(void) {
  static uint64_t removed[64];
  struct q_unmapped u = {0, 0, 0};
  uint64_t total = 0, pages = Q_USER_TOP >> 12;
  make_client(7);
  for (unsigned i = 0; i < 200; i++)
    CHECK_EQ(q_map(boot->pager, task, DATA_PAGE + i * 0x301000ul, FRAME(1 + i) | RW, 1, 0), 0);
  CHECK_EQ(q_protect(boot->pager, task, 0, pages, Q_PROT_READ), 0);
  for (uint64_t next = 0; pages; next = u.next, pages = u.remain) {
    CHECK_EQ(q_unmap(boot->pager, task, next, pages, removed, 64, &u), 0);
    for (unsigned i = 0; i < u.written; i++)
      CHECK(removed[i] & 1); /* no mapping is left */
    total += u.written;
  }
  CHECK_EQ(total, 201);                                                          /* and the code */
  CHECK_EQ(q_unmap(boot->pager, task, 0, 1, (uint64_t *)(DATA_PAGE), 1, &u), 0); /* nothing to store, so no fault */
  CHECK_EQ(map(DATA_PAGE, FRAME(1) | RW), 0);
  CHECK_EQ(q_unmap(boot->pager, task, DATA_PAGE, 1, (uint64_t *)8, 1, &u), -Q_E_FAULT);
  CHECK_EQ(q_unmap(boot->pager, task, DATA_PAGE, ~0ul, removed, 1, &u), -Q_E_ARG);
  destroy_client();
}

/* One page at a time, without an array. */
static void one_page(void) {
  const uint64_t far = DATA_PAGE + 0x40000000;
  struct q_unmapped u;
  uint64_t entry = 7;
  make_client(7);
  CHECK_EQ(map(DATA_PAGE, FRAME(1) | RW), 0);
  CHECK_EQ(map(DATA_PAGE + 4096, FRAME(1) | RW), 0);
  CHECK_EQ(map(far, FRAME(2) | RW), 0);
  struct q_pager_frames before, after;
  q_pager_info(boot->pager, &before);
  CHECK_EQ(q_unmap(boot->pager, task, DATA_PAGE, 2, NULL, 0, &u), -Q_E_ARG);
  CHECK_EQ(q_unmap_page(boot->pager, task, DATA_PAGE + 8, &entry), -Q_E_ARG);
  CHECK_EQ(q_unmap_page(boot->pager, task, Q_USER_TOP, &entry), -Q_E_ARG);
  CHECK_EQ(q_unmap_page(boot->pager, task, DATA_PAGE, &entry), 0);
  CHECK_EQ(entry, FRAME(1)); /* it is mapped beside, too */
  CHECK_EQ(q_unmap_page(boot->pager, task, DATA_PAGE, &entry), 0);
  CHECK_EQ(entry, 0);
  CHECK_EQ(q_unmap_page(boot->pager, task, DATA_PAGE + 4096, &entry), 0);
  CHECK_EQ(entry, FRAME(1) | 1);
  CHECK_EQ(q_unmap_page(boot->pager, task, far, &entry), 0);
  CHECK_EQ(entry, FRAME(2) | 1);
  q_pager_info(boot->pager, &after);
  CHECK_EQ(after.donated_free - before.donated_free, 3); /* a table for the first two, two for the last */
  CHECK_EQ(q_unmap_page(boot->pager, task, far, &entry), 0);
  CHECK_EQ(entry, 0);
  CHECK_EQ(q_unmap_page(boot->pager, boot->task, Q_WINDOW + FRAME(1), &entry), 0);
  CHECK_EQ(entry, 0); /* the window is not the pager's to take away */
  destroy_client();
}

/* ---- Pages that two spaces share ---- */
static q_handle child;

static int64_t share(uint64_t va, uint64_t pages, uint64_t prot) {
  return q_share(boot->pager, task, child, va, pages, prot);
}

static void make_family(void) {
  make_client(7);
  CHECK_EQ(q_task_create(boot->pager, 8, 4, &child), 0);
}

static void destroy_family(void) {
  CHECK_EQ(q_handle_destroy(child), 0);
  destroy_client();
}

static void shared_pages(void) {
  struct q_harvested h;
  q_handle there;
  make_family();
  CHECK_EQ(map(DATA_PAGE, FRAME(1) | RW), 0);
  CHECK_EQ(map(DATA_PAGE + 8192, FRAME(2) | RW), 0);
  CHECK_EQ(map(DATA_PAGE + Q_BLOCK_SIZE, FRAME(3) | Q_PROT_READ), 0);
  run(client_start, DATA_PAGE);
  expect_call(DATA_PAGE);
  for (unsigned i = 0; i < 2; i++)
    CHECK_EQ(share(DATA_PAGE, 1024, Q_PROT_READ), 0);
  CHECK_EQ(q_harvest(boot->pager, task, DATA_PAGE, 4, 0, &h), 0);
  CHECK(h.present == 5 && h.accessed == 5 && h.dirty == 1);
  CHECK_EQ(q_harvest(boot->pager, child, DATA_PAGE, 4, 0, &h), 0);
  CHECK(h.present == 5 && h.accessed == 5 && h.dirty == 0);
  CHECK_EQ(share(CODE, 1, RX), 0);
  destroy_client();
  task = child; /* which outlives it */
  CHECK_EQ(q_task_give(task, boot->endpoint, Q_RIGHT_SEND, 8, &there), 0);
  CHECK_EQ(q_thread_create(task, 3, &thread), 0);
  run(client_start, DATA_PAGE);
  struct q_received m = expect_fault(DATA_PAGE, Q_FAULT_WRITE);
  CHECK_EQ(m.word[3], FRAME(1) | Q_FAULT_SOLE);
  CHECK_EQ(answer(m.token, Q_REPLY_MAP, DATA_PAGE, FRAME(1) | RW, 1, FRAME(1) | 1), 0);
  expect_call(DATA_PAGE);
  destroy_client();
}

/* A page that was written before is written through a fault again, though its writable entry may be cached. */
static void shared_with_a_running_one(void) {
  make_family();
  CHECK_EQ(map(DATA_PAGE, FRAME(1) | RW), 0);
  run(client_start, DATA_PAGE);
  struct q_received m = receive();
  CHECK_EQ(share(DATA_PAGE, 1, Q_PROT_READ), 0);
  CHECK_EQ(q_thread_create(task, 3, &thread), 0);
  run(client_start, DATA_PAGE);
  CHECK_EQ(q_reply(&(struct q_reply){.token = m.token}), 0);
  do
    m = receive();
  while (m.kind == Q_MSG_CALL && m.word[0] == DATA_PAGE && q_reply(&(struct q_reply){.token = m.token}) == 0);
  CHECK(m.kind == Q_MSG_FAULT && m.word[0] == DATA_PAGE && m.word[3] == FRAME(1));
  destroy_family();
}

/* One call for pages of all kinds. Only what could be written is changed. */
static void shared_as_they_are(void) {
  q_handle there;
  make_family();
  CHECK_EQ(map(DATA_PAGE, FRAME(1) | RW), 0);
  CHECK_EQ(map(DATA_PAGE + 3 * 4096, FRAME(2) | Q_PROT_READ), 0);
  CHECK_EQ(map(DATA_PAGE + 4 * 4096, FRAME(3) | RX), 0);
  for (unsigned i = 0; i < 2; i++)
    CHECK_EQ(share(0, Q_USER_TOP >> 12, 0), 0);
  CHECK_EQ(q_protect(boot->pager, child, DATA_PAGE + 3 * 4096, 1, RW), 0);
  CHECK_EQ(q_protect(boot->pager, child, DATA_PAGE + 4 * 4096, 1, RW), -Q_E_WX);
  CHECK_EQ(share(DATA_PAGE, 5, 0), 0);
  run(client_start, DATA_PAGE);
  CHECK_EQ(expect_fault(DATA_PAGE, Q_FAULT_WRITE).word[3], FRAME(1));
  destroy_client();
  task = child;
  CHECK_EQ(q_task_give(task, boot->endpoint, Q_RIGHT_SEND, 8, &there), 0);
  CHECK_EQ(q_thread_begin(task, 3, CODE, 0, DATA_PAGE + 4 * 4096), 0);
  CHECK_EQ(expect_fault(DATA_PAGE + 4 * 4096, Q_FAULT_WRITE).word[3], FRAME(3) | Q_FAULT_SOLE);
  CHECK_EQ(q_handle_destroy(task), 0);
}

static void shares_that_fail(void) {
  q_handle other, endpoint, foreign;
  uint64_t base = (frames + 2 * Q_BLOCK_SIZE) & ~(Q_BLOCK_SIZE - 1ul), block;
  struct q_harvested h;
  make_family();
  CHECK_EQ(map(DATA_PAGE, FRAME(1) | RW), 0);
  CHECK_EQ(map(DATA_PAGE + 4096, FRAME(2) | RW), 0);
  CHECK_EQ(q_share(boot->pager, task, task, DATA_PAGE, 2, Q_PROT_READ), -Q_E_ARG);
  CHECK_EQ(q_share(boot->pager, task, thread, DATA_PAGE, 2, Q_PROT_READ), -Q_E_TYPE);
  CHECK_EQ(q_share(boot->pager, task, child + (1 << 16), DATA_PAGE, 2, Q_PROT_READ), -Q_E_HANDLE);
  CHECK_EQ(q_protect(boot->pager, task, DATA_PAGE, 2, 0), -Q_E_ARG);
  CHECK_EQ(share(DATA_PAGE, 2, Q_PROT_WRITE), -Q_E_ARG);
  CHECK_EQ(share(DATA_PAGE, 2, RW | Q_PROT_EXECUTE), -Q_E_WX);
  CHECK_EQ(share(DATA_PAGE, 2, 16 | RW), -Q_E_ARG);
  CHECK_EQ(share(DATA_PAGE + 1, 2, RW), -Q_E_ARG);
  CHECK_EQ(share(DATA_PAGE, ~0ul, RW), -Q_E_ARG);
  CHECK_EQ(share(~0xffful, 2, RW), -Q_E_ARG);
  CHECK_EQ(share(Q_USER_TOP - 4096, 2, RW), -Q_E_ARG);
  CHECK_EQ(q_map(boot->pager, child, DATA_PAGE + 4096, FRAME(3) | RW, 1, 0), 0);
  CHECK_EQ(share(DATA_PAGE, 2, RW), -Q_E_EXISTS);
  CHECK_EQ(q_harvest(boot->pager, child, DATA_PAGE, 2, 0, &h), 0);
  CHECK_EQ(h.present, 3); /* those before the error are shared */
  CHECK_EQ(share(DATA_PAGE, 1, RX), -Q_E_WX);
  CHECK_EQ(map(DATA_PAGE + 8192, 0x18000000 | RW | Q_PROT_DEVICE), 0);
  CHECK_EQ(share(DATA_PAGE + 8192, 1, RW), -Q_E_ARG);
  CHECK_EQ(share(DATA_PAGE + 8192, 1, 0), -Q_E_ARG);
  CHECK_EQ(share(CODE, 1, RX), 0);
  CHECK_EQ(share(CODE, 1, RW), -Q_E_WX);
  CHECK_EQ(map(DATA_PAGE + Q_BLOCK_SIZE, 0x18000000 | RW | Q_PROT_DEVICE), 0);
  uint64_t tables = info_now().tables;
  CHECK_EQ(share(DATA_PAGE + Q_BLOCK_SIZE, 1, RW), -Q_E_ARG);
  CHECK_EQ(info_now().tables, tables);
  CHECK_EQ(q_pager_create(boot->pager, &other, &endpoint), 0);
  CHECK_EQ(q_pager_grant(boot->pager, other, base), 0);
  CHECK_EQ(q_pager_donate(other, base), 0);
  CHECK_EQ(q_pager_window(other, child), 0);
  CHECK_EQ(share(0, Q_USER_TOP >> 12, RW), -Q_E_ARG);
  CHECK_EQ(share(DATA_PAGE, 1, RW), 0);
  CHECK_EQ(q_handle_destroy(child), 0);
  CHECK_EQ(share(DATA_PAGE, 1, RW), -Q_E_HANDLE);
  CHECK_EQ(q_task_create(other, 1, 0, &foreign), 0);
  CHECK_EQ(q_share(boot->pager, task, foreign, DATA_PAGE, 1, RW), -Q_E_OWNER);
  CHECK_EQ(q_share(other, task, foreign, DATA_PAGE, 1, RW), -Q_E_OWNER);
  CHECK_EQ(q_handle_destroy(foreign), 0);
  CHECK_EQ(q_pager_reclaim(other, &block), 0);
  CHECK_EQ(q_pager_grant(other, boot->pager, block), 0);
  CHECK_EQ(q_handle_destroy(other), 0);
  destroy_client();
}

static unsigned tables_shared(q_handle pager, unsigned tables) {
  struct q_harvested h;
  unsigned shared = 0;
  for (unsigned i = 0; i < tables; i++)
    shared += q_harvest(pager, child, i * Q_BLOCK_SIZE, 1, 0, &h) == 0 && h.present;
  return shared;
}

/* There are no tables for all of it: what is there already is passed over when it is tried again. */
static void shared_in_two_goes(void) {
  enum { TABLES = 10, EATERS = 300 };
  static q_handle eater[EATERS];
  q_handle other, endpoint;
  uint64_t base = (frames + 2 * Q_BLOCK_SIZE) & ~(Q_BLOCK_SIZE - 1ul), frame = base + Q_BLOCK_SIZE, block;
  unsigned n = 0;
  CHECK_EQ(q_pager_create(boot->pager, &other, &endpoint), 0);
  CHECK_EQ(q_pager_grant(boot->pager, other, base), 0);
  CHECK_EQ(q_pager_grant(boot->pager, other, frame), 0);
  CHECK_EQ(q_pager_donate(other, base), 0);
  CHECK_EQ(q_task_create(other, 1, 0, &task), 0);
  CHECK_EQ(q_task_create(other, 2, 0, &child), 0);
  for (unsigned i = 0; i < TABLES; i++)
    CHECK_EQ(q_map(other, task, i * Q_BLOCK_SIZE, (frame + i * 4096) | RW, 1, 0), 0);
  while (n < EATERS && !q_task_create(other, 3, 0, &eater[n]))
    n++;
  CHECK(n > 2 && n < EATERS);
  for (unsigned i = 0; i < 2; i++)
    CHECK_EQ(q_handle_destroy(eater[--n]), 0);
  CHECK_EQ(q_share(other, task, child, 0, TABLES * 512, Q_PROT_READ), -Q_E_NOMEM);
  CHECK_EQ(q_handle_destroy(eater[--n]), 0);
  unsigned shared = tables_shared(other, TABLES);
  CHECK(shared > 1 && shared < 6);
  while (n)
    CHECK_EQ(q_handle_destroy(eater[--n]), 0);
  CHECK_EQ(q_share(other, task, child, 0, TABLES * 512, Q_PROT_READ), 0);
  CHECK_EQ(tables_shared(other, TABLES), TABLES);
  CHECK_EQ(q_handle_destroy(task), 0);
  CHECK_EQ(q_handle_destroy(child), 0);
  CHECK_EQ(q_pager_reclaim(other, &block), 0);
  CHECK_EQ(q_pager_grant(other, boot->pager, block), 0);
  CHECK_EQ(q_pager_grant(other, boot->pager, frame), 0);
  CHECK_EQ(q_handle_destroy(other), 0);
}

/* ---- Many pages: what one costs ---- */
#define MANY 4096

static void map_many(unsigned prot) {
  for (unsigned i = 0; i < MANY; i += Q_MAP_MAX)
    CHECK_EQ(q_map(boot->pager, task, DATA_PAGE + i * 4096ul, FRAME(1 + i) | prot, Q_MAP_MAX, 0), 0);
}

/* The frames' flags but for the address that each must have. */
static void unmap_many(q_handle from, uint64_t flags) {
  static uint64_t removed[MANY];
  struct q_unmapped u = {0, DATA_PAGE, MANY};
  uint64_t start = q_instret(), total = 0;
  for (; u.remain; total += u.written)
    CHECK_EQ(q_unmap(boot->pager, from, u.next, u.remain, removed + total, MANY - total, &u), 0);
  printf("# unmap of a page: %lu instructions\n", (unsigned long)(q_instret() - start) / MANY);
  CHECK_EQ(total, MANY);
  for (unsigned i = 0; i < MANY; i++)
    if (removed[i] != (FRAME(1 + i) | flags))
      CHECK_EQ(removed[i], FRAME(1 + i) | flags);
}

static void many_pages(void) {
  make_family();
  map_many(RW);
  uint64_t start = q_instret();
  CHECK_EQ(share(DATA_PAGE, MANY, Q_PROT_READ), 0);
  printf("# share of a page: %lu instructions\n", (unsigned long)(q_instret() - start) / MANY);
  unmap_many(child, 0);
  start = q_instret();
  CHECK_EQ(q_protect(boot->pager, task, DATA_PAGE, MANY, RW), 0);
  printf("# protect of a page: %lu instructions\n", (unsigned long)(q_instret() - start) / MANY);
  unmap_many(task, 1);
  destroy_family();
}

/* Only the last mappings are told of, and counted all; a small array is filled many times. */
static void unmap_last(q_handle from, unsigned pages, unsigned first, unsigned last) {
  static uint64_t removed[MANY];
  struct q_unmapped u = {.next = DATA_PAGE, .remain = pages};
  uint64_t written = 0, gone = 0, calls = 0;
  for (; u.remain; calls++, written += u.written, gone += u.removed)
    CHECK_EQ(q_unmap(boot->pager, from, u.next, u.remain, removed + written, 100 | Q_UNMAP_LAST, &u), 0);
  CHECK_EQ(gone, pages);
  CHECK_EQ(written, last);
  CHECK(calls >= last / 100);
  for (unsigned i = 0; i < last; i++)
    if (removed[i] != (FRAME(1 + first + i) | 1))
      CHECK_EQ(removed[i], FRAME(1 + first + i) | 1);
}

static void last_pages(void) {
  enum { SHARED = 1000 };
  make_family();
  map_many(RW);
  uint64_t start = q_instret();
  CHECK_EQ(share(DATA_PAGE, SHARED, 0), 0);
  printf("# share of a page as it is: %lu instructions\n", (unsigned long)(q_instret() - start) / SHARED);
  unmap_last(task, MANY, SHARED, MANY - SHARED);
  unmap_last(child, SHARED, 0, SHARED);
  CHECK_EQ(map(DATA_PAGE, 0x18000000 | RW | Q_PROT_DEVICE), 0);
  unmap_last(task, 1, 0, 0);
  destroy_family();
}

/* The other space goes at a different moment each time. */
static volatile int64_t share_result;
static volatile uint64_t share_begins;

void share_start(void); /* client.S: as a thread begins, with nothing but its stack */
void share_main(uint64_t argument);
void share_main(uint64_t argument) {
  (void)argument;
  share_begins = q_time();
  share_result = share(DATA_PAGE, MANY, Q_PROT_READ);
  for (;;)
    q_sleep_until(~0ul);
}

static void sharer_goes(void) {
  static char stack[4096] __attribute__((aligned(16)));
  q_handle sharer;
  unsigned unfinished = 0;
  make_client(7);
  map_many(RW);
  for (unsigned round = 0; round < 40; round++) {
    CHECK_EQ(q_task_create(boot->pager, 8, 4, &child), 0);
    CHECK_EQ(q_thread_create(boot->task, 3, &sharer), 0);
    share_begins = 0;
    share_result = 1;
    CHECK_EQ(q_thread_start(sharer, (uint64_t)share_start, (uint64_t)stack + sizeof stack, 0), 0);
    while (!share_begins)
      pass(q_time() + 10);
    pass(share_begins + 300 * round / harts());
    bool done = share_result == 0;
    CHECK_EQ(q_handle_destroy(child), 0);
    while (share_result == 1)
      q_sleep_until(q_time() + 1000);
    if (done || share_result) /* it may have been done and not have said so */
      CHECK_EQ(share_result, done ? 0 : -Q_E_HANDLE);
    unfinished += share_result != 0;
    CHECK_EQ(q_handle_destroy(sharer), 0);
    CHECK_EQ(q_protect(boot->pager, task, DATA_PAGE, MANY, RW), 0);
  }
  CHECK(harts() > 1 || (unfinished > 2 && unfinished < 40)); /* else the locks of the kernel say who comes when */
  destroy_client();
}

static void writable_or_executable(void) {
  make_client(7);
  q_handle first = task, first_thread = thread;
  make_client(8);
  CHECK_EQ(map(DATA_PAGE, FRAME(1) | RW), 0);
  CHECK_EQ(q_map(boot->pager, first, DATA_PAGE, FRAME(1) | RX, 1, 0), -Q_E_WX);
  CHECK_EQ(q_protect(boot->pager, task, DATA_PAGE, 1, RX), 0); /* its only mapping may change sides */
  CHECK_EQ(q_map(boot->pager, first, DATA_PAGE, FRAME(1) | RW, 1, 0), -Q_E_WX);
  CHECK_EQ(q_map(boot->pager, first, DATA_PAGE, FRAME(1) | RX, 1, 0), 0);
  CHECK_EQ(q_protect(boot->pager, task, DATA_PAGE, 1, RW), -Q_E_WX); /* one of two may not */
  CHECK_EQ(q_protect(boot->pager, task, DATA_PAGE, 1, RW | Q_PROT_EXECUTE), -Q_E_WX);
  uint64_t same = FRAME(1) | 1;
  CHECK_EQ(q_map(boot->pager, first, DATA_PAGE, FRAME(1) | RW, 1, same), -Q_E_WX); /* nor if it replaces itself */
  destroy_client();
  task = first, thread = first_thread;
  CHECK_EQ(q_map(boot->pager, first, DATA_PAGE, FRAME(1) | RW | Q_PROT_EXECUTE, 1, same), -Q_E_WX);
  CHECK_EQ(q_map(boot->pager, first, DATA_PAGE, FRAME(1) | RW, 1, same), 0);
  CHECK_EQ(q_map(boot->pager, first, DATA_PAGE + 4096, FRAME(1) | RX, 1, 0), -Q_E_WX); /* and has left the other */
  destroy_client();
}

static void donation(void) {
  uint64_t block, base = (frames + 2 * Q_BLOCK_SIZE) & ~(Q_BLOCK_SIZE - 1ul);
  struct q_pager_frames a, b;
  make_client(7);
  CHECK_EQ(q_pager_info(boot->pager, &a), 0);
  memset(window(base), 0x55, 8192);
  CHECK_EQ(map(DATA_PAGE, base | RW), 0);
  CHECK_EQ(q_pager_donate(boot->pager, base), -Q_E_BUSY);
  destroy_client();
  CHECK_EQ(q_pager_donate(boot->pager, base + 4096), -Q_E_OWNER);
  CHECK_EQ(q_pager_donate(boot->pager, 0x80200000), -Q_E_OWNER);
  CHECK_EQ(q_pager_donate(boot->pager, 0), -Q_E_OWNER);
  CHECK_EQ(q_pager_donate(boot->pager, base), 0);
  CHECK_EQ(q_pager_donate(boot->pager, base), -Q_E_OWNER);
  CHECK_EQ(q_pager_info(boot->pager, &b), 0);
  CHECK(b.owned == a.owned - 512 && b.donated == a.donated + 512);
  CHECK_EQ(q_machine_write(boot->machine, window(base), 1), -Q_E_FAULT); /* it is out of the window */
  CHECK_EQ(q_pager_reclaim(boot->pager, &block), 0);
  CHECK_EQ(block, base);
  for (unsigned i = 0; i < Q_BLOCK_SIZE; i += 8)
    if (*(uint64_t *)(window(base) + i))
      CHECK_EQ(i, -1);
  CHECK_EQ(q_pager_reclaim(boot->pager, &block), -Q_E_BUSY);
}

static void kernel_memory_runs_out(void) {
  static q_handle tasks[1000];
  unsigned n = 0;
  int64_t error = 0;
  while (n < 1000 && !(error = q_task_create(boot->pager, n, 0, &tasks[n])))
    n++;
  CHECK(error == -Q_E_NOMEM || error == -Q_E_FULL);
  CHECK(n > 20);
  while (n)
    CHECK_EQ(q_handle_destroy(tasks[--n]), 0);
}

/* A second pager object: no memory until it is given some, its own tasks, and revocation. */
static void grants(void) {
  q_handle other, endpoint, victim, nothing;
  uint64_t base = (frames + 2 * Q_BLOCK_SIZE) & ~(Q_BLOCK_SIZE - 1ul), block;
  CHECK_EQ(q_pager_create(boot->pager, &other, &endpoint), 0);
  CHECK_EQ(q_task_create(other, 1, 0, &nothing), -Q_E_NOMEM);
  CHECK_EQ(q_pager_grant(boot->pager, other, base), 0);
  CHECK_EQ(q_pager_donate(other, base), 0);
  CHECK_EQ(q_pager_grant(boot->pager, other, base), -Q_E_OWNER);
  CHECK_EQ(q_pager_grant(boot->pager, other, base + Q_BLOCK_SIZE), 0);
  CHECK_EQ(q_task_create(other, 1, 0, &victim), 0);
  uint64_t frame = base + Q_BLOCK_SIZE;
  CHECK_EQ(q_map(boot->pager, victim, DATA_PAGE, FRAME(1) | RW, 1, 0), -Q_E_OWNER);
  CHECK_EQ(q_map(other, victim, DATA_PAGE, FRAME(1) | RW, 1, 0), -Q_E_OWNER);
  CHECK_EQ(q_map(other, victim, DATA_PAGE, frame | RW, 1, 0), 0);
  CHECK_EQ(q_map(other, victim, 0x30000000, (frame + 4096) | RW, 1, 0), 0);
  CHECK_EQ(q_handle_destroy(other), -Q_E_BUSY);
  CHECK_EQ(q_pager_grant(other, boot->pager, frame), 0); /* taken back, and with it both mappings */
  struct q_harvested h;
  CHECK_EQ(q_harvest(other, victim, DATA_PAGE, 1, 0, &h), 0);
  CHECK_EQ(h.present, 0);
  CHECK_EQ(q_handle_destroy(victim), 0);
  CHECK_EQ(q_pager_reclaim(other, &block), 0);
  CHECK_EQ(q_pager_grant(other, boot->pager, block), 0);
  CHECK_EQ(q_handle_destroy(other), 0);
}

/* Whoever is to get a block goes while it is being unmapped, at a different moment each time. If so, nothing has changed:
 * its frames can be mapped and granted. */
static struct {
  q_handle to;
  uint64_t block;
  volatile uint64_t begins;
  volatile int64_t result;
} granting;

void grant_start(void);
void grant_main(uint64_t argument);
void grant_main(uint64_t argument) {
  (void)argument;
  granting.begins = q_time();
  granting.result = q_pager_grant(boot->pager, granting.to, granting.block);
  for (;;)
    q_sleep_until(~0ul);
}

static void receiver_of_a_grant_goes(void) {
  static char stack[4096] __attribute__((aligned(16)));
  q_handle endpoint, granter;
  unsigned abandoned = 0;
  granting.block = frames + 2 * Q_BLOCK_SIZE;
  make_client(7);
  for (unsigned round = 0; round < 60; round++) {
    for (unsigned i = 0; i < 100; i++)
      map(DATA_PAGE + i * 0x1301000ul, (granting.block + i * 4096) | RW);
    CHECK_EQ(q_pager_create(boot->pager, &granting.to, &endpoint), 0);
    CHECK_EQ(q_thread_create(boot->task, 3, &granter), 0);
    granting.begins = 0;
    granting.result = 1;
    CHECK_EQ(q_thread_start(granter, (uint64_t)grant_start, (uint64_t)stack + sizeof stack, 0), 0);
    while (!granting.begins)
      pass(q_time() + 10);
    pass(granting.begins + round * 200 / (harts() * harts()));
    int64_t gone = q_handle_destroy(granting.to);
    while (granting.result == 1)
      q_sleep_until(q_time() + 1000);
    CHECK_EQ(granting.result, gone ? 0 : -Q_E_HANDLE);
    abandoned += !gone;
    if (gone) {
      CHECK_EQ(q_pager_grant(granting.to, boot->pager, granting.block), 0);
      CHECK_EQ(q_handle_destroy(granting.to), 0);
    }
    CHECK_EQ(map(CODE + 4096, (granting.block + 511 * 4096) | RW), 0);
    CHECK_EQ(q_pager_grant(boot->pager, boot->pager, granting.block), 0);
    CHECK_EQ(q_handle_destroy(granter), 0);
  }
  CHECK(harts() > 1 || (abandoned > 5 && abandoned < 60));
  destroy_client();
}

/* A pager's server takes a fault and dies: the fault is the pager object's, and whoever receives next gets it. */
static void faults_outlive_the_server(void) {
  q_handle other, endpoint, victim, there, victim_thread;
  uint64_t base = (frames + 2 * Q_BLOCK_SIZE) & ~(Q_BLOCK_SIZE - 1ul), frame = base + Q_BLOCK_SIZE, block;
  CHECK_EQ(q_pager_create(boot->pager, &other, &endpoint), 0);
  memcpy(window(frame), client_start, (size_t)(client_end - client_start));
  CHECK_EQ(q_pager_grant(boot->pager, other, base), 0);
  CHECK_EQ(q_pager_grant(boot->pager, other, frame), 0);
  CHECK_EQ(q_pager_donate(other, base), 0);
  make_client(1);
  CHECK_EQ(q_task_give(task, endpoint, Q_RIGHT_RECV, 0, &there), 0);
  CHECK_EQ(there, 2);
  run(client_receive, 0);
  CHECK_EQ(q_task_create(other, 5, 0, &victim), 0);
  CHECK_EQ(q_task_give(victim, boot->endpoint, Q_RIGHT_SEND, 5, &there), 0);
  CHECK_EQ(q_map(other, victim, CODE, frame | RX, 1, 0), 0);
  CHECK_EQ(q_thread_create(victim, 3, &victim_thread), 0);
  CHECK_EQ(q_thread_start(victim_thread, CODE, 0, DATA_PAGE), 0);
  struct q_received took = receive(), m;
  CHECK(took.kind == Q_MSG_CALL && took.badge == 1); /* the server holds the fault */
  destroy_client();
  q_recv(endpoint, &m);
  CHECK(m.kind == Q_MSG_FAULT && m.badge == 5 && m.word[0] == DATA_PAGE);
  CHECK_EQ(answer(m.token, Q_REPLY_MAP, DATA_PAGE, (frame + 4096) | RW, 1, 0), 0);
  expect_call(DATA_PAGE);
  CHECK_EQ(q_handle_destroy(victim), 0);
  CHECK_EQ(q_pager_reclaim(other, &block), 0);
  CHECK_EQ(q_pager_grant(other, boot->pager, block), 0);
  CHECK_EQ(q_pager_grant(other, boot->pager, frame), 0);
  CHECK_EQ(q_handle_destroy(other), 0);
}

/* One client's page never comes; the others are served; then the first is ended, and then another gets its page late. */
static void slow_client(void) {
  char data[64];
  uint64_t done;
  make_client(1);
  q_handle first = task, first_thread = thread;
  run(client_call_buffer, DATA_PAGE);
  struct q_received call = receive();
  CHECK(call.kind == Q_MSG_CALL && call.read_bytes == 64);
  CHECK_EQ(q_copy(call.token, Q_COPY_FROM, 0, data, 64, &done), -Q_E_PENDING);
  struct q_received fault = expect_fault(DATA_PAGE, Q_FAULT_READ | Q_FAULT_COPY);
  make_client(2);
  run(client_start, 0);
  for (unsigned i = 0; i < 100; i++) {
    struct q_received m = receive();
    CHECK(m.kind == Q_MSG_CALL && m.badge == 2);
    CHECK_EQ(q_reply(&(struct q_reply){.token = m.token}), 0);
  }
  destroy_client();
  task = first, thread = first_thread;
  memset(window(FRAME(1)), 3, 4096);
  CHECK_EQ(answer(fault.token, Q_REPLY_MAP, DATA_PAGE, FRAME(1) | RW, 1, 0), 0);
  struct q_received ready = receive();
  CHECK(ready.kind == Q_MSG_COPY_READY && ready.token == call.token && ready.label == 2);
  CHECK_EQ(q_copy(call.token, Q_COPY_FROM, 0, data, 64, &done), 0);
  CHECK(done == 64 && data[63] == 3);
  destroy_client();
}

static void refused_copy(void) {
  char data[64];
  uint64_t done;
  make_client(1);
  run(client_call_buffer, DATA_PAGE);
  struct q_received call = receive();
  CHECK_EQ(q_copy(call.token, Q_COPY_FROM, 0, data, 64, &done), -Q_E_PENDING);
  struct q_received fault = expect_fault(DATA_PAGE, Q_FAULT_READ | Q_FAULT_COPY);
  CHECK_EQ(answer(fault.token, Q_REPLY_REFUSE, Q_E_NOFRAME, 0, 0, 0), 0);
  struct q_received failed = receive();
  CHECK(failed.kind == Q_MSG_COPY_FAILED && failed.error == Q_E_NOFRAME);
  CHECK_EQ(q_reply(&(struct q_reply){.token = call.token}), 0); /* only that request failed */
  expect_call(0);
  destroy_client();
}

/* It ends while its fault, or the exception that came of it, is held: the late answer maps nothing and wakes nobody. */
static void faulter_ends(void) {
  for (unsigned refused = 0; refused < 2; refused++) {
    make_client(7);
    run(client_start, DATA_PAGE);
    q_token old = expect_fault(DATA_PAGE, Q_FAULT_WRITE).token;
    if (refused) {
      CHECK_EQ(answer(old, Q_REPLY_REFUSE, Q_E_FAULT, 0, 0, 0), 0);
      struct q_received m = receive();
      CHECK_EQ(m.kind, Q_MSG_EXCEPTION);
      old = m.token;
    }
    destroy_client();
    make_client(8); /* in the same place */
    run(client_start, DATA_PAGE);
    q_token token = expect_fault(DATA_PAGE, Q_FAULT_WRITE).token;
    CHECK_EQ(answer(old, Q_REPLY_MAP, DATA_PAGE, FRAME(1) | RW, 1, 0), -Q_E_TOKEN);
    CHECK_EQ(answer(old, Q_REPLY_RESUME, CODE, 0, 0, 0), -Q_E_TOKEN);
    CHECK_EQ(answer(token, Q_REPLY_MAP, DATA_PAGE, FRAME(2) | RW, 1, 0), 0);
    expect_call(DATA_PAGE);
    destroy_client();
  }
}

/* A server began to copy from a client. This program, which waited, has got the fault at once; the server stands at its
 * copy. */
static struct copying {
  q_handle at, owner, copier;
  q_token fault;
} fault_at_once(void) {
  struct copying c;
  q_handle there;
  CHECK_EQ(q_endpoint_create(&c.at), 0);
  make_client(2);
  CHECK_EQ(q_task_give(task, c.at, Q_RIGHT_RECV, 0, &there), 0);
  CHECK_EQ(there, 2);
  CHECK_EQ(map(DATA_PAGE, FRAME(1) | RW), 0);
  run(client_copy, DATA_PAGE);
  c.copier = task;
  CHECK_EQ(q_task_create(boot->pager, 1, 4, &task), 0);
  CHECK_EQ(q_task_give(task, c.at, Q_RIGHT_SEND, 1, &there), 0);
  CHECK_EQ(map(CODE, FRAME(0) | RX), 0);
  CHECK_EQ(q_thread_create(task, 3, &thread), 0);
  run(client_call_buffer, DATA_PAGE);
  c.owner = task;
  c.fault = expect_fault(DATA_PAGE, Q_FAULT_READ | Q_FAULT_COPY).token;
  return c;
}

/* The page is on its way: this program has put the answer off, which the server hears. */
static struct copying begin_copying(void) {
  struct copying c = fault_at_once();
  expect_call((uint64_t)-Q_E_PENDING);
  return c;
}

static void end_copying(const struct copying *c) {
  CHECK_EQ(answer(c->fault, Q_REPLY_MAP, DATA_PAGE, FRAME(2) | RW, 1, 0), -Q_E_TOKEN);
  q_handle_destroy(c->owner);
  q_handle_destroy(c->copier);
  if (c->at)
    CHECK_EQ(q_handle_destroy(c->at), 0);
}

/* A copy's fault names the frame, too: of the caller's own page that is read-only, and of a client's that can't be read. */
static void copies_name_the_frame(void) {
  q_handle at, there;
  char data[64];
  uint64_t done;
  CHECK_EQ(q_endpoint_create(&at), 0);
  make_client(2);
  q_handle copier = task;
  CHECK_EQ(q_task_give(task, at, Q_RIGHT_RECV, 0, &there), 0);
  CHECK_EQ(map(DATA_PAGE, FRAME(1) | Q_PROT_READ), 0);
  run(client_copy, DATA_PAGE);
  CHECK_EQ(q_task_create(boot->pager, 1, 4, &task), 0);
  CHECK_EQ(q_task_give(task, at, Q_RIGHT_SEND, 1, &there), 0);
  CHECK_EQ(map(CODE, FRAME(0) | RX), 0);
  CHECK_EQ(map(DATA_PAGE, FRAME(2) | Q_PROT_READ), 0);
  CHECK_EQ(q_thread_create(task, 3, &thread), 0);
  run(client_call_buffer, DATA_PAGE);
  struct q_received m = expect_fault(DATA_PAGE, Q_FAULT_WRITE | Q_FAULT_COPY);
  CHECK(m.badge == 2 && m.word[3] == (FRAME(1) | Q_FAULT_SOLE));
  CHECK_EQ(answer(m.token, Q_REPLY_MAP, DATA_PAGE, FRAME(1) | RW, 1, FRAME(1) | 1), 0);
  expect_call(0);
  destroy_client();
  CHECK_EQ(q_handle_destroy(copier), 0);
  CHECK_EQ(q_handle_destroy(at), 0);
  make_client(1);
  CHECK_EQ(map(DATA_PAGE, FRAME(1) | Q_PROT_EXECUTE), 0);
  run(client_call_buffer, DATA_PAGE);
  m = receive();
  CHECK_EQ(q_copy(m.token, Q_COPY_FROM, 0, data, 64, &done), -Q_E_PENDING);
  CHECK_EQ(expect_fault(DATA_PAGE, Q_FAULT_READ | Q_FAULT_COPY).word[3], FRAME(1) | Q_FAULT_SOLE);
  destroy_client();
  CHECK_EQ(receive().kind, Q_MSG_COPY_FAILED);
}

/* Nobody hears that the page was not there, and there is no message about it. */
static void answered_at_once(void) {
  struct copying c = fault_at_once();
  struct q_received m;
  q_handle signal;
  memset(window(FRAME(2)), 5, 4096);
  CHECK_EQ(answer(c.fault, Q_REPLY_MAP, DATA_PAGE, FRAME(2) | RW, 1, 0), 0);
  expect_call(0);
  CHECK_EQ(*window(FRAME(1)), 5);
  CHECK_EQ(q_handle_dup(c.at, Q_RIGHT_NOTIFY, 1, &signal), 0);
  CHECK_EQ(q_notify(signal, 1), 0);
  q_recv(c.at, &m);
  CHECK_EQ(m.kind, Q_MSG_NOTIFY);
  CHECK_EQ(q_handle_destroy(c.owner), 0);
  end_copying(&c);
}

/* That comes as it does when the answer was put off; the pager is not asked again. */
static void refused_at_once(void) {
  struct copying c = fault_at_once();
  struct q_received m;
  CHECK_EQ(answer(c.fault, Q_REPLY_REFUSE, Q_E_FAULT, 0, 0, 0), 0);
  expect_call((uint64_t)-Q_E_PENDING);
  q_recv(c.at, &m);
  CHECK(m.kind == Q_MSG_COPY_FAILED && m.error == Q_E_PEER);
  end_copying(&c);
}

/* The copy finds the page absent once more: so it does not wait for that, and the answer comes as a message. */
static void absent_again(void) {
  struct copying c = fault_at_once();
  struct q_received m;
  CHECK_EQ(answer(c.fault, Q_REPLY_RETRY, 0, 0, 0, 0), 0);
  q_token token = expect_fault(DATA_PAGE, Q_FAULT_READ | Q_FAULT_COPY).token;
  expect_call((uint64_t)-Q_E_PENDING);
  CHECK_EQ(answer(token, Q_REPLY_RETRY, 0, 0, 0, 0), 0);
  q_recv(c.at, &m);
  CHECK_EQ(m.kind, Q_MSG_COPY_READY);
  end_copying(&c);
}

/* Either party ends while the server stands at its copy. Its token is void then, without a message. */
static void ends_at_once(void) {
  struct q_received m;
  struct copying c = fault_at_once();
  CHECK_EQ(q_handle_destroy(c.owner), 0);
  CHECK_EQ(answer(c.fault, Q_REPLY_MAP, DATA_PAGE, FRAME(2) | RW, 1, 0), -Q_E_TOKEN);
  expect_call((uint64_t)-Q_E_TOKEN);
  end_copying(&c);
  c = fault_at_once();
  CHECK_EQ(q_handle_destroy(c.copier), 0);
  q_recv(c.at, &m);
  CHECK(m.kind == Q_MSG_CALL && m.label == 1);
  CHECK_EQ(m.word[0], -Q_E_DEAD);
  end_copying(&c);
}

/* The client's call fails at once; the page that comes later is nobody's. */
static void copier_ends(void) {
  struct q_received m;
  struct copying c = begin_copying();
  CHECK_EQ(q_handle_destroy(c.copier), 0);
  q_recv(c.at, &m);
  CHECK(m.kind == Q_MSG_CALL && m.label == 1);
  CHECK_EQ(m.word[0], -Q_E_DEAD);
  end_copying(&c);
}

/* Who received the call, or receives next, hears that its token is void; or nobody, when the endpoint goes first. */
static void owner_ends(void) {
  struct q_received m;
  struct copying c = begin_copying();
  CHECK_EQ(q_handle_destroy(c.owner), 0);
  q_recv(c.at, &m);
  CHECK(m.kind == Q_MSG_COPY_FAILED && m.error == Q_E_DEAD);
  CHECK_EQ(q_reply(&(struct q_reply){.token = m.token}), -Q_E_TOKEN);
  end_copying(&c);
  c = begin_copying();
  CHECK_EQ(q_handle_destroy(c.owner), 0);
  CHECK_EQ(q_handle_destroy(c.copier), 0);
  end_copying(&c);
  c = begin_copying();
  CHECK_EQ(q_handle_destroy(c.at), 0);
  end_copying(&(struct copying){0, c.owner, c.copier, c.fault});
}

/* It has to end itself last: nobody else would come back for the others. */
static void stops_itself(void) {
  enum { OTHERS = 11, NAMES = 300 };
  q_handle there, name[NAMES], other[OTHERS];
  struct q_task_state state;
  make_client(7);
  CHECK_EQ(q_task_give(task, task, Q_RIGHT_MANAGE, 0, &there), 0);
  CHECK_EQ(there, 2);
  for (unsigned i = 0; i < NAMES; i++)
    CHECK_EQ(q_handle_dup(thread, Q_RIGHT_ALL, 0, &name[i]), 0);
  for (unsigned i = 0; i < OTHERS; i++) {
    CHECK_EQ(q_thread_create(task, 3, &other[i]), 0);
    CHECK_EQ(q_thread_start(other[i], CODE, 0, 0), 0);
    expect_call(0);
  }
  run(client_stop, 0);
  WAIT_FOR(q_task_info(task, &state) == 0 && !state.threads);
  CHECK_EQ(state.threads, 0);
  CHECK_EQ(q_handle_close(name[0]), -Q_E_HANDLE);
  destroy_client();
}

/* Three threads a page, the task's own among them. */
static void quota_is_raised(void) {
  q_handle of_none, h;
  CHECK_EQ(q_task_create(boot->pager, 9, 0, &of_none), 0);
  for (unsigned round = 0; round < 2; round++) {
    for (unsigned i = 0; i < 3; i++)
      CHECK_EQ(q_thread_create(of_none, 1, &h), 0);
    CHECK_EQ(q_thread_create(of_none, 1, &h), -Q_E_NOMEM);
    CHECK_EQ(q_task_quota(boot->pager, of_none, 64 - round + 1), -Q_E_ARG);
    CHECK_EQ(round || !q_task_quota(boot->pager, of_none, 1), 1);
  }
  CHECK_EQ(q_handle_destroy(of_none), 0);
}

static void wrong_arguments(void) {
  q_handle h;
  make_client(7);
  CHECK_EQ(q_thread_start(thread, CODE + 1, 0, 0), -Q_E_ARG);
  run(client_start, 0);
  CHECK_EQ(q_thread_start(thread, CODE, 0, 0), -Q_E_BUSY);
  CHECK_EQ(q_thread_create(task, 8, &h), -Q_E_ARG);
  CHECK_EQ(q_thread_begin(task, 8, CODE, 0, 0), -Q_E_ARG);
  CHECK_EQ(q_thread_begin(task, 3, CODE + 1, 0, 0), -Q_E_ARG);
  CHECK_EQ(q_task_create(boot->pager, 1, 65, &h), -Q_E_ARG);
  CHECK_EQ(q_pager_window(boot->pager, task), -Q_E_BUSY);
  CHECK_EQ(q_task_give(task, 0x1234, 255, 0, &h), -Q_E_HANDLE);
  CHECK_EQ(q_task_supervise(task, boot->machine, 0), -Q_E_TYPE);
  CHECK_EQ(q_irq_create(boot->machine, 5000, boot->endpoint, 1, &h), -Q_E_ARG);
  CHECK_EQ(q_handle_destroy(boot->machine), -Q_E_TYPE);
  CHECK_EQ(q_handle_destroy(boot->task), -Q_E_BUSY);
  CHECK_EQ(q_handle_destroy(boot->endpoint), -Q_E_BUSY);
  CHECK_EQ(q_task_stop(task), 0);
  CHECK_EQ(q_thread_create(task, 3, &h), -Q_E_DEAD);
  CHECK_EQ(q_thread_begin(task, 3, CODE, 0, 0), -Q_E_DEAD);
  destroy_client();
}

/* Nothing is printed while the log is taken; what would be printed then comes out afterwards. */
static void the_log(void) {
  static char line[64], back[1024];
  q_handle signal, log;
  uint64_t got, remain = 0, sum = 0;
  memset(line, '.', sizeof line);
  CHECK_EQ(q_handle_dup(boot->endpoint, Q_RIGHT_NOTIFY, 4, &signal), 0);
  int64_t made = q_irq_create(boot->machine, 0, signal, 4, &log);
  int64_t wrote = q_machine_write(boot->machine, "one\n", 4);
  struct q_received m = receive();
  int64_t read = q_machine_log(boot->machine, back, sizeof back, &got);
  bool same = got == 4 && !memcmp(back, "one\n", 4);
  int64_t empty = q_machine_log(boot->machine, back, sizeof back, &sum);
  int64_t full = 0;
  unsigned lines = 0;
  for (; lines < 1000 && !(full = q_machine_write_some(boot->machine, line, sizeof line, &remain)); lines++)
    ;
  while (q_machine_log(boot->machine, back, sizeof back, &got) == 0 && got)
    sum += got;
  int64_t acknowledged = q_irq_ack(log), destroyed = q_handle_destroy(log);
  CHECK_EQ(made, 0);
  CHECK_EQ(wrote, 0);
  CHECK(m.kind == Q_MSG_NOTIFY && m.word[0] == 4);
  CHECK(read == 0 && same && empty == 0);
  CHECK_EQ(full, -Q_E_FULL);
  CHECK_EQ(remain, sizeof line);
  CHECK_EQ(sum, lines * sizeof line);
  CHECK_EQ(acknowledged, 0);
  CHECK_EQ(destroyed, 0);
  CHECK_EQ(receive().word[0], 4); /* of the lines that filled it */
  CHECK_EQ(q_machine_log(boot->pager, back, 1, &got), -Q_E_TYPE);
  CHECK_EQ(q_machine_log(boot->machine, (void *)8, 1, &got), -Q_E_FAULT);
  CHECK_EQ(q_handle_close(signal), 0);
}

/* Its driver dies, and the log is full: whoever writes next does not print it all in one go (irq_off.py). */
static void the_log_is_left(void) {
  static const char line[64] = "# left in the log                                             \n";
  q_handle signal, log;
  uint64_t remain;
  CHECK_EQ(q_handle_dup(boot->endpoint, Q_RIGHT_NOTIFY, 4, &signal), 0);
  int64_t made = q_irq_create(boot->machine, 0, signal, 4, &log);
  while (!q_machine_write_some(boot->machine, line, sizeof line - 1, &remain))
    ;
  CHECK_EQ(q_handle_destroy(log), 0);
  CHECK_EQ(made, 0);
  CHECK_EQ(receive().word[0], 4);
  CHECK_EQ(q_machine_write(boot->machine, "# after the log\n", 16), 0);
  CHECK_EQ(q_handle_close(signal), 0);
}

static void interrupts(void) {
  q_handle signal, irq, again;
  CHECK_EQ(q_handle_dup(boot->endpoint, Q_RIGHT_NOTIFY, 6, &signal), 0);
  CHECK_EQ(q_irq_create(boot->machine, 10, signal, 2, &irq), 0);
  CHECK_EQ(q_irq_create(boot->machine, 10, signal, 2, &again), -Q_E_BUSY);
  CHECK_EQ(q_irq_ack(irq), 0);
  /* The UART interrupts when its transmitter is empty and that is enabled (16550 data sheet: IER bit 1). */
  static volatile uint8_t *const uart = (volatile uint8_t *)0x7000000;
  make_client(1); /* nobody may map a device into the first program but by its own pager object, which this is */
  CHECK_EQ(q_map(boot->pager, boot->task, (uint64_t)uart, 0x10000000 | RW | Q_PROT_DEVICE, 1, 0), 0);
  uart[1] = 2;
  struct q_received m = receive();
  CHECK(m.kind == Q_MSG_NOTIFY && m.word[0] == 2);
  (void)uart[2];
  uart[1] = 0;
  CHECK_EQ(q_irq_ack(irq), 0);
  static uint64_t removed[1];
  struct q_unmapped u;
  CHECK_EQ(q_unmap(boot->pager, boot->task, (uint64_t)uart, 1, removed, 1, &u), 0);
  CHECK_EQ(u.written, 1);
  for (unsigned i = 0; i < 300; i++)
    CHECK_EQ(q_handle_dup(irq, Q_RIGHT_ALL, 0, &again), 0);
  CHECK_EQ(q_handle_destroy(irq), 0); /* in several rounds */
  CHECK_EQ(q_irq_ack(irq), -Q_E_HANDLE);
  CHECK_EQ(q_irq_ack(again), -Q_E_HANDLE);
  CHECK_EQ(q_handle_close(signal), 0);
  destroy_client();
}

/* What a failed one left in its slot would be the receiver of the next object there. */
static void failed_irq_leaves_nothing(void) {
  q_handle signal, h, fresh;
  struct q_received m;
  CHECK_EQ(q_handle_dup(boot->endpoint, Q_RIGHT_NOTIFY, ~0xfful, &signal), 0);
  CHECK_EQ(q_irq_create(boot->machine, 5000, signal, ~0ul, &h), -Q_E_ARG);
  CHECK_EQ(q_endpoint_create(&fresh), 0);
  CHECK_EQ(q_handle_dup(fresh, Q_RIGHT_NOTIFY, 1, &h), 0);
  CHECK_EQ(q_notify(h, 1), 0);
  q_recv(fresh, &m);
  CHECK(m.kind == Q_MSG_NOTIFY && m.word[0] == 1);
  CHECK_EQ(q_handle_destroy(fresh), 0);
  CHECK_EQ(q_handle_close(signal), 0);
}

static void sleeping(void) {
  uint64_t start = q_time();
  CHECK_EQ(q_sleep_until(start + boot->timebase / 100), 0);
  CHECK(q_time() >= start + boot->timebase / 100);
  CHECK_EQ(q_sleep_until(start), 0); /* that is past */
}

/* ---- Rights ---- */
enum named { PAGER, TASK, THREAD, MACHINE, IRQ, ENDPOINT };
struct needs {
  uint8_t call, operation, object, right;
};
static const struct needs needs[] = {{Q_SYS_map, 0, PAGER, Q_RIGHT_MAP},
                                     {Q_SYS_unmap, 0, PAGER, Q_RIGHT_MAP},
                                     {Q_SYS_protect, 0, PAGER, Q_RIGHT_MAP},
                                     {Q_SYS_harvest, 0, PAGER, Q_RIGHT_MAP},
                                     {Q_SYS_task, Q_task_create, PAGER, Q_RIGHT_CREATE},
                                     {Q_SYS_task, Q_task_stop, TASK, Q_RIGHT_MANAGE},
                                     {Q_SYS_task, Q_task_give, TASK, Q_RIGHT_MANAGE},
                                     {Q_SYS_task, Q_task_supervise, TASK, Q_RIGHT_MANAGE},
                                     {Q_SYS_task, Q_task_quota, PAGER, Q_RIGHT_CREATE},
                                     {Q_SYS_thread, Q_thread_create, TASK, Q_RIGHT_THREAD},
                                     {Q_SYS_thread, Q_thread_start, THREAD, Q_RIGHT_MANAGE},
                                     {Q_SYS_thread, Q_thread_priority, THREAD, Q_RIGHT_MANAGE},
                                     {Q_SYS_thread, Q_thread_stop, THREAD, Q_RIGHT_MANAGE},
                                     {Q_SYS_pager, Q_pager_create, PAGER, Q_RIGHT_CREATE},
                                     {Q_SYS_pager, Q_pager_window, PAGER, Q_RIGHT_MAP},
                                     {Q_SYS_pager, Q_pager_donate, PAGER, Q_RIGHT_MAP},
                                     {Q_SYS_pager, Q_pager_reclaim, PAGER, Q_RIGHT_MAP},
                                     {Q_SYS_pager, Q_pager_grant, PAGER, Q_RIGHT_MAP},
                                     {Q_SYS_handle, Q_handle_dup, TASK, Q_RIGHT_DUP},
                                     {Q_SYS_handle, Q_handle_destroy, PAGER, Q_RIGHT_MANAGE},
                                     {Q_SYS_handle, Q_handle_destroy, TASK, Q_RIGHT_MANAGE},
                                     {Q_SYS_handle, Q_handle_destroy, THREAD, Q_RIGHT_MANAGE},
                                     {Q_SYS_handle, Q_handle_destroy, IRQ, Q_RIGHT_MANAGE},
                                     {Q_SYS_handle, Q_handle_destroy, ENDPOINT, Q_RIGHT_MANAGE},
                                     {Q_SYS_object, Q_object_irq, MACHINE, Q_RIGHT_IRQ},
                                     {Q_SYS_notify, 0, IRQ, Q_RIGHT_MANAGE},
                                     {Q_SYS_machine, Q_machine_write, MACHINE, Q_RIGHT_DEBUG},
                                     {Q_SYS_machine, Q_machine_off, MACHINE, Q_RIGHT_POWER},
                                     {Q_SYS_machine, Q_machine_info, MACHINE, Q_RIGHT_DEBUG},
                                     {Q_SYS_machine, Q_machine_log, MACHINE, Q_RIGHT_IRQ},
                                     {Q_SYS_call, 0, ENDPOINT, Q_RIGHT_SEND},
                                     {Q_SYS_reply_recv, 0, ENDPOINT, Q_RIGHT_RECV},
                                     {Q_SYS_notify, 0, ENDPOINT, Q_RIGHT_NOTIFY}};

static q_handle lacking(q_handle handle, unsigned right) {
  q_handle copy = 0;
  CHECK_EQ(q_handle_dup(handle, Q_RIGHT_ALL & ~right, 0, &copy), 0);
  return copy;
}

static void every_right_is_needed(void) {
  q_handle endpoint, irq, there, lesser;
  make_client(7);
  CHECK_EQ(q_endpoint_create(&endpoint), 0);
  CHECK_EQ(q_irq_create(boot->machine, 40, endpoint, 1, &irq), 0);
  const q_handle named[] = {boot->pager, task, thread, boot->machine, irq, endpoint};
  for (unsigned i = 0; i < sizeof needs / sizeof *needs; i++) {
    const struct needs *n = &needs[i];
    bool space = n->call >= Q_SYS_map && n->call <= Q_SYS_harvest;
    lesser = lacking(named[n->object], n->right);
    struct q_args out = q_syscall(n->call, (struct q_args){lesser, space ? task : n->operation});
    if ((int64_t)out.a0 != -Q_E_RIGHTS)
      printf("# call %u, operation %u\n", n->call, n->operation);
    CHECK_EQ(out.a0, -Q_E_RIGHTS);
    q_handle_close(lesser);
  }
  CHECK_EQ(q_task_give(task, lesser = lacking(endpoint, Q_RIGHT_DUP), 255, 0, &there), -Q_E_RIGHTS);
  CHECK_EQ(q_task_supervise(task, lesser = lacking(endpoint, Q_RIGHT_SEND), 0), -Q_E_RIGHTS);
  CHECK_EQ(q_irq_create(boot->machine, 41, lesser = lacking(endpoint, Q_RIGHT_NOTIFY), 1, &there), -Q_E_RIGHTS);
  CHECK_EQ(q_pager_window(boot->pager, lesser = lacking(task, Q_RIGHT_MANAGE)), -Q_E_RIGHTS);
  CHECK_EQ(q_task_quota(boot->pager, lesser, 1), -Q_E_RIGHTS);
  q_handle_close(lesser);
  CHECK_EQ(q_pager_grant(boot->pager, lesser = lacking(boot->pager, Q_RIGHT_CREATE), FRAME(0)), -Q_E_RIGHTS);
  q_handle_close(lesser);
  CHECK_EQ(q_handle_destroy(irq), 0);
  CHECK_EQ(q_handle_destroy(endpoint), 0);
  destroy_client();
}

/* ---- What random calls have found ---- */
/* Its bits lay where the next endpoint in the same slot has its receivers. */
static void irq_that_is_refused(void) {
  q_handle irq, endpoint, signal;
  struct q_received m;
  CHECK_EQ(q_handle_dup(boot->endpoint, Q_RIGHT_NOTIFY, ~0ul, &signal), 0);
  CHECK_EQ(q_irq_create(boot->machine, 5000, signal, 0x1234567812345678, &irq), -Q_E_ARG);
  CHECK_EQ(q_handle_close(signal), 0);
  CHECK_EQ(q_endpoint_create(&endpoint), 0);
  CHECK_EQ(q_handle_dup(endpoint, Q_RIGHT_NOTIFY, 5, &signal), 0);
  CHECK_EQ(q_notify(signal, 7), 0);
  q_recv(endpoint, &m);
  CHECK(m.kind == Q_MSG_NOTIFY && m.word[0] == 5);
  CHECK_EQ(q_handle_destroy(endpoint), 0);
}

static void window_over_pages(void) {
  q_handle other, endpoint;
  static uint64_t removed[1];
  struct q_unmapped u;
  uint64_t base = (frames + 2 * Q_BLOCK_SIZE) & ~(Q_BLOCK_SIZE - 1ul), block;
  CHECK_EQ(q_pager_create(boot->pager, &other, &endpoint), 0);
  CHECK_EQ(q_pager_grant(boot->pager, other, base), 0);
  make_client(7);
  CHECK_EQ(map(Q_WINDOW + base, FRAME(1) | RW), 0);
  CHECK_EQ(q_pager_window(other, task), -Q_E_EXISTS);
  CHECK_EQ(q_pager_donate(other, base), 0); /* there is no window that it would have to leave */
  CHECK_EQ(q_unmap(boot->pager, task, Q_WINDOW + base, 1, removed, 1, &u), 0);
  CHECK_EQ(u.written, 1);
  CHECK_EQ(q_pager_window(other, task), 0);
  CHECK_EQ(map(Q_WINDOW + base, FRAME(1) | RW), -Q_E_ARG);
  destroy_client();
  CHECK_EQ(q_pager_reclaim(other, &block), 0);
  CHECK_EQ(q_pager_grant(other, boot->pager, base), 0);
  CHECK_EQ(q_handle_destroy(other), 0);
}

static void pager_with_callers(void) {
  q_handle other, endpoint, there;
  CHECK_EQ(q_pager_create(boot->pager, &other, &endpoint), 0);
  memcpy(window(FRAME(0)), client_start, (size_t)(client_end - client_start));
  CHECK_EQ(q_task_create(boot->pager, 1, 4, &task), 0);
  CHECK_EQ(q_task_give(task, endpoint, Q_RIGHT_SEND, 1, &there), 0);
  CHECK_EQ(map(CODE, FRAME(0) | RX), 0);
  CHECK_EQ(q_thread_create(task, 3, &thread), 0);
  run(client_start, 0);
  client_at(Q_STATE_CALL); /* nobody receives */
  CHECK_EQ(q_handle_destroy(other), 0);
  CHECK_EQ(q_notify(endpoint, 1), -Q_E_HANDLE);
  destroy_client();
}

/* The second grant must look at all spaces again, though the first found all there was before it came to the end. */
static void grant_twice(void) {
  uint64_t base = (frames + 2 * Q_BLOCK_SIZE) & ~(Q_BLOCK_SIZE - 1ul);
  struct q_harvested h;
  make_client(7);
  for (unsigned i = 0; i < 2; i++) {
    CHECK_EQ(map(DATA_PAGE, base | RW), 0);
    CHECK_EQ(q_pager_grant(boot->pager, boot->pager, base), 0);
    CHECK_EQ(q_harvest(boot->pager, task, DATA_PAGE, 1, 0, &h), 0);
    CHECK_EQ(h.present, 0);
  }
  destroy_client();
}

/* As many as there are processes. The first program's table grows out of what it donated, another's within its quota. */
static void many_handles(void) {
  enum { NAMES = 20000, QUOTA = 20 };
  static q_handle name[NAMES];
  uint64_t block = (frames + 13 * Q_BLOCK_SIZE) & ~(Q_BLOCK_SIZE - 1ul), good = 0;
  int64_t error;
  CHECK_EQ(q_pager_donate(boot->pager, block), 0); /* which its table keeps */
  CHECK_EQ(q_task_create(boot->pager, 1, QUOTA, &task), 0);
  for (unsigned i = 0; i < NAMES; i++)
    good += q_handle_dup(task, Q_RIGHT_ALL, 0, &name[i]) == 0;
  CHECK_EQ(good, NAMES);
  for (unsigned i = 0; i < NAMES; i++)
    good -= q_handle_close(name[i]) == 0 && q_handle_close(name[i]) == -Q_E_HANDLE;
  CHECK_EQ(good, 0);
  while (!(error = q_task_give(task, boot->endpoint, 0, 0, &name[good])))
    good++;
  CHECK_EQ(error, -Q_E_NOMEM);
  CHECK_EQ(good, 17 + (QUOTA - 1) * 127); /* one page says where the others are */
  CHECK_EQ(q_handle_destroy(task), 0);
}

#define SEEDS 20
#define SEED_STEPS 2000
static uint64_t boot_number(const char *name, uint64_t otherwise) {
  const char *option = strstr(boot->arguments, name);
  return option ? strtoul(option + strlen(name), NULL, 0) : otherwise;
}

/* The boot options seed=N and seeds=N say where to begin and how many to try. */
static void random_calls(void) {
  uint64_t first = boot_number("seed=", 1), last = first + boot_number("seeds=", SEEDS) - 1;
  struct authority with = {boot,
                           (frames + 2 * Q_BLOCK_SIZE) & ~(Q_BLOCK_SIZE - 1ul),
                           client_start,
                           (uint64_t)(client_end - client_start),
                           {0, (uint64_t)(client_illegal - client_start),
                            (uint64_t)(client_call_buffer - client_start),
                            (uint64_t)(client_receive - client_start)}};
  for (uint64_t seed = first; seed <= last; seed++) {
    struct q_info at_first = before;
    printf("# seed %lu\n", (unsigned long)seed);
    before = info_now();
    authority_fuzz(&with, seed, SEED_STEPS);
    tap_after();
    before = at_first;
  }
  authority_report();
}

static const struct test tests[] = {
    {"a fault is answered once", fault_is_answered},
    {"a fault names the frame that does not allow it", fault_names_the_frame},
    {"a failed MAP keeps its token", failed_map_keeps_the_token},
    {"RETRY and REFUSE", retry_and_refuse},
    {"an exception without a supervisor", exception_without_supervisor},
    {"an access fault is an exception", access_fault},
    {"only what is expected is replaced", replace_what_is_expected},
    {"an answer that is overtaken", answer_that_is_overtaken},
    {"accessed and dirty bits", accessed_and_dirty},
    {"ranges with holes", ranges},
    {"one page in registers", one_page},
    {"pages that two spaces share", shared_pages},
    {"pages of a running program are shared", shared_with_a_running_one},
    {"shares that fail", shares_that_fail},
    {"shared in two goes", shared_in_two_goes},
    {"many pages at once", many_pages},
    {"shared as they are", shared_as_they_are},
    {"only the last mappings are told of", last_pages},
    {"a space goes while it is given pages", sharer_goes},
    {"writable or executable, over all spaces", writable_or_executable},
    {"donated memory comes back scrubbed", donation},
    {"kernel memory runs out", kernel_memory_runs_out},
    {"grants, and what is taken back", grants},
    {"whoever is to be granted a block goes", receiver_of_a_grant_goes},
    {"faults outlive the server that took them", faults_outlive_the_server},
    {"a page that does not come delays one client", slow_client},
    {"a refused copy fails one request", refused_copy},
    {"a faulter ends before the answer", faulter_ends},
    {"a copy's fault names the frame", copies_name_the_frame},
    {"a copier ends before the page comes", copier_ends},
    {"a copy's owner ends before the page comes", owner_ends},
    {"a copy whose page comes at once", answered_at_once, ONE_HART},
    {"a copy whose page is refused at once", refused_at_once},
    {"a copy whose page is absent again", absent_again, ONE_HART},
    {"either party ends when a copy has just asked", ends_at_once, ONE_HART},
    {"a task of many threads stops itself", stops_itself},
    {"a quota is raised", quota_is_raised},
    {"wrong arguments", wrong_arguments},
    {"the log, taken by a driver and given back", the_log},
    {"a full log, left by its driver", the_log_is_left},
    {"an interrupt is a notification", interrupts},
    {"an interrupt that could not be had leaves nothing", failed_irq_leaves_nothing},
    {"sleep", sleeping},
    {"every operation needs its right", every_right_is_needed},
    {"an IRQ that is refused leaves nothing", irq_that_is_refused},
    {"a window over pages that are there", window_over_pages},
    {"a pager object ends with callers in its queue", pager_with_callers},
    {"a block is granted twice", grant_twice},
    {"20,000 handles", many_handles},
    {"random calls with all authority", random_calls},
};

_Noreturn void pager_main(const struct q_boot *info) {
  boot = info;
  __libc_init_array(); /* for its streams */
  for (unsigned i = 0; i < boot->free_count; i++)
    if (boot->free[i].bytes > 16 * Q_BLOCK_SIZE)
      frames = (boot->free[i].base + Q_BLOCK_SIZE - 1) & ~(Q_BLOCK_SIZE - 1ul);
  int status = TAP_RUN("kernel", tests);
  fflush(stdout);
  for (;;)
    q_machine_off(boot->machine, (uint64_t)status);
}
