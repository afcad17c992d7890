/* What each stage says of itself before the agent starts: the whole text, for each setting that changes it. A user reads there where the events come from
 * and go, and how safe they are. */
#include "tests/support/stage.h"

#define SERVERS "kafka.bootstrap.servers", "h:1"

struct row {
    const struct ps_stage_ops *ops;
    const char *const *keys;
    const char *outline;
};

static void expect(const struct row *row)
{
    struct ps_test_stage stage;
    ps_test_stage_init(&stage, row->ops);
    if (ps_test_stage_bind(&stage, row->keys) != PS_OK)
        fail_msg("%s, %s: %s", row->ops->name, row->outline, stage.err.text);
    const char *outline = ps_stage_outline(stage.ops, stage.plan, &stage.context);
    assert_non_null(outline);
    if (strcmp(outline, row->outline) != 0)
        fail_msg("%s: \"%s\", not \"%s\"", row->ops->name, outline, row->outline);
    ps_test_stage_fini(&stage);
}

#define EACH(...)                                                                                            \
    const struct row rows[] = {__VA_ARGS__};                                                                 \
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++)                                                           \
    expect(&rows[i])

static void test_sources(void **unused)
{
    EACH(
        {&ps_source_taildir,
         PS_KEYS("filegroups", "b a b none", "filegroups.a", "/log/a.*", "filegroups.b", "/log/b",
                 "positionFile", "/p"),
         "/log/b, /log/a.*, positions in /p"},
        {&ps_source_spooldir, PS_KEYS("spoolDir", "/in", "penstock.onFileError", "skip"),
         "files of /in, renames each when all its events are acknowledged"},
        {&ps_source_spooldir,
         PS_KEYS("spoolDir", "/in", "recursiveDirectorySearch", "true", "deletePolicy", "immediate",
                 "penstock.onFileError", "skip"),
         "files of /in and below, deletes each when all its events are acknowledged"},
        {&ps_source_spooldir,
         PS_KEYS("spoolDir", "/in", "trackingPolicy", "tracker_dir", "penstock.onFileError", "skip"),
         "files of /in, marks each when all its events are acknowledged"},
        {&ps_source_spooldir, PS_KEYS("spoolDir", "/in"),
         "files of /in, renames each when all its events are acknowledged; stops at a file that changes (not "
         "with penstock.onFileError = skip)"},
        {&ps_source_netcat, PS_KEYS("bind", "10.0.0.1", "port", "5"), "listens on 10.0.0.1:5 (TCP)"},
        {&ps_source_multiport_syslogtcp, PS_KEYS("host", "10.0.0.1", "ports", "5"),
         "listens on 10.0.0.1:5 (TCP)"},
        {&ps_source_multiport_syslogtcp, PS_KEYS("host", "10.0.0.1", "ports", "5 6 7"),
         "listens on 10.0.0.1:5 (TCP) and on ports 6 7"},
        {&ps_source_exec, PS_KEYS("command", "/bin/tail -f x"), "runs /bin/tail, once (restart = false)"},
        {&ps_source_exec, PS_KEYS("command", "tail", "restart", "true"), "runs tail, again when it ends"},
        {&ps_source_exec, PS_KEYS("command", "a | b", "shell", "/bin/sh -c"),
         "runs /bin/sh, once (restart = false)"},
        {&ps_source_kafka, PS_KEYS(SERVERS, "kafka.topics", "t", "kafka.consumer.group.id", "g"),
         "brokers h:1, group g, topic t, native engine"},
        {&ps_source_kafka,
         PS_KEYS(SERVERS, "kafka.topics", "t,u", "kafka.consumer.security.protocol", "SASL_SSL",
                 "kafka.consumer.sasl.mechanism", "PLAIN", "kafka.consumer.sasl.username", "n",
                 "kafka.consumer.sasl.password", "p"),
         "brokers h:1 (SASL_SSL, PLAIN), group flume, topics t u, native engine"},
        {&ps_source_kafka, PS_KEYS(SERVERS, "kafka.topics.regex", "^t"),
         "brokers h:1, group flume, topics that match ^t, native engine"});
}

static void test_channels(void **unused)
{
    EACH({&ps_channel_file, PS_KEYS("checkpointDir", "/c", "dataDirs", "/d, /e"),
          "in /d, /e; events are acknowledged when they are synced: they survive a crash and a power cut"},
         {&ps_channel_file, PS_KEYS("checkpointDir", "/c", "dataDirs", "/d", "fsyncPerTransaction", "false"),
          "in /d; events are acknowledged when they are written: they survive a crash of the process"},
         {&ps_channel_file, PS_KEYS("checkpointDir", "/c"),
          "in ~/.flume/file-channel/data; events are acknowledged when they are synced: they survive a crash "
          "and a power cut"},
         {&ps_channel_spillablememory, PS_KEYS("overflowCapacity", "0"),
          "in memory only: they are lost when the process dies"},
         {&ps_channel_spillablememory, PS_KEYS("overflowCapacity", "50000", "dataDirs", "/d"),
          "in memory, which are lost when the process dies, and up to 50,000 on disk in /d"},
         {&ps_channel_jdbc, PS_KEYS("driver.url", "jdbc:sqlite:/d/f", "db.type", "OTHER"),
          "in SQLite /d/f; events are acknowledged when they are committed: they survive a crash and a power "
          "cut"},
         {&ps_channel_kafka, PS_KEYS(SERVERS, "kafka.topic", "t", "kafka.consumer.group.id", "g"),
          "brokers h:1, topic t, group g, Flume events, acks all"},
         {&ps_channel_kafka, PS_KEYS(SERVERS, "parseAsFlumeEvent", "false", "kafka.producer.acks", "1"),
          "brokers h:1, topic flume-channel, group flume, bodies, acks 1 (events can be lost)"});
}

