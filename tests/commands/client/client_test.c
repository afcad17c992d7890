/* libpenstock-client with sources that answer, refuse, are silent, close half-way, answer nonsense, stop and start again:
 * the result of each call, the outcome of its events, and the source of the next call. */
#include "commands/client/client.h"

#include "core/clock.h"
#include "tests/support/rpc_server.h"
#include "tests/support/support.h"

#include <stdio.h>

#define SERVERS 3
#define EVENTS_MAX 64

static struct ps_test_rpc_server *servers;
static char messages[4096]; /* of the client, in the thread of the test */

static int setup(void **state)
{
    servers = calloc(SERVERS, sizeof *servers);
    for (unsigned i = 0; i < SERVERS; i++)
        ps_test_rpc_start(&servers[i]);
    messages[0] = '\0';
    return 0;
}

static int teardown(void **state)
{
    for (unsigned i = 0; i < SERVERS; i++) {
        if (!atomic_load(&servers[i].stop))
            ps_test_rpc_stop(&servers[i]);
        assert_int_equal(atomic_load(&servers[i].strange), 0);
    }
    free(servers);
    return 0;
}

static void remember(void *argument, const char *text)
{
    size_t length = strlen(messages);
    snprintf(messages + length, sizeof messages - length, "%s\n", text);
}

/* Opens a client of the first `hosts` servers. */
static struct penstock_client *open_client(unsigned hosts, const char *properties,
                                           int (*interrupted)(void *argument))
{
    char text[1024] = "hosts =";
    struct penstock_client_error error = {.status = 0};
    const struct penstock_client_options options = {
        .size = sizeof options, .message = remember, .interrupted = interrupted};
    for (unsigned i = 0; i < hosts; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), " h%u", i);
    for (unsigned i = 0; i < hosts; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "\nhosts.h%u = 127.0.0.1:%u", i,
                 servers[i].port);
    snprintf(text + strlen(text), sizeof text - strlen(text), "\n%s\n", properties);
    struct penstock_client *client = penstock_client_open_properties(text, strlen(text), &options, &error);
    if (client == NULL)
        fail_msg("%s", error.text);
    return client;
}

static const struct penstock_client_header headers[] = {{"name", "value"}, {"", ""}};

/* Sends `count` events; expects this status, this number of acknowledged events, and the words in the error. */
static void expect(struct penstock_client *client, size_t count, int status, size_t acknowledged,
                   const char *words)
{
    struct penstock_client_event events[EVENTS_MAX];
    struct penstock_client_error error = {.status = PENSTOCK_CLIENT_OK};
    size_t done = SIZE_MAX;
    for (size_t i = 0; i < count; i++)
        events[i] = (struct penstock_client_event){headers, i % 3, "body", i % 5};
    int result = penstock_client_append_batch(client, events, count, &done, &error);
    if (result != status || error.status != status)
        fail_msg("status %d (%d), not %d: %s", result, error.status, status, error.text);
    assert_int_equal(done, acknowledged);
    if (words != NULL && strstr(error.text, words) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", error.text, words);
}

static void expect_ok(struct penstock_client *client, size_t count)
{
    expect(client, count, PENSTOCK_CLIENT_OK, count, NULL);
}

/* ---- one host ---- */

static void test_batches(void **state)
{
    struct penstock_client *client = open_client(1, "batch-size = 3", NULL);
    assert_int_equal(penstock_client_batch_events_max(client), 3);
    assert_int_equal(atomic_load(&servers[0].connections), 0);
    assert_true(penstock_client_is_active(client));
    assert_int_equal(penstock_client_connect(client, NULL), PENSTOCK_CLIENT_OK);
    expect_ok(client, 10);
    assert_int_equal(atomic_load(&servers[0].calls), 4);
    assert_int_equal(atomic_load(&servers[0].events), 10);
    expect_ok(client, 0);
    const struct penstock_client_event event = {NULL, 0, NULL, 0};
    assert_int_equal(penstock_client_append(client, &event, NULL), PENSTOCK_CLIENT_OK);
    assert_int_equal(atomic_load(&servers[0].calls), 5);
    assert_int_equal(atomic_load(&servers[0].connections), 1);
    penstock_client_close(client);
    penstock_client_close(NULL);
}

static void test_large_events_are_cut_into_calls(void **state)
{
    struct penstock_client *client = open_client(1, "", NULL);
    struct penstock_client_event events[4];
    size_t length = 3U << 19, done;
    char *body = calloc(1, length);
    for (size_t i = 0; i < 4; i++)
        events[i] = (struct penstock_client_event){NULL, 0, body, length};
    assert_int_equal(penstock_client_append_batch(client, events, 4, &done, NULL), PENSTOCK_CLIENT_OK);
    assert_int_equal(done, 4);
    assert_int_equal(atomic_load(&servers[0].calls), 2);
    penstock_client_close(client);
    free(body);
}

static void test_what_is_no_event(void **state)
{
    struct penstock_client *client = open_client(1, "", NULL);
    static const struct penstock_client_header no_name = {NULL, "value"}, no_value = {"name", NULL};
    const struct penstock_client_event events[] = {{NULL, 0, NULL, 1},
                                                   {NULL, 1, "x", 1},
                                                   {NULL, 0, "x", (size_t)2 << 30},
                                                   {&no_name, 1, "x", 1},
                                                   {&no_value, 1, "x", 1}};
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++) {
        struct penstock_client_error error = {.status = 0};
        assert_int_equal(penstock_client_append(client, &events[i], &error), PENSTOCK_CLIENT_INVALID);
        assert_int_equal(error.status, PENSTOCK_CLIENT_INVALID);
        assert_true(strlen(error.text) > 10);
    }
    assert_int_equal(atomic_load(&servers[0].connections), 0);
    penstock_client_close(client);
}

