/* SPDX-License-Identifier: BSD-2-Clause */
/* What operations take while there is much of something: of processes, of mappings, or of memory that the program has touched.
 * Each is the median of 33 after 8 to warm up, without what reading the counter takes. */
#define WARM_UP 8
#include "measure.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define TIMES 33
#define SPOTS 64 /* pages that single operations touch, TIMES and WARM_UP together and a few */

static const char *kind;
static uint64_t size;

static const char *label(const char *operation) {
  static char text[64];
  snprintf(text, sizeof text, "%s/%s/%lu", operation, kind, (unsigned long)size);
  return text;
}

/* ---- Other processes ------------------------------------------------------------------------------------------------------ */
static int gate[2];

static void processes_make(uint64_t count) {
  char byte;
  CHECK_EQ(pipe(gate), 0);
  for (uint64_t i = 0; i < count; i++) {
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (!pid)
      _exit(read(gate[0], &byte, 1) != 1);
  }
}

static void processes_end(uint64_t count) {
  int status;
  for (uint64_t i = 0; i < count; i++)
    CHECK_EQ(write(gate[1], "", 1), 1);
  for (uint64_t i = 0; i < count; i++)
    CHECK(wait(&status) > 0 && !status);
  close(gate[0]);
  close(gate[1]);
}

/* ---- Mappings ---------------------------------------------------------------------------------------------------------------- */
/* Of a page each, with a page between; the first is the highest. */
static char *mappings;

static void *map(void *at, uint64_t pages) {
  void *got =
      mmap(at, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | (at ? MAP_FIXED : 0), -1, 0);
  CHECK(got != MAP_FAILED);
  return got;
}

static void mappings_make(uint64_t count) {
  mappings = map(NULL, 2 * count);
  CHECK_EQ(munmap(mappings, 2 * count * PAGE), 0);
  for (uint64_t i = 0; i < count; i++)
    map(mappings + 2 * i * PAGE, 1);
}

/* ---- Operations --------------------------------------------------------------------------------------------------------------- */
/* Pages that nobody has touched, on a page's boundary, with the table for them there. */
static volatile char *fresh(void) {
  char *at = sbrk((SPOTS + 2) * PAGE);
  at = (char *)(((uint64_t)at + PAGE - 1) & ~(PAGE - 1ul));
  *at = 1;
  return at;
}

static void heap_faults(void) {
  volatile char *at = fresh();
  MEASURE(label("fault.zero"), at += PAGE, *at = 1);
  sbrk(-(SPOTS + 2) * PAGE);
}

/* In mappings from all over: first one after the other, and then one each from between these. */
static void mapping_faults(void) {
  volatile char *at = map(NULL, SPOTS), *first = at;
  *at = 1;
  MEASURE(label("fault.mapping"), at += PAGE, *at = 1);
  munmap((void *)first, SPOTS * PAGE);
  if (strcmp(kind, "mappings") || size < SPOTS)
    return;
  uint64_t step = size / SPOTS * 2 * PAGE;
  at = mappings;
  MEASURE(label("fault.mapping_middle"), at += step, *at = 1);
}

static void copies(void) {
  int hold[2];
  char byte;
  volatile char *start = fresh(), *at = start;
  for (unsigned i = 0; i < SPOTS; i++)
    start[i * PAGE] = 1;
  CHECK_EQ(pipe(hold), 0);
  pid_t pid = fork();
  if (!pid)
    _exit(read(hold[0], &byte, 1) != 1);
  MEASURE(label("fault.cow"), at += PAGE, *at = 2);
  int status;
  CHECK_EQ(write(hold[1], "", 1), 1);
  CHECK_EQ(waitpid(pid, &status, 0), pid);
  close(hold[0]);
  close(hold[1]);
  sbrk(-(SPOTS + 2) * PAGE);
}

static void breaks(void) {
  volatile char *keep = fresh();
  MEASURE(label("sbrk.grow"), , p_sbrk_bytes(PAGE, 0));
  MEASURE(label("sbrk.shrink"), , p_sbrk_bytes(-PAGE, 0));
  (void)keep;
  sbrk(-(SPOTS + 2) * PAGE);
}

