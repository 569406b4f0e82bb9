/* SPDX-License-Identifier: BSD-2-Clause */
/* ELF64 executables for RISC-V (System V ABI, chapter 5). The file is not trusted: what does not fit is not run. */
#include "image.h"

#include <quire/pager.h>

#include <string.h>

#include "elf.h"
#include "object.h"

#define IMAGE_END 0x40000000ul /* segments lie below; the heap may go on from there */

static bool header_good(const struct elf_header *h, size_t head) {
  return !memcmp(h->ident, "\177ELF\2\1\1", 7) && h->type == ET_EXEC && h->machine == EM_RISCV &&
         h->phentsize == sizeof(struct elf_segment) && h->phoff <= head &&
         h->phnum <= (head - h->phoff) / sizeof(struct elf_segment);
}

static bool segment_good(const struct elf_segment *s, size_t bytes, uint64_t from) {
  uint64_t prot = s->flags & (PF_W | PF_X);
  return s->filesz <= s->memsz && s->offset <= bytes && s->filesz <= bytes - s->offset && s->vaddr >= from &&
         s->vaddr < IMAGE_END && s->memsz <= IMAGE_END - s->vaddr && prot != (PF_W | PF_X) &&
         (prot & PF_W || s->filesz == s->memsz); /* what is never written has no zeros to begin with */
}

static unsigned segment_prot(uint32_t flags) {
  return Q_PROT_READ | (flags & PF_W ? Q_PROT_WRITE : 0) | (flags & PF_X ? Q_PROT_EXECUTE : 0);
}

static bool add_segment(struct image *image, const struct elf_segment *s, size_t bytes, uint32_t **memory) {
  if (image->segments == SEGMENTS_MAX || !segment_good(s, bytes, image->heap))
    return false;
  struct segment *out = &image->segment[image->segments++];
  *out = (struct segment){.start = s->vaddr & ~(Q_PAGE_SIZE - 1ul),
                          .end = (s->vaddr + s->memsz + Q_PAGE_SIZE - 1) & ~(Q_PAGE_SIZE - 1ul),
                          .vaddr = s->vaddr,
                          .bytes = s->filesz,
                          .offset = s->offset,
                          .prot = segment_prot(s->flags)};
  image->heap = out->end; /* segments ascend and share no page */
  if (*memory && !(out->prot & Q_PROT_WRITE)) {
    out->cache = *memory;
    *memory += (out->end - out->start) >> Q_PAGE_SHIFT;
  }
  return true;
}

static bool entry_good(const struct image *image) {
  for (unsigned i = 0; i < image->segments; i++)
    if (image->segment[i].prot & Q_PROT_EXECUTE && image->entry >= image->segment[i].start &&
        image->entry < image->segment[i].end)
      return image->entry % 2 == 0;
  return false;
}

size_t image_cache_bytes(size_t file_bytes) {
  return (file_bytes / Q_PAGE_SIZE + 2) * SEGMENTS_MAX * sizeof(uint32_t);
}

void image_read(struct image *image, const char *name, const void *file, size_t head, size_t bytes,
                uint32_t **memory) {
  struct elf_header h;
  struct elf_segment s;
  *image = (struct image){.name = name, .file = file, .heap = P_IMAGE_BASE};
  if (head < sizeof h)
    return;
  memcpy(&h, file, sizeof h);
  if (!header_good(&h, head))
    return;
  image->entry = h.entry;
  for (unsigned i = 0; i < h.phnum; i++) {
    memcpy(&s, (const char *)file + h.phoff + i * sizeof s, sizeof s);
    if (s.type == PT_LOAD && s.memsz && !add_segment(image, &s, bytes, memory))
      return;
  }
  image->good = entry_good(image);
}

void image_fill(const struct image *image, const struct segment *segment, uint64_t page, void *to) {
  uint64_t start = page > segment->vaddr ? page : segment->vaddr;
  uint64_t end = segment->vaddr + segment->bytes;
  end = end < page + Q_PAGE_SIZE ? end : page + Q_PAGE_SIZE;
  if (start >= end)
    return;
  uint64_t offset = segment->offset + (start - segment->vaddr);
  if (image->object)
    object_read(image->object, offset, (char *)to + (start - page), end - start);
  else
    memcpy((char *)to + (start - page), image->file + offset, end - start);
}

/* Around the segment's own bytes the page has others of the same file, which do no harm. */
bool image_page(const struct image *image, const struct segment *segment, uint64_t page, uint64_t *index) {
  uint64_t skew = segment->vaddr - segment->offset;
  if (!image->object || segment->prot & Q_PROT_WRITE || skew % Q_PAGE_SIZE || page < skew)
    return false;
  *index = (page - skew) / Q_PAGE_SIZE;
  return true;
}
