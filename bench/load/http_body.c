/* Events as bodies of HTTP requests. */
#include "bench/load/http_lane.h"
#include "stages/text/json_text.h"

#include <stdlib.h>
#include <string.h>

#define EVENT_BEFORE "{\"headers\":{},\"body\":\""
#define EVENT_AFTER "\"},"
#define BRACKETS_BYTES 2U

/* Room for what an event of `length` bytes may become. Grows; a lane's bodies have their size after a while.
 */
static bool room_for(struct ps_http_request *request, size_t length)
{
    size_t wanted = request->length + length * PS_JSON_TEXT_GROWTH + sizeof EVENT_BEFORE +
                    sizeof EVENT_AFTER + BRACKETS_BYTES;
    if (wanted <= request->room)
        return true;
    char *body = realloc(request->body, wanted * 2);
    if (body == NULL)
        return false;
    request->body = body;
    request->room = wanted * 2;
    return true;
}

static void append(struct ps_http_request *request, const char *text, size_t length)
{
    memcpy(request->body + request->length, text, length);
    request->length += length;
}

static void append_event(struct ps_http_request *request, enum ps_http_body kind, const char *text,
                         size_t length)
{
    switch (kind) {
    case PS_HTTP_FLUME:
        append(request, EVENT_BEFORE, sizeof EVENT_BEFORE - 1);
        request->length += ps_json_text(text, length, request->body + request->length);
        append(request, EVENT_AFTER, sizeof EVENT_AFTER - 1);
        break;
    case PS_HTTP_LINES:
        append(request, text, length);
        append(request, "\n", 1);
        break;
    case PS_HTTP_PLAIN:
        append(request, text, length);
        break;
    }
}

void ps_http_body_make(struct ps_http_lane *lane, struct ps_http_request *request)
{
    enum ps_http_body kind = lane->plan->body;
    struct ps_block_queue *queue = &lane->queue;
    request->length = 0;
    request->count = 0;
    if (!room_for(request, 0))
        return;
    if (kind == PS_HTTP_FLUME)
        append(request, "[", 1);
    while (queue->next != NULL && request->count < lane->plan->batch) {
        const struct ps_load_block *block = queue->next;
        uint32_t length = ps_block_length(block, queue->next_event);
        if (!room_for(request, length))
            break;
        append_event(request, kind, block->bytes + ps_block_begin(block, queue->next_event), length);
        ps_block_queue_advance(queue, 1);
        request->count++;
    }
    if (kind == PS_HTTP_FLUME)
        request->body[request->length - 1] = ']'; /* in place of the last comma */
}
