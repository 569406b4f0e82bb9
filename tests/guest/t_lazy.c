/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory that comes when it is touched: what the suites lazytests and usertests of the teaching kernel xv6 are known to
 * provoke, whose names stand before the hazards here. Plain POSIX, so that Linux runs it too (unix.h). */
#include "unix.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <spawn.h>
#ifdef __linux__
#include <sys/resource.h>
#endif

extern char **environ;

/* Addresses that are nobody's to use: null, far above the break, below and at the end of the user's half, then the kernel's
 * in all the ways it sees memory. */
static const uintptr_t bad[] = {0,
                                1,
                                0x80000000,
                                0x3fff000000,
                                0x3ffffff000,
                                0x3fffffffff,
                                0x4000000000,
                                0x8000000000,
                                0x8000000000000000,
                                0xffffffbfffffffff,
                                0xffffffc000000000,
                                0xffffffc080000000,
                                0xffffffff80000000,
                                0xfffffffffffff000,
                                0xffffffffffffffff};
#define BADS (sizeof bad / sizeof *bad)

static void read_given(void) {
  (void)*(volatile char *)given;
}

static void write_given(void) {
  *(volatile char *)given = 1;
}

static void run_given(void) {
  ((body *)given)();
}

static void deadly(body *touch, uintptr_t address) {
  dies(begin_on(touch, address), SIGSEGV);
}

/* ---- The break ------------------------------------------------------------------------------------------------------------- */
static void sparse_body(void) {
  char *base = fresh(GIB / PAGE);
  for (long at = 0; at < GIB; at += 64 * PAGE)
    *(char **)(base + at) = base + at;
  for (long at = 0; at < GIB; at += 64 * PAGE)
    MUST(*(char **)(base + at) == base + at);
  MUST(zero(base + 8, PAGE - 8));
}

static void sparse_memory(void) {
  exits(begin(sparse_body), 0);
}

static void unmapped_body(void) {
  drop(GIB / PAGE);
  *(volatile char *)given = 2;
}

static void sparse_memory_unmap(void) {
  char *base = fresh(GIB / PAGE);
  for (long at = 0; at < GIB; at += 16 * MIB)
    base[at] = 1;
  for (long at = 0; at < GIB; at += 16 * MIB) {
    deadly(unmapped_body, (uintptr_t)base + (uintptr_t)at);
    CHECK_EQ(base[at], 1);
  }
  drop(GIB / PAGE);
}

static void basic_body(void) {
  char *base = sbrk(0);
  for (long i = 0; i < 5000; i++) {
    char *at = sbrk(1);
    MUST(at == base + i);
    MUST_EQ(*at, 0);
    *at = 1;
  }
  pid_t pid = fork();
  if (!pid) {
    char *first = sbrk(1), *second = sbrk(1);
    MUST(first == base + 5000 && second == first + 1);
    _exit(0);
  }
  exits(pid, 0);
  MUST(sbrk(0) == base + 5000);
}

static void sbrkbasic(void) {
  char *end = sbrk(0);
  FAILS((intptr_t)sbrk(INTPTR_MAX), ENOMEM);
  FAILS((intptr_t)sbrk(1l << 46), ENOMEM);
  CHECK(sbrk(0) == end);
  exits(begin(basic_body), 0);
  CHECK(sbrk(0) == end);
}

static void much_body(void) {
  char *base = fresh(64 * MIB / PAGE);
  for (long at = 0; at < 64 * MIB; at += PAGE)
    base[at] = 1;
  base[64 * MIB - 1] = 99;
  MUST(sbrk(-PAGE) == base + 64 * MIB);
  MUST(sbrk(0) == base + 63 * MIB + MIB - PAGE);
  MUST(sbrk(PAGE) == base + 64 * MIB - PAGE);
  MUST_EQ(base[64 * MIB - 1], 0);
  MUST(sbrk(-64 * MIB) == base + 64 * MIB);
  MUST(sbrk(64 * MIB) == base);
  for (long at = 0; at < 64 * MIB; at += MIB)
    MUST_EQ(base[at], 0);
}

static void sbrkmuch(void) {
  exits(begin(much_body), 0);
}

static struct gate ready;

static void want_much(void) {
  char *base = fresh(32 * MIB / PAGE);
  for (long at = 0; at < 32 * MIB; at += PAGE)
    base[at] = 1;
  gate_open(&ready);
  for (;;)
    sleep(1000);
}

/* As many as there is not memory for. Each of them either has its memory or has ended; then one that was killed. */
static void sbrkfail(void) {
  pid_t pid[10];
  struct gate had[10];
  char byte;
  unsigned served = 0;
  for (unsigned i = 0; i < 10; i++) {
    gate_make(&had[i]);
    ready = had[i];
    pid[i] = begin(want_much);
    close(had[i].fd[1]);
  }
  for (unsigned i = 0; i < 10; i++)
    served += read(had[i].fd[0], &byte, 1) == 1;
#ifdef __linux__ /* the build machine has 320 MiB to spare */
  CHECK_EQ(served, 10);
#else
  CHECK(served > 0 && served < 10);
#endif
  for (unsigned i = 0; i < 10; i++) {
    kill(pid[i], SIGKILL);
    dies(pid[i], SIGKILL);
    close(had[i].fd[0]);
  }
  *(volatile char *)fresh(1) = 1;
  drop(1);
}

