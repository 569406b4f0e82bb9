/* SPDX-License-Identifier: BSD-2-Clause */
/* See authority.h. Keeps no model of what the kernel should answer: its own whole-state checks judge, and that at the end
 * everything can be taken back. What would end this very program is left out. */
#include "authority.h"

#include <string.h>

#include "random.h"

#define BLOCKS AUTHORITY_BLOCKS
#define POOL 12
#define CODE 0x10000ul
#define DATA_PAGE 0x200000ul

enum kind { PAGER, TASK, THREAD, ENDPOINT, IRQ, KINDS };

/* `master` has all rights and is closed by nobody but the end; `use` may be a lesser copy, or void. */
struct entry {
  q_handle master, use;
  q_handle receive, signal, send; /* of a pager's or an endpoint's queue */
  q_handle pager;                 /* of a task */
};

static const struct authority *with;
static const struct q_boot *boot;
static struct entry pool[KINDS][POOL];
static q_handle copies[POOL];
static q_token tokens[POOL], calls[4]; /* not answered yet; calls: with a buffer */
static q_handle owner[BLOCKS];         /* as far as is known: else most choices would be refused */
static q_handle alarm_thread;
static unsigned made[32], good[32]; /* calls, by operation */

/* ---- Choices ------------------------------------------------------------------------------------------------------------ */
static struct entry *some(enum kind kind) {
  return &pool[kind][below(POOL)];
}

static bool harmful(q_handle handle) {
  return handle == boot->thread || handle == boot->task || handle == alarm_thread;
}

/* Mostly what the call wants; else another object's handle, a stale one, or a near one. */
static q_handle pick(enum kind kind) {
  q_handle handle = some(kind)->use;
  unsigned how = (unsigned)below(24);
  if (how == 0)
    handle = some((enum kind)below(KINDS))->use;
  else if (how == 1)
    handle = copies[below(POOL)];
  else if (how == 2)
    handle ^= 1ul << below(34);
  else if (how == 3)
    handle = boot->machine;
  else if (how < 16 && !handle)
    handle = pool[kind][0].use;
  return harmful(handle) ? 0 : handle;
}

static uint64_t some_block(void) {
  return with->blocks + below(BLOCKS) * Q_BLOCK_SIZE;
}

static uint64_t no_frame(void) {
  static const uint64_t bad[] = {0, 0x80000000, 0x80200000, 0x0c000000, 0x18000000, ~0xffful, 1ul << 56};
  return chance(3) ? some_block() + 4096 : bad[below(sizeof bad / sizeof *bad)];
}

static uint64_t some_frame(void) {
  if (chance(30))
    return no_frame();
  return some_block() + below(6) * Q_PAGE_SIZE;
}

static uint64_t block_of(q_handle pager) {
  unsigned block = (unsigned)below(BLOCKS);
  for (unsigned tried = 0; tried < 8 && owner[block] != pager; tried++)
    block = (unsigned)below(BLOCKS);
  return with->blocks + block * Q_BLOCK_SIZE;
}

static uint64_t frame_of(q_handle pager) {
  return block_of(pager) + below(6) * Q_PAGE_SIZE;
}

static void now_owned(uint64_t block, q_handle pager) {
  if ((block - with->blocks) / Q_BLOCK_SIZE < BLOCKS)
    owner[(block - with->blocks) / Q_BLOCK_SIZE] = pager;
}

static uint64_t some_page(void) {
  static const uint64_t base[] = {0,          CODE,          DATA_PAGE,           DATA_PAGE + 0x1fe000,
                                  0x3fffe000, 0x40000000,    Q_WINDOW - 4096,     Q_USER_TOP - 8192,
                                  Q_USER_TOP, 0x3fffffe000l, 0xffffffff80000000ul};
  if (chance(6))
    return Q_WINDOW + some_block() + below(4) * Q_PAGE_SIZE;
  return base[below(chance(8) ? 11 : 6)] + below(4) * Q_PAGE_SIZE + chance(40);
}

static uint64_t some_prot(void) {
  static const uint8_t usual[] = {1, 3, 3, 3, 5};
  return chance(10) ? below(16) : usual[below(5)];
}

static uint64_t some_pages(void) {
  return chance(40) ? next_random() : chance(4) ? below(80) : 1 + below(3);
}

static struct entry *vacant(enum kind kind) {
  for (unsigned i = 0; i < POOL; i++)
    if (!pool[kind][i].master)
      return &pool[kind][i];
  return NULL;
}

