#include "stages/lib/hbase/message.h"

#include "core/big_endian.h"

#define SERVICE "ClientService"
#define REGION_NAME 1U /* RegionSpecifierType */

enum { SPECIFIER_TYPE = 1, SPECIFIER_VALUE = 2 };
enum { HEADER_USER = 1, HEADER_SERVICE = 2, USER_EFFECTIVE = 1 };
enum { REQUEST_CALL = 1, REQUEST_METHOD = 3, REQUEST_HAS_MESSAGE = 4 };
enum { RESPONSE_CALL = 1, RESPONSE_EXCEPTION = 2, EXCEPTION_CLASS = 1, EXCEPTION_TRACE = 2 };
enum { SCAN_REGION = 1, SCAN_SCAN = 2, SCAN_ROWS = 4, SCAN_CLOSE = 5 };
enum { GET_REGION = 1, GET_GET = 2, GET_ROW = 1, GET_COLUMN = 2, GET_EXISTENCE = 10 };
enum { START_ROW = 3, STOP_ROW = 4, REVERSED = 15, COLUMN = 1, COLUMN_FAMILY = 1 };

void ps_hbase_put_preamble(uint8_t to[PS_HBASE_PREAMBLE_BYTES], unsigned auth)
{
    memcpy(to, "HBas", 4);
    to[4] = 0; /* version */
    to[5] = (uint8_t)auth;
}

bool ps_hbase_put_connection_header(struct ps_byte_buffer *buffer, const char *user)
{
    size_t name = user != NULL ? ps_protobuf_bytes_length(USER_EFFECTIVE, strlen(user)) : 0;
    size_t length = (user != NULL ? ps_protobuf_bytes_length(HEADER_USER, name) : 0) +
                    ps_protobuf_bytes_length(HEADER_SERVICE, strlen(SERVICE));
    if (!ps_byte_buffer_reserve(buffer, 4 + length))
        return false;
    uint8_t *to = (uint8_t *)buffer->data + buffer->length;
    ps_big_endian_put_32(to, (uint32_t)length);
    to += 4;
    if (user != NULL) {
        to = ps_protobuf_put_head(to, HEADER_USER, name);
        to = ps_protobuf_put_bytes(to, USER_EFFECTIVE, user, strlen(user));
    }
    (void)ps_protobuf_put_bytes(to, HEADER_SERVICE, SERVICE, strlen(SERVICE));
    buffer->length += 4 + length;
    return true;
}

uint8_t *ps_hbase_put_request(struct ps_byte_buffer *buffer, uint32_t call_id, const char *method,
                              size_t length)
{
    size_t header = ps_protobuf_number_length(REQUEST_CALL, call_id) +
                    ps_protobuf_bytes_length(REQUEST_METHOD, strlen(method)) +
                    ps_protobuf_number_length(REQUEST_HAS_MESSAGE, 1);
    size_t total = ps_varint_length(header) + header + ps_varint_length(length) + length;
    if (total > INT32_MAX || !ps_byte_buffer_reserve(buffer, 4 + total))
        return NULL;
    uint8_t *to = (uint8_t *)buffer->data + buffer->length;
    ps_big_endian_put_32(to, (uint32_t)total);
    to += 4;
    to += ps_varint_put(to, header);
    to = ps_protobuf_put_number(to, REQUEST_CALL, call_id);
    to = ps_protobuf_put_bytes(to, REQUEST_METHOD, method, strlen(method));
    to = ps_protobuf_put_number(to, REQUEST_HAS_MESSAGE, 1);
    to += ps_varint_put(to, length);
    buffer->length += 4 + total;
    return to;
}

