/* SPDX-License-Identifier: BSD-2-Clause */
/* Pipes as POSIX.1-2017 has them: what xv6's usertests are known by (their names stand in brackets), and the edges beyond.
 * All of it runs on Linux too. serve=uart serve=posix:t_pipe */
#include <limits.h>

#include "scratch.h"

#define ATOMIC 4096 /* PIPE_BUF */
#define READER 0
#define WRITER 1

static char text[65536 * 4], back[65536 * 4];

static void open_pipe(int ends[2]) {
  CHECK_EQ(pipe(ends), 0);
  CHECK(ends[0] >= 0 && ends[1] >= 0 && ends[0] != ends[1]);
}

static void close_pipe(const int ends[2]) {
  CHECK_EQ(close(ends[0]), 0);
  CHECK_EQ(close(ends[1]), 0);
}

static void not_waiting(int fd) {
  CHECK_EQ(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK), 0);
}

static bool is_empty(int fd) {
  not_waiting(fd);
  errno = 0;
  return read(fd, back, 1) == -1 && errno == EAGAIN;
}

/* Writes without waiting until there is no room; the bytes. */
static ssize_t fill(int fd) {
  ssize_t all = 0, got;
  not_waiting(fd);
  errno = 0;
  while ((got = write(fd, text, ATOMIC)) > 0)
    all += got;
  CHECK(got == -1 && errno == EAGAIN);
  while ((got = write(fd, text, 1)) > 0)
    all += got;
  return all;
}

static uint32_t checksum(uint32_t sum, const char *bytes, size_t count) { /* FNV-1a */
  for (size_t i = 0; i < count; i++)
    sum = (sum ^ (unsigned char)bytes[i]) * 16777619;
  return sum;
}

static void random_text(size_t bytes, uint32_t seed) {
  for (size_t i = 0; i < bytes; i++)
    text[i] = (char)random_next(&seed);
}

/* ---- One process -------------------------------------------------------------------------------------------------------- */
static void wrong_ends(void) {
  int ends[2];
  struct stat s;
  open_pipe(ends);
  FAILS(write(ends[READER], "x", 1), EBADF);
  FAILS(read(ends[WRITER], back, 1), EBADF);
  FAILS(lseek(ends[READER], 0, SEEK_SET), ESPIPE);
  FAILS(pread(ends[READER], back, 1, 0), ESPIPE);
  FAILS(pwrite(ends[WRITER], "x", 1, 0), ESPIPE);
  CHECK(!fstat(ends[READER], &s) && S_ISFIFO(s.st_mode));
  CHECK_EQ(fcntl(ends[READER], F_GETFL) & (O_ACCMODE | O_NONBLOCK), O_RDONLY);
  CHECK_EQ(fcntl(ends[WRITER], F_GETFL) & (O_ACCMODE | O_NONBLOCK), O_WRONLY);
  CHECK_EQ(fcntl(ends[READER], F_GETFD), 0);
  CHECK_EQ(write(ends[WRITER], "", 0), 0);
  CHECK_EQ(read(ends[READER], back, 0), 0);
  CHECK_EQ(write(ends[WRITER], "abc", 3), 3);
  CHECK_EQ(read(ends[READER], back, 2), 2);
  CHECK_EQ(read(ends[READER], back, 100), 1); /* what there is, and no waiting for more */
  CHECK_EQ(back[0], 'c');
  close_pipe(ends);
}

/* Two descriptors of each end, closed in every order of the four. After each close: what the ends must say. */
static void close_in_order(const unsigned order[4]) {
  int ends[2], fd[4];
  bool open[4] = {true, true, true, true};
  open_pipe(ends);
  fd[0] = ends[READER], fd[1] = dup(ends[READER]), fd[2] = ends[WRITER], fd[3] = dup(ends[WRITER]);
  not_waiting(fd[0]);
  for (unsigned i = 0; i < 4; i++) {
    CHECK_EQ(close(fd[order[i]]), 0);
    open[order[i]] = false;
    int reader = open[0] ? fd[0] : open[1] ? fd[1] : -1, writer = open[2] ? fd[2] : open[3] ? fd[3] : -1;
    if (writer >= 0 && reader >= 0)
      CHECK_EQ(write(writer, "ab", 2), 2);
    else if (writer >= 0)
      FAILS(write(writer, "ab", 2), EPIPE);
    if (reader >= 0 && i == 0)
      CHECK_EQ(read(reader, back, 1), 1); /* leaves something behind for later */
    else if (reader >= 0 && writer < 0)
      CHECK(read(reader, back, 10) >= 0 && read(reader, back, 10) == 0);
  }
}

static void every_order_of_closes(void) {
  for (unsigned a = 0; a < 4; a++)
    for (unsigned b = 0; b < 4; b++)
      for (unsigned c = 0; c < 4; c++)
        if (a != b && a != c && b != c)
          close_in_order((const unsigned[4]){a, b, c, 6 - a - b - c});
}

