/* SPDX-License-Identifier: BSD-2-Clause */
/* The three paths that a system call or fault usually takes: a call, or a fault on a page that is not there, to a receiver
 * that waits; and a reply that wakes its caller while the replier waits again, mapping a page for a fault. Whatever is
 * unusual goes to the one path that is always right (syscall.c, ipc.c, vm.c), before anything has been changed; the meson
 * option fast_paths=false leaves these out.
 *
 * What makes them short: a message stays in the registers it came in; trap.S has saved what the other thread must not see,
 * so that these functions have all registers and no stack (meson.build: -fcall-used, -Wstack-usage); and each look-up is a
 * comparison with what the slow path found last (struct last_handle, leaf_tag, struct hart's `delivered`). */
#include "kernel.h"
#include "vm.h"

typedef uint64_t word;
#define UNLIKELY(condition) __builtin_expect(!!(condition), 0)
#define IN(reg, value) register word reg##_ __asm__(#reg) = (value)

/* None of them returns. They are not declared so, since gcc makes no jump of a call that does not. */
void trap_slow(word cause, word a1, uva_t va); /* a1 is of no use */
void syscall_slow(word a0, word a1, word a2, word a3, word a4, word a5, word a6, word a7);
void fast_fault(word cause, word a1, uva_t va, word pc, word sp);
void fast_fault_other(word cause, word a1, uva_t va, word pc, word sp);
void fast_call(word a0, word label, word w0, word w1, word w2, word w3, word a6, word a7);
void fast_reply(word a0, word label, word w0, word w1, word w2, word w3, q_token token, word a7);

#define INLINE static inline __attribute__((always_inline))
#define WHAT(message) ((word)WAIT_HELD | (word)(message) << 8) /* which also says of which slot: object.h */

/* To user mode, with this message: trap.S. */
INLINE _Noreturn void deliver(struct hart *hart, word a0, word a1, word a2, word a3, word a4, word a5, word a6,
                              word a7, word t1, word t2) {
  IN(a0, a0);
  IN(a1, a1);
  IN(a2, a2);
  IN(a3, a3);
  IN(a4, a4);
  IN(a5, a5);
  IN(a6, a6);
  IN(a7, a7);
  IN(t1, t1);
  IN(t2, t2);
  IN(t5, (word)hart);
  __asm__ volatile("j deliver" ::"r"(a0_), "r"(a1_), "r"(a2_), "r"(a3_), "r"(a4_), "r"(a5_), "r"(a6_), "r"(a7_),
                   "r"(t1_), "r"(t2_), "r"(t5_), "r"(current)
                   : "memory");
  __builtin_unreachable();
}

INLINE _Noreturn void resume_alone(struct hart *hart) {
  IN(t5, (word)hart);
  __asm__ volatile("j resume_fast" ::"r"(t5_), "r"(current) : "memory");
  __builtin_unreachable();
}

/* Whether the processor can go from one thread to the other without further ado. */
INLINE bool switches(const struct hart *hart, const struct thread *to) {
  return *hart_own(hart, to->task->good_on) == hart->generation;
}

INLINE void switch_to(struct hart *hart, struct thread *to) {
  csr_write(satp, to->task->satp);
  trace_switch(to->task);
  if (UNLIKELY(hart->fpu)) {
    if (hart->fpu == to)
      csr_set(sstatus, SSTATUS_FS);
    else
      csr_clear(sstatus, SSTATUS_FS);
  }
  to->state = THREAD_READY;
  set_current(hart, to);
}

/* The leaf table of a page that is not in the one its task used last, as with several threads it mostly is not: each has a part
 * of the memory to itself. NULL: the task has one thread, whose next faults are quicker if the general path remembers the
 * table; or it has a window; or there is no such table. */
INLINE pte_t *walk(const struct task *task, uva_t va) {
  if (task->threads == 1 || task->window || va >= Q_USER_TOP)
    return NULL;
  pte_t pte = task->root[va >> 30];
  if (pte & PTE_V)
    pte = ((const pte_t *)pa_to_va(pte_pa(pte)))[va >> 21 & 511];
  return pte & PTE_V ? pa_to_va(pte_pa(pte)) : NULL;
}

