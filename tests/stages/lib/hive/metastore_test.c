/* The metastore's client against a server within the test: the queue, lost connections, time-outs, the older calls. */
#include "stages/lib/hive/metastore.h"
#include "tests/support/name_server.h"
#include "tests/support/support.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static struct ps_hadoop_loop *loop;
static struct ps_metastore *metastore;
static struct ps_port port = {.component = "test", .name = "test"};
static int listener, peer = -1;
static unsigned accepted;
static uint64_t later_ns;  /* added to the clock */
static uint8_t call[4096]; /* bytes that the server has received */
static size_t call_length;
static enum ps_hive_error outcomes[8];
static char reason[PS_HIVE_REASON_BYTES];
static int64_t numbers[8];
static char table_text[256];
static unsigned done_count;

static void done(void *argument, const struct ps_hive_answer *answer)
{
    assert_ptr_equal(argument, &done_count);
    outcomes[done_count++] = answer->error;
    memcpy(reason, answer->reason, sizeof(reason));
    assert_true(answer->number_count <= PS_COUNT_OF(numbers));
    if (answer->number_count > 0)
        memcpy(numbers, answer->numbers, answer->number_count * sizeof(int64_t));
    snprintf(table_text, sizeof(table_text), "%.*s", (int)answer->table.location.length,
             answer->table.location.length > 0 ? answer->table.location.data : "");
}

static unsigned listen_anywhere(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(listener, 8), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &length), 0);
    return ntohs(address.sin_port);
}

static int set_up(void **state)
{
    struct ps_err err;
    char addresses[64];
    port.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    port.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    done_count = accepted = 0;
    call_length = later_ns = 0;
    peer = -1;
    snprintf(addresses, sizeof(addresses), "thrift://127.0.0.1:%u", listen_anywhere());
    const struct ps_metastore_settings settings = {
        .addresses = addresses, .call_timeout_ns = 1000 * PS_NS_PER_S, .connect_ns = 900 * PS_NS_PER_S};
    return ps_hadoop_loop_open(&loop, &port, &err) == PS_OK &&
                   ps_metastore_open(&settings, loop, &metastore, &err) == PS_OK
               ? 0
               : -1;
}

static int tear_down(void **state)
{
    ps_metastore_close(metastore);
    ps_hadoop_loop_close(loop);
    if (peer >= 0)
        close(peer);
    if (listener >= 0)
        close(listener);
    close(port.epoll_fd);
    close(port.wake_fd);
    return 0;
}

/* One turn of the client, and of the server, which accepts and receives. Returns after how much time the client is to be called again. */
static uint64_t turn(void)
{
    struct ps_now now = ps_clock_now();
    now.mono_ns += later_ns;
    uint64_t due_ns = ps_hadoop_loop_turn(loop, &now);
    int made = listener >= 0 ? accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC) : -1;
    if (made >= 0) {
        assert_int_equal(peer, -1);
        peer = made;
        accepted++;
    }
    if (peer >= 0) {
        ssize_t got = recv(peer, call + call_length, sizeof(call) - call_length, 0);
        call_length += got > 0 ? (size_t)got : 0;
    }
    return due_ns > now.mono_ns ? due_ns - now.mono_ns : 0;
}

static bool has_call(const char *name)
{
    return call_length > 0 && memmem(call, call_length, name, strlen(name)) != NULL &&
           call[call_length - 1] == 0;
}

static void await_call(const char *name)
{
    for (unsigned waited = 0; !has_call(name); waited++) {
        assert_true(waited < PS_TEST_PATIENCE_MS);
        turn();
        usleep(1000);
    }
}

static void await_done(unsigned count)
{
    for (unsigned waited = 0; done_count < count; waited++) {
        assert_true(waited < PS_TEST_PATIENCE_MS);
        turn();
        usleep(1000);
    }
    assert_int_equal(done_count, count);
}

/* Returns when the client rests after an attempt to connect that failed: the kernel may refuse it later, in a thread of its own. Before,
 * nothing is due but the limits of the connection and the call, which are 15 minutes and more. */
static void await_rest(void)
{
    uint64_t until_ns = ps_test_patience_end_ns();
    for (uint64_t due_ns = 0; due_ns == 0 || due_ns > PS_NS_PER_S; usleep(1000)) {
        assert_true(ps_test_patient_ns() < until_ns);
        due_ns = turn();
    }
}

