/* SPDX-License-Identifier: BSD-2-Clause */
/* The clients of t_harts.c: C that runs in other tasks than the one it was linked for, so it calls nothing, has no data, and
 * tells what it sees by a page that all have in common. */
#ifndef HARTS_H
#define HARTS_H

#include <quire/sys.h>

#include <stdbool.h>

#define CODE 0x10000ul
#define CODE_PAGES 2
#define COMMON 0x200000ul
#define STACKS 0x210000ul
#define DATA 0x400000ul
#define LENT(n) (DATA + (n)*8192) /* a page that is copied from, and one behind it of the same frame */
#define LENT_BYTES 2048
#define PAGES 100 /* that are touched by all */
#define CLIENTS 16
#define TABLES 3 /* page tables for each of those that have some to themselves */

struct common {
  uint64_t size;    /* clients that meet */
  uint64_t arrived; /* at all meetings so far */
  uint64_t wrong;   /* what they saw that may not be */
  uint64_t goal;    /* rounds; 0: for ever */
  uint64_t count[CLIENTS], heard[CLIENTS], done[CLIENTS];
};

typedef void client(uint64_t number);
client client_touches, client_writes, client_spins, client_calls, client_faults, client_sleeps, client_receives,
    client_notifies, client_strides, client_lends, client_computes, client_reckons, client_signals, client_naps,
    client_fetches, client_lends_pages, client_breaks;
extern const char client_code[] __asm__("__start_client_code"), client_code_end[] __asm__("__stop_client_code");
#endif
