/* SPDX-License-Identifier: BSD-2-Clause */
/* See tree.h. */
#include "tree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- Inodes --------------------------------------------------------------------------------------------------------- */
static uint64_t next_inode = 1, next_entry = 1;

static struct inode *inode_new(enum inode_type type, unsigned mode) {
  struct inode *inode = calloc(1, sizeof *inode);
  int64_t now = tree_now();
  if (inode)
    *inode = (struct inode){
        .number = next_inode++, .type = type, .mode = mode, .accessed = now, .modified = now, .changed = now};
  return inode;
}

/* The place of a page, or NULL. A far page of a sparse file costs its own table and no others. */
static uintptr_t *page_find(const struct inode *inode, uint64_t index) {
  uintptr_t *chunk = index / TREE_CHUNK < inode->chunks ? inode->chunk[index / TREE_CHUNK] : NULL;
  return chunk ? &chunk[index % TREE_CHUNK] : NULL;
}

static char *page_at(uintptr_t place) {
  return (char *)(place & ~(uintptr_t)TREE_FROZEN);
}

/* The next page from *index on that is there, or NULL. */
static uintptr_t *page_next(const struct inode *inode, uint64_t *index) {
  for (; *index / TREE_CHUNK < inode->chunks; ++*index) {
    uintptr_t *page = page_find(inode, *index);
    if (!page)
      *index |= TREE_CHUNK - 1; /* none of its table */
    else if (*page)
      return page;
  }
  return NULL;
}

/* False: no memory, and the page is as it was. */
static bool thaw(uintptr_t *page) {
  if (*page & TREE_FROZEN && !page_thaw(page_at(*page)))
    return false;
  *page &= ~(uintptr_t)TREE_FROZEN;
  return true;
}

static bool pages_thaw(struct inode *inode, uint64_t from) {
  for (uintptr_t *page; (page = page_next(inode, &from)); from++)
    if (!thaw(page))
      return false;
  return true;
}

static void pages_free(struct inode *inode, uint64_t from) {
  uint64_t index = from;
  for (uintptr_t *page; (page = page_next(inode, &index)); *page = 0)
    page_free(page_at(*page));
  for (uint64_t c = (from + TREE_CHUNK - 1) / TREE_CHUNK; c < inode->chunks; c++)
    if (inode->chunk[c]) {
      page_free((char *)inode->chunk[c]);
      inode->chunk[c] = NULL;
    }
}

/* It is not any more what somebody may have an object of, nor the program of the boot image. */
static void content_changes(struct inode *inode) {
  if (inode->object)
    object_drop(inode->object);
  inode->object = 0;
  inode->program = NULL;
}

/* A directory's content are its names. */
static void modified(struct inode *inode) {
  inode->modified = inode->changed = tree_now();
}

static struct inode *doomed; /* nobody has them any more, but there was no memory to thaw their pages; by `parent` */

static void inode_free(struct inode *inode) {
  content_changes(inode);
  if (!pages_thaw(inode, 0)) {
    inode->parent = doomed;
    doomed = inode;
    return;
  }
  pages_free(inode, 0);
  free(inode->chunk);
  free(inode);
}

static void inode_free_unused(struct inode *inode) {
  if (!inode->links && !inode->users)
    inode_free(inode);
}

static void doomed_free(void) {
  struct inode *inode = doomed;
  doomed = NULL;
  for (struct inode *next; inode; inode = next) {
    next = inode->parent;
    inode_free(inode);
  }
}

void inode_use(struct inode *inode) {
  inode->users++;
}

void inode_release(struct inode *inode) {
  inode->users--;
  inode_free_unused(inode);
}

/* Makes room for that many chunks; their table grows by doubling, and never shrinks while the file lives. */
static bool chunks_grow(struct inode *inode, uint64_t chunks) {
  uint64_t most = inode->chunks ? inode->chunks : 1;
  while (most < chunks)
    most *= 2;
  if (most == inode->chunks)
    return true;
  uintptr_t **table = realloc(inode->chunk, most * sizeof *table);
  if (!table)
    return false;
  memset(table + inode->chunks, 0, (most - inode->chunks) * sizeof *table);
  inode->chunk = table;
  inode->chunks = most;
  return true;
}

