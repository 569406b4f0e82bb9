/* SPDX-License-Identifier: BSD-2-Clause */
/* The tree is evaluated: which commands run, in which processes, with which descriptors. */
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sh.h"

#define SAVED 10  /* the shell's own descriptors are kept from here on */
#define DEPTH 200 /* calls of functions within each other, and texts that are run from texts */

struct shell sh = {.name = "sh"};

struct function {
  struct function *next;
  const char *name;
  const struct node *body;
};
static struct function *functions;
static unsigned defined; /* how often one was: the tree that it lies in is kept then */

/* ---- Descriptors -------------------------------------------------------------------------------------------------------- */
struct saved {
  struct saved *next;
  int fd, copy; /* -1: it was not open */
};

/* The descriptor comes to be that one. */
static bool move(int from, int to) {
  if (from == to)
    return true;
  bool good = dup2(from, to) >= 0;
  close(from);
  return good;
}

/* A here-document lies in a file without a name. */
static int document(const struct redirect *r) {
  char name[40];
  const char *text = r->literal ? r->text : expand_document(r->text);
  size_t bytes = strlen(text);
  snprintf(name, sizeof name, "/tmp/sh.%ld", (long)getpid());
  int fd = open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
  unlink(name);
  if (fd >= 0 && write(fd, text, bytes) != (ssize_t)bytes) {
    close(fd);
    return -1;
  }
  if (fd >= 0)
    lseek(fd, 0, SEEK_SET);
  return fd;
}

static bool duplicate(const struct redirect *r, const char *from) {
  if (!strcmp(from, "-")) {
    close(r->fd);
    return true;
  }
  bool number = *from >= '0' && *from <= '9' && !from[1];
  errno = EBADF;
  return number && dup2(*from - '0', r->fd) >= 0;
}

static bool redirect(const struct redirect *r) {
  static const int flags[] = {[READ] = O_RDONLY,
                              [WRITE] = O_WRONLY | O_CREAT | O_TRUNC,
                              [APPEND] = O_WRONLY | O_CREAT | O_APPEND,
                              [READ_WRITE] = O_RDWR | O_CREAT};
  const char *name = r->kind == DOCUMENT ? "here-document" : expand_string(r->text);
  bool good;
  if (r->kind == DUPLICATE)
    good = duplicate(r, name);
  else {
    int fd = r->kind == DOCUMENT ? document(r) : open(name, flags[r->kind], 0666);
    good = fd >= 0 && move(fd, r->fd);
  }
  return good || (complain("sh", name, strerror(errno)), false);
}

/* With a list, what was there before can be put back. */
static bool redirect_all(const struct redirect *r, struct saved **saved) {
  fflush(stdout);
  for (; r; r = r->next) {
    if (saved) {
      struct saved *s = take(&sh.memory, sizeof *s);
      *s = (struct saved){*saved, r->fd, fcntl(r->fd, F_DUPFD_CLOEXEC, SAVED)};
      *saved = s;
    }
    if (!redirect(r))
      return false;
  }
  return true;
}

static void put_back(const struct saved *s) {
  fflush(stdout);
  for (; s; s = s->next)
    if (s->copy < 0)
      close(s->fd);
    else
      move(s->copy, s->fd);
}

static void keep_for_good(const struct saved *s) {
  for (; s; s = s->next)
    close(s->copy);
}

/* ---- Programs ----------------------------------------------------------------------------------------------------------- */
_Noreturn void finish(void) {
  char *trap = sh.exit_trap;
  int status = sh.status;
  sh.exit_trap = NULL;
  if (trap) {
    sh.leaving = NOTHING;
    sh.interactive = false;
    run_text(trap, false);
    if (sh.leaving == EXIT)
      status = sh.status;
  }
  fflush(stdout);
  exit(status);
}

/* A file that is no program is a script. */
_Noreturn void become(char **words) {
  char **list = environment();
  extern char **environ;
  fflush(stdout);
  environ = list; /* its PATH counts */
  execvp(*words, words);
  sh.status = errno == ENOENT || errno == ENOTDIR ? 127 : 126;
  if (errno == ENOEXEC && strchr(*words, '/')) {
    for (sh.arguments.count = 0; words[sh.arguments.count + 1];)
      sh.arguments.count++;
    sh.arguments.arg = words + 1;
    sh.name = *words;
    sh.status = run_file(*words, true);
  } else if (errno == ENOENT && !strchr(*words, '/'))
    complain("sh", *words, "no such program; 'help' lists them");
  else
    fprintf(stderr, "sh: cannot start %s: %s\n", *words, strerror(errno));
  finish();
}

