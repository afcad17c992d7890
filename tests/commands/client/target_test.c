/* Flume's RPC client properties: the resulting settings, the refused values with their messages, and the
 * warnings. */
#include "commands/client/target.h"

#include "commands/client/client.h"
#include "tests/support/support.h"

#include <stdio.h>

static char warnings[4096];

static void remember(void *argument, const char *text)
{
    size_t length = strlen(warnings);
    snprintf(warnings + length, sizeof warnings - length, "%s\n", text);
}

struct fixture {
    struct ps_arena *arena;
    struct ps_rpc_target target;
    struct ps_rpc_reading reading;
    struct ps_err err;
};

static enum ps_status parse(struct fixture *fixture, const char *text)
{
    *fixture = (struct fixture){.arena = ps_arena_create()};
    fixture->reading = (struct ps_rpc_reading){.arena = fixture->arena, .warn = remember};
    warnings[0] = '\0';
    return ps_rpc_target_parse(&fixture->target, &fixture->reading, text, strlen(text), &fixture->err);
}

static void end(struct fixture *fixture)
{
    ps_rpc_target_fini(&fixture->target);
    ps_arena_destroy(fixture->arena);
}

static void assert_good(struct fixture *fixture, const char *text)
{
    if (parse(fixture, text) != PS_OK)
        fail_msg("%s: %s", text, fixture->err.text);
}

static void test_defaults(void **state)
{
    struct fixture fixture;
    assert_good(&fixture, "hosts = a b\nhosts.a = one:4141\nhosts.b = [::1]:2\nclient.type =");
    assert_int_equal(fixture.target.kind, PS_RPC_DEFAULT);
    assert_int_equal(fixture.target.host_count, 1);
    assert_string_equal(fixture.target.hosts[0].name, "one");
    assert_int_equal(fixture.target.hosts[0].port, 4141);
    assert_int_equal(ps_rpc_batch_events_of(&fixture.target.hosts[0].avro.calls), 100);
    assert_int_equal(fixture.target.hosts[0].plan.connect_ns, 20 * PS_NS_PER_S);
    assert_int_equal(fixture.target.hosts[0].settings.answer_ns, 20 * PS_NS_PER_S);
    assert_ptr_equal(fixture.target.hosts[0].plan.transport, &ps_transport_plain);
    assert_int_equal(fixture.target.connections_max, 5);
    assert_non_null(strstr(warnings, "the first of 2 hosts"));
    end(&fixture);
}

static void test_every_key(void **state)
{
    struct fixture fixture;
    assert_good(&fixture, "client.type = org.apache.flume.api.LoadBalancingRpcClient\n"
                          "hosts = a b\nhosts.a = one:1\nhosts.b = [::1]:2\nbatch-size = 7\n"
                          "connect-timeout = 1500\nrequest-timeout = 999\ncompression-type = DEFLATE\n"
                          "compression-level = 9\nhost-selector = RANDOM\nbackoff = true\nmaxBackoff = 12\n"
                          "maxConnections = 9\nmax-attempts = 4\nmaxIoWorkers = many\nssl = true\n"
                          "trust-all-certs = true\npenstock.tls.outside = true\n");
    assert_int_equal(fixture.target.kind, PS_RPC_LOAD_BALANCE);
    assert_int_equal(fixture.target.host_count, 2);
    assert_string_equal(fixture.target.hosts[1].name, "::1");
    assert_true(fixture.target.random && fixture.target.backoff);
    assert_int_equal(fixture.target.backoff_max_ms, 12);
    assert_int_equal(fixture.target.connections_max, 9);
    for (unsigned i = 0; i < 2; i++) {
        const struct ps_rpc_host *host = &fixture.target.hosts[i];
        assert_int_equal(ps_rpc_batch_events_of(&host->avro.calls), 7);
        assert_int_equal(host->plan.connect_ns, 1500 * PS_NS_PER_MS);
        assert_int_equal(host->settings.answer_ns, 20 * PS_NS_PER_S);
        assert_ptr_equal(host->plan.transport, &ps_avro_transport_deflate);
        assert_non_null(host->avro.tls_client);
    }
    end(&fixture);
}

