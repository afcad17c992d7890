#include "tests/support/conformance_sinks.h"

#include "stages/table.h"
#include "tests/support/http_peer.h"
#include "tests/support/java_host.h"
#include "tests/support/kafka/cluster.h"
#include "tests/support/kafka/tail.h"
#include "tests/support/metastore_peer.h"
#include "tests/support/post_sink.h"

#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

#define REFUSALS 3

static char folder[64], hive_folder[96], hdfs_folder[96], hdfs_url[112], metastore[64], log_path[96],
    text[1 << 20], bootstrap[64], avro_port[8], thrift_port[8], irc_port[8];

static void clear_folder(void)
{
    DIR *directory = opendir(folder);
    assert_non_null(directory);
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        char path[512];
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (entry->d_name[0] == '1')
            unlink(path);
    }
    closedir(directory);
}

/* Reads a file; decompresses it if it is gzip. */
static size_t read_file(const char *path, char *to, size_t room)
{
    gzFile file = gzopen(path, "r");
    assert_non_null(file);
    int length = gzread(file, to, (unsigned)room);
    assert_true(length >= 0);
    assert_int_equal(gzclose(file), Z_OK);
    return (size_t)length;
}

static const char *folder_content(void)
{
    size_t length = 0;
    DIR *directory = opendir(folder);
    assert_non_null(directory);
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        char path[512];
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (entry->d_name[0] == '1')
            length += read_file(path, text + length, sizeof text - 1 - length);
    }
    closedir(directory);
    text[length] = '\0';
    return text;
}

/* Files of the sink hdfs: FlumeData.1700000000001; the newest name may end in .tmp. */
static int is_hdfs_file(const struct dirent *entry)
{
    return entry->d_name[0] == 'F';
}

