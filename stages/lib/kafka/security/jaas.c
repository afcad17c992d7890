/* The parser of Java login configurations. Control thread only; pure except for ps_kafka_jaas_read.
 * kafka/security/jaas_modules.c translates the entries. */
#include "stages/lib/kafka/security/jaas.h"

#include "core/text/utf8.h"

#include <ctype.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum token { TOKEN_END, TOKEN_WORD, TOKEN_TEXT, TOKEN_MARK, TOKEN_BAD };

struct parser {
    const char *start, *at, *end;
    const char *token_at; /* where the last token begins */
    struct ps_err *err;
    bool failed;         /* `err` has the first mistake */
    char *out, *out_end; /* where the decoded words are written */
    const char *word;    /* text of the last WORD or TEXT */
    char mark;           /* character of the last MARK */
    bool expand;         /* ${property} in quoted values */
    ps_jaas_property *property;
    const void *argument;
};

/* Keeps the first mistake, with its place: what follows from it is not reported. */
static enum ps_status fail(struct parser *parser, const char *what)
{
    unsigned line = 1, column = 1;
    for (const char *at = parser->start; at < parser->token_at; at++) {
        line += *at == '\n';
        column = *at == '\n' ? 1 : column + 1;
    }
    if (!parser->failed)
        ps_err_set(parser->err, "line %u, column %u: %s", line, column, what);
    parser->failed = true;
    return PS_FAIL;
}

static enum token bad(struct parser *parser, const char *what)
{
    (void)fail(parser, what);
    return TOKEN_BAD;
}

static bool next_is(const struct parser *parser, const char *two)
{
    return parser->end - parser->at >= 2 && parser->at[0] == two[0] && parser->at[1] == two[1];
}

/* ---- tokens ---- */

/* Skips blanks and comments. Returns false for a comment without end. */
static bool skip(struct parser *parser)
{
    for (;; parser->token_at = parser->at) {
        size_t left = (size_t)(parser->end - parser->at);
        const char *close = parser->end;
        if (left > 0 && isspace((unsigned char)*parser->at))
            close = parser->at + 1;
        else if (next_is(parser, "//"))
            close = memchr(parser->at, '\n', left);
        else if (!next_is(parser, "/*"))
            return true;
        else if ((close = memmem(parser->at + 2, left - 2, "*/", 2)) == NULL)
            return false;
        else
            close += 2;
        parser->at = close != NULL ? close : parser->end;
    }
}

static bool put(struct parser *parser, const char *text, size_t length)
{
    if (length > (size_t)(parser->out_end - parser->out)) {
        fail(parser, "too long");
        return false;
    }
    memcpy(parser->out, text, length);
    parser->out += length;
    return true;
}

/* Decodes an escape, after its backslash (java.io.StreamTokenizer): letters for control characters, up to
 * three octal digits, else the character itself. */
static bool put_escape(struct parser *parser)
{
    static const char letters[] = "abfnrtv", codes[] = "\a\b\f\n\r\t\v";
    char c = *parser->at++, decoded[4];
    const char *found = c != '\0' ? strchr(letters, c) : NULL;
    if (found != NULL)
        c = codes[found - letters];
    if (found != NULL || c < '0' || c > '7')
        return put(parser, &c, 1);
    uint32_t code = (uint32_t)(c - '0');
    int digits = c <= '3' ? 3 : 2;
    for (int i = 1; i < digits && parser->at < parser->end && *parser->at >= '0' && *parser->at <= '7'; i++)
        code = 8 * code + (uint32_t)(*parser->at++ - '0');
    return code != 0 && put(parser, decoded, ps_utf8_put(decoded, code));
}

/* Expands ${name}, a Java system property. */
static bool put_property(struct parser *parser)
{
    char name[PS_JAAS_NAME_MAX];
    const char *begin = parser->at + 2, *close = memchr(begin, '}', (size_t)(parser->end - begin));
    if (close == NULL || (size_t)(close - begin) >= sizeof name)
        return false;
    snprintf(name, sizeof name, "%.*s", (int)(close - begin), begin);
    parser->at = close + 1;
    const char *value = parser->property != NULL ? parser->property(parser->argument, name) : NULL;
    if (strcmp(name, "/") == 0)
        value = "/";
    else if (value == NULL && strcmp(name, "user.home") == 0)
        value = getenv("HOME");
    return value != NULL && put(parser, value, strlen(value));
}

