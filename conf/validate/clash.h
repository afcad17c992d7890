/* Reports a thing that two components of an agent want and that only one can have: a port, a file, a directory.
 * Thread: control. */
#pragma once

#include "conf/conf.h"

struct ps_clash {
    const struct ps_conf_part *part;
    const char *key; /* the key that names the thing */
    /* the component that has the thing; NULL: no component, or the same component */
    const struct ps_conf_part *other;
    const char *other_key;
    const char *cure;
};

/* Warns with the places of both components, and counts the clash (conf->clashes). A start continues, as Flume does;
 * `check` does not exit with 0; a reload is refused (conf/mistake.h). */
void ps_clash_report(struct ps_conf *conf, const struct ps_clash *clash, const char *text);
