/* SPDX-License-Identifier: BSD-2-Clause */
/* What user/user.h declares, by what libsys has of POSIX and the posix server; what is not renamed there is libsys's own. A
 * pointer that is not the program's is an error here, and not its end. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../request.h"
#include "kernel/file.h"
#include "kernel/fs.h"
#include "kernel/param.h"
#include "kernel/vm.h"
#define stat xv6_status /* two structs have the name */
#include "kernel/stat.h"
#undef stat

_Static_assert(NOFILE == POSIX_DESCRIPTORS && NPROC == POSIX_PROCESSES && MAXARG == P_SPAWN_STRINGS &&
                   USERSTACK == P_STACK_BYTES / Q_PAGE_SIZE && sizeof(struct dirent) == 16,
               "these are the same");

enum { CREATE = 0x200, TRUNC = 0x400 }; /* kernel/fcntl.h, whose names are POSIX's too */

/* ---- What the program gives --------------------------------------------------------------------------------------------------- */
static bool readable(const void *at) {
  return may_read(at, 1);
}

/* The first of a row, or the first on its page: is it there? Those between are if that is. */
static bool there(const void *first, const void *at) {
  return (at != first && (uintptr_t)at % Q_PAGE_SIZE) || readable(at);
}

static bool is_string(const char *text, size_t most) {
  for (const char *at = text; at < text + most && there(text, at); at++)
    if (!*at)
      return true;
  return false;
}

static bool are_strings(char **argv) {
  for (char **at = argv; there(argv, at) && (!*at || is_string(*at, P_SPAWN_MAX)); at++)
    if (!*at)
      return true;
  return false;
}

/* Names are cut at DIRSIZ, but for those of a file that is there and has a longer one. */
static bool load_path(const char *given, char path[MAXPATH]) {
  unsigned length = 0;
  char *to = path;
  if (!is_string(given, MAXPATH))
    return false;
  for (const char *from = given; *from; from++) {
    length = *from == '/' ? 0 : length + 1;
    if (length <= DIRSIZ)
      *to++ = *from;
  }
  *to = 0;
  if (strcmp(given, path) && !access(given, F_OK))
    strcpy(path, given);
  return true;
}

/* ---- Processes ---------------------------------------------------------------------------------------------------------------- */
int xv6_wait(int *status) {
  struct p_death death;
  if (status && !readable(status))
    return -1;
  int64_t pid = px_wait(0, 0, &death);
  if (pid > 0 && status)
    *status = death.reason == P_REASON_EXIT ? (int)death.status : -1;
  return pid < 0 ? -1 : (int)pid;
}

int xv6_kill(int pid) {
  return kill(pid, SIGKILL);
}

/* Programs lie in / there, and in /bin here. */
int xv6_exec(const char *given, char **argv) {
  char path[MAXPATH];
  if (!load_path(given, path) || !are_strings(argv))
    return -1;
  execv(path, argv);
  const char *name = given + (*given == '/');
  return errno == ENOENT && !strchr(name, '/') ? execvp(name, argv) : -1;
}

/* ---- Memory and time ---------------------------------------------------------------------------------------------------------- */
char *xv6_sys_sbrk(int bytes, int type) {
  int64_t old = p_sbrk_bytes(bytes, bytes > 0 && type == SBRK_EAGER ? P_SBRK_POPULATE : 0);
  return old < 0 ? (char *)-1 : (char *)old;
}

int xv6_pause(int ticks) {
  if (ticks > 0)
    q_sleep_until(q_time() + (uint64_t)ticks * p_timebase() / 10);
  return 0;
}

int xv6_uptime(void) {
  return (int)(q_time() / (p_timebase() / 10));
}

/* ---- Descriptors -------------------------------------------------------------------------------------------------------------- */
int xv6_pipe(int *fds) {
  return readable(fds) ? pipe(fds) : -1;
}

int xv6_write(int fd, const void *from, int bytes) {
  return bytes < 0 ? -1 : (int)write(fd, from, (size_t)bytes);
}

/* Whole entries: how many bytes. */
static int read_directory(int fd, struct dirent *to, int bytes) {
  struct posix_entry e;
  int left = bytes;
  if (bytes < (int)sizeof *to || !readable(to) || !readable((char *)to + bytes - 1))
    return bytes ? -1 : 0;
  for (; left >= (int)sizeof *to; left -= (int)sizeof *to, to++) {
    struct q_call c = {.label = POSIX_entry, .word = {(uint64_t)fd}, .write = &e, .write_bytes = sizeof e};
    if (ask_server(&c) <= 0)
      break;
    to->inum = (unsigned short)e.number ? (unsigned short)e.number : 0xffff; /* 0 would be no entry */
    memset(to->name, 0, DIRSIZ);
    memcpy(to->name, e.name, strnlen(e.name, DIRSIZ));
  }
  return bytes - left;
}

int xv6_read(int fd, void *to, int bytes) {
  ssize_t got = bytes < 0 ? -1 : read(fd, to, (size_t)bytes);
  return bytes >= 0 && got < 0 && errno == EISDIR ? read_directory(fd, to, bytes) : (int)got;
}

/* Of a pipe there is none. */
static int tell(const char *path, int fd, struct xv6_status *to) {
  struct stat s;
  if ((path ? stat(path, &s) : fstat(fd, &s)) || S_ISFIFO(s.st_mode) || !readable(to))
    return -1;
  to->dev = ROOTDEV;
  to->ino = (unsigned)s.st_ino;
  to->type = S_ISDIR(s.st_mode) ? T_DIR : S_ISCHR(s.st_mode) ? T_DEVICE : T_FILE;
  to->nlink = (short)(s.st_nlink - S_ISDIR(s.st_mode));
  to->size = (uint64_t)s.st_size;
  return 0;
}

