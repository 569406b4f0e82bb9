/* SPDX-License-Identifier: BSD-2-Clause */
/* Descriptors and what can be done with them and with paths: the handlers. What a file holds is tree.c's. */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cpio.h"

#define TABLE_STEP 8 /* descriptors that a process's table grows by */

/* ---- Open files and descriptors --------------------------------------------------------------------------------------- */
static struct file *file_new(struct inode *inode, struct pipe *pipe, unsigned flags) {
  struct file *file = malloc(sizeof *file);
  if (!file)
    return NULL;
  *file = (struct file){.users = 1, .flags = flags, .inode = inode, .pipe = pipe};
  if (inode)
    inode_use(inode);
  return file;
}

bool file_writes(const struct file *file) {
  return (file->flags & O_ACCMODE) != O_RDONLY;
}

bool file_reads(const struct file *file) {
  return (file->flags & O_ACCMODE) != O_WRONLY;
}

static void file_release(struct file *file) {
  if (--file->users)
    return;
  if (file->inode && file->inode->locks)
    locks_drop(file->inode, file);
  if (file->inode)
    inode_release(file->inode);
  else
    pipe_release(file->pipe, file_writes(file));
  free(file);
}

struct file *files_unused;

void file_give_up(struct file *file) {
  if (file->users > 1) {
    file->users--;
    return;
  }
  file->next = files_unused;
  files_unused = file;
}

void files_bury(void) {
  struct file *file;
  while ((file = files_unused)) {
    files_unused = file->next;
    file_release(file);
  }
}

static struct descriptor *descriptor_of(const struct process *process, uint64_t fd) {
  return fd < process->descriptors && process->descriptor[fd].file ? &process->descriptor[fd] : NULL;
}

struct file *file_of(const struct process *process, uint64_t fd) {
  const struct descriptor *descriptor = descriptor_of(process, fd);
  return descriptor ? descriptor->file : NULL;
}

static bool table_grow(struct process *process, uint64_t descriptors) {
  if (descriptors <= process->descriptors)
    return true;
  descriptors = (descriptors + TABLE_STEP - 1) / TABLE_STEP * TABLE_STEP;
  struct descriptor *table = realloc(process->descriptor, descriptors * sizeof *table);
  if (!table)
    return false;
  memset(table + process->descriptors, 0, (descriptors - process->descriptors) * sizeof *table);
  process->descriptor = table;
  process->descriptors = (unsigned)descriptors;
  return true;
}

static int descriptor_give(struct process *process, struct file *file, uint64_t least, bool closes,
                           uint64_t *result) {
  uint64_t fd = least;
  while (file_of(process, fd))
    fd++;
  if (fd >= POSIX_DESCRIPTORS)
    return EMFILE;
  if (!table_grow(process, fd + 1))
    return ENOMEM;
  process->descriptor[fd] = (struct descriptor){file, closes};
  *result = fd;
  return 0;
}

static void descriptor_close(struct process *process, uint64_t fd) {
  struct file *file = process->descriptor[fd].file;
  process->descriptor[fd].file = NULL;
  if (file->inode && file->inode->locks)
    locks_drop(file->inode, process);
  file_release(file);
}

static void descriptor_end(struct process *process, uint64_t fd) {
  if (!list_empty(&process->kept))
    requests_keep_file(process, fd, process->descriptor[fd].file);
  descriptor_close(process, fd);
}

static void close_all(struct process *process, bool only_on_exec) {
  for (unsigned fd = 0; fd < process->descriptors; fd++)
    if (file_of(process, fd) && (!only_on_exec || process->descriptor[fd].closes))
      descriptor_close(process, fd);
}

void files_exec(struct process *process) {
  close_all(process, true);
}

void files_close(struct process *process) {
  close_all(process, false);
  free(process->descriptor);
  process->descriptor = NULL;
  process->descriptors = 0;
  if (process->directory)
    inode_release(process->directory);
  process->directory = NULL;
}

/* The child's table has room for what there is, not for the most that the parent ever had. */
bool files_inherit(const struct process *parent, struct process *child, bool all) {
  unsigned descriptors = parent->descriptors;
  while (descriptors && !parent->descriptor[descriptors - 1].file)
    descriptors--;
  if (!table_grow(child, descriptors))
    return false;
  for (unsigned fd = 0; fd < descriptors; fd++) {
    const struct descriptor *from = &parent->descriptor[fd];
    if (!from->file || (from->closes && !all))
      continue;
    child->descriptor[fd] = *from;
    from->file->users++;
  }
  child->mask = parent->mask;
  child->directory = parent->directory;
  inode_use(child->directory);
  return true;
}