static void sbrkarg(void) {
  char *page = fresh(3);
  int fd = open("arg", O_CREAT | O_RDWR | O_TRUNC, 0644);
  CHECK_EQ(write(fd, page, PAGE), PAGE);
  int *fds = (int *)(page + PAGE);
  CHECK_EQ(pipe(fds), 0);
  CHECK_EQ(pread(fd, page + 2 * PAGE, PAGE, 0), PAGE);
  CHECK(zero(page + 2 * PAGE, PAGE));
  close(fd), close(fds[0]), close(fds[1]);
  CHECK_EQ(unlink("arg"), 0);
  drop(3);
}

/* All of it, all but less than a page, and to the middle of a page and a little less. */
static void shrink_to(intptr_t less) {
  char *end = sbrk(0), *old = sbrk(less - (intptr_t)end);
#ifndef __linux__ /* whose C library takes the break as it was for success */
  MUST(old == (char *)-1);
#endif
  MUST(old == end || old == (char *)-1);
  MUST(sbrk(0) == end);
}

static void shrink_to_nothing(void) {
  shrink_to(0);
}

static void shrink_to_first_page(void) {
  shrink_to(3500);
}

static void shrink_within_page(void) {
  char *base = fresh(11);
  base[10 * PAGE + 2047] = 5;
  sbrk(-2048);
  MUST(sbrk(-10) == base + 10 * PAGE + 2048);
  sbrk(10);
  MUST(sbrk(0) == base + 10 * PAGE + 2048);
}

static void sbrkbugs(void) {
  exits(begin(shrink_to_nothing), 0);
  exits(begin(shrink_to_first_page), 0);
  exits(begin(shrink_within_page), 0);
}

/* The last page is a part of one: a string and a buffer that end with it. */
static void last_body(void) {
  fresh(1);
  sbrk(10), sbrk(-20);
  char *end = sbrk(0), *name = end - 64;
  MUST(zero(name, 64));
  strcpy(name, "x");
  int fd = open(name, O_RDWR | O_CREAT, 0644);
  MUST(fd >= 0);
  MUST_EQ(write(fd, name, 1), 1);
  close(fd);
  fd = open(name, O_RDWR);
  name[0] = 0;
  MUST_EQ(read(fd, end - 1, 1), 1);
  MUST_EQ(end[-1], 'x');
  MUST_EQ(unlink("x"), 0);
}

static void sbrklast(void) {
  exits(begin(last_body), 0);
}

/* A size that is negative to whoever keeps it in an int. */
static void body_8000(void) {
  char *base = sbrk(0x80000004l);
  MUST(base != (char *)-1);
  char *end = sbrk(0);
  MUST_EQ(end - base, 0x80000004l);
  end[-1]++;
  MUST_EQ(end[-1], 1);
  MUST(sbrk(-0x80000004l) == end);
}

static void sbrk8000(void) {
  exits(begin(body_8000), 0);
}

/* ---- Lazy ------------------------------------------------------------------------------------------------------------------ */
static void lazy_alloc(void) {
  volatile char *base = fresh(GIB / PAGE);
  for (long at = 0; at < GIB; at += 4 * MIB) {
    CHECK_EQ(base[at + 77], 0);
    base[at + 78] = 3;
    CHECK_EQ(base[at + 77], 0);
  }
  for (long at = 0; at < GIB; at += 4 * MIB)
    CHECK_EQ(base[at + 78], 3);
  drop(GIB / PAGE);
}

static void lazy_unmap(void) {
  volatile char *base = fresh(GIB / PAGE);
  for (unsigned round = 0; round < 3; round++) {
    for (long at = 0; at < GIB; at += 8 * MIB) {
      CHECK_EQ(base[at], 0);
      base[at] = 1;
    }
    drop(GIB / PAGE);
    deadly(read_given, (uintptr_t)base);
    CHECK(fresh(GIB / PAGE) == base);
  }
  drop(GIB / PAGE);
}

/* Pages amid nothing, as buffers; then what is nobody's beside them. */
static void lazy_copy(void) {
  char *base = fresh(GIB / PAGE);
  int fd = make_file("copy", "0123456789", 10);
  for (long at = 3 * PAGE - 5; at < GIB; at += 128 * MIB) {
    CHECK_EQ(pread(fd, base + at, 10, 0), 10); /* across two pages */
    CHECK(!memcmp(base + at, "0123456789", 10));
    CHECK(zero(base + at + 10, PAGE));
    CHECK_EQ(pwrite(fd, base + at + 20 * PAGE, 10, 10), 10);
  }
  for (unsigned i = 0; i < BADS; i++) {
    FAILS(pread(fd, (char *)bad[i], 10, 0), EFAULT);
    FAILS(pwrite(fd, (char *)bad[i], 10, 0), EFAULT);
  }
  FAILS(pread(fd, base + GIB, 10, 0), EFAULT);
  drop(GIB / PAGE);
  FAILS(pread(fd, base, 10, 0), EFAULT);
  close(fd);
  CHECK_EQ(unlink("copy"), 0);
}

#ifdef __linux__ /* which keeps other things below its address space's end, and counts what it promises */
static intptr_t room(void) {
  return 4 * GIB;
}
#else
static intptr_t room(void) {
  return (intptr_t)P_BREAK_MAX - (intptr_t)sbrk(0);
}
#endif

