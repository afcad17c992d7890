/* Far end tcp: listens and takes lines, or frames with a length prefix (RFC 6587), from any number of
 * connections. A connection is a stream.
 *
 * Bytes are received into one shared buffer and handed over without a copy; a connection has memory of its own only for
 * an incomplete record. The last record of a connection needs no newline.
 *
 * Thread: the reader's. */
#include "bench/verify/far/ends.h"
#include "bench/verify/far/listen/listen.h"
#include "core/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#define RECEIVE_BYTES (256U * 1024U)
#define EVENTS_MAX 256
#define RECORDS_MAX 8192U /* records in one call of read, roughly */
#define ACCEPTS_MAX 256U
#define PAUSE_NS PS_NS_PER_S /* wait when there are no file descriptors */

struct connection {
    int fd;
    uint64_t stream;
    struct ps_far_text text;
    struct connection *previous, *next;
};

struct far_tcp {
    int listen_fd, epoll_fd;
    enum ps_far_framing framing;
    char address[PS_FAR_ADDRESS_BYTES];
    struct connection *connections; /* open ones */
    uint64_t next_stream;
    uint64_t accept_after_ns; /* connections are accepted again from this time on; 0: now */
    struct ps_far_notes notes;
    struct epoll_event events[EVENTS_MAX];
    char data[RECEIVE_BYTES];
};

/* ---- open and close ---- */

static void connection_close(struct far_tcp *far, struct connection *connection)
{
    if (connection->next != NULL)
        connection->next->previous = connection->previous;
    if (connection->previous != NULL)
        connection->previous->next = connection->next;
    else
        far->connections = connection->next;
    close(connection->fd);
    ps_far_text_fini(&connection->text);
    free(connection);
}

static void far_tcp_close(void *state)
{
    struct far_tcp *far = state;
    while (far->connections != NULL)
        connection_close(far, far->connections);
    if (far->listen_fd >= 0)
        close(far->listen_fd);
    if (far->epoll_fd >= 0)
        close(far->epoll_fd);
    free(far);
}

static enum ps_status framing_of(struct ps_url *url, enum ps_far_framing *framing, struct ps_err *err)
{
    const char *word = ps_url_get(url, "framing", "detect");
    if (strcmp(word, "detect") == 0)
        *framing = PS_FAR_DETECT;
    else if (strcmp(word, "lines") == 0)
        *framing = PS_FAR_LINES;
    else if (strcmp(word, "octets") == 0)
        *framing = PS_FAR_OCTETS;
    else
        return ps_err_set(err, "%s: framing is detect, lines or octets, not `%s`", url->text, word);
    return PS_OK;
}

