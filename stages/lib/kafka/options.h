/* Option rows that the Kafka source, sink and channel share. `offset_`: offset of the member of the plan: a
 * const char * for texts, an int64_t for numbers, a bool for the zookeeper option, struct ps_pairs for
 * properties. */
#pragma once

#include "core/option.h"

/* `aliases_`: names of Flume before 1.7, or NULL. */
#define PS_KAFKA_SERVERS_OPTION_ROW(offset_, aliases_)                                                       \
    {                                                                                                        \
        .key = "kafka.bootstrap.servers", .type = PS_OPTION_TEXT, .offset = (offset_),                       \
        .aliases = (aliases_), .flags = PS_OPTION_REQUIRED,                                                  \
        .help = "brokers to contact first, host:port, separated by commas"                                   \
    }

/* Two keys: the partition for events whose headers name none, and the header that names an event's partition. */
#define PS_KAFKA_PARTITION_OPTION_ROWS(default_offset_, header_offset_)                                      \
    {.key = "defaultPartitionId",                                                                            \
     .type = PS_OPTION_INT,                                                                                  \
     .offset = (default_offset_),                                                                            \
     .fallback = "-1",                                                                                       \
     .min = -1,                                                                                              \
     .max = INT32_MAX,                                                                                       \
     .help = "partition of events without a partition header; -1: by the header key, or spread"},            \
    {                                                                                                        \
        .key = "partitionIdHeader", .type = PS_OPTION_TEXT, .offset = (header_offset_),                      \
        .flags = PS_OPTION_HEADER,                                                                           \
        .help = "header with the partition number; it has precedence over defaultPartitionId"                \
    }

#define PS_KAFKA_PRODUCER_OPTION_ROW(offset_)                                                                \
    {                                                                                                        \
        .key = "kafka.producer.", .type = PS_OPTION_MAP, .offset = (offset_),                                \
        .help = "properties of the Java producer, see docs/KAFKA_PROPERTIES.md"                              \
    }

/* Keys that Flume used with ZooKeeper. */
#define PS_KAFKA_ZOOKEEPER_OPTION_ROWS(connect_offset_, migrate_offset_)                                     \
    {.key = "zookeeperConnect",                                                                              \
     .type = PS_OPTION_TEXT,                                                                                 \
     .offset = (connect_offset_),                                                                            \
     .flags = PS_OPTION_NO_EFFECT,                                                                           \
     .help = "ZooKeeper is not used: set the brokers in kafka.bootstrap.servers"},                           \
    {                                                                                                        \
        .key = "migrateZookeeperOffsets", .type = PS_OPTION_BOOL, .offset = (migrate_offset_),               \
        .fallback = "true", .flags = PS_OPTION_NO_EFFECT,                                                    \
        .help = "offsets kept in ZooKeeper (Flume before 1.7) are not migrated: run Flume once to do it"     \
    }
