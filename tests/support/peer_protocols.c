/* The protocols of the server in peer.c. Thread: the server's. */
#include "tests/support/peer.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <strings.h>
#include <zlib.h>

static int verdict_of(struct ps_test_peer *peer, uint64_t sequence, uint32_t count, int fine)
{
    return peer->verdict != NULL ? peer->verdict(peer, sequence, count) : fine;
}

size_t ps_test_protocol_lines(struct ps_test_link *link)
{
    size_t at = 0;
    const char *end;
    while ((end = memchr(link->in + at, '\n', link->length - at)) != NULL) {
        ps_test_peer_took(link->peer, link->in + at, (size_t)(end - link->in) - at);
        at = (size_t)(end - link->in) + 1;
    }
    return at;
}

size_t ps_test_protocol_netcat(struct ps_test_link *link)
{
    size_t at = 0, answer_length = 0;
    char answers[8192];
    const char *end;
    while ((end = memchr(link->in + at, '\n', link->length - at)) != NULL) {
        size_t length = (size_t)(end - link->in) - at;
        uint64_t sequence = ps_test_peer_sequence(link->peer, link->in + at, length);
        bool no = verdict_of(link->peer, sequence, 1, 0) != 0;
        if (!no)
            ps_test_peer_took(link->peer, link->in + at, length);
        answer_length += (size_t)snprintf(answers + answer_length, sizeof answers - answer_length, "%s\n",
                                          no ? "FAILED: no" : "OK");
        at += length + 1;
        if (answer_length > sizeof answers - 64) {
            if (!ps_test_link_send(link, answers, answer_length))
                return SIZE_MAX;
            answer_length = 0;
        }
    }
    /* Sends the last answer in pieces. */
    if (answer_length > 1 && !ps_test_link_send(link, answers, answer_length - 2))
        return SIZE_MAX;
    if (answer_length > 1 && !ps_test_link_send(link, answers + answer_length - 2, 2))
        return SIZE_MAX;
    return at;
}

/* ---- HTTP ---- */

static bool header_get(const char *head, const char *name, char *value, size_t room)
{
    for (const char *line = head; (line = strstr(line, "\r\n")) != NULL;) {
        line += 2;
        if (strncasecmp(line, name, strlen(name)) != 0 || line[strlen(name)] != ':')
            continue;
        line += strlen(name) + 1;
        line += strspn(line, " ");
        size_t length = strcspn(line, "\r");
        snprintf(value, room, "%.*s", (int)length, line);
        return true;
    }
    return false;
}

static void http_took_json(struct ps_test_peer *peer, const char *body, size_t length, bool only_look,
                           uint64_t *first, uint32_t *count)
{
    json_error_t error;
    json_t *events = json_loadb(body, length, 0, &error);
    *count = (uint32_t)json_array_size(events);
    for (size_t i = 0; i < *count; i++) {
        const json_t *event = json_array_get(events, i);
        const char *text = json_string_value(json_object_get(event, "body"));
        bool good = text != NULL && json_is_object(json_object_get(event, "headers"));
        if (i == 0 && good)
            *first = ps_test_peer_sequence(peer, text, strlen(text));
        if (!only_look)
            ps_test_peer_took(peer, good ? text : "", good ? strlen(text) : 0);
    }
    if (events == NULL && !only_look)
        ps_test_peer_took(peer, "", 0);
    json_decref(events);
}

static void http_took(struct ps_test_peer *peer, bool json, const char *body, size_t length, bool only_look,
                      uint64_t *first, uint32_t *count)
{
    if (json) {
        http_took_json(peer, body, length, only_look, first, count);
        return;
    }
    *count = 0;
    for (size_t at = 0; at < length; (*count)++) {
        const char *end = memchr(body + at, '\n', length - at);
        size_t line = end != NULL ? (size_t)(end - body) - at : length - at;
        if (*count == 0)
            *first = ps_test_peer_sequence(peer, body + at, line);
        if (!only_look)
            ps_test_peer_took(peer, body + at, line);
        at += line + 1;
    }
}

