#include "tests/support/rpc_server.h"

#include "stages/lib/avro/request.h"
#include "tests/support/port.h"
#include "tests/support/support.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define MESSAGE_BYTES_MAX (64U << 20)

static void link_close(struct ps_test_rpc_link *link)
{
    if (link->fd >= 0)
        close(link->fd);
    free(link->in);
    *link = (struct ps_test_rpc_link){.fd = -1};
}

static void answer_write(const struct ps_test_rpc_link *link, const uint8_t *bytes, size_t length)
{
    (void)!send(link->fd, bytes, length, MSG_NOSIGNAL); /* a few bytes: the socket takes them */
}

/* Answers a call. Returns false: close the connection. */
static bool answer(struct ps_test_rpc_server *server, struct ps_test_rpc_link *link, uint32_t serial,
                   const struct ps_avro_request *request)
{
    static const enum ps_avro_match none = PS_AVRO_MATCH_NONE;
    uint8_t reply[PS_AVRO_REPLY_BYTES_MAX];
    const enum ps_avro_match *match = link->greeted ? NULL : &request->match;
    int behaviour = atomic_load(&server->behaviour);
    size_t length;
    if (atomic_load(&server->calls_good) > 0) {
        atomic_fetch_sub(&server->calls_good, 1);
        behaviour = PS_TEST_RPC_OK;
    }
    link->greeted = true;
    switch (behaviour) {
    case PS_TEST_RPC_SILENT:
        return true;
    case PS_TEST_RPC_CLOSES:
        return false;
    case PS_TEST_RPC_HALF:
        length = ps_avro_put_status(reply, serial, match, 0);
        answer_write(link, reply, length / 2);
        return false;
    case PS_TEST_RPC_NONSENSE:
        answer_write(link, (const uint8_t *)"HTTP/1.1 400 Bad Request\r\n\r\n", 28);
        return true;
    case PS_TEST_RPC_ERROR:
        length = ps_avro_put_error(reply, serial, match, "no such thing");
        break;
    case PS_TEST_RPC_NO_MATCH:
        length = ps_avro_put_greeting(reply, serial, &none);
        break;
    default:
        length = ps_avro_put_status(reply, serial, match, (unsigned)behaviour);
        if (behaviour == PS_TEST_RPC_OK)
            atomic_fetch_add(&server->acknowledged, (unsigned)request->events);
        break;
    }
    answer_write(link, reply, length);
    return true;
}

/* Takes one message. Returns false: close the connection. */
static bool take_message(struct ps_test_rpc_server *server, struct ps_test_rpc_link *link, size_t *at,
                         bool *whole)
{
    struct ps_avro_message message;
    struct ps_avro_request request = {.call = PS_AVRO_CALL_PING};
    struct ps_avro_clients clients = {.count = 0};
    enum ps_avro_framing framing =
        ps_avro_message_measure(link->in + *at, link->length - *at, MESSAGE_BYTES_MAX, &message);
    *whole = framing == PS_AVRO_WHOLE;
    if (framing != PS_AVRO_WHOLE)
        return framing == PS_AVRO_PARTIAL;
    size_t end = *at + message.wire_bytes;
    ps_avro_message_flatten(link->in + *at, &message);
    ps_avro_request_read(link->in + end - message.payload_bytes, message.payload_bytes, !link->greeted,
                         &clients, &request);
    *at = end;
    bool good = request.call == PS_AVRO_CALL_APPEND;
    atomic_fetch_add(good ? &server->calls : &server->strange, 1);
    atomic_fetch_add(&server->events, good ? (unsigned)request.events : 0);
    return answer(server, link, message.serial, &request);
}

/* Returns false: close the connection. */
static bool link_read(struct ps_test_rpc_server *server, struct ps_test_rpc_link *link)
{
    if (link->room - link->length < 65536) {
        link->room = 2 * link->room + 65536;
        link->in = realloc(link->in, link->room);
    }
    ssize_t length = recv(link->fd, link->in + link->length, link->room - link->length, MSG_DONTWAIT);
    if (length <= 0)
        return length < 0;
    link->length += (size_t)length;
    size_t at = 0;
    for (bool whole = true; whole;) {
        if (!take_message(server, link, &at, &whole))
            return false;
    }
    memmove(link->in, link->in + at, link->length - at);
    link->length -= at;
    return true;
}