static uint8_t answer[1024];
static struct ps_thrift_writer out;

/* Begins an answer to the call that has arrived: a reply whose field `id` is a struct, or an exception of Thrift. */
static void begin(enum ps_thrift_message_type type, int16_t id)
{
    struct ps_thrift_reader in = {.at = call, .end = call + call_length};
    struct ps_thrift_message message;
    assert_true(ps_thrift_read_message(&in, &message));
    call_length = 0;
    message.type = type;
    out = (struct ps_thrift_writer){.at = answer};
    ps_thrift_put_message(&out, &message);
    if (type == PS_THRIFT_REPLY && id >= 0)
        ps_thrift_put_field(&out, PS_THRIFT_STRUCT, id, 0);
}

static void put_text(int16_t id, const char *text)
{
    ps_thrift_put_field(&out, PS_THRIFT_STRING, id, 0);
    ps_thrift_put_text(&out, text, strlen(text));
}

static void send_answer(unsigned stops)
{
    while (stops-- > 0)
        ps_thrift_put_stop(&out);
    assert_int_equal(send(peer, answer, (size_t)(out.at - answer), MSG_NOSIGNAL), out.at - answer);
}

static void send_unknown_method(void)
{
    begin(PS_THRIFT_EXCEPTION, 0);
    put_text(1, "Invalid method name");
    ps_thrift_put_field(&out, PS_THRIFT_I32, 2, 1);
    ps_thrift_put_i32(&out, 1);
    send_answer(1);
}

/* A Table with only its location; `outer`: it is in a struct `outer`. */
static void send_table(bool outer)
{
    begin(PS_THRIFT_REPLY, 0);
    if (outer)
        ps_thrift_put_field(&out, PS_THRIFT_STRUCT, 1, 0);
    ps_thrift_put_field(&out, PS_THRIFT_STRUCT, 7, 0);
    put_text(2, "hdfs://nn/t");
    send_answer(outer ? 4 : 3);
}

static const struct ps_hive_request usual = {
    .database = "d", .table = "t", .user = "u", .host = "h", .agent = "a", .txn = 4, .txn_count = 2};

static void begin_call(enum ps_hive_call number)
{
    ps_metastore_call(metastore, number, &usual, done, &done_count);
}

static void test_calls_are_answered_in_their_order(void **state)
{
    begin_call(PS_HIVE_GET_TABLE);
    begin_call(PS_HIVE_OPEN_TXNS);
    begin_call(PS_HIVE_COMMIT_TXN);
    await_call("get_table_req");
    assert_false(has_call("open_txns")); /* one call at a time */
    send_table(true);
    await_done(1);
    assert_int_equal(outcomes[0], PS_HIVE_OK);
    assert_string_equal(table_text, "hdfs://nn/t");
    await_call("open_txns");
    begin(PS_THRIFT_REPLY, 0);
    ps_thrift_put_field(&out, PS_THRIFT_LIST, 1, 0);
    ps_thrift_put_list(&out, PS_THRIFT_I64, 2);
    ps_thrift_put_i64(&out, INT64_MAX);
    ps_thrift_put_i64(&out, -2);
    send_answer(2);
    await_done(2);
    assert_int_equal(numbers[0], INT64_MAX);
    assert_int_equal(numbers[1], -2);
    await_call("commit_txn");
    begin(PS_THRIFT_REPLY, 2); /* TxnAbortedException */
    put_text(1, "aborted\nby somebody");
    send_answer(2);
    await_done(3);
    assert_int_equal(outcomes[2], PS_HIVE_TXN_GONE);
    assert_string_equal(reason, "aborted by somebody");
    assert_int_equal(accepted, 1);
}

static void test_an_answer_in_pieces(void **state)
{
    begin_call(PS_HIVE_GET_TABLE);
    await_call("get_table_req");
    begin(PS_THRIFT_REPLY, 0);
    ps_thrift_put_field(&out, PS_THRIFT_STRUCT, 1, 0);
    ps_thrift_put_field(&out, PS_THRIFT_STRUCT, 7, 0);
    put_text(2, "hdfs://nn/t");
    for (int i = 0; i < 4; i++)
        ps_thrift_put_stop(&out);
    for (const uint8_t *at = answer; at < out.at; at++) {
        assert_int_equal(done_count, 0);
        assert_int_equal(send(peer, at, 1, MSG_NOSIGNAL), 1);
        turn();
    }
    await_done(1);
    assert_int_equal(outcomes[0], PS_HIVE_OK);
}