/* What was written before the last writer closed is read first; then the end, as often as one asks. */
static void bytes_before_the_end(void) {
  int ends[2];
  open_pipe(ends);
  CHECK_EQ(write(ends[WRITER], "last words", 10), 10);
  CHECK_EQ(close(ends[WRITER]), 0);
  CHECK_EQ(read(ends[READER], back, 4), 4);
  CHECK_EQ(read(ends[READER], back, 100), 6);
  CHECK(!memcmp(back, " words", 6));
  for (unsigned i = 0; i < 3; i++)
    CHECK_EQ(read(ends[READER], back, 100), 0);
  CHECK_EQ(close(ends[READER]), 0);
  open_pipe(ends);
  CHECK_EQ(write(ends[WRITER], "unread", 6), 6);
  CHECK_EQ(close(ends[READER]), 0);
  FAILS(write(ends[WRITER], "x", 1), EPIPE);
  CHECK_EQ(close(ends[WRITER]), 0);
}

static void without_waiting(void) {
  int ends[2];
  open_pipe(ends);
  CHECK(is_empty(ends[READER]));
  CHECK_EQ(fcntl(ends[WRITER], F_GETFL) & O_NONBLOCK, 0); /* it is the one end's */
  ssize_t room = fill(ends[WRITER]);
  CHECK(room >= ATOMIC);
  FAILS(write(ends[WRITER], text, 1), EAGAIN);
  FAILS(write(ends[WRITER], text, 2 * ATOMIC), EAGAIN);
  CHECK_EQ(read(ends[READER], back, ATOMIC), ATOMIC);
  CHECK_EQ(write(ends[WRITER], text, ATOMIC), ATOMIC);
  CHECK_EQ(read(ends[READER], back, ATOMIC), ATOMIC);
  ssize_t got = write(ends[WRITER], text, sizeof text); /* more than PIPE_BUF: some of it */
  CHECK(got > 0 && got <= room);
  ssize_t all = 0;
  while ((got = read(ends[READER], back, 1000)) > 0)
    all += got;
  CHECK(got == -1 && errno == EAGAIN);
  CHECK(all > room - ATOMIC && all <= room);
  CHECK_EQ(close(ends[WRITER]), 0);
  CHECK_EQ(read(ends[READER], back, 1), 0);
  CHECK_EQ(close(ends[READER]), 0);
}

/* Of up to PIPE_BUF bytes all or none are taken; a full pipe keeps each of its bytes. */
static void whole_or_nothing(void) {
  int ends[2];
  random_text(sizeof text, 5);
  for (size_t size = 1; size <= ATOMIC; size += size < 8 ? 1 : 511) {
    open_pipe(ends);
    not_waiting(ends[WRITER]), not_waiting(ends[READER]);
    size_t count = 0, at = 0;
    while (write(ends[WRITER], text + count * size % 4096, size) == (ssize_t)size)
      count++;
    CHECK_EQ(errno, EAGAIN);
    CHECK(count >= ATOMIC / size);
    for (; at < count && read(ends[READER], back, size) == (ssize_t)size; at++)
      if (memcmp(back, text + at * size % 4096, size))
        CHECK_EQ(at, -1);
    CHECK_EQ(at, count);
    CHECK(is_empty(ends[READER]));
    close_pipe(ends);
  }
}

/* In and out in sizes that have nothing to do with each other, round the ring many times. */
static void odd_sizes(void) {
  int ends[2];
  uint32_t seed = 99, in = 2166136261, out = in;
  size_t written = 0, taken = 0;
  open_pipe(ends);
  random_text(ATOMIC, 7);
  for (unsigned i = 0; i < 2000; i++) {
    size_t size = random_next(&seed) % ATOMIC + 1, most = random_next(&seed) % (2 * ATOMIC) + 1;
    if (written - taken < 8000) {
      CHECK_EQ(write(ends[WRITER], text, size), size);
      in = checksum(in, text, size);
      written += size;
    }
    size_t expected = written - taken < most ? written - taken : most;
    if (expected) {
      CHECK_EQ(read(ends[READER], back, most), expected);
      out = checksum(out, back, expected);
      taken += expected;
    }
  }
  CHECK_EQ(close(ends[WRITER]), 0);
  CHECK_EQ(read(ends[READER], back, sizeof back), written - taken);
  CHECK_EQ(checksum(out, back, written - taken), in);
  CHECK_EQ(close(ends[READER]), 0);
}

