/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory shared by fork until it is written, and mappings: each process sees its own writes, what is shared on purpose stays
 * shared, and a page lives as long as one of those that have it. Plain POSIX, so that Linux runs it too (unix.h). */
#include "unix.h"

#include <sys/mman.h>

#define PAGES 32l
#define BYTES (PAGES * PAGE)

static char *base;
static struct gate go, done, over;

static char *map(long pages, int protection, int flags) {
  char *at = mmap(NULL, (size_t)(pages * PAGE), protection, flags | MAP_ANONYMOUS, -1, 0);
  MUST(at != MAP_FAILED);
  return at;
}

static void unmap(char *at, long pages) {
  MUST_EQ(munmap(at, (size_t)(pages * PAGE)), 0);
}

static void read_given(void) {
  (void)*(volatile char *)given;
}

static void write_given(void) {
  *(volatile char *)given = 1;
}

static void deadly(body *touch, const char *address) {
  dies(begin_on(touch, (uintptr_t)address), SIGSEGV);
}

static void readable(const char *address) {
  exits(begin_on(read_given, (uintptr_t)address), 0);
}

static void writable(const char *address) {
  exits(begin_on(write_given, (uintptr_t)address), 0);
}

#ifdef __linux__ /* where nobody says how many frames a process has */
static long frames(void) {
  return 0;
}
#else
static long frames(void) {
  struct p_stats own = own_stats();
  return (long)(own.resident + free_frames());
}
#endif

/* ---- Own writes ------------------------------------------------------------------------------------------------------------ */
static void child_writes(void) {
  MUST(filled(base, BYTES, 1));
  fill(base, BYTES, 2);
  gate_open(&done);
  gate_pass(&go);
  MUST(filled(base, BYTES, 2));
}

static void own_writes(void) {
  base = fresh(PAGES);
  gate_make(&go), gate_make(&done);
  fill(base, BYTES, 1);
  pid_t pid = begin(child_writes);
  gate_pass(&done);
  CHECK(filled(base, BYTES, 1));
  fill(base, BYTES, 3);
  gate_open(&go);
  exits(pid, 0);
  CHECK(filled(base, BYTES, 3));
  gate_close(&go), gate_close(&done);
  drop(PAGES);
}

static void child_waits(void) {
  gate_pass(&go);
  MUST(filled(base, BYTES, 1));
}

/* The other order: the parent writes while the child has not looked yet. */
static void parent_writes_first(void) {
  base = fresh(PAGES);
  gate_make(&go);
  fill(base, BYTES, 1);
  pid_t pid = begin(child_waits);
  fill(base, BYTES, 2);
  gate_open(&go);
  exits(pid, 0);
  CHECK(filled(base, BYTES, 2));
  gate_close(&go);
  drop(PAGES);
}

/* Each generation has a page of its own beside those of its ancestors, and one that all of them write. */
static void generation(long depth) {
  base[0] = (char)depth;
  fill(base + depth * PAGE, PAGE, (unsigned)depth);
  if (depth + 1 < PAGES) {
    pid_t pid = fork();
    MUST(pid >= 0);
    if (!pid) {
      generation(depth + 1);
      _exit(0);
    }
    MUST_EQ(status_of(pid), 0);
  }
  MUST_EQ(base[0], depth);
  for (long i = 1; i <= depth; i++)
    MUST(filled(base + i * PAGE, PAGE, (unsigned)i));
  MUST(zero(base + (depth + 1) * PAGE, (PAGES - depth - 1) * PAGE));
}

static void first_generation(void) {
  base = fresh(PAGES);
  generation(1);
}

static void deep_chain(void) {
  exits(begin(first_generation), 0);
}

static char data[3 * PAGE] = "initial", set_to_zero[3 * PAGE];