static void test_refused(void **state)
{
    struct penstock_client *client = open_client(1, "batch-size = 3", NULL);
    atomic_store(&servers[0].behaviour, PS_TEST_RPC_FAILED);
    atomic_store(&servers[0].calls_good, 2);
    expect(client, 10, PENSTOCK_CLIENT_REFUSED, 6, "answers FAILED");
    assert_false(penstock_client_is_active(client));
    atomic_store(&servers[0].behaviour, PS_TEST_RPC_UNKNOWN);
    expect(client, 1, PENSTOCK_CLIENT_REFUSED, 0, "answers UNKNOWN");
    atomic_store(&servers[0].behaviour, PS_TEST_RPC_OK);
    expect_ok(client, 4);
    assert_true(penstock_client_is_active(client));
    assert_int_equal(atomic_load(&servers[0].connections), 1);
    penstock_client_close(client);
}

static void test_no_good_answer(void **state)
{
    static const struct {
        enum ps_test_rpc_behaviour behaviour;
        const char *words;
    } cases[] = {
        {PS_TEST_RPC_ERROR, "no such thing"},
        {PS_TEST_RPC_NO_MATCH, "does not speak Flume's protocol"},
        {PS_TEST_RPC_CLOSES, "closed the connection"},
        {PS_TEST_RPC_HALF, "closed the connection"},
        {PS_TEST_RPC_NONSENSE, "the answer is not one of"},
    };
    struct penstock_client *client = open_client(1, "", NULL);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        atomic_store(&servers[0].behaviour, cases[i].behaviour);
        expect(client, 2, PENSTOCK_CLIENT_UNCERTAIN, 0, cases[i].words);
        assert_false(penstock_client_is_active(client));
    }
    atomic_store(&servers[0].behaviour, PS_TEST_RPC_OK);
    expect_ok(client, 5);
    penstock_client_close(client);
}

static void test_no_answer(void **state)
{
    struct penstock_client *client = open_client(1, "request-timeout = 1000", NULL);
    atomic_store(&servers[0].behaviour, PS_TEST_RPC_SILENT);
    expect(client, 2, PENSTOCK_CLIENT_UNCERTAIN, 0, "no answer in time");
    assert_false(penstock_client_is_active(client));
    penstock_client_close(client);
}

static void test_closed_between_calls(void **state)
{
    struct penstock_client *client = open_client(1, "", NULL);
    for (unsigned i = 1; i <= 3; i++) {
        expect_ok(client, 2);
        assert_int_equal(atomic_load(&servers[0].connections), i);
        ps_test_rpc_drop(&servers[0]);
    }
    penstock_client_close(client);
}

