/* The parser of Java login configurations. Control thread only; pure except for ps_kafka_jaas_read.
 * kafka/security/jaas_modules.c translates the entries. */
#include "stages/lib/kafka/security/jaas.h"

#include <ctype.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum token { TOKEN_END, TOKEN_WORD, TOKEN_TEXT, TOKEN_MARK, TOKEN_BAD };

struct parser {
    const char *at, *end;
    unsigned line, column;
    struct ps_err *err;
    char *out, *out_end; /* where the decoded words are written */
    const char *word;    /* text of the last WORD or TEXT */
    char mark;           /* character of the last MARK */
    bool expand;         /* ${property} in quoted values */
    ps_jaas_property *property;
    const void *argument;
    unsigned token_line, token_column;
};

static enum ps_status fail(struct parser *parser, const char *what)
{
    return ps_err_set(parser->err, "line %u, column %u: %s", parser->token_line, parser->token_column, what);
}

static char step(struct parser *parser)
{
    char c = *parser->at++;
    if (c == '\n') {
        parser->line++;
        parser->column = 1;
    } else {
        parser->column++;
    }
    return c;
}

static bool next_is(const struct parser *parser, const char *two)
{
    return parser->end - parser->at >= 2 && parser->at[0] == two[0] && parser->at[1] == two[1];
}

/* Skips blanks and comments. Returns false for a comment without end. */
static bool skip(struct parser *parser)
{
    while (parser->at < parser->end) {
        if (isspace((unsigned char)*parser->at)) {
            step(parser);
        } else if (next_is(parser, "//")) {
            while (parser->at < parser->end && *parser->at != '\n')
                step(parser);
        } else if (next_is(parser, "/*")) {
            parser->token_line = parser->line;
            parser->token_column = parser->column;
            step(parser);
            step(parser);
            while (parser->at < parser->end && !next_is(parser, "*/"))
                step(parser);
            if (parser->at == parser->end)
                return false;
            step(parser);
            step(parser);
        } else {
            break;
        }
    }
    return true;
}

static bool put(struct parser *parser, char c)
{
    if (parser->out == parser->out_end) {
        fail(parser, "too long");
        return false;
    }
    *parser->out++ = c;
    return true;
}

/* Writes a code point below 256 as UTF-8. */
static bool put_code(struct parser *parser, unsigned code)
{
    if (code < 0x80)
        return put(parser, (char)code);
    return put(parser, (char)(0xc0 | code >> 6)) && put(parser, (char)(0x80 | (code & 0x3f)));
}

/* Decodes an escape, after its backslash (java.io.StreamTokenizer): letters for control characters, up to
 * three octal digits, else the character itself. */
static bool put_escape(struct parser *parser)
{
    static const char letters[] = "abfnrtv", codes[] = "\a\b\f\n\r\t\v";
    char c = step(parser);
    const char *found = c != '\0' ? strchr(letters, c) : NULL;
    if (found != NULL)
        return put(parser, codes[found - letters]);
    if (c < '0' || c > '7')
        return put(parser, c);
    unsigned code = (unsigned)(c - '0');
    int digits = c <= '3' ? 3 : 2;
    for (int i = 1; i < digits && parser->at < parser->end && *parser->at >= '0' && *parser->at <= '7'; i++)
        code = 8 * code + (unsigned)(step(parser) - '0');
    return code != 0 && put_code(parser, code);
}

/* Expands ${name}, a Java system property. */
static bool put_property(struct parser *parser)
{
    char name[PS_JAAS_NAME_MAX];
    size_t length = 0;
    step(parser);
    step(parser);
    while (parser->at < parser->end && *parser->at != '}' && length + 1 < sizeof name)
        name[length++] = step(parser);
    name[length] = '\0';
    if (parser->at == parser->end || step(parser) != '}')
        return false;
    if (strcmp(name, "/") == 0)
        return put(parser, '/');
    const char *value = parser->property != NULL ? parser->property(parser->argument, name) : NULL;
    if (value == NULL && strcmp(name, "user.home") == 0)
        value = getenv("HOME");
    if (value == NULL)
        return false;
    while (*value != '\0') {
        if (!put(parser, *value++))
            return false;
    }
    return true;
}

