/* See map.h. */
#include "stages/lib/text/java/map.h"

#include "core/text/utf8.h"

#include <stdlib.h>
#include <string.h>

#define ROOM_MIN 16U

uint32_t ps_java_hash(const char *text, size_t length)
{
    uint32_t hash = 0;
    for (size_t at = 0; at < length;) {
        uint32_t code = (uint8_t)text[at];
        size_t bytes = code < 0x80 ? 1 : ps_utf8_get(text + at, length - at, &code);
        if (bytes == 0) /* each malformed byte counts as U+FFFD */
            code = 0xFFFD;
        at += bytes > 0 ? bytes : 1;
        if (code >= 0x10000) {
            code -= 0x10000;
            hash = 31 * hash + (0xD800 | code >> 10);
            code = 0xDC00 | (code & 0x3FF);
        }
        hash = 31 * hash + code;
    }
    return hash;
}

void ps_java_map_init(struct ps_java_map *map)
{
    *map = (struct ps_java_map){NULL, 0, 0};
}

void ps_java_map_fini(struct ps_java_map *map)
{
    free(map->entries);
    ps_java_map_init(map);
}

static bool map_add(struct ps_java_map *map, const struct ps_header *header)
{
    if (map->count == map->room) {
        size_t room = map->room == 0 ? ROOM_MIN : 2 * map->room;
        struct ps_java_map_entry *entries = realloc(map->entries, room * sizeof *entries);
        if (entries == NULL)
            return false;
        map->entries = entries;
        map->room = room;
    }
    map->entries[map->count++].header = header;
    return true;
}

static void reverse(struct ps_java_map_entry *entries, size_t count)
{
    for (size_t i = 0; i < count / 2; i++) {
        struct ps_java_map_entry kept = entries[i];
        entries[i] = entries[count - 1 - i];
        entries[count - 1 - i] = kept;
    }
}

static int entry_compare(const void *a_, const void *b_)
{
    const struct ps_java_map_entry *a = a_, *b = b_;
    if (a->bucket != b->bucket)
        return a->bucket < b->bucket ? -1 : 1;
    return a->order < b->order ? -1 : 1;
}

/* Events have few headers: insertion sort avoids qsort's overhead. */
static void entries_sort(struct ps_java_map_entry *entries, size_t count)
{
    if (count > 32) {
        qsort(entries, count, sizeof *entries, entry_compare);
        return;
    }
    for (size_t i = 1; i < count; i++) {
        struct ps_java_map_entry entry = entries[i];
        size_t to = i;
        for (; to > 0 && entry_compare(&entry, &entries[to - 1]) < 0; to--)
            entries[to] = entries[to - 1];
        entries[to] = entry;
    }
}

/* Merges entries with the same name: the first entry keeps its place and gets the value of the last entry, as
 * in Java. */
static void entries_merge(struct ps_java_map *map)
{
    size_t kept = 0, bucket_start = 0;
    for (size_t i = 0; i < map->count; i++) {
        if (kept > 0 && map->entries[bucket_start].bucket != map->entries[i].bucket)
            bucket_start = kept;
        size_t same = bucket_start;
        while (same < kept && !ps_name_equal(map->entries[same].header->name, map->entries[i].header->name))
            same++;
        if (same < kept)
            map->entries[same].header = map->entries[i].header;
        else
            map->entries[kept++] = map->entries[i];
    }
    map->count = kept;
}

/* Number of buckets of `new HashMap(map)` for a map of `count` entries: tableSizeFor(count / 0.75 + 1). */
static uint32_t table_size_copied(size_t count)
{
    uint32_t want = (uint32_t)((float)count / 0.75F + 1.0F), size = 1;
    while (size < want)
        size *= 2;
    return size;
}

bool ps_java_map_order(struct ps_java_map *map, const struct ps_batch *batch, const struct ps_event *event)
{
    map->count = 0;
    /* The lists are newest first; reversed, they are in the order of the puts. The headers of the whole batch
     * come from interceptors, so they follow the source's. */
    for (const struct ps_header *header = event->headers; header != NULL; header = header->next) {
        if (!map_add(map, header))
            return false;
    }
    size_t own = map->count;
    reverse(map->entries, own);
    for (const struct ps_header *header = batch->shared; header != NULL; header = header->next) {
        if ((event->mask & header->name->mask) && ps_header_find(event->headers, header->name) != NULL)
            continue;
        if (!map_add(map, header))
            return false;
    }
    if (map->count > own)
        reverse(map->entries + own, map->count - own);
    uint32_t table = own > 0 ? table_size_copied(own) : 16;
    while (map->count > table * 3 / 4)
        table *= 2;
    for (size_t i = 0; i < map->count; i++) {
        const struct ps_name *name = map->entries[i].header->name;
        uint32_t hash = ps_java_hash(name->text, name->length);
        map->entries[i].bucket = (hash ^ hash >> 16) & (table - 1);
        map->entries[i].order = (uint32_t)i;
    }
    entries_sort(map->entries, map->count);
    entries_merge(map);
    return true;
}