/* ---- The tree at the start: the boot image's files, and the devices ------------------------------------------------------ */
static int read_nothing(struct request *q, struct q_reply *r) {
  (void)q;
  r->word[0] = 0;
  return 0;
}

static int write_nothing(struct request *q, struct q_reply *r) {
  r->word[0] = q->m.read_bytes;
  return 0;
}

/* A long transfer is done in turns with others'. */
#define TURN (64 * TREE_PAGE)

static bool turn_over(const struct request *q, uint64_t began) {
  return q->progress - began >= TURN;
}

static int read_zeros(struct request *q, struct q_reply *r) {
  static const char zeros[TREE_PAGE];
  for (uint64_t began = q->progress; q->progress < q->m.write_bytes; q->progress += TREE_PAGE) {
    if (turn_over(q, began))
      return wait_in(q, &turn_queue);
    uint64_t left = q->m.write_bytes - q->progress;
    int error = store_at(q, q->progress, zeros, left < TREE_PAGE ? left : TREE_PAGE);
    if (error)
      return error;
  }
  r->word[0] = q->m.write_bytes;
  return 0;
}

static const struct device null_device = {read_nothing, write_nothing}, zero_device = {read_zeros, write_nothing};

static struct inode *make(struct inode *directory, const char *name, enum inode_type type, unsigned mode) {
  struct inode *inode = NULL;
  struct place place = {.directory = directory};
  if (strlen(name) >= sizeof place.name)
    return NULL;
  strcpy(place.name, name);
  tree_make(&place, type, mode, &inode);
  return inode;
}

static bool make_device(struct inode *directory, const char *name, const struct device *device) {
  struct inode *inode = make(directory, name, INODE_DEVICE, 0666);
  if (inode)
    inode->device = device;
  return inode != NULL;
}

/* The directories of a path that are not there are made. */
static struct inode *make_parents(const char *path, char name[TREE_NAME_MAX + 1]) {
  struct inode *at = tree_root();
  for (const char *slash; at && (slash = strchr(path, '/')); path = slash + 1) {
    size_t length = (size_t)(slash - path);
    if (!length || length > TREE_NAME_MAX)
      continue;
    memcpy(name, path, length);
    name[length] = 0;
    struct entry *entry = tree_entry(at, name);
    at = entry ? entry->inode : make(at, name, INODE_DIRECTORY, 0755);
  }
  if (!at || at->type != INODE_DIRECTORY || strlen(path) > TREE_NAME_MAX)
    return NULL;
  strcpy(name, path);
  return at;
}

/* A name without a directory is a program of /bin. */
static bool unpack(const struct cpio_file *file) {
  char path[TREE_PATH_MAX], name[TREE_NAME_MAX + 1];
  bool program = !strchr(file->name, '/');
  if (strlen(file->name) + 5 > sizeof path)
    return false;
  strcpy(path, program ? "bin/" : "");
  strcat(path, file->name);
  struct inode *directory = make_parents(path, name);
  bool is_directory = (file->mode & S_IFMT) == S_IFDIR;
  struct inode *inode =
      directory ? make(directory, name, is_directory ? INODE_DIRECTORY : INODE_FILE, file->mode & 0777) : NULL;
  if (!inode || is_directory)
    return inode != NULL;
  inode->image = file->data;
  inode->image_bytes = inode->size = file->bytes;
  inode->program = program ? file->name : NULL;
  return true;
}

static bool unpack_all(void) {
  struct q_call c = {.label = P_initrd};
  struct cpio_file file;
  size_t offset = 0;
  if (q_call(P_HANDLE_PAGER, &c) < 0 || c.label)
    return false;
  while (!cpio_next((const void *)c.word[0], c.word[1], &offset, &file) && file.name)
    if (strcmp(file.name, "pager") && !unpack(&file)) /* whose memory is in use again */
      return false;
  return true;
}

static bool open_console(struct process *first, struct inode *devices) {
  const struct entry *console = tree_entry(devices, "console");
  struct file *file = file_new(console->inode, NULL, O_RDWR);
  uint64_t fd = 0;
  if (!file)
    return false;
  while (fd < 2)
    if (descriptor_give(first, file, 0, false, &fd))
      return false;
  file->users = 3;
  return true;
}

