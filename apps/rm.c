/* SPDX-License-Identifier: BSD-2-Clause */
/* rm [-rf] PATH...: removes files, and directories that are empty, or with -r those with all that is in them. -f: what is not
 * there is no error. */
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool all, quiet;

static int remove_path(const char *path);

static bool in_directory(const char *name) {
  return strcmp(name, ".") && strcmp(name, "..");
}

/* Opened anew for each entry: a directory that is being emptied is read from its start. */
static int empty(const char *path) {
  char name[1024];
  for (;;) {
    DIR *directory = opendir(path);
    struct dirent *entry;
    while (directory && (entry = readdir(directory)) && !in_directory(entry->d_name))
      ;
    bool some = directory && entry && snprintf(name, sizeof name, "%s/%s", path, entry->d_name) < (int)sizeof name;
    if (directory)
      closedir(directory);
    if (!some || remove_path(name))
      return some;
  }
}

static int remove_path(const char *path) {
  struct stat s;
  int error = stat(path, &s);
  if (error && errno == ENOENT && quiet)
    return 0;
  bool directory = !error && S_ISDIR(s.st_mode);
  if (directory && all && empty(path))
    return 1;
  if (!error && !(directory ? rmdir(path) : unlink(path)))
    return 0;
  fprintf(stderr, "rm: %s: %s\n", path, strerror(errno));
  return 1;
}

int main(int argc, char **argv) {
  int status = 0, at = 1;
  for (; at < argc && argv[at][0] == '-' && argv[at][1]; at++) {
    all |= strchr(argv[at], 'r') != NULL;
    quiet |= strchr(argv[at], 'f') != NULL;
  }
  if (at == argc && !quiet) {
    fprintf(stderr, "usage: rm [-rf] PATH...\n");
    return 1;
  }
  for (; at < argc; at++)
    status |= remove_path(argv[at]);
  return status;
}
