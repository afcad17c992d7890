/* UDP sockets: datagrams of every size in order, more datagrams than one system call returns, runs that the kernel joined, and the
 * end of draining. */
#include "stages/lib/net/datagrams.h"
#include "core/clock.h"
#include "tests/support/support.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

static struct ps_counters counters;
static struct ps_port port;
static struct ps_datagrams datagrams;
static int sender;

static int set_up(void **state)
{
    struct ps_err err = {0};
    const struct ps_bind_options options = {
        .host = "127.0.0.1", .datagrams = true, .receive_buffer_bytes = 1 << 22};
    memset(&counters, 0, sizeof counters);
    port = (struct ps_port){
        .component = "test", .epoll_fd = epoll_create1(EPOLL_CLOEXEC), .counters = &counters};
    if (ps_datagrams_init(&datagrams, &options, true, &port, &err) != PS_OK)
        fail_msg("%s", err.text);
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)ps_address_port(&datagrams.bound)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    sender = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(sender, (struct sockaddr *)&to, sizeof to), 0);
    return 0;
}

static int tear_down(void **state)
{
    ps_datagrams_fini(&datagrams);
    close(sender);
    close(port.epoll_fd);
    return 0;
}

static char bytes[PS_DATAGRAM_BYTES_MAX];

static void send_one(uint8_t number, size_t length)
{
    memset(bytes, number, length);
    assert_int_equal(send(sender, bytes, length, 0), length);
}

/* Asserts the next datagram; it stays until the reader advances. */
static void expect(uint8_t number, size_t length)
{
    struct ps_slice datagram;
    const struct ps_address *peer;
    for (unsigned twice = 0; twice < 2; twice++) {
        assert_true(ps_datagrams_peek(&datagrams, &datagram, &peer));
        assert_int_equal(datagram.length, length);
        for (size_t i = 0; i < length; i++)
            if ((uint8_t)datagram.data[i] != number)
                fail_msg("byte %zu of datagram %u is %u", i, number, (uint8_t)datagram.data[i]);
        struct sockaddr_in own;
        socklen_t own_length = sizeof own;
        assert_int_equal(getsockname(sender, (struct sockaddr *)&own, &own_length), 0);
        assert_int_equal(ps_address_port(peer), ntohs(own.sin_port));
    }
    ps_datagrams_advance(&datagrams);
}

static void expect_none(void)
{
    struct ps_slice datagram;
    const struct ps_address *peer;
    assert_false(ps_datagrams_peek(&datagrams, &datagram, &peer));
}

/* Numbers of datagrams around what one system call returns: all of them come in one call of `work`, and none earlier. */
static void test_counts(void **unused)
{
    static const unsigned counts[] = {1,
                                      PS_DATAGRAMS_AT_ONCE - 1,
                                      PS_DATAGRAMS_AT_ONCE,
                                      PS_DATAGRAMS_AT_ONCE + 1,
                                      3 * PS_DATAGRAMS_AT_ONCE,
                                      3 * PS_DATAGRAMS_AT_ONCE + 5};
    for (size_t i = 0; i < PS_COUNT_OF(counts); i++) {
        for (unsigned k = 0; k < counts[i]; k++)
            send_one((uint8_t)k, 1 + k % 7);
        expect_none();
        ps_datagrams_begin(&datagrams);
        for (unsigned k = 0; k < counts[i]; k++)
            expect((uint8_t)k, 1 + k % 7);
        expect_none();
        ps_datagrams_begin(&datagrams);
        expect_none(); /* the socket is empty */
    }
    assert_int_equal(counters.values[PS_COUNTER_kernel_dropped], 0);
}

static void test_sizes(void **unused)
{
    static const size_t sizes[] = {0, 1, 1472, 1473, 65506, 65507, 0, 3};
    for (size_t i = 0; i < PS_COUNT_OF(sizes); i++)
        send_one((uint8_t)i, sizes[i]);
    ps_datagrams_begin(&datagrams);
    for (size_t i = 0; i < PS_COUNT_OF(sizes); i++)
        expect((uint8_t)i, sizes[i]);
    expect_none();
}

/* Datagrams that a sender gave to the kernel in one piece (UDP_SEGMENT) are received one by one; the last one is
 * shorter or of the same size. */
static void test_runs(void **unused)
{
    enum { SEGMENT = 100 };
    static const size_t lengths[] = {SEGMENT, 3 * SEGMENT, 3 * SEGMENT + 1, 4 * SEGMENT - 1, 40 * SEGMENT};
    int segment = SEGMENT;
    if (setsockopt(sender, IPPROTO_UDP, UDP_SEGMENT, &segment, sizeof segment) != 0)
        ps_test_skip("the kernel has no UDP_SEGMENT");
    for (size_t i = 0; i < PS_COUNT_OF(lengths); i++) {
        for (size_t at = 0; at < lengths[i]; at++)
            bytes[at] = (char)(at / SEGMENT);
        assert_int_equal(send(sender, bytes, lengths[i], 0), lengths[i]);
    }
    ps_datagrams_begin(&datagrams);
    for (size_t i = 0; i < PS_COUNT_OF(lengths); i++)
        for (size_t at = 0; at < lengths[i]; at += SEGMENT)
            expect((uint8_t)(at / SEGMENT), lengths[i] - at < SEGMENT ? lengths[i] - at : SEGMENT);
    expect_none();
}

/* Draining ends when the socket was empty, or after a second: not earlier while there are datagrams; nothing is received after it. */
static void test_drain(void **unused)
{
    const uint64_t begin_ns = 50 * PS_NS_PER_S;
    struct ps_now now = {.mono_ns = begin_ns};
    assert_false(ps_datagrams_source_drain(NULL, &datagrams, &now));
    ps_datagrams_begin(&datagrams);
    expect_none();
    assert_true(ps_datagrams_source_drain(NULL, &datagrams, &now));
    for (unsigned k = 0; k < 2 * PS_DATAGRAMS_AT_ONCE; k++)
        send_one((uint8_t)k, 1);
    ps_datagrams_begin(&datagrams);
    expect(0, 1);
    now.mono_ns = begin_ns + PS_NS_PER_S - 1;
    assert_false(ps_datagrams_source_drain(NULL, &datagrams, &now));
    for (unsigned k = 1; k < PS_DATAGRAMS_AT_ONCE; k++)
        expect((uint8_t)k, 1);
    assert_false(ps_datagrams_source_drain(NULL, &datagrams, &now));
    now.mono_ns++;
    assert_true(ps_datagrams_source_drain(NULL, &datagrams, &now));
    ps_datagrams_begin(&datagrams);
    expect_none(); /* although there are more datagrams */
}

/* A source that is closed while its channel is full gives up the datagrams that one system call returned and nobody read: one of
 * a run, too. */
static void test_rest(void **unused)
{
    int segment = 100;
    for (uint8_t k = 0; k < 5; k++)
        send_one(k, 10);
    bool runs = setsockopt(sender, IPPROTO_UDP, UDP_SEGMENT, &segment, sizeof segment) == 0;
    send_one(5, 750); /* a run of eight */
    ps_datagrams_begin(&datagrams);
    expect(0, 10);
    expect(1, 10);
    assert_int_equal(counters.values[PS_COUNTER_dropped], 0);
    ps_datagrams_fini(&datagrams);
    assert_int_equal(counters.values[PS_COUNTER_dropped], 3 + (runs ? 8 : 1));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, set_up, tear_down)
    const struct CMUnitTest tests[] = {TEST(counts), TEST(sizes), TEST(runs), TEST(drain), TEST(rest)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
