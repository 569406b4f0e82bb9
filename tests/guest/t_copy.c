/* SPDX-License-Identifier: BSD-2-Clause */
/* Kernel copies: pages that are not there yet come, without that the server hears of it, as the pager waits and answers at
 * once (t_kernel has those that do not); what is illegal is an error for whoever asked, and either side may die
 * in the middle. The clients are victims that call with a buffer at a named place; this program is their server. */
#include "access.h"
#include "tap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static q_handle endpoint;
static char buffer[40 * 4096];
static unsigned pendings;

/* Receives the call of a client that was just started. */
static struct q_received accept_call(void) {
  struct q_received m;
  q_recv(endpoint, &m);
  CHECK_EQ(m.kind, Q_MSG_CALL);
  return m;
}

/* Copies to the end, through as many pending pages as there are. 0 or a negated error. */
static int64_t copy_all(q_token token, unsigned direction, void *own, uint64_t bytes) {
  uint64_t done = 0, total = 0;
  for (;;) {
    int64_t error = q_copy(token, direction, total, (char *)own + total, bytes - total, &done);
    total += error == -Q_E_PENDING || !error ? done : 0;
    if (error != -Q_E_PENDING)
      return error;
    struct q_received m;
    pendings++;
    q_recv(endpoint, &m);
    CHECK_EQ(m.token, token);
    if (m.kind == Q_MSG_COPY_FAILED)
      return -(int64_t)m.error;
    CHECK_EQ(m.kind, Q_MSG_COPY_READY);
  }
}

static uint64_t start(const char *direction, const char *where, const char *offset, const char *bytes) {
  q_handle gift;
  CHECK_EQ(q_handle_dup(endpoint, Q_RIGHT_SEND | Q_RIGHT_DUP, 5, &gift), 0);
  uint64_t id = spawn(gift, ARGV("victim", "call", direction, where, offset, bytes));
  q_handle_close(gift);
  return id;
}

static void finish(uint64_t id, q_token token, uint64_t label) {
  struct p_death death;
  CHECK_EQ(q_reply(&(struct q_reply){.label = label, .token = token}), 0);
  CHECK_EQ(p_wait_for(id, &death), id);
  CHECK_EQ(death.reason, P_REASON_EXIT);
  CHECK_EQ(death.status, label);
}

/* One client, one copy; what the copy says. */
static int64_t transfer(const char *direction, const char *where, const char *offset, const char *bytes) {
  uint64_t id = start(direction, where, offset, bytes);
  struct q_received m = accept_call();
  bool reads = !strcmp(direction, "read");
  CHECK_EQ(reads ? m.read_bytes : m.write_bytes, strtoul(bytes, NULL, 0));
  CHECK_EQ(m.badge, 5);
  int64_t error = copy_all(m.token, reads ? Q_COPY_FROM : Q_COPY_TO, buffer, strtoul(bytes, NULL, 0));
  finish(id, m.token, 7);
  return error;
}

static void absent_pages_come(void) {
  pendings = 0;
  memset(buffer, 1, sizeof buffer);
  CHECK_EQ(transfer("read", "heap", "0", "4096"), 0);
  for (unsigned i = 0; i < 4096; i++)
    if (buffer[i])
      CHECK_EQ(buffer[i], 0);
  CHECK_EQ(transfer("write", "heap", "0", "4096"), 0);
  CHECK(harts() > 1 || pendings == 0); /* else the pager may be at work on another */
}

static void many_pages(void) {
  pendings = 0;
  CHECK_EQ(transfer("write", "big", "100", "150000"), 0);
  CHECK_EQ(transfer("read", "big", "4095", "2"), 0);
  CHECK_EQ(transfer("read", "big", "4093", "8195"), 0);
  CHECK(harts() > 1 || pendings == 0); /* else the pager may be at work on another */
}

/* Both sides lie anywhere in their words and pages. The time without interrupts is bounded for each pair (irq_off.py). */
#define SHIFTED 20000
void thread_entry(void); /* libsys/thread.S */

