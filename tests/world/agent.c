#include "tests/world/agent.h"

#include <stdio.h>
#include <string.h>

#include "tests/world/disk.h"
#include "tests/world/ledger.h"
#include "tests/world/peers/hadoop/cluster.h"
#include "tests/world/peers/hbase/cluster.h"
#include "tests/world/peers/hive/metastore.h"
#include "tests/world/peers/kafka/cluster.h"
#include "tests/world/peers/kudu/cluster.h"
#include "tests/world/peers/peers.h"
#include "tests/world/peers/rpc/rpc.h"
#include "tests/world/plan.h"

void agent_redraw(struct drawn_agent *agent)
{
    agent_write(agent);
    disk_put("/w/agent.properties", agent->text, strlen(agent->text));
}

/* ---- peers ---- */

/* A reader of committed records has a writer with transactions. */
static void make_kafka(struct drawn_agent *agent)
{
    static const char *const assignors[] = {NULL, "org.apache.kafka.clients.consumer.RoundRobinAssignor",
                                            "org.apache.kafka.clients.consumer.CooperativeStickyAssignor"};
    agent->reader = (struct kafka_reader){.committed_only = agent->exactly_once || world_below(2) == 0,
                                          .is_static = world_below(3) == 0,
                                          .assignor = assignors[world_below(agent->exactly_once ? 2 : 3)]};
    struct kafka_cluster *cluster = kafka_add();
    cluster->far_end = agent->shape != SHAPE_PLAIN && agent->sinks[1] == SINK_KAFKA ? agent->far_ends[1]
                                                                                    : agent->far_ends[0];
    cluster->keeps_topics = agent->exactly_once;
    if (agent->exactly_once && cluster->generation == 0)
        cluster->generation = 1;
    if (agent->exactly_once && agent->source != SOURCE_KAFKA)
        kafka_add_topic(cluster, "penstock-positions", 1);
    if (agent->source != SOURCE_KAFKA)
        return;
    cluster->checks_delivery = agent->shape == SHAPE_PLAIN && agent->interceptors == 0 &&
                               (agent->channels[0] == CHANNEL_MEMORY || agent->kafka_channel) &&
                               (agent->sinks[0] == SINK_HTTP || agent->sinks[0] == SINK_KAFKA);
    kafka_writer_add(cluster, agent->reader.committed_only);
    if (agent->shape == SHAPE_PLAIN && agent->interceptors == 0 && world_below(2) == 0)
        kafka_neighbour_add(cluster, agent->reader.committed_only);
    else if (!agent->reader.committed_only && world_below(2) == 0)
        cluster->is_unclean = true;
    cluster->checks_delivery &= !cluster->is_unclean; /* it may have read what is there no more */
    world->ledger->more_headers = true;
    if (agent->kafka_channel)
        return; /* it keeps no headers but the key */
    ledger_expect_header(HEADER_TIME, "timestamp", NULL);
    if (!agent_has_sink(agent, SINK_KAFKA))
        ledger_expect_header(HEADER_TEXT, "topic", "in");
}

/* What is drawn once: a reload changes none of it. */
static void draw_files(struct drawn_agent *agent)
{
    static const char *const orders[] = {"oldest", "youngest", "random"};
    struct file_reader *files = &agent->files;
    *files = (struct file_reader){.logs = 1 + (unsigned)world_below(2),
                                  .two_groups = world_below(2) == 0,
                                  .file_header = world_below(3) == 0,
                                  .name_header = world_below(3) == 0,
                                  .offset_header = world_below(3) == 0,
                                  .group_header = world_below(3) == 0,
                                  .finished = (unsigned)world_below(3),
                                  .suffix = world_below(3) == 0 ? ".done" : ".COMPLETED",
                                  .order = orders[world_below(3)],
                                  .form = {.is_below = world_below(4) == 0,
                                           .is_packed = world_below(4) == 0,
                                           .is_blob = world_below(8) == 0,
                                           .is_wide = world_below(4) == 0}};
    files->form.is_wide &= !files->form.is_blob;
    files->form.is_packed &= !files->form.is_blob;
    if (agent->source == SOURCE_TAILDIR) {
        if (files->file_header)
            ledger_expect_header(HEADER_LABEL, "path", "/w/logs/app#.log*");
        if (files->offset_header)
            ledger_expect_header(HEADER_OFFSET, "byteoffset", NULL);
        if (files->group_header)
            ledger_expect_header(files->two_groups ? HEADER_LABEL : HEADER_TEXT, "kind",
                                 files->two_groups ? "group #" : "group 1");
        return;
    }
    if (files->file_header)
        ledger_expect_header(HEADER_LABEL, "path",
                             files->form.is_below ? "/w/spool/below/#.txt*" : "/w/spool/#.txt*");
    if (files->name_header)
        ledger_expect_header(HEADER_LABEL, "basename", files->form.is_packed ? "#.txt.gz" : "#.txt");
}

