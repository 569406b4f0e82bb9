/* SPDX-License-Identifier: BSD-2-Clause */
/* Streams: when what was put is written, and what is where when several look at one descriptor. Plain POSIX, see unix.h. */
#include "unix.h"

#include <math.h>
#include <poll.h>
#include <stdarg.h>
#include <sys/stat.h>

static struct gate go; /* opened by the parent once it has looked */
static int ends[2];    /* of the pipe that a child writes to */

/* A child whose standard output, or error output, is a pipe. */
static pid_t begin_piped(body *run, int as) {
  CHECK_EQ(pipe(ends), 0);
  gate_make(&go);
  pid_t pid = fork();
  if (!pid) {
    dup2(ends[1], as);
    close(ends[1]);
    setvbuf(stdout, NULL, _IOFBF, BUFSIZ);
    run();
    exit(7);
  }
  close(ends[1]);
  return pid;
}

static bool is_quiet(void) {
  pause_for(50);
  return !poll(&(struct pollfd){ends[0], POLLIN, 0}, 1, 0);
}

/* One read brings just that text. */
static bool comes(const char *text) {
  char got[10000];
  ssize_t n = read(ends[0], got, sizeof got);
  return n == (ssize_t)strlen(text) && !memcmp(got, text, (size_t)n);
}

/* Whether the writers were both done before the first read is chance. */
static bool comes_in_parts(const char *text) {
  char got[64];
  size_t wanted = strlen(text), have = 0;
  for (ssize_t n = 1; n > 0 && have<wanted; have += n> 0 ? (size_t)n : 0)
    n = read(ends[0], got + have, wanted - have);
  return have == wanted && !memcmp(got, text, wanted);
}

static void end_piped(pid_t pid, int status) {
  exits(pid, status);
  CHECK(comes(""));
  close(ends[0]);
  gate_close(&go);
}

static void print_lines(void) {
  printf("one %d\n", 1);
  puts("two");
  putchar('3');
  gate_pass(&go);
}

/* A program that has not asked for it. */
static void print_as_always(void) {
  char *const argv[] = {(char *)own_program, "print", NULL};
  dup2(go.fd[0], 0);
  execv(own_program, argv);
}

static void full(void) {
  pid_t pid = begin_piped(print_as_always, 1);
  CHECK(is_quiet());
  gate_open(&go);
  CHECK(comes("one 1\ntwo\n3"));
  end_piped(pid, 7);
}

static void print_by_line(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  printf("one %d\n", 1);
  gate_pass(&go);
  puts("two");
  putchar('3');
  gate_pass(&go);
}

static void by_line(void) {
  pid_t pid = begin_piped(print_by_line, 1);
  CHECK(comes("one 1\n"));
  gate_open(&go);
  CHECK(comes("two\n"));
  CHECK(is_quiet());
  gate_open(&go);
  CHECK(comes("3"));
  end_piped(pid, 7);
}

static void print_at_once(void) {
  setvbuf(stdout, NULL, _IONBF, 0);
  printf("a %s of %d", "piece", 2);
  gate_pass(&go);
  fputs("more", stdout);
  gate_pass(&go);
  fwrite("bytes", 1, 5, stdout);
  gate_pass(&go);
}

static void at_once(void) {
  pid_t pid = begin_piped(print_at_once, 1);
  CHECK(comes("a piece of 2"));
  gate_open(&go);
  CHECK(comes("more"));
  gate_open(&go);
  CHECK(comes("bytes"));
  gate_open(&go);
  end_piped(pid, 7);
}

static void print_errors(void) {
  fprintf(stderr, "%s: %d", "error", 5);
  gate_pass(&go);
  errno = ENOENT;
  perror("name");
}

static void errors(void) {
  pid_t pid = begin_piped(print_errors, 2);
  CHECK(comes("error: 5"));
  gate_open(&go);
  pause_for(50);
  char got[100] = "";
  CHECK(read(ends[0], got, sizeof got) > 7 && !memcmp(got, "name: ", 6));
  end_piped(pid, 7);
}

static void print_to_buffer(void) {
  static char own[10];
  setvbuf(stdout, own, _IOFBF, sizeof own);
  printf("%s", "0123456789");
  printf("%s", "abc");
  fflush(stdout);
  MUST(!memcmp(own, "abc", 3));
}

static void own_buffer(void) {
  pid_t pid = begin_piped(print_to_buffer, 1);
  pause_for(50);
  CHECK(comes("0123456789abc"));
  end_piped(pid, 7);
}

static void leave_at_once(void) {
  printf("lost");
  _exit(3);
}

static void lost(void) {
  end_piped(begin_piped(leave_at_once, 1), 3);
}

static void fork_with_text(void) {
  printf("twice ");
  pid_t pid = fork();
  if (pid)
    MUST_EQ(status_of(pid), 7 << 8);
}

