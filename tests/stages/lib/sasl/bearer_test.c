/* OAUTHBEARER: the client's message and the server's refusal (RFC 7628); tokens without a signature, and those of an
 * endpoint that answers correctly, wrongly, late or not at all (RFC 6749). */
#include "stages/lib/sasl/bearer.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/text/base64.h"
#include "tests/support/kafka/listener.h"
#include "tests/support/support.h"

/* ---- the mechanism ---- */

/* The example of RFC 7628, 4.1, without its authorization identity and keys. */
static void test_message(void **state)
{
    static const char expected[] = "n,,\x01"
                                   "auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\x01\x01";
    struct ps_sasl_token reply;
    struct ps_sasl *sasl = ps_bearer_open("vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==");
    assert_int_equal(ps_sasl_step(sasl, "", 0, &reply), PS_SASL_MORE);
    assert_int_equal(reply.length, sizeof expected - 1);
    assert_memory_equal(reply.bytes, expected, reply.length);
    ps_sasl_token_free(&reply);
    assert_int_equal(ps_sasl_step(sasl, "", 0, &reply), PS_SASL_DONE);
    assert_int_equal(reply.length, 0);
    assert_int_equal(ps_sasl_step(sasl, "", 0, &reply), PS_SASL_FAILED); /* it was the last message */
    ps_sasl_close(sasl);
}

static void test_refusal(void **state)
{
    static const char why[] = "{\"status\":\"invalid_token\"}";
    struct ps_sasl_token reply;
    struct ps_sasl *sasl = ps_bearer_open("token");
    assert_int_equal(ps_sasl_step(sasl, "", 0, &reply), PS_SASL_MORE);
    ps_sasl_token_free(&reply);
    assert_int_equal(ps_sasl_step(sasl, why, sizeof why - 1, &reply), PS_SASL_FAILED);
    assert_string_equal(sasl->reason, why);
    assert_int_equal(ps_sasl_step(sasl, "", 0, &reply), PS_SASL_FAILED);
    ps_sasl_close(sasl);
}

/* ---- unsecured tokens ---- */

/* Decodes the part of a token that begins at `from`. */
static void decode(const char *from, size_t length, char *to)
{
    char text[1024];
    size_t decoded;
    for (size_t i = 0; i < length; i++)
        text[i] = from[i] == '-' ? '+' : from[i] == '_' ? '/' : from[i];
    assert_true(ps_base64_decode(text, length, to, &decoded));
    to[decoded] = '\0';
}

static void test_unsecured(void **state)
{
    struct ps_err err = {0};
    char reason[PS_SASL_REASON_BYTES], head[1024], claims[1024];
    bool later;
    long long from_s, to_s;
    const struct ps_token_settings settings = {.subject = "pen\u00e4stock", .wake_fd = -1};
    struct ps_token_source *source = ps_token_source_create(&settings, &err);
    const char *token = ps_token_source_take(source, PS_NS_PER_S, &later, reason);
    const char *first = strchr(token, '.'), *second = strchr(first + 1, '.');
    assert_int_equal(second[1], '\0'); /* no signature */
    assert_null(strpbrk(token, "=+/"));
    decode(token, (size_t)(first - token), head);
    decode(first + 1, (size_t)(second - first - 1), claims);
    assert_string_equal(head, "{\"alg\":\"none\"}");
    assert_int_equal(sscanf(claims, "{\"sub\":\"pen\u00e4stock\",\"iat\":%lld,\"exp\":%lld}", &from_s, &to_s),
                     2);
    assert_int_equal(to_s - from_s, 3600);
    assert_ptr_equal(ps_token_source_take(source, 2880 * PS_NS_PER_S, &later, reason), token);
    assert_non_null(
        ps_token_source_take(source, 2882 * PS_NS_PER_S, &later, reason)); /* after 80 % of its life a new
                                                                            * token */
    ps_token_source_destroy(source);
    const struct ps_token_settings bad = {.subject = "a\"b", .wake_fd = -1};
    assert_null(ps_token_source_create(&bad, &err));
}

/* The longest subject is in the token unchanged. One byte more, or a character that would have to be escaped, is
 * refused. */
