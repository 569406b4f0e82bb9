/* SPDX-License-Identifier: BSD-2-Clause */
/* The options of a command line, as <unistd.h> and <getopt.h> have them with glibc: operands between them are moved behind. In
 * place of picolibc's, which takes a lone - for an option. */
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

char *optarg;
int optind = 1, opterr = 1, optopt, optreset;

static int place; /* within an argument with several options, of the next; else 0 */

struct command {
  int argc;
  char **argv;
  const char *shorts;
  const struct option *longs;
  int *index;    /* where to say which of these it was, or NULL */
  bool only;     /* getopt_long_only() */
  bool colon;    /* missing arguments give ':', and nothing is printed */
  char operands; /* '+': they end the options; '-': each is the argument of an option 1; 0 */
};

static bool is_option(const char *argument) {
  return argument[0] == '-' && argument[1];
}

static void complain(const struct command *c, const char *before, const char *what, size_t bytes, const char *after) {
  if (opterr && !c->colon)
    fprintf(stderr, "%s: %s'%.*s'%s\n", c->argv[0], before, (int)bytes, what, after);
}

/* What it is called with dashes, for messages. */
static size_t dashed(const char *argument) {
  return strcspn(argument, "=");
}

static int next_argument(void) {
  place = 0;
  return optind++;
}

/* ---- -x ------------------------------------------------------------------------------------------------------------------------ */
static int missing(const struct command *c, char letter) {
  optopt = letter;
  complain(c, "option requires an argument -- ", &letter, 1, "");
  return c->colon ? ':' : '?';
}

static int with_argument(const struct command *c, const char *known, char *rest) {
  next_argument();
  if (*rest)
    optarg = rest;
  else if (known[2] != ':' && optind >= c->argc)
    return missing(c, *known);
  else if (known[2] != ':')
    optarg = c->argv[optind++];
  return *known;
}

static int short_option(const struct command *c, char *argument) {
  place += !place;
  char letter = argument[place++];
  const char *known = letter == ':' || letter == ';' ? NULL : strchr(c->shorts, letter);
  if (known && known[1] == ':')
    return with_argument(c, known, argument + place);
  if (!argument[place])
    next_argument();
  if (known)
    return letter;
  optopt = letter;
  complain(c, "invalid option -- ", &letter, 1, "");
  return '?';
}

/* ---- --name ------------------------------------------------------------------------------------------------------------------- */
static bool same(const struct option *a, const struct option *b) {
  return a->has_arg == b->has_arg && a->flag == b->flag && a->val == b->val;
}

/* A name may be cut short as long as it stays one option's. */
static const struct option *find_long(const struct command *c, const char *name, bool *ambiguous) {
  const struct option *found = NULL;
  size_t bytes = strcspn(name, "=");
  *ambiguous = false;
  for (const struct option *o = c->longs; o->name; o++) {
    if (strncmp(o->name, name, bytes))
      continue;
    if (!o->name[bytes]) {
      *ambiguous = false;
      return o;
    }
    *ambiguous |= found && !same(found, o);
    found = found ? found : o;
  }
  return *ambiguous ? NULL : found;
}

static int take_long(const struct command *c, const struct option *o, char *argument, char *value) {
  if (value && !o->has_arg) {
    optopt = o->flag ? 0 : o->val;
    complain(c, "option ", argument, dashed(argument), " doesn't allow an argument");
    return '?';
  }
  if (!value && o->has_arg == required_argument && optind >= c->argc) {
    optopt = o->flag ? 0 : o->val;
    complain(c, "option ", argument, dashed(argument), " requires an argument");
    return c->colon ? ':' : '?';
  }
  optarg = value ? value : o->has_arg == required_argument ? c->argv[optind++] : NULL;
  if (c->index)
    *c->index = (int)(o - c->longs);
  if (!o->flag)
    return o->val;
  *o->flag = o->val;
  return 0;
}

static void say_which(const struct command *c, const char *argument, const char *name) {
  if (!opterr || c->colon)
    return;
  fprintf(stderr, "%s: option '%s' is ambiguous; possibilities:", c->argv[0], argument);
  for (const struct option *o = c->longs; o->name; o++)
    if (!strncmp(o->name, name, strcspn(name, "=")))
      fprintf(stderr, " '%.*s%s'", (int)(name - argument), argument, o->name);
  fprintf(stderr, "\n");
}

static int long_option(const struct command *c, char *argument, char *name) {
  bool ambiguous;
  const struct option *o = find_long(c, name, &ambiguous);
  char *equals = strchr(name, '=');
  next_argument();
  if (o)
    return take_long(c, o, argument, equals ? equals + 1 : NULL);
  optopt = 0;
  if (ambiguous)
    say_which(c, argument, name);
  else
    complain(c, "unrecognized option ", argument, dashed(argument), "");
  return '?';
}

/* With one dash, where that is allowed: unless it can only be a short one. */
static bool is_long(const struct command *c, const char *argument) {
  bool ambiguous;
  if (!c->longs || place)
    return false;
  if (argument[1] == '-')
    return true;
  return c->only && (argument[2] || !strchr(c->shorts, argument[1])) &&
         (find_long(c, argument + 1, &ambiguous) || ambiguous || !strchr(c->shorts, argument[1]));
}

/* ---- All ------------------------------------------------------------------------------------------------------------------------ */
static int take_one(const struct command *c) {
  char *argument = c->argv[optind];
  if (!is_option(argument)) {
    if (c->operands != '-')
      return -1;
    optarg = argument;
    optind++;
    return 1;
  }
  if (!place && !strcmp(argument, "--")) {
    optind++;
    return -1;
  }
  return is_long(c, argument) ? long_option(c, argument, argument + 1 + (argument[1] == '-'))
                              : short_option(c, argument);
}

/* What is at from comes to be at to, before what lay between. */
static void move_before(char **argv, int from, int to) {
  char *moved = argv[from];
  memmove(argv + to + 1, argv + to, (size_t)(from - to) * sizeof *argv);
  argv[to] = moved;
}

static int run(const struct command *c) {
  int first = optind, option = optind;
  while (!c->operands && option < c->argc && c->argv[option] && !is_option(c->argv[option]))
    option++;
  if (option >= c->argc || !c->argv[option])
    return -1;
  optind = option;
  int result = take_one(c), taken = optind - option;
  for (int i = 0; option > first && i < taken; i++)
    move_before(c->argv, option + i, first + i);
  if (option > first)
    optind = first + taken;
  return result;
}

static int prepare(struct command c) {
  if (!optind || optreset) {
    optind = 1;
    place = optreset = 0;
  }
  optarg = NULL;
  if (*c.shorts == '+' || *c.shorts == '-')
    c.operands = *c.shorts++;
  else if (getenv("POSIXLY_CORRECT"))
    c.operands = '+';
  c.colon = *c.shorts == ':';
  c.shorts += c.colon;
  return run(&c);
}

int getopt(int argc, char *const argv[], const char *shorts) {
  return prepare((struct command){.argc = argc, .argv = (char **)argv, .shorts = shorts});
}

int getopt_long(int argc, char *const argv[], const char *shorts, const struct option *longs, int *index) {
  return prepare(
      (struct command){.argc = argc, .argv = (char **)argv, .shorts = shorts, .longs = longs, .index = index});
}

int getopt_long_only(int argc, char *const argv[], const char *shorts, const struct option *longs, int *index) {
  return prepare((struct command){
      .argc = argc, .argv = (char **)argv, .shorts = shorts, .longs = longs, .index = index, .only = true});
}
