#include "bench/load/stream.h"
#include "bench/load/block_queue.h"
#include "bench/load/target_keys.h"
#include "core/clock.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PARTS_MAX 8
#define WORK_BYTES_MAX (1U << 20) /* written in one call, then the other lanes have their turn */
#define ANSWER_BYTES 16384U
#define LOOK_NS PS_NS_PER_MS         /* how often a stream without answers looks for the peer's end */
#define CONNECT_NS (5 * PS_NS_PER_S) /* connecting and shaking hands */
#define STEADY_NS PS_NS_PER_S        /* a connection that held so long was no failure */

enum stream_phase { STREAM_RESTING, STREAM_CONNECTING, STREAM_SHAKING, STREAM_UP };

struct stream {
    const struct ps_load_stream_plan *plan;
    struct ps_block_queue queue;
    enum stream_phase phase;
    int fd;
    void *session;
    short wants;          /* what the transport waits for */
    bool full;            /* the socket took no more */
    unsigned failures;    /* in a row */
    uint64_t deadline_ns; /* resting: until then; connecting and shaking: at most until then */
    uint64_t up_ns, looked_ns;
    uint64_t answer_memory;
};

/* ---- the plan ---- */

enum ps_status ps_load_stream_plan_read(struct ps_load_stream_plan *plan, struct ps_url *url,
                                        unsigned default_port, struct ps_err *err)
{
    plan->transport = &ps_load_stream_plain;
    if (ps_target_key_bytes(url, "send_buffer", &plan->send_buffer_bytes, err) != PS_OK ||
        ps_target_key_bool(url, "nagle", &plan->nagle, err) != PS_OK)
        return PS_FAIL;
    if (plan->send_buffer_bytes > 1U << 30)
        return ps_err_set(err, "send_buffer=%s: at most 1GiB", ps_url_get(url, "send_buffer", ""));
    return ps_url_address(url, default_port, &plan->address, &plan->address_bytes, err);
}

enum ps_status ps_load_stream_framing_read(struct ps_url *url, enum ps_framing *framing, struct ps_err *err)
{
    static const char *const words[] = {"newline", "octet-counted", NULL};
    unsigned word = *framing == PS_FRAMING_OCTET_COUNTED;
    if (ps_target_key_word(url, "framing", words, &word, err) != PS_OK)
        return PS_FAIL;
    *framing = word == 1 ? PS_FRAMING_OCTET_COUNTED : PS_FRAMING_NEWLINE;
    return PS_OK;
}

/* ---- connecting ---- */

static void part(struct stream *stream)
{
    if (stream->session != NULL)
        stream->plan->transport->close(stream->session);
    stream->session = NULL;
    if (stream->fd >= 0)
        close(stream->fd);
    stream->fd = -1;
}

/* The connection is lost, or could not be made: everything not completed is sent again. */
static void lose(struct stream *stream, uint64_t now_ns, const char *reason)
{
    part(stream);
    if (stream->phase == STREAM_UP && now_ns - stream->up_ns >= STEADY_NS)
        stream->failures = 0;
    for (struct ps_load_block *block = stream->queue.head; block != NULL; block = block->next)
        block->cursor = ps_block_begin(block, block->completed);
    ps_block_queue_rewind(&stream->queue);
    stream->phase = STREAM_RESTING;
    stream->full = false;
    ps_lane_down(stream->queue.lane, now_ns, reason);
    stream->deadline_ns = ps_lane_retry_at(stream->queue.lane, stream->failures++, now_ns);
}

static void shake(struct stream *stream, uint64_t now_ns)
{
    const struct ps_load_stream_transport *transport = stream->plan->transport;
    char reason[PS_LOAD_STREAM_REASON_BYTES] = "";
    int done = 1;
    if (transport->handshake != NULL)
        done = transport->handshake(stream->session, &stream->wants, reason);
    if (done < 0) {
        lose(stream, now_ns, reason);
    } else if (done > 0) {
        stream->phase = STREAM_UP;
        stream->wants = 0;
        stream->up_ns = stream->looked_ns = now_ns;
        stream->answer_memory = 0;
        ps_lane_up(stream->queue.lane, now_ns);
    }
}

