/* SPDX-License-Identifier: BSD-2-Clause */
/* What programs expect in <sys/wait.h> beyond picolibc's (4.3BSD). */
#include_next <sys/wait.h>
#ifndef QUIRE_WAIT_H
#define QUIRE_WAIT_H

struct rusage;

pid_t wait3(int *status, int options, struct rusage *usage); /* of what it used: the most memory, and its faults */
pid_t wait4(pid_t pid, int *status, int options, struct rusage *usage);
#endif
