/* Names of cipher suites, of OpenSSL and of the RFCs, in settings and alone. */
#include "stages/lib/tls/tls.h"
#include "tests/support/keystore.h"
#include "tests/support/support.h"

#include <openssl/ssl.h>
#include <string.h>

static char notes_text[1024];

static void note(void *argument, enum ps_log_level severity, const char *key, const char *message)
{
    snprintf(notes_text, sizeof notes_text, "%s: %s", key, message);
}

static void build(const struct ps_tls_options *options)
{
    const struct ps_notes notes = {.report = note};
    struct ps_tls_server *server = NULL;
    struct ps_err err = {.length = 0};
    notes_text[0] = '\0';
    if (ps_tls_server_build(&server, options, NULL, &notes, &err) != PS_OK)
        fail_msg("%s", err.text);
    ps_tls_server_teardown(server);
}

/* Every suite that a server offers by default may be named, by each of its names, without a warning. */
static void test_each_offered_suite(void **state)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    const STACK_OF(SSL_CIPHER) *offered = SSL_CTX_get_ciphers(context);
    assert_true(sk_SSL_CIPHER_num(offered) > 3);
    for (int i = 0; i < sk_SSL_CIPHER_num(offered); i++) {
        const SSL_CIPHER *cipher = sk_SSL_CIPHER_value(offered, i);
        struct ps_tls_options options =
            (struct ps_tls_options){.enabled = true,
                                    .keystore = ps_test_store_fixture("server.p12"),
                                    .keystore_password = PS_TEST_STORE_PASSWORD};
        options.include_cipher_suites =
            (struct ps_texts){.count = 1, .items = (const char *const[]){SSL_CIPHER_get_name(cipher)}};
        build(&options);
        assert_string_equal(notes_text, "");
        options.include_cipher_suites =
            (struct ps_texts){.count = 1, .items = (const char *const[]){SSL_CIPHER_standard_name(cipher)}};
        build(&options);
        assert_string_equal(notes_text, "");
    }
    SSL_CTX_free(context);
}

static void test_cipher_names(void **state)
{
    bool tls13;
    assert_string_equal(ps_tls_cipher_openssl_name("TLS_RSA_WITH_AES_128_CBC_SHA", &tls13), "AES128-SHA");
    assert_false(tls13);
    assert_string_equal(ps_tls_cipher_openssl_name("TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", NULL),
                        "ECDHE-ECDSA-AES256-GCM-SHA384");
    assert_string_equal(ps_tls_cipher_openssl_name("ECDHE-RSA-AES128-GCM-SHA256", NULL),
                        "ECDHE-RSA-AES128-GCM-SHA256");
    assert_string_equal(ps_tls_cipher_openssl_name("TLS_AES_256_GCM_SHA384", &tls13),
                        "TLS_AES_256_GCM_SHA384");
    assert_true(tls13);
    assert_non_null(ps_tls_cipher_openssl_name("SSL_RSA_WITH_NULL_SHA", NULL));
    assert_null(ps_tls_cipher_openssl_name("TLS_NO_SUCH_SUITE", NULL));
    assert_null(ps_tls_cipher_openssl_name("", NULL));
    char longest[4096];
    memset(longest, 'A', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    assert_null(ps_tls_cipher_openssl_name(longest, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_offered_suite),
        cmocka_unit_test(test_cipher_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