/* Until there are no descriptors left; each pipe has its own bytes. A pipe that needs two and finds one takes none. */
static void many_pipes(void) {
  static int ends[512][2];
  int count = 0, more[2] = {-7, -7}, spare;
  while (count < 512 && !pipe(ends[count]))
    count++;
  CHECK_EQ(errno, EMFILE);
  CHECK(count >= 20);
  spare = dup(0); /* an odd one, if any */
  FAILS(dup(0), EMFILE);
  close(ends[0][0]);
  FAILS(pipe(more), EMFILE);
  CHECK(more[0] == -7 && more[1] == -7);
  CHECK_EQ(dup(ends[0][1]), ends[0][0]); /* it is still free */
  for (int i = 1; i < count; i++)
    CHECK_EQ(write(ends[i][WRITER], &i, sizeof i), sizeof i);
  for (int i = count - 1, got; i >= 1; i--) {
    CHECK_EQ(read(ends[i][READER], &got, sizeof got), sizeof got);
    CHECK_EQ(got, i);
  }
  for (int i = 0; i < count; i++)
    close_pipe(ends[i]);
  if (spare >= 0)
    close(spare);
}

static void absent_pages(void) {
  int ends[2];
  const size_t size = 3 * 4096;
  char *from = absent(4 * 4096), *to = absent(4 * 4096);
  open_pipe(ends);
  for (unsigned shift = 0; shift < 4096; shift += 1365) {
    CHECK_EQ(write(ends[WRITER], from + shift, size), size); /* reads as zero, and out of order */
    CHECK_EQ(read(ends[READER], to + 4096 - shift, size), size);
    for (size_t i = 0; i < size; i++)
      if (to[4096 - shift + i] != from[shift + i])
        CHECK_EQ(i, -1);
    memset(from, 'a' + (int)shift % 7, 4096 + shift);
  }
  close_pipe(ends);
  sbrk(-8 * 4096);
}

/* A transfer that fails takes nothing and leaves nothing. */
static void pages_of_nobody(void) {
  int ends[2];
  open_pipe(ends);
  FAILS(write(ends[WRITER], BAD, 10), EFAULT);
  CHECK(is_empty(ends[READER]));
  char *page = absent(4096);
#ifndef __linux__ /* whose break ends somewhere else, and whose pipes lose what they could not copy */
  FAILS(write(ends[WRITER], page + 4000, 200), EFAULT);
  CHECK(is_empty(ends[READER]));
  CHECK_EQ(write(ends[WRITER], "0123456789", 10), 10);
  FAILS(read(ends[READER], page + 4090, 10), EFAULT);
  FAILS(read(ends[READER], BAD, 10), EFAULT);
  CHECK_EQ(read(ends[READER], back, 10), 10);
  CHECK(!memcmp(back, "0123456789", 10));
#endif
  CHECK(page != NULL);
  CHECK_EQ(write(ends[WRITER], "after", 5), 5);
  CHECK_EQ(read(ends[READER], back, 10), 5);
  close_pipe(ends);
  sbrk(-4096);
}

/* ---- Several processes -------------------------------------------------------------------------------------------------- */
#ifdef HAVE_FORK
static int ends[2], other[2];

static bool write_all(int fd, const char *bytes, size_t count) {
  for (ssize_t got; count; bytes += got, count -= (size_t)got)
    if ((got = write(fd, bytes, count)) <= 0)
      return false;
  return true;
}

static size_t read_all(int fd, char *bytes, size_t count) {
  size_t all = 0;
  for (ssize_t got; all < count && (got = read(fd, bytes + all, count - all)) > 0; all += (size_t)got)
    ;
  return all;
}

static void counting_writer(int n) {
  (void)n;
  unsigned char sequence = 0;
  close(ends[READER]);
  for (unsigned i = 0; i < 50; i++) {
    for (unsigned j = 0; j < 1033; j++)
      text[j] = (char)sequence++;
    EXPECT(write(ends[WRITER], text, 1033) == 1033);
  }
}

static void in_order_to_the_end(void) {
  unsigned char sequence = 0;
  size_t all = 0, most = 1, bad = 0;
  open_pipe(ends);
  pid_t pid = start(counting_writer, 0);
  CHECK_EQ(close(ends[WRITER]), 0);
  for (ssize_t got; (got = read(ends[READER], back, most)) > 0; all += (size_t)got) {
    for (ssize_t i = 0; i < got; i++)
      bad += (unsigned char)back[i] != sequence++;
    most = most * 2 > 8192 ? 8192 : most * 2;
  }
  CHECK_EQ(bad, 0);
  CHECK_EQ(all, 50 * 1033);
  CHECK_EQ(close(ends[READER]), 0);
  ends_well(pid);
}

static void spinning(int n) {
  for (volatile int i = n;; i++)
    ;
}

static void writing_once(int n) {
  (void)n;
  EXPECT(write(ends[WRITER], "x", 1) == 1);
  for (;;)
    ;
}

/* Programs that never wait do not keep a writer and a reader from each other. */
static void among_spinning_programs(void) {
  open_pipe(ends);
  pid_t pid[3] = {start(spinning, 0), start(spinning, 1), start(writing_once, 2)};
  CHECK_EQ(close(ends[WRITER]), 0);
  CHECK_EQ(read(ends[READER], back, sizeof back), 1);
  for (unsigned i = 0; i < 3; i++)
    kill_it(pid[i]);
  CHECK_EQ(read(ends[READER], back, 1), 0);
  CHECK_EQ(close(ends[READER]), 0);
}

