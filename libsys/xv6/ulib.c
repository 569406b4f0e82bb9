/* SPDX-License-Identifier: BSD-2-Clause */
/* What a program for xv6 has beside system calls: it knows no more than such a program does. */
#include "user/user.h"

#include <stdarg.h>

char *sbrk(int bytes) {
  return sys_sbrk(bytes, SBRK_EAGER);
}

char *sbrklazy(int bytes) {
  return sys_sbrk(bytes, SBRK_LAZY);
}

/* ---- Text --------------------------------------------------------------------------------------------------------------------- */
char *strchr(const char *text, char c) {
  for (; *text; text++)
    if (*text == c)
      return (char *)text;
  return 0;
}

int atoi(const char *text) {
  uint number = 0;
  for (; *text >= '0' && *text <= '9'; text++)
    number = number * 10 + (uint)(*text - '0');
  return (int)number;
}

char *gets(char *to, int most) {
  int used = 0;
  char c;
  while (used + 1 < most && read(0, &c, 1) == 1) {
    to[used++] = c;
    if (c == '\n' || c == '\r')
      break;
  }
  to[used] = 0;
  return to;
}

/* ---- Output: what one call prints goes out together as far as it fits ----------------------------------------------------------- */
struct out {
  int fd, used;
  char text[256];
};

static void flush(struct out *o) {
  write(o->fd, o->text, o->used);
  o->used = 0;
}

static void put(struct out *o, char c) {
  if (o->used == sizeof o->text)
    flush(o);
  o->text[o->used++] = c;
}

static void put_text(struct out *o, const char *text) {
  for (text = text ? text : "(null)"; *text; text++)
    put(o, *text);
}

/* At least so many digits. */
static void put_number(struct out *o, uint64 number, uint base, int least) {
  char digits[20];
  int n = 0;
  for (; number || n < least; number /= base)
    digits[n++] = "0123456789ABCDEF"[number % base];
  while (n)
    put(o, digits[--n]);
}

static void put_signed(struct out *o, long number) {
  if (number < 0)
    put(o, '-');
  put_number(o, number < 0 ? -(uint64)number : (uint64)number, 10, 1);
}

/* What stands behind a %, and l's that make it long; all that it does not know is printed as it is. */
static void convert(struct out *o, char c, int is_long, va_list *list) {
  if (c == 'd')
    put_signed(o, is_long ? va_arg(*list, long) : va_arg(*list, int));
  else if (c == 'u' || c == 'x')
    put_number(o, is_long ? va_arg(*list, uint64) : va_arg(*list, uint), c == 'u' ? 10 : 16, 1);
  else if (c == 'p')
    put_text(o, "0x"), put_number(o, va_arg(*list, uint64), 16, 16);
  else if (c == 's')
    put_text(o, va_arg(*list, const char *));
  else if (c == 'c')
    put(o, (char)va_arg(*list, int));
  else {
    if (c != '%')
      put(o, '%');
    put(o, c);
  }
}

static void print(int fd, const char *format, va_list *list) {
  struct out o = {.fd = fd};
  for (; *format; format++) {
    int longs = 0;
    if (*format != '%') {
      put(&o, *format);
      continue;
    }
    while (format[1 + longs] == 'l' && longs < 2)
      longs++;
    format += 1 + longs;
    if (!*format)
      break;
    convert(&o, *format, longs, list);
  }
  flush(&o);
}

void fprintf(int fd, const char *format, ...) {
  va_list list;
  va_start(list, format);
  print(fd, format, &list);
  va_end(list);
}

void printf(const char *format, ...) {
  va_list list;
  va_start(list, format);
  print(1, format, &list);
  va_end(list);
}

/* ---- Memory: free blocks in the order of their addresses, joined where they touch ----------------------------------------------- */
struct block {
  struct block *next;
  uint64 bytes; /* with this; whole ones of these */
};

static struct block *free_blocks;

static void join(struct block *b) {
  if (b && (char *)b + b->bytes == (char *)b->next) {
    b->bytes += b->next->bytes;
    b->next = b->next->next;
  }
}

static void give(struct block *b) {
  struct block **place = &free_blocks, *before = 0;
  while (*place && *place < b) {
    before = *place;
    place = &before->next;
  }
  b->next = *place;
  *place = b;
  join(b);
  join(before);
}

/* Of a block that is long enough; what is behind it stays free. */
static void *take(struct block **place, uint64 bytes) {
  struct block *b = *place, *rest = (struct block *)((char *)b + bytes);
  *place = b->next;
  if (b->bytes > bytes) {
    *rest = (struct block){b->next, b->bytes - bytes};
    *place = rest;
    b->bytes = bytes;
  }
  return b + 1;
}

/* All of it is there at once: a program whose memory lacks is told so, and does not end when it touches it. */
static int grow(uint64 bytes) {
  uint64 most = bytes < 65536 ? 65536 : bytes;
  char *at = most < 0x7fffffff - sizeof(struct block) ? sbrk((int)(most + sizeof(struct block))) : SBRK_ERROR;
  if (at == SBRK_ERROR)
    return 0;
  struct block *b = (struct block *)((uint64)(at + sizeof *b - 1) & ~(sizeof *b - 1)); /* the break may be odd */
  b->bytes = most;
  give(b);
  return 1;
}

void *malloc(uint bytes) {
  uint64 need = ((uint64)bytes + 2 * sizeof(struct block) - 1) & ~(sizeof(struct block) - 1);
  do
    for (struct block **place = &free_blocks; *place; place = &(*place)->next)
      if ((*place)->bytes >= need)
        return take(place, need);
  while (grow(need));
  return 0;
}

void free(void *block) {
  if (block)
    give((struct block *)block - 1);
}
