/* SPDX-License-Identifier: BSD-2-Clause */
/* Tokens (POSIX.1-2017, 2.3). A word is kept as it stands, so what is within it is looked at again when it is expanded. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "sh.h"

static const struct {
  const char *text;
  enum token token;
} operators[] = {{"&&", AND_IF},   {"||", OR_IF},     {";;", TWO_SEMI},   {"<<-", HERE_TABS}, {"<<", HERE},
                 {"<&", LESS_AND}, {">&", GREAT_AND}, {"<>", LESS_GREAT}, {">>", APPENDS},    {">|", CLOBBER},
                 {"&", AMPERSAND}, {";", SEMI},       {"|", BAR},         {"(", OPEN},        {")", CLOSE},
                 {"<", LESS},      {">", GREAT}};

void source_append(struct source *source, const char *text, size_t bytes) {
  struct text all = {source->text, source->used, source->used ? source->used + 1 : 0};
  if (source->at == source->used) /* what was parsed is not wanted any more */
    source->at = all.used = 0;
  text_append(&all, text, bytes);
  source->text = all.at;
  source->used = all.used;
}

void source_free(struct source *source) {
  free(source->text);
  source->text = NULL;
}

/* The next character; 0: the end. */
static char look(struct parser *p) {
  struct source *s = p->source;
  while (s->at >= s->used)
    if (s->ended || !s->more || !s->more(s)) {
      s->ended = true;
      return 0;
    }
  return s->text[s->at];
}

static char after(struct parser *p) { /* lines come whole, with their newline */
  return p->source->text[p->source->at + 1];
}

/* ---- Words ---------------------------------------------------------------------------------------------------------- */
static void element(struct parser *p, struct text *word, bool in_quotes);

static void copy(struct parser *p, struct text *word) {
  if (look(p))
    text_add(word, p->source->text[p->source->at++]);
}

static void quoted(struct parser *p, struct text *word, char end) {
  copy(p, word);
  for (char c; (c = look(p)) != end;) {
    if (!c) {
      p->error = "a quote is not closed";
      return;
    }
    if (end == '\'')
      copy(p, word);
    else
      element(p, word, true);
  }
  copy(p, word);
}

static void nested(struct parser *p, struct text *word, char close, bool in_quotes) {
  copy(p, word);
  for (char c; (c = look(p)) != close; element(p, word, in_quotes && close == '}'))
    if (!c) {
      p->error = "a bracket is not closed";
      return;
    }
  copy(p, word);
}

/* A character, or what belongs together. */
static void element(struct parser *p, struct text *word, bool in_quotes) {
  char c = look(p);
  if (c == '"' || c == '`' || (c == '\'' && !in_quotes)) {
    quoted(p, word, c);
    return;
  }
  if (c == '(' && !in_quotes) {
    nested(p, word, ')', false);
    return;
  }
  copy(p, word);
  if (c == '\\')
    copy(p, word);
  else if (c == '$' && look(p) == '(')
    nested(p, word, ')', false);
  else if (c == '$' && look(p) == '{')
    nested(p, word, '}', in_quotes);
}

char *nested_text(const char **at) {
  struct source source = {.text = (char *)*at, .used = strlen(*at)};
  struct parser p = {.source = &source};
  struct text inner = {0};
  nested(&p, &inner, **at == '(' ? ')' : '}', false);
  *at += source.at;
  char *result = take_text(&sh.memory, inner.at + 1, inner.used > 1 ? inner.used - 2 : 0);
  text_free(&inner);
  return result;
}

static void take_word(struct parser *p) {
  struct text word = {0};
  for (char c; !p->error && (c = look(p)) && !strchr(" \t\n|&;<>()", c);)
    element(p, &word, false);
  p->word = take_text(p->memory, word.at, word.used);
  text_free(&word);
  char c = p->error ? 0 : look(p);
  p->token = (c == '<' || c == '>') && isdigit((unsigned char)*p->word) && !p->word[1] ? NUMBER : WORD;
}

/* ---- Here-documents ------------------------------------------------------------------------------------------------- */
static bool take_line(struct parser *p, struct text *line, bool no_tabs) {
  line->used = 0;
  while (no_tabs && look(p) == '\t')
    p->source->at++;
  for (char c = look(p); c; c = c == '\n' ? 0 : look(p))
    copy(p, line);
  return line->used;
}

static void take_document(struct parser *p, struct redirect *r) {
  struct text body = {0}, line = {0};
  text_append(&body, "", 0);
  while (take_line(p, &line, r->no_tabs) &&
         (strncmp(line.at, r->text, strlen(r->text)) || line.at[strlen(r->text)] != '\n'))
    text_append(&body, line.at, line.used);
  r->text = take_text(p->memory, body.at, body.used);
  text_free(&body);
  text_free(&line);
}

static void take_documents(struct parser *p, struct redirect *r) {
  if (!r)
    return;
  take_documents(p, r->next_document);
  take_document(p, r);
}

/* ---- Tokens --------------------------------------------------------------------------------------------------------- */
static void skip_blanks(struct parser *p) {
  for (char c; (c = look(p)) == ' ' || c == '\t' || (c == '\\' && after(p) == '\n'); p->source->at++)
    p->source->at += c == '\\';
  if (look(p) == '#')
    while (look(p) && look(p) != '\n')
      p->source->at++;
}

static void take_operator(struct parser *p) {
  const char *at = p->source->text + p->source->at;
  for (unsigned i = 0; i < sizeof operators / sizeof *operators; i++) {
    size_t bytes = strlen(operators[i].text);
    if (strncmp(at, operators[i].text, bytes))
      continue;
    p->source->at += bytes;
    p->token = operators[i].token;
    return;
  }
}

void advance(struct parser *p) {
  p->token = END;
  if (p->error)
    return;
  skip_blanks(p);
  char c = look(p);
  if (c == '\n') {
    p->source->at++;
    p->token = NEWLINE;
    take_documents(p, p->documents);
    p->documents = NULL;
  } else if (c && strchr("|&;<>()", c))
    take_operator(p);
  else if (c)
    take_word(p);
  p->source->continues = true;
  if (p->error)
    p->token = END;
}
