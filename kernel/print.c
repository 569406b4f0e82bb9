/* SPDX-License-Identifier: BSD-2-Clause */
/* Text to the firmware's console, panic, and the few library functions the compiler expects. */
#include "kernel.h"

#include <stdarg.h>

/* ---- The log: what is written while a driver has the console. Positions only grow. ------------------------------------ */
#define LOG_BYTES 8192
static char ring[LOG_BYTES];
static uint64_t ring_read, ring_written;

bool log_empty(void) {
  return ring_read == ring_written;
}

bool log_write(const char *text, uint64_t bytes) {
  ASSERT_DEBUG(ring_written - ring_read <= LOG_BYTES);
  if (bytes > LOG_BYTES - (ring_written - ring_read))
    return false;
  for (uint64_t i = 0; i < bytes; i++)
    ring[ring_written++ % LOG_BYTES] = text[i];
  return true;
}

uint64_t log_read(char *to, uint64_t bytes) {
  uint64_t n = MIN(bytes, ring_written - ring_read);
  for (uint64_t i = 0; i < n; i++)
    to[i] = ring[ring_read++ % LOG_BYTES];
  return n;
}

bool log_flush(uint64_t most) {
  bool any = !log_empty();
  for (char c; most && log_read(&c, 1); most--)
    sbi_call(SBI_PUTCHAR, 0, (uint8_t)c, 0, 0, 0, 0);
  return any;
}

void console_write(const char *text, uint64_t bytes) {
  log_flush(LOG_BYTES);
  for (uint64_t i = 0; i < bytes; i++)
    sbi_call(SBI_PUTCHAR, 0, (uint8_t)text[i], 0, 0, 0, 0);
}

static void print_number(uint64_t value, unsigned base) {
  char digits[20];
  unsigned n = sizeof digits;
  do {
    digits[--n] = "0123456789abcdef"[value % base];
    value /= base;
  } while (value);
  console_write(digits + n, sizeof digits - n);
}

static void print_list(const char *format, va_list list) {
  for (; *format; format++) {
    if (*format != '%') {
      console_write(format, 1);
      continue;
    }
    while (*++format == 'l')
      ;
    if (*format == 's') {
      const char *text = va_arg(list, const char *);
      console_write(text, strlen(text));
    } else if (*format == 'd') {
      print_number((uint64_t)va_arg(list, long), 10);
    } else {
      print_number(va_arg(list, uint64_t), 16);
    }
  }
}

void print(const char *format, ...) {
  va_list list;
  va_start(list, format);
  print_list(format, list);
  va_end(list);
}

_Noreturn void machine_off(bool failure) {
  sbi_call(SBI_SRST, 0, 0, failure, 0, 0, 0);
  for (;;)
    __asm__ volatile("wfi");
}

_Noreturn void panic(const char *format, ...) {
  va_list list;
  va_start(list, format);
  print("quire: panic: ");
  print_list(format, list);
  print("\n");
  machine_off(true);
}

_Noreturn void panic_trap(uint64_t cause, uint64_t pc, uint64_t value, uint64_t ra);
_Noreturn void panic_trap(uint64_t cause, uint64_t pc, uint64_t value, uint64_t ra) {
  panic("trap in the kernel: scause %lx at %lx, stval %lx, ra %lx", cause, pc, value, ra);
}

/* What runs for whole pages takes many bytes a step, and the checks of debug builds would triple it. */
#define UNCHECKED __attribute__((no_sanitize("undefined")))
struct line {
  uint64_t word[8];
};
#define LINE sizeof(struct line)

static inline void copy_lines(struct line *restrict to, const struct line *restrict from) {
  to[0] = from[0];
  to[1] = from[1];
  to[2] = from[2];
  to[3] = from[3];
}

UNCHECKED void *memcpy(void *restrict to, const void *restrict from, size_t bytes) {
  char *t = to;
  const char *f = from;
  if ((((uint64_t)t ^ (uint64_t)f) & 7) == 0) {
    for (; bytes && (uint64_t)t & 7; bytes--)
      *t++ = *f++;
    for (; bytes >= 4 * LINE; bytes -= 4 * LINE, t += 4 * LINE, f += 4 * LINE)
      copy_lines((struct line *)t, (const struct line *)f);
    for (; bytes >= LINE; bytes -= LINE, t += LINE, f += LINE)
      *(struct line *)t = *(const struct line *)f;
    for (; bytes >= 8; bytes -= 8, t += 8, f += 8)
      *(uint64_t *)t = *(const uint64_t *)f;
  }
  for (; bytes >= 4; bytes -= 4, t += 4, f += 4)
    t[0] = f[0], t[1] = f[1], t[2] = f[2], t[3] = f[3];
  while (bytes--)
    *t++ = *f++;
  return to;
}

UNCHECKED void *memset(void *to, int byte, size_t bytes) {
  char *t = to;
  uint64_t w = (uint8_t)byte * 0x0101010101010101ul;
  if (((uint64_t)t & 7) == 0)
    for (; bytes >= LINE; bytes -= LINE, t += LINE)
      *(struct line *)t = (struct line){{w, w, w, w, w, w, w, w}};
  while (bytes--)
    *t++ = (char)byte;
  return to;
}

size_t strlen(const char *text) {
  size_t n = 0;
  while (text[n])
    n++;
  return n;
}

int strncmp(const char *a, const char *b, size_t max) {
  for (; max && *a && *a == *b; max--)
    a++, b++;
  return max ? (uint8_t)*a - (uint8_t)*b : 0;
}

int strcmp(const char *a, const char *b) {
  return strncmp(a, b, ~0ul);
}
