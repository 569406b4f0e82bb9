/* SPDX-License-Identifier: BSD-2-Clause */
/* The first process under scripts/runner: runs one command line with pipes for its standard streams, and carries what goes
 * through them over the console in frames, so that every byte arrives and none is of somebody else. A frame is
 *   SOH, a letter, four hexadecimal digits: how many bytes follow up to the newline; these bytes; a newline.
 * What the console or these marks would change is escaped: STX and the byte with bit 6 turned over. The letters:
 *   o, e  the program's output, and its error output        i  a line of input is wanted: base64, or a point for its end
 *   g     a file that was asked for begins, f some of it, m it cannot be read: why
 *   x     the end: how the program ended, as wait() says it */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define LINE 1024                 /* bytes that go out whole (POSIX_WHOLE) */
#define HEAD 6                    /* of a frame */
#define PAYLOAD (LINE - HEAD - 2) /* less the newline, and one for an escape that begins at the end */

static char out[16 * LINE];
static size_t out_used;

static void out_flush(void) {
  for (size_t done = 0; done < out_used;) {
    ssize_t n = write(STDOUT_FILENO, out + done, out_used - done);
    if (n <= 0 && errno != EINTR)
      _exit(1);
    done += n > 0 ? (size_t)n : 0;
  }
  out_used = 0;
}

static size_t escape(char *to, char c) {
  if (c != '\n' && c != '\r' && c != 1 && c != 2) {
    *to = c;
    return 1;
  }
  to[0] = 2;
  to[1] = c ^ 0x40;
  return 2;
}

/* One frame, of as much as it takes; how much that was. */
static size_t frame(char letter, const char *data, size_t bytes) {
  char head[HEAD + 1];
  if (sizeof out - out_used < LINE)
    out_flush();
  char *start = out + out_used + HEAD, *to = start;
  size_t taken = 0;
  while (taken < bytes && to - start < PAYLOAD)
    to += escape(to, data[taken++]);
  snprintf(head, sizeof head, "\1%c%04x", letter, (unsigned)(to - start));
  memcpy(start - HEAD, head, HEAD);
  *to++ = '\n';
  out_used = (size_t)(to - out);
  return taken;
}

static void send(char letter, const char *data, size_t bytes) {
  for (size_t done = 0; done < bytes;)
    done += frame(letter, data + done, bytes - done);
}

static void send_text(char letter, const char *text) {
  frame(letter, text, strlen(text));
}

static _Noreturn void fail(const char *what) {
  char text[200];
  snprintf(text, sizeof text, "runner: %s: %s\n", what, strerror(errno));
  send_text('e', text);
  out_flush();
  exit(1);
}

/* ---- The program --------------------------------------------------------------------------------------------------------- */
enum { IN, OUT, ERR, STATUS, PIPES };
static int ends[PIPES][2]; /* reading, writing */

static _Noreturn void become(char **argv) {
  for (int i = IN; i <= ERR; i++)
    dup2(ends[i][i != IN], i);
  setenv("PATH", "/bin", 0); /* programs look for them */
  setenv("HOME", "/", 0);
  execvp(*argv, argv);
  dprintf(STDERR_FILENO, "%s: %s\n", *argv, strerror(errno));
  _exit(errno == ENOENT ? 127 : 126);
}

/* Its parent is a process that does nothing but wait for it, and whose pipe says when it has ended. */
static void start(char **argv) {
  for (int i = 0; i < PIPES; i++)
    if (pipe2(ends[i], O_CLOEXEC))
      fail("pipe");
  pid_t waiter = fork();
  if (waiter < 0)
    fail("fork");
  if (waiter)
    return;
  int status = 0;
  pid_t pid = fork();
  if (!pid)
    become(argv);
  for (int i = IN; i <= ERR; i++)
    close(ends[i][0]), close(ends[i][1]);
  while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
    ;
  if (pid > 0)
    write(ends[STATUS][1], &status, sizeof status);
  _exit(0);
}

/* ---- Its input: what was known before the machine began is in a file, the rest is asked for --------------------------------- */
static char input[4096];
static size_t input_used, input_sent;
static bool input_wanted, all_known;
static int known = -1; /* the file, as long as it lasts */

static int value(char c) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const char *at = c ? strchr(digits, c) : NULL;
  return at ? (int)(at - digits) : -1;
}

static void decode(const char *line, size_t bytes) {
  unsigned bits = 0, held = 0;
  input_used = input_sent = 0;
  for (size_t i = 0; i < bytes && value(line[i]) >= 0; i++) {
    bits = bits << 6 | (unsigned)value(line[i]);
    held += 6;
    if (held < 8)
      continue;
    held -= 8;
    input[input_used++] = (char)(bits >> held);
  }
}

