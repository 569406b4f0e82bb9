/* SPDX-License-Identifier: BSD-2-Clause */
/* The contract between the kernel and every program: system calls, messages, errors, rights, memory layout.
 * Both sides include this file and nothing else of each other. docs/protocol.md is the prose beside it. */
#ifndef QUIRE_ABI_H
#define QUIRE_ABI_H

#ifndef __ASSEMBLER__
#include <stdint.h>
#endif

/* ---- Errors: returned negated in a0; 0 or a positive value is success. ------------------------------------------ */
#define Q_ERRORS(X)                                                                                                  \
  X(1, E_CALL, "no such system call or operation")                                                                   \
  X(2, E_HANDLE, "no such handle, or a stale one")                                                                   \
  X(3, E_TYPE, "the handle names an object of another type")                                                         \
  X(4, E_RIGHTS, "the handle lacks the right for this operation")                                                    \
  X(5, E_ARG, "an argument is out of range or not aligned")                                                          \
  X(6, E_NOMEM, "no kernel memory left in the pager's donations, or the task's quota is used up")                    \
  X(7, E_FAULT, "an address of the caller is not accessible")                                                        \
  X(8, E_PEER, "an address of the other party is not accessible")                                                    \
  X(9, E_TOKEN, "no such reply token, or one already used")                                                          \
  X(10, E_DEAD, "the other party has died")                                                                          \
  X(11, E_EXISTS, "a page or object is there already, and is not the one expected")                                  \
  X(12, E_OWNER, "the frame is not owned by this pager, or is in use by the kernel")                                 \
  X(13, E_WX, "the mapping would make a frame both writable and executable")                                         \
  X(14, E_BUSY, "the object is in use")                                                                              \
  X(15, E_FULL, "a table of fixed size is full")                                                                     \
  X(16, E_PENDING, "the other party's page is on its way; \"copy ready\" will be delivered")                         \
  X(17, E_NOFRAME, "no frame could be had for an address that is otherwise legal")

#ifndef __ASSEMBLER__
enum q_error {
#define X(n, name, text) Q_##name = n,
  Q_ERRORS(X)
#undef X
};

typedef uint64_t q_handle; /* slot in the low 16 bits, 32 of generation above; 0 is never a handle */
typedef uint64_t q_token;  /* one-shot right to answer one waiting thread; 0 is never a token */
#endif

/* ---- System calls: number in a7. At most 16 numbers and 32 operations (operation in a1 where there are several). --
 * The kernel keeps ra, sp, gp, tp and s0-s11. It returns in a0 (status) and a1-a7, t0-t3 as stated at each call; all
 * other caller-saved registers come back zero. A call that blocks or is interrupted restarts at its ecall with its
 * registers saying what remains. reply_recv alone does not keep s1-s11: who waits for the next message needs little of what
 * it did for the last, and a message then costs twelve stores less. */
#define Q_SYSCALLS(X)                                                                                                \
  X(0, null)                                                                                                         \
  X(1, call)                                                                                                         \
  X(2, reply_recv)                                                                                                   \
  X(3, copy)                                                                                                         \
  X(4, notify)                                                                                                       \
  X(5, map)                                                                                                          \
  X(6, unmap)                                                                                                        \
  X(7, protect)                                                                                                      \
  X(8, harvest)                                                                                                      \
  X(9, task)                                                                                                         \
  X(10, thread)                                                                                                      \
  X(11, pager)                                                                                                       \
  X(12, handle)                                                                                                      \
  X(13, object)                                                                                                      \
  X(14, sleep)                                                                                                       \
  X(15, machine)
#define Q_SYS_COUNT 16