static int64_t keep(enum kind kind, int64_t error, q_handle handle) {
  if (!error)
    *vacant(kind) = (struct entry){.master = handle, .use = handle};
  return error;
}

/* ---- A clock for receives: without it one that finds nothing would wait for ever ------------------------------------------ */
extern const char alarm_clock[];
static volatile q_handle alarm_at;

static void alarm_start(void) {
  CHECK_EQ(q_thread_create(boot->task, Q_PRIORITY_PAGER, &alarm_thread), 0);
  CHECK_EQ(q_thread_start(alarm_thread, (uint64_t)alarm_clock, 0, (uint64_t)&alarm_at), 0);
}

static void listen(struct entry *entry, q_handle endpoint) {
  CHECK_EQ(q_handle_dup(endpoint, Q_RIGHT_RECV, 0, &entry->receive), 0);
  CHECK_EQ(q_handle_dup(endpoint, Q_RIGHT_NOTIFY, 1, &entry->signal), 0);
  CHECK_EQ(q_handle_dup(endpoint, Q_RIGHT_SEND | Q_RIGHT_DUP, 2, &entry->send), 0);
}

/* ---- Messages ------------------------------------------------------------------------------------------------------------- */
static void remember(q_token token) {
  tokens[below(POOL)] = token;
}

static void some_answer(struct q_reply *r, q_token token, uint64_t address) {
  *r = (struct q_reply){.label = below(6), .token = token};
  if (r->label == Q_REPLY_MAP || chance(3)) {
    r->label = Q_REPLY_MAP;
    r->word[0] = chance(10) ? some_page() : address & ~0xffful;
    r->word[1] = (chance(2) ? some_frame() : frame_of(boot->pager)) | some_prot();
    r->word[2] = chance(10) ? some_pages() : 1;
    r->word[3] = chance(20) ? some_frame() | 1 : 0;
  } else if (r->label == Q_REPLY_REFUSE) {
    r->word[0] = chance(2) ? Q_E_FAULT : Q_E_NOFRAME;
  } else if (r->label == Q_REPLY_RESUME) {
    r->word[0] = CODE + below(with->code_bytes);
  }
  if (chance(10))
    r->handle = pick((enum kind)below(KINDS));
}

static void handle_message(const struct q_received *m) {
  struct q_reply r;
  char buffer[64];
  uint64_t done;
  if (m->handle)
    q_handle_close(m->handle);
  if (m->kind == Q_MSG_NOTIFY)
    return;
  if (m->read_bytes) {
    q_copy(m->token, Q_COPY_FROM, below(8), buffer, below(60), &done);
    calls[below(4)] = m->token;
    return;
  }
  if (chance(3)) {
    remember(m->token);
    return;
  }
  some_answer(&r, m->token, m->word[0]);
  if (m->kind == Q_MSG_EXCEPTION && chance(2))
    r = (struct q_reply){.label = Q_REPLY_RESUME, .word = {CODE}, .token = m->token};
  if (q_reply(&r) < 0)
    remember(m->token);
}

/* Until the alarm: programs get to run meanwhile, since this one waits. */
static int64_t do_receive(void) {
  struct entry *from = some(chance(2) ? PAGER : ENDPOINT);
  struct q_received m;
  if (!from->receive)
    return -Q_E_HANDLE;
  alarm_at = from->signal;
  for (unsigned i = 0; i < 20; i++) {
    q_recv(from->receive, &m);
    if (m.kind < 0)
      break;
    handle_message(&m);
    if (m.kind == Q_MSG_NOTIFY)
      break;
  }
  alarm_at = 0;
  return m.kind;
}

static int64_t do_answer(void) {
  struct q_reply r;
  uint64_t token = chance(8) ? calls[below(4)] : tokens[below(POOL)];
  if (chance(8))
    token ^= 1ul << below(64);
  some_answer(&r, token, some_page());
  return token ? q_reply(&r) : 0;
}

static int64_t do_copy(void) {
  static char buffer[8192];
  uint64_t done, at = chance(20) ? some_page() : (uint64_t)buffer + below(4200);
  return q_copy(chance(8) ? tokens[below(POOL)] : calls[below(4)], below(16) < 10 ? Q_COPY_FROM : below(4), below(40),
                (void *)at, below(40), &done);
}

static int64_t do_copy_between(void) {
  struct q_copied copied;
  q_token from = calls[below(4)], to = chance(8) ? tokens[below(POOL)] : calls[below(4)];
  return q_copy_between(from, below(40), to, below(40), below(40), &copied);
}

