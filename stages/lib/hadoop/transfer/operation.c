/* Implements operation.h. */
#include "stages/lib/hadoop/transfer/operation.h"

#include "stages/lib/varint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRANSFER_VERSION 28U
#define LENGTH_BYTES_MAX 5U
#define HEAD_BYTES 3U

const char *ps_transfer_status_name(unsigned status)
{
    static const char *const names[] = {
        "SUCCESS",        "ERROR",
        "ERROR_CHECKSUM", "ERROR_INVALID",
        "ERROR_EXISTS",   "ERROR_ACCESS_TOKEN",
        "CHECKSUM_OK",    "ERROR_UNSUPPORTED",
        "OOB_RESTART",    "OOB_RESERVED1",
        "OOB_RESERVED2",  "OOB_RESERVED3",
        "IN_PROGRESS",    "ERROR_BLOCK_PINNED",
    };
    return status < PS_COUNT_OF(names) ? names[status] : "unknown status";
}

static char *encode(const unsigned char *head, size_t head_length, const ProtobufCMessage *message,
                    size_t *length)
{
    size_t body = protobuf_c_message_get_packed_size(message);
    unsigned char *bytes = malloc(head_length + PS_VARINT_BYTES_MAX + body);
    if (bytes == NULL)
        return NULL;
    memcpy(bytes, head, head_length);
    size_t at = head_length + ps_varint_put(bytes + head_length, body);
    *length = at + protobuf_c_message_pack(message, bytes + at);
    return (char *)bytes;
}

char *ps_operation_encode(enum ps_operation_code code, const ProtobufCMessage *message, size_t *length)
{
    unsigned char head[HEAD_BYTES] = {0, TRANSFER_VERSION, (unsigned char)code};
    return encode(head, sizeof head, message, length);
}

char *ps_operation_encode_read(const PsHadoop__LocatedBlock *located, const char *client, uint64_t bytes,
                               size_t *length)
{
    PsHadoop__BaseHeader base = PS_HADOOP__BASE_HEADER__INIT;
    PsHadoop__ClientOperationHeader header = PS_HADOOP__CLIENT_OPERATION_HEADER__INIT;
    PsHadoop__CachingStrategy caching = PS_HADOOP__CACHING_STRATEGY__INIT;
    PsHadoop__OpReadBlock operation = PS_HADOOP__OP_READ_BLOCK__INIT;
    base.block = located->b;
    base.token = located->block_token;
    header.base_header = &base;
    header.client_name = (char *)(uintptr_t)client;
    operation.header = &header;
    operation.len = bytes;
    operation.has_send_checksums = true;
    operation.send_checksums = true;
    operation.caching_strategy = &caching;
    return ps_operation_encode(PS_OPERATION_READ_BLOCK, &operation.base, length);
}

char *ps_message_encode(const ProtobufCMessage *message, size_t *length)
{
    return encode((const unsigned char *)"", 0, message, length);
}

enum ps_message_part ps_message_find(const char *bytes, size_t length, struct ps_slice *message,
                                     size_t *consumed)
{
    uint64_t value;
    size_t head =
        ps_varint_get((const uint8_t *)bytes, length < LENGTH_BYTES_MAX ? length : LENGTH_BYTES_MAX, &value);
    if (head == 0)
        return length < LENGTH_BYTES_MAX ? PS_MESSAGE_MORE : PS_MESSAGE_BAD;
    if (value > PS_TRANSFER_MESSAGE_BYTES_MAX)
        return PS_MESSAGE_BAD;
    if (length - head < value)
        return PS_MESSAGE_MORE;
    *message = (struct ps_slice){.data = bytes + head, .length = (uint32_t)value};
    *consumed = head + (size_t)value;
    return PS_MESSAGE_WHOLE;
}

/* Memory for protobuf-c to decode a small message without a malloc for each acknowledgement. */
struct scratch {
    size_t used;
    _Alignas(16) unsigned char bytes[4096];
};

