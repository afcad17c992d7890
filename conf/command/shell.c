/* See shell.h. The grammar: the part of POSIX.1-2017, Shell Command Language, in which settings are written. */
#include "conf/command/shell.h"

#include "conf/text.h"
#include "core/array.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define NESTED_MAX 16U
#define WORD_BYTES_MAX (128U << 10) /* the kernel's limit for a variable or an option */
#define VALUES_BYTES_MAX (16U << 20)

struct parser {
    struct ps_shell *shell;
    const char *at, *end;
    int line;
    unsigned nested;     /* present depth of nesting, as in ${A:-${B}} */
    size_t values_bytes; /* bytes of the values of all assignments so far */
};

/* One word, with its quotes taken off. */
struct word {
    char *text; /* malloc'ed */
    size_t length, room;
    size_t name_length; /* the length of the name in NAME=value; else 0 */
    bool is_plain;      /* it has no quotes and no expansions, so it can be a keyword */
    bool appends;       /* NAME+=value */
    bool lacks;         /* the word's value is incomplete, because a part of it needs a shell */
};

static char look(const struct parser *parser, size_t ahead)
{
    return (size_t)(parser->end - parser->at) > ahead ? parser->at[ahead] : '\0';
}

static char next(struct parser *parser)
{
    char c = *parser->at++;
    parser->line += c == '\n';
    return c;
}

static bool is_over(const struct parser *parser)
{
    return parser->at >= parser->end;
}

static bool is_name(char c, bool first)
{
    return c == '_' || isalpha((unsigned char)c) || (!first && isdigit((unsigned char)c));
}

/* ---- words ---- */

static void add(struct word *word, char c)
{
    if (word->length == WORD_BYTES_MAX) {
        word->lacks = true;
        return;
    }
    if (word->length + 1 >= word->room) {
        word->room = word->room > 0 ? 2 * word->room : 64;
        word->text = ps_must_realloc(word->text, word->room, "a word of a script");
    }
    word->text[word->length++] = c;
    word->text[word->length] = '\0';
}

static void add_text(struct word *word, const char *text)
{
    while (text != NULL && *text != '\0')
        add(word, *text++);
}

/* Skips to the `close` that matches an `open` that was read; pairs of both may lie in between. */
static void skip_to(struct parser *parser, char open, char close)
{
    for (unsigned depth = 1; depth > 0 && !is_over(parser);) {
        char c = next(parser);
        if (c == '\\' && !is_over(parser))
            (void)next(parser);
        else if (c == close)
            depth--;
        else if (c == open)
            depth++;
    }
}

static const char *value_of(const struct parser *parser, const char *name)
{
    const struct ps_shell_variable *variable = ps_shell_find(parser->shell, name);
    return variable != NULL ? variable->value : getenv(name);
}

static const char *read_name(struct parser *parser)
{
    const char *from = parser->at;
    while (!is_over(parser) && is_name(*parser->at, parser->at == from))
        parser->at++;
    return ps_arena_copy(parser->shell->arena, from, (size_t)(parser->at - from));
}

static void read_dollar(struct parser *parser, struct word *word);

/* Reads up to the closing brace, as between double quotes. `used`: the text becomes part of the word. */
static void read_alternative(struct parser *parser, struct word *word, bool used)
{
    struct word other = {.text = NULL};
    parser->nested++;
    while (!is_over(parser) && look(parser, 0) != '}') {
        char c = next(parser);
        if (c == '\\' && !is_over(parser))
            add(&other, next(parser));
        else if (c == '$')
            read_dollar(parser, &other);
        else if (c != '"')
            add(&other, c);
    }
    if (!is_over(parser))
        (void)next(parser);
    parser->nested--;
    if (used) {
        add_text(word, other.text);
        word->lacks |= other.lacks;
    }
    free(other.text);
}

