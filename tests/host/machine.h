/* SPDX-License-Identifier: BSD-2-Clause */
/* Included before all else in sources of the kernel that are built on the build machine as they are (clang -include): of riscv.h the
 * numbers, and instead of its instructions the functions of a test that plays the machine. `current`, which is the register tp
 * there, is the variable of that name here. Physical memory is what the test has: pa_to_va() of any address is that address. */
#ifndef MACHINE_H
#define MACHINE_H
#include <stdint.h>

#define __ASSEMBLER__
#include "riscv.h"
#undef __ASSEMBLER__

#define csr_write(csr, value) machine_##csr(value)
#define csr_set(csr, bits) ((void)0) /* who has the floating-point registers is not played */
#define csr_clear(csr, bits) ((void)0)
#define fence_page(va, asid) machine_fence(va, asid)
#define fence_asid(asid) machine_fence(~0ul, asid)
#define fence_all() machine_fence(~0ul, ~0ul)
#define fence_code() ((void)0)

void machine_satp(uint64_t value);
void machine_fence(uint64_t va, uint64_t asid); /* ~0: all of them */

#define register extern
#include "kernel.h"
#undef register
#endif
