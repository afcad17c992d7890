#include "bench/load/lane/avro.h"

#include "core/clock.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CALL_BYTES_MAX (16U << 20) /* no events are added beyond this size */
#define READ_BYTES 16384U

static struct ps_avro_call *call_at(struct ps_avro_lane *lane, unsigned number)
{
    return &lane->calls[(lane->first + number) % lane->plan->window];
}

/* ---- open and close ---- */

enum ps_status ps_avro_lane_open(void *state, const void *plan_, struct ps_lane *owner, struct ps_err *err)
{
    struct ps_avro_lane *lane = state;
    const struct ps_avro_plan *plan = lane->plan = plan_;
    ps_load_connection_init(&lane->connection, &plan->stream.client, owner);
    ps_block_queue_init(&lane->queue, owner);
    return ps_avro_zlib_init(&lane->zlib, plan->compression_level, err);
}

void ps_avro_lane_close(void *state)
{
    struct ps_avro_lane *lane = state;
    ps_client_close(&lane->connection.client);
    for (size_t i = 0; i < PS_AVRO_WINDOW_MAX; i++)
        free(lane->calls[i].bytes);
    ps_avro_zlib_fini(&lane->zlib);
}

static bool is_up(const struct ps_avro_lane *lane)
{
    return ps_load_connection_is_up(&lane->connection);
}

/* Resets everything that belonged to the lost connection. */
static void forget(struct ps_avro_lane *lane)
{
    for (unsigned i = 0; i < lane->count; i++) {
        struct ps_avro_call *call = call_at(lane, i);
        if (call->state != PS_AVRO_CALL_TAKEN)
            call->state = PS_AVRO_CALL_READY;
    }
    lane->busy = 0;
    lane->writing = NULL;
    lane->greeted = lane->greeting = lane->full = lane->rewinding = lane->refused = false;
    lane->in_length = 0;
    ps_avro_zlib_reset(&lane->zlib);
}

static void lose(struct ps_avro_lane *lane, const char *reason)
{
    forget(lane);
    ps_load_connection_lose(&lane->connection, lane->now_ns, reason);
}

/* ---- calls ---- */

static bool room_for(struct ps_avro_call *call, size_t more)
{
    if (call->length + more <= call->room)
        return true;
    size_t room = (call->length + more) * 2;
    uint8_t *bytes = realloc(call->bytes, room);
    if (bytes == NULL)
        return false;
    call->bytes = bytes;
    call->room = room;
    return true;
}

/* Adds events of the next block, as one block of the array. */
static bool add_block(struct ps_avro_lane *lane, struct ps_avro_call *call)
{
    const struct ps_load_block *block = lane->queue.next;
    uint32_t from = lane->queue.next_event, ready = ps_block_queue_ready(&lane->queue);
    uint32_t left = lane->plan->batch - call->count, count = ready < left ? ready : left;
    size_t bytes = block->ends[from + count - 1] - ps_block_begin(block, from);
    if (!room_for(call, bytes + (size_t)count * PS_AVRO_EVENT_BYTES + PS_AVRO_COUNT_BYTES + 1))
        return false;
    call->length += ps_avro_put_count(call->bytes + call->length, count);
    for (uint32_t i = from; i < from + count; i++)
        call->length += ps_avro_put_event(call->bytes + call->length, block->bytes + ps_block_begin(block, i),
                                          ps_block_length(block, i));
    call->count += count;
    ps_block_queue_advance(&lane->queue, count);
    return true;
}

static bool call_make(struct ps_avro_lane *lane, struct ps_avro_call *call)
{
    call->length = 0;
    call->count = 0;
    call->state = PS_AVRO_CALL_READY;
    if (!room_for(call, PS_AVRO_CALL_BYTES))
        return false;
    call->length = ps_avro_put_call(call->bytes);
    while (lane->queue.next != NULL && call->count < lane->plan->batch && call->length < CALL_BYTES_MAX) {
        if (!add_block(lane, call))
            break;
    }
    if (call->count == 0)
        return false;
    call->bytes[call->length++] = 0; /* no more blocks */
    return true;
}

/* Returns the call to write next, or NULL when no call may be written now. Until the server knows the protocol, only
 * one call is sent. */
