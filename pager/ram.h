/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef RAM_H
#define RAM_H

#include <stdbool.h>

#include "store.h"

extern struct store ram_store; /* slots are to be set first */
/* A page for each slot, on a page's boundary; latency: ticks of the time counter, 0: it is done at once. */
void ram_begin(char *memory, uint64_t latency);
uint64_t ram_due(void); /* when the next is done; 0: none is on its way */
bool ram_look(void);    /* tells of those that are done. false: none is */
#endif
