/* SPDX-License-Identifier: BSD-2-Clause */
/* Open files: what a descriptor names. Descriptors that were duplicated or inherited share one, with its offset. */
#ifndef FILE_H
#define FILE_H

#include "server.h"
#include "tree.h"

struct pipe;

struct file {
  unsigned users; /* descriptors of all processes, and requests that have it */
  unsigned flags; /* O_* of <fcntl.h> */
  uint64_t offset;
  uint32_t busy;       /* the offset is being used, beside others' requests (beside.c) */
  struct inode *inode; /* NULL: a pipe's end */
  struct pipe *pipe;
  struct file *next; /* of those that are to be closed */
};

/* What the inode of a device stands for. */
struct device {
  int (*read)(struct request *q, struct q_reply *r);
  int (*write)(struct request *q, struct q_reply *r);
};
extern const struct device console_device;

/* ---- file.c ---- */
bool files_start(struct process *first); /* the tree, and the console as the first process's descriptors */
/* Those that are closed on exec only with `all`. False: no memory. */
bool files_inherit(const struct process *parent, struct process *child, bool all);
void files_exec(struct process *process); /* closes what a new program does not inherit */
void files_close(struct process *process);
struct file *file_of(const struct process *process, uint64_t fd); /* NULL: none */
extern struct file *files_unused;                                 /* those that nobody has any more: */
void file_give_up(struct file *file);
void files_bury(void); /* not from a handler, since it may end or wake what that looks at */
bool file_reads(const struct file *file);
bool file_writes(const struct file *file);

/* ---- program.c ---- */
/* The program at that path, or of that name in /bin: its name for the pager, and the object that it is, 0 for what is still as
 * it is in the boot image. */
int program_find(const struct process *process, const char *path, char name[P_NAME_MAX], uint64_t *object);

/* ---- poll.c ---- */
static inline void poll_changed(void) { /* a pipe's state, or the console's: whoever polls looks again */
  if (!list_empty(&poll_queue))
    requests_wake(&poll_queue);
}

/* ---- lock.c ---- */
void locks_drop(struct inode *inode, const void *owner); /* all that the process, or the open file, has of it */

/* ---- pipe.c ---- */
short pipe_ready(const struct pipe *pipe, bool writer); /* POLL* */
struct pipe *pipe_new(void);
void pipe_release(struct pipe *pipe, bool writer); /* one of its ends has gone */
int pipe_read(struct request *q, struct pipe *pipe, bool wait, struct q_reply *r);
int pipe_write(struct request *q, struct pipe *pipe, bool wait, struct q_reply *r);
#endif
