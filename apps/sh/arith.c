/* SPDX-License-Identifier: BSD-2-Clause */
/* Arithmetic (POSIX.1-2017, 2.6.4), without assignment: precedence climbing over long, which wraps. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "sh.h"

struct sum {
  const char *at;
  bool bad;
};

static const struct {
  char text[3];
  unsigned char precedence;
} operators[] = {{"||", 1}, {"&&", 2}, {"==", 6}, {"!=", 6}, {"<=", 7}, {">=", 7}, {"<<", 8}, {">>", 8}, {"|", 3},
                 {"^", 4},  {"&", 5},  {"<", 7},  {">", 7},  {"+", 9},  {"-", 9},  {"*", 10}, {"/", 10}, {"%", 10}};
#define OPERATORS (sizeof operators / sizeof *operators)
#define PAIR(a, b) ((a) << 8 | (b))

static long climb(struct sum *s, unsigned least);

static long divide(struct sum *s, long a, long b, bool rest) {
  s->bad = s->bad || !b;
  if (s->bad || b == -1) /* the least number has no opposite: it wraps */
    return s->bad || rest ? 0 : (long)-(unsigned long)a;
  return rest ? a % b : a / b;
}

static long apply(struct sum *s, const char *op, long a, long b) {
  unsigned long x = (unsigned long)a, y = (unsigned long)b;
  switch (PAIR(op[0], op[1])) {
  case PAIR('|', '|'):
    return a || b;
  case PAIR('&', '&'):
    return a && b;
  case PAIR('=', '='):
    return a == b;
  case PAIR('!', '='):
    return a != b;
  case PAIR('<', '='):
    return a <= b;
  case PAIR('>', '='):
    return a >= b;
  case PAIR('<', '<'):
    return (long)(x << (y & 63));
  case PAIR('>', '>'):
    return a >> (y & 63);
  case PAIR('|', 0):
    return a | b;
  case PAIR('^', 0):
    return a ^ b;
  case PAIR('&', 0):
    return a & b;
  case PAIR('<', 0):
    return a < b;
  case PAIR('>', 0):
    return a > b;
  case PAIR('+', 0):
    return (long)(x + y);
  case PAIR('-', 0):
    return (long)(x - y);
  case PAIR('*', 0):
    return (long)(x * y);
  default:
    return divide(s, a, b, *op == '%');
  }
}

static char skip(struct sum *s) {
  s->at += strspn(s->at, " \t\n");
  return *s->at;
}

static long primary(struct sum *s) {
  char c = skip(s), *end;
  long value = 0;
  size_t n = 0;
  if (c == '(') {
    s->at++;
    value = climb(s, 0);
    s->bad = s->bad || skip(s) != ')';
    s->at += !s->bad;
  } else if (isdigit((unsigned char)c)) {
    value = strtol(s->at, &end, 0);
    s->at = end;
  } else {
    while (s->at[n] == '_' || isalnum((unsigned char)s->at[n]))
      n++;
    const char *text = n ? variable(take_text(&sh.memory, s->at, n)) : NULL;
    value = text ? strtol(text, NULL, 0) : 0;
    s->bad = s->bad || !n;
    s->at += n;
  }
  return value;
}

static long unary(struct sum *s) {
  char c = skip(s);
  if (!c || !strchr("+-!~", c))
    return primary(s);
  s->at++;
  long value = unary(s);
  return c == '-' ? (long)-(unsigned long)value : c == '!' ? !value : c == '~' ? ~value : value;
}

/* Index of the operator there; OPERATORS: none. */
static size_t operator_at(struct sum *s) {
  size_t i = 0;
  skip(s);
  while (i < OPERATORS && strncmp(s->at, operators[i].text, strlen(operators[i].text)))
    i++;
  return i;
}

static long climb(struct sum *s, unsigned least) {
  long value = unary(s);
  for (size_t i; !s->bad && (i = operator_at(s)) < OPERATORS && operators[i].precedence > least;) {
    s->at += strlen(operators[i].text);
    value = apply(s, operators[i].text, value, climb(s, operators[i].precedence));
  }
  if (least || s->bad || skip(s) != '?')
    return value;
  s->at++;
  long yes = climb(s, 0);
  s->bad = s->bad || skip(s) != ':';
  s->at += !s->bad;
  long no = s->bad ? 0 : climb(s, 0);
  return value ? yes : no;
}

bool arithmetic(const char *text, long *value) {
  struct sum s = {text, false};
  *value = skip(&s) ? climb(&s, 0) : 0;
  return !s.bad && !skip(&s);
}