static void input_close(void) {
  close(ends[IN][1]);
  ends[IN][1] = -1;
  input_used = input_sent = 0;
}

static void input_arrived(void) {
  char line[LINE];
  ssize_t n = read(STDIN_FILENO, line, sizeof line);
  input_wanted = false;
  if (n <= 0 || *line == '.')
    input_close();
  else
    decode(line, (size_t)n);
}

/* A program that has closed its input wants no more of it. */
static void input_give(void) {
  ssize_t n = write(ends[IN][1], input + input_sent, input_used - input_sent);
  if (n < 0 && errno != EAGAIN && errno != EINTR)
    input_close();
  else if (n > 0)
    input_sent += (size_t)n;
}

/* False: there is no more in the file. */
static bool input_known(void) {
  ssize_t n = known < 0 ? 0 : read(known, input, sizeof input);
  if (n <= 0)
    return false;
  input_used = (size_t)n;
  input_sent = 0;
  return true;
}

static void input_ask(void) {
  if (ends[IN][1] < 0 || input_wanted || input_sent < input_used || input_known())
    return;
  input_wanted = !all_known;
  if (all_known)
    input_close();
  else
    send_text('i', "");
}

/* ---- Its output ----------------------------------------------------------------------------------------------------------- */
/* False at its end, or when nothing more is there now. */
static bool carry(int end, char letter) {
  static char data[4096];
  ssize_t n = read(end, data, sizeof data);
  if (n > 0)
    send(letter, data, (size_t)n);
  return n > 0;
}

static void carry_rest(int end, char letter) {
  fcntl(end, F_SETFL, O_NONBLOCK);
  while (carry(end, letter))
    ;
}

/* Until the program has ended; what it left running is not waited for. */
static int attend(void) {
  int status;
  struct pollfd fds[] = {{ends[OUT][0], POLLIN, 0},
                         {ends[ERR][0], POLLIN, 0},
                         {ends[STATUS][0], POLLIN, 0},
                         {STDIN_FILENO, POLLIN, 0},
                         {-1, POLLOUT, 0}};
  for (;;) {
    input_ask();
    out_flush();
    fds[3].fd = input_wanted ? STDIN_FILENO : -1;
    fds[4].fd = input_sent < input_used ? ends[IN][1] : -1;
    if (poll(fds, sizeof fds / sizeof *fds, -1) < 0)
      continue;
    for (int i = 0; i < 2; i++)
      if (fds[i].revents && !carry(fds[i].fd, "oe"[i]))
        fds[i].fd = -1;
    if (fds[3].revents)
      input_arrived();
    if (fds[4].revents)
      input_give();
    if (!fds[2].revents)
      continue;
    if (read(ends[STATUS][0], &status, sizeof status) != sizeof status)
      fail("the program could not be started");
    carry_rest(ends[OUT][0], 'o');
    carry_rest(ends[ERR][0], 'e');
    return status;
  }
}

/* ---- Files ------------------------------------------------------------------------------------------------------------------ */
static void give_file(const char *path) {
  static char data[16384];
  int fd = open(path, O_RDONLY);
  ssize_t n = 0;
  send_text('g', "");
  while (fd >= 0 && (n = read(fd, data, sizeof data)) > 0)
    send('f', data, (size_t)n);
  if (fd < 0 || n < 0)
    send_text('m', strerror(errno));
  if (fd >= 0)
    close(fd);
}

/* The strings of the file, each of which NUL ends. */
static char **strings_of(const char *path) {
  struct stat s;
  int fd = open(path, O_RDONLY);
  if (fd < 0 || fstat(fd, &s))
    fail(path);
  char *text = malloc((size_t)s.st_size + 1), **list = calloc((size_t)s.st_size + 1, sizeof *list);
  if (!text || !list || read(fd, text, (size_t)s.st_size) != s.st_size)
    fail(path);
  close(fd);
  for (char *at = text, **next = list; at < text + s.st_size; at += strlen(at) + 1)
    *next++ = at;
  return list;
}

int main(void) {
  char **strings = strings_of("/etc/runner"), **files = strings + 2, text[16];
  int count = atoi(strings[1]);
  all_known = !strcmp(strings[0], "all");
  known = open("/etc/runner.input", O_RDONLY | O_CLOEXEC);
  signal(SIGPIPE, SIG_IGN);
  start(files + count);
  for (int i = 0; i < PIPES; i++)
    close(ends[i][i == IN ? 0 : 1]);
  fcntl(ends[IN][1], F_SETFL, O_NONBLOCK);
  int status = attend();
  for (int i = 0; i < count; i++)
    give_file(files[i]);
  snprintf(text, sizeof text, "%d", status);
  send_text('x', text);
  out_flush();
  return 0;
}
