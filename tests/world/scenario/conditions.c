/* Conditions: what is in the log, in files, and at far ends. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/world/disk.h"
#include "tests/world/ledger.h"
#include "tests/world/scenario/scenario.h"

struct text {
    char *bytes;
    size_t length, room;
};

static void add(struct text *text, const char *bytes, size_t length)
{
    while (text->length + length + 1 > text->room)
        text->bytes = realloc(text->bytes, text->room = text->room == 0 ? 4096 : 2 * text->room);
    memcpy(text->bytes + text->length, bytes, length);
    text->length += length;
    text->bytes[text->length] = 0;
}

static void add_file(struct text *text, const struct disk_inode *file)
{
    size_t length = file->now.size;
    char *bytes = malloc(length + 1);
    add(text, bytes, disk_read(file, 0, bytes, length));
    free(bytes);
}

/* ---- lines ---- */

bool line_matches(const char *line, size_t length, const char *pattern)
{
    const char *end = line + length;
    while (*pattern != 0) {
        size_t piece = strcspn(pattern, "*");
        const char *found = memmem(line, (size_t)(end - line), pattern, piece);
        if (found == NULL)
            return false;
        line = found + piece;
        pattern += piece + (pattern[piece] == '*');
    }
    return true;
}

unsigned lines_matching(const char *text, size_t length, const char *pattern)
{
    unsigned count = 0;
    for (const char *line = text, *end = text + length; line < end;) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        if (stop == NULL)
            stop = end;
        count += line_matches(line, (size_t)(stop - line), pattern);
        line = stop + 1;
    }
    return count;
}

static size_t line_at(const char *text, const char *end)
{
    const char *stop = memchr(text, '\n', (size_t)(end - text));
    return (size_t)((stop == NULL ? end : stop + 1) - text);
}

static unsigned count_lines(const char *text, size_t length)
{
    unsigned count = 0;
    for (const char *end = text + length; text < end; text += line_at(text, end))
        count++;
    return count;
}

/* Prints a line or its beginning, as it stands in a script. */
static void quote(const char *line, size_t length, char to[200])
{
    size_t at = 0;
    to[at++] = '"';
    for (size_t i = 0; i < length && at < 190; i++) {
        unsigned char byte = (unsigned char)line[i];
        if (byte == '\n' || byte == '\r')
            at += (size_t)snprintf(to + at, 200 - at, byte == '\n' ? "\\n" : "\\r");
        else if (byte < 32 || byte > 126)
            at += (size_t)snprintf(to + at, 200 - at, "\\x%02x", byte);
        else
            to[at++] = (char)byte;
    }
    to[at++] = '"';
    to[at] = 0;
}

enum holds texts_equal(struct scenario *scenario, const char *what, const char *got, size_t got_length,
                       const char *wanted, size_t wanted_length)
{
    if (got_length == wanted_length && memcmp(got, wanted, got_length) == 0)
        return HOLDS;
    const char *got_end = got + got_length, *wanted_end = wanted + wanted_length;
    unsigned got_lines = count_lines(got, got_length), wanted_lines = count_lines(wanted, wanted_length),
             line = 1;
    size_t one = line_at(got, got_end), other = line_at(wanted, wanted_end);
    while (one > 0 && one == other && memcmp(got, wanted, one) == 0) {
        got += one;
        wanted += other;
        one = line_at(got, got_end);
        other = line_at(wanted, wanted_end);
        line++;
    }
    char is[200], should_be[200];
    quote(got, one, is);
    quote(wanted, other, should_be);
    step_failed(scenario, "%s: line %u of %u is %s; line %u of %u shall be %s", what, line, got_lines, is,
                line, wanted_lines, should_be);
    return HOLDS_NOT;
}

/* ---- lines in any order ---- */

struct line {
    const char *bytes;
    size_t length;
};

static int by_bytes(const void *one, const void *other)
{
    const struct line *a = one, *b = other;
    int order = memcmp(a->bytes, b->bytes, a->length < b->length ? a->length : b->length);
    return order != 0 ? order : (a->length > b->length) - (a->length < b->length);
}

static int by_bytes_then_place(const void *one, const void *other)
{
    const struct line *a = one, *b = other;
    int order = by_bytes(one, other);
    return order != 0 ? order : (a->bytes > b->bytes) - (a->bytes < b->bytes);
}

static int by_place(const void *one, const void *other)
{
    const struct line *a = one, *b = other;
    return (a->bytes > b->bytes) - (a->bytes < b->bytes);
}

/* How texts are compared: "" is exactly. */
struct how {
    bool any_order;
    bool
        once; /* a line that is there twice is there once, and lines without an end, which a kill cut, are not there */
};

/* Returns a text with the lines as they are compared. */
static struct text arranged(const char *text, size_t length, struct how how)
{
    struct line *lines = malloc((count_lines(text, length) + 1) * sizeof *lines);
    size_t count = 0, left = 0;
    for (const char *end = text + length; text < end;) {
        lines[count] = (struct line){text, line_at(text, end)};
        text += lines[count].length;
        if (!how.once || text[-1] == '\n')
            count++;
    }
    qsort(lines, count, sizeof *lines, by_bytes_then_place);
    for (size_t i = 0; i < count; i++)
        if (!how.once || left == 0 || by_bytes(&lines[left - 1], &lines[i]) != 0)
            lines[left++] = lines[i];
    if (!how.any_order)
        qsort(lines, left, sizeof *lines, by_place);
    struct text made = {0};
    add(&made, "", 0);
    for (size_t i = 0; i < left; i++)
        add(&made, lines[i].bytes, lines[i].length);
    free(lines);
    return made;
}

