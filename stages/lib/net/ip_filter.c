#include "stages/lib/net/ip_filter.h"

#include <stdlib.h>
#include <string.h>

static enum ps_status parse_rule(struct ps_ip_rule *rule, const char *text, struct ps_arena *arena,
                                 struct ps_err *err)
{
    const char *colon = strchr(text, ':'), *second = colon != NULL ? strchr(colon + 1, ':') : NULL;
    if (second != NULL) {
        size_t verb = (size_t)(colon - text), what = (size_t)(second - colon) - 1;
        rule->allow = verb == 5 && memcmp(text, "allow", verb) == 0;
        bool deny = verb == 4 && memcmp(text, "deny", verb) == 0;
        rule->name = what == 4 && memcmp(colon + 1, "name", what) == 0;
        bool ip = what == 2 && memcmp(colon + 1, "ip", what) == 0;
        if ((rule->allow || deny) && (rule->name || ip)) {
            rule->local = rule->name && strcmp(second + 1, "localhost") == 0;
            rule->pattern = ps_arena_text(arena, second + 1);
            return PS_OK;
        }
    }
    return ps_err_set(
        err, "\"%s\" is not a rule: write allow or deny, a colon, ip or name, a colon, and a pattern", text);
}

enum ps_status ps_ip_filter_parse(struct ps_ip_filter *filter, const struct ps_texts *rules,
                                  struct ps_arena *arena, struct ps_err *err)
{
    *filter =
        (struct ps_ip_filter){.rules = ps_arena_alloc(arena, (rules->count + 1) * sizeof *filter->rules)};
    for (size_t i = 0; i < rules->count; i++) {
        struct ps_ip_rule *rule = &filter->rules[filter->count];
        if (parse_rule(rule, rules->items[i], arena, err) != PS_OK)
            return PS_FAIL;
        filter->count++;
        filter->names |= rule->name && !rule->local;
    }
    if (filter->count == 0)
        return ps_err_set(err, "is missing or empty, and ipFilter is true");
    return PS_OK;
}

/* Returns whether some address, or some host name, may match the pattern. Addresses are compared as Java prints them:
 * 10.0.0.1, 0:0:0:0:0:0:0:1, fe80:0:0:0:1:2:3:4%eth0. */
static bool is_possible(const struct ps_ip_rule *rule)
{
    if (rule->name)
        return strpbrk(rule->pattern, "/\\()[]{}|+^$ ") == NULL;
    size_t address = strcspn(rule->pattern, "%");
    return strspn(rule->pattern, "0123456789abcdef.:*?") >= address && strstr(rule->pattern, "::") == NULL;
}

const struct ps_ip_rule *ps_ip_filter_useless(const struct ps_ip_filter *filter)
{
    for (size_t i = 0; i < filter->count; i++)
        if (!is_possible(&filter->rules[i]))
            return &filter->rules[i];
    return NULL;
}

/* Returns whether all of the text matches. Goes back to the last `*` when a character differs. */
static bool is_like(const struct ps_slice *text, const char *pattern)
{
    const char *at = text->data, *end = at + text->length, *star = NULL, *resume = NULL;
    while (at < end) {
        if (*pattern == '*') {
            star = ++pattern;
            resume = at;
        } else if (*pattern == '?' || (*pattern == *at && *pattern != '\0')) {
            pattern++;
            at++;
        } else if (star != NULL) {
            pattern = star;
            at = ++resume;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == '\0';
}

bool ps_ip_filter_admits(const struct ps_ip_filter *filter, const struct ps_slice *ip,
                         const struct ps_slice *host, bool local)
{
    for (size_t i = 0; i < filter->count; i++) {
        const struct ps_ip_rule *rule = &filter->rules[i];
        if (rule->local ? local : is_like(rule->name ? host : ip, rule->pattern))
            return rule->allow;
    }
    return true;
}

bool ps_ip_filter_is_local(int fd, const struct ps_address *peer)
{
    struct ps_address own = {.length = sizeof own.storage};
    return getsockname(fd, (struct sockaddr *)&own.storage, &own.length) == 0 &&
           ps_address_is_same_host(&own, peer);
}