static void test_gone_and_back(void **state)
{
    struct penstock_client *client = open_client(1, "", NULL);
    struct penstock_client_error error;
    expect_ok(client, 1);
    ps_test_rpc_stop(&servers[0]);
    expect(client, 1, PENSTOCK_CLIENT_UNREACHABLE, 0, "Connection refused");
    assert_int_equal(penstock_client_connect(client, &error), PENSTOCK_CLIENT_UNREACHABLE);
    assert_false(penstock_client_is_active(client));
    ps_test_rpc_restart(&servers[0]);
    assert_int_equal(penstock_client_connect(client, &error), PENSTOCK_CLIENT_OK);
    assert_true(penstock_client_is_active(client));
    expect_ok(client, 1);
    penstock_client_close(client);
}

static int at_the_second_time(void *argument)
{
    static unsigned asked;
    return ++asked % 2 == 0;
}

static void test_interrupted(void **state)
{
    struct penstock_client *client = open_client(1, "", at_the_second_time);
    atomic_store(&servers[0].behaviour, PS_TEST_RPC_SILENT);
    for (unsigned i = 0; i < 3; i++)
        expect(client, 1, PENSTOCK_CLIENT_INTERRUPTED, 0, "interrupted");
    penstock_client_close(client);
}

static void test_a_name_that_is_none(void **state)
{
    struct penstock_client_error error;
    struct penstock_client *client = penstock_client_open("no-such-host.invalid", 4141, NULL, &error);
    assert_non_null(client);
    expect(client, 1, PENSTOCK_CLIENT_UNREACHABLE, 0, "no-such-host.invalid:4141: ");
    penstock_client_close(client);
}

/* ---- failover ---- */

#define FAILOVER "client.type = default_failover"

static void test_failover(void **state)
{
    struct penstock_client *client = open_client(SERVERS, FAILOVER "\nbatch-size = 4", NULL);
    expect_ok(client, 4);
    assert_int_equal(atomic_load(&servers[0].calls), 1);
    ps_test_rpc_stop(&servers[0]);
    expect_ok(client, 4); /* its connection is closed: seen before anything is sent */
    assert_int_equal(atomic_load(&servers[1].calls), 1);
    assert_non_null(strstr(messages, "Connection refused"));
    ps_test_rpc_restart(&servers[0]);
    expect_ok(client, 4); /* the client stays with this host */
    assert_int_equal(atomic_load(&servers[1].calls), 2);

    /* The second batch of the list goes to the next host. */
    atomic_store(&servers[1].behaviour, PS_TEST_RPC_CLOSES);
    atomic_store(&servers[1].calls_good, 1);
    expect_ok(client, 8);
    assert_int_equal(atomic_load(&servers[1].acknowledged), 12);
    assert_int_equal(atomic_load(&servers[2].acknowledged), 4);
    assert_non_null(strstr(messages, "sends the batch to the next host"));

    atomic_store(&servers[2].behaviour, PS_TEST_RPC_FAILED);
    expect_ok(client, 4); /* back to the first host */
    assert_int_equal(atomic_load(&servers[0].acknowledged), 8);
    assert_true(penstock_client_is_active(client));
    penstock_client_close(client);
}

static void test_failover_gives_up(void **state)
{
    struct penstock_client *client = open_client(SERVERS, FAILOVER "\nmax-attempts = 2", NULL);
    for (unsigned i = 0; i < SERVERS; i++)
        atomic_store(&servers[i].behaviour, PS_TEST_RPC_FAILED);
    expect(client, 1, PENSTOCK_CLIENT_REFUSED, 0, "FAILED");
    assert_int_equal(atomic_load(&servers[0].calls) + atomic_load(&servers[1].calls), 2);
    assert_int_equal(atomic_load(&servers[2].calls), 0);

    /* The event may have arrived at a host that closed the connection, although the last host refused it. */
    atomic_store(&servers[2].behaviour, PS_TEST_RPC_CLOSES);
    expect(client, 1, PENSTOCK_CLIENT_UNCERTAIN, 0, "FAILED");
    for (unsigned i = 0; i < SERVERS; i++)
        ps_test_rpc_stop(&servers[i]);
    expect(client, 1, PENSTOCK_CLIENT_UNREACHABLE, 0, "Connection refused");
    assert_true(penstock_client_is_active(client));
    penstock_client_close(client);
}

/* ---- load balancing ---- */

#define BALANCE "client.type = default_loadbalance"

