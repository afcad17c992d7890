/* A table of stages that only have names and rows, so that the corpus tests the rules of conf/ independently
 * of the real stages' keys. */
#pragma once

#include "core/stage.h"

#include <stddef.h>
#include <string.h>

struct fake_plan {
    int64_t number, batch, capacity, transaction;
    const char *text;
    int word;
    bool flag;
    double ratio;
    struct ps_texts list, commas;
    struct ps_pairs map;
    void *serializer;
    const char *serializer_type;
    struct ps_pairs serializer_keys;
};

#define AT(field) offsetof(struct fake_plan, field)

static const struct ps_option fake_source_rows[] = {
    {.key = "port",
     .type = PS_OPTION_INT,
     .offset = AT(number),
     .min = 1,
     .max = 65535,
     .flags = PS_OPTION_REQUIRED,
     .help = "TCP port"},
    {.key = "host",
     .type = PS_OPTION_TEXT,
     .offset = AT(text),
     .fallback = "0.0.0.0",
     .help = "address to listen on"},
    {.key = "batchSize",
     .type = PS_OPTION_INT,
     .offset = AT(batch),
     .fallback = "1",
     .min = 1,
     .max = 1000000,
     .help = "events a batch"},
    {.key = "keepFields",
     .type = PS_OPTION_LIST,
     .offset = AT(list),
     .fallback = "none",
     .help = "fields kept"},
    {.key = "readBufferBytes",
     .type = PS_OPTION_INT,
     .offset = AT(capacity),
     .fallback = "1024",
     .aliases = PS_WORDS("readBufferSize"),
     .help = "bytes of a read"},
    {.key = "protocol",
     .type = PS_OPTION_ENUM,
     .offset = AT(word),
     .fallback = "compact",
     .words = PS_WORDS("compact", "binary"),
     .help = "wire form"},
    {.key = "ssl", .type = PS_OPTION_BOOL, .offset = AT(flag), .fallback = "false", .help = "TLS"},
    {.key = "threads",
     .type = PS_OPTION_INT,
     .offset = AT(transaction),
     .flags = PS_OPTION_NO_EFFECT,
     .help = "Flume ignores it since 1.10"},
    {.key = "ipFilter",
     .type = PS_OPTION_BOOL,
     .offset = AT(flag),
     .flags = PS_OPTION_UNSUPPORTED,
     .help = "address filter"},
    {.key = "headers.", .type = PS_OPTION_MAP, .offset = AT(map), .help = "headers by name"},
    PS_OPTION_END,
};

static const struct ps_option fake_seq_rows[] = {
    {.key = "batchSize",
     .type = PS_OPTION_INT,
     .offset = AT(batch),
     .fallback = "1",
     .min = 1,
     .max = INT64_MAX,
     .help = "events a batch"},
    {.key = "totalEvents", .type = PS_OPTION_INT, .offset = AT(number), .fallback = "0", .help = "how many"},
    PS_OPTION_END,
};

static const struct ps_option fake_kafka_source_rows[] = {
    {.key = "kafka.bootstrap.servers",
     .type = PS_OPTION_COMMAS,
     .offset = AT(commas),
     .flags = PS_OPTION_REQUIRED,
     .help = "brokers"},
    {.key = "kafka.topics", .type = PS_OPTION_COMMAS, .offset = AT(list), .help = "topics"},
    {.key = "topic",
     .type = PS_OPTION_TEXT,
     .offset = AT(text),
     .flags = PS_OPTION_DEPRECATED,
     .help = "use kafka.topics"},
    {.key = "setTopicHeader",
     .type = PS_OPTION_BOOL,
     .offset = AT(flag),
     .fallback = "true",
     .help = "topic as a header"},
    {.key = "topicHeader",
     .type = PS_OPTION_TEXT,
     .offset = AT(serializer_type),
     .fallback = "topic",
     .help = "its name"},
    {.key = "kafka.consumer.", .type = PS_OPTION_MAP, .offset = AT(map), .help = "for the client"},
    PS_OPTION_END,
};