static int64_t do_notify(void) {
  struct entry *to = some(ENDPOINT);
  return q_notify(chance(2) ? to->signal : pick(ENDPOINT), next_random());
}

/* ---- Memory --------------------------------------------------------------------------------------------------------------- */
struct space {
  q_handle pager, task;
};

static struct space some_space(void) {
  const struct entry *task = some(TASK);
  for (unsigned i = 0; i < 3 && !task->use; i++)
    task = some(TASK);
  return chance(8) ? (struct space){pick(PAGER), pick(TASK)} : (struct space){task->pager, task->use};
}

static int64_t do_map(void) {
  struct space s = some_space();
  uint64_t frame = chance(8) ? some_frame() : frame_of(s.pager);
  return q_map(s.pager, s.task, some_page(), frame | some_prot(), some_pages(),
               chance(8) ? frame_of(s.pager) | 1 : 0);
}

static int64_t do_unmap(void) {
  uint64_t last = chance(3) ? Q_UNMAP_LAST : 0;
  static uint64_t removed[8];
  struct q_unmapped u;
  struct space s = some_space();
  uint64_t page = chance(4) ? 0 : some_page(), pages = page ? some_pages() : Q_USER_TOP >> 12;
  if (chance(4)) {
    uint64_t entry;
    return q_unmap_page(s.pager, s.task, page, &entry);
  }
  return q_unmap(s.pager, s.task, page, pages, chance(20) ? (uint64_t *)some_page() : removed, (1 + below(8)) | last,
                 &u);
}

static int64_t do_protect(void) { /* not a huge range: it goes 64 pages at a time */
  struct space s = some_space();
  return q_protect(s.pager, s.task, some_page(), below(300), some_prot());
}

static int64_t do_share(void) {
  struct space s = some_space(), to = some_space();
  for (unsigned i = 0; i < 5 && (to.pager != s.pager || to.task == s.task); i++)
    to = some_space();
  uint64_t page = chance(4) ? 0 : some_page();
  return q_share(s.pager, s.task, to.task, page, page ? below(300) : Q_USER_TOP >> 12, chance(3) ? 0 : some_prot());
}

static int64_t do_harvest(void) {
  struct q_harvested h;
  struct space s = some_space();
  return q_harvest(s.pager, s.task, some_page(), below(70), below(5), &h);
}

static int64_t do_donate(void) {
  q_handle pager = pick(PAGER);
  uint64_t block = chance(10) ? no_frame() : block_of(pager);
  int64_t error = q_pager_donate(pager, block);
  if (!error)
    now_owned(block, 0);
  return error;
}

static int64_t do_reclaim(void) {
  q_handle pager = pick(PAGER);
  uint64_t block;
  int64_t error = q_pager_reclaim(pager, &block);
  if (!error)
    now_owned(block, pager);
  return error;
}

static int64_t do_grant(void) {
  q_handle from = pick(PAGER), to = pick(PAGER);
  uint64_t block = chance(20) ? no_frame() : block_of(from);
  int64_t error = q_pager_grant(from, to, block);
  if (!error)
    now_owned(block, to);
  return error;
}

static int64_t do_window(void) { /* not the first pager's: that has a window */
  return q_pager_window(chance(8) ? pick(PAGER) : some(PAGER)->use, pick(TASK));
}

/* ---- Objects -------------------------------------------------------------------------------------------------------------- */
static int64_t do_pager(void) {
  struct entry *entry = vacant(PAGER);
  q_handle pager, endpoint;
  int64_t error = entry ? q_pager_create(pick(PAGER), &pager, &endpoint) : 0;
  if (!entry || error)
    return error;
  *entry = (struct entry){.master = pager, .use = pager};
  listen(entry, endpoint);
  q_handle_close(endpoint);
  uint64_t block = some_block();
  if (q_pager_grant(boot->pager, pager, block) == 0)
    now_owned(block, pager);
  if (chance(2) && q_pager_donate(pager, block) == 0)
    now_owned(block, 0);
  return 0;
}

