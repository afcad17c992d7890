#include "stages/lib/http/blob_handler.h"

#include <string.h>

#include "core/arena.h"
#include "core/text/hex.h"
#include "core/text/list.h"
#include "core/text/utf8.h"
#include "stages/lib/http/header_area.h"

#define CONTENT_TYPE "Content-Type"

/* Returns the query of the request's URL, without the question mark. */
static struct ps_slice query_of(const struct ps_http_exchange *exchange)
{
    const struct ps_http_part *url = &exchange->message->url;
    const char *at = exchange->head + url->at;
    const char *mark = memchr(at, '?', url->length);
    if (mark == NULL)
        return (struct ps_slice){at, 0};
    uint32_t length = url->length - (uint32_t)(mark + 1 - at);
    const char *hash = memchr(mark, '#', length + 1);
    return (struct ps_slice){mark + 1, hash != NULL ? (uint32_t)(hash - mark) - 1 : length};
}

/* Cuts the next parameter off the query. Returns false if there is none. */
static bool next_parameter(struct ps_slice *query, struct ps_slice *name, struct ps_slice *value)
{
    while (query->length > 0) {
        const char *end = memchr(query->data, '&', query->length);
        uint32_t length = end != NULL ? (uint32_t)(end - query->data) : query->length;
        const char *equals = memchr(query->data, '=', length);
        *name = (struct ps_slice){query->data, equals != NULL ? (uint32_t)(equals - query->data) : length};
        *value = (struct ps_slice){query->data + length, 0};
        if (equals != NULL)
            *value = (struct ps_slice){equals + 1, length - name->length - 1};
        query->data += length + (end != NULL);
        query->length -= length + (end != NULL);
        if (length > 0)
            return true;
    }
    return false;
}

/* Returns an upper bound of the bytes that a text of a query has after decoding. */
static uint64_t decoded_max(uint32_t length)
{
    return 4 * (uint64_t)length + 8;
}

/* Decodes %XX and +, and makes the result well-formed UTF-8. Returns false if a % is not followed by two digits. */
static bool decode(struct ps_slice *text, char **room)
{
    char *out = *room;
    uint32_t length = 0;
    for (uint32_t i = 0; i < text->length; i++) {
        char c = text->data[i];
        if (c == '%') {
            int high = i + 2 < text->length ? ps_hex_digit(text->data[i + 1]) : -1;
            int low = i + 2 < text->length ? ps_hex_digit(text->data[i + 2]) : -1;
            if (high < 0 || low < 0)
                return false;
            c = (char)(high << 4 | low);
            i += 2;
        } else if (c == '+') {
            c = ' ';
        }
        out[length++] = c;
    }
    *text = (struct ps_slice){out, length};
    if (ps_utf8_valid_length(out, length) < length)
        *text = (struct ps_slice){out + length, (uint32_t)ps_utf8_repair(out, length, out + length)};
    *room = (char *)(uintptr_t)text->data + text->length;
    return true;
}

static bool has_header(const struct ps_header *list, uint32_t hash, struct ps_slice name)
{
    for (; list != NULL; list = list->next) {
        if (list->name->hash == hash && list->name->length == name.length &&
            memcmp(list->name->text, name.data, name.length) == 0)
            return true;
    }
    return false;
}

static enum ps_http_taken refuse(struct ps_http_exchange *exchange, uint16_t status, const char *reason)
{
    exchange->status = status;
    exchange->intro = status == 500 ? PS_HTTP_UNEXPECTED : NULL;
    exchange->reason = reason;
    return PS_HTTP_REFUSED;
}

/* Makes headers from the parameters; of several with the same name only the first counts. Returns NULL, or what is
 * wrong. */
static const char *make_headers(struct ps_header_area *area, char *room, struct ps_slice query,
                                struct ps_header **list, uint64_t *mask)
{
    struct ps_slice name, value;
    while (next_parameter(&query, &name, &value)) {
        if (!decode(&name, &room) || !decode(&value, &room))
            return "a parameter has a % without two hexadecimal digits";
        uint32_t hash = ps_name_hash(name.data, name.length);
        if (has_header(*list, hash, name))
            continue;
        const struct ps_name *made = ps_header_area_name(area, hash, name);
        ps_header_area_add(area, list, made, value);
        *mask |= made->mask;
    }
    return NULL;
}