static void echoing(int n) {
  (void)n;
  char byte;
  close(ends[WRITER]), close(other[READER]);
  while (read(ends[READER], &byte, 1) == 1)
    EXPECT(write(other[WRITER], &byte, 1) == 1);
}

static void back_and_forth(void) {
  open_pipe(ends), open_pipe(other);
  pid_t pid = start(echoing, 0);
  CHECK_EQ(close(ends[READER]) | close(other[WRITER]), 0);
  for (unsigned i = 0; i < 1000; i++) {
    char byte = (char)i, got;
    CHECK_EQ(write(ends[WRITER], &byte, 1), 1);
    CHECK_EQ(read(other[READER], &got, 1), 1);
    CHECK_EQ(got, byte);
  }
  CHECK_EQ(close(ends[WRITER]), 0);
  CHECK_EQ(read(other[READER], back, 1), 0);
  CHECK_EQ(close(other[READER]), 0);
  ends_well(pid);
}

/* Records of 1 to PIPE_BUF bytes: who, how long, and the same byte to the end. */
#define RECORDS 60
static void record_writer(int n) {
  uint32_t seed = 17 + (uint32_t)n;
  char record[ATOMIC];
  close(ends[READER]);
  for (unsigned i = 0; i < RECORDS; i++) {
    uint16_t size = i % 8 == 7 ? ATOMIC : (uint16_t)(random_next(&seed) % (ATOMIC - 4) + 4);
    memset(record, 'a' + n, size);
    record[1] = (char)i;
    memcpy(record + 2, &size, sizeof size);
    EXPECT(write(ends[WRITER], record, size) == size);
  }
}

/* The writer of the record that was read; -1 if it is none. */
static int record_read(const unsigned next[]) {
  uint16_t size;
  if (read_all(ends[READER], back, 4) != 4)
    return -1;
  memcpy(&size, back + 2, sizeof size);
  int n = back[0] - 'a';
  if (n < 0 || n >= 4 || size < 4 || size > ATOMIC || (unsigned char)back[1] != next[n] ||
      read_all(ends[READER], back + 4, size - 4u) != size - 4u)
    return -1;
  for (uint16_t i = 4; i < size; i++)
    if (back[i] != back[0])
      return -1;
  return n;
}

static void writes_stay_whole(void) {
  pid_t pid[4];
  unsigned next[4] = {0}, count = 0;
  open_pipe(ends);
  start_all(record_writer, 4, pid);
  CHECK_EQ(close(ends[WRITER]), 0);
  for (int n; count < 4 * RECORDS && (n = record_read(next)) >= 0; count++)
    next[n]++;
  CHECK_EQ(count, 4 * RECORDS);
  CHECK_EQ(read(ends[READER], back, 1), 0);
  CHECK_EQ(close(ends[READER]), 0);
  for (unsigned n = 0; n < 4; n++)
    ends_well(pid[n]);
}

/* Each byte comes to one reader. */
static void byte_reader(int n) {
  char byte;
  uint32_t sum = 0;
  (void)n;
  close(ends[WRITER]);
  while (read(ends[READER], &byte, 1) == 1)
    sum += (unsigned char)byte;
  EXPECT(write(other[WRITER], &sum, 4) == 4);
}

static void many_readers(void) {
  pid_t pid[4];
  uint32_t sum = 0, part;
  open_pipe(ends), open_pipe(other);
  start_all(byte_reader, 4, pid);
  for (unsigned i = 0; i < 1000; i++) {
    char byte = (char)i;
    CHECK_EQ(write(ends[WRITER], &byte, 1), 1);
    sum += (unsigned char)byte;
  }
  close_pipe(ends);
  for (unsigned n = 0; n < 4; n++) {
    CHECK_EQ(read_all(other[READER], (char *)&part, 4), 4);
    sum -= part;
    ends_well(pid[n]);
  }
  CHECK_EQ(sum, 0);
  close_pipe(other);
}

static void waiting_reader(int bytes) {
  char byte;
  close(ends[WRITER]);
  EXPECT(read(ends[READER], &byte, 1) == bytes);
}

static void waiting_writer(int n) {
  (void)n;
  close(ends[READER]);
  errno = 0;
  ssize_t got = write(ends[WRITER], text, sizeof text);
  EXPECT(got > 0 || errno == EPIPE); /* what the reader had taken before it went, or an error */
  EXPECT(write(ends[WRITER], "x", 1) == -1 && errno == EPIPE);
}

static void holding(int n) {
  (void)n;
  for (;;)
    usleep(100000);
}