/* Raises the limit of file descriptors to the maximum: each connection needs one. */
static void descriptors_raise(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static enum ps_status far_tcp_open(void **state, struct ps_url *url, uint64_t, struct ps_err *err)
{
    struct ps_bind_options options;
    enum ps_far_framing framing = PS_FAR_DETECT;
    *state = NULL;
    if (framing_of(url, &framing, err) != PS_OK || ps_url_check(url, err) != PS_OK ||
        ps_far_bind_options(url, false, &options, err) != PS_OK)
        return PS_FAIL;
    descriptors_raise();
    struct far_tcp *far = ps_must_alloc(1, sizeof *far, "the TCP listener");
    struct ps_address bound;
    far->framing = framing;
    far->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    far->listen_fd = ps_address_bind(&options, &bound, err);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    if (far->listen_fd >= 0 && far->epoll_fd >= 0 &&
        epoll_ctl(far->epoll_fd, EPOLL_CTL_ADD, far->listen_fd, &event) == 0) {
        ps_address_print(&bound, far->address);
        *state = far;
        return PS_OK;
    }
    if (far->listen_fd >= 0)
        ps_err_set(err, "%s: cannot watch the socket: %s", url->text, strerror(errno));
    far_tcp_close(far);
    return PS_FAIL;
}

/* ---- connections ---- */

static void watch_listener(struct far_tcp *far, bool on)
{
    struct epoll_event event = {.events = on ? EPOLLIN : 0, .data.ptr = NULL};
    epoll_ctl(far->epoll_fd, EPOLL_CTL_MOD, far->listen_fd, &event);
}

static void connection_add(struct far_tcp *far, int fd)
{
    struct connection *connection = ps_must_alloc(1, sizeof *connection, "a connection");
    connection->fd = fd;
    connection->stream = far->next_stream++ % PS_FAR_STREAMS_MAX;
    ps_far_text_init(&connection->text, far->framing);
    connection->next = far->connections;
    if (far->connections != NULL)
        far->connections->previous = connection;
    far->connections = connection;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    if (epoll_ctl(far->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0)
        connection_close(far, connection);
}

static void accept_some(struct far_tcp *far, uint64_t now_ns)
{
    for (unsigned i = 0; i < ACCEPTS_MAX; i++) {
        int fd = accept4(far->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            connection_add(far, fd);
        } else if (ps_is_shortage(errno) || errno == ENOBUFS) { /* ENOBUFS: the memory of sockets */
            ps_far_note(&far->notes, false, "connections had to wait: %s", strerror(errno));
            far->accept_after_ns = now_ns + PAUSE_NS;
            watch_listener(far, false);
            return;
        } else if (errno != EINTR && errno != ECONNABORTED) {
            return;
        }
    }
}

static void receive(struct far_tcp *far, struct connection *connection, struct ps_far_hand *hand)
{
    ssize_t length = recv(connection->fd, far->data, sizeof far->data, 0);
    if (length < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    hand->stream = connection->stream;
    hand->arrival_ns = ps_clock_now().mono_ns;
    uint64_t cut_count = connection->text.cut_count;
    if (length > 0) {
        ps_far_text_feed(&connection->text, far->data, (size_t)length, hand);
    } else {
        ps_far_text_end(&connection->text, hand);
        connection_close(far, connection);
        return;
    }
    if (connection->text.cut_count > cut_count)
        ps_far_note(&far->notes, true, "records of more than 1 MiB were cut");
}

/* epoll is level-triggered: the next calls report again what this call does not handle. */
static enum ps_far_read far_tcp_read(void *state, int timeout_ms, ps_far_record_taker *taker, void *argument,
                                     struct ps_err *)
{
    struct far_tcp *far = state;
    struct ps_far_hand hand = {.taker = taker, .argument = argument};
    uint64_t now_ns = ps_clock_now().mono_ns, end_ns = now_ns + (uint64_t)timeout_ms * PS_NS_PER_MS;
    do {
        if (far->accept_after_ns != 0 && now_ns >= far->accept_after_ns) {
            far->accept_after_ns = 0;
            watch_listener(far, true);
        }
        int wait_ms = now_ns < end_ns ? (int)((end_ns - now_ns) / PS_NS_PER_MS) + 1 : 0;
        int count = epoll_wait(far->epoll_fd, far->events, EVENTS_MAX, wait_ms);
        for (int i = 0; i < count && hand.count < RECORDS_MAX; i++) {
            if (far->events[i].data.ptr == NULL)
                accept_some(far, now_ns);
            else
                receive(far, far->events[i].data.ptr, &hand);
        }
        now_ns = ps_clock_now().mono_ns;
    } while (hand.count == 0 && now_ns < end_ns);
    return hand.count > 0 ? PS_FAR_SOME : PS_FAR_IDLE;
}

static const char *far_tcp_remark(void *state, bool *lossy)
{
    struct far_tcp *far = state;
    *lossy = far->notes.lossy;
    return ps_far_notes_text(&far->notes, "");
}

static const char *far_tcp_address(void *state)
{
    const struct far_tcp *far = state;
    return far->address;
}

const struct ps_far_end_ops ps_far_tcp = {
    .scheme = "tcp",
    .summary = "tcp://HOST:PORT?framing=detect|lines|octets (listens; RFC 6587)",
    .open = far_tcp_open,
    .read = far_tcp_read,
    .remark = far_tcp_remark,
    .address = far_tcp_address,
    .close = far_tcp_close,
};
