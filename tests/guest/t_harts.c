/* SPDX-License-Identifier: BSD-2-Clause */
/* What harts may do to each other in the kernel, all at once: this program takes the pager's place, as t_kernel's does. Its
 * hands are threads of its own, which answer faults and calls on all harts; the clients are threads of other tasks. */
#include <string.h>

#include "harts.h"
#include "random.h"
#include "tap.h"

#define HANDS 8 /* at most: two a hart */
#define FRAME(n) (frames + (n)*4096ul)
#define POOL 512 /* number of the first frame for data; before it code, COMMON and stacks */
#define POOL_FRAMES 2048
#define RW (Q_PROT_READ | Q_PROT_WRITE)
#define RX (Q_PROT_READ | Q_PROT_EXECUTE)
#define HAND_PRIORITY 6

_Noreturn void pager_main(const struct q_boot *info);
void __libc_init_array(void);
void hand_start(void); /* client.S */
void hand_main(uint64_t number);

static const struct q_boot *boot;
static uint64_t frames; /* the first of many free ones, at a block's start */
static q_handle task;
static volatile struct common *common;
static struct q_info before;

static struct q_info info_now(void) {
  static struct q_info info __attribute__((aligned(512)));
  CHECK_EQ(q_machine_info(boot->machine, &info), 0); /* checks the whole state where that is built in */
  return info;
}

unsigned harts(void) {
  return (unsigned)boot->harts;
}

static void *window(uint64_t frame) {
  return (void *)(Q_WINDOW + frame);
}

static void spin(uint64_t ticks) {
  for (uint64_t end = q_time() + ticks; q_time() < end;)
    ;
}

void tap_before(bool first) {
  (void)first;
  before = info_now();
  memset((void *)common, 0, sizeof *common);
  common->size = harts();
}

void tap_after(void) {
  struct q_info after = info_now();
  CHECK_EQ(common->wrong, 0);
  CHECK_EQ(before.tasks + before.threads * 100 + before.endpoints * 10000,
           after.tasks + after.threads * 100 + after.endpoints * 10000);
  CHECK_EQ(before.handles, after.handles);
  CHECK_EQ(before.tables, after.tables);
  CHECK_EQ(after.ram_frames, after.reserved_frames + after.kernel_frames + after.owned_frames + after.donated_pages);
}

/* ---- Hands --------------------------------------------------------------------------------------------------------------- */
static char stacks[HANDS][8192] __attribute__((aligned(16)));
static q_handle hands[HANDS];
static void (*hand_work)(unsigned number);
static volatile unsigned working;

void hand_main(uint64_t number) {
  hand_work((unsigned)number);
  __atomic_fetch_sub(&working, 1, __ATOMIC_RELEASE);
  for (;;)
    q_sleep_until(~0ul);
}

static void start_hands(unsigned count, void (*work)(unsigned number), unsigned priority) {
  hand_work = work;
  working = count;
  for (unsigned i = 0; i < count; i++) {
    CHECK_EQ(q_thread_create(boot->task, priority, &hands[i]), 0);
    CHECK_EQ(q_thread_start(hands[i], (uint64_t)hand_start, (uint64_t)stacks[i + 1], i), 0);
  }
}

static void end_hands(unsigned count) {
  for (unsigned i = 0; i < count; i++)
    CHECK_EQ(q_handle_destroy(hands[i]), 0);
}

/* ---- A pager of several hands: each page has its frame (of that page for all tasks), or the next one that is free ---- */
static bool one_for_all; /* the first of the two */
static volatile uint64_t next_free, calls_heard;
static volatile uint64_t last_call[CLIENTS];

static uint64_t frame_for(uint64_t va) {
  uint64_t number = one_for_all ? (va - DATA) / 4096 : __atomic_fetch_add(&next_free, 1, __ATOMIC_RELAXED);
  return FRAME(POOL + number % POOL_FRAMES);
}

/* Whoever has a goal is not ended before that, so its calls come in order. */
static struct q_reply answer_call(const struct q_received *m) {
  uint64_t client = m->word[0] % CLIENTS;
  char byte;
  uint64_t done;
  if (m->read_bytes && q_copy(m->token, Q_COPY_FROM, 0, &byte, 1, &done) == -Q_E_PENDING)
    return (struct q_reply){0}; /* COPY_READY comes */
  if (m->write_bytes && q_copy(m->token, Q_COPY_TO, 0, &m->word[1], 8, &done) == -Q_E_PENDING)
    return (struct q_reply){0};
  if (common->goal && m->word[1] != last_call[client] + 1)
    __atomic_fetch_add(&common->wrong, 1, __ATOMIC_RELAXED);
  last_call[client] = m->word[1];
  __atomic_fetch_add(&calls_heard, 1, __ATOMIC_RELAXED);
  return (struct q_reply){.label = 1, .word = {m->word[1]}, .token = m->token};
}

