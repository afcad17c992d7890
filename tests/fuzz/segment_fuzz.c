/* The bytes that the file channel reads from a disk. The first byte says what the rest is:
 *
 *   e   the payload of a frame of events: read with the cursor and into a batch, in both ways; written again,
 *     it is the same
 *   f   the head of a frame or of a segment, or a slot of the state: what is read, written again, has the
 *     same bytes
 *   l   segments and a state with any numbers in them: the log opens, feeds each frame once, in order, and
 *     closes
 *
 * Checksums are made right, since no fuzzer finds them. */
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/crc32c.h"
#include "core/flow/bump.h"
#include "stages/lib/queue/segment/events.h"
#include "stages/lib/queue/segment/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct ps_pool *pool;
static struct ps_bump bump;
static volatile unsigned sum;
static struct ps_sealer sealer;

static void look_at(const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        sum += (uint8_t)bytes[i];
}

/* ---- events ---- */

/* Returns the events of a payload, or -1 if it is damaged. */
static int64_t walk(const char *payload, size_t length)
{
    struct ps_events_cursor cursor;
    struct ps_events_item item;
    struct ps_events_field field;
    if (!ps_events_cursor_init(&cursor, payload, length))
        return -1;
    while (ps_events_next_field(&cursor, &field)) {
        look_at(field.name, field.name_length);
        look_at(field.value, field.value_length);
    }
    while (ps_events_next(&cursor, &item)) {
        look_at(item.body, item.length);
        while (ps_events_next_field(&cursor, &field)) {
            look_at(field.name, field.name_length);
            look_at(field.value, field.value_length);
        }
    }
    bool whole = cursor.done == cursor.count && cursor.headers_left == 0 && cursor.at == cursor.end;
    int64_t count = whole ? (int64_t)cursor.done : -1;
    ps_events_cursor_fini(&cursor);
    return count;
}

/* Decodes a payload as a batch has it: in a block, of its own if it is longer than one. */
static struct ps_batch *decode(const uint8_t *data, size_t size, enum ps_events_result *result)
{
    struct ps_batch *batch = ps_batch_take(&bump, (struct ps_now){.mono_ns = 1});
    uint32_t room;
    bool own = size > PS_BLOCK_BYTES;
    char *payload =
        own ? ps_batch_alloc(batch, (uint32_t)size) : ps_batch_reserve(batch, (uint32_t)size, &room);
    PS_ASSERT(payload != NULL);
    if (size > 0)
        memcpy(payload, data, size);
    if (!own)
        ps_batch_commit(batch, (uint32_t)size);
    *result = ps_events_decode(batch, payload, size);
    if (*result != PS_EVENTS_OK) {
        ps_batch_give(batch);
        return NULL;
    }
    ps_batch_close(batch);
    return batch;
}

/* Writes the batch and reads it again. */
static void write_again(const struct ps_batch *batch)
{
    struct ps_events_encoder encoder = {0};
    uint32_t position = 0;
    while (position < ps_batch_chain(batch)->count) {
        uint32_t first = position;
        const char *payload = ps_events_encode(&encoder, ps_batch_chain(batch), &position);
        enum ps_events_result result;
        PS_ASSERT(position > first && encoder.count == position - first);
        PS_ASSERT(walk(payload, encoder.length) == (int64_t)encoder.count);
        struct ps_batch *read = decode((const uint8_t *)payload, encoder.length, &result);
        PS_ASSERT(read != NULL && read->count == encoder.count);
        for (uint32_t i = 0; i < read->count; i++) {
            const struct ps_event *one = &batch->events[first + i], *other = &read->events[i];
            PS_ASSERT(one->body_length == other->body_length);
            PS_ASSERT(one->body_length == 0 || memcmp(one->body, other->body, one->body_length) == 0);
        }
        ps_batch_give(read);
    }
    ps_events_encoder_fini(&encoder);
}

static void read_events(const uint8_t *data, size_t size)
{
    if (size > PS_EVENTS_PAYLOAD_BYTES)
        return;
    int64_t count = walk((const char *)data, size);
    enum ps_events_result result;
    struct ps_batch *batch = decode(data, size, &result);
    PS_ASSERT(count >= 0 || result != PS_EVENTS_OK);
    if (batch == NULL)
        return;
    PS_ASSERT((int64_t)batch->count == count);
    write_again(batch);
    ps_batch_give(batch);
}

/* ---- heads ---- */

static void put_checksum(char *to, uint32_t seed, const char *from, size_t length)
{
    uint32_t checksum = htole32(ps_crc32c(seed, from, length));
    memcpy(to, &checksum, sizeof checksum);
}

static void read_frame_head(const char *bytes)
{
    char head[PS_FRAME_HEAD_BYTES], again[PS_FRAME_HEAD_BYTES];
    struct ps_frame frame;
    memcpy(head, bytes, sizeof head);
    memcpy(head, "FRM1", 4);
    put_checksum(head + 4, 7, head + 8, sizeof head - 8);
    if (!ps_frame_read(head, 7, &frame))
        return;
    PS_ASSERT(frame.length <= PS_FRAME_LENGTH_MAX);
    ps_frame_write(again, &frame, 7);
    PS_ASSERT(memcmp(head, again, sizeof head) == 0);
}