static int64_t do_task(void) {
  q_handle task, there, pager = pick(PAGER);
  if (!vacant(TASK))
    return 0;
  struct entry *entry = vacant(TASK);
  if (keep(TASK, q_task_create(pager, below(100), below(8) ? below(8) : below(70), &task), task))
    return -Q_E_ARG;
  entry->pager = pager;
  q_handle to = some(chance(2) ? PAGER : ENDPOINT)->send;
  q_task_give(task, to ? to : pool[PAGER][0].send, Q_RIGHT_SEND, 5, &there);
  q_task_give(task, pick(ENDPOINT), Q_RIGHT_ALL, 0, &there);
  q_map(pager, task, DATA_PAGE, (block_of(pager) + Q_PAGE_SIZE) | Q_PROT_READ | Q_PROT_WRITE, 1, 0);
  return q_map(pager, task, CODE, block_of(pager) | Q_PROT_READ | Q_PROT_EXECUTE, 1, 0);
}

static int64_t do_give(void) {
  q_handle there;
  return q_task_give(pick(TASK), pick((enum kind)below(KINDS)), next_random(), below(4), &there);
}

static int64_t do_supervise(void) {
  return q_task_supervise(pick(TASK), pick(ENDPOINT), below(100));
}

static int64_t do_quota(void) {
  return q_task_quota(pick(PAGER), pick(TASK), below(3));
}

static int64_t do_stop(void) {
  return q_task_stop(pick(TASK));
}

static int64_t do_thread(void) {
  q_handle thread;
  return vacant(THREAD) ? keep(THREAD, q_thread_create(pick(TASK), below(chance(8) ? 9 : 7), &thread), thread) : 0;
}

static int64_t do_start(void) {
  uint64_t pc = chance(8) ? some_page() : CODE + with->entry[below(AUTHORITY_ENTRIES)];
  return q_thread_start(pick(THREAD), pc, DATA_PAGE + below(9000),
                        chance(3)   ? 0
                        : chance(3) ? some_page() & ~7ul
                                    : DATA_PAGE + below(9000));
}

static int64_t do_halt(void) {
  return q_thread_stop(pick(THREAD));
}

static int64_t do_priority(void) {
  return q_thread_priority(pick(THREAD), below(8) ? below(7) : below(20));
}

static int64_t do_endpoint(void) {
  q_handle endpoint;
  struct entry *entry = vacant(ENDPOINT);
  if (!entry || keep(ENDPOINT, q_endpoint_create(&endpoint), endpoint))
    return -Q_E_NOMEM;
  listen(entry, endpoint);
  return 0;
}

static int64_t do_irq(void) {
  q_handle irq;
  uint64_t source = 30 + below(12); /* nothing of the board's */
  if (!vacant(IRQ))
    return 0;
  return keep(IRQ,
              q_irq_create(boot->machine, chance(6) ? below(2) * 5000 : source,
                           chance(3) ? some(ENDPOINT)->signal : pick(ENDPOINT), next_random(), &irq),
              irq);
}

static int64_t do_ack(void) {
  return q_irq_ack(pick(IRQ));
}

static int64_t do_dup(void) {
  q_handle copy, *slot = &copies[below(POOL)];
  int64_t error = q_handle_dup(pick((enum kind)below(KINDS)), next_random(), below(4), &copy);
  if (!error) {
    q_handle_close(*slot);
    *slot = copy;
  }
  return error;
}

static int64_t do_close(void) {
  q_handle *slot = &copies[below(POOL)];
  return q_handle_close(*slot);
}

static void forget_void(void) {
  q_handle copy;
  for (unsigned kind = 0; kind < KINDS; kind++)
    for (unsigned i = 0; i < POOL; i++) {
      struct entry *entry = &pool[kind][i];
      if (!entry->master || q_handle_dup(entry->master, 0, 0, &copy) == -Q_E_HANDLE)
        *entry = (struct entry){0};
      else
        q_handle_close(copy);
    }
}

static int64_t do_destroy(void) {
  int64_t error = q_handle_destroy(pick((enum kind)below(KINDS)));
  if (!error)
    forget_void();
  return error;
}

static const struct {
  const char *name;
  int64_t (*run)(void);
  unsigned weight;
} operations[] = {{"receive", do_receive, 9},   {"answer", do_answer, 5},
                  {"copy", do_copy, 4},         {"copy between", do_copy_between, 4},
                  {"notify", do_notify, 3},     {"map", do_map, 14},
                  {"unmap", do_unmap, 4},       {"protect", do_protect, 6},
                  {"harvest", do_harvest, 3},   {"donate", do_donate, 4},
                  {"reclaim", do_reclaim, 3},   {"share", do_share, 6},
                  {"grant", do_grant, 5},       {"window", do_window, 5},
                  {"pager", do_pager, 2},       {"task", do_task, 5},
                  {"give", do_give, 4},         {"supervise", do_supervise, 2},
                  {"quota", do_quota, 2},       {"stop", do_stop, 1},
                  {"thread", do_thread, 6},     {"start", do_start, 7},
                  {"priority", do_priority, 3}, {"halt", do_halt, 2},
                  {"endpoint", do_endpoint, 2}, {"irq", do_irq, 4},
                  {"ack", do_ack, 1},           {"dup", do_dup, 4},
                  {"close", do_close, 3},       {"destroy", do_destroy, 4}};
