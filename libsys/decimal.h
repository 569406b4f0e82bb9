/* SPDX-License-Identifier: BSD-2-Clause */
/* A long double as text (C17, 7.21.6.1), exactly: all of its digits are known before it is rounded. */
#ifndef DECIMAL_H
#define DECIMAL_H

#include <stdbool.h>
#include <stdio.h>

struct decimal_format {
  bool left, plus, space, alternate, zero;
  int width, precision; /* below 0: none is given */
  char kind;            /* aAeEfFgG */
};

int decimal_print(FILE *file, const struct decimal_format *how, long double value); /* characters, or -1 */
#endif