/* Operations of the calls that have several: X(call, number, name). */
#define Q_OPERATIONS(X)                                                                                              \
  X(task, 0, create)                                                                                                 \
  X(task, 1, stop)                                                                                                   \
  X(task, 2, give)                                                                                                   \
  X(task, 3, supervise)                                                                                              \
  X(task, 4, quota)                                                                                                  \
  X(thread, 0, create)                                                                                               \
  X(thread, 1, start)                                                                                                \
  X(thread, 2, priority)                                                                                             \
  X(thread, 3, stop)                                                                                                 \
  X(pager, 0, create)                                                                                                \
  X(pager, 1, window)                                                                                                \
  X(pager, 2, donate)                                                                                                \
  X(pager, 3, reclaim)                                                                                               \
  X(pager, 4, grant)                                                                                                 \
  X(handle, 0, dup)                                                                                                  \
  X(handle, 1, close)                                                                                                \
  X(handle, 2, destroy)                                                                                              \
  X(handle, 3, info)                                                                                                 \
  X(object, 0, endpoint)                                                                                             \
  X(object, 1, irq)                                                                                                  \
  X(machine, 0, write)                                                                                               \
  X(machine, 1, off)                                                                                                 \
  X(machine, 2, info)                                                                                                \
  X(machine, 3, log)

#ifndef __ASSEMBLER__
enum q_syscall {
#define X(n, name) Q_SYS_##name = n,
  Q_SYSCALLS(X)
#undef X
};
enum q_operation {
#define X(call, n, name) Q_##call##_##name = n,
  Q_OPERATIONS(X)
#undef X
};
#endif

