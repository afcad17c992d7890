/* See pattern.h. */
#include "stages/lib/tail/pattern.h"

#include "regex/regex.h"

#include <string.h>

/* Returns whether the file name may be a shell pattern: it has no operators of expressions, except those that shell
 * patterns have too. */
static bool is_of_shell(const char *pattern)
{
    return strpbrk(pattern, "*?") != NULL && strpbrk(pattern, "\\()[]{}|^$+") == NULL;
}

/* Returns the expression with the meaning of the shell pattern; without backslashes, because a properties file
 * removes them. */
static const char *expression_of(struct ps_arena *arena, const char *pattern)
{
    char *expression = ps_arena_alloc(arena, 3 * strlen(pattern) + 1), *to = expression;
    for (; *pattern != '\0'; pattern++)
        to = stpcpy(to, *pattern == '*'   ? ".*"
                        : *pattern == '?' ? "."
                        : *pattern == '.' ? "[.]"
                                          : (const char[]){*pattern, '\0'});
    return expression;
}

bool ps_tail_pattern_check(const struct ps_context *context, const char *key, const char *folder,
                           const char *pattern)
{
    struct ps_err err = {.length = 0};
    struct ps_regex *regex = ps_regex_create(pattern, 0, PS_REGEX_WHOLE, &err);
    if (regex == NULL && is_of_shell(pattern))
        ps_report(context, PS_LOG_ERROR, key,
                  "\"%s\" is a pattern of the shell, and the name of a file is matched with a regular "
                  "expression\nwrite %s%s",
                  pattern, folder, expression_of(context->arena, pattern));
    else if (regex == NULL)
        ps_report(context, PS_LOG_ERROR, key, "%s", err.text);
    ps_regex_destroy(regex);
    return regex != NULL;
}
