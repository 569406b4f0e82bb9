/* SPDX-License-Identifier: BSD-2-Clause */
/* What the shell asks of Quire beyond POSIX: jobs, how a process ended, the console's mode. */
#include <quire/proc.h>

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "sh.h"

const char system_help[] = "Programs: " QUIRE_APPS "\n";

static void describe(const struct p_death *d, struct ending *ending) {
  size_t size = sizeof ending->text;
  if (d->reason == P_REASON_EXIT)
    snprintf(ending->text, size, "exit status %d", ending->status);
  else if (d->reason == P_REASON_KILLED)
    snprintf(ending->text, size, "killed");
  else
    snprintf(ending->text, size, "ended by the system: %s; %s at 0x%lx, pc 0x%lx, sp 0x%lx", p_reason_text(d->reason),
             p_kind_text(d->kind), (unsigned long)d->address, (unsigned long)d->pc, (unsigned long)d->sp);
}

pid_t system_wait(pid_t pid, bool waits, struct ending *ending) {
  struct p_death death;
  uint64_t status;
  int64_t got = px_wait_status((uint64_t)pid, waits ? 0 : POSIX_WAIT_NOHANG, &death, &status);
  if (got > 0) {
    bool exited = death.reason == P_REASON_EXIT;
    *ending = (struct ending){.status = exited ? (int)(status >> 8) & 255 : 128 + (int)(status & 127),
                              .exited = exited,
                              .faults = death.faults,
                              .peak = death.peak};
    describe(&death, ending);
  }
  errno = got < 0 ? (int)-got : errno;
  return got < 0 ? -1 : (pid_t)got;
}

void system_join(pid_t pid, pid_t leader, bool foreground) {
  px_job((uint64_t)pid, (uint64_t)leader, foreground ? POSIX_SPAWN_FOREGROUND : 0);
}

bool system_foreground(pid_t job) {
  struct posix_process own = {.job = (uint64_t)job};
  return (job || px_identity(0, &own) >= 0) && !px_foreground(own.job);
}

bool system_has_jobs(void) {
  struct posix_process own;
  return px_identity(0, &own) >= 0 && !own.parent;
}

/* A read of nothing from the console ends as a longer one would. */
bool system_interrupted(void) {
  return read(0, NULL, 0) < 0 && errno == EINTR;
}

void system_raw(bool raw) {
  px_terminal(0, raw ? POSIX_TERMINAL_RAW | POSIX_TERMINAL_QUIET : 0);
}

unsigned long system_instructions(void) {
  return q_instret();
}

void system_greet(void) {
  static struct q_info info __attribute__((aligned(512)));
  uint64_t now = q_instret();
  if (!q_machine_info(P_HANDLE_MACHINE, &info))
    printf("Quire %s, at its prompt %lu instructions after the kernel began. 'help' says what there is.\n",
           info.version, (unsigned long)(now - info.entry_instret));
}
