/* SPDX-License-Identifier: BSD-2-Clause */
/* The shell begins: sh [-c TEXT [NAME [ARGUMENT...]] | FILE [ARGUMENT...]]; without, what is typed or what is its input. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sh.h"

static bool append_line(struct source *source, const struct text *line) {
  if (strlen(line->at) == line->used)
    source_append(source, line->at, line->used);
  else
    fprintf(stderr, "sh: a line of text holds no NUL\n");
  return line->used;
}

/* What commands read from the same input comes after the line. */
static bool read_line(struct source *source) {
  struct text line = {0};
  char c = 0;
  text_append(&line, "", 0);
  while (c != '\n' && read(0, &c, 1) == 1)
    text_add(&line, c);
  bool any = append_line(source, &line);
  text_free(&line);
  return any;
}

/* If another job has the console, the first shell takes it back, and others end. After Ctrl-C the line is typed anew; within a
 * command of several lines that is the end of it. */
static bool ask_line(struct source *source) {
  struct text line = {0};
  bool continues = source->continues;
  ssize_t got;
  do {
    if (!continues)
      report_ended();
    line.used = 0;
    got = edit_line(continues ? "> " : "$ ", &line);
  } while (got < 0 && !continues && (errno == EINTR || (errno == EIO && system_foreground(0))));
  bool any = got > 0 && append_line(source, &line);
  text_free(&line);
  return any;
}

static void use_arguments(char **argv) {
  sh.name = *argv;
  for (sh.arguments.arg = argv + 1; sh.arguments.arg[sh.arguments.count];)
    sh.arguments.count++;
}

static void run_input(void) {
  struct source source = {.more = sh.interactive ? ask_line : read_line};
  if (sh.interactive)
    system_greet();
  run_source(&source, false);
  source_free(&source);
  if (sh.interactive)
    printf("\n");
}

int main(int argc, char **argv) {
  char *text = argc > 2 && !strcmp(argv[1], "-c") ? argv[2] : NULL;
  sh.pid = getpid();
  sh.interactive = argc == 1 && isatty(0);
  sh.jobs = sh.interactive || system_has_jobs();
  variables_start();
  if (argc > 1 && *argv[1] == '-' && !text) {
    fprintf(stderr, "usage: sh [-c TEXT [NAME [ARGUMENT...]] | FILE [ARGUMENT...]]\n");
    return 2;
  }
  if (argc > (text ? 3 : 1))
    use_arguments(argv + (text ? 3 : 1));
  if (text)
    run_text(text, true);
  else if (argc > 1)
    run_file(argv[1], true);
  else
    run_input();
  finish();
}
