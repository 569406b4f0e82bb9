/* SPDX-License-Identifier: BSD-2-Clause */
/* Which thread runs: eight priorities, round robin within one, sleepers in a leftist heap (Crane 1972) by deadline. The
 * timer is armed only when somebody else could run or somebody sleeps. Floating-point registers are switched lazily: a
 * thread that does not own them has sstatus.FS off and traps at its first such instruction.
 *
 * A thread gets a new slice only by coming to the head of its queue from behind, so that nobody gets two in one round.
 * Whoever is put before the others has just what was left of its own. A message hands the slice on with the processor:
 * a server or pager that works for a thread uses up that thread's. */
#include "kernel.h"
#include "vm.h"

#define SLICE_PER_SECOND 100

/* A thread that a reply wakes goes on at once, on the slice that runs, unless one above it is ready: `rivals` is
 * ready_mask for that one test (receive(), ipc.c). Each bit below slice_class stands in it once more, one higher, where
 * it also stops a thread of that same priority: a slice that was given to a server is none for its clients to go on
 * with while others of their priority wait, and one that is used up is for nobody. */
static bool is_idle(const struct hart *hart) {
  return hart->current == &hart->idle;
}

static void count_rivals(struct hart *hart) {
  unsigned mask = hart->ready_mask, below = mask & ((1u << hart->slice_class) - 1);
  hart->rivals = (uint16_t)((mask | below << 1) >> 1);
}

static void ready_at(struct thread *thread, bool front) {
  struct hart *hart = thread->hart;
  unsigned p = thread->priority;
  bool alone = !hart->ready_mask;
  ASSERT(!thread->link.list);
  if (__builtin_expect(thread->evicted, 0)) {
    thread->state = THREAD_NEW;
    return;
  }
  thread->state = THREAD_READY;
  list_add(&hart->ready[p], &thread->link, front);
  hart->ready_mask |= 1u << p;
  if (thread == current)
    return; /* schedule() is next, and reckons anew */
  count_rivals(hart);
  bool higher = p > hart->current->priority || is_idle(hart);
  if (higher)
    hart->resched |= RESCHED_HIGHER;
  if (hart == this_hart())
    timer_arm(hart);
  else if (higher || alone ||
           hart->slice_class == SLICE_OVER) /* then its timer need not be armed for those that wait there */
    hart_kick(hart);                        /* which arms its own timer */
}

/* It has nothing to do. One that has been kicked has: it was told of somebody, or looks for one that waits elsewhere. */
static bool is_free(const struct hart *hart) {
  return hart->online && is_idle(hart) && !hart->ready_mask && !hart->kicked;
}

/* Another hart that is free; NULL: there is none. */
static struct hart *free_hart(void) {
  EACH_HART (hart)
    if (is_free(hart))
      return hart;
  return NULL;
}

/* A server goes on where whoever wakes it is: its caller waits now, and what they share is in that hart's caches. A program
 * goes on where it was, unless that hart has somebody and another has not; a server or pager that has worked for it there is
 * nobody, since it will wait soon: if not by the end of the slice, an idle hart is told then (timer_interrupt()). */
static void place(struct thread *thread) {
  struct hart *here = this_hart(), *to = here;
  if (thread == current || !thread_movable(thread))
    return;
  if (thread->priority < Q_PRIORITY_SERVER) {
    to = thread->hart;
    bool stays = to == here && current->priority > thread->priority && here->slice_class != SLICE_OVER;
    if (!is_free(to) && !(stays && !to->ready_mask))
      to = free_hart();
  }
  if (to)
    thread_move(thread, to);
}

void thread_ready(struct thread *thread) {
  thread->slice = 0;
  if (this_hart()->others)
    place(thread);
  ready_at(thread, false);
}

void thread_continue(struct thread *thread) {
  if (this_hart()->others)
    place(thread);
  ready_at(thread, thread->slice);
}

void thread_unready(struct thread *thread) {
  struct hart *hart = thread->hart;
  unsigned p = thread->priority;
  if (!thread->link.list)
    return;
  list_remove(&thread->link);
  if (!hart->ready[p].head)
    hart->ready_mask &= ~(1u << p);
  count_rivals(hart);
}

void slice_keep(struct thread *thread) {
  uint64_t now = csr_read(time), end = this_hart()->slice_end;
  thread->slice = now < end ? end - now : 0;
}

/* ---- Sleepers ---------------------------------------------------------------------------------------------------- */
static unsigned rank(const struct thread *thread) {
  return thread ? thread->rank : 0;
}

/* Gives the node's higher child the left and the node its rank; false: that it had already. */
static bool repair(struct thread *node) {
  struct thread *left = node->left;
  if (rank(left) < rank(node->right)) {
    node->left = node->right;
    node->right = left;
  }
  uint8_t before = node->rank;
  node->rank = (uint8_t)(rank(node->right) + 1);
  return node->rank != before;
}

