#include "tests/support/conformance_sources.h"

#include "stages/lib/avro/rpc.h"
#include "stages/table.h"
#include "tests/support/conformance_spool.h"
#include "tests/support/java_host.h"
#include "tests/support/kafka/cluster.h"
#include "tests/support/kafka/member.h"
#include "tests/support/legacy_rpc.h"
#include "tests/support/net.h"
#include "tests/support/thrift_rpc.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

unsigned ps_test_source_delivered;

static int client = -1;

static void connect_tcp(const struct ps_test_source_adapter *adapter, struct ps_test_stage *stage)
{
    client = ps_test_connect("127.0.0.1", ps_test_tcp_port(stage, 0));
}

static void connect_udp(const struct ps_test_source_adapter *adapter, struct ps_test_stage *stage)
{
    client = ps_test_connect_udp("127.0.0.1", ps_test_udp_port(stage));
}

static void disconnect(void)
{
    close(client);
    client = -1;
}

size_t ps_test_source_answer(char *to, size_t room)
{
    ssize_t length = client >= 0 ? recv(client, to, room, MSG_DONTWAIT) : 0;
    return length > 0 ? (size_t)length : 0;
}

static void send_line(unsigned number)
{
    char line[64];
    snprintf(line, sizeof line, "event %u\n", number);
    ps_test_send_text(client, line);
}

static void expect_line(const struct ps_test_event *event, unsigned number)
{
    char body[64];
    snprintf(body, sizeof body, "event %u", number);
    assert_string_equal(event->body, body);
}

static void send_http(unsigned number)
{
    char request[160], body[64], answers[4096];
    while (recv(client, answers, sizeof answers, MSG_DONTWAIT) > 0) /* else the source stops reading */
        ;
    int length = snprintf(body, sizeof body, "[{\"body\":\"event %u\"}]", number);
    snprintf(request, sizeof request, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s", length,
             body);
    ps_test_send_text(client, request);
}

static void send_syslog(unsigned number)
{
    char line[96];
    snprintf(line, sizeof line, "<13>1 2023-11-14T22:13:20Z host event %u\n", number);
    ps_test_send_text(client, line);
}

static bool greeted; /* the first call of a connection begins with a handshake */

static void connect_avro(const struct ps_test_source_adapter *adapter, struct ps_test_stage *stage)
{
    connect_tcp(adapter, stage);
    greeted = false;
}

/* Sends a call of appendBatch with one event. */
static void send_avro(unsigned number)
{
    char body[64];
    uint8_t call[256], message[1024];
    int length = snprintf(body, sizeof body, "event %u", number);
    size_t at = ps_avro_put_call(call);
    at += ps_avro_put_count(call + at, 1);
    at += ps_avro_put_event(call + at, body, (uint32_t)length);
    at += ps_avro_put_count(call + at, 0);
    size_t head = ps_avro_put_head(message, number, !greeted, at);
    greeted = true;
    memcpy(message + head, call, at);
    ps_test_send(client, message, head + at);
}

/* Sends a call of appendBatch with one event. */
static void send_thrift(unsigned number)
{
    static struct ps_test_thrift_call call;
    char body[64];
    int length = snprintf(body, sizeof body, "event %u", number);
    ps_test_thrift_begin(&call, number % 2 == 0, number, 1, 0);
    ps_test_thrift_event(&call, body, (size_t)length, NULL);
    ps_test_thrift_end(&call);
    ps_test_send(client, call.bytes, call.length);
    ps_test_thrift_free(&call);
}

/* Sends a call with one event, as `make` writes it. */
static void send_made(unsigned number,
                      size_t (*make)(uint8_t *to, uint32_t number, const char *body, size_t length))
{
    char body[64];
    uint8_t call[1024];
    int length = snprintf(body, sizeof body, "event %u", number);
    ps_test_send(client, call, make(call, number, body, (size_t)length));
}

static void send_scribe(unsigned number)
{
    send_made(number, ps_test_scribe);
}

static void send_legacy_thrift(unsigned number)
{
    send_made(number, ps_test_legacy_thrift);
}

static size_t make_legacy_avro(uint8_t *to, uint32_t number, const char *body, size_t length)
{
    return ps_test_legacy_avro(to, body, length, 1 + number % 3);
}

static void send_legacy_avro(unsigned number)
{
    send_made(number, make_legacy_avro);
}

static void begin_java(const struct ps_test_source_adapter *, struct ps_test_stage *)
{
    ps_test_java->events = 0;
}

static void send_java(unsigned number)
{
    ps_test_java->events = (int)number + 1;
}

static void expect_number(const struct ps_test_event *event, unsigned number)
{
    char body[64];
    snprintf(body, sizeof body, "%u", number);
    assert_string_equal(event->body, body);
}

static void expect_stress(const struct ps_test_event *event, unsigned number)
{
    assert_int_equal(event->length, 10);
    assert_memory_equal(event->body, "\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f", 10);
}

static char bootstrap[64], topic[16], group[16];
static rd_kafka_t *producer;