static void to_the_end(void) {
  intptr_t bytes = room();
  char *base = sbrk(bytes);
  MUST(base != (char *)-1);
  base[bytes - 1] = 1;
  base[bytes / 2] = 1;
#ifndef __linux__
  MUST_FAIL((intptr_t)sbrk(1), ENOMEM);
#endif
  pid_t pid = begin(read_given); /* what it has of these costs a fork no more than two pages */
  exits(pid, 0);
}

static void lazy_sbrk(void) {
  uint64_t start = milliseconds();
  exits(begin_on(to_the_end, (uintptr_t)&start), 0);
  CHECK(milliseconds() - start < 1000);
}

static void mem_body(void) {
  char **list = NULL, **block;
  long count = 0;
  for (; count < 32 * MIB / 10001; count++) {
    MUST((block = malloc(10001)) != NULL);
    ((char *)block)[10000] = (char)count;
    *block = (char *)list;
    list = block;
  }
  for (; list; list = block) {
    block = (char **)*list;
    MUST_EQ(((char *)list)[10000], (char)--count);
    free(list);
  }
  MUST((block = malloc(20 * 1024)) != NULL);
  free(block);
}

static void mem(void) {
  exits(begin(mem_body), 0);
}

static char never_set[MIB];

static void bss_body(void) {
  MUST(zero(never_set, sizeof never_set));
  fill(never_set, sizeof never_set, 4);
  MUST(filled(never_set, sizeof never_set, 4));
}

static void bsstest(void) {
  CHECK(zero(never_set, sizeof never_set));
  exits(begin(bss_body), 0);
  CHECK(zero(never_set, sizeof never_set));
}

/* ---- Out of memory ----------------------------------------------------------------------------------------------------------- */
#ifdef __linux__ /* the build machine's memory is not to be used up: growth is limited there, and refused */
static void limit(void) {
  struct rlimit most = {256 * MIB, 256 * MIB};
  MUST_EQ(setrlimit(RLIMIT_AS, &most), 0);
}
#else
static void limit(void) {
}
#endif

static void eat_everything(void) {
  limit();
  for (char *at; (at = sbrk(4 * MIB)) != (char *)-1;)
    for (long i = 0; i < 4 * MIB; i += PAGE)
      at[i] = 1;
#ifdef __linux__
  kill(getpid(), SIGKILL);
#endif
}

/* Somebody else, with memory of its own, who must not notice. */
static struct gate asleep, awake;

static void bystander(void) {
  char *base = fresh(100);
  fill(base, 100 * PAGE, 8);
  gate_open(&asleep);
  gate_pass(&awake);
  MUST(filled(base, 100 * PAGE, 8));
  *(volatile char *)fresh(1) = 1;
}

static void oom(void) {
  char *own = fresh(50);
  fill(own, 50 * PAGE, 3);
  gate_make(&asleep), gate_make(&awake);
  pid_t other = begin(bystander);
  gate_pass(&asleep);
  for (unsigned i = 0; i < 3; i++)
    dies(begin(eat_everything), SIGKILL);
  CHECK(filled(own, 50 * PAGE, 3));
  gate_open(&awake);
  exits(other, 0);
  gate_close(&asleep), gate_close(&awake);
  drop(50);
}

/* Almost all memory is in use, and the rest is wanted to copy what two share: the one that writes ends, the other keeps it. */
static void copy_all(void) {
  for (long i = 0; i < 80 * MIB; i += PAGE)
    ((char *)given)[i]++;
}

static void copy_too_much(void) {
  copy_all();
#ifdef __linux__ /* the build machine has that much */
  kill(getpid(), SIGKILL);
#endif
}

static void share_much(void) {
  char *base = fresh(80 * MIB / PAGE);
  for (long i = 0; i < 80 * MIB; i += PAGE)
    base[i] = (char)(i >> 12);
  dies(begin_on(copy_too_much, (uintptr_t)base), SIGKILL);
  for (long i = 0; i < 80 * MIB; i += PAGE)
    MUST_EQ(base[i], (char)(i >> 12));
  copy_all(); /* the last sharer needs no more */
}

static void oom_copy_on_write(void) {
  exits(begin(share_much), 0);
}

/* Who takes all memory waits at this gate: whoever began it runs beside it, and has its own copies by then of what it writes
 * while it waits for its end. */
static struct gate want;

static void begin_want(pid_t pid) {
  CHECK_EQ(waitpid(pid, NULL, WNOHANG), 0);
  gate_open(&want);
}

/* Memory but for so many pages is in use. */
#ifdef __linux__ /* where a limit is for one process: nobody else takes of it */
static void fill_memory(long spare) {
  limit();
  while (sbrk(16 * PAGE) != (void *)-1)
    ;
  sbrk(-spare * PAGE);
}

static void take_most(void) {
  gate_pass(&want);
  gate_open(&ready);
}
#else
static void fill_memory(long spare) {
  free_frames(); /* drops what could be dropped later */
  fresh(0);
  for (long pages = 256; pages; pages /= 4)
    while (p_sbrk_bytes(pages * PAGE, P_SBRK_POPULATE) >= 0)
      ;
  drop(spare);
}

static void take_most(void) {
  gate_pass(&want);
  fill_memory(300);
  gate_open(&ready);
  for (;;)
    sleep(1000);
}
#endif

static bool want_of_memory(int error) {
  return error == ENOMEM || error == EAGAIN || error == ENFILE;
}

static void pass_and_fill(void) {
  gate_pass(&want);
  fill_memory((long)given);
}