size_t ps_test_protocol_http(struct ps_test_link *link)
{
    size_t at = 0;
    for (;;) {
        char *request = link->in + at;
        char *end = memmem(request, link->length - at, "\r\n\r\n", 4);
        char value[64], answer[256];
        if (end == NULL)
            return at;
        *end = '\0';
        size_t body_length =
            header_get(request, "Content-Length", value, sizeof value) ? strtoul(value, NULL, 10) : 0;
        bool json = header_get(request, "Content-Type", value, sizeof value) && strstr(value, "json") != NULL;
        bool post = strncmp(request, "POST /", 6) == 0;
        *end = '\r';
        char *body = end + 4;
        if ((size_t)(body - link->in) + body_length > link->length)
            return at;
        uint64_t first = UINT64_MAX;
        uint32_t count = 0;
        http_took(link->peer, json, body, body_length, true, &first, &count);
        int status = post ? verdict_of(link->peer, first, count, 200) : 405;
        if (status < 300)
            http_took(link->peer, json, body, body_length, false, &first, &count);
        int length =
            snprintf(answer, sizeof answer, "HTTP/1.1 %d Because\r\nContent-Length: 3\r\n\r\nhm\n", status);
        link->requests++;
        if (!ps_test_link_send(link, answer, (size_t)length))
            return SIZE_MAX;
        at = (size_t)(body - link->in) + body_length;
    }
}

/* ---- Avro RPC, as the avro source of Flume 1.11 reads it ---- */

struct reader {
    const uint8_t *at, *end;
    bool bad;
};

static int64_t read_long(struct reader *in)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (in->at == in->end)
            break;
        uint8_t byte = *in->at++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
    }
    in->bad = true;
    return 0;
}

static const char *read_bytes(struct reader *in, size_t *length)
{
    int64_t count = read_long(in);
    if (in->bad || count < 0 || count > in->end - in->at) {
        in->bad = true;
        *length = 0;
        return "";
    }
    const char *bytes = (const char *)in->at;
    in->at += count;
    *length = (size_t)count;
    return bytes;
}

static void skip_map(struct reader *in)
{
    int64_t count;
    size_t length;
    while (!in->bad && (count = read_long(in)) != 0) {
        if (count < 0) {
            count = -count;
            read_long(in);
        }
        for (; count > 0 && !in->bad; count--) {
            read_bytes(in, &length);
            read_bytes(in, &length);
        }
    }
}

/* HandshakeRequest: hash, union(null, protocol), hash, union(null, map). */
static void read_handshake(struct reader *in)
{
    size_t length;
    if (in->end - in->at < 16) {
        in->bad = true;
        return;
    }
    in->at += 16;
    if (read_long(in) == 1) {
        const char *text = read_bytes(in, &length);
        in->bad = in->bad || memmem(text, length, "AvroSourceProtocol", 18) == NULL;
    }
    in->bad = in->bad || in->end - in->at < 16;
    in->at += in->bad ? 0 : 16;
    if (read_long(in) == 1)
        skip_map(in);
}

static uint32_t read_events(struct ps_test_peer *peer, struct reader in, bool only_look, uint64_t *first)
{
    uint32_t total = 0;
    int64_t count;
    while (!in.bad && (count = read_long(&in)) != 0) {
        if (count < 0) {
            count = -count;
            read_long(&in);
        }
        for (; count > 0 && !in.bad; count--) {
            size_t length;
            skip_map(&in);
            const char *body = read_bytes(&in, &length);
            if (total++ == 0)
                *first = ps_test_peer_sequence(peer, body, length);
            if (!only_look)
                ps_test_peer_took(peer, body, length);
        }
    }
    if ((in.bad || in.at != in.end) && !only_look)
        ps_test_peer_took(peer, "", 0);
    return total;
}

static void big_endian(uint8_t *to, uint32_t value)
{
    to[0] = (uint8_t)(value >> 24);
    to[1] = (uint8_t)(value >> 16);
    to[2] = (uint8_t)(value >> 8);
    to[3] = (uint8_t)value;
}

static uint32_t from_big_endian(const uint8_t *from)
{
    return (uint32_t)from[0] << 24 | (uint32_t)from[1] << 16 | (uint32_t)from[2] << 8 | from[3];
}

/* Returns the payload of one message with its pieces joined, NULL if it is incomplete. *taken: its bytes on
 * the wire. */
static uint8_t *message_gather(const struct ps_test_link *link, size_t at, size_t *length, size_t *taken)
{
    const uint8_t *in = (const uint8_t *)link->in;
    size_t from = at + 8;
    if (link->length < from)
        return NULL;
    uint32_t pieces = from_big_endian(in + at + 4);
    uint8_t *payload = malloc(link->length + 1);
    *length = 0;
    for (; pieces > 0; pieces--) {
        uint32_t piece = link->length >= from + 4 ? from_big_endian(in + from) : 0;
        if (link->length < from + 4 || link->length < from + 4 + piece) {
            free(payload);
            return NULL;
        }
        memcpy(payload + *length, in + from + 4, piece);
        *length += piece;
        from += 4 + piece;
    }
    *taken = from - at;
    return payload;
}

struct zip {
    z_stream in, out;
    char *plain;
    size_t length, room;
};

