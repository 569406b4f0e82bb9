/* SPDX-License-Identifier: BSD-2-Clause */
/* What the kernel's files offer each other, file by file. Unless said otherwise a function is called with all locks held (hart.c),
 * returns 0 or an error of abi.h (positive), and on an error has changed nothing. */
#ifndef KERNEL_H
#define KERNEL_H

#include "object.h"
#include "riscv.h"

register struct thread *current __asm__("tp"); /* the running thread, or its hart's idle one */

#define UNUSED __attribute__((unused))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#define container_of(p, type, member) ((type *)((char *)(p)-offsetof(type, member)))
#define ALIGN_UP(x, to) (((x) + (to)-1) & ~((uint64_t)(to)-1))

/* ---- main.c ---- */
struct kernel {
  pa_t ram_base, ram_end;
  uint64_t frame_count, block_count; /* entries of the two tables */
  struct frame *frames;
  struct block *blocks;
  struct hart *harts;
  uint64_t hart_count, timebase;
  uint64_t hart_base; /* the lowest number that the firmware gives one of them */
  pte_t *root;        /* boot page table: its upper half is everybody's */
  pa_t root_pa;
  uint64_t asid_generation, asid_next, asid_count;
  uint64_t sequence_epoch; /* no token had a higher sequence number when its thread ended */
  unsigned token_shift;    /* bits of a token that name thread and slot */
  bool sstc;
  uint64_t zero_block; /* bytes that cbo.zero clears; 0: the harts have none */
  struct q_info info;  /* live objects and counters */
  pa_t plic, plic_end;
  int64_t plic_context; /* of the first hart, which gets all interrupts of devices; < 0: there is none */
  uint32_t irq_count;
  uint64_t deadline; /* timebase ticks; 0 none */
  uint64_t poll;     /* a wait for fewer ticks is no sleep */
};
extern struct kernel kernel;
#define EACH_HART(hart) for (struct hart *hart = kernel.harts; hart < kernel.harts + kernel.hart_count; hart++)
extern struct wait nothing_delivered; /* what struct hart's `delivered` points to at first */
#define PAGERS 64
extern struct pager *pagers[PAGERS]; /* by number; 0 is none */

static inline void *pa_to_va(pa_t pa) {
  return (void *)(PHYSMAP + pa);
}
static inline pa_t va_to_pa(const void *va) {
  return (uint64_t)va - PHYSMAP; /* of the physical map, not of the image */
}

