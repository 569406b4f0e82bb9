/* SPDX-License-Identifier: BSD-2-Clause */
/* The functions of tests/guest/tap.h for Linux: a test that is plain POSIX runs here first, and so shows that what it expects
 * of Quire is what another system does. What must come back after each test: descriptors, children, the break, mappings. */
#include "../guest/tap.h"

#include <fcntl.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static bool failed;
static struct balance {
  long descriptors, mappings;
  void *end;
} before;

void tap_check(bool good, const char *file, int line, const char *what, long long a, long long b) {
  if (good)
    return;
  failed = true;
  printf("# %s:%d: %s (%lld, %lld)\n", file, line, what, a, b);
}

static long count_descriptors(void) {
  long count = 0;
  for (int fd = 0; fd < 1024; fd++)
    count += fcntl(fd, F_GETFD) >= 0;
  return count;
}

/* Read without stdio, whose buffers would move the break. */
static long count_mappings(void) {
  char text[4096];
  long count = 0;
  int fd = open("/proc/self/maps", O_RDONLY);
  for (ssize_t got; (got = read(fd, text, sizeof text)) > 0;)
    for (ssize_t i = 0; i < got; i++)
      count += text[i] == '\n';
  close(fd);
  return count;
}

static struct balance balance(void) {
  return (struct balance){count_descriptors(), count_mappings(), sbrk(0)};
}

/* Orphans come to this process, as they come to the first one on Quire. */
void tap_before(bool first) {
  if (first) {
    static char buffer[BUFSIZ], folder[] = "/tmp/unix_oracle.XXXXXX";
    setvbuf(stdout, buffer, _IOLBF, sizeof buffer);
    CHECK_EQ(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    CHECK(mkdtemp(folder) && !chdir(folder));
  }
  before = balance();
}

void tap_after(void) {
  struct balance after = balance();
  CHECK_EQ(before.descriptors, after.descriptors);
  CHECK_EQ(before.mappings, after.mappings);
  CHECK_EQ((intptr_t)before.end, (intptr_t)after.end);
  CHECK_EQ(waitpid(-1, NULL, WNOHANG), -1);
  CHECK_EQ(errno, ECHILD);
}

/* Nothing may be left in the folder either. */
static void remove_folder(void) {
  char path[4096];
  CHECK(getcwd(path, sizeof path));
  CHECK_EQ(chdir("/"), 0);
  CHECK_EQ(rmdir(path), 0);
}

int tap_run(const char *group, const struct test *tests, unsigned count) {
  unsigned bad = 0;
  tap_before(true);
  printf("1..%u\n", count + 1);
  for (unsigned i = 0; i < count; i++) {
    tap_before(false);
    failed = false;
    tests[i].run();
    tap_after();
    printf("%s %u - %s\n", failed ? "not ok" : "ok", i + 1, tests[i].name);
    bad += failed;
  }
  failed = false;
  remove_folder();
  printf("%s %u - %s: no file is left\n", failed ? "not ok" : "ok", count + 1, group);
  return bad || failed;
}
