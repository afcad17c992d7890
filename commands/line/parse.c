/* The parser of all command lines. */
#include "commands/line/line.h"

#include "core/text/nearest.h"
#include "core/quantity.h"

#include <string.h>

#define NAME_BYTES 64
#define ROWS_MAX 64

bool ps_row_is_of(const struct ps_command_row *row, const char *subcommand)
{
    if (row->only == NULL || subcommand == NULL)
        return true;
    size_t length = strlen(subcommand);
    for (const char *at = row->only; *at != '\0'; at += strspn(at, " ")) {
        size_t word = strcspn(at, " ");
        if (word == length && strncmp(at, subcommand, length) == 0)
            return true;
        at += word;
    }
    return false;
}

/* ---- values ---- */

/* Refuses a text that is not one of the words, with a sentence such as "--state: open, replayed or aside, not `opn`". */
static enum ps_status word_check(const struct ps_command_row *row, const char *text, struct ps_err *err)
{
    char words[128], list[160] = "", *rest = words;
    size_t length = 0;
    struct ps_nearest nearest;
    ps_nearest_init(&nearest, text);
    snprintf(words, sizeof words, "%s", row->value);
    for (const char *word; (word = strsep(&rest, "|")) != NULL;) {
        if (strcmp(word, text) == 0)
            return PS_OK;
        ps_nearest_offer(&nearest, word);
        length += (size_t)snprintf(list + length, sizeof list - length, "%s%s",
                                   length == 0    ? ""
                                   : rest == NULL ? " or "
                                                  : ", ",
                                   word);
    }
    return ps_err_set(err, "--%s: %s, not `%s`%s%s%s", row->name, list, text,
                      nearest.word != NULL ? "; did you mean " : "", nearest.word != NULL ? nearest.word : "",
                      nearest.word != NULL ? "?" : "");
}

static struct ps_quantity_text bound(const struct ps_command_row *row, uint64_t value)
{
    return row->kind == PS_ROW_IS_BYTES ? ps_quantity_print_bytes(value) : ps_quantity_print_ns(value);
}

/* Checks the bounds of durations and bytes; counts are checked where they are parsed. */
static enum ps_status bounds_check(const struct ps_command_row *row, uint64_t value, const char *text,
                                   struct ps_err *err)
{
    if (value >= row->min && (row->max == 0 || value <= row->max))
        return PS_OK;
    if (row->min <= 1)
        return value == 0 ? ps_err_set(err, "--%s: 0 is too %s", row->name,
                                       row->kind == PS_ROW_IS_BYTES ? "small" : "short")
                          : ps_err_set(err, "--%s: at most %s, not `%s`", row->name,
                                       bound(row, row->max).text, text);
    if (row->max == 0)
        return ps_err_set(err, "--%s: at least %s, not `%s`", row->name, bound(row, row->min).text, text);
    return ps_err_set(err, "--%s: from %s to %s, not `%s`", row->name, bound(row, row->min).text,
                      bound(row, row->max).text, text);
}

static enum ps_status store(const struct ps_command_row *row, void *target, const char *text,
                            struct ps_err *err)
{
    char what[NAME_BYTES];
    void *at = (char *)target + row->offset;
    uint64_t wide, most = row->max > 0 ? row->max : UINT64_MAX / 2;
    snprintf(what, sizeof what, "--%s", row->name);
    switch (row->kind) {
    case PS_ROW_IS_FLAG:
        *(bool *)at = true;
        return PS_OK;
    case PS_ROW_IS_WORD:
        if (word_check(row, text, err) != PS_OK)
            return PS_FAIL;
        *(const char **)at = text;
        return PS_OK;
    case PS_ROW_IS_TEXT:
        *(const char **)at = text;
        return PS_OK;
    case PS_ROW_IS_COUNT:
        return ps_quantity_count(what, text, row->min, most, at, err);
    case PS_ROW_IS_COUNT32:
        if (ps_quantity_count(what, text, row->min, row->max > 0 ? row->max : UINT32_MAX, &wide, err) !=
            PS_OK)
            return PS_FAIL;
        *(uint32_t *)at = (uint32_t)wide;
        return PS_OK;
    case PS_ROW_IS_DURATION:
        return ps_quantity_duration(what, text, at, err) != PS_OK
                   ? PS_FAIL
                   : bounds_check(row, *(uint64_t *)at, text, err);
    case PS_ROW_IS_SECONDS:
        if (ps_quantity_duration(what, text, &wide, err) != PS_OK ||
            bounds_check(row, wide, text, err) != PS_OK)
            return PS_FAIL;
        *(double *)at = (double)wide / 1e9;
        return PS_OK;
    case PS_ROW_IS_BYTES:
        return ps_quantity_bytes(what, text, at, err) != PS_OK
                   ? PS_FAIL
                   : bounds_check(row, *(uint64_t *)at, text, err);
    case PS_ROW_IS_RATE:
        return ps_quantity_rate(what, text, at, err);
    case PS_ROW_IS_SHARE:
        return ps_quantity_share(what, text, at, err);
    case PS_ROW_IS_TAKE:
        return row->take(target, row, text, err);
    case PS_ROW_IS_IGNORED:
    case PS_ROW_IS_NOTE:
        return PS_OK;
    }
    return PS_FAIL;
}

