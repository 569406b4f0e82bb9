/* SPDX-License-Identifier: BSD-2-Clause */
/* The posix server dies (mortal_posix.c) while programs on all harts wait for its answers, or one of its threads for another. It begins
 * anew, and so does this, its first process; the last time it looks whether all is as it was. */
#include "unix.h"

#include <sys/stat.h>

#include "mortal_posix.h"

#define CHILDREN 6
#define FIRST 3  /* its first process id: the driver and the server come before */
#define DEATHS 4 /* the pager starts a server five times */

static void asks_everything(void) {
  static char buffer[2 * PAGE];
  int pipes[2], fd = open("f", O_RDWR | O_CREAT, 0600);
  struct stat s;
  MUST_EQ(pipe(pipes), 0);
  for (;;) {
    MUST_EQ(pwrite(fd, buffer, PAGE, 0), PAGE);
    MUST_EQ(pread(fd, buffer + 8, PAGE, 0), PAGE);
    MUST_EQ(pread(fd, fresh(2) + 100, PAGE, 0), PAGE);
    drop(2);
    MUST_EQ(fstat(fd, &s), 0);
    MUST_EQ(write(pipes[1], buffer, 64), 64);
    MUST_EQ(read(pipes[0], buffer, 64), 64);
    MUST_EQ(close(dup(fd)), 0);
  }
}

static void ask_for_death(unsigned times) {
  struct q_call c = {.label = times & 1 ? POSIX_identity : POSIX_umask, .word = {DEADLY}};
  for (unsigned i = 0; i < CHILDREN; i++)
    begin(asks_everything);
  pause_for(20 + 10 * times);
  q_call(p_server, &c); /* which comes to no end: this process ends with the server */
  printf("Bail out! it lives\n");
}

static void leave(void) {
}

static void as_before(void) {
  char text[6] = "";
  int fd = make_file("f", "f", 1); /* the one before was of a server that is no more */
  CHECK_EQ(pread(fd, text, sizeof text, 0), 1);
  CHECK_EQ(close(fd), 0);
  CHECK_EQ(unlink("f"), 0);
  exits(begin(leave), 0);
}

static const struct test tests[] = {{"a server that died four times begins anew", as_before}};

int main(void) {
  unsigned times = (unsigned)(getpid() - FIRST) / (CHILDREN + 2);
  CHECK_EQ(chdir("/tmp"), 0);
  if (times < DEATHS)
    ask_for_death(times);
  unix_begin("t_bereaved");
  return TAP_RUN("bereaved", tests);
}
