/* SPDX-License-Identifier: BSD-2-Clause */
/* What reading a directory yields, and sizes of files. There is no disk behind them, so of its layout nothing is here. */
#ifndef XV6_FS_H
#define XV6_FS_H

#define BSIZE 1024  /* the unit of MAXFILE; files are kept by pages of 4 KiB */
#define MAXFILE 268 /* blocks that a file surely can have; what ends it is memory, or 64 GiB */

#define DIRSIZ 14
struct dirent {
  unsigned short inum; /* never 0: a name that is gone is not read */
  char name[DIRSIZ];   /* without a NUL if it is that long */
};
#endif
