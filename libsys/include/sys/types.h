/* SPDX-License-Identifier: BSD-2-Clause */
/* What programs, and the configure scripts of many, expect in <sys/types.h> beyond picolibc's. */
#include_next <sys/types.h>
#ifndef QUIRE_TYPES_H
#define QUIRE_TYPES_H

typedef unsigned socklen_t; /* of <sys/socket.h>, which is not there */
#endif
