/* A drawn agent: its file, its peers, and what it promises. */
#pragma once

#include "tests/world/shared.h"

enum agent_source {
    SOURCE_TAILDIR,
    SOURCE_SPOOLDIR,
    SOURCE_NETCAT,
    SOURCE_HTTP,
    SOURCE_AVRO,
    SOURCE_THRIFT,
    SOURCE_SYSLOGTCP,
    SOURCE_MULTIPORT,
    SOURCE_SYSLOGUDP,
    SOURCE_KAFKA,
    SOURCES
};
enum agent_channel { CHANNEL_MEMORY, CHANNEL_JDBC, CHANNEL_FILE, CHANNELS };
enum agent_sink { SINK_FILE_ROLL, SINK_HTTP, SINK_KAFKA, SINK_AVRO, SINK_THRIFT, SINKS };

struct drawn_agent {
    enum agent_source source;
    enum agent_channel channel;
    enum agent_sink sink;
    const char *names[3]; /* of the three */
    bool survives_kills;  /* what was acknowledged arrives although the process was killed */
    bool two_directories; /* of the file channel */
    bool exactly_once;    /* from Kafka to Kafka */
    struct kafka_reader { /* of a Kafka source */
        bool committed_only, is_static;
        const char *assignor; /* NULL: the default */
    } reader;
    char text[4096]; /* of the file that was written last */
};

/* Draws an agent, writes its file to /w/agent.properties, and makes its peers. */
void agent_draw(struct drawn_agent *agent);
/* Writes a neighbour of the file: the same components with other numbers. */
void agent_redraw(struct drawn_agent *agent);