static void statics_and_stack(void) {
  char stack[2 * PAGE];
  fill(stack, sizeof stack, 1);
  fill(set_to_zero, sizeof set_to_zero, 1);
  pid_t pid = fork();
  if (!pid) {
    MUST(filled(stack, sizeof stack, 1) && filled(set_to_zero, sizeof set_to_zero, 1) && !strcmp(data, "initial"));
    fill(stack, sizeof stack, 2), fill(set_to_zero, sizeof set_to_zero, 2), strcpy(data, "child's");
    MUST(filled(stack, sizeof stack, 2) && filled(set_to_zero, sizeof set_to_zero, 2) && !strcmp(data, "child's"));
    _exit(0);
  }
  exits(pid, 0);
  CHECK(filled(stack, sizeof stack, 1) && filled(set_to_zero, sizeof set_to_zero, 1) && !strcmp(data, "initial"));
}

static void writes_its_number(void) {
  gate_pass(&go);
  fill(base, BYTES, (unsigned)given);
  MUST(filled(base, BYTES, (unsigned)given));
  gate_open(&done);
  gate_pass(&over);
  MUST(filled(base, BYTES, (unsigned)given));
}

/* Many share, and end in another order than they began. */
static void many_sharers(void) {
  enum { SHARERS = 20 };
  pid_t pid[SHARERS];
  base = fresh(PAGES);
  gate_make(&go), gate_make(&done), gate_make(&over);
  fill(base, BYTES, 100);
  for (unsigned i = 0; i < SHARERS; i++)
    pid[i] = begin_on(writes_its_number, i);
  for (unsigned i = 0; i < SHARERS; i++)
    gate_open(&go);
  for (unsigned i = 0; i < SHARERS; i++)
    gate_pass(&done);
  CHECK(filled(base, BYTES, 100));
  for (unsigned i = 0; i < SHARERS; i++)
    gate_open(&over);
  for (unsigned i = 0; i < SHARERS; i++)
    exits(pid[i * 7 % SHARERS], 0);
  CHECK(filled(base, BYTES, 100));
  gate_close(&go), gate_close(&done), gate_close(&over);
  drop(PAGES);
}

static void nothing(void) {
}

/* When the other is gone a page is written where it is: no frame is taken for it. */
static void last_sharer(void) {
  base = fresh(PAGES);
  fill(base, BYTES, 1);
  long before = frames();
  exits(begin(nothing), 0);
  fill(base, BYTES, 2);
  CHECK_EQ(frames(), before);
  gate_make(&go);
  pid_t pid = begin(child_waits);
  fill(base, BYTES, 3); /* the child is the last sharer of all of these */
  kill(pid, SIGKILL);
  dies(pid, SIGKILL);
  CHECK(filled(base, BYTES, 3));
  CHECK_EQ(frames(), before);
  gate_close(&go);
  drop(PAGES);
}

static void fills_holes(void) {
  for (long i = 0; i < PAGES; i++)
    MUST(i % 3 ? zero(base + i * PAGE, PAGE) : filled(base + i * PAGE, PAGE, 5));
  for (long i = 0; i < PAGES; i++)
    fill(base + i * PAGE, PAGE, 6);
  MUST(fresh(1) == base + BYTES);
}

static void fork_with_holes(void) {
  base = fresh(PAGES);
  for (long i = 0; i < PAGES; i += 3)
    fill(base + i * PAGE, PAGE, 5);
  exits(begin(fills_holes), 0);
  for (long i = 0; i < PAGES; i++)
    CHECK(i % 3 ? zero(base + i * PAGE, PAGE) : filled(base + i * PAGE, PAGE, 5));
  drop(PAGES);
}

static void gives_back(void) {
  drop(PAGES / 2);
  MUST(fresh(PAGES / 2) == base + BYTES / 2);
  MUST(zero(base + BYTES / 2, BYTES / 2));
  MUST(filled(base, BYTES / 2, 1));
}

static void shrink_while_shared(void) {
  base = fresh(PAGES);
  fill(base, BYTES, 1);
  exits(begin(gives_back), 0);
  CHECK(filled(base, BYTES, 1));
  pid_t pid;
  gate_make(&go);
  pid = begin(child_waits);
  drop(PAGES);
  CHECK(fresh(PAGES) == base && zero(base, BYTES));
  gate_open(&go);
  exits(pid, 0);
  gate_close(&go);
  drop(PAGES);
}

