#include "stages/lib/avro/request.h"
#include "core/big_endian.h"

#include "stages/lib/avro/event.h"
#include "stages/lib/avro/reader.h"
#include "stages/lib/avro/rpc.h"

#include <stdio.h>
#include <string.h>

#define HEAD_BYTES 8U  /* serial and number of pieces */
#define PIECE_BYTES 4U /* a piece's length */

/* ---- framing ---- */

enum ps_avro_framing ps_avro_message_measure(const void *data, size_t length, uint32_t most,
                                             struct ps_avro_message *message)
{
    const uint8_t *bytes = data;
    if (length < HEAD_BYTES)
        return PS_AVRO_PARTIAL;
    uint32_t pieces = ps_big_endian_get_32(bytes + 4);
    uint64_t at = HEAD_BYTES;
    if (pieces > PS_AVRO_MESSAGE_PIECES_MAX)
        return PS_AVRO_GARBAGE;
    message->serial = ps_big_endian_get_32(bytes);
    message->payload_bytes = 0;
    for (uint32_t i = 0; i < pieces; i++) {
        if (at + PIECE_BYTES > most)
            return PS_AVRO_GARBAGE;
        if (length < PIECE_BYTES || at > length - PIECE_BYTES)
            return PS_AVRO_PARTIAL;
        uint32_t piece = ps_big_endian_get_32(bytes + at);
        at += PIECE_BYTES;
        if (piece > most || at + piece > most)
            return PS_AVRO_GARBAGE;
        at += piece;
        message->payload_bytes += piece;
    }
    message->wire_bytes = (uint32_t)at;
    return at > length ? PS_AVRO_PARTIAL : PS_AVRO_WHOLE;
}

char *ps_avro_message_flatten(char *data, struct ps_avro_message *message)
{
    uint8_t *bytes = (uint8_t *)data;
    uint32_t pieces = ps_big_endian_get_32(bytes + 4), at = HEAD_BYTES, filled = HEAD_BYTES + PIECE_BYTES;
    if (pieces <= 1)
        return data;
    for (uint32_t i = 0; i < pieces; i++) {
        uint32_t piece = ps_big_endian_get_32(bytes + at);
        at += PIECE_BYTES;
        memmove(bytes + filled, bytes + at, piece);
        filled += piece;
        at += piece;
    }
    uint32_t gap = message->wire_bytes - filled;
    memmove(bytes + gap + HEAD_BYTES + PIECE_BYTES, bytes + HEAD_BYTES + PIECE_BYTES, message->payload_bytes);
    ps_avro_put_int32(bytes + gap, message->serial);
    ps_avro_put_int32(bytes + gap + 4, 1);
    ps_avro_put_int32(bytes + gap + HEAD_BYTES, message->payload_bytes);
    message->wire_bytes -= gap;
    return data + gap;
}

/* ---- the handshake ---- */

static bool is_known(const struct ps_avro_clients *clients, const uint8_t *md5)
{
    if (memcmp(md5, ps_avro_protocol_md5, PS_AVRO_MD5_BYTES) == 0)
        return true;
    for (unsigned i = 0; i < clients->count; i++) {
        if (memcmp(md5, clients->known[i], PS_AVRO_MD5_BYTES) == 0)
            return true;
    }
    return false;
}

static void learn(struct ps_avro_clients *clients, const uint8_t *md5)
{
    memcpy(clients->known[clients->next], md5, PS_AVRO_MD5_BYTES);
    clients->next = (clients->next + 1) % PS_COUNT_OF(clients->known);
    if (clients->count < PS_COUNT_OF(clients->known))
        clients->count++;
}

/* The protocol has one version only; other protocols have another name. */
static bool is_flumes(const uint8_t *text, size_t length)
{
    static const char name[] = "\"AvroSourceProtocol\"";
    return memmem(text, length, name, sizeof name - 1) != NULL;
}

/* HandshakeRequest: fixed 16 clientHash, union(null, string) clientProtocol, fixed 16 serverHash,
 * union(null, map<bytes>) meta. */
static void read_handshake(struct ps_avro_reader *in, struct ps_avro_clients *clients,
                           struct ps_avro_request *request)
{
    size_t length = 0;
    const uint8_t *text = NULL, *client = ps_avro_read_fixed(in, PS_AVRO_MD5_BYTES);
    if (ps_avro_read_is_set(in))
        text = ps_avro_read_bytes(in, &length);
    const uint8_t *server = ps_avro_read_fixed(in, PS_AVRO_MD5_BYTES);
    if (ps_avro_read_is_set(in))
        ps_avro_skip_map(in);
    if (in->bad)
        return;
    bool known = is_known(clients, client);
    if (!known && text != NULL && is_flumes(text, length)) {
        learn(clients, client);
        known = true;
    }
    request->match = !known                                                         ? PS_AVRO_MATCH_NONE
                     : memcmp(server, ps_avro_protocol_md5, PS_AVRO_MD5_BYTES) == 0 ? PS_AVRO_MATCH_BOTH
                                                                                    : PS_AVRO_MATCH_CLIENT;
}

/* ---- the call ---- */

static void refuse(struct ps_avro_request *request, const char *reason)
{
    request->call = PS_AVRO_CALL_ERROR;
    snprintf(request->reason, sizeof request->reason, "%s", reason);
}

/* Skips an event. */
static bool check_event(struct ps_avro_reader *in, struct ps_avro_request *request)
{
    struct ps_avro_datum datum;
    if (!ps_avro_event_read((const char *)in->at, (size_t)(in->end - in->at), &datum)) {
        refuse(request, "an event is not complete");
        return false;
    }
    const char *why = ps_header_sizes_refusal(&datum.headers);
    if (why != NULL) {
        refuse(request, why);
        return false;
    }
    in->at += datum.length;
    request->events++;
    return true;
}