static void exec_in_want(void) {
  char *argv[] = {"t_lazy", "child", NULL};
  pass_and_fill();
  execv(own_program, argv);
  MUST(want_of_memory(errno));
  _exit(3);
}

static void fork_in_want(void) {
  pass_and_fill();
  pid_t pid = fork();
  if (!pid)
    _exit(0);
  if (pid < 0 && !want_of_memory(errno))
    _exit(1);
  if (pid > 0)
    waitpid(pid, NULL, 0);
}

static void pipe_in_want(void) {
  int fd[2];
  char byte = 'x';
  pass_and_fill();
  if (pipe(fd))
    _exit(want_of_memory(errno) ? 3 : 1);
  if (write(fd[1], &byte, 1) < 0)
    _exit(want_of_memory(errno) ? 3 : 1);
  if (read(fd[0], &byte, 1) != 1 || byte != 'x')
    _exit(1);
}

static void open_in_want(void) {
  pass_and_fill();
  int fd = open("want", O_CREAT | O_RDWR, 0644);
  if (fd < 0 || write(fd, own_program, 4) != 4)
    _exit(want_of_memory(errno) || errno == ENOSPC ? 3 : 1);
}

/* Only when its own children have ended, too, is there memory again. */
static int status_in_want(body *call, uintptr_t spare) {
  struct gate descendants;
  char byte;
  gate_make(&descendants);
  pid_t pid = begin_on(call, spare);
  MUST_EQ(close(descendants.fd[1]), 0);
  begin_want(pid);
  int status = status_of(pid);
  MUST_EQ(read(descendants.fd[0], &byte, 1), 0); /* nobody has the other end */
  MUST_EQ(close(descendants.fd[0]), 0);
  return status;
}

/* It works, or it says that there is no memory, or the program ends for want of it; and nothing stays behind. */
static void in_want(body *call) {
  gate_make(&ready);
  gate_make(&want);
  pid_t most = begin(take_most);
  begin_want(most);
  gate_pass(&ready);
  for (uintptr_t spare = 0; spare < 60; spare++) {
    int status = status_in_want(call, spare);
    bool ended =
        WIFSIGNALED(status) ? WTERMSIG(status) == SIGKILL : WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 3;
    if (!ended || (spare == 59 && status)) /* that is enough for all of them */
      CHECK_EQ(status, (int)spare);
  }
  kill(most, SIGKILL);
  waitpid(most, NULL, 0);
  gate_close(&want);
  gate_close(&ready);
}

static void execout(void) {
  in_want(exec_in_want);
}

static void forkout(void) {
  in_want(fork_in_want);
}

static void pipeout(void) {
  in_want(pipe_in_want);
}

static void openout(void) {
  in_want(open_in_want);
  unlink("want");
}

/* ---- Touching what is nobody's ---------------------------------------------------------------------------------------------- */
#ifdef __linux__ /* the stack may grow to its limit wherever sp is, and is followed by a gap */
#define BELOW_STACK (64 * MIB)
#else
#define BELOW_STACK PAGE
#endif

static void below_stack(void) {
  char here;
  given = (uintptr_t)&here - (uintptr_t)BELOW_STACK;
  read_given();
}

__attribute__((noinline)) static int deeper(int depth) {
  volatile char frame[1024];
  frame[0] = (char)depth;
  int below = depth ? deeper(depth - 1) : 0;
  return below + (frame[0] == (char)depth);
}

static void deep_stack(void) {
  MUST_EQ(deeper(4000), 4001); /* over 4 MiB of the 8 */
}

static void endless_stack(void) {
  deeper(INT32_MAX);
}

static void stacktest(void) {
  dies(begin(below_stack), SIGSEGV);
  exits(begin(deep_stack), 0);
  dies(begin(endless_stack), SIGSEGV);
}

static void kernmem(void) {
  for (uintptr_t at = 0; at < 2000000; at += 100000)
    deadly(read_given, 0xffffffff80000000 + at);
  for (uintptr_t at = 0; at < 2000000; at += 400000)
    deadly(read_given, 0xffffffc080000000 + at);
  for (unsigned i = 0; i < BADS; i++)
    deadly(read_given, bad[i]);
}

static void maxvaplus(void) {
  for (uintptr_t at = 0x4000000000; at; at <<= 1)
    deadly(write_given, at);
}

static const char constant[] = "constant";

static void nowrite(void) {
  deadly(write_given, (uintptr_t)nowrite);
  deadly(write_given, (uintptr_t)constant);
  for (unsigned i = 0; i < BADS; i++)
    deadly(write_given, bad[i]);
  int fd = make_file("nowrite", "abcdef", 6);
  FAILS(pread(fd, (void *)(uintptr_t)nowrite, 6, 0), EFAULT);
  FAILS(pread(fd, (void *)(uintptr_t)constant, 6, 0), EFAULT);
  CHECK(!strcmp(constant, "constant"));
  close(fd);
  CHECK_EQ(unlink("nowrite"), 0);
}

static void norun(void) {
  char *page = fresh(1);
  *page = 1;
  deadly(run_given, (uintptr_t)page);
  deadly(run_given, (uintptr_t)never_set);
  deadly(run_given, (uintptr_t)constant & ~7ul);
  drop(1);
}

