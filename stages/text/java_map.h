/* The order in which Java's HashMap<String, String> hands out its entries: what the logger sink and the
 * serializer header_and_text print must read as Flume's does.
 *
 * An entry's bucket is (h ^ h >>> 16) modulo the table's size, h = String.hashCode() over UTF-16; within a
 * bucket entries come in the order they were put. The table has 16 buckets, or, for events whose source set
 * headers, what `new HashMap(headers)` makes of their number (EventBuilder.withBody copies the map); it
 * doubles at three quarters full. (Buckets of eight and more entries become trees in Java: not followed.)
 * Thread: the state's worker. */
#pragma once

#include "core/flow/batch.h"

struct ps_java_map {
    struct ps_java_map_entry *entries;
    size_t count, room;
};

struct ps_java_map_entry {
    const struct ps_header *header;
    uint32_t bucket, order;
};

/* Grows to the most headers an event ever had, and stays there. */
void ps_java_map_init(struct ps_java_map *map);
void ps_java_map_fini(struct ps_java_map *map);

/* Fills map->entries [0 .. count) with the event's headers in that order. False: no memory. */
bool ps_java_map_order(struct ps_java_map *map, const struct ps_batch *batch, const struct ps_event *event);

/* Java's String.hashCode() of UTF-8 text; bytes that are none count as U+FFFD. */
uint32_t ps_java_hash(const char *text, size_t length);
