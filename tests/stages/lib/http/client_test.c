/* The HTTP client's orders: methods, bodies, whole answers, redirects, headers. The requests of sinks are in
 * the tests of the sinks. */
#include "stages/lib/http/client.h"

#include "core/clock.h"
#include "core/option.h"
#include "tests/support/support.h"
#include "tests/support/webhdfs_peer.h"

#include <poll.h>
#include <stdio.h>
#include <sys/resource.h>

static struct ps_test_webhdfs server;
static struct ps_http_client client;
static struct ps_http_request request;

static int set_up(void **state)
{
    static const struct ps_http_settings settings = {
        .url = "", .timeout_ns = PS_TEST_PATIENCE_MS * PS_NS_PER_MS, .verify = true};
    struct ps_err err = {.length = 0};
    server = (struct ps_test_webhdfs){.datanode = &server};
    ps_test_webhdfs_start(&server);
    assert_int_equal(ps_http_client_open(&client, 2, &err), PS_OK);
    assert_true(ps_http_request_open(&request, &settings));
    return 0;
}

static int tear_down(void **state)
{
    ps_http_request_close(&request, &client);
    ps_http_client_close(&client);
    ps_test_webhdfs_stop(&server);
    return 0;
}

/* Sends the order to a target of the server, and waits for its end. */
static void order(const char *method, const char *target, const char *body, size_t answer_max)
{
    char url[128];
    snprintf(url, sizeof url, "http://127.0.0.1:%u%s", server.peer.port, target);
    const struct ps_http_order one = {.method = method,
                                      .url = url,
                                      .body = body,
                                      .length = body != NULL ? strlen(body) : 0,
                                      .answer_max = answer_max};
    uint64_t now_ns = ps_clock_now().mono_ns, until_ns = ps_test_patience_end_ns();
    ps_http_request_order(&request, &client, &one, now_ns);
    for (; ps_test_patient_ns() < until_ns; now_ns = ps_clock_now().mono_ns) {
        struct pollfd ready = {.fd = client.poll_fd, .events = POLLIN};
        ps_http_client_work(&client, now_ns);
        if (ps_http_client_next(&client) != NULL)
            return;
        (void)poll(&ready, 1, 10);
    }
    fail_msg("no end");
}

static void test_methods(void **unused)
{
    ps_test_webhdfs_play(&server, PS_WORDS("200 one", "201", "204", "200 two", "404 none"));
    order("GET", "/a", NULL, 10);
    assert_int_equal(request.status, 200);
    assert_string_equal(request.body, "one");
    order("PUT", "/b", "bytes", 10);
    assert_int_equal(request.status, 201);
    assert_int_equal(request.body_length, 0);
    order("DELETE", "/c", NULL, 10);
    order("POST", "/d", NULL, 10);
    assert_int_equal(request.body_length, 3);
    order("GET", "/e", NULL, 10);
    assert_int_equal(request.status, 404);
    assert_string_equal(request.body, "none");
    ps_test_webhdfs_expect(&server, "GET /a \nPUT /b bytes\nDELETE /c \nPOST /d \nGET /e \n");
}

static void test_answers(void **unused)
{
    ps_test_webhdfs_play(&server, PS_WORDS("200 four", "200 four", "cut 200", "cut", "307"));
    order("GET", "/a", NULL, 4);
    assert_false(request.too_long);
    order("GET", "/a", NULL, 3);
    assert_true(request.too_long);
    assert_false(request.cut);
    order("GET", "/a", NULL, 10);
    assert_int_equal(request.status, 200);
    assert_true(request.cut);
    order("GET", "/a", NULL, 10);
    assert_int_equal(request.status, 0);
    assert_non_null(request.failure);
    order("GET", "/a", NULL, 10);
    char location[128];
    snprintf(location, sizeof location, "http://127.0.0.1:%u/a&datanode=1", server.peer.port);
    assert_string_equal(ps_http_request_redirect(&request), location);
    assert_string_equal(ps_http_request_header(&request, "location", 0), location);
    assert_null(ps_http_request_header(&request, "location", 1));
    assert_null(ps_http_request_header(&request, "other", 0));
}