/* Each test gets its own topic and group. */
static void prepare_topic(void)
{
    static unsigned count;
    snprintf(topic, sizeof topic, "t%u", count);
    snprintf(group, sizeof group, "g%u", count++);
    ps_test_topic(topic, 1);
}

static void open_producer(const struct ps_test_source_adapter *adapter, struct ps_test_stage *stage)
{
    char reason[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    assert_int_equal(rd_kafka_conf_set(conf, "bootstrap.servers", bootstrap, reason, sizeof reason), 0);
    assert_int_equal(rd_kafka_conf_set(conf, "log_level", "0", reason, sizeof reason), 0);
    producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason, sizeof reason);
    assert_non_null(producer);
}

static void produce(unsigned number)
{
    char body[64];
    int length = snprintf(body, sizeof body, "event %u", number);
    assert_int_equal(rd_kafka_producev(producer, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(0),
                                       RD_KAFKA_V_VALUE(body, (size_t)length),
                                       RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END),
                     0);
    (void)rd_kafka_poll(producer, 0);
}

static void close_producer(void)
{
    assert_int_equal(rd_kafka_flush(producer, PS_TEST_PATIENCE_MS), 0);
    rd_kafka_destroy(producer);
    producer = NULL;
}

static unsigned committed(void)
{
    int64_t offset = ps_test_kafka_committed(bootstrap, group, topic, 0);
    return offset > 0 ? (unsigned)offset : 0; /* less: there is none yet */
}

#define BROKER 1

static void refuse_fetch(void)
{
    enum { FETCH = 1 }; /* ApiKey */
    rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR;
    assert_int_equal(rd_kafka_mock_broker_push_request_error_rtts(ps_test_cluster.handle, BROKER, FETCH, 2,
                                                                  error, 0, error, 0),
                     0);
}

static bool fetch_refused(void)
{
    size_t left;
    assert_int_equal(rd_kafka_mock_broker_error_stack_cnt(ps_test_cluster.handle, BROKER, 1, &left), 0);
    return left == 0;
}

static char tail_folder[] = "/tmp/penstock-conformance-XXXXXX", tail_pattern[64], tail_positions[64],
            tail_log[64];

/* Each test gets its own file and position file. */
static void prepare_tail(void)
{
    static unsigned count;
    if (count++ == 0) {
        assert_non_null(mkdtemp(tail_folder));
        snprintf(tail_positions, sizeof tail_positions, "%s/positions", tail_folder);
        snprintf(tail_log, sizeof tail_log, "%s/log", tail_folder);
        snprintf(tail_pattern, sizeof tail_pattern, "%s/log", tail_folder);
    }
    (void)unlink(tail_positions);
    (void)unlink(tail_log);
}

