/* SPDX-License-Identifier: BSD-2-Clause */
/* Paths of files of that name below a directory. */
#include "kernel/types.h"
#include "kernel/stat.h"
#include "user/user.h"
#include "kernel/fs.h"

void find(char *path, char *name) {
  char below[512], *p;
  struct dirent de;
  struct stat st;
  int fd = open(path, 0);
  if (fd < 0 || fstat(fd, &st) < 0) {
    fprintf(2, "find: cannot open %s\n", path);
    exit(1);
  }
  strcpy(below, path);
  p = below + strlen(below);
  *p++ = '/';
  while (st.type == T_DIR && read(fd, &de, sizeof(de)) == sizeof(de)) {
    if (de.inum == 0 || strcmp(de.name, ".") == 0 || strcmp(de.name, "..") == 0)
      continue;
    memmove(p, de.name, DIRSIZ);
    p[DIRSIZ] = 0;
    if (strcmp(p, name) == 0)
      printf("%s\n", below);
    find(below, name);
  }
  close(fd);
}

int main(int argc, char *argv[]) {
  if (argc != 3) {
    fprintf(2, "usage: find directory name\n");
    exit(1);
  }
  find(argv[1], argv[2]);
  exit(0);
}