/* Reads an expansion, after its "${". */
static void read_braces(struct parser *parser, struct word *word)
{
    const char *name = read_name(parser), *value = value_of(parser, name);
    bool colon = look(parser, 0) == ':';
    char sign = look(parser, colon ? 1 : 0);
    bool is_set = value != NULL && !(colon && *value == '\0');
    if (*name != '\0' && sign == '}' && !colon) {
        (void)next(parser);
        add_text(word, value);
    } else if (*name != '\0' && (sign == '-' || sign == '=' || sign == '+') && parser->nested < NESTED_MAX) {
        parser->at += colon ? 2 : 1;
        if (sign != '+' && is_set)
            add_text(word, value);
        read_alternative(parser, word, (sign == '+') == is_set);
    } else {
        word->lacks = true;
        skip_to(parser, '{', '}');
    }
}

/* Reads an expansion, after its "$". */
static void read_dollar(struct parser *parser, struct word *word)
{
    char c = look(parser, 0);
    word->is_plain = false;
    if (c == '{') {
        (void)next(parser);
        read_braces(parser, word);
    } else if (c == '(') {
        (void)next(parser);
        skip_to(parser, '(', ')');
        word->lacks = true;
    } else if (is_name(c, true)) {
        add_text(word, value_of(parser, read_name(parser)));
    } else if (c != '\0' && strchr("0123456789@*#?$!-", c) != NULL) {
        (void)next(parser);
        word->lacks = true;
    } else {
        add(word, '$');
    }
}

/* Reads the text between double quotes; the opening quote was read. */
static void read_quoted(struct parser *parser, struct word *word)
{
    while (!is_over(parser) && look(parser, 0) != '"') {
        char c = next(parser);
        if (c == '\\' && look(parser, 0) != '\0' && strchr("$`\"\\\n", look(parser, 0)) != NULL) {
            c = next(parser);
            if (c != '\n')
                add(word, c);
        } else if (c == '$') {
            read_dollar(parser, word);
        } else if (c == '`') {
            skip_to(parser, '\0', '`');
            word->lacks = true;
        } else {
            add(word, c);
        }
    }
    if (!is_over(parser))
        (void)next(parser);
}

static bool ends_word(char c)
{
    return c == '\0' || strchr(" \t\r\n;&|()<>", c) != NULL;
}

/* Notes that the word so far is NAME or NAME+, and that a plain '=' follows. */
static void note_assignment(struct word *word)
{
    size_t length = word->length;
    word->appends = length > 1 && word->text[length - 1] == '+';
    length -= word->appends;
    for (size_t i = 0; i < length; i++)
        if (!is_name(word->text[i], i == 0))
            return;
    word->name_length = word->is_plain ? length : 0;
}

/* Reads a character of a word, or an escape or expansion. */
static void read_part(struct parser *parser, struct word *word)
{
    char c = next(parser);
    switch (c) {
    case '\\':
        word->is_plain = false;
        c = is_over(parser) ? '\n' : next(parser);
        if (c != '\n')
            add(word, c);
        break;
    case '\'':
        word->is_plain = false;
        while (!is_over(parser) && look(parser, 0) != '\'')
            add(word, next(parser));
        if (!is_over(parser))
            (void)next(parser);
        break;
    case '"':
        word->is_plain = false;
        read_quoted(parser, word);
        break;
    case '`':
        skip_to(parser, '\0', '`');
        word->lacks = true;
        break;
    case '$':
        read_dollar(parser, word);
        break;
    case '~':
        if (word->name_length > 0 && word->length == word->name_length + 1U + word->appends &&
            (ends_word(look(parser, 0)) || look(parser, 0) == '/'))
            add_text(word, value_of(parser, "HOME"));
        else
            add(word, c);
        break;
    default:
        if (c == '=' && word->name_length == 0)
            note_assignment(word);
        add(word, c);
    }
}

