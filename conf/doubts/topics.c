/* See conf/validate/check.h. Identifies the stages by name and reads Flume's keys, never their plans. */
#include "conf/validate/check.h"

#include "conf/bind.h"
#include "conf/doubts/headers.h"
#include "conf/text.h"
#include "stages/lib/kafka/produce/partition.h"

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* What a sink takes from a header. */
struct use {
    const char *word, *objection;
    bool (*is_good)(const char *value);
    /* Returns a good value in place of this one. */
    const char *(*instead)(struct ps_arena *arena, const char *value);
};

/* A source and a sink behind it that takes its topic, or the partition, from the header. */
struct path {
    struct ps_conf *conf;
    const struct ps_conf_source *source;
    const struct ps_conf_sink *sink;
    const struct use *use;
    const char *header;
};

static bool is_topic(const char *name)
{
    size_t length = strlen(name);
    return length <= PS_KAFKA_TOPIC_LENGTH_MAX && ps_kafka_topic_name_is_legal(name, (uint32_t)length);
}

/* Returns the name with a - for each character that Kafka does not allow. */
static const char *legal_name(struct ps_arena *arena, const char *name)
{
    char *text = ps_arena_format(arena, "%.*s", (int)PS_KAFKA_TOPIC_LENGTH_MAX, name);
    for (char *at = text; *at != '\0'; at++)
        if (*at != '.' && !ps_kafka_topic_name_is_legal(at, 1))
            *at = '-';
    return is_topic(text) ? text : "topic";
}

/* As Java's Integer.parseInt, which Flume's sink calls. */
static bool is_partition(const char *value)
{
    char *end;
    errno = 0;
    long number = strtol(value, &end, 10);
    return value[0] != '\0' && !isspace((unsigned char)value[0]) && *end == '\0' && errno == 0 &&
           number >= 0 && number <= INT32_MAX;
}

static const char *first_partition(struct ps_arena *, const char *)
{
    return "0";
}

static const struct use topic_use = {"topic", "Kafka allows no topic", is_topic, legal_name};
static const struct use partition_use = {"partition", "no partition has the number", is_partition,
                                         first_partition};

static void report(const struct path *path, const struct ps_pair *pair, const char *below, const char *cure,
                   const char *name)
{
    struct ps_conf *conf = path->conf;
    const char *key = ps_arena_format(conf->arena, "%s.sources.%s.%s%s", conf->agent.name,
                                      path->source->part.name, below, pair->key);
    ps_problem_add(&conf->problems, PS_SEVERITY_WARNING, (struct ps_place){pair->file, pair->line, key}, cure,
                   "sink %s takes the %s from the header \"%s\", and %s \"%.300s\": %s",
                   path->sink->part.name, path->use->word, path->header, path->use->objection, name,
                   path->sink->common.deadletter != NULL ? "such events become dead letters"
                                                         : "such events are never delivered");
}

static bool selects_by(const struct ps_conf_part *selector, const char *header)
{
    return strcmp(selector->ops->name, "multiplexing") == 0 &&
           strcmp(ps_pairs_value(&selector->pairs, "header", "flume.selector.header"), header) == 0;
}

/* Returns whether events with this value of the header come into the sink's channel. */
static bool reaches(const struct path *path, const char *value)
{
    const struct ps_conf_part *selector = &path->source->selector;
    if (!selects_by(selector, path->header))
        return true;
    struct ps_arena *arena = path->conf->arena;
    const char *channels = ps_pairs_get(&selector->pairs, ps_arena_format(arena, "mapping.%s", value));
    const char *optional = ps_pairs_value(&selector->pairs, ps_arena_format(arena, "optional.%s", value), "");
    if (channels == NULL)
        channels = ps_pairs_value(&selector->pairs, "default", "");
    struct ps_texts required = ps_text_split_blanks(arena, channels),
                    further = ps_text_split_blanks(arena, optional);
    return ps_texts_have(&required, path->sink->channel) || ps_texts_have(&further, path->sink->channel);
}

/* Returns whether an interceptor behind the one with this number may change the header. */
static bool is_changed_behind(const struct path *path, size_t number)
{
    for (size_t i = number + 1; i < path->source->interceptor_count; i++) {
        const struct ps_conf_part *interceptor = &path->source->interceptors[i];
        const struct ps_pair *pair;
        if (ps_header_effect(interceptor, path->header, &pair) == PS_HEADER_UNKNOWN ||
            ps_header_is_replaced(interceptor, path->header))
            return true;
    }
    return false;
}

