/* SPDX-License-Identifier: BSD-2-Clause */
/* Numbers that look random and are the same on every machine. */
#include "workload.h"

static uint64_t state = 1;

/* Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators" (OOPSLA 2014), with Stafford's constants, variant 13. */
uint64_t mix(uint64_t value) {
  value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9u;
  value = (value ^ value >> 27) * 0x94d049bb133111ebu;
  return value ^ value >> 31;
}

void random_seed(uint64_t seed) {
  state = mix(seed + 0x9e3779b97f4a7c15u);
  state += !state; /* it would stay 0 */
}

/* xorshift64*: Vigna, "An experimental exploration of Marsaglia's xorshift generators, scrambled" (ACM TOMS 42:4, 2016). */
uint64_t random_word(void) {
  state ^= state >> 12;
  state ^= state << 25;
  state ^= state >> 27;
  return state * 0x2545f4914f6cdd1du;
}

/* The upper half scaled: a bias of at most n / 2^32, and always one step of the generator. */
uint64_t random_below(uint64_t n) {
  return (random_word() >> 32) * n >> 32;
}

/* By rejection (von Neumann 1951) under steps: an octave [2^k, 2^(k+1)) has the weight 1 if each of it counts 2^-k, and of its
 * members r the share 2^k / r is let through. At least a third are; no table, no logarithm. */
uint64_t zipf(uint64_t n) {
  unsigned octaves = 64 - (unsigned)__builtin_clzll(n);
  for (;;) {
    uint64_t first = (uint64_t)1 << random_below(octaves), rank = first + random_below(first);
    if (rank <= n && random_below(rank) < first)
      return rank;
  }
}
