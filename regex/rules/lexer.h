/* The lexer of rules files. The parser holds one token and reads the next one on demand, because only the
 * context tells an expression (/.../) from a slash.
 *
 * Thread: any; each parse has its own lexer. The lexer does not stop at a bad byte: it reports the byte once and
 * returns TOKEN_BAD. */
#pragma once

#include "regex/rules/rules.h"

enum rules_token_kind {
    TOKEN_END,
    TOKEN_BAD, /* already reported */
    TOKEN_WORD,
    TOKEN_STRING,
    TOKEN_REGEX,
    TOKEN_OPEN,  /* { */
    TOKEN_CLOSE, /* } */
    TOKEN_LEFT,  /* ( */
    TOKEN_RIGHT, /* ) */
    TOKEN_COMMA,
    TOKEN_SLASH,
    TOKEN_SEMICOLON,
    TOKEN_ASSIGN, /* = */
    TOKEN_TILDE,
    TOKEN_NOT_TILDE,
    TOKEN_EQUAL,
    TOKEN_UNEQUAL,
    TOKEN_LESS,
    TOKEN_LESS_EQUAL,
    TOKEN_MORE,
    TOKEN_MORE_EQUAL,
};

struct rules_token {
    enum rules_token_kind kind;
    struct ps_rules_place place;
    /* WORD: in the source, not terminated; STRING, REGEX: decoded, in the arena, terminated */
    const char *text;
    uint32_t length;
    bool first_on_line;
    bool glued;      /* nothing is between this token and the token before it */
    unsigned flags;  /* REGEX: ps_regex_flags */
    const char *raw; /* REGEX: the first byte after the delimiter, as written */
    int raw_column;  /* column of `raw` */
    char delimiter;  /* REGEX */
};

struct rules_lexer {
    struct ps_arena *arena; /* for decoded texts */
    struct ps_rules_problems *problems;
    const char *file;
    const char *at, *end;
    int line, column;
    bool fresh; /* only blanks on this line so far */
    /* line of the last string or expression that is not closed, so that the rest of the line is lost; 0: none */
    int unclosed_line;
    bool quiet; /* problems are not reported while the parser recovers from an error */
};

void ps_rules_lexer_init(struct rules_lexer *lexer, struct ps_arena *arena,
                         struct ps_rules_problems *problems, const char *file, const char *text,
                         size_t length);
void ps_rules_lexer_next(struct rules_lexer *lexer, struct rules_token *token);
/* Reads the next token where an expression is expected: /.../flags or m|...|flags. Otherwise reports an error and
 * returns TOKEN_BAD. */
void ps_rules_lexer_regex(struct rules_lexer *lexer, struct rules_token *token);
/* Tests whether the next token looks like an expression. */
bool ps_rules_lexer_at_regex(struct rules_lexer *lexer);

/* Returns the column of the UTF-16 unit `offset` of a REGEX token's text. */
int ps_rules_token_column(const struct rules_token *token, size_t offset);

/* Returns "`word`", "a string" or "the end of the file", for "expected X, found ...". In the arena. */
const char *ps_rules_token_words(struct ps_arena *arena, const struct rules_token *token);
bool ps_rules_token_is(const struct rules_token *token, const char *word);