/* null()                                         Does nothing; what it costs is the cost of entering the kernel.
 *
 * call(a0 endpoint, a1 label, a2-a5 words, t0 handle, t1 readable buffer, t2 its bytes, t3 writable buffer, t4 its
 *      bytes)                                    Right: SEND. Unused ones are 0. Label < 2^16.
 *   -> a0 0, a1 reply label, a2-a5 words, t0 handle received (0: none).
 *   Errors: E_HANDLE, E_TYPE, E_RIGHTS, E_ARG (label, or a handle that may not be passed on), E_DEAD (the server died,
 *   or the endpoint did, before the answer).
 *   The server may read or write just the two buffers, with `copy`, until it replies.
 *
 * reply_recv(a0 endpoint or 0, a1 reply label or Q_REPLY_*, a2-a5 words, a6 token or 0, t0 handle to pass or 0)
 *   Replies if a6 is not 0, then receives if a0 is not 0. Right on the endpoint: RECV. A failed reply skips the
 *   receive, changes nothing and leaves its token valid (E_TOKEN: it never was), and a1-a6 as they were given, so that it
 *   can be mended and made again; else the token is spent.
 *   -> a0 Q_MSG_*, and by kind (with a0 = 0 given: a0 0 once replied):
 *        Q_MSG_CALL          a1 label, a2-a5 words, a6 token, a7 badge, t0 handle (0: none), t1 and t2 the bytes of
 *                            the caller's readable and writable buffer
 *        Q_MSG_FAULT         a1 Q_FAULT_* | Q_FAULT_COPY | Q_FAULT_THREADS, a2 address, a3 pc, a4 sp, a5 the frame of the page that is
 *                            there but does not allow it (0: none is) | Q_FAULT_SOLE if it is mapped nowhere else,
 *                            a6 token, a7 badge of the task
 *        Q_MSG_EXCEPTION     a1 scause, a2 stval, a3 pc, a4 sp, a5 reason (see REFUSE), a6 token, a7 badge
 *        Q_MSG_NOTIFY        a2 bits (cleared by this receive)
 *        Q_MSG_COPY_READY    as the CALL with this token once more: a `copy` that was PENDING can go on
 *        Q_MSG_COPY_FAILED   the same; t3 is the error (E_PEER, E_NOFRAME; E_DEAD: the token is void, forget it)
 *        The two come to whoever receives next on the endpoint of the call, with the token from then on his.
 *   Errors of the reply: E_TOKEN, E_ARG, those of `map` for Q_REPLY_MAP, and of a handle that is passed: E_FULL,
 *   E_NOMEM (of the caller's table). Of the receive: E_HANDLE, E_TYPE,
 *   E_RIGHTS, E_DEAD (the endpoint was destroyed).
 *
 * Answers to Q_MSG_FAULT, in a1:
 *   Q_REPLY_MAP      a2 page address, a3 frame address | Q_PROT_*, a4 pages (1..Q_MAP_MAX, consecutive frames),
 *                    a5 0, or frame address | Q_EXPECT that is expected to be there and is replaced (one page);
 *                    with Q_EXPECT_SHARED beside it the frame is expected to be mapped elsewhere, too, without it nowhere
 *                    else. If that no longer holds, E_EXISTS: no frame is lost by two who both leave it to the other,
 *                    and none is written or forgotten that another has got meanwhile
 *   Q_REPLY_RETRY    the page is there: let the thread try again
 *   Q_REPLY_REFUSE   a2 E_FAULT or E_NOFRAME. A kernel copy: the call returns E_FAULT / E_NOFRAME (caller's own
 *                    memory) or the server gets COPY_FAILED. The program itself: its supervisor gets an EXCEPTION.
 * Answers to Q_MSG_EXCEPTION, in a1: Q_REPLY_RESUME, a2 the pc to go on at. (To end it instead, stop its task.)
 *
 * copy(a0 token, a1 Q_COPY_FROM or Q_COPY_TO, a2 offset in the caller's buffer, a3 own address, a4 bytes, a5 0)
 * copy(a0 token, a1 Q_COPY_BETWEEN, a2 offset in that caller's buffer, a3 token of the other, a4 bytes, a5 0,
 *      a6 offset in the other's buffer)
 *   FROM reads the readable buffer of the caller whose token this is, TO writes its writable one. BETWEEN reads the first's
 *   readable buffer and writes the other's writable one; they may be threads of one task, or the same thread.
 *   -> a0 0 or error, a1 bytes done (0 with E_TOKEN, which may come after some were). Never blocks on another party: if a
 *   page of a caller is not there, a pager that waits for messages and is of higher priority runs first and may answer;
 *   then the copy goes on. E_PENDING: the page has not come so (of the caller whose token is in a2), and COPY_READY or
 *   COPY_FAILED comes with that token where its call was received. E_ARG: outside a buffer. E_FAULT: own memory refused. E_TOKEN.
 *
 * notify(a0 endpoint, a1 bits)                   Right: NOTIFY. ORs (bits & badge) into the endpoint's pending bits.
 * notify(a0 IRQ)                                 Right: MANAGE. Acknowledges it: its source may interrupt again.
 *
 * map(a0 pager, a1 task, a2 page address, a3 frame address | Q_PROT_*, a4 pages, a5 expected | Q_EXPECT* or 0)
 *   Right on the pager: MAP; the task must be paged by it. Pages 1..Q_MAP_MAX: checked whole before any is mapped.
 *   Errors: E_HANDLE..E_RIGHTS, E_ARG, E_OWNER, E_EXISTS, E_WX, E_NOMEM (page table).
 *   With Q_PROT_DEVICE, frames outside RAM; the pager object must have the right to devices (the first one has).
 * unmap(a0 pager, a1 task, a2 page address, a3 pages, a4 array of uint64_t, a5 its entries, | Q_UNMAP_LAST)
 *   Removes what is there, holes tolerated; writes into the array each frame's address, with bit 0 set if it is now
 *   mapped nowhere and bit 1 if the page was dirty; with Q_UNMAP_LAST only those with bit 0. -> a0 0, a1 entries written,
 *   a2 next page address (after the last one removed, if the array is full), a3 pages that remain (call again until 0),
 *   a4 pages removed. The array must be resident in the caller (E_FAULT).
 *   With a5 0, just one page (else E_ARG): -> a0 0, a1 what the array would have said, 0 if nothing was there.
 * protect(a0 pager, a1 task, a2 page address, a3 pages, a4 Q_PROT_*, a5 0 or a task)    Holes tolerated. Errors as map.
 *   With a5, a task of the same pager, each page that is there becomes one of that task too, at the same address and
 *   with the same protection. What that task has already from the same frame is passed over, so after E_NOMEM (page
 *   table) the call can be made again. E_EXISTS: it has another frame there; E_ARG: a device's page. a4 0 is then no
 *   error: each page keeps the protection it has, but the right to write, in both tasks.
 * harvest(a0 pager, a1 task, a2 page address, a3 pages (1..64), a4 bits of Q_HARVEST_* to clear)
 *   -> a0 0, a1 accessed, a2 dirty, a3 present: one bit a page.
 *
 * task_create(a0 pager, a2 badge, a3 quota)      Right: CREATE. -> a0 0, a1 task handle (all rights). The badge names
 *   the task in fault messages; the quota is the number of kernel pages it may use for its own objects. They are set
 *   aside from now on: tables and other tasks leave them free. Errors: E_ARG (quota over 64), E_NOMEM, E_FULL.
 * task_stop(a0 task)                             Right: MANAGE. Ends all its threads, for good.
 * task_give(a0 task, a2 handle, a3 rights, a4 badge)   Right: MANAGE. As handle_dup, but into the table of that task.
 *   -> a0 0, a1 the handle's value there.
 * task_supervise(a0 task, a2 endpoint, a3 badge) Right: MANAGE; SEND on the endpoint. Its exceptions go there.
 * task_quota(a0 pager, a2 task, a3 pages)        Rights: CREATE; MANAGE on the task, which it pages. So many pages more
 *   are its quota, and set aside. Errors: E_OWNER, E_ARG (over 64 in all), E_NOMEM.
 *
 * thread_create(a0 task, a2 priority 0..7, a3 pc or 0, a4 sp, a5 argument in a0)   Right: THREAD. Not above the caller's
 *   own priority. -> a0 0, a1 thread handle. With a pc it starts at once, and nobody has a handle to it: a1 0.
 *   Errors: E_ARG (priority, odd pc), E_DEAD (the task was stopped), E_NOMEM, E_FULL.
 * thread_start(a0 thread, a2 pc, a3 sp, a4 argument in a0)   Right: MANAGE. One that is new or stopped. With pc 0
 *   all registers are what they were: one that was stopped goes on (and a new one begins at 0). Errors: E_ARG (odd pc), E_BUSY,
 *   E_DEAD (the task was stopped).
 * thread_priority(a0 thread, a2 priority)        Right: MANAGE.
 * thread_stop(a0 thread)                         Right: MANAGE. It runs no more, until it is started once more. -> a0 0. Errors:
 *   E_ARG (the caller itself), E_BUSY (it does not run: it waits in a call, or for the answer to a fault).
 *
 * pager_create(a0 parent pager)                  Right: CREATE. -> a0 0, a1 pager handle, a2 handle of its endpoint
 *   (all rights). It owns no frames yet. Errors: E_NOMEM, E_FULL.
 * pager_window(a0 pager, a2 task)                Rights: MAP; MANAGE on the task. Shows that task all frames the pager
 *   owns, now and later, at Q_WINDOW + physical address. One task at a time (a dead one gives it up); the task must be
 *   paged by another pager object or be the first one. Errors: E_BUSY, E_EXISTS (it has a page of its own there),
 *   E_NOMEM (page table).
 * pager_donate(a0 pager, a2 block address)       Right: MAP. Gives the 2 MiB block to the kernel for objects. E_OWNER
 *   (not all owned), E_BUSY (a frame is mapped).
 * pager_reclaim(a0 pager)                        Right: MAP. -> a0 0, a1 address of a block that came back scrubbed.
 *   E_BUSY: no donated block is empty, or its pages are set aside for tasks.
 * pager_grant(a0 from, a2 to, a3 block address)  Right: MAP on from; CREATE on to. Moves a whole 2 MiB block of
 *   frames, which unmaps it from every task that `from` pages. Taking back is the grant the other way.
 *   Errors: E_OWNER (not all of it is from's), E_EXISTS and E_NOMEM (window). They change nothing, but for what is
 *   unmapped by then. If the caller ends half-way, the block can't be mapped until it is granted again, if to `from`.
 *
 * handle_dup(a0 handle, a2 rights, a3 badge)     -> a0 0, a1 new handle with the rights both have. Needs DUP. The badge
 *   is taken if the original's is 0, else it stays. Errors: E_FULL, E_NOMEM (table).
 * handle_close(a0 handle)
 * handle_destroy(a0 handle)                      Right: MANAGE. Ends the object itself (task, thread, endpoint, IRQ,
 *   pager); every handle to it is void. Callers waiting there get E_DEAD. A task is stopped first.
 *   Errors: E_RIGHTS, E_TYPE (the machine), E_BUSY (the caller's own task, a pager object's endpoint, a pager object
 *   that still has frames, donations, tasks or a window).
 *
 * handle_info(a0 handle)                         What the object is at. Errors: E_TYPE (it is none of these).
 *   pager  -> a0 0, a1 frames owned, a2 kernel pages donated, a3 of those free.
 *   task   -> a0 0, a1 its threads, a2 Q_STATE_* of the first, a3 the badge of the task that holds what it waits for
 *             (CALL, FAULT; ~0: nobody received it yet).
 *
 * object_endpoint()  (a1 = operation)            -> a0 0, a1 handle with all rights. Charged to the caller's quota.
 * object_irq(a0 machine, a2 source, a3 endpoint, a4 bits)   Right: IRQ; NOTIFY on the endpoint. -> a1 handle. The bits
 *   are notified there at each interrupt; the source is quiet until it is acknowledged (notify). Source 0 is the log:
 *   from now on machine_write fills it, and it interrupts when it has been filled. E_ARG (no such source), E_BUSY.
 *
 * sleep(a0 absolute time in timebase ticks)      0: let others of this priority run. -> a0 0.
 *
 * machine_write(a0 machine, a2 address, a3 bytes)   Right: DEBUG. To the log if somebody has it (object_irq, source 0),
 *   else to the firmware's console. -> a0 0. E_FAULT. E_FULL: the log has no room now; a1 bytes are not written yet.
 * machine_log(a0 machine, a2 address, a3 bytes)   Right: IRQ. Takes the oldest bytes out of the log. -> a0 0, a1 bytes,
 *   as many as there are, up to the end of the page.
 * machine_off(a0 machine, a2 status)             Right: POWER. Turns the machine off; 0 is success.
 * machine_info(a0 machine, a2 address of struct q_info)   Right: DEBUG. In builds with check_invariants, checks the
 *   whole state first.
 */

