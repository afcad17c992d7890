/* See clash.h. */
#include "conf/validate/clash.h"

#include "conf/parts.h"

void ps_clash_report(struct ps_conf *conf, const struct ps_clash *clash, const char *text)
{
    const char *cure = clash->cure;
    if (clash->other != NULL) {
        const struct ps_place other = ps_conf_part_place(conf, clash->other, clash->other_key);
        if (other.file != NULL)
            cure = ps_arena_format(conf->arena, "%s (%s: %s:%d)", cure, clash->other->label, other.file,
                                   other.line);
    }
    ps_problem_add(&conf->problems, PS_SEVERITY_WARNING, ps_conf_part_place(conf, clash->part, clash->key),
                   cure, "%s", text);
    ps_problem_mistake(&conf->problems, PS_MISTAKE_CAUSE);
    conf->clashes++;
}
