/* SPDX-License-Identifier: BSD-2-Clause */
/* The allocator's edges: sizes of nothing and of too much, alignments, memory that runs out and comes back, blocks that grow
 * where they are, a break that others move too. Plain POSIX but for the last, so that Linux runs it too (unix.h). */
#include "unix.h"
#include "random.h"

#include <malloc.h>

/* The compiler is not to see that a size makes no sense, nor that a block is not used. */
static void *hidden(void *block) {
  __asm__ volatile("" : "+r"(block)::"memory");
  return block;
}

static size_t size(size_t bytes) {
  __asm__ volatile("" : "+r"(bytes));
  return bytes;
}

static const size_t too_much[] = {SIZE_MAX,      SIZE_MAX - 1,    SIZE_MAX - 15, SIZE_MAX - 31,
                                  SIZE_MAX - 32, SIZE_MAX - PAGE, SIZE_MAX / 2,  SIZE_MAX / 2 + 1,
                                  SIZE_MAX / 4,  1ul << 48,       255ul << 40,   0x7fffffffffffffe0};
#define TOO_MUCH (sizeof too_much / sizeof *too_much)

#define NO_MEMORY(call)                                                                                              \
  do {                                                                                                               \
    errno = 0;                                                                                                       \
    MUST(!hidden(call));                                                                                             \
    MUST_EQ(errno, ENOMEM);                                                                                          \
  } while (0)

static void nothing(void) {
  char *a = hidden(malloc(size(0))), *b = hidden(malloc(size(0))), *c = hidden(calloc(size(0), 8));
  MUST(a && b && c && a != b && b != c);
  free(a);
  free(b);
  free(c);
  free(NULL);
  MUST_EQ(malloc_usable_size(NULL), 0);
  a = hidden(realloc(NULL, size(100)));
  MUST(a);
  fill(a, 100, 1);
  MUST(!hidden(realloc(a, size(0))));
  b = hidden(realloc(NULL, size(0)));
  MUST(b);
  free(b);
}

static void far_too_much(void) {
  char *kept = hidden(malloc(100)), *end;
  fill(kept, 100, 2);
  end = sbrk(0);
  for (unsigned i = 0; i < TOO_MUCH; i++) {
    NO_MEMORY(malloc(size(too_much[i])));
    NO_MEMORY(calloc(1, size(too_much[i])));
    NO_MEMORY(realloc(hidden(kept), size(too_much[i])));
    NO_MEMORY(aligned_alloc(4096, size(too_much[i] & ~4095ul)));
    void *block = kept;
    MUST_EQ(posix_memalign(&block, 64, size(too_much[i])), ENOMEM);
    MUST(block == kept);
    MUST(filled(kept, 100, 2));
  }
  MUST(sbrk(0) == end);
  free(kept);
}

static void products(void) {
  static const size_t factor[][2] = {{SIZE_MAX, 2},         {2, SIZE_MAX},  {1ul << 32, 1ul << 32},
                                     {SIZE_MAX / 8 + 2, 8}, {1ul << 63, 2}, {(1ul << 32) + 1, (1ul << 32) - 1}};
  char *kept = hidden(malloc(100));
  fill(kept, 100, 3);
  for (unsigned i = 0; i < sizeof factor / sizeof *factor; i++) {
    NO_MEMORY(calloc(size(factor[i][0]), size(factor[i][1])));
    NO_MEMORY(reallocarray(hidden(kept), size(factor[i][0]), size(factor[i][1])));
  }
  MUST(filled(kept, 100, 3));
  kept = hidden(reallocarray(kept, 100, 20));
  MUST(kept && filled(kept, 100, 3));
  free(kept);
}

