/* Reads scripts. */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/world/scenario/scenario.h"

struct reader {
    const char *file;
    char *bytes;      /* the whole file, {each} replaced */
    const char *at;   /* within the line */
    const char *next; /* the next line */
    unsigned line;
    const char *variant; /* NULL: there is no line `each` */
};

_Noreturn void scenario_mistake(const char *file, unsigned line, const char *format, ...)
{
    char reason[400];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reason, sizeof reason, format, arguments);
    va_end(arguments);
    world_fatal("%s:%u: %s", file, line, reason);
}

#define MISTAKE(reader, ...) scenario_mistake((reader)->file, (reader)->line, __VA_ARGS__)

static char *read_whole(const char *path)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        world_fatal("%s cannot be read", path);
    size_t length = 0, room = 4096;
    char *bytes = malloc(room);
    for (size_t got; (got = fread(bytes + length, 1, room - 1 - length, file)) > 0;) {
        length += got;
        if (length + 1 == room)
            bytes = realloc(bytes, room *= 2);
    }
    fclose(file);
    bytes[length] = 0;
    return bytes;
}

/* ---- lines and words ---- */

/* Goes to the next line. Returns false at the end. */
static bool next_line(struct reader *reader)
{
    if (*reader->next == 0)
        return false;
    reader->at = reader->next;
    reader->line++;
    reader->next += strcspn(reader->next, "\n");
    if (*reader->next == '\n')
        reader->next++;
    return true;
}

static const char *end_of_line(const struct reader *reader)
{
    const char *end = reader->next;
    return end > reader->at && end[-1] == '\n' ? end - 1 : end;
}

/* Skips blanks. Returns whether something is left of the line. */
static bool more(struct reader *reader)
{
    while (*reader->at == ' ')
        reader->at++;
    return *reader->at != 0 && *reader->at != '\n';
}

static char *take_word(struct reader *reader)
{
    size_t length = strcspn(reader->at, " \n\"");
    if (length == 0)
        MISTAKE(reader, "a word is missing");
    char *word = strndup(reader->at, length);
    reader->at += length;
    return word;
}

/* Takes @VALUE from before a line that is of this variant alone. Returns whether the line counts. */
static bool is_of_variant(struct reader *reader)
{
    if (*reader->at != '@' || reader->variant == NULL)
        return true;
    size_t length = strcspn(reader->at, " \n") - 1;
    bool is = strlen(reader->variant) == length && strncmp(reader->at + 1, reader->variant, length) == 0;
    reader->at += 1 + length;
    reader->at += *reader->at == ' ';
    return is;
}

/* ---- texts ---- */

static void add_text(struct scenario_step *step, const char *bytes, size_t length)
{
    step->text = realloc(step->text, step->length + length + 1);
    memcpy(step->text + step->length, bytes, length);
    step->length += length;
    step->text[step->length] = 0;
}

static char unescape(struct reader *reader)
{
    char escaped = *reader->at++;
    switch (escaped) {
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    case 'x': {
        char digits[3] = {0};
        for (int i = 0; i < 2 && isxdigit((unsigned char)*reader->at); i++)
            digits[i] = *reader->at++;
        return (char)strtoul(digits, NULL, 16);
    }
    case '"':
    case '\\':
        return escaped;
    default:
        MISTAKE(reader, "\\%c is unknown: write \\n, \\r, \\t, \\\", \\\\ or \\x and two digits", escaped);
    }
}

/* Takes a text in quotes. Returns its length; *to is allocated. */
static size_t take_quoted(struct reader *reader, char **to)
{
    if (*reader->at != '"')
        MISTAKE(reader, "a text in quotes is missing");
    reader->at++;
    *to = malloc((size_t)(end_of_line(reader) - reader->at) + 1);
    size_t length = 0;
    while (*reader->at != '"') {
        if (*reader->at == 0 || *reader->at == '\n')
            MISTAKE(reader, "the text has no end: a \" is missing");
        char next = *reader->at++;
        (*to)[length++] = next == '\\' ? unescape(reader) : next;
    }
    reader->at++;
    (*to)[length] = 0;
    return length;
}

