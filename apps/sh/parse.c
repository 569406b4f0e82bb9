/* SPDX-License-Identifier: BSD-2-Clause */
/* The grammar (POSIX.1-2017, 2.10), by recursive descent with one token ahead. After an error all tokens are END, so every
 * loop here ends. */
#include <ctype.h>
#include <string.h>

#include "sh.h"

static struct node *command(struct parser *p);
static struct node *list(struct parser *p, bool lines);

static struct node *node_new(struct parser *p, enum kind kind, struct node *left, struct node *right) {
  struct node *node = take(p->memory, sizeof *node);
  *node = (struct node){.kind = kind, .left = left, .right = right};
  return node;
}

static void fail(struct parser *p, const char *why) {
  if (!p->error)
    p->error = why;
  p->token = END;
}

static bool at_word(const struct parser *p, const char *word) {
  return p->token == WORD && !strcmp(p->word, word);
}

static bool accept_word(struct parser *p, const char *word) {
  bool is = at_word(p, word);
  if (is)
    advance(p);
  return is;
}

static void want_word(struct parser *p, const char *word, const char *error) {
  if (!accept_word(p, word))
    fail(p, error);
}

static void skip_newlines(struct parser *p) {
  while (p->token == NEWLINE)
    advance(p);
}

bool is_name(const char *text, size_t bytes) {
  for (size_t i = 0; i < bytes; i++)
    if (text[i] != '_' && !isalnum((unsigned char)text[i]))
      return false;
  return bytes && !isdigit((unsigned char)*text);
}

/* ---- Simple commands -------------------------------------------------------------------------------------------------- */
static struct word ***add_word(struct parser *p, struct word ***tail) {
  struct word *word = take(p->memory, sizeof *word);
  word->text = p->word;
  **tail = word;
  *tail = &word->next;
  advance(p);
  return tail;
}

/* The end of a here-document is known without its quotes. */
static void document(struct parser *p, struct redirect *r) {
  char *to = r->text;
  r->literal = strpbrk(r->text, "\\'\"");
  for (const char *from = r->text; *from; from++)
    if (!strchr("\\'\"", *from))
      *to++ = *from;
  *to = 0;
  r->next_document = p->documents;
  p->documents = r;
}

static bool is_redirection(const struct parser *p) {
  return p->token >= LESS_AND || p->token == NUMBER;
}

static struct redirect **redirection(struct parser *p, struct redirect **tail) {
  static const enum redirection kinds[] = {[LESS_AND] = DUPLICATE,
                                           [GREAT_AND] = DUPLICATE,
                                           [HERE_TABS] = DOCUMENT,
                                           [HERE] = DOCUMENT,
                                           [LESS_GREAT] = READ_WRITE,
                                           [APPENDS] = APPEND,
                                           [CLOBBER] = WRITE,
                                           [LESS] = READ,
                                           [GREAT] = WRITE};
  struct redirect *r = take(p->memory, sizeof *r);
  r->fd = p->token == NUMBER ? *p->word - '0' : -1;
  if (p->token == NUMBER)
    advance(p);
  enum token token = p->token;
  bool writes = token == GREAT_AND || token == APPENDS || token == CLOBBER || token == GREAT;
  r->kind = kinds[token];
  r->no_tabs = token == HERE_TABS;
  r->fd = r->fd < 0 ? writes : r->fd;
  advance(p);
  if (p->token != WORD) {
    fail(p, "no file is named after < or >");
    return tail;
  }
  r->text = p->word;
  if (r->kind == DOCUMENT)
    document(p, r);
  *tail = r;
  advance(p);
  return &r->next;
}

static void redirections(struct parser *p, struct node *node) {
  for (struct redirect **tail = &node->redirects; is_redirection(p);)
    tail = redirection(p, tail);
}

static bool is_assignment(const char *word) {
  const char *equals = strchr(word, '=');
  return equals && is_name(word, (size_t)(equals - word));
}

static struct node *function(struct parser *p, struct node *node) {
  node->kind = FUNCTION;
  node->name = node->words->text;
  advance(p);
  if (p->token != CLOSE)
    fail(p, "a ) is missing");
  advance(p);
  skip_newlines(p);
  node->left = command(p);
  return node;
}

static struct node *simple(struct parser *p) {
  struct node *node = node_new(p, SIMPLE, NULL, NULL);
  struct word **assignments = &node->assignments, **words = &node->words;
  struct redirect **redirects = &node->redirects;
  while (p->token == WORD || is_redirection(p)) {
    if (p->token != WORD)
      redirects = redirection(p, redirects);
    else if (!node->words && is_assignment(p->word))
      add_word(p, &assignments);
    else
      add_word(p, &words);
    struct word *first = node->words;
    if (p->token == OPEN && first && !first->next && is_name(first->text, strlen(first->text)))
      return function(p, node);
  }
  if (!node->words && !node->assignments && !node->redirects)
    fail(p, p->token == AMPERSAND ? "nothing stands before &" : "a program is missing");
  return node;
}

/* ---- Compound commands -------------------------------------------------------------------------------------------------- */
static struct node *enclosed(struct parser *p, enum kind kind) {
  bool braces = kind == GROUP;
  advance(p);
  struct node *node = node_new(p, kind, list(p, true), NULL);
  if (!node->left)
    fail(p, "a program is missing");
  if (braces)
    want_word(p, "}", "a } is missing");
  else if (p->token != CLOSE)
    fail(p, "a ) is missing");
  else
    advance(p);
  return node;
}

