/* SPDX-License-Identifier: BSD-2-Clause */
/* workload [-p PAGES] [-n STEPS] [-s SEED] [-w PER CENT] [-r] PATTERN: refers to memory in a known order, and checks it all. */
#include "workload.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BAD_ARGUMENTS 2

struct options options = {.pages = 64, .steps = 10000, .seed = 1, .writes = 50};

#define TOUCHES (TAKES_STEPS | TAKES_WRITES)
static const struct pattern patterns[] = {
    {"scan", "one pass over the pages, as many steps on each", run_scan, TOUCHES, 0},
    {"loop", "the pages in their order, again and again", run_loop, TOUCHES, 0},
    {"zipf", "the page of rank r in proportion to 1/r, the ranks scattered", run_zipf, TOUCHES, 0},
    {"scans", "half of the pages by zipf, with passes over the other half in between", run_scans, TOUCHES, 0},
    {"phases", "eight phases, each at random in a quarter of the pages", run_phases, TOUCHES, 0},
    {"chase", "pointers along a random cycle through all pages", run_chase, TAKES_STEPS, 0},
    {"stack", "frames of a page each to random depths; a step is a frame", run_stack, TAKES_STEPS | OWN_MEMORY, 1800},
    {"heap", "the break up in strides and down, newer pages more often", run_heap, TOUCHES | OWN_MEMORY, 0},
    {"fork", "fifteen processes, each with a copy of its parent's pages, by zipf", run_fork, TOUCHES, 0},
    {"hash", "a table at most a quarter full; a step puts in or looks up", run_hash, TAKES_STEPS, 0},
    {"matrix", "the product of two matrices, by rows and columns", run_matrix, 0, 0},
    {"blocks", "the same product, by blocks of 32 times 32", run_blocks, 0, 0},
    {"sort", "quicksort of all words", run_sort, 0, 0},
};
#define PATTERNS (sizeof patterns / sizeof *patterns)

void fail(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fprintf(stderr, "workload: %s: ", options.pattern);
  vfprintf(stderr, format, arguments);
  fprintf(stderr, "\n");
  va_end(arguments);
  exit(1);
}

static void list(void) {
  for (size_t i = 0; i < PATTERNS; i++)
    printf("%-7s %s\n", patterns[i].name, patterns[i].text);
}

static _Noreturn void usage(void) {
  fprintf(stderr, "usage: workload [-p PAGES] [-n STEPS] [-s SEED] [-w PER CENT OF WRITES] [-r] PATTERN\n"
                  "       workload -l lists the patterns; -r prints the pages instead of what came out\n");
  exit(BAD_ARGUMENTS);
}

static uint64_t number(char option, const char *text, uint64_t least, uint64_t most) {
  char *end = NULL;
  errno = 0;
  uint64_t value = strtoull(text, &end, 10);
  if (*text < '0' || *text > '9' || *end || errno || value < least || value > most) {
    fprintf(stderr, "workload: -%c takes a number from %" PRIu64 " to %" PRIu64 ", not '%s'\n", option, least, most,
            text);
    exit(BAD_ARGUMENTS);
  }
  return value;
}

/* The flags of the patterns for which the option means something. */
static unsigned take(int option) {
  switch (option) {
  case 'p':
    options.pages = number('p', optarg, 1, MOST_PAGES);
    return 0;
  case 'n':
    options.steps = number('n', optarg, 1, UINT32_MAX);
    return TAKES_STEPS;
  case 's':
    options.seed = number('s', optarg, 0, UINT64_MAX);
    return 0;
  case 'w':
    options.writes = (unsigned)number('w', optarg, 0, 100);
    return TAKES_WRITES;
  case 'r':
    options.record = true;
    return 0;
  default: /* getopt() has said what is wrong */
    usage();
  }
}

static const struct pattern *find(const char *name) {
  for (size_t i = 0; i < PATTERNS; i++)
    if (!strcmp(patterns[i].name, name))
      return &patterns[i];
  fprintf(stderr, "workload: no pattern '%s'; workload -l lists them\n", name);
  exit(BAD_ARGUMENTS);
}

static void check_use(const struct pattern *pattern, unsigned wanted) {
  uint64_t most = pattern->most ? pattern->most : MOST_PAGES;
  unsigned useless = wanted & ~pattern->flags;
  if (useless)
    fprintf(stderr, "workload: %s takes no -%c: %s\n", pattern->name, useless & TAKES_STEPS ? 'n' : 'w',
            useless & TAKES_STEPS ? "its pages say how long it is" : "what it writes is its own matter");
  else if (options.pages > most)
    fprintf(stderr, "workload: %s takes at most %" PRIu64 " pages\n", pattern->name, most);
  else
    return;
  exit(BAD_ARGUMENTS);
}

static void run(const struct pattern *pattern) {
  static char buffer[512]; /* not from malloc(), which moves the break */
  setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
  options.pattern = pattern->name;
  random_seed(options.seed);
  if (!(pattern->flags & OWN_MEMORY))
    array_make(options.pages);
  pattern->run();
  array_check();
  if (!options.record)
    printf("%s: pages %" PRIu64 ", references %" PRIu64 ", seed %" PRIu64 ", checksum %016" PRIx64 "\n",
           pattern->name, options.pages, array.references, options.seed, array_checksum());
  if (fflush(stdout))
    fail("cannot write: %s", strerror(errno));
}

int main(int argc, char **argv) {
  unsigned wanted = 0;
  for (int option; (option = getopt(argc, argv, "p:n:s:w:rl")) != -1;)
    if (option == 'l')
      return list(), 0;
    else
      wanted |= take(option);
  if (optind != argc - 1)
    usage();
  const struct pattern *pattern = find(argv[optind]);
  check_use(pattern, wanted);
  run(pattern);
  return 0;
}
