/* SPDX-License-Identifier: BSD-2-Clause */
/* Random file operations of several processes; each with its answer is a line on the console, which tests/model.py judges:
 * serve=uart serve=posix:filer:serial:SEED:OPERATIONS. The processes pass a token through pipes, and only who has it works,
 * so that the lines' numbers are the order in which the operations took effect. With `parallel` instead, all work at once,
 * each in a directory of its own and on numbers of its own.
 *
 * A line is: NUMBER PROCESS OPERATION ARGUMENTS = RESULT, where the result is the name of an errno value or what was got. A
 * path is written with "~K" for a component of K times n, and "%K%" for K times "./". */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "random.h"
#include "tap.h"

#define SLOTS 4 /* processes at a time */
#define DIRS 3  /* directories that a process reads at a time */
#define WRITE_END(slot) (55 + (slot))
#define READ_END(slot) (59 + (slot))
#define LOG 63
#define NOISE 32768
#define FAR (1l << 36) /* the largest file */

struct token {
  uint64_t number, left, random, alive;
};
static struct token token;
static unsigned slot;
static bool parallel;

/* ---- The log ------------------------------------------------------------------------------------------------------------- */
static char text[4096];
static unsigned used;

static void flush(void) {
  if (used && write(LOG, text, used) != (ssize_t)used)
    _exit(91);
  used = 0;
}

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...) {
  va_list list;
  va_start(list, format);
  used += (unsigned)vsnprintf(text + used, sizeof text - used, format, list);
  va_end(list);
}

/* A line begins; the buffer goes out between lines. */
static void begin(const char *operation) {
  if (used > sizeof text - 800)
    flush();
  say("%lu %u %s", (unsigned long)token.number++, slot, operation);
}

static const char *error_name(int error) {
  static const struct {
    int error;
    const char *name;
  } names[] = {{EPERM, "EPERM"},   {ENOENT, "ENOENT"},       {EBADF, "EBADF"},
               {EAGAIN, "EAGAIN"}, {ENOMEM, "ENOMEM"},       {EACCES, "EACCES"},
               {EFAULT, "EFAULT"}, {EBUSY, "EBUSY"},         {EEXIST, "EEXIST"},
               {EXDEV, "EXDEV"},   {ENOTDIR, "ENOTDIR"},     {EISDIR, "EISDIR"},
               {EINVAL, "EINVAL"}, {EMFILE, "EMFILE"},       {EFBIG, "EFBIG"},
               {ENOSPC, "ENOSPC"}, {ESPIPE, "ESPIPE"},       {ERANGE, "ERANGE"},
               {EMLINK, "EMLINK"}, {ENOTEMPTY, "ENOTEMPTY"}, {ENAMETOOLONG, "ENAMETOOLONG"},
               {ENOSYS, "ENOSYS"}, {EOVERFLOW, "EOVERFLOW"}, {ENOTTY, "ENOTTY"}};
  for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
    if (names[i].error == error)
      return names[i].name;
  return "EOTHER";
}

/* Ends the line, but for what else a success says. */
static bool answer(int64_t result) {
  if (result < 0)
    say(" = %s\n", error_name(errno));
  else
    say(" = %ld", (long)result);
  return result >= 0;
}

static void answer_line(int64_t result) {
  if (answer(result))
    say("\n");
}

/* ---- What is random ---------------------------------------------------------------------------------------------------- */
static char noise[2 * NOISE];

static void noise_fill(void) {
  uint32_t state = 1;
  for (unsigned i = 0; i < sizeof noise; i++) {
    state = state * 1664525 + 1013904223; /* Knuth, volume 2, 3.3.4 */
    noise[i] = (char)(state >> 24);
  }
}

static uint32_t crc32(const char *at, size_t bytes) {
  static uint32_t table[256];
  for (uint32_t i = 0; !table[255] && i < 256; i++) {
    table[i] = i;
    for (unsigned bit = 0; bit < 8; bit++)
      table[i] = table[i] >> 1 ^ (table[i] & 1 ? 0xedb88320 : 0);
  }
  uint32_t crc = ~0u;
  while (bytes--)
    crc = crc >> 8 ^ table[(crc ^ (uint8_t)*at++) & 255];
  return ~crc;
}

struct path {
  char real[1200];
  char said[200];
};

static void add(struct path *path, const char *real, const char *said) {
  strcat(path->real, real);
  strcat(path->said, said);
}

