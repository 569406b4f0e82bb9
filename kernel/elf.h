/* SPDX-License-Identifier: BSD-2-Clause */
/* ELF64 executables (System V ABI, chapters 4 and 5), as far as the kernel and the pager read them. */
#ifndef ELF_H
#define ELF_H

#include <stdint.h>

#define ET_EXEC 2
#define EM_RISCV 243
#define PT_LOAD 1
#define PF_X 1
#define PF_W 2

struct elf_header {
  uint8_t ident[16];
  uint16_t type, machine;
  uint32_t version;
  uint64_t entry, phoff, shoff;
  uint32_t flags;
  uint16_t ehsize, phentsize, phnum;
};

struct elf_segment {
  uint32_t type, flags;
  uint64_t offset, vaddr, paddr, filesz, memsz, align;
};
#endif
