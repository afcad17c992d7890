/* Reads the expression from left to right and keeps the best run: a sequence of plain characters, digits
 * (\d), word characters (\w) and simple classes in which nothing is optional or repeated without a limit.
 * The best run has the most plain characters. Enters groups and keeps alternatives of plain text. Syntax
 * that it does not understand ends the run, or makes it fail. */
#include "stages/lib/rules/regex/fragment.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define RUN_BYTES 240U
#define PLAIN_MIN 4U /* fewer plain characters would occur in too many events */
#define REPEAT_MAX 32U

struct run {
    char text[RUN_BYTES];
    size_t length, plain_end; /* whole length; length up to the last plain character */
    unsigned plain;           /* characters that match themselves */
};

struct reader {
    const char *at;
    unsigned depth; /* groups entered */
    bool failed;    /* found syntax that it does not understand */
    bool begun;     /* found something that every match contains */
    bool endless;   /* found an unlimited repeat after that */
    bool inside;    /* found something that every match contains after the repeat: a fragment saves time */
    struct run run, best;
};

/* The fragment text of one atom. */
struct atom {
    char text[64];
    size_t length; /* 0: it ends the run */
    unsigned plain;
    bool endless; /* it contains an unlimited repeat */
};

/* Ends the run without the classes at its end: Hyperscan finds plain text in half the time. */
static void run_end(struct reader *reader)
{
    if (reader->run.plain > reader->best.plain)
        reader->best = reader->run;
    reader->run.length = reader->run.plain_end = 0;
    reader->run.plain = 0;
}

/* Adds an atom to the run. A run does not begin with a class, which would exclude few events and cost
 * time. */
static void run_add(struct reader *reader, const struct atom *atom, unsigned times)
{
    struct run *run = &reader->run;
    if (run->length == 0 && atom->plain == 0)
        return;
    for (; times > 0; times--) {
        if (run->length + atom->length >= RUN_BYTES)
            run_end(reader);
        memcpy(run->text + run->length, atom->text, atom->length);
        run->length += atom->length;
        run->plain += atom->plain;
        if (atom->plain > 0)
            run->plain_end = run->length;
    }
}

/* ---- quantifiers ---- */

struct repeat {
    unsigned least;
    bool exact;   /* exactly `least` times */
    bool endless; /* without a limit, or with a very high one */
};

/* Reads the quantifier after an atom; without one the atom occurs once. */
static struct repeat repeat_read(struct reader *reader)
{
    struct repeat repeat = {1, true, false};
    switch (*reader->at) {
    case '?':
    case '*':
        repeat = (struct repeat){0, false, *reader->at == '*'};
        reader->at++;
        break;
    case '+':
        repeat = (struct repeat){1, false, true};
        reader->at++;
        break;
    case '{': {
        char *end;
        unsigned long least = strtoul(reader->at + 1, &end, 10);
        unsigned long most = *end == ',' ? strtoul(end + 1, NULL, 10) : least; /* 0: "{3,}" */
        repeat.least = least > REPEAT_MAX ? REPEAT_MAX : (unsigned)least;
        repeat.exact = *end == '}' && least <= REPEAT_MAX;
        repeat.endless = (most == 0 && *end == ',') || most > REPEAT_MAX;
        reader->at = end + strcspn(end, "}");
        reader->failed |= *reader->at == '\0';
        reader->at += *reader->at != '\0';
        break;
    }
    default:
        return repeat;
    }
    if (*reader->at == '?' || *reader->at == '+') /* lazy, possessive */
        reader->at++;
    return repeat;
}

static void atom_put(struct reader *reader, const struct atom *atom)
{
    struct repeat repeat = repeat_read(reader);
    reader->inside |= reader->endless && repeat.least > 0;
    reader->begun |= repeat.least > 0;
    reader->endless |= reader->begun && (repeat.endless || atom->endless);
    if (atom->length > 0 && repeat.least > 0)
        run_add(reader, atom, repeat.least);
    if (atom->length > 0 && repeat.least > 0 && repeat.exact)
        return;
    run_end(reader);
    if (atom->length > 0 && repeat.least > 0) /* the last repetitions are next to the following part */
        run_add(reader, atom, repeat.least);
}