static void sizes(void) {
  for (size_t bytes = 0; bytes < 5000; bytes += 1 + bytes / 20) {
    char *a = hidden(malloc(bytes)), *b = hidden(malloc(bytes));
    MUST(a && b && (uintptr_t)a % 16 == 0 && (uintptr_t)b % 16 == 0);
    MUST(malloc_usable_size(a) >= bytes);
    fill(a, (long)malloc_usable_size(a), 4);
    fill(b, (long)malloc_usable_size(b), 5);
    MUST(filled(a, (long)malloc_usable_size(a), 4));
    free(a);
    MUST(filled(b, (long)malloc_usable_size(b), 5));
    free(b);
  }
}

/* Small ones and ones from mmap() that must lie at an address, are given back, and can grow. */
static void alignments(void) {
  void *block[32] = {NULL};
  for (size_t bytes = 24; bytes < 1000000; bytes *= 20) {
    unsigned n = 0;
    for (size_t to = sizeof(void *); to <= 2 * (size_t)MIB; to *= 2) {
      MUST_EQ(posix_memalign(&block[n], to, bytes), 0);
      MUST_EQ((uintptr_t)block[n] % to, 0);
      fill(block[n], (long)bytes, n);
      n++;
    }
    for (unsigned i = 0; i < n; i++) {
      MUST(filled(block[i], (long)bytes, i));
      block[i] = hidden(realloc(block[i], bytes * 3));
      MUST(block[i] && filled(block[i], (long)bytes, i));
    }
    for (unsigned i = 0; i < n; i++)
      free(block[i]);
  }
}

static void no_alignment(void) {
  static const size_t bad[] = {0, 1, 2, 4, 3, 12, 24, 4095, 4097, SIZE_MAX};
  void *block = &block;
  for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++)
    MUST_EQ(posix_memalign(&block, size(bad[i]), 100), EINVAL);
  MUST(block == &block);
#ifndef __linux__ /* glibc takes the next that is one */
  errno = 0;
  MUST(!hidden(aligned_alloc(size(24), 48)));
  MUST_EQ(errno, EINVAL);
  errno = 0;
  MUST(!hidden(memalign(size(0), 48)));
  MUST_EQ(errno, EINVAL);
#endif
  NO_MEMORY(aligned_alloc(size(1ul << 62), 1ul << 62));
}

/* At the heap's end a block grows and shrinks where it is, also over what was free behind it. */
static void in_place(void) {
  char *a = hidden(malloc(3000)), *b = hidden(malloc(3000));
  MUST(a && b);
  fill(b, 3000, 7);
  uintptr_t at = (uintptr_t)b;
  for (size_t bytes = 3000; bytes <= 100000; bytes += 1000) {
    b = hidden(realloc(b, bytes));
    MUST((uintptr_t)b == at);
  }
  MUST(filled(b, 3000, 7));
  b = hidden(realloc(b, 2000));
  MUST((uintptr_t)b == at && filled(b, 2000, 7));
  free(b);
  at = (uintptr_t)a;
  a = hidden(realloc(a, 6000));
  MUST((uintptr_t)a == at);
  free(a);
}

/* calloc() may know of memory that is still zero, but must not take other for it: used blocks, small and large, the heap's end
 * after it went back and came again, or after somebody else had it. */
static void clean(void) {
  static const size_t sizes[] = {8, 24, 100, 4000, 60000, 130000, 1000000};
  for (unsigned round = 0; round < 5; round++)
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
      char *a = hidden(calloc(1, sizes[i])), *b = hidden(calloc(sizes[i] / 8, 8));
      MUST(a && b && zero(a, (long)sizes[i]) && zero(b, (long)sizes[i] / 8 * 8));
      memset(a, 0xa5, sizes[i]);
      memset(b, 0x5a, sizes[i] / 8 * 8);
      free(round % 2 ? a : b);
      free(round % 2 ? b : a);
      char *other = fresh(2);
      memset(other, 0xee, 2 * PAGE);
      drop(2);
    }
}

