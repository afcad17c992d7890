/* The metrics server against clients that drip, that hold connections, and without descriptors; a port that is
 * in use at the start. Requests are written to bare sockets. */
#include "core/watch/metrics/server.h"
#include "tests/support/conformance.h"
#include "tests/support/port.h"
#include "tests/support/support.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONNECTIONS 32 /* that the server has at a time */

static int threads_left = -1; /* number of threads that can still be started; -1: any. Atomic */

/* Replaces the function of libc. */
int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument)
{
    static int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    int left = __atomic_load_n(&threads_left, __ATOMIC_SEQ_CST);
    if (left == 0)
        return EAGAIN;
    if (left > 0)
        __atomic_store_n(&threads_left, left - 1, __ATOMIC_SEQ_CST);
    if (real == NULL)
        *(void **)(&real) = dlsym(RTLD_NEXT, "pthread_create");
    return real(thread, attributes, run, argument);
}

static void visit(void *argument, const struct ps_metrics_visitor *visitor)
{
    visitor->process(visitor->argument, &(struct ps_metrics_process){.agent = "a1", .start_ms = 1});
}

/* One tap, through which nothing passes: /tail waits. */
static struct ps_tap tap;

static unsigned taps(void *argument, const char *name, void (*look)(void *argument, struct ps_tap *tap),
                     void *look_argument)
{
    look(look_argument, &tap);
    return 1;
}

static const struct ps_metrics_source provider = {.visit = visit, .taps = taps};

static struct ps_metrics_server *start(struct ps_metrics_server_settings settings)
{
    struct ps_err err;
    settings.host = "127.0.0.1";
    struct ps_metrics_server *server = ps_metrics_server_start(&settings, &provider, &err);
    if (server == NULL)
        fail_msg("%s", err.text);
    return server;
}

static int socket_new(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    return fd;
}

