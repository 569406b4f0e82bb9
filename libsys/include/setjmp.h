/* SPDX-License-Identifier: BSD-2-Clause */
/* What POSIX.1-2017 has in <setjmp.h> beyond picolibc's. Signal masks are not kept (docs/limits.md), so nothing is saved. */
#include_next <setjmp.h>
#ifndef QUIRE_SETJMP_H
#define QUIRE_SETJMP_H

typedef jmp_buf sigjmp_buf;
#define sigsetjmp(where, mask) ((void)(mask), setjmp(where))
#define siglongjmp(where, value) longjmp(where, value)
#define _setjmp(where) setjmp(where)
#define _longjmp(where, value) longjmp(where, value)
#endif