static void add_long(struct path *path, unsigned length) {
  char real[300], said[8];
  memset(real, 'n', length);
  real[length] = 0;
  snprintf(said, sizeof said, "~%u", length);
  add(path, real, said);
}

/* 1,023 bytes are a path, 1,024 are too many. */
static void add_steps(struct path *path) {
  char said[8];
  unsigned count = 508 + (unsigned)below(6);
  for (unsigned i = 0; i < count; i++)
    strcat(path->real, "./");
  snprintf(said, sizeof said, "%%%u%%", count);
  strcat(path->said, said);
}

/* How it begins: from the working directory, from the place of the test, or from the root. True: that is all of it. */
static bool add_start(struct path *path) {
  static const char *const places[] = {"/", "//", "/tmp/m/..", "/dev/null", "/dev/zero", "/dev/..", "", "/tmp/."};
  char own[16];
  unsigned kind = (unsigned)below(48);
  if (parallel && kind < 14) {
    snprintf(own, sizeof own, "/tmp/m/p%u/", slot);
    add(path, own, own);
  } else if (kind < 12)
    add(path, "/tmp/m/", "/tmp/m/");
  else if (kind < 14)
    add(path, "/", "/");
  else if (kind == 14 && !parallel) {
    const char *place = places[below(8)];
    add(path, place, place);
    return true;
  } else if (kind == 15 && chance(4))
    add_steps(path);
  return false;
}

/* Few names, so that they meet; a few of them are directories' most of the time, and the others files'. */
static void add_name(struct path *path, bool directory) {
  static const char *const names[] = {"c", "d", "e", "f", "g", "h", "c", "d",
                                      "e", "f", "c", "d", "a", "b", ".", ".."};
  static const char *const directories[] = {"a", "b", "a", "b", "a", "b", "c", ".."};
  if (chance(60)) {
    add_long(path, 254 + (unsigned)below(4));
    return;
  }
  const char *name = directory ? directories[below(8)] : names[below(16)];
  add(path, name, name);
}

/* Whether it leaves the process's own directory, were that where it starts. */
static bool leaves(const char *path) {
  int depth = 0;
  if (*path == '/' && (strncmp(path, "/tmp/m/p", 8) || path[8] != (char)('0' + slot)))
    return true;
  for (const char *at = *path == '/' ? path + 9 : path; depth >= 0 && *at;) {
    at += strspn(at, "/");
    size_t length = strcspn(at, "/");
    bool up = length == 2 && !strncmp(at, "..", 2), stays = length == 0 || (length == 1 && *at == '.');
    depth += up ? -1 : !stays;
    at += length;
  }
  return depth < 0;
}

static void make_path(struct path *path, bool directory) {
  *path->real = *path->said = 0;
  if (add_start(path))
    return;
  for (unsigned i = 0, parts = 1 + (unsigned)(below(2) * below(4)); i < parts; i++) {
    if (i)
      add(path, "/", "/");
    if (i && chance(16))
      add(path, "/", "/");
    add_name(path, directory || i + 1 < parts);
  }
  if (chance(12))
    add(path, "/", "/");
}

static const struct path *some_path(unsigned which, bool directory) {
  static struct path paths[2];
  struct path *path = &paths[which];
  do
    make_path(path, directory);
  while (parallel && leaves(path->real));
  say(" \"%s\"", path->said);
  return path;
}

static int some_fd(void) {
  static const int bad[] = {-1, POSIX_DESCRIPTORS, POSIX_DESCRIPTORS + 1, 1 << 30, -(1 << 30)};
  int fd = chance(40) ? bad[below(5)] : chance(3) ? (int)below(55) : (int)below(14);
  say(" %d", fd);
  return fd;
}

static long some_offset(void) {
  static const long strange[] = {FAR, FAR - 1, FAR + 1, 1l << 41, INT64_MAX, INT64_MIN, -1, -4096};
  long offset = chance(30)   ? strange[below(8)]
                : chance(40) ? FAR - (long)below(10000)
                : chance(4)  ? (long)below(3)
                : chance(4)  ? 4096 * (long)below(8)
                             : (long)below(30000);
  say(" %ld", offset);
  return offset;
}

static size_t some_bytes(void) {
  size_t bytes = chance(8) ? 0 : chance(2) ? below(200) : chance(4) ? 4096 * below(4) : below(12000);
  say(" %lu", (unsigned long)bytes);
  return bytes;
}

