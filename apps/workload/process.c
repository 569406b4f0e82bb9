/* SPDX-License-Identifier: BSD-2-Clause */
/* Patterns whose memory comes and goes: a stack, a heap, and that of processes. */
#include "workload.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- Stack: up and down to random depths, the first time to the full one. A page here is one frame's array. ------------------ */
static uint64_t target, entered;

static uint64_t filling(uint64_t when, uint64_t word) {
  return mix(when << 16 ^ word ^ options.seed << 40);
}

/* The array is volatile, or the compiler would know what it must hold. */
static __attribute__((noinline)) void enter(uint64_t depth) {
  volatile uint64_t words[PAGE_WORDS];
  uint64_t when = ++entered;
  refer(depth - 1);
  for (uint64_t word = 0; word < PAGE_WORDS; word++)
    words[word] = filling(when, word);
  if (entered == options.steps)
    target = 0;
  while (target >= depth)
    if (target > depth)
      enter(depth + 1);
    else
      target = random_below(options.pages + 1);
  refer(depth - 1);
  for (uint64_t word = 0; word < PAGE_WORDS; word++)
    if (words[word] != filling(when, word))
      fail("frame %" PRIu64 " of the stack has %#" PRIx64 " at byte %" PRIu64 ", which nobody wrote there", depth,
           words[word], word * sizeof words[0]);
  array.seen = mix(array.seen + when + depth);
}

void run_stack(void) {
  for (target = options.pages; entered < options.steps; target = 1 + random_below(options.pages))
    enter(1);
}

/* ---- Heap: the break goes up in strides to the full size, then down by up to a half, and again -------------------------------- */
static void move_break(uint64_t pages) {
  intptr_t change = (intptr_t)(pages * PAGE_BYTES) - (intptr_t)(array.pages * PAGE_BYTES);
  char *end = (char *)array.words + array.pages * PAGE_BYTES;
  if (change < 0) /* looks at what goes while it is there */
    array_resize(array.words, pages);
  void *before = sbrk(change);
  if (before == (void *)-1)
    fail("the break cannot be moved to %" PRIu64 " pages: %s", pages, strerror(errno));
  if (before != end)
    fail("somebody else has moved the break");
  if (change > 0)
    array_resize(array.words, pages);
}

static void align_break(void) {
  uintptr_t end = (uintptr_t)sbrk(0);
  if (end % PAGE_BYTES && sbrk((intptr_t)(PAGE_BYTES - end % PAGE_BYTES)) == (void *)-1)
    fail("the break cannot be moved: %s", strerror(errno));
  array.words = sbrk(0);
}

void run_heap(void) {
  uint64_t stride = options.pages / 16 + 1;
  align_break();
  for (uint64_t i = 0; i < options.steps; i++) {
    if (i % (4 * stride) == 0) {
      uint64_t room = options.pages - array.pages;
      move_break(room ? array.pages + 1 + random_below(room < stride ? room : stride)
                      : options.pages - random_below(options.pages / 2 + 1));
    }
    touch(array.pages - zipf(array.pages)); /* the newer the likelier */
  }
}

/* ---- A tree of processes, each with two children, one after the other --------------------------------------------------------- */
#define DEPTH 3
#define NODES 15 /* 2^(DEPTH + 1) - 1 */

static void touch_some(uint64_t node) {
  random_seed(mix(options.seed) + node);
  for (uint64_t i = 0; i < (options.steps + 2 * NODES - 1) / (2 * NODES); i++)
    touch(zipf(options.pages) - 1);
}

static void grow_tree(uint64_t node, unsigned depth);

/* The child's end: it has seen to its own pages, and says what it found. */
static _Noreturn void report(int fd) {
  uint64_t found[] = {array_checksum(), array.references};
  if (fflush(stdout) || write(fd, found, sizeof found) != sizeof found)
    fail("a process of the tree cannot write: %s", strerror(errno));
  _exit(0);
}

static void collect(pid_t child, int fd) {
  uint64_t found[2];
  ssize_t got = read(fd, found, sizeof found);
  int status;
  if (waitpid(child, &status, 0) != child || status || got != sizeof found)
    fail("a process of the tree failed (status %#x)", (unsigned)status);
  array.seen = mix(array.seen + found[0]);
  array.references = found[1];
}

static void add_child(uint64_t node, unsigned depth) {
  int ends[2];
  fflush(stdout); /* or the child would print it once more */
  if (pipe(ends))
    fail("no pipe: %s; the fork tree needs a posix server", strerror(errno));
  pid_t child = fork();
  if (child < 0)
    fail("cannot fork: %s", strerror(errno));
  if (!child) {
    close(ends[0]);
    grow_tree(node, depth);
    report(ends[1]);
  }
  close(ends[1]);
  collect(child, ends[0]);
  close(ends[0]);
}

/* Before its children, so that they share what it wrote, and after, so that what it writes then is none of theirs. */
static void grow_tree(uint64_t node, unsigned depth) {
  touch_some(2 * node);
  for (uint64_t child = 2 * node; depth < DEPTH && child < 2 * node + 2; child++)
    add_child(child, depth + 1);
  touch_some(2 * node + 1);
  if (depth)
    array_check();
}

void run_fork(void) {
  grow_tree(1, 0);
}
