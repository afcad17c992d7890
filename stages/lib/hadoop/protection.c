#include "stages/lib/hadoop/protection.h"

#include "core/text/list.h"

#include <string.h>
#include <strings.h>

static const struct {
    const char *name, *sasl_name;
    unsigned level;
} levels[] = {{"authentication", "auth", PS_SASL_AUTHENTICATION},
              {"integrity", "auth-int", PS_SASL_INTEGRITY},
              {"privacy", "auth-conf", PS_SASL_PRIVACY}};

static bool is(const struct ps_slice *item, const char *name)
{
    return strlen(name) == item->length && strncasecmp(name, item->data, item->length) == 0;
}

enum ps_status ps_hadoop_protection_parse(const char *text, bool sasl_names, unsigned *protection,
                                          struct ps_err *err)
{
    struct ps_slice item;
    unsigned count = 0;
    *protection = 0;
    while (ps_list_next(&text, ", \t\n", &item)) {
        size_t i = 0;
        while (i < PS_COUNT_OF(levels) && !is(&item, levels[i].name) &&
               !(sasl_names && is(&item, levels[i].sasl_name)))
            i++;
        if (i == PS_COUNT_OF(levels) || count == PS_COUNT_OF(levels))
            return ps_err_set(err, "%.*s: only authentication, integrity and privacy are supported",
                              (int)item.length, item.data);
        *protection |= levels[i].level << (4 * count++);
    }
    return PS_OK;
}

enum ps_status ps_hadoop_protection_read(const struct ps_hadoop_configuration *configuration, const char *key,
                                         bool sasl_names, unsigned missing, unsigned *protection,
                                         struct ps_err *err)
{
    const char *text = ps_hadoop_configuration_text(configuration, key);
    struct ps_err why = {.length = 0};
    *protection = missing;
    if (text == NULL || ps_hadoop_protection_parse(text, sasl_names, protection, &why) == PS_OK)
        return PS_OK;
    return ps_err_set(err, "%s: %s: %s", ps_hadoop_configuration_place(configuration, key), key, why.text);
}
