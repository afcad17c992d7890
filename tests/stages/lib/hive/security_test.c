/* The identity of a client of the metastore, by hive-site.xml. */
#include "stages/lib/hive/security.h"
#include "tests/support/support.h"

static enum ps_status open_by(const char *properties, const char *principal, const char *keytab,
                              struct ps_hive_security **security, struct ps_err *err)
{
    char xml[1024];
    struct ps_hadoop_configuration *configuration;
    *err = (struct ps_err){.length = 0};
    int length = snprintf(xml, sizeof(xml), "<configuration>%s</configuration>", properties);
    assert_int_equal(ps_hadoop_configuration_parse(&configuration, "hive-site.xml", xml, (size_t)length, err),
                     PS_OK);
    enum ps_status status = ps_hive_security_open(security, configuration, principal, keytab, err);
    ps_hadoop_configuration_free(configuration);
    return status;
}

#define PROPERTY(name, value) "<property><name>" name "</name><value>" value "</value></property>"
#define ENABLED PROPERTY("hive.metastore.sasl.enabled", "true")
#define PRINCIPAL PROPERTY("hive.metastore.kerberos.principal", "hive/_HOST@EXAMPLE.COM")

static void test_kerberos_is_asked_for(void **state)
{
    static const char *const with[] = {
        ENABLED PRINCIPAL,
        PROPERTY("metastore.sasl.enabled", "true")
            PROPERTY("metastore.kerberos.principal", "hive/_HOST@EXAMPLE.COM"),
        ENABLED PRINCIPAL PROPERTY("hadoop.rpc.protection", "privacy,integrity")};
    static const char *const without[] = {"", PRINCIPAL, PROPERTY("hive.metastore.sasl.enabled", "false")};
    struct ps_hive_security *security;
    struct ps_err err;
    for (size_t i = 0; i < PS_COUNT_OF(with); i++) {
        assert_int_equal(open_by(with[i], NULL, NULL, &security, &err), PS_OK);
        assert_non_null(security);
        ps_hive_security_close(security);
    }
    for (size_t i = 0; i < PS_COUNT_OF(without); i++) {
        assert_int_equal(open_by(without[i], NULL, NULL, &security, &err), PS_OK);
        assert_null(security);
    }
    assert_int_equal(ps_hive_security_open(&security, NULL, NULL, NULL, &err), PS_OK);
    assert_null(security);
}

static void expect_reason(const char *properties, const char *principal, const char *keytab,
                          const char *reason)
{
    struct ps_hive_security *security;
    struct ps_err err;
    assert_int_equal(open_by(properties, principal, keytab, &security, &err), PS_FAIL);
    assert_non_null(strstr(err.text, reason));
    assert_null(security);
}

static void test_mistakes(void **state)
{
    expect_reason(ENABLED, NULL, NULL, "hive-site.xml has to have hive.metastore.kerberos.principal");
    expect_reason(ENABLED PRINCIPAL, "flume@EXAMPLE.COM", NULL, "needed together");
    expect_reason(ENABLED PRINCIPAL, NULL, "/etc/flume.keytab", "needed together");
    expect_reason(ENABLED PRINCIPAL PROPERTY("hadoop.rpc.protection", "secret"), NULL, NULL,
                  "only authentication, integrity and privacy are supported");
    expect_reason(PROPERTY("hive.metastore.use.SSL", "true"), NULL, NULL,
                  "TLS to a metastore is not supported");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kerberos_is_asked_for),
        cmocka_unit_test(test_mistakes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