/* ---- atoms ---- */

static struct atom atom_plain(char c)
{
    struct atom atom = {.plain = 1};
    if (!isalnum((unsigned char)c) && c != '_' && c != ' ')
        atom.text[atom.length++] = '\\';
    atom.text[atom.length++] = c;
    return atom;
}

static struct atom atom_copy(const char *text, size_t length)
{
    struct atom atom = {.length = length};
    if (length > sizeof atom.text)
        return (struct atom){.length = 0};
    memcpy(atom.text, text, length);
    return atom;
}

static void escape_read(struct reader *reader)
{
    const char *start = reader->at;
    char letter = start[1];
    reader->at += 2;
    if (letter == '\0' || (signed char)letter < ' ') {
        reader->failed = true;
        return;
    }
    struct atom atom = {.length = 0};
    if (strchr("bBAzZG", letter) != NULL)
        return; /* zero width: the atoms around it are still adjacent */
    if (!isalnum((unsigned char)letter))
        atom = atom_plain(letter);
    else if (letter == 'd' || letter == 'w')
        atom = atom_copy(start, 2);
    else if (strchr("DWsShHvVRXtnrfae", letter) == NULL) {
        reader->failed = true; /* it has arguments or is a back-reference */
        return;
    }
    atom_put(reader, &atom);
}

/* Returns the end of a class, after its bracket, or NULL when it is not understood. *simple: it has only
 * letters, digits and ranges. */
static const char *class_end(const char *at, bool *simple)
{
    unsigned depth = 0;
    *simple = at[1] != '^';
    if (at[1] == ']' || (at[1] == '^' && at[2] == ']'))
        return NULL;
    for (; *at != '\0'; at++) {
        if (*at == '\\') {
            *simple = false;
            if (at[1] == '\0' || at[1] == 'Q')
                return NULL;
            at++;
        } else if (*at == '[') {
            *simple &= depth == 0;
            depth++;
            if (depth > 1 && at[1] == ']')
                return NULL;
        } else if (*at == ']') {
            if (--depth == 0)
                return at + 1;
        } else if (!isalnum((unsigned char)*at) && strchr("_-,.:/", *at) == NULL) {
            *simple = false;
        }
    }
    return NULL;
}

static void class_read(struct reader *reader)
{
    bool simple;
    const char *end = class_end(reader->at, &simple);
    if (end == NULL) {
        reader->failed = true;
        return;
    }
    struct atom atom = {.length = 0};
    if (simple)
        atom = atom_copy(reader->at, (size_t)(end - reader->at));
    reader->at = end;
    atom_put(reader, &atom);
}

/* ---- groups ---- */

/* Returns the end of the group that begins at `at`, or of the whole expression (`depth` 0), or NULL when
 * it is not understood. *alternatives: it has some at its own level. */
static const char *group_end(const char *at, unsigned depth, bool *alternatives)
{
    bool simple;
    unsigned own = depth;
    if (depth > 0)
        depth = 0;
    *alternatives = false;
    while (*at != '\0') {
        switch (*at) {
        case '\\':
            if (at[1] == '\0' || at[1] == 'Q')
                return NULL;
            at += 2;
            continue;
        case '[':
            at = class_end(at, &simple);
            if (at == NULL)
                return NULL;
            continue;
        case '(':
            depth++;
            break;
        case ')':
            if (depth == 0)
                return NULL;
            if (--depth == 0 && own > 0)
                return at + 1;
            break;
        case '|':
            *alternatives |= depth == own;
            break;
        default:
            break;
        }
        at++;
    }
    return own == 0 && depth == 0 ? at : NULL;
}

/* Returns the length of the opening of a group that matches its content: "(", "(?:", "(?>", "(?<name>"; 0 for
 * any other group. */
static size_t opening_length(const char *at)
{
    if (at[1] != '?')
        return 1;
    if (at[2] == ':' || at[2] == '>')
        return 3;
    if (at[2] != '<' || !isalpha((unsigned char)at[3]))
        return 0;
    size_t name = strcspn(at, ">");
    return at[name] == '>' ? name + 1 : 0;
}

