/* SPDX-License-Identifier: BSD-2-Clause */
/* Boot: reads the machine from its device tree, lays out memory and the frame table, loads the first program out of the
 * initrd and starts it. What cannot be booted is refused with a message, and the machine turned off. */
#include "boot.h"

extern char image_start[], image_end[], hart_entry[]; /* hart_entry: boot.S */
_Noreturn void main(uint64_t hart, pa_t tree, pa_t image, uint64_t instret);

struct kernel kernel = {.info = {.pagers = 1, .endpoints = 1, .version = QUIRE_VERSION}};
static struct pager first = {
    .object.type = OBJECT_PAGER, .endpoint.object.type = OBJECT_ENDPOINT, .number = 1, .devices = true};
struct wait nothing_delivered;
struct pager *pagers[PAGERS] = {NULL, &first};
struct machine board;
#ifdef TRACE_SWITCHES
uint8_t trace_marks[4][256];
#endif

void require(bool holds, const char *otherwise) {
  if (holds)
    return;
  print("quire: cannot boot: %s\n", otherwise);
  machine_off(true);
}

/* The number behind the word of the boot arguments that begins with `name`, which ends in '='. */
static uint64_t option(const char *name, uint64_t otherwise) {
  const char *p = board.bootargs;
  while (strncmp(p, name, strlen(name)) || (p > board.bootargs && p[-1] != ' '))
    if (!*p++)
      return otherwise;
  uint64_t value = 0;
  for (p += strlen(name); *p >= '0' && *p <= '9'; p++)
    value = value * 10 + (uint64_t)(*p - '0');
  return value;
}

/* ---- Memory --------------------------------------------------------------------------------------------------------- */
static void find_ram(void) {
  kernel.ram_base = ~0ul;
  for (unsigned i = 0; i < board.memories; i++) {
    kernel.ram_base = MIN(kernel.ram_base, board.memory[i].base & ~(Q_BLOCK_SIZE - 1ul));
    kernel.ram_end = MAX(kernel.ram_end, board.memory[i].base + board.memory[i].bytes);
  }
  kernel.plic = board.plic.base;
  kernel.plic_end = board.plic.base + board.plic.bytes;
  require(MAX(kernel.ram_end, kernel.plic_end) <= PHYSMAP_BYTES,
          "what lies above 128 GiB does not fit the physical map");
  kernel.ram_end = ALIGN_UP(kernel.ram_end, Q_BLOCK_SIZE);
  kernel.frame_count = (kernel.ram_end - kernel.ram_base) / Q_PAGE_SIZE;
  kernel.block_count = (kernel.ram_end - kernel.ram_base) / Q_BLOCK_SIZE;
}

static bool in_memory(pa_t base, pa_t end) {
  for (const struct fdt_range *m = board.memory; m < board.memory + board.memories; m++)
    if (base >= m->base && end <= m->base + m->bytes)
      return true;
  return false;
}

/* A place for `bytes` above the kernel that nothing else needs. */
static pa_t find_arena(pa_t from, uint64_t bytes) {
  for (unsigned i = 0; i < board.reserves && from < kernel.ram_end; i++) {
    pa_t base = board.reserved[i].base, end = base + board.reserved[i].bytes;
    if (from >= end || base >= from + bytes)
      continue;
    from = ALIGN_UP(MIN(end, PHYSMAP_BYTES), Q_BLOCK_SIZE);
    i = ~0u; /* the new place may hit one that was passed */
  }
  require(in_memory(from, from + bytes), "no room in RAM for the frame table above the kernel");
  return from;
}

static uint64_t harts_wanted(void) {
  return MAX(MIN(MIN(option("harts=", HARTS_MAX), HARTS_MAX), board.harts), 1);
}

/* The kernel's tables, one behind the other; to where. */
static pa_t lay_out(pa_t at) {
  kernel.frames = pa_to_va(at);
  at += ALIGN_UP(kernel.frame_count * sizeof(struct frame), Q_PAGE_SIZE);
  kernel.blocks = pa_to_va(at);
  at += ALIGN_UP(kernel.block_count * sizeof(struct block), Q_PAGE_SIZE);
  kernel.root_pa = at + check_memory(pa_to_va(at));
  at = kernel.root_pa + VM_BOOT_TABLES * Q_PAGE_SIZE;
  kernel.harts = pa_to_va(at);
  return at + ALIGN_UP(harts_wanted() * sizeof(struct hart), Q_PAGE_SIZE) + harts_wanted() * STACK_BYTES;
}

