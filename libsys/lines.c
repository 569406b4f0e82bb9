/* SPDX-License-Identifier: BSD-2-Clause */
/* What <stdio.h> has of POSIX.1-2017 and picolibc has not: lines of any length, printing to descriptors, programs as streams;
 * and <err.h>. */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int grow(char **line, size_t *size, size_t wanted) {
  if (*line && wanted <= *size)
    return 0;
  size_t next = wanted < 128 ? 128 : wanted + wanted / 2;
  char *made = realloc(*line, next);
  if (!made)
    return -1;
  *line = made;
  *size = next;
  return 0;
}

ssize_t getdelim(char **line, size_t *size, int end, FILE *file) {
  size_t used = 0;
  int c = 0;
  if (!line || !size) {
    errno = EINVAL;
    return -1;
  }
  while (c != end || !used) {
    c = getc(file);
    if (c == EOF)
      break;
    if (grow(line, size, used + 2))
      return -1;
    (*line)[used++] = (char)c;
    if (c == end)
      break;
  }
  if (!used)
    return -1;
  (*line)[used] = 0;
  return (ssize_t)used;
}

ssize_t getline(char **line, size_t *size, FILE *file) {
  return getdelim(line, size, '\n', file);
}

int vdprintf(int fd, const char *format, va_list list) {
  char *text;
  int bytes = vasprintf(&text, format, list);
  if (bytes < 0)
    return -1;
  ssize_t done = write(fd, text, (size_t)bytes);
  free(text);
  return done < 0 ? -1 : bytes;
}

int dprintf(int fd, const char *format, ...) {
  va_list list;
  va_start(list, format);
  int bytes = vdprintf(fd, format, list);
  va_end(list);
  return bytes;
}

/* ---- Programs: the shell runs the line ------------------------------------------------------------------------------------ */
static struct popened {
  struct popened *next;
  FILE *file;
  pid_t pid;
} * popened;

static pid_t run_shell(const char *line, int end, int as) {
  pid_t pid = fork();
  if (pid)
    return pid;
  for (const struct popened *other = popened; other; other = other->next)
    close(fileno(other->file)); /* or it would keep the other's pipe open */
  if (end != as && end >= 0) {
    dup2(end, as);
    close(end);
  }
  execl("/bin/sh", "sh", "-c", line, (char *)NULL);
  _exit(127);
}

FILE *popen(const char *line, const char *mode) {
  int ends[2], reads = *mode == 'r';
  struct popened *p = malloc(sizeof *p);
  if (!p || (!reads && *mode != 'w') || pipe2(ends, O_CLOEXEC)) {
    free(p);
    return NULL;
  }
  p->file = fdopen(ends[!reads], reads ? "r" : "w");
  p->pid = p->file ? run_shell(line, ends[reads], reads) : -1;
  close(ends[reads]);
  if (p->pid < 0) {
    if (p->file)
      fclose(p->file);
    free(p);
    return NULL;
  }
  p->next = popened;
  popened = p;
  return p->file;
}

static int status_of(pid_t pid) {
  int status;
  while (waitpid(pid, &status, 0) < 0)
    if (errno != EINTR)
      return -1;
  return status;
}

int pclose(FILE *file) {
  struct popened **place = &popened, *p;
  while (*place && (*place)->file != file)
    place = &(*place)->next;
  if (!(p = *place)) {
    errno = EINVAL;
    return -1;
  }
  *place = p->next;
  fclose(file);
  int status = status_of(p->pid);
  free(p);
  return status;
}

int system(const char *line) {
  if (!line)
    return !access("/bin/sh", X_OK);
  fflush(NULL);
  pid_t pid = run_shell(line, -1, -1);
  return pid < 0 ? -1 : status_of(pid);
}

/* ---- <err.h> ----------------------------------------------------------------------------------------------------------------- */
static void say(const char *format, va_list list, int error) {
  fprintf(stderr, "%s: ", getprogname());
  vfprintf(stderr, format, list);
  if (error)
    fprintf(stderr, ": %s", strerror(error));
  putc('\n', stderr);
}

#define SAY(error)                                                                                                   \
  int number = error;                                                                                                \
  va_list list;                                                                                                      \
  va_start(list, format);                                                                                            \
  say(format, list, number);                                                                                         \
  va_end(list)

void warn(const char *format, ...) {
  SAY(errno);
}

void warnx(const char *format, ...) {
  SAY(0);
}

void err(int status, const char *format, ...) {
  SAY(errno);
  exit(status);
}

void errx(int status, const char *format, ...) {
  SAY(0);
  exit(status);
}