static void link_accept(struct ps_test_rpc_server *server)
{
    int fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    for (unsigned i = 0; fd >= 0 && i < PS_TEST_RPC_LINKS; i++) {
        if (server->links[i].fd >= 0)
            continue;
        server->links[i].fd = fd;
        atomic_fetch_add(&server->connections, 1);
        return;
    }
    if (fd >= 0)
        close(fd);
}

/* Waits until the client's socket has the end of the connection: the kernel may hand it over later. A client that has closed its
 * socket already is not waited for. */
static void await_end(int fd)
{
    struct tcp_info info;
    socklen_t length = sizeof info;
    uint64_t until_ns = ps_test_patience_end_ns();
    while (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) == 0 && info.tcpi_state == TCP_FIN_WAIT1 &&
           ps_test_patient_ns() < until_ns)
        usleep(100);
}

static void links_drop(struct ps_test_rpc_server *server)
{
    for (unsigned i = 0; i < PS_TEST_RPC_LINKS; i++) {
        if (server->links[i].fd >= 0 && shutdown(server->links[i].fd, SHUT_WR) == 0)
            await_end(server->links[i].fd);
    }
    for (unsigned i = 0; i < PS_TEST_RPC_LINKS; i++)
        link_close(&server->links[i]);
}

static void *run(void *server_)
{
    struct ps_test_rpc_server *server = server_;
    struct pollfd ready[PS_TEST_RPC_LINKS + 2];
    while (!atomic_load(&server->stop)) {
        char bytes[64];
        for (unsigned i = 0; i < PS_TEST_RPC_LINKS; i++)
            ready[i] = (struct pollfd){.fd = server->links[i].fd, .events = POLLIN};
        ready[PS_TEST_RPC_LINKS] = (struct pollfd){.fd = server->listener, .events = POLLIN};
        ready[PS_TEST_RPC_LINKS + 1] = (struct pollfd){.fd = server->wake[0], .events = POLLIN};
        poll(ready, PS_TEST_RPC_LINKS + 2, -1);
        if (ready[PS_TEST_RPC_LINKS + 1].revents != 0)
            (void)!read(server->wake[0], bytes, sizeof bytes);
        for (unsigned i = 0; i < PS_TEST_RPC_LINKS; i++) {
            if (ready[i].revents != 0 && !link_read(server, &server->links[i]))
                link_close(&server->links[i]);
        }
        if (atomic_load(&server->drops) > 0) {
            links_drop(server);
            atomic_fetch_sub(&server->drops, 1);
        }
        if (ready[PS_TEST_RPC_LINKS].revents != 0)
            link_accept(server);
    }
    return NULL;
}

void ps_test_rpc_restart(struct ps_test_rpc_server *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)server->port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int yes = 1;
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    setsockopt(server->listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    assert_int_equal(bind(server->listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(server->listener, 256), 0);
    assert_int_equal(pipe2(server->wake, O_CLOEXEC | O_NONBLOCK), 0);
    for (unsigned i = 0; i < PS_TEST_RPC_LINKS; i++)
        server->links[i].fd = -1;
    atomic_store(&server->stop, false);
    assert_int_equal(pthread_create(&server->thread, NULL, run, server), 0);
}

void ps_test_rpc_start(struct ps_test_rpc_server *server)
{
    *server = (struct ps_test_rpc_server){.port = ps_test_port(SOCK_STREAM)};
    ps_test_rpc_restart(server);
}

void ps_test_rpc_stop(struct ps_test_rpc_server *server)
{
    atomic_store(&server->stop, true);
    assert_int_equal(write(server->wake[1], "", 1), 1);
    pthread_join(server->thread, NULL);
    links_drop(server);
    close(server->listener);
    close(server->wake[0]);
    close(server->wake[1]);
}

void ps_test_rpc_drop(struct ps_test_rpc_server *server)
{
    atomic_fetch_add(&server->drops, 1);
    assert_int_equal(write(server->wake[1], "", 1), 1);
    while (atomic_load(&server->drops) > 0)
        ps_test_yield();
}
