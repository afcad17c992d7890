#include "core/watch/metrics/accept.h"
#include "core/clock.h"
#include "core/log/log.h"
#include "core/thread.h"
#include "core/watch/metrics/listen.h"
#include "rings/flag.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define TICK_MS 200            /* interval at which the time limits of connections are checked */
#define STARVED_MS 100         /* pause before the next accept when no descriptor is left */
#define STARVED_REQUEST_MS 500 /* time for a request when no descriptor is left and another client waits */
#define CLOSING_MS 20 /* pause before the next accept when too many ended connections are not closed yet */
/* The acceptor waits at most so long, after `add`, for the server's call of ps_acceptor_opened. The call usually comes
 * immediately, but a busy machine may not run the server's thread for a while, and an acceptor that does not wait
 * admits more connections than there is room for. The call does not come when the server cannot make a thread. */
#define OPENED_WAIT_S 2

struct connection {
    int fd; /* -1: free place */
    enum ps_accept_state state;
    bool ended;
    uint64_t since_ns; /* monotonic: when the connection entered its state */
    struct in6_addr peer;
};

struct ps_acceptor {
    struct ps_accept_settings settings;
    char *host;
    int fd;    /* -1: does not listen yet */
    int spare; /* the descriptor in reserve, or -1 while it is used */
    int wake;  /* eventfd: ps_acceptor_stop writes it */
    struct ps_mark port;
    struct ps_flag stopping;
    pthread_t thread;
    bool started, starved;
    uint64_t retry_ns, hold_ns; /* earliest times of the next try to listen and of the next accept */
    pthread_mutex_t lock;       /* guards the members below */
    pthread_cond_t opened;
    uint64_t opened_count;
    struct connection connections[PS_ACCEPT_CONNECTIONS_MAX];
};

/* ---- the table of connections ---- */

/* Returns the peer's address: IPv4 as ::ffff:a.b.c.d, other families than IP as ::. */
static struct in6_addr peer_address(const struct sockaddr *peer)
{
    struct in6_addr address = {0};
    if (peer->sa_family == AF_INET6)
        return ((const struct sockaddr_in6 *)(const void *)peer)->sin6_addr;
    if (peer->sa_family == AF_INET) {
        address.s6_addr[10] = address.s6_addr[11] = 0xff;
        memcpy(address.s6_addr + 12, &((const struct sockaddr_in *)(const void *)peer)->sin_addr, 4);
    }
    return address;
}

static struct connection *find(struct ps_acceptor *acceptor, int fd)
{
    for (size_t i = 0; i < PS_ACCEPT_CONNECTIONS_MAX; i++) {
        if (acceptor->connections[i].fd == fd)
            return &acceptor->connections[i];
    }
    return NULL;
}

void ps_acceptor_opened(struct ps_acceptor *acceptor, int fd, const struct sockaddr *peer)
{
    pthread_mutex_lock(&acceptor->lock);
    struct connection *connection = find(acceptor, -1);
    PS_ASSERT(connection != NULL); /* the server opens no more than PS_ACCEPT_CONNECTIONS_MAX */
    *connection = (struct connection){
        .fd = fd, .state = PS_ACCEPT_ASKING, .since_ns = ps_clock_now().mono_ns, .peer = peer_address(peer)};
    acceptor->opened_count++;
    pthread_cond_signal(&acceptor->opened);
    pthread_mutex_unlock(&acceptor->lock);
}

void ps_acceptor_moved(struct ps_acceptor *acceptor, int fd, enum ps_accept_state state)
{
    pthread_mutex_lock(&acceptor->lock);
    struct connection *connection = find(acceptor, fd);
    if (connection != NULL) {
        connection->state = state;
        connection->since_ns = ps_clock_now().mono_ns;
    }
    pthread_mutex_unlock(&acceptor->lock);
}