/* ---- Messages ---------------------------------------------------------------------------------------------------- */
#define Q_MSG_CALL 0
#define Q_MSG_FAULT 1
#define Q_MSG_EXCEPTION 2
#define Q_MSG_NOTIFY 3
#define Q_MSG_COPY_READY 4
#define Q_MSG_COPY_FAILED 5

#define Q_FAULT_READ 0
#define Q_FAULT_WRITE 1
#define Q_FAULT_EXECUTE 2
#define Q_FAULT_KIND 3
#define Q_FAULT_SOLE 1    /* in a5, beside the frame */
#define Q_FAULT_THREADS 8 /* the program has several threads: another may be changing its memory meanwhile */
#define Q_FAULT_COPY 4    /* a kernel copy touched the address, not the program's own instruction */

#define Q_REPLY_MAP 1
#define Q_REPLY_RETRY 2
#define Q_REPLY_REFUSE 3
#define Q_REPLY_RESUME 4

#define Q_COPY_FROM 0
#define Q_COPY_TO 1
#define Q_COPY_BETWEEN 2

/* Protections, in the low bits of a frame address. */
#define Q_PROT_READ 1
#define Q_PROT_WRITE 2
#define Q_PROT_EXECUTE 4
#define Q_PROT_DEVICE 8
#define Q_PROT_MASK 15
#define Q_MAP_MAX 64
#define Q_EXPECT 1
#define Q_EXPECT_SHARED 2
#define Q_UNMAP_LAST (1ul << 63) /* unmap: only what is mapped nowhere now is told of */

