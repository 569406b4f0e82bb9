/* SPDX-License-Identifier: BSD-2-Clause */
/* What a program may not touch ends it, and the record says what, how and where. */
#include "access.h"
#include "tap.h"

#include <stdlib.h>
#include <unistd.h>

struct refusal {
  const char *place;
  unsigned kinds; /* bits of enum access */
  enum p_reason reason;
};

#define ALL 31u
#define STORES (1u << WRITE | 1u << AMO)
static const struct refusal refusals[] = {
    {"break", ALL, P_REASON_BREAK},
    {"above-break", ALL, P_REASON_BREAK},
    {"null", ALL, P_REASON_NULL},
    {"near-null", ALL, P_REASON_HOLE},
    {"guard", ALL, P_REASON_GUARD},
    {"below-sp", ALL, P_REASON_BELOW_SP},
    {"text", STORES, P_REASON_TEXT},
    {"rodata", STORES, P_REASON_TEXT},
    {"rodata", 1u << EXECUTE, P_REASON_NOEXEC},
    {"heap", 1u << EXECUTE, P_REASON_NOEXEC},
    {"stack", 1u << EXECUTE, P_REASON_NOEXEC},
    {"above-stack", ALL, P_REASON_HOLE},
    {"user-top", ALL, P_REASON_KERNEL},
    {"kernel", ALL, P_REASON_KERNEL},
    {"physmap", ALL, P_REASON_KERNEL},
    {"non-canonical", ALL, P_REASON_KERNEL},
    {"last", ALL & ~(1u << EXECUTE), P_REASON_KERNEL},
};
static const unsigned fault_kind[] = {Q_FAULT_READ, Q_FAULT_WRITE, Q_FAULT_EXECUTE, Q_FAULT_WRITE, Q_FAULT_READ};

static void check_refusal(const struct refusal *r, enum access access) {
  struct p_death death = run_victim(ARGV("victim", "touch", access_name[access], r->place));
  if (death.reason != r->reason)
    printf("# %s %s\n", access_name[access], r->place);
  CHECK_EQ(death.reason, r->reason);
  if (access == AMO) /* a store by the ISA manual (volume II, 3.1.15); QEMU 7.2 reports some as loads */
    CHECK(death.kind != Q_FAULT_EXECUTE);
  else
    CHECK_EQ(death.kind, fault_kind[access]);
  if (access == EXECUTE)
    CHECK_EQ(death.pc, death.address);
  else
    CHECK(death.pc >= P_IMAGE_BASE && death.pc < P_IMAGE_BASE + 0x100000);
}

static void matrix(void) {
  for (unsigned i = 0; i < sizeof refusals / sizeof *refusals; i++)
    for (unsigned access = READ; access < ACCESSES; access++)
      if (refusals[i].kinds >> access & 1)
        check_refusal(&refusals[i], (enum access)access);
}

static void address_is_told(void) {
  CHECK_EQ(run_victim(ARGV("victim", "touch", "write", "kernel")).address, 0xffffffff80000000);
  CHECK_EQ(run_victim(ARGV("victim", "touch", "read", "last")).address, ~0ul);
  CHECK_EQ(run_victim(ARGV("victim", "touch", "read", "guard")).address, P_STACK_BASE - 64);
}

static void given_back(void) {
  CHECK_EQ(run_victim(ARGV("victim", "below")).reason, P_REASON_BREAK);
}

static void exception(const char *what, uint64_t cause) {
  struct p_death death = run_victim(ARGV("victim", what));
  CHECK_EQ(death.reason, P_REASON_EXCEPTION);
  CHECK_EQ(death.status, cause);
}

static void exceptions(void) {
  exception("illegal", 2);
  exception("supervisor", 2);
  exception("breakpoint", 3);
  uint64_t cause = run_victim(ARGV("victim", "misaligned")).status;
  CHECK(cause == 6 || cause == 4); /* 6 by the ISA manual; QEMU 7.2 with OpenSBI 1.1 says 4 */
}

static void exit_status(void) {
  struct p_death death = run_victim(ARGV("victim", "exit", "42"));
  CHECK_EQ(death.reason, P_REASON_EXIT);
  CHECK_EQ(death.status, 42);
}

/* 8 bytes whose halves lie in two pages that are both not there. */
static void straddling_data(void) {
  char *base = sbrk(8 * 4096);
  char *page = (char *)(((uint64_t)base + 4095) & ~0xffful);
  uint64_t value = 1;
  __asm__ volatile("ld %0, (%1)" : "=r"(value) : "r"(page + 4092) : "memory");
  CHECK_EQ(value, 0);
  __asm__ volatile("sd %0, (%1)" ::"r"(0x1122334455667788), "r"(page + 3 * 4096 - 4) : "memory");
  CHECK_EQ(*(uint32_t *)(page + 3 * 4096), 0x11223344);
  CHECK_EQ(*(uint32_t *)(page + 3 * 4096 - 4), 0x55667788);
  sbrk(-8 * 4096);
}

/* A 4-byte instruction over the border of two pages of text that nobody has run yet, and a jump into an absent page. */
extern char straddler[], far_away[];
__asm__(".section .text.straddle,\"ax\"\n.balign 4096\n.skip 4094\n.globl straddler\nstraddler: .option push\n"
        ".option norvc\n addi a0, a0, 5\n .option pop\n ret\n.balign 4096\n.skip 64\n.globl far_away\n"
        "far_away: addi a0, a0, 7\n ret\n.previous");

static void straddling_instruction(void) {
  long (*straddle)(long) = (long (*)(long))(uintptr_t)straddler, (*away)(long) = (long (*)(long))(uintptr_t)far_away;
  uint64_t faults = own_stats().faults[Q_FAULT_EXECUTE];
  CHECK_EQ(straddle(1), 6);
  CHECK_EQ(away(1), 8);
  CHECK(own_stats().faults[Q_FAULT_EXECUTE] >= faults + 2);
}

static void stack_to_its_limit(void) {
  struct p_death death = run_victim(ARGV("victim", "recurse", "3800")); /* 2 KiB and a little each */
  CHECK_EQ(death.reason, P_REASON_EXIT);
  death = run_victim(ARGV("victim", "recurse", "5000"));
  CHECK_EQ(death.reason, P_REASON_GUARD);
  CHECK(death.address < P_STACK_BASE && death.address >= P_STACK_BASE - 4096);
}

static const struct test tests[] = {
    {"every access to every bad address", matrix},
    {"the address that was touched is told", address_is_told},
    {"what was given back is gone", given_back},
    {"exceptions end the program by name", exceptions},
    {"the exit status is told", exit_status},
    {"loads and stores over two absent pages", straddling_data},
    {"instructions over absent pages of text", straddling_instruction},
    {"recursion to the stack's limit and no further", stack_to_its_limit},
};

int main(void) {
  return TAP_RUN("refuse", tests);
}