/* ---- Pointers that are nobody's, given to calls ------------------------------------------------------------------------------ */
static void copyin(void) {
  struct gate pipe;
  gate_make(&pipe);
  int fd = make_file("copyin", "", 0);
  for (unsigned i = 0; i < BADS; i++) {
    FAILS(write(fd, (char *)bad[i], 8192), EFAULT);
    FAILS(write(1, (char *)bad[i], 8192), EFAULT);
    FAILS(write(pipe.fd[1], (char *)bad[i], 8192), EFAULT);
  }
  CHECK_EQ(lseek(fd, 0, SEEK_END), 0);
  gate_close(&pipe);
  close(fd);
  CHECK_EQ(unlink("copyin"), 0);
}

static void copyout(void) {
  struct gate pipe;
  gate_make(&pipe);
  int fd = make_file("copyout", "0123456789", 10);
  for (unsigned i = 0; i < BADS; i++) {
    FAILS(read(fd, (char *)bad[i], 8192), EFAULT);
    gate_open(&pipe);
    FAILS(read(pipe.fd[0], (char *)bad[i], 8192), EFAULT);
    gate_pass(&pipe); /* what could not be taken is still there */
  }
  gate_close(&pipe);
  close(fd);
  CHECK_EQ(unlink("copyout"), 0);
}

static void rwsbrk(void) {
  char *gone = fresh(2);
  drop(2);
  int fd = make_file("rwsbrk", "0123456789", 10);
  FAILS(pwrite(fd, gone + PAGE, 1024, 0), EFAULT);
  FAILS(pread(fd, gone + PAGE, 10, 0), EFAULT);
  close(fd);
  CHECK_EQ(unlink("rwsbrk"), 0);
}

static void argptest(void) {
  int fd = make_file("argptest", "0123456789", 10);
  char *end = sbrk(0);
  CHECK_EQ(read(fd, end - 1, (size_t)-1), -1);
  CHECK(errno == EFAULT || errno == EINVAL);
  CHECK_EQ(pwrite(fd, end - 1, (size_t)-1, 0), -1);
  CHECK(errno == EFAULT || errno == EINVAL);
  close(fd);
  CHECK_EQ(unlink("argptest"), 0);
}

/* Calls with a path. The C library of Quire measures a string, which the program itself does then: a bad one may end it with
 * SIGSEGV, as POSIX allows (XSH 2.3, EFAULT is optional), or be answered with EFAULT. */
static int open_path(char *p) {
  return open(p, O_CREAT | O_WRONLY, 0644);
}

static int link_from(char *p) {
  return link(p, "linked");
}

static int link_to(char *p) {
  return link(own_program, p);
}

static int rename_from(char *p) {
  return rename(p, "renamed");
}

static int rename_to(char *p) {
  return rename("nothing", p);
}

static int make_directory(char *p) {
  return mkdir(p, 0755);
}

static int stat_path(char *p) {
  struct stat s;
  return stat(p, &s);
}

static int exec_path(char *p) {
  return execv(p, (char *[]){"t_lazy", "child", NULL});
}

static int unlink_path(char *p) {
  return unlink(p);
}

static int remove_directory(char *p) {
  return rmdir(p);
}

static int change_directory(char *p) {
  return chdir(p);
}

static int spawn_path(char *p) {
  pid_t pid;
  errno = posix_spawn(&pid, p, NULL, NULL, (char *[]){"t_lazy", "child", NULL}, environ);
  return errno ? -1 : 0;
}

static int (*const path_calls[])(char *p) = {open_path,        unlink_path, link_from,      link_to,
                                             rename_from,      rename_to,   make_directory, remove_directory,
                                             change_directory, stat_path,   exec_path,      spawn_path};
#define PATH_CALLS (sizeof path_calls / sizeof *path_calls)
static unsigned which;

static void call_given(void) {
  errno = 0;
  MUST_EQ(path_calls[which]((char *)given), -1);
  _exit(errno == EFAULT ? 0 : 2);
}

/* Refused, whoever finds out. link_from() and the like would say ENOENT only after both strings were had. */
static void refused(body *call, uintptr_t p) {
  int status = status_of(begin_on(call, p));
  bool good = WIFSIGNALED(status) ? WTERMSIG(status) == SIGSEGV : WEXITSTATUS(status) == 0;
  if (!good)
    printf("# call %u with %lx: status %x\n", which, (unsigned long)p, (unsigned)status);
  CHECK(good);
}

static void copyinstr1(void) {
  for (which = 0; which < PATH_CALLS; which++)
    for (unsigned i = 0; i < BADS; i++)
      refused(call_given, bad[i]);
}

static void copyinstr2(void) {
  static char path[5001], part[300];
  memset(path, 'x', sizeof path - 1);
  memset(part, 'y', sizeof part - 1);
  for (which = 0; which < PATH_CALLS; which++) {
    if (path_calls[which] == rename_to)
      continue; /* which of two errors it says is free */
    FAILS(path_calls[which](path), ENAMETOOLONG);
    FAILS(path_calls[which](part), ENAMETOOLONG);
  }
}

static char *unended(const char *text) {
  char *end = fresh(1) + PAGE;
  return memcpy(end - strlen(text), text, strlen(text));
}

static void copyinstr3(void) {
  uintptr_t path = (uintptr_t)unended("lazy.x");
  for (which = 0; which < PATH_CALLS; which++)
    refused(call_given, path);
  drop(1);
}

static void bad_exec(void) {
  char *argv[] = {(char *)given, NULL};
  errno = 0;
  execv(own_program, argv);
  _exit(errno == EFAULT ? 0 : 2);
}