static void check_events(struct ps_avro_reader *in, struct ps_avro_request *request)
{
    int64_t count = 1;
    while (!request->batch || (count = ps_avro_read_block(in)) > 0) {
        for (; count > 0; count--) {
            if (!check_event(in, request))
                return;
        }
        if (!request->batch)
            return;
    }
    if (in->bad)
        refuse(request, "the list of events is not complete");
}

static bool is_named(const uint8_t *name, size_t length, const char *wanted)
{
    return length == strlen(wanted) && memcmp(name, wanted, length) == 0;
}

/* Copies an untrusted name for a message, without control characters. */
static void refuse_name(struct ps_avro_request *request, const uint8_t *name, size_t length)
{
    char text[64];
    size_t kept = 0;
    for (; kept < length && kept < sizeof text - 1; kept++)
        text[kept] = name[kept] >= ' ' && name[kept] < 0x7f ? (char)name[kept] : '?';
    text[kept] = '\0';
    request->call = PS_AVRO_CALL_ERROR;
    snprintf(request->reason, sizeof request->reason, "No such remote message: %s", text);
}

/* Reads the call's metadata, a map of bytes. Only the round is used. */
static void read_metadata(struct ps_avro_reader *in, struct ps_avro_request *request)
{
    int64_t count;
    while ((count = ps_avro_read_block(in)) > 0) {
        for (; count > 0 && !in->bad; count--) {
            size_t key_length, length;
            const uint8_t *key = ps_avro_read_bytes(in, &key_length);
            const uint8_t *value = ps_avro_read_bytes(in, &length);
            if (!in->bad && length == 1 && (value[0] == 1 || value[0] == 2) &&
                is_named(key, key_length, PS_AVRO_ROUND_KEY))
                request->round = value[0];
        }
    }
}

void ps_avro_request_read(const void *payload, size_t length, bool handshake, struct ps_avro_clients *clients,
                          struct ps_avro_request *request)
{
    const uint8_t *begin = payload;
    struct ps_avro_reader in = {.at = begin, .end = begin + length};
    *request = (struct ps_avro_request){.call = PS_AVRO_CALL_APPEND, .match = PS_AVRO_MATCH_NONE};
    if (handshake)
        read_handshake(&in, clients, request);
    if (in.bad) {
        refuse(request, "the handshake is not complete");
        return;
    }
    if (handshake && request->match == PS_AVRO_MATCH_NONE) {
        request->call = PS_AVRO_CALL_STRANGER;
        return;
    }
    size_t name_length;
    read_metadata(&in, request);
    const uint8_t *name = ps_avro_read_bytes(&in, &name_length);
    request->batch = is_named(name, name_length, "appendBatch");
    request->events_at = (uint32_t)(in.at - begin);
    if (in.bad)
        refuse(request, "the call is not complete");
    else if (name_length == 0)
        request->call = PS_AVRO_CALL_PING;
    else if (request->batch || is_named(name, name_length, "append"))
        check_events(&in, request);
    else
        refuse_name(request, name, name_length);
}

/* ---- answers ---- */

static size_t put_text(uint8_t *to, const char *text, size_t length)
{
    size_t at = ps_avro_put_long(to, (int64_t)length);
    memcpy(to + at, text, length);
    return at + length;
}

/* HandshakeResponse: match, union(null, string) serverProtocol, union(null, fixed 16) serverHash, union(null, map) meta. */
static size_t put_handshake(uint8_t *to, enum ps_avro_match match)
{
    size_t at = ps_avro_put_long(to, match);
    bool tell = match != PS_AVRO_MATCH_BOTH;
    at += ps_avro_put_long(to + at, tell);
    if (tell)
        at += put_text(to + at, ps_avro_protocol, strlen(ps_avro_protocol));
    at += ps_avro_put_long(to + at, tell);
    if (tell) {
        memcpy(to + at, ps_avro_protocol_md5, PS_AVRO_MD5_BYTES);
        at += PS_AVRO_MD5_BYTES;
    }
    return at + ps_avro_put_long(to + at, 0);
}

/* Writes one piece; its length is filled in at the end. */
static size_t put_head(uint8_t *to, uint32_t serial, const enum ps_avro_match *handshake)
{
    ps_avro_put_int32(to, serial);
    ps_avro_put_int32(to + 4, 1);
    size_t at = HEAD_BYTES + PIECE_BYTES;
    return handshake != NULL ? at + put_handshake(to + at, *handshake) : at;
}

static size_t put_end(uint8_t *to, size_t at)
{
    ps_avro_put_int32(to + HEAD_BYTES, (uint32_t)(at - HEAD_BYTES - PIECE_BYTES));
    PS_ASSERT(at <= PS_AVRO_REPLY_BYTES_MAX);
    return at;
}

size_t ps_avro_put_status(uint8_t *to, uint32_t serial, const enum ps_avro_match *handshake, unsigned status)
{
    size_t at = put_head(to, serial, handshake);
    to[at++] = 0; /* no metadata */
    to[at++] = 0; /* no error */
    at += ps_avro_put_long(to + at, status);
    return put_end(to, at);
}

size_t ps_avro_put_error(uint8_t *to, uint32_t serial, const enum ps_avro_match *handshake,
                         const char *reason)
{
    size_t at = put_head(to, serial, handshake);
    to[at++] = 0;
    to[at++] = 1; /* an error; the string of the union */
    at += ps_avro_put_long(to + at, 0);
    at += put_text(to + at, reason, strlen(reason));
    return put_end(to, at);
}

size_t ps_avro_put_greeting(uint8_t *to, uint32_t serial, const enum ps_avro_match *handshake)
{
    return put_end(to, put_head(to, serial, handshake));
}