static void copier_main(void *argument) {
  struct q_received m;
  uint64_t done;
  q_recv(endpoint, &m);
  int64_t error = q_copy(m.token, Q_COPY_FROM, 0, argument, m.read_bytes, &done);
  q_reply(&(struct q_reply){.label = error ? 99 : done == m.read_bytes, .token = m.token});
  for (;;)
    q_sleep_until(~0ul);
}

/* Without malloc(), since the other tests count on where the break is. */
static void start_thread(struct p_thread *thread, unsigned which, void (*main)(void *), void *argument) {
  static char stacks[2][8192]
      __attribute__((aligned(64))); /* thread-local variables above it, none of which is used */
  char *stack = stacks[which];
  *thread = (struct p_thread){0, main, argument, NULL};
  CHECK_EQ(q_thread_create(P_HANDLE_TASK, Q_PRIORITY_PROGRAM, &thread->handle), 0);
  CHECK_EQ(q_thread_start(thread->handle, (uint64_t)thread_entry, (uint64_t)(stack + 4096), (uint64_t)thread), 0);
}

static void shifted_buffers(void) {
  static const unsigned shift[] = {0, 1, 2, 8, 2047, 2049, 4093};
  static char from[SHIFTED + 4096], to[SHIFTED + 4096] __attribute__((aligned(4096)));
  enum { SHIFTS = sizeof shift / sizeof *shift };
  for (unsigned i = 0; i < sizeof from; i++)
    from[i] = (char)(i * 7 + i / 251);
  for (unsigned i = 0; i < SHIFTS * SHIFTS; i++) {
    char *a = from + shift[i / SHIFTS], *b = to + shift[i % SHIFTS];
    struct p_thread copier;
    struct q_call c = {.label = 1, .read = a, .read_bytes = SHIFTED};
    memset(to, 1, sizeof to);
    start_thread(&copier, 0, copier_main, b);
    CHECK_EQ(q_call(endpoint, &c), 0);
    CHECK_EQ(c.label, 1);
    CHECK(!memcmp(a, b, SHIFTED) && b[SHIFTED] == 1 && (b == to || b[-1] == 1));
    CHECK_EQ(q_handle_destroy(copier.handle), 0);
  }
}

static void illegal_buffers(void) {
  static const char *const bad[] = {"null",    "near-null", "break",       "guard",         "kernel",
                                    "physmap", "last",      "above-stack", "non-canonical", "user-top"};
  for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
    CHECK_EQ(transfer("read", bad[i], "0", "1"), -Q_E_PEER);
    CHECK_EQ(transfer("write", bad[i], "0", "64"), -Q_E_PEER);
    CHECK_EQ(transfer("read", bad[i], "0", "0"), 0);
  }
  CHECK_EQ(transfer("write", "text", "0", "1"), -Q_E_PEER);
  CHECK_EQ(transfer("read", "text", "0", "64"), 0);
  CHECK_EQ(transfer("read", "break", "-100", "101"), -Q_E_PEER); /* its last byte is on the break */
  CHECK_EQ(transfer("read", "break", "-100", "100"), 0);
  CHECK_EQ(transfer("read", "last", "0", "2"), -Q_E_PEER); /* around the end of the address space */
}

static void outside_the_buffer(void) {
  uint64_t id = start("read", "heap", "0", "100"), done;
  struct q_received m = accept_call();
  CHECK_EQ(q_copy(m.token, Q_COPY_FROM, 0, buffer, 101, &done), -Q_E_ARG);
  CHECK_EQ(q_copy(m.token, Q_COPY_FROM, 101, buffer, 0, &done), -Q_E_ARG);
  CHECK_EQ(q_copy(m.token, Q_COPY_FROM, 1, buffer, ~0ul, &done), -Q_E_ARG);
  CHECK_EQ(q_copy(m.token, Q_COPY_TO, 0, buffer, 1, &done), -Q_E_ARG);
  CHECK_EQ(q_copy(m.token, 3, 0, buffer, 1, &done), -Q_E_ARG);
  CHECK_EQ(q_copy(m.token + 2, Q_COPY_FROM, 0, buffer, 1, &done), -Q_E_TOKEN);
  finish(id, m.token, 3);
  CHECK_EQ(q_copy(m.token, Q_COPY_FROM, 0, buffer, 1, &done), -Q_E_TOKEN);
}

