/* SPDX-License-Identifier: BSD-2-Clause */
/* What t_hostile runs as its children. */
#ifndef HOSTILE_H
#define HOSTILE_H

#include "tap.h"

/* argv[1] names the attack; the status is 0 if it was answered as it should, else says which check failed. */
int hostile(int argc, char **argv);
#endif
