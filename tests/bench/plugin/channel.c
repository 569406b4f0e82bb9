/* SPDX-License-Identifier: BSD-2-Clause */
/* A TCG plug-in for QEMU that writes what the pager tells (pager/tell.h) to a file. Plug-ins see addresses and no registers, so where
 * a load of the function tell() goes is a byte, or the end of a record; the machine needs nothing else for it, and its instructions
 * are the same without the plug-in. Records are written whole, in the order in which they end: the pager tells under its locks.
 *
 * Arguments: out=FILE; base=ADDRESS, from which on the loads are; from=ADDRESS and to=ADDRESS of the function. In the end it writes a
 * line to QEMU's log, without which the file is not whole. */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "qemu-plugin.h"

QEMU_PLUGIN_EXPORT int qemu_plugin_version = QEMU_PLUGIN_VERSION;

#define HARTS 64
#define WHOLE 256 /* TELL_WHOLE */
#define MOST 512  /* bytes of a record */

static FILE *out;
static uint64_t base, from, to, records;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of the file: each hart is a thread */
static struct {
  uint8_t bytes[MOST];
  size_t length;
} __attribute__((aligned(128))) harts[HARTS]; /* each written by the thread of its hart alone */

static void stop(const char *why) {
  fprintf(stderr, "channel: %s\n", why);
  exit(1);
}

static void put(unsigned vcpu) {
  pthread_mutex_lock(&lock);
  if (fwrite(harts[vcpu].bytes, harts[vcpu].length, 1, out) != 1)
    stop("the file cannot be written");
  records++;
  pthread_mutex_unlock(&lock);
  harts[vcpu].length = 0;
}

static void loaded(unsigned vcpu, qemu_plugin_meminfo_t info, uint64_t va, void *data) {
  uint64_t at = va - base; /* wraps below it */
  (void)info;
  (void)data;
  if (at > WHOLE)
    return; /* the record itself, which is read */
  if (vcpu >= HARTS)
    stop("more harts than it has room for");
  if (at == WHOLE)
    put(vcpu);
  else if (harts[vcpu].length < MOST)
    harts[vcpu].bytes[harts[vcpu].length++] = (uint8_t)at;
  else
    stop("a record without an end");
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb) {
  (void)id;
  for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
    struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
    uint64_t va = qemu_plugin_insn_vaddr(insn);
    if (va >= from && va < to)
      qemu_plugin_register_vcpu_mem_cb(insn, loaded, QEMU_PLUGIN_CB_NO_REGS, QEMU_PLUGIN_MEM_RW,
                                       NULL); /* 7.2 tells of no load to who asks for loads only */
  }
}

static void finish(qemu_plugin_id_t id, void *data) {
  char line[64];
  (void)id;
  (void)data;
  for (unsigned i = 0; i < HARTS; i++)
    if (harts[i].length)
      stop("the last record is cut off");
  if (fclose(out))
    stop("the file cannot be written");
  snprintf(line, sizeof line, "channel: %" PRIu64 " records\n", records);
  qemu_plugin_outs(line);
}

static bool argument(const char *text) {
  if (!strncmp(text, "out=", 4) && !out)
    return (out = fopen(text + 4, "wb")) != NULL;
  return sscanf(text, "base=%" SCNx64, &base) == 1 || sscanf(text, "from=%" SCNx64, &from) == 1 ||
         sscanf(text, "to=%" SCNx64, &to) == 1;
}

int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv) {
  (void)info;
  for (int i = 0; i < argc; i++)
    if (!argument(argv[i])) {
      fprintf(stderr, "channel: '%s' is not out=FILE (that can be written), base=, from= or to=ADDRESS\n", argv[i]);
      return 1;
    }
  if (!out || !base || from >= to) {
    fprintf(stderr, "channel: out=, base=, from= and to= are all needed\n");
    return 1;
  }
  qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
  qemu_plugin_register_atexit_cb(id, finish, NULL);
  return 0;
}
