/* The address of a source: its text, the attempts, and the socket that `open` binds. */
#include "tests/support/kafka/listener.h"
#include "tests/support/probed.h"
#include "tests/support/support.h"

#include "stages/lib/net/listen.h"

#include <string.h>
#include <unistd.h>

/* A plan, which begins with the member that the engine expects. */
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
    assert_non_null(
        strstr(outline_of(&plan), "listens on *:514 (UDP); while the source waits for its channel"));
}

static void on_address(void *argument, const struct ps_listens *address)
{
    struct ps_listens *seen = argument;
    assert_null(seen->key); /* called only once */
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

static struct ps_test_probed tried(const struct ps_listen *listen)
{
    const struct listening_plan plan = {.listen = *listen};
    struct ps_test_probed outcome = {.count = 0};
    const struct ps_probe probe = {
        .component = "source r1", .timeout_ms = 1000, .tried = ps_test_probed_note, .argument = &outcome};
    ps_listen_source_probe(&plan, NULL, &probe);
    return outcome;
}

/* The failure names the key that is in the file. RFC 5737: this address is not in use. */
static void test_probe_key(void **unused)
{
    struct ps_test_probed outcome = tried(&(struct ps_listen){.host = "192.0.2.1"});
    assert_int_equal(outcome.result, PS_PROBED_FAILED);
    assert_string_equal(outcome.key, "host");
    outcome = tried(&(struct ps_listen){.bind = "192.0.2.1"});
    assert_int_equal(outcome.result, PS_PROBED_FAILED);
    assert_string_equal(outcome.key, "bind");
    assert_int_equal(tried(&(struct ps_listen){.port = 0}).result, PS_PROBED_OK);
}

/* The text about a port, in each case. */
static void test_probe_texts(void **unused)
{
    unsigned port = 0;
    int listener = ps_test_listen(&port);
    char taken[64], owner[64];
    snprintf(owner, sizeof owner, "(process %d)", (int)getpid());
    snprintf(taken, sizeof taken, "listen on 127.0.0.1:%u (TCP)", port);
    const struct {
        const char *host;
        unsigned port;
        bool datagrams, local, files_only, no_time;
        enum ps_probed result;
        const char *what, *cause;
    } rows[] = {
        {.host = "127.0.0.1",
         .result = PS_PROBED_OK,
         .what = "listen on 127.0.0.1:0 (TCP): the port is free",
         .cause = ""},
        {.host = "127.0.0.1",
         .datagrams = true,
         .result = PS_PROBED_OK,
         .what = "listen on 127.0.0.1:0 (UDP): the port is free",
         .cause = ""},
        {.host = "127.0.0.1",
         .no_time = true,
         .result = PS_PROBED_OK,
         .what = "listen on 127.0.0.1:0 (TCP): the port is free",
         .cause = ""},
        {.host = "localhost",
         .no_time = true,
         .result = PS_PROBED_SKIPPED,
         .what = "listen on localhost:0 (TCP)",
         .cause = "no time is left to ask the name server"},
        {.host = "127.0.0.1",
         .port = port,
         .files_only = true,
         .result = PS_PROBED_SKIPPED,
         .what = taken,
         .cause = "no port is opened"},
        {.host = "127.0.0.1",
         .port = port,
         .local = true,
         .result = PS_PROBED_SKIPPED,
         .what = taken,
         .cause = "the port is in use, perhaps by this agent"},
        {.host = "127.0.0.1", .port = port, .result = PS_PROBED_FAILED, .what = taken, .cause = owner},
    };
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        struct ps_test_probed outcome = {.count = 0};
        const struct ps_bind_options listen = {
            .host = rows[i].host, .port = rows[i].port, .datagrams = rows[i].datagrams};
        const struct ps_probe probe = {.component = "source r1",
                                       .timeout_ms = rows[i].no_time ? 0 : 1000,
                                       .local = rows[i].local,
                                       .files_only = rows[i].files_only,
                                       .tried = ps_test_probed_note,
                                       .argument = &outcome};
        ps_listen_probe(&probe, "bind", &listen);
        assert_int_equal(outcome.count, 1);
        assert_int_equal(outcome.result, rows[i].result);
        assert_string_equal(outcome.what, rows[i].what);
        if (rows[i].result != PS_PROBED_FAILED)
            assert_string_equal(outcome.cause, rows[i].cause);
        else if (strstr(outcome.cause, rows[i].cause) ==
                 NULL) /* the text names the process that has the port: this one */
            fail_msg("%s", outcome.cause);
    }
    close(listener);
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

/* A host whose name cannot be one leaves no socket open. */
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
        cmocka_unit_test(test_outline),     cmocka_unit_test(test_listens), cmocka_unit_test(test_probe_key),
        cmocka_unit_test(test_probe_texts), cmocka_unit_test(test_address), cmocka_unit_test(test_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
