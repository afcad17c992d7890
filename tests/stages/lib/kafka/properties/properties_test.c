/* The table of Kafka client properties compared with Java's list of names, with librdkafka, and with its
 * page. */
#include "tests/stages/lib/kafka/properties/document.h"
#include "tests/support/source_tree.h"

/* clang-format off */
/* Every name of ProducerConfig, ConsumerConfig and AdminClientConfig in kafka-clients 2.7.2 and 3.9.2. */
static const struct {
    const char *name, *clients;
} java_names[] = {
    {"acks", "P"}, {"allow.auto.create.topics", "C"}, {"auto.commit.interval.ms", "C"},
    {"auto.include.jmx.reporter", "ACP"}, {"auto.offset.reset", "C"}, {"batch.size", "P"},
    {"bootstrap.controllers", "A"}, {"bootstrap.servers", "ACP"}, {"buffer.memory", "P"}, {"check.crcs", "C"},
    {"client.dns.lookup", "ACP"}, {"client.id", "ACP"}, {"client.rack", "C"}, {"compression.gzip.level", "P"},
    {"compression.lz4.level", "P"}, {"compression.type", "P"}, {"compression.zstd.level", "P"},
    {"connections.max.idle.ms", "ACP"}, {"default.api.timeout.ms", "AC"}, {"delivery.timeout.ms", "P"},
    {"enable.auto.commit", "C"}, {"enable.idempotence", "P"}, {"enable.metrics.push", "ACP"},
    {"exclude.internal.topics", "C"}, {"fetch.max.bytes", "C"}, {"fetch.max.wait.ms", "C"},
    {"fetch.min.bytes", "C"}, {"group.id", "C"}, {"group.instance.id", "C"}, {"group.protocol", "C"},
    {"group.remote.assignor", "C"}, {"heartbeat.interval.ms", "C"}, {"interceptor.classes", "CP"},
    {"internal.auto.downgrade.txn.commit", "P"}, {"internal.leave.group.on.close", "C"},
    {"internal.throw.on.fetch.stable.offset.unsupported", "C"}, {"isolation.level", "C"},
    {"key.deserializer", "C"}, {"key.serializer", "P"}, {"linger.ms", "P"}, {"max.block.ms", "P"},
    {"max.in.flight.requests.per.connection", "P"}, {"max.partition.fetch.bytes", "C"},
    {"max.poll.interval.ms", "C"}, {"max.poll.records", "C"}, {"max.request.size", "P"},
    {"metadata.max.age.ms", "ACP"}, {"metadata.max.idle.ms", "P"}, {"metadata.recovery.strategy", "ACP"},
    {"metric.reporters", "ACP"}, {"metrics.num.samples", "ACP"}, {"metrics.recording.level", "ACP"},
    {"metrics.sample.window.ms", "ACP"}, {"partition.assignment.strategy", "C"},
    {"partitioner.adaptive.partitioning.enable", "P"}, {"partitioner.availability.timeout.ms", "P"},
    {"partitioner.class", "P"}, {"partitioner.ignore.keys", "P"}, {"receive.buffer.bytes", "ACP"},
    {"reconnect.backoff.max.ms", "ACP"}, {"reconnect.backoff.ms", "ACP"}, {"request.timeout.ms", "ACP"},
    {"retries", "AP"}, {"retry.backoff.max.ms", "ACP"}, {"retry.backoff.ms", "ACP"},
    {"sasl.client.callback.handler.class", "ACP"}, {"sasl.jaas.config", "ACP"},
    {"sasl.kerberos.kinit.cmd", "ACP"}, {"sasl.kerberos.min.time.before.relogin", "ACP"},
    {"sasl.kerberos.service.name", "ACP"}, {"sasl.kerberos.ticket.renew.jitter", "ACP"},
    {"sasl.kerberos.ticket.renew.window.factor", "ACP"}, {"sasl.login.callback.handler.class", "ACP"},
    {"sasl.login.class", "ACP"}, {"sasl.login.connect.timeout.ms", "ACP"},
    {"sasl.login.read.timeout.ms", "ACP"}, {"sasl.login.refresh.buffer.seconds", "ACP"},
    {"sasl.login.refresh.min.period.seconds", "ACP"}, {"sasl.login.refresh.window.factor", "ACP"},
    {"sasl.login.refresh.window.jitter", "ACP"}, {"sasl.login.retry.backoff.max.ms", "ACP"},
    {"sasl.login.retry.backoff.ms", "ACP"}, {"sasl.mechanism", "ACP"},
    {"sasl.oauthbearer.clock.skew.seconds", "ACP"}, {"sasl.oauthbearer.expected.audience", "ACP"},
    {"sasl.oauthbearer.expected.issuer", "ACP"}, {"sasl.oauthbearer.header.urlencode", "ACP"},
    {"sasl.oauthbearer.jwks.endpoint.refresh.ms", "ACP"},
    {"sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms", "ACP"},
    {"sasl.oauthbearer.jwks.endpoint.retry.backoff.ms", "ACP"}, {"sasl.oauthbearer.jwks.endpoint.url", "ACP"},
    {"sasl.oauthbearer.scope.claim.name", "ACP"}, {"sasl.oauthbearer.sub.claim.name", "ACP"},
    {"sasl.oauthbearer.token.endpoint.url", "ACP"}, {"security.protocol", "ACP"},
    {"security.providers", "ACP"}, {"send.buffer.bytes", "ACP"}, {"session.timeout.ms", "C"},
    {"socket.connection.setup.timeout.max.ms", "ACP"}, {"socket.connection.setup.timeout.ms", "ACP"},
    {"ssl.cipher.suites", "ACP"}, {"ssl.enabled.protocols", "ACP"},
    {"ssl.endpoint.identification.algorithm", "ACP"}, {"ssl.engine.factory.class", "ACP"},
    {"ssl.key.password", "ACP"}, {"ssl.keymanager.algorithm", "ACP"},
    {"ssl.keystore.certificate.chain", "ACP"}, {"ssl.keystore.key", "ACP"}, {"ssl.keystore.location", "ACP"},
    {"ssl.keystore.password", "ACP"}, {"ssl.keystore.type", "ACP"}, {"ssl.protocol", "ACP"},
    {"ssl.provider", "ACP"}, {"ssl.secure.random.implementation", "ACP"},
    {"ssl.trustmanager.algorithm", "ACP"}, {"ssl.truststore.certificates", "ACP"},
    {"ssl.truststore.location", "ACP"}, {"ssl.truststore.password", "ACP"}, {"ssl.truststore.type", "ACP"},
    {"transaction.timeout.ms", "P"}, {"transactional.id", "P"}, {"value.deserializer", "C"},
    {"value.serializer", "P"},
};
/* clang-format on */

