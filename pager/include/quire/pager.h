/* SPDX-License-Identifier: BSD-2-Clause */
/* The contract between the pager and the programs it pages: the requests a program may send, and where things lie in
 * its address space. Both sides include this file. docs/protocol.md is the prose beside it. */
#ifndef QUIRE_PAGER_H
#define QUIRE_PAGER_H

#include <quire/abi.h>

/* ---- What a program starts with ---------------------------------------------------------------------------------- */
/* Handles. The pager's endpoint carries the program's badge, which is its process id. */
#define P_HANDLE_PAGER 1   /* SEND */
#define P_HANDLE_MACHINE 2 /* DEBUG */
#define P_HANDLE_TASK 3    /* its own task: THREAD */
#define P_HANDLE_GIFT 4    /* what its parent passed with spawn, or nothing */

/* A server, which the boot option serve=PROGRAM[:ARGUMENT...] starts, finds there instead: */
#define P_HANDLE_OWN                                                                                                 \
  4 /* RECV, SEND, NOTIFY, DUP: its endpoint, which outlives it; a server that dies is started again */
#define P_HANDLE_BELOW                                                                                               \
  5 /* SEND; NOTIFY, P_BIT_ABOVE: the endpoint of the server named before it; no rights for the first one */
#define P_HANDLE_ABOVE 6 /* NOTIFY, P_BIT_BELOW: the endpoint of the server named after it, if there is one */
/* Its handle of the machine has IRQ too. All its memory is resident: it never faults. When it exits, the machine is
 * turned off with its status. */
#define P_BIT_CLOSE (1ul << 63) /* notified to the first server when the machine is to be turned off: it exits then */
#define P_BIT_BELOW (1ul << 62)
#define P_BIT_ABOVE (1ul << 61)

/* At entry sp is 16-aligned and points at argc, then argv[0..argc-1], 0, the environment, 0, as in the RISC-V ELF
 * psABI's Linux note; the strings lie above. a0 is P_HANDLE_GIFT if that is the server the program belongs to
 * (P_SPAWN_CLIENT), else 0. All other registers are zero. */

/* ---- Address space ----------------------------------------------------------------------------------------------- */
#define P_IMAGE_BASE 0x10000   /* programs are linked here; the heap starts at the page after the image's last */
#define P_STACK_BYTES 0x800000 /* the stack's limit */
#define P_STACK_TOP                                                                                                  \
  (Q_USER_TOP - Q_PAGE_SIZE) /* the last page is never mapped: 4-byte fetches cannot leave the half */
#define P_STACK_BASE (P_STACK_TOP - P_STACK_BYTES)
#define P_GUARD_BYTES 0x200000 /* the least gap between the break and P_STACK_BASE, never mapped */
#define P_BREAK_MAX (P_STACK_BASE - P_GUARD_BYTES)

/* ---- Requests: call(P_HANDLE_PAGER, label, ...). The reply's label is 0 or an errno value of picolibc. ------------- */
#define P_REQUESTS(X)                                                                                                \
  X(1, sbrk)                                                                                                         \
  X(2, exit)                                                                                                         \
  X(3, spawn)                                                                                                        \
  X(4, watch)                                                                                                        \
  X(5, reap)                                                                                                         \
  X(6, kill)                                                                                                         \
  X(7, stats)                                                                                                        \
  X(8, system)                                                                                                       \
  X(9, trace)                                                                                                        \
  X(10, device)                                                                                                      \
  X(11, initrd)                                                                                                      \
  X(12, fork)                                                                                                        \
  X(13, exec)                                                                                                        \
  X(14, map)                                                                                                         \
  X(15, unmap)                                                                                                       \
  X(16, protect)                                                                                                     \
  X(17, object)                                                                                                      \
  X(18, thaw)                                                                                                        \
  X(19, thread)                                                                                                      \
  X(20, thread_end)                                                                                                  \
  X(21, policy)                                                                                                      \
  X(22, area)                                                                                                        \
  X(23, advise)                                                                                                      \
  X(24, figures)

