/* SPDX-License-Identifier: BSD-2-Clause */
/* A sieve of processes: each takes out the multiples of the first number that it reads, and hands on the rest. */
#include "kernel/types.h"
#include "kernel/stat.h"
#include "user/user.h"

void sieve(int left) __attribute__((noreturn));

void sieve(int left) {
  int p, n, right[2];
  if (read(left, &p, sizeof(p)) != sizeof(p))
    exit(0);
  printf("%d\n", p);
  pipe(right);
  if (fork() == 0) {
    close(left);
    close(right[1]);
    sieve(right[0]);
  }
  close(right[0]);
  while (read(left, &n, sizeof(n)) == sizeof(n))
    if (n % p)
      write(right[1], &n, sizeof(n));
  close(right[1]);
  wait(0);
  exit(0);
}

int main(int argc, char *argv[]) {
  int p[2], most = argc > 1 ? atoi(argv[1]) : 35;
  pipe(p);
  if (fork() == 0) {
    close(p[1]);
    sieve(p[0]);
  }
  close(p[0]);
  for (int i = 2; i <= most; i++)
    write(p[1], &i, sizeof(i));
  close(p[1]);
  wait(0);
  exit(0);
}