static void assign(const struct word *w, struct old_variable **old, bool for_program) {
  for (; w; w = w->next) {
    size_t bytes = strcspn(w->text, "=");
    char *name = take_text(&sh.memory, w->text, bytes);
    char *value = expand_string(w->text + bytes + 1);
    if (old)
      variable_keep(old, name);
    variable_set(name, value);
    if (for_program)
      variable_export(name);
  }
}

static int program(const struct node *n, char **words, bool last) {
  pid_t pid = last && !sh.jobs && !sh.exit_trap ? 0 : fork_child(0, true, *words);
  if (pid)
    return pid < 0 ? 126 : wait_child(pid);
  sh.status = 2;
  if (!redirect_all(n->redirects, NULL))
    finish();
  assign(n->assignments, NULL, true);
  become(words);
}

/* ---- Simple commands ---------------------------------------------------------------------------------------------------- */
static const struct node *find_function(const char *name) {
  for (const struct function *f = functions; f; f = f->next)
    if (!strcmp(f->name, name))
      return f->body;
  return NULL;
}

bool is_function(const char *name) {
  return find_function(name);
}

static int define(const struct node *n, bool last) {
  static struct arena for_ever;
  (void)last;
  struct function *f = take(&for_ever, sizeof *f);
  *f = (struct function){functions, n->name, n->left};
  functions = f;
  defined++;
  return 0;
}

static int too_deep(void) {
  sh.leaving = sh.interactive ? INTERRUPTED : EXIT;
  return sh.status = 1 + complain("sh", "too deep", "what calls itself does not end");
}

static int call(const struct node *body, char **words) {
  struct arguments outer = sh.arguments;
  struct old_variable *locals = sh.locals;
  unsigned loops = sh.loops;
  if (sh.depth == DEPTH)
    return too_deep();
  sh.depth++;
  sh.loops = 0;
  sh.locals = NULL;
  sh.arguments = (struct arguments){.arg = words + 1};
  while (words[sh.arguments.count + 1])
    sh.arguments.count++;
  int status = run(body, false);
  if (sh.leaving == RETURN) {
    sh.leaving = NOTHING;
    status = sh.status;
  }
  free(sh.arguments.memory);
  variables_restore(&sh.locals);
  sh.arguments = outer;
  sh.locals = locals;
  sh.loops = loops;
  sh.depth--;
  return status;
}

/* A function, a built-in command, or nothing but variables and redirections: all in the shell's own process. */
static int in_shell(const struct node *n, char **words, const struct node *function, builtin *command) {
  struct saved *saved = NULL;
  struct old_variable *old = NULL;
  bool stays = *words && !strcmp(*words, "exec");
  int status = 2;
  if (redirect_all(n->redirects, &saved)) {
    assign(n->assignments, *words ? &old : NULL, *words);
    status = function ? call(function, words) : command ? command(words) : sh.captured ? sh.status : 0;
    if (stays)
      keep_for_good(saved);
  }
  if (!stays || status)
    put_back(saved);
  variables_restore(&old);
  return status;
}

static void trace(char **words) {
  if (!sh.trace)
    return;
  for (char **w = words; *w; w++)
    fprintf(stderr, "%s %s", w == words ? "+" : "", *w);
  fprintf(stderr, "\n");
}

static char **array(const struct word *words) {
  size_t count = 0;
  for (const struct word *w = words; w; w = w->next)
    count++;
  char **list = take(&sh.memory, (count + 1) * sizeof *list), **next = list;
  for (; words; words = words->next)
    *next++ = words->text;
  return list;
}

static int simple(const struct node *n, bool last) {
  sh.captured = false;
  char **words = array(expand_fields(n->words));
  if (sh.leaving)
    return sh.status;
  trace(words);
  const struct node *function = *words ? find_function(*words) : NULL;
  builtin *command = *words && !function ? find_builtin(*words) : NULL;
  return *words && !function && !command ? program(n, words, last) : in_shell(n, words, function, command);
}

/* ---- Processes of the shell's own --------------------------------------------------------------------------------------- */
static const char *name_of(const struct node *n) {
  return n && n->kind == SIMPLE && n->words ? n->words->text : "sh";
}

static _Noreturn void run_child(const struct node *n) {
  sh.status = run(n, true);
  finish();
}

static int subshell(const struct node *n, bool last) {
  pid_t pid = last && !sh.jobs && !sh.exit_trap ? 0 : fork_child(0, true, "sh");
  if (pid)
    return pid < 0 ? 126 : wait_child(pid);
  sh.status = 2;
  if (!redirect_all(n->redirects, NULL))
    finish();
  run_child(n->left);
}

static _Noreturn void be_stage(const struct node *n, const int input[2], int output) {
  if (output >= 0)
    move(output, 1);
  if (input[0] >= 0) {
    close(input[1]);
    move(input[0], 0);
  }
  run_child(n);
}

