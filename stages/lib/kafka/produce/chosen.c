#include "stages/lib/kafka/produce/chosen.h"

#include "stages/lib/kafka/produce/sender.h"

#include <stdio.h>
#include <string.h>

#define LOOK_AGAIN_NS (20 * PS_NS_PER_MS) /* until the event is submitted again, while the cluster is asked */

static bool has_header(const void *token, const struct ps_name *name)
{
    const struct ps_lease *lease = ps_kafka_token_lease(token);
    struct ps_slice value;
    return name != NULL &&
           ps_event_header(lease->batch, ps_lease_event(lease, ps_kafka_token_position(token)), name, &value);
}

static bool chose_topic(const struct ps_kafka_mapping *mapping, const void *token)
{
    return mapping->topic_escape != NULL || has_header(token, mapping->topic_header);
}

bool ps_kafka_chose(const struct ps_kafka_sender *sender, const void *token, int code)
{
    const struct ps_kafka_mapping *mapping = &sender->plan->mapping;
    switch (code) {
    case PS_KAFKA_LIBRARY_UNKNOWN_PARTITION:
        return has_header(token, mapping->partition_header) || chose_topic(mapping, token);
    case PS_KAFKA_LIBRARY_UNKNOWN_TOPIC:
    case PS_KAFKA_ERROR_INVALID_TOPIC_EXCEPTION:
    case PS_KAFKA_ERROR_TOPIC_AUTHORIZATION_FAILED:
    case PS_KAFKA_ERROR_INVALID_PARTITIONS:
    case PS_KAFKA_ERROR_INVALID_REPLICATION_FACTOR:
        return chose_topic(mapping, token);
    default:
        return false;
    }
}

/* Returns when the last lease came. No lease comes while an event of another one waits to be submitted. */
static uint64_t last_taken_ns(const struct ps_kafka_sender *sender)
{
    const struct ps_kafka_window *window = &sender->window;
    return window->taken_ns[(window->taken_count - 1) & (PS_KAFKA_WINDOW_LEASES_MAX - 1)];
}

const struct ps_kafka_error *ps_kafka_chosen_barred(const struct ps_kafka_sender *sender, const void *token,
                                                    struct ps_slice topic, int32_t partition)
{
    const struct ps_kafka_barred *barred = &sender->barred;
    if (PS_LIKELY(barred->count == 0) || last_taken_ns(sender) > barred->judged_ns)
        return NULL;
    for (uint32_t i = 0; i < barred->count; i++) {
        int32_t place = barred->places[i].partition;
        if (strlen(barred->places[i].topic) == topic.length &&
            memcmp(barred->places[i].topic, topic.data, topic.length) == 0 &&
            (place == PS_KAFKA_PARTITION_ANY || place == partition) &&
            ps_kafka_chose(sender, token, barred->places[i].error->code))
            return barred->places[i].error;
    }
    return NULL;
}

bool ps_kafka_chosen_is_sure(struct ps_kafka_sender *sender, const void *token, int32_t partition, int *code)
{
    int refused = 0;
    const struct ps_kafka_engine *engine = sender->plan->engine;
    const struct ps_slice name = {sender->run.topic, (uint32_t)strlen(sender->run.topic)};
    if (ps_kafka_chosen_barred(sender, token, name, partition) != NULL)
        return true;
    uint64_t since_ns = sender->search.blamed == token ? sender->search.blamed_ns : last_taken_ns(sender);
    if (engine->heard == NULL)
        return sender->made_ns > since_ns;
    struct ps_kafka_topic *topic = engine->topic(sender->producer, name.data, name.length);
    if (topic != NULL && engine->heard(sender->producer, topic, since_ns, &refused)) {
        *code = refused != 0 ? refused : *code;
        return true;
    }
    sender->asked_ns = sender->now.mono_ns;
    sender->resume_ns = sender->now.mono_ns + LOOK_AGAIN_NS;
    return false;
}

void ps_kafka_chosen_bar(struct ps_kafka_sender *sender)
{
    struct ps_kafka_barred *barred = &sender->barred;
    const struct ps_kafka_cause *cause = &sender->cause;
    if (last_taken_ns(sender) > barred->judged_ns)
        barred->count = barred->turn = 0;
    uint32_t at =
        barred->count < PS_KAFKA_BARRED_MAX ? barred->count++ : barred->turn++ % PS_KAFKA_BARRED_MAX;
    snprintf(barred->places[at].topic, sizeof barred->places[at].topic, "%s", cause->topic);
    barred->places[at].partition =
        cause->error->code == PS_KAFKA_LIBRARY_UNKNOWN_PARTITION ? cause->partition : PS_KAFKA_PARTITION_ANY;
    barred->places[at].error = cause->error;
    barred->judged_ns = sender->now.mono_ns;
}