/* Somebody else's memory in the middle of the heap is his; its end may be anywhere. */
static void others_move_the_break(void) {
  char *mine[20], *theirs[20];
  for (unsigned i = 0; i < 20; i++) {
    long bytes = 1 + i * 777;
    theirs[i] = sbrk(bytes);
    MUST(theirs[i] != (char *)-1);
    fill(theirs[i], bytes, i);
    mine[i] = hidden(malloc(70000));
    MUST(mine[i] && (uintptr_t)mine[i] % 16 == 0);
    fill(mine[i], 70000, 20 + i);
  }
  for (unsigned i = 0; i < 20; i++) {
    MUST(filled(theirs[i], 1 + i * 777, i) && filled(mine[i], 70000, 20 + i));
    free(mine[i]);
  }
  for (unsigned i = 0; i < 20; i++)
    MUST(filled(theirs[i], 1 + i * 777, i));
}

/* ---- Against a model, which knows what every block holds ---------------------------------------------------------------------- */
#define BLOCKS 300

static struct block {
  char *at;
  long bytes;
  unsigned seed;
} blocks[BLOCKS];

static long some_size(void) {
  return (long)(chance(40) ? below(400000) : chance(5) ? below(20000) : below(300));
}

static void fill_block(struct block *block, char *at, long bytes) {
  MUST(at && (uintptr_t)at % 16 == 0);
  *block = (struct block){at, bytes, (unsigned)next_random()};
  fill(at, bytes, block->seed);
}

static void make(struct block *block) {
  long bytes = some_size();
  if (chance(3)) {
    char *at = calloc(1, (size_t)bytes);
    MUST(at && zero(at, bytes));
    fill_block(block, at, bytes);
  } else if (chance(5)) {
    size_t to = 16ul << below(10);
    char *at = aligned_alloc(to, (size_t)bytes);
    MUST_EQ((uintptr_t)at % to, 0);
    fill_block(block, at, bytes);
  } else {
    fill_block(block, malloc((size_t)bytes), bytes);
  }
}

static void change(struct block *block) {
  MUST(filled(block->at, block->bytes, block->seed));
  if (chance(2)) {
    long bytes = 1 + some_size(), same = bytes < block->bytes ? bytes : block->bytes;
    char *at = realloc(block->at, (size_t)bytes);
    MUST(at && filled(at, same, block->seed));
    fill_block(block, at, bytes);
  } else {
    free(block->at);
    block->at = NULL;
  }
}

static void against_a_model(void) {
  random_begin(given);
  for (unsigned n = 0; n < 20000; n++) {
    struct block *block = &blocks[below(BLOCKS)];
    if (block->at)
      change(block);
    else
      make(block);
  }
  for (unsigned i = 0; i < BLOCKS; i++)
    if (blocks[i].at) {
      MUST(filled(blocks[i].at, blocks[i].bytes, blocks[i].seed));
      free(blocks[i].at);
    }
}

/* ---- What is Quire's own --------------------------------------------------------------------------------------------------- */
#ifndef __linux__
/* Of address space, since what is not touched costs no memory. */
static void *all_there_is(size_t bytes) {
  void **last = NULL, **block;
  while ((block = hidden(malloc(bytes)))) {
    *block = last;
    last = block;
  }
  MUST_EQ(errno, ENOMEM);
  return last;
}

static unsigned free_all(void **block) {
  unsigned count = 0;
  for (void **next; block; block = next, count++) {
    next = *block;
    free(block);
  }
  return count;
}

/* What ran out is there again: twice the same, and small blocks between. */
static void until_there_is_none(void) {
  char *kept = hidden(malloc(1000));
  fill(kept, 1000, 6);
  unsigned count = free_all(all_there_is(4 * GIB));
  MUST(count >= 32);
  char *small = hidden(malloc(100));
  MUST(small);
  free(small);
  MUST_EQ(free_all(all_there_is(4 * GIB)), count);
  MUST(filled(kept, 1000, 6));
  free(kept);
}

