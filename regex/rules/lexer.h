/* The words of a rules file. The parser holds one token; what comes next is read when it asks, since an
 * expression (/.../) can only be told from a slash by where it stands.
 *
 * Thread: one; a lexer is one parse's. Never stops at a bad byte: it says so once and gives TOKEN_BAD. */
#pragma once

#include "regex/rules/rules.h"

enum rules_token_kind {
    TOKEN_END,
    TOKEN_BAD, /* has been reported */
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
    const char *text; /* WORD: in the source, not terminated; STRING, REGEX: decoded, in the arena, with a NUL
                         behind */
    uint32_t length;
    bool first_on_line;
    bool glued;      /* nothing between it and the token before */
    unsigned flags;  /* REGEX: ps_regex_flags */
    const char *raw; /* REGEX: the first byte behind the delimiter, as written */
    int raw_column;  /* its column */
    char delimiter;  /* REGEX */
};

struct rules_lexer {
    struct ps_arena *arena; /* decoded texts */
    struct ps_rules_problems *problems;
    const char *file;
    const char *at, *end;
    int line, column;
    bool fresh; /* nothing but blanks on this line so far */
    bool quiet; /* problems are not reported: the parser is looking for where to go on */
};

void ps_rules_lexer_init(struct rules_lexer *lexer, struct ps_arena *arena,
                         struct ps_rules_problems *problems, const char *file, const char *text,
                         size_t length);
void ps_rules_lexer_next(struct rules_lexer *lexer, struct rules_token *token);
/* The same where an expression stands: /.../flags or m|...|flags. TOKEN_BAD after a report when something
 * else is there. */
void ps_rules_lexer_regex(struct rules_lexer *lexer, struct rules_token *token);
/* Whether what comes next looks like one. */
bool ps_rules_lexer_at_regex(struct rules_lexer *lexer);

/* Column of the UTF-16 unit `offset` of a REGEX token's text. */
int ps_rules_token_column(const struct rules_token *token, size_t offset);

/* "`word`", "a string", "the end of the file": for "expected X, found ...". In the arena. */
const char *ps_rules_token_words(struct ps_arena *arena, const struct rules_token *token);
bool ps_rules_token_is(const struct rules_token *token, const char *word);
