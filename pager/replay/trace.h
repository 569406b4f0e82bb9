/* SPDX-License-Identifier: BSD-2-Clause */
/* A trace in memory: references to pages, which have numbers from 0 up in the order in which they were first seen. */
#ifndef TRACE_H
#define TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "qtrace.h"

#define TRACE_NONE UINT32_MAX                                  /* no page, no frame, no reference */
#define TRACE_REFERENCES 0x7fffffff                            /* at most */
#define TRACE_PAGE_BITS 52                                     /* of a page's number in its process */
#define TRACE_PAGE_MOST (((uint64_t)1 << TRACE_PAGE_BITS) - 2) /* so that the address behind it is one */
#define TRACE_PROCESSES (1u << (64 - TRACE_PAGE_BITS))

struct trace {
  uint32_t *reference; /* page << 1 | it is a write */
  size_t references, reference_room;
  uint64_t *page; /* of each: index of its process << TRACE_PAGE_BITS | number of the page in it */
  uint32_t pages, page_room;
  uint32_t *table; /* finds a page by that: open addressing, TRACE_NONE where nothing is */
  unsigned table_bits;
  uint32_t *process; /* what the trace calls each */
  uint32_t processes, process_room, last_process;
  uint64_t kinds[QTRACE_KINDS];
  uint32_t *next;   /* of each reference, the next one to its page; made when it is asked for */
  bool hexadecimal; /* pages are shown so */
};

/* What it ends with if the trace cannot be: a line that says why, and exit status 2. */
_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* An array that has room for one more than `count`; at least doubled if it must grow. */
void *grown(void *array, size_t count, size_t *room, size_t bytes);

/* The number of the page, new if it was not seen before. `process` is an index. */
uint32_t trace_page(struct trace *trace, uint32_t process, uint64_t number);
/* The index of the process; TRACE_NONE: there are TRACE_PROCESSES others. */
uint32_t trace_process(struct trace *trace, uint32_t name);
/* false: there are TRACE_REFERENCES. */
bool trace_add(struct trace *trace, uint32_t process, uint64_t number, enum qtrace_kind kind);
/* trace->next, TRACE_NONE where there is none. */
const uint32_t *trace_next(struct trace *trace);

static inline uint32_t trace_process_of(const struct trace *trace, uint32_t page) {
  return (uint32_t)(trace->page[page] >> TRACE_PAGE_BITS);
}

static inline uint64_t trace_number_of(const struct trace *trace, uint32_t page) {
  return trace->page[page] & (((uint64_t)1 << TRACE_PAGE_BITS) - 1);
}

void trace_end(struct trace *trace);

/* ---- read.c ---- */
enum column { COLUMN_PAGE, COLUMN_PROCESS, COLUMN_KIND, COLUMNS };
struct format {
  const char
      *column[COLUMNS]; /* of CSV: a number from 1 up or a name; NULL: it has none, and without a page it is no CSV */
  bool addresses;       /* text and CSV have addresses in bytes; a binary trace has anyway */
};

/* A number of digits, or 0x and digits, from `text` on, up to what is none of it. NULL: there is none. Above 64 bits it is UINT64_MAX,
 * which nothing here may be. */
const char *trace_digits(const char *text, uint64_t *value);
/* Reads the file, "-" for standard input. A record that is wrong ends the program with its place. */
void trace_read(struct trace *trace, const char *file, const struct format *format);
/* "REFERENCES,PAGES": made from the seed, the k-th page as often as 1/k, one in four a write. */
void trace_make(struct trace *trace, const char *text, uint64_t seed);
#endif
