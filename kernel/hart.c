/* SPDX-License-Identifier: BSD-2-Clause */
/* Harts: who may be in the kernel together with whom, how one gets another's attention, and how all but the first start.
 *
 * The lock is a big-reader lock. A fast path (fast.c) holds its own hart's lock and nothing else; so does a copy between
 * pages that are there (copy_beside(), ipc.c, which says why that is right). Whatever is neither holds the locks of all harts, so nobody
 * else is in the kernel then. A fast path therefore needs only be right beside other fast paths and such copies. It touches
 *   - its hart, and threads whose `hart` that is: the sender, the receiver in its hart's place at the endpoint, and the
 *     thread that it wakes (struct hart's `delivered` is always a message of such a thread). Nobody else's fast path does.
 *   - a page table's entry, its table's count and the frame table's entries: with atomic operations;
 *   - tasks, endpoints, handles and the upper levels of page tables: it reads them, and only what has all locks writes them.
 * Several threads of one task may be at its page tables at once, each on its own hart.
 * Order: kernel_lock, then the harts' locks by number. Who holds only its own gives that up before it takes them all, so
 * whatever it looked at before may have changed, but for its own thread: nobody ends or stops a thread that runs on another hart
 * (thread_evict()). Builds with checks assert the order, and that who gives up a lock has it. */
#include "kernel.h"
#include "order.h"
#include "vm.h"

#define SBI_IPI 0x735049
#define SBI_HSM 0x48534d

static uint32_t kernel_lock;

/* Whoever is first gets it: one swap takes it (trap.S), and nobody is given a turn that he has no processor to take. Where a host
 * runs the harts, it does not run all of them all the time, and with tickets the others would wait for one that stands still.
 * docs/limits.md says how unfair that is. */
void lock_wait(uint32_t *lock);
__attribute__((noinline)) void lock_wait(uint32_t *lock) { /* a function of its own, so that waiting can be counted */
  this_hart()->contended++;
  while (__atomic_load_n(lock, __ATOMIC_RELAXED) || __atomic_exchange_n(lock, 1, __ATOMIC_ACQUIRE))
    ;
}

#ifdef CHECK_INVARIANTS
static unsigned rank(const uint32_t *lock) {
  return lock == &kernel_lock ? 0 : 1 + (unsigned)(container_of(lock, struct hart, lock) - kernel.harts);
}

/* A hart's own lock is taken and given up in trap.S too, which keeps no account: in here it is held. */
static void order_entered(struct hart *own) {
  uint32_t own_bit = 1u << rank(&own->lock);
  ASSERT(own->lock && !(own->held & ~own_bit));
  own->held = own_bit;
}

void order_leaving(struct hart *own) {
  order_entered(own);
  own->held = 0;
}

void order_assert_alone(void) {
  ASSERT(!this_hart()->others || this_hart()->held == (2u << kernel.hart_count) - 1);
}
#define ORDER_ENTERED(own) order_entered(own)
#define ORDER_TAKE(lock) ASSERT(order_take(&this_hart()->held, rank(lock)))
#define ORDER_RELEASE(lock) ASSERT(order_release(&this_hart()->held, rank(lock)))
#else
#define ORDER_ENTERED(own) ((void)0)
#define ORDER_TAKE(lock) ((void)0)
#define ORDER_RELEASE(lock) ((void)0)
#endif

static void take(uint32_t *lock) {
  ORDER_TAKE(lock);
  if (__builtin_expect(__atomic_exchange_n(lock, 1, __ATOMIC_ACQUIRE), 0))
    lock_wait(lock);
}

static void release(uint32_t *lock) {
  ORDER_RELEASE(lock);
  __atomic_store_n(lock, 0, __ATOMIC_RELEASE);
}

void exclude(void) {
  struct hart *own = this_hart();
  ORDER_ENTERED(own);
  release(&own->lock);
  take(&kernel_lock);
  EACH_HART (hart)
    take(&hart->lock);
  own->exclusive++;
}

void let_others(void) {
  struct hart *own = this_hart();
  EACH_HART (hart)
    if (hart != own)
      release(&hart->lock);
  release(&kernel_lock);
}

void kernel_enter(void) {
  take(&this_hart()->lock);
  if (this_hart()->others)
    exclude();
}

void kernel_leave(void) {
  if (this_hart()->others)
    let_others();
  ORDER_ENTERED(this_hart());
  release(&this_hart()->lock);
}

/* ---- Calling others ------------------------------------------------------------------------------------------------ */
/* These harts, as SBI wants them: a mask whose first bit is the lowest that takes part. */
static uint64_t sbi_mask(uint64_t harts) {
  uint64_t mask = 0;
  EACH_HART (hart)
    mask |= harts & hart->bit ? 1ul << (hart->id - kernel.hart_base) : 0;
  return mask;
}

/* One call at a time: a hart that is called again and again, as by one that tries to end or stop its thread (thread_evict()), would
 * do nothing but heed the firmware's interrupts, and never come to see why. */
void hart_kick(struct hart *hart) {
  if (hart == this_hart() || hart->kicked)
    return;
  hart->kicked = true;
  this_hart()->kicks++;
  sbi_call(SBI_IPI, 0, sbi_mask(hart->bit), kernel.hart_base, 0, 0, 0);
}

void harts_fence(uint64_t harts, uva_t va, uint64_t bytes, uint64_t asid) {
  this_hart()->shootdowns++;
  sbi_call(SBI_RFENCE, SBI_RFENCE_SFENCE_ASID, sbi_mask(harts), kernel.hart_base, va, bytes, asid);
}

void harts_fence_all(void) {
  fence_all();
  if (this_hart()->others)
    sbi_call(SBI_RFENCE, SBI_RFENCE_SFENCE, sbi_mask(~(uint64_t)this_hart()->bit), kernel.hart_base, 0, ~0ul, 0);
}

void harts_fence_code(uint64_t harts) {
  sbi_call(SBI_RFENCE, SBI_RFENCE_FENCE_I, sbi_mask(harts), kernel.hart_base, 0, 0, 0);
}

/* ---- The start of the others ----------------------------------------------------------------------------------------- */
void hart_begin(void) {
  csr_write(scounteren, 7); /* cycle, time and instret for programs */
  if (kernel.zero_block)
    csr_write(0x10a, SENVCFG_CBZE);             /* senvcfg, which binutils may not know: cbo.zero for programs */
  csr_clear(sstatus, SSTATUS_SPP | SSTATUS_FS); /* sret goes to user mode; nothing else ever changes it */
  csr_set(sstatus, SSTATUS_SPIE);
  csr_set(sie, SIE_TIMER | SIE_SOFTWARE);
  this_hart()->online = true;
}

/* Where one comes in that harts_start() has started, on the kernel's page table. */
_Noreturn void hart_main(void);
_Noreturn void hart_main(void) {
  vm_kernel();
  fence_all();
  kernel_enter();
  hart_begin();
  schedule();
}

/* For boot.S, by the firmware's number. */
extern struct entry {
  uint64_t id;
  struct thread *idle;
} hart_idle[HARTS_MAX];
struct entry hart_idle[HARTS_MAX];

uint64_t harts_start(pa_t entry) {
  uint64_t started = 1;
  EACH_HART (hart) {
    hart->others = kernel.hart_count > 1;
    hart_idle[hart - kernel.harts] = (struct entry){hart->id, &hart->idle};
  }
  EACH_HART (hart)
    if (hart != this_hart())
      started += !sbi_call(SBI_HSM, 0, hart->id, entry, 0, 0, 0);
  return started;
}
