#include "bench/load/lane/stream.h"
#include "bench/load/target/keys.h"
#include "core/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PARTS_MAX 8
#define WORK_BYTES_MAX (1U << 20) /* bytes written in one call; then the other lanes have their turn */
#define ANSWER_BYTES 16384U
#define LOOK_NS PS_NS_PER_MS /* how often a stream without answers checks whether the peer has closed */

/* ---- the plan ---- */

enum ps_status ps_load_stream_plan_read(struct ps_load_stream_plan *plan, struct ps_url *url,
                                        struct ps_err *err)
{
    plan->client.transport = &ps_transport_plain;
    if (ps_target_key_bytes(url, "send_buffer", &plan->client.send_buffer_bytes, err) != PS_OK ||
        ps_target_key_bool(url, "nagle", &plan->client.nagle, err) != PS_OK)
        return PS_FAIL;
    if (plan->client.send_buffer_bytes > 1U << 30)
        return ps_err_set(err, "send_buffer=%s: at most 1 GiB", ps_url_get(url, "send_buffer", ""));
    return ps_url_address(url, &plan->client.address, &plan->client.address_bytes, err);
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

/* ---- connections ---- */

/* Marks all events that are not completed to be sent again. */
static void rewind_blocks(struct ps_load_stream *stream)
{
    for (struct ps_load_block *block = stream->queue.head; block != NULL; block = block->next)
        block->cursor = ps_block_begin(block, block->completed);
    ps_block_queue_rewind(&stream->queue);
    stream->full = false;
}

static void lose(struct ps_load_stream *stream, uint64_t now_ns, const char *reason)
{
    rewind_blocks(stream);
    ps_load_connection_lose(&stream->connection, now_ns, reason);
}

static bool is_up(const struct ps_load_stream *stream)
{
    return ps_load_connection_is_up(&stream->connection);
}

/* ---- writing and reading ---- */

/* Called when the socket accepted `bytes`: advances the queue by the events that are now written completely. */
static void account(struct ps_load_stream *stream, size_t bytes, uint64_t now_ns)
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

static void write_blocks(struct ps_load_stream *stream)
{
    char reason[PS_TRANSPORT_REASON_BYTES] = "";
    for (size_t total = 0; stream->queue.next != NULL && total < WORK_BYTES_MAX;) {
        struct iovec parts[PARTS_MAX];
        int count = 0;
        for (struct ps_load_block *block = stream->queue.next; block != NULL && count < PARTS_MAX;
             block = block->next)
            parts[count++] =
                (struct iovec){block->bytes + block->cursor, block->ends[block->count - 1] - block->cursor};
        ssize_t written = ps_client_write(&stream->connection.client, parts, count, reason);
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

/* Handles a refusal of an event that is only partly written: the peer would take the rest of it as another event, so
 * the connection is closed. */
static void refuse_half(struct ps_load_stream *stream, uint64_t now_ns, const char *reason)
{
    struct ps_block_queue *queue = &stream->queue;
    bool begun = queue->next != NULL && queue->next->cursor > ps_block_begin(queue->next, queue->next_event);
    if (begun) {
        ps_block_queue_advance(queue, 1);
        ps_block_queue_fail(queue, 1, reason);
    }
    lose(stream, now_ns, begun ? reason : "more answers than events came back");
}

/* Returns false when it gave up the connection. */
static bool take_answers(struct ps_load_stream *stream, const char *data, size_t length, uint64_t now_ns)
{
    char reason[PS_TRANSPORT_REASON_BYTES] = "";
    for (size_t taken = 1; taken > 0; data += taken, length -= taken) {
        bool refused = false;
        taken = 0;
        uint32_t count = stream->plan->answers(data, length, &taken, &refused, reason);
        if (count > stream->queue.in_flight) {
            lose(stream, now_ns, "more answers than events came back");
            return false;
        }
        ps_block_queue_complete(&stream->queue, count, now_ns);
        if (refused && stream->queue.in_flight == 0) {
            refuse_half(stream, now_ns, reason);
            return false;
        }
        if (refused)
            ps_block_queue_fail(&stream->queue, 1, reason);
    }
    if (length > sizeof stream->half_answer) {
        lose(stream, now_ns, "an answer came back without an end of line");
        return false;
    }
    memcpy(stream->half_answer, data, length);
    stream->half_length = length;
    return true;
}

static void read_answers(struct ps_load_stream *stream, uint64_t now_ns)
{
    const struct ps_load_stream_plan *plan = stream->plan;
    char answers[ANSWER_BYTES], reason[PS_TRANSPORT_REASON_BYTES] = "";
    ssize_t length;
    size_t room, half;
    stream->looked_ns = now_ns;
    do {
        half = stream->half_length;
        room = sizeof answers - half;
        memcpy(answers, stream->half_answer, half);
        length = ps_client_read(&stream->connection.client, answers + half, room, reason);
        if (length < 0) {
            lose(stream, now_ns, reason);
            return;
        }
        if (length > 0 && plan->answers != NULL &&
            !take_answers(stream, answers, half + (size_t)length, now_ns))
            return;
    } while (length == (ssize_t)room);
}

/* ---- called by the lane ---- */

enum ps_status ps_load_stream_open(void *state, const void *plan, struct ps_lane *lane, struct ps_err *)
{
    struct ps_load_stream *stream = state;
    stream->plan = plan;
    ps_load_connection_init(&stream->connection, &stream->plan->client, lane);
    ps_block_queue_init(&stream->queue, lane);
    return PS_OK; /* the connection is in its resting phase and may begin immediately */
}

uint64_t ps_load_stream_work(void *state, uint64_t now_ns)
{
    struct ps_load_stream *stream = state;
    bool was_up = is_up(stream);
    ps_load_connection_work(&stream->connection, now_ns);
    if (!is_up(stream))
        return stream->connection.deadline_ns;
    if (!was_up) {
        stream->looked_ns = now_ns;
        stream->half_length = 0;
    }
    if (stream->plan->answers != NULL || now_ns - stream->looked_ns >= LOOK_NS)
        read_answers(stream, now_ns);
    if (is_up(stream))
        write_blocks(stream);
    if (!is_up(stream))
        return stream->connection.deadline_ns;
    return stream->queue.next != NULL && !stream->full ? now_ns : PS_NEVER;
}

int ps_load_stream_descriptor(void *state, short *events)
{
    const struct ps_load_stream *stream = state;
    return ps_client_descriptor(&stream->connection.client, stream->full, events);
}

bool ps_load_stream_finish(void *state, uint64_t)
{
    struct ps_load_stream *stream = state;
    if (!ps_block_queue_is_empty(&stream->queue))
        return false;
    if (is_up(stream))
        ps_client_end(&stream->connection.client);
    return true;
}

void ps_load_stream_close(void *state)
{
    struct ps_load_stream *stream = state;
    ps_client_close(&stream->connection.client);
}
