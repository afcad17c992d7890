/* Host names of sources that listen, with a name server of our own: this program's getaddrinfo and getnameinfo replace
 * the system's. The test's thread acts as the worker, and must never call them; a name server that hangs must delay
 * nothing. */
#include "tests/support/net.h"
#include "tests/support/port.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "stages/lib/net/listen.h"
#include "stages/lib/net/lookup.h"
#include "stages/lib/net/resolver.h"
#include "stages/lib/net/reverse_names.h"
#include "stages/lib/stream/stream.h"

extern const struct ps_stage_ops ps_source_netcat, ps_source_netcatudp, ps_source_syslogtcp,
    ps_source_syslogudp, ps_source_multiport_syslogtcp;

/* ---- the name server ---- */

static pthread_t worker;
static bool hangs, fails; /* atomic */
static sem_t asked, gone;
static unsigned questions; /* atomic */

static void serve(void)
{
    assert_false(pthread_equal(pthread_self(), worker));
    bool hang = __atomic_load_n(&hangs, __ATOMIC_ACQUIRE);
    __atomic_fetch_add(&questions, 1, __ATOMIC_RELEASE);
    if (!hang)
        return;
    sem_post(&asked);
    while (__atomic_load_n(&hangs, __ATOMIC_ACQUIRE))
        usleep(1000);
    sem_post(&gone);
}

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **list)
{
    __typeof__(getaddrinfo) *system = (__typeof__(getaddrinfo) *)dlsym(RTLD_NEXT, "getaddrinfo");
    struct addrinfo numeric = {.ai_socktype = SOCK_STREAM};
    assert_non_null(system);
    if (hints != NULL)
        numeric = *hints;
    if ((numeric.ai_flags & AI_NUMERICHOST) != 0 || strspn(name, "0123456789.") == strlen(name))
        return system(name, service, hints, list); /* numeric: no name server is queried */
    numeric.ai_flags |= AI_NUMERICHOST;
    serve();
    if (__atomic_load_n(&fails, __ATOMIC_ACQUIRE) || strstr(name, ".test") == NULL)
        return EAI_NONAME;
    if (strcmp(name, "six.test") == 0)
        return system("::1", service, &numeric, list);
    if (strcmp(name, "both.test") != 0)
        return system("127.0.0.1", service, &numeric, list);
    struct addrinfo *four;
    int error = system("::1", service, &numeric, list);
    if (error == 0)
        error = system("127.0.0.1", service, &numeric, &four);
    if (error == 0)
        (*list)->ai_next = four;
    return error;
}

int getnameinfo(const struct sockaddr *address, socklen_t length, char *host, socklen_t host_length,
                char *service, socklen_t service_length, int flags)
{
    serve();
    snprintf(host, host_length, "%s",
             __atomic_load_n(&fails, __ATOMIC_ACQUIRE) ? "stranger.example"
             : address->sa_family == AF_INET           ? "host.test"
                                                       : "six.test");
    return 0;
}

static void set(bool *value, bool to)
{
    __atomic_store_n(value, to, __ATOMIC_RELEASE);
}

static void set_up(void)
{
    set(&hangs, false);
    set(&fails, false);
    __atomic_store_n(&questions, 0, __ATOMIC_RELAXED);
    sem_init(&asked, 0, 0);
    sem_init(&gone, 0, 0);
}

/* Lets all queries be answered that are being served: on a slow machine an answer may be older than a second when it is used,
 * so that a name is asked for again, also by a stage that has ended meanwhile. */
static void release(void)
{
    set(&hangs, false);
    sem_wait(&gone); /* at least one was: a test that lets queries hang again would keep it */
}

/* ---- lookups ---- */

static enum ps_status wait_for_address(struct ps_lookup *lookup, enum ps_status wanted,
                                       struct ps_address *address, struct ps_err *err)
{
    uint64_t until_ns = ps_test_patience_end_ns();
    enum ps_status status;
    while ((status = ps_lookup_address(lookup, address, err)) != wanted && ps_test_patient_ns() < until_ns)
        usleep(10000);
    return status;
}

