/* SPDX-License-Identifier: BSD-2-Clause */
/* The trace in memory, and how a page is found in it. It knows nothing of files. */
#include "trace.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void fail(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fflush(stdout);
  fputs("replay: ", stderr);
  vfprintf(stderr, format, arguments);
  fputc('\n', stderr);
  va_end(arguments);
  exit(2);
}

void *grown(void *array, size_t count, size_t *room, size_t bytes) {
  if (count < *room)
    return array;
  *room = *room ? 2 * *room : 1024;
  array = realloc(array, *room * bytes);
  if (!array)
    fail("there is no memory for %zu MiB more of the trace", *room * bytes >> 20);
  return array;
}

/* Fibonacci hashing: Knuth, The Art of Computer Programming 3, 6.4. */
static size_t slot_of(const struct trace *trace, uint64_t key) {
  return (size_t)((key ^ key >> 32) * 0x9e3779b97f4a7c15u >> (64 - trace->table_bits));
}

static uint32_t *find(const struct trace *trace, uint64_t key) {
  size_t mask = ((size_t)1 << trace->table_bits) - 1, at = slot_of(trace, key);
  while (trace->table[at] != TRACE_NONE && trace->page[trace->table[at]] != key)
    at = (at + 1) & mask;
  return &trace->table[at];
}

/* At most half of the table is in use. */
static void table_grow(struct trace *trace) {
  trace->table_bits = trace->table_bits ? trace->table_bits + 1 : 12;
  size_t bytes = sizeof *trace->table << trace->table_bits;
  free(trace->table);
  trace->table = malloc(bytes);
  if (!trace->table)
    fail("there is no memory for %zu MiB of pages", bytes >> 20);
  memset(trace->table, 0xff, bytes);
  for (uint32_t page = 0; page < trace->pages; page++)
    *find(trace, trace->page[page]) = page;
}

uint32_t trace_page(struct trace *trace, uint32_t process, uint64_t number) {
  uint64_t key = (uint64_t)process << TRACE_PAGE_BITS | number;
  if (2 * (size_t)trace->pages >= (size_t)1 << trace->table_bits || !trace->table)
    table_grow(trace);
  uint32_t *found = find(trace, key);
  if (*found != TRACE_NONE)
    return *found;
  size_t room = trace->page_room;
  trace->page = grown(trace->page, trace->pages, &room, sizeof *trace->page);
  if (trace->pages == INT32_MAX)
    fail("there are more than %d pages", INT32_MAX);
  trace->page_room = (uint32_t)room;
  trace->page[trace->pages] = key;
  return *found = trace->pages++;
}

uint32_t trace_process(struct trace *trace, uint32_t name) {
  for (uint32_t i = 0, at = trace->last_process; i < trace->processes; i++, at = (at + 1) % trace->processes)
    if (trace->process[at] == name)
      return trace->last_process = at;
  if (trace->processes == TRACE_PROCESSES)
    return TRACE_NONE;
  size_t room = trace->process_room;
  trace->process = grown(trace->process, trace->processes, &room, sizeof *trace->process);
  trace->process_room = (uint32_t)room;
  trace->process[trace->processes] = name;
  return trace->processes++;
}

bool trace_add(struct trace *trace, uint32_t process, uint64_t number, enum qtrace_kind kind) {
  if (trace->references == TRACE_REFERENCES)
    return false;
  trace->reference = grown(trace->reference, trace->references, &trace->reference_room, sizeof *trace->reference);
  trace->reference[trace->references++] = trace_page(trace, process, number) << 1 | (kind == QTRACE_WRITE);
  trace->kinds[kind]++;
  return true;
}

const uint32_t *trace_next(struct trace *trace) {
  if (trace->next)
    return trace->next;
  uint32_t *last = malloc(trace->pages * sizeof *last + 1);
  trace->next = malloc(trace->references * sizeof *trace->next + 1);
  if (!last || !trace->next)
    fail("there is no memory for what comes next in %zu references", trace->references);
  memset(last, 0xff, trace->pages * sizeof *last);
  for (size_t i = trace->references; i--;) {
    uint32_t page = trace->reference[i] >> 1;
    trace->next[i] = last[page];
    last[page] = (uint32_t)i;
  }
  free(last);
  return trace->next;
}

void trace_end(struct trace *trace) {
  free(trace->reference);
  free(trace->page);
  free(trace->table);
  free(trace->process);
  free(trace->next);
}
