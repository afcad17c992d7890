#include "stages/lib/hadoop/protection.h"

#include "core/text/list.h"

#include <string.h>
#include <strings.h>

enum ps_status ps_hadoop_protection_read(const struct ps_hadoop_configuration *configuration, const char *key,
                                         unsigned missing, unsigned *protection, struct ps_err *err)
{
    static const struct {
        const char *name;
        unsigned level;
    } levels[] = {{"authentication", PS_SASL_AUTHENTICATION},
                  {"integrity", PS_SASL_INTEGRITY},
                  {"privacy", PS_SASL_PRIVACY}};
    const char *at = ps_hadoop_configuration_text(configuration, key);
    unsigned count = 0;
    *protection = at == NULL ? missing : 0;
    struct ps_slice item;
    while (at != NULL && ps_list_next(&at, ", \t\n", &item)) {
        size_t i = 0;
        while (i < PS_COUNT_OF(levels) && (strlen(levels[i].name) != item.length ||
                                           strncasecmp(levels[i].name, item.data, item.length) != 0))
            i++;
        if (i == PS_COUNT_OF(levels) || count == PS_COUNT_OF(levels))
            return ps_err_set(err, "%s: %s: %.*s: only authentication, integrity and privacy are supported",
                              ps_hadoop_configuration_place(configuration, key), key, (int)item.length,
                              item.data);
        *protection |= levels[i].level << (4 * count++);
    }
    return PS_OK;
}