/* ---- To a receiver ------------------------------------------------------------------------------------------------- */
/* It waits, so nothing is pending. Whoever sends is blocked then, so nobody above a receiver's priority is ready if nobody is
 * above the sender's. */
INLINE bool receives(const struct hart *hart, const struct thread *receiver) {
  return receiver && receiver->priority >= current->priority && switches(hart, receiver);
}

/* The token. */
INLINE word hold(struct hart *hart, struct wait *wait, struct endpoint *endpoint, struct thread **receiver,
                 word what) {
  word token = wait->token + hart->token_step;
  wait->token = token;
  wait->what = what;
  wait->endpoint = endpoint;
  wait->server = (*receiver)->task;
  hart->delivered = wait;
  *receiver = NULL;
  return token;
}

/* What the message says of a page that is there and must not be written: the frame, and whether it is mapped nowhere else.
 * 0: it is none of a pager's, or may be written. */
INLINE word write_protected(pte_t pte) {
  const struct frame *frame = is_page(pte) && (pte & (PTE_R | PTE_W)) == PTE_R ? frame_of(pte_pa(pte)) : NULL;
  return frame ? pte_pa(pte) | (frame->count == 1 ? Q_FAULT_SOLE : 0) : 0;
}

/* flags: what the message says of the task. */
INLINE _Noreturn void fault_deliver(struct endpoint *endpoint, struct thread **place, word kind, word flags, uva_t va,
                                    word pc, word sp, word there) {
  struct thread *thread = current, *receiver = *place;
  struct hart *hart = thread->hart;
  struct wait *wait = &thread->wait[SLOT_FAULT];
  thread->fault_address = va;
  thread->fault_kind = kind;
  thread->state = THREAD_FAULT;
  word token = hold(hart, wait, endpoint, place, WHAT(Q_MSG_FAULT)), badge = thread->task->badge;
  switch_to(hart, receiver);
  deliver(hart, Q_MSG_FAULT, kind | flags, va, pc, sp, there, token, badge, 0, 0);
}

void fast_fault(word cause, word a1, uva_t va, word pc, word sp) {
  struct task *task = current->task;
  struct hart *hart = current->hart;
  struct endpoint *endpoint = task->plain;
  word above = cause - SCAUSE_LOAD, kind = above >> 1, there = 0;
  _Static_assert(Q_FAULT_READ == 0 && Q_FAULT_WRITE == (SCAUSE_STORE - SCAUSE_LOAD) >> 1, "kind");
  if (UNLIKELY(above & ~2ul))
    return trap_slow(cause, a1, va);
  if (UNLIKELY(va >> 21 != task->leaf_tag))
    return fast_fault_other(cause, a1, va, pc, sp);
  struct thread **place = hart_own(hart, endpoint->receiver);
  if (UNLIKELY(!receives(hart, *place)))
    return fast_fault_other(cause, a1, va, pc, sp);
  pte_t pte = task->leaf[va >> 12 & 511];
  if (UNLIKELY(pte) && (!kind || !(there = write_protected(pte))))
    return trap_slow(cause, a1, va);
  fault_deliver(endpoint, place, kind, 0, va, pc, sp, there);
}

/* The same of a task of several threads, where nothing is mapped. What is there is for the general path: another of them may have
 * been given it this moment, or be about to share it. */
void fast_fault_other(word cause, word a1, uva_t va, word pc, word sp) {
  const struct task *task = current->task;
  struct hart *hart = current->hart;
  struct endpoint *endpoint = task->faults;
  word above = cause - SCAUSE_LOAD;
  const pte_t *leaf = walk(task, va);
  if (!leaf || leaf[va >> 12 & 511] || !endpoint)
    return trap_slow(cause, a1, va);
  struct thread **place = hart_own(hart, endpoint->receiver);
  if (!receives(hart, *place))
    return trap_slow(cause, a1, va);
  fault_deliver(endpoint, place, above >> 1, Q_FAULT_THREADS, va, pc, sp, 0);
}

