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
void trap_slow(word cause, word a1, uva_t va);
void syscall_slow(word a0, word a1, word a2, word a3, word a4, word a5, word a6, word a7);
void fast_fault(word cause, word a1, uva_t va, word pc, word sp);
void fast_call(word a0, word label, word w0, word w1, word w2, word w3, word a6, word a7);
void fast_reply(word a0, word label, word w0, word w1, word w2, word w3, q_token token, word a7);

#define INLINE static inline __attribute__((always_inline))
#define WHAT(slot, message) ((word)WAIT_HELD | (word)(slot) << 8 | (word)(message) << 16)

/* To user mode, with this message: trap.S. */
INLINE _Noreturn void deliver(word a0, word a1, word a2, word a3, word a4, word a5, word a6, word a7, word t1,
                              word t2) {
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
  __asm__ volatile("j deliver" ::"r"(a0_), "r"(a1_), "r"(a2_), "r"(a3_), "r"(a4_), "r"(a5_), "r"(a6_), "r"(a7_),
                   "r"(t1_), "r"(t2_), "r"(current)
                   : "memory");
  __builtin_unreachable();
}

INLINE _Noreturn void resume_fast(void) {
  __asm__ volatile("j resume" ::"r"(current) : "memory");
  __builtin_unreachable();
}

/* Whether the processor can go from one thread to the other without further ado. */
INLINE bool switches(const struct hart *hart, const struct thread *to) {
  return to->task->asid_tag == hart->asid_tag;
}

INLINE void switch_to(struct hart *hart, struct thread *to) {
  csr_write(satp, to->task->satp);
  if (UNLIKELY(hart->fpu)) {
    if (hart->fpu == to)
      csr_set(sstatus, SSTATUS_FS);
    else
      csr_clear(sstatus, SSTATUS_FS);
  }
  to->state = THREAD_READY;
  to->hart = hart;
  current = to;
}

/* ---- To a receiver ------------------------------------------------------------------------------------------------- */
/* It waits alone, and nothing is pending. Whoever sends is blocked then, so nobody above a receiver's priority is ready if
 * nobody is above the sender's. */
INLINE bool receives(const struct hart *hart, const struct endpoint *endpoint) {
  const struct thread *receiver = endpoint->receiver;
  return receiver && !endpoint->attention && receiver->priority >= current->priority && switches(hart, receiver);
}

INLINE void hold(struct hart *hart, struct wait *wait, struct endpoint *endpoint, word what) {
  wait->token += hart->token_step;
  wait->what = what;
  wait->endpoint = endpoint;
  wait->server = endpoint->receiver->task;
  hart->delivered = wait;
  endpoint->receiver = NULL;
}

/* What the message says of a page that is there and must not be written: the frame, and whether it is mapped nowhere else.
 * 0: it is none of a pager's, or may be written. */
INLINE word write_protected(pte_t pte) {
  const struct frame *frame = is_page(pte) && (pte & (PTE_R | PTE_W)) == PTE_R ? frame_of(pte_pa(pte)) : NULL;
  return frame ? pte_pa(pte) | (frame->count == 1 ? Q_FAULT_SOLE : 0) : 0;
}

void fast_fault(word cause, word a1, uva_t va, word pc, word sp) {
  struct thread *thread = current;
  struct task *task = thread->task;
  struct hart *hart = thread->hart;
  struct endpoint *endpoint = task->faults;
  word above = cause - SCAUSE_LOAD, kind = above >> 1, there = 0;
  _Static_assert(Q_FAULT_READ == 0 && Q_FAULT_WRITE == (SCAUSE_STORE - SCAUSE_LOAD) >> 1, "kind");
  if (UNLIKELY(above & ~2ul || va >> 21 != task->leaf_tag || !endpoint || !receives(hart, endpoint)))
    return trap_slow(cause, a1, va);
  pte_t pte = task->leaf[va >> 12 & 511];
  if (UNLIKELY(pte) && (!kind || !(there = write_protected(pte))))
    return trap_slow(cause, a1, va);
  struct wait *wait = &thread->wait[SLOT_FAULT];
  struct thread *receiver = endpoint->receiver;
  thread->fault_address = va;
  thread->fault_kind = kind;
  thread->state = THREAD_FAULT;
  hold(hart, wait, endpoint, WHAT(SLOT_FAULT, Q_MSG_FAULT));
  switch_to(hart, receiver);
  deliver(Q_MSG_FAULT, kind, va, pc, sp, there, wait->token, task->badge, 0, 0);
}

void fast_call(word a0, word label, word w0, word w1, word w2, word w3, word a6, word a7) {
  struct thread *client = current;
  struct task *task = client->task;
  struct hart *hart = client->hart;
  struct endpoint *endpoint = task->called.endpoint;
  word *x = client->x;
  if (UNLIKELY(a0 != task->called.value || label >> 16 || x[REG_T0] || !receives(hart, endpoint)))
    return syscall_slow(a0, label, w0, w1, w2, w3, a6, a7);
  struct wait *wait = &client->wait[SLOT_CALL];
  struct thread *receiver = endpoint->receiver;
  x[REG_A1] = label, x[REG_A2] = w0, x[REG_A3] = w1, x[REG_A4] = w2, x[REG_A5] = w3; /* it may be delivered again */
  wait->badge = task->called.badge;
  client->state = THREAD_CALL;
  hold(hart, wait, endpoint, WHAT(SLOT_CALL, Q_MSG_CALL));
  switch_to(hart, receiver);
  deliver(Q_MSG_CALL, label, w0, w1, w2, w3, wait->token, wait->badge, x[REG_T2], x[REG_T4]);
}

