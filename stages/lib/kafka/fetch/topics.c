/* The topics to which the member is subscribed: topics with given names, or all topics of the cluster that match an
 * expression. */
#include "stages/lib/kafka/fetch/fetch_internal.h"
#include "stages/lib/kafka/wire/slice.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int compare(const void *one, const void *other)
{
    return strcmp(*(char *const *)one, *(char *const *)other);
}

enum ps_status ps_kafka_fetch_topics_open(struct ps_kafka_fetch *fetch,
                                          const struct ps_kafka_reading_config *config, struct ps_err *err)
{
    const struct ps_texts wanted = config->subscription;
    if (config->pattern != NULL) {
        fetch->subscription.pattern = config->pattern;
        fetch->subscription.scratch = ps_regex_scratch_create();
        fetch->subscription.reads_internal = config->reads_internal;
        fetch->client->all_topics = true;
        return PS_OK;
    }
    fetch->subscription.topics =
        ps_must_alloc(wanted.count + 1, sizeof *fetch->subscription.topics, "topics");
    for (size_t i = 0; i < wanted.count; i++) {
        bool known = false;
        for (uint32_t j = 0; j < fetch->subscription.topic_count; j++)
            known |= strcmp(fetch->subscription.topics[j], wanted.items[i]) == 0;
        if (known)
            continue;
        if (ps_kafka_native_topic_get(fetch->client, wanted.items[i], (uint32_t)strlen(wanted.items[i])) ==
            NULL)
            return ps_err_set(err, "kafka.topics: \"%s\" is not a legal name of a topic", wanted.items[i]);
        fetch->subscription.topics[fetch->subscription.topic_count++] =
            ps_must_copy_text(wanted.items[i], "topics");
    }
    qsort(fetch->subscription.topics, fetch->subscription.topic_count, sizeof *fetch->subscription.topics,
          compare);
    return PS_OK;
}

static int compare_name(const void *name_, const void *topic)
{
    const struct ps_slice *name = name_;
    const char *text = *(char *const *)topic;
    return ps_slice_compare(*name, (struct ps_slice){text, (uint32_t)strlen(text)});
}

static bool matches(const struct ps_kafka_fetch *fetch, const char *topic)
{
    const struct ps_kafka_fetch_subscription *own = &fetch->subscription;
    bool internal = strcmp(topic, "__consumer_offsets") == 0 || strcmp(topic, "__transaction_state") == 0;
    return (!internal || own->reads_internal) &&
           ps_regex_find(own->pattern, own->scratch, topic, strlen(topic), 0, NULL, 0);
}

bool ps_kafka_fetch_has_topic(const struct ps_kafka_fetch *fetch, struct ps_slice topic)
{
    const struct ps_kafka_fetch_subscription *own = &fetch->subscription;
    return own->topic_count > 0 &&
           bsearch(&topic, own->topics, own->topic_count, sizeof *own->topics, compare_name) != NULL;
}

bool ps_kafka_fetch_is_subscribed(const struct ps_kafka_fetch *fetch, struct ps_slice topic)
{
    const struct ps_kafka_fetch_subscription *own = &fetch->subscription;
    char text[PS_KAFKA_NATIVE_TOPIC_BYTES];
    if (ps_kafka_fetch_has_topic(fetch, topic))
        return true;
    if (own->pattern == NULL || topic.length >= sizeof text)
        return false;
    memcpy(text, topic.data, topic.length);
    text[topic.length] = '\0';
    return matches(fetch, text);
}

void ps_kafka_fetch_topics_close(struct ps_kafka_fetch *fetch)
{
    ps_kafka_fetch_texts_free(&fetch->subscription.topics, &fetch->subscription.topic_count);
    ps_kafka_fetch_texts_free(&fetch->subscription.found, &fetch->subscription.found_count);
    if (fetch->subscription.scratch != NULL)
        ps_regex_scratch_destroy(fetch->subscription.scratch);
}

void ps_kafka_fetch_topic_found(struct ps_kafka_native *client, const char *name, uint32_t length)
{
    struct ps_kafka_fetch *fetch = ps_kafka_fetch_of(client);
    char text[PS_KAFKA_NATIVE_TOPIC_BYTES];
    if (length >= sizeof text)
        return;
    memcpy(text, name, length);
    text[length] = '\0';
    if (!matches(fetch, text) || ps_kafka_native_topic_get(client, text, length) == NULL)
        return;
    if (fetch->subscription.found_count == fetch->subscription.found_room) {
        fetch->subscription.found_room =
            fetch->subscription.found_room == 0 ? 16 : 2 * fetch->subscription.found_room;
        fetch->subscription.found =
            ps_must_realloc(fetch->subscription.found,
                            fetch->subscription.found_room * sizeof *fetch->subscription.found, "topics");
    }
    fetch->subscription.found[fetch->subscription.found_count++] = ps_must_copy_text(text, "topics");
}