/* Handles the files in the order of their names, which is the order in which they were written. */
static size_t each_hdfs_file(void (*handle)(const char *path, size_t *length))
{
    struct dirent **entries;
    size_t length = 0;
    int count = scandir(hdfs_folder, &entries, is_hdfs_file, alphasort);
    for (int i = 0; i < count; i++) {
        char path[512];
        snprintf(path, sizeof path, "%s/%s", hdfs_folder, entries[i]->d_name);
        handle(path, &length);
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
    return length;
}

static void remove_hdfs_file(const char *path, size_t *length)
{
    unlink(path);
}

static void read_hdfs_file(const char *path, size_t *length)
{
    *length += read_file(path, text + *length, sizeof text - 1 - *length);
}

static void clear_hdfs(void)
{
    (void)each_hdfs_file(remove_hdfs_file);
}

static const char *hdfs_content(void)
{
    text[each_hdfs_file(read_hdfs_file)] = '\0';
    return text;
}

/* Rows of a table have no order: a failed transaction is repeated after later ones. */
static int compare_lines(const void *a, const void *b)
{
    const char *const *first = a, *const *second = b;
    return atoi(*first + strlen("event ")) - atoi(*second + strlen("event "));
}

static const char *in_order(char *rows)
{
    static char *lines[1 << 15];
    size_t count = 0, length = 0;
    for (char *at = rows; *at != '\0'; count++) {
        assert_in_range(count, 0, PS_COUNT_OF(lines) - 1);
        lines[count] = strsep(&at, "\n");
    }
    qsort(lines, count, sizeof lines[0], compare_lines);
    text[0] = '\0';
    for (size_t i = 0; i < count; i++)
        length += (size_t)sprintf(text + length, "%s\n", lines[i]);
    return text;
}

static const char *hive_content(void)
{
    static char rows[1 << 20];
    (void)ps_test_metastore_rows(hive_folder, rows, sizeof rows);
    return in_order(rows);
}

/* Refused events are sent again after later ones. */
static const char *bulk_content(void)
{
    static char rows[1 << 20];
    snprintf(rows, sizeof rows, "%s", ps_test_http_peer_text());
    return in_order(rows);
}

static void refuse_commit(void)
{
    ps_test_metastore_refuse("commit_txn", REFUSALS);
}

static bool commit_refused(void)
{
    return ps_test_metastore_left() == 0;
}

static int remove_entry(const char *path, const struct stat *unused, int type, struct FTW *place)
{
    return remove(path);
}

static void begin_log(void)
{
    assert_int_equal(truncate(log_path, 0), 0);
}

/* Extracts the bodies from "... 65 76 .. event 1 }". */
static const char *log_content(void)
{
    static char log[1 << 20];
    log[read_file(log_path, log, sizeof log - 1)] = '\0';
    size_t used = 0;
    for (char *line = strtok(log, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        char *body = strstr(line, "body: ");
        if (body == NULL)
            continue;
        body += 6 + 16 * 3;
        char *end = strstr(body, " }");
        assert_non_null(end);
        used += (size_t)sprintf(text + used, "%.*s\n", (int)(end - body), body);
    }
    text[used] = '\0';
    return text;
}

#define TOPIC "conformance"
#define BROKER 1

static struct ps_test_tail *tail;

static void begin_topic(void)
{
    ps_test_tail_mark(tail);
}

static const char *topic_content(void)
{
    ps_test_tail_read(tail, text, sizeof text);
    return text;
}

static void set_broker(enum ps_test_far_end state)
{
    rd_kafka_mock_cluster_t *cluster = ps_test_cluster.handle;
    if (state == PS_TEST_FAR_END_DOWN)
        assert_int_equal(rd_kafka_mock_broker_set_down(cluster, BROKER), 0);
    else
        assert_int_equal(rd_kafka_mock_broker_set_up(cluster, BROKER), 0);
    assert_int_equal(rd_kafka_mock_broker_set_rtt(cluster, BROKER, state == PS_TEST_FAR_END_SLOW ? 150 : 0),
                     0);
}

static void refuse_produce(void)
{
    enum { PRODUCE = 0 }; /* ApiKey */
    rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS;
    assert_int_equal(rd_kafka_mock_broker_push_request_error_rtts(ps_test_cluster.handle, BROKER, PRODUCE,
                                                                  REFUSALS, error, 0, error, 0, error, 0),
                     0);
}

static bool produce_refused(void)
{
    size_t left;
    assert_int_equal(rd_kafka_mock_broker_error_stack_cnt(ps_test_cluster.handle, BROKER, 0, &left), 0);
    return left == 0;
}

static void refuse_post(void)
{
    ps_test_http_peer_answer(503, REFUSALS);
}

static bool post_refused(void)
{
    return ps_test_http_peer_left() == 0;
}

static char endpoint[64], bulk_endpoint[64], elastic_url[64], solr_url[64];

static void set_java(enum ps_test_far_end state)
{
    ps_test_java->mode = state == PS_TEST_FAR_END_UP     ? PS_TEST_JAVA_WELL
                         : state == PS_TEST_FAR_END_SLOW ? PS_TEST_JAVA_SLOW
                                                         : PS_TEST_JAVA_NOTHING;
}

static void refuse_java(void)
{
    ps_test_java->rollbacks = REFUSALS;
}

static bool java_refused(void)
{
    return ps_test_java->rollbacks == 0;
}

static const struct ps_test_sink_adapter adapters[] = {
    {.ops = &ps_sink_null,
     .refuses_elsewhere = "tests/scenarios/optional_channel.scn: it has no far end, and nothing of it can "
                          "fail"},
    {.ops = &ps_sink_logger,
     .begin = begin_log,
     .arrived = log_content,
     .refuses_elsewhere =
         "tests/stages/sinks/logger_test.c: its log has no error that it repeats; nobody may "
         "read it"},
    {.ops = &ps_sink_file_roll,
     .keys = {"sink.directory", folder, "sink.rollInterval", "3600"},
     .begin = clear_folder,
     .arrived = folder_content,
     .failing_call = "writev"},
    {.ops = &ps_sink_file_roll,
     .keys = {"sink.directory", folder, "sink.rollInterval", "3600", "penstock.compression", "gzip"},
     .begin = clear_folder,
     .arrived = folder_content,
     .failing_call = "writev"},
    {.ops = &ps_sink_hdfs,
     .keys = {"hdfs.path", hdfs_url, "hdfs.fileType", "DataStream", "hdfs.rollCount", "0", "hdfs.rollSize",
              "0"},
     .begin = clear_hdfs,
     .arrived = hdfs_content,
     .failing_call = "write"},
    {.ops = &ps_sink_hive,
     .keys = {"hive.metastore", metastore, "hive.database", "default", "hive.table", "t", "serializer",
              "DELIMITED", "serializer.fieldnames", "line", "penstock.commit.interval", "0"},
     .begin = ps_test_metastore_mark,
     .arrived = hive_content,
     .far_end = ps_test_metastore_set,
     .refuse = refuse_commit,
     .refused = commit_refused,
     /* an ORC writer for each transaction */
     .allocations_per_event = 20,
     .allocations_before_library = 1},
    {.ops = &ps_sink_http,
     .keys = {"endpoint", endpoint, "defaultBackoff", "false", "rollback.2XX", "false"},
     .begin = ps_test_http_peer_clear,
     .arrived = ps_test_http_peer_text,
     .far_end = ps_test_http_peer_set,
     .refuse = refuse_post,
     .refused = post_refused,
     /* libcurl builds the header of each request, and parses that of the response */
     .allocations_per_event = 60,
     .allocations_before_library = 1},
    {.ops = &ps_sink_kafka,
     .keys = {"kafka.bootstrap.servers", bootstrap, "kafka.topic", TOPIC,
              /* this broker does not look at sequence numbers */
              "kafka.producer.max.in.flight.requests.per.connection", "1"},
     .begin = begin_topic,
     .arrived = topic_content,
     .far_end = set_broker,
     .refuse = refuse_produce,
     .refused = produce_refused,
     /* librdkafka allocates a message for each record, and events for the delivery reports */
     .allocations_per_event = 1,
     .allocations_before_library = 3},
    {.ops = &ps_sink_avro,
     .keys = {"hostname", "127.0.0.1", "port", avro_port, "batch-size", "30"},
     .begin = ps_test_echo_clear,
     .arrived = ps_test_echo_text,
     .far_end = ps_test_echo_set,
     .refuse = ps_test_echo_cut,
     .refused = ps_test_echo_was_cut},
    {.ops = &ps_sink_thrift,
     .keys = {"hostname", "127.0.0.1", "port", thrift_port, "batch-size", "30"},
     .begin = ps_test_echo_clear,
     .arrived = ps_test_echo_text,
     .far_end = ps_test_echo_set,
     .refuse = ps_test_echo_cut,
     .refused = ps_test_echo_was_cut},
    {.ops = &ps_sink_irc,
     .keys = {"hostname", "127.0.0.1", "port", irc_port, "nick", "flume", "chan", "logs"},
     .begin = ps_test_echo_clear,
     .arrived = ps_test_echo_text,
     .far_end = ps_test_echo_set,
     .refuse = ps_test_echo_cut,
     .refused = ps_test_echo_was_cut},
    {.ops = &ps_sink_java,
     .keys = {"type", "org.example.Sink"},
     .begin = ps_test_java_clear,
     .arrived = ps_test_java_text,
     .far_end = set_java,
     .refuse = refuse_java,
     .refused = java_refused},
    {.ops = &ps_sink_elasticsearch,
     .keys = {"hostNames", elastic_url, "serializer", "ElasticSearchDynamicSerializer", "penstock.requests",
              "2"},
     .begin = ps_test_http_peer_clear,
     .arrived = bulk_content,
     .far_end = ps_test_http_peer_set,
     .refuse = refuse_post,
     .refused = post_refused,
     .allocations_per_event = 4, /* libcurl's for each request */
     .allocations_before_library = 1},
    {.ops = &ps_sink_opensearch,
     .keys = {"endpoints", elastic_url, "index", "i", "batch.max_events", "100"},
     .begin = ps_test_http_peer_clear,
     .arrived = bulk_content,
     .far_end = ps_test_http_peer_set,
     .refuse = refuse_post,
     .refused = post_refused,
     .allocations_per_event = 4, /* libcurl's for each request */
     .allocations_before_library = 1},
    {.ops = &ps_sink_solr,
     .keys = {"url", solr_url, "penstock.ids", "none", "penstock.requests", "2"},
     .begin = ps_test_http_peer_clear,
     .arrived = bulk_content,
     .far_end = ps_test_http_peer_set,
     .refuse = refuse_post,
     .refused = post_refused,
     .allocations_per_event = 4, /* libcurl's for each request */
     .allocations_before_library = 1},
    {.ops = &ps_test_post_sink,
     .keys = {"endpoint", bulk_endpoint},
     .begin = ps_test_http_peer_clear,
     .arrived = bulk_content,
     .far_end = ps_test_http_peer_set,
     .refuse = refuse_post,
     .refused = post_refused,
     .allocations_per_event = 2, /* libcurl's for each request */
     .allocations_before_library = 1},
    {.ops = &ps_test_echo_sink,
     .begin = ps_test_echo_clear,
     .arrived = ps_test_echo_text,
     .far_end = ps_test_echo_set,
     .refuse = ps_test_echo_cut,
     .refused = ps_test_echo_was_cut},
};

const struct ps_test_sink_adapter *const ps_test_sink_adapters = adapters;
const size_t ps_test_sink_adapter_count = PS_COUNT_OF(adapters);

int ps_test_sinks_start(void **state)
{
    snprintf(folder, sizeof folder, "/tmp/penstock-sinks-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(hdfs_folder, sizeof hdfs_folder, "%s/hdfs", folder);
    snprintf(hdfs_url, sizeof hdfs_url, "file://%s", hdfs_folder);
    snprintf(hive_folder, sizeof hive_folder, "%s/hive", folder);
    snprintf(log_path, sizeof log_path, "%s/log", folder);
    assert_int_equal(ps_log_open(log_path, NULL), PS_OK);
    ps_test_echo_start();
    ps_test_java_start(60000, 1000);
    ps_test_metastore_start();
    snprintf(metastore, sizeof metastore, "%s", ps_test_metastore_url());
    ps_test_metastore_set_table(
        &(struct ps_test_metastore_table){.location = hive_folder,
                                          .columns = "line:string",
                                          .keys = "",
                                          .bucket_columns = "line",
                                          .bucket_count = 4,
                                          .parameters = "transactional=true,orc.compress=NONE"});
    snprintf(avro_port, sizeof avro_port, "%u", ps_test_avro_port());
    snprintf(thrift_port, sizeof thrift_port, "%u", ps_test_thrift_port());
    snprintf(irc_port, sizeof irc_port, "%u", ps_test_irc_port());
    ps_test_http_peer_start();
    snprintf(endpoint, sizeof endpoint, "%s", ps_test_http_peer_url());
    snprintf(elastic_url, sizeof elastic_url, "%s", ps_test_http_peer_elastic_url());
    snprintf(solr_url, sizeof solr_url, "%s", ps_test_http_peer_solr_url());
    snprintf(bulk_endpoint, sizeof bulk_endpoint, "%s", ps_test_http_peer_bulk_url());
    (void)ps_test_cluster_setup(state);
    ps_test_topic(TOPIC, 1);
    snprintf(bootstrap, sizeof bootstrap, "%s", ps_test_cluster.bootstrap);
    tail = ps_test_tail_open(bootstrap, TOPIC);
    return 0;
}

int ps_test_sinks_stop(void **state)
{
    ps_test_java_stop();
    ps_test_echo_stop();
    ps_test_metastore_stop();
    (void)nftw(hive_folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    ps_test_http_peer_stop();
    ps_test_tail_close(tail);
    (void)ps_log_open(NULL, NULL);
    clear_folder();
    clear_hdfs();
    rmdir(hdfs_folder);
    unlink(log_path);
    rmdir(folder);
    return ps_test_cluster_teardown(state);
}
