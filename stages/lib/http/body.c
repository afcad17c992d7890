/* See body.h. */
#include "stages/lib/http/body.h"

#include "stages/lib/text/json/text.h"

#include <stdlib.h>
#include <string.h>

#define EVENT_BEFORE "{\"headers\":{},\"body\":\""
#define EVENT_AFTER "\"},"
#define BRACKETS_BYTES 2U

/* Makes room for the longest encoding of an event of `length` bytes. It doubles the room, so that a reused
 * buffer soon keeps its size. */
static bool room_for(struct ps_http_body *body, size_t length)
{
    size_t wanted = body->length + length * PS_JSON_TEXT_GROWTH + sizeof EVENT_BEFORE + sizeof EVENT_AFTER +
                    BRACKETS_BYTES;
    if (wanted <= body->room)
        return true;
    char *bytes = realloc(body->bytes, wanted * 2);
    if (bytes == NULL)
        return false;
    body->bytes = bytes;
    body->room = wanted * 2;
    return true;
}

static void append(struct ps_http_body *body, const char *text, size_t length)
{
    memcpy(body->bytes + body->length, text, length);
    body->length += length;
}

bool ps_http_body_begin(struct ps_http_body *body, enum ps_http_format format)
{
    body->length = 0;
    if (!room_for(body, 0))
        return false;
    if (format == PS_HTTP_FLUME)
        append(body, "[", 1);
    return true;
}

bool ps_http_body_add(struct ps_http_body *body, enum ps_http_format format, const char *text, size_t length)
{
    if (!room_for(body, length))
        return false;
    switch (format) {
    case PS_HTTP_FLUME:
        append(body, EVENT_BEFORE, sizeof EVENT_BEFORE - 1);
        body->length += ps_json_text(text, length, body->bytes + body->length);
        append(body, EVENT_AFTER, sizeof EVENT_AFTER - 1);
        break;
    case PS_HTTP_LINES:
        append(body, text, length);
        append(body, "\n", 1);
        break;
    case PS_HTTP_PLAIN:
        append(body, text, length);
        break;
    }
    return true;
}

void ps_http_body_end(struct ps_http_body *body, enum ps_http_format format)
{
    if (format != PS_HTTP_FLUME)
        return;
    if (body->bytes[body->length - 1] == ',')
        body->length--;
    append(body, "]", 1);
}

void ps_http_body_fini(struct ps_http_body *body)
{
    free(body->bytes);
    *body = (struct ps_http_body){0};
}
