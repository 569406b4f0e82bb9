/* SPDX-License-Identifier: BSD-2-Clause */
/* What the workloads check would be found: memory that a pager has lost, mixed up, kept an old copy of or not zeroed ends them.
 * And their random numbers are those of the published generators. TAP. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../apps/workload/workload.h"

#define PAGES 16
#define FOUND 3 /* the status; a sanitizer's is 1 */
#define GAMMA 0x9e3779b97f4a7c15u

struct options options = {.pattern = "test", .pages = PAGES, .steps = 4000, .seed = 7, .writes = 50};
static unsigned tests, failures;
static char *bytes; /* of the array */

void fail(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  printf("# found: ");
  vprintf(format, arguments);
  printf("\n");
  va_end(arguments);
  exit(FOUND);
}

static void ok(bool good, const char *name) {
  printf("%s %u - %s\n", good ? "ok" : "not ok", ++tests, name);
  failures += !good;
  fflush(stdout);
}

/* ---- Hazards: each spoils an array that was worked on ---------------------------------------------------------------------- */
static char *page(unsigned number) {
  return bytes + (size_t)number * PAGE_BYTES;
}

static char *other(unsigned number) { /* a copy, to be kept or brought back */
  static char copies[PAGES][PAGE_BYTES];
  return copies[number];
}

static size_t some_byte(unsigned number, bool written) {
  size_t at = (size_t)number * PAGE_WORDS;
  while (!array.words[at] == written)
    at++;
  return at * sizeof *array.words + 5;
}

static void nothing(void) {
}

static void flip_bit(void) {
  bytes[some_byte(3, true)] ^= 0x10;
}

static void write_elsewhere(void) {
  bytes[some_byte(PAGES - 1, false)] = 1;
}

static void lose_page(void) {
  memset(page(5), 0, PAGE_BYTES);
}

static void swap_pages(void) {
  memcpy(other(0), page(2), PAGE_BYTES);
  memcpy(page(2), page(9), PAGE_BYTES);
  memcpy(page(9), other(0), PAGE_BYTES);
}

static void old_page(void) {
  memcpy(page(4), other(4), PAGE_BYTES);
}

static void last_byte(void) {
  bytes[PAGES * PAGE_BYTES - 1] ^= 1;
}

static void dirty_growth(void) {
  array_resize(array.words, PAGES - 1);
  array_resize(array.words, PAGES);
}

static void shrink_spoilt(void) {
  last_byte();
  array_resize(array.words, PAGES - 1);
}

static void by_touches(void) {
  run_zipf();
}

static void by_stores(void) {
  for (uint64_t at = 0; at < PAGES * PAGE_WORDS; at += 3)
    store(at, random_word());
}

/* In a process of its own: works, spoils, perhaps works on, and checks. */
static void work(void (*fill)(void), void (*spoil)(void), bool go_on) {
  array_make(PAGES);
  bytes = (char *)array.words;
  fill();
  memcpy(other(4), page(4), PAGE_BYTES);
  fill();
  spoil();
  if (go_on)
    fill();
  array_check();
  exit(0);
}

static void hazard(const char *name, void (*fill)(void), void (*spoil)(void), bool go_on) {
  int status = 0;
  fflush(stdout);
  pid_t child = fork();
  if (!child)
    work(fill, spoil, go_on);
  ok(child > 0 && waitpid(child, &status, 0) == child && status == (spoil == nothing ? 0 : FOUND << 8), name);
}

static void test_hazards(void) {
  hazard("touched pages that nobody spoils are right", by_touches, nothing, true);
  hazard("stored words that nobody spoils are right", by_stores, nothing, false);
  hazard("a bit of a written word", by_touches, flip_bit, false);
  hazard("a byte that was never written", by_touches, write_elsewhere, false);
  hazard("a lost page", by_touches, lose_page, false);
  hazard("a lost page that is written again", by_touches, lose_page, true);
  hazard("two pages, one for the other", by_touches, swap_pages, false);
  hazard("an old copy of a page", by_touches, old_page, false);
  hazard("an old copy of a page that is written again", by_touches, old_page, true);
  hazard("the last byte", by_touches, last_byte, false);
  hazard("memory that is new and not zero", by_touches, dirty_growth, false);
  hazard("a page that was spoilt before it was given back", by_touches, shrink_spoilt, false);
  hazard("stored words: a lost page", by_stores, lose_page, false);
  hazard("stored words: two pages, one for the other", by_stores, swap_pages, false);
  hazard("stored words: an old copy of a page", by_stores, old_page, false);
}

/* ---- Random numbers ---------------------------------------------------------------------------------------------------------- */
/* The first of SplitMix64 with the seed 1234567, and of xorshift64* (upper halves) with that state, as Rosetta Code has them. */
static void test_generators(void) {
  static const uint64_t split[] = {6457827717110365317u, 3203168211198807973u, 9817491932198370423u};
  static const uint64_t star[] = {3540625527, 2750739987, 4037983143};
  bool split_good = true, star_good = true;
  random_seed(0xa53c84059609e98e); /* makes that the state: mix() turned round */
  for (unsigned i = 0; i < 3; i++) {
    split_good &= mix(1234567 + (i + 1) * GAMMA) == split[i];
    star_good &= random_word() >> 32 == star[i];
  }
  ok(split_good, "mix is SplitMix64's");
  ok(star_good, "random words are xorshift64*'s");
}

/* Each rank within six standard deviations of its share; the seed is fixed, so this is the same every time. */
static void test_zipf(unsigned n) {
  enum { DRAWS = 1000000 };
  static unsigned count[1000];
  double harmonic = 0;
  bool good = true;
  memset(count, 0, sizeof count);
  for (unsigned i = 0; i < DRAWS; i++)
    count[zipf(n) - 1]++;
  for (unsigned rank = 1; rank <= n; rank++)
    harmonic += 1.0 / rank;
  for (unsigned rank = 1; rank <= n; rank++) {
    double share = DRAWS / (rank * harmonic), off = count[rank - 1] - share;
    good &= off * off <= 36 * share;
  }
  ok(good, n == 1 ? "zipf of one rank" : "zipf: each rank has its share");
}

int main(void) {
  test_hazards();
  test_generators();
  test_zipf(1);
  test_zipf(24);
  test_zipf(1000);
  printf("1..%u\n", tests);
  return failures != 0;
}
