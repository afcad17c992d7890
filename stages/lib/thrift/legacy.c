#include "stages/lib/thrift/legacy.h"

#include <stdio.h>

/* ---- where a message ends ---- */

#define VERSION 0x80010000U
#define VERSION_MASK 0xffff0000U

/* A cursor that tells malformed bytes from incomplete ones. */
struct measure {
    const uint8_t *at, *end;
    uint32_t most;
    bool is_short, bad;
};

static const uint8_t *pass(struct measure *in, uint64_t length)
{
    const uint8_t *bytes = in->at;
    if (in->is_short || in->bad)
        return NULL;
    in->bad = length > in->most;
    in->is_short = length > (uint64_t)(in->end - in->at);
    if (in->is_short || in->bad)
        return NULL;
    in->at += length;
    return bytes;
}

static uint32_t pass_int32(struct measure *in)
{
    const uint8_t *bytes = pass(in, 4);
    return bytes != NULL ? ps_big_endian_get_32(bytes) : 0;
}

static enum ps_thrift_type pass_type(struct measure *in)
{
    const uint8_t *byte = pass(in, 1);
    return byte != NULL ? (enum ps_thrift_type) * byte : PS_THRIFT_STOP;
}

/* Opens a struct, list, set or map. The depth was checked before. */
static void open_level(struct ps_thrift_bare *bare, struct ps_thrift_bare_level level)
{
    PS_ASSERT(bare->depth < PS_COUNT_OF(bare->levels));
    bare->levels[bare->depth++] = level;
}

/* Passes the head of a list, set or map. Each element has at least one byte, so an open list ends with the bytes. */
static void pass_list(struct measure *in, struct ps_thrift_bare *bare, bool is_map)
{
    enum ps_thrift_type key = is_map ? pass_type(in) : PS_THRIFT_STOP;
    in->bad |= is_map && !in->is_short && key == PS_THRIFT_STOP;
    enum ps_thrift_type value = pass_type(in);
    uint32_t count = pass_int32(in);
    in->bad |= count > in->most;
    if (!in->is_short && !in->bad)
        open_level(bare, (struct ps_thrift_bare_level){
                             .left = count, .key = (uint8_t)key, .value = (uint8_t)value, .at_key = is_map});
}

/* Passes a value; of a struct, list, set or map only its head. */
static void pass_value(struct measure *in, struct ps_thrift_bare *bare, enum ps_thrift_type type)
{
    if (in->is_short || in->bad)
        return;
    in->bad = bare->depth > PS_THRIFT_DEPTH_MAX;
    switch (type) {
    case PS_THRIFT_BOOL:
    case PS_THRIFT_BYTE:
        pass(in, 1);
        return;
    case PS_THRIFT_I16:
        pass(in, 2);
        return;
    case PS_THRIFT_I32:
        pass(in, 4);
        return;
    case PS_THRIFT_DOUBLE:
    case PS_THRIFT_I64:
        pass(in, 8);
        return;
    case PS_THRIFT_UUID:
        pass(in, 16);
        return;
    case PS_THRIFT_STRING:
        pass(in, pass_int32(in));
        return;
    case PS_THRIFT_STRUCT:
        if (!in->bad)
            open_level(bare, (struct ps_thrift_bare_level){.is_struct = true});
        return;
    case PS_THRIFT_MAP:
    case PS_THRIFT_LIST:
    case PS_THRIFT_SET:
        pass_list(in, bare, type == PS_THRIFT_MAP);
        return;
    case PS_THRIFT_STOP:
        break;
    }
    in->bad = true;
}

/* Passes the head of a message: the newer form begins with the version; the older form has no version and
 * begins with the name. */
static void pass_head(struct measure *in)
{
    uint32_t first = pass_int32(in);
    bool versioned = (first & 0x80000000U) != 0;
    in->bad |= versioned && (first & VERSION_MASK) != VERSION;
    uint32_t name = versioned ? pass_int32(in) : first;
    in->bad |= name > PS_THRIFT_NAME_BYTES_MAX;
    pass(in, name);
    if (!versioned)
        pass(in, 1);
    pass(in, 4);
}

