/* SPDX-License-Identifier: BSD-2-Clause */
/* A program of the posix server that takes what it can get; tests/session.py looks whether the others suffer.
 *   hog flood MIB    writes so much in one call, from memory that is there
 *   hog chain N      N processes, each with as many threads waiting for the next as the server keeps requests of
 *   hog away         leaves the console to a child that nobody waits for */
#include <quire/proc.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int flood(uint64_t bytes) {
  char *text = malloc(bytes);
  if (!text)
    return 1;
  memset(text, 'x', bytes);
  for (uint64_t i = 79; i < bytes; i += 80)
    text[i] = '\n';
  return write(1, text, bytes) != (ssize_t)bytes;
}

static void wait_for_next(void *argument) {
  (void)argument;
  while (px_wait(0, 0, NULL) == -EAGAIN)
    usleep(100000);
}

static int chain(unsigned long n) {
  static struct p_thread threads[POSIX_REQUESTS_EACH];
  char next[24];
  snprintf(next, sizeof next, "%lu", n - 1);
  if (!n)
    return (int)sleep(1000000);
  if (px_spawn((const char *const[]){"hog", "chain", next, NULL}, NULL, 0) < 0)
    return 1;
  for (unsigned i = 1; i < POSIX_REQUESTS_EACH; i++)
    if (p_thread_start(&threads[i], wait_for_next, NULL, Q_PRIORITY_PROGRAM))
      return 2;
  if (n == 1)
    printf("hog: all wait\n");
  wait_for_next(NULL);
  return 0;
}

int main(int argc, char **argv) {
  const char *const child[] = {"sleep", "1000000", NULL};
  if (argc == 3 && !strcmp(argv[1], "flood"))
    return flood(strtoul(argv[2], NULL, 10) << 20);
  if (argc == 3 && !strcmp(argv[1], "chain"))
    return chain(strtoul(argv[2], NULL, 10));
  return px_spawn(child, NULL, POSIX_SPAWN_JOB | POSIX_SPAWN_FOREGROUND) < 0;
}
