/* Far end udp: listens; each datagram is a record, and all of them are one stream. The kernel counts the
 * datagrams that it drops because verify is too slow (SO_MEMINFO); the remark reports them.
 *
 * Thread: the reader's. */
#include "bench/verify/far/ends.h"
#include "bench/verify/far/listen/listen.h"
#include "core/clock.h"
#include "stages/lib/net/datagrams.h"
#include "core/quantity.h"

#include <linux/sock_diag.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define BUFFER_BYTES (64 << 20) /* requested receive buffer */
#define RECORDS_MAX 4096U

struct far_udp {
    struct ps_datagrams datagrams;
    struct ps_port port;
    struct ps_counters counters;
    char address[PS_FAR_ADDRESS_BYTES], remark[256];
};

static enum ps_status far_udp_open(void **state, struct ps_url *url, uint64_t, struct ps_err *err)
{
    struct ps_bind_options options;
    *state = NULL;
    if (ps_url_check(url, err) != PS_OK || ps_far_bind_options(url, true, &options, err) != PS_OK)
        return PS_FAIL;
    options.receive_buffer_bytes = BUFFER_BYTES;
    struct far_udp *far = ps_must_alloc_aligned(sizeof *far, "the UDP listener");
    *far = (struct far_udp){.datagrams.fd = -1};
    far->port = (struct ps_port){.component = "verify",
                                 .counters = &far->counters,
                                 .instances = 1,
                                 .epoll_fd = epoll_create1(EPOLL_CLOEXEC)};
    if (ps_datagrams_init(&far->datagrams, &options, false, &far->port, err) != PS_OK) {
        close(far->port.epoll_fd);
        free(far);
        return PS_FAIL;
    }
    ps_address_print(&far->datagrams.bound, far->address);
    *state = far;
    return PS_OK;
}

static void far_udp_close(void *state)
{
    struct far_udp *far = state;
    ps_datagrams_fini(&far->datagrams);
    close(far->port.epoll_fd);
    free(far);
}

static enum ps_far_read far_udp_read(void *state, int timeout_ms, ps_far_record_taker *taker, void *argument,
                                     struct ps_err *)
{
    struct far_udp *far = state;
    struct ps_far_hand hand = {.taker = taker, .argument = argument};
    struct epoll_event event;
    struct ps_slice datagram;
    const struct ps_address *peer;
    /* some received datagrams are not handed over yet */
    bool some_left = far->datagrams.next < far->datagrams.count;
    if (!some_left && epoll_wait(far->port.epoll_fd, &event, 1, timeout_ms) <= 0)
        return PS_FAR_IDLE;
    ps_datagrams_begin(&far->datagrams);
    hand.arrival_ns = ps_clock_now().mono_ns;
    while (hand.count < RECORDS_MAX && ps_datagrams_peek(&far->datagrams, &datagram, &peer)) {
        ps_far_hand_over(&hand, datagram.data, datagram.length);
        ps_datagrams_advance(&far->datagrams);
        if (hand.count % PS_DATAGRAMS_AT_ONCE == 0)
            hand.arrival_ns = ps_clock_now().mono_ns;
    }
    return hand.count > 0 ? PS_FAR_SOME : PS_FAR_IDLE;
}

static const char *far_udp_remark(void *state, bool *lossy)
{
    struct far_udp *far = state;
    uint32_t info[SK_MEMINFO_VARS] = {0};
    socklen_t size = sizeof info;
    *lossy = false;
    if (getsockopt(far->datagrams.fd, SOL_SOCKET, SO_MEMINFO, info, &size) != 0 ||
        info[SK_MEMINFO_DROPS] == 0)
        return NULL;
    *lossy = true;
    snprintf(far->remark, sizeof far->remark,
             "the kernel dropped %s datagrams because they arrived faster than they were read (its buffer: "
             "%s; sysctl net.core.rmem_max allows more)",
             ps_quantity_print_count(info[SK_MEMINFO_DROPS]).text,
             ps_quantity_print_bytes(info[SK_MEMINFO_RCVBUF] / 2).text);
    return far->remark;
}

static const char *far_udp_address(void *state)
{
    const struct far_udp *far = state;
    return far->address;
}

const struct ps_far_end_ops ps_far_udp = {
    .scheme = "udp",
    .summary = "udp://HOST:PORT (listens; each datagram is a record)",
    .open = far_udp_open,
    .read = far_udp_read,
    .remark = far_udp_remark,
    .address = far_udp_address,
    .close = far_udp_close,
};
