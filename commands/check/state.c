#include "commands/check/state.h"

#include "conf/state_directory.h"
#include "conf/text.h"
#include "core/durable.h"
#include "core/probe.h"

#include <string.h>

static bool is_kafka(const struct ps_conf_part *part)
{
    return strcmp(part->ops->name, "kafka") == 0;
}

static bool has(const struct ps_conf_part *part, const char *key)
{
    return ps_pairs_get_last(&part->pairs, key) != NULL;
}

/* Returns a component that remembers a member of a group, or a transaction; NULL: there is none. A static member needs
 * no memory, and sinks of other flows keep their transactions in a channel or a source. */
static const struct ps_conf_part *find_rememberer(const struct ps_conf_agent *agent)
{
    bool any_source = false;
    for (size_t i = 0; i < agent->source_count; i++) {
        const struct ps_conf_part *part = &agent->sources[i].part;
        any_source |= is_kafka(part);
        if (is_kafka(part) && !has(part, "kafka.consumer.group.instance.id"))
            return part;
    }
    for (size_t i = 0; i < agent->channel_count; i++) {
        const struct ps_conf_channel *channel = &agent->channels[i];
        if (is_kafka(&channel->part) && channel->sink_count > 0 &&
            !has(&channel->part, "kafka.consumer.group.instance.id"))
            return &channel->part;
    }
    for (size_t i = 0; i < agent->sink_count; i++) {
        const struct ps_conf_part *part = &agent->sinks[i].part;
        const char *guarantee = is_kafka(part) ? ps_pairs_get_last(&part->pairs, "penstock.guarantee") : NULL;
        if (any_source && guarantee != NULL && strcmp(guarantee, "exactly-once") == 0 &&
            !has(part, "penstock.transaction.id"))
            return part;
    }
    return NULL;
}

struct noting {
    struct ps_conf *conf;
    const struct ps_conf_part *part;
};

static void note(const struct noting *noting, const char *what, const char *cause)
{
    ps_problem_add(&noting->conf->problems, PS_SEVERITY_NOTE,
                   (struct ps_place){noting->part->file, noting->part->line, NULL},
                   "set penstock.state.dir to a directory that the agent may write and that outlives it",
                   "%s notes nothing for its next life, because %s%s%s: after a kill it waits for time-outs "
                   "of the brokers",
                   noting->part->label, what, cause[0] != '\0' ? ": " : "", cause);
}

static void on_tried(const struct ps_probe *probe, enum ps_probed result, const char *, const char *what,
                     const char *cause, const char *)
{
    if (result == PS_PROBED_FAILED || result == PS_PROBED_REFUSED)
        note(probe->argument, what, cause);
}

void ps_check_state(struct ps_conf *conf)
{
    struct noting noting = {conf, find_rememberer(&conf->agent)};
    const char *directory = ps_conf_state_directory(conf);
    if (noting.part == NULL)
        return;
    if (directory == NULL) {
        note(&noting, "no directory is known for it", "neither HOME nor STATE_DIRECTORY is set");
        return;
    }
    const struct ps_probe probe = {.local = true, .files_only = true, .tried = on_tried, .argument = &noting};
    ps_probe_directory_to_make(&probe, PS_STATE_DIRECTORY_PROPERTY, directory);
}