/* The place of a page, made if it is not there; NULL: no memory. */
static uintptr_t *page_place(struct inode *inode, uint64_t index) {
  uint64_t chunk = index / TREE_CHUNK;
  if (!chunks_grow(inode, chunk + 1))
    return NULL;
  if (!inode->chunk[chunk])
    inode->chunk[chunk] = (uintptr_t *)page_new();
  return page_find(inode, index);
}

void inode_clear_rest(struct inode *inode, uint64_t offset) {
  uint64_t start = offset - offset % TREE_PAGE, good = inode->size > start ? inode->size - start : 0;
  const uintptr_t *page = page_find(inode, start / TREE_PAGE);
  if (page && *page && good < TREE_PAGE)
    memset(page_at(*page) + good, 0, TREE_PAGE - good);
}

int inode_resize(struct inode *inode, uint64_t size) {
  uint64_t pages = (size + TREE_PAGE - 1) / TREE_PAGE;
  if (inode->type != INODE_FILE)
    return inode->type == INODE_DIRECTORY ? EISDIR : EINVAL;
  if (size > TREE_FILE_MAX)
    return EFBIG;
  if (size == inode->size) {
    modified(inode);
    return 0;
  }
  if (!pages_thaw(inode, size / TREE_PAGE))
    return ENOSPC;
  content_changes(inode);
  modified(inode);
  if (size < inode->size) {
    pages_free(inode, pages);
    inode->image_bytes = inode->image_bytes < size ? inode->image_bytes : size;
  }
  inode->size = size;
  inode_clear_rest(inode, size); /* what is cut off must read as zero if the file grows again */
  return 0;
}

/* How many bytes of the page from `offset` on are the image's. */
static size_t in_image(const struct inode *inode, uint64_t offset, size_t bytes) {
  uint64_t left = offset < inode->image_bytes ? inode->image_bytes - offset : 0;
  return left < bytes ? left : bytes;
}

const char *inode_bytes(const struct inode *inode, uint64_t offset, size_t *bytes) {
  static const char zeros[TREE_PAGE];
  const uintptr_t *page = page_find(inode, offset / TREE_PAGE);
  *bytes = TREE_PAGE - offset % TREE_PAGE;
  if (page && *page)
    return page_at(*page) + offset % TREE_PAGE;
  size_t image = in_image(inode, offset, *bytes);
  if (!image)
    return zeros;
  *bytes = image;
  return inode->image + offset;
}

/* What it holds, in a page that can be written. */
static char *own_page(struct inode *inode, uint64_t start) {
  uintptr_t *page = page_place(inode, start / TREE_PAGE);
  if (!page || (*page && !thaw(page)))
    return NULL;
  size_t image = *page ? 0 : in_image(inode, start, TREE_PAGE);
  if (!*page)
    *page = (uintptr_t)page_new();
  if (*page && image)
    memcpy(page_at(*page), inode->image + start, image);
  return page_at(*page);
}

char *inode_page(struct inode *inode, uint64_t offset) {
  uint64_t start = offset - offset % TREE_PAGE;
  if (doomed)
    doomed_free();
  char *page = own_page(inode, start);
  if (page) {
    content_changes(inode);
    modified(inode);
  }
  return page;
}

bool inode_pages(struct inode *inode, uint64_t *address) {
  for (uint64_t start = 0; start < inode->image_bytes; start += TREE_PAGE)
    if (!own_page(inode, start))
      return false;
  if (!pages_thaw(inode, 0))
    return false;
  for (uint64_t index = 0; index * TREE_PAGE < inode->size; index++) {
    const uintptr_t *page = page_find(inode, index);
    address[index] = page ? *page : 0;
  }
  return true;
}

void inode_freeze(struct inode *inode, uint64_t object) {
  uint64_t index = 0;
  for (uintptr_t *page; (page = page_next(inode, &index)); index++)
    *page |= TREE_FROZEN;
  inode->object = object;
}

