/* SPDX-License-Identifier: BSD-2-Clause */
/* What POSIX.1-2017 has in <sched.h> beyond picolibc's. */
#include_next <sched.h>
#ifndef QUIRE_SCHED_H
#define QUIRE_SCHED_H

int sched_yield(void);
#endif
