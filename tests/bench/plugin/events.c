/* SPDX-License-Identifier: BSD-2-Clause */
/* A TCG plug-in for QEMU that counts what one operation makes the machine do, beside instructions: satp writes, fences, accesses
 * of memory and distinct cache lines, for each part of the system. It counts between the two readings of `instret` that lie
 * between the marks begin= and end= (tests/bench/measure.h), and writes to QEMU's log a line where it begins and the counts where
 * it ends, so that the traps which QEMU logs in between (-d trace:riscv_trap) are the operation's. tests/bench/events.py reads it.
 *
 * Arguments: begin=ADDRESS, end=ADDRESS, trap=ADDRESS (the kernel's entry), and for each part part=NAME:FIRST, ascending; an
 * address belongs to the last part that begins at or below it; pcs=1 to log the address of each instruction, too. One hart. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "qemu-plugin.h"

QEMU_PLUGIN_EXPORT int qemu_plugin_version = QEMU_PLUGIN_VERSION;

#define PARTS 8
#define LINE_SHIFT 6
#define MARK_BEGIN 1u
#define MARK_END 2u
#define TRAP 4u
#define SATP 8u
#define FENCE 16u
#define INSTRET 32u

static struct {
  char name[16];
  uint64_t first;
} parts[PARTS];
static unsigned part_count;
static uint64_t begin_mark, end_mark, trap_entry;
static unsigned pcs;

/* What is known of an instruction when it is translated. They are kept for ever: a block may be executed at any time. */
struct insn {
  uint64_t va, line;
  unsigned part, what;
};

static struct counts {
  uint64_t instructions, entries, satp, fences, loads, stores, io, data_lines, code_lines;
} counts[PARTS + 1]; /* the last: lines of all parts together */

static enum { IDLE, ARMED, COUNTING, DONE } state;

/* ---- Distinct cache lines: a hash table, emptied by a new generation ---------------------------------------------------- */
#define SLOTS (1u << 20)
static struct { uint64_t key, generation; } slots[SLOTS];
static uint64_t generation;

static bool is_new(uint64_t key) {
  for (uint64_t i = key * 0x9e3779b97f4a7c15u >> 44;; i = (i + 1) % SLOTS) {
    if (slots[i].generation != generation) {
      slots[i].key = key;
      slots[i].generation = generation;
      return true;
    }
    if (slots[i].key == key)
      return false;
  }
}

static void touch(uint64_t line, unsigned part, bool code) {
  unsigned owners[] = {part, PARTS};
  for (unsigned i = 0; i < 2; i++)
    if (is_new(line << 5 | owners[i] << 1 | code))
      ++*(code ? &counts[owners[i]].code_lines : &counts[owners[i]].data_lines);
}

/* ---- The window ---------------------------------------------------------------------------------------------------------- */
static void print(const char *who, const struct counts *c) {
  char line[512];
  snprintf(
      line, sizeof line,
      "events: %s instructions=%lu entries=%lu satp=%lu fences=%lu loads=%lu stores=%lu io=%lu data=%lu code=%lu\n",
      who, c->instructions, c->entries, c->satp, c->fences, c->loads, c->stores, c->io, c->data_lines, c->code_lines);
  qemu_plugin_outs(line);
}

static void begin(void) {
  memset(counts, 0, sizeof counts);
  generation++;
  state = COUNTING;
  qemu_plugin_outs("events: begin\n");
}

static void finish(void) {
  state = DONE;
  qemu_plugin_outs("events: end\n");
  for (unsigned i = 0; i < part_count; i++)
    if (counts[i].instructions)
      print(parts[i].name, &counts[i]);
  print("all", &counts[PARTS]);
}

/* A reading of instret or a mark. The counting is between the readings: neither is in it. */
static void edge(unsigned what) {
  if (what & MARK_BEGIN)
    state = ARMED;
  else if (what & MARK_END && state != DONE)
    qemu_plugin_outs("events: an end without its two readings of instret\n");
  else if (what & INSTRET && state == ARMED)
    begin();
  else if (what & INSTRET && state == COUNTING)
    finish();
}

static void print_pc(uint64_t va) {
  char line[32];
  snprintf(line, sizeof line, "pc %lx\n", va);
  qemu_plugin_outs(line);
}

