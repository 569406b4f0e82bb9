/* SPDX-License-Identifier: BSD-2-Clause */
/* newlib's memcpy.c and memmove.c include a header of this name; what they need of it is in picolibc's <string.h>. */
