/* The bytes of Hadoop's RPC, version 9: encodes requests and decodes responses.
 *
 *   connection   "hrpc", 9, service class 0, authentication 0 (none) or 0xdf (SASL), then requests
 *   request      length of the rest (32 bits, big endian), RpcRequestHeader, and for a call RpcMethod and the
 *                message; each message after its length (a varint)
 *   response     length of the rest, RpcResponseHeader, and the message of a success
 *
 * Source: org.apache.hadoop.ipc.Client, Server and ProtobufRpcEngine2 of Hadoop 3.4. Thread: any. */
#pragma once

#include "stages/lib/byte_buffer.h"
#include "stages/lib/hadoop/proto/rpc_header.pb-c.h"

#define PS_HADOOP_RPC_CLIENT_ID_BYTES 16U
#define PS_HADOOP_RPC_GREETING_BYTES 7U

enum {
    PS_HADOOP_RPC_CALL_CONTEXT = -3,
    PS_HADOOP_RPC_CALL_PING = -4,
    PS_HADOOP_RPC_CALL_SASL = -33,
};

extern const uint8_t ps_hadoop_rpc_greeting[PS_HADOOP_RPC_GREETING_BYTES]; /* without SASL */

/* Appends a message after its length. Returns false if there is no memory. */
bool ps_hadoop_rpc_put_message(struct ps_byte_buffer *buffer, const ProtobufCMessage *message);
/* Appends a request: its length, header and `rest`, which consists of messages after their lengths. `client_id` NULL: none.
 * Returns false if there is no memory; the buffer is unchanged then. */
bool ps_hadoop_rpc_put_request(struct ps_byte_buffer *buffer, int32_t call_id, int32_t retry_count,
                               const uint8_t *client_id, const uint8_t *rest, size_t rest_length);
/* Appends the connection context, which names the user. */
bool ps_hadoop_rpc_put_context(struct ps_byte_buffer *buffer, const uint8_t *client_id, const char *protocol,
                               const char *user, const char *real_user);

/* A response. Its texts are short copies; `body` points into the parsed bytes. */
struct ps_hadoop_rpc_response {
    int32_t call_id;
    unsigned status;     /* 0: success, 1: error, 2: fatal */
    unsigned detail;     /* RpcErrorCodeProto; 0: not given */
    char exception[128]; /* Java class with its package */
    char message[1024];  /* first line of the message; it may have a path twice */
    const uint8_t *body;
    size_t body_length;
};

enum ps_hadoop_rpc_parse {
    PS_HADOOP_RPC_PARSE_WHOLE,
    PS_HADOOP_RPC_PARSE_MORE,    /* more bytes are needed; *length: of the whole frame, or 0: not known */
    PS_HADOOP_RPC_PARSE_INVALID, /* `reason` is set */
};

/* Decodes the first response. WHOLE: *length is its length. INVALID: `reason` is a static text. */
enum ps_hadoop_rpc_parse ps_hadoop_rpc_parse_response(const uint8_t *bytes, size_t available,
                                                      uint64_t length_max,
                                                      struct ps_hadoop_rpc_response *response, size_t *length,
                                                      const char **reason);
