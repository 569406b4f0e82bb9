/* SPDX-License-Identifier: BSD-2-Clause */
/* See decimal.h. A number is multiplied out in base 10^9, first what is before the point and then what is behind it. */
#include "decimal.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>

/* IEEE 754 binary128: mantissa times 2^exponent. */
struct quad {
  unsigned __int128 mantissa;
  int exponent;
  bool negative, special; /* infinite if the mantissa is 0, else no number */
};

#define FRACTION 112 /* bits */
#define BIAS 16383

static struct quad take_apart(long double value) {
  unsigned __int128 bits;
  memcpy(&bits, &value, sizeof bits);
  int exponent = (int)(bits >> FRACTION) & (2 * BIAS + 1);
  unsigned __int128 one = (unsigned __int128)1 << FRACTION, fraction = bits & (one - 1);
  bool special = exponent == 2 * BIAS + 1;
  return (struct quad){.mantissa = fraction | (exponent && !special ? one : 0),
                       .exponent = (exponent ? exponent : 1) - BIAS - FRACTION,
                       .negative = (bool)(bits >> 127),
                       .special = special};
}

#define BASE 1000000000u
#define PLACES 9
#define BEFORE 552  /* limbs: 10^4932 is the greatest number */
#define BEHIND 1840 /* 2^-16494 is the least one */

struct limbs {
  uint32_t limb[BEFORE + BEHIND];
  int first, last; /* in use; the point is before limb[BEFORE] */
};

/* By 2^bits, and then adds; limbs stay below 2^30. */
static void multiply(struct limbs *n, int bits, uint32_t more) {
  uint64_t carry = more;
  for (int i = n->last; i >= n->first; i--) {
    carry += (uint64_t)n->limb[i] << bits;
    n->limb[i] = (uint32_t)(carry % BASE);
    carry /= BASE;
  }
  if (carry)
    n->limb[--n->first] = (uint32_t)carry;
}

/* By 2^bits, at most 2^9, which divides the base. */
static void divide(struct limbs *n, int bits) {
  uint32_t rest = 0;
  for (int i = n->first; i <= n->last; i++) {
    uint32_t limb = n->limb[i];
    n->limb[i] = (limb >> bits) + rest;
    rest = (limb & ((1u << bits) - 1)) * (BASE >> bits);
  }
  if (rest)
    n->limb[++n->last] = rest;
  while (n->first < n->last && !n->limb[n->first])
    n->first++;
}

/* ---- Digits ------------------------------------------------------------------------------------------------------------------ */
struct digits { /* text[0].text[1]text[2]... times 10^exponent; all behind them are 0 */
  int exponent, count;
  char text[PLACES * (BEFORE + BEHIND)];
};

static void write_limbs(const struct limbs *n, struct digits *d) {
  d->count = 0;
  for (int i = n->first; i <= n->last; i++)
    for (uint32_t place = BASE / 10, limb = n->limb[i]; place; limb %= place, place /= 10)
      d->text[d->count++] = (char)('0' + limb / place);
  int zeros = 0;
  while (zeros < d->count - 1 && d->text[zeros] == '0')
    zeros++;
  memmove(d->text, d->text + zeros, (size_t)(d->count -= zeros));
  d->exponent = *d->text == '0' ? 0 : (BEFORE - n->first) * PLACES - zeros - 1;
}

static void digits_of(const struct quad *q, struct digits *d) {
  struct limbs n;
  int exponent = q->exponent;
  n.first = n.last = BEFORE - 1;
  n.limb[n.last] = 0;
  for (int bit = 87; bit >= 0; bit -= 29)
    multiply(&n, 29, (uint32_t)(q->mantissa >> bit) & ((1u << 29) - 1));
  for (; exponent > 0; exponent -= exponent < 29 ? exponent : 29)
    multiply(&n, exponent < 29 ? exponent : 29, 0);
  for (; exponent < 0; exponent += -exponent < 9 ? -exponent : 9)
    divide(&n, -exponent < 9 ? -exponent : 9);
  write_limbs(&n, d);
}

/* To the nearest with that many digits, of two such the even one. */
static void round_to(struct digits *d, int count) {
  if (count >= d->count)
    return;
  bool up = count >= 0 && d->text[count] > '5';
  if (count >= 0 && d->text[count] == '5') {
    up = count && (d->text[count - 1] - '0') % 2;
    for (int i = count + 1; i < d->count; i++)
      up |= d->text[i] != '0';
  }
  d->count = count > 0 ? count : 0;
  int i = d->count - 1;
  for (; up && i >= 0 && d->text[i] == '9'; i--)
    d->text[i] = '0';
  if (up && i >= 0)
    d->text[i]++;
  else if (up) {
    *d->text = '1';
    d->exponent++;
    d->count = 1;
  }
}

/* ---- Text -------------------------------------------------------------------------------------------------------------------- */
/* What stands between sign and padding. */
struct text {
  const char *digits; /* of which there are `count`; zeros follow */
  int first, count;   /* from the first one on: below 0 they are zeros */
  int before;
  int behind; /* the point */
  bool point;
  char exponent[8];
};