void ps_acceptor_closed(struct ps_acceptor *acceptor, int fd)
{
    pthread_mutex_lock(&acceptor->lock);
    struct connection *connection = find(acceptor, fd);
    if (connection != NULL)
        connection->fd = -1;
    pthread_mutex_unlock(&acceptor->lock);
}

/* Ends a connection. The server's thread for this connection notices this and closes the descriptor. */
static void end(struct connection *connection)
{
    connection->ended = true;
    shutdown(connection->fd, SHUT_RDWR);
}

static void end_late(struct ps_acceptor *acceptor, uint64_t now_ns)
{
    uint64_t request_ns = acceptor->settings.request_ms * PS_NS_PER_MS;
    pthread_mutex_lock(&acceptor->lock);
    for (size_t i = 0; i < PS_ACCEPT_CONNECTIONS_MAX; i++) {
        struct connection *connection = &acceptor->connections[i];
        uint64_t limit_ns =
            connection->state == PS_ACCEPT_ASKING ? request_ns : PS_ACCEPT_RESPONSE_MS * PS_NS_PER_MS;
        if (connection->fd >= 0 && !connection->ended && connection->state != PS_ACCEPT_ANSWERING &&
            now_ns > connection->since_ns && now_ns - connection->since_ns >= limit_ns)
            end(connection);
    }
    pthread_mutex_unlock(&acceptor->lock);
}

static bool may_end(const struct connection *connection, enum ps_accept_state state)
{
    return connection->fd >= 0 && !connection->ended && connection->state == state;
}

/* Returns the oldest connection in `state` of the peer with most of them; NULL: there is none. */
static struct connection *victim_of(struct ps_acceptor *acceptor, enum ps_accept_state state)
{
    struct connection *victim = NULL;
    unsigned most = 0;
    for (size_t i = 0; i < PS_ACCEPT_CONNECTIONS_MAX; i++) {
        struct connection *one = &acceptor->connections[i];
        if (!may_end(one, state))
            continue;
        unsigned count = 0;
        for (size_t j = 0; j < PS_ACCEPT_CONNECTIONS_MAX; j++) {
            const struct connection *other = &acceptor->connections[j];
            count += may_end(other, state) && memcmp(&one->peer, &other->peer, sizeof one->peer) == 0;
        }
        if (count > most || (count == most && victim != NULL && one->since_ns < victim->since_ns)) {
            victim = one;
            most = count;
        }
    }
    return victim;
}

/* Counts the connections; with `ended` also those that were ended but are not closed yet. */
static unsigned count_of(const struct ps_acceptor *acceptor, bool ended)
{
    unsigned count = 0;
    for (size_t i = 0; i < PS_ACCEPT_CONNECTIONS_MAX; i++)
        count += acceptor->connections[i].fd >= 0 && (ended || !acceptor->connections[i].ended);
    return count;
}

/* Makes room for one more connection. Returns false while there is none. */
static bool make_room(struct ps_acceptor *acceptor)
{
    pthread_mutex_lock(&acceptor->lock);
    if (count_of(acceptor, false) >= PS_ACCEPT_CONNECTIONS) {
        struct connection *victim = victim_of(acceptor, PS_ACCEPT_ASKING);
        if (victim == NULL)
            victim = victim_of(acceptor, PS_ACCEPT_TAKING);
        if (victim != NULL)
            end(victim);
    }
    bool room = count_of(acceptor, true) < PS_ACCEPT_CONNECTIONS_MAX;
    pthread_mutex_unlock(&acceptor->lock);
    return room;
}

/* ---- accept ---- */