static void own_side(void) {
  uint64_t id = start("read", "big", "0", "8192"), done;
  struct q_received m = accept_call();
  char *fresh = sbrk(3 * 4096); /* both sides fault */
  CHECK_EQ(copy_all(m.token, Q_COPY_FROM, fresh, 8192), 0);
  CHECK_EQ(q_copy(m.token, Q_COPY_FROM, 0, (void *)place("kernel"), 10, &done), -Q_E_FAULT);
  CHECK_EQ(q_copy(m.token, Q_COPY_FROM, 0, (void *)place("text"), 10, &done), -Q_E_FAULT);
  CHECK_EQ(q_copy(m.token, Q_COPY_FROM, 0, (void *)place("break"), 10, &done), -Q_E_FAULT);
  CHECK_EQ(q_copy(m.token, Q_COPY_FROM, 0, (void *)~0ul, 10, &done), -Q_E_FAULT);
  sbrk(-3 * 4096);
  finish(id, m.token, 3);
}

static void owner_killed(void) {
  uint64_t id = start("read", "null", "0", "100"), done;
  struct q_received m = accept_call(), failed;
  struct p_death death;
  CHECK_EQ(q_copy(m.token, Q_COPY_FROM, 0, buffer, 100, &done), -Q_E_PENDING);
  CHECK_EQ(p_kill_program(id), 0);
  q_recv(endpoint, &failed);
  CHECK_EQ(failed.kind, Q_MSG_COPY_FAILED);
  CHECK_EQ(failed.error, Q_E_DEAD);
  CHECK_EQ(failed.token, m.token);
  CHECK_EQ(q_reply(&(struct q_reply){.token = m.token}), -Q_E_TOKEN);
  CHECK_EQ(p_wait_for(id, &death), id);
}

static void replied_while_pending(void) {
  uint64_t id = start("read", "null", "0", "100"), done;
  struct q_received m = accept_call();
  CHECK_EQ(q_copy(m.token, Q_COPY_FROM, 0, buffer, 100, &done), -Q_E_PENDING);
  finish(id, m.token, 9); /* the message that would have come is gone with the call */
}

/* The second touches another page, which is refused as well: one message is for both. */
static void second_copy_before_the_first_is_heard_of(void) {
  uint64_t id = start("read", "kernel", "0", "65536"), done;
  struct q_received m = accept_call(), failed;
  CHECK_EQ(q_copy(m.token, Q_COPY_FROM, 0, buffer, 10, &done), -Q_E_PENDING);
  CHECK_EQ(q_copy(m.token, Q_COPY_FROM, 8192, buffer, 10, &done), -Q_E_PENDING);
  q_recv(endpoint, &failed);
  CHECK(failed.kind == Q_MSG_COPY_FAILED && failed.token == m.token && failed.error == Q_E_PEER);
  CHECK_EQ(q_copy(m.token, Q_COPY_FROM, 8192, buffer, 10, &done), -Q_E_PENDING); /* asks anew */
  finish(id, m.token, 4);
}

/* The server is a child that takes the call, begins a copy from a page that will not come, and dies. */
static void copier_dies(void) {
  q_handle gift;
  CHECK_EQ(q_handle_dup(endpoint, Q_RIGHT_RECV | Q_RIGHT_DUP, 0, &gift), 0);
  uint64_t id = spawn(gift, ARGV("t_copy", "die"));
  struct q_call c = {.label = 1, .read = (void *)place("kernel"), .read_bytes = 4096};
  struct p_death death;
  CHECK_EQ(q_call(endpoint, &c), -Q_E_DEAD);
  CHECK_EQ(p_wait_for(id, &death), id);
  q_handle_close(gift);
}

static int die(void) {
  struct q_received m;
  uint64_t done;
  q_recv(P_HANDLE_GIFT, &m);
  q_copy(m.token, Q_COPY_FROM, 0, buffer, 10, &done);
  return 0;
}

/* ---- Between two callers ----------------------------------------------------------------------------------------------- */
struct pair {
  uint64_t from_id, to_id;
  struct q_received from, to;
};

static struct pair start_pair(const char *from, const char *to, const char *bytes) {
  struct pair p;
  p.from_id = start("read", from, "0", bytes);
  p.from = accept_call();
  p.to_id = start("write", to, "0", bytes);
  p.to = accept_call();
  return p;
}

