/* See headers.h. */
#include "conf/doubts/headers.h"

#include "conf/bind.h"

#include <string.h>
#include <strings.h>

bool ps_key_is_true(const struct ps_conf_part *part, const char *key, const char *fallback)
{
    return strcasecmp(ps_pairs_value(&part->pairs, key, fallback), "true") == 0;
}

static bool names(const struct ps_conf_part *interceptor, const char *key, const char *fallback,
                  const char *header)
{
    return strcmp(ps_pairs_value(&interceptor->pairs, key, fallback), header) == 0;
}

static bool may_remove(const struct ps_conf_part *interceptor, const char *header)
{
    return names(interceptor, "withName", "", header) ||
           ps_pairs_get(&interceptor->pairs, "matching") != NULL ||
           strstr(ps_pairs_value(&interceptor->pairs, "fromList", ""), header) != NULL;
}

enum ps_header_effect ps_header_effect(const struct ps_conf_part *interceptor, const char *header,
                                       const struct ps_pair **pair)
{
    const char *type = interceptor->ops->name;
    *pair = NULL;
    if (strcmp(type, "search_replace") == 0 || strcmp(type, "regex_filter") == 0)
        return PS_HEADER_STAYS;
    if (strcmp(type, "static") == 0) {
        *pair = ps_pairs_find(&interceptor->pairs, "value");
        return names(interceptor, "key", "key", header) ? PS_HEADER_SETS : PS_HEADER_STAYS;
    }
    if (strcmp(type, "uuid") == 0) {
        *pair = ps_pairs_find(&interceptor->pairs, "prefix");
        return names(interceptor, "headerName", "id", header) ? PS_HEADER_SETS : PS_HEADER_STAYS;
    }
    if (strcmp(type, "timestamp") == 0) {
        const char *older = ps_pairs_value(&interceptor->pairs, "header", "timestamp");
        return names(interceptor, "headerName", older, header) ? PS_HEADER_UNKNOWN : PS_HEADER_STAYS;
    }
    if (strcmp(type, "host") == 0)
        return names(interceptor, "hostHeader", "host", header) ? PS_HEADER_UNKNOWN : PS_HEADER_STAYS;
    if (strcmp(type, "remove_header") == 0)
        return may_remove(interceptor, header) ? PS_HEADER_REMOVES : PS_HEADER_STAYS;
    if (strcmp(type, "regex_extractor") == 0) {
        for (size_t i = 0; i < interceptor->pairs.count; i++)
            if (strcmp(interceptor->pairs.items[i].value, header) == 0)
                return PS_HEADER_UNKNOWN;
        return PS_HEADER_STAYS;
    }
    return PS_HEADER_UNKNOWN; /* a Java class, rules, a plug-in */
}

bool ps_header_is_replaced(const struct ps_conf_part *interceptor, const char *header)
{
    const struct ps_pair *pair;
    enum ps_header_effect effect = ps_header_effect(interceptor, header, &pair);
    return effect == PS_HEADER_REMOVES ||
           (effect == PS_HEADER_SETS && !ps_key_is_true(interceptor, "preserveExisting", "true"));
}
