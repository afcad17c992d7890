#include "tests/support/kafka/scripted_broker.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/support.h"

void ps_test_broker_start(struct ps_test_broker *broker)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    *broker = (struct ps_test_broker){.fd = -1, .bytes = malloc(PS_TEST_REQUEST_BYTES_MAX)};
    broker->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_non_null(broker->bytes);
    assert_int_equal(bind(broker->listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(broker->listener, 16), 0);
    assert_int_equal(getsockname(broker->listener, (struct sockaddr *)&address, &length), 0);
    broker->port = ntohs(address.sin_port);
}

void ps_test_broker_hang_up(struct ps_test_broker *broker)
{
    if (broker->fd >= 0)
        close(broker->fd);
    broker->fd = -1;
    broker->length = broker->taken = 0;
}

void ps_test_broker_stop(struct ps_test_broker *broker)
{
    ps_test_broker_hang_up(broker);
    close(broker->listener);
    free(broker->bytes);
}

/* Reads what has arrived. */
static void fill(struct ps_test_broker *broker)
{
    if (broker->fd < 0) {
        broker->fd = accept4(broker->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        broker->connections += broker->fd >= 0;
    }
    if (broker->fd < 0)
        return;
    ssize_t got =
        recv(broker->fd, broker->bytes + broker->length, PS_TEST_REQUEST_BYTES_MAX - broker->length, 0);
    if (got == 0 || (got < 0 && errno != EAGAIN))
        ps_test_broker_hang_up(broker);
    else if (got > 0)
        broker->length += (uint32_t)got;
}

bool ps_test_broker_ask(struct ps_test_broker *broker, struct ps_test_request *request)
{
    uint32_t id_length;
    memmove(broker->bytes, broker->bytes + broker->taken, broker->length - broker->taken);
    broker->length -= broker->taken;
    broker->taken = 0;
    fill(broker);
    struct ps_wire_in in = {.at = broker->bytes, .end = broker->bytes + broker->length};
    uint32_t length = (uint32_t)ps_wire_get_int32(&in);
    if (in.failed || length > broker->length - sizeof length)
        return false;
    in.end = in.at + length;
    request->length = length;
    request->key = ps_wire_get_int16(&in);
    request->version = ps_wire_get_int16(&in);
    request->correlation = ps_wire_get_int32(&in);
    (void)ps_wire_get_string(&in, &id_length);
    assert_false(in.failed);
    request->body = in;
    broker->taken = length + (uint32_t)sizeof length;
    return true;
}

void ps_test_broker_answer(struct ps_test_broker *broker, const struct ps_test_request *request,
                           const char *body, uint32_t length, uint32_t part)
{
    char *bytes = malloc(length + 2 * sizeof(int32_t));
    assert_non_null(bytes);
    char *at = ps_wire_put_int32(bytes, (int32_t)(length + sizeof(int32_t)));
    at = ps_wire_put_int32(at, request->correlation);
    at = ps_wire_put_bytes(at, body, length);
    size_t all = (size_t)(at - bytes), some = part < all ? part : all;
    assert_int_equal(send(broker->fd, bytes, some, MSG_NOSIGNAL), some);
    free(bytes);
}
