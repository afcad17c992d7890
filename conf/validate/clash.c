/* See clash.h. */
#include "conf/validate/clash.h"

#include "conf/validate/component.h"

static struct ps_place place_of(struct ps_conf *conf, const struct ps_conf_part *part, const char *section,
                                const char *key)
{
    const struct ps_component_maker maker = {.conf = conf, .stages = conf->stages, .arena = conf->arena};
    const char *prefix = ps_arena_format(conf->arena, "%s.%s.%s.", conf->agent.name, section, part->name);
    return ps_component_place(&maker, part, prefix, key);
}

void ps_clash_report(struct ps_conf *conf, const struct ps_clash *clash, const char *text)
{
    const char *cure = clash->cure;
    if (clash->other != NULL) {
        const struct ps_place other = place_of(conf, clash->other, clash->other_section, clash->other_key);
        if (other.file != NULL)
            cure = ps_arena_format(conf->arena, "%s (%s: %s:%d)", cure, clash->other->label, other.file,
                                   other.line);
    }
    ps_problem_add(&conf->problems, PS_SEVERITY_WARNING,
                   place_of(conf, clash->part, clash->section, clash->key), cure, "%s", text);
    ps_problem_mistake(&conf->problems, PS_MISTAKE_CAUSE);
    conf->clashes++;
}
