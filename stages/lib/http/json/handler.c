#include "stages/lib/http/json/handler.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/text/utf8.h"
#include "stages/lib/http/content_type.h"
#include "stages/lib/http/header_area.h"
#include "stages/lib/text/charset_names.h"
#include "stages/lib/text/json/text.h"
#include "stages/lib/text/scan.h"

#define NAMES 256U /* a power of two */
#define CHARSET_NAME_BYTES 64U
#define UNKNOWN (-2)
#define UTF8 (-1)
#define UTF32 1
#define UTF32_LITTLE 2
#define REPLACEMENT "\xEF\xBF\xBD"

enum ps_status ps_json_handler_init(struct ps_json_handler *handler, struct ps_err *err)
{
    static const char *const names[PS_JSON_CHARSETS] = {"UTF-16", "UTF-32", "UTF-32LE"};
    *handler = (struct ps_json_handler){.same_names = NULL};
    for (unsigned i = 0; i < PS_JSON_CHARSETS; i++) {
        if (ps_charset_find(names[i], &handler->charsets[i], err) != PS_OK ||
            ps_transcoder_open(&handler->transcoders[i], &handler->charsets[i], err) != PS_OK) {
            ps_json_handler_fini(handler);
            return PS_FAIL;
        }
    }
    handler->same_names = malloc(NAMES * sizeof *handler->same_names);
    handler->lists = malloc(PS_JSON_EVENTS_MAX * sizeof *handler->lists);
    handler->masks = malloc(PS_JSON_EVENTS_MAX * sizeof *handler->masks);
    if (ps_json_scan_init(&handler->scan) && handler->same_names != NULL && handler->lists != NULL &&
        handler->masks != NULL)
        return PS_OK;
    ps_json_handler_fini(handler);
    return ps_err_set(err, "no memory");
}

void ps_json_handler_fini(struct ps_json_handler *handler)
{
    for (unsigned i = 0; i < PS_JSON_CHARSETS; i++) {
        if (handler->transcoders[i].charset != NULL)
            ps_transcoder_close(&handler->transcoders[i]);
    }
    ps_json_scan_fini(&handler->scan);
    free(handler->same_names);
    free(handler->lists);
    free(handler->masks);
    *handler = (struct ps_json_handler){.same_names = NULL};
}

/* ---- character sets ---- */

/* Returns the number of the request's character set, by any of Java's names, or UTF8; -2 if Flume's handler does not take
 * the character set. */
static int charset_of(const struct ps_http_exchange *exchange)
{
    const struct ps_http_part *type = &exchange->message->content_type;
    struct ps_slice name;
    char text[CHARSET_NAME_BYTES];
    if (!ps_content_type_charset(exchange->head + type->at, type->length, &name) ||
        (name.length == 5 && strncasecmp(name.data, "utf-8", 5) == 0))
        return UTF8;
    if (name.length >= sizeof text)
        return UNKNOWN;
    memcpy(text, name.data, name.length);
    text[name.length] = '\0';
    const struct ps_charset_name *found = ps_charset_name_find(text);
    for (char *at = text; found == NULL && (at = strchr(at, '_')) != NULL;) {
        *at = '-'; /* UTF_8: Java has UTF_16 and UTF_32 as names, and senders have the third */
        found = ps_charset_name_find(text);
    }
    if (found == NULL)
        return UNKNOWN;
    return found->kind == PS_CHARSET_UTF8    ? UTF8
           : found->kind == PS_CHARSET_UTF16 ? 0
           : found->kind == PS_CHARSET_UTF32 ? UTF32
                                             : UNKNOWN;
}

/* Skips the byte order mark of UTF-32. Returns the number of the character set of the rest. */
static int skip_mark(int charset, char **text, uint32_t *length)
{
    bool little = *length >= 4 && memcmp(*text, "\xFF\xFE\0\0", 4) == 0;
    if (charset != UTF32 || (!little && (*length < 4 || memcmp(*text, "\0\0\xFE\xFF", 4) != 0)))
        return charset;
    *text += 4;
    *length -= 4;
    return little ? UTF32_LITTLE : UTF32;
}

/* Writes the body as well-formed UTF-8. Returns its length. */
static uint32_t write_decoded(struct ps_json_handler *handler, int charset,
                              const struct ps_http_exchange *exchange, char *to)
{
    char *text = exchange->body;
    uint32_t length = exchange->body_length;
    size_t used;
    if (charset == UTF8)
        return (uint32_t)ps_utf8_repair(text, length, to);
    charset = skip_mark(charset, &text, &length);
    (void)ps_transcoder_decode(&handler->transcoders[charset], text, length, true, false, to, &used);
    return (uint32_t)used;
}