enum p_request {
#define X(n, name) P_##name = n,
  P_REQUESTS(X)
#undef X
      P_REQUESTS_END
};

/* sbrk(a2 signed bytes, a3 flags)       -> a2 the old break. Only the size changes; with P_SBRK_POPULATE the new pages
 *      are mapped at once, or ENOMEM and nothing changed. Shrinking gives the frames back at once. ENOMEM: past
 *      P_BREAK_MAX. EINVAL: below the heap's start, or unknown flags.
 * exit(a2 status)                       No answer: everything the program had is given back.
 * spawn(a2 bytes in use of the readable buffer, a3 flags, a4 strings of these that are the environment, a5 object or 0;
 *      readable buffer: name NUL argument NUL ... variable NUL ...; t0 handle or 0)
 *                                       -> a2 process id of a new program from the boot image, a child of the caller,
 *      which finds the handle as P_HANDLE_GIFT. argv[0] is the name. ENOENT, ENOEXEC, ENOMEM, EAGAIN (too many
 *      processes, or the policy admits no more), E2BIG (over P_SPAWN_MAX bytes or P_SPAWN_STRINGS), EINVAL, EFAULT, EPERM. Flags: P_SPAWN_QUIET prints no diagnosis when it
 *      dies. P_SPAWN_NAMED: the first string is only the program's name in the boot image; argv[0] is the second. With an
 *      object (of the caller's, a server's), its bytes are the program, and the name just what it is called.
 *      P_SPAWN_STRICT: it and its descendants have all their memory promised, whatever the boot option memory= says: what
 *      could not be had is refused when it is asked for (ENOMEM), not when it is touched.
 *      P_SPAWN_CLIENT: it belongs to the server that the handle names, and may not itself spawn, watch, reap or
 *      kill here (EPERM); that is what it asks the server for.
 * watch(a2 bits; t0 endpoint, NOTIFY)   The bits are notified there each time a child of the caller ends. t0 0: no more.
 * reap(a2 process id or 0 for any; writable buffer: struct p_death)
 *                                       -> a2 process id of an ended child, whose record is written and forgotten;
 *      a3 1 if another has ended.
 *      EAGAIN: none ended yet. ECHILD: no such child. Children of a parent that ended are forgotten by themselves.
 * kill(a2 process id)                   Ends a descendant. ESRCH, EPERM.
 * stats(a2 process id, 0: self; writable buffer: struct p_stats)    ESRCH.
 * system(writable buffer: struct p_system; a2 flags)    With P_SYSTEM_DROP, empties the caches first; with P_SYSTEM_READY,
 *      zeroes up to 2048 free frames beforehand, which faults then need not do. EINVAL: other flags.
 * trace(a2 P_TRACE_*, a3 process id to record, 0: all; writable buffer: struct p_trace[])
 *                                       P_TRACE_READ -> a2 entries written, oldest first, a3 entries lost. The ring
 *      holds P_TRACE_RING of them. One program records at a time: the one that started last; it ends with it.
 * fork(a2 process id of a child of the caller, 0: the caller; a3 pc, a4 sp, a5 badge or 0; t0 handle or 0)
 *                                       -> a2 process id of a new program, a child of the caller, with the memory that the
 *      other has at this moment: each page is copied when one of them writes it. It has one thread, which begins at pc
 *      with sp, in a0 what a program has there when it starts, all other registers zero; and the handles of a new
 *      program. With a badge, of a server only, its P_HANDLE_GIFT is one to the server's own endpoint with that badge. ENOMEM,
 *      EAGAIN (too many processes, or the policy admits no more), ESRCH, EPERM (a server; or not the caller's child), EINVAL (the child of a server's client
 *      without a handle or badge; a badge from somebody else; a pc of 0 or an odd one).
 * exec(a2 process id of a child of the caller, 0: the caller; a3 bytes in use of the readable buffer, a4 strings of these
 *      that are the environment, a5 object or 0; readable buffer as for spawn with P_SPAWN_NAMED; t0 handle or 0)
 *      The program becomes another one: its memory, threads and handles go, its id and its parent stay. 0 to a caller that
 *      asked for a child; no answer to one that is no more. Errors as spawn, and ESRCH; nothing has changed then.
 * map(a2 address or 0, a3 bytes, a4 Q_PROT_* | P_MAP_*; for servers too, for a child, readable buffer: struct p_mapped)
 *                                       -> a2 address of a new region. Its pages come when they are touched: of zeros,
 *      or those of the object. P_MAP_FIXED: just there, in place of whatever mapping there was; else the address is where
 *      it is put if that is free. P_MAP_SHARED: children made by fork share its pages, written ones too. EINVAL
 *      (no bytes, address not of a page, unknown flags, protection that is writable and executable or not readable;
 *      0 is allowed and means no access; an object that is shared), ENOMEM (no such place, no memory, over 1.5 GiB that are
 *      shared), EEXIST (the image, heap or stack lies there). Protection 0 promises a strict program nothing.
 * unmap(a2 page address, a3 bytes)      Regions of map only, holes tolerated: EINVAL.
 * protect(a2 page address, a3 bytes, a4 Q_PROT_*)    Regions of map only. ENOMEM (a hole), EINVAL, EACCES (a page of it
 *      is one of another mapping that may write it, or could, and would be executable).
 * object(a2 bytes of a file; readable buffer: uint64_t[], the address of each page in the caller's own memory, 0: zeros)
 *                                       -> a2 object. Servers only (EPERM). These pages are the object's from now on, and
 *      read-only to the caller until it has thawed them: to write to one in between is a fault, which costs a copy.
 *      ENOMEM, EFAULT, ENFILE (1,023 at a time), EINVAL (no bytes, or more than 1.5 GiB).
 * object(a3 object)                     Drops it: it goes when no program has any of it. EINVAL.
 * thaw(a2 page address)                 The page is the caller's alone again, with the content it has: to be done before it
 *      is written or given back, whether or not the object still lives. Servers only. ENOMEM.
 * thread(a2 pc, a3 sp, a4 argument in a0)   A further thread of the caller, of the programs' priority, which begins at pc with
 *      all other registers zero. Its argument is its name. EAGAIN (P_THREADS of them, or no memory for it), EEXIST (a thread
 *      of that name), EINVAL (pc), EPERM (a server, which makes its threads by P_HANDLE_TASK).
 * thread_end(a2 name, a3 page address, a4 bytes or 0)   Ends that thread, which may be the one that asks, and then unmaps as
 *      unmap does: so a thread gives back its own stack. ESRCH; EINVAL, ENOMEM: the thread has ended, but that is mapped.
 * policy(a2 process id, 0: the caller; a3 pages of its own that it may have, 0: as it is; readable buffer: words as after the
 *      boot option policy=, or nothing: as it is; writable buffer, or nothing)    What the program has carries over. EINVAL (words
 *      that are not understood or do not go together, fewer than 4 pages or more than 65,536, or a budget and no policy of
 *      replacement: a writable buffer of P_POLICY_WRONG bytes then says which, as a string), ENOTSUP (the boot option budget= is not
 *      given, or says that all programs share one; a program whose memory is promised), ENFILE (more than 32 different words since
 *      boot), ESRCH, EPERM (neither the caller, its descendant, nor a client of the server that the caller is one of), ENOMEM.
 *      EINVAL also: words of what only the boot option chooses, as `largest`, or of a budget where there is none.
 * advise(a2 page address, a3 bytes, a4 P_ADVICE_*)    NORMAL, RANDOM, SEQUENTIAL: told to the policy. WILLNEED: the first P_ADVISED
 *      pages come before they are touched, as the policy says; without a word of it, those that were evicted. COLD: they are not
 *      needed soon, and may be evicted first. DISCARD: they go at once, and come again as they came first: as zeros, or from the
 *      file. ENOMEM: there are holes, the rest is done; or it is not all within the program's half of addresses, and nothing is.
 *      EINVAL (other advice, address not of a page, a server).
 * figures(a2 process id, 0: the caller; writable buffer: struct p_figures)    The words of its policies, and what they count.
 *      ESRCH.
 * device(a2 0: the console, 1 to Q_BOOT_VIRTIO: a place where a virtio device may be)
 *                                       -> a2 address of its registers, mapped for the caller, a3 their bytes, a4 its
 *      interrupt source. Servers only (EPERM). ENODEV.
 * area(a2 pages, a3 0)                  -> a2 address of so many pages, mapped for the caller, a3 their physical address: they
 *      lie in a row, and a device may be told of them. Zeros, but for the next instance of a server, which finds the same
 *      ones as the last one left them: its device may still be writing there. Servers only (EPERM). EINVAL (none, over
 *      P_AREA_MAX, or not as many as before), ENOMEM.
 * area(0, a3 1)                         The same of the server below, whose area the caller sees. ENODEV: it has none (yet).
 * initrd()                              -> a2 address of the boot image, mapped for the caller to read, a3 its bytes. Of its
 *      first file of the name "pager" whole pages are missing: that memory is in use again.
 *      Servers only (EPERM). ENOMEM.
 */