static void test_balance(void **state)
{
    struct penstock_client *client = open_client(SERVERS, BALANCE, NULL);
    for (unsigned i = 0; i < 30; i++)
        expect_ok(client, 1);
    for (unsigned i = 0; i < SERVERS; i++)
        assert_int_equal(atomic_load(&servers[i].calls), 10);
    atomic_store(&servers[1].behaviour, PS_TEST_RPC_FAILED);
    for (unsigned i = 0; i < 30; i++)
        expect_ok(client, 1);
    assert_int_equal(atomic_load(&servers[0].calls), 20);
    assert_int_equal(atomic_load(&servers[1].calls), 20);
    assert_int_equal(atomic_load(&servers[2].calls), 30);
    ps_test_rpc_stop(&servers[1]);
    ps_test_rpc_stop(&servers[2]);
    for (unsigned i = 0; i < 6; i++)
        expect_ok(client, 1);
    atomic_store(&servers[0].behaviour, PS_TEST_RPC_CLOSES);
    expect(client, 1, PENSTOCK_CLIENT_UNCERTAIN, 0, NULL);
    penstock_client_close(client);
}

/* Returns how many calls a host that always fails may get in this time: one immediately, and after 2, 4, 8 .. s more. */
static unsigned times_asked_max(uint64_t ran_ns)
{
    unsigned asked = 1;
    for (uint64_t out_ns = 2 * PS_NS_PER_S, at_ns = out_ns; at_ns <= ran_ns; at_ns += out_ns) {
        asked++;
        out_ns *= 2;
    }
    return asked;
}

static void test_balance_backs_off(void **state)
{
    struct penstock_client *client =
        open_client(SERVERS, BALANCE "\nbackoff = true\nhost-selector = RANDOM", NULL);
    uint64_t began_ns = ps_clock_now().mono_ns;
    atomic_store(&servers[1].behaviour, PS_TEST_RPC_CLOSES);
    while (atomic_load(&servers[1].calls) == 0)
        expect_ok(client, 1);
    for (unsigned i = 0; i < 60; i++)
        expect_ok(client, 1);
    assert_in_range(atomic_load(&servers[1].calls), 1, times_asked_max(ps_clock_now().mono_ns - began_ns));
    assert_true(atomic_load(&servers[0].calls) > 0 && atomic_load(&servers[2].calls) > 0);
    penstock_client_close(client);

    client = open_client(2, BALANCE "\nbackoff = true\nmaxBackoff = 600000", NULL);
    atomic_store(&servers[0].behaviour, PS_TEST_RPC_FAILED);
    atomic_store(&servers[1].behaviour, PS_TEST_RPC_FAILED);
    for (unsigned i = 0; i < 10;
         i++) { /* the back-off grows: soon all are left out for longer than a call takes */
        struct penstock_client_error error;
        const struct penstock_client_event event = {NULL, 0, "x", 1};
        int status = penstock_client_append(client, &event, &error);
        if (status == PENSTOCK_CLIENT_UNREACHABLE) {
            assert_non_null(strstr(error.text, "left out"));
            penstock_client_close(client);
            return;
        }
        assert_int_equal(status, PENSTOCK_CLIENT_REFUSED);
    }
    fail_msg("hosts that always fail are asked each time");
}

/* ---- threads ---- */

#define THREADS 100
#define CALLS 20
/* These limits are real time, and the last of so many threads may wait long for its turn on a busy machine. */
#define PATIENT "connect-timeout = 600000\nrequest-timeout = 600000"

static void *send_calls(void *client)
{
    const struct penstock_client_event event = {headers, 1, "body", 4};
    size_t good = 0;
    for (unsigned i = 0; i < CALLS; i++)
        good += penstock_client_append(client, &event, NULL) == PENSTOCK_CLIENT_OK;
    return (void *)good;
}

static size_t run_threads(struct penstock_client *client)
{
    pthread_t threads[THREADS];
    size_t good = 0;
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, send_calls, client), 0);
    for (unsigned i = 0; i < THREADS; i++) {
        void *result;
        pthread_join(threads[i], &result);
        good += (size_t)result;
    }
    return good;
}

static void test_threads_share(void **state)
{
    struct penstock_client *client = open_client(1, PATIENT "\nmaxConnections = 7", NULL);
    assert_int_equal(run_threads(client), THREADS * CALLS);
    assert_int_equal(atomic_load(&servers[0].acknowledged), THREADS * CALLS);
    assert_in_range(atomic_load(&servers[0].connections), 1, 7);
    penstock_client_close(client);

    client = open_client(SERVERS, BALANCE "\n" PATIENT, NULL);
    assert_int_equal(run_threads(client), THREADS * CALLS);
    penstock_client_close(client);
    unsigned sum = 0;
    for (unsigned i = 0; i < SERVERS; i++)
        sum += atomic_load(&servers[i].acknowledged);
    assert_int_equal(sum, 2 * THREADS * CALLS);
}

