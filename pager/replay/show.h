/* SPDX-License-Identifier: BSD-2-Clause */
/* What is said of runs, and what was expected of them. */
#ifndef SHOW_H
#define SHOW_H

#include "run.h"

struct summary {
  const char *file;
  const struct trace *trace;
  uint32_t pages; /* of the trace, before any were fetched that are not in it */
  const struct run *run;
  size_t runs;
  bool timed;
};

void report_text(const struct summary *summary);
void report_json(const struct summary *summary);
/* Does the runs, side by side, and shows all frames after each reference. */
void step_all(struct run *run, size_t runs);

/* "POLICY[@FRAMES][:FIGURE]=COUNT", or a file with one a line. What is none of these, or says nothing of any run, ends the
 * program. How many were not as expected, each of which was said on standard error. */
unsigned expect(const struct summary *summary, const char *text);
/* The figure of that name, as report_json() calls it. NULL: there is none. */
const uint64_t *figure(const struct counts *counts, const char *name, size_t length);
#endif
