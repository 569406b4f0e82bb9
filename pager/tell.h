/* SPDX-License-Identifier: BSD-2-Clause */
/* What the pager tells a host that listens, with the boot option trace=. QEMU's plug-ins see addresses only, so a byte is told by
 * where a load goes: to that place of the pager's image; and a record's end by a load from place TELL_WHOLE. Which instructions
 * these are the plug-in knows by their function, tell() (tests/bench/plugin/channel.c). tests/bench/told.py reads the records, one of
 * these structs each, in the order in which things happened: little-endian, without padding. */
#ifndef TELL_H
#define TELL_H

#include <quire/pager.h>

#define TELL_WHOLE 256

enum tell_what {
  TELL_BEGIN = 1, /* a program is about to run: a new process, or what one has become by exec */
  TELL_WAITS, /* a fault has been received that has to wait for the store; the TELL_FAULT comes when it is answered */
  TELL_FAULT, /* a fault is about to be answered */
  TELL_END    /* a process has ended */
};

struct tell_head {
  uint64_t what, id;
  uint64_t time, instret; /* the counters: ticks, instructions (with QEMU's -icount: nanoseconds, idle ones too) */
};

struct tell_begin {
  struct tell_head head;
  uint64_t parent;   /* its id; 0: the boot options */
  uint64_t timebase; /* ticks a second */
  char name[32];
};

/* What a TELL_FAULT was answered with, beyond P_REASON_*. */
#define TELL_COPIED 0x100 /* another frame in place of one that was there, or the same, which may be written now */
#define TELL_AGAIN 0x101  /* to try again: the page is there */

struct tell_fault {
  struct tell_head head;
  uint64_t address, pc, kind;          /* Q_FAULT_* | Q_FAULT_COPY */
  uint64_t answer;                     /* 0: a page that was not there; P_REASON_* of the refusal; TELL_* */
  uint64_t evicted, written, refaults; /* of its process so far, as in p_stats */
};

struct tell_end {
  struct tell_head head;
  uint64_t reason, status;                                                          /* as in p_death */
  uint64_t faults, copies, refused, ahead, evicted, written, refaults, wrong, peak; /* as in p_stats */
};

bool tell_option(const char *words); /* of trace=; false: not understood */
#endif