bool files_start(struct process *first) {
  struct inode *root = tree_root(), *devices = root ? make(root, "dev", INODE_DIRECTORY, 0755) : NULL;
  if (!devices || !make_device(devices, "console", &console_device) || !make_device(devices, "null", &null_device) ||
      !make_device(devices, "zero", &zero_device) || !make(root, "tmp", INODE_DIRECTORY, 0777) ||
      !make(root, "bin", INODE_DIRECTORY, 0755) || !unpack_all() || !open_console(first, devices))
    return false;
  first->directory = root;
  inode_use(root);
  return true;
}

/* ---- Reading and writing: of pipes and devices, too, which need not save registers for what files do -------------------- */
/* Where the request begins, or goes on: at the file's own offset, or its end, as they are by now. Others may have moved them
 * while it was kept, and nobody's bytes are to lie over another's. */
static void find_base(struct request *q, const struct file *file, bool append) {
  if (q->m.word[1] != POSIX_HERE)
    q->base = q->m.word[1];
  else
    q->base = (append ? file->inode->size : file->offset) - q->progress;
}

static void advance(struct request *q, struct file *file, uint64_t bytes) {
  q->progress += bytes;
  if (q->m.word[1] == POSIX_HERE)
    file->offset = q->base + q->progress;
}

static __attribute__((noinline)) int file_read(struct request *q, struct file *file, struct q_reply *r) {
  find_base(q, file, false);
  uint64_t size = file->inode->size, left = q->base < size ? size - q->base : 0;
  uint64_t all = q->m.write_bytes < left ? q->m.write_bytes : left, began = q->progress;
  while (q->progress < all) {
    if (turn_over(q, began))
      return wait_in(q, &turn_queue);
    size_t piece;
    const char *from = inode_bytes(file->inode, q->base + q->progress, &piece);
    piece = piece < all - q->progress ? piece : all - q->progress;
    int error = store_at(q, q->progress, from, piece);
    if (error > 0 && q->progress)
      break;
    if (error)
      return error;
    advance(q, file, piece);
  }
  file->inode->accessed = tree_now();
  r->word[0] = q->progress;
  return 0;
}

/* What was written before memory, the file's limit or the caller's buffer ended stays, and is the result. */
static __attribute__((noinline)) int file_write(struct request *q, struct file *file, struct q_reply *r) {
  find_base(q, file, file->flags & O_APPEND);
  struct inode *inode = file->inode;
  uint64_t began = q->progress;
  while (q->progress < q->m.read_bytes) {
    if (turn_over(q, began))
      return wait_in(q, &turn_queue);
    uint64_t at = q->base + q->progress, piece = TREE_PAGE - at % TREE_PAGE, left = q->m.read_bytes - q->progress;
    piece = piece < left ? piece : left;
    bool fits = at < TREE_FILE_MAX && piece <= TREE_FILE_MAX - at;
    char *page = fits ? inode_page(inode, at) : NULL;
    if (!page && q->progress)
      break;
    if (!page)
      return fits ? ENOSPC : EFBIG;
    int error = load(q, q->progress, page + at % TREE_PAGE, piece);
    if (error) { /* what came of it is not the file's */
      inode_clear_rest(inode, at);
      if (error > 0 && q->progress)
        break;
      return error;
    }
    advance(q, file, piece);
    inode->size = inode->size > at + piece ? inode->size : at + piece;
  }
  r->word[0] = q->progress;
  return 0;
}

static struct file *file_had(const struct request *q) {
  return q->file ? q->file : file_of(q->caller, q->m.word[0]);
}

int do_read(struct request *q, struct q_reply *r) {
  struct file *file = file_had(q);
  if (!file || !file_reads(file))
    return EBADF;
  if (file->pipe)
    return q->m.word[1] != POSIX_HERE ? ESPIPE : pipe_read(q, file->pipe, !(file->flags & O_NONBLOCK), r);
  if (file->inode->type == INODE_DIRECTORY)
    return EISDIR;
  if (file->inode->type == INODE_DEVICE)
    return ((const struct device *)file->inode->device)->read(q, r);
  return file_read(q, file, r);
}

int do_write(struct request *q, struct q_reply *r) {
  struct file *file = file_had(q);
  if (!file || !file_writes(file))
    return EBADF;
  if (file->pipe)
    return q->m.word[1] != POSIX_HERE ? ESPIPE : pipe_write(q, file->pipe, !(file->flags & O_NONBLOCK), r);
  if (file->inode->type == INODE_DEVICE)
    return ((const struct device *)file->inode->device)->write(q, r);
  return file_write(q, file, r);
}