#define Q_HARVEST_ACCESSED 1
#define Q_HARVEST_DIRTY 2

/* What a thread is at (handle_info). */
#define Q_STATES(X)                                                                                                  \
  X(0, FREE, "no thread")                                                                                            \
  X(1, NEW, "not started")                                                                                           \
  X(2, READY, "ready")                                                                                               \
  X(3, CALL, "call")                                                                                                 \
  X(4, FAULT, "fault")                                                                                               \
  X(5, RECEIVE, "receive")                                                                                           \
  X(6, SLEEP, "sleep")                                                                                               \
  X(7, ZOMBIE, "ending")
#ifndef __ASSEMBLER__
enum q_state {
#define X(n, name, text) Q_STATE_##name = n,
  Q_STATES(X)
#undef X
};
#endif

/* ---- Rights ------------------------------------------------------------------------------------------------------ */
#define Q_RIGHT_SEND 1     /* endpoint: call */
#define Q_RIGHT_RECV 2     /* endpoint: receive */
#define Q_RIGHT_NOTIFY 4   /* endpoint: signal */
#define Q_RIGHT_MANAGE 8   /* any: control and destroy */
#define Q_RIGHT_DUP 16     /* any: duplicate, give, pass in a message */
#define Q_RIGHT_THREAD 32  /* task: create threads */
#define Q_RIGHT_MAP 64     /* pager: map, unmap, protect, harvest, donate, reclaim, grant, window */
#define Q_RIGHT_CREATE 128 /* pager: create tasks and pager objects from its donations, receive granted frames */
#define Q_RIGHT_DEBUG 1    /* machine: console, information */
#define Q_RIGHT_POWER 2    /* machine: off */
#define Q_RIGHT_IRQ 4      /* machine: interrupts, the log among them */
#define Q_RIGHT_ALL 255

