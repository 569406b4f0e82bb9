/* SPDX-License-Identifier: BSD-2-Clause */
/* The kernel's objects and how they lie in memory. Every object lives in a page that a pager donated:
 *   TASK page     slot 0 (1 KiB) the task with its first handles; slots 1-3 a thread each
 *   THREADS page  slot 0 a header; slots 1-3 a thread each
 *   OBJECTS page  slot 0 (128 bytes) a header; slots 1-31 an endpoint or IRQ each
 *   HANDLES page  slot 0 (32 bytes) a header; slots 1-127 a handle each
 *   INDEX page    a header; addresses of HANDLES pages of its task
 *   PAGER page    one pager object
 * An object has no reference count: destroying it voids the handles on its list. Who may touch what when: hart.c. */
#ifndef OBJECT_H
#define OBJECT_H

#include <quire/abi.h>
#include <stdbool.h>
#include <stddef.h>

#include "layout.h"
#include "list.h"

typedef uint64_t pa_t;  /* physical address */
typedef uint64_t uva_t; /* user virtual address: never dereferenced */
typedef uint64_t pte_t;
#define HARTS_MAX 8 /* each has its place in an endpoint */

enum object_type {
  OBJECT_NONE,
  OBJECT_TASK,
  OBJECT_THREAD,
  OBJECT_ENDPOINT,
  OBJECT_PAGER,
  OBJECT_IRQ,
  OBJECT_MACHINE,
  OBJECT_ANY /* of an operation: it takes a handle to whatever object */
};

/* A right to an object. A free one has type OBJECT_NONE and stands on its task's free list through `next`. */
struct handle {
  struct object *object;
  uint64_t badge;
  uint8_t type, rights;
  uint16_t slot;       /* its number in a task's table; 0: it is embedded in an object */
  uint32_t next, prev; /* the object's list, as handle_ref() numbers; 0 ends it */
  uint32_t generation; /* of the slot, so that a stale handle is told from its successor */
} __attribute__((aligned(32)));
_Static_assert(sizeof(struct handle) == 32, "128 a page");

struct object {
  uint32_t handles; /* first of the list */
  uint8_t type;     /* OBJECT_NONE: the slot is free */
  uint8_t dying;    /* being destroyed: takes no new work */
  uint8_t held;     /* endpoint: a token of a message received here may be out */
  uint8_t unused;
};

/* Frame table entry: 8 bytes for each 4 KiB of RAM. */
enum frame_kind {
  FRAME_RESERVED, /* firmware, device tree, holes: never handed out */
  FRAME_KERNEL,   /* image, this table, boot page tables */
  FRAME_USER,     /* owned by a pager: count = number of mappings, windows excepted */
  FRAME_FREE,     /* donated, holds nothing: count = next in its block */
  FRAME_TABLE,    /* page table: count = valid entries */
  FRAME_TASK,
  FRAME_THREADS,
  FRAME_OBJECTS,
  FRAME_HANDLES,
  FRAME_INDEX,
  FRAME_PAGER
};
#define FRAME_WRITABLE 1 /* USER: mapped writable; stays until count is 0 or the one mapping is changed */
#define FRAME_EXECUTABLE 2
#define FRAME_RAW 4  /* FREE: not zeroed yet */
#define FRAME_BUSY 8 /* USER: holds something at boot, or is being revoked: not to be mapped or listed as free */
struct frame {
  union {
    struct {
      uint32_t count;
      uint16_t owner; /* the pager's number; 0 none */
      uint8_t kind, flags;
    };
    uint64_t word; /* all of it: what a fast path compares */
  };
};
_Static_assert(sizeof(struct frame) == 8, "8 bytes for 4 KiB");

/* 2 MiB of RAM. A donated one stands on its pager's list while it has free pages, the empty ones last. */
struct block {
  struct link link;
  uint32_t free;  /* first free page, as frame number + 1 */
  uint16_t used;  /* pages that hold something */
  uint16_t owner; /* pager it was donated by; 0: not donated */
};

struct endpoint {
  struct object object;
  bool attention;                     /* something is pending, or it is dying: endpoint_note() */
  uint32_t cursor;                    /* of the sweep that voids tokens when it is destroyed */
  struct list others;                 /* who waits for a message, and is no hart's `receiver` */
  struct list queue;                  /* what was sent and nobody received yet */
  uint64_t bits;                      /* pending notifications */
  struct thread *receiver[HARTS_MAX]; /* a hart's thread that waits for a message, and gets the next one sent there */
};
_Static_assert(sizeof(struct endpoint) <= 128, "32 slots a page");

struct irq {
  struct object object;
  uint32_t source;
  bool claimed; /* between the interrupt and its acknowledgement */
  uint64_t bits;
  struct handle endpoint;
};

