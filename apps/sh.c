/* SPDX-License-Identifier: BSD-2-Clause */
/* The shell: starts programs by name, in the foreground or, with &, in the background, and says how they ended. Knows
 * nothing of how a program is made; that is the posix server's. */
#include <quire/proc.h>

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WORDS 64
#define VARIABLES 32

struct command {
  char *word[WORDS + 1]; /* NAME=VALUE words first, then the program's name and arguments; NULL ends it */
  unsigned words, variables;
  bool background;
};

static int last_status;

/* ---- Reading a line --------------------------------------------------------------------------------------------------- */
/* Takes one word off *line, in place: quotes and backslashes are resolved. NULL: there is none. */
static char *next_word(char **line, const char **error) {
  char *from = *line, *to, quote = 0;
  while (isspace((unsigned char)*from))
    from++;
  char *word = to = from;
  for (; *from && (quote || !isspace((unsigned char)*from)); from++) {
    if (*from == quote)
      quote = 0;
    else if (!quote && (*from == '\'' || *from == '"'))
      quote = *from;
    else
      *to++ = *from == '\\' && quote != '\'' && from[1] ? *++from : *from;
  }
  *error = quote ? "a quote is not closed" : NULL;
  if (from == word)
    return NULL;
  *line = *from ? from + 1 : from;
  *to = 0;
  return word;
}

