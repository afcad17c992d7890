#include "core/option.h"

#include <string.h>

const char *ps_pairs_get(const struct ps_pairs *pairs, const char *key)
{
    for (size_t i = 0; i < pairs->count; i++) {
        if (strcmp(pairs->items[i].key, key) == 0)
            return pairs->items[i].value;
    }
    return NULL;
}

const char *ps_pairs_value(const struct ps_pairs *pairs, const char *key, const char *fallback)
{
    const char *value = ps_pairs_get(pairs, key);
    return value != NULL ? value : fallback;
}
