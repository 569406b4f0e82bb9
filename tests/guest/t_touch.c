/* SPDX-License-Identifier: BSD-2-Clause */
/* Touching memory, to the byte: what the first touch of a page takes, by each kind of instruction, and what the record of
 * a refused one says. The program that ends is another instance of this one, so every address in it is known here. */
#include "access.h"
#include "tap.h"

#include <stdlib.h>
#include <unistd.h>

/* One labelled instruction each: the label is what the record must give as pc. */
void do_lb(uint64_t), do_ld(uint64_t), do_fld(uint64_t), do_sb(uint64_t), do_sd(uint64_t), do_fsd(uint64_t);
void do_amo(uint64_t), do_lr(uint64_t), do_sc(uint64_t), do_jump(uint64_t);
__asm__(".section .text.touch,\"ax\"\n"
        ".macro touch name, instruction:vararg\n .globl do_\\name\n do_\\name: \\instruction\n ret\n .endm\n"
        "touch lb, lb t0, (a0)\n touch ld, ld t0, (a0)\n touch fld, fld ft0, (a0)\n"
        "touch sb, sb zero, (a0)\n touch sd, sd zero, (a0)\n touch fsd, fsd ft0, (a0)\n"
        "touch amo, amoadd.d t0, zero, (a0)\n touch lr, lr.d t0, (a0)\n"
        ".globl do_sc\n lr.d t0, (a0)\n do_sc: sc.d t0, t0, (a0)\n ret\n"
        "touch jump, jr a0\n.previous");

struct how {
  const char *name;
  void (*touch)(uint64_t address);
  unsigned kind, align;
};
static const struct how hows[] = {
    {"lb", do_lb, Q_FAULT_READ, 1},    {"ld", do_ld, Q_FAULT_READ, 8},  {"fld", do_fld, Q_FAULT_READ, 8},
    {"sb", do_sb, Q_FAULT_WRITE, 1},   {"sd", do_sd, Q_FAULT_WRITE, 8}, {"fsd", do_fsd, Q_FAULT_WRITE, 8},
    {"amo", do_amo, Q_FAULT_WRITE, 8}, {"lr", do_lr, Q_FAULT_READ, 8},  {"jump", do_jump, Q_FAULT_EXECUTE, 2},
};
#define HOWS (sizeof hows / sizeof *hows)

/* ---- Legal ----------------------------------------------------------------------------------------------------------- */
static uint64_t all_faults(void) {
  struct p_stats s = own_stats();
  return s.faults[0] + s.faults[1] + s.faults[2];
}

static void check_first_touch(const struct how *how, uint64_t page) {
  uint64_t resident = own_stats().resident, frames = free_frames(), faults = all_faults();
  how->touch(page + 2048);
  CHECK_EQ(all_faults(), faults + 1);
  CHECK_EQ(own_stats().resident, resident + 1);
  CHECK_EQ(free_frames(), frames - 1);
  for (unsigned i = 0; i < 4096; i += 8)
    if (*(uint64_t *)(page + i))
      CHECK_EQ(i, -1);
  for (unsigned i = 0; i < HOWS; i++)
    if (hows[i].kind != Q_FAULT_EXECUTE)
      hows[i].touch(page + 1024); /* again costs nothing, in any way */
  CHECK_EQ(all_faults(), faults + 1);
  CHECK_EQ(free_frames(), frames - 1);
}

static uint64_t page_aligned_heap(uint64_t pages) {
  uint64_t brk = place("break");
  sbrk((intptr_t)(-brk & 4095));
  return (uint64_t)sbrk((intptr_t)(pages * 4096));
}

static void first_touch_by_each_kind(void) {
  uint64_t brk = place("break"), base = page_aligned_heap(HOWS + 1);
  *(volatile char *)(base + HOWS * 4096) = 1; /* the page table is there */
  free_frames(), own_stats();
  for (unsigned i = 0; i < HOWS; i++)
    if (hows[i].kind != Q_FAULT_EXECUTE)
      check_first_touch(&hows[i], base + i * 4096);
  sbrk((intptr_t)(brk - place("break")));
}

