/* See check.h. Identifies the stages by name and reads Flume's keys, never their plans. */
#include "conf/check.h"

#include "conf/bind.h"
#include "conf/text.h"

#include <string.h>
#include <strings.h>

static const char *value_or(const struct ps_conf_part *part, const char *key, const char *fallback)
{
    const char *value = ps_pairs_get(&part->pairs, key);
    return value != NULL ? value : fallback;
}

/* Returns whether an interceptor removes the header or overwrites its value. */
static bool header_is_replaced(const struct ps_conf_source *source, const char *header)
{
    for (size_t i = 0; i < source->interceptor_count; i++) {
        const struct ps_conf_part *interceptor = &source->interceptors[i];
        if (strcmp(interceptor->ops->name, "remove_header") == 0 &&
            (strcmp(value_or(interceptor, "withName", ""), header) == 0 ||
             ps_pairs_get(&interceptor->pairs, "matching") != NULL ||
             strstr(value_or(interceptor, "fromList", ""), header) != NULL))
            return true;
        if (strcmp(interceptor->ops->name, "static") == 0 &&
            strcmp(value_or(interceptor, "key", "key"), header) == 0 &&
            strcasecmp(value_or(interceptor, "preserveExisting", "true"), "true") != 0)
            return true;
    }
    return false;
}

static void check_loop(struct ps_conf *conf, const struct ps_conf_source *source,
                       const struct ps_conf_sink *sink)
{
    const char *header = value_or(&sink->part, "topicHeader", "topic");
    if (strcasecmp(value_or(&sink->part, "allowTopicOverride", "true"), "true") != 0 ||
        strcasecmp(value_or(&source->part, "setTopicHeader", "true"), "true") != 0 ||
        strcmp(value_or(&source->part, "topicHeader", "topic"), header) != 0 ||
        header_is_replaced(source, header))
        return;
    const char *prefix = ps_arena_format(conf->arena, "%s.sinks.%s", conf->agent.name, sink->part.name);
    bool same = strcmp(value_or(&source->part, "kafka.bootstrap.servers", ""),
                       value_or(&sink->part, "kafka.bootstrap.servers", "-")) == 0;
    ps_problem_add(
        &conf->problems, PS_SEVERITY_WARNING, (struct ps_place){sink->part.file, sink->part.line, prefix},
        ps_arena_format(conf->arena,
                        "set %s.allowTopicOverride = false, or %s.sources.%s.setTopicHeader = false", prefix,
                        conf->agent.name, source->part.name),
        "source %s sets the header \"%s\" and this sink obeys it: every event goes to %s instead of "
        "kafka.topic",
        source->part.name, header,
        same ? "the topic it came from, in an endless loop," : "a topic named like the one it came from");
}

void ps_check_flows(struct ps_conf *conf)
{
    const struct ps_conf_agent *agent = &conf->agent;
    for (size_t i = 0; i < agent->source_count; i++) {
        const struct ps_conf_source *source = &agent->sources[i];
        for (size_t j = 0; j < agent->sink_count; j++) {
            const struct ps_conf_sink *sink = &agent->sinks[j];
            if (strcmp(source->part.ops->name, "kafka") == 0 && strcmp(sink->part.ops->name, "kafka") == 0 &&
                ps_texts_have(&source->channels, sink->channel))
                check_loop(conf, source, sink);
        }
    }
}
