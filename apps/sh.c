/* SPDX-License-Identifier: BSD-2-Clause */
/* The shell: starts programs by name, in the foreground or, with &, in the background, and says how they ended. Knows
 * nothing of how a program is made; that is the posix server's. */
#include <quire/proc.h>

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define JOBS 250 /* more than that run, too, but are not listed */
#define WORDS 64
#define STAGES 8

struct command {
  char *word[WORDS + 1]; /* NAME=VALUE words first, then the program's name and arguments; NULL ends it */
  unsigned words, variables;
  char *input, *output; /* files instead of the console or a pipe; NULL: none */
  bool append;
  bool background;
};

/* Commands, each of which reads what the one before it writes. */
struct pipeline {
  struct command stage[STAGES];
  unsigned stages;
};

static int last_status;
static struct job {
  uint64_t pid; /* 0: the entry is free */
  char name[32];
} jobs[JOBS]; /* what was started and has not been reported */

/* ---- Reading a line --------------------------------------------------------------------------------------------------- */
enum token { END, WORD, PIPE, INPUT, OUTPUT, APPEND, BACKGROUND, OPEN_QUOTE, TOO_LONG };
#define NAME_LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_"

/* The words of a line: the half of it for what is written there, of which each byte may be a word, the other for values. */
static char words[4 * P_SPAWN_MAX];

/* Of $? or $NAME, at whose last letter *from is then; NULL: it is just a $. */
static const char *value(const char **from) {
  static char status[16], name[64];
  size_t n = strspn(*from + 1, NAME_LETTERS);
  if ((*from)[1] == '?') {
    ++*from;
    snprintf(status, sizeof status, "%d", last_status);
    return status;
  }
  if (!n || n >= sizeof name || isdigit((unsigned char)(*from)[1]))
    return NULL;
  memcpy(name, *from + 1, n);
  name[n] = 0;
  *from += n;
  const char *found = getenv(name);
  return found ? found : "";
}

/* Puts it where *to is, which moves on. False: there is no room. */
static bool put_value(const char *text, char **to) {
  size_t bytes = strlen(text);
  if (*to + bytes > words + sizeof words / 2)
    return false;
  *to = (char *)memcpy(*to, text, bytes) + bytes;
  return true;
}

/* Takes a word off *line and puts it, with quotes, backslashes and values resolved, where *to is, which moves on. A value is one
 * word, or a part of one, whatever it holds. */
static enum token take_word(const char **line, char **to) {
  char quote = 0;
  const char *from = *line, *found;
  for (; *from && (quote || (!isspace((unsigned char)*from) && !strchr("|<>&", *from))); from++) {
    if (*from == quote)
      quote = 0;
    else if (!quote && (*from == '\'' || *from == '"'))
      quote = *from;
    else if (*from == '$' && quote != '\'' && (found = value(&from))) {
      if (!put_value(found, to))
        return TOO_LONG;
    } else
      *(*to)++ = *from == '\\' && quote != '\'' && from[1] ? *++from : *from;
  }
  *(*to)++ = 0;
  *line = from;
  return quote ? OPEN_QUOTE : WORD;
}

static enum token next_token(const char **line, char **to) {
  static const enum token operators[] = {['|'] = PIPE, ['<'] = INPUT, ['>'] = OUTPUT, ['&'] = BACKGROUND};
  while (isspace((unsigned char)**line))
    ++*line;
  if (!**line || !strchr("|<>&", **line))
    return **line ? take_word(line, to) : END;
  enum token token = operators[(unsigned char)*(*line)++];
  if (token != OUTPUT || **line != '>')
    return token;
  ++*line;
  return APPEND;
}

static bool is_assignment(const char *word) {
  const char *equals = strchr(word, '=');
  return equals && equals > word && !isdigit((unsigned char)*word) &&
         strspn(word, NAME_LETTERS) == (size_t)(equals - word);
}

static const char *add_word(struct command *c, char *word) {
  if (c->words == WORDS)
    return "too many words";
  c->variables += c->variables == c->words && is_assignment(word);
  c->word[c->words++] = word;
  return NULL;
}

static const char *add_file(struct command *c, enum token token, const char **line, char **to) {
  char *name = *to;
  if (next_token(line, to) != WORD)
    return "no file is named after < or >";
  *(token == INPUT ? &c->input : &c->output) = name;
  c->append = token == APPEND;
  return NULL;
}

