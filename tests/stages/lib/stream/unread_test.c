/* Answers that clients do not read: they may fill the memory of a stream, but not for ever. */
#include "stages/lib/stream/stream.h"
#include "tests/support/net.h"
#include "tests/support/source_tree.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define MIB (UINT64_C(1) << 20)
#define CLIENTS_MAX 128
/* Of one client: the source's socket has room for all of them before the source reads one; its answers are more than a socket takes, and
 * shorter than 1 MiB, the limit of one connection. */
#define REQUESTS 800

static struct ps_test_stage stage;
static int clients[CLIENTS_MAX];
static unsigned client_count;

static const struct ps_stream *stream(void)
{
    return stage.state; /* the state of a source over TCP begins with its stream */
}

/* Returns the source's end of the connection. NULL: it is not accepted yet, or closed. */
static const struct ps_connection *end_of(int fd)
{
    struct sockaddr_in own;
    socklen_t length = sizeof own;
    assert_int_equal(getsockname(fd, (struct sockaddr *)&own, &length), 0);
    for (uint32_t slot = 0; slot < stream()->chunk_count * 64; slot++) {
        const struct ps_connection *one = &stream()->chunks[slot / 64][slot % 64];
        const struct sockaddr_in *peer = (const struct sockaddr_in *)(const void *)&one->peer.storage;
        if (one->fd >= 0 && peer->sin_port == own.sin_port)
            return one;
    }
    return NULL;
}

static int connect_client(void)
{
    int fd = ps_test_connect("127.0.0.1", ps_test_tcp_port(&stage, 0));
    for (unsigned i = 0; i < PS_TEST_PATIENCE_MS && end_of(fd) == NULL; i++)
        ps_test_source_cycle(&stage);
    assert_non_null(end_of(fd));
    return fd;
}

/* Keeps the answers in the stream: after its first ten segments the source's socket sends a byte per second, so it takes a
 * few KiB and, once those segments have arrived (is_full), no byte more. Without this the kernel takes bytes of a client that reads
 * nothing whenever it comes to it, and a client with no answers left is read again. */
static void slow_down(int fd)
{
    unsigned few = 1;
    assert_int_equal(setsockopt(end_of(fd)->fd, SOL_SOCKET, SO_SNDBUF, &few, sizeof few), 0);
    assert_int_equal(setsockopt(end_of(fd)->fd, SOL_SOCKET, SO_MAX_PACING_RATE, &few, sizeof few), 0);
}

/* Returns whether the source's socket takes no more bytes: all that it has sent have arrived, and the rest fills it. */
static bool is_full(int fd)
{
    int unconfirmed, unsent;
    struct pollfd room = {.fd = end_of(fd)->fd, .events = POLLOUT};
    assert_int_equal(ioctl(room.fd, SIOCOUTQ, &unconfirmed), 0);
    assert_int_equal(ioctl(room.fd, SIOCOUTQNSD, &unsent), 0);
    return unconfirmed == unsent && unsent > 0 && poll(&room, 1, 0) == 0;
}

/* Returns when the source's socket holds exactly these bytes of the client; the source reads nothing meanwhile. */
static void await_arrival(int fd, size_t length)
{
    uint64_t until_ns = ps_test_patience_end_ns();
    for (int arrived = 0; arrived != (int)length; usleep(100)) {
        assert_true(ps_test_patient_ns() < until_ns);
        assert_int_equal(ioctl(end_of(fd)->fd, FIONREAD, &arrived), 0);
    }
}

/* A client sends requests, the last one not whole, and never reads an answer. Returns the bytes that the stream then holds: nothing
 * more happens on this connection by itself. A client whose requests came later would need memory later, when the stream has none, and
 * be closed for that. */
static uint64_t add_deaf_client(void)
{
    static const char request[] = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n[]";
    static char requests[REQUESTS * (sizeof request - 1)];
    for (size_t at = 0; at < sizeof requests; at += sizeof request - 1)
        memcpy(requests + at, request, sizeof request - 1);
    int fd = connect_client();
    assert_true(client_count < CLIENTS_MAX);
    clients[client_count++] = fd;
    slow_down(fd);
    ps_test_send(fd, requests, sizeof requests - 10);
    await_arrival(fd, sizeof requests - 10);
    uint64_t until_ns = ps_test_patience_end_ns();
    while (!end_of(fd)->is_unsent || !is_full(fd)) {
        assert_true(ps_test_patient_ns() < until_ns);
        ps_test_source_cycle(&stage);
        assert_non_null(end_of(fd));
    }
    return stream()->slab.held_bytes;
}

/* Returns how many of the deaf clients are connected, and have answers to come. */
static unsigned waiting_count(void)
{
    unsigned count = 0;
    for (unsigned i = 0; i < client_count; i++) {
        const struct ps_connection *end = end_of(clients[i]);
        count += end != NULL && end->is_unsent;
    }
    return count;
}

static void fill_with_answers(void)
{
    uint64_t held = 0;
    while (held < stream()->slab.limit_bytes / 10 * 9 && client_count < CLIENTS_MAX)
        held = add_deaf_client();
    assert_true(held >= stream()->slab.limit_bytes / 10 * 9);
}

