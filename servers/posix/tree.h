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
#define TREE_CHUNK 512       /* pages of a file that one table holds */
#define TREE_NAMES_MAX 32768 /* of all directories together; beyond, ENOSPC */
#define TREE_FROZEN                                                                                                  \
  1 /* in a file's table: the page is an object's too, and is thawed before it is written or freed */

/* What the tree needs of whoever uses it. A page is of TREE_PAGE bytes, on that boundary, and of zeros when it is new. */
char *page_new(void); /* NULL: no memory */
void page_free(char *page);
bool page_thaw(char *page); /* false: no memory */
void object_drop(uint64_t object);
int64_t tree_now(void); /* nanoseconds */

enum inode_type { INODE_FILE, INODE_DIRECTORY, INODE_DEVICE };

struct inode {
  uint64_t number;
  enum inode_type type;
  unsigned links; /* names of it; of a directory, `.` and the `..` of those in it count too */
  unsigned users; /* open files and working directories: it stays while there are any */
  unsigned mode;  /* permission bits */
  uint64_t size;
  int64_t accessed, modified, changed; /* nanoseconds; the first is kept by whoever reads */
  uintptr_t **chunk; /* FILE: tables of pages. 0 where nothing was written: it reads as the image, or as zero */
  uint64_t chunks;   /* entries of that */
  uint64_t object;   /* FILE: what the pager calls its content, as long as that is what it was; 0: nobody has asked */
  struct entry *first; /* DIRECTORY: in the order they were made */
  struct entry *last;
  struct entry *reached; /* where somebody read on last, or before that; NULL: at the first */
  struct inode *parent;  /* DIRECTORY: itself for the root, NULL once it was removed */
  const char *image;     /* FILE: what it began as, in the boot image; NULL: empty */
  uint64_t image_bytes;  /* of these still good */
  const char *program;   /* its name in the boot image, if it is a program and unchanged */
  const void *device;    /* DEVICE: whoever opens it knows what that is */
  struct lock *locks;    /* kept by whoever locks: it has them only while it is open */
};

struct entry {
  struct entry *next, *previous; /* in its directory */
  struct entry *alike;           /* in the index of all names */
  struct inode *directory;
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
struct entry *tree_entry(const struct inode *directory, const char *name); /* not `.` and `..` */
/* The first made of those with that number or a greater one; NULL: none. */
const struct entry *tree_next(struct inode *directory, uint64_t number);
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
/* Writes the address of each page, 0: it has none and is of zeros. All that they hold is in them then, and none is frozen.
 * False: no memory. */
bool inode_pages(struct inode *inode, uint64_t *address);
void inode_freeze(struct inode *inode, uint64_t object); /* all of them are that object's now */
/* What lies behind the size in the page that holds the offset is zero again: a write came no further, or the file was cut. */
void inode_clear_rest(struct inode *inode, uint64_t offset);
#endif
