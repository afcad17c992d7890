/* The address of a source: its text, the attempts, and the socket that `open` binds. */
#include "tests/support/support.h"

#include "stages/lib/net/listen.h"

#include <string.h>
#include <unistd.h>

/* As a plan: the engine sees only that it begins so. */
struct listening_plan {
    struct ps_listen listen;
    int64_t other;
};

static const char *outline_of(const struct listening_plan *plan)
{
    static char text[256];
    memset(text, 0, sizeof text);
    FILE *out = fmemopen(text, sizeof text - 1, "w");
    assert_non_null(out);
    ps_listen_source_outline(plan, NULL, out);
    fclose(out);
    return text;
}

static void test_outline(void **unused)
{
    struct listening_plan plan = {.listen = {.host = "10.0.0.1", .port = 514}};
    assert_string_equal(outline_of(&plan), "listens on 10.0.0.1:514 (TCP)");
    plan.listen.tls.enabled = true;
    assert_string_equal(outline_of(&plan), "listens on 10.0.0.1:514 (TCP, TLS)");
    plan = (struct listening_plan){.listen = {.bind = "::", .port = 514, .receive_buffer_bytes = 4096}};
    assert_non_null(strstr(outline_of(&plan), "listens on *:514 (UDP); while it waits"));
}

static void on_address(void *argument, const struct ps_listens *address)
{
    struct ps_listens *seen = argument;
    assert_null(seen->key); /* one call */
    *seen = *address;
}

static void test_listens(void **unused)
{
    struct listening_plan plan = {.listen = {.bind = "10.0.0.1", .port = 514}};
    struct ps_listens tcp = {.key = NULL}, udp = {.key = NULL};
    ps_listen_source_listens(&plan, on_address, &tcp);
    assert_string_equal(tcp.key, "port");
    assert_string_equal(tcp.host, "10.0.0.1");
    assert_int_equal(tcp.port, 514);
    assert_false(tcp.datagrams);
    plan.listen.receive_buffer_bytes = 4096;
    ps_listen_source_listens(&plan, on_address, &udp);
    assert_true(udp.datagrams);
}

struct outcome {
    enum ps_probed result;
    const char *key;
};

static void on_tried(const struct ps_probe *probe, enum ps_probed result, const char *key, const char *what,
                     const char *cause, const char *cure)
{
    *(struct outcome *)probe->argument = (struct outcome){.result = result, .key = key};
}

static struct outcome tried(const struct ps_listen *listen)
{
    const struct listening_plan plan = {.listen = *listen};
    struct outcome outcome = {.key = NULL};
    const struct ps_probe probe = {
        .component = "source r1", .timeout_ms = 1000, .tried = on_tried, .argument = &outcome};
    ps_listen_source_probe(&plan, NULL, &probe);
    return outcome;
}

/* The failure names the key that is in the file. RFC 5737: nobody has this address. */
static void test_probe_key(void **unused)
{
    struct outcome outcome = tried(&(struct ps_listen){.host = "192.0.2.1"});
    assert_int_equal(outcome.result, PS_PROBED_FAILED);
    assert_string_equal(outcome.key, "host");
    outcome = tried(&(struct ps_listen){.bind = "192.0.2.1"});
    assert_int_equal(outcome.result, PS_PROBED_FAILED);
    assert_string_equal(outcome.key, "bind");
    assert_int_equal(tried(&(struct ps_listen){.port = 0}).result, PS_PROBED_OK);
}

static void test_address(void **unused)
{
    struct ps_context context = {.component = "source r1"};
    struct ps_listen tcp = {.bind = "127.0.0.1", .port = 514},
                     udp = {.port = 514, .receive_buffer_bytes = 8192};
    struct ps_err err = {.length = 0};
    assert_int_equal(ps_listen_build(&tcp, &context, &err), PS_OK);
    struct ps_bind_options address = ps_listen_address(&tcp, 2);
    assert_string_equal(address.host, "127.0.0.1");
    assert_int_equal(address.port, 514);
    assert_true(address.share);
    assert_false(address.datagrams);
    assert_null(tcp.server);
    ps_listen_teardown(&tcp);
    assert_int_equal(ps_listen_build(&udp, &context, &err), PS_OK);
    address = ps_listen_address(&udp, 1);
    assert_null(address.host);
    assert_false(address.share);
    assert_true(address.datagrams);
    assert_int_equal(address.receive_buffer_bytes, 8192);
    ps_listen_teardown(&udp);
}

/* A host whose name cannot be one leaves nothing behind. */
static void test_failure(void **unused)
{
    struct ps_context context = {.component = "source r1"};
    char name[400];
    struct ps_listen listen = {.bind = name};
    struct ps_err err = {.length = 0};
    memset(name, 'a', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    assert_int_equal(ps_listen_build(&listen, &context, &err), PS_FAIL);
    assert_null(listen.lookup);
    assert_null(listen.server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_outline), cmocka_unit_test(test_listens), cmocka_unit_test(test_probe_key),
        cmocka_unit_test(test_address), cmocka_unit_test(test_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
