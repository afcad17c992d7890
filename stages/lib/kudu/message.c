#include "stages/lib/kudu/message.h"

#include "core/big_endian.h"
#include "core/text/printable.h"

#include <stdio.h>

#define CONTEXT_CALL (-3)
#define MECHANISM "PLAIN"

enum { HEADER_CALL = 3, HEADER_METHOD = 6, HEADER_TIMEOUT = 10, HEADER_REQUEST_ID = 15 };
enum { METHOD_SERVICE = 1, METHOD_NAME = 2 };
enum { ID_CLIENT = 1, ID_NUMBER = 2, ID_OLDEST = 3, ID_ATTEMPT = 4 };
enum { RESPONSE_CALL = 1, RESPONSE_IS_ERROR = 2, ERROR_TEXT = 1, ERROR_CODE = 2 };
enum { STATUS_CODE = 1, STATUS_TEXT = 2, OWN_CODE = 1, OWN_STATUS = 2 };
enum { NEGOTIATE_FEATURE = 1, NEGOTIATE_STEP = 2, NEGOTIATE_TOKEN = 3, NEGOTIATE_MECHANISM = 4 };
enum { NEGOTIATE_AUTHENTICATION = 7, AUTHENTICATION_SASL = 1, MECHANISM_NAME = 2 };
enum { STEP_NEGOTIATE = 1, STEP_INITIATE = 2, FEATURE_FLAGS = 1 };

/* ---- writing ---- */

/* Returns room for a message of `length` bytes in a frame, whose header has room for `header` bytes in front. */
static uint8_t *put_frame(struct ps_byte_buffer *buffer, size_t header, size_t length, uint8_t **header_at)
{
    size_t total = ps_varint_length(header) + header + ps_varint_length(length) + length;
    if (total > INT32_MAX || !ps_byte_buffer_reserve(buffer, 4 + total))
        return NULL;
    uint8_t *to = (uint8_t *)buffer->data + buffer->length;
    ps_big_endian_put_32(to, (uint32_t)total);
    to += 4;
    to += ps_varint_put(to, header);
    *header_at = to;
    to += header;
    to += ps_varint_put(to, length);
    buffer->length += 4 + total;
    return to;
}

/* Calls below 0 are of the connection itself. */
static uint8_t *put_own_frame(struct ps_byte_buffer *buffer, int32_t call, size_t length)
{
    uint64_t number = (uint64_t)(int64_t)call;
    uint8_t *header;
    uint8_t *to = put_frame(buffer, ps_protobuf_number_length(HEADER_CALL, number), length, &header);
    if (to != NULL)
        (void)ps_protobuf_put_number(header, HEADER_CALL, number);
    return to;
}

bool ps_kudu_put_hello(struct ps_byte_buffer *buffer)
{
    static const char magic[] = {'h', 'r', 'p', 'c', 9, 0, 0};
    size_t sasl = ps_protobuf_bytes_length(AUTHENTICATION_SASL, 0);
    size_t length = ps_protobuf_number_length(NEGOTIATE_FEATURE, FEATURE_FLAGS) +
                    ps_protobuf_number_length(NEGOTIATE_STEP, STEP_NEGOTIATE) +
                    ps_protobuf_bytes_length(NEGOTIATE_AUTHENTICATION, sasl);
    if (!ps_byte_buffer_append(buffer, magic, sizeof magic))
        return false;
    uint8_t *to = put_own_frame(buffer, PS_KUDU_NEGOTIATION_CALL, length);
    if (to == NULL)
        return false;
    to = ps_protobuf_put_number(to, NEGOTIATE_FEATURE, FEATURE_FLAGS);
    to = ps_protobuf_put_number(to, NEGOTIATE_STEP, STEP_NEGOTIATE);
    to = ps_protobuf_put_head(to, NEGOTIATE_AUTHENTICATION, sasl);
    (void)ps_protobuf_put_head(to, AUTHENTICATION_SASL, 0);
    return true;
}

