/* SPDX-License-Identifier: BSD-2-Clause */
/* The pages that a pattern works on, and the proof that they hold what was written. Knows no pattern. */
#include "workload.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

struct array array;

/* A word's part of the sum. Zeros have none, so memory that was never written needs no visit. */
static uint64_t part(uint64_t at, uint64_t value) {
  return value ? mix(value ^ mix(at)) : 0;
}

/* What touch() writes: when, and a hash of when and where, so that it is known again at another place or damaged. */
static uint64_t stamp(uint64_t at, uint64_t when) {
  return when << 32 | (uint32_t)mix(at ^ when << 32 ^ options.seed);
}

static void check_stamp(uint64_t at, uint64_t value) {
  if (value && value != stamp(at, value >> 32))
    fail("page %" PRIu64 " has %#" PRIx64 " at byte %" PRIu64 ", which nobody wrote there", at / PAGE_WORDS, value,
         at % PAGE_WORDS * sizeof value);
}

void array_make(uint64_t pages) {
  void *memory = mmap(NULL, pages * PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED)
    fail("no memory for %" PRIu64 " pages (%s); -p takes another number", pages, strerror(errno));
  array = (struct array){.words = memory, .pages = pages};
}

static uint64_t page_sum(uint64_t page) {
  uint64_t sum = 0;
  refer(page);
  for (uint64_t at = page * PAGE_WORDS; at < (page + 1) * PAGE_WORDS; at++) {
    if (array.stamped)
      check_stamp(at, array.words[at]);
    sum += part(at, array.words[at]);
  }
  return sum;
}

/* Pages that go are looked at before, while they are there. */
void array_resize(uint64_t *words, uint64_t pages) {
  array.words = words;
  for (uint64_t page = pages; page < array.pages; page++)
    array.sum -= page_sum(page);
  for (uint64_t page = array.pages; page < pages; page++)
    if (page_sum(page))
      fail("page %" PRIu64 " is new and not all zeros", page);
  array.pages = pages;
}

void refer(uint64_t page) {
  array.references++;
  if (options.record)
    printf("%" PRIu64 "\n", page);
}

uint64_t load(uint64_t at) {
  refer(at / PAGE_WORDS);
  return array.words[at];
}

static void put(uint64_t at, uint64_t value) {
  array.sum += part(at, value) - part(at, array.words[at]);
  array.words[at] = value;
}

void store(uint64_t at, uint64_t value) {
  refer(at / PAGE_WORDS);
  put(at, value);
}

void touch(uint64_t page) {
  uint64_t at = page * PAGE_WORDS + random_below(PAGE_WORDS), value = array.words[at];
  refer(page);
  array.stamped = true;
  check_stamp(at, value);
  array.seen = mix(array.seen + value);
  if (random_below(100) < options.writes)
    put(at, stamp(at, array.references));
}

void array_check(void) {
  uint64_t sum = 0;
  for (uint64_t page = 0; page < array.pages; page++)
    sum += page_sum(page);
  if (sum != array.sum)
    fail("the pages do not hold what was written to them last");
}

uint64_t array_checksum(void) {
  return array.sum ^ mix(array.seen);
}
