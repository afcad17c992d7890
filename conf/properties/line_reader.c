#include "conf/properties/line_reader.h"

#include "conf/text.h"

#include <string.h>

bool ps_line_reader_is_blank(unsigned char c)
{
    return c == ' ' || c == '\t' || c == '\f';
}

/* Returns the next byte and counts lines: \n, \r, and \r\n as one. */
static unsigned char lines_next_byte(struct ps_line_reader *lines)
{
    unsigned char c = lines->bytes[lines->at++];
    bool at_end = lines->at == lines->length;
    if (c == '\n') {
        lines->feeds++;
        lines->line++;
    } else if (c == '\r' && (at_end || lines->bytes[lines->at] != '\n')) {
        lines->returns++;
        if (lines->stray_line == 0 && !at_end && lines->bytes[lines->at] != '\r')
            lines->stray_line = lines->line;
        lines->line++;
    }
    return c;
}

static void skip_comment(struct ps_line_reader *lines)
{
    while (lines->at < lines->length) {
        unsigned char c = lines_next_byte(lines);
        if (c == '\n' || c == '\r')
            return;
    }
}

/* A comment sign is recognized while the logical line is empty, and therefore also after a line
 * that is only a backslash, as in JDK 17. */
bool ps_line_reader_next(struct ps_line_reader *lines)
{
    bool skipping = true, continued = false, backslash = false;
    lines->text_length = lines->join_count = 0;
    while (lines->at < lines->length) {
        int line = lines->line;
        unsigned char c = lines_next_byte(lines);
        bool end = c == '\n' || c == '\r';
        if (skipping) {
            if (ps_line_reader_is_blank(c) || (!continued && end))
                continue;
            if (continued && !end && lines->join_count < PS_LINE_JOINS_MAX)
                lines->joins[lines->join_count++] = (struct ps_line_join){lines->text_length, line};
            skipping = continued = false;
        }
        if (lines->text_length == 0 && (c == '#' || c == '!')) {
            skip_comment(lines);
            skipping = true;
            continue;
        }
        if (!end) {
            if (lines->text_length == 0)
                lines->text_line = line;
            lines->text[lines->text_length++] = c;
            backslash = c == '\\' ? !backslash : false;
        } else if (lines->text_length == 0) {
            skipping = true;
        } else if (!backslash || lines->at == lines->length) {
            break;
        } else {
            lines->text_length--;
            skipping = continued = true;
            backslash = false;
            if (c == '\r' && lines->bytes[lines->at] == '\n')
                lines_next_byte(lines);
        }
    }
    lines->is_open = lines->at == lines->length && (backslash || continued);
    if (lines->text_length == 0)
        return false;
    if (backslash)
        lines->text_length--; /* a backslash at the very end does not continue a line */
    return true;
}

/* ---- lines that are continued, or not ---- */

/* Returns whether the text begins with a key of this agent: "a1.sources.r1.type = ..". */
static bool begins_with_key(const unsigned char *text, size_t length, const char *key)
{
    static const char *const words[] = {
        "sources.", "channels.", "sinks.", "sinkgroups.", "sources ",       "channels ", "sinks ",
        "sources=", "channels=", "sinks=", "sinkgroups ", "configfilters.", "penstock.", "sinkgroups="};
    const char *dot = strchr(key, '.');
    size_t agent = dot != NULL ? (size_t)(dot - key) + 1 : 0;
    if (agent == 0 || length <= agent || memcmp(text, key, agent) != 0 ||
        (memchr(text, '=', length) == NULL && memchr(text, ':', length) == NULL))
        return false;
    for (size_t i = 0; i < PS_COUNT_OF(words); i++) {
        size_t size = strlen(words[i]);
        if (length - agent >= size && memcmp(text + agent, words[i], size) == 0)
            return true;
    }
    return false;
}

static size_t key_length(const unsigned char *text, size_t length)
{
    size_t at = 0;
    while (at < length && text[at] != '=' && text[at] != ':' && !ps_line_reader_is_blank(text[at]))
        at++;
    return at;
}

void ps_line_reader_warn_joins(const struct ps_line_reader *lines, struct ps_property *property,
                               struct ps_problems *problems)
{
    for (size_t i = 0; i < lines->join_count; i++) {
        const struct ps_line_join *join = &lines->joins[i];
        const unsigned char *text = lines->text + join->at;
        size_t end = i + 1 < lines->join_count ? lines->joins[i + 1].at : lines->text_length;
        struct ps_place place = {property->file, join->line, property->key};
        if (join->at == lines->text_length)
            continue;
        if (*text == '#' || *text == '!') {
            bool is_last = i + 1 == lines->join_count;
            property->joins_comment = true;
            ps_problem_add(
                problems, PS_SEVERITY_WARNING, place,
                is_last ? ps_arena_format(problems->arena,
                                          "remove this line, and the backslash at the end of line %d",
                                          join->line - 1)
                        : "remove this line",
                "a comment cannot stand behind a line that ends with a backslash: it is part of the "
                "value");
        } else if (begins_with_key(text, end - join->at, property->key)) {
            ps_problem_add(
                problems, PS_SEVERITY_WARNING, place,
                ps_arena_format(problems->arena, "remove the backslash at the end of line %d",
                                join->line - 1),
                "the line before ends with a backslash: this line is part of its value, and sets no "
                "key");
            ps_problem_swallows(problems, ps_arena_copy(problems->arena, (const char *)text,
                                                        key_length(text, end - join->at)));
        }
    }
}

void ps_line_reader_warn_end(const struct ps_line_reader *lines, size_t value_start, struct ps_place place,
                             struct ps_problems *problems)
{
    size_t end = lines->text_length, slashes = 0;
    while (end > value_start && ps_line_reader_is_blank(lines->text[end - 1]))
        end--;
    while (end - slashes > value_start && lines->text[end - slashes - 1] == '\\')
        slashes++;
    if (lines->is_open)
        ps_problem_add(problems, PS_SEVERITY_WARNING, place,
                       "remove the backslash, or add the lines that are missing",
                       "ends with a backslash, and no line follows: perhaps a part of the file is missing");
    else if (end < lines->text_length && slashes % 2 == 1)
        ps_problem_add(problems, PS_SEVERITY_WARNING, place,
                       "remove the blanks behind the backslash, or the backslash if the value ends here",
                       "a backslash with blanks behind it does not continue the line");
}

void ps_line_reader_tell_returns(const struct ps_line_reader *lines, const char *file,
                                 struct ps_problems *problems)
{
    if (lines->returns > 0 && lines->feeds == 0 && lines->line > 2)
        ps_problem_add(
            problems, PS_SEVERITY_NOTE, (struct ps_place){file, 0, NULL},
            "tr '\\r' '\\n' makes a file that every editor shows in lines",
            "its lines end with carriage returns alone, as on an old Mac: they are read as Java reads them");
    else if (lines->stray_line > 0 && lines->feeds > 0)
        ps_problem_add(
            problems, PS_SEVERITY_WARNING, (struct ps_place){file, lines->stray_line, NULL},
            "replace it by a blank, or by a line end",
            "a carriage return in the line ends it, as in Java: what an editor shows behind it (^M) is a "
            "line of its own");
}