/* ---- Memory layout (Sv39: the lower half, 256 GiB, is the user's; ISA manual, volume II, 4.4) --------------------- */
#define Q_PAGE_SHIFT 12
#define Q_PAGE_SIZE 4096
#define Q_BLOCK_SIZE 0x200000
#define Q_USER_TOP 0x4000000000 /* first address that is not the user's */
#define Q_WINDOW 0x2000000000   /* a pager sees the frame at physical address p at Q_WINDOW + p */

#define Q_PRIORITIES 8 /* 7 is the highest: the pager's */
#define Q_PRIORITY_PAGER 7
#define Q_PRIORITY_SERVER 5
#define Q_PRIORITY_PROGRAM 3

#ifndef __ASSEMBLER__
/* What the kernel tells the first program, at the address in a0 when it starts. */
#define Q_BOOT_RANGES 32
#define Q_BOOT_VIRTIO 8
struct q_range {
  uint64_t base, bytes;
};
struct q_device {
  struct q_range registers;
  uint64_t irq; /* its interrupt source; 0: none that is known */
};
struct q_boot {
  uint64_t version;           /* Q_BOOT_VERSION */
  uint64_t ram_base, ram_end; /* all RAM lies between; frame number = (address - ram_base) / 4096 */
  uint64_t timebase;          /* ticks of the time counter a second */
  uint64_t harts;
  uint64_t initrd_base, initrd_bytes; /* inside owned frames: read it through the window */
  q_handle pager, endpoint, task, thread, machine;
  struct q_range uart; /* the console's registers (/chosen/stdout-path); bytes 0: none that is known */
  uint64_t uart_irq;
  uint64_t zero_block; /* bytes that cbo.zero (Zicboz) zeroes: they divide a page. 0: it is not to be used */
  uint64_t free_count; /* owned frames that hold nothing: these ranges */
  struct q_range free[Q_BOOT_RANGES];
  char arguments[1024]; /* /chosen/bootargs, NUL-terminated */
  uint64_t virtio_count;
  struct q_device virtio[Q_BOOT_VIRTIO]; /* virtio,mmio: places where a device may be, in the device tree's order */
};
#define Q_BOOT_VERSION 4

/* What machine_info reports. Frames and pages are of 4 KiB. */
struct q_info {
  uint64_t ram_frames;      /* all RAM of the device tree */
  uint64_t reserved_frames; /* firmware, device tree: never handed out */
  uint64_t kernel_frames;   /* kernel image, frame table, boot tables */
  uint64_t owned_frames;    /* owned by pagers */
  uint64_t donated_pages;   /* kernel pages donated, and of these free */
  uint64_t donated_free;
  uint64_t tasks, threads, endpoints, irqs, pagers, handles, tables; /* live objects of each kind */
  uint64_t irq_off_max;        /* longest kernel stretch in instructions; 0 where the build does not measure it */
  uint64_t spurious, switches; /* since boot: faults that the page table did not justify, turns of the scheduler */
  uint64_t checks;             /* whole-state checks that ran (check_invariants builds) */
  uint64_t entry_instret;      /* the counter at the kernel's entry */
  uint64_t boot_instructions;  /* from there to the first user instruction */
  uint64_t harts;              /* that take part. Since boot, of all of them: */
  uint64_t contended;          /* waits for a lock that another hart had */
  uint64_t exclusive;          /* entries that kept the other harts out of the kernel */
  uint64_t kicks, shootdowns;  /* interrupts sent to another hart; fences of other harts' translations */
  uint64_t moves;              /* threads that went on on another hart */
  char version[16];
};
#endif
#endif