static void pass_field(struct measure *in, struct ps_thrift_bare *bare)
{
    enum ps_thrift_type type = pass_type(in);
    if (in->is_short)
        return;
    if (type == PS_THRIFT_STOP) {
        bare->depth--;
        return;
    }
    pass(in, 2);
    pass_value(in, bare, type);
}

static void pass_element(struct measure *in, struct ps_thrift_bare *bare)
{
    struct ps_thrift_bare_level *level = &bare->levels[bare->depth - 1];
    if (level->left == 0) {
        bare->depth--;
        return;
    }
    pass_value(in, bare, level->at_key ? level->key : level->value);
    if (in->is_short)
        return;
    level->left -= !level->at_key;
    level->at_key = level->key != PS_THRIFT_STOP && !level->at_key;
}

/* Passes the next part of the message: its head, a field, or an element of a list. Passes nothing if not all of the part
 * has arrived: the part is tried again with more bytes. */
static void pass_part(struct measure *in, struct ps_thrift_bare *bare)
{
    const uint8_t *before = in->at;
    if (!bare->has_head) {
        pass_head(in);
        if (!in->is_short && !in->bad) {
            bare->has_head = true;
            open_level(bare, (struct ps_thrift_bare_level){.is_struct = true});
        }
    } else if (bare->levels[bare->depth - 1].is_struct) {
        pass_field(in, bare);
    } else {
        pass_element(in, bare);
    }
    if (in->is_short)
        in->at = before;
}

static bool is_whole(const struct ps_thrift_bare *bare)
{
    return bare->has_head && bare->depth == 0;
}

enum ps_thrift_framing ps_thrift_bare_go_on(struct ps_thrift_bare *bare, const void *data, size_t length,
                                            uint32_t most, uint32_t *message_length)
{
    const uint8_t *begin = data;
    PS_ASSERT(bare->passed <= length);
    struct measure in = {.at = begin + bare->passed, .end = begin + length, .most = most};
    while (!in.is_short && !in.bad && !is_whole(bare))
        pass_part(&in, bare);
    bare->passed = (size_t)(in.at - begin);
    if (in.bad || bare->passed > most || (in.is_short && length >= most))
        return PS_THRIFT_GARBAGE;
    *message_length = (uint32_t)bare->passed;
    return in.is_short ? PS_THRIFT_PARTIAL : PS_THRIFT_WHOLE;
}

enum ps_thrift_framing ps_thrift_bare_measure(const void *data, size_t length, uint32_t most,
                                              uint32_t *message_length)
{
    struct ps_thrift_bare bare = {.passed = 0};
    return ps_thrift_bare_go_on(&bare, data, length, most, message_length);
}

/* ---- the fields of an event ---- */

static void next_field(void *cursor, struct ps_slice *name, struct ps_slice *value)
{
    *name = ps_thrift_read_text(cursor);
    *value = ps_thrift_read_text(cursor);
}

static const char *read_fields(struct ps_thrift_reader *in, struct ps_thrift_legacy_message *message)
{
    struct ps_legacy_event *event = &message->event;
    enum ps_thrift_type key, value;
    event->field_count = ps_thrift_read_map(in, &key, &value);
    event->sizes = PS_LEGACY_SIZES;
    message->fields = *in;
    if (event->field_count > 0 && (key != PS_THRIFT_STRING || value != PS_THRIFT_STRING))
        return "the fields are not a map of strings to bytes";
    for (uint32_t i = 0; i < event->field_count && !in->bad; i++) {
        uint32_t name_length = ps_thrift_read_text(in).length;
        ps_header_sizes_add(&event->sizes, name_length, ps_thrift_read_text(in).length);
    }
    return NULL;
}

