/* SPDX-License-Identifier: BSD-2-Clause */
/* File names that a pattern matches (POSIX.1-2017, 2.13.3), in the order of their bytes. */
#include <dirent.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sh.h"

struct search {
  struct text path; /* as far as it is found */
  struct word *found;
};

static void find(struct search *s, const char *pattern);

static void insert(struct search *s, const char *path) {
  struct word **place = &s->found, *word = take(&sh.memory, sizeof *word);
  word->text = take_text(&sh.memory, path, strlen(path));
  while (*place && strcmp((*place)->text, path) < 0)
    place = &(*place)->next;
  word->next = *place;
  *place = word;
}

static void enter(struct search *s, const char *name, size_t bytes, const char *rest) {
  size_t used = s->path.used;
  text_append(&s->path, name, bytes);
  find(s, rest);
  s->path.used = used;
  s->path.at[used] = 0;
}

/* The names in the directory that match the pattern up to its first slash. */
static void look_through(struct search *s, const char *part, const char *rest) {
  DIR *directory = opendir(s->path.used ? s->path.at : ".");
  if (!directory)
    return;
  for (struct dirent *entry; (entry = readdir(directory));)
    if (!fnmatch(part, entry->d_name, FNM_PERIOD))
      enter(s, entry->d_name, strlen(entry->d_name), rest);
  closedir(directory);
}

static void find(struct search *s, const char *pattern) {
  size_t slashes = strspn(pattern, "/"), bytes = strcspn(pattern + slashes, "/");
  if (slashes) {
    enter(s, pattern, slashes, pattern + slashes);
    return;
  }
  if (!bytes) {
    if (!access(s->path.at, F_OK))
      insert(s, s->path.at);
    return;
  }
  char *part = take_text(&sh.memory, pattern, bytes);
  if (means_files(part))
    look_through(s, part, pattern + bytes);
  else
    enter(s, plain(part), strlen(part), pattern + bytes);
}

void find_files(const char *pattern, struct word ***tail) {
  struct search s = {0};
  text_append(&s.path, "", 0);
  find(&s, pattern);
  text_free(&s.path);
  for (**tail = s.found; **tail; *tail = &(**tail)->next)
    ;
}