/* The last other end goes, by close or by death, while this one waits. */
static void writer_left_alone(void) {
  open_pipe(ends);
  pid_t pid = start(waiting_writer, 0);
  CHECK_EQ(close(ends[WRITER]), 0);
  CHECK_EQ(read(ends[READER], back, 10), 10);
  pid_t holder = start(holding, 0);
  CHECK_EQ(close(ends[READER]), 0);
  usleep(20000);
  kill_it(holder);
  ends_well(pid);
}

static void reader_left_alone(void) {
  open_pipe(ends);
  pid_t pid = start(waiting_reader, 0);
  CHECK_EQ(close(ends[READER]), 0);
  pid_t holder = start(holding, 0);
  CHECK_EQ(close(ends[WRITER]), 0);
  usleep(20000);
  kill_it(holder);
  ends_well(pid);
  open_pipe(ends);
  pid = start(waiting_reader, 1);
  CHECK_EQ(close(ends[READER]), 0);
  usleep(20000);
  kill_it(pid);
  FAILS(write(ends[WRITER], "x", 1), EPIPE);
  CHECK_EQ(close(ends[WRITER]), 0);
}

/* A reader that is killed has taken nothing; the pipe goes on with the next. */
static void killed_readers(void) {
  open_pipe(ends);
  for (unsigned i = 0; i < 10; i++) {
    pid_t pid = start(waiting_reader, 1);
    usleep(i * 1000);
    kill_it(pid);
  }
  CHECK_EQ(write(ends[WRITER], "still", 5), 5);
  CHECK_EQ(read(ends[READER], back, 10), 5);
  CHECK(!memcmp(back, "still", 5));
  pid_t pid = start(waiting_reader, 1);
  CHECK_EQ(write(ends[WRITER], "y", 1), 1);
  ends_well(pid);
  close_pipe(ends);
}

/* What a writer that is killed had written stays; the end comes when the last writer has gone. */
static void killed_writers(void) {
  for (unsigned i = 0; i < 10; i++) {
    open_pipe(ends);
    ssize_t room = fill(other[WRITER] = dup(ends[WRITER]));
    CHECK_EQ(fcntl(ends[WRITER], F_SETFL, 0), 0);
    pid_t pid = start(waiting_writer, 0);
    CHECK_EQ(close(other[WRITER]), 0);
    usleep(i * 1000);
    kill_it(pid);
    CHECK_EQ(read_all(ends[READER], back, (size_t)room), room);
    CHECK_EQ(write(ends[WRITER], "z", 1), 1);
    CHECK_EQ(close(ends[WRITER]), 0);
    CHECK_EQ(read_all(ends[READER], back, sizeof back), 1);
    CHECK_EQ(back[0], 'z');
    CHECK_EQ(close(ends[READER]), 0);
  }
}

/* ---- Whoever waits: from the writer's buffer to the reader's ------------------------------------------------------------- */
static void settle(void) {
  usleep(20000);
}

static void reader_of(int most) {
  close(ends[WRITER]), close(other[READER]);
  uint32_t got = (uint32_t)read(ends[READER], back, (size_t)most);
  uint32_t said[2] = {got, checksum(0, back, got)};
  EXPECT(write(other[WRITER], said, sizeof said) == sizeof said);
}

/* Of a reader that waits already: it gets what there is, up to what it asked for; the rest stays. */
static void given_to_a_reader(void) {
  static const struct {
    int asked;
    size_t written, least;
  } cases[] = {{1, 1, 1},          {100, 7, 7},         {ATOMIC, ATOMIC, ATOMIC}, {7, 100, 7},
               {100, ATOMIC, 100}, {50000, 9000, 9000}, {9000, 16000, 9000}};
  random_text(16384, 21);
  for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
    uint32_t said[2];
    open_pipe(ends), open_pipe(other);
    pid_t pid = start(reader_of, cases[i].asked);
    settle();
    not_waiting(ends[WRITER]); /* though a reader is there, nobody waits */
    CHECK_EQ(write(ends[WRITER], text, cases[i].written), cases[i].written);
    CHECK_EQ(read_all(other[READER], (char *)said, sizeof said), sizeof said);
    CHECK(said[0] >= 1 && said[0] <= (uint32_t)cases[i].asked);
#ifndef __linux__ /* where a reader may wake before all of a long write is there */
    CHECK_EQ(said[0], cases[i].least);
#endif
    CHECK_EQ(said[1], checksum(0, text, said[0]));
    size_t rest = cases[i].written - said[0];
    if (rest)
      CHECK_EQ(read_all(ends[READER], back, rest), rest);
    CHECK(!memcmp(back, text + said[0], rest));
    CHECK(is_empty(ends[READER]));
    ends_well(pid);
    close_pipe(ends), close_pipe(other);
  }
}

static void writer_of(int bytes) {
  close(ends[READER]);
  EXPECT(write(ends[WRITER], text, (size_t)bytes) == bytes);
}

