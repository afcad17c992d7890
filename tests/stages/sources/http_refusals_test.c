/* Source http: requests that are refused, and what they leave. */
#include "stages/lib/http/server.h"
#include "tests/support/http_ask.h"
#include "tests/support/net.h"
#include "tests/support/source_tree.h"

#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define LOCAL "bind", "127.0.0.1", "port", "0"
#define REFUSALS 60U /* more than an open batch would have room for if each left 4 KiB */

/* Returns an array of as many events as a batch holds. The caller frees it. */
static char *make_array(size_t *length)
{
    static const char event[] = "{\"headers\":{\"n\":\"v\"},\"body\":\"x\"},";
    char *array = malloc(PS_BATCH_EVENTS_MAX * (sizeof event - 1) + 2), *at = array;
    assert_non_null(array);
    *at++ = '[';
    for (uint32_t i = 0; i < PS_BATCH_EVENTS_MAX; i++, at += sizeof event - 1)
        memcpy(at, event, sizeof event - 1);
    at[-1] = ']';
    *length = (size_t)(at - array);
    return array;
}

/* Refused requests of each kind leave the open batch as it was, so that the largest transaction still fits. */
static void test_refusals_leave_nothing(void **unused)
{
    static char filler[1000];
    memset(filler, 'f', sizeof filler - 1);
    char not_utf8[1200], truncated[1200], parameters[1400];
    snprintf(not_utf8, sizeof not_utf8, "[{\"body\":\"\xFF%s\"}", filler);
    snprintf(truncated, sizeof truncated, "[{\"headers\":{\"name\":\"%s\"},\"body\":\"x\"},{}", filler);
    snprintf(parameters, sizeof parameters, "/?a=%.200s&b=%%", filler);
    const struct {
        const char *handler, *target, *fields, *body;
        unsigned status;
    } cases[] = {
        {"JSON", "/", "", not_utf8, 400},
        {"JSON", "/", "", truncated, 400},
        {"JSON", "/", "Content-Type: application/json; charset=UTF-16\r\n", truncated, 400},
        {"JSON", "/", "Content-Type: application/json; charset=UTF-32\r\n", truncated, 400},
        {"BLOB", "/?a=1&c=3", "", "x", 500}, /* without the mandatory b */
        {"BLOB", parameters, "", "x", 400},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct ps_test_stage stage;
        bool json = strcmp(cases[i].handler, "JSON") == 0;
        ps_test_stage_start(&stage, &ps_source_http,
                            json ? PS_KEYS(LOCAL)
                                 : PS_KEYS(LOCAL, "handler", "BLOB", "handler.mandatoryParameters", "a,b"));
        int fd = ps_test_connect("127.0.0.1", ps_test_tcp_port(&stage, 0));
        ps_test_source_read(&stage);
        uint32_t up = stage.bump.meta_up, down = stage.bump.meta_down;
        const struct ps_block *meta = stage.bump.meta;
        for (uint32_t k = 0; k < REFUSALS; k++) {
            unsigned status = ps_test_http_post(&stage, fd, cases[i].target, cases[i].fields, cases[i].body,
                                                strlen(cases[i].body));
            if (status != cases[i].status)
                fail_msg("%.40s: %u", cases[i].body, status);
        }
        assert_true(stage.bump.meta == meta && stage.bump.meta_up == up && stage.bump.meta_down == down);
        if (json) {
            size_t length;
            char *array = make_array(&length);
            assert_int_equal(ps_test_http_post(&stage, fd, "/", "", array, length), 200);
            assert_int_equal(stage.event_count, PS_BATCH_EVENTS_MAX);
            free(array);
        }
        close(fd);
        ps_test_stage_fini(&stage);
    }
}

/* An exception that BLOBHandler itself throws is unexpected for Flume's source, and its answer says so; other refusals do not. */
static void test_texts_of_refusals(void **unused)
{
    static const struct {
        const char *target, *text;
        bool unexpected;
    } cases[] = {
        {"/?a=1", "Please specify every mandatory parameter in the request.", true},
        {"/?a=%zz&b=2", "", false},
        {"/", "Please specify every mandatory parameter in the request.", true},
    };
    struct ps_test_stage stage;
    ps_test_stage_start(&stage, &ps_source_http,
                        PS_KEYS(LOCAL, "handler", "BLOB", "handler.mandatoryParameters", "a,b"));
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        char request[256];
        bool closed;
        int fd = ps_test_connect("127.0.0.1", ps_test_tcp_port(&stage, 0));
        snprintf(request, sizeof request,
                 "POST %s HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx",
                 cases[i].target);
        ps_test_send_text(fd, request);
        const char *answer = ps_test_receive(&stage, fd, 1 << 20, PS_TEST_PATIENCE_MS, &closed);
        assert_true(closed);
        if (strstr(answer, cases[i].text) == NULL ||
            (strstr(answer, PS_HTTP_UNEXPECTED) != NULL) != cases[i].unexpected)
            fail_msg("%s: %s", cases[i].target, answer);
        close(fd);
    }
    ps_test_stage_fini(&stage);
}