static void bad_list(void) {
  errno = 0;
  execv(own_program, (char **)given);
  _exit(errno == EFAULT ? 0 : 2);
}

static void bad_pipe(void) {
  errno = 0;
  pipe((int *)given);
  _exit(errno == EFAULT ? 0 : 2);
}

static void pgbug(void) {
  which = 10;
  refused(call_given, 0xeaeb0b5b00002f5e);
  refused(bad_pipe, 0xeaeb0b5b00002f5e);
  for (unsigned i = 0; i < BADS; i++)
    refused(bad_pipe, bad[i]);
}

static void badarg(void) {
  for (unsigned round = 0; round < 50; round++)
    refused(bad_exec, 0xffffffff);
  for (unsigned i = 0; i < BADS; i++) {
    if (bad[i])
      refused(bad_exec, bad[i]);
    if (bad[i] > 1)
      refused(bad_list, bad[i] & ~7ul);
  }
  refused(bad_exec, (uintptr_t)unended("argument"));
  uintptr_t last = (uintptr_t)sbrk(0) - 8;
  *(const char **)last = own_program; /* a list with no end */
  refused(bad_list, last);
  drop(1);
}

static void link_given(void) {
  errno = 0;
  MUST_EQ(link("nosuchfile", (char *)given), -1);
}

/* Whatever there is of a program, and what there is not, as a path. */
static void validatetest(void) {
  for (uintptr_t p = 0; p <= 1100 * 1024; p += PAGE)
    refused(link_given, p);
  uintptr_t text = (uintptr_t)validatetest & ~(uintptr_t)(PAGE - 1);
  for (uintptr_t p = text - 4 * PAGE; p < text + 64 * PAGE; p += PAGE)
    refused(link_given, p);
}

/* Too much, in one argument and in all of them. */
static void bigargtest(void) {
  static char one[MIB], part[120 * 1024];
  char *argv[33] = {"t_lazy", one, NULL};
  memset(one, 'a', sizeof one - 1);
  memset(part, 'b', sizeof part - 1);
  FAILS(execv(own_program, argv), E2BIG);
  for (unsigned i = 0; i < 32; i++)
    argv[i] = part;
  FAILS(execv(own_program, argv), E2BIG);
  memset(one, 0, sizeof one);
  memset(part, 0, sizeof part);
}

/* ---- Calls whose memory is not there yet ------------------------------------------------------------------------------------- */
#define BYTES 64
static char pattern[BYTES];

/* Each with BYTES at p, which it leaves as it finds them or fills with pattern; whether all went well. */
static bool call_write(char *p) {
  char back[BYTES];
  int fd = make_file("call", "", 0);
  bool good = write(fd, p, BYTES) == BYTES && pread(fd, back, BYTES, 0) == BYTES && !memcmp(back, p, BYTES);
  return !close(fd) && good;
}

static bool call_pwrite(char *p) {
  char back[BYTES];
  int fd = make_file("call", "", 0);
  bool good = pwrite(fd, p, BYTES, 5000) == BYTES && pread(fd, back, BYTES, 5000) == BYTES && !memcmp(back, p, BYTES);
  return !close(fd) && good;
}

static bool call_read(char *p) {
  int fd = make_file("call", pattern, BYTES);
  bool good = read(fd, p, BYTES) == BYTES && !memcmp(p, pattern, BYTES);
  return !close(fd) && good;
}

static bool call_pread(char *p) {
  int fd = make_file("call", pattern, BYTES);
  bool good = pread(fd, p, BYTES, 0) == BYTES && !memcmp(p, pattern, BYTES);
  return !close(fd) && good;
}

static bool call_pipe_write(char *p) {
  char back[BYTES];
  int fd[2];
  MUST_EQ(pipe(fd), 0);
  bool good = write(fd[1], p, BYTES) == BYTES && read(fd[0], back, BYTES) == BYTES && !memcmp(back, p, BYTES);
  return !close(fd[0]) && !close(fd[1]) && good;
}

static bool call_pipe_read(char *p) {
  int fd[2];
  MUST_EQ(pipe(fd), 0);
  MUST_EQ(write(fd[1], pattern, BYTES), BYTES);
  bool good = read(fd[0], p, BYTES) == BYTES && !memcmp(p, pattern, BYTES);
  return !close(fd[0]) && !close(fd[1]) && good;
}

static bool call_pipe(char *p) {
  int *fd = (int *)(p + BYTES / 2 - sizeof *fd); /* crosses where the page does */
  return !pipe(fd) && fd[0] != fd[1] && !close(fd[0]) && !close(fd[1]);
}

static bool call_getcwd(char *p) {
  char back[BYTES];
  return getcwd(p, BYTES) == p && getcwd(back, BYTES) && !strcmp(back, p);
}

static bool call_fstat(char *p) {
  struct stat *s = (struct stat *)(p + BYTES / 2 - 16);
  int fd = make_file("call", pattern, BYTES);
  bool good = !fstat(fd, s) && s->st_size == BYTES;
  return !close(fd) && good;
}

static void exit_5(void) {
  _exit(5);
}

static bool call_waitpid(char *p) {
  int *status = (int *)(p + BYTES / 2);
  pid_t pid = begin(exit_5);
  return waitpid(pid, status, 0) == pid && WEXITSTATUS(*status) == 5;
}

