/* See rules/lexer.h. The text was checked before: it is well-formed UTF-8 without NUL. */
#include "regex/rules/lexer.h"

#include <ctype.h>
#include <string.h>

#include "regex/rules/text.h"

void ps_rules_lexer_init(struct rules_lexer *lexer, struct ps_arena *arena,
                         struct ps_rules_problems *problems, const char *file, const char *text,
                         size_t length)
{
    *lexer = (struct rules_lexer){.arena = arena,
                                  .problems = problems,
                                  .file = file,
                                  .at = text,
                                  .end = text + length,
                                  .line = 1,
                                  .column = 1,
                                  .fresh = true};
}

static struct ps_rules_place place_here(const struct rules_lexer *lexer)
{
    return (struct ps_rules_place){lexer->file, lexer->line, lexer->column};
}

/* Moves forward by `count` bytes, none of which is a newline. */
static void step(struct rules_lexer *lexer, size_t count)
{
    for (; count > 0; count--, lexer->at++)
        if (((unsigned char)*lexer->at & 0xc0) != 0x80)
            lexer->column++;
}

static bool at_line_end(const struct rules_lexer *lexer)
{
    return lexer->at == lexer->end || *lexer->at == '\n' ||
           (*lexer->at == '\r' && (lexer->at + 1 == lexer->end || lexer->at[1] == '\n'));
}

static void skip_blanks(struct rules_lexer *lexer)
{
    while (lexer->at < lexer->end) {
        char c = *lexer->at;
        if (c == '\n') {
            lexer->at++;
            lexer->line++;
            lexer->column = 1;
            lexer->fresh = true;
        } else if (c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v') {
            step(lexer, 1);
        } else if (c == '#') {
            while (lexer->at < lexer->end && *lexer->at != '\n')
                step(lexer, 1);
        } else {
            return;
        }
    }
}

static bool is_word_byte(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '-' || c == '.' || (unsigned char)c >= 0x80;
}

static void report(struct rules_lexer *lexer, struct ps_rules_place place, const char *cure, const char *what)
{
    if (!lexer->quiet)
        ps_rules_problem_add(lexer->problems, PS_RULES_ERROR, place, cure, "%s", what);
}

static void bad(struct rules_lexer *lexer, struct rules_token *token, struct ps_rules_place place,
                const char *cure, const char *what)
{
    token->kind = TOKEN_BAD;
    report(lexer, place, cure, what);
}

/* Reads a string; the opening quote was already read. */
static void read_string(struct rules_lexer *lexer, struct rules_token *token)
{
    const char *begin = lexer->at;
    size_t length = 0;
    while (begin + length < lexer->end && begin[length] != '"' && begin[length] != '\n')
        length +=
            begin[length] == '\\' && begin + length + 1 < lexer->end && begin[length + 1] != '\n' ? 2 : 1;
    char *out = ps_arena_alloc(lexer->arena, length + 1);
    size_t used = 0;
    token->kind = TOKEN_STRING;
    while (!at_line_end(lexer) && *lexer->at != '"') {
        if (*lexer->at != '\\') {
            out[used++] = *lexer->at;
            step(lexer, 1);
            continue;
        }
        struct ps_rules_place place = place_here(lexer);
        size_t taken, made;
        const char *cure = ps_rules_text_unescape(lexer->at, lexer->end, &taken, out + used, &made);
        if (cure != NULL)
            report(lexer, place, cure,
                   "a backslash in a string must be followed by one of \" \\ n r t xHH uHHHH");
        step(lexer, taken);
        used += made;
    }
    token->text = out;
    token->length = (uint32_t)used;
    if (at_line_end(lexer)) {
        lexer->unclosed_line = lexer->line;
        bad(lexer, token, token->place, "close it with \" on the same line; a line end inside is written \\n",
            "this string is not closed");
        return;
    }
    step(lexer, 1);
}

