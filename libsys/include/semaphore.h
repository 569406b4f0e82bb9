/* SPDX-License-Identifier: BSD-2-Clause */
/* Unnamed semaphores (POSIX.1-2017), between threads, and between processes in memory that these share. There are no named
 * ones. */
#ifndef QUIRE_SEMAPHORE_H
#define QUIRE_SEMAPHORE_H

#include <sys/types.h>
#include <time.h>

#define SEM_VALUE_MAX 0x7fffffff

typedef struct {
  unsigned long state; /* the value, and above it how many wait */
  int shared;          /* between processes */
} sem_t;

int sem_init(sem_t *semaphore, int shared, unsigned value);
int sem_destroy(sem_t *semaphore);
int sem_getvalue(sem_t *restrict semaphore, int *restrict value);
int sem_post(sem_t *semaphore);
int sem_trywait(sem_t *semaphore);
int sem_wait(sem_t *semaphore);
int sem_timedwait(sem_t *restrict semaphore, const struct timespec *restrict until);
#endif
