/* SPDX-License-Identifier: BSD-2-Clause */
/* What POSIX.1-2017 has in <stdio.h> beyond picolibc's. */
#include_next <stdio.h>
#ifndef QUIRE_STDIO_H
#define QUIRE_STDIO_H

#include <stdarg.h>
#include <sys/types.h>

#undef BUFSIZ
#define BUFSIZ 4096 /* of each stream; what goes into a pipe at once */
#define L_ctermid 16
#define FILENAME_MAX 1024 /* PATH_MAX */
#define FOPEN_MAX 256     /* as many as descriptors */
#define getc_unlocked(file) getc(file)
#define putc_unlocked(c, file) putc(c, file)
#define getchar_unlocked() getchar()
#define putchar_unlocked(c) putchar(c)

int(getc_unlocked)(FILE *file);
int(putc_unlocked)(int c, FILE *file);
int(getchar_unlocked)(void);
int(putchar_unlocked)(int c);
void flockfile(FILE *file);
int ftrylockfile(FILE *file);
void funlockfile(FILE *file);
ssize_t getdelim(char **line, size_t *size, int end, FILE *file);
ssize_t getline(char **line, size_t *size, FILE *file);
__attribute__((format(printf, 2, 3))) int dprintf(int fd, const char *format, ...);
__attribute__((format(printf, 2, 0))) int vdprintf(int fd, const char *format, va_list list);
FILE *popen(const char *line, const char *mode);
int pclose(FILE *file);
#endif
