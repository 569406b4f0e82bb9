/* SPDX-License-Identifier: BSD-2-Clause */
/* The file tree: inodes, names and paths, all in memory. Makes no system call, so that the host's tests drive it too. Knows
 * nothing of processes, descriptors or what a device does. Functions return 0 or an errno value, and have then changed
 * nothing. */
#ifndef TREE_H
#define TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TREE_NAME_MAX 255
#define TREE_PATH_MAX 1024 /* with the NUL */
#define TREE_PAGE 4096
#define TREE_FILE_MAX (1ul << 36)
#define TREE_CHUNK 512 /* pages of a file that one table holds */

enum inode_type { INODE_FILE, INODE_DIRECTORY, INODE_DEVICE };

struct inode {
  uint64_t number;
  enum inode_type type;
  unsigned links; /* names of it; of a directory, `.` and the `..` of those in it count too */
  unsigned users; /* open files and working directories: it stays while there are any */
  unsigned mode;  /* permission bits */
  uint64_t size;
  char ***chunk;        /* FILE: tables of pages. NULL where nothing was written: it reads as the image, or as zero */
  uint64_t chunks;      /* entries of that */
  struct entry *first;  /* DIRECTORY: in the order they were made */
  struct inode *parent; /* DIRECTORY: itself for the root, NULL once it was removed */
  const char *image;    /* FILE: what it began as, in the boot image; NULL: empty */
  uint64_t image_bytes; /* of these still good */
  const char *program;  /* its name in the boot image, if it can be run */
  const void *device;   /* DEVICE: whoever opens it knows what that is */
};

struct entry {
  struct entry *next;
  struct inode *inode;
  uint64_t number; /* grows: where a reader of the directory goes on */
  char name[];
};

struct inode *tree_root(void); /* made at the first call; NULL: no memory */
/* Paths that begin with '/' are from the root, others from `from`. */
int tree_find(struct inode *from, const char *path, struct inode **found);
/* Where a name is to be made, removed or changed: the directory, the last component, and whether slashes follow that, which
 * only a directory's name may have. */
struct place {
  struct inode *directory;
  bool slash;
  char name[TREE_NAME_MAX + 1];
};
int tree_find_place(struct inode *from, const char *path, struct place *place);
struct entry *tree_entry(struct inode *directory, const char *name); /* not `.` and `..` */
int tree_make(const struct place *place, enum inode_type type, unsigned mode, struct inode **made);
int tree_link(const struct place *place, struct inode *inode);
int tree_unlink(const struct place *place);
int tree_rmdir(const struct place *place);
int tree_rename(const struct place *from, const struct place *to);
/* Writes the path of a directory; ENOENT if it was removed, ERANGE if it does not fit. */
int tree_path(const struct inode *directory, char *path, size_t size);

void inode_use(struct inode *inode);
void inode_release(struct inode *inode); /* frees what nobody names or uses any more */
int inode_resize(struct inode *inode, uint64_t size);
/* Where the bytes from that offset on can be read, and how many lie there together. */
const char *inode_bytes(const struct inode *inode, uint64_t offset, size_t *bytes);
/* The page that holds the offset, which lies below the size, for writing. NULL: no memory. */
char *inode_page(struct inode *inode, uint64_t offset);
/* What lies behind the size in the page that holds the offset is zero again: a write came no further, or the file was cut. */
void inode_clear_rest(struct inode *inode, uint64_t offset);
#endif
