/* Orders headers as Java's HashMap<String, String> iterates over its entries, because the logger sink and the
 * serializer header_and_text must print headers in Flume's order.
 *
 * An entry's bucket is (h ^ h >>> 16) modulo the table's size, where h = String.hashCode() over UTF-16. Within
 * a bucket, entries are in the order of the puts. The table has 16 buckets, or, for events whose source set
 * headers, the number that `new HashMap(headers)` chooses (EventBuilder.withBody copies the map). It doubles
 * when it is three quarters full. Not implemented: Java turns buckets of eight and more entries into trees.
 * Thread: the worker of the state. */
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

/* Makes an empty map. It grows to the largest number of headers of any event, and keeps that size. */
void ps_java_map_init(struct ps_java_map *map);
void ps_java_map_fini(struct ps_java_map *map);

/* Fills map->entries [0 .. count) with the event's headers in the order of Java's HashMap. Returns false when
 * there is no memory. */
bool ps_java_map_order(struct ps_java_map *map, const struct ps_batch *batch, const struct ps_event *event);

/* Returns Java's String.hashCode() of a UTF-8 text; malformed bytes count as U+FFFD. */
uint32_t ps_java_hash(const char *text, size_t length);