void fast_call(word a0, word label, word w0, word w1, word w2, word w3, word a6, word a7) {
  struct thread *client = current;
  struct task *task = client->task;
  struct hart *hart = client->hart;
  struct endpoint *endpoint = task->called.endpoint;
  word *x = client->x;
  if (UNLIKELY(a0 != task->called.value || label >> 16 | x[REG_T0]))
    return syscall_slow(a0, label, w0, w1, w2, w3, a6, a7);
  struct thread **place = hart_own(hart, endpoint->receiver), *receiver = *place;
  if (UNLIKELY(!receives(hart, receiver)))
    return syscall_slow(a0, label, w0, w1, w2, w3, a6, a7);
  struct wait *wait = &client->wait[SLOT_CALL];
  x[REG_A1] = label, x[REG_A2] = w0, x[REG_A3] = w1, x[REG_A4] = w2, x[REG_A5] = w3; /* it may be delivered again */
  word badge = wait->badge = task->called.badge;
  client->state = THREAD_CALL;
  word token = hold(hart, wait, endpoint, place, WHAT(Q_MSG_CALL));
  word readable = x[REG_T2], writable = x[REG_T4];
  switch_to(hart, receiver);
  deliver(hart, Q_MSG_CALL, label, w0, w1, w2, w3, token, badge, readable, writable);
}

/* ---- The answer ---------------------------------------------------------------------------------------------------- */
/* The replier is to wait where it did last, nothing is pending there, and nobody comes before the thread it wakes. */
INLINE bool waits_again(const struct hart *hart, const struct endpoint *endpoint, struct thread *const *place,
                        const struct thread *wake) {
  return !endpoint->attention && !*place && !(hart->rivals >> wake->priority) && switches(hart, wake);
}

INLINE void wait_again(struct wait *wait, struct endpoint *endpoint, struct thread **place) {
  wait->state = WAIT_NONE;
  current->state = THREAD_RECEIVE;
  current->receives = endpoint;
  *place = current;
}

/* If it is still as it was; what was written before is there before this is. It may fail without a reason. */
INLINE bool change(uint64_t *at, word from, word to) {
  __asm__ goto("lr.d t6, (%0)\n bne t6, %1, %l[other]\n sc.d.rl t6, %2, (%0)\n bnez t6, %l[other]"
               :
               : "r"(at), "r"(from), "r"(to)
               : "t6", "memory"
               : other);
  return true;
other:
  return false;
}

/* A mapping less of the frame, which is to keep another if it is shared, and none if not. Others may be counting theirs at this
 * moment. */
INLINE bool count_down(struct frame *frame, word shared) {
  for (;;) {
    struct frame now = {.word = *(volatile word *)&frame->word}, less = now;
    bool kept = --less.count;
    if (kept != !!shared)
      return false;
    if (!kept)
      less.flags &= FRAME_BUSY;
    if (change(&frame->word, now.word, less.word))
      return true;
  }
}

/* A page that was shared gets a frame of its own, or may be written now that nobody else has it. Its task runs on no other
 * hart, so the entry stays as it is until it is changed. false: it is not that. */
INLINE bool replace_frame(const struct hart *hart, const struct task *task, pte_t old, struct frame *frame,
                          word expected, word after) {
  struct frame *before = is_page(old) ? frame_of(pte_pa(old)) : NULL;
  word now = frame->word, least = task->pager->fresh + (before == frame); /* it is mapped here alone, or nowhere */
  if (!before || (expected & ~3ul) != pte_pa(old) || (now & ~((word)FRAME_WRITABLE << 56)) != least ||
      task->harts != hart->bit || !change(&frame->word, now, after))
    return false;
  word shared = expected & Q_EXPECT_SHARED;
  if (before == frame ? !shared : count_down(before, shared))
    return true;
  frame->word = now;
  return false;
}

/* One page of plain memory, and no more, where the fault was, of a frame that is mapped nowhere. false: it is something else. Another
 * thread of the task may get this very page on another hart, and another pager thread may map this very frame: each has to
 * find the one as it was, and then the other. */