/* ---- words ---- */

/* The state of one parse. */
struct parse {
    const struct ps_command_line *line;
    void *target;
    int argc, at; /* the next word */
    char **argv;
    bool given[ROWS_MAX];
    struct ps_err *err;
};

const struct ps_command_row ps_row_help = {.name = "help", .letter = 'h', .help = "this text"};

static bool is_option(const struct parse *parse, const struct ps_command_row *row)
{
    return row->kind != PS_ROW_IS_NOTE && ps_row_is_of(row, parse->line->subcommand);
}

/* Returns the option of this command that other programs call by the given name; NULL: there is none. */
static const char *other_name(const struct parse *parse, const char *name)
{
    static const struct {
        const char *name, *ours;
    } others[] = {
        {"count", "events"},
        {"number", "events"},
        {"messages", "events"},
        {"num-events", "events"},
        {"records", "events"},
        {"num-records", "events"},
        {"time", "duration"},
        {"timeout", "duration"},
        {"seconds", "duration"},
        {"url", "target"},
        {"to", "target"},
        {"host", "target"},
        {"output", "target"},
        {"throughput", "rate"},
        {"eps", "rate"},
        {"qps", "rate"},
        {"record-size", "size"},
        {"message-size", "size"},
        {"clients", "connections"},
        {"source", "from"},
        {"input", "from"},
    };
    for (size_t i = 0; i < PS_COUNT_OF(others); i++)
        for (const struct ps_command_row *row = parse->line->rows; row->help != NULL; row++)
            if (is_option(parse, row) && row->name != NULL && strcmp(others[i].name, name) == 0 &&
                strcmp(others[i].ours, row->name) == 0)
                return row->name;
    return NULL;
}

static enum ps_status unknown(struct parse *parse, const char *name)
{
    struct ps_nearest nearest;
    const char *command = parse->line->name;
    ps_nearest_init(&nearest, name);
    for (const struct ps_command_row *row = parse->line->rows; row->help != NULL; row++)
        if (is_option(parse, row) && row->name != NULL)
            ps_nearest_offer(&nearest, row->name);
    const char *other = other_name(parse, name);
    if (other != NULL || nearest.word != NULL)
        return ps_err_set(
            parse->err, "there is no option --%s; did you mean --%s? `penstock %s --help` lists the options",
            name, other != NULL ? other : nearest.word, command);
    return ps_err_set(parse->err, "there is no option --%s; `penstock %s --help` lists the options", name,
                      command);
}

/* Returns the row of a long name, or of the only long name with this prefix. NULL after setting the error. */
static const struct ps_command_row *row_named(struct parse *parse, const char *name)
{
    const struct ps_command_row *begun = NULL;
    size_t length = strlen(name), count = 0;
    for (const struct ps_command_row *row = parse->line->rows;; row++) {
        const struct ps_command_row *candidate = row->help != NULL ? row : &ps_row_help;
        if (candidate->name != NULL && (candidate == &ps_row_help || is_option(parse, row)) &&
            strncmp(candidate->name, name, length) == 0) {
            if (candidate->name[length] == '\0')
                return candidate;
            begun = candidate;
            count++;
        }
        if (candidate == &ps_row_help)
            break;
    }
    if (count == 1 && length > 0)
        return begun;
    if (count > 1 && length > 0)
        ps_err_set(parse->err,
                   "--%s is the beginning of several options; `penstock %s --help` lists the options", name,
                   parse->line->name);
    else
        unknown(parse, name);
    return NULL;
}

static const struct ps_command_row *row_lettered(struct parse *parse, char letter)
{
    for (const struct ps_command_row *row = parse->line->rows; row->help != NULL; row++)
        if (row->letter == letter && is_option(parse, row))
            return row;
    if (letter == 'h')
        return &ps_row_help;
    ps_err_set(parse->err, "there is no option -%c; `penstock %s --help` lists the options", letter,
               parse->line->name);
    return NULL;
}

/* Applies one option; `inner` is its value within the word, or NULL. */
static enum ps_status apply(struct parse *parse, const struct ps_command_row *row, const char *word,
                            const char *inner)
{
    const char *text = inner;
    if (row->value != NULL && text == NULL) {
        if (parse->at == parse->argc)
            return ps_err_set(parse->err, "%s needs a value: %s", word, row->value);
        text = parse->argv[parse->at++];
    }
    PS_ASSERT(row - parse->line->rows < ROWS_MAX);
    parse->given[row - parse->line->rows] = true;
    return store(row, parse->target, text, parse->err);
}

