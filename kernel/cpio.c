/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads "newc" cpio archives (cpio(5)): a header of thirteen 8-digit hexadecimal fields after the magic number, then the
 * name and the data, each padded to 4 bytes. Makes no calls but to string functions. */
#include "cpio.h"

#include <stdbool.h>
#include <string.h>

#define HEADER 110
enum { FIELD_MODE = 1, FIELD_BYTES = 6, FIELD_NAME_BYTES = 11 };

static bool hex_field(const char *header, unsigned field, size_t *value) {
  *value = 0;
  for (const char *p = header + 6 + 8 * field, *end = p + 8; p < end; p++) {
    unsigned decimal = (unsigned)(*p - '0'), letter = (unsigned)((*p | 32) - 'a'); /* huge if *p lies below */
    if (decimal > 9 && letter > 5)
      return false;
    *value = *value << 4 | (decimal > 9 ? letter + 10 : decimal);
  }
  return true;
}

static size_t padded(size_t bytes) {
  return (bytes + 3) & ~(size_t)3;
}

static const char *plain_name(const char *name) {
  while (*name == '/' || (name[0] == '.' && name[1] == '/'))
    name++;
  return name;
}

const char *cpio_next(const void *image, size_t bytes, size_t *offset, struct cpio_file *out) {
  const char *header = (const char *)image + *offset;
  size_t left = bytes - *offset, name_bytes, data_bytes, mode;
  *out = (struct cpio_file){0};
  if (left < HEADER || memcmp(header, "07070", 5) || (header[5] != '1' && header[5] != '2'))
    return "initrd: not a newc cpio archive, or cut short";
  if (!hex_field(header, FIELD_MODE, &mode) || !hex_field(header, FIELD_BYTES, &data_bytes) ||
      !hex_field(header, FIELD_NAME_BYTES, &name_bytes))
    return "initrd: a header field is not hexadecimal";
  size_t data = padded(HEADER + name_bytes);
  if (!name_bytes || data > left || data_bytes > left - data)
    return "initrd: a file is cut short";
  if (header[HEADER + name_bytes - 1])
    return "initrd: a name is not terminated";
  if (!strcmp(header + HEADER, "TRAILER!!!"))
    return NULL;
  size_t end = data + padded(data_bytes);
  *offset += end < left ? end : left;
  *out = (struct cpio_file){plain_name(header + HEADER), header + data, data_bytes, (uint32_t)mode};
  return NULL;
}

const char *cpio_find(const void *image, size_t bytes, const char *name, struct cpio_file *out) {
  const char *wanted = plain_name(name);
  size_t offset = 0;
  for (;;) {
    const char *error = cpio_next(image, bytes, &offset, out);
    if (error || !out->name || !strcmp(out->name, wanted))
      return error;
  }
}
