/* SPDX-License-Identifier: BSD-2-Clause */
/* What processes and threads ask of the posix server at the same moment, on as many harts: its threads answer beside each other
 * (servers/posix/harts.c). Run as its first process. */
#include "unix.h"

#include <pthread.h>
#include <sys/stat.h>

#define AT_ONCE 6
#define ROUNDS 300
#define BYTES (16 * PAGE)
#define WORDS (PAGE / 8)

static char expected[BYTES]; /* of the file that nobody changes */
static int shared;           /* a descriptor that all have */

static uint32_t random_next(void) {
  static uint32_t state;
  state = state ? state : (uint32_t)getpid() * 2654435761u;
  state ^= state << 13, state ^= state >> 17;
  return state ^= state << 5;
}

static void at_once(body *const run[], unsigned kinds) {
  pid_t pid[AT_ONCE];
  for (unsigned i = 0; i < AT_ONCE; i++)
    pid[i] = begin(run[i % kinds]);
  for (unsigned i = 0; i < AT_ONCE; i++)
    exits(pid[i], 0);
}

/* ---- Reading ------------------------------------------------------------------------------------------------------------- */
static void read_somewhere(int fd, char *to) {
  long at = random_next() % BYTES, bytes = random_next() % (3 * PAGE), left = BYTES - at;
  MUST_EQ(pread(fd, to, bytes, at), bytes < left ? bytes : left);
  MUST(!memcmp(to, expected + at, bytes < left ? bytes : left));
}

static void reads_own(void) {
  static char buffer[4 * PAGE];
  struct stat s;
  int fd = open("same", O_RDONLY);
  for (unsigned i = 0; i < ROUNDS; i++) {
    long at = random_next() % BYTES;
    read_somewhere(fd, buffer + random_next() % PAGE);
    MUST_EQ(lseek(fd, at, SEEK_SET), at);
    MUST_EQ(read(fd, buffer, 1), 1);
    MUST_EQ(buffer[0], expected[at]);
    MUST_EQ(lseek(fd, 0, SEEK_CUR), at + 1);
    MUST_EQ(fstat(fd, &s), 0);
    MUST_EQ(s.st_size, BYTES);
    MUST_EQ(stat("same", &s), 0);
    MUST_EQ(s.st_nlink, 1);
    MUST(getppid() > 0);
  }
}

/* Its pages come while the server copies. */
static void reads_into_fresh(void) {
  int fd = open("same", O_RDONLY);
  for (unsigned i = 0; i < ROUNDS / 10; i++) {
    read_somewhere(fd, fresh(5) + random_next() % PAGE);
    drop(5);
  }
}

static void one_file(void) {
  body *const run[] = {reads_own, reads_into_fresh};
  fill(expected, BYTES, 1);
  close(make_file("same", expected, BYTES));
  at_once(run, 2);
  CHECK_EQ(unlink("same"), 0);
}

/* ---- One offset ------------------------------------------------------------------------------------------------------------ */
#define RECORDS 3000
struct record {
  uint64_t number, again;
};
static struct gate results;

static void reads_records(void) {
  struct record next, sum = {0, 0};
  ssize_t got;
  while ((got = read(shared, &next, sizeof next)) > 0) {
    MUST_EQ(got, sizeof next);
    MUST_EQ(next.number, next.again);
    sum.number += next.number;
    sum.again++;
  }
  MUST_EQ(got, 0);
  MUST_EQ(write(results.fd[1], &sum, sizeof sum), sizeof sum);
}

static void each_record_once(void) {
  body *const run[] = {reads_records};
  struct record sum, all = {0, 0};
  shared = make_file("records", "", 0);
  for (uint64_t i = 0; i < RECORDS; i++)
    CHECK_EQ(write(shared, &(struct record){i, i}, sizeof sum), sizeof sum);
  CHECK_EQ(lseek(shared, 0, SEEK_SET), 0);
  gate_make(&results);
  at_once(run, 1);
  for (unsigned i = 0; i < AT_ONCE; i++) {
    CHECK_EQ(read(results.fd[0], &sum, sizeof sum), sizeof sum);
    all.number += sum.number;
    all.again += sum.again;
  }
  CHECK_EQ(all.again, RECORDS);
  CHECK_EQ(all.number, RECORDS * (RECORDS - 1ul) / 2);
  gate_close(&results);
  close(shared);
  CHECK_EQ(unlink("records"), 0);
}

/* ---- Reads beside writes ------------------------------------------------------------------------------------------------- */
static void stamp(uint64_t page[WORDS]) {
  uint64_t value = (uint64_t)random_next() << 32 | random_next() | 1;
  for (unsigned i = 0; i < WORDS; i++)
    page[i] = value;
}

static void writes_pages(void) {
  static uint64_t page[WORDS];
  for (unsigned i = 0; i < ROUNDS; i++) {
    stamp(page);
    MUST_EQ(pwrite(shared, page, PAGE, random_next() % 4 * PAGE), PAGE);
  }
}

/* Nobody sees a part of a write. */
static void reads_pages(void) {
  static uint64_t page[WORDS];
  for (unsigned i = 0; i < ROUNDS; i++) {
    ssize_t got = pread(shared, page, PAGE, random_next() % 4 * PAGE);
    MUST(got == PAGE || !got);
    for (unsigned n = 0; n < got / 8; n++)
      MUST_EQ(page[n], page[0]);
  }
}

static void cuts_and_fills(void) {
  static uint64_t page[WORDS];
  for (unsigned i = 0; i < ROUNDS; i++) {
    stamp(page);
    MUST_EQ(ftruncate(shared, 0), 0);
    for (unsigned n = 0; n < 4; n++)
      MUST_EQ(pwrite(shared, page, PAGE, n * PAGE), PAGE);
  }
}