/* A page that is there already is the clients' to use; a token that is void needs no answer. */
static struct q_reply answer_to(const struct q_received *m, const struct q_reply *last) {
  if (m->kind == Q_MSG_FAULT)
    return (struct q_reply){.label = Q_REPLY_MAP,
                            .word = {m->word[0] & ~0xffful, frame_for(m->word[0] & ~0xffful) | RW, 1, 0},
                            .token = m->token};
  if (m->kind == Q_MSG_CALL || m->kind == Q_MSG_COPY_READY)
    return answer_call(m);
  if (m->kind < 0 && m->kind != -Q_E_TOKEN)
    return (struct q_reply){.label = Q_REPLY_RETRY, .token = last->token};
  return (struct q_reply){0};
}

static void page(unsigned number) {
  struct q_reply r = {0};
  (void)number;
  for (;;) {
    struct q_received m;
    q_reply_recv(boot->endpoint, &r, &m);
    r = answer_to(&m, &r);
  }
}

static void start_pagers(bool same) {
  one_for_all = same;
  next_free = calls_heard = 0;
  memset((void *)last_call, 0, sizeof last_call);
  start_hands(harts(), page, HAND_PRIORITY);
}

/* ---- Clients --------------------------------------------------------------------------------------------------------- */
static q_handle threads[CLIENTS];

static int64_t map(uint64_t va, uint64_t frame_prot) {
  return q_map(boot->pager, task, va, frame_prot, 1, 0);
}

/* With the code, the common page and a stack for each client. */
static void make_task(uint64_t badge) {
  q_handle there;
  CHECK_EQ(q_task_create(boot->pager, badge, 16, &task), 0);
  CHECK_EQ(q_task_give(task, boot->endpoint, Q_RIGHT_SEND | Q_RIGHT_NOTIFY, ~0ul, &there), 0);
  for (unsigned i = 0; i < CODE_PAGES; i++)
    CHECK_EQ(map(CODE + i * 4096ul, FRAME(i) | RX), 0);
  CHECK_EQ(map(COMMON, FRAME(CODE_PAGES) | RW), 0);
  CHECK_EQ(q_map(boot->pager, task, STACKS, FRAME(CODE_PAGES + 1) | RW, CLIENTS, 0), 0);
}

static uint64_t entry(client *run) {
  return CODE + (uint64_t)run - (uint64_t)client_code;
}

static void begin(unsigned number, client *run) {
  CHECK_EQ(q_thread_create(task, 3, &threads[number]), 0);
  CHECK_EQ(q_thread_start(threads[number], entry(run), STACKS + (number + 1) * 4096ul, number), 0);
}

static void begin_all(unsigned count, client *run) {
  for (unsigned i = 0; i < count; i++)
    begin(i, run);
}

static bool all_done(unsigned count) {
  for (unsigned i = 0; i < count; i++)
    if (!common->done[i])
      return false;
  return true;
}

/* None of these runs any more. */
static void check_still(unsigned count) {
  uint64_t seen[CLIENTS];
  for (unsigned i = 0; i < count; i++)
    seen[i] = common->count[i];
  spin(2000);
  for (unsigned i = 0; i < count; i++)
    CHECK_EQ(common->count[i], seen[i]);
}

/* ---- Faults ---------------------------------------------------------------------------------------------------------- */
/* How many of these pages' frames are mapped nowhere when that task has lost them. */
static unsigned take_pages(q_handle from) {
  static uint64_t removed[PAGES];
  struct q_unmapped u = {0, DATA, PAGES};
  unsigned written = 0, nowhere = 0;
  for (; u.remain; written += (unsigned)u.written)
    CHECK_EQ(q_unmap(boot->pager, from, u.next, u.remain, removed + written, PAGES - written, &u), 0);
  CHECK_EQ(written, PAGES);
  for (unsigned i = 0; i < written; i++)
    nowhere += removed[i] & 1;
  return nowhere;
}

static void clear_pool(void) {
  memset(window(FRAME(POOL)), 0, POOL_FRAMES * 4096ul);
}

/* Every other frame that was offered must be free again, or the kernel would not take its block. */
static void check_blocks_free(void) {
  uint64_t block;
  for (unsigned i = 0; i < POOL_FRAMES; i += 512) {
    CHECK_EQ(q_pager_donate(boot->pager, FRAME(POOL + i)), 0);
    CHECK_EQ(q_pager_reclaim(boot->pager, &block), 0);
  }
}

