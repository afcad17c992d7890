/* Target udp: sends one datagram per event, for syslog over UDP (RFC 5426) and Flume's netcatudp and
 * syslogudp. Runs of events of one size go to the kernel as one message (UDP_SEGMENT), the rest through
 * sendmmsg.
 *
 * A datagram is completed when the kernel has accepted it: UDP gives no further confirmation. But when no
 * process listens on the port, an ICMP message comes back and the socket reports it at its next call, without
 * naming the datagram. So all datagrams of the previous call count as failed and the connection as lost: the
 * target then tries single datagrams with back-off until one causes no refusal.
 *
 * Thread: the lane's sender. Never blocks. */
#include "bench/load/lane/block_queue.h"
#include "bench/load/target/keys.h"
#include "bench/load/targets.h"
#include "core/clock.h"
#include "core/quantity.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h> /* <linux/errqueue.h> needs it */
#include <linux/errqueue.h>
#include <unistd.h>

#define MESSAGES_MAX 64U           /* messages in one call */
#define SEGMENTS_MAX 64U           /* segments in one message: the kernel's UDP_MAX_SEGMENTS */
#define SEGMENTED_BYTES_MAX 65000U /* bytes in one message of several segments */
/* if no refusal arrives within this time, the single datagram counts as sent */
#define PROBE_NS (20 * PS_NS_PER_MS)
#define NO_BUFFER_WAIT_NS PS_NS_PER_MS /* wait when the kernel has no buffer */
#define SEND_BUFFER_BYTES (4 << 20)

struct udp_plan {
    struct sockaddr_storage address;
    unsigned address_bytes;
    bool segment;
};

enum udp_phase {
    UDP_SENDING,
    UDP_RESTING, /* until `resume_ns` */
    /* One datagram was sent: wait until `resume_ns` for a refusal. */
    UDP_PROBING,
};

struct udp_target {
    struct ps_block_queue queue; /* must be first */
    const struct udp_plan *plan;
    int fd;
    enum udp_phase phase;
    bool full; /* the socket's buffer is full: wait until it is writable */
    bool up;   /* ps_lane_up was called */
    unsigned failures;
    /* Longer events are not segmented; the device's MTU sets the limit. */
    uint32_t segment_bytes_max;
    uint64_t resume_ns;
    struct mmsghdr messages[MESSAGES_MAX];
    struct iovec parts[MESSAGES_MAX];
    uint32_t counts[MESSAGES_MAX]; /* events of each message */
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(uint16_t))];
    } controls[MESSAGES_MAX];
};

static enum ps_status udp_plan(void *made, struct ps_url *url, enum ps_framing *, struct ps_err *err)
{
    struct udp_plan *plan = made;
    plan->segment = true;
    return ps_target_key_bool(url, "segment", &plan->segment, err) == PS_OK
               ? ps_url_address(url, &plan->address, &plan->address_bytes, err)
               : PS_FAIL;
}