/* Compares as the word says: "" (exactly), sorted, first, unique; or `has`: a line of it holds the pattern. */
enum holds text_compares(struct scenario *scenario, const struct scenario_step *step, const char *what,
                         const char *got, size_t length, const char *word)
{
    if (strcmp(word, "has") == 0) {
        step_failed(scenario, "%s: no line holds \"%.200s\": %.*s", what, step->text,
                    length < 600 ? (int)length : 600, got);
        return lines_matching(got, length, step->text) > 0 ? HOLDS : HOLDS_NOT;
    }
    if (*word == 0)
        return texts_equal(scenario, what, got, length, step->text, step->length);
    bool is_sorted = strcmp(word, "sorted") == 0, is_unique = strcmp(word, "unique") == 0;
    if (!is_sorted && !is_unique && strcmp(word, "first") != 0)
        scenario_mistake(scenario->script->file, step->line, "\"%s\" is none of sorted, first, unique, has",
                         word);
    struct how how = {.any_order = is_sorted || is_unique, .once = !is_sorted};
    struct text one = arranged(got, length, how), other = arranged(step->text, step->length, how);
    enum holds holds = texts_equal(scenario, what, one.bytes, one.length, other.bytes, other.length);
    free(one.bytes);
    free(other.bytes);
    return holds;
}

/* ---- conditions ---- */

enum holds holds_log(struct scenario *scenario, const struct scenario_step *step)
{
    unsigned found = lines_matching(world->output + scenario->log_from,
                                    world->output_length - scenario->log_from, step->text);
    if (step->count == 0 ? found > 0 : found == scenario_number(scenario->script, step, step->words[0]))
        return HOLDS;
    step_failed(scenario, "%u lines hold \"%.400s\"", found, step->text);
    return HOLDS_NOT;
}

enum holds holds_file(struct scenario *scenario, const struct scenario_step *step)
{
    const char *path = step->words[0];
    const struct disk_inode *file = disk_at(path);
    if (file == NULL) {
        step_failed(scenario, "there is no %s", path);
        return HOLDS_NOT;
    }
    if (step->text == NULL)
        return HOLDS;
    struct text text = {0};
    add(&text, "", 0);
    add_file(&text, file);
    enum holds holds =
        text_compares(scenario, step, path, text.bytes, text.length, step->count == 2 ? step->words[1] : "");
    free(text.bytes);
    return holds;
}

struct found {
    char path[512];
    struct disk_inode *file;
};

struct folder {
    struct found *found;
    size_t count;
    bool has_hidden;
};

static void note(void *argument, const char *path, struct disk_inode *file)
{
    struct folder *folder = argument;
    if (strstr(path, "/.") != NULL && !folder->has_hidden)
        return;
    folder->found = realloc(folder->found, (folder->count + 1) * sizeof *folder->found);
    struct found *one = &folder->found[folder->count++];
    snprintf(one->path, sizeof one->path, "%s", path);
    one->file = file;
}

static int by_number(const void *one, const void *other)
{
    return strverscmp(((const struct found *)one)->path, ((const struct found *)other)->path);
}

/* The contents of all files below a directory, by names in whose order numbers are numbers; hidden ones are left out. */
enum holds holds_files(struct scenario *scenario, const struct scenario_step *step)
{
    struct folder folder = {0};
    disk_walk(step->words[0], note, &folder);
    if (folder.count > 0)
        qsort(folder.found, folder.count, sizeof *folder.found, by_number);
    struct text text = {0};
    add(&text, "", 0);
    for (size_t i = 0; i < folder.count; i++)
        add_file(&text, folder.found[i].file);
    enum holds holds = text_compares(scenario, step, step->words[0], text.bytes, text.length,
                                     step->count == 2 ? step->words[1] : "");
    free(text.bytes);
    free(folder.found);
    return holds;
}

enum holds holds_arrived(struct scenario *scenario, const struct scenario_step *step)
{
    const struct ledger *ledger = world->ledger;
    return text_compares(scenario, step, "arrived", ledger->kept, ledger->kept_length,
                         step->count == 1 ? step->words[0] : "");
}

/* The files below a directory, a line each, hidden ones too; a time in milliseconds within a name is `#`. */
enum holds holds_names(struct scenario *scenario, const struct scenario_step *step)
{
    struct text text = {0};
    struct folder folder = {.has_hidden = true};
    add(&text, "", 0);
    if (disk_at(step->words[0]) != NULL)
        disk_walk(step->words[0], note, &folder);
    for (size_t i = 0; i < folder.count; i++) {
        const char *at = folder.found[i].path + strlen(step->words[0]) + 1;
        if (strcmp(at, ".none") == 0)
            continue; /* it keeps a directory there */
        while (*at != 0) {
            size_t digits = strspn(at, "0123456789");
            bool is_time = digits == 13;
            add(&text, is_time ? "#" : at, is_time ? 1 : digits > 0 ? digits : 1);
            at += digits > 0 ? digits : 1;
        }
        add(&text, "\n", 1);
    }
    enum holds holds = text_compares(scenario, step, step->words[0], text.bytes, text.length,
                                     step->count == 2 ? step->words[1] : "");
    free(text.bytes);
    free(folder.found);
    return holds;
}