static void one_page_at_once(void) {
  clear_pool();
  make_task(1);
  start_pagers(false);
  begin_all(harts(), client_touches);
  WAIT_FOR(all_done(harts()));
  CHECK_EQ(common->count[0], PAGES);
  CHECK_EQ(take_pages(task), PAGES);
  end_hands(harts());
  CHECK_EQ(q_handle_destroy(task), 0);
  check_blocks_free();
}

static void one_frame_at_once(void) {
  q_handle tasks[HANDS];
  clear_pool();
  start_pagers(true);
  for (unsigned i = 0; i < harts(); i++) {
    make_task(i);
    tasks[i] = task;
    begin(i, client_touches);
  }
  WAIT_FOR(all_done(harts()));
  end_hands(harts());
  for (unsigned i = 0; i < harts(); i++) {
    CHECK_EQ(take_pages(tasks[i]), i + 1 < harts() ? 0 : PAGES);
    CHECK_EQ(q_handle_destroy(tasks[i]), 0);
  }
  check_blocks_free();
}

/* The threads of one program fault in tables of their own, which go again and again. */
static void tables_go(void) {
  static uint64_t removed[512];
  struct q_unmapped u;
  start_pagers(false);
  make_task(1);
  begin_all(harts(), client_strides);
  for (unsigned round = 0; round < 300; round++) {
    uint64_t part = round % (harts() * TABLES), seen = common->count[part / TABLES];
    for (u = (struct q_unmapped){0, DATA + part * Q_BLOCK_SIZE, 512}; u.remain;)
      CHECK_EQ(q_unmap(boot->pager, task, u.next, u.remain, removed, 512, &u), 0);
    spin(round * 37 % 1000);
    WAIT_FOR(common->count[part / TABLES] != seen);
  }
  CHECK_EQ(q_handle_destroy(task), 0);
  end_hands(harts());
  check_blocks_free();
}

/* ---- Pages that go while all harts write to them ---------------------------------------------------------------------- */
enum change { UNMAP, PROTECT, SHARE, REPLACE, CHANGES };

static void change_page(enum change how, q_handle other) {
  static uint64_t removed[1];
  struct q_unmapped u;
  if (how == UNMAP)
    CHECK_EQ(q_unmap(boot->pager, task, DATA, 1, removed, 1, &u), 0);
  else if (how == PROTECT)
    CHECK_EQ(q_protect(boot->pager, task, DATA, 1, Q_PROT_READ), 0);
  else if (how == SHARE)
    CHECK_EQ(q_share(boot->pager, task, other, DATA, 1, Q_PROT_READ), 0);
  else
    CHECK_EQ(q_map(boot->pager, task, DATA, FRAME(POOL + 1) | RW, 1, FRAME(POOL) | 1), 0);
}

/* What each has written so far stays the last word in that frame: each would write again at once. */
static void check_unwritten(unsigned writers) {
  volatile uint64_t *words = window(FRAME(POOL));
  uint64_t seen[CLIENTS];
  for (unsigned i = 0; i < writers; i++)
    seen[i] = words[i];
  spin(300);
  for (unsigned i = 0; i < writers; i++)
    if (words[i] != seen[i])
      CHECK_EQ(words[i], seen[i]);
}

static void writable_again(enum change how, unsigned writers) {
  struct q_received m;
  uint64_t there = how == UNMAP ? 0 : FRAME(how == REPLACE ? POOL + 1 : POOL) | Q_EXPECT;
  there |= how == SHARE ? Q_EXPECT_SHARED : 0;
  q_token tokens[CLIENTS];
  for (unsigned i = 0; i < writers && how != REPLACE; i++) {
    q_recv(boot->endpoint, &m);
    CHECK(m.kind == Q_MSG_FAULT && m.word[0] >> 12 == DATA >> 12);
    tokens[i] = m.token;
  }
  CHECK_EQ(q_map(boot->pager, task, DATA, FRAME(POOL) | RW, 1, there), 0);
  for (unsigned i = 0; i < writers && how != REPLACE; i++)
    CHECK_EQ(q_reply(&(struct q_reply){.label = Q_REPLY_RETRY, .token = tokens[i]}), 0);
}