static enum token quoted(struct parser *parser)
{
    char quote = *parser->at++;
    while (parser->at < parser->end && *parser->at != quote && *parser->at != '\0') {
        if (next_is(parser, "${") && parser->expand) {
            if (!put_property(parser))
                return bad(parser,
                           "a quoted text names a system property, ${...}, that is not set (-Dname=value)");
        } else if (*parser->at != '\\') {
            if (!put(parser, parser->at++, 1))
                return TOKEN_BAD;
        } else if (++parser->at < parser->end && !put_escape(parser)) {
            return bad(parser, "a quoted text contains a NUL (or is too long)");
        }
    }
    if (parser->at == parser->end || *parser->at != quote)
        return bad(parser, "a quoted text has no closing quote");
    parser->at++;
    return put(parser, "", 1) ? TOKEN_TEXT : TOKEN_BAD;
}

static enum token token_next(struct parser *parser)
{
    parser->token_at = parser->at;
    if (!skip(parser))
        return bad(parser, "a comment has no end");
    if (parser->at == parser->end)
        return TOKEN_END;
    parser->word = parser->out;
    char c = *parser->at;
    if (c == '"' || c == '\'')
        return quoted(parser);
    if (strchr("=;{}", c) != NULL && c != '\0') {
        parser->mark = *parser->at++;
        return TOKEN_MARK;
    }
    const char *begin = parser->at;
    while (parser->at < parser->end && !isspace((unsigned char)*parser->at) && *parser->at != '\0' &&
           strchr("=;{}\"'", *parser->at) == NULL && !next_is(parser, "//") && !next_is(parser, "/*"))
        parser->at++;
    if (parser->at == begin)
        return bad(parser, "a NUL byte");
    return put(parser, begin, (size_t)(parser->at - begin)) && put(parser, "", 1) ? TOKEN_WORD : TOKEN_BAD;
}

static bool take_mark(struct parser *parser, char mark)
{
    return token_next(parser) == TOKEN_MARK && parser->mark == mark;
}

/* ---- entries ---- */

static bool take_flag(struct parser *parser)
{
    static const char *const flags[] = {"required", "requisite", "sufficient", "optional"};
    bool known = false;
    if (token_next(parser) != TOKEN_WORD)
        return false;
    for (size_t i = 0; i < PS_COUNT_OF(flags); i++)
        known |= strcasecmp(parser->word, flags[i]) == 0;
    return known;
}

/* Parses the rest of an entry, after its class name. */
static enum ps_status entry_parse(struct parser *parser, struct ps_jaas_entry *entry)
{
    entry->module = parser->word;
    if (strlen(entry->module) >= PS_JAAS_NAME_MAX)
        return fail(parser, "the class name of the login module is too long");
    if (!take_flag(parser))
        return fail(parser, "after the class of the login module, one of required, requisite, sufficient, "
                            "optional is expected");
    for (;;) {
        enum token token = token_next(parser);
        if (token == TOKEN_MARK && parser->mark == ';')
            return PS_OK;
        if (token == TOKEN_END)
            return fail(parser, "the entry does not end with ;");
        if (token != TOKEN_WORD || strlen(parser->word) >= PS_JAAS_NAME_MAX)
            return fail(parser, "expected an option (name=\"value\") or ;");
        const char *name = parser->word;
        if (!take_mark(parser, '='))
            return fail(parser, "an option has no = and value");
        token = token_next(parser);
        if (token != TOKEN_WORD && token != TOKEN_TEXT)
            return fail(parser, "an option has no value");
        if (entry->option_count == PS_JAAS_OPTIONS_MAX)
            return fail(parser, "too many options");
        entry->options[entry->option_count++] = (struct ps_jaas_option){.name = name, .value = parser->word};
    }
}