static bool call_open(char *p) {
  strcpy(p + BYTES / 2 - 3, "lazy.p");
  int fd = open(p + BYTES / 2 - 3, O_CREAT | O_RDWR, 0644);
  return fd >= 0 && !close(fd) && !unlink(p + BYTES / 2 - 3);
}

static bool call_rename(char *p) {
  char *from = p + BYTES / 2 - 3, *to = from + 10;
  strcpy(from, "lazy.p");
  strcpy(to, "lazy.q");
  close(make_file(from, "", 0));
  return !rename(from, to) && !link(to, from) && !unlink(from) && !unlink(to);
}

static bool call_directory(char *p) {
  strcpy(p + BYTES / 2 - 3, "lazy.d");
  char *path = p + BYTES / 2 - 3;
  return !mkdir(path, 0755) && !chdir(path) && !chdir("..") && !rmdir(path);
}

static bool call_spawn(char *p) {
  char **argv = (char **)(p + BYTES / 2 - 8);
  pid_t *pid = (pid_t *)(argv + 3);
  strcpy((char *)(argv + 4), "t_lazy");
  argv[0] = (char *)(argv + 4), argv[1] = "child", argv[2] = NULL;
  int status = -1;
  return !posix_spawn(pid, own_program, NULL, NULL, argv, environ) && waitpid(*pid, &status, 0) == *pid && !status;
}

static void exec_at_given(void) {
  char **argv = (char **)(given + BYTES / 2 - 8);
  strcpy((char *)(argv + 3), "t_lazy");
  argv[0] = (char *)(argv + 3), argv[1] = "child", argv[2] = NULL;
  execv(own_program, argv);
}

static bool call_exec(char *p) {
  return !status_of(begin_on(exec_at_given, (uintptr_t)p));
}

static const struct pointer_call {
  const char *name;
  bool (*make)(char *p);
  unsigned valid; /* so many bytes at p are not enough, if that is not BYTES / 2 */
} pointer_calls[] = {{"write", call_write},
                     {"pwrite", call_pwrite},
                     {"read", call_read},
                     {"pread", call_pread},
                     {"pipe write", call_pipe_write},
                     {"pipe read", call_pipe_read},
                     {"pipe", call_pipe},
                     {"getcwd", call_getcwd, 3},
                     {"fstat", call_fstat},
                     {"waitpid", call_waitpid, BYTES / 2 + 2},
                     {"open", call_open},
                     {"rename", call_rename},
                     {"mkdir", call_directory},
                     {"posix_spawn", call_spawn},
                     {"exec", call_exec}};
#define POINTER_CALLS (sizeof pointer_calls / sizeof *pointer_calls)

static void make_call(void) {
  MUST(pointer_calls[which].make((char *)given));
}

/* Each in a child of its own, for which the memory is then copy-on-write if it is there. */
static void each_call(uintptr_t p) {
  fill(pattern, BYTES, 12);
  for (which = 0; which < POINTER_CALLS; which++) {
    int status = status_of(begin_on(make_call, p));
    if (status)
      printf("# %s: status %x\n", pointer_calls[which].name, (unsigned)status);
    CHECK_EQ(status, 0);
  }
  unlink("call");
}

static void call_absent(void) {
  char *page = fresh(2);
  each_call((uintptr_t)page + 512);
  drop(2);
}

static void call_crossing(void) {
  char *page = fresh(2);
  fill(page, PAGE, 6);
  each_call((uintptr_t)page + PAGE - BYTES / 2);
  CHECK(filled(page, PAGE, 6));
  CHECK(zero(page + PAGE, PAGE));
  drop(2);
}

static void call_crossing_absent(void) {
  char *page = fresh(2);
  each_call((uintptr_t)page + PAGE - BYTES / 2);
  CHECK(zero(page, 2 * PAGE));
  drop(2);
}

static void call_crossing_back(void) {
  char *page = fresh(2);
  fill(page + PAGE, PAGE, 6);
  each_call((uintptr_t)page + PAGE - BYTES / 2);
  CHECK(zero(page, PAGE));
  CHECK(filled(page + PAGE, PAGE, 6));
  drop(2);
}

static void call_copy_on_write(void) {
  char *page = fresh(2);
  fill(page, 2 * PAGE, 6);
  each_call((uintptr_t)page + PAGE - BYTES / 2);
  CHECK(filled(page, 2 * PAGE, 6));
  drop(2);
}

static void call_at_end(void) {
  errno = 0;
  if (pointer_calls[which].make((char *)given))
    _exit(1);
  MUST(errno == EFAULT || !errno); /* or done as far as there was memory */
}

/* Half of it is there, and then nothing is. */
static void call_off_the_end(void) {
  uintptr_t end = (uintptr_t)fresh(1) + PAGE;
  for (which = 0; which < POINTER_CALLS; which++)
    refused(call_at_end, end - (pointer_calls[which].valid ? pointer_calls[which].valid : BYTES / 2));
  unlink("call"), unlink("lazy.p");
  drop(1);
}

#ifndef __linux__ /* the requests themselves, below the C library, where a string is not touched before they are made */
static const unsigned raw_paths[] = {POSIX_open, POSIX_unlink, POSIX_rmdir,  POSIX_chdir, POSIX_mkdir,
                                     POSIX_stat, POSIX_link,   POSIX_rename, POSIX_spawn, POSIX_exec};
#define RAW_PATHS (sizeof raw_paths / sizeof *raw_paths)
static struct posix_stat raw_stat;