/* One that runs may need a fault for its first write; that is answered by the round it falls into. */
static void pages_go(void) {
  unsigned writers = harts() - 1;
  q_handle other;
  make_task(1);
  CHECK_EQ(q_task_create(boot->pager, 2, 4, &other), 0);
  CHECK_EQ(map(DATA, FRAME(POOL) | RW), 0);
  begin_all(writers, client_writes);
  for (unsigned i = 0; i < writers; i++)
    WAIT_FOR(common->count[i]);
  for (unsigned round = 0; round < 400; round++) {
    static uint64_t removed[1];
    struct q_unmapped u;
    spin(round % 7 * 50);
    change_page(round % CHANGES, other);
    check_unwritten(writers);
    writable_again(round % CHANGES, writers);
    if (round % CHANGES == SHARE)
      CHECK_EQ(q_unmap(boot->pager, other, DATA, 1, removed, 1, &u), 0);
  }
  CHECK_EQ(q_handle_destroy(other), 0);
  CHECK_EQ(q_handle_destroy(task), 0);
  check_still(writers);
}

/* On all harts numbers are copied into one page, which gets another frame again and again: nothing comes into the one before. */
static void copies_end(void) {
  volatile uint64_t *words;
  uint64_t seen[CLIENTS];
  clear_pool();
  start_pagers(true);
  make_task(1);
  CHECK_EQ(map(DATA, FRAME(POOL) | RW), 0);
  begin_all(harts(), client_fetches);
  for (unsigned round = 0; round < 400; round++) {
    spin(round % 7 * 50);
    CHECK_EQ(q_map(boot->pager, task, DATA, FRAME(POOL + !(round & 1)) | RW, 1, FRAME(POOL + (round & 1)) | Q_EXPECT),
             0);
    words = window(FRAME(POOL + (round & 1)));
    for (unsigned i = 0; i < harts(); i++)
      seen[i] = words[i];
    spin(300);
    for (unsigned i = 0; i < harts(); i++)
      if (words[i] != seen[i])
        CHECK_EQ(words[i], seen[i]);
    words = window(FRAME(POOL + !(round & 1)));
    WAIT_FOR(words[round % harts()] > seen[round % harts()]);
  }
  CHECK_EQ(q_handle_destroy(task), 0);
  end_hands(harts());
  check_blocks_free();
}

/* Who copies goes on until the page is another frame's, and its first is written to. It copies byte by byte, since not
 * to where the bytes lie in their words, so that each copy takes as long as that. */
static struct q_reply copy_lent(const struct q_received *m) {
  static char copied[1 + LENT_BYTES];
  uint64_t n = m->word[1], last, done;
  common->heard[1] = n;
  do {
    int64_t error = q_copy(m->token, Q_COPY_FROM, 0, copied + 1, LENT_BYTES, &done);
    memcpy(&last, copied + 1 + LENT_BYTES - sizeof last, sizeof last);
    if (error || last != n)
      __atomic_fetch_add(&common->wrong, 1, __ATOMIC_RELAXED);
  } while (common->count[1] != n);
  return (struct q_reply){.label = 1, .token = m->token};
}

/* A page goes, which makes the copier's hart forget the space: then the answer takes a fast path. */
static struct q_reply break_lent(const struct q_received *m) {
  uint64_t removed, page = m->word[0] & ~0xffful, n = (page - DATA) / 8192;
  uint64_t first = FRAME(POOL + 2 * n), second = FRAME(POOL + 2 * n + 1);
  struct q_unmapped u;
  memcpy(window(second), window(first), 4096);
  if (q_unmap(boot->pager, task, LENT(n - 1), 1, &removed, 1, &u) || u.written != 1)
    __atomic_fetch_add(&common->wrong, 1, __ATOMIC_RELAXED);
  return (struct q_reply){
      .label = Q_REPLY_MAP, .word = {page, second | RW, 1, first | Q_EXPECT | Q_EXPECT_SHARED}, .token = m->token};
}

static void lend(unsigned number) {
  struct q_reply r = {0};
  (void)number;
  for (;;) {
    struct q_received m;
    q_reply_recv(boot->endpoint, &r, &m);
    r = m.kind == Q_MSG_FAULT ? break_lent(&m) : copy_lent(&m);
  }
}

/* One hart copies from a page of a program whose other thread runs elsewhere, and gets it another frame there: what arrives was in that
 * page, and not what is written into its first frame after that. */
static void copies_are_of_the_page(void) {
  enum { ROUNDS = 250 };
  clear_pool();
  make_task(1);
  for (uint64_t n = 0; n <= ROUNDS; n++) {
    ((uint64_t *)window(FRAME(POOL + 2 * n)))[LENT_BYTES / 8 - 1] = n;
    CHECK_EQ(map(LENT(n), FRAME(POOL + 2 * n) | Q_PROT_READ), 0);
    CHECK_EQ(map(LENT(n) + 4096, FRAME(POOL + 2 * n) | RW), 0);
  }
  common->goal = ROUNDS;
  start_hands(harts(), lend, HAND_PRIORITY);
  begin_all(1, client_lends_pages);
  begin(1, client_breaks);
  WAIT_FOR(all_done(2));
  CHECK_EQ(q_handle_destroy(task), 0);
  end_hands(harts());
  check_blocks_free();
}