/* lines FIRST..LAST ["PATTERN"]: a line for each number, which takes the place of {n}. */
static void take_lines(struct reader *reader, struct scenario_step *step)
{
    more(reader);
    char *end;
    unsigned long first = strtoul(reader->at, &end, 10), last = 0;
    if (end == reader->at || strncmp(end, "..", 2) != 0)
        MISTAKE(reader, "behind `lines` comes FIRST..LAST");
    reader->at = end + 2;
    last = strtoul(reader->at, &end, 10);
    reader->at = end;
    char *pattern = strdup("line {n}");
    if (more(reader) && *reader->at == '"')
        take_quoted(reader, &pattern);
    for (unsigned long n = first; n <= last; n++) {
        char number[24];
        int digits = snprintf(number, sizeof number, "%lu", n);
        const char *rest = pattern;
        for (const char *place; (place = strstr(rest, "{n}")) != NULL; rest = place + 3) {
            add_text(step, rest, (size_t)(place - rest));
            add_text(step, number, (size_t)digits);
        }
        add_text(step, rest, strlen(rest));
        add_text(step, "\n", 1);
    }
    free(pattern);
}

/* times COUNT "TEXT" */
static void take_times(struct reader *reader, struct scenario_step *step)
{
    more(reader);
    char *end, *text;
    unsigned long count = strtoul(reader->at, &end, 10);
    if (end == reader->at)
        MISTAKE(reader, "behind `times` comes a number");
    reader->at = end;
    more(reader);
    size_t length = take_quoted(reader, &text);
    for (; count > 0; count--)
        add_text(step, text, length);
    free(text);
}

/* { .. }: the lines up to one that begins with `}`, without the four blanks before them. */
static void take_block(struct reader *reader, struct scenario_step *step)
{
    unsigned begin = reader->line;
    add_text(step, "", 0);
    for (;;) {
        if (!next_line(reader))
            scenario_mistake(reader->file, begin, "the block has no end: a line `}` is missing");
        size_t length = (size_t)(end_of_line(reader) - reader->at);
        if (*reader->at == '}')
            break;
        if (length > 0 && strncmp(reader->at, "    ", 4) != 0)
            MISTAKE(reader, "a line of a block begins with four blanks");
        const char *end = reader->at + length;
        reader->at += length > 0 ? 4 : 0;
        if (!is_of_variant(reader))
            continue;
        add_text(step, reader->at, (size_t)(end - reader->at));
        add_text(step, "\n", 1);
    }
    reader->at++;
}

/* Returns whether a text came next. */
static bool take_text(struct reader *reader, struct scenario_step *step)
{
    if (*reader->at == '"') {
        char *text;
        size_t length = take_quoted(reader, &text);
        add_text(step, text, length);
        free(text);
        return true;
    }
    size_t length = strcspn(reader->at, " \n");
    const char *word = reader->at;
    void (*take)(struct reader *, struct scenario_step *) =
        length == 5 && strncmp(word, "lines", 5) == 0   ? take_lines
        : length == 5 && strncmp(word, "times", 5) == 0 ? take_times
        : length == 1 && *word == '{'                   ? take_block
                                                        : NULL;
    if (take == NULL)
        return false;
    reader->at += length;
    take(reader, step);
    return true;
}

/* ---- steps ---- */

static void check(const struct reader *reader, const struct scenario_verb *verb,
                  const struct scenario_step *step)
{
    bool has_text = step->text != NULL;
    if (step->count < verb->least || step->count > verb->most || (has_text && verb->text == NO_TEXT) ||
        (!has_text && verb->text == NEEDS_TEXT))
        scenario_mistake(reader->file, step->line, "write: %s %s", verb->name, verb->form);
}

/* The condition behind `wait` and `expect`. */
static void take_condition(struct reader *reader, struct scenario_step *step)
{
    char *word = more(reader) ? take_word(reader) : strdup("");
    if (strcmp(word, "no") == 0) {
        step->is_not = true;
        free(word);
        word = more(reader) ? take_word(reader) : strdup("");
    }
    step->condition = scenario_find_condition(word);
    if (step->condition == NULL)
        MISTAKE(reader, "there is no condition \"%s\"", word);
    free(word);
}

static void take_step(struct reader *reader, struct scenario_step *step)
{
    *step = (struct scenario_step){.line = reader->line};
    char *word = take_word(reader);
    step->verb = scenario_find_verb(word);
    if (step->verb == NULL)
        MISTAKE(reader, "there is no step \"%s\"", word);
    free(word);
    if (step->verb->run == step_wait || step->verb->run == step_expect)
        take_condition(reader, step);
    if (step->verb->run == step_edit)
        for (; step->count < SCENARIO_WORDS_MAX && more(reader); step->count++)
            take_quoted(reader, &step->words[step->count]);
    while (more(reader)) {
        if (take_text(reader, step))
            continue;
        if (step->text != NULL)
            MISTAKE(reader, "words stand before texts");
        if (step->count == SCENARIO_WORDS_MAX)
            MISTAKE(reader, "more than %d words", SCENARIO_WORDS_MAX);
        step->words[step->count++] = take_word(reader);
    }
    check(reader, step->condition != NULL ? step->condition : step->verb, step);
}

