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

/* Why it is to be skipped; "": it is not. */
static const char *unfit(const struct test *test) {
  if (test->harts == ONE_HART && harts() > 1)
    return " # SKIP it is about the turns that one hart gives";
  return test->harts == MANY_HARTS && harts() == 1 ? " # SKIP it needs several harts" : "";
}

static void run_between(const struct test *test) {
  tap_before(false);
  failed = false;
  test->run();
  tap_after();
}

int tap_run(const char *group, const struct test *tests, unsigned count) {
  unsigned bad = 0, skips = 0;
  tap_before(true);
  own_line("# begin %s\n", group);
  own_line("1..%u\n", count);
  for (unsigned i = 0; i < count; i++) {
    const char *why = unfit(&tests[i]);
    failed = false;
    if (!*why)
      run_between(&tests[i]);
    own_line("%s %u - %s%s\n", failed ? "not ok" : "ok", i + 1, tests[i].name, why);
    bad += failed;
    skips += !!*why;
  }
  printf("# end %s passed=%u failed=%u skipped=%u lines=%u crc=%08lx status=%d\n", group, count - bad - skips, bad,
         skips, lines, (unsigned long)(crc ^ 0xffffffff), bad != 0);
  return bad != 0;
}
