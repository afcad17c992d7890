/* See report.h. Values of keys are never printed, because they may be secrets. */
#include "conf/report.h"

#include "conf/bind.h"
#include "conf/properties/properties.h"
#include "core/quantity.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

bool ps_report_colour(FILE *file)
{
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
    return isatty(fileno(file)) && (no == NULL || *no == '\0') && (term == NULL || strcmp(term, "dumb") != 0);
}

void ps_report_problems(FILE *file, const struct ps_conf *conf, bool colour)
{
    static const char *const colours[] = {"\033[1;31m", "\033[1;35m", "\033[1;33m", "\033[1;36m"};
    struct ps_arena *arena = ps_arena_create();
    for (size_t i = 0; i < conf->problems.count; i++) {
        const struct ps_problem *problem = &conf->problems.items[i];
        const char *text = ps_problem_text(arena, problem);
        const char *word = ps_severity_word(problem->severity);
        size_t place = problem->file != NULL ? strlen(problem->file) : 0; /* a path may have the word, too */
        const char *at = colour ? strstr(text + place, word) : NULL;
        if (at == NULL)
            fprintf(file, "%s\n", text);
        else
            fprintf(file, "%.*s%s%s\033[0m%s\n", (int)(at - text), text, colours[problem->severity], word,
                    at + strlen(word));
    }
    if (conf->problems.held_back > 0)
        fprintf(file, "... and %zu more\n", conf->problems.held_back);
    ps_arena_destroy(arena);
}

/* ---- outlines ---- */

/* Returns the outline of the component's stage, or NULL. */
static const char *outline_of(const struct ps_conf *conf, const struct ps_conf_part *part)
{
    struct ps_context context = {.agent = conf->agent.name,
                                 .component = part->label,
                                 .name = part->name,
                                 .arena = conf->arena,
                                 .system_property = ps_conf_system_property,
                                 .read_properties = ps_properties_read,
                                 .class_path = conf->class_path,
                                 .argument = (void *)(uintptr_t)conf};
    return ps_stage_outline(part->ops, part->plan, &context);
}

static void print_outline(FILE *file, const struct ps_conf *conf, const struct ps_conf_part *part)
{
    const char *outline = outline_of(conf, part);
    if (outline != NULL)
        fprintf(file, ", %s", outline);
}

/* ---- text ---- */

static void print_letters(FILE *file, const char *directory, int64_t retry_max)
{
    if (directory != NULL)
        fprintf(file, ", dead letters into %s", directory);
    if (retry_max > 0)
        fprintf(file, ", after %s %s at the latest", ps_quantity_print_count((uint64_t)retry_max).text,
                ps_quantity_word((uint64_t)retry_max, "attempt", "attempts"));
}

static void print_source(FILE *file, const struct ps_conf *conf, const struct ps_conf_source *source)
{
    fprintf(file, "  source %s: %s", source->part.name, source->part.ops->name);
    if (source->common.workers > 1)
        fprintf(file, " on %" PRId64 " workers", source->common.workers);
    print_outline(file, conf, &source->part);
    print_letters(file, source->common.deadletter, 0);
    fputc('\n', file);
    for (size_t i = 0; i < source->interceptor_count; i++)
        fprintf(file, "    -> interceptor %s: %s\n", source->interceptors[i].name,
                source->interceptors[i].ops->name);
    fprintf(file, "    -> selector: %s\n    -> channels:", source->selector.ops->name);
    for (size_t i = 0; i < source->channels.count; i++)
        fprintf(file, " %s", source->channels.items[i]);
    fputc('\n', file);
}

/* Returns the row with the events that a channel has room for, of the spillable memory channel those in memory. NULL: there
 * is none. */
static const struct ps_option *capacity_of(const struct ps_stage_ops *ops)
{
    const struct ps_option *capacity = ps_option_named(ops->options, "capacity");
    if (capacity != NULL && (capacity->flags & PS_OPTION_NO_EFFECT))
        return ps_option_named(ops->options, "memoryCapacity");
    return capacity;
}

