/* SPDX-License-Identifier: BSD-2-Clause */
/* Runs a command once for each line that it reads. */
#include "kernel/types.h"
#include "kernel/stat.h"
#include "user/user.h"
#include "kernel/param.h"

int main(int argc, char *argv[]) {
  char line[512], *args[MAXARG];
  for (int i = 1; i < argc; i++)
    args[i - 1] = argv[i];
  args[argc] = 0;
  while (gets(line, sizeof(line))[0]) {
    int status, n = strlen(line);
    if (line[n - 1] == '\n')
      line[n - 1] = 0;
    args[argc - 1] = line;
    if (fork() == 0) {
      exec(args[0], args);
      fprintf(2, "xargs: exec %s failed\n", args[0]);
      exit(1);
    }
    wait(&status);
    if (status)
      exit(status);
  }
  exit(0);
}