INLINE bool map_page(const struct hart *hart, const struct thread *thread, uva_t va, word frame_prot, word more,
                     word expected) {
  struct task *task = thread->task;
  word prot = frame_prot % Q_PAGE_SIZE, write = prot & Q_PROT_WRITE, fresh = task->pager->fresh;
  word number = (frame_prot - hart->ram_base) >> Q_PAGE_SHIFT; /* prot is of no weight there */
  struct frame *frame = &hart->frames[number], *table = task->leaf_frame;
  pte_t *leaf = task->leaf;
  if (UNLIKELY(va >> 21 != task->leaf_tag)) {
    if (!(leaf = walk(task, va)))
      return false;
    table = &hart->frames[(va_to_pa(leaf) - hart->ram_base) >> Q_PAGE_SHIFT];
  }
  if (UNLIKELY(va != thread->fault_address >> Q_PAGE_SHIFT << Q_PAGE_SHIFT || more ||
               (prot | Q_PROT_WRITE) != (Q_PROT_READ | Q_PROT_WRITE) || number >= hart->frame_count))
    return false;
  word after = fresh + 1 + (write << 55);
  _Static_assert(FRAME_WRITABLE == 1 && offsetof(struct frame, flags) == 7 && Q_PROT_WRITE == 2, "write << 55");
  pte_t dirty = thread->fault_kind & write >> 1 ? PTE_D : 0;
  _Static_assert(Q_FAULT_WRITE == Q_PROT_WRITE >> 1 && PTE_R == Q_PROT_READ << 1, "bits");
  pte_t pte = (frame_prot >> 2 | prot << 1 | PTE_V | PTE_U | PTE_A) + dirty;
  pte_t *slot = &leaf[va >> 12 & 511]; /* not to be read before: there may be no table */
  if (UNLIKELY(expected)) {
    if (!replace_frame(hart, task, *slot, frame, expected, after))
      return false;
    *slot = pte;
  } else {
    if (UNLIKELY(!change(&frame->word, fresh, after)))
      return false;
    if (UNLIKELY(!change(slot, 0, pte))) {
      frame->word = fresh; /* as it is mapped, nobody else has changed it */
      return false;
    }
    __atomic_fetch_add(&table->count, 1, __ATOMIC_RELAXED);
  }
  fence_page(va, task->asid); /* another hart may fault once more */
  return true;
}

void fast_reply(word a0, word label, word w0, word w1, word w2, word w3, q_token token, word a7) {
  struct thread *server = current;
  struct task *task = server->task;
  struct hart *hart = server->hart;
  struct endpoint *endpoint = task->received.endpoint;
  struct wait *wait = hart->delivered;
  struct thread **place = hart_own(hart, endpoint->receiver);
  if (UNLIKELY(a0 != task->received.value || token != wait->token || wait->server != task))
    goto slow;
  struct thread *faulter = container_of(wait, struct thread, wait[SLOT_FAULT]);
  if (wait->what == WHAT(Q_MSG_FAULT) && label == Q_REPLY_MAP) {
    _Static_assert(Q_REPLY_MAP == 1, "the label is a page, too");
    if (UNLIKELY(!waits_again(hart, endpoint, place, faulter) || !map_page(hart, faulter, w0, w1, w2 - label, w3)))
      goto slow;
    wait_again(wait, endpoint, place);
    switch_to(hart, faulter);
    resume_alone(hart);
  }
  struct thread *client = container_of(wait, struct thread, wait[SLOT_CALL]);
  if (UNLIKELY(wait->what != WHAT(Q_MSG_CALL) || server->x[REG_T0] || client->wait[SLOT_FAULT].state != WAIT_NONE ||
               !waits_again(hart, endpoint, place, client)))
    goto slow;
  wait_again(wait, endpoint, place);
  switch_to(hart, client);
  deliver(hart, 0, label, w0, w1, w2, w3, 0, 0, 0, 0);
slow:
  return syscall_slow(a0, label, w0, w1, w2, w3, token, a7);
}
