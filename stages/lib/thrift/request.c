#include "stages/lib/thrift/request.h"

#include "stages/lib/thrift/event.h"

#include <stdio.h>

#define EVENTS_ID 1

enum ps_thrift_framing ps_thrift_frame_measure(const void *data, size_t length, uint32_t most,
                                               uint32_t *message_length)
{
    if (length < PS_THRIFT_FRAME_BYTES)
        return PS_THRIFT_PARTIAL;
    *message_length = ps_big_endian_get_32(data);
    if (*message_length == 0 || most < PS_THRIFT_FRAME_BYTES ||
        *message_length > most - PS_THRIFT_FRAME_BYTES)
        return PS_THRIFT_GARBAGE;
    return *message_length > length - PS_THRIFT_FRAME_BYTES ? PS_THRIFT_PARTIAL : PS_THRIFT_WHOLE;
}

/* ---- requests ---- */

static void refuse(struct ps_thrift_request *request, enum ps_thrift_error error, const char *reason)
{
    request->error = error;
    snprintf(request->reason, sizeof request->reason, "%s", reason);
}

static const struct ps_thrift_method *find_method(const struct ps_thrift_service *service,
                                                  const struct ps_slice *name)
{
    for (unsigned i = 0; i < service->method_count; i++) {
        const char *known = service->methods[i].name;
        if (name->length == strlen(known) && memcmp(name->data, known, name->length) == 0)
            return &service->methods[i];
    }
    return NULL;
}

/* Copies an untrusted name for a message, without control characters. */
static void refuse_name(struct ps_thrift_request *request)
{
    char text[PS_THRIFT_NAME_BYTES_MAX + 1];
    size_t kept = 0;
    for (; kept < request->message.name.length && kept < PS_THRIFT_NAME_BYTES_MAX; kept++) {
        char byte = request->message.name.data[kept];
        text[kept] = byte >= ' ' && byte < 0x7f ? byte : '?';
    }
    text[kept] = '\0';
    request->error = PS_THRIFT_UNKNOWN_METHOD;
    snprintf(request->reason, sizeof request->reason, "Invalid method name: '%s'", text);
}

/* The value of field 1: one event, or a list of them. */
static const char *read_events(const struct ps_thrift_service *service, struct ps_thrift_reader *in,
                               const uint8_t *begin, struct ps_thrift_request *request)
{
    enum ps_thrift_type type = PS_THRIFT_STRUCT;
    request->events = request->method->list ? ps_thrift_read_list(in, &type) : 1;
    request->events_at = (uint32_t)(in->at - begin);
    if (request->events > 0 && type != PS_THRIFT_STRUCT)
        return "the list is not one of events";
    for (uint32_t i = 0; i < request->events; i++) {
        const char *why = service->check(in);
        if (why != NULL)
            return why;
    }
    return NULL;
}

static void read_arguments(const struct ps_thrift_service *service, struct ps_thrift_reader *in,
                           const uint8_t *begin, struct ps_thrift_request *request)
{
    struct ps_thrift_field field = {.id = 0};
    enum ps_thrift_type wanted = request->method->list ? PS_THRIFT_LIST : PS_THRIFT_STRUCT;
    const char *why = NULL;
    while (why == NULL && ps_thrift_read_field(in, &field)) {
        if (field.id == EVENTS_ID && field.type == wanted) {
            why = read_events(service, in, begin, request);
        } else if (field.id == PS_THRIFT_ROUND_ID && field.type == PS_THRIFT_BYTE) {
            uint8_t round = ps_thrift_read_byte(in);
            request->round = round == 1 || round == 2 ? round : 0;
        } else {
            ps_thrift_skip(in, field.type);
        }
    }
    if (why == NULL && in->bad)
        why = "the call is not complete";
    if (why == NULL && request->events_at == 0)
        why = "the call has no events";
    if (why != NULL)
        refuse(request, PS_THRIFT_PROTOCOL_ERROR, why);
}