static enum ps_status udp_open(void *state, const void *plan, struct ps_lane *lane, struct ps_err *err)
{
    struct udp_target *udp = state;
    udp->plan = plan;
    udp->segment_bytes_max = udp->plan->segment ? UINT16_MAX : 0;
    ps_block_queue_init(&udp->queue, lane);
    udp->fd = socket(udp->plan->address.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (udp->fd < 0 ||
        connect(udp->fd, (const struct sockaddr *)&udp->plan->address, udp->plan->address_bytes) != 0) {
        ps_err_set(err, "a UDP socket: %s", strerror(errno));
        if (udp->fd >= 0)
            close(udp->fd);
        return PS_FAIL;
    }
    int bytes = SEND_BUFFER_BYTES, yes = 1; /* the kernel may grant less */
    setsockopt(udp->fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    if (udp->plan->address.ss_family == AF_INET6)
        setsockopt(udp->fd, IPPROTO_IPV6, IPV6_RECVERR, &yes, sizeof yes);
    else
        setsockopt(udp->fd, IPPROTO_IP, IP_RECVERR, &yes, sizeof yes);
    return PS_OK;
}

/* ---- sending ---- */

/* Returns how many events from `at` on can be sent as one message. */
static uint32_t run_length(const struct udp_target *udp, const struct ps_load_block *block, uint32_t at)
{
    uint32_t length = ps_block_length(block, at), count = 1;
    if (length == 0 || length > udp->segment_bytes_max)
        return 1;
    while (at + count < block->count && count < SEGMENTS_MAX && (count + 1) * length <= SEGMENTED_BYTES_MAX &&
           ps_block_length(block, at + count) == length)
        count++;
    return count;
}

static void message_fill(struct udp_target *udp, unsigned number, struct ps_load_block *block, uint32_t at,
                         uint32_t count)
{
    struct msghdr *message = &udp->messages[number].msg_hdr;
    uint32_t begin = ps_block_begin(block, at);
    udp->counts[number] = count;
    udp->parts[number].iov_base = block->bytes + begin;
    udp->parts[number].iov_len = block->ends[at + count - 1] - begin;
    *message = (struct msghdr){.msg_iov = &udp->parts[number], .msg_iovlen = 1};
    if (count == 1)
        return;
    message->msg_control = &udp->controls[number];
    message->msg_controllen = sizeof udp->controls[number].bytes;
    struct cmsghdr *control = CMSG_FIRSTHDR(message);
    control->cmsg_level = SOL_UDP;
    control->cmsg_type = UDP_SEGMENT;
    control->cmsg_len = CMSG_LEN(sizeof(uint16_t));
    uint16_t segment = (uint16_t)ps_block_length(block, at);
    memcpy(CMSG_DATA(control), &segment, sizeof segment);
}

/* Makes messages of the next events, all from one block. */
static unsigned messages_make(struct udp_target *udp, uint32_t events_max)
{
    struct ps_load_block *block = udp->queue.next;
    uint32_t at = udp->queue.next_event;
    unsigned count = 0;
    while (count < MESSAGES_MAX && at < block->count && events_max > 0) {
        uint32_t length = events_max == 1 ? 1 : run_length(udp, block, at);
        message_fill(udp, count++, block, at, length);
        at += length;
        events_max -= length < events_max ? length : events_max;
    }
    return count;
}

static void lost(struct udp_target *udp, uint64_t now_ns, const char *reason)
{
    udp->up = false;
    udp->phase = UDP_RESTING;
    udp->resume_ns = ps_lane_retry_at(udp->queue.lane, udp->failures++, now_ns);
    ps_lane_down(udp->queue.lane, now_ns, reason);
}

/* Returns whether a refusal came for an earlier datagram. The socket's error alone is not enough: sendmmsg discards
 * it when it has already sent a datagram before it sees the error. */
static bool was_refused(struct udp_target *udp)
{
    bool found = false;
    for (;;) {
        char space[512];
        struct msghdr message = {.msg_control = space, .msg_controllen = sizeof space};
        if (recvmsg(udp->fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
            break;
        const struct cmsghdr *control = CMSG_FIRSTHDR(&message);
        if (control == NULL || control->cmsg_len < CMSG_LEN(sizeof(struct sock_extended_err)))
            continue;
        struct sock_extended_err error;
        memcpy(&error, CMSG_DATA(control), sizeof error);
        if (error.ee_origin != SO_EE_ORIGIN_LOCAL && error.ee_errno == ECONNREFUSED)
            found = true;
    }
    if (found) { /* reading the error clears it on the socket */
        int error;
        socklen_t length = sizeof error;
        getsockopt(udp->fd, SOL_SOCKET, SO_ERROR, &error, &length);
    }
    return found;
}

static void refused(struct udp_target *udp, uint64_t now_ns)
{
    static const char reason[] = "refused: no process listens on that port (ICMP)";
    if (udp->queue.in_flight > 0)
        ps_block_queue_fail(&udp->queue, udp->queue.in_flight, reason);
    lost(udp, now_ns, reason);
}

/* Handles the error when not even the first message of a call was sent. Returns false when nothing more can be sent
 * now. */
static bool not_sent(struct udp_target *udp, int error, uint64_t now_ns)
{
    char reason[128];
    uint32_t length = udp->counts[0] > 0 ? (uint32_t)udp->parts[0].iov_len / udp->counts[0] : 0;
    switch (error) {
    case EAGAIN:
        udp->full = true;
        return false;
    case ENOBUFS:
        udp->phase = UDP_RESTING;
        udp->resume_ns = now_ns + NO_BUFFER_WAIT_NS;
        return false;
    case EINTR:
        return true;
    case ECONNREFUSED: /* an earlier datagram was refused, which was already counted as completed */
        was_refused(udp);
        refused(udp, now_ns);
        return false;
    case EINVAL:
    case EIO:
    case EMSGSIZE:
        /* EMSGSIZE, EINVAL: the segments are too long for the device; EIO: the device cannot compute checksums */
        if (udp->counts[0] > 1) {
            udp->segment_bytes_max = error == EIO ? 0 : length - 1;
            return true;
        }
        snprintf(reason, sizeof reason, "a datagram of %s bytes: %s", ps_quantity_print_count(length).text,
                 strerror(error));
        ps_block_queue_advance(&udp->queue, 1);
        ps_block_queue_fail(&udp->queue, 1, reason);
        return true;
    default:
        lost(udp, now_ns, strerror(error));
        return false;
    }
}

/* Makes one call to the kernel. Returns false when nothing more can be sent now. */
static bool send_some(struct udp_target *udp, uint32_t events_max, uint64_t now_ns)
{
    unsigned count = messages_make(udp, events_max);
    int sent = sendmmsg(udp->fd, udp->messages, count, 0);
    if (sent <= 0)
        return not_sent(udp, errno, now_ns);
    for (int i = 0; i < sent; i++)
        ps_block_queue_advance(&udp->queue, udp->counts[i]);
    if (was_refused(udp)) {
        refused(udp, now_ns);
        return false;
    }
    return true;
}

static void confirm_sent(struct udp_target *udp, uint64_t now_ns)
{
    if (udp->queue.in_flight > 0)
        ps_block_queue_complete(&udp->queue, udp->queue.in_flight, now_ns);
    if (!udp->up)
        ps_lane_up(udp->queue.lane, now_ns);
    udp->up = true;
    udp->failures = 0;
    udp->phase = UDP_SENDING;
}

/* Continues after a rest, or at the beginning. */
static void resume(struct udp_target *udp, uint64_t now_ns)
{
    if (now_ns < udp->resume_ns)
        return;
    if (udp->phase == UDP_PROBING) {
        if (was_refused(udp))
            refused(udp, now_ns);
        else
            confirm_sent(udp, now_ns);
        return;
    }
    udp->phase = UDP_SENDING;
    if (udp->up || udp->failures == 0 || udp->queue.next == NULL)
        return;
    if (send_some(udp, 1, now_ns) && udp->queue.in_flight > 0) {
        udp->phase = UDP_PROBING;
        udp->resume_ns = now_ns + PROBE_NS;
    }
}

static uint64_t udp_work(void *state, uint64_t now_ns)
{
    struct udp_target *udp = state;
    udp->full = false;
    if (!udp->up && udp->failures == 0) {
        udp->up = true;
        ps_lane_up(udp->queue.lane, now_ns);
    }
    if (udp->phase != UDP_SENDING || udp->failures > 0)
        resume(udp, now_ns);
    while (udp->phase == UDP_SENDING && udp->failures == 0 && udp->queue.next != NULL) {
        if (!send_some(udp, UINT32_MAX, now_ns))
            break;
        if (udp->queue.in_flight > 0)
            confirm_sent(udp, now_ns);
    }
    return udp->phase == UDP_SENDING ? PS_NEVER : udp->resume_ns;
}

static int udp_descriptor(void *state, short *events)
{
    const struct udp_target *udp = state;
    *events = udp->full ? POLLOUT : 0;
    return udp->fd;
}

static void udp_close(void *state)
{
    close(((struct udp_target *)state)->fd);
}

const struct ps_target_ops ps_target_udp = {
    .scheme = "udp",
    .summary = "udp://HOST:PORT?segment=true|false: one datagram per event; segment=false: no UDP_SEGMENT",
    .framing = PS_FRAMING_NONE,
    .completion = PS_COMPLETION_WRITTEN,
    .blocks_max = 4,
    .plan_bytes = sizeof(struct udp_plan),
    .state_bytes = sizeof(struct udp_target),
    .plan = udp_plan,
    .open = udp_open,
    .give = ps_block_queue_give,
    .work = udp_work,
    .descriptor = udp_descriptor,
    .finish = ps_block_queue_finish,
    .close = udp_close,
};
