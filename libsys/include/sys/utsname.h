/* SPDX-License-Identifier: BSD-2-Clause */
/* The system's name (POSIX.1-2017, sys/utsname.h). */
#ifndef QUIRE_UTSNAME_H
#define QUIRE_UTSNAME_H

struct utsname {
  char sysname[16], nodename[16], release[16], version[16], machine[16];
};

int uname(struct utsname *name);
#endif