/* Gives up the decoded text: the request's next try decodes again. */
static void forget_decoded(struct ps_http_text *text, struct ps_block_cache *blocks)
{
    if (!text->decoded)
        return;
    ps_block_drop(blocks, text->block);
    text->block = NULL;
    text->decoded = text->counted = false;
}

/* Decodes a long body into a block, which stays until the request's events are in batches. Decoding it again
 * for each batch would cost quadratic time. */
static enum ps_http_taken keep_decoded(struct ps_json_handler *handler, struct ps_block_cache *blocks,
                                       int charset, uint32_t room, struct ps_http_exchange *exchange)
{
    struct ps_http_text *text = exchange->text;
    struct ps_block *block = ps_block_take_oversize(blocks, room);
    if (block == NULL)
        return PS_HTTP_MEMORY;
    uint32_t length = write_decoded(handler, charset, exchange, block->base);
    if (text->block != NULL) /* decompressed bytes; a batch holds it, or it is made again */
        ps_block_drop(blocks, text->block);
    text->block = block;
    text->length = length;
    text->decoded = true;
    text->counted = false;
    return PS_HTTP_TAKEN;
}

/* Makes the body well-formed UTF-8. */
static enum ps_http_taken decode(struct ps_json_handler *handler, struct ps_block_cache *blocks,
                                 struct ps_batch *batch, int charset, struct ps_http_exchange *exchange)
{
    struct ps_http_text *text = exchange->text;
    if (exchange->rest_at == 0)
        exchange->plain =
            charset == UTF8 && !text->decoded &&
            (ps_text_is_plain(exchange->body, exchange->body_length) ||
             ps_utf8_valid_length(exchange->body, exchange->body_length) == exchange->body_length);
    if (exchange->plain)
        return PS_HTTP_TAKEN;
    uint64_t room = PS_CHARSET_DECODED_MAX(exchange->body_length);
    if (!text->decoded && room <= PS_HTTP_TEXT_META_BYTES_MAX) {
        char *copy = ps_http_alloc(batch, (uint32_t)room, PS_HTTP_TEXT_META_BYTES_MAX);
        if (copy == NULL)
            return PS_HTTP_MEMORY;
        exchange->body_length = write_decoded(handler, charset, exchange, copy);
        exchange->body = copy;
        return PS_HTTP_TAKEN;
    }
    if (!text->decoded) {
        enum ps_http_taken taken = room > UINT32_MAX
                                       ? PS_HTTP_MEMORY
                                       : keep_decoded(handler, blocks, charset, (uint32_t)room, exchange);
        if (taken != PS_HTTP_TAKEN)
            return taken;
    }
    return ps_http_text_use(exchange, batch);
}

/* ---- texts ---- */

/* Replaces the escapes of a text in place, and fills the rest of its place with blanks: the JSON must stay
 * well-formed, because it is read again for the events after this one. This event is not read again, because the
 * batch has room for its row. */
static void unescape(struct ps_json_text *json, char *text, const char *lone)
{
    uint32_t length = ps_json_unescape(text + json->at, json->length, lone, text + json->at);
    memset(text + json->at + length, ' ', json->length - length);
    json->length = length;
    json->kind = PS_JSON_PLAIN;
}

static struct ps_slice value_of(struct ps_json_text *json, char *text, const char *lone)
{
    switch (json->kind) {
    case PS_JSON_NULL:
        return (struct ps_slice){"", 0};
    case PS_JSON_TRUE:
        return (struct ps_slice){"true", 4};
    case PS_JSON_FALSE:
        return (struct ps_slice){"false", 5};
    case PS_JSON_ESCAPED:
        unescape(json, text, lone);
        break;
    case PS_JSON_PLAIN:
        break;
    }
    return (struct ps_slice){text + json->at, json->length};
}

/* ---- headers ---- */

static bool is_same_name(const struct ps_json_header *a, const struct ps_json_header *b, const char *text)
{
    return a->hash == b->hash && a->name.kind == PS_JSON_PLAIN && b->name.kind == PS_JSON_PLAIN &&
           a->name.length == b->name.length &&
           memcmp(text + a->name.at, text + b->name.at, a->name.length) == 0;
}

/* Returns an earlier header with the same name. If there is none, remembers the header `index`, and returns
 * NULL. */