/* Pages of text that nothing else lies in. */
extern char far_text[];
__asm__(".section .text.touch_far,\"ax\"\n.balign 4096\n.globl far_text\nfar_text:\n .rept 4\n .balign 4096\n ret\n "
        ".endr\n"
        ".balign 4096\n.previous");

static void first_execute(void) {
  for (unsigned i = 0; i < 4; i++) {
    void (*text)(void) = (void (*)(void))(uintptr_t)(far_text + i * 4096);
    struct p_stats before = own_stats();
    text();
    struct p_stats once = own_stats();
    text();
    struct p_stats twice = own_stats();
    CHECK_EQ(once.faults[Q_FAULT_EXECUTE], before.faults[Q_FAULT_EXECUTE] + 1);
    CHECK_EQ(once.shared, before.shared + 1);
    CHECK_EQ(once.resident, before.resident);
    CHECK_EQ(twice.faults[Q_FAULT_EXECUTE], once.faults[Q_FAULT_EXECUTE]);
    CHECK_EQ(twice.shared, once.shared);
  }
}

#define DATA_WORDS 3072 /* six pages, then as much of zeroes */
static uint32_t data[DATA_WORDS] = {[0] = 1, [1023] = 0x11111111, [1024] = 0x22222222, [DATA_WORDS - 1] = 0x33333333};
static uint32_t zeroes[DATA_WORDS];

/* 0 if this instance finds its data as the image has it. */
static int data_is_fresh(void) {
  uint64_t sum = 0;
  for (unsigned i = 0; i < DATA_WORDS; i++)
    sum += data[i] + (uint64_t)zeroes[i] * 3;
  return data[0] != 1 || data[1023] != 0x11111111 || data[1024] != 0x22222222 || sum != 0x66666667;
}

static void data_is_each_instances_own(void) {
  CHECK_EQ(run_victim(ARGV("t_touch", "data")).status, 0);
  data[1024] = zeroes[5] = 77;
  CHECK_EQ(run_victim(ARGV("t_touch", "data")).status, 0);
  CHECK_EQ(data[1024] + zeroes[5], 154);
  data[1024] = 0x22222222, zeroes[5] = 0;
}

static struct p_stats settled(uint64_t id) {
  struct p_stats stats = {0};
  q_sleep_until(q_time() + 100000); /* it sleeps by then */
  CHECK_EQ(p_stats_of(id, &stats), 0);
  return stats;
}

static void read_only_pages_are_shared(void) {
  struct p_system one, two;
  struct p_death death;
  uint64_t first = spawn(0, ARGV("t_touch", "sleep"));
  struct p_stats a = settled(first);
  CHECK_EQ(p_system_stats(0, &one), 0);
  uint64_t second = spawn(0, ARGV("t_touch", "sleep"));
  struct p_stats b = settled(second);
  CHECK_EQ(p_system_stats(0, &two), 0);
  CHECK(a.shared > 0);
  CHECK_EQ(a.shared, b.shared);
  CHECK_EQ(one.cached, two.cached); /* the second needs no page of text that the first did not */
  CHECK_EQ(one.user + b.resident, two.user);
  CHECK(!strcmp(b.name, "t_touch") && b.parent == own_stats().id && b.peak >= b.resident);
  CHECK_EQ(p_kill_program(first), 0);
  CHECK_EQ(p_kill_program(second), 0);
  CHECK(p_wait_for(first, &death) > 0 && p_wait_for(second, &death) > 0);
}

/* A thread whose own stack is elsewhere was given a pointer: the stack region is legal for it down to the limit. */
static volatile bool touched;
static void touch_stack(void *argument) {
  volatile char *at = (volatile char *)argument;
  touched = !*at;
  *at = 1;
}