static const char *some_noise(void) {
  unsigned at = (unsigned)below(NOISE);
  say(" %u", at);
  return noise + at;
}

/* What POSIX leaves undefined (O_TRUNC without writing, O_EXCL without O_CREAT, O_CREAT with O_DIRECTORY) is left out. */
static int some_flags(void) {
  static const struct {
    int flag;
    unsigned one_in;
    char letter;
  } more[] = {{O_CREAT, 2, 'c'},  {O_EXCL, 4, 'e'},      {O_TRUNC, 4, 't'},
              {O_APPEND, 5, 'a'}, {O_DIRECTORY, 8, 'd'}, {O_CLOEXEC, 4, 'k'}};
  unsigned access = chance(60) ? 3 : (unsigned)below(4);
  int flags = access == 3   ? chance(10) ? O_ACCMODE : O_RDWR
              : access == 2 ? O_RDWR
              : access == 1 ? O_WRONLY
                            : O_RDONLY;
  char letters[10] = {flags == O_ACCMODE ? 'x' : flags == O_RDWR ? 'b' : flags == O_WRONLY ? 'w' : 'r'};
  for (unsigned i = 0; i < sizeof more / sizeof *more; i++) {
    bool undefined = (more[i].flag == O_EXCL && !(flags & O_CREAT)) ||
                     (more[i].flag == O_TRUNC && flags == O_RDONLY) ||
                     (more[i].flag == O_TRUNC && (flags & O_ACCMODE) == O_RDONLY) ||
                     (more[i].flag == O_DIRECTORY && flags & O_CREAT);
    if (chance(more[i].one_in) && !undefined) {
      flags |= more[i].flag;
      letters[strlen(letters)] = more[i].letter;
    }
  }
  say(" %s", letters);
  return flags;
}

static unsigned some_mode(unsigned always) {
  unsigned mode = ((unsigned)below(512) & 0777) | always;
  say(" %o", mode);
  return mode;
}

/* ---- Descriptors --------------------------------------------------------------------------------------------------------- */
static void do_open(void) {
  const struct path *path = some_path(0, chance(8));
  int flags = some_flags();
  answer_line(open(path->real, flags, some_mode(0)));
}

static void do_dup(void) {
  answer_line(dup(some_fd()));
}

static void do_close(void) {
  answer_line(close(some_fd()));
}

static void do_dup2(void) {
  int from = some_fd();
  answer_line(dup2(from, some_fd()));
}

/* The bytes behind those that were asked for are not to be touched. */
static void answer_read(const char *buffer, ssize_t got, size_t bytes) {
  bool overrun = false;
  for (unsigned i = 0; i < 16; i++)
    overrun |= buffer[bytes + i] != 0x5a;
  if (answer(got))
    say(" %08lx%s\n", (unsigned long)crc32(buffer, (size_t)got), overrun ? " overrun" : "");
}

static char *buffer_for(size_t bytes) {
  static char buffer[NOISE];
  memset(buffer + bytes, 0x5a, 16);
  return buffer;
}

static void do_read(void) {
  int fd = some_fd();
  size_t bytes = some_bytes();
  char *buffer = buffer_for(bytes);
  answer_read(buffer, read(fd, buffer, bytes), bytes);
}

static void do_pread(void) {
  int fd = some_fd();
  size_t bytes = some_bytes();
  char *buffer = buffer_for(bytes);
  answer_read(buffer, pread(fd, buffer, bytes, some_offset()), bytes);
}

static void do_write(void) {
  int fd = some_fd();
  size_t bytes = some_bytes();
  answer_line(write(fd, some_noise(), bytes));
}

static void do_pwrite(void) {
  int fd = some_fd();
  size_t bytes = some_bytes();
  const char *from = some_noise();
  answer_line(pwrite(fd, from, bytes, some_offset()));
}

static void do_lseek(void) {
  static const int whences[] = {SEEK_SET, SEEK_CUR, SEEK_END, 7};
  unsigned whence = chance(30) ? 3 : (unsigned)below(3);
  int fd = some_fd();
  say(" %c", "sce?"[whence]);
  long offset = some_offset();
  if (chance(3))
    say(" -"), offset = offset == INT64_MIN ? offset : -offset;
  else
    say(" +");
  answer_line(lseek(fd, offset, whences[whence]));
}