static void copied(void) {
  pid_t pid = begin_piped(fork_with_text, 1);
  CHECK(comes_in_parts("twice twice "));
  end_piped(pid, 7);
}

static void fill_buffer(void) {
  for (int i = 0; i < 3000; i++)
    printf("%03d", i % 1000);
  fwrite("x", 1, 1, stdout);
}

static void larger(void) {
  pid_t pid = begin_piped(fill_buffer, 1);
  char got[9100];
  long n = 0;
  for (ssize_t part; (part = read(ends[0], got + n, sizeof got - (size_t)n)) > 0;)
    n += part;
  CHECK_EQ(n, 9001);
  CHECK(!memcmp(got, "000001002", 9) && !memcmp(got + 8991, "997998999x", 10));
  end_piped(pid, 7);
}

/* ---- Input ---- */
static void read_a_line(void) {
  char line[20];
  MUST(fgets(line, sizeof line, stdin) && !strcmp(line, "first\n"));
  MUST_EQ(ftell(stdin), 6);
  MUST_EQ(getchar(), 's');
  exit(0);
}

static void goes_back(void) {
  int fd = make_file("input", "first\nsecond\n", 13), old = dup(0);
  dup2(fd, 0);
  exits(begin(read_a_line), 0);
  dup2(old, 0);
  close(old);
  CHECK_EQ(lseek(fd, 0, SEEK_CUR), 7);
  close(fd);
  CHECK_EQ(unlink("input"), 0);
}

static void seek_input(void) {
  char text[14] = "";
  MUST_EQ(getchar(), 'f');
  MUST_EQ(fseek(stdin, 6, SEEK_SET), 0);
  MUST_EQ(getchar(), 's');
  MUST_EQ(ungetc('S', stdin), 'S');
  MUST_EQ(fread(text, 1, sizeof text, stdin), 7);
  MUST(!strcmp(text, "Second\n"));
  MUST(feof(stdin) && !ferror(stdin));
  MUST_EQ(getchar(), EOF);
  rewind(stdin);
  MUST(!feof(stdin));
  MUST_EQ(fread(text, 2, 7, stdin), 6);
  MUST(!memcmp(text, "first\nsecond\n", 13));
  exit(0);
}

static void seeks(void) {
  int fd = make_file("input", "first\nsecond\n", 13), old = dup(0);
  dup2(fd, 0);
  exits(begin(seek_input), 0);
  dup2(old, 0);
  close(old);
  close(fd);
  CHECK_EQ(unlink("input"), 0);
}

static void read_from_pipe(void) {
  MUST_EQ(getchar(), '1');
  fflush(stdin);
  FAILS(fseek(stdin, 0, SEEK_SET), ESPIPE);
  MUST_EQ(getchar(), '2'); /* it is not lost */
  exit(0);
}

static void pipes(void) {
  struct gate gate;
  gate_make(&gate);
  int old = dup(0);
  dup2(gate.fd[0], 0);
  CHECK_EQ(write(gate.fd[1], "12", 2), 2);
  exits(begin(read_from_pipe), 0);
  dup2(old, 0);
  close(old);
  gate_close(&gate);
}

/* ---- Files ---- */
static void both_directions(void) {
  FILE *file = fopen("both", "w+");
  MUST_EQ(fwrite("0123456789", 1, 10, file), 10);
  MUST_EQ(ftell(file), 10);
  rewind(file);
  MUST_EQ(getc(file), '0');
  MUST_EQ(fseek(file, 0, SEEK_CUR), 0);
  MUST(putc('x', file) == 'x' && fflush(file) == 0);
  MUST_EQ(fseek(file, -1, SEEK_END), 0);
  MUST_EQ(getc(file), '9');
  MUST_EQ(fclose(file), 0);
  file = fopen("both", "a+");
  MUST_EQ(getc(file), '0');
  fseek(file, 0, SEEK_CUR);
  MUST(fputs("end", file) >= 0 && ftell(file) == 13);
  MUST_EQ(fclose(file), 0);
  char got[20] = "";
  int fd = open("both", O_RDONLY);
  MUST_EQ(read(fd, got, sizeof got), 13);
  MUST(!strcmp(got, "0x23456789end"));
  MUST_EQ(close(fd), 0);
  file = fopen("both", "r+");
  MUST_EQ(dup2(open("both", O_RDONLY), fileno(file)), fileno(file)); /* that cannot be written */
  putc('x', file);
  MUST_EQ(fflush(file), EOF);
  MUST(ferror(file));
}

static void directions(void) {
  exits(begin(both_directions), 0);
  CHECK_EQ(unlink("both"), 0);
}

