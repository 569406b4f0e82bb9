/* SPDX-License-Identifier: BSD-2-Clause */
/* vfprintf(), which all others of its kind call (quire.specs: --wrap). picolibc's goes to an unbuffered stream byte by byte. */
#include <stdarg.h>
#include <stdbool.h>

#include "stream.h"

int __real_vfprintf(FILE *file, const char *format, va_list list);
int __wrap_vfprintf(FILE *file, const char *format, va_list list);

int __wrap_vfprintf(FILE *file, const char *format, va_list list) {
  bool held = stream_hold(file);
  int bytes = __real_vfprintf(file, format, list);
  stream_release(file, held);
  return bytes;
}