static void maps(void) {
  void *at = NULL;
  MEASURE(label("map"), (at ? munmap(at, PAGE) : 0), at = map(NULL, 1));
  munmap(at, PAGE);
  MEASURE(label("unmap"), at = map(NULL, 1), munmap(at, PAGE));
}

static void fork_and_wait(bool exec) {
  static char *const argv[] = {"victim", "exit", "0", NULL};
  int status;
  pid_t pid = fork();
  if (!pid && exec)
    execv("/bin/victim", argv);
  if (!pid)
    _exit(exec);
  CHECK_EQ(waitpid(pid, &status, 0), pid);
  CHECK_EQ(status, 0);
}

static void spawn_and_wait(void) {
  static char *const argv[] = {"victim", "exit", "0", NULL};
  int status;
  pid_t pid;
  CHECK_EQ(posix_spawn(&pid, "/bin/victim", NULL, NULL, argv, environ), 0);
  CHECK_EQ(waitpid(pid, &status, 0), pid);
}

static void programs(void) {
  MEASURE(label("fork"), , fork_and_wait(false));
  MEASURE(label("fork_exec"), , fork_and_wait(true));
  MEASURE(label("spawn"), , spawn_and_wait());
}

static void files(void) {
  static char page[PAGE];
  int fd = open("/tmp/scale", O_RDWR | O_CREAT, 0600), ends[2];
  CHECK_EQ(write(fd, page, PAGE), PAGE);
  MEASURE(label("open_read"), , ({
            int again = open("/tmp/scale", O_RDONLY);
            read(again, page, PAGE);
            close(again);
          }));
  close(fd);
  unlink("/tmp/scale");
  CHECK_EQ(pipe(ends), 0);
  MEASURE(label("pipe"), , (write(ends[1], page, 1), read(ends[0], page, 1)));
  close(ends[0]);
  close(ends[1]);
}

static void all_operations(void) {
  MEASURE(label("null"), , q_null());
  heap_faults();
  mapping_faults();
  copies();
  breaks();
  maps();
  files();
  programs();
}

/* ---- Sizes ---------------------------------------------------------------------------------------------------------------------- */
static void among_processes(void) {
  processes_make(size - 1);
  all_operations();
  processes_end(size - 1);
}

static void among_mappings(void) {
  mappings_make(size);
  all_operations();
  CHECK_EQ(munmap(mappings, 2 * size * PAGE), 0);
}

static void among_pages(void) {
  uint64_t bytes = size * PAGE;
  volatile char *heap = sbrk((intptr_t)bytes);
  for (uint64_t at = 0; at < bytes; at += PAGE)
    heap[at] = 1;
  CHECK(own_stats().resident >= size);
  all_operations();
  sbrk(-(intptr_t)bytes);
}

/* What the first use sets up, and keeps: each operation, among as many processes as there will be. */
static void warm_up(void) {
  static char page[PAGE];
  uint64_t count = strcmp(kind, "processes") ? 2 : size + 64;
  int ends[2];
  processes_make(count);
  int fd = open("/tmp/scale", O_RDWR | O_CREAT, 0600);
  for (unsigned i = 0; i < 256; i++)
    CHECK_EQ(write(fd, page, PAGE), PAGE);
  close(fd);
  unlink("/tmp/scale");
  CHECK_EQ(pipe(ends), 0);
  CHECK_EQ(write(ends[1], page, PAGE), PAGE);
  close(ends[0]);
  close(ends[1]);
  fork_and_wait(true);
  spawn_and_wait();
  free(malloc(1));
  processes_end(count);
}

static const struct test by_processes[] = {{"counter", measure_overhead}, {"processes", among_processes}};
static const struct test by_mappings[] = {{"counter", measure_overhead}, {"mappings", among_mappings}};
static const struct test by_pages[] = {{"counter", measure_overhead}, {"pages", among_pages}};

/* processes|mappings|pages SIZE */
int main(int argc, char **argv) {
  if (argc != 3)
    return 2;
  kind = argv[1];
  size = strtoul(argv[2], NULL, 10);
  iterations = TIMES;
  warm_up();
  if (!strcmp(kind, "processes"))
    return TAP_RUN("scale", by_processes);
  return !strcmp(kind, "mappings") ? TAP_RUN("scale", by_mappings) : TAP_RUN("scale", by_pages);
}
