/* SPDX-License-Identifier: BSD-2-Clause */
/* What the runs counted, for people and for programs. Without times it is the same on every run. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "show.h"

struct named {
  const char *name, *heading;
  size_t offset;
};

static const struct named figures[] = {{"misses", "misses", offsetof(struct counts, misses)},
                                       {"cold", "cold", offsetof(struct counts, cold)},
                                       {"write_backs", "write-backs", offsetof(struct counts, written)},
                                       {"read_backs", "read-backs", offsetof(struct counts, returned)},
                                       {"fetched", "fetched", offsetof(struct counts, fetched)},
                                       {"untouched", "untouched", offsetof(struct counts, untouched)},
                                       {"wrong", "wrong", offsetof(struct counts, wrong)},
                                       {"chosen", "chosen", offsetof(struct counts, chosen)}};
#define FIGURES (sizeof figures / sizeof *figures)

const uint64_t *figure(const struct counts *counts, const char *name, size_t length) {
  for (const struct named *f = figures; f < figures + FIGURES; f++)
    if (strlen(f->name) == length && !memcmp(f->name, name, length))
      return (const uint64_t *)((const char *)counts + f->offset);
  return NULL;
}

static double mean_resident(const struct run *run) {
  return (double)run->counts.resident_sum / (double)run->trace->references;
}

static double miss_ratio(const struct run *run) {
  return (double)run->counts.misses / (double)run->trace->references;
}

static double ns_per_reference(const struct run *run, uint64_t ns) {
  return (double)ns / (double)run->trace->references;
}

/* ---- For people ---------------------------------------------------------------------------------------------------------- */
static int name_width(const struct summary *summary) {
  size_t width = strlen("policy");
  for (size_t i = 0; i < summary->runs; i++)
    width = strlen(summary->run[i].words) > width ? strlen(summary->run[i].words) : width;
  return (int)width;
}

static void print_run(const struct summary *summary, const struct run *run) {
  printf("%-*s %8u %8.4f %10.1f", name_width(summary), run->words, run->frames, 100 * miss_ratio(run),
         mean_resident(run));
  for (const struct named *f = figures; f < figures + FIGURES; f++)
    printf(" %11" PRIu64, *(const uint64_t *)((const char *)&run->counts + f->offset));
  if (summary->timed)
    printf(" %8.1f %8.2f", 1e3 / ns_per_reference(run, run->counts.ns), ns_per_reference(run, run->counts.policy_ns));
  putchar('\n');
}

/* "1:9 2-3:4": nine faults on a page that was evicted one fault before, four with two or three between. */
static void print_refaults(const struct summary *summary, const struct run *run) {
  printf("%-*s %8u", name_width(summary), run->words, run->frames);
  for (unsigned i = 0; i < REFAULTS; i++)
    if (run->counts.refault[i] && i)
      printf(" %" PRIu64 "-%" PRIu64 ":%" PRIu64, (uint64_t)1 << i, ((uint64_t)2 << i) - 1, run->counts.refault[i]);
    else if (run->counts.refault[i])
      printf(" 1:%" PRIu64, run->counts.refault[i]);
  putchar('\n');
}

/* What policies say of themselves. */
static void print_own(const struct summary *summary) {
  bool said = false;
  for (const struct run *run = summary->run; run < summary->run + summary->runs; run++) {
    if (!run->counts.own[0].name)
      continue;
    if (!said)
      puts("\nof the policies themselves");
    said = true;
    printf("%-*s %8u", name_width(summary), run->words, run->frames);
    for (unsigned i = 0; run->counts.own[i].name; i++)
      printf(" %s:%" PRIu64, run->counts.own[i].name, run->counts.own[i].value);
    putchar('\n');
  }
}

void report_text(const struct summary *summary) {
  const struct trace *t = summary->trace;
  printf("%s: %zu references (%" PRIu64 " reads, %" PRIu64 " writes, %" PRIu64
         " executes), %u pages, %u process%s\n\n",
         summary->file, t->references, t->kinds[QTRACE_READ], t->kinds[QTRACE_WRITE], t->kinds[QTRACE_EXECUTE],
         summary->pages, t->processes, t->processes == 1 ? "" : "es");
  printf("%-*s %8s %8s %10s", name_width(summary), "policy", "frames", "misses %", "resident");
  for (const struct named *f = figures; f < figures + FIGURES; f++)
    printf(" %11s", f->heading);
  puts(summary->timed ? "   Mref/s ns in policy" : "");
  for (size_t i = 0; i < summary->runs; i++)
    print_run(summary, &summary->run[i]);
  printf("\nrefaults, by how many faults before the page was evicted\n");
  for (size_t i = 0; i < summary->runs; i++)
    print_refaults(summary, &summary->run[i]);
  print_own(summary);
}

/* ---- For programs -------------------------------------------------------------------------------------------------------- */
static void json_string(const char *text) {
  putchar('"');
  for (; *text; text++)
    if (*text == '"' || *text == '\\')
      printf("\\%c", *text);
    else if ((unsigned char)*text < ' ')
      printf("\\u%04x", *text);
    else
      putchar(*text);
  putchar('"');
}

static void json_run(const struct summary *summary, const struct run *run) {
  fputs("    {\"policy\": ", stdout);
  json_string(run->words);
  printf(", \"frames\": %u, \"miss_ratio\": %.6f, \"resident\": %.3f", run->frames, miss_ratio(run),
         mean_resident(run));
  for (const struct named *f = figures; f < figures + FIGURES; f++)
    printf(", \"%s\": %" PRIu64, f->name, *(const uint64_t *)((const char *)&run->counts + f->offset));
  fputs(", \"refault\": [", stdout);
  unsigned end = REFAULTS;
  while (end && !run->counts.refault[end - 1])
    end--;
  for (unsigned i = 0; i < end; i++)
    printf("%s%" PRIu64, i ? ", " : "", run->counts.refault[i]);
  fputs("], \"figures\": {", stdout);
  for (unsigned i = 0; run->counts.own[i].name; i++)
    printf("%s\"%s\": %" PRIu64, i ? ", " : "", run->counts.own[i].name, run->counts.own[i].value);
  putchar('}');
  if (summary->timed)
    printf(", \"ns\": %" PRIu64 ", \"policy_ns\": %" PRIu64, run->counts.ns, run->counts.policy_ns);
  putchar('}');
}

void report_json(const struct summary *summary) {
  const struct trace *t = summary->trace;
  fputs("{\n  \"trace\": ", stdout);
  json_string(summary->file);
  printf(", \"references\": %zu, \"reads\": %" PRIu64 ", \"writes\": %" PRIu64 ", \"executes\": %" PRIu64,
         t->references, t->kinds[QTRACE_READ], t->kinds[QTRACE_WRITE], t->kinds[QTRACE_EXECUTE]);
  printf(", \"pages\": %u, \"processes\": %u, \"enter\": \"%s\", \"pools\": \"%s\", \"seed\": %" PRIu64
         ",\n  \"runs\": [\n",
         summary->pages, t->processes, summary->run->enter_set ? "set" : "clear",
         summary->run->pool_each ? "each" : "global", summary->run->seed);
  for (size_t i = 0; i < summary->runs; i++) {
    json_run(summary, &summary->run[i]);
    puts(i + 1 < summary->runs ? "," : "");
  }
  puts("  ]\n}");
}