struct pipeline {
  unsigned stages;
  const struct node **stage;
  pid_t *pid, leader;
};

static void collect(struct pipeline *p, const struct node *n) {
  p->stages = 1;
  for (const struct node *at = n; at->kind == PIPE; at = at->right)
    p->stages++;
  p->stage = take(&sh.memory, p->stages * sizeof *p->stage);
  p->pid = take(&sh.memory, p->stages * sizeof *p->pid);
  for (unsigned i = 0; i < p->stages; i++, n = n->right)
    p->stage[i] = n->kind == PIPE ? n->left : n;
}

/* From the last, which leads the job, to the first, so that nobody has an end of a pipe that is not its own. */
static bool start_stages(struct pipeline *p, bool foreground) {
  int output = -1;
  pid_t pid = 1;
  for (unsigned i = p->stages; pid > 0 && i-- > 0;) {
    int input[2] = {-1, -1};
    if (i && pipe(input))
      pid = -1 - complain("sh", "cannot make a pipe", strerror(errno));
    else
      pid = p->pid[i] = fork_child(p->leader, foreground, name_of(p->stage[i]));
    if (!pid)
      be_stage(p->stage[i], input, output);
    close(output);
    close(input[0]);
    output = input[1];
    p->leader = p->leader ? p->leader : pid;
  }
  close(output);
  return pid > 0;
}

static int pipeline(const struct node *n, bool last) {
  struct pipeline p = {0};
  int status = 126;
  (void)last;
  collect(&p, n);
  bool whole = start_stages(&p, true);
  for (unsigned i = 0; i < p.stages; i++)
    if (p.pid[i] > 0)
      status = wait_child(p.pid[i]);
  return whole ? status : 126;
}

static int background(const struct node *n, bool last) {
  struct pipeline p = {0};
  bool jobs = sh.jobs; /* without, what it reads is not what the shell reads */
  (void)last;
  if (n->left->kind == PIPE) {
    collect(&p, n->left);
    start_stages(&p, false);
  } else
    p.leader = fork_child(0, false, name_of(n->left));
  if (!p.leader) {
    int nothing = jobs ? -1 : open("/dev/null", O_RDONLY);
    if (nothing >= 0)
      move(nothing, 0);
    run_child(n->left);
  }
  if (p.leader < 0)
    return 126;
  sh.background = p.leader;
  if (sh.interactive)
    fprintf(stderr, "[%ld] %s\n", (long)p.leader, name_of(n->left->kind == PIPE ? p.stage[p.stages - 1] : n->left));
  return 0;
}

char *capture(const char *text) {
  int ends[2];
  struct text output = {0};
  text_append(&output, "", 0);
  pid_t pid = pipe(ends) ? -1 : fork_child(0, true, "sh");
  if (!pid) {
    close(ends[0]);
    move(ends[1], 1);
    sh.status = run_text(text, true);
    finish();
  }
  if (pid > 0) {
    char some[512];
    close(ends[1]);
    for (ssize_t got; (got = read(ends[0], some, sizeof some)) > 0;)
      text_append(&output, some, (size_t)got);
    close(ends[0]);
  }
  sh.status = pid > 0 ? wait_child(pid) : 126;
  sh.captured = true;
  while (output.used && output.at[output.used - 1] == '\n')
    output.at[--output.used] = 0;
  char *result = take_text(&sh.memory, output.at, output.used);
  text_free(&output);
  return result;
}

/* ---- Lists, conditions and loops ---------------------------------------------------------------------------------------- */
static int run_tested(const struct node *n) {
  sh.tested++;
  int status = run(n, false);
  sh.tested--;
  return status;
}

static int and_or(const struct node *n, bool last) {
  int status = run_tested(n->left);
  return sh.leaving || (status == 0) != (n->kind == AND) ? status : run(n->right, last);
}

static int invert(const struct node *n, bool last) {
  (void)last;
  return !run_tested(n->left);
}

static int list(const struct node *n, bool last) {
  int status = sh.status;
  for (; n && !sh.leaving; n = n->right)
    status = run(n->left, last && !n->right);
  return status;
}

static int group(const struct node *n, bool last) {
  return run(n->left, last);
}

static int condition(const struct node *n, bool last) {
  int status = run_tested(n->left);
  const struct node *then = status ? n->other : n->right;
  return sh.leaving ? status : then ? run(then, last) : 0;
}

bool interrupted(void) {
  if (!sh.interactive || !system_interrupted())
    return false;
  sh.leaving = INTERRUPTED;
  sh.status = 130;
  return true;
}

