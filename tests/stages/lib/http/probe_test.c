/* The verdicts of `check --probe` on an HTTP server: it accepts, refuses, does not answer in time, or is not asked. */
#include "stages/lib/http/probe.h"

#include "core/clock.h"
#include "tests/support/probed.h"
#include "tests/support/support.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Returns a socket bound to a port that the kernel chose. If it listens, the kernel accepts connections, but nothing
 * answers. */
static int bound(bool listens, unsigned *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listens ? listen(fd, 8) : 0, 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    *port = ntohs(address.sin_port);
    return fd;
}

static void test_outcomes(void **state)
{
    static const struct {
        const char *scheme;
        bool listens, local;
        uint64_t timeout_ms;
        enum ps_probed result;
        const char *what, *cause;
    } rows[] = {
        {"http", true, false, PS_TEST_PATIENCE_MS, PS_PROBED_OK, "server of there: accepts connections", ""},
        {"http", false, false, PS_TEST_PATIENCE_MS, PS_PROBED_FAILED, "server of there", "onnect"},
        {"https", true, false, 50, PS_PROBED_FAILED, "server of there",
         "no answer in time"}, /* it never agrees on keys */
        {"http", true, true, PS_TEST_PATIENCE_MS, PS_PROBED_SKIPPED, "server of there", "not asked"},
        {"http", false, true, PS_TEST_PATIENCE_MS, PS_PROBED_SKIPPED, "server of there", "not asked"},
        {"http", true, false, 0, PS_PROBED_SKIPPED, "server of there", "no time is left to ask it"},
        {"http", true, false, PS_TEST_PATIENCE_MS, PS_PROBED_OK, "server of there: accepts connections",
         ""}, /* as the first time */
    };
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        unsigned port;
        char url[64];
        struct ps_test_probed heard = {.count = 0};
        int fd = bound(rows[i].listens, &port);
        snprintf(url, sizeof url, "%s://127.0.0.1:%u/", rows[i].scheme, port);
        const struct ps_http_settings settings = {
            .url = url, .timeout_ns = PS_TEST_PATIENCE_MS * PS_NS_PER_MS, .verify = true};
        const struct ps_probe probe = {.component = "sink k1",
                                       .timeout_ms = rows[i].timeout_ms,
                                       .local = rows[i].local,
                                       .tried = ps_test_probed_note,
                                       .argument = &heard};
        ps_http_probe(&probe, &settings, "there");
        close(fd);
        if (heard.count != 1 || heard.result != rows[i].result || strcmp(heard.what, rows[i].what) != 0 ||
            strstr(heard.cause, rows[i].cause) == NULL)
            fail_msg("row %zu: %u of them, %u, `%s`, `%s`", i, heard.count, heard.result, heard.what,
                     heard.cause);
        assert_int_equal(heard.cure[0] != '\0', rows[i].result == PS_PROBED_FAILED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_outcomes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
