#include "stages/lib/avro/rpc.h"
#include "core/big_endian.h"
#include "stages/lib/avro/reader.h"

#include <string.h>

const char ps_avro_protocol[] =
    "{\"protocol\":\"AvroSourceProtocol\",\"namespace\":\"org.apache.flume.source.avro\",\"types\":[{"
    "\"type\":\"enum\",\"name\":\"Status\",\"symbols\":[\"OK\",\"FAILED\",\"UNKNOWN\"]},{\"type\":\"record\","
    "\"name\":\"AvroFlumeEvent\",\"fields\":[{\"name\":\"headers\",\"type\":{\"type\":\"map\",\"values\":"
    "\"string\"}},{\"name\":\"body\",\"type\":\"bytes\"}]}],\"messages\":{\"append\":{\"request\":[{\"name\":"
    "\"event\",\"type\":\"AvroFlumeEvent\"}],\"response\":\"Status\"},\"appendBatch\":{\"request\":[{"
    "\"name\":\"events\",\"type\":{\"type\":\"array\",\"items\":\"AvroFlumeEvent\"}}],\"response\":"
    "\"Status\"}}}";

const uint8_t ps_avro_protocol_md5[16] = {0x30, 0xda, 0x54, 0x05, 0x9d, 0xf7, 0x2d, 0x95,
                                          0x84, 0xb8, 0x67, 0xd5, 0x20, 0x2e, 0x20, 0x69};

/* ---- writing ---- */

size_t ps_avro_put_handshake(uint8_t *to)
{
    size_t at = 0, text = sizeof ps_avro_protocol - 1;
    memcpy(to, ps_avro_protocol_md5, 16); /* clientHash */
    at += 16;
    at += ps_avro_put_long(to + at, 1); /* clientProtocol: union(null, string) */
    at += ps_avro_put_long(to + at, (int64_t)text);
    memcpy(to + at, ps_avro_protocol, text);
    at += text;
    memcpy(to + at, ps_avro_protocol_md5,
           16); /* serverHash: a guess; the server answers a wrong one with its own */
    at += 16;
    at += ps_avro_put_long(to + at, 0); /* meta: null */
    PS_ASSERT(at == PS_AVRO_HANDSHAKE_BYTES);
    return at;
}

static size_t put_name(uint8_t *to, const char *name)
{
    size_t length = strlen(name), at = ps_avro_put_long(to, (int64_t)length);
    memcpy(to + at, name, length);
    return at + length;
}

size_t ps_avro_put_call(uint8_t *to)
{
    to[0] = 0; /* no metadata */
    return 1 + put_name(to + 1, "appendBatch");
}

size_t ps_avro_put_round_call(uint8_t *to, unsigned round)
{
    size_t at = ps_avro_put_long(to, 1); /* a map of bytes with one entry */
    at += put_name(to + at, PS_AVRO_ROUND_KEY);
    at += ps_avro_put_long(to + at, 1);
    to[at++] = (uint8_t)round;
    to[at++] = 0;
    at += put_name(to + at, "appendBatch");
    PS_ASSERT(at == PS_AVRO_ROUND_CALL_BYTES);
    return at;
}

size_t ps_avro_put_count(uint8_t *to, uint32_t count)
{
    return ps_avro_put_long(to, count);
}

size_t ps_avro_put_event(uint8_t *to, const char *body, uint32_t length)
{
    size_t at = ps_avro_put_long(to, 0); /* headers: an empty map */
    at += ps_avro_put_long(to + at, length);
    memcpy(to + at, body, length);
    return at + length;
}

size_t ps_avro_put_int32(uint8_t *to, uint32_t number)
{
    ps_big_endian_put_32(to, number);
    return sizeof number;
}

size_t ps_avro_put_head(uint8_t *to, uint32_t serial, bool handshake, size_t length)
{
    size_t at = ps_avro_put_int32(to, serial);
    at += ps_avro_put_int32(to + at, handshake ? 2 : 1);
    if (handshake) {
        at += ps_avro_put_int32(to + at, PS_AVRO_HANDSHAKE_BYTES);
        at += ps_avro_put_handshake(to + at);
    }
    return at + ps_avro_put_int32(to + at, (uint32_t)length);
}

/* ---- reading ---- */

/* HandshakeResponse: match BOTH, CLIENT or NONE; union(null, string), union(null, fixed 16),
 * union(null, map). */
static void get_handshake(struct ps_avro_reader *in, struct ps_avro_answer *answer)
{
    size_t length;
    int64_t match = ps_avro_read_long(in);
    in->bad = in->bad || match < 0 || match > 2;
    answer->no_match = match == 2;
    answer->same_protocol = match == 0;
    if (ps_avro_read_is_set(in))
        ps_avro_read_bytes(in, &length);
    if (ps_avro_read_is_set(in))
        ps_avro_read_fixed(in, 16);
    if (ps_avro_read_is_set(in))
        ps_avro_skip_map(in);
}

/* Copies an untrusted text for a message, without control characters. */
static void error_set(struct ps_avro_answer *answer, const uint8_t *text, size_t length)
{
    size_t kept = 0;
    for (; kept < length && kept < sizeof answer->error - 1 && text[kept] >= ' '; kept++)
        answer->error[kept] = (char)text[kept];
    answer->error[kept] = '\0';
}

static bool get_payload(struct ps_avro_reader *in, bool handshake, struct ps_avro_answer *answer)
{
    if (handshake)
        get_handshake(in, answer);
    if (answer->no_match && !in->bad)
        return true; /* nothing was called */
    ps_avro_skip_map(in);
    in->bad = in->bad || in->at == in->end || *in->at > 1;
    if (in->bad)
        return false;
    answer->failed = *in->at++ == 1;
    /* a status, or the branch of the error's union: the string is the first branch */
    int64_t number = ps_avro_read_long(in);
    if (answer->failed) {
        size_t length;
        in->bad = in->bad || number != 0;
        const uint8_t *text = ps_avro_read_bytes(in, &length);
        error_set(answer, text, length);
    } else {
        in->bad = in->bad || number < PS_AVRO_OK || number > PS_AVRO_UNKNOWN;
        answer->status = in->bad ? PS_AVRO_UNKNOWN : (enum ps_avro_status)number;
    }
    return !in->bad && in->at == in->end;
}

enum ps_avro_reading ps_avro_read_answer(const uint8_t *data, size_t length, bool handshake, uint8_t *scratch,
                                         struct ps_avro_answer *answer, size_t *taken)
{
    *answer = (struct ps_avro_answer){0};
    if (length < 8)
        return PS_AVRO_MORE;
    answer->serial = ps_big_endian_get_32(data);
    uint32_t pieces = ps_big_endian_get_32(data + 4);
    size_t at = 8, total = 0;
    if (pieces > PS_AVRO_PIECES_MAX)
        return PS_AVRO_NONSENSE;
    for (; pieces > 0; pieces--) {
        if (length - at < 4)
            return PS_AVRO_MORE;
        uint32_t piece = ps_big_endian_get_32(data + at);
        at += 4;
        if (piece > PS_AVRO_ANSWER_BYTES_MAX - total)
            return PS_AVRO_NONSENSE;
        if (piece > length - at)
            return PS_AVRO_MORE;
        memcpy(scratch + total, data + at, piece);
        total += piece;
        at += piece;
    }
    *taken = at;
    struct ps_avro_reader in = {.at = scratch, .end = scratch + total};
    return get_payload(&in, handshake, answer) ? PS_AVRO_ANSWER : PS_AVRO_NONSENSE;
}
