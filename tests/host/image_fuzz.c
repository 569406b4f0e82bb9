/* SPDX-License-Identifier: BSD-2-Clause */
/* Any bytes as programs of a boot image: no read outside a file, no word of cache that was not promised; and a second
 * reader, which does it in the plainest way, says the same of what is good and of every byte of every page.
 * An input is a list of files, each after its length in two bytes. */
#include "image.h"

#include <quire/pager.h>

#include <stdlib.h>
#include <string.h>

#define FILES 8
#define LIMIT 0x40000000ul

#define MUST(condition)                                                                                              \
  do {                                                                                                               \
    if (!(condition))                                                                                                \
      abort();                                                                                                       \
  } while (0)

typedef unsigned __int128 wide; /* no sum of two 64-bit numbers goes round in it */

struct file {
  uint8_t *data;
  size_t bytes;
  struct image image;
};

/* ---- The second reader: numbers by offset, as the System V ABI's tables give them -------------------------------- */
static uint64_t number(const uint8_t *p, unsigned bytes) {
  uint64_t value = 0;
  while (bytes--)
    value = value << 8 | p[bytes];
  return value;
}

struct part {
  uint64_t flags, offset, vaddr, filesz, memsz;
};

static uint64_t page_up(uint64_t va) {
  return (va + 4095) / 4096 * 4096;
}

static bool part_right(const struct file *f, const struct part *p, uint64_t above) {
  bool write = p->flags & 2, execute = p->flags & 1;
  if (p->filesz > p->memsz || (wide)p->offset + p->filesz > f->bytes || (wide)p->vaddr + p->memsz > LIMIT)
    return false;
  if (p->vaddr < above || p->vaddr >= LIMIT || (write && execute))
    return false;
  return write || p->filesz == p->memsz;
}

/* How many parts are loaded, or -1 if the file cannot be run. */
static int parts(const struct file *f, struct part *list) {
  const uint8_t *h = f->data;
  int count = 0;
  uint64_t above = 0x10000;
  bool entered = false;
  if (f->bytes < 64 ||
      memcmp(h,
             "\x7f"
             "ELF"
             "\2\1\1",
             7) ||
      number(h + 16, 2) != 2 || number(h + 18, 2) != 243)
    return -1;
  uint64_t entry = number(h + 24, 8), table = number(h + 32, 8), each = number(h + 54, 2),
           entries = number(h + 56, 2);
  if (each != 56 || (wide)table + each * entries > f->bytes)
    return -1;
  for (const uint8_t *at = h + table; entries--; at += each) {
    struct part p = {number(at + 4, 4), number(at + 8, 8), number(at + 16, 8), number(at + 32, 8),
                     number(at + 40, 8)};
    if (number(at, 4) != 1 || !p.memsz)
      continue;
    if (count == SEGMENTS_MAX || !part_right(f, &p, above))
      return -1;
    list[count++] = p;
    above = page_up(p.vaddr + p.memsz);
    entered = entered || (p.flags & 1 && entry >= p.vaddr / 4096 * 4096 && entry < above);
  }
  return entered && entry % 2 == 0 ? count : -1;
}

/* ---- What must hold ------------------------------------------------------------------------------------------------ */
/* The file's bytes and zeros around them. */
static void check_page(const struct image *image, const struct segment *s, const struct part *p, const uint8_t *data,
                       uint64_t page) {
  uint8_t *filled = calloc(1, 4096);
  image_fill(image, s, page, filled);
  for (unsigned i = 0; i < 4096; i++) {
    bool from_file = page + i >= p->vaddr && page + i - p->vaddr < p->filesz;
    MUST(filled[i] == (from_file ? data[p->offset + (page + i - p->vaddr)] : 0));
  }
  free(filled);
}

static void check_segment(const struct image *image, const struct segment *s, const struct part *p,
                          const uint8_t *data) {
  unsigned prot = Q_PROT_READ | (p->flags & 2 ? Q_PROT_WRITE : 0) | (p->flags & 1 ? Q_PROT_EXECUTE : 0);
  MUST(s->start == p->vaddr / 4096 * 4096 && s->end == page_up(p->vaddr + p->memsz) && s->prot == prot);
  MUST(!s->cache == !!(prot & Q_PROT_WRITE));
  for (uint64_t page = s->start; page < s->end; page += 4096) {
    check_page(image, s, p, data, page);
    if (page > p->vaddr + p->filesz + 3 * 4096 && page + 8192 < s->end)
      page = s->end - 8192; /* up to a gigabyte of zeros: its ends are enough */
  }
}

static void check_image(const struct file *f) {
  struct part list[SEGMENTS_MAX];
  const struct image *image = &f->image;
  int count = parts(f, list);
  MUST(image->good == (count > 0));
  if (!image->good)
    return;
  MUST(image->segments == (unsigned)count && image->entry == number(f->data + 24, 8));
  MUST(image->heap == image->segment[count - 1].end && image->heap <= LIMIT && !strcmp(image->name, "name"));
  for (int i = 0; i < count; i++)
    check_segment(image, &image->segment[i], &list[i], f->data);
}

/* Every page of every segment, of good images and bad, has a word of its own. */
static void use_cache(const struct file *files, unsigned count) {
  uint32_t id = 0;
  for (unsigned pass = 0; pass < 2; pass++, id = 0)
    for (unsigned i = 0; i < count; i++)
      for (unsigned s = 0; s < files[i].image.segments; s++) {
        const struct segment *segment = &files[i].image.segment[s];
        for (uint64_t page = 0; segment->cache && page < (segment->end - segment->start) / 4096; page++) {
          uint32_t *word = &segment->cache[page];
          MUST(*word == (pass ? ++id : 0));
          *word = pass ? *word : ++id;
        }
      }
}

/* Of objects there are none here (pager_fuzz.c has them). */
void object_read(const struct object *object, uint64_t offset, void *to, uint64_t bytes) {
  (void)object, (void)offset, (void)to, (void)bytes;
  abort();
}

/* ---- Inputs ---------------------------------------------------------------------------------------------------------- */
static unsigned split(const uint8_t *data, size_t bytes, struct file *files) {
  unsigned count = 0;
  for (; bytes >= 2 && count < FILES; count++) {
    size_t length = number(data, 2);
    length = length < bytes - 2 ? length : bytes - 2;
    files[count] = (struct file){malloc(length), length, {0}};
    memcpy(files[count].data, data + 2, length);
    data += 2 + length;
    bytes -= 2 + length;
  }
  return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
  struct file files[FILES];
  unsigned count = split(data, bytes, files);
  size_t all = 0;
  for (unsigned i = 0; i < count; i++)
    all += files[i].bytes;
  size_t promised = image_cache_bytes(all) + count * SEGMENTS_MAX * 8; /* as the pager reckons */
  uint32_t *cache = calloc(1, promised), *memory = cache;
  for (unsigned i = 0; i < count; i++) {
    uint32_t *before = memory;
    image_read(&files[i].image, "name", files[i].data, files[i].bytes, files[i].bytes, &memory);
    MUST((size_t)(memory - before) * sizeof *memory <= image_cache_bytes(files[i].bytes));
    check_image(&files[i]);
  }
  MUST((size_t)(memory - cache) * sizeof *memory <= promised);
  use_cache(files, count);
  for (unsigned i = 0; i < count; i++)
    free(files[i].data);
  free(cache);
  return 0;
}