static bool is_same(const struct ps_kafka_fetch *fetch)
{
    if (fetch->subscription.found_count != fetch->subscription.topic_count)
        return false;
    for (uint32_t i = 0; i < fetch->subscription.found_count; i++) {
        if (strcmp(fetch->subscription.found[i], fetch->subscription.topics[i]) != 0)
            return false;
    }
    return true;
}

/* Called after new metadata: its topics become the subscription. */
static void change_topics(struct ps_kafka_fetch *fetch)
{
    if (fetch->subscription.found_count > 0)
        qsort(fetch->subscription.found, fetch->subscription.found_count, sizeof *fetch->subscription.found,
              compare);
    if (!is_same(fetch)) {
        ps_kafka_fetch_texts_free(&fetch->subscription.topics, &fetch->subscription.topic_count);
        fetch->subscription.topics = fetch->subscription.found;
        fetch->subscription.topic_count = fetch->subscription.found_count;
        ps_log(PS_LOG_INFO, fetch->port->component, "%u topic(s) match kafka.topics.regex",
               fetch->subscription.topic_count);
        ps_kafka_member_rejoin(fetch);
    } else {
        ps_kafka_fetch_texts_free(&fetch->subscription.found, &fetch->subscription.found_count);
    }
    fetch->subscription.found = NULL;
    fetch->subscription.found_count = fetch->subscription.found_room = 0;
}

/* Reports named topics that the cluster does not have, or does not show to this user. */
static void report_topics(struct ps_kafka_fetch *fetch)
{
    ps_kafka_reports_met(&fetch->reports, PS_KAFKA_NEED_TOPICS); /* until one is reported below */
    for (uint32_t i = 0; i < fetch->subscription.topic_count; i++) {
        const struct ps_kafka_native_topic *topic = ps_kafka_native_topic_find(
            fetch->client, fetch->subscription.topics[i], (uint32_t)strlen(fetch->subscription.topics[i]));
        bool tells = topic != NULL && (topic->error == PS_KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION ||
                                       topic->error == PS_KAFKA_ERROR_TOPIC_AUTHORIZATION_FAILED);
        if (!tells)
            continue;
        ps_kafka_reports_error(&fetch->reports, topic->error, "topic %s: %s", topic->name,
                               rd_kafka_err2str((rd_kafka_resp_err_t)topic->error));
    }
}

/* Asks for metadata if a sink needs to know whether a topic is still there. */
static void look_for_question(struct ps_kafka_fetch *fetch)
{
    if (PS_LIKELY(!__atomic_load_n(&fetch->read_topics.asked, __ATOMIC_RELAXED)))
        return;
    __atomic_store_n(&fetch->read_topics.asked, false, __ATOMIC_RELAXED);
    ps_kafka_fetch_want_leader(fetch);
}

/* Tells the sink that commits what the source's cluster says of the topics. */
static void tell_sink(struct ps_kafka_fetch *fetch)
{
    uint32_t count = 0;
    struct ps_kafka_read_topic *topics =
        ps_must_alloc(fetch->subscription.topic_count + 1, sizeof *topics, "topics");
    for (uint32_t i = 0; i < fetch->subscription.topic_count; i++) {
        const struct ps_kafka_native_topic *topic = ps_kafka_native_topic_find(
            fetch->client, fetch->subscription.topics[i], (uint32_t)strlen(fetch->subscription.topics[i]));
        if (topic == NULL || topic->error == PS_KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION)
            continue;
        snprintf(topics[count].name, sizeof topics[count].name, "%s", topic->name);
        topics[count++].partitions = topic->listed_count;
    }
    ps_kafka_read_topics_set(&fetch->read_topics, topics, count);
}

void ps_kafka_fetch_topics_turn(struct ps_kafka_fetch *fetch)
{
    look_for_question(fetch);
    /* drops topics of an earlier answer that could not be read to its end */
    if (fetch->client->metadata.asked) {
        ps_kafka_fetch_texts_free(&fetch->subscription.found, &fetch->subscription.found_count);
        fetch->subscription.found_room = 0;
        return;
    }
    if (fetch->client->metadata.answered_ns == fetch->subscription.found_ns)
        return;
    fetch->subscription.found_ns = fetch->client->metadata.answered_ns;
    if (fetch->subscription.pattern != NULL)
        change_topics(fetch);
    report_topics(fetch);
    if (fetch->sink_commits)
        tell_sink(fetch);
    if (ps_kafka_leader_sees_change(fetch))
        ps_kafka_member_rebalance(fetch);
}