static void test_literals_ask_nobody(void **unused)
{
    static const char *const hosts[] = {NULL, "0.0.0.0", "::", "127.0.0.1", "::1", "[::1]", "127.1"};
    set_up();
    for (size_t i = 0; i < PS_COUNT_OF(hosts); i++) {
        struct ps_lookup *lookup = (struct ps_lookup *)&worker;
        assert_int_equal(ps_lookup_build(&lookup, hosts[i], NULL), PS_OK);
        assert_null(lookup);
    }
    assert_int_equal(questions, 0);
    char longest[300];
    struct ps_lookup *lookup;
    struct ps_err err = {0};
    memset(longest, 'a', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    assert_int_equal(ps_lookup_build(&lookup, longest, &err), PS_FAIL);
    assert_non_null(strstr(err.text, "too long"));
}

/* The answer is known after build; IPv4 comes first; an old answer is looked up again, and the new one is used. */
static void test_answers(void **unused)
{
    struct ps_lookup *lookup;
    struct ps_address address;
    struct ps_err err = {0};
    set_up();
    assert_int_equal(ps_lookup_build(&lookup, "both.test", &err), PS_OK);
    assert_int_equal(ps_lookup_address(lookup, &address, &err), PS_OK);
    assert_int_equal(address.storage.ss_family, AF_INET);
    assert_int_equal(ps_address_port(&address), 0);
    set(&fails, true);
    assert_int_equal(wait_for_address(lookup, PS_FAIL, &address, &err), PS_FAIL);
    assert_non_null(strstr(err.text, "cannot resolve host both.test: Name or service not known"));
    set(&fails, false);
    assert_int_equal(wait_for_address(lookup, PS_OK, &address, &err), PS_OK);
    ps_lookup_teardown(lookup);
}

/* While the name server hangs, one query is under way, however many look-ups there are; no caller waits for it. */
static void test_a_hanging_server(void **unused)
{
    struct ps_lookup *lookup;
    struct ps_address address;
    struct ps_err err = {0};
    set_up();
    set(&hangs, true);
    assert_int_equal(ps_lookup_build(&lookup, "host.test", &err), PS_OK);
    sem_wait(&asked);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(ps_lookup_address(lookup, &address, &err), PS_FAIL);
        assert_non_null(
            strstr(err.text, "cannot resolve host host.test: no answer from the name server yet"));
    }
    assert_int_equal(__atomic_load_n(&questions, __ATOMIC_RELAXED), 1);
    release();
    assert_int_equal(wait_for_address(lookup, PS_OK, &address, &err), PS_OK);
    ps_lookup_teardown(lookup);
}

/* The resolver is destroyed while its thread waits for the name server: the thread ends by itself. */
static void test_destroyed_while_asking(void **unused)
{
    set_up();
    set(&hangs, true);
    struct ps_err err = {0};
    struct ps_resolver *resolver = ps_resolver_create(2, -1, &err);
    const struct ps_question question = {.forward = true, .name = "host.test"};
    assert_true(ps_resolver_ask(resolver, &question));
    sem_wait(&asked);
    assert_true(ps_resolver_ask(resolver, &question));
    assert_true(ps_resolver_ask(resolver, &question));
    assert_false(ps_resolver_ask(resolver, &question)); /* no room */
    ps_resolver_destroy(resolver);
    release();
}

/* The names of peers come from the same thread: a name is used only if it resolves to the address again, otherwise
 * the address is used. */