/* Of a writer that waits since the pipe is full: a long read takes what the pipe holds and goes on in the writer's buffer. */
static void taken_from_a_writer(void) {
  static const size_t most[] = {1, 4095, 16384, 16385, 20000, 60000, sizeof back};
  random_text(60000, 22);
  for (unsigned i = 0; i < sizeof most / sizeof *most; i++) {
    size_t all = 0, bad = 0;
    open_pipe(ends);
    pid_t pid = start(writer_of, 60000);
    CHECK_EQ(close(ends[WRITER]), 0);
    settle();
    for (ssize_t got; (got = read(ends[READER], back, all ? most[i] + 7 : most[i])) > 0; all += (size_t)got)
      bad += memcmp(back, text + all, (size_t)got) != 0;
    CHECK_EQ(all, 60000);
    CHECK_EQ(bad, 0);
    CHECK_EQ(close(ends[READER]), 0);
    ends_well(pid);
  }
}

/* The pages of neither side are there yet, whoever comes first. */
static void absent_reader(int n) {
  char *to = absent(6 * 4096) + 100 * n;
  close(ends[WRITER]);
  EXPECT(read_all(ends[READER], to, 5 * 4096) == 5 * 4096);
  for (unsigned i = 0; i < 5 * 4096; i++)
    if (to[i])
      EXPECT(i == -1u);
}

static void absent_on_both_sides(void) {
  for (int n = 0; n < 4; n++) {
    char *from = absent(6 * 4096);
    open_pipe(ends);
    pid_t pid = start(absent_reader, n);
    if (n % 2)
      settle();
    CHECK(write_all(ends[WRITER], from + 1000, 5 * 4096));
    ends_well(pid);
    close_pipe(ends);
    sbrk(-6 * 4096);
  }
}

static void reader_of_nobody(int n) {
  close(ends[WRITER]);
  char *end = absent(4096) + 4096;
  errno = 0;
  EXPECT(read(ends[READER], n ? end - 10 : BAD, 20) == -1 && errno == EFAULT);
}

/* A reader without a buffer has an error and takes nothing; the write goes on to the next, or stays. */
static void given_to_nobody(void) {
#ifndef __linux__ /* whose break ends somewhere else */
  for (int n = 0; n < 2; n++) {
    open_pipe(ends);
    pid_t bad = start(reader_of_nobody, n), good = -1;
    settle();
    if (n)
      good = start(waiting_reader, 1), settle();
    CHECK_EQ(write(ends[WRITER], "0123456789abcdefghij", 20), 20);
    ends_well(bad);
    if (n)
      ends_well(good);
    CHECK_EQ(read(ends[READER], back, 100), 20 - n);
    CHECK(!memcmp(back, "0123456789abcdefghij" + n, 20u - (unsigned)n));
    close_pipe(ends);
  }
#endif
}

static void slow_reader(int bytes) {
  close(ends[WRITER]);
  settle();
  EXPECT(read(ends[READER], back, (size_t)bytes) == bytes);
  settle();
}

/* Bytes that went on before the buffer ended, or the last reader went, are the result; the next write has the error. */
static void partial_writes(void) {
  for (int ended = 0; ended < 2; ended++) {
    char *from = absent(5 * 4096), *end = from + 5 * 4096;
    open_pipe(ends);
    pid_t pid = start(slow_reader, ATOMIC);
    if (ended)
      CHECK_EQ(close(ends[READER]), 0);
#ifdef __linux__ /* whose break ends somewhere else, and whose pipes hold more */
    if (!ended)
      CHECK_EQ(write(ends[WRITER], from, ATOMIC), ATOMIC);
    else
      CHECK(write(ends[WRITER], text, sizeof text) > 0);
#else
    if (ended) {
      CHECK_EQ(write(ends[WRITER], text, sizeof text), 16384 + ATOMIC);
      FAILS(write(ends[WRITER], text, 1), EPIPE);
    } else {
      CHECK_EQ(write(ends[WRITER], end - 16384 - 100, 5 * 4096), 16384 + 100);
      FAILS(write(ends[WRITER], end - 100, 200), EFAULT);
    }
#endif
    CHECK(end > from);
    CHECK_EQ(close(ends[WRITER]), 0);
    if (!ended)
      CHECK_EQ(close(ends[READER]), 0);
    ends_well(pid);
    sbrk(-5 * 4096);
  }
}

/* Each is killed at its own moment of a long transfer; what is left in the pipe is one piece of what was sent. */
static void endless_writer(int n) {
  (void)n;
  close(ends[READER]);
  for (size_t at = 0;; at = (at + 5000) % 60000)
    if (write(ends[WRITER], text + at, 5000) != 5000)
      break;
}

static void endless_reader(int n) {
  (void)n;
  close(ends[WRITER]);
  while (read(ends[READER], absent(4 * 4096), 4 * 4096) > 0)
    sbrk(-4 * 4096);
}

