/* SPDX-License-Identifier: BSD-2-Clause */
/* The assistant that does on request what a program should not. */
#include "access.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static enum access access_of(const char *name) {
  unsigned i = 0;
  while (i + 1 < ACCESSES && strcmp(access_name[i], name))
    i++;
  return (enum access)i;
}

static int do_touch(char **argv) {
  access_address(access_of(argv[0]), place(argv[1]));
  return 0;
}

static __attribute__((noinline)) unsigned long deeper(unsigned long left) {
  volatile char frame[2048];
  frame[0] = (char)left;
  return left ? deeper(left - 1) + (unsigned long)frame[0] : 0;
}

static int do_recurse(char **argv) {
  return (int)(deeper(strtoul(argv[0], NULL, 0)) & 0);
}

static int do_eat(char **argv) {
  (void)argv;
  volatile char *base = sbrk(1l << 33);
  for (uint64_t i = 0; i < 1ul << 33; i += 4096)
    base[i] = 1;
  return 0;
}

/* Grows, tells so, and touches it when it has been told to. */
static int do_promised(char **argv) {
  uint64_t bytes = strtoul(argv[0], NULL, 0);
  volatile char *base = sbrk((ptrdiff_t)bytes);
  struct q_call c = {.label = 1, .word = {base != (void *)-1}};
  q_call(P_HANDLE_GIFT, &c);
  for (uint64_t i = 0; base != (void *)-1 && i < bytes; i += 4096)
    base[i] = 1;
  return base == (void *)-1;
}

static int do_exit(char **argv) {
  return atoi(argv[0]);
}

static int do_spin(char **argv) {
  (void)argv;
  for (;;)
    __asm__ volatile("");
  return 0;
}

static int do_sleep(char **argv) {
  (void)argv;
  for (;;)
    q_sleep_until(~0ul);
  return 0;
}

static int do_nap(char **argv) { /* ticks of the timebase */
  return (int)q_sleep_until(q_time() + strtoul(argv[0], NULL, 0));
}

static int do_illegal(char **argv) {
  (void)argv;
  __asm__ volatile(".word 0");
  return 0;
}

static int do_misaligned(char **argv) {
  (void)argv;
  __asm__ volatile("amoadd.w t0, zero, (%0)" ::"r"((char *)&errno + 1) : "t0", "memory");
  return 0;
}

static int do_breakpoint(char **argv) {
  (void)argv;
  __asm__ volatile("ebreak");
  return 0;
}

static int do_supervisor(char **argv) {
  (void)argv;
  __asm__ volatile("csrr t0, sstatus" ::: "t0");
  return 0;
}

static int do_below(char **argv) { /* gives back a page, then touches it */
  (void)argv;
  char *page = sbrk(4096 + 4096);
  page[4096] = 1;
  sbrk(-8192);
  access_address(READ, ((uint64_t)page + 4095) & ~0xffful);
  return 0;
}

/* Calls its gift with a buffer at that place; its status is the answer's label, or 200 + the error. */
static int do_call(char **argv) {
  struct q_call c = {.label = 1};
  uint64_t at = place(argv[1]) + strtoul(argv[2], NULL, 0), bytes = strtoul(argv[3], NULL, 0);
  if (!strcmp(argv[0], "read"))
    c.read = (void *)at, c.read_bytes = bytes;
  else
    c.write = (void *)at, c.write_bytes = bytes;
  int64_t error = q_call(P_HANDLE_GIFT, &c);
  return error < 0 ? 200 - (int)error : (int)c.label;
}

static int do_work(char **argv) { /* a neighbour: touches and checks memory for a while */
  unsigned long rounds = strtoul(argv[0], NULL, 0);
  for (unsigned long r = 0; r < rounds; r++) {
    uint64_t *p = sbrk(16 * 4096);
    for (unsigned i = 0; i < 16 * 512; i += 64) {
      if (p[i])
        return 1;
      p[i] = r + i;
    }
    for (unsigned i = 0; i < 16 * 512; i += 64)
      if (p[i] != r + i)
        return 2;
    sbrk(-16 * 4096);
  }
  return 0;
}

static const struct {
  const char *name;
  int (*run)(char **argv);
} actions[] = {{"touch", do_touch},
               {"recurse", do_recurse},
               {"eat", do_eat},
               {"promised", do_promised},
               {"exit", do_exit},
               {"spin", do_spin},
               {"sleep", do_sleep},
               {"nap", do_nap},
               {"illegal", do_illegal},
               {"misaligned", do_misaligned},
               {"breakpoint", do_breakpoint},
               {"supervisor", do_supervisor},
               {"below", do_below},
               {"call", do_call},
               {"work", do_work}};

int main(int argc, char **argv) {
  for (unsigned i = 0; argc > 1 && i < sizeof actions / sizeof *actions; i++)
    if (!strcmp(argv[1], actions[i].name))
      return actions[i].run(argv + 2);
  return 99;
}
