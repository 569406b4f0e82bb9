/* SPDX-License-Identifier: BSD-2-Clause */
/* Traces in files: binary (qtrace.h), lists of pages as text, CSV. What is wrong is refused with its place and what to do. */
#include "trace.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define PAGE_BYTES_LOG2 12
#define BLANKS " \t\r"

struct field {
  const char *text;
  size_t length;
};

struct reader {
  struct trace *trace;
  const char *file;
  const struct format *format;
  uint64_t line;
  struct field *field; /* of this line of CSV */
  size_t field_room;
  size_t fields;          /* that each record has; 0: no line has said it */
  size_t column[COLUMNS]; /* which of them, from 0 up, if the format names it */
};

/* ---- Numbers ------------------------------------------------------------------------------------------------------------- */
const char *trace_digits(const char *text, uint64_t *value) {
  char *end;
  bool hexadecimal = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
  if (!isdigit((unsigned char)*text) || (hexadecimal && !isxdigit((unsigned char)text[2])))
    return NULL;
  *value = strtoull(text, &end, hexadecimal ? 16 : 10);
  return end;
}

/* The page that a number stands for, which was written so. */
static uint64_t page_of(const struct reader *r, uint64_t value, struct field written) {
  bool addresses = r->format->addresses;
  uint64_t page = addresses ? value >> PAGE_BYTES_LOG2 : value;
  if (page > TRACE_PAGE_MOST)
    fail("%s:%" PRIu64 ": %s %.*s is out of range, which ends at %" PRIu64 "%s", r->file, r->line,
         addresses ? "address" : "page", (int)written.length, written.text,
         addresses ? ((TRACE_PAGE_MOST + 1) << PAGE_BYTES_LOG2) - 1 : TRACE_PAGE_MOST,
         addresses ? ": the last page has no address behind it" : ": if these are addresses, say --addresses");
  return page;
}

static void add(const struct reader *r, uint32_t process, uint64_t page, enum qtrace_kind kind) {
  if (!trace_add(r->trace, process, page, kind))
    fail("%s:%" PRIu64 ": there are more than %u references: divide the trace", r->file, r->line, TRACE_REFERENCES);
}

static uint32_t process_of(const struct reader *r, uint32_t name) {
  uint32_t process = trace_process(r->trace, name);
  if (process == TRACE_NONE)
    fail("%s:%" PRIu64 ": there are more than %u processes: divide the trace", r->file, r->line, TRACE_PROCESSES);
  return process;
}

/* ---- Text ---------------------------------------------------------------------------------------------------------------- */
static const char *skip_blanks(const char *at) {
  at += strspn(at, BLANKS);
  return *at == '#' ? at + strlen(at) : at;
}

/* One page number and what is between it and the next. */
static const char *read_number(const struct reader *r, const char *at, bool *comma) {
  uint64_t value;
  const char *end = trace_digits(at, &value);
  bool write = end && *end == 'w';
  if (!end || !strchr(BLANKS ",#", end[write])) /* which includes the end */
    fail("%s:%" PRIu64
         ": '%.*s' is no %s: write a decimal number or 0x and a hexadecimal one, with w after it for a write",
         r->file, r->line, (int)strcspn(at, BLANKS ",#"), at, r->format->addresses ? "address" : "page number");
  add(r, 0, page_of(r, value, (struct field){at, (size_t)(end - at)}), write ? QTRACE_WRITE : QTRACE_READ);
  end = skip_blanks(end + write);
  *comma = *end == ',';
  return *comma ? skip_blanks(end + 1) : end;
}

static void read_text_line(struct reader *r, const char *line) {
  bool comma = false;
  const char *at = skip_blanks(line);
  while (*at) {
    if (*at == ',')
      fail("%s:%" PRIu64 ": a page number is missing before a comma", r->file, r->line);
    at = read_number(r, at, &comma);
  }
  if (comma)
    fail("%s:%" PRIu64 ": a page number is missing after the last comma", r->file, r->line);
}

/* ---- CSV: RFC 4180, but that a field ends on its line, and blanks around it do not count ---------------------------------- */
/* The quotation mark that closes a field, in which two are one; `at` is behind the one that opens it. */
static const char *closing(const struct reader *r, const char *at) {
  while ((at = strchr(at, '"')) && at[1] == '"')
    at += 2;
  if (!at)
    fail("%s:%" PRIu64 ": a quotation mark is not closed on its line", r->file, r->line);
  return at;
}

static const char *read_quoted(const struct reader *r, const char *text, struct field *field) {
  const char *end = closing(r, text);
  *field = (struct field){text, (size_t)(end - text)};
  return end + 1 + strspn(end + 1, BLANKS);
}

static const char *read_plain(const char *text, struct field *field) {
  const char *end = text + strcspn(text, ",\""), *last = end;
  while (last > text && strchr(BLANKS, last[-1]))
    last--;
  *field = (struct field){text, (size_t)(last - text)};
  return end;
}

