#include "conf/command/dumps.h"

#include <strings.h>

void ps_conf_core_dumps(struct ps_conf *conf)
{
    const char *text = ps_conf_system_property(conf, PS_CONF_CORE_DUMPS);
    if (text == NULL)
        return;
    conf->core_dumps = strcasecmp(text, "true") == 0;
    if (!conf->core_dumps && strcasecmp(text, "false") != 0)
        ps_problem_add(&conf->problems, PS_SEVERITY_WARNING,
                       (struct ps_place){.key = "-D" PS_CONF_CORE_DUMPS}, "write true or false",
                       "%s is neither true nor false: there are no core dumps", text);
}
