/* Counts the states of an expression by reading it. Pure. */
#include "regex/cost.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 1000U

struct reader {
    const char *at;
    unsigned depth;
};

static uint64_t add(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static uint64_t times(uint64_t a, uint64_t b)
{
    uint64_t product;
    return __builtin_mul_overflow(a, b, &product) ? UINT64_MAX : product;
}

static uint64_t number(const char **at)
{
    uint64_t value = 0;
    for (; **at >= '0' && **at <= '9'; ++*at)
        value = add(times(value, 10), (uint64_t)(**at - '0'));
    return value;
}

struct bounds {
    uint64_t least, most; /* most: n + 1 for {n,} */
    bool open;
};

/* Parses {n}, {n,} or {n,m} at `at`. Returns its length, or 0 if there is no repeat. */
static size_t repeat(const char *at, struct bounds *bounds)
{
    const char *start = at;
    if (*at != '{' || at[1] < '0' || at[1] > '9')
        return 0;
    at++;
    *bounds = (struct bounds){.least = number(&at)};
    bounds->most = bounds->least;
    if (*at == ',') {
        at++;
        bounds->open = *at == '}';
        bounds->most = bounds->open ? add(bounds->least, 1) : number(&at);
    }
    if (*at != '}')
        return 0;
    if (bounds->most < bounds->least)
        bounds->most = bounds->least;
    return (size_t)(at + 1 - start);
}

/* Returns the byte after the class that begins at `at`. */
static const char *class_end(const char *at)
{
    at++;
    if (*at == '^')
        at++;
    if (*at == ']')
        at++;
    for (; *at != '\0' && *at != ']'; at++) {
        if (*at == '\\' && at[1] != '\0')
            at++;
        else if (*at == '[' && at[1] == ':' && strstr(at, ":]") != NULL)
            at = strstr(at, ":]") + 1;
    }
    return *at == ']' ? at + 1 : at;
}

static const char *escape_end(const char *at)
{
    if (at[1] == '\0')
        return at + 1;
    if (at[1] != 'x')
        return at + 2;
    at += 2;
    if (*at == '{') {
        const char *end = strchr(at, '}');
        return end == NULL ? at : end + 1;
    }
    for (unsigned i = 0; i < 2 && strchr("0123456789abcdefABCDEF", *at) != NULL && *at != '\0'; i++)
        at++;
    return at;
}

static uint64_t alternatives(struct reader *reader);

/* Reads one item that can be repeated and returns its number of states, 0 for a zero-width item. */
static uint64_t atom(struct reader *reader)
{
    const char *at = reader->at;
    if (*at == '(') {
        reader->at++;
        if (at[1] == '?') { /* "?:", "?i)", "?<=", "?<name>": the prefix itself has no states */
            reader->at += strcspn(reader->at, ":)=!>");
            if (*reader->at == '\0')
                return 0;
            if (*reader->at++ == ')')
                return 0;
        }
        uint64_t states = alternatives(reader);
        if (*reader->at == ')')
            reader->at++;
        return states;
    }
    if (*at == '[')
        reader->at = class_end(at);
    else if (*at == '\\')
        reader->at = escape_end(at);
    else
        reader->at++;
    bool zero_width =
        *at == '^' || *at == '$' || (*at == '\\' && at[1] != '\0' && strchr("bBAzZG", at[1]) != NULL);
    return zero_width ? 0 : 1;
}

static uint64_t sequence(struct reader *reader)
{
    uint64_t states = 0;
    while (*reader->at != '\0' && *reader->at != '|' && *reader->at != ')') {
        uint64_t one = atom(reader);
        struct bounds bounds;
        for (size_t length; (length = repeat(reader->at, &bounds)) > 0; reader->at += length)
            one = times(one, bounds.most < 1 ? 1 : bounds.most);
        states = add(states, one);
    }
    return states;
}

static uint64_t alternatives(struct reader *reader)
{
    if (++reader->depth > DEPTH_MAX) { /* no real expression is so deep; this limits our stack */
        reader->at += strlen(reader->at);
        return UINT64_MAX;
    }
    uint64_t states = sequence(reader);
    while (*reader->at == '|') {
        reader->at++;
        states = add(states, sequence(reader));
    }
    reader->depth--;
    return states;
}

uint64_t ps_cost_states(const char *text)
{
    struct reader reader = {text, 0};
    uint64_t states = alternatives(&reader);
    while (*reader.at != '\0') { /* skips a closing bracket without an opening one; the compiler reports it */
        reader.at++;
        states = add(states, alternatives(&reader));
    }
    return states;
}

/* Returns the end of the item at `at`. The item is not a repeat. */
static const char *token_end(const char *at)
{
    return *at == '\\' ? escape_end(at) : *at == '[' ? class_end(at) : at + 1;
}

bool ps_cost_largest_repeat(const char *text, struct ps_cost_repeat *largest)
{
    *largest = (struct ps_cost_repeat){0};
    for (const char *at = text; *at != '\0';) {
        struct bounds bounds;
        size_t length = repeat(at, &bounds);
        if (length > 0 && bounds.most > largest->bound)
            *largest = (struct ps_cost_repeat){(size_t)(at - text), length, bounds.most};
        at = length > 0 ? at + length : token_end(at);
    }
    return largest->length > 0;
}

/* Drops the upper bound of repeats above `cap`, and reduces their lower bound to `cap`. */
static void loosen(const char *text, uint64_t cap, char *to)
{
    for (const char *at = text; *at != '\0';) {
        struct bounds bounds;
        size_t length = repeat(at, &bounds);
        if (length > 0 && (bounds.open ? bounds.least : bounds.most) > cap) {
            to += sprintf(to, "{%u,}", (unsigned)(bounds.least < cap ? bounds.least : cap));
            at += length;
            continue;
        }
        const char *end = length > 0 ? at + length : token_end(at);
        memcpy(to, at, (size_t)(end - at));
        to += end - at;
        at = end;
    }
    *to = '\0';
}

char *ps_cost_loosen(const char *text)
{
    /* Twice the length is enough: "{9}" may become "{1,}". */
    char *loose = ps_must_alloc(1, 2 * strlen(text) + 1, "the text of an expression");
    strcpy(loose, text);
    for (uint64_t cap = 1000; ps_cost_states(loose) > PS_COST_STATES_LOOSENED; cap /= 10) {
        if (cap == 0) {
            free(loose);
            return NULL;
        }
        loosen(text, cap, loose);
    }
    return loose;
}