static void finish_pair(const struct pair *p) {
  finish(p->from_id, p->from.token, 3);
  finish(p->to_id, p->to.token, 4);
}

static int64_t copy_between(q_token from, q_token to, uint64_t bytes, unsigned waits[2]) {
  struct q_copied copied;
  for (uint64_t total = 0;; total += copied.done) {
    int64_t error = q_copy_between(from, total, to, total, bytes - total, &copied);
    struct q_received m;
    if (error != -Q_E_PENDING)
      return !error && total + copied.done != bytes ? -99 : error;
    CHECK(copied.pending == from || copied.pending == to);
    waits[copied.pending == to]++;
    q_recv(endpoint, &m);
    CHECK_EQ(m.token, copied.pending);
    if (m.kind == Q_MSG_COPY_FAILED)
      return -(int64_t)m.error;
    CHECK_EQ(m.kind, Q_MSG_COPY_READY);
  }
}

static int64_t transfer_between(const char *from, const char *to, const char *bytes, unsigned waits[2]) {
  struct pair p = start_pair(from, to, bytes);
  int64_t error = copy_between(p.from.token, p.to.token, strtoul(bytes, NULL, 0), waits);
  finish_pair(&p);
  return error;
}

static void between_absent_pages(void) {
  unsigned waits[2] = {0};
  CHECK_EQ(transfer_between("heap", "heap", "4096", waits), 0);
  CHECK_EQ(transfer_between("big", "big", "150000", waits), 0);
  if (harts() == 1) /* else the pager may be at work for somebody on another */
    CHECK(!waits[0] && !waits[1]);
}

static void between_illegal_buffers(void) {
  static const char *const bad[] = {"null", "break", "kernel", "last", "non-canonical", "user-top"};
  for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
    unsigned waits[2] = {0};
    CHECK_EQ(transfer_between(bad[i], "heap", "16", waits), -Q_E_PEER);
    CHECK(waits[0] == 1 && waits[1] == 0); /* the source is looked at first */
    CHECK_EQ(transfer_between("heap", bad[i], "16", waits), -Q_E_PEER);
    CHECK_EQ(waits[1], 1);
    CHECK_EQ(transfer_between(bad[i], bad[i], "0", waits), 0);
  }
  CHECK_EQ(transfer_between("text", "heap", "64", (unsigned[2]){0}), 0);
  CHECK_EQ(transfer_between("heap", "text", "64", (unsigned[2]){0}), -Q_E_PEER);
}

static int64_t try_between(q_token from, uint64_t offset, q_token to, uint64_t to_offset, uint64_t bytes) {
  struct q_copied copied;
  int64_t error = q_copy_between(from, offset, to, to_offset, bytes, &copied);
  CHECK_EQ(copied.done, 0);
  return error;
}

static void between_outside(void) {
  struct pair p = start_pair("heap", "heap", "100");
  q_token from = p.from.token, to = p.to.token;
  CHECK_EQ(try_between(from, 0, to, 0, 101), -Q_E_ARG);
  CHECK_EQ(try_between(from, 1, to, 0, 100), -Q_E_ARG);
  CHECK_EQ(try_between(from, 0, to, 1, 100), -Q_E_ARG);
  CHECK_EQ(try_between(from, 101, to, 0, 0), -Q_E_ARG);
  CHECK_EQ(try_between(from, 0, to, 101, 0), -Q_E_ARG);
  CHECK_EQ(try_between(from, ~0ul, to, 0, 2), -Q_E_ARG);
  CHECK_EQ(try_between(from, 0, to, ~0ul, 2), -Q_E_ARG);
  CHECK_EQ(try_between(from, 1, to, 1, ~0ul), -Q_E_ARG);
  CHECK_EQ(try_between(to, 0, from, 0, 1), -Q_E_ARG); /* the buffers are of the other kind */
  CHECK_EQ(try_between(from, 0, from, 0, 1), -Q_E_ARG);
  CHECK_EQ(try_between(from, 0, from, 0, 0), 0);
  CHECK_EQ(try_between(from, 100, to, 100, 0), 0);
  CHECK_EQ(try_between(from + 2, 0, to, 0, 1), -Q_E_TOKEN);
  CHECK_EQ(try_between(from, 0, to + 2, 0, 1), -Q_E_TOKEN);
  CHECK_EQ(try_between(from, 0, (q_token)buffer, 0, 1), -Q_E_TOKEN);
  CHECK_EQ(try_between(0, 0, 0, 0, 0), -Q_E_TOKEN);
  finish(p.from_id, from, 3);
  CHECK_EQ(try_between(from, 0, to, 0, 1), -Q_E_TOKEN);
  CHECK_EQ(try_between(to, 0, from, 0, 1), -Q_E_ARG); /* found first */
  finish(p.to_id, to, 4);
  CHECK_EQ(try_between(to, 0, from, 0, 1), -Q_E_TOKEN);
}

