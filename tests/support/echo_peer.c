/* The far end of the sink in echo.h. */
#include "tests/support/echo.h"
#include "tests/support/support.h"

#include "tests/support/echo_parts.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define LINKS_MAX 16
#define SLOW_NS 20000000L

static struct {
    pthread_t thread;
    pthread_mutex_t lock; /* guards all that follows */
    bool stop, cut, was_cut;
    enum ps_test_far_end mode;
    int listener, wake;
    uint16_t port;
    int links[LINKS_MAX];
    size_t link_count;
    char *text, *copy;
    size_t length, room;
} peer = {.lock = PTHREAD_MUTEX_INITIALIZER};

uint16_t ps_test_echo_port(void)
{
    return peer.port;
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

/* Answers what has come. Returns false when the connection is to be closed. */
static bool answer(int link)
{
    char bytes[8192];
    ssize_t length = recv(link, bytes, sizeof bytes, MSG_DONTWAIT);
    if (length <= 0)
        return length < 0 && errno == EAGAIN;
    if (peer.mode == PS_TEST_FAR_END_DOWN)
        return false;
    if (peer.cut) {
        peer.cut = false;
        peer.was_cut = true;
        return false;
    }
    if (send(link, bytes, (size_t)length, MSG_NOSIGNAL) != length)
        return false;
    record(bytes, (size_t)length);
    return true;
}

static void serve_links(const struct pollfd *polled, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        bool stays = peer.mode != PS_TEST_FAR_END_DOWN && (polled[i].revents == 0 || answer(peer.links[i]));
        if (stays)
            peer.links[kept++] = peer.links[i];
        else
            close(peer.links[i]);
    }
    peer.link_count = kept;
}

static void accept_links(void)
{
    for (int link; (link = accept4(peer.listener, NULL, NULL, SOCK_CLOEXEC)) >= 0;) {
        if (peer.mode == PS_TEST_FAR_END_DOWN || peer.link_count == LINKS_MAX)
            close(link);
        else
            peer.links[peer.link_count++] = link;
    }
}

static void *serve(void *unused)
{
    (void)unused;
    pthread_mutex_lock(&peer.lock);
    while (!peer.stop) {
        struct pollfd polled[LINKS_MAX + 2];
        uint64_t count;
        size_t links = peer.link_count;
        for (size_t i = 0; i < links; i++)
            polled[i] = (struct pollfd){.fd = peer.links[i], .events = POLLIN};
        polled[links] = (struct pollfd){.fd = peer.listener, .events = POLLIN};
        polled[links + 1] = (struct pollfd){.fd = peer.wake, .events = POLLIN};
        bool slow = peer.mode == PS_TEST_FAR_END_SLOW;
        pthread_mutex_unlock(&peer.lock);
        poll(polled, links + 2, -1);
        if (slow)
            nanosleep(&(struct timespec){.tv_nsec = SLOW_NS}, NULL);
        pthread_mutex_lock(&peer.lock);
        (void)!read(peer.wake, &count, sizeof count);
        serve_links(polled, links);
        accept_links();
    }
    pthread_mutex_unlock(&peer.lock);
    return NULL;
}

static void wake(void)
{
    assert_int_equal(write(peer.wake, &(uint64_t){1}, 8), 8);
}

void ps_test_echo_start(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    peer.stop = false;
    peer.mode = PS_TEST_FAR_END_UP;
    peer.wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    peer.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(peer.listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(getsockname(peer.listener, (struct sockaddr *)&address, &length), 0);
    assert_int_equal(listen(peer.listener, 16), 0);
    peer.port = ntohs(address.sin_port);
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
        close(peer.links[--peer.link_count]);
    close(peer.listener);
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
