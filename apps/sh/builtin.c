/* SPDX-License-Identifier: BSD-2-Clause */
/* Built-in commands: what a program could not do for the shell. */
#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "sh.h"

int complain(const char *who, const char *what, const char *why) {
  fflush(stdout);
  fprintf(stderr, "%s: %s: %s\n", who, what, why);
  return 1;
}

static int usage(const char *text) {
  fprintf(stderr, "usage: %s\n", text);
  return 2;
}

static bool number(const char *text, long *value) {
  char *end;
  *value = text ? strtol(text, &end, 10) : 0;
  return text && isdigit((unsigned char)*text) && !*end;
}

/* ---- Leaving ------------------------------------------------------------------------------------------------------------ */
static int leave(char **argv, enum leaving how) {
  long status = sh.status;
  if (argv[1] && !number(argv[1], &status))
    return usage("exit [STATUS], return [STATUS]");
  sh.leaving = how;
  return sh.status = (int)status & 255;
}

static int do_exit(char **argv) {
  return leave(argv, EXIT);
}

static int do_return(char **argv) {
  return leave(argv, RETURN);
}

static int leave_loop(char **argv, enum leaving how) {
  long levels = 1;
  if (argv[1] && (!number(argv[1], &levels) || !levels))
    return usage("break [LOOPS], continue [LOOPS]");
  if (!sh.loops)
    return 0;
  sh.levels = levels < sh.loops ? (unsigned)levels : sh.loops;
  sh.leaving = how;
  return sh.status = 0;
}

static int do_break(char **argv) {
  return leave_loop(argv, BREAK);
}

static int do_continue(char **argv) {
  return leave_loop(argv, CONTINUE);
}

/* ---- The shell's own state ---------------------------------------------------------------------------------------------- */
static int do_cd(char **argv) {
  const char *home = variable("HOME"), *to = argv[1] ? argv[1] : home ? home : "/";
  const char *before = variable("PWD");
  if (chdir(to))
    return complain("cd", to, strerror(errno));
  variable_set("OLDPWD", before ? before : "");
  place_set();
  return 0;
}

static int do_pwd(char **argv) {
  char path[1024];
  (void)argv;
  if (!getcwd(path, sizeof path))
    return complain("pwd", "where is that", strerror(errno));
  printf("%s\n", path);
  return 0;
}

/* NAME=VALUE or NAME, for export and local. */
static bool declare(const char *who, char *word, void (*begin)(const char *name)) {
  size_t bytes = strcspn(word, "=");
  if (!is_name(word, bytes))
    return complain(who, word, "that is no name"), false;
  char *name = take_text(&sh.memory, word, bytes);
  begin(name);
  if (word[bytes])
    variable_set(name, word + bytes + 1);
  return true;
}

static int do_export(char **argv) {
  int status = 0;
  bool shows = !argv[1] || !strcmp(argv[1], "-p");
  if (shows)
    variables_show(true);
  for (char **word = argv + 1; !shows && *word; word++)
    status |= !declare("export", *word, variable_export);
  return status;
}

static void make_local(const char *name) {
  variable_keep(&sh.locals, name);
}

static int do_local(char **argv) {
  int status = 0;
  for (char **word = argv + 1; *word; word++)
    status |= !declare("local", *word, make_local);
  return status;
}

static int do_unset(char **argv) {
  for (char **word = argv + 1; *word; word++)
    if (strcmp(*word, "-v"))
      variable_set(*word, NULL);
  return 0;
}

/* They lie in one piece of memory of their own: pointers, then what they point to. */
static void set_arguments(char **from) {
  size_t bytes = 0;
  unsigned count = 0;
  for (; from[count]; count++)
    bytes += strlen(from[count]) + 1;
  char **list = malloc((count + 1) * sizeof *list + bytes), *to = (char *)(list + count + 1);
  if (!list) {
    complain("set", "arguments", strerror(errno));
    return;
  }
  for (unsigned i = 0; i < count; to += strlen(to) + 1, i++)
    list[i] = strcpy(to, from[i]);
  list[count] = NULL;
  free(sh.arguments.memory);
  sh.arguments = (struct arguments){list, count, list};
}

static bool set_option(char letter, bool on) {
  bool *option = letter == 'e' ? &sh.errexit : letter == 'x' ? &sh.trace : letter == 'u' ? &sh.unset_is_error : NULL;
  if (option)
    *option = on;
  return option;
}

static int do_set(char **argv) {
  char **word = argv + 1;
  if (!*word)
    variables_show(false);
  for (; *word && (**word == '-' || **word == '+') && (*word)[1] && strcmp(*word, "--"); word++)
    for (const char *letter = *word + 1; *letter; letter++)
      if (!set_option(*letter, **word == '-'))
        return usage("set [-eux] [+eux] [--] [ARGUMENT...]");
  bool dashes = *word && !strcmp(*word, "--");
  if (*word)
    set_arguments(word + dashes);
  return 0;
}