static void writes_whole(void) {
  body *const run[] = {reads_pages, writes_pages, reads_pages};
  shared = make_file("pages", "", 0);
  CHECK_EQ(ftruncate(shared, 4 * PAGE), 0);
  at_once(run, 3);
  close(shared);
  CHECK_EQ(unlink("pages"), 0);
}

static void cut_meanwhile(void) {
  body *const run[] = {cuts_and_fills, reads_pages, reads_pages, reads_pages, reads_pages, reads_pages};
  shared = make_file("cut", "", 0);
  CHECK_EQ(unlink("cut"), 0); /* which goes on without its name */
  at_once(run, 6);
  close(shared);
}

/* ---- Descriptors that others open and close --------------------------------------------------------------------------------- */
static int moving;
static volatile bool over;

static void *uses(void *argument) {
  char byte;
  struct stat s;
  while (!over) {
    ssize_t got = pread(moving, &byte, 1, 0);
    MUST(got == 1 ? byte == 'a' || byte == 'b' : errno == EBADF);
    MUST(lseek(moving, 0, SEEK_CUR) == 0 || errno == EBADF);
    MUST(fstat(moving, &s) ? errno == EBADF : s.st_size == 1);
  }
  return argument;
}

static void threads_share(void) {
  pthread_t thread[3];
  int a = make_file("a", "a", 1), b = make_file("b", "b", 1);
  lseek(a, 0, SEEK_SET), lseek(b, 0, SEEK_SET);
  moving = dup(a);
  for (unsigned i = 0; i < 3; i++)
    MUST_EQ(pthread_create(&thread[i], NULL, uses, NULL), 0);
  for (unsigned i = 0; i < ROUNDS; i++) {
    MUST_EQ(dup2(i & 1 ? a : b, moving), moving);
    if (i % 3 == 0)
      MUST_EQ(close(moving), 0);
    close(open("a", O_RDONLY));
  }
  over = true;
  for (unsigned i = 0; i < 3; i++)
    MUST_EQ(pthread_join(thread[i], NULL), 0);
}

static void closed_meanwhile(void) {
  exits(begin(threads_share), 0);
  CHECK_EQ(unlink("a") | unlink("b"), 0);
}

/* ---- Whoever has ended asks nothing any more -------------------------------------------------------------------------------- */
static void seeks(void) {
  for (;;)
    MUST(lseek(shared, 1, SEEK_CUR) > 0);
}

static void changes_modes(void) {
  for (;;)
    MUST_EQ(fchmod(shared, 0600) | fchmod(shared, 0644), 0);
}

/* After the answer to the kill nothing of the dead comes, though a thread of the server may have had it in its hands. */
static void kill_it(pid_t pid) {
  struct stat s;
  pause_for(random_next() % 3);
  CHECK_EQ(kill(pid, SIGKILL), 0);
  CHECK_EQ(lseek(shared, 0, SEEK_SET), 0);
  CHECK_EQ(fchmod(shared, 0700), 0);
  for (unsigned i = 0; i < 20; i++) {
    CHECK_EQ(lseek(shared, 0, SEEK_CUR), 0);
    CHECK_EQ(fstat(shared, &s), 0);
    CHECK_EQ(s.st_mode & 0777, 0700);
  }
}

static void killed_while_they_ask(void) {
  body *const run[] = {seeks, changes_modes, reads_own};
  fill(expected, BYTES, 1);
  close(make_file("same", expected, BYTES));
  shared = make_file("offset", "", 0);
  for (unsigned i = 0; i < 60; i++) {
    pid_t other = begin(reads_own), pid = begin(run[i % 2]);
    kill_it(pid);
    dies(pid, SIGKILL);
    exits(other, 0);
  }
  close(shared);
  CHECK_EQ(unlink("offset") | unlink("same"), 0);
}

static void *seeks_for_ever(void *argument) {
  seeks();
  return argument;
}

/* The threads of the program before ask nothing of the one after it. */
static void becomes(void) {
  pthread_t thread;
  char number[8];
  snprintf(number, sizeof number, "%d", shared);
  for (unsigned i = 0; i < 3; i++)
    MUST_EQ(pthread_create(&thread, NULL, seeks_for_ever, NULL), 0);
  pause_for(random_next() % 3);
  execl(own_program, own_program, number, NULL);
  _exit(2);
}

static int became(const char *number) {
  int fd = atoi(number);
  off_t at = lseek(fd, 0, SEEK_CUR);
  for (unsigned i = 0; i < 50; i++)
    if (lseek(fd, 0, SEEK_CUR) != at)
      return 3;
  return 0;
}

static void another_program(void) {
  shared = make_file("offset", "", 0);
  for (unsigned i = 0; i < 10; i++) {
    pid_t one = begin(becomes);
    exits(one, 0);
  }
  close(shared);
  CHECK_EQ(unlink("offset"), 0);
}

static const struct test tests[] = {
    {"one file is read by all", one_file},
    {"each record is read once by one offset", each_record_once},
    {"no part of a write is read", writes_whole},
    {"a file is cut while it is read", cut_meanwhile},
    {"a descriptor is closed while it is used", closed_meanwhile},
    {"nothing is done for the killed", killed_while_they_ask},
    {"nothing is done for a program that is no more", another_program},
};

/* What the server keeps is had before anything is counted. */
int main(int argc, char **argv) {
  if (argc == 2)
    return became(argv[1]);
  unix_begin("t_beside");
  tap_before(true);
  for (unsigned i = 0; i < sizeof tests / sizeof *tests; i++)
    tests[i].run();
  return TAP_RUN("beside", tests);
}