static void test_older_metastores(void **state)
{
    static const int64_t txns[] = {7, 9};
    struct ps_hive_request request = usual;
    begin_call(PS_HIVE_GET_TABLE);
    await_call("get_table_req");
    send_unknown_method();
    await_call("get_table");
    assert_null(memmem(call, call_length, "get_table_req", 13));
    send_table(false);
    await_done(1);
    assert_string_equal(table_text, "hdfs://nn/t");
    request.txns = txns;
    request.txns_count = 2;
    ps_metastore_call(metastore, PS_HIVE_ALLOCATE_TABLE_WRITE_IDS, &request, done, &done_count);
    await_call("allocate_table_write_ids");
    send_unknown_method();
    await_done(2);
    assert_int_equal(outcomes[1], PS_HIVE_OK);
    const int64_t pairs[] = {7, 7, 9, 9};
    assert_memory_equal(numbers, pairs, sizeof(pairs));
    begin_call(PS_HIVE_GET_TABLE); /* the client remembers that it uses the older call */
    await_call("get_table");
    assert_null(memmem(call, call_length, "get_table_req", 13));
    send_table(false);
    await_done(3);
    begin_call(PS_HIVE_UNLOCK);
    await_call("unlock");
    send_unknown_method();
    await_done(4);
    assert_int_equal(outcomes[3], PS_HIVE_NO_CALL);
}

static void test_a_lost_connection(void **state)
{
    begin_call(PS_HIVE_COMMIT_TXN);
    begin_call(PS_HIVE_OPEN_TXNS);
    await_call("commit_txn");
    close(peer);
    peer = -1;
    call_length = 0;
    await_done(1);
    assert_int_equal(outcomes[0], PS_HIVE_UNREACHABLE); /* it may have taken effect: it is not sent again */
    assert_non_null(strstr(reason, "commit_txn to the metastore at 127.0.0.1:"));
    await_call("open_txns"); /* over a new connection */
    assert_int_equal(accepted, 2);
}

/* An answer before the whole call was sent is not an answer to it. */
static void test_an_answer_that_is_too_early(void **state)
{
    static char name[16U << 20];
    struct ps_hive_request request = usual;
    memset(name, 'x', sizeof name - 1);
    request.database = name;
    ps_metastore_call(metastore, PS_HIVE_COMMIT_TXN, &usual, done, &done_count);
    await_call("commit_txn");
    begin(PS_THRIFT_REPLY, -1);
    send_answer(1);
    await_done(1);
    assert_int_equal(outcomes[0], PS_HIVE_OK);
    ps_metastore_call(metastore, PS_HIVE_GET_TABLE, &request, done, &done_count);
    while (call_length < sizeof call)
        turn();
    begin(PS_THRIFT_REPLY, 0);
    ps_thrift_put_field(&out, PS_THRIFT_STRUCT, 1, 0);
    ps_thrift_put_field(&out, PS_THRIFT_STRUCT, 7, 0);
    put_text(2, "hdfs://nn/t");
    call_length = sizeof call; /* the server receives nothing more */
    send_answer(4);
    await_done(2);
    assert_int_not_equal(outcomes[1], PS_HIVE_OK);
    assert_non_null(strstr(reason, "an answer that belongs to no call"));
}

/* An answer without a call is refused as well; the next call goes over another connection. */
static void test_an_answer_without_a_call(void **state)
{
    for (unsigned round = 0; round < 2; round++) {
        begin_call(PS_HIVE_COMMIT_TXN);
        await_call("commit_txn");
        begin(PS_THRIFT_REPLY, -1);
        send_answer(1);
        await_done(round + 1);
        assert_int_equal(outcomes[round], PS_HIVE_OK);
        assert_int_equal(accepted, round + 1);
        assert_int_equal(send(peer, answer, (size_t)(out.at - answer), MSG_NOSIGNAL), out.at - answer);
        char byte;
        for (unsigned i = 0; recv(peer, &byte, 1, MSG_PEEK | MSG_DONTWAIT) != 0;
             i++) { /* until the client has hung up */
            assert_true(i < PS_TEST_PATIENCE_MS);
            struct ps_now now = ps_clock_now();
            ps_hadoop_loop_turn(loop, &now);
            usleep(1000);
        }
        close(peer);
        peer = -1;
    }
}

