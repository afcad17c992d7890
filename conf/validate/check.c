/* See check.h. Identifies the stages by name and reads Flume's keys, never their plans. */
#include "conf/validate/check.h"

#include "conf/bind.h"
#include "conf/doubts/headers.h"
#include "conf/parts.h"
#include "conf/text.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

/* Returns whether an interceptor removes the header or overwrites its value. */
static bool header_is_replaced(const struct ps_conf_source *source, const char *header)
{
    for (size_t i = 0; i < source->interceptor_count; i++)
        if (ps_header_is_replaced(&source->interceptors[i], header))
            return true;
    return false;
}

static void check_loop(struct ps_conf *conf, const struct ps_conf_source *source,
                       const struct ps_conf_sink *sink)
{
    const char *header = ps_pairs_value(&sink->part.pairs, "topicHeader", "topic");
    if (!ps_key_is_true(&sink->part, "allowTopicOverride", "true") ||
        !ps_key_is_true(&source->part, "setTopicHeader", "true") ||
        strcmp(ps_pairs_value(&source->part.pairs, "topicHeader", "topic"), header) != 0 ||
        header_is_replaced(source, header))
        return;
    const char *prefix = ps_arena_format(conf->arena, "%s.sinks.%s", conf->agent.name, sink->part.name);
    bool same = strcmp(ps_pairs_value(&source->part.pairs, "kafka.bootstrap.servers", ""),
                       ps_pairs_value(&sink->part.pairs, "kafka.bootstrap.servers", "-")) == 0;
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

/* ---- times in paths ---- */

/* A sink that puts the time in an event's header `timestamp` into a name, and cannot write an event without that
 * header. */
static const struct timed_sink {
    const char *type;
    const char *patterns[3]; /* keys whose values may have escapes, ended by NULL */
    const char *local;       /* a key; with the value "true" the header is not needed */
} timed_sinks[] = {{"hdfs", {"hdfs.path", "hdfs.filePrefix", NULL}, "hdfs.useLocalTimeStamp"}};

/* Returns the first escape that needs a time ("%Y") in a pattern, or NULL. Flume's BucketPath takes every %x for one,
 * known or not. */
static const char *time_escape(const char *pattern)
{
    for (const char *at = strchr(pattern, '%'); at != NULL; at = strchr(at + 1, '%')) {
        if (at[1] == '%' || at[1] == '_' || isalnum((unsigned char)at[1]))
            return at;
    }
    return NULL;
}

/* Returns whether one of the keys may concern a header `timestamp`. */
static bool names_timestamp(const struct ps_pairs *pairs)
{
    for (size_t i = 0; i < pairs->count; i++) {
        const char *key = pairs->items[i].key, *dot = strrchr(key, '.');
        const char *last = dot != NULL ? dot + 1 : key;
        if (strcmp(last, "timestamp") == 0 ||
            (strcmp(pairs->items[i].value, "timestamp") == 0 && strcmp(last, "type") != 0))
            return true;
    }
    return false;
}

/* Returns whether no event of the source has a header `timestamp`; `again`: not the same one when the source reads the event again. Other
 * sources set it (kafka, the syslog ones) or pass on the headers of their senders. */
static bool lacks_timestamp(const struct ps_conf_source *source, bool again)
{
    static const char *const types[] = {"netcat",  "netcatudp", "exec",   "spooldir",
                                        "taildir", "seq",       "stress", NULL};
    bool plain = false;
    for (size_t i = 0; types[i] != NULL; i++)
        plain |= strcmp(source->part.ops->name, types[i]) == 0;
    if (!plain || names_timestamp(&source->part.pairs))
        return false;
    for (size_t i = 0; i < source->interceptor_count; i++) {
        const struct ps_pair *pair;
        if (again && strcmp(source->interceptors[i].ops->name, "timestamp") == 0)
            continue;
        enum ps_header_effect effect = ps_header_effect(&source->interceptors[i], "timestamp", &pair);
        if (effect == PS_HEADER_SETS || effect == PS_HEADER_UNKNOWN)
            return false;
    }
    return true;
}

static void warn_of_timestamp(struct ps_conf *conf, const struct ps_conf_source *source,
                              const struct ps_conf_sink *sink, const struct timed_sink *timed,
                              const struct ps_pair *pattern)
{
    const char *prefix = ps_arena_format(conf->arena, "%s.sinks.%s", conf->agent.name, sink->part.name);
    ps_problem_add(
        &conf->problems, PS_SEVERITY_WARNING,
        (struct ps_place){pattern->file, pattern->line,
                          ps_arena_format(conf->arena, "%s.%s", prefix, pattern->key)},
        ps_arena_format(conf->arena,
                        "set %s.%s = true, or add an interceptor of the type timestamp to source %s", prefix,
                        timed->local, source->part.name),
        "%.2s needs the header timestamp, which nothing sets for the events of source %s: %s",
        time_escape(pattern->value), source->part.name,
        sink->common.deadletter != NULL
            ? "they become dead letters"
            : "none of them can be written, and they are tried for ever, as in Flume");
}

static void check_times(struct ps_conf *conf, const struct ps_conf_source *source,
                        const struct ps_conf_sink *sink)
{
    for (size_t i = 0; i < PS_COUNT_OF(timed_sinks); i++) {
        const struct timed_sink *timed = &timed_sinks[i];
        if (strcmp(sink->part.ops->name, timed->type) != 0 ||
            ps_key_is_true(&sink->part, timed->local, "false"))
            continue;
        for (size_t k = 0; timed->patterns[k] != NULL; k++) {
            const struct ps_pair *pattern = ps_pairs_find(&sink->part.pairs, timed->patterns[k]);
            if (pattern == NULL || time_escape(pattern->value) == NULL || !lacks_timestamp(source, false))
                continue;
            warn_of_timestamp(conf, source, sink, timed, pattern);
            break; /* one warning for each sink and source */
        }
    }
}

/* ---- times in names of indices ---- */

#define IDS "penstock.ids"

/* A sink whose documents have ids, unique in an index, and whose index may have a time in its name: that of an event's header `timestamp`, else
 * that of the request. */
static const struct indexed_sink {
    const char *type;
    const char *names[3]; /* keys whose values may have escapes, ended by NULL */
    /* a key; unless its value ends in "SimpleIndexNameBuilder" a time is added. NULL: none is */
    const char *builder;
} indexed_sinks[] = {{"elasticsearch", {"indexName", NULL}, "indexNameBuilder"},
                     {"opensearch", {"index", "data_stream", NULL}, NULL}};

static bool has_time(const struct indexed_sink *indexed, const struct ps_conf_part *part)
{
    static const char simple[] = "SimpleIndexNameBuilder";
    for (size_t i = 0; indexed->names[i] != NULL; i++)
        if (time_escape(ps_pairs_value(&part->pairs, indexed->names[i], "")) != NULL)
            return true;
    if (indexed->builder == NULL)
        return false;
    const char *builder = ps_pairs_value(&part->pairs, indexed->builder, "");
    size_t length = strlen(builder);
    return length < strlen(simple) || strcasecmp(builder + length - strlen(simple), simple) != 0;
}

static void check_index(struct ps_conf *conf, const struct ps_conf_source *source,
                        const struct ps_conf_sink *sink)
{
    const struct ps_conf_part *part = &sink->part;
    const struct ps_conf_channel *channel = ps_conf_channel_named(&conf->agent, sink->channel);
    const char *ids = ps_pairs_get(&part->pairs, IDS);
    bool again = channel == NULL || channel->part.ops->channel == NULL ||
                 !ps_channel_is_durable(channel->part.ops->channel);
    for (size_t i = 0; i < PS_COUNT_OF(indexed_sinks); i++) {
        if (strcmp(part->ops->name, indexed_sinks[i].type) != 0 || !has_time(&indexed_sinks[i], part) ||
            (ids != NULL && strcasecmp(ids, "none") == 0) || !lacks_timestamp(source, again))
            continue;
        ps_problem_add(
            &conf->problems, ids != NULL ? PS_SEVERITY_WARNING : PS_SEVERITY_NOTE,
            ps_conf_part_place(conf, part, IDS),
            again ? "put a channel of type file between them, behind an interceptor of the type timestamp"
                  : ps_arena_format(conf->arena, "add an interceptor of the type timestamp to source %s",
                                    source->part.name),
            "at least once: the index's name has a time, which is not that of the events of source %s; one "
            "that is sent again %s may be stored twice, in two indices",
            source->part.name, again ? "after a crash" : "later");
    }
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
            if (ps_texts_have(&source->channels, sink->channel)) {
                check_times(conf, source, sink);
                check_index(conf, source, sink);
            }
        }
    }
}