#define OPERATIONS (sizeof operations / sizeof *operations)

static unsigned some_operation(void) {
  unsigned total = 0, i = 0;
  for (unsigned k = 0; k < OPERATIONS; k++)
    total += operations[k].weight;
  for (unsigned left = (unsigned)below(total); left >= operations[i].weight; i++)
    left -= operations[i].weight;
  return i;
}

/* ---- Beginning and end ------------------------------------------------------------------------------------------------------ */
static void take_back(q_handle pager) {
  uint64_t block;
  while (q_pager_reclaim(pager, &block) == 0)
    ;
  for (unsigned i = 0; i < BLOCKS; i++)
    q_pager_grant(pager, boot->pager, with->blocks + i * Q_BLOCK_SIZE);
}

static void end_all(enum kind kind) {
  for (unsigned i = 0; i < POOL; i++)
    if (pool[kind][i].master && pool[kind][i].master != boot->endpoint)
      CHECK_EQ(q_handle_destroy(pool[kind][i].master), 0);
}

/* What of programs that have ended waits to be received: until then a page of theirs stays where it is. */
static void drain(void) {
  struct q_received m;
  alarm_at = pool[PAGER][0].signal;
  for (unsigned quiet = 0; quiet < 3; quiet += m.kind == Q_MSG_NOTIFY)
    q_recv(boot->endpoint, &m);
  alarm_at = 0;
}

/* One that was made out of another's donation must go before that. */
static void end_pagers(void) {
  unsigned left = 0;
  for (unsigned round = 0; round < POOL; round++) {
    left = 0;
    for (unsigned i = 1; i < POOL; i++) {
      struct entry *entry = &pool[PAGER][i];
      if (!entry->master)
        continue;
      take_back(entry->master);
      if (q_handle_destroy(entry->master))
        left++;
      else
        *entry = (struct entry){0};
    }
  }
  CHECK_EQ(left, 0);
}

static void begin(const struct authority *a) {
  with = a, boot = a->boot;
  memset(pool, 0, sizeof pool);
  memset(copies, 0, sizeof copies);
  memset(tokens, 0, sizeof tokens);
  memset(calls, 0, sizeof calls);
  for (unsigned i = 0; i < BLOCKS; i++) {
    owner[i] = boot->pager;
    memcpy((char *)Q_WINDOW + with->blocks + i * Q_BLOCK_SIZE, with->code, with->code_bytes);
  }
  pool[PAGER][0] = (struct entry){.master = boot->pager, .use = boot->pager};
  pool[ENDPOINT][0] = (struct entry){.master = boot->endpoint, .use = boot->endpoint};
  listen(&pool[PAGER][0], boot->endpoint);
}

void authority_report(void) {
  for (unsigned i = 0; i < OPERATIONS; i++)
    printf("# %s: %u made, %u good\n", operations[i].name, made[i], good[i]);
}

void authority_fuzz(const struct authority *a, uint64_t seed, unsigned steps) {
  static struct q_info info __attribute__((aligned(512)));
  random_begin(seed);
  begin(a);
  alarm_start();
  for (unsigned i = 0; i < steps; i++) {
    unsigned n = some_operation();
    int64_t result = operations[n].run();
    CHECK(result >= -17);
    made[n]++, good[n] += result >= 0;
    if (i % 32 == 0)
      CHECK_EQ(q_machine_info(boot->machine, &info), 0);
  }
  end_all(TASK);
  end_all(IRQ);
  end_all(ENDPOINT);
  drain();
  end_pagers();
  for (unsigned i = 0; i < POOL; i++)
    q_handle_close(copies[i]);
  q_handle_close(pool[PAGER][0].receive);
  q_handle_close(pool[PAGER][0].signal);
  q_handle_close(pool[PAGER][0].send);
  CHECK_EQ(q_handle_destroy(alarm_thread), 0);
  take_back(boot->pager);
}
