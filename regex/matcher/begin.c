/* Tests whether a match of a translated expression may begin with a newline. This matters for sets where the
 * matcher puts newlines before subjects: a report may then be about such a newline, and PCRE2 must confirm
 * it. Reads the text of the expression; in doubt the answer is yes. Pure. */
#include "core/text/hex.h"
#include "regex/matcher/internal.h"

#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 200U

struct reader {
    const char *at;
    unsigned depth;
};

/* Properties of a part of an expression. */
struct begin {
    bool newline; /* it may begin with a newline */
    bool empty;   /* it may match nothing, so the next part may begin the match */
};

static bool shorthand_has_newline(char letter)
{
    return strchr("dwSvt", letter) == NULL; /* \s, \W, \D and all unknown ones */
}

/* Parses the escape at `*at` ("\"). Returns the byte it stands for, or -1 with `*newline` set if it may match
 * a newline. */
static int escape(const char **at, bool *newline)
{
    const char *letter = *at + 1;
    *newline = true;
    if (*letter == '\0') {
        *at = letter;
        return -1;
    }
    *at = letter + 1;
    if (*letter == 'x' && ps_hex_digit(letter[1]) >= 0 && ps_hex_digit(letter[2]) >= 0) {
        *at = letter + 3;
        return ps_hex_digit(letter[1]) * 16 + ps_hex_digit(letter[2]);
    }
    if (strchr("nrtfae", *letter) != NULL)
        return "\n\r\t\f\a\x1B"[strchr("nrtfae", *letter) - "nrtfae"];
    if ((*letter >= 'a' && *letter <= 'z') || (*letter >= 'A' && *letter <= 'Z') ||
        (*letter >= '0' && *letter <= '9')) {
        *newline = shorthand_has_newline(*letter);
        return -1;
    }
    return (unsigned char)*letter;
}

/* Parses a member of a class, which may be the start of a range. Same result as escape(). */
static int member(const char **at, bool *newline)
{
    if (**at == '\\')
        return escape(at, newline);
    if (**at == '[' && (*at)[1] == ':')
        return *newline = true, ++*at, -1;
    return (unsigned char)*(*at)++;
}

static bool class_has_newline(struct reader *reader)
{
    const char *at = reader->at + 1;
    bool negated = *at == '^', has = false, first = true, unsure = false;
    at += negated;
    for (; *at != '\0' && (*at != ']' || first); first = false) {
        bool newline = false;
        int low = member(&at, &newline), high = low;
        if (low >= 0 && *at == '-' && at[1] != ']' && at[1] != '\0') {
            at++;
            high = member(&at, &newline);
            unsure |= high < 0;
        } else if (low < 0) {
            has |= newline;
            unsure |= negated;
        }
        has |= low >= 0 && low <= '\n' && high >= '\n';
    }
    reader->at = *at == ']' ? at + 1 : at;
    return unsure || has != negated;
}

static struct begin alternatives(struct reader *reader);

static struct begin group(struct reader *reader)
{
    reader->at++;
    if (*reader->at == '?') {
        reader->at++;
        if (*reader->at != ':') { /* flags or look-around: unknown */
            reader->at += strlen(reader->at);
            return (struct begin){true, true};
        }
        reader->at++;
    }
    struct begin begin = alternatives(reader);
    if (*reader->at == ')')
        reader->at++;
    return begin;
}

static struct begin atom(struct reader *reader)
{
    char byte = *reader->at;
    if (byte == '(')
        return group(reader);
    if (byte == '[')
        return (struct begin){class_has_newline(reader), false};
    if (byte == '\\') {
        if (strchr("bBAzZG", reader->at[1]) != NULL && reader->at[1] != '\0') {
            reader->at += 2;
            return (struct begin){false, true};
        }
        bool newline;
        int value = escape(&reader->at, &newline);
        return (struct begin){value < 0 ? newline : value == '\n', false};
    }
    reader->at++;
    /* ^ does not match just before the newline that the matcher puts before a subject: the byte before that newline
     * is 0xFF */
    if (byte == '^')
        return (struct begin){false, false};
    if (byte == '$')
        return (struct begin){true, true};
    return (struct begin){byte == '\n' || byte == '.', false};
}

/* Reads the whole quantifier. Returns true for ?, * and {0...: the item may be left out. */
static bool optional(struct reader *reader)
{
    bool may = false;
    for (; *reader->at != '\0' && strchr("?*+{", *reader->at) != NULL; reader->at++) {
        may |= *reader->at == '?' || *reader->at == '*';
        if (*reader->at == '{') {
            may |= reader->at[1] < '1' || reader->at[1] > '9';
            const char *end = strchr(reader->at, '}');
            if (end == NULL)
                return true;
            reader->at = end;
        }
    }
    return may;
}

static struct begin sequence(struct reader *reader)
{
    struct begin all = {false, true};
    while (*reader->at != '\0' && *reader->at != '|' && *reader->at != ')') {
        struct begin one = atom(reader);
        one.empty |= optional(reader);
        if (!all.empty)
            continue; /* parsed only to skip it */
        all.newline |= one.newline;
        all.empty = one.empty;
    }
    return all;
}

static struct begin alternatives(struct reader *reader)
{
    struct begin all = {false, false};
    if (++reader->depth > DEPTH_MAX) {
        reader->at += strlen(reader->at);
        return (struct begin){true, true};
    }
    for (;;) {
        struct begin one = sequence(reader);
        all.newline |= one.newline;
        all.empty |= one.empty;
        if (*reader->at != '|')
            break;
        reader->at++;
    }
    reader->depth--;
    return all;
}

bool ps_matcher_begins_with_newline(const char *text)
{
    struct reader reader = {text, 0};
    struct begin begin = alternatives(&reader);
    return begin.newline || *reader.at != '\0';
}
