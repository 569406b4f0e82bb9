/* SPDX-License-Identifier: BSD-2-Clause */
/* Numbers of system calls: none. A call is a message here, and an ecall of a program's own would be another system's. */
#ifndef XV6_SYSCALL_H
#define XV6_SYSCALL_H
#endif
