/* SPDX-License-Identifier: BSD-2-Clause */
/* The replayer: what the pager's policies, and algorithms that see more than a pager, make of a trace. Its options. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "show.h"

#define FRAMES_MOST (1u << 28)  /* of a TiB; a run keeps some ten bytes for each */
#define FRAMES_MOST_SHOWN 1000u /* side by side, by --step */

struct list {
  const char **text;
  size_t n, room;
};

struct options {
  struct list policies, expectations;
  uint32_t *frames;
  size_t frames_n, frames_room;
  struct area *areas;
  size_t areas_n, areas_room;
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
      "between blanks, commas and ends of lines, each with w after it if it is a write; # begins a comment. Or, "
      "with\n"
      "--csv, it is CSV (RFC 4180), a record a line, each with as many fields as the first; CSV has no comments.\n"
      "\n"
      "  --policy POLICY     one of those below, with its options: clock; window,8+sieve; pff,500+fifo. May be "
      "repeated\n"
      "  --frames N,...      in so many frames, each number in turn\n"
      "  --csv COLUMN        FILE is CSV, with page numbers in this column: its number from 1 up, or its name in "
      "the first line\n"
      "  --csv-process COLUMN, --csv-kind COLUMN\n"
      "                      the process (a number) and the kind (r, w, x; read, write, execute; 0, 1, 2) likewise\n"
      "  --areas FIRST-LAST,...\n"
      "                      page numbers of what is one piece of memory each; a policy is asked what else comes "
      "there, "
      "and nowhere else\n"
      "                      (one: from the lowest page to the highest)\n"
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
struct known {
  const char *name;
  bool argument;
  void (*take)(struct options *options, const struct known *known, const char *text);
  size_t field;         /* of the options, where it goes */
  const char *no, *yes; /* of take_either */
};

static void *field_of(struct options *options, const struct known *known) {
  return (char *)options + known->field;
}

static void take_text(struct options *options, const struct known *known, const char *text) {
  *(const char **)field_of(options, known) = text;
}

static void take_one_more(struct options *options, const struct known *known, const char *text) {
  list_append(field_of(options, known), text);
}

static void take_either(struct options *options, const struct known *known, const char *text) {
  if (strcmp(text, known->no) && strcmp(text, known->yes))
    fail("--%s %s: write %s or %s", known->name, text, known->no, known->yes);
  *(bool *)field_of(options, known) = !strcmp(text, known->yes);
}

static void take_frames(struct options *options, const struct known *known, const char *text) {
  for (const char *at = text;; at++) {
    char *end;
    errno = 0;
    unsigned long n = strtoul(at, &end, 10);
    if (end == at || *at == '-' || errno || !n || n > FRAMES_MOST || !strchr(",", *end))
      fail("--%s %s: write numbers from 1 to %u with commas between them", known->name, text, FRAMES_MOST);
    options->frames = grown(options->frames, options->frames_n, &options->frames_room, sizeof *options->frames);
    options->frames[options->frames_n++] = (uint32_t)n;
    at = end;
    if (!*at)
      return;
  }
}

static void take_areas(struct options *options, const struct known *known, const char *text) {
  for (const char *at = text;; at++) {
    uint64_t first, last;
    bool good = (at = trace_digits(at, &first)) && *at == '-' && (at = trace_digits(at + 1, &last));
    if (!good || last < first || last > TRACE_PAGE_MOST || !strchr(",", *at))
      fail("--%s %s: write FIRST-LAST, page numbers up to %" PRIu64 ", and more of these with commas between them",
           known->name, text, TRACE_PAGE_MOST);
    options->areas = grown(options->areas, options->areas_n, &options->areas_room, sizeof *options->areas);
    options->areas[options->areas_n++] = (struct area){first, last + 1};
    if (!*at)
      return;
  }
}

static void take_seed(struct options *options, const struct known *known, const char *text) {
  if (!*text || !policy_number(text, 0, UINT64_MAX / 16, 0, &options->seed))
    fail("--%s %s: write a decimal number up to %" PRIu64, known->name, text, UINT64_MAX / 16);
}

static void take_flag(struct options *options, const struct known *known, const char *text) {
  (void)text;
  *(bool *)field_of(options, known) = true;
}

static void show_list(struct options *options, const struct known *known, const char *text) {
  (void)options, (void)known, (void)text;
  list_policies(stdout);
  exit(0);
}

static void show_help(struct options *options, const struct known *known, const char *text) {
  (void)options, (void)known, (void)text;
  help();
  exit(0);
}

#define FIELD(name) .field = offsetof(struct options, name)
static const struct known known[] = {
    {"policy", true, .take = take_one_more, FIELD(policies)},
    {"frames", true, .take = take_frames},
    {"areas", true, .take = take_areas},
    {"csv", true, .take = take_text, FIELD(format.column[COLUMN_PAGE])},
    {"csv-process", true, .take = take_text, FIELD(format.column[COLUMN_PROCESS])},
    {"csv-kind", true, .take = take_text, FIELD(format.column[COLUMN_KIND])},
    {"make", true, .take = take_text, FIELD(make)},
    {"enter", true, .take = take_either, FIELD(enter_set), .no = "clear", .yes = "set"},
    {"pools", true, .take = take_either, FIELD(pool_each), .no = "global", .yes = "each"},
    {"seed", true, .take = take_seed},
    {"expect", true, .take = take_one_more, FIELD(expectations)},
    {"addresses", false, .take = take_flag, FIELD(format.addresses)},
    {"step", false, .take = take_flag, FIELD(step)},
    {"json", false, .take = take_flag, FIELD(json)},
    {"time", false, .take = take_flag, FIELD(timed)},
    {"list", false, .take = show_list},
    {"help", false, .take = show_help},
};
#define KNOWN (sizeof known / sizeof *known)

static void take_all(struct options *options, int argc, char **argv) {
  struct option longs[KNOWN + 1] = {0};
  int option, which;
  for (size_t i = 0; i < KNOWN; i++)
    longs[i] = (struct option){known[i].name, known[i].argument, NULL, 0};
  while ((option = getopt_long(argc, argv, "", longs, &which)) != -1) {
    if (option) /* getopt has said what is wrong */
      fail("see replay --help");
    known[which].take(options, &known[which], optarg);
  }
}

/* What one option says and another would leave undone, without a word. */
static void refuse_idle(const struct options *options) {
  const char *const *column = options->format.column;
  if ((column[COLUMN_PROCESS] || column[COLUMN_KIND]) && !column[COLUMN_PAGE])
    fail("--csv-process and --csv-kind are of CSV: say --csv COLUMN too");
  if (options->make && (column[COLUMN_PAGE] || options->format.addresses))
    fail("--csv and --addresses say how to read a FILE: leave them out beside --make");
  if (options->step && (options->json || options->timed))
    fail("--json and --time are of the figures, instead of which --step shows frames: leave them out, or --step");
  for (size_t i = 0; i < options->frames_n; i++)
    if (options->step && options->frames[i] > FRAMES_MOST_SHOWN)
      fail("--step shows every frame, at most %u: --frames %u is too many", FRAMES_MOST_SHOWN, options->frames[i]);
}

static bool is_taken(const struct policy *const *one) {
  for (const struct policy *const *other = policies; other < one; other++)
    if (!strcmp((*one)->name, (*other)->name))
      return true;
  for (const struct engine *const *engine = engines; *engine; engine++)
    if (!strcmp((*one)->name, (*engine)->name))
      return true;
  return false;
}

/* Of one from outside the tree: what would crash, and what would never be meant. */
static void refuse_misnamed(void) {
  for (const struct policy *const *one = policies; *one; one++)
    if (!(*one)->name || !(*one)->usage)
      fail("policy '%s' has no %s: every policy has both", (*one)->name ? (*one)->name : "",
           (*one)->name ? ".usage" : ".name");
    else if (is_taken(one))
      fail("there are two policies whose .name is \"%s\": give yours another", (*one)->name);
}

static const char *read_options(struct options *options, int argc, char **argv) {
  take_all(options, argc, argv);
  if (!options->policies.n)
    fail("--policy is missing: see replay --list");
  if (!options->frames_n)
    fail("--frames is missing: in how many?");
  refuse_idle(options);
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
                    .areas = options->areas,
                    .areas_n = options->areas_n,
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

/* Each pool has room for all frames, so that their number is only known with the trace. */
static void check_frames(const struct run *run) {
  bool each = run->engine == &engine_policy && (run->pool_each || run->set.allocate.policy);
  if (each && (uint64_t)run->frames * run->trace->processes > FRAMES_MOST)
    fail("%s: %u frames for each of %u processes are too many: %u in all", run->words, run->frames,
         run->trace->processes, FRAMES_MOST);
}

static void replay_all(const struct options *options, struct summary *summary, struct run *runs) {
  for (size_t i = 0; i < summary->runs; i++)
    check_frames(&runs[i]);
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
  refuse_misnamed();
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
  free(options.areas);
  return fflush(stdout) || ferror(stdout) ? 2 : differ > 0;
}
