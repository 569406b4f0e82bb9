/* SPDX-License-Identifier: BSD-2-Clause */
/* A number for a list of strings, which differs if one byte, one end or their order does (FNV-1a). */
#ifndef HASH_H
#define HASH_H

#include <stdint.h>

#define HASH_START 0xcbf29ce484222325

static inline uint64_t hash_strings(uint64_t hash, char *const strings[]) {
  for (; *strings; strings++)
    for (const char *at = *strings;; at++) {
      hash = (hash ^ (uint8_t)*at) * 0x100000001b3;
      if (!*at)
        break;
    }
  return (hash ^ 0xff) * 0x100000001b3;
}
#endif
