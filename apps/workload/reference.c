/* SPDX-License-Identifier: BSD-2-Clause */
/* Patterns that are nothing but an order of pages. */
#include "workload.h"

#include <inttypes.h>

#define PHASES 8

void run_scan(void) {
  for (uint64_t i = 0; i < options.steps; i++)
    touch(i * options.pages / options.steps);
}

void run_loop(void) {
  for (uint64_t i = 0; i < options.steps; i++)
    touch(i % options.pages);
}

static uint64_t common_divisor(uint64_t a, uint64_t b) {
  return b ? common_divisor(b, a % b) : a;
}

/* A step that comes to each of so many pages before it comes to one again, and keeps those of low ranks apart. */
static uint64_t stride_of(uint64_t pages) {
  uint64_t stride = pages * 5 / 8 + 1;
  while (common_divisor(stride, pages) != 1)
    stride++;
  return stride;
}

void run_zipf(void) {
  uint64_t stride = stride_of(options.pages);
  for (uint64_t i = 0; i < options.steps; i++)
    touch((zipf(options.pages) - 1) * stride % options.pages);
}

/* The first half of the pages by zipf; whenever each could have come four times, the others once in their order. */
void run_scans(void) {
  uint64_t half = (options.pages + 1) / 2, scanned = options.pages - half, stride = stride_of(half);
  for (uint64_t i = 0; i < options.steps; i++) {
    uint64_t at = i % (4 * half + scanned);
    touch(at < 4 * half ? (zipf(half) - 1) * stride % half : half + at - 4 * half);
  }
}

void run_phases(void) {
  uint64_t set = (options.pages + 3) / 4, first = 0, phase = UINT64_MAX;
  for (uint64_t i = 0; i < options.steps; i++) {
    if (phase != i * PHASES / options.steps) {
      phase = i * PHASES / options.steps;
      first = random_below(options.pages);
    }
    touch((first + random_below(set)) % options.pages);
  }
}

/* One cycle through all pages, each order of them as likely: Sattolo, "An algorithm to generate a random cyclic permutation"
 * (Information Processing Letters 22:6, 1986). A page's first word is the number of the next. */
static void make_cycle(void) {
  for (uint64_t page = 0; page < options.pages; page++)
    store(page * PAGE_WORDS, page);
  for (uint64_t page = options.pages - 1; page > 0; page--) {
    uint64_t other = random_below(page), next = load(page * PAGE_WORDS);
    store(page * PAGE_WORDS, load(other * PAGE_WORDS));
    store(other * PAGE_WORDS, next);
  }
}

void run_chase(void) {
  uint64_t page = 0;
  make_cycle();
  for (uint64_t i = 0; i < options.steps; i++) {
    page = load(page * PAGE_WORDS);
    if (page >= options.pages || !page != !((i + 1) % options.pages))
      fail("after %" PRIu64 " pointers it is at page %" PRIu64 " of a cycle of %" PRIu64, i + 1, page, options.pages);
  }
}
