/* SPDX-License-Identifier: BSD-2-Clause */
/* Flags of sigaction() (POSIX.1-2017, signal.h) that picolibc lacks. They are kept and change nothing: no handler interrupts a
 * call (docs/limits.md). */
#include_next <signal.h>
#ifndef QUIRE_SIGNAL_H
#define QUIRE_SIGNAL_H

#ifndef SA_RESTART
#define SA_RESTART 0x10
#define SA_NODEFER 0x20
#define SA_RESETHAND 0x40
#define SA_NOCLDWAIT 0x80
#endif
#endif
