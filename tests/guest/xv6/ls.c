/* SPDX-License-Identifier: BSD-2-Clause */
/* The names in a directory, with type and size. */
#include "kernel/types.h"
#include "kernel/stat.h"
#include "user/user.h"
#include "kernel/fcntl.h"
#include "kernel/fs.h"

void show(char *path, char *name) {
  struct stat st;
  if (stat(path, &st) < 0)
    printf("ls: cannot stat %s\n", path);
  else
    printf("%s %d %d\n", name, st.type, (int)st.size);
}

void ls(char *path) {
  char name[512], *p;
  struct dirent de;
  struct stat st;
  int fd = open(path, O_RDONLY);
  if (fd < 0 || fstat(fd, &st) < 0) {
    fprintf(2, "ls: cannot open %s\n", path);
    exit(1);
  }
  if (st.type != T_DIR)
    show(path, path);
  strcpy(name, path);
  p = name + strlen(name);
  *p++ = '/';
  while (st.type == T_DIR && read(fd, &de, sizeof(de)) == sizeof(de)) {
    if (de.inum == 0)
      continue;
    memmove(p, de.name, DIRSIZ);
    p[DIRSIZ] = 0;
    show(name, p);
  }
  close(fd);
}

int main(int argc, char *argv[]) {
  if (argc < 2)
    ls(".");
  for (int i = 1; i < argc; i++)
    ls(argv[i]);
  exit(0);
}