/* `version`: 2 has a key, and a longer head. */
static void read_segment_head(const char *bytes, char version)
{
    char head[PS_SEGMENT_SEALED_HEAD_BYTES] = {0}, again[PS_SEGMENT_SEALED_HEAD_BYTES] = {0};
    struct ps_segment_head read;
    size_t length = version == 1 ? PS_SEGMENT_HEAD_BYTES : PS_SEGMENT_SEALED_HEAD_BYTES;
    memcpy(head, bytes, length);
    memcpy(head, "penstock segment\0\0\0\0", 20);
    head[16] = version;
    memset(head + 48, 0, 12); /* nothing is there yet */
    put_checksum(head + 60, 0, head, 60);
    if (version == 2) {
        memcpy(head + 64, "\1\0\0\0", 4);
        put_checksum(head + 252, 0, head + 64, 188);
    }
    if (!ps_segment_head_read(head, &read))
        return;
    PS_ASSERT(ps_segment_head_bytes(&read) == length && strlen(read.sealing.key) <= PS_KEY_NAME_BYTES_MAX);
    ps_segment_head_write(again, &read);
    /* bytes after the name are not kept */
    PS_ASSERT(memcmp(head, again, version == 1 ? length : 124 + strlen(read.sealing.key)) == 0);
}

static void read_state(const char *bytes, size_t length)
{
    static char slot[PS_STATE_SLOT_BYTES], again[PS_STATE_SLOT_BYTES];
    static struct ps_taken_range ranges[PS_STATE_RANGES_MAX];
    struct ps_segment_state state = {.ranges = ranges};
    memset(slot, 0, sizeof slot);
    memcpy(slot + 16, bytes, length < sizeof slot - 20 ? length : sizeof slot - 20);
    memcpy(slot, "penstock state\n\0\1\0\0\0", 20);
    put_checksum(slot + sizeof slot - 4, 0, slot, sizeof slot - 4);
    if (!ps_segment_state_read(slot, &state))
        return;
    uint64_t low = state.low;
    for (uint32_t i = 0; i < state.range_count; i++) { /* the log relies on that */
        PS_ASSERT(ranges[i].first > low && ranges[i].first <= ranges[i].last);
        low = ranges[i].last;
    }
    ps_segment_state_write(again, &state);
    PS_ASSERT(state.range_count > 0 || memcmp(slot, again, 88) == 0);
}

static void read_heads(const uint8_t *data, size_t size)
{
    char bytes[PS_SEGMENT_SEALED_HEAD_BYTES] = {0};
    memcpy(bytes, data, size < sizeof bytes ? size : sizeof bytes);
    read_frame_head(bytes);
    read_segment_head(bytes, 1);
    read_segment_head(bytes, 2);
    read_state((const char *)data, size);
}

/* ---- a log ---- */

#define FILES_MAX 8U
#define FILE_BYTES 8192U

static struct memory_file {
    char name[64];
    bool there;
    uint64_t length;
    char data[2 * PS_STATE_SLOT_BYTES];
} files[FILES_MAX];

static int memory_open(void *argument, const char *path, bool create)
{
    for (unsigned i = 0; i < FILES_MAX && !create; i++)
        if (files[i].there && strcmp(files[i].name, path) == 0)
            return (int)i;
    for (unsigned i = 0; i < FILES_MAX && create; i++) {
        if (files[i].there)
            continue;
        files[i] = (struct memory_file){.there = true};
        snprintf(files[i].name, sizeof files[i].name, "%s", path);
        return (int)i;
    }
    errno = create ? ENOSPC : ENOENT;
    return -1;
}

static int memory_close(void *argument, int fd)
{
    return 0;
}

static ssize_t memory_read(void *argument, int fd, void *to, size_t length, uint64_t offset)
{
    uint64_t left = offset < files[fd].length ? files[fd].length - offset : 0;
    size_t part = length < left ? length : (size_t)left;
    memcpy(to, files[fd].data + (part > 0 ? offset : 0), part);
    return (ssize_t)part;
}

static ssize_t memory_write(void *argument, int fd, const void *from, size_t length, uint64_t offset)
{
    PS_ASSERT(offset + length <= files[fd].length);
    memcpy(files[fd].data + offset, from, length);
    return (ssize_t)length;
}

static int memory_allocate(void *argument, int fd, uint64_t length)
{
    PS_ASSERT(length <= sizeof files[fd].data);
    files[fd].length = length;
    return 0;
}

static int64_t memory_size(void *argument, int fd)
{
    return (int64_t)files[fd].length;
}

static int memory_sync(void *argument, int fd)
{
    return 0;
}

static int memory_sync_directory(void *argument, const char *path)
{
    return 0;
}

static int memory_remove(void *argument, const char *path)
{
    int fd = memory_open(argument, path, false);
    if (fd >= 0)
        files[fd].there = false;
    return fd >= 0 ? 0 : -1;
}

