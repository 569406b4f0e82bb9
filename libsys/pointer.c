/* SPDX-License-Identifier: BSD-2-Clause */
/* What a pointer is worth that a program hands to libsys. POSIX has EFAULT for a bad one, and touching it would end the program;
 * so what is not known to be good is read or written by the server, whose copy can fail. */
#include <string.h>

#include "request.h"

extern char __image_start[], __data_start[], __image_end[];

/* Bytes from there on that are certainly the program's: its image, and the stack above the thread's pointer. */
static uint64_t known(const void *pointer, bool writes) {
  uintptr_t at = (uintptr_t)pointer, sp = (uintptr_t)__builtin_frame_address(0);
  if (at >= (uintptr_t)(writes ? __data_start : __image_start) && at < (uintptr_t)__image_end)
    return (uintptr_t)__image_end - at;
  if (sp >= P_STACK_BASE && at >= sp && at < P_STACK_TOP)
    return P_STACK_TOP - at;
  return p_server ? 0 : Q_PAGE_SIZE; /* nobody is there to be asked */
}

static int64_t probe(const void *from, void *to, uint64_t bytes) {
  return ask_server(&(struct q_call){
      .label = POSIX_probe, .read = from, .read_bytes = bytes, .write = to, .write_bytes = to ? bytes : 0});
}

bool may_read(const void *pointer, size_t bytes) {
  return known(pointer, false) >= bytes || probe(pointer, NULL, bytes) >= 0;
}

bool may_write(void *pointer, size_t bytes) {
  return known(pointer, true) >= bytes || probe(pointer, pointer, bytes) >= 0;
}

static size_t least(size_t a, size_t b) {
  return a < b ? a : b;
}

/* By the page where it is not known, so that nothing behind the NUL is touched. */
int64_t string_take(const char *string, char *to, size_t size) {
  for (size_t done = 0; done < size;) {
    const char *from = string + done;
    size_t left = size - done, good = least(known(from, false), left);
    size_t piece = good ? good : least(Q_PAGE_SIZE - (uintptr_t)from % Q_PAGE_SIZE, left);
    int64_t length = good ? (int64_t)strnlen(from, good) : probe(from, to + done, piece);
    if (length < 0)
      return length;
    if (good)
      memcpy(to + done, from, (size_t)length);
    done += (size_t)length;
    if ((size_t)length < piece) {
      to[done] = 0;
      return (int64_t)done + 1;
    }
  }
  return -E2BIG;
}

int64_t path_take(const char *path, char to[PATH_BYTES]) {
  int64_t bytes = string_take(path, to, PATH_BYTES);
  return bytes == -E2BIG ? -ENAMETOOLONG : bytes;
}

int64_t strings_join(const char *const strings[], char *text, size_t size, size_t *used) {
  for (int64_t count = 0;; count++) {
    uintptr_t last = (uintptr_t)(strings + count + 1) - 1;
    bool new_page = last % Q_PAGE_SIZE < sizeof *strings; /* of the array */
    if ((!count || new_page) && !may_read(strings + count, sizeof *strings))
      return -EFAULT;
    if (!strings[count])
      return count;
    int64_t bytes = string_take(strings[count], text + *used, size - *used);
    if (bytes < 0)
      return bytes;
    *used += (size_t)bytes;
  }
}
