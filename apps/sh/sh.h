/* SPDX-License-Identifier: BSD-2-Clause */
/* The shell (POSIX.1-2017, Shell Command Language): what its files offer each other. Text is read by lines (lex.c), becomes a
 * tree (parse.c), whose words are expanded (expand.c) when it is evaluated (eval.c). What is not POSIX lies in system.c. */
#ifndef SH_H
#define SH_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* ---- memory.c: memory that is given back all at once, or up to a mark; text that grows -------------------------------- */
struct arena {
  struct chunk *newest;
};
struct mark {
  struct chunk *chunk;
  size_t used;
};
void *take(struct arena *arena, size_t bytes); /* of zeros; without memory the shell ends */
char *take_text(struct arena *arena, const char *text, size_t bytes);
struct mark arena_mark(const struct arena *arena);
void arena_release(struct arena *arena, struct mark mark); /* {0}: everything */

struct text {
  char *at; /* ends with a NUL, if there is any */
  size_t used, size;
};
void text_add(struct text *text, char c);
void text_append(struct text *text, const char *bytes, size_t n);
void text_free(struct text *text);

/* ---- The tree ----------------------------------------------------------------------------------------------------------- */
struct word {
  struct word *next;
  char *text; /* as it stands in the source, with its quotes */
};

enum redirection { READ, WRITE, APPEND, READ_WRITE, DUPLICATE, DOCUMENT };
struct redirect {
  struct redirect *next;
  enum redirection kind;
  int fd;
  char *text;            /* a word, or the here-document */
  bool literal, no_tabs; /* the here-document's text is not expanded; loses the tabs before its lines */
  struct redirect *next_document;
};

enum kind { SIMPLE, PIPE, AND, OR, NOT, LIST, BACKGROUND, SUBSHELL, GROUP, IF, WHILE, UNTIL, FOR, CASE, FUNCTION };
struct node {
  enum kind kind;
  struct node *left, *right, *other; /* IF: condition, then, else. CASE: bodies are `left` of a list over `right` */
  struct word *assignments, *words;  /* FOR: NULL: the arguments. CASE: the subject, and in the list the patterns */
  struct redirect *redirects;
  char *name; /* of a function or a variable */
};

/* ---- lex.c -------------------------------------------------------------------------------------------------------------- */
enum token {
  END,
  NEWLINE,
  WORD,
  NUMBER /* before a redirection */,
  AND_IF,
  OR_IF,
  TWO_SEMI,
  SEMI,
  AMPERSAND,
  BAR,
  OPEN,
  CLOSE,
  LESS_AND,
  GREAT_AND,
  HERE_TABS,
  HERE,
  LESS_GREAT,
  APPENDS,
  CLOBBER,
  LESS,
  GREAT
};
struct source {
  char *text;
  size_t at, used;
  bool (*more)(
      struct source *source); /* appends lines to the text, or says that there are none; NULL: there are none */
  int fd;
  bool continues; /* the line asked for is not the first of its command */
  bool ended;     /* there was none: this command does not ask again */
};
struct parser {
  struct source *source;
  struct arena *memory;
  enum token token;
  char *word; /* of WORD and NUMBER */
  const char *error;
  struct redirect *documents; /* to be read after this line, the last one first */
};
void advance(struct parser *p);     /* the next token; after an error always END */
char *nested_text(const char **at); /* between the bracket there and its partner, after which *at is then */
void source_append(struct source *source, const char *text, size_t bytes);
void source_free(struct source *source);

/* ---- parse.c ------------------------------------------------------------------------------------------------------------ */
/* One line, and as many more as the command takes; *node is NULL if nothing is on it. False: the end, or p->error. */
bool parse_line(struct parser *p, struct node **node);
bool is_name(const char *text, size_t bytes);

/* ---- expand.c: results lie in sh.memory ---------------------------------------------------------------------------------- */
struct word *expand_fields(const struct word *words);
char *expand_string(const char *raw);   /* no fields, no file names */
char *expand_pattern(const char *raw);  /* quoted characters have a backslash before them */
char *expand_document(const char *raw); /* quotes are nothing special */
const char *value_of(const char *name); /* also of $? and the like; NULL: unset */
bool means_files(const char *pattern);
char *plain(char *pattern);                                /* in place: without its backslashes */
bool arithmetic(const char *text, long *value);            /* arith.c */
void find_files(const char *pattern, struct word ***tail); /* glob.c; sorted; none: nothing is added */