#define P_SBRK_POPULATE 1
#define P_SPAWN_QUIET 1
#define P_SPAWN_CLIENT 2
#define P_SPAWN_NAMED 4
#define P_SPAWN_STRICT 8
#define P_SPAWN_MAX 32768 /* bytes of arguments and environment */
#define P_SPAWN_STRINGS 512
#define P_OBJECT_MAX 0x60000000 /* bytes of an object */
#define P_AREA_MAX 64           /* pages */
#define P_THREADS 128           /* of a program that the pager makes, at a time, beside its first */
#define P_THREADS_ALL 32768     /* of all programs */
#define P_PROCESSES 16384       /* fewer than that at a time */
#define P_POLICY_MAX 48         /* bytes of its words, with their NUL */
#define P_POLICY_WRONG 192      /* bytes of what is wrong with them, likewise */
#define P_FIGURES 12
#define P_NAME_MAX 64   /* of a program, with its NUL */
#define P_MAP_SHARED 16 /* beside Q_PROT_*, which are below */
#define P_MAP_FIXED 32
#define P_ADVICE_NORMAL 0 /* the numbers are Linux's */
#define P_ADVICE_RANDOM 1
#define P_ADVICE_SEQUENTIAL 2
#define P_ADVICE_WILLNEED 3
#define P_ADVICE_DISCARD 4
#define P_ADVICE_COLD 20
#define P_ADVISED 512 /* pages that WILLNEED brings in at most */
#define P_SYSTEM_DROP 1
#define P_SYSTEM_READY 2
#define P_TRACE_START 0
#define P_TRACE_STOP 1
#define P_TRACE_READ 2
#define P_TRACE_RING 256

