/* SPDX-License-Identifier: BSD-2-Clause */
/* A program written for xv6, with that system's headers only: each of its calls and functions, and their edges. Beside it are
 * small programs in its style (xv6/), whose output is compared. */
#include "kernel/types.h"
#include "kernel/stat.h"
#include "user/user.h"
#include "kernel/fcntl.h"
#include "kernel/file.h"
#include "kernel/fs.h"
#include "kernel/memlayout.h"
#include "kernel/param.h"
#include "kernel/riscv.h"
#include "xv6_tap.h"

#define MIB (1 << 20)

/* In a child: ends with a status that no test expects. */
#define MUST(condition)                                                                                              \
  do {                                                                                                               \
    if (!(condition)) {                                                                                              \
      printf("# %s:%d: %s\n", __FILE_NAME__, __LINE__, #condition);                                                  \
      exit(99);                                                                                                      \
    }                                                                                                                \
  } while (0)

static uint64 given;

/* The status of a child that runs this. */
static int status_of(void (*body)(void)) {
  int status = 98, pid = fork();
  if (pid == 0) {
    body();
    exit(0);
  }
  CHECK(pid > 0);
  CHECK_EQ(wait(&status), pid);
  return status;
}

static int status_with(void (*body)(void), uint64 what) {
  given = what;
  return status_of(body);
}

/* ---- Processes ---------------------------------------------------------------------------------------------------------------- */
static void exit_given(void) {
  exit((int)given);
}

static void statuses(void) {
  static const int all[] = {0, 1, 255, 256, 1000, 65536 + 3, -1, -2, 0x7fffffff, -0x7fffffff - 1};
  for (uint i = 0; i < sizeof(all) / sizeof(*all); i++)
    CHECK_EQ(status_with(exit_given, (uint64)all[i]), all[i]);
  if (fork() == 0)
    exit(5);
  CHECK(wait(0) > 0); /* nobody wants it */
  CHECK_EQ(wait(0), -1);
  CHECK_EQ(wait((int *)8), -1);
}

static void write_given(void) {
  *(volatile char *)given = 1;
}

static void execute_unimp(void) {
  __asm__ volatile("unimp");
}

static void eat_stack(void) {
  volatile char page[PGSIZE];
  page[0] = 1;
  given += page[0];
  if (given < 2 * USERSTACK)
    eat_stack();
  page[1] = 1; /* it is not to become a loop */
}

static void faults(void) {
  CHECK_EQ(status_with(write_given, 0), -1);
  CHECK_EQ(status_with(write_given, (uint64)write_given), -1); /* text */
  CHECK_EQ(status_with(write_given, KERNBASE), -1);
  CHECK_EQ(status_with(write_given, TRAMPOLINE), -1);
  CHECK_EQ(status_with(write_given, MAXVA), -1);
  CHECK_EQ(status_with(write_given, r_sp() - USERSTACK * PGSIZE), -1);
  CHECK_EQ(status_with(write_given, (uint64)sbrk(0) + 16 * PGSIZE), -1);
  CHECK_EQ(status_of(execute_unimp), -1);
  CHECK_EQ(status_with(eat_stack, 0), -1);
}

static void spin(void) {
  for (volatile int i = 0;; i++)
    ;
}

static void kills(void) {
  int status = 0, pid = fork();
  if (pid == 0)
    spin();
  CHECK_EQ(kill(pid), 0);
  CHECK_EQ(wait(&status), pid);
  CHECK_EQ(status, -1);
  CHECK_EQ(kill(pid), -1);
  CHECK_EQ(kill(1 << 29), -1);
  CHECK_EQ(kill(-1), -1);
  CHECK_EQ(kill(0), -1);
  pid = fork();
  if (pid == 0)
    pause(100000);
  CHECK_EQ(kill(pid), 0); /* while it sleeps */
  CHECK_EQ(wait(&status), pid);
  CHECK_EQ(status, -1);
}

static void kill_own(void) {
  kill(getpid());
  exit(3);
}

static void identity(void) {
  int fds[2], told = 0, own = getpid();
  CHECK(own > 0);
  CHECK_EQ(pipe(fds), 0);
  int pid = fork();
  if (pid == 0) {
    own = getpid();
    MUST(write(fds[1], &own, sizeof(own)) == sizeof(own));
    exit(0);
  }
  CHECK_EQ(read(fds[0], &told, sizeof(told)), sizeof(told));
  CHECK_EQ(told, pid);
  CHECK_EQ(wait(0), pid);
  close(fds[0]), close(fds[1]);
  CHECK_EQ(status_of(kill_own), -1);
}

static void many(void) {
  enum { N = 100 };
  int seen[N] = {0}, status;
  for (int i = 0; i < N; i++)
    if (fork() == 0)
      exit(i);
  for (int i = 0; i < N; i++) {
    CHECK(wait(&status) > 0);
    if (status >= 0 && status < N)
      seen[status]++;
  }
  for (int i = 0; i < N; i++)
    CHECK_EQ(seen[i], 1);
  CHECK_EQ(wait(&status), -1);
}

/* ---- Time ----------------------------------------------------------------------------------------------------------------------- */
static void ticks(void) {
  int before = uptime();
  CHECK_EQ(pause(3), 0);
  int after = uptime();
  CHECK(after >= before + 3 && after < before + 10);
  CHECK_EQ(sleep(1), 0);
  CHECK(uptime() >= after + 1);
  CHECK_EQ(pause(0), 0);
  CHECK_EQ(pause(-1), 0);
}

/* ---- exec ----------------------------------------------------------------------------------------------------------------------- */
static char output[4096], name_17[] = "12345678901234567";

/* What a program prints, errors too, that is given this to read; its status is checked. */
static int run(char *program, char *argv[], const char *input, int expected) {
  int in[2], out[2], status = 98, used = 0, n;
  CHECK_EQ(pipe(in), 0);
  CHECK_EQ(pipe(out), 0);
  int pid = fork();
  if (pid == 0) {
    close(0), dup(in[0]);
    close(1), dup(out[1]);
    close(2), dup(out[1]);
    close(in[0]), close(in[1]), close(out[0]), close(out[1]);
    exec(program, argv);
    exit(77);
  }
  close(in[0]), close(out[1]);
  CHECK_EQ(write(in[1], input, strlen(input)), strlen(input));
  close(in[1]);
  while ((n = read(out[0], output + used, sizeof(output) - 1 - used)) > 0)
    used += n;
  output[used] = 0;
  close(out[0]);
  CHECK_EQ(wait(&status), pid);
  CHECK_EQ(status, expected);
  return used;
}

#define ARGS(...)                                                                                                    \
  (char *[]) {                                                                                                       \
    __VA_ARGS__, 0                                                                                                   \
  }

static void prints(char *argv[], const char *input, const char *expected) {
  run(argv[0], argv, input, 0);
  CHECK_EQ(strcmp(output, expected), 0);
  if (strcmp(output, expected))
    printf("# it printed: %s\n", output[0] ? output : "nothing");
}

static void execs(void) {
  prints(ARGS("x_echo", "two  words", "", "x"), "", "two  words  x\n"); /* in /bin: it is not here */
  prints(ARGS("/x_echo", "root"), "", "root\n");                        /* where it is on xv6 */
  prints(ARGS("/bin/x_echo"), "", "");
  prints(ARGS("echo", "Quire's own"), "", "Quire's own\n");
  run("x_nothing", ARGS("x_nothing"), "", 77);
  run("./x_echo", ARGS("x_echo"), "", 77);
  run("/tmp", ARGS("tmp"), "", 77);
  CHECK_EQ(link("/bin/x_wc", "x_echo"), 0); /* here comes before /bin */
  prints(ARGS("x_echo"), "a b\n", "1 2 4 \n");
  CHECK_EQ(unlink("x_echo"), 0);
}

/* A program that is written by a program can be run. */
static void execs_copy(void) {
  static char block[BSIZE];
  int n, from = open("/bin/x_echo", O_RDONLY), to = open("copy", O_CREATE | O_WRONLY | O_TRUNC);
  while ((n = read(from, block, sizeof(block))) > 0)
    CHECK_EQ(write(to, block, n), n);
  close(from), close(to);
  prints(ARGS("copy", "works"), "", "works\n");
  CHECK_EQ(unlink("copy"), 0);
  to = open("garbage", O_CREATE | O_WRONLY);
  CHECK_EQ(write(to, "no program", 10), 10);
  close(to);
  run("garbage", ARGS("garbage"), "", 77);
  CHECK_EQ(unlink("garbage"), 0);
}

static char *too_many[MAXARG + 2], long_argument[1000];

static void too_much(void) {
  memset(long_argument, 'x', sizeof(long_argument) - 1);
  for (int i = 0; i < MAXARG + 1; i++)
    too_many[i] = "a";
  MUST(exec("x_echo", too_many) == -1);
  for (int i = 0; i < MAXARG - 1; i++)
    too_many[i] = long_argument;
  too_many[MAXARG - 1] = 0;
  MUST(exec("x_echo", too_many) == -1);
  too_many[1] = (char *)0xffffffff;
  MUST(exec("x_echo", too_many) == -1);
  MUST(exec("x_echo", (char **)0xeaeb0b5b00002f5e) == -1);
  MUST(exec("x_echo", 0) == -1);
  MUST(exec("", ARGS("x")) == -1);
  MUST(exec((char *)KERNBASE, ARGS("x")) == -1);
  exit(4);
}

static void execs_too_much(void) {
  CHECK_EQ(status_of(too_much), 4);
}

/* ---- Descriptors and pipes ----------------------------------------------------------------------------------------------------- */
static void pipes(void) {
  int fds[2], n, total = 0;
  char text[600];
  struct stat st;
  CHECK_EQ(pipe(fds), 0);
  CHECK_EQ(fstat(fds[0], &st), -1);
  int pid = fork();
  if (pid == 0) {
    close(fds[0]);
    for (int i = 0; i < 100; i++) {
      memset(text, i, sizeof(text));
      MUST(write(fds[1], text, sizeof(text)) == sizeof(text));
    }
    exit(0);
  }
  close(fds[1]);
  while ((n = read(fds[0], text, 333)) > 0)
    for (int i = 0; i < n; i++, total++)
      if (text[i] != total / (int)sizeof(text))
        CHECK_EQ(text[i], total / (int)sizeof(text));
  CHECK_EQ(total, 100 * (int)sizeof(text));
  CHECK_EQ(n, 0);
  close(fds[0]);
  CHECK_EQ(wait(0), pid);
  CHECK_EQ(pipe(fds), 0);
  close(fds[0]);
  CHECK_EQ(write(fds[1], "x", 1), -1); /* nobody reads */
  CHECK_EQ(close(fds[1]), 0);
  CHECK_EQ(close(fds[1]), -1);
}

static void dups(void) {
  int fd = open("dup", O_CREATE | O_RDWR), other = dup(fd);
  char back[4] = "";
  CHECK(other > fd);
  CHECK_EQ(write(fd, "ab", 2), 2);
  CHECK_EQ(write(other, "cd", 2), 2); /* one offset */
  close(fd), close(other);
  fd = open("dup", O_RDONLY);
  CHECK_EQ(read(fd, back, 4), 4);
  CHECK_EQ(memcmp(back, "abcd", 4), 0);
  CHECK_EQ(write(fd, "x", 1), -1);
  close(fd);
  CHECK_EQ(dup(fd), -1);
  CHECK_EQ(dup(-1), -1);
  CHECK_EQ(read(fd, back, 1), -1);
  CHECK_EQ(write(fd, back, 1), -1);
  CHECK_EQ(unlink("dup"), 0);
}

static void all_descriptors(void) {
  int fds[2], count = 0;
  while (dup(0) >= 0)
    count++;
  MUST(count == NOFILE - 3);
  MUST(open("more", O_CREATE | O_RDWR) == -1);
  MUST(pipe(fds) == -1);
  exit(unlink("more") ? 6 : 5);
}

static void descriptors_end(void) {
  int status = status_of(all_descriptors);
  CHECK(status == 5 || status == 6); /* whether the file was made first is left open */
}

/* ---- Files ------------------------------------------------------------------------------------------------------------------- */
static void files(void) {
  char back[16] = "";
  struct stat st;
  int fd = open("file", O_CREATE | O_RDWR);
  CHECK(fd > 2);
  CHECK_EQ(write(fd, "0123456789", 10), 10);
  CHECK_EQ(read(fd, back, 5), 0); /* at the end */
  CHECK_EQ(read(fd, back, 0), 0);
  CHECK_EQ(fstat(fd, &st), 0);
  CHECK(st.type == T_FILE && st.nlink == 1 && st.size == 10 && st.dev == ROOTDEV && st.ino > 0);
  close(fd);
  fd = open("file", O_CREATE | O_WRONLY); /* what it holds stays */
  CHECK_EQ(read(fd, back, 1), -1);
  CHECK_EQ(write(fd, "ab", 2), 2);
  close(fd);
  fd = open("file", O_RDONLY);
  CHECK_EQ(read(fd, back, sizeof(back)), 10);
  CHECK_EQ(memcmp(back, "ab23456789", 10), 0);
  close(fd);
  close(open("file", O_TRUNC | O_WRONLY));
  CHECK_EQ(stat("file", &st), 0);
  CHECK_EQ(st.size, 0);
  CHECK_EQ(unlink("file"), 0);
  CHECK_EQ(open("file", O_RDONLY), -1);
  CHECK_EQ(open("nowhere/file", O_CREATE | O_RDWR), -1);
  CHECK_EQ(stat("file", &st), -1);
  CHECK_EQ(unlink("file"), -1);
}

static void big(void) {
  static char block[BSIZE];
  struct stat st;
  int fd = open("big", O_CREATE | O_RDWR);
  for (int i = 0; i < MAXFILE; i++) {
    memset(block, i, sizeof(block));
    CHECK_EQ(write(fd, block, sizeof(block)), sizeof(block));
  }
  close(fd);
  fd = open("big", O_RDONLY);
  CHECK_EQ(fstat(fd, &st), 0);
  CHECK_EQ(st.size, MAXFILE * BSIZE);
  for (int i = 0; i < MAXFILE; i++) {
    CHECK_EQ(read(fd, block, sizeof(block)), sizeof(block));
    CHECK(block[0] == (char)i && block[BSIZE - 1] == (char)i);
  }
  CHECK_EQ(read(fd, block, sizeof(block)), 0);
  close(fd);
  CHECK_EQ(unlink("big"), 0);
}

static void links(void) {
  struct stat one, two;
  close(open("one", O_CREATE | O_RDWR));
  CHECK_EQ(link("one", "two"), 0);
  CHECK_EQ(link("one", "two"), -1);
  CHECK_EQ(link("none", "three"), -1);
  CHECK_EQ(link(".", "three"), -1);
  CHECK_EQ(stat("one", &one), 0);
  CHECK_EQ(stat("two", &two), 0);
  CHECK(one.ino == two.ino && one.nlink == 2);
  CHECK_EQ(unlink("one"), 0);
  CHECK_EQ(stat("two", &two), 0);
  CHECK_EQ(two.nlink, 1);
  int fd = open("two", O_RDWR);
  CHECK_EQ(unlink("two"), 0);
  CHECK_EQ(write(fd, "still", 5), 5); /* as long as it is open */
  CHECK_EQ(fstat(fd, &two), 0);
  CHECK(two.nlink == 0 && two.size == 5);
  close(fd);
}

/* ---- Directories --------------------------------------------------------------------------------------------------------------- */
static void directories(void) {
  struct stat st, up;
  CHECK_EQ(mkdir("d"), 0);
  CHECK_EQ(mkdir("d"), -1);
  CHECK_EQ(mkdir("none/d"), -1);
  CHECK_EQ(stat("d", &st), 0);
  CHECK(st.type == T_DIR && st.nlink == 1);
  CHECK_EQ(chdir("d"), 0);
  CHECK_EQ(mkdir("e"), 0);
  CHECK_EQ(stat("../d", &st), 0);
  CHECK_EQ(st.nlink, 2);
  CHECK_EQ(stat("e/..", &up), 0);
  CHECK_EQ(st.ino, up.ino);
  close(open("e/f", O_CREATE | O_RDWR));
  CHECK_EQ(unlink("e"), -1);
  CHECK_EQ(chdir("e/f"), -1);
  CHECK_EQ(chdir("none"), -1);
  CHECK_EQ(unlink("e/f"), 0);
  CHECK_EQ(unlink("."), -1);
  CHECK_EQ(unlink(".."), -1);
  CHECK_EQ(unlink("/"), -1);
  CHECK_EQ(unlink("e"), 0); /* unlink removes an empty directory */
  CHECK_EQ(chdir(".."), 0);
  CHECK_EQ(open("d", O_WRONLY), -1);
  CHECK_EQ(open("d", O_RDWR), -1);
  CHECK_EQ(open("d", O_CREATE), -1);
  CHECK_EQ(unlink("d"), 0);
}

/* How often the name is among the directory's, and as which inode. */
static int listed(const char *directory, const char *name, uint *inum) {
  struct dirent de[3];
  int n, count = 0, fd = open(directory, O_RDONLY);
  CHECK_EQ(sizeof(*de), 16);
  while ((n = read(fd, de, sizeof(de))) > 0) {
    CHECK_EQ(n % sizeof(*de), 0);
    for (uint i = 0; i < n / sizeof(*de); i++) {
      char text[DIRSIZ + 1] = "";
      memmove(text, de[i].name, DIRSIZ);
      CHECK(de[i].inum != 0);
      if (strcmp(text, name) == 0) {
        count++;
        *inum = de[i].inum;
      }
    }
  }
  CHECK_EQ(n, 0);
  CHECK_EQ(read(fd, de, 0), 0);
  CHECK_EQ(close(fd), 0);
  return count;
}

static void entries(void) {
  uint inum = 0;
  struct stat st;
  char byte;
  CHECK_EQ(mkdir("d"), 0);
  CHECK_EQ(chdir("d"), 0);
  CHECK_EQ(listed(".", ".", &inum), 1);
  CHECK_EQ(stat(".", &st), 0);
  CHECK_EQ((ushort)st.ino, inum);
  CHECK_EQ(listed(".", "..", &inum), 1);
  for (char name[] = "a0"; name[1] <= '9'; name[1]++)
    close(open(name, O_CREATE | O_RDWR));
  CHECK_EQ(unlink("a3"), 0);
  CHECK_EQ(listed(".", "a3", &inum), 0);
  CHECK_EQ(listed(".", "a4", &inum), 1);
  CHECK_EQ(stat("a4", &st), 0);
  CHECK_EQ((ushort)st.ino, inum);
  for (char name[] = "a0"; name[1] <= '9'; name[1]++)
    CHECK_EQ(unlink(name), name[1] == '3' ? -1 : 0);
  int fd = open(".", O_RDONLY);
  CHECK_EQ(read(fd, &byte, 1), -1); /* whole entries only */
  CHECK_EQ(read(fd, (char *)KERNBASE, 16), -1);
  CHECK_EQ(write(fd, &byte, 1), -1);
  close(fd);
  CHECK_EQ(chdir(".."), 0);
  CHECK_EQ(unlink("d"), 0);
}

static void fourteen(void) {
  uint inum;
  close(open(name_17, O_CREATE | O_RDWR));
  CHECK_EQ(listed(".", "12345678901234", &inum), 1);
  CHECK_EQ(mkdir("12345678901234"), -1);
  CHECK_EQ(unlink("123456789012345"), 0); /* the same name */
  CHECK_EQ(mkdir("12345678901234"), 0);
  CHECK_EQ(mkdir("12345678901234/123456789012345"), 0);
  close(open("123456789012345/123456789012345/123456789012345", O_CREATE));
  CHECK_EQ(close(open("12345678901234/12345678901234/12345678901234", O_RDONLY)), 0);
  CHECK_EQ(mkdir("12345678901234/12345678901234"), -1);
  CHECK_EQ(unlink("12345678901234/12345678901234/12345678901234"), 0);
  CHECK_EQ(unlink("123456789012345/12345678901234"), 0);
  CHECK_EQ(unlink(name_17), 0);
  CHECK_EQ(listed("/bin", "x_longer_than_", &inum), 1);
  prints(ARGS("x_longer_than_fourteen", "whole"), "", "whole\n"); /* a longer name that is there is found */
}

static void devices(void) {
  struct stat st;
  CHECK_EQ(open("console", O_RDWR), -1);
  CHECK_EQ(mknod("console", CONSOLE, 0), 0);
  CHECK_EQ(mknod("console", CONSOLE, 0), -1);
  CHECK_EQ(mknod("other", CONSOLE + 1, 0), -1);
  int fd = open("console", O_RDWR);
  CHECK_EQ(fstat(fd, &st), 0);
  CHECK_EQ(st.type, T_DEVICE);
  CHECK_EQ(write(fd, "# to the console\n", 17), 17);
  close(fd);
  CHECK_EQ(unlink("console"), 0);
}

/* ---- Wrong pointers ------------------------------------------------------------------------------------------------------------ */
static void wrong_at(char *at) {
  int fds[2], fd = open("wrong", O_CREATE | O_RDWR);
  CHECK_EQ(write(fd, at, 8192), -1);
  CHECK_EQ(write(fd, "some bytes", 10), 10);
  close(fd);
  fd = open("wrong", O_RDONLY);
  CHECK_EQ(read(fd, at, 8192), -1);
  CHECK_EQ(read(fd, output, -1), -1);
  CHECK_EQ(write(1, output, -1), -1);
  CHECK_EQ(fstat(fd, (struct stat *)at), -1);
  close(fd);
  CHECK_EQ(pipe(fds), 0);
  CHECK_EQ(write(fds[1], at, 100), -1);
  CHECK_EQ(write(fds[1], "x", 1), 1);
  CHECK_EQ(read(fds[0], at, 100), -1);
  close(fds[0]), close(fds[1]);
  CHECK_EQ(pipe((int *)at), -1);
  CHECK_EQ(open(at, O_RDONLY), -1);
  CHECK_EQ(link("wrong", at), -1);
  CHECK_EQ(link(at, "right"), -1);
  CHECK_EQ(unlink(at), -1);
  CHECK_EQ(mkdir(at), -1);
  CHECK_EQ(chdir(at), -1);
  CHECK_EQ(mknod(at, CONSOLE, 0), -1);
  CHECK_EQ(unlink("wrong"), 0);
}

static void wrong_pointers(void) {
  static const uint64 wrong[] = {0, 8, TRAMPOLINE, MAXVA, KERNBASE, 0xeaeb0b5b00002f5e, 0xffffffffffffffff};
  for (uint i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
    wrong_at((char *)wrong[i]);
  wrong_at((char *)PGROUNDUP((uint64)sbrk(0)) + PGSIZE);
}

/* A path that ends where memory does; one that is a byte longer, and so has no end; and too long ones. */
static void paths_at_the_edge(void) {
  static char path[MAXPATH + 1];
  char *end = (char *)PGROUNDUP((uint64)sbrk(0));
  CHECK(sbrk((int)(end - sbrk(0))) != SBRK_ERROR);
  CHECK_EQ(sbrk(PGSIZE), end);
  end += PGSIZE;
  strcpy(end - 5, "/tmp");
  CHECK_EQ(chdir(end - 5), 0);
  end[-1] = 'x';
  CHECK_EQ(chdir(end - 5), -1);
  CHECK(sbrk(-PGSIZE) != SBRK_ERROR);
  memset(path, '/', MAXPATH);
  CHECK_EQ(chdir(path), -1);
  path[MAXPATH - 1] = 0;
  CHECK_EQ(chdir(path), 0);
  CHECK_EQ(chdir("/tmp"), 0);
  memset(path, 'x', MAXPATH);
  CHECK(open(path, O_CREATE | O_RDWR) == -1 && unlink(path) == -1 && link(path, path) == -1);
  CHECK_EQ(chdir(""), -1);
}

/* ---- Memory -------------------------------------------------------------------------------------------------------------------- */
static void breaks(void) {
  char *start = sbrk(0);
  CHECK_EQ(sbrk(100), start);
  CHECK_EQ(sbrk(0), start + 100);
  start[99] = 1;
  CHECK_EQ(sbrk(-100), start + 100);
  CHECK_EQ(sbrk(0), start);
  CHECK_EQ(sbrklazy(64 * MIB), start);
  CHECK(start[0] == 0 && start[32 * MIB] == 0);
  start[64 * MIB - 1] = 1;
  CHECK_EQ(sbrk(-64 * MIB), start + 64 * MIB);
  CHECK_EQ(sys_sbrk(PGSIZE, SBRK_EAGER), start);
  CHECK_EQ(sys_sbrk(PGSIZE, SBRK_LAZY), start + PGSIZE);
  CHECK(start[0] == 0 && start[PGSIZE] == 0);
  CHECK_EQ(sys_sbrk(-2 * PGSIZE, SBRK_LAZY), start + 2 * PGSIZE);
  CHECK_EQ(sbrk(-0x7fffffff), SBRK_ERROR);
  CHECK_EQ(sbrk(0), start);
}

static void lazy_and_eager(void) {
  char *start = sbrk(0);
  CHECK_EQ(sbrk(1 << 30), SBRK_ERROR); /* the machine has 128 MiB */
  CHECK_EQ(sbrk(0), start);
  CHECK_EQ(sbrklazy(1 << 30), start); /* that is only size */
  CHECK_EQ(sbrklazy(1 << 30), start + (1 << 30));
  start[1 << 30] = 7;
  CHECK_EQ(start[1 << 30], 7);
  int fd = open("/dev/zero", O_RDONLY); /* a call may touch it first */
  CHECK_EQ(read(fd, start + 3 * PGSIZE, 2 * PGSIZE), 2 * PGSIZE);
  close(fd);
  CHECK(sbrk(-(1 << 30)) != SBRK_ERROR);
  CHECK(sbrk(-(1 << 30)) != SBRK_ERROR);
  CHECK_EQ(sbrk(0), start);
}

static void touches_all(void) {
  char *start = sbrklazy(1 << 30);
  for (int i = 0; i < 1 << 30; i += PGSIZE)
    start[i] = 1;
}

static void out_of_lazy_memory(void) {
  CHECK_EQ(status_of(touches_all), -1);
}

/* Until there is none, which malloc says; then all of it is given back, and can be had in other sizes. */
static void all_memory(void) {
  char *last = 0, *block;
  int count = 0;
  for (; (block = malloc(10001)); count++) {
    *(char **)block = last;
    block[10000] = 1;
    last = block;
  }
  MUST(count > 5000);
  for (; last; last = block) {
    block = *(char **)last;
    free(last);
  }
  MUST((block = malloc(32 * MIB)) != 0);
  memset(block, 1, 32 * MIB);
  free(block);
  MUST(malloc(0xffffffff) == 0);
  MUST(malloc(0x7fffffff) == 0);
  exit(11);
}

static void allocation(void) {
  enum { N = 64 };
  char *at[N];
  for (int i = 0; i < N; i++) {
    at[i] = malloc(i * 37);
    CHECK(at[i] && (uint64)at[i] % 16 == 0);
    memset(at[i], i, i * 37);
  }
  char *odd = sbrk(5); /* of its own, between */
  CHECK(odd != SBRK_ERROR);
  for (int i = 0; i < N; i += 2)
    free(at[i]);
  for (int i = 0; i < N; i += 2) {
    at[i] = malloc(i * 50);
    memset(at[i], i, i * 50);
  }
  for (int i = 0; i < N; i++) {
    for (int j = 0; j < i * (i % 2 ? 37 : 50); j++)
      if (at[i][j] != i)
        CHECK_EQ(at[i][j], i);
    free(at[i]);
  }
  char *more = malloc(200000); /* from an odd break on */
  CHECK_EQ((uint64)more % 16, 0);
  memset(more, 1, 200000);
  free(more);
  free(0);
  CHECK_EQ(status_of(all_memory), 11);
}

/* ---- Functions ----------------------------------------------------------------------------------------------------------------- */
static void print_all(void) {
  printf("%d %d %d|", 0, -1, -0x7fffffff - 1);
  printf("%u %x %X|", 4294967295u, 0xabcu, 0xdefu);
  printf("%ld %lu %lx|", -(1l << 40), ~0ul, 1ul << 40);
  printf("%lld %llu %llx|", -1ll, ~0ull, 255ull);
  printf("%c%c%s%%|", 'a', 'b', "text");
  printf("%s|", given ? "" : (char *)0);
  printf("%p|", (void *)0xbeef);
  fprintf(1, "%d\n", 5);
}

static const char printed[] = "0 -1 -2147483648|4294967295 ABC DEF|-1099511627776 18446744073709551615 10000000000|"
                              "-1 18446744073709551615 FF|abtext%|(null)|0x000000000000BEEF|5\n";

static void print_long(void) {
  static char text[3000];
  memset(text, 'y', sizeof(text) - 1);
  printf("%s\n", text);
}

/* What a child prints, as far as there is room for it. */
static void capture(void (*body)(void)) {
  int fds[2], used = 0, n;
  CHECK_EQ(pipe(fds), 0);
  if (fork() == 0) {
    close(1), dup(fds[1]);
    close(fds[0]), close(fds[1]);
    body();
    exit(0);
  }
  close(fds[1]);
  while ((n = read(fds[0], output + used, sizeof(output) - 1 - used)) > 0)
    used += n;
  output[used] = 0;
  close(fds[0]);
  CHECK(wait(0) > 0);
}

static void printing(void) {
  given = 0;
  capture(print_all);
  CHECK_EQ(strcmp(output, printed), 0);
  if (strcmp(output, printed))
    printf("# it printed: %s", output);
  capture(print_long);
  CHECK_EQ(strlen(output), 3000);
}

static void strings(void) {
  char text[16] = "abcdefgh";
  CHECK_EQ(strlen(""), 0);
  CHECK_EQ(strlen(text), 8);
  CHECK(strcmp("a", "b") < 0 && strcmp("b", "a") > 0 && strcmp("a", "a") == 0 && strcmp("\x80", "a") > 0);
  CHECK(strchr(text, 'c') == text + 2 && strchr(text, 'x') == 0 && strchr(text, 0) == 0);
  memmove(text + 2, text, 6);
  CHECK_EQ(strcmp(text, "ababcdef"), 0);
  memmove(text, text + 2, 6);
  CHECK_EQ(strcmp(text, "abcdefef"), 0);
  memset(text, 'z', 2);
  memcpy(text + 2, "yy", 2);
  CHECK_EQ(strcmp(text, "zzyyefef"), 0);
  CHECK(memcmp("ab", "ac", 1) == 0 && memcmp("ab", "ac", 2) < 0);
  CHECK_EQ(strcmp(strcpy(text, "copy"), "copy"), 0);
  CHECK(atoi("12") == 12 && atoi("007x") == 7 && atoi("-5") == 0 && atoi(" 5") == 0 && atoi("") == 0);
}

static void line_reader(void) {
  char line[8];
  MUST(strcmp(gets(line, sizeof(line)), "one\n") == 0);
  MUST(strcmp(gets(line, sizeof(line)), "1234567") == 0);
  MUST(strcmp(gets(line, sizeof(line)), "8\n") == 0);
  MUST(strcmp(gets(line, sizeof(line)), "end") == 0);
  MUST(strcmp(gets(line, sizeof(line)), "") == 0);
}

static void read_lines(void) {
  int fds[2];
  pipe(fds);
  write(fds[1], "one\n12345678\nend", 16);
  close(fds[1]);
  close(0), dup(fds[0]);
  line_reader();
}

static void lines(void) {
  CHECK_EQ(status_of(read_lines), 0);
}

/* ---- Programs ------------------------------------------------------------------------------------------------------------------ */
static void sieve(void) {
  prints(ARGS("x_primes"), "", "2\n3\n5\n7\n11\n13\n17\n19\n23\n29\n31\n");
  run("x_primes", ARGS("x_primes", "200"), "", 0);
  CHECK_EQ(strcmp(output + strlen(output) - 8, "197\n199\n"), 0);
}

static void make(const char *path, const char *text) {
  int fd = open(path, O_CREATE | O_TRUNC | O_WRONLY);
  CHECK_EQ(write(fd, text, strlen(text)), strlen(text));
  close(fd);
}

static void tools(void) {
  CHECK(mkdir("t") == 0 && mkdir("t/a") == 0 && mkdir("t/a/b") == 0);
  make("t/x", "one\n"), make("t/a/x", "two words\n"), make("t/a/b/x", "and three more\n"), make("t/a/y", "");
  prints(ARGS("x_find", "t", "x"), "", "t/a/b/x\nt/a/x\nt/x\n");
  prints(ARGS("x_find", "t", "b"), "", "t/a/b\n");
  run("x_find", ARGS("x_find", "none", "b"), "", 1);
  run("x_find", ARGS("x_find"), "", 1);
  prints(ARGS("x_cat", "t/x", "t/a/x"), "", "one\ntwo words\n");
  prints(ARGS("x_cat"), "from a pipe\n", "from a pipe\n");
  prints(ARGS("x_wc", "t/a/b/x"), "", "1 3 15 t/a/b/x\n");
  prints(ARGS("x_ls", "t/a"), "", ". 1 0\n.. 1 0\nb 1 0\nx 2 10\ny 2 0\n");
  prints(ARGS("x_ls", "t/x", "/dev/null"), "", "t/x 2 4\n/dev/null 3 0\n");
  prints(ARGS("x_xargs", "x_wc"), "t/x\nt/a/x\n", "1 1 4 t/x\n1 2 10 t/a/x\n");
  prints(ARGS("x_xargs", "x_echo", "say"), "two words\nlast", "say two words\nsay last\n");
  run("x_xargs", ARGS("x_xargs", "x_cat"), "nothing\n", 1);
  CHECK(unlink("t/a/b/x") == 0 && unlink("t/a/b") == 0 && unlink("t/a/x") == 0 && unlink("t/a/y") == 0);
  CHECK(unlink("t/a") == 0 && unlink("t/x") == 0 && unlink("t") == 0);
}

static void stress(void) {
  prints(ARGS("x_stress"), "", "8 of 8\n");
}

/* What the first use sets up in the server and keeps is set up before anything is counted. */
static void warm_up(void) {
  static char warm[16 * PGSIZE];
  CHECK_EQ(chdir("/tmp"), 0);
  for (int i = 0; i < 130; i++)
    if (fork() == 0) {
      for (int fd = 0; i % 10 == 0 && fd >= 0;)
        fd = dup(0);
      pause(3);
      exit(0);
    }
  while (wait(0) > 0)
    ;
  int fd = open("warm_up", O_CREATE | O_WRONLY);
  for (int i = 0; i < 100; i++)
    CHECK_EQ(write(fd, warm, sizeof(warm)), sizeof(warm));
  close(fd), unlink("warm_up");
  sieve();
  execs_copy();
  stress();
}

static const struct test tests[] = {
    {"a status has 32 bits", statuses},
    {"a fault gives -1", faults},
    {"kill, whatever the other does, and of nobody", kills},
    {"getpid", identity},
    {"a hundred children at a time", many},
    {"pause, sleep and uptime count tenths of a second", ticks},
    {"exec finds programs here, then in /bin", execs},
    {"exec of a copied program, and of garbage", execs_copy},
    {"exec with too many, too long and wrong arguments", execs_too_much},
    {"pipes", pipes},
    {"dup, and what a descriptor may do", dups},
    {"no more descriptors", descriptors_end},
    {"open, read, write, stat, unlink", files},
    {"a file of MAXFILE blocks", big},
    {"link, and an open file without a name", links},
    {"mkdir, chdir, unlink of directories", directories},
    {"directories are read by entries of 16 bytes", entries},
    {"names of more than 14 bytes", fourteen},
    {"mknod of the console", devices},
    {"wrong pointers are errors", wrong_pointers},
    {"paths at the end of memory, and too long ones", paths_at_the_edge},
    {"sbrk and sbrklazy", breaks},
    {"eager memory can be refused, lazy memory is size only", lazy_and_eager},
    {"lazy memory that there is not", out_of_lazy_memory},
    {"malloc and free, until memory is used up", allocation},
    {"printf", printing},
    {"strings", strings},
    {"gets", lines},
    {"a sieve of processes", sieve},
    {"find, xargs, cat, wc, ls", tools},
    {"processes that fork and write at the same time", stress},
};

int main(void) {
  warm_up();
  exit(tap_run("xv6", tests, sizeof(tests) / sizeof(*tests)));
}
