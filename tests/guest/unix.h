/* SPDX-License-Identifier: BSD-2-Clause */
/* For tests of plain POSIX, which run on Quire and, as their own oracle, on Linux (tests/host/unix_tap.c): children that do
 * something and end in a certain way, gates between processes, memory that is not there yet. Whatever is `#ifdef __linux__`
 * there says why Linux answers differently on purpose. */
#ifndef UNIX_H
#define UNIX_H

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"

#define PAGE 4096l
#define MIB (1l << 20)
#define GIB (1l << 30)

/* In a body, which a child runs: says what is wrong and ends with status 1. */
#define MUST(condition) must(condition, __FILE_NAME__, __LINE__, #condition, 0, 0)
#define MUST_EQ(a, b)                                                                                                \
  do {                                                                                                               \
    long long a_ = (long long)(a), b_ = (long long)(b);                                                              \
    must(a_ == b_, __FILE_NAME__, __LINE__, #a " == " #b, a_, b_);                                                   \
  } while (0)
#define MUST_FAIL(call, error)                                                                                       \
  do {                                                                                                               \
    errno = 0;                                                                                                       \
    MUST_EQ(call, -1);                                                                                               \
    MUST_EQ(errno, error);                                                                                           \
  } while (0)
#define FAILS(call, error)                                                                                           \
  do {                                                                                                               \
    errno = 0;                                                                                                       \
    CHECK_EQ(call, -1);                                                                                              \
    CHECK_EQ(errno, error);                                                                                          \
  } while (0)
void must(bool good, const char *file, int line, const char *what, long long a, long long b);

typedef void body(void);
extern uintptr_t given;                    /* what a body is to work on */
extern const char *own_program;            /* a path for exec */
void unix_begin(const char *name);         /* before the tests; goes to /tmp */
pid_t begin(body *run);                    /* a child: 0 is its status when it returns */
pid_t begin_on(body *run, uintptr_t what); /* with that as `given` */
int status_of(pid_t pid);                  /* waits for it; as waitpid says it */
void exits(pid_t pid, int status);         /* waits, and checks */
void dies(pid_t pid, int signal);
/* Waits until no child is left; how many had a status. Orphans, which come to this process, need not have one for it: on
 * Quire the first process need not wait for them. */
unsigned drain(void);

/* Bytes in a pipe: whoever passes takes one, and waits for it. */
struct gate {
  int fd[2];
};
void gate_make(struct gate *gate);
void gate_open(const struct gate *gate);
void gate_pass(const struct gate *gate);
void gate_close(const struct gate *gate);

char *fresh(long pages); /* at the end of memory, and not there yet */
void drop(long pages);
char *map_pages(long pages); /* anonymous, readable and writable */
void unmap_pages(char *at, long pages);
void fill(char *at, long bytes, unsigned seed);
bool filled(const char *at, long bytes, unsigned seed);
bool zero(const char *at, long bytes);
int make_file(const char *path, const char *text, size_t bytes); /* open for reading and writing, at its start */
uint64_t milliseconds(void);
void pause_for(unsigned ms);
#endif