/* Reads a word. The caller frees word->text. */
static void read_word(struct parser *parser, struct word *word)
{
    *word = (struct word){.is_plain = true};
    while (!is_over(parser) && !ends_word(*parser->at))
        read_part(parser, word);
    if (word->text == NULL) {
        add(word, ' ');
        word->text[0] = '\0';
        word->length = 0;
    }
}

/* Skips blanks, continued lines and a comment. Returns false at the end of a command. */
static bool more_words(struct parser *parser)
{
    while (!is_over(parser)) {
        char c = look(parser, 0);
        if (c == '\\' && look(parser, 1) == '\n') {
            (void)next(parser);
            (void)next(parser);
        } else if (c == ' ' || c == '\t' || c == '\r') {
            (void)next(parser);
        } else if (c == '#') {
            while (!is_over(parser) && look(parser, 0) != '\n')
                (void)next(parser);
        } else {
            return strchr("\n;&|()<>", c) == NULL;
        }
    }
    return false;
}

/* ---- the variables that are kept ---- */

const struct ps_shell_variable *ps_shell_find(const struct ps_shell *shell, const char *name)
{
    for (size_t i = 0; i < shell->count; i++)
        if (strcmp(shell->variables[i].name, name) == 0)
            return &shell->variables[i];
    return NULL;
}

/* Returns the variable, and adds it if the script has not assigned it before. NULL: there are too many. */
static struct ps_shell_variable *variable_named(struct ps_shell *shell, const char *name)
{
    for (size_t i = 0; i < shell->count; i++)
        if (strcmp(shell->variables[i].name, name) == 0)
            return &shell->variables[i];
    if (shell->count == PS_SHELL_VARIABLES_MAX)
        return NULL;
    const char *value = getenv(name);
    struct ps_shell_variable *variable = &shell->variables[shell->count++];
    *variable = (struct ps_shell_variable){.name = name,
                                           .value = value != NULL ? ps_arena_text(shell->arena, value) : "",
                                           .exported = value != NULL};
    return variable;
}

static void add_gap(struct ps_shell *shell, int line, const char *what, const struct ps_texts *names)
{
    if (shell->gap_count < PS_SHELL_GAPS_MAX)
        shell->gaps[shell->gap_count++] =
            (struct ps_shell_gap){line, ps_arena_text(shell->arena, what), *names};
}

static const char *name_of(const struct ps_shell *shell, const struct word *word)
{
    return ps_arena_copy(shell->arena, word->text, word->name_length);
}

/* Carries out one assignment. */
static void assign(struct parser *parser, const struct word *word, int line, bool exported)
{
    struct ps_shell *shell = parser->shell;
    const char *name = name_of(shell, word);
    const char *value = word->text + word->name_length + 1 + word->appends;
    struct ps_shell_variable *variable = variable_named(shell, name);
    parser->values_bytes += strlen(value) + (word->appends && variable != NULL ? strlen(variable->value) : 0);
    if (variable == NULL || parser->values_bytes > VALUES_BYTES_MAX)
        return;
    if (word->lacks) {
        struct ps_texts names = {0, NULL};
        ps_texts_add(shell->arena, &names, name);
        add_gap(shell, line, "value", &names);
    }
    variable->value = word->lacks     ? variable->value
                      : word->appends ? ps_arena_format(shell->arena, "%s%s", variable->value, value)
                                      : ps_arena_text(shell->arena, value);
    variable->line = line;
    variable->exported |= exported;
}

/* ---- commands ---- */

static bool is_one_of(const struct word *word, const char *const *list)
{
    for (; word->is_plain && *list != NULL; list++)
        if (strcmp(word->text, *list) == 0)
            return true;
    return false;
}

static const char *const openers[] = {"if", "case", "for", "while", "until", "select", "function", NULL};
static const char *const closers[] = {"fi", "esac", "done", NULL};
static const char *const starters[] = {"then", "do", "else", "elif", "!", "{", "}", NULL};
static const char *const askers[] = {"if", "while", "until", NULL};
static const char *const declarers[] = {"export", "declare", "typeset", "readonly", "local", NULL};
static const char *const readers[] = {"source", ".", "eval", NULL};

