/* SPDX-License-Identifier: BSD-2-Clause */
/* See harts.h. */
#include "harts.h"

#define CLIENT __attribute__((section("client_code"), noinline))
#define INLINE static inline __attribute__((always_inline))
#define common ((volatile struct common *)COMMON)

INLINE void wrong(void) {
  __atomic_fetch_add(&common->wrong, 1, __ATOMIC_RELAXED);
}

INLINE void rest(uint64_t number) {
  common->done[number] = 1;
  for (;;)
    q_sleep_until(~0ul);
}

/* Until all have come here for the nth time. */
INLINE void meet(uint64_t n) {
  __atomic_fetch_add(&common->arrived, 1, __ATOMIC_SEQ_CST);
  while (common->arrived < n * common->size)
    ;
}

/* All add to one word of a page that nobody has touched: had two of them different frames, something would be missing. */
CLIENT void client_touches(uint64_t number) {
  for (uint64_t i = 0; i < PAGES; i++) {
    uint64_t *word = (uint64_t *)(DATA + i * 4096);
    meet(3 * i + 1);
    __atomic_fetch_add(word, 1, __ATOMIC_SEQ_CST);
    meet(3 * i + 2);
    if (__atomic_load_n(word, __ATOMIC_SEQ_CST) != common->size)
      wrong();
    meet(3 * i + 3);
    common->count[number]++;
  }
  rest(number);
}

CLIENT void client_writes(uint64_t number) {
  for (volatile uint64_t *word = (uint64_t *)DATA + number;; common->count[number] = 1)
    ++*word;
}

CLIENT void client_spins(uint64_t number) {
  for (;;)
    common->count[number]++;
}

INLINE bool calls(uint64_t number, uint64_t n, const void *read) {
  struct q_call c = {.label = 1, .word = {number, n}, .read = read, .read_bytes = read ? 8 : 0};
  int64_t error = q_call(1, &c);
  if (error || c.label != 1 || c.word[0] != n)
    wrong();
  return true;
}

CLIENT void client_calls(uint64_t number) {
  for (uint64_t n = 1; !common->goal || n <= common->goal; n++) {
    calls(number, n, 0);
    common->count[number] = n;
  }
  rest(number);
}

/* With a value in a floating-point register meanwhile. */
CLIENT void client_reckons(uint64_t number) {
  for (uint64_t n = 1, after; !common->goal || n <= common->goal; n++) {
    __asm__ volatile("fmv.d.x fs0, %0" ::"r"(n));
    calls(number, n, 0);
    __asm__ volatile("fmv.x.d %0, fs0" : "=r"(after));
    if (after != n)
      wrong();
    common->count[number] = n;
  }
  rest(number);
}

CLIENT void client_lends(uint64_t number) { /* what it lends is mostly not there yet */
  for (uint64_t n = 1; !common->goal || n <= common->goal; n++) {
    calls(number, n, (const void *)(DATA + (1000 + n % 500) * 4096));
    common->count[number] = n;
  }
  rest(number);
}

CLIENT void client_fetches(uint64_t number) { /* the server writes the number of the call there */
  for (uint64_t n = 1;; n++) {
    struct q_call c = {.label = 1, .word = {number, n}, .write = (uint64_t *)DATA + number, .write_bytes = 8};
    if (q_call(1, &c) || c.word[0] != n)
      wrong();
    common->count[number] = n;
  }
}

/* Each page once. */
CLIENT void client_lends_pages(uint64_t number) {
  for (uint64_t n = 1; n <= common->goal; n++) {
    struct q_call c = {.label = 1, .word = {number, n}, .read = (const void *)LENT(n), .read_bytes = LENT_BYTES};
    if (q_call(1, &c))
      wrong();
  }
  rest(number);
}

/* As soon as that is being copied it gets a frame of its own, and writes into the one before by the page behind it, which has
 * been written before, so that nothing keeps it from that. */
CLIENT void client_breaks(uint64_t number) {
  for (uint64_t n = 1; n <= common->goal; n++) {
    volatile uint64_t *lent = (uint64_t *)LENT(n), *behind = (uint64_t *)(LENT(n) + 4096 + LENT_BYTES - 8);
    *behind = n;
    while (common->heard[number] != n)
      ;
    *lent = n;
    *behind = ~0ul;
    common->count[number] = n;
  }
  rest(number);
}

CLIENT void client_faults(uint64_t number) {
  for (uint64_t i = 0;; i++) {
    *(volatile uint64_t *)(DATA + i % 1000 * 4096) = i;
    common->count[number]++;
  }
}

/* Each in tables of its own, from one to the next. */
CLIENT void client_strides(uint64_t number) {
  for (uint64_t i = 0;; i++) {
    *(volatile uint64_t *)(DATA + (number * TABLES + i % TABLES) * Q_BLOCK_SIZE + i % 64 * 4096) = i;
    common->count[number]++;
  }
}

CLIENT void client_sleeps(uint64_t number) {
  for (;; common->count[number]++)
    q_sleep_until(q_time() + 20);
}

CLIENT void client_naps(uint64_t number) {
  for (uint64_t i = 0; i < common->goal; i++) {
    uint64_t until = q_time() + (i * 2654435761 + number * 40503) % 20000;
    q_sleep_until(until);
    if (q_time() < until)
      wrong();
  }
  rest(number);
}

CLIENT void client_receives(uint64_t number) {
  q_handle own;
  struct q_received m;
  common->count[number] = 1;
  if (!q_endpoint_create(&own))
    q_recv(own, &m);
  rest(number);
}

CLIENT void client_notifies(uint64_t number) {
  for (;; common->count[number]++)
    q_notify(1, 1ul << number);
}

CLIENT void client_signals(uint64_t number) {
  for (uint64_t n = 1; n <= common->goal; n++) {
    common->count[number] = n;
    if (q_notify(1, 1ul << number))
      wrong();
    while (common->heard[number] != n)
      q_yield();
  }
  rest(number);
}

/* All registers hold its own values while it gives way, sleeps, faults and calls nobody. */
CLIENT void client_computes(uint64_t number) {
  for (uint64_t n = 1;; n++) {
    uint64_t base = number << 32 | n << 8, bad = 0;
    __asm__ volatile(".irp i,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n"
                     "addi t0, %0, \\i\n fmv.d.x f\\i, t0\n .endr" ::"r"(base)
                     : "t0", "memory");
    if (n % 4 == 0)
      q_yield();
    else if (n % 4 == 1)
      q_sleep_until(q_time() + 50);
    else if (n % 4 == 2)
      *(volatile uint64_t *)(DATA + (number * 60 + n / 4 % 60) * 4096) = n;
    __asm__ volatile(".irp i,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n"
                     "fmv.x.d t0, f\\i\n addi t1, %1, \\i\n xor t0, t0, t1\n or %0, %0, t0\n .endr"
                     : "+r"(bad)
                     : "r"(base)
                     : "t0", "t1", "memory");
    if (bad)
      wrong();
    common->count[number] = n;
  }
}
