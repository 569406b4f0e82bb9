# SPDX-License-Identifier: BSD-2-Clause
# Asks a hook so that it can be left (ask.h): what its caller has in registers is kept where it can be found. On the way back
# nothing of that is needed but ra, since the hook has kept the rest.
.equ SIZE, 112
.section .text
.globl ask_hook
ask_hook:
  add sp, sp, -SIZE
  sd ra, 0(sp)
  .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
  sd s\n, 8 * (\n + 1)(sp)
  .endr
  sd sp, asked_sp, t0
  ld t0, asked_hook
  jalr t0
  sd zero, asked_sp, t0
  ld ra, 0(sp)
  add sp, sp, SIZE
  ret

# By the thread that is in the hook, from within something that the hook has called;
.globl ask_leave
ask_leave:
  ld sp, asked_sp
  andi sp, sp, -2
# or where that thread is started anew, with sp as ask had it.
.globl ask_abandon
ask_abandon:
  sd zero, asked_sp, t0
  ld ra, 0(sp)
  .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
  ld s\n, 8 * (\n + 1)(sp)
  .endr
  add sp, sp, SIZE
  tail ask_left

# Where the thread begins that watches (watch.c). It has no thread-local variables.
.globl watch_thread
watch_thread:
  .option push
  .option norelax
  la gp, __global_pointer$
  .option pop
  tail watch_for_ever