static void do_ftruncate(void) {
  int fd = some_fd();
  answer_line(ftruncate(fd, some_offset()));
}

/* ---- Names ----------------------------------------------------------------------------------------------------------------- */
static void do_link(void) {
  const struct path *from = some_path(0, chance(16));
  answer_line(link(from->real, some_path(1, false)->real));
}

static void do_rename(void) {
  bool directory = chance(2);
  const struct path *from = some_path(0, directory);
  answer_line(rename(from->real, some_path(1, chance(8) ? !directory : directory)->real));
}

static void do_unlink(void) {
  answer_line(unlink(some_path(0, chance(16))->real));
}

static void do_mkdir(void) {
  const struct path *path = some_path(0, !chance(8));
  answer_line(mkdir(path->real, some_mode(0100)));
}

static void do_rmdir(void) {
  answer_line(rmdir(some_path(0, !chance(8))->real));
}

/* Often back to where the names are: the working directory may be gone. */
static void do_chdir(void) {
  char own[16];
  snprintf(own, sizeof own, parallel ? "/tmp/m/p%u" : "/tmp/m", slot);
  if (chance(2))
    answer_line(chdir(some_path(0, !chance(8))->real));
  else {
    say(" \"%s\"", own);
    answer_line(chdir(own));
  }
}

static void do_getcwd(void) {
  static char path[4096];
  size_t size = chance(4) ? below(20) : sizeof path;
  say(" %lu", (unsigned long)size);
  bool good = getcwd(path, size) != NULL;
  if (answer(good ? (int64_t)strlen(path) : -1))
    say(" %08lx\n", (unsigned long)crc32(path, strlen(path)));
}

static void do_access(void) {
  unsigned mode = (unsigned)below(8);
  const struct path *path = some_path(0, chance(2));
  say(" %u", mode);
  answer_line(access(path->real, (mode & 4 ? R_OK : 0) | (mode & 2 ? W_OK : 0) | (mode & 1 ? X_OK : 0)));
}

static char kind_of(mode_t mode) {
  return S_ISDIR(mode) ? 'd' : S_ISREG(mode) ? 'f' : S_ISCHR(mode) ? 'c' : '?';
}

static void answer_stat(int result, const struct stat *s) {
  if (answer(result))
    say(" %c %o %lu %ld %lu\n", kind_of(s->st_mode), (unsigned)s->st_mode & 07777, (unsigned long)s->st_nlink,
        (long)s->st_size, (unsigned long)s->st_ino);
}

static void do_stat(void) {
  struct stat s;
  answer_stat(stat(some_path(0, chance(2))->real, &s), &s);
}

static void do_fstat(void) {
  struct stat s;
  answer_stat(fstat(some_fd(), &s), &s);
}

/* ---- Directories ------------------------------------------------------------------------------------------------------------ */
static DIR *directories[DIRS];

static void say_name(const char *name) {
  size_t length = strlen(name);
  if (length == strspn(name, "n"))
    say(" ~%lu", (unsigned long)length);
  else
    say(" %s", name);
}

static void do_opendir(void) {
  unsigned i = 0;
  while (i < DIRS && directories[i])
    i++;
  if (i == DIRS) {
    i = (unsigned)below(DIRS);
    say(" again %u", i);
    answer_line(closedir(directories[i]));
    begin("opendir");
  }
  say(" %u", i);
  directories[i] = opendir(some_path(0, !chance(8))->real);
  answer_line(directories[i] ? 0 : -1);
}

static void do_readdir(void) {
  unsigned i = (unsigned)below(DIRS);
  say(" %u", i);
  if (!directories[i]) {
    say(" none\n");
    return;
  }
  errno = 0;
  const struct dirent *entry = readdir(directories[i]);
  if (!entry && !errno)
    say(" = end\n");
  else if (answer(entry ? 0 : -1)) {
    say_name(entry->d_name);
    say(" %c %lu\n",
        entry->d_type == DT_DIR   ? 'd'
        : entry->d_type == DT_REG ? 'f'
                                  : 'c',
        (unsigned long)entry->d_ino);
  }
}

static void do_rewinddir(void) {
  unsigned i = (unsigned)below(DIRS);
  say(" %u", i);
  if (directories[i])
    rewinddir(directories[i]);
  say(directories[i] ? " = 0\n" : " none\n");
}

