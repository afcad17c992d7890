/* Which properties the native client knows: with another one the stage uses librdkafka, and the error names the property. */
#include "stages/lib/kafka/native/native.h"
#include "tests/support/support.h"

static void expect(const char *protocol, const char *key, bool fits)
{
    const struct ps_pair pairs[] = {{.key = "bootstrap.servers", .value = "127.0.0.1:1"},
                                    {.key = "security.protocol", .value = protocol},
                                    {.key = key, .value = "x"}};
    struct ps_err err = {0};
    bool found = ps_kafka_native_fits(pairs, PS_COUNT_OF(pairs), &err) == PS_OK;
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_properties_of_tls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
