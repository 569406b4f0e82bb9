/* SPDX-License-Identifier: BSD-2-Clause */
/* How an operation of Linux is measured: as those of Quire are (../measure.h). The C library is the one of Linux's own
 * source, nolibc, and what is measured calls the kernel without it, so that no figure holds anything of a library. */
#ifndef MEASURE_H
#define MEASURE_H

#include "nolibc.h"
#include <stdbool.h>
#include <linux/mman.h>

#define PAGE 4096ul
#define WARM_UP 64
#define ITERATIONS 1001
#define OPERATIONS (WARM_UP + ITERATIONS)

extern unsigned long overhead, samples[ITERATIONS];
extern unsigned parts; /* equal ones, of which the measured operation consists; the figure is that of one */

void measure_overhead(void);
void report(const char *name);
void once(const char *name, unsigned long value);
_Noreturn void failed(const char *file, int line, const char *what);

#define CHECK(condition) ((condition) ? (void)0 : failed(__FILE__, __LINE__, #condition))

static inline unsigned long instret(void) {
  unsigned long count;
  __asm__ volatile("rdinstret %0" : "=r"(count)::"memory");
  return count;
}

/* `prepare` is not counted. Each operation is inlined into a loop of its own, so that no call through a pointer is. */
#define MEASURE(name, prepare, operation)                                                                            \
  do {                                                                                                               \
    for (int i_ = -WARM_UP; i_ < ITERATIONS; i_++) {                                                                 \
      prepare;                                                                                                       \
      unsigned long start_ = instret();                                                                              \
      operation;                                                                                                     \
      unsigned long end_ = instret();                                                                                \
      samples[i_ < 0 ? 0 : i_] = end_ - start_;                                                                      \
    }                                                                                                                \
    report(name);                                                                                                    \
  } while (0)

/* ---- windows.c: memory in which the host counts the page faults ---- */
void windows_of(unsigned room);
char *window_open(unsigned long bytes, int protection);
void window_close(const char *name, unsigned long faults);

/* ---- A room each; every one is a process of its own, so that none leaves the next anything ---- */
void calls(void);
void faults(void);
void uffd(void);
void files(void);
void forks(void);
void hold(int *pipe_ends); /* a child's: waits until the other end is closed, and exits */
#endif