static int touch_deep(void) {
  struct p_thread thread;
  uint64_t resident = own_stats().resident;
  if (p_thread_start(&thread, touch_stack, (void *)(P_STACK_BASE + 5), Q_PRIORITY_PROGRAM))
    return 1;
  WAIT_FOR(touched);
  return touched && own_stats().resident > resident ? 0 : 2;
}

static void pointers_into_another_stack(void) {
  struct p_death death = run_victim(ARGV("t_touch", "deep"));
  CHECK_EQ(death.reason, P_REASON_EXIT);
  CHECK_EQ(death.status, 0);
}

/* ---- Refused ----------------------------------------------------------------------------------------------------------- */
/* How this program, run again, ends when it has grown by so much and then does that. */
static struct p_death ends_by(const char *how, uint64_t address, uint64_t grown) {
  char a[24], g[24];
  snprintf(a, sizeof a, "%lu", (unsigned long)address);
  snprintf(g, sizeof g, "%lu", (unsigned long)grown);
  return run_victim(ARGV("t_touch", how, a, g));
}

static void check_record(const struct how *how, uint64_t address, uint64_t grown, enum p_reason reason) {
  address &= -(uint64_t)how->align;
  uint64_t refused = own_stats().refused;
  struct p_death d = ends_by(how->name, address, grown);
  uint64_t pc = how->kind == Q_FAULT_EXECUTE ? address : (uint64_t)how->touch;
  bool good = d.reason == reason && d.address == address && d.pc == pc;
  if (!good)
    printf("# %s at %lx: %s at %lx, pc %lx\n", how->name, (unsigned long)address, p_reason_text(d.reason),
           (unsigned long)d.address, (unsigned long)d.pc);
  CHECK(good);
  if (how->touch == do_amo) /* a store by the ISA manual (volume II, 3.1.15); QEMU 7.2 reports some as loads */
    CHECK(d.kind != Q_FAULT_EXECUTE);
  else
    CHECK_EQ(d.kind, how->kind);
  CHECK(d.sp > P_STACK_TOP - 65536 && d.sp < P_STACK_TOP);
  CHECK_EQ(own_stats().refused, refused); /* it is nobody else's */
}

static void by_each_kind(uint64_t address, uint64_t grown, enum p_reason reason) {
  for (unsigned i = 0; i < HOWS; i++)
    check_record(&hows[i], address, grown, reason);
}

static void records_are_exact(void) {
  uint64_t heap = own_stats().heap;
  by_each_kind(0, 0, P_REASON_NULL);
  by_each_kind(4088, 0, P_REASON_NULL);
  by_each_kind(4096, 0, P_REASON_HOLE);
  by_each_kind(P_IMAGE_BASE - 8, 0, P_REASON_HOLE);
  by_each_kind(heap, 0, P_REASON_BREAK); /* no heap yet */
  by_each_kind(heap + 104, 104, P_REASON_BREAK);
  by_each_kind(heap + 65536, 65536, P_REASON_BREAK);
  by_each_kind(P_BREAK_MAX - 8, 65536, P_REASON_BREAK);
  by_each_kind(P_BREAK_MAX, 65536, P_REASON_GUARD);
  by_each_kind(P_BREAK_MAX, P_BREAK_MAX - heap, P_REASON_GUARD); /* the break as high as it goes */
  by_each_kind(P_STACK_BASE - 8, 0, P_REASON_GUARD);
}

static void records_are_exact_higher_up(void) {
  by_each_kind(P_STACK_BASE, 0, P_REASON_BELOW_SP);
  by_each_kind(P_STACK_TOP - 16 * 4096, 0, P_REASON_BELOW_SP);
  by_each_kind(P_STACK_TOP, 0, P_REASON_HOLE);
  by_each_kind(Q_USER_TOP - 8, 0, P_REASON_HOLE);
  by_each_kind(Q_USER_TOP, 0, P_REASON_KERNEL);
  by_each_kind(0x8000000000000000, 0, P_REASON_KERNEL);
  by_each_kind(0xffffffbffffffff8, 0, P_REASON_KERNEL); /* the last that is not canonical */
  by_each_kind(0xffffffc000000000, 0, P_REASON_KERNEL);
  by_each_kind(0xffffffff80000000, 0, P_REASON_KERNEL);
  by_each_kind(0xfffffffffffffff8, 0, P_REASON_KERNEL);
  check_record(&hows[0], ~0ul, 0, P_REASON_KERNEL); /* the last byte of all */
  check_record(&hows[3], ~0ul, 0, P_REASON_KERNEL);
}