/* Replaces the escapes of a request of the table in place. Returns its length. */
static size_t unescape(char *text)
{
    static const char letters[] = "rnt\\", bytes[] = "\r\n\t\\";
    char *out = text;
    for (const char *at = text; *at != '\0'; at++) {
        if (*at != '\\') {
            *out++ = *at;
        } else if (*++at == 'x') {
            *out++ = (char)strtoul((char[]){at[1], at[2], '\0'}, NULL, 16);
            at += 2;
        } else {
            const char *letter = strchr(letters, *at);
            assert_true(letter != NULL && *letter != '\0');
            *out++ = bytes[letter - letters];
        }
    }
    return (size_t)(out - text);
}

/* A table of malformed requests and similar good ones: the answer to each, sent whole and in pieces of one byte.
 * tests/real/flume_oracle_http_test.sh sends the same to a Flume. */
static void test_malformed_requests(void **unused)
{
    char line[512];
    unsigned count = 0;
    FILE *file = fopen(ps_test_source_path("tests/stages/data/http_requests.txt"), "r");
    assert_non_null(file);
    struct ps_test_stage stage;
    ps_test_stage_start(&stage, &ps_source_http, PS_KEYS(LOCAL));
    while (fgets(line, sizeof line, file) != NULL) {
        char *status, *what, *request, *rest = line;
        line[strcspn(line, "\n")] = '\0';
        if (line[0] == '#')
            continue;
        (void)strsep(&rest, "|"); /* the column of Flume */
        status = strsep(&rest, "|");
        what = strsep(&rest, "|");
        assert_non_null(request = rest);
        size_t length = unescape(request);
        for (int pieces = 0; pieces < 2; pieces++) {
            int fd = ps_test_connect("127.0.0.1", ps_test_tcp_port(&stage, 0));
            size_t sent = 0;
            for (; pieces > 0 && sent + 1 < length; sent++) {
                char byte;
                if (recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0)
                    break; /* answered already */
                ps_test_send(fd, request + sent, 1);
                ps_test_source_read(&stage);
            }
            unsigned answered = ps_test_http_ask(&stage, fd, request + sent,
                                                 pieces > 0 && sent + 1 < length ? 0 : length - sent);
            if (answered != strtoul(status, NULL, 10))
                fail_msg("%s%s: %u, not %s", what, pieces > 0 ? ", in pieces" : "", answered, status);
            close(fd);
        }
        count++;
    }
    assert_true(count > 80);
    assert_int_equal(stage.event_count, 0);
    fclose(file);
    ps_test_stage_fini(&stage);
}

/* Jetty's numeric and boolean keys: the limit of each is accepted; a value just beyond it, or a text that only
 * resembles a value, is refused. */
static void test_limits_of_keys(void **unused)
{
    static const struct {
        const char *key, *value;
        bool good;
    } rows[] = {
        {"HttpConfiguration.requestHeaderSize", "0", false},
        {"HttpConfiguration.requestHeaderSize", "1", true},
        {"HttpConfiguration.requestHeaderSize", "256", true},
        {"HttpConfiguration.requestHeaderSize", "65536", true},
        {"HttpConfiguration.requestHeaderSize", "131072", true},
        {"HttpConfiguration.requestHeaderSize", "2147483648", false},
        {"HttpConfiguration.requestHeaderSize", "300k", false},
        {"HttpConfiguration.requestHeaderSize", "", false},
        {"HttpConfiguration.requestHeaderSize", "-300", false},
        {"HttpConfiguration.requestHeaderSize", "18446744073709551916", false}, /* 300 modulo 2^64 */
        {"ServerConnector.idleTimeout", "2147483647", true},
        {"ServerConnector.idleTimeout", "2147483648", false},
        {"ServerConnector.idleTimeout", "-2147483648", true},
        {"ServerConnector.idleTimeout", "-2147483649", false},
        {"ServerConnector.idleTimeout", "1.5", false},
        {"SslContextFactory.needClientAuth", "TRUE", false},
        {"SslContextFactory.needClientAuth", "truer", true}, /* Java's Boolean: false */
    };
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        struct ps_test_stage stage;
        ps_test_stage_init(&stage, &ps_source_http);
        enum ps_status status = ps_test_stage_bind(&stage, PS_KEYS(LOCAL, rows[i].key, rows[i].value));
        if (status != (rows[i].good ? PS_OK : PS_FAIL) ||
            ps_test_stage_reported(&stage, PS_LOG_ERROR, rows[i].key) == rows[i].good)
            fail_msg("%s = %s is %s", rows[i].key, rows[i].value, status == PS_OK ? "taken" : "refused");
        ps_test_stage_fini(&stage);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refusals_leave_nothing), cmocka_unit_test(test_texts_of_refusals),
        cmocka_unit_test(test_malformed_requests), cmocka_unit_test(test_limits_of_keys)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