static struct ps_avro_call *next_call(struct ps_avro_lane *lane)
{
    if (lane->rewinding || lane->now_ns < lane->resume_ns || (!lane->greeted && lane->greeting))
        return NULL;
    for (unsigned i = 0; i < lane->count; i++) {
        struct ps_avro_call *call = call_at(lane, i);
        if (call->state == PS_AVRO_CALL_READY)
            return call;
    }
    if (lane->count == lane->plan->window || lane->queue.next == NULL)
        return NULL;
    struct ps_avro_call *call = call_at(lane, lane->count);
    if (!call_make(lane, call))
        return NULL;
    lane->count++;
    return call;
}

/* ---- writing ---- */

static bool begin_writing(struct ps_avro_lane *lane)
{
    struct ps_avro_call *call = next_call(lane);
    if (call == NULL)
        return false;
    call->serial = ++lane->serial;
    call->state = PS_AVRO_CALL_WRITING;
    lane->writing = call;
    lane->greeting = lane->greeting || !lane->greeted;
    lane->parts[0] =
        (struct iovec){lane->head, ps_avro_put_head(lane->head, call->serial, !lane->greeted, call->length)};
    lane->parts[1] = (struct iovec){call->bytes, call->length};
    if (ps_avro_zlib_pack(&lane->zlib, lane->parts))
        return true;
    lose(lane, "a batch cannot be compressed");
    return false;
}

static void written(struct ps_avro_lane *lane, size_t bytes)
{
    for (size_t i = 0; i < 2; i++) {
        struct iovec *part = &lane->parts[i];
        size_t taken = bytes < part->iov_len ? bytes : part->iov_len;
        part->iov_base = (uint8_t *)part->iov_base + taken;
        part->iov_len -= taken;
        bytes -= taken;
    }
    if (lane->parts[0].iov_len + lane->parts[1].iov_len > 0)
        return;
    lane->writing->state = PS_AVRO_CALL_BUSY;
    lane->writing->sent_ns = lane->now_ns;
    lane->writing = NULL;
    lane->busy++;
}

static void write_calls(struct ps_avro_lane *lane)
{
    char reason[PS_TRANSPORT_REASON_BYTES] = "";
    lane->full = false;
    while (lane->writing != NULL || begin_writing(lane)) {
        bool head_done = lane->parts[0].iov_len == 0;
        const struct iovec *parts = lane->parts + head_done;
        int count = head_done || lane->parts[1].iov_len == 0 ? 1 : 2;
        ssize_t length = ps_client_write(&lane->connection.client, parts, count, reason);
        if (length < 0) {
            lose(lane, reason);
            return;
        }
        lane->full = length == 0;
        if (lane->full)
            return;
        written(lane, (size_t)length);
    }
}

/* ---- answers ---- */

static struct ps_avro_call *call_find(struct ps_avro_lane *lane, uint32_t serial)
{
    for (unsigned i = 0; i < lane->count; i++) {
        struct ps_avro_call *call = call_at(lane, i);
        if (call->state == PS_AVRO_CALL_BUSY && call->serial == serial)
            return call;
    }
    return NULL;
}

static void taken(struct ps_avro_lane *lane, struct ps_avro_call *call)
{
    call->state = PS_AVRO_CALL_TAKEN;
    lane->refusals.count = 0;
    if (lane->refused)
        ps_lane_up(lane->queue.lane, lane->now_ns);
    lane->refused = false;
}

static void refused(struct ps_avro_lane *lane, struct ps_avro_call *call, enum ps_avro_status status)
{
    call->state = PS_AVRO_CALL_AGAIN;
    if (!lane->rewinding)
        lane->resume_ns = ps_refusals_add(&lane->refusals, lane->now_ns);
    lane->rewinding = true;
    if (lane->refused || !ps_refusals_persist(&lane->refusals, lane->now_ns))
        return;
    lane->refused = true;
    ps_lane_down(lane->queue.lane, lane->now_ns,
                 status == PS_AVRO_FAILED ? "the source answers FAILED: is its channel full?"
                                          : "the source answers UNKNOWN");
}

/* Returns false when it gave up the connection. */
static bool answered(struct ps_avro_lane *lane, const struct ps_avro_answer *answer)
{
    struct ps_avro_call *call = call_find(lane, answer->serial);
    if (answer->no_match || answer->failed || call == NULL) {
        char reason[PS_TRANSPORT_REASON_BYTES];
        snprintf(reason, sizeof reason, "%s%s",
                 answer->no_match ? "the server does not speak Flume's protocol"
                 : answer->failed ? "the server answers with an error: "
                                  : "an answer without a matching call",
                 answer->error);
        lose(lane, reason);
        return false;
    }
    lane->greeted = true;
    lane->busy--;
    if (answer->status == PS_AVRO_OK)
        taken(lane, call);
    else
        refused(lane, call, answer->status);
    return true;
}

