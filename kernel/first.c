/* SPDX-License-Identifier: BSD-2-Clause */
/* Loads the first program: every page of it mapped, since nobody could answer its faults. After it has started the kernel
 * loads nothing any more. */
#include "boot.h"
#include "elf.h"

#define FIRST_STACK (64 * 1024)
#define FIRST_TOP (Q_USER_TOP - Q_PAGE_SIZE)
static struct pager *owner;
static struct task *task;
static uint64_t next_frame; /* number of the first that is not looked at yet */

static bool unused(const struct frame *frame) {
  return frame->kind == FRAME_USER && !(frame->flags & FRAME_BUSY);
}

static pa_t take_frame(void) {
  for (; next_frame < kernel.frame_count; next_frame++) {
    struct frame *frame = &kernel.frames[next_frame];
    if (unused(frame)) {
      next_frame++;
      memset(pa_to_va(frame_pa(frame)), 0, Q_PAGE_SIZE);
      return frame_pa(frame);
    }
  }
  refuse("", "not enough memory for the first program");
}

static void *map_new(uva_t va, unsigned prot) {
  pa_t pa = take_frame();
  struct mapping mapping = {va, pa | prot, 1, 0, ~0ul};
  int error = vm_map(owner, task, &mapping);
  if (error)
    refuse("", error == Q_E_NOMEM ? "not enough memory for the first program" : "pager: its segments overlap");
  return pa_to_va(pa);
}

static void load_segment(const struct cpio_file *file, const struct elf_segment *s) {
  if (s->filesz > s->memsz || s->offset > file->bytes || s->filesz > file->bytes - s->offset ||
      s->vaddr + s->memsz > Q_WINDOW || s->vaddr + s->memsz < s->vaddr || (s->flags & (PF_W | PF_X)) == (PF_W | PF_X))
    refuse("", "pager: a segment outside the file or the address space, or both writable and executable");
  unsigned prot = Q_PROT_READ | (s->flags & PF_W ? Q_PROT_WRITE : 0) | (s->flags & PF_X ? Q_PROT_EXECUTE : 0);
  uint64_t skew = s->vaddr % Q_PAGE_SIZE;
  for (uint64_t at = 0; at < s->memsz + skew; at += Q_PAGE_SIZE) {
    char *page = map_new(s->vaddr - skew + at, prot);
    uint64_t from = at < skew ? skew - at : 0; /* in the page */
    uint64_t done = at + from - skew;          /* of the segment */
    if (done < s->filesz)
      memcpy(page + from, (const char *)file->data + s->offset + done, MIN(s->filesz - done, Q_PAGE_SIZE - from));
  }
}

static uint64_t load_elf(const struct cpio_file *file) {
  struct elf_header h;
  struct elf_segment s;
  if (file->bytes < sizeof h)
    refuse("", "pager: not an ELF executable for this machine");
  memcpy(&h, file->data, sizeof h);
  if (strncmp((const char *)h.ident, "\177ELF\2\1\1", 7) || h.type != ET_EXEC || h.machine != EM_RISCV ||
      h.phentsize != sizeof s || h.phoff > file->bytes || h.phnum * sizeof s > file->bytes - h.phoff)
    refuse("", "pager: not an ELF executable for this machine");
  for (unsigned i = 0; i < h.phnum; i++) {
    memcpy(&s, (const char *)file->data + h.phoff + i * sizeof s, sizeof s);
    if (s.type == PT_LOAD && s.memsz)
      load_segment(file, &s);
  }
  return h.entry;
}

static q_handle give(struct object *object, unsigned rights, uint64_t badge) {
  q_handle value = 0;
  if (handle_add(task, object, rights, badge, &value))
    refuse("", "no room for the first program's handles");
  return value;
}

/* Runs of frames that hold nothing; what does not fit the list stays owned and unused. */
static void list_free(struct q_boot *boot) {
  struct frame *end = kernel.frames + kernel.frame_count, *run = kernel.frames + next_frame;
  while (run < end && boot->free_count < Q_BOOT_RANGES) {
    struct frame *frame = run;
    while (frame < end && unused(frame))
      frame++;
    if (frame > run)
      boot->free[boot->free_count++] = (struct q_range){frame_pa(run), (uint64_t)(frame - run) * Q_PAGE_SIZE};
    while (frame < end && !unused(frame))
      frame++;
    run = frame;
  }
}

static void fill_boot(struct q_boot *boot, const struct machine *board, struct thread *thread) {
  extern struct object machine;
  boot->version = Q_BOOT_VERSION;
  boot->ram_base = kernel.ram_base;
  boot->ram_end = kernel.ram_end;
  boot->timebase = kernel.timebase;
  boot->harts = kernel.hart_count;
  boot->initrd_base = board->initrd;
  boot->initrd_bytes = board->initrd_end - board->initrd;
  boot->endpoint = give(&owner->endpoint.object, Q_RIGHT_ALL, 0);
  boot->machine = give(&machine, Q_RIGHT_ALL, 0);
  boot->task = give(&task->object, Q_RIGHT_ALL, 0);
  boot->pager = give(&owner->object, Q_RIGHT_ALL, 0);
  boot->thread = give(&thread->object, Q_RIGHT_ALL, 0);
  memcpy(boot->arguments, board->bootargs, MIN(strlen(board->bootargs), sizeof boot->arguments - 1));
  list_free(boot);
  for (pa_t pa = board->initrd & ~(Q_PAGE_SIZE - 1ul); pa < board->initrd_end; pa += Q_PAGE_SIZE)
    frame_of(pa)->flags = 0; /* it is the pager's from here on, like any other frame */
}

struct thread *load_first(struct pager *pager, const struct cpio_file *file, const struct machine *board) {
  owner = pager;
  task = task_create(pager, 0, 64);
  struct thread *thread = task ? thread_create(task, Q_PRIORITY_PAGER) : NULL;
  if (!thread)
    refuse("", "not enough memory for the first program");
  thread->x[REG_PC] = load_elf(file);
  for (uva_t va = FIRST_TOP - FIRST_STACK; va < FIRST_TOP; va += Q_PAGE_SIZE)
    map_new(va, Q_PROT_READ | Q_PROT_WRITE);
  thread->x[REG_SP] = FIRST_TOP;
  uva_t info = FIRST_TOP - FIRST_STACK - 2 * Q_PAGE_SIZE;
  thread->x[REG_A0] = info;
  fill_boot(map_new(info, Q_PROT_READ), board, thread);
  bool done = false;
  while (!done)
    if (vm_window(pager, task, &done))
      refuse("", "not enough memory for the first pager's window");
  return thread;
}