/* ---- Names ---------------------------------------------------------------------------------------------------------- */
struct inode *tree_root(void) {
  static struct inode *root;
  if (root || !(root = inode_new(INODE_DIRECTORY, 0755)))
    return root;
  root->parent = root;
  root->links = 2;
  return root;
}

/* All names of all directories, by both: however many a directory has, nobody waits while another's name is looked for. */
#define INDEX 64 /* lists, at the least */
static struct entry **index_of_names;
static unsigned lists;

/* FNV-1a. */
static struct entry **index_line(const struct inode *directory, const char *name) {
  uint64_t hash = 0xcbf29ce484222325 ^ directory->number;
  for (; *name; name++)
    hash = (hash ^ (unsigned char)*name) * 0x100000001b3;
  return &index_of_names[(hash ^ hash >> 32) % lists];
}

static void index_add(struct entry *entry) {
  struct entry **line = index_line(entry->directory, entry->name);
  entry->alike = *line;
  *line = entry;
}

/* Twice as many lists, or the first ones. False: no memory. */
static bool index_double(void) {
  struct entry **old = index_of_names, **new = calloc(lists ? 2 * lists : INDEX, sizeof *new);
  unsigned olds = lists;
  if (!new)
    return false;
  index_of_names = new;
  lists = olds ? 2 * olds : INDEX;
  for (unsigned i = 0; i < olds; i++)
    for (struct entry *entry = old[i], *next; entry; entry = next) {
      next = entry->alike;
      index_add(entry);
    }
  free(old);
  return true;
}

struct entry *tree_entry(const struct inode *directory, const char *name) {
  struct entry *entry = lists ? *index_line(directory, name) : NULL;
  while (entry && (entry->directory != directory || strcmp(entry->name, name)))
    entry = entry->alike;
  return entry;
}

const struct entry *tree_next(struct inode *directory, uint64_t number) {
  struct entry *entry = directory->reached;
  entry = entry && entry->number < number ? entry->next : directory->first;
  while (entry && entry->number < number)
    entry = entry->next;
  directory->reached = entry ? entry : directory->last;
  return entry;
}

/* The next component of *path, which moves on behind it and the slashes after it. *length 0: there is none. */
static const char *component(const char **path, size_t *length) {
  while (**path == '/')
    ++*path;
  const char *start = *path;
  *length = strcspn(start, "/");
  *path += *length;
  while (**path == '/')
    ++*path;
  return start;
}

static int step(struct inode **at, const char *name, size_t length) {
  char text[TREE_NAME_MAX + 1];
  if ((*at)->type != INODE_DIRECTORY)
    return ENOTDIR;
  if (length > TREE_NAME_MAX)
    return ENAMETOOLONG;
  if (!(*at)->parent)
    return ENOENT; /* a working directory that was removed */
  memcpy(text, name, length);
  text[length] = 0;
  struct entry *entry = !strcmp(text, ".") || !strcmp(text, "..") ? NULL : tree_entry(*at, text);
  struct inode *next = !strcmp(text, ".") ? *at : !strcmp(text, "..") ? (*at)->parent : entry ? entry->inode : NULL;
  if (!next)
    return ENOENT;
  *at = next;
  return 0;
}

static int check_path(const char *path) {
  return !*path ? ENOENT : strlen(path) >= TREE_PATH_MAX ? ENAMETOOLONG : 0;
}

int tree_find(struct inode *from, const char *path, struct inode **found) {
  int error = check_path(path);
  bool directory = !error && path[strlen(path) - 1] == '/';
  struct inode *at = *path == '/' ? tree_root() : from;
  size_t length;
  for (const char *name; !error && (name = component(&path, &length), length);)
    error = step(&at, name, length);
  if (!error && directory && at->type != INODE_DIRECTORY)
    error = ENOTDIR;
  if (!error)
    *found = at;
  return error;
}