/* The reason of an answer is its first line, if it has one: what the last answer left behind it is not said. */
static void test_reasons(void **unused)
{
    static const struct {
        const char *answer;
        size_t length;
        const char *reason;
    } rows[] = {
        {"stale", 0, "HTTP 503"},
        {"", 0, "HTTP 503"},
        {"\nstale", 1, "HTTP 503"},
        {"\r\nstale", 7, "HTTP 503"},
        {"a", 1, "HTTP 503: a"},
        {" ", 1, "HTTP 503:  "},
        {"abstale", 2, "HTTP 503: ab"},
        {"one\ntwo", 7, "HTTP 503: one"},
        {"one\r\ntwo", 8, "HTTP 503: one"},
        {"one\ttwo", 7, "HTTP 503: one"},
        {"one two", 7, "HTTP 503: one two"},
    };
    char reason[128], full[PS_HTTP_ANSWER_BYTES + 16];
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        struct ps_http_request asked = {.status = 503, .answer_length = rows[i].length};
        memcpy(asked.answer, rows[i].answer, strlen(rows[i].answer));
        ps_http_request_reason(&asked, reason, sizeof reason);
        assert_string_equal(reason, rows[i].reason);
    }
    struct ps_http_request asked = {.status = 400, .answer_length = PS_HTTP_ANSWER_BYTES};
    memset(asked.answer, 'x', sizeof asked.answer); /* all of its room, without an end */
    ps_http_request_reason(&asked, reason, sizeof reason);
    snprintf(full, sizeof full, "HTTP 400: %.*s", (int)sizeof asked.answer, asked.answer);
    assert_string_equal(reason, full);
}

/* A client without descriptors is not opened, and leaves nothing open; with them it opens. */
static void test_no_descriptors(void **unused)
{
    struct ps_http_client own;
    struct ps_err err = {.length = 0};
    struct rlimit before, none;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    enum ps_status status = ps_http_client_open(&own, 2, &err);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(status, PS_FAIL);
    assert_string_equal(err.text, "cannot create an HTTP client: not enough memory or file descriptors");
    assert_int_equal(ps_http_client_open(&own, 2, &err), PS_OK);
    ps_http_client_close(&own);
}

/* A URL in a message has no user name and no password, and the server that is meant. */
static void test_printed_urls(void **unused)
{
    static const char *const rows[][2] = {
        {"http://h/x", "http://h/x"},
        {"http://u:p@h:80/x", "http://h:80/x"},
        {"https://u@h", "https://h"},
        {"http://u:p@q@h/x", "http://h/x"},
        {"http://u:@h?a=b@c", "http://h?a=b@c"},
        {"http://h/a@b", "http://h/a@b"},
        {"http://h?a=b@c", "http://h?a=b@c"},
        {"http://h#a@b", "http://h#a@b"},
        {"http://u:p@h/a@b", "http://h/a@b"},
        {"http://u@[::1]:80/", "http://[::1]:80/"},
    };
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        char text[64], little[9];
        ps_http_print_url(rows[i][0], text, sizeof text);
        assert_string_equal(text, rows[i][1]);
        ps_http_print_url(rows[i][0], little, sizeof little);
        assert_int_equal(strncmp(little, rows[i][1], sizeof little - 1), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_methods, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_answers, set_up, tear_down),
        cmocka_unit_test(test_reasons),
        cmocka_unit_test(test_no_descriptors),
        cmocka_unit_test(test_printed_urls),
    };
    static const char *const proxies[] = {"http_proxy", "https_proxy", "all_proxy", "HTTPS_PROXY",
                                          "ALL_PROXY"};
    for (size_t i = 0; i < PS_COUNT_OF(proxies);
         i++) /* the client must not use these proxies: nobody listens there */
        setenv(proxies[i], "http://127.0.0.1:9", 1);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    curl_global_cleanup();
    return failures;
}