static int do_shift(char **argv) {
  long by = 1;
  if (argv[1] && !number(argv[1], &by))
    return usage("shift [COUNT]");
  if (by > sh.arguments.count)
    return complain("shift", "more than there are", "nothing is changed") + 1;
  sh.arguments.arg += by;
  sh.arguments.count -= (unsigned)by;
  return 0;
}

static int do_trap(char **argv) {
  bool is_exit = argv[1] && argv[2] && !argv[3] && (!strcmp(argv[2], "EXIT") || !strcmp(argv[2], "0"));
  if (!is_exit)
    return complain("trap", argv[1] ? argv[1] : "", "a signal ends a process: only 'trap COMMAND EXIT' is there");
  free(sh.exit_trap);
  sh.exit_trap = *argv[1] && strcmp(argv[1], "-") ? strdup(argv[1]) : NULL;
  return 0;
}

/* ---- Commands from words ------------------------------------------------------------------------------------------------ */
static int do_eval(char **argv) {
  struct text text = {0};
  text_append(&text, "", 0);
  for (char **word = argv + 1; *word; word++) {
    text_append(&text, *word, strlen(*word));
    text_add(&text, ' ');
  }
  char *copy = take_text(&sh.memory, text.at, text.used);
  text_free(&text);
  if (!argv[1])
    return 0;
  return run_text(copy, false);
}

static int do_dot(char **argv) {
  if (!argv[1])
    return usage(". FILE");
  int status = run_file(argv[1], false);
  if (sh.leaving == RETURN)
    sh.leaving = NOTHING;
  return status;
}

static int do_exec(char **argv) {
  if (argv[1])
    become(argv + 1);
  return 0;
}

static int do_echo(char **argv) {
  bool newline = !argv[1] || strcmp(argv[1], "-n");
  for (char **word = argv + 2 - newline; *word; word++)
    printf("%s%s", *word, word[1] ? " " : "");
  if (newline)
    putchar('\n');
  return 0;
}

static int do_true(char **argv) {
  (void)argv;
  return 0;
}

static int do_false(char **argv) {
  (void)argv;
  return 1;
}

/* ---- read: a line, and no byte beyond it ---------------------------------------------------------------------------------- */
static bool take_line(struct text *line, bool plain_text) {
  char c;
  text_append(line, "", 0);
  while (read(0, &c, 1) == 1 && c != '\n')
    if (plain_text || c != '\\')
      text_add(line, c);
    else if (read(0, &c, 1) == 1 && c != '\n')
      text_add(line, c);
  return c == '\n';
}

/* The value of the next variable; the last one has all that is left. */
static char *take_field(char **at, const char *separators, bool last) {
  *at += strspn(*at, separators);
  size_t bytes = last ? strlen(*at) : strcspn(*at, separators);
  char *field = take_text(&sh.memory, *at, bytes);
  *at += bytes;
  for (*at += **at != 0; last && bytes && strchr(separators, field[bytes - 1]); bytes--)
    field[bytes - 1] = 0;
  return field;
}

static int do_read(char **argv) {
  struct text line = {0};
  bool plain_text = argv[1] && !strcmp(argv[1], "-r");
  char **name = argv + 1 + plain_text;
  const char *separators = variable("IFS");
  if (!*name)
    return usage("read [-r] NAME...");
  bool whole = take_line(&line, plain_text);
  char *at = line.at;
  for (; *name; name++)
    variable_set(*name, take_field(&at, separators ? separators : " \t\n", !name[1]));
  text_free(&line);
  return interrupted() ? 130 : !whole;
}

/* ---- Processes ---------------------------------------------------------------------------------------------------------- */
static bool signal_of(const char *name, long *signal) {
  static const struct {
    const char *name;
    int signal;
  } names[] = {{"HUP", SIGHUP},   {"INT", SIGINT},   {"QUIT", SIGQUIT}, {"KILL", SIGKILL},
               {"TERM", SIGTERM}, {"ABRT", SIGABRT}, {"ALRM", SIGALRM}, {"PIPE", SIGPIPE},
               {"SEGV", SIGSEGV}, {"USR1", SIGUSR1}, {"USR2", SIGUSR2}};
  for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
    if (!strcasecmp(name, names[i].name)) {
      *signal = names[i].signal;
      return true;
    }
  return number(name, signal);
}

static int kill_one(const char *text, int signal) {
  long pid;
  if (!number(text, &pid) || !pid)
    return complain("kill", text, "not a process id");
  if (!kill((pid_t)pid, signal))
    return 0;
  return complain("kill", text,
                  errno == EPERM   ? "that is the shell itself; 'exit' ends it"
                  : errno == ESRCH ? "no such process; 'ps' lists them"
                                   : strerror(errno));
}

