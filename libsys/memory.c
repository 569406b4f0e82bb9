/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory: the break, which malloc() moves, and mappings. A server has a sbrk() of its own, so this one stays in this file. */
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "request.h"

void *sbrk(ptrdiff_t bytes) {
  return (void *)or_errno(p_sbrk_bytes(bytes, 0));
}

int brk(void *end) {
  int64_t now = p_sbrk_bytes(0, 0);
  return p_sbrk_bytes((int64_t)end - now, 0) < 0 ? (int)or_errno(-ENOMEM) : 0;
}

/* The kernel knows no page that can be written or executed and not be read. */
static uint64_t protection(int prot) {
  return prot & (PROT_WRITE | PROT_EXEC) ? (uint64_t)prot | Q_PROT_READ : (uint64_t)prot;
}

static int64_t check(int prot) {
  if (prot & ~(PROT_READ | PROT_WRITE | PROT_EXEC))
    return -EINVAL;
  return prot & PROT_WRITE && prot & PROT_EXEC ? -ENOTSUP : 0;
}

static int64_t map(void *address, size_t bytes, int prot, int flags, int fd, off_t offset) {
  const int known = MAP_SHARED | MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS;
  bool shared = flags & MAP_SHARED;
  uint64_t bits = protection(prot) | (shared ? P_MAP_SHARED : 0) | (flags & MAP_FIXED ? P_MAP_FIXED : 0);
  int64_t error = check(prot);
  if (error || flags & ~known || shared == !!(flags & MAP_PRIVATE))
    return error ? error : -EINVAL;
  if (bytes > Q_USER_TOP)
    return -ENOMEM;
  struct q_call c = {.word = {(uint64_t)address, bytes, bits, (uint64_t)offset}};
  if (flags & MAP_ANONYMOUS) {
    c.label = P_map;
    c.word[3] = 0;
    error = ask_of(P_HANDLE_PAGER, &c);
  } else {
    c.label = POSIX_map;
    c.word[2] |= (uint64_t)fd << 32;
    error = ask_server(&c);
  }
  return error == -EEXIST ? -EINVAL : error;
}

void *mmap(void *address, size_t bytes, int prot, int flags, int fd, off_t offset) {
  return (void *)or_errno(map(address, bytes, prot, flags, fd, offset));
}

static int of_range(uint64_t label, void *address, size_t bytes, uint64_t bits) {
  return or_errno(
             ask_of(P_HANDLE_PAGER, &(struct q_call){.label = label, .word = {(uint64_t)address, bytes, bits}})) < 0
             ? -1
             : 0;
}

int munmap(void *address, size_t bytes) {
  return of_range(P_unmap, address, bytes, 0);
}

int mprotect(void *address, size_t bytes, int prot) {
  int64_t error = check(prot);
  return error ? (int)or_errno(error) : bytes ? of_range(P_protect, address, bytes, protection(prot)) : 0;
}

/* No mapping is shared with a file. */
int msync(void *address, size_t bytes, int flags) {
  (void)address, (void)bytes, (void)flags;
  return 0;
}

static int64_t advise(void *address, size_t bytes, int advice) {
  return ask_of(P_HANDLE_PAGER,
                &(struct q_call){.label = P_advise, .word = {(uint64_t)address, bytes, (unsigned)advice}});
}

int madvise(void *address, size_t bytes, int advice) {
  return (int)or_errno(advise(address, bytes, advice));
}

/* It may change nothing that the program sees, so what is not needed stays. */
int posix_madvise(void *address, size_t bytes, int advice) {
  bool known = advice >= POSIX_MADV_NORMAL && advice <= POSIX_MADV_DONTNEED;
  return known ? (int)-advise(address, bytes, advice == POSIX_MADV_DONTNEED ? P_ADVICE_COLD : advice) : EINVAL;
}
