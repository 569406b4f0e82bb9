/* SPDX-License-Identifier: BSD-2-Clause */
/* See tap.h. */
#include "tap.h"

#include <stdarg.h>
#include <string.h>

static uint32_t crc = 0xffffffff;
static unsigned lines;
static bool failed;

static void own_line(const char *format, ...) {
  char text[160];
  va_list list;
  va_start(list, format);
  int n = vsnprintf(text, sizeof text, format, list);
  va_end(list);
  for (int i = 0; i < n; i++) { /* CRC-32 of IEEE 802.3, bit by bit */
    crc ^= (uint8_t)text[i];
    for (int bit = 0; bit < 8; bit++)
      crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
  }
  lines++;
  fputs(text, stdout);
}

void tap_check(bool good, const char *file, int line, const char *what, long long a, long long b) {
  if (good)
    return;
  failed = true;
  printf("# %s:%d: %s (%lld, %lld)\n", file, line, what, a, b);
}

struct p_stats own_stats(void) {
  struct p_stats stats;
  CHECK_EQ(p_stats_of(0, &stats), 0);
  return stats;
}

uint64_t free_frames(void) {
  struct p_system system;
  CHECK_EQ(p_system_stats(P_SYSTEM_DROP, &system), 0);
  return system.free + system.donated; /* dropping has taken back what the kernel does not need */
}

struct q_info kernel_info(void) {
  static struct q_info info __attribute__((aligned(512)));
  info.ram_frames = 0;
  CHECK_EQ(q_machine_info(P_HANDLE_MACHINE, &info), 0);
  return info;
}

uint64_t spawn(q_handle gift, const char *const argv[]) {
  int64_t id = p_spawn_program(argv, P_SPAWN_QUIET, gift);
  CHECK(id > 0);
  return (uint64_t)id;
}

struct p_death run_victim(const char *const argv[]) {
  struct p_death death = {0};
  uint64_t id = spawn(0, argv);
  CHECK_EQ(p_wait_for(id, &death), id);
  return death;
}

struct balance {
  uint64_t frames; /* free ones and the tester's own: its stack and text may have grown */
  uint64_t tasks, threads, endpoints, irqs, pagers, handles, tables;
};

static struct balance balance(void) {
  struct q_info info = kernel_info();
  uint64_t frames = free_frames();
  struct p_stats own = own_stats();
  return (struct balance){frames + own.resident + own.shared, info.tasks, info.threads, info.endpoints, info.irqs,
                          info.pagers, info.handles, info.tables};
}

static void compare(struct balance before, struct balance after) {
  CHECK_EQ(before.frames, after.frames);
  CHECK_EQ(before.tasks, after.tasks);
  CHECK_EQ(before.threads, after.threads);
  CHECK_EQ(before.endpoints, after.endpoints);
  CHECK_EQ(before.irqs, after.irqs);
  CHECK_EQ(before.pagers, after.pagers);
  CHECK_EQ(before.handles, after.handles);
  CHECK_EQ(before.tables, after.tables);
}

int tap_run(const char *group, const struct test *tests, unsigned count) {
  unsigned passed = 0;
  balance(); /* what is set up by the first use is set up now */
  run_victim(ARGV("victim", "exit", "0"));
  own_line("# begin %s\n", group);
  own_line("1..%u\n", count);
  for (unsigned i = 0; i < count; i++) {
    struct balance before = balance();
    failed = false;
    tests[i].run();
    compare(before, balance());
    own_line("%s %u - %s\n", failed ? "not ok" : "ok", i + 1, tests[i].name);
    passed += !failed;
  }
  int status = passed != count;
  printf("# end %s passed=%u failed=%u skipped=0 lines=%u crc=%08lx status=%d\n", group, passed, count - passed,
         lines, (unsigned long)(crc ^ 0xffffffff), status);
  return status;
}
