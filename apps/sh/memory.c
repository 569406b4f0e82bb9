/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory of the shell. Want of it ends the shell: what it was about to do would be something else then. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sh.h"

#define CHUNK 4000

struct chunk {
  struct chunk *older;
  size_t used, size;
  _Alignas(16) char bytes[];
};

static void *must(void *memory) {
  if (memory)
    return memory;
  fprintf(stderr, "sh: no memory\n");
  exit(2);
}

static void chunk_new(struct arena *arena, size_t bytes) {
  size_t size = bytes > CHUNK ? bytes : CHUNK;
  struct chunk *chunk = must(malloc(sizeof *chunk + size));
  *chunk = (struct chunk){.older = arena->newest, .size = size};
  arena->newest = chunk;
}

void *take(struct arena *arena, size_t bytes) {
  bytes = (bytes + 15) & ~(size_t)15;
  if (!arena->newest || arena->newest->size - arena->newest->used < bytes)
    chunk_new(arena, bytes);
  char *at = arena->newest->bytes + arena->newest->used;
  arena->newest->used += bytes;
  return memset(at, 0, bytes);
}

char *take_text(struct arena *arena, const char *text, size_t bytes) {
  return memcpy(take(arena, bytes + 1), text, bytes);
}

struct mark arena_mark(const struct arena *arena) {
  return (struct mark){arena->newest, arena->newest ? arena->newest->used : 0};
}

void arena_release(struct arena *arena, struct mark mark) {
  while (arena->newest != mark.chunk) {
    struct chunk *chunk = arena->newest;
    arena->newest = chunk->older;
    free(chunk);
  }
  if (mark.chunk)
    mark.chunk->used = mark.used;
}

void text_append(struct text *text, const char *bytes, size_t n) {
  if (text->used + n + 1 > text->size) {
    text->size = 2 * (text->used + n) + 64;
    text->at = must(realloc(text->at, text->size));
  }
  memcpy(text->at + text->used, bytes, n);
  text->used += n;
  text->at[text->used] = 0;
}

void text_add(struct text *text, char c) {
  text_append(text, &c, 1);
}

void text_free(struct text *text) {
  free(text->at);
  *text = (struct text){0};
}
