/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests that one thread of the server does while others do theirs, on other harts (harts.c). They look at processes, descriptors, files
 * and the tree, which nobody changes meanwhile, and answer if nothing else is needed. What they change is
 *   - the offset of an open file, under `busy`, which nobody waits for: who finds it taken does its request with all locks;
 *   - when a file was last read: a word, which the last to write it decides.
 * Until the answer is certain, nothing has changed but the caller's buffer. */
#include "harts.h"

#include <sys/stat.h>

#include "file.h"

#define MOST (4 * TREE_PAGE) /* of a file, at a time: who wants all locks waits for that */

static bool take_offset(struct file *file) {
  return !__atomic_exchange_n(&file->busy, 1, __ATOMIC_ACQUIRE);
}

static void give_offset(struct file *file) {
  __atomic_store_n(&file->busy, 0, __ATOMIC_RELEASE);
}

static int copy_out(struct request *q, const struct inode *inode, uint64_t at, uint64_t bytes) {
  int error = 0;
  for (uint64_t done = 0; done < bytes && !error;) {
    size_t piece;
    const char *from = inode_bytes(inode, at + done, &piece);
    piece = piece < bytes - done ? piece : bytes - done;
    error = store_at(q, done, from, piece);
    done += piece;
  }
  return error;
}

static int read_from(struct request *q, struct inode *inode, uint64_t at, struct q_reply *r) {
  uint64_t left = at < inode->size ? inode->size - at : 0;
  uint64_t bytes = q->m.write_bytes < left ? q->m.write_bytes : left;
  if (bytes > MOST || copy_out(q, inode, at, bytes))
    return AGAIN;
  __atomic_store_n(&inode->accessed, tree_now(), __ATOMIC_RELAXED);
  r->word[0] = bytes;
  return 0;
}

static int read_file(struct request *q, struct q_reply *r) {
  struct file *file = file_of(q->caller, q->m.word[0]);
  if (!file || !file_reads(file) || file->pipe || file->inode->type != INODE_FILE)
    return AGAIN;
  if (q->m.word[1] != POSIX_HERE)
    return read_from(q, file->inode, q->m.word[1], r);
  if (!take_offset(file))
    return AGAIN;
  int result = read_from(q, file->inode, file->offset, r);
  file->offset += result ? 0 : r->word[0];
  give_offset(file);
  return result;
}

static int seek(struct request *q, struct q_reply *r) {
  struct file *file = file_of(q->caller, q->m.word[0]);
  if (!file || !take_offset(file))
    return AGAIN;
  int result = do_seek(q, r);
  give_offset(file);
  return result;
}

bool done_beside(struct request *q, struct q_reply *r) {
  static int (*const handlers[])(struct request *, struct q_reply *) = {
      [POSIX_read] = read_file, [POSIX_seek] = seek, [POSIX_stat] = do_stat, [POSIX_identity] = do_identity};
  struct process *caller = process_of(q->m.badge);
  if (!caller || q->m.handle)
    return false;
  q->caller = caller;
  *r = (struct q_reply){0};
  int result = handlers[q->m.label](q, r);
  r->label = (uint64_t)result;
  r->token = result < 0 ? 0 : q->m.token;
  return result >= 0;
}
