#include "tests/world/agent.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tests/world/disk.h"
#include "tests/world/peers/kafka/cluster.h"
#include "tests/world/peers/peers.h"
#include "tests/world/peers/rpc/rpc.h"

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

static unsigned one_of(unsigned a, unsigned b, unsigned c)
{
    return world_below(3) == 0 ? a : world_below(2) == 0 ? b : c;
}

static void put_source(struct drawn_agent *agent)
{
    put(agent, "a.sources = s\na.sources.s.channels = c\n");
    switch (agent->source) {
    case SOURCE_TAILDIR:
        put(agent,
            "a.sources.s.type = TAILDIR\na.sources.s.filegroups = g\na.sources.s.filegroups.g = "
            "/w/logs/a.log.*\n"
            "a.sources.s.positionFile = /w/positions.json\na.sources.s.batchSize = %u\n",
            one_of(1, 10, 100));
        break;
    case SOURCE_SPOOLDIR:
        put(agent,
            "a.sources.s.type = spooldir\na.sources.s.spoolDir = /w/spool\na.sources.s.batchSize = %u\n",
            one_of(1, 10, 100));
        put(agent, "a.sources.s.deletePolicy = %s\n", world_below(2) == 0 ? "never" : "immediate");
        break;
    case SOURCE_NETCAT:
        put(agent,
            "a.sources.s.type = netcat\na.sources.s.bind = 0.0.0.0\na.sources.s.port = %d\n"
            "a.sources.s.max-line-length = %u\n",
            PORT, one_of(2048, 4096, 8192));
        break;
    case SOURCE_AVRO:
    case SOURCE_THRIFT:
        put(agent, "a.sources.s.type = %s\na.sources.s.bind = 0.0.0.0\na.sources.s.port = %d\n",
            agent->names[0], PORT);
        break;
    case SOURCE_SYSLOGTCP:
    case SOURCE_SYSLOGUDP:
        put(agent, "a.sources.s.type = %s\na.sources.s.host = 0.0.0.0\na.sources.s.port = %d\n",
            agent->names[0], PORT);
        break;
    case SOURCE_MULTIPORT:
        put(agent, "a.sources.s.type = multiport_syslogtcp\na.sources.s.ports = %d %d\n", PORT, PORT + 1);
        break;
    default:
        put(agent, "a.sources.s.type = http\na.sources.s.bind = 0.0.0.0\na.sources.s.port = %d\n", PORT);
        break;
    }
}

static void put_channel(struct drawn_agent *agent)
{
    unsigned capacity = one_of(100, 1000, 10000);
    put(agent, "a.channels = c\n");
    switch (agent->channel) {
    case CHANNEL_MEMORY:
        put(agent,
            "a.channels.c.type = memory\na.channels.c.capacity = %u\na.channels.c.transactionCapacity = "
            "100\n",
            capacity);
        break;
    case CHANNEL_JDBC:
        put(agent, "a.channels.c.type = jdbc\na.channels.c.sysprop.user.home = /w\n");
        break;
    default:
        put(agent,
            "a.channels.c.type = file\na.channels.c.checkpointDir = /w/checkpoint\na.channels.c.dataDirs = "
            "/w/data%s\n"
            "a.channels.c.maxFileSize = 1048576\na.channels.c.minimumRequiredSpace = "
            "1048576\na.channels.c.capacity = %u\n"
            "a.channels.c.transactionCapacity = 100\n",
            agent->two_directories ? ",/w/data2" : "", capacity);
        break;
    }
}