static void put_exponent(char to[8], char letter, int exponent, int least) {
  char reversed[6];
  int n = 0;
  unsigned rest = exponent < 0 ? -(unsigned)exponent : (unsigned)exponent;
  for (; rest || n < least; rest /= 10)
    reversed[n++] = (char)('0' + rest % 10);
  *to++ = letter;
  *to++ = exponent < 0 ? '-' : '+';
  while (n)
    *to++ = reversed[--n];
  *to = 0;
}

static void as_fixed(struct text *t, struct digits *d, int precision) {
  round_to(d, d->exponent + 1 + precision);
  t->before = d->exponent > 0 ? d->exponent + 1 : 1;
  t->first = d->exponent > 0 ? 0 : d->exponent;
  t->behind = precision;
}

static void as_power(struct text *t, struct digits *d, int precision) {
  round_to(d, precision + 1);
  t->before = 1;
  t->behind = precision;
  put_exponent(t->exponent, 'e', d->exponent, 2);
}

/* Whichever of the two is shorter, and without zeros at the end if nobody wants them. */
static void as_general(struct text *t, struct digits *d, int precision, bool zeros) {
  precision = precision ? precision : 1;
  round_to(d, precision);
  if (!zeros) {
    int last = d->count;
    while (last > 1 && d->text[last - 1] == '0')
      last--;
    d->count = last;
  }
  int digits = zeros ? precision : d->count, x = d->exponent;
  if (x < -4 || x >= precision)
    as_power(t, d, digits - 1);
  else
    as_fixed(t, d, digits - 1 > x ? digits - 1 - x : 0);
}

/* In hexadecimal, the first digit being the bit that is not in the fraction. */
static void as_bits(struct text *t, const struct quad *q, struct digits *d, int precision) {
  unsigned __int128 m = q->mantissa, half;
  if (precision >= 0 && precision < FRACTION / 4) {
    int dropped = FRACTION - 4 * precision;
    half = (unsigned __int128)1 << (dropped - 1);
    m += half - 1 + (m >> dropped & 1);
    m = m >> dropped << dropped;
  }
  for (int i = 0; i <= FRACTION / 4; i++)
    d->text[i] = "0123456789abcdef"[(int)(m >> (FRACTION - 4 * i)) & 15];
  d->count = FRACTION / 4 + 1;
  while (d->count > 1 && d->text[d->count - 1] == '0')
    d->count--;
  t->before = 1;
  t->behind = precision < 0 ? d->count - 1 : precision;
  put_exponent(t->exponent, 'p', m ? q->exponent + FRACTION : 0, 1);
}

static int put(FILE *file, char c, bool capital) {
  return putc(capital ? toupper((unsigned char)c) : c, file);
}

static void put_body(FILE *file, const struct text *t, bool capital) {
  for (int i = 0; i < t->before + t->behind; i++) {
    int at = t->first + i;
    if (i == t->before)
      putc('.', file);
    put(file, at >= 0 && at < t->count ? t->digits[at] : '0', capital);
  }
  if (t->point && !t->behind)
    putc('.', file);
  for (const char *c = t->exponent; *c; c++)
    put(file, *c, capital);
}

static void fill(FILE *file, char c, int count) {
  while (count-- > 0)
    putc(c, file);
}

static void lay_out(struct text *t, struct digits *d, const struct quad *q, const struct decimal_format *how) {
  int precision = how->precision < 0 ? 6 : how->precision;
  char kind = (char)tolower((unsigned char)how->kind);
  if (kind == 'a')
    as_bits(t, q, d, how->precision);
  else
    digits_of(q, d);
  if (kind == 'f')
    as_fixed(t, d, precision);
  else if (kind == 'e')
    as_power(t, d, precision);
  else if (kind == 'g')
    as_general(t, d, precision, how->alternate);
  t->digits = d->text;
  t->count = d->count;
  t->point = t->behind || how->alternate;
}

int decimal_print(FILE *file, const struct decimal_format *how, long double value) {
  struct quad q = take_apart(value);
  struct digits d;
  struct text t = {0};
  const char *name = !q.special ? "" : q.mantissa ? "nan" : "inf", *prefix = how->kind == 'a' ? "0x" : "0X";
  const char *sign = q.negative ? "-" : how->plus ? "+" : how->space ? " " : "";
  bool capital = isupper((unsigned char)how->kind), hexadecimal = tolower((unsigned char)how->kind) == 'a';
  if (!q.special)
    lay_out(&t, &d, &q, how);
  prefix = hexadecimal && !q.special ? prefix : "";
  int length =
      (int)(strlen(sign) + strlen(prefix) + strlen(name) + strlen(t.exponent)) + t.before + t.behind + t.point;
  int room = how->width > length ? how->width - length : 0;
  bool zeros = how->zero && !how->left && !q.special;
  fill(file, ' ', how->left || zeros ? 0 : room);
  fputs(sign, file);
  fputs(prefix, file);
  fill(file, '0', zeros ? room : 0);
  for (; *name; name++)
    put(file, *name, capital);
  if (!q.special)
    put_body(file, &t, capital);
  fill(file, ' ', how->left ? room : 0);
  return ferror(file) ? -1 : length + room;
}
