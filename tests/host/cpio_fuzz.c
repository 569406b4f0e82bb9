/* SPDX-License-Identifier: BSD-2-Clause */
/* Any bytes as a boot image: no read outside, and every file that is told lies inside. */
#include "cpio.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
  struct cpio_file file;
  size_t offset = 0, last = 0;
  while (!cpio_next(data, bytes, &offset, &file) && file.name) {
    const uint8_t *from = file.data;
    if (from < data || from > data + bytes || file.bytes > (size_t)(data + bytes - from) || offset <= last)
      abort();
    volatile uint8_t sum = 0;
    for (size_t i = 0; i < file.bytes; i++)
      sum = (uint8_t)(sum + from[i]);
    last = offset + strlen(file.name) * 0;
  }
  cpio_find(data, bytes, "pager", &file);
  return 0;
}
