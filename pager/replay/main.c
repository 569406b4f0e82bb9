/* SPDX-License-Identifier: BSD-2-Clause */
/* The replayer: what the pager's policies, and algorithms that see more than a pager, make of a trace. Its options. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "show.h"

struct list {
  const char **text;
  size_t n, room;
};

struct options {
  struct list policies, expectations;
  uint32_t *frames;
  size_t frames_n, frames_room;
  struct format format;
  const char *make;
  uint64_t seed;
  bool enter_set, pool_each, json, step, timed;
};

static void list_append(struct list *list, const char *text) {
  list->text = grown(list->text, list->n, &list->room, sizeof *list->text);
  list->text[list->n++] = text;
}

/* ---- What it says of itself ---------------------------------------------------------------------------------------------- */
static void list_policies(FILE *stream) {
  fputs("replacement, of which a run has one:\n", stream);
  for (const struct policy *const *policy = policies; *policy; policy++)
    if ((*policy)->victims)
      fprintf(stream, "  %s\n", (*policy)->usage);
  for (const struct engine *const *engine = engines; *engine; engine++)
    fprintf(stream, "  %s (%s; only here: it sees every reference)\n", (*engine)->name, (*engine)->source);
  fputs("beside it, after a +, fetching and allocation:\n", stream);
  for (const struct policy *const *policy = policies; *policy; policy++)
    if (!(*policy)->victims)
      fprintf(stream, "  %s\n", (*policy)->usage);
}

static void help(void) {
  puts(
      "usage: replay --policy POLICY... --frames N,... [OPTION...] FILE\n"
      "\n"
      "Replays a trace of references to pages, FILE or - for standard input, and says how often each policy misses.\n"
      "FILE is binary (it begins with QTRACE1: pager/replay/qtrace.h), or text: page numbers, decimal or 0x...,\n"
      "between blanks, commas and ends of lines, each with w after it if it is a write; # begins a comment.\n"
      "\n"
      "  --policy POLICY     one of those below, with its options: clock; window,8+sieve; pff,500+fifo. May be "
      "repeated\n"
      "  --frames N,...      in so many frames, each number in turn\n"
      "  --csv COLUMN        FILE is CSV, with page numbers in this column: its number from 1 up, or its name in "
      "line 1\n"
      "  --csv-process COLUMN, --csv-kind COLUMN\n"
      "                      the process (a number) and the kind (r, w, x; read, write, execute; 0, 1, 2) likewise\n"
      "  --addresses         text and CSV have addresses in bytes, in pages of 4096\n"
      "  --make REFERENCES,PAGES\n"
      "                      no FILE: a made trace, its k-th page as often as 1/k\n"
      "  --enter clear|set   a page's accessed bit, at the reference that brings it in (clear)\n"
      "  --pools global|each one pool of frames for all processes, or equal parts (global; each with a policy of "
      "allocation)\n"
      "  --seed N            of what policies draw, and of --make (1)\n"
      "  --step              the frames after every reference: * a miss, ' an accessed bit that is set, w a write\n"
      "  --json              the figures as one JSON object\n"
      "  --time              also million references a second and the policy's nanoseconds a reference\n"
      "  --expect FILE, --expect POLICY[@FRAMES][:FIGURE]=COUNT\n"
      "                      exit status 1 if it is not so; FIGURE is a name of --json, else misses; FILE has one a "
      "line\n"
      "  --list, --help\n"
      "\n"
      "Exit status: 0, 1 if an expectation is not met, 2 if an option or the trace is wrong.\n");
  list_policies(stdout);
}

/* ---- Options ------------------------------------------------------------------------------------------------------------- */
static void add_frames(struct options *options, const char *text) {
  for (const char *at = text;; at++) {
    char *end;
    errno = 0;
    unsigned long n = strtoul(at, &end, 10);
    if (end == at || *at == '-' || errno || !n || n > INT32_MAX || !strchr(",", *end))
      fail("--frames %s: write numbers from 1 to %d with commas between them", text, INT32_MAX);
    options->frames = grown(options->frames, options->frames_n, &options->frames_room, sizeof *options->frames);
    options->frames[options->frames_n++] = (uint32_t)n;
    at = end;
    if (!*at)
      return;
  }
}

static bool one_of(const char *option, const char *text, const char *no, const char *yes) {
  if (strcmp(text, no) && strcmp(text, yes))
    fail("--%s %s: write %s or %s", option, text, no, yes);
  return !strcmp(text, yes);
}

static uint64_t seed_of(const char *text) {
  uint64_t seed;
  if (!*text || !policy_number(text, 0, UINT64_MAX / 16, 0, &seed))
    fail("--seed %s: write a decimal number up to %" PRIu64, text, UINT64_MAX / 16);
  return seed;
}

enum {
  POLICY = 256,
  FRAMES,
  CSV,
  CSV_PROCESS,
  CSV_KIND,
  MAKE,
  ENTER,
  POOLS,
  SEED,
  EXPECT,
  ADDRESSES,
  STEP,
  JSON,
  TIME,
  LIST,
  HELP
};