/* Makes a header of the request's Content-Type, unless a header of that name exists. */
static void make_content_type(struct ps_header_area *area, char *room, struct ps_slice type,
                              struct ps_header **list, uint64_t *mask)
{
    struct ps_slice name = {CONTENT_TYPE, sizeof CONTENT_TYPE - 1}, value = {room, type.length};
    uint32_t hash = ps_name_hash(name.data, name.length);
    if (type.length == 0 || has_header(*list, hash, name))
        return;
    memcpy(room, type.data, type.length);
    if (ps_utf8_valid_length(room, type.length) < type.length)
        value = (struct ps_slice){room + type.length,
                                  (uint32_t)ps_utf8_repair(room, type.length, room + type.length)};
    const struct ps_name *made = ps_header_area_name(area, hash, name);
    ps_header_area_add(area, list, made, value);
    *mask |= made->mask;
}

struct ps_texts ps_blob_handler_mandatory(struct ps_arena *arena, const char *list)
{
    size_t length = list != NULL ? strlen(list) : 0, count = 1;
    while (length > 0 && list[length - 1] == ',')
        length--;
    if (length == 0)
        return (struct ps_texts){0};
    for (size_t i = 0; i < length; i++)
        count += list[i] == ',';
    const char **names = ps_arena_alloc(arena, count * sizeof *names);
    struct ps_slice name;
    for (size_t i = 0; i < count && ps_list_next_at_comma(&list, &name); i++)
        names[i] = ps_arena_copy(arena, name.data, name.length);
    return (struct ps_texts){count, names};
}

enum ps_http_taken ps_blob_handler_take(const struct ps_blob_handler *handler, struct ps_batch *batch,
                                        struct ps_http_exchange *exchange)
{
    const struct ps_texts *mandatory = &handler->mandatory;
    const struct ps_http_part *part = &exchange->message->content_type;
    struct ps_slice type = {exchange->head + part->at, handler->content_type ? part->length : 0};
    struct ps_slice query = query_of(exchange), rest = query, name, value;
    uint64_t header_bytes = 8, text_bytes = 0;
    unsigned count = 0;
    for (; next_parameter(&rest, &name, &value); count++) {
        header_bytes +=
            ps_header_area_name_bytes((uint32_t)decoded_max(name.length)) + PS_HEADER_AREA_HEADER_BYTES;
        text_bytes += decoded_max(name.length) + decoded_max(value.length);
    }
    if (count > PS_BLOB_PARAMETERS_MAX)
        return refuse(exchange, 400, "the request has too many parameters");
    const uint64_t type_bytes = decoded_max(type.length);
    if (type.length > 0) {
        header_bytes += ps_header_area_name_bytes(sizeof CONTENT_TYPE - 1) + PS_HEADER_AREA_HEADER_BYTES;
        text_bytes += type_bytes;
    }
    struct ps_header *list = NULL;
    uint64_t mask = 0;
    if (count > 0 || type.length > 0) {
        char *memory =
            ps_http_alloc(batch, (uint32_t)(header_bytes + text_bytes), PS_HTTP_HEADERS_META_BYTES_MAX);
        if (memory == NULL)
            return PS_HTTP_MEMORY;
        struct ps_header_area area = ps_header_area(memory, header_bytes);
        const char *wrong = make_headers(&area, memory + header_bytes, query, &list, &mask);
        if (wrong != NULL)
            return refuse(exchange, 400, wrong);
        make_content_type(&area, memory + header_bytes + text_bytes - type_bytes, type, &list, &mask);
    }
    for (size_t i = 0; i < mandatory->count; i++) {
        struct ps_slice wanted = {mandatory->items[i], (uint32_t)strlen(mandatory->items[i])};
        if (!has_header(list, ps_name_hash(wanted.data, wanted.length), wanted))
            return refuse(exchange, 500, "Please specify every mandatory parameter in the request.");
    }
    if (!ps_batch_ticket(batch, exchange->origin, 0))
        return PS_HTTP_MEMORY;
    struct ps_event *event = ps_batch_add(batch, exchange->body, exchange->body_length);
    if (event == NULL)
        return PS_HTTP_FULL;
    event->headers = list;
    event->mask = mask;
    batch->own_mask |= mask;
    PS_ASSERT(ps_batch_ticket(batch, exchange->origin, 1)); /* adds to the ticket made above */
    exchange->events = 1;
    return PS_HTTP_TAKEN;
}