static void do_closedir(void) {
  unsigned i = (unsigned)below(DIRS);
  say(" %u", i);
  if (directories[i])
    answer_line(closedir(directories[i]));
  else
    say(" none\n");
  directories[i] = NULL;
}

/* ---- All of them ------------------------------------------------------------------------------------------------------------ */
static const struct operation {
  const char *name;
  void (*run)(void);
  unsigned weight;
} operations[] = {{"open", do_open, 18},       {"close", do_close, 12},        {"read", do_read, 6},
                  {"write", do_write, 8},      {"pread", do_pread, 5},         {"pwrite", do_pwrite, 6},
                  {"lseek", do_lseek, 6},      {"ftruncate", do_ftruncate, 4}, {"dup", do_dup, 2},
                  {"dup2", do_dup2, 3},        {"link", do_link, 5},           {"unlink", do_unlink, 5},
                  {"rename", do_rename, 8},    {"mkdir", do_mkdir, 7},         {"rmdir", do_rmdir, 4},
                  {"chdir", do_chdir, 7},      {"getcwd", do_getcwd, 2},       {"access", do_access, 3},
                  {"stat", do_stat, 6},        {"fstat", do_fstat, 4},         {"opendir", do_opendir, 3},
                  {"readdir", do_readdir, 12}, {"rewinddir", do_rewinddir, 1}, {"closedir", do_closedir, 2}};

#define KINDS (sizeof operations / sizeof *operations)
#define DUP 8 /* its place */

static void one_operation(void) {
  unsigned all = 0, i = 0;
  for (unsigned k = 0; k < KINDS; k++)
    all += operations[k].weight;
  for (uint64_t left = below(all); left >= operations[i].weight; i++)
    left -= operations[i].weight;
  if (operations[i].run == do_close && (token.number >> 11) % 4 == 3) /* at times they only become more */
    i = DUP;
  begin(operations[i].name);
  errno = 0;
  operations[i].run();
}

/* ---- The token ----------------------------------------------------------------------------------------------------------- */
static void take_token(void) {
  if (read(READ_END(slot), &token, sizeof token) != sizeof token)
    _exit(92);
  random_state = token.random;
}

static void pass_token(unsigned to) {
  token.random = random_state;
  if (write(WRITE_END(to), &token, sizeof token) != sizeof token)
    _exit(93);
}

static unsigned some_slot(bool alive) {
  unsigned to = (unsigned)below(SLOTS);
  while ((token.alive >> to & 1) != alive)
    to = (to + 1) % SLOTS;
  return to;
}

/* Ends the process; another goes on, if there is one. */
_Noreturn static void leave(void) {
  flush();
  token.alive &= ~(1ul << slot);
  if (token.alive)
    pass_token(some_slot(true));
  _exit(0);
}

static int64_t start_child(unsigned child) {
  char number[2] = {(char)('0' + child), 0};
  return px_spawn((const char *const[]){"filer", "child", number, NULL}, NULL, 0);
}

/* One more, which has what this one has open. With fork() it has also what this one had in memory. */
static void multiply(void) {
  unsigned child = some_slot(false);
  bool forks = chance(2);
  begin(forks ? "fork" : "spawn");
  say(" %u = 0\n", child);
  flush(); /* or the child would say it again */
  token.alive |= 1ul << child;
  int64_t pid = forks ? fork() : start_child(child);
  if (pid < 0)
    _exit(94);
  if (!forks || pid)
    return;
  slot = child;
  take_token();
}

static void change_processes(void) {
  if (token.alive != (1ul << SLOTS) - 1 && chance(2))
    multiply();
  else if (token.alive & (token.alive - 1)) {
    begin("exit");
    say(" = 0\n");
    leave();
  } else {
    begin("nothing");
    say(" = 0\n");
  }
}

static void work_in_turn(void) {
  for (;;) {
    take_token();
    for (uint64_t burst = 1 + below(4); burst && token.left; burst--) {
      token.left--;
      if (chance(150))
        change_processes();
      else
        one_operation();
    }
    if (!token.left)
      leave();
    pass_token(some_slot(true));
  }
}

static void work_alone(uint64_t seed, uint64_t count) {
  char own[16];
  snprintf(own, sizeof own, "/tmp/m/p%u", slot);
  if (chdir(own))
    _exit(95);
  random_begin(seed * SLOTS + slot);
  while (count--)
    one_operation();
  flush();
}

