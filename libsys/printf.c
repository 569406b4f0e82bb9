/* SPDX-License-Identifier: BSD-2-Clause */
/* vfprintf() and vfscanf(), which all others of their kind call (quire.specs: --wrap). picolibc's write to an unbuffered stream
 * byte by byte, and Debian's are built without _WANT_IO_LONG_DOUBLE, in each variant: they take a long double for a double. */
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "decimal.h"
#include "stream.h"

int __real_vfprintf(FILE *file, const char *format, va_list list);
int __wrap_vfprintf(FILE *file, const char *format, va_list list);
int __real_vfscanf(FILE *file, const char *format, va_list list);
int __wrap_vfscanf(FILE *file, const char *format, va_list list);

/* ---- Formats ---------------------------------------------------------------------------------------------------------------- */
struct conversion {
  const char *start, *end;
  bool takes_width, takes_precision; /* an argument each (*) */
  bool wide;                         /* a long double */
  struct decimal_format how;
};

static const char *number(const char *at, int *value, bool *taken) {
  *taken = *at == '*';
  if (*taken)
    return at + 1;
  *value = 0;
  for (; *at >= '0' && *at <= '9'; at++)
    *value = *value < INT32_MAX / 10 - 1 ? *value * 10 + *at - '0' : *value;
  return at;
}

/* The next from there on; false: there is none. */
static bool next_printed(const char *at, struct conversion *c) {
  *c = (struct conversion){.start = strchr(at, '%'), .how.precision = -1};
  if (!c->start)
    return false;
  for (at = c->start + 1; *at && strchr("-+ #0", *at); at++)
    *(*at == '-'   ? &c->how.left
      : *at == '+' ? &c->how.plus
      : *at == ' ' ? &c->how.space
      : *at == '#' ? &c->how.alternate
                   : &c->how.zero) = true;
  at = number(at, &c->how.width, &c->takes_width);
  if (*at == '.')
    at = number(at + 1, &c->how.precision, &c->takes_precision);
  const char *kind = at + strspn(at, "hlLjzt");
  c->how.kind = *kind;
  c->wide = kind > at && kind[-1] == 'L' && *kind && strchr("aAeEfFgG", *kind);
  c->end = kind + (*kind != 0);
  return true;
}

/* ---- printf: every other conversion goes to picolibc, one by one -------------------------------------------------------------- */
static int print_text(FILE *file, const char *from, const char *end) {
  size_t bytes = (size_t)(end - from);
  return fwrite(from, 1, bytes, file) == bytes ? (int)bytes : -1;
}

static int print_narrow(FILE *file, const struct conversion *c, va_list list) {
  char text[64];
  size_t bytes = (size_t)(c->end - c->start);
  if (bytes >= sizeof text)
    return -1;
  memcpy(text, c->start, bytes);
  text[bytes] = 0;
  return __real_vfprintf(file, text, list);
}

static int print_one(FILE *file, struct conversion *c, va_list *list) {
  va_list start;
  va_copy(start, *list);
  int width = c->takes_width ? va_arg(*list, int) : c->how.width;
  c->how.left |= width < 0;
  c->how.width = width < 0 ? -width : width;
  c->how.precision = c->takes_precision ? va_arg(*list, int) : c->how.precision;
  if (c->wide)
    return decimal_print(file, &c->how, va_arg(*list, long double));
  if (c->how.kind != '%')
    (void)va_arg(*list, uint64_t); /* a double lies there in the same way */
  return print_narrow(file, c, start);
}

static int print_wide(FILE *file, const char *format, va_list given) {
  struct conversion c;
  va_list list;
  va_copy(list, given);
  int all = 0, bytes = 0;
  for (; bytes >= 0 && next_printed(format, &c); format = c.end) {
    all += bytes = print_text(file, format, c.start);
    if (bytes >= 0)
      all += bytes = print_one(file, &c, &list);
  }
  if (bytes >= 0)
    all += bytes = print_text(file, format, format + strlen(format));
  return bytes < 0 ? -1 : all;
}

int __wrap_vfprintf(FILE *file, const char *format, va_list list) {
  stream_lock(file);
  bool held = stream_hold(file);
  int bytes = strchr(format, 'L') ? print_wide(file, format, list) : __real_vfprintf(file, format, list);
  stream_release(file, held);
  stream_unlock(file);
  return bytes;
}

/* ---- scanf: a long double is read as a double ---------------------------------------------------------------------------------- */
/* Steps over a conversion, which begins behind its %; *wide is where it says that it is a long double, or NULL. False: it takes
 * no argument. */
static bool next_scanned(const char **format, const char **wide) {
  const char *at = *format;
  bool taken = *at != '*' && *at != '%';
  at += *at == '*';
  at += strspn(at, "0123456789");
  const char *kind = at + strspn(at, "hlLjzt");
  *wide = kind > at && kind[-1] == 'L' && *kind && strchr("aAeEfFgG", *kind) ? kind - 1 : NULL;
  if (*kind == '[') {
    kind += 1 + (kind[1] == '^');
    kind += strcspn(kind + 1, "]") + 1; /* one that comes first is of the set */
  }
  *format = kind + (*kind != 0);
  return taken;
}

#define SCANNED 64 /* arguments; of further ones a long double is not known */

/* Its arguments are pointers, and lie as in an array (RISC-V ELF psABI: a va_list is a pointer to them). */
static int scan_wide(FILE *file, const char *format, va_list list) {
  static const uint64_t untouched = 0x7ff4deadbeef0001; /* a NaN that no text gives */
  union {
    uint64_t bits;
    double number;
  } found[SCANNED];
  void *argument[SCANNED], *wanted[SCANNED];
  char narrow[strlen(format) + 1];
  unsigned count = 0;
  strcpy(narrow, format);
  for (const char *at = format, *wide; count < SCANNED && (at = strchr(at, '%'));) {
    at++;
    if (!next_scanned(&at, &wide))
      continue;
    wanted[count] = argument[count] = va_arg(list, void *);
    found[count].bits = wide ? untouched : 0;
    if (wide) {
      narrow[wide - format] = 'l';
      argument[count] = &found[count];
    }
    count++;
  }
  int result = __real_vfscanf(file, narrow, (va_list)argument);
  for (unsigned i = 0; i < count; i++)
    if (argument[i] == &found[i] && found[i].bits != untouched)
      *(long double *)wanted[i] = found[i].number;
  return result;
}

int __wrap_vfscanf(FILE *file, const char *format, va_list list) {
  stream_lock(file);
  int found = strchr(format, 'L') ? scan_wide(file, format, list) : __real_vfscanf(file, format, list);
  stream_unlock(file);
  return found;
}