static enum token quoted(struct parser *parser)
{
    char quote = step(parser);
    while (parser->at < parser->end && *parser->at != quote && *parser->at != '\0') {
        if (*parser->at == '\\') {
            step(parser);
            if (parser->at == parser->end)
                break;
            if (!put_escape(parser)) {
                fail(parser, "a quoted text contains a NUL (or is too long)");
                return TOKEN_BAD;
            }
        } else if (parser->expand && next_is(parser, "${")) {
            if (!put_property(parser)) {
                fail(parser, "a quoted text names a system property, ${...}, that is not set (-Dname=value)");
                return TOKEN_BAD;
            }
        } else if (!put(parser, step(parser))) {
            return TOKEN_BAD;
        }
    }
    if (parser->at == parser->end || *parser->at != quote) {
        fail(parser, "a quoted text has no closing quote");
        return TOKEN_BAD;
    }
    step(parser);
    return put(parser, '\0') ? TOKEN_TEXT : TOKEN_BAD;
}

static enum token token_next(struct parser *parser)
{
    if (!skip(parser)) {
        fail(parser, "a comment has no end");
        return TOKEN_BAD;
    }
    parser->token_line = parser->line;
    parser->token_column = parser->column;
    if (parser->at == parser->end)
        return TOKEN_END;
    parser->word = parser->out;
    char c = *parser->at;
    if (c == '"' || c == '\'')
        return quoted(parser);
    if (strchr("=;{}", c) != NULL && c != '\0') {
        parser->mark = step(parser);
        return TOKEN_MARK;
    }
    while (parser->at < parser->end && !isspace((unsigned char)*parser->at) && *parser->at != '\0' &&
           strchr("=;{}\"'", *parser->at) == NULL && !next_is(parser, "//") && !next_is(parser, "/*")) {
        if (!put(parser, step(parser)))
            return TOKEN_BAD;
    }
    if (parser->out == parser->word) {
        fail(parser, "a NUL byte");
        return TOKEN_BAD;
    }
    return put(parser, '\0') ? TOKEN_WORD : TOKEN_BAD;
}

/* Parses the rest of an entry, after its class name. */
static enum ps_status entry_parse(struct parser *parser, struct ps_jaas_entry *entry)
{
    static const char *const flags[] = {"required", "requisite", "sufficient", "optional"};
    if (strlen(entry->module) >= PS_JAAS_NAME_MAX)
        return fail(parser, "the class name of the login module is too long");
    enum token token = token_next(parser);
    if (token == TOKEN_BAD)
        return PS_FAIL;
    bool known = false;
    for (size_t i = 0; token == TOKEN_WORD && i < PS_COUNT_OF(flags); i++)
        known |= strcasecmp(parser->word, flags[i]) == 0;
    if (!known)
        return fail(parser, "after the class of the login module, one of required, requisite, sufficient, "
                            "optional is expected");
    entry->flag = parser->word;
    for (;;) {
        token = token_next(parser);
        if (token == TOKEN_BAD)
            return PS_FAIL;
        if (token == TOKEN_MARK && parser->mark == ';')
            return PS_OK;
        if (token == TOKEN_END)
            return fail(parser, "the entry does not end with ;");
        if (token != TOKEN_WORD || strlen(parser->word) >= PS_JAAS_NAME_MAX)
            return fail(parser, "expected an option (name=\"value\") or ;");
        const char *name = parser->word;
        token = token_next(parser);
        if (token == TOKEN_BAD)
            return PS_FAIL;
        if (token != TOKEN_MARK || parser->mark != '=')
            return fail(parser, "an option has no = and value");
        token = token_next(parser);
        if (token == TOKEN_BAD)
            return PS_FAIL;
        if (token != TOKEN_WORD && token != TOKEN_TEXT)
            return fail(parser, "an option has no value");
        if (entry->option_count == PS_JAAS_OPTIONS_MAX)
            return fail(parser, "too many options");
        entry->options[entry->option_count++] = (struct ps_jaas_option){.name = name, .value = parser->word};
    }
}

/* Allocates room for the words in `length` bytes of text: decoding never makes a text longer, each word takes
 * one more byte, and the results of ${} must fit into this room. */
static enum ps_status parser_init(struct parser *parser, struct ps_jaas_entry *entry, const char *text,
                                  size_t length, struct ps_err *err)
{
    *entry = (struct ps_jaas_entry){0};
    *parser = (struct parser){.at = text, .end = text + length, .line = 1, .column = 1, .err = err};
    if (length > PS_JAAS_BYTES_MAX)
        return ps_err_set(err, "longer than %d bytes", PS_JAAS_BYTES_MAX);
    entry->text_bytes = 2 * length + 4096;
    entry->text = ps_must_alloc(1, entry->text_bytes, "a JAAS configuration");
    parser->out = entry->text;
    parser->out_end = entry->text + entry->text_bytes;
    return PS_OK;
}