/* Merging walks the two right spines, each at most as long as the logarithm of its heap. */
static struct thread *merge(struct thread *a, struct thread *b) {
  if (!a || !b)
    return a ? a : b;
  if (b->deadline < a->deadline)
    return merge(b, a);
  a->right = merge(a->right, b);
  a->right->parent = a;
  repair(a);
  return a;
}

void sleep_until(struct thread *thread, uint64_t deadline) {
  struct hart *hart = this_hart();
  ASSERT(!thread->link.list);
  thread->state = THREAD_SLEEP;
  thread->deadline = deadline;
  thread->left = thread->right = thread->parent = NULL;
  thread->rank = 1;
  hart->sleepers = merge(hart->sleepers, thread);
  hart->sleepers->parent = NULL;
  timer_arm(hart);
}

/* Ranks above the removed place may now be too high, which costs balance and never order: the spine that merging walks
 * is still short, since every rank up to the root is repaired until one stands unchanged. */
void sleep_cancel(struct thread *thread) {
  ASSERT(thread->state == THREAD_SLEEP && thread->hart->sleepers);
  struct thread *rest = merge(thread->left, thread->right), *parent = thread->parent;
  struct thread **place = !parent ? &thread->hart->sleepers : parent->left == thread ? &parent->left : &parent->right;
  *place = rest;
  if (rest)
    rest->parent = parent;
  while (parent && repair(parent))
    parent = parent->parent;
  thread->state = THREAD_READY;
}

/* ---- Timer ------------------------------------------------------------------------------------------------------- */
/* Sets the timer to the next thing to do: the end of the slice if another thread is ready, a sleeper, the deadline. The
 * end of a slice that is over already is news only to one whose equals wait. */
void timer_arm(struct hart *hart) {
  uint64_t next = kernel.deadline ? kernel.deadline : ~0ul;
  if (hart->ready_mask >> (hart->slice_class == SLICE_OVER ? current->priority : 0))
    next = MIN(next, hart->slice_end);
  if (hart->sleepers)
    next = MIN(next, hart->sleepers->deadline);
  if (next == hart->timer)
    return;
  hart->timer = next;
  if (kernel.sstc)
    csr_write(0x14d, next); /* stimecmp */
  else
    sbi_call(SBI_TIME, 0, next, 0, 0, 0, 0);
}

void timer_interrupt(void) {
  struct hart *hart = this_hart();
  uint64_t now = csr_read(time);
  hart->timer = 0;
  if (kernel.deadline && now >= kernel.deadline) {
    print("quire: deadline: the machine's time is up\n");
    machine_off(true);
  }
  for (unsigned budget = 16; budget && hart->sleepers && hart->sleepers->deadline <= now; budget--) {
    struct thread *thread = hart->sleepers;
    sleep_cancel(thread);
    thread_result(thread, 0, 0);
    thread_ready(thread);
  }
  if (now >= hart->slice_end) {
    hart->slice_class = SLICE_OVER; /* which outlasts the work of a server or pager that runs just now */
    count_rivals(hart);
    if (hart->ready_mask >> current->priority && current != &hart->idle)
      hart->resched |= RESCHED_SLICE;
    struct hart *other = hart->ready_mask && hart->others ? free_hart() : NULL;
    if (other)
      hart_kick(other); /* to take one from here */
  }
  timer_arm(hart);
}

/* ---- Between harts ------------------------------------------------------------------------------------------------- */
void thread_move(struct thread *thread, struct hart *to) {
  struct hart *from = thread->hart;
  if (from == to)
    return;
  ASSERT(thread != current && !thread->link.list && thread->state != THREAD_SLEEP && thread->state != THREAD_RECEIVE);
  if (from->fpu == thread)
    fp_release(from);
  if ((uint64_t)(from->delivered - thread->wait) < 2)
    from->delivered = &nothing_delivered;
  thread->hart = to;
  this_hart()->moves++;
}

bool thread_evict(struct thread *thread) {
  if (thread == current || thread->state == THREAD_NEW)
    return false;
  if (current->evicted) { /* of two that end each other one has to be left to do it */
    this_hart()->resched |= RESCHED_HIGHER;
    return true;
  }
  if (thread->state != THREAD_READY || thread->link.list)
    return false;
  ASSERT(thread->hart->current == thread);
  thread->evicted = true;
  hart_kick(thread->hart);
  return true;
}

void software_interrupt(void) {
  struct hart *hart = this_hart();
  csr_clear(sip, SIE_SOFTWARE);
  hart->kicked = false;
  if (current->evicted)
    hart->resched |= RESCHED_HIGHER;
  timer_arm(hart);
}

