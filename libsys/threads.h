/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of <pthread.h> share. */
#ifndef THREADS_H
#define THREADS_H

#include <pthread.h>

extern void (*keys_destroy)(void); /* at a thread's end; NULL: there never was a key */
#endif
