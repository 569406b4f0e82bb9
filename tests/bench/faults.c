/* SPDX-License-Identifier: BSD-2-Clause */
/* Programs, or threads of one, that do nothing but touch fresh pages: faults:PROGRAMS:PAGES each, or faults:threads:THREADS:PAGES.
 * Prints how long that took all of them together, and what the kernel and the pager counted meanwhile; smp.py reads it. */
#include "../guest/tap.h"

#include <stdlib.h>
#include <string.h>

#define PAGE 4096
#define MOST 8 /* at once */

struct share {
  struct p_thread thread;
  volatile char *start;
  unsigned long pages;
  q_handle done; /* to be told when they are touched */
};

static void touch(void *argument) {
  const struct share *share = argument;
  for (unsigned long i = 0; i < share->pages; i++)
    share->start[i * PAGE] = 1;
  CHECK_EQ(q_notify(share->done, ~0ul), 0);
}

static char *grow(unsigned long pages) {
  int64_t at = p_sbrk_bytes((int64_t)pages * PAGE, 0);
  CHECK(at > 0);
  return (char *)at;
}

static q_handle done; /* an endpoint where each of them has a bit */

static q_handle bit(unsigned i) {
  q_handle handle = 0;
  CHECK_EQ(q_handle_dup(done, Q_RIGHT_NOTIFY | Q_RIGHT_DUP, 1ul << i, &handle), 0);
  return handle;
}

static void wait_for(unsigned count) {
  struct q_received m;
  for (uint64_t all = (1ul << count) - 1, heard = 0; heard != all; heard |= m.word[0])
    q_recv(done, &m);
}

static void by_threads(unsigned count, unsigned long pages) {
  static struct share shares[MOST];
  char *start = grow(count * pages);
  for (unsigned i = 0; i < count; i++) {
    shares[i] = (struct share){.start = start + i * pages * PAGE, .pages = pages, .done = bit(i)};
    CHECK_EQ(p_thread_start(&shares[i].thread, touch, &shares[i], Q_PRIORITY_PROGRAM), 0);
  }
}

static int64_t workers[MOST + 1];

static void by_programs(unsigned count, const char *pages) {
  const char *const worker[] = {"faults", "worker", pages, NULL};
  for (unsigned i = 0; i < count; i++)
    CHECK((workers[i] = p_spawn_program(worker, 0, bit(i))) > 0);
}

static int work(unsigned long pages) {
  struct share share = {.start = grow(pages), .pages = pages, .done = P_HANDLE_GIFT};
  touch(&share);
  return q_sleep_until(~0ul) != 0;
}

void count_begin(void);
void count_end(void);
__attribute__((noinline)) void count_begin(void) {
  __asm__ volatile("");
}
__attribute__((noinline)) void count_end(void) {
  __asm__ volatile("nop");
}

int main(int argc, char **argv) {
  if (argc == 3 && !strcmp(argv[1], "worker"))
    return work(strtoul(argv[2], NULL, 0));
  bool threads = argc == 4 && !strcmp(argv[1], "threads");
  if (argc != 3 + threads || atoi(argv[1 + threads]) < 1 || atoi(argv[1 + threads]) > MOST) {
    printf("usage: faults [threads] COUNT PAGES, COUNT at most %d\n", MOST);
    return 2;
  }
  unsigned count = (unsigned)atoi(argv[1 + threads]);
  CHECK_EQ(q_endpoint_create(&done), 0);
  struct q_info before = kernel_info(), after;
  count_begin();
  uint64_t start = q_time();
  if (threads)
    by_threads(count, strtoul(argv[3], NULL, 0));
  else
    by_programs(count, argv[2]);
  wait_for(count); /* what becomes of the pages in the end is not measured */
  uint64_t ticks = q_time() - start;
  count_end();
  after = kernel_info();
  for (unsigned i = 0; workers[i]; i++)
    p_kill_program((uint64_t)workers[i]);
#define SINCE(field) (unsigned long)(after.field - before.field)
  printf("# faults {\"ticks\": %lu, \"harts\": %lu, \"contended\": %lu, \"exclusive\": %lu, \"kicks\": %lu, "
         "\"shootdowns\": %lu, \"moves\": %lu}\n",
         (unsigned long)ticks, (unsigned long)after.harts, SINCE(contended), SINCE(exclusive), SINCE(kicks),
         SINCE(shootdowns), SINCE(moves));
  return 0;
}