/* ---- Ends from another hart ------------------------------------------------------------------------------------------- */
static client *const states[] = {client_spins,    client_calls,    client_faults, client_sleeps,
                                 client_receives, client_notifies, client_lends,  client_computes};
#define STATES (sizeof states / sizeof *states)

static void forget_calls(void) {
  memset((void *)last_call, 0, sizeof last_call);
  for (unsigned i = 0; i < CLIENTS; i++)
    common->count[i] = 0;
}

/* In all states at a moment that is another each time: a task, or its threads one by one. */
static void ended_elsewhere(void) {
  start_pagers(true);
  for (unsigned round = 0; round < 300; round++) {
    make_task(1);
    forget_calls();
    for (unsigned i = 0; i < STATES; i++)
      begin(i, states[i]);
    spin(round * 37 % 3000);
    for (unsigned i = 0; i < STATES && round % 2; i++)
      CHECK_EQ(q_handle_destroy(threads[(i + round) % STATES]), 0);
    if (round % 2)
      check_still(STATES);
    CHECK_EQ(q_handle_destroy(task), 0);
    check_still(STATES);
  }
  end_hands(harts());
  check_blocks_free();
}

static void priorities_change(void) {
  unsigned count = 2 * harts();
  uint64_t seen[CLIENTS];
  make_task(1);
  begin_all(count, client_spins);
  random_begin(5);
  for (unsigned i = 0; i < 20000; i++)
    CHECK_EQ(q_thread_priority(threads[below(count)], below(6)), 0);
  for (unsigned i = 0; i < count; i++)
    CHECK_EQ(q_thread_priority(threads[i], 3), 0);
  for (unsigned i = 0; i < count; i++)
    seen[i] = common->count[i];
  for (unsigned i = 0; i < count; i++)
    WAIT_FOR(common->count[i] != seen[i]);
  CHECK_EQ(q_handle_destroy(task), 0);
}

/* Its hart runs one whose slice is over, which has been no matter so far: who waits there is of a lower priority. */
static void slices_end_elsewhere(void) {
  unsigned spinners = harts() - 1, late = spinners, low = late + 1;
  struct q_received m[2];
  make_task(1);
  begin(late, client_calls);
  spin(20000);
  begin(low, client_calls);
  spin(20000);
  begin_all(spinners, client_spins);
  for (unsigned i = 0; i < spinners; i++)
    WAIT_FOR(common->count[i]);
  CHECK_EQ(q_thread_priority(threads[low], 1), 0);
  for (unsigned i = 0; i < 2; i++) {
    q_recv(boot->endpoint, &m[i]);
    CHECK(m[i].kind == Q_MSG_CALL);
  }
  for (unsigned i = 2; i--; spin(500000))
    CHECK_EQ(q_reply(&(struct q_reply){.label = 1, .word = {1}, .token = m[i].token}), 0);
  WAIT_FOR(common->count[late] == 1);
  CHECK_EQ(q_handle_destroy(task), 0);
}

/* Both start while their hart goes on with one above them, whose slice is over, as has been no matter so far: each has to be
 * taken by another hart, and one that has been told of the first is not there for the second. */
static volatile unsigned ready, left;

/* Waits, and leaves this hart to nobody; of two harts it does now and then, or two threads that never wait had but one. */
static bool comes(const volatile unsigned *number, unsigned value) {
  for (uint64_t end = q_time() + WAIT_TICKS; *number != value && q_time() < end;)
    if (harts() == 2)
      q_sleep_until(q_time() + NAP);
  CHECK_EQ(*number, value);
  return *number == value;
}

static void get_ready(unsigned number) {
  (void)number;
  __atomic_fetch_add(&ready, 1, __ATOMIC_SEQ_CST);
  for (;;)
    ;
}

static void two_start_at_once(void) {
  for (unsigned round = 0; round < 100; round++) {
    ready = 0;
    q_sleep_until(q_time() + 1000); /* then a slice begins */
    spin(120000);
    start_hands(2, get_ready, 3);
    bool came = comes(&ready, 2);
    end_hands(2);
    if (!came)
      return;
  }
}

/* Who waits behind one that cannot be moved, its floating-point registers being in that hart, where this one goes on: a hart that
 * has nothing to do any more takes it all the same. */