static void make_source_peer(const struct drawn_agent *agent)
{
    uint16_t port = AGENT_SOURCE_PORT;
    switch (agent->source) {
    case SOURCE_TAILDIR:
        for (uint32_t label = 1; label <= agent->files.logs; label++)
            log_add(label);
        break;
    case SOURCE_SPOOLDIR:
        spooler_add(&agent->files.form);
        break;
    case SOURCE_NETCAT:
        netcat_add(port);
        break;
    case SOURCE_AVRO:
        rpc_avro_client_add(port);
        break;
    case SOURCE_THRIFT:
        rpc_thrift_client_add(port);
        break;
    case SOURCE_SYSLOGTCP:
    case SOURCE_SYSLOGUDP:
        syslog_add((uint16_t[]){port, port}, agent->source == SOURCE_SYSLOGUDP);
        break;
    case SOURCE_MULTIPORT:
        syslog_add((uint16_t[]){port, (uint16_t)(port + 1)}, false);
        break;
    case SOURCE_KAFKA: /* make_kafka makes its writer */
        break;
    default:
        http_client_add(port);
        ledger_expect_header(HEADER_NUMBER, "n", NULL);
        break;
    }
}

static void make_sink_peer(const struct drawn_agent *agent, unsigned place)
{
    uint16_t port = (uint16_t)(AGENT_SERVER_PORT + place);
    unsigned far_end = agent->far_ends[place];
    switch (agent->sinks[place]) {
    case SINK_HTTP:
        http_server_add(port, far_end);
        break;
    case SINK_AVRO:
        rpc_server_add(port, far_end, rpc_avro_take);
        break;
    case SINK_THRIFT:
        rpc_server_add(port, far_end, rpc_thrift_take);
        break;
    case SINK_ELASTIC:
    case SINK_SOLR:
        store_server_add(port, far_end, agent->sinks[place] == SINK_SOLR);
        break;
    case SINK_HBASE:
        hbase_add_drawn(far_end);
        break;
    case SINK_KUDU:
        kudu_add_drawn(far_end);
        break;
    default:
        break;
    }
}

static void make_hdfs(struct drawn_agent *agent)
{
    static const char head[] = "<?xml version=\"1.0\"?>\n<configuration>\n";
    char text[2048];
    agent->name_service = world_below(2) == 0;
    snprintf(text, sizeof text,
             "%s<property><name>dfs.replication</name><value>%u</value></property>\n"
             "<property><name>dfs.blocksize</name><value>%u</value></property>\n"
             "<property><name>dfs.nameservices</name><value>ha</value></property>\n"
             "<property><name>dfs.ha.namenodes.ha</name><value>one,two</value></property>\n"
             "<property><name>dfs.namenode.rpc-address.ha.one</name><value>nn1:8020</value></property>\n"
             "<property><name>dfs.namenode.rpc-address.ha.two</name><value>nn2:8020</value></property>\n"
             "</configuration>\n",
             head, 1 + (unsigned)world_below(3), world_below(2) == 0 ? 1U << 20 : 4096U);
    disk_put("/w/conf/hdfs-site.xml", text, strlen(text));
    snprintf(text, sizeof text, "%s</configuration>\n", head);
    disk_put("/w/conf/core-site.xml", text, strlen(text));
    hdfs_add();
}

/* A table for each place in HDFS, t and u; its rows arrive when their transaction is committed. */
static void make_hive(const struct drawn_agent *agent)
{
    struct hive_metastore *hive = hive_add();
    hive->is_drawn = true;
    for (unsigned place = 0; place < 2; place++) {
        struct hive_table *table = &hive->tables[hive->table_count++];
        hive_table_usual(table, place == 0 ? "t" : "u");
        snprintf(table->location, sizeof table->location, "hdfs://%s/hive/%s",
                 agent->name_service ? "ha" : "nn1:8020", table->name);
        table->far_end = agent->far_ends[place];
        if (world_below(2) == 0) {
            table->bucket_count = 1 + (int)world_below(4);
            snprintf(table->buckets, sizeof table->buckets, "line");
        }
    }
}

/* ---- draws ---- */

