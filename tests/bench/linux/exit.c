/* SPDX-License-Identifier: BSD-2-Clause */
/* The program that is executed: nothing but its exit. */
#include "nolibc.h"

int main(void) {
  return 0;
}
