/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory promises: under memory=strict a program is refused what could not be had, and whatever it was granted is there
 * when it is touched, however much others take. */
#include "tap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAGE 4096l
#define MIB (1l << 20)

static uint64_t free_bytes(void) {
  struct p_system system;
  CHECK_EQ(p_system_stats(P_SYSTEM_DROP, &system), 0);
  return system.free * PAGE;
}

/* The most that the break can grow by, to a page. */
static int64_t most(void) {
  int64_t good = 0;
  for (int64_t step = 1l << 38; step >= PAGE; step /= 2)
    if (p_sbrk_bytes(good + step, 0) >= 0) {
      p_sbrk_bytes(-(good + step), 0);
      good += step;
    }
  return good;
}

static void fill(char *base, int64_t bytes) {
  for (int64_t i = 0; i < bytes; i += PAGE)
    *(volatile char *)(base + i) = 1;
}

static void too_much(void) {
  int64_t bytes = most();
  CHECK(bytes > 16 * MIB && (uint64_t)bytes < free_bytes());
  CHECK_EQ(p_sbrk_bytes(bytes + PAGE, 0), -ENOMEM);
  char *base = sbrk(bytes);
  CHECK(base != (void *)-1);
  CHECK_EQ(p_sbrk_bytes(8 * MIB, 0), -ENOMEM);
  fill(base, bytes); /* and lives */
  CHECK(sbrk(-bytes) != (void *)-1);
  CHECK_EQ(most(), bytes);
}

/* Of two programs each is granted only what the other was not. */
static void one_after_the_other(void) {
  struct p_death death;
  int64_t bytes = most();
  char *base = sbrk(bytes / 2);
  uint64_t id = spawn(0, ARGV("t_strict", "grow", "3"));
  CHECK_EQ(p_wait_for(id, &death), id);
  CHECK_EQ(death.status, 1); /* refused three quarters */
  id = spawn(0, ARGV("t_strict", "grow", "1"));
  CHECK_EQ(p_wait_for(id, &death), id);
  CHECK_EQ(death.status, 0); /* granted a quarter, and it could touch it */
  fill(base, bytes / 2);
  sbrk(-(bytes / 2));
}

/* argv: quarters of what there is when nothing is promised */
static int grow(const char *quarters) {
  int64_t bytes = (int64_t)(free_bytes() * strtoul(quarters, NULL, 0) / 4);
  char *base = sbrk(bytes);
  if (base == (void *)-1)
    return 1;
  fill(base, bytes);
  return 0;
}

static int64_t map(uint64_t bytes, uint64_t flags) {
  struct q_call c = {.label = P_map, .word = {0, bytes, flags}};
  CHECK_EQ(q_call(P_HANDLE_PAGER, &c), 0);
  return c.label ? -(int64_t)c.label : (int64_t)c.word[0];
}

static int64_t on_range(uint64_t label, int64_t at, uint64_t bytes, uint64_t prot) {
  struct q_call c = {.label = label, .word = {(uint64_t)at, bytes, prot}};
  CHECK_EQ(q_call(P_HANDLE_PAGER, &c), 0);
  return -(int64_t)c.label;
}

static void mappings(void) {
  uint64_t bytes = (uint64_t)most(), all = Q_PROT_READ | Q_PROT_WRITE;
  CHECK_EQ(map(bytes + 64 * PAGE, all), -ENOMEM);
  int64_t reserved = map(1ul << 36, 0); /* no promise: nobody may touch it */
  CHECK(reserved > 0);
  CHECK_EQ(on_range(P_protect, reserved, 2 * bytes, all), -ENOMEM);
  CHECK_EQ(on_range(P_protect, reserved, bytes / 2, all), 0);
  CHECK_EQ(map(bytes * 3 / 4, all), -ENOMEM);
  fill((char *)reserved, (int64_t)bytes / 2);
  CHECK_EQ(on_range(P_unmap, reserved, 1ul << 36, 0), 0);
  CHECK_EQ(most(), (int64_t)bytes);
}

static __attribute__((naked)) void child(void) {
  __asm__("1: li a0, %0; li a1, %1; li a2, 0; li t0, 0; li t1, 0; li t2, 0; li t3, 0; li t4, 0; li a7, %2; ecall; "
          "j 1b" ::"i"(P_HANDLE_PAGER),
          "i"(P_exit), "i"(Q_SYS_call));
}

static int64_t fork_self(void) {
  struct q_call c = {.label = P_fork, .word = {0, (uint64_t)child, 0}};
  CHECK_EQ(q_call(P_HANDLE_PAGER, &c), 0);
  return c.label ? -(int64_t)c.label : (int64_t)c.word[0];
}

/* A fork promises its child a copy of all. */
static void forks(void) {
  struct p_death death;
  int64_t bytes = most();
  char *base = sbrk(bytes / 3);
  fill(base, bytes / 3);
  int64_t id = fork_self();
  CHECK(id > 0);
  fill(base, bytes / 3); /* each page is copied, or was the child's no more */
  CHECK_EQ(p_wait_for((uint64_t)id, &death), id);
  CHECK(sbrk(bytes / 3) != (void *)-1);
  CHECK_EQ(fork_self(), -ENOMEM);
  sbrk(-2 * (bytes / 3));
  CHECK_EQ(most(), bytes);
}

static const struct test tests[] = {
    {"more than there is", too_much},
    {"one program after the other", one_after_the_other},
    {"mappings, reserved and made writable", mappings},
    {"a fork that would promise too much", forks},
};

int main(int argc, char **argv) {
  if (argc > 2)
    return grow(argv[2]);
  return TAP_RUN("strict", tests);
}
