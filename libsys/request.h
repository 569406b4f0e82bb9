/* SPDX-License-Identifier: BSD-2-Clause */
/* How libsys asks a server: the reply's label is 0 or an errno value. */
#ifndef REQUEST_H
#define REQUEST_H

#include <errno.h>
#include <quire/proc.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* 0, or a negated errno value; EIO if the server has died. */
static inline int64_t request_to(q_handle server, struct q_call *c) {
  if (q_call(server, c) < 0)
    return -EIO;
  return c->label ? -(int64_t)c->label : 0;
}

/* Word 0 of the answer, if it is a good one. */
static inline int64_t ask_of(q_handle server, struct q_call *c) {
  int64_t error = request_to(server, c);
  return error ? error : (int64_t)c->word[0];
}

static inline int64_t ask_server(struct q_call *c) {
  return p_server ? ask_of(p_server, c) : -ENOSYS;
}

static inline int64_t or_errno(int64_t result) {
  if (result >= 0)
    return result;
  errno = (int)-result;
  return -1;
}

extern void (*flush_streams)(void);  /* at exit; NULL: the program opened none */
extern void (*unlock_streams)(void); /* those that it opened, in a child of fork */
void streams_forked(void);           /* all of them */
extern void (*threads_forked)(void); /* NULL: the program has only ever had one */

extern bool p_threaded; /* it has started threads of its own: thread.c, pthread.c */

/* What a child made by fork has not from its parent. */
void p_forked(void);

/* ---- pointer.c: pointers of the program's. None of these ends it for a bad one. ---- */
bool may_read(const void *pointer, size_t bytes); /* no more than a page */
bool may_write(void *pointer, size_t bytes);
/* Copies a string; its bytes with the NUL, or -EFAULT, -ENOMEM, -E2BIG: it is longer than that. */
int64_t string_take(const char *string, char *to, size_t size);
#define PATH_BYTES 1024                                   /* TREE_PATH_MAX of the server */
int64_t path_take(const char *path, char to[PATH_BYTES]); /* -ENAMETOOLONG instead of -E2BIG */
/* Appends the strings of an array that NULL ends, each with its NUL, to the text; their number, or an error as above. */
int64_t strings_join(const char *const strings[], char *text, size_t size, size_t *used);
#endif
