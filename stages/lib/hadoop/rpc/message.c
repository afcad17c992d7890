#include "stages/lib/hadoop/rpc/message.h"
#include "core/big_endian.h"

#include "core/text/printable.h"
#include "stages/lib/varint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LENGTH_BYTES 4U

const uint8_t ps_hadoop_rpc_greeting[PS_HADOOP_RPC_GREETING_BYTES] = {'h', 'r', 'p', 'c', 9, 0, 0};

/* ---- encoding ---- */

static void put_length(uint8_t *to, size_t length)
{
    for (unsigned i = 0; i < LENGTH_BYTES; i++)
        to[i] = (uint8_t)(length >> (24 - 8 * i));
}

bool ps_hadoop_rpc_put_message(struct ps_byte_buffer *buffer, const ProtobufCMessage *message)
{
    size_t length = protobuf_c_message_get_packed_size(message);
    if (!ps_byte_buffer_reserve(buffer, PS_VARINT_BYTES_MAX + length))
        return false;
    uint8_t *at = (uint8_t *)buffer->data + buffer->length;
    size_t head = ps_varint_put(at, length);
    protobuf_c_message_pack(message, at + head);
    buffer->length += head + length;
    return true;
}

/* Writes the head of a request. The caller appends the `rest_length` bytes after it. */
static bool put_request_head(struct ps_byte_buffer *buffer, int32_t call_id, int32_t retry_count,
                             const uint8_t *client_id, size_t rest_length)
{
    PsHadoop__RpcRequestHeader header = PS_HADOOP__RPC_REQUEST_HEADER__INIT;
    header.has_rpc_kind = header.has_rpc_op = header.has_retry_count = true;
    header.rpc_kind = 2;
    header.call_id = call_id;
    header.retry_count = retry_count;
    header.client_id.len = client_id != NULL ? PS_HADOOP_RPC_CLIENT_ID_BYTES : 0;
    header.client_id.data = (uint8_t *)client_id; /* only read */
    size_t length = buffer->length, start = length + LENGTH_BYTES;
    if (!ps_byte_buffer_reserve(buffer, LENGTH_BYTES))
        return false;
    buffer->length = start;
    if (!ps_hadoop_rpc_put_message(buffer, &header.base)) {
        buffer->length = length;
        return false;
    }
    put_length((uint8_t *)buffer->data + length, buffer->length - start + rest_length);
    return true;
}

bool ps_hadoop_rpc_put_request(struct ps_byte_buffer *buffer, int32_t call_id, int32_t retry_count,
                               const uint8_t *client_id, const uint8_t *rest, size_t rest_length)
{
    size_t before = buffer->length;
    if (!put_request_head(buffer, call_id, retry_count, client_id, rest_length))
        return false;
    if (ps_byte_buffer_append(buffer, rest, rest_length))
        return true;
    buffer->length = before;
    return false;
}

bool ps_hadoop_rpc_put_context(struct ps_byte_buffer *buffer, const uint8_t *client_id, const char *protocol,
                               const char *user, const char *real_user)
{
    PsHadoop__RpcUser names = PS_HADOOP__RPC_USER__INIT;
    PsHadoop__RpcConnectionContext context = PS_HADOOP__RPC_CONNECTION_CONTEXT__INIT;
    struct ps_byte_buffer message = {0};
    names.effective_user = (char *)user; /* only read */
    names.real_user = (char *)real_user;
    context.user = &names;
    context.protocol = (char *)protocol;
    bool good = ps_hadoop_rpc_put_message(&message, &context.base) &&
                ps_hadoop_rpc_put_request(buffer, PS_HADOOP_RPC_CALL_CONTEXT, -1, client_id,
                                          (const uint8_t *)message.data, message.length);
    ps_byte_buffer_clear(&message, 0);
    return good;
}

/* ---- decoding ---- */

struct reader {
    const uint8_t *at, *end;
};

/* Takes a message after its length. Returns false if it is not complete. */
static bool take_message(struct reader *reader, const uint8_t **message, size_t *length)
{
    size_t head, taken = ps_varint_get_delimited(reader->at, (size_t)(reader->end - reader->at), &head);
    *message = reader->at + head;
    *length = taken - head;
    reader->at += taken;
    return taken > 0;
}

/* Copies the first line; a Java stack trace may follow it. */
static void copy_line(char *to, size_t room, const char *from)
{
    (void)ps_printable_copy(to, room, from, from != NULL ? strcspn(from, "\r\n") : 0);
}

static bool take_header(struct reader *reader, struct ps_hadoop_rpc_response *response)
{
    const uint8_t *bytes;
    size_t length;
    if (!take_message(reader, &bytes, &length))
        return false;
    PsHadoop__RpcResponseHeader *header = ps_hadoop__rpc_response_header__unpack(NULL, length, bytes);
    if (header == NULL)
        return false;
    response->call_id = (int32_t)header->call_id;
    response->status = header->status;
    response->detail = header->has_error_detail ? header->error_detail : 0;
    copy_line(response->exception, sizeof response->exception, header->exception_class);
    copy_line(response->message, sizeof response->message, header->error_message);
    ps_hadoop__rpc_response_header__free_unpacked(header, NULL);
    return true;
}

static enum ps_hadoop_rpc_parse invalid(const char **reason, const char *what)
{
    *reason = what;
    return PS_HADOOP_RPC_PARSE_INVALID;
}

enum ps_hadoop_rpc_parse ps_hadoop_rpc_parse_response(const uint8_t *bytes, size_t available,
                                                      uint64_t length_max,
                                                      struct ps_hadoop_rpc_response *response, size_t *length,
                                                      const char **reason)
{
    *length = 0;
    if (available < LENGTH_BYTES)
        return PS_HADOOP_RPC_PARSE_MORE;
    uint32_t frame = ps_big_endian_get_32(bytes);
    if (memcmp(bytes, "HTTP", LENGTH_BYTES) == 0)
        return invalid(reason, "it speaks HTTP: this is not the port of the namenode's RPC (8020)");
    if (frame > length_max)
        return invalid(reason,
                       "the response is longer than ipc.maximum.response.length, or is not Hadoop's RPC");
    *length = LENGTH_BYTES + frame;
    if (available < *length)
        return PS_HADOOP_RPC_PARSE_MORE;
    struct reader reader = {.at = bytes + LENGTH_BYTES, .end = bytes + *length};
    *response = (struct ps_hadoop_rpc_response){0};
    if (!take_header(&reader, response))
        return invalid(reason, "the response has no valid header");
    if (response->status == 0 && !take_message(&reader, &response->body, &response->body_length))
        return invalid(reason, "the response's message is cut");
    if (response->status == 0 && reader.at != reader.end)
        return invalid(reason, "the response is longer than its message");
    return PS_HADOOP_RPC_PARSE_WHOLE;
}
