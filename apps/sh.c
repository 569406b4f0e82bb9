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

struct command {
  char *word[WORDS + 1]; /* NAME=VALUE words first, then the program's name and arguments; NULL ends it */
  unsigned words, variables;
  bool background;
};

static int last_status;
static struct job {
  uint64_t pid; /* 0: the entry is free */
  char name[32];
} jobs[POSIX_PROCESSES]; /* what was started and has not been reported */

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
static struct job *job_of(uint64_t pid) {
  for (unsigned i = 0; i < POSIX_PROCESSES; i++)
    if (jobs[i].pid == pid)
      return &jobs[i];
  return NULL;
}

static void remember(uint64_t pid, const char *name) {
  struct job *job = job_of(0);
  if (!job)
    return;
  job->pid = pid;
  snprintf(job->name, sizeof job->name, "%s", name);
}

static void forget(uint64_t pid) {
  struct job *job = job_of(pid);
  if (job)
    job->pid = 0;
}

/* Programs that others started become the shell's children when those end. */
static void say_end(const struct p_death *d) {
  const struct job *job = job_of(d->id);
  const char *name = job ? job->name : "process";
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

static bool assigned(const struct command *c, unsigned from, const char *variable) {
  size_t name = (size_t)(strchr(variable, '=') - variable) + 1;
  for (unsigned i = from; i < c->variables; i++)
    if (!strncmp(c->word[i], variable, name))
      return true;
  return false;
}

/* The variables of the command, and those of the shell that it does not hide. More than fit into the list are more than
 * a program can be given, and are refused as that. */
static const char *const *environment(const struct command *c) {
  static const char *list[WORDS + P_SPAWN_MAX + 1];
  unsigned n = 0;
  for (unsigned i = 0; i < c->variables; i++)
    if (!assigned(c, i + 1, c->word[i]))
      list[n++] = c->word[i];
  for (char **v = environ; *v && n < WORDS + P_SPAWN_MAX; v++)
    if (!assigned(c, 0, *v))
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
  if (pid < 0)
    last_status = 127;
  else
    remember((uint64_t)pid, *words);
  return pid;
}

/* False: it is no child of the shell's. */
static bool wait_for(uint64_t pid, struct p_death *death) {
  int64_t got;
  while ((got = px_wait(pid, 0, death)) == -EINTR)
    ;
  if (got < 0)
    return false;
  last_status = death->reason == P_REASON_EXIT ? (int)death->status : 128 + (int)death->reason;
  if (death->reason != P_REASON_EXIT || death->status)
    say_end(death);
  forget(pid);
  return true;
}

static void report_ended(void) {
  struct p_death death;
  for (int64_t pid; (pid = px_wait(0, POSIX_WAIT_NOHANG, &death)) > 0;) {
    say_end(&death);
    forget((uint64_t)pid);
  }
}

static void run(const struct command *c) {
  int64_t pid = start(c, 0);
  struct p_death death;
  if (pid < 0)
    return;
  last_status = 0;
  if (c->background)
    printf("[%ld] %s\n", (long)pid, c->word[c->variables]);
  else
    wait_for((uint64_t)pid, &death);
}

/* ---- Built-in commands: what a program could not do for the shell ----------------------------------------------------- */
static bool number(const char *text, uint64_t *value) {
  char *end;
  *value = text ? strtoull(text, &end, 10) : 0;
  return text && *text && isdigit((unsigned char)*text) && !*end;
}

static int usage(const char *text) {
  printf("usage: %s\n", text);
  return 2;
}

static int do_kill(const struct command *c) {
  uint64_t pid;
  int status = 0;
  unsigned first = c->variables + 1;
  for (unsigned i = first; i < c->words; i++) {
    int64_t error = number(c->word[i], &pid) ? px_kill(pid, 9) : -EINVAL;
    if (!error)
      continue;
    status = 1;
    printf("kill: %s: %s\n", c->word[i],
           error == -EINVAL  ? "not a process id"
           : error == -EPERM ? "that is the shell itself; 'exit' ends it"
                             : "no such process; 'ps' lists them");
  }
  return first == c->words ? usage("kill PID...") : status;
}

static int do_jobs(const struct command *c) {
  (void)c;
  report_ended();
  for (unsigned i = 0; i < POSIX_PROCESSES; i++)
    if (jobs[i].pid)
      printf("[%lu] %s\n", (unsigned long)jobs[i].pid, jobs[i].name);
  return 0;
}

static int do_time(const struct command *c) {
  struct p_death death;
  if (c->words < c->variables + 2 || c->background)
    return usage("time PROGRAM [ARGUMENT...]");
  uint64_t begin = q_instret();
  int64_t pid = start(c, 1);
  if (pid >= 0 && wait_for((uint64_t)pid, &death))
    printf("%lu instructions of the machine, %lu faults, %lu frames at most\n", (unsigned long)(q_instret() - begin),
           (unsigned long)death.faults, (unsigned long)death.peak);
  return last_status;
}

/* Only a child: nobody would tell the shell of the end of another, and the console would not come back. */
static int do_fg(const struct command *c) {
  uint64_t pid;
  struct p_death death;
  struct posix_process own, other;
  if (!number(c->word[c->variables + 1], &pid))
    return usage("fg PID");
  bool child = px_identity(0, &own) >= 0 && px_identity(pid, &other) >= 0 && other.parent == own.pid;
  if (child && !px_foreground(pid) && wait_for(pid, &death))
    return last_status;
  printf("fg: %lu: no such job\n", (unsigned long)pid);
  return 1;
}

static int do_exit(const struct command *c) {
  uint64_t status = (uint64_t)last_status;
  if (c->words > c->variables + 1 && !number(c->word[c->variables + 1], &status))
    return usage("exit [STATUS]");
  exit((int)status);
}

static int do_help(const struct command *c) {
  (void)c;
  printf("A line is a program and its arguments; & after it leaves it in the background. Built in:\n"
         "  kill PID...   end processes          time PROGRAM ...  what it cost\n"
         "  fg PID        back to the foreground  jobs              what is in the background\n"
         "  exit [STATUS] turns the machine off\n"
         "Programs: " QUIRE_APPS "\n"
         "Ctrl-C ends the program in the foreground, Ctrl-D is the end of input, Ctrl-U and Ctrl-W take back.\n");
  return 0;
}

static const struct {
  const char *name;
  int (*run)(const struct command *c); /* its status */
} built_in[] = {{"kill", do_kill}, {"jobs", do_jobs}, {"time", do_time},
                {"fg", do_fg},     {"exit", do_exit}, {"help", do_help}};

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
      last_status = built_in[i].run(c);
      return;
    }
  run(c);
}

/* Its bytes, 0 at the end of input. If another job has the console, the first shell takes it back, and others end. */
static ssize_t read_line(char *line) {
  ssize_t got;
  struct posix_process own;
  do {
    report_ended();
    printf("$ ");
    fflush(stdout);
    got = read(0, line, POSIX_LINE);
  } while (got < 0 && (errno == EINTR || (errno == EIO && px_identity(0, &own) >= 0 && !px_foreground(own.job))));
  return got;
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
  for (ssize_t got; (got = read_line(line)) > 0;) {
    line[got] = 0;
    execute_line(line, (size_t)got);
  }
  printf("\n");
  return last_status;
}
