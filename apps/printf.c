/* SPDX-License-Identifier: BSD-2-Clause */
/* printf FORMAT [ARGUMENT...]: as POSIX.1-2017 has it. The format is used again as long as there are arguments. */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char **next; /* the argument that a conversion takes */
static int status;
static bool over; /* \c in an argument: nothing more is printed */

static const char *text_argument(void) {
  return *next ? *next++ : "";
}

/* 'c stands for the value of that character. */
static intmax_t number_argument(bool with_sign) {
  char *end;
  const char *text = text_argument();
  if (*text == '\'' || *text == '"')
    return (unsigned char)text[1];
  errno = 0;
  intmax_t value = with_sign ? strtoimax(text, &end, 0) : (intmax_t)strtoumax(text, &end, 0);
  if (errno || *end || (end == text && *text)) {
    fprintf(stderr, "printf: %s: %s\n", text, errno ? strerror(errno) : "not a number");
    status = 1;
  }
  return value;
}

/* The byte behind a backslash, of up to `digits` octal digits. */
static const char *octal(const char *at, int digits) {
  int byte = 0;
  for (; digits-- && *at >= '0' && *at <= '7'; at++)
    byte = byte * 8 + *at - '0';
  putchar(byte);
  return at;
}

/* What a backslash begins; in an argument of %b octal numbers may have a 0 before them, and \c ends all. */
static const char *escape(const char *at, bool in_argument) {
  static const char from[] = "abfnrtv\\", to[] = "\a\b\f\n\r\t\v\\";
  const char *known = *at ? strchr(from, *at) : NULL;
  if (known) {
    putchar(to[known - from]);
    return at + 1;
  }
  if (*at >= '0' && *at <= '7')
    return octal(at, in_argument && *at == '0' ? 4 : 3);
  if (*at == 'c' && in_argument) {
    over = true;
    return at + strlen(at);
  }
  putchar('\\');
  return at;
}

static void escaped_argument(void) {
  for (const char *at = text_argument(); *at && !over;)
    if (*at == '\\')
      at = escape(at + 1, true);
    else
      putchar(*at++);
}

/* One conversion, for the library's printf: its flags, with the stars' values in place of them, are in `spec`. */
static bool convert(char *spec, char kind) {
  size_t used = strlen(spec);
  if (kind && strchr("diouxX", kind)) {
    snprintf(spec + used, 4, "j%c", kind);
    printf(spec, number_argument(kind == 'd' || kind == 'i'));
  } else if (kind && strchr("eEfFgG", kind)) {
    snprintf(spec + used, 4, "%c", kind);
    printf(spec, strtod(text_argument(), NULL));
  } else if (kind == 's') {
    printf(strcat(spec, "s"), text_argument());
  } else if (kind == 'c') {
    snprintf(spec + used, 5, ".1s");
    printf(spec, text_argument());
  } else {
    return false;
  }
  return true;
}

#define SPEC 64

/* From behind the % to behind the conversion; NULL: it is none. */
static const char *conversion(const char *at) {
  char spec[SPEC] = "%";
  for (; *at && strchr("-+ #0123456789.*", *at); at++) {
    size_t used = strlen(spec);
    if (used > SPEC - 30)
      return NULL;
    if (*at == '*')
      snprintf(spec + used, SPEC - used, "%d", (int)number_argument(true));
    else
      spec[used] = *at;
  }
  if (*at == '%' && !spec[1])
    putchar('%');
  else if (*at == 'b' && !spec[1])
    escaped_argument();
  else if (!convert(spec, *at))
    return NULL;
  return at + 1;
}

static bool format_once(const char *at) {
  while (*at && !over)
    if (*at == '%') {
      const char *begin = at;
      if (!(at = conversion(at + 1))) {
        fflush(stdout);
        fprintf(stderr, "printf: %s: no such conversion\n", begin);
        return false;
      }
    } else if (*at == '\\') {
      at = escape(at + 1, false);
    } else {
      putchar(*at++);
    }
  return true;
}

int main(int argc, char **argv) {
  char **first = argv + 1 + (argc > 1 && !strcmp(argv[1], "--"));
  if (!*first) {
    fprintf(stderr, "usage: printf FORMAT [ARGUMENT...]\n");
    return 2;
  }
  next = first + 1;
  char **before;
  do {
    before = next;
    if (!format_once(*first))
      return 1;
  } while (*next && next != before && !over);
  return fflush(stdout) ? 1 : status;
}
