/* SPDX-License-Identifier: BSD-2-Clause */
/* false: for those who need a program of it; the shell has its own. */
int main(void) {
  return 1;
}