static void test_reverse_names(void **unused)
{
    struct ps_err err = {0};
    struct ps_slice name;
    struct ps_address peer = {.length = sizeof(struct sockaddr_in)};
    ((struct sockaddr_in *)(void *)&peer.storage)->sin_family = AF_INET;
    for (int round = 0; round < 2; round++) {
        set_up();
        set(&hangs, true);
        set(&fails, round == 1);
        inet_pton(AF_INET, "127.0.0.1", &((struct sockaddr_in *)(void *)&peer.storage)->sin_addr);
        struct ps_reverse_names *names = ps_reverse_names_create(-1, &err);
        assert_false(ps_reverse_names_find(names, &peer, 1, &name));
        sem_wait(&asked);
        assert_false(ps_reverse_names_poll(names, 1));
        release();
        while (!ps_reverse_names_find(names, &peer, 1, &name)) {
            (void)ps_reverse_names_poll(names, 1);
            usleep(1000);
        }
        assert_int_equal(name.length, 9);
        assert_memory_equal(name.data, round == 0 ? "host.test" : "127.0.0.1", 9);
        ps_reverse_names_destroy(names);
    }
}

static unsigned question_count(void)
{
    return __atomic_load_n(&questions, __ATOMIC_RELAXED);
}

static struct ps_address peer_at(const char *ip, unsigned scope)
{
    struct ps_address peer = {.length = sizeof(struct sockaddr_in)};
    struct sockaddr_in *four = (struct sockaddr_in *)(void *)&peer.storage;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)(void *)&peer.storage;
    if (inet_pton(AF_INET, ip, &four->sin_addr) == 1) {
        four->sin_family = AF_INET;
        return peer;
    }
    assert_int_equal(inet_pton(AF_INET6, ip, &six->sin6_addr), 1);
    six->sin6_family = AF_INET6;
    six->sin6_scope_id = scope;
    peer.length = sizeof *six;
    return peer;
}

/* Waits for the eventfd, as a worker does that has nothing else to do. */
static void await_wake(int wake_fd)
{
    struct pollfd ready = {.fd = wake_fd, .events = POLLIN};
    eventfd_t count;
    if (poll(&ready, 1, PS_TEST_PATIENCE_MS) != 1)
        fail_msg("an answer does not wake the worker");
    assert_int_equal(eventfd_read(wake_fd, &count), 0);
}

/* Each address has a name of its own. An IPv4 client of a dual-stack socket is the same as the IPv4 address. The answer wakes the
 * worker: it looks for the name no other time. */
static void test_each_peer_has_its_name(void **unused)
{
    static const struct {
        const char *ip;
        unsigned scope;
        const char *name; /* the address if its name does not lead back to it, as Java writes it */
        bool known;       /* it was asked for before */
    } peers[] = {
        {"::ffff:127.0.0.1", 0, "host.test", false},
        {"127.0.0.1", 0, "host.test", true},
        {"127.0.0.2", 0, "127.0.0.2", false},
        {"::ffff:127.0.0.2", 0, "127.0.0.2", true},
        {"::1", 0, "six.test", false},
        {"::2", 0, "0:0:0:0:0:0:0:2", false},
        {"::127.0.0.1", 0, "0:0:0:0:0:0:7f00:1", false}, /* not a mapped one */
        {"fe80::1", 77, "fe80:0:0:0:0:0:0:1%77", false}, /* RFC 4007: no such zone here */
        {"fe80::1", 78, "fe80:0:0:0:0:0:0:1%78", false},
    };
    struct ps_err err = {0};
    struct ps_slice name;
    int wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    set_up();
    struct ps_reverse_names *names = ps_reverse_names_create(wake_fd, &err);
    for (unsigned round = 0; round < 2; round++) { /* in the second one all are known */
        for (size_t i = 0; i < PS_COUNT_OF(peers); i++) {
            struct ps_address peer = peer_at(peers[i].ip, peers[i].scope);
            bool known = ps_reverse_names_find(names, &peer, 1, &name);
            if (known != (peers[i].known || round == 1))
                fail_msg("%s: known %d", peers[i].ip, known);
            if (!known) {
                await_wake(wake_fd);
                assert_true(ps_reverse_names_poll(names, 1));
                if (!ps_reverse_names_find(names, &peer, 1, &name))
                    fail_msg("the answer for %s is lost", peers[i].ip);
            }
            if (name.length != strlen(peers[i].name) || memcmp(name.data, peers[i].name, name.length) != 0)
                fail_msg("%s: %.*s, not %s", peers[i].ip, (int)name.length, name.data, peers[i].name);
        }
    }
    ps_reverse_names_destroy(names);
    close(wake_fd);
}

