/* Far end kafka on the mock cluster: several topics, positions, records that the broker deleted, topics
 * created late, transaction marks, and unreachable brokers. */
#include "tests/support/far.h"
#include "tests/support/kafka/cluster.h"
#include "core/clock.h"
#include "core/quantity.h"
#include "stages/lib/kafka/librdkafka/reader.h"

#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#define API_FETCH 1

static rd_kafka_t *producer_make(void)
{
    char text[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", ps_test_cluster.bootstrap, text, sizeof text);
    rd_kafka_conf_set(conf, "linger.ms", "1", text, sizeof text);
    rd_kafka_t *producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
    assert_non_null(producer);
    return producer;
}

static void produce(rd_kafka_t *producer, const char *topic, int32_t partition, const char *data,
                    size_t length)
{
    rd_kafka_resp_err_t failed =
        rd_kafka_producev(producer, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(partition),
                          RD_KAFKA_V_VALUE((void *)(uintptr_t)data, length),
                          RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY | RD_KAFKA_MSG_F_BLOCK), RD_KAFKA_V_END);
    assert_int_equal(failed, RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_poll(producer, 0);
}

static void send_numbers(const char *topic, unsigned partitions, unsigned first, unsigned count,
                         unsigned size)
{
    rd_kafka_t *producer = producer_make();
    char *text = malloc(size + 32);
    assert_non_null(text);
    memset(text, ' ', size + 32);
    for (unsigned i = first; i < first + count; i++) {
        int length = sprintf(text, "%u", i);
        text[length] = ' ';
        produce(producer, topic, (int32_t)(i % partitions), text, size > 0 ? size : (size_t)length);
    }
    assert_int_equal(rd_kafka_flush(producer, PS_TEST_PATIENCE_MS), RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_destroy(producer);
    free(text);
}

/* Checks that every number of [first, first + count) came once, in order within each stream; returns the
 * number of streams. */
static unsigned expect_numbers(const struct ps_test_far *far, unsigned first, unsigned count)
{
    unsigned *last = calloc(1024, sizeof *last), streams = 0;
    bool *seen = calloc(count, sizeof *seen);
    assert_int_equal(far->count, count);
    for (size_t i = 0; i < far->count; i++) {
        unsigned number = (unsigned)strtoul(far->records[i].data, NULL, 10);
        uint64_t stream = far->records[i].stream;
        assert_true(number >= first && number < first + count && stream < 1024);
        assert_false(seen[number - first]);
        seen[number - first] = true;
        streams += last[stream] == 0;
        assert_true(last[stream] < number + 1);
        last[stream] = number + 1;
    }
    free(last);
    free(seen);
    return streams;
}

static void test_topics(void **state)
{
    struct ps_test_far far;
    ps_test_topic("one", 3);
    ps_test_topic("two", 5);
    send_numbers("one", 3, 0, 9000, 0);
    send_numbers("two", 5, 9000, 10000, 0);
    ps_test_far_open(&far, "kafka://%s/one,two?isolation=read_uncommitted", ps_test_cluster.bootstrap);
    ps_test_far_collect(&far, 19000);
    assert_int_equal(expect_numbers(&far, 0, 19000), 8);
    ps_test_far_expect_nothing(&far, 50);
    ps_test_far_expect_remark(&far, NULL, false);
    assert_null(far.ops->address); /* it does not listen */
    ps_test_far_close(&far);
}

/* Records written after `open` are read, however long the first read takes. */
static void test_latest(void **state)
{
    struct ps_test_far far;
    ps_test_topic("latest", 4);
    send_numbers("latest", 4, 0, 1000, 0);
    ps_test_far_open(&far, "kafka://%s/latest?offset=latest&kafka.client.id=me", ps_test_cluster.bootstrap);
    send_numbers("latest", 4, 1000, 500, 0);
    ps_test_far_collect(&far, 500);
    expect_numbers(&far, 1000, 500);
    ps_test_far_expect_remark(&far, NULL, false);
    ps_test_far_close(&far);
}

/* Reads until the record of that number came; counts the missing numbers. */
static unsigned read_until(struct ps_test_far *far, unsigned last)
{
    unsigned missing = 0, next = 0;
    size_t looked = 0;
    for (int patience = 0; next <= last; patience++) {
        /* Many reads, of 20 ms each, may find no record, because a busy machine delays the threads of the mock cluster and of librdkafka. */
        assert_true(patience < 15000);
        ps_test_far_read(far, 20);
        for (; looked < far->count; looked++, patience = 0) {
            unsigned number = (unsigned)strtoul(far->records[looked].data, NULL, 10);
            assert_true(number >= next);
            missing += number - next;
            next = number + 1;
        }
    }
    return missing;
}

/* The mock cluster keeps 5 MB per partition: it deletes the beginning of 12 MB before the far end reads. */
static void test_thrown_away_before(void **state)
{
    struct ps_test_far far;
    char remark[80];
    ps_test_topic("before", 1);
    send_numbers("before", 1, 0, 12000, 1000);
    ps_test_far_open(&far, "kafka://%s/before", ps_test_cluster.bootstrap);
    unsigned missing = read_until(&far, 11999);
    assert_true(missing > 1000);
    snprintf(remark, sizeof remark, "deleted %s records", ps_quantity_print_count(missing).text);
    ps_test_far_expect_remark(&far, remark, true);
    ps_test_far_close(&far);
}

/* .. or is deleted while the reader is too slow: the missing records are counted exactly. Without a back-off librdkafka reports the
 * position twice, and the second report moves nothing. */
static void test_thrown_away_meanwhile(void **state)
{
    struct ps_test_far far;
    char remark[80];
    ps_test_topic("meanwhile", 1);
    ps_test_far_open(&far,
                     "kafka://%s/meanwhile?kafka.fetch.error.backoff.ms=0&kafka.queued.min.messages=1000&"
                     "kafka.queued.max.messages.kbytes=1000&kafka.fetch.message.max.bytes=100000",
                     ps_test_cluster.bootstrap);
    for (unsigned i = 0; i < 24; i++)
        send_numbers("meanwhile", 1, i * 500, 500, 1000);
    unsigned missing = read_until(&far, 11999);
    assert_true(missing > 1000);
    snprintf(remark, sizeof remark, "deleted %s records", ps_quantity_print_count(missing).text);
    ps_test_far_expect_remark(&far, remark, true);
    send_numbers("meanwhile", 1, 12000, 10, 0);
    ps_test_far_collect(&far, far.count + 10);
    ps_test_far_close(&far);
}

/* Answers that say "out of range" about a position that the log has, and two of them about one position: librdkafka may fetch again before it
 * has handled the first answer, at once if it does not back off. Nothing is missing, and nothing comes again. */
static void test_out_of_range_for_a_moment(void **state)
{
    struct ps_test_far far;
    ps_test_topic("moment", 1);
    ps_test_far_open(&far, "kafka://%s/moment?kafka.fetch.error.backoff.ms=0", ps_test_cluster.bootstrap);
    for (unsigned round = 0; round < 30; round++) {
        rd_kafka_mock_push_request_errors(ps_test_cluster.handle, API_FETCH, 1,
                                          RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE);
        send_numbers("moment", 1, round * 10, 10, 0);
        ps_test_far_collect(&far, (round + 1) * 10);
    }
    ps_test_far_expect_nothing(&far, 50);
    expect_numbers(&far, 0, 300);
    ps_test_far_expect_remark(&far, NULL, false);
    ps_test_far_close(&far);
}

/* Markers of transactions leave gaps in the offsets: nothing is missing. */
static void test_transactions(void **state)
{
    struct ps_test_far far;
    char text[256];
    ps_test_topic("transactions", 1);
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", ps_test_cluster.bootstrap, text, sizeof text);
    rd_kafka_conf_set(conf, "transactional.id", "t", text, sizeof text);
    rd_kafka_t *producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
    assert_non_null(producer);
    assert_null(rd_kafka_init_transactions(producer, PS_TEST_PATIENCE_MS));
    for (unsigned round = 0; round < 3; round++) {
        assert_null(rd_kafka_begin_transaction(producer));
        for (unsigned i = 0; i < 10; i++) {
            int length = sprintf(text, "%u", round * 10 + i);
            produce(producer, "transactions", 0, text, (size_t)length);
        }
        assert_null(rd_kafka_commit_transaction(producer, PS_TEST_PATIENCE_MS));
    }
    rd_kafka_destroy(producer);
    ps_test_far_open(&far, "kafka://%s/transactions?isolation=read_committed", ps_test_cluster.bootstrap);
    ps_test_far_collect(&far, 30);
    expect_numbers(&far, 0, 30);
    ps_test_far_expect_remark(&far, NULL, false);
    ps_test_far_close(&far);
}

static void *make_later(void *nothing)
{
    usleep(700000);
    rd_kafka_mock_topic_set_error(ps_test_cluster.handle, "later", RD_KAFKA_RESP_ERR_NO_ERROR);
    return NULL;
}

/* The far end waits for topics that do not exist yet. */
static void test_late_topic(void **state)
{
    struct ps_test_far far;
    pthread_t thread;
    ps_test_topic("later", 2);
    rd_kafka_mock_topic_set_error(ps_test_cluster.handle, "later", RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
    assert_int_equal(pthread_create(&thread, NULL, make_later, NULL), 0);
    ps_test_far_open(&far, "kafka://%s/later", ps_test_cluster.bootstrap);
    pthread_join(thread, NULL);
    send_numbers("later", 2, 0, 100, 0);
    ps_test_far_collect(&far, 100);
    ps_test_far_close(&far);
}

/* A look at a topic that does not exist makes none, also on brokers that make topics for clients that ask for them. */
static void test_no_topic_is_made(void **state)
{
    char url[256];
    snprintf(url, sizeof url, "kafka://%s/misspelt", ps_test_cluster.bootstrap);
    ps_test_far_refused_within(url, PS_NS_PER_S, "topic misspelt does not exist");
    assert_false(ps_test_topic_exists(&ps_test_cluster, "misspelt"));
    assert_true(ps_test_topic_exists(&ps_test_cluster, "one"));
}

static void test_refused(void **state)
{
    char url[256];
    rd_kafka_mock_topic_set_error(ps_test_cluster.handle, "denied",
                                  RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    snprintf(url, sizeof url, "kafka://%s/denied", ps_test_cluster.bootstrap);
    ps_test_far_refused(url, "topic denied: Broker: Topic authorization failed");
    snprintf(url, sizeof url, "kafka://%s/one?isolation=yes", ps_test_cluster.bootstrap);
    ps_test_far_refused(url, "isolation is read_committed or read_uncommitted, not `yes`");
    snprintf(url, sizeof url, "kafka://%s/one?ofset=latest", ps_test_cluster.bootstrap);
    ps_test_far_refused(url, "did you mean `offset`");
    snprintf(url, sizeof url, "kafka://%s/one?kafka.no.such=1", ps_test_cluster.bootstrap);
    ps_test_far_refused(url, "no.such");
    snprintf(url, sizeof url, "kafka://%s/", ps_test_cluster.bootstrap);
    ps_test_far_refused(url, "topics: kafka:");
    ps_test_far_refused("kafka:///topic", "brokers are missing");
    ps_test_far_refused("kafka://127.0.0.1:1/topic", "Connection refused");
    bool soon = false; /* --duration is shorter than the reader's patience */
    for (unsigned tries = 0; tries < 5 && !soon; tries++) { /* this thread may get no CPU for that long */
        uint64_t begun_ns = ps_clock_now().mono_ns;
        ps_test_far_refused_within("kafka://127.0.0.1:1/topic", PS_NS_PER_S,
                                   "no broker answers for topic topic");
        soon = ps_clock_now().mono_ns - begun_ns < PS_KAFKA_READER_PATIENCE_MS * PS_NS_PER_MS;
    }
    assert_true(soon);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_topics),
        cmocka_unit_test(test_latest),
        cmocka_unit_test(test_thrown_away_before),
        cmocka_unit_test(test_thrown_away_meanwhile),
        cmocka_unit_test(test_out_of_range_for_a_moment),
        cmocka_unit_test(test_transactions),
        cmocka_unit_test(test_late_topic),
        cmocka_unit_test(test_no_topic_is_made),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, ps_test_cluster_setup, ps_test_cluster_teardown);
}
