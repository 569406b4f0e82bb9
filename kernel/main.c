/* SPDX-License-Identifier: BSD-2-Clause */
/* Boot: reads the machine from its device tree, lays out memory and the frame table, loads the first program out of the
 * initrd and starts it. What cannot be booted is refused with a message, and the machine turned off. */
#include "boot.h"
#include "cpio.h"
#include "devicetree.h"

struct kernel kernel;
struct pager *pagers[PAGERS];
uint32_t kernel_lock;
extern struct object machine;
extern char image_start[], image_end[], boot_stack_top[];
_Noreturn void main(uint64_t hart, pa_t tree, pa_t image, uint64_t instret);

static struct machine board;

_Noreturn void refuse(const char *what, const char *why) {
  print("quire: cannot boot: %s%s\n", what, why);
  machine_off(true);
}

/* ---- Options: words of the boot arguments --------------------------------------------------------------------------- */
/* The number after "name=", or `otherwise`. */
static uint64_t option(const char *name, uint64_t otherwise) {
  size_t length = strlen(name);
  for (const char *p = board.bootargs; *p; p++) {
    bool word = (p == board.bootargs || p[-1] == ' ') && !strncmp(p, name, length);
    if (!word || p[length] != '=')
      continue;
    uint64_t value = 0;
    for (p += length + 1; *p >= '0' && *p <= '9'; p++)
      value = value * 10 + (uint64_t)(*p - '0');
    return value;
  }
  return otherwise;
}

/* ---- Memory --------------------------------------------------------------------------------------------------------- */
static void find_ram(void) {
  kernel.ram_base = ~0ul;
  for (unsigned i = 0; i < board.memories; i++) {
    kernel.ram_base = MIN(kernel.ram_base, board.memory[i].base);
    kernel.ram_end = MAX(kernel.ram_end, board.memory[i].base + board.memory[i].bytes);
  }
  kernel.ram_base &= ~(Q_BLOCK_SIZE - 1ul);
  kernel.ram_end = ALIGN_UP(kernel.ram_end, Q_BLOCK_SIZE);
  if (kernel.ram_end > PHYSMAP_BYTES)
    refuse("", "RAM above 128 GiB does not fit the physical map");
  kernel.frame_count = (kernel.ram_end - kernel.ram_base) >> Q_PAGE_SHIFT;
  kernel.block_count = (kernel.ram_end - kernel.ram_base) / Q_BLOCK_SIZE;
}

static bool overlaps(pa_t base, pa_t end, struct fdt_range range) {
  return base < range.base + range.bytes && range.base < end;
}

/* A place for `bytes` above the kernel that nothing else needs. */
static pa_t find_arena(pa_t from, uint64_t bytes, pa_t tree, uint64_t tree_bytes) {
  struct fdt_range taken[FDT_RESERVED + 2];
  unsigned n = 0;
  for (; n < board.reserves; n++)
    taken[n] = board.reserved[n];
  taken[n++] = (struct fdt_range){board.initrd, board.initrd_end - board.initrd};
  taken[n++] = (struct fdt_range){tree, tree_bytes};
  for (unsigned i = 0; i < n; i++)
    if (overlaps(from, from + bytes, taken[i])) {
      from = ALIGN_UP(taken[i].base + taken[i].bytes, Q_BLOCK_SIZE);
      i = ~0u; /* the new place may hit one that was passed */
    }
  for (unsigned i = 0; i < board.memories; i++)
    if (from >= board.memory[i].base && from + bytes <= board.memory[i].base + board.memory[i].bytes)
      return from;
  refuse("", "no room in RAM for the frame table above the kernel");
}

static void set_frames(pa_t base, pa_t end, enum frame_kind kind, uint16_t owner, uint8_t flags) {
  struct frame value = {.owner = owner, .kind = kind, .flags = flags};
  pa_t first = MAX(base & ~(Q_PAGE_SIZE - 1ul), kernel.ram_base), last = MIN(end, kernel.ram_end);
  if (first < last)
    for (struct frame *frame = frame_of(first), *stop = frame_of(last - 1); frame <= stop; frame++)
      *frame = value;
}

static uint64_t count_kind(enum frame_kind kind) {
  uint64_t count = 0;
  for (const struct frame *frame = kernel.frames, *end = frame + kernel.frame_count; frame < end; frame++)
    count += frame->kind == kind;
  return count;
}

