/* See hex_dump.h. */
#include "stages/lib/text/hex_dump.h"

#include "core/text/printable.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROW_BYTES 16U
#define ROW_TEXT_MAX 80U /* offset, blank, sixteen times "XX ", sixteen characters, newline */

static const char digits[] = "0123456789ABCDEF";

void ps_dump_init(struct ps_dump *dump)
{
    *dump = (struct ps_dump){NULL, 0, 0};
}

void ps_dump_fini(struct ps_dump *dump)
{
    free(dump->data);
    ps_dump_init(dump);
}

static bool dump_reserve(struct ps_dump *dump, size_t more)
{
    if (dump->room - dump->length >= more)
        return true;
    size_t room = dump->room == 0 ? 1024 : dump->room;
    while (room - dump->length < more)
        room *= 2;
    char *data = realloc(dump->data, room);
    if (data == NULL)
        return false;
    dump->data = data;
    dump->room = room;
    return true;
}

bool ps_dump_text(struct ps_dump *dump, const char *text)
{
    size_t length = strlen(text);
    if (!dump_reserve(dump, length))
        return false;
    memcpy(dump->data + dump->length, text, length);
    dump->length += length;
    return true;
}

static bool dump_clean(struct ps_dump *dump, const char *text, size_t length)
{
    if (!dump_reserve(dump, 4 * length))
        return false;
    dump->length += ps_printable_put(dump->data + dump->length, text, length);
    return true;
}

/* Adds one row of HexDump.dump, without its newline. The first row has no offset: EventHelper removes it. */
static void dump_row(struct ps_dump *dump, const unsigned char *bytes, uint32_t offset, uint32_t count)
{
    char *out = dump->data + dump->length;
    if (offset > 0) {
        for (int shift = 28; shift >= 0; shift -= 4)
            *out++ = digits[(offset >> shift) & 15];
    }
    *out++ = ' ';
    for (uint32_t i = 0; i < ROW_BYTES; i++) {
        *out++ = i < count ? digits[bytes[i] >> 4] : ' ';
        *out++ = i < count ? digits[bytes[i] & 15] : ' ';
        *out++ = ' ';
    }
    for (uint32_t i = 0; i < count; i++)
        *out++ = bytes[i] >= ' ' && bytes[i] < 127 ? (char)bytes[i] : '.';
    dump->length = (size_t)(out - dump->data);
}

static bool dump_body(struct ps_dump *dump, const struct ps_event *event, uint32_t bytes_max)
{
    if (event->body_length == 0)
        return true;
    if (bytes_max == 0) /* HexDump throws for an empty array; EventHelper prints the exception's message */
        return ps_dump_text(dump, "...Exception while dumping: illegal index: 0 into array of length 0");
    uint32_t length = event->body_length < bytes_max ? event->body_length : bytes_max;
    if (!dump_reserve(dump, ((size_t)length / ROW_BYTES + 1) * ROW_TEXT_MAX))
        return false;
    for (uint32_t offset = 0; offset < length; offset += ROW_BYTES) {
        if (offset > 0)
            dump->data[dump->length++] = '\n';
        dump_row(dump, (const unsigned char *)event->body + offset, offset,
                 length - offset < ROW_BYTES ? length - offset : ROW_BYTES);
    }
    return true;
}

bool ps_dump_event(struct ps_dump *dump, struct ps_java_map *map, const struct ps_batch *batch,
                   const struct ps_event *event, uint32_t bytes_max)
{
    dump->length = 0;
    if (!ps_java_map_order(map, batch, event) || !ps_dump_text(dump, "Event: { headers:{"))
        return false;
    for (size_t i = 0; i < map->count; i++) {
        const struct ps_header *header = map->entries[i].header;
        if ((i > 0 && !ps_dump_text(dump, ", ")) ||
            !dump_clean(dump, header->name->text, header->name->length) || !ps_dump_text(dump, "=") ||
            !dump_clean(dump, header->value, header->value_length))
            return false;
    }
    return ps_dump_text(dump, "} body:") && dump_body(dump, event, bytes_max) && ps_dump_text(dump, " }");
}
