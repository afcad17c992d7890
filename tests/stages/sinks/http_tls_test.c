/* Sink http with TLS, against the source http: whose certificate is accepted, and near misses that are not. */
#include "tests/support/keystore.h"
#include "tests/support/rpc_pair.h"

#include <stdio.h>
#include <stdlib.h>

extern const struct ps_stage_ops ps_source_http, ps_sink_http;

static struct ps_test_rpc_pair pair;

/* The server's certificate is of the authority root.pem, and names localhost and 127.0.0.1. */
static const struct row {
    const char *host, *authority;
    bool accepted;
    const char *trust_store; /* of FLUME_SSL_TRUSTSTORE_PATH */
} rows[] = {
    {"127.0.0.1", "root.pem", true},
    {"127.0.0.2", "root.pem", false},  /* a name that the certificate lacks */
    {"127.0.0.1", "trust.p12", false}, /* no certificate in it */
    {"127.0.0.1", "", false},          /* the authorities of the system */
    {"127.0.0.2", "", false},
    {"127.0.0.1", "root.pem", true},     /* again, after the refusals */
    {"127.0.0.1", "", true, "root.pem"}, /* Flume's sink uses Java's trust store */
    {"127.0.0.1", "", true, "trust.p12"},
    {"127.0.0.2", "", false, "trust.p12"},
};

static void run(const struct row *row)
{
    char store[512], authority[512], url[64];
    snprintf(store, sizeof store, "%s", ps_test_store_fixture("server.p12"));
    snprintf(authority, sizeof authority, "%s",
             row->authority[0] != '\0' ? ps_test_store_fixture(row->authority) : "");
    ps_test_rpc_pair_listen(&pair, &ps_source_http,
                            PS_KEYS("bind", "0.0.0.0", "port", "0", "ssl", "true", "keystore", store,
                                    "keystore-password", PS_TEST_STORE_PASSWORD));
    unsetenv("FLUME_SSL_TRUSTSTORE_PATH");
    if (row->trust_store != NULL) {
        assert_int_equal(setenv("FLUME_SSL_TRUSTSTORE_PATH", ps_test_store_fixture(row->trust_store), 1), 0);
        assert_int_equal(setenv("FLUME_SSL_TRUSTSTORE_PASSWORD", PS_TEST_STORE_PASSWORD, 1), 0);
    }
    snprintf(url, sizeof url, "https://%s:%s/", row->host, pair.port);
    ps_test_stage_start(&pair.sink, &ps_sink_http,
                        row->authority[0] != '\0'
                            ? PS_KEYS("endpoint", url, "rollback.2XX", "false", "backoff.2XX", "false",
                                      "penstock.ssl.ca", authority)
                            : PS_KEYS("endpoint", url, "rollback.2XX", "false", "backoff.2XX", "false"));
    ps_test_rpc_pair_offer(&pair, PS_LEASE(&pair.sink, PS_BODY("[{\"body\":\"one\"}]")));
    uint64_t until_ns = ps_test_patient_ns() + PS_TEST_PATIENCE_MS * PS_NS_PER_MS;
    while (pair.sink.done_count == 0 && ps_test_stage_counter(&pair.sink, PS_COUNTER_EventWriteFail) == 0) {
        if (ps_test_patient_ns() > until_ns)
            fail_msg("%s, %s: no end", row->host, row->authority);
        ps_test_rpc_pair_turn(&pair);
    }
    if (pair.sink.done_count != row->accepted || pair.source.event_count != row->accepted)
        fail_msg("%s, %s: %u events", row->host, row->authority, (unsigned)pair.source.event_count);
    if (!row->accepted)
        assert_non_null(ps_test_sink_recall(&pair.sink));
    ps_test_rpc_pair_fini(&pair);
}

static void test_certificates(void **unused)
{
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++)
        run(&rows[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_certificates)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