static struct frame fresh_frame(enum frame_kind kind, uint8_t flags) {
  return (struct frame){.owner = kind == FRAME_USER, .kind = kind, .flags = flags};
}

/* All of a piece of RAM, of which nothing is known so far. */
static void fill_frames(pa_t base, pa_t end) {
  struct frame value = fresh_frame(FRAME_USER, 0), *frame = frame_of(base);
#pragma GCC unroll 8
  for (uint64_t n = (end - base) / Q_PAGE_SIZE; n; n--)
    frame++->word = value.word;
  first.owned += (end - base) / Q_PAGE_SIZE;
}

static void set_frames(pa_t base, pa_t end, enum frame_kind kind, uint8_t flags) {
  struct frame value = fresh_frame(kind, flags);
  pa_t from = MAX(base & ~(Q_PAGE_SIZE - 1ul), kernel.ram_base), to = MIN(end, kernel.ram_end);
  for (pa_t pa = from; pa < to; pa += Q_PAGE_SIZE) {
    struct frame *frame = frame_of(pa);
    first.owned += (uint64_t)(kind == FRAME_USER) - (frame->kind == FRAME_USER);
    frame->word = value.word;
  }
}

/* Everything is the first pager's, but for what the firmware, the tree and the kernel hold. */
static void fill_frame_table(pa_t image, pa_t image_last, pa_t arena, pa_t arena_end) {
  for (const struct fdt_range *m = board.memory; m < board.memory + board.memories; m++) {
    pa_t from = ALIGN_UP(m->base, Q_PAGE_SIZE), to = MAX(from, (m->base + m->bytes) & ~(Q_PAGE_SIZE - 1ul));
    fill_frames(from, to);
    kernel.info.ram_frames += (to - from) / Q_PAGE_SIZE;
  }
  for (const struct fdt_range *r = board.reserved; r < board.reserved + board.reserves; r++)
    set_frames(r->base, r->base + r->bytes, FRAME_RESERVED, 0);
  set_frames(board.initrd, board.initrd_end, FRAME_USER, FRAME_BUSY);
  set_frames(image, image_last, FRAME_KERNEL, 0);
  set_frames(arena, arena_end, FRAME_KERNEL, 0);
  kernel.info.kernel_frames = (image_last - image + arena_end - arena) / Q_PAGE_SIZE;
  kernel.info.reserved_frames = kernel.info.ram_frames - first.owned - kernel.info.kernel_frames;
}

/* Pages of the kernel's that it turned out not to need. */
static void give_up(pa_t base, pa_t end) {
  set_frames(base, end, FRAME_USER, 0);
  kernel.info.kernel_frames -= (end - base) / Q_PAGE_SIZE;
}

/* The rest of the blocks that the kernel lies in is the first pager's donation: nobody else could use them whole. */
static void donate_rest(pa_t from, pa_t to) {
  for (pa_t pa = ALIGN_UP(to, Q_BLOCK_SIZE); pa > (from & ~(Q_BLOCK_SIZE - 1ul));) {
    struct frame *frame = frame_of(pa -= Q_PAGE_SIZE);
    struct block *block = &kernel.blocks[(pa - kernel.ram_base) / Q_BLOCK_SIZE];
    block->owner = first.number;
    if (frame_unused(frame)) {
      *frame = (struct frame){.count = block->free, .owner = first.number, .kind = FRAME_FREE, .flags = FRAME_RAW};
      block->free = (uint32_t)(frame - kernel.frames) + 1;
      first.owned--;
      first.donated++;
    } else {
      block->used++;
    }
    if (pa % Q_BLOCK_SIZE == 0 && block->free)
      block_list(&first, block);
  }
}

/* ---- Harts and numbers ----------------------------------------------------------------------------------------------- */
static void init_hart(uint64_t id, char *stacks_end) {
  uint64_t number = kernel.hart_count++;
  struct hart *hart = &kernel.harts[number];
  hart->id = id;
  hart->bit = (uint8_t)(1u << number);
  hart->place = number * sizeof(uint64_t);
  hart->stack = (uint64_t)stacks_end - number * STACK_BYTES;
  hart->idle.hart = hart;
  hart->current = &hart->idle;
  hart->delivered = &nothing_delivered;
}

