/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads "newc" cpio archives (cpio(5)): a header of thirteen 8-digit hexadecimal fields after the magic number, then the
 * name and the data, each padded to 4 bytes. Makes no calls but to string functions. */
#include "cpio.h"

#include <string.h>

#define HEADER 110
enum { FIELD_MODE = 1, FIELD_BYTES = 6, FIELD_NAME_BYTES = 11 };

/* ~0 if it is not hexadecimal. */
static size_t field(const char *header, unsigned number) {
  size_t value = 0;
  for (const char *p = header + 6 + 8 * number, *end = p + 8; p < end; p++) {
    unsigned digit = (unsigned)*p - '0', letter = ((unsigned)*p | 32) - 'a';
    if (digit > 9 && letter > 5)
      return ~(size_t)0;
    value = value << 4 | (digit > 9 ? letter + 10 : digit);
  }
  return value;
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
  const char *header = (const char *)image + *offset, *name = header + HEADER;
  size_t left = bytes - *offset;
  *out = (struct cpio_file){0};
  if (left < HEADER || (strncmp(header, "070701", 6) && strncmp(header, "070702", 6)))
    return "initrd: not a newc cpio archive, or cut short";
  size_t mode = field(header, FIELD_MODE), data_bytes = field(header, FIELD_BYTES);
  size_t name_bytes = field(header, FIELD_NAME_BYTES), data = padded(HEADER + name_bytes);
  if (mode > UINT32_MAX || data_bytes > UINT32_MAX || name_bytes - 1 >= UINT32_MAX)
    return "initrd: a header field is not hexadecimal, or a name is empty";
  if (data > left || data_bytes > left - data || name[name_bytes - 1])
    return "initrd: a file or its name is cut short";
  if (!strcmp(name, "TRAILER!!!"))
    return NULL;
  size_t end = data + padded(data_bytes);
  *offset += end < left ? end : left;
  *out = (struct cpio_file){plain_name(name), header + data, data_bytes, (uint32_t)mode};
  return NULL;
}

const char *cpio_find(const void *image, size_t bytes, const char *name, struct cpio_file *out) {
  const char *error;
  size_t offset = 0;
  do
    error = cpio_next(image, bytes, &offset, out);
  while (!error && out->name && strcmp(out->name, name));
  return error;
}