/* ---- The tree at the beginning and at the end ------------------------------------------------------------------------------ */
/* The hash of as much of both its ends as may be read in time. */
static uint32_t content(const char *name, long size) {
  static char part[2 * 65536];
  long first = size < 65536 ? size : 65536, last = size - first < 65536 ? size - first : 65536;
  int fd = open(name, O_RDONLY);
  if (pread(fd, part, (size_t)first, 0) != first || pread(fd, part + first, (size_t)last, size - last) != last)
    _exit(96);
  close(fd);
  return crc32(part, (size_t)(first + last));
}

static void dump_entry(const char *name, unsigned depth) {
  struct stat s;
  if (stat(name, &s))
    _exit(97);
  begin("tree");
  say(" %u", depth);
  say_name(name);
  answer_stat(0, &s);
  if (S_ISREG(s.st_mode)) {
    begin("content");
    say(" = %08lx\n", (unsigned long)content(name, s.st_size));
  }
}

/* The names of a directory, one after the other, each with its NUL; and one empty. */
static char *names_of(const char *path) {
  char *names = NULL;
  size_t bytes = 0;
  DIR *directory = opendir(path);
  if (!directory)
    _exit(98);
  for (const struct dirent *entry; (entry = readdir(directory));) {
    size_t length = strlen(entry->d_name) + 1;
    if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
      continue;
    names = realloc(names, bytes + length + 1);
    memcpy(names + bytes, entry->d_name, length);
    bytes += length;
  }
  closedir(directory);
  if (names)
    names[bytes] = 0;
  return names;
}

/* Of /bin only itself: what lies there is megabytes, and has no part in this. */
static void dump(unsigned depth) {
  struct stat s;
  char *names = names_of(".");
  for (const char *name = names; name && *name; name += strlen(name) + 1) {
    dump_entry(name, depth);
    if (stat(name, &s) || !S_ISDIR(s.st_mode) || (depth == 1 && !strcmp(name, "bin")))
      continue;
    if (chdir(name))
      _exit(99);
    dump(depth + 1);
    if (chdir(".."))
      _exit(99);
  }
  free(names);
}

static void dump_all(const char *when) {
  begin(when);
  say("\n");
  if (chdir("/"))
    _exit(99);
  dump_entry(".", 0);
  dump(1);
  flush();
}

/* ---- The first process ------------------------------------------------------------------------------------------------------ */
#define MUST(good)                                                                                                   \
  do {                                                                                                               \
    if (!(good))                                                                                                     \
      _exit(90);                                                                                                     \
  } while (0)

/* Descriptors from LOG on are in use, so that a process comes to the end of them. The devices get a second name, since the
 * first may be lost. */
static void set_up(void) {
  int ends[2], null = open("/dev/null", O_RDWR);
  MUST(null >= 0 && dup2(1, LOG) == LOG && dup2(null, 0) == 0 && dup2(null, 1) == 1 && dup2(null, 2) == 2);
  close(null);
  for (unsigned i = 0; i < SLOTS; i++) {
    MUST(!pipe(ends) && dup2(ends[0], (int)READ_END(i)) >= 0 && dup2(ends[1], (int)WRITE_END(i)) >= 0);
    close(ends[0]), close(ends[1]);
  }
  for (int fd = LOG + 1; fd < POSIX_DESCRIPTORS; fd++)
    MUST(dup2(0, fd) == fd);
  MUST(!mkdir("/tmp/m", 0755) && !link("/dev/null", "/bin/null") && !link("/dev/zero", "/bin/zero"));
}

static bool is_kept(const char *name, const char *keep) {
  size_t length = strlen(name);
  for (; *keep; keep += strcspn(keep, " ") + 1)
    if (!strncmp(keep, name, length) && keep[length] == ' ')
      return true;
  return false;
}

/* Removes what lies in the working directory, but for what has its name in the list. */
static void clear(const char *keep) {
  char *names = names_of(".");
  for (const char *name = names; name && *name; name += strlen(name) + 1) {
    if (is_kept(name, keep) || !unlink(name))
      continue;
    MUST(!chdir(name));
    clear("");
    MUST(!chdir("..") && !rmdir(name));
  }
  free(names);
}