static struct sockaddr_in address_of(uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

/* Connects from 127.0.0.`from`. */
static void connect_from(int fd, uint16_t port, unsigned from)
{
    struct sockaddr_in own = address_of(0), to = address_of(port);
    own.sin_addr.s_addr = htonl(0x7f000000U + from);
    assert_int_equal(bind(fd, (struct sockaddr *)&own, sizeof own), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
}

static int client_from(uint16_t port, unsigned from)
{
    int fd = socket_new();
    connect_from(fd, port, from);
    return fd;
}

static void send_text(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* Returns the status of the answer; 0 when the server closed the connection, -1 after `ms` without an answer. */
static int status_of(int fd, int ms)
{
    char text[4096] = "";
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    if (poll(&ready, 1, ms) == 0)
        return -1;
    ssize_t got = recv(fd, text, sizeof text - 1, 0);
    int status = 0;
    if (got > 0)
        assert_int_equal(sscanf(text, "HTTP/1.1 %d", &status), 1);
    return status;
}

static const char health[] = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";

static int health_of(uint16_t port)
{
    int fd = client_from(port, 1);
    send_text(fd, health);
    int status = status_of(fd, PS_TEST_PATIENCE_MS);
    close(fd);
    return status;
}

/* More clients than connections drip requests from one address: another client of that address is answered long before
 * their time is over, each time, and so is a client that holds a connection from another address. */
static void test_dripping_clients(void **state)
{
    enum { COUNT = 40 };
    int dripping[COUNT];
    struct ps_metrics_server *server =
        start((struct ps_metrics_server_settings){.request_ms = 10 * PS_TEST_PATIENCE_MS});
    uint16_t port = ps_metrics_server_port(server);
    int patient = client_from(port, 2); /* the oldest of all; its address has only this one */
    send_text(patient, "GET /healthz HTTP/1.1\r\n");
    for (int i = 0; i < COUNT; i++) {
        dripping[i] = client_from(port, 1);
        send_text(dripping[i], "GET /healthz HT");
    }
    for (int round = 0; round < 5; round++)
        assert_int_equal(health_of(port), 200);
    send_text(patient, "Host: localhost\r\n\r\n");
    assert_int_equal(status_of(patient, PS_TEST_PATIENCE_MS), 200);
    int ended = 0;
    for (int i = 0; i < COUNT; i++)
        ended += status_of(dripping[i], 0) == 0;
    assert_true(ended >= COUNT - CONNECTIONS);
    assert_int_equal(status_of(dripping[COUNT - 1], 0), -1); /* the oldest went first */
    for (int i = 0; i < COUNT; i++)
        close(dripping[i]);
    close(patient);
    ps_metrics_server_stop(server);
}

/* Clients that ask for a page and do not take it hold no connection that another one needs. */
static void test_clients_that_do_not_read(void **state)
{
    enum { COUNT = 40, ASKED = 2000 };
    int lazy[COUNT];
    struct ps_metrics_server *server = start((struct ps_metrics_server_settings){0});
    uint16_t port = ps_metrics_server_port(server);
    for (int i = 0; i < COUNT; i++) {
        lazy[i] = socket_new();
        int small = 1;
        setsockopt(lazy[i], SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
        connect_from(lazy[i], port, 1);
        fcntl(lazy[i], F_SETFL, O_NONBLOCK);
        for (int j = 0; j < ASKED; j++) {
            if (send(lazy[i], health, sizeof health - 1, MSG_NOSIGNAL) < (ssize_t)sizeof health - 1)
                break;
        }
    }
    assert_int_equal(health_of(port), 200);
    for (int i = 0; i < COUNT; i++)
        close(lazy[i]);
    ps_metrics_server_stop(server);
}

/* A byte now and then does not extend the time of a request. */
static void test_request_time(void **state)
{
    struct ps_metrics_server *server = start((struct ps_metrics_server_settings){.request_ms = 600});
    int fd = client_from(ps_metrics_server_port(server), 1);
    uint64_t before_ns = ps_clock_now().mono_ns;
    int status = -1;
    for (unsigned i = 0; i < PS_TEST_PATIENCE_MS / 50 && status == -1; i++) {
        (void)!send(fd, "x", 1, MSG_NOSIGNAL);
        status = status_of(fd, 50);
    }
    uint64_t took_ns = ps_clock_now().mono_ns - before_ns;
    assert_int_equal(status, 0);
    assert_true(took_ns >= 500 * PS_NS_PER_MS);
    close(fd);
    ps_metrics_server_stop(server);
}

static uint64_t cpu_us(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000U +
           (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

/* Returns how many descriptors below 128 are open. Sets `*nulls` to how many of them are /dev/null, as the reserved one is. Opens none. */
static unsigned count_open(unsigned *nulls)
{
    unsigned count = 0;
    struct stat null, one;
    assert_int_equal(stat("/dev/null", &null), 0);
    *nulls = 0;
    for (int fd = 0; fd < 128; fd++) {
        if (fstat(fd, &one) != 0)
            continue;
        count++;
        *nulls += S_ISCHR(one.st_mode) && one.st_rdev == null.st_rdev;
    }
    return count;
}

static void await_open(unsigned count, unsigned nulls)
{
    unsigned nulls_now;
    while (count_open(&nulls_now) != count || nulls_now != nulls)
        usleep(1000);
}

/* Without descriptors the reserve serves one client after another. While it is in use, the next client waits,
 * and that uses no CPU; a client that has sent part of a request holds the reserve for a moment only. */
static void test_no_descriptors(void **state)
{
    struct rlimit limit, before;
    unsigned nulls;
    struct ps_metrics_server *server = start((struct ps_metrics_server_settings){0});
    uint16_t port = ps_metrics_server_port(server);
    int zeroth = socket_new(), first = socket_new(), second = socket_new(), third = socket_new(),
        dripping = socket_new(), fourth = socket_new(), taken[256];
    size_t count = 0;
    getrlimit(RLIMIT_NOFILE, &before);
    limit = (struct rlimit){.rlim_cur = 128, .rlim_max = before.rlim_max};
    uint64_t warned = ps_log_count(PS_LOG_WARN);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    while (count < PS_COUNT_OF(taken) && (taken[count] = dup(zeroth)) >= 0)
        count++;
    assert_true(count < PS_COUNT_OF(taken));
    assert_int_equal(errno, EMFILE);
    assert_int_equal(count_open(&nulls), 128); /* the reserve is one of the nulls, from the start on */
    connect_from(zeroth, port, 1);
    send_text(zeroth, health);
    assert_int_equal(status_of(zeroth, PS_TEST_PATIENCE_MS), 200);
    await_open(128, nulls); /* the server closes the connection and opens the reserve again */
    connect_from(first, port, 1);
    send_text(first, "GET /tail?component=c1&wait=60 HTTP/1.1\r\nHost: localhost\r\n\r\n");
    while (!ps_flag_get(&tap.wanted))
        usleep(1000);
    connect_from(second, port, 1);
    send_text(second, health);
    while (ps_log_count(PS_LOG_WARN) == warned)
        usleep(1000);
    assert_int_equal(status_of(second, 300), -1);
    uint64_t before_us = cpu_us();
    usleep(1000000);
    assert_true(cpu_us() - before_us < 300000);
    assert_int_equal(ps_log_count(PS_LOG_WARN) - warned, 1); /* not with each try */
    close(first);                                            /* its descriptor is the reserve again */
    assert_int_equal(status_of(second, PS_TEST_PATIENCE_MS), 200);
    await_open(127, nulls);
    taken[count++] = dup(zeroth); /* in place of `first` */
    assert_int_equal(dup(zeroth), -1);
    connect_from(dripping, port, 1);
    send_text(dripping, "GET /healthz");
    connect_from(fourth, port, 1);
    send_text(fourth, health);
    assert_int_equal(status_of(fourth, PS_TEST_PATIENCE_MS), 200);
    assert_int_equal(status_of(dripping, 0), 0);
    assert_int_equal(ps_log_count(PS_LOG_WARN) - warned, 2); /* it was possible meanwhile */
    close(dripping);
    close(fourth);
    while (count > 0)
        close(taken[--count]);
    connect_from(third, port, 1);
    send_text(third, health);
    assert_int_equal(status_of(third, PS_TEST_PATIENCE_MS), 200);
    close(zeroth);
    close(second);
    close(third);
    setrlimit(RLIMIT_NOFILE, &before);
    ps_metrics_server_stop(server);
}

/* A port that is in use at the start is tried again; until then the server has no port. */
static void test_port_is_tried_again(void **state)
{
    int fd = socket_new();
    uint16_t port = (uint16_t)ps_test_port(SOCK_STREAM);
    struct sockaddr_in address = address_of(port);
    int yes = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 1), 0);
    uint64_t errors = ps_log_count(PS_LOG_ERROR), infos = ps_log_count(PS_LOG_INFO);
    struct ps_metrics_server *server =
        start((struct ps_metrics_server_settings){.port = port, .retry_ms = 50});
    usleep(300000);
    assert_int_equal(ps_metrics_server_port(server), 0);
    assert_int_equal(ps_log_count(PS_LOG_ERROR), errors + 1); /* one line for all tries */
    assert_int_equal(ps_log_count(PS_LOG_INFO), infos);
    close(fd);
    for (unsigned i = 0; i < PS_TEST_PATIENCE_MS && ps_metrics_server_port(server) == 0; i++)
        usleep(1000);
    assert_int_equal(ps_metrics_server_port(server), port);
    assert_int_equal(health_of(port), 200);
    assert_int_equal(ps_log_count(PS_LOG_INFO), infos + 1);
    ps_metrics_server_stop(server);
    /* Stop while it waits for the next try. */
    server = start((struct ps_metrics_server_settings){.port = port, .retry_ms = 2 * PS_TEST_PATIENCE_MS});
    struct ps_metrics_server *waits =
        start((struct ps_metrics_server_settings){.port = port, .retry_ms = 2 * PS_TEST_PATIENCE_MS});
    uint64_t before_ns = ps_clock_now().mono_ns;
    ps_metrics_server_stop(waits);
    assert_true(ps_clock_now().mono_ns - before_ns < PS_TEST_PATIENCE_MS * PS_NS_PER_MS);
    ps_metrics_server_stop(server);
}

/* Each thread of the server is refused in turn: the start fails, says why, and leaves no port at which clients would wait
 * for an answer. */
static void test_no_thread(void **state)
{
    const struct ps_metrics_server_settings settings = {
        .host = "127.0.0.1", .port = (uint16_t)ps_test_port(SOCK_STREAM), .retry_ms = 50};
    struct ps_metrics_server *server = NULL;
    const struct sockaddr_in to = address_of(settings.port);
    uint64_t infos = ps_log_count(PS_LOG_INFO);
    unsigned fds = ps_test_open_fds();
    int threads = -1;
    while (server == NULL) {
        struct ps_err err = {0};
        __atomic_store_n(&threads_left, ++threads, __ATOMIC_SEQ_CST);
        server = ps_metrics_server_start(&settings, &provider, &err);
        __atomic_store_n(&threads_left, -1, __ATOMIC_SEQ_CST);
        if (server != NULL)
            break;
        assert_non_null(strstr(err.text, "metrics server: cannot start"));
        assert_int_equal(ps_log_count(PS_LOG_INFO), infos); /* it does not say that it listens */
        int fd = socket_new();
        assert_int_equal(connect(fd, (const struct sockaddr *)&to, sizeof to), -1);
        close(fd);
        assert_int_equal(ps_test_open_fds(), fds);
    }
    assert_int_equal(threads, 2); /* the library's, and the acceptor's */
    assert_int_equal(health_of(settings.port), 200);
    ps_metrics_server_stop(server);
}

/* Clients of /tail come while another one waits, more of them than there are places: each gives its own place back. */
static void test_places_of_tail(void **state)
{
    struct ps_metrics_server *server = start((struct ps_metrics_server_settings){0});
    uint16_t port = (uint16_t)ps_metrics_server_port(server);
    for (unsigned i = 0; i < 2 * PS_TAP_LOOKERS; i++) {
        int waiting = client_from(port, 1);
        send_text(waiting, "GET /tail?component=c1&wait=60 HTTP/1.1\r\nHost: localhost\r\n\r\n");
        while (!ps_flag_get(&tap.wanted))
            usleep(1000);
        int other = client_from(port, 1);
        send_text(other, "GET /tail?component=c1&wait=0 HTTP/1.1\r\nHost: localhost\r\n\r\n");
        assert_int_equal(status_of(other, PS_TEST_PATIENCE_MS), 200);
        close(other);
        close(waiting);
        while (ps_flag_get(&tap.wanted))
            usleep(1000);
    }
    ps_metrics_server_stop(server);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    ps_log_unlimited();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dripping_clients),    cmocka_unit_test(test_clients_that_do_not_read),
        cmocka_unit_test(test_request_time),        cmocka_unit_test(test_no_descriptors),
        cmocka_unit_test(test_port_is_tried_again), cmocka_unit_test(test_no_thread),
        cmocka_unit_test(test_places_of_tail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