static void print_channel(FILE *file, const struct ps_conf *conf, const struct ps_conf_channel *channel)
{
    const struct ps_option *capacity = capacity_of(channel->part.ops);
    fprintf(file, "  channel %s: %s", channel->part.name, channel->part.ops->name);
    if (capacity != NULL && capacity->type == PS_OPTION_INT) {
        int64_t events;
        memcpy(&events, (const char *)channel->part.plan + capacity->offset, sizeof events);
        fprintf(file, ", capacity %s %s", ps_quantity_print_count((uint64_t)events).text,
                ps_quantity_word((uint64_t)events, "event", "events"));
    }
    fprintf(file, ", %zu in, %zu out", channel->source_count, channel->sink_count);
    print_outline(file, conf, &channel->part);
    fputc('\n', file);
}

void ps_report_agent(FILE *file, const struct ps_conf *conf)
{
    const struct ps_conf_agent *agent = &conf->agent;
    fprintf(file, "agent %s\n", agent->name);
    for (size_t i = 0; i < agent->source_count; i++)
        print_source(file, conf, &agent->sources[i]);
    for (size_t i = 0; i < agent->channel_count; i++)
        print_channel(file, conf, &agent->channels[i]);
    for (size_t i = 0; i < agent->sink_count; i++) {
        const struct ps_conf_sink *sink = &agent->sinks[i];
        fprintf(file, "  sink %s: %s from channel %s%s%s", sink->part.name, sink->part.ops->name,
                sink->channel, sink->group != NULL ? ", group " : "", sink->group != NULL ? sink->group : "");
        print_outline(file, conf, &sink->part);
        print_letters(file, sink->common.deadletter, sink->common.retry_max);
        fputc('\n', file);
    }
    for (size_t i = 0; i < agent->group_count; i++) {
        fprintf(file, "  sink group %s: %s:", agent->groups[i].name, agent->groups[i].processor);
        for (size_t j = 0; j < agent->groups[i].sinks.count; j++)
            fprintf(file, " %s", agent->groups[i].sinks.items[j]);
        fputc('\n', file);
    }
}

void ps_report_summary(FILE *file, const struct ps_conf *conf, bool is_fine)
{
    const struct ps_problems *problems = &conf->problems;
    const struct {
        size_t count;
        const char *one, *many;
    } parts[] = {{problems->errors, "error", "errors"},
                 {problems->dropped, "dropped", "dropped"},
                 {problems->warnings, "warning", "warnings"}};
    fprintf(file, "%s:", conf->wanted);
    bool any = false, cut = conf->lacks == NULL && conf->cut != NULL;
    for (size_t i = 0; i < PS_COUNT_OF(parts); i++) {
        if (parts[i].count == 0)
            continue;
        fprintf(file, "%s %zu %s", any ? "," : "", parts[i].count,
                parts[i].count == 1 ? parts[i].one : parts[i].many);
        any = true;
    }
    fprintf(file, "%s\n",
            problems->errors > 0  ? "; the agent would not start"
            : cut                 ? ps_arena_format(conf->arena, "; the agent would start, but %s", conf->cut)
            : conf->lacks == NULL ? any       ? "; the agent would start"
                                    : is_fine ? " fine"
                                              : " the agent would start"
            : strcmp(conf->lacks, "sources") == 0
                ? "; the agent would start without any of its sources: no event comes in"
                : "; the agent would start without any of its sinks: no event is delivered");
    if (conf->other_agents.count > 0) {
        fprintf(file, "other agents in the same files, not checked:");
        for (size_t i = 0; i < conf->other_agents.count; i++)
            fprintf(file, " %s", conf->other_agents.items[i]);
        fputc('\n', file);
    }
}

/* ---- JSON ---- */

json_t *ps_report_json_text(const char *text)
{
    json_t *value = text != NULL ? json_string(text) : NULL; /* also NULL when it is not UTF-8 */
    return value != NULL ? value : json_null();
}

static json_t *json_texts(const struct ps_texts *texts)
{
    json_t *array = json_array();
    for (size_t i = 0; i < texts->count; i++)
        json_array_append_new(array, ps_report_json_text(texts->items[i]));
    return array;
}

