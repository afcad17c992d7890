/* The bytes of HBase's RPC: a connection's beginning, requests, and the heads of answers.
 *
 *   connection  "HBas", 0, authentication (80 none, 81 Kerberos), [SASL], length in four bytes, ConnectionHeader
 *   request     length of the rest in four bytes, RequestHeader, the method's message; each message after its length (a varint)
 *   answer      length of the rest, ResponseHeader, the method's message if there is no exception
 *
 * Cells are in the messages, not in blocks behind them. Source: HBase's RPC.proto and Client.proto. Thread: any; no state. */
#pragma once

#include "stages/lib/byte_buffer.h"
#include "stages/lib/hbase/exception.h"
#include "stages/lib/protobuf.h"

#define PS_HBASE_PREAMBLE_BYTES 6U
#define PS_HBASE_AUTH_SIMPLE 80U
#define PS_HBASE_AUTH_KERBEROS 81U
#define PS_HBASE_META_REGION "hbase:meta,,1"

void ps_hbase_put_preamble(uint8_t to[PS_HBASE_PREAMBLE_BYTES], unsigned auth);
/* Appends the connection's header. `user`: NULL: the one who has authenticated. Returns false if there is no
 * memory. */
bool ps_hbase_put_connection_header(struct ps_byte_buffer *buffer, const char *user);

/* Returns room for a message of `length` bytes in a request that is appended to the buffer; NULL: no memory, and the buffer is unchanged. */
uint8_t *ps_hbase_put_request(struct ps_byte_buffer *buffer, uint32_t call_id, const char *method,
                              size_t length);

/* Appends a request of Scan: the last rows of hbase:meta from `row` backwards, `rows` at most, not before `stop`. */
bool ps_hbase_put_meta_scan(struct ps_byte_buffer *buffer, uint32_t call_id, const char *row,
                            size_t row_length, const char *stop, size_t stop_length, unsigned rows);

/* Appends a request of Get, which asks whether a row of a region has a cell of the family. */
bool ps_hbase_put_get(struct ps_byte_buffer *buffer, uint32_t call_id, const char *region,
                      size_t region_length, const char *row, size_t row_length, const char *family);

/* An answer. `class` and `text` point into it; class NULL: no exception. */
struct ps_hbase_answer {
    uint32_t call_id;
    const char *class, *text;
    size_t class_length, text_length;
    const uint8_t *body;
    size_t body_length;
};

/* Reads an answer after its length. Returns false if it is none. */
bool ps_hbase_parse_answer(const uint8_t *bytes, size_t length, struct ps_hbase_answer *answer);