static void *scratch_alloc(void *argument, size_t size)
{
    struct scratch *scratch = argument;
    size_t rounded = (size + 15U) & ~(size_t)15U;
    if (size > sizeof scratch->bytes || rounded > sizeof scratch->bytes - scratch->used)
        return NULL;
    void *memory = scratch->bytes + scratch->used;
    scratch->used += rounded;
    return memory;
}

static void scratch_free(void *, void *)
{
}

static void copy_text(char to[PS_TRANSFER_TEXT_BYTES], const char *text)
{
    snprintf(to, PS_TRANSFER_TEXT_BYTES, "%s", text == NULL ? "" : text);
}

bool ps_block_response_parse(const struct ps_slice *message, struct ps_block_response *response)
{
    PsHadoop__BlockOpResponse *parsed =
        ps_hadoop__block_op_response__unpack(NULL, message->length, (const uint8_t *)message->data);
    if (parsed == NULL)
        return false;
    *response = (struct ps_block_response){.status = parsed->status};
    copy_text(response->first_bad_link, parsed->first_bad_link);
    copy_text(response->message, parsed->message);
    if (parsed->read_op_checksum_info != NULL) {
        response->has_checksum = true;
        response->checksum_type = parsed->read_op_checksum_info->checksum->type;
        response->chunk_bytes = parsed->read_op_checksum_info->checksum->bytes_per_checksum;
        response->chunk_offset = parsed->read_op_checksum_info->chunk_offset;
    }
    ps_hadoop__block_op_response__free_unpacked(parsed, NULL);
    return true;
}

enum ps_message_part ps_block_response_take(const char *bytes, size_t length,
                                            struct ps_block_response *response, size_t *consumed)
{
    struct ps_slice message;
    enum ps_message_part part = ps_message_find(bytes, length, &message, consumed);
    return part == PS_MESSAGE_WHOLE && !ps_block_response_parse(&message, response) ? PS_MESSAGE_BAD : part;
}

/* flag of an acknowledgement: status 4 bits, reserved 1, congestion 2, slow 2 (PipelineAck.java). */
static struct ps_node_ack read_flag(uint32_t flag)
{
    return (struct ps_node_ack){
        .status = flag & 0xf,
        .congestion = flag >> 5 & 3,
        .slow = (flag >> 7 & 3) == 1,
    };
}

bool ps_pipeline_ack_parse(const struct ps_slice *message, struct ps_pipeline_ack *ack)
{
    struct scratch scratch;
    scratch.used = 0;
    ProtobufCAllocator allocator = {.alloc = scratch_alloc, .free = scratch_free, .allocator_data = &scratch};
    const PsHadoop__PipelineAck *parsed =
        ps_hadoop__pipeline_ack__unpack(&allocator, message->length, (const uint8_t *)message->data);
    if (parsed == NULL || parsed->n_reply > PS_PIPELINE_NODES_MAX ||
        (parsed->n_flag > 0 && parsed->n_flag != parsed->n_reply))
        return false;
    ack->number = parsed->seqno;
    ack->count = (unsigned)parsed->n_reply;
    for (unsigned i = 0; i < ack->count; i++) {
        if (parsed->n_flag > 0)
            ack->nodes[i] = read_flag(parsed->flag[i]);
        else
            ack->nodes[i] = (struct ps_node_ack){.status = (uint8_t)(parsed->reply[i] & 0xff)};
    }
    return true;
}

bool ps_packet_header_parse(const struct ps_slice *message, uint32_t length_max, uint64_t *offset,
                            uint32_t *length, bool *last)
{
    struct scratch scratch;
    scratch.used = 0;
    ProtobufCAllocator allocator = {.alloc = scratch_alloc, .free = scratch_free, .allocator_data = &scratch};
    const PsHadoop__PacketHeader *parsed =
        ps_hadoop__packet_header__unpack(&allocator, message->length, (const uint8_t *)message->data);
    if (parsed == NULL || parsed->data_len < 0 || (uint32_t)parsed->data_len > length_max ||
        parsed->offset_in_block < 0)
        return false;
    *offset = (uint64_t)parsed->offset_in_block;
    *length = (uint32_t)parsed->data_len;
    *last = parsed->last_packet_in_block;
    return true;
}
