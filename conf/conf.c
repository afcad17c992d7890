/* The functions of struct ps_conf that all parts use. Thread: the control thread. */
#include "conf/conf.h"

#include <string.h>

const char *ps_conf_system_property(const void *argument, const char *name)
{
    const struct ps_conf *conf = argument;
    for (size_t i = conf->system.count; i > 0; i--)
        if (strcmp(conf->system.items[i - 1].key, name) == 0)
            return conf->system.items[i - 1].value;
    return NULL;
}