/* One answer that a thread waits for. `call` and `fault` of a thread are independent: while a server holds its call, a
 * pager may hold a fault in its name. */
enum wait_state {
  WAIT_NONE,
  WAIT_SENT,
  WAIT_HELD
}; /* SENT: queued, not received. HELD: received, the token is out */
enum wait_slot { SLOT_CALL, SLOT_FAULT };
struct wait {
  struct link link;    /* on the endpoint's queue; of a HELD one too, when a copy is ready */
  uint64_t token;      /* of the last message from here: the sequence number above, the name of this wait below */
  struct task *server; /* HELD: the task that may answer */
  struct endpoint *endpoint; /* where it was sent */
  uint64_t badge;
  union {
    struct {
      uint8_t state;
      uint8_t message; /* Q_MSG_* it is delivered as */
      uint8_t error;   /* of COPY_FAILED */
      uint8_t
          copying; /* call: its server was told PENDING and has not been told the end; fault: it is for such a server */
    };
    uint64_t what; /* all of these: what a fast path compares */
  };
  uint8_t slot; /* which of its thread's it is */
};

/* FREE: the slot holds none. READY: it runs, or stands in a ready queue. ZOMBIE: it has ended, but a server has yet to
 * be told that its copy failed. */
enum thread_state {
#define X(n, name, text) THREAD_##name = n,
  Q_STATES(X)
#undef X
};

/* x[] is also the message: what a blocked caller sent lies in its own argument registers until it is answered. */
enum { REG_PC, REG_SP = 2, REG_T0 = 5, REG_T1, REG_T2, REG_T3 = 28, REG_T4, REG_T6 = 31 };
enum { REG_A0 = 10, REG_A1, REG_A2, REG_A3, REG_A4, REG_A5, REG_A6, REG_A7 };
struct thread {
  uint64_t x[32];
  uint64_t f[32];
  uint64_t fcsr;
  struct hart *hart; /* that runs it, or ran it last, or in whose queue it stands: thread_move() */
  struct task *task; /* NULL: it is gone, and this a zombie */
  struct wait wait[2];
  struct endpoint *receives; /* RECEIVE: where */
  struct link link;          /* ready queue, or an endpoint's other receivers */
  uint64_t slice;            /* not running: ticks left of the slice it had; 0: it gets a new one */
  uint64_t deadline;         /* SLEEP: timebase ticks; place in the heap of sleepers: */
  struct thread *left, *right, *parent;
  uint64_t fault_address;
  uint64_t fault_kind; /* Q_FAULT_* | Q_FAULT_COPY, or scause of an exception */
  uint64_t fault_reason;
  struct object object;
  uint8_t state, priority, rank; /* rank: of the leftist heap */
  uint8_t asked;                 /* its copy runs again: of these sides (1 << Q_FAULT_*) a pager was asked at once */
  bool evicted; /* it is to leave its hart, and not to be ready again: it is being ended or stopped */
};
_Static_assert(sizeof(struct thread) <= 1024, "four slots a page");
_Static_assert(offsetof(struct thread, x) == THREAD_REGS && offsetof(struct thread, f) == THREAD_FP &&
                   offsetof(struct thread, hart) == THREAD_HART,
               "trap.S");

struct page_header { /* of TASK, THREADS, OBJECTS, HANDLES and INDEX pages */
  struct task *task;
  struct page_header *next; /* of the same task: its TASK page comes first */
  enum frame_kind kind;     /* of what the slots hold: a TASK page is one of THREADS too */
};

#define INLINE_HANDLES 18
#define HANDLE_PAGES 8       /* that the task knows itself; the INDEX page knows the others */
#define HANDLE_PAGES_MAX 511 /* what a handle's 16 bits of slot number reach */
/* The last handle that a task received on, or called by: comparing its value is all that the fast paths need to check.
 * handle_void() clears it. */
