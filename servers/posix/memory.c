/* SPDX-License-Identifier: BSD-2-Clause */
/* The server's memory, which is all resident: pages for files, and groups of them for malloc(). What is free at the end goes
 * back to the pager, but for what is likely to be wanted again. Low pages are taken first, so that the end gets free. */
#include <errno.h>
#include <quire/proc.h>
#include <string.h>
#include <unistd.h>

#include "server.h"
#include "tree.h"

#define GROUP 8 /* pages, one bit each in a byte */
#define GROUP_BYTES (GROUP * TREE_PAGE)
#define KEPT 128 /* groups */

static uint8_t *used;
static char *base;
static uint64_t groups, empty; /* there are; of these with no page in use */
static uint64_t lowest;        /* all before are full */
static uint64_t file_pages, file_pages_max, groups_max;

/* A byte for each group that the machine could ever have. Files may have half of its memory, and all together three quarters, or
 * nothing else could run. */
static bool start(void) {
  struct p_system system;
  if (p_system_stats(0, &system))
    return false;
  uint64_t bytes = (system.frames / GROUP + TREE_PAGE) & -(uint64_t)TREE_PAGE;
  int64_t at = p_sbrk_bytes(0, 0), gap = -at & (TREE_PAGE - 1);
  if (p_sbrk_bytes(gap + (int64_t)bytes, 0) < 0)
    return false;
  used = (uint8_t *)at + gap;
  base = (char *)used + bytes;
  file_pages_max = system.frames / 2;
  groups_max = system.frames / GROUP / 4 * 3;
  return true;
}

static bool grow(void) {
  if ((!used && !start()) || groups == groups_max || p_sbrk_bytes(GROUP_BYTES, 0) < 0)
    return false;
  used[groups++] = 0;
  empty++;
  return true;
}

static void take(uint64_t group, uint8_t pages) {
  empty -= !used[group];
  used[group] |= pages;
}

char *page_new(void) {
  if (file_pages && file_pages == file_pages_max)
    return NULL;
  while (lowest < groups && used[lowest] == 0xff)
    lowest++;
  if (lowest == groups && !grow())
    return NULL;
  unsigned bit = (unsigned)__builtin_ctz(~used[lowest]);
  take(lowest, (uint8_t)(1 << bit));
  file_pages++;
  return memset(base + lowest * GROUP_BYTES + bit * TREE_PAGE, 0, TREE_PAGE);
}

static void shrink(void) {
  while (empty > KEPT && !used[groups - 1] && p_sbrk_bytes(-GROUP_BYTES, 0) >= 0)
    groups--, empty--;
}

void page_free(char *page) {
  uint64_t index = (uint64_t)(page - base) / TREE_PAGE, group = index / GROUP;
  used[group] &= (uint8_t) ~(1 << index % GROUP);
  empty += !used[group];
  file_pages--;
  lowest = lowest < group ? lowest : group;
  shrink();
}

/* So many free groups in a row, at the end if nowhere else. */
static bool take_groups(uint64_t count, uint64_t *first) {
  uint64_t found = 0, group = 0;
  for (; found < count; group++) {
    if (group == groups && !grow()) {
      shrink();
      return false;
    }
    found = used[group] ? 0 : found + 1;
  }
  for (*first = group - count; group-- > *first;)
    take(group, 0xff);
  return true;
}

static uint64_t groups_of(uint64_t bytes) {
  return (bytes + GROUP_BYTES - 1) / GROUP_BYTES;
}

void *memory_borrow(uint64_t bytes) {
  uint64_t first;
  return take_groups(groups_of(bytes), &first) ? base + first * GROUP_BYTES : NULL;
}

void memory_return(void *memory, uint64_t bytes) {
  uint64_t first = (uint64_t)((char *)memory - base) / GROUP_BYTES, count = groups_of(bytes);
  memset(used + first, 0, count);
  empty += count;
  lowest = lowest < first ? lowest : first;
  shrink();
}

/* malloc()'s, which never gives anything back. */
void *sbrk(ptrdiff_t bytes) {
  static char *at, *end;
  uint64_t first;
  if (bytes < 0)
    return (void *)-1;
  if (bytes > end - at) {
    uint64_t count = groups_of((uint64_t)bytes);
    if (!take_groups(count, &first)) {
      errno = ENOMEM;
      return (void *)-1;
    }
    char *start = base + first * GROUP_BYTES;
    at = start == end ? at : start;
    end = start + count * GROUP_BYTES;
  }
  at += bytes;
  return at - bytes;
}

bool page_thaw(char *page) {
  return ask_pager(&(struct q_call){.label = P_thaw, .word = {(uint64_t)page}}) >= 0;
}
