#include "bench/plan/outline.h"

#include "conf/conf.h"
#include "stages/table.h"

#include <stdlib.h>
#include <string.h>

#define ARGUMENTS_MAX 64U
#define PROBLEMS_SHOWN 5U

struct own {
    struct ps_command command;
    struct ps_conf *conf;
    char *arguments[ARGUMENTS_MAX + 1];
};

static enum ps_status problems_append(const struct ps_conf *conf, struct ps_err *err)
{
    struct ps_arena *arena = ps_arena_create();
    unsigned shown = 0;
    for (size_t i = 0; i < conf->problems.count && shown < PROBLEMS_SHOWN; i++) {
        const struct ps_problem *problem = &conf->problems.items[i];
        if (problem->severity != PS_SEVERITY_ERROR && problem->severity != PS_SEVERITY_DROPPED)
            continue;
        ps_err_append(err, "%s", ps_problem_text(arena, problem));
        shown++;
    }
    ps_arena_destroy(arena);
    return PS_FAIL;
}

static void part_take(struct ps_outline_part *to, const struct ps_conf_part *part)
{
    to->name = part->name;
    to->type = part->ops->name;
    to->pairs = &part->pairs;
}

static void parts_take(struct ps_outline *outline, const struct ps_conf_agent *agent)
{
    for (size_t i = 0; i < agent->source_count && outline->source_count < PS_OUTLINE_PARTS_MAX; i++) {
        const struct ps_conf_source *source = &agent->sources[i];
        struct ps_outline_part *to = &outline->sources[outline->source_count++];
        part_take(to, &source->part);
        to->selector = source->selector.ops != NULL ? source->selector.ops->name : "replicating";
        for (size_t c = 0; c < source->channels.count && c < PS_OUTLINE_CHANNELS_MAX; c++)
            to->channels[to->channel_count++] = source->channels.items[c];
    }
    for (size_t i = 0; i < agent->sink_count && outline->sink_count < PS_OUTLINE_PARTS_MAX; i++) {
        struct ps_outline_part *to = &outline->sinks[outline->sink_count++];
        part_take(to, &agent->sinks[i].part);
        to->channels[to->channel_count++] = agent->sinks[i].channel;
    }
}

enum ps_status ps_outline_read(struct ps_outline *outline, const char *const *arguments,
                               unsigned argument_count, struct ps_err *err)
{
    memset(outline, 0, sizeof *outline);
    struct own *own = ps_must_alloc(1, sizeof *own, "a command's own options");
    PS_ASSERT(argument_count < ARGUMENTS_MAX);
    outline->own = own;
    own->arguments[0] = (char *)(uintptr_t) "agent";
    for (unsigned i = 0; i < argument_count; i++)
        own->arguments[i + 1] = (char *)(uintptr_t)arguments[i];
    if (ps_command_parse(&own->command, (int)argument_count + 1, own->arguments, err) != PS_OK)
        return PS_FAIL;
    own->command.dry_run = true;
    if (ps_conf_load(&own->command, ps_stages, &own->conf) != PS_OK) {
        ps_err_set(err, "this agent would not start (`penstock check` lists all problems)");
        return problems_append(own->conf, err);
    }
    problems_append(own->conf, &outline->dropped);
    parts_take(outline, &own->conf->agent);
    return PS_OK;
}

void ps_outline_fini(struct ps_outline *outline)
{
    struct own *own = outline->own;
    if (own != NULL) {
        ps_conf_destroy(own->conf);
        ps_command_fini(&own->command);
        free(own);
    }
    memset(outline, 0, sizeof *outline);
}

const char *ps_outline_get(const struct ps_outline_part *part, const char *key, const char *otherwise)
{
    const char *value = ps_pairs_get(part->pairs, key);
    return value != NULL ? value : otherwise;
}
