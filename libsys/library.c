/* SPDX-License-Identifier: BSD-2-Clause */
/* Functions that picolibc 1.8 has, but not as C and POSIX.1-2017 want them: its fgets() loses a last line without a newline,
 * its strptime() makes every hour with AM or PM one of the afternoon. */
#include <ctype.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "stream.h"

char *fgets(char *restrict line, int size, FILE *restrict file) {
  int used = 0, c = 0;
  stream_lock(file);
  while (used < size - 1 && c != '\n') {
    c = getc(file);
    if (c == EOF)
      break;
    line[used++] = (char)c;
  }
  stream_unlock(file);
  if (size < 1 || (c == EOF && (!used || ferror(file))))
    return NULL;
  line[used] = 0;
  return line;
}

/* ---- strptime() ---------------------------------------------------------------------------------------------------------- */
#define NOT_KEPT SIZE_MAX /* %U and %W are read, but nothing follows from them */

static const struct number {
  char letter;
  unsigned char digits; /* at most */
  short low, high;
  short zero; /* what the field's 0 is written as */
  size_t field;
} numbers[] = {
    {'d', 2, 1, 31, 0, offsetof(struct tm, tm_mday)},
    {'e', 2, 1, 31, 0, offsetof(struct tm, tm_mday)},
    {'H', 2, 0, 23, 0, offsetof(struct tm, tm_hour)},
    {'k', 2, 0, 23, 0, offsetof(struct tm, tm_hour)},
    {'I', 2, 1, 12, 0, offsetof(struct tm, tm_hour)},
    {'l', 2, 1, 12, 0, offsetof(struct tm, tm_hour)},
    {'j', 3, 1, 366, 1, offsetof(struct tm, tm_yday)},
    {'m', 2, 1, 12, 1, offsetof(struct tm, tm_mon)},
    {'M', 2, 0, 59, 0, offsetof(struct tm, tm_min)},
    {'S', 2, 0, 60, 0, offsetof(struct tm, tm_sec)},
    {'w', 1, 0, 6, 0, offsetof(struct tm, tm_wday)},
    {'Y', 4, 0, 9999, 1900, offsetof(struct tm, tm_year)},
    {'U', 2, 0, 53, 0, NOT_KEPT},
    {'W', 2, 0, 53, 0, NOT_KEPT},
};

static const struct names {
  const char *letters;
  size_t field;
  const char *names[13]; /* of which three letters do, but for AM and PM */
} names[] = {
    {"aA",
     offsetof(struct tm, tm_wday),
     {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"}},
    {"bBh",
     offsetof(struct tm, tm_mon),
     {"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
      "December"}},
};

static const struct {
  char letter;
  const char *meaning;
} composed[] = {{'c', "%a %b %e %H:%M:%S %Y"},
                {'D', "%m/%d/%y"},
                {'F', "%Y-%m-%d"},
                {'r', "%I:%M:%S %p"},
                {'R', "%H:%M"},
                {'T', "%H:%M:%S"},
                {'x', "%m/%d/%y"},
                {'X', "%H:%M:%S"}};

/* What only means something when all is read; -1: not there. */
struct parts {
  struct tm *tm;
  int half, century, year; /* 1: PM; of %C; of %y */
};

static const char *read_number(const char *text, unsigned digits, int low, int high, int *value) {
  int sum = 0;
  while (isspace((unsigned char)*text))
    text++;
  if (!isdigit((unsigned char)*text))
    return NULL;
  for (; digits-- && isdigit((unsigned char)*text); text++)
    sum = sum * 10 + *text - '0';
  *value = sum;
  return sum < low || sum > high ? NULL : text;
}

static const char *number_of(const char *text, const struct number *kind, struct tm *tm) {
  int value;
  text = read_number(text, kind->digits, kind->low, kind->high, &value);
  if (text && kind->field != NOT_KEPT)
    *(int *)((char *)tm + kind->field) = value - kind->zero;
  return text;
}

static const char *name_of(const char *text, const struct names *kind, struct tm *tm) {
  for (int i = 0; kind->names[i]; i++) {
    size_t whole = strlen(kind->names[i]);
    if (strncasecmp(text, kind->names[i], 3))
      continue;
    *(int *)((char *)tm + kind->field) = i;
    return text + (strncasecmp(text, kind->names[i], whole) ? 3 : whole);
  }
  return NULL;
}

static const char *half_of(const char *text, struct parts *parts) {
  if (strncasecmp(text, "AM", 2) && strncasecmp(text, "PM", 2))
    return NULL;
  parts->half = toupper((unsigned char)*text) == 'P';
  return text + 2;
}

static const char *parse(const char *text, const char *format, struct parts *parts);

static const char *convert(const char *text, char letter, struct parts *parts) {
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
    if (numbers[i].letter == letter)
      return number_of(text, &numbers[i], parts->tm);
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (strchr(names[i].letters, letter))
      return name_of(text, &names[i], parts->tm);
  for (size_t i = 0; i < sizeof composed / sizeof *composed; i++)
    if (composed[i].letter == letter)
      return parse(text, composed[i].meaning, parts);
  switch (letter) {
  case 'p':
    return half_of(text, parts);
  case 'C':
    return read_number(text, 2, 0, 99, &parts->century);
  case 'y':
    return read_number(text, 2, 0, 99, &parts->year);
  case '%':
    return *text == '%' ? text + 1 : NULL;
  }
  return NULL;
}

static const char *parse(const char *text, const char *format, struct parts *parts) {
  for (; text && *format; format++) {
    bool space = isspace((unsigned char)*format);
    if (*format == '%' && format[1]) {
      format += 1 + (strchr("EO", format[1]) && format[2]);
      space = *format == 'n' || *format == 't';
      if (!space)
        text = convert(text, *format, parts);
    } else if (!space) {
      text = *text == *format ? text + 1 : NULL;
    }
    while (space && isspace((unsigned char)*text))
      text++;
  }
  return text;
}

char *strptime(const char *restrict text, const char *restrict format, struct tm *restrict tm) {
  struct parts parts = {tm, -1, -1, -1};
  text = parse(text, format, &parts);
  if (!text)
    return NULL;
  if (parts.half >= 0)
    tm->tm_hour = tm->tm_hour % 12 + 12 * parts.half;
  if (parts.century >= 0)
    tm->tm_year = parts.century * 100 + (parts.year > 0 ? parts.year : 0) - 1900;
  else if (parts.year >= 0)
    tm->tm_year = parts.year + (parts.year < 69 ? 100 : 0); /* as POSIX divides the two centuries */
  return (char *)text;
}