int tree_find_place(struct inode *from, const char *path, struct place *place) {
  int error = check_path(path);
  struct inode *at = *path == '/' ? tree_root() : from;
  size_t length;
  *place = (struct place){.slash = !error && path[strlen(path) - 1] == '/'};
  const char *last = component(&path, &length);
  for (; !error && *path; last = component(&path, &length))
    error = step(&at, last, length);
  if (error)
    return error;
  if (length > TREE_NAME_MAX)
    return ENAMETOOLONG;
  if (at->type != INODE_DIRECTORY)
    return ENOTDIR;
  memcpy(place->name, last, length);
  place->directory = at;
  return 0;
}

static bool is_dots(const char *name) {
  return !*name || !strcmp(name, ".") || !strcmp(name, "..");
}

/* The entry that is there; NULL, with what is wrong, if it is none, or a file's with a slash behind its name. */
static struct entry *existing(const struct place *place, int *error) {
  struct entry *entry = tree_entry(place->directory, place->name);
  bool slash = entry && place->slash && entry->inode->type != INODE_DIRECTORY;
  *error = !entry ? ENOENT : slash ? ENOTDIR : 0;
  return slash ? NULL : entry;
}

/* What must hold before a name is added. */
static int check_new(const struct place *place) {
  int error;
  if (!place->directory->parent)
    return ENOENT; /* removed, and so are its dots */
  if (is_dots(place->name) || existing(place, &error))
    return EEXIST;
  return error != ENOENT ? error : 0;
}

static unsigned names;

static struct entry *entry_new(const char *name, struct inode *inode) {
  bool room = names < TREE_NAMES_MAX && (names < lists || index_double() || lists);
  struct entry *entry = room ? malloc(sizeof *entry + strlen(name) + 1) : NULL;
  if (!entry)
    return NULL;
  names++;
  *entry = (struct entry){.inode = inode, .number = next_entry++};
  strcpy(entry->name, name);
  return entry;
}

static void entry_free(struct entry *entry) {
  names--;
  free(entry);
}

static void entry_add(struct inode *directory, struct entry *entry) {
  entry->directory = directory;
  entry->next = NULL;
  entry->previous = directory->last;
  *(directory->last ? &directory->last->next : &directory->first) = entry;
  directory->last = entry;
  index_add(entry);
  modified(directory);
  entry->inode->changed = directory->changed;
}

/* Out of its directory, and freed. */
static void entry_drop(struct entry *entry) {
  struct inode *directory = entry->directory;
  struct entry **line = index_line(directory, entry->name);
  while (*line != entry)
    line = &(*line)->alike;
  *line = entry->alike;
  if (directory->reached == entry)
    directory->reached = entry->previous;
  *(entry->previous ? &entry->previous->next : &directory->first) = entry->next;
  *(entry->next ? &entry->next->previous : &directory->last) = entry->previous;
  modified(directory);
  entry->inode->changed = directory->changed;
  entry_free(entry);
}

/* A name goes. Of a directory, also its own `.` and the `..` that named the one it lay in. */
static void entry_remove(struct entry *entry) {
  struct inode *inode = entry->inode, *directory = entry->directory;
  entry_drop(entry);
  inode->links--;
  if (inode->type == INODE_DIRECTORY) {
    inode->links--;
    inode->parent = NULL;
    directory->links--;
  }
  inode_free_unused(inode);
}

int tree_make(const struct place *place, enum inode_type type, unsigned mode, struct inode **made) {
  struct inode *directory = place->directory;
  int error = check_new(place);
  if (!error && place->slash && type != INODE_DIRECTORY)
    error = ENOENT;
  if (error)
    return error;
  struct inode *inode = inode_new(type, mode);
  struct entry *entry = inode ? entry_new(place->name, inode) : NULL;
  if (!entry) {
    free(inode);
    return ENOSPC;
  }
  entry_add(directory, entry);
  inode->links = 1;
  if (type == INODE_DIRECTORY) {
    inode->links = 2;
    inode->parent = directory;
    directory->links++;
  }
  *made = inode;
  return 0;
}

int tree_link(const struct place *place, struct inode *inode) {
  int error = inode->type == INODE_DIRECTORY ? EPERM : !inode->links ? ENOENT : check_new(place);
  if (!error && place->slash)
    error = ENOENT;
  struct entry *entry = error ? NULL : entry_new(place->name, inode);
  if (!entry)
    return error ? error : ENOSPC;
  entry_add(place->directory, entry);
  inode->links++;
  return 0;
}