static const struct option longs[] = {{"policy", 1, NULL, POLICY},
                                      {"frames", 1, NULL, FRAMES},
                                      {"csv", 1, NULL, CSV},
                                      {"csv-process", 1, NULL, CSV_PROCESS},
                                      {"csv-kind", 1, NULL, CSV_KIND},
                                      {"make", 1, NULL, MAKE},
                                      {"enter", 1, NULL, ENTER},
                                      {"pools", 1, NULL, POOLS},
                                      {"seed", 1, NULL, SEED},
                                      {"expect", 1, NULL, EXPECT},
                                      {"addresses", 0, NULL, ADDRESSES},
                                      {"step", 0, NULL, STEP},
                                      {"json", 0, NULL, JSON},
                                      {"time", 0, NULL, TIME},
                                      {"list", 0, NULL, LIST},
                                      {"help", 0, NULL, HELP},
                                      {0}};

static void take_plain(struct options *options, int option) {
  switch (option) {
  case ADDRESSES:
    options->format.addresses = true;
    return;
  case STEP:
    options->step = true;
    return;
  case JSON:
    options->json = true;
    return;
  case TIME:
    options->timed = true;
    return;
  case LIST:
    list_policies(stdout);
    exit(0);
  case HELP:
    help();
    exit(0);
  default: /* getopt has said what is wrong */
    fputs("replay: see replay --help\n", stderr);
    exit(2);
  }
}

static void take(struct options *options, int option, const char *text) {
  switch (option) {
  case POLICY:
    list_append(&options->policies, text);
    return;
  case EXPECT:
    list_append(&options->expectations, text);
    return;
  case FRAMES:
    add_frames(options, text);
    return;
  case CSV:
    options->format.column = text;
    return;
  case CSV_PROCESS:
    options->format.process_column = text;
    return;
  case CSV_KIND:
    options->format.kind_column = text;
    return;
  case MAKE:
    options->make = text;
    return;
  case ENTER:
    options->enter_set = one_of("enter", text, "clear", "set");
    return;
  case POOLS:
    options->pool_each = one_of("pools", text, "global", "each");
    return;
  case SEED:
    options->seed = seed_of(text);
    return;
  default:
    take_plain(options, option);
  }
}

static const char *read_options(struct options *options, int argc, char **argv) {
  int option;
  while ((option = getopt_long(argc, argv, "", longs, NULL)) != -1)
    take(options, option, optarg);
  if (!options->policies.n)
    fail("--policy is missing: see replay --list");
  if (!options->frames_n)
    fail("--frames is missing: in how many?");
  if ((options->format.process_column || options->format.kind_column) && !options->format.column)
    fail("--csv-process and --csv-kind are of CSV: say --csv COLUMN too");
  if (argc - optind != !options->make)
    fail("write one FILE, - for standard input, or --make: there are %d", argc - optind + !!options->make);
  return options->make ? options->make : argv[optind];
}

/* ---- Runs ---------------------------------------------------------------------------------------------------------------- */
static struct run run_of(const struct options *options, struct trace *trace, const char *words, uint32_t frames) {
  struct run run = {.trace = trace,
                    .frames = frames,
                    .seed = options->seed,
                    .enter_set = options->enter_set,
                    .pool_each = options->pool_each};
  if (!run_choose(&run, words)) {
    fprintf(stderr, "replay: --policy %s: %s%s\n", words, policy_wrong.text,
            policy_wrong.unknown ? "; there are:" : "");
    if (policy_wrong.unknown)
      list_policies(stderr);
    exit(2);
  }
  if (run.engine == &engine_policy && !run.set.replace.policy)
    fail("--policy %s: it says what comes, but not what goes: write %s+fifo, for instance", words, words);
  return run;
}

static struct run *runs_of(const struct options *options, struct trace *trace) {
  struct run *runs = zeros(options->policies.n * options->frames_n, sizeof *runs), *run = runs;
  for (size_t policy = 0; policy < options->policies.n; policy++)
    for (size_t i = 0; i < options->frames_n; i++)
      *run++ = run_of(options, trace, options->policies.text[policy], options->frames[i]);
  return runs;
}

static void replay_all(const struct options *options, struct summary *summary, struct run *runs) {
  if (options->step) {
    step_all(runs, summary->runs);
    return;
  }
  for (size_t i = 0; i < summary->runs; i++)
    run_all(&runs[i], options->timed);
  (options->json ? report_json : report_text)(summary);
}

int main(int argc, char **argv) {
  struct options options = {.seed = 1};
  struct trace trace = {0};
  unsigned differ = 0;
  run_watch();
  const char *file = read_options(&options, argc, argv);
  struct run *runs = runs_of(&options, &trace); /* so that a wrong name is refused before a long trace is read */
  if (options.make)
    trace_make(&trace, options.make, options.seed);
  else
    trace_read(&trace, file, &options.format);
  struct summary summary = {file, &trace, trace.pages, runs, options.policies.n * options.frames_n, options.timed};
  replay_all(&options, &summary, runs);
  for (size_t i = 0; i < options.expectations.n; i++)
    differ += expect(&summary, options.expectations.text[i]);
  trace_end(&trace);
  free(runs);
  free(options.policies.text);
  free(options.expectations.text);
  free(options.frames);
  return fflush(stdout) || ferror(stdout) ? 2 : differ > 0;
}
