# SPDX-License-Identifier: BSD-2-Clause
# Where a program starts: sp points at argc, argv and the environment (pager.h).
.section .text.start, "ax"
.globl _start
_start:
  .option push
  .option norelax
  la gp, __global_pointer$
  .option pop
  la tp, __first_tls
  mv a2, a0 # the server it belongs to, or 0
  ld a0, (sp)
  addi a1, sp, 8
  call program_start

# What picolibc calls by these names is libsys's, not what picolibc has for a machine without a system. The linker takes the
# first one that it meets, so they are asked for here; the section itself goes, with all that a program does not use.
.section .asked_for, "a"
.dword sbrk, raise, gettimeofday, times, fopen, fdopen, freopen, fflush, fileno, system, getpagesize, fwrite, __wrap_vfprintf, __wrap_vfscanf
