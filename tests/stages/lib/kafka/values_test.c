/* The translation of the values of Kafka client properties, one by one and together. */
#include "tests/stages/lib/kafka/properties/support.h"

struct expectation {
    enum ps_kafka_client client;
    const char *key, *value;
    const char *target, *setting; /* of librdkafka; setting NULL: its default */
    enum ps_log_level worst;      /* PS_LOG_TRACE: no note */
    const char *words;            /* in a note, or in the error when `bad` */
    bool bad;
};

#define ASSIGNORS "org.apache.kafka.clients.consumer."
#define NONE PS_LOG_TRACE

/* clang-format off */
static const struct expectation expectations[] = {
    {P, "linger.ms", "20", "linger.ms", "20", NONE, NULL, false},
    {P, "linger.ms", " 20 ", "linger.ms", "20", NONE, NULL, false},
    {P, "linger.ms", "1000000", "linger.ms", "900000", PS_LOG_WARN, "1000000 is outside 0 to 900000: 900000 is used", false},
    {P, "linger.ms", "soon", "linger.ms", NULL, PS_LOG_ERROR, "linger.ms = soon: not a whole number", true},
    {P, "linger.ms", "-5", "linger.ms", NULL, PS_LOG_ERROR, "linger.ms = -5: out of range", true},
    {P, "linger.ms", "5ms", "linger.ms", NULL, PS_LOG_ERROR, "not a whole number", true},
    {P, "linger.ms", "", "linger.ms", NULL, PS_LOG_ERROR, "not a whole number", true},
    {P, "linger.ms", "99999999999999999999", "linger.ms", NULL, PS_LOG_ERROR, "out of range", true},
    {P, "acks", "-1", "acks", "all", NONE, NULL, false},
    {P, "acks", "all", "acks", "all", NONE, NULL, false},
    {P, "acks", "ALL", "acks", NULL, PS_LOG_ERROR, "acks = ALL: unknown", true}, /* Java compares with regard to case */
    {P, "acks", "2", "acks", NULL, PS_LOG_ERROR, "acks = 2: unknown; write one of all, -1, 0, 1", true},
    {P, "batch.size", "0", "batch.size", "1", PS_LOG_WARN, "outside", false},
    {P, "buffer.memory", "33554433", "queue.buffering.max.kbytes", "32769", NONE, NULL, false},
    {P, "buffer.memory", "9223372036854775807", "queue.buffering.max.kbytes", "2147483647", PS_LOG_WARN, "outside", false},
    {P, "buffer.memory", "1024", "queue.buffering.max.kbytes", "1024", PS_LOG_WARN, "large enough for one event", false},
    {P, "max.request.size", "2000000", "message.max.bytes", "2000000", NONE, NULL, false},
    {P, "max.block.ms", "1", "message.max.bytes", "1048576", PS_LOG_INFO, "back-pressure", false},
    {P, "request.timeout.ms", "5000", "request.timeout.ms", "5000", NONE, NULL, false},
    {P, "request.timeout.ms", "5000", "socket.timeout.ms", "5000", NONE, NULL, false},
    {C, "request.timeout.ms", "5000", "socket.timeout.ms", "5000", NONE, NULL, false},
    {C, "request.timeout.ms", "5000", "request.timeout.ms", NULL, NONE, NULL, false},
    {P, "delivery.timeout.ms", "120000", "message.timeout.ms", "120000", NONE, NULL, false},
    {P, "delivery.timeout.ms", "0", "message.timeout.ms", "0", PS_LOG_ERROR, "delivery.timeout.ms = 0", true},
    {P, "delivery.timeout.ms", "3", "message.timeout.ms", "3", PS_LOG_ERROR, "at least linger.ms (0) and request.timeout.ms (30000) together", true},
    {P, "delivery.timeout.ms", "29999", "message.timeout.ms", "29999", PS_LOG_ERROR, "at least linger.ms", true},
    {P, "delivery.timeout.ms", "30000", "message.timeout.ms", "30000", NONE, NULL, false},
    {P, "message.timeout.ms", "3", "message.timeout.ms", "3", PS_LOG_ERROR, "message.timeout.ms = 3: must be larger than linger.ms", true},
    {P, "message.timeout.ms", "0", "message.timeout.ms", "0", NONE, NULL, false},
    {P, "max.in.flight.requests.per.connection", "20", "max.in.flight.requests.per.connection", "5", PS_LOG_WARN, "outside", false},
    {P, "compression.type", "lz4", "compression.type", "lz4", NONE, NULL, false},
    {P, "compression.type", "LZ4", "compression.type", NULL, PS_LOG_ERROR, "LZ4: unknown", true},
    {P, "compression.type", "brotli", "compression.type", NULL, PS_LOG_ERROR, "none, gzip, snappy, lz4, zstd", true},
    {P, "compression.lz4.level", "9", "compression.level", NULL, PS_LOG_INFO, "compression.type is not lz4", false},
    {P, "partitioner.class", "org.apache.kafka.clients.producer.RoundRobinPartitioner", "partitioner", NULL, PS_LOG_WARN, "evenly", false},
    {P, "partitioner.class", "com.example.Mine", "partitioner", "murmur2_random", PS_LOG_ERROR, "com.example.Mine: your own Java class", false},
    {P, "partitioner.ignore.keys", "true", "partitioner", "random", NONE, NULL, false},
    {P, "key.serializer", "org.apache.kafka.common.serialization.StringSerializer", "acks", NULL, PS_LOG_INFO, "as raw bytes", false},
    {P, "value.serializer", "io.confluent.kafka.serializers.KafkaAvroSerializer", "acks", NULL, PS_LOG_ERROR, "penstock.engine = java", false},
    {P, "transactional.id", "t1", "transactional.id", NULL, PS_LOG_ERROR, "does not begin transactions", false},
    {P, "interceptor.classes", "", "acks", NULL, NONE, NULL, false},
    {P, "interceptor.classes", "com.example.I", "acks", NULL, PS_LOG_ERROR, "com.example.I: Java classes", false},
    {P, "enable.idempotence", "yes", "enable.idempotence", NULL, PS_LOG_ERROR, "true, false", true},
    {P, "retries", "0", "retries", "1", PS_LOG_WARN, "outside", false},
    {P, "reconnect.backoff.ms", "20000", "reconnect.backoff.max.ms", "20000", PS_LOG_WARN, "at least reconnect.backoff.ms", false},
    {P, "reconnect.backoff.ms", "200", "reconnect.backoff.max.ms", "1000", NONE, NULL, false},
    {C, "reconnect.backoff.max.ms", "10000", "reconnect.backoff.max.ms", "10000", NONE, NULL, false},
    {P, "send.buffer.bytes", "-1", "socket.send.buffer.bytes", "0", NONE, NULL, false},
    {P, "metadata.max.age.ms", "60000", "topic.metadata.refresh.interval.ms", "60000", NONE, NULL, false},
    {P, "bootstrap.servers", "x:1", "bootstrap.servers", NULL, PS_LOG_INFO, "kafka.bootstrap.servers", false},
    {P, "metric.reporters", "x", "acks", NULL, PS_LOG_INFO, "metrics", false},
    {P, "auto.offset.reset", "latest", "auto.offset.reset", NULL, PS_LOG_WARN, "not a property of a producer", false},
    {P, "fetch.wait.max.ms", "1", "fetch.wait.max.ms", NULL, PS_LOG_WARN, "not a property of a producer", false},
    {P, "lingerms", "5", "linger.ms", NULL, PS_LOG_WARN, "did you mean linger.ms?", false},
    {P, "queue.buffering.max.message", "5", "queue.buffering.max.messages", NULL, PS_LOG_WARN, "did you mean queue.buffering.max.messages?", false},
    {P, "something.else.entirely", "5", "acks", NULL, PS_LOG_WARN, "unknown Kafka property", false},
    {P, "queue.buffering.max.messages", "5000", "queue.buffering.max.messages", "5000", NONE, NULL, false},
    {P, "queue.buffering.max.messages", "many", "queue.buffering.max.messages", NULL, PS_LOG_ERROR, "librdkafka refuses it", true},
    {P, "sticky.partitioning.linger.ms", "0", "sticky.partitioning.linger.ms", "0", NONE, NULL, false},
    {P, "delivery.report.only.error", "true", "delivery.report.only.error", NULL, PS_LOG_INFO, "every delivery report", false},
    {P, "dr_cb", "x", "dr_cb", NULL, PS_LOG_ERROR, "dr_cb", true},
    {P, "security.protocol", "SASL_PLAINTEXT", "security.protocol", "sasl_plaintext", NONE, NULL, false},
    {P, "security.protocol", "TLS", "security.protocol", NULL, PS_LOG_ERROR, "PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL", true},
    {P, "sasl.mechanism", "scram-sha-512", "sasl.mechanism", "SCRAM-SHA-512", NONE, NULL, false},
    {P, "sasl.mechanism", "DIGEST-MD5", "sasl.mechanism", NULL, PS_LOG_ERROR, "unknown", true},
    {P, "ssl.endpoint.identification.algorithm", "", "ssl.endpoint.identification.algorithm", "none", NONE, NULL, false},
    {P, "ssl.endpoint.identification.algorithm", "HTTPS", "ssl.endpoint.identification.algorithm", "https", NONE, NULL, false},
    {P, "ssl.disableTLSHostnameVerification", "true", "ssl.endpoint.identification.algorithm", "none", NONE, NULL, false},
    {P, "ssl.cipher.suites", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,TLS_AES_256_GCM_SHA384", "ssl.cipher.suites", "ECDHE-RSA-AES128-GCM-SHA256", NONE, NULL, false},
    {P, "ssl.cipher.suites", "TLS_NOT_THERE", "ssl.cipher.suites", NULL, PS_LOG_ERROR, "no cipher suite that OpenSSL knows", true},
    {P, "ssl.enabled.protocols", "TLSv1.2,TLSv1.3", "acks", NULL, PS_LOG_INFO, "newest", false},
    {P, "ssl.enabled.protocols", "TLSv1.2", "acks", NULL, PS_LOG_WARN, "MaxProtocol = TLSv1.2", false},
    {P, "ssl.enabled.protocols", "TLSv1.1", "acks", NULL, PS_LOG_WARN, "too old", false},
    {P, "ssl.keystore.password", "geheim", "ssl.keystore.password", NULL, PS_LOG_INFO, "not used: security.protocol", false},
    {P, "sasl.kerberos.kinit.cmd", "/usr/bin/kinit", "sasl.kerberos.kinit.cmd", "/usr/bin/kinit -t \"%{sasl.kerberos.keytab}\" -k %{sasl.kerberos.principal}", NONE, NULL, false},
    {P, "sasl.kerberos.kinit.cmd", "kinit; reboot", "sasl.kerberos.kinit.cmd", NULL, PS_LOG_ERROR, "only the path of kinit", true},
    {P, "client.dns.lookup", "use_all_dns_ips", "acks", NULL, PS_LOG_INFO, "in turn", false},
    {P, "client.dns.lookup", "resolve_canonical_bootstrap_servers_only", "acks", NULL, PS_LOG_WARN, "canonical", false},
    {C, "auto.offset.reset", "none", "auto.offset.reset", "error", NONE, NULL, false},
    {C, "auto.offset.reset", "EARLIEST", "auto.offset.reset", NULL, PS_LOG_ERROR, "EARLIEST: unknown", true},
    {C, "session.timeout.ms", "3001", "session.timeout.ms", "3001", NONE, NULL, false},
    {C, "session.timeout.ms", "3000", "session.timeout.ms", "3000", PS_LOG_ERROR, "heartbeat.interval.ms = 3000: must be lower than session.timeout.ms (3000)", true},
    {C, "heartbeat.interval.ms", "10000", "heartbeat.interval.ms", "10000", PS_LOG_ERROR, "must be lower than session.timeout.ms (10000)", true},
    {C, "heartbeat.interval.ms", "9999", "heartbeat.interval.ms", "9999", NONE, NULL, false},
    {C, "auto.offset.reset", "earliest", "auto.offset.reset", "earliest", NONE, NULL, false},
    {C, "isolation.level", "read_committed", "isolation.level", "read_committed", NONE, NULL, false},
    {C, "group.id", "g", "isolation.level", "read_uncommitted", NONE, NULL, false},
    {C, "enable.auto.commit", "true", "enable.auto.commit", NULL, PS_LOG_INFO, "delivered", false},
    {C, "fetch.max.wait.ms", "100", "fetch.wait.max.ms", "100", NONE, NULL, false},
    {C, "fetch.max.bytes", "500000", "fetch.max.bytes", "500000", NONE, NULL, false},
    {C, "max.poll.interval.ms", "8000", "max.poll.interval.ms", "8000", NONE, NULL, false},
    {C, "group.id", "g", "session.timeout.ms", "10000", NONE, NULL, false},
    {C, "max.poll.records", "1", "group.id", NULL, PS_LOG_INFO, "batchSize", false},
    {C, "retry.backoff.ms", "250", "fetch.error.backoff.ms", "250", NONE, NULL, false},
    {C, "partition.assignment.strategy", ASSIGNORS "RoundRobinAssignor", "partition.assignment.strategy", "roundrobin", NONE, NULL, false},
    {C, "partition.assignment.strategy", "class " ASSIGNORS "RangeAssignor", "partition.assignment.strategy", "range", PS_LOG_ERROR, "class: Java classes", false},
    {C, "partition.assignment.strategy", ASSIGNORS "RangeAssignor," ASSIGNORS "CooperativeStickyAssignor", "partition.assignment.strategy", "range,cooperative-sticky", PS_LOG_INFO, "keeps to the eager protocol", false},
    {C, "partition.assignment.strategy", ASSIGNORS "CooperativeStickyAssignor, " ASSIGNORS "RangeAssignor", "partition.assignment.strategy", "cooperative-sticky,range", PS_LOG_INFO, "keeps to the eager protocol", false},
    {C, "partition.assignment.strategy", ASSIGNORS "CooperativeStickyAssignor", "partition.assignment.strategy", "cooperative-sticky", NONE, NULL, false},
    {C, "partition.assignment.strategy", ASSIGNORS "StickyAssignor", "partition.assignment.strategy", "cooperative-sticky", PS_LOG_WARN, "StickyAssignor", false},
    {C, "partition.assignment.strategy", "com.example.A", "partition.assignment.strategy", "range", PS_LOG_ERROR, "com.example.A", false},
    {C, "exclude.internal.topics", "what", "acks", NULL, PS_LOG_ERROR, "write one of", true},
    {C, "group.protocol", "consumer", "group.id", NULL, PS_LOG_WARN, "classic", false},
    {C, "statistics.interval.ms", "1000", "statistics.interval.ms", NULL, PS_LOG_INFO, "without an interval", false},
    {P, "statistics.interval.ms", "1000", "statistics.interval.ms", "1000", NONE, NULL, false},
    {C, "ssl.ca.location", "/none", "ssl.ca.location", "/none", PS_LOG_INFO, "not used: security.protocol", false},
    {C, "acks", "all", "acks", NULL, PS_LOG_WARN, "not a property of a consumer", false},
    {C, "enable.auto.offset.store", "true", "enable.auto.offset.store", NULL, PS_LOG_INFO, "delivered", false},
};
/* clang-format on */

static void test_values(void **state)
{
    for (size_t i = 0; i < PS_COUNT_OF(expectations); i++) {
        const struct expectation *e = &expectations[i];
        const struct ps_pair pair = {.key = e->key, .value = e->value};
        struct ps_kafka_settings settings;
        struct ps_err err;
        enum ps_status status = translate_all(e->client, &pair, 1, NULL, &settings, &err);
        if ((status == PS_FAIL) != e->bad)
            fail_msg("%s = %s: status %d: %s", e->key, e->value, (int)status, err.text);
        if (!ps_test_setting_is(&settings, e->target, e->setting))
            fail_msg("%s = %s: %s is %s, expected %s", e->key, e->value, e->target, get(&settings, e->target),
                     e->setting);
        if (worst != e->worst ||
            (e->words != NULL && strstr(e->bad ? err.text : notes_text, e->words) == NULL))
            fail_msg("%s = %s: expected \"%s\" with severity %d, got %d: %s%s", e->key, e->value, e->words,
                     (int)e->worst, (int)worst, notes_text, err.text);
        assert_null(strstr(notes_text, "geheim"));
        if (status == PS_OK && e->client == P && strncmp(e->key, "sasl.", 5) != 0 &&
            strcmp(e->value, "SASL_PLAINTEXT") != 0) {
            const char *reason = try_client(&settings);
            if (reason != NULL)
                fail_msg("%s = %s: rd_kafka_new: %s", e->key, e->value, reason);
        }
        ps_kafka_settings_fini(&settings);
    }
}

/* All bad values at once, each on a line. */
static void test_several_bad(void **state)
{
    const struct ps_pair pairs[] = {{.key = "linger.ms", .value = "x"},
                                    {.key = "acks", .value = "all"},
                                    {.key = "batch.size", .value = "y"}};
    struct ps_kafka_settings settings;
    struct ps_err err;
    assert_int_equal(translate_all(P, pairs, 3, NULL, &settings, &err), PS_FAIL);
    assert_non_null(strstr(err.text, "linger.ms = x"));
    assert_non_null(strstr(err.text, "\nbatch.size = y"));
    ps_kafka_settings_fini(&settings);
}

/* Java's clients refuse each of these at their start. */
static void test_values_that_contradict(void **state)
{
    static const struct {
        const char *keys[3], *values[3], *words; /* words NULL: they agree */
    } cases[] = {
        {{"delivery.timeout.ms", "linger.ms", "request.timeout.ms"},
         {"1000", "101", "900"},
         "at least linger.ms (101)"},
        {{"delivery.timeout.ms", "linger.ms", "request.timeout.ms"}, {"1000", "100", "900"}, NULL},
        {{"acks", "enable.idempotence"},
         {"1", "true"},
         "enable.idempotence = true: needs acks = all, not acks = 1"},
        {{"acks", "enable.idempotence"}, {"0", "true"}, "not acks = 0"},
        {{"acks", "enable.idempotence"}, {"1", "false"}, NULL},
        {{"acks", "enable.idempotence"}, {"all", "true"}, NULL},
        {{"security.protocol", "sasl.mechanism"},
         {"SASL_PLAINTEXT", "PLAIN"},
         "sasl.mechanism = PLAIN: needs a user"},
        {{"security.protocol", "sasl.mechanism"}, {"SASL_SSL", "SCRAM-SHA-512"}, "set sasl.jaas.config"},
        {{"security.protocol", "sasl.mechanism"}, {"SASL_PLAINTEXT", "GSSAPI"}, NULL},
        {{"security.protocol", "sasl.mechanism"}, {"PLAINTEXT", "PLAIN"}, NULL},
        {{"sasl.username", "sasl.mechanism", "security.protocol"},
         {"u", "PLAIN", "SASL_PLAINTEXT"},
         "and a password"},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct ps_pair pairs[3];
        size_t count = 0;
        for (; count < 3 && cases[i].keys[count] != NULL; count++)
            pairs[count] = (struct ps_pair){.key = cases[i].keys[count], .value = cases[i].values[count]};
        struct ps_kafka_settings settings;
        struct ps_err err;
        enum ps_status status = translate_all(P, pairs, count, NULL, &settings, &err);
        if ((status == PS_OK) != (cases[i].words == NULL) ||
            (status != PS_OK && strstr(err.text, cases[i].words) == NULL))
            fail_msg("%zu: %s", i, err.text);
        ps_kafka_settings_fini(&settings);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_values_that_contradict),
        cmocka_unit_test(test_several_bad),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
