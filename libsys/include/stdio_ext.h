/* SPDX-License-Identifier: BSD-2-Clause */
/* What libraries of portability ask of streams (Solaris, stdio_ext.h). */
#ifndef QUIRE_STDIO_EXT_H
#define QUIRE_STDIO_EXT_H

#include <stdio.h>

size_t __fbufsize(FILE *file);
size_t __fpending(FILE *file);
int __freading(FILE *file);
int __fwriting(FILE *file);
int __freadable(FILE *file);
int __fwritable(FILE *file);
int __flbf(FILE *file);
void __fpurge(FILE *file);
void __fseterr(FILE *file);
size_t __freadahead(FILE *file);
#endif