static uint64_t raw(unsigned label, uintptr_t p, uint64_t bytes) {
  struct q_call c = {.label = label, .read = (void *)p, .read_bytes = bytes};
  if (label == POSIX_spawn || label == POSIX_exec)
    c.word[0] = bytes;
  if (label == POSIX_stat)
    c.write = &raw_stat, c.write_bytes = sizeof raw_stat;
  CHECK_EQ(q_call(p_server, &c), 0);
  return c.label;
}

static void raw_bad(void) {
  for (unsigned call = 0; call < RAW_PATHS; call++)
    for (unsigned i = 0; i < BADS; i++)
      CHECK_EQ(raw(raw_paths[call], bad[i], 12), EFAULT);
}

static void raw_off_the_end(void) {
  uintptr_t end = (uintptr_t)fresh(1) + PAGE;
  memset((char *)end - 8, 'x', 8);
  for (unsigned call = 0; call < RAW_PATHS; call++) {
    CHECK_EQ(raw(raw_paths[call], end - 8, 12), EFAULT);
    CHECK_EQ(raw(raw_paths[call], end, 12), EFAULT);
  }
  drop(1);
}

/* Absent memory holds zeros: empty strings. One of two, the other not there yet. */
static void raw_absent(void) {
  for (unsigned call = 0; call < RAW_PATHS; call++) {
    bool two = raw_paths[call] == POSIX_link || raw_paths[call] == POSIX_rename;
    char *page = fresh(2);
    CHECK_EQ(raw(raw_paths[call], (uintptr_t)page + 100, two ? 2 : 1), ENOENT);
    CHECK_EQ(raw(raw_paths[call], (uintptr_t)page + PAGE - 1, two ? 2 : 1), ENOENT);
    drop(2);
  }
  char *page = fresh(2);
  memcpy(page + PAGE - 7, "nothing", 7);
  CHECK_EQ(raw(POSIX_unlink, (uintptr_t)page + PAGE - 7, 8), ENOENT);
  CHECK_EQ(raw(POSIX_open, (uintptr_t)page + PAGE - 7, 8), ENOENT);
  CHECK_EQ(raw(POSIX_rename, (uintptr_t)page + PAGE - 7, 9), ENOENT);
  drop(2);
}
#endif

static const struct test tests[] = {
    {"sparse_memory: a gigabyte touched here and there", sparse_memory},
    {"sparse_memory_unmap: memory given back is not there", sparse_memory_unmap},
    {"oom: who uses up all memory ends, and nobody else", oom},
    {"oom: no frame to copy a shared page to", oom_copy_on_write},
    {"sbrkbasic: byte by byte, too much, and in a child", sbrkbasic},
    {"sbrkmuch: 64 MiB, all of them touched", sbrkmuch},
    {"sbrkfail: ten want more than there is", sbrkfail},
    {"sbrkarg: new pages as arguments", sbrkarg},
    {"sbrkbugs: shrinking to nothing and within a page", sbrkbugs},
    {"sbrklast: a last page that is not whole", sbrklast},
    {"sbrk8000: a size of 2^31 and 4", sbrk8000},
    {"lazy_alloc: zeros, at first touch", lazy_alloc},
    {"lazy_unmap: given back and got again reads zero", lazy_unmap},
    {"lazy_copy: untouched pages as buffers", lazy_copy},
    {"lazy_sbrk: the break at the end of the address space", lazy_sbrk},
    {"mem: malloc and free of 32 MiB", mem},
    {"bsstest: what was never set is zero", bsstest},
    {"stacktest: deep, too deep, and below the stack", stacktest},
    {"kernmem: reading the kernel", kernmem},
    {"MAXVAplus: writing above the user's half", maxvaplus},
    {"nowrite: writing to text and constants", nowrite},
    {"norun: executing data", norun},
    {"pgbug: wild pointers for exec and pipe", pgbug},
    {"rwsbrk: buffers that were given back", rwsbrk},
    {"validatetest: every page as a path", validatetest},
    {"copyin: writing from bad addresses", copyin},
    {"copyout: reading to bad addresses", copyout},
    {"copyinstr1: paths at bad addresses", copyinstr1},
    {"copyinstr2: paths and names that are too long", copyinstr2},
    {"copyinstr3: a path without an end at the end of memory", copyinstr3},
    {"argptest: a buffer of all there is", argptest},
    {"bigargtest: arguments that are too many", bigargtest},
    {"badarg: arguments at bad addresses", badarg},
    {"execout: exec when memory has run out", execout},
    {"forkout: fork when memory has run out", forkout},
    {"pipeout: a pipe when memory has run out", pipeout},
    {"openout: a new file when memory has run out", openout},
    {"a copy that faults: in a page not there yet", call_absent},
    {"a copy that faults: crossing into one", call_crossing},
    {"a copy that faults: from one into another", call_crossing_absent},
    {"a copy that faults: from one into one that is there", call_crossing_back},
    {"a copy that faults: in pages shared since fork", call_copy_on_write},
    {"a copy that faults: running off the end of memory", call_off_the_end},
#ifndef __linux__
    {"raw requests: strings at bad addresses", raw_bad},
    {"raw requests: strings running off the end of memory", raw_off_the_end},
    {"raw requests: strings in pages not there yet", raw_absent},
#endif
};

int main(int argc, char **argv) {
  if (argc > 1)
    return strcmp(argv[1], "child") != 0;
  unix_begin("t_lazy");
  return TAP_RUN("lazy", tests);
}
