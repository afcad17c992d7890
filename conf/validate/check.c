/* See check.h. Identifies the stages by name and reads Flume's keys, never their plans. */
#include "conf/validate/check.h"

#include "conf/bind.h"
#include "conf/text.h"

#include <ctype.h>
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
        if (strcmp(dot != NULL ? dot + 1 : key, "timestamp") == 0 ||
            strcmp(pairs->items[i].value, "timestamp") == 0)
            return true;
    }
    return false;
}

static bool interceptor_may_set_timestamp(const struct ps_conf_part *interceptor)
{
    const char *type = interceptor->ops->name;
    if (strcmp(type, "timestamp") == 0)
        return strcmp(value_or(interceptor, "headerName", value_or(interceptor, "header", "timestamp")),
                      "timestamp") == 0;
    /* what a Java class, the rules or a plug-in set is not known */
    static const char *const known[] = {"host",          "static",         "regex_filter", "regex_extractor",
                                        "remove_header", "search_replace", "uuid"};
    for (size_t i = 0; i < PS_COUNT_OF(known); i++)
        if (strcmp(type, known[i]) == 0)
            return names_timestamp(&interceptor->pairs);
    return true;
}

/* Returns whether no event of the source has a header `timestamp`. Other sources set it (kafka, the syslog ones) or
 * pass on the headers of their senders. */
static bool lacks_timestamp(const struct ps_conf_source *source)
{
    static const char *const types[] = {"netcat",  "netcatudp", "exec",   "spooldir",
                                        "taildir", "seq",       "stress", NULL};
    bool plain = false;
    for (size_t i = 0; types[i] != NULL; i++)
        plain |= strcmp(source->part.ops->name, types[i]) == 0;
    if (!plain || names_timestamp(&source->part.pairs))
        return false;
    for (size_t i = 0; i < source->interceptor_count; i++) {
        if (interceptor_may_set_timestamp(&source->interceptors[i]))
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
            strcasecmp(value_or(&sink->part, timed->local, "false"), "true") == 0)
            continue;
        for (size_t k = 0; timed->patterns[k] != NULL; k++) {
            const struct ps_pair *pattern = ps_pairs_find(&sink->part.pairs, timed->patterns[k]);
            if (pattern == NULL || time_escape(pattern->value) == NULL || !lacks_timestamp(source))
                continue;
            warn_of_timestamp(conf, source, sink, timed, pattern);
            break; /* one warning for each sink and source */
        }
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
            if (ps_texts_have(&source->channels, sink->channel))
                check_times(conf, source, sink);
        }
    }
}