static const struct ps_option fake_kafka_sink_rows[] = {
    {.key = "kafka.bootstrap.servers",
     .type = PS_OPTION_COMMAS,
     .offset = AT(commas),
     .flags = PS_OPTION_REQUIRED,
     .help = "brokers"},
    {.key = "kafka.topic",
     .type = PS_OPTION_TEXT,
     .offset = AT(text),
     .fallback = "default-flume-topic",
     .help = "topic"},
    {.key = "flumeBatchSize",
     .type = PS_OPTION_INT,
     .offset = AT(batch),
     .fallback = "100",
     .min = 1,
     .max = INT64_MAX,
     .aliases = PS_WORDS("kafka.flumeBatchSize", "batchSize"),
     .help = "events a batch"},
    {.key = "allowTopicOverride",
     .type = PS_OPTION_BOOL,
     .offset = AT(flag),
     .fallback = "true",
     .help = "header decides"},
    {.key = "topicHeader",
     .type = PS_OPTION_TEXT,
     .offset = AT(serializer_type),
     .fallback = "topic",
     .help = "which header"},
    {.key = "kafka.producer.", .type = PS_OPTION_MAP, .offset = AT(map), .help = "for the client"},
    PS_OPTION_END,
};

static const struct ps_option fake_memory_rows[] = {
    {.key = "capacity",
     .flags = PS_OPTION_LENIENT,
     .type = PS_OPTION_INT,
     .offset = AT(capacity),
     .fallback = "100",
     .min = 1,
     .max = INT32_MAX,
     .unit = "events",
     .help = "most events"},
    {.key = "transactionCapacity",
     .type = PS_OPTION_INT,
     .offset = AT(transaction),
     .fallback = "100",
     .min = 1,
     .max = INT32_MAX,
     .unit = "events",
     .help = "most events a transaction"},
    {.key = "keep-alive", .type = PS_OPTION_INT, .offset = AT(number), .fallback = "3", .help = "seconds"},
    PS_OPTION_END,
};

static const struct ps_option fake_null_rows[] = {
    {.key = "batchSize",
     .type = PS_OPTION_INT,
     .offset = AT(batch),
     .fallback = "100",
     .min = 1,
     .max = INT64_MAX,
     .help = "events a batch"},
    PS_OPTION_END,
};

static const struct ps_option fake_file_rows[] = {
    {.key = "sink.directory",
     .type = PS_OPTION_TEXT,
     .offset = AT(text),
     .flags = PS_OPTION_REQUIRED,
     .help = "directory to write in"},
    {.key = "sink.ratio",
     .type = PS_OPTION_DOUBLE,
     .offset = AT(ratio),
     .fallback = "0.5",
     .help = "a ratio"},
    {.key = "sink.serializer",
     .type = PS_OPTION_TEXT,
     .offset = AT(serializer_type),
     .fallback = "TEXT",
     .help = "serializer"},
    {.key = "sink.serializer.", .type = PS_OPTION_MAP, .offset = AT(serializer_keys), .help = "its keys"},
    {.key = "password",
     .type = PS_OPTION_INT,
     .offset = AT(number),
     .flags = PS_OPTION_SECRET,
     .help = "a secret number"},
    PS_OPTION_END,
};

static const struct ps_option fake_static_rows[] = {
    {.key = "key", .type = PS_OPTION_TEXT, .offset = AT(text), .fallback = "key", .help = "header"},
    {.key = "value",
     .type = PS_OPTION_TEXT,
     .offset = AT(serializer_type),
     .fallback = "value",
     .help = "its value"},
    {.key = "preserveExisting",
     .type = PS_OPTION_BOOL,
     .offset = AT(flag),
     .fallback = "true",
     .help = "keep what is there"},
    PS_OPTION_END,
};

static const struct ps_option fake_remove_rows[] = {
    {.key = "withName", .type = PS_OPTION_TEXT, .offset = AT(text), .help = "header"},
    PS_OPTION_END,
};

static const struct ps_option fake_replicating_rows[] = {
    {.key = "optional", .type = PS_OPTION_LIST, .offset = AT(list), .help = "optional channels"},
    PS_OPTION_END,
};

static const struct ps_option fake_multiplexing_rows[] = {
    {.key = "header",
     .type = PS_OPTION_TEXT,
     .offset = AT(text),
     .fallback = "flume.selector.header",
     .help = "header"},
    {.key = "mapping.", .type = PS_OPTION_MAP, .offset = AT(map), .help = "value to channels"},
    {.key = "default", .type = PS_OPTION_LIST, .offset = AT(list), .help = "channels for the rest"},
    PS_OPTION_END,
};

static const struct ps_option fake_text_rows[] = {
    {.key = "appendNewline",
     .type = PS_OPTION_BOOL,
     .offset = AT(flag),
     .fallback = "true",
     .help = "newline after each"},
    PS_OPTION_END,
};