static int memory_list(void *argument, const char *path, void (*name)(void *to, const char *name), void *to)
{
    for (unsigned i = 0; i < FILES_MAX; i++)
        if (files[i].there && strncmp(files[i].name, path, strlen(path)) == 0)
            name(to, strrchr(files[i].name, '/') + 1);
    return 0;
}

static const struct ps_segment_files memory = {
    .open = memory_open,
    .close = memory_close,
    .read = memory_read,
    .write = memory_write,
    .allocate = memory_allocate,
    .size = memory_size,
    .sync = memory_sync,
    .sync_directory = memory_sync_directory,
    .remove = memory_remove,
    .list = memory_list,
};

struct input {
    const uint8_t *data;
    size_t size, at;
};

static uint32_t number(struct input *input) /* 0 .. 4095, and 0 past the end */
{
    uint32_t low = input->at < input->size ? input->data[input->at++] : 0;
    uint32_t high = input->at < input->size ? input->data[input->at++] : 0;
    return (low | high << 8) & 4095;
}

static void make_segment(struct input *input, unsigned which)
{
    struct ps_segment_head head = {.log = 9, .segment = which + 1, .first = number(input), .salt = 5};
    struct memory_file *file = &files[memory_open(NULL, (char[64]){0}, true)];
    snprintf(file->name, sizeof file->name, "d/%012u.segment", which + 1);
    file->length = FILE_BYTES;
    ps_segment_head_write(file->data, &head);
    uint64_t at = PS_SEGMENT_HEAD_BYTES;
    for (uint32_t frames = number(input) % 64; frames > 0 && at + 2048 < FILE_BYTES; frames--) {
        struct ps_frame frame = {.kind = (enum ps_frame_kind)(1 + number(input) % 3),
                                 .count = number(input),
                                 .bytes = number(input),
                                 .number = number(input),
                                 .promised = number(input),
                                 .length = number(input) % 97};
        char *payload = file->data + at + PS_FRAME_HEAD_BYTES;
        for (uint32_t i = 0; i + PS_TAKEN_RANGE_BYTES <= frame.length; i += PS_TAKEN_RANGE_BYTES) {
            struct ps_taken_range range = {
                .first = number(input), .last = number(input), .events = number(input)};
            ps_taken_range_write(payload + i, &range);
        }
        frame.checksum = ps_frame_checksum(head.salt, payload, frame.length) + (number(input) == 1);
        ps_frame_write(file->data + at, &frame, head.salt);
        at += ps_frame_span(frame.length) + number(input) % 3 * PS_FRAME_ALIGN;
    }
}

static void make_state(struct input *input)
{
    static char slot[PS_STATE_SLOT_BYTES];
    struct ps_taken_range ranges[4];
    struct ps_segment_state state = {.generation = number(input),
                                     .log = 9,
                                     .low = number(input),
                                     .segment = number(input) % 4,
                                     .offset = number(input) * 8,
                                     .next = number(input),
                                     .events = number(input),
                                     .range_count = number(input) % 5,
                                     .ranges = ranges};
    for (uint32_t i = 0; i < state.range_count; i++)
        ranges[i] =
            (struct ps_taken_range){.first = number(input), .last = number(input), .events = number(input)};
    ps_segment_state_write(slot, &state);
    struct memory_file *file = &files[memory_open(NULL, "s/state", true)];
    file->length = sizeof file->data;
    memcpy(file->data + state.generation % 2 * PS_STATE_SLOT_BYTES, slot, sizeof slot);
}

static void read_log(const uint8_t *data, size_t size)
{
    struct input input = {data, size, 0};
    const char *directory = "d";
    const struct ps_segment_options options = {.directories = {1, &directory},
                                               .state_directory = "s",
                                               .segment_bytes = FILE_BYTES,
                                               .files = &memory};
    struct ps_err err = {0};
    struct ps_segment_place place;
    char payload[FILE_BYTES];
    uint64_t last = 0, fed = 0;
    memset(files, 0, sizeof files);
    uint32_t shape = number(&input);
    for (unsigned i = 0; i < shape % 4; i++)
        make_segment(&input, i);
    if ((shape & 4) != 0)
        make_state(&input);
    struct ps_segment_log *log = ps_segment_log_open(&options, &err);
    if (log == NULL)
        return;
    for (; ps_segment_log_feed(log, &place, NULL) == PS_SEGMENT_FED; fed++) {
        PS_ASSERT(fed == 0 || place.number > last);
        last = place.number;
        if (ps_segment_load(&memory, &place, &sealer, payload, NULL) == PS_SEGMENT_READ_WHOLE)
            ps_segment_log_take(log, &place);
        else
            ps_segment_log_lost(log, &place);
    }
    ps_segment_log_close(log);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ps_err err = {0};
    if (pool == NULL) {
        pool = ps_pool_create(ps_depot_create(UINT64_C(64) << 20, &err), 0);
        ps_bump_init(&bump, pool);
    }
    if (size == 0)
        return 0;
    if (data[0] == 'e')
        read_events(data + 1, size - 1);
    else if (data[0] == 'l')
        read_log(data + 1, size - 1);
    else
        read_heads(data + 1, size - 1);
    return 0;
}
