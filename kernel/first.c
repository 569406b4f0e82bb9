/* SPDX-License-Identifier: BSD-2-Clause */
/* Loads the first program: every page of it mapped, since nobody could answer its faults. After it has started the kernel
 * loads nothing any more. */
#include "boot.h"
#include "elf.h"

#define FIRST_STACK (16 * 1024)
#define FIRST_TOP (Q_USER_TOP - Q_PAGE_SIZE)
static const char no_memory[] = "not enough memory for the first program";
static struct pager *owner;
static struct task *task;
static struct frame *next_frame, *frames_end; /* those that are not looked at yet */

static void *map_new(uva_t va, unsigned prot) {
  while (next_frame < frames_end && !frame_unused(next_frame))
    next_frame++;
  require(next_frame < frames_end, no_memory);
  pa_t pa = frame_pa(next_frame++);
  struct mapping mapping = {va, pa | prot, 1, 0, ~0ul};
  int error = vm_map(task, &mapping);
  require(error != Q_E_NOMEM, no_memory);
  require(!error, "pager: its segments overlap, or one is both writable and executable");
  return memset(pa_to_va(pa), 0, Q_PAGE_SIZE);
}

static void load_segment(const struct cpio_file *file, const struct elf_segment *s) {
  require(s->filesz <= s->memsz && s->offset <= file->bytes && s->filesz <= file->bytes - s->offset,
          "pager: a segment outside the file");
  require(s->vaddr % Q_PAGE_SIZE == 0 && s->vaddr <= Q_WINDOW && s->memsz <= Q_WINDOW - s->vaddr,
          "pager: a segment outside the address space, or not at a page's start");
  unsigned prot = Q_PROT_READ | (s->flags & PF_W ? Q_PROT_WRITE : 0) | (s->flags & PF_X ? Q_PROT_EXECUTE : 0);
  for (uint64_t at = 0; at < s->memsz; at += Q_PAGE_SIZE) {
    void *page = map_new(s->vaddr + at, prot);
    if (at < s->filesz)
      memcpy(page, (const char *)file->data + s->offset + at, MIN(s->filesz - at, Q_PAGE_SIZE));
  }
}

static uint64_t load_elf(const struct cpio_file *file) {
  static const char refusal[] = "pager: not an ELF executable for this machine";
  struct elf_header h;
  struct elf_segment s;
  require(file->bytes >= sizeof h, refusal);
  memcpy(&h, file->data, sizeof h);
  require(!strncmp((const char *)h.ident, "\177ELF\2\1\1", 7) && h.type == ET_EXEC && h.machine == EM_RISCV &&
              h.phentsize == sizeof s && h.phoff <= file->bytes && h.phnum * sizeof s <= file->bytes - h.phoff,
          refusal);
  for (unsigned i = 0; i < h.phnum; i++) {
    memcpy(&s, (const char *)file->data + h.phoff + i * sizeof s, sizeof s);
    if (s.type == PT_LOAD)
      load_segment(file, &s);
  }
  return h.entry;
}

static q_handle give(struct object *object) {
  q_handle value = 0;
  require(!handle_add(task, object, Q_RIGHT_ALL, 0, &value), no_memory);
  return value;
}

/* Runs of frames that hold nothing; what does not fit the list stays owned and unused. */
static void list_free(struct q_boot *boot) {
  const struct frame *frame = next_frame, *end = frames_end;
  const uint64_t fresh = owner->fresh;
  while (frame < end && boot->free_count < Q_BOOT_RANGES) {
    const struct frame *run = frame;
    while (frame < end && frame->word == fresh)
      frame++;
    if (frame > run)
      boot->free[boot->free_count++] = (struct q_range){frame_pa(run), (uint64_t)(frame - run) * Q_PAGE_SIZE};
    else
      frame++;
  }
}

static void list_virtio(struct q_boot *boot) {
  _Static_assert(FDT_VIRTIO == Q_BOOT_VIRTIO, "as many as the reader finds");
  boot->virtio_count = board.virtios;
  for (unsigned i = 0; i < board.virtios; i++)
    boot->virtio[i] =
        (struct q_device){{board.virtio[i].registers.base, board.virtio[i].registers.bytes}, board.virtio[i].irq};
}

static void fill_boot(struct q_boot *boot, struct thread *thread) {
  extern struct object machine;
  boot->version = Q_BOOT_VERSION;
  boot->ram_base = kernel.ram_base;
  boot->ram_end = kernel.ram_end;
  boot->timebase = kernel.timebase;
  boot->harts = kernel.hart_count;
  boot->initrd_base = board.initrd;
  boot->initrd_bytes = board.initrd_end - board.initrd;
  boot->uart = (struct q_range){board.uart.base, board.uart.bytes};
  boot->uart_irq = board.uart_irq;
  boot->zero_block = board.zero_block;
  boot->endpoint = give(&owner->endpoint.object);
  boot->machine = give(&machine);
  boot->task = give(&task->object);
  boot->pager = give(&owner->object);
  boot->thread = give(&thread->object);
  memcpy(boot->arguments, board.bootargs, MIN(strlen(board.bootargs), sizeof boot->arguments - 1));
  list_virtio(boot);
  list_free(boot);
  for (pa_t pa = board.initrd & ~(Q_PAGE_SIZE - 1ul); pa < board.initrd_end; pa += Q_PAGE_SIZE)
    frame_of(pa)->flags = 0; /* it is the pager's from here on, like any other frame */
}

struct thread *load_first(struct pager *pager, const struct cpio_file *file) {
  owner = pager;
  next_frame = kernel.frames;
  frames_end = kernel.frames + kernel.frame_count;
  task = task_create(pager, 0, 64);
  struct thread *thread = task ? thread_create(task, Q_PRIORITY_PAGER) : NULL;
  require(thread, no_memory);
  thread->x[REG_PC] = load_elf(file);
  for (uva_t va = FIRST_TOP - FIRST_STACK; va < FIRST_TOP; va += Q_PAGE_SIZE)
    map_new(va, Q_PROT_READ | Q_PROT_WRITE);
  thread->x[REG_SP] = FIRST_TOP;
  thread->x[REG_A0] = FIRST_TOP - FIRST_STACK - 2 * Q_PAGE_SIZE;
  fill_boot(map_new(thread->x[REG_A0], Q_PROT_READ), thread);
  for (bool done = false; !done;)
    require(!vm_window(pager, task, &done), no_memory);
  return thread;
}
