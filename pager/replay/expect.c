/* SPDX-License-Identifier: BSD-2-Clause */
/* Runs held against what they should have counted. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "show.h"

struct expectation {
  const char *policy, *figure;
  size_t policy_length, figure_length;
  uint64_t frames, count; /* frames 0: any */
};

static const char *number(const char *text, uint64_t *value) {
  char *end;
  errno = 0;
  *value = strtoull(text, &end, 10);
  return end == text || errno || *text == '-' ? NULL : end;
}

/* NULL: good; otherwise what is wrong. */
static const char *parse(const char *text, struct expectation *e) {
  size_t name = strcspn(text, "@:=");
  const char *at = text + name;
  *e = (struct expectation){.policy = text, .policy_length = name, .figure = "misses", .figure_length = 6};
  if (!name)
    return "it names no policy";
  if (*at == '@' && (!(at = number(at + 1, &e->frames)) || !e->frames))
    return "after @ a number of frames is missing";
  if (*at == ':') {
    e->figure = at + 1;
    e->figure_length = strcspn(at + 1, "=");
    at += 1 + e->figure_length;
  }
  if (*at != '=' || !(at = number(at + 1, &e->count)) || *at)
    return "after = a count is missing";
  return figure(&(struct counts){0}, e->figure, e->figure_length) ? NULL : "there is no such figure: see --json";
}

static bool is_meant(const struct expectation *e, const struct run *run) {
  return strlen(run->words) == e->policy_length && !memcmp(run->words, e->policy, e->policy_length) &&
         (!e->frames || e->frames == run->frames);
}

static unsigned check(const struct summary *summary, const char *text, const char *place) {
  struct expectation e;
  const char *wrong = parse(text, &e);
  unsigned meant = 0, differ = 0;
  if (wrong)
    fail("%s: %s: %s; write POLICY[@FRAMES][:FIGURE]=COUNT", place, text, wrong);
  for (const struct run *run = summary->run; run < summary->run + summary->runs; run++) {
    uint64_t count = *figure(&run->counts, e.figure, e.figure_length);
    meant += is_meant(&e, run);
    if (!is_meant(&e, run) || count == e.count)
      continue;
    fprintf(stderr, "replay: %s, %u frames: %" PRIu64 " %.*s, but %" PRIu64 " were expected\n", run->words,
            run->frames, count, (int)e.figure_length, e.figure, e.count);
    differ++;
  }
  if (!meant)
    fail("%s: %s: there was no such run: name it with --policy and --frames too", place, text);
  return differ;
}

/* Without its comment and the blanks around it. */
static const char *stripped(char *line) {
  line[strcspn(line, "#\r\n")] = 0;
  line += strspn(line, " \t");
  for (size_t n = strlen(line); n && strchr(" \t", line[n - 1]); n--)
    line[n - 1] = 0;
  return line;
}

static unsigned check_file(const struct summary *summary, const char *file) {
  char *line = NULL, place[4200];
  size_t room = 0;
  unsigned differ = 0, expectations = 0;
  FILE *stream = fopen(file, "r");
  if (!stream)
    fail("--expect %s: %s; it is a file, or POLICY[@FRAMES][:FIGURE]=COUNT", file, strerror(errno));
  for (unsigned n = 1; getline(&line, &room, stream) > 0; n++) {
    const char *text = stripped(line);
    snprintf(place, sizeof place, "%s:%u", file, n);
    expectations += *text != 0;
    differ += *text ? check(summary, text, place) : 0;
  }
  if (ferror(stream))
    fail("--expect %s: %s", file, strerror(errno));
  if (!expectations)
    fail("--expect %s: it expects nothing: write POLICY[@FRAMES][:FIGURE]=COUNT, one a line", file);
  free(line);
  fclose(stream);
  return differ;
}

unsigned expect(const struct summary *summary, const char *text) {
  return strchr(text, '=') ? check(summary, text, "--expect") : check_file(summary, text);
}