/* Reads the fields, numbered as in ThriftFlumeEvent; skips others. */
static const char *read_event(struct ps_thrift_reader *in, struct ps_thrift_legacy_message *message)
{
    struct ps_legacy_event *event = &message->event;
    struct ps_thrift_field field = {.id = 0};
    const char *why = NULL;
    while (why == NULL && ps_thrift_read_field(in, &field)) {
        if (field.id == 1 && field.type == PS_THRIFT_I64) {
            event->timestamp = ps_thrift_read_i64(in);
        } else if (field.id == 2 && field.type == PS_THRIFT_I32) {
            int32_t priority = ps_thrift_read_i32(in);
            event->has_priority = priority >= 0;
            event->priority = (unsigned)priority;
        } else if (field.id == 3 && field.type == PS_THRIFT_STRING) {
            event->body = ps_thrift_read_text(in);
        } else if (field.id == 4 && field.type == PS_THRIFT_I64) {
            event->nanos = ps_thrift_read_i64(in);
        } else if (field.id == 5 && field.type == PS_THRIFT_STRING) {
            event->host = ps_thrift_read_text(in);
            event->has_host = true;
        } else if (field.id == 6 && field.type == PS_THRIFT_MAP) {
            why = read_fields(in, message);
        } else {
            ps_thrift_skip(in, field.type);
        }
    }
    return why;
}

static const char *read_append(struct ps_thrift_reader *in, struct ps_thrift_legacy_message *message)
{
    struct ps_thrift_field field = {.id = 0};
    bool has_event = false;
    const char *why = NULL;
    while (why == NULL && ps_thrift_read_field(in, &field)) {
        if (field.id == 1 && field.type == PS_THRIFT_STRUCT) {
            why = read_event(in, message);
            has_event = true;
        } else {
            ps_thrift_skip(in, field.type);
        }
    }
    if (why != NULL)
        return why;
    if (in->bad)
        return "an event is not complete";
    if (!has_event)
        return "append has no event";
    return ps_header_sizes_refusal(&message->event.sizes);
}

static bool is_named(const struct ps_thrift_message *message, const char *name)
{
    return message->name.length == strlen(name) &&
           memcmp(message->name.data, name, message->name.length) == 0;
}

void ps_thrift_legacy_read(const void *bytes, size_t length, struct ps_thrift_legacy_message *message)
{
    struct ps_thrift_reader in = {.at = bytes, .end = (const uint8_t *)bytes + length};
    *message =
        (struct ps_thrift_legacy_message){.call = PS_THRIFT_LEGACY_BAD, .reason = "this is not a message"};
    message->event.next_field = next_field;
    message->event.cursor = &message->fields;
    if (!ps_thrift_read_message(&in, &message->message) || in.compact)
        return;
    if (is_named(&message->message, "close")) {
        message->call = PS_THRIFT_LEGACY_CLOSE;
        return;
    }
    if (!is_named(&message->message, "append")) {
        message->call = PS_THRIFT_LEGACY_STRANGER;
        return;
    }
    message->reason = read_append(&in, message);
    if (message->reason == NULL)
        message->call = PS_THRIFT_LEGACY_APPEND;
}

/* ---- answers ---- */

static struct ps_thrift_writer begin_answer(uint8_t *to, const struct ps_thrift_legacy_message *message,
                                            enum ps_thrift_message_type type)
{
    struct ps_thrift_writer out = {.at = to};
    struct ps_thrift_message answer = {
        .type = type, .number = message->message.number, .name = message->message.name};
    if (answer.name.length > PS_THRIFT_NAME_BYTES_MAX)
        answer.name.length = PS_THRIFT_NAME_BYTES_MAX;
    ps_thrift_put_message(&out, &answer);
    return out;
}

size_t ps_thrift_legacy_put_closed(uint8_t *to, const struct ps_thrift_legacy_message *message)
{
    struct ps_thrift_writer out = begin_answer(to, message, PS_THRIFT_REPLY);
    ps_thrift_put_stop(&out);
    return (size_t)(out.at - to);
}

size_t ps_thrift_legacy_put_error(uint8_t *to, const struct ps_thrift_legacy_message *message,
                                  enum ps_thrift_error error, const char *reason)
{
    struct ps_thrift_writer out = begin_answer(to, message, PS_THRIFT_EXCEPTION);
    ps_thrift_put_field(&out, PS_THRIFT_STRING, 1, 0);
    ps_thrift_put_text(&out, reason, strlen(reason));
    ps_thrift_put_field(&out, PS_THRIFT_I32, 2, 1);
    ps_thrift_put_i32(&out, (int32_t)error);
    ps_thrift_put_stop(&out);
    size_t length = (size_t)(out.at - to);
    PS_ASSERT(length <= PS_THRIFT_ANSWER_BYTES_MAX);
    return length;
}
