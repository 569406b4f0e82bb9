/* SPDX-License-Identifier: BSD-2-Clause */
/* Page faults that another process answers: userfaultfd(2), which is what Linux has for a pager. */
#include "measure.h"
#include <linux/userfaultfd.h>

#define BATCH 16

struct pager {
  const char *name;
  unsigned pages; /* how many one answer brings */
  bool copy;      /* UFFDIO_COPY, else UFFDIO_ZEROPAGE */
  bool reads;     /* the page is read, and not written */
};

static void answer(int fd, const struct pager *pager, unsigned long at) {
  static char source[BATCH * PAGE] __attribute__((aligned(4096)));
  unsigned long bytes = pager->pages * PAGE;
  struct uffdio_copy copy = {.dst = at, .src = (unsigned long)source, .len = bytes};
  struct uffdio_zeropage zero = {.range = {.start = at, .len = bytes}};
  long result = pager->copy ? my_syscall3(__NR_ioctl, fd, UFFDIO_COPY, &copy)
                            : my_syscall3(__NR_ioctl, fd, UFFDIO_ZEROPAGE, &zero);
  CHECK(result == 0);
}

static _Noreturn void serve(int fd, const struct pager *pager) {
  struct uffd_msg message;
  for (;;) {
    CHECK(my_syscall3(__NR_read, fd, &message, sizeof message) == sizeof message);
    CHECK(message.event == UFFD_EVENT_PAGEFAULT);
    answer(fd, pager, message.arg.pagefault.address & -(pager->pages * PAGE));
  }
}

static int supervise(char *base, unsigned long bytes) {
  int fd = (int)my_syscall1(__NR_userfaultfd, 0);
  struct uffdio_api api = {.api = UFFD_API};
  struct uffdio_register range = {.range = {.start = (unsigned long)base, .len = bytes},
                                  .mode = UFFDIO_REGISTER_MODE_MISSING};
  CHECK(fd >= 0);
  CHECK(my_syscall3(__NR_ioctl, fd, UFFDIO_API, &api) == 0);
  CHECK(my_syscall3(__NR_ioctl, fd, UFFDIO_REGISTER, &range) == 0);
  return fd;
}

static inline __attribute__((always_inline)) void touch(char *at, unsigned pages, bool reads) {
  for (unsigned i = 0; i < pages; i++, at += PAGE)
    if (reads)
      (void)*(volatile char *)at;
    else
      *(volatile char *)at = 1;
}

/* ZEROPAGE maps the shared zero page: the write that waited is then tried again by the kernel, in the same trap, and gets a page of
 * its own; a write to another page of the batch traps for that. */
static unsigned long expected(const struct pager *pager) {
  bool each = !pager->copy && !pager->reads;
  return OPERATIONS * (each ? pager->pages : 1ul);
}

static void measure(const struct pager *pager) {
  unsigned long bytes = (OPERATIONS + 1) * pager->pages * PAGE;
  char *at = window_open(bytes, PROT_READ | PROT_WRITE);
  int fd = supervise(at, bytes);
  pid_t pid = fork();
  if (!pid)
    serve(fd, pager);
  parts = pager->pages;
  MEASURE(pager->name, at += pager->pages * PAGE, touch(at, pager->pages, pager->reads));
  parts = 1;
  kill(pid, SIGKILL);
  CHECK(waitpid(pid, NULL, 0) == pid);
  close(fd);
  window_close(pager->name, expected(pager));
}

void uffd(void) {
  static const struct pager pagers[] = {
      {.name = "fault.read.uffd_zeropage", .pages = 1, .reads = true},
      {.name = "fault.zero.uffd_zeropage", .pages = 1},
      {.name = "fault.zero.uffd_copy", .pages = 1, .copy = true},
      {.name = "fault.zero_batch16.uffd_zeropage", .pages = BATCH},
      {.name = "fault.zero_batch16.uffd_copy", .pages = BATCH, .copy = true},
  };
  for (unsigned i = 0; i < sizeof pagers / sizeof *pagers; i++)
    measure(&pagers[i]);
}