static void test_threads_fail_over(void **state)
{
    struct penstock_client *client = open_client(SERVERS, FAILOVER "\n" PATIENT, NULL);
    atomic_store(&servers[0].calls_good, 100);
    atomic_store(&servers[0].behaviour, PS_TEST_RPC_CLOSES);
    size_t good = run_threads(client);
    unsigned sum = 0;
    for (unsigned i = 0; i < SERVERS; i++)
        sum += atomic_load(&servers[i].acknowledged);
    assert_int_equal(good, sum);
    assert_int_equal(good, THREADS * CALLS);
    penstock_client_close(client);
}

static void *send_one(void *client)
{
    const struct penstock_client_event event = {NULL, 0, "x", 1};
    return (void *)(size_t)penstock_client_append(client, &event, NULL);
}

static void test_all_connections_are_in_use(void **state)
{
    struct penstock_client *client = open_client(1, "maxConnections = 1\nrequest-timeout = 1000", NULL);
    pthread_t threads[4];
    atomic_store(&servers[0].behaviour, PS_TEST_RPC_SILENT);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, send_one, client), 0);
    for (unsigned i = 0; i < 4; i++) {
        void *result;
        pthread_join(threads[i], &result);
        assert_true((size_t)result == PENSTOCK_CLIENT_BUSY || (size_t)result == PENSTOCK_CLIENT_UNCERTAIN);
    }
    atomic_store(&servers[0].behaviour, PS_TEST_RPC_OK);
    while (send_one(client) != NULL) /* a busy machine may not answer in a second */
        ;
    penstock_client_close(client);
}

static atomic_uint asks;

static int count_ask(void *argument)
{
    atomic_fetch_add(&asks, 1);
    return 0;
}

/* A thread that waits for a connection sleeps: it asks a few times a second whether it is interrupted. */
static void test_a_wait_for_a_connection_sleeps(void **state)
{
    struct penstock_client *client = open_client(1, "maxConnections = 1\nrequest-timeout = 1000", count_ask);
    pthread_t threads[4];
    atomic_store(&servers[0].behaviour, PS_TEST_RPC_SILENT);
    atomic_store(&asks, 0);
    for (unsigned i = 0; i < PS_COUNT_OF(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, send_one, client), 0);
    for (unsigned i = 0; i < PS_COUNT_OF(threads); i++)
        pthread_join(threads[i], NULL);
    assert_in_range(atomic_load(&asks), 1, 2000);
    penstock_client_close(client);
}

/* ---- the functions that open ---- */

#define HOST "hosts = a\nhosts.a = x:1\n"

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

/* As many hosts as there may be, and one more. */
static void test_the_most_hosts(void **state)
{
    static char text[16384];
    for (unsigned count = 256; count <= 257; count++) {
        struct penstock_client_error error = {.text = ""};
        size_t length = (size_t)sprintf(text, "client.type = default_failover\nhosts =");
        for (unsigned i = 0; i < count; i++)
            length += (size_t)sprintf(text + length, " h%u", i);
        for (unsigned i = 0; i < count; i++)
            length += (size_t)sprintf(text + length, "\nhosts.h%u = host%u:%u", i, i, 4000 + i);
        struct penstock_client *client = penstock_client_open_properties(text, length, NULL, &error);
        assert_true((client != NULL) == (count == 256));
        if (client != NULL)
            penstock_client_close(client);
        else
            assert_non_null(strstr(error.text, "at most 256 hosts"));
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_batches),
        TEST(test_large_events_are_cut_into_calls),
        TEST(test_what_is_no_event),
        TEST(test_refused),
        TEST(test_no_good_answer),
        TEST(test_no_answer),
        TEST(test_closed_between_calls),
        TEST(test_gone_and_back),
        TEST(test_interrupted),
        TEST(test_a_name_that_is_none),
        TEST(test_failover),
        TEST(test_failover_gives_up),
        TEST(test_balance),
        TEST(test_balance_backs_off),
        TEST(test_threads_share),
        TEST(test_threads_fail_over),
        TEST(test_all_connections_are_in_use),
        TEST(test_a_wait_for_a_connection_sleeps),
        cmocka_unit_test(test_open),
        cmocka_unit_test(test_the_most_hosts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