/* The token of whoever is killed is void; with the other one nothing has happened. */
static void between_the_killed(void) {
  for (unsigned dead = 0; dead < 2; dead++) {
    struct pair p = start_pair(dead ? "text" : "null", dead ? "null" : "heap", "64");
    q_token from = p.from.token, to = p.to.token;
    uint64_t id = dead ? p.to_id : p.from_id, done;
    struct q_copied copied;
    struct q_received failed;
    struct p_death death;
    CHECK_EQ(q_copy_between(from, 0, to, 0, 64, &copied), -Q_E_PENDING);
    CHECK_EQ(copied.pending, dead ? to : from);
    CHECK_EQ(p_kill_program(id), 0);
    q_recv(endpoint, &failed);
    CHECK_EQ(failed.kind, Q_MSG_COPY_FAILED);
    CHECK_EQ(failed.error, Q_E_DEAD);
    CHECK_EQ(failed.token, copied.pending);
    CHECK_EQ(try_between(from, 0, to, 0, 64), -Q_E_TOKEN);
    CHECK_EQ(p_wait_for(id, &death), id);
    CHECK_EQ(death.reason, P_REASON_KILLED);
    CHECK_EQ(q_copy(dead ? from : to, dead ? Q_COPY_FROM : Q_COPY_TO, 0, NULL, 0, &done), 0);
    finish(dead ? p.from_id : p.to_id, dead ? from : to, 5);
  }
}

static void caller_main(void *argument) {
  q_call(endpoint, argument);
  for (;;)
    q_sleep_until(~0ul);
}

/* Two threads of this program call, and the third serves them. */
static void between_threads(void) {
  static const unsigned shift[] = {0, 1, 8, 2047, 4093};
  static char from[SHIFTED + 4096], to[SHIFTED + 4096] __attribute__((aligned(4096)));
  enum { SHIFTS = sizeof shift / sizeof *shift };
  for (unsigned i = 0; i < sizeof from; i++)
    from[i] = (char)(i * 11 + i / 253);
  for (unsigned i = 0; i < SHIFTS * SHIFTS; i++) {
    char *a = from + shift[i / SHIFTS], *b = to + shift[i % SHIFTS];
    struct q_call calls[] = {{.label = 1, .read = a, .read_bytes = SHIFTED},
                             {.label = 2, .write = b, .write_bytes = SHIFTED}};
    struct p_thread threads[2];
    q_token token[2];
    memset(to, 1, sizeof to);
    for (unsigned k = 0; k < 2; k++) {
      start_thread(&threads[k], k, caller_main, &calls[k]);
      token[k] = accept_call().token;
    }
    CHECK_EQ(copy_between(token[0], token[1], SHIFTED, (unsigned[2]){0}), 0);
    CHECK(!memcmp(a, b, SHIFTED) && b[SHIFTED] == 1 && (b == to || b[-1] == 1));
    for (unsigned k = 0; k < 2; k++)
      CHECK_EQ(q_handle_destroy(threads[k].handle), 0);
  }
}