static bool of_the_stream(size_t bytes) {
  for (size_t at = 0, same; at < 60000; at++) {
    for (same = 0; same < bytes && back[same] == text[(at + same) % 60000]; same++)
      ;
    if (same == bytes)
      return true;
  }
  return false;
}

static void killed_in_the_middle(void) {
  random_text(60000, 23);
  for (unsigned i = 0; i < 12; i++) {
    open_pipe(ends);
    pid_t writer = start(endless_writer, 0), reader = start(endless_reader, 0);
    usleep(5000 + i * 777);
    kill_it(i % 2 ? writer : reader);
    usleep(2000);
    kill_it(i % 2 ? reader : writer);
    CHECK_EQ(close(ends[WRITER]), 0);
    CHECK(of_the_stream(read_all(ends[READER], back, sizeof back)));
    CHECK_EQ(close(ends[READER]), 0);
  }
}

/* Each of the chain adds 1 to every byte. */
#define CHAIN 20
static void adding(int in, int out) {
  ssize_t got;
  while ((got = read(in, back, 777)) > 0) {
    for (ssize_t i = 0; i < got; i++)
      back[i]++;
    EXPECT(write_all(out, back, (size_t)got));
  }
  EXPECT(got == 0);
}

static void link_of_chain(int n) {
  (void)n;
  close(other[WRITER]), close(ends[READER]);
  adding(other[READER], ends[WRITER]);
}

static void chain_source(int n) {
  (void)n;
  close(ends[READER]);
  EXPECT(write_all(ends[WRITER], text, 40000));
}

static void a_chain(void) {
  pid_t pid[CHAIN + 1];
  unsigned bad = 0;
  random_text(40000, 3);
  open_pipe(ends);
  pid[CHAIN] = start(chain_source, 0);
  for (int i = 0; i < CHAIN; i++) {
    CHECK_EQ(close(ends[WRITER]), 0);
    memcpy(other, ends, sizeof other);
    open_pipe(ends);
    other[WRITER] = -1;
    pid[i] = start(link_of_chain, i);
    CHECK_EQ(close(other[READER]), 0);
  }
  CHECK_EQ(close(ends[WRITER]), 0);
  CHECK_EQ(read_all(ends[READER], back, sizeof back), 40000);
  for (unsigned i = 0; i < 40000; i++)
    bad += back[i] != (char)(text[i] + CHAIN);
  CHECK_EQ(bad, 0);
  CHECK_EQ(close(ends[READER]), 0);
  for (unsigned i = 0; i <= CHAIN; i++)
    ends_well(pid[i]);
}

/* The end of file comes when the last of the inherited writing ends is closed, and not before. */
static void inheriting(int n) {
  (void)n;
  close(ends[READER]);
  EXPECT(read(other[READER], back, 1) == 1);
  EXPECT(write(ends[WRITER], "b", 1) == 1);
}

static void inherited_ends(void) {
  open_pipe(ends), open_pipe(other);
  pid_t pid = start(inheriting, 0);
  CHECK_EQ(write(ends[WRITER], "a", 1), 1);
  CHECK_EQ(close(ends[WRITER]), 0);
  CHECK_EQ(read(ends[READER], back, 10), 1);
  CHECK(is_empty(ends[READER])); /* the child's is open */
  CHECK_EQ(write(other[WRITER], "go", 1), 1);
  ends_well(pid);
  CHECK_EQ(read(ends[READER], back, 10), 1);
  CHECK_EQ(back[0], 'b');
  CHECK_EQ(read(ends[READER], back, 10), 0);
  CHECK_EQ(close(ends[READER]), 0);
  close_pipe(other);
}

/* cat copies until the end of its input: would it inherit a writing end of that, it would wait for ever. */
static void becoming_cat(int n) {
  EXPECT(dup2(ends[READER], 0) == 0 && dup2(other[WRITER], 1) == 1);
  if (!n)
    for (unsigned i = 0; i < 2; i++)
      EXPECT(fcntl(ends[i], F_SETFD, FD_CLOEXEC) == 0 && fcntl(other[i], F_SETFD, FD_CLOEXEC) == 0);
  execl("/bin/cat", "cat", (char *)NULL);
  EXPECT(!"exec");
}

static void closed_by_exec(void) {
  open_pipe(ends), open_pipe(other);
  pid_t pid = start(becoming_cat, 0);
  CHECK_EQ(close(other[WRITER]), 0);
  CHECK_EQ(write(ends[WRITER], "through", 7), 7);
  close_pipe(ends);
  CHECK_EQ(read_all(other[READER], back, 100), 7);
  CHECK(!memcmp(back, "through", 7));
  ends_well(pid);
  CHECK_EQ(close(other[READER]), 0);
}