/* Why a program ended, or why a fault was refused. */
#define P_REASONS(X)                                                                                                 \
  X(0, EXIT, "exited")                                                                                               \
  X(1, KILLED, "killed")                                                                                             \
  X(2, NULL, "null page")                                                                                            \
  X(3, BREAK, "at or above the break")                                                                               \
  X(4, GUARD, "guard gap")                                                                                           \
  X(5, BELOW_SP, "below the stack pointer")                                                                          \
  X(6, HOLE, "nothing lives here")                                                                                   \
  X(7, TEXT, "write to a read-only segment")                                                                         \
  X(8, NOEXEC, "execute of data")                                                                                    \
  X(9, KERNEL, "not a user address")                                                                                 \
  X(10, NOFRAME, "out of memory")                                                                                    \
  X(11, EXCEPTION, "exception")                                                                                      \
  X(12, ACCESS, "not what the mapping allows")                                                                       \
  X(13, STORE, "its page could not be read back")                                                                    \
  X(14, CHOSEN, "chosen to end: out of memory")                                                                      \
  X(15, FULL, "the store is full")

enum p_reason {
#define X(n, name, text) P_REASON_##name = n,
  P_REASONS(X)
#undef X
};

struct p_mapped {
  uint64_t id;     /* of the child */
  uint64_t object; /* 0: zeros */
  uint64_t offset; /* in the object: of a page */
};

