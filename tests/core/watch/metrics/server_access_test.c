/* Access to the metrics server: addresses, Host headers, tokens, methods, and several clients that view live
 * events. */
#include "core/flow/bump.h"
#include "core/watch/metrics/server.h"
#include "tests/support/support.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

static struct ps_tap *tap;
static struct ps_mark looking; /* readers of the tap */

static void visit(void *argument, const struct ps_metrics_visitor *visitor)
{
    visitor->process(visitor->argument, &(struct ps_metrics_process){.agent = "a1", .start_ms = 1});
}

/* One tap that has two names, as the only sink of a channel. */
static unsigned taps(void *argument, const char *name, void (*look)(void *argument, struct ps_tap *tap),
                     void *look_argument)
{
    if (strcmp(name, "c1") != 0 && strcmp(name, "k1") != 0)
        return 0;
    look(look_argument, tap);
    ps_mark_move(&looking, (uint64_t)__builtin_popcount(tap->lookers));
    return 1;
}

static const struct ps_metrics_source provider = {.visit = visit, .taps = taps};

static struct ps_metrics_server *start(struct ps_metrics_server_settings settings)
{
    struct ps_err err;
    struct ps_metrics_server *server = ps_metrics_server_start(&settings, &provider, &err);
    if (server == NULL)
        fail_msg("%s", err.text);
    return server;
}

static int setup(void **state)
{
    tap = ps_tap_create();
    return tap == NULL;
}

static int teardown(void **state)
{
    ps_tap_destroy(tap);
    return 0;
}

/* ---- a client ---- */

static char reply[65536];

static int client(struct ps_metrics_server *server, struct in_addr to)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(ps_metrics_server_port(server)), .sin_addr = to};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static void ask(int fd, const char *method, const char *path, const char *headers)
{
    char text[2048];
    int length =
        snprintf(text, sizeof text, "%s %s HTTP/1.1\r\n%sConnection: close\r\n\r\n", method, path, headers);
    assert_int_equal(send(fd, text, (size_t)length, MSG_NOSIGNAL), length);
}

/* Reads the answer to `reply` and closes; returns its status. */
static int answer(int fd)
{
    size_t length = 0;
    ssize_t got;
    int status;
    while ((got = recv(fd, reply + length, sizeof reply - 1 - length, 0)) > 0)
        length += (size_t)got;
    reply[length] = '\0';
    close(fd);
    assert_int_equal(sscanf(reply, "HTTP/1.1 %d", &status), 1);
    return status;
}

static int request_at(struct ps_metrics_server *server, struct in_addr to, const char *method,
                      const char *path, const char *headers)
{
    int fd = client(server, to);
    ask(fd, method, path, headers);
    return answer(fd);
}

static int request(struct ps_metrics_server *server, const char *method, const char *path,
                   const char *headers)
{
    return request_at(server, (struct in_addr){htonl(INADDR_LOOPBACK)}, method, path, headers);
}

#define LOCAL "Host: localhost\r\n"
#define LOOK "/tail?component=c1&wait=0"

/* ---- the rules alone ---- */

static struct sockaddr_storage peer(const char *text)
{
    struct sockaddr_storage address = {0};
    struct sockaddr_in *four = (struct sockaddr_in *)&address;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)&address;
    if (inet_pton(AF_INET, text, &four->sin_addr) == 1)
        address.ss_family = AF_INET;
    else if (inet_pton(AF_INET6, text, &six->sin6_addr) == 1)
        address.ss_family = AF_INET6;
    return address;
}

static void test_local_peers(void **state)
{
    static const char *const local[] = {"127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"};
    static const char *const foreign[] = {"10.0.0.1", "128.0.0.1",      "::",     "::2",
                                          "fe80::1",  "::ffff:1.2.3.4", "0.0.0.0"};
    for (size_t i = 0; i < PS_COUNT_OF(local); i++) {
        struct sockaddr_storage address = peer(local[i]);
        assert_true(ps_metrics_peer_is_local((struct sockaddr *)&address));
    }
    for (size_t i = 0; i < PS_COUNT_OF(foreign); i++) {
        struct sockaddr_storage address = peer(foreign[i]);
        assert_int_not_equal(address.ss_family, AF_UNSPEC);
        assert_false(ps_metrics_peer_is_local((struct sockaddr *)&address));
    }
}