static void test_subjects(void **state)
{
    enum { MOST = 512 };
    char subject[MOST + 2], claims[1024], wanted[MOST + 16], reason[PS_SASL_REASON_BYTES];
    for (size_t length = MOST - 1; length <= MOST + 1; length++) {
        struct ps_err err = {0};
        bool later;
        memset(subject, 's', length);
        subject[length] = '\0';
        const struct ps_token_settings settings = {.subject = subject, .wake_fd = -1};
        struct ps_token_source *source = ps_token_source_create(&settings, &err);
        assert_int_equal(source != NULL, length <= MOST);
        assert_int_equal(err.text[0] != '\0', length > MOST);
        if (source == NULL)
            continue;
        const char *first = strchr(ps_token_source_take(source, PS_NS_PER_S, &later, reason), '.');
        decode(first + 1, (size_t)(strchr(first + 1, '.') - first - 1), claims);
        snprintf(wanted, sizeof wanted, "{\"sub\":\"%s\",", subject);
        assert_memory_equal(claims, wanted, strlen(wanted));
        ps_token_source_destroy(source);
    }
    static const char *const bad[] = {"\"", "a\"", "\\", "a\\b"};
    for (size_t i = 0; i < PS_COUNT_OF(bad); i++) {
        struct ps_err err = {0};
        const struct ps_token_settings settings = {.subject = bad[i], .wake_fd = -1};
        assert_null(ps_token_source_create(&settings, &err));
        assert_non_null(strstr(err.text, "512"));
    }
}

/* ---- an endpoint ---- */

struct endpoint {
    int listener;
    unsigned port;
    const char *answer; /* NULL: it closes the connection */
    char asked[4096];
    pthread_t thread;
};

static void *serve_one(void *endpoint_)
{
    struct endpoint *endpoint = endpoint_;
    size_t length = 0;
    int fd = accept(endpoint->listener, NULL, NULL);
    while (fd >= 0 && strstr(endpoint->asked, "client_credentials") == NULL) {
        ssize_t got = recv(fd, endpoint->asked + length, sizeof endpoint->asked - 1 - length, 0);
        if (got <= 0)
            break;
        length += (size_t)got;
        endpoint->asked[length] = '\0';
    }
    if (endpoint->answer != NULL)
        (void)send(fd, endpoint->answer, strlen(endpoint->answer), MSG_NOSIGNAL);
    close(fd);
    return NULL;
}

static void serve(struct endpoint *endpoint, const char *answer)
{
    endpoint->answer = answer;
    endpoint->asked[0] = '\0';
    assert_int_equal(pthread_create(&endpoint->thread, NULL, serve_one, endpoint), 0);
}

/* Returns the token, or NULL with `reason`, when the endpoint has answered. */
static const char *await(struct ps_token_source *source, uint64_t now_ns, char *reason)
{
    uint64_t until_ns = ps_test_patience_end_ns();
    bool later = true;
    const char *token = NULL;
    while (token == NULL && later) {
        if (ps_test_patient_ns() > until_ns)
            fail_msg("the endpoint is not asked");
        token = ps_token_source_take(source, now_ns, &later, reason);
        usleep(1000);
    }
    return token;
}

static struct ps_token_source *source_of(const struct endpoint *endpoint)
{
    char url[64];
    struct ps_err err = {0};
    snprintf(url, sizeof url, "http://127.0.0.1:%u/token", endpoint->port);
    const struct ps_token_settings settings = {.endpoint = url,
                                               .client_id = "agent",
                                               .client_secret = "sec:ret",
                                               .scope = "kafka write",
                                               .wake_fd = -1};
    struct ps_token_source *source = ps_token_source_create(&settings, &err);
    if (source == NULL)
        fail_msg("%s", err.text);
    return source;
}

static struct endpoint endpoint_open(void)
{
    struct endpoint endpoint = {.answer = NULL};
    endpoint.listener = ps_test_listen(&endpoint.port);
    int flags = fcntl(endpoint.listener, F_GETFL);
    assert_int_equal(fcntl(endpoint.listener, F_SETFL, flags & ~O_NONBLOCK), 0);
    return endpoint;
}

#define ANSWER(status, body) "HTTP/1.1 " status "\r\nConnection: close\r\n\r\n" body

/* A token is used for 80 % of its life; a new one is requested while the old one is still good. */
static void test_endpoint(void **state)
{
    struct endpoint endpoint = endpoint_open();
    char reason[PS_SASL_REASON_BYTES];
    bool later;
    struct ps_token_source *source = source_of(&endpoint);
    serve(&endpoint,
          ANSWER("200 OK", "{\"access_token\":\"first\",\"token_type\":\"bearer\",\"expires_in\":100}"));
    assert_string_equal(await(source, PS_NS_PER_S, reason), "first");
    pthread_join(endpoint.thread, NULL);
    assert_non_null(strstr(endpoint.asked, "POST /token "));
    assert_non_null(strstr(endpoint.asked, "Authorization: Basic YWdlbnQ6c2VjOnJldA=="));
    assert_non_null(strstr(endpoint.asked, "grant_type=client_credentials&scope=kafka%20write"));
    assert_string_equal(ps_token_source_take(source, 80 * PS_NS_PER_S, &later, reason), "first");
    serve(&endpoint, ANSWER("200 OK", "{\"access_token\":\"second\"}"));
    uint64_t until_ns = ps_test_patience_end_ns();
    const char *token = "first";
    while (strcmp(token, "first") == 0) {
        assert_true(ps_test_patient_ns() < until_ns);
        token = ps_token_source_take(source, 82 * PS_NS_PER_S, &later, reason);
        assert_non_null(token);
        assert_false(later);
        usleep(1000);
    }
    assert_string_equal(token, "second");
    pthread_join(endpoint.thread, NULL);
    ps_token_source_destroy(source);
    close(endpoint.listener);
}