int tree_unlink(const struct place *place) {
  int error;
  if (is_dots(place->name))
    return EPERM;
  struct entry *entry = existing(place, &error);
  if (!entry)
    return error;
  if (entry->inode->type == INODE_DIRECTORY)
    return EPERM;
  entry_remove(entry);
  return 0;
}

int tree_rmdir(const struct place *place) {
  int error;
  const char *name = place->name;
  if (is_dots(name))
    return !strcmp(name, "..") ? ENOTEMPTY : !*name ? EBUSY : EINVAL;
  struct entry *entry = existing(place, &error);
  if (!entry)
    return error;
  if (entry->inode->type != INODE_DIRECTORY)
    return ENOTDIR;
  if (entry->inode->first)
    return ENOTEMPTY;
  entry_remove(entry);
  return 0;
}

/* ---- Renaming (POSIX.1-2017, rename) ---------------------------------------------------------------------------------- */
static bool lies_in(const struct inode *directory, const struct inode *above) {
  for (; directory != above; directory = directory->parent)
    if (!directory->parent || directory->parent == directory)
      return false;
  return true;
}

/* What is there already under the new name may give way if it is of the same kind. */
static int check_replaced(const struct inode *moved, const struct inode *there) {
  if (moved->type == INODE_DIRECTORY && there->type != INODE_DIRECTORY)
    return ENOTDIR;
  if (moved->type != INODE_DIRECTORY && there->type == INODE_DIRECTORY)
    return EISDIR;
  return there->type == INODE_DIRECTORY && there->first ? ENOTEMPTY : 0;
}

static int check_rename(const struct place *from, const struct place *to) {
  int error;
  if (is_dots(from->name) || is_dots(to->name))
    return *from->name && *to->name ? EINVAL : EBUSY; /* the root */
  const struct entry *entry = existing(from, &error), *there = tree_entry(to->directory, to->name);
  if (!entry)
    return error;
  const struct inode *moved = entry->inode;
  if (!to->directory->parent)
    return ENOENT;
  if (moved->type != INODE_DIRECTORY && to->slash)
    return ENOTDIR;
  if (moved->type == INODE_DIRECTORY && lies_in(to->directory, moved))
    return EINVAL;
  return there && there->inode != moved ? check_replaced(moved, there->inode) : 0;
}

int tree_rename(const struct place *from, const struct place *to) {
  int error = check_rename(from, to);
  if (error)
    return error;
  struct entry *old = tree_entry(from->directory, from->name), *there = tree_entry(to->directory, to->name);
  struct inode *moved = old->inode;
  if (there && there->inode == moved)
    return 0; /* two names of one file, or the same name: nothing is to be done */
  struct entry *entry = entry_new(to->name, moved);
  if (!entry)
    return ENOSPC;
  if (there)
    entry_remove(there);
  entry_drop(old);
  entry_add(to->directory, entry);
  if (moved->type == INODE_DIRECTORY) {
    moved->parent = to->directory;
    from->directory->links--;
    to->directory->links++;
  }
  return 0;
}

/* ---- The path of a directory ---------------------------------------------------------------------------------------- */
static const struct entry *name_of(const struct inode *directory) {
  const struct entry *entry = directory->parent->first;
  while (entry->inode != directory)
    entry = entry->next;
  return entry;
}

int tree_path(const struct inode *directory, char *path, size_t size) {
  size_t at = size;
  if (!directory->parent)
    return ENOENT;
  if (size < 2)
    return ERANGE;
  path[--at] = 0;
  for (; directory->parent != directory; directory = directory->parent) {
    const char *name = name_of(directory)->name;
    size_t length = strlen(name);
    if (at < length + 1)
      return ERANGE;
    at -= length;
    memcpy(path + at, name, length);
    path[--at] = '/';
  }
  if (at == size - 1)
    path[--at] = '/';
  memmove(path, path + at, size - at);
  return 0;
}
