/* The functions of struct ps_conf that all parts use. Thread: the control thread. */
#include "conf/conf.h"
#include "conf/text.h"

const char *ps_conf_system_property(const void *argument, const char *name)
{
    const struct ps_conf *conf = argument;
    return ps_pairs_get_last(&conf->system, name);
}
