/* SPDX-License-Identifier: BSD-2-Clause */
#include "parts.h"

static int counted;
static const char *const texts[] = {"none", "one"};

__attribute__((constructor)) static void count(void) {
  counted++;
}

const char *part_text(void) {
  return texts[counted];
}

int part_number(void) {
  return 40 * counted;
}