static void one_behind_goes(void) {
  unsigned spinners = harts() - 1, behind = spinners;
  client *const runs[] = {client_calls, client_reckons};
  struct q_received m[2];
  make_task(1);
  begin_all(spinners, client_spins);
  for (unsigned i = 0; i < spinners; i++)
    WAIT_FOR(common->count[i]);
  for (unsigned i = 0; i < 2; i++) {
    begin(behind + i, runs[i]);
    q_recv(boot->endpoint, &m[i]);
    CHECK_EQ(m[i].word[0], behind + i);
  }
  for (unsigned i = 2; i--;)
    CHECK_EQ(q_reply(&(struct q_reply){.label = 1, .word = {1}, .token = m[i].token}), 0);
  CHECK_EQ(q_handle_destroy(threads[0]), 0);
  for (uint64_t end = q_time() + WAIT_TICKS; !common->count[behind] && q_time() < end;)
    ;
  CHECK_EQ(common->count[behind], 1);
  WAIT_FOR(common->count[behind + 1] == 1);
  CHECK_EQ(q_handle_destroy(task), 0);
}

/* Of two that end each other one is left. */

static void end_other(unsigned number) {
  __atomic_fetch_add(&ready, 1, __ATOMIC_SEQ_CST);
  while (ready != 2)
    ;
  if (!q_handle_destroy(hands[1 - number]))
    __atomic_fetch_add(&left, 1, __ATOMIC_SEQ_CST);
}

static void one_is_left(void) {
  for (unsigned round = 0; round < 60; round++) {
    ready = left = 0;
    start_hands(2, end_other, 3);
    bool came = comes(&left, 1);
    for (unsigned i = 0; i < 2; i++)
      q_handle_destroy(hands[i]);
    if (!came)
      return;
  }
}

/* ---- Floating point ---------------------------------------------------------------------------------------------------- */
static void registers_follow(void) {
  unsigned count = 3 * harts();
  uint64_t moves = info_now().moves;
  make_task(1);
  start_pagers(true);
  begin_all(count, client_computes);
  for (unsigned i = 0; i < count; i++)
    WAIT_FOR(common->count[i] > 2000);
  WAIT_FOR(info_now().moves > moves + 20);
  end_hands(harts());
  CHECK_EQ(q_handle_destroy(task), 0);
}

/* ---- Messages ----------------------------------------------------------------------------------------------------------- */
static void calls_are_counted(void) {
  unsigned count = 2 * harts();
  make_task(1);
  start_pagers(true);
  common->goal = 5000;
  begin_all(count, client_calls);
  WAIT_FOR(all_done(count));
  CHECK_EQ(calls_heard, count * common->goal);
  end_hands(harts());
  CHECK_EQ(q_handle_destroy(task), 0);
}

/* All hands answer the same token at the same moment: it is good for one of them. */
static volatile q_token offered;
static volatile uint64_t offer, answered, refused;

static void answer_offered(uint64_t number) {
  int64_t error = q_reply(&(struct q_reply){.label = 1, .word = {number}, .token = offered});
  if (error && error != -Q_E_TOKEN)
    __atomic_fetch_add(&common->wrong, 1, __ATOMIC_RELAXED);
  __atomic_fetch_add(error ? &refused : &answered, 1, __ATOMIC_SEQ_CST);
}

static void answer_offers(unsigned number) {
  (void)number;
  for (uint64_t seen = 0; offer != ~0ul;)
    if (offer != seen && offer != ~0ul)
      answer_offered(seen = offer);
}

static void tokens_are_good_once(void) {
  enum { ROUNDS = 3000 };
  unsigned count = harts() - 1;
  struct q_received m;
  offer = answered = refused = 0;
  common->goal = ROUNDS;
  make_task(1);
  start_hands(count, answer_offers, 3);
  begin(0, client_calls);
  for (unsigned i = 1; i <= ROUNDS; i++) {
    q_recv(boot->endpoint, &m);
    CHECK_EQ(m.word[1], i);
    offered = m.token;
    __atomic_store_n(&offer, i, __ATOMIC_SEQ_CST);
    answer_offered(i);
    while (answered + refused < i * (count + 1ul))
      q_sleep_until(q_time() + 50);
    CHECK_EQ(answered, i);
  }
  offer = ~0ul;
  WAIT_FOR(all_done(1) && !working);
  end_hands(count);
  CHECK_EQ(q_handle_destroy(task), 0);
}

/* Each client has one bit, and notifies it again when that was heard. */
static void notifications_arrive(void) {
  unsigned count = harts();
  uint64_t heard = 0;
  struct q_received m;
  make_task(1);
  common->goal = 5000;
  begin_all(count, client_signals);
  while (heard < count * common->goal) {
    q_recv(boot->endpoint, &m);
    CHECK_EQ(m.kind, Q_MSG_NOTIFY);
    for (unsigned i = 0; i < count; i++)
      if (m.word[0] >> i & 1) {
        CHECK(common->count[i] == common->heard[i] + 1); /* not twice */
        common->heard[i]++;
        heard++;
      }
  }
  WAIT_FOR(all_done(count));
  CHECK_EQ(q_handle_destroy(task), 0);
}

