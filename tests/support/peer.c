#include "tests/support/peer.h"

#include "core/clock.h"
#include "tests/support/port.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define LINKS_MAX 64
#define READ_BYTES (64 * 1024)
#define EVENT_BYTES_MAX (1 << 20)

/* ---- received events ---- */

uint64_t ps_test_peer_sequence(struct ps_test_peer *peer, const char *text, size_t length)
{
    static _Thread_local char wanted[EVENT_BYTES_MAX];
    uint64_t sequence = 0;
    size_t at = 2;
    if (length < 4 || text[0] != 'e' || text[1] != ' ')
        return UINT64_MAX;
    for (; at < length && text[at] >= '0' && text[at] <= '9'; at++)
        sequence = sequence * 10 + (uint64_t)(text[at] - '0');
    if (peer->size.high + 64 > sizeof wanted ||
        ps_test_lane_event(sequence, peer->size, peer->framing, wanted) != length ||
        memcmp(wanted, text, length) != 0)
        return UINT64_MAX;
    return sequence;
}

uint64_t ps_test_peer_took(struct ps_test_peer *peer, const char *text, size_t length)
{
    uint64_t sequence = ps_test_peer_sequence(peer, text, length);
    pthread_mutex_lock(&peer->mutex);
    if (sequence == UINT64_MAX) {
        peer->foreign++;
    } else {
        if (peer->count == peer->room) {
            peer->room = peer->room * 2 + 1024;
            peer->sequences = realloc(peer->sequences, peer->room * sizeof *peer->sequences);
            PS_ASSERT(peer->sequences != NULL);
        }
        peer->sequences[peer->count++] = sequence;
    }
    pthread_mutex_unlock(&peer->mutex);
    return sequence;
}

size_t ps_test_peer_count(struct ps_test_peer *peer)
{
    pthread_mutex_lock(&peer->mutex);
    size_t count = peer->count;
    pthread_mutex_unlock(&peer->mutex);
    return count;
}

bool ps_test_peer_await(struct ps_test_peer *peer, size_t count)
{
    for (unsigned i = 0; i < PS_TEST_PATIENCE_MS && ps_test_peer_count(peer) < count; i++)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    return ps_test_peer_count(peer) >= count;
}

void ps_test_peer_check(struct ps_test_peer *peer, const struct ps_lane *lane, uint64_t count, bool exactly)
{
    uint8_t *seen = calloc(count + 1, 1);
    uint64_t expected = 0;
    assert_non_null(seen);
    for (size_t i = 0; lane != NULL && i < lane->failed_count; i++)
        seen[lane->failed_list[i]] = 2;
    pthread_mutex_lock(&peer->mutex);
    for (size_t i = 0; i < peer->count; i++) {
        uint64_t sequence = peer->sequences[i];
        assert_true(sequence < count);
        while (expected < count && seen[expected] == 2 && expected < sequence)
            expected++;
        if (seen[sequence] == 1) {
            assert_false(exactly);
            continue;
        }
        if (seen[sequence] == 0 && sequence != expected)
            fail_msg("event %" PRIu64 " arrived, expected %" PRIu64, sequence, expected);
        if (sequence == expected)
            expected++;
        seen[sequence] = 1;
    }
    while (expected < count && seen[expected] == 2)
        expected++;
    assert_int_equal(expected, count);
    assert_int_equal(peer->foreign, 0);
    pthread_mutex_unlock(&peer->mutex);
    free(seen);
}

/* ---- connections ---- */