struct last_handle {
  q_handle value; /* ~0: none (no_handle) */
  struct endpoint *endpoint;
  uint64_t badge;
};
struct task {
  struct page_header header;
  uint64_t satp; /* with an ASID that is good while `generation` is the kernel's */
  uint64_t asid;
  uint64_t generation;         /* 0: no ASID */
  uint64_t good_on[HARTS_MAX]; /* the same if this hart has no translations cached but good ones, else 0 */
  uint64_t leaf_tag; /* va >> 21 of the last leaf table used, which spares two of three steps of a walk; ~0: none */
  pte_t *leaf;       /* that table, and its entry in the frame table */
  struct frame *leaf_frame;
  struct endpoint *faults; /* where they go; NULL: it serves that itself, so nobody could answer */
  struct endpoint
      *plain; /* the same while it has one thread; else one where nobody waits, for fast_fault() to pass by */
  struct last_handle received, called;
  struct pager *pager;
  uint64_t badge;
  pte_t *root;
  struct pager *window;     /* whose frames it sees */
  struct task *next, *prev; /* of its pager */
  struct page_header *handle_pages[HANDLE_PAGES];
  struct page_header **index; /* by number; a header lies where those would be that the task knows itself */
  struct handle supervisor;
  uva_t teardown; /* how far destroying it has come */
  uint32_t cursor;
  struct object object;
  uint16_t quota;       /* pages it may still take */
  uint16_t granted;     /* that it ever might */
  uint16_t free_handle; /* slot number */
  uint16_t inline_used; /* of its own slots, those from there on have never been used, and stand on no list */
  uint16_t threads;     /* live ones and zombies */
  uint16_t unheard;     /* dead senders in the queues of its endpoints */
  uint8_t harts;        /* on which good_on holds: one bit each */
  bool stopped;
  bool serves; /* it has received: tokens may name it */
  uint16_t handle_page_count;
  struct handle handles[INLINE_HANDLES];
};
_Static_assert(sizeof(struct task) <= 1024, "four slots a page");

struct pager {
  struct object object;
  uint64_t fresh; /* what stands in the frame table for a frame of its own that is mapped nowhere */
  uint16_t number;
  bool devices;       /* may map what is not RAM */
  struct list blocks; /* donated ones with free pages */
  uint64_t owned, donated, donated_free;
  uint64_t promised;           /* of the free ones: what is left of the quotas of its tasks */
  struct task *tasks, *server; /* server: the task that has the window */
  uint64_t window_next;        /* block up to which the window is built */
  struct task *revoke_task;    /* how far a grant has come */
  uva_t revoke_va;
  pa_t revoke_block;
  struct endpoint endpoint;
};

#define RESCHED_HIGHER 1 /* a thread of higher priority became ready */
#define RESCHED_SLICE 2  /* the slice is over, and another of this priority waits */
#define SLICE_OVER Q_PRIORITIES
struct hart {
  uint32_t lock;      /* hart.c */
  bool others;        /* there are some */
  uint8_t resched;    /* RESCHED_*: somebody else is to run before user mode goes on */
  uint64_t stack;     /* its top */
  uint64_t contended; /* how often it had to wait for a lock */
  uint64_t entered;   /* instret at the entry, in builds that measure */
  uint8_t ready_mask;
  uint8_t slice_class; /* priority of the thread that the slice was given to; SLICE_OVER: it is used up */
  uint16_t rivals;     /* bit p or above: a thread of priority p can't just go on with this slice (sched.c) */
  bool online;         /* it takes part */
  bool kicked;         /* another has called it, which it has yet to heed */
  bool code_stale;     /* instructions have been written since its last fence.i */
  uint64_t generation; /* of ASIDs: the kernel's */
  uint64_t place;      /* of what is this hart's in a task's good_on and an endpoint's receiver: the offset there */
  struct thread *current; /* what the others see of it */
  struct task *loaded;    /* where ASIDs are too few: whose translations it has cached */
  pa_t ram_base;          /* what fast paths look up: the same as in struct kernel */
  uint64_t frame_count;
  struct frame *frames;
  uint64_t token_step;     /* from one token of a wait to its next */
  struct wait *delivered;  /* a message of one of its threads that was delivered last: its token is the likeliest */
  struct thread *copier;   /* whose copy has last handed the processor to a pager, and stands ready */
  uint64_t slice_end;      /* of the running thread and of whoever works for it */
  uint64_t timer;          /* what it is set to */
  struct thread *fpu;      /* whose floating-point registers these are */
  struct thread *sleepers; /* leftist heap by deadline */
  uint8_t bit;             /* its own in a mask of harts */
  uint64_t id;             /* SBI's */
  uint32_t held;           /* these two in builds with checks: its locks (order.h), */
  uint64_t exits;          /* and how often it left the kernel */
  uint64_t exclusive, kicks, shootdowns, moves; /* counters: see struct q_info */
  struct list ready[Q_PRIORITIES];
  struct thread idle;
};
_Static_assert(offsetof(struct hart, stack) == HART_STACK && offsetof(struct hart, resched) == HART_RESCHED &&
                   offsetof(struct hart, others) == HART_OTHERS && offsetof(struct hart, lock) == HART_LOCK &&
                   offsetof(struct hart, contended) == HART_CONTENDED &&
                   offsetof(struct hart, entered) == HART_ENTERED,
               "trap.S");

/* What a system call returns in a0 and a1. */
struct ret {
  int64_t a0;
  uint64_t a1;
};
#endif
