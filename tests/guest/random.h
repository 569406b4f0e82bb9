/* SPDX-License-Identifier: BSD-2-Clause */
/* Random numbers that repeat with their seed. */
#ifndef RANDOM_H
#define RANDOM_H

#include <stdbool.h>
#include <stdint.h>

static uint64_t random_state;

static inline uint64_t next_random(void) {
  random_state = random_state * 6364136223846793005 + 1442695040888963407; /* Knuth, MMIX */
  return random_state >> 33 | random_state << 31;
}

static inline uint64_t below(uint64_t limit) {
  return (next_random() & 0xffffffff) % limit;
}

static inline bool chance(unsigned one_in) {
  return below(one_in) == 0;
}

/* Seeds that are close give sequences that are not. */
static inline void random_begin(uint64_t seed) {
  random_state = seed * 0x9e3779b97f4a7c15 + 1;
  for (unsigned i = 0; i < 4; i++)
    next_random();
}
#endif
