#include "stages/lib/net/datagrams.h"
#include "core/quantity.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef UDP_GRO
#define UDP_GRO 104
#endif

#define LOOK_NS PS_NS_PER_S /* between two looks at the count of drops of a socket that is not read */

/* The buffers must not all begin in the same cache set. */
#define STRIDE (PS_DATAGRAM_BYTES_MAX + 320U)
#define CONTROL_BYTES 64U

_Static_assert(CONTROL_BYTES >= CMSG_SPACE(sizeof(uint32_t)) + CMSG_SPACE(sizeof(int)), "room for both");

static enum ps_status make_rooms(struct ps_datagrams *datagrams, struct ps_err *err)
{
    size_t bytes = (size_t)PS_DATAGRAMS_AT_ONCE * STRIDE;
    datagrams->room =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (datagrams->room == MAP_FAILED) {
        datagrams->room = NULL;
        return ps_err_set(err, "no memory for datagrams: %s", strerror(errno));
    }
    datagrams->messages = calloc(PS_DATAGRAMS_AT_ONCE, sizeof *datagrams->messages);
    datagrams->vectors = calloc(PS_DATAGRAMS_AT_ONCE, sizeof *datagrams->vectors);
    datagrams->addresses = calloc(PS_DATAGRAMS_AT_ONCE, sizeof *datagrams->addresses);
    datagrams->controls = calloc(PS_DATAGRAMS_AT_ONCE, CONTROL_BYTES);
    if (datagrams->messages == NULL || datagrams->vectors == NULL || datagrams->addresses == NULL ||
        datagrams->controls == NULL)
        return ps_err_set(err, "no memory for datagrams");
    for (uint32_t i = 0; i < PS_DATAGRAMS_AT_ONCE; i++) {
        datagrams->vectors[i] = (struct iovec){.iov_base = datagrams->room + (size_t)i * STRIDE,
                                               .iov_len = PS_DATAGRAM_BYTES_MAX};
        datagrams->messages[i].msg_hdr.msg_iov = &datagrams->vectors[i];
        datagrams->messages[i].msg_hdr.msg_iovlen = 1;
    }
    return PS_OK;
}

enum ps_status ps_datagrams_init(struct ps_datagrams *datagrams, const struct ps_bind_options *options,
                                 bool peers, struct ps_port *port, struct ps_err *err)
{
    *datagrams = (struct ps_datagrams){.port = port, .peers = peers, .done = true};
    datagrams->fd = ps_address_bind(options, &datagrams->bound, err);
    if (datagrams->fd < 0)
        return PS_FAIL;
    if (make_rooms(datagrams, err) != PS_OK) {
        ps_datagrams_fini(datagrams);
        return PS_FAIL;
    }
    int on = 1, bytes = 0;
    socklen_t size = sizeof bytes;
    (void)setsockopt(datagrams->fd, SOL_SOCKET, SO_RXQ_OVFL, &on, sizeof on);
    (void)setsockopt(datagrams->fd, IPPROTO_UDP, UDP_GRO, &on, sizeof on);
    (void)getsockopt(datagrams->fd, SOL_SOCKET, SO_RCVBUF, &bytes, &size);
    struct epoll_event event = {.events = EPOLLIN};
    if (epoll_ctl(port->epoll_fd, EPOLL_CTL_ADD, datagrams->fd, &event) != 0) {
        ps_err_set(err, "cannot watch the socket: %s", strerror(errno));
        ps_datagrams_fini(datagrams);
        return PS_FAIL;
    }
    char text[PS_ADDRESS_TEXT_BYTES];
    ps_address_print(&datagrams->bound, text);
    ps_log(
        PS_LOG_INFO, port->component, "listening on %s (UDP, receive buffer %s)", text,
        ps_quantity_print_bytes((uint64_t)bytes / 2).text); /* the kernel returns twice the requested size */
    if (bytes / 2 < options->receive_buffer_bytes)
        ps_log(PS_LOG_INFO, port->component,
               "the system allows no larger receive buffer; to lose fewer datagrams in bursts set sysctl "
               "net.core.rmem_max=%d",
               options->receive_buffer_bytes);
    return PS_OK;
}