/* A name is looked up again after 5 minutes; an address without a name after 1 minute. */
static void test_age_of_reverse_names(void **unused)
{
    struct ps_address peer = {.length = sizeof(struct sockaddr_in)};
    ((struct sockaddr_in *)(void *)&peer.storage)->sin_family = AF_INET;
    inet_pton(AF_INET, "127.0.0.1", &((struct sockaddr_in *)(void *)&peer.storage)->sin_addr);
    for (int round = 0; round < 2; round++) {
        struct ps_err err = {0};
        struct ps_slice name;
        const uint64_t age_ns = (round == 0 ? 300 : 60) * PS_NS_PER_S;
        set_up();
        set(&fails, round == 1);
        struct ps_reverse_names *names = ps_reverse_names_create(-1, &err);
        while (!ps_reverse_names_find(names, &peer, 1, &name)) {
            (void)ps_reverse_names_poll(names, 1);
            usleep(1000);
        }
        unsigned first = question_count();
        assert_true(ps_reverse_names_find(names, &peer, age_ns, &name));
        usleep(20000); /* a slow machine can only hide a fault */
        assert_int_equal(question_count(), first);
        assert_true(ps_reverse_names_find(names, &peer, age_ns + 1, &name)); /* until then the old answer
                                                                              * counts */
        for (unsigned i = 0; i < PS_TEST_PATIENCE_MS && question_count() == first; i++)
            usleep(1000);
        assert_true(question_count() > first);
        ps_reverse_names_destroy(names);
    }
}

/* ---- sources ---- */

/* A connection that ends while its name is looked up is no longer counted as waiting. */
static void test_gone_while_asking(void **unused)
{
    struct ps_test_stage stage;
    set_up();
    set(&hangs, true);
    ps_test_stage_start(&stage, &ps_source_syslogtcp,
                        PS_KEYS("host", "127.0.0.1", "port", "0", "clientHostnameHeader", "from"));
    const struct ps_stream *stream = stage.state;
    int fd = ps_test_connect("127.0.0.1", ps_test_tcp_port(&stage, 0));
    while (sem_trywait(&asked) != 0)
        ps_test_source_settle(&stage, 0, 1);
    assert_int_equal(stream->held_count, 1);
    const struct linger reset = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(fd);
    for (unsigned i = 0; i < PS_TEST_PATIENCE_MS && stream->open_count > 0; i++)
        ps_test_source_settle(&stage, 0, 1);
    assert_int_equal(stream->open_count, 0);
    assert_int_equal(stream->held_count, 0);
    ps_test_stage_fini(&stage);
    release();
    for (unsigned i = 0; i < PS_TEST_PATIENCE_MS && question_count() < 2;
         i++) /* answers the lookup of that name, so that the next test is not delayed */
        usleep(1000);
    assert_int_equal(question_count(), 2);
}

/* The first event of a client waits for its name, and the answer wakes the source: it does not wait for the next sweep. */
static void test_an_answer_wakes_the_source(void **unused)
{
    static const struct {
        const struct ps_stage_ops *ops;
        const char *port_key;
    } sources[] = {{&ps_source_syslogtcp, "port"}, {&ps_source_multiport_syslogtcp, "ports"}};
    for (size_t i = 0; i < PS_COUNT_OF(sources); i++) {
        struct ps_test_stage stage;
        eventfd_t count;
        set_up();
        set(&hangs, true);
        ps_test_stage_start(
            &stage, sources[i].ops,
            PS_KEYS("host", "127.0.0.1", sources[i].port_key, "0", "clientHostnameHeader", "from"));
        int fd = ps_test_connect("127.0.0.1", ps_test_tcp_port(&stage, 0));
        ps_test_send_text(fd, "<13>x\n");
        while (sem_trywait(&asked) != 0)
            ps_test_source_settle(&stage, 0, 1);
        (void)eventfd_read(stage.port.wake_fd, &count);
        release();
        await_wake(stage.port.wake_fd);
        ps_test_source_wait(&stage, 1, PS_TEST_PATIENCE_MS);
        assert_string_equal(ps_test_event_header(&stage.events[0], "from"), "host.test");
        close(fd);
        ps_test_stage_fini(&stage);
    }
}