static void test_time_outs(void **state)
{
    begin_call(PS_HIVE_COMMIT_TXN);
    await_call("commit_txn");
    later_ns = 1001 * PS_NS_PER_S;
    await_done(1);
    assert_int_equal(outcomes[0], PS_HIVE_TIMEOUT);
    close(peer);
    close(listener);
    peer = listener = -1;
    begin_call(PS_HIVE_COMMIT_TXN); /* no server listens */
    await_rest();
    assert_int_equal(done_count, 1);
    later_ns *= 3;
    await_done(2);
    assert_int_equal(outcomes[1], PS_HIVE_UNREACHABLE);
    assert_non_null(strstr(reason, "refused"));
}

/* No host name of the addresses is known: they are tried in turn until the call's time limit, and the answer has the resolver's words. */
static void test_unknown_names(void **state)
{
    struct ps_err err;
    const struct ps_metastore_settings settings = {.addresses = "thrift://one.test:9083,thrift://two.test",
                                                   .call_timeout_ns = 1000000 * PS_NS_PER_S,
                                                   .connect_ns = 900 * PS_NS_PER_S};
    ps_metastore_close(metastore);
    assert_int_equal(ps_metastore_open(&settings, loop, &metastore, &err), PS_OK);
    begin_call(PS_HIVE_COMMIT_TXN);
    for (unsigned waited = 0; name_server.answers < 4; waited++) { /* three answers have been used */
        assert_true(waited < PS_TEST_PATIENCE_MS);
        turn();
        usleep(1000);
        later_ns += PS_NS_PER_S / 10; /* it rests after the second one */
    }
    assert_int_equal(done_count, 0);
    later_ns = 1000001 * PS_NS_PER_S;
    await_done(1);
    assert_int_equal(outcomes[0], PS_HIVE_UNREACHABLE);
    if (strstr(reason, "the name cannot be resolved: Name or service not known") == NULL)
        fail_msg("the reason is \"%s\"", reason);
}

static void test_garbage(void **state)
{
    begin_call(PS_HIVE_OPEN_TXNS);
    await_call("open_txns");
    assert_int_equal(send(peer, "HTTP/1.1 400 Bad Request\r\n", 26, MSG_NOSIGNAL), 26);
    await_done(1);
    assert_int_equal(outcomes[0], PS_HIVE_UNREACHABLE);
    assert_non_null(strstr(reason, "not an answer of a metastore"));
}

static void test_addresses(void **state)
{
    static const char *const wrong[] = {"",
                                        "localhost:9083",
                                        "thrift://",
                                        "thrift://:9083",
                                        "thrift://h:0",
                                        "thrift://h:70000",
                                        "thrift://h:x",
                                        "thrift://h,http://i",
                                        ("thrift://a,thrift://a,thrift://a,thrift://a,thrift://a,thrift://a,"
                                         "thrift://a,thrift://a,thrift://a")};
    struct ps_err err;
    for (size_t i = 0; i < PS_COUNT_OF(wrong); i++)
        assert_int_equal(ps_metastore_check_addresses(wrong[i], &err), PS_FAIL);
    const char *most = strchr(wrong[PS_COUNT_OF(wrong) - 1], ',') + 1;
    assert_int_equal(ps_metastore_check_addresses(most, &err), PS_OK);
    assert_int_equal(ps_metastore_check_addresses("thrift://h", &err), PS_OK);
    assert_int_equal(ps_metastore_check_addresses("thrift://h:9083/, THRIFT://[::1]:1", &err), PS_OK);
}

static void test_the_longest_name_of_a_host(void **state)
{
    char address[sizeof("thrift://:9083") + PS_HOST_NAME_BYTES];
    struct ps_err err;
    for (int length = PS_HOST_NAME_BYTES - 1; length <= PS_HOST_NAME_BYTES; length++) {
        snprintf(address, sizeof(address), "thrift://%0*d:9083", length, 1);
        assert_int_equal(ps_metastore_check_addresses(address, &err),
                         length < PS_HOST_NAME_BYTES ? PS_OK : PS_FAIL);
    }
}

/* ---- when the client has to be called again ---- */

#define KERBEROS                                                                                             \
    "<configuration><property><name>hive.metastore.sasl.enabled</name><value>true</value></property>"        \
    "<property><name>hive.metastore.kerberos.principal</name><value>hive/_HOST@EXAMPLE.COM</value></"        \
    "property>"                                                                                              \
    "</configuration>"