int xv6_fstat(int fd, struct xv6_status *to) {
  return tell(NULL, fd, to);
}

/* ---- Paths -------------------------------------------------------------------------------------------------------------------- */
#define OF_PATH(name, arguments, call)                                                                               \
  int name arguments {                                                                                               \
    char path[MAXPATH];                                                                                              \
    return load_path(given, path) ? call : -1;                                                                       \
  }

/* Also an empty directory. */
static int drop(const char *path) {
  int error = unlink(path);
  return error && errno == EPERM ? rmdir(path) : error;
}

static int link_to(const char *old, const char *given) {
  char path[MAXPATH];
  return load_path(given, path) ? link(old, path) : -1;
}

/* Every file may hold a program there. */
OF_PATH(xv6_open, (const char *given, int mode),
        open(path, (mode & O_ACCMODE) | (mode & CREATE ? O_CREAT : 0) | (mode & TRUNC ? O_TRUNC : 0), 0777))
OF_PATH(xv6_unlink, (const char *given), drop(path))
OF_PATH(xv6_link, (const char *given, const char *to), link_to(path, to))
OF_PATH(xv6_mkdir, (const char *given), mkdir(path, 0755))
OF_PATH(xv6_chdir, (const char *given), chdir(path))
OF_PATH(xv6_stat, (const char *given, struct xv6_status *to), tell(path, -1, to))

/* A second name for what is the device. */
int xv6_mknod(const char *path, short major, short minor) {
  (void)minor;
  return major == CONSOLE ? link_to("/dev/console", path) : -1;
}

/* ---- Text --------------------------------------------------------------------------------------------------------------------- */
char *xv6_strchr(const char *text, char c) {
  return c ? strchr(text, c) : NULL;
}

int xv6_atoi(const char *text) {
  return *text >= '0' && *text <= '9' ? (int)strtol(text, NULL, 10) : 0;
}

char *xv6_gets(char *to, int most) {
  int used = 0;
  while (used + 1 < most && read(0, to + used, 1) == 1)
    if (to[used++] == '\n' || to[used - 1] == '\r')
      break;
  to[used] = 0;
  return to;
}

/* Digits above 9 are capitals there, and a pointer has all of them. */
static void translate(const char *from, char *to) {
  for (bool inside = false; *from; from++) {
    if (inside && *from == 'p')
      to = stpcpy(to - 1, "0x%016lX");
    else
      *to++ = inside && *from == 'x' ? 'X' : *from;
    inside = inside ? *from == 'l' : *from == '%';
  }
  *to = 0;
}

/* What one call prints goes out together. */
static void print(int fd, const char *format, va_list list) {
  char own[4 * strlen(format) + 1];
  va_list again;
  va_copy(again, list);
  translate(format, own);
  int bytes = vsnprintf(NULL, 0, own, again);
  char text[bytes + 1];
  vsnprintf(text, (size_t)bytes + 1, own, list);
  write(fd, text, (size_t)bytes);
}

void xv6_fprintf(int fd, const char *format, ...) {
  va_list list;
  va_start(list, format);
  print(fd, format, list);
  va_end(list);
}

void xv6_printf(const char *format, ...) {
  va_list list;
  va_start(list, format);
  print(1, format, list);
  va_end(list);
}

/* ---- Memory: free blocks in the order of their addresses, joined where they touch ----------------------------------------------- */
static struct block {
  struct block *next;
  uint64_t bytes; /* with this; whole ones of these */
} head;           /* its own bytes: none */

static void join(struct block *b) {
  if ((char *)b + b->bytes == (char *)b->next) {
    b->bytes += b->next->bytes;
    b->next = b->next->next;
  }
}

static void give(struct block *b) {
  struct block *before = &head;
  while (before->next && before->next < b)
    before = before->next;
  b->next = before->next;
  before->next = b;
  join(b);
  join(before);
}

/* The end of the block behind that one, or all of it. */
static void *take(struct block *before, uint64_t bytes) {
  struct block *b = before->next;
  b->bytes -= bytes;
  if (!b->bytes)
    before->next = b->next;
  b = (struct block *)((char *)b + b->bytes);
  b->bytes = bytes;
  return b + 1;
}

/* All of it is there at once: a program whose memory lacks is told so, and does not end when it touches it. */
static bool grow(uint64_t bytes) {
  uint64_t most = bytes < 65536 ? 65536 : bytes;
  uint64_t pad = -(uint64_t)xv6_sys_sbrk(0, SBRK_EAGER) % sizeof(struct block); /* the break may be odd */
  char *at = (most + pad) >> 31 ? (char *)-1 : xv6_sys_sbrk((int)(most + pad), SBRK_EAGER);
  if (at == (char *)-1)
    return false;
  struct block *b = (struct block *)(at + pad);
  b->bytes = most;
  give(b);
  return true;
}

void *xv6_malloc(unsigned bytes) {
  uint64_t need = ((uint64_t)bytes + 2 * sizeof(struct block) - 1) & ~(sizeof(struct block) - 1);
  do
    for (struct block *before = &head; before->next; before = before->next)
      if (before->next->bytes >= need)
        return take(before, need);
  while (grow(need));
  return NULL;
}

void xv6_free(void *block) {
  if (block)
    give((struct block *)block - 1);
}