/* From one buffer of a caller to its other one; they may overlap, which is its own affair. */
static void between_buffers_of_one(void) {
  static char both[8192];
  struct q_call call = {.label = 1, .read = both, .read_bytes = 4096, .write = both + 4000, .write_bytes = 4096};
  struct p_thread thread;
  memset(both, 0, sizeof both);
  strcpy(both, "first");
  start_thread(&thread, 0, caller_main, &call);
  q_token token = accept_call().token;
  CHECK_EQ(copy_between(token, token, 100, (unsigned[2]){0}), 0);
  CHECK(!strcmp(both + 4000, "first"));
  CHECK_EQ(copy_between(token, token, 4096, (unsigned[2]){0}), 0);
  CHECK_EQ(q_handle_destroy(thread.handle), 0);
}

static uint64_t eat_everything(void) {
  uint64_t bytes = 0;
  for (uint64_t step = 1ul << 26; step >= 4096; step /= 2)
    while (p_sbrk_bytes((int64_t)step, P_SBRK_POPULATE) > 0)
      bytes += step;
  return bytes;
}

static void no_frames(void) {
  char *own = sbrk(4096);
  uint64_t id = start("read", "heap", "0", "100");
  struct q_received m = accept_call();
  buffer[0] = 1;
  uint64_t bytes = eat_everything();
  CHECK_EQ(copy_all(m.token, Q_COPY_FROM, buffer, 100), -Q_E_NOFRAME);
  CHECK_EQ(q_machine_write(P_HANDLE_MACHINE, own, 1), -Q_E_NOFRAME);
  struct p_stats stats, *absent = (struct p_stats *)own;
  CHECK_EQ(p_stats_of(0, absent), -ENOMEM);
  p_sbrk_bytes(-(int64_t)bytes, 0);
  CHECK_EQ(p_stats_of(0, &stats), 0);
  CHECK_EQ(copy_all(m.token, Q_COPY_FROM, buffer, 100), 0);
  finish(id, m.token, 3);
  sbrk(-4096);
}

static void bad_pointers_to_the_kernel(void) {
  static const char *const bad[] = {"null",    "break", "guard",         "kernel",
                                    "physmap", "last",  "non-canonical", "user-top"};
  for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
    CHECK_EQ(q_machine_write(P_HANDLE_MACHINE, (void *)place(bad[i]), 5), -Q_E_FAULT);
    CHECK_EQ(q_machine_write(P_HANDLE_MACHINE, (void *)place(bad[i]), 0), 0);
    CHECK_EQ(p_stats_of(0, (struct p_stats *)place(bad[i])), -EFAULT);
  }
  CHECK_EQ(q_machine_info(P_HANDLE_MACHINE, (struct q_info *)(place("text") & ~511ul)), -Q_E_FAULT);
  CHECK_EQ(q_machine_info(P_HANDLE_MACHINE, (struct q_info *)4097), -Q_E_ARG);
  CHECK_EQ(p_stats_of(0, (struct p_stats *)place("text")), -EFAULT);
  struct p_stats *absent = sbrk(8192);
  CHECK_EQ(p_stats_of(0, (struct p_stats *)((char *)absent + 4000)), 0); /* over the border of two absent pages */
  sbrk(-8192);
}

static const struct test tests[] = {
    {"pages that are not there yet come", absent_pages_come},
    {"copies over many page borders", many_pages},
    {"both sides at any offset", shifted_buffers},
    {"illegal buffers of the client", illegal_buffers},
    {"outside the described buffer", outside_the_buffer},
    {"both sides fault; the server's own bad pointer", own_side},
    {"the owner is killed in the middle", owner_killed},
    {"a reply while a copy is pending", replied_while_pending},
    {"a second copy before the first is heard of", second_copy_before_the_first_is_heard_of},
    {"the copier dies in the middle", copier_dies},
    {"between callers: pages that are not there yet come", between_absent_pages},
    {"between callers: illegal buffers of either", between_illegal_buffers},
    {"between callers: outside the buffers, and void tokens", between_outside},
    {"between callers: either is killed in the middle", between_the_killed},
    {"between callers: two threads of one program", between_threads},
    {"between callers: the two buffers of one", between_buffers_of_one},
    {"no frames is an error for whoever asked", no_frames},
    {"bad pointers given to the kernel and the pager", bad_pointers_to_the_kernel},
};

int main(int argc, char **argv) {
  (void)argv;
  if (argc > 1)
    return die();
  if (q_endpoint_create(&endpoint))
    return 1;
  return TAP_RUN("copy", tests);
}