/* ---- variable.c ----------------------------------------------------------------------------------------------------------- */
struct old_variable { /* to be put back */
  struct old_variable *next;
  char *name, *value;
  bool exported;
};
void variables_start(void);
void place_set(void); /* PWD */
const char *variable(const char *name);
void variable_set(const char *name, const char *value); /* NULL: unset */
void variable_export(const char *name);
void variable_keep(struct old_variable **list, const char *name);
void variables_restore(struct old_variable **list);
void variables_show(bool exported_only);
char **environment(void); /* in sh.memory */

/* ---- eval.c --------------------------------------------------------------------------------------------------------------- */
enum leaving { NOTHING, BREAK, CONTINUE, RETURN, EXIT, INTERRUPTED };
struct arguments {
  char **arg; /* argv[1] and on */
  unsigned count;
  void *memory; /* that they lie in, to be freed; NULL: they are somebody else's */
};
struct shell {
  const char *name;
  struct arguments arguments;
  struct arena memory; /* for what is expanded, given back when its command is done */
  int status;          /* $? */
  enum leaving leaving;
  unsigned levels, loops, depth; /* loops still to be left; that one is in; functions that one is in */
  unsigned tested;               /* somebody asks for the status: -e does not end the shell */
  bool interactive, jobs, errexit, trace, unset_is_error;
  bool captured;         /* the status is that of a command whose output was taken */
  pid_t pid, background; /* $$, $! */
  char *exit_trap;
  struct old_variable *locals;
};
extern struct shell sh;
int run(const struct node *node, bool last); /* last: nothing is done after it, so no process is needed for it */
void run_source(struct source *source, bool last);
int run_text(const char *text, bool last);
int run_file(const char *path, bool last); /* its status; 127 or 126: it cannot be read */
char *capture(const char *text);           /* what it writes, without the newlines at its end */
bool is_function(const char *name);
_Noreturn void become(char **words); /* that program */
_Noreturn void finish(void);         /* with the status */
bool interrupted(void);              /* Ctrl-C was typed; then everything is left up to the prompt */

/* ---- builtin.c ------------------------------------------------------------------------------------------------------------ */
typedef int builtin(char **argv);
builtin *find_builtin(const char *name);
int do_test(char **argv);                                         /* test.c */
int complain(const char *who, const char *what, const char *why); /* 1 */

/* ---- job.c ---------------------------------------------------------------------------------------------------------------- */
/* A child of this process: in a job of its own (0) or the one of that leader, if the shell has jobs. 0 in the child. */
pid_t fork_child(pid_t leader, bool foreground, const char *name);
/* Its status; 127: there is no such child. If Ctrl-C comes, it hears of it, too. */
int wait_child(pid_t pid);
void wait_all(void);
const struct ending *last_ending(void);
void report_ended(void);
void jobs_show(void);
bool is_job(pid_t pid);

/* ---- system.c: what is different on Quire, and on the build machine in tests ------------------------------------------------ */
struct ending {
  int status;  /* as $? has it */
  bool exited; /* by itself */
  unsigned long faults, peak;
  char text[160]; /* how it ended */
};
pid_t system_wait(pid_t pid, bool waits, struct ending *ending); /* 0: any; else as waitpid() */
void system_join(pid_t pid, pid_t leader, bool foreground);
bool system_foreground(pid_t job); /* 0: the shell's own */
bool system_has_jobs(void);        /* the shell's children must be in jobs, even if nobody types */
bool system_interrupted(void);     /* since it was asked last */
void system_raw(bool raw);         /* typed bytes come at once, and are not shown */
void system_greet(void);
unsigned long system_instructions(void);
extern const char system_help[];

/* ---- edit.c --------------------------------------------------------------------------------------------------------------- */
/* A line from the terminal, with its newline: bytes, 0 at the end of input, -1 with errno EINTR or EIO. */
ssize_t edit_line(const char *prompt, struct text *line);
#endif