/* What is wrong with the line, or NULL. */
static const char *parse(const char *line, struct pipeline *p) {
  char *to = words;
  *p = (struct pipeline){.stages = 1};
  for (;;) {
    struct command *c = &p->stage[p->stages - 1];
    char *word = to;
    const char *error = NULL;
    enum token token = next_token(&line, &to);
    bool named = c->words > c->variables;
    if (token == OPEN_QUOTE)
      error = "a quote is not closed";
    else if (token == TOO_LONG)
      error = "the line is too long with its values";
    else if (c->background && token != END)
      error = "nothing may follow &";
    else if (token == WORD)
      error = add_word(c, word);
    else if (token == INPUT || token == OUTPUT || token == APPEND)
      error = add_file(c, token, &line, &to);
    else if (!named && (token != END || p->stages > 1))
      error = token == BACKGROUND ? "nothing stands before &" : "a program is missing beside |";
    else if (token == PIPE && p->stages++ == STAGES)
      error = "too many programs in one line";
    else if (token == BACKGROUND)
      c->background = true;
    if (error || token == END)
      return error;
  }
}

/* ---- Starting and waiting ---------------------------------------------------------------------------------------------- */
static struct job *job_of(uint64_t pid) {
  for (unsigned i = 0; i < JOBS; i++)
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

/* In the job of its own, or of the program that leads the line's. */
static int64_t start(const struct command *c, unsigned skip, uint64_t job, bool background) {
  unsigned flags = (job ? POSIX_SPAWN_JOIN : POSIX_SPAWN_JOB) | (background ? 0 : POSIX_SPAWN_FOREGROUND);
  const char *const *words = (const char *const *)c->word + c->variables + skip;
  int64_t pid = px_spawn_in(words, environment(c), flags, job);
  if (pid == -ENOENT)
    fprintf(stderr, "sh: %s: no such program; 'help' lists them\n", *words);
  else if (pid < 0)
    fprintf(stderr, "sh: cannot start %s: %s\n", *words, strerror((int)-pid));
  if (pid < 0)
    last_status = 127;
  else
    remember((uint64_t)pid, *words);
  return pid;
}

/* ---- Descriptors: while a program is started, the shell's own 0 and 1 are what they shall be for it ------------------- */
#define SAVED 10 /* the shell's own are kept from here on */

/* Takes over the descriptor. */
static void become(int fd, int as) {
  dup2(fd, as);
  close(fd);
}

static bool open_as(const char *path, int flags, int as) {
  int fd = open(path, flags | O_CLOEXEC, 0666);
  if (fd < 0)
    fprintf(stderr, "sh: %s: %s\n", path, strerror(errno));
  else
    become(fd, as);
  return fd >= 0;
}

static bool redirect(const struct command *c) {
  int output = O_WRONLY | O_CREAT | (c->append ? O_APPEND : O_TRUNC);
  fflush(stdout);
  return (!c->input || open_as(c->input, O_RDONLY, 0)) && (!c->output || open_as(c->output, output, 1));
}

static void save(int saved[2]) {
  fflush(stdout);
  for (int fd = 0; fd < 2; fd++)
    saved[fd] = fcntl(fd, F_DUPFD_CLOEXEC, SAVED);
}

static void restore(const int saved[2]) {
  fflush(stdout);
  for (int fd = 0; fd < 2; fd++)
    become(saved[fd], fd);
}

/* False: it is no child of the shell's, or with POSIX_WAIT_NOHANG lives on. */
static bool wait_for(uint64_t pid, unsigned flags, struct p_death *death) {
  int64_t got;
  while ((got = px_wait(pid, flags, death)) == -EINTR)
    ;
  if (got <= 0)
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

static bool in_background(const struct pipeline *p) {
  return p->stage[p->stages - 1].background;
}

/* Starts what the line names, from the last, which leads the job, to the first, each with its end of the pipes. False: not
 * all could be started; *started says how many. */
static bool start_all(const struct pipeline *p, uint64_t *pid, unsigned *started) {
  int saved[2], ends[2] = {-1, -1};
  bool good = true;
  save(saved);
  for (unsigned i = p->stages; good && i-- > 0; *started += good) {
    if (i + 1 < p->stages)
      become(ends[1], 1);
    good = i == 0 || !pipe(ends);
    if (good && i > 0)
      fcntl(ends[1], F_SETFD, FD_CLOEXEC);
    if (i > 0)
      become(ends[0], 0);
    else
      dup2(saved[0], 0);
    int64_t got =
        good && redirect(&p->stage[i]) ? start(&p->stage[i], 0, *started ? pid[0] : 0, in_background(p)) : -1;
    good = got >= 0;
    pid[*started] = (uint64_t)got;
    if (!good && i > 0)
      close(ends[1]);
  }
  restore(saved);
  return good;
}

/* With the leader the line is done. The others have ended with it or before, or stay as jobs in the background. */
static void run(const struct pipeline *p) {
  uint64_t pid[STAGES];
  struct p_death death;
  unsigned started = 0;
  const struct command *last = &p->stage[p->stages - 1];
  last_status = 0;
  bool whole = start_all(p, pid, &started);
  if (started && in_background(p))
    printf("[%lu] %s\n", (unsigned long)pid[0], last->word[last->variables]);
  if (started && !in_background(p))
    wait_for(pid[0], 0, &death);
  int status = last_status;
  for (unsigned i = 1; i < started && !in_background(p); i++)
    wait_for(pid[i], POSIX_WAIT_NOHANG, &death);
  last_status = whole ? status : 127;
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
  for (unsigned i = 0; i < JOBS; i++)
    if (jobs[i].pid)
      printf("[%lu] %s\n", (unsigned long)jobs[i].pid, jobs[i].name);
  return 0;
}

static int do_time(const struct command *c) {
  struct p_death death;
  if (c->words < c->variables + 2 || c->background)
    return usage("time PROGRAM [ARGUMENT...]");
  uint64_t begin = q_instret();
  int64_t pid = start(c, 1, 0, false);
  if (pid >= 0 && wait_for((uint64_t)pid, 0, &death))
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
  if (child && !px_foreground(pid) && wait_for(pid, 0, &death))
    return last_status;
  printf("fg: %lu: no such job\n", (unsigned long)pid);
  return 1;
}

static int do_cd(const struct command *c) {
  const char *to = c->words > c->variables + 1 ? c->word[c->variables + 1] : "/";
  if (!chdir(to))
    return 0;
  printf("cd: %s: %s\n", to, strerror(errno));
  return 1;
}

static int do_pwd(const struct command *c) {
  char path[1024];
  (void)c;
  if (!getcwd(path, sizeof path)) {
    printf("pwd: %s\n", strerror(errno));
    return 1;
  }
  printf("%s\n", path);
  return 0;
}

static int do_exit(const struct command *c) {
  uint64_t status = (uint64_t)last_status;
  if (c->words > c->variables + 1 && !number(c->word[c->variables + 1], &status))
    return usage("exit [STATUS]");
  exit((int)status);
}

static int do_help(const struct command *c) {
  (void)c;
  printf("A line is a program and its arguments; with | the next program reads what it writes; < FILE, > FILE and\n"
         ">> FILE are read and written instead of the console; & at the end leaves it in the background. NAME=VALUE "
         "keeps a\n"
         "value for $NAME; $? is the last status. Built in:\n"
         "  kill PID...   end processes          time PROGRAM ...  what it cost\n"
         "  fg PID        back to the foreground  jobs              what is in the background\n"
         "  cd, pwd       the working directory  exit [STATUS]     turns the machine off\n"
         "Programs: " QUIRE_APPS "\n"
         "Ctrl-C ends the program in the foreground, Ctrl-D is the end of input, Ctrl-U and Ctrl-W take back.\n");
  return 0;
}

static const struct {
  const char *name;
  int (*run)(const struct command *c); /* its status */
} built_in[] = {{"kill", do_kill}, {"jobs", do_jobs}, {"time", do_time}, {"fg", do_fg},
                {"exit", do_exit}, {"help", do_help}, {"cd", do_cd},     {"pwd", do_pwd}};

/* A built-in command stands alone in its line; its output may go to a file. */
static bool run_built_in(const struct command *c) {
  for (unsigned i = 0; i < sizeof built_in / sizeof *built_in; i++) {
    if (strcmp(built_in[i].name, c->word[c->variables]))
      continue;
    int saved[2];
    save(saved);
    last_status = redirect(c) ? built_in[i].run(c) : 1;
    restore(saved);
    return true;
  }
  return false;
}

static void execute(const struct pipeline *p) {
  const struct command *c = &p->stage[0];
  if (c->words > c->variables) {
    if (p->stages > 1 || !run_built_in(c))
      run(p);
    return;
  }
  for (unsigned i = 0; i < c->words; i++) { /* only variables: for all programs from now on */
    *strchr(c->word[i], '=') = 0;
    setenv(c->word[i], c->word[i] + strlen(c->word[i]) + 1, 1);
  }
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
  static struct pipeline p;
  const char *error = strlen(line) != length ? "a line of text holds no NUL" : parse(line, &p);
  if (error)
    printf("sh: %s\n", error);
  else
    execute(&p);
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
