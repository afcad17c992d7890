/* Sink http with TLS, against the source http: whose certificate is accepted, and near misses that are not. */
#include "tests/support/folder.h"
#include "tests/support/keystore.h"
#include "tests/support/peer.h"
#include "tests/support/rpc_pair.h"

#include <curl/curl.h>
#include <dlfcn.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

extern const struct ps_stage_ops ps_source_http, ps_sink_http;

#define OTHER "other" /* another authority */

static struct ps_test_rpc_pair pair;
static bool has_directory; /* libcurl is as built with a directory of authorities, which has root.pem */

/* Replaces the function of libcurl, whose own directory differs between systems. */
CURL *curl_easy_init(void)
{
    __typeof__(curl_easy_init) *init = (__typeof__(curl_easy_init) *)dlsym(RTLD_NEXT, "curl_easy_init");
    assert_non_null(init);
    CURL *easy = init();
    if (has_directory)
        assert_int_equal(curl_easy_setopt(easy, CURLOPT_CAPATH, ps_test_folder()), CURLE_OK);
    return easy;
}

/* Makes the test's folder such a directory: the name of a file is the hash of the authority's name. */
static void make_directory(void)
{
    char name[32];
    FILE *file = fopen(ps_test_store_fixture("root.pem"), "r");
    assert_non_null(file);
    X509 *root = PEM_read_X509(file, NULL, NULL, NULL);
    assert_non_null(root);
    fclose(file);
    snprintf(name, sizeof name, "%08lx.0", X509_subject_name_hash(root));
    file = fopen(ps_test_folder_path(name), "w");
    assert_non_null(file);
    assert_int_equal(PEM_write_X509(file, root), 1);
    assert_int_equal(fclose(file), 0);
    X509_free(root);
}

static const char *authority_file(const char *name)
{
    return strcmp(name, OTHER) == 0 ? ps_test_certificate_file() : ps_test_store_fixture(name);
}

/* The server's certificate is of the authority root.pem, and names localhost and 127.0.0.1. */
static const struct row {
    const char *host, *authority;
    bool accepted;
    const char *trust_store; /* of FLUME_SSL_TRUSTSTORE_PATH */
    bool has_directory;
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
    /* what libcurl was built with counts only if no authorities are named */
    {"127.0.0.1", "", true, NULL, true},
    {"127.0.0.1", "root.pem", true, NULL, true},
    {"127.0.0.1", OTHER, false, NULL, true},
    {"127.0.0.1", "", false, OTHER, true},
};

static void run(const struct row *row)
{
    char store[512], authority[512], url[64];
    snprintf(store, sizeof store, "%s", ps_test_store_fixture("server.p12"));
    snprintf(authority, sizeof authority, "%s",
             row->authority[0] != '\0' ? authority_file(row->authority) : "");
    has_directory = row->has_directory;
    ps_test_rpc_pair_listen(&pair, &ps_source_http,
                            PS_KEYS("bind", "0.0.0.0", "port", "0", "ssl", "true", "keystore", store,
                                    "keystore-password", PS_TEST_STORE_PASSWORD));
    unsetenv("FLUME_SSL_TRUSTSTORE_PATH");
    if (row->trust_store != NULL) {
        assert_int_equal(setenv("FLUME_SSL_TRUSTSTORE_PATH", authority_file(row->trust_store), 1), 0);
        assert_int_equal(setenv("FLUME_SSL_TRUSTSTORE_PASSWORD", PS_TEST_STORE_PASSWORD, 1), 0);
    }
    snprintf(url, sizeof url, "https://%s:%s/", row->host, pair.port);
    ps_test_stage_start(&pair.sink, &ps_sink_http,
                        row->authority[0] != '\0'
                            ? PS_KEYS("endpoint", url, "rollback.2XX", "false", "backoff.2XX", "false",
                                      "penstock.ssl.ca", authority)
                            : PS_KEYS("endpoint", url, "rollback.2XX", "false", "backoff.2XX", "false"));
    ps_test_rpc_pair_offer(&pair, PS_LEASE(&pair.sink, PS_BODY("[{\"body\":\"one\"}]")));
    uint64_t until_ns = ps_test_patience_end_ns();
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
    make_directory();
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++)
        run(&rows[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_certificates, ps_test_folder_setup, ps_test_folder_teardown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
