#include "stages/lib/http/json/body.h"

#include "stages/lib/http/content_type.h"

#include <string.h>

#define KEPT_BYTES (256U * 1024) /* a larger room is freed after the request */
#define PIECE_BYTES (16U * 1024) /* minimal room for the bytes that are decompressed next */
#define BRACKETS_BYTES 2U

void ps_json_body_fini(struct ps_json_body *body)
{
    ps_decompressor_fini(&body->decompressor);
    ps_byte_buffer_clear(&body->bytes, 0);
    *body = (struct ps_json_body){.bytes.length = 0};
}

static enum ps_http_taken refuse(struct ps_http_exchange *exchange, uint16_t status, const char *reason)
{
    exchange->status = status;
    exchange->intro = status == 400 ? PS_HTTP_BAD_REQUEST : NULL;
    exchange->reason = reason;
    return PS_HTTP_REFUSED;
}

/* ---- gzip ---- */

/* Decompresses all members of the body, after which nothing may follow, not even zeros. It makes at most
 * `bytes_max` bytes, whatever length the compressed data claims. */
static enum ps_http_taken decompress(struct ps_json_body *body, uint32_t bytes_max,
                                     struct ps_http_exchange *exchange)
{
    struct ps_decompressor *decompressor = &body->decompressor;
    struct ps_byte_buffer *text = &body->bytes;
    const uint8_t *from = (const uint8_t *)exchange->body;
    size_t left = exchange->body_length, taken, made;
    if (!ps_decompressor_begin(decompressor, PS_COMPRESSION_GZIP))
        return PS_HTTP_MEMORY;
    do {
        if (!ps_byte_buffer_reserve(text, PIECE_BYTES))
            return PS_HTTP_MEMORY;
        size_t room = text->room - text->length, most = (size_t)bytes_max + 1 - text->length;
        enum ps_decompressed result = ps_decompressor_run(
            decompressor, from, left, &taken, text->data + text->length, room < most ? room : most, &made);
        text->length += made;
        from += taken;
        left -= taken;
        if (text->length > bytes_max)
            return refuse(exchange, 413, "the decompressed body is too long");
        if (result == PS_DECOMPRESSED_MEMORY)
            return PS_HTTP_MEMORY;
        if (result != PS_DECOMPRESSED || decompressor->padding || (taken == 0 && made == 0))
            return refuse(exchange, 400, "the body is not gzip, or is cut");
    } while (left > 0 || !decompressor->between);
    return PS_HTTP_TAKEN;
}

/* ---- lines ---- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* Makes a JSON array of the text's lines, each of which is an object: puts '[' and ']' around the lines, and
 * a comma in place of each newline between two lines. Returns false if a line does not begin and end as an
 * object does. */
static bool join_lines(struct ps_byte_buffer *bytes, uint32_t *lines)
{
    char *text = bytes->data, *to = text, *end = text + bytes->length;
    *lines = 0;
    if (bytes->length >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0)
        memset(text, ' ', 3); /* the byte order mark */
    memmove(text + 1, text, bytes->length);
    *to++ = '[';
    for (char *line = text + 1, *next; line < end + 1; line = next + 1) {
        next = memchr(line, '\n', (size_t)(end + 1 - line));
        next = next != NULL ? next : end + 1;
        char *last = next;
        while (line < last && is_blank(*line))
            line++;
        while (last > line && is_blank(last[-1]))
            last--;
        if (line == last)
            continue;
        if (*line != '{' || last[-1] != '}')
            return false;
        if ((*lines)++ > 0)
            *to++ = ',';
        memmove(to, line, (size_t)(last - line));
        to += last - line;
    }
    *to++ = ']';
    bytes->length = (size_t)(to - text);
    return true;
}

/* ---- the text ---- */

/* Moves the text to its place: a short one into the meta block of the batch, a longer one into a block that stays
 * until the request is in batches. */
static enum ps_http_taken place(const struct ps_byte_buffer *bytes, struct ps_block_cache *blocks,
                                struct ps_batch *batch, struct ps_http_exchange *exchange)
{
    struct ps_http_text *text = exchange->text;
    text->length = (uint32_t)bytes->length;
    if (bytes->length <= PS_HTTP_TEXT_META_BYTES_MAX) {
        exchange->body = ps_http_alloc(batch, text->length, PS_HTTP_TEXT_META_BYTES_MAX);
        if (exchange->body == NULL)
            return PS_HTTP_MEMORY;
        memcpy(exchange->body, bytes->data, bytes->length);
        exchange->body_length = text->length;
        return PS_HTTP_TAKEN;
    }
    text->block = ps_block_take_oversize(blocks, text->length);
    if (text->block == NULL)
        return PS_HTTP_MEMORY;
    memcpy(text->block->base, bytes->data, bytes->length);
    return PS_HTTP_TAKEN;
}

static enum ps_http_taken make_text(struct ps_json_body *body, struct ps_block_cache *blocks,
                                    uint32_t bytes_max, struct ps_batch *batch,
                                    struct ps_http_exchange *exchange, bool packed, bool lines)
{
    if (packed) {
        enum ps_http_taken taken = decompress(body, bytes_max, exchange);
        if (taken != PS_HTTP_TAKEN)
            return taken;
    } else if (!ps_byte_buffer_append(&body->bytes, exchange->body, exchange->body_length)) {
        return PS_HTTP_MEMORY;
    }
    if (lines && (!ps_byte_buffer_reserve(&body->bytes, BRACKETS_BYTES) ||
                  body->bytes.length >= UINT32_MAX - BRACKETS_BYTES))
        return PS_HTTP_MEMORY;
    if (lines && !join_lines(&body->bytes, &exchange->text->lines))
        return refuse(exchange, 400, "a line is not one JSON object");
    exchange->text->is_lines = lines;
    return place(&body->bytes, blocks, batch, exchange);
}

/* Returns whether the request has the field, with a value that is none of the words. NULL ends the words. */
static bool is_none_of(const struct ps_http_exchange *exchange, const struct ps_http_part *field,
                       const char *const *words)
{
    for (; *words != NULL; words++) {
        if (ps_content_type_is(exchange->head + field->at, field->length, *words))
            return false;
    }
    return field->length > 0;
}

enum ps_http_taken ps_json_body_make(struct ps_json_body *body, struct ps_block_cache *blocks,
                                     uint32_t bytes_max, struct ps_batch *batch,
                                     struct ps_http_exchange *exchange)
{
    static const char *const codings[] = {"gzip", "x-gzip", NULL}, *const plain[] = {"identity", "", NULL};
    static const char *const line_types[] = {"application/x-ndjson", "application/ndjson",
                                             "application/jsonl", NULL};
    const struct ps_http_part *coding = &exchange->message->content_encoding;
    const struct ps_http_part *type = &exchange->message->content_type;
    bool packed = coding->length > 0 && !is_none_of(exchange, coding, codings);
    bool lines = type->length > 0 && !is_none_of(exchange, type, line_types);
    struct ps_http_text *text = exchange->text;
    if (!packed && is_none_of(exchange, coding, plain))
        return refuse(exchange, 415, "Content-Encoding: only gzip is supported");
    if (!packed && !lines)
        return PS_HTTP_TAKEN;
    if (text->block == NULL) {
        enum ps_http_taken taken = make_text(body, blocks, bytes_max, batch, exchange, packed, lines);
        ps_byte_buffer_clear(&body->bytes, KEPT_BYTES);
        if (taken != PS_HTTP_TAKEN || text->block == NULL)
            return taken;
    }
    return ps_http_text_use(exchange, batch);
}
