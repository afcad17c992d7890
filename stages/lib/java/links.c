/* The links of the Java host's components (host.h): messages to the host, and inboxes for messages from the
 * host. */
#include "core/array.h"
#include "stages/lib/java/host_internal.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

void ps_java_host_wake(int fd)
{
    uint64_t one = 1;
    if (fd >= 0 && write(fd, &one, sizeof one) < 0)
        return; /* the counter is full, so its reader is awake */
}

void ps_java_links_lose(struct ps_java_host *host)
{
    while (host->links != NULL) {
        struct ps_java_link *link = host->links;
        host->links = link->next;
        link->lost = true;
        ps_flag_set(&link->has_news, true);
        ps_java_host_wake(link->wake_fd);
    }
}

const char *ps_java_links_deliver(struct ps_java_host *host, const char *bytes, size_t length)
{
    struct ps_java_link *link = host->links;
    while (link != NULL && link->number != host->message.link)
        link = link->next;
    if (link == NULL)
        return NULL;
    if (!ps_java_inbox_put(&link->inbox, bytes, length))
        return "it sent more than was requested";
    ps_flag_set(&link->has_news, true);
    ps_java_host_wake(link->wake_fd);
    return NULL;
}

bool ps_java_link_attach(struct ps_java_link *link, struct ps_java_host *host, int wake_fd)
{
    pthread_mutex_lock(&host->lock);
    bool runs =
        host->state == PS_JAVA_HOST_RUNNING && host->out >= 0 && host->reason[0] == '\0' && !host->renews;
    if (runs) {
        link->host = host;
        link->region = host->region;
        link->wake_fd = wake_fd;
        link->number = ++host->last_link;
        link->lost = link->stops = host->all_stopped = false;
        ps_java_inbox_init(&link->inbox);
        ps_flag_set(&link->has_news, false);
        link->next = host->links;
        host->links = link;
        ps_java_region_hold(link->region);
    }
    pthread_mutex_unlock(&host->lock);
    return runs;
}

void ps_java_link_detach(struct ps_java_link *link)
{
    if (link->host == NULL)
        return;
    pthread_mutex_lock(&link->host->lock);
    struct ps_java_link **at = &link->host->links;
    while (*at != NULL && *at != link)
        at = &(*at)->next;
    if (*at != NULL)
        *at = link->next;
    pthread_mutex_unlock(&link->host->lock);
    ps_java_inbox_fini(&link->inbox);
    ps_java_region_release(link->region);
    link->host = NULL;
    link->region = NULL;
}

/* Writes a message as a whole. The caller has the lock. */
static enum ps_java_sent write_message(struct ps_java_host *host, const char *bytes, uint32_t length)
{
    if (host->out < 0)
        return PS_JAVA_LOST;
    if (write(host->out, bytes, length) >= 0)
        return PS_JAVA_SENT;
    return errno == EAGAIN || errno == EINTR ? PS_JAVA_BUSY : PS_JAVA_LOST;
}

static void note_stop(struct ps_java_link *link)
{
    link->stops = link->host->all_stopped = true;
}

enum ps_java_sent ps_java_link_send(struct ps_java_link *link, enum ps_java_message_type type,
                                    const uint64_t *numbers, uint32_t number_count, const char *text)
{
    char bytes[PS_JAVA_MESSAGE_BYTES_MAX];
    struct ps_java_head head = {.type = type, .link = link->number, .number_count = number_count};
    uint32_t length = ps_java_message_write(bytes, &head, numbers, text);
    pthread_mutex_lock(&link->host->lock);
    ps_java_links_stop(link->host); /* the component that it follows has stopped before this one starts */
    bool waits = link->host->stops.count > 0;
    enum ps_java_sent sent = link->lost ? PS_JAVA_LOST
                             : waits    ? PS_JAVA_BUSY
                                        : write_message(link->host, bytes, length);
    if (type == PS_JAVA_STOP && sent == PS_JAVA_SENT)
        note_stop(link);
    pthread_mutex_unlock(&link->host->lock);
    return sent;
}

/* ---- components that must stop, although their links are gone ---- */

static enum ps_java_sent write_stop(struct ps_java_host *host, uint32_t link)
{
    char bytes[PS_JAVA_MESSAGE_BYTES_MAX];
    struct ps_java_head head = {.type = PS_JAVA_STOP, .link = link};
    return write_message(host, bytes, ps_java_message_write(bytes, &head, NULL, NULL));
}

static void stops_add(struct ps_java_stops *stops, uint32_t link)
{
    PS_ARRAY_GROW(stops->links, stops->count, stops->room, "links of the Java host");
    stops->links[stops->count++] = link;
}

void ps_java_link_stop(struct ps_java_link *link)
{
    struct ps_java_host *host = link->host;
    pthread_mutex_lock(&host->lock);
    if (!link->lost && (host->stops.count > 0 || write_stop(host, link->number) == PS_JAVA_BUSY))
        stops_add(&host->stops, link->number);
    note_stop(link);
    pthread_mutex_unlock(&host->lock);
}

void ps_java_links_stop(struct ps_java_host *host)
{
    struct ps_java_stops *stops = &host->stops;
    size_t sent = 0;
    while (sent < stops->count && write_stop(host, stops->links[sent]) == PS_JAVA_SENT)
        sent++;
    if (sent == 0)
        return;
    stops->count -= sent;
    memmove(stops->links, stops->links + sent, stops->count * sizeof *stops->links);
}

bool ps_java_links_all_stop(const struct ps_java_host *host)
{
    for (const struct ps_java_link *link = host->links; link != NULL; link = link->next)
        if (!link->stops)
            return false;
    return host->all_stopped;
}

bool ps_java_link_next(struct ps_java_link *link, struct ps_java_message *message, bool *lost)
{
    *lost = false;
    if (!ps_flag_get(
            &link->has_news)) /* most calls take no lock; has_news is set before the worker is woken */
        return false;
    pthread_mutex_lock(&link->host->lock);
    bool got = ps_java_inbox_take(&link->inbox, message);
    *lost = link->lost;
    ps_flag_set(&link->has_news, link->lost || !ps_java_inbox_is_empty(&link->inbox));
    pthread_mutex_unlock(&link->host->lock);
    return got;
}

bool ps_java_link_is_lost(struct ps_java_link *link)
{
    pthread_mutex_lock(&link->host->lock);
    bool lost = link->lost;
    pthread_mutex_unlock(&link->host->lock);
    return lost;
}

bool ps_java_link_end(struct ps_java_link *link, char *text, size_t room)
{
    struct ps_java_host *host = link->host;
    pthread_mutex_lock(&host->lock);
    bool renews = host->renews || (link->lost && host->renewed);
    if (renews)
        snprintf(text, room, "%s: the Java process starts again", host->renewal);
    else
        snprintf(text, room, "%s", host->end[0] != '\0' ? host->end : "the Java host has ended");
    pthread_mutex_unlock(&host->lock);
    return renews;
}

void ps_java_link_accuse(struct ps_java_link *link, const char *what)
{
    struct ps_java_host *host = link->host;
    pthread_mutex_lock(&host->lock);
    if (!link->lost && host->reason[0] == '\0') {
        snprintf(host->reason, sizeof host->reason, "%s", what);
        ps_java_host_wake(host->wake_fd);
    }
    pthread_mutex_unlock(&host->lock);
}
