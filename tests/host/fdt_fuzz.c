/* SPDX-License-Identifier: BSD-2-Clause */
/* Any bytes as a device tree: no read outside; and where libfdt finds the tree good too, both say the same of it. */
#include "devicetree.h"

#include <libfdt.h>
#include <stdlib.h>
#include <string.h>

static void same_chosen(const void *tree, const struct machine *m) {
  int length, chosen = fdt_subnode_offset(tree, 0, "chosen");
  const char *args = chosen < 0 ? NULL : fdt_getprop(tree, chosen, "bootargs", &length);
  if (!args || length <= 0 || args[length - 1])
    return;
  if (strcmp(args, m->bootargs))
    abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
  struct machine m;
  char *copy = malloc(bytes + 1); /* its end is watched, and its start is not aligned as the input was */
  memcpy(copy, data, bytes);
  const char *error = fdt_read(copy, bytes, &m);
  if (!error) {
    volatile size_t length = strlen(m.bootargs);
    if (!m.memories || !m.harts || m.memories > FDT_MEMORIES || m.harts > DEVICETREE_HARTS ||
        m.reserves > FDT_RESERVED || length >= bytes)
      abort();
    if (!fdt_check_full(copy, bytes))
      same_chosen(copy, &m);
  }
  free(copy);
  return 0;
}
