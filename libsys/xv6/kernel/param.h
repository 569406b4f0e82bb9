/* SPDX-License-Identifier: BSD-2-Clause */
/* Limits, with Quire's values. What is of xv6's file system and log alone (NINODE, NBUF, LOGBLOCKS, FSSIZE) is not here. */
#ifndef XV6_PARAM_H
#define XV6_PARAM_H

#define NPROC 12000    /* processes at a time: POSIX_PROCESSES */
#define NCPU 1         /* harts that run */
#define NOFILE 256     /* descriptors of a process: POSIX_DESCRIPTORS */
#define MAXARG 512     /* arguments and variables of exec: P_SPAWN_STRINGS, and P_SPAWN_MAX bytes */
#define MAXPATH 1024   /* bytes of a path with its NUL: TREE_PATH_MAX */
#define USERSTACK 2048 /* pages that a stack can grow to: P_STACK_BYTES */
#define ROOTDEV 1      /* st.dev of everything */
#define MAXOPBLOCKS 10 /* a write may have any length; programs size buffers by this */
#endif
