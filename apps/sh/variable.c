/* SPDX-License-Identifier: BSD-2-Clause */
/* Variables, and those of them that programs are given. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sh.h"

struct variable {
  struct variable *next;
  char *value; /* NULL: unset, but perhaps exported once it is set */
  bool exported;
  char name[];
};
static struct variable *variables; /* in the order they came, as programs see them */
extern char **environ;

static struct variable *find(const char *name) {
  struct variable *v = variables;
  while (v && strcmp(v->name, name))
    v = v->next;
  return v;
}

static struct variable *find_or_make(const char *name) {
  struct variable **place = &variables, *v = find(name);
  if (v)
    return v;
  while (*place)
    place = &(*place)->next;
  static struct arena for_ever;
  *place = take(&for_ever, sizeof *v + strlen(name) + 1);
  strcpy((*place)->name, name);
  return *place;
}

const char *variable(const char *name) {
  const struct variable *v = find(name);
  return v ? v->value : NULL;
}

void variable_set(const char *name, const char *value) {
  struct variable *v = find_or_make(name);
  struct text copy = {0};
  if (value)
    text_append(&copy, value, strlen(value));
  free(v->value);
  v->value = copy.at;
  v->exported = v->exported && value;
}

void variable_export(const char *name) {
  find_or_make(name)->exported = true;
}

/* The value that the list holds is the variable's own: it gets an empty one instead. */
void variable_keep(struct old_variable **list, const char *name) {
  struct variable *v = find_or_make(name);
  struct text old_name = {0};
  struct old_variable *old = calloc(1, sizeof *old);
  if (!old)
    return;
  text_append(&old_name, name, strlen(name));
  *old = (struct old_variable){*list, old_name.at, v->value, v->exported};
  v->value = NULL;
  variable_set(name, old->value);
  v->exported = old->exported;
  *list = old;
}

void variables_restore(struct old_variable **list) {
  for (struct old_variable *old; (old = *list);) {
    struct variable *v = find_or_make(old->name);
    free(v->value);
    v->value = old->value;
    v->exported = old->exported;
    *list = old->next;
    free(old->name);
    free(old);
  }
}

void variables_start(void) {
  for (char **entry = environ; *entry; entry++) {
    size_t bytes = strcspn(*entry, "=");
    if (!is_name(*entry, bytes) || !(*entry)[bytes])
      continue;
    char *name = take_text(&sh.memory, *entry, bytes);
    variable_set(name, *entry + bytes + 1);
    variable_export(name);
  }
  if (!variable("IFS"))
    variable_set("IFS", " \t\n");
  place_set();
}

/* There are no symbolic links, so the folder has one name. */
void place_set(void) {
  char path[1024];
  if (getcwd(path, sizeof path))
    variable_set("PWD", path);
}

static void show_quoted(const char *value) {
  putchar('\'');
  for (; *value; value++)
    if (*value == '\'')
      printf("'\\''");
    else
      putchar(*value);
  printf("'\n");
}

void variables_show(bool exported_only) {
  for (const struct variable *v = variables; v; v = v->next)
    if (v->value && (v->exported || !exported_only)) {
      printf("%s%s=", exported_only ? "export " : "", v->name);
      show_quoted(v->value);
    }
}

char **environment(void) {
  size_t count = 0;
  for (const struct variable *v = variables; v; v = v->next)
    count++;
  char **list = take(&sh.memory, (count + 1) * sizeof *list), **next = list;
  for (const struct variable *v = variables; v; v = v->next)
    if (v->exported && v->value) {
      *next = take(&sh.memory, strlen(v->name) + strlen(v->value) + 2);
      strcat(strcat(strcpy(*next++, v->name), "="), v->value);
    }
  return list;
}