/* Everything is the first pager's, but for what the firmware, the tree and the kernel hold. */
static void fill_frame_table(pa_t tree, uint64_t tree_bytes, pa_t image, pa_t arena, pa_t arena_end) {
  memset(kernel.frames, 0, kernel.frame_count * sizeof(struct frame));
  memset(kernel.blocks, 0, kernel.block_count * sizeof(struct block));
  for (unsigned i = 0; i < board.memories; i++)
    set_frames(ALIGN_UP(board.memory[i].base, Q_PAGE_SIZE), (board.memory[i].base + board.memory[i].bytes) & ~0xffful,
               FRAME_USER, 1, 0);
  kernel.ram_frames = count_kind(FRAME_USER);
  for (unsigned i = 0; i < board.reserves; i++)
    set_frames(board.reserved[i].base, board.reserved[i].base + board.reserved[i].bytes, FRAME_RESERVED, 0, 0);
  set_frames(tree, tree + tree_bytes, FRAME_RESERVED, 0, 0);
  set_frames(board.initrd, board.initrd_end, FRAME_USER, 1, FRAME_BUSY);
  set_frames(image, image + (uint64_t)(image_end - image_start), FRAME_KERNEL, 0, 0);
  set_frames(arena, arena_end, FRAME_KERNEL, 0, 0);
}

/* The rest of the blocks that the kernel lies in is the first pager's donation: nobody else could use them whole. */
static void donate_rest(struct pager *pager, pa_t from, pa_t to) {
  for (pa_t base = from & ~(Q_BLOCK_SIZE - 1ul); base < to; base += Q_BLOCK_SIZE) {
    struct block *block = &kernel.blocks[(base - kernel.ram_base) / Q_BLOCK_SIZE];
    block->owner = pager->number;
    for (pa_t pa = base + Q_BLOCK_SIZE; pa > base;) {
      struct frame *frame = frame_of(pa -= Q_PAGE_SIZE);
      bool takes = frame->kind == FRAME_USER && !(frame->flags & FRAME_BUSY);
      block->used += !takes;
      if (!takes)
        continue;
      *frame = (struct frame){.count = block->free, .owner = pager->number, .kind = FRAME_FREE, .flags = FRAME_RAW};
      block->free = (uint32_t)(frame - kernel.frames) + 1;
      pager->donated++;
      pager->donated_free++;
    }
    block_list(pager, block);
  }
}

/* ---- Harts and the kernel's own memory --------------------------------------------------------------------------------- */
static void init_harts(char *memory, uint64_t boot_hart) {
  kernel.harts = (struct hart *)memory;
  char *stacks = memory + ALIGN_UP(board.harts * sizeof(struct hart), Q_PAGE_SIZE);
  memset(memory, 0, (uint64_t)(stacks - memory));
  unsigned self = 0;
  for (unsigned i = 0; i < board.harts; i++) {
    struct hart *hart = &kernel.harts[i];
    hart->id = board.hart[i].id;
    hart->bit = 1u << i;
    hart->stack = (uint64_t)stacks + (i + 1) * STACK_BYTES;
    hart->plic_context = board.hart[i].plic_context;
    hart->idle.hart = hart;
    self = hart->id == boot_hart ? i : self;
  }
  kernel.hart_count = board.harts;
  current = &kernel.harts[self].idle;
}

static uint64_t arena_bytes(void) {
  uint64_t bytes = ALIGN_UP(kernel.frame_count * sizeof(struct frame), Q_PAGE_SIZE) +
                   ALIGN_UP(kernel.block_count * sizeof(struct block), Q_PAGE_SIZE) + VM_BOOT_TABLES * Q_PAGE_SIZE +
                   ALIGN_UP(board.harts * sizeof(struct hart), Q_PAGE_SIZE) + board.harts * STACK_BYTES;
  return bytes + check_bytes();
}

static char *lay_out(char *at) {
  kernel.frames = (struct frame *)at;
  at += ALIGN_UP(kernel.frame_count * sizeof(struct frame), Q_PAGE_SIZE);
  kernel.blocks = (struct block *)at;
  at += ALIGN_UP(kernel.block_count * sizeof(struct block), Q_PAGE_SIZE);
  check_memory(at);
  return at + check_bytes();
}

/* ASID bits are what satp keeps of all ones (volume II, 4.1.11). */
static void init_asids(void) {
  uint64_t old = csr_read(satp);
  csr_write(satp, old | SATP_ASID_MASK << SATP_ASID_SHIFT);
  uint64_t kept = csr_read(satp) >> SATP_ASID_SHIFT & SATP_ASID_MASK;
  csr_write(satp, old);
  fence_all();
  kernel.asid_count = MIN(kept + 1, 1ul << MIN(option("asid_bits", 16), 16));
  kernel.asid_generation = 1;
  kernel.asid_next = kernel.asid_count > 1;
}