static void draw_interceptors(struct drawn_agent *agent)
{
    static const struct ledger_header headers[INTERCEPTORS] = {
        [INTERCEPT_STATIC] = {HEADER_TEXT, "where", "here and there"},
        [INTERCEPT_TIMESTAMP] = {HEADER_TIME, "at", NULL},
        [INTERCEPT_HOST] = {HEADER_ANY, "by", NULL},
        [INTERCEPT_UUID] = {HEADER_UUID, "id", NULL},
        [INTERCEPT_EXTRACT] = {HEADER_DIGIT, "digit", NULL},
    };
    bool has_source = !agent->kafka_channel || agent->source != SOURCE_KAFKA;
    for (unsigned i = 0; i < INTERCEPTORS && has_source; i++)
        if ((world_below(5) == 0 && !plan_without("interceptors")) ||
            (i == INTERCEPT_EXTRACT && agent->shape == SHAPE_MULTIPLEX))
            agent->interceptors |= 1U << i;
    for (unsigned i = 0; i < INTERCEPTORS; i++)
        if ((agent->interceptors >> i & 1) != 0 && headers[i].name != NULL)
            ledger_expect_header(headers[i].kind, headers[i].name, headers[i].text);
    if ((agent->interceptors >> INTERCEPT_REPLACE & 1) != 0)
        world->ledger->last = '!';
    agent->filtered = (unsigned)world_below(10);
    agent->second = (unsigned)world_below(1024);
    agent->has_default = world_below(4) != 0;
}

static bool is_far(enum agent_sink sink)
{
    return sink != SINK_NULL && sink != SINK_LOGGER;
}

/* Tells the ledger which far ends an event reaches. */
static void draw_ways(struct drawn_agent *agent)
{
    bool two = agent->shape >= SHAPE_REPLICATE && agent->shape <= SHAPE_MULTIPLEX;
    agent->far_ends[1] = two;
    for (unsigned digit = 0; digit < 10; digit++) {
        unsigned allowed = two ? 3 : 1;
        if (agent->shape == SHAPE_MULTIPLEX)
            allowed = (agent->second >> digit & 1) != 0 ? 2 : agent->has_default;
        if ((agent->interceptors >> INTERCEPT_FILTER & 1) != 0 && digit == agent->filtered)
            allowed = 0;
        unsigned required = allowed;
        for (unsigned place = 0; place < 2; place++)
            if (!is_far(agent->sinks[place]) && agent->shape != SHAPE_PLAIN)
                required &= ~(1U << agent->far_ends[place]);
        if (agent->shape == SHAPE_OPTIONAL)
            required &= 1;
        world->ledger->allowed[digit] = (uint8_t)allowed;
        world->ledger->required[digit] = (uint8_t)required;
    }
}

static bool has_positions(const struct drawn_agent *agent)
{
    return agent->source <= SOURCE_SPOOLDIR || agent->source == SOURCE_KAFKA;
}

static void draw_exactly_once(struct drawn_agent *agent)
{
    agent->exactly_once = true;
    agent->shape = SHAPE_PLAIN;
    agent->channels[0] = CHANNEL_MEMORY;
    agent->sinks[0] = SINK_KAFKA;
}

/* Puts stores in the place of some sinks. The draws are from a stream of their own: agents without a store are as if there were none. */
static void draw_stores(struct drawn_agent *agent)
{
    uint64_t stream = world->random * UINT64_C(0x9e3779b97f4a7c15);
    for (unsigned place = 0; place < 2; place++) {
        unsigned draw = (unsigned)(stream >> (32 + 12 * place)) & 0xfff;
        bool may = agent->sinks[place] != SINK_HDFS && agent->sinks[place] != SINK_HIVE &&
                   is_far(agent->sinks[place]) && !agent->exactly_once && agent->sinks[place] != SINK_KAFKA;
        if (may && draw % 3 == 0)
            agent->sinks[place] = (enum agent_sink)(SINK_ELASTIC + draw / 3 % 4);
    }
    if (agent->sinks[0] == agent->sinks[1] && agent->sinks[0] >= SINK_HBASE && agent->sinks[0] <= SINK_KUDU)
        agent->sinks[1] = SINK_FILE_ROLL; /* they would have one table */
}

