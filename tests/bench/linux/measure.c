/* SPDX-License-Identifier: BSD-2-Clause */
#include "measure.h"

unsigned long overhead, samples[ITERATIONS];
unsigned parts = 1;

_Noreturn void failed(const char *file, int line, const char *what) {
  printf("# failed: %s:%d: %s\n", file, line, what);
  exit(1);
  __builtin_unreachable();
}

static void sort(unsigned long *values, int count) {
  for (int i = 1; i < count; i++)
    for (int j = i; j > 0 && values[j - 1] > values[j]; j--) {
      unsigned long value = values[j];
      values[j] = values[j - 1];
      values[j - 1] = value;
    }
}

void report(const char *name) {
  for (int i = 0; i < ITERATIONS; i++)
    samples[i] = (samples[i] - overhead) / parts;
  sort(samples, ITERATIONS);
  CHECK(samples[ITERATIONS - 1] > 0); /* else the counter stands still: CONFIG_RISCV_PMU */
  printf("# bench {\"name\": \"%s\", \"median\": %lu, \"min\": %lu, \"max\": %lu, \"n\": %d}\n", name,
         samples[ITERATIONS / 2], samples[0], samples[ITERATIONS - 1], ITERATIONS);
}

void once(const char *name, unsigned long value) {
  printf("# bench {\"name\": \"%s\", \"median\": %lu, \"n\": 1}\n", name, value);
}

void measure_overhead(void) {
  MEASURE("counter_overhead", , );
  overhead = samples[ITERATIONS / 2];
}
