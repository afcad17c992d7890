/* The messages around the packets of data transfer (Sender.java, DataTransferProtocol.java, version 28):
 * operations that a client sends to a datanode, and their answers. Each message is preceded by its length as a
 * varint.
 *
 * Thread: any. */
#pragma once

#include "stages/lib/hadoop/proto/data_transfer.pb-c.h"

#include "core/base.h"

enum ps_operation_code {
    PS_OPERATION_WRITE_BLOCK = 80,
    PS_OPERATION_READ_BLOCK = 81,
    PS_OPERATION_TRANSFER_BLOCK = 86,
};

/* The stages of BlockConstructionStage.java that this client sends, numbered as on the wire. */
enum ps_block_stage {
    PS_STAGE_SETUP_STREAMING_RECOVERY = 3,
    PS_STAGE_CLOSE_RECOVERY = 5,
    PS_STAGE_SETUP_CREATE = 6,
};

/* Status of datatransfer.proto, numbered as on the wire. */
enum ps_transfer_status {
    PS_TRANSFER_SUCCESS,
    PS_TRANSFER_ERROR,
    PS_TRANSFER_ERROR_CHECKSUM,
    PS_TRANSFER_ERROR_INVALID,
    PS_TRANSFER_ERROR_EXISTS,
    PS_TRANSFER_ERROR_ACCESS_TOKEN,
    PS_TRANSFER_CHECKSUM_OK,
    PS_TRANSFER_ERROR_UNSUPPORTED,
    PS_TRANSFER_OOB_RESTART,
    PS_TRANSFER_IN_PROGRESS = 12,
};

/* Returns the name of a status for logs: "ERROR_CHECKSUM". */
const char *ps_transfer_status_name(unsigned status);

/* Returns version, code and message as sent, or NULL when there is no memory. The caller frees them. */
char *ps_operation_encode(enum ps_operation_code code, const ProtobufCMessage *message, size_t *length);
/* Encodes a read of the first `bytes` bytes of the block, with their checksums. */
char *ps_operation_encode_read(const PsHadoop__LocatedBlock *located, const char *client, uint64_t bytes,
                               size_t *length);
/* Returns the message without version and code. */
char *ps_message_encode(const ProtobufCMessage *message, size_t *length);

enum ps_message_part {
    PS_MESSAGE_WHOLE,
    PS_MESSAGE_MORE, /* bytes are missing */
    PS_MESSAGE_BAD,  /* longer than PS_TRANSFER_MESSAGE_BYTES_MAX, or malformed */
};

#define PS_PIPELINE_NODES_MAX 64U
#define PS_TRANSFER_MESSAGE_BYTES_MAX 65536U

/* Finds the message at the beginning of `bytes`: sets its bounds, and how many bytes it takes with its length. */
enum ps_message_part ps_message_find(const char *bytes, size_t length, struct ps_slice *message,
                                     size_t *consumed);

#define PS_TRANSFER_TEXT_BYTES 256U

/* BlockOpResponseProto; texts that are too long are cut. */
struct ps_block_response {
    unsigned status;
    char first_bad_link[PS_TRANSFER_TEXT_BYTES]; /* "ip:port" of a datanode; "": none */
    char message[PS_TRANSFER_TEXT_BYTES];        /* "": none */
    /* Only in the answer to a read. */
    bool has_checksum;
    unsigned checksum_type;
    uint32_t chunk_bytes;
    uint64_t chunk_offset;
};

/* Decodes the answer. Returns false if it is malformed. */
bool ps_block_response_parse(const struct ps_slice *message, struct ps_block_response *response);
/* Finds the answer at the beginning of `bytes`, and decodes it. */
enum ps_message_part ps_block_response_take(const char *bytes, size_t length,
                                            struct ps_block_response *response, size_t *consumed);

#define PS_ACK_CONGESTED 3U

/* PipelineAckProto: the status of each datanode, in the order of the pipeline. */
struct ps_pipeline_ack {
    int64_t number; /* number of the packet; PS_PACKET_HEARTBEAT; -2: no packet */
    unsigned count;
    struct ps_node_ack {
        uint8_t status;
        uint8_t congestion; /* ECN: PS_ACK_CONGESTED */
        bool slow;
    } nodes[PS_PIPELINE_NODES_MAX];
};

bool ps_pipeline_ack_parse(const struct ps_slice *message, struct ps_pipeline_ack *ack);

/* Reads a packet's header. `length_max`: limit of its data. Returns false if it is malformed or the lengths are out of
 * range. */
bool ps_packet_header_parse(const struct ps_slice *message, uint32_t length_max, uint64_t *offset,
                            uint32_t *length, bool *last);
