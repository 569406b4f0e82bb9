/* SPDX-License-Identifier: BSD-2-Clause */
/* A TCG plug-in for QEMU that counts the instructions of each hart between begin= and end=, and of these the ones between the functions at shut= and
 * open=, where it has locks that keep every other hart out, and those within wait=FROM:TO, where it waits for a lock; pairs of
 * addresses, of the kernel and of the pager. Writes a line a hart to QEMU's log in the end. tests/bench/smp.py reads them. */
#include <stdio.h>
#include <stdlib.h>

#include "qemu-plugin.h"

QEMU_PLUGIN_EXPORT int qemu_plugin_version = QEMU_PLUGIN_VERSION;

#define MARKS 4
#define HARTS 16
static uint64_t shut[MARKS], open[MARKS], wait_from[MARKS], wait_to[MARKS];
static unsigned shuts, opens, waits;
static uint64_t begin, end;
static volatile int counting;

static struct counts {
  uint64_t all, alone, waiting;
  unsigned depth;
} __attribute__((aligned(128))) counts[HARTS]; /* each written by the thread of its hart alone */

static void executed(unsigned vcpu, void *data) {
  struct counts *c = &counts[vcpu % HARTS];
  (void)data;
  c->all += (unsigned)counting;
  c->alone += counting && c->depth;
}

static void waits_at(unsigned vcpu, void *data) {
  (void)data;
  counts[vcpu % HARTS].waiting += (unsigned)counting;
}

/* What began to keep others out before is forgotten: a thread that held a lock may have gone on elsewhere. */
static void begins_or_ends(unsigned vcpu, void *begins) {
  (void)vcpu;
  for (unsigned i = 0; i < HARTS && begins; i++)
    counts[i].depth = 0;
  counting = begins != NULL;
}

static void shuts_at(unsigned vcpu, void *data) {
  (void)data;
  counts[vcpu % HARTS].depth++;
}

static void opens_at(unsigned vcpu, void *data) {
  struct counts *c = &counts[vcpu % HARTS];
  (void)data;
  c->depth -= c->depth != 0;
}

static int is_one_of(uint64_t va, const uint64_t *marks, unsigned count) {
  for (unsigned i = 0; i < count; i++)
    if (marks[i] == va)
      return 1;
  return 0;
}

static int is_wait(uint64_t va) {
  for (unsigned i = 0; i < waits; i++)
    if (va >= wait_from[i] && va < wait_to[i])
      return 1;
  return 0;
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb) {
  (void)id;
  for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
    struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
    uint64_t va = qemu_plugin_insn_vaddr(insn);
    if (va == begin || va == end)
      qemu_plugin_register_vcpu_insn_exec_cb(insn, begins_or_ends, QEMU_PLUGIN_CB_NO_REGS,
                                             va == begin ? &begin : NULL);
    if (is_one_of(va, shut, shuts))
      qemu_plugin_register_vcpu_insn_exec_cb(insn, shuts_at, QEMU_PLUGIN_CB_NO_REGS, NULL);
    if (is_one_of(va, open, opens))
      qemu_plugin_register_vcpu_insn_exec_cb(insn, opens_at, QEMU_PLUGIN_CB_NO_REGS, NULL);
    if (is_wait(va))
      qemu_plugin_register_vcpu_insn_exec_cb(insn, waits_at, QEMU_PLUGIN_CB_NO_REGS, NULL);
    else
      qemu_plugin_register_vcpu_insn_exec_cb(insn, executed, QEMU_PLUGIN_CB_NO_REGS, NULL);
  }
}

static void finish(qemu_plugin_id_t id, void *data) {
  char line[96];
  (void)id;
  (void)data;
  for (unsigned i = 0; i < HARTS; i++) {
    if (!counts[i].all)
      continue;
    snprintf(line, sizeof line, "hart %u: instructions=%lu alone=%lu waiting=%lu\n", i, counts[i].all,
             counts[i].alone, counts[i].waiting);
    qemu_plugin_outs(line);
  }
}

int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv) {
  (void)info;
  for (int i = 0; i < argc; i++)
    if (sscanf(argv[i], "begin=%lx", &begin) != 1 && sscanf(argv[i], "end=%lx", &end) != 1 &&
        (waits == MARKS || sscanf(argv[i], "wait=%lx:%lx", &wait_from[waits], &wait_to[waits]) != 2 || !++waits) &&
        (shuts == MARKS || sscanf(argv[i], "shut=%lx", &shut[shuts]) != 1 || !++shuts) &&
        (opens == MARKS || sscanf(argv[i], "open=%lx", &open[opens]) != 1 || !++opens)) {
      fprintf(stderr,
              "harts: '%s' is not begin=ADDRESS, end=ADDRESS, or one of at most %d shut=ADDRESS, open=ADDRESS, "
              "wait=ADDRESS:ADDRESS\n",
              argv[i], MARKS);
      return 1;
    }
  qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
  qemu_plugin_register_atexit_cb(id, finish, NULL);
  return 0;
}
