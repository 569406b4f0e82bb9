/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests to the posix server, and the functions of <unistd.h> that are made of them. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "request.h"

static int64_t ask(struct q_call *c) {
  return ask_server(c);
}

int64_t px_spawn(const char *const argv[], const char *const envp[], unsigned flags) {
  return px_spawn_in(argv, envp, flags, 0);
}

int64_t px_spawn_in(const char *const argv[], const char *const envp[], unsigned flags, uint64_t job) {
  char text[P_SPAWN_MAX];
  size_t used = 0;
  int64_t arguments = strings_join(argv, text, sizeof text, &used);
  int64_t variables =
      arguments < 0 ? arguments : strings_join(envp ? envp : (const char *const *)environ, text, sizeof text, &used);
  if (variables < 0)
    return variables;
  return ask(&(struct q_call){
      .label = POSIX_spawn, .word = {used, flags, (uint64_t)variables, job}, .read = text, .read_bytes = used});
}

int64_t px_wait_status(uint64_t pid, unsigned flags, struct p_death *death, uint64_t *status) {
  struct q_call c = {
      .label = POSIX_wait, .word = {pid, flags}, .write = death, .write_bytes = death ? sizeof *death : 0};
  int64_t got = ask(&c);
  *status = c.word[3];
  return got;
}

int64_t px_wait(uint64_t pid, unsigned flags, struct p_death *death) {
  uint64_t status;
  return px_wait_status(pid, flags, death, &status);
}

int64_t px_kill(uint64_t pid, int signal) {
  return ask(&(struct q_call){.label = POSIX_kill, .word = {pid, (uint64_t)signal}});
}

int64_t px_identity(uint64_t pid, struct posix_process *process) {
  struct q_call c = {.label = POSIX_identity, .word = {pid}};
  int64_t own = ask(&c);
  if (own >= 0)
    *process = (struct posix_process){.pid = c.word[0], .parent = c.word[1], .job = c.word[2]};
  return own;
}

int64_t px_foreground(uint64_t job) {
  return ask(&(struct q_call){.label = POSIX_foreground, .word = {job}});
}

int64_t px_job(uint64_t pid, uint64_t job, unsigned flags) {
  return ask(&(struct q_call){.label = POSIX_job, .word = {pid, job, flags}});
}

int64_t px_terminal(int fd, uint64_t mode) {
  return ask(&(struct q_call){.label = POSIX_terminal, .word = {(uint64_t)(int64_t)fd, mode}});
}

int64_t px_list(uint64_t first, struct posix_process *list, uint64_t count) {
  return ask(
      &(struct q_call){.label = POSIX_list, .word = {first}, .write = list, .write_bytes = count * sizeof *list});
}

int64_t px_console(struct posix_console *counts) {
  return ask(&(struct q_call){.label = POSIX_console, .write = counts, .write_bytes = sizeof *counts});
}

/* ---- <unistd.h> -------------------------------------------------------------------------------------------------------- */
ssize_t read(int fd, void *to, size_t bytes) {
  return or_errno(ask(&(struct q_call){
      .label = POSIX_read, .word = {(uint64_t)(int64_t)fd, POSIX_HERE}, .write = to, .write_bytes = bytes}));
}

/* A program of no server writes to the log, or to the firmware's console if nobody has taken that. */
static int64_t write_log(const char *text, size_t bytes) {
  uint64_t remain = bytes;
  int64_t error;
  while ((error = q_machine_write_some(P_HANDLE_MACHINE, text + bytes - remain, remain, &remain)) == -Q_E_FULL)
    q_sleep_until(q_time() + 1000);
  return error ? -EFAULT : (int64_t)bytes;
}

ssize_t write(int fd, const void *from, size_t bytes) {
  if (!p_server)
    return or_errno(fd == 1 || fd == 2 ? write_log(from, bytes) : -EBADF);
  return or_errno(ask(&(struct q_call){
      .label = POSIX_write, .word = {(uint64_t)(int64_t)fd, POSIX_HERE}, .read = from, .read_bytes = bytes}));
}

/* Without a server, its id at the pager is its name. */
pid_t getpid(void) {
  struct posix_process own;
  struct p_stats stats;
  if (px_identity(0, &own) >= 0)
    return (pid_t)own.pid;
  return p_stats_of(0, &stats) ? -1 : (pid_t)stats.id;
}

pid_t getppid(void) {
  struct posix_process own;
  return px_identity(0, &own) < 0 ? 0 : (pid_t)own.parent;
}