static void test_every_java_name(void **state)
{
    assert_true(PS_COUNT_OF(java_names) > 100);
    for (size_t i = 0; i < PS_COUNT_OF(java_names); i++) {
        unsigned wanted = (strchr(java_names[i].clients, 'P') != NULL ? PS_KAFKA_PRODUCER : 0u) |
                          (strchr(java_names[i].clients, 'C') != NULL ? PS_KAFKA_CONSUMER : 0u);
        unsigned have = 0;
        for (size_t k = 0; k < ps_kafka_property_count; k++) {
            if (strcmp(ps_kafka_property_rows[k].name, java_names[i].name) == 0)
                have |= ps_kafka_property_rows[k].clients;
        }
        if (have == 0 || (have & wanted) != wanted)
            fail_msg("%s: rows for %u, wanted for %u", java_names[i].name, have, wanted);
    }
}

static void test_rows_are_sane(void **state)
{
    for (size_t i = 0; i < ps_kafka_property_count; i++) {
        const struct ps_kafka_property *row = &ps_kafka_property_rows[i];
        bool derived = row->conversion == PS_KAFKA_STORE || row->conversion == PS_KAFKA_LOGIN ||
                       row->conversion == PS_KAFKA_CLASSES;
        /* the stage itself reads the user's words */
        bool own = row->words != NULL && row->words[0].librdkafka == NULL;
        if (row->outcome == PS_KAFKA_PROPERTY_MAPPED && !derived && !own && row->target == NULL)
            fail_msg("%s: mapped to nothing", row->name);
        if (row->outcome != PS_KAFKA_PROPERTY_MAPPED && (row->target != NULL || row->help == NULL))
            fail_msg("%s: no reason, or a target", row->name);
        if ((row->conversion == PS_KAFKA_WORDS || row->conversion == PS_KAFKA_CLASS) != (row->words != NULL))
            fail_msg("%s: words", row->name);
        for (size_t k = 0; k < i; k++) {
            const struct ps_kafka_property *other = &ps_kafka_property_rows[k];
            if (strcmp(row->name, other->name) == 0 && (row->clients & other->clients) != 0 &&
                (row->target == NULL || other->target == NULL || strcmp(row->target, other->target) == 0))
                fail_msg("%s: twice", row->name);
        }
    }
}

