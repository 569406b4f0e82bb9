/* SPDX-License-Identifier: BSD-2-Clause */
/* Patterns that are programs: what they work out is checked by another way than the one it came. No expression has two loads:
 * their order would be the compiler's. */
#include "workload.h"

#include <inttypes.h>

/* ---- A hash table, at most a quarter full, so pages hold few entries and neighbours have nothing to do with each other ------ */
#define ENTRY_WORDS 2 /* key, 0: free; value */

static uint64_t key_of(uint64_t number) {
  return mix(options.seed + 2 * number + 1) | 1;
}

static uint64_t value_of(uint64_t key) {
  return mix(key ^ options.seed);
}

/* Linear probing: where the key is, or may be put. */
static uint64_t place_of(uint64_t key) {
  uint64_t entries = array.pages * PAGE_WORDS / ENTRY_WORDS, at = (key >> 32) * entries >> 32;
  for (uint64_t found; (found = load(at * ENTRY_WORDS)) && found != key;)
    at = (at + 1) % entries;
  return at * ENTRY_WORDS;
}

static void insert(uint64_t key) {
  uint64_t at = place_of(key);
  store(at, key);
  store(at + 1, value_of(key));
}

static void look_up(uint64_t number, bool there) {
  uint64_t key = key_of(number), at = place_of(key), value = load(at + 1);
  if (value != (there ? value_of(key) : 0))
    fail("key %" PRIu64 " has the value %#" PRIx64, number, value);
}

void run_hash(void) {
  uint64_t keys = 0, most = array.pages * PAGE_WORDS / ENTRY_WORDS / 4;
  for (uint64_t i = 0; i < options.steps; i++) {
    uint64_t kind = random_below(4);
    if (kind < 2 && keys < most)
      insert(key_of(keys++));
    else
      look_up(kind == 3 || !keys ? keys + random_below(most) : random_below(keys), kind != 3 && keys);
  }
  for (uint64_t number = 0; number < keys; number++)
    look_up(number, true);
}

/* ---- C = A * B, modulo 2^64 -------------------------------------------------------------------------------------------------- */
#define BLOCK 32

static uint64_t order; /* of the matrices; A, B, C and a vector are one behind the other */

static uint64_t element(uint64_t matrix, uint64_t row, uint64_t column) {
  return (matrix * order + row) * order + column;
}

static void make_matrices(void) {
  for (order = 1; 3 * (order + 1) * (order + 1) + order + 1 <= array.pages * PAGE_WORDS;)
    order++;
  for (uint64_t at = 0; at < 2 * order * order; at++)
    store(at, random_word());
}

/* The weight of a row or column; odd, so no single wrong element has the weight 0. */
static uint64_t weight(uint64_t number) {
  return mix(options.seed ^ ~number) | 1;
}

/* rABs = rCs for vectors r and s: Freivalds, "Probabilistic machines can use less running time" (IFIP 1977). */
static void check_product(void) {
  uint64_t vector = 3 * order * order, left = 0, right = 0;
  for (uint64_t row = 0; row < order; row++)
    for (uint64_t k = 0; k < order; k++) {
      uint64_t share = weight(row) * load(element(0, row, k));
      store(vector + k, share + load(vector + k));
    }
  for (uint64_t k = 0; k < order; k++)
    for (uint64_t column = 0; column < order; column++) {
      uint64_t factor = load(vector + k);
      left += factor * load(element(1, k, column)) * weight(order + column);
      right += weight(k) * load(element(2, k, column)) * weight(order + column);
    }
  if (left != right)
    fail("the product of the matrices is wrong");
}

void run_matrix(void) {
  make_matrices();
  for (uint64_t row = 0; row < order; row++)
    for (uint64_t column = 0; column < order; column++) {
      uint64_t sum = 0;
      for (uint64_t k = 0; k < order; k++) {
        uint64_t factor = load(element(0, row, k));
        sum += factor * load(element(1, k, column));
      }
      store(element(2, row, column), sum);
    }
  check_product();
}

static uint64_t least(uint64_t a, uint64_t b) {
  return a < b ? a : b;
}

/* All rows of A with the block of B that begins there. */
static void multiply_block(uint64_t first_k, uint64_t first_column) {
  uint64_t last_k = least(first_k + BLOCK, order), last_column = least(first_column + BLOCK, order);
  for (uint64_t row = 0; row < order; row++)
    for (uint64_t k = first_k; k < last_k; k++) {
      uint64_t factor = load(element(0, row, k));
      for (uint64_t column = first_column; column < last_column; column++) {
        uint64_t at = element(2, row, column), product = factor * load(element(1, k, column));
        store(at, load(at) + product);
      }
    }
}

void run_blocks(void) {
  make_matrices();
  for (uint64_t k = 0; k < order; k += BLOCK)
    for (uint64_t column = 0; column < order; column += BLOCK)
      multiply_block(k, column);
  check_product();
}

/* ---- Quicksort (Hoare 1961) of all words ------------------------------------------------------------------------------------- */
static void swap(uint64_t a, uint64_t b) {
  uint64_t value = load(a);
  store(a, load(b));
  store(b, value);
}

/* Hoare's partition: where the right part begins; neither part is empty. */
static uint64_t partition(uint64_t first, uint64_t end) {
  uint64_t pivot = load(first + (end - first - 1) / 2), left = first, right = end - 1;
  for (;; left++, right--) {
    while (load(left) < pivot)
      left++;
    while (load(right) > pivot)
      right--;
    if (left >= right)
      return right + 1;
    swap(left, right);
  }
}

/* Recursion for the smaller part only: it is never deep. */
static void sort(uint64_t first, uint64_t end) {
  while (end - first > 1) {
    uint64_t middle = partition(first, end);
    bool left_is_smaller = middle - first < end - middle;
    if (left_is_smaller)
      sort(first, middle), first = middle;
    else
      sort(middle, end), end = middle;
  }
}

void run_sort(void) {
  uint64_t words = array.pages * PAGE_WORDS, before = 0, after = 0, last = 0;
  for (uint64_t at = 0; at < words; at++) {
    uint64_t value = random_word();
    before += mix(value);
    store(at, value);
  }
  sort(0, words);
  for (uint64_t at = 0; at < words; at++) {
    uint64_t value = load(at);
    if (value < last)
      fail("word %" PRIu64 " is smaller than the one before it", at);
    after += mix(value);
    last = value;
  }
  if (before != after)
    fail("the sorted words are not those that were there");
}
