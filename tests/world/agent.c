#include "tests/world/agent.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tests/world/disk.h"
#include "tests/world/peers/kafka/cluster.h"
#include "tests/world/peers/peers.h"

#define EVENTS_MAX 600U
#define PORT 4141
#define SERVER_PORT 8080

static void put(struct drawn_agent *agent, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put(struct drawn_agent *agent, const char *format, ...)
{
    size_t length = strlen(agent->text);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(agent->text + length, sizeof agent->text - length, format, arguments);
    va_end(arguments);
}

static uint64_t one_of(uint64_t a, uint64_t b, uint64_t c)
{
    return world_below(3) == 0 ? a : world_below(2) == 0 ? b : c;
}

static void draw_source(struct drawn_agent *agent)
{
    uint32_t events = 200 + (uint32_t)world_below(EVENTS_MAX - 200);
    put(agent, "a.sources = s\na.sources.s.channels = c\n");
    switch (world_below(4)) {
    case 0:
        agent->source = "taildir";
        agent->survives_kills = true;
        put(agent,
            "a.sources.s.type = TAILDIR\na.sources.s.filegroups = g\na.sources.s.filegroups.g = "
            "/w/logs/a.log.*\n"
            "a.sources.s.positionFile = /w/positions.json\na.sources.s.batchSize = %u\n",
            (unsigned)one_of(1, 10, 100));
        disk_put("/w/logs/a.log", "", 0);
        writer_add("/w/logs", events);
        break;
    case 1:
        agent->source = "spooldir";
        agent->survives_kills = true;
        put(agent,
            "a.sources.s.type = spooldir\na.sources.s.spoolDir = /w/spool\na.sources.s.batchSize = %u\n",
            (unsigned)one_of(1, 10, 100));
        put(agent, "a.sources.s.deletePolicy = %s\n", world_below(2) == 0 ? "never" : "immediate");
        disk_put("/w/spool/.none", "", 0);
        disk_put("/w/beside/.none", "", 0);
        spooler_add("/w/spool", events);
        break;
    case 2:
        agent->source = "netcat";
        put(agent,
            "a.sources.s.type = netcat\na.sources.s.bind = 0.0.0.0\na.sources.s.port = "
            "%d\na.sources.s.max-line-length = 4096\n",
            PORT);
        netcat_add(PORT, events);
        break;
    default:
        agent->source = "http";
        put(agent, "a.sources.s.type = http\na.sources.s.bind = 0.0.0.0\na.sources.s.port = %d\n", PORT);
        http_client_add(PORT, events);
        break;
    }
}

static void draw_channel(struct drawn_agent *agent)
{
    put(agent, "a.channels = c\n");
    switch (world_below(3)) {
    case 0:
        agent->channel = "memory";
        put(agent,
            "a.channels.c.type = memory\na.channels.c.capacity = %u\na.channels.c.transactionCapacity = "
            "100\n",
            (unsigned)one_of(100, 1000, 10000));
        break;
    case 1:
        agent->channel = "jdbc";
        agent->survives_kills = true;
        put(agent, "a.channels.c.type = jdbc\na.channels.c.sysprop.user.home = /w\n");
        break;
    default:
        agent->channel = "file";
        agent->survives_kills = true;
        put(agent,
            "a.channels.c.type = file\na.channels.c.checkpointDir = /w/checkpoint\na.channels.c.dataDirs = "
            "/w/data%s\n"
            "a.channels.c.maxFileSize = 1048576\na.channels.c.minimumRequiredSpace = "
            "1048576\na.channels.c.capacity = %u\n"
            "a.channels.c.transactionCapacity = 100\n",
            world_below(3) == 0 ? ",/w/data2" : "", (unsigned)one_of(100, 1000, 10000));
        break;
    }
}

static void draw_sink(struct drawn_agent *agent)
{
    put(agent, "a.sinks = k\na.sinks.k.channel = c\n");
    uint64_t kind = world_below(4);
    if (kind == 0) {
        agent->sink = "kafka";
        put(agent,
            "a.sinks.k.type = org.apache.flume.sink.kafka.KafkaSink\na.sinks.k.kafka.bootstrap.servers = "
            "kafka1:9092,kafka2:9092,kafka3:9092\n"
            "a.sinks.k.kafka.topic = t\na.sinks.k.flumeBatchSize = %u\n",
            (unsigned)one_of(1, 10, 100));
        kafka_add();
        return;
    }
    if (kind == 1) {
        agent->sink = "http";
        put(agent,
            "a.sinks.k.type = http\na.sinks.k.endpoint = http://localhost:%d/\na.sinks.k.connectTimeout = "
            "2000\na.sinks.k.requestTimeout = 5000\n"
            "a.sinks.k.acceptHeader = */*\na.sinks.k.contentTypeHeader = "
            "text/plain\na.sinks.k.defaultBackoff = true\n"
            "a.sinks.k.defaultRollback = true\na.sinks.k.backoff.200 = false\na.sinks.k.rollback.200 = "
            "false\n",
            SERVER_PORT);
        http_server_add(SERVER_PORT);
        return;
    }
    agent->sink = "file_roll";
    put(agent,
        "a.sinks.k.type = file_roll\na.sinks.k.sink.directory = /w/out\na.sinks.k.sink.rollInterval = %u\n"
        "a.sinks.k.sink.batchSize = %u\n",
        (unsigned)one_of(0, 1, 30), (unsigned)one_of(1, 10, 100));
}

void agent_draw(struct drawn_agent *agent)
{
    *agent = (struct drawn_agent){0};
    draw_source(agent);
    draw_channel(agent);
    draw_sink(agent);
    put(agent, "a.penstock.memory.budget = 67108864\n");
    disk_put("/w/out/.none", "", 0);
    disk_put("/w/agent.properties", agent->text, strlen(agent->text));
}
