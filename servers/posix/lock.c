/* SPDX-License-Identifier: BSD-2-Clause */
/* Advisory locks on files: those of fcntl (POSIX.1-2017), which a process has, and of flock (4.2BSD), which an open file has. The
 * two do not know each other. */
#include <errno.h>
#include <stdlib.h>

#include "file.h"

#define LOCKS_MAX 8192 /* of all files together */

struct lock {
  struct lock *next; /* of its file */
  const void *owner; /* the process, or the open file */
  uint64_t start, end;
  bool of_file, alone;
};

/* What a request asks for. */
struct wish {
  struct inode *inode;
  struct lock lock;
};

static struct link lock_queue = LIST_HEAD(lock_queue);
static unsigned locks;

static struct lock *lock_new(void) {
  struct lock *lock = locks < LOCKS_MAX ? malloc(sizeof *lock) : NULL;
  locks += lock != NULL;
  return lock;
}

static void lock_free(struct lock *lock) {
  locks -= lock != NULL;
  free(lock);
}

static bool overlaps(const struct lock *a, const struct lock *b) {
  return a->start <= b->end && b->start <= a->end && a->of_file == b->of_file;
}

static const struct lock *conflict(const struct wish *w) {
  const struct lock *lock = w->inode->locks;
  while (lock && (lock->owner == w->lock.owner || !overlaps(lock, &w->lock) || !(lock->alone || w->lock.alone)))
    lock = lock->next;
  return lock;
}

/* Whether the wish lies within one that its owner has. */
static bool divides(const struct wish *w) {
  for (const struct lock *lock = w->inode->locks; lock; lock = lock->next)
    if (lock->owner == w->lock.owner && overlaps(lock, &w->lock) && lock->start < w->lock.start &&
        lock->end > w->lock.end)
      return true;
  return false;
}

/* What the owner has of that range. One that is cut in two needs the spare. */
static void cut(struct wish *w, struct lock **spare) {
  struct lock *wish = &w->lock, *lock;
  for (struct lock **place = &w->inode->locks; (lock = *place);) {
    if (lock->owner != wish->owner || !overlaps(lock, wish)) {
      place = &lock->next;
      continue;
    }
    if (lock->start < wish->start && lock->end > wish->end) {
      **spare = *lock;
      (*spare)->start = wish->end + 1;
      lock->next = *spare;
      *spare = NULL;
      lock->end = wish->start - 1;
    } else if (lock->start < wish->start)
      lock->end = wish->start - 1;
    else if (lock->end > wish->end)
      lock->start = wish->end + 1;
    else {
      *place = lock->next;
      lock_free(lock);
    }
  }
}

static int set(struct wish *w, bool only_cut) {
  bool divide = divides(w);
  struct lock *made = only_cut ? NULL : lock_new(), *spare = divide ? lock_new() : NULL;
  int error = (made || only_cut) && (spare || !divide) ? 0 : ENOLCK;
  if (!error)
    cut(w, &spare);
  if (!error && made) {
    *made = w->lock;
    made->next = w->inode->locks;
    w->inode->locks = made;
    made = NULL;
  }
  lock_free(made);
  lock_free(spare);
  requests_wake(&lock_queue);
  return error;
}

void locks_drop(struct inode *inode, const void *owner) {
  for (struct lock **place = &inode->locks, *lock; (lock = *place);)
    if (lock->owner == owner) {
      *place = lock->next;
      lock_free(lock);
    } else
      place = &lock->next;
  requests_wake(&lock_queue);
}

/* ---- Requests ---------------------------------------------------------------------------------------------------------------- */
static int read_wish(const struct request *q, struct wish *w) {
  struct file *file = file_of(q->caller, q->m.word[0]);
  uint64_t how = q->m.word[1];
  bool of_file = how & POSIX_LOCK_FILE, alone = how & POSIX_LOCK_ALONE;
  if (!file)
    return EBADF;
  if (!file->inode || q->m.word[2] > q->m.word[3] || how > POSIX_LOCK_ALL)
    return EINVAL;
  if (!of_file && !(how & (POSIX_LOCK_ASK | POSIX_LOCK_NONE)) && !(alone ? file_writes(file) : file_reads(file)))
    return EBADF;
  const void *owner = of_file ? (const void *)file : q->caller;
  *w = (struct wish){file->inode, {NULL, owner, q->m.word[2], q->m.word[3], of_file, alone}};
  return 0;
}

/* Whether he waits, perhaps by way of others, for a lock that the other one has. */
static bool waits_for(const void *who, const void *whom, unsigned depth) {
  for (struct link *link = lock_queue.next; link != &lock_queue && depth; link = link->next) {
    const struct request *q = LIST_ITEM(link, struct request, queued);
    struct wish w;
    if (q->caller != who || read_wish(q, &w) || w.lock.of_file)
      continue;
    const struct lock *lock = conflict(&w);
    if (lock && (lock->owner == whom || waits_for(lock->owner, whom, depth - 1)))
      return true;
  }
  return false;
}

#define CHAIN 16 /* processes, each of which waits for the next, that are seen as a deadlock */

static int wait_for(struct request *q, const struct wish *w, const struct lock *lock) {
  if (!(q->m.word[1] & POSIX_LOCK_WAIT))
    return EAGAIN;
  if (!w->lock.of_file && waits_for(lock->owner, w->lock.owner, CHAIN))
    return EDEADLK;
  return interrupted(q->caller) ? EINTR : wait_in(q, &lock_queue);
}

static void describe(const struct lock *lock, struct q_reply *r) {
  r->word[0] = !lock ? POSIX_LOCK_NONE : lock->alone ? POSIX_LOCK_ALONE : 0;
  if (!lock)
    return;
  r->word[1] = lock->start;
  r->word[2] = lock->end;
  r->word[3] = ((const struct process *)lock->owner)->pid;
}

int do_lock(struct request *q, struct q_reply *r) {
  struct wish w;
  int error = read_wish(q, &w);
  if (error)
    return error;
  if (w.lock.of_file)
    locks_drop(w.inode, w.lock.owner); /* a change of mind gives up what it had */
  if (q->m.word[1] & POSIX_LOCK_NONE)
    return w.lock.of_file ? 0 : set(&w, true);
  const struct lock *other = conflict(&w);
  if (q->m.word[1] & POSIX_LOCK_ASK) {
    describe(other, r);
    return 0;
  }
  return other ? wait_for(q, &w, other) : set(&w, false);
}