/* As it was before the first round. */
static void clear_all(void) {
  static const char *const kept[][2] = {{"/tmp/m", ""}, {"/tmp", "m "}, {"/dev", "console "}, {"/", "bin dev tmp "}};
  for (unsigned i = 0; i < 4; i++) {
    MUST(!chdir(kept[i][0]));
    clear(kept[i][1]);
  }
  MUST(!link("/bin/null", "/dev/null") && !link("/bin/zero", "/dev/zero"));
}

static unsigned wait_for_all(void) {
  struct p_death death;
  unsigned failed = 0;
  for (int64_t pid; (pid = px_wait(0, 0, &death)) > 0;)
    if (death.reason != P_REASON_EXIT || death.status) {
      begin("died");
      say(" %s %ld\n", p_reason_text(death.reason), (long)death.status);
      failed++;
    }
  return failed;
}

static void start_all(const char *seed, const char *count) {
  random_begin(strtoul(seed, NULL, 0));
  token.left = strtoul(count, NULL, 0);
  token.alive = (1ul << SLOTS) - 1;
  for (unsigned i = 0; i < SLOTS; i++) {
    char number[2] = {(char)('0' + i), 0};
    const char *const alone[] = {"filer", "alone", number, seed, count, NULL};
    MUST((parallel ? px_spawn(alone, NULL, 0) : start_child(i)) > 0);
  }
  if (!parallel)
    pass_token(0);
}

/* How many processes ended as they should not. */
static unsigned one_round(const char *seed, const char *count) {
  token.number = 0;
  MUST(!chdir("/tmp/m") && !mkdir("p0", 0755) && !mkdir("p1", 0755) && !mkdir("p2", 0755) && !mkdir("p3", 0755));
  dump_all("before");
  MUST(!chdir("/tmp/m"));
  start_all(seed, count);
  token.number = 1ul << 40; /* behind all others */
  unsigned failed = wait_for_all();
  dump_all("after");
  clear_all();
  return failed;
}

struct have {
  uint64_t frames, objects, processes;
};

static struct have have(void) {
  struct posix_process list[8];
  struct q_info info = kernel_info();
  struct p_stats own = own_stats();
  return (struct have){free_frames() + own.resident + own.shared,
                       info.tasks + info.threads + info.endpoints + info.handles + info.tables,
                       (uint64_t)px_list(0, list, 8)};
}

/* The server keeps some free pages, as many as it ever had to spare: from now on always the most. */
static bool fill_spare(void) {
  static char text[16384];
  int fd = open("/tmp/spare", O_WRONLY | O_CREAT, 0600);
  bool good = fd >= 0;
  for (unsigned i = 0; i < 512 && good; i++)
    good = write(fd, text, sizeof text) == sizeof text;
  return !close(fd) && !unlink("/tmp/spare") && good;
}

/* The first round is not shown: after it the server has the memory that it needs, and one that does the same must leave no
 * less. Side by side, those are a second and a third that are not shown: who meets whom is not the same at first, nor with a
 * console that is written to. */
static int first(const char *seed, const char *count) {
  slot = SLOTS;
  set_up();
  MUST(fill_spare());
  int shown = fcntl(LOG, F_DUPFD_CLOEXEC, 54);
  MUST(shown >= 0 && dup2(0, LOG) == LOG);
  unsigned failed = one_round(seed, count) + (parallel ? one_round(seed, count) : 0);
  struct have before = have();
  failed += parallel ? one_round(seed, count) : 0;
  struct have again = have();
  MUST(dup2(shown, LOG) == LOG && !close(shown));
  failed += one_round(seed, count);
  struct have after = have();
  if (!parallel)
    again = after;
  begin("end");
  say(" %u %ld %ld %lu\n", failed, (long)(before.frames - again.frames), (long)(after.objects - before.objects),
      (unsigned long)after.processes);
  flush();
  return failed != 0;
}

int main(int argc, char **argv) {
  noise_fill();
  if (argc == 3 && !strcmp(argv[1], "child")) {
    slot = (unsigned)atoi(argv[2]);
    work_in_turn();
  }
  parallel = argc > 1 && (!strcmp(argv[1], "parallel") || !strcmp(argv[1], "alone"));
  if (argc == 5 && !strcmp(argv[1], "alone")) {
    slot = (unsigned)atoi(argv[2]);
    work_alone(strtoul(argv[3], NULL, 0), strtoul(argv[4], NULL, 0));
    return 0;
  }
  return argc == 4 ? first(argv[2], argv[3]) : 89;
}
