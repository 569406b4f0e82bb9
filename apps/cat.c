/* SPDX-License-Identifier: BSD-2-Clause */
/* What it reads, until the end of input. */
#include <stdio.h>
#include <string.h>
#include <errno.h>
#include <unistd.h>

int main(void) {
  char text[1024];
  ssize_t got;
  while ((got = read(0, text, sizeof text)) > 0)
    if (write(1, text, (size_t)got) != got)
      return 1;
  if (got < 0)
    printf("cat: cannot read: %s\n", strerror(errno));
  return got < 0;
}