bool ps_kudu_put_plain(struct ps_byte_buffer *buffer, const char *user)
{
    size_t name = strlen(user), token = 1 + name + 1; /* no other identity, the user, an empty password */
    size_t mechanism = ps_protobuf_bytes_length(MECHANISM_NAME, sizeof MECHANISM - 1);
    size_t length = ps_protobuf_number_length(NEGOTIATE_STEP, STEP_INITIATE) +
                    ps_protobuf_bytes_length(NEGOTIATE_TOKEN, token) +
                    ps_protobuf_bytes_length(NEGOTIATE_MECHANISM, mechanism);
    uint8_t *to = put_own_frame(buffer, PS_KUDU_NEGOTIATION_CALL, length);
    if (to == NULL)
        return false;
    to = ps_protobuf_put_number(to, NEGOTIATE_STEP, STEP_INITIATE);
    to = ps_protobuf_put_head(to, NEGOTIATE_TOKEN, token);
    *to++ = 0;
    memcpy(to, user, name);
    to += name;
    *to++ = 0;
    to = ps_protobuf_put_head(to, NEGOTIATE_MECHANISM, mechanism);
    (void)ps_protobuf_put_bytes(to, MECHANISM_NAME, MECHANISM, sizeof MECHANISM - 1);
    return true;
}

bool ps_kudu_put_context(struct ps_byte_buffer *buffer)
{
    return put_own_frame(buffer, CONTEXT_CALL, 0) != NULL;
}

static size_t id_length(const struct ps_kudu_request_id *id)
{
    return ps_protobuf_bytes_length(ID_CLIENT, id->client_length) +
           ps_protobuf_number_length(ID_NUMBER, id->number) +
           ps_protobuf_number_length(ID_OLDEST, id->oldest) +
           ps_protobuf_number_length(ID_ATTEMPT, id->attempt);
}

uint8_t *ps_kudu_put_request(struct ps_byte_buffer *buffer, uint32_t call, const char *service,
                             const char *method, uint64_t timeout_ms, const struct ps_kudu_request_id *id,
                             size_t length)
{
    size_t remote = ps_protobuf_bytes_length(METHOD_SERVICE, strlen(service)) +
                    ps_protobuf_bytes_length(METHOD_NAME, strlen(method));
    size_t size = ps_protobuf_number_length(HEADER_CALL, call) +
                  ps_protobuf_bytes_length(HEADER_METHOD, remote) +
                  ps_protobuf_number_length(HEADER_TIMEOUT, timeout_ms) +
                  (id != NULL ? ps_protobuf_bytes_length(HEADER_REQUEST_ID, id_length(id)) : 0);
    uint8_t *to, *body = put_frame(buffer, size, length, &to);
    if (body == NULL)
        return NULL;
    to = ps_protobuf_put_number(to, HEADER_CALL, call);
    to = ps_protobuf_put_head(to, HEADER_METHOD, remote);
    to = ps_protobuf_put_bytes(to, METHOD_SERVICE, service, strlen(service));
    to = ps_protobuf_put_bytes(to, METHOD_NAME, method, strlen(method));
    to = ps_protobuf_put_number(to, HEADER_TIMEOUT, timeout_ms);
    if (id == NULL)
        return body;
    to = ps_protobuf_put_head(to, HEADER_REQUEST_ID, id_length(id));
    to = ps_protobuf_put_bytes(to, ID_CLIENT, id->client, id->client_length);
    to = ps_protobuf_put_number(to, ID_NUMBER, id->number);
    to = ps_protobuf_put_number(to, ID_OLDEST, id->oldest);
    (void)ps_protobuf_put_number(to, ID_ATTEMPT, id->attempt);
    return body;
}

/* ---- reading ---- */

/* Reads a message with a code and a text. */
static bool parse_pair(struct ps_protobuf_reader reader, uint32_t code, uint32_t text,
                       struct ps_kudu_status *status)
{
    *status = (struct ps_kudu_status){.code = 0, .text = ""};
    while (ps_protobuf_next(&reader)) {
        if (ps_protobuf_is_number(&reader, code)) {
            status->code = (unsigned)reader.number;
        } else if (ps_protobuf_is_bytes(&reader, text)) {
            status->text = (const char *)reader.bytes;
            status->text_length = reader.length;
        }
    }
    return !reader.invalid;
}

bool ps_kudu_parse_status(struct ps_protobuf_reader reader, struct ps_kudu_status *status)
{
    return parse_pair(reader, STATUS_CODE, STATUS_TEXT, status);
}

bool ps_kudu_parse_error(struct ps_protobuf_reader reader, unsigned *code, struct ps_kudu_status *status)
{
    bool good = true;
    *code = 0;
    *status = (struct ps_kudu_status){.text = ""};
    while (good && ps_protobuf_next(&reader)) {
        if (ps_protobuf_is_number(&reader, OWN_CODE))
            *code = (unsigned)reader.number;
        else if (ps_protobuf_is_bytes(&reader, OWN_STATUS))
            good = ps_kudu_parse_status(ps_protobuf_inner(&reader), status);
    }
    return good && !reader.invalid;
}