static void test_host_names(void **state)
{
    struct utsname machine;
    char own[sizeof machine.nodename + 8];
    assert_int_equal(uname(&machine), 0);
    snprintf(own, sizeof own, "%s:41414", machine.nodename);
    static const char *const good[] = {"localhost", "LOCALHOST:1",       "localhost.:41414", "10.1.2.3",
                                       "[::1]:80",  "[fe80::1]",         "127.0.0.1:41414",  "a.example:1",
                                       "B.example", "[::ffff:1.2.3.4]:1"};
    static const char *const bad[] = {"evil.example",
                                      "localhost.evil.example",
                                      "",
                                      ":1",
                                      "1.2.3.4.evil.test",
                                      "localhost:1x",
                                      "[::1",
                                      "[localhost]:1",
                                      "a.example.evil",
                                      "1.2.3",
                                      "[::1]evil",
                                      "."};
    for (size_t i = 0; i < PS_COUNT_OF(good); i++) {
        if (!ps_metrics_host_is_own(good[i], "a.example, b.example"))
            fail_msg("%s is refused", good[i]);
    }
    for (size_t i = 0; i < PS_COUNT_OF(bad); i++) {
        if (ps_metrics_host_is_own(bad[i], "a.example,b.example,"))
            fail_msg("%s is not refused", bad[i]);
    }
    assert_true(ps_metrics_host_is_own(own, NULL));
    assert_true(ps_metrics_host_is_own(NULL, NULL));
    assert_false(ps_metrics_host_is_own("a.example", NULL));
}

static void expect_token(const char *text, const char *want, const char *wrong)
{
    char path[] = "/tmp/metrics_token_XXXXXX", token[PS_ACCESS_TOKEN_BYTES];
    struct ps_err err = {0};
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    enum ps_status status = ps_metrics_token_read(path, token, &err);
    unlink(path);
    if (want != NULL) {
        assert_int_equal(status, PS_OK);
        assert_string_equal(token, want);
    } else {
        assert_int_equal(status, PS_FAIL);
        assert_non_null(strstr(err.text, wrong));
    }
}

static void test_tokens(void **state)
{
    char longest[PS_ACCESS_TOKEN_BYTES + 1];
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    expect_token(" s3cret\r\n\n", "s3cret", NULL);
    expect_token(longest + 1 + 1, longest + 1 + 1, NULL);
    expect_token(longest, NULL, "longer than 1,023 bytes");
    expect_token(" \n", NULL, "is empty");
    expect_token("one\ntwo\n", NULL, "not printable");
    char token[PS_ACCESS_TOKEN_BYTES];
    struct ps_err err = {0};
    assert_int_equal(ps_metrics_token_read("/nonexistent/token", token, &err), PS_FAIL);
    assert_non_null(strstr(err.text, "cannot read the token file /nonexistent/token"));
    assert_true(ps_metrics_token_matches("bearer  abc", "abc"));
    assert_false(ps_metrics_token_matches("Bearer ab", "abc"));
    assert_false(ps_metrics_token_matches("Bearer abcd", "abc"));
    assert_false(ps_metrics_token_matches("Bearer abd", "abc"));
    assert_false(ps_metrics_token_matches("Basic abc", "abc"));
    assert_false(ps_metrics_token_matches("Bearer ", "abc"));
    assert_false(ps_metrics_token_matches(NULL, "abc"));
}

/* ---- over HTTP ---- */

/* An IPv4 address of this machine that is not a loopback address. */
static bool other_address(struct in_addr *address)
{
    struct ifaddrs *list;
    bool found = false;
    assert_int_equal(getifaddrs(&list), 0);
    for (const struct ifaddrs *one = list; one != NULL && !found; one = one->ifa_next) {
        if (one->ifa_addr == NULL || one->ifa_addr->sa_family != AF_INET || (one->ifa_flags & IFF_UP) == 0 ||
            (one->ifa_flags & IFF_LOOPBACK) != 0)
            continue;
        *address = ((struct sockaddr_in *)(void *)one->ifa_addr)->sin_addr;
        found = true;
    }
    freeifaddrs(list);
    return found;
}