static void test_failover(void **state)
{
    struct fixture fixture;
    static const struct {
        const char *attempts;
        uint64_t wanted;
    } cases[] = {{"", 3}, {"max-attempts = 9", 9}, {"max-attempts = 0", 1}, {"max-attempts = some", 3}};
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        char text[256];
        snprintf(
            text, sizeof text,
            "client.type = DEFAULT_FAILOVER\nhosts = a b c\nhosts.a = x:1\nhosts.b = x:2\nhosts.c = x:3\n"
            "batch-size = 0\nmaxConnections = -1\n%s",
            cases[i].attempts);
        assert_good(&fixture, text);
        assert_int_equal(fixture.target.kind, PS_RPC_FAILOVER);
        assert_int_equal(fixture.target.attempts_max, cases[i].wanted);
        assert_int_equal(ps_rpc_batch_events_of(&fixture.target.hosts[0].avro.calls), 100);
        assert_int_equal(fixture.target.connections_max, 5);
        assert_string_equal(warnings, "");
        end(&fixture);
    }
}

static void test_the_most_hosts(void **state)
{
    for (unsigned count = PS_RPC_HOSTS_MAX; count <= PS_RPC_HOSTS_MAX + 1; count++) {
        static char text[16384];
        struct fixture fixture;
        size_t length = (size_t)sprintf(text, "client.type = default_failover\nhosts =");
        for (unsigned i = 0; i < count; i++)
            length += (size_t)sprintf(text + length, " h%u", i);
        for (unsigned i = 0; i < count; i++)
            length += (size_t)sprintf(text + length, "\nhosts.h%u = host%u:%u", i, i, 4000 + i);
        bool fits = count <= PS_RPC_HOSTS_MAX;
        assert_int_equal(parse(&fixture, text), fits ? PS_OK : PS_FAIL);
        if (fits) {
            assert_int_equal(fixture.target.host_count, count);
            assert_int_equal(fixture.target.hosts[count - 1].port, 4000 + count - 1);
        } else {
            assert_non_null(strstr(fixture.err.text, "at most 256 hosts"));
        }
        end(&fixture);
    }
}

static void test_thrift(void **state)
{
    static const struct {
        const char *text;
        const struct ps_rpc_encoding *encoding;
        const char *warning;
    } cases[] = {
        {"client.type = THRIFT", &ps_rpc_thrift_compact, NULL},
        {"client.type = org.apache.flume.api.ThriftRpcClient\nprotocol = binary\nkerberos = false\n"
         "client-principal = x\n",
         &ps_rpc_thrift_binary, "client-principal"},
        {"client.type = thrift\nprotocol = json", &ps_rpc_thrift_compact,
         "the properties:4: warning: protocol = json counts as compact"},
        {"client.type = thrift\nprotocol = BINARY", &ps_rpc_thrift_compact,
         "the properties:4: warning: protocol = BINARY counts as compact"},
        {"client.type = thrift\ncompression-type = deflate", &ps_rpc_thrift_compact, "nothing is compressed"},
        {"protocol = binary", &ps_rpc_avro, NULL},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct fixture fixture;
        char text[256];
        snprintf(text, sizeof text, "hosts = a\nhosts.a = x:1\n%s\n", cases[i].text);
        assert_good(&fixture, text);
        const struct ps_rpc_host *host = &fixture.target.hosts[0];
        assert_int_equal(fixture.target.kind, PS_RPC_DEFAULT);
        assert_ptr_equal(host->encoding, cases[i].encoding);
        assert_ptr_equal(host->settings.protocol, cases[i].encoding->protocol);
        assert_ptr_equal(host->plan.transport, &ps_transport_plain);
        if (cases[i].warning != NULL ? strstr(warnings, cases[i].warning) == NULL : warnings[0] != '\0')
            fail_msg("%s: warnings: %s", cases[i].text, warnings);
        end(&fixture);
    }
}

static void test_warnings(void **state)
{
    struct fixture fixture;
    assert_good(&fixture, "hosts = a\nhosts.a = x:1\nbatchsize = 3\ncompression-type = lzo");
    assert_non_null(strstr(warnings, "batchsize"));
    assert_non_null(strstr(warnings, "lzo counts as none"));
    end(&fixture);
    assert_good(
        &fixture,
        "hosts = a\nhosts.a = x:1\nbatch-size = many\nrequest-timeout = 5s\n"); /* as Flume's client */
    assert_int_equal(ps_rpc_batch_events_of(&fixture.target.hosts[0].avro.calls), 100);
    assert_int_equal(fixture.target.hosts[0].avro.calls.request_ms, 20000);
    assert_non_null(
        strstr(warnings, "the properties:3: warning: batch-size: \"many\" is not a whole number"));
    end(&fixture);
}

