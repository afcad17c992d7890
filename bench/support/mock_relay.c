#include "bench/support/mock_relay.h"

#include "core/base.h"
#include "core/thread.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define BUFFER_BYTES 65536U

/* One direction: the bytes that were read from one end and not yet written to the other. */
struct flow {
    size_t length, written;
    char bytes[BUFFER_BYTES];
};

struct connection {
    int ends[2];          /* client, broker */
    struct flow flows[2]; /* flows[i]: from ends[i] to ends[1 - i] */
};

struct ps_mock_relay {
    int listener, stop; /* stop: an eventfd */
    uint16_t broker_port;
    pthread_t thread;
    struct connection *connections[PS_MOCK_RELAY_CONNECTIONS_MAX];
    unsigned count;
};

static struct sockaddr_in loopback(uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
}

static void connection_close(struct ps_mock_relay *relay, unsigned index)
{
    struct connection *connection = relay->connections[index];
    close(connection->ends[0]);
    close(connection->ends[1]);
    free(connection);
    relay->connections[index] = relay->connections[--relay->count];
}

/* Accepts a connection. Closes it if the client cannot be served: the client tries again. Does not wait for the broker,
 * because librdkafka's mock cluster lets few connections wait, and while its queue is full a connect takes seconds. */
static void connection_accept(struct ps_mock_relay *relay)
{
    struct sockaddr_in address = loopback(relay->broker_port);
    int one = 1, client = accept4(relay->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (client < 0)
        return;
    int broker = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (broker < 0 ||
        (connect(broker, (struct sockaddr *)&address, sizeof address) != 0 && errno != EINPROGRESS)) {
        close(client);
        if (broker >= 0)
            close(broker);
        return;
    }
    setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(broker, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct connection *connection = ps_must_alloc(1, sizeof *connection, "a connection to the mock broker");
    connection->ends[0] = client;
    connection->ends[1] = broker;
    relay->connections[relay->count++] = connection;
}

/* Moves what can be moved. Returns false when one end is closed: the connection then ends. */
static bool flow_move(struct flow *flow, int from, int to)
{
    if (flow->length == 0) {
        ssize_t got = recv(from, flow->bytes, sizeof flow->bytes, MSG_DONTWAIT);
        if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
            return false;
        flow->length = got > 0 ? (size_t)got : 0;
        flow->written = 0;
    }
    if (flow->length == 0)
        return true;
    ssize_t sent =
        send(to, flow->bytes + flow->written, flow->length - flow->written, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0)
        return errno == EAGAIN || errno == EINTR;
    flow->written += (size_t)sent;
    if (flow->written == flow->length)
        flow->length = 0;
    return true;
}

static void *relay_run(void *argument)
{
    struct ps_mock_relay *relay = argument;
    struct pollfd polls[2 + 2 * PS_MOCK_RELAY_CONNECTIONS_MAX];
    for (;;) {
        polls[0] = (struct pollfd){.fd = relay->stop, .events = POLLIN};
        polls[1] = (struct pollfd){.fd = relay->count < PS_MOCK_RELAY_CONNECTIONS_MAX ? relay->listener : -1,
                                   .events = POLLIN};
        for (unsigned i = 0; i < relay->count; i++) {
            const struct connection *connection = relay->connections[i];
            for (unsigned end = 0; end < 2; end++) {
                bool reads = connection->flows[end].length == 0,
                     writes = connection->flows[1 - end].length > 0;
                polls[2 + 2 * i + end] =
                    (struct pollfd){.fd = connection->ends[end],
                                    .events = (short)((reads ? POLLIN : 0) | (writes ? POLLOUT : 0))};
            }
        }
        unsigned polled = relay->count;
        if (poll(polls, 2 + 2 * polled, -1) < 0)
            continue;
        if (polls[0].revents != 0)
            return NULL;
        /* backwards, because closing moves the last connection into the closed one's place */
        for (unsigned i = polled; i-- > 0;) {
            struct connection *connection = relay->connections[i];
            if ((polls[2 + 2 * i].revents | polls[3 + 2 * i].revents) != 0 &&
                (!flow_move(&connection->flows[0], connection->ends[0], connection->ends[1]) ||
                 !flow_move(&connection->flows[1], connection->ends[1], connection->ends[0])))
                connection_close(relay, i);
        }
        if (polls[1].revents != 0)
            connection_accept(relay);
    }
}

static enum ps_status listen_on(struct ps_mock_relay *relay, uint16_t port, struct ps_err *err)
{
    struct sockaddr_in address = loopback(port);
    int one = 1;
    relay->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (relay->listener < 0)
        return ps_err_set(err, "port %u: %s", port, strerror(errno));
    setsockopt(relay->listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(relay->listener, (struct sockaddr *)&address, sizeof address) == 0 &&
        listen(relay->listener, 128) == 0)
        return PS_OK;
    if (errno == EADDRINUSE)
        return ps_err_set(
            err, "port %u of 127.0.0.1 is in use; choose another one, or end what listens there (ss -ltnp)",
            port);
    if (errno == EACCES)
        return ps_err_set(err, "port %u: ports below 1024 need the capability CAP_NET_BIND_SERVICE", port);
    return ps_err_set(err, "port %u of 127.0.0.1: %s", port, strerror(errno));
}

struct ps_mock_relay *ps_mock_relay_create(uint16_t port, uint16_t broker_port, struct ps_err *err)
{
    struct ps_mock_relay *relay = ps_must_alloc(1, sizeof *relay, "the mock broker's relay");
    relay->broker_port = broker_port;
    relay->stop = -1;
    if (listen_on(relay, port, err) != PS_OK)
        goto failed;
    relay->stop = eventfd(0, EFD_CLOEXEC);
    int failure = relay->stop >= 0 ? ps_thread_start(&relay->thread, "mock-relay", relay_run, relay) : errno;
    if (failure == 0)
        return relay;
    ps_err_set(err, "port %u: %s", port, strerror(failure));
failed:
    if (relay->listener >= 0)
        close(relay->listener);
    if (relay->stop >= 0)
        close(relay->stop);
    free(relay);
    return NULL;
}

void ps_mock_relay_destroy(struct ps_mock_relay *relay)
{
    uint64_t one = 1;
    if (relay == NULL)
        return;
    ssize_t written = write(relay->stop, &one, sizeof one);
    PS_ASSERT(written == sizeof one);
    (void)ps_thread_join(relay->thread, PS_THREAD_PATIENT);
    while (relay->count > 0)
        connection_close(relay, relay->count - 1);
    close(relay->listener);
    close(relay->stop);
    free(relay);
}