/* After a turn of a loop: it is not to go on. */
static bool left(void) {
  if (interrupted() || (sh.leaving != BREAK && sh.leaving != CONTINUE))
    return sh.leaving != NOTHING;
  if (--sh.levels)
    return true;
  bool is = sh.leaving == BREAK;
  sh.leaving = NOTHING;
  return is;
}

static int while_loop(const struct node *n, bool last) {
  int status = 0;
  (void)last;
  sh.loops++;
  for (;;) {
    bool more = (run_tested(n->left) == 0) == (n->kind == WHILE);
    if (!sh.leaving && !more)
      break;
    if (!sh.leaving)
      status = run(n->right, false);
    if (left())
      break;
  }
  sh.loops--;
  return sh.leaving ? sh.status : status;
}

static int for_loop(const struct node *n, bool last) {
  int status = 0;
  (void)last;
  sh.loops++;
  for (const struct word *w = expand_fields(n->words); w && !sh.leaving; w = w->next) {
    variable_set(n->name, w->text);
    status = run(n->right, false);
    if (left())
      break;
  }
  sh.loops--;
  return sh.leaving ? sh.status : status;
}

static bool matches(const struct word *patterns, const char *subject) {
  for (; patterns; patterns = patterns->next)
    if (!fnmatch(expand_pattern(patterns->text), subject, 0))
      return true;
  return false;
}

static int choose(const struct node *n, bool last) {
  const char *subject = expand_string(n->words->text);
  const struct node *item = n->right;
  while (item && !matches(item->words, subject))
    item = item->right;
  return item && item->left ? run(item->left, last) : 0;
}

/* ---- All ------------------------------------------------------------------------------------------------------------------ */
static int (*const runs[])(const struct node *n, bool last) = {
    [SIMPLE] = simple,    [PIPE] = pipeline,         [AND] = and_or,        [OR] = and_or,   [NOT] = invert,
    [LIST] = list,        [BACKGROUND] = background, [SUBSHELL] = subshell, [GROUP] = group, [IF] = condition,
    [WHILE] = while_loop, [UNTIL] = while_loop,      [FOR] = for_loop,      [CASE] = choose, [FUNCTION] = define};

/* A compound command's redirections are there while it runs; the others see to their own. */
static int run_redirected(const struct node *n, bool last) {
  struct saved *saved = NULL;
  if (!n->redirects || n->kind == SIMPLE || n->kind == SUBSHELL)
    return runs[n->kind](n, last);
  int status = redirect_all(n->redirects, &saved) ? runs[n->kind](n, false) : 2;
  put_back(saved);
  return status;
}

int run(const struct node *n, bool last) {
  if (!n || sh.leaving)
    return sh.status;
  struct mark mark = arena_mark(&sh.memory);
  bool counts = n->kind == SIMPLE || n->kind == PIPE || n->kind == SUBSHELL;
  int status = run_redirected(n, last);
  arena_release(&sh.memory, mark);
  if (!sh.leaving)
    sh.status = status;
  if (sh.errexit && counts && !sh.tested && sh.status && !sh.leaving)
    sh.leaving = EXIT;
  return sh.status;
}

/* Somebody who types goes on after an error, and after an interrupt. */
static bool goes_on(struct source *source, const struct parser *p) {
  if (p->error) {
    fprintf(stderr, "sh: %s\n", p->error);
    sh.status = 2;
    source->at = source->used;
  }
  if (sh.leaving == INTERRUPTED && sh.interactive && source->more)
    sh.leaving = NOTHING;
  return !sh.leaving && (!p->error || (sh.interactive && source->more));
}

void run_source(struct source *source, bool last) {
  bool more = sh.depth < DEPTH || !too_deep();
  for (sh.depth++; more;) {
    struct arena memory = {0};
    struct parser p = {.source = source, .memory = &memory};
    struct node *node;
    unsigned before = defined;
    bool parsed = parse_line(&p, &node);
    if (parsed && node)
      run(node, last && !source->more && source->at >= source->used);
    more = goes_on(source, &p) && (parsed || p.error);
    if (defined == before)
      arena_release(&memory, (struct mark){0});
  }
  sh.depth--;
}

int run_text(const char *text, bool last) {
  struct source source = {.text = (char *)text, .used = strlen(text)};
  run_source(&source, last);
  return sh.status;
}

int run_file(const char *path, bool last) {
  char some[4096];
  struct text text = {0};
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t got = -1;
  text_append(&text, "", 0);
  while (fd >= 0 && (got = read(fd, some, sizeof some)) > 0)
    text_append(&text, some, (size_t)got);
  if (got < 0) {
    sh.status = 126 + (errno == ENOENT);
    complain("sh", path, strerror(errno));
  } else {
    sh.status = 0;
    run_text(text.at, last);
  }
  close(fd);
  text_free(&text);
  return sh.status;
}