static json_t *json_part(const struct ps_conf *conf, const struct ps_conf_part *part)
{
    json_t *object = json_object();
    json_object_set_new(object, "name", ps_report_json_text(part->name));
    json_object_set_new(object, "type", ps_report_json_text(part->ops->name));
    json_object_set_new(object, "file", ps_report_json_text(part->file));
    json_object_set_new(object, "line", json_integer(part->line));
    json_object_set_new(object, "outline", ps_report_json_text(outline_of(conf, part)));
    return object;
}

static json_t *json_problem(const struct ps_problem *problem)
{
    json_t *object = json_object();
    json_object_set_new(object, "severity", json_string(ps_severity_word(problem->severity)));
    json_object_set_new(object, "file", ps_report_json_text(problem->file));
    json_object_set_new(object, "line", problem->line > 0 ? json_integer(problem->line) : json_null());
    json_object_set_new(object, "key", ps_report_json_text(problem->key));
    json_object_set_new(object, "message", ps_report_json_text(problem->what));
    json_object_set_new(object, "cure", ps_report_json_text(problem->cure));
    return object;
}

static json_t *json_source(const struct ps_conf *conf, const struct ps_conf_source *source)
{
    json_t *object = json_part(conf, &source->part);
    json_object_set_new(object, "channels", json_texts(&source->channels));
    json_object_set_new(object, "selector", json_string(source->selector.ops->name));
    json_t *interceptors = json_array();
    for (size_t i = 0; i < source->interceptor_count; i++)
        json_array_append_new(interceptors, json_part(conf, &source->interceptors[i]));
    json_object_set_new(object, "interceptors", interceptors);
    json_object_set_new(object, "workers", json_integer(source->common.workers));
    json_object_set_new(object, "deadletter", ps_report_json_text(source->common.deadletter));
    return object;
}

struct json_t *ps_report_json_begin(const struct ps_conf *conf)
{
    const struct ps_conf_agent *agent = &conf->agent;
    json_t *root = json_object(), *sources = json_array(), *channels = json_array(), *sinks = json_array();
    for (size_t i = 0; i < agent->source_count; i++)
        json_array_append_new(sources, json_source(conf, &agent->sources[i]));
    for (size_t i = 0; i < agent->channel_count; i++)
        json_array_append_new(channels, json_part(conf, &agent->channels[i].part));
    for (size_t i = 0; i < agent->sink_count; i++) {
        json_t *sink = json_part(conf, &agent->sinks[i].part);
        json_object_set_new(sink, "channel", ps_report_json_text(agent->sinks[i].channel));
        json_object_set_new(sink, "group", ps_report_json_text(agent->sinks[i].group));
        json_object_set_new(sink, "deadletter", ps_report_json_text(agent->sinks[i].common.deadletter));
        json_object_set_new(sink, "retry_max", json_integer(agent->sinks[i].common.retry_max));
        json_array_append_new(sinks, sink);
    }
    json_object_set_new(root, "agent", ps_report_json_text(conf->wanted));
    json_object_set_new(root, "sources", sources);
    json_object_set_new(root, "channels", channels);
    json_object_set_new(root, "sinks", sinks);
    return root;
}

void ps_report_json_texts(struct json_t *root, const char *name, const struct ps_texts *texts)
{
    json_object_set_new(root, name, json_texts(texts));
}

char *ps_report_json_end(struct json_t *root, const struct ps_conf *conf)
{
    json_t *problems = json_array();
    for (size_t i = 0; i < conf->problems.count; i++)
        json_array_append_new(problems, json_problem(&conf->problems.items[i]));
    json_object_set_new(root, "starts", json_boolean(conf->problems.errors == 0));
    json_object_set_new(root, "lacks", ps_report_json_text(conf->lacks));
    json_object_set_new(root, "cut", ps_report_json_text(conf->cut));
    json_object_set_new(root, "problems", problems);
    json_object_set_new(root, "other_agents", json_texts(&conf->other_agents));
    char *text = json_dumps(root, JSON_INDENT(2));
    json_decref(root);
    return text;
}