int do_seek(struct request *q, struct q_reply *r) {
  struct file *file = file_of(q->caller, q->m.word[0]);
  int64_t by = (int64_t)q->m.word[1], from;
  if (!file)
    return EBADF;
  if (file->pipe || file->inode->type == INODE_DEVICE)
    return ESPIPE;
  if (q->m.word[2] > SEEK_END)
    return EINVAL;
  from = q->m.word[2] == SEEK_SET ? 0 : q->m.word[2] == SEEK_CUR ? (int64_t)file->offset : (int64_t)file->inode->size;
  if (by > (int64_t)TREE_FILE_MAX - from || by < -from)
    return EINVAL;
  r->word[0] = file->offset = (uint64_t)(from + by);
  return 0;
}

/* ---- Descriptors ------------------------------------------------------------------------------------------------------ */
int do_close(struct request *q, struct q_reply *r) {
  (void)r;
  if (!file_of(q->caller, q->m.word[0]))
    return EBADF;
  descriptor_end(q->caller, q->m.word[0]);
  return 0;
}

int do_dup(struct request *q, struct q_reply *r) {
  struct file *file = file_of(q->caller, q->m.word[0]);
  uint64_t to = q->m.word[1];
  bool exact = q->m.word[2] & POSIX_DUP_EXACT;
  if (!file || (exact && to >= POSIX_DESCRIPTORS))
    return EBADF;
  if (to >= POSIX_DESCRIPTORS)
    return EINVAL;
  r->word[0] = to;
  if (exact && to == q->m.word[0])
    return 0;
  if (exact && !table_grow(q->caller, to + 1))
    return ENOMEM;
  if (exact && file_of(q->caller, to))
    descriptor_end(q->caller, to);
  int error = descriptor_give(q->caller, file, to, q->m.word[2] & POSIX_DUP_CLOSE, &r->word[0]);
  file->users += !error;
  return error;
}

int do_pipe(struct request *q, struct q_reply *r) {
  struct pipe *pipe = pipe_new();
  struct file *reader = pipe ? file_new(NULL, pipe, O_RDONLY) : NULL;
  struct file *writer = reader ? file_new(NULL, pipe, O_WRONLY) : NULL;
  if (!writer) {
    free(reader);
    free(pipe);
    return ENOMEM;
  }
  int error = descriptor_give(q->caller, reader, 0, false, &r->word[0]);
  if (!error && (error = descriptor_give(q->caller, writer, 0, false, &r->word[1])))
    q->caller->descriptor[r->word[0]].file = NULL;
  if (!error)
    return 0;
  file_release(reader);
  file_release(writer);
  return error;
}

int do_control(struct request *q, struct q_reply *r) {
  struct descriptor *descriptor = descriptor_of(q->caller, q->m.word[0]);
  struct file *file = descriptor ? descriptor->file : NULL;
  const unsigned changeable = O_APPEND | O_NONBLOCK;
  if (!file)
    return EBADF;
  switch (q->m.word[1]) {
  case F_GETFD:
    r->word[0] = descriptor->closes ? FD_CLOEXEC : 0;
    return 0;
  case F_SETFD:
    descriptor->closes = q->m.word[2] & FD_CLOEXEC;
    return 0;
  case F_GETFL:
    r->word[0] = file->flags;
    return 0;
  case F_SETFL:
    file->flags = (file->flags & ~changeable) | ((unsigned)q->m.word[2] & changeable);
    return 0;
  default:
    return EINVAL;
  }
}

/* ---- Paths -------------------------------------------------------------------------------------------------------------- */
/* The caller's path, or two of them, one after the other. */
static int load_paths(struct request *q, char *text, unsigned count, const char **second) {
  uint64_t bytes = q->m.read_bytes;
  if (!bytes)
    return EINVAL;
  if (bytes > count * TREE_PATH_MAX)
    return ENAMETOOLONG;
  int error = load(q, 0, text, bytes);
  if (error)
    return error;
  uint64_t first = strnlen(text, bytes) + 1;
  if (text[bytes - 1] || (count == 2) != (first < bytes) || (count == 2 && first + strlen(text + first) + 1 != bytes))
    return EINVAL;
  if (second)
    *second = text + first;
  return 0;
}

