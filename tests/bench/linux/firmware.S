/* SPDX-License-Identifier: BSD-2-Clause */
/* A kernel that prints, in hexadecimal, how many instructions the firmware took to come to a kernel, and turns off. */
.equ SBI_CONSOLE_PUTCHAR, 1
.equ SBI_SHUTDOWN, 8

.globl _start
_start:
  rdinstret s0
  li s1, 60                     /* the shift of the next digit */
1:
  srl a0, s0, s1
  andi a0, a0, 15
  addi a0, a0, '0'
  li t0, '9'
  ble a0, t0, 2f
  addi a0, a0, 'a' - '9' - 1
2:
  li a7, SBI_CONSOLE_PUTCHAR
  ecall
  addi s1, s1, -4
  bgez s1, 1b
  li a0, '\n'
  ecall
  li a7, SBI_SHUTDOWN
  ecall