static void grandchild_keeps(void) {
  gate_pass(&go);
  MUST(filled(base, BYTES, 2));
  fill(base, BYTES, 3);
  MUST(filled(base, BYTES, 3));
  gate_open(&done);
}

static void leaves_a_child(void) {
  fill(base, BYTES, 2);
  begin(grandchild_keeps);
}

/* Pages of one that ended: its child has them, and comes to this process. */
static void orphans_keep_pages(void) {
  base = fresh(PAGES);
  gate_make(&go), gate_make(&done);
  fill(base, BYTES, 1);
  exits(begin(leaves_a_child), 0);
  CHECK(filled(base, BYTES, 1));
  gate_open(&go);
  gate_pass(&done);
  drain();
  CHECK(filled(base, BYTES, 1));
  gate_close(&go), gate_close(&done);
  drop(PAGES);
}

/* ---- Written by the kernel ------------------------------------------------------------------------------------------------- */
static void child_reads(void) {
  int fd = open("cow", O_RDONLY);
  MUST_EQ(read(fd, base + PAGE - 50, 2 * PAGE), 2 * PAGE); /* parts of three pages */
  MUST(filled(base + PAGE - 50, 2 * PAGE, 9));
  MUST(base[PAGE - 51] == 1 && base[3 * PAGE - 50] == 1);
}

static void read_into_shared(void) {
  char *text = fresh(2);
  fill(text, 2 * PAGE, 9);
  int fd = make_file("cow", text, 2 * PAGE);
  base = fresh(4);
  memset(base, 1, 4 * PAGE);
  exits(begin(child_reads), 0);
  for (long i = 0; i < 4 * PAGE; i++)
    if (base[i] != 1)
      CHECK_EQ(base[i], 1);
  pid_t pid = begin_on(read_given, (uintptr_t)base);
  CHECK_EQ(read(fd, base, 2 * PAGE), 2 * PAGE);
  CHECK(filled(base, 2 * PAGE, 9));
  exits(pid, 0);
  close(fd);
  CHECK_EQ(unlink("cow"), 0);
  drop(6);
}

static void child_takes(void) {
  MUST_EQ(read(go.fd[0], base + PAGE - 2, 4), 4);
  MUST(!memcmp(base + PAGE - 4, "\1\1abcd\1\1", 8));
}

static void pipe_into_shared(void) {
  base = fresh(2);
  memset(base, 1, 2 * PAGE);
  gate_make(&go);
  pid_t pid = begin(child_takes);
  pause_for(10); /* it waits by now, and the page is copied when there is something */
  CHECK_EQ(write(go.fd[1], "abcd", 4), 4);
  exits(pid, 0);
  CHECK(!memcmp(base + PAGE - 4, "\1\1\1\1\1\1\1\1", 8));
  gate_close(&go);
  drop(2);
}

/* ---- Mappings -------------------------------------------------------------------------------------------------------------- */
static void private_child(void) {
  MUST(filled(base, BYTES / 2, 1) && zero(base + BYTES / 2, BYTES / 2));
  fill(base, BYTES, 2);
}

static void map_private(void) {
  base = map(PAGES, PROT_READ | PROT_WRITE, MAP_PRIVATE);
  CHECK(zero(base, BYTES));
  fill(base, BYTES / 2, 1);
  exits(begin(private_child), 0);
  CHECK(filled(base, BYTES / 2, 1) && zero(base + BYTES / 2, BYTES / 2));
  unmap(base, PAGES);
  deadly(read_given, base);
}

static void shared_grandchild(void) {
  MUST(filled(base, BYTES, 2));
  fill(base, BYTES, 3);
}

static void shared_child(void) {
  MUST(filled(base, BYTES / 2, 1) && zero(base + BYTES / 2, BYTES / 2));
  fill(base, BYTES, 2);
  MUST_EQ(status_of(begin(shared_grandchild)), 0);
  MUST(filled(base, BYTES, 3));
}

