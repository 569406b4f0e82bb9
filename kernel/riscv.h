/* SPDX-License-Identifier: BSD-2-Clause */
/* The machine: control registers, fences and SBI calls. Knows nothing of tasks. Numbers are from the RISC-V ISA manual,
 * volume II (privileged), and the SBI specification v1.0. */
#ifndef RISCV_H
#define RISCV_H

#define SSTATUS_FS 0x6000 /* floating-point state: 0 off, all ones dirty (volume II, 3.1.6.6) */
#define SSTATUS_SPIE (1 << 5)
#define SSTATUS_SPP (1 << 8)
#define SIE_SOFTWARE (1 << 1)
#define SIE_TIMER (1 << 5)
#define SIE_EXTERNAL (1 << 9)
#define SCAUSE_INTERRUPT (1ul << 63)
#define SCAUSE_ILLEGAL 2
#define SCAUSE_ECALL 8
#define SCAUSE_FETCH 12
#define SCAUSE_LOAD 13
#define SCAUSE_STORE 15
#define SCAUSE_SOFTWARE (SCAUSE_INTERRUPT | 1)
#define SCAUSE_TIMER (SCAUSE_INTERRUPT | 5)
#define SCAUSE_EXTERNAL (SCAUSE_INTERRUPT | 9)
#define SENVCFG_CBZE (1 << 7) /* user mode may use cbo.zero */
#define SATP_SV39 (8ul << 60)
#define SATP_ASID_SHIFT 44
#define SATP_ASID_MASK 0xfffful

#ifndef __ASSEMBLER__
#include <stdint.h>

#define csr_read(csr)                                                                                                \
  ({                                                                                                                 \
    uint64_t value_;                                                                                                 \
    __asm__ volatile("csrr %0, " #csr : "=r"(value_));                                                               \
    value_;                                                                                                          \
  })
#define csr_write(csr, value) __asm__ volatile("csrw " #csr ", %0" ::"rK"((uint64_t)(value)) : "memory")
#define csr_set(csr, bits) __asm__ volatile("csrs " #csr ", %0" ::"rK"((uint64_t)(bits)) : "memory")
#define csr_clear(csr, bits) __asm__ volatile("csrc " #csr ", %0" ::"rK"((uint64_t)(bits)) : "memory")

#define fence_page(va, asid) __asm__ volatile("sfence.vma %0, %1" ::"r"(va), "r"(asid) : "memory")
#define fence_asid(asid) __asm__ volatile("sfence.vma zero, %0" ::"r"(asid) : "memory")
#define fence_all() __asm__ volatile("sfence.vma" ::: "memory")
#define fence_code() __asm__ volatile("fence.i" ::: "memory")

#define SBI_PUTCHAR 1 /* legacy; the debug console extension came with SBI 2.0 */
#define SBI_TIME 0x54494d45
#define SBI_RFENCE 0x52464e43
#define SBI_RFENCE_FENCE_I 0
#define SBI_RFENCE_SFENCE 1
#define SBI_RFENCE_SFENCE_ASID 2
#define SBI_SRST 0x53525354

/* The error. Most of what the kernel asks for cannot fail, or there is nothing to be done about it. */
static inline int64_t sbi_call(uint64_t extension, uint64_t function, uint64_t x0, uint64_t x1, uint64_t x2,
                               uint64_t x3, uint64_t x4) {
  register uint64_t a0 __asm__("a0") = x0;
  register uint64_t a1 __asm__("a1") = x1;
  register uint64_t a2 __asm__("a2") = x2;
  register uint64_t a3 __asm__("a3") = x3;
  register uint64_t a4 __asm__("a4") = x4;
  register uint64_t a6 __asm__("a6") = function;
  register uint64_t a7 __asm__("a7") = extension;
  __asm__ volatile("ecall" : "+r"(a0), "+r"(a1) : "r"(a2), "r"(a3), "r"(a4), "r"(a6), "r"(a7) : "memory");
  return (int64_t)a0;
}
#endif
#endif