static struct ps_json_header *same_name(struct ps_json_handler *handler, uint32_t index, const char *text)
{
    struct ps_json_header *headers = handler->scan.headers;
    uint32_t *place = &handler->same_names[headers[index].hash & (NAMES - 1)];
    uint32_t known = *place;
    if (known > 0 && known - 1 < index && is_same_name(&headers[known - 1], &headers[index], text))
        return &headers[known - 1];
    *place = index + 1;
    return NULL;
}

static uint32_t count_headers(const struct ps_json_handler *handler, uint32_t events)
{
    uint32_t last = events - 1;
    return events == 0 ? 0
                       : handler->scan.events[last].first_header + handler->scan.events[last].header_count;
}

static uint64_t headers_bytes(struct ps_json_handler *handler, uint32_t count, const char *text)
{
    uint64_t bytes = 8;
    memset(handler->same_names, 0, NAMES * sizeof *handler->same_names);
    for (uint32_t i = 0; i < count; i++) {
        bytes += PS_HEADER_AREA_HEADER_BYTES;
        if (same_name(handler, i, text) == NULL)
            bytes += ps_header_area_name_bytes(handler->scan.headers[i].name.length);
    }
    return bytes;
}

/* Makes the headers of one event, in reverse order, as ps_batch_header_add does. */
static void make_list(struct ps_json_handler *handler, struct ps_header_area *area, uint32_t event,
                      char *text, const struct ps_name **names)
{
    struct ps_json_scan *scan = &handler->scan;
    handler->lists[event] = NULL;
    handler->masks[event] = 0;
    for (uint32_t k = 0; k < scan->events[event].header_count; k++) {
        uint32_t index = scan->events[event].first_header + k;
        struct ps_json_header *json = &scan->headers[index];
        const struct ps_json_header *same = same_name(handler, index, text);
        uint32_t place = json->hash & (NAMES - 1);
        if (same == NULL)
            names[place] = ps_header_area_name(area, json->hash, value_of(&json->name, text, "?"));
        if (json->value.kind == PS_JSON_NULL)
            continue;
        ps_header_area_add(area, &handler->lists[event], names[place], value_of(&json->value, text, "?"));
        handler->masks[event] |= names[place]->mask;
    }
}

static void make_lists(struct ps_json_handler *handler, struct ps_header_area area, uint32_t events,
                       char *text)
{
    const struct ps_name *names[NAMES];
    memset(handler->same_names, 0, NAMES * sizeof *handler->same_names);
    for (uint32_t i = 0; i < events; i++)
        make_list(handler, &area, i, text, names);
}

/* ---- bodies ---- */

static uint64_t bodies_bytes(const struct ps_json_handler *handler, uint32_t events)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < events; i++)
        bytes += PS_CHARSET_ENCODED_MAX(handler->scan.events[i].body.length + 8U);
    return bytes;
}

/* Encodes a body in the request's character set, as JSONEvent does. */
static struct ps_slice encode(struct ps_json_handler *handler, int charset, struct ps_slice body, char **room)
{
    size_t length = 0;
    if (body.length > 0)
        ps_transcoder_encode(&handler->transcoders[charset], body.data, body.length, *room, &length);
    body = (struct ps_slice){*room, (uint32_t)length};
    *room += length;
    return body;
}

/* ---- events ---- */

/* Adds `events` rows. The batch has room for them. */
static void add_rows(struct ps_json_handler *handler, struct ps_batch *batch, uint32_t events, char *text,
                     int charset, char *encoded)
{
    for (uint32_t i = 0; i < events; i++) {
        struct ps_slice body =
            value_of(&handler->scan.events[i].body, text, charset == UTF8 ? "?" : REPLACEMENT);
        if (charset != UTF8)
            body = encode(handler, charset, body, &encoded);
        struct ps_event *event = ps_batch_add(batch, (char *)(uintptr_t)body.data, body.length);
        PS_ASSERT(event != NULL);
        event->headers = handler->lists[i];
        event->mask = handler->masks[i];
        batch->own_mask |= event->mask;
    }
}