static void open_log(const struct ps_test_source_adapter *adapter, struct ps_test_stage *stage)
{
    client = open(tail_log, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    assert_true(client >= 0);
}

static void write_line(unsigned number)
{
    char line[64];
    int length = snprintf(line, sizeof line, "event %u\n", number);
    assert_int_equal(write(client, line, (size_t)length), length);
}

/* Returns the number of the line at the position in the position file; 0 without one. */
static unsigned tail_position(void)
{
    char text[1024] = "", *at;
    int fd = open(tail_positions, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    assert_true(read(fd, text, sizeof text - 1) >= 0);
    close(fd);
    at = strstr(text, "\"pos\":");
    long offset = at != NULL ? atol(at + strlen("\"pos\":")) : 0, begin = 0;
    unsigned number = 0;
    char line[64];
    for (; begin < offset; number++)
        begin += snprintf(line, sizeof line, "event %u\n", number);
    assert_int_equal(begin, offset);
    return number;
}

static const struct ps_test_source_adapter adapters[] = {
    {.ops = &ps_source_seq,
     .keys = {"totalEvents", "3000"},
     .asked_elsewhere = "tests/stages/conformance_source_test.c: it makes its events, and waits for nothing "
                        "but the channel",
     .expect = expect_number},
    {.ops = &ps_source_stress,
     .keys = {"size", "10", "maxTotalEvents", "3000"},
     .asked_elsewhere = "tests/scenarios/generators.scn: it makes its events, and waits for nothing but "
                        "the channel",
     .expect = expect_stress},
    {.ops = &ps_source_java,
     .keys = {"type", "org.example.Source"},
     .asked_elsewhere = "tests/stages/sources/java_test.c: its answers go to another process",
     .begin = begin_java,
     .send = send_java,
     .expect = expect_line},
    /* With a format, seq writes each line by itself: a command that is stopped leaves no part of a line. */
    {.ops = &ps_source_exec,
     .keys = {"command", "stdbuf -oL seq -f %g 0 2999"},
     .asked_elsewhere = "tests/stages/sources/exec_test.c: its events come from a command, which it starts "
                        "again",
     .expect = expect_number},
    {.ops = &ps_source_taildir,
     .keys = {"filegroups", "g", "filegroups.g", tail_pattern, "positionFile", tail_positions,
              "writePosInterval", "50", "batchSize", "1000"},
     .prepare = prepare_tail,
     .begin = open_log,
     .send = write_line,
     .end = disconnect,
     .expect = expect_line,
     .position = tail_position,
     .failing_call = "preadv2",
     .asserts_memory = true},
    {.ops = &ps_source_netcat,
     .keys = {"bind", "127.0.0.1", "port", "0", "ack-every-event", "false"},
     .begin = connect_tcp,
     .send = send_line,
     .end = disconnect,
     .expect = expect_line,
     .asserts_memory = true},
    {.ops = &ps_source_avro,
     .keys = {"bind", "127.0.0.1", "port", "0"},
     .begin = connect_avro,
     .send = send_avro,
     .end = disconnect,
     .expect = expect_line,
     .asserts_memory = true},
    {.ops = &ps_source_thrift,
     .keys = {"bind", "127.0.0.1", "port", "0"},
     .begin = connect_tcp,
     .send = send_thrift,
     .end = disconnect,
     .expect = expect_line,
     .asserts_memory = true},
    {.ops = &ps_source_scribe,
     .keys = {"port", "0"},
     .begin = connect_tcp,
     .send = send_scribe,
     .end = disconnect,
     .expect = expect_line,
     .asserts_memory = true},
    {.ops = &ps_source_thriftlegacy,
     .keys = {"host", "127.0.0.1", "port", "0"},
     .begin = connect_tcp,
     .send = send_legacy_thrift,
     .end = disconnect,
     .expect = expect_line,
     .asserts_memory = true},
    {.ops = &ps_source_avrolegacy,
     .keys = {"host", "127.0.0.1", "port", "0"},
     .begin = connect_tcp,
     .send = send_legacy_avro,
     .end = disconnect,
     .expect = expect_line,
     .asserts_memory = true},
    {.ops = &ps_source_http,
     .keys = {"bind", "127.0.0.1", "port", "0"},
     .begin = connect_tcp,
     .send = send_http,
     .end = disconnect,
     .expect = expect_line,
     .asserts_memory = true},
    {.ops = &ps_source_syslogtcp,
     .keys = {"host", "127.0.0.1", "port", "0"},
     .begin = connect_tcp,
     .send = send_syslog,
     .end = disconnect,
     .expect = expect_line,
     .asserts_memory = true},
    {.ops = &ps_source_multiport_syslogtcp,
     .keys = {"host", "127.0.0.1", "ports", "0"},
     .begin = connect_tcp,
     .send = send_syslog,
     .end = disconnect,
     .expect = expect_line,
     .asserts_memory = true},
    {.ops = &ps_source_syslogudp,
     .keys = {"host", "127.0.0.1", "port", "0"},
     .begin = connect_udp,
     .send = send_syslog,
     .end = disconnect,
     .expect = expect_line,
     .asserts_memory = true},
    {.ops = &ps_source_netcatudp,
     .keys = {"bind", "127.0.0.1", "port", "0"},
     .begin = connect_udp,
     .send = send_line,
     .end = disconnect,
     .expect = expect_line,
     .asserts_memory = true},
    {.ops = &ps_source_spooldir,
     .keys = {"spoolDir", ps_test_spool_directory, "pollDelay", "20"},
     .prepare = ps_test_spool_prepare,
     .send = ps_test_spool_send,
     .end = ps_test_spool_end,
     .expect = expect_line,
     .position = ps_test_spool_position,
     .failing_call = "opendir",
     .rest_step_ms = 20,
     .asserts_memory = true},
    {.ops = &ps_source_kafka,
     .keys = {"kafka.bootstrap.servers", bootstrap, "kafka.topics", topic, "kafka.consumer.group.id", group,
              "kafka.consumer.auto.offset.reset", "earliest",
              /* when a member has left, the mock broker admits the next one after this time minus 1 s */
              "kafka.consumer.session.timeout.ms", "4000", "kafka.consumer.heartbeat.interval.ms", "100"},
     .joins = true,
     .prepare = prepare_topic,
     .begin = open_producer,
     .send = produce,
     .end = close_producer,
     .expect = expect_line,
     .position = committed,
     .refuse = refuse_fetch,
     .refused = fetch_refused,
     /* all allocations are librdkafka's, which ends the process when one fails */
     .asserts_memory = true},
};

const struct ps_test_source_adapter *const ps_test_source_adapters = adapters;
const size_t ps_test_source_adapter_count = PS_COUNT_OF(adapters);

int ps_test_sources_start(void **state)
{
    ps_test_java_start(60000, 1000);
    (void)ps_test_cluster_setup(state);
    snprintf(bootstrap, sizeof bootstrap, "%s", ps_test_cluster.bootstrap);
    return 0;
}

int ps_test_sources_stop(void **state)
{
    ps_test_java_stop();
    (void)unlink(tail_log);
    (void)unlink(tail_positions);
    char identities[80];
    snprintf(identities, sizeof identities, "%s.identities", tail_positions);
    (void)unlink(identities);
    (void)rmdir(tail_folder);
    return ps_test_cluster_teardown(state);
}