/* Pages that are there, but not for this: text and read-only data, absent and present; heap that is resident. */
static void present_pages(void) {
  uint64_t text = (uint64_t)present_pages & ~63ul, far_away = (uint64_t)far_text + 64;
  static const struct how sc = {"sc", do_sc, Q_FAULT_WRITE, 8};
  for (unsigned i = 0; i < HOWS; i++)
    if (hows[i].kind == Q_FAULT_WRITE) {
      check_record(&hows[i], text, 0, P_REASON_TEXT);
      check_record(&hows[i], far_away, 0, P_REASON_TEXT);
      check_record(&hows[i], (uint64_t)read_only, 0, P_REASON_TEXT);
    }
  check_record(&sc, text, 0, P_REASON_TEXT);
  check_record(&sc, (uint64_t)read_only, 0, P_REASON_TEXT);
  check_record(&hows[HOWS - 1], (uint64_t)read_only, 0, P_REASON_NOEXEC);
  check_record(&hows[HOWS - 1], (uint64_t)data, 0, P_REASON_NOEXEC);
  check_record(&hows[HOWS - 1], own_stats().heap, 4096,
               P_REASON_NOEXEC); /* the child touches the heap's first page */
}

/* Eight bytes of which four are legal: refused for the others, whether the first page is there or not. */
static void straddling_the_border(void) {
  uint64_t heap = own_stats().heap;
  for (unsigned grown = 4096; grown <= 8192; grown += 4096) /* the child's first heap page is there, its second not */
    for (unsigned i = 1; i <= 4; i += 3) {                  /* ld, sd */
      struct p_death d = ends_by(hows[i].name, heap + grown - 4, grown);
      CHECK_EQ(d.reason, P_REASON_BREAK);
      CHECK_EQ(d.address, heap + grown);
      CHECK_EQ(d.kind, hows[i].kind);
      CHECK_EQ(d.pc, (uint64_t)hows[i].touch);
    }
}

static int child(char **argv) {
  if (!strcmp(argv[1], "data"))
    return data_is_fresh();
  if (!strcmp(argv[1], "deep"))
    return touch_deep();
  while (!strcmp(argv[1], "sleep"))
    q_sleep_until(~0ul);
  uint64_t address = strtoul(argv[2], NULL, 0), grown = strtoul(argv[3], NULL, 0);
  char *heap = sbrk((intptr_t)grown);
  if (grown >= 4096)
    heap[0] = 1;
  for (unsigned i = 0; i < HOWS; i++)
    if (!strcmp(argv[1], hows[i].name))
      hows[i].touch(address);
  if (!strcmp(argv[1], "sc"))
    ((void (*)(uint64_t))((uint64_t)do_sc - 4))(address);
  return 99;
}

static const struct test tests[] = {
    {"the first touch takes one zero frame, by each instruction", first_touch_by_each_kind},
    {"the first execution maps one page", first_execute},
    {"data and bss are each instance's own", data_is_each_instances_own},
    {"read-only pages are shared", read_only_pages_are_shared},
    {"a pointer into another thread's stack", pointers_into_another_stack},
    {"records of refused touches, below the stack", records_are_exact},
    {"records of refused touches, stack and above", records_are_exact_higher_up},
    {"pages that are there, but not for this", present_pages},
    {"half of the bytes are legal", straddling_the_border},
};

int main(int argc, char **argv) {
  if (argc > 1)
    return child(argv);
  return TAP_RUN("touch", tests);
}