/* A client that comes from an address of the network reads metrics and health, as in Flume, and no events. */
static void test_foreign_client(void **state)
{
    struct in_addr network = {0};
    if (!other_address(&network))
        ps_test_skip("this machine has no address beside loopback");
    struct ps_metrics_server *server = start((struct ps_metrics_server_settings){0});
    assert_int_equal(request_at(server, network, "GET", "/metrics", "Host: flume.example\r\n"), 200);
    assert_int_equal(request_at(server, network, "GET", "/healthz", LOCAL), 200);
    assert_int_equal(request_at(server, network, "GET", LOOK, LOCAL), 403);
    assert_non_null(strstr(reply, "penstock.monitoring.token.file"));
    assert_int_equal(request(server, "GET", LOOK, LOCAL), 200);
    ps_metrics_server_stop(server);
    server = start((struct ps_metrics_server_settings){.access.token = "s3cret"});
    assert_int_equal(
        request_at(server, network, "GET", LOOK, "Host: flume.example\r\nAuthorization: Bearer s3cret\r\n"),
        200);
    assert_int_equal(request_at(server, network, "GET", LOOK, LOCAL), 401);
    ps_metrics_server_stop(server);
}

static void test_token(void **state)
{
    struct ps_metrics_server *server = start((struct ps_metrics_server_settings){.access.token = "s3cret"});
    assert_int_equal(request(server, "GET", LOOK, LOCAL), 401); /* also on this machine */
    assert_non_null(strcasestr(reply, "\r\nWWW-Authenticate: Bearer"));
    assert_int_equal(request(server, "GET", LOOK, LOCAL "Authorization: Bearer s3cres\r\n"), 401);
    assert_int_equal(request(server, "GET", LOOK, LOCAL "Authorization: Bearer s3cret\r\n"), 200);
    assert_int_equal(request(server, "GET", "/metrics", LOCAL), 200);
    ps_metrics_server_stop(server);
    /* The file is read for each request: it may change, and without it nobody is served. */
    char path[] = "/tmp/metrics_token_XXXXXX";
    int fd = mkstemp(path);
    assert_int_equal(write(fd, "new\n", 4), 4);
    close(fd);
    server = start((struct ps_metrics_server_settings){.access.token_path = path});
    assert_int_equal(request(server, "GET", LOOK, LOCAL "Authorization: Bearer new\r\n"), 200);
    assert_int_equal(request(server, "GET", LOOK, LOCAL "Authorization: Bearer s3cret\r\n"), 401);
    unlink(path);
    assert_int_equal(request(server, "GET", LOOK, LOCAL "Authorization: Bearer new\r\n"), 401);
    ps_metrics_server_stop(server);
}

static void test_host_header(void **state)
{
    struct ps_metrics_server *server = start((struct ps_metrics_server_settings){0});
    assert_int_equal(request(server, "GET", LOOK, "Host: evil.example:41414\r\n"), 403);
    assert_non_null(strstr(reply, "penstock.monitoring.hosts"));
    assert_int_equal(request(server, "GET", LOOK, "Host: 127.0.0.1:41414\r\n"), 200);
    assert_int_equal(request(server, "GET", "/metrics", "Host: flume.example\r\n"), 200);
    ps_metrics_server_stop(server);
    server = start((struct ps_metrics_server_settings){.access.hosts = "flume.example"});
    assert_int_equal(request(server, "GET", LOOK, "Host: flume.example\r\n"), 200);
    assert_int_equal(request(server, "GET", "/metrics", "Host: flume.example\r\n"), 200);
    assert_int_equal(request(server, "GET", "/metrics", "Host: evil.example\r\n"), 403);
    ps_metrics_server_stop(server);
}

static void expect_not_allowed(struct ps_metrics_server *server, const char *method, const char *path,
                               const char *allow)
{
    if (request(server, method, path, LOCAL "Content-Length: 0\r\n") != 405 || strstr(reply, allow) == NULL)
        fail_msg("%s %s: %s", method, path, reply);
}

