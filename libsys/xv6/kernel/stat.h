/* SPDX-License-Identifier: BSD-2-Clause */
/* What fstat and stat say. */
#ifndef XV6_STAT_H
#define XV6_STAT_H

#define T_DIR 1
#define T_FILE 2
#define T_DEVICE 3

struct stat {
  int dev;            /* ROOTDEV */
  unsigned int ino;   /* a directory's entries have its low 16 bits */
  short type;         /* T_* */
  short nlink;        /* of a directory, without its own "." */
  unsigned long size; /* in bytes; of a directory 0 */
};
#endif
