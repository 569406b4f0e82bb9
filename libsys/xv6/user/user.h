/* SPDX-License-Identifier: BSD-2-Clause */
/* The calls and functions that a program for xv6 has, on Quire. Such a program is compiled with -I of the directory above
 * and linked with libxv6.a before the C library, whose functions have the same names: those that differ are known to the
 * linker by another one, so that both can be in a program. */
#ifndef XV6_USER_H
#define XV6_USER_H

#include "kernel/types.h"
#include "kernel/vm.h"

#define XV6(name) __asm__("xv6_" #name)
#define SBRK_ERROR ((char *)-1)
struct stat;

/* The compiler takes some of these for functions of C, which have other types. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wbuiltin-declaration-mismatch"

/* ---- System calls: -1 if something is wrong, as are a pointer or path that are not the program's ------------------------- */
int fork(void);
int exit(int status) __asm__("_exit") __attribute__((noreturn)); /* all 32 bits of it are for wait */
int wait(int *status) XV6(wait); /* may be 0; -1 is the status of a child that was killed or faulted */
int pipe(int fds[2]) XV6(pipe);
int read(int fd, void *to, int bytes) XV6(read);
int write(int fd, const void *from, int bytes) XV6(write);
int close(int fd);
int dup(int fd);
int kill(int pid) XV6(kill);
int exec(const char *path, char **argv) XV6(exec);
int open(const char *path, int mode) XV6(open);
int mknod(const char *path, short major, short minor) XV6(mknod);
int unlink(const char *path) XV6(unlink);
int link(const char *from, const char *to) XV6(link);
int mkdir(const char *path) XV6(mkdir);
int chdir(const char *path) XV6(chdir);
int fstat(int fd, struct stat *to) XV6(fstat);
int getpid(void);
char *sys_sbrk(int bytes, int type) XV6(sys_sbrk);
int pause(int ticks) XV6(pause); /* of a tenth of a second */
int sleep(int ticks) XV6(pause); /* its older name */
int uptime(void) XV6(uptime);    /* ticks */

/* ---- Functions ------------------------------------------------------------------------------------------------------------ */
int stat(const char *path, struct stat *to) XV6(stat);
static inline char *sbrk(int bytes) {
  return sys_sbrk(bytes, SBRK_EAGER);
}
static inline char *sbrklazy(int bytes) {
  return sys_sbrk(bytes, SBRK_LAZY);
}

void printf(const char *format, ...) XV6(printf) __attribute__((format(printf, 1, 2)));
void fprintf(int fd, const char *format, ...) XV6(fprintf) __attribute__((format(printf, 2, 3)));
char *gets(char *to, int most) XV6(gets); /* with its newline */
int atoi(const char *text) XV6(atoi);     /* of digits only */
void *malloc(uint bytes) XV6(malloc);     /* by sbrk: 0 when memory is used up */
void free(void *block) XV6(free);

char *strcpy(char *to, const char *from);
char *strchr(const char *text, char c) XV6(strchr); /* 0 for the NUL too */
int strcmp(const char *a, const char *b);
uint strlen(const char *text);
void *memset(void *at, int c, unsigned long bytes);
void *memmove(void *to, const void *from, unsigned long bytes);
void *memcpy(void *to, const void *from, unsigned long bytes);
int memcmp(const void *a, const void *b, unsigned long bytes);
#pragma GCC diagnostic pop
#endif
