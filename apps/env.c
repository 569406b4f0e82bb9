/* SPDX-License-Identifier: BSD-2-Clause */
/* Its environment, a variable a line. */
#include <stdio.h>
#include <unistd.h>

int main(void) {
  for (char **v = environ; *v; v++)
    printf("%s\n", *v);
  return 0;
}