/* Written ones before the fork and after it, by parent, child and grandchild, and what nobody had touched. */
static void map_shared(void) {
  base = map(PAGES, PROT_READ | PROT_WRITE, MAP_SHARED);
  fill(base, BYTES / 2, 1);
  exits(begin(shared_child), 0);
  CHECK(filled(base, BYTES, 3));
  unmap(base, PAGES);
}

static void shared_untouched_child(void) {
  gate_pass(&go);
  MUST(filled(base, BYTES, 4));
  fill(base, BYTES, 5);
  gate_open(&done);
}

static void shared_untouched(void) {
  base = map(PAGES, PROT_READ | PROT_WRITE, MAP_SHARED);
  gate_make(&go), gate_make(&done);
  pid_t pid = begin(shared_untouched_child);
  fill(base, BYTES, 4);
  gate_open(&go), gate_pass(&done);
  CHECK(filled(base, BYTES, 5));
  exits(pid, 0);
  CHECK(filled(base, BYTES, 5));
  gate_close(&go), gate_close(&done);
  unmap(base, PAGES);
}

static void shared_survivor(void) {
  gate_pass(&go);
  MUST(filled(base, BYTES, 7));
  fill(base, BYTES, 8);
}

/* One that mapped it gives it back; another still has it. */
static void shared_unmapped_by_one(void) {
  base = map(PAGES, PROT_READ | PROT_WRITE, MAP_SHARED);
  gate_make(&go);
  pid_t pid = begin(shared_survivor);
  fill(base, BYTES, 7);
  unmap(base, PAGES);
  gate_open(&go);
  exits(pid, 0);
  gate_close(&go);
}

static void protections(void) {
  base = map(4, PROT_READ | PROT_WRITE, MAP_PRIVATE);
  fill(base, 4 * PAGE, 1);
  CHECK_EQ(mprotect(base + PAGE, PAGE, PROT_READ), 0);
  CHECK_EQ(mprotect(base + 2 * PAGE, PAGE, PROT_NONE), 0);
  writable(base), writable(base + 3 * PAGE);
  readable(base + PAGE), deadly(write_given, base + PAGE);
  deadly(read_given, base + 2 * PAGE), deadly(write_given, base + 2 * PAGE);
  int fd = make_file("cow", "abc", 3);
  FAILS(pread(fd, base + PAGE, 3, 0), EFAULT);
  FAILS(pwrite(fd, base + 2 * PAGE, 3, 0), EFAULT);
  CHECK_EQ(pwrite(fd, base + PAGE, 3, 0), 3);
  close(fd);
  CHECK_EQ(unlink("cow"), 0);
  CHECK_EQ(mprotect(base, 4 * PAGE, PROT_READ | PROT_WRITE), 0);
  CHECK(filled(base, 4 * PAGE, 1));
  fill(base, 4 * PAGE, 2);
  unmap(base, 4);
}

static void protect_child(void) {
  MUST_EQ(mprotect(base, BYTES, PROT_READ | PROT_WRITE), 0);
  fill(base, BYTES, 2);
}

/* Made writable again, a page is still another's too. */
static void protect_while_shared(void) {
  base = map(PAGES, PROT_READ | PROT_WRITE, MAP_PRIVATE);
  fill(base, BYTES, 1);
  CHECK_EQ(mprotect(base, BYTES, PROT_READ), 0);
  exits(begin(protect_child), 0);
  CHECK(filled(base, BYTES, 1));
  deadly(write_given, base);
  CHECK_EQ(mprotect(base, BYTES, PROT_READ | PROT_WRITE), 0);
  CHECK(filled(base, BYTES, 1));
  fill(base, BYTES, 3);
  unmap(base, PAGES);
}