/* Skips a compound command whose first word was read, and notes which variables it assigns. */
static void skip_compound(struct parser *parser, int line, const char *what)
{
    struct ps_texts names = {0, NULL};
    bool begins = true; /* the next word begins a command */
    for (unsigned depth = 1; depth > 0 && !is_over(parser);) {
        if (!more_words(parser)) {
            begins = !is_over(parser);
            if (!is_over(parser))
                (void)next(parser);
            continue;
        }
        struct word word;
        read_word(parser, &word);
        depth += begins && is_one_of(&word, openers);
        depth -= begins && is_one_of(&word, closers);
        if (word.name_length > 0 && !ps_texts_have(&names, name_of(parser->shell, &word)))
            ps_texts_add(parser->shell->arena, &names, name_of(parser->shell, &word));
        begins = is_one_of(&word, starters) || (begins && is_one_of(&word, askers));
        free(word.text);
    }
    if (names.count > 0)
        add_gap(parser->shell, line, what, &names);
}

/* Skips the body of a function, after its name and parentheses. */
static void skip_function(struct parser *parser)
{
    while (!is_over(parser) && look(parser, 0) != '{')
        (void)next(parser);
    if (!is_over(parser))
        (void)next(parser);
    skip_to(parser, '{', '}');
}

/* The effects of a simple command's words so far. */
struct simple {
    int line;
    bool declares, exports, unsets;
    bool is_command;       /* a program or builtin */
    const char *reads;     /* "source" */
    struct word *assigned; /* malloc'ed, with their texts */
    size_t count, room;
    struct ps_texts names; /* export NAME, unset NAME */
};

static void keep_word(struct simple *simple, const struct word *word)
{
    PS_ARRAY_GROW(simple->assigned, simple->count, simple->room, "a script's assignments");
    simple->assigned[simple->count++] = *word;
}

/* Takes the next word of a simple command. */
static void take_word(struct parser *parser, struct simple *simple, struct word *word)
{
    bool first = simple->count == 0 && !simple->declares && !simple->unsets && !simple->is_command;
    if (word->name_length > 0 && !simple->is_command && !simple->unsets) {
        keep_word(simple, word);
        return;
    }
    if (first && is_one_of(word, declarers)) {
        simple->declares = true;
        simple->exports = strcmp(word->text, "export") == 0;
    } else if (first && strcmp(word->text, "unset") == 0) {
        simple->unsets = true;
    } else if (simple->declares && word->text[0] == '-') {
        simple->exports |= strchr(word->text, 'x') != NULL;
    } else if (simple->declares || simple->unsets) {
        ps_texts_add(parser->shell->arena, &simple->names, ps_arena_text(parser->shell->arena, word->text));
    } else {
        if (!simple->is_command && is_one_of(word, readers))
            simple->reads = ps_arena_text(parser->shell->arena, word->text);
        simple->is_command = true;
    }
    free(word->text);
}

static void carry_out(struct parser *parser, struct simple *simple, bool conditional)
{
    struct ps_shell *shell = parser->shell;
    struct ps_texts names = {0, NULL};
    for (size_t i = 0; i < simple->count; i++) {
        if (conditional)
            ps_texts_add(shell->arena, &names, name_of(shell, &simple->assigned[i]));
        else if (!simple->is_command) /* an assignment before a command is valid only for that command */
            assign(parser, &simple->assigned[i], simple->line, simple->exports);
        free(simple->assigned[i].text);
    }
    if (names.count > 0 && !simple->is_command)
        add_gap(shell, simple->line, "condition", &names);
    for (size_t i = 0; i < simple->names.count && !conditional; i++) {
        struct ps_shell_variable *variable = variable_named(shell, simple->names.items[i]);
        if (variable != NULL && simple->unsets)
            variable->value = "";
        else if (variable != NULL)
            variable->exported |= simple->exports;
    }
    if (simple->reads != NULL)
        add_gap(shell, simple->line, simple->reads, &(struct ps_texts){0, NULL});
    free(simple->assigned);
}