static void draw_components(struct drawn_agent *agent)
{
    agent->shape = world_below(2) == 0 ? SHAPE_PLAIN : (enum agent_shape)world_below(SHAPES);
    agent->source = (enum agent_source)world_below(SOURCES);
    for (unsigned place = 0; place < 2; place++) {
        agent->channels[place] = (enum agent_channel)world_below(CHANNELS);
        agent->sinks[place] = (enum agent_sink)world_below(SINK_HDFS);
        if (agent->sinks[place] == SINK_FILE_ROLL && (world->random >> 8 & 1) != 0)
            agent->sinks[place] = (world->random >> 9 & 3) == 0 ? SINK_HIVE : SINK_HDFS;
    }
    bool two = agent->shape >= SHAPE_REPLICATE && agent->shape <= SHAPE_MULTIPLEX;
    if (two && agent->sinks[0] == SINK_KAFKA && agent->sinks[1] == SINK_KAFKA)
        agent->sinks[1] = SINK_FILE_ROLL; /* they would have one topic */
    if (two && world_below(6) == 0)
        agent->sinks[1] = world_below(2) == 0 ? SINK_NULL : SINK_LOGGER;
    if (agent->source == SOURCE_KAFKA && world_below(4) == 0) {
        agent->kafka_channel = true;
        agent->shape = world_below(2) == 0 ? SHAPE_PLAIN : SHAPE_SHARED;
    } else if (agent->source == SOURCE_KAFKA && world_below(3) == 0) {
        draw_exactly_once(agent);
    } else if (agent->source != SOURCE_KAFKA) {
        uint64_t which = world_below(10);
        if (which == 0) {
            agent->kafka_channel = true;
            agent->shape = world_below(2) == 0 ? SHAPE_PLAIN : SHAPE_SHARED;
        } else if (which == 1 && agent->source <= SOURCE_SPOOLDIR) {
            draw_exactly_once(agent);
        }
    }
    draw_stores(agent);
    if (agent->shape != SHAPE_TIER)
        return;
    agent->sinks[0] = world_below(2) == 0 ? SINK_AVRO : SINK_THRIFT;
    if (!has_positions(agent) && agent->channels[0] != CHANNEL_JDBC)
        agent->channels[0] = CHANNEL_FILE; /* a stop ends the second source first */
}

/* A key is for its user alone. */
static void put_key_file(const char *path, const char *key)
{
    disk_put(path, key, strlen(key));
    disk_at(path)->mode = S_IFREG | 0400;
}

/* What a seed is made small by (plan.h). */
static void leave_out(struct drawn_agent *agent)
{
    if (plan_without("second"))
        agent->shape = SHAPE_PLAIN;
    if (plan_without("state"))
        agent->has_state = false;
    if (plan_without("directories"))
        agent->two_directories = false;
    if (plan_without("workers"))
        agent->workers = 1;
}

static bool is_durable(enum agent_channel channel)
{
    return channel == CHANNEL_FILE || channel == CHANNEL_JDBC;
}

void agent_draw(struct drawn_agent *agent)
{
    static const char *const shapes[SHAPES] = {"",           "shared, ",    "group, ", "replicate, ",
                                               "optional, ", "multiplex, ", "tier, "};
    *agent = (struct drawn_agent){.two_directories = world_below(3) == 0,
                                  .encrypts = world_below(4) == 0,
                                  .has_state = world_below(2) == 0};
    agent->workers = 1 + (unsigned)world_below(3);
    draw_components(agent);
    leave_out(agent);
    if (agent->source == SOURCE_TAILDIR || agent->source == SOURCE_SPOOLDIR)
        draw_files(agent);
    draw_interceptors(agent);
    draw_ways(agent);
    bool plain = agent->shape == SHAPE_PLAIN, one_channel = agent->shape <= SHAPE_GROUP;
    bool second_is_durable = one_channel || is_durable(agent->channels[1]);
    agent->survives_kills =
        agent->shape == SHAPE_TIER
            ? (has_positions(agent) || is_durable(agent->channels[0])) && second_is_durable
            : has_positions(agent) || agent->kafka_channel ||
                  (is_durable(agent->channels[0]) && second_is_durable);
    snprintf(agent->name, sizeof agent->name, "%s%s -> %s%s%s -> %s%s%s", shapes[agent->shape],
             agent->kafka_channel && agent->source == SOURCE_KAFKA ? "topic" : agent_sources[agent->source],
             agent->kafka_channel ? "kafka" : agent_channels[agent->channels[0]], one_channel ? "" : " ",
             one_channel ? "" : agent_channels[agent->channels[1]], agent_sinks[agent->sinks[0]],
             plain ? "" : " ", plain ? "" : agent_sinks[agent->sinks[1]]);
    if (agent->source == SOURCE_KAFKA || agent->kafka_channel || agent_has_sink(agent, SINK_KAFKA))
        make_kafka(agent);
    if (agent_has_sink(agent, SINK_HDFS) || agent_has_sink(agent, SINK_HIVE))
        make_hdfs(agent);
    if (agent_has_sink(agent, SINK_HIVE))
        make_hive(agent);
    make_source_peer(agent);
    if (agent->shape != SHAPE_TIER)
        make_sink_peer(agent, 0);
    if (!plain)
        make_sink_peer(agent, 1);
    disk_put("/w/out/.none", "", 0);
    disk_put("/w/out2/.none", "", 0);
    put_key_file("/w/key-1", "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n");
    put_key_file("/w/key-2", "8PHy8/T19vf4+fr7/P3+/w==\n");
    agent_redraw(agent);
}
