/* SPDX-License-Identifier: BSD-2-Clause */
/* Strings of a program to be whose caller has fewer frames than they have pages: what has been read is kept here while the rest
 * comes, since it may be away again by then. */
#include <errno.h>
#include <string.h>

#include "shell.h"

struct strings {
  struct strings *next; /* of another thread of the program */
  q_token token;
  uint64_t frames, done;
  char text[];
};

static void drop(struct strings **link) {
  struct strings *kept = *link;
  uint64_t memory = (uint64_t)((char *)kept - frames.window), count = kept->frames;
  *link = kept->next;
  for (uint64_t i = 0; i < count; i++)
    frame_give(memory + i * Q_PAGE_SIZE);
}

static struct strings **find(struct space *caller, q_token token) {
  struct strings **link = &caller->strings;
  while (*link && (*link)->token != token)
    link = &(*link)->next;
  return link;
}

void strings_drop(struct space *caller, q_token token) {
  struct strings **link = find(caller, token);
  if (*link)
    drop(link);
}

void strings_drop_all(struct space *caller) {
  while (caller->strings)
    drop(&caller->strings);
}

static bool keep(struct space *caller, q_token token, const char *text, uint64_t bytes, uint64_t done) {
  uint64_t count = PAGE_UP(sizeof(struct strings) + bytes) >> Q_PAGE_SHIFT, memory = frames_get_row(count);
  struct strings *kept = frame_data(memory);
  if (!memory)
    return false;
  *kept = (struct strings){caller->strings, token, count, done};
  memcpy(kept->text, text, done);
  caller->strings = kept;
  return true;
}

int strings_read(struct space *caller, struct q_received *m, char *text, uint64_t bytes) {
  struct strings **link = find(caller, m->token), *kept = *link;
  uint64_t before = kept ? kept->done : 0, done = 0;
  char *to = kept ? kept->text : text;
  int error = transfer_some(m, Q_COPY_FROM, before, to + before, bytes - before, &done);
  if (error == DEFER && kept)
    kept->done += done;
  if (error == DEFER)
    return kept || keep(caller, m->token, text, bytes, done) ? DEFER : ENOMEM;
  if (kept && !error)
    memcpy(text, kept->text, bytes);
  if (kept)
    drop(link);
  return error;
}