bool ps_test_link_send(struct ps_test_link *link, const void *data, size_t length)
{
    const char *from = data;
    while (length > 0) {
        ssize_t sent = link->tls != NULL ? SSL_write(link->tls, from, (int)length)
                                         : send(link->fd, from, length, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        from += sent;
        length -= (size_t)sent;
    }
    return true;
}

static void link_close(struct ps_test_link *link)
{
    SSL_free(link->tls);
    ps_test_link_unzip(link);
    close(link->fd);
    free(link->in);
    *link = (struct ps_test_link){.fd = -1};
}

static bool link_open(struct ps_test_link *link, struct ps_test_peer *peer, int fd)
{
    *link = (struct ps_test_link){.peer = peer, .fd = fd};
    if (!peer->tls_on)
        return true;
    link->tls = SSL_new(peer->tls_context);
    if (link->tls == NULL || SSL_set_fd(link->tls, fd) != 1 || SSL_accept(link->tls) != 1) {
        link_close(link);
        return false;
    }
    return true;
}

/* Returns false when the connection has ended. */
static bool link_read(struct ps_test_link *link)
{
    do {
        if (link->length + READ_BYTES > link->room) {
            link->room = link->length + 2 * READ_BYTES;
            link->in = realloc(link->in, link->room);
            PS_ASSERT(link->in != NULL);
        }
        ssize_t got = link->tls != NULL ? SSL_read(link->tls, link->in + link->length, READ_BYTES)
                                        : recv(link->fd, link->in + link->length, READ_BYTES, 0);
        if (got <= 0)
            return false;
        link->length += (size_t)got;
    } while (link->tls != NULL && SSL_pending(link->tls) > 0);
    size_t taken = link->peer->protocol(link);
    if (taken == SIZE_MAX)
        return false;
    memmove(link->in, link->in + taken, link->length - taken);
    link->length -= taken;
    return true;
}

static void datagrams_read(struct ps_test_peer *peer)
{
    static _Thread_local char text[65536];
    ssize_t got;
    while ((got = recv(peer->listener, text, sizeof text, MSG_DONTWAIT)) >= 0)
        ps_test_peer_took(peer, text, (size_t)got);
}

static void *serve(void *argument)
{
    struct ps_test_peer *peer = argument;
    struct ps_test_link links[LINKS_MAX];
    struct pollfd polls[LINKS_MAX + 1];
    for (size_t i = 0; i < LINKS_MAX; i++)
        links[i].fd = -1;
    while (!peer->stop) {
        bool stalled = peer->stalled;
        polls[LINKS_MAX] =
            (struct pollfd){.fd = stalled && peer->datagrams ? -1 : peer->listener, .events = POLLIN};
        for (size_t i = 0; i < LINKS_MAX; i++)
            polls[i] = (struct pollfd){.fd = stalled ? -1 : links[i].fd, .events = POLLIN};
        poll(polls, LINKS_MAX + 1, 5);
        for (size_t i = 0; i < LINKS_MAX; i++) {
            if (polls[i].revents != 0 && !link_read(&links[i]))
                link_close(&links[i]);
        }
        if (polls[LINKS_MAX].revents == 0)
            continue;
        if (peer->datagrams) {
            datagrams_read(peer);
            continue;
        }
        int fd = accept4(peer->listener, NULL, NULL, SOCK_CLOEXEC);
        size_t slot = 0;
        while (slot < LINKS_MAX && links[slot].fd >= 0)
            slot++;
        PS_ASSERT(slot < LINKS_MAX);
        if (fd >= 0 && link_open(&links[slot], peer, fd))
            peer->accepted++;
    }
    for (size_t i = 0; i < LINKS_MAX; i++) {
        if (links[i].fd >= 0)
            link_close(&links[i]);
    }
    return NULL;
}

/* ---- start and stop ---- */

void ps_test_peer_return(struct ps_test_peer *peer)
{
    int on = 1;
    if (peer->port == 0)
        peer->port = ps_test_port(peer->datagrams ? SOCK_DGRAM : SOCK_STREAM);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)peer->port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    peer->listener = socket(AF_INET, (peer->datagrams ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);
    assert_true(peer->listener >= 0);
    if (!peer->datagrams)
        setsockopt(peer->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    /* Streams have a small buffer, so that the target notices a stalled peer. */
    int bytes = peer->datagrams ? 4 << 20 : 64 << 10;
    setsockopt(peer->listener, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    assert_int_equal(bind(peer->listener, (struct sockaddr *)&address, sizeof address), 0);
    if (!peer->datagrams)
        assert_int_equal(listen(peer->listener, 16), 0);
    peer->stop = false;
    assert_int_equal(pthread_create(&peer->thread, NULL, serve, peer), 0);
}

void ps_test_peer_start(struct ps_test_peer *peer)
{
    pthread_mutex_init(&peer->mutex, NULL);
    if (peer->tls_on) {
        SSL_CTX *context = SSL_CTX_new(TLS_server_method());
        assert_non_null(context);
        assert_int_equal(SSL_CTX_use_certificate_file(context, ps_test_certificate_file(), SSL_FILETYPE_PEM),
                         1);
        assert_int_equal(
            SSL_CTX_use_PrivateKey_file(context, ps_test_certificate_key_file(), SSL_FILETYPE_PEM), 1);
        peer->tls_context = context;
    }
    ps_test_peer_return(peer);
}

void ps_test_peer_vanish(struct ps_test_peer *peer)
{
    peer->stop = true;
    pthread_join(peer->thread, NULL);
    close(peer->listener);
    peer->listener = -1;
}

void ps_test_peer_stop(struct ps_test_peer *peer)
{
    if (peer->listener >= 0)
        ps_test_peer_vanish(peer);
    SSL_CTX_free(peer->tls_context);
    free(peer->sequences);
    pthread_mutex_destroy(&peer->mutex);
}