/* Counts the drops since the last call. `total` is the kernel's count, modulo 2^32. A datagram carries the count of the
 * time when it arrived; the count may have been read from the socket later than that, and is newer then. */
static void count_drops(struct ps_datagrams *datagrams, uint32_t total)
{
    uint32_t fresh = total - datagrams->overflow;
    if (fresh == 0 || fresh > INT32_MAX)
        return;
    ps_count(datagrams->port->counters, PS_COUNTER_kernel_dropped, fresh);
    datagrams->overflow = total;
}

/* Also counts the drops after the last datagram that was read. Before Linux 4.12 there is no such option. */
static void look_at_drops(struct ps_datagrams *datagrams)
{
    uint32_t values[SK_MEMINFO_VARS];
    socklen_t size = sizeof values;
    if (getsockopt(datagrams->fd, SOL_SOCKET, SO_MEMINFO, values, &size) == 0 &&
        size >= (SK_MEMINFO_DROPS + 1) * sizeof values[0])
        count_drops(datagrams, values[SK_MEMINFO_DROPS]);
}

/* The check needs no deadline of its own, because a worker wakes once a second anyway. */
uint64_t ps_datagrams_source_tick(const void *, void *datagrams_, const struct ps_now *now)
{
    struct ps_datagrams *datagrams = datagrams_;
    if (now->mono_ns >= datagrams->look_ns) {
        datagrams->look_ns = now->mono_ns + LOOK_NS;
        look_at_drops(datagrams);
    }
    return PS_NEVER;
}

bool ps_datagrams_has_text(const struct ps_slice *datagram)
{
    for (size_t i = 0; i < datagram->length; i++) {
        if (memchr("\r\n \t", datagram->data[i], 5) == NULL) /* and the NUL */
            return true;
    }
    return false;
}

void ps_datagrams_discard(const struct ps_datagrams *datagrams, const struct ps_discard *discard,
                          const struct ps_address *peer)
{
    char ip[PS_ADDRESS_TEXT_BYTES], where[PS_ADDRESS_TEXT_BYTES + 8];
    struct ps_discard from = *discard;
    if (!ps_datagrams_has_text(&(struct ps_slice){discard->bytes, (uint32_t)discard->length}))
        return;
    if (datagrams->peers) {
        snprintf(where, sizeof where, "from %.*s", (int)ps_address_ip(peer, ip), ip);
        from.where = where;
    }
    ps_port_discard(datagrams->port, &from);
}

/* Counts the datagrams that were received and not read: nobody else has them. */
static void give_up_rest(struct ps_datagrams *datagrams)
{
    uint64_t count = 0;
    for (; datagrams->next < datagrams->count; count++)
        ps_datagrams_advance(datagrams);
    if (count == 0)
        return;
    ps_count(datagrams->port->counters, PS_COUNTER_dropped, count);
    ps_log(PS_LOG_WARN, datagrams->port->component, "%s %s given up: the source was closed before",
           ps_quantity_print_count(count).text,
           ps_quantity_word(count, "datagram that was read is", "datagrams that were read are"));
}

void ps_datagrams_fini(struct ps_datagrams *datagrams)
{
    give_up_rest(datagrams);
    if (datagrams->fd >= 0) {
        look_at_drops(datagrams);
        close(datagrams->fd);
    }
    datagrams->fd = -1;
    if (datagrams->room != NULL)
        munmap(datagrams->room, (size_t)PS_DATAGRAMS_AT_ONCE * STRIDE);
    datagrams->room = NULL;
    free(datagrams->messages);
    free(datagrams->vectors);
    free(datagrams->addresses);
    free(datagrams->controls);
    datagrams->messages = NULL;
    datagrams->vectors = NULL;
    datagrams->addresses = NULL;
    datagrams->controls = NULL;
}