static void put_sink(struct drawn_agent *agent)
{
    put(agent, "a.sinks = k\na.sinks.k.channel = c\n");
    switch (agent->sink) {
    case SINK_KAFKA:
        put(agent,
            "a.sinks.k.type = org.apache.flume.sink.kafka.KafkaSink\n"
            "a.sinks.k.kafka.bootstrap.servers = kafka1:9092,kafka2:9092,kafka3:9092\na.sinks.k.kafka.topic "
            "= t\n"
            "a.sinks.k.flumeBatchSize = %u\n",
            one_of(1, 10, 100));
        break;
    case SINK_HTTP:
        put(agent,
            "a.sinks.k.type = http\na.sinks.k.endpoint = http://localhost:%d/\na.sinks.k.connectTimeout = "
            "2000\n"
            "a.sinks.k.requestTimeout = %u\na.sinks.k.acceptHeader = */*\na.sinks.k.contentTypeHeader = "
            "text/plain\n"
            "a.sinks.k.defaultBackoff = true\na.sinks.k.defaultRollback = true\na.sinks.k.backoff.200 = "
            "false\n"
            "a.sinks.k.rollback.200 = false\n",
            SERVER_PORT, one_of(1000, 5000, 20000));
        break;
    case SINK_AVRO:
    case SINK_THRIFT:
        put(agent,
            "a.sinks.k.type = %s\na.sinks.k.hostname = localhost\na.sinks.k.port = %d\na.sinks.k.batch-size "
            "= "
            "%u\na.sinks.k.request-timeout = %u\n",
            agent->names[2], SERVER_PORT, one_of(1, 10, 100), one_of(1000, 5000, 20000));
        if (world_below(3) == 0)
            put(agent, "a.sinks.k.reset-connection-interval = 1\n");
        if (agent->sink == SINK_THRIFT)
            put(agent, "a.sinks.k.protocol = %s\n", world_below(2) == 0 ? "compact" : "binary");
        break;
    default:
        put(agent,
            "a.sinks.k.type = file_roll\na.sinks.k.sink.directory = /w/out\na.sinks.k.sink.rollInterval = "
            "%u\n"
            "a.sinks.k.sink.batchSize = %u\n",
            one_of(0, 1, 30), one_of(1, 10, 100));
        break;
    }
}

void agent_redraw(struct drawn_agent *agent)
{
    agent->text[0] = 0;
    put_source(agent);
    put_channel(agent);
    put_sink(agent);
    put(agent, "a.penstock.memory.budget = 67108864\n");
    disk_put("/w/agent.properties", agent->text, strlen(agent->text));
}

static void make_source_peer(const struct drawn_agent *agent)
{
    uint32_t events = 200 + (uint32_t)world_below(EVENTS_MAX - 200);
    switch (agent->source) {
    case SOURCE_TAILDIR:
        disk_put("/w/logs/a.log", "", 0);
        writer_add("/w/logs", events);
        break;
    case SOURCE_SPOOLDIR:
        disk_put("/w/spool/.none", "", 0);
        disk_put("/w/beside/.none", "", 0);
        spooler_add("/w/spool", events);
        break;
    case SOURCE_NETCAT:
        netcat_add(PORT, events);
        break;
    case SOURCE_AVRO:
        rpc_avro_client_add(PORT, events);
        break;
    case SOURCE_THRIFT:
        rpc_thrift_client_add(PORT, events);
        break;
    case SOURCE_SYSLOGTCP:
    case SOURCE_SYSLOGUDP:
        syslog_add((uint16_t[]){PORT, PORT}, agent->source == SOURCE_SYSLOGUDP, events);
        break;
    case SOURCE_MULTIPORT:
        syslog_add((uint16_t[]){PORT, PORT + 1}, false, events);
        break;
    default:
        http_client_add(PORT, events);
        ledger_expect_header(HEADER_NUMBER, "n", NULL);
        break;
    }
}

void agent_draw(struct drawn_agent *agent)
{
    static const char *const sources[SOURCES] = {"taildir",  "spooldir", "netcat",    "http",
                                                 "avro",     "thrift",   "syslogtcp", "multiport_syslogtcp",
                                                 "syslogudp"};
    static const char *const channels[CHANNELS] = {"memory", "jdbc", "file"};
    static const char *const sinks[SINKS] = {"file_roll", "http", "kafka", "avro", "thrift"};
    *agent = (struct drawn_agent){.source = (enum agent_source)world_below(SOURCES),
                                  .channel = (enum agent_channel)world_below(CHANNELS),
                                  .sink = (enum agent_sink)world_below(SINKS),
                                  .two_directories = world_below(3) == 0};
    agent->names[0] = sources[agent->source];
    agent->names[1] = channels[agent->channel];
    agent->names[2] = sinks[agent->sink];
    agent->survives_kills = agent->source <= SOURCE_SPOOLDIR || agent->channel != CHANNEL_MEMORY;
    make_source_peer(agent);
    if (agent->sink == SINK_HTTP)
        http_server_add(SERVER_PORT);
    else if (agent->sink == SINK_KAFKA)
        kafka_add();
    else if (agent->sink == SINK_AVRO)
        rpc_server_add(SERVER_PORT, rpc_avro_take);
    else if (agent->sink == SINK_THRIFT)
        rpc_server_add(SERVER_PORT, rpc_thrift_take);
    disk_put("/w/out/.none", "", 0);
    agent_redraw(agent);
}
