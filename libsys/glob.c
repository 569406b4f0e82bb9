/* SPDX-License-Identifier: BSD-2-Clause */
/* glob() (POSIX.1-2017), on fnmatch() of picolibc: one directory after the other, from the left. */
#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <glob.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct search {
  glob_t *found;
  int flags;
  int (*on_error)(const char *, int);
};

static int add(struct search *s, const char *path, bool directory) {
  glob_t *g = s->found;
  size_t offset = g->gl_offs, at = offset + g->gl_pathc;
  char **longer = realloc(g->gl_pathv, (at + 2) * sizeof *longer);
  char *copy = malloc(strlen(path) + 2);
  if (longer)
    g->gl_pathv = longer;
  if (!longer || !copy) {
    free(copy);
    return GLOB_NOSPACE;
  }
  if (!g->gl_pathc)
    memset(longer, 0, offset * sizeof *longer);
  strcpy(copy, path);
  if (directory && s->flags & GLOB_MARK)
    strcat(copy, "/");
  longer[at] = copy;
  longer[at + 1] = NULL;
  g->gl_pathc++;
  return 0;
}

static bool is_pattern(const char *text, size_t length) {
  for (size_t i = 0; i < length; i++)
    if (strchr("*?[", text[i]))
      return true;
  return false;
}

static int expand(struct search *s, const char *base, const char *pattern);

/* The name is one of those that the pattern's first part means; the rest is looked for below it. */
static int descend(struct search *s, const char *base, const char *name, const char *rest) {
  char path[1024];
  struct stat status;
  if (strlen(base) + strlen(name) + 2 > sizeof path)
    return 0;
  strcat(strcpy(path, base), name);
  if (stat(path, &status))
    return 0;
  if (!*rest)
    return add(s, path, S_ISDIR(status.st_mode));
  if (!S_ISDIR(status.st_mode))
    return 0;
  strcat(path, "/");
  rest += strspn(rest, "/");
  return *rest ? expand(s, path, rest) : add(s, path, false);
}

static int match_all(struct search *s, const char *base, const char *part, const char *rest) {
  const int flags = FNM_PERIOD | (s->flags & GLOB_NOESCAPE ? FNM_NOESCAPE : 0);
  DIR *directory = opendir(*base ? base : ".");
  int error = 0;
  if (!directory)
    return (s->on_error && s->on_error(base, errno)) || s->flags & GLOB_ERR ? GLOB_ABORTED : 0;
  for (struct dirent *entry; !error && (entry = readdir(directory));)
    if (!fnmatch(part, entry->d_name, flags))
      error = descend(s, base, entry->d_name, rest);
  closedir(directory);
  return error;
}

static int expand(struct search *s, const char *base, const char *pattern) {
  char part[256];
  size_t length = strcspn(pattern, "/");
  if (length >= sizeof part)
    return 0;
  memcpy(part, pattern, length);
  part[length] = 0;
  return is_pattern(part, length) ? match_all(s, base, part, pattern + length)
                                  : descend(s, base, part, pattern + length);
}

static int by_name(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

static int search(struct search *s, const char *pattern) {
  size_t slashes = strspn(pattern, "/");
  if (!slashes)
    return expand(s, "", pattern);
  return pattern[slashes] ? expand(s, "/", pattern + slashes) : add(s, "/", false);
}

int glob(const char *restrict pattern, int flags, int (*on_error)(const char *, int), glob_t *restrict g) {
  struct search s = {g, flags, on_error};
  if (!(flags & GLOB_APPEND))
    *g = (glob_t){.gl_offs = flags & GLOB_DOOFFS ? g->gl_offs : 0};
  size_t before = g->gl_pathc;
  int error = search(&s, pattern);
  if (!error && g->gl_pathc == before)
    return flags & GLOB_NOCHECK ? add(&s, pattern, false) : GLOB_NOMATCH;
  if (!error && !(flags & GLOB_NOSORT))
    qsort(g->gl_pathv + g->gl_offs + before, g->gl_pathc - before, sizeof *g->gl_pathv, by_name);
  return error;
}

void globfree(glob_t *g) {
  for (size_t i = 0; i < g->gl_pathc; i++)
    free(g->gl_pathv[g->gl_offs + i]);
  free(g->gl_pathv);
  g->gl_pathv = NULL;
  g->gl_pathc = 0;
}
