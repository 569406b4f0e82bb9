/* SPDX-License-Identifier: BSD-2-Clause */
/* Where all memory is. */
#include <quire/proc.h>

#include <stdio.h>

static void row(const char *what, uint64_t frames) {
  printf("%-28s %8lu frames %8lu KiB\n", what, (unsigned long)frames, (unsigned long)frames * 4);
}

int main(void) {
  static struct q_info info __attribute__((aligned(512)));
  struct p_system s;
  struct posix_console c;
  if (p_system_stats(0, &s)) {
    printf("free: the pager does not answer\n");
    return 1;
  }
  if (!q_machine_info(P_HANDLE_MACHINE, &info)) {
    row("RAM", info.ram_frames);
    row("in use, caches left out", info.ram_frames - s.free - s.cached - s.donated_free);
    row("  firmware, device tree", info.reserved_frames);
    row("  kernel and its tables", info.kernel_frames);
  }
  row("the pager's", s.frames);
  row("  free", s.free);
  row("    zeroed beforehand", s.ready);
  row("  of programs", s.user);
  row("  cached pages of programs", s.cached);
  row("of the pager itself", s.own);
  row("  describing frames", s.tables);
  row("given to the kernel", s.donated);
  row("  of these free", s.donated_free);
  printf("%lu processes, servers among them; policy %s; zeroed frames: %lu were ready, %lu were not\n",
         (unsigned long)s.processes, s.policy, (unsigned long)s.ready_hits, (unsigned long)s.ready_misses);
  printf("programs that ended: %lu faults, %lu pages brought in besides, %lu of these never touched\n",
         (unsigned long)s.faults, (unsigned long)s.ahead, (unsigned long)s.untouched);
  if (!px_console(&c))
    printf("console: %lu bytes received, %lu lost, %lu overruns, %lu typed beyond a line; %lu sent\n",
           (unsigned long)c.received, (unsigned long)c.lost, (unsigned long)c.overruns, (unsigned long)c.dropped,
           (unsigned long)c.sent);
  return 0;
}