static void connected(struct stream *stream, uint64_t now_ns)
{
    char reason[PS_LOAD_STREAM_REASON_BYTES] = "";
    stream->session = stream->plan->transport->open(stream->plan->transport_plan, stream->fd, reason);
    if (stream->session == NULL) {
        lose(stream, now_ns, reason);
        return;
    }
    stream->phase = STREAM_SHAKING;
    shake(stream, now_ns);
}

static void connect_begin(struct stream *stream, uint64_t now_ns)
{
    const struct ps_load_stream_plan *plan = stream->plan;
    int yes = 1, size = (int)plan->send_buffer_bytes;
    stream->deadline_ns = now_ns + CONNECT_NS;
    stream->fd = socket(plan->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (stream->fd < 0) {
        lose(stream, now_ns, strerror(errno));
        return;
    }
    ps_lane_descriptor_changed(stream->queue.lane);
    if (!plan->nagle)
        setsockopt(stream->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    if (size > 0)
        setsockopt(stream->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    stream->phase = STREAM_CONNECTING;
    if (connect(stream->fd, (const struct sockaddr *)&plan->address, plan->address_bytes) == 0)
        connected(stream, now_ns);
    else if (errno != EINPROGRESS)
        lose(stream, now_ns, strerror(errno));
}

static void connect_go_on(struct stream *stream, uint64_t now_ns)
{
    struct pollfd ready = {.fd = stream->fd, .events = POLLOUT};
    int error = 0;
    socklen_t length = sizeof error;
    if (poll(&ready, 1, 0) <= 0)
        return;
    if (getsockopt(stream->fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0)
        error = errno;
    if (error != 0)
        lose(stream, now_ns, strerror(error));
    else
        connected(stream, now_ns);
}

/* ---- writing and reading ---- */

/* The socket took so many bytes: which events were complete with them? */
static void account(struct stream *stream, size_t bytes, uint64_t now_ns)
{
    struct ps_block_queue *queue = &stream->queue;
    while (bytes > 0) {
        struct ps_load_block *block = queue->next;
        size_t left = block->ends[block->count - 1] - block->cursor;
        size_t taken = bytes < left ? bytes : left;
        uint32_t event = queue->next_event, first = event;
        block->cursor += (uint32_t)taken;
        bytes -= taken;
        if (taken == left)
            event = block->count;
        while (event < block->count && block->ends[event] <= block->cursor)
            event++;
        if (event == first)
            continue;
        ps_block_queue_advance(queue, event - first);
        if (stream->plan->answers == NULL)
            ps_block_queue_complete(queue, event - first, now_ns);
    }
}

static void write_blocks(struct stream *stream)
{
    char reason[PS_LOAD_STREAM_REASON_BYTES] = "";
    for (size_t total = 0; stream->queue.next != NULL && total < WORK_BYTES_MAX;) {
        struct iovec parts[PARTS_MAX];
        int count = 0;
        for (struct ps_load_block *block = stream->queue.next; block != NULL && count < PARTS_MAX;
             block = block->next)
            parts[count++] =
                (struct iovec){block->bytes + block->cursor, block->ends[block->count - 1] - block->cursor};
        ssize_t written =
            stream->plan->transport->write(stream->session, parts, count, &stream->wants, reason);
        uint64_t now_ns = ps_lane_now(stream->queue.lane);
        if (written < 0) {
            lose(stream, now_ns, reason);
            return;
        }
        stream->full = written == 0;
        if (stream->full)
            return;
        account(stream, (size_t)written, now_ns);
        total += (size_t)written;
    }
}

/* A no to an event of which only a part is written yet: the rest would be taken for another event. */
static void refuse_half(struct stream *stream, uint64_t now_ns, const char *reason)
{
    struct ps_block_queue *queue = &stream->queue;
    bool begun = queue->next != NULL && queue->next->cursor > ps_block_begin(queue->next, queue->next_event);
    if (begun) {
        ps_block_queue_advance(queue, 1);
        ps_block_queue_fail(queue, 1, reason);
    }
    lose(stream, now_ns, begun ? reason : "more answers than events came back");
}

/* False: the connection was given up. */
static bool take_answers(struct stream *stream, const char *data, size_t length, uint64_t now_ns)
{
    char reason[PS_LOAD_STREAM_REASON_BYTES] = "";
    while (length > 0) {
        size_t taken = length;
        bool refused = false;
        uint32_t count =
            stream->plan->answers(&stream->answer_memory, data, length, &taken, &refused, reason);
        if (count == UINT32_MAX || count > stream->queue.in_flight) {
            lose(stream, now_ns, count == UINT32_MAX ? reason : "more answers than events came back");
            return false;
        }
        ps_block_queue_complete(&stream->queue, count, now_ns);
        if (refused && stream->queue.in_flight == 0) {
            refuse_half(stream, now_ns, reason);
            return false;
        }
        if (refused)
            ps_block_queue_fail(&stream->queue, 1, reason);
        data += taken;
        length -= taken;
    }
    return true;
}

static void read_answers(struct stream *stream, uint64_t now_ns)
{
    const struct ps_load_stream_plan *plan = stream->plan;
    char answers[ANSWER_BYTES], reason[PS_LOAD_STREAM_REASON_BYTES] = "";
    short wants = 0; /* reading is always polled for */
    ssize_t length;
    stream->looked_ns = now_ns;
    do {
        length = plan->transport->read(stream->session, answers, sizeof answers, &wants, reason);
        if (length < 0) {
            lose(stream, now_ns, reason);
            return;
        }
        if (length > 0 && plan->answers != NULL && !take_answers(stream, answers, (size_t)length, now_ns))
            return;
    } while (length == (ssize_t)sizeof answers);
}

/* ---- what the lane calls ---- */

enum ps_status ps_load_stream_open(void **state, const void *plan, struct ps_lane *lane, struct ps_err *err)
{
    struct stream *stream = calloc(1, sizeof *stream);
    if (stream == NULL)
        return ps_err_set(err, "no memory");
    stream->plan = plan;
    stream->fd = -1;
    ps_block_queue_init(&stream->queue, lane);
    *state = stream; /* resting, until now */
    return PS_OK;
}

void ps_load_stream_give(void *state, struct ps_load_block *block)
{
    struct stream *stream = state;
    block->cursor = 0;
    ps_block_queue_push(&stream->queue, block);
}

uint64_t ps_load_stream_work(void *state, uint64_t now_ns)
{
    struct stream *stream = state;
    if (stream->phase == STREAM_RESTING && now_ns >= stream->deadline_ns)
        connect_begin(stream, now_ns);
    else if (stream->phase == STREAM_CONNECTING)
        connect_go_on(stream, now_ns);
    else if (stream->phase == STREAM_SHAKING)
        shake(stream, now_ns);
    if (stream->phase != STREAM_UP && stream->phase != STREAM_RESTING && now_ns >= stream->deadline_ns)
        lose(stream, now_ns,
             stream->phase == STREAM_CONNECTING ? "connecting took more than 5 s"
                                                : "the handshake took more than 5 s");
    if (stream->phase != STREAM_UP)
        return stream->deadline_ns;
    if (stream->plan->answers != NULL || now_ns - stream->looked_ns >= LOOK_NS)
        read_answers(stream, now_ns);
    if (stream->phase == STREAM_UP)
        write_blocks(stream);
    if (stream->phase != STREAM_UP)
        return stream->deadline_ns;
    return stream->queue.next != NULL && !stream->full ? now_ns : PS_NEVER;
}

int ps_load_stream_descriptor(void *state, short *events)
{
    const struct stream *stream = state;
    switch (stream->phase) {
    case STREAM_RESTING:
        *events = 0;
        break;
    case STREAM_CONNECTING:
        *events = POLLOUT;
        break;
    case STREAM_SHAKING:
        *events = stream->wants;
        break;
    case STREAM_UP:
        *events = (short)(POLLIN | (stream->full ? stream->wants : 0));
        break;
    }
    return stream->fd;
}

bool ps_load_stream_finish(void *state, uint64_t now_ns)
{
    struct stream *stream = state;
    (void)now_ns;
    if (!ps_block_queue_is_empty(&stream->queue))
        return false;
    if (stream->phase == STREAM_UP)
        stream->plan->transport->end(stream->session);
    return true;
}

void ps_load_stream_close(void *state)
{
    part(state);
    free(state);
}
