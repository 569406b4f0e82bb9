/* SPDX-License-Identifier: BSD-2-Clause */
/* A program from outside the tree: the parts of the C library and of POSIX, one line each. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <libgen.h>
#include <locale.h>
#include <math.h>
#include <poll.h>
#include <pwd.h>
#include <regex.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "parts.h"

_Static_assert(FILENAME_MAX > 255 && FOPEN_MAX >= 8, "ISO C, 7.21.1, has them in stdio.h");

static void numbers(void) {
  printf("numbers: %.10f %g %ld %llx %zu %5.2e %s\n", sin(1.0), pow(2, 0.5), strtol("-0x10", NULL, 0), 1ull << 40,
         sizeof(long), 12345.678, setlocale(LC_ALL, "C"));
}

static void memory(void) {
  char *block = NULL;
  unsigned long sum = 0;
  for (int round = 1; round <= 1000; round++) {
    block = realloc(block, (size_t)round * 997);
    memset(block + (round - 1) * 997, round, 997);
  }
  for (size_t i = 0; i < 997000; i++)
    sum += (unsigned char)block[i];
  free(block);
  printf("memory: %lu\n", sum);
}

static void mappings(void) {
  int *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  int fd = open("/data/text", O_RDONLY);
  char *text = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
  pid_t pid = fork();
  if (!pid) {
    *shared = 42;
    _exit(3);
  }
  int status;
  waitpid(pid, &status, 0);
  printf("mappings: %d %d %.5s\n", *shared, WEXITSTATUS(status), text);
}

static void pipes(void) {
  int there[2], back[2];
  char text[64] = "";
  if (pipe(there) || pipe(back))
    return;
  if (!fork()) {
    ssize_t n = read(there[0], text, sizeof text);
    for (ssize_t i = 0; i < n; i++)
      text[i] = (char)toupper((unsigned char)text[i]);
    write(back[1], text, (size_t)n);
    _exit(0);
  }
  struct pollfd fds[] = {{back[0], POLLIN, 0}, {there[1], POLLOUT, 0}, {99, POLLIN, 0}, {-1, POLLIN, 0}};
  int now = poll(fds, 4, 0), first = fds[1].revents, bad = fds[2].revents;
  writev(there[1], (struct iovec[]){{"to a ", 5}, {"child", 5}}, 2);
  fds[2].fd = -1, fds[1].fd = -1;
  int later = poll(fds, 4, -1);
  close(back[1]);
  ssize_t n = read(back[0], text, sizeof text);
  wait(NULL);
  int end = poll(fds, 1, -1), hangup = fds[0].revents;
  printf("pipes: %d %d %d %d %.*s %d %d\n", now, first == POLLOUT, bad == POLLNVAL, later, (int)n, text, end,
         hangup == POLLHUP);
}

static void waiting(void) {
  int ends[2];
  fd_set set;
  pipe(ends);
  FD_ZERO(&set);
  FD_SET(ends[0], &set);
  int none = select(ends[0] + 1, &set, NULL, NULL, &(struct timeval){0, 20000}), left = FD_ISSET(ends[0], &set);
  write(ends[1], "x", 1);
  FD_SET(ends[0], &set);
  int one = select(ends[0] + 1, &set, NULL, NULL, &(struct timeval){5, 0});
  printf("waiting: %d %d %d %d\n", none, left, one, FD_ISSET(ends[0], &set) != 0);
}

static void directories(void) {
  char path[1024] = "";
  struct dirent **list;
  mkdir("/tmp/d", 0755);
  int fd = open("/tmp/d", O_RDONLY | O_DIRECTORY);
  close(openat(fd, "b", O_CREAT | O_WRONLY, 0644));
  close(openat(fd, "a.c", O_CREAT | O_WRONLY, 0600));
  int n = scandir("/tmp/d", &list, NULL, alphasort);
  chdir("/tmp/d");
  glob_t found;
  int matched = glob("*.[ch]", 0, NULL, &found), none = glob("*.x", 0, NULL, &(glob_t){0});
  printf("directories: %d %s %s %d %s %d %s %s\n", n, list[2]->d_name, list[3]->d_name, matched, found.gl_pathv[0],
         none == GLOB_NOMATCH, realpath("../d/./b", path), basename(path));
  globfree(&found);
}

static void modes(void) {
  struct stat s;
  mode_t old = umask(022);
  close(open("/tmp/m", O_CREAT | O_WRONLY, 0666));
  stat("/tmp/m", &s);
  int made = s.st_mode & 07777;
  chmod("/tmp/m", 0751);
  stat("/tmp/m", &s);
  printf("modes: %o %o %o %o\n", old, made, s.st_mode & 07777, umask(0));
}

static void streams(void) {
  char *line = NULL, *text;
  size_t size = 0;
  FILE *in = fopen("/data/text", "r"), *more = fopen("/tmp/stream", "w+");
  ssize_t first = getline(&line, &size, in), second = getline(&line, &size, in), third = getline(&line, &size, in);
  fprintf(more, "%s:%d", "written", 7);
  fflush(NULL);
  rewind(more);
  int number = 0;
  char word[16] = "";
  int n = fscanf(more, "%15[^:]:%d", word, &number);
  asprintf(&text, "%d %s", fileno(stdout), word);
  printf("streams: %d %d %d %d %s %d\n", (int)first, (int)second, (int)third, n, text, number);
  fopen("/tmp/left-open", "w");
}

static void system_calls(void) {
  struct utsname name;
  struct rlimit limit;
  struct termios t;
  struct winsize size;
  uname(&name);
  getrlimit(RLIMIT_NOFILE, &limit);
  int tty = tcgetattr(0, &t), why = errno, window = ioctl(1, TIOCGWINSZ, &size);
  printf("system: %s %s %lu %d %d %d %s\n", name.sysname, name.machine, limit.rlim_cur, tty, why == ENOTTY,
         window == -1 && errno == ENOTTY, getpwuid(getuid())->pw_name);
}

static volatile sig_atomic_t caught;

static void catch (int number) {
  caught = number;
}

static void signals(void) {
  struct sigaction action = {.sa_handler = catch};
  sigjmp_buf where;
  sigemptyset(&action.sa_mask);
  sigaction(SIGUSR1, &action, NULL);
  raise(SIGUSR1);
  volatile int times = 0;
  int jumped = sigsetjmp(where, 1);
  if (times++ < 2)
    siglongjmp(where, times);
  pid_t pid = fork();
  if (!pid)
    abort();
  int status;
  waitpid(pid, &status, 0);
  printf("signals: %d %d %d\n", caught == SIGUSR1, jumped, WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static void programs(void) {
  char text[64] = "";
  FILE *p = popen("echo from a program", "r");
  fgets(text, sizeof text, p);
  int status = pclose(p);
  printf("programs: %d %s", status, text);
}

static void patterns(void) {
  regex_t r;
  regmatch_t match[2];
  regcomp(&r, "([0-9]+)-", REG_EXTENDED);
  int found = regexec(&r, "ab 123-4", 2, match, 0);
  printf("patterns: %d %d %d\n", found, (int)match[1].rm_so, (int)match[1].rm_eo);
  regfree(&r);
}

int main(int argc, char **argv) {
  void (*parts[])(void) = {numbers, memory,  mappings,     pipes,   waiting,  directories,
                           modes,   streams, system_calls, signals, programs, patterns};
  printf("%d %s %s\n", argc, argv[1], part_text());
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
    parts[i]();
  fprintf(stderr, "to the error output\n");
  return part_number() + argc;
}
