#include "stages/lib/kafka/produce/mapping.h"

/* Reads a number as Java's Integer.parseInt and Long.parseLong do for base 10: an optional sign, then digits,
 * and nothing else. */
static bool parse_number(struct ps_slice text, int64_t min, int64_t max, int64_t *value)
{
    uint32_t i = 0;
    bool negative = false;
    if (text.length > 1 && (text.data[0] == '-' || text.data[0] == '+')) {
        negative = text.data[0] == '-';
        i = 1;
    }
    if (i == text.length)
        return false;
    int64_t sum = 0; /* negative, because the negative range is larger */
    for (; i < text.length; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        if (__builtin_mul_overflow(sum, 10, &sum) || __builtin_sub_overflow(sum, text.data[i] - '0', &sum))
            return false;
    }
    if (!negative && __builtin_sub_overflow(0, sum, &sum))
        return false;
    *value = sum;
    return sum >= min && sum <= max;
}

const char *ps_kafka_flaw_text(enum ps_kafka_flaw flaw)
{
    switch (flaw) {
    case PS_KAFKA_FLAW_PARTITION:
        return "its partition header is not a partition number: check partitionIdHeader";
    case PS_KAFKA_FLAW_TIMESTAMP:
        return "its timestamp header is negative: check timestampHeader";
    case PS_KAFKA_FLAW_ESCAPE:
        return "kafka.topic has a time escape, and the event has no header timestamp with milliseconds: "
               "add a timestamp interceptor";
    case PS_KAFKA_FLAW_TOPIC:
        return "its topic is not a legal name: check kafka.topic and the topic header";
    case PS_KAFKA_FLAW_QUEUE:
        return "it is larger than the producer's queue: raise kafka.producer.buffer.memory, or lower "
               "kafka.producer.max.request.size";
    case PS_KAFKA_FLAW_NONE:
        break;
    }
    return "none";
}

static enum ps_kafka_flaw default_topic(const struct ps_kafka_mapping *mapping, const struct ps_batch *batch,
                                        const struct ps_event *event, struct ps_kafka_fields *fields,
                                        const struct ps_now *now, struct ps_slice *topic)
{
    *topic = (struct ps_slice){mapping->topic, mapping->topic_length};
    if (mapping->topic_escape == NULL)
        return PS_KAFKA_FLAW_NONE;
    uint32_t length = 0;
    enum ps_escape_result result = ps_escape_expand(mapping->topic_escape, &fields->escapes, batch, event,
                                                    now, fields->topic, sizeof fields->topic, &length);
    if (result == PS_ESCAPE_TOO_LONG)
        return PS_KAFKA_FLAW_TOPIC;
    if (result != PS_ESCAPE_OK)
        return PS_KAFKA_FLAW_ESCAPE;
    *topic = (struct ps_slice){fields->topic, length};
    return PS_KAFKA_FLAW_NONE;
}

static void map_headers(const struct ps_kafka_mapping *mapping, const struct ps_batch *batch,
                        const struct ps_event *event, struct ps_kafka_fields *fields)
{
    struct ps_slice value;
    fields->header_count = 0;
    for (uint32_t i = 0; i < mapping->header_count; i++) {
        if (!ps_event_header(batch, event, mapping->header_names[i], &value))
            continue;
        fields->headers[fields->header_count++] = (struct ps_kafka_header){
            .name = mapping->kafka_names[i], .value = value.data, .value_length = value.length};
    }
}

bool ps_kafka_mapping_gives_timestamp(const struct ps_kafka_mapping *mapping, const struct ps_batch *batch,
                                      const struct ps_event *event)
{
    struct ps_slice value;
    int64_t number;
    return mapping->timestamp_header != NULL &&
           ps_event_header(batch, event, mapping->timestamp_header, &value) &&
           parse_number(value, INT64_MIN, INT64_MAX, &number);
}

enum ps_kafka_flaw ps_kafka_mapping_apply(const struct ps_kafka_mapping *mapping,
                                          const struct ps_batch *batch, const struct ps_event *event,
                                          struct ps_kafka_fields *fields, const struct ps_now *now,
                                          struct ps_kafka_record *record, struct ps_slice *topic,
                                          bool *timestamp_ignored)
{
    struct ps_slice value;
    int64_t number;
    *record = (struct ps_kafka_record){.partition = mapping->default_partition,
                                       .timestamp_ms = PS_KAFKA_TIMESTAMP_NONE};
    if (mapping->topic_header == NULL || !ps_event_header(batch, event, mapping->topic_header, topic)) {
        enum ps_kafka_flaw flaw = default_topic(mapping, batch, event, fields, now, topic);
        if (flaw != PS_KAFKA_FLAW_NONE)
            return flaw;
    }
    if (ps_event_header(batch, event, mapping->key_header, &value)) {
        record->key = value.length > 0 ? value.data : "";
        record->key_length = value.length;
    }
    if (mapping->partition_header != NULL &&
        ps_event_header(batch, event, mapping->partition_header, &value)) {
        if (!parse_number(value, INT32_MIN, INT32_MAX, &number) || number < 0)
            return PS_KAFKA_FLAW_PARTITION;
        record->partition = (int32_t)number;
    }
    if (mapping->timestamp_header != NULL &&
        ps_event_header(batch, event, mapping->timestamp_header, &value)) {
        if (!parse_number(value, INT64_MIN, INT64_MAX, &number))
            *timestamp_ignored = true;
        else if (number < 0)
            return PS_KAFKA_FLAW_TIMESTAMP;
        else
            record->timestamp_ms = number;
    }
    if (mapping->header_count > 0) {
        map_headers(mapping, batch, event, fields);
        record->headers = fields->headers;
        record->header_count = fields->header_count;
    }
    return PS_KAFKA_FLAW_NONE;
}