/* Takes "--name" or "--name=value". Sets `asks_help` for --help. */
static enum ps_status take_long(struct parse *parse, const char *word, bool *asks_help)
{
    char name[NAME_BYTES], whole[NAME_BYTES + 2];
    size_t length = strcspn(word + 2, "=");
    snprintf(name, sizeof name, "%.*s", (int)length, word + 2);
    const char *inner = word[2 + length] == '=' ? word + 2 + length + 1 : NULL;
    const struct ps_command_row *row = row_named(parse, name);
    if (row == NULL)
        return PS_FAIL;
    *asks_help = row == &ps_row_help;
    if (*asks_help)
        return PS_OK;
    snprintf(whole, sizeof whole, "--%s", row->name);
    if (row->value == NULL && inner != NULL)
        return ps_err_set(parse->err, "%s takes no value", whole);
    return apply(parse, row, whole, inner);
}

/* Takes "-n", "-n5" or "-fj". */
static enum ps_status take_letters(struct parse *parse, const char *word, bool *asks_help)
{
    for (const char *at = word + 1; *at != '\0'; at++) {
        const char whole[] = {'-', *at, '\0'};
        const struct ps_command_row *row = row_lettered(parse, *at);
        if (row == NULL)
            return PS_FAIL;
        *asks_help = row == &ps_row_help;
        if (*asks_help)
            return PS_OK;
        if (row->value != NULL)
            return apply(parse, row, whole, at[1] != '\0' ? at + 1 : NULL);
        if (apply(parse, row, whole, NULL) != PS_OK)
            return PS_FAIL;
    }
    return PS_OK;
}

/* Writes "repair and import", "inspect, verify and export". */
static void only_print(char text[NAME_BYTES], const char *only)
{
    const char *last = strrchr(only, ' ');
    int length = 0;
    text[0] = '\0';
    for (const char *at = only; *at != '\0' && length < NAME_BYTES; at++)
        if (*at != ' ')
            length += snprintf(text + length, (size_t)(NAME_BYTES - length), "%c", *at);
        else
            length += snprintf(text + length, (size_t)(NAME_BYTES - length), at == last ? " and " : ", ");
}

/* Refuses options that the subcommand (the first operand) does not take. */
static enum ps_status given_check(struct parse *parse, int operand_count)
{
    char only[NAME_BYTES];
    const char *subcommand = parse->line->subcommand == NULL && operand_count > 0 ? parse->argv[1] : NULL;
    for (const struct ps_command_row *row = parse->line->rows; row->help != NULL; row++)
        if (parse->given[row - parse->line->rows] && !ps_row_is_of(row, subcommand))
            return only_print(only, row->only),
                   ps_err_set(parse->err, "--%s is an option of %s only\n`penstock %s --help` tells more.",
                              row->name, only, parse->line->name);
    return PS_OK;
}

enum ps_status ps_command_line_read(const struct ps_command_line *line, void *target, int argc, char **argv,
                                    int *operand_count, bool *help, struct ps_err *err)
{
    struct parse parse = {.line = line, .target = target, .argc = argc, .at = 1, .argv = argv, .err = err};
    enum ps_status status = PS_OK;
    bool ended = false;
    int count = 0;
    *help = false;
    while (status == PS_OK && !*help && parse.at < argc) {
        char *word = argv[parse.at++];
        if (ended || word[0] != '-' || word[1] == '\0')
            argv[1 + count++] = word;
        else if (strcmp(word, "--") == 0)
            ended = true;
        else if (word[1] == '-')
            status = take_long(&parse, word, help);
        else
            status = take_letters(&parse, word, help);
    }
    *operand_count = count;
    return status == PS_OK && !*help ? given_check(&parse, count) : status;
}

int ps_command_line_parse(const struct ps_command_line *line, void *target, int argc, char **argv,
                          int *operand_count)
{
    bool help;
    struct ps_err err = {.length = 0};
    if (ps_command_line_read(line, target, argc, argv, operand_count, &help, &err) != PS_OK) {
        fprintf(stderr, "penstock %s: %s\n", line->name, err.text);
        return 2;
    }
    if (help)
        ps_command_line_usage(stdout, line);
    return help ? 0 : -1;
}

int ps_command_line_unexpected(const struct ps_command_line *line, const char *operand)
{
    fprintf(stderr, "penstock %s: unexpected \"%s\"; see --help\n", line->name, operand);
    return 2;
}

int ps_command_line_unknown(const char *name, const char *what, const char *word, const char *const *words)
{
    struct ps_nearest nearest;
    ps_nearest_init(&nearest, word);
    for (; *words != NULL; words++)
        ps_nearest_offer(&nearest, *words);
    fprintf(stderr, "penstock %s: there is no %s `%s`%s%s%s\n", name, what, word,
            nearest.word != NULL ? "; did you mean `" : "", nearest.word != NULL ? nearest.word : "",
            nearest.word != NULL ? "`?" : "");
    return 2;
}
