/* SPDX-License-Identifier: BSD-2-Clause */
/* What programs expect in <stdlib.h> beyond picolibc's: the name that a program was started by, as the BSDs have it. */
#include_next <stdlib.h>
#ifndef QUIRE_STDLIB_H
#define QUIRE_STDLIB_H

const char *getprogname(void); /* without folders; valid as long as what main() or setprogname() was given */
void setprogname(const char *name);
#endif
