#include "stages/lib/avro/legacy.h"
#include "core/big_endian.h"

#include <string.h>

#define FRAME_BYTES 4U
#define MD5_BYTES 16

/* A frame of six bytes, and the empty last frame. HandshakeResponse: match BOTH, no protocol, no hash, no
 * metadata; the client then assumes that the server has the same protocol. The call's answer: no metadata, no
 * error; void has no bytes. */
const char ps_avro_legacy_answer[PS_AVRO_LEGACY_ANSWER_BYTES] = {[3] = 6};

/* Returns the number of frames before the last one, which is empty; SIZE_MAX when not all frames have arrived. */
static size_t count_frames(const char *body, size_t length)
{
    size_t frames = 0;
    for (size_t at = 0;; frames++) {
        if (length - at < FRAME_BYTES)
            return SIZE_MAX;
        uint32_t bytes = ps_big_endian_get_32(body + at);
        at += FRAME_BYTES;
        if (bytes == 0)
            return frames;
        if (bytes > length - at)
            return SIZE_MAX;
        at += bytes;
    }
}

/* Joins all frames to one. Returns the length of this frame. */
static size_t join_frames(char *body, size_t frames)
{
    size_t at = 0, joined = 0;
    for (size_t i = 0; i < frames; i++) {
        uint32_t bytes = ps_big_endian_get_32(body + at);
        at += FRAME_BYTES;
        if (i > 0)
            memmove(body + FRAME_BYTES + joined, body + at, bytes);
        at += bytes;
        joined += bytes;
    }
    if (frames > 1) {
        ps_big_endian_put_32(body, (uint32_t)joined);
        /* There is room for the empty frame, because the heads of the other frames were removed. */
        ps_big_endian_put_32(body + FRAME_BYTES + joined, 0);
    }
    return joined;
}

static void next_field(void *cursor, struct ps_slice *name, struct ps_slice *value)
{
    struct ps_avro_legacy_request *request = cursor;
    size_t length;
    if (request->block_left == 0)
        request->block_left = ps_avro_read_block(&request->fields);
    request->block_left--;
    name->data = (const char *)ps_avro_read_bytes(&request->fields, &length);
    name->length = (uint32_t)length;
    value->data = (const char *)ps_avro_read_bytes(&request->fields, &length);
    value->length = (uint32_t)length;
}

static void read_fields(struct ps_avro_reader *in, struct ps_avro_legacy_request *request)
{
    struct ps_legacy_event *event = &request->event;
    int64_t count;
    request->fields = *in;
    event->sizes = PS_LEGACY_SIZES;
    while ((count = ps_avro_read_block(in)) > 0) {
        for (; count > 0 && !in->bad && ps_header_sizes_refusal(&event->sizes) == NULL; count--) {
            size_t name_length, length;
            ps_avro_read_bytes(in, &name_length);
            ps_avro_read_bytes(in, &length);
            event->field_count++;
            ps_header_sizes_add(&event->sizes, (uint32_t)name_length, (uint32_t)length);
        }
        if (ps_header_sizes_refusal(&event->sizes) != NULL)
            return;
    }
}

static const char *read_event(struct ps_avro_reader *in, struct ps_avro_legacy_request *request)
{
    struct ps_legacy_event *event = &request->event;
    size_t length;
    event->timestamp = ps_avro_read_long(in);
    int64_t priority = ps_avro_read_long(in);
    in->bad = in->bad || priority < 0 || priority >= (int64_t)PS_LEGACY_PRIORITIES;
    event->has_priority = true;
    event->priority = (unsigned)priority;
    event->body.data = (const char *)ps_avro_read_bytes(in, &length);
    event->body.length = (uint32_t)length;
    event->nanos = ps_avro_read_long(in);
    event->has_host = true;
    event->host.data = (const char *)ps_avro_read_bytes(in, &length);
    event->host.length = (uint32_t)length;
    read_fields(in, request);
    const char *why = ps_header_sizes_refusal(&event->sizes);
    return why == NULL && in->bad ? "the event is not complete" : why;
}

/* HandshakeRequest: the client's hash, its protocol or null, the server's hash, metadata or null. Each
 * request has one, because HTTP has no state. */
static void skip_handshake(struct ps_avro_reader *in)
{
    size_t length;
    ps_avro_read_fixed(in, MD5_BYTES);
    if (ps_avro_read_is_set(in))
        ps_avro_read_bytes(in, &length);
    ps_avro_read_fixed(in, MD5_BYTES);
    if (ps_avro_read_is_set(in))
        ps_avro_skip_map(in);
}

static const char *read_call(const char *payload, size_t length, struct ps_avro_legacy_request *request)
{
    static const char append[] = "append";
    struct ps_avro_reader in = {.at = (const uint8_t *)payload, .end = (const uint8_t *)payload + length};
    size_t name_length;
    skip_handshake(&in);
    ps_avro_skip_map(&in); /* metadata */
    const uint8_t *name = ps_avro_read_bytes(&in, &name_length);
    if (in.bad)
        return "this is not an Avro call";
    if (name_length != sizeof append - 1 || memcmp(name, append, name_length) != 0)
        return "there is no such call; the only call is append";
    return read_event(&in, request);
}

void ps_avro_legacy_read(char *body, size_t length, struct ps_avro_legacy_request *request)
{
    *request = (struct ps_avro_legacy_request){.reason = "the frames of the request are not complete"};
    request->event.next_field = next_field;
    request->event.cursor = request;
    if (length > UINT32_MAX)
        return;
    size_t frames = count_frames(body, length);
    if (frames != SIZE_MAX)
        request->reason = read_call(body + FRAME_BYTES, join_frames(body, frames), request);
}