static void splits(void) {
  base = map(9, PROT_READ | PROT_WRITE, MAP_PRIVATE);
  fill(base, 9 * PAGE, 1);
  unmap(base + 4 * PAGE, 1); /* out of the middle */
  unmap(base, 1);            /* the beginning */
  unmap(base + 8 * PAGE, 1); /* the end */
  for (long i = 0; i < 9; i++)
    if (i == 0 || i == 4 || i == 8)
      deadly(write_given, base + i * PAGE);
    else
      writable(base + i * PAGE);
  FAILS(mprotect(base + 3 * PAGE, 3 * PAGE, PROT_READ), ENOMEM);
  unmap(base, 9); /* holes are no error */
  for (long i = 0; i < 9; i++)
    deadly(read_given, base + i * PAGE);
}

/* A place of one's own choice: in place of what is there, whose neighbours stay. */
static void fixed(void) {
  base = map(5, PROT_READ | PROT_WRITE, MAP_PRIVATE);
  fill(base, 5 * PAGE, 1);
  CHECK(mmap(base + 2 * PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
        base + 2 * PAGE);
  CHECK(zero(base + 2 * PAGE, PAGE));
  CHECK(filled(base, 2 * PAGE, 1));
  fill(base + 2 * PAGE, PAGE, 2);
  CHECK(base[3 * PAGE] != 0 || base[3 * PAGE + 1] != 0);
  unmap(base, 5);
}

static void map_refused(int error, size_t bytes, int protection, int flags, int fd, off_t offset) {
  errno = 0;
  CHECK(mmap(NULL, bytes, protection, flags, fd, offset) == MAP_FAILED);
  CHECK_EQ(errno, error);
}

static void refused_maps(void) {
  int fd = make_file("cow", "abc", 3), writing = open("cow", O_WRONLY), fds[2];
  CHECK_EQ(pipe(fds), 0);
  map_refused(EINVAL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  map_refused(EINVAL, PAGE, PROT_READ, MAP_ANONYMOUS, -1, 0); /* neither private nor shared */
  map_refused(ENOMEM, 1ul << 60, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  map_refused(EBADF, PAGE, PROT_READ, MAP_PRIVATE, -1, 0);
  map_refused(EBADF, PAGE, PROT_READ, MAP_PRIVATE, 999, 0);
  map_refused(EACCES, PAGE, PROT_READ, MAP_PRIVATE, writing, 0);
  map_refused(ENODEV, PAGE, PROT_READ, MAP_PRIVATE, fds[0], 0);
  map_refused(EINVAL, PAGE, PROT_READ, MAP_PRIVATE, fd, 1);
  FAILS(munmap((void *)1, PAGE), EINVAL);
  FAILS(mprotect((void *)1, PAGE, PROT_READ), EINVAL);
  close(fd), close(writing), close(fds[0]), close(fds[1]);
  CHECK_EQ(unlink("cow"), 0);
}

/* Some of them, in turn, and never the same place twice at a time. */
static void many_maps(void) {
  char *at[100];
  for (unsigned i = 0; i < 100; i++) {
    at[i] = map(1 + i % 4, PROT_READ | PROT_WRITE, i % 2 ? MAP_PRIVATE : MAP_SHARED);
    fill(at[i], (1 + i % 4) * PAGE, i);
  }
  for (unsigned i = 0; i < 100; i++) {
    unsigned j = i * 37 % 100;
    CHECK(filled(at[j], (1 + j % 4) * PAGE, j));
    unmap(at[j], 1 + j % 4);
  }
}

static void read_over_map(void) {
  base = map(2, PROT_READ | PROT_WRITE, MAP_PRIVATE);
  int fd = make_file("cow", "0123456789", 10);
  CHECK_EQ(read(fd, base + PAGE - 5, 10), 10); /* into pages that are not there yet */
  CHECK(!memcmp(base + PAGE - 5, "0123456789", 10));
  close(fd);
  CHECK_EQ(unlink("cow"), 0);
  unmap(base, 2);
}

/* ---- Files ----------------------------------------------------------------------------------------------------------------- */
static char *map_file(int fd, long bytes, int protection, off_t offset) {
  char *at = mmap(NULL, (size_t)bytes, protection, MAP_PRIVATE, fd, offset);
  MUST(at != MAP_FAILED);
  return at;
}

static int file_of(long bytes, unsigned seed) {
  long pages = (bytes + PAGE - 1) / PAGE;
  char *text = fresh(pages);
  fill(text, bytes, seed);
  int fd = make_file("cow", text, (size_t)bytes);
  drop(pages);
  return fd;
}

static bool file_is(int fd, long bytes, unsigned seed) {
  char *text = fresh((bytes + PAGE - 1) / PAGE);
  bool good = pread(fd, text, (size_t)bytes, 0) == bytes && filled(text, bytes, seed);
  drop((bytes + PAGE - 1) / PAGE);
  return good;
}

/* What is written to the mapping is not in the file, nor in another mapping of it; the file may be closed. */
static void file_private(void) {
  long bytes = 5 * PAGE + 100;
  int fd = file_of(bytes, 1);
  char *one = map_file(fd, bytes, PROT_READ | PROT_WRITE, 0), *two = map_file(fd, bytes, PROT_READ, 0);
  CHECK(filled(one, bytes, 1) && filled(two, bytes, 1));
  CHECK(zero(one + bytes, PAGE - 100)); /* beyond the file's end in its last page */
  fill(one, 6 * PAGE, 2);
  CHECK(filled(two, bytes, 1));
  CHECK(file_is(fd, bytes, 1));
  deadly(write_given, two);
  CHECK_EQ(munmap(two, (size_t)bytes), 0);
  close(fd);
  CHECK_EQ(unlink("cow"), 0);
  CHECK(filled(one, 6 * PAGE, 2));
  CHECK_EQ(munmap(one, (size_t)bytes), 0);
}

static void file_offset(void) {
  int fd = file_of(4 * PAGE, 1);
  char *at = map_file(fd, PAGE, PROT_READ, 2 * PAGE), whole[PAGE];
  CHECK_EQ(pread(fd, whole, PAGE, 2 * PAGE), PAGE);
  CHECK(!memcmp(at, whole, PAGE));
  unmap(at, 1);
  close(fd);
  CHECK_EQ(unlink("cow"), 0);
}

/* Pages that have been written are one's own, whatever becomes of the file. */
static void file_changes_later(void) {
  int fd = file_of(4 * PAGE, 1);
  char *at = map_file(fd, 4 * PAGE, PROT_READ | PROT_WRITE, 0);
  fill(at, 2 * PAGE, 3);
  for (long i = 0; i < 4; i++)
    CHECK_EQ(pwrite(fd, "changed", 7, i * PAGE), 7);
  CHECK(filled(at, 2 * PAGE, 3));
#ifndef __linux__ /* POSIX leaves it open, and Linux shows later writes; Quire promises the content that the file had */
  CHECK(at[2 * PAGE] != 'c' || memcmp(at + 2 * PAGE, "changed", 7));
#endif
  char back[7];
  CHECK_EQ(pread(fd, back, 7, PAGE), 7);
  CHECK(!memcmp(back, "changed", 7));
  unmap(at, 4);
  close(fd);
  CHECK_EQ(unlink("cow"), 0);
}

#ifndef __linux__ /* which ends whoever touches a page that was cut off, with SIGBUS */
static void file_cut_off(void) {
  int fd = file_of(4 * PAGE, 1);
  char *at = map_file(fd, 4 * PAGE, PROT_READ, 0);
  CHECK_EQ(at[0], (char)102);
  CHECK_EQ(ftruncate(fd, 0), 0);
  CHECK(filled(at, 4 * PAGE, 1));
  close(fd);
  CHECK_EQ(unlink("cow"), 0);
  CHECK(filled(at, 4 * PAGE, 1));
  unmap(at, 4);
}
#endif

static void file_child(void) {
  MUST(filled(base, PAGE, 2) && filled(base + PAGE, PAGE, 5));
  fill(base + PAGE, 3 * PAGE, 6);
}

/* One page written before the fork, one read, one not touched; and the other after it. */
static void file_over_fork(void) {
  int fd = file_of(4 * PAGE, 1);
  base = map_file(fd, 4 * PAGE, PROT_READ | PROT_WRITE, 0);
  fill(base, PAGE, 2), fill(base + PAGE, PAGE, 5);
  char third = base[2 * PAGE], content[2 * PAGE];
  CHECK_EQ(pread(fd, content, 2 * PAGE, 2 * PAGE), 2 * PAGE);
  exits(begin(file_child), 0);
  CHECK(filled(base, PAGE, 2) && filled(base + PAGE, PAGE, 5));
  CHECK_EQ(base[2 * PAGE], third);
  CHECK(!memcmp(base + 2 * PAGE, content, 2 * PAGE));
  CHECK(file_is(fd, 4 * PAGE, 1));
  unmap(base, 4);
  close(fd);
  CHECK_EQ(unlink("cow"), 0);
}

/* A file's pages as buffers of calls, of which one fetches them. */
static void file_as_buffer(void) {
  int fd = file_of(3 * PAGE, 1), out = open("copy", O_RDWR | O_CREAT, 0644);
  char *at = map_file(fd, 3 * PAGE, PROT_READ | PROT_WRITE, 0), *back = fresh(3);
  CHECK_EQ(write(out, at, 3 * PAGE), 3 * PAGE);
  CHECK_EQ(pread(out, back, 3 * PAGE, 0), 3 * PAGE);
  CHECK(filled(back, 3 * PAGE, 1));
  CHECK_EQ(pread(fd, at + 10, 2 * PAGE, 0), 2 * PAGE); /* into its own pages */
  CHECK(filled(at + 10, 2 * PAGE, 1));
  CHECK(file_is(fd, 3 * PAGE, 1));
  unmap(at, 3);
  close(fd), close(out);
  CHECK(!unlink("cow") && !unlink("copy"));
  drop(3);
}

/* The path lies in a file, in a page that nobody has touched. */
static void file_as_path(void) {
  char text[PAGE] = "named-in-a-file";
  int fd = make_file("cow", text, PAGE);
  char *at = map_file(fd, PAGE, PROT_READ, 0);
  int made = open(at, O_RDWR | O_CREAT, 0644);
  CHECK(made >= 0);
  CHECK_EQ(unlink("named-in-a-file"), 0);
  close(made), close(fd);
  unmap(at, 1);
  CHECK_EQ(unlink("cow"), 0);
}

static const struct test tests[] = {
    {"parent and child see their own writes", own_writes},
    {"the parent writes before the child looks", parent_writes_first},
    {"a chain of 31 generations", deep_chain},
    {"static variables and the stack", statics_and_stack},
    {"twenty sharers end in another order", many_sharers},
    {"the last sharer writes without a copy", last_sharer},
    {"fork with holes", fork_with_holes},
    {"given back by one while shared", shrink_while_shared},
    {"children of one that ended keep their pages", orphans_keep_pages},
    {"read() into a shared page", read_into_shared},
    {"a pipe into a shared page, while waiting", pipe_into_shared},
    {"mmap: private over fork", map_private},
    {"mmap: shared over fork, by three generations", map_shared},
    {"mmap: shared, and touched only after the fork", shared_untouched},
    {"mmap: shared, and given back by one", shared_unmapped_by_one},
    {"mprotect: read only, none, and back", protections},
    {"mprotect: writable again while shared", protect_while_shared},
    {"munmap: out of the middle and at the ends", splits},
    {"mmap: in place of another", fixed},
    {"mmap: what is refused", refused_maps},
    {"mmap: a hundred at a time", many_maps},
    {"mmap: as a buffer that is not there yet", read_over_map},
    {"file mapping: writes stay private", file_private},
    {"file mapping: from an offset", file_offset},
    {"file mapping: the file is written later", file_changes_later},
#ifndef __linux__
    {"file mapping: the file is cut off later", file_cut_off},
#endif
    {"file mapping: over fork", file_over_fork},
    {"file mapping: its pages as buffers", file_as_buffer},
    {"file mapping: its page as a path", file_as_path},
};

int main(void) {
  unix_begin("t_cow");
  return TAP_RUN("cow", tests);
}
