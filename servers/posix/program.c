/* SPDX-License-Identifier: BSD-2-Clause */
/* Files as the pager's objects: what is mapped, and programs that were written or copied. An object is the content that the
 * file has at that moment; the next change of the file makes the pages its own again (tree.h), and the object stays as it is. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"

/* Files that have one, the latest last. The pager has only so many: the oldest is given up for a new one, which is no loss but
 * that programs made of it later have pages of their own. */
#define OBJECTS 64
static struct inode *holders[OBJECTS];
static unsigned next_holder;

void object_drop(uint64_t object) {
  ask_pager(&(struct q_call){.label = P_object, .word = {0, object}});
  for (unsigned i = 0; i < OBJECTS; i++)
    if (holders[i] && holders[i]->object == object)
      holders[i] = NULL;
}

static void hold(struct inode *inode, uint64_t object) {
  struct inode **place = &holders[next_holder++ % OBJECTS], *old = *place;
  if (old) {
    object_drop(old->object);
    old->object = 0;
  }
  *place = inode;
  inode_freeze(inode, object);
}

/* Asks the pager for an object of what the file holds. */
static int64_t object_make(struct inode *inode) {
  uint64_t bytes = (inode->size + TREE_PAGE - 1) / TREE_PAGE * sizeof(uint64_t), *address = memory_borrow(bytes);
  if (!address)
    return -ENOMEM;
  int64_t made = -ENOMEM;
  if (inode_pages(inode, address))
    made =
        ask_pager(&(struct q_call){.label = P_object, .word = {inode->size}, .read = address, .read_bytes = bytes});
  memory_return(address, bytes);
  return made;
}

/* The object that holds the file's content. A larger file is all hole but for what memory can hold, and to list its pages would
 * keep the others waiting. */
static int object_of(struct inode *inode, uint64_t *object) {
  *object = inode->object;
  if (*object)
    return 0;
  int64_t made = inode->size > POSIX_MAP_MAX ? -ENOMEM : object_make(inode);
  if (made < 0)
    return (int)-made;
  *object = (uint64_t)made;
  hold(inode, *object);
  return 0;
}

static bool begins_as_elf(const struct inode *inode) {
  size_t bytes;
  return inode->size >= 4 && !memcmp(inode_bytes(inode, 0, &bytes), "\177ELF", 4);
}

int program_find(const struct process *process, const char *path, char name[P_NAME_MAX], uint64_t *object) {
  char text[TREE_PATH_MAX + 5];
  struct inode *inode;
  const char *slash = strrchr(path, '/');
  if (!*path || strlen(path) >= TREE_PATH_MAX)
    return *path ? ENAMETOOLONG : ENOENT;
  strcpy(stpcpy(text, slash ? "" : "/bin/"), path);
  int error = tree_find(process->directory, text, &inode);
  if (error)
    return error;
  if (inode->type != INODE_FILE || !(inode->mode & 0111))
    return EACCES;
  *object = 0;
  strncpy(name, inode->program ? inode->program : slash ? slash + 1 : path, P_NAME_MAX - 1);
  if (inode->program)
    return 0;
  return begins_as_elf(inode) ? object_of(inode, object) : ENOEXEC;
}

int do_map(struct request *q, struct q_reply *r) {
  const uint64_t flags = (uint32_t)q->m.word[2], offset = q->m.word[3];
  const struct file *file = file_of(q->caller, q->m.word[2] >> 32);
  uint64_t object;
  if (!file)
    return EBADF;
  if (!file_reads(file))
    return EACCES;
  if (!file->inode || file->inode->type != INODE_FILE)
    return ENODEV;
  if (flags & P_MAP_SHARED || offset % TREE_PAGE)
    return EINVAL;
  if (offset >= file->inode->size)
    return ENXIO;
  int error = object_of(file->inode, &object);
  if (error)
    return error;
  const struct p_mapped mapped = {q->caller->pid, object, offset};
  int64_t at = ask_pager(&(struct q_call){
      .label = P_map, .word = {q->m.word[0], q->m.word[1], flags}, .read = &mapped, .read_bytes = sizeof mapped});
  r->word[0] = (uint64_t)at;
  return at < 0 ? (int)-at : 0;
}