static void spare_open(struct ps_acceptor *acceptor)
{
    if (acceptor->spare < 0)
        acceptor->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static int accept_from(struct ps_acceptor *acceptor, struct sockaddr_storage *peer, socklen_t *size)
{
    *size = sizeof *peer;
    int fd = accept4(acceptor->fd, (struct sockaddr *)peer, size, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0 || (errno != EMFILE && errno != ENFILE) || acceptor->spare < 0)
        return fd;
    close(acceptor->spare);
    acceptor->spare = -1;
    *size = sizeof *peer;
    return accept4(acceptor->fd, (struct sockaddr *)peer, size, SOCK_CLOEXEC | SOCK_NONBLOCK);
}

/* Called when no descriptor is left. Ends a connection that has not sent its request for a while, so that the next
 * client gets its descriptor. */
static void end_for_descriptor(struct ps_acceptor *acceptor, uint64_t now_ns)
{
    pthread_mutex_lock(&acceptor->lock);
    struct connection *victim = victim_of(acceptor, PS_ACCEPT_ASKING);
    if (victim != NULL && now_ns > victim->since_ns &&
        now_ns - victim->since_ns >= STARVED_REQUEST_MS * PS_NS_PER_MS)
        end(victim);
    pthread_mutex_unlock(&acceptor->lock);
}

static void report_starved(struct ps_acceptor *acceptor, int error)
{
    if (!acceptor->starved)
        ps_log(PS_LOG_WARN, "metrics", "cannot accept: %s; clients wait until it is possible again",
               strerror(error));
    acceptor->starved = true;
}

/* Waits until the server has called ps_acceptor_opened, so that the next count includes the connection. */
static void wait_opened(struct ps_acceptor *acceptor, uint64_t before)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += OPENED_WAIT_S;
    pthread_mutex_lock(&acceptor->lock);
    while (acceptor->opened_count == before &&
           pthread_cond_timedwait(&acceptor->opened, &acceptor->lock, &until) != ETIMEDOUT)
        ;
    pthread_mutex_unlock(&acceptor->lock);
}

static void accept_one(struct ps_acceptor *acceptor, uint64_t now_ns)
{
    struct sockaddr_storage peer;
    socklen_t size;
    if (!make_room(acceptor)) {
        acceptor->hold_ns = now_ns + CLOSING_MS * PS_NS_PER_MS;
        return;
    }
    int fd = accept_from(acceptor, &peer, &size);
    if (fd < 0) {
        if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
            return;
        report_starved(acceptor, errno);
        end_for_descriptor(acceptor, now_ns);
        acceptor->hold_ns = now_ns + STARVED_MS * PS_NS_PER_MS;
        return;
    }
    acceptor->starved = false;
    pthread_mutex_lock(&acceptor->lock);
    uint64_t before = acceptor->opened_count;
    pthread_mutex_unlock(&acceptor->lock);
    if (acceptor->settings.add(acceptor->settings.argument, fd, (struct sockaddr *)&peer, size))
        wait_opened(acceptor, before);
}

/* ---- listen ---- */

static void listens(struct ps_acceptor *acceptor)
{
    char address[96];
    ps_mark_move(&acceptor->port, ps_metrics_listen_address(acceptor->fd, address, sizeof address));
    acceptor->settings.listens(acceptor->settings.argument, address);
}

static void listen_again(struct ps_acceptor *acceptor, uint64_t now_ns)
{
    acceptor->fd = ps_metrics_listen(acceptor->host, acceptor->settings.port, NULL);
    acceptor->retry_ns = now_ns + acceptor->settings.retry_ms * PS_NS_PER_MS;
    if (acceptor->fd >= 0)
        listens(acceptor);
}

/* Returns how long, in milliseconds, the thread may sleep; -1: until a client connects or the acceptor stops. */
static int sleep_ms(struct ps_acceptor *acceptor, uint64_t now_ns)
{
    pthread_mutex_lock(&acceptor->lock);
    unsigned count = count_of(acceptor, true);
    pthread_mutex_unlock(&acceptor->lock);
    uint64_t until_ns = acceptor->fd < 0 ? acceptor->retry_ns : acceptor->hold_ns;
    if (now_ns < until_ns && (acceptor->fd < 0 || until_ns - now_ns < TICK_MS * PS_NS_PER_MS))
        return (int)((until_ns - now_ns) / PS_NS_PER_MS) + 1;
    return count > 0 || acceptor->spare < 0 ? TICK_MS : -1;
}

