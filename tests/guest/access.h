/* SPDX-License-Identifier: BSD-2-Clause */
/* Each way to touch an address, as one instruction, and the addresses that are worth touching. */
#ifndef ACCESS_H
#define ACCESS_H

#include <quire/proc.h>
#include <string.h>

enum access { READ, WRITE, EXECUTE, AMO, LRSC, ACCESSES };
static const char *const access_name[] = {"read", "write", "execute", "amo", "lrsc"};

static inline void access_address(enum access access, uint64_t address) {
  uint64_t word = address & ~3ul;
  if (access == READ)
    __asm__ volatile("lbu t0, (%0)" ::"r"(address) : "t0", "memory");
  else if (access == WRITE)
    __asm__ volatile("sb zero, (%0)" ::"r"(address) : "memory");
  else if (access == EXECUTE)
    __asm__ volatile("jalr %0" ::"r"(address) : "ra", "memory");
  else if (access == AMO)
    __asm__ volatile("amoadd.w t0, zero, (%0)" ::"r"(word) : "t0", "memory");
  else
    __asm__ volatile("lr.w t0, (%0)\n sc.w t0, zero, (%0)" ::"r"(word) : "t0", "memory");
}

extern char __tls_source[]; /* any symbol of the data segment */
static const char read_only[64] __attribute__((aligned(64))) = "read-only";

/* An address by name, in the program that asks. */
static inline uint64_t place(const char *name) {
  uint64_t brk = (uint64_t)p_sbrk_bytes(0, 0), sp = (uint64_t)__builtin_frame_address(0);
  if (!strcmp(name, "break"))
    return brk;
  if (!strcmp(name, "above-break"))
    return brk + 0x10000000;
  if (!strcmp(name, "null"))
    return 0;
  if (!strcmp(name, "near-null"))
    return 0x2000;
  if (!strcmp(name, "guard"))
    return P_STACK_BASE - 64;
  if (!strcmp(name, "below-sp"))
    return (sp & ~0xffful) - 65536;
  if (!strcmp(name, "text"))
    return (uint64_t)place & ~63ul;
  if (!strcmp(name, "rodata"))
    return (uint64_t)read_only;
  if (!strcmp(name, "heap"))
    return (uint64_t)p_sbrk_bytes(8192, 0) + 4096;
  if (!strcmp(name, "big"))
    return (uint64_t)p_sbrk_bytes(40 * 4096, 0);
  if (!strcmp(name, "stack"))
    return sp & ~63ul;
  if (!strcmp(name, "above-stack"))
    return P_STACK_TOP + 64;
  if (!strcmp(name, "user-top"))
    return Q_USER_TOP;
  if (!strcmp(name, "kernel"))
    return 0xffffffff80000000;
  if (!strcmp(name, "physmap"))
    return 0xffffffc080200000;
  if (!strcmp(name, "non-canonical"))
    return 0x4000000000000000;
  return ~0ul; /* "last" */
}
#endif
