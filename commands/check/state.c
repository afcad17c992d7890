#include "commands/check/state.h"

#include "conf/state_directory.h"
#include "conf/text.h"
#include "conf/validate/check.h"
#include "core/durable.h"
#include "core/probe.h"
#include "stages/lib/kafka/place.h"

#include <string.h>

static bool is_kafka(const struct ps_conf_part *part)
{
    return strcmp(part->ops->name, "kafka") == 0;
}

static bool has_member(const struct ps_conf_part *part)
{
    return is_kafka(part) &&
           ps_kafka_place_has_member(ps_pairs_get_last(&part->pairs, "kafka.consumer.group.instance.id"));
}

static bool has_transactions(const struct ps_conf_part *part)
{
    return is_kafka(part) && part->ops->sink->transactional(part->plan) &&
           ps_kafka_place_has_transactions(ps_pairs_get_last(&part->pairs, PS_KEEPER_KEY) != NULL,
                                           ps_pairs_get_last(&part->pairs, "penstock.transaction.id"));
}

/* Returns a component that remembers a member of a group, or a transaction; NULL: there is none. */
static const struct ps_conf_part *find_rememberer(const struct ps_conf_agent *agent)
{
    for (size_t i = 0; i < agent->source_count; i++)
        if (has_member(&agent->sources[i].part))
            return &agent->sources[i].part;
    for (size_t i = 0; i < agent->channel_count; i++)
        if (agent->channels[i].sink_count > 0 && has_member(&agent->channels[i].part))
            return &agent->channels[i].part;
    for (size_t i = 0; i < agent->sink_count; i++)
        if (has_transactions(&agent->sinks[i].part))
            return &agent->sinks[i].part;
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
