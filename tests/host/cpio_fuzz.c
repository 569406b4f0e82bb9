/* SPDX-License-Identifier: BSD-2-Clause */
/* Any bytes as a boot image: no read outside, and a second reader, which does it in the plainest way, finds the same files. */
#include "cpio.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define MUST(condition)                                                                                              \
  do {                                                                                                               \
    if (!(condition))                                                                                                \
      abort();                                                                                                       \
  } while (0)

enum found { A_FILE, THE_END, NOTHING_GOOD };

static bool field(const char *entry, unsigned index, size_t *value) {
  char digits[9] = {0};
  memcpy(digits, entry + 6 + 8 * index, 8);
  for (unsigned i = 0; i < 8; i++)
    if (!isxdigit((unsigned char)digits[i]))
      return false;
  *value = strtoul(digits, NULL, 16);
  return true;
}

static size_t up(size_t at) {
  return at % 4 ? at + 4 - at % 4 : at;
}

/* The entry at *at of a whole image that ends at `bytes`. */
static enum found next(const char *image, size_t bytes, size_t *at, struct cpio_file *file) {
  const char *entry = image + *at;
  size_t mode, size, name_size;
  if (bytes - *at < 110 || (memcmp(entry, "070701", 6) && memcmp(entry, "070702", 6)) || !field(entry, 1, &mode) ||
      !field(entry, 6, &size) || !field(entry, 11, &name_size) || !name_size)
    return NOTHING_GOOD;
  size_t data = *at + up(110 + name_size);
  if (data > bytes || data + size > bytes || entry[110 + name_size - 1])
    return NOTHING_GOOD;
  const char *name = entry + 110;
  if (!strcmp(name, "TRAILER!!!"))
    return THE_END;
  while (!strncmp(name, "/", 1) || !strncmp(name, "./", 2))
    name += *name == '/' ? 1 : 2;
  *file = (struct cpio_file){name, image + data, size, (uint32_t)mode};
  *at = *at + up(110 + name_size) + up(size);
  *at = *at < bytes ? *at : bytes;
  return A_FILE;
}

static void same(const struct cpio_file *a, const struct cpio_file *b) {
  MUST(a->name == b->name && a->data == b->data && a->bytes == b->bytes && a->mode == b->mode);
}

/* What is found by a name is the first file that has it, if all before it is good. */
static void find(const char *image, size_t bytes, const char *name) {
  struct cpio_file file, expected;
  size_t at = 0;
  enum found found;
  while ((found = next(image, bytes, &at, &expected)) == A_FILE && strcmp(expected.name, name))
    ;
  const char *error = cpio_find(image, bytes, name, &file);
  MUST(!error == (found != NOTHING_GOOD));
  if (found == A_FILE)
    same(&file, &expected);
  else
    MUST(!file.data && !file.name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
  struct cpio_file file, expected;
  size_t offset = 0, at = 0;
  char *image = malloc(bytes); /* its end is watched */
  memcpy(image, data, bytes);
  for (enum found found = A_FILE; found == A_FILE;) {
    found = next(image, bytes, &at, &expected);
    const char *error = cpio_next(image, bytes, &offset, &file);
    MUST(!error == (found != NOTHING_GOOD) && (file.name != NULL) == (found == A_FILE));
    if (found != A_FILE)
      break;
    same(&file, &expected);
    MUST(offset == at);
    volatile uint8_t sum = 0;
    for (size_t i = 0; i < file.bytes; i++)
      sum = (uint8_t)(sum + ((const uint8_t *)file.data)[i]);
    if (at < 2048) /* not every file of a long list in turn */
      find(image, bytes, file.name);
  }
  find(image, bytes, "pager");
  free(image);
  return 0;
}