/* Reads a command to its end. Returns false when it was a compound command, which is skipped. */
static bool read_simple(struct parser *parser, struct simple *simple, bool conditional)
{
    bool begins = true;
    while (more_words(parser)) {
        struct word word;
        read_word(parser, &word);
        if (begins && is_one_of(&word, openers)) {
            const char *what = ps_arena_text(parser->shell->arena, word.text);
            free(word.text);
            if (strcmp(what, "function") == 0)
                skip_function(parser);
            else
                skip_compound(parser, simple->line, what);
            return false;
        }
        if (begins && is_one_of(&word, starters)) {
            bool skips = conditional && strcmp(word.text, "{") == 0;
            free(word.text);
            if (skips) {
                skip_to(parser, '{', '}');
                simple->reads = "condition";
                return true;
            }
            continue;
        }
        begins = false;
        take_word(parser, simple, &word);
    }
    return true;
}

/* Skips a here-document, after "<<": up to the line that equals its word. */
static void skip_document(struct parser *parser)
{
    struct word word;
    if (look(parser, 0) == '-')
        (void)next(parser);
    if (!more_words(parser))
        return;
    read_word(parser, &word);
    bool found = false;
    while (!found && !is_over(parser)) {
        while (!is_over(parser) && next(parser) != '\n') {
        }
        size_t blanks = 0;
        while (look(parser, blanks) == '\t')
            blanks++;
        found = (size_t)(parser->end - parser->at) >= blanks + word.length &&
                memcmp(parser->at + blanks, word.text, word.length) == 0 &&
                (look(parser, blanks + word.length) == '\n' || look(parser, blanks + word.length) == '\0');
    }
    while (!is_over(parser) && look(parser, 0) != '\n')
        (void)next(parser);
    free(word.text);
}

/* Takes the end of a command. Returns whether the next command runs only if this one succeeds or fails ("&&", "||"). */
static bool take_end(struct parser *parser, const struct simple *simple)
{
    char c = is_over(parser) ? '\n' : next(parser);
    bool doubled = !is_over(parser) && look(parser, 0) == c && (c == '&' || c == '|');
    if (doubled)
        (void)next(parser);
    if (c == '(' && simple->is_command && look(parser, 0) == ')')
        skip_function(parser); /* NAME() { .. } */
    else if (c == '(')
        skip_to(parser, '(', ')'); /* a subshell is another process: nothing stays assigned */
    else if (c == '<' && look(parser, 0) == '<') {
        (void)next(parser);
        skip_document(parser);
    } else if ((c == '<' || c == '>') && more_words(parser)) {
        struct word file;
        read_word(parser, &file);
        free(file.text);
    }
    return doubled;
}

void ps_shell_read(struct ps_shell *shell, struct ps_arena *arena, const char *text, size_t length)
{
    *shell = (struct ps_shell){.arena = arena};
    shell->variables = ps_arena_alloc(arena, PS_SHELL_VARIABLES_MAX * sizeof *shell->variables);
    shell->gaps = ps_arena_alloc(arena, PS_SHELL_GAPS_MAX * sizeof *shell->gaps);
    struct parser parser = {.shell = shell, .at = text, .end = text + length, .line = 1};
    bool conditional = false;
    while (!is_over(&parser)) {
        struct simple simple = {.line = parser.line};
        bool read = read_simple(&parser, &simple, conditional);
        if (!read) /* a compound command was skipped; no assignments precede it */
            conditional = false;
        carry_out(&parser, &simple, conditional);
        bool depends = read && take_end(&parser, &simple);
        conditional = depends;
    }
}
