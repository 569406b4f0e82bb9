# SPDX-License-Identifier: BSD-2-Clause
# A thread of t_harts.c's own begins with nothing but its stack and a number in a0.
.text
.globl hand_start
hand_start:
  .option push
  .option norelax
  la gp, __global_pointer$
  .option pop
  tail hand_main