/* Converts with one row and checks that librdkafka accepts the result. */
static void expect_accepted(const struct ps_kafka_property *row, const char *value)
{
    const char *codec = strstr(row->name, "gzip") != NULL  ? "gzip"
                        : strstr(row->name, "lz4") != NULL ? "lz4"
                                                           : "zstd";
    const struct ps_pair pairs[] = {{.key = "compression.type", .value = codec}};
    struct ps_pairs list = {.count = 1, .items = pairs};
    struct ps_kafka_properties properties = {.client = PS_KAFKA_PRODUCER, .pairs = &list};
    struct ps_kafka_settings settings;
    struct ps_err err = {.length = 0};
    ps_kafka_settings_init(&settings);
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    if (ps_kafka_property_convert(row, value, &properties, &settings, &err) != PS_OK)
        fail_msg("%s = %s: %s", row->name, value, err.text);
    if (ps_kafka_settings_apply(&settings, NULL, conf, &err) != PS_OK &&
        strstr(err.text, "not supported in this build") == NULL)
        fail_msg("%s = %s: %s", row->name, value, err.text);
    rd_kafka_conf_destroy(conf);
    ps_kafka_settings_fini(&settings);
}

/* Converts every mapped row, at both ends of Java's and of librdkafka's range, and with each of its words. */
static void test_every_target(void **state)
{
    unsigned rows = 0;
    for (size_t i = 0; i < ps_kafka_property_count; i++) {
        const struct ps_kafka_property *row = &ps_kafka_property_rows[i];
        char text[32];
        if (row->target == NULL)
            continue;
        rows++;
        switch (row->conversion) {
        case PS_KAFKA_NUMBER:
        case PS_KAFKA_KILOBYTES:
        case PS_KAFKA_LEVEL: {
            const int64_t numbers[] = {row->min, row->max, row->low, row->high};
            for (size_t k = 0; k < 4; k++) {
                if (numbers[k] < row->min || numbers[k] > row->max)
                    continue;
                snprintf(text, sizeof text, "%lld", (long long)numbers[k]);
                expect_accepted(row, text);
            }
            break;
        }
        case PS_KAFKA_WORDS:
        case PS_KAFKA_CLASS:
            for (const struct ps_kafka_word *word = row->words; word->java != NULL; word++)
                expect_accepted(row, word->java);
            break;
        case PS_KAFKA_ASSIGNORS:
            expect_accepted(row, "org.apache.kafka.clients.consumer.RangeAssignor");
            expect_accepted(row, "org.apache.kafka.clients.consumer.RoundRobinAssignor, "
                                 "org.apache.kafka.clients.consumer.RangeAssignor");
            expect_accepted(row, "org.apache.kafka.clients.consumer.CooperativeStickyAssignor");
            break;
        case PS_KAFKA_CIPHERS:
            expect_accepted(row, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,TLS_AES_128_GCM_SHA256");
            break;
        case PS_KAFKA_KINIT:
            expect_accepted(row, "/usr/bin/kinit");
            break;
        default:
            expect_accepted(row, "text");
        }
    }
    assert_true(rows > 40);
}

/* Values of numbers have 4095 bytes at most, without blanks around them. */
static void test_long_values(void **state)
{
    const struct ps_kafka_property *row = ps_kafka_property_rows;
    while (row->conversion != PS_KAFKA_NUMBER)
        row++;
    for (size_t length = 4095; length <= 4096; length++) {
        char text[4200] = "";
        struct ps_err err = {.length = 0};
        struct ps_pairs list = {.count = 0};
        struct ps_kafka_settings settings = {0};
        const struct ps_kafka_properties properties = {.client = PS_KAFKA_PRODUCER, .pairs = &list};
        memset(text, ' ', 50);
        memset(text + 50, '1', length);
        memset(text + 50 + length, ' ', 10);
        assert_int_equal(ps_kafka_property_convert(row, text, &properties, &settings, &err), PS_FAIL);
        assert_int_equal(strstr(err.text, "longer than 4095 bytes") != NULL, length > 4095);
        ps_kafka_settings_fini(&settings);
    }
}

static enum ps_kafka_spread spread(const char *key, const char *value)
{
    const struct ps_pair pair = {.key = key, .value = value};
    struct ps_kafka_settings settings;
    struct ps_err err;
    assert_int_equal(translate_all(P, &pair, key != NULL, NULL, &settings, &err), PS_OK);
    ps_kafka_settings_fini(&settings);
    return settings.spread;
}

static void test_partitioner(void **state)
{
    static const char key[] = "partitioner.class";
    assert_int_equal(spread(key, "org.apache.kafka.clients.producer.RoundRobinPartitioner"),
                     PS_KAFKA_SPREAD_EVENLY);
    assert_int_equal(spread(key, "org.apache.kafka.clients.producer.UniformStickyPartitioner"),
                     PS_KAFKA_SPREAD_STICKY);
    assert_int_equal(spread(key, "com.example.Mine"), PS_KAFKA_SPREAD_BY_KEY);
    assert_int_equal(spread("partitioner.ignore.keys", "true"), PS_KAFKA_SPREAD_STICKY);
    assert_int_equal(spread(NULL, NULL), PS_KAFKA_SPREAD_BY_KEY);
}

static void test_document(void **state)
{
    const char *path = ps_test_source_path("docs/KAFKA_PROPERTIES.md");
    if (getenv("PENSTOCK_REGENERATE") != NULL && strcmp(getenv("PENSTOCK_REGENERATE"), "1") == 0) {
        FILE *out = fopen(path, "w");
        assert_non_null(out);
        print_document(out);
        assert_int_equal(fclose(out), 0);
    }
    char *printed = NULL;
    size_t printed_length;
    FILE *out = open_memstream(&printed, &printed_length);
    print_document(out);
    fclose(out);
    char *kept = calloc(1, printed_length + 2);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        fail_msg("%s is missing; make it with PENSTOCK_REGENERATE=1", path);
    size_t kept_length = fread(kept, 1, printed_length + 1, file);
    fclose(file);
    if (kept_length != printed_length || memcmp(kept, printed, printed_length) != 0)
        fail_msg(
            "docs/KAFKA_PROPERTIES.md is not what the table says; run this test with PENSTOCK_REGENERATE=1");
    free(kept);
    free(printed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_java_name), cmocka_unit_test(test_rows_are_sane),
        cmocka_unit_test(test_every_target),    cmocka_unit_test(test_partitioner),
        cmocka_unit_test(test_long_values),     cmocka_unit_test(test_document),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
