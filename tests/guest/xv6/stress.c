/* SPDX-License-Identifier: BSD-2-Clause */
/* Children that fork, write files and read them back at the same time. */
#include "kernel/types.h"
#include "kernel/stat.h"
#include "user/user.h"
#include "kernel/fcntl.h"

#define CHILDREN 8
#define ROUNDS 20

char data[2000], back[2000];

void child(int id) {
  char name[] = "stress0";
  name[6] += id;
  for (int round = 0; round < ROUNDS; round++) {
    int status, fd = open(name, O_CREATE | O_TRUNC | O_RDWR);
    memset(data, id * ROUNDS + round, sizeof(data));
    if (fork() == 0)
      exit(write(fd, data, sizeof(data)) == sizeof(data) ? id + round : -2);
    wait(&status);
    close(fd);
    fd = open(name, O_RDONLY);
    if (status != id + round || read(fd, back, sizeof(back)) != sizeof(back) || memcmp(data, back, sizeof(back)))
      exit(1);
    close(fd);
  }
  exit(unlink(name));
}

int main(void) {
  int good = 0, status;
  for (int i = 0; i < CHILDREN; i++)
    if (fork() == 0)
      child(i);
  for (int i = 0; i < CHILDREN; i++)
    good += wait(&status) > 0 && status == 0;
  printf("%d of %d\n", good, CHILDREN);
  exit(wait(0) == -1 ? 0 : 1);
}