static void timers_on_all(void) {
  unsigned count = 4 * harts();
  make_task(1);
  common->goal = 300;
  begin_all(count, client_naps);
  WAIT_FOR(all_done(count));
  CHECK_EQ(q_handle_destroy(task), 0);
}

/* ---- Anything at once ------------------------------------------------------------------------------------------------ */
#define SLOTS 12
#define OPERATIONS 100000
static q_handle some_task[SLOTS], some_thread[SLOTS], some_endpoint[SLOTS], some_copy[SLOTS];
static volatile uint64_t operations, good;

struct actor {
  uint64_t random, removed[8];
};

static uint64_t draw(struct actor *a, uint64_t limit) { /* xorshift64 (Marsaglia 2003) */
  a->random ^= a->random << 13;
  a->random ^= a->random >> 7;
  a->random ^= a->random << 17;
  return (a->random >> 11) % limit;
}

static q_handle one_of(struct actor *a, const q_handle *pool) {
  return __atomic_load_n(&pool[draw(a, SLOTS)], __ATOMIC_ACQUIRE);
}

/* In place of one of these, which goes. */
static int64_t replace(struct actor *a, q_handle *pool, q_handle with) {
  q_handle old = __atomic_exchange_n(&pool[draw(a, SLOTS)], with, __ATOMIC_ACQ_REL);
  return old ? q_handle_destroy(old) : 0;
}

static int64_t act_task(struct actor *a) {
  q_handle made, there;
  if (draw(a, 4) || q_task_create(boot->pager, 9, 4, &made))
    return -1;
  q_task_give(made, boot->endpoint, Q_RIGHT_SEND | Q_RIGHT_NOTIFY, ~0ul, &there);
  q_map(boot->pager, made, CODE, FRAME(0) | RX, CODE_PAGES, 0);
  q_map(boot->pager, made, COMMON, FRAME(CODE_PAGES) | RW, 1, 0);
  q_map(boot->pager, made, STACKS, FRAME(CODE_PAGES + 1) | RW, CLIENTS, 0);
  return replace(a, some_task, made);
}

static int64_t act_thread(struct actor *a) {
  static uint64_t stack; /* two of the same would use up each other's */
  uint64_t number = __atomic_fetch_add(&stack, 1, __ATOMIC_RELAXED) % CLIENTS;
  client *const runs[] = {client_spins, client_calls, client_faults, client_sleeps, client_receives, client_lends};
  q_handle made;
  if (q_thread_create(one_of(a, some_task), draw(a, 3), &made))
    return -1;
  q_thread_start(made, entry(runs[draw(a, 6)]), STACKS + (number + 1) * 4096ul, number);
  return replace(a, some_thread, made);
}

static int64_t act_endpoint(struct actor *a) {
  q_handle made;
  return q_endpoint_create(&made) ? -1 : replace(a, some_endpoint, made);
}

static int64_t act_copy(struct actor *a) {
  const q_handle *const pools[] = {some_task, some_thread, some_endpoint};
  q_handle made;
  if (q_handle_dup(one_of(a, pools[draw(a, 3)]), Q_RIGHT_ALL, 5, &made))
    return -1;
  q_handle old = __atomic_exchange_n(&some_copy[draw(a, SLOTS)], made, __ATOMIC_ACQ_REL);
  return old ? q_handle_close(old) : 0;
}

static int64_t act_map(struct actor *a) {
  uint64_t prot = draw(a, 2) ? RW : Q_PROT_READ;
  return q_map(boot->pager, one_of(a, some_task), DATA + draw(a, 64) * 4096, FRAME(POOL + draw(a, 64)) | prot, 1, 0);
}

static int64_t act_unmap(struct actor *a) {
  struct q_unmapped u;
  return q_unmap(boot->pager, one_of(a, some_task), DATA + draw(a, 64) * 4096, 1 + draw(a, 8), a->removed, 8, &u);
}

static int64_t act_protect(struct actor *a) {
  return q_protect(boot->pager, one_of(a, some_task), DATA + draw(a, 64) * 4096, draw(a, 9),
                   draw(a, 2) ? RW : Q_PROT_READ);
}

static int64_t act_share(struct actor *a) {
  return q_share(boot->pager, one_of(a, some_task), one_of(a, some_task), DATA + draw(a, 64) * 4096, draw(a, 9),
                 Q_PROT_READ);
}

static int64_t act_harvest(struct actor *a) {
  struct q_harvested h;
  return q_harvest(boot->pager, one_of(a, some_task), DATA, 64, draw(a, 4), &h);
}