static bool is_doubtful(const struct path *path, const struct ps_pair *pair)
{
    return pair != NULL && !path->use->is_good(pair->value) && reaches(path, pair->value) &&
           !ps_problems_is_unknown(&path->conf->problems, pair->value);
}

static const char *cure_for(const struct path *path, const struct ps_pair *pair)
{
    struct ps_arena *arena = path->conf->arena;
    return ps_arena_format(arena, "write %s", path->use->instead(arena, pair->value));
}

static void look_at_interceptors(const struct path *path)
{
    struct ps_arena *arena = path->conf->arena;
    for (size_t i = 0; i < path->source->interceptor_count; i++) {
        const struct ps_conf_part *interceptor = &path->source->interceptors[i];
        const struct ps_pair *pair;
        if (ps_header_effect(interceptor, path->header, &pair) == PS_HEADER_SETS && is_doubtful(path, pair) &&
            !is_changed_behind(path, i))
            report(path, pair, ps_arena_format(arena, "interceptors.%s.", interceptor->name),
                   cure_for(path, pair), pair->value);
    }
}

/* A value for which the selector sends events to the sink's channel. */
static void look_at_selector(const struct path *path)
{
    static const char *const words[] = {"mapping.", "optional."};
    const struct ps_conf_part *selector = &path->source->selector;
    if (!selects_by(selector, path->header))
        return;
    for (size_t i = 0; i < selector->pairs.count; i++) {
        const struct ps_pair *pair = &selector->pairs.items[i];
        for (size_t k = 0; k < PS_COUNT_OF(words); k++) {
            if (!ps_text_begins(pair->key, words[k]))
                continue;
            const char *name = pair->key + strlen(words[k]);
            struct ps_texts channels = ps_text_split_blanks(path->conf->arena, pair->value);
            if (!path->use->is_good(name) && ps_texts_have(&channels, path->sink->channel))
                report(path, pair, "selector.", "remove the line", name);
        }
    }
}

/* Keys of a source that give each event the header: headers of a group of taildir, and the file's path. */
static void look_at_source(const struct path *path)
{
    const struct ps_conf_part *part = &path->source->part;
    bool is_tail = strcmp(part->ops->name, "taildir") == 0;
    if ((!is_tail && strcmp(part->ops->name, "spooldir") != 0) || is_changed_behind(path, (size_t)-1))
        return;
    for (size_t i = 0; i < part->pairs.count; i++) {
        const struct ps_pair *pair = &part->pairs.items[i];
        const char *dot = strrchr(pair->key, '.');
        bool is_path = strcmp(pair->key, "fileHeaderKey") == 0 && strcmp(pair->value, path->header) == 0;
        if (is_path && ps_key_is_true(part, "fileHeader", "false") && reaches(path, "/"))
            report(path, pair, "", "write file", "/..");
        else if (is_tail && ps_text_begins(pair->key, "headers.") && strcmp(dot + 1, path->header) == 0 &&
                 is_doubtful(path, pair))
            report(path, pair, "", cure_for(path, pair), pair->value);
    }
}

static void look(const struct path *path)
{
    if (path->header == NULL || !ps_texts_have(&path->source->channels, path->sink->channel))
        return;
    look_at_source(path);
    look_at_interceptors(path);
    look_at_selector(path);
}

void ps_doubt_topics(struct ps_conf *conf)
{
    const struct ps_conf_agent *agent = &conf->agent;
    for (size_t i = 0; i < agent->source_count; i++) {
        for (size_t k = 0; k < agent->sink_count; k++) {
            const struct ps_conf_sink *sink = &agent->sinks[k];
            if (strcmp(sink->part.ops->name, "kafka") != 0)
                continue;
            const struct path topic = {conf, &agent->sources[i], sink, &topic_use,
                                       ps_pairs_value(&sink->part.pairs, "topicHeader", "topic")};
            const struct path partition = {conf, &agent->sources[i], sink, &partition_use,
                                           ps_pairs_get(&sink->part.pairs, "partitionIdHeader")};
            if (ps_key_is_true(&sink->part, "allowTopicOverride", "true"))
                look(&topic);
            look(&partition);
        }
    }
}
