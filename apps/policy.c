/* SPDX-License-Identifier: BSD-2-Clause */
/* How many pages of its own a process may have, and by which policy, while it runs or from its start; or what it has had of it so far,
 * and what the policy counts. */
#include <quire/proc.h>

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *why(int64_t error) {
  switch (-error) {
  case ESRCH:
    return "there is no such process";
  case EPERM:
    return "it is a server";
  case ENOTSUP:
    return "the machine was booted without budget=, or with one for all, or the process has its memory promised";
  case ENOTRECOVERABLE:
    return "one of these did not return when it was asked, and is asked no more";
  case ENFILE:
    return "32 different policies were chosen since the machine was booted, and no more are remembered";
  default:
    return strerror((int)-error);
  }
}

static int failed(const char *id, int64_t error) {
  fprintf(stderr, "policy: process %s: %s\n", id, why(error));
  return 1;
}

static bool number(const char *text, uint64_t *value) {
  char *end;
  errno = 0;
  *value = strtoul(text, &end, 10);
  return *text >= '0' && *text <= '9' && !*end && !errno;
}

static int show(const char *text, uint64_t id) {
  struct p_stats s;
  struct p_figures f;
  int64_t error = p_stats_of(id, &s);
  if (!error)
    error = p_figures_of(id, &f);
  if (error)
    return failed(text, error);
  printf("%s; ", f.words);
  if (s.budget)
    printf("budget %lu pages", (unsigned long)s.budget);
  else
    printf("no budget");
  printf("; %lu resident, %lu evicted, %lu of these written, %lu read back; %lu proposals wrong\n",
         (unsigned long)s.resident, (unsigned long)s.evicted, (unsigned long)s.written, (unsigned long)s.refaults,
         (unsigned long)s.wrong);
  if (f.lost)
    printf("one of these did not return when it was asked, and is asked no more\n");
  for (uint64_t i = 0; i < f.count; i++)
    printf("%s %lu%s", f.figure[i].name, (unsigned long)f.figure[i].value, i + 1 < f.count ? ", " : "\n");
  return 0;
}

/* 0, or the exit status. */
static int choose(const char *who, uint64_t id, const char *words, uint64_t pages) {
  char wrong[P_POLICY_WRONG] = "";
  int64_t error = p_policy_told(id, words, pages, wrong);
  if (error == -EINVAL && *wrong)
    fprintf(stderr, "policy: %s (docs/policies.md)\n", wrong);
  return !error ? 0 : error == -EINVAL && *wrong ? 1 : failed(who, error);
}

/* As itself, for exec keeps words and budget. As a shell's statuses are (POSIX.1-2017, XCU 2.8.2). */
static int run(const char *words, uint64_t pages, char **argv) {
  int status = choose("itself", 0, words, pages);
  if (status)
    return status;
  execvp(argv[0], argv);
  fprintf(stderr, "policy: %s: %s\n", argv[0], strerror(errno));
  return errno == ENOENT ? 127 : 126;
}

int main(int argc, char **argv) {
  uint64_t id = 0, pages = 0;
  bool of_one = argc >= 2 && number(argv[1], &id) && id, pages_good = argc < 4 || number(argv[2 + of_one], &pages);
  if (argc == 2 && of_one)
    return show(argv[1], id);
  if (of_one && argc <= 4 && pages_good)
    return choose(argv[1], id, argv[2], pages);
  if (argc >= 4 && !of_one && pages_good && !(*argv[1] >= '0' && *argv[1] <= '9'))
    return run(argv[1], pages, argv + 3);
  fprintf(stderr, "usage: policy PID [WORDS [PAGES]]\n"
                  "       policy WORDS PAGES PROGRAM [ARGUMENT...]\n"
                  "WORDS as after the boot option policy=; PAGES 4 to 65536, or 0: as it is\n");
  return 2;
}
