/* A drawn agent: its file, its peers, and what it promises. */
#pragma once

#include "tests/world/peers/peers.h"
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
enum agent_channel { CHANNEL_MEMORY, CHANNEL_JDBC, CHANNEL_FILE, CHANNEL_SPILLABLE, CHANNELS };
enum agent_sink {
    SINK_FILE_ROLL,
    SINK_HTTP,
    SINK_KAFKA,
    SINK_AVRO,
    SINK_THRIFT,
    SINK_HDFS,    /* drawn in the place of some of file_roll */
    SINK_HIVE,    /* .. and of some of hdfs */
    SINK_ELASTIC, /* stores, in the place of some of any */
    SINK_SOLR,
    SINK_HBASE,
    SINK_KUDU,
    SINK_NULL,
    SINK_LOGGER,
    SINKS
};

/* How the components are connected. The first channel has the first sink. */
enum agent_shape {
    SHAPE_PLAIN,
    SHAPE_SHARED,    /* two sinks at one channel */
    SHAPE_GROUP,     /* .. in a group */
    SHAPE_REPLICATE, /* each event in two channels */
    SHAPE_OPTIONAL,  /* .. of which the second one may miss some */
    SHAPE_MULTIPLEX, /* two channels, by a header */
    SHAPE_TIER,      /* the first sink sends to a source of the same agent, behind which the rest is */
    SHAPES
};

enum agent_interceptor {
    INTERCEPT_STATIC,
    INTERCEPT_TIMESTAMP,
    INTERCEPT_HOST,
    INTERCEPT_UUID,
    INTERCEPT_EXTRACT, /* the last digit of the event's number */
    INTERCEPT_REPLACE, /* the last character of the body */
    INTERCEPT_FILTER,  /* drops numbers with a digit at the end */
    INTERCEPTORS
};

struct drawn_agent {
    enum agent_shape shape;
    enum agent_source source;
    enum agent_channel channels[2];
    enum agent_sink sinks[2];
    unsigned workers;
    unsigned far_ends[2];  /* of the sinks */
    unsigned interceptors; /* a bit each */
    unsigned filtered;     /* the digit */
    unsigned second; /* multiplex: digits of the second channel, a bit each; the others have the default */
    bool has_default;
    bool survives_kills;  /* what was acknowledged arrives although the process was killed */
    bool two_directories; /* of the file channels */
    bool encrypts;        /* what file channels write */
    bool has_state;       /* a directory for what outlives a life */
    bool kafka_channel;   /* a topic is the channel; with SOURCE_KAFKA there is no source */
    bool exactly_once;    /* from Kafka to Kafka */
    struct kafka_reader { /* of a Kafka source */
        bool committed_only, is_static;
        const char *assignor;   /* NULL: the default */
        unsigned fetch_wait_ms; /* after which a broker answers that nothing is there */
    } reader;
    struct file_reader { /* of a source of files */
        unsigned logs;   /* that are followed: 1 or 2 */
        bool two_groups; /* one for each */
        bool file_header, name_header, offset_header, group_header;
        enum {
            FINISHED_RENAME,
            FINISHED_REMOVE,
            FINISHED_MARK
        } finished; /* files of the spooling directory */
        const char *suffix, *order;
        struct spooled form;
    } files;
    bool name_service; /* the sink hdfs knows both namenodes */
    char name[128];    /* of the shape and the components */
    char text[8192];   /* of the file that was written last */
};

/* Draws an agent, writes its file to /w/agent.properties, and makes its peers. */
void agent_draw(struct drawn_agent *agent);
/* Writes a neighbour of the file: the same components with other numbers. */
void agent_redraw(struct drawn_agent *agent);

/* In agent_text.c. Writes the file to agent->text. */
void agent_write(struct drawn_agent *agent);
/* Returns whether a sink of this kind sends to a far end. */
bool agent_has_sink(const struct drawn_agent *agent, enum agent_sink sink);
bool agent_has_store(const struct drawn_agent *agent);
/* Returns whether the store of the place has each event once: the source gives identities, and nothing else sends them. */
bool agent_stores_once(const struct drawn_agent *agent, unsigned place);
extern const char *const agent_sources[SOURCES], *const agent_channels[CHANNELS], *const agent_sinks[SINKS];

#define AGENT_SOURCE_PORT 4141 /* and the one behind it */
#define AGENT_TIER_PORT 4545
#define AGENT_SERVER_PORT 8080 /* and the one behind it */