bool ps_thrift_request_read(const struct ps_thrift_service *service, const void *bytes, size_t length,
                            struct ps_thrift_request *request)
{
    const uint8_t *begin = bytes;
    struct ps_thrift_reader in = {.at = begin, .end = begin + length};
    *request = (struct ps_thrift_request){.error = PS_THRIFT_NO_ERROR};
    if (!ps_thrift_read_message(&in, &request->message))
        return false;
    request->compact = in.compact;
    if (request->message.type != PS_THRIFT_CALL && request->message.type != PS_THRIFT_ONEWAY) {
        refuse(request, PS_THRIFT_INVALID_MESSAGE_TYPE, "the message is not a call");
        return true;
    }
    request->method = find_method(service, &request->message.name);
    if (request->method == NULL) {
        refuse_name(request);
        return true;
    }
    request->method_index = (unsigned)(request->method - service->methods);
    read_arguments(service, &in, begin, request);
    return true;
}

/* ---- answers ---- */

static struct ps_thrift_writer begin_answer(uint8_t *to, bool compact, enum ps_thrift_message_type type,
                                            const struct ps_slice *name, uint32_t number)
{
    struct ps_thrift_writer out = {.at = to + PS_THRIFT_FRAME_BYTES, .compact = compact};
    struct ps_thrift_message message = {.type = type, .number = number, .name = *name};
    if (message.name.length > PS_THRIFT_NAME_BYTES_MAX)
        message.name.length = PS_THRIFT_NAME_BYTES_MAX;
    ps_thrift_put_message(&out, &message);
    return out;
}

static size_t end_answer(uint8_t *to, struct ps_thrift_writer *out)
{
    ps_thrift_put_stop(out);
    size_t length = (size_t)(out->at - to);
    PS_ASSERT(length <= PS_THRIFT_ANSWER_BYTES_MAX);
    ps_big_endian_put_32(to, (uint32_t)(length - PS_THRIFT_FRAME_BYTES));
    return length;
}

size_t ps_thrift_put_result(uint8_t *to, bool compact, const struct ps_slice *name, uint32_t number,
                            int32_t result, unsigned round)
{
    struct ps_thrift_writer out = begin_answer(to, compact, PS_THRIFT_REPLY, name, number);
    ps_thrift_put_field(&out, PS_THRIFT_I32, 0, 0);
    ps_thrift_put_i32(&out, result);
    if (round != 0) {
        ps_thrift_put_field(&out, PS_THRIFT_BYTE, PS_THRIFT_ROUND_ID, 0);
        ps_thrift_put_byte(&out, (uint8_t)round);
    }
    return end_answer(to, &out);
}

size_t ps_thrift_put_error(uint8_t *to, const struct ps_thrift_request *request)
{
    struct ps_thrift_writer out = begin_answer(to, request->compact, PS_THRIFT_EXCEPTION,
                                               &request->message.name, request->message.number);
    ps_thrift_put_field(&out, PS_THRIFT_STRING, 1, 0);
    ps_thrift_put_text(&out, request->reason, strlen(request->reason));
    ps_thrift_put_field(&out, PS_THRIFT_I32, 2, 1);
    ps_thrift_put_i32(&out, (int32_t)request->error);
    return end_answer(to, &out);
}

/* ---- Flume's service ---- */

static const struct ps_thrift_method methods[] = {{.name = "append"}, {.name = "appendBatch", .list = true}};

static const char *check(struct ps_thrift_reader *in)
{
    struct ps_thrift_datum datum;
    return ps_thrift_event_read(in, &datum);
}

static bool add(struct ps_event_headers *headers, struct ps_batch *batch, struct ps_thrift_reader *in)
{
    struct ps_thrift_datum datum;
    const char *why = ps_thrift_event_read(in, &datum);
    PS_ASSERT(why == NULL);
    const struct ps_batch_point point = ps_batch_point(batch);
    struct ps_event *event = ps_batch_add(batch, (char *)(uintptr_t)datum.body.data, datum.body.length);
    if (event == NULL)
        return false;
    if (datum.sizes.count == 0 || ps_thrift_event_add_headers(headers, batch, event, in, &datum))
        return true;
    ps_event_withdraw(headers, batch, &point);
    return false;
}

const struct ps_thrift_service ps_thrift_flume = {
    .methods = methods,
    .method_count = PS_COUNT_OF(methods),
    .accepted = 0,
    .refused = 1,
    .check = check,
    .add = add,
};
