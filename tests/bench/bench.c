/* SPDX-License-Identifier: BSD-2-Clause */
/* Instruction counts of single operations, read in the guest (measure.h). The same on every run under -icount. */
#include "measure.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void calls(void) {
  MEASURE("syscall.null", , q_null());
  q_handle endpoint;
  CHECK_EQ(q_endpoint_create(&endpoint), 0);
  uint64_t id = spawn(endpoint, ARGV("bench", "serve"));
  struct q_call c;
  MEASURE("ipc.call_reply", c = (struct q_call){.label = 1}, q_call(endpoint, &c));
  static char data[2 * PAGE] __attribute__((aligned(PAGE)));
  memset(data, 1, sizeof data);
  MEASURE("ipc.call_copy4096", (c = (struct q_call){.label = 2, .read = data, .read_bytes = PAGE}),
          q_call(endpoint, &c));
  c = (struct q_call){.label = 0};
  CHECK_EQ(q_call(endpoint, &c), 0);
  struct p_death death;
  CHECK_EQ(p_wait_for(id, &death), id);
  CHECK_EQ(q_handle_destroy(endpoint), 0);
}

static int serve(void) {
  static char data[PAGE] __attribute__((aligned(PAGE)));
  struct q_received m;
  struct q_reply r = {0};
  uint64_t done;
  memset(data, 1, sizeof data);
  for (;;) {
    q_reply_recv(P_HANDLE_GIFT, &r, &m);
    r = (struct q_reply){.token = m.token};
    if (m.label == 2)
      q_copy(m.token, Q_COPY_FROM, 0, data, PAGE, &done);
    if (!m.label)
      return q_reply(&r) != 0;
  }
}

#define READY_MOST 24576
static void faults(void) {
  volatile char *base = sbrk((ITERATIONS + WARM_UP + 1) * PAGE), *at = base;
  struct p_system system;
  CHECK_EQ(p_system_stats(P_SYSTEM_READY, &system), 0);
  MEASURE("fault.ready", at += PAGE, *at = 1);
  uint64_t frames = system.free;
  CHECK_EQ(p_system_stats(0, &system), 0);
  CHECK(frames - system.free >= (uint64_t)iterations + WARM_UP);
  /* Those frames come back used, so that the next ones must be zeroed; what is still ready is used up first: the rest of
   * those, and what the kernel gave back after tap_before() had run as many programs as there may be. */
  sbrk(-(ITERATIONS + WARM_UP + 1) * PAGE);
  volatile char *rest = sbrk(READY_MOST * PAGE);
  for (unsigned i = 0; i < READY_MOST; i++)
    rest[i * PAGE] = 1;
  at = base = sbrk((ITERATIONS + WARM_UP + 1) * PAGE);
  MEASURE("fault.zero", at += PAGE, *at = 1);
  sbrk(-(ITERATIONS + WARM_UP + 1) * PAGE);
  at = base = sbrk((ITERATIONS + WARM_UP + 1) * PAGE);
  MEASURE("fault.zero_read", at += PAGE, (void)*at);
  sbrk(-(ITERATIONS + WARM_UP + 1 + READY_MOST) * PAGE);
}

/* With policy=window: one fault brings in 16 pages. The frames have been used before, all of them by this program. */
static void batches(void) {
  const uint64_t bytes = (ITERATIONS + WARM_UP + 1) * 16 * PAGE;
  char *base = sbrk((ptrdiff_t)bytes);
  base = (char *)(((uint64_t)base + 16 * PAGE - 1) & ~(16 * PAGE - 1ul));
  for (unsigned i = 0; i < bytes / (16 * PAGE) - 1; i++)
    base[i * 16 * PAGE] = 1;
  sbrk(-(ptrdiff_t)bytes);
  volatile char *at = base - 16 * PAGE;
  sbrk((ptrdiff_t)bytes);
  uint64_t ahead = own_stats().ahead;
  parts = 16;
  MEASURE("fault.zero_batch16_per_page", at += 16 * PAGE, *at = 1);
  parts = 1;
  /* Hardly a run is cut short: one in a hundred, and the first. */
  CHECK(own_stats().ahead - ahead + 15 > (uint64_t)(iterations + WARM_UP) * 15 * 99 / 100);
  sbrk(-(ptrdiff_t)bytes);
}

