/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory references with a known pattern, the same everywhere: integers only, an own generator, no address in any result. It is
 * plain POSIX, so `cc -O2 apps/workload/[a-z]*.c` makes the same program for any system, there a maker of traces (-r). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE_BYTES 4096
#define PAGE_WORDS (PAGE_BYTES / sizeof(uint64_t))
#define MOST_PAGES (1u << 22)

struct options {
  const char *pattern;
  uint64_t pages, steps, seed;
  unsigned writes; /* per cent of touches that write, too */
  bool record;     /* print the number of each page that is referred to, and nothing else */
};
extern struct options options; /* main.c; constant once a pattern runs */

/* Says on standard error what is wrong and ends the process with status 1. */
_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* ---- random.c ------------------------------------------------------------------------------------------------------------ */
uint64_t mix(uint64_t value); /* a permutation of all values, each bit of which depends on all of the argument's */
void random_seed(uint64_t seed);
uint64_t random_word(void);
uint64_t random_below(uint64_t n); /* 0 to n - 1; n: 1 to 2^32 */
uint64_t zipf(uint64_t n);         /* 1 to n, each in proportion to its reciprocal; n: 1 to 2^31 */

/* ---- array.c: the pages that a pattern works on ---------------------------------------------------------------------------
 * A sum over all words is kept beside them: incremental, of a hash of place and value (Clarke et al., "Incremental Multiset Hash
 * Functions", 2003), so a page that was lost, is old or another's does not go unseen, and no copy of anything is needed. */
extern struct array {
  uint64_t *words, pages;
  uint64_t sum;        /* of what they should hold */
  uint64_t seen;       /* of what touches have read, and in which order */
  uint64_t references; /* to pages until now */
  bool stamped;        /* each word is 0, or what touch() writes */
} array;

void array_make(uint64_t pages);                    /* zeros; fails if there is no such memory */
void array_resize(uint64_t *words, uint64_t pages); /* memory of the caller's own; what comes new must be zeros */
void refer(uint64_t page);                          /* counts it, and prints it if that is asked for */
uint64_t load(uint64_t at);                         /* one reference; at: a word's number, from 0 */
void store(uint64_t at, uint64_t value);            /* one reference */
void touch(uint64_t page);                          /* one: checks some word and perhaps writes it */
void array_check(void);                             /* that each byte is as written; refers to every page once */
uint64_t array_checksum(void);                      /* of all that was done, after array_check() */

/* ---- The patterns ---------------------------------------------------------------------------------------------------------- */
#define TAKES_STEPS 1u  /* -n */
#define TAKES_WRITES 2u /* -w */
#define OWN_MEMORY 4u   /* it works on other memory than an array of all the pages */

struct pattern {
  const char *name, *text; /* one line of what it does */
  void (*run)(void);       /* fails if anything is wrong */
  unsigned flags;
  unsigned most; /* pages; 0: MOST_PAGES */
};

/* reference.c */
void run_scan(void), run_loop(void), run_zipf(void), run_scans(void), run_phases(void), run_chase(void);
/* program.c */
void run_hash(void), run_matrix(void), run_blocks(void), run_sort(void);
/* process.c */
void run_stack(void), run_heap(void), run_fork(void);