/* At the word after if or elif. */
static struct node *if_rest(struct parser *p) {
  struct node *node = node_new(p, IF, list(p, true), NULL);
  want_word(p, "then", "'then' is missing");
  node->right = list(p, true);
  if (accept_word(p, "elif"))
    node->other = if_rest(p);
  else {
    if (accept_word(p, "else"))
      node->other = list(p, true);
    want_word(p, "fi", "'fi' is missing");
  }
  return node;
}

static struct node *body(struct parser *p) {
  want_word(p, "do", "'do' is missing");
  struct node *node = list(p, true);
  want_word(p, "done", "'done' is missing");
  return node;
}

static struct node *loop(struct parser *p, enum kind kind) {
  struct node *condition = list(p, true);
  return node_new(p, kind, condition, body(p));
}

static struct node *for_loop(struct parser *p) {
  struct node *node = node_new(p, FOR, NULL, NULL);
  struct word **tail = &node->words;
  if (p->token != WORD || !is_name(p->word, strlen(p->word)))
    fail(p, "a variable is missing after 'for'");
  node->name = p->word;
  advance(p);
  skip_newlines(p);
  if (accept_word(p, "in"))
    while (p->token == WORD)
      add_word(p, &tail);
  else {
    node->words = take(p->memory, sizeof *node->words);
    node->words->text = "\"$@\"";
  }
  if (p->token == SEMI)
    advance(p);
  skip_newlines(p);
  node->right = body(p);
  return node;
}

static struct node *case_item(struct parser *p) {
  struct node *item = node_new(p, LIST, NULL, NULL);
  struct word **tail = &item->words;
  if (p->token == OPEN)
    advance(p);
  while (p->token == WORD) {
    add_word(p, &tail);
    if (p->token == BAR)
      advance(p);
  }
  if (p->token != CLOSE || !item->words)
    fail(p, "a pattern and ) are missing");
  advance(p);
  item->left = list(p, true);
  if (p->token == TWO_SEMI)
    advance(p);
  skip_newlines(p);
  return item;
}

static struct node *case_of(struct parser *p) {
  struct node *node = node_new(p, CASE, NULL, NULL), **tail = &node->right;
  struct word **subject = &node->words;
  if (p->token == WORD)
    add_word(p, &subject);
  skip_newlines(p);
  want_word(p, "in", "'in' is missing");
  for (skip_newlines(p); p->token != END && !at_word(p, "esac"); tail = &(*tail)->right)
    *tail = case_item(p);
  want_word(p, "esac", "'esac' is missing");
  return node;
}

static struct node *compound(struct parser *p) {
  if (p->token == OPEN)
    return enclosed(p, SUBSHELL);
  if (at_word(p, "{"))
    return enclosed(p, GROUP);
  if (accept_word(p, "if"))
    return if_rest(p);
  if (accept_word(p, "while"))
    return loop(p, WHILE);
  if (accept_word(p, "until"))
    return loop(p, UNTIL);
  if (accept_word(p, "for"))
    return for_loop(p);
  return accept_word(p, "case") ? case_of(p) : NULL;
}

/* Words that end a list where a command could stand. */
static bool ends_list(const struct parser *p) {
  static const char *const words[] = {"}", "then", "elif", "else", "fi", "do", "done", "esac"};
  if (p->token == END || p->token == CLOSE || p->token == TWO_SEMI)
    return true;
  for (unsigned i = 0; i < sizeof words / sizeof *words; i++)
    if (at_word(p, words[i]))
      return true;
  return false;
}

static struct node *command(struct parser *p) {
  if (ends_list(p)) {
    fail(p, "a program is missing");
    return NULL;
  }
  struct node *node = compound(p);
  if (!node)
    return simple(p);
  redirections(p, node);
  return node;
}

/* ---- Lists -------------------------------------------------------------------------------------------------------------- */
static struct node *stages(struct parser *p) {
  struct node *node = command(p);
  if (p->token != BAR)
    return node;
  advance(p);
  skip_newlines(p);
  return node_new(p, PIPE, node, stages(p));
}

static struct node *pipeline(struct parser *p) {
  bool inverts = accept_word(p, "!");
  struct node *node = stages(p);
  return inverts ? node_new(p, NOT, node, NULL) : node;
}

static struct node *and_or(struct parser *p) {
  struct node *node = pipeline(p);
  while (p->token == AND_IF || p->token == OR_IF) {
    enum kind kind = p->token == AND_IF ? AND : OR;
    advance(p);
    skip_newlines(p);
    node = node_new(p, kind, node, pipeline(p));
  }
  return node;
}

/* Of one line, whose end is not taken, or of several up to what encloses them. */
static struct node *list(struct parser *p, bool lines) {
  struct node *first = NULL, **tail = &first;
  if (lines)
    skip_newlines(p);
  while (!ends_list(p) && p->token != NEWLINE) {
    struct node *node = and_or(p);
    bool separated = p->token == SEMI || p->token == AMPERSAND;
    if (p->token == AMPERSAND)
      node = node_new(p, BACKGROUND, node, NULL);
    *tail = node_new(p, LIST, node, NULL);
    tail = &(*tail)->right;
    if (separated)
      advance(p);
    else if (!lines || p->token != NEWLINE)
      break;
    if (lines)
      skip_newlines(p);
  }
  return first;
}

bool parse_line(struct parser *p, struct node **node) {
  p->error = NULL;
  p->documents = NULL;
  p->source->continues = p->source->ended = false;
  advance(p);
  bool end = p->token == END;
  *node = list(p, false);
  if (p->token != NEWLINE && p->token != END)
    fail(p, "something stands where it has no meaning");
  if (!*node && !p->error && p->token == END && !end)
    fail(p, "something is missing");
  return !p->error && !end;
}
