/* SPDX-License-Identifier: BSD-2-Clause */
#include "measure.h"

#include <stdlib.h>

__attribute__((noinline)) void trace_begin(unsigned index) {
  __asm__ volatile("" ::"r"(index) : "memory");
}

__attribute__((noinline)) void trace_end(unsigned index) {
  __asm__ volatile("" ::"r"(index) : "memory");
}

uint64_t overhead, samples[ITERATIONS];
int iterations = ITERATIONS;
unsigned index_of_next, parts = 1;

static int compare(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return (x > y) - (x < y);
}

uint64_t report(const char *name, uint64_t lost) {
  for (int i = 0; i < iterations; i++)
    samples[i] = (samples[i] - lost) / parts;
  qsort(samples, (size_t)iterations, sizeof *samples, compare);
  uint64_t median = samples[iterations / 2];
  printf("# bench {\"name\": \"%s\", \"median\": %lu, \"min\": %lu, \"max\": %lu, \"n\": %d, \"index\": %u, "
         "\"parts\": %u}\n",
         name, (unsigned long)median, (unsigned long)samples[0], (unsigned long)samples[iterations - 1], iterations,
         index_of_next, parts);
  return median;
}

void once(const char *name, uint64_t value) {
  printf("# bench {\"name\": \"%s\", \"median\": %lu, \"n\": 1}\n", name, (unsigned long)value);
}

void measure_overhead(void) {
  for (int i = 0; i < iterations; i++) {
    uint64_t start = q_instret();
    samples[i] = q_instret() - start;
  }
  overhead = report("counter_overhead", 0);
}