/* The comma behind the field, or the end. */
static const char *read_field(const struct reader *r, const char *at, struct field *field) {
  at += strspn(at, BLANKS);
  at = *at == '"' ? read_quoted(r, at + 1, field) : read_plain(at, field);
  if (*at && *at != ',')
    fail("%s:%" PRIu64 ": a field is partly in quotation marks: write all of it so, or none", r->file, r->line);
  return at;
}

/* The line's fields are in r->field. Returns how many. */
static size_t split(struct reader *r, const char *at) {
  size_t n = 0;
  do {
    r->field = grown(r->field, n, &r->field_room, sizeof *r->field);
    at = read_field(r, at, &r->field[n++]);
  } while (*at++);
  return n;
}

static struct field field_at(const struct reader *r, enum column column) {
  struct field field = r->field[r->column[column]];
  if (!field.length)
    fail("%s:%" PRIu64 ": column '%s' is empty", r->file, r->line, r->format->column[column]);
  return field;
}

static uint64_t number_at(const struct reader *r, enum column column) {
  struct field field = field_at(r, column);
  uint64_t value;
  if (trace_digits(field.text, &value) != field.text + field.length)
    fail("%s:%" PRIu64
         ": column '%s': '%.*s' is no number: write a decimal one, or 0x and a hexadecimal one (if it is a "
         "column's name, name the column: --csv NAME)",
         r->file, r->line, r->format->column[column], (int)field.length, field.text);
  return value;
}

static uint32_t process_at(const struct reader *r) {
  struct field field = field_at(r, COLUMN_PROCESS);
  uint64_t name = number_at(r, COLUMN_PROCESS);
  if (name > UINT32_MAX)
    fail("%s:%" PRIu64 ": process %.*s is out of range, which ends at %u", r->file, r->line, (int)field.length,
         field.text, UINT32_MAX);
  return process_of(r, (uint32_t)name);
}

static enum qtrace_kind kind_at(const struct reader *r) {
  static const char *const names[] = {"0", "1", "2", "r", "w", "x", "read", "write", "execute"};
  struct field field = field_at(r, COLUMN_KIND);
  for (unsigned i = 0; i < 9; i++)
    if (strlen(names[i]) == field.length && !strncasecmp(field.text, names[i], field.length))
      return i % QTRACE_KINDS;
  fail("%s:%" PRIu64 ": '%.*s' is no kind: it is r, w or x; read, write or execute; 0, 1 or 2", r->file, r->line,
       (int)field.length, field.text);
}

/* The index of a column that is named by its number, or by its name in the first line, which then is no record. */
static size_t column_of(const struct reader *r, const char *name, bool *named) {
  uint64_t value;
  const char *end = trace_digits(name, &value);
  if (end && !*end && value && value <= r->fields)
    return value - 1;
  *named = true;
  for (size_t i = 0; i < r->fields; i++)
    if (strlen(name) == r->field[i].length && !memcmp(name, r->field[i].text, r->field[i].length))
      return i;
  fail("%s:%" PRIu64 ": there is no column '%s': name one that this line has, or give a number, 1 to %zu", r->file,
       r->line, name, r->fields);
}

/* The first line says how many fields each has. Whether it is names. */
static bool read_csv_head(struct reader *r, size_t fields) {
  bool named = false;
  r->fields = fields;
  for (unsigned i = 0; i < COLUMNS; i++)
    if (r->format->column[i])
      r->column[i] = column_of(r, r->format->column[i], &named);
  return named;
}

static void read_csv_line(struct reader *r, const char *line) {
  if (!line[strspn(line, BLANKS)])
    return;
  size_t n = split(r, line);
  if (!r->fields && read_csv_head(r, n))
    return;
  if (n != r->fields)
    fail("%s:%" PRIu64 ": it has %zu field%s, but the first line has %zu", r->file, r->line, n, n == 1 ? "" : "s",
         r->fields);
  uint64_t page = page_of(r, number_at(r, COLUMN_PAGE), field_at(r, COLUMN_PAGE));
  uint32_t process = r->format->column[COLUMN_PROCESS] ? process_at(r) : 0;
  add(r, process, page, r->format->column[COLUMN_KIND] ? kind_at(r) : QTRACE_READ);
}

/* ---- Binary -------------------------------------------------------------------------------------------------------------- */
static uint64_t little(const unsigned char *at, unsigned bytes) {
  uint64_t value = 0;
  while (bytes--)
    value = value << 8 | at[bytes];
  return value;
}

