/* SPDX-License-Identifier: BSD-2-Clause */
/* test and [ (POSIX.1-2017), with -a, -o and parentheses. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sh.h"

struct terms {
  char **at, **end;
  bool bad;
};

static bool either(struct terms *t);

static bool about_file(char letter, const char *path) {
  struct stat s;
  if (stat(path, &s))
    return false;
  switch (letter) {
  case 'f':
    return S_ISREG(s.st_mode);
  case 'd':
    return S_ISDIR(s.st_mode);
  case 'c':
    return S_ISCHR(s.st_mode);
  case 'p':
    return S_ISFIFO(s.st_mode);
  case 's':
    return s.st_size > 0;
  case 'r':
    return !access(path, R_OK);
  case 'w':
    return !access(path, W_OK);
  case 'x':
    return !access(path, X_OK);
  default:
    return true; /* e */
  }
}

static bool unary(char letter, const char *text) {
  return letter == 'n'   ? *text
         : letter == 'z' ? !*text
         : letter == 't' ? isatty(atoi(text))
                         : about_file(letter, text);
}

static bool is_unary(const char *op) {
  return op[0] == '-' && op[1] && !op[2] && strchr("nztefdcpsrwx", op[1]);
}

static long number(struct terms *t, const char *text) {
  char *end;
  long value = strtol(text, &end, 10);
  t->bad = t->bad || end == text || *end;
  return value;
}

/* False: there is no such operator. */
static bool binary(struct terms *t, const char *a, const char *op, const char *b, bool *result) {
  static const char *const names[] = {"=", "!=", "-eq", "-ne", "-lt", "-le", "-gt", "-ge"};
  unsigned i = 0;
  while (i < 8 && strcmp(op, names[i]))
    i++;
  if (i == 8)
    return false;
  int text = strcmp(a, b);
  long x = i < 2 ? 0 : number(t, a), y = i < 2 ? 0 : number(t, b);
  const bool results[] = {!text, text != 0, x == y, x != y, x<y, x <= y, x> y, x >= y};
  *result = results[i];
  return true;
}

static bool term(struct terms *t) {
  ptrdiff_t left = t->end - t->at;
  bool result = false;
  char **at = t->at;
  if (left >= 3 && binary(t, at[0], at[1], at[2], &result)) {
    t->at += 3;
    return result;
  }
  if (left >= 2 && !strcmp(*at, "!")) {
    t->at++;
    return !term(t);
  }
  if (left >= 3 && !strcmp(*at, "(")) {
    t->at++;
    result = either(t);
    t->bad = t->bad || t->at == t->end || strcmp(*t->at, ")");
    t->at += !t->bad;
    return result;
  }
  bool one = left >= 2 && is_unary(*at);
  t->bad = t->bad || !left;
  t->at += t->bad ? 0 : 1 + one;
  return !t->bad && (one ? unary((*at)[1], at[1]) : **at);
}

static bool accept(struct terms *t, const char *op) {
  bool is = t->at < t->end && !strcmp(*t->at, op);
  t->at += is;
  return is;
}

static bool both(struct terms *t) {
  bool result = term(t);
  while (accept(t, "-a"))
    result &= term(t);
  return result;
}

static bool either(struct terms *t) {
  bool result = both(t);
  while (accept(t, "-o"))
    result |= both(t);
  return result;
}

int do_test(char **argv) {
  struct terms t = {.at = argv + 1, .end = argv + 1};
  while (*t.end)
    t.end++;
  bool bracket = **argv == '[';
  if (bracket && (t.end == t.at || strcmp(t.end[-1], "]")))
    return 1 + complain("[", "a ] is missing", "at the end");
  t.end -= bracket;
  if (t.at == t.end)
    return 1;
  bool result = either(&t);
  if (!t.bad && t.at == t.end)
    return !result;
  return 1 + complain("test", t.at < t.end ? *t.at : argv[1], "is not understood");
}
