#include "stages/lib/hadoop/rpc/name_service.h"

#include "tests/support/support.h"

static const char xml[] =
    "<configuration>"
    "<property><name>dfs.nameservices</name><value> ha , plain,half, none</value></property>"
    "<property><name>dfs.ha.namenodes.ha</name><value>nn1, nn2 ,nn3</value></property>"
    "<property><name>dfs.namenode.rpc-address.ha.nn1</name><value>one.example.com:8020</value></property>"
    "<property><name>dfs.namenode.rpc-address.ha.nn2</name><value>two.example.com</value></property>"
    "<property><name>dfs.namenode.rpc-address.ha.nn3</name><value>[::1]:9000</value></property>"
    "<property><name>dfs.namenode.rpc-address.plain</name><value>three:8021</value></property>"
    "<property><name>dfs.ha.namenodes.half</name><value>nn1,nn2</value></property>"
    "<property><name>dfs.namenode.rpc-address.half.nn1</name><value>one:8020</value></property>"
    "<property><name>dfs.namenode.rpc-address.half.nn2</name><value>one:eight</value></property>"
    "</configuration>";

static void test_split(void **state)
{
    static const struct {
        const char *address, *host;
        unsigned port;
    } cases[] = {
        {"nn", "nn", 8020},
        {"nn:9000", "nn", 9000},
        {"10.0.0.1:1", "10.0.0.1", 1},
        {"[::1]", "::1", 8020},
        {"[fe80::1]:8", "fe80::1", 8},
        {"nn:", NULL, 0},
        {":8020", NULL, 0},
        {"", NULL, 0},
        {"nn:0", NULL, 0},
        {"nn:65536", NULL, 0},
        {"nn:-1", NULL, 0},
        {"nn:80x", NULL, 0},
        {"[::1", NULL, 0},
        {"[::1]x", NULL, 0},
        {"[]:80", NULL, 0},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        char host[PS_HOST_NAME_BYTES];
        unsigned port;
        bool good = ps_name_service_split(cases[i].address, PS_NAMENODE_PORT, host, &port);
        if (good != (cases[i].host != NULL))
            fail_msg("'%s'", cases[i].address);
        if (good) {
            assert_string_equal(host, cases[i].host);
            assert_int_equal(port, cases[i].port);
        }
    }
    char host[PS_HOST_NAME_BYTES], name[PS_HOST_NAME_BYTES + 1];
    unsigned port;
    memset(name, 'a', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    assert_false(ps_name_service_split(name, 1, host, &port));
}

static void test_services(void **state)
{
    struct ps_hadoop_configuration *configuration = NULL;
    struct ps_name_service service;
    struct ps_err err = {0};
    assert_int_equal(
        ps_hadoop_configuration_parse(&configuration, "hdfs-site.xml", xml, sizeof xml - 1, &err), PS_OK);
    assert_int_equal(ps_name_service_find(configuration, "ha", &service, &err), PS_OK);
    assert_true(service.high_availability);
    assert_int_equal(service.count, 3);
    assert_string_equal(service.servers[0].host, "one.example.com");
    assert_string_equal(service.servers[1].host, "two.example.com");
    assert_int_equal(service.servers[1].port, 8020);
    assert_string_equal(service.servers[2].host, "::1");
    assert_int_equal(service.servers[2].port, 9000);
    assert_int_equal(ps_name_service_find(configuration, "plain", &service, &err), PS_OK);
    assert_false(service.high_availability);
    assert_int_equal(service.servers[0].port, 8021);
    assert_int_equal(ps_name_service_find(configuration, "half", &service, &err), PS_FAIL);
    assert_non_null(strstr(err.text, "hdfs-site.xml:1"));
    assert_non_null(strstr(err.text, "dfs.namenode.rpc-address.half.nn2"));
    assert_int_equal(ps_name_service_find(configuration, "none", &service, &err), PS_FAIL);
    assert_non_null(strstr(err.text, "dfs.namenode.rpc-address.none"));
    assert_int_equal(ps_name_service_find(configuration, "other:1", &service, &err), PS_OK);
    assert_string_equal(service.servers[0].host, "other");
    ps_hadoop_configuration_free(configuration);
}

/* The names of namenodes have up to 127 bytes. */
static void test_long_names(void **state)
{
    for (int length = 126; length <= 129; length++) {
        struct ps_hadoop_configuration *configuration = NULL;
        struct ps_name_service service;
        struct ps_err err = {0};
        char text[1024], node[130];
        memset(node, 'n', sizeof node);
        int bytes =
            snprintf(text, sizeof text,
                     "<configuration><property><name>dfs.ha.namenodes.ha</name><value>%.*s</value></property>"
                     "<property><name>dfs.namenode.rpc-address.ha.%.*s</name><value>one:1</value></property>"
                     "</configuration>",
                     length, node, length, node);
        assert_int_equal(
            ps_hadoop_configuration_parse(&configuration, "hdfs-site.xml", text, (size_t)bytes, &err), PS_OK);
        assert_int_equal(ps_name_service_find(configuration, "ha", &service, &err),
                         length < 128 ? PS_OK : PS_FAIL);
        assert_int_equal(service.count, length < 128);
        if (length >= 128)
            assert_non_null(strstr(err.text, "names no namenode"));
        ps_hadoop_configuration_free(configuration);
    }
}

/* A name service has as many namenodes as there is room for, and no more. */
static void test_many_namenodes(void **state)
{
    for (unsigned count = PS_NAMENODES_MAX - 1; count <= PS_NAMENODES_MAX + 1; count++) {
        struct ps_hadoop_configuration *configuration = NULL;
        struct ps_name_service service;
        struct ps_err err = {0};
        char text[4096] = "<configuration><property><name>dfs.ha.namenodes.ha</name><value>", *at;
        for (unsigned i = 0; i < count; i++) {
            at = text + strlen(text);
            snprintf(at, sizeof text - (size_t)(at - text), "%sn%u", i > 0 ? "," : "", i);
        }
        strcat(text, "</value></property>");
        for (unsigned i = 0; i < count; i++) {
            at = text + strlen(text);
            snprintf(at, sizeof text - (size_t)(at - text),
                     "<property><name>dfs.namenode.rpc-address.ha.n%u</name><value>h%u:%u</value></property>",
                     i, i, 8000 + i);
        }
        strcat(text, "</configuration>");
        assert_int_equal(
            ps_hadoop_configuration_parse(&configuration, "hdfs-site.xml", text, strlen(text), &err), PS_OK);
        bool fits = count <= PS_NAMENODES_MAX;
        assert_int_equal(ps_name_service_find(configuration, "ha", &service, &err), fits ? PS_OK : PS_FAIL);
        if (!fits)
            assert_non_null(strstr(err.text, "more than 16 namenodes"));
        for (unsigned i = 0; fits && i < count; i++)
            assert_int_equal(service.servers[i].port, 8000 + i);
        assert_int_equal(service.count, fits ? count : PS_NAMENODES_MAX);
        ps_hadoop_configuration_free(configuration);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_split),
        cmocka_unit_test(test_services),
        cmocka_unit_test(test_long_names),
        cmocka_unit_test(test_many_namenodes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