static void read_record(const struct reader *r, const unsigned char *at, uint64_t record) {
  uint64_t page_kind = little(at, 8);
  if (page_kind & 0xffc || (page_kind & 3) >= QTRACE_KINDS || page_kind >> PAGE_BYTES_LOG2 > TRACE_PAGE_MOST)
    fail("%s: record %" PRIu64 ": %#" PRIx64
         " is not the address of a page, but the last, with a kind, 0 to 2, in bits 0 and 1: record it again",
         r->file, record, page_kind);
  if (little(at + 12, 4))
    fail("%s: record %" PRIu64 ": its last four bytes are not 0: a newer replayer may know what they are", r->file,
         record);
  add(r, process_of(r, (uint32_t)little(at + 8, 4)), page_kind >> PAGE_BYTES_LOG2, page_kind & 3);
}

static void read_binary(struct reader *r, const char *data, size_t bytes) {
  if (r->format->column[COLUMN_PAGE] || r->format->addresses)
    fail("%s: it is a binary trace, which has no columns, and addresses always: leave out --csv and --addresses",
         r->file);
  size_t records = (bytes - QTRACE_HEAD) / sizeof(struct qtrace_record);
  if ((bytes - QTRACE_HEAD) % sizeof(struct qtrace_record))
    fail("%s: record %zu: it has %zu bytes of %zu: the file was cut off, record it again", r->file, records + 1,
         (bytes - QTRACE_HEAD) % sizeof(struct qtrace_record), sizeof(struct qtrace_record));
  for (size_t i = 0; i < records; i++)
    read_record(r, (const unsigned char *)data + QTRACE_HEAD + i * sizeof(struct qtrace_record), i + 1);
  r->trace->hexadecimal = true;
}

/* ---- Files --------------------------------------------------------------------------------------------------------------- */
/* All of the file and a 0. */
static char *contents(const char *file, size_t *bytes) {
  FILE *stream = strcmp(file, "-") ? fopen(file, "rb") : stdin;
  char *data = NULL;
  size_t room = 0, got;
  if (!stream)
    fail("%s: %s", file, strerror(errno));
  *bytes = 0;
  do {
    data = grown(data, *bytes + 1, &room, 1);
    *bytes += got = fread(data + *bytes, 1, room - *bytes - 1, stream);
  } while (got);
  if (ferror(stream))
    fail("%s: %s", file, strerror(errno));
  if (stream != stdin)
    fclose(stream);
  data[*bytes] = 0;
  return data;
}

static void read_lines(struct reader *r, char *data, size_t bytes) {
  for (char *line = data, *end; line < data + bytes; line = end + 1) {
    end = line + strcspn(line, "\n");
    r->line++;
    if (!*end && end < data + bytes)
      fail("%s:%" PRIu64 ": it has a byte 0: this is neither text nor does it begin as a binary trace does", r->file,
           r->line);
    *end = 0;
    (r->format->column[COLUMN_PAGE] ? read_csv_line : read_text_line)(r, line);
  }
}

void trace_read(struct trace *trace, const char *file, const struct format *format) {
  struct reader r = {.trace = trace, .file = strcmp(file, "-") ? file : "standard input", .format = format};
  size_t bytes;
  char *data = contents(file, &bytes);
  if (bytes >= QTRACE_HEAD && !memcmp(data, QTRACE_MAGIC, QTRACE_HEAD)) {
    read_binary(&r, data, bytes);
  } else {
    if (!format->column[COLUMN_PROCESS])
      process_of(&r, 0);
    read_lines(&r, data, bytes);
  }
  free(data);
  free(r.field);
  if (!trace->references)
    fail("%s: there is no reference in it", r.file);
}

/* ---- Made ---------------------------------------------------------------------------------------------------------------- */
static uint64_t next_random(uint64_t *state) { /* splitmix64: Steele, Lea and Flood, OOPSLA 2014 */
  uint64_t z = *state += 0x9e3779b97f4a7c15u;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return z ^ z >> 31;
}

void trace_make(struct trace *trace, const char *text, uint64_t seed) {
  uint64_t references = 0, pages = 0;
  const char *comma = trace_digits(text, &references),
             *end = comma && *comma == ',' ? trace_digits(comma + 1, &pages) : NULL;
  if (!end || *end || !references || references > TRACE_REFERENCES || !pages || pages > 1u << 30)
    fail("--make %s: write REFERENCES,PAGES: 1 to %u, and 1 to %u", text, TRACE_REFERENCES, 1u << 30);
  trace_process(trace, 0);
  for (uint64_t i = 0; i < references; i++) {
    uint64_t random = next_random(&seed);
    double rank = exp((double)(random >> 11) * 0x1p-53 * log((double)pages + 1)); /* 1 to pages + 1 */
    uint64_t page = ((uint64_t)rank - 1) * 0x9e3779b1u % (1u << 31); /* neighbours are not equally often used */
    trace_add(trace, 0, page, random & 3 ? QTRACE_READ : QTRACE_WRITE);
  }
}
