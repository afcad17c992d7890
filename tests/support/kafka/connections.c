#include "tests/support/kafka/connections.h"
#include "tests/support/kafka/listener.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/support.h"

void ps_test_request_read(struct ps_test_request *request, const char *bytes, uint32_t length)
{
    struct ps_wire_in in = {.at = bytes, .end = bytes + length};
    uint32_t id_length;
    request->length = length;
    request->key = ps_wire_get_int16(&in);
    request->version = ps_wire_get_int16(&in);
    request->correlation = ps_wire_get_int32(&in);
    (void)ps_wire_get_string(&in, &id_length);
    assert_false(in.failed);
    request->body = in;
}

static void hang_up(struct ps_test_connection *connection)
{
    if (connection->fd >= 0)
        close(connection->fd);
    connection->fd = -1;
}

void ps_test_connections_open(struct ps_test_connections *connections)
{
    connections->listener = ps_test_listen(&connections->port);
    for (unsigned i = 0; i < PS_TEST_CONNECTIONS; i++) {
        connections->items[i] = (struct ps_test_connection){
            .fd = -1, .in = malloc(PS_TEST_CONNECTION_BYTES), .out = malloc(PS_TEST_CONNECTION_BYTES)};
        assert_true(connections->items[i].in != NULL && connections->items[i].out != NULL);
    }
}

void ps_test_connections_break(struct ps_test_connections *connections)
{
    for (unsigned i = 0; i < PS_TEST_CONNECTIONS; i++)
        hang_up(&connections->items[i]);
}

void ps_test_connections_close(struct ps_test_connections *connections)
{
    close(connections->listener);
    ps_test_connections_break(connections);
    for (unsigned i = 0; i < PS_TEST_CONNECTIONS; i++) {
        free(connections->items[i].in);
        free(connections->items[i].out);
    }
}

char *ps_test_connection_begin(struct ps_test_connection *connection, const struct ps_test_request *request)
{
    return ps_wire_put_int32(connection->out + connection->out_length + sizeof(int32_t),
                             request->correlation);
}

void ps_test_connection_end(struct ps_test_connection *connection, const char *at)
{
    char *begin = connection->out + connection->out_length;
    (void)ps_wire_put_int32(begin, (int32_t)(at - begin) - (int32_t)sizeof(int32_t));
    connection->out_length += (uint32_t)(at - begin);
    assert_in_range(connection->out_length, 1, PS_TEST_CONNECTION_BYTES);
}

/* Handles the whole requests that have come. */
static void handle_all(struct ps_test_connections *connections, struct ps_test_connection *connection)
{
    uint32_t from = 0;
    while (!connection->breaks && connection->in_length - from >= sizeof(uint32_t)) {
        struct ps_wire_in in = {.at = connection->in + from, .end = connection->in + connection->in_length};
        uint32_t length = (uint32_t)ps_wire_get_int32(&in);
        struct ps_test_request request;
        if (length > connection->in_length - from - sizeof length)
            break;
        ps_test_request_read(&request, in.at, length);
        if (!connections->handle(connections->argument, connection, &request))
            break;
        connection->since_ns = 0;
        connection->number = 0;
        from += (uint32_t)sizeof length + length;
    }
    memmove(connection->in, connection->in + from, connection->in_length - from);
    connection->in_length -= from;
}

static bool receive(struct ps_test_connections *connections, struct ps_test_connection *connection)
{
    ssize_t got = recv(connection->fd, connection->in + connection->in_length,
                       PS_TEST_CONNECTION_BYTES - connection->in_length, 0);
    if (got == 0 || (got < 0 && errno != EAGAIN)) {
        hang_up(connection);
        return true;
    }
    connection->in_length += got > 0 ? (uint32_t)got : 0;
    handle_all(connections, connection);
    return got > 0;
}

static bool write_answers(const struct ps_test_connections *connections,
                          struct ps_test_connection *connection)
{
    uint32_t length = connection->out_length < connection->left ? connection->out_length : connection->left;
    if (connections->step != 0 && connections->step < length)
        length = connections->step;
    if (connections->silent)
        length = 0;
    ssize_t put = length > 0 ? send(connection->fd, connection->out, length, MSG_NOSIGNAL) : 0;
    if (put > 0) {
        memmove(connection->out, connection->out + put, connection->out_length - (uint32_t)put);
        connection->out_length -= (uint32_t)put;
        connection->left -= connection->left != UINT32_MAX ? (uint32_t)put : 0;
    }
    if (connection->left == 0)
        hang_up(connection);
    return put > 0;
}

static bool accept_one(struct ps_test_connections *connections)
{
    int fd = accept4(connections->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    const int one = 1; /* otherwise the kernel holds bytes back until earlier ones are acknowledged */
    if (fd < 0)
        return false;
    assert_int_equal(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one), 0);
    struct ps_test_connection *connection = connections->items;
    for (; connection->fd >= 0; connection++)
        assert_true(connection < &connections->items[PS_TEST_CONNECTIONS - 1]);
    *connection = (struct ps_test_connection){
        .fd = fd, .in = connection->in, .out = connection->out, .left = UINT32_MAX, .tag = connections->tag};
    return true;
}

bool ps_test_connections_serve(struct ps_test_connections *connections)
{
    struct pollfd polled[1 + PS_TEST_CONNECTIONS] = {{.fd = connections->listener, .events = POLLIN}};
    for (unsigned i = 0; i < PS_TEST_CONNECTIONS; i++)
        polled[1 + i] = (struct pollfd){.fd = connections->items[i].fd, .events = POLLIN};
    (void)poll(polled, PS_COUNT_OF(polled), 0);
    bool came = polled[0].revents != 0 && accept_one(connections);
    for (unsigned i = 0; i < PS_TEST_CONNECTIONS; i++) {
        struct ps_test_connection *connection = &connections->items[i];
        if (connection->fd >= 0 && connection->breaks)
            hang_up(connection);
        if (connection->fd >= 0 && connection->late > 0) {
            connection->late--;
            continue;
        }
        if (connection->fd >= 0)
            came |= write_answers(connections, connection);
        if (connection->fd >= 0 && polled[1 + i].revents != 0)
            came |= receive(connections, connection);
        else if (connection->fd >= 0 && connection->in_length > 0)
            handle_all(connections, connection); /* requests that were not answered yet */
    }
    return came;
}
