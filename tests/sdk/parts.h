/* SPDX-License-Identifier: BSD-2-Clause */
/* What the program has in further files. */
const char *part_text(void);
int part_number(void);