/* A source whose name server hangs does not open, and says why; when there is an answer, it opens. */
static void test_sources(void **unused)
{
    static const struct {
        const struct ps_stage_ops *ops;
        const char *keys[5];
    } sources[] = {
        {&ps_source_netcat, {"bind", "host.test", "port", "0", NULL}},
        {&ps_source_netcatudp, {"bind", "host.test", "port", "0", NULL}},
        {&ps_source_syslogtcp, {"host", "host.test", "port", "0", NULL}},
        {&ps_source_syslogudp, {"host", "host.test", "port", "0", NULL}},
        {&ps_source_multiport_syslogtcp, {"host", "host.test", "ports", "0 0", NULL}},
    };
    for (size_t i = 0; i < PS_COUNT_OF(sources); i++) {
        struct ps_test_stage stage;
        set_up();
        set(&hangs, true);
        ps_test_stage_init(&stage, sources[i].ops);
        assert_int_equal(ps_test_stage_bind(&stage, sources[i].keys), PS_OK);
        assert_int_equal(ps_test_stage_build(&stage), PS_OK);
        sem_wait(&asked);
        assert_int_equal(ps_test_stage_open(&stage), PS_FAIL);
        assert_non_null(strstr(stage.err.text, "no answer from the name server yet"));
        release();
        uint64_t until_ns = ps_test_patience_end_ns();
        while (ps_test_stage_open(&stage) != PS_OK) {
            assert_true(ps_test_patient_ns() < until_ns);
            usleep(10000);
        }
        ps_test_stage_fini(&stage);
    }
}

/* When `tick` retries to bind a port, the worker does not query the name server there either, and uses the latest address. */
static void test_rebind(void **unused)
{
    char ports[32];
    struct ps_address bound;
    struct ps_test_stage stage;
    struct ps_err err = {0};
    set_up();
    unsigned port = ps_test_port(SOCK_STREAM);
    int taken =
        ps_address_bind(&(struct ps_bind_options){.host = "127.0.0.1", .port = (uint16_t)port}, &bound, &err);
    assert_true(taken >= 0);
    snprintf(ports, sizeof ports, "0 %u", port);
    ps_test_stage_start(&stage, &ps_source_multiport_syslogtcp, PS_KEYS("host", "host.test", "ports", ports));
    set(&hangs, true); /* later queries are not answered */
    close(taken);
    usleep(1100000); /* the answer is older than a second */
    ps_test_stage_real_clock(&stage);
    ps_test_stage_pass_ms(&stage, 3500);
    ps_test_source_work(&stage); /* the tick that binds */
    sem_wait(&asked);
    int fd = ps_test_connect("127.0.0.1", port);
    ps_test_send_text(fd, "x\n");
    ps_test_source_wait(&stage, 1, PS_TEST_PATIENCE_MS);
    close(fd);
    ps_test_stage_fini(&stage);
    release();
}

/* ---- probes ---- */

struct outcome {
    enum ps_probed result;
    char key[32], text[640];
};

static void on_tried(const struct ps_probe *probe, enum ps_probed result, const char *key, const char *what,
                     const char *cause, const char *cure)
{
    struct outcome *outcome = probe->argument;
    outcome->result = result;
    snprintf(outcome->key, sizeof outcome->key, "%s", key != NULL ? key : "");
    snprintf(outcome->text, sizeof outcome->text, "%s: %s; %s", what, cause != NULL ? cause : "",
             cure != NULL ? cure : "");
}

/* The time that `tried` waits for a name server. */
static uint64_t answer_ms = PS_TEST_PATIENCE_MS;