/* A token that came while the old one was still good, and has expired before it was taken, is not used. */
static void test_late_answer(void **state)
{
    struct endpoint endpoint = endpoint_open();
    char reason[PS_SASL_REASON_BYTES];
    bool later;
    struct ps_token_source *source = source_of(&endpoint);
    serve(&endpoint, ANSWER("200 OK", "{\"access_token\":\"first\",\"expires_in\":100}"));
    assert_string_equal(await(source, PS_NS_PER_S, reason), "first");
    pthread_join(endpoint.thread, NULL);
    serve(&endpoint, ANSWER("200 OK", "{\"access_token\":\"late\",\"expires_in\":100}"));
    assert_string_equal(ps_token_source_take(source, 82 * PS_NS_PER_S, &later, reason), "first");
    pthread_join(endpoint.thread, NULL);
    serve(&endpoint, ANSWER("200 OK", "{\"access_token\":\"new\",\"expires_in\":100}"));
    assert_string_equal(await(source, 1000 * PS_NS_PER_S, reason), "new");
    pthread_join(endpoint.thread, NULL);
    ps_token_source_destroy(source);
    close(endpoint.listener);
}

/* A token that a server refuses is given up, but not one that is younger than 10 s. */
static void test_refused(void **state)
{
    struct endpoint endpoint = endpoint_open();
    char reason[PS_SASL_REASON_BYTES];
    bool later;
    struct ps_token_source *source = source_of(&endpoint);
    ps_token_source_refused(source, PS_NS_PER_S); /* there is none yet */
    serve(&endpoint, ANSWER("200 OK", "{\"access_token\":\"first\",\"expires_in\":3600}"));
    assert_string_equal(await(source, PS_NS_PER_S, reason), "first");
    pthread_join(endpoint.thread, NULL);
    ps_token_source_refused(source, 11 * PS_NS_PER_S - 1);
    assert_string_equal(ps_token_source_take(source, 11 * PS_NS_PER_S, &later, reason), "first");
    ps_token_source_refused(source, 11 * PS_NS_PER_S);
    serve(&endpoint, ANSWER("200 OK", "{\"access_token\":\"second\",\"expires_in\":3600}"));
    assert_string_equal(await(source, 12 * PS_NS_PER_S, reason), "second");
    pthread_join(endpoint.thread, NULL);
    ps_token_source_destroy(source);
    close(endpoint.listener);
}

/* Each failure is reported once, with the endpoint's words, and the next call sends a new request. */
static void test_endpoint_fails(void **state)
{
    static const struct {
        const char *answer, *reason;
    } cases[] = {
        {ANSWER("401 Unauthorized", "{\"error\":\"invalid_client\",\"error_description\":\"who?\"}"),
         "401 invalid_client: who?"},
        {ANSWER("200 OK", "{\"token\":\"x\"}"), "and no token"},
        {ANSWER("200 OK", "not JSON"), "and no token"},
        {ANSWER("500 Oops", "{\"access_token\":\"x\"}"), "500"},
        {NULL, "the token endpoint cannot be asked"},
    };
    struct endpoint endpoint = endpoint_open();
    char reason[PS_SASL_REASON_BYTES];
    struct ps_token_source *source = source_of(&endpoint);
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        serve(&endpoint, cases[i].answer);
        assert_null(await(source, PS_NS_PER_S, reason));
        pthread_join(endpoint.thread, NULL);
        if (strstr(reason, cases[i].reason) == NULL)
            fail_msg("%s: %s", cases[i].reason, reason);
    }
    serve(&endpoint, ANSWER("200 OK", "{\"access_token\":\"good\"}"));
    assert_string_equal(await(source, PS_NS_PER_S, reason), "good");
    pthread_join(endpoint.thread, NULL);
    ps_token_source_destroy(source);
    close(endpoint.listener);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_message),     cmocka_unit_test(test_refusal),
        cmocka_unit_test(test_unsecured),   cmocka_unit_test(test_subjects),
        cmocka_unit_test(test_endpoint),    cmocka_unit_test(test_endpoint_fails),
        cmocka_unit_test(test_late_answer), cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
