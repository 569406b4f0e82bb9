/* SPDX-License-Identifier: BSD-2-Clause */
/* A TCG plug-in for QEMU that records every page which programs refer to, in their order, in a file: the 8 bytes "QTRACE1\n",
 * then records of 16 bytes, little-endian: a 64-bit page address with the kind in its low bits (0 read, 1 write, 2 execute), the
 * 32-bit number of the process, and 32 bits of 0. A reference like the one recorded before it is left out.
 *
 * Plug-ins see addresses and no registers. So quire-trace.elf stores to marks[i][byte i of the process's number] at each switch
 * (trace_switch() in kernel/kernel.h), and where these stores go says who runs on that hart. Number 0 is the pager, which is not
 * recorded; nor are kernel and firmware, so a system call's buffer is seen only where its program refers to it itself.
 *
 * Arguments: out=FILE, marks=ADDRESS (of trace_marks in the kernel); process=NUMBER, to record that one only; kinds=LETTERS, those
 * of r, w and x to record. In the end it writes a line to QEMU's log, without which the file is not whole. */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "qemu-plugin.h"

QEMU_PLUGIN_EXPORT int qemu_plugin_version = QEMU_PLUGIN_VERSION;

#define HARTS 64
#define PAGE 4096ul
#define MARKS (4ul * 256)
#define KERNEL (1ul << 63)
#define FIRMWARE 0x80000000ul /* of QEMU's virt board, below the kernel: nobody's program lies there */
#define FIRMWARE_END 0x80200000ul

enum kind { READ, WRITE, EXECUTE };
static const char letters[] = "rwx";
static bool wanted[3] = {true, true, true};

struct record {
  uint64_t page; /* | kind */
  uint32_t process, reserved;
};
_Static_assert(sizeof(struct record) == 16, "written as it is");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "written as it is");

static FILE *out;
static uint64_t marks, records;
static uint32_t only; /* 0: all */
static struct record last;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of the three above: each hart is a thread */
static struct {
  uint32_t process;
} __attribute__((aligned(128))) harts[HARTS]; /* each written by the thread of its hart alone */

static void stop(const char *why) {
  fprintf(stderr, "pages: %s\n", why);
  exit(1);
}

static void put(uint32_t process, uint64_t page, enum kind kind) {
  struct record now = {.page = page * PAGE | kind, .process = process};
  pthread_mutex_lock(&lock);
  if (now.page != last.page || now.process != last.process) {
    if (fwrite(&now, sizeof now, 1, out) != 1)
      stop("the trace cannot be written");
    records++;
    last = now;
  }
  pthread_mutex_unlock(&lock);
}

static void refer(unsigned vcpu, uint64_t va, uint64_t bytes, enum kind kind) {
  uint32_t process = harts[vcpu].process;
  if (!process || (only && process != only))
    return;
  for (uint64_t page = va / PAGE; page <= (va + bytes - 1) / PAGE; page++)
    put(process, page, kind);
}

/* What an instruction is told by. Kept for ever: a block may be executed at any time. */
struct insn {
  uint64_t va, bytes;
};

static void executed(unsigned vcpu, void *data) {
  const struct insn *insn = data;
  refer(vcpu, insn->va, insn->bytes, EXECUTE);
}

static void accessed(unsigned vcpu, qemu_plugin_meminfo_t info, uint64_t va, void *data) {
  enum kind kind = qemu_plugin_mem_is_store(info) ? WRITE : READ;
  (void)data;
  if (wanted[kind])
    refer(vcpu, va, 1ul << qemu_plugin_mem_size_shift(info), kind);
}

static void marked(unsigned vcpu, qemu_plugin_meminfo_t info, uint64_t va, void *data) {
  uint64_t at = va - marks; /* wraps below them */
  (void)info;
  (void)data;
  if (vcpu >= HARTS)
    stop("more harts than it has room for");
  if (at < MARKS) {
    unsigned shift = (unsigned)(at / 256) * 8;
    harts[vcpu].process = (harts[vcpu].process & ~(0xffu << shift)) | (uint32_t)(at % 256) << shift;
  }
}

static void of_program(struct qemu_plugin_insn *insn) {
  struct insn *known = malloc(sizeof *known);
  if (!known)
    stop("no memory");
  *known = (struct insn){qemu_plugin_insn_vaddr(insn), qemu_plugin_insn_size(insn)};
  if (wanted[EXECUTE])
    qemu_plugin_register_vcpu_insn_exec_cb(insn, executed, QEMU_PLUGIN_CB_NO_REGS, known);
  qemu_plugin_register_vcpu_mem_cb(insn, accessed, QEMU_PLUGIN_CB_NO_REGS, QEMU_PLUGIN_MEM_RW, NULL);
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb) {
  (void)id;
  for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
    struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
    uint64_t va = qemu_plugin_insn_vaddr(insn);
    if (va >= KERNEL)
      qemu_plugin_register_vcpu_mem_cb(insn, marked, QEMU_PLUGIN_CB_NO_REGS, QEMU_PLUGIN_MEM_W, NULL);
    else if (va < FIRMWARE || va >= FIRMWARE_END)
      of_program(insn);
  }
}

static void finish(qemu_plugin_id_t id, void *data) {
  char line[64];
  (void)id;
  (void)data;
  if (fclose(out))
    stop("the trace cannot be written");
  snprintf(line, sizeof line, "pages: %" PRIu64 " records\n", records);
  qemu_plugin_outs(line);
}

static bool choose_kinds(const char *text) {
  memset(wanted, 0, sizeof wanted);
  for (; *text; text++) {
    const char *letter = strchr(letters, *text);
    if (!letter)
      return false;
    wanted[letter - letters] = true;
  }
  return wanted[READ] || wanted[WRITE] || wanted[EXECUTE];
}

static bool argument(const char *text) {
  if (!strncmp(text, "out=", 4) && !out)
    return (out = fopen(text + 4, "wb")) != NULL;
  if (!strncmp(text, "kinds=", 6))
    return choose_kinds(text + 6);
  return sscanf(text, "marks=%" SCNx64, &marks) == 1 || sscanf(text, "process=%" SCNu32, &only) == 1;
}

int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv) {
  (void)info;
  for (int i = 0; i < argc; i++)
    if (!argument(argv[i])) {
      fprintf(
          stderr,
          "pages: '%s' is not out=FILE (that can be written), marks=ADDRESS, process=NUMBER or kinds= some of rwx\n",
          argv[i]);
      return 1;
    }
  if (!out || !marks || fwrite("QTRACE1\n", 8, 1, out) != 1) {
    fprintf(stderr, "pages: out= and marks= are both needed, and out= must be a file that can be written\n");
    return 1;
  }
  qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
  qemu_plugin_register_atexit_cb(id, finish, NULL);
  return 0;
}
