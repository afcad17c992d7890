/* The far end of the sink in echo.h. */
#include "tests/support/echo.h"
#include "tests/support/support.h"

#include "tests/support/echo_internal.h"

#include "stages/lib/avro/event.h"
#include "stages/lib/avro/reader.h"
#include "stages/lib/avro/request.h"
#include "stages/lib/thrift/event.h"
#include "stages/lib/thrift/request.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define LINKS_MAX 16
#define SLOW_NS 20000000L
#define MESSAGE_BYTES (1U << 20)

enum { ECHO, AVRO, THRIFT, IRC, PROTOCOLS };

struct link {
    int fd;
    int protocol;
    char *in; /* AVRO, THRIFT, IRC: bytes of a message that is not complete */
    size_t length;
    bool greeted;
};

static struct {
    pthread_t thread;
    pthread_mutex_t lock; /* guards all that follows */
    bool stop, cut, was_cut;
    enum ps_test_far_end mode;
    int listeners[PROTOCOLS], wake;
    uint16_t ports[PROTOCOLS];
    struct link links[LINKS_MAX];
    size_t link_count;
    char *text, *copy;
    size_t length, room;
} peer = {.lock = PTHREAD_MUTEX_INITIALIZER};

uint16_t ps_test_echo_port(void)
{
    return peer.ports[ECHO];
}

uint16_t ps_test_avro_port(void)
{
    return peer.ports[AVRO];
}

uint16_t ps_test_thrift_port(void)
{
    return peer.ports[THRIFT];
}

uint16_t ps_test_irc_port(void)
{
    return peer.ports[IRC];
}

static void record(const char *bytes, size_t length)
{
    if (peer.length + length > peer.room) {
        peer.room = 2 * (peer.length + length);
        peer.text = realloc(peer.text, peer.room);
        PS_ASSERT(peer.text != NULL);
    }
    memcpy(peer.text + peer.length, bytes, length);
    peer.length += length;
}

/* Returns whether to close the connection instead of answering. */
static bool is_cut(void)
{
    bool cut = peer.cut;
    peer.was_cut |= cut;
    peer.cut = false;
    return cut || peer.mode == PS_TEST_FAR_END_DOWN;
}

static bool answer_lines(const struct link *link, const char *bytes, size_t length)
{
    if (is_cut() || send(link->fd, bytes, length, MSG_NOSIGNAL) != (ssize_t)length)
        return false;
    record(bytes, length);
    return true;
}

/* Records the bodies of a call, one a line. */
static void record_call(const uint8_t *payload, size_t length, const struct ps_avro_request *request)
{
    struct ps_avro_reader in = {.at = payload + request->events_at, .end = payload + length};
    for (int64_t count; (count = ps_avro_read_block(&in)) > 0;) {
        for (; count > 0; count--) {
            struct ps_avro_datum datum;
            PS_ASSERT(ps_avro_event_read((const char *)in.at, (size_t)(in.end - in.at), &datum));
            record(datum.body.data, datum.body.length);
            record("\n", 1);
            in.at += datum.length;
        }
    }
}

static bool answer_calls(struct link *link)
{
    struct ps_avro_clients clients = {.count = 0};
    struct ps_avro_message message;
    while (ps_avro_message_measure(link->in, link->length, MESSAGE_BYTES, &message) == PS_AVRO_WHOLE) {
        struct ps_avro_request request;
        uint8_t reply[PS_AVRO_REPLY_BYTES_MAX];
        char *behind = link->in + message.wire_bytes;
        (void)ps_avro_message_flatten(link->in, &message);
        const uint8_t *payload = (const uint8_t *)behind - message.payload_bytes;
        ps_avro_request_read(payload, message.payload_bytes, !link->greeted, &clients, &request);
        PS_ASSERT(request.call == PS_AVRO_CALL_APPEND && request.batch);
        size_t length = ps_avro_put_status(reply, message.serial, link->greeted ? NULL : &request.match, 0);
        if (is_cut() || send(link->fd, reply, length, MSG_NOSIGNAL) != (ssize_t)length)
            return false;
        link->greeted = true;
        record_call(payload, message.payload_bytes, &request);
        link->length -= (size_t)(behind - link->in);
        memmove(link->in, behind, link->length);
    }
    return true;
}