static int find(struct request *q, struct inode **inode) {
  char path[TREE_PATH_MAX];
  int error = load_paths(q, path, 1, NULL);
  return error ? error : tree_find(q->caller->directory, path, inode);
}

static int find_place(struct request *q, struct place *place) {
  static char path[TREE_PATH_MAX];
  int error = load_paths(q, path, 1, NULL);
  return error ? error : tree_find_place(q->caller->directory, path, place);
}

static int open_inode(struct process *caller, const char *path, unsigned flags, unsigned mode, struct inode **inode) {
  struct place place;
  int error = tree_find(caller->directory, path, inode);
  if (error == ENOENT && flags & O_CREAT) {
    error = tree_find_place(caller->directory, path, &place);
    return error ? error : tree_make(&place, INODE_FILE, mode & 0777 & ~caller->mask, inode);
  }
  if (!error && flags & O_CREAT && flags & O_EXCL)
    return EEXIST;
  return error;
}

static int check_open(const struct inode *inode, unsigned flags) {
  bool directory = inode->type == INODE_DIRECTORY;
  if (directory && ((flags & O_ACCMODE) != O_RDONLY || flags & (O_TRUNC | O_CREAT)))
    return EISDIR;
  return flags & O_DIRECTORY && !directory ? ENOTDIR : 0;
}

static int find_opened(struct process *caller, const char *path, unsigned flags, unsigned mode,
                       struct inode **inode) {
  int error = open_inode(caller, path, flags, mode, inode);
  if (!error)
    error = check_open(*inode, flags);
  return !error && flags & O_TRUNC && (*inode)->type == INODE_FILE ? inode_resize(*inode, 0) : error;
}

/* The descriptor comes first: for want of one, nothing is made or cut. */
int do_open(struct request *q, struct q_reply *r) {
  static char path[TREE_PATH_MAX];
  unsigned flags = (unsigned)q->m.word[0];
  int error = (flags & O_ACCMODE) == O_ACCMODE ? EINVAL : load_paths(q, path, 1, NULL);
  if (error)
    return error;
  struct file *file = file_new(NULL, NULL, flags & (O_ACCMODE | O_APPEND | O_NONBLOCK));
  if (!file)
    return ENOMEM;
  error = descriptor_give(q->caller, file, 0, flags & O_CLOEXEC, &r->word[0]);
  if (!error) {
    error = find_opened(q->caller, path, flags, (unsigned)q->m.word[1], &file->inode);
    if (!error) {
      inode_use(file->inode);
      return 0;
    }
    q->caller->descriptor[r->word[0]].file = NULL;
  }
  free(file);
  return error;
}

static void describe(const struct inode *inode, struct posix_stat *out) {
  static const unsigned kind[] = {S_IFREG, S_IFDIR, S_IFCHR};
  *out = (struct posix_stat){.size = inode->size,
                             .number = inode->number,
                             .mode = kind[inode->type] | inode->mode,
                             .links = inode->links,
                             .terminal = inode->device == &console_device,
                             .accessed = inode->accessed,
                             .modified = inode->modified,
                             .changed = inode->changed};
}

/* What the path names, or without one the descriptor; NULL: a pipe. */
static int find_either(struct request *q, struct inode **inode) {
  if (q->m.read_bytes)
    return find(q, inode);
  struct file *file = file_of(q->caller, q->m.word[0]);
  *inode = file ? file->inode : NULL;
  return file ? 0 : EBADF;
}

int do_stat(struct request *q, struct q_reply *r) {
  (void)r;
  struct posix_stat out = {.mode = S_IFIFO | 0600};
  struct inode *inode;
  int error = find_either(q, &inode);
  if (error)
    return error;
  if (inode)
    describe(inode, &out);
  return store(q, &out, sizeof out);
}

int do_chmod(struct request *q, struct q_reply *r) {
  (void)r;
  struct inode *inode;
  int error = find_either(q, &inode);
  if (!error && inode)
    inode->mode = (unsigned)q->m.word[1] & 0777, inode->changed = tree_now();
  return error;
}

static void set_time(int64_t *time, int64_t wanted, int64_t now) {
  if (wanted != POSIX_TIME_KEPT)
    *time = wanted == POSIX_TIME_NOW ? now : wanted;
}

int do_times(struct request *q, struct q_reply *r) {
  (void)r;
  struct inode *inode;
  int error = find_either(q, &inode);
  if (error || !inode)
    return error;
  inode->changed = tree_now();
  set_time(&inode->accessed, (int64_t)q->m.word[1], inode->changed);
  set_time(&inode->modified, (int64_t)q->m.word[2], inode->changed);
  return 0;
}