/* Adds the first events of the scan to the batch, all or none. */
static enum ps_http_taken add_events(struct ps_json_handler *handler, struct ps_batch *batch, char *text,
                                     int charset, uint32_t events, uint64_t origin)
{
    uint32_t headers = count_headers(handler, events);
    uint64_t header_bytes = headers_bytes(handler, headers, text), body_bytes = 0;
    if (charset != UTF8)
        body_bytes = bodies_bytes(handler, events);
    if (header_bytes > UINT32_MAX || body_bytes > UINT32_MAX)
        return PS_HTTP_MEMORY;
    char *memory = NULL, *encoded = NULL;
    if (headers > 0) {
        memory = ps_http_alloc(batch, (uint32_t)header_bytes, PS_HTTP_HEADERS_META_BYTES_MAX);
        if (memory == NULL)
            return PS_HTTP_MEMORY;
    }
    if (charset != UTF8 &&
        (encoded = ps_http_alloc(batch, (uint32_t)body_bytes, PS_HTTP_TEXT_META_BYTES_MAX)) == NULL)
        return PS_HTTP_MEMORY;
    if (!ps_batch_ticket(batch, origin, 0)) /* first, so that every row has its ticket */
        return PS_HTTP_MEMORY;
    if (ps_batch_rows_room(batch) < events) /* before the text is changed */
        return PS_HTTP_FULL;
    make_lists(handler, ps_header_area(memory, memory != NULL ? header_bytes : 0), events, text);
    add_rows(handler, batch, events, text, charset, encoded);
    PS_ASSERT(ps_batch_ticket(batch, origin, events)); /* adds to the ticket made above */
    return PS_HTTP_TAKEN;
}

/* Notes the events that got nothing of their elements: JSON of a sender that does not write for Flume. */
static void note_lost(const struct ps_json_scan *scan, uint32_t events, struct ps_http_exchange *exchange)
{
    for (uint32_t i = 0; i < events; i++) {
        const struct ps_json_event *event = &scan->events[i];
        if (PS_LIKELY(!event->loses))
            continue;
        if (exchange->lost_count++ == 0)
            exchange->lost =
                (struct ps_slice){exchange->body + event->begin_at, event->end_at - event->begin_at};
    }
    exchange->lost_why = "an element without \"body\": its event is empty, as in Flume";
}

static enum ps_http_taken take_text(struct ps_json_handler *handler, struct ps_block_cache *blocks,
                                    struct ps_batch *batch, struct ps_http_exchange *exchange)
{
    struct ps_json_scan *scan = &handler->scan;
    int charset = charset_of(exchange);
    if (exchange->text->is_lines && charset != UTF8) {
        exchange->status = 415;
        exchange->intro = NULL;
        exchange->reason = "JSON lines are UTF-8";
        return PS_HTTP_REFUSED;
    }
    if (charset < UTF8) {
        exchange->status = 500;
        exchange->intro = PS_HTTP_UNEXPECTED;
        exchange->reason = "JSON handler supports UTF-8, UTF-16 and UTF-32 only.";
        return PS_HTTP_REFUSED;
    }
    enum ps_http_taken taken = decode(handler, blocks, batch, charset, exchange);
    if (taken != PS_HTTP_TAKEN)
        return taken;
    scan->events_max = batch->capacity < PS_JSON_EVENTS_MAX ? batch->capacity : PS_JSON_EVENTS_MAX;
    if (!ps_json_scan(scan, exchange->body, exchange->body_length, exchange->rest_at)) {
        exchange->status = scan->status;
        exchange->intro = scan->status == 400 ? PS_HTTP_BAD_REQUEST "Request has invalid JSON Syntax. "
                                              : PS_HTTP_UNEXPECTED;
        exchange->reason = scan->reason;
        return PS_HTTP_REFUSED;
    }
    if (exchange->text->is_lines && exchange->rest_at == 0 && scan->total != exchange->text->lines) {
        exchange->status = 400;
        exchange->intro = PS_HTTP_BAD_REQUEST;
        exchange->reason = "a line is not one JSON object";
        return PS_HTTP_REFUSED;
    }
    exchange->events = scan->total;
    uint32_t events = scan->event_count < batch->capacity ? scan->event_count : batch->capacity;
    /* The events of a transaction are in one batch, and only an empty batch has room for any number of rows. */
    if (events > 0 && batch->count > 0 && (events > 1 || batch->count == batch->capacity))
        return PS_HTTP_FULL;
    if (events > 0)
        taken = add_events(handler, batch, exchange->body, charset, events, exchange->origin);
    if (taken == PS_HTTP_TAKEN)
        note_lost(scan, events, exchange);
    if (taken != PS_HTTP_TAKEN || (events == scan->event_count && scan->rest_at == 0))
        return taken;
    exchange->rest_at = scan->events[events - 1].end_at;
    return PS_HTTP_TAKEN_PART;
}

enum ps_http_taken ps_json_handler_take(struct ps_json_handler *handler, struct ps_block_cache *blocks,
                                        struct ps_batch *batch, struct ps_http_exchange *exchange)
{
    enum ps_http_taken taken = take_text(handler, blocks, batch, exchange);
    if (taken == PS_HTTP_MEMORY) /* frees memory that other requests need while this one waits */
        forget_decoded(exchange->text, blocks);
    return taken;
}
