/* SPDX-License-Identifier: BSD-2-Clause */
/* The requests to the pager (contract: quire/pager.h) and to the posix server (quire/posix.h) as C functions, and what
 * else a program of Quire has beyond C. Results are 0 or positive, or a negated errno value. */
#ifndef QUIRE_PROC_H
#define QUIRE_PROC_H

#include <quire/posix.h>
#include <quire/sys.h>

extern q_handle p_server; /* the posix server that the program belongs to; 0: none */

/* ---- The pager. In a program of a posix server, spawning, reaping, waiting and killing go to that instead. ---------- */
int64_t p_sbrk_bytes(int64_t bytes, unsigned flags);                              /* the old break */
_Noreturn void p_exit_now(int status);                                            /* without atexit() */
int64_t p_spawn_program(const char *const argv[], unsigned flags, q_handle gift); /* the new process id */
int64_t p_watch_children(q_handle endpoint, uint64_t bits);
int64_t p_reap_child(uint64_t id, struct p_death *death);
int64_t p_kill_program(uint64_t id);
int64_t p_stats_of(uint64_t id, struct p_stats *stats); /* 0: of this program */
/* Has the program (0: this one) follow other words and have so many pages of its own from now on; NULL and 0: as it is. */
int64_t p_policy(uint64_t id, const char *words, uint64_t budget);
/* Of -EINVAL, what is wrong comes there too: P_POLICY_WRONG bytes. */
int64_t p_policy_told(uint64_t id, const char *words, uint64_t budget, char *wrong);
int64_t p_figures_of(uint64_t id,
                     struct p_figures *figures); /* 0: of this program; its policies, and what they count */
int64_t p_system_stats(unsigned flags, struct p_system *stats);
/* P_TRACE_*; entries read. */
int64_t p_trace_ring(unsigned operation, uint64_t id, struct p_trace *entries, uint64_t count, uint64_t *lost);
/* Waits for the end of that child (0: of any) and takes its record; its id. Not for several threads at once, and not
 * together with p_watch_children(), of which it makes use. */
int64_t p_wait_for(uint64_t id, struct p_death *death);
uint64_t p_timebase(void); /* ticks of q_time() a second */
const char *p_reason_text(uint64_t reason);
const char *p_kind_text(uint64_t kind);
const char *q_error_text(int64_t error); /* of a negated Q_E_* */

/* ---- The posix server; -ENOSYS if the program belongs to none ------------------------------------------------------- */
int64_t px_spawn(const char *const argv[], const char *const envp[], unsigned flags); /* envp NULL: the caller's */
int64_t px_spawn_in(const char *const argv[], const char *const envp[], unsigned flags, uint64_t job);
int64_t px_wait(uint64_t pid, unsigned flags, struct p_death *death); /* death may be NULL */
/* Also its status as <sys/wait.h> has it. */
int64_t px_wait_status(uint64_t pid, unsigned flags, struct p_death *death, uint64_t *status);
int64_t px_kill(uint64_t pid, int signal);
int64_t px_identity(uint64_t pid, struct posix_process *process); /* all but ended and waits */
int64_t px_foreground(uint64_t job);
int64_t px_job(uint64_t pid, uint64_t job, unsigned flags);
int64_t px_terminal(int fd, uint64_t mode);                                  /* the mode that was set */
int64_t px_list(uint64_t first, struct posix_process *list, uint64_t count); /* entries */
int64_t px_console(struct posix_console *counts);

/* ---- Threads ---------------------------------------------------------------------------------------------------------
 * A further thread of this program, with thread-local variables and a stack of 64 KiB of its own (from malloc, no guard
 * below it); -ENOMEM, -EINVAL (priority above the caller's). malloc() and printf() are safe between threads; a line goes
 * out whole. p_thread_free() ends the thread if p_thread_exit() has not, and frees its memory: the thread must not be
 * inside either of the two then, or their lock stays taken. */
struct p_thread {
  q_handle handle;
  void (*entry)(void *);
  void *argument;
  char *memory;
};
int64_t p_thread_start(struct p_thread *thread, void (*entry)(void *), void *argument, unsigned priority);
_Noreturn void p_thread_exit(void);
void p_thread_free(struct p_thread *thread);
#endif