/* ---- The answer ---------------------------------------------------------------------------------------------------- */
/* The replier is to wait where it did last, nothing is pending there, and nobody comes before the thread it wakes. */
INLINE bool waits_again(const struct hart *hart, const struct endpoint *endpoint, const struct thread *wake) {
  return !endpoint->attention && !endpoint->receiver && !(hart->rivals >> wake->priority) && switches(hart, wake);
}

INLINE void wait_again(struct wait *wait, struct endpoint *endpoint) {
  wait->state = WAIT_NONE;
  current->state = THREAD_RECEIVE;
  current->receives = endpoint;
  endpoint->receiver = current;
}

/* A page that was shared gets a frame of its own, or may be written now that nobody else has it. false: it is not that. */
INLINE bool replace_page(const struct hart *hart, const struct task *task, pte_t old, struct frame *frame,
                         word expected) {
  struct frame *before = is_page(old) ? frame_of(pte_pa(old)) : NULL;
  word least = task->pager->fresh + (before == frame); /* it is mapped here alone, or nowhere */
  if (!before || (expected & ~1ul) != pte_pa(old) || (frame->word & ~((word)FRAME_WRITABLE << 56)) != least ||
      task->harts != hart->bit)
    return false;
  frame_unmapped(before);
  return true;
}

/* One page of plain memory where the fault was, of a frame that is mapped nowhere. false: it is something else. */
INLINE bool map_page(const struct hart *hart, const struct thread *thread, uva_t va, word frame_prot, word pages,
                     word expected) {
  struct task *task = thread->task;
  word prot = frame_prot % Q_PAGE_SIZE, write = prot & Q_PROT_WRITE, fresh = task->pager->fresh;
  word number = (frame_prot - hart->ram_base) >> Q_PAGE_SHIFT; /* prot is of no weight there */
  struct frame *frame = &hart->frames[number];
  pte_t *slot = &task->leaf[va >> 12 & 511], old = *slot;
  if (UNLIKELY(va >> 21 != task->leaf_tag || va != thread->fault_address >> Q_PAGE_SHIFT << Q_PAGE_SHIFT ||
               pages != 1 || (prot | Q_PROT_WRITE) != (Q_PROT_READ | Q_PROT_WRITE) || number >= hart->frame_count))
    return false;
  if (UNLIKELY(old | expected)) {
    if (!replace_page(hart, task, old, frame, expected))
      return false;
  } else {
    if (UNLIKELY(frame->word != fresh))
      return false;
    task->leaf_frame->count++;
  }
  pte_t dirty = thread->fault_kind & write >> 1 ? PTE_D : 0;
  _Static_assert(Q_FAULT_WRITE == Q_PROT_WRITE >> 1 && PTE_R == Q_PROT_READ << 1, "bits");
  *slot = (frame_prot >> 2 | prot << 1 | PTE_V | PTE_U | PTE_A) + dirty;
  frame->word = fresh + 1 + (write << 55);
  _Static_assert(FRAME_WRITABLE == 1 && offsetof(struct frame, flags) == 7 && Q_PROT_WRITE == 2, "write << 55");
  fence_page(va, task->asid); /* another hart may fault once more */
  return true;
}

void fast_reply(word a0, word label, word w0, word w1, word w2, word w3, q_token token, word a7) {
  struct thread *server = current;
  struct task *task = server->task;
  struct hart *hart = server->hart;
  struct endpoint *endpoint = task->received.endpoint;
  struct wait *wait = hart->delivered;
  if (UNLIKELY(a0 != task->received.value || token != wait->token || wait->server != task))
    goto slow;
  struct thread *faulter = container_of(wait, struct thread, wait[SLOT_FAULT]);
  if (wait->what == WHAT(SLOT_FAULT, Q_MSG_FAULT) && label == Q_REPLY_MAP) {
    if (UNLIKELY(!waits_again(hart, endpoint, faulter) || !map_page(hart, faulter, w0, w1, w2, w3)))
      goto slow;
    wait_again(wait, endpoint);
    switch_to(hart, faulter);
    resume_fast();
  }
  struct thread *client = container_of(wait, struct thread, wait[SLOT_CALL]);
  if (UNLIKELY(wait->what != WHAT(SLOT_CALL, Q_MSG_CALL) || server->x[REG_T0] ||
               client->wait[SLOT_FAULT].state != WAIT_NONE || !waits_again(hart, endpoint, client)))
    goto slow;
  wait_again(wait, endpoint);
  switch_to(hart, client);
  deliver(0, label, w0, w1, w2, w3, 0, 0, 0, 0);
slow:
  return syscall_slow(a0, label, w0, w1, w2, w3, token, a7);
}
