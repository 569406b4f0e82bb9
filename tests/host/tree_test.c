/* SPDX-License-Identifier: BSD-2-Clause */
/* The posix server's file tree beside the build machine's own file system: the same random operations on both, in a folder
 * that is made for it, must succeed and fail alike, and leave the same names, links, sizes and bytes. tree_test FOLDER SEED
 * OPERATIONS */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tree.h"

static uint64_t seed;
static unsigned operation;
static const char *what;
static char path[4][300];

#define MUST(condition)                                                                                              \
  do {                                                                                                               \
    if (!(condition)) {                                                                                              \
      printf("# operation %u, %s %s %s: %s\n", operation, what, path[0], path[1], #condition);                       \
      exit(1);                                                                                                       \
    }                                                                                                                \
  } while (0)

static unsigned below(unsigned n) {
  seed = seed * 6364136223846793005 + 1442695040888963407; /* Knuth, MMIX */
  return (unsigned)(seed >> 33) % n;
}

/* ---- Pages as the server has them: to write to a frozen one, or to free it, ends the test ------------------------------- */
static long pages_alive, objects_alive;
static bool no_memory; /* nothing is thawed */

char *page_new(void) {
  char *page = mmap(NULL, TREE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  pages_alive++;
  return page == MAP_FAILED ? NULL : page;
}

void page_free(char *page) {
  *(volatile char *)page = 1; /* it is the file's alone */
  pages_alive--;
  munmap(page, TREE_PAGE);
}

bool page_thaw(char *page) {
  return !no_memory && !mprotect(page, TREE_PAGE, PROT_READ | PROT_WRITE);
}

int64_t tree_now(void) {
  return operation;
}

void object_drop(uint64_t object) {
  (void)object;
  objects_alive--;
}

/* As a mapping or an exec does with the file. */
static void freeze(struct inode *inode) {
  static uint64_t address[64];
  if (inode->type != INODE_FILE || inode->object)
    return;
  MUST(inode->size <= sizeof address / sizeof *address * TREE_PAGE && inode_pages(inode, address));
  for (uint64_t i = 0; i * TREE_PAGE < inode->size; i++)
    if (address[i])
      mprotect((void *)address[i], TREE_PAGE, PROT_READ);
  inode_freeze(inode, 1);
  objects_alive++;
}

/* Few names, so that they meet; now and then one that cannot be. */
static void some_path(char *to) {
  static const char *const names[] = {"a", "b", "c", "d", "a", "b", "c", "d", ".", "..", "long"};
  char longest[270];
  memset(longest, 'n', sizeof longest);
  longest[255 + below(2)] = 0;
  *to = 0;
  for (unsigned i = 0, parts = 1 + below(4); i < parts; i++) {
    const char *name = names[below(11)];
    if (i && below(16) == 0)
      strcat(to, "/");
    strcat(to, i ? "/" : "");
    strcat(to, !strcmp(name, "long") ? (strlen(to) > 20 ? "e" : longest) : name);
  }
  if (below(8) == 0)
    strcat(to, "/");
  if (below(64) == 0)
    *to = 0;
}

/* `..` must not leave the folder on the build machine, as it cannot in the tree. */
static bool leaves(const char *text) {
  int depth = 0;
  char copy[300];
  strcpy(copy, text);
  for (char *part = strtok(copy, "/"); part; part = strtok(NULL, "/")) {
    depth += !strcmp(part, "..") ? -1 : strcmp(part, ".") != 0;
    if (depth < 0)
      return true;
  }
  return false;
}

/* ---- One operation on the tree ------------------------------------------------------------------------------------------ */
static int tree_open(const char *name, bool exclusive, struct inode **inode) {
  struct place place;
  int error = tree_find(tree_root(), name, inode);
  if (!error)
    return exclusive ? EEXIST : (*inode)->type == INODE_DIRECTORY ? EISDIR : 0;
  if (error != ENOENT)
    return error;
  error = tree_find_place(tree_root(), name, &place);
  return error ? error : tree_make(&place, INODE_FILE, 0644, inode);
}

static int at_place(const char *name, int (*act)(const struct place *)) {
  struct place place;
  int error = tree_find_place(tree_root(), name, &place);
  return error ? error : act(&place);
}

static int make_directory(const struct place *place) {
  struct inode *made;
  return tree_make(place, INODE_DIRECTORY, 0755, &made);
}

static int on_two(const char *from, const char *to, bool rename) {
  struct place source, target;
  struct inode *inode;
  int error = rename ? tree_find_place(tree_root(), from, &source) : tree_find(tree_root(), from, &inode);
  if (!error)
    error = tree_find_place(tree_root(), to, &target);
  if (error)
    return error;
  return rename ? tree_rename(&source, &target) : tree_link(&target, inode);
}

static int tree_fill(struct inode *inode, uint64_t at, const char *bytes, size_t count) {
  for (size_t i = 0; i < count; i++) {
    char *page = inode_page(inode, at + i);
    if (!page)
      return ENOSPC;
    page[(at + i) % TREE_PAGE] = bytes[i];
  }
  inode->size = inode->size > at + count ? inode->size : at + count;
  return 0;
}

/* ---- The same on both ----------------------------------------------------------------------------------------------------- */
static int or_zero(int result) {
  return result < 0 ? errno : 0;
}

static void write_both(void) {
  char bytes[5000];
  struct inode *inode;
  uint64_t at = below(20000);
  size_t count = below(2) ? below(sizeof bytes) : below(10), size = below(20000);
  memset(bytes, 'A' + (char)below(26), sizeof bytes);
  bool exclusive = below(4) == 0, cut = below(3) == 0;
  int fd = open(path[0], O_RDWR | O_CREAT | (exclusive ? O_EXCL : 0), 0644);
  int theirs = or_zero(fd), ours = tree_open(path[0], exclusive, &inode);
  MUST(!theirs == !ours);
  if (theirs)
    return;
  MUST(pwrite(fd, bytes, count, (off_t)at) == (ssize_t)count);
  if (count)
    MUST(!tree_fill(inode, at, bytes, count));
  if (cut) {
    MUST(!ftruncate(fd, (off_t)size) && !inode_resize(inode, size));
  }
  close(fd);
}

static void maybe_freeze(const char *name) {
  struct inode *inode;
  if (below(3) == 0 && !tree_find(tree_root(), name, &inode))
    freeze(inode);
}

static void one_operation(void) {
  static const char *const names[] = {"write", "mkdir", "unlink", "rmdir", "link", "rename"};
  int theirs = 0, ours = 0;
  some_path(path[0]);
  some_path(path[1]);
  if (leaves(path[0]) || leaves(path[1]))
    return;
  unsigned kind = below(6);
  what = names[kind];
  maybe_freeze(path[0]);
  switch (kind) {
  case 0:
    write_both();
    return;
  case 1:
    theirs = or_zero(mkdir(path[0], 0755)), ours = at_place(path[0], make_directory);
    break;
  case 2:
    theirs = or_zero(unlink(path[0])), ours = at_place(path[0], tree_unlink);
    break;
  case 3:
    theirs = or_zero(rmdir(path[0])), ours = at_place(path[0], tree_rmdir);
    break;
  case 4:
    theirs = or_zero(link(path[0], path[1])), ours = on_two(path[0], path[1], false);
    break;
  case 5:
    theirs = or_zero(rename(path[0], path[1])), ours = on_two(path[0], path[1], true);
    break;
  }
  if (!theirs != !ours)
    printf("# here: %s; the tree: %s\n", strerror(theirs), strerror(ours));
  MUST(!theirs == !ours);
}

/* ---- Comparing ------------------------------------------------------------------------------------------------------------ */
static void same_bytes(const char *name, const struct inode *inode) {
  static char here[40000];
  int fd = open(name, O_RDONLY);
  MUST(fd >= 0 && read(fd, here, sizeof here) == (ssize_t)inode->size);
  close(fd);
  for (uint64_t at = 0; at < inode->size;) {
    size_t piece;
    const char *bytes = inode_bytes(inode, at, &piece);
    piece = piece < inode->size - at ? piece : inode->size - at;
    MUST(!memcmp(here + at, bytes, piece));
    at += piece;
  }
}

static void same(const char *name, struct inode *inode) {
  struct stat s;
  unsigned here = 0, there = 0;
  char below_it[4096];
  MUST(!stat(name, &s) && s.st_nlink == inode->links);
  MUST(S_ISDIR(s.st_mode) == (inode->type == INODE_DIRECTORY));
  if (inode->type != INODE_DIRECTORY) {
    same_bytes(name, inode);
    return;
  }
  DIR *directory = opendir(name);
  for (struct dirent *d; (d = readdir(directory));)
    here += strcmp(d->d_name, ".") && strcmp(d->d_name, "..");
  closedir(directory);
  for (struct entry *entry = inode->first; entry; entry = entry->next, there++) {
    snprintf(below_it, sizeof below_it, "%s/%s", name, entry->name);
    same(below_it, entry->inode);
  }
  MUST(here == there);
}

static void same_path(void) {
  char ours[TREE_PATH_MAX], there[4096];
  struct inode *inode;
  some_path(path[0]);
  if (leaves(path[0]) || tree_find(tree_root(), path[0], &inode) || inode->type != INODE_DIRECTORY)
    return;
  char root[4096], *full = realpath(path[0], NULL);
  MUST(full && getcwd(root, sizeof root) && !tree_path(inode, ours, sizeof ours));
  snprintf(there, sizeof there, "%s", full + strlen(root));
  MUST(!strcmp(*there ? there : "/", ours));
  free(full);
}

/* A file that is gone while its pages can't be thawed; they are freed when they can. And one page too few to cut it. */
static void without_memory(void) {
  struct place place;
  struct inode *inode;
  long pages = pages_alive, objects = objects_alive;
  what = "without memory";
  MUST(!tree_find_place(tree_root(), "/doomed", &place) && !tree_make(&place, INODE_FILE, 0644, &inode));
  MUST(!tree_fill(inode, 0, "abc", 3) && !tree_fill(inode, 9000, "abc", 3));
  freeze(inode);
  no_memory = true;
  MUST(inode_resize(inode, 5000) == ENOSPC && inode->size == 9003 && inode->object == 1);
  MUST(tree_fill(inode, 1, "x", 1) == ENOSPC);
  MUST(!tree_unlink(&place) && objects_alive == objects && pages_alive > pages);
  no_memory = false;
  MUST(!tree_make(&place, INODE_FILE, 0644, &inode) && !tree_fill(inode, 0, "x", 1));
  MUST(!tree_unlink(&place) && pages_alive == pages);
}

static int one_of_many(unsigned i, bool make) {
  struct inode *inode;
  snprintf(path[0], sizeof path[0], "/many%u", i / 512);
  if (i % 512 == 0 && make)
    at_place(path[0], make_directory);
  snprintf(path[0] + strlen(path[0]), 16, "/%u", i);
  return make ? tree_open(path[0], true, &inode) : at_place(path[0], tree_unlink);
}

static void names_run_out(void) {
  unsigned made = 0;
  int error;
  what = "names run out";
  while (!(error = one_of_many(made, true)))
    made++;
  MUST((error == ENOSPC || error == ENOENT) && made <= TREE_NAMES_MAX && made > TREE_NAMES_MAX - 500);
  while (made--)
    MUST(!one_of_many(made, false));
}

int main(int argc, char **argv) {
  if (argc != 4 || chdir(argv[1]))
    return 2;
  seed = strtoull(argv[2], NULL, 0);
  for (unsigned count = (unsigned)atoi(argv[3]); operation < count; operation++) {
    one_operation();
    same_path();
    if (operation % 50 == 0)
      same(".", tree_root());
  }
  same(".", tree_root());
  without_memory();
  names_run_out();
  printf("1..1\nok 1 - %s operations as on the build machine, seed %s\n", argv[3], argv[2]);
  return 0;
}
