/* SPDX-License-Identifier: BSD-2-Clause */
/* Devices for mknod. */
#ifndef XV6_FILE_H
#define XV6_FILE_H

#define CONSOLE 1
#endif
