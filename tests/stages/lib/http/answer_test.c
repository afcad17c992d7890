/* Answers of the HTTP server: the field Date at random times, each followed by the next second and by the same one again, and every combination of
 * fields, reason, HEAD and body. */
#include "stages/lib/http/answer.h"
#include "tests/support/support.h"

#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static time_t wall_s; /* the time of day; 0: that of the machine */

/* Replaces libc's function. */
int clock_gettime(clockid_t clock, struct timespec *time)
{
    if (wall_s == 0 || (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE))
        return (int)syscall(SYS_clock_gettime, clock, time);
    *time = (struct timespec){.tv_sec = wall_s, .tv_nsec = 999999999};
    return 0;
}

static void expect_date(struct ps_http_server *server, time_t second)
{
    const struct ps_http_answer answer = {.status = 200};
    char out[PS_HTTP_ANSWER_BYTES_MAX], wanted[128];
    struct tm date;
    gmtime_r(&second, &date);
    strftime(wanted, sizeof wanted,
             "HTTP/1.1 200 OK\r\nDate: %a, %d %b %Y %H:%M:%S GMT\r\nContent-Length: 0\r\n\r\n", &date);
    wall_s = second;
    uint32_t length = ps_http_answer_write(server, &answer, out);
    wall_s = 0;
    assert_int_equal(length, strlen(wanted));
    assert_memory_equal(out, wanted, length);
}

static void test_date(void **unused)
{
    static const time_t seconds[] = {1,          86399,      951782399,  951868799,  1709164799,
                                     1709251199, 1735689599, 1767225599, 2147483647, 4102444799};
    struct ps_http_server server = {.options = {.sends_date = true}};
    uint64_t random = ps_test_seed();
    for (unsigned i = 0; i < 2000; i++) {
        time_t second =
            i < PS_COUNT_OF(seconds) ? seconds[i] : (time_t)(1 + ps_test_random(&random) % 4102444800U);
        expect_date(&server, second);
        expect_date(&server, second);
        expect_date(&server, second + 1);
        expect_date(&server, second); /* the clock was set back */
    }
}

/* Every combination; each answer is put together once more here. */
static void test_fields(void **unused)
{
    for (unsigned drawn = 0; drawn < 256; drawn++) {
        bool own = drawn & 1, powered = drawn & 2, last = drawn & 4, head = drawn & 8, reason = drawn & 16,
             intro = drawn & 32, done = drawn & 64, refused = drawn & 128;
        struct ps_http_server server = {.options = {.sends_server = own, .sends_powered_by = powered}};
        const struct ps_http_answer answer = {.intro = intro ? "It failed: " : NULL,
                                              .reason = refused && reason ? "no room" : NULL,
                                              .status = refused ? 503 : 200,
                                              .without_body = head,
                                              .last = last};
        const char *body = !refused && done ? "{\"a\":1}" : "";
        const char *type = *body != '\0' ? "application/json" : "";
        char out[PS_HTTP_ANSWER_BYTES_MAX + 1], wanted[PS_HTTP_ANSWER_BYTES_MAX];
        if (done) {
            server.options.done_type = "application/json";
            server.options.done_body = "{\"a\":1}";
            server.options.done_length = 7;
        }
        if (answer.reason != NULL) {
            body = intro ? "It failed: no room\n" : "no room\n";
            type = "text/plain;charset=utf-8";
        }
        snprintf(wanted, sizeof wanted, "HTTP/1.1 %s\r\n%s%s%s%s%s%sContent-Length: %zu\r\n\r\n%s",
                 refused ? "503 Service Unavailable" : "200 OK", own ? "Server: penstock\r\n" : "",
                 powered ? "X-Powered-By: penstock\r\n" : "", last ? "Connection: close\r\n" : "",
                 *type != '\0' ? "Content-Type: " : "", type, *type != '\0' ? "\r\n" : "", strlen(body),
                 head ? "" : body);
        out[ps_http_answer_write(&server, &answer, out)] = '\0';
        assert_string_equal(out, wanted);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_date), cmocka_unit_test(test_fields)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