/* ---- variants ---- */

#define COLUMNS_MAX 8

/* Where the variants stand: behind `each`, words, or a block of lines whose columns ` | ` separates. */
static const char *find_each(const char *bytes)
{
    if (strncmp(bytes, "each ", 5) == 0)
        return bytes + 5;
    const char *line = strstr(bytes, "\neach ");
    return line == NULL ? "" : line + 6;
}

/* Returns the columns of a variant, or 0 if there are fewer variants. */
static unsigned columns_of(const char *each, unsigned number, char *columns[COLUMNS_MAX])
{
    bool is_block = strncmp(each, "{\n", 2) == 0;
    each += is_block ? 2 : 0;
    for (;; number--) {
        each += strspn(each, " ");
        size_t length = strcspn(each, is_block ? "\n" : " \n");
        if (length == 0 || *each == '}')
            return 0;
        if (number == 0) {
            unsigned count = 0;
            for (const char *end = each + length; each < end && count < COLUMNS_MAX;) {
                const char *bar = memmem(each, (size_t)(end - each), " | ", 3);
                columns[count++] = strndup(each, (size_t)((bar == NULL ? end : bar) - each));
                each = bar == NULL ? end : bar + 3;
            }
            return count;
        }
        each += length + (is_block && each[length] == '\n');
    }
}

static char *replaced(char *bytes, const char *name, const char *value)
{
    for (char *place; (place = strstr(bytes, name)) != NULL;) {
        size_t before = (size_t)(place - bytes), room = strlen(bytes) + strlen(value) + 1;
        char *fresh = malloc(room);
        snprintf(fresh, room, "%.*s%s%s", (int)before, bytes, value, place + strlen(name));
        free(bytes);
        bytes = fresh;
    }
    return bytes;
}

unsigned scenario_variants(const char *file)
{
    char *bytes = read_whole(file), *columns[COLUMNS_MAX];
    unsigned count = 0;
    while (columns_of(find_each(bytes), count, columns) > 0)
        count++;
    free(bytes);
    return count == 0 ? 1 : count;
}

/* Skips the line `each`, or its block. Returns whether it was one. */
static bool skip_each(struct reader *reader)
{
    if (strncmp(reader->at, "each ", 5) != 0)
        return false;
    if (reader->at[5] != '{')
        return true;
    while (next_line(reader) && *reader->at != '}')
        ;
    return true;
}

void scenario_read(const char *file, unsigned variant, struct scenario_script *script)
{
    struct reader reader = {.file = file, .bytes = read_whole(file)};
    char *columns[COLUMNS_MAX];
    unsigned count = columns_of(find_each(reader.bytes), variant, columns);
    if (count > 0) {
        reader.variant = columns[0];
        reader.bytes = replaced(reader.bytes, "{each}", columns[0]);
    }
    for (unsigned i = 0; i < count; i++) {
        char name[] = {'{', (char)('1' + i), '}', 0};
        reader.bytes = replaced(reader.bytes, name, columns[i]);
    }
    reader.next = reader.bytes;
    *script = (struct scenario_script){.file = file};
    while (next_line(&reader)) {
        if (!more(&reader) || *reader.at == '#' || skip_each(&reader) || !is_of_variant(&reader))
            continue;
        script->steps = realloc(script->steps, (script->count + 1) * sizeof *script->steps);
        take_step(&reader, &script->steps[script->count++]);
    }
    free(reader.bytes);
}

/* ---- numbers ---- */

uint64_t scenario_number(const struct scenario_script *script, const struct scenario_step *step,
                         const char *word)
{
    char *end;
    uint64_t number = strtoull(word, &end, 0);
    if (end == word || *end != 0)
        scenario_mistake(script->file, step->line, "\"%s\" is not a number", word);
    return number;
}

uint64_t scenario_span_ns(const struct scenario_script *script, const struct scenario_step *step,
                          const char *word)
{
    static const struct {
        const char *unit;
        uint64_t ns;
    } units[] = {
        {"ms", 1000000}, {"s", WORLD_NS_PER_S}, {"m", 60 * WORLD_NS_PER_S}, {"h", 3600 * WORLD_NS_PER_S}};
    char *end;
    uint64_t number = strtoull(word, &end, 10);
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (end != word && strcmp(end, units[i].unit) == 0)
            return number * units[i].ns;
    scenario_mistake(script->file, step->line, "\"%s\" is not a time: write a number and ms, s, m or h",
                     word);
}
