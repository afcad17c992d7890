/* The table of java.util.regex's results (written by tests/real/java_regex/JavaRegex.java, which describes
 * its format), read from tests/regex/data/java_regex_table.txt or the file in PENSTOCK_REGEX_TABLE. */
#pragma once

#include <errno.h>
#include <stdio.h>

#include "regex/java/java.h"
#include "tests/support/source_tree.h"
#include "tests/support/support.h"

/* One subject of a pattern. */
struct table_case {
    struct ps_slice subject;
    const char *replacement; /* or NULL */
    const char *spans;       /* spans of find() */
    char verdict;            /* of replaceAll: '=' with `text`, '!' for an exception, or '\0' for none */
    struct ps_slice text;
};

struct table_pattern {
    const char *text;
    unsigned flags;
    char verdict; /* '=', '!' for a PatternSyntaxException, '?' for neither */
    unsigned group_count;
    const struct table_case *cases;
    size_t case_count;
};

struct table {
    struct table_pattern *patterns;
    size_t pattern_count;
    struct table_case *cases;
    size_t case_count;
    char *bytes;
};

static inline char *table_read(size_t *length)
{
    const char *other = getenv("PENSTOCK_REGEX_TABLE");
    const char *path = other != NULL ? other : ps_test_source_path("tests/regex/data/java_regex_table.txt");
    FILE *file = fopen(path, "rbe");
    if (file == NULL)
        fail_msg("%s: %s", path, strerror(errno));
    fseek(file, 0, SEEK_END);
    long size = ftell(file);
    rewind(file);
    char *bytes = malloc((size_t)size + 1);
    assert_non_null(bytes);
    *length = fread(bytes, 1, (size_t)size, file);
    fclose(file);
    bytes[*length] = '\0';
    return bytes;
}

/* Decodes %HH into bytes, in place; the result is terminated. */
static inline struct ps_slice table_unescape(char *field)
{
    size_t to = 0;
    for (size_t from = 0; field[from] != '\0'; from++, to++) {
        if (field[from] == '%') {
            char digits[] = {field[from + 1], field[from + 2], '\0'};
            field[to] = (char)strtoul(digits, NULL, 16);
            from += 2;
        } else {
            field[to] = field[from];
        }
    }
    field[to] = '\0';
    return (struct ps_slice){field, (uint32_t)to};
}

static inline unsigned table_flags(const char *letters)
{
    static const char all[] = "imsxuUd"; /* the bits of enum ps_regex_flags */
    unsigned flags = 0;
    for (; *letters != '\0'; letters++) {
        const char *at = strchr(all, *letters);
        flags |= at != NULL ? 1U << (at - all) : 0;
    }
    return flags;
}

#define TABLE_FIELDS_MAX 8

static inline void table_pattern_add(struct table *table, char **fields, size_t count)
{
    assert_true(count >= 4);
    struct table_pattern *pattern = &table->patterns[table->pattern_count++];
    *pattern = (struct table_pattern){.text = table_unescape(fields[2]).data,
                                      .flags = table_flags(fields[1]),
                                      .verdict = fields[3][0],
                                      .cases = table->cases + table->case_count};
    if (pattern->verdict == '=')
        pattern->group_count = (unsigned)strtoul(fields[4], NULL, 10);
}

static inline void table_case_add(struct table *table, char **fields, size_t count)
{
    struct table_case *one = &table->cases[table->case_count++];
    *one = (struct table_case){.subject = table_unescape(fields[1])};
    size_t at = 2;
    if (count > 4) {
        one->replacement = table_unescape(fields[2]).data;
        one->verdict = fields[5][0];
        if (one->verdict == '=')
            one->text = table_unescape(fields[6]);
        at = 3;
    }
    assert_true(at + 1 < count && fields[at][0] == '=');
    one->spans = fields[at + 1];
    table->patterns[table->pattern_count - 1].case_count++;
}

static inline void table_load(struct table *table)
{
    size_t length;
    *table = (struct table){.bytes = table_read(&length)};
    size_t lines = 0;
    for (const char *p = table->bytes; (p = memchr(p, '\n', length - (size_t)(p - table->bytes))) != NULL;
         p++)
        lines++;
    table->patterns = calloc(lines + 1, sizeof *table->patterns);
    table->cases = calloc(lines + 1, sizeof *table->cases);
    assert_true(table->patterns != NULL && table->cases != NULL);
    char *rest = table->bytes;
    for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
        char *fields[TABLE_FIELDS_MAX];
        size_t count = 0;
        while (count < TABLE_FIELDS_MAX && (fields[count] = strsep(&line, "\t")) != NULL)
            count++;
        if (strcmp(fields[0], "p") == 0)
            table_pattern_add(table, fields, count);
        else if (strcmp(fields[0], "s") == 0)
            table_case_add(table, fields, count);
    }
}

static inline void table_free(struct table *table)
{
    free(table->patterns);
    free(table->cases);
    free(table->bytes);
}

/* Encodes bytes as in the table, for messages, in at most `room` bytes. */
static inline const char *table_escape(const char *data, size_t length, char *out, size_t room)
{
    size_t to = 0;
    for (size_t i = 0; i < length && to + 4 < room; i++) {
        unsigned char byte = (unsigned char)data[i];
        to += (size_t)snprintf(out + to, room - to,
                               byte < 0x20 || byte > 0x7e || byte == '%' ? "%%%02X" : "%c", byte);
    }
    out[to] = '\0';
    return out;
}
