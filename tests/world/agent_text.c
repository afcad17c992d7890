#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tests/world/agent.h"
#include "tests/world/peers/client.h"

const char *const agent_sources[SOURCES] = {"taildir",   "spooldir", "netcat",    "http",
                                            "avro",      "thrift",   "syslogtcp", "multiport_syslogtcp",
                                            "syslogudp", "kafka"};
const char *const agent_channels[CHANNELS] = {"memory", "jdbc", "file", "SPILLABLEMEMORY"};
const char *const agent_sinks[SINKS] = {"file_roll",     "http", "kafka",  "avro", "thrift", "hdfs",  "hive",
                                        "elasticsearch", "solr", "hbase2", "kudu", "null",   "logger"};

#define BROKERS "kafka1:9092,kafka2:9092,kafka3:9092"

static void put(struct drawn_agent *agent, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put(struct drawn_agent *agent, const char *format, ...)
{
    size_t length = strlen(agent->text);
    va_list arguments;
    va_start(arguments, format);
    int added = vsnprintf(agent->text + length, sizeof agent->text - length, format, arguments);
    va_end(arguments);
    if (added < 0 || (size_t)added >= sizeof agent->text - length)
        world_fatal("the agent's file is too long");
}

static unsigned one_of(unsigned a, unsigned b, unsigned c)
{
    return world_below(3) == 0 ? a : world_below(2) == 0 ? b : c;
}

static bool flip(void)
{
    return world_below(2) == 0;
}

bool agent_has_sink(const struct drawn_agent *agent, enum agent_sink sink)
{
    return (agent->shape != SHAPE_TIER && agent->sinks[0] == sink) ||
           (agent->shape != SHAPE_PLAIN && agent->sinks[1] == sink);
}

static bool is_store(enum agent_sink sink)
{
    return sink >= SINK_ELASTIC && sink <= SINK_KUDU;
}

bool agent_has_store(const struct drawn_agent *agent)
{
    return (agent->shape != SHAPE_TIER && is_store(agent->sinks[0])) ||
           (agent->shape != SHAPE_PLAIN && is_store(agent->sinks[1]));
}

bool agent_stores_once(const struct drawn_agent *agent, unsigned place)
{
    bool alone = agent->shape == SHAPE_PLAIN || agent->shape >= SHAPE_REPLICATE;
    return alone && agent->shape != SHAPE_TIER && !agent->kafka_channel && is_store(agent->sinks[place]) &&
           (place == 0 || agent->shape != SHAPE_PLAIN) && agent->source <= SOURCE_SPOOLDIR &&
           agent->channels[place] == CHANNEL_MEMORY;
}

/* No batch is above what the channels of this file take at once; sometimes they hold hardly any events, so that all that comes waits for room. */
static unsigned batch_max;

static unsigned draw_batch(void)
{
    unsigned batch = one_of(1, 10, 100);
    return batch < batch_max ? batch : batch_max;
}

/* ---- source ---- */

static bool has(const struct drawn_agent *agent, enum agent_interceptor interceptor)
{
    return (agent->interceptors >> interceptor & 1) != 0;
}

static void put_interceptors(struct drawn_agent *agent)
{
    static const char *const types[INTERCEPTORS] = {
        [INTERCEPT_STATIC] = "static",
        [INTERCEPT_TIMESTAMP] = "timestamp",
        [INTERCEPT_HOST] = "host",
        [INTERCEPT_UUID] = "org.apache.flume.sink.solr.morphline.UUIDInterceptor$Builder",
        [INTERCEPT_EXTRACT] = "regex_extractor",
        [INTERCEPT_REPLACE] = "search_replace",
        [INTERCEPT_FILTER] = "regex_filter"};
    if (agent->interceptors == 0)
        return;
    put(agent, "a.sources.s.interceptors =");
    for (unsigned i = 0; i < INTERCEPTORS; i++)
        if (has(agent, (enum agent_interceptor)i))
            put(agent, " i%u", i);
    put(agent, "\n");
    for (unsigned i = 0; i < INTERCEPTORS; i++)
        if (has(agent, (enum agent_interceptor)i))
            put(agent, "a.sources.s.interceptors.i%u.type = %s\n", i, types[i]);
    if (has(agent, INTERCEPT_STATIC))
        put(agent,
            "a.sources.s.interceptors.i%d.key = where\na.sources.s.interceptors.i%d.value = here and there\n",
            INTERCEPT_STATIC, INTERCEPT_STATIC);
    if (has(agent, INTERCEPT_TIMESTAMP))
        put(agent, "a.sources.s.interceptors.i%d.headerName = at\n", INTERCEPT_TIMESTAMP);
    if (has(agent, INTERCEPT_HOST))
        put(agent, "a.sources.s.interceptors.i%d.hostHeader = by\n", INTERCEPT_HOST);
    if (has(agent, INTERCEPT_UUID))
        put(agent, "a.sources.s.interceptors.i%d.headerName = id\n", INTERCEPT_UUID);
    if (has(agent, INTERCEPT_EXTRACT))
        put(agent,
            "a.sources.s.interceptors.i%d.regex = ^event \\\\d*(\\\\d)[ ]"
            "\na.sources.s.interceptors.i%d.serializers = one\n"
            "a.sources.s.interceptors.i%d.serializers.one.name = digit\n",
            INTERCEPT_EXTRACT, INTERCEPT_EXTRACT, INTERCEPT_EXTRACT);
    if (has(agent, INTERCEPT_REPLACE))
        put(agent,
            "a.sources.s.interceptors.i%d.searchPattern = \\\\.$\na.sources.s.interceptors.i%d.replaceString "
            "= !\n",
            INTERCEPT_REPLACE, INTERCEPT_REPLACE);
    if (has(agent, INTERCEPT_FILTER))
        put(agent,
            "a.sources.s.interceptors.i%d.regex = ^event \\\\d*%u[ "
            "]\na.sources.s.interceptors.i%d.excludeEvents = true\n",
            INTERCEPT_FILTER, agent->filtered, INTERCEPT_FILTER);
}

static void put_selector(struct drawn_agent *agent)
{
    if (agent->shape == SHAPE_OPTIONAL)
        put(agent, "a.sources.s.selector.optional = c2\n");
    if (agent->shape != SHAPE_MULTIPLEX)
        return;
    put(agent, "a.sources.s.selector.type = multiplexing\na.sources.s.selector.header = digit\n");
    for (unsigned digit = 0; digit < 10; digit++)
        if ((agent->second >> digit & 1) != 0)
            put(agent, "a.sources.s.selector.mapping.%u = c2\n", digit);
    if (agent->has_default)
        put(agent, "a.sources.s.selector.default = c\n");
}

/* The keys of a consumer of `what`, a source or a channel. */
static void put_reader(struct drawn_agent *agent, const char *what)
{
    struct kafka_reader *reader = &agent->reader;
    put(agent,
        "a.%s.kafka.bootstrap.servers = " BROKERS "\na.%s.kafka.consumer.group.id = g\n"
        "a.%s.kafka.consumer.auto.offset.reset = earliest\n",
        what, what, what);
    if (reader->committed_only && !agent->exactly_once)
        put(agent, "a.%s.kafka.consumer.isolation.level = read_committed\n", what);
    if (reader->is_static)
        put(agent, "a.%s.kafka.consumer.group.instance.id = i\n", what);
    if (reader->assignor != NULL)
        put(agent, "a.%s.kafka.consumer.partition.assignment.strategy = %s\n", what, reader->assignor);
    if (world_below(4) == 0)
        put(agent, "a.%s.kafka.consumer.client.rack = r\n", what);
    reader->fetch_wait_ms = 500; /* Kafka's default */
    if (world_below(3) == 0) {
        reader->fetch_wait_ms = one_of(10, 100, 2000);
        put(agent, "a.%s.kafka.consumer.fetch.max.wait.ms = %u\n", what, reader->fetch_wait_ms);
    }
    if (world_below(3) == 0)
        put(agent, "a.%s.kafka.consumer.metadata.max.age.ms = %u\n", what, one_of(1000, 5000, 60000));
    if (world_below(4) == 0)
        put(agent, "a.%s.kafka.consumer.max.partition.fetch.bytes = %u\n", what, one_of(1000, 5000, 60000));
    if (world_below(4) == 0)
        put(agent, "a.%s.kafka.consumer.session.timeout.ms = %u\n", what, one_of(6000, 10000, 30000));
}

static void put_producer(struct drawn_agent *agent, const char *what)
{
    static const char *const codecs[] = {"gzip", "snappy", "lz4", "zstd"};
    static const struct {
        const char *key;
        unsigned values[3];
    } rows[] = {
        {"metadata.max.age.ms", {1000, 5000, 60000}}, {"linger.ms", {0, 20, 500}},
        {"batch.size", {1000, 5000, 60000}},          {"request.timeout.ms", {1000, 5000, 30000}},
        {"retry.backoff.ms", {10, 100, 1000}},        {"connections.max.idle.ms", {500, 5000, 60000}}};
    if (world_below(3) == 0)
        put(agent, "a.%s.kafka.producer.compression.type = %s\n", what, codecs[world_below(4)]);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (world_below(4) == 0)
            put(agent, "a.%s.kafka.producer.%s = %u\n", what, rows[i].key,
                one_of(rows[i].values[0], rows[i].values[1], rows[i].values[2]));
}

static void put_kafka_source(struct drawn_agent *agent)
{
    put(agent, "a.sources.s.kafka.topics = in\na.sources.s.batchSize = %u\na.sources.s.setTopicHeader = %s\n",
        draw_batch(), agent_has_sink(agent, SINK_KAFKA) ? "false" : "true");
    put_reader(agent, "sources.s");
}

static void put_taildir(struct drawn_agent *agent)
{
    const struct file_reader *files = &agent->files;
    put(agent, "a.sources.s.filegroups = g1%s\n", files->two_groups ? " g2" : "");
    for (unsigned group = 1; group <= 1U + files->two_groups; group++) {
        put(agent, "a.sources.s.filegroups.g%u = /w/logs/app%s\\\\.log.*\n", group,
            !files->two_groups ? "[12]"
            : group == 1       ? "1"
                               : "2");
        if (files->group_header)
            put(agent, "a.sources.s.headers.g%u.kind = group %u\n", group, group);
    }
    put(agent,
        "a.sources.s.positionFile = /w/positions.json\na.sources.s.batchSize = %u\n"
        "a.sources.s.writePosInterval = %u\na.sources.s.idleTimeout = %u\n",
        draw_batch(), one_of(100, 1000, 3000), one_of(5000, 20000, 120000));
    if (flip())
        put(agent, "a.sources.s.maxBatchCount = %u\na.sources.s.cachePatternMatching = %s\n",
            one_of(1, 3, 100), flip() ? "true" : "false");
    if (files->file_header)
        put(agent, "a.sources.s.fileHeader = true\na.sources.s.fileHeaderKey = path\n");
    if (files->offset_header)
        put(agent, "a.sources.s.byteOffsetHeader = true\n");
}

static void put_spooldir(struct drawn_agent *agent)
{
    const struct file_reader *files = &agent->files;
    put(agent,
        "a.sources.s.spoolDir = /w/spool\na.sources.s.batchSize = %u\na.sources.s.pollDelay = %u\n"
        "a.sources.s.fileSuffix = %s\na.sources.s.consumeOrder = %s\na.sources.s.ignorePattern = .*[.]part\n",
        draw_batch(), one_of(10, 100, 500), files->suffix, files->order);
    if (files->finished == FINISHED_REMOVE)
        put(agent, "a.sources.s.deletePolicy = immediate\n");
    if (files->finished == FINISHED_MARK)
        put(agent, "a.sources.s.trackingPolicy = tracker_dir\na.sources.s.trackerDir = /w/tracker\n");
    if (files->file_header)
        put(agent, "a.sources.s.fileHeader = true\na.sources.s.fileHeaderKey = path\n");
    if (files->name_header)
        put(agent, "a.sources.s.basenameHeader = true\n");
    if (files->form.is_below)
        put(agent, "a.sources.s.recursiveDirectorySearch = true\n");
    if (files->form.is_wide)
        put(agent, "a.sources.s.inputCharset = UTF-16LE\n");
    if (files->form.is_blob)
        put(agent,
            "a.sources.s.deserializer = org.apache.flume.sink.solr.morphline.BlobDeserializer$Builder\n");
}

static void put_source(struct drawn_agent *agent)
{
    bool two =
        agent->shape == SHAPE_REPLICATE || agent->shape == SHAPE_OPTIONAL || agent->shape == SHAPE_MULTIPLEX;
    put(agent, "a.sources = s%s\na.sources.s.channels = c%s\na.sources.s.type = %s\n",
        agent->shape == SHAPE_TIER ? " s2" : "", two ? " c2" : "",
        agent->source == SOURCE_KAFKA ? "org.apache.flume.source.kafka.KafkaSource"
                                      : agent_sources[agent->source]);
    int port = AGENT_SOURCE_PORT;
    switch (agent->source) {
    case SOURCE_TAILDIR:
        put_taildir(agent);
        break;
    case SOURCE_SPOOLDIR:
        put_spooldir(agent);
        break;
    case SOURCE_NETCAT:
        put(agent, "a.sources.s.bind = 0.0.0.0\na.sources.s.port = %d\na.sources.s.max-line-length = %u\n",
            port, one_of(2048, 4096, 8192));
        break;
    case SOURCE_SYSLOGTCP:
    case SOURCE_SYSLOGUDP:
        put(agent, "a.sources.s.host = 0.0.0.0\na.sources.s.port = %d\n", port);
        break;
    case SOURCE_MULTIPORT:
        put(agent, "a.sources.s.ports = %d %d\na.sources.s.batchSize = %u\n", port, port + 1, draw_batch());
        break;
    case SOURCE_KAFKA:
        put_kafka_source(agent);
        break;
    default:
        put(agent, "a.sources.s.bind = 0.0.0.0\na.sources.s.port = %d\n", port);
        break;
    }
    bool accepts = agent->source == SOURCE_NETCAT || agent->source == SOURCE_HTTP ||
                   agent->source == SOURCE_AVRO || agent->source == SOURCE_THRIFT ||
                   agent->source == SOURCE_SYSLOGTCP || agent->source == SOURCE_MULTIPORT;
    if (accepts && agent->workers > 1 && world_below(3) == 0)
        put(agent, "a.sources.s.penstock.workers = %u\n", agent->workers);
    put_interceptors(agent);
    put_selector(agent);
    if (agent->shape == SHAPE_TIER)
        put(agent,
            "a.sources.s2.type = %s\na.sources.s2.bind = 0.0.0.0\na.sources.s2.port = "
            "%d\na.sources.s2.channels = c2\n",
            agent_sinks[agent->sinks[0]], AGENT_TIER_PORT);
}

/* ---- channels ---- */

/* A call with more events than a channel takes is never accepted as a whole, and comes again and again. */
static unsigned draw_capacity(const struct drawn_agent *agent)
{
    bool calls =
        agent->source == SOURCE_HTTP || agent->source == SOURCE_AVRO || agent->source == SOURCE_THRIFT;
    unsigned capacity = batch_max < 100 ? batch_max + (unsigned)world_below(20) : one_of(100, 1000, 10000);
    return calls && capacity < CLIENT_WINDOW ? CLIENT_WINDOW : capacity;
}

static void put_capacity(struct drawn_agent *agent, const char *name)
{
    put(agent, "a.channels.%s.capacity = %u\na.channels.%s.transactionCapacity = %u\n", name,
        draw_capacity(agent), name, batch_max);
    if (world_below(4) == 0)
        put(agent, "a.channels.%s.keep-alive = %u\n", name, one_of(0, 1, 10));
}

static void put_bytes(struct drawn_agent *agent, const char *name)
{
    if (world_below(4) != 0)
        return;
    put(agent, "a.channels.%s.byteCapacity = %u\na.channels.%s.byteCapacityBufferPercentage = %u\n", name,
        one_of(100, 2000, 100000), name, one_of(0, 20, 90));
}

static void put_spillable(struct drawn_agent *agent, const char *name)
{
    put(agent,
        "a.channels.%s.memoryCapacity = %u\na.channels.%s.overflowTimeout = "
        "%u\na.channels.%s.overflowCapacity = %u\na.channels.%s.transactionCapacity = %u\n",
        name, world_below(8) == 0 ? 0 : one_of(10, 100, 1000), name, one_of(0, 1, 3), name,
        one_of(100, 10000, 10000), name, batch_max);
    if (world_below(3) == 0)
        put(agent, "a.channels.%s.overflowDeactivationThreshold = %u\n", name, one_of(0, 50, 100));
    put_bytes(agent, name);
}

/* Either key encrypts what comes, and both read what is there. */
static void put_keys(struct drawn_agent *agent, const char *name)
{
    put(agent,
        "a.channels.%s.encryption.activeKey = key-%u\na.channels.%s.encryption.keyProvider = KEYFILE\n"
        "a.channels.%s.encryption.keyProvider.keys = key-1 key-2\n",
        name, 1 + (unsigned)world_below(2), name, name);
    for (unsigned key = 1; key <= 2; key++)
        put(agent, "a.channels.%s.encryption.keyProvider.keys.key-%u.keyFile = /w/key-%u\n", name, key, key);
}

/* The directories stay as they are over reloads. */
static void put_log(struct drawn_agent *agent, const char *name)
{
    put(agent,
        "a.channels.%s.checkpointDir = /w/checkpoint/%s\na.channels.%s.dataDirs = /w/data/%s%s%s\n"
        "a.channels.%s.maxFileSize = 1048576\na.channels.%s.minimumRequiredSpace = 1048576\n",
        name, name, name, name, agent->two_directories ? ",/w/data2/" : "",
        agent->two_directories ? name : "", name, name);
    if (agent->encrypts)
        put_keys(agent, name);
}

static void put_channel(struct drawn_agent *agent, const char *name, enum agent_channel channel)
{
    put(agent, "a.channels.%s.type = %s\n", name, agent_channels[channel]);
    switch (channel) {
    case CHANNEL_MEMORY:
        put_capacity(agent, name);
        put_bytes(agent, name);
        break;
    case CHANNEL_JDBC:
        put(agent, "a.channels.%s.sysprop.user.home = /w/home-%s\na.channels.%s.maximum.capacity = %u\n",
            name, name, name, world_below(2) == 0 ? 0 : draw_capacity(agent));
        break;
    case CHANNEL_SPILLABLE:
        put_spillable(agent, name);
        put_log(agent, name);
        break;
    default:
        put_capacity(agent, name);
        put_log(agent, name);
        break;
    }
}

/* ---- sinks ---- */

static void put_rpc(struct drawn_agent *agent, const char *name, enum agent_sink sink, int port)
{
    put(agent,
        "a.sinks.%s.hostname = localhost\na.sinks.%s.port = %d\na.sinks.%s.batch-size = %u\n"
        "a.sinks.%s.request-timeout = %u\n",
        name, name, port, name, draw_batch(), name, one_of(1000, 5000, 20000));
    if (world_below(3) == 0)
        put(agent, "a.sinks.%s.reset-connection-interval = 1\n", name);
    if (sink == SINK_THRIFT)
        put(agent, "a.sinks.%s.protocol = %s\n", name, flip() ? "compact" : "binary");
}

/* Lines, so that the referee reads them; a file rolls by all that a file can. */
static void put_hdfs(struct drawn_agent *agent, const char *name, unsigned place)
{
    put(agent, "a.sinks.%s.hdfs.path = hdfs://%s/out%s%s\na.sinks.%s.hdfs.useLocalTimeStamp = true\n", name,
        agent->name_service ? "ha" : "nn1", place == 0 ? "" : "2", flip() ? "/%M" : "", name);
    put(agent,
        "a.sinks.%s.hdfs.fileType = DataStream\na.sinks.%s.hdfs.rollInterval = %u\n"
        "a.sinks.%s.hdfs.rollCount = %u\na.sinks.%s.hdfs.rollSize = %u\na.sinks.%s.hdfs.idleTimeout = %u\n",
        name, name, one_of(0, 1, 30), name, one_of(0, 10, 100), name, one_of(0, 1000, 100000), name,
        one_of(0, 1, 10));
    put(agent,
        "a.sinks.%s.hdfs.callTimeout = %u\na.sinks.%s.hdfs.retryInterval = %u\n"
        "a.sinks.%s.penstock.orphans = recover\na.sinks.%s.penstock.hsync = %s\n"
        "a.sinks.%s.penstock.hadoop.conf = /w/conf\na.sinks.%s.hdfs.batchSize = %u\n",
        name, one_of(2000, 10000, 30000), name, one_of(1, 1, 5), name, name, flip() ? "true" : "false", name,
        name, draw_batch());
}

/* Fields end with bytes that no text has: each text is a row. */
static void put_hive(struct drawn_agent *agent, const char *name, unsigned place)
{
    put(agent,
        "a.sinks.%s.hive.metastore = thrift://metastore:9083\na.sinks.%s.hive.database = default\n"
        "a.sinks.%s.hive.table = %s\na.sinks.%s.serializer = DELIMITED\na.sinks.%s.serializer.fieldnames = "
        "line\n"
        "a.sinks.%s.serializer.delimiter = \"\\u0001\"\na.sinks.%s.penstock.hadoop.conf = /w/conf\n",
        name, name, name, place == 0 ? "t" : "u", name, name, name, name);
    put(agent,
        "a.sinks.%s.batchSize = %u\na.sinks.%s.hive.txnsPerBatchAsk = "
        "%u\na.sinks.%s.penstock.commit.interval = %u\n"
        "a.sinks.%s.callTimeout = %u\na.sinks.%s.idleTimeout = %u\na.sinks.%s.heartBeatInterval = %u\n",
        name, draw_batch(), name, one_of(1, 4, 100), name, one_of(0, 100, 2000), name,
        one_of(2000, 10000, 30000), name, one_of(0, 1000, 10000), name, one_of(10, 100, 240));
}

/* Their documents and rows have the body alone, so that the referee reads it. */
static void put_store(struct drawn_agent *agent, const char *name, enum agent_sink sink, int port)
{
    put(agent, "a.sinks.%s.batchSize = %u\n", name, draw_batch());
    if (flip())
        put(agent, "a.sinks.%s.penstock.requests = %u\n", name, one_of(1, 2, 8));
    if (sink == SINK_ELASTIC)
        put(agent,
            "a.sinks.%s.hostNames = localhost:%d\na.sinks.%s.indexNameBuilder = SimpleIndexNameBuilder\n"
            "a.sinks.%s.penstock.request.timeout = %u\n",
            name, port, name, name, one_of(1000, 5000, 20000));
    else if (sink == SINK_SOLR)
        put(agent,
            "a.sinks.%s.url = http://localhost:%d/solr/c\na.sinks.%s.overwrite = %s\n"
            "a.sinks.%s.requestTimeout = %u\n",
            name, port, name, flip() ? "true" : "false", name, one_of(1000, 5000, 20000));
    else if (sink == SINK_HBASE)
        put(agent,
            "a.sinks.%s.table = t\na.sinks.%s.columnFamily = f\na.sinks.%s.zookeeperQuorum = zk1:2181\n"
            "a.sinks.%s.serializer = org.apache.flume.sink.hbase2.SimpleHBase2EventSerializer\n"
            "a.sinks.%s.serializer.rowPrefix = x\na.sinks.%s.serializer.suffix = uuid\n"
            "a.sinks.%s.serializer.payloadColumn = p\na.sinks.%s.coalesceIncrements = %s\n",
            name, name, name, name, name, name, name, name, flip() ? "true" : "false");
    else
        put(agent,
            "a.sinks.%s.masterAddresses = km1,km2,km3\na.sinks.%s.tableName = t\n"
            "a.sinks.%s.producer = RegexpKuduOperationsProducer\na.sinks.%s.producer.pattern = "
            "(?<line>.+)\n"
            "a.sinks.%s.producer.operation = %s\na.sinks.%s.producer.missingColumnPolicy = IGNORE\n"
            "a.sinks.%s.producer.penstock.keyColumn = id\na.sinks.%s.penstock.ids = identity\n"
            "a.sinks.%s.timeoutMillis = %u\na.sinks.%s.penstock.write.bytes = %u\n",
            name, name, name, name, name, flip() ? "insert" : "upsert", name, name, name, name,
            one_of(1000, 5000, 30000), name, one_of(300, 5000, 1 << 20));
}

static void put_sink(struct drawn_agent *agent, const char *name, const char *channel, enum agent_sink sink,
                     unsigned place)
{
    put(agent, "a.sinks.%s.channel = %s\na.sinks.%s.type = %s\n", name, channel, name,
        sink == SINK_KAFKA ? "org.apache.flume.sink.kafka.KafkaSink" : agent_sinks[sink]);
    int port = AGENT_SERVER_PORT + (int)place;
    char what[16];
    switch (sink) {
    case SINK_KAFKA:
        put(agent,
            "a.sinks.%s.kafka.bootstrap.servers = " BROKERS "\n"
            "a.sinks.%s.kafka.topic = t\na.sinks.%s.flumeBatchSize = %u\n",
            name, name, name, draw_batch());
        snprintf(what, sizeof what, "sinks.%s", name);
        put_producer(agent, what);
        if (agent->exactly_once)
            put(agent,
                "a.sinks.%s.penstock.guarantee = exactly-once\na.sinks.%s.allowTopicOverride = false\n"
                "a.sinks.%s.penstock.transaction.timeout = 10000\n",
                name, name, name);
        break;
    case SINK_HTTP:
        put(agent,
            "a.sinks.%s.endpoint = http://localhost:%d/\na.sinks.%s.connectTimeout = 2000\n"
            "a.sinks.%s.requestTimeout = %u\na.sinks.%s.acceptHeader = */*\na.sinks.%s.contentTypeHeader = "
            "text/plain\n",
            name, port, name, name, one_of(1000, 5000, 20000), name, name);
        put(agent,
            "a.sinks.%s.defaultBackoff = true\na.sinks.%s.defaultRollback = true\na.sinks.%s.backoff.200 = "
            "false\n"
            "a.sinks.%s.rollback.200 = false\n",
            name, name, name, name);
        break;
    case SINK_AVRO:
    case SINK_THRIFT:
        put_rpc(agent, name, sink, agent->shape == SHAPE_TIER && place == 0 ? AGENT_TIER_PORT : port);
        break;
    case SINK_FILE_ROLL:
        put(agent,
            "a.sinks.%s.sink.directory = /w/out%s\na.sinks.%s.sink.rollInterval = "
            "%u\na.sinks.%s.sink.batchSize = %u\n",
            name, place == 0 ? "" : "2", name, one_of(0, 1, 30), name, draw_batch());
        break;
    case SINK_HDFS:
        put_hdfs(agent, name, place);
        break;
    case SINK_HIVE:
        put_hive(agent, name, place);
        break;
    case SINK_ELASTIC:
    case SINK_SOLR:
    case SINK_HBASE:
    case SINK_KUDU:
        put_store(agent, name, sink, port);
        break;
    case SINK_NULL:
        put(agent, "a.sinks.%s.batchSize = %u\n", name, batch_max);
        break;
    default:
        break;
    }
}

static void put_group(struct drawn_agent *agent)
{
    put(agent, "a.sinkgroups = g\na.sinkgroups.g.sinks = k k2\n");
    if (flip())
        put(agent,
            "a.sinkgroups.g.processor.type = failover\na.sinkgroups.g.processor.priority.k = %u\n"
            "a.sinkgroups.g.processor.priority.k2 = 7\na.sinkgroups.g.processor.maxpenalty = %u\n",
            one_of(1, 9, 9), one_of(1000, 5000, 30000));
    else
        put(agent,
            "a.sinkgroups.g.processor.type = load_balance\na.sinkgroups.g.processor.selector = %s\n"
            "a.sinkgroups.g.processor.backoff = %s\n",
            flip() ? "round_robin" : "random", flip() ? "true" : "false");
}

static void put_kafka_channel(struct drawn_agent *agent)
{
    put(agent, "a.channels.c.type = org.apache.flume.channel.kafka.KafkaChannel\n"
               "a.channels.c.kafka.topic = in\n");
    if (agent->source == SOURCE_KAFKA)
        put(agent, "a.channels.c.parseAsFlumeEvent = false\n");
    else
        put_producer(agent, "channels.c");
    put_reader(agent, "channels.c");
}

void agent_write(struct drawn_agent *agent)
{
    enum agent_shape shape = agent->shape;
    bool one_channel = shape <= SHAPE_GROUP;
    agent->text[0] = 0;
    batch_max = world_below(4) == 0 ? 1 + (unsigned)world_below(30) : 100;
    if (!agent->kafka_channel || agent->source != SOURCE_KAFKA)
        put_source(agent);
    put(agent, "a.channels = c%s\n", one_channel ? "" : " c2");
    if (agent->kafka_channel)
        put_kafka_channel(agent);
    else
        put_channel(agent, "c", agent->channels[0]);
    if (!one_channel)
        put_channel(agent, "c2", agent->channels[1]);
    put(agent, "a.sinks = k%s\n", shape == SHAPE_PLAIN ? "" : " k2");
    put_sink(agent, "k", "c", agent->sinks[0], 0);
    if (shape != SHAPE_PLAIN)
        put_sink(agent, "k2", one_channel ? "c" : "c2", agent->sinks[1], 1);
    if (shape == SHAPE_GROUP)
        put_group(agent);
    put(agent, "a.penstock.memory.budget = 67108864\na.penstock.workers = %u\n", agent->workers);
    if (agent->has_state)
        put(agent, "a.penstock.state.dir = /w/state\n");
}
