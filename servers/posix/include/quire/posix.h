/* SPDX-License-Identifier: BSD-2-Clause */
/* The contract between the posix server and its programs: processes and the console. libsys has each as a C function
 * (quire/proc.h). Both sides include this file. */
#ifndef QUIRE_POSIX_H
#define QUIRE_POSIX_H

#include <quire/pager.h>

/* ---- Requests: call(server, label, ...). The reply's label is 0 or an errno value of picolibc. --------------------- */
#define POSIX_REQUESTS(X)                                                                                            \
  X(1, spawn)                                                                                                        \
  X(2, wait)                                                                                                         \
  X(3, kill)                                                                                                         \
  X(4, identity)                                                                                                     \
  X(5, read)                                                                                                         \
  X(6, write)                                                                                                        \
  X(7, foreground)                                                                                                   \
  X(8, list)                                                                                                         \
  X(9, console)

enum posix_request {
#define X(n, name) POSIX_##name = n,
  POSIX_REQUESTS(X)
#undef X
};

/* A process id is the pager's, so P_stats takes it. A process is of the job of its parent, or of a job of its own. One
 * job is in the foreground: it reads the console, and Ctrl-C ends all of it; but of the processes of the first job, the
 * shell's, only a read or wait ends (EINTR): the one it waits in, or the next, if it has written nothing since. When the
 * first process of the foreground job ends, the job of its parent is in the foreground again; and the first process of all
 * may always take the console back.
 *
 * spawn(a2 bytes in use of the readable buffer, a3 flags, a4 strings of these that are the environment; readable buffer:
 *      name NUL argument NUL ... variable NUL ...)
 *                              -> a2 process id. POSIX_SPAWN_JOB: in a job of its own; POSIX_SPAWN_FOREGROUND: and that
 *      in the foreground (EPERM: the caller is not). ENOENT, ENOEXEC, ENOMEM, E2BIG, EINVAL, EFAULT, EAGAIN (too many
 *      processes).
 * wait(a2 process id or 0: any child, a3 flags; writable buffer: struct p_death, or none)
 *                              -> a2 process id of a child that has ended and is forgotten now, a3 its status, a4
 *      P_REASON_*. Waits for one to end; with POSIX_WAIT_NOHANG a2 is 0 instead. ECHILD: there is no such child. EINTR.
 * kill(a2 process id, a3 signal)   Ends it, wherever it is blocked; signal 0 only asks whether it is there. ESRCH, EPERM
 *      (the first process), EINVAL.
 * identity(a2 process id, 0: own)  -> a2 process id, a3 its parent's, a4 its job. ESRCH.
 * read(a2 descriptor; writable buffer)   -> a2 bytes, at most a line; 0 is the end of input (Ctrl-D). Waits for a line.
 *      EBADF, EIO (the caller is in the background), EINTR.
 * write(a2 descriptor; readable buffer)  -> a2 bytes, all of them. Waits for room. EBADF, EFAULT. Lines of up to
 *      POSIX_WHOLE bytes go out whole, whoever else writes.
 * foreground(a2 job)           Puts the job in the foreground. ESRCH, EPERM (the caller's is not there, and it is not the
 *      first process).
 * list(a2 first process id; writable buffer: struct posix_process[])   -> a2 entries written, by process id.
 * console(writable buffer: struct posix_console)
 * Any of them: EAGAIN if too many threads wait already; a process always may have one that does.
 */
#define POSIX_SPAWN_JOB 1
#define POSIX_SPAWN_FOREGROUND 2
#define POSIX_WAIT_NOHANG 1
#define POSIX_PROCESSES 250    /* at a time, ended ones that nobody waited for among them */
#define POSIX_REQUESTS_EACH 16 /* of one process, waiting at a time: so many of its threads may wait (EAGAIN) */
#define POSIX_WHOLE 1024       /* bytes of a line being written that no other's can come into */
#define POSIX_LINE 1024        /* bytes of a line being typed; a longer one is cut off with a bell */

struct posix_process {
  uint64_t pid, parent, job;
  uint64_t ended; /* and not waited for */
  uint64_t waits; /* the request that it waits in, POSIX_*; 0 none */
};

struct posix_console {
  uint64_t received, lost, overruns, sent; /* the driver's counts (quire/uart.h) */
  uint64_t dropped;                        /* bytes typed beyond what the lines hold */
};
#endif
