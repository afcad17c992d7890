/* The step `flow`: an agent's file of three words, for scenarios that are about something else. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/world/disk.h"
#include "tests/world/scenario/scenario.h"

struct component {
    const char *name, *lines;
};

static const struct component sources[] = {
    {"netcat", "type = netcat\nbind = 127.0.0.1\nport = 4141\n"},
    {"syslogtcp", "type = syslogtcp\nhost = 127.0.0.1\nport = 5140\n"},
    {"syslogudp", "type = syslogudp\nhost = 127.0.0.1\nport = 5140\n"},
    {"http", "type = http\nbind = 127.0.0.1\nport = 5140\n"},
    {"taildir",
     "type = TAILDIR\nfilegroups = g\nfilegroups.g = /w/logs/.*\npositionFile = /w/positions.json\n"},
    {"spooldir", "type = spooldir\nspoolDir = /w/spool\n"},
    {"seq", "type = seq\ntotalEvents = 100\n"},
    {"stress", "type = stress\nsize = 10\n"},
    {"kafka",
     "type = org.apache.flume.source.kafka.KafkaSource\nkafka.bootstrap.servers = "
     "kafka1:9092\nkafka.topics = "
     "in\nkafka.consumer.group.id = g\nkafka.consumer.auto.offset.reset = earliest\nbatchSize = 100\n"},
};

static const struct component channels[] = {
    {"memory", "type = memory\n"},
    {"file", "type = file\ncheckpointDir = /w/checkpoint\ndataDirs = /w/data\n"},
    {"jdbc", "type = jdbc\nsysprop.user.home = /w\n"},
    {"kafka", "type = org.apache.flume.channel.kafka.KafkaChannel\nkafka.bootstrap.servers = "
              "kafka1:9092\nkafka.topic = in\nkafka.consumer.group.id = g\n"},
    {"spillable", "type = SPILLABLEMEMORY\ncheckpointDir = /w/checkpoint\ndataDirs = /w/data\n"},
};

static const struct component sinks[] = {
    {"file_roll", "type = file_roll\nsink.directory = /w/out\nsink.rollInterval = 0\n"},
    {"http", "type = http\nendpoint = http://127.0.0.1:8080/\nrollback.2XX = false\nbackoff.2XX = false\n"},
    {"avro", "type = avro\nhostname = 127.0.0.1\nport = 4545\n"},
    {"kafka", "type = org.apache.flume.sink.kafka.KafkaSink\nkafka.bootstrap.servers = "
              "kafka1:9092\nkafka.topic = t\n"},
    {"hdfs",
     "type = hdfs\nhdfs.path = hdfs://nn1:8020/out\nhdfs.fileType = DataStream\nhdfs.rollInterval = 0\n"
     "hdfs.rollSize = 0\nhdfs.rollCount = 0\n"},
    {"hive", "type = hive\nhive.metastore = thrift://metastore:9083\nhive.database = default\nhive.table = "
             "t\nserializer = "
             "DELIMITED\nserializer.fieldnames = line\npenstock.commit.interval = 0\nbatchSize = 100\n"},
    {"null", "type = null\n"},
};

/* Appends the lines of a component, each behind `prefix`. Returns false if there is no such component. */
static bool add(char *to, size_t room, const struct component *table, size_t count, const char *name,
                const char *prefix)
{
    const struct component *found = table;
    while (found < table + count && strcmp(found->name, name) != 0)
        found++;
    if (found == table + count)
        return false;
    for (const char *line = found->lines; *line != 0; line = strchr(line, '\n') + 1) {
        size_t length = strlen(to);
        snprintf(to + length, room - length, "%s%.*s\n", prefix, (int)strcspn(line, "\n"), line);
    }
    return true;
}

#define ADD(table, word, prefix) add(text, room, table, sizeof(table) / sizeof *(table), word, prefix)

char *flow_text(const struct scenario_step *step)
{
    size_t room = step->length + 2048;
    char *text = malloc(room);
    snprintf(text, room,
             "a.sources = s\na.channels = c\na.sinks = k\na.sources.s.channels = c\na.sinks.k.channel = c\n");
    if (!ADD(sources, step->words[0], "a.sources.s.") || !ADD(channels, step->words[1], "a.channels.c.") ||
        !ADD(sinks, step->words[2], "a.sinks.k.")) {
        free(text);
        return NULL;
    }
    size_t length = strlen(text);
    snprintf(text + length, room - length, "%s", step->text == NULL ? "" : step->text);
    return text;
}

enum outcome step_flow(struct scenario *scenario, const struct scenario_step *step)
{
    char *text = flow_text(step);
    if (text == NULL)
        return step_failed(scenario, "one of %s, %s and %s is unknown", step->words[0], step->words[1],
                           step->words[2]);
    agent_is(scenario, text);
    disk_put("/w/out/.none", "", 0); /* file_roll makes no directory */
    free(text);
    return STEP_DONE;
}