/* Reads an operator of one or two bytes. Operators of other languages are recognized, to suggest ours. */
static void read_sign(struct rules_lexer *lexer, struct rules_token *token)
{
    static const struct {
        char text[3];
        enum rules_token_kind kind;
        const char *cure;
    } signs[] = {
        {"!~", TOKEN_NOT_TILDE, NULL},
        {"==", TOKEN_EQUAL, NULL},
        {"!=", TOKEN_UNEQUAL, NULL},
        {"<=", TOKEN_LESS_EQUAL, NULL},
        {">=", TOKEN_MORE_EQUAL, NULL},
        {"=~", TOKEN_BAD, "write ~"},
        {"~=", TOKEN_BAD, "write ~ for an expression, == for a text"},
        {"<>", TOKEN_BAD, "write !="},
        {"&&", TOKEN_BAD, "write `and`"},
        {"||", TOKEN_BAD, "write `or`"},
        {"//", TOKEN_BAD, "comments begin with #"},
        {"/*", TOKEN_BAD, "comments begin with #"},
        {"{", TOKEN_OPEN, NULL},
        {"}", TOKEN_CLOSE, NULL},
        {"(", TOKEN_LEFT, NULL},
        {")", TOKEN_RIGHT, NULL},
        {",", TOKEN_COMMA, NULL},
        {"/", TOKEN_SLASH, NULL},
        {";", TOKEN_SEMICOLON, NULL},
        {"=", TOKEN_ASSIGN, NULL},
        {"~", TOKEN_TILDE, NULL},
        {"<", TOKEN_LESS, NULL},
        {">", TOKEN_MORE, NULL},
        {"!", TOKEN_BAD, "write `not`"},
        {"&", TOKEN_BAD, "write `and`"},
        {"|", TOKEN_BAD, "write `or`"},
        {"'", TOKEN_BAD, "strings are written in double quotes"},
    };
    struct ps_rules_place place = token->place;
    for (size_t i = 0; i < PS_COUNT_OF(signs); i++) {
        size_t length = strlen(signs[i].text);
        if ((size_t)(lexer->end - lexer->at) < length || memcmp(lexer->at, signs[i].text, length) != 0)
            continue;
        token->kind = signs[i].kind;
        token->text = lexer->at;
        token->length = (uint32_t)length;
        step(lexer, length);
        if (token->kind == TOKEN_BAD)
            bad(lexer, token, place, signs[i].cure,
                ps_arena_format(lexer->problems->arena, "`%s` is not part of the rules language",
                                signs[i].text));
        return;
    }
    unsigned char c = (unsigned char)*lexer->at;
    step(lexer, 1);
    bad(lexer, token, place, NULL,
        c > ' ' && c < 0x7f
            ? ps_arena_format(lexer->problems->arena, "`%c` is not part of the rules language", c)
            : ps_arena_format(lexer->problems->arena, "a control character 0x%02x", c));
}

static void token_begin(struct rules_lexer *lexer, struct rules_token *token)
{
    const char *before = lexer->at;
    skip_blanks(lexer);
    *token = (struct rules_token){.kind = TOKEN_END,
                                  .place = place_here(lexer),
                                  .text = lexer->at,
                                  .first_on_line = lexer->fresh,
                                  .glued = lexer->at == before};
    lexer->fresh = false;
}

void ps_rules_lexer_next(struct rules_lexer *lexer, struct rules_token *token)
{
    token_begin(lexer, token);
    if (lexer->at == lexer->end)
        return;
    if (*lexer->at == '"') {
        step(lexer, 1);
        read_string(lexer, token);
    } else if (is_word_byte(*lexer->at)) {
        size_t length = 1;
        while (lexer->at + length < lexer->end && is_word_byte(lexer->at[length]))
            length++;
        token->kind = TOKEN_WORD;
        token->length = (uint32_t)length;
        step(lexer, length);
    } else {
        read_sign(lexer, token);
    }
}

/* ---- expressions ---- */

static const char delimiters[] = "|!,%@";

bool ps_rules_lexer_at_regex(struct rules_lexer *lexer)
{
    skip_blanks(lexer);
    if (lexer->at == lexer->end)
        return false;
    return *lexer->at == '/' || (*lexer->at == 'm' && lexer->at + 1 < lexer->end && lexer->at[1] != '\0' &&
                                 strchr(delimiters, lexer->at[1]) != NULL);
}