static struct ps_hive_security *kerberos(void)
{
    struct ps_hadoop_configuration *configuration;
    struct ps_hive_security *security;
    struct ps_err err = {.length = 0};
    assert_int_equal(
        ps_hadoop_configuration_parse(&configuration, "hive-site.xml", KERBEROS, strlen(KERBEROS), &err),
        PS_OK);
    assert_int_equal(ps_hive_security_open(&security, configuration, NULL, NULL, &err), PS_OK);
    ps_hadoop_configuration_free(configuration);
    return security;
}

/* Takes all connections that the listener has room for, so that further ones stay under way. */
static void fill(unsigned number, int *fds, size_t count)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                  .sin_port = htons((uint16_t)number)};
    assert_int_equal(listen(listener, 0), 0);
    for (size_t i = 0; i < count; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)connect(fds[i], (struct sockaddr *)&address, sizeof(address));
    }
}

static nlink_t threads_at_first; /* of the process, as /proc counts them; a sanitizer may have one */

static nlink_t thread_count(void)
{
    struct stat tasks;
    assert_int_equal(stat("/proc/self/task", &tasks), 0);
    return tasks.st_nlink;
}

/* Waits for threads that were left to end by themselves: Kerberos does not bear that the process ends meanwhile. */
static void await_threads(void)
{
    for (unsigned waited = 0; thread_count() > threads_at_first; waited++) {
        assert_true(waited < PS_TEST_PATIENCE_MS);
        usleep(1000);
    }
}

/* While a connection is being made, the next call is due when it or the call takes too long, and with Kerberos after 20 ms, because a ticket wakes nobody. */
static void test_due_while_connecting(void **state)
{
    static const struct {
        bool secure;
        uint64_t connect_ns, call_ns, least_ns, most_ns;
    } rows[] = {{false, 900 * PS_NS_PER_S, 1000 * PS_NS_PER_S, 800 * PS_NS_PER_S, 900 * PS_NS_PER_S},
                {false, 1000 * PS_NS_PER_S, 700 * PS_NS_PER_S, 600 * PS_NS_PER_S, 700 * PS_NS_PER_S},
                {true, 900 * PS_NS_PER_S, 1000 * PS_NS_PER_S, 1, 20 * PS_NS_PER_MS}};
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        char addresses[64];
        int fds[4];
        struct ps_err err = {.length = 0};
        struct ps_hive_security *security = rows[i].secure ? kerberos() : NULL;
        const unsigned number = listen_anywhere();
        fill(number, fds, PS_COUNT_OF(fds));
        snprintf(addresses, sizeof(addresses), "thrift://127.0.0.1:%u", number);
        const struct ps_metastore_settings settings = {.addresses = addresses,
                                                       .call_timeout_ns = rows[i].call_ns,
                                                       .connect_ns = rows[i].connect_ns,
                                                       .security = security};
        port.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        port.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        done_count = 0;
        assert_int_equal(ps_hadoop_loop_open(&loop, &port, &err), PS_OK);
        assert_int_equal(ps_metastore_open(&settings, loop, &metastore, &err), PS_OK);
        begin_call(PS_HIVE_GET_TABLE);
        uint64_t due_ns = 0;
        for (unsigned waited = 0; due_ns < rows[i].least_ns || due_ns > rows[i].most_ns; waited++) {
            if (waited == PS_TEST_PATIENCE_MS)
                fail_msg("row %zu: due in %llu ms", i, (unsigned long long)(due_ns / PS_NS_PER_MS));
            struct ps_now now = ps_clock_now();
            uint64_t next_ns = ps_hadoop_loop_turn(loop, &now);
            due_ns = next_ns > now.mono_ns ? next_ns - now.mono_ns : 0;
            usleep(1000);
        }
        assert_int_equal(done_count, 0);
        for (size_t k = 0; k < PS_COUNT_OF(fds); k++)
            close(fds[k]);
        (void)tear_down(NULL);
        ps_hive_security_close(security);
    }
    await_threads();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_calls_are_answered_in_their_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_an_answer_in_pieces, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_older_metastores, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_lost_connection, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_an_answer_that_is_too_early, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_an_answer_without_a_call, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_time_outs, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_unknown_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_garbage, set_up, tear_down),
        cmocka_unit_test(test_due_while_connecting),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_the_longest_name_of_a_host),
    };
    threads_at_first = thread_count();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