/* ---- print.c ---- */
/* %s, %d (uint64_t), %x (uint64_t), %c; to the firmware's console. */
void print(const char *format, ...) __attribute__((format(printf, 1, 2)));
void console_write(const char *text, uint64_t bytes); /* after what is left in the log */
bool log_write(const char *text, uint64_t bytes);     /* the whole, or false: no room now */
uint64_t log_read(char *to, uint64_t bytes);
bool log_empty(void);
bool log_flush(uint64_t most); /* so many bytes of it to the console; false: it was empty */
_Noreturn void panic(const char *format, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void machine_off(bool failure);
void *memcpy(void *restrict to, const void *restrict from, size_t bytes);
void *memset(void *to, int byte, size_t bytes);
size_t strlen(const char *text);
int strncmp(const char *a, const char *b, size_t max);
int strcmp(const char *a, const char *b);
#define ASSERT(condition)                                                                                            \
  do {                                                                                                               \
    if (__builtin_expect(!(condition), 0))                                                                           \
      panic("%s:%d: %s", __FILE_NAME__, __LINE__, #condition);                                                       \
  } while (0)
#ifdef CHECK_INVARIANTS
#define ASSERT_DEBUG(condition) ASSERT(condition) /* on hot paths */
#else
#define ASSERT_DEBUG(condition) ((void)0)
#endif

/* ---- frame.c: who owns each frame; pages for the kernel's objects ---- */
static inline struct frame *frame_of(pa_t pa) {             /* NULL: not RAM */
  uint64_t number = (pa - kernel.ram_base) >> Q_PAGE_SHIFT; /* huge if pa lies below */
  return __builtin_expect(number < kernel.frame_count, 1) ? &kernel.frames[number] : NULL;
}
static inline uint64_t
frame_fresh(uint16_t owner) { /* what stands in the table for one that a pager may map, and nobody does */
  return ((struct frame){.owner = owner, .kind = FRAME_USER}).word;
}
pa_t frame_pa(const struct frame *frame);
/* A zeroed page from the pager's donations, or NULL. */
void *page_alloc(struct pager *pager, enum frame_kind kind);
void page_free(void *page); /* scrubs it */
int block_donate(struct pager *pager, pa_t block);
int block_reclaim(struct pager *pager, pa_t *block);
bool block_owned(const struct pager *pager, pa_t block); /* all 512 frames its own, for users */
bool block_revoke(struct pager *pager, pa_t block);      /* unmaps it everywhere; false: call again */
void block_keep(struct pager *pager, pa_t block);        /* it stays here after all */
int block_move(struct pager *from, struct pager *to, pa_t block);
void block_list(struct pager *pager, struct block *block);

/* ---- vm.c: see vm.h ---- */
void ledger_assert_clean(void);

/* ---- object.c: handles and slots ---- */
struct handle *handle_find(struct task *task, q_handle value);
/* The handle if it is one of that type with these rights; else *error says why not. */
struct handle *handle_check(q_handle value, enum object_type type, unsigned rights, int *error);
int handle_add(struct task *task, struct object *object, unsigned rights, uint64_t badge, q_handle *value);
void handle_bind(struct handle *handle, struct object *object, unsigned rights, uint64_t badge); /* embedded ones */
void handle_void(struct handle *handle); /* off its object's list; the slot is not freed */
void handle_close(struct handle *handle);
struct page_header **handle_page(struct task *task, unsigned page); /* of the table: where its address is */
void handles_free(struct task *task, struct handle *first, unsigned count, unsigned number);
extern const struct last_handle no_handle;
bool object_void_handles(struct object *object); /* false: call again */
extern struct handle *object_last;               /* voided after all others: whoever destroys the object needs it */
/* What is left of the work that one entry may do to end things, in instructions or so. A system call that ends something
 * sets it; every step takes its part beforehand, and false says that the rest is for the next round. */
extern unsigned work_left;
#define WORK 8000
#define PAGE_WORK 1000 /* freeing a page */
static inline bool work(unsigned cost) {
  bool enough = work_left >= cost;
  work_left -= enough ? cost : 0;
  return enough;
}
bool in_objects_page(const struct object *object); /* an endpoint or IRQ of a task, not a pager object's */
void *slot_alloc(struct task *task, enum frame_kind kind);
bool endpoint_empty(struct endpoint *endpoint); /* of callers, receivers, tokens and handles; false: call again */
bool endpoint_destroy(struct endpoint *endpoint);
void endpoint_abandon(struct endpoint *endpoint); /* its last handle went */
bool irq_destroy(struct irq *irq);
struct task *object_task(const void *object); /* in whose page it lies */

/* ---- sched.c ---- */
void thread_ready(struct thread *thread);    /* behind the others, to a new slice */
void thread_continue(struct thread *thread); /* before the others if something is left of its slice */
void slice_keep(struct thread *thread);      /* what is left of the running slice will be that thread's */
_Noreturn void preempt(void);                /* current is to go on later, another one now: resched says why */
void thread_unready(struct thread *thread);
_Noreturn void schedule(void); /* current is ready and queued, or blocked */
_Noreturn void resume(void);
void thread_result(struct thread *thread, int64_t a0, uint64_t a1); /* the call it is in returns that, the rest 0 */
void sleep_until(struct thread *thread, uint64_t deadline);
void sleep_cancel(struct thread *thread);
void timer_interrupt(void);
void software_interrupt(void); /* another hart's kick */
void timer_arm(struct hart *hart);
void fp_save(struct thread *thread);
void fp_load(const struct thread *thread);
bool fp_switch(void); /* false: the thread had its floating-point state already */
void fp_forget(struct thread *thread);
void fp_release(struct hart *hart); /* this one: what is in its registers goes to their thread */
static inline struct hart *this_hart(void) {
  return current->hart;
}
void thread_move(struct thread *thread, struct hart *to); /* one that does not run */
/* Whether it could: its floating-point registers are not in a hart that would have to store them. */
static inline bool thread_movable(const struct thread *thread) {
  return thread->hart == this_hart() || thread->hart->fpu != thread;
}
/* One that runs on another hart is not to be touched. That hart is told to leave it; try again (thread_end(), thread_op_stop()). */
bool thread_evict(struct thread *thread); /* false: it runs on no other hart */
/* This hart's of a task's or an endpoint's array with one for each hart. */
#define hart_own(hart, array) ((__typeof__(&(array)[0]))((char *)(array) + (hart)->place))
static inline void set_current(struct hart *hart, struct thread *thread) {
  hart->current = thread;
  current = thread;
}

/* ---- hart.c: all functions that have no other comment are called with all locks held ---- */
void exclude(void);      /* from holding only one's own lock to all locks */
void let_others(void);   /* and back */
void kernel_enter(void); /* from no lock to all */
void kernel_leave(void);
void hart_kick(struct hart *hart);                                         /* it enters the kernel soon */
void harts_fence(uint64_t harts, uva_t va, uint64_t bytes, uint64_t asid); /* sfence.vma there */
void harts_fence_all(void);                                                /* here, too */
void harts_fence_code(uint64_t harts);                                     /* fence.i there */
void hart_begin(void);
uint64_t harts_start(pa_t entry); /* how many run now */
void vm_switch_slow(struct task *task);

/* Tells a plug-in of QEMU, which sees addresses but no registers, the process that runs from now on: each byte of its badge by
 * where a store goes. In quire-trace.elf only (tests/bench/plugin/pages.c). */
#ifdef TRACE_SWITCHES
extern uint8_t trace_marks[4][256];
#endif
static inline __attribute__((always_inline)) void trace_switch(const struct task *task) {
#ifdef TRACE_SWITCHES
  for (unsigned i = 0; i < 4; i++)
    *(volatile uint8_t *)&trace_marks[i][task->badge >> 8 * i & 0xff] = 0;
#else
  (void)task;
#endif
}

/* Makes the thread current: its address space, without a flush if it has an ASID, and its floating-point state. */
static inline __attribute__((always_inline)) void thread_switch(struct thread *thread) {
  struct hart *hart = this_hart();
  struct task *task = thread->task;
  if (__builtin_expect(*hart_own(hart, task->good_on) == hart->generation, 1))
    csr_write(satp, task->satp);
  else
    vm_switch_slow(task);
  trace_switch(task);
  if (thread->hart != hart)
    thread_move(thread, hart);
  set_current(hart, thread);
  if (hart->fpu == thread)
    csr_set(sstatus, SSTATUS_FS);
  else
    csr_clear(sstatus, SSTATUS_FS);
}

/* ---- ipc.c ---- */
void endpoint_signal(struct endpoint *endpoint, uint64_t bits);
_Noreturn void fault_program(uva_t va, unsigned kind); /* current's own instruction */
struct ret fault_self(uva_t va, unsigned kind);        /* a kernel copy in current's memory; returns only an error */
_Noreturn void exception_self(uint64_t cause, uint64_t value, uint64_t reason);
void wait_init(struct thread *thread, enum wait_slot slot); /* of a new thread */
void wait_cancel(struct wait *wait);                        /* nobody answers it any more */
void wait_orphan(struct wait *wait); /* whoever held it has died: a call fails, a fault is delivered anew */
bool wait_sweep(const struct task *server, const struct endpoint *endpoint, uint32_t *cursor); /* false: call again */
void copy_orphaned(struct thread *owner); /* its server is told that the copy failed */
void receiver_unqueue(struct thread *thread);

/* ---- task.c ---- */
struct task *task_create(struct pager *pager, uint64_t badge, uint64_t quota);
bool task_grant(struct task *task, unsigned pages); /* so much more quota */
struct thread *thread_create(struct task *task, unsigned priority);
bool thread_end(struct thread *thread);    /* false, as from task_stop and object_destroy: call again */
void thread_forget(struct thread *thread); /* one that has ended: whoever copied from it knows */
bool task_stop(struct task *task);
struct pager *pager_create(struct pager *parent, int *error);
bool object_busy(const struct object *object); /* it can't be destroyed as things are */
bool object_destroy(struct object *object);
void object_undo(struct object *object); /* destroys one that was just created */
static inline struct thread *page_thread(struct page_header *page, unsigned slot) { /* 1 to 3; NULL: none there */
  struct thread *thread = (struct thread *)((char *)page + slot * 1024);
  return page->kind == FRAME_THREADS && thread->object.type == OBJECT_THREAD ? thread : NULL;
}

/* ---- plic.c ---- */
void plic_init(void);
void plic_interrupt(void);
int irq_bind(struct irq *irq, uint64_t source);
void irq_ack(struct irq *irq);
bool log_taken(void); /* by the holder of source 0 */
void log_interrupt(void);

/* ---- hart.c and check.c, in builds with check_invariants ---- */
void order_leaving(struct hart *own); /* it has its own lock alone, which it gives up */
void order_assert_alone(void);        /* it has all locks */
void check_state(void);               /* walks everything; panics on a broken invariant */

/* ---- syscall.c ---- */
static inline struct ret ok(uint64_t a1) {
  return (struct ret){0, a1};
}
static inline struct ret fail(int error) {
  return (struct ret){-error, 0};
}
/* The thread goes on as its registers say: a call that did not finish runs again, after interrupts have had their turn. */
_Noreturn void restart(void);
_Noreturn void finish(int64_t a0, uint64_t a1, uint64_t a2, uint64_t a3); /* the call of current returns that */
#endif
