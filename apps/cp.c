/* SPDX-License-Identifier: BSD-2-Clause */
/* cp FROM... TO: copies files, with their permissions, to a name or into a directory. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int say(const char *name) {
  fprintf(stderr, "cp: %s: %s\n", name, strerror(errno));
  return 1;
}

static int copy(int from, int to, const char *name, const char *copied) {
  static char text[16384];
  ssize_t got;
  while ((got = read(from, text, sizeof text)) > 0)
    for (ssize_t done = 0, put; done < got; done += put)
      if ((put = write(to, text + done, (size_t)(got - done))) < 0)
        return say(copied);
  return got < 0 ? say(name) : 0;
}

static int copy_file(const char *name, const char *copied) {
  struct stat s, t;
  int status = 1, from = open(name, O_RDONLY);
  if (from < 0 || fstat(from, &s))
    return say(name);
  if (!stat(copied, &t) && t.st_ino == s.st_ino) {
    fprintf(stderr, "cp: %s and %s are the same file\n", name, copied);
  } else {
    int to = open(copied, O_WRONLY | O_CREAT | O_TRUNC, s.st_mode & 0777);
    status = to < 0 ? say(copied) : copy(from, to, name, copied);
    close(to);
  }
  close(from);
  return status;
}

static int copy_into(const char *name, const char *directory) {
  char path[1024];
  const char *slash = strrchr(name, '/');
  if (snprintf(path, sizeof path, "%s/%s", directory, slash ? slash + 1 : name) < (int)sizeof path)
    return copy_file(name, path);
  errno = ENAMETOOLONG;
  return say(name);
}

int main(int argc, char **argv) {
  struct stat s;
  int status = 0, last = argc - 1;
  bool into = argc > 2 && !stat(argv[last], &s) && S_ISDIR(s.st_mode);
  if (argc < 3 || (argc > 3 && !into)) {
    fprintf(stderr, "usage: cp FROM TO, or cp FROM... DIRECTORY\n");
    return 2;
  }
  for (int i = 1; i < last; i++)
    status |= into ? copy_into(argv[i], argv[last]) : copy_file(argv[i], argv[last]);
  return status;
}
