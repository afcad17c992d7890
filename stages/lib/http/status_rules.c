#include "stages/lib/http/status_rules.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Reads "503" (one status) or "5XX" (a hundred statuses). Returns false if it is neither. */
static bool is_code(const char *key, unsigned *first, unsigned *count)
{
    if (strlen(key) != 3 || key[0] < '1' || key[0] > '9')
        return false;
    *first = (unsigned)(key[0] - '0') * 100;
    *count = 100;
    if (strcmp(key + 1, "XX") == 0)
        return true;
    *first += (unsigned)(key[1] - '0') * 10 + (unsigned)(key[2] - '0');
    *count = 1;
    return isdigit((unsigned char)key[1]) && isdigit((unsigned char)key[2]);
}

void ps_http_status_rules_set(struct ps_http_status_rules *rules, uint8_t bit, const struct ps_pairs *codes,
                              bool fallback)
{
    for (unsigned status = 0; status < PS_HTTP_STATUSES; status++)
        rules->bits[status] |= fallback ? bit : 0;
    for (unsigned exact = 0; exact < 2; exact++) {
        for (size_t i = 0; i < codes->count; i++) {
            unsigned first, count;
            if (!is_code(codes->items[i].key, &first, &count) || (count == 1) != (exact == 1))
                continue;
            bool on = strcasecmp(codes->items[i].value, "true") == 0;
            for (unsigned status = first; status < first + count; status++)
                rules->bits[status] = (uint8_t)(on ? rules->bits[status] | bit : rules->bits[status] & ~bit);
        }
    }
}

void ps_http_status_rules_check(const struct ps_context *context, const char *prefix,
                                const struct ps_pairs *codes)
{
    for (size_t i = 0; i < codes->count; i++) {
        const struct ps_pair *pair = &codes->items[i];
        unsigned first, count;
        char key[96];
        snprintf(key, sizeof key, "%s%.60s", prefix, pair->key);
        if (!is_code(pair->key, &first, &count))
            ps_report(context, PS_LOG_WARN, key, "has no effect: write a status, 503, or a hundred, 5XX");
        else if (strcasecmp(pair->value, "true") != 0 && strcasecmp(pair->value, "false") != 0)
            ps_report(context, PS_LOG_WARN, key,
                      "\"%s\" is neither true nor false and counts as false; write true or false",
                      pair->value);
    }
}
