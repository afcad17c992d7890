#include "bench/plan/reach.h"
#include "bench/support/url.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER_MS 1000

/* The ports that load uses when the URL has none. */
static const struct {
    const char *scheme, *port; /* NULL: the URL must have one */
} schemes[] = {{"tcp", "514"},   {"tls", "6514"}, {"netcat", NULL}, {"http", "80"},
               {"https", "443"}, {"avro", NULL},  {"kafka", "9092"}};

/* Tries to connect to an address. Returns 0, or the error. */
static int connect_to(const struct addrinfo *address)
{
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), error = 0;
    socklen_t length = sizeof error;
    if (fd < 0)
        return errno;
    if (connect(fd, address->ai_addr, address->ai_addrlen) != 0)
        error = errno;
    if (error == EINPROGRESS) {
        struct pollfd one = {.fd = fd, .events = POLLOUT};
        if (poll(&one, 1, ANSWER_MS) <= 0)
            error = ETIMEDOUT;
        else
            getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
    }
    close(fd);
    return error;
}

/* Returns whether each address of the host refuses connections. */
static bool is_refused(const char *host, const char *port)
{
    struct addrinfo hints = {.ai_flags = AI_NUMERICSERV, .ai_socktype = SOCK_STREAM}, *found = NULL;
    bool refused = false;
    if (getaddrinfo(host, port, &hints, &found) != 0)
        return false;
    for (const struct addrinfo *one = found; one != NULL; one = one->ai_next) {
        refused = connect_to(one) == ECONNREFUSED;
        if (!refused)
            break;
    }
    freeaddrinfo(found);
    return refused;
}

/* The same for one of a URL's hosts, which may have a port: "b1:9092", "[::1]:9092", "b1". */
static bool is_refused_at(const char *text, size_t length, const char *port)
{
    char host[256];
    if (length == 0 || length >= sizeof host)
        return false;
    memcpy(host, text, length);
    host[length] = '\0';
    char *colon = strrchr(host, ':'), *bracket = strchr(host, ']'), *begin = host;
    if (colon != NULL && (bracket == NULL || bracket < colon)) {
        *colon = '\0';
        port = colon + 1;
    }
    if (host[0] == '[' && bracket != NULL) {
        *bracket = '\0';
        begin = host + 1;
    }
    return port != NULL && is_refused(begin, port);
}

enum ps_status ps_reach_look(const char *text, struct ps_err *err)
{
    struct ps_url url;
    struct ps_err ignored = {0};
    const char *port = NULL;
    bool known = false;
    if (ps_url_parse(&url, text, &ignored) != PS_OK)
        return PS_OK; /* load says what is wrong with a URL */
    for (size_t i = 0; i < PS_COUNT_OF(schemes); i++) {
        if (strcmp(url.scheme, schemes[i].scheme) != 0)
            continue;
        known = true;
        port = schemes[i].port;
    }
    bool refused = known && *url.hosts != '\0' && strchr(url.hosts, '@') == NULL;
    for (const char *host = url.hosts; refused; host += strcspn(host, ",") + 1) {
        refused = is_refused_at(host, strcspn(host, ","), port);
        if (host[strcspn(host, ",")] == '\0')
            break;
    }
    ps_url_fini(&url);
    return refused ? ps_err_set(err, "%s: Connection refused: nothing listens there; start the target first",
                                text)
                   : PS_OK;
}