/* Records the bodies of a call, one a line. */
static void record_thrift_call(const uint8_t *message, uint32_t length,
                               const struct ps_thrift_request *request)
{
    struct ps_thrift_reader in = {
        .at = message + request->events_at, .end = message + length, .compact = request->compact};
    for (uint32_t i = 0; i < request->events; i++) {
        struct ps_thrift_datum datum;
        PS_ASSERT(ps_thrift_event_read(&in, &datum) == NULL);
        record(datum.body.data, datum.body.length);
        record("\n", 1);
    }
}

static bool answer_thrift_calls(struct link *link)
{
    uint32_t length;
    while (ps_thrift_frame_measure(link->in, link->length, MESSAGE_BYTES, &length) == PS_THRIFT_WHOLE) {
        const uint8_t *message = (const uint8_t *)link->in + PS_THRIFT_FRAME_BYTES;
        struct ps_thrift_request request;
        uint8_t reply[PS_THRIFT_ANSWER_BYTES_MAX];
        PS_ASSERT(ps_thrift_request_read(&ps_thrift_flume, message, length, &request) && request.error == 0);
        size_t reply_length = ps_thrift_put_result(reply, request.compact, &request.message.name,
                                                   request.message.number, 0, request.round);
        if (is_cut() || send(link->fd, reply, reply_length, MSG_NOSIGNAL) != (ssize_t)reply_length)
            return false;
        record_thrift_call(message, length, &request);
        link->length -= PS_THRIFT_FRAME_BYTES + length;
        memmove(link->in, link->in + PS_THRIFT_FRAME_BYTES + length, link->length);
    }
    return true;
}

static bool reply(const struct link *link, const char *format, const char *text)
{
    char line[512];
    int length = snprintf(line, sizeof line, format, text);
    return send(link->fd, line, (size_t)length, MSG_NOSIGNAL) == length;
}

/* A server of IRC: it welcomes every client, and counts messages when the client sends a request to confirm them. */
static bool answer_chat(struct link *link)
{
    static const char said[] = "PRIVMSG #logs :";
    char *at = link->in, *end;
    link->in[link->length] = '\0';
    for (char *ping; (ping = strstr(at, "PING :")) != NULL && (end = strstr(ping, "\r\n")) != NULL;) {
        *end = '\0';
        if (is_cut() || !reply(link, ":srv PONG srv :%s\r\n", ping + 6))
            return false;
        for (char *line; (line = strstr(at, said)) != NULL && line < ping; at = line) {
            line += sizeof said - 1;
            size_t length = strcspn(line, "\r");
            record(line, length);
            record("\n", 1);
        }
        at = end + 2;
    }
    link->length -= (size_t)(at - link->in);
    memmove(link->in, at, link->length);
    link->in[link->length] = '\0';
    if (strncmp(link->in, "NICK ", 5) == 0 && strstr(link->in, "USER ") != NULL) {
        link->length = 0;
        return reply(link, ":srv 001 %s :Welcome\r\n", "flume");
    }
    if (strncmp(link->in, "JOIN #logs\r\n", 12) == 0) {
        link->length = 0;
        return reply(link, ":%s!f@host JOIN :#logs\r\n", "flume");
    }
    return true;
}

/* Answers what has come. Returns false when the connection is to be closed. */
static bool answer(struct link *link)
{
    char bytes[8192];
    ssize_t length = recv(link->fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (length <= 0)
        return length < 0 && errno == EAGAIN;
    if (link->protocol == ECHO)
        return answer_lines(link, bytes, (size_t)length);
    PS_ASSERT(link->length + (size_t)length < MESSAGE_BYTES);
    memcpy(link->in + link->length, bytes, (size_t)length);
    link->length += (size_t)length;
    if (link->protocol == IRC)
        return answer_chat(link);
    return link->protocol == AVRO ? answer_calls(link) : answer_thrift_calls(link);
}

static void close_link(const struct link *link)
{
    close(link->fd);
    free(link->in);
}

static void serve_links(const struct pollfd *polled, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        bool stays = peer.mode != PS_TEST_FAR_END_DOWN && (polled[i].revents == 0 || answer(&peer.links[i]));
        if (stays)
            peer.links[kept++] = peer.links[i];
        else
            close_link(&peer.links[i]);
    }
    peer.link_count = kept;
}