static void kept_by_exec(void) {
  open_pipe(ends), open_pipe(other);
  pid_t pid = start(becoming_cat, 1);
  CHECK_EQ(close(other[WRITER]), 0);
  CHECK_EQ(write(ends[WRITER], "x", 1), 1);
  CHECK_EQ(close(ends[WRITER]), 0);
  CHECK_EQ(read(other[READER], back, 100), 1);
  usleep(20000);
  CHECK(is_empty(other[READER])); /* it waits: of its own input it has a writing end */
  kill_it(pid);
  CHECK_EQ(read(ends[READER], back, 1), 0);
  CHECK_EQ(close(ends[READER]), 0);
  CHECK_EQ(fcntl(other[READER], F_SETFL, 0), 0);
  CHECK_EQ(read(other[READER], back, 1), 0);
  CHECK_EQ(close(other[READER]), 0);
}

/* Pages that parent and child still share: what arrives in the one's is not the other's. */
#define SHARED_BYTES (8 * 4096)
static char *shared;
static void reading_into_shared(int n) {
  (void)n;
  close(ends[WRITER]);
  EXPECT(read_all(ends[READER], shared + 100, SHARED_BYTES - 200) == SHARED_BYTES - 200);
  for (unsigned i = 0; i < SHARED_BYTES; i++)
    if (shared[i] != (i < 100 || i >= SHARED_BYTES - 100 ? 's' : 'w'))
      EXPECT(i == -1u);
}

static void copied_on_write(void) {
  shared = absent(SHARED_BYTES);
  memset(shared, 's', SHARED_BYTES);
  memset(text, 'w', SHARED_BYTES);
  open_pipe(ends);
  pid_t pid = start(reading_into_shared, 0);
  CHECK(write_all(ends[WRITER], text, SHARED_BYTES - 200));
  ends_well(pid);
  for (unsigned i = 0; i < SHARED_BYTES; i++)
    if (shared[i] != 's')
      CHECK_EQ(i, -1);
  close_pipe(ends);
  sbrk(-SHARED_BYTES);
}

/* The child writes from pages that it has just made its own; the parent's stay as they were. */
static void changing_shared(int n) {
  memset(shared, 'c' + n, SHARED_BYTES);
  close(ends[READER]);
  EXPECT(write_all(ends[WRITER], shared, SHARED_BYTES));
}

static void written_from_shared(void) {
  shared = absent(SHARED_BYTES);
  memset(shared, 's', SHARED_BYTES);
  open_pipe(ends);
  for (int n = 0; n < 3; n++) {
    pid_t pid = start(changing_shared, n);
    char *to = absent(SHARED_BYTES);
    CHECK_EQ(read_all(ends[READER], to, SHARED_BYTES), SHARED_BYTES);
    CHECK(to[0] == 'c' + n && to[SHARED_BYTES - 1] == 'c' + n);
    CHECK(shared[0] == 's' && shared[SHARED_BYTES - 1] == 's');
    ends_well(pid);
    sbrk(-SHARED_BYTES);
  }
  close_pipe(ends);
  sbrk(-SHARED_BYTES);
}
#endif

static const struct test tests[] = {
    {"a place to work in", scratch_path},
    {"the wrong end, and what a pipe cannot do", wrong_ends},
    {"ends are closed in every order", every_order_of_closes},
    {"bytes come before the end", bytes_before_the_end},
    {"nobody waits who said so", without_waiting},
    {"a short write goes in whole or not at all", whole_or_nothing},
    {"odd sizes, with a checksum", odd_sizes},
    {"pipes until no descriptor is left", many_pipes},
    {"buffers in pages that are not there yet", absent_pages},
    {"buffers in pages that never will be", pages_of_nobody},
#ifdef HAVE_FORK
    {"bytes come in order, and then the end (pipe1)", in_order_to_the_end},
    {"among programs that never wait (preempt)", among_spinning_programs},
    {"a byte to and fro", back_and_forth},
    {"short writes of several processes stay whole", writes_stay_whole},
    {"every byte comes to one of several readers", many_readers},
    {"the last reader goes while a writer waits", writer_left_alone},
    {"the last writer goes while a reader waits", reader_left_alone},
    {"readers are killed while they wait", killed_readers},
    {"writers are killed while they wait", killed_writers},
    {"bytes for a reader that waits", given_to_a_reader},
    {"bytes of a writer that waits", taken_from_a_writer},
    {"neither side's pages are there yet", absent_on_both_sides},
    {"a reader that waits without a buffer", given_to_nobody},
    {"a write that ends in the middle", partial_writes},
    {"either side is killed in the middle", killed_in_the_middle},
    {"a chain of 20 processes", a_chain},
    {"inherited ends keep a pipe open", inherited_ends},
    {"exec closes the ends that it was told to", closed_by_exec},
    {"exec keeps the others", kept_by_exec},
    {"bytes arrive in pages that are shared until then", copied_on_write},
    {"bytes leave from pages that are shared until then", written_from_shared},
#endif
};

int main(void) {
  memset(text, 0, sizeof text);
  memset(back, 0, sizeof back);
  return SCRATCH_RUN("pipe", tests);
}