#define FREED 20000

/* All blocks free: of 20 MiB less than a half stays, whichever end they went from; large ones go at once. */
static void goes_back(void) {
  static char *block[FREED];
  uint64_t before = own_stats().resident;
  bool all = !own_stats().budget; /* what it has is there */
  for (unsigned order = 0; order < 3; order++) {
    for (unsigned i = 0; i < FREED; i++)
      memset(block[i] = hidden(malloc(1000)), 1, 1000);
    MUST(!all || own_stats().resident > before + FREED / 5);
    for (unsigned i = 0; i < FREED; i++)
      free(block[order == 0 ? i : order == 1 ? FREED - 1 - i : i * 7919u % FREED]);
    MUST(own_stats().resident < before + 100);
  }
  char *large = hidden(malloc(8 * MIB));
  memset(large, 1, 8 * MIB);
  before = own_stats().resident;
  free(large);
  MUST(!all || own_stats().resident <= before - 8 * MIB / PAGE);
}

/* A lock that a refused size left taken would stop all other threads. */
static volatile bool done;

static void other_thread(void *argument) {
  for (unsigned i = 0; i < 1000; i++) {
    char *block = malloc(100 + i);
    MUST(block);
    fill(block, 100 + i, i);
    q_yield();
    MUST(filled(block, 100 + i, i));
    free(block);
  }
  done = true;
  (void)argument;
}

static void threads(void) {
  struct p_thread thread;
  char *block = hidden(malloc(100));
  for (unsigned i = 0; i < TOO_MUCH; i++) {
    NO_MEMORY(realloc(hidden(block), size(too_much[i])));
    NO_MEMORY(malloc(size(too_much[i])));
    NO_MEMORY(calloc(1, size(too_much[i])));
    NO_MEMORY(memalign(64, size(too_much[i])));
  }
  MUST_EQ(p_thread_start(&thread, other_thread, NULL, Q_PRIORITY_PROGRAM), 0);
  for (uint64_t end = milliseconds() + 2000; !done;) {
    MUST(milliseconds() < end);
    block = realloc(block, 100 + milliseconds() % 1000);
    MUST(block);
    q_yield();
  }
  p_thread_free(&thread);
}
#endif

/* ---- Each in a child, whose heap is new ------------------------------------------------------------------------------------ */
#define TESTS(X)                                                                                                     \
  X(nothing, "sizes of nothing")                                                                                     \
  X(far_too_much, "sizes of more than there are addresses: the break stays, blocks are kept")                        \
  X(products, "a product that overflows")                                                                            \
  X(sizes, "every usable byte of neighbours")                                                                        \
  X(alignments, "alignments up to 2 MiB, small and from mmap()")                                                     \
  X(no_alignment, "alignments that are none")                                                                        \
  X(in_place, "growing in place")                                                                                    \
  X(clean, "calloc() of used memory")                                                                                \
  X(others_move_the_break, "a break that others move")
#ifdef __linux__
#define OWN_TESTS(X)
#else
#define OWN_TESTS(X)                                                                                                 \
  X(until_there_is_none, "no more addresses, and then going on")                                                     \
  X(goes_back, "free memory goes back") X(threads, "threads, after sizes were refused")
#endif

#define RUN(name, text)                                                                                              \
  static void run_##name(void) {                                                                                     \
    exits(begin(name), 0);                                                                                           \
  }
TESTS(RUN)
OWN_TESTS(RUN)

static void run_model(void) {
  for (uintptr_t seed = 1; seed <= 5; seed++)
    exits(begin_on(against_a_model, seed), 0);
}

#define TEST(name, text) {text, run_##name},
static const struct test tests[] = {TESTS(TEST) OWN_TESTS(TEST){"random use, against a model", run_model}};

int main(void) {
  unix_begin("t_malloc");
  return TAP_RUN("malloc", tests);
}
