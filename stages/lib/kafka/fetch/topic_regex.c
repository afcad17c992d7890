/* Implements kafka/fetch/topic_regex.h. */
#include "stages/lib/kafka/fetch/topic_regex.h"

#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATTERN_MAX 4096U
static const char legal[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";

struct translation {
    const char *at;
    FILE *out;
    struct ps_err *err;
};

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Evaluates \d \w \s and their negations for `c`; returns false for any other `name`. */
static bool shorthand_has(char name, char c, bool *has)
{
    switch (name) {
    case 'd':
        *has = is_digit(c);
        return true;
    case 'D':
        *has = !is_digit(c);
        return true;
    case 'w':
        *has = is_letter(c) || is_digit(c) || c == '_';
        return true;
    case 'W':
        *has = !(is_letter(c) || is_digit(c) || c == '_');
        return true;
    case 's':
        *has = false; /* \s matches no character of a topic name */
        return true;
    case 'S':
        *has = true;
        return true;
    default:
        return false;
    }
}

static void put_set(struct translation *t, const bool *set)
{
    bool any = false, dash = set['-'];
    fputc('[', t->out);
    for (const char *c = legal; *c != '\0'; c++) {
        if (*c != '-' && set[(unsigned char)*c]) {
            fputc(*c, t->out);
            any = true;
        }
    }
    if (dash)
        fputc('-', t->out);
    if (!any && !dash)
        fputc('/', t->out); /* no topic name has '/', so the class matches nothing */
    fputc(']', t->out);
}

static void put_literal(struct translation *t, char c)
{
    if (strchr(".[]{}()*+?^$|\\", c) != NULL)
        fputc('\\', t->out);
    fputc(c, t->out);
}

/* Reads one character of a class, plain or escaped. */
static enum ps_status class_character(struct translation *t, unsigned char *character)
{
    char c = *t->at++;
    if (c == '\\') {
        c = *t->at++;
        if (c == '\0' || is_letter(c) || is_digit(c))
            return ps_err_set(t->err, "\"\\%c\" in a character class is not supported here", c);
    }
    *character = (unsigned char)c;
    return PS_OK;
}

static bool class_shorthand(struct translation *t, bool *set)
{
    bool has;
    if (t->at[0] != '\\' || !shorthand_has(t->at[1], 'a', &has))
        return false;
    for (const char *c = legal; *c != '\0'; c++) {
        shorthand_has(t->at[1], *c, &has);
        set[(unsigned char)*c] |= has;
    }
    t->at += 2;
    return true;
}

/* Translates a class, after its '['. */
static enum ps_status translate_class(struct translation *t)
{
    bool set[256] = {false};
    bool negated = *t->at == '^';
    t->at += negated;
    bool first = true;
    while (*t->at != ']' || first) {
        if (*t->at == '\0')
            return ps_err_set(t->err, "a character class is not closed");
        if (*t->at == '[' || (t->at[0] == '&' && t->at[1] == '&'))
            return ps_err_set(t->err, "unions and intersections of character classes are not supported here");
        first = false;
        if (class_shorthand(t, set))
            continue;
        unsigned char low, high;
        if (class_character(t, &low) != PS_OK)
            return PS_FAIL;
        high = low;
        if (t->at[0] == '-' && t->at[1] != ']' && t->at[1] != '\0') {
            t->at++;
            if (class_character(t, &high) != PS_OK)
                return PS_FAIL;
            if (high < low)
                return ps_err_set(t->err, "a range in a character class has its ends in the wrong order");
        }
        for (unsigned c = low; c <= high; c++)
            set[c] = true;
    }
    t->at++;
    for (unsigned c = 0; negated && c < PS_COUNT_OF(set); c++)
        set[c] = !set[c];
    put_set(t, set);
    return PS_OK;
}

/* Translates an escape, after its backslash. */
static enum ps_status translate_escape(struct translation *t)
{
    char c = *t->at++;
    bool has;
    if (c == 'Q') {
        while (*t->at != '\0' && !(t->at[0] == '\\' && t->at[1] == 'E'))
            put_literal(t, *t->at++);
        t->at += *t->at != '\0' ? 2 : 0;
        return PS_OK;
    }
    if (shorthand_has(c, 'a', &has)) {
        bool set[256] = {false};
        for (const char *l = legal; *l != '\0'; l++)
            shorthand_has(c, *l, &set[(unsigned char)*l]);
        put_set(t, set);
        return PS_OK;
    }
    if (c == '\0')
        return ps_err_set(t->err, "the pattern ends with a backslash");
    if (is_letter(c) || is_digit(c))
        return ps_err_set(t->err, "\"\\%c\" is not supported here", c);
    put_literal(t, c);
    return PS_OK;
}

/* Translates the start of a group, after its '('. */
static enum ps_status translate_group(struct translation *t)
{
    fputc('(', t->out);
    if (*t->at != '?')
        return PS_OK;
    if (t->at[1] == ':') {
        t->at += 2;
        return PS_OK;
    }
    if (t->at[1] == '<' && is_letter(t->at[2])) { /* a named group */
        const char *end = strchr(t->at, '>');
        if (end == NULL)
            return ps_err_set(t->err, "the name of a group is not closed");
        t->at = end + 1;
        return PS_OK;
    }
    return ps_err_set(t->err, "look-around and inline flags \"(?%.2s\" are not supported here", t->at + 1);
}

/* Checks the character after a quantifier: lazy quantifiers are accepted, because they match the same whole names;
 * possessive ones are refused. */
static enum ps_status after_quantifier(struct translation *t)
{
    if (*t->at == '?')
        t->at++;
    else if (*t->at == '+')
        return ps_err_set(t->err, "possessive quantifiers are not supported here");
    return PS_OK;
}

static enum ps_status translate(struct translation *t)
{
    while (*t->at != '\0') {
        char c = *t->at++;
        enum ps_status status = PS_OK;
        switch (c) {
        case '\\':
            status = translate_escape(t);
            break;
        case '[':
            status = translate_class(t);
            break;
        case '(':
            status = translate_group(t);
            break;
        case '*':
        case '+':
        case '?':
        case '}':
            fputc(c, t->out);
            status = after_quantifier(t);
            break;
        default:
            fputc(c, t->out);
            break;
        }
        if (status != PS_OK)
            return PS_FAIL;
    }
    return PS_OK;
}

const char *ps_kafka_topic_regex(struct ps_arena *arena, const char *pattern, struct ps_err *err)
{
    if (strlen(pattern) > PATTERN_MAX) {
        ps_err_set(err, "the pattern is longer than %u characters", PATTERN_MAX);
        return NULL;
    }
    char *text = NULL;
    size_t length = 0;
    struct translation t = {
        .at = pattern, .out = ps_must_open_text(&text, &length, "a pattern of topics"), .err = err};
    fputs("^(", t.out);
    enum ps_status status = translate(&t);
    fputs(")$", t.out);
    fclose(t.out);
    const char *result = NULL;
    regex_t compiled;
    int code;
    if (status == PS_OK && (code = regcomp(&compiled, text, REG_EXTENDED | REG_NOSUB)) != 0) {
        char reason[128];
        regerror(code, &compiled, reason, sizeof reason);
        ps_err_set(err, "%s", reason);
    } else if (status == PS_OK) {
        regfree(&compiled);
        result = ps_arena_copy(arena, text, length);
    }
    free(text);
    return result;
}