static bool is_look_around(const char *at)
{
    return at[1] == '?' && (at[2] == '=' || at[2] == '!' || (at[2] == '<' && (at[3] == '=' || at[3] == '!')));
}

/* Returns alternatives of plain text as "(?:200|404)", else an empty atom. `at`: after the opening of the
 * group. / */
static struct atom atom_alternatives(const char *at, const char *end)
{
    struct atom atom = {.endless = true};
    unsigned length = 0, least = UINT32_MAX;
    if ((size_t)(end - at) + 4 > sizeof atom.text)
        return atom;
    for (const char *c = at; c < end; c++) {
        bool border = *c == '|' || c + 1 == end; /* the last character is the bracket */
        if (!border && !isalnum((unsigned char)*c) && strchr(" _=:/,", *c) == NULL)
            return atom;
        if (border && length < least)
            least = length;
        length = border ? 0 : length + 1;
    }
    memcpy(atom.text, "(?:", 3);
    memcpy(atom.text + 3, at, (size_t)(end - at));
    atom.length = 3 + (size_t)(end - at);
    atom.plain = least;
    atom.endless = false;
    return atom;
}

/* Enters the group if it must match at least once, else skips it. */
static void group_read(struct reader *reader)
{
    bool alternatives;
    const char *end = group_end(reader->at, 1, &alternatives);
    size_t opening = opening_length(reader->at);
    bool look_around = is_look_around(reader->at);
    if (end == NULL || (opening == 0 && !look_around)) {
        reader->failed = true;
        return;
    }
    if (look_around) {
        reader->at = end;
        reader->failed |= *end != '\0' && strchr("?*+{", *end) != NULL;
        return;
    }
    if (!alternatives && (*end == '\0' || strchr("?*+{", *end) == NULL)) {
        reader->at += opening;
        reader->depth++;
        return;
    }
    struct atom atom = atom_alternatives(reader->at + opening, end);
    if (!alternatives)
        atom = (struct atom){.endless = true};
    reader->at = end;
    atom_put(reader, &atom);
}

static void next_read(struct reader *reader)
{
    switch (*reader->at) {
    case '\\':
        escape_read(reader);
        return;
    case '[':
        class_read(reader);
        return;
    case '(':
        group_read(reader);
        return;
    case ')':
        reader->failed |= reader->depth == 0;
        reader->depth -= reader->depth > 0;
        reader->at++;
        return;
    case '^':
    case '$':
        reader->at++;
        reader->failed |= *reader->at != '\0' && strchr("?*+{", *reader->at) != NULL;
        return;
    case '.':
        reader->at++;
        atom_put(reader, &(struct atom){.length = 0});
        return;
    case '?':
    case '*':
    case '+':
    case '{':
    case '}':
    case ']':
    case '|':
        reader->failed = true;
        return;
    default:
        break;
    }
    struct atom atom = {.length = 0};
    char c = *reader->at++;
    if ((signed char)c >= ' ' && c != '\x7F')
        atom = atom_plain(c);
    while (((uint8_t)*reader->at & 0xC0) == 0x80) /* the other bytes of a non-ASCII character */
        reader->at++;
    atom_put(reader, &atom);
}

char *ps_regex_fragment(const char *pattern)
{
    struct reader reader = {.at = pattern};
    bool alternatives;
    if (group_end(pattern, 0, &alternatives) == NULL || alternatives)
        return NULL;
    while (*reader.at != '\0' && !reader.failed)
        next_read(&reader);
    run_end(&reader);
    if (reader.failed || !reader.inside || reader.best.plain < PLAIN_MIN)
        return NULL;
    return strndup(reader.best.text, reader.best.plain_end);
}

struct ps_regex *ps_regex_fragment_of(const struct ps_regex *regex)
{
    char *text = ps_regex_flags_of(regex) == 0 ? ps_regex_fragment(ps_regex_text(regex)) : NULL;
    if (text == NULL)
        return NULL;
    struct ps_regex *fragment = ps_regex_create(text, 0, PS_REGEX_FIND, NULL);
    free(text);
    if (fragment != NULL && ps_regex_java(fragment)->exactness == PS_REGEX_NONE) {
        ps_regex_destroy(fragment);
        fragment = NULL;
    }
    return fragment;
}