#define HOST "hosts = a\nhosts.a = x:1\n"

static void test_refusals(void **state)
{
    static const struct {
        const char *text, *words;
    } cases[] = {
        {"", "the properties: error: hosts"},
        {"hosts =", "the properties:1: error: hosts"},
        {"hosts = a", "the properties:1: error: hosts: hosts.a is missing"},
        {"hosts = a\nhosts.a = x", "the properties:2: error: hosts.a = x: write HOST:PORT"},
        {"hosts = a\nhosts.a = x:", "write HOST:PORT"},
        {"hosts = a\nhosts.a = :1", "write HOST:PORT"},
        {"hosts = a\nhosts.a = x:65536", "write HOST:PORT"},
        {HOST "maxBackoff = -1", "maxBackoff"},
        {HOST "client.type = default_failver", "did you mean default_failover?"},
        {HOST "client.type = OTHER", "the properties:3: error: client.type = OTHER: there is no such client"},
        {HOST "client.type = default_loadbalance", "at least two hosts"},
        {HOST "\nhost-selector = org.example.Mine",
         "the properties:4: error: host-selector = org.example.Mine: write round_robin or random"},
        {HOST "client.type = thrift\nkerberos = true", "the properties:4: error: kerberos"},
        {HOST "ssl = true\ntruststore = nowhere.jks", "the properties:3: error: "},
        {HOST "bad = \\u12g4", "\\u"},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct fixture fixture;
        assert_int_equal(parse(&fixture, cases[i].text), PS_FAIL);
        if (strstr(fixture.err.text, cases[i].words) == NULL)
            fail_msg("%s: \"%s\" does not say \"%s\"", cases[i].text, fixture.err.text, cases[i].words);
        end(&fixture);
    }
}

/* ---- the public functions that open ---- */

static const char *asked_for;

static const char *property_find(void *argument, const char *name)
{
    if (strcmp(name, "javax.net.ssl.trustStore") == 0)
        asked_for = argument;
    return NULL;
}

static void test_open(void **state)
{
    struct penstock_client_error error;
    static const char tls[] = HOST "ssl = true";
    const struct penstock_client_options options = {.size = sizeof options,
                                                    .argument = (char[]){"mine"},
                                                    .system_property = property_find,
                                                    .batch_events_max = 8};
    assert_null(penstock_client_open(NULL, 1, NULL, &error));
    assert_int_equal(error.status, PENSTOCK_CLIENT_INVALID);
    assert_null(penstock_client_open("", 1, NULL, &error));
    assert_null(penstock_client_open("x", 0, NULL, &error));
    assert_null(penstock_client_open("x", 65536, NULL, NULL));
    assert_null(penstock_client_open_file(NULL, NULL, &error));
    assert_null(penstock_client_open_file("/nowhere/rpc.properties", NULL, &error));
    assert_non_null(strstr(error.text, "/nowhere/rpc.properties"));
    assert_null(penstock_client_open_properties(NULL, 7, NULL, &error));
    assert_null(penstock_client_open_properties(HOST, 5, NULL, &error));

    struct penstock_client *client = penstock_client_open("[::1]", 65535, &options, &error);
    assert_int_equal(penstock_client_batch_events_max(client), 8);
    penstock_client_close(client);
    client = penstock_client_open_properties(tls, strlen(tls), &options, &error);
    assert_non_null(client);
    assert_string_equal(asked_for, "mine");
    assert_int_equal(penstock_client_batch_events_max(client), 100);
    penstock_client_close(client);
    /* A program that was compiled when there were fewer options. */
    const struct penstock_client_options older = {
        .size = offsetof(struct penstock_client_options, batch_events_max), .batch_events_max = 8};
    client = penstock_client_open("x", 1, &older, &error);
    assert_int_equal(penstock_client_batch_events_max(client), 100);
    penstock_client_close(client);
    assert_true(strlen(penstock_client_version()) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults), cmocka_unit_test(test_every_key),
        cmocka_unit_test(test_failover), cmocka_unit_test(test_thrift),
        cmocka_unit_test(test_warnings), cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_open),     cmocka_unit_test(test_the_most_hosts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