static bool zip_send(struct ps_test_link *link, const uint8_t *data, size_t length)
{
    struct zip *zip = link->zip;
    uint8_t packed[256];
    if (zip == NULL)
        return ps_test_link_send(link, data, length);
    zip->out.next_in = (uint8_t *)(uintptr_t)data;
    zip->out.avail_in = (uInt)length;
    zip->out.next_out = packed;
    zip->out.avail_out = sizeof packed;
    PS_ASSERT(deflate(&zip->out, Z_SYNC_FLUSH) == Z_OK && zip->out.avail_out > 0);
    return ps_test_link_send(link, packed, sizeof packed - zip->out.avail_out);
}

void ps_test_link_unzip(struct ps_test_link *link)
{
    struct zip *zip = link->zip;
    if (zip == NULL)
        return;
    inflateEnd(&zip->in);
    deflateEnd(&zip->out);
    free(zip->plain);
    free(zip);
}

static bool answer(struct ps_test_link *link, const uint8_t *serial, int verdict)
{
    /* match BOTH, no protocol, no hash, no meta; no meta; no error; the status */
    static const uint8_t handshake[] = {0, 0, 0, 0};
    uint8_t payload[64], head[12];
    size_t length = 0;
    if (link->requests++ == 0) {
        memcpy(payload, handshake, sizeof handshake);
        length = sizeof handshake;
    }
    payload[length++] = 0;
    payload[length++] = verdict < 0;
    if (verdict < 0) { /* union of errors: a string */
        payload[length++] = 0;
        payload[length++] = 8;
        memcpy(payload + length, "bang", 4);
        length += 4;
    } else {
        payload[length++] = (uint8_t)(verdict * 2);
    }
    memcpy(head, serial, 4);
    big_endian(head + 4, 2); /* in two pieces */
    big_endian(head + 8, 1);
    uint8_t length_field[4];
    big_endian(length_field, (uint32_t)length - 1);
    return zip_send(link, head, sizeof head) && zip_send(link, payload, 1) &&
           zip_send(link, length_field, 4) && zip_send(link, payload + 1, length - 1);
}

size_t ps_test_protocol_avro(struct ps_test_link *link)
{
    size_t at = 0, length, taken;
    uint8_t *payload;
    while ((payload = message_gather(link, at, &length, &taken)) != NULL) {
        struct reader in = {.at = payload, .end = payload + length};
        size_t name_length;
        uint64_t first = UINT64_MAX;
        if (link->requests == 0)
            read_handshake(&in);
        skip_map(&in);
        const char *name = read_bytes(&in, &name_length);
        bool good = !in.bad && name_length == 11 && memcmp(name, "appendBatch", 11) == 0;
        if (!good)
            ps_test_peer_took(link->peer, "", 0);
        uint32_t count = good ? read_events(link->peer, in, true, &first) : 0;
        int verdict = verdict_of(link->peer, first, count, 0);
        if (verdict == 0 && good)
            read_events(link->peer, in, false, &first);
        free(payload);
        if (!answer(link, (const uint8_t *)link->in + at, verdict))
            return SIZE_MAX;
        at += taken;
    }
    return at;
}

size_t ps_test_protocol_avro_zlib(struct ps_test_link *link)
{
    struct zip *zip = link->zip;
    if (zip == NULL) {
        link->zip = zip = calloc(1, sizeof *zip);
        PS_ASSERT(zip != NULL && inflateInit(&zip->in) == Z_OK && deflateInit(&zip->out, 6) == Z_OK);
    }
    zip->in.next_in = (uint8_t *)link->in;
    zip->in.avail_in = (uInt)link->length;
    do {
        zip->room = zip->length + 65536;
        zip->plain = realloc(zip->plain, zip->room);
        PS_ASSERT(zip->plain != NULL);
        zip->in.next_out = (uint8_t *)zip->plain + zip->length;
        zip->in.avail_out = 65536;
        int result = inflate(&zip->in, Z_SYNC_FLUSH);
        if (result != Z_OK && result != Z_BUF_ERROR)
            return SIZE_MAX;
        zip->length = zip->room - zip->in.avail_out;
    } while (zip->in.avail_out == 0);
    struct ps_test_link plain = *link; /* the same link with decompressed input */
    plain.in = zip->plain;
    plain.length = zip->length;
    size_t taken = ps_test_protocol_avro(&plain);
    link->requests = plain.requests;
    if (taken == SIZE_MAX)
        return SIZE_MAX;
    memmove(zip->plain, zip->plain + taken, zip->length - taken);
    zip->length -= taken;
    return link->length;
}
