/* SPDX-License-Identifier: BSD-2-Clause */
/* sbrk: growing changes a number and nothing else; shrinking gives frames back at once. */
#include "access.h"
#include "tap.h"

#include <errno.h>
#include <unistd.h>

#define GIB (1l << 30)

static void grow_and_back(int64_t bytes) {
  uint64_t frames = free_frames();
  int64_t old = p_sbrk_bytes(bytes, 0);
  CHECK_EQ(old, place("break") - (uint64_t)bytes);
  CHECK_EQ(free_frames(), frames);
  CHECK_EQ(p_sbrk_bytes(-bytes, 0), old + bytes);
  CHECK_EQ(free_frames(), frames);
  CHECK_EQ(place("break"), old);
}

static void growth_takes_no_frame(void) {
  grow_and_back(1);
  grow_and_back(4096);
  grow_and_back(GIB);
  grow_and_back((int64_t)(P_BREAK_MAX - place("break")));
}

static void past_the_limit(void) {
  int64_t brk = (int64_t)place("break"), room = (int64_t)P_BREAK_MAX - brk;
  CHECK_EQ(p_sbrk_bytes(room + 1, 0), -ENOMEM);
  CHECK_EQ(p_sbrk_bytes(INT64_MAX, 0), -ENOMEM);
  CHECK_EQ(place("break"), brk);
}

static void below_the_start(void) {
  int64_t brk = (int64_t)place("break");
  CHECK_EQ(p_sbrk_bytes(-(brk - (int64_t)own_stats().heap) - 1, 0), -EINVAL);
  CHECK_EQ(p_sbrk_bytes(INT64_MIN, 0), -EINVAL);
  CHECK_EQ(p_sbrk_bytes(1, 2), -EINVAL);
  CHECK_EQ(place("break"), brk);
}

static void byte_by_byte(void) {
  char *base = sbrk(0);
  for (unsigned i = 0; i < 5000; i++) {
    char *p = sbrk(1);
    CHECK_EQ(p - base, i);
    CHECK_EQ(*p, 0);
    *p = (char)i;
  }
  for (unsigned i = 0; i < 5000; i++)
    CHECK_EQ(base[i], (char)i);
  sbrk(-5000);
}

static void odd_sizes(void) {
  static const int sizes[] = {1, 4095, 4097, 3, 12289, 8191};
  char *base = sbrk(0), *at = base;
  for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    char *p = sbrk(sizes[i]);
    CHECK(p == at);
    p[0] = p[sizes[i] - 1] = 7;
    at += sizes[i];
  }
  sbrk(base - at);
}

static void first_touch_takes_one_frame(void) {
  volatile char *base = sbrk(64 * 4096);
  for (unsigned i = 0; i < 64; i += 2) {
    uint64_t resident = own_stats().resident;
    CHECK_EQ(base[i * 4096 + 100], 0);
    CHECK_EQ(own_stats().resident, resident + 1);
    base[i * 4096 + 200] = 1;
    CHECK_EQ(base[i * 4096 + 4095], 0);
    CHECK_EQ(own_stats().resident, resident + 1);
  }
  sbrk(-64 * 4096);
}

static void sparse_gigabyte(void) {
  uint64_t resident = own_stats().resident;
  volatile uint64_t *base = sbrk(GIB);
  for (long i = 0; i < GIB / 8; i += 64 * 512)
    base[i] = (uint64_t)i * 3 + 1;
  for (long i = 0; i < GIB / 8; i += 64 * 512)
    if (base[i] != (uint64_t)i * 3 + 1 || base[i + 1])
      CHECK_EQ(base[i], i * 3 + 1);
  CHECK_EQ(own_stats().resident, resident + 4096);
  sbrk(-GIB);
  CHECK_EQ(own_stats().resident, resident);
}

static void shrink_gives_back_at_once(void) {
  char *base = sbrk(32 * 4096);
  for (unsigned i = 0; i < 32; i++)
    base[i * 4096] = 1;
  uint64_t frames = free_frames();
  sbrk(-16 * 4096);
  CHECK_EQ(free_frames(), frames + 16);
  sbrk(-16 * 4096);
  CHECK_EQ(free_frames(), frames + 32);
}

static void regrown_reads_zero(void) {
  char *base = sbrk(4 * 4096);
  memset(base, 0x55, 4 * 4096);
  sbrk(-4 * 4096);
  CHECK(sbrk(4 * 4096) == base);
  for (unsigned i = 0; i < 4 * 4096; i++)
    if (base[i])
      CHECK_EQ(base[i], 0);
  sbrk(-4 * 4096);
}

static void last_partial_page(void) {
  uint64_t brk = place("break");
  sbrk((intptr_t)(-brk & 4095)); /* to a page's start */
  char *base = sbrk(4096);
  memset(base, 0x55, 4096);
  sbrk(-3000);
  for (unsigned i = 0; i < 1096; i++)
    CHECK_EQ(base[i], 0x55);
  sbrk(3000);
  for (unsigned i = 0; i < 4096; i++)
    if (base[i] != (i < 1096 ? 0x55 : 0))
      CHECK_EQ(base[i], i < 1096 ? 0x55 : 0);
  sbrk(-4096 - (intptr_t)(-brk & 4095));
  CHECK_EQ(place("break"), brk);
}

static void populate_maps_at_once(void) {
  uint64_t resident = own_stats().resident, faults = own_stats().faults[Q_FAULT_WRITE];
  int64_t old = p_sbrk_bytes(100 * 4096, P_SBRK_POPULATE);
  CHECK(old > 0);
  CHECK_EQ(own_stats().resident, resident + 100);
  for (unsigned i = 0; i < 100; i++)
    *(volatile char *)(old + 4095 + i * 4096l) = 1;
  CHECK_EQ(own_stats().faults[Q_FAULT_WRITE], faults);
  CHECK(p_sbrk_bytes(-100 * 4096, 0) > 0);
}

static void populate_all_or_nothing(void) {
  uint64_t brk = place("break"), frames = free_frames();
  CHECK_EQ(p_sbrk_bytes(GIB, P_SBRK_POPULATE), -ENOMEM); /* the machine has 128 MiB */
  CHECK_EQ(place("break"), brk);
  CHECK_EQ(free_frames(), frames);
}

static const struct test tests[] = {
    {"growth by a byte to the limit takes no frame", growth_takes_no_frame},
    {"growth past the limit is ENOMEM", past_the_limit},
    {"shrinking below the start is EINVAL", below_the_start},
    {"5000 times one byte", byte_by_byte},
    {"odd sizes", odd_sizes},
    {"first touch takes one zero frame", first_touch_takes_one_frame},
    {"sparse walk over a gigabyte", sparse_gigabyte},
    {"shrinking gives frames back at once", shrink_gives_back_at_once},
    {"memory grown again reads zero", regrown_reads_zero},
    {"a last partial page keeps its bytes", last_partial_page},
    {"populate maps at once", populate_maps_at_once},
    {"populate is all or nothing", populate_all_or_nothing},
};

int main(void) {
  return TAP_RUN("sbrk", tests);
}