/* Parses a text of exactly one entry. */
static enum ps_status value_parse(struct parser *parser, struct ps_jaas_entry *entry)
{
    enum token token = token_next(parser);
    if (token == TOKEN_END)
        return fail(parser, "no login module is given");
    if (token != TOKEN_WORD)
        return fail(parser, "expected the class name of a login module");
    if (entry_parse(parser, entry) != PS_OK)
        return PS_FAIL;
    return token_next(parser) == TOKEN_END ? PS_OK : fail(parser, "more than one login module");
}

/* Parses one section, after its name. `wanted`: keeps its first entry. */
static enum ps_status section_parse(struct parser *parser, struct ps_jaas_entry *entry, bool wanted)
{
    if (!take_mark(parser, '{'))
        return fail(parser, "expected { after the name of a section");
    for (;;) {
        enum token token = token_next(parser);
        if (token == TOKEN_MARK && parser->mark == '}')
            return take_mark(parser, ';') ? PS_OK : fail(parser, "a section ends with };");
        if (token != TOKEN_WORD)
            return fail(parser, "expected the class name of a login module or }");
        struct ps_jaas_entry other = {.module = NULL};
        if (entry_parse(parser, wanted && entry->module == NULL ? entry : &other) != PS_OK)
            return PS_FAIL;
    }
}

static enum ps_status file_parse(struct parser *parser, struct ps_jaas_entry *entry, const char *section)
{
    for (;;) {
        enum token token = token_next(parser);
        if (token == TOKEN_END)
            break;
        if (token != TOKEN_WORD && token != TOKEN_TEXT)
            return fail(parser, "expected the name of a section");
        if (section_parse(parser, entry, strcmp(parser->word, section) == 0) != PS_OK)
            return PS_FAIL;
    }
    return entry->module != NULL ? PS_OK
                                 : ps_err_set(parser->err, "there is no section %s { ... };", section);
}

/* ---- entry points ---- */

enum ps_status ps_kafka_jaas_parse_file(struct ps_jaas_entry *entry, const char *text, size_t length,
                                        const char *section, ps_jaas_property *property, const void *argument,
                                        struct ps_err *err)
{
    *entry = (struct ps_jaas_entry){0};
    if (length > PS_JAAS_BYTES_MAX)
        return ps_err_set(err, "longer than %d bytes", PS_JAAS_BYTES_MAX);
    /* Decoding never makes a text longer, each word takes one more byte, and the results of ${} must fit into the rest. */
    entry->text_bytes = 2 * length + 4096;
    entry->text = ps_must_alloc(1, entry->text_bytes, "a JAAS configuration");
    struct parser parser = {.start = text,
                            .at = text,
                            .end = text + length,
                            .err = err,
                            .out = entry->text,
                            .out_end = entry->text + entry->text_bytes,
                            .expand = section != NULL,
                            .property = property,
                            .argument = argument};
    enum ps_status status =
        section != NULL ? file_parse(&parser, entry, section) : value_parse(&parser, entry);
    if (status != PS_OK)
        ps_kafka_jaas_fini(entry);
    return status;
}

enum ps_status ps_kafka_jaas_parse(struct ps_jaas_entry *entry, const char *text, size_t length,
                                   struct ps_err *err)
{
    return ps_kafka_jaas_parse_file(entry, text, length, NULL, NULL, NULL, err);
}

enum ps_status ps_kafka_jaas_read(struct ps_jaas_entry *entry, const char *path, const char *section,
                                  ps_jaas_property *property, const void *argument, struct ps_err *err)
{
    *entry = (struct ps_jaas_entry){0};
    FILE *file = fopen(path, "re");
    char *text = ps_must_alloc(1, PS_JAAS_BYTES_MAX + 1, "a JAAS configuration");
    size_t length = file != NULL ? fread(text, 1, PS_JAAS_BYTES_MAX + 1, file) : 0;
    enum ps_status status =
        file == NULL || ferror(file)
            ? ps_err_set(err, "cannot read the file: %s", strerror(errno))
            : ps_kafka_jaas_parse_file(entry, text, length, section, property, argument, err);
    if (file != NULL)
        fclose(file);
    OPENSSL_cleanse(text, length);
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