struct p_death {
  uint64_t id;
  uint64_t reason;  /* P_REASON_* */
  uint64_t status;  /* EXIT: what it said. EXCEPTION: scause. */
  uint64_t kind;    /* Q_FAULT_* of the refused access */
  uint64_t address; /* touched; stval of an exception */
  uint64_t pc, sp;
  uint64_t faults, peak;     /* faults that were answered; the most frames it had */
  uint64_t ahead, untouched; /* as in p_stats */
};

struct p_stats { /* frames and pages of 4 KiB */
  uint64_t id, parent;
  uint64_t size;      /* bytes from the heap's start to the break */
  uint64_t heap;      /* the heap's start */
  uint64_t resident;  /* private frames mapped */
  uint64_t peak;      /* the most there ever were */
  uint64_t shared;    /* pages of the image's cache mapped */
  uint64_t faults[3]; /* answered with a page, by Q_FAULT_* */
  uint64_t copies;    /* of these, by a kernel copy */
  uint64_t refused;
  uint64_t ahead; /* pages that a policy brought in beside the one that faulted, or before any fault */
  uint64_t
      untouched; /* of these, never touched so far or until they went; 0 without the boot option count=untouched */
  uint64_t threads, state,
      waits_for; /* Q_STATE_* of its first thread; whom that waits for: an id, 0 the pager, ~0 nobody
                                         has heard it yet */
  char name[32];
  uint64_t budget;                     /* pages of its own that it may have; 0: any number */
  uint64_t evicted, written, refaults; /* pages that went; of these, written to a store; that came back from there */
  uint64_t wrong;                      /* proposals of its policy that could not be followed */
};

struct p_figures {
  char words[P_POLICY_MAX];
  uint64_t lost; /* 1: one of these did not return when it was asked, and is not asked any more */
  uint64_t count;
  struct {
    char name[16];
    uint64_t value;
  } figure[P_FIGURES];
};

struct p_system {
  uint64_t frames;       /* that the pager ever had, all uses: its own at boot, and what the kernel gave up since */
  uint64_t free;         /* of these free */
  uint64_t cached;       /* in the image cache, droppable */
  uint64_t donated;      /* pages in blocks given to the kernel now */
  uint64_t donated_free; /* of these free */
  uint64_t processes;
  uint64_t user;                     /* private frames of programs */
  uint64_t own;                      /* the pager's own */
  uint64_t tables;                   /* of these describing frames: more the more were ever used at a time */
  uint64_t timebase;                 /* ticks of the time counter a second */
  uint64_t faults, ahead, untouched; /* of all programs that ended, as in p_stats */
  uint64_t ready;                    /* of the free ones, zeroed beforehand */
  uint64_t ready_hits, ready_misses; /* zeroed frames that were there when one was needed, and that were not */
  char policy[P_POLICY_MAX];
  uint64_t harts; /* that Quire runs on */
};

struct p_trace {
  uint64_t id, address, pc;
  uint32_t kind;    /* Q_FAULT_* | Q_FAULT_COPY */
  uint32_t answer;  /* 0: mapped, else P_REASON_* of the refusal */
  uint64_t pages;   /* mapped by the answer */
  uint64_t instret; /* the counter when the pager got it */
};

#endif