bool ps_kudu_parse_answer(const uint8_t *bytes, size_t length, struct ps_kudu_answer *answer)
{
    size_t head, taken = ps_varint_get_delimited(bytes, length, &head);
    bool has_call = false;
    *answer = (struct ps_kudu_answer){.call = 0};
    if (taken == 0)
        return false;
    struct ps_protobuf_reader reader = ps_protobuf_read(bytes + head, taken - head);
    while (ps_protobuf_next(&reader)) {
        if (ps_protobuf_is_number(&reader, RESPONSE_CALL)) {
            answer->call = (int32_t)(uint32_t)reader.number;
            has_call = true;
        } else if (ps_protobuf_is_number(&reader, RESPONSE_IS_ERROR)) {
            answer->is_error = reader.number != 0;
        }
    }
    if (reader.invalid || !has_call)
        return false;
    bytes += taken;
    length -= taken;
    taken = ps_varint_get_delimited(bytes, length, &head);
    if (taken == 0)
        return false;
    answer->body = bytes + head;
    answer->body_length = taken - head;
    return !answer->is_error || parse_pair(ps_protobuf_read(answer->body, answer->body_length), ERROR_CODE,
                                           ERROR_TEXT, &answer->error);
}

bool ps_kudu_parse_negotiation(const uint8_t *bytes, size_t length, struct ps_kudu_negotiation *negotiation)
{
    struct ps_protobuf_reader reader = ps_protobuf_read(bytes, length), inner;
    *negotiation = (struct ps_kudu_negotiation){.step = PS_KUDU_STEP_OTHER, .is_sasl = true};
    while (ps_protobuf_next(&reader)) {
        if (ps_protobuf_is_number(&reader, NEGOTIATE_STEP)) {
            negotiation->step =
                reader.number < PS_KUDU_STEP_OTHER ? (enum ps_kudu_step)reader.number : PS_KUDU_STEP_OTHER;
        } else if (ps_protobuf_is_bytes(&reader, NEGOTIATE_AUTHENTICATION)) {
            inner = ps_protobuf_inner(&reader);
            negotiation->is_sasl = ps_protobuf_next(&inner) && inner.field == AUTHENTICATION_SASL;
        } else if (ps_protobuf_is_bytes(&reader, NEGOTIATE_MECHANISM)) {
            struct ps_slice name = {.length = 0};
            inner = ps_protobuf_inner(&reader);
            while (ps_protobuf_next(&inner))
                if (ps_protobuf_is_bytes(&inner, MECHANISM_NAME))
                    name = (struct ps_slice){(const char *)inner.bytes, (uint32_t)inner.length};
            negotiation->has_plain |= name.length == 5 && memcmp(name.data, MECHANISM, 5) == 0;
            negotiation->has_kerberos |= name.length == 6 && memcmp(name.data, "GSSAPI", 6) == 0;
        }
    }
    return !reader.invalid;
}

/* ---- for people ---- */

static const char *const codes[] = {"OK",
                                    "NOT_FOUND",
                                    "CORRUPTION",
                                    "NOT_SUPPORTED",
                                    "INVALID_ARGUMENT",
                                    "IO_ERROR",
                                    "ALREADY_PRESENT",
                                    "RUNTIME_ERROR",
                                    "NETWORK_ERROR",
                                    "ILLEGAL_STATE",
                                    "NOT_AUTHORIZED",
                                    "ABORTED",
                                    "REMOTE_ERROR",
                                    "SERVICE_UNAVAILABLE",
                                    "TIMED_OUT",
                                    "UNINITIALIZED",
                                    "CONFIGURATION_ERROR",
                                    "INCOMPLETE",
                                    "END_OF_FILE",
                                    "CANCELLED",
                                    "IMMUTABLE"};

void ps_kudu_print(char reason[PS_KUDU_REASON_BYTES], const struct ps_kudu_status *status, bool of_rpc)
{
    char made[PS_KUDU_REASON_BYTES], number[32];
    const char *name = number;
    (void)snprintf(number, sizeof number, "%s %u", of_rpc ? "RPC error" : "status", status->code);
    if (!of_rpc && status->code < PS_COUNT_OF(codes))
        name = codes[status->code];
    int length = snprintf(made, sizeof made, "%s%s%.*s", name, status->text_length > 0 ? ": " : "",
                          (int)(status->text_length < 200 ? status->text_length : 200),
                          status->text_length > 0 ? status->text : "");
    size_t most = length < 0 ? 0 : (size_t)length;
    (void)ps_printable_copy(reason, PS_KUDU_REASON_BYTES, made, most < sizeof made ? most : sizeof made - 1);
}