static void much(void) {
  static char data[70000], back[70001];
  for (unsigned i = 0; i < sizeof data; i++)
    data[i] = (char)(i * (i >> 8) / 7);
  FILE *file = fopen("much", "w+");
  for (size_t at = 0, n, step = 1; at < sizeof data; at += n, step = step * 3 % 9001) {
    n = step < sizeof data - at ? step : sizeof data - at;
    MUST_EQ(fwrite(data + at, 1, n, file), n);
  }
  rewind(file);
  MUST_EQ(fread(back, 1, 5, file), 5);
  MUST_EQ(fread(back + 5, 1, 65000, file), 65000);
  MUST_EQ(fread(back + 65005, 1, 10000, file), 4995);
  MUST(!memcmp(data, back, sizeof data) && feof(file));
}

static void large(void) {
  exits(begin(much), 0);
  CHECK_EQ(unlink("much"), 0);
}

static void closing(void) {
  printf("last words");
  MUST_EQ(fclose(stdout), 0);
  MUST_FAIL(fcntl(1, F_GETFD), EBADF);
}

static void closed(void) {
  pid_t pid = begin_piped(closing, 1);
  CHECK(comes("last words"));
  end_piped(pid, 7);
}

/* ---- Long doubles: of at most 64 bits, as Linux has them here ---- */
static bool prints(const char *expected, const char *format, ...) {
  char got[200];
  va_list list;
  va_start(list, format);
  int n = vsnprintf(got, sizeof got, format, list);
  va_end(list);
  if (n == (int)strlen(expected) && !strcmp(got, expected))
    return true;
  printf("# %s, not %s\n", got, expected);
  return false;
}

static void print_long_doubles(void) {
  const long double tiny = 1 / 1073741824.0L, large = 1e27L;
  CHECK(prints("1.500000 2.50e+00 3", "%Lf %.2Le %Lg", 1.5L, 2.5L, 3.0L));
  CHECK(prints("1.000000000931322574615478515625", "%.30Lf", 1 + tiny));
  CHECK(prints("1000000000000000000000000000", "%.0Lf", large));
  CHECK(prints("1e+27 1.00000E+27", "%Lg %#LG", large, large));
  CHECK(prints("0 2 2 4 1e+01", "%.0Lf %.0Lf %.0Lf %.0Lf %.0Le", 0.5L, 1.5L, 2.5L, 3.5L, 9.5L));
  CHECK(prints("|    -1.25|-1.25    |-0001.25|+1.25| 1.25|", "|%9.2Lf|%-9.2Lf|%08.2Lf|%+.2Lf|% .2Lf|", -1.25L, -1.25L,
               -1.25L, 1.25L, 1.25L));
  CHECK(prints("a 1 0.25 |  0.5| 7 2.5 %", "%s %d %Lg |%*.*Lf| %ld %g %%", "a", 1, 0.25L, 5, 1, 0.5L, 7l, 2.5));
  CHECK(prints("inf -INF   nan 0 -0", "%Lf %LF %5Lg %Lg %Lg", (long double)INFINITY, -(long double)INFINITY,
               (long double)NAN, 0.0L, -0.0L));
  CHECK(prints("9.95e-05 0.0001 0.000101 99.5", "%.3Lg %.3Lg %.3Lg %.3Lg", 9.95e-5L, 1e-4L, 1.01e-4L, 99.5L));
}

static void long_doubles_back(void) {
  long double a = 0, b = 7;
  double d = 0;
  int n = 0;
  char set[8] = "";
  CHECK_EQ(sscanf("2.5 -8 ]y 1e3 0.25", "%Lf %d %[]y] %lf %*f %Lg", &a, &n, set, &d, &b), 4);
  CHECK(a == 2.5L && n == -8 && !strcmp(set, "]y") && d == 1000 && b == 7);
  CHECK_EQ(sscanf("1.5,-3", "%Lg,%Le", &a, &b), 2);
  CHECK(a == 1.5L && b == -3);
  CHECK(strtold("1e4000", NULL) > 1e308L && strtold("0.0625x", NULL) == 0.0625L);
}

static const struct test tests[] = {
    {"standard output to a pipe is written when its buffer is full, or at exit", full},
    {"setvbuf: by line", by_line},
    {"setvbuf: unbuffered, each function writes once", at_once},
    {"error output is unbuffered", errors},
    {"setvbuf: a buffer of the program's", own_buffer},
    {"_exit writes nothing", lost},
    {"a child of fork has a copy of what is in the buffer", copied},
    {"more than a buffer", larger},
    {"what was read ahead goes back at exit", goes_back},
    {"seeking in standard input", seeks},
    {"what a pipe has delivered is not lost", pipes},
    {"reading and writing one stream", directions},
    {"pieces of all sizes", large},
    {"standard output is closed", closed},
    {"printing long doubles", print_long_doubles},
    {"reading long doubles", long_doubles_back},
};

int main(int argc, char **argv) {
  (void)argv;
  if (argc > 1) {
    print_lines(); /* go is all zero: the gate is its standard input */
    return 7;
  }
  unix_begin("t_stream");
  return TAP_RUN("stream", tests);
}
