/* Prints an event as Flume's EventHelper.dumpEvent does (with commons-io's HexDump), for the logger sink.
 * Thread: the owner's. */
#pragma once

#include "core/flow/batch.h"
#include "stages/lib/text/java/map.h"

/* A text buffer. It grows to the longest text and keeps that size. */
struct ps_dump {
    char *data;
    size_t length, room;
};

void ps_dump_init(struct ps_dump *dump);
void ps_dump_fini(struct ps_dump *dump);

/* Prints "Event: { headers:{k=v, k2=v2} body: 68 65 .. he.. }" with the first `bytes_max` bytes of the body.
 * Each further row of sixteen bytes is on its own line and begins with its offset. The only difference from
 * Flume: control characters in headers are written as \n, \x1b, .. Returns false when there is no memory. */
bool ps_dump_event(struct ps_dump *dump, struct ps_java_map *map, const struct ps_batch *batch,
                   const struct ps_event *event, uint32_t bytes_max);

/* Adds a text to the end. Returns false when there is no memory. */
bool ps_dump_text(struct ps_dump *dump, const char *text);