static void test_sinks(void **unused)
{
    EACH({&ps_sink_avro, PS_KEYS("hostname", "h", "port", "5"), "sends to h:5 (TCP)"},
         {&ps_sink_avro, PS_KEYS("hostname", "h", "port", "5", "compression-type", "deflate", "ssl", "true"),
          "sends to h:5 (TCP, TLS, compressed)"},
         {&ps_sink_thrift, PS_KEYS("hostname", "h", "port", "5"), "sends to h:5 (TCP)"},
         {&ps_sink_thrift, PS_KEYS("hostname", "h", "port", "5", "ssl", "true"), "sends to h:5 (TCP, TLS)"},
         {&ps_sink_file_roll, PS_KEYS("sink.directory", "/o"), "writes files in /o, a new one every 30 s"},
         {&ps_sink_file_roll, PS_KEYS("sink.directory", "/o", "sink.rollInterval", "0"),
          "writes files in /o, one for all"},
         {&ps_sink_file_roll,
          PS_KEYS("sink.directory", "/o", "sink.rollInterval", "0", "penstock.compression", "gzip"),
          "writes files in /o, one for all, compressed (gzip)"},
         {&ps_sink_file_roll,
          PS_KEYS("sink.directory", "/o", "sink.rollInterval", "90", "penstock.compression", "zstd"),
          "writes files in /o, a new one every 1 min 30 s, compressed (zstd)"},
         {&ps_sink_irc, PS_KEYS("hostname", "h", "nick", "n", "chan", "c"),
          "sends events to channel #c of h:6667 as n"},
         {&ps_sink_http, PS_KEYS("endpoint", "http://user:word@h:5/p"), "posts to http://h:5/p"},
         {&ps_sink_elasticsearch, PS_KEYS("hostNames", "h, http://user:word@i:9201,j:9300"),
          "index flume-DATE at http://h:9200, http://i:9201, http://j:9200"},
         {&ps_sink_opensearch, PS_KEYS("endpoints", "https://h", "data_stream", "logs-x"),
          "data stream logs-x at https://h"},
         {&ps_sink_solr, PS_KEYS("url", "http://user:word@h:8983/solr/c,https://i/solr/c"),
          "documents to http://h:8983/solr/c, https://i/solr/c"},
         {&ps_sink_kafka, PS_KEYS(SERVERS),
          "brokers h:1, topic default-flume-topic or the event's, acks all, idempotent, native engine"},
         {&ps_sink_kafka,
          PS_KEYS(SERVERS, "kafka.topic", "t", "allowTopicOverride", "false", "kafka.producer.acks", "1"),
          "brokers h:1, topic t, acks 1 (events can be lost), native engine"},
         {&ps_sink_kafka,
          PS_KEYS(SERVERS, "kafka.topic", "t", "allowTopicOverride", "false", "penstock.engine", "librdkafka",
                  "kafka.producer.enable.idempotence", "false"),
          "brokers h:1, topic t, acks all, not idempotent (retries can double events), engine librdkafka"},
         {&ps_sink_kafka,
          PS_KEYS(SERVERS, "kafka.topic", "t", "allowTopicOverride", "false",
                  "kafka.producer.enable.idempotence", "FALSE"),
          "brokers h:1, topic t, acks all, not idempotent (retries can double events), native engine"},
         {&ps_sink_hdfs, PS_KEYS("hdfs.path", "hdfs://h/p"),
          "writes SequenceFile files in hdfs://h/p, a new one after 30 s or 1,024 bytes or 10 events"},
         {&ps_sink_hdfs,
          PS_KEYS("hdfs.path", "hdfs://h/%{x}", "hdfs.fileType", "DataStream", "hdfs.rollInterval", "0",
                  "hdfs.rollSize", "0", "hdfs.rollCount", "1"),
          "writes DataStream files in hdfs://h/%{x}, a new one after 1 event"},
         {&ps_sink_hdfs, PS_KEYS("hdfs.path", "hdfs://h/p", "hdfs.rollInterval", "0", "hdfs.rollCount", "0"),
          "writes SequenceFile files in hdfs://h/p, a new one after 1,024 bytes"},
         {&ps_sink_hive,
          PS_KEYS("hive.metastore", "thrift://h:5", "hive.database", "d", "hive.table", "t", "serializer",
                  "JSON"),
          "streams rows into d.t of thrift://h:5, a transaction for at most 15,000 events or 1 s"},
         {&ps_sink_hive,
          PS_KEYS("hive.metastore", "thrift://h:5", "hive.database", "d", "hive.table", "t", "hive.partition",
                  "a,%{b}", "serializer", "JSON", "penstock.table.type", "plain"),
          "writes files of the plain table d.t (a,%{b}) of thrift://h:5, a new one after 5 min or "
          "134,217,728 bytes"});
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_sources), cmocka_unit_test(test_channels),
                                       cmocka_unit_test(test_sinks)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