/* The one that boots is the first of them, whatever its number. */
static void init_harts(uint64_t boot_hart, char *stacks_end) {
  kernel.hart_base = boot_hart;
  kernel.plic_context = -1;
  current = &kernel.harts->idle;
  init_hart(boot_hart, stacks_end);
  for (unsigned i = 0; i < board.harts; i++) {
    uint64_t id = board.hart[i].id;
    if (id == boot_hart)
      kernel.plic_context = board.hart[i].plic_context;
    else if (kernel.hart_count < harts_wanted() && id - boot_hart + 32 < 64) /* one mask of SBI's names all of them */
      init_hart(id, stacks_end);
  }
  EACH_HART (hart)
    kernel.hart_base = MIN(kernel.hart_base, hart->id);
}

/* ASID bits are what satp keeps of all ones (volume II, 4.1.11). */
static void init_asids(void) {
  uint64_t old = csr_read(satp);
  csr_write(satp, old | SATP_ASID_MASK << SATP_ASID_SHIFT);
  uint64_t kept = csr_read(satp) >> SATP_ASID_SHIFT & SATP_ASID_MASK;
  csr_write(satp, old);
  fence_all();
  kernel.asid_count = MIN(kept + 1, 1ul << MIN(option("asid_bits=", 16), 16));
  asid_generation_begin();
}

static void init_numbers(void) {
  kernel.timebase = board.timebase;
  kernel.sstc = board.sstc;
  kernel.zero_block = board.zero_block;
  kernel.irq_count = board.plic_sources;
  for (kernel.token_shift = 3; kernel.frame_count >> (kernel.token_shift - 3);) /* a thread or slot lies at 1 KiB */
    kernel.token_shift++;
  EACH_HART (hart) {
    hart->token_step = 1ul << kernel.token_shift;
    hart->ram_base = kernel.ram_base;
    hart->frame_count = kernel.frame_count;
    hart->frames = kernel.frames;
  }
  uint64_t seconds = option("deadline=", 0);
  kernel.deadline = seconds ? csr_read(time) + seconds * kernel.timebase : 0;
  kernel.poll = option("idle=poll", 1) ? 0 : kernel.timebase / 1000;
}

/* ---- The order of boot ----------------------------------------------------------------------------------------------- */
static _Noreturn void start_first(pa_t image) {
  struct cpio_file file;
  const char *error = cpio_find(pa_to_va(board.initrd), board.initrd_end - board.initrd, "pager", &file);
  require(!error, error);
  require(file.name, "initrd: it holds no program named \"pager\"");
  struct thread *thread = load_first(&first, &file);
  kernel.info.boot_instructions = csr_read(instret) - kernel.info.entry_instret;
  hart_begin();
  uint64_t harts = harts_start(image + (pa_t)(hart_entry - image_start));
  print("quire: Quire %s, %ld MiB, %ld of %ld harts, %ld ASIDs\n", QUIRE_VERSION, kernel.info.ram_frames >> 8, harts,
        (uint64_t)board.harts, kernel.asid_count);
  kernel_enter();
  thread_ready(thread);
  schedule();
}

static void read_board(pa_t tree) {
  const char *error = fdt_read(pa_to_va(tree), ~0ul, &board);
  require(!error, error);
  require(board.initrd_end > board.initrd, "no initrd: give the boot image, a newc cpio archive, with -initrd");
  require(in_memory(board.initrd, board.initrd_end), "device tree: the initrd does not lie in memory");
  board.reserved[board.reserves++] = (struct fdt_range){tree, board.bytes};
  board.reserved[board.reserves++] = (struct fdt_range){board.initrd, board.initrd_end - board.initrd};
  find_ram();
}

_Noreturn void main(uint64_t boot_hart, pa_t tree, pa_t image, uint64_t instret) {
  pa_t image_last = image + (pa_t)(image_end - image_start);
  kernel.info.entry_instret = instret;
  read_board(tree);
  pa_t arena = find_arena(image_last, lay_out(0) + KERNEL_POOL), arena_end = lay_out(arena);
  memset(pa_to_va(arena), 0, arena_end - arena);
  fill_frame_table(image, image_last, arena, arena_end);
  init_harts(boot_hart, pa_to_va(arena_end));
  init_numbers();
  give_up(vm_boot(image), kernel.root_pa + VM_BOOT_TABLES * Q_PAGE_SIZE);
  init_asids();
  plic_init();
  donate_rest(arena, arena_end + KERNEL_POOL);
  if ((image ^ arena) & ~(Q_BLOCK_SIZE - 1ul))
    donate_rest(image, image_last);
  first.donated_free = first.donated;
  first.fresh = frame_fresh(first.number);
  start_first(image);
}
