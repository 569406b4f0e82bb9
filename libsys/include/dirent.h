/* SPDX-License-Identifier: BSD-2-Clause */
/* Directories (POSIX.1-2017, dirent.h), which picolibc leaves to the system. */
#ifndef QUIRE_DIRENT_H
#define QUIRE_DIRENT_H

#include <sys/types.h>

#define DT_UNKNOWN 0
#define DT_FIFO 1 /* of these a directory has regular files, directories and devices of characters */
#define DT_CHR 2
#define DT_DIR 4
#define DT_BLK 6
#define DT_REG 8
#define DT_LNK 10
#define DT_SOCK 12

struct dirent {
  ino_t d_ino;
  unsigned char d_type;
  char d_name[256];
};

typedef struct DIR DIR;

DIR *opendir(const char *path);
struct dirent *readdir(DIR *directory); /* valid until the next readdir() of it; NULL at the end */
void rewinddir(DIR *directory);
int closedir(DIR *directory);
DIR *fdopendir(int fd); /* the descriptor is the directory's from then on */
int dirfd(DIR *directory);
long telldir(DIR *directory);
void seekdir(DIR *directory, long place);
int scandir(const char *path, struct dirent ***list, int (*wanted)(const struct dirent *),
            int (*compare)(const struct dirent **, const struct dirent **));
int alphasort(const struct dirent **a, const struct dirent **b);
#endif