static void test_methods(void **state)
{
    struct ps_metrics_server *server = start((struct ps_metrics_server_settings){0});
    assert_int_equal(request(server, "POST", "/metrics", LOCAL "Content-Length: 0\r\n"), 200); /* as Flume */
    assert_int_equal(request(server, "HEAD", "/metrics", LOCAL), 200);
    assert_int_equal(request(server, "HEAD", "/healthz", LOCAL), 200);
    assert_int_equal(request(server, "TRACE", "/metrics", LOCAL), 403);
    assert_int_equal(request(server, "OPTIONS", "/metrics", LOCAL), 403);
    assert_int_equal(request(server, "DELETE", "/nothing", LOCAL), 404);
    expect_not_allowed(server, "DELETE", "/metrics", "\r\nAllow: GET, HEAD, POST\r\n");
    expect_not_allowed(server, "PUT", "/METRICS", "\r\nAllow: GET, HEAD, POST\r\n");
    expect_not_allowed(server, "POST", "/metrics/prometheus", "\r\nAllow: GET, HEAD\r\n");
    expect_not_allowed(server, "DELETE", "/healthz", "\r\nAllow: GET, HEAD\r\n");
    expect_not_allowed(server, "HEA", "/healthz", "\r\nAllow: GET, HEAD\r\n");
    expect_not_allowed(server, "POST", LOOK, "\r\nAllow: GET\r\n");
    ps_metrics_server_stop(server);
}

/* ---- several clients of /tail ---- */

static void wait_lookers(unsigned lookers)
{
    for (unsigned i = 0; i < PS_TEST_PATIENCE_MS && ps_mark_read(&looking) != lookers; i++)
        usleep(1000);
    assert_int_equal(ps_mark_read(&looking), lookers);
}

/* Four clients, by two names of one tap, get every event; the fifth is refused with a retry time; when a client leaves, the
 * next one gets its place immediately. */
static void test_several_lookers(void **state)
{
    struct ps_err err;
    struct ps_depot *depot = ps_depot_create(UINT64_C(32) << 20, &err);
    struct ps_pool *pool = ps_pool_create(depot, 0);
    struct ps_bump bump;
    ps_bump_init(&bump, pool);
    struct ps_batch *batch = ps_batch_take(&bump, (struct ps_now){.mono_ns = 1});
    assert_non_null(ps_batch_add_copy(batch, "one", 3));
    assert_non_null(ps_batch_add_copy(batch, "two", 3));
    ps_batch_chain(batch)->count = 2;
    struct ps_metrics_server *server = start((struct ps_metrics_server_settings){0});
    struct in_addr local = {htonl(INADDR_LOOPBACK)};
    int fds[PS_TAP_LOOKERS];
    for (unsigned i = 0; i < PS_TAP_LOOKERS; i++) {
        fds[i] = client(server, local);
        ask(fds[i], "GET",
            i % 2 == 0 ? "/tail?component=c1&count=2&wait=60" : "/tail?component=k1&count=2&wait=60", LOCAL);
        wait_lookers(i + 1);
    }
    assert_int_equal(request(server, "GET", LOOK, LOCAL), 503);
    assert_non_null(strstr(reply, "4 clients view live events already; try again later\n"));
    assert_non_null(strstr(reply, "\r\nRetry-After: 10\r\n"));
    close(fds[0]);
    wait_lookers(PS_TAP_LOOKERS - 1);
    fds[0] = client(server, local);
    ask(fds[0], "GET", "/tail?component=c1&count=2&wait=60", LOCAL);
    wait_lookers(PS_TAP_LOOKERS);
    ps_tap_offer(tap, ps_batch_chain(batch));
    for (unsigned i = 0; i < PS_TAP_LOOKERS; i++) {
        assert_int_equal(answer(fds[i]), 200);
        assert_non_null(strstr(reply, "\r\n\r\n{\"headers\":{},\"body\":\"one\",\"bytes\":3}\n"
                                      "{\"headers\":{},\"body\":\"two\",\"bytes\":3}\n"));
    }
    wait_lookers(0);
    assert_false(ps_flag_get(&tap->wanted));
    ps_metrics_server_stop(server);
    ps_batch_close(batch);
    ps_batch_give(batch);
    ps_bump_fini(&bump);
    ps_pool_destroy(pool);
    ps_depot_destroy(depot);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_local_peers),
        cmocka_unit_test(test_host_names),
        cmocka_unit_test(test_tokens),
        cmocka_unit_test_setup_teardown(test_foreign_client, setup, teardown),
        cmocka_unit_test_setup_teardown(test_token, setup, teardown),
        cmocka_unit_test_setup_teardown(test_host_header, setup, teardown),
        cmocka_unit_test_setup_teardown(test_methods, setup, teardown),
        cmocka_unit_test_setup_teardown(test_several_lookers, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