static void executed(unsigned vcpu, void *data) {
  const struct insn *insn = data;
  (void)vcpu;
  if (insn->what & (MARK_BEGIN | MARK_END | INSTRET)) {
    edge(insn->what);
    if (insn->what & INSTRET)
      return;
  }
  if (state != COUNTING)
    return;
  struct counts *c = &counts[insn->part];
  c->instructions++;
  c->entries += !!(insn->what & TRAP);
  c->satp += !!(insn->what & SATP);
  c->fences += !!(insn->what & FENCE);
  touch(insn->line, insn->part, true);
  if (pcs)
    print_pc(insn->va);
}

static void accessed(unsigned vcpu, qemu_plugin_meminfo_t info, uint64_t va, void *data) {
  const struct insn *insn = data;
  struct counts *c = &counts[insn->part];
  (void)vcpu;
  if (state != COUNTING)
    return;
  struct qemu_plugin_hwaddr *address = qemu_plugin_get_hwaddr(info, va);
  *(qemu_plugin_mem_is_store(info) ? &c->stores : &c->loads) += 1;
  if (!address || qemu_plugin_hwaddr_is_io(address))
    c->io++;
  else
    touch(qemu_plugin_hwaddr_phys_addr(address) >> LINE_SHIFT, insn->part, false);
}

/* ---- Translation ---------------------------------------------------------------------------------------------------------- */
/* The instruction's bits: The RISC-V Instruction Set Manual, volume I, "Zicsr"; volume II, "Supervisor CSRs", "SFENCE.VMA". */
static unsigned what_is(uint64_t va, uint32_t bits, size_t size) {
  unsigned what =
      (va == begin_mark ? MARK_BEGIN : 0) | (va == end_mark ? MARK_END : 0) | (va == trap_entry ? TRAP : 0);
  unsigned function = bits >> 12 & 7, csr = bits >> 20, source = bits >> 15 & 31;
  if (size != 4 || (bits & 0x7f) != 0x73)
    return what;
  if (!function)
    return what | ((bits & 0xfe007fff) == 0x12000073 ? FENCE : 0);
  if (csr == 0x180 && ((function & 3) == 1 || source))
    return what | SATP;
  return what | (csr == 0xc02 && va < 1ul << 63 ? INSTRET : 0);
}

static unsigned part_of(uint64_t va) {
  unsigned part = 0;
  while (part + 1 < part_count && parts[part + 1].first <= va)
    part++;
  return part;
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb) {
  (void)id;
  for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
    struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
    struct insn *known = malloc(sizeof *known);
    uint64_t va = qemu_plugin_insn_vaddr(insn);
    uint32_t bits = 0;
    size_t size = qemu_plugin_insn_size(insn);
    if (!known)
      abort();
    memcpy(&bits, qemu_plugin_insn_data(insn), size < 4 ? size : 4);
    *known = (struct insn){va, (uint64_t)(uintptr_t)qemu_plugin_insn_haddr(insn) >> LINE_SHIFT, part_of(va),
                           what_is(va, bits, size)};
    qemu_plugin_register_vcpu_insn_exec_cb(insn, executed, QEMU_PLUGIN_CB_NO_REGS, known);
    qemu_plugin_register_vcpu_mem_cb(insn, accessed, QEMU_PLUGIN_CB_NO_REGS, QEMU_PLUGIN_MEM_RW, known);
  }
}

static bool argument(const char *text) {
  unsigned long first;
  if (sscanf(text, "begin=%lx", &begin_mark) == 1 || sscanf(text, "end=%lx", &end_mark) == 1)
    return true;
  if (sscanf(text, "trap=%lx", &trap_entry) == 1 || sscanf(text, "pcs=%u", &pcs) == 1)
    return true;
  if (part_count == PARTS || sscanf(text, "part=%15[^:]:%lx", parts[part_count].name, &first) != 2)
    return false;
  parts[part_count++].first = first;
  return true;
}

int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv) {
  (void)info;
  for (int i = 0; i < argc; i++)
    if (!argument(argv[i])) {
      fprintf(stderr,
              "events: '%s' is not pcs=1, begin=, end=, trap=ADDRESS or one of at most %d part=NAME:ADDRESS\n",
              argv[i], PARTS);
      return 1;
    }
  if (!begin_mark || !end_mark || !trap_entry || !part_count) {
    fprintf(stderr, "events: begin=, end=, trap= and part= are all needed\n");
    return 1;
  }
  qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
  return 0;
}