static void init_numbers(void) {
  kernel.timebase = board.timebase;
  kernel.sstc = board.sstc;
  for (kernel.token_shift = 1; (kernel.ram_end - kernel.ram_base) >> 10 >> (kernel.token_shift - 1);)
    kernel.token_shift++;
  kernel.plic = board.plic.base;
  kernel.plic_end = board.plic.base + board.plic.bytes;
  kernel.irq_count = board.plic_sources;
  uint64_t seconds = option("deadline", 0);
  kernel.deadline = seconds ? csr_read(time) + seconds * kernel.timebase : 0;
}

/* ---- The first pager and its program --------------------------------------------------------------------------------- */
static struct pager *first_pager(void) {
  static struct pager pager = {
      .object.type = OBJECT_PAGER, .endpoint.object.type = OBJECT_ENDPOINT, .number = 1, .devices = true};
  pagers[1] = &pager;
  kernel.info.pagers = kernel.info.endpoints = 1;
  return &pager;
}

static void count_frames(struct pager *pager) {
  struct q_info *info = &kernel.info;
  info->ram_frames = kernel.ram_frames;
  pager->owned = count_kind(FRAME_USER);
  info->kernel_frames = count_kind(FRAME_KERNEL);
  info->reserved_frames = kernel.ram_frames - pager->owned - pager->donated - info->kernel_frames;
  memcpy(info->version, QUIRE_VERSION, MIN(sizeof QUIRE_VERSION, sizeof info->version - 1));
}

static _Noreturn void start_first(struct pager *pager) {
  struct cpio_file file;
  if (board.initrd_end == board.initrd)
    refuse("", "no initrd: give the boot image, a newc cpio archive, with -initrd");
  const char *error = cpio_find(pa_to_va(board.initrd), board.initrd_end - board.initrd, "pager", &file);
  if (error || !file.name)
    refuse("", error ? error : "initrd: it holds no program named \"pager\"");
  struct thread *thread = load_first(pager, &file, &board);
  kernel.info.boot_instructions = csr_read(instret) - kernel.entry_instret;
  thread_ready(thread);
  csr_write(scounteren, 7);                     /* cycle, time and instret for programs */
  csr_clear(sstatus, SSTATUS_SPP | SSTATUS_FS); /* sret goes to user mode; nothing else ever changes it */
  csr_set(sstatus, SSTATUS_SPIE);
  csr_set(sie, SIE_TIMER);
  kernel_lock_take();
  schedule();
}

static void check_initrd(void) {
  for (unsigned i = 0; i < board.memories; i++)
    if (board.initrd >= board.memory[i].base && board.initrd_end <= board.memory[i].base + board.memory[i].bytes)
      return;
  if (board.initrd_end)
    refuse("", "device tree: the initrd does not lie in memory");
}

_Noreturn void main(uint64_t boot_hart, pa_t tree, pa_t image, uint64_t instret) {
  kernel.entry_instret = instret;
  const char *error = fdt_read(pa_to_va(tree), ~0ul, &board);
  if (error)
    refuse("", error);
  find_ram();
  check_initrd();
  pa_t image_last = image + (uint64_t)(image_end - image_start);
  pa_t arena = find_arena(image_last, arena_bytes() + KERNEL_POOL, tree, board.bytes);
  pa_t arena_end = arena + arena_bytes();
  char *at = lay_out(pa_to_va(arena));
  fill_frame_table(tree, board.bytes, image, arena, arena_end);
  init_harts(at + VM_BOOT_TABLES * Q_PAGE_SIZE, boot_hart);
  kernel.asid_count = 2; /* until they are counted */
  init_numbers();
  vm_boot(image, va_to_pa(at));
  init_asids();
  plic_init();
  print("quire: Quire %s, %ld MiB, %ld harts (1 in use), %ld ASIDs\n", QUIRE_VERSION, kernel.ram_frames >> 8,
        kernel.hart_count, kernel.asid_count);
  struct pager *pager = first_pager();
  donate_rest(pager, arena, arena_end + KERNEL_POOL);
  if ((image ^ arena) & ~(Q_BLOCK_SIZE - 1ul))
    donate_rest(pager, image, image_last);
  count_frames(pager);
  start_first(pager);
}