bool ps_hbase_put_meta_scan(struct ps_byte_buffer *buffer, uint32_t call_id, const char *row,
                            size_t row_length, const char *stop, size_t stop_length, unsigned rows)
{
    static const char family[] = "info", region[] = PS_HBASE_META_REGION;
    size_t specifier = ps_protobuf_number_length(SPECIFIER_TYPE, REGION_NAME) +
                       ps_protobuf_bytes_length(SPECIFIER_VALUE, sizeof region - 1);
    size_t column = ps_protobuf_bytes_length(COLUMN_FAMILY, sizeof family - 1);
    size_t scan = ps_protobuf_bytes_length(COLUMN, column) + ps_protobuf_bytes_length(START_ROW, row_length) +
                  ps_protobuf_bytes_length(STOP_ROW, stop_length) + ps_protobuf_number_length(REVERSED, 1);
    size_t length = ps_protobuf_bytes_length(SCAN_REGION, specifier) +
                    ps_protobuf_bytes_length(SCAN_SCAN, scan) + ps_protobuf_number_length(SCAN_ROWS, rows) +
                    ps_protobuf_number_length(SCAN_CLOSE, 1);
    uint8_t *to = ps_hbase_put_request(buffer, call_id, "Scan", length);
    if (to == NULL)
        return false;
    to = ps_protobuf_put_head(to, SCAN_REGION, specifier);
    to = ps_protobuf_put_number(to, SPECIFIER_TYPE, REGION_NAME);
    to = ps_protobuf_put_bytes(to, SPECIFIER_VALUE, region, sizeof region - 1);
    to = ps_protobuf_put_head(to, SCAN_SCAN, scan);
    to = ps_protobuf_put_head(to, COLUMN, column);
    to = ps_protobuf_put_bytes(to, COLUMN_FAMILY, family, sizeof family - 1);
    to = ps_protobuf_put_bytes(to, START_ROW, row, row_length);
    to = ps_protobuf_put_bytes(to, STOP_ROW, stop, stop_length);
    to = ps_protobuf_put_number(to, REVERSED, 1);
    to = ps_protobuf_put_number(to, SCAN_ROWS, rows);
    (void)ps_protobuf_put_number(to, SCAN_CLOSE, 1);
    return true;
}

bool ps_hbase_put_get(struct ps_byte_buffer *buffer, uint32_t call_id, const char *region,
                      size_t region_length, const char *row, size_t row_length, const char *family)
{
    size_t specifier = ps_protobuf_number_length(SPECIFIER_TYPE, REGION_NAME) +
                       ps_protobuf_bytes_length(SPECIFIER_VALUE, region_length);
    size_t column = ps_protobuf_bytes_length(COLUMN_FAMILY, strlen(family));
    size_t get = ps_protobuf_bytes_length(GET_ROW, row_length) +
                 ps_protobuf_bytes_length(GET_COLUMN, column) + ps_protobuf_number_length(GET_EXISTENCE, 1);
    uint8_t *to = ps_hbase_put_request(buffer, call_id, "Get",
                                       ps_protobuf_bytes_length(GET_REGION, specifier) +
                                           ps_protobuf_bytes_length(GET_GET, get));
    if (to == NULL)
        return false;
    to = ps_protobuf_put_head(to, GET_REGION, specifier);
    to = ps_protobuf_put_number(to, SPECIFIER_TYPE, REGION_NAME);
    to = ps_protobuf_put_bytes(to, SPECIFIER_VALUE, region, region_length);
    to = ps_protobuf_put_head(to, GET_GET, get);
    to = ps_protobuf_put_bytes(to, GET_ROW, row, row_length);
    to = ps_protobuf_put_head(to, GET_COLUMN, column);
    to = ps_protobuf_put_bytes(to, COLUMN_FAMILY, family, strlen(family));
    (void)ps_protobuf_put_number(to, GET_EXISTENCE, 1);
    return true;
}

static bool parse_exception(struct ps_protobuf_reader reader, struct ps_hbase_answer *answer)
{
    answer->class = answer->text = "";
    answer->class_length = answer->text_length = 0; /* the last one of several counts */
    while (ps_protobuf_next(&reader)) {
        if (ps_protobuf_is_bytes(&reader, EXCEPTION_CLASS)) {
            answer->class = (const char *)reader.bytes;
            answer->class_length = reader.length;
        } else if (ps_protobuf_is_bytes(&reader, EXCEPTION_TRACE)) {
            answer->text = (const char *)reader.bytes;
            answer->text_length = reader.length;
        }
    }
    return !reader.invalid;
}

bool ps_hbase_parse_answer(const uint8_t *bytes, size_t length, struct ps_hbase_answer *answer)
{
    size_t head, taken = ps_varint_get_delimited(bytes, length, &head);
    bool has_call = false;
    *answer = (struct ps_hbase_answer){.call_id = 0};
    if (taken == 0)
        return false;
    struct ps_protobuf_reader reader = ps_protobuf_read(bytes + head, taken - head);
    while (ps_protobuf_next(&reader)) {
        if (ps_protobuf_is_number(&reader, RESPONSE_CALL)) {
            answer->call_id = (uint32_t)reader.number;
            has_call = true;
        } else if (ps_protobuf_is_bytes(&reader, RESPONSE_EXCEPTION) &&
                   !parse_exception(ps_protobuf_inner(&reader), answer)) {
            return false;
        }
    }
    /* An exception may come without a call: the server refuses the connection. */
    if (reader.invalid || (!has_call && answer->class == NULL))
        return false;
    if (answer->class != NULL)
        return true;
    bytes += taken;
    length -= taken;
    taken = ps_varint_get_delimited(bytes, length, &head);
    if (taken == 0)
        return false;
    answer->body = bytes + head;
    answer->body_length = taken - head;
    return true;
}
