/* SPDX-License-Identifier: BSD-2-Clause */
/* Open files: what a descriptor names. Descriptors that were duplicated or inherited share one, with its offset. */
#ifndef FILE_H
#define FILE_H

#include "server.h"
#include "tree.h"

struct pipe;

struct file {
  unsigned users; /* descriptors of all processes */
  unsigned flags; /* O_* of <fcntl.h> */
  uint64_t offset;
  struct inode *inode; /* NULL: a pipe's end */
  struct pipe *pipe;
};

/* What the inode of a device stands for. */
struct device {
  int (*read)(struct request *q, struct q_reply *r);
  int (*write)(struct request *q, struct q_reply *r);
};
extern const struct device console_device;

/* ---- file.c ---- */
bool files_start(struct process *first); /* the tree, and the console as the first process's descriptors */
void files_inherit(const struct process *parent, struct process *child);
void files_close(struct process *process);
/* The program that the first of the strings names: by a path, or a name in /bin. */
int program_find(struct process *process, const char *name, const char **program);

/* ---- pipe.c ---- */
struct pipe *pipe_new(void);
void pipe_release(struct pipe *pipe, bool writer); /* one of its ends has gone */
int pipe_read(struct request *q, struct pipe *pipe, bool wait, struct q_reply *r);
int pipe_write(struct request *q, struct pipe *pipe, bool wait, struct q_reply *r);
#endif