/* Sends a request that is longer than what the deaf clients leave. Returns whether it was answered 200. */
static bool is_served(void)
{
    enum { BODY = 900000 };
    char head[128], *body = malloc(BODY);
    assert_non_null(body);
    memset(body, ' ', BODY);
    memcpy(body, "[{\"body\":\"one\"}]", 16);
    int length =
        snprintf(head, sizeof head, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n", BODY);
    int fd = connect_client();
    char answer[16] = "";
    ssize_t got = -1;
    ps_test_send(fd, head, (size_t)length);
    uint64_t until_ns = ps_test_patience_end_ns();
    for (size_t sent = 0; got < 0;) {
        assert_true(ps_test_patient_ns() < until_ns);
        ssize_t n = sent < BODY ? send(fd, body + sent, BODY - sent, MSG_NOSIGNAL | MSG_DONTWAIT) : 0;
        sent += n > 0 ? (size_t)n : 0;
        ps_test_source_cycle(&stage);
        got = recv(fd, answer, sizeof answer - 1, MSG_DONTWAIT);
        assert_true(got >= 0 || errno == EAGAIN);
    }
    shutdown(fd, SHUT_WR);
    for (unsigned i = 0; i < PS_TEST_PATIENCE_MS && end_of(fd) != NULL; i++) {
        if (i > 100)
            usleep(1000);
        ps_test_source_cycle(&stage);
    }
    close(fd);
    free(body);
    return strncmp(answer, "HTTP/1.1 200", 12) == 0;
}

/* Clients that read none of their answers for ten seconds are closed when another client needs the memory; before that
 * they may only be slow. */
static void test_deaf_clients(void **unused)
{
    ps_test_stage_init_sized(&stage, &ps_source_http, 16 * MIB);
    assert_int_equal(ps_test_stage_bind(&stage, PS_KEYS("bind", "127.0.0.1", "port", "0")), PS_OK);
    assert_int_equal(ps_test_stage_build(&stage), PS_OK);
    assert_int_equal(ps_test_stage_open(&stage), PS_OK);
    fill_with_answers();
    uint32_t deaf = stream()->open_count;
    assert_int_equal(deaf, client_count);
    ps_test_stage_pass_ms(&stage, 5000);
    assert_false(is_served());
    assert_int_equal(stream()->open_count, deaf);
    assert_int_equal(waiting_count(), deaf);
    ps_test_stage_pass_ms(&stage, 5000);
    assert_true(is_served());
    assert_in_range(stream()->open_count, 1, deaf - 1); /* as many as were needed */
    for (unsigned i = 0; i < client_count; i++)
        close(clients[i]);
    for (unsigned i = 0; i < PS_TEST_PATIENCE_MS && stream()->open_count > 0; i++) {
        if (i > 1000)
            usleep(1000);
        ps_test_source_cycle(&stage);
        ps_test_stage_pass_ms(&stage, 10);
    }
    assert_int_equal(stream()->open_count, 0);
    assert_int_equal(stream()->slab.held_bytes, 0);
    ps_test_stage_fini(&stage);
    client_count = 0;
}

/* Sends a request with an event, which waits in the open batch. */
static int connect_waiting_client(void)
{
    int fd = connect_client();
    ps_test_send_text(fd, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 16\r\n\r\n[{\"body\":\"one\"}]");
    ps_test_source_fill(&stage, 1);
    return fd;
}

/* Sends bytes to the client, past the stream, until the socket takes no more. */
static void fill_socket(int fd)
{
    static const char scrap[65536];
    uint64_t until_ns = ps_test_patience_end_ns();
    slow_down(fd);
    while (!is_full(fd)) {
        assert_true(ps_test_patient_ns() < until_ns);
        assert_true(send(end_of(fd)->fd, scrap, sizeof scrap, MSG_NOSIGNAL | MSG_DONTWAIT) > 0 ||
                    errno == EAGAIN);
    }
}

/* The channel accepts the event of a client only after 15 s, and the client's socket takes no byte of the answer. Its ten seconds begin
 * with the answer, not with its request. */
static void test_answer_comes_late(void **unused)
{
    ps_test_stage_init_sized(&stage, &ps_source_http, 16 * MIB);
    assert_int_equal(ps_test_stage_bind(&stage, PS_KEYS("bind", "127.0.0.1", "port", "0")), PS_OK);
    assert_int_equal(ps_test_stage_build(&stage), PS_OK);
    assert_int_equal(ps_test_stage_open(&stage), PS_OK);
    int fd = connect_waiting_client();
    fill_socket(fd);
    ps_test_stage_pass_ms(&stage, 15000);
    ps_test_source_cycle(&stage);
    assert_true(end_of(fd)->is_unsent);
    assert_int_equal(end_of(fd)->out_sent, 0);
    ps_test_stage_pass_ms(&stage, 1000);
    fill_with_answers();
    assert_false(is_served());
    assert_non_null(end_of(fd));
    ps_test_stage_pass_ms(&stage, 10000);
    (void)is_served();
    assert_null(end_of(fd));
    close(fd);
    for (unsigned i = 0; i < client_count; i++)
        close(clients[i]);
    ps_test_stage_fini(&stage);
    client_count = 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_deaf_clients),
        cmocka_unit_test(test_answer_comes_late),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
