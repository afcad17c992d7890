/* An event as text: Flume's EventHelper.dumpEvent over commons-io's HexDump, which the logger sink prints. */
#pragma once

#include "core/flow/batch.h"
#include "stages/text/java_map.h"

/* Text that grows to the longest it ever held. */
struct ps_dump {
    char *data;
    size_t length, room;
};

void ps_dump_init(struct ps_dump *dump);
void ps_dump_fini(struct ps_dump *dump);

/* "Event: { headers:{k=v, k2=v2} body: 68 65 .. he.. }" of the first `bytes_max` bytes of the body; further
 * rows of sixteen begin with their offset on a line of their own. Control characters in headers are written
 * as \n, \x1b, ..: the one difference from Flume. False: no memory. */
bool ps_dump_event(struct ps_dump *dump, struct ps_java_map *map, const struct ps_batch *batch,
                   const struct ps_event *event, uint32_t bytes_max);