static int do_kill(char **argv) {
  long signal = SIGTERM;
  int status = 0;
  char **word = argv + 1;
  if (*word && **word == '-' && !signal_of(*word++ + 1, &signal))
    return complain("kill", word[-1], "not a signal");
  if (!*word)
    return usage("kill [-SIGNAL] PID...");
  for (; *word; word++)
    status |= kill_one(*word, (int)signal);
  return status;
}

static int do_jobs(char **argv) {
  (void)argv;
  report_ended();
  jobs_show();
  return 0;
}

static int do_wait(char **argv) {
  int status = 0;
  long pid;
  if (!argv[1])
    wait_all();
  for (char **word = argv + 1; *word && !sh.leaving; word++)
    status = number(*word, &pid) ? wait_child((pid_t)pid) : usage("wait [PID...]");
  return sh.leaving ? sh.status : status;
}

/* Only a child: nobody would tell the shell of the end of another, and the console would not come back. */
static int do_fg(char **argv) {
  long pid;
  if (!number(argv[1], &pid))
    return usage("fg PID");
  if (is_job((pid_t)pid) && system_foreground((pid_t)pid))
    return wait_child((pid_t)pid);
  return complain("fg", argv[1], "no such job");
}

/* The file that a name without a slash would start. */
static const char *in_path(const char *name) {
  struct text path = {0};
  const char *at = variable("PATH"), *found = NULL;
  for (at = at ? at : "/bin"; at && !found; at = *at ? at + 1 : NULL) {
    size_t bytes = strcspn(at, ":");
    text_append(&path, at, bytes);
    text_append(&path, bytes ? "/" : "./", bytes ? 1 : 2);
    text_append(&path, name, strlen(name));
    if (!access(path.at, X_OK))
      found = take_text(&sh.memory, path.at, path.used);
    path.used = 0;
    at += bytes;
  }
  text_free(&path);
  return found;
}

static int say_what(const char *name) {
  bool own = is_function(name) || find_builtin(name);
  const char *what = own ? name : !strchr(name, '/') ? in_path(name) : access(name, X_OK) ? NULL : name;
  if (what)
    printf("%s\n", what);
  return what ? 0 : 127;
}

/* The built-in command or program of that name, whatever functions there are. */
static int do_command(char **argv) {
  if (!argv[1] || (!strcmp(argv[1], "-v") && !argv[2]))
    return usage("command [-v] NAME [ARGUMENT...]");
  if (!strcmp(argv[1], "-v"))
    return say_what(argv[2]);
  builtin *own = find_builtin(argv[1]);
  if (own)
    return own(argv + 1);
  pid_t pid = fork_child(0, true, argv[1]);
  if (!pid)
    become(argv + 1);
  return pid < 0 ? 126 : wait_child(pid);
}

static int do_time(char **argv) {
  if (!argv[1])
    return usage("time PROGRAM [ARGUMENT...]");
  unsigned long begin = system_instructions();
  pid_t pid = fork_child(0, true, argv[1]);
  if (!pid)
    become(argv + 1);
  int status = pid < 0 ? 126 : wait_child(pid);
  if (pid > 0)
    fprintf(stderr, "%lu instructions of the machine, %lu faults, %lu frames at most\n",
            system_instructions() - begin, last_ending()->faults, last_ending()->peak);
  return status;
}

static int do_help(char **argv) {
  (void)argv;
  printf(
      "The language is that of POSIX shells. Built in: . : [ break cd command continue echo eval exec exit export "
      "false\n"
      "local pwd read return set shift test true trap unset wait, and\n"
      "  kill PID...   end processes           time PROGRAM ...  what it cost\n"
      "  fg PID        back to the foreground  jobs              what is in the background\n"
      "%s"
      "Ctrl-C ends the program in the foreground, Ctrl-D is the end of input. Arrows, Home, End, Ctrl-A, E, U, K\n"
      "and W edit the line; up and down bring back earlier ones, and Ctrl-R those that begin with what is there.\n",
      system_help);
  return 0;
}

builtin *find_builtin(const char *name) {
  static const struct {
    const char *name;
    builtin *run;
  } list[] = {{".", do_dot},
              {":", do_true},
              {"[", do_test},
              {"break", do_break},
              {"cd", do_cd},
              {"command", do_command},
              {"continue", do_continue},
              {"echo", do_echo},
              {"eval", do_eval},
              {"exec", do_exec},
              {"exit", do_exit},
              {"export", do_export},
              {"false", do_false},
              {"fg", do_fg},
              {"help", do_help},
              {"jobs", do_jobs},
              {"kill", do_kill},
              {"local", do_local},
              {"pwd", do_pwd},
              {"read", do_read},
              {"return", do_return},
              {"set", do_set},
              {"shift", do_shift},
              {"test", do_test},
              {"time", do_time},
              {"trap", do_trap},
              {"true", do_true},
              {"unset", do_unset},
              {"wait", do_wait}};
  for (unsigned i = 0; i < sizeof list / sizeof *list; i++)
    if (!strcmp(list[i].name, name))
      return list[i].run;
  return NULL;
}
