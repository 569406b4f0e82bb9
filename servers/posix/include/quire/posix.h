/* SPDX-License-Identifier: BSD-2-Clause */
/* The contract between the posix server and its programs: processes, files and the console. libsys has each as a C function:
 * those of POSIX, and quire/proc.h. Both sides include this file. */
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
  X(9, console)                                                                                                      \
  X(10, open)                                                                                                        \
  X(11, close)                                                                                                       \
  X(12, seek)                                                                                                        \
  X(13, dup)                                                                                                         \
  X(14, pipe)                                                                                                        \
  X(15, control)                                                                                                     \
  X(16, stat)                                                                                                        \
  X(17, truncate)                                                                                                    \
  X(18, unlink)                                                                                                      \
  X(19, link)                                                                                                        \
  X(20, rename)                                                                                                      \
  X(21, mkdir)                                                                                                       \
  X(22, rmdir)                                                                                                       \
  X(23, chdir)                                                                                                       \
  X(24, getcwd)                                                                                                      \
  X(25, entry)                                                                                                       \
  X(26, fork)                                                                                                        \
  X(27, exec)                                                                                                        \
  X(28, map)                                                                                                         \
  X(29, probe)                                                                                                       \
  X(30, poll)                                                                                                        \
  X(31, chmod)                                                                                                       \
  X(32, umask)                                                                                                       \
  X(33, job)                                                                                                         \
  X(34, terminal)                                                                                                    \
  X(35, times)                                                                                                       \
  X(36, lock)                                                                                                        \
  X(37, futex_wait)                                                                                                  \
  X(38, futex_wake)

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
 * spawn(a2 bytes in use of the readable buffer, a3 flags, a4 strings of these that are the environment, a5 a job or 0;
 *      readable buffer: name NUL argument NUL ... variable NUL ...)
 *                              -> a2 process id. POSIX_SPAWN_JOB: in a job of its own; POSIX_SPAWN_FOREGROUND: and that
 *      in the foreground (EPERM: the caller is not). POSIX_SPAWN_JOIN: in the job a5 instead, which a child of the
 *      caller leads (ESRCH). The name is a path, or that of a program in /bin; the new process has the caller's working directory and
 *      its descriptors, but for those that are closed then (FD_CLOEXEC). POSIX_SPAWN_NAMED: the first string is only the
 *      path, and argv[0] the second. ENOENT, EACCES (no file, or nobody may execute it), ENOEXEC (no program), ENOMEM, E2BIG
 *      (arguments and environment over P_SPAWN_MAX bytes or P_SPAWN_STRINGS), EINVAL, EFAULT, EAGAIN (too many processes).
 * fork(a2 pc, a3 sp)          -> a2 process id of a child with the caller's memory (P_fork, quire/pager.h), which begins at
 *      pc with sp, and with the caller's descriptors, working directory and job. EAGAIN, ENOMEM, EINVAL (a
 *      pc of 0 or an odd one).
 * exec(a2 bytes in use of the readable buffer, a3 strings of these that are the environment, a4 POSIX_SPAWN_NAMED or 0;
 *      readable buffer: as spawn's)
 *                              No answer: the caller has become that program, with its descriptors, but for those that are
 *      closed then. Errors as spawn, and nothing has changed.
 * wait(a2 process id, or a job negated, or 0: any child, a3 flags; writable buffer: struct p_death, or none)
 *                              -> a2 process id of a child that has ended and is forgotten now, a3 its status, a4
 *      P_REASON_*, a5 the same as <sys/wait.h> has it: the signal is the one that kill named, SIGSEGV for a refused fault,
 *      SIGKILL for want of memory, and for an exception SIGILL, SIGTRAP or SIGBUS. Waits for one to end; with POSIX_WAIT_NOHANG a2 is 0 instead. ECHILD: there is no such child. EINTR.
 *      A process whose parent ends becomes a child of the first process, which need not wait for it: its end is forgotten by
 *      itself. Whoever waits for it nevertheless hears ECHILD when it, or the last of them, has ended.
 * kill(a2 process id, or a job negated, or 0: the caller's, a3 signal)   Ends it, or all of it but the first process, wherever it
 *      is blocked; signal 0 only asks whether it is there. ESRCH, EPERM (the first process), EINVAL.
 * identity(a2 process id, 0: own)  -> a2 process id, a3 its parent's, a4 its job. ESRCH.
 * read(a2 descriptor, a3 offset, see below; writable buffer)   -> a2 bytes. Of the console: at most a line, for which it
 *      waits; 0 is the end of input (Ctrl-D). EBADF, EIO (the caller is in the background), EINTR.
 * write(a2 descriptor, a3 offset; readable buffer)   -> a2 bytes. To the console: all of them; waits for room. EBADF,
 *      EFAULT. Lines of up to POSIX_WHOLE bytes go out whole, whoever else writes.
 * foreground(a2 job)           Puts the job in the foreground. ESRCH, EPERM (the caller's is not there, and it is not the
 *      first process).
 * job(a2 process id or 0: own, a3 job or 0: one of its own, a4 POSIX_SPAWN_FOREGROUND or 0)   The caller, or a child of the
 *      caller, enters that job, which a child of the caller or of its parent leads, or leads one. With FOREGROUND the job
 *      is in the foreground then. ESRCH (no such process, no such job), EPERM (a job's leader stays; the foreground is another's),
 *      EINVAL.
 * terminal(a2 descriptor, a3 POSIX_TERMINAL_* or POSIX_TERMINAL_ASK)   -> a2 what of it was set, a3 the job in the foreground. What is typed ahead is kept.
 *      EBADF, ENOTTY, EIO (the caller is in the background), EINVAL.
 * list(a2 first process id; writable buffer: struct posix_process[])   -> a2 entries written, by process id.
 * console(writable buffer: struct posix_console)
 * probe(readable buffer; writable buffer, or none)   -> a2 bytes that the readable one holds before its first NUL, or all. Up
 *      to 4,096 bytes of it are then in the writable one, which may be the same. By this a program learns what a pointer is
 *      worth without touching the memory itself. EFAULT, ENOMEM.
 * futex_wait(a2 address, a3 expected, a4 deadline in ticks of the time counter, ~0: none; readable buffer: the 4 bytes that lie
 *      there)                  Waits for a wake of that address by a thread of the same process, if these bytes still are what
 *      is expected; else it returns at once. ETIMEDOUT, EFAULT. A return need not mean a wake (EAGAIN, too): whoever waits looks
 *      at the bytes again. Of the buffer only the bytes count: a process may use any number as an address.
 * futex_wake(a2 address, a3 threads)   -> a2 how many of those that wait there go on now, the first ones first.
 * Any of them: EAGAIN if too many threads wait already; a process always may have one that does.
 */
/* Files. Descriptors, flags and errno values are those of <fcntl.h>, <unistd.h> and <errno.h>; a path is the readable buffer,
 * with its NUL, and two paths lie there one after the other. What POSIX.1-2017 says of the function of that name holds.
 *
 * read, write: a3 is the offset in the file, or POSIX_HERE.
 * open(a2 flags, a3 mode; path)             -> a2 descriptor
 * close(a2 descriptor)
 * seek(a2 descriptor, a3 offset, a4 whence) -> a2 the new offset
 * dup(a2 descriptor, a3 least new one, a4 POSIX_DUP_*)   -> a2 descriptor
 * pipe()                                    -> a2 the reading, a3 the writing descriptor
 * control(a2 descriptor, a3 F_GETFD, F_SETFD, F_GETFL or F_SETFL, a4 argument)   -> a2 result
 * stat(a2 descriptor; path, or none; writable buffer: struct posix_stat)
 * truncate(a2 descriptor, a3 size)
 * unlink(path)  rmdir(path)  chdir(path)  mkdir(a2 mode; path)  link(path, path)  rename(path, path)
 * chdir(a2 descriptor of a directory; no path)
 * getcwd(writable buffer)
 * poll(a2 descriptors, a3 1 to wait; readable and writable buffer: struct pollfd[] of <poll.h>)   -> a2 how many of them have
 *      something to say. With a3 0 that may be 0. EINVAL, EINTR.
 * chmod(a2 descriptor, a3 mode; path, or none)   Permission bits; of a pipe they stay.
 * times(a2 descriptor, a3 of the last access, a4 of the last modification; path, or none)   Nanoseconds, or POSIX_TIME_*. Of a
 *      pipe they stay.
 * umask(a2 mask)                                 -> a2 the old one. Bits that open and mkdir take away; inherited, 0 at first.
 * map(a2 address or 0, a3 bytes, a4 Q_PROT_* | P_MAP_* | descriptor << 32, a5 offset in the file, of a page)
 *                              -> a2 address of a private mapping of the file (P_map, quire/pager.h), which has the content
 *      that the file has now. EBADF, EACCES (not open for reading), ENODEV (no file), EINVAL (shared ones are not there,
 *      or as P_map), ENXIO (offset past the file's end), ENOMEM (a file over POSIX_MAP_MAX, too). Anonymous memory is asked
 *      of the pager.
 * lock(a2 descriptor, a3 POSIX_LOCK_*, a4 first byte, a5 last one)   Advisory locks of fcntl, or, with FILE, of flock, then of all
 *      bytes. A file is locked for some readers, or ALONE; NONE ends that. If others are in the way: EAGAIN, or with WAIT it waits
 *      (EDEADLK, EINTR). ENOLCK, EBADF (not open for that), EINVAL.
 *      With ASK nothing is locked. -> a2 NONE, or ALONE or 0 for a lock that is in the way, a3 its first byte, a4 its last one,
 *      a5 the process that has it.
 * entry(a2 descriptor of a directory; writable buffer: struct posix_entry)   -> a2 1; 0 when there are no more
 */
#define POSIX_HERE (~0ul)
#define POSIX_DUP_EXACT 1 /* that one, which is closed first */
#define POSIX_DUP_CLOSE 2 /* it is not inherited */
#define POSIX_LOCK_ALONE 1
#define POSIX_LOCK_NONE 2
#define POSIX_LOCK_WAIT 4
#define POSIX_LOCK_FILE 8
#define POSIX_LOCK_ASK 16
#define POSIX_LOCK_ALL 31
#define POSIX_TIME_NOW INT64_MIN
#define POSIX_TIME_KEPT (INT64_MIN + 1)
#define POSIX_DESCRIPTORS 256
#define POSIX_MAP_MAX (256ul << 20) /* bytes of a file that can be mapped or run */
#define POSIX_PIPE 16384            /* bytes that a pipe holds */
#define POSIX_PIPE_ATOMIC 4096      /* so many are written together */

struct posix_stat {
  uint64_t size, number, mode, links;
  uint64_t terminal; /* 1: it is the console */
  int64_t accessed, modified,
      changed; /* nanoseconds since the machine's start, unless somebody set them; of a pipe 0 */
};

struct posix_entry {
  uint64_t number, next; /* of the inode; where the directory is read on */
  uint64_t type;         /* 0 file, 1 directory, 2 device */
  char name[256];
};

#define POSIX_SPAWN_JOB 1
#define POSIX_SPAWN_FOREGROUND 2
#define POSIX_SPAWN_JOIN 4
#define POSIX_SPAWN_NAMED 8
#define POSIX_WAIT_NOHANG 1
/* The console's mode; 0: lines, which are shown while they are typed, and Ctrl-C interrupts. */
#define POSIX_TERMINAL_RAW                                                                                           \
  1 /* bytes, each at once and as it is (no ICANON); a read ends with a newline at the latest */
#define POSIX_TERMINAL_QUIET 2 /* nothing of it is shown (no ECHO) */
#define POSIX_TERMINAL_PLAIN 4 /* Ctrl-C is a byte (no ISIG) */
#define POSIX_TERMINAL_ASK (~0ul)
#define POSIX_PROCESSES 12000  /* at a time, ended ones that nobody waited for among them */
#define POSIX_REQUESTS_EACH 16 /* of one process, waiting at a time: so many of its threads may wait (EAGAIN) */
#define POSIX_FUTEX_WAITS (P_THREADS + 16) /* beside these, for each other */
#define POSIX_WHOLE 1024                   /* bytes of a line being written that no other's can come into */
#define POSIX_LINE 1024                    /* bytes of a line being typed; a longer one is cut off with a bell */

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
