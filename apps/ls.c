/* SPDX-License-Identifier: BSD-2-Clause */
/* ls [PATH...]: names, with kind, links and size. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static int show(const char *path, const char *name) {
  struct stat s;
  if (stat(path, &s)) {
    fprintf(stderr, "ls: %s: %s\n", path, strerror(errno));
    return 1;
  }
  printf("%c %4lu %10lu %s\n",
         S_ISDIR(s.st_mode)   ? 'd'
         : S_ISCHR(s.st_mode) ? 'c'
                              : '-',
         (unsigned long)s.st_nlink, (unsigned long)s.st_size, name);
  return 0;
}

static int list(const char *path) {
  char name[1024];
  int status = 0;
  DIR *directory = opendir(path);
  if (!directory)
    return show(path, path);
  for (struct dirent *entry; (entry = readdir(directory));)
    if (snprintf(name, sizeof name, "%s/%s", path, entry->d_name) < (int)sizeof name)
      status |= show(name, entry->d_name);
  closedir(directory);
  return status;
}

int main(int argc, char **argv) {
  int status = argc > 1 ? 0 : list(".");
  for (int i = 1; i < argc; i++)
    status |= list(argv[i]);
  return status;
}