/* The first of these that could go on here. Only one of a hart's threads has its floating-point registers there, so it is the
 * first or the second. */
static struct thread *first_movable(const struct list *queue) {
  struct thread *first = list_first(queue, struct thread, link);
  if (!first || thread_movable(first))
    return first;
  return first->link.next ? container_of(first->link.next, struct thread, link) : NULL;
}

/* One that waits on another hart for its turn: of those that come first there, the one of highest priority. */
static struct thread *thread_steal(void) {
  struct thread *best = NULL;
  EACH_HART (hart)
    for (unsigned p = best ? best->priority + 1u : 0; hart != this_hart() && p < Q_PRIORITIES; p++) {
      struct thread *first = first_movable(&hart->ready[p]);
      best = first ? first : best;
    }
  if (!best)
    return NULL;
  const struct hart *from = best->hart;
  thread_unready(best);
  thread_move(best, this_hart());
  ready_at(best, true);
  struct hart *other = from->ready_mask ? free_hart() : NULL;
  if (other)
    hart_kick(other); /* to take the next */
  return best;
}

/* ---- Choosing ---------------------------------------------------------------------------------------------------- */
/* With idle=poll a short time is waited for by looking: QEMU, which counts instructions, may give a hart that sleeps some of them more than
 * it took (docs/limits.md). */
static void wait_for_interrupt(const struct hart *hart) {
  if (hart->timer - csr_read(time) >= kernel.poll)
    __asm__ volatile("wfi");
  else
    while (!(csr_read(sip) & csr_read(sie)))
      ;
}

/* Nobody can run: waits for an interrupt without a lock, on the kernel's own page table. */
static void idle(struct hart *hart) {
  if (hart->fpu && hart->others)
    fp_release(hart);
  set_current(hart, &hart->idle);
  hart->resched = 0;
  vm_kernel();
  kernel_leave();
  wait_for_interrupt(hart);
  kernel_enter();
  hart->entered = csr_read(instret); /* interrupts were welcome until now */
  uint64_t pending = csr_read(sip);
  if (pending & SIE_SOFTWARE)
    software_interrupt();
  if (pending & SIE_TIMER)
    timer_interrupt();
  if (pending & SIE_EXTERNAL)
    plic_interrupt();
}

static __attribute__((noinline)) void find_work(struct hart *hart) {
  while (!hart->ready_mask && !(hart->others && thread_steal()))
    idle(hart);
}

/* The highest bit of a mask of priorities: this machine has no instruction for it. */
static const uint8_t highest[1 << Q_PRIORITIES] = {[2 ... 3] = 1,    [4 ... 7] = 2,   [8 ... 15] = 3,
                                                   [16 ... 31] = 4,  [32 ... 63] = 5, [64 ... 127] = 6,
                                                   [128 ... 255] = 7};

_Noreturn void schedule(void) {
  struct hart *hart = this_hart();
  if (!hart->ready_mask)
    find_work(hart);
  unsigned p = highest[hart->ready_mask];
  struct thread *thread = list_first(&hart->ready[p], struct thread, link);
  ASSERT(thread->state == THREAD_READY && thread->priority == p);
  hart->resched = 0;
  hart->slice_class = (uint8_t)p;
  thread_unready(thread);
  hart->slice_end = csr_read(time) + (thread->slice ? thread->slice : kernel.timebase / SLICE_PER_SECOND);
  thread->slice = 0; /* it is running now: what will be left of it nobody knows yet */
  timer_arm(hart);
  if (thread != current) {
    if (hart->fpu && hart->others)
      fp_release(hart); /* so that its thread can go on elsewhere */
    kernel.info.switches++;
    thread_switch(thread);
  }
  resume();
}

/* Where it is: whoever comes first here may be done soon, and then it goes on with what it has in the caches. */
_Noreturn void preempt(void) {
  bool over = this_hart()->resched & RESCHED_SLICE;
  slice_keep(current);
  current->slice = over ? 0 : current->slice;
  ready_at(current, current->slice);
  schedule();
}

/* ---- Floating point ---------------------------------------------------------------------------------------------- */
void fp_release(struct hart *hart) {
  ASSERT(hart == this_hart());
  csr_set(sstatus, SSTATUS_FS);
  fp_save(hart->fpu);
  hart->fpu = NULL;
  csr_clear(sstatus, SSTATUS_FS);
}

bool fp_switch(void) {
  struct hart *hart = this_hart();
  if (hart->fpu == current)
    return false;
  csr_set(sstatus, SSTATUS_FS);
  if (hart->fpu)
    fp_save(hart->fpu);
  fp_load(current);
  hart->fpu = current;
  return true;
}

void fp_forget(struct thread *thread) {
  if (thread->hart->fpu == thread)
    thread->hart->fpu = NULL;
}
