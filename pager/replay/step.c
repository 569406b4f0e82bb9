/* SPDX-License-Identifier: BSD-2-Clause */
/* All frames after each reference, several policies side by side, as a teacher draws it: a line is a reference, a column a
 * frame, `*` a miss, `'` a page whose accessed bit is set. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "show.h"

#define LABEL 40 /* characters */

/* The page as the trace had it, with its process if there are several. */
static const char *label(const struct trace *trace, uint32_t page, char *text) {
  int n = 0;
  if (trace->processes > 1)
    n = snprintf(text, LABEL, "%u:", trace->process[trace_process_of(trace, page)]);
  snprintf(text + n, LABEL - (size_t)n, trace->hexadecimal ? "%#" PRIx64 : "%" PRIu64, trace_number_of(trace, page));
  return text;
}

static int label_width(const struct trace *trace) {
  char text[LABEL];
  size_t width = 1;
  for (uint32_t page = 0; page < trace->pages; page++)
    width = strlen(label(trace, page, text)) > width ? strlen(text) : width;
  return (int)width;
}

/* Returns how wide it was. */
static int print_frames(FILE *line, const struct run *run, int width) {
  char text[LABEL];
  int n = 0;
  for (uint32_t frame = 0; frame < run->slots; frame++) {
    uint32_t page = run->page[frame];
    bool marked = run->bits[frame] & ACCESSED && run->engine == &engine_policy;
    if (page != TRACE_NONE)
      n += fprintf(line, " %*s%c", width, label(run->trace, page, text), marked ? '\'' : ' ');
    else if (run->slots == run->frames)
      n += fprintf(line, " %*s ", width, ".");
  }
  return n;
}

static int column_width(const struct run *run, int width) {
  char heading[LABEL + LABEL];
  int frames = 2 + (int)run->frames * (width + 2),
      title = snprintf(heading, sizeof heading, "%s, %u frames", run->words, run->frames);
  return frames > title ? frames : title;
}

static void print_heading(FILE *line, const struct run *run, size_t runs, int width, int first) {
  char heading[LABEL + LABEL];
  fprintf(line, "%*s", first, "reference");
  for (size_t i = 0; i < runs; i++) {
    snprintf(heading, sizeof heading, "%s, %u frames", run[i].words, run[i].frames);
    fprintf(line, "   %-*s", column_width(&run[i], width), heading);
  }
}

static void print_totals(FILE *line, const struct run *run, size_t runs, int width, int first) {
  char text[LABEL];
  fprintf(line, "%*s", first, "misses");
  for (size_t i = 0; i < runs; i++) {
    snprintf(text, sizeof text, "%" PRIu64, run[i].counts.misses);
    fprintf(line, "   %-*s", column_width(&run[i], width), text);
  }
}

/* The next reference. */
static void step(FILE *line, struct run *run, size_t runs, int width, int first) {
  char text[LABEL];
  size_t at = run->at;
  uint32_t reference = run->trace->reference[at];
  fprintf(line, "%*s%c", first - 1, label(run->trace, reference >> 1, text), reference & 1 ? 'w' : ' ');
  for (size_t i = 0; i < runs; i++) {
    uint64_t misses = run[i].counts.misses;
    run_asked_of = run[i].words;
    run[i].engine->replay(&run[i], at + 1);
    fprintf(line, "   %c", run[i].counts.misses > misses ? '*' : ' ');
    int n = 1 + print_frames(line, &run[i], width), column = column_width(&run[i], width);
    fprintf(line, "%*s", n < column ? column - n : 0, "");
  }
}

/* Written without the blanks at its end, and begun again. */
static void end_line(FILE *line, char *const *text) {
  fflush(line);
  size_t n = strlen(*text);
  while (n && (*text)[n - 1] == ' ')
    n--;
  printf("%.*s\n", (int)n, *text);
  rewind(line);
}

void step_all(struct run *run, size_t runs) {
  int width = label_width(run->trace), first = width > 9 ? width + 1 : 10;
  char *text = NULL;
  size_t room;
  FILE *line = open_memstream(&text, &room);
  if (!line)
    fail("there is no memory for a line");
  for (size_t i = 0; i < runs; i++)
    run[i].engine->begin(&run[i]);
  print_heading(line, run, runs, width, first);
  end_line(line, &text);
  while (run->at < run->trace->references) {
    step(line, run, runs, width, first);
    end_line(line, &text);
  }
  print_totals(line, run, runs, width, first);
  end_line(line, &text);
  fclose(line);
  free(text);
  for (size_t i = 0; i < runs; i++)
    run_finish(&run[i]);
}