static bool is_assignment(const char *word) {
  const char *equals = strchr(word, '=');
  return equals && equals > word && !isdigit((unsigned char)*word) &&
         strspn(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_") == (size_t)(equals - word);
}

/* What is wrong with the line, or NULL. */
static const char *parse(char *line, struct command *c) {
  const char *error;
  *c = (struct command){.background = false};
  size_t length = strlen(line);
  while (length && isspace((unsigned char)line[length - 1]))
    line[--length] = 0;
  if (length && line[length - 1] == '&' && (length == 1 || line[length - 2] != '\\')) {
    c->background = true;
    line[length - 1] = 0;
  }
  for (char *word; (word = next_word(&line, &error)) && !error;) {
    if (c->words == WORDS)
      return "too many words";
    if (c->variables == c->words && is_assignment(word))
      c->variables++;
    c->word[c->words++] = word;
  }
  return error ? error : c->background && c->words == c->variables ? "nothing stands before &" : NULL;
}

/* ---- Starting and waiting ---------------------------------------------------------------------------------------------- */
static void say_end(const char *name, const struct p_death *d) {
  unsigned long pid = d->id;
  if (d->reason == P_REASON_EXIT)
    printf("%s (%lu): exit status %ld\n", name, pid, (long)d->status);
  else if (d->reason == P_REASON_KILLED)
    printf("%s (%lu): killed\n", name, pid);
  else
    printf("%s (%lu): ended by the system: %s; %s at 0x%lx, pc 0x%lx, sp 0x%lx\n", name, pid,
           p_reason_text(d->reason), p_kind_text(d->kind), (unsigned long)d->address, (unsigned long)d->pc,
           (unsigned long)d->sp);
}

/* The shell's own variables, those of the command before them. */
static const char *const *environment(const struct command *c) {
  static const char *list[VARIABLES + WORDS + 1];
  unsigned n = 0;
  for (unsigned i = 0; i < c->variables; i++)
    list[n++] = c->word[i];
  for (char **v = environ; *v && n < VARIABLES + WORDS; v++)
    list[n++] = *v;
  list[n] = NULL;
  return list;
}

static int64_t start(const struct command *c, unsigned skip) {
  unsigned flags = POSIX_SPAWN_JOB | (c->background ? 0 : POSIX_SPAWN_FOREGROUND);
  const char *const *words = (const char *const *)c->word + c->variables + skip;
  int64_t pid = px_spawn(words, environment(c), flags);
  if (pid == -ENOENT)
    printf("sh: %s: no such program; 'help' lists them\n", *words);
  else if (pid < 0)
    printf("sh: cannot start %s: %s\n", *words, strerror((int)-pid));
  return pid;
}

/* Waits for that child; others that end meanwhile are reported too. */
static bool wait_for(uint64_t pid, const char *name, struct p_death *death) {
  int64_t got;
  while ((got = px_wait(pid, 0, death)) == -EINTR)
    ;
  if (got < 0)
    return false;
  last_status = death->reason == P_REASON_EXIT ? (int)death->status : 128 + (int)death->reason;
  if (death->reason != P_REASON_EXIT || death->status)
    say_end(name, death);
  return true;
}

static void report_ended(void) {
  struct p_death death;
  char name[32];
  for (int64_t pid; (pid = px_wait(0, POSIX_WAIT_NOHANG, &death)) > 0;) {
    snprintf(name, sizeof name, "[background]");
    say_end(name, &death);
  }
}

static void run(const struct command *c) {
  int64_t pid = start(c, 0);
  struct p_death death;
  if (pid < 0)
    last_status = 127;
  else if (c->background)
    printf("[%ld] %s\n", (long)pid, c->word[c->variables]);
  else
    wait_for((uint64_t)pid, c->word[c->variables], &death);
}

/* ---- Built-in commands: what a program could not do for the shell ----------------------------------------------------- */
static bool number(const char *text, uint64_t *value) {
  char *end;
  *value = text ? strtoull(text, &end, 10) : 0;
  return text && *text && isdigit((unsigned char)*text) && !*end;
}

static void do_kill(const struct command *c) {
  uint64_t pid;
  unsigned first = c->variables + 1;
  for (unsigned i = first; i < c->words; i++) {
    int64_t error = number(c->word[i], &pid) ? px_kill(pid, 9) : -EINVAL;
    if (error)
      printf("kill: %s: %s\n", c->word[i],
             error == -EINVAL  ? "not a process id"
             : error == -EPERM ? "that is the shell itself; 'exit' ends it"
                               : "no such process; 'ps' lists them");
  }
  if (first == c->words)
    printf("usage: kill PID...\n");
}

static void do_time(const struct command *c) {
  struct p_death death;
  if (c->words < c->variables + 2) {
    printf("usage: time PROGRAM [ARGUMENT...]\n");
    return;
  }
  uint64_t begin = q_instret();
  int64_t pid = start(c, 1);
  if (pid < 0 || c->background || !wait_for((uint64_t)pid, c->word[c->variables + 1], &death))
    return;
  printf("%lu instructions of the machine, %lu faults, %lu frames at most\n", (unsigned long)(q_instret() - begin),
         (unsigned long)death.faults, (unsigned long)death.peak);
}

static void do_fg(const struct command *c) {
  uint64_t pid;
  struct p_death death;
  if (!number(c->word[c->variables + 1], &pid)) {
    printf("usage: fg PID\n");
    return;
  }
  int64_t error = px_foreground(pid);
  if (error)
    printf("fg: %lu: no such job\n", (unsigned long)pid);
  else
    wait_for(pid, "[foreground]", &death);
}

static void do_exit(const struct command *c) {
  uint64_t status = (uint64_t)last_status;
  if (c->words > c->variables + 1 && !number(c->word[c->variables + 1], &status))
    printf("usage: exit [STATUS]\n");
  else
    exit((int)status);
}

static void do_help(const struct command *c) {
  (void)c;
  printf("A line is a program and its arguments; & after it leaves it in the background. Built in:\n"
         "  kill PID...   end processes          time PROGRAM ...  what it cost\n"
         "  fg PID        back to the foreground  exit [STATUS]     turns the machine off\n"
         "Programs: " QUIRE_APPS "\n"
         "Ctrl-C ends the program in the foreground, Ctrl-D is the end of input, Ctrl-U and Ctrl-W take back.\n");
}

static const struct {
  const char *name;
  void (*run)(const struct command *c);
} built_in[] = {{"kill", do_kill}, {"time", do_time}, {"fg", do_fg}, {"exit", do_exit}, {"help", do_help}};

static void execute(const struct command *c) {
  if (c->words == c->variables) { /* only variables: for all programs from now on */
    for (unsigned i = 0; i < c->words; i++) {
      *strchr(c->word[i], '=') = 0;
      setenv(c->word[i], c->word[i] + strlen(c->word[i]) + 1, 1);
    }
    return;
  }
  for (unsigned i = 0; i < sizeof built_in / sizeof *built_in; i++)
    if (!strcmp(built_in[i].name, c->word[c->variables])) {
      last_status = 0;
      built_in[i].run(c);
      return;
    }
  run(c);
}

static void execute_line(char *line, size_t length) {
  struct command c;
  const char *error = strlen(line) != length ? "a line of text holds no NUL" : parse(line, &c);
  if (error)
    printf("sh: %s\n", error);
  else
    execute(&c);
}

static void greet(void) {
  static struct q_info info __attribute__((aligned(512)));
  uint64_t now = q_instret();
  if (q_machine_info(P_HANDLE_MACHINE, &info))
    return;
  printf("Quire %s, at its prompt %lu instructions after the kernel began. 'help' says what there is.\n",
         info.version, (unsigned long)(now - info.entry_instret));
}

/* sh -c LINE runs the line, as at the prompt, and ends with its status. */
int main(int argc, char **argv) {
  static char line[POSIX_LINE + 1];
  if (argc == 3 && !strcmp(argv[1], "-c")) {
    execute_line(argv[2], strlen(argv[2]));
    return last_status;
  }
  greet();
  for (ssize_t got = 1; got;) {
    report_ended();
    printf("$ ");
    fflush(stdout);
    got = read(0, line, POSIX_LINE);
    line[got > 0 ? got : 0] = 0;
    if (got > 0) /* less than 0: Ctrl-C; the line is forgotten */
      execute_line(line, (size_t)got);
  }
  printf("\n");
  return last_status;
}