/* Flume's MemoryChannel also refuses this. */
static enum ps_status fake_memory_check(const void *plan, const struct ps_context *context)
{
    const struct fake_plan *fake = plan;
    if (fake->transaction <= fake->capacity)
        return PS_OK;
    ps_report(context, PS_LOG_ERROR, "transactionCapacity", "is above capacity: Flume drops the channel");
    return PS_FAIL;
}

/* Every mapped channel must be one of the source's channels. */
static enum ps_status fake_multiplexing_check(const void *plan, const struct ps_context *context)
{
    const struct fake_plan *fake = plan;
    for (size_t i = 0; i < fake->map.count; i++) {
        bool known = false;
        for (size_t j = 0; j < context->channels.count; j++)
            known |= strcmp(context->channels.items[j], fake->map.items[i].value) == 0;
        if (!known) {
            ps_report(context, PS_LOG_ERROR, fake->map.items[i].key,
                      "names channel %s, which is not a channel of the source", fake->map.items[i].value);
            return PS_FAIL;
        }
    }
    return PS_OK;
}

static enum ps_status fake_file_check(const void *plan, const struct ps_context *context)
{
    const struct fake_plan *fake = plan;
    struct ps_context copy = *context;
    struct ps_err err = {.length = 0};
    void *serializer = NULL;
    return context->sub_stage(&copy, PS_KIND_SERIALIZER, fake->serializer_type, &fake->serializer_keys,
                              &serializer, &err) != NULL
               ? PS_OK
               : PS_FAIL;
}

#define FAKE(kind_, name_, rows_, ...)                                                                       \
    {                                                                                                        \
        PS_STAGE(kind_), .name = name_, .options = rows_, .plan_size = sizeof(struct fake_plan),             \
                         .summary = name_, __VA_ARGS__                                                       \
    }

static const struct ps_stage_ops fake_stages[] = {
    FAKE(PS_KIND_SOURCE, "syslogtcp", fake_source_rows,
         .aliases = PS_WORDS("org.apache.flume.source.SyslogTcpSource")),
    FAKE(PS_KIND_SOURCE, "seq", fake_seq_rows,
         .aliases = PS_WORDS("org.apache.flume.source.SequenceGeneratorSource"), .exclusive = true),
    FAKE(PS_KIND_SOURCE, "avro", fake_source_rows,
         .aliases =
             PS_WORDS("org.apache.flume.source.AvroSource", "org.apache.flume.rpc.avro.source.AvroSource")),
    FAKE(PS_KIND_SOURCE, "kafka", fake_kafka_source_rows,
         .aliases = PS_WORDS("org.apache.flume.source.kafka.KafkaSource")),
    FAKE(PS_KIND_CHANNEL, "memory", fake_memory_rows,
         .aliases = PS_WORDS("org.apache.flume.channel.MemoryChannel"), .check = fake_memory_check),
    FAKE(PS_KIND_SINK, "null", fake_null_rows, .aliases = PS_WORDS("org.apache.flume.sink.NullSink")),
    FAKE(PS_KIND_SINK, "logger", fake_null_rows, .aliases = PS_WORDS("org.apache.flume.sink.LoggerSink")),
    FAKE(PS_KIND_SINK, "kafka", fake_kafka_sink_rows,
         .aliases = PS_WORDS("org.apache.flume.sink.kafka.KafkaSink")),
    FAKE(PS_KIND_SINK, "file_roll", fake_file_rows,
         .aliases = PS_WORDS("org.apache.flume.sink.RollingFileSink"), .check = fake_file_check),
    FAKE(PS_KIND_INTERCEPTOR, "static", fake_static_rows,
         .aliases = PS_WORDS("org.apache.flume.interceptor.StaticInterceptor$Builder")),
    FAKE(PS_KIND_INTERCEPTOR, "timestamp", fake_remove_rows,
         .aliases = PS_WORDS("org.apache.flume.interceptor.TimestampInterceptor$Builder")),
    FAKE(PS_KIND_INTERCEPTOR, "remove_header", fake_remove_rows),
    FAKE(PS_KIND_SELECTOR, "replicating", fake_replicating_rows),
    FAKE(PS_KIND_SELECTOR, "multiplexing", fake_multiplexing_rows, .check = fake_multiplexing_check),
    FAKE(PS_KIND_SERIALIZER, "text", fake_text_rows),
};

#undef AT

/* Returns the table in the form that ps_conf_load takes. */
static const struct ps_stage_ops *const *fake_table(void)
{
    static const struct ps_stage_ops *table[PS_COUNT_OF(fake_stages) + 1];
    for (size_t i = 0; i < PS_COUNT_OF(fake_stages); i++)
        table[i] = &fake_stages[i];
    return table;
}