/* Returns false when it gave up the connection. */
static bool read_all(struct ps_avro_lane *lane)
{
    size_t at = 0;
    for (;;) {
        struct ps_avro_answer answer;
        size_t length = 0;
        enum ps_avro_reading reading = ps_avro_read_answer(lane->in + at, lane->in_length - at,
                                                           !lane->greeted, lane->scratch, &answer, &length);
        if (reading == PS_AVRO_NONSENSE) {
            lose(lane, "the answer is not one of Avro");
            return false;
        }
        if (reading == PS_AVRO_MORE)
            break;
        if (!answered(lane, &answer))
            return false;
        at += length;
    }
    memmove(lane->in, lane->in + at, lane->in_length - at);
    lane->in_length -= at;
    return true;
}

/* Takes bytes from the connection; decompresses them as far as there is room, and parses them. */
static bool take_bytes(struct ps_avro_lane *lane, uint8_t *data, size_t length)
{
    struct ps_avro_zlib_input input = {data, length};
    do {
        if (!ps_avro_zlib_unpack(&lane->zlib, &input, lane->in + lane->in_length,
                                 sizeof lane->in - lane->in_length, &lane->in_length)) {
            lose(lane, "the answer is not compressed");
            return false;
        }
        if (!read_all(lane))
            return false;
    } while (input.length > 0 || lane->in_length == sizeof lane->in);
    return true;
}

static void read_answers(struct ps_avro_lane *lane)
{
    uint8_t data[READ_BYTES];
    char reason[PS_TRANSPORT_REASON_BYTES] = "";
    ssize_t length;
    do {
        length = ps_client_read(&lane->connection.client, data, sizeof data, reason);
        if (length < 0)
            lose(lane, reason);
    } while (length > 0 && take_bytes(lane, data, (size_t)length) && length == (ssize_t)sizeof data);
}

/* ---- the cycle ---- */

static void settle(struct ps_avro_lane *lane)
{
    while (lane->count > 0 && lane->calls[lane->first].state == PS_AVRO_CALL_TAKEN) {
        uint32_t count = lane->calls[lane->first].count;
        lane->first = (lane->first + 1) % lane->plan->window;
        lane->count--;
        ps_block_queue_complete(&lane->queue, count, lane->now_ns);
    }
}

/* Called when every call is answered: marks the refused ones to be sent again. */
static void rewind_calls(struct ps_avro_lane *lane)
{
    for (unsigned i = 0; i < lane->count; i++) {
        struct ps_avro_call *call = call_at(lane, i);
        if (call->state == PS_AVRO_CALL_AGAIN)
            call->state = PS_AVRO_CALL_READY;
    }
    lane->rewinding = false;
}

/* Returns the time at which the oldest unanswered call will have waited too long. */
static uint64_t deadline(struct ps_avro_lane *lane)
{
    for (unsigned i = 0; i < lane->count; i++) {
        const struct ps_avro_call *call = call_at(lane, i);
        if (call->state == PS_AVRO_CALL_BUSY)
            return call->sent_ns + lane->plan->timeout_ns;
    }
    return PS_NEVER;
}

uint64_t ps_avro_lane_work(void *state, uint64_t now_ns)
{
    struct ps_avro_lane *lane = state;
    lane->now_ns = now_ns;
    ps_load_connection_work(&lane->connection, now_ns);
    if (is_up(lane))
        read_answers(lane);
    lane->now_ns = ps_lane_now(lane->queue.lane);
    settle(lane);
    if (is_up(lane) && lane->now_ns >= deadline(lane))
        lose(lane, "no answer in time");
    if (lane->rewinding && lane->busy == 0 && lane->writing == NULL && lane->now_ns >= lane->resume_ns)
        rewind_calls(lane);
    if (is_up(lane))
        write_calls(lane);
    if (!is_up(lane))
        return lane->connection.deadline_ns;
    uint64_t again = deadline(lane);
    bool resting = lane->busy == 0 && lane->now_ns < lane->resume_ns;
    return resting && lane->resume_ns < again ? lane->resume_ns : again;
}