int do_umask(struct request *q, struct q_reply *r) {
  r->word[0] = q->caller->mask;
  q->caller->mask = (unsigned)q->m.word[0] & 0777;
  return 0;
}

int do_truncate(struct request *q, struct q_reply *r) {
  (void)r;
  struct file *file = file_of(q->caller, q->m.word[0]);
  if (!file || !file_writes(file))
    return EBADF;
  if ((int64_t)q->m.word[1] < 0 || !file->inode)
    return EINVAL;
  return inode_resize(file->inode, q->m.word[1]);
}

int do_unlink(struct request *q, struct q_reply *r) {
  (void)r;
  struct place place;
  int error = find_place(q, &place);
  return error ? error : tree_unlink(&place);
}

int do_rmdir(struct request *q, struct q_reply *r) {
  (void)r;
  struct place place;
  int error = find_place(q, &place);
  return error ? error : tree_rmdir(&place);
}

int do_mkdir(struct request *q, struct q_reply *r) {
  (void)r;
  struct inode *made;
  struct place place;
  int error = find_place(q, &place);
  return error ? error : tree_make(&place, INODE_DIRECTORY, (unsigned)q->m.word[0] & 0777 & ~q->caller->mask, &made);
}

int do_link(struct request *q, struct q_reply *r) {
  static char text[2 * TREE_PATH_MAX];
  (void)r;
  const char *to;
  struct inode *inode;
  struct place place;
  int error = load_paths(q, text, 2, &to);
  if (!error)
    error = tree_find(q->caller->directory, text, &inode);
  if (!error)
    error = tree_find_place(q->caller->directory, to, &place);
  return error ? error : tree_link(&place, inode);
}

int do_rename(struct request *q, struct q_reply *r) {
  static char text[2 * TREE_PATH_MAX];
  (void)r;
  const char *to;
  struct place from_place, to_place;
  int error = load_paths(q, text, 2, &to);
  if (!error)
    error = tree_find_place(q->caller->directory, text, &from_place);
  if (!error)
    error = tree_find_place(q->caller->directory, to, &to_place);
  return error ? error : tree_rename(&from_place, &to_place);
}

int do_chdir(struct request *q, struct q_reply *r) {
  (void)r;
  struct inode *directory;
  int error = find_either(q, &directory);
  if (!error && (!directory || directory->type != INODE_DIRECTORY))
    error = ENOTDIR;
  if (error)
    return error;
  inode_use(directory);
  inode_release(q->caller->directory);
  q->caller->directory = directory;
  return 0;
}

int do_getcwd(struct request *q, struct q_reply *r) {
  char path[TREE_PATH_MAX];
  (void)r;
  int error = q->m.write_bytes ? tree_path(q->caller->directory, path, sizeof path) : EINVAL;
  if (!error && strlen(path) >= q->m.write_bytes)
    error = ERANGE;
  return error ? error : store(q, path, strlen(path) + 1);
}

/* ---- Directories ---------------------------------------------------------------------------------------------------------- */
static void fill_entry(struct posix_entry *out, const char *name, const struct inode *inode, uint64_t next) {
  *out = (struct posix_entry){.number = inode->number, .next = next, .type = inode->type};
  strcpy(out->name, name);
}

/* The offset of a directory: 0 and 1 are `.` and `..`; then the numbers of entries, which only grow. */
static bool next_entry(struct inode *directory, uint64_t offset, struct posix_entry *out) {
  struct inode *parent = directory->parent ? directory->parent : directory;
  if (offset < 2) {
    fill_entry(out, offset ? ".." : ".", offset ? parent : directory, offset + 1);
    return true;
  }
  const struct entry *entry = tree_next(directory, offset - 1);
  if (entry)
    fill_entry(out, entry->name, entry->inode, entry->number + 2);
  return entry;
}

int do_entry(struct request *q, struct q_reply *r) {
  struct file *file = file_of(q->caller, q->m.word[0]);
  struct posix_entry out;
  if (!file)
    return EBADF;
  if (!file->inode || file->inode->type != INODE_DIRECTORY)
    return ENOTDIR;
  if (!next_entry(file->inode, file->offset, &out))
    return 0;
  int error = store(q, &out, sizeof out);
  if (error)
    return error;
  file->offset = out.next;
  file->inode->accessed = tree_now();
  r->word[0] = 1;
  return 0;
}