static void breaks(void) {
  char *keep = sbrk(PAGE), *page = sbrk(0);
  keep[0] = 1;
  MEASURE("sbrk.grow", , p_sbrk_bytes(PAGE, 0));
  p_sbrk_bytes(-(iterations + WARM_UP) * PAGE, 0);
  keep = sbrk(PAGE);
  page = keep + PAGE;
  *keep = 1; /* the table of the page that comes and goes stays */
  MEASURE("sbrk.shrink_resident", (p_sbrk_bytes(PAGE, 0), *(volatile char *)(page + 8) = 1), p_sbrk_bytes(-PAGE, 0));
  MEASURE("sbrk.populate", p_sbrk_bytes(0, 0), p_sbrk_bytes(PAGE, P_SBRK_POPULATE));
  p_sbrk_bytes(-(iterations + WARM_UP + 2) * PAGE, 0);
}

#define USE_FLOAT __asm__ volatile("fadd.d ft0, ft0, ft0" ::: "ft0")

static _Noreturn void yield(bool with_float) {
  for (;;) {
    if (with_float)
      USE_FLOAT;
    q_yield();
  }
}

/* To another program and back is two switches. */
static void switches(void) {
  struct p_death death;
  parts = 2;
  uint64_t id = spawn(0, ARGV("bench", "yield"));
  MEASURE("thread.switch", , q_yield());
  CHECK_EQ(p_kill_program(id), 0);
  CHECK_EQ(p_wait_for(id, &death), id);
  id = spawn(0, ARGV("bench", "yield", "float"));
  MEASURE("thread.switch_fp", , (q_yield(), ({ USE_FLOAT; })));
  CHECK_EQ(p_kill_program(id), 0);
  CHECK_EQ(p_wait_for(id, &death), id);
  parts = 1;
}

static void programs(void) {
  struct p_death death;
  MEASURE("spawn_exit_wait", , p_wait_for(spawn(0, ARGV("victim", "exit", "0")), &death));
}

/* ---- Under the posix server ------------------------------------------------------------------------------------------ */
static void posix_server(void) {
  struct posix_process own;
  struct p_death death;
  static char line[64];
  memset(line, '.', sizeof line);
  line[0] = '#', line[1] = ' ', line[sizeof line - 1] = '\n';
  MEASURE("posix.identity", , px_identity(0, &own));
  MEASURE("posix.spawn_exit_wait", , px_wait((uint64_t)px_spawn(ARGV("victim", "exit", "0"), NULL, 0), 0, &death));
  MEASURE("console.write64", , write(1, line, sizeof line));
}

static void whole_system(void) {
  struct q_info info = kernel_info();
  struct p_system system;
  CHECK_EQ(p_system_stats(P_SYSTEM_DROP, &system), 0);
  once("boot.first_instruction", info.boot_instructions);
  once("mem.bench_bytes", PAGE * (info.ram_frames - system.free - info.donated_free));
}

static uint64_t at_start;
static void boot(void) {
  once("boot.first_program", at_start);
}

static const struct test tests[] = {
    {"what reading the counter costs", measure_overhead},
    {"calls", calls},
    {"faults", faults},
    {"the break", breaks},
    {"programs", programs},
    {"the whole system", whole_system},
    {"boot", boot},
    {"switches", switches}, /* last: a program that has used floating point is one instruction slower to switch to */
};

static const struct test window_tests[] = {{"what reading the counter costs", measure_overhead},
                                           {"batches", batches}};

/* With a policy that has a say and only says: this page. */
static const struct test hook_tests[] = {{"what reading the counter costs", measure_overhead}, {"faults", faults}};

static const struct test posix_tests[] = {{"what reading the counter costs", measure_overhead},
                                          {"the posix server", posix_server},
                                          {"files", unix_files},
                                          {"pipes", unix_pipes},
                                          {"forks", unix_forks}};

int main(int argc, char **argv) {
  if (argc > 1 && !strcmp(argv[1], "serve"))
    return serve();
  if (argc > 1 && !strcmp(argv[1], "yield"))
    yield(argc > 2);
  iterations = argc > 2 ? 1 : ITERATIONS;
  if (argc > 1 && !strcmp(argv[1], "window"))
    return TAP_RUN("bench", window_tests);
  if (argc > 1 && !strcmp(argv[1], "hook"))
    return TAP_RUN("bench", hook_tests);
  if (argc > 1)
    iterations = 1;
  if (p_server) {
    tap_before(true); /* as many processes as there will be, first: what they leave is used again */
    unix_warm_up();
    return TAP_RUN("bench", posix_tests);
  }
  at_start = q_instret();
  return TAP_RUN("bench", tests);
}