static int64_t act_priority(struct actor *a) {
  return q_thread_priority(one_of(a, some_thread), draw(a, 3));
}

static int64_t act_notify(struct actor *a) {
  return q_notify(one_of(a, some_endpoint), 1);
}

static int64_t act_info(struct actor *a) {
  struct q_task_state state;
  return q_task_info(one_of(a, some_task), &state);
}

static int64_t act_sleep(struct actor *a) {
  return q_sleep_until(q_time() + draw(a, 300));
}

static void act(unsigned number) {
  static int64_t (*const acts[])(struct actor *) = {act_task,    act_thread,   act_thread, act_endpoint, act_copy,
                                                    act_map,     act_map,      act_unmap,  act_protect,  act_share,
                                                    act_harvest, act_priority, act_notify, act_info,     act_sleep};
  struct actor a = {.random = (number + 1) * 0x9e3779b97f4a7c15};
  while (__atomic_fetch_add(&operations, 1, __ATOMIC_RELAXED) < OPERATIONS)
    if (acts[draw(&a, sizeof acts / sizeof *acts)](&a) == 0)
      __atomic_fetch_add(&good, 1, __ATOMIC_RELAXED);
}

static void act_or_page(unsigned number) {
  if (number < harts())
    act(number);
  else
    page(number);
}

static void destroy_all(q_handle *pool) {
  for (unsigned i = 0; i < SLOTS; i++, pool++)
    if (*pool)
      q_handle_destroy(*pool), *pool = 0;
}

/* Threads on all harts make any calls beside clients that are ended, mapped and unmapped at any moment. */
static void anything_at_once(void) {
  unsigned count = 2 * harts() < HANDS ? 2 * harts() : HANDS;
  operations = good = 0;
  one_for_all = true;
  start_hands(count, act_or_page, 3);
  while (working > count - harts()) {
    q_sleep_until(q_time() + 200000);
    info_now();
  }
  end_hands(count);
  for (unsigned i = 0; i < SLOTS; i++)
    q_handle_close(some_copy[i]), some_copy[i] = 0;
  destroy_all(some_thread);
  destroy_all(some_task);
  destroy_all(some_endpoint);
  printf("# %lu of %u operations did something\n", (unsigned long)good, OPERATIONS);
  CHECK(good > OPERATIONS / 4);
  check_blocks_free();
}

static const struct test tests[] = {
    {"all harts fault on one page at once", one_page_at_once, MANY_HARTS},
    {"one frame is mapped by all harts at once", one_frame_at_once, MANY_HARTS},
    {"threads of one program fault in tables that go", tables_go, MANY_HARTS},
    {"a page that goes is not written by another hart any more", pages_go, MANY_HARTS},
    {"a page that goes is not copied to any more", copies_end, MANY_HARTS},
    {"a page that gets another frame while it is copied from", copies_are_of_the_page, MANY_HARTS},
    {"threads in every state are ended from another hart", ended_elsewhere, MANY_HARTS},
    {"the priority of one that runs elsewhere", priorities_change, MANY_HARTS},
    {"a slice that is over elsewhere ends for one who comes", slices_end_elsewhere, MANY_HARTS},
    {"two threads start while a third goes on", two_start_at_once, MANY_HARTS},
    {"one behind a thread that cannot be moved goes elsewhere", one_behind_goes, MANY_HARTS},
    {"two threads end each other", one_is_left, MANY_HARTS},
    {"floating-point registers follow a thread that moves", registers_follow, MANY_HARTS},
    {"calls of all harts: none is lost, none comes twice", calls_are_counted, MANY_HARTS},
    {"a token is answered by all harts at once", tokens_are_good_once, MANY_HARTS},
    {"notifications of all harts: none is lost, none comes twice", notifications_arrive, MANY_HARTS},
    {"sleepers on all harts", timers_on_all, MANY_HARTS},
    {"100,000 calls of any kind at once", anything_at_once, MANY_HARTS},
};

_Noreturn void pager_main(const struct q_boot *info) {
  boot = info;
  __libc_init_array();
  for (unsigned i = 0; i < boot->free_count; i++)
    if (boot->free[i].bytes > 16 * Q_BLOCK_SIZE)
      frames = (boot->free[i].base + Q_BLOCK_SIZE - 1) & ~(Q_BLOCK_SIZE - 1ul);
  memcpy(window(FRAME(0)), client_code, (size_t)(client_code_end - client_code));
  common = window(FRAME(CODE_PAGES));
  int status = TAP_RUN("harts", tests);
  fflush(stdout);
  for (;;)
    q_machine_off(boot->machine, (uint64_t)status);
}