void ps_datagrams_begin(struct ps_datagrams *datagrams)
{
    datagrams->done = datagrams->over;
}

/* Reads the kernel's count of drops, and the size of the datagrams in a run. */
static void read_control(struct ps_datagrams *datagrams, struct msghdr *header)
{
    datagrams->segment = 0;
    for (struct cmsghdr *one = CMSG_FIRSTHDR(header); one != NULL; one = CMSG_NXTHDR(header, one)) {
        if (one->cmsg_level == SOL_SOCKET && one->cmsg_type == SO_RXQ_OVFL) {
            uint32_t total;
            memcpy(&total, CMSG_DATA(one), sizeof total);
            count_drops(datagrams, total);
        } else if (one->cmsg_level == IPPROTO_UDP && one->cmsg_type == UDP_GRO) {
            int size;
            memcpy(&size, CMSG_DATA(one), sizeof size);
            datagrams->segment = size > 0 ? (uint32_t)size : 0;
        }
    }
}

static void begin_message(struct ps_datagrams *datagrams)
{
    datagrams->at = 0;
    if (datagrams->next < datagrams->count)
        read_control(datagrams, &datagrams->messages[datagrams->next].msg_hdr);
}

static bool receive(struct ps_datagrams *datagrams)
{
    for (uint32_t i = 0; i < PS_DATAGRAMS_AT_ONCE; i++) {
        struct msghdr *header = &datagrams->messages[i].msg_hdr;
        header->msg_control = datagrams->controls + (size_t)i * CONTROL_BYTES;
        header->msg_controllen = CONTROL_BYTES;
        if (datagrams->peers) {
            header->msg_name = &datagrams->addresses[i].storage;
            header->msg_namelen = sizeof datagrams->addresses[i].storage;
        }
    }
    int n = recvmmsg(datagrams->fd, datagrams->messages, PS_DATAGRAMS_AT_ONCE, MSG_DONTWAIT, NULL);
    datagrams->next = 0;
    datagrams->count = n > 0 ? (uint32_t)n : 0;
    /* An ICMP error of an earlier answer is reported once here; a receiver can ignore it. */
    datagrams->done = n >= 0 ? n < (int)PS_DATAGRAMS_AT_ONCE : errno == EAGAIN || errno == EWOULDBLOCK;
    begin_message(datagrams);
    return n > 0;
}

bool ps_datagrams_peek(struct ps_datagrams *datagrams, struct ps_slice *datagram,
                       const struct ps_address **peer)
{
    if (datagrams->next == datagrams->count && (datagrams->done || !receive(datagrams)))
        return false;
    uint32_t index = datagrams->next, length = datagrams->messages[index].msg_len - datagrams->at;
    if (datagrams->segment > 0 && length > datagrams->segment)
        length = datagrams->segment;
    *datagram = (struct ps_slice){datagrams->room + (size_t)index * STRIDE + datagrams->at, length};
    datagrams->addresses[index].length = datagrams->messages[index].msg_hdr.msg_namelen;
    *peer = &datagrams->addresses[index];
    return true;
}

void ps_datagrams_advance(struct ps_datagrams *datagrams)
{
    uint32_t length = datagrams->messages[datagrams->next].msg_len;
    if (datagrams->segment > 0 && length - datagrams->at > datagrams->segment) {
        datagrams->at += datagrams->segment;
        return;
    }
    datagrams->next++;
    begin_message(datagrams);
}

bool ps_datagrams_source_drain(const void *, void *datagrams_, const struct ps_now *now)
{
    struct ps_datagrams *datagrams = datagrams_;
    if (datagrams->drain_until_ns == 0) {
        datagrams->drain_until_ns = now->mono_ns + PS_NS_PER_S;
        datagrams->done = false;
        return false;
    }
    /* Senders may go on for ever, and a sink that is slower than they are leaves datagrams at every look. */
    datagrams->over = now->mono_ns >= datagrams->drain_until_ns;
    return datagrams->next == datagrams->count && (datagrams->done || datagrams->over);
}