static void *acceptor_run(void *argument)
{
    struct ps_acceptor *acceptor = argument;
    while (!ps_flag_get(&acceptor->stopping)) {
        uint64_t now_ns = ps_clock_now().mono_ns;
        spare_open(acceptor);
        end_late(acceptor, now_ns);
        if (acceptor->fd < 0 && now_ns >= acceptor->retry_ns)
            listen_again(acceptor, now_ns);
        struct pollfd ready[2] = {{.fd = acceptor->wake, .events = POLLIN},
                                  {.fd = acceptor->fd, .events = POLLIN}};
        bool listening = acceptor->fd >= 0 && now_ns >= acceptor->hold_ns;
        poll(ready, listening ? 2 : 1, sleep_ms(acceptor, now_ns));
        if (listening && ready[1].revents != 0)
            accept_one(acceptor, ps_clock_now().mono_ns);
    }
    return NULL;
}

/* ---- start and stop ---- */

struct ps_acceptor *ps_acceptor_create(const struct ps_accept_settings *settings, struct ps_err *err)
{
    int fd = ps_metrics_listen(settings->host, settings->port, err);
    if (fd < 0 && settings->retry_ms == 0)
        return NULL;
    struct ps_acceptor *acceptor = ps_must_alloc(1, sizeof *acceptor, "the metrics server");
    acceptor->settings = *settings;
    acceptor->host = settings->host != NULL ? ps_must_copy_text(settings->host, "the metrics server") : NULL;
    if (settings->request_ms == 0)
        acceptor->settings.request_ms = PS_ACCEPT_REQUEST_MS;
    acceptor->fd = fd;
    acceptor->spare = -1;
    acceptor->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (acceptor->wake < 0) {
        ps_err_set(err, "metrics server: cannot start: %s", strerror(errno));
        if (fd >= 0)
            close(fd);
        free(acceptor->host);
        free(acceptor);
        return NULL;
    }
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&acceptor->opened, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&acceptor->lock, NULL);
    for (size_t i = 0; i < PS_ACCEPT_CONNECTIONS_MAX; i++)
        acceptor->connections[i].fd = -1;
    spare_open(acceptor);
    if (fd < 0) {
        ps_log(PS_LOG_ERROR, "metrics", "%s; the metrics server tries again every %g s", err->text,
               settings->retry_ms / 1000.0);
        acceptor->retry_ns = ps_clock_now().mono_ns + settings->retry_ms * PS_NS_PER_MS;
    }
    return acceptor;
}

enum ps_status ps_acceptor_start(struct ps_acceptor *acceptor, struct ps_err *err)
{
    bool listening = acceptor->fd >= 0; /* then the thread does not write the port */
    int error = ps_thread_start(&acceptor->thread, "metrics", acceptor_run, acceptor);
    acceptor->started = error == 0;
    if (!acceptor->started)
        return ps_err_set(err, "metrics server: cannot start its thread: %s", strerror(error));
    if (listening)
        listens(acceptor);
    return PS_OK;
}

void ps_acceptor_stop(struct ps_acceptor *acceptor)
{
    ps_flag_set(&acceptor->stopping, true);
    uint64_t one = 1;
    if (acceptor->started && write(acceptor->wake, &one, sizeof one) == sizeof one)
        (void)ps_thread_join(acceptor->thread, PS_THREAD_PATIENT);
    acceptor->started = false;
    if (acceptor->fd >= 0)
        close(acceptor->fd);
    acceptor->fd = -1;
}

void ps_acceptor_destroy(struct ps_acceptor *acceptor)
{
    if (acceptor->spare >= 0)
        close(acceptor->spare);
    close(acceptor->wake);
    pthread_cond_destroy(&acceptor->opened);
    pthread_mutex_destroy(&acceptor->lock);
    free(acceptor->host);
    free(acceptor);
}

uint16_t ps_acceptor_port(struct ps_acceptor *acceptor)
{
    return (uint16_t)ps_mark_read(&acceptor->port);
}