/* The result of a reload (`local`) or `penstock check --probe`. */
static struct outcome tried(const char *host, unsigned port, bool local, bool over)
{
    struct outcome outcome = {.text = ""};
    const struct ps_bind_options listen = {.host = host, .port = port};
    const struct ps_probe probe = {.component = "source r1",
                                   .timeout_ms = answer_ms,
                                   .until_ns = over ? 1 : 0,
                                   .local = local,
                                   .tried = on_tried,
                                   .argument = &outcome};
    ps_listen_probe(&probe, "bind", &listen);
    return outcome;
}

#define FOREIGN "192.0.2.1" /* RFC 5737: not in use */

/* `check --probe` fails for a port in use, even if this process uses it; a reload does not. Both fail for an address of another machine,
 * even if its port is in use on this one. */
static void test_probe_addresses(void **unused)
{
    struct ps_address bound;
    struct ps_err err = {0};
    set_up();
    int taken = ps_address_bind(&(struct ps_bind_options){.host = "127.0.0.1"}, &bound, &err);
    assert_true(taken >= 0);
    unsigned port = ps_address_port(&bound);
    assert_int_equal(tried("127.0.0.1", port, true, false).result, PS_PROBED_SKIPPED);
    assert_int_equal(tried("host.test", port, true, false).result, PS_PROBED_SKIPPED);
    struct outcome outcome = tried("127.0.0.1", port, false, false);
    assert_int_equal(outcome.result, PS_PROBED_FAILED);
    assert_non_null(strstr(outcome.text, "taken by "));
    for (int local = 0; local < 2; local++) {
        outcome = tried(FOREIGN, port, local, false);
        assert_int_equal(outcome.result, PS_PROBED_FAILED);
        assert_string_equal(outcome.key, "bind");
        assert_non_null(strstr(outcome.text, "bind: cannot listen on " FOREIGN ":"));
        assert_non_null(strstr(outcome.text, "this machine does not have that address: use one of its addr"));
    }
    close(taken);
    assert_int_equal(tried("127.0.0.1", port, true, false).result, PS_PROBED_OK);
    assert_int_equal(tried(NULL, port, true, true).result, PS_PROBED_OK); /* needs no time: no name server is
                                                                           * queried */
}

static void test_probe_names(void **unused)
{
    for (int local = 0; local < 2; local++) {
        set_up();
        assert_int_equal(tried("both.test", 0, local, false).result, PS_PROBED_OK);
        struct outcome outcome = tried("typo.invalid", 0, local, false);
        assert_int_equal(outcome.result, PS_PROBED_FAILED);
        assert_string_equal(outcome.key, "bind");
        assert_non_null(strstr(outcome.text, "bind: cannot resolve host typo.invalid: Name or service not "
                                             "known: use a name that resolves, or an address"));
        assert_int_equal(tried("typo.invalid", 0, local, true).result, PS_PROBED_SKIPPED);
        set(&hangs, true);
        answer_ms = 300; /* if it waited for the whole time, it would not end */
        outcome = tried("host.test", 0, local, false);
        answer_ms = PS_TEST_PATIENCE_MS;
        assert_int_equal(outcome.result, PS_PROBED_FAILED);
        assert_non_null(strstr(outcome.text, "no answer from the name server yet"));
        sem_wait(&asked);
        release();
    }
}

int main(void)
{
    ps_log_set_level(PS_LOG_OFF);
    worker = pthread_self(); /* set only once: threads of earlier tests may still read it */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_literals_ask_nobody),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_a_hanging_server),
        cmocka_unit_test(test_destroyed_while_asking),
        cmocka_unit_test(test_reverse_names),
        cmocka_unit_test(test_each_peer_has_its_name),
        cmocka_unit_test(test_age_of_reverse_names),
        cmocka_unit_test(test_gone_while_asking),
        cmocka_unit_test(test_an_answer_wakes_the_source),
        cmocka_unit_test(test_sources),
        cmocka_unit_test(test_rebind),
        cmocka_unit_test(test_probe_addresses),
        cmocka_unit_test(test_probe_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