enum ps_status ps_kafka_jaas_parse(struct ps_jaas_entry *entry, const char *text, size_t length,
                                   struct ps_err *err)
{
    struct parser parser;
    if (parser_init(&parser, entry, text, length, err) != PS_OK)
        return PS_FAIL;
    enum token token = token_next(&parser);
    enum ps_status status = PS_FAIL;
    if (token == TOKEN_END) {
        fail(&parser, "no login module is given");
    } else if (token == TOKEN_WORD) {
        entry->module = parser.word;
        status = entry_parse(&parser, entry);
        if (status == PS_OK) {
            token = token_next(&parser);
            if (token != TOKEN_END)
                status = token == TOKEN_BAD ? PS_FAIL : fail(&parser, "more than one login module");
        }
    } else if (token != TOKEN_BAD) {
        fail(&parser, "expected the class name of a login module");
    }
    if (status != PS_OK)
        ps_kafka_jaas_fini(entry);
    return status;
}

/* Parses one section, after its name. `wanted`: keeps its first entry. */
static enum ps_status section_parse(struct parser *parser, struct ps_jaas_entry *entry, bool wanted,
                                    bool *found)
{
    enum token token = token_next(parser);
    if (token == TOKEN_BAD)
        return PS_FAIL;
    if (token != TOKEN_MARK || parser->mark != '{')
        return fail(parser, "expected { after the name of a section");
    for (;;) {
        token = token_next(parser);
        if (token == TOKEN_BAD)
            return PS_FAIL;
        if (token == TOKEN_MARK && parser->mark == '}')
            break;
        if (token != TOKEN_WORD)
            return fail(parser, "expected the class name of a login module or }");
        struct ps_jaas_entry other = {.module = parser->word};
        struct ps_jaas_entry *into = wanted && !*found ? entry : &other;
        into->module = parser->word;
        if (entry_parse(parser, into) != PS_OK)
            return PS_FAIL;
        *found |= into == entry;
    }
    token = token_next(parser);
    if (token == TOKEN_BAD)
        return PS_FAIL;
    if (token != TOKEN_MARK || parser->mark != ';')
        return fail(parser, "a section ends with };");
    return PS_OK;
}

enum ps_status ps_kafka_jaas_parse_file(struct ps_jaas_entry *entry, const char *text, size_t length,
                                        const char *section, ps_jaas_property *property, const void *argument,
                                        struct ps_err *err)
{
    struct parser parser;
    if (parser_init(&parser, entry, text, length, err) != PS_OK)
        return PS_FAIL;
    parser.expand = true;
    parser.property = property;
    parser.argument = argument;
    bool found = false;
    enum ps_status status = PS_OK;
    while (status == PS_OK) {
        enum token token = token_next(&parser);
        if (token == TOKEN_END)
            break;
        if (token == TOKEN_BAD)
            status = PS_FAIL;
        else if (token == TOKEN_MARK)
            status = fail(&parser, "expected the name of a section");
        else
            status = section_parse(&parser, entry, strcmp(parser.word, section) == 0, &found);
    }
    if (status == PS_OK && !found)
        status = ps_err_set(err, "there is no section %s { ... };", section);
    if (status != PS_OK)
        ps_kafka_jaas_fini(entry);
    return status;
}

enum ps_status ps_kafka_jaas_read(struct ps_jaas_entry *entry, const char *path, const char *section,
                                  ps_jaas_property *property, const void *argument, struct ps_err *err)
{
    *entry = (struct ps_jaas_entry){0};
    FILE *file = fopen(path, "re");
    char *text = ps_must_alloc(1, PS_JAAS_BYTES_MAX + 1, "a JAAS configuration");
    enum ps_status status = PS_FAIL;
    if (file == NULL) {
        ps_err_set(err, "cannot read the file: %s", strerror(errno));
    } else {
        size_t length = fread(text, 1, PS_JAAS_BYTES_MAX + 1, file);
        if (ferror(file))
            ps_err_set(err, "cannot read the file: %s", strerror(errno));
        else
            status = ps_kafka_jaas_parse_file(entry, text, length, section, property, argument, err);
        OPENSSL_cleanse(text, length);
        fclose(file);
    }
    free(text);
    if (status != PS_OK)
        ps_err_append(err, "login configuration %s (java.security.auth.login.config)", path);
    return status;
}

void ps_kafka_jaas_fini(struct ps_jaas_entry *entry)
{
    if (entry->text != NULL)
        OPENSSL_cleanse(entry->text, entry->text_bytes);
    free(entry->text);
    *entry = (struct ps_jaas_entry){0};
}

const char *ps_kafka_jaas_option(const struct ps_jaas_entry *entry, const char *name)
{
    /* the last option of a name counts, as in Java's map */
    for (size_t i = entry->option_count; i > 0; i--) {
        if (strcmp(entry->options[i - 1].name, name) == 0)
            return entry->options[i - 1].value;
    }
    return NULL;
}
