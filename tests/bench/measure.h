/* SPDX-License-Identifier: BSD-2-Clause */
/* How an operation is measured: the median of ITERATIONS after a warm-up, less what reading the counter costs. Before the last
 * iteration of each, trace_begin() is called and after it trace_end(), where the host's tracer finds one warm operation. */
#ifndef MEASURE_H
#define MEASURE_H

#include "../guest/tap.h"

#ifndef WARM_UP
#define WARM_UP 64
#endif
#define ITERATIONS 1001
#define PAGE 4096

void trace_begin(unsigned index);
void trace_end(unsigned index);
extern uint64_t overhead, samples[ITERATIONS];
extern int iterations; /* 1 when only the trace is wanted */
extern unsigned index_of_next;
extern unsigned parts; /* equal ones, of which the measured operation consists; the figure is that of one */
uint64_t report(const char *name, uint64_t lost);
void once(const char *name, uint64_t value);

/* `prepare` is not counted. Each operation is inlined into a loop of its own, so that no call through a pointer is. */
#define MEASURE(name, prepare, operation)                                                                            \
  do {                                                                                                               \
    index_of_next++;                                                                                                 \
    for (int i_ = -WARM_UP; i_ < iterations; i_++) {                                                                 \
      prepare;                                                                                                       \
      if (i_ == iterations - 1)                                                                                      \
        trace_begin(index_of_next);                                                                                  \
      uint64_t start_ = q_instret();                                                                                 \
      operation;                                                                                                     \
      uint64_t end_ = q_instret();                                                                                   \
      if (i_ == iterations - 1)                                                                                      \
        trace_end(index_of_next);                                                                                    \
      samples[i_ < 0 ? 0 : i_] = end_ - start_;                                                                      \
    }                                                                                                                \
    CHECK(report(name, overhead) > 0);                                                                               \
  } while (0)

void measure_overhead(void);

/* ---- unix.c: under the posix server, in the calls of POSIX ---- */
void unix_warm_up(void);
void unix_files(void);
void unix_pipes(void);
void unix_forks(void);
#endif
