/* Which properties the native client knows: with another one the stage uses librdkafka, and the error names the property. */
#include "stages/lib/kafka/cluster/native.h"
#include "tests/support/kafka/settings.h"
#include "tests/support/support.h"

static void expect(const char *protocol, const char *key, bool fits)
{
    const struct ps_pair pairs[] = {{.key = "bootstrap.servers", .value = "127.0.0.1:1"},
                                    {.key = "security.protocol", .value = protocol},
                                    {.key = key, .value = "none"}};
    struct ps_err err = {0};
    bool found = ps_kafka_native_fits(ps_test_settings(pairs, PS_COUNT_OF(pairs)), &err) == PS_OK;
    if (found != fits)
        fail_msg("%s with %s: %s", key, protocol, found ? "is known" : "is not known");
    if (!fits)
        assert_string_equal(err.text, key);
}

static void test_properties_of_tls(void **state)
{
    static const char *const known[] = {"ssl.ca.pem",
                                        "ssl.ca.location",
                                        "ssl.certificate.pem",
                                        "ssl.key.pem",
                                        "ssl.endpoint.identification.algorithm",
                                        "ssl.cipher.suites"};
    static const char *const others[] = {"ssl.crl.location", "ssl.ca", "ssl.key.pem.file", "ssl.",
                                         "ssl.cipher.suite"};
    for (size_t i = 0; i < PS_COUNT_OF(known); i++) {
        expect("ssl", known[i], true);
        expect("SASL_SSL", known[i], true);
        expect("plaintext", known[i], true);
    }
    for (size_t i = 0; i < PS_COUNT_OF(others); i++) {
        expect("ssl", others[i], false);
        expect("plaintext", others[i], true); /* without TLS it has no effect */
    }
}

/* A client without idempotence gets no producer id, so its first transaction would never begin. */
static void test_transactions_need_idempotence(void **state)
{
    static const char *const words[] = {"false", "true"};
    for (size_t i = 0; i < PS_COUNT_OF(words); i++) {
        struct ps_err err = {0};
        const struct ps_pair pairs[] = {{.key = "bootstrap.servers", .value = "127.0.0.1:1"},
                                        {.key = "enable.idempotence", .value = words[i]}};
        const struct ps_kafka_producer_config config = {.settings =
                                                            ps_test_settings(pairs, PS_COUNT_OF(pairs)),
                                                        .transactional_id = "id",
                                                        .wake_fd = -1,
                                                        .epoll_fd = -1};
        struct ps_kafka_producer *producer = ps_kafka_native.create(&config, &err);
        assert_int_equal(producer != NULL, i == 1);
        assert_string_equal(err.text, i == 1 ? "" : "transactions need enable.idempotence = true");
        if (producer != NULL)
            ps_kafka_native.destroy(producer);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_transactions_need_idempotence),
        cmocka_unit_test(test_properties_of_tls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