static void accept_links(int protocol)
{
    for (int fd; (fd = accept4(peer.listeners[protocol], NULL, NULL, SOCK_CLOEXEC)) >= 0;) {
        struct link link = {.fd = fd, .protocol = protocol};
        if (peer.mode == PS_TEST_FAR_END_DOWN || peer.link_count == LINKS_MAX) {
            close(fd);
            continue;
        }
        if (protocol != ECHO) {
            link.in = malloc(MESSAGE_BYTES);
            PS_ASSERT(link.in != NULL);
        }
        peer.links[peer.link_count++] = link;
    }
}

static void *serve(void *unused)
{
    pthread_mutex_lock(&peer.lock);
    while (!peer.stop) {
        struct pollfd polled[LINKS_MAX + PROTOCOLS + 1];
        uint64_t count;
        size_t links = peer.link_count;
        for (size_t i = 0; i < links; i++)
            polled[i] = (struct pollfd){.fd = peer.links[i].fd, .events = POLLIN};
        for (size_t i = 0; i < PROTOCOLS; i++)
            polled[links + i] = (struct pollfd){.fd = peer.listeners[i], .events = POLLIN};
        polled[links + PROTOCOLS] = (struct pollfd){.fd = peer.wake, .events = POLLIN};
        bool slow = peer.mode == PS_TEST_FAR_END_SLOW;
        pthread_mutex_unlock(&peer.lock);
        poll(polled, links + PROTOCOLS + 1, -1);
        if (slow)
            nanosleep(&(struct timespec){.tv_nsec = SLOW_NS}, NULL);
        pthread_mutex_lock(&peer.lock);
        (void)!read(peer.wake, &count, sizeof count);
        serve_links(polled, links);
        for (int i = 0; i < PROTOCOLS; i++)
            accept_links(i);
    }
    pthread_mutex_unlock(&peer.lock);
    return NULL;
}

static void wake(void)
{
    assert_int_equal(write(peer.wake, &(uint64_t){1}, 8), 8);
}

static void listen_for(int protocol)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &length), 0);
    assert_int_equal(listen(listener, 16), 0);
    peer.listeners[protocol] = listener;
    peer.ports[protocol] = ntohs(address.sin_port);
}

void ps_test_echo_start(void)
{
    peer.stop = false;
    peer.mode = PS_TEST_FAR_END_UP;
    peer.wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    for (int i = 0; i < PROTOCOLS; i++)
        listen_for(i);
    assert_int_equal(pthread_create(&peer.thread, NULL, serve, NULL), 0);
}

void ps_test_echo_stop(void)
{
    pthread_mutex_lock(&peer.lock);
    peer.stop = true;
    wake();
    pthread_mutex_unlock(&peer.lock);
    pthread_join(peer.thread, NULL);
    while (peer.link_count > 0)
        close_link(&peer.links[--peer.link_count]);
    for (size_t i = 0; i < PROTOCOLS; i++)
        close(peer.listeners[i]);
    close(peer.wake);
    free(peer.text);
    free(peer.copy);
    peer.text = peer.copy = NULL;
    peer.length = peer.room = 0;
}

void ps_test_echo_set(enum ps_test_far_end mode)
{
    pthread_mutex_lock(&peer.lock);
    peer.mode = mode;
    wake();
    pthread_mutex_unlock(&peer.lock);
}

void ps_test_echo_cut(void)
{
    pthread_mutex_lock(&peer.lock);
    peer.cut = true;
    peer.was_cut = false;
    pthread_mutex_unlock(&peer.lock);
}

bool ps_test_echo_was_cut(void)
{
    pthread_mutex_lock(&peer.lock);
    bool was_cut = peer.was_cut;
    pthread_mutex_unlock(&peer.lock);
    return was_cut;
}

void ps_test_echo_clear(void)
{
    pthread_mutex_lock(&peer.lock);
    peer.length = 0;
    pthread_mutex_unlock(&peer.lock);
}

const char *ps_test_echo_text(void)
{
    pthread_mutex_lock(&peer.lock);
    free(peer.copy);
    peer.copy = strndup(peer.text != NULL ? peer.text : "", peer.length);
    pthread_mutex_unlock(&peer.lock);
    assert_non_null(peer.copy);
    return peer.copy;
}