static void read_flags(struct rules_lexer *lexer, struct rules_token *token)
{
    static const char letters[] = PS_REGEX_FLAG_LETTERS;
    for (; lexer->at < lexer->end && isalnum((unsigned char)*lexer->at); step(lexer, 1)) {
        const char *letter = strchr(letters, *lexer->at);
        if (letter != NULL) {
            token->flags |= 1U << (letter - letters);
        } else if (!lexer->quiet) {
            ps_rules_problem_add(lexer->problems, PS_RULES_ERROR, place_here(lexer),
                                 *lexer->at == 'g' ? "leave it out; `replace` replaces every match anyway"
                                                   : "the flags are i m s x u U d, as in Java's (?imsxuUd)",
                                 "unknown flag `%c` of an expression", *lexer->at);
        }
    }
}

void ps_rules_lexer_regex(struct rules_lexer *lexer, struct rules_token *token)
{
    token_begin(lexer, token);
    if (!ps_rules_lexer_at_regex(lexer)) {
        bad(lexer, token, token->place,
            lexer->at < lexer->end && *lexer->at == '"'
                ? "expressions are written between slashes, /like this/; compare texts with == or `contains`"
                : "write it between slashes, /like this/, or m|like this|",
            "an expression is expected here");
        return;
    }
    step(lexer, *lexer->at == 'm' ? 1 : 0);
    token->delimiter = *lexer->at;
    step(lexer, 1);
    token->raw = lexer->at;
    token->raw_column = lexer->column;
    size_t room = 0;
    while (lexer->at + room < lexer->end && lexer->at[room] != '\n')
        room++;
    const char *found = token->raw;
    while (found < token->raw + room && *found != token->delimiter)
        found += *found == '\\' && found + 1 < token->raw + room ? 2 : 1;
    char *out = ps_arena_alloc(lexer->arena, (size_t)(found - token->raw) + 1);
    size_t used = 0;
    while (!at_line_end(lexer) && *lexer->at != token->delimiter) {
        size_t count = 1;
        if (*lexer->at == '\\' && lexer->at + 1 < lexer->end && lexer->at[1] != '\n') {
            if (lexer->at[1] != token->delimiter || token->delimiter == '|')
                out[used++] = '\\'; /* \| stays an escaped bar, not an alternative */
            step(lexer, 1);
            if (at_line_end(lexer))
                break;
        }
        while (lexer->at + count < token->raw + room && ((unsigned char)lexer->at[count] & 0xc0) == 0x80)
            count++;
        memcpy(out + used, lexer->at, count);
        used += count;
        step(lexer, count);
    }
    token->text = out;
    token->length = (uint32_t)used;
    if (at_line_end(lexer)) {
        lexer->unclosed_line = lexer->line;
        bad(lexer, token, token->place,
            ps_arena_format(lexer->problems->arena,
                            "close it with %c on the same line; a line end inside is written \\n",
                            token->delimiter),
            "this expression is not closed");
        return;
    }
    token->kind = TOKEN_REGEX;
    step(lexer, 1);
    read_flags(lexer, token);
    if (used == 0)
        bad(lexer, token, token->place, "write `true` for a condition that always holds",
            "an empty expression matches everything");
}

int ps_rules_token_column(const struct rules_token *token, size_t offset)
{
    int column = token->raw_column;
    const char *at = token->raw;
    for (size_t units = 0; units < offset && *at != token->delimiter; column++) {
        if (at[0] == '\\' && at[1] == token->delimiter) {
            if (token->delimiter == '|')
                units++;
            at++;
            column++;
        } else if (at[0] == '\\' && ((unsigned char)at[1] & 0x80) == 0) {
            at++;
            column++;
            if (++units == offset)
                break;
        }
        units += (unsigned char)*at >= 0xf0 ? 2 : 1;
        do
            at++;
        while (((unsigned char)*at & 0xc0) == 0x80);
    }
    return column;
}

/* ---- token names ---- */

bool ps_rules_token_is(const struct rules_token *token, const char *word)
{
    return token->kind == TOKEN_WORD && strlen(word) == token->length &&
           memcmp(token->text, word, token->length) == 0;
}

const char *ps_rules_token_words(struct ps_arena *arena, const struct rules_token *token)
{
    switch (token->kind) {
    case TOKEN_END:
        return "the end of the file";
    case TOKEN_STRING:
        return "a string";
    case TOKEN_REGEX:
        return "an expression";
    default:
        if (token->length > 64)
            return ps_arena_format(arena, "`%.*s...`", 61, token->text);
        return ps_arena_format(arena, "`%.*s`", (int)token->length, token->text);
    }
}
