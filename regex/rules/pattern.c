/* The expressions of a rules file. Each text with its flags is compiled once, and each pair of expression and
 * subject has one number. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "regex/rules/internal.h"

/* ps_regex_create's message begins with the expression itself, which the reported place already shows. Returns the rest
 * of the message. `*offset` is the offset that the message names, or -1. */
static const char *reason_of(const char *message, const char *pattern, long *offset)
{
    static const char words[] = "is not a valid expression: ", at[] = "at offset ";
    size_t length = strlen(pattern);
    *offset = -1;
    if (message[0] == '"' && strncmp(message + 1, pattern, length) == 0 && message[length + 1] == '"')
        message += length + 2;
    while (*message == ' ' || *message == ':')
        message++;
    if (strncmp(message, words, sizeof words - 1) == 0)
        message += sizeof words - 1;
    const char *found = strstr(message, at);
    if (found != NULL && isdigit((unsigned char)found[sizeof at - 1]))
        *offset = strtol(found + sizeof at - 1, NULL, 10);
    return message;
}

static void regex_refuse(struct rules_parser *parser, const struct rules_token *token, const char *message)
{
    long offset;
    const char *reason = reason_of(message, token->text, &offset);
    struct ps_rules_place place = token->place;
    if (offset >= 0)
        place.column = ps_rules_token_column(token, (size_t)offset);
    ps_rules_problem_add(parser->loader->problems, PS_RULES_ERROR, place, NULL, "bad expression: %s", reason);
}

struct ps_regex *ps_rules_regex(struct rules_parser *parser, const struct rules_token *token)
{
    struct rules_loader *loader = parser->loader;
    char *key = ps_arena_alloc(parser->arena, token->length + 1);
    key[0] = (char)token->flags;
    memcpy(key + 1, token->text, token->length);
    uint32_t number = ps_rules_names_find(&loader->regexes, key, token->length + 1);
    if (number != RULES_NAME_NONE)
        return loader->regex_list[number];
    struct ps_err err = {.length = 0};
    struct ps_regex *regex = ps_regex_create(token->text, token->flags, PS_REGEX_FIND, &err);
    if (regex == NULL) {
        regex_refuse(parser, token, ps_err_join(&err));
        return NULL;
    }
    RULES_PUSH(loader->arena, loader->owned->disposables, loader->owned->disposable_count)->regex = regex;
    ps_rules_names_add(&loader->regexes, loader->arena, key, token->length + 1,
                       (uint32_t)loader->regex_count);
    *RULES_PUSH(loader->arena, loader->regex_list, loader->regex_count) = regex;
    return regex;
}

bool ps_rules_pattern_number(struct rules_parser *parser, struct ps_rules_subject subject,
                             const struct rules_token *token, uint32_t *number)
{
    struct rules_loader *loader = parser->loader;
    struct ps_rules *rules = &loader->owned->rules;
    struct ps_regex *regex = ps_rules_regex(parser, token);
    if (regex == NULL)
        return false;
    size_t name_length = subject.header != NULL ? strlen(subject.header) + 1 : 0; /* the body has no name */
    char *key = ps_arena_alloc(parser->arena, sizeof regex + name_length);
    memcpy(key, &regex, sizeof regex);
    if (name_length > 0)
        memcpy(key + sizeof regex, subject.header, name_length);
    *number = ps_rules_names_find(&loader->patterns, key, sizeof regex + name_length);
    if (*number == RULES_NAME_NONE) {
        *number = rules->pattern_count_all;
        ps_rules_names_add(&loader->patterns, loader->arena, key, sizeof regex + name_length, *number);
        size_t count = rules->pattern_count_all;
        *RULES_PUSH(loader->arena, rules->patterns, count) =
            (struct ps_rules_pattern){subject, regex, token->place};
        rules->pattern_count_all = (uint32_t)count;
        *RULES_PUSH(loader->arena, loader->pattern_live, loader->pattern_live_count) = false;
    }
    if (parser->rule == NULL || !parser->rule->disabled)
        loader->pattern_live[*number] = true;
    return true;
}

void ps_rules_group_source_add(struct rules_parser *parser, const struct ps_regex *regex)
{
    *RULES_PUSH(parser->arena, parser->group_sources, parser->group_source_count) = regex;
}

/* ---- after all files are read ---- */

static void condition_renumber(struct ps_condition *condition, const uint32_t *numbers)
{
    if (condition == NULL)
        return;
    if (condition->kind == PS_CONDITION_MATCH)
        condition->pattern = numbers[condition->pattern];
    condition_renumber(condition->left, numbers);
    condition_renumber(condition->right, numbers);
}

void ps_rules_live_patterns_first(struct rules_loader *loader)
{
    struct ps_rules *rules = &loader->owned->rules;
    uint32_t count = rules->pattern_count_all, live = 0, next = 0;
    for (uint32_t i = 0; i < count; i++)
        live += loader->pattern_live[i];
    rules->pattern_count = live;
    if (live == count)
        return;
    uint32_t *numbers = ps_arena_alloc(loader->arena, count * sizeof *numbers);
    struct ps_rules_pattern *sorted = ps_arena_alloc(loader->arena, count * sizeof *sorted);
    for (uint32_t i = 0; i < count; i++) {
        numbers[i] = loader->pattern_live[i] ? next++ : live++;
        sorted[numbers[i]] = rules->patterns[i];
    }
    rules->patterns = sorted;
    for (size_t i = 0; i < loader->all_count; i++)
        condition_renumber(loader->all[i].when, numbers);
}
